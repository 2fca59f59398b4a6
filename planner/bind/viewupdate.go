package bind

import (
	"maps"
	"slices"
	"strings"

	"holdfast/sql/algebra"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// UPDATE through join views: what it means that columns change by which tables are joined, and rows that an outer join has left out.

// relink finds out whether UPDATE changes columns by which tables are joined. The rows of the other tables that belong to the new row
// are then others than those in the source.
func (w *writeTarget) relink(b *binder) {
	if !w.join {
		return
	}
	g := w.flat.keys()
	always, outer := g.links()
	moved := map[int]bool{} // tables whose rows may be others
	var conds []map[int]bool
	for _, cond := range append(always[:len(always):len(always)], outer...) {
		cols := algebra.ColSet{}
		algebra.ScalarColumns(cond, cols)
		moves := false
		for id := range cols {
			c, ok := g.at[id]
			moves = moves || ok && w.touched[w.bases[c.base]][c.number]
		}
		tables := g.tables(cond)
		conds = append(conds, tables)
		if !moves || len(tables) < 2 {
			continue
		}
		w.relinked, w.joins = true, true
		for i := range tables {
			moved[i] = moved[i] || w.touched[w.bases[i]] == nil || !g.preserved[i]
		}
	}
	for again := w.relinked; again; { // and those that are found by them
		again = false
		for _, tables := range conds {
			for i := range tables {
				for k := range tables {
					if moved[i] && !moved[k] && !g.preserved[k] {
						moved[k], again = true, true
					}
				}
			}
		}
	}
	w.relinked = false
	for i, base := range w.bases {
		w.relinked = w.relinked || moved[i]
		if moved[i] && w.touched[base] != nil {
			b.bail(-1, errs.New(errs.FeatureNotSupported, "cannot update view %s", quoted(w.table.Name)).
				WithDetail("A column that table %s is joined by and other columns of that table cannot be changed together.", quoted(base.table.Name)).
				WithHint("Change them in two statements."))
		}
	}
}

// around is the view without conditions on single tables, other than that a column of a key has a fixed value, as it is seen from the rows
// of some of its tables: these rows stand in the places of the tables. The rewriter leads from the columns of the view's tables to those
// of it. loosely: other conditions than that columns are equal may be violated.
func (w *writeTarget) around(b *binder, s *scope, rows map[*baseTable][]algebra.ScanColumn, loosely bool) (algebra.Rel, *algebra.Rewriter) {
	rels := map[*baseTable]algebra.Rel{}
	for base, row := range rows {
		rels[base] = w.rowOf(b, base, row)
	}
	return w.aroundRows(b, s, rels, loosely)
}

// aroundRows is around with the rows as relations.
func (w *writeTarget) aroundRows(b *binder, s *scope, rows map[*baseTable]algebra.Rel, loosely bool) (algebra.Rel, *algebra.Rewriter) {
	g := w.flat.keys()
	var seen func(r algebra.Rel, optional bool) algebra.Rel
	keeps := func(c scalar) bool {
		tables := g.tables(c)
		e, equal := equationOf(c)
		if equal && e.b == 0 {
			at, ok := g.at[e.a]
			return ok && rows[w.bases[at.base]] == nil && inKey(w.bases[at.base].table, at.number)
		}
		return len(tables) > 1 && (equal || !loosely)
	}
	links := func(cond scalar, optional bool) scalar {
		if cond == nil || optional {
			return cond
		}
		var list []scalar
		for _, c := range conjuncts(cond) {
			if keeps(c) {
				list = append(list, c)
			}
		}
		return and(list...)
	}
	seen = func(r algebra.Rel, optional bool) algebra.Rel {
		switch r := r.(type) {
		case *algebra.Filter:
			in := seen(r.Input, optional)
			if cond := links(r.Cond, optional); cond != nil {
				return &algebra.Filter{Input: in, Cond: cond}
			}
			return in
		case *algebra.Join:
			j := *r
			switch j.Kind {
			case algebra.InnerJoin:
				j.Left, j.Right, j.On = seen(r.Left, optional), seen(r.Right, optional), links(r.On, optional)
			case algebra.LeftJoin:
				j.Left, j.Right = seen(r.Left, optional), seen(r.Right, true)
			default:
				j.Left, j.Right = seen(r.Left, true), seen(r.Right, true)
			}
			return &j
		case *algebra.Scan:
			for _, base := range w.bases {
				if base.src.scan == r && rows[base] != nil {
					return rows[base]
				}
			}
		}
		return r
	}
	c := algebra.NewCopier(b.q)
	rel := c.Rel(seen(w.flat.rel, false))
	b.know(s)
	return rel, renumber(c.To)
}

// rowAfter is the row of the view as an UPDATE leaves it, to be shown where it is refused. Columns of tables that do not change are
// looked for only then, so that the statement does not depend on them; those that equal a new value are not looked for. Of several rows
// that show what changes it is one.
func (w *writeTarget) rowAfter(b *binder, s *scope) (row []scalar) {
	g, renew := w.flat.keys(), w.renew()
	byPlace := map[baseColumn]algebra.ColID{}
	for base := range w.touched {
		for _, c := range base.new {
			byPlace[baseColumn{w.index(base), c.Number}] = c.ID
		}
	}
	r := &algebra.Rewriter{Scalar: func(e scalar) (scalar, bool) {
		c, ok := e.(*algebra.Col)
		if !ok {
			return nil, false
		}
		at, ok := g.at[c.ID]
		if !ok || w.touched[w.bases[at.base]] != nil {
			return renew.RewriteScalar(c), true
		}
		for _, equal := range g.equated(c.ID) {
			if id := byPlace[equal]; id != 0 && b.q.Column(id).T.Typ.OID == c.T.Typ.OID {
				return b.col(id, -1), true
			}
		}
		rel, to := w.around(b, s, w.newRows(), true)
		out := to.RewriteScalar(c).(*algebra.Col)
		one := &algebra.Limit{Input: rel, Count: &algebra.Const{T: noMod(types.Int8), Value: types.NewInt(1)}}
		p := &algebra.Project{Input: one, Items: []algebra.Item{{ID: out.ID, Expr: b.col(out.ID, -1)}}}
		return &algebra.Subquery{T: c.T, Kind: algebra.ScalarSubquery, Rel: p}, true
	}}
	for _, c := range w.flat.cols {
		row = append(row, r.RewriteScalar(c.expr))
	}
	return row
}

// failingRow has checks show a row of the view.
func failingRow(checks []algebra.ViewCheck, row []scalar) {
	detail := "Failing row contains (" + strings.TrimSuffix(strings.Repeat("%s, ", len(row)), ", ") + ")."
	for i := range checks {
		checks[i].Detail, checks[i].Args = detail, row
	}
}

// inKey reports whether a column is part of a unique key, so that the key may be known by a condition that fixes it.
func inKey(t *catalog.Table, number int16) bool {
	return slices.ContainsFunc(t.Indexes, func(x *catalog.Index) bool { return x.Unique && isKeyColumn(x, number) })
}

// know makes columns that were added to the query by others columns of a scope.
func (b *binder) know(s *scope) {
	for len(b.cols) < len(b.q.Columns) {
		b.cols = append(b.cols, colInfo{scope: s})
	}
}

// newRows are the new rows of the tables that an UPDATE changes, and if rows of others follow, those that stay as they are.
func (w *writeTarget) newRows() map[*baseTable][]algebra.ScanColumn {
	rows := map[*baseTable][]algebra.ScanColumn{}
	for base := range w.touched {
		rows[base] = base.new
	}
	maps.Copy(rows, w.kept)
	return rows
}

// rowOf is a row of a table, in the place of the scan of it.
func (w *writeTarget) rowOf(b *binder, base *baseTable, row []algebra.ScanColumn) algebra.Rel {
	byNumber := map[int16]algebra.ColID{}
	for _, c := range row {
		byNumber[c.Number] = c.ID
	}
	p := &algebra.Project{Input: &algebra.Values{Rows: [][]scalar{{}}}}
	for _, c := range base.src.scan.Cols {
		id := byNumber[c.Number]
		if id == 0 {
			id = c.ID // the row key
		}
		if id != c.ID {
			p.Items = append(p.Items, algebra.Item{ID: c.ID, Expr: b.col(id, -1)})
			continue
		}
		p.Items = append(p.Items, algebra.Item{ID: c.ID, Expr: nullOf(b.q.Column(c.ID).T)})
	}
	return p
}

// relinkedColumn is a column of a table that rows of others are joined with, found by a query.
func (w *writeTarget) relinkedColumn(b *binder, s *scope, c *algebra.Col, rows map[*baseTable][]algebra.ScanColumn) scalar {
	rel, r := w.around(b, s, rows, false)
	out := r.RewriteScalar(c).(*algebra.Col)
	p := &algebra.Project{Input: rel, Items: []algebra.Item{{ID: out.ID, Expr: b.col(out.ID, -1)}}}
	return &algebra.Subquery{T: c.T, Kind: algebra.ScalarSubquery, Rel: p}
}

// relinkedChecks are the conditions on the new rows of a relinking UPDATE: there must be rows to belong to,
// and with them the conditions that CHECK OPTION demands must hold.
func (w *writeTarget) relinkedChecks(b *binder, s *scope) []algebra.ViewCheck {
	exists := func(cond scalar) scalar {
		rel, r := w.around(b, s, w.newRows(), false)
		if cond != nil {
			rel = &algebra.Filter{Input: rel, Cond: r.RewriteScalar(cond)}
		}
		return &algebra.Subquery{T: noMod(types.Bool), Kind: algebra.ExistsSubquery, Rel: rel}
	}
	var out []algebra.ViewCheck
	if always, _ := w.flat.keys().links(); len(always) > 0 {
		out = append(out, algebra.ViewCheck{View: w.view, Cond: exists(nil)})
	}
	for _, c := range w.checks {
		out = append(out, algebra.ViewCheck{View: c.View, Cond: exists(c.Cond)})
	}
	return out
}

func (w *writeTarget) index(base *baseTable) int {
	for i, x := range w.bases {
		if x == base {
			return i
		}
	}
	return -1
}

// invertGiven is what is stored for a value given for an expression. Where it may be shown otherwise than it was given, that is checked.
func (w *writeTarget) invertGiven(b *binder, s *scope, c *writeColumn, given scalar, p *algebra.Project) scalar {
	if p != nil && !simple(given) {
		given = b.compute(s, p, c.name, given)
	}
	stored := b.assign(c.inverse.back(b, given), c.column.Type, c.column.Mod, c.column.Name, -1, false)
	if !c.inverse.exact {
		w.shown = append(w.shown, shownAsGiven(b, w, c, stored, given))
	}
	return stored
}

// shownAsGiven is the condition that what is stored for a value shows as it was given.
func shownAsGiven(b *binder, w *writeTarget, c *writeColumn, stored, given scalar) algebra.ViewCheck {
	r := &algebra.Rewriter{Scalar: func(e scalar) (scalar, bool) {
		col, ok := e.(*algebra.Col)
		if ok && col.ID == c.inverse.col.ID {
			return b.castTo(stored, col.Type()), true // it may be stored in a column of another type, which the one shown equals
		}
		return e, ok
	}}
	return algebra.ViewCheck{View: w.view, Cond: b.distinctOf(r.RewriteScalar(c.expr), given, true, -1),
		Err: errs.New(errs.WithCheckOptionViolation, "column %s of view %s cannot show the value given", quoted(c.name), quoted(w.view.Name)).
			WithDetail("It shows an expression over column %s of table %s, and no value of that would be shown so.", quoted(c.column.Name), quoted(c.base.table.Name))}
}

// storeGiven is what is stored in a column for the value of a column of the view. The two may be of different types, where tables are
// joined by them: it is checked that the value is not changed by that, as 3.5 would be in a column of integers.
func (w *writeTarget) storeGiven(b *binder, s *scope, c *writeColumn, base *baseTable, col *catalog.Column, given *scalar, p *algebra.Project) scalar {
	t, mod := c.valueType()
	same := col.Type == t && (col.Mod == mod || col.Mod == types.NoTypmod) || col.Mod == types.NoTypmod && lossless(t, col.Type)
	if same || !w.join || c.inverse != nil {
		return b.assign(*given, col.Type, col.Mod, col.Name, -1, false)
	}
	if p != nil && !simple(*given) {
		*given = b.compute(s, p, c.name, *given)
	}
	stored := b.assign(*given, col.Type, col.Mod, col.Name, -1, false)
	w.shown = append(w.shown, algebra.ViewCheck{View: w.view, Cond: b.distinctOf(b.castTo(stored, t), *given, true, -1),
		Err: errs.New(errs.WithCheckOptionViolation, "column %s of view %s cannot show the value given", quoted(c.name), quoted(w.view.Name)).
			WithDetail("It is stored in column %s of table %s, which is of type %s.", quoted(col.Name), quoted(base.table.Name), types.FormatType(col.Type, col.Mod))})
	return stored
}
