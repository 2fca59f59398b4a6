package exec

import (
	"holdfast/sql/algebra"
	"holdfast/sql/errs"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// kernel calls a function's kernel, for a strict one only on the rows without a NULL argument. It does what
// funcs.EvalStrict does, with memory of its own, so that NULLs cost no allocation.
type kernel struct {
	call     funcs.Kernel
	strict   bool
	volatile bool
	nulls    types.Bitmap
	sel      []int32
	out      types.Vec
}

func newKernel(fn *funcs.Func, result *types.Type) kernel {
	return kernel{call: fn.Kernel, strict: fn.Strict, volatile: fn.Volatility == 'v', out: types.Vec{Type: result}}
}

// eval computes the function. constant tells that all args are Const: then the result is, unless the
// function is volatile.
func (k *kernel) eval(f *frame, rows types.Rows, args []*types.Vec, constant bool) (*types.Vec, error) {
	out := &k.out
	if rows.N == 0 {
		out.Resize(0)
		return out, nil
	}
	constant = constant && !k.volatile
	if constant {
		rows = types.Rows{N: 1}
		out.Resize(1)
	} else {
		out.Resize(f.size)
	}
	if k.strict {
		some := false
		for _, a := range args {
			if len(a.Nulls) == 0 {
				continue
			}
			if !a.Const {
				some = some || hasNulls(a)
			} else if a.Nulls.Has(0) {
				out.Resize(1)
				out.SetNull(0)
				out.Const = true
				return out, nil
			}
		}
		if some {
			return out, k.evalSome(f, rows, args)
		}
	}
	err := k.call(&f.ctx.Ctx, args, rows, out)
	out.Const = constant
	return out, err
}

// evalSome computes a strict function with NULLs among its arguments.
func (k *kernel) evalSome(f *frame, rows types.Rows, args []*types.Vec) error {
	k.nulls = k.nulls[:0]
	for _, a := range args {
		if !a.Const {
			orNulls(&k.nulls, a.Nulls)
		}
	}
	k.sel = appendNotIn(k.sel[:0], rows, k.nulls)
	if len(k.sel) == rows.N {
		return k.call(&f.ctx.Ctx, args, rows, &k.out)
	}
	if len(k.sel) > 0 {
		if err := k.call(&f.ctx.Ctx, args, types.Rows{N: len(k.sel), Sel: k.sel}, &k.out); err != nil {
			return err
		}
	}
	orNulls(&k.out.Nulls, k.nulls)
	return nil
}

type callEval struct {
	kernel
	args []evaluator
	vecs []*types.Vec
}

func (c *compiler) call(fn *funcs.Func, args []algebra.Scalar, result *types.Type) (evaluator, error) {
	if fn.Kernel == nil {
		return nil, errs.New(errs.InternalError, "function %s cannot be called in an expression", fn.Name)
	}
	es, err := c.all(args)
	if err != nil {
		return nil, err
	}
	return &callEval{kernel: newKernel(fn, result), args: es, vecs: make([]*types.Vec, len(args))}, nil
}

func (e *callEval) eval(f *frame, rows types.Rows) (*types.Vec, error) {
	constant, err := evalAll(f, rows, e.args, e.vecs)
	if err != nil {
		return nil, err
	}
	return e.kernel.eval(f, rows, e.vecs, constant)
}

func (c *compiler) cast(s *algebra.Cast) (evaluator, error) {
	arg, err := c.compile(s.Arg)
	if err != nil {
		return nil, err
	}
	if s.Cast == nil {
		if s.M == types.NoTypmod {
			return &relabelEval{arg: arg, out: types.Vec{Type: s.Typ}}, nil
		}
		k := kernel{call: typmodKernel(s.Typ, s.M, s.Explicit), strict: true, out: types.Vec{Type: s.Typ}}
		return &callEval{kernel: k, args: []evaluator{arg}, vecs: make([]*types.Vec, 1)}, nil
	}
	if s.Cast.Binary && s.M == types.NoTypmod && s.Typ.Rep == s.Arg.Type().Rep && s.Typ.Base == nil {
		return &relabelEval{arg: arg, out: types.Vec{Type: s.Typ}}, nil
	}
	k := kernel{call: funcs.CastKernel(s.Cast, s.M, s.Explicit), strict: true, out: types.Vec{Type: s.Typ}}
	return &callEval{kernel: k, args: []evaluator{arg}, vecs: make([]*types.Vec, 1)}, nil
}

// typmodKernel makes values of a type fit a modifier.
func typmodKernel(t *types.Type, mod int32, explicit bool) funcs.Kernel {
	return func(_ *funcs.Ctx, args []*types.Vec, rows types.Rows, out *types.Vec) error {
		for k := range rows.N {
			i := position(rows, k)
			d, err := types.ApplyTypmod(t, mod, args[0].Datum(i), explicit)
			if err != nil {
				return err
			}
			out.Set(i, d)
		}
		return nil
	}
}

// relabelEval is a cast that changes the type and not the value.
type relabelEval struct {
	arg evaluator
	out types.Vec
}

func (e *relabelEval) eval(f *frame, rows types.Rows) (*types.Vec, error) {
	v, err := e.arg.eval(f, rows)
	if err != nil {
		return nil, err
	}
	t := e.out.Type
	e.out = *v
	e.out.Type = t
	return &e.out, nil
}
