package exec

import (
	"holdfast/sql/algebra"
	"holdfast/sql/types"
)

// Left op ANY|ALL (array), which IN lists are too. ANY is the OR of the comparisons with each element, ALL the AND. There are
// three ways, all with the same result: a set of the elements for = ANY and <> ALL of types where equal
// means identical; comparing with one element after the other, for the rows still undecided, if the array
// is the same for all rows; and row by row.

type anyAllEval struct {
	left    evaluator
	array   evaluator // nil for a list
	list    []evaluator
	vecs    [2]*types.Vec
	cmp     kernel
	decider int64 // 1 for ANY, 0 for ALL
	sel     []int32
	elem    *types.Type
	element *types.Vec // Const
	out     types.Vec

	hashed bool
	set    *elementSet
	of     *types.Array // what set was made of

	row   frame
	elems types.Vec // elements of one row's array
	value *types.Vec
}

func (c *compiler) anyAll(s *algebra.AnyAll) (evaluator, error) {
	left, err := c.compile(s.Left)
	if err != nil {
		return nil, err
	}
	e := &anyAllEval{left: left, cmp: newKernel(s.Func, types.Bool), decider: boolInt(!s.All), out: types.Vec{Type: types.Bool}}
	arrayType := s.Array.Type()
	e.elem = arrayType.Elem
	e.hashed = s.Op == "=" && !s.All || s.Op == "<>" && s.All
	if list, ok := s.Array.(*algebra.ArrayCtor); ok && len(list.Elems) > 0 && !list.Elems[0].Type().IsArray() {
		e.elem = list.Elems[0].Type()
		e.hashed = e.hashed && identical(s.Left.Type(), e.elem)
		if set := constSet(list.Elems); set != nil && e.hashed {
			e.set = set
			return e, nil
		}
		e.list, err = c.all(list.Elems)
		return e, err
	}
	if e.elem == nil {
		e.elem = arrayType.Underlying().Elem
	}
	e.hashed = e.hashed && identical(s.Left.Type(), e.elem)
	e.element = constVec(e.elem, types.Null)
	e.value = constVec(s.Left.Type(), types.Null)
	e.array, err = c.compile(s.Array)
	return e, err
}

// identical reports whether values of the two types are equal exactly if they are held alike.
func identical(a, b *types.Type) bool {
	switch a {
	case types.Int2, types.Int4, types.Int8:
		return b == types.Int2 || b == types.Int4 || b == types.Int8
	case types.Text, types.Varchar, types.Bytea, types.UUID, types.Oid, types.Date, types.Timestamp, types.TimestampTZ, types.Bool:
		return a == b || a == types.Text && b == types.Varchar || a == types.Varchar && b == types.Text
	}
	return false
}

// elementSet is the elements of an array, for types that are held as integers or strings.
type elementSet struct {
	ints    map[int64]struct{}
	strings map[string]struct{}
	null    bool // NULL is among them
}

func newElementSet(elems []types.Datum) *elementSet {
	s := &elementSet{}
	for _, d := range elems {
		switch d.Rep() {
		case types.RepNull:
			s.null = true
		case types.RepInt:
			if s.ints == nil {
				s.ints = make(map[int64]struct{}, len(elems))
			}
			s.ints[d.Int()] = struct{}{}
		default:
			if s.strings == nil {
				s.strings = make(map[string]struct{}, len(elems))
			}
			s.strings[d.Str()] = struct{}{}
		}
	}
	return s
}

// constSet is the set of a list of constants, nil if there are others in it.
func constSet(list []algebra.Scalar) *elementSet {
	elems := make([]types.Datum, len(list))
	for i, s := range list {
		c, ok := s.(*algebra.Const)
		if !ok || c.Value.Rep() != types.RepNull && c.Value.Rep() != types.RepInt && c.Value.Rep() != types.RepString {
			return nil
		}
		elems[i] = c.Value
	}
	return newElementSet(elems)
}

func (e *anyAllEval) eval(f *frame, rows types.Rows) (*types.Vec, error) {
	if rows.N == 0 {
		e.out.Resize(0)
		return &e.out, nil
	}
	left, err := e.left.eval(f, rows)
	if err != nil {
		return nil, err
	}
	if e.array == nil {
		if e.set != nil {
			return e.lookup(f, left, rows), nil
		}
		return e.each(f, left, rows, len(e.list), func(i int, rows types.Rows) (*types.Vec, error) { return e.list[i].eval(f, rows) })
	}
	array, err := e.array.eval(f, rows)
	if err != nil {
		return nil, err
	}
	if !array.Const {
		return e.perRow(f, left, array, rows)
	}
	if array.Nulls.Has(0) {
		setConst(&e.out, 0)
		e.out.SetNull(0)
		return &e.out, nil
	}
	a := array.X[0].(*types.Array)
	if e.hashed && len(a.Elems) > 4 {
		if e.of != a {
			e.of, e.set = a, newElementSet(a.Elems)
		}
		return e.lookup(f, left, rows), nil
	}
	return e.each(f, left, rows, len(a.Elems), func(i int, _ types.Rows) (*types.Vec, error) {
		e.element.Set(0, a.Elems[i])
		return e.element, nil
	})
}

// lookup finds left in the set.
func (e *anyAllEval) lookup(f *frame, left *types.Vec, rows types.Rows) *types.Vec {
	s, out := e.set, &e.out
	rows = unary(f, left, rows, out)
	for k := range rows.N {
		i := position(rows, k)
		if left.Nulls.Has(i) {
			out.SetNull(i)
			continue
		}
		var found bool
		if left.Type.Rep == types.RepInt {
			_, found = s.ints[left.I[i]]
		} else {
			_, found = s.strings[left.S[i]]
		}
		switch {
		case found:
			out.I[i] = e.decider
		case s.null:
			out.SetNull(i)
		default:
			out.I[i] = 1 - e.decider
		}
	}
	return out
}

// each compares with n elements in turn.
func (e *anyAllEval) each(f *frame, left *types.Vec, rows types.Rows, n int, element func(int, types.Rows) (*types.Vec, error)) (*types.Vec, error) {
	out := &e.out
	out.Resize(f.size)
	fillSame(out.I, 1-e.decider, rows)
	if cap(e.sel) < rows.N {
		e.sel = make([]int32, rows.N)
	}
	for k := 0; k < n && rows.N > 0; k++ {
		v, err := element(k, rows)
		if err != nil {
			return nil, err
		}
		e.vecs = [2]*types.Vec{left, v}
		is, err := e.cmp.eval(f, rows, e.vecs[:], left.Const && v.Const)
		if err != nil {
			return nil, err
		}
		rest := e.sel[:0:cap(e.sel)]
		for k := range rows.N {
			i := position(rows, k)
			j := at(is, i)
			if is.Nulls.Has(j) {
				out.SetNull(i)
			} else if is.I[j] == e.decider {
				out.ClearNull(i)
				out.I[i] = e.decider
				continue
			}
			rest = append(rest, int32(i))
		}
		rows = types.Rows{N: len(rest), Sel: rest}
	}
	return out, nil
}

// perRow compares with another array in every row.
func (e *anyAllEval) perRow(f *frame, left, array *types.Vec, rows types.Rows) (*types.Vec, error) {
	out := &e.out
	out.Resize(f.size)
	e.elems.Type = e.elem
	for k := range rows.N {
		i := position(rows, k)
		if array.Nulls.Has(i) {
			out.SetNull(i)
			continue
		}
		elems := array.X[i].(*types.Array).Elems
		out.I[i] = 1 - e.decider
		if len(elems) == 0 {
			continue
		}
		e.elems.Resize(len(elems))
		for j, d := range elems {
			e.elems.Set(j, d)
		}
		e.value.Set(0, left.Datum(i))
		e.vecs = [2]*types.Vec{e.value, &e.elems}
		e.row = frame{ctx: f.ctx, size: len(elems)}
		is, err := e.cmp.eval(&e.row, types.Rows{N: len(elems)}, e.vecs[:], false)
		if err != nil {
			return nil, err
		}
		for j := range elems {
			if j = at(is, j); is.Nulls.Has(j) {
				out.SetNull(i)
			} else if is.I[j] == e.decider {
				out.ClearNull(i)
				out.I[i] = e.decider
				break
			}
		}
	}
	return out, nil
}
