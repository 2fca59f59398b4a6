package catalog

import (
	"slices"
	"strings"

	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// The lookups by a name as written take the session's search path: schema names, "$user" replaced. pg_catalog
// is searched first unless it is in the path.

// search calls f with each schema of the path in order until it returns true.
func (s *Snapshot) search(searchPath []string, f func(schema OID) bool) {
	if !slices.Contains(searchPath, "pg_catalog") && f(PgCatalogOID) {
		return
	}
	for _, name := range searchPath {
		if n := s.schemaNames[name]; n != nil && f(n.OID) {
			return
		}
	}
}

// dotted is a name as messages show it.
func dotted(schema, name string) string {
	if schema == "" {
		return name
	}
	return schema + "." + name
}

// findRelation is the OID of a relation, index or composite type by a name as written, 0 if there is none.
func (s *Snapshot) findRelation(searchPath []string, schema, name string) (oid OID) {
	in := func(schema OID) bool {
		oid = s.relationNames[qualifiedName{schema, name}]
		if t := system().relationNames[qualifiedName{schema, name}]; t != nil {
			oid = t.OID
		}
		return oid != 0
	}
	if schema == "" {
		s.search(searchPath, in)
	} else if n := s.schemaNames[schema]; n != nil {
		in(n.OID)
	}
	return oid
}

// Lookup finds a relation by a name as written; schema is "" if the name is not qualified. Errors are 42P01,
// and 42809 for an index or composite type.
func (s *Snapshot) Lookup(searchPath []string, schema, name string) (*Table, error) {
	oid := s.findRelation(searchPath, schema, name)
	if t := s.RelationByOID(oid); t != nil {
		return t, nil
	}
	if oid == 0 {
		return nil, errs.New(errs.UndefinedTable, "relation %q does not exist", dotted(schema, name))
	}
	what := "composite types"
	if s.indexTables[oid] != 0 {
		what = "indexes"
	}
	return nil, errs.New(errs.WrongObjectType, "cannot open relation %q", name).
		WithDetail("This operation is not supported for %s.", what)
}

// LookupIndex finds an index and its table by a name as written. Errors are 42704, and 42809 for a relation
// that is no index.
func (s *Snapshot) LookupIndex(searchPath []string, schema, name string) (*Table, *Index, error) {
	oid := s.findRelation(searchPath, schema, name)
	if t, x := s.IndexByOID(oid); t != nil {
		return t, x, nil
	}
	if oid == 0 {
		return nil, nil, errs.New(errs.UndefinedObject, "index %q does not exist", dotted(schema, name))
	}
	return nil, nil, errs.New(errs.WrongObjectType, "%q is not an index", name)
}

// LookupAssertion finds an assertion by a name as written. Errors are 42704 and 3F000.
func (s *Snapshot) LookupAssertion(searchPath []string, schema, name string) (*Assertion, error) {
	var a *Assertion
	in := func(schema OID) bool {
		a = s.Assertion(schema, name)
		return a != nil
	}
	if schema == "" {
		s.search(searchPath, in)
	} else if n := s.schemaNames[schema]; n == nil {
		return nil, errs.New(errs.InvalidSchemaName, "schema %q does not exist", schema)
	} else {
		in(n.OID)
	}
	if a == nil {
		return nil, errs.New(errs.UndefinedObject, "assertion %q does not exist", dotted(schema, name))
	}
	return a, nil
}

// AssertionNamed finds an assertion by a text such as `rule` or `"Schema".rule`. Errors are those of LookupAssertion, 42602 for
// a text that is no name, and 42601 and 0A000 for one with too many parts.
func (s *Snapshot) AssertionNamed(text string, searchPath []string, database string) (*Assertion, error) {
	parts, err := splitName(text)
	if err != nil {
		return nil, err
	}
	schema, name := "", parts[len(parts)-1]
	if len(parts) > 3 {
		return nil, errs.New(errs.SyntaxError, "improper qualified name (too many dotted names): %s", strings.Join(parts, "."))
	}
	if len(parts) > 1 {
		schema = parts[len(parts)-2]
	}
	if len(parts) == 3 {
		if err := CheckDatabase(database, parts[0], schema, name); err != nil {
			return nil, err
		}
	}
	return s.LookupAssertion(searchPath, schema, name)
}

// LookupType finds a type by a name as written, in PostgreSQL's internal spelling (int4, _text) or a user's;
// row types included. Errors are 42704 and 3F000.
func (s *Snapshot) LookupType(searchPath []string, schema, name string) (*types.Type, error) {
	var t *types.Type
	in := func(schema OID) bool {
		t = s.TypeByName(schema, name)
		return t != nil
	}
	if schema == "" {
		s.search(searchPath, in)
	} else if n := s.schemaNames[schema]; n == nil {
		return nil, errs.New(errs.InvalidSchemaName, "schema %q does not exist", schema)
	} else {
		in(n.OID)
	}
	if t == nil {
		return nil, errs.New(errs.UndefinedObject, "type %q does not exist", dotted(schema, name))
	}
	return t, nil
}

// CreationSchema is the schema in which CREATE puts an object called name: the one written, or the first of
// the search path that exists. Errors are 3F000 and, for the system's schemas, 42501.
func (s *Snapshot) CreationSchema(searchPath []string, schema, name string) (*Schema, error) {
	var n *Schema
	if schema != "" {
		if n = s.schemaNames[schema]; n == nil {
			return nil, errs.New(errs.InvalidSchemaName, "schema %q does not exist", schema)
		}
	} else {
		for _, p := range searchPath {
			if n = s.schemaNames[p]; n != nil {
				break
			}
		}
		if n == nil {
			return nil, errs.New(errs.InvalidSchemaName, "no schema has been selected to create in")
		}
	}
	if n.OID == PgCatalogOID || n.OID == InformationSchemaOID {
		return nil, errs.New(errs.InsufficientPrivilege, "permission denied to create %q", n.Name+"."+name).
			WithDetail("System catalog modifications are currently disallowed.")
	}
	return n, nil
}

// nameOf is the schema and name of a relation, index or composite type.
func (s *Snapshot) nameOf(oid OID) (schema OID, name string, ok bool) {
	if t := s.RelationByOID(oid); t != nil {
		return t.Schema, t.Name, true
	}
	if t, x := s.IndexByOID(oid); t != nil {
		return t.Schema, x.Name, true
	}
	for _, u := range s.derive().userTypes {
		if u.Relation == oid && oid != 0 {
			return u.Schema, u.Name, true
		}
	}
	return 0, "", false
}

// Visible reports whether a relation or index is found by its bare name.
func (s *Snapshot) Visible(oid OID, searchPath []string) bool {
	schema, name, ok := s.nameOf(oid)
	if !ok {
		return false
	}
	if schema == PgCatalogOID && !slices.Contains(searchPath, "pg_catalog") {
		return true
	}
	return s.findRelation(searchPath, "", name) == oid
}

// TypeVisible reports whether a type is found by its bare name.
func (s *Snapshot) TypeVisible(oid OID, searchPath []string) bool {
	_, name, ok := s.typeName(oid)
	if !ok {
		return false
	}
	t, err := s.LookupType(searchPath, "", name)
	return err == nil && t.OID == oid
}

// typeName is the schema and internal name of a type.
func (s *Snapshot) typeName(oid OID) (schema OID, name string, ok bool) {
	if t := types.ByOID(oid); t != nil {
		return PgCatalogOID, t.Name, true
	}
	if i := s.derive().typeInfo[oid]; i != nil {
		return i.schema, i.name, true
	}
	if t := system().rowTypes[oid]; t != nil {
		return t.Schema, t.Name, true
	}
	if t := system().domainTypes[oid]; t != nil {
		return InformationSchemaOID, t.Name, true
	}
	return 0, "", false
}

// FormatType is the name of a type with its modifier as format_type prints it under a search path: types of
// users are qualified unless visible.
func (s *Snapshot) FormatType(t *types.Type, mod int32, searchPath []string) string {
	if types.ByOID(t.OID) != nil {
		return types.FormatType(t, mod)
	}
	elem, suffix := t, ""
	if t.IsArray() {
		elem, suffix = t.Elem, "[]"
	}
	schema, name, ok := s.typeName(elem.OID)
	if !ok {
		return types.FormatType(t, mod)
	}
	text := types.QuoteIdentifier(name)
	if n := s.schemas[schema]; n != nil && !s.TypeVisible(elem.OID, searchPath) {
		text = types.QuoteIdentifier(n.Name) + "." + text
	}
	return text + suffix
}

// QualifiedName is the name of a relation or index for SQL: quoted, and qualified unless visible; "" if there
// is no such object.
func (s *Snapshot) QualifiedName(oid OID, searchPath []string) string {
	schema, name, ok := s.nameOf(oid)
	if !ok {
		return ""
	}
	return s.qualify(schema, name, s.Visible(oid, searchPath))
}

func (s *Snapshot) qualify(schema OID, name string, visible bool) string {
	quoted := types.QuoteIdentifier(name)
	if n := s.schemas[schema]; n != nil && !visible {
		return types.QuoteIdentifier(n.Name) + "." + quoted
	}
	return quoted
}

// CheckDatabase refuses a name qualified by another database than the current one (0A000). schema and name are
// for the message.
func CheckDatabase(current, database, schema, name string) error {
	if database == "" || database == current {
		return nil
	}
	return errs.New(errs.FeatureNotSupported, "cross-database references are not implemented: %q",
		strings.Join([]string{database, schema, name}, "."))
}
