package optimize

import (
	"holdfast/sql/algebra"
	"holdfast/sql/types"
)

// unnest turns a condition that is a query into a join: EXISTS and IN into a semi join, NOT EXISTS into an
// anti join, NOT IN into the null-aware one. The correlated conditions of the query become those of the
// join. It reports false where the query is correlated in any other place; it is then evaluated per row,
// remembering results (exec.SubPlan).
func (p *planner) unnest(input algebra.Rel, cond algebra.Scalar) (algebra.Rel, bool) {
	negated := false
	for {
		n, ok := cond.(*algebra.Not)
		if !ok {
			break
		}
		negated, cond = !negated, n.Arg
	}
	q, ok := cond.(*algebra.Subquery)
	if !ok {
		return nil, false
	}
	inside := algebra.ColsOf(input.Columns()...)
	switch q.Kind {
	case algebra.ExistsSubquery:
		inner, on, ok := p.pullUp(q.Rel, inside, true)
		if !ok {
			return nil, false
		}
		kind := algebra.SemiJoin
		if negated {
			kind = algebra.AntiJoin
		}
		return &algebra.Join{Kind: kind, Left: input, Right: inner, On: and(on)}, true
	case algebra.AnySubquery:
		if q.Not {
			negated = !negated
		}
		if q.Op != "=" {
			return nil, false
		}
		for _, l := range q.Left {
			if volatile(l) || hasSubquery(l) {
				return nil, false
			}
		}
		cols := q.Rel.Columns()
		var on []algebra.Scalar
		for i, l := range q.Left {
			on = append(on, &algebra.Call{T: algebra.T{Typ: types.Bool, M: types.NoTypmod}, Func: q.Funcs[i], Args: []algebra.Scalar{l, p.col(cols[i])}, Op: "=", VariadicAt: -1, Pos: -1})
		}
		if negated {
			// Correlated or of several columns, the null-aware join would need more than equal keys.
			free := algebra.ColSet{}
			algebra.FreeColumns(q.Rel, free)
			if len(restrict(free, inside)) > 0 || len(on) != 1 {
				return nil, false
			}
			if _, _, cmp, ok := compare(on[0]); !ok || !cmp.hashable {
				return nil, false
			}
			if lefts, _, _, _ := equalKeys(on, inside, algebra.ColsOf(cols...)); len(lefts) == 0 {
				return nil, false
			}
			return &algebra.Join{Kind: algebra.AntiNullJoin, Left: input, Right: q.Rel, On: and(on)}, true
		}
		inner, more, ok := p.pullUp(q.Rel, inside, false)
		if !ok {
			return nil, false
		}
		return &algebra.Join{Kind: algebra.SemiJoin, Left: input, Right: inner, On: and(append(on, more...))}, true
	}
	return nil, false
}

// pullUp takes the correlated conditions out of a query: what is left of it refers to no outer column. Under
// exists only whether there are rows matters, so that projections and orders fall away.
func (p *planner) pullUp(r algebra.Rel, outer algebra.ColSet, exists bool) (algebra.Rel, []algebra.Scalar, bool) {
	free := algebra.ColSet{}
	algebra.FreeColumns(r, free)
	if len(restrict(free, outer)) == 0 {
		return r, nil, true
	}
	switch r := r.(type) {
	case *algebra.Project:
		in, on, ok := p.pullUp(r.Input, outer, exists)
		if !ok {
			return nil, nil, false
		}
		for _, it := range r.Items {
			if uses(it.Expr, outer) {
				if !exists {
					return nil, nil, false
				}
			}
		}
		if exists {
			return in, on, true
		}
		// Columns that the pulled conditions use have to come through.
		items := append([]algebra.Item(nil), r.Items...)
		have := algebra.ColsOf(r.Columns()...)
		inCols := algebra.ColsOf(in.Columns()...)
		for _, c := range on {
			for id := range columnsOf(c) {
				if inCols.Has(id) && !have.Has(id) {
					have.Add(id)
					items = append(items, algebra.Item{ID: id, Expr: p.col(id)})
				}
			}
		}
		return &algebra.Project{Input: in, Items: items}, on, true
	case *algebra.Filter:
		in, on, ok := p.pullUp(r.Input, outer, exists)
		if !ok {
			return nil, nil, false
		}
		var stay []algebra.Scalar
		for _, c := range conjuncts(nil, r.Cond) {
			switch {
			case !uses(c, outer):
				stay = append(stay, c)
			case volatile(c) || hasSubquery(c):
				return nil, nil, false
			default:
				on = append(on, c)
			}
		}
		if len(stay) == 0 {
			return in, on, true
		}
		return &algebra.Filter{Input: in, Cond: and(stay)}, on, true
	case *algebra.Sort:
		return p.pullUp(r.Input, outer, exists)
	case *algebra.DistinctRows:
		if r.On == nil && exists {
			return p.pullUp(r.Input, outer, exists)
		}
	case *algebra.Join:
		if r.Kind != algebra.InnerJoin || r.Lateral {
			return nil, nil, false
		}
		left, a, ok := p.pullUp(r.Left, outer, exists)
		if !ok {
			return nil, nil, false
		}
		right, b, ok := p.pullUp(r.Right, outer, exists)
		if !ok {
			return nil, nil, false
		}
		on := append(a, b...)
		var stay []algebra.Scalar
		for _, c := range conjuncts(nil, r.On) {
			switch {
			case !uses(c, outer):
				stay = append(stay, c)
			case volatile(c) || hasSubquery(c):
				return nil, nil, false
			default:
				on = append(on, c)
			}
		}
		return &algebra.Join{Kind: r.Kind, Left: left, Right: right, On: and(stay)}, on, true
	}
	return nil, nil, false
}
