package bind

import (
	"holdfast/sql/algebra"
	"holdfast/sql/ast"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// Writing through views: the relation a statement names is a flattened view, its base tables are what changes.

// viewTarget makes the target for a view. Its columns are expressions over the base tables.
func (s *scope) viewTarget(view *catalog.Table, t *ast.TableRef, name string, op operation) *writeTarget {
	b := s.b
	f := b.flatten(view)
	a := b.analyze(f)
	verdict := [...]Verdict{opInsert: a.Insert, opUpdate: a.Update, opDelete: a.Delete}[op]
	if !verdict.OK {
		e := notWritable(verdict.View, op, verdict.Reason)
		if verdict.Reason == noOuterInsert || verdict.Reason == noOuterDelete {
			e.Code = errs.FeatureNotSupported
		}
		b.bail(-1, e)
	}
	w := &writeTarget{table: view, view: view, flat: f, rel: f.rel, join: a.Join}
	w.src = &source{name: name, table: view, base: view, target: true, owner: s}
	for _, base := range f.bases {
		w.bases = append(w.bases, &baseTable{table: base.src.base, src: base.src, set: map[int16]scalar{}})
	}
	for i, c := range a.Columns {
		w.src.cols = append(w.src.cols, &column{name: c.Name, number: int16(i + 1), expr: f.cols[i].expr, originTable: view.OID, originNumber: int16(i + 1)})
		x := &writeColumn{name: c.Name, number: int16(i + 1), expr: f.cols[i].expr, reason: c.Update.Reason, blame: c.flat, own: view.Columns[i]}
		for k, at := range c.targets {
			base := w.bases[at.base]
			if at.number < 0 {
				continue
			}
			col := base.table.Columns[at.number-1]
			if k == 0 {
				x.base, x.column, x.at = base, col, at
			} else {
				x.also = append(x.also, writePlace{base, col})
			}
		}
		w.cols = append(w.cols, x)
	}
	w.levelChecks()
	s.add(w.src, t.Alias, "table")
	return w
}

// levelChecks finds the conditions that CHECK OPTION demands: those of views with the option, and of all views
// under one where it is cascaded. The innermost come first, as they are tested.
func (w *writeTarget) levelChecks() {
	cascaded := false
	for _, l := range w.flat.levels {
		cascaded = cascaded || l.view.View.CheckOption == "cascaded"
		if l.cond != nil && (cascaded || l.view.View.CheckOption == "local") {
			w.checks = append([]algebra.ViewCheck{{View: l.view, Cond: l.cond}}, w.checks...)
		}
	}
}

// changedView makes the target of UPDATE or DELETE for a view.
func (s *scope) changedView(view *catalog.Table, t *ast.TableRef, name string, op operation) *writeTarget {
	w := s.viewTarget(view, t, name, op)
	if op == opDelete {
		g := w.flat.keys()
		for i, base := range w.bases {
			if g.preserved[i] {
				w.makeWhole(s, base)
			}
		}
	}
	s.adopt(w)
	s.visible = append(s.visible, w.src)
	return w
}

// adopt makes the columns of the base tables columns of this scope.
func (s *scope) adopt(w *writeTarget) {
	for _, base := range w.bases {
		for _, c := range base.src.scan.Cols {
			*s.b.info(c.ID) = colInfo{scope: s, src: w.src}
		}
	}
}

// makeWhole has the source produce the whole rows of a base table, and their keys.
func (w *writeTarget) makeWhole(s *scope, base *baseTable) {
	base.src.target = true
	whole := s.b.wholeBase(base.src)
	base.key, base.old = whole.key, whole.old
	s.adopt(w)
}

// insertedView makes the target of INSERT for a view: of one table, whose new row takes the place of the scan.
func (s *scope) insertedView(view *catalog.Table, t *ast.TableRef, name string) *writeTarget {
	b := s.b
	w := s.viewTarget(view, t, name, opInsert)
	if w.join {
		return w
	}
	base := w.bases[0]
	w.makeWhole(s, base)
	b.makeNew(s, base)
	r := w.renew()
	for i, c := range w.src.cols {
		c.expr = r.RewriteScalar(c.expr)
		w.cols[i].expr = c.expr
	}
	for i := range w.checks {
		w.checks[i].Cond = r.RewriteScalar(w.checks[i].Cond)
	}
	base.old = base.new
	return w
}

// refuseColumn is the error for a column of a view that cannot be written.
func (b *binder) refuseColumn(w *writeTarget, c *writeColumn, op operation) {
	verb := "update column"
	if op == opInsert {
		verb = "insert into column"
	}
	name, view := c.name, w.table
	if c.blame != nil {
		name, view = c.blame.column, c.blame.view
	}
	b.bail(-1, errs.New(errs.FeatureNotSupported, "cannot %s %s of view %s", verb, quoted(name), quoted(view.Name)).WithDetail("%s", c.reason))
}

// relink works out what it means that an UPDATE changes columns by which the tables of a join view are joined:
// the rows of the other tables that belong to the new row are then others than those in the source.
func (w *writeTarget) relink(b *binder, touched map[*baseTable]map[int16]bool) {
	if !w.join {
		return
	}
	g := w.flat.keys()
	index := map[*baseTable]int{}
	for i, base := range w.bases {
		index[base] = i
	}
	changed := func(id algebra.ColID) bool {
		c, ok := g.at[id]
		return ok && touched[w.bases[c.base]][c.number]
	}
	relinked := false
	for _, cond := range w.joinConds() {
		cols := algebra.ColSet{}
		algebra.ScalarColumns(cond, cols)
		mixed, moves := map[int]bool{}, false
		for id := range cols {
			if c, ok := g.at[id]; ok {
				mixed[c.base] = true
				moves = moves || changed(id)
			}
		}
		if moves && len(mixed) > 1 {
			relinked = true
		}
	}
	if !relinked {
		return
	}
	if w.flat.outers {
		b.bail(-1, errs.New(errs.FeatureNotSupported, "cannot update view %s", quoted(w.table.Name)).
			WithDetail("Columns that tables are joined by cannot be changed through a view with an outer join."))
	}
	for base := range touched {
		if !g.preserved[index[base]] {
			b.bail(-1, errs.New(errs.FeatureNotSupported, "cannot update view %s", quoted(w.table.Name)).
				WithDetail("A column that table %s is joined by and other columns of that table cannot be changed together.", quoted(base.table.Name)))
		}
	}
	w.relinked = touched
}

// joinConds are all conditions of the view and the views under it, taken apart.
func (w *writeTarget) joinConds() []scalar {
	out := append([]scalar(nil), w.flat.conds...)
	for _, l := range w.flat.levels {
		if l.cond != nil {
			out = append(out, conjuncts(l.cond)...)
		}
	}
	return out
}

// others joins fresh scans of the tables that a relinking UPDATE does not change, on conditions over them and
// the new rows, and returns the rewriter from old columns to those.
func (w *writeTarget) others(b *binder, s *scope, conds []scalar) (algebra.Rel, *algebra.Rewriter) {
	to := map[algebra.ColID]algebra.ColID{}
	var rel algebra.Rel
	for _, base := range w.bases {
		if w.relinked[base] != nil {
			byNumber := map[int16]algebra.ColID{}
			for _, c := range base.new {
				byNumber[c.Number] = c.ID
			}
			for _, c := range base.old {
				to[c.ID] = byNumber[c.Number]
			}
			continue
		}
		scan := &algebra.Scan{Table: base.table, Alias: base.src.name}
		for _, c := range base.src.scan.Cols {
			id := b.newCol(*b.q.Column(c.ID), colInfo{scope: s, src: w.src})
			scan.Cols = append(scan.Cols, algebra.ScanColumn{ID: id, Number: c.Number})
			to[c.ID] = id
		}
		if rel == nil {
			rel = scan
		} else {
			rel = &algebra.Join{Kind: algebra.InnerJoin, Left: rel, Right: scan}
		}
	}
	r := renumber(to)
	var list []scalar
	for _, c := range conds {
		list = append(list, r.RewriteScalar(c))
	}
	if rel == nil {
		rel = &algebra.Values{Rows: [][]scalar{{}}}
	}
	if cond := and(list...); cond != nil {
		rel = &algebra.Filter{Input: rel, Cond: cond}
	}
	return rel, r
}

// linkConds are the conditions that say which rows belong together: those over several tables.
func (w *writeTarget) linkConds() []scalar {
	g := w.flat.keys()
	var out []scalar
	for _, cond := range w.joinConds() {
		cols := algebra.ColSet{}
		algebra.ScalarColumns(cond, cols)
		mixed := map[int]bool{}
		for id := range cols {
			if c, ok := g.at[id]; ok {
				mixed[c.base] = true
			}
		}
		if len(mixed) > 1 {
			out = append(out, cond)
		}
	}
	return out
}

// relinkedColumn is a column of a table that the new row is joined with, found by a query.
func (w *writeTarget) relinkedColumn(b *binder, s *scope, c *algebra.Col) scalar {
	rel, r := w.others(b, s, w.linkConds())
	out := r.RewriteScalar(c).(*algebra.Col)
	p := &algebra.Project{Input: rel, Items: []algebra.Item{{ID: out.ID, Expr: b.col(out.ID, -1)}}}
	return &algebra.Subquery{T: c.T, Kind: algebra.ScalarSubquery, Rel: p}
}

// relinkedChecks are the conditions on the new rows of a relinking UPDATE: there must be rows to belong to,
// and with them the conditions that CHECK OPTION demands must hold.
func (w *writeTarget) relinkedChecks(b *binder, s *scope) []algebra.ViewCheck {
	link := w.linkConds()
	exists := func(conds []scalar) scalar {
		rel, _ := w.others(b, s, conds)
		return &algebra.Subquery{T: noMod(types.Bool), Kind: algebra.ExistsSubquery, Rel: rel}
	}
	out := []algebra.ViewCheck{{View: w.view, Cond: exists(link)}}
	for _, c := range w.checks {
		out = append(out, algebra.ViewCheck{View: c.View, Cond: exists(append(link[:len(link):len(link)], c.Cond))})
	}
	return out
}
