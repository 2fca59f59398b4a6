package funcs

import (
	"context"
	"slices"
	"strings"
	"testing"

	"holdfast/sql/errs"
	"holdfast/sql/types"
)

func argsOf(names string) []Arg {
	var args []Arg
	for _, n := range strings.Fields(names) {
		args = append(args, Arg{types.ByName(n)})
	}
	return args
}

func typeNamesOf(ts []*types.Type) string {
	var names []string
	for _, t := range ts {
		names = append(names, t.Name)
	}
	return strings.Join(names, " ")
}

func TestResolveFunc(t *testing.T) {
	for _, c := range []struct {
		name, args string
		o          ResolveOptions
		want       string // argument types -> result
		from       int
		order      []int
	}{
		{name: "lower", args: "unknown", want: "text -> text", from: -1},
		{name: "pg_catalog.lower", args: "varchar", want: "text -> text", from: -1},
		{name: "concat", args: "int4 unknown text", want: "int4 unknown text -> text", from: -1},
		{name: "array_append", args: "_int4 numeric", want: "_numeric numeric -> _numeric", from: -1},
		{name: "array_append", args: "_text unknown", want: "_text text -> _text", from: -1},
		{name: "unnest", args: "int2vector", want: "int2vector -> int2", from: -1},
		{name: "array_agg", args: "int4", want: "int4 -> _int4", from: -1},
		{name: "array_agg", args: "_int4", want: "_int4 -> _int4", from: -1},
		{name: "max", args: "varchar", want: "text -> text", from: -1},
		{name: "count", args: "", want: " -> int8", from: -1},
		{name: "sum", args: "int4", want: "int4 -> int8", from: -1},
		{name: "json_extract_path", args: "json unknown text", want: "json text text -> json", from: 1},
		{name: "jsonb_extract_path", args: "unknown _text", o: ResolveOptions{Variadic: true}, want: "jsonb _text -> jsonb", from: -1},
		{name: "make_interval", args: "int4", o: ResolveOptions{Names: []string{"days"}}, want: "int4 int4 int4 int4 -> interval", from: -1, order: []int{-1, -1, -1, 0}},
		{name: "make_interval", args: "int4 int8", o: ResolveOptions{Names: []string{"hours"}}, want: "", from: -1},
		{name: "jsonb_set", args: "jsonb unknown unknown", want: "jsonb _text jsonb -> jsonb", from: -1},
		{name: "jsonb_set", args: "bool unknown jsonb unknown", o: ResolveOptions{Names: []string{"create_if_missing", "path", "jsonb_in", "replacement"}},
			want: "jsonb _text jsonb bool -> jsonb", from: -1, order: []int{2, 1, 3, 0}},
		{name: "text", args: "int4", want: "int4 -> text", from: -1},
		{name: "date", args: "unknown", want: "date -> date", from: -1},
		{name: "generate_series", args: "int4 int8", want: "int8 int8 -> int8", from: -1},
		{name: "row_number", args: "", want: " -> int8", from: -1},
		{name: "lag", args: "int4 int4 numeric", want: "numeric int4 numeric -> numeric", from: -1},
		{name: "round", args: "numeric unknown", want: "numeric int4 -> numeric", from: -1},
	} {
		m, err := ResolveFunc(c.name, argsOf(c.args), c.o)
		if c.want == "" {
			if errs.CodeOf(err) != errs.UndefinedFunction {
				t.Errorf("%s(%s): got %v, want no such function", c.name, c.args, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s(%s): %v", c.name, c.args, err)
			continue
		}
		if got := typeNamesOf(m.ArgTypes) + " -> " + m.Result.Name; got != c.want || m.VariadicFrom != c.from || !slices.Equal(m.Order, c.order) {
			t.Errorf("%s(%s): got %s, variadic %d, order %v; want %s, %d, %v", c.name, c.args, got, m.VariadicFrom, m.Order, c.want, c.from, c.order)
		}
	}
}

func TestResolutionErrors(t *testing.T) {
	check := func(err error, code errs.Code, message, hint string) {
		t.Helper()
		e := errs.As(err)
		if e == nil || e.Code != code || e.Message != message || e.Hint != hint {
			t.Errorf("got %+v, want %s %s", e, code, message)
		}
	}
	call := func(name, args string, o ResolveOptions) error {
		_, err := ResolveFunc(name, argsOf(args), o)
		return err
	}
	check(call("foo", "int4 unknown", ResolveOptions{}), errs.UndefinedFunction, "function foo(integer, unknown) does not exist", noFuncHint)
	check(call("foo", "int4 int4", ResolveOptions{Names: []string{"a"}}), errs.UndefinedFunction, "function foo(integer, a => integer) does not exist", noFuncHint)
	check(call("pg_catalog.lower", "_int4", ResolveOptions{}), errs.UndefinedFunction, "function pg_catalog.lower(integer[]) does not exist", noFuncHint)
	check(call("age", "unknown", ResolveOptions{}), errs.AmbiguousFunction, "function age(unknown) is not unique", manyFuncsHint)
	check(call("cardinality", "unknown", ResolveOptions{}), errs.DatatypeMismatch, "could not determine polymorphic type because input has type unknown", "")
	check(call("area", "box", ResolveOptions{}), errs.FeatureNotSupported, "function area(box) is not supported", "")
	check(call("concat", "int4", ResolveOptions{Variadic: true}), errs.DatatypeMismatch, "VARIADIC argument must be an array", "")
	op := func(name string, left, right *types.Type) error {
		_, err := ResolveOperator(name, left, right)
		return err
	}
	check(op("+", types.Int4, types.Text), errs.UndefinedFunction, "operator does not exist: integer + text", noOpHint)
	check(op("-", nil, types.Text), errs.UndefinedFunction, "operator does not exist: - text", noPrefixOpHint)
	check(op("-", nil, types.Unknown), errs.AmbiguousFunction, "operator is not unique: - unknown", manyOpsHint)
	_, err := CommonType([]*types.Type{types.Int4, types.Text}, "UNION")
	check(err, errs.DatatypeMismatch, "UNION types integer and text cannot be matched", "")
	_, err = EqualityOperator(types.JSON)
	check(err, errs.UndefinedFunction, "could not identify an equality operator for type json", "")
	_, err = OrderingOperator(types.JSONArray)
	check(err, errs.UndefinedFunction, "could not identify an ordering operator for type json[]", "Use an explicit ordering operator or modify the query.")
}

func TestClassOperators(t *testing.T) {
	for name, want := range map[string]types.OID{"int4": 96, "text": 98, "varchar": 98, "bpchar": 1054, "regclass": 607, "_text": 1070, "timestamptz": 1320, "name": 93, "xid": 352} {
		if o, err := EqualityOperator(types.ByName(name)); err != nil || o.OID != want {
			t.Errorf("= of %s: got %v %v, want %d", name, o, err, want)
		}
	}
	if o, err := OrderingOperator(types.Varchar); err != nil || o.OID != 664 {
		t.Errorf("< of varchar: %v %v", o, err)
	}
	if _, err := OrderingOperator(types.Xid); err == nil {
		t.Error("xid has an order")
	}
}

// TestVariadicArray calls a function of any arguments with an array of them.
func TestVariadicArray(t *testing.T) {
	m, err := ResolveFunc("concat_ws", argsOf("text _int4"), ResolveOptions{Variadic: true})
	if err != nil {
		t.Fatal(err)
	}
	args := []*types.Vec{types.NewVec(types.Text, 2), types.NewVec(types.Int4Array, 2)}
	for i, text := range []string{"{1,NULL,3}", "{}"} {
		d, err := types.ParseText(types.Int4Array, types.NoTypmod, text, testEnv)
		if err != nil {
			t.Fatal(err)
		}
		args[0].Set(i, types.NewString("-"))
		args[1].Set(i, d)
	}
	out := types.NewVec(types.Text, 2)
	if err := EvalStrict(m.Func, &Ctx{Context: context.Background(), Env: testEnv}, args, types.Rows{N: 2}, out); err != nil {
		t.Fatal(err)
	}
	if out.S[0] != "1-3" || out.S[1] != "" {
		t.Errorf("got %q", out.S)
	}
}
