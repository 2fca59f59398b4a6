package exec

import (
	"fmt"
	"math/rand"
	"slices"
	"testing"

	"holdfast/sql/algebra"
	"holdfast/sql/types"
)

// A truth is true, false or unknown.
type truth int

const (
	no truth = iota
	yes
	unknown
)

func (t truth) and(u truth) truth {
	switch {
	case t == no || u == no:
		return no
	case t == unknown || u == unknown:
		return unknown
	}
	return yes
}

func compareWith(a, b types.Datum, f func(x, y int64) bool) truth {
	if a.IsNull() || b.IsNull() {
		return unknown
	}
	if f(a.Int(), b.Int()) {
		return yes
	}
	return no
}

func equalInts(a, b types.Datum) truth {
	return compareWith(a, b, func(x, y int64) bool { return x == y })
}
func lessInts(a, b types.Datum) truth {
	return compareWith(a, b, func(x, y int64) bool { return x < y })
}

// joinRows is the join of two lists of rows, by definition.
func joinRows(kind algebra.JoinKind, left, right []row, width int, on func(l, r row) truth) (out []row) {
	matched := make([]bool, len(right))
	for _, l := range left {
		some, maybe := false, false
		for j, r := range right {
			switch on(l, r) {
			case yes:
				some, matched[j] = true, true
				if kind < algebra.SemiJoin {
					out = append(out, slices.Concat(l, r))
				}
			case unknown:
				maybe = true
			}
		}
		switch {
		case kind == algebra.SemiJoin && some, kind == algebra.AntiJoin && !some, kind == algebra.AntiNullJoin && !some && !maybe:
			out = append(out, l)
		case (kind == algebra.LeftJoin || kind == algebra.FullJoin) && !some:
			out = append(out, slices.Concat(l, make(row, width)))
		}
	}
	if kind == algebra.FullJoin {
		for j, r := range right {
			if !matched[j] {
				out = append(out, slices.Concat(make(row, width), r))
			}
		}
	}
	return out
}

var joinKinds = []algebra.JoinKind{algebra.InnerJoin, algebra.LeftJoin, algebra.FullJoin, algebra.SemiJoin, algebra.AntiJoin, algebra.AntiNullJoin}

// TestJoins compares every way to join with the definition, over keys with NULLs and duplicates, with and without a further condition, in memory
// and spilled.
func TestJoins(t *testing.T) {
	s := newStore(t)
	for round := range 40 {
		rng := rand.New(rand.NewSource(int64(round)))
		sizes := []int{0, 1, 7, 40, 300}
		below := []int{2, 5, 40}[rng.Intn(3)]
		ts := repeat(types.Int8, 2)
		lr := randomInts(rng, sizes[rng.Intn(len(sizes))], 2, below)
		rr := randomInts(rng, sizes[rng.Intn(len(sizes))], 2, below)
		l, r := s.values(ts, lr), s.values(ts, rr)
		keys := 1 + rng.Intn(2)
		nullsEqual := rng.Intn(4) == 0
		residual := rng.Intn(2) == 0 && keys == 1
		var conds []algebra.Scalar
		h := &HashJoin{Left: l, Right: r, NullsEqual: nullsEqual}
		for k := range keys {
			h.LeftKeys = append(h.LeftKeys, col(l, k))
			key := algebra.Scalar(col(r, k))
			if rng.Intn(3) == 0 {
				key = op("+", key, integer(0))
			}
			h.RightKeys = append(h.RightKeys, key)
			conds = append(conds, op("=", col(l, k), col(r, k)))
		}
		if residual {
			h.On = op("<", col(l, 1), col(r, 1))
			conds = append(conds, h.On)
		}
		on := func(nullsEqual bool) func(l, r row) truth {
			return func(l, r row) truth {
				is := yes
				for k := range keys {
					if nullsEqual && (l[k].IsNull() || r[k].IsNull()) {
						if l[k].IsNull() != r[k].IsNull() {
							return no
						}
						continue
					}
					is = is.and(equalInts(l[k], r[k]))
				}
				if residual {
					is = is.and(lessInts(l[1], r[1]))
				}
				return is
			}
		}
		for _, kind := range joinKinds {
			what := fmt.Sprintf("round %d kind %d keys %d residual %v nullsEqual %v", round, kind, keys, residual, nullsEqual)
			for _, workMem := range []int64{0, 5000} {
				for _, buildLeft := range []bool{false, true} {
					if kind == algebra.AntiNullJoin && (buildLeft || nullsEqual) {
						continue
					}
					j := *h
					j.Kind, j.BuildLeft, j.Props = kind, buildLeft, joined(kind, l, r)
					ctx := s.ctx()
					ctx.WorkMem = workMem
					got := collect(t, ctx, &j)
					want := joinRows(kind, lr, rr, 2, on(nullsEqual))
					wantBag(t, fmt.Sprint("hash ", what, " work_mem ", workMem, " build left ", buildLeft), got, want)
					if buildLeft || kind == algebra.FullJoin {
						continue
					}
					if workMem == 0 {
						wantRows(t, "order of hash "+what, got, want)
					}
					KeepOrder(&j)
					wantRows(t, "kept order of hash "+what, collect(t, ctx, &j), want)
				}
				if len(lr)*len(rr) > 5000 {
					continue
				}
				n := &NestedLoop{Props: joined(kind, l, r), Left: l, Right: r, Kind: kind, On: &algebra.And{Args: conds}}
				ctx := s.ctx()
				ctx.WorkMem = workMem
				wantRows(t, "nested "+what, collect(t, ctx, n), joinRows(kind, lr, rr, 2, on(false)))
			}
		}
	}
}

// TestLateral has a right side that uses the left row.
func TestLateral(t *testing.T) {
	s := newStore(t)
	rng := rand.New(rand.NewSource(4))
	ts := repeat(types.Int8, 2)
	lr, rr := randomInts(rng, 40, 2, 6), randomInts(rng, 50, 2, 6)
	l, r := s.values(ts, lr), s.values(ts, rr)
	for _, kind := range []algebra.JoinKind{algebra.InnerJoin, algebra.LeftJoin, algebra.SemiJoin, algebra.AntiJoin} {
		right := &Limit{Props: r.Props, Input: &Filter{Props: r.Props, Input: r, Cond: op("<", col(l, 0), col(r, 0))}, Count: integer(3)}
		j := &NestedLoop{Props: joined(kind, l, r), Left: l, Right: right, Kind: kind, On: op("=", col(l, 1), col(r, 1))}
		var want []row
		for _, x := range lr {
			var few []row
			for _, y := range rr {
				if lessInts(x[0], y[0]) == yes && len(few) < 3 {
					few = append(few, y)
				}
			}
			want = append(want, joinRows(kind, []row{x}, few, 2, func(l, r row) truth { return equalInts(l[1], r[1]) })...)
		}
		wantRows(t, fmt.Sprint("lateral kind ", kind), collect(t, s.ctx(), j), want)
	}
	if free := FreeColumns(&NestedLoop{Props: joined(algebra.InnerJoin, l, r), Left: l, Right: r, On: op("=", col(l, 1), col(r, 1))}); len(free) != 0 {
		t.Errorf("free columns of a closed plan: %v", free)
	}
	if free := FreeColumns(&Filter{Props: r.Props, Input: r, Cond: op("<", col(l, 0), col(r, 0))}); len(free) != 1 || free[0] != l.Cols[0] {
		t.Errorf("free columns: %v", free)
	}
}

func TestLookupJoin(t *testing.T) {
	for round := range 60 {
		s := newStore(t)
		rng := rand.New(rand.NewSource(int64(round)))
		table := s.table(repeat(types.Int8, 3), 3)
		rr := randomInts(rng, rng.Intn(60), 3, 6)
		unique := rng.Intn(2) == 0
		seen := map[int64]bool{}
		for i := range rr {
			rr[i][2] = types.NewInt(int64(i))
			if unique && !rr[i][0].IsNull() {
				if k := rr[i][0].Int(); seen[k] {
					rr[i][0] = types.Null
				} else {
					seen[k] = true
				}
			}
		}
		index := s.index(table, unique, 1)
		s.insert(table, rr)
		ts := repeat(types.Int8, 2)
		lr := randomInts(rng, rng.Intn(50), 2, 7)
		l := s.values(ts, lr)
		p, a := s.access(table)
		probe := &TableScan{Props: p, Access: a}
		byIndex := slices.Clone(rr)
		slices.SortStableFunc(byIndex, func(x, y row) int {
			if x[0].IsNull() || y[0].IsNull() {
				return int(boolInt(x[0].IsNull()) - boolInt(y[0].IsNull()))
			}
			return int(x[0].Int() - y[0].Int())
		})
		for _, kind := range []algebra.JoinKind{algebra.InnerJoin, algebra.LeftJoin, algebra.SemiJoin, algebra.AntiJoin} {
			for _, with := range []string{"", "on", "filter", "both"} {
				eq := &LookupJoin{Props: joined(kind, l, probe), Access: a, Left: l, Kind: kind, Index: index, Bounds: &Bounds{Prefix: []KeyMatch{{Values: []algebra.Scalar{col(l, 0)}}}}}
				rng := &LookupJoin{Props: joined(kind, l, probe), Access: a, Left: l, Kind: kind, Index: index, Bounds: &Bounds{Lower: &Bound{Values: []algebra.Scalar{col(l, 0)}}}}
				key := &LookupJoin{Props: joined(kind, l, probe), Access: a, Left: l, Kind: kind, Bounds: &Bounds{Prefix: []KeyMatch{{Values: []algebra.Scalar{col(l, 0), col(l, 1)}}}}}
				extra := func(l, r row) truth { return yes }
				if with == "on" || with == "both" {
					eq.On = op("<", col(l, 1), col(probe, 1))
					extra = func(l, r row) truth { return lessInts(l[1], r[1]) }
				}
				if with == "filter" || with == "both" {
					eq.Filter = op("<>", col(probe, 1), integer(3))
					before := extra
					extra = func(l, r row) truth {
						return before(l, r).and(compareWith(r[1], types.NewInt(3), func(x, y int64) bool { return x != y }))
					}
				}
				rng.On, key.On, rng.Filter, key.Filter = eq.On, eq.On, eq.Filter, eq.Filter
				what := fmt.Sprintf("round %d kind %d with %q ", round, kind, with)
				wantRows(t, what+"equal", collect(t, s.ctx(), eq), joinRows(kind, lr, byIndex, 3, func(l, r row) truth { return equalInts(l[0], r[0]).and(extra(l, r)) }))
				wantRows(t, what+"range", collect(t, s.ctx(), rng), joinRows(kind, lr, byIndex, 3, func(l, r row) truth { return lessInts(l[0], r[0]).and(extra(l, r)) }))
				wantRows(t, what+"key", collect(t, s.ctx(), key), joinRows(kind, lr, rr, 3, func(l, r row) truth {
					if equalInts(l[0], r[2]) == yes || equalInts(l[1], r[2]) == yes {
						return extra(l, r)
					}
					return no
				}))
			}
		}
	}
}

func TestMergeJoin(t *testing.T) {
	s := newStore(t)
	for round := range 60 {
		rng := rand.New(rand.NewSource(int64(round)))
		keys := 1 + rng.Intn(2)
		ts := repeat(types.Int8, 3)
		order := func(rows []row) []row {
			by := []sortBy{{0, false, false}, {1, false, false}}
			return sortRows(rows, by[:keys]...)
		}
		below := []int{3, 30}[rng.Intn(2)]
		lr, rr := order(randomInts(rng, rng.Intn(60), 3, below)), order(randomInts(rng, rng.Intn(60), 3, below))
		l, r := s.values(ts, lr), s.values(ts, rr)
		residual := rng.Intn(2) == 0
		for _, kind := range []algebra.JoinKind{algebra.InnerJoin, algebra.LeftJoin, algebra.SemiJoin, algebra.AntiJoin} {
			j := &MergeJoin{Props: joined(kind, l, r), Left: l, Right: r, Kind: kind, LeftKeys: l.Cols[:keys], RightKeys: r.Cols[:keys]}
			if residual {
				j.On = op("<", col(l, 2), col(r, 2))
			}
			want := joinRows(kind, lr, rr, 3, func(l, r row) truth {
				is := yes
				for k := range keys {
					is = is.and(equalInts(l[k], r[k]))
				}
				if residual {
					is = is.and(lessInts(l[2], r[2]))
				}
				return is
			})
			wantRows(t, fmt.Sprintf("round %d kind %d keys %d residual %v", round, kind, keys, residual), collect(t, s.ctx(), j), want)
		}
	}
}
