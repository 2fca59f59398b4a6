package optimize

import (
	"math"

	"holdfast/planner/exec"
	"holdfast/sql/algebra"
	"holdfast/sql/catalog"
)

// Costs, in PostgreSQL's unit: 1 is a page read in sequence. They stand in the proportion of what was
// measured on Pebble: a row met in a scan, a row found by key, a value computed.
const (
	costRow      = 0.01  // a row from a scan or operator
	costProbe    = 0.25  // positioning at a key
	costHash     = 0.012 // a row into or against a hash table
	costCompare  = 0.0025
	costExpr     = 0.0025
	defaultRows  = 1000 // of a table nobody has counted
	drivenRows   = 1e6  // of any table in the check of a change
	selectOther  = 0.5
	selectIsNull = 0.01
)

// selectEqual is the share of rows that probably equal a value.
func (p *planner) selectEqual() float64 {
	if p.o.driven {
		return 2e-5 // a value is one of many in the large tables that are then assumed: 20 rows have it
	}
	return 0.005
}

// selectRange is the share of rows that probably lie on one side of a value.
func (p *planner) selectRange() float64 {
	if p.o.driven {
		return 1e-3 // so that what there is an index for is not scanned
	}
	return 1.0 / 3
}

// tableRows is how many rows a table probably has.
func (p *planner) tableRows(t *catalog.Table) float64 {
	if t.Virtual != nil {
		return 200
	}
	if p.o.driven {
		return drivenRows
	}
	if p.o.Catalog == nil {
		return defaultRows
	}
	return max(1, float64(p.o.Catalog.Stats(t.OID).Rows()))
}

// changedRows is how many rows a statement has probably changed.
func (p *planner) changedRows() float64 {
	if p.o.many {
		return 1000
	}
	return 0.5
}

// selectivity is the share of rows that probably fulfil all of the conditions.
func (p *planner) selectivity(conds []algebra.Scalar) float64 {
	s := 1.0
	for _, c := range conds {
		s *= p.selectivityOf(c)
	}
	return max(s, 1e-9)
}

func (p *planner) selectivityOf(cond algebra.Scalar) float64 {
	switch c := cond.(type) {
	case *algebra.Const:
		if c.Value.IsNull() || !c.Value.Bool() {
			return 0
		}
		return 1
	case *algebra.Or:
		s := 0.0
		for _, a := range c.Args {
			x := p.selectivityOf(a)
			s += x - s*x
		}
		return s
	case *algebra.And:
		return p.selectivity(c.Args)
	case *algebra.Not:
		return 1 - p.selectivityOf(c.Arg)
	case *algebra.IsNull:
		if c.Not {
			return 1 - selectIsNull
		}
		return selectIsNull
	case *algebra.Distinct:
		if c.Not {
			return p.selectEqual()
		}
		return 1 - p.selectEqual()
	case *algebra.AnyAll:
		if c.Op == "=" && !c.All {
			n := 10.0
			if a, ok := c.Array.(*algebra.ArrayCtor); ok {
				n = float64(len(a.Elems))
			}
			return min(1, n*p.selectEqual())
		}
	case *algebra.Call:
		if _, _, cmp, ok := compare(c); ok {
			if cmp.strategy == 3 {
				return p.selectEqual()
			}
			return p.selectRange()
		}
	}
	return selectOther
}

// constant is the value of a number known when planning, else a guess.
func (p *planner) constant(s algebra.Scalar, guess float64) float64 {
	if c, ok := s.(*algebra.Cast); ok {
		return p.constant(c.Arg, guess)
	}
	if c, ok := s.(*algebra.Const); ok && !c.Value.IsNull() && isInteger(c.Typ) {
		return float64(c.Value.Int())
	}
	return guess
}

// groups is how many groups grouping by keys probably makes.
func (p *planner) groups(keys []algebra.ColID, in exec.Node) float64 {
	rows := in.Properties().Rows
	if len(keys) == 0 {
		return 1
	}
	return max(1, math.Min(rows, math.Pow(rows, 0.75)*2))
}

// cost sets the costs of a node from those of its inputs.
func (p *planner) cost(n exec.Node) {
	pr := n.Properties()
	start, total, rows := 0.0, 0.0, 0.0
	for _, in := range n.Inputs() {
		i := in.Properties()
		start += i.StartupCost
		total += i.TotalCost
		rows += i.Rows
	}
	own := rows * costRow
	for range n.Scalars() {
		own += rows * costExpr
	}
	switch n := n.(type) {
	case *exec.Sort:
		own += rows * costCompare * math.Log2(rows+2)
		start = total + own
	case *exec.TopK:
		own += rows * costCompare * math.Log2(pr.Rows+2)
		start = total + own
	case *exec.HashAggregate, *exec.SetOp:
		own += rows * costHash
		start = total + own
	case *exec.OrderedAggregate:
		if len(n.Keys) == 0 {
			start = total + own
		}
	case *exec.Distinct:
		if !n.Sorted {
			own += rows * costHash
		}
	case *exec.HashJoin:
		l, r := n.Left.Properties(), n.Right.Properties()
		build := r
		if n.BuildLeft {
			build = l
		}
		own = (l.Rows+r.Rows)*costHash + build.Rows*costHash + pr.Rows*costRow
		start = build.TotalCost + build.Rows*costHash
	case *exec.NestedLoop:
		l, r := n.Left.Properties(), n.Right.Properties()
		own = max(0, l.Rows-1)*r.TotalCost + l.Rows*r.Rows*costExpr + pr.Rows*costRow
	case *exec.Values, *exec.FuncScan, *exec.CTEScan, *exec.VirtualScan, *exec.TransitionScan, *exec.External:
		own = pr.Rows * costRow
	case *exec.Limit:
		in := n.Input.Properties()
		share := 1.0
		if in.Rows > 0 {
			share = min(1, pr.Rows/in.Rows)
		}
		pr.StartupCost, pr.TotalCost = in.StartupCost, in.StartupCost+(in.TotalCost-in.StartupCost)*share
		return
	}
	pr.StartupCost, pr.TotalCost = start, max(start, total+own)
}
