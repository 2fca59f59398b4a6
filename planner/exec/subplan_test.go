package exec

import (
	"fmt"
	"math/rand"
	"testing"

	"holdfast/sql/algebra"
	"holdfast/sql/errs"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// TestSubPlans compares queries within expressions with loops, correlated and not.
func TestSubPlans(t *testing.T) {
	s := newStore(t)
	for round := range 60 {
		rng := rand.New(rand.NewSource(int64(round)))
		ts := repeat(types.Int8, 2)
		lr, rr := randomInts(rng, rng.Intn(30), 2, 6), randomInts(rng, rng.Intn(30), 2, 6)
		l, r := s.values(ts, lr), s.values(ts, rr)
		for _, correlated := range []bool{false, true} {
			var inner Node = r
			rows := func(x row) []row { return rr }
			if correlated {
				inner = &Filter{Props: r.Props, Input: r, Cond: op("=", col(l, 1), col(r, 1))}
				rows = func(x row) (out []row) {
					for _, y := range rr {
						if equalInts(x[1], y[1]) == yes {
							out = append(out, y)
						}
					}
					return out
				}
			}
			one := &Project{Props: props(r.Cols[:1], ts[:1]), Input: inner, Items: []algebra.Item{{ID: r.Cols[0], Expr: col(r, 0)}}}
			first := &Limit{Props: one.Props, Input: one, Count: integer(1)}
			eq, ne, lt := op("=", col(l, 0), col(r, 0)).Func, op("<>", col(l, 0), col(r, 0)).Func, op("<", col(l, 0), col(r, 0)).Func
			boolean := algebra.T{Typ: types.Bool, M: -1}
			number := algebra.T{Typ: types.Int8, M: -1}
			sub := func(kind algebra.SubqueryKind, op string, fn *funcs.Func) *SubPlan {
				return &SubPlan{T: boolean, Kind: kind, Plan: one, Left: []algebra.Scalar{col(l, 0)}, Funcs: []*funcs.Func{fn}, Op: op}
			}
			notIn := sub(algebra.AnySubquery, "=", eq)
			notIn.Not = true
			pair := &SubPlan{T: boolean, Kind: algebra.AnySubquery, Plan: inner, Left: []algebra.Scalar{col(l, 0), col(l, 1)}, Funcs: []*funcs.Func{eq, eq}, Op: "="}
			pairNot := &SubPlan{T: boolean, Kind: algebra.AllSubquery, Plan: inner, Left: []algebra.Scalar{col(l, 0), col(l, 1)}, Funcs: []*funcs.Func{ne, ne}, Op: "<>"}
			items := []algebra.Scalar{
				&SubPlan{T: number, Kind: algebra.ScalarSubquery, Plan: first},
				&SubPlan{T: boolean, Kind: algebra.ExistsSubquery, Plan: inner},
				&SubPlan{T: algebra.T{Typ: types.Int8Array, M: -1}, Kind: algebra.ArraySubquery, Plan: one},
				sub(algebra.AnySubquery, "=", eq), sub(algebra.AnySubquery, "<", lt), sub(algebra.AllSubquery, "<>", ne), sub(algebra.AllSubquery, "<", lt), notIn, pair, pairNot,
			}
			p := &Project{Props: Props{Cols: s.ids(len(items))}, Input: l}
			for i, x := range items {
				p.Props.Types = append(p.Props.Types, x.Type())
				p.Items = append(p.Items, algebra.Item{ID: p.Cols[i], Expr: x})
			}
			var want []row
			for _, x := range lr {
				in := rows(x)
				quantify := func(all bool, f func(r row) truth) types.Datum {
					result := no
					if all {
						result = yes
					}
					for _, r := range in {
						is := f(r)
						if all {
							result = result.and(is)
						} else if is == yes || result == yes {
							result = yes
						} else if is == unknown {
							result = unknown
						}
					}
					if result == unknown {
						return types.Null
					}
					return types.NewBool(result == yes)
				}
				not := func(t truth) truth { return [...]truth{no: yes, yes: no, unknown: unknown}[t] }
				equal := func(r row) truth { return equalInts(x[0], r[0]) }
				less := func(r row) truth { return lessInts(x[0], r[0]) }
				both := func(r row) truth { return equal(r).and(equalInts(x[1], r[1])) }
				scalar := types.Null
				var elems []types.Datum
				for _, r := range in {
					elems = append(elems, r[0])
				}
				if len(in) > 0 {
					scalar = in[0][0]
				}
				array := types.NewAny(types.NewSlice(types.Int8, elems))
				negated := quantify(true, func(r row) truth { return not(equal(r)) })
				want = append(want, row{scalar, types.NewBool(len(in) > 0), array,
					quantify(false, equal), quantify(false, less), negated, quantify(true, less), negated,
					quantify(false, both), quantify(true, func(r row) truth { return not(both(r)) })})
			}
			wantRows(t, fmt.Sprintf("round %d, correlated %v", round, correlated), collect(t, s.ctx(), p), want)
		}
	}
}

func TestScalarSubqueryOfSeveralRows(t *testing.T) {
	s := newStore(t)
	in := s.values(repeat(types.Int8, 1), []row{{types.NewInt(1)}, {types.NewInt(2)}})
	_, err := Evaluate(s.ctx(), &SubPlan{T: algebra.T{Typ: types.Int8, M: -1}, Plan: in})
	if errs.CodeOf(err) != errs.CardinalityViolation {
		t.Errorf("got %v", err)
	}
}

// counter is a volatile function that counts its calls.
func counter(calls *int) *funcs.Func {
	return &funcs.Func{Name: "count_calls", Args: []*types.Type{types.Int8}, Result: types.Int8, Volatility: 'v', Kernel: func(_ *funcs.Ctx, args []*types.Vec, rows types.Rows, out *types.Vec) error {
		*calls += rows.N
		for k := range rows.N {
			i := position(rows, k)
			out.I[i] = args[0].Datum(i).Int()
		}
		return nil
	}}
}

// TestSubPlanRuns checks how often subqueries are run: once without correlation, once per value with it.
func TestSubPlanRuns(t *testing.T) {
	s := newStore(t)
	calls := 0
	fn := counter(&calls)
	fn.Volatility = 's'
	call := func(arg algebra.Scalar) algebra.Scalar {
		return &algebra.Call{T: algebra.T{Typ: types.Int8, M: -1}, Func: fn, Args: []algebra.Scalar{arg}}
	}
	l := s.values(repeat(types.Int8, 1), []row{{types.NewInt(1)}, {types.NewInt(2)}, {types.NewInt(1)}, {types.NewInt(2)}, {types.NewInt(1)}})
	run := func(arg algebra.Scalar) int {
		one := s.values(nil, []row{{}})
		id := s.ids(1)
		inner := &Project{Props: props(id, repeat(types.Int8, 1)), Input: one, Items: []algebra.Item{{ID: id[0], Expr: call(arg)}}}
		out := s.ids(1)
		p := &Project{Props: props(out, repeat(types.Int8, 1)), Input: l, Items: []algebra.Item{{ID: out[0], Expr: &SubPlan{T: algebra.T{Typ: types.Int8, M: -1}, Plan: inner}}}}
		calls = 0
		plan := NewPlan(p, nil)
		for range 2 {
			if rows := must(drain(t, plan, s.ctx(types.NewInt(7)), func() int { return 2 })); len(rows) != 5 {
				t.Fatal(rows)
			}
		}
		return calls
	}
	if n := run(param(1, types.Int8)); n != 2 {
		t.Errorf("uncorrelated: %d runs in two executions", n)
	}
	if n := run(col(l, 0)); n != 4 {
		t.Errorf("correlated: %d runs in two executions", n)
	}
	fn.Volatility = 'v'
	if n := run(col(l, 0)); n != 10 {
		t.Errorf("volatile: %d runs in two executions", n)
	}
}

func TestCTE(t *testing.T) {
	s := newStore(t)
	calls := 0
	in := s.values(repeat(types.Int8, 1), []row{{types.NewInt(1)}, {types.NewInt(2)}, {types.NewInt(3)}})
	id := s.ids(1)
	counted := &Project{Props: props(id, repeat(types.Int8, 1)), Input: in, Items: []algebra.Item{
		{ID: id[0], Expr: &algebra.Call{T: algebra.T{Typ: types.Int8, M: -1}, Func: counter(&calls), Args: []algebra.Scalar{col(in, 0)}}}}}
	cte := &CTE{Name: "c", Plan: counted}
	scan := func() *CTEScan { return &CTEScan{Props: props(s.ids(1), repeat(types.Int8, 1)), CTE: cte} }
	a, b := scan(), scan()
	join := &NestedLoop{Props: joined(algebra.InnerJoin, a, b), Left: a, Right: b, On: op("<", col(a, 0), col(b, 0))}
	plan := NewPlan(join, nil)
	got := must(drain(t, plan, s.ctx(), func() int { return 2 }))
	n := types.NewInt
	wantRows(t, "self join", got, []row{{n(1), n(2)}, {n(1), n(3)}, {n(2), n(3)}})
	if calls != 3 {
		t.Errorf("the WITH query made %d rows", calls)
	}
	calls = 0
	few := scan()
	got = must(drain(t, NewPlan(&Limit{Props: few.Props, Input: few, Count: integer(1)}, nil), s.ctx(), func() int { return 100 }))
	if len(got) != 1 || calls != 1 {
		t.Errorf("LIMIT 1: %d rows, %d made", len(got), calls)
	}
	calls = 0
	cte.Modifies = true
	few = scan()
	must(drain(t, NewPlan(&Limit{Props: few.Props, Input: few, Count: integer(1)}, []*CTE{cte}), s.ctx(), func() int { return 100 }))
	if calls != 3 {
		t.Errorf("a WITH query that changes data ran for %d rows", calls)
	}
	calls = 0
	must(drain(t, NewPlan(in, []*CTE{cte}), s.ctx(), func() int { return 100 }))
	if calls != 3 {
		t.Errorf("a WITH query that changes data and is not read ran for %d rows", calls)
	}
}

// TestRecursion walks a graph with cycles.
func TestRecursion(t *testing.T) {
	s := newStore(t)
	for round := range 30 {
		rng := rand.New(rand.NewSource(int64(round)))
		nodes := 2 + rng.Intn(30)
		edges := randomInts(rng, rng.Intn(60), 2, nodes)
		e := s.values(repeat(types.Int8, 2), edges)
		one := repeat(types.Int8, 1)
		for _, hash := range []bool{false, true} {
			cte := &CTE{Name: "reach"}
			base := s.values(one, []row{{types.NewInt(0)}})
			working := &CTEScan{Props: props(s.ids(1), one), CTE: cte, Working: true}
			var join Node = &NestedLoop{Props: joined(algebra.InnerJoin, working, e), Left: working, Right: e, On: op("=", col(working, 0), col(e, 0))}
			if hash { // the working table is the build: it must not be kept from step to step
				join = &HashJoin{Props: joined(algebra.InnerJoin, working, e), Left: working, Right: e, BuildLeft: true,
					LeftKeys: []algebra.Scalar{col(working, 0)}, RightKeys: []algebra.Scalar{col(e, 0)}}
			}
			step := &Project{Props: props(s.ids(1), one), Input: join}
			step.Items = []algebra.Item{{ID: step.Cols[0], Expr: col(e, 1)}}
			cte.Plan = &Recurse{Props: props(s.ids(1), one), CTE: cte, Base: base, Step: step}
			root := &CTEScan{Props: props(s.ids(1), one), CTE: cte}

			reached := map[string]bool{"0": true}
			want := []row{{types.NewInt(0)}}
			for i := 0; i < len(want); i++ {
				for _, x := range edges {
					if k := printRow(x[1:]); equalInts(x[0], want[i][0]) == yes && !reached[k] {
						reached[k] = true
						want = append(want, row{x[1]})
					}
				}
			}
			for _, workMem := range []int64{0, 100} {
				ctx := s.ctx()
				ctx.WorkMem = workMem
				wantBag(t, fmt.Sprint("round ", round), collect(t, ctx, root), want)
			}
		}
	}
	// UNION ALL counts without end; LIMIT stops it.
	one := repeat(types.Int8, 1)
	cte := &CTE{Name: "n"}
	working := &CTEScan{Props: props(s.ids(1), one), CTE: cte, Working: true}
	step := &Project{Props: props(s.ids(1), one), Input: working}
	step.Items = []algebra.Item{{ID: step.Cols[0], Expr: op("+", col(working, 0), integer(1))}}
	cte.Plan = &Recurse{Props: props(s.ids(1), one), CTE: cte, Base: s.values(one, []row{{types.NewInt(1)}}), Step: step, All: true}
	root := &CTEScan{Props: props(s.ids(1), one), CTE: cte}
	got := collect(t, s.ctx(), &Limit{Props: root.Props, Input: root, Count: integer(5), Offset: integer(2)})
	if fmt.Sprint(printRows(got)) != "[3 4 5 6 7]" {
		t.Errorf("got %v", printRows(got))
	}
}

func TestSetFunctions(t *testing.T) {
	s := newStore(t)
	series := &funcs.Func{Name: "series", ReturnsSet: true, Strict: true, Result: types.Int8, Rows: func(_ *funcs.Ctx, args []types.Datum) (func() ([]types.Datum, error), error) {
		i, out := int64(0), make([]types.Datum, 1)
		return func() ([]types.Datum, error) {
			if i++; i > args[0].Int() {
				return nil, nil
			}
			out[0] = types.NewInt(i)
			return out, nil
		}, nil
	}}
	call := func(arg algebra.Scalar) algebra.Scalar {
		return &algebra.Call{T: algebra.T{Typ: types.Int8, M: -1}, Func: series, Args: []algebra.Scalar{arg}}
	}
	ids := s.ids(3)
	f := &FuncScan{Props: props(ids, repeat(types.Int8, 3)), Ordinality: true, Calls: []*algebra.FuncCall{
		{Call: call(integer(2)), Cols: ids[:1]}, {Call: call(integer(3)), Cols: ids[1:2]}}}
	if got := fmt.Sprint(printRows(collect(t, s.ctx(), f))); got != "[1|1|1 2|2|2 NULL|3|3]" {
		t.Errorf("functions side by side: %s", got)
	}
	in := s.values(repeat(types.Int8, 2), []row{{types.NewInt(2), types.NewInt(1)}, {types.Null, types.Null}, {types.NewInt(0), types.NewInt(2)}})
	ids = s.ids(2)
	p := &ProjectSet{Props: props(append(append([]algebra.ColID{}, in.Cols...), ids...), repeat(types.Int8, 4)), Input: in,
		Items: []algebra.Item{{ID: ids[0], Expr: call(col(in, 0))}, {ID: ids[1], Expr: call(col(in, 1))}}}
	if got := fmt.Sprint(printRows(collect(t, s.ctx(), p))); got != "[2|1|1|1 2|1|2|NULL 0|2|NULL|1 0|2|NULL|2]" {
		t.Errorf("functions in a select list: %s", got)
	}
}
