package catalog

import (
	"sync"

	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// Snapshot is the whole schema as one transaction sees it, the system's own relations included. It is
// immutable and shared.
//
// DDL copies the maps and changes the copy: to look something up, which every statement does many times, is
// then one or two steps in plain maps without locks, and a DDL statement costs microseconds for a schema of
// thousands of objects. What only some statements ask for is derived when first needed (see derived.go).
type Snapshot struct {
	// Version names this state of the schema: equal versions, equal schemas. Versions have no order.
	Version uint64

	catalog       *Catalog
	schemas       map[OID]*Schema
	schemaNames   map[string]*Schema
	relations     map[OID]*Table        // tables, views and sequences of users
	relationNames map[qualifiedName]OID // of relations, indexes and composite types
	indexTables   map[OID]OID           // index to table
	assertions    map[OID]*Assertion
	assertNames   map[qualifiedName]*Assertion
	userTypes     map[OID]*UserType
	typeNames     map[qualifiedName]OID // of user and row types, not of arrays
	types         map[OID]*types.Type   // all types of users: user types, row types, arrays over both
	roles         map[OID]*Role
	roleNames     map[string]*Role
	extensions    map[OID]*Extension

	once    sync.Once
	derived *derived
	memo    sync.Map
}

type qualifiedName struct {
	schema OID
	name   string
}

// Catalog is the catalog the snapshot is of.
func (s *Snapshot) Catalog() *Catalog { return s.catalog }

// Schema returns the schema of that name, nil if there is none.
func (s *Snapshot) Schema(name string) *Schema { return s.schemaNames[name] }

// SchemaByOID returns the schema, nil if there is none.
func (s *Snapshot) SchemaByOID(oid OID) *Schema { return s.schemas[oid] }

// Relation returns the table, view, sequence or system relation of that name in a schema, nil if there is none.
// (Indexes share the names of relations but are parts of their Table: see IndexByName.)
func (s *Snapshot) Relation(schema OID, name string) *Table {
	if t := system().relationNames[qualifiedName{schema, name}]; t != nil {
		return t
	}
	return s.relations[s.relationNames[qualifiedName{schema, name}]]
}

// RelationByOID returns the relation, nil if there is none.
func (s *Snapshot) RelationByOID(oid OID) *Table {
	if t := s.relations[oid]; t != nil {
		return t
	}
	return system().relations[oid]
}

// IndexByOID finds an index; nil if there is none.
func (s *Snapshot) IndexByOID(oid OID) (*Table, *Index) {
	if t := s.relations[s.indexTables[oid]]; t != nil {
		return t, t.Index(oid)
	}
	return nil, nil
}

// IndexByName finds an index in a schema; nil if there is none.
func (s *Snapshot) IndexByName(schema OID, name string) (*Table, *Index) {
	return s.IndexByOID(s.relationNames[qualifiedName{schema, name}])
}

// Assertion finds an assertion in a schema; nil if there is none.
func (s *Snapshot) Assertion(schema OID, name string) *Assertion {
	return s.assertNames[qualifiedName{schema, name}]
}

// AssertionByOID returns the assertion, nil if there is none.
func (s *Snapshot) AssertionByOID(oid OID) *Assertion { return s.assertions[oid] }

// Type is the type with an OID: built in, a user's, a row type, or an array over one of them; nil if there is none.
func (s *Snapshot) Type(oid OID) *types.Type {
	if t := types.ByOID(oid); t != nil {
		return t
	}
	if t := s.types[oid]; t != nil {
		return t
	}
	return system().typeByOID(oid)
}

// RowType is the composite type of a relation's rows, nil for a sequence.
func (s *Snapshot) RowType(t *Table) *types.Type { return s.Type(t.RowType) }

// TypeByName finds a type in a schema by its internal name ("int4", "_int4", "mood"), row types included; nil
// if there is none.
func (s *Snapshot) TypeByName(schema OID, name string) *types.Type {
	if schema == PgCatalogOID {
		if t := types.ByName(name); t != nil {
			return t
		}
	}
	if oid, ok := s.typeNames[qualifiedName{schema, name}]; ok {
		return s.types[oid]
	}
	if t := system().typeByName(schema, name); t != nil {
		return t
	}
	// The array over a type has the type's name with as many underscores as it takes to be unique.
	for elem := name; len(elem) > 0 && elem[0] == '_'; {
		elem = elem[1:]
		if oid, ok := s.typeNames[qualifiedName{schema, elem}]; ok {
			return s.types[oid].Array
		}
	}
	return nil
}

// arrayName is the internal name of the array type over a type of users.
func (s *Snapshot) arrayName(schema OID, elem string) string {
	for name := "_" + elem; ; name = "_" + name {
		if _, taken := s.typeNames[qualifiedName{schema, name}]; !taken {
			return truncateName(name)
		}
	}
}

// truncateName cuts a name to PostgreSQL's limit of 63 bytes, between characters.
func truncateName(name string) string {
	const limit = 63
	if len(name) <= limit {
		return name
	}
	n := limit
	for n > 0 && name[n]&0xc0 == 0x80 {
		n--
	}
	return name[:n]
}

// UserType finds an enum, domain or composite type, nil if the OID is not one.
func (s *Snapshot) UserType(oid OID) *UserType {
	if u := s.userTypes[oid]; u != nil && !u.Dropped {
		return u
	}
	return nil
}

// Role finds a role, nil if there is none.
func (s *Snapshot) Role(name string) *Role { return s.roleNames[name] }

// RoleByOID finds a role, nil if there is none.
func (s *Snapshot) RoleByOID(oid OID) *Role { return s.roles[oid] }

// Stats are the live statistics of a table.
func (s *Snapshot) Stats(table OID) *TableStats { return s.catalog.Stats(table) }

// VirtualContext is what a virtual relation makes its rows from.
type VirtualContext struct {
	*funcs.Ctx
	Snapshot *Snapshot
}
