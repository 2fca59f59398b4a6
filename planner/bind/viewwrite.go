package bind

import (
	"holdfast/sql/algebra"
	"holdfast/sql/ast"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
)

// Writing through views: the relation a statement names is a flattened view, its base tables are what changes.

// viewTarget makes the target for a view. Its columns are expressions over the base tables.
func (s *scope) viewTarget(view *catalog.Table, t *ast.TableRef, name string, op operation) *writeTarget {
	b := s.b
	f := b.flatten(view)
	a := b.analyze(f)
	verdict := [...]Verdict{opInsert: a.Insert, opUpdate: a.Update, opDelete: a.Delete}[op]
	if !verdict.OK {
		b.bail(-1, refusal(verdict, op))
	}
	w := &writeTarget{table: view, view: view, flat: f, rel: f.rel, join: a.Join, deletes: a.DeleteFrom}
	w.src = &source{name: name, table: view, base: view, target: true, owner: s}
	for _, base := range f.bases {
		w.bases = append(w.bases, &baseTable{table: base.src.base, src: base.src, set: map[int16]scalar{}})
	}
	for i, c := range a.Columns {
		w.src.cols = append(w.src.cols, &column{name: c.Name, number: int16(i + 1), expr: f.cols[i].expr, originTable: view.OID, originNumber: int16(i + 1)})
		v := c.Update
		if op == opInsert {
			v = c.Insert
		}
		x := &writeColumn{name: c.Name, number: int16(i + 1), expr: f.cols[i].expr, reason: v.Reason, blame: c.flat, own: view.Columns[i], inverse: c.inverse}
		w.cols = append(w.cols, x)
		if !v.OK {
			continue
		}
		for k, at := range c.targets {
			base := w.bases[at.base]
			col := base.table.Columns[at.number-1]
			if k == 0 {
				x.base, x.column, x.at = base, col, at
			} else {
				x.also = append(x.also, writePlace{base, col})
			}
		}
	}
	w.levelChecks(b)
	s.add(w.src, t.Alias, "table")
	return w
}

// levelChecks finds the conditions that CHECK OPTION demands: those of views with the option, and of all views
// under one where it is cascaded. The innermost come first, as they are tested.
func (w *writeTarget) levelChecks(b *binder) {
	cascaded := false
	for _, l := range w.flat.levels {
		cascaded = cascaded || l.view.View.CheckOption == "cascaded"
		if l.cond != nil && (cascaded || l.view.View.CheckOption == "local") {
			cond := l.cond
			if l.side != nil { // a view that is left out has no row to test
				cond = &algebra.Or{Args: []scalar{w.absent(b, w.flat.keys().core(l.side)[0]), cond}}
			}
			w.checks = append([]algebra.ViewCheck{{View: l.view, Cond: cond}}, w.checks...)
		}
	}
	w.flat.graph = nil // there may be more columns
}

// absent is the condition that an outer join has left out a table, or that a row of it has nothing but NULL, which looks the same.
func (w *writeTarget) absent(b *binder, i int) scalar {
	src := w.bases[i].src
	var list []scalar
	for _, c := range src.cols {
		if c.expr == nil {
			b.scanColumn(c)
		}
		null := &algebra.IsNull{Arg: c.expr}
		if src.base.Columns[c.number-1].NotNull {
			return null
		}
		list = append(list, null)
	}
	return and(list...)
}

// changedView makes the target of UPDATE or DELETE for a view.
func (s *scope) changedView(view *catalog.Table, t *ast.TableRef, name string, op operation) *writeTarget {
	w := s.viewTarget(view, t, name, op)
	if op == opDelete {
		for _, i := range w.deletes {
			w.makeWhole(s, w.bases[i])
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
