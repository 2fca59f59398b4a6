package bind

import (
	"slices"

	"holdfast/sql/algebra"
	"holdfast/sql/ast"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// result is a bound query: a relation that produces exactly cols, in order.
type result struct {
	rel   algebra.Rel
	cols  []outCol
	locks bool // it locks rows
	text  *queryText
}

// outCol is a column of a result.
type outCol struct {
	id           algebra.ColID
	name         string
	pos          int
	originTable  catalog.OID
	originNumber int16
	// item computes the column. While the result is not yet part of another query, a constant or parameter of
	// unknown type in it can still be given a type.
	item  *algebra.Item
	value *algebra.Values // of VALUES: the column is position at of its rows
	at    int
}

// target is an item of a select list, or an expression that only ORDER BY or the like needs (junk).
type target struct {
	name  string
	expr  scalar // over the columns of FROM
	plain scalar // the same before grouping
	pos   int
	junk  bool
	id    algebra.ColID
	col   *column
	ast   ast.Expr
}

// selecting is a SELECT in the making.
type selecting struct {
	*scope
	q       *ast.Select
	targets []*target
	sort    []sortItem
	group   []*target // every expression grouped by
	groupBy bool
	// nodes are the items of GROUP BY if there are grouping sets among them, groupSets what they come to, if
	// that is more than one set.
	nodes     []*groupNode
	groupSets [][]*target
	on        []*target // DISTINCT ON
	where     scalar
	having    scalar
	specs     []*windowSpec // of the WINDOW clause
	count     scalar
	offset    scalar
	rel       algebra.Rel
}

type sortItem struct {
	t          *target
	desc       bool
	nullsFirst bool
	pos        int
	using      string
}

// selectStmt binds a query. locks are those of an enclosing query that lock the rows of this one too. With
// resolve, columns of unknown type become text.
func (b *binder) selectStmt(q *ast.Select, parent *scope, locks []*ast.Locking, resolve bool) *result {
	b.enter()
	defer b.leave()
	s := b.newScope(parent)
	s.with(q.With)
	if q.Into != nil {
		b.fail(q.Into.Pos(), errs.SyntaxError, "SELECT ... INTO is not allowed here")
	}
	s.locks = append(append([]*ast.Locking(nil), q.Locking...), locks...)
	var r *result
	switch {
	case q.SetOp != ast.NoSetOp:
		r = s.setOperation(q, resolve)
	case q.Values != nil:
		r = s.valuesQuery(q, resolve)
	default:
		r = s.plainSelect(q, resolve)
	}
	if b.text != nil {
		s.withText(r.text, q.With)
	}
	return r
}

func (s *scope) plainSelect(q *ast.Select, resolve bool) *result {
	b := s.b
	x := &selecting{scope: s, q: q}
	s.named = q.Windows
	x.rel = s.from(nil, q.From)
	x.targets = s.targetList(q.Targets, inTarget)
	if q.Where != nil {
		x.where = s.condition(inWhere, q.Where)
	}
	if q.Having != nil {
		x.having = s.condition(inHaving, q.Having)
	}
	x.sort = x.orderBy(q.OrderBy)
	x.bindGroupBy(q.GroupBy, q.GroupDistinct)
	if q.Distinct {
		x.distinct()
	}
	x.limit(q)
	x.bindWindows()
	for _, t := range x.targets {
		if (resolve || x.q.Distinct) && !t.junk {
			t.expr = b.known(t.expr)
		}
		t.plain = t.expr
	}
	x.checkLocks()
	return x.build()
}

// targetList binds a select list or RETURNING.
func (s *scope) targetList(list []*ast.Target, c clause) []*target {
	old := s.clause
	s.clause = c
	out := make([]*target, 0, len(list))
	add := func(items []starItem, pos int) {
		for _, it := range items {
			out = append(out, &target{name: it.name, expr: it.expr, pos: pos, col: it.col})
		}
	}
	for _, t := range list {
		switch e := t.Expr.(type) {
		case *ast.ColumnRef:
			if e.Star {
				add(s.starColumns(e), e.Pos())
				continue
			}
		case *ast.Field:
			if e.Star {
				add(s.starFields(e), e.Pos())
				continue
			}
		}
		x := &target{name: targetName(t), expr: s.expr(t.Expr), pos: loc(t.Expr), ast: t.Expr}
		if e, ok := t.Expr.(*ast.ColumnRef); ok && s.flat != nil {
			x.col = s.origin(e)
		} else if c, ok := x.expr.(*algebra.Col); ok {
			x.col = s.b.columnByID(c.ID)
		}
		out = append(out, x)
	}
	s.clause = old
	return out
}

// columnByID finds the column of a source that a ColID is, nil if it is none.
func (b *binder) columnByID(id algebra.ColID) *column {
	src := b.info(id).src
	if src == nil {
		return nil
	}
	for _, c := range src.cols {
		if x, ok := c.expr.(*algebra.Col); ok && x.ID == id {
			return c
		}
	}
	if d := b.q.Column(id); d.Number < 0 || src.target && d.Table != 0 {
		return &column{name: d.Name, originTable: d.Table, originNumber: d.Number}
	}
	return nil
}

// origin finds the column that a reference has been bound to.
func (s *scope) origin(e *ast.ColumnRef) *column {
	name := e.Names[len(e.Names)-1]
	if len(e.Names) == 1 {
		return s.lookup(name, e.Pos())
	}
	schema := ""
	if len(e.Names) > 2 {
		schema = e.Names[len(e.Names)-3]
	}
	level, src := s.relation(schema, e.Names[len(e.Names)-2], e.Pos())
	if src == nil {
		return nil
	}
	return s.b.columnOf(level, src, name, e.Pos())
}

// distinct binds DISTINCT and DISTINCT ON.
func (x *selecting) distinct() {
	b := x.b
	if len(x.q.DistinctOn) == 0 {
		for _, s := range x.sort {
			if s.t.junk {
				b.fail(s.pos, errs.InvalidColumnReference, "for SELECT DISTINCT, ORDER BY expressions must appear in select list")
			}
		}
		for _, t := range x.targets {
			if !t.junk {
				t.expr = b.known(t.expr)
				b.needEquality(t.expr.Type(), t.pos)
			}
		}
		return
	}
	for _, e := range x.q.DistinctOn {
		t := x.findTarget(e, inDistinctOn)
		b.needEquality(t.expr.Type(), loc(e))
		if !hasTarget(x.on, t) {
			x.on = append(x.on, t)
		}
	}
	matched, skipped := 0, false
	mismatch := func(t *target) {
		b.fail(loc(x.q.DistinctOn[slices.Index(x.on, t)]), errs.InvalidColumnReference, "SELECT DISTINCT ON expressions must match initial ORDER BY expressions")
	}
	for _, s := range x.sort {
		if hasTarget(x.on, s.t) {
			if skipped {
				mismatch(s.t)
			}
			matched++
		} else {
			skipped = true
		}
	}
	for _, t := range x.on {
		if !sorted(x.sort, t) && skipped {
			mismatch(t)
		}
	}
}

func hasTarget(list []*target, t *target) bool {
	for _, x := range list {
		if x == t {
			return true
		}
	}
	return false
}

func sorted(list []sortItem, t *target) bool {
	for _, x := range list {
		if x.t == t {
			return true
		}
	}
	return false
}

func (b *binder) needEquality(t *types.Type, pos int) {
	if _, err := funcs.EqualityOperator(t); err != nil {
		b.bail(pos, err)
	}
}

// limit binds LIMIT and OFFSET.
func (s *scope) limitExpr(e ast.Expr, c clause, word string) scalar {
	b := s.b
	if e == nil {
		return nil
	}
	x := b.toType(s.exprIn(c, e), types.Int8, loc(e), word)
	v := algebra.Visitor{Scalar: func(a scalar) bool {
		if col, ok := a.(*algebra.Col); ok {
			if b.info(col.ID).scope == s {
				b.fail(offset(col.Place), errs.InvalidColumnReference, "argument of %s must not contain variables", word)
			}
		}
		return true
	}}
	v.VisitScalar(x)
	if k, ok := x.(*algebra.Const); ok && k.Value.IsNull() && b.text == nil {
		return nil
	}
	return x
}

func (x *selecting) limit(q *ast.Select) {
	x.count, x.offset = x.limits(q)
}

func (s *scope) limits(q *ast.Select) (count, offset scalar) {
	offset = s.limitExpr(q.Offset, inOffset, "OFFSET")
	count = s.limitExpr(q.Limit, inLimit, "LIMIT")
	if q.WithTies && count == nil {
		s.b.fail(-1, errs.InvalidRowCountInLimit, "row count cannot be null in FETCH FIRST ... WITH TIES clause")
	}
	return count, offset
}

// build makes the relation from the bound parts.
func (x *selecting) build() *result {
	b := x.b
	rel := x.rel
	if rel == nil {
		rel = &algebra.Values{Rows: [][]scalar{{}}}
	}
	if x.where != nil {
		rel = &algebra.Filter{Input: rel, Cond: x.where}
	}
	if (len(x.aggs) > 0 || x.groupBy || x.having != nil || len(x.groupings) > 0) && b.text == nil {
		rel = x.aggregated(rel)
	}
	rel = x.windowed(rel)
	rel = projectSets(rel, x.sets)

	locks := x.lockKeys()
	r := &result{locks: len(locks) > 0}
	var items, late []algebra.Item
	lateTargets := false
	made := algebra.ColSet{}
	var targets []*target // without those that only GROUP BY needed
	for _, t := range x.targets {
		if !t.junk || sorted(x.sort, t) || hasTarget(x.on, t) {
			targets = append(targets, t)
		}
	}
	for _, t := range targets {
		if len(x.sort) > 0 && !x.q.Distinct && !t.junk && !sorted(x.sort, t) && volatile(t.expr) {
			lateTargets = true
		}
	}
	if lateTargets {
		// What is volatile is computed after sorting, and so in the order of the result.
		need := algebra.ColSet{}
		for _, t := range targets {
			t.id = x.targetColumn(t, made)
			if !t.junk && !sorted(x.sort, t) {
				algebra.ScalarColumns(t.expr, need)
				late = append(late, algebra.Item{ID: t.id, Expr: t.expr})
				continue
			}
			items = append(items, algebra.Item{ID: t.id, Expr: t.expr})
			if !t.junk {
				late = append(late, algebra.Item{ID: t.id, Expr: b.col(t.id, -1)})
			}
		}
		passed := algebra.ColSet{}
		for _, it := range items {
			passed.Add(it.ID)
		}
		for _, id := range rel.Columns() {
			if need.Has(id) && !passed.Has(id) {
				items = append(items, algebra.Item{ID: id, Expr: b.col(id, -1)})
			}
		}
	} else {
		for _, t := range targets {
			t.id = x.targetColumn(t, made)
			items = append(items, algebra.Item{ID: t.id, Expr: t.expr})
		}
	}
	junk := false
	for _, l := range locks {
		if !made.Has(l.Key) {
			items = append(items, algebra.Item{ID: l.Key, Expr: b.col(l.Key, -1)})
			made.Add(l.Key)
			junk = true
		}
	}
	project := &algebra.Project{Input: rel, Items: items}
	rel = project
	if x.q.Distinct && len(x.on) == 0 {
		rel = &algebra.DistinctRows{Input: rel}
	}
	if keys := x.sortKeys(); len(keys) > 0 {
		rel = &algebra.Sort{Input: rel, Keys: keys}
	}
	if len(x.on) > 0 {
		ids := make([]algebra.ColID, len(x.on))
		for i, t := range x.on {
			ids[i] = t.id
		}
		rel = &algebra.DistinctRows{Input: rel, On: ids}
	}
	lateProject := (*algebra.Project)(nil)
	if lateTargets {
		for _, l := range locks {
			late = append(late, algebra.Item{ID: l.Key, Expr: b.col(l.Key, -1)})
		}
		lateProject = &algebra.Project{Input: rel, Items: late}
		rel = lateProject
	}
	if len(locks) > 0 {
		rel = &algebra.LockRows{Input: rel, Locks: locks}
	}
	rel = limited(rel, x.count, x.offset, x.q.WithTies)

	var out []algebra.Item
	for _, t := range targets {
		if t.junk {
			junk = junk || !lateTargets
			continue
		}
		c := outCol{id: t.id, name: t.name, pos: t.pos}
		if t.col != nil {
			c.originTable, c.originNumber = t.col.originTable, t.col.originNumber
		}
		if isUnknown(t.expr) {
			if lateTargets {
				c.item = itemOf(lateProject, t.id)
			} else {
				c.item = itemOf(project, t.id)
			}
		}
		r.cols = append(r.cols, c)
		out = append(out, algebra.Item{ID: t.id, Expr: b.col(t.id, -1)})
	}
	if junk {
		rel = &algebra.Project{Input: rel, Items: out}
	}
	r.rel = rel
	if b.text != nil {
		r.text = x.queryText()
	}
	return r
}

func itemOf(p *algebra.Project, id algebra.ColID) *algebra.Item {
	for i := range p.Items {
		if p.Items[i].ID == id {
			return &p.Items[i]
		}
	}
	return nil
}

func limited(rel algebra.Rel, count, offset scalar, ties bool) algebra.Rel {
	if count == nil && offset == nil {
		return rel
	}
	return &algebra.Limit{Input: rel, Count: count, Offset: offset, WithTies: ties && count != nil}
}

// targetColumn is the ColID of a target. A column of this level passes under its own.
func (x *selecting) targetColumn(t *target, made algebra.ColSet) algebra.ColID {
	b := x.b
	if c, ok := t.expr.(*algebra.Col); ok && b.info(c.ID).scope == x.scope && !made.Has(c.ID) && b.text == nil {
		made.Add(c.ID)
		return c.ID
	}
	desc := algebra.Column{Name: t.name, T: typeOf(t.expr.Type(), t.expr.Mod())}
	if c, ok := t.expr.(*algebra.Col); ok {
		from := b.q.Column(c.ID)
		desc.Table, desc.Number = from.Table, from.Number
	}
	id := b.newCol(desc, colInfo{scope: x.scope, kind: outputCol})
	if t.expr.Type() == types.RecordType {
		if f := b.fieldsOf(t.expr); f != nil {
			b.setRecord(id, f)
		}
	}
	made.Add(id)
	return id
}

// retype gives column i of a result a type, if its type is unknown so far.
func (r *result) retype(b *binder, i int, t *types.Type, what string) {
	c := &r.cols[i]
	if b.q.Column(c.id).Typ != types.Unknown {
		return
	}
	if c.value != nil {
		for _, row := range c.value.Rows {
			row[c.at] = b.toCommon(row[c.at], t, what, c.pos)
		}
	} else if c.item != nil {
		c.item.Expr = b.toCommon(c.item.Expr, t, what, c.pos)
	} else {
		return
	}
	b.q.Column(c.id).T = noMod(t)
}

// volatile reports whether an expression calls a volatile function.
func volatile(e scalar) bool {
	found := false
	v := algebra.Visitor{Scalar: func(a scalar) bool {
		if c, ok := a.(*algebra.Call); ok && c.Func.Volatility == 'v' {
			found = true
		}
		return !found
	}}
	v.VisitScalar(e)
	return found
}

// projectSets adds the set-returning functions of a level, those in the arguments of others first.
func projectSets(rel algebra.Rel, sets []*setCall) algebra.Rel {
	for depth := 0; ; depth++ {
		var items []algebra.Item
		for _, c := range sets {
			if c.depth == depth && !c.done {
				items = append(items, c.item)
			}
		}
		if len(items) > 0 {
			rel = &algebra.ProjectSet{Input: rel, Items: items}
			continue
		}
		deeper := false
		for _, c := range sets {
			deeper = deeper || c.depth > depth && !c.done
		}
		if !deeper {
			return rel
		}
	}
}
