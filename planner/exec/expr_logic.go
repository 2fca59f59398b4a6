package exec

import (
	"holdfast/sql/algebra"
	"holdfast/sql/types"
)

// The logical expressions. NULL is unknown.

// andEval is AND: a row is decided by its first false.
type andEval struct {
	args []evaluator
	sel  []int32
	out  types.Vec
}

// orEval is OR: a row is decided by its first true.
type orEval struct {
	args []evaluator
	sel  []int32
	out  types.Vec
}

func (e *andEval) eval(f *frame, rows types.Rows) (*types.Vec, error) {
	var err error
	e.sel, err = junction(f, rows, e.args, 0, e.sel, &e.out)
	return &e.out, err
}

func (e *orEval) eval(f *frame, rows types.Rows) (*types.Vec, error) {
	var err error
	e.sel, err = junction(f, rows, e.args, 1, e.sel, &e.out)
	return &e.out, err
}

// junction computes AND (decider 0) or OR (decider 1) into out. A row that meets the decider is decided; one that meets
// only its opposite gets that; unknown otherwise.
func junction(f *frame, rows types.Rows, args []evaluator, decider int64, sel []int32, out *types.Vec) ([]int32, error) {
	constant := true // all arguments so far were Const
	unknown := false // one of the Const ones was NULL
	started := false // out holds what non-Const arguments gave
	for _, a := range args {
		if rows.N == 0 {
			break
		}
		v, err := a.eval(f, rows)
		if err != nil {
			return sel, err
		}
		if v.Const {
			switch {
			case v.Nulls.Has(0):
				unknown = true
			case v.I[0]&1 == decider:
				if constant {
					setConst(out, decider)
					return sel, nil
				}
				for k := range rows.N {
					i := position(rows, k)
					out.ClearNull(i)
					out.I[i] = decider
				}
				rows.N = 0
			}
			continue
		}
		constant = false
		if !started {
			started = true
			out.Resize(f.size)
			fillSame(out.I, 1-decider, rows)
		}
		if cap(sel) < rows.N {
			sel = make([]int32, rows.N)
		}
		rest := sel[:0:cap(sel)]
		nulls := hasNulls(v)
		for k := range rows.N {
			i := position(rows, k)
			if nulls && v.Nulls.Has(i) {
				out.SetNull(i)
			} else if v.I[i]&1 == decider {
				out.ClearNull(i)
				out.I[i] = decider
				continue
			}
			rest = append(rest, int32(i))
		}
		if len(rest) < rows.N {
			rows = types.Rows{N: len(rest), Sel: rest}
		}
	}
	if !started {
		setConst(out, 1-decider)
		if unknown {
			out.SetNull(0)
		}
		return sel, nil
	}
	if unknown {
		setNulls(out, rows)
	}
	return sel, nil
}

func setConst(out *types.Vec, x int64) {
	out.Resize(1)
	out.I[0] = x
	out.Const = true
}

// unary prepares out for a function of v that never meets NULL, and says which rows to compute: one of a Const.
func unary(f *frame, v *types.Vec, rows types.Rows, out *types.Vec) types.Rows {
	if v.Const {
		out.Resize(1)
		out.Const = true
		return types.Rows{N: 1}
	}
	out.Resize(f.size)
	return rows
}

type notEval struct {
	arg evaluator
	out types.Vec
}

func (e *notEval) eval(f *frame, rows types.Rows) (*types.Vec, error) {
	v, err := e.arg.eval(f, rows)
	if err != nil || rows.N == 0 {
		return &e.out, err
	}
	rows = unary(f, v, rows, &e.out)
	e.out.Nulls = append(e.out.Nulls[:0], v.Nulls...)
	if rows.Sel == nil {
		for i, x := range v.I[:rows.N] {
			e.out.I[i] = x&1 ^ 1
		}
	} else {
		for _, i := range rows.Sel {
			e.out.I[i] = v.I[i]&1 ^ 1
		}
	}
	return &e.out, nil
}

type isNullEval struct {
	arg evaluator
	not bool
	out types.Vec
}

func (e *isNullEval) eval(f *frame, rows types.Rows) (*types.Vec, error) {
	v, err := e.arg.eval(f, rows)
	if err != nil || rows.N == 0 {
		return &e.out, err
	}
	rows = unary(f, v, rows, &e.out)
	for k := range rows.N {
		i := position(rows, k)
		isNull := v.Nulls.Has(i)
		is := isNull != e.not
		if !isNull && v.Type.Rep == types.RepAny {
			if r, ok := v.X[i].(*types.Record); ok {
				is = recordIsNull(r, e.not)
			}
		}
		e.out.I[i] = boolInt(is)
	}
	return &e.out, nil
}

// recordIsNull is IS NULL (every field is) or IS NOT NULL (no field is) of a record.
func recordIsNull(r *types.Record, not bool) bool {
	for _, d := range r.Values {
		if d.IsNull() == not {
			return false
		}
	}
	return true
}

func boolInt(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// distinctEval is IS [NOT] DISTINCT FROM.
type distinctEval struct {
	args []evaluator
	vecs [2]*types.Vec
	eq   kernel
	not  bool
	sel  []int32
	out  types.Vec
}

func (e *distinctEval) eval(f *frame, rows types.Rows) (*types.Vec, error) {
	constant, err := evalAll(f, rows, e.args, e.vecs[:])
	if err != nil || rows.N == 0 {
		return &e.out, err
	}
	if constant {
		rows = types.Rows{N: 1}
	}
	e.out.Resize(max(f.size, 1))
	a, b := e.vecs[0], e.vecs[1]
	e.sel = e.sel[:0]
	for k := range rows.N {
		i := position(rows, k)
		switch an, bn := a.IsNull(i), b.IsNull(i); {
		case an || bn:
			e.out.I[i] = boolInt(an != bn != e.not)
		default:
			e.sel = append(e.sel, int32(i))
		}
	}
	if len(e.sel) > 0 {
		both := types.Rows{N: len(e.sel), Sel: e.sel}
		eq, err := e.eq.eval(f, both, e.vecs[:], constant)
		if err != nil {
			return nil, err
		}
		for _, i := range e.sel {
			at := int(i)
			if eq.Const {
				at = 0
			}
			e.out.I[i] = boolInt(eq.I[at] == 0 != e.not)
		}
	}
	e.out.Const = constant
	return &e.out, nil
}

// boolTestEval is IS [NOT] TRUE, FALSE, UNKNOWN.
type boolTestEval struct {
	arg  evaluator
	test *algebra.BoolTest
	out  types.Vec
}

func (e *boolTestEval) eval(f *frame, rows types.Rows) (*types.Vec, error) {
	v, err := e.arg.eval(f, rows)
	if err != nil || rows.N == 0 {
		return &e.out, err
	}
	rows = unary(f, v, rows, &e.out)
	for k := range rows.N {
		i := position(rows, k)
		isNull := v.Nulls.Has(i)
		is := isNull
		if !e.test.Unknown {
			is = !isNull && (v.I[i] != 0) == e.test.Want
		}
		e.out.I[i] = boolInt(is != e.test.Not)
	}
	return &e.out, nil
}
