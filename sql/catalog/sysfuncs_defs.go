package catalog

import (
	"strings"

	"holdfast/sql/errs"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// The functions that print definitions.
func init() {
	registerFunc("format_type", formatType, 1081)
	registerFunc("pg_get_expr", getExpr, 1716, 2509)
	registerFunc("pg_get_constraintdef", getConstraintdef, 1387, 2508)
	registerAssertiondef()
	registerFunc("pg_get_indexdef", getIndexdef, 1643, 2507)
	registerFunc("pg_get_viewdef", getViewdef, 1640, 1641, 2505, 2506, 3159)
	registerFunc("pg_get_ruledef", getRuledef, 1573, 2504)
	registerFunc("pg_get_serial_sequence", getSerialSequence, 1665)
	registerFunc("pg_get_function_arguments", ofFunction(func(f *funcs.Func) string { return procArguments(f, false) }), 2162)
	registerFunc("pg_get_function_identity_arguments", ofFunction(func(f *funcs.Func) string { return procArguments(f, true) }), 2232)
	registerFunc("pg_get_function_result", ofFunction(procResult), 2165)
	registerFunc("pg_get_functiondef", ofFunction(procDef), 2098)
	registerFunc("pg_describe_object", describeObject, 3537)
	registerFunc("obj_description", objDescription, 1215, 1348)
	registerFunc("shobj_description", objDescription, 1993)
	registerFunc("col_description", colDescription, 1216)
	registerFunc("pg_sequence_parameters", sequenceParameters, 3078)
	registerFunc("pg_sequence_last_value", sequenceLastValue, 4032)
	registerFunc("oidvectortypes", oidvectorTypes, 1349)
	// There are no such objects.
	registerFunc("pg_get_partkeydef", always(null), 3352)
	registerFunc("pg_get_partition_constraintdef", always(null), 3408)
	registerFunc("pg_get_statisticsobjdef", always(null), 3415)
	registerFunc("pg_get_statisticsobjdef_columns", always(null), 6174)
	registerFunc("pg_get_function_sqlbody", always(null), 6197)
	registerFunc("pg_get_function_arg_default", always(null), 3808)
}

func formatType(c *call) (datum, error) {
	if c.args[0].IsNull() {
		return null, nil
	}
	id, mod := c.oid(0), types.NoTypmod
	if id == 0 {
		return text("-"), nil
	}
	t := c.s.Type(id)
	if t == nil {
		return text("???"), nil
	}
	if c.args[1].IsNull() && types.ByOID(id) != nil {
		return text(sqlTypeName(t)), nil
	} else if !c.args[1].IsNull() {
		mod = int32(c.args[1].Int())
	}
	return text(c.s.FormatType(t, mod, c.path())), nil
}

// getExpr prints an expression of the catalog, which is kept as SQL; "" if its relation does not exist.
func getExpr(c *call) (datum, error) {
	if rel := c.oid(1); rel != 0 && c.s.RelationByOID(rel) == nil && c.s.indexTables[rel] == 0 {
		return null, nil
	}
	return text(expression(c.text(0), c.flag(2))), nil
}

func getConstraintdef(c *call) (datum, error) {
	if k := c.s.derive().constraints[c.oid(0)]; k.constraint != nil {
		return text(c.s.ConstraintDef(k.table, k.constraint, c.flag(1), c.path())), nil
	}
	if a := c.s.assertions[c.oid(0)]; a != nil {
		return text(c.s.AssertionDef(c.ctx, a, c.flag(1), c.path())), nil
	}
	return null, nil
}

// registerAssertiondef registers pg_get_assertiondef, by OID and by name, with and without pretty: CREATE ASSERTION as one that exists
// would be made again. Whether it is DISABLED is no part of that statement.
func registerAssertiondef() {
	of := func(find func(c *call) (*Assertion, error)) funcs.Kernel {
		return systemFunc(func(c *call) (datum, error) {
			a, err := find(c)
			if err != nil || a == nil {
				return null, err
			}
			return text(c.s.AssertionDDL(c.ctx, a, c.flag(1), c.path())), nil
		}).kernel()
	}
	byOID := of(func(c *call) (*Assertion, error) { return c.s.assertions[c.oid(0)], nil })
	byName := of(func(c *call) (*Assertion, error) {
		return c.s.AssertionNamed(c.text(0), c.path(), c.ctx.Session.Database())
	})
	for i, kernel := range []funcs.Kernel{byOID, byName} {
		for j := range 2 {
			args := []*types.Type{[]*types.Type{types.Oid, types.Text}[i], types.Bool}[:j+1]
			funcs.Register(&funcs.Func{OID: OID(13971 + 2*i + j), Name: "pg_get_assertiondef", Args: args, Result: types.Text, Kind: 'f', Strict: true,
				Volatility: 's', Source: "pg_get_assertiondef", Kernel: kernel})
		}
	}
}

func getIndexdef(c *call) (datum, error) {
	t, x := c.s.IndexByOID(c.oid(0))
	if x == nil {
		return null, nil
	}
	if len(c.args) == 1 {
		return text(c.s.IndexDef(t, x, false, c.path())), nil
	}
	n, pretty := int(c.args[1].Int()), c.flag(2)
	switch {
	case n == 0:
		return text(c.s.IndexDef(t, x, pretty, c.path())), nil
	case n < 0 || n > len(x.Keys)+len(x.Include):
		return text(""), nil
	}
	return text(indexKeyDef(t, x, n-1, pretty)), nil
}

func getViewdef(c *call) (datum, error) {
	id := OID(0)
	if c.args[0].Rep() == types.RepString {
		var err error
		if id, err = c.relation(c.text(0)); err != nil {
			return null, err
		}
	} else {
		id = c.oid(0)
	}
	t := c.s.RelationByOID(id)
	if t == nil || t.Kind != KindView {
		return null, nil
	}
	pretty := c.flag(1) || len(c.args) > 1 && c.vecs[1].Type == types.Int4 // with a line length
	return textOrNull(c.s.ViewDef(c.ctx, t, pretty, c.path())), nil
}

func getRuledef(c *call) (datum, error) {
	for _, t := range c.s.Tables() {
		if t.View != nil && ruleOID(t.OID) == c.oid(0) {
			return text("CREATE RULE \"_RETURN\" AS\n    ON SELECT TO " + c.s.qualify(t.Schema, t.Name, false) + " DO INSTEAD " + c.s.ViewDef(c.ctx, t, c.flag(1), c.path())), nil
		}
	}
	return null, nil
}

// relation is the OID of the relation that a text names, with the errors of the input of regclass.
func (c *call) relation(name string) (OID, error) {
	parts, err := splitName(name)
	if err != nil {
		return 0, err
	}
	return c.s.findQualified(parts, c.path(), c.ctx.Session.Database())
}

// column is the number of a relation's column.
func (c *call) column(rel OID, name string) (*Table, *Column, error) {
	t := c.s.RelationByOID(rel)
	if t == nil {
		return nil, nil, errs.New(errs.UndefinedTable, "relation with OID %d does not exist", rel)
	}
	col := t.Column(name)
	if col == nil {
		return nil, nil, errs.New(errs.UndefinedColumn, "column %q of relation %q does not exist", name, t.Name)
	}
	return t, col, nil
}

// getSerialSequence is always a qualified name.
func getSerialSequence(c *call) (datum, error) {
	rel, err := c.relation(c.text(0))
	if err != nil {
		if errs.CodeOf(err) == errs.InvalidSchemaName {
			err = errs.New(errs.UndefinedTable, "relation %q does not exist", c.text(0))
		}
		return null, err
	}
	t, col, err := c.column(rel, c.text(1))
	if err != nil {
		return null, err
	}
	for _, q := range c.s.Tables() {
		if q.Sequence != nil && q.Sequence.OwnerTable == t.OID && q.Sequence.OwnerColumn == col.Number {
			return text(c.s.qualify(q.Schema, q.Name, false)), nil
		}
	}
	return null, nil
}

// ofFunction prints something of a function given by its OID.
func ofFunction(print func(*funcs.Func) string) systemFunc {
	return func(c *call) (datum, error) {
		if f := funcs.KnownByOID(c.oid(0)); f != nil {
			return text(print(f)), nil
		}
		return null, nil
	}
}

// procDef is CREATE FUNCTION for a function, all of which are internal.
func procDef(f *funcs.Func) string {
	properties := map[byte]string{'i': " IMMUTABLE", 's': " STABLE"}[f.Volatility] + " PARALLEL SAFE"
	if f.Strict {
		properties += " STRICT"
	}
	return "CREATE OR REPLACE FUNCTION pg_catalog." + types.QuoteIdentifier(f.Name) + "(" + procArguments(f, false) + ")\n RETURNS " + procResult(f) +
		"\n LANGUAGE internal\n" + properties + "\nAS $function$" + f.Source + "$function$\n"
}

func describeObject(c *call) (datum, error) {
	class, id, sub := c.oid(0), c.oid(1), int16(c.args[2].Int())
	if class == pgAttrdefOID {
		if t, col := c.s.ofAttrdef(id); col != nil {
			return text("default value for " + c.s.DescribeColumn(t.OID, col.Number, c.path())), nil
		}
	}
	if class == pgClassOID && sub != 0 {
		return text(c.s.DescribeColumn(id, sub, c.path())), nil
	}
	return textOrNull(c.s.Describe(id, c.path())), nil
}

// objDescription is the comment of an object in the catalog that the second argument names, or in any.
func objDescription(c *call) (datum, error) {
	id := c.oid(0)
	if len(c.args) == 1 {
		for _, class := range []OID{pgClassOID, pgTypeOID, pgConstraintOID, pgNamespaceOID} {
			if d := c.s.comment(id, class, 0); d != "" {
				return text(d), nil
			}
		}
		return null, nil
	}
	if c.text(1) == "pg_database" && id == PostgresDatabaseOID {
		rows, err := builtinShared()
		if err != nil || len(rows) == 0 {
			return null, err
		}
		return rows[0][2], nil
	}
	class := system().relationNames[qualifiedName{PgCatalogOID, c.text(1)}]
	if class == nil {
		return null, nil
	}
	return textOrNull(c.s.comment(id, class.OID, 0)), nil
}

func colDescription(c *call) (datum, error) {
	return textOrNull(c.s.comment(c.oid(0), pgClassOID, int16(c.args[1].Int()))), nil
}

// sequence is the sequence with an OID (42P01, 42809).
func (c *call) sequence(id OID) (*Table, error) {
	t := c.s.RelationByOID(id)
	if t == nil {
		return nil, errs.New(errs.UndefinedTable, "could not open relation with OID %d", id)
	}
	if t.Sequence == nil {
		return nil, errs.New(errs.WrongObjectType, "%q is not a sequence", t.Name)
	}
	return t, nil
}

func sequenceParameters(c *call) (datum, error) {
	t, err := c.sequence(c.oid(0))
	if err != nil {
		return null, err
	}
	q := t.Sequence
	return types.NewAny(&types.Record{
		Names:  []string{"start_value", "minimum_value", "maximum_value", "increment", "cycle_option", "cache_size", "data_type"},
		Types:  []*types.Type{types.Int8, types.Int8, types.Int8, types.Int8, types.Bool, types.Int8, types.Oid},
		Values: []datum{integer(q.Start), integer(q.Min), integer(q.Max), integer(q.Increment), boolean(q.Cycle), integer(q.Cache), oid(q.Type.OID)},
	}), nil
}

func sequenceLastValue(c *call) (datum, error) {
	t, err := c.sequence(c.oid(0))
	if err != nil {
		return null, err
	}
	last, _, called, err := c.s.catalog.sequences.LastValue(c.ctx.Context, t)
	if err != nil || !called {
		return null, err
	}
	return integer(last), nil
}

func oidvectorTypes(c *call) (datum, error) {
	a, ok := c.args[0].Any().(*types.Array)
	if !ok {
		return null, nil
	}
	names := make([]string, 0, len(a.Elems))
	for _, e := range a.Elems {
		name := "???"
		if t := c.s.Type(OID(e.Int())); t != nil {
			name = c.s.FormatType(t, types.NoTypmod, c.path())
		}
		names = append(names, name)
	}
	return text(strings.Join(names, ", ")), nil
}
