package exec

import (
	"holdfast/sql/algebra"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// Arrays and records: making them and taking them apart.

type arrayEval struct {
	args []evaluator
	vecs []*types.Vec
	out  types.Vec
}

func (e *arrayEval) eval(f *frame, rows types.Rows) (*types.Vec, error) {
	constant, err := evalAll(f, rows, e.args, e.vecs)
	if err != nil {
		return nil, err
	}
	e.out.Resize(f.size)
	if rows.N > 0 && constant {
		rows = types.Rows{N: 1}
		e.out.Const = true
	}
	elem := e.out.Type.Underlying().Elem
	nested := len(e.vecs) > 0 && e.vecs[0].Type.Underlying().IsArray()
	for k := range rows.N {
		i := position(rows, k)
		elems := make([]types.Datum, len(e.vecs))
		for j, v := range e.vecs {
			elems[j] = v.Datum(i)
		}
		a := types.NewSlice(elem, elems)
		if nested {
			if a, err = stackArrays(elem, elems); err != nil {
				return nil, err
			}
		}
		e.out.X[i] = a
	}
	return &e.out, nil
}

// stackArrays makes an array of one more dimension.
func stackArrays(elem *types.Type, parts []types.Datum) (*types.Array, error) {
	mismatch := func() error {
		return errs.New(errs.ArraySubscriptError, "multidimensional arrays must have array expressions with matching dimensions")
	}
	result := &types.Array{Elem: elem}
	empty, first := false, true
	for _, d := range parts {
		var a *types.Array
		if !d.IsNull() {
			a = d.Any().(*types.Array)
		}
		if a == nil || len(a.Dims) == 0 {
			empty = true
			continue
		}
		if first {
			first = false
			result.Dims = append([]int32{int32(len(parts))}, a.Dims...)
			result.Lower = append([]int32{1}, a.Lower...)
		} else {
			if len(a.Dims) != len(result.Dims)-1 {
				return nil, mismatch()
			}
			for i := range a.Dims {
				if a.Dims[i] != result.Dims[i+1] || a.Lower[i] != result.Lower[i+1] {
					return nil, mismatch()
				}
			}
		}
		result.Elems = append(result.Elems, a.Elems...)
	}
	if empty && !first {
		return nil, mismatch()
	}
	return result, nil
}

type rowEval struct {
	args  []evaluator
	vecs  []*types.Vec
	types []*types.Type
	names []string
	out   types.Vec
}

func (e *rowEval) eval(f *frame, rows types.Rows) (*types.Vec, error) {
	constant, err := evalAll(f, rows, e.args, e.vecs)
	if err != nil {
		return nil, err
	}
	e.out.Resize(f.size)
	if rows.N > 0 && constant {
		rows = types.Rows{N: 1}
		e.out.Const = true
	}
	for k := range rows.N {
		i := position(rows, k)
		values := make([]types.Datum, len(e.vecs))
		for j, v := range e.vecs {
			values[j] = v.Datum(i)
		}
		e.out.X[i] = &types.Record{Types: e.types, Names: e.names, Values: values}
	}
	return &e.out, nil
}

type fieldEval struct {
	arg   evaluator
	field int
	out   types.Vec
}

func (e *fieldEval) eval(f *frame, rows types.Rows) (*types.Vec, error) {
	v, err := e.arg.eval(f, rows)
	if err != nil || rows.N == 0 {
		return &e.out, err
	}
	rows = unary(f, v, rows, &e.out)
	for k := range rows.N {
		i := position(rows, k)
		if v.Nulls.Has(i) {
			e.out.SetNull(i)
			continue
		}
		r, ok := v.X[i].(*types.Record)
		if !ok || e.field >= len(r.Values) {
			return nil, errs.New(errs.InternalError, "a record has no field %d", e.field+1)
		}
		e.out.Set(i, r.Values[e.field])
	}
	return &e.out, nil
}

// subscriptEval is array[i], array[i][j], array[l:u].
type subscriptEval struct {
	args  []evaluator // the array, then the subscripts that are given
	vecs  []*types.Vec
	slice bool
	lower []int // index in args of the bounds of each dimension, 0: left out
	upper []int
	out   types.Vec
}

func (c *compiler) subscript(s *algebra.Subscript) (evaluator, error) {
	t := s.Array.Type().Underlying()
	if t.Elem == nil {
		return nil, errs.Unsupported("subscripting of type %s", t)
	}
	e := &subscriptEval{slice: s.Slice, out: types.Vec{Type: s.Typ}}
	list := []algebra.Scalar{s.Array}
	place := func(s algebra.Scalar) int {
		if s == nil {
			return 0
		}
		list = append(list, s)
		return len(list) - 1
	}
	for i := range s.Upper {
		if s.Slice {
			e.lower = append(e.lower, place(s.Lower[i]))
		}
		e.upper = append(e.upper, place(s.Upper[i]))
	}
	args, err := c.all(list)
	e.args, e.vecs = args, make([]*types.Vec, len(args))
	return e, err
}

func (e *subscriptEval) eval(f *frame, rows types.Rows) (*types.Vec, error) {
	constant, err := evalAll(f, rows, e.args, e.vecs)
	if err != nil {
		return nil, err
	}
	e.out.Resize(f.size)
	if rows.N > 0 && constant {
		rows = types.Rows{N: 1}
		e.out.Const = true
	}
rows:
	for k := range rows.N {
		i := position(rows, k)
		for _, v := range e.vecs {
			if v.IsNull(i) {
				e.out.SetNull(i)
				continue rows
			}
		}
		a, ok := e.vecs[0].X[at(e.vecs[0], i)].(*types.Array)
		if !ok {
			return nil, errs.New(errs.InternalError, "a value of type %s is no array", e.vecs[0].Type)
		}
		if e.slice {
			e.out.X[i] = e.sliceOf(a, i)
		} else {
			e.out.Set(i, e.elementOf(a, i))
		}
	}
	return &e.out, nil
}

// elementOf is the element that the subscripts of a row name, NULL if there is none.
func (e *subscriptEval) elementOf(a *types.Array, row int) types.Datum {
	if len(a.Dims) != len(e.upper) {
		return types.Null
	}
	index := int64(0)
	for d, u := range e.upper {
		n := e.number(u, row) - int64(a.Lower[d])
		if n < 0 || n >= int64(a.Dims[d]) {
			return types.Null
		}
		index = index*int64(a.Dims[d]) + n
	}
	return a.Elems[index]
}

func (e *subscriptEval) number(arg, row int) int64 {
	v := e.vecs[arg]
	return v.I[at(v, row)]
}

// sliceOf cuts out what the bounds of a row name. Dimensions without bounds are whole; subscripts of the result begin at 1.
func (e *subscriptEval) sliceOf(a *types.Array, row int) *types.Array {
	result := &types.Array{Elem: a.Elem}
	if len(a.Dims) < len(e.upper) || len(a.Dims) == 0 {
		return result
	}
	n := len(a.Dims)
	from, count := make([]int64, n), make([]int32, n)
	total := 1
	for d := range n {
		first := int64(a.Lower[d])
		last := first + int64(a.Dims[d]) - 1
		lo, hi := first, last
		if d < len(e.upper) {
			if e.lower[d] != 0 {
				lo = max(lo, e.number(e.lower[d], row))
			}
			if e.upper[d] != 0 {
				hi = min(hi, e.number(e.upper[d], row))
			}
		}
		if hi < lo {
			return result
		}
		from[d], count[d] = lo-first, int32(hi-lo+1)
		total *= int(count[d])
	}
	result.Dims = count
	result.Lower = make([]int32, n)
	for d := range n {
		result.Lower[d] = 1
	}
	result.Elems = make([]types.Datum, 0, total)
	at := make([]int64, n)
	for range total {
		index := int64(0)
		for d := range n {
			index = index*int64(a.Dims[d]) + from[d] + at[d]
		}
		result.Elems = append(result.Elems, a.Elems[index])
		for d := n - 1; d >= 0; d-- {
			if at[d]++; at[d] < int64(count[d]) {
				break
			}
			at[d] = 0
		}
	}
	return result
}
