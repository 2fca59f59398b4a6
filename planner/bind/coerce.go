package bind

import (
	"holdfast/sql/algebra"
	"holdfast/sql/ast"
	"holdfast/sql/errs"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

type scalar = algebra.Scalar

// unknown returns the constant or parameter of unknown type that e is, if it is one.
func isUnknown(e scalar) bool { return e.Type() == types.Unknown }

// convert converts a value to a type with a modifier in a context; false if there is no way to.
func (b *binder) convert(e scalar, to *types.Type, mod int32, ctx funcs.CastContext, pos int) (scalar, bool) {
	if to == types.Any || to == types.Unknown {
		return e, true
	}
	explicit := ctx == funcs.CastExplicit
	from := e.Type()
	if from == types.Unknown {
		switch x := e.(type) {
		case *algebra.Const:
			return b.applyMod(b.literal(x, to, mod), mod, explicit, pos), true
		case *algebra.Param:
			if to.Base != nil {
				return b.cast(b.typeParam(x, to.Base), to, mod, ctx, pos)
			}
			return b.applyMod(b.typeParam(x, to), mod, explicit, pos), true
		}
	}
	if from == to {
		return b.applyMod(e, mod, explicit, pos), true
	}
	if r, ok := e.(*algebra.Row); ok && from == types.RecordType && to.Kind == 'c' {
		return b.convertRow(r, to, ctx, pos)
	}
	return b.cast(e, to, mod, ctx, pos)
}

func (b *binder) cast(e scalar, to *types.Type, mod int32, ctx funcs.CastContext, pos int) (scalar, bool) {
	c, ok := funcs.FindCast(e.Type(), to, ctx)
	if !ok {
		return nil, false
	}
	if to.Base != nil && mod == types.NoTypmod {
		mod = to.BaseTypmod
	}
	explicit := ctx == funcs.CastExplicit
	return b.fold(&algebra.Cast{T: typeOf(to, mod), Arg: e, Cast: c, Explicit: explicit, Implicit: !explicit, Pos: b.textPos(pos)}), true
}

// textPos is a position to be kept in the query: none in foreign text.
func (b *binder) textPos(pos int) int {
	if b.foreign > 0 {
		return -1
	}
	return pos
}

// applyMod applies a modifier to a value that has the type already.
func (b *binder) applyMod(e scalar, mod int32, explicit bool, pos int) scalar {
	if mod == types.NoTypmod || mod == e.Mod() || !hasLengthCast(e.Type()) {
		return e
	}
	return b.fold(&algebra.Cast{T: typeOf(e.Type(), mod), Arg: e, Explicit: explicit, Implicit: !explicit, Pos: b.textPos(pos)})
}

// hasLengthCast reports whether modifiers of a type mean something.
func hasLengthCast(t *types.Type) bool {
	if t.IsArray() {
		t = t.Elem
	}
	switch t.Underlying() {
	case types.Varchar, types.Bpchar, types.Numeric, types.Bit, types.VarBit, types.Time, types.TimeTZType,
		types.Timestamp, types.TimestampTZ, types.IntervalType:
		return true
	}
	return false
}

// literal reads an untyped literal as a value of a type.
func (b *binder) literal(c *algebra.Const, to *types.Type, mod int32) scalar {
	if c.Value.IsNull() {
		return &algebra.Const{T: noMod(to), Place: c.Place}
	}
	base := to.Underlying()
	inputMod := types.NoTypmod
	if base == types.IntervalType {
		inputMod = mod // it decides what the digits mean
	}
	d, err := types.ParseText(base, inputMod, c.Value.Str(), b.fctx.Env)
	if err != nil {
		b.bail(offset(c.Place), err)
	}
	out := &algebra.Const{T: noMod(base), Value: d, Place: c.Place}
	if base == types.IntervalType {
		out.M = mod
	}
	if base != to {
		e, ok := b.cast(out, to, types.NoTypmod, funcs.CastImplicit, offset(c.Place))
		if !ok {
			b.unsupported(offset(c.Place), "type %s", to)
		}
		return e
	}
	return out
}

func liveFields(t *types.Type) []types.Field {
	live := make([]types.Field, 0, len(t.Fields))
	for _, f := range t.Fields {
		if !f.Dropped {
			live = append(live, f)
		}
	}
	return live
}

// convertRow converts a row constructor to a composite type, field by field.
func (b *binder) convertRow(r *algebra.Row, to *types.Type, ctx funcs.CastContext, pos int) (scalar, bool) {
	fields := liveFields(to)
	if len(r.Fields) != len(fields) {
		e := errs.New(errs.CannotCoerce, "cannot cast type %s to %s", types.RecordType, to)
		if len(r.Fields) < len(fields) {
			e.WithDetail("Input has too few columns.")
		} else {
			e.WithDetail("Input has too many columns.")
		}
		b.bail(pos, e)
	}
	out := &algebra.Row{T: noMod(to)}
	for i, f := range fields {
		e, ok := b.convert(r.Fields[i], f.Type, f.Typmod, ctx, pos)
		if !ok {
			b.bail(pos, errs.New(errs.CannotCoerce, "cannot cast type %s to %s", types.RecordType, to).
				WithDetail("Cannot cast type %s to %s in column %d.", r.Fields[i].Type(), f.Type, i+1))
		}
		out.Fields = append(out.Fields, e)
		out.Names = append(out.Names, f.Name)
	}
	return out, true
}

// implicit converts a value that is known to be convertible.
func (b *binder) implicit(e scalar, to *types.Type, pos int) scalar {
	out, ok := b.convert(e, to, types.NoTypmod, funcs.CastImplicit, pos)
	if !ok {
		b.fail(pos, errs.CannotCoerce, "cannot cast type %s to %s", e.Type(), to)
	}
	return out
}

// known makes text of a value of unknown type, where nothing else gives it a type.
func (b *binder) known(e scalar) scalar {
	if isUnknown(e) {
		return b.implicit(e, types.Text, -1)
	}
	return e
}

// toBool converts the argument of a clause or operator to boolean.
func (s *scope) toBool(e scalar, at ast.Expr, what string) scalar {
	return s.b.toType(e, types.Bool, loc(at), what)
}

// toType converts the argument of a construct to the type it must have.
func (b *binder) toType(e scalar, to *types.Type, pos int, what string) scalar {
	out, ok := b.convert(e, to, types.NoTypmod, funcs.CastAssignment, pos)
	if !ok {
		b.fail(pos, errs.DatatypeMismatch, "argument of %s must be type %s, not type %s", what, to, e.Type())
	}
	return out
}

// common finds the type that expressions of a construct share. pos gives the place of each.
func (b *binder) common(list []scalar, what string, pos func(i int) int) *types.Type {
	ts := make([]*types.Type, len(list))
	same := true
	for i, e := range list {
		ts[i] = e.Type()
		same = same && ts[i] == ts[0]
	}
	if same && ts[0] != types.Unknown {
		return ts[0]
	}
	t, err := funcs.CommonType(ts, what)
	if err != nil {
		for i := range ts {
			if _, e := funcs.CommonType(ts[:i+1], what); e != nil {
				b.bail(pos(i), e)
			}
		}
		b.bail(-1, err)
	}
	return t
}

// toCommon converts an expression to the common type of a construct.
func (b *binder) toCommon(e scalar, to *types.Type, what string, pos int) scalar {
	out, ok := b.convert(e, to, types.NoTypmod, funcs.CastImplicit, pos)
	if !ok {
		b.fail(pos, errs.CannotCoerce, "%s could not convert type %s to %s", what, e.Type(), to)
	}
	return out
}

// commonMod is the modifier that all expressions share, none if they do not.
func commonMod(list []scalar, t *types.Type) int32 {
	mod := types.NoTypmod
	for i, e := range list {
		if e.Type() != t {
			return types.NoTypmod
		}
		if i == 0 {
			mod = e.Mod()
		} else if e.Mod() != mod {
			return types.NoTypmod
		}
	}
	return mod
}

// loc is where an expression begins in the text: the leftmost of its parts that errors point at.
func loc(e ast.Expr) int {
	left := func(a int, b int) int {
		if a < 0 || b >= 0 && b < a {
			return b
		}
		return a
	}
	switch e := e.(type) {
	case nil:
		return -1
	case *ast.Op:
		if e.Left != nil {
			return left(loc(e.Left), e.Pos())
		}
	case *ast.BoolOp:
		if len(e.Args) > 0 && e.Kind != ast.Not {
			return left(loc(e.Args[0]), e.Pos())
		}
	case *ast.NullTest:
		return left(loc(e.Arg), e.Pos())
	case *ast.BoolTest:
		return left(loc(e.Arg), e.Pos())
	case *ast.Distinct:
		return left(loc(e.Left), e.Pos())
	case *ast.In:
		return left(loc(e.Arg), e.Pos())
	case *ast.Between:
		return left(loc(e.Arg), e.Pos())
	case *ast.Like:
		return left(loc(e.Arg), e.Pos())
	case *ast.AnyAll:
		return left(loc(e.Left), e.Pos())
	case *ast.Cast:
		at := left(loc(e.Arg), e.Pos())
		if e.Type != nil {
			at = left(at, e.Type.Pos())
		}
		return at
	case *ast.Collate:
		return left(loc(e.Arg), e.Pos())
	case *ast.Subscript:
		return left(loc(e.Arg), e.Pos())
	case *ast.Field:
		return left(loc(e.Arg), e.Pos())
	case *ast.Subquery:
		if e.Left != nil {
			return left(loc(e.Left), e.Pos())
		}
	}
	return e.Pos()
}
