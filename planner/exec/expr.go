package exec

import (
	"holdfast/sql/algebra"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// Expr is a scalar expression compiled for batches of one layout. It keeps its vectors: results are valid until the
// next call, and one goroutine may use it at a time.
type Expr struct {
	frame frame
	root  evaluator
	typ   *types.Type
	sel   []int32
}

// evaluator computes one node of an expression for some rows of a frame. The result has values at the same positions,
// or is Const. It belongs to the evaluator until its next call; the caller must not change it. What an
// evaluator is not asked for it does not compute: so later branches of AND, CASE and the like
// meet only the rows that are still undecided.
type evaluator interface {
	eval(f *frame, rows types.Rows) (*types.Vec, error)
}

// frame is what evaluators work on.
type frame struct {
	ctx  *Ctx
	cols []*types.Vec
	size int // positions that the rows span: results have this length
}

// Expr compiles an expression over batches with a layout (nil: no columns). Columns that are not in it are outer columns.
func (b *Builder) Expr(s algebra.Scalar, l *Layout) (*Expr, error) {
	if l == nil {
		l = &Layout{}
	}
	c := compiler{builder: b, layout: l}
	root, err := c.compile(s)
	if err != nil {
		return nil, err
	}
	return &Expr{root: root, typ: s.Type()}, nil
}

// exprs compiles several expressions.
func (b *Builder) exprs(list []algebra.Scalar, l *Layout) ([]*Expr, error) {
	es := make([]*Expr, len(list))
	for i, s := range list {
		e, err := b.Expr(s, l)
		if err != nil {
			return nil, err
		}
		es[i] = e
	}
	return es, nil
}

// optional compiles an expression that may be nil.
func (b *Builder) optional(s algebra.Scalar, l *Layout) (*Expr, error) {
	if s == nil {
		return nil, nil
	}
	return b.Expr(s, l)
}

// Type is the type of the expression.
func (e *Expr) Type() *types.Type { return e.typ }

// Eval computes the expression for the rows of a batch, at the same positions. The result may be a Const vector, or a column
// of the batch itself.
func (e *Expr) Eval(ctx *Ctx, b *types.Batch) (*types.Vec, error) {
	e.frame = frame{ctx: ctx, cols: b.Cols, size: extent(b.Rows)}
	return e.root.eval(&e.frame, b.Rows)
}

// Filter returns the rows of a batch for which the expression is true, in order.
func (e *Expr) Filter(ctx *Ctx, b *types.Batch) (types.Rows, error) {
	e.frame = frame{ctx: ctx, cols: b.Cols, size: extent(b.Rows)}
	if b.N == 0 {
		return b.Rows, nil
	}
	rows := b.Rows
	if a, ok := e.root.(*andEval); ok {
		// A row for which a condition is unknown is as lost as one for which it is false.
		for _, arg := range a.args {
			v, err := arg.eval(&e.frame, rows)
			if err != nil {
				return types.Rows{}, err
			}
			rows, e.sel = selectTrue(v, rows, e.sel)
			if rows.N == 0 {
				break
			}
		}
		return rows, nil
	}
	v, err := e.root.eval(&e.frame, rows)
	if err != nil {
		return types.Rows{}, err
	}
	rows, e.sel = selectTrue(v, rows, e.sel)
	return rows, nil
}

// Value computes an expression that uses no columns of an input.
func (e *Expr) Value(ctx *Ctx) (types.Datum, error) {
	e.frame = frame{ctx: ctx, size: 1}
	v, err := e.root.eval(&e.frame, types.Rows{N: 1})
	if err != nil {
		return types.Null, err
	}
	return v.Datum(0), nil
}

// Evaluate compiles and computes an expression without columns, for constant folding and utility statements.
func Evaluate(ctx *Ctx, s algebra.Scalar) (types.Datum, error) {
	b := NewBuilder()
	e, err := b.Expr(s, nil)
	if err != nil {
		return types.Null, err
	}
	d, err := e.Value(ctx)
	if e := b.closeAll(); err == nil {
		err = e
	}
	return d, err
}

// selectTrue narrows rows to those for which a bool vector is true. It works in sel, which may be where rows are.
func selectTrue(v *types.Vec, rows types.Rows, sel []int32) (types.Rows, []int32) {
	if v.Const {
		if v.Nulls.Has(0) || v.I[0] == 0 {
			return types.Rows{}, sel
		}
		return rows, sel
	}
	if cap(sel) < rows.N {
		sel = make([]int32, rows.N, max(rows.N, 2*cap(sel)))
	}
	out := sel[:rows.N]
	n := 0
	switch nulls := hasNulls(v); {
	case rows.Sel == nil && !nulls:
		for i, x := range v.I[:rows.N] {
			out[n] = int32(i)
			n += int(x & 1)
		}
	case rows.Sel == nil:
		for i, x := range v.I[:rows.N] {
			out[n] = int32(i)
			if x != 0 && !v.Nulls.Has(i) {
				n++
			}
		}
	default:
		for _, i := range rows.Sel {
			out[n] = i
			if v.I[i] != 0 && !(nulls && v.Nulls.Has(int(i))) {
				n++
			}
		}
	}
	if n == rows.N {
		return rows, sel
	}
	return types.Rows{N: n, Sel: out[:n]}, sel
}

// compiler turns scalars into evaluators.
type compiler struct {
	builder *Builder
	layout  *Layout
}

func (c *compiler) compile(s algebra.Scalar) (evaluator, error) {
	switch s := s.(type) {
	case *algebra.Const:
		return newConst(s.Typ, s.Value), nil
	case *algebra.Param:
		return &paramEval{number: s.Number, vec: constVec(s.Typ, types.Null)}, nil
	case *algebra.Col:
		if p, ok := c.layout.Position(s.ID); ok {
			return columnEval(p), nil
		}
		return &outerEval{cell: c.builder.cell(s.ID), vec: constVec(s.Typ, types.Null)}, nil
	case *algebra.Call:
		return c.call(s.Func, s.Args, s.Typ)
	case *algebra.Cast:
		return c.cast(s)
	case *algebra.And:
		args, err := c.all(s.Args)
		return &andEval{args: args, out: types.Vec{Type: types.Bool}}, err
	case *algebra.Or:
		args, err := c.all(s.Args)
		return &orEval{args: args, out: types.Vec{Type: types.Bool}}, err
	case *algebra.Not:
		arg, err := c.compile(s.Arg)
		return &notEval{arg: arg, out: types.Vec{Type: types.Bool}}, err
	case *algebra.IsNull:
		arg, err := c.compile(s.Arg)
		return &isNullEval{arg: arg, not: s.Not, out: types.Vec{Type: types.Bool}}, err
	case *algebra.BoolTest:
		arg, err := c.compile(s.Arg)
		return &boolTestEval{arg: arg, test: s, out: types.Vec{Type: types.Bool}}, err
	case *algebra.Distinct:
		args, err := c.all([]algebra.Scalar{s.Left, s.Right})
		return &distinctEval{args: args, eq: newKernel(s.Eq, types.Bool), not: s.Not, out: types.Vec{Type: types.Bool}}, err
	case *algebra.Case:
		return c.caseOf(s)
	case *algebra.Coalesce:
		args, err := c.all(s.Args)
		return &coalesceEval{args: args, out: types.Vec{Type: s.Typ}}, err
	case *algebra.MinMax:
		args, err := c.all(s.Args)
		return &minMaxEval{args: args, least: s.Least, vecs: make([]*types.Vec, len(args)), out: types.Vec{Type: s.Typ}}, err
	case *algebra.NullIf:
		return c.nullIf(s)
	case *algebra.AnyAll:
		return c.anyAll(s)
	case *algebra.ArrayCtor:
		args, err := c.all(s.Elems)
		return &arrayEval{args: args, vecs: make([]*types.Vec, len(args)), out: types.Vec{Type: s.Typ}}, err
	case *algebra.Subscript:
		return c.subscript(s)
	case *algebra.Row:
		args, err := c.all(s.Fields)
		e := &rowEval{args: args, vecs: make([]*types.Vec, len(args)), names: s.Names, out: types.Vec{Type: s.Typ}}
		for _, f := range s.Fields {
			e.types = append(e.types, f.Type())
		}
		return e, err
	case *algebra.FieldOf:
		arg, err := c.compile(s.Arg)
		return &fieldEval{arg: arg, field: s.Field, out: types.Vec{Type: s.Typ}}, err
	case *SubPlan:
		return c.subPlan(s)
	case *algebra.Subquery:
		return nil, errs.New(errs.InternalError, "subquery without a plan")
	}
	return nil, errs.New(errs.InternalError, "expression %T cannot be compiled", s)
}

func (c *compiler) all(list []algebra.Scalar) ([]evaluator, error) {
	es := make([]evaluator, len(list))
	for i, s := range list {
		e, err := c.compile(s)
		if err != nil {
			return nil, err
		}
		es[i] = e
	}
	return es, nil
}

// evalAll evaluates args into vecs and reports whether all are Const.
func evalAll(f *frame, rows types.Rows, args []evaluator, vecs []*types.Vec) (constant bool, err error) {
	constant = true
	for i, a := range args {
		v, err := a.eval(f, rows)
		if err != nil {
			return false, err
		}
		vecs[i] = v
		constant = constant && v.Const
	}
	return constant, nil
}

func constVec(t *types.Type, d types.Datum) *types.Vec {
	v := types.NewVec(t, 1)
	v.Set(0, d)
	v.Const = true
	return v
}

type constEval struct{ vec *types.Vec }

func newConst(t *types.Type, d types.Datum) *constEval { return &constEval{constVec(t, d)} }

func (e *constEval) eval(*frame, types.Rows) (*types.Vec, error) { return e.vec, nil }

type paramEval struct {
	number int
	vec    *types.Vec
}

func (e *paramEval) eval(f *frame, _ types.Rows) (*types.Vec, error) {
	if e.number > len(f.ctx.Params) {
		return nil, errs.New(errs.UndefinedParameter, "there is no parameter $%d", e.number)
	}
	e.vec.Set(0, f.ctx.Params[e.number-1])
	return e.vec, nil
}

type columnEval int

func (e columnEval) eval(f *frame, _ types.Rows) (*types.Vec, error) { return f.cols[e], nil }

type outerEval struct {
	cell *outerCell
	vec  *types.Vec
}

func (e *outerEval) eval(*frame, types.Rows) (*types.Vec, error) {
	e.vec.Set(0, e.cell.value)
	return e.vec, nil
}
