package optimize

import (
	"context"

	"holdfast/planner/bind"
	"holdfast/planner/exec"
	"holdfast/planner/exec/rowio"
	"holdfast/sql/algebra"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/parse"
	"holdfast/sql/types"
)

// Target compiles what must hold of each row written to a table, for writers that have no plan.
func Target(ctx context.Context, o Options, t *catalog.Table) (*exec.Target, error) {
	return (&planner{ctx: ctx, o: o}).target(t)
}

// target compiles what must hold of each row of a table that a statement writes.
func (p *planner) target(t *catalog.Table) (*exec.Target, error) {
	out := &exec.Target{Table: t, Codec: rowio.NewTableCodec(t)}
	for _, c := range t.Constraints {
		if c.Kind != catalog.CheckConstraint {
			continue
		}
		e, err := p.tableExpr(t, c.Expr, bind.CheckExpr, types.Bool)
		if err != nil {
			return nil, err
		}
		out.Checks = append(out.Checks, exec.RowCheck{Constraint: c, Cond: e})
	}
	for _, ic := range out.Codec.Indexes() {
		var x exec.IndexExprs
		for _, k := range ic.Index.Keys {
			if k.Column != 0 {
				continue
			}
			e, err := p.tableExpr(t, k.Expr, bind.IndexExpr, nil)
			if err != nil {
				return nil, err
			}
			x.Keys = append(x.Keys, e)
		}
		if ic.Index.Predicate != "" {
			e, err := p.tableExpr(t, ic.Index.Predicate, bind.IndexPredicate, types.Bool)
			if err != nil {
				return nil, err
			}
			x.Predicate = e
		}
		out.Indexes = append(out.Indexes, x)
	}
	return out, nil
}

// written is the target of a statement that changes rows, with what is kept of them.
func (p *planner) written(t *catalog.Table) (*exec.Target, error) {
	out, err := p.target(t)
	if err != nil {
		return nil, err
	}
	out.Accumulators, err = p.accumulators(t)
	return out, err
}

// tableExpr binds an expression stored in the catalog. Column n of the table has ColID n in it.
func (p *planner) tableExpr(t *catalog.Table, text string, kind bind.ExprKind, want *types.Type) (algebra.Scalar, error) {
	e, err := parse.ParseExpr(text)
	if err != nil {
		return nil, stored(t, text, err)
	}
	b, err := bind.BindExpr(p.ctx, bind.Options{Snapshot: p.o.Snapshot, Ctx: p.o.Ctx}, t, e, kind, want, types.NoTypmod, "")
	if err != nil {
		return nil, stored(t, text, err)
	}
	return b.Expr, nil
}

// stored is the error for an expression of the catalog that has lost its meaning.
func stored(t *catalog.Table, text string, err error) error {
	return errs.Wrap(err, errs.CodeOf(err), `stored expression "%s" of table "%s": %s`, text, t.Name, err.Error())
}
