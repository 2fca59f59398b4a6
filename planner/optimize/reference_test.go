package optimize

import (
	"holdfast/planner/exec"
	"holdfast/sql/algebra"
)

// reference plans a relation in the most obvious way: tables are read whole, conditions stay where they were
// written, every join tries all pairs, queries in conditions are evaluated per row. What it does not plan
// itself goes the usual way, with its inputs planned by reference again.
func (p *planner) reference(r algebra.Rel, g goal) (exec.Node, bool, error) {
	finish := func(n exec.Node, err error) (exec.Node, bool, error) {
		if err == nil {
			n, err = p.filter(n, g.conds)
		}
		return n, true, err
	}
	switch r := r.(type) {
	case *algebra.Filter:
		in, err := p.rel(r.Input, goal{})
		if err == nil {
			in, err = p.filter(in, []algebra.Scalar{r.Cond})
		}
		return finish(in, err)
	case *algebra.Scan:
		if r.Table.Virtual != nil || r.Transition != algebra.NoTransition {
			return nil, false, nil
		}
		n := &exec.TableScan{Props: p.props(r.Columns(), p.tableRows(r.Table)), Access: exec.Access{Table: r.Table, Alias: r.Alias, Columns: r.Cols}}
		return finish(n, nil)
	case *algebra.Join:
		left, err := p.rel(r.Left, goal{})
		if err != nil {
			return nil, true, err
		}
		right, err := p.rel(r.Right, goal{})
		if err != nil {
			return nil, true, err
		}
		on, err := p.optionalScalar(r.On)
		if err != nil {
			return nil, true, err
		}
		if r.Kind == algebra.AntiNullJoin {
			return nil, false, nil
		}
		return finish(&exec.NestedLoop{Props: p.props(r.Columns(), 1), Left: left, Right: right, Kind: r.Kind, On: on}, nil)
	case *algebra.Project, *algebra.Aggregate, *algebra.DistinctRows, *algebra.Sort, *algebra.SetOp:
		// Planned as usual, with no conditions to send below and all columns wanted.
		if len(g.conds) == 0 {
			return nil, false, nil
		}
		n, err := p.rel(r, goal{need: g.all(r)})
		return finish(n, err)
	}
	return nil, false, nil
}
