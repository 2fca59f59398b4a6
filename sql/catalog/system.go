package catalog

import (
	"sync"

	"holdfast/sql/types"
)

// systemObjects are the relations of pg_catalog and information_schema, the same in every snapshot.
type systemObjects struct {
	relations     map[OID]*Table
	relationNames map[qualifiedName]*Table
	rowTypes      map[OID]*Table
	indexes       map[OID]*systemIndex
}

type systemIndex struct{ name string }

var system = sync.OnceValue(func() *systemObjects {
	return &systemObjects{}
})

func (s *systemObjects) rowType(oid OID) *types.Type { return nil }
