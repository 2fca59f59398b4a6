package bind

import (
	"strconv"

	"holdfast/sql/algebra"
	"holdfast/sql/ast"
	"holdfast/sql/errs"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// ORDER BY, GROUP BY and DISTINCT ON name columns of the result by ordinal or name, or hold expressions.

// orderBy binds ORDER BY.
func (x *selecting) orderBy(items []*ast.SortItem) []sortItem {
	var out []sortItem
	for _, it := range items {
		t := x.findTarget(it.Expr, inOrderBy)
		if sorted(out, t) {
			continue
		}
		t.expr = x.b.known(t.expr)
		s := x.b.sortItem(it, t.expr.Type())
		s.t = t
		out = append(out, s)
	}
	return out
}

// sortItem is the direction of an item of ORDER BY over a type.
func (b *binder) sortItem(it *ast.SortItem, t *types.Type) sortItem {
	s := sortItem{desc: it.Desc, pos: loc(it.Expr), using: it.Using}
	if it.Using != "" {
		m, err := funcs.ResolveOperator(it.Using, t, t)
		if err != nil {
			b.bail(it.Pos(), err)
		}
		switch m.Operator.Strategy {
		case 1:
		case 5:
			s.desc = true
		default:
			b.bail(it.Pos(), errs.New(errs.WrongObjectType, "operator %s is not a valid ordering operator", it.Using).
				WithHint("Ordering operators must be \"<\" or \">\" members of btree operator families."))
		}
	} else if _, err := funcs.OrderingOperator(t); err != nil {
		b.bail(s.pos, err)
	}
	s.nullsFirst = s.desc
	if it.NullsFirst != nil {
		s.nullsFirst = *it.NullsFirst
	}
	return s
}

func (x *selecting) sortKeys() []algebra.SortKey {
	var keys []algebra.SortKey
	for _, s := range x.sort {
		keys = append(keys, algebra.SortKey{ID: s.t.id, Desc: s.desc, NullsFirst: s.nullsFirst})
	}
	for _, t := range x.on {
		if !sorted(x.sort, t) {
			keys = append(keys, algebra.SortKey{ID: t.id})
		}
	}
	return keys
}

// findTarget finds the item of the select list that an item of ORDER BY, GROUP BY or DISTINCT ON means, or adds
// one that is not shown. A bare name is one of the result's columns; in GROUP BY a column of FROM goes first.
func (x *selecting) findTarget(e ast.Expr, c clause) *target {
	b := x.b
	switch e := e.(type) {
	case *ast.ColumnRef:
		if len(e.Names) != 1 || e.Star {
			break
		}
		name := e.Names[0]
		if c == inGroupBy && x.local().lookup(name, e.Pos()) != nil {
			break
		}
		var found *target
		for _, t := range x.targets {
			if t.junk || t.name != name {
				continue
			}
			if found != nil && !algebra.Equal(found.expr, t.expr) {
				b.fail(e.Pos(), errs.AmbiguousColumn, "%s %s is ambiguous", c, quoted(name))
			}
			if found == nil {
				found = t
			}
		}
		if found != nil {
			x.checkGroupTarget(found, c)
			return found
		}
	case *ast.Literal:
		if e.Kind == ast.LitBool || e.Kind == ast.LitNull {
			break
		}
		if e.Kind != ast.LitInt {
			b.fail(e.Pos(), errs.SyntaxError, "non-integer constant in %s", c)
		}
		n, err := strconv.ParseInt(e.Value, 10, 32)
		if err != nil {
			b.fail(e.Pos(), errs.SyntaxError, "non-integer constant in %s", c)
		}
		for _, t := range x.targets {
			if t.junk {
				continue
			}
			if n--; n == 0 {
				x.checkGroupTarget(t, c)
				return t
			}
		}
		b.fail(e.Pos(), errs.InvalidColumnReference, "%s position %s is not in select list", c, e.Value)
	}
	expr := x.exprIn(c, e)
	for _, t := range x.targets {
		if algebra.Equal(t.expr, expr) { // also random(): PostgreSQL takes the two for one
			b.forget(expr)
			return t
		}
	}
	t := &target{name: "?column?", expr: expr, pos: loc(e), junk: true, ast: e}
	x.targets = append(x.targets, t)
	return t
}

// local is the scope without its outer queries.
func (s *scope) local() *scope {
	c := *s
	c.parent = nil
	return &c
}

// checkGroupTarget refuses to group by an item of the select list that holds an aggregate or window function.
func (x *selecting) checkGroupTarget(t *target, c clause) {
	if c != inGroupBy {
		return
	}
	v := algebra.Visitor{Scalar: func(a scalar) bool {
		if col, ok := a.(*algebra.Col); ok && x.b.info(col.ID).scope == x.scope {
			switch x.b.info(col.ID).kind {
			case aggCol:
				x.b.fail(offset(col.Place), errs.GroupingError, "aggregate functions are not allowed in GROUP BY")
			case windowCol:
				x.b.fail(offset(col.Place), errs.WindowingError, "window functions are not allowed in GROUP BY")
			}
		}
		return true
	}}
	v.VisitScalar(t.expr)
}

// bindGroupBy binds GROUP BY.
func (x *selecting) bindGroupBy(items []*ast.GroupItem, distinct bool) {
	var nodes []*groupNode
	plain := true
	for _, g := range items {
		x.groupBy = true
		plain = plain && g.Kind == ""
		nodes = append(nodes, x.groupNode(g))
	}
	if plain {
		return
	}
	x.nodes = nodes
	sets := x.groupingSets(nodes, distinct)
	if len(sets) > 1 {
		x.groupSets = sets
		return
	}
	x.group = nil
	for _, t := range sets[0] {
		if !hasTarget(x.group, t) {
			x.group = append(x.group, t)
		}
	}
}
