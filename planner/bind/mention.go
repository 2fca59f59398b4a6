package bind

import "holdfast/sql/ast"

// mentions reports whether a query names a table of that name anywhere, which is what makes a WITH query
// recursive.
func mentions(q *ast.Select, name string) bool {
	m := mentioner(name)
	return m.query(q)
}

type mentioner string

func (m mentioner) query(q *ast.Select) bool {
	if q == nil {
		return false
	}
	if q.With != nil {
		for _, c := range q.With.CTEs {
			if s, ok := c.Stmt.(*ast.Select); ok && m.query(s) {
				return true
			}
			if c.Name == string(m) {
				return false
			}
		}
	}
	if m.query(q.Left) || m.query(q.Right) || m.expr(q.Where) || m.expr(q.Having) || m.expr(q.Limit) || m.expr(q.Offset) || m.exprs(q.DistinctOn) {
		return true
	}
	for _, t := range q.From {
		if m.table(t) {
			return true
		}
	}
	for _, t := range q.Targets {
		if m.expr(t.Expr) {
			return true
		}
	}
	for _, row := range q.Values {
		if m.exprs(row) {
			return true
		}
	}
	for _, g := range q.GroupBy {
		if m.expr(g.Expr) {
			return true
		}
	}
	return m.sorts(q.OrderBy)
}

func (m mentioner) table(t ast.TableExpr) bool {
	switch t := t.(type) {
	case *ast.TableRef:
		return t.Table.Schema == "" && t.Table.Name == string(m)
	case *ast.SubqueryRef:
		return m.query(t.Query)
	case *ast.FuncRef:
		return m.exprs(t.Calls)
	case *ast.Join:
		return m.table(t.Left) || m.table(t.Right) || m.expr(t.On)
	}
	return false
}

func (m mentioner) exprs(list []ast.Expr) bool {
	for _, e := range list {
		if m.expr(e) {
			return true
		}
	}
	return false
}

func (m mentioner) sorts(list []*ast.SortItem) bool {
	for _, s := range list {
		if m.expr(s.Expr) {
			return true
		}
	}
	return false
}

func (m mentioner) expr(e ast.Expr) bool {
	switch e := e.(type) {
	case nil:
	case *ast.Subquery:
		return m.expr(e.Left) || m.query(e.Query)
	case *ast.FuncCall:
		return m.exprs(e.Args) || m.sorts(e.OrderBy) || m.expr(e.Filter)
	case *ast.Op:
		return m.expr(e.Left) || m.expr(e.Right)
	case *ast.BoolOp:
		return m.exprs(e.Args)
	case *ast.NullTest:
		return m.expr(e.Arg)
	case *ast.BoolTest:
		return m.expr(e.Arg)
	case *ast.Distinct:
		return m.expr(e.Left) || m.expr(e.Right)
	case *ast.In:
		return m.expr(e.Arg) || m.exprs(e.List)
	case *ast.Between:
		return m.expr(e.Arg) || m.expr(e.Low) || m.expr(e.High)
	case *ast.Like:
		return m.expr(e.Arg) || m.expr(e.Pattern) || m.expr(e.Escape)
	case *ast.Case:
		for _, w := range e.Whens {
			if m.expr(w.Cond) || m.expr(w.Result) {
				return true
			}
		}
		return m.expr(e.Arg) || m.expr(e.Else)
	case *ast.Coalesce:
		return m.exprs(e.Args)
	case *ast.MinMax:
		return m.exprs(e.Args)
	case *ast.NullIf:
		return m.expr(e.Left) || m.expr(e.Right)
	case *ast.Cast:
		return m.expr(e.Arg)
	case *ast.Collate:
		return m.expr(e.Arg)
	case *ast.Array:
		return m.exprs(e.Elems)
	case *ast.Row:
		return m.exprs(e.Fields)
	case *ast.AnyAll:
		return m.expr(e.Left) || m.expr(e.Array)
	case *ast.Subscript:
		return m.expr(e.Arg) || m.expr(e.Lower) || m.expr(e.Upper)
	case *ast.Field:
		return m.expr(e.Arg)
	}
	return false
}
