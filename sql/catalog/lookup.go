package catalog

import (
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// The lookups by a name as written take the session's search path: schema names, "$user" replaced, pg_catalog
// searched first unless it is in the path.

// Lookup finds a relation by a name as written; schema is "" if the name is not qualified. Errors are 42P01
// and 3F000. Indexes are not found: see LookupIndex.
func (s *Snapshot) Lookup(searchPath []string, schema, name string) (*Table, error) {
	return nil, errs.New(errs.UndefinedTable, "relation %q does not exist", name)
}

// LookupIndex finds an index and its table, nil if there is none (42704).
func (s *Snapshot) LookupIndex(searchPath []string, schema, name string) (*Table, *Index, error) {
	return nil, nil, errs.New(errs.UndefinedObject, "index %q does not exist", name)
}

// LookupAssertion finds an assertion by a name as written (42704).
func (s *Snapshot) LookupAssertion(searchPath []string, schema, name string) (*Assertion, error) {
	return nil, errs.New(errs.UndefinedObject, "assertion %q does not exist", name)
}

// LookupType finds a type by a name as written, in PostgreSQL's internal spelling (int4, _text) or a user's;
// row types included. The error is 42704 or 3F000.
func (s *Snapshot) LookupType(searchPath []string, schema, name string) (*types.Type, error) {
	return nil, errs.New(errs.UndefinedObject, "type %q does not exist", name)
}

// CreationSchema is the schema in which CREATE puts an object: the one written, or the first of the search
// path that exists. Errors are 3F000 and, for the system's schemas, 42501.
func (s *Snapshot) CreationSchema(searchPath []string, schema string) (*Schema, error) {
	return nil, errs.New(errs.InvalidSchemaName, "no schema has been selected to create in")
}

// Schemas are all schemas, by name.
func (s *Snapshot) Schemas() []*Schema { return nil }

// Tables are all user relations (tables, views, sequences) by OID, without those of the system.
func (s *Snapshot) Tables() []*Table { return nil }

// IndexByName finds an index in a schema; nil if there is none.
func (s *Snapshot) IndexByName(schema OID, name string) (*Table, *Index) { return nil, nil }

// IndexByOID finds an index; nil if there is none.
func (s *Snapshot) IndexByOID(oid OID) (*Table, *Index) { return nil, nil }

// Constraint finds a constraint of any table or domain; nil if there is none. t is nil for a domain's.
func (s *Snapshot) Constraint(oid OID) (t *Table, c *Constraint) { return nil, nil }

// Assertion finds an assertion in a schema; nil if there is none.
func (s *Snapshot) Assertion(schema OID, name string) *Assertion { return nil }

// AssertionByOID returns the assertion, nil if there is none.
func (s *Snapshot) AssertionByOID(oid OID) *Assertion { return s.assertions[oid] }

// Assertions are all assertions, by name.
func (s *Snapshot) Assertions() []*Assertion { return nil }

// AssertionsOn are the assertions that read a table, itself or through a view, by name: the order of checks.
func (s *Snapshot) AssertionsOn(table OID) []*Assertion { return nil }

// Type is the type with an OID: built in, a user's, a row type, or an array over one of them; nil if there is none.
func (s *Snapshot) Type(oid OID) *types.Type { return types.ByOID(oid) }

// RowType is the composite type of a relation's rows.
func (s *Snapshot) RowType(t *Table) *types.Type { return s.Type(t.RowType) }

// TypeByName finds a type in a schema; nil if there is none.
func (s *Snapshot) TypeByName(schema OID, name string) *types.Type { return nil }

// UserType finds an enum, domain or composite type, nil if the OID is not one.
func (s *Snapshot) UserType(oid OID) *UserType { return nil }

// UserTypes are all of them by OID.
func (s *Snapshot) UserTypes() []*UserType { return nil }

// Role finds a role, nil if there is none.
func (s *Snapshot) Role(name string) *Role { return nil }

// RoleByOID finds a role, nil if there is none.
func (s *Snapshot) RoleByOID(oid OID) *Role { return nil }

// Roles are all roles by OID.
func (s *Snapshot) Roles() []*Role { return nil }

// Visible reports whether a relation, index or type is found by its bare name.
func (s *Snapshot) Visible(oid OID, searchPath []string) bool { return false }

// FormatType is the name of a type with its modifier as format_type prints it under a search path: types of
// users are qualified unless visible.
func (s *Snapshot) FormatType(t *types.Type, mod int32, searchPath []string) string {
	return types.FormatType(t, mod)
}

// QualifiedName is the name of a relation, index or type for SQL: quoted, and qualified unless visible.
func (s *Snapshot) QualifiedName(oid OID, searchPath []string) string { return "" }

// CheckDatabase refuses a name qualified by another database (0A000). schema and name are for the message.
func CheckDatabase(current, database, schema, name string) error {
	if database == "" || database == current {
		return nil
	}
	return errs.New(errs.FeatureNotSupported, "cross-database references are not implemented: %q", database+"."+schema+"."+name)
}

// Stats are the live statistics of a table.
func (s *Snapshot) Stats(table OID) *TableStats { return nil }

// Catalog is the catalog the snapshot is of.
func (s *Snapshot) Catalog() *Catalog { return nil }
