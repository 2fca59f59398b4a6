package bind

import (
	"strings"

	"holdfast/sql/algebra"
	"holdfast/sql/ast"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// ON CONFLICT.

func (s *scope) checkOnConflict(c *ast.OnConflict) {
	if c.DoUpdate && len(c.Target) == 0 && c.Constraint == "" {
		s.b.bail(c.Pos(), errs.New(errs.SyntaxError, "ON CONFLICT DO UPDATE requires inference specification or constraint name").
			WithHint("For example, ON CONFLICT (column_name)."))
	}
}

func (s *scope) onConflict(c *ast.OnConflict, w *writeTarget) *algebra.OnConflict {
	b := s.b
	base := w.bases[0]
	out := &algebra.OnConflict{DoUpdate: c.DoUpdate}
	out.Arbiters = s.arbiters(c, w)
	if !c.DoUpdate {
		s.checkArbiters(c, out)
		return out
	}
	// The existing row goes by the table's name, the proposed one by "excluded".
	b.oldRow(s, base)
	out.Old, out.Key = base.old, base.key
	excluded := &source{owner: s, name: "excluded", relVisible: true, colsVisible: true, base: w.table, alias: true}
	to := map[algebra.ColID]algebra.ColID{}
	for i, n := range base.new {
		desc := *b.q.Column(n.ID)
		id := b.newCol(desc, colInfo{scope: s, src: excluded})
		out.Excluded = append(out.Excluded, algebra.ScanColumn{ID: id, Number: n.Number})
		to[base.old[i].ID] = id
	}
	old := w.oldSource(b, s)
	for _, col := range old.cols {
		x := *col
		x.expr = renumber(to).RewriteScalar(col.expr)
		excluded.cols = append(excluded.cols, &x)
	}
	s.visible = []*source{old, excluded}
	s.all = append(s.all, excluded)
	if c.UpdateWhere != nil {
		out.Where = s.condition(inWhere, c.UpdateWhere)
	}
	set := s.setClauses(w, c.Set, nil)
	out.Set = b.assignments(s, base, set, nil)
	s.checkArbiters(c, out)
	return out
}

// checkArbiters refuses a conflict target that no index answers to. PostgreSQL finds out only when it plans.
func (s *scope) checkArbiters(c *ast.OnConflict, out *algebra.OnConflict) {
	if len(c.Target) > 0 && len(out.Arbiters) == 0 {
		s.b.fail(-1, errs.InvalidColumnReference, "there is no unique or exclusion constraint matching the ON CONFLICT specification")
	}
}

// oldRow gives columns to the existing row of a conflict. Views over the table are seen through them.
func (b *binder) oldRow(s *scope, base *baseTable) {
	base.old = nil
	for _, n := range base.new {
		id := b.newCol(*b.q.Column(n.ID), colInfo{scope: s, src: base.src})
		base.old = append(base.old, algebra.ScanColumn{ID: id, Number: n.Number})
	}
	base.key = b.newCol(algebra.Column{Name: "ctid", T: noMod(keyType), Table: base.table.OID, Number: catalog.RowKeyNumber}, colInfo{scope: s, src: base.src})
}

// oldSource is the target as the existing row of a conflict.
func (w *writeTarget) oldSource(b *binder, s *scope) *source {
	to := map[algebra.ColID]algebra.ColID{}
	for i, n := range w.bases[0].new {
		to[n.ID] = w.bases[0].old[i].ID
	}
	r := renumber(to)
	src := &source{owner: s, name: w.src.name, table: w.table, alias: w.src.alias, relVisible: true, colsVisible: true, base: w.table, target: true}
	for i, c := range w.src.cols {
		x := *c
		x.src = nil
		x.expr = r.RewriteScalar(c.expr)
		src.cols = append(src.cols, &x)
		c.expr = x.expr // from now on the target's own expressions are over the old row
		w.cols[i].expr = x.expr
	}
	for i := range w.checks {
		w.checks[i].Cond = r.RewriteScalar(w.checks[i].Cond)
	}
	if w.view == nil {
		src.oid = tableOID(w.table)
	}
	return src
}

func renumber(to map[algebra.ColID]algebra.ColID) *algebra.Rewriter {
	return &algebra.Rewriter{Scalar: func(e scalar) (scalar, bool) {
		c, ok := e.(*algebra.Col)
		if !ok {
			return nil, false
		}
		if id := to[c.ID]; id != 0 {
			return &algebra.Col{T: c.T, ID: id, Place: c.Place}, true
		}
		return c, true
	}}
}

// arbiters are the unique indexes whose conflicts are meant.
func (s *scope) arbiters(c *ast.OnConflict, w *writeTarget) []*catalog.Index {
	b := s.b
	t := w.bases[0].table
	if c.Constraint != "" {
		return []*catalog.Index{b.namedArbiter(t, c.Constraint)}
	}
	if len(c.Target) == 0 {
		return nil
	}
	s.visible = []*source{w.src}
	setLateral(s.visible, false, true)
	w.src.relVisible, w.src.colsVisible = true, true
	columns := map[int16]bool{}
	var exprs []scalar
	byID := map[algebra.ColID]int16{}
	for _, n := range w.bases[0].new {
		byID[n.ID] = n.Number
	}
	for _, elem := range c.Target {
		if elem.Desc || elem.NullsFirst != nil {
			what := "ASC/DESC"
			if elem.NullsFirst != nil {
				what = "NULLS FIRST/LAST"
			}
			b.fail(elem.Pos()-1, errs.InvalidColumnReference, "%s is not allowed in ON CONFLICT clause", what)
		}
		if n := len(elem.OpClass); n > 0 && !strings.HasSuffix(elem.OpClass[n-1], "_ops") {
			b.fail(-1, errs.UndefinedObject, "operator class %s does not exist for access method \"btree\"", quoted(elem.OpClass[n-1]))
		}
		if len(elem.Collation) > 0 {
			b.checkCollation(elem.Collation, elem.Pos())
		}
		e := elem.Expr
		if e == nil {
			pos := c.TargetAt
			if pos < 0 {
				pos = c.At
			}
			e = &ast.ColumnRef{At: pos, Names: []string{elem.Column}}
		}
		x := s.exprIn(inIndexExpr, e)
		if col, ok := x.(*algebra.Col); ok && byID[col.ID] != 0 {
			columns[byID[col.ID]] = true
		} else {
			exprs = append(exprs, x)
		}
	}
	var where scalar
	if c.Where != nil {
		where = s.condition(inIndexPredicate, c.Where)
	}
	row := b.rowSource(w.bases[0])
	var found []*catalog.Index
	for _, x := range t.Indexes {
		if x.Unique && !x.Invalid && !deferrable(t, x) && b.arbitrates(x, columns, exprs, where, row) {
			found = append(found, x)
		}
	}
	return found
}

// namedArbiter is the index of a constraint whose conflicts are meant.
func (b *binder) namedArbiter(t *catalog.Table, name string) *catalog.Index {
	for _, k := range t.Constraints {
		if k.Name != name {
			continue
		}
		x := t.Index(k.Index)
		if x == nil || k.Kind != catalog.PrimaryKeyConstraint && k.Kind != catalog.UniqueConstraint {
			b.fail(-1, errs.WrongObjectType, "constraint in ON CONFLICT clause has no associated index")
		}
		if k.Deferrable {
			b.fail(-1, errs.ObjectNotInPrerequisiteState, "ON CONFLICT does not support deferrable unique constraints/exclusion constraints as arbiters")
		}
		return x
	}
	b.fail(-1, errs.UndefinedObject, "constraint %s for table %s does not exist", quoted(name), quoted(t.Name))
	return nil
}

// rowSource shows the new row of a base table under the table's own names, for expressions of the catalog.
func (b *binder) rowSource(base *baseTable) *source {
	src := &source{name: base.table.Name, table: base.table}
	for _, n := range base.new {
		src.cols = append(src.cols, &column{name: base.table.Columns[n.Number-1].Name, number: n.Number, expr: b.col(n.ID, -1)})
	}
	return src
}

// arbitrates reports whether an index has exactly the columns and expressions given, and a predicate that the
// condition given implies: each part of it is one of the condition's.
func (b *binder) arbitrates(x *catalog.Index, columns map[int16]bool, exprs []scalar, where scalar, row *source) bool {
	seen := map[int16]bool{}
	matched := make([]bool, len(exprs))
	for _, k := range x.Keys {
		if k.Column != 0 {
			if !columns[k.Column] {
				return false
			}
			seen[k.Column] = true
			continue
		}
		e := b.storedKey(k.Expr, row)
		found := false
		for i, y := range exprs {
			if algebra.Equal(e, y) {
				matched[i], found = true, true
			}
		}
		if !found {
			return false
		}
	}
	if len(seen) != len(columns) {
		return false
	}
	for _, m := range matched {
		if !m {
			return false
		}
	}
	if x.Predicate == "" {
		return true
	}
	if where == nil {
		return false
	}
	given := conjuncts(where)
	for _, p := range conjuncts(b.storedExpr(x.Predicate, row, inIndexPredicate, nil)) {
		found := false
		for _, g := range given {
			found = found || implies(g, p)
		}
		if !found {
			return false
		}
	}
	return true
}

// storedKey binds the expression of an index.
func (b *binder) storedKey(text string, row *source) scalar {
	e, err := parsedExprs.get(text)
	if err != nil {
		b.bail(-1, err)
	}
	var out scalar
	b.inForeign(func() {
		s := b.newScope(nil)
		r := *row
		r.relVisible, r.colsVisible = true, true
		s.visible = []*source{&r}
		out = b.known(s.exprIn(inIndexExpr, e))
	})
	return out
}

// implies reports whether a condition that is true makes another one true: it is the same, or a comparison of
// the same expression with a constant that leaves less room, or a comparison where IS NOT NULL is asked for.
func implies(given, wanted scalar) bool {
	if algebra.Equal(given, wanted) {
		return true
	}
	g, ok := given.(*algebra.Call)
	if !ok || len(g.Args) != 2 {
		return false
	}
	if n, ok := wanted.(*algebra.IsNull); ok && n.Not {
		return g.Func.Strict && g.Op != "" && (algebra.Equal(g.Args[0], n.Arg) || algebra.Equal(g.Args[1], n.Arg))
	}
	w, ok := wanted.(*algebra.Call)
	if !ok || len(w.Args) != 2 || !algebra.Equal(g.Args[0], w.Args[0]) {
		return false
	}
	have, ok1 := g.Args[1].(*algebra.Const)
	want, ok2 := w.Args[1].(*algebra.Const)
	if !ok1 || !ok2 || have.Typ != want.Typ || have.Value.IsNull() || want.Value.IsNull() || !ordered(have.Typ) {
		return false
	}
	c := types.Compare(have.Typ, have.Value, want.Value)
	switch w.Op {
	case "<":
		return c < 0 && (g.Op == "<=" || g.Op == "=") || c <= 0 && g.Op == "<"
	case "<=":
		return c <= 0 && (g.Op == "<" || g.Op == "<=" || g.Op == "=")
	case ">":
		return c > 0 && (g.Op == ">=" || g.Op == "=") || c >= 0 && g.Op == ">"
	case ">=":
		return c >= 0 && (g.Op == ">" || g.Op == ">=" || g.Op == "=")
	}
	return false
}

func conjuncts(e scalar) []scalar {
	if a, ok := e.(*algebra.And); ok {
		var out []scalar
		for _, x := range a.Args {
			out = append(out, conjuncts(x)...)
		}
		return out
	}
	return []scalar{e}
}

// ordered reports whether a type has an order.
func ordered(t *types.Type) bool {
	_, err := funcs.OrderingOperator(t)
	return err == nil
}
