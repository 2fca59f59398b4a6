package bind

import (
	"strconv"
	"strings"

	"holdfast/sql/algebra"
	"holdfast/sql/ast"
	"holdfast/sql/errs"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// expr binds an expression. Its type may be unknown: an untyped literal or parameter.
func (s *scope) expr(e ast.Expr) scalar {
	s.b.enter()
	defer s.b.leave()
	switch e := e.(type) {
	case *ast.Literal:
		return s.b.constant(e)
	case *ast.Param:
		return s.b.param(e)
	case *ast.ColumnRef:
		return s.columnRef(e)
	case *ast.FuncCall:
		return s.call(e)
	case *ast.Op:
		return s.operator(e)
	case *ast.BoolOp:
		return s.boolOp(e)
	case *ast.NullTest:
		return &algebra.IsNull{Arg: s.expr(e.Arg), Not: e.Not}
	case *ast.BoolTest:
		return s.boolTest(e)
	case *ast.Distinct:
		return s.distinct(e)
	case *ast.In:
		return s.in_(e)
	case *ast.Between:
		return s.between(e)
	case *ast.Like:
		return s.like(e)
	case *ast.Case:
		return s.caseExpr(e)
	case *ast.Coalesce:
		return s.coalesce(e)
	case *ast.MinMax:
		return s.minMax(e)
	case *ast.NullIf:
		return s.nullIf(e)
	case *ast.Cast:
		return s.castExpr(e)
	case *ast.Collate:
		return s.collate(e)
	case *ast.Array:
		return s.array(e, nil, types.NoTypmod, funcs.CastImplicit)
	case *ast.Row:
		return s.rowExpr(e)
	case *ast.AnyAll:
		return s.anyAll(e)
	case *ast.Subquery:
		return s.subquery(e)
	case *ast.Subscript:
		return s.subscript(e)
	case *ast.Field:
		return s.field(e)
	case *ast.Default:
		s.b.fail(e.Pos(), errs.SyntaxError, "DEFAULT is not allowed in this context")
	case *ast.CurrentOf:
		s.b.unsupported(-1, "WHERE CURRENT OF")
	case *ast.Grouping:
		return s.groupingCall(e)
	}
	s.b.unsupported(e.Pos(), "this expression")
	return nil
}

func (s *scope) exprs(list []ast.Expr) []scalar {
	out := make([]scalar, len(list))
	for i, e := range list {
		out[i] = s.expr(e)
	}
	return out
}

// constant gives a literal its type: integers the smallest of int4, int8 and numeric that holds them.
func (b *binder) constant(e *ast.Literal) scalar {
	c := &algebra.Const{T: noMod(types.Unknown), Place: b.place(e.Pos())}
	var t *types.Type
	switch e.Kind {
	case ast.LitNull:
		return c
	case ast.LitString:
		c.Value = types.NewString(e.Value)
		return c
	case ast.LitBool:
		c.T, c.Value = noMod(types.Bool), types.NewBool(e.Value == "t")
		return c
	case ast.LitInt:
		if v, err := strconv.ParseInt(e.Value, 10, 64); err == nil {
			t = types.Int8
			if v == int64(int32(v)) {
				t = types.Int4
			}
			c.T, c.Value = noMod(t), types.NewInt(v)
			return c
		}
		t = types.Numeric
	case ast.LitNumeric:
		t = types.Numeric
		if v, err := strconv.ParseInt(e.Value, 10, 32); err == nil { // -2147483648
			c.T, c.Value = noMod(types.Int4), types.NewInt(v)
			return c
		}
	case ast.LitBit:
		t = types.Bit
	}
	d, err := types.ParseText(t, types.NoTypmod, e.Value, b.fctx.Env)
	if err != nil {
		b.bail(e.Pos(), err)
	}
	c.T, c.Value = noMod(t), d
	return c
}

func (s *scope) boolOp(e *ast.BoolOp) scalar {
	word := [...]string{ast.And: "AND", ast.Or: "OR", ast.Not: "NOT"}[e.Kind]
	args := make([]scalar, len(e.Args))
	for i, a := range e.Args {
		args[i] = s.toBool(s.expr(a), a, word)
	}
	switch e.Kind {
	case ast.And:
		return and(args...)
	case ast.Or:
		return &algebra.Or{Args: args}
	}
	if d, ok := args[0].(*algebra.Distinct); ok {
		// IS NOT DISTINCT FROM is stored in this form, and looks things up like equality.
		turned := *d
		turned.Not = !d.Not
		return &turned
	}
	return &algebra.Not{Arg: args[0]}
}

// and joins conditions; nil ones are true.
func and(args ...scalar) scalar {
	var list []scalar
	for _, a := range args {
		if a != nil {
			list = append(list, a)
		}
	}
	switch len(list) {
	case 0:
		return nil
	case 1:
		return list[0]
	}
	return &algebra.And{Args: list}
}

func (s *scope) boolTest(e *ast.BoolTest) scalar {
	what := "IS "
	if e.Not {
		what += "NOT "
	}
	word := map[string]string{"true": "TRUE", "false": "FALSE", "unknown": "UNKNOWN"}[e.Want]
	arg := s.toBool(s.expr(e.Arg), e.Arg, what+word)
	return &algebra.BoolTest{Arg: arg, Want: e.Want == "true", Unknown: e.Want == "unknown", Not: e.Not}
}

// operator binds an operator, of rows too.
func (s *scope) operator(e *ast.Op) scalar {
	if e.Left != nil {
		if l, ok := e.Left.(*ast.Row); ok {
			switch r := e.Right.(type) {
			case *ast.Row:
				return s.rowCompare(e.Schema, e.Name, s.rowFields(l), s.rowFields(r), e.Pos())
			case *ast.Subquery:
				if r.Kind == ast.ScalarSubquery {
					return s.rowCompare(e.Schema, e.Name, s.rowFields(l), s.subqueryFields(r, len(l.Fields)), e.Pos())
				}
			}
		}
	}
	var left scalar
	if e.Left != nil {
		left = s.expr(e.Left)
	}
	return s.b.op(e.Schema, e.Name, left, s.expr(e.Right), e.Pos())
}

// op applies an operator by the types of its operands; left is nil for a prefix operator.
func (b *binder) op(schema, name string, left, right scalar, pos int) scalar {
	m := b.resolveOp(schema, name, left, right, pos)
	args := make([]scalar, 0, 2)
	if left != nil {
		args = append(args, b.implicit(left, m.Left, pos))
	}
	args = append(args, b.implicit(right, m.Right, pos))
	return b.newCall(&algebra.Call{T: noMod(m.Result), Func: m.Operator.Func, Args: args, Op: name, VariadicAt: -1, Pos: b.textPos(pos)})
}

func (b *binder) resolveOp(schema, name string, left, right scalar, pos int) *funcs.OperatorMatch {
	if schema != "" && schema != "pg_catalog" {
		b.fail(pos, errs.UndefinedFunction, "operator does not exist: %s.%s", schema, name)
	}
	var lt *types.Type
	if left != nil {
		lt = left.Type()
	}
	m, err := funcs.ResolveOperator(name, lt, right.Type())
	if err != nil {
		b.bail(pos, err)
	}
	if m.Operator.Func == nil {
		b.unsupported(pos, "operator %s", name)
	}
	return m
}

// newCall completes a call: it notes volatile functions, and folds.
func (b *binder) newCall(c *algebra.Call) scalar {
	if c.Func.Volatility == 'v' {
		b.volatile = true
		switch c.Func.Name {
		case "nextval", "currval", "lastval", "setval":
		default:
			b.q.Volatile = true
		}
	}
	return b.fold(c)
}

func (s *scope) between(e *ast.Between) scalar {
	b := s.b
	compare := func(op string, bound ast.Expr) scalar {
		return b.op("", op, s.expr(e.Arg), s.expr(bound), e.Pos())
	}
	if !e.Symmetric {
		if e.Not {
			return &algebra.Or{Args: []scalar{compare("<", e.Low), compare(">", e.High)}}
		}
		return and(compare(">=", e.Low), compare("<=", e.High))
	}
	if e.Not {
		return and(&algebra.Or{Args: []scalar{compare("<", e.Low), compare(">", e.High)}},
			&algebra.Or{Args: []scalar{compare("<", e.High), compare(">", e.Low)}})
	}
	return &algebra.Or{Args: []scalar{and(compare(">=", e.Low), compare("<=", e.High)), and(compare(">=", e.High), compare("<=", e.Low))}}
}

func (s *scope) like(e *ast.Like) scalar {
	b := s.b
	arg, pattern := s.expr(e.Arg), s.expr(e.Pattern)
	name := ""
	if e.Keyword == "SIMILAR TO" {
		name = "similar_to_escape"
	} else if e.Escape != nil {
		name = "like_escape"
	}
	if name != "" {
		args := []scalar{pattern}
		if e.Escape != nil {
			args = append(args, s.expr(e.Escape))
		}
		pattern = b.callNamed(name, args, e.Pos())
	}
	return b.op("", e.Op, arg, pattern, e.Pos())
}

func (s *scope) castExpr(e *ast.Cast) scalar {
	b := s.b
	t, mod := b.typeName(e.Type)
	if a, ok := e.Arg.(*ast.Array); ok {
		target := t.Underlying()
		if target.IsArray() {
			arr := s.array(a, target, mod, funcs.CastExplicit)
			if target == t {
				return b.applyMod(arr, mod, true, e.Pos())
			}
			return b.explicit(arr, t, mod, e.Pos(), e.Arg)
		}
	}
	return b.explicit(s.expr(e.Arg), t, mod, e.Pos(), e.Arg)
}

// explicit casts as the user asks for.
func (b *binder) explicit(arg scalar, t *types.Type, mod int32, pos int, at ast.Expr) scalar {
	out, ok := b.convert(arg, t, mod, funcs.CastExplicit, pos)
	if !ok {
		if pos < 0 {
			pos = loc(at)
		}
		b.fail(pos, errs.CannotCoerce, "cannot cast type %s to %s", arg.Type(), t)
	}
	return out
}

// collate accepts the collations that are the order every text has: by bytes.
func (s *scope) collate(e *ast.Collate) scalar {
	b := s.b
	arg := b.known(s.expr(e.Arg))
	if arg.Type().Collation == 0 && arg.Type().Underlying().Collation == 0 {
		b.fail(e.Pos(), errs.DatatypeMismatch, "collations are not supported by type %s", arg.Type())
	}
	b.checkCollation(e.Name, e.Pos())
	return arg
}

func (b *binder) checkCollation(name []string, pos int) {
	last := name[len(name)-1]
	if len(name) == 1 || name[0] == "pg_catalog" {
		switch last {
		case "C", "POSIX", "default", "ucs_basic":
			return
		}
	}
	if strings.HasSuffix(last, "-x-icu") || strings.ContainsAny(last, "_") { // those of ICU and of the system
		b.unsupported(pos, "collation %s", quoted(last))
	}
	b.fail(pos, errs.UndefinedObject, `collation %s for encoding "UTF8" does not exist`, quoted(strings.Join(name, ".")))
}

// distinct binds IS [NOT] DISTINCT FROM.
func (s *scope) distinct(e *ast.Distinct) scalar {
	b := s.b
	l, lok := e.Left.(*ast.Row)
	r, rok := e.Right.(*ast.Row)
	if !lok || !rok {
		left, right := s.expr(e.Left), s.expr(e.Right)
		if c, ok := right.(*algebra.Const); ok && isUnknown(c) && c.Value.IsNull() {
			return &algebra.IsNull{Arg: left, Not: !e.Not}
		}
		if c, ok := left.(*algebra.Const); ok && isUnknown(c) && c.Value.IsNull() {
			return &algebra.IsNull{Arg: right, Not: !e.Not}
		}
		return b.distinctOf(left, right, e.Not, e.Pos())
	}
	left, right := s.rowFields(l), s.rowFields(r)
	if len(left) != len(right) {
		b.fail(e.Pos(), errs.SyntaxError, "unequal number of entries in row expressions")
	}
	if len(left) == 0 {
		return &algebra.Const{T: noMod(types.Bool), Value: types.NewBool(e.Not)}
	}
	parts := make([]scalar, len(left))
	for i := range left {
		parts[i] = b.distinctOf(left[i], right[i], e.Not, e.Pos())
	}
	if e.Not {
		return and(parts...)
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return &algebra.Or{Args: parts}
}

func (b *binder) distinctOf(left, right scalar, not bool, pos int) scalar {
	m := b.resolveOp("", "=", left, right, pos)
	if m.Result != types.Bool {
		b.fail(pos, errs.DatatypeMismatch, "IS DISTINCT FROM requires = operator to yield boolean")
	}
	return &algebra.Distinct{Left: b.implicit(left, m.Left, pos), Right: b.implicit(right, m.Right, pos), Eq: m.Operator.Func, Not: not}
}

// in_ binds IN (list): the constants among the list become one array, the rest comparisons of their own.
func (s *scope) in_(e *ast.In) scalar {
	b := s.b
	name := "="
	if e.Not {
		name = "<>"
	}
	join := func(parts []scalar) scalar {
		if len(parts) == 1 {
			return parts[0]
		}
		if e.Not {
			return and(parts...)
		}
		return &algebra.Or{Args: parts}
	}
	if row, ok := e.Arg.(*ast.Row); ok {
		var parts []scalar
		for _, item := range e.List {
			r, ok := item.(*ast.Row)
			if !ok {
				parts = append(parts, b.op("", name, s.rowExpr(row), s.expr(item), e.Pos()))
				continue
			}
			parts = append(parts, s.rowCompare("", name, s.rowFields(row), s.rowFields(r), e.Pos()))
		}
		return join(parts)
	}
	left := s.expr(e.Arg)
	var parts, plain, columns []scalar
	var plainAt []int
	for _, item := range e.List {
		x := s.expr(item)
		if hasColumn(x) {
			columns = append(columns, x)
		} else {
			plain = append(plain, x)
			plainAt = append(plainAt, loc(item))
		}
	}
	if len(plain) > 1 {
		// The array takes part in the choice of its element type only if that leaves a type with arrays.
		ts := []*types.Type{left.Type()}
		for _, x := range plain {
			ts = append(ts, x.Type())
		}
		elem, err := funcs.CommonType(ts, "IN")
		if err == nil && elem != types.RecordType && elem.Array != nil {
			arr := &algebra.ArrayCtor{T: noMod(elem.Array)}
			for i, x := range plain {
				arr.Elems = append(arr.Elems, b.toCommon(x, elem, "IN", plainAt[i]))
			}
			parts = append(parts, b.anyAllOf("", name, left, b.fold(arr), e.Not, e.Pos()))
			plain = nil
		}
	}
	for _, x := range append(plain, columns...) {
		l := left
		if len(parts) > 0 {
			l = s.expr(e.Arg) // each comparison converts it in its own way
		}
		parts = append(parts, b.op("", name, l, x, e.Pos()))
	}
	return join(parts)
}

// hasColumn reports whether an expression depends on columns.
func hasColumn(e scalar) bool {
	found := false
	v := algebra.Visitor{Scalar: func(x scalar) bool {
		if _, ok := x.(*algebra.Col); ok {
			found = true
		}
		return !found
	}}
	v.VisitScalar(e)
	return found
}

// anyAll binds x op ANY|ALL (array).
func (s *scope) anyAll(e *ast.AnyAll) scalar {
	left := s.expr(e.Left)
	return s.b.anyAllOf(e.Schema, e.Op, left, s.expr(e.Array), e.All, e.Pos())
}

func (b *binder) anyAllOf(schema, name string, left, array scalar, all bool, pos int) scalar {
	elem := types.Unknown
	if at := array.Type().Underlying(); at != types.Unknown {
		if at.Elem == nil || at.Category != 'A' {
			b.fail(pos, errs.WrongObjectType, "op ANY/ALL (array) requires array on right side")
		}
		elem = at.Elem
	}
	m := b.resolveOp(schema, name, left, &algebra.Const{T: noMod(elem)}, pos)
	if m.Result != types.Bool {
		b.fail(pos, errs.WrongObjectType, "op ANY/ALL (array) requires operator to yield boolean")
	}
	left = b.implicit(left, m.Left, pos)
	if m.Right != elem || elem == types.Unknown {
		if m.Right.Array == nil {
			b.fail(pos, errs.UndefinedObject, "could not find array type for data type %s", m.Right)
		}
		array = b.implicit(array, m.Right.Array, pos)
	}
	return &algebra.AnyAll{Left: left, Array: array, Func: m.Operator.Func, Op: name, All: all, Pos: b.textPos(pos)}
}
