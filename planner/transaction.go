package planner

import (
	"context"
	"errors"
	"time"

	"holdfast/kv"
	"holdfast/planner/exec"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
)

// transaction is the transaction a session is in. It is implicit until BEGIN: it then ends with the simple
// query message or at Sync, and holds the steps from which it can be run again as a whole, so that a client
// that gave no BEGIN never hears of a conflict.
//
// The kv transaction, and with it the snapshot, starts with the first statement that needs one.
type transaction struct {
	kv       kv.Txn
	start    kv.Mark // before anything was read or written
	explicit bool
	failed   bool // an error occurred: only ROLLBACK and ROLLBACK TO are accepted
	readOnly bool
	wrote    bool  // a statement that may write has run
	time     int64 // now(), µs since 2000-01-01 UTC
	snapshot *catalog.Snapshot
	// changedSchema: DDL of this transaction changed the snapshot, which must not be read again.
	changedSchema bool
	savepoints    []savepoint
	// steps of an implicit transaction, and where their answers begin and end.
	steps []step
	// afterCommit runs once the transaction is durable, afterEnd in any case.
	afterCommit []func()
	afterEnd    []func()
	// undoSession takes back what statements did to the session and no rollback undoes, such as PREPARE: in
	// reverse order, when an implicit transaction is run again.
	undoSession []func()
	deferred    exec.Deferred // rules to be checked at the end
}

// savepoint is a point to go back to.
type savepoint struct {
	name          string
	mark          kv.Mark
	hasMark       bool // the kv transaction had begun
	snapshot      *catalog.Snapshot
	changedSchema bool
	settings      int
	commits       int // length of afterCommit
	deferred      exec.DeferredMark
	portals       int64 // number of the newest portal
}

// step is a statement of an implicit transaction, kept to be run again.
type step struct {
	run      func(ctx context.Context, out Output) error
	from, to int64  // its answers
	between  []byte // answers of other messages after it
}

var (
	errConflict = errs.New(errs.SerializationFailure, "could not serialize access due to read/write dependencies among transactions")
	pgEpoch     = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
)

func microseconds(t time.Time) int64 { return t.Sub(pgEpoch).Microseconds() }

// conflict makes the error for a transaction that cannot be serialized.
func (s *Session) conflict(err error) error {
	e := errs.Wrap(err, errs.SerializationFailure, "%s", errConflict.Message)
	e.Hint = "The transaction might succeed if retried."
	if c := s.conflictOf(err, conflictAbort); c != nil {
		e.Detail = s.engine.describeConflict(s.snapshotForErrors(), c)
	}
	return e
}

func (s *Session) snapshotForErrors() *catalog.Snapshot {
	if s.tx != nil {
		return s.tx.snapshot
	}
	return nil
}

// storeError turns an error of kv into the SQL error for it.
func (s *Session) storeError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, kv.ErrStale):
		return err
	case errors.Is(err, kv.ErrConflict):
		return s.conflict(err)
	case errors.Is(err, kv.ErrDeadlock), errors.Is(err, kv.ErrLockNotAvailable):
		return s.lockError(err)
	case errors.Is(err, kv.ErrTooLarge):
		return errs.Wrap(err, errs.ProgramLimitExceeded, "transaction is too large").
			WithDetail("%s", err.Error()).
			WithHint("Split the work into several transactions, or raise --max-transaction-bytes.")
	case errors.Is(err, kv.ErrReadOnly):
		return errs.Wrap(err, errs.ReadOnlySQLTransaction, "cannot execute a statement that writes in a read-only transaction")
	case errors.Is(err, kv.ErrUnavailable):
		return errs.Wrap(err, errs.CannotConnectNow, "the database system is shutting down")
	case errors.Is(err, kv.ErrCommitUnknown):
		return errs.Wrap(err, errs.StatementCompletionUnknown, "the outcome of the commit is unknown")
	}
	return err
}

// begin makes the transaction of the next statement if there is none.
func (s *Session) begin() *transaction {
	if s.tx == nil {
		s.tx = &transaction{time: microseconds(time.Now())}
		s.tx.readOnly = s.settings.readOnly
	}
	return s.tx
}

// open starts the kv transaction if it has not begun, and reads the schema. single tells that the statement
// is a whole transaction and only reads: it then needs no footprint.
func (s *Session) open(ctx context.Context, single bool) error {
	t := s.tx
	if t.kv == nil {
		txn, err := s.engine.store.Begin(ctx, kv.TxnOptions{ReadOnly: single || t.readOnly && t.explicit, Newest: s.rerunning,
			Owner: s.beginLive(t.time), Observer: txnObserver{s}})
		if err != nil {
			return s.storeError(err)
		}
		t.kv, t.start = txn, txn.Savepoint()
	}
	if t.snapshot == nil {
		snapshot, err := s.engine.catalog.Snapshot(ctx, t.kv)
		if err != nil {
			return s.storeError(err)
		}
		t.snapshot = snapshot
	}
	return nil
}

// refresh moves the transaction to the newest state after it met a newer row, with its present statement
// retracted.
func (s *Session) refresh(ctx context.Context) error {
	t := s.tx
	if err := t.kv.Refresh(ctx); err != nil {
		s.metConflict(err)
		return err
	}
	if !t.changedSchema {
		t.snapshot = nil
	}
	return s.open(ctx, false)
}

// runStep runs one statement in the session's transaction, starting it over on the newest state as often as
// it meets a locked row that is newer than its snapshot. A statement that fails leaves no writes.
func (s *Session) runStep(ctx context.Context, out Output, run func(ctx context.Context, out Output) error) error {
	t := s.tx
	if t.explicit {
		out.Remember()
	}
	from := out.Mark()
	for {
		var mark kv.Mark
		began := t.kv != nil
		if began {
			mark = t.kv.Savepoint()
		}
		snapshot, changed, commits, deferred := t.snapshot, t.changedSchema, len(t.afterCommit), t.deferred.Mark()
		err := run(ctx, out)
		if err == nil {
			break
		}
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			err = canceled(ctx)
		}
		t = s.tx
		if t == nil || t.kv == nil {
			return err
		}
		stale := errors.Is(err, kv.ErrStale)
		if !began {
			// The statement began the transaction, and goes back to its beginning. It keeps the lock it may
			// have waited for: one that queued again would find the row newer again, without end.
			mark = t.start
		}
		t.snapshot, t.changedSchema = snapshot, changed
		t.afterCommit = t.afterCommit[:commits]
		t.deferred.RollbackTo(deferred)
		if !stale {
			t.kv.RollbackTo(mark)
			if errors.Is(err, kv.ErrDeadlock) && !t.explicit {
				return kv.ErrConflict // it lets go of all its locks, and is run again as a whole
			}
			return s.storeError(err)
		}
		t.kv.Retract(mark)
		s.noteStale(err)
		if !out.Reset(from) {
			if !t.explicit {
				return kv.ErrConflict // the implicit transaction is run again as a whole
			}
			return s.conflict(kv.ErrConflict)
		}
		out.Hold() // the newest state may not be durable yet
		if err := s.refresh(ctx); err != nil {
			if errors.Is(err, kv.ErrConflict) && !t.explicit {
				return kv.ErrConflict // the implicit transaction is run again as a whole
			}
			return s.storeError(err)
		}
	}
	if t = s.tx; t != nil && t.explicit && t.kv != nil {
		if !out.Repeated() {
			return s.conflict(kv.ErrConflict)
		}
		// No answer may leave before the state it rests on is durable.
		if err := t.kv.WaitDurable(ctx); err != nil {
			return s.storeError(err)
		}
		out.Release()
	}
	return nil
}

// commit ends the transaction and makes it durable. An implicit transaction that fails validation is run
// again, as often as it takes.
func (s *Session) commit(ctx context.Context, out Output) error {
	for {
		t := s.tx
		if t == nil {
			return nil
		}
		if !out.Repeated() {
			s.abandon()
			return s.conflict(kv.ErrConflict)
		}
		err := s.tryCommit(ctx)
		if errors.Is(err, kv.ErrDeadlock) && !t.explicit {
			err = kv.ErrConflict
		}
		if err == nil {
			s.finish(t, true)
			out.Release()
			return nil
		}
		if !errors.Is(err, kv.ErrConflict) || t.explicit {
			if n := len(t.steps); n > 0 && !t.explicit {
				// The last statement has not come to its end: it must not be answered as if it had.
				out.Truncate(t.steps[n-1].from)
			}
			if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
				err = canceled(ctx)
			}
			err = s.storeError(err) // names tables by the transaction's schema
			s.finish(t, false)
			return err
		}
		if err := s.rerun(ctx, out); err != nil {
			return err
		}
	}
}

// tryCommit commits once.
func (s *Session) tryCommit(ctx context.Context) error {
	t := s.tx
	if t.kv == nil {
		return nil
	}
	if err := s.checkDeferred(ctx); err != nil {
		return err
	}
	s.noteCommit()
	version, err := t.kv.Commit(ctx)
	s.metConflict(err)
	s.engine.catalog.Finish(t.kv, version, errors.Is(err, kv.ErrCommitUnknown))
	return err
}

// rerun runs the steps of the implicit transaction again on the newest state, until it gets to their end
// without a conflict. What they answered before is taken back.
func (s *Session) rerun(ctx context.Context, out Output) error {
	s.rerunning = true
	defer func() { s.rerunning = false }()
	s.Answered(out)
	steps := s.tx.steps
	for {
		old := s.tx
		s.noteRerun()
		for _, p := range s.portals {
			if p.tx == old && p.cursor == nil {
				p.restart(nil)
			} else if p.tx == old {
				s.ClosePortal(p.name)
			}
		}
		for i := len(old.undoSession) - 1; i >= 0; i-- {
			old.undoSession[i]()
		}
		old.release(s.engine.catalog)
		s.settings.end(false)
		s.tx = &transaction{time: old.time, readOnly: old.readOnly, wrote: old.wrote}
		if !out.Reset(steps[0].from) {
			s.abandon()
			return s.conflict(kv.ErrConflict)
		}
		out.Hold()
		err := s.rerunSteps(ctx, out, steps)
		if err != nil && !errors.Is(err, kv.ErrConflict) && !out.Repeated() {
			s.abandon()
			return s.conflict(kv.ErrConflict)
		}
		if !errors.Is(err, kv.ErrConflict) {
			return err
		}
		if ctx.Err() != nil {
			s.abandon()
			return canceled(ctx)
		}
	}
}

func (s *Session) rerunSteps(ctx context.Context, out Output, steps []step) error {
	for i := range steps {
		from := out.Mark()
		if err := s.runStep(ctx, out, steps[i].run); err != nil {
			if !errors.Is(err, kv.ErrConflict) {
				s.abandon()
			}
			return err
		}
		if err := out.Append(steps[i].between); err != nil {
			return err
		}
		s.tx.steps = append(s.tx.steps, step{steps[i].run, from, out.Mark(), steps[i].between})
	}
	return nil
}

// Answered notes what has been answered to messages that are no steps of the implicit transaction, before it is sent.
func (s *Session) Answered(out Output) {
	if t := s.tx; t != nil && len(t.steps) > 0 {
		last := &t.steps[len(t.steps)-1]
		if end := out.Mark(); end > last.to {
			last.between = append(last.between[:len(last.between):len(last.between)], out.Between(last.to, end)...)
			last.to = end
		}
	}
}

// abandon rolls the transaction back and ends it.
func (s *Session) abandon() {
	if t := s.tx; t != nil {
		s.finish(t, false)
	}
}

// release ends the kv transaction without effect.
func (t *transaction) release(c *catalog.Catalog) {
	if t.kv != nil {
		t.kv.Rollback()
		c.Finish(t.kv, 0, false)
	}
	for _, f := range t.afterEnd {
		f()
	}
	t.afterEnd = nil
}

// finish ends the session's transaction after its commit or in a rollback.
func (s *Session) finish(t *transaction, committed bool) {
	s.endPortals(t, committed)
	t.release(s.engine.catalog)
	s.settings.end(committed)
	s.tx = nil
	s.counts.ended(committed)
	s.endLive()
	if committed {
		for _, f := range t.afterCommit {
			f()
		}
	}
}

// drop ends a transaction that was begun only to read the schema: nothing of the session depends on it.
func (s *Session) drop() {
	if t := s.tx; t != nil {
		t.release(s.engine.catalog)
		s.tx = nil
		s.endLive()
	}
}

// pushSavepoint makes a savepoint.
func (s *Session) pushSavepoint(name string) {
	t := s.tx
	p := savepoint{name: name, snapshot: t.snapshot, changedSchema: t.changedSchema, settings: s.settings.mark(), commits: len(t.afterCommit), deferred: t.deferred.Mark(), portals: s.portalCount}
	if t.kv != nil {
		p.mark, p.hasMark = t.kv.Savepoint(), true
	}
	t.savepoints = append(t.savepoints, p)
}

// findSavepoint is the index of the newest savepoint of that name.
func (t *transaction) findSavepoint(name string) (int, error) {
	for i := len(t.savepoints) - 1; i >= 0; i-- {
		if t.savepoints[i].name == name {
			return i, nil
		}
	}
	return 0, errs.New(errs.InvalidSavepointSpecification, `savepoint "%s" does not exist`, name)
}

// rollbackTo goes back to a savepoint, which stays.
func (s *Session) rollbackTo(name string) error {
	t := s.tx
	i, err := t.findSavepoint(name)
	if err != nil {
		return err
	}
	p := t.savepoints[i]
	t.savepoints = t.savepoints[:i+1]
	if t.kv != nil {
		if p.hasMark {
			t.kv.RollbackTo(p.mark)
			t.snapshot, t.changedSchema = p.snapshot, p.changedSchema
		} else {
			// The transaction had read nothing then, but what it has read since was seen: only the writes go.
			t.kv.RollbackTo(t.start)
			t.snapshot, t.changedSchema = nil, false
		}
	}
	s.settings.rollbackTo(p.settings)
	t.afterCommit = t.afterCommit[:p.commits]
	t.deferred.RollbackTo(p.deferred)
	for name, c := range s.portals {
		if c.number > p.portals {
			s.ClosePortal(name)
		}
	}
	t.failed = false
	return nil
}
