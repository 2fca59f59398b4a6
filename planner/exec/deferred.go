package exec

import (
	"maps"
	"slices"

	"holdfast/kv"
	"holdfast/sql/catalog"
)

// Deferred holds what a transaction has changed under rules that are checked only at its end, or when SET
// CONSTRAINTS makes them immediate, and which rules these are. The zero Deferred is empty.
//
// It is a log that is only added to or replaced, never changed in place, so that a mark is a copy of its
// header. The changes are combined when they are checked: a rule looks at what the transaction amounts to.
type Deferred struct {
	state DeferredMark
}

// DeferredMark is a point to go back to, of a savepoint.
type DeferredMark struct {
	pending []pendingRule
	inFull  []*Rule              // to be checked in full, whatever is pending of their constraints
	all     *bool                // SET CONSTRAINTS ALL: deferred or immediate
	named   map[catalog.OID]bool // SET CONSTRAINTS of some, after that
	// before is the state before the first change of what a deferred rule with NewOnly looks at, or an earlier one. A change that
	// cannot violate the rule counts too: what the transaction amounts to is compared with what it has found.
	before kv.Reader
}

// Mark is the present point.
func (d *Deferred) Mark() DeferredMark { return d.state }

// RollbackTo forgets what came after the mark.
func (d *Deferred) RollbackTo(m DeferredMark) {
	m.pending, m.inFull = slices.Clip(m.pending), slices.Clip(m.inFull) // what is added next must not overwrite what an earlier mark may see
	d.state = m
}

// defers reports whether a rule is to be checked later.
func (d *Deferred) defers(r *Rule) bool {
	if d == nil || !r.Deferrable {
		return false
	}
	if v, ok := d.state.named[r.Constraint]; ok {
		return v
	}
	if d.state.all != nil {
		return *d.state.all
	}
	return r.InitiallyDeferred
}

// Defers reports whether a rule is to be checked at the end of the transaction.
func (d *Deferred) Defers(r *Rule) bool { return d.defers(r) }

// has reports whether a rule is waiting to be checked.
func (d *Deferred) has(r *Rule) bool {
	return d != nil && slices.ContainsFunc(d.state.pending, func(p pendingRule) bool { return p.rule.same(r) })
}

// len is how many times rules are waiting to be checked.
func (d *Deferred) len() int {
	if d == nil {
		return 0
	}
	return len(d.state.pending)
}

// Concerns reports whether a rule is waiting to look at changed rows of a table.
func (d *Deferred) Concerns(table catalog.OID) bool {
	return slices.ContainsFunc(d.state.pending, func(p pendingRule) bool { return p.rule.Keep && p.changes.of(table) != nil })
}

// Checked tells that a constraint has been checked in full: what happened before need not be looked at again, and must not be,
// where it was not all noted.
func (d *Deferred) Checked(constraint catalog.OID) {
	var rest []pendingRule
	for _, p := range d.state.pending {
		if p.rule.Constraint != constraint {
			rest = append(rest, p)
		}
	}
	d.state.pending = rest
	d.state.inFull = slices.DeleteFunc(slices.Clone(d.state.inFull), func(r *Rule) bool { return r.Constraint == constraint })
}

// InFull has a constraint checked in full, later if it is deferred now: it then reports true. It is for changes of which no notes are
// taken, such as TRUNCATE. The rule need not be one that can be run: what is run is what there is then (PresentRules.InFull).
func (d *Deferred) InFull(r *Rule) bool {
	if !d.defers(r) {
		return false
	}
	d.Checked(r.Constraint) // nothing less need be looked at any more
	d.state.inFull = append(d.state.inFull, r)
	return true
}

// begins notes the state before a change.
func (d *Deferred) begins(before kv.Reader) {
	if d.state.before == nil {
		d.state.before = before
	}
}

// add notes a change that a deferred rule is to be checked on.
func (d *Deferred) add(p pendingRule) {
	p.occasion = ""
	d.state.pending = append(d.state.pending, p)
}

// Set is SET CONSTRAINTS: it defers the given constraints or makes them immediate, all of them if none are
// given. Those that become immediate are checked on what they have been deferred for; if one is violated nothing
// changes.
func (d *Deferred) Set(ctx *Ctx, present PresentRules, deferred bool, constraints []catalog.OID) error {
	old := d.Mark()
	if constraints == nil {
		d.state.all, d.state.named = &deferred, nil
	} else {
		named := maps.Clone(d.state.named)
		if named == nil {
			named = map[catalog.OID]bool{}
		}
		for _, oid := range constraints {
			named[oid] = deferred
		}
		d.state.named = named
	}
	if deferred {
		return nil
	}
	if err := d.check(ctx, present, func(r *Rule) bool { return !d.defers(r) }); err != nil {
		d.RollbackTo(old)
		return err
	}
	return nil
}

// Empty reports whether there is nothing to check.
func (d *Deferred) Empty() bool { return len(d.state.pending) == 0 && len(d.state.inFull) == 0 }

// PresentRules finds the rules of a constraint in the present state of the schema: the transaction may have changed it
// since it changed rows of a table.
type PresentRules struct {
	// Rule is the one that looks at changes of a table, nil if there is none any more.
	Rule func(constraint catalog.OID, part int, table catalog.OID) (*Rule, error)
	// InFull are those that evaluate the constraint in full (Rule.CheckNow), none if it is not in force any more.
	InFull func(constraint catalog.OID) ([]*Rule, error)
}

// Check checks all deferred rules on the net change of the transaction.
func (d *Deferred) Check(ctx *Ctx, present PresentRules) error {
	return d.check(ctx, present, func(*Rule) bool { return true })
}

// check checks some of the rules, and takes them off the list if they hold.
func (d *Deferred) check(ctx *Ctx, present PresentRules, which func(*Rule) bool) error {
	var inFull, later []*Rule
	for _, r := range d.state.inFull {
		if which(r) {
			inFull = append(inFull, r)
		} else {
			later = append(later, r)
		}
	}
	var now, rest []pendingRule
	for _, p := range d.state.pending {
		if !which(p.rule) {
			rest = append(rest, p)
		} else if !slices.ContainsFunc(inFull, func(r *Rule) bool { return r.Constraint == p.rule.Constraint }) {
			now = append(now, p)
		}
	}
	for _, f := range inFull {
		list, err := present.InFull(f.Constraint)
		if err != nil {
			return err
		}
		for _, r := range list {
			if err := r.CheckNow(ctx); err != nil {
				return err
			}
		}
	}
	checks, err := combined(ctx, now)
	if err != nil {
		return err
	}
	for _, p := range checks {
		var r *Rule
		for i := 0; i < len(p.changes) && r == nil; i++ {
			var err error
			if r, err = present.Rule(p.rule.Constraint, p.rule.Part, p.changes[i].Table.OID); err != nil {
				return err
			}
		}
		if r == nil {
			continue
		}
		if d.state.before != nil {
			p.before = d.state.before
		}
		if err := r.measured(ctx, p.changes, func(ctx *Ctx) error { return r.check(ctx, p, true) }); err != nil {
			return err
		}
	}
	d.state.pending, d.state.inFull = rest, later
	return nil
}
