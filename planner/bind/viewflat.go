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
	conds  []scalar    // conditions of inner joins
	outer  []equation  // what the conditions of outer joins equate, usable in one direction
	// reason says why the view cannot be written at all, and cause which view is to blame: the view itself, or
	// one under it.
	reason string
	cause  *catalog.Table
	outers bool // outer joins are there
	graph  *keyGraph
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

// viewLevel is one view of the nest with its WHERE condition, nil if it has none.
type viewLevel struct {
	view *catalog.Table
	cond scalar
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
		f.levels = append([]viewLevel{{view, where}}, f.levels...)
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
	})
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
	s.flat.bases = append(s.flat.bases, &flatBase{src: src})
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
	inner := &flatView{view: f.view}
	s.b.flattenInto(inner, view)
	if inner.reason != "" {
		f.blame(inner.cause, inner.reason)
		return s.viewRef(view, alias, name, nil)
	}
	f.bases = append(f.bases, inner.bases...)
	f.levels = append(f.levels, inner.levels...)
	f.conds = append(f.conds, inner.conds...)
	f.outer = append(f.outer, inner.outer...)
	f.outers = f.outers || inner.outers
	src := &source{name: name, table: view, base: view}
	for i, c := range inner.cols {
		src.cols = append(src.cols, &column{name: c.name, expr: c.expr, flat: c, src: src, number: int16(i + 1), originTable: view.OID, originNumber: int16(i + 1)})
	}
	return inner.rel, s.add(src, alias, "table")
}

// flatJoin notes a join: bases n0 to n1 are on its left, n1 to n2 on its right.
func (f *flatView) flatJoin(kind ast.JoinKind, on scalar, n0, n1 int) {
	n2 := len(f.bases)
	if kind == ast.InnerJoin {
		if on != nil {
			f.conds = append(f.conds, conjuncts(on)...)
		}
		return
	}
	f.outers = true
	if kind != ast.LeftJoin { // the left side may be missing
		for _, base := range f.bases[n0:n1] {
			base.nullable = true
		}
	}
	if kind != ast.RightJoin {
		for _, base := range f.bases[n1:n2] {
			base.nullable = true
		}
	}
	if on == nil || kind == ast.FullJoin {
		return
	}
	// A row of the kept side fixes the columns it is compared with on the other, not the other way round.
	left := algebra.ColSet{}
	for _, base := range f.bases[n0:n1] {
		left.Add(base.src.scan.Columns()...)
	}
	for _, c := range conjuncts(on) {
		e, ok := equationOf(c)
		if !ok {
			continue
		}
		if e.b != 0 && left.Has(e.a) == (kind == ast.RightJoin) {
			e.a, e.b = e.b, e.a
		}
		f.outer = append(f.outer, e)
	}
}

// equation says that two columns are equal, or, with b 0, that one has a fixed value.
type equation struct {
	a, b  algebra.ColID
	value scalar
}

// equationOf recognises a = b and a = constant, conversions that were not written aside.
func equationOf(e scalar) (equation, bool) {
	c, ok := e.(*algebra.Call)
	if !ok || c.Op != "=" || len(c.Args) != 2 {
		return equation{}, false
	}
	l, r := columnUnder(c.Args[0]), columnUnder(c.Args[1])
	switch {
	case l != 0 && r != 0:
		return equation{a: l, b: r}, true
	case l != 0 && !hasColumn(c.Args[1]) && !volatile(c.Args[1]):
		return equation{a: l, value: c.Args[1]}, true
	case r != 0 && !hasColumn(c.Args[0]) && !volatile(c.Args[0]):
		return equation{a: r, value: c.Args[0]}, true
	}
	return equation{}, false
}

func columnUnder(e scalar) algebra.ColID {
	for {
		switch x := e.(type) {
		case *algebra.Col:
			return x.ID
		case *algebra.Cast:
			if !x.Implicit {
				return 0
			}
			e = x.Arg
		default:
			return 0
		}
	}
}

// keyGraph is what the equations and unique keys of a join tell: which tables a row of one table fixes.
type keyGraph struct {
	f         *flatView
	at        map[algebra.ColID]baseColumn
	equations []equation
	// preserved[i]: a row of table i occurs in one row of the join at most, because it fixes the rows of all
	// other tables.
	preserved []bool
	fixes     [][]bool // fixes[i][j]: a row of table i fixes that of table j
}

// baseColumn is a column of one of the base tables.
type baseColumn struct {
	base   int
	number int16
}

func (f *flatView) keys() *keyGraph {
	if f.graph != nil {
		return f.graph
	}
	g := &keyGraph{f: f, at: map[algebra.ColID]baseColumn{}}
	for i, base := range f.bases {
		for _, c := range base.src.scan.Cols {
			g.at[c.ID] = baseColumn{i, c.Number}
		}
	}
	conds := f.conds
	for _, l := range f.levels {
		if l.cond != nil {
			conds = append(conds[:len(conds):len(conds)], conjuncts(l.cond)...)
		}
	}
	for _, c := range conds {
		if e, ok := equationOf(c); ok {
			g.equations = append(g.equations, e)
		}
	}
	n := len(f.bases)
	g.preserved = make([]bool, n)
	g.fixes = make([][]bool, n)
	for i := range f.bases {
		g.fixes[i] = g.closure(i)
		g.preserved[i] = !f.bases[i].nullable || n == 1
		for j := range g.fixes[i] {
			g.preserved[i] = g.preserved[i] && g.fixes[i][j]
		}
	}
	f.graph = g
	return g
}

// closure finds the tables that a row of table i fixes.
func (g *keyGraph) closure(i int) []bool {
	whole := make([]bool, len(g.f.bases))
	whole[i] = true
	known := map[baseColumn]bool{}
	has := func(id algebra.ColID) bool {
		c, ok := g.at[id]
		return ok && (whole[c.base] || known[c])
	}
	learn := func(id algebra.ColID) bool {
		c, ok := g.at[id]
		if !ok || whole[c.base] || known[c] {
			return false
		}
		known[c] = true
		return true
	}
	for changed := true; changed; {
		changed = false
		for _, e := range g.equations {
			if e.b == 0 {
				changed = learn(e.a) || changed
				continue
			}
			if has(e.a) {
				changed = learn(e.b) || changed
			}
			if has(e.b) {
				changed = learn(e.a) || changed
			}
		}
		for _, e := range g.f.outer {
			if e.b == 0 {
				changed = learn(e.a) || changed
			} else if has(e.a) {
				changed = learn(e.b) || changed
			}
		}
		for j, base := range g.f.bases {
			if !whole[j] && hasKey(base.src.base, func(n int16) bool { return known[baseColumn{j, n}] }) {
				whole[j], changed = true, true
			}
		}
	}
	return whole
}

// hasKey reports whether the columns known hold a unique key of a table. Since they are known by equality they
// are not NULL, and so keys with nullable columns serve as well.
func hasKey(t *catalog.Table, known func(int16) bool) bool {
	for _, x := range t.Indexes {
		if !x.Unique || x.Invalid || x.Predicate != "" || deferrable(t, x) {
			continue
		}
		all := true
		for _, k := range x.Keys {
			all = all && k.Column != 0 && known(k.Column)
		}
		if all {
			return true
		}
	}
	return false
}

// equated are the columns equal to a column in every row of the join, itself included.
func (g *keyGraph) equated(id algebra.ColID) []baseColumn {
	set := algebra.ColsOf(id)
	list := []algebra.ColID{id}
	for changed := true; changed; {
		changed = false
		for _, e := range g.equations {
			if e.b == 0 || set.Has(e.a) == set.Has(e.b) {
				continue
			}
			next := e.a
			if set.Has(e.a) {
				next = e.b
			}
			set.Add(next)
			list = append(list, next)
			changed = true
		}
	}
	var out []baseColumn
	for _, id := range list {
		if c, ok := g.at[id]; ok {
			out = append(out, c)
		}
	}
	return out
}

// anyPreserved reports whether a table of the join is key-preserved.
func (g *keyGraph) anyPreserved() bool {
	for _, p := range g.preserved {
		if p {
			return true
		}
	}
	return false
}

// writes finds the base columns that a column of the view writes: one, or the equal columns of tables that are
// one to one. The reason says why there are none.
func (g *keyGraph) writes(c *flatColumn) (targets []baseColumn, reason string) {
	if c.reason != "" {
		return nil, c.reason
	}
	col, ok := c.expr.(*algebra.Col)
	if !ok {
		return nil, notBaseColumn
	}
	at, ok := g.at[col.ID]
	if !ok {
		return nil, notBaseColumn
	}
	if len(g.f.bases) == 1 {
		return []baseColumn{at}, ""
	}
	if !g.anyPreserved() {
		return nil, "The view's join does not preserve the key of any of its tables: one row of a table may be in many rows of the view."
	}
	equal := g.equated(col.ID)
	if len(equal) > 1 {
		// A join column: the reference is changed, not what it refers to.
		for _, e := range equal {
			if g.preserved[e.base] {
				targets = append(targets, e)
			}
		}
		if len(targets) > 0 {
			return targets, ""
		}
	}
	if g.f.bases[at.base].nullable {
		return nil, "Columns of a table that an outer join may leave out are not updatable."
	}
	return []baseColumn{at}, ""
}

// notWritable is the error for a view, PostgreSQL's.
func notWritable(view *catalog.Table, op operation, reason string) *errs.Error {
	verb := [...]string{opInsert: "insert into", opUpdate: "update", opDelete: "delete from"}[op]
	return errs.New(errs.ObjectNotInPrerequisiteState, "cannot %s view %s", verb, quoted(view.Name)).WithDetail("%s", reason)
}
