package funcs

import (
	"sync"

	"holdfast/sql/types"
)

// KnownNamed are the functions that PostgreSQL has under a name, implemented or not. The slice must not be
// changed.
func KnownNamed(name string) []*Func { return known[name] }

// KnownByOID is what PostgreSQL says of a function, implemented or not; nil if there is none.
func KnownByOID(oid types.OID) *Func {
	if f := byOID[oid]; f != nil {
		return f
	}
	return knownByOID()[oid]
}

var knownByOID = sync.OnceValue(func() map[types.OID]*Func {
	m := map[types.OID]*Func{}
	for _, fs := range known {
		for _, f := range fs {
			m[f.OID] = f
		}
	}
	return m
})
