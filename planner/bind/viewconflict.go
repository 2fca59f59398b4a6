package bind

import (
	"slices"

	"holdfast/sql/algebra"
	"holdfast/sql/ast"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// ON CONFLICT of an INSERT through a join view. A conflict is one with a row of the main table, the one that has a row for each row of the
// view. Then nothing is inserted for the row, into no table. DO UPDATE changes the row of the main table that is there; the
// columns of other tables can be read, in the row that is there as in the proposed one, but not set.

// findArbiters finds the unique keys of the main table that are meant.
func (j *joinInsert) findArbiters(c *ast.OnConflict) []*catalog.Index {
	b, t := j.b, j.main.base.table
	notPlain := func() {
		b.bail(c.Pos(), errs.New(errs.FeatureNotSupported, "ON CONFLICT on view %s is not supported for keys that are expressions or generated, or have conditions", quoted(j.w.view.Name)).
			WithHint("Name the columns of another key, or insert into table %s.", quoted(t.Name)))
	}
	// What a generated column will be is known only when the row is made, and by then those of other tables have been.
	plain := func(x *catalog.Index) bool {
		return x.Predicate == "" && !slices.ContainsFunc(x.Keys, func(k catalog.IndexKey) bool {
			return k.Column == 0 || t.Columns[k.Column-1].Generated != ""
		})
	}
	if c.Constraint != "" {
		x := b.namedArbiter(t, c.Constraint)
		if !plain(x) {
			notPlain()
		}
		return []*catalog.Index{x}
	}
	var found []*catalog.Index
	if len(c.Target) == 0 {
		for _, x := range t.Indexes {
			if !x.Unique || x.Invalid || deferrable(t, x) {
				continue
			}
			if !plain(x) {
				notPlain()
			}
			found = append(found, x)
		}
		return found
	}
	// Columns of the main table are meant themselves. One that only equals such, maybe several, stands for one that is not named yet.
	numbers := map[int16]bool{}
	equal := map[*ast.IndexElem]*writeColumn{}
	for _, e := range c.Target {
		if e.Expr != nil || c.Where != nil {
			notPlain()
		}
		col := j.w.column(b, e.Column, e.Pos())
		if col.base != nil && col.inverse == nil && col.at.base == j.main.i {
			numbers[col.at.number] = true
		} else {
			equal[e] = col
		}
	}
	for _, e := range c.Target {
		col := equal[e]
		if col == nil {
			continue
		}
		number := int16(0)
		if col.base != nil && col.inverse == nil {
			for _, m := range j.members[j.class[col.at]] {
				if m.base == j.main.i && (number == 0 || numbers[number] || inKey(t, m.number) && !numbers[m.number]) {
					number = m.number
				}
			}
		}
		if number == 0 {
			b.bail(c.Pos(), errs.New(errs.FeatureNotSupported, "ON CONFLICT (%s) on view %s is not supported", e.Column, quoted(j.w.view.Name)).
				WithDetail("Rows of the view are told apart by table %s, and the column is of another one.", quoted(t.Name)).
				WithHint("Rows of other tables that are there are used as they are, without ON CONFLICT."))
		}
		numbers[number] = true
	}
	for _, x := range t.Indexes {
		if !x.Unique || x.Invalid || deferrable(t, x) || x.Predicate != "" || len(x.Keys) != len(numbers) {
			continue
		}
		if !slices.ContainsFunc(x.Keys, func(k catalog.IndexKey) bool { return !numbers[k.Column] }) {
			if !plain(x) {
				notPlain()
			}
			found = append(found, x)
		}
	}
	if len(found) == 0 {
		b.fail(-1, errs.InvalidColumnReference, "there is no unique or exclusion constraint matching the ON CONFLICT specification")
	}
	return found
}

// conflicts is the condition that a row of the main table has one of the keys of a row given.
func (j *joinInsert) conflicts(row func(class int) *algebra.Col) scalar {
	var list []scalar
	for _, x := range j.unique {
		scan, own := j.scanTableOf(j.main)
		list = append(list, &algebra.Subquery{T: noMod(types.Bool), Kind: algebra.ExistsSubquery,
			Rel: &algebra.Filter{Input: scan, Cond: and(j.matchesKey(j.main, x, own, row)...)}})
	}
	if len(list) == 1 {
		return list[0]
	}
	return &algebra.Or{Args: list}
}

// onConflict binds ON CONFLICT, over the main table.
func (j *joinInsert) onConflict(c *ast.OnConflict) *algebra.OnConflict {
	b, s, w, main := j.b, j.scope, j.w, j.main.base
	out := &algebra.OnConflict{DoUpdate: c.DoUpdate, Arbiters: j.unique, Once: len(j.parts) > 1}
	j.conflict = out
	if !c.DoUpdate {
		return out
	}
	b.oldRow(s, main)
	out.Old, out.Key = main.old, main.key
	excluded := &source{owner: s, name: "excluded", relVisible: true, colsVisible: true, base: w.table, alias: true}
	proposed := map[int16]algebra.ColID{}
	for _, n := range main.new {
		id := b.newCol(*b.q.Column(n.ID), colInfo{scope: s, src: excluded})
		out.Excluded = append(out.Excluded, algebra.ScanColumn{ID: id, Number: n.Number})
		proposed[n.Number] = id
	}
	given := j.viewRow(func(at baseColumn, _ *algebra.Col) scalar {
		if at.base == j.main.i {
			return b.col(proposed[at.number], -1)
		}
		return j.value(at)
	})
	old := j.besides(main.old)
	there := &source{owner: s, name: w.src.name, table: w.table, alias: w.src.alias, relVisible: true, colsVisible: true, base: w.table, target: true}
	for i, c := range w.src.cols {
		x, y := *c, *c
		x.src, x.via, x.expr, y.src, y.via, y.expr = nil, nil, nil, nil, nil, nil
		x.lazy = func() scalar { return old.RewriteScalar(w.flat.cols[i].expr) }
		y.lazy = func() scalar { return given.RewriteScalar(w.flat.cols[i].expr) }
		if w.cols[i].base == main && w.cols[i].inverse == nil {
			w.cols[i].expr = x.lazy()
		}
		there.cols, excluded.cols = append(there.cols, &x), append(excluded.cols, &y)
	}
	s.visible = []*source{there, excluded}
	s.all = append(s.all, excluded)
	if c.UpdateWhere != nil {
		out.Where = s.condition(inWhere, c.UpdateWhere)
	}
	set := s.setClauses(w, c.Set, nil)
	j.checkConflictSet(c, set)
	out.Set = b.assignments(s, main, set, nil)
	now := j.besides(main.new)
	for _, c := range w.checks {
		out.Checks = append(out.Checks, algebra.ViewCheck{View: c.View, Cond: now.RewriteScalar(c.Cond)})
	}
	if len(out.Checks) > 0 {
		var row []scalar
		for _, c := range w.flat.cols {
			row = append(row, now.RewriteScalar(c.expr))
		}
		failingRow(out.Checks, row)
	}
	out.Checks = append(out.Checks, w.shown...)
	return out
}

// checkConflictSet refuses what DO UPDATE cannot set.
func (j *joinInsert) checkConflictSet(c *ast.OnConflict, set map[*baseTable]map[int16]scalar) {
	b, w, main := j.b, j.w, j.main.base
	refuse := func(detail string, args ...any) {
		b.bail(c.Pos(), errs.New(errs.FeatureNotSupported, "ON CONFLICT DO UPDATE cannot set these columns of view %s", quoted(w.view.Name)).
			WithDetail(detail, args...).WithHint("Use UPDATE."))
	}
	if len(set) > 1 || set[main] == nil {
		refuse("Only columns of table %s, by which rows of the view are told apart, can be set.", quoted(main.table.Name))
	}
	w.touched = map[*baseTable]map[int16]bool{main: {}}
	for n := range set[main] {
		w.touched[main][n] = true
	}
	always, outer := j.g.links()
	for _, cond := range append(always[:len(always):len(always)], outer...) {
		cols := algebra.ColSet{}
		algebra.ScalarColumns(cond, cols)
		for id := range cols {
			if at, ok := j.g.at[id]; ok && at.base == j.main.i && w.touched[main][at.number] {
				refuse("Tables are joined by column %s.", quoted(main.table.Columns[at.number-1].Name))
			}
		}
	}
	if w.verifyUpdate(j.b, j.scope) != nil {
		refuse("They show in other rows of the view as well.")
	}
}

// viewRow is a rewriter that puts values in the place of the columns of the view's tables.
func (j *joinInsert) viewRow(value func(at baseColumn, c *algebra.Col) scalar) *algebra.Rewriter {
	return &algebra.Rewriter{Scalar: func(e scalar) (scalar, bool) {
		c, ok := e.(*algebra.Col)
		if !ok {
			return nil, false
		}
		if at, ok := j.g.at[c.ID]; ok && at.number > 0 {
			return value(at, c), true
		}
		return c, true
	}}
}

// besides leads to a row of the view by its row of the main table: the rows of other tables are found by it.
func (j *joinInsert) besides(row []algebra.ScanColumn) *algebra.Rewriter {
	rows := map[*baseTable][]algebra.ScanColumn{j.main.base: row}
	byNumber := map[int16]algebra.ColID{}
	for _, c := range row {
		byNumber[c.Number] = c.ID
	}
	return j.viewRow(func(at baseColumn, c *algebra.Col) scalar {
		if at.base == j.main.i {
			return j.b.col(byNumber[at.number], -1)
		}
		return j.w.relinkedColumn(j.b, j.scope, c, rows)
	})
}

// returned is an expression of RETURNING: of the row inserted, or of the row that was there and has been updated.
func (j *joinInsert) returned(inserted *algebra.Rewriter, e scalar) scalar {
	out := inserted.RewriteScalar(e)
	if j.conflict == nil || !j.conflict.DoUpdate {
		return out
	}
	tables := j.g.tables(e)
	delete(tables, j.main.i)
	if len(tables) == 0 {
		return out
	}
	return &algebra.Case{T: typeOf(e.Type(), e.Mod()), Whens: []algebra.When{{Cond: j.conflicts(j.row), Result: j.besides(j.main.base.new).RewriteScalar(e)}}, Else: out}
}
