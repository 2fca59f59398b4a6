package funcs

import (
	"slices"

	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// stringAgg is string_agg: values joined by the delimiter given with each but the first.
type stringAgg struct {
	perGroup[struct {
		text []byte
		seen bool
	}]
	held int64
}

func (s *stringAgg) Add(_ *Ctx, args []*types.Vec, rows types.Rows, groups []int32) error {
	value, delimiter := args[0], args[1]
	return feedAll(rows, groups, func(i int, g int32) error {
		if value.IsNull(i) {
			return nil
		}
		state := &s.states[g]
		before := cap(state.text)
		if state.seen && !delimiter.IsNull(i) {
			state.text = append(state.text, delimiter.S[i&mask(delimiter)]...)
		}
		state.text = append(state.text, value.S[i&mask(value)]...)
		state.seen = true
		if len(state.text) > maxString {
			return tooLong()
		}
		s.held += int64(cap(state.text) - before)
		return nil
	})
}

func (s *stringAgg) Result(_ *Ctx, group int) (types.Datum, error) {
	if state := &s.states[group]; state.seen {
		return types.NewString(string(state.text)), nil
	}
	return types.Null, nil
}

func (s *stringAgg) Bytes() int64 { return s.perGroup.Bytes() + s.held }

// arrayAgg is array_agg of values that are not arrays.
type arrayAgg struct {
	perGroup[[]types.Datum]
	elem *types.Type
	held int64
}

// datumBytes is about the memory a datum keeps alive.
func datumBytes(d types.Datum) int64 {
	const header = 48
	switch d.Rep() {
	case types.RepString:
		return header + int64(len(d.Str()))
	case types.RepDecimal, types.RepAny:
		return 2 * header
	}
	return header
}

func (s *arrayAgg) Add(_ *Ctx, args []*types.Vec, rows types.Rows, groups []int32) error {
	return feedAll(rows, groups, func(i int, g int32) error {
		d := args[0].Datum(i)
		s.states[g] = append(s.states[g], d)
		s.held += datumBytes(d)
		if len(s.states[g]) > maxArraySize {
			return arrayTooLarge()
		}
		return nil
	})
}

func (s *arrayAgg) Result(_ *Ctx, group int) (types.Datum, error) {
	if len(s.states[group]) == 0 {
		return types.Null, nil
	}
	// More rows may be added afterwards: a running window asks for the result of each.
	return newArray(s.elem, slices.Clip(s.states[group])), nil
}

func (s *arrayAgg) Bytes() int64 { return s.perGroup.Bytes() + s.held }

// stackAgg is array_agg of arrays, which makes one with a dimension more.
type stackAgg struct {
	perGroup[*types.Array]
	elem *types.Type
	held int64
}

func (s *stackAgg) Add(_ *Ctx, args []*types.Vec, rows types.Rows, groups []int32) error {
	return feedAll(rows, groups, func(i int, g int32) error {
		d := args[0].Datum(i)
		if d.IsNull() {
			return errs.New(errs.NullValueNotAllowed, "cannot accumulate null arrays")
		}
		a := arrayOf(d)
		if len(a.Dims) == 0 {
			return arraySubscriptError("cannot accumulate empty arrays")
		}
		state := s.states[g]
		if state == nil {
			if len(a.Dims) >= 6 {
				return errs.New(errs.ProgramLimitExceeded, "number of array dimensions (%d) exceeds the maximum allowed (6)", len(a.Dims)+1)
			}
			state = &types.Array{Elem: s.elem, Dims: append([]int32{0}, a.Dims...), Lower: append([]int32{1}, a.Lower...)}
			s.states[g] = state
		} else if !slices.Equal(state.Dims[1:], a.Dims) {
			return arraySubscriptError("cannot accumulate arrays of different dimensionality")
		}
		state.Dims[0]++
		state.Elems = append(state.Elems, a.Elems...)
		s.held += int64(len(a.Elems)) * 48
		return nil
	})
}

func (s *stackAgg) Result(_ *Ctx, group int) (types.Datum, error) {
	state := s.states[group]
	if state == nil {
		return types.Null, nil
	}
	return types.NewAny(&types.Array{Elem: s.elem, Dims: slices.Clone(state.Dims), Lower: state.Lower, Elems: slices.Clip(state.Elems)}), nil
}

func (s *stackAgg) Bytes() int64 { return s.perGroup.Bytes() + s.held }

func collectAggregates(a aggregates) {
	text := func([]*types.Type, *types.Type) Aggregate { return &stringAgg{} }
	a["string_agg(text,text)"], a["string_agg(bytea,bytea)"] = text, text
	a["array_agg(anynonarray)"] = func(args []*types.Type, _ *types.Type) Aggregate { return &arrayAgg{elem: args[0]} }
	a["array_agg(anyarray)"] = func(_ []*types.Type, result *types.Type) Aggregate { return &stackAgg{elem: result.Elem} }
}
