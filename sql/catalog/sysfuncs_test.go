package catalog

import (
	"testing"

	"holdfast/kv/memkv"
	"holdfast/sql/errs"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// callFunc evaluates a registered function on values: int is an integer of the argument's type, nil NULL.
func callFunc(v *VirtualContext, id OID, args ...any) (string, error) {
	f := funcs.ByOID(id)
	vecs := make([]*types.Vec, len(args))
	for i, a := range args {
		t := f.Args[i]
		if t == types.Any {
			t = types.Text
		}
		vecs[i] = types.NewVec(t, 1)
		switch a := a.(type) {
		case nil:
			vecs[i].SetNull(0)
		case int:
			vecs[i].Set(0, integer(a))
		case OID:
			vecs[i].Set(0, oid(a))
		case bool:
			vecs[i].Set(0, boolean(a))
		case string:
			d, err := types.ParseText(t, types.NoTypmod, a, v.Env)
			if err != nil {
				return "", err
			}
			vecs[i].Set(0, d)
		}
	}
	out := types.NewVec(f.Result, 1)
	if err := funcs.EvalStrict(f, v.Ctx, vecs, types.Rows{N: 1}, out); err != nil {
		return "", err
	}
	if out.IsNull(0) {
		return "NULL", nil
	}
	return string(types.AppendTextVec(nil, out, 0, v.Env)), nil
}

// TestSystemFunctions has PostgreSQL 15's answers for the same schema.
func TestSystemFunctions(t *testing.T) {
	c := open(t, memkv.New(memkv.Options{}))
	fixtureQ(t, c)
	s := current(t, c)
	q := s.Schema("q").OID
	outside, inside := testContext(s, "public"), testContext(s, "q", "public")
	rel := func(name string) OID {
		o, err := s.findQualified([]string{"q", name}, nil, "")
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	constraint := func(table, name string) OID { return s.Relation(q, table).Constraint(name).OID }
	mood := s.TypeByName(q, "mood")
	const viewdef = " SELECT t.id,\n    t.a AS aa,\n    t.m\n   FROM q.t\n  WHERE (t.a > 1);"
	for _, test := range []struct {
		in   *VirtualContext
		id   OID
		args []any
		want string
	}{
		{outside, 1081, []any{1043, 14}, "character varying(10)"},
		{outside, 1081, []any{1043, -1}, "character varying"},
		{outside, 1081, []any{23, nil}, "integer"},
		{outside, 1081, []any{nil, 1}, "NULL"},
		{outside, 1081, []any{999999, -1}, "???"},
		{outside, 1081, []any{0, -1}, "-"},
		{outside, 1081, []any{1007, -1}, "integer[]"},
		{outside, 1081, []any{mood.OID, -1}, "q.mood"},
		{inside, 1081, []any{mood.OID, -1}, "mood"},
		{outside, 1081, []any{mood.Array.OID, -1}, "q.mood[]"},
		{outside, 1081, []any{1042, 8}, "character(4)"},
		{outside, 1081, []any{1042, -1}, "bpchar"},
		{outside, 1081, []any{1042, nil}, "character"},
		{outside, 1081, []any{1560, nil}, "bit"},
		{outside, 1081, []any{1560, -1}, `"bit"`},
		{outside, 1081, []any{1560, 3}, "bit(3)"},
		{outside, 1081, []any{1266, 3}, "time(3) with time zone"},
		{outside, 1081, []any{1700, 655366}, "numeric(10,2)"},
		{outside, 1387, []any{constraint("t", "chk")}, "CHECK ((((a > 0) AND (g > 1)) OR (n < (5)::numeric)))"},
		{outside, 2508, []any{constraint("t", "chk"), true}, "CHECK (a > 0 AND g > 1 OR n < 5::numeric)"},
		{outside, 1387, []any{constraint("t", "t_B x_key")}, `UNIQUE ("B x")`},
		{outside, 1387, []any{constraint("t", "t_pkey")}, `PRIMARY KEY (id)`},
		{outside, 1387, []any{constraint("ident", "ident_t_id_fkey")}, "FOREIGN KEY (t_id) REFERENCES q.t(id) ON UPDATE SET NULL ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED"},
		{inside, 2508, []any{constraint("ident", "f2"), true}, "FOREIGN KEY (t_id) REFERENCES t(id) NOT VALID"},
		{outside, 1387, []any{s.UserType(s.TypeByName(q, "posint").OID).Checks[0].OID}, "CHECK ((VALUE > 0))"},
		{outside, 1387, []any{0}, "NULL"},
		{inside, 1643, []any{rel("t_expr")}, `CREATE UNIQUE INDEX t_expr ON q.t USING btree (lower(("B x")::text), ((a + g)) DESC, a NULLS FIRST) INCLUDE (n) WHERE ((a > 5) AND (g < 3))`},
		{inside, 2507, []any{rel("t_expr"), 0, true}, `CREATE UNIQUE INDEX t_expr ON t USING btree (lower("B x"::text), (a + g) DESC, a NULLS FIRST) INCLUDE (n) WHERE a > 5 AND g < 3`},
		{inside, 2507, []any{rel("t_expr"), 2, false}, "((a + g))"},
		{inside, 2507, []any{rel("t_expr"), 2, true}, "(a + g)"},
		{inside, 2507, []any{rel("t_expr"), 4, true}, "n"},
		{inside, 2507, []any{rel("t_expr"), 9, true}, ""},
		{inside, 1643, []any{rel("t_a_g_idx")}, "CREATE INDEX t_a_g_idx ON q.t USING btree (a DESC, g DESC NULLS LAST)"},
		{outside, 1641, []any{rel("v")}, viewdef},
		{outside, 1640, []any{"q.v"}, viewdef},
		{outside, 1641, []any{rel("t")}, "NULL"},
		{outside, 1665, []any{"q.t", "id"}, "q.t_id_seq"},
		{inside, 1665, []any{"t", "id"}, "q.t_id_seq"},
		{outside, 1665, []any{"q.t", "a"}, "NULL"},
		{outside, 1665, []any{"q.ident", "i"}, "q.ident_i_seq"},
		{outside, 1642, []any{10}, "postgres"},
		{outside, 1642, []any{99}, "unknown (OID=99)"},
		{outside, 1215, []any{rel("t"), "pg_class"}, "tab"},
		{outside, 1348, []any{rel("t")}, "tab"},
		{outside, 1215, []any{rel("t_expr"), "pg_class"}, "ix"},
		{outside, 1215, []any{constraint("t", "chk"), "pg_constraint"}, "cc"},
		{outside, 1215, []any{q, "pg_namespace"}, "sch"},
		{outside, 1215, []any{mood.OID, "pg_type"}, "mm"},
		{outside, 1215, []any{16, "pg_type"}, "boolean, 'true'/'false'"},
		{outside, 1215, []any{999, "nope"}, "NULL"},
		{outside, 1215, []any{870, "pg_proc"}, "lowercase"},
		{outside, 1215, []any{514, "pg_operator"}, "multiply"},
		{outside, 1216, []any{rel("t"), 2}, "col a"},
		{outside, 1216, []any{rel("t"), 1}, "NULL"},
		{outside, 2079, []any{rel("t")}, "f"},
		{inside, 2079, []any{rel("t")}, "t"},
		{inside, 2079, []any{rel("t_expr")}, "t"},
		{outside, 2079, []any{0}, "NULL"},
		{outside, 2079, []any{1259}, "t"},
		{outside, 2080, []any{mood.OID}, "f"},
		{inside, 2080, []any{mood.Array.OID}, "t"},
		{outside, 2081, []any{870}, "t"},
		{outside, 3495, []any{"nope"}, "NULL"},
		{outside, 3495, []any{"q.t"}, "q.t"},
		{inside, 3495, []any{"q.t"}, "t"},
		{outside, 3493, []any{"int"}, "integer"},
		{outside, 1926, []any{"q.t", "select, insert"}, "t"},
		{outside, 1922, []any{"pg_database_owner", "q.t", "select"}, "f"},
		{outside, 1927, []any{999999, "select"}, "NULL"},
		{outside, 2272, []any{"q", "usage"}, "t"},
		{outside, 3020, []any{"q.t", "a", "select"}, "t"},
		{outside, 3021, []any{"q.t", 40, "select"}, "NULL"},
		{outside, 2288, []any{1}, "1 bytes"},
		{outside, 2288, []any{10239}, "10239 bytes"},
		{outside, 2288, []any{10240}, "10 kB"},
		{outside, 2288, []any{1000000}, "977 kB"},
		{outside, 2288, []any{-1000000000}, "-954 MB"},
		{outside, 3166, []any{"10000000000000"}, "9313 GB"},
		{outside, 2288, []any{1000000000000000000}, "888 PB"},
		{outside, 3334, []any{"1 MB"}, "1048576"},
		{outside, 3334, []any{"1.5GB"}, "1610612736"},
		{outside, 1597, []any{6}, "UTF8"},
		{outside, 1597, []any{99}, ""},
		{outside, 1264, []any{"utf-8"}, "6"},
		{outside, 1264, []any{"nope"}, "-1"},
		{outside, 3537, []any{1259, rel("t"), 0}, "table q.t"},
		{outside, 3537, []any{1259, rel("t"), 2}, "column a of table q.t"},
		{outside, 2162, []any{870}, "text"},
		{outside, 2165, []any{870}, "text"},
		{outside, 2232, []any{3058}, `VARIADIC "any"`},
		{outside, 2098, []any{870}, "CREATE OR REPLACE FUNCTION pg_catalog.lower(text)\n RETURNS text\n LANGUAGE internal\n IMMUTABLE PARALLEL SAFE STRICT\nAS $function$lower$function$\n"},
		{outside, 3943, []any{"r", 10}, "{postgres=arwdDxt/postgres}"},
		{outside, 3943, []any{"d", 10}, "{=Tc/postgres,postgres=CTc/postgres}"},
		{outside, 638, []any{rel("t_expr"), 2, "desc"}, "t"},
		{outside, 638, []any{rel("t_expr"), 2, "orderable"}, "t"},
		{outside, 636, []any{403, "can_order"}, "t"},
		{inside, 1403, []any{true}, "{pg_catalog,q,public}"},
		{inside, 1403, []any{false}, "{q,public}"},
		{inside, 1402, nil, "q"},
		{outside, 1349, []any{"25 1043"}, "text, character varying"},
	} {
		got, err := callFunc(test.in, test.id, test.args...)
		if err != nil || got != test.want {
			t.Errorf("%s%v = %q, %v; want %q", funcs.ByOID(test.id).Name, test.args, got, err, test.want)
		}
	}
	for _, test := range []struct {
		id      OID
		args    []any
		code    errs.Code
		message string
	}{
		{1665, []any{"q.t", "nope"}, errs.UndefinedColumn, `column "nope" of relation "t" does not exist`},
		{1665, []any{"q.nope", "nope"}, errs.UndefinedTable, `relation "q.nope" does not exist`},
		{1926, []any{"nope", "select"}, errs.UndefinedTable, `relation "nope" does not exist`},
		{1926, []any{"q.t", "selec"}, errs.InvalidParameterValue, `unrecognized privilege type: "selec"`},
		{1922, []any{"nobody", "q.t", "select"}, errs.UndefinedObject, `role "nobody" does not exist`},
		{2272, []any{"nope", "usage"}, errs.InvalidSchemaName, `schema "nope" does not exist`},
		{3020, []any{"q.t", "nope", "select"}, errs.UndefinedColumn, `column "nope" of relation "t" does not exist`},
		{2254, []any{"nope", "connect"}, errs.InvalidCatalogName, `database "nope" does not exist`},
		{2260, []any{"nope()", "execute"}, errs.UndefinedFunction, `function "nope()" does not exist`},
		{2185, []any{"q.t", "usage"}, errs.WrongObjectType, `"q.t" is not a sequence`},
		{3495, []any{"a.b.c.d"}, errs.SyntaxError, `improper relation name (too many dotted names): a.b.c.d`},
	} {
		_, err := callFunc(outside, test.id, test.args...)
		wantCode(t, err, test.code, test.message)
	}
}

// TestOIDAliases has PostgreSQL 15's input and output of regclass and the like.
func TestOIDAliases(t *testing.T) {
	c := open(t, memkv.New(memkv.Options{}))
	fixtureQ(t, c)
	ddl(t, c, put(table("W x", column("a", types.Int4)), table("v", column("a", types.Int4))))
	v := testContext(current(t, c), "q", "public")
	for _, test := range []struct {
		t          *types.Type
		in, out    string
		code       errs.Code
		errMessage string
	}{
		{types.Regclass, "t", "t", "", ""},
		{types.Regclass, "q.t", "t", "", ""},
		{types.Regclass, "T", "t", "", ""},
		{types.Regclass, "DATABASE.q.t", "", errs.FeatureNotSupported, `cross-database references are not implemented: "database.q.t"`},
		{types.Regclass, `"DATABASE".q.t`, "t", "", ""},
		{types.Regclass, `"W x"`, `"W x"`, "", ""},
		{types.Regclass, "public.v", "public.v", "", ""},
		{types.Regclass, "pg_class", "pg_class", "", ""},
		{types.Regclass, "information_schema.tables", "information_schema.tables", "", ""},
		{types.Regclass, "-", "-", "", ""},
		{types.Regclass, "999999", "999999", "", ""},
		{types.Regclass, "nope", "", errs.UndefinedTable, `relation "nope" does not exist`},
		{types.Regclass, "x.y", "", errs.InvalidSchemaName, `schema "x" does not exist`},
		{types.Regclass, "", "", errs.InvalidName, "invalid name syntax"},
		{types.Regclass, `"unt`, "", errs.InvalidName, "invalid name syntax"},
		{types.Regclass, "a b", "", errs.InvalidName, "invalid name syntax"},
		{types.Regtype, "int", "integer", "", ""},
		{types.Regtype, "varchar(10)", "character varying", "", ""},
		{types.Regtype, "mood", "mood", "", ""},
		{types.Regtype, "_mood", "mood[]", "", ""},
		{types.Regtype, "q.mood[]", "mood[]", "", ""},
		{types.Regtype, "integer[]", "integer[]", "", ""},
		{types.Regtype, "pg_catalog.int4", "integer", "", ""},
		{types.Regtype, "timestamp(3) with time zone", "timestamp with time zone", "", ""},
		{types.Regtype, "timestamp without time zone", "timestamp without time zone", "", ""},
		{types.Regtype, "double  precision", "double precision", "", ""},
		{types.Regtype, "char", "character", "", ""},
		{types.Regtype, `"char"`, `"char"`, "", ""},
		{types.Regtype, "float(3)", "real", "", ""},
		{types.Regtype, "decimal(3,2)", "numeric", "", ""},
		{types.Regtype, "interval day to second", "interval", "", ""},
		{types.Regtype, "bit varying(3)", "bit varying", "", ""},
		{types.Regtype, "information_schema.sql_identifier", "information_schema.sql_identifier", "", ""},
		{types.Regtype, "setof int", "", errs.SyntaxError, `invalid type name "setof int"`},
		{types.Regtype, "nope", "", errs.UndefinedObject, `type "nope" does not exist`},
		{types.Regtype, "nope.x", "", errs.InvalidSchemaName, `schema "nope" does not exist`},
		{types.Regtype, "int4 foo", "", errs.SyntaxError, `syntax error at or near "foo"`},
		{types.Regproc, "pg_catalog.now", "now", "", ""},
		{types.Regproc, "lower", "", errs.AmbiguousFunction, `more than one function named "lower"`},
		{types.Regproc, "nopef", "", errs.UndefinedFunction, `function "nopef" does not exist`},
		{types.Regprocedure, "lower(text)", "lower(text)", "", ""},
		{types.Regprocedure, "substring(text, int, int)", `"substring"(text,integer,integer)`, "", ""},
		{types.Regprocedure, "lower(foo)", "", errs.UndefinedObject, `type "foo" does not exist`},
		{types.Regprocedure, "lower(int)", "", errs.UndefinedFunction, `function "lower(int)" does not exist`},
		{types.Regoper, "+", "", errs.AmbiguousFunction, "more than one operator named +"},
		{types.Regoperator, "+(int,int)", "+(integer,integer)", "", ""},
		{types.Regoperator, "-(none,int4)", "-(NONE,integer)", "", ""},
		{types.Regoperator, "+(int,text)", "", errs.UndefinedFunction, "operator does not exist: +(int,text)"},
		{types.Regnamespace, "q", "q", "", ""},
		{types.Regnamespace, "nope", "", errs.InvalidSchemaName, `schema "nope" does not exist`},
		{types.Regnamespace, "a.b", "", errs.InvalidName, "invalid name syntax"},
		{types.Regrole, "postgres", "postgres", "", ""},
		{types.Regrole, "nope", "", errs.UndefinedObject, `role "nope" does not exist`},
		{types.Regcollation, `"C"`, `"C"`, "", ""},
		{types.Regcollation, "nope", "", errs.UndefinedObject, `collation "nope" for encoding "UTF8" does not exist`},
	} {
		d, err := types.ParseText(test.t, types.NoTypmod, test.in, v.Env)
		if test.code != "" {
			if errs.CodeOf(err) != test.code || err.Error() != test.errMessage {
				t.Errorf("%s %q: %v (%s), want %s", test.t, test.in, err, errs.CodeOf(err), test.errMessage)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s %q: %v", test.t, test.in, err)
			continue
		}
		if got := string(types.AppendText(nil, test.t, d, v.Env)); got != test.out {
			t.Errorf("%s %q is printed as %q, want %q", test.t, test.in, got, test.out)
		}
	}
}

func TestPrettyExpression(t *testing.T) {
	for in, want := range map[string]string{
		"(a > 0)":                              "a > 0",
		"((a > 0) AND (b > 0))":                "a > 0 AND b > 0",
		"(((a > 0) AND (g > 1)) OR (n < 5))":   "a > 0 AND g > 1 OR n < 5",
		"(((a > 0) OR (g > 1)) AND (n < 5))":   "(a > 0 OR g > 1) AND n < 5",
		"(NOT ((a > 0) OR (b)))":               "NOT (a > 0 OR b)",
		"((x)::text = 'a) AND (b'::text)":      "x::text = 'a) AND (b'::text",
		"((a)::text = ANY (ARRAY['x'::text]))": "a::text = ANY (ARRAY['x'::text])",
		"(SELECT (count(*) > 0))":              "(SELECT (count(*) > 0))",
		`("A AND (" > 0)`:                      `"A AND (" > 0`,
		"((a >= 1) AND (a <= 2))":              "a >= 1 AND a <= 2",
	} {
		if got := expression(in, true); got != want {
			t.Errorf("%s is %s, want %s", in, got, want)
		}
	}
}
