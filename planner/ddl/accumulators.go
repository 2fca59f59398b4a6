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

// keepAccumulators makes the accumulators of an assertion that has come into force, or does away with those of one that has not, and puts it. old
// is what it was before, nil if it is new.
func (env *Env) keepAccumulators(ctx context.Context, old, a *catalog.Assertion) error {
	switch had := old != nil && accumulates(old); {
	case accumulates(a) && !had:
		return env.fillAccumulators(ctx, a)
	case !accumulates(a) && len(a.Accumulators) > 0:
		env.discardAccumulators(a.Accumulators)
		a.Accumulators = nil
	}
	return env.putAssertion(ctx, a)
}

// fillAccumulators makes the accumulators of an assertion from the rows there are.
func (env *Env) fillAccumulators(ctx context.Context, a *catalog.Assertion) error {
	env.discardAccumulators(a.Accumulators)
	list, texts, err := optimize.Definitions(ctx, env.planning(), a)
	if err != nil {
		return err
	}
	a.Accumulators = nil
	for i, x := range list {
		a.Accumulators = append(a.Accumulators, catalog.Accumulator{Table: x.Table.OID, Definition: texts[i]})
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

// expectAccumulators gives an assertion the accumulators that it will have once it is in force, for advice: they are not there yet.
func (env *Env) expectAccumulators(ctx context.Context, a *catalog.Assertion) error {
	if !accumulates(a) {
		return nil
	}
	list, texts, err := optimize.Definitions(ctx, env.planning(), a)
	for i, x := range list {
		a.Accumulators = append(a.Accumulators, catalog.Accumulator{Storage: 1, Table: x.Table.OID, Definition: texts[i]})
	}
	return err
}

func (env *Env) planning() optimize.Options {
	return optimize.Options{Snapshot: env.Snapshot, Catalog: env.Catalog}
}

func (env *Env) discardAccumulators(list []catalog.Accumulator) {
	for _, k := range list {
		env.discard(k.Storage)
	}
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
				env.discard(k.Storage)
				k.Storage = 0
			}
		}
		if err := env.putAssertion(ctx, &c); err != nil {
			return err
		}
	}
	return nil
}

// reviewAccumulators does away with accumulators that follow no longer from the condition of their assertion, after a statement that has
// changed what it reads: one that is not found is not written, and must not be found again later. That is so, for example, after a unique
// key has gone by which rows met one row of another table.
func (env *Env) reviewAccumulators(ctx context.Context, before *catalog.Snapshot) error {
	for _, a := range env.Snapshot.Assertions() {
		if len(a.Accumulators) == 0 {
			continue
		}
		same := true
		for oid := range a.DependsOn {
			same = same && before.RelationByOID(oid) == env.Snapshot.RelationByOID(oid)
		}
		if same {
			continue
		}
		_, texts, err := optimize.Definitions(ctx, env.planning(), a)
		if err != nil {
			return err
		}
		c := *a
		c.Accumulators = nil
		for _, k := range a.Accumulators {
			if slices.Contains(texts, k.Definition) {
				c.Accumulators = append(c.Accumulators, k)
			} else {
				env.discard(k.Storage)
			}
		}
		if len(c.Accumulators) == len(a.Accumulators) {
			continue
		}
		if err := env.putAssertion(ctx, &c); err != nil {
			return err
		}
	}
	return nil
}
