package optimize

import (
	"holdfast/planner/exec"
	"holdfast/sql/algebra"
)

// scalar plans the queries inside an expression: each Subquery becomes a SubPlan.
func (p *planner) scalar(s algebra.Scalar) (algebra.Scalar, error) {
	var failed error
	w := &algebra.Rewriter{}
	w.Scalar = func(s algebra.Scalar) (algebra.Scalar, bool) {
		q, ok := s.(*algebra.Subquery)
		if !ok || failed != nil {
			return s, failed != nil
		}
		g := goal{}
		switch q.Kind {
		case algebra.ExistsSubquery:
			g.need, g.limit = algebra.ColSet{}, 1
		}
		plan, err := p.rel(q.Rel, g)
		if err != nil {
			failed = err
			return s, true
		}
		if q.Kind != algebra.ExistsSubquery {
			plan = p.arrange(plan, q.Rel.Columns())
		}
		out := &exec.SubPlan{T: q.T, Kind: q.Kind, Plan: plan, Funcs: q.Funcs, Op: q.Op, Not: q.Not}
		for _, l := range q.Left {
			out.Left = append(out.Left, w.RewriteScalar(l))
		}
		return out, true
	}
	out := w.RewriteScalar(s)
	return out, failed
}

// optionalScalar is scalar for an expression that may be nil.
func (p *planner) optionalScalar(s algebra.Scalar) (algebra.Scalar, error) {
	if s == nil {
		return nil, nil
	}
	return p.scalar(s)
}

func (p *planner) scalars(list []algebra.Scalar) ([]algebra.Scalar, error) {
	if list == nil {
		return nil, nil
	}
	out := make([]algebra.Scalar, len(list))
	for i, s := range list {
		var err error
		if out[i], err = p.scalar(s); err != nil {
			return nil, err
		}
	}
	return out, nil
}
