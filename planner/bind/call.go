package bind

import (
	"strings"

	"holdfast/sql/algebra"
	"holdfast/sql/ast"
	"holdfast/sql/errs"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// call binds a function call of any kind.
func (s *scope) call(e *ast.FuncCall) scalar {
	b := s.b
	if e.Form == ast.CallKeyword {
		return s.keyword(e)
	}
	name := strings.Join(e.Name, ".")
	if len(e.Name) > 3 || len(e.Name) == 3 && e.Name[0] != b.database() {
		b.fail(e.Pos(), errs.FeatureNotSupported, "cross-database references are not implemented: %s", name)
	}
	if len(e.Name) == 3 {
		name = strings.Join(e.Name[1:], ".")
	}
	windowing := e.Over != nil
	s.checkCallKind(e)
	list := e.Args
	if e.WithinGroup {
		list = append(append([]ast.Expr(nil), e.Args...), sortExprs(e.OrderBy)...)
	}
	top := s.topCall == e
	s.topCall = nil
	args := s.exprs(list)
	m := s.resolveCall(e, name, args)
	if m == nil { // a column, or a conversion, written like a function
		return s.callOther(e, name, args)
	}
	f := m.Func
	if f.Kind != 'a' {
		what := ""
		switch {
		case e.Star:
			b.fail(e.Pos(), errs.WrongObjectType, "%s(*) specified, but %s is not an aggregate function", name, name)
		case e.Distinct:
			what = "DISTINCT"
		case e.WithinGroup:
			what = "WITHIN GROUP"
		case len(e.OrderBy) > 0:
			what = "ORDER BY"
		case e.Filter != nil && f.Kind != 'w':
			what = "FILTER"
		}
		if what != "" {
			b.fail(e.Pos(), errs.WrongObjectType, "%s specified, but %s is not an aggregate function", what, name)
		}
	}
	if f.Kind == 'f' && windowing {
		b.fail(e.Pos(), errs.WrongObjectType, "OVER specified, but %s is not a window function nor an aggregate function", name)
	}
	if f.Kind == 'w' && !windowing {
		b.fail(e.Pos(), errs.WrongObjectType, "window function %s requires an OVER clause", name)
	}
	args, at := b.callArgs(m, args, e.Pos())
	c := &algebra.Call{T: noMod(m.Result), Func: f, Args: args, VariadicAt: at, Pos: b.textPos(e.Pos())}
	if e.Form == ast.CallSQL {
		c.Form = algebra.SQLForm
	}
	switch {
	case windowing:
		return s.windowCall(e, c)
	case f.Kind == 'a':
		return s.aggregate(e, c)
	case f.ReturnsSet && top:
		if f.Volatility == 'v' {
			b.volatile, b.q.Volatile = true, true
		}
		return c
	case f.ReturnsSet:
		return s.setReturning(e, c)
	}
	return b.newCall(c)
}

// checkCallKind refuses combinations that no function has.
func (s *scope) checkCallKind(e *ast.FuncCall) {
	if e.Over == nil {
		return
	}
	b := s.b
	switch {
	case e.WithinGroup:
		b.fail(e.Pos(), errs.FeatureNotSupported, "OVER is not supported for ordered-set aggregate %s", e.Name[len(e.Name)-1])
	case e.Distinct:
		b.fail(e.Pos(), errs.FeatureNotSupported, "DISTINCT is not implemented for window functions")
	case len(e.OrderBy) > 0:
		b.fail(e.Pos(), errs.FeatureNotSupported, "aggregate ORDER BY is not implemented for window functions")
	}
}

// resolveCall chooses the function; nil if the call is something else.
func (s *scope) resolveCall(e *ast.FuncCall, name string, args []scalar) *funcs.Match {
	b := s.b
	o := funcs.ResolveOptions{Variadic: e.Variadic}
	for i, n := range e.ArgNames {
		if n != "" {
			o.Names = append(o.Names, n)
		} else if len(o.Names) > 0 {
			b.fail(loc(e.Args[i]), errs.SyntaxError, "positional argument cannot follow named argument")
		}
	}
	list := make([]funcs.Arg, len(args))
	for i, a := range args {
		list[i].Type = a.Type()
	}
	m, err := funcs.ResolveFunc(name, list, o)
	if err != nil {
		if errs.CodeOf(err) == errs.UndefinedFunction && len(args) == 1 && len(e.Name) == 1 && s.attribute(args[0], name) != nil {
			return nil
		}
		if len(e.Name) == 2 && b.o.Snapshot.Schema(e.Name[0]) == nil && errs.CodeOf(err) == errs.UndefinedFunction {
			b.fail(e.Pos(), errs.InvalidSchemaName, "schema %s does not exist", quoted(e.Name[0]))
		}
		b.bail(e.Pos(), err)
	}
	if m.Func.OID == 0 && len(args) == 1 && m.Func.Kind == 'f' {
		return nil
	}
	if e.Star && len(m.Func.Args) > 0 {
		b.bail(e.Pos(), errs.New(errs.UndefinedFunction, "function %s() does not exist", name))
	}
	if m.Func.Kind == 'a' && !e.Star && len(args) == 0 && !e.WithinGroup {
		b.fail(e.Pos(), errs.WrongObjectType, "%s(*) must be used to call a parameterless aggregate function", name)
	}
	return m
}

// attribute is the field of a row value whose name was used like a function's.
func (s *scope) attribute(arg scalar, name string) scalar {
	for i, f := range s.b.fieldsOf(arg) {
		if f.Name == name {
			return fieldAt(arg, i, f)
		}
	}
	return nil
}

func (s *scope) callOther(e *ast.FuncCall, name string, args []scalar) scalar {
	b := s.b
	what := ""
	switch {
	case e.Star:
		b.fail(e.Pos(), errs.WrongObjectType, "%s(*) specified, but %s is not an aggregate function", name, name)
	case e.Distinct:
		what = "DISTINCT"
	case e.WithinGroup:
		what = "WITHIN GROUP"
	case len(e.OrderBy) > 0:
		what = "ORDER BY"
	case e.Filter != nil:
		what = "FILTER"
	}
	if what != "" {
		b.fail(e.Pos(), errs.WrongObjectType, "%s specified, but %s is not an aggregate function", what, name)
	}
	if e.Over != nil {
		b.fail(e.Pos(), errs.WrongObjectType, "OVER specified, but %s is not a window function nor an aggregate function", name)
	}
	if a := s.attribute(args[0], name); a != nil {
		return a
	}
	t := types.ByName(e.Name[len(e.Name)-1])
	return b.explicit(args[0], t, types.NoTypmod, e.Pos(), e.Args[0])
}

// callArgs converts arguments to what the function takes, and gathers variadic ones.
func (b *binder) callArgs(m *funcs.Match, args []scalar, pos int) ([]scalar, int) {
	ordered := args
	if m.Order != nil {
		ordered = make([]scalar, len(m.Order))
		for i, from := range m.Order {
			if from >= 0 {
				ordered[i] = args[from]
				continue
			}
			defaults := m.Func.DefaultValues
			k := len(defaults) - (len(m.Func.Args) - i)
			if k < 0 || k >= len(defaults) {
				b.unsupported(pos, "leaving out argument %d of function %s", i+1, m.Func.Name)
			}
			ordered[i] = &algebra.Const{T: noMod(m.ArgTypes[i]), Value: defaults[k]}
		}
	}
	out := make([]scalar, len(ordered))
	for i, a := range ordered {
		out[i] = a
		if i < len(m.ArgTypes) {
			out[i] = b.implicit(a, m.ArgTypes[i], pos)
		}
	}
	if m.VariadicFrom < 0 {
		missing := len(m.Func.Args) - len(out)
		if defaults := m.Func.DefaultValues; missing > 0 && missing <= len(defaults) {
			for i, d := range defaults[len(defaults)-missing:] {
				out = append(out, &algebra.Const{T: noMod(m.Func.Args[len(m.Func.Args)-missing+i]), Value: d})
			}
		}
		return out, -1
	}
	at := m.VariadicFrom
	elem := m.ArgTypes[at]
	if elem.Array == nil {
		b.fail(pos, errs.UndefinedObject, "could not find array type for data type %s", elem)
	}
	return append(out[:at:at], &algebra.ArrayCtor{T: noMod(elem.Array), Elems: out[at:]}), at
}

// callNamed calls a built-in function by name.
func (b *binder) callNamed(name string, args []scalar, pos int) scalar {
	list := make([]funcs.Arg, len(args))
	for i, a := range args {
		list[i].Type = a.Type()
	}
	m, err := funcs.ResolveFunc(name, list, funcs.ResolveOptions{})
	if err != nil {
		b.bail(pos, err)
	}
	args, at := b.callArgs(m, args, pos)
	return b.newCall(&algebra.Call{T: noMod(m.Result), Func: m.Func, Args: args, VariadicAt: at, Pos: b.textPos(pos)})
}

// keyword binds current_date and the other functions without parentheses. Those of the time are views of now().
func (s *scope) keyword(e *ast.FuncCall) scalar {
	b, pos := s.b, e.Pos()
	word := e.Name[len(e.Name)-1]
	var t *types.Type
	var out scalar
	switch word {
	case "current_date":
		t = types.Date
	case "current_time":
		t = types.TimeTZType
	case "current_timestamp":
		t = types.TimestampTZ
	case "localtime":
		t = types.Time
	case "localtimestamp":
		t = types.Timestamp
	case "current_user", "current_role", "user":
		out = b.callNamed("current_user", nil, pos)
	case "session_user":
		out = b.callNamed("session_user", nil, pos)
	case "current_catalog":
		out = b.callNamed("current_database", nil, pos)
	case "current_schema":
		out = b.callNamed("current_schema", nil, pos)
	default:
		b.unsupported(pos, "%s", strings.ToUpper(word))
	}
	text := strings.ToUpper(word)
	if t != nil {
		mod := types.NoTypmod
		if len(e.Args) > 0 {
			c, ok := b.constant(e.Args[0].(*ast.Literal)).(*algebra.Const)
			if !ok || c.Typ != types.Int4 {
				b.fail(pos, errs.InvalidParameterValue, "%s precision must be an integer", text)
			}
			mod = int32(min(c.Value.Int(), 6))
			text += "(" + e.Args[0].(*ast.Literal).Value + ")"
		}
		var ok bool
		if out, ok = b.convert(b.callNamed("now", nil, pos), t, mod, funcs.CastExplicit, pos); !ok {
			b.unsupported(pos, "%s", text)
		}
	}
	if b.text != nil {
		b.text.keywords[out] = text
	}
	return out
}

// setCall is a set-returning function in a select list or the like.
type setCall struct {
	item  algebra.Item
	depth int  // of set-returning functions in its arguments
	done  bool // computed below the grouping
}

// setReturning notes a set-returning function, which ProjectSet will compute, and gives its column.
func (s *scope) setReturning(e *ast.FuncCall, c *algebra.Call) scalar {
	b := s.b
	if s.clause == inFromFunction {
		b.fail(e.Pos(), errs.FeatureNotSupported, "set-returning functions must appear at top level of FROM")
	}
	s.checkSetAllowed(e.Pos())
	if c.Func.Volatility == 'v' {
		b.volatile, b.q.Volatile = true, true
	} else {
		for _, x := range s.sets {
			if algebra.Equal(x.item.Expr, c) {
				return b.col(x.item.ID, e.Pos())
			}
		}
	}
	x := &setCall{}
	v := algebra.Visitor{Scalar: func(a scalar) bool {
		if col, ok := a.(*algebra.Col); ok {
			for _, inner := range s.sets {
				if inner.item.ID == col.ID {
					x.depth = max(x.depth, inner.depth+1)
				}
			}
		}
		return true
	}}
	v.VisitScalar(c)
	fields := outFields(c)
	t := c.T
	if len(fields) == 1 {
		t = typeOf(fields[0].Type, fields[0].Typmod)
	}
	id := b.newCol(algebra.Column{Name: c.Func.Name, T: t}, colInfo{scope: s, kind: setCol})
	if len(fields) > 1 {
		b.setRecord(id, fields)
	}
	x.item = algebra.Item{ID: id, Expr: c}
	s.sets = append(s.sets, x)
	return b.col(id, e.Pos())
}

func (b *binder) setRecord(id algebra.ColID, fields []types.Field) {
	if b.records == nil {
		b.records = map[algebra.ColID][]types.Field{}
	}
	b.records[id] = fields
}

func sortExprs(items []*ast.SortItem) []ast.Expr {
	out := make([]ast.Expr, len(items))
	for i, it := range items {
		out[i] = it.Expr
	}
	return out
}
