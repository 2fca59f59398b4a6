package exec

import (
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"holdfast/sql/algebra"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// listAgg is an aggregate that shows everything it was given, in order: count and the values as text.
type listAgg struct{ groups [][]string }

func (a *listAgg) Grow(n int) {
	for len(a.groups) < n {
		a.groups = append(a.groups, nil)
	}
}

func (a *listAgg) Add(_ *funcs.Ctx, args []*types.Vec, rows types.Rows, groups []int32) error {
	if len(groups) != rows.N {
		return fmt.Errorf("%d groups for %d rows", len(groups), rows.N)
	}
	for k := range rows.N {
		r := row{}
		for _, v := range args {
			r = append(r, v.Datum(position(rows, k)))
		}
		a.groups[groups[k]] = append(a.groups[groups[k]], printRow(r))
	}
	return nil
}

func (a *listAgg) Result(_ *funcs.Ctx, group int) (types.Datum, error) {
	return types.NewString(strings.Join(a.groups[group], ",")), nil
}

func (a *listAgg) Bytes() int64 { return int64(32 * len(a.groups)) }

var listFunc = &funcs.Func{Name: "list", Kind: 'a', Result: types.Text, NewAgg: func([]*types.Type, *types.Type) funcs.Aggregate { return &listAgg{} }}

// TestAggregates compares grouping with a loop over the rows: plain calls, FILTER, DISTINCT, ORDER BY, and all of them.
func TestAggregates(t *testing.T) {
	s := newStore(t)
	for round := range 60 {
		rng := rand.New(rand.NewSource(int64(round)))
		ts := repeat(types.Int8, 3)
		rows := randomInts(rng, []int{0, 1, 30, 400}[rng.Intn(4)], 3, []int{3, 30}[rng.Intn(2)])
		in := s.values(ts, rows)
		text := algebra.T{Typ: types.Text, M: -1}
		arg, other := algebra.Scalar(col(in, 2)), algebra.Scalar(col(in, 1))
		filter := op("<", other, integer(10))
		aggs := []algebra.Agg{
			{Func: listFunc, T: text, Args: []algebra.Scalar{arg, other}},
			{Func: listFunc, T: text, Args: []algebra.Scalar{arg}, Filter: filter},
			{Func: listFunc, T: text, Args: []algebra.Scalar{arg}, Distinct: true},
			{Func: listFunc, T: text, Args: []algebra.Scalar{arg}, OrderBy: []algebra.SortKey{{Desc: true, NullsFirst: true}}, OrderArgs: []algebra.Scalar{other}},
			{Func: listFunc, T: text, Args: []algebra.Scalar{arg}, Distinct: true, Filter: filter, OrderBy: []algebra.SortKey{{}}, OrderArgs: []algebra.Scalar{arg}},
			{Func: listFunc, T: text, Args: []algebra.Scalar{integer(5)}, Distinct: true},
		}
		ids := s.ids(len(aggs))
		for i := range aggs {
			aggs[i].ID = ids[i]
		}
		for keys := range 3 {
			groups := map[string][]row{}
			var names []string
			for _, r := range rows {
				k := printRow(r[:keys])
				if groups[k] == nil {
					names = append(names, k)
				}
				groups[k] = append(groups[k], r)
			}
			if keys == 0 && len(names) == 0 {
				names = append(names, "")
				groups[""] = nil
			}
			var want []row
			for _, name := range names {
				g := groups[name]
				out := row{}
				if len(g) > 0 {
					out = append(out, g[0][:keys]...)
				}
				show := func(rows []row, cols ...int) {
					var list []string
					for _, r := range rows {
						x := row{}
						for _, c := range cols {
							x = append(x, r[c])
						}
						list = append(list, printRow(x))
					}
					out = append(out, types.NewString(strings.Join(list, ",")))
				}
				distinct := func(rows []row) (out []row) {
					seen := map[string]bool{}
					for _, r := range rows {
						if k := printRow(r[2:3]); !seen[k] {
							seen[k] = true
							out = append(out, r)
						}
					}
					return out
				}
				var passing []row
				for _, r := range g {
					if lessInts(r[1], types.NewInt(10)) == yes {
						passing = append(passing, r)
					}
				}
				show(g, 2, 1)
				show(passing, 2)
				show(distinct(g), 2)
				show(sortRows(g, sortBy{1, true, true}), 2)
				show(sortRows(distinct(passing), sortBy{2, false, false}), 2)
				if len(g) > 0 {
					out = append(out, types.NewString("5"))
				} else {
					out = append(out, types.NewString(""))
				}
				want = append(want, out)
			}
			p := Props{Cols: slices.Concat(in.Cols[:keys], ids), Types: slices.Concat(ts[:keys], repeat(types.Text, len(aggs)))}
			hash := &HashAggregate{Props: p, Input: in, Keys: in.Cols[:keys], Aggs: aggs}
			what := fmt.Sprintf("round %d, %d keys", round, keys)
			got := collect(t, s.ctx(), hash)
			wantRows(t, "hash "+what, got, want)
			small := s.ctx()
			small.WorkMem = 3000
			wantBag(t, "spilled "+what, collect(t, small, hash), want)

			var order []algebra.SortKey
			for _, id := range in.Cols[:keys] {
				order = append(order, algebra.SortKey{ID: id})
			}
			sorted := &OrderedAggregate{Props: p, Input: &Sort{Props: in.Props, Input: in, Keys: order}, Keys: in.Cols[:keys], Aggs: aggs}
			wantBag(t, "ordered "+what, collect(t, s.ctx(), sorted), want)
		}
	}
}

type sortBy struct {
	col        int
	desc       bool
	nullsFirst bool
}

func sortRows(rows []row, keys ...sortBy) []row {
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(a, b row) int {
		for _, k := range keys {
			x, y := a[k.col], b[k.col]
			var c int
			switch {
			case x.IsNull() && y.IsNull():
				continue
			case x.IsNull() || y.IsNull():
				c = -1
				if x.IsNull() != k.nullsFirst {
					c = 1
				}
			default:
				c = types.Compare(types.Int8, x, y)
				if k.desc {
					c = -c
				}
			}
			if c != 0 {
				return c
			}
		}
		return 0
	})
	return rows
}

// TestManyGroups has more groups than one batch, also for OrderedAggregate, which works on few at a time.
func TestManyGroups(t *testing.T) {
	s := newStore(t)
	var rows, want []row
	for i := range 5000 {
		rows = append(rows, row{types.NewInt(int64(i / 2)), types.NewInt(int64(i))})
		if i%2 == 1 {
			want = append(want, row{types.NewInt(int64(i / 2)), types.NewString(fmt.Sprintf("%d,%d", i-1, i))})
		}
	}
	table := s.table(repeat(types.Int8, 2), 2)
	s.insert(table, rows)
	in := s.scan(table)
	id := s.ids(1)[0]
	agg := []algebra.Agg{{ID: id, Func: listFunc, T: algebra.T{Typ: types.Text, M: -1}, Args: []algebra.Scalar{col(in, 1)}}}
	p := Props{Cols: []algebra.ColID{in.Cols[0], id}, Types: []*types.Type{types.Int8, types.Text}}
	wantRows(t, "ordered", collect(t, s.ctx(), &OrderedAggregate{Props: p, Input: in, Keys: in.Cols[:1], Aggs: agg}), want)
	hash := &HashAggregate{Props: p, Input: in, Keys: in.Cols[:1], Aggs: agg}
	wantRows(t, "hash", collect(t, s.ctx(), hash), want)
	ctx := s.ctx()
	ctx.WorkMem = 20000
	wantBag(t, "spilled", collect(t, ctx, hash), want)
	if st := measure(t, ctx, hash); st.Batches == 0 || st.Disk == 0 || st.Rows != 2500 || st.Loops != 1 {
		t.Errorf("measured %+v", st)
	}
}

// measure runs a plan instrumented.
func measure(t *testing.T, ctx *Ctx, n Node) *Stats {
	r := must(NewPlan(n, nil).StartInstrumented(ctx, true))
	for {
		b, err := r.Next(100)
		if err != nil {
			t.Fatal(err)
		}
		if b == nil {
			break
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return r.Stats(n)
}

func TestSort(t *testing.T) {
	s := newStore(t)
	for round := range 60 {
		rng := rand.New(rand.NewSource(int64(round)))
		rows := randomInts(rng, rng.Intn(600), 3, 8)
		for i := range rows {
			rows[i] = append(rows[i], types.NewInt(int64(i)))
		}
		ts := repeat(types.Int8, 4)
		in := s.values(ts, rows)
		var by []sortBy
		var keys []algebra.SortKey
		for c := range 1 + rng.Intn(3) {
			b := sortBy{c, rng.Intn(2) == 0, rng.Intn(2) == 0}
			by = append(by, b)
			keys = append(keys, algebra.SortKey{ID: in.Cols[c], Desc: b.desc, NullsFirst: b.nullsFirst})
		}
		want := sortRows(rows, by...)
		offset, count := rng.Intn(20), rng.Intn(50)
		from := min(offset, len(want))
		to := min(from+count, len(want))
		last := to
		for to > 0 && last > from && last < len(want) && len(sortRows([]row{want[to-1], want[last]}, by...)) == 2 && sameKeys(want[to-1], want[last], by) {
			last++
		}
		for _, workMem := range []int64{0, 3000} {
			ctx := s.ctx()
			ctx.WorkMem = workMem
			what := fmt.Sprintf("round %d, work_mem %d ", round, workMem)
			wantRows(t, what, collect(t, ctx, &Sort{Props: in.Props, Input: in, Keys: keys}), want)
			top := &TopK{Props: in.Props, Input: in, Keys: keys, Count: integer(int64(count)), Offset: integer(int64(offset))}
			wantRows(t, what+"top", collect(t, ctx, top), want[from:to])
			ties := *top
			ties.WithTies = true
			wantRows(t, what+"ties", collect(t, ctx, &ties), want[from:last])
			all := *top
			all.Count = nullOf(types.Int8)
			wantRows(t, what+"all", collect(t, ctx, &all), want[from:])
		}
	}
	rows := randomInts(rand.New(rand.NewSource(1)), 3000, 2, 1000)
	in := s.values(repeat(types.Int8, 2), rows)
	ctx := s.ctx()
	ctx.WorkMem = 10000
	if st := measure(t, ctx, &Sort{Props: in.Props, Input: in, Keys: []algebra.SortKey{{ID: in.Cols[0]}}}); st.Batches < 2 || st.Disk == 0 {
		t.Errorf("measured %+v", st)
	}
}

func sameKeys(a, b row, by []sortBy) bool {
	for _, k := range by {
		if printRow(a[k.col:k.col+1]) != printRow(b[k.col:k.col+1]) {
			return false
		}
	}
	return true
}

func TestDistinctAndSetOps(t *testing.T) {
	s := newStore(t)
	for round := range 25 {
		rng := rand.New(rand.NewSource(int64(round)))
		ts := repeat(types.Int8, 2)
		below := []int{3, 20}[rng.Intn(2)]
		lr, rr := randomInts(rng, rng.Intn(400), 2, below), randomInts(rng, rng.Intn(400), 2, below)
		l, r := s.values(ts, lr), s.values(ts, rr)
		distinct := func(rows []row) (out []row) {
			seen := map[string]bool{}
			for _, r := range rows {
				if k := printRow(r); !seen[k] {
					seen[k] = true
					out = append(out, r)
				}
			}
			return out
		}
		counts := map[string]int{}
		for _, r := range rr {
			counts[printRow(r)]++
		}
		var intersect, except, intersectAll, exceptAll []row
		left := map[string]int{}
		for _, r := range lr {
			k := printRow(r)
			left[k]++
			if left[k] <= counts[k] {
				intersectAll = append(intersectAll, r)
			} else {
				exceptAll = append(exceptAll, r)
			}
			if left[k] == 1 && counts[k] > 0 {
				intersect = append(intersect, r)
			}
			if left[k] == 1 && counts[k] == 0 {
				except = append(except, r)
			}
		}
		for _, workMem := range []int64{0, 5000} {
			ctx := s.ctx()
			ctx.WorkMem = workMem
			what := fmt.Sprintf("round %d, work_mem %d ", round, workMem)
			wantBag(t, what+"distinct", collect(t, ctx, &Distinct{Props: l.Props, Input: l}), distinct(lr))
			wantRows(t, what+"distinct in order", collect(t, ctx, &Distinct{Props: l.Props, Input: l, KeepOrder: true}), distinct(lr))
			sorted := &Sort{Props: l.Props, Input: l, Keys: []algebra.SortKey{{ID: l.Cols[0]}, {ID: l.Cols[1]}}}
			wantBag(t, what+"sorted distinct", collect(t, ctx, &Distinct{Props: l.Props, Input: sorted, Sorted: true}), distinct(lr))
			p := props(s.ids(2), ts)
			set := func(kind algebra.SetOpKind, all bool) []row {
				return collect(t, ctx, &SetOp{Props: p, Kind: kind, All: all, Left: l, Right: r})
			}
			wantBag(t, what+"union", set(algebra.Union, false), distinct(slices.Concat(lr, rr)))
			wantBag(t, what+"union all", set(algebra.Union, true), slices.Concat(lr, rr))
			wantBag(t, what+"intersect", set(algebra.Intersect, false), intersect)
			wantBag(t, what+"intersect all", set(algebra.Intersect, true), intersectAll)
			wantBag(t, what+"except", set(algebra.Except, false), except)
			wantBag(t, what+"except all", set(algebra.Except, true), exceptAll)
		}
		var first []row
		for i, r := range sortRows(lr, sortBy{0, false, false}, sortBy{1, false, false}) {
			if i == 0 || printRow(first[len(first)-1][:1]) != printRow(r[:1]) {
				first = append(first, r)
			}
		}
		on := &DistinctOn{Props: l.Props, Input: &Sort{Props: l.Props, Input: l, Keys: []algebra.SortKey{{ID: l.Cols[0]}, {ID: l.Cols[1]}}}, On: l.Cols[:1]}
		wantRows(t, "distinct on", collect(t, s.ctx(), on), first)
	}
}
