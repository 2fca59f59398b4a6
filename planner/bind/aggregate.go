package bind

import (
	"holdfast/sql/algebra"
	"holdfast/sql/ast"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// Aggregates and grouping.

// aggregate notes an aggregate call at the query level it belongs to, which is the innermost one whose columns
// its arguments use, and gives its column.
func (s *scope) aggregate(e *ast.FuncCall, c *algebra.Call) scalar {
	if e.WithinGroup {
		return s.orderedSet(e, c)
	}
	switch c.Func.Name {
	case "percentile_cont", "percentile_disc", "mode":
		s.b.fail(e.Pos(), errs.WrongObjectType, "WITHIN GROUP is required for ordered-set aggregate %s", c.Func.Name)
	}
	a := s.aggCall(e, c)
	parts := append(append([]scalar(nil), a.Args...), a.OrderArgs...)
	if a.Filter != nil {
		parts = append(parts, a.Filter)
	}
	owner := s.aggLevel(parts, e.Pos())
	owner.checkAggAllowed(e.Pos())
	return owner.addAgg(a, e)
}

func (s *scope) addAgg(a *algebra.Agg, e *ast.FuncCall) scalar {
	b := s.b
	if a.Func.Volatility != 'v' {
		for _, x := range s.aggs {
			if equalAgg(x, a) {
				return b.col(x.ID, e.Pos())
			}
		}
	}
	a.ID = b.newCol(algebra.Column{Name: a.Func.Name, T: a.T}, colInfo{scope: s, kind: aggCol, agg: a})
	s.aggs = append(s.aggs, a)
	return b.col(a.ID, e.Pos())
}

// aggCall makes the aggregate of a call.
func (s *scope) aggCall(e *ast.FuncCall, c *algebra.Call) *algebra.Agg {
	b := s.b
	a := &algebra.Agg{T: c.T, Func: c.Func, Args: c.Args, Star: e.Star, Distinct: e.Distinct}
	for _, it := range e.OrderBy {
		x := b.known(s.expr(it.Expr))
		k := b.sortItem(it, x.Type())
		a.OrderArgs = append(a.OrderArgs, x)
		a.OrderBy = append(a.OrderBy, algebra.SortKey{Desc: k.desc, NullsFirst: k.nullsFirst})
	}
	if e.Distinct {
		if len(c.Args) == 0 {
			b.fail(e.Pos(), errs.WrongObjectType, "DISTINCT specified, but %s has no arguments", c.Func.Name)
		}
		for i, x := range c.Args {
			b.needEquality(x.Type(), b.argPos(e, i))
		}
		for i, o := range a.OrderArgs {
			found := false
			for _, x := range c.Args {
				found = found || algebra.Equal(x, o)
			}
			if !found {
				b.fail(loc(e.OrderBy[i].Expr), errs.InvalidColumnReference, "in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list")
			}
		}
		if orderMatters(c.Func) && b.text == nil {
			b.sortDistinct(a)
		}
	}
	if e.Filter != nil {
		a.Filter = s.condition(inFilter, e.Filter)
	}
	return a
}

func (b *binder) argPos(e *ast.FuncCall, i int) int {
	if i < len(e.Args) {
		return loc(e.Args[i])
	}
	return e.Pos()
}

// orderMatters reports whether the order of its input shows in an aggregate's result.
func orderMatters(f *funcs.Func) bool {
	switch f.Name {
	case "array_agg", "string_agg", "json_agg", "jsonb_agg", "json_object_agg", "jsonb_object_agg", "xmlagg":
		return true
	}
	return false
}

// sortDistinct orders the arguments of an aggregate over DISTINCT values: PostgreSQL finds them by sorting, and
// programs have come to rely on the order.
func (b *binder) sortDistinct(a *algebra.Agg) {
	for _, x := range a.Args {
		have := false
		for _, o := range a.OrderArgs {
			have = have || algebra.Equal(x, o)
		}
		if _, err := funcs.OrderingOperator(x.Type()); err == nil && !have {
			a.OrderArgs = append(a.OrderArgs, x)
			a.OrderBy = append(a.OrderBy, algebra.SortKey{})
		}
	}
}

// orderedSet binds percentile_cont(..) WITHIN GROUP (ORDER BY ..): the arguments are the direct ones, and after
// them what it is ordered by.
func (s *scope) orderedSet(e *ast.FuncCall, c *algebra.Call) scalar {
	b := s.b
	switch c.Func.Name {
	case "percentile_cont", "percentile_disc", "mode":
	default:
		b.fail(e.Pos(), errs.WrongObjectType, "%s is not an ordered-set aggregate, so it cannot have WITHIN GROUP", c.Func.Name)
	}
	a := &algebra.Agg{T: c.T, Func: c.Func, Args: c.Args}
	direct := c.Args[:len(c.Args)-len(e.OrderBy)]
	for i, it := range e.OrderBy {
		x := c.Args[len(direct)+i]
		k := b.sortItem(it, x.Type())
		a.OrderArgs = append(a.OrderArgs, x)
		a.OrderBy = append(a.OrderBy, algebra.SortKey{Desc: k.desc, NullsFirst: k.nullsFirst})
	}
	parts := append([]scalar(nil), a.Args...)
	if e.Filter != nil {
		a.Filter = s.condition(inFilter, e.Filter)
		parts = append(parts, a.Filter)
	}
	owner := s.aggLevel(parts, e.Pos())
	owner.checkAggAllowed(e.Pos())
	for _, d := range direct {
		cols := algebra.ColSet{}
		algebra.ScalarColumns(d, cols)
		for id := range cols {
			if b.info(id).scope == owner {
				b.unsupported(e.Pos(), "a column as direct argument of %s", c.Func.Name)
			}
		}
	}
	return owner.addAgg(a, e)
}

// aggLevel finds the level an aggregate belongs to, and refuses nested aggregates and the like in it.
func (s *scope) aggLevel(parts []scalar, pos int) *scope {
	b := s.b
	levels := map[*scope]int{}
	n := 0
	for level := s; level != nil; level = level.parent {
		levels[level] = n
		n++
	}
	var owner *scope
	var cols []*algebra.Col
	v := algebra.Visitor{Scalar: func(a scalar) bool {
		col, ok := a.(*algebra.Col)
		if !ok {
			return true
		}
		level := b.info(col.ID).scope
		if depth, ok := levels[level]; ok {
			cols = append(cols, col)
			if owner == nil || depth < levels[owner] {
				owner = level
			}
		}
		return true
	}}
	for _, p := range parts {
		v.VisitScalar(p)
	}
	if owner == nil {
		owner = s
	}
	for _, col := range cols {
		info := b.info(col.ID)
		if info.scope != owner {
			continue
		}
		switch info.kind {
		case aggCol:
			b.fail(offset(col.Place), errs.GroupingError, "aggregate function calls cannot be nested")
		case windowCol:
			b.fail(offset(col.Place), errs.GroupingError, "aggregate function calls cannot contain window function calls")
		case setCol:
			b.bail(offset(col.Place), errs.New(errs.FeatureNotSupported, "aggregate function calls cannot contain set-returning function calls").WithHint(lateralHint))
		}
	}
	return owner
}

func equalAgg(a, b *algebra.Agg) bool {
	if a.Func != b.Func || a.T != b.T || a.Star != b.Star || a.Distinct != b.Distinct || len(a.Args) != len(b.Args) ||
		len(a.OrderArgs) != len(b.OrderArgs) || !algebra.Equal(a.Filter, b.Filter) {
		return false
	}
	for i := range a.Args {
		if !algebra.Equal(a.Args[i], b.Args[i]) {
			return false
		}
	}
	for i := range a.OrderArgs {
		if !algebra.Equal(a.OrderArgs[i], b.OrderArgs[i]) || a.OrderBy[i] != b.OrderBy[i] {
			return false
		}
	}
	return true
}

// grouping rewrites the expressions of a level over the columns of its Aggregate.
type grouping struct {
	*scope
	exprs []scalar // grouped by, other than plain columns
	ids   []algebra.ColID
	keys  []algebra.ColID // all keys, in order
	isKey algebra.ColSet
	// byKey are the scans whose primary key is among the keys, so that their other columns are known too.
	byKey map[*source]bool
	made  algebra.ColSet // columns that exist above the Aggregate besides keys
}

// aggregated puts the Aggregate of a level over its rows, and HAVING over that.
func (x *selecting) aggregated(rel algebra.Rel) algebra.Rel {
	b := x.b
	g := &grouping{scope: x.scope, isKey: algebra.ColSet{}, byKey: map[*source]bool{}, made: algebra.ColSet{}}
	var computed []algebra.Item
	below, above, exprs := map[*target]algebra.ColID{}, map[*target]algebra.ColID{}, map[*target]scalar{}
	for _, t := range x.group {
		e := t.expr
		exprs[t] = e
		newKey := func() algebra.ColID {
			id := b.newCol(algebra.Column{Name: t.name, T: typeOf(e.Type(), e.Mod())}, colInfo{scope: x.scope})
			if f := b.fieldsOf(e); f != nil && e.Type() == types.RecordType {
				b.setRecord(id, f)
			}
			return id
		}
		if c, ok := e.(*algebra.Col); ok && b.info(c.ID).scope == x.scope {
			below[t] = c.ID
			if x.groupSets == nil {
				g.addKey(c.ID)
				continue
			}
		} else {
			below[t] = newKey()
			computed = append(computed, algebra.Item{ID: below[t], Expr: e})
		}
		id := below[t]
		if x.groupSets != nil {
			id = newKey()
		}
		above[t] = id
		g.exprs, g.ids = append(g.exprs, e), append(g.ids, id)
		g.addKey(id)
	}
	x.checkGroupings(exprs)
	sets := x.setsBelow(g, computed)
	rel = projectSets(rel, sets)
	for _, c := range sets {
		c.done = true
	}
	for _, c := range x.groupings {
		g.made.Add(c.id)
	}
	for _, a := range x.aggs {
		g.made.Add(a.ID)
	}
	for _, w := range x.windows {
		g.made.Add(w.id)
	}
	for _, c := range x.sets {
		if !c.done {
			g.made.Add(c.item.ID)
		}
	}
	// Columns found to depend on a key become keys, so the expressions go first.
	for _, t := range x.targets {
		t.expr = g.rewrite(t.expr)
	}
	having := x.having
	if having != nil {
		having = g.rewrite(having)
	}
	for _, w := range x.windows {
		w.rewrite(g.rewrite)
	}
	for _, c := range x.sets {
		if !c.done {
			c.item.Expr = g.rewrite(c.item.Expr)
		}
	}
	agg := &algebra.Aggregate{Keys: g.keys}
	need := algebra.ColsOf(g.keys...)
	for _, id := range below {
		need.Add(id)
	}
	for _, a := range x.aggs {
		agg.Aggs = append(agg.Aggs, *a)
		for _, list := range [][]scalar{a.Args, a.OrderArgs, {a.Filter}} {
			for _, e := range list {
				if e != nil {
					algebra.ScalarColumns(e, need)
				}
			}
		}
	}
	if len(computed) > 0 {
		items := computed
		for _, id := range rel.Columns() {
			if need.Has(id) {
				items = append(items, algebra.Item{ID: id, Expr: b.col(id, -1)})
			}
		}
		rel = &algebra.Project{Input: rel, Items: items}
	}
	if x.groupSets != nil {
		rel = x.aggregateSets(rel, below, above, exprs)
	} else {
		agg.Input = rel
		rel = x.withGroupings(agg)
	}
	if having != nil {
		rel = &algebra.Filter{Input: rel, Cond: having}
	}
	return rel
}

// withGroupings adds the GROUPING calls of a query with one set, which are all 0.
func (x *selecting) withGroupings(rel algebra.Rel) algebra.Rel {
	if len(x.groupings) == 0 {
		return rel
	}
	p := x.b.pass(rel)
	for _, c := range x.groupings {
		p.Items = append(p.Items, algebra.Item{ID: c.id, Expr: &algebra.Const{T: noMod(types.Int4), Value: types.NewInt(0)}})
	}
	return p
}

func (g *grouping) addKey(id algebra.ColID) {
	if !g.isKey.Has(id) {
		g.isKey.Add(id)
		g.keys = append(g.keys, id)
	}
}

// setsBelow are the set-returning functions that are grouped by, and so computed before.
func (x *selecting) setsBelow(g *grouping, computed []algebra.Item) []*setCall {
	need := algebra.ColsOf(g.keys...)
	for _, it := range computed {
		algebra.ScalarColumns(it.Expr, need)
	}
	var out []*setCall
	for i := len(x.sets) - 1; i >= 0; i-- { // arguments come before what uses them
		if c := x.sets[i]; need.Has(c.item.ID) {
			out = append(out, c)
			algebra.ScalarColumns(c.item.Expr, need)
		}
	}
	return out
}

func (g *grouping) rewrite(e scalar) scalar { return g.in(e, false) }

// in rewrites an expression, of the level itself or of a query within one.
func (g *grouping) in(e scalar, sub bool) scalar {
	b := g.b
	var w algebra.Rewriter
	w.Scalar = func(a scalar) (scalar, bool) {
		for i, k := range g.exprs {
			if algebra.Equal(a, k) {
				return b.col(g.ids[i], -1), true
			}
		}
		switch a := a.(type) {
		case *algebra.Col:
			g.check(a, sub)
			return a, true
		case *algebra.Subquery:
			if sub {
				return nil, false
			}
			c := *a
			c.Left = make([]scalar, len(a.Left))
			for i, l := range a.Left {
				c.Left[i] = g.in(l, false)
			}
			inner := algebra.Rewriter{Scalar: func(x scalar) (scalar, bool) {
				out := g.in(x, true)
				return out, true
			}}
			c.Rel = inner.RewriteRel(a.Rel)
			return &c, true
		}
		return nil, false
	}
	return w.RewriteScalar(e)
}

// check refuses a column of this level that is not grouped by.
func (g *grouping) check(c *algebra.Col, sub bool) {
	b := g.b
	info := b.info(c.ID)
	if info.scope != g.scope || info.kind == outputCol || g.isKey.Has(c.ID) || g.made.Has(c.ID) {
		return
	}
	if g.dependent(info.src) {
		g.addKey(c.ID)
		return
	}
	name := b.q.Column(c.ID).Name
	if info.src != nil {
		for _, col := range info.src.cols {
			if x, ok := col.expr.(*algebra.Col); ok && x.ID == c.ID {
				name = col.name
			}
		}
		if info.src.name != "" {
			name = info.src.name + "." + name
		}
	}
	if sub {
		b.fail(offset(c.Place), errs.GroupingError, "subquery uses ungrouped column %s from outer query", quoted(name))
	}
	b.fail(offset(c.Place), errs.GroupingError, "column %s must appear in the GROUP BY clause or be used in an aggregate function", quoted(name))
}

// dependent reports whether the primary key of a table is grouped by, which fixes its other columns.
func (g *grouping) dependent(src *source) bool {
	if src == nil || src.scan == nil {
		return false
	}
	if known, ok := g.byKey[src]; ok {
		return known
	}
	pk := src.base.PrimaryKey()
	ok := pk != nil && !deferrable(src.base, pk)
	if ok {
		for _, k := range pk.Keys {
			found := false
			for _, c := range src.scan.Cols {
				found = found || c.Number == k.Column && g.isKey.Has(c.ID)
			}
			ok = ok && found
		}
	}
	g.byKey[src] = ok
	return ok
}

func deferrable(t *catalog.Table, x *catalog.Index) bool {
	for _, c := range t.Constraints {
		if c.OID == x.Constraint {
			return c.Deferrable
		}
	}
	return false
}
