package funcs

import (
	"math"
	"slices"

	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// The ordered-set aggregates: f(direct) WITHIN GROUP (ORDER BY value). Their rows come in that order, with the
// direct arguments before the value, and NULL values do not count.

// orderedAgg collects the values of each group and computes the result of them.
type orderedAgg struct {
	perGroup[struct {
		values []types.Datum
		direct types.Datum
	}]
	held   int64
	finish func(direct types.Datum, values []types.Datum) (types.Datum, error)
}

func (s *orderedAgg) Add(_ *Ctx, args []*types.Vec, rows types.Rows, groups []int32) error {
	value := args[len(args)-1]
	return feedAll(rows, groups, func(i int, g int32) error {
		state := &s.states[g]
		if len(args) > 1 {
			state.direct = args[0].Datum(i)
		}
		if value.IsNull(i) {
			return nil
		}
		d := value.Datum(i)
		state.values = append(state.values, d)
		s.held += datumBytes(d)
		return nil
	})
}

func (s *orderedAgg) Result(_ *Ctx, group int) (types.Datum, error) {
	state := &s.states[group]
	if len(state.values) == 0 {
		return types.Null, nil
	}
	return s.finish(state.direct, state.values)
}

func (s *orderedAgg) Bytes() int64 { return s.perGroup.Bytes() + s.held }

// fraction is the share of the rows that a percentile is asked at.
func fraction(d types.Datum) (float64, error) {
	p := d.Float()
	if p < 0 || p > 1 || math.IsNaN(p) {
		return 0, errs.New(errs.NumericValueOutOfRange, "percentile value %s is not between 0 and 1",
			types.AppendText(nil, types.Float8, d, types.DefaultEnv))
	}
	return p, nil
}

// percentile makes an aggregate that finds the value at a fraction, or at each of an array of fractions.
func percentile(at func(p float64, values []types.Datum) (types.Datum, error)) (one, many newAggregate) {
	single := func(direct types.Datum, values []types.Datum) (types.Datum, error) {
		if direct.IsNull() {
			return types.Null, nil
		}
		p, err := fraction(direct)
		if err != nil {
			return types.Null, err
		}
		return at(p, values)
	}
	one = func([]*types.Type, *types.Type) Aggregate { return &orderedAgg{finish: single} }
	many = func(_ []*types.Type, result *types.Type) Aggregate {
		return &orderedAgg{finish: func(direct types.Datum, values []types.Datum) (types.Datum, error) {
			if direct.IsNull() {
				return types.Null, nil
			}
			from := arrayOf(direct)
			to := &types.Array{Elem: result.Elem, Dims: slices.Clone(from.Dims), Lower: slices.Clone(from.Lower), Elems: make([]types.Datum, len(from.Elems))}
			for i, d := range from.Elems {
				var err error
				if to.Elems[i], err = single(d, values); err != nil {
					return types.Null, err
				}
			}
			return types.NewAny(to), nil
		}}
	}
	return one, many
}

// discrete is the first value at or after a fraction of the rows.
func discrete(p float64, values []types.Datum) (types.Datum, error) {
	return values[max(int(math.Ceil(p*float64(len(values)))), 1)-1], nil
}

// continuous interpolates between the two values around a fraction.
func continuous(between func(low, high types.Datum, share float64) (types.Datum, error)) func(float64, []types.Datum) (types.Datum, error) {
	return func(p float64, values []types.Datum) (types.Datum, error) {
		at := p * float64(len(values)-1)
		low := int(math.Floor(at))
		high := int(math.Ceil(at))
		if low == high {
			return values[low], nil
		}
		return between(values[low], values[high], at-float64(low))
	}
}

// mostFrequent is the value that occurs most often, of several the first; equal values come together.
func mostFrequent(t *types.Type, values []types.Datum) types.Datum {
	best, most := values[0], 0
	for i := 0; i < len(values); {
		j := i + 1
		for j < len(values) && types.Equal(t, values[i], values[j]) {
			j++
		}
		if j-i > most {
			best, most = values[i], j-i
		}
		i = j
	}
	return best
}

func orderedAggregates(a aggregates) {
	a["percentile_disc(float8,anyelement)"], a["percentile_disc(_float8,anyelement)"] = percentile(discrete)
	a["percentile_cont(float8,float8)"], a["percentile_cont(_float8,float8)"] = percentile(continuous(
		func(low, high types.Datum, share float64) (types.Datum, error) {
			return types.NewFloat(low.Float() + share*(high.Float()-low.Float())), nil
		}))
	a["percentile_cont(float8,interval)"], a["percentile_cont(_float8,interval)"] = percentile(continuous(
		func(low, high types.Datum, share float64) (types.Datum, error) {
			l, h := low.Any().(types.Interval), high.Any().(types.Interval)
			d, err := h.Sub(l)
			if err == nil {
				d, err = d.Mul(share)
			}
			if err == nil {
				d, err = l.Add(d)
			}
			return types.NewAny(d), err
		}))
	a["mode(anyelement)"] = func(args []*types.Type, _ *types.Type) Aggregate {
		return &orderedAgg{finish: func(_ types.Datum, values []types.Datum) (types.Datum, error) {
			return mostFrequent(args[0], values), nil
		}}
	}
}
