// Package optimize turns the algebra of a query into a physical plan.
//
// It works in one pass from the top down. Each relation is planned with what its surroundings want of it: the
// columns needed, the conditions to apply on top, which go down as far as they can, and the order hoped for.
// So predicate pushdown, column pruning and the choice of index happen in one place, and no intermediate
// trees are made. Queries in WHERE become semi and anti joins where they can (subquery.go); joins are ordered
// by estimated rows (join.go); scans choose an access path (scan.go).
package optimize

import (
	"context"

	"holdfast/planner/exec"
	"holdfast/sql/algebra"
	"holdfast/sql/catalog"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// Options are what a plan depends on besides the query.
type Options struct {
	Snapshot *catalog.Snapshot
	Catalog  *catalog.Catalog // for row counts; nil: unknown
	Ctx      *funcs.Ctx
	WorkMem  int64 // bytes, 0 without limit

	action bool // the statement is an action of a foreign key
	// driven: the query checks the rows that a statement has changed. It is planned as for large tables of which little is
	// read, since its plan is kept while they grow: it starts from the changed rows and probes.
	driven bool
	// many: of a driven query, that it starts from many rows. Where there is no index to probe, they are joined by hash.
	many bool
}

// Plan makes the physical plan of a query.
func Plan(ctx context.Context, q *algebra.Query, o Options) (*exec.Plan, error) {
	p := &planner{ctx: ctx, o: o, q: q, ctes: map[*algebra.CTE]*exec.CTE{}, orders: map[exec.Node][]algebra.SortKey{}}
	p.carried = carried(q)
	var want algebra.ColSet
	if q.Output != nil {
		want = algebra.ColSet{}
		for _, c := range q.Output {
			want.Add(c.ID)
		}
	}
	for _, c := range q.CTEs {
		if _, err := p.cte(c); err != nil {
			return nil, err
		}
	}
	root, err := p.rel(q.Root, goal{need: want})
	if err != nil {
		return nil, err
	}
	if q.Output != nil {
		ids := make([]algebra.ColID, len(q.Output))
		for i, c := range q.Output {
			ids[i] = c.ID
		}
		root = p.arrange(root, ids)
	}
	var ctes []*exec.CTE
	for _, c := range q.CTEs {
		ctes = append(ctes, p.ctes[c])
	}
	return exec.NewPlan(root, ctes), nil
}

// planner is the planning of one query.
type planner struct {
	ctx  context.Context
	o    Options
	q    *algebra.Query
	ctes map[*algebra.CTE]*exec.CTE
	// carried are columns that nothing looks at: they are only carried along to be written back. See carried.go.
	carried algebra.ColSet
	// orders are the orders in which nodes are known to produce their rows.
	orders map[exec.Node][]algebra.SortKey
}

// goal is what the surroundings of a relation want of it.
type goal struct {
	// need are the columns used above, those of conds not included. nil: all.
	need algebra.ColSet
	// conds are conditions that the rows must fulfil besides.
	conds []algebra.Scalar
	// order is hoped for, not required: see planner.orders.
	order []algebra.SortKey
	// limit is how many rows are probably read, 0 for all.
	limit float64
}

// needs reports whether a column is used above or by the conditions.
func (g *goal) all(r algebra.Rel) algebra.ColSet {
	set := algebra.ColSet{}
	if g.need == nil {
		set.Add(r.Columns()...)
	} else {
		for id := range g.need {
			set.Add(id)
		}
	}
	for _, c := range g.conds {
		algebra.ScalarColumns(c, set)
	}
	return set
}

// props makes the properties of a node.
func (p *planner) props(ids []algebra.ColID, rows float64) exec.Props {
	ts := make([]*types.Type, len(ids))
	width := 0
	for i, id := range ids {
		ts[i] = p.q.Column(id).Typ
		if l := ts[i].Len; l > 0 {
			width += int(l)
		} else {
			width += 32
		}
	}
	return exec.Props{Cols: ids, Types: ts, Rows: max(rows, 0), Width: width}
}

// arrange makes a node's columns exactly the given ones.
func (p *planner) arrange(n exec.Node, ids []algebra.ColID) exec.Node {
	have := n.Properties()
	if len(have.Cols) == len(ids) {
		same := true
		for i := range ids {
			same = same && ids[i] == have.Cols[i]
		}
		if same {
			return n
		}
	}
	items := make([]algebra.Item, len(ids))
	for i, id := range ids {
		items[i] = algebra.Item{ID: id, Expr: p.col(id)}
	}
	out := &exec.Project{Props: p.props(ids, have.Rows), Input: n, Items: items}
	p.cost(out)
	p.orders[out] = p.orders[n]
	return out
}

// col is a reference to a column.
func (p *planner) col(id algebra.ColID) *algebra.Col {
	return &algebra.Col{T: p.q.Column(id).T, ID: id}
}

// filter puts conditions on top of a node.
func (p *planner) filter(n exec.Node, conds []algebra.Scalar) (exec.Node, error) {
	if len(conds) == 0 {
		return n, nil
	}
	cond, err := p.scalar(and(conds))
	if err != nil {
		return nil, err
	}
	pr := n.Properties()
	out := &exec.Filter{Props: *pr, Input: n, Cond: cond}
	out.Rows = pr.Rows * p.selectivity(conds)
	p.cost(out)
	p.orders[out] = p.orders[n]
	return out, nil
}

// cte plans a WITH query once.
func (p *planner) cte(c *algebra.CTE) (*exec.CTE, error) {
	if x := p.ctes[c]; x != nil {
		return x, nil
	}
	x := &exec.CTE{Name: c.Name}
	p.ctes[c] = x
	var err error
	if r, ok := c.Rel.(*algebra.Recurse); ok {
		x.Plan, err = p.recurse(r, x)
	} else {
		x.Plan, err = p.rel(c.Rel, goal{})
		if err == nil {
			x.Plan = p.arrange(x.Plan, c.Rel.Columns())
		}
	}
	switch c.Rel.(type) {
	case *algebra.Insert, *algebra.Update, *algebra.Delete:
		x.Modifies = true
	}
	return x, err
}
