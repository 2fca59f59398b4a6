package assertions

import (
	"slices"

	"holdfast/sql/algebra"
	"holdfast/sql/types"
)

// lifted is a relation in the form that accumulators need: look-ups in groups for each row of a base, and conditions over both. Columns
// that projections have computed are not there but defined.
type lifted struct {
	base   algebra.Rel // nil: one row without columns
	groups []*group
	conds  []algebra.Scalar
	defs   map[algebra.ColID]algebra.Scalar
	open   []openKey
}

// group is a look-up, and what is looked up.
type group struct {
	algebra.AccumulatedGroup
	def  *Definition
	rows algebra.ColID // the column with the number of rows
}

// openKey is a part of the key of a group for which there is no expression yet: the groups are those there are, until a join says
// which is meant.
type openKey struct {
	group *group
	key   int
	id    algebra.ColID
}

// lifter brings relations into that form.
type lifter struct {
	q      *algebra.Query
	made   algebra.ColSet // columns made of accumulators, and open keys
	failed bool           // there is an aggregate that could be kept, in a place where it cannot be looked up
}

func (l *lifter) col(id algebra.ColID) *algebra.Col {
	return &algebra.Col{T: l.q.Column(id).T, ID: id}
}

func plain(r algebra.Rel) *lifted {
	return &lifted{base: r, defs: map[algebra.ColID]algebra.Scalar{}}
}

// with writes an expression over what columns are defined as.
func (l *lifter) with(x *lifted, e algebra.Scalar) algebra.Scalar {
	if len(x.defs) == 0 {
		return e
	}
	return replaced(e, func(c *algebra.Col) algebra.Scalar { return x.defs[c.ID] })
}

// uses reports whether an expression uses columns that are made of accumulators.
func (l *lifter) uses(e algebra.Scalar) bool { return usesOf(e, l.made) }

// lift brings a relation into the form. One in which no aggregate can be looked up is its own base.
func (l *lifter) lift(r algebra.Rel) *lifted {
	if l.failed {
		return plain(r)
	}
	switch r := r.(type) {
	case *algebra.Filter:
		x := l.lift(r.Input)
		return l.filter(x, r)
	case *algebra.Project:
		x := l.lift(r.Input)
		return l.project(x, r)
	case *algebra.Sort:
		if x := l.lift(r.Input); len(x.groups) > 0 {
			return x
		}
	case *algebra.DistinctRows:
		// Which of several equal violations is found does not matter.
		if x := l.lift(r.Input); len(x.groups) > 0 {
			if r.On != nil {
				l.failed = true
			}
			return x
		}
	case *algebra.Join:
		if x := l.join(r); x != nil {
			return x
		}
	case *algebra.Aggregate:
		if x := l.aggregate(r); x != nil {
			return x
		}
	case *algebra.Values:
		if len(r.Rows) == 1 && len(r.Cols) == 0 {
			return plain(nil)
		}
	}
	return plain(r)
}

func (l *lifter) filter(x *lifted, r *algebra.Filter) *lifted {
	conds := conjuncts(nil, r.Cond)
	for i, c := range conds {
		conds[i] = l.queries(x, l.with(x, c))
	}
	if len(x.groups) == 0 {
		return plain(r)
	}
	if below := l.sift(x, conds); len(below) > 0 {
		x.base = &algebra.Filter{Input: unit(x.base), Cond: conjunction(below)}
	}
	return x
}

// unit is a base as a relation.
func unit(base algebra.Rel) algebra.Rel {
	if base == nil {
		return &algebra.Values{Rows: [][]algebra.Scalar{{}}}
	}
	return base
}

func (l *lifter) project(x *lifted, r *algebra.Project) *lifted {
	exprs := make([]algebra.Scalar, len(r.Items))
	for i, it := range r.Items {
		exprs[i] = l.queries(x, l.with(x, it.Expr))
	}
	if len(x.groups) == 0 {
		return plain(r)
	}
	var below []algebra.Item
	for i, it := range r.Items {
		e := exprs[i]
		if c, ok := e.(*algebra.Col); ok && c.ID == it.ID {
			continue
		}
		if hasQuery(e) {
			if l.uses(e) {
				l.failed = true
				return x
			}
			below = append(below, algebra.Item{ID: it.ID, Expr: e})
			continue
		}
		x.defs[it.ID] = e
	}
	if len(below) > 0 {
		base := unit(x.base)
		p := &algebra.Project{Input: base}
		for _, id := range base.Columns() {
			p.Items = append(p.Items, algebra.Item{ID: id, Expr: l.col(id)})
		}
		p.Items = append(p.Items, below...)
		x.base = p
	}
	return x
}

// queries puts columns of accumulators in the place of the queries of an expression that are aggregates.
func (l *lifter) queries(x *lifted, e algebra.Scalar) algebra.Scalar {
	w := &algebra.Rewriter{Scalar: func(s algebra.Scalar) (algebra.Scalar, bool) {
		sub, ok := s.(*algebra.Subquery)
		if !ok {
			return nil, false
		}
		if sub.Kind != algebra.ScalarSubquery || !oneGroup(sub.Rel) {
			return s, true
		}
		y := l.lift(sub.Rel)
		if len(y.groups) == 0 || y.base != nil || len(y.open) > 0 || len(y.conds) > 0 {
			return s, true
		}
		if !l.correlated(x, y) {
			return s, true
		}
		x.groups = append(x.groups, y.groups...)
		return l.with(y, l.col(sub.Rel.Columns()[0])), true
	}}
	return w.RewriteScalar(e)
}

// correlated writes the keys of groups, which are outer columns to them, over what these are. It reports whether they are of the base.
func (l *lifter) correlated(x, y *lifted) bool {
	for _, g := range y.groups {
		for i := range g.Keys {
			if g.Keys[i].Expr == nil {
				continue
			}
			g.Keys[i].Expr = l.with(x, g.Keys[i].Expr)
			if l.uses(g.Keys[i].Expr) || hasQuery(g.Keys[i].Expr) {
				return false
			}
		}
	}
	return true
}

// sift makes those of some conditions that use the groups conditions of x, and returns the others, which its base has to fulfil.
func (l *lifter) sift(x *lifted, conds []algebra.Scalar) (below []algebra.Scalar) {
	for _, c := range conds {
		switch {
		case !l.uses(c):
			below = append(below, c)
		case hasQuery(c):
			l.failed = true
		default:
			x.conds = append(x.conds, c)
		}
	}
	return below
}

// join is nil for a join in which nothing is looked up.
func (l *lifter) join(r *algebra.Join) *lifted {
	left, right := l.lift(r.Left), l.lift(r.Right)
	if len(left.groups)+len(right.groups) == 0 {
		return nil
	}
	outer := r.Kind == algebra.LeftJoin
	switch {
	case r.Kind != algebra.InnerJoin && !outer:
		l.failed = true
		return plain(r)
	case r.Lateral || outer:
		// The right side is nothing but groups of one row each.
		if right.base != nil || len(right.groups) != 1 || !l.correlated(left, right) {
			l.failed = true
			return plain(r)
		}
	}
	x := &lifted{base: left.base, groups: append(left.groups, right.groups...), defs: left.defs, open: append(left.open, right.open...)}
	if outer && !l.leftJoined(left, right, r, x) {
		l.failed = true
		return x
	}
	for id, e := range right.defs {
		x.defs[id] = e
	}
	x.conds = append(left.conds, right.conds...)
	if outer {
		return x
	}
	conds := slices.DeleteFunc(conjuncts(nil, r.On), func(c algebra.Scalar) bool { return l.bind(x, c) })
	switch {
	case left.base == nil:
		x.base = right.base
	case right.base != nil:
		x.base = &algebra.Join{Kind: algebra.InnerJoin, Left: left.base, Right: right.base}
	}
	l.settle(x)
	for i, c := range conds {
		conds[i] = l.with(x, c)
	}
	below := l.sift(x, conds)
	if len(below) == 0 {
		return x
	}
	if j, ok := x.base.(*algebra.Join); ok && j.On == nil && left.base != nil && right.base != nil {
		j.On = conjunction(below)
	} else {
		x.base = &algebra.Filter{Input: unit(x.base), Cond: conjunction(below)}
	}
	return x
}

// settle writes what has been said before over what open keys have come to be.
func (l *lifter) settle(x *lifted) {
	for i, c := range x.conds {
		x.conds[i] = l.with(x, c)
	}
	for id, e := range x.defs {
		x.defs[id] = l.with(x, e)
	}
}

// bind takes a condition as saying which group is meant: an open key equals something.
func (l *lifter) bind(x *lifted, c algebra.Scalar) bool {
	a, b, null, ok := equated(c)
	if !ok {
		return false
	}
	for range 2 {
		if k, ok := a.(*algebra.Col); ok {
			for i, o := range x.open {
				e := l.with(x, b)
				if o.id != k.ID || l.uses(e) || hasQuery(e) || !sameKeys(k.Typ, e.Type()) {
					continue
				}
				o.group.Keys[o.key] = algebra.AccumulatedKey{Expr: e, Null: null}
				x.open = slices.Delete(slices.Clone(x.open), i, i+1)
				x.defs[o.id] = e
				return true
			}
		}
		a, b = b, a
	}
	return false
}

// equated takes a condition apart that says that two expressions are equal, or, with null, not distinct.
func equated(c algebra.Scalar) (a, b algebra.Scalar, null, ok bool) {
	switch c := c.(type) {
	case *algebra.Call:
		if o := operators[c.Func]; o != nil && o.Name == "=" && c.Op == "=" && c.Func.Strict {
			return bare(c.Args[0]), bare(c.Args[1]), false, true
		}
	case *algebra.Distinct:
		if o := operators[c.Eq]; c.Not && o != nil && o.Name == "=" {
			return bare(c.Left), bare(c.Right), true, true
		}
	}
	return nil, nil, false, false
}

// bare is an expression without conversions that leave the value as it is.
func bare(e algebra.Scalar) algebra.Scalar {
	for {
		c, ok := e.(*algebra.Cast)
		if !ok || !c.Implicit || !sameKeys(c.Arg.Type(), c.Typ) {
			return e
		}
		e = c.Arg
	}
}

// sameKeys reports whether equal values of two types, and no others, have the same keys.
func sameKeys(a, b *types.Type) bool {
	family := func(t *types.Type) int {
		switch t {
		case types.Int2, types.Int4, types.Int8:
			return 1
		case types.Text, types.Varchar:
			return 2
		}
		return 0
	}
	return a == b && types.HasOrder(a) && a.Category != 'P' || family(a) != 0 && family(a) == family(b)
}

// leftJoined defines the columns of the right side of a left join, a group that may be missing.
func (l *lifter) leftJoined(left, right *lifted, r *algebra.Join, x *lifted) bool {
	g := right.groups[0]
	one := len(right.open) == 0 // there is always a row
	for _, c := range conjuncts(nil, r.On) {
		if one || !l.bind(x, c) {
			return false
		}
	}
	if len(x.open) > len(left.open) {
		return false
	}
	if one {
		return len(right.conds) == 0
	}
	if len(right.conds) != 1 { // that there are rows; not more
		return false
	}
	right.conds = nil
	there := l.positive(g.rows)
	wrap := func(id algebra.ColID, e algebra.Scalar) {
		t := algebra.T{Typ: e.Type(), M: e.Mod()}
		x.defs[id] = &algebra.Case{T: t, Whens: []algebra.When{{Cond: there, Result: e}}, Else: &algebra.Const{T: t, Value: types.Null}}
	}
	bound := map[algebra.ColID]algebra.Scalar{}
	for _, o := range right.open {
		bound[o.id] = x.defs[o.id]
	}
	known := &lifted{defs: bound}
	defs := map[algebra.ColID]algebra.Scalar{}
	for _, id := range r.Right.Columns() {
		e := algebra.Scalar(l.col(id))
		if d := right.defs[id]; d != nil {
			e = d
		}
		defs[id] = l.with(known, e)
	}
	right.defs = nil
	for id, e := range defs {
		if c, ok := e.(*algebra.Col); ok && c.ID == id {
			// A column cannot be defined by itself: it gets another name.
			for i := range g.Cols {
				if g.Cols[i].ID == id {
					g.Cols[i].ID = l.q.NewColumn(*l.q.Column(id))
					l.made.Add(g.Cols[i].ID)
					e = l.col(g.Cols[i].ID)
				}
			}
		}
		wrap(id, e)
	}
	return true
}

// positive is the condition that a number of rows is not 0.
func (l *lifter) positive(rows algebra.ColID) algebra.Scalar {
	return compares(l.col(rows), ">", &algebra.Const{T: algebra.T{Typ: types.Int8, M: types.NoTypmod}, Value: types.NewInt(0)})
}

// connected reports whether all parts of a base are joined by equality, so that a few rows of one lead to a few of the others. With others,
// a condition on what is accumulated could no longer keep a check from looking at them all.
func connected(base algebra.Rel) bool {
	var parts []algebra.ColSet
	var conds []algebra.Scalar
	var flatten func(r algebra.Rel)
	flatten = func(r algebra.Rel) {
		switch r := r.(type) {
		case *algebra.Filter:
			flatten(r.Input)
			conds = conjuncts(conds, r.Cond)
			return
		case *algebra.Join:
			if r.Kind == algebra.InnerJoin && !r.Lateral {
				flatten(r.Left)
				flatten(r.Right)
				conds = conjuncts(conds, r.On)
				return
			}
		case *algebra.Values, *algebra.Limit:
			return
		}
		parts = append(parts, algebra.ColsOf(r.Columns()...))
	}
	if base != nil {
		flatten(base)
	}
	part := func(e algebra.Scalar) int {
		return slices.IndexFunc(parts, func(of algebra.ColSet) bool { return usesOf(e, of) })
	}
	for joined := true; joined && len(parts) > 1; {
		joined = false
		for _, c := range conds {
			a, b, _, ok := equated(c)
			if !ok {
				continue
			}
			if i, j := part(a), part(b); i >= 0 && j >= 0 && i != j {
				for id := range parts[j] {
					parts[i].Add(id)
				}
				parts = slices.Delete(parts, j, j+1)
				joined = true
				break
			}
		}
	}
	return len(parts) <= 1
}
