package assertions

import (
	"cmp"
	"slices"

	"holdfast/sql/algebra"
	"holdfast/sql/catalog"
	"holdfast/sql/types"
)

// aggregate makes look-ups of an aggregation, nil if its aggregates cannot be kept. With keys, which group is meant is left open.
//
// An aggregation over a join is one over a table, joined to the others afterwards, if each row of the table meets at most one row of
// these and all rows of a group meet the same: seats of teams by team and plan are seats by team, of which each has a plan.
func (l *lifter) aggregate(r *algebra.Aggregate) *lifted {
	for i := range r.Aggs {
		if !kept(&r.Aggs[i]) {
			return nil
		}
	}
	s := &source{known: map[algebra.ColID]algebra.Scalar{}}
	if !s.flatten(r.Input) {
		return nil
	}
	if len(s.leaves) > 1 {
		return l.aggregatedJoin(r, s)
	}
	t := s.leaves[0]
	own := algebra.ColsOf(t.Columns()...)
	x := plain(nil)
	g := &group{def: &Definition{Table: t.Table}}
	g.Table = t.Table
	var filter []algebra.Scalar
	for _, c := range s.conds {
		switch n := numbered(t, c); {
		case n != nil:
			filter = append(filter, n)
		case len(r.Keys) > 0:
			return nil
		default:
			// It is about the outer row: the group is that of its value.
			a, b, null, ok := equated(c)
			if !ok {
				return nil
			}
			if !isColumn(a, own) {
				a, b = b, a
			}
			if !isColumn(a, own) || usesOf(b, own) || hasQuery(b) || !sameKeys(a.Type(), b.Type()) || !g.key(t, a) {
				return nil
			}
			g.Keys = append(g.Keys, algebra.AccumulatedKey{Expr: b, Null: null})
		}
	}
	if len(filter) > 0 {
		g.def.Filter = conjunction(filter)
	}
	for _, k := range r.Keys {
		e := s.say(l.col(k))
		if !isColumn(e, own) || !sameKeys(e.Type(), e.Type()) || !g.key(t, e) {
			return nil
		}
		g.Keys = append(g.Keys, algebra.AccumulatedKey{})
		x.open = append(x.open, openKey{group: g, key: len(g.Keys) - 1, id: k})
	}
	if !immutable(g.def.Filter) {
		return nil
	}
	var cols []algebra.AccumulatedCol
	for i := range r.Aggs {
		a := &r.Aggs[i]
		c := algebra.AccumulatedCol{ID: a.ID, Func: a.Func.Name, Arg: -1, T: l.q.Column(a.ID).T}
		e := argument(a)
		if e == nil {
			c.Func = "rows"
		} else {
			if e = numbered(t, s.say(e)); e == nil || !immutable(e) {
				return nil
			}
			c.Arg = g.def.argument(e, c.Func != "count")
		}
		cols = append(cols, c)
	}
	g.Cols = cols
	for _, c := range cols {
		l.made.Add(c.ID)
	}
	for _, o := range x.open {
		l.made.Add(o.id)
	}
	if len(r.Keys) > 0 {
		g.rows = l.q.NewColumn(algebra.Column{Name: "rows", T: algebra.T{Typ: types.Int8, M: types.NoTypmod}})
		g.Cols = append(g.Cols, algebra.AccumulatedCol{ID: g.rows, Func: "rows", Arg: -1, T: l.q.Column(g.rows).T})
		l.made.Add(g.rows)
		x.conds = append(x.conds, l.positive(g.rows)) // groups without rows are none
	}
	x.groups = []*group{g}
	return x
}

// kept reports whether what an aggregate comes to can be kept.
func kept(a *algebra.Agg) bool {
	if a.Distinct || len(a.OrderBy) > 0 || len(a.Args) > 1 {
		return false
	}
	switch a.Func.Name {
	case "count":
		return true
	case "sum", "avg":
		return len(a.Args) == 1 && summed(a.Args[0].Type())
	}
	return false
}

// argument is what an aggregate is of, NULL for rows that do not count; nil if it is the rows themselves.
func argument(a *algebra.Agg) algebra.Scalar {
	var e algebra.Scalar
	if len(a.Args) == 1 {
		e = a.Args[0]
	}
	if a.Filter == nil {
		return e
	}
	if e == nil {
		e = truth(true)
	}
	t := algebra.T{Typ: e.Type(), M: e.Mod()}
	return &algebra.Case{T: t, Whens: []algebra.When{{Cond: a.Filter, Result: e}}, Else: &algebra.Const{T: t, Value: types.Null}}
}

// argument is the place of an expression among the arguments, where it is put if it is not there.
func (d *Definition) argument(e algebra.Scalar, sum bool) int {
	for i := range d.Args {
		if algebra.Equal(d.Args[i].Expr, e) {
			d.Args[i].Sum = d.Args[i].Sum || sum
			return i
		}
	}
	d.Args = append(d.Args, Argument{Expr: e, Sum: sum})
	return len(d.Args) - 1
}

// key adds a column of the table to the key.
func (g *group) key(t *algebra.Scan, e algebra.Scalar) bool {
	for _, c := range t.Cols {
		if c.ID == e.(*algebra.Col).ID {
			if c.Number <= 0 || slices.Contains(g.def.Keys, c.Number) {
				return false
			}
			g.def.Keys = append(g.def.Keys, c.Number)
			return true
		}
	}
	return false
}

func isColumn(e algebra.Scalar, of algebra.ColSet) bool {
	c, ok := e.(*algebra.Col)
	return ok && of.Has(c.ID)
}

func usesOf(e algebra.Scalar, of algebra.ColSet) bool {
	used := algebra.ColSet{}
	algebra.ScalarColumns(e, used)
	for id := range used {
		if of.Has(id) {
			return true
		}
	}
	return false
}

// numbered writes an expression over the columns of a scan alone with their attribute numbers; nil if it is none.
func numbered(t *algebra.Scan, e algebra.Scalar) algebra.Scalar {
	if hasQuery(e) {
		return nil
	}
	ok := true
	w := &algebra.Rewriter{Scalar: func(s algebra.Scalar) (algebra.Scalar, bool) {
		c, is := s.(*algebra.Col)
		if !is {
			return nil, false
		}
		for _, x := range t.Cols {
			if x.ID == c.ID && x.Number > 0 {
				return &algebra.Col{T: c.T, ID: algebra.ColID(x.Number)}, true
			}
		}
		ok = false
		return c, true
	}}
	out := w.RewriteScalar(e)
	if !ok {
		return nil
	}
	return out
}

// source is the input of an aggregation: tables joined by conditions. known are columns that projections make of those of the tables.
type source struct {
	leaves []*algebra.Scan
	conds  []algebra.Scalar
	known  map[algebra.ColID]algebra.Scalar
}

func (s *source) say(e algebra.Scalar) algebra.Scalar {
	return replaced(e, func(c *algebra.Col) algebra.Scalar { return s.known[c.ID] })
}

// flatten reports whether a relation is of that form.
func (s *source) flatten(r algebra.Rel) bool {
	switch r := r.(type) {
	case *algebra.Scan:
		s.leaves = append(s.leaves, r)
		return r.Transition == algebra.NoTransition && r.Table.Virtual == nil && r.Table.Kind == catalog.KindTable
	case *algebra.Filter:
		if !s.flatten(r.Input) {
			return false
		}
		for _, c := range conjuncts(nil, r.Cond) {
			s.conds = append(s.conds, s.say(c))
		}
		return true
	case *algebra.Project:
		if !s.flatten(r.Input) {
			return false
		}
		for _, it := range r.Items {
			if hasQuery(it.Expr) {
				return false
			}
			if c, ok := it.Expr.(*algebra.Col); !ok || c.ID != it.ID {
				s.known[it.ID] = s.say(it.Expr)
			}
		}
		return true
	case *algebra.Sort:
		return s.flatten(r.Input)
	case *algebra.Join:
		if r.Kind != algebra.InnerJoin || r.Lateral || !s.flatten(r.Left) || !s.flatten(r.Right) {
			return false
		}
		for _, c := range conjuncts(nil, r.On) {
			s.conds = append(s.conds, s.say(c))
		}
		return true
	}
	return false
}

// aggregatedJoin turns an aggregation over a join into one over one of its tables, joined to the others.
func (l *lifter) aggregatedJoin(r *algebra.Aggregate, s *source) *lifted {
	if len(r.Keys) == 0 {
		return nil
	}
	for _, t := range s.leaves {
		if rel := l.over(r, s, t); rel != nil {
			x := l.lift(rel)
			if len(x.groups) == 0 {
				return nil
			}
			for _, k := range r.Keys {
				if e := s.known[k]; e != nil {
					x.defs[k] = l.with(x, e)
				}
			}
			return x
		}
	}
	return nil
}

// over is the aggregation over table t of a join, joined to the other tables; nil if that is not the same.
func (l *lifter) over(r *algebra.Aggregate, s *source, t *algebra.Scan) algebra.Rel {
	own := algebra.ColsOf(t.Columns()...)
	others := algebra.ColSet{}
	for _, o := range s.leaves {
		if o != t {
			others.Add(o.Columns()...)
		}
	}
	fixed := algebra.ColSet{} // columns of which a group has one value
	for _, k := range r.Keys {
		c, ok := s.say(l.col(k)).(*algebra.Col)
		if !ok || !own.Has(c.ID) && !others.Has(c.ID) {
			return nil
		}
		fixed.Add(c.ID)
	}
	var filter, on []algebra.Scalar
	type pair struct{ a, b *algebra.Col }
	var equal []pair
	for _, c := range s.conds {
		used := algebra.ColSet{}
		algebra.ScalarColumns(c, used)
		here := false
		for id := range used {
			if !own.Has(id) && !others.Has(id) {
				return nil // of an outer query
			}
			here = here || own.Has(id)
		}
		if hasQuery(c) {
			return nil
		}
		if here && !usesOf(c, others) {
			filter = append(filter, c)
			continue
		}
		on = append(on, c)
		if a, b, null, ok := equated(c); ok && !null {
			x, okX := a.(*algebra.Col)
			y, okY := b.(*algebra.Col)
			if okX && okY {
				equal = append(equal, pair{x, y}, pair{y, x})
			}
		}
	}
	keys := algebra.ColSet{}
	for id := range fixed {
		if own.Has(id) {
			keys.Add(id)
		}
	}
	for _, p := range equal {
		if own.Has(p.a.ID) && others.Has(p.b.ID) && fixed.Has(p.b.ID) {
			keys.Add(p.a.ID)
		}
	}
	for _, c := range on {
		used := algebra.ColSet{}
		algebra.ScalarColumns(c, used)
		for id := range used {
			if own.Has(id) && !keys.Has(id) {
				return nil // rows of one group may meet different rows
			}
		}
	}
	// Each of the other tables has at most one row for a group.
	determined := algebra.ColSet{}
	for id := range keys {
		determined.Add(id)
	}
	rest := slices.DeleteFunc(slices.Clone(s.leaves), func(o *algebra.Scan) bool { return o == t })
	for again := true; again && len(rest) > 0; {
		again = false
		for i, o := range rest {
			one := uniqueBy(o, func(id algebra.ColID) bool {
				return slices.ContainsFunc(equal, func(p pair) bool { return p.a.ID == id && determined.Has(p.b.ID) })
			})
			if one {
				determined.Add(o.Columns()...)
				rest = slices.Delete(rest, i, i+1)
				again = true
				break
			}
		}
	}
	if len(rest) > 0 {
		return nil
	}
	sub := &algebra.Aggregate{Input: t}
	if len(filter) > 0 {
		sub.Input = &algebra.Filter{Input: t, Cond: conjunction(filter)}
	}
	for id := range keys {
		sub.Keys = append(sub.Keys, id)
	}
	slices.SortFunc(sub.Keys, cmp.Compare)
	for _, a := range r.Aggs {
		if len(a.Args) == 1 {
			a.Args = []algebra.Scalar{s.say(a.Args[0])}
			if usesOf(a.Args[0], others) {
				return nil
			}
		}
		if a.Filter != nil {
			if a.Filter = s.say(a.Filter); usesOf(a.Filter, others) {
				return nil
			}
		}
		sub.Aggs = append(sub.Aggs, a)
	}
	var rel algebra.Rel
	for _, o := range s.leaves {
		switch {
		case o == t:
		case rel == nil:
			rel = o
		default:
			rel = &algebra.Join{Kind: algebra.InnerJoin, Left: rel, Right: o}
		}
	}
	return &algebra.Join{Kind: algebra.InnerJoin, Left: sub, Right: rel, On: conjunction(on)}
}

// uniqueBy reports whether a table has at most one row for values of the columns for which given is true.
func uniqueBy(t *algebra.Scan, given func(id algebra.ColID) bool) bool {
	return slices.ContainsFunc(t.Table.Indexes, func(x *catalog.Index) bool {
		if !x.Unique || x.Predicate != "" || x.Invalid {
			return false
		}
		for _, k := range x.Keys {
			if !slices.ContainsFunc(t.Cols, func(c algebra.ScanColumn) bool { return k.Column > 0 && c.Number == k.Column && given(c.ID) }) {
				return false
			}
		}
		return true
	})
}

// merged makes one of look-ups in the same group of the same rows, and puts the arguments into an order of their own.
func merged(list []*group) []*group {
	var out []*group
	for _, g := range list {
		i := slices.IndexFunc(out, func(o *group) bool {
			return o.Table.OID == g.Table.OID && algebra.Equal(o.def.Filter, g.def.Filter) && slices.Equal(o.def.Keys, g.def.Keys) &&
				slices.EqualFunc(o.Keys, g.Keys, func(a, b algebra.AccumulatedKey) bool { return a.Null == b.Null && algebra.Equal(a.Expr, b.Expr) })
		})
		if i < 0 {
			out = append(out, g)
			continue
		}
		o := out[i]
		for _, c := range g.Cols {
			if c.Arg >= 0 {
				a := g.def.Args[c.Arg]
				c.Arg = o.def.argument(a.Expr, a.Sum)
			}
			o.Cols = append(o.Cols, c)
		}
	}
	for _, g := range out {
		old := g.def.Args
		g.def.Args = slices.Clone(old)
		slices.SortStableFunc(g.def.Args, func(a, b Argument) int {
			return cmp.Compare(algebra.FormatScalar(nil, a.Expr), algebra.FormatScalar(nil, b.Expr))
		})
		for i := range g.Cols {
			if c := &g.Cols[i]; c.Arg >= 0 {
				c.Arg = slices.IndexFunc(g.def.Args, func(a Argument) bool { return algebra.Equal(a.Expr, old[c.Arg].Expr) })
			}
		}
	}
	return out
}
