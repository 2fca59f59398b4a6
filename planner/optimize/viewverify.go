package optimize

import (
	"context"

	"holdfast/planner/bind"
	"holdfast/planner/exec"
	"holdfast/sql/algebra"
	"holdfast/sql/catalog"
)

// verifyColumns adds the columns that a verification needs of the source.
func verifyColumns(v *algebra.ViewVerify, need algebra.ColSet) {
	if v == nil {
		return
	}
	need.Add(v.Identity...)
	for _, m := range v.Meant {
		algebra.ScalarColumns(m, need)
	}
}

// viewVerify plans a verification. Its probes are planned when they are first run, as for large tables: they start from the changed rows.
// part is of an INSERT.
func (p *planner) viewVerify(v *algebra.ViewVerify, part int) (*exec.ViewVerify, error) {
	if v == nil {
		return nil, nil
	}
	out := &exec.ViewVerify{View: v.View, Identity: v.Identity, Part: part, Meant: make([]algebra.Scalar, len(v.Meant))}
	for i, m := range v.Meant {
		var err error
		if out.Meant[i], err = p.optionalScalar(m); err != nil {
			return nil, err
		}
	}
	if v.Meant == nil {
		out.Meant = nil
	}
	out.Bases = v.Tables
	options := p.o
	options.Ctx, options.driven = nil, true // plans are shared by sessions: their settings must not show
	for _, r := range v.Roles {
		role := &exec.ViewRole{Table: r.Table, Alias: r.Alias, Target: r.Target, Stays: r.Stays}
		for _, probe := range []struct {
			into  *exec.Probe
			which algebra.TransitionKind
		}{{&role.Before, algebra.OldRows}, {&role.After, algebra.NewRows}} {
			probe.into.Compile = func(ctx context.Context, many bool) (*exec.Plan, []*catalog.Table, error) {
				q, err := bind.ViewProbe(ctx, bind.Options{Snapshot: options.Snapshot, FixedParams: true}, v, r.Base, probe.which)
				if err != nil {
					return nil, nil, err
				}
				o := options
				o.many = many
				plan, err := Plan(ctx, q, o)
				return plan, q.Tables, err
			}
		}
		out.Roles = append(out.Roles, role)
	}
	return out, nil
}
