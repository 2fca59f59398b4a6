package funcs

import (
	"math"

	"github.com/cockroachdb/apd/v3"

	"holdfast/sql/types"
)

// Variances and regressions. Floats use the update formula of Youngs and Cramer, which PostgreSQL uses too, so that
// results agree to the last digit; integers and numerics are summed exactly.

// moments of float values: their number, sum and sum of squared differences from the mean.
type moments struct{ n, sx, sxx float64 }

func (m *moments) add(v float64) error {
	before := *m
	m.n++
	m.sx += v
	if before.n == 0 {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			m.sxx = math.NaN()
		}
		return nil
	}
	d := v*m.n - m.sx
	m.sxx += d * d / (m.n * before.n)
	if math.IsInf(m.sx, 0) || math.IsInf(m.sxx, 0) {
		if !math.IsInf(before.sx, 0) && !math.IsInf(v, 0) {
			return floatOverflow()
		}
		m.sxx = math.NaN()
	}
	return nil
}

type momentsAgg struct {
	perGroup[moments]
	result func(m *moments) (float64, bool)
}

func (s *momentsAgg) Add(_ *Ctx, args []*types.Vec, rows types.Rows, groups []int32) error {
	a := args[0]
	return feedErr(a, rows, groups, func(i int, g int32) error { return s.states[g].add(a.F[i]) })
}

func (s *momentsAgg) Result(_ *Ctx, group int) (types.Datum, error) {
	if v, ok := s.result(&s.states[group]); ok {
		return types.NewFloat(v), nil
	}
	return types.Null, nil
}

// spread is which of the four measures: of a sample or the whole population, its root or not.
type spread struct{ sample, root bool }

func (s spread) ofFloats(m *moments) (float64, bool) {
	n := m.n
	if s.sample {
		n--
	}
	if m.n == 0 || n <= 0 {
		return 0, false
	}
	if v := m.sxx / n; s.root {
		return math.Sqrt(v), true
	} else {
		return v, true
	}
}

// exactMoments are the sums of values and their squares.
type exactMoments struct {
	x  exactState
	xx exactSum
}

// exactSpread is a variance or deviation of integers or numerics.
type exactSpread struct {
	perGroup[exactMoments]
	spread
}

func (s *exactSpread) Add(_ *Ctx, args []*types.Vec, rows types.Rows, groups []int32) error {
	a := args[0]
	if a.Type.Rep == types.RepInt {
		feed(a, rows, groups, func(i int, g int32) {
			state, v := &s.states[g], a.I[i]
			state.x.n++
			state.x.sum.addInt(v)
			state.xx.addProduct(v, v)
		})
		return nil
	}
	return feedErr(a, rows, groups, func(i int, g int32) error {
		state, v := &s.states[g], a.D[i]
		state.x.addDecimal(v)
		if !finite(v) {
			return nil
		}
		square, err := types.NumericMul(v, v)
		if err == nil {
			state.xx.addDecimal(square)
		}
		return err
	})
}

func (s *exactSpread) Result(_ *Ctx, group int) (types.Datum, error) {
	state := &s.states[group]
	n := state.x.n
	if n == 0 || s.sample && n == 1 {
		return types.Null, nil
	}
	if _, ok := state.x.special(); ok {
		return types.NewDecimal(numericNaN()), nil
	}
	count := types.NumericFromInt(n)
	x, xx := state.x.sum.decimal(), state.xx.decimal()
	square, err := types.NumericMul(x, x)
	if err != nil {
		return types.Null, err
	}
	scaled, err := types.NumericMul(count, xx)
	if err != nil {
		return types.Null, err
	}
	numerator, err := types.NumericSub(scaled, square)
	if err != nil {
		return types.Null, err
	}
	if types.NumericSign(numerator) <= 0 {
		return types.NewDecimal(types.NumericFromInt(0)), nil
	}
	other := count
	if s.sample {
		other = types.NumericFromInt(n - 1)
	}
	denominator, err := types.NumericMul(count, other)
	if err != nil {
		return types.Null, err
	}
	variance, err := types.NumericDiv(numerator, denominator)
	if err != nil || !s.root {
		return types.NewDecimal(variance), err
	}
	scale := types.NumericScale(variance)
	root := new(apd.Decimal)
	if _, err := precise(exponent10(variance)/2+1, scale).Sqrt(root, variance); err != nil {
		return types.Null, err
	}
	return types.NewDecimal(types.NumericRound(root, scale)), nil
}

// comoments of pairs.
type comoments struct{ n, sx, sxx, sy, syy, sxy float64 }

func (m *comoments) add(y, x float64) error {
	before := *m
	m.n++
	m.sx += x
	m.sy += y
	if before.n == 0 {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			m.sxx, m.sxy = math.NaN(), math.NaN()
		}
		if math.IsNaN(y) || math.IsInf(y, 0) {
			m.syy, m.sxy = math.NaN(), math.NaN()
		}
		return nil
	}
	dx, dy, scale := x*m.n-m.sx, y*m.n-m.sy, 1/(m.n*before.n)
	m.sxx += dx * dx * scale
	m.syy += dy * dy * scale
	m.sxy += dx * dy * scale
	inf := func(v float64) bool { return math.IsInf(v, 0) }
	if inf(m.sx) || inf(m.sxx) || inf(m.sy) || inf(m.syy) || inf(m.sxy) {
		if (inf(m.sx) || inf(m.sxx)) && !inf(before.sx) && !inf(x) || (inf(m.sy) || inf(m.syy)) && !inf(before.sy) && !inf(y) ||
			inf(m.sxy) && !inf(before.sx) && !inf(x) && !inf(before.sy) && !inf(y) {
			return floatOverflow()
		}
		if inf(m.sxx) {
			m.sxx = math.NaN()
		}
		if inf(m.syy) {
			m.syy = math.NaN()
		}
		if inf(m.sxy) {
			m.sxy = math.NaN()
		}
	}
	return nil
}

// regressionAgg is an aggregate of pairs (y, x); rows with a NULL in either do not count.
type regressionAgg struct {
	perGroup[comoments]
	result func(m *comoments) (float64, bool)
}

func (s *regressionAgg) Add(_ *Ctx, args []*types.Vec, rows types.Rows, groups []int32) error {
	y, x := args[0], args[1]
	return feedAll(rows, groups, func(i int, g int32) error {
		if y.IsNull(i) || x.IsNull(i) {
			return nil
		}
		if err := s.states[g].add(y.F[i&mask(y)], x.F[i&mask(x)]); err != nil {
			return err
		}
		return nil
	})
}

func (s *regressionAgg) Result(_ *Ctx, group int) (types.Datum, error) {
	if v, ok := s.result(&s.states[group]); ok {
		return types.NewFloat(v), nil
	}
	return types.Null, nil
}

// regressionCount is regr_count, the one with an integer result.
type regressionCount struct{ regressionAgg }

func (s *regressionCount) Result(_ *Ctx, group int) (types.Datum, error) {
	return types.NewInt(int64(s.states[group].n)), nil
}

func statisticAggregates(a aggregates) {
	for name, s := range map[string]spread{"var_pop": {}, "var_samp": {sample: true}, "variance": {sample: true},
		"stddev_pop": {root: true}, "stddev_samp": {sample: true, root: true}, "stddev": {sample: true, root: true}} {
		exact := func([]*types.Type, *types.Type) Aggregate { return &exactSpread{spread: s} }
		floats := func([]*types.Type, *types.Type) Aggregate { return &momentsAgg{result: s.ofFloats} }
		a[name+"(int2)"], a[name+"(int4)"], a[name+"(int8)"], a[name+"(numeric)"] = exact, exact, exact, exact
		a[name+"(float4)"], a[name+"(float8)"] = floats, floats
	}
	average := func([]*types.Type, *types.Type) Aggregate {
		return &momentsAgg{result: func(m *moments) (float64, bool) { return m.sx / m.n, m.n > 0 }}
	}
	a["avg(float4)"], a["avg(float8)"] = average, average
	for name, result := range map[string]func(m *comoments) (float64, bool){
		"regr_sxx":   func(m *comoments) (float64, bool) { return m.sxx, m.n > 0 },
		"regr_syy":   func(m *comoments) (float64, bool) { return m.syy, m.n > 0 },
		"regr_sxy":   func(m *comoments) (float64, bool) { return m.sxy, m.n > 0 },
		"regr_avgx":  func(m *comoments) (float64, bool) { return m.sx / m.n, m.n > 0 },
		"regr_avgy":  func(m *comoments) (float64, bool) { return m.sy / m.n, m.n > 0 },
		"covar_pop":  func(m *comoments) (float64, bool) { return m.sxy / m.n, m.n > 0 },
		"covar_samp": func(m *comoments) (float64, bool) { return m.sxy / (m.n - 1), m.n > 1 },
		"corr": func(m *comoments) (float64, bool) {
			return m.sxy / math.Sqrt(m.sxx*m.syy), m.n > 0 && m.sxx != 0 && m.syy != 0
		},
		"regr_r2": func(m *comoments) (float64, bool) {
			if m.syy == 0 {
				return 1, m.n > 0 && m.sxx != 0
			}
			return m.sxy * m.sxy / (m.sxx * m.syy), m.n > 0 && m.sxx != 0
		},
		"regr_slope":     func(m *comoments) (float64, bool) { return m.sxy / m.sxx, m.n > 0 && m.sxx != 0 },
		"regr_intercept": func(m *comoments) (float64, bool) { return (m.sy - m.sx*m.sxy/m.sxx) / m.n, m.n > 0 && m.sxx != 0 },
	} {
		a[name+"(float8,float8)"] = func([]*types.Type, *types.Type) Aggregate { return &regressionAgg{result: result} }
	}
	a["regr_count(float8,float8)"] = func([]*types.Type, *types.Type) Aggregate { return &regressionCount{} }
}
