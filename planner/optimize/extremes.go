package optimize

import (
	"holdfast/planner/exec"
	"holdfast/sql/algebra"
	"holdfast/sql/types"
)

// extremes plans an aggregation that is nothing but min() and max() of columns of all rows of one table, or those that fulfil conditions: the
// least value is the first in the order of an index, NULLs left out. Each is read by itself: an aggregate, so that there is a row if there is
// none, over the first row of a scan in that order. The plan is nil if there is no such index, or reading the rows seems cheaper.
//
// The order is hoped for as it is of ORDER BY with LIMIT, and so found in the same indexes, after columns with one value too: the greatest value of a
// group is one probe, and leaves that in the footprint of a check instead of the group.
func (p *planner) extremes(r *algebra.Aggregate, g goal) (exec.Node, error) {
	if len(r.Keys) > 0 || !oneTable(r.Input) {
		return nil, nil
	}
	wanted := g.all(r)
	var list []*algebra.Agg
	for i := range r.Aggs {
		a := &r.Aggs[i]
		if !wanted.Has(a.ID) {
			continue
		}
		if !isExtreme(a) {
			return nil, nil
		}
		list = append(list, a)
	}
	var n exec.Node
	cost, all := 0.0, algebra.ColSet{}
	for _, a := range list {
		id := a.Args[0].(*algebra.Col).ID
		need := algebra.ColsOf(id)
		conds := []algebra.Scalar{&algebra.IsNull{Arg: a.Args[0], Not: true}}
		if a.Filter != nil {
			conds = conjuncts(conds, a.Filter)
			algebra.ScalarColumns(a.Filter, need)
		}
		for c := range need {
			all.Add(c)
		}
		max := a.Func.Name == "max"
		order := []algebra.SortKey{{ID: id, Desc: max, NullsFirst: max}}
		in, err := p.rel(r.Input, goal{need: need, conds: conds, order: order, limit: 1})
		if err != nil || !ordered(p.orders[in], order) {
			return nil, err
		}
		exec.KeepOrder(in)
		cost += in.Properties().TotalCost
		one := p.limited(in, &algebra.Const{T: algebra.T{Typ: types.Int8, M: types.NoTypmod}, Value: types.NewInt(1)}, nil, 1)
		own := *a
		if own.Args, err = p.scalars(a.Args); err != nil {
			return nil, err
		}
		own.Filter, own.Distinct, own.OrderBy, own.OrderArgs = nil, false, nil, nil
		var x exec.Node = &exec.OrderedAggregate{Props: p.props([]algebra.ColID{a.ID}, 1), Input: one, Aggs: []algebra.Agg{own}}
		p.cost(x)
		if n != nil {
			ids := append(append([]algebra.ColID(nil), n.Properties().Cols...), a.ID)
			x = &exec.NestedLoop{Props: p.props(ids, 1), Left: n, Right: x, Kind: algebra.InnerJoin}
			p.cost(x)
		}
		n = x
	}
	if n == nil {
		return nil, nil
	}
	in, err := p.rel(r.Input, goal{need: all})
	if err != nil || in.Properties().TotalCost < cost {
		return nil, err
	}
	return p.filter(n, g.conds)
}

// isExtreme reports whether an aggregate is min() or max() of a column in whose order there may be an index.
func isExtreme(a *algebra.Agg) bool {
	if a.Func.Name != "min" && a.Func.Name != "max" || len(a.Args) != 1 || hasSubquery(a.Filter) || volatile(a.Filter) {
		return false
	}
	c, ok := a.Args[0].(*algebra.Col)
	return ok && types.HasOrder(c.Typ) && c.Typ.Kind != 'c'
}

// oneTable reports whether a relation is rows of one table as it is, under conditions that may be evaluated in any order and for any rows.
func oneTable(r algebra.Rel) bool {
	switch r := r.(type) {
	case *algebra.Scan:
		return r.Table.Virtual == nil && r.Transition == algebra.NoTransition
	case *algebra.Filter:
		return !hasSubquery(r.Cond) && !volatile(r.Cond) && oneTable(r.Input)
	case *algebra.Project:
		for _, it := range r.Items {
			if hasSubquery(it.Expr) || volatile(it.Expr) {
				return false
			}
		}
		return oneTable(r.Input)
	case *algebra.Sort:
		return oneTable(r.Input)
	}
	return false
}
