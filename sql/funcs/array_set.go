package funcs

import (
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// ArraySet is the function behind SET column[i] = value and SET column[l:u] = array. Its arguments are the
// array, the value, and the subscripts: one for each dimension, or, of a slice, the lower and the upper bound
// of each; given tells which bounds were written. A NULL array counts as empty.
func ArraySet(array *types.Type, slice bool, given []bool) *Func {
	elem := array.Elem
	f := &Func{Name: "array_set", Result: array, Kind: 'f', Volatility: 'i'}
	f.Kernel = perRow(func(_ *Ctx, args []types.Datum) (types.Datum, error) {
		a := &types.Array{Elem: elem}
		if !args[0].IsNull() {
			a = arrayOf(args[0])
		}
		bounds := make([]int64, len(args)-2)
		for i, d := range args[2:] {
			if d.IsNull() && (!slice || given[i]) {
				return types.Null, errs.New(errs.NullValueNotAllowed, "array subscript in assignment must not be null")
			}
			bounds[i] = d.Int()
		}
		var out *types.Array
		var err error
		switch {
		case !slice:
			out, err = setElement(a, args[1], bounds)
		case args[1].IsNull():
			return args[0], nil // as PostgreSQL: a NULL slice changes nothing
		default:
			out, err = setSlice(a, arrayOf(args[1]), bounds, given)
		}
		if err != nil {
			return types.Null, err
		}
		return types.NewAny(out), nil
	})
	f.Args = []*types.Type{array, elem}
	if slice {
		f.Args[1] = array
	}
	for range given {
		f.Args = append(f.Args, types.Int4)
	}
	return f
}

var errWrongSubscripts = errs.New(errs.ArraySubscriptError, "wrong number of array subscripts")

func outOfRange() error { return arraySubscriptError("array subscript out of range") }

// setElement changes one element. An array of one dimension is extended to hold it.
func setElement(a *types.Array, value types.Datum, at []int64) (*types.Array, error) {
	if len(a.Dims) == 0 {
		out := &types.Array{Elem: a.Elem, Elems: []types.Datum{value}}
		for _, i := range at {
			out.Dims, out.Lower = append(out.Dims, 1), append(out.Lower, int32(i))
		}
		return out, nil
	}
	if len(a.Dims) != len(at) {
		return nil, errWrongSubscripts
	}
	if len(at) == 1 {
		out, err := extended(a, at[0], at[0])
		if err != nil {
			return nil, err
		}
		out.Elems[at[0]-int64(out.Lower[0])] = value
		return out, nil
	}
	n := int64(0)
	for d, i := range at {
		k := i - int64(a.Lower[d])
		if k < 0 || k >= int64(a.Dims[d]) {
			return nil, outOfRange()
		}
		n = n*int64(a.Dims[d]) + k
	}
	out := *a
	out.Elems = append([]types.Datum(nil), a.Elems...)
	out.Elems[n] = value
	return &out, nil
}

// extended copies an array of one dimension, with NULLs added so that it reaches from low to high at least.
func extended(a *types.Array, low, high int64) (*types.Array, error) {
	first := int64(a.Lower[0])
	last := first + int64(a.Dims[0]) - 1
	from, to := min(first, low), max(last, high)
	if to-from+1 > maxArraySize {
		return nil, arrayTooLarge()
	}
	out := &types.Array{Elem: a.Elem, Dims: []int32{int32(to - from + 1)}, Lower: []int32{int32(from)}, Elems: make([]types.Datum, to-from+1)}
	copy(out.Elems[first-from:], a.Elems)
	return out, nil
}

// setSlice changes the elements between bounds to the first ones of an array.
func setSlice(a, source *types.Array, bounds []int64, given []bool) (*types.Array, error) {
	n := len(bounds) / 2
	if len(a.Dims) == 0 {
		out := &types.Array{Elem: a.Elem}
		size := int64(1)
		for d := range n {
			if !given[2*d] || !given[2*d+1] {
				return nil, arraySubscriptError("array slice subscript must provide both boundaries").
					WithDetail("When assigning to a slice of an empty array value, slice boundaries must be fully specified.")
			}
			length := bounds[2*d+1] - bounds[2*d] + 1
			if length < 0 {
				return nil, arraySubscriptError("upper bound cannot be less than lower bound")
			}
			if size *= length; size > maxArraySize {
				return nil, arrayTooLarge()
			}
			out.Dims, out.Lower = append(out.Dims, int32(length)), append(out.Lower, int32(bounds[2*d]))
		}
		if int64(len(source.Elems)) < size {
			return nil, arraySubscriptError("source array too small")
		}
		out.Elems = source.Elems[:size]
		return out, nil
	}
	if len(a.Dims) < n || n > 6 {
		return nil, errWrongSubscripts
	}
	low, high := make([]int64, len(a.Dims)), make([]int64, len(a.Dims))
	size := int64(1)
	for d := range a.Dims {
		first := int64(a.Lower[d])
		last := first + int64(a.Dims[d]) - 1
		low[d], high[d] = first, last
		if d < n {
			if given[2*d] {
				low[d] = bounds[2*d]
			}
			if given[2*d+1] {
				high[d] = bounds[2*d+1]
			}
		}
		if low[d] > high[d] {
			return nil, arraySubscriptError("upper bound cannot be less than lower bound")
		}
		if len(a.Dims) > 1 && (low[d] < first || high[d] > last) {
			return nil, outOfRange()
		}
		if size *= high[d] - low[d] + 1; size > maxArraySize {
			return nil, arrayTooLarge()
		}
	}
	if int64(len(source.Elems)) < size {
		return nil, arraySubscriptError("source array too small")
	}
	if len(a.Dims) == 1 {
		out, err := extended(a, low[0], high[0])
		if err != nil {
			return nil, err
		}
		copy(out.Elems[low[0]-int64(out.Lower[0]):], source.Elems[:size])
		return out, nil
	}
	out := *a
	out.Elems = append([]types.Datum(nil), a.Elems...)
	at := append([]int64(nil), low...)
	for _, v := range source.Elems[:size] {
		i := int64(0)
		for d := range at {
			i = i*int64(a.Dims[d]) + at[d] - int64(a.Lower[d])
		}
		out.Elems[i] = v
		for d := len(at) - 1; d >= 0; d-- {
			if at[d]++; at[d] <= high[d] {
				break
			}
			at[d] = low[d]
		}
	}
	return &out, nil
}
