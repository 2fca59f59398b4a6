package bind

import (
	"holdfast/sql/algebra"
	"holdfast/sql/ast"
	"holdfast/sql/errs"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// The constructs whose branches share one type.

// without binds what may hold no set-returning functions, because it would not be evaluated for every row.
func (s *scope) without(construct string, f func()) {
	old := s.noSets
	s.noSets = construct
	f()
	s.noSets = old
}

func (s *scope) caseExpr(e *ast.Case) (out scalar) {
	s.without("CASE", func() { out = s.caseOf(e) })
	return out
}

func (s *scope) caseOf(e *ast.Case) scalar {
	b := s.b
	c := &algebra.Case{}
	var arg scalar
	if e.Arg != nil {
		arg = b.known(s.expr(e.Arg))
	}
	results := make([]scalar, 1, len(e.Whens)+1)
	at := make([]int, 1, len(e.Whens)+1)
	for _, w := range e.Whens {
		var cond scalar
		if arg != nil {
			cond = b.op("", "=", arg, s.expr(w.Cond), w.Pos())
			cond = s.toBool(cond, w.Cond, "CASE/WHEN")
		} else {
			cond = s.toBool(s.expr(w.Cond), w.Cond, "CASE/WHEN")
		}
		c.Whens = append(c.Whens, algebra.When{Cond: cond})
		results = append(results, s.expr(w.Result))
		at = append(at, loc(w.Result))
	}
	if e.Else != nil {
		results[0], at[0] = s.expr(e.Else), loc(e.Else)
	} else {
		results[0], at[0] = &algebra.Const{T: noMod(types.Unknown)}, -1
	}
	t := b.common(results, "CASE", func(i int) int { return at[i] })
	c.Else = b.toCommon(results[0], t, "CASE/ELSE", at[0])
	for i := range c.Whens {
		c.Whens[i].Result = b.toCommon(results[i+1], t, "CASE/WHEN", at[i+1])
		results[i+1] = c.Whens[i].Result
	}
	results[0] = c.Else
	c.T = typeOf(t, commonMod(results, t))
	if b.text != nil && arg != nil {
		b.text.caseArgs[c] = arg
	}
	return c
}

func (s *scope) coalesce(e *ast.Coalesce) scalar {
	var out scalar
	s.without("COALESCE", func() {
		args, t := s.alike(e.Args, "COALESCE")
		out = &algebra.Coalesce{T: typeOf(t, commonMod(args, t)), Args: args}
	})
	return out
}

func (s *scope) minMax(e *ast.MinMax) scalar {
	what := "GREATEST"
	if e.Least {
		what = "LEAST"
	}
	args, t := s.alike(e.Args, what)
	if _, err := funcs.OrderingOperator(t); err != nil {
		s.b.bail(-1, errs.New(errs.UndefinedFunction, "could not identify a comparison function for type %s", t))
	}
	return &algebra.MinMax{T: typeOf(t, commonMod(args, t)), Least: e.Least, Args: args}
}

// alike binds expressions and converts them to their common type.
func (s *scope) alike(list []ast.Expr, what string) ([]scalar, *types.Type) {
	args := s.exprs(list)
	t := s.b.common(args, what, func(i int) int { return loc(list[i]) })
	for i := range args {
		args[i] = s.b.toCommon(args[i], t, what, loc(list[i]))
	}
	return args, t
}

func (s *scope) nullIf(e *ast.NullIf) scalar {
	b := s.b
	left, right := s.expr(e.Left), s.expr(e.Right)
	m := b.resolveOp("", "=", left, right, e.Pos())
	if m.Result != types.Bool {
		b.fail(e.Pos(), errs.DatatypeMismatch, "NULLIF requires = operator to yield boolean")
	}
	l := b.implicit(left, m.Left, e.Pos())
	return &algebra.NullIf{T: typeOf(l.Type(), l.Mod()), Left: l, Right: b.implicit(right, m.Right, e.Pos()), Eq: m.Operator.Func}
}

// array binds ARRAY[..]; want is the array type it is cast to, nil if none.
func (s *scope) array(e *ast.Array, want *types.Type, mod int32, ctx funcs.CastContext) scalar {
	b := s.b
	elems := make([]scalar, len(e.Elems))
	nested := false
	for i, x := range e.Elems {
		if sub, ok := x.(*ast.Array); ok {
			elems[i] = s.array(sub, want, mod, ctx)
			nested = true
			continue
		}
		elems[i] = s.expr(x)
		nested = nested || elems[i].Type().IsArray()
	}
	var elem, typ *types.Type
	switch {
	case want != nil:
		elem, typ = want.Elem, want
		if nested {
			elem = want
		}
	case len(elems) == 0:
		b.bail(e.Pos(), errs.New(errs.IndeterminateDatatype, "cannot determine type of empty array").
			WithHint("Explicitly cast to the desired type, for example ARRAY[]::integer[]."))
	default:
		elem = b.common(elems, "ARRAY", func(i int) int { return loc(e.Elems[i]) })
		if elem.IsArray() {
			typ = elem
		} else if typ = elem.Array; typ == nil {
			b.fail(e.Pos(), errs.UndefinedObject, "could not find array type for data type %s", elem)
		}
	}
	for i, x := range elems {
		if want == nil {
			elems[i] = b.toCommon(x, elem, "ARRAY", loc(e.Elems[i]))
			continue
		}
		out, ok := b.convert(x, elem, mod, ctx, loc(e.Elems[i]))
		if !ok {
			b.fail(loc(e.Elems[i]), errs.CannotCoerce, "cannot cast type %s to %s", x.Type(), elem)
		}
		elems[i] = out
	}
	return b.fold(&algebra.ArrayCtor{T: noMod(typ), Elems: elems})
}

// subscript binds a[i] and a[l:u], several dimensions at once.
func (s *scope) subscript(e *ast.Subscript) scalar {
	b := s.b
	var chain []*ast.Subscript
	var base ast.Expr = e
	for {
		sub, ok := base.(*ast.Subscript)
		if !ok {
			break
		}
		chain = append(chain, sub)
		base = sub.Arg
	}
	arg := s.expr(base)
	t := arg.Type().Underlying()
	if t == types.JSONB {
		return s.subscriptJSON(arg, chain)
	}
	if t == types.Name && len(chain) == 1 && !chain[0].Slice {
		return s.subscriptName(base, chain[0])
	}
	if t.Elem == nil || t.Category != 'A' {
		b.fail(loc(base), errs.DatatypeMismatch, "cannot subscript type %s because it does not support subscripting", arg.Type())
	}
	if len(chain) > 6 {
		b.fail(e.Pos(), errs.ProgramLimitExceeded, "number of array dimensions (%d) exceeds the maximum allowed (%d)", len(chain), 6)
	}
	out := &algebra.Subscript{T: noMod(t.Elem), Array: arg}
	for _, sub := range chain {
		out.Slice = out.Slice || sub.Slice
	}
	if out.Slice {
		out.T = noMod(t)
		if !t.IsArray() {
			out.T = noMod(t.Elem.Array)
		}
	} else {
		out.M = arg.Mod()
	}
	index := func(x ast.Expr) scalar {
		if x == nil {
			return nil
		}
		v := s.expr(x)
		i, ok := b.convert(v, types.Int4, types.NoTypmod, funcs.CastAssignment, loc(x))
		if !ok {
			b.fail(loc(x), errs.DatatypeMismatch, "array subscript must have type integer")
		}
		return i
	}
	for i := len(chain) - 1; i >= 0; i-- {
		sub := chain[i]
		if out.Slice {
			lower := index(sub.Lower)
			if !sub.Slice {
				lower = &algebra.Const{T: noMod(types.Int4), Value: types.NewInt(1)}
			}
			out.Lower = append(out.Lower, lower)
		}
		out.Upper = append(out.Upper, index(sub.Upper))
	}
	return out
}

// subscriptName binds a character of a name, which PostgreSQL holds as an array of 64 "char", from 0.
func (s *scope) subscriptName(name ast.Expr, sub *ast.Subscript) scalar {
	number := func(n string) ast.Expr { return &ast.Literal{At: -1, Kind: ast.LitInt, Value: n} }
	cast := func(e ast.Expr, to string) ast.Expr {
		return &ast.Cast{At: -1, Arg: e, Type: &ast.TypeName{At: -1, Names: []string{"pg_catalog", to}}}
	}
	at := &ast.Op{At: -1, Schema: "pg_catalog", Name: "+", Left: sub.Upper, Right: number("1")}
	return s.expr(&ast.Case{At: ast.At(sub.Pos()), Whens: []ast.When{{
		Cond: &ast.Between{At: -1, Arg: sub.Upper, Low: number("0"), High: number("63")},
		Result: cast(&ast.FuncCall{At: -1, Name: []string{"pg_catalog", "substr"},
			Args: []ast.Expr{cast(name, "text"), at, number("1")}}, "char"),
	}}})
}

// subscriptJSON turns subscripts of jsonb into the operators for fields and elements.
func (s *scope) subscriptJSON(arg scalar, chain []*ast.Subscript) scalar {
	b := s.b
	for i := len(chain) - 1; i >= 0; i-- {
		sub := chain[i]
		if sub.Slice {
			b.fail(sub.Pos(), errs.DatatypeMismatch, "jsonb subscript does not support slices")
		}
		key := s.expr(sub.Upper)
		if t := key.Type(); t != types.Int4 {
			key = b.toType(key, types.Text, loc(sub.Upper), "jsonb subscript")
		}
		arg = b.op("", "->", arg, key, sub.Pos())
	}
	return arg
}
