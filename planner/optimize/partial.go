package optimize

import (
	"holdfast/planner/bind"
	"holdfast/sql/algebra"
	"holdfast/sql/catalog"
	"holdfast/sql/parse"
)

// implied reports whether the conditions of a scan imply the predicate of a partial index: each part of it
// is one of them. Those conditions are returned; they hold for every row in the index.
func (p *planner) implied(r *algebra.Scan, x *catalog.Index, conds []algebra.Scalar) (held []algebra.Scalar, ok bool) {
	if p.o.Snapshot == nil {
		return nil, false
	}
	e, err := parse.ParseExpr(x.Predicate)
	if err != nil {
		return nil, false
	}
	bound, err := bind.BindExpr(p.ctx, bind.Options{Snapshot: p.o.Snapshot, Ctx: p.o.Ctx}, r.Table, e, bind.IndexPredicate, nil, -1, "")
	if err != nil {
		return nil, false
	}
	// Column n of the table has ColID n in the bound predicate.
	w := &algebra.Rewriter{Scalar: func(s algebra.Scalar) (algebra.Scalar, bool) {
		if c, ok := s.(*algebra.Col); ok {
			for _, sc := range r.Cols {
				if sc.Number == int16(c.ID) {
					return &algebra.Col{T: c.T, ID: sc.ID}, true
				}
			}
			return &algebra.Col{T: c.T, ID: 0}, true
		}
		return nil, false
	}}
	for _, part := range conjuncts(nil, w.RewriteScalar(bound.Expr)) {
		found := false
		for _, c := range conds {
			if algebra.Equal(part, c) {
				found = true
				held = append(held, c)
			}
		}
		if !found {
			return nil, false
		}
	}
	return held, true
}
