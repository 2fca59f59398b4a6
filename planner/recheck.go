package planner

import (
	"context"
	"errors"

	"holdfast/kv"
	"holdfast/planner/exec"
	"holdfast/sql/errs"
)

// What checks of rules have read is marked in the footprint (exec.Repeats). If others have changed only that, the transaction moves
// to the newest state with all it has done, its locks and its answers, and the checks alone are made again there (kv.Txn.Recheck).
// If they hold, it goes on as if it had begun on that state. If one does not, the transaction is run again as a whole: the statement
// whose check it is meets the violation at its place, and is told or, if it was answered already, compared, like any other.
//
// Moving takes two steps, and may be interrupted between them, by a timeout or by a lock that is not to be had. What is left to be done
// is noted (transaction.disturbed), and comes before the next statement or the commit.

// maxRechecks is how often a transaction makes its checks again in one statement or COMMIT before it is run again as a whole, guarded: others who never stop
// writing what it has to look at would otherwise keep it at that for ever.
const maxRechecks = 10

// disturb notes a kv.ErrRecheck: recheck has to follow.
func (t *transaction) disturb(err error) {
	var met *kv.RecheckError
	if errors.As(err, &met) {
		t.disturbed = met.Conflict
	}
}

// recheck makes the checks again, if they have been disturbed. It returns a *rerun if the transaction has to be run again.
func (s *Session) recheck(ctx context.Context) error {
	t := s.tx
	for t.disturbed != nil {
		if t.rechecks++; t.rechecks > maxRechecks {
			s.lastConflict = t.disturbed
			return &rerun{cause: t.disturbed, guard: true}
		}
		s.noteConflict(conflictRecheck, t.disturbed)
		if err := t.kv.Recheck(ctx); err != nil {
			if errors.Is(err, kv.ErrConflict) {
				s.metConflict(err)
				return &rerun{cause: err}
			}
			return err
		}
		t.waiting = true
		if !t.changedSchema {
			t.snapshot = nil
		}
		if err := s.open(ctx, false); err != nil {
			return err
		}
		var err error
		if !s.engine.config.Faults.SkipRechecks {
			err = t.repeats.Again(s.execContext(ctx, nil))
		}
		var refused *exec.Refused
		switch {
		case errors.As(err, &refused):
			s.lastConflict = t.disturbed
			if err := t.kv.WaitDurable(ctx); err != nil { // what it tells of must be there to stay
				return err
			}
			return &rerun{cause: t.disturbed, refused: refused}
		case isStale(err): // a row that a check locks is newer still
			s.noteStale(err)
		case errors.Is(err, kv.ErrDeadlock):
			return &rerun{cause: err, unlock: true}
		case errors.As(err, new(*errs.Error)) && ctx.Err() == nil: // the condition cannot be evaluated there, which is an answer as well
			s.lastConflict = t.disturbed
			return &rerun{cause: t.disturbed}
		case err != nil:
			return err
		default:
			t.disturbed = nil
		}
	}
	return nil
}
