package catalog

import (
	"holdfast/sql/funcs"
)

// Snapshot is the whole schema as one transaction sees it, the system's own relations included. It is
// immutable and shared.
type Snapshot struct {
	// Version counts schema changes: equal versions, equal schemas.
	Version uint64

	schemas       map[OID]*Schema
	schemaNames   map[string]*Schema
	relations     map[OID]*Table
	relationNames map[qualifiedName]*Table
	assertions    map[OID]*Assertion
}

type qualifiedName struct {
	schema OID
	name   string
}

// Schema returns the schema of that name, nil if there is none.
func (s *Snapshot) Schema(name string) *Schema { return s.schemaNames[name] }

// SchemaByOID returns the schema, nil if there is none.
func (s *Snapshot) SchemaByOID(oid OID) *Schema { return s.schemas[oid] }

// Relation returns the table, view, sequence or system relation of that name in a schema, nil if there is none.
// (Indexes share the names of relations but are parts of their Table: see Index.)
func (s *Snapshot) Relation(schema OID, name string) *Table {
	return s.relationNames[qualifiedName{schema, name}]
}

// RelationByOID returns the relation, nil if there is none.
func (s *Snapshot) RelationByOID(oid OID) *Table { return s.relations[oid] }

// VirtualContext is what a virtual relation makes its rows from.
type VirtualContext struct {
	*funcs.Ctx
	Snapshot *Snapshot
}
