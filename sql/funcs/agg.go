package funcs

import (
	"math"
	"slices"
	"unsafe"

	"holdfast/sql/types"
)

// Aggregates keep the states of all groups in slices and go over a batch at a time. The frequent ones have loops
// of their own; none allocates per row except those that collect values.

// perGroup is a slice of states, one for each group.
type perGroup[S any] struct{ states []S }

func (p *perGroup[S]) Grow(n int) {
	if n > len(p.states) {
		p.states = slices.Grow(p.states, n-len(p.states))[:n]
	}
}

func (p *perGroup[S]) Bytes() int64 {
	var s S
	return 64 + int64(cap(p.states))*int64(unsafe.Sizeof(s))
}

// feed calls f for each row without NULL in the argument, with the row's position in the argument and its group.
func feed(a *types.Vec, rows types.Rows, groups []int32, f func(i int, g int32)) {
	m := mask(a)
	nulls := anyBit(a.Nulls)
	if rows.Sel == nil {
		for i := range rows.N {
			if !nulls || !a.Nulls.Has(i&m) {
				f(i&m, groups[i])
			}
		}
		return
	}
	for k, n := range rows.Sel {
		i := int(n) & m
		if !nulls || !a.Nulls.Has(i) {
			f(i, groups[k])
		}
	}
}

// feedErr is feed for an f that can fail.
func feedErr(a *types.Vec, rows types.Rows, groups []int32, f func(i int, g int32) error) (err error) {
	feed(a, rows, groups, func(i int, g int32) {
		if err == nil {
			err = f(i, g)
		}
	})
	return err
}

// feedAll calls f for each row, with its position and its group, for aggregates to which NULLs matter.
func feedAll(rows types.Rows, groups []int32, f func(i int, g int32) error) error {
	for k := range rows.N {
		i := k
		if rows.Sel != nil {
			i = int(rows.Sel[k])
		}
		if err := f(i, groups[k]); err != nil {
			return err
		}
	}
	return nil
}

// countAgg is count(*) and count(x).
type countAgg struct{ perGroup[int64] }

func (c *countAgg) Add(_ *Ctx, args []*types.Vec, rows types.Rows, groups []int32) error {
	if len(args) == 0 || !anyBit(args[0].Nulls) {
		for _, g := range groups[:rows.N] {
			c.states[g]++
		}
		return nil
	}
	feed(args[0], rows, groups, func(_ int, g int32) { c.states[g]++ })
	return nil
}

func (c *countAgg) Result(_ *Ctx, group int) (types.Datum, error) {
	return types.NewInt(c.states[group]), nil
}

// intSum is sum(int2) and sum(int4), which int8 always holds.
type intSum struct {
	perGroup[struct {
		sum  int64
		seen bool
	}]
}

func (s *intSum) Add(_ *Ctx, args []*types.Vec, rows types.Rows, groups []int32) error {
	a := args[0]
	values, m := a.I, mask(a)
	if rows.Sel == nil && !anyBit(a.Nulls) {
		for i, g := range groups[:rows.N] {
			state := &s.states[g]
			state.sum += values[i&m]
			state.seen = true
		}
		return nil
	}
	feed(a, rows, groups, func(i int, g int32) {
		s.states[g].sum += values[i]
		s.states[g].seen = true
	})
	return nil
}

func (s *intSum) Result(_ *Ctx, group int) (types.Datum, error) {
	if state := &s.states[group]; state.seen {
		return types.NewInt(state.sum), nil
	}
	return types.Null, nil
}

// exactState is the state of sums and averages of integers and numerics.
type exactState struct {
	sum            exactSum
	n              int64
	nan            bool
	plusInf, minus int64 // number of infinite values
}

// special is the sum if not all values were finite.
func (s *exactState) special() (types.Datum, bool) {
	switch {
	case s.nan || s.plusInf > 0 && s.minus > 0:
		return types.NewDecimal(numericNaN()), true
	case s.plusInf > 0:
		return types.NewDecimal(numericInf(false)), true
	case s.minus > 0:
		return types.NewDecimal(numericInf(true)), true
	}
	return types.Null, false
}

func (s *exactState) addDecimal(d decimal) {
	s.n++
	switch {
	case finite(d):
		s.sum.addDecimal(d)
	case isNaN(d):
		s.nan = true
	case d.Negative:
		s.minus++
	default:
		s.plusInf++
	}
}

// exactAgg is sum(int8), sum(numeric), and avg of integers and numeric.
type exactAgg struct {
	perGroup[exactState]
	average bool
}

func (s *exactAgg) Add(_ *Ctx, args []*types.Vec, rows types.Rows, groups []int32) error {
	a := args[0]
	if a.Type.Rep == types.RepDecimal {
		feed(a, rows, groups, func(i int, g int32) { s.states[g].addDecimal(a.D[i]) })
		return nil
	}
	values, m := a.I, mask(a)
	if rows.Sel == nil && !anyBit(a.Nulls) {
		for i, g := range groups[:rows.N] {
			state := &s.states[g]
			v := values[i&m]
			state.n++
			state.sum.add128(v>>63, uint64(v))
		}
		return nil
	}
	feed(a, rows, groups, func(i int, g int32) {
		s.states[g].n++
		s.states[g].sum.addInt(values[i])
	})
	return nil
}

func (s *exactAgg) Result(_ *Ctx, group int) (types.Datum, error) {
	state := &s.states[group]
	if state.n == 0 {
		return types.Null, nil
	}
	if d, ok := state.special(); ok {
		return d, nil
	}
	sum, err := types.NumericInRange(state.sum.decimal())
	if err != nil || !s.average {
		return types.NewDecimal(sum), err
	}
	q, err := types.NumericDiv(sum, types.NumericFromInt(state.n))
	return types.NewDecimal(q), err
}

// floatSum is sum(float8) and, rounding each step, sum(float4).
type floatSum struct {
	perGroup[struct {
		sum  float64
		seen bool
	}]
	single bool
}

func (s *floatSum) Add(_ *Ctx, args []*types.Vec, rows types.Rows, groups []int32) error {
	a := args[0]
	return feedErr(a, rows, groups, func(i int, g int32) error {
		state, v := &s.states[g], a.F[i]
		if !state.seen {
			state.sum, state.seen = v, true
			return nil
		}
		r := state.sum + v
		if s.single {
			r = float64(float32(r))
		}
		if math.IsInf(r, 0) && !math.IsInf(state.sum, 0) && !math.IsInf(v, 0) {
			return floatOverflow()
		}
		state.sum = r
		return nil
	})
}

func (s *floatSum) Result(_ *Ctx, group int) (types.Datum, error) {
	if state := &s.states[group]; state.seen {
		return types.NewFloat(state.sum), nil
	}
	return types.Null, nil
}

// intervalAgg is sum and avg of intervals.
type intervalAgg struct {
	perGroup[struct {
		sum types.Interval
		n   int64
	}]
	average bool
}

func (s *intervalAgg) Add(_ *Ctx, args []*types.Vec, rows types.Rows, groups []int32) error {
	a := args[0]
	return feedErr(a, rows, groups, func(i int, g int32) (err error) {
		state := &s.states[g]
		state.n++
		state.sum, err = state.sum.Add(a.X[i].(types.Interval))
		return err
	})
}

func (s *intervalAgg) Result(_ *Ctx, group int) (types.Datum, error) {
	state := &s.states[group]
	if state.n == 0 {
		return types.Null, nil
	}
	if !s.average {
		return types.NewAny(state.sum), nil
	}
	iv, err := state.sum.Div(float64(state.n))
	return types.NewAny(iv), err
}

// extremeInt is min (sign -1) or max (sign 1) of anything held and ordered as an integer.
type extremeInt struct {
	perGroup[struct {
		value int64
		seen  bool
	}]
	sign int
}

func (s *extremeInt) Add(_ *Ctx, args []*types.Vec, rows types.Rows, groups []int32) error {
	a := args[0]
	larger := s.sign > 0
	feed(a, rows, groups, func(i int, g int32) {
		state, v := &s.states[g], a.I[i]
		if !state.seen || v != state.value && v > state.value == larger {
			state.value, state.seen = v, true
		}
	})
	return nil
}

func (s *extremeInt) Result(_ *Ctx, group int) (types.Datum, error) {
	if state := &s.states[group]; state.seen {
		return types.NewInt(state.value), nil
	}
	return types.Null, nil
}

// extremeAgg is min or max of any ordered type. The vector holds the extremes so far, NULL for none.
type extremeAgg struct {
	best *types.Vec
	n    int
	sign int
}

func newExtreme(sign int) newAggregate {
	return func(args []*types.Type, _ *types.Type) Aggregate {
		if t := args[0]; t.Rep == types.RepInt && t.Kind != 'e' {
			return &extremeInt{sign: sign}
		}
		return &extremeAgg{best: types.NewVec(args[0], 0), sign: sign}
	}
}

func (s *extremeAgg) Grow(n int) {
	if n <= s.n {
		return
	}
	nulls := slices.Clone(s.best.Nulls)
	s.best.Resize(n)
	s.best.Nulls = nulls
	for ; s.n < n; s.n++ {
		s.best.SetNull(s.n)
	}
}

func (s *extremeAgg) Add(_ *Ctx, args []*types.Vec, rows types.Rows, groups []int32) error {
	a := args[0]
	least := leastToReplace(a.Type)
	feed(a, rows, groups, func(i int, g int32) {
		if s.best.Nulls.Has(int(g)) || types.CompareVec(a, i, s.best, int(g))*s.sign >= least {
			s.best.Set(int(g), a.Datum(i))
		}
	})
	return nil
}

func (s *extremeAgg) Result(_ *Ctx, group int) (types.Datum, error) {
	return s.best.Datum(group), nil
}

func (s *extremeAgg) Bytes() int64 { return 64 + int64(s.n)*32 }

// foldAgg combines integers (bools included) by an associative operation.
type foldAgg struct {
	perGroup[struct {
		value int64
		seen  bool
	}]
	op func(a, b int64) int64
}

func newFold(op func(a, b int64) int64) newAggregate {
	return func([]*types.Type, *types.Type) Aggregate { return &foldAgg{op: op} }
}

func (s *foldAgg) Add(_ *Ctx, args []*types.Vec, rows types.Rows, groups []int32) error {
	a := args[0]
	feed(a, rows, groups, func(i int, g int32) {
		state := &s.states[g]
		if state.seen {
			state.value = s.op(state.value, a.I[i])
		} else {
			state.value, state.seen = a.I[i], true
		}
	})
	return nil
}

func (s *foldAgg) Result(_ *Ctx, group int) (types.Datum, error) {
	if state := &s.states[group]; state.seen {
		return types.NewInt(state.value), nil
	}
	return types.Null, nil
}

func aggregateFuncs() aggregates {
	count := func([]*types.Type, *types.Type) Aggregate { return &countAgg{} }
	exact := func(average bool) newAggregate {
		return func([]*types.Type, *types.Type) Aggregate { return &exactAgg{average: average} }
	}
	integers := func([]*types.Type, *types.Type) Aggregate { return &intSum{} }
	and, or, xor := newFold(func(a, b int64) int64 { return a & b }), newFold(func(a, b int64) int64 { return a | b }), newFold(func(a, b int64) int64 { return a ^ b })
	a := aggregates{
		"count()": count, "count(any)": count,
		"sum(int2)": integers, "sum(int4)": integers, "sum(int8)": exact(false), "sum(numeric)": exact(false),
		"avg(int2)": exact(true), "avg(int4)": exact(true), "avg(int8)": exact(true), "avg(numeric)": exact(true),
		"sum(float4)":    func([]*types.Type, *types.Type) Aggregate { return &floatSum{single: true} },
		"sum(float8)":    func([]*types.Type, *types.Type) Aggregate { return &floatSum{} },
		"sum(interval)":  func([]*types.Type, *types.Type) Aggregate { return &intervalAgg{} },
		"avg(interval)":  func([]*types.Type, *types.Type) Aggregate { return &intervalAgg{average: true} },
		"bool_and(bool)": and, "every(bool)": and, "bool_or(bool)": or,
	}
	for _, t := range []string{"int2", "int4", "int8"} {
		a["bit_and("+t+")"], a["bit_or("+t+")"], a["bit_xor("+t+")"] = and, or, xor
	}
	for _, t := range []string{"int8", "int4", "int2", "oid", "float4", "float8", "date", "time", "timetz", "timestamp", "timestamptz", "interval",
		"text", "numeric", "bpchar", "anyarray", "anyenum", "xid8", "pg_lsn", "tid"} {
		a["min("+t+")"], a["max("+t+")"] = newExtreme(-1), newExtreme(1)
	}
	statisticAggregates(a)
	orderedAggregates(a)
	collectAggregates(a)
	jsonAggregates(a)
	return a
}
