package bind

import (
	"holdfast/sql/algebra"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// fold gives the constant that an immutable call or cast of constants comes to. What fails is left as it is,
// to fail when, and if, it is evaluated. Expressions to be printed are not folded.
func (b *binder) fold(e scalar) scalar {
	if b.text != nil || b.o.Ctx == nil {
		return e
	}
	switch e := e.(type) {
	case *algebra.Call:
		if e.Func.Volatility != 'i' || e.Func.ReturnsSet || e.Func.Kernel == nil || e.Typ.Kind == 'p' || !allConst(e.Args) {
			return e
		}
		if e.Func.Strict && anyNull(e.Args) {
			return &algebra.Const{T: e.T}
		}
		return b.evaluate(e, e.Args, func(args []*types.Vec, out *types.Vec) error {
			return funcs.EvalStrict(e.Func, b.fctx, args, types.Rows{N: 1}, out)
		})
	case *algebra.ArrayCtor:
		if !allConst(e.Elems) {
			return e
		}
		elems := make([]types.Datum, len(e.Elems))
		for i, x := range e.Elems {
			if x.Type().IsArray() {
				return e
			}
			elems[i] = x.(*algebra.Const).Value
		}
		return &algebra.Const{T: e.T, Value: types.NewAny(types.NewSlice(e.Typ.Elem, elems))}
	case *algebra.Cast:
		c, ok := e.Arg.(*algebra.Const)
		if !ok {
			return e
		}
		if e.Typ.Base != nil {
			return e // the domain's rules are to be checked
		}
		if c.Value.IsNull() {
			return &algebra.Const{T: e.T, Place: c.Place}
		}
		if e.Cast == nil {
			d, err := types.ApplyTypmod(e.Typ, e.M, c.Value, e.Explicit)
			if err != nil {
				return e
			}
			return &algebra.Const{T: e.T, Value: d, Place: c.Place}
		}
		if e.Cast.Binary && e.M == types.NoTypmod && e.Typ.Rep == c.Typ.Rep {
			return &algebra.Const{T: e.T, Value: c.Value, Place: c.Place}
		}
		if !immutableCast(e.Cast) {
			return e
		}
		return b.evaluate(e, []scalar{c}, func(args []*types.Vec, out *types.Vec) error {
			return funcs.EvalStrictKernel(funcs.CastKernel(e.Cast, e.M, e.Explicit), b.fctx, args, types.Rows{N: 1}, out)
		})
	}
	return e
}

func (b *binder) evaluate(e scalar, args []scalar, f func([]*types.Vec, *types.Vec) error) scalar {
	vecs := make([]*types.Vec, len(args))
	for i, a := range args {
		c := a.(*algebra.Const)
		v := types.NewVec(c.Typ, 1)
		v.Set(0, c.Value)
		v.Const = true
		vecs[i] = v
	}
	out := types.NewVec(e.Type(), 1)
	if f(vecs, out) != nil {
		return e
	}
	var place algebra.Place
	if len(args) > 0 {
		place = args[0].(*algebra.Const).Place
	}
	return &algebra.Const{T: typeOf(e.Type(), e.Mod()), Value: out.Datum(0), Place: place}
}

func allConst(list []scalar) bool {
	for _, e := range list {
		if _, ok := e.(*algebra.Const); !ok {
			return false
		}
	}
	return true
}

func anyNull(list []scalar) bool {
	for _, e := range list {
		if e.(*algebra.Const).Value.IsNull() {
			return true
		}
	}
	return false
}

// immutableCast reports whether a cast depends on its argument alone. Of conversions through text only those
// do whose text forms no setting changes.
func immutableCast(c *funcs.Cast) bool {
	switch {
	case c.Func != nil:
		return c.Func.Volatility == 'i'
	case c.Binary:
		return true
	case c.InOut:
		return plainText(c.Source) && plainText(c.Target)
	}
	return false
}

func plainText(t *types.Type) bool {
	switch t.Underlying() {
	case types.Bool, types.Int2, types.Int4, types.Int8, types.Oid, types.Numeric, types.Text, types.Varchar, types.Bpchar, types.Name, types.UUID:
		return true
	}
	return false
}
