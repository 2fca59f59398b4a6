package ddl

import (
	"context"

	"holdfast/sql/catalog"
	"holdfast/sql/errs"
)

// To bring an assertion into force without keeping anybody from writing takes three transactions. The first publishes it as NOT VALID:
// whatever is committed from then on has been checked. The second evaluates it in full on a snapshot that is not older, and leaves no
// footprint. The third marks it as valid, for which it may have to count rows, or takes it back. What is found on the snapshot stands
// for all states after it: a change adds no violation to a state that has none.

// OwedCheck is a check of the data there is, for an assertion that is published and in force for all changes.
type OwedCheck struct {
	Assertion             catalog.OID
	before                *catalog.Assertion // what it was; nil: it is new
	disabled, notEnforced bool               // how it was published; what is not in force can be checked, and that is all there is to it
	warn                  bool               // a violation is a warning, if it is NOT ENFORCED
	only                  bool               // there is nothing to be marked or taken back
	changed               uint64             // which version of it was checked
}

// owe publishes an assertion that comes into force, or only warns, while its data are yet to be looked at. before is what it was, nil if
// it is new.
func (env *Env) owe(ctx context.Context, before, a *catalog.Assertion) error {
	env.Owed = &OwedCheck{before: before, disabled: a.Disabled, notEnforced: a.NotEnforced, warn: true}
	a.NotValid, a.Creating = true, before == nil
	err := env.putAssertion(ctx, a)
	env.Owed.Assertion = a.OID
	return err
}

// oweValidation leaves it to be found out whether the data fulfil an assertion that is as it is.
func (env *Env) oweValidation(a *catalog.Assertion) {
	env.Owed = &OwedCheck{Assertion: a.OID, before: a, disabled: a.Disabled, notEnforced: a.NotEnforced, only: !a.NotValid}
}

// Check evaluates the assertion in full, in the state of env, whose transaction need not have a footprint.
func (o *OwedCheck) Check(ctx context.Context, env *Env) error {
	a := env.Snapshot.AssertionByOID(o.Assertion)
	switch {
	case a == nil:
		return errs.New(errs.UndefinedObject, "the assertion was dropped while it was being checked")
	case a.Disabled != o.disabled || a.NotEnforced != o.notEnforced || !o.only && !a.NotValid:
		return errs.New(errs.ObjectNotInPrerequisiteState, `assertion "%s" was changed while it was being checked`, a.Name)
	}
	o.changed = a.Changed
	err := env.hintViolation(a, o.before, env.checkAssertion(ctx, a))
	if o.warn {
		err = env.unlessMeasured(a, err)
	}
	if err == nil && o.before == nil {
		valid := o.valid(a)
		if err = env.expectAccumulators(ctx, valid); err == nil {
			err = env.adviseOn(ctx, valid)
		}
	}
	return err
}

// Done marks the assertion as valid. It is to be checked again if it was changed since: others may have had it disabled meanwhile.
func (o *OwedCheck) Done(ctx context.Context, env *Env) (again bool, err error) {
	if o.only {
		return false, nil
	}
	a := env.Snapshot.AssertionByOID(o.Assertion)
	if a == nil || a.Changed != o.changed {
		return true, nil
	}
	return false, env.keepAccumulators(ctx, a, o.valid(a))
}

// valid is the assertion as it is once it has been checked.
func (o *OwedCheck) valid(a *catalog.Assertion) *catalog.Assertion {
	valid := *a
	valid.NotValid, valid.Creating = false, false
	return &valid
}

// TakeBack drops the assertion if it is new, and else makes it what it was, unless others have changed it meanwhile.
func (o *OwedCheck) TakeBack(ctx context.Context, env *Env) error {
	a := env.Snapshot.AssertionByOID(o.Assertion)
	switch {
	case o.only || a == nil:
		return nil
	case o.before == nil:
		s, err := env.Snapshot.DropAssertion(ctx, env.Txn, a.OID)
		if err == nil {
			env.Snapshot = s
			env.forgetRule(a.OID)
		}
		return err
	case a.Disabled != o.disabled || a.NotEnforced != o.notEnforced || !a.NotValid || a.Changed == o.before.Changed:
		return nil
	}
	old := *a
	old.Disabled, old.NotEnforced, old.NotValid = o.before.Disabled, o.before.NotEnforced, o.before.NotValid
	return env.putAssertion(ctx, &old)
}
