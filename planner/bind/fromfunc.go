package bind

import (
	"holdfast/sql/algebra"
	"holdfast/sql/ast"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// Functions in FROM.

// funcRef binds one or more functions in FROM. Their arguments may refer to items before them.
func (s *scope) funcRef(f *ast.FuncRef) (algebra.Rel, *source) {
	b := s.b
	if len(f.ColumnDefs) > 0 && len(f.Calls) > 1 {
		b.bail(f.Pos(), errs.New(errs.SyntaxError, "ROWS FROM() with multiple functions cannot have a column definition list").
			WithHint("Put a separate column definition list for each function inside ROWS FROM()."))
	}
	calls := f.Calls
	if len(calls) == 1 {
		calls = splitUnnest(calls[0])
	}
	name := ""
	if len(f.Calls) > 0 {
		name, _ = columnName(f.Calls[0])
	}
	alias := aliasName(f.Alias, "")
	if alias != "" {
		name = alias
	}
	scan := &algebra.FuncScan{Alias: name}
	src := &source{name: name, function: true}
	old, oldClause, oldLateral := s.lateralActive, s.clause, b.lateral
	s.lateralActive, s.clause, b.lateral = true, inFromFunction, false
	for _, call := range calls {
		s.funcCall(scan, src, call, f, alias, len(calls))
	}
	s.lateralActive, s.clause = old, oldClause
	src.lateral = b.lateral
	b.lateral = b.lateral || oldLateral
	if f.Ordinality {
		scan.Ordinality = s.funcColumn(src, "ordinality", noMod(types.Int8))
	}
	if len(src.cols) > 1 {
		src.whole = nil
	}
	return scan, s.add(src, f.Alias, "table")
}

// splitUnnest makes of unnest(a, b) two calls side by side.
func splitUnnest(call ast.Expr) []ast.Expr {
	c, ok := call.(*ast.FuncCall)
	if !ok || len(c.Name) != 1 || c.Name[0] != "unnest" || len(c.Args) < 2 || c.Variadic || c.ArgNames != nil {
		return []ast.Expr{call}
	}
	out := make([]ast.Expr, len(c.Args))
	for i, a := range c.Args {
		out[i] = &ast.FuncCall{At: c.At, Name: []string{"pg_catalog", "unnest"}, Args: []ast.Expr{a}}
	}
	return out
}

// funcCall binds one function and adds its columns.
func (s *scope) funcCall(scan *algebra.FuncScan, src *source, call ast.Expr, f *ast.FuncRef, alias string, n int) {
	b := s.b
	if c, ok := call.(*ast.FuncCall); ok {
		s.topCall = c
	}
	e := s.expr(call)
	s.topCall = nil
	e = b.known(e)
	own, _ := columnName(call)
	fc := &algebra.FuncCall{Call: e}
	defs := f.ColumnDefs
	fields := b.fieldsOf(e)
	t := e.Type()
	switch {
	case len(defs) > 0:
		if t != types.RecordType {
			b.fail(defs[0].Pos(), errs.SyntaxError, "a column definition list is only allowed for functions returning \"record\"")
		}
		if fields != nil {
			b.fail(defs[0].Pos(), errs.SyntaxError, "a column definition list is redundant for a function with OUT parameters")
		}
		fc.Cols = s.definedColumns(src, fc, defs)
	case fields != nil && (t == types.RecordType || t.Underlying().Kind == 'c') && len(fields) != 1:
		for _, c := range fields {
			fc.Cols = append(fc.Cols, s.funcColumn(src, c.Name, typeOf(c.Type, c.Typmod)))
		}
	case t == types.RecordType && fields == nil:
		b.fail(call.Pos(), errs.SyntaxError, "a column definition list is required for functions returning \"record\"")
	default:
		name := own
		if len(fields) == 1 && fields[0].Name != "" {
			name = fields[0].Name
		} else if n == 1 && alias != "" {
			name = alias
		}
		fc.Cols = []algebra.ColID{s.funcColumn(src, name, typeOf(t, e.Mod()))}
		src.whole = t
	}
	scan.Calls = append(scan.Calls, fc)
	src.calls = append(src.calls, fc.Call)
}

func (s *scope) funcColumn(src *source, name string, t algebra.T) algebra.ColID {
	id := s.b.newCol(algebra.Column{Name: name, T: t}, colInfo{scope: s, src: src})
	src.cols = append(src.cols, &column{name: name, expr: s.b.col(id, -1)})
	return id
}

// definedColumns are the columns of a function returning record, as the query says they are. The function
// learns them from its type, a composite type without OID.
func (s *scope) definedColumns(src *source, fc *algebra.FuncCall, defs []*ast.ColumnDef) []algebra.ColID {
	b := s.b
	var cols []algebra.ColID
	var fields []types.Field
	for _, d := range defs {
		t, mod := b.typeName(d.Type)
		for _, other := range fields {
			if other.Name == d.Name {
				b.fail(d.Pos(), errs.DuplicateColumn, "column name %s specified more than once", quoted(d.Name))
			}
		}
		fields = append(fields, types.Field{Name: d.Name, Type: t, Typmod: mod})
		cols = append(cols, s.funcColumn(src, d.Name, typeOf(t, mod)))
	}
	c, ok := fc.Call.(*algebra.Call)
	if !ok {
		b.unsupported(defs[0].Pos(), "a column definition list for this expression")
	}
	typed := *c
	typed.T = noMod(types.NewComposite(0, "record", fields))
	fc.Call = &typed
	return cols
}
