package bind

import (
	"holdfast/sql/algebra"
	"holdfast/sql/ast"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// Queries as expressions.

func (s *scope) subquery(e *ast.Subquery) scalar {
	b := s.b
	s.checkQueryAllowed(e.Pos())
	switch e.Kind {
	case ast.ExistsSubquery:
		q := s.nested(e.Query)
		return b.note(&algebra.Subquery{T: noMod(types.Bool), Kind: algebra.ExistsSubquery, Rel: q.rel}, q)
	case ast.ScalarSubquery:
		q := s.nested(e.Query)
		if len(q.cols) != 1 {
			b.fail(e.Pos(), errs.SyntaxError, "subquery must return only one column")
		}
		c := q.cols[0]
		return b.note(&algebra.Subquery{T: b.q.Column(c.id).T, Kind: algebra.ScalarSubquery, Rel: q.rel}, q)
	case ast.ArraySubquery:
		q := s.nested(e.Query)
		if len(q.cols) != 1 {
			b.fail(e.Pos(), errs.SyntaxError, "subquery must return only one column")
		}
		t := b.q.Column(q.cols[0].id).Typ
		arr := t.Array
		if t.IsArray() {
			arr = t
		}
		if arr == nil {
			b.fail(e.Pos(), errs.UndefinedObject, "could not find array type for data type %s", t)
		}
		return b.note(&algebra.Subquery{T: noMod(arr), Kind: algebra.ArraySubquery, Rel: q.rel}, q)
	}
	return s.anyAllQuery(e)
}

// nested binds a query within an expression. Untyped literals in its select list become text.
func (s *scope) nested(q *ast.Select) *result {
	return s.b.selectStmt(q, s, nil, true)
}

// anyAllQuery binds x op ANY|ALL (query) and [NOT] IN.
func (s *scope) anyAllQuery(e *ast.Subquery) scalar {
	b := s.b
	var left []scalar
	if row, ok := e.Left.(*ast.Row); ok {
		left = s.rowFields(row)
	} else {
		left = []scalar{s.expr(e.Left)}
	}
	q := s.nested(e.Query)
	if len(left) < len(q.cols) {
		b.fail(e.Pos(), errs.SyntaxError, "subquery has too many columns")
	}
	if len(left) > len(q.cols) {
		b.fail(e.Pos(), errs.SyntaxError, "subquery has too few columns")
	}
	name := e.Op
	if name == "" {
		name = "="
	}
	kind := algebra.AnySubquery
	if e.Kind == ast.AllSubquery {
		kind = algebra.AllSubquery
	}
	if len(left) > 1 {
		switch name {
		case "=", "<>":
		case "<", "<=", ">", ">=":
			b.unsupported(e.Pos(), "comparing rows with %s ANY or ALL of a query", name)
		default:
			b.bail(e.Pos(), errs.New(errs.FeatureNotSupported, "could not determine interpretation of row comparison operator %s", name).
				WithHint("Row comparison operators must be associated with btree operator families."))
		}
	}
	out := &algebra.Subquery{T: noMod(types.Bool), Kind: kind, Op: name, Not: e.Not}
	var items []algebra.Item
	converted := false
	for i, l := range left {
		c := b.col(q.cols[i].id, -1)
		m := b.resolveOp("", name, l, c, e.Pos())
		if m.Result != types.Bool {
			if len(left) > 1 {
				b.fail(e.Pos(), errs.DatatypeMismatch, "row comparison operator must yield type boolean, not type %s", m.Result)
			}
			b.fail(e.Pos(), errs.DatatypeMismatch, "operator %s must return type boolean, not type %s", name, m.Result)
		}
		out.Left = append(out.Left, b.implicit(l, m.Left, e.Pos()))
		out.Funcs = append(out.Funcs, m.Operator.Func)
		right := b.implicit(c, m.Right, e.Pos())
		id := c.ID
		if right != scalar(c) {
			converted = true
			id = b.newCol(algebra.Column{Name: q.cols[i].name, T: typeOf(right.Type(), right.Mod())}, colInfo{scope: s})
		}
		items = append(items, algebra.Item{ID: id, Expr: right})
	}
	out.Rel = q.rel
	if converted {
		out.Rel = &algebra.Project{Input: q.rel, Items: items}
	}
	return b.note(out, q)
}

// subqueryFields are the columns of a query that gives one row, for comparison with a row constructor.
func (s *scope) subqueryFields(e *ast.Subquery, n int) []scalar {
	b := s.b
	s.checkQueryAllowed(e.Pos())
	q := s.nested(e.Query)
	if len(q.cols) > n {
		b.fail(e.Pos(), errs.SyntaxError, "subquery has too many columns")
	}
	if len(q.cols) < n {
		b.fail(e.Pos(), errs.SyntaxError, "subquery has too few columns")
	}
	return s.columnQueries(e.Query, q)
}

// columnQueries makes of a query with several columns one for each of them. q is the query bound once.
func (s *scope) columnQueries(query *ast.Select, q *result) []scalar {
	b := s.b
	out := make([]scalar, len(q.cols))
	for i := range out {
		if i > 0 {
			q = s.nested(query)
		}
		id := q.cols[i].id
		p := &algebra.Project{Input: q.rel, Items: []algebra.Item{{ID: id, Expr: b.col(id, -1)}}}
		out[i] = b.note(&algebra.Subquery{T: b.q.Column(id).T, Kind: algebra.ScalarSubquery, Rel: p}, q)
	}
	return out
}

// recordOf makes one row value of the only row of a query, and gives its fields. All NULL if there is no row.
func (b *binder) recordOf(q *result, s *scope) []scalar {
	row := &algebra.Row{T: noMod(types.RecordType)}
	for _, c := range q.cols {
		row.Fields = append(row.Fields, b.col(c.id, -1))
		row.Names = append(row.Names, c.name)
	}
	id := b.newCol(algebra.Column{Name: "row", T: row.T}, colInfo{scope: s})
	sub := b.note(&algebra.Subquery{T: row.T, Kind: algebra.ScalarSubquery,
		Rel: &algebra.Project{Input: q.rel, Items: []algebra.Item{{ID: id, Expr: row}}}}, q)
	out := make([]scalar, len(q.cols))
	for i, c := range q.cols {
		t := b.q.Column(c.id).T
		out[i] = &algebra.FieldOf{T: t, Arg: sub, Field: i}
	}
	return out
}
