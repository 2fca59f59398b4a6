package exec

import (
	"slices"

	"holdfast/sql/algebra"
	"holdfast/sql/catalog"
)

// What of the changed rows is kept: the columns that the plans of the rules read. A wide table under a rule about two
// narrow columns is then loaded without being copied, in memory or to temporary files, for the sake of the rule.

// readsOf are the columns of changed rows that a plan reads, by table, and whether it looks at accumulators.
func readsOf(p *Plan) (changed map[catalog.OID]map[int16]bool, accumulators bool) {
	reads := map[catalog.OID]map[int16]bool{}
	seen := map[*CTE]bool{}
	var visit func(n Node)
	cte := func(c *CTE) {
		if !seen[c] {
			seen[c] = true
			visit(c.Plan)
		}
	}
	v := &algebra.Visitor{Scalar: func(s algebra.Scalar) bool {
		if sub, ok := s.(*SubPlan); ok {
			visit(sub.Plan)
		}
		return true
	}}
	visit = func(n Node) {
		switch n := n.(type) {
		case *TransitionScan:
			of := reads[n.Table.OID]
			if of == nil {
				of = map[int16]bool{}
				reads[n.Table.OID] = of
			}
			for _, c := range n.Columns {
				of[c.Number] = true
			}
			for _, d := range n.Differs {
				of[d.Number] = true
			}
		case *CTEScan:
			cte(n.CTE)
		case *Accumulated:
			accumulators = true
		}
		for _, s := range n.Scalars() {
			v.VisitScalar(s)
		}
		for _, in := range n.Inputs() {
			visit(in)
		}
	}
	visit(p.Root)
	for _, c := range p.CTEs {
		cte(c)
	}
	return reads, accumulators
}

// neededColumns are the columns of changed rows of a table that rules will look at, by attribute number - 1; nil: all. What
// may wait for the end of the transaction is kept whole, since the rule may by then be another one.
func neededColumns(ctx *Ctx, rules []*Rule, t *catalog.Table) []bool {
	if slices.ContainsFunc(rules, func(r *Rule) bool { return r.Keep && r.Deferrable }) {
		return nil
	}
	need := make([]bool, len(t.Columns))
	for _, r := range rules {
		if !r.Keep {
			continue
		}
		c, err := compiledOf(ctx, &r.compiled, r.Compile)
		if err != nil {
			return nil // it will be told when the rule is run, if it is
		}
		for n := range c.changed[t.OID] {
			if n > 0 {
				need[n-1] = true
			}
		}
	}
	return need
}
