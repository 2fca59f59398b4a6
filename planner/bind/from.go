package bind

import (
	"holdfast/sql/algebra"
	"holdfast/sql/ast"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// The FROM clause. An item gives a relation, and the sources that names see of it.

func (b *binder) newScope(parent *scope) *scope { return &scope{b: b, parent: parent} }

// from binds the items of FROM, or of FROM and USING in UPDATE and DELETE, joined to rel if it is not nil.
func (s *scope) from(rel algebra.Rel, items []ast.TableExpr) algebra.Rel {
	for _, src := range s.visible {
		src.lateralOnly, src.lateralOK = true, !src.target
	}
	for _, item := range items {
		right, sources := s.fromItem(item)
		s.checkNames(s.visible, sources)
		setLateral(sources, true, true)
		s.visible = append(s.visible, sources...)
		if rel == nil {
			rel = right
			continue
		}
		rel = s.join(algebra.InnerJoin, rel, right, nil)
	}
	setLateral(s.visible, false, true)
	return rel
}

func setLateral(sources []*source, only, ok bool) {
	for _, src := range sources {
		src.lateralOnly, src.lateralOK = only, ok
	}
}

// join joins two relations; the right one may turn out to refer to the left.
func (s *scope) join(kind algebra.JoinKind, left, right algebra.Rel, on scalar) algebra.Rel {
	j := &algebra.Join{Kind: kind, Left: left, Right: right, On: on}
	if s.b.lateral {
		free := algebra.ColSet{}
		algebra.FreeColumns(right, free)
		for _, id := range left.Columns() {
			if free.Has(id) {
				j.Lateral = true
				break
			}
		}
	}
	return j
}

// checkNames refuses two items of one name.
func (s *scope) checkNames(left, right []*source) {
	for _, r := range right {
		if !r.relVisible || r.name == "" {
			continue
		}
		for _, l := range left {
			if !l.relVisible || l.name != r.name {
				continue
			}
			if l.table != nil && r.table != nil && !l.alias && !r.alias && l.table.OID != r.table.OID {
				continue
			}
			s.b.fail(-1, errs.DuplicateAlias, "table name %s specified more than once", quoted(r.name))
		}
	}
}

func (s *scope) fromItem(item ast.TableExpr) (algebra.Rel, []*source) {
	s.b.enter()
	defer s.b.leave()
	var rel algebra.Rel
	var src *source
	switch item := item.(type) {
	case *ast.TableRef:
		rel, src = s.tableRef(item)
	case *ast.SubqueryRef:
		rel, src = s.subqueryRef(item)
		s.flatNot()
	case *ast.FuncRef:
		rel, src = s.funcRef(item)
		s.flatNot()
	case *ast.Join:
		return s.joinRef(item)
	default:
		s.b.unsupported(item.Pos(), "this item in FROM")
	}
	if s.b.text != nil {
		s.b.text.sources[item] = src
	}
	return rel, []*source{src}
}

// add completes a source and makes it known.
func (s *scope) add(src *source, alias *ast.Alias, kind string) *source {
	src.owner = s
	src.relVisible, src.colsVisible = src.name != "", true
	if alias != nil {
		src.alias, src.aliasColumns = true, len(alias.Columns) > 0
		s.b.renameColumns(src, alias, kind)
	}
	s.all = append(s.all, src)
	return src
}

func (b *binder) renameColumns(src *source, alias *ast.Alias, kind string) {
	if len(alias.Columns) > len(src.cols) {
		b.fail(-1, errs.InvalidColumnReference, "%s %s has %d columns available but %d columns specified", kind, quoted(alias.Name), len(src.cols), len(alias.Columns))
	}
	for i, name := range alias.Columns {
		src.cols[i].name = name
	}
}

func aliasName(a *ast.Alias, otherwise string) string {
	if a != nil && a.Name != "" {
		return a.Name
	}
	return otherwise
}

// tableRef binds a name in FROM: of a WITH query, a table, or a view.
func (s *scope) tableRef(t *ast.TableRef) (algebra.Rel, *source) {
	b := s.b
	if t.Sample {
		b.unsupported(t.Pos(), "TABLESAMPLE")
	}
	name := aliasName(t.Alias, t.Table.Name)
	if t.Table.Schema == "" && t.Table.Database == "" {
		if c := s.findCTE(t.Table.Name); c != nil {
			return s.cteRef(c, t, name)
		}
	}
	table := s.findTable(t.Table)
	b.depend(table)
	if table.View != nil && s.flat != nil {
		return s.flatViewRef(table, t.Alias, name)
	}
	if table.View != nil {
		return s.viewRef(table, t.Alias, name, s.locksFor(name))
	}
	if table.Kind == catalog.KindComposite {
		b.fail(t.Pos(), errs.WrongObjectType, "%s is a composite type", quoted(table.Name))
	}
	rel, src := s.scanTable(table, t.Alias, name)
	if s.flat != nil {
		s.flatTable(src)
	}
	for _, l := range s.locksFor(name) {
		s.lockRow(src, l)
	}
	return rel, src
}

// findTable finds a relation, and explains about WITH queries that cannot be seen.
func (s *scope) findTable(n *ast.TableName) *catalog.Table {
	b := s.b
	t, err := b.o.Snapshot.Lookup(b.path, n.Schema, n.Name)
	if err != nil && n.Schema == "" {
		for level := s; level != nil; level = level.parent {
			for _, future := range level.futureCTEs {
				if future == n.Name {
					b.bail(n.Pos(), errs.New(errs.UndefinedTable, "relation %s does not exist", quoted(n.Name)).
						WithDetail("There is a WITH item named %s, but it cannot be referenced from this part of the query.", quoted(n.Name)).
						WithHint("Use WITH RECURSIVE, or re-order the WITH items to remove forward references."))
				}
			}
		}
	}
	if err != nil || n.Database != "" {
		return b.table(n)
	}
	return t
}

// scanTable makes the scan of a table.
func (s *scope) scanTable(table *catalog.Table, alias *ast.Alias, name string) (*algebra.Scan, *source) {
	scan := &algebra.Scan{Table: table, Alias: name}
	src := &source{name: name, table: table, base: table, scan: scan}
	for _, c := range table.Columns {
		if !c.Dropped {
			src.cols = append(src.cols, &column{name: c.Name, src: src, number: c.Number, originTable: table.OID, originNumber: c.Number})
		}
	}
	return scan, s.add(src, alias, "table")
}

// viewRef binds a view as the query it stands for.
func (s *scope) viewRef(view *catalog.Table, alias *ast.Alias, name string, locks []*ast.Locking) (algebra.Rel, *source) {
	q := s.b.viewQuery(view, locks)
	src := s.querySource(name, q)
	src.table = view
	src.base = view
	i := 0
	for _, c := range view.Columns {
		if c.Dropped || i >= len(src.cols) {
			continue
		}
		col := src.cols[i]
		col.name, col.originTable, col.originNumber = c.Name, view.OID, c.Number
		col.src, col.number = src, c.Number
		i++
	}
	return q.rel, s.add(src, alias, "table")
}

// querySource makes a source of the result of a query, whose columns now belong to this scope.
func (s *scope) querySource(name string, q *result) *source {
	src := &source{name: name, owner: s}
	for _, c := range q.cols {
		*s.b.info(c.id) = colInfo{scope: s, src: src}
		src.cols = append(src.cols, &column{name: c.name, expr: s.b.col(c.id, -1), originTable: c.originTable, originNumber: c.originNumber})
	}
	return src
}

func (s *scope) subqueryRef(t *ast.SubqueryRef) (algebra.Rel, *source) {
	old, oldClause := s.lateralActive, s.clause
	s.lateralActive, s.clause = t.Lateral, inFromQuery
	name := aliasName(t.Alias, "")
	q := s.b.selectStmt(t.Query, s, s.locksFor(name), true)
	s.lateralActive, s.clause = old, oldClause
	src := s.add(s.querySource(name, q), t.Alias, "table")
	src.query = q
	return q.rel, src
}

// joinRef binds a join. Without an alias the tables in it can still be named, but bare column names are
// looked up in the join itself, where those of USING are one.
func (s *scope) joinRef(j *ast.Join) (algebra.Rel, []*source) {
	b := s.b
	visible := len(s.visible)
	n0, n1 := 0, 0
	if s.flat != nil {
		n0 = len(s.flat.bases)
	}
	left, ls := s.fromItem(j.Left)
	if s.flat != nil {
		n1 = len(s.flat.bases)
	}
	setLateral(ls, true, j.Kind == ast.InnerJoin || j.Kind == ast.LeftJoin)
	s.visible = append(s.visible, ls...)
	right, rs := s.fromItem(j.Right)
	s.visible = s.visible[:visible]
	s.checkNames(ls, rs)
	setLateral(ls, false, true)

	out := &source{join: true, name: aliasName(j.Alias, "")}
	lcols, rcols := joinColumns(ls), joinColumns(rs)
	using := j.Using
	if j.Natural {
		using = nil
		for _, l := range lcols {
			for _, r := range rcols {
				if l.name == r.name && !contains(using, l.name) {
					using = append(using, l.name)
				}
			}
		}
	}
	var on scalar
	var usingCols []*column
	if len(using) > 0 {
		on, usingCols = s.using(j.Kind, using, lcols, rcols)
		out.cols = append(out.cols, usingCols...)
	}
	for _, side := range [][]*column{lcols, rcols} {
		for _, c := range side {
			if !contains(using, c.name) {
				out.cols = append(out.cols, &column{name: c.name, via: c, originTable: c.originTable, originNumber: c.originNumber})
			}
		}
	}
	if j.On != nil {
		saved := s.visible
		s.visible = append(append([]*source(nil), ls...), rs...)
		on = s.condition(inJoin, j.On)
		s.visible = saved
	}
	var rel algebra.Rel
	switch j.Kind {
	case ast.InnerJoin:
		rel = s.join(algebra.InnerJoin, left, right, on)
	case ast.LeftJoin:
		rel = s.join(algebra.LeftJoin, left, right, on)
	case ast.RightJoin:
		rel = s.join(algebra.LeftJoin, right, left, on)
	case ast.FullJoin:
		rel = s.join(algebra.FullJoin, left, right, on)
	}
	if j.Kind == ast.RightJoin || j.Kind == ast.FullJoin {
		setNullable(ls)
	}
	if j.Kind == ast.LeftJoin || j.Kind == ast.FullJoin {
		setNullable(rs)
	}
	if s.flat != nil {
		s.flat.flatJoin(j.Kind, on, n0, n1)
	}
	s.add(out, j.Alias, "join expression")
	if b.text != nil {
		b.text.joins[j] = &joinText{on: on, using: using}
		b.text.sources[j] = out
	}
	if j.Alias != nil {
		out.relVisible = true
		if b.text != nil {
			b.aliasedJoin(s, out)
		}
		return rel, []*source{out}
	}
	out.relVisible = false
	all := append(append([]*source(nil), ls...), rs...)
	for _, src := range all {
		src.colsVisible = false
	}
	all = append(all, out)
	if j.UsingAlias != "" {
		u := &source{join: true, name: j.UsingAlias, cols: usingCols}
		s.add(u, nil, "join expression")
		u.alias, u.relVisible, u.colsVisible = true, true, false
		all = append(all, u)
	}
	return rel, all
}

func setNullable(sources []*source) {
	for _, src := range sources {
		src.nullable = true
	}
}

func contains(list []string, name string) bool {
	for _, s := range list {
		if s == name {
			return true
		}
	}
	return false
}

// joinColumns are the columns that a side of a join shows to bare names.
func joinColumns(sources []*source) []*column {
	var cols []*column
	for _, src := range sources {
		if src.colsVisible {
			for _, c := range src.cols {
				if !c.hidden {
					cols = append(cols, c)
				}
			}
		}
	}
	return cols
}

// using makes the join condition of USING, and the merged columns.
func (s *scope) using(kind ast.JoinKind, names []string, lcols, rcols []*column) (scalar, []*column) {
	b := s.b
	find := func(cols []*column, name, side string) *column {
		var found *column
		for _, c := range cols {
			if c.name == name {
				if found != nil {
					b.fail(-1, errs.AmbiguousColumn, "common column name %s appears more than once in %s table", quoted(name), side)
				}
				found = c
			}
		}
		if found == nil {
			b.fail(-1, errs.UndefinedColumn, "column %s specified in USING clause does not exist in %s table", quoted(name), side)
		}
		return found
	}
	var conds []scalar
	var merged []*column
	for i, name := range names {
		if contains(names[:i], name) {
			b.fail(-1, errs.DuplicateColumn, "column name %s appears more than once in USING clause", quoted(name))
		}
		lc, rc := find(lcols, name, "left"), find(rcols, name, "right")
		l, r := b.use(lc, -1), b.use(rc, -1)
		conds = append(conds, b.toType(b.op("", "=", l, r, -1), types.Bool, -1, "JOIN/USING"))
		t := b.common([]scalar{l, r}, "JOIN/USING", func(int) int { return -1 })
		lx, rx := b.toCommon(l, t, "JOIN/USING", -1), b.toCommon(r, t, "JOIN/USING", -1)
		m := &column{name: name}
		pick := func(c *column, plain, converted scalar) {
			if plain == converted {
				m.via = c
			}
			m.expr = converted
			m.originTable, m.originNumber = c.originTable, c.originNumber
		}
		switch kind {
		case ast.RightJoin:
			pick(rc, r, rx)
		case ast.FullJoin:
			m.expr = &algebra.Coalesce{T: typeOf(t, commonMod([]scalar{lx, rx}, t)), Args: []scalar{lx, rx}}
			if b.text != nil { // printed by its name
				m.expr = b.col(b.newCol(algebra.Column{Name: name, T: typeOf(t, m.expr.Mod())}, colInfo{scope: s}), -1)
			}
		case ast.InnerJoin:
			if l != lx && r == rx {
				pick(rc, r, rx)
				break
			}
			pick(lc, l, lx)
		default:
			pick(lc, l, lx)
		}
		merged = append(merged, m)
	}
	return and(conds...), merged
}
