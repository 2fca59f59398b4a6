package catalog

import (
	"strings"

	"holdfast/sql/errs"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// directory reads and prints the oid alias types under a search path.
type directory struct {
	s        *Snapshot
	path     []string
	database string
}

// Directory is what the oid alias types (regclass, regtype and so on) find objects by, for types.Env.Names.
func (s *Snapshot) Directory(searchPath []string, database string) types.Directory {
	return directory{s, searchPath, database}
}

// LookupReg implements types.Directory.
func (d directory) LookupReg(t *types.Type, name string) (OID, error) {
	switch t {
	case types.Regclass:
		return d.class(name)
	case types.Regtype:
		t, _, err := d.s.ParseTypeName(name, d.path)
		if err != nil {
			return 0, err
		}
		return t.OID, nil
	case types.Regproc:
		return d.proc(name)
	case types.Regprocedure:
		return d.procedure(name)
	case types.Regoper:
		return d.oper(name)
	case types.Regoperator:
		return d.operator(name)
	case types.Regnamespace, types.Regrole:
		parts, err := splitName(name)
		if err != nil {
			return 0, err
		}
		if len(parts) != 1 {
			return 0, errs.New(errs.InvalidName, "invalid name syntax")
		}
		if t == types.Regnamespace {
			if n := d.s.Schema(parts[0]); n != nil {
				return n.OID, nil
			}
			return 0, errs.New(errs.InvalidSchemaName, "schema %q does not exist", parts[0])
		}
		if r := d.s.Role(parts[0]); r != nil {
			return r.OID, nil
		}
		return 0, errs.New(errs.UndefinedObject, "role %q does not exist", parts[0])
	case types.Regcollation:
		parts, err := splitName(name)
		if err != nil {
			return 0, err
		}
		if oid := CollationOID(parts[len(parts)-1]); oid != 0 && (len(parts) == 1 || parts[0] == "pg_catalog") {
			return oid, nil
		}
		return 0, errs.New(errs.UndefinedObject, "collation %q for encoding \"UTF8\" does not exist", strings.Join(parts, "."))
	}
	what := "text search configuration"
	if t == types.Regdictionary {
		what = "text search dictionary"
	}
	return 0, errs.New(errs.UndefinedObject, "%s %q does not exist", what, name)
}

func (d directory) class(name string) (OID, error) {
	parts, err := splitName(name)
	if err != nil {
		return 0, err
	}
	return d.s.findQualified(parts, d.path, d.database)
}

// findQualified is the OID of a relation, index or composite type by a name of up to three parts. Errors are
// 42P01, 3F000, 0A000 and 42601.
func (s *Snapshot) findQualified(parts, searchPath []string, database string) (OID, error) {
	schema, name := "", parts[len(parts)-1]
	if len(parts) > 3 {
		return 0, errs.New(errs.SyntaxError, "improper relation name (too many dotted names): %s", strings.Join(parts, "."))
	}
	if len(parts) > 1 {
		schema = parts[len(parts)-2]
	}
	if len(parts) == 3 {
		if err := CheckDatabase(database, parts[0], schema, name); err != nil {
			return 0, err
		}
	}
	if oid := s.findRelation(searchPath, schema, name); oid != 0 {
		return oid, nil
	}
	if schema != "" && s.schemaNames[schema] == nil {
		return 0, errs.New(errs.InvalidSchemaName, "schema %q does not exist", schema)
	}
	return 0, errs.New(errs.UndefinedTable, "relation %q does not exist", dotted(schema, name))
}

// procsNamed are the functions of a name as written.
func procsNamed(name string) ([]*funcs.Func, error) {
	parts, err := splitName(name)
	if err != nil {
		return nil, err
	}
	if len(parts) > 1 && parts[0] != "pg_catalog" {
		return nil, nil
	}
	return funcs.KnownNamed(parts[len(parts)-1]), nil
}

func (d directory) proc(name string) (OID, error) {
	fs, err := procsNamed(name)
	switch {
	case err != nil:
		return 0, err
	case len(fs) == 0:
		return 0, errs.New(errs.UndefinedFunction, "function %q does not exist", name)
	case len(fs) > 1:
		return 0, errs.New(errs.AmbiguousFunction, "more than one function named %q", name)
	}
	return fs[0].OID, nil
}

func (d directory) procedure(name string) (OID, error) {
	base, args, err := d.signature(name)
	if err != nil {
		return 0, err
	}
	fs, err := procsNamed(base)
	if err != nil {
		return 0, err
	}
	for _, f := range fs {
		if sameTypes(f.Args, args) {
			return f.OID, nil
		}
	}
	return 0, errs.New(errs.UndefinedFunction, "function %q does not exist", name)
}

// signature takes name(types) apart. NONE stands as nil.
func (d directory) signature(name string) (base string, args []*types.Type, err error) {
	open := strings.IndexByte(name, '(')
	if strings.HasPrefix(name, `"`) {
		open = strings.IndexByte(name[endOfQuote(name, 0):], '(') + endOfQuote(name, 0)
	}
	trimmed := strings.TrimSpace(name)
	if open < 0 {
		return "", nil, errs.New(errs.InvalidTextRepresentation, "expected a left parenthesis")
	}
	if !strings.HasSuffix(trimmed, ")") {
		return "", nil, errs.New(errs.InvalidTextRepresentation, "expected a right parenthesis")
	}
	inner := strings.TrimSpace(trimmed[open+1 : len(trimmed)-1])
	base = strings.TrimSpace(trimmed[:open])
	if inner == "" {
		return base, nil, nil
	}
	for _, part := range splitArguments(inner) {
		if strings.EqualFold(strings.TrimSpace(part), "none") {
			args = append(args, nil)
			continue
		}
		t, _, err := d.s.ParseTypeName(part, d.path)
		if err != nil {
			return "", nil, err
		}
		args = append(args, t)
	}
	return base, args, nil
}

// splitArguments splits a list at its commas outside of parentheses and quotes.
func splitArguments(list string) []string {
	var parts []string
	start := 0
	for i := 0; i < len(list); i++ {
		switch list[i] {
		case '(':
			if end := closing(list, i); end > 0 {
				i = end
			}
		case '"':
			i = endOfQuote(list, i)
		case ',':
			parts = append(parts, list[start:i])
			start = i + 1
		}
	}
	return append(parts, list[start:])
}

func sameTypes(a, b []*types.Type) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func operatorsNamed(name string) []*funcs.Operator {
	name = strings.TrimPrefix(strings.TrimSpace(name), "pg_catalog.")
	var found []*funcs.Operator
	for _, o := range funcs.Operators() {
		if o.Name == name {
			found = append(found, o)
		}
	}
	return found
}

func (d directory) oper(name string) (OID, error) {
	switch found := operatorsNamed(name); len(found) {
	case 0:
		return 0, errs.New(errs.UndefinedFunction, "operator does not exist: %s", name)
	case 1:
		return found[0].OID, nil
	}
	return 0, errs.New(errs.AmbiguousFunction, "more than one operator named %s", name)
}

func (d directory) operator(name string) (OID, error) {
	base, args, err := d.signature(name)
	if err != nil {
		return 0, err
	}
	switch len(args) {
	case 1:
		return 0, errs.New(errs.UndefinedParameter, "missing argument").
			WithHint("Use NONE to denote the missing argument of a unary operator.")
	case 2:
	default:
		return 0, errs.New(errs.TooManyArguments, "too many arguments").WithHint("Provide two argument types for operator.")
	}
	for _, o := range operatorsNamed(base) {
		if o.Left == args[0] && o.Right == args[1] {
			return o.OID, nil
		}
	}
	return 0, errs.New(errs.UndefinedFunction, "operator does not exist: %s", name)
}

// RegName implements types.Directory.
func (d directory) RegName(t *types.Type, oid OID) (string, bool) {
	switch t {
	case types.Regclass:
		name := d.s.QualifiedName(oid, d.path)
		return name, name != ""
	case types.Regtype:
		if t := d.s.Type(oid); t != nil {
			if types.ByOID(oid) != nil {
				return sqlTypeName(t), true
			}
			return d.s.FormatType(t, types.NoTypmod, d.path), true
		}
	case types.Regproc:
		if f := funcs.KnownByOID(oid); f != nil {
			name := types.QuoteIdentifier(f.Name)
			if len(funcs.KnownNamed(f.Name)) > 1 {
				name = "pg_catalog." + name
			}
			return name, true
		}
	case types.Regprocedure:
		if f := funcs.KnownByOID(oid); f != nil {
			return procedureName(f), true
		}
	case types.Regoper:
		for _, o := range funcs.Operators() {
			if o.OID != oid {
				continue
			}
			if len(operatorsNamed(o.Name)) > 1 {
				return "pg_catalog." + o.Name, true
			}
			return o.Name, true
		}
	case types.Regoperator:
		for _, o := range funcs.Operators() {
			if o.OID == oid {
				return operatorSignature(o), true
			}
		}
	case types.Regnamespace:
		if n := d.s.SchemaByOID(oid); n != nil {
			return types.QuoteIdentifier(n.Name), true
		}
	case types.Regrole:
		if r := d.s.RoleByOID(oid); r != nil {
			return types.QuoteIdentifier(r.Name), true
		}
	case types.Regcollation:
		if name := CollationName(oid); name != "" {
			return types.QuoteIdentifier(name), true
		}
	}
	return "", false
}

// procedureName is a function with its argument types.
func procedureName(f *funcs.Func) string {
	args := make([]string, len(f.Args))
	for i, t := range f.Args {
		args[i] = sqlTypeName(t)
	}
	return types.QuoteIdentifier(f.Name) + "(" + strings.Join(args, ",") + ")"
}

func operatorSignature(o *funcs.Operator) string {
	left := "NONE"
	if o.Left != nil {
		left = sqlTypeName(o.Left)
	}
	return o.Name + "(" + left + "," + sqlTypeName(o.Right) + ")"
}
