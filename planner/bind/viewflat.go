package bind

import (
	"holdfast/sql/algebra"
	"holdfast/sql/ast"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
)

// A view that can be written through is a join of base tables, views in between included, with conditions and
// a select list. Flattened, it is that join with nothing projected away: every column of every base table can
// be reached, and the columns of the view are expressions over them.

// flatView is a flattened view.
type flatView struct {
	view   *catalog.Table
	rel    algebra.Rel
	cols   []*flatColumn
	bases  []*flatBase
	levels []viewLevel // the view's own condition, then those of the views under it
	conds  []scalar    // conditions of inner joins that hold of every row
	outer  []*outerJoin
	// reason says why the view cannot be written at all, and cause which view is to blame: the view itself, or
	// one under it.
	reason string
	cause  *catalog.Table
	graph  *keyGraph
	items  []flatItem
	// deleteFrom are the tables that DELETE removes rows of because a view says so; nil: the rules decide.
	deleteFrom []*flatBase
}

// flatColumn is a column of a flattened view. If it cannot be written, reason says why, and view and name
// which column of which view is to blame.
type flatColumn struct {
	name   string
	expr   scalar
	reason string
	view   *catalog.Table
	column string
}

// flatBase is one occurrence of a base table.
type flatBase struct {
	src      *source
	nullable bool // on the side of an outer join that may be missing
}

// flatItem is a table or view in the FROM of the view itself.
type flatItem struct {
	name  string
	bases []*flatBase
	inner *flatView // of a view
}

// outerJoin is a join with a side that may be missing.
type outerJoin struct {
	on      []scalar    // the condition, with those of inner joins and views within the missing side
	missing []*flatBase // the tables of the side that may be missing; both for a full join
	full    bool
}

// viewLevel is one view of the nest with its WHERE condition, nil if it has none.
type viewLevel struct {
	view *catalog.Table
	cond scalar
	// side is the outer join that may leave out the view, and with it the condition; nil if there is none.
	side *outerJoin
}

// Reasons, PostgreSQL's where it has them.
const (
	notDistinct   = "Views containing DISTINCT are not automatically updatable."
	notGroupBy    = "Views containing GROUP BY are not automatically updatable."
	notHaving     = "Views containing HAVING are not automatically updatable."
	notSetOp      = "Views containing UNION, INTERSECT, or EXCEPT are not automatically updatable."
	notWith       = "Views containing WITH are not automatically updatable."
	notLimit      = "Views containing LIMIT or OFFSET are not automatically updatable."
	notAggregates = "Views that return aggregate functions are not automatically updatable."
	notWindows    = "Views that return window functions are not automatically updatable."
	notSets       = "Views that return set-returning functions are not automatically updatable."
	notTables     = "Views that do not select from a single table or view are not automatically updatable."
	notJoined     = "Views that join a subquery, a function or rows of VALUES are not automatically updatable."
	notBaseColumn = "View columns that are not columns of their base relation are not updatable."
	notSystem     = "View columns that refer to system columns are not updatable."
	notWholeRow   = "View columns that return whole-row references are not updatable."
)

// flatten binds the query of a view for writing.
func (b *binder) flatten(view *catalog.Table) *flatView {
	f := &flatView{view: view}
	b.flattenInto(f, view)
	return f
}

// flattenInto adds a view to a flattened one around it and returns its columns and relation.
func (b *binder) flattenInto(f *flatView, view *catalog.Table) {
	b.inView(view, func(q *ast.Select) {
		if r := clauseReason(q); r != "" {
			f.blame(view, r)
			return
		}
		s := b.newScope(nil)
		s.flat = f
		rel := s.from(nil, q.From)
		if f.reason != "" {
			if _, join := q.From[0].(*ast.Join); f.cause == view && f.reason == notTables && (join || len(q.From) > 1) {
				f.reason = notJoined
			}
			return
		}
		targets := s.targetList(q.Targets, inTarget)
		var where scalar
		if q.Where != nil {
			where = s.condition(inWhere, q.Where)
		}
		switch {
		case len(s.aggs) > 0:
			f.blame(view, notAggregates)
			return
		case len(s.windows) > 0:
			f.blame(view, notWindows)
			return
		case len(s.sets) > 0:
			f.blame(view, notSets)
			return
		}
		if where != nil {
			rel = &algebra.Filter{Input: rel, Cond: where}
		}
		f.rel = rel
		f.levels = append([]viewLevel{{view: view, cond: where}}, f.levels...)
		f.cols = nil
		for i, t := range targets {
			c := &flatColumn{name: view.Columns[i].Name, expr: b.known(t.expr), view: view, column: view.Columns[i].Name}
			if under := flatOf(t.col); under != nil {
				if under.reason != "" {
					c.reason, c.view, c.column = under.reason, under.view, under.column
				}
			} else {
				c.reason = columnReason(b, c.expr)
			}
			f.cols = append(f.cols, c)
		}
		f.chooseDelete(view)
	})
}

// chooseDelete takes the choice of delete_from: of the view, or of the one view that it selects from.
func (f *flatView) chooseDelete(view *catalog.Table) {
	if name := view.View.DeleteFrom; name != "" {
		f.deleteFrom = f.named(name)
	} else if len(f.items) == 1 && f.items[0].inner != nil {
		f.deleteFrom = f.items[0].inner.deleteFrom
	}
}

// named are the tables that DELETE removes rows of if a name in FROM is said to be meant: of a view those that DELETE through it would.
// It is nil if there is no such name, or nothing can be deleted: without a row of the missing side of an outer join the row of the view
// would still be there.
func (f *flatView) named(name string) []*flatBase {
	for _, it := range f.items {
		if it.name != name {
			continue
		}
		for _, base := range it.bases {
			if base.nullable {
				return nil
			}
		}
		if it.inner == nil {
			return it.bases
		}
		list, _ := it.inner.keys().deletes()
		var out []*flatBase
		for _, i := range list {
			out = append(out, it.inner.bases[i])
		}
		return out
	}
	return nil
}

func (f *flatView) blame(view *catalog.Table, reason string) {
	if f.reason == "" {
		f.reason, f.cause = reason, view
	}
}

// clauseReason is why a query cannot be written through because of its clauses.
func clauseReason(q *ast.Select) string {
	switch {
	case q.Distinct:
		return notDistinct
	case len(q.GroupBy) > 0:
		return notGroupBy
	case q.Having != nil:
		return notHaving
	case q.SetOp != ast.NoSetOp:
		return notSetOp
	case q.With != nil:
		return notWith
	case q.Limit != nil || q.Offset != nil:
		return notLimit
	case len(q.From) == 0 || q.Values != nil:
		return notTables
	}
	return ""
}

// columnReason is why a column of a view that is no column of a view under it cannot be written.
func columnReason(b *binder, e scalar) string {
	switch e := e.(type) {
	case *algebra.Col:
		if b.q.Column(e.ID).Number < 0 {
			return notSystem
		}
		return ""
	case *algebra.Row:
		if e.Typ.Kind == 'c' {
			return notWholeRow
		}
	}
	return notBaseColumn
}

// flatOf follows the columns of joins to the view column they are.
func flatOf(c *column) *flatColumn {
	for c != nil {
		if c.flat != nil {
			return c.flat
		}
		c = c.via
	}
	return nil
}

// flatTable takes a base table into the flattened view being bound.
func (s *scope) flatTable(src *source) {
	base := &flatBase{src: src}
	s.flat.bases = append(s.flat.bases, base)
	s.flat.items = append(s.flat.items, flatItem{name: src.name, bases: []*flatBase{base}})
}

// flatNot notes an item of FROM that cannot be written through.
func (s *scope) flatNot() {
	if s.flat != nil {
		s.flat.blame(s.b.views[len(s.b.views)-1], notTables)
	}
}

// flatViewRef takes a view under the one being flattened into it.
func (s *scope) flatViewRef(view *catalog.Table, alias *ast.Alias, name string) (algebra.Rel, *source) {
	f := s.flat
	inner := &flatView{view: view}
	s.b.flattenInto(inner, view)
	if inner.reason != "" {
		f.blame(inner.cause, inner.reason)
		return s.viewRef(view, alias, name, nil)
	}
	f.bases = append(f.bases, inner.bases...)
	f.items = append(f.items, flatItem{name: aliasName(alias, name), bases: inner.bases, inner: inner})
	f.levels = append(f.levels, inner.levels...)
	f.conds = append(f.conds, inner.conds...)
	f.outer = append(f.outer, inner.outer...)
	src := &source{name: name, table: view, base: view}
	for i, c := range inner.cols {
		src.cols = append(src.cols, &column{name: c.name, expr: c.expr, flat: c, src: src, number: int16(i + 1), originTable: view.OID, originNumber: int16(i + 1)})
	}
	return inner.rel, s.add(src, alias, "table")
}

// flatJoin notes a join: bases n0 to n1 are on its left, n1 to n2 on its right.
func (f *flatView) flatJoin(kind ast.JoinKind, on scalar, n0, n1 int) {
	n2 := len(f.bases)
	var list []scalar
	if on != nil {
		list = conjuncts(on)
	}
	if kind == ast.InnerJoin {
		f.conds = append(f.conds, list...)
		return
	}
	j := &outerJoin{on: list, full: kind == ast.FullJoin}
	if kind != ast.LeftJoin { // the left side may be missing
		j.missing = append(j.missing, f.bases[n0:n1]...)
	}
	if kind != ast.RightJoin {
		j.missing = append(j.missing, f.bases[n1:n2]...)
	}
	within := algebra.ColSet{}
	for _, base := range j.missing {
		base.nullable = true
		within.Add(base.src.scan.Columns()...)
	}
	var always []scalar
	for _, c := range f.conds {
		if columnsWithin(c, within) {
			j.on = append(j.on, c)
		} else {
			always = append(always, c)
		}
	}
	f.conds = always
	for i := range f.levels {
		if l := &f.levels[i]; l.cond != nil && l.side == nil && columnsWithin(l.cond, within) {
			l.side = j
			j.on = append(j.on, conjuncts(l.cond)...)
		}
	}
	f.outer = append(f.outer, j)
}

func columnsWithin(e scalar, set algebra.ColSet) bool {
	cols := algebra.ColSet{}
	algebra.ScalarColumns(e, cols)
	for id := range cols {
		if !set.Has(id) {
			return false
		}
	}
	return len(cols) > 0
}

// refusal is the error for a view that cannot be written.
func refusal(v Verdict, op operation) *errs.Error {
	verb := [...]string{opInsert: "insert into", opUpdate: "update", opDelete: "delete from"}[op]
	e := errs.New(v.Code, "cannot %s view %s", verb, quoted(v.View.Name)).WithDetail("%s", v.Reason)
	if v.Hint != "" {
		e.WithHint("%s", v.Hint)
	}
	return e
}
