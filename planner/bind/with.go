package bind

import (
	"holdfast/sql/algebra"
	"holdfast/sql/ast"
	"holdfast/sql/errs"
)

// WITH. Each query is bound once, where it stands. A reference to it is a CTEScan; when the statement is
// complete, those of queries that are used once, and may be evaluated in place, are replaced by the query.

// cte is a WITH query in the scope of its names.
type cte struct {
	name   string
	ast    *ast.CTE
	scope  *scope // where it stands
	def    *algebra.CTE
	cols   []outCol
	refs   int
	writes bool
	noRows bool // changes rows without RETURNING
	self   bool // being bound: a reference is to the working table
	correl bool // depends on columns of outer queries: bound anew for every reference
	inner  *result
	looped bool   // refers to itself
	broken string // not "": why it cannot be referred to
}

// with binds the queries of a WITH clause.
func (s *scope) with(w *ast.With) {
	if w == nil {
		return
	}
	b := s.b
	for i, c := range w.CTEs {
		for _, other := range w.CTEs[:i] {
			if other.Name == c.Name {
				b.fail(c.Pos(), errs.DuplicateAlias, "WITH query name %s specified more than once", quoted(c.Name))
			}
		}
	}
	for _, c := range w.CTEs {
		if _, query := c.Stmt.(*ast.Select); !query && s.parent != nil {
			b.fail(c.Pos(), errs.FeatureNotSupported, "WITH clause containing a data-modifying statement must be at the top level")
		}
		if !w.Recursive {
			s.futureCTEs = append(s.futureCTEs, c.Name)
		}
	}
	for i, c := range w.CTEs {
		if w.Recursive {
			// Of queries that refer to each other only those before can be seen.
			s.futureCTEs = nil
			for _, later := range w.CTEs[i+1:] {
				s.futureCTEs = append(s.futureCTEs, later.Name)
			}
		}
		s.ctes = append(s.ctes, s.bindCTE(c, w.Recursive))
		if !w.Recursive {
			s.futureCTEs = s.futureCTEs[1:]
		}
	}
	s.futureCTEs = nil
}

func (s *scope) bindCTE(c *ast.CTE, recursive bool) *cte {
	b := s.b
	if c.Search {
		b.unsupported(c.Pos(), "SEARCH in WITH RECURSIVE")
	}
	if c.Cycle {
		b.unsupported(c.Pos(), "CYCLE in WITH RECURSIVE")
	}
	out := &cte{name: c.Name, ast: c, scope: s, def: &algebra.CTE{Name: c.Name}}
	q, isQuery := c.Stmt.(*ast.Select)
	if recursive && isQuery && s.recursive(out, q) {
		return out
	}
	var r *result
	volatile := b.volatile
	b.volatile = false
	if isQuery {
		s.in(inNothing, func() { r = b.selectStmt(q, s, nil, true) })
		out.correl = s.correlated(r.rel)
	} else {
		r = b.writeStmt(c.Stmt, s)
		out.writes, out.noRows = true, len(r.cols) == 0
	}
	keep := out.writes || b.volatile || r.locks || c.Materialized != nil && *c.Materialized
	b.volatile = b.volatile || volatile
	out.set(b, r)
	if !keep && !out.correl {
		if b.inline == nil {
			b.inline = map[*algebra.CTE]bool{}
		}
		b.inline[out.def] = true
	}
	if out.writes || !out.correl {
		b.q.CTEs = append(b.q.CTEs, out.def)
	}
	return out
}

// set gives a WITH query its relation and the names of its columns.
func (c *cte) set(b *binder, r *result) {
	c.def.Rel, c.cols, c.inner = r.rel, append([]outCol(nil), r.cols...), r
	c.rename(b)
}

func (c *cte) rename(b *binder) {
	if len(c.ast.Columns) > len(c.cols) {
		b.fail(c.ast.Pos(), errs.InvalidColumnReference, "WITH query %s has %d columns available but %d columns specified", quoted(c.name), len(c.cols), len(c.ast.Columns))
	}
	for i, name := range c.ast.Columns {
		c.cols[i].name = name
	}
}

// correlated reports whether a relation needs columns from outside.
func (s *scope) correlated(r algebra.Rel) bool {
	if s.parent == nil {
		return false
	}
	free := algebra.ColSet{}
	algebra.FreeColumns(r, free)
	for id := range free {
		// What is bound to be printed has its aggregates and window functions left where they stand.
		if kind := s.b.info(id).kind; s.b.text == nil || kind == fromCol || kind == outputCol {
			return true
		}
	}
	return false
}

// findCTE finds the WITH query a bare table name means.
func (s *scope) findCTE(name string) *cte {
	for level := s; level != nil; level = level.parent {
		for _, c := range level.ctes {
			if c.name == name {
				return c
			}
		}
	}
	return nil
}

// cteRef binds a reference to a WITH query.
func (s *scope) cteRef(c *cte, t *ast.TableRef, name string) (algebra.Rel, *source) {
	b := s.b
	if c.broken != "" {
		b.fail(t.Pos(), errs.InvalidRecursion, c.broken, quoted(c.name))
	}
	if c.noRows {
		b.fail(t.Pos(), errs.FeatureNotSupported, "WITH query %s does not have a RETURNING clause", quoted(c.name))
	}
	for _, l := range s.locksFor(name) {
		if len(l.Of) > 0 {
			b.fail(-1, errs.FeatureNotSupported, "%s cannot be applied to a WITH query", lockName(l))
		}
	}
	if c.correl && !c.self {
		var q *result
		s.b.rebind(c, func() { q = b.selectStmt(c.ast.Stmt.(*ast.Select), c.scope, nil, true) })
		copyOf := *c
		copyOf.set(b, q)
		q.cols = copyOf.cols
		src := s.querySource(name, q)
		src.cte = true
		return q.rel, s.add(src, t.Alias, "table")
	}
	if c.self {
		if c.looped {
			b.fail(t.Pos(), errs.InvalidRecursion, "recursive reference to query %s must not appear more than once", quoted(c.name))
		}
		c.looped = true
	} else {
		c.refs++
	}
	scan := &algebra.CTEScan{CTE: c.def, Alias: name, Working: c.self}
	src := &source{name: name, cte: true}
	for _, col := range c.cols {
		desc := *b.q.Column(col.id)
		desc.Name = col.name
		id := b.newCol(desc, colInfo{scope: s, src: src})
		if f := b.records[col.id]; f != nil {
			b.setRecord(id, f)
		}
		scan.Cols = append(scan.Cols, id)
		src.cols = append(src.cols, &column{name: col.name, expr: b.col(id, -1), originTable: col.originTable, originNumber: col.originNumber})
	}
	return scan, s.add(src, t.Alias, "table")
}

// rebind binds a WITH query again for another reference, with the names it could see then.
func (b *binder) rebind(c *cte, f func()) {
	ctes := c.scope.ctes
	for i, x := range ctes {
		if x == c || x.name == c.name {
			c.scope.ctes = ctes[:i:i]
			break
		}
	}
	text := b.text
	b.text = nil // the text is that of the first time
	f()
	b.text = text
	c.scope.ctes = ctes
}

const recursiveForm = "recursive query %s does not have the form non-recursive-term UNION [ALL] recursive-term"

// recursive binds WITH RECURSIVE: the columns are those of the part that does not refer to itself. It returns
// false if the query does not refer to itself after all, and is to be bound as any other.
func (s *scope) recursive(out *cte, q *ast.Select) bool {
	b := s.b
	pos := out.ast.Pos()
	if !mentions(q, out.name) {
		return false
	}
	if q.SetOp != ast.Union {
		b.fail(pos, errs.InvalidRecursion, recursiveForm, quoted(out.name))
	}
	inner := b.newScope(s)
	if q.With != nil {
		inner.with(q.With)
	}
	inner.ctes = append(inner.ctes, &cte{name: out.name, broken: "recursive reference to query %s must not appear within its non-recursive term"})
	base := b.selectStmt(q.Left, inner, nil, true)
	inner.ctes = inner.ctes[:len(inner.ctes)-1]
	rec := &algebra.Recurse{Base: base.rel, All: q.All}
	for _, c := range base.cols {
		desc := *b.q.Column(c.id)
		desc.Name, desc.Table, desc.Number = c.name, 0, 0
		id := b.newCol(desc, colInfo{scope: inner})
		rec.Cols = append(rec.Cols, id)
		out.cols = append(out.cols, outCol{id: id, name: c.name})
	}
	out.rename(b)
	out.self = true
	inner.ctes = append(inner.ctes, out)
	step := b.selectStmt(q.Right, inner, nil, false)
	out.self = false
	if !out.looped {
		b.fail(pos, errs.InvalidRecursion, recursiveForm, quoted(out.name))
	}
	switch {
	case len(q.OrderBy) > 0:
		b.fail(q.OrderBy[0].Pos(), errs.FeatureNotSupported, "ORDER BY in a recursive query is not implemented")
	case q.Offset != nil:
		b.fail(q.Offset.Pos(), errs.FeatureNotSupported, "OFFSET in a recursive query is not implemented")
	case q.Limit != nil:
		b.fail(q.Limit.Pos(), errs.FeatureNotSupported, "LIMIT in a recursive query is not implemented")
	case len(q.Locking) > 0:
		b.fail(-1, errs.FeatureNotSupported, "FOR UPDATE/SHARE in a recursive query is not implemented")
	}
	if len(step.cols) != len(base.cols) {
		at := -1
		if len(step.cols) > 0 {
			at = step.cols[0].pos
		}
		b.fail(at, errs.SyntaxError, "each UNION query must have the same number of columns")
	}
	for i := range step.cols {
		c := &step.cols[i]
		want := b.q.Column(base.cols[i].id).T
		step.retype(b, i, want.Typ, "UNION")
		have := b.q.Column(c.id).T
		if have.Typ != want.Typ || have.M != want.M && want.M >= 0 {
			b.bail(base.cols[i].pos, errs.New(errs.DatatypeMismatch, "recursive query %s column %d has type %s in non-recursive term but type %s overall",
				quoted(out.name), i+1, want.Typ, have.Typ).WithHint("Cast the output of the non-recursive term to the correct type."))
		}
	}
	if !q.All {
		for i, c := range base.cols {
			b.needEquality(b.q.Column(c.id).Typ, base.cols[i].pos)
		}
	}
	rec.Step = step.rel
	out.def.Rel, out.def.Recursive = rec, true
	if b.text != nil {
		out.inner = &result{text: b.setText(base, step, q)}
	}
	b.q.CTEs = append(b.q.CTEs, out.def)
	return true
}

// inlineCTEs puts the WITH queries that are used once where they are used, and drops those never used.
func (b *binder) inlineCTEs() {
	refs := map[*algebra.CTE]int{}
	count := algebra.Visitor{Rel: func(r algebra.Rel) bool {
		if c, ok := r.(*algebra.CTEScan); ok {
			refs[c.CTE]++
		}
		return true
	}}
	count.VisitRel(b.q.Root)
	for _, c := range b.q.CTEs {
		count.VisitRel(c.Rel)
	}
	// A query never used takes its references with it.
	kept := b.q.CTEs
	for dropped := true; dropped; {
		dropped = false
		for i, c := range kept {
			if b.inline[c] && refs[c] == 0 {
				uncount := algebra.Visitor{Rel: func(r algebra.Rel) bool {
					if x, ok := r.(*algebra.CTEScan); ok {
						refs[x.CTE]--
					}
					return true
				}}
				uncount.VisitRel(c.Rel)
				kept = append(kept[:i:i], kept[i+1:]...)
				dropped = true
				break
			}
		}
	}
	var w algebra.Rewriter
	w.Rel = func(r algebra.Rel) (algebra.Rel, bool) {
		scan, ok := r.(*algebra.CTEScan)
		if !ok || !b.inline[scan.CTE] || refs[scan.CTE] != 1 {
			return nil, false
		}
		p := &algebra.Project{Input: w.RewriteRel(scan.CTE.Rel)}
		for i, id := range scan.CTE.Rel.Columns() {
			p.Items = append(p.Items, algebra.Item{ID: scan.Cols[i], Expr: b.col(id, -1)})
		}
		return p, true
	}
	b.q.Root = w.RewriteRel(b.q.Root)
	var left []*algebra.CTE
	for _, c := range kept {
		if b.inline[c] && refs[c] == 1 {
			continue
		}
		c.Rel = w.RewriteRel(c.Rel)
		left = append(left, c)
	}
	b.q.CTEs = left
}
