package funcs

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"holdfast/sql/errs"
	"holdfast/sql/types"
)

var record = flag.String("record", "", "connection string of a PostgreSQL 15 server: write its answers into testdata/*.cases")

// TestRecorded runs the calls in testdata/*.cases and compares results and errors with those of PostgreSQL, which
// -record writes into the files. A line is a call and, after =>, its answer:
//
//	lpad | text abc | int4 5 => =  abc
//	op / | int4 1 | int4 0 => ! 22012 division by zero
//	cast int4 | text x => ! 22P02 invalid input syntax for type integer: "x"
//	set generate_series | int4 1 | int4 3 => = 1; 2; 3
//	agg sum | int4 1; 2; \N => = 3
//
// Arguments are a type and a value in its text form, \N for NULL. Results are text forms, several of them parted
// by "; ", columns by ", ". In all of them a backslash stands before n and backslashes. Each scalar call is evaluated
// several ways, which must agree: alone, with constant arguments, and among other rows.
func TestRecorded(t *testing.T) {
	files, err := filepath.Glob("testdata/*.cases")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".cases"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if *record != "" {
				if err := os.WriteFile(file, []byte(recordCases(t, string(text))), 0o666); err != nil {
					t.Fatal(err)
				}
				return
			}
			for line := range strings.SplitSeq(string(text), "\n") {
				if line == "" || line[0] == '#' {
					continue
				}
				call, want, ok := strings.Cut(line, " => ")
				if !ok {
					t.Errorf("no answer recorded: %s", line)
					continue
				}
				c := parseCase(t, call)
				if got := c.answer(t); got != want {
					t.Errorf("%s\n     got %s\n    want %s", call, got, want)
				}
			}
		})
	}
}

type caseArg struct {
	typ    *types.Type
	values []string
	nulls  []bool
}

type testCase struct {
	kind, name string
	args       []caseArg
}

var caseUnescape = strings.NewReplacer(`\\`, `\`, `\n`, "\n")
var caseEscape = strings.NewReplacer(`\`, `\\`, "\n", `\n`)

func parseCase(t *testing.T, call string) *testCase {
	parts := strings.Split(strings.Replace(call, "op | |", "op \x00 |", 1), " | ")
	parts[0] = strings.Replace(parts[0], "\x00", "|", 1)
	c := &testCase{kind: "fn", name: parts[0]}
	if kind, name, ok := strings.Cut(parts[0], " "); ok {
		c.kind, c.name = kind, name
	}
	for _, p := range parts[1:] {
		name, value, _ := strings.Cut(p, " ")
		a := caseArg{typ: types.ByName(name)}
		if a.typ == nil {
			t.Fatalf("%s: no type %s", call, name)
		}
		values := []string{value}
		if c.kind == "agg" {
			values = strings.Split(value, "; ")
			if value == "" {
				values = nil
			}
		}
		for _, v := range values {
			a.nulls = append(a.nulls, v == `\N`)
			a.values = append(a.values, caseUnescape.Replace(v))
		}
		c.args = append(c.args, a)
	}
	return c
}

func (a *caseArg) sql(i int) string {
	if a.nulls[i] {
		return "NULL::pg_catalog." + quotedTypeName(a.typ)
	}
	return quoteLiteral(a.values[i]) + "::pg_catalog." + quotedTypeName(a.typ)
}

func quotedTypeName(t *types.Type) string { return `"` + t.Name + `"` }

func (c *testCase) sql() string {
	args := make([]string, len(c.args))
	for i := range c.args {
		if c.kind != "agg" {
			args[i] = c.args[i].sql(0)
			if c.args[i].typ == types.Unknown {
				args[i] = quoteLiteral(c.args[i].values[0])
			}
		}
	}
	switch c.kind {
	case "op":
		if len(args) == 1 {
			return "SELECT " + c.name + " " + args[0]
		}
		return "SELECT " + args[0] + " " + c.name + " " + args[1]
	case "cast":
		return "SELECT " + args[0] + "::" + c.name
	case "assign":
		return "CREATE TEMP TABLE assigned (x " + c.name + ") ON COMMIT DROP; INSERT INTO assigned SELECT " + args[0] + " RETURNING x"
	case "agg":
		var rows, names []string
		for i := range c.args[0].values {
			var row []string
			for k := range c.args {
				row = append(row, c.args[k].sql(i))
			}
			rows = append(rows, "("+strings.Join(row, ", ")+")")
		}
		empty := ""
		if len(rows) == 0 {
			var row []string
			for k := range c.args {
				row = append(row, "NULL::"+quotedTypeName(c.args[k].typ))
			}
			rows, empty = append(rows, "("+strings.Join(row, ", ")+")"), " WHERE false"
		}
		for k := range c.args {
			names = append(names, fmt.Sprintf("c%d", k+1))
		}
		list := strings.Join(names, ", ")
		return "SELECT " + c.name + "(" + list + ") FROM (VALUES " + strings.Join(rows, ", ") + ") v(" + list + ")" + empty
	case "set":
		return "SELECT * FROM " + c.name + "(" + strings.Join(args, ", ") + ")"
	}
	return "SELECT \"" + c.name + "\"(" + strings.Join(args, ", ") + ")"
}

func recordCases(t *testing.T, text string) string {
	ctx := context.Background()
	conn, err := pgconn.Connect(ctx, *record)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	for _, set := range []string{"SET TimeZone = 'Europe/Berlin'", "SET DateStyle = 'ISO, MDY'", "SET lc_monetary = 'C'"} {
		if _, err := conn.Exec(ctx, set).ReadAll(); err != nil {
			t.Fatal(err)
		}
	}
	lines := strings.Split(text, "\n")
	for n, line := range lines {
		if line == "" || line[0] == '#' {
			continue
		}
		call, _, _ := strings.Cut(line, " => ")
		results, err := conn.Exec(ctx, parseCase(t, call).sql()).ReadAll()
		var answer string
		if err != nil {
			var pg *pgconn.PgError
			if !errors.As(err, &pg) {
				t.Fatal(call, err)
			}
			answer = "! " + pg.Code + " " + caseEscape.Replace(pg.Message)
			if pg.Hint != "" {
				answer += " HINT " + caseEscape.Replace(pg.Hint)
			}
		} else {
			var rows []string
			for _, row := range results[len(results)-1].Rows {
				var cols []string
				for _, v := range row {
					if v == nil {
						cols = append(cols, `\N`)
					} else {
						cols = append(cols, caseEscape.Replace(string(v)))
					}
				}
				rows = append(rows, strings.Join(cols, ", "))
			}
			answer = "= " + strings.Join(rows, "; ")
		}
		lines[n] = call + " => " + answer
	}
	return strings.Join(lines, "\n")
}

var testEnv = func() *types.Env {
	env := *types.DefaultEnv
	loc, err := types.LoadLocation("Europe/Berlin")
	if err != nil {
		panic(err)
	}
	env.Location = loc
	env.Names = typeNames{}
	return &env
}()

// typeNames names the built-in types, for regtype.
type typeNames struct{}

func (typeNames) LookupReg(t *types.Type, name string) (types.OID, error) {
	return 0, errs.New(errs.UndefinedTable, "relation %q does not exist", name)
}

func (typeNames) RegName(t *types.Type, oid types.OID) (string, bool) {
	if found := types.ByOID(oid); found != nil && t == types.Regtype {
		return found.SQLName, true
	}
	return "", false
}

func (c *testCase) answer(t *testing.T) string {
	rows, err := c.run(t)
	if err != nil {
		e := errs.As(err)
		answer := "! " + string(e.Code) + " " + caseEscape.Replace(e.Message)
		if e.Hint != "" {
			answer += " HINT " + caseEscape.Replace(e.Hint)
		}
		return answer
	}
	return "= " + strings.Join(rows, "; ")
}

func textOf(t *types.Type, d types.Datum) string {
	if d.IsNull() {
		return `\N`
	}
	return caseEscape.Replace(string(types.AppendText(nil, t, d, testEnv)))
}

func (c *testCase) run(t *testing.T) ([]string, error) {
	ctx := &Ctx{Context: context.Background(), Env: testEnv}
	var args []Arg
	columns := make([][]types.Datum, len(c.args))
	for k := range c.args {
		a := &c.args[k]
		args = append(args, Arg{a.typ})
		for i, v := range a.values {
			d := types.Null
			if !a.nulls[i] {
				var err error
				if d, err = types.ParseText(a.typ, types.NoTypmod, v, testEnv); err != nil {
					return nil, err
				}
			}
			columns[k] = append(columns[k], d)
		}
	}
	switch c.kind {
	case "cast", "assign":
		return c.cast(ctx, columns[0][0])
	case "op":
		left, right := (*types.Type)(nil), c.args[len(c.args)-1].typ
		if len(c.args) == 2 {
			left = c.args[0].typ
		}
		m, err := ResolveOperator(c.name, left, right)
		if err != nil {
			return nil, err
		}
		ts := []*types.Type{m.Right}
		if left != nil {
			ts = []*types.Type{m.Left, m.Right}
		}
		return c.call(t, ctx, m.Operator.Func, ts, m.Result, columns)
	}
	m, err := ResolveFunc(c.name, args, ResolveOptions{})
	if err != nil {
		return nil, err
	}
	if m.Func.Kind == 'a' {
		return c.aggregate(t, ctx, m, columns)
	}
	if m.VariadicFrom >= 0 {
		var elems []types.Datum
		elem := m.ArgTypes[m.VariadicFrom]
		for k := m.VariadicFrom; k < len(columns); k++ {
			d, err := coerced(ctx, c.args[k].typ, elem, columns[k][0])
			if err != nil {
				return nil, err
			}
			elems = append(elems, d)
		}
		ts := append(m.ArgTypes[:m.VariadicFrom:m.VariadicFrom], elem.Array)
		columns = append(columns[:m.VariadicFrom], []types.Datum{types.NewAny(types.NewSlice(elem, elems))})
		c.args = append(c.args[:m.VariadicFrom], caseArg{typ: elem.Array})
		return c.call(t, ctx, m.Func, ts, m.Result, columns)
	}
	return c.call(t, ctx, m.Func, m.ArgTypes, m.Result, columns)
}

func coerced(ctx *Ctx, from, to *types.Type, d types.Datum) (types.Datum, error) {
	k, ok := FindCast(from, to, CastImplicit)
	if !ok {
		return types.Null, errs.New(errs.InternalError, "no implicit cast from %s to %s", from, to)
	}
	return CastDatum(ctx, k, types.NoTypmod, false, d)
}

func (c *testCase) cast(ctx *Ctx, d types.Datum) ([]string, error) {
	name, mods, _ := strings.Cut(strings.TrimSuffix(c.name, ")"), "(")
	to, mod := types.ByName(strings.Trim(name, `"`)), types.NoTypmod
	if to == nil {
		return nil, fmt.Errorf("no type %s", name)
	}
	if mods != "" {
		var numbers []int32
		for s := range strings.SplitSeq(mods, ",") {
			var n int32
			fmt.Sscan(s, &n)
			numbers = append(numbers, n)
		}
		var err error
		if mod, err = types.TypmodFromArgs(to, numbers); err != nil {
			return nil, err
		}
	}
	context, explicit := CastExplicit, true
	if c.kind == "assign" {
		context, explicit = CastAssignment, false
	}
	k, ok := FindCast(c.args[0].typ, to, context)
	if !ok {
		return nil, errs.New(errs.CannotCoerce, "cannot cast type %s to %s", c.args[0].typ, to)
	}
	r, err := CastDatum(ctx, k, mod, explicit, d)
	if err != nil {
		return nil, err
	}
	return []string{textOf(to, r)}, nil
}

// call evaluates a function on one row, alone and in other company.
func (c *testCase) call(t *testing.T, ctx *Ctx, f *Func, ts []*types.Type, result *types.Type, columns [][]types.Datum) ([]string, error) {
	row := make([]types.Datum, len(columns))
	for k := range columns {
		var err error
		if row[k], err = coerced(ctx, c.args[k].typ, ts[k], columns[k][0]); err != nil {
			return nil, err
		}
	}
	if f.ReturnsSet {
		return c.set(ctx, f, result, row)
	}
	column := func(k, n int) *types.Vec {
		v := types.NewVec(ts[k], n)
		for i := range n {
			v.Set(i, row[k])
		}
		return v
	}
	args := make([]*types.Vec, len(row))
	for k := range row {
		args[k] = column(k, 1)
	}
	out := types.NewVec(result, 1)
	err := EvalStrict(f, ctx, args, types.Rows{N: 1}, out)
	want := ""
	if err == nil {
		want = textOf(result, out.Datum(0))
	}
	check := func(how string, args []*types.Vec, rows types.Rows, out *types.Vec, at ...int) {
		e := EvalStrict(f, ctx, args, rows, out)
		if errs.CodeOf(e) != errs.CodeOf(err) {
			t.Errorf("%s: %s: error %v, alone %v", c.sql(), how, e, err)
			return
		}
		for _, i := range at {
			if e == nil && textOf(result, out.Datum(i)) != want {
				t.Errorf("%s: %s: got %s, alone %s", c.sql(), how, textOf(result, out.Datum(i)), want)
			}
		}
	}
	if f.Volatility != 'v' {
		constant := make([]*types.Vec, len(row))
		for k := range row {
			constant[k] = column(k, 1)
			constant[k].Const = true
		}
		check("constants", constant, types.Rows{N: 2}, types.NewVec(result, 2), 0, 1)
		for k := range row {
			mixed := make([]*types.Vec, len(row))
			for j := range row {
				mixed[j] = column(j, 4)
			}
			mixed[k] = constant[k]
			check("one constant", mixed, types.Rows{N: 4}, types.NewVec(result, 4), 0, 3)
			check("one constant, selected", mixed, types.Rows{N: 2, Sel: []int32{1, 3}}, types.NewVec(result, 4), 1, 3)
			if f.Strict {
				withNulls := make([]*types.Vec, len(row))
				for j := range row {
					withNulls[j] = column(j, 70)
				}
				withNulls[k].SetNull(0)
				withNulls[k].SetNull(66)
				out := types.NewVec(result, 70)
				check("with NULLs", withNulls, types.Rows{N: 70}, out, 1, 65, 67)
				if err == nil && (!out.IsNull(0) || !out.IsNull(66)) {
					t.Errorf("%s: NULL argument, result not NULL", c.sql())
				}
			}
		}
	}
	if err != nil {
		return nil, err
	}
	return []string{want}, nil
}

func (c *testCase) set(ctx *Ctx, f *Func, result *types.Type, row []types.Datum) ([]string, error) {
	if f.Strict && countNulls(row) > 0 {
		return nil, nil
	}
	next, err := f.Rows(ctx, row)
	if err != nil {
		return nil, err
	}
	var rows []string
	for {
		r, err := next()
		if err != nil {
			return nil, err
		}
		if r == nil {
			return rows, nil
		}
		var cols []string
		for i, d := range r {
			typ := result
			if len(f.OutTypes) > 0 {
				typ = f.OutTypes[i]
			}
			cols = append(cols, textOf(typ, d))
		}
		rows = append(rows, strings.Join(cols, ", "))
	}
}

// aggregate feeds the rows to two groups and compares them with one.
func (c *testCase) aggregate(t *testing.T, ctx *Ctx, m *Match, columns [][]types.Datum) ([]string, error) {
	n := 0
	var args []*types.Vec
	for k := range columns {
		n = len(columns[k])
		v := types.NewVec(m.ArgTypes[k], n)
		for i, d := range columns[k] {
			d, err := coerced(ctx, c.args[k].typ, m.ArgTypes[k], d)
			if err != nil {
				return nil, err
			}
			v.Set(i, d)
		}
		args = append(args, v)
	}
	state := m.Func.NewAgg(m.ArgTypes, m.Result)
	state.Grow(1)
	if err := state.Add(ctx, args, types.Rows{N: n}, make([]int32, n)); err != nil {
		return nil, err
	}
	d, err := state.Result(ctx, 0)
	if err != nil {
		return nil, err
	}
	want := textOf(m.Result, d)

	// Group 1 gets all rows one at a time, group 0 those at even positions, group 2 none.
	split := m.Func.NewAgg(m.ArgTypes, m.Result)
	split.Grow(2)
	split.Grow(3)
	sel := make([]int32, 0, 2)
	for i := range n {
		sel = append(sel[:0], int32(i))
		if err := split.Add(ctx, args, types.Rows{N: 1, Sel: sel}, []int32{1}); err != nil {
			t.Errorf("%s: by rows: %v", c.sql(), err)
		}
		if i%2 == 0 {
			if err := split.Add(ctx, args, types.Rows{N: 1, Sel: sel}, []int32{0}); err != nil {
				t.Errorf("%s: even rows: %v", c.sql(), err)
			}
		}
	}
	if d, err := split.Result(ctx, 1); err != nil || textOf(m.Result, d) != want {
		t.Errorf("%s: by rows: got %s %v, want %s", c.sql(), textOf(m.Result, d), err, want)
	}
	if split.Bytes() <= 0 {
		t.Errorf("%s: no memory accounted for", c.sql())
	}
	return []string{want}, nil
}
