package exec

import (
	"holdfast/sql/algebra"
	"holdfast/sql/types"
)

// The expressions that choose among values: CASE, COALESCE, GREATEST, LEAST, NULLIF.

type caseEval struct {
	conds   []evaluator
	results []evaluator
	other   evaluator
	rest    []int32
	hits    []int32
	out     types.Vec
}

func (c *compiler) caseOf(s *algebra.Case) (evaluator, error) {
	e := &caseEval{out: types.Vec{Type: s.Typ}}
	for _, w := range s.Whens {
		cond, err := c.compile(w.Cond)
		if err != nil {
			return nil, err
		}
		result, err := c.compile(w.Result)
		if err != nil {
			return nil, err
		}
		e.conds, e.results = append(e.conds, cond), append(e.results, result)
	}
	var err error
	e.other, err = c.compile(s.Else)
	return e, err
}

func (e *caseEval) eval(f *frame, rows types.Rows) (*types.Vec, error) {
	started := false
	for k, cond := range e.conds {
		if rows.N == 0 {
			break
		}
		v, err := cond.eval(f, rows)
		if err != nil {
			return nil, err
		}
		var hits types.Rows
		hits, e.hits = selectTrue(v, rows, e.hits)
		if hits.N == 0 {
			continue
		}
		if hits.N == rows.N && !started {
			return e.results[k].eval(f, rows)
		}
		// The rest must be found before the result is computed: v may be among the vectors that it uses.
		if hits.N < rows.N {
			e.rest = appendOthers(e.rest, rows, hits.Sel)
			rows = types.Rows{N: len(e.rest), Sel: e.rest}
		} else {
			rows = types.Rows{}
		}
		result, err := e.results[k].eval(f, hits)
		if err != nil {
			return nil, err
		}
		if !started {
			started = true
			e.out.Resize(f.size)
		}
		copyRows(&e.out, result, hits)
	}
	if !started {
		return e.other.eval(f, rows)
	}
	if rows.N > 0 {
		result, err := e.other.eval(f, rows)
		if err != nil {
			return nil, err
		}
		copyRows(&e.out, result, rows)
	}
	return &e.out, nil
}

// appendOthers gathers in dst, where rows may be, the rows that are not in sel, a subsequence of rows.
func appendOthers(dst []int32, rows types.Rows, sel []int32) []int32 {
	dst = dst[:0]
	for k := range rows.N {
		i := int32(position(rows, k))
		if len(sel) > 0 && sel[0] == i {
			sel = sel[1:]
			continue
		}
		dst = append(dst, i)
	}
	return dst
}

type coalesceEval struct {
	args []evaluator
	rest []int32
	out  types.Vec
}

func (e *coalesceEval) eval(f *frame, rows types.Rows) (*types.Vec, error) {
	started := false
	for k, a := range e.args {
		v, err := a.eval(f, rows)
		if err != nil {
			return nil, err
		}
		last := k == len(e.args)-1
		if !started && (last || !hasNulls(v)) {
			return v, nil
		}
		if !started {
			if v.Const { // NULL
				continue
			}
			started = true
			e.out.Resize(f.size)
		}
		copyRows(&e.out, v, rows)
		rest := e.rest[:0]
		for k := range rows.N {
			if i := position(rows, k); v.IsNull(i) {
				rest = append(rest, int32(i))
			}
		}
		e.rest = rest
		rows = types.Rows{N: len(rest), Sel: rest}
		if rows.N == 0 {
			break
		}
		if !last {
			for _, i := range rest {
				e.out.ClearNull(int(i))
			}
		}
	}
	return &e.out, nil
}

type minMaxEval struct {
	args  []evaluator
	vecs  []*types.Vec
	least bool
	out   types.Vec
}

func (e *minMaxEval) eval(f *frame, rows types.Rows) (*types.Vec, error) {
	constant, err := evalAll(f, rows, e.args, e.vecs)
	if err != nil {
		return nil, err
	}
	if rows.N == 0 {
		return &e.out, nil
	}
	if constant {
		rows = types.Rows{N: 1}
	}
	e.out.Resize(max(f.size, 1))
	for k := range rows.N {
		i := position(rows, k)
		var best *types.Vec
		for _, v := range e.vecs {
			if v.IsNull(i) {
				continue
			}
			if best != nil {
				c := types.CompareVec(v, at(v, i), best, at(best, i))
				if c == 0 || c < 0 != e.least {
					continue
				}
			}
			best = v
		}
		if best == nil {
			e.out.SetNull(i)
		} else {
			copyRow(&e.out, i, best, i)
		}
	}
	e.out.Const = constant
	return &e.out, nil
}

// at is where row i of a vector is.
func at(v *types.Vec, i int) int {
	if v.Const {
		return 0
	}
	return i
}

// nullIfEval is NULLIF: first unless eq.
type nullIfEval struct {
	eq    evaluator
	first evaluator
	out   types.Vec
}

func (c *compiler) nullIf(s *algebra.NullIf) (evaluator, error) {
	eq, err := c.call(s.Eq, []algebra.Scalar{s.Left, s.Right}, types.Bool)
	if err != nil {
		return nil, err
	}
	first := s.Left
	if cast, ok := first.(*algebra.Cast); ok && first.Type() != s.Typ && cast.Arg.Type() == s.Typ {
		first = cast.Arg
	}
	e := &nullIfEval{eq: eq, out: types.Vec{Type: s.Typ}}
	e.first, err = c.compile(first)
	return e, err
}

func (e *nullIfEval) eval(f *frame, rows types.Rows) (*types.Vec, error) {
	eq, err := e.eq.eval(f, rows)
	if err != nil {
		return nil, err
	}
	v, err := e.first.eval(f, rows)
	if err != nil || rows.N == 0 {
		return v, err
	}
	if eq.Const && v.Const {
		e.out.Resize(1)
		copyRow(&e.out, 0, v, 0)
		if !eq.Nulls.Has(0) && eq.I[0] != 0 {
			e.out.SetNull(0)
		}
		e.out.Const = true
		return &e.out, nil
	}
	e.out.Resize(f.size)
	copyRows(&e.out, v, rows)
	for k := range rows.N {
		i := position(rows, k)
		if j := at(eq, i); !eq.Nulls.Has(j) && eq.I[j] != 0 {
			e.out.SetNull(i)
		}
	}
	return &e.out, nil
}
