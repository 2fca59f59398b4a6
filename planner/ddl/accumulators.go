package ddl

import (
	"context"
	"slices"

	"holdfast/planner/exec"
	"holdfast/planner/optimize"
	"holdfast/sql/catalog"
)

// accumulates reports whether an assertion has accumulators, if its checks can use them. Of one that allows for old violations, all
// that a change has to do with is looked at.
func accumulates(a *catalog.Assertion) bool { return !a.Disabled && !a.NotValid && !a.NotEnforced }

// What is needed by several assertions is kept once, and is in the catalog with one of them: the others find it by its definition
// (optimize.KeptElsewhere). So whoever knows nothing of that, such as an earlier version, takes them for assertions that have none and look
// at rows. When the one goes that has it, another gets it (reviewAccumulators). Counting references would need no heir, but a form of the
// catalog that earlier versions write twice to.

// keepAccumulators makes the accumulators of an assertion that has come into force, or takes those of one that has not, and puts it. old
// is what it was before, nil if it is new.
func (env *Env) keepAccumulators(ctx context.Context, old, a *catalog.Assertion) error {
	switch had := old != nil && accumulates(old); {
	case accumulates(a) && !had:
		return env.fillAccumulators(ctx, a)
	case !accumulates(a):
		a.Accumulators = nil
	}
	return env.putAssertion(ctx, a)
}

// fillAccumulators makes the accumulators of an assertion from the rows there are, but for those that are kept already.
func (env *Env) fillAccumulators(ctx context.Context, a *catalog.Assertion) error {
	list, err := env.missingAccumulators(ctx, a)
	if err != nil {
		return err
	}
	a.Accumulators = nil
	for _, x := range list {
		a.Accumulators = append(a.Accumulators, catalog.Accumulator{Table: x.Table.OID, Definition: x.Definition})
	}
	if err := env.putAssertion(ctx, a); err != nil {
		return err
	}
	for i, x := range list {
		x.Storage = a.Accumulators[i].Storage
		if err := exec.FillAccumulator(env.Exec(ctx, env), x); err != nil {
			return err
		}
	}
	return nil
}

// missingAccumulators are those that an assertion can use and that are not kept for others.
func (env *Env) missingAccumulators(ctx context.Context, a *catalog.Assertion) ([]*exec.Accumulator, error) {
	list, err := optimize.Definitions(ctx, env.planning(), a)
	if err != nil {
		return nil, err
	}
	var missing []*exec.Accumulator
	for _, x := range list {
		id, err := optimize.KeptElsewhere(ctx, env.planning(), a, x.Table.OID, x.Definition)
		if err != nil {
			return nil, err
		}
		if id == 0 {
			missing = append(missing, x)
		}
	}
	return missing, nil
}

// expectAccumulators gives an assertion the accumulators that it will have once it is in force, for advice: they are not there yet.
func (env *Env) expectAccumulators(ctx context.Context, a *catalog.Assertion) error {
	if !accumulates(a) {
		return nil
	}
	list, err := env.missingAccumulators(ctx, a)
	for _, x := range list {
		a.Accumulators = append(a.Accumulators, catalog.Accumulator{Storage: 1, Table: x.Table.OID, Definition: x.Definition})
	}
	return err
}

func (env *Env) planning() optimize.Options {
	return optimize.Options{Snapshot: env.Snapshot, Catalog: env.Catalog}
}

// emptyAccumulators begins anew with what is kept of a table that has no rows any more.
func (env *Env) emptyAccumulators(ctx context.Context, t *catalog.Table) error {
	for _, a := range env.Snapshot.AssertionsOn(t.OID) {
		if !slices.ContainsFunc(a.Accumulators, func(k catalog.Accumulator) bool { return k.Table == t.OID }) {
			continue
		}
		c := *a
		c.Accumulators = slices.Clone(a.Accumulators)
		for i := range c.Accumulators {
			if k := &c.Accumulators[i]; k.Table == t.OID {
				k.Storage = 0
			}
		}
		if err := env.putAssertion(ctx, &c); err != nil {
			return err
		}
	}
	return nil
}

// reviewAccumulators comes after each statement that may have changed the schema. It does away with accumulators that follow no longer from the
// condition of their assertion: one that is not found is not written, and must not be found again later. That is so, for example,
// after a unique key has gone by which rows met one row of another table. What an assertion has no longer, for that or another reason,
// goes to another that needs it, or is discarded.
func (env *Env) reviewAccumulators(ctx context.Context, before *catalog.Snapshot) error {
	for _, a := range env.Snapshot.Assertions() {
		if err := env.reviewAssertion(ctx, before, a); err != nil {
			return err
		}
	}
	has := map[catalog.StorageID]bool{}
	for _, a := range env.Snapshot.Assertions() {
		for _, k := range a.Accumulators {
			has[k.Storage] = true
		}
	}
	for _, a := range before.Assertions() {
		for _, k := range a.Accumulators {
			if has[k.Storage] {
				continue
			}
			inherited, err := env.bequeath(ctx, k)
			if err != nil {
				return err
			}
			if !inherited {
				env.discard(k.Storage)
			}
		}
	}
	return nil
}

func (env *Env) reviewAssertion(ctx context.Context, before *catalog.Snapshot, a *catalog.Assertion) error {
	if len(a.Accumulators) == 0 {
		return nil
	}
	same := true
	for oid := range a.DependsOn {
		same = same && before.RelationByOID(oid) == env.Snapshot.RelationByOID(oid)
	}
	if same {
		return nil
	}
	list, err := optimize.Definitions(ctx, env.planning(), a)
	if err != nil {
		return err
	}
	c := *a
	c.Accumulators = nil
	for _, k := range a.Accumulators {
		if slices.ContainsFunc(list, func(x *exec.Accumulator) bool { return x.Definition == k.Definition }) {
			c.Accumulators = append(c.Accumulators, k)
		}
	}
	if len(c.Accumulators) == len(a.Accumulators) {
		return nil
	}
	return env.putAssertion(ctx, &c)
}

// bequeath gives an accumulator that has lost its assertion to another that needs it. It reports whether there is one. That has it no
// better already, as that of a table has which has been emptied.
func (env *Env) bequeath(ctx context.Context, k catalog.Accumulator) (bool, error) {
	var heir *catalog.Assertion
	for _, a := range env.Snapshot.AssertionsOn(k.Table) {
		if slices.ContainsFunc(a.Accumulators, func(o catalog.Accumulator) bool { return o.Definition == k.Definition }) {
			return false, nil
		}
		if heir != nil || !accumulates(a) {
			continue
		}
		list, err := optimize.Definitions(ctx, env.planning(), a)
		if err != nil {
			return false, err
		}
		if slices.ContainsFunc(list, func(x *exec.Accumulator) bool { return x.Definition == k.Definition }) {
			heir = a
		}
	}
	if heir == nil {
		return false, nil
	}
	c := *heir
	c.Accumulators = append(slices.Clone(heir.Accumulators), k)
	return true, env.putAssertion(ctx, &c)
}
