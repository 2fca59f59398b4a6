package planner

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"holdfast/kv"
	"holdfast/planner/exec"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
)

// transaction is the transaction a session is in. It is implicit until BEGIN: it then ends with the simple
// query message or at Sync. Either holds the steps from which it can be run again as a whole: see replay.go.
//
// The kv transaction, and with it the snapshot, starts with the first statement that needs one.
type transaction struct {
	kv        kv.Txn
	start     kv.Mark // before anything was read or written
	restarted kv.Txn  // what kv will be, if the transaction is run again and has not come to that
	explicit  bool
	block     bool  // it was explicit before it was run again, and so it is to the client
	failed    bool  // an error occurred: only ROLLBACK and ROLLBACK TO are accepted
	lost      error // why there is nothing left to go back to, and ROLLBACK TO fails as well
	readOnly  bool
	blind     bool  // implicit, and all its statements so far only read: kv keeps no footprint
	time      int64 // now(), µs since 2000-01-01 UTC
	snapshot  *catalog.Snapshot
	// changedSchema: DDL of this transaction changed the snapshot, which must not be read again.
	changedSchema bool
	savepoints    []savepoint

	steps []step
	// stepsDone counts the steps, also when they are not kept: each has the same number when the transaction is run again.
	stepsDone int64
	kept      int64    // about how many bytes the steps hold
	unkept    string   // why the transaction cannot be run again; "" if it can
	reruns    int      // how often it has been
	draws     draws    // what it got from sequences and the like
	random    rand.PCG // random() at its beginning
	waiting   bool     // its snapshot may not be durable

	// afterCommit runs once the transaction is durable, afterEnd when it ends in any way.
	afterCommit []func()
	afterEnd    []func()
	// undoSession takes back what statements did to the session and no rollback undoes, such as PREPARE: in
	// reverse order, when the transaction is run again.
	undoSession   []func()
	parsed        map[string]*prepared // by messages of the protocol, nil if closed: kept when it is run again
	sequencesKept bool                 // and currval() of all sequences is among it
	deferred      exec.Deferred        // rules to be checked at the end
	requirements  exec.Requirements    // what the commit depends on by accumulators
	repeats       exec.Repeats         // checks that can be made again
	disturbed     *kv.ConflictError    // why they have to be, before anything else; nil if they have not
	rechecks      int                  // how often they have been, in this statement or COMMIT
}

// savepoint is a point to go back to.
type savepoint struct {
	name          string
	readOnly      bool
	mark          kv.Mark
	hasMark       bool // the kv transaction had begun
	snapshot      *catalog.Snapshot
	changedSchema bool
	settings      int
	commits       int // length of afterCommit
	deferred      exec.DeferredMark
	requirements  exec.RequirementsMark
	step          int64 // its number
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
		e.Detail = s.describeConflict(c)
	}
	return e
}

// snapshotForErrors is the schema to name things by: the newest, if the transaction has none at present. It may be nil.
func (s *Session) snapshotForErrors() *catalog.Snapshot {
	if s.tx != nil && s.tx.snapshot != nil {
		return s.tx.snapshot
	}
	return s.engine.catalog.Current()
}

// storeError turns an error of kv into the SQL error for it.
func (s *Session) storeError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, kv.ErrStale):
		return err
	case errors.Is(err, kv.ErrConflict), errors.Is(err, kv.ErrRecheck):
		return s.conflict(err)
	case errors.Is(err, kv.ErrDeadlock), errors.Is(err, kv.ErrLockNotAvailable):
		return s.lockError(err)
	case errors.As(err, new(*kv.SizeError)):
		return s.sizeError(err)
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

// sizeError is the error of a row, an index entry or a group of rows that is too large by itself, in PostgreSQL's words.
func (s *Session) sizeError(err error) error {
	var e *kv.SizeError
	errors.As(err, &e)
	schema, storage := s.snapshotForErrors(), storageOf(e.Key)
	t, x := relationKeys(schema, storage)
	if t != nil && x == nil {
		x = t.PrimaryKey()
	}
	message := fmt.Sprintf("row is too big: size %d, maximum size %d", e.Bytes, e.Limit)
	if e.What == "key" {
		message = fmt.Sprintf("index row size %d exceeds maximum %d", e.Bytes, e.Limit)
		if a, of := accumulatorKeys(schema, storage); of != nil {
			message = fmt.Sprintf(`the values by which assertion "%s" groups rows of table "%s" have size %d, maximum size %d`, a.Name, of.Name, e.Bytes, e.Limit)
		} else if x != nil { // the index may be what could not be made
			message += fmt.Sprintf(` for index "%s"`, x.Name)
		}
	}
	return errs.Wrap(err, errs.ProgramLimitExceeded, "%s", message)
}

// begin makes the transaction of the next statement if there is none.
func (s *Session) begin() *transaction {
	if s.tx == nil {
		s.tx = &transaction{time: microseconds(time.Now()), readOnly: s.settings.readOnly, random: s.pcg}
	}
	return s.tx
}

// open starts the kv transaction if it has not begun, and reads the schema. reads tells that the present statement
// only reads. As long as that is all an implicit transaction does it needs no footprint; the first statement
// that does more makes it run again with one.
func (s *Session) open(ctx context.Context, reads bool) error {
	t := s.tx
	switch {
	case t.restarted != nil:
		t.kv, t.restarted = t.restarted, nil
		t.start = t.kv.Savepoint()
	case t.kv == nil:
		// Going back to a savepoint may take back READ ONLY.
		readOnly := t.readOnly && t.explicit && len(t.savepoints) == 0
		t.blind = reads && !readOnly && !t.explicit && t.reruns == 0
		txn, err := s.engine.store.Begin(ctx, kv.TxnOptions{ReadOnly: readOnly || t.blind, Newest: t.reruns > 0,
			Owner: s.beginLive(t.time), Observer: txnObserver{s}})
		if err != nil {
			return s.storeError(err)
		}
		t.kv, t.start = txn, txn.Savepoint()
	case t.blind && !reads:
		return &rerun{cause: errBlind}
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
		if errors.Is(err, kv.ErrRecheck) {
			t.disturb(err)
			return s.recheck(ctx)
		}
		s.metConflict(err)
		return err
	}
	if !t.changedSchema {
		t.snapshot = nil
	}
	return s.open(ctx, false)
}

// WaitDurable returns when the state that the session's transaction reads is on disk. No answer that rests on it may leave the
// server before: see runStep for one that does not.
func (s *Session) WaitDurable() error {
	if s.tx == nil || s.tx.kv == nil || s.tx.failed || s.tx.lost != nil { // which has waited before its error
		return nil
	}
	return s.storeError(s.tx.kv.WaitDurable(context.Background()))
}

// runStep runs one statement in the session's transaction, starting it over on the newest state as often as
// it meets a locked row that is newer than its snapshot, and a few times if it violates a constraint. A statement that fails leaves no writes. It returns a
// *rerun if the transaction has to be run again as a whole.
func (s *Session) runStep(ctx context.Context, out Output, run func(ctx context.Context, out Output) error) error {
	t := s.tx
	from := out.Mark()
	s.reconsidered, t.rechecks = 0, 0
	if t.kv == nil {
		s.reconsidered = maxReconsidered // its snapshot is of now
	}
	foreseen := int64(-1)        // what the statement would have answered on a durable state
	var schema *catalog.Snapshot // of that state
	for {
		if t.disturbed != nil {
			out.Hold()
			if err := s.recheck(ctx); err != nil {
				return s.notMoved(ctx, err)
			}
		}
		var mark kv.Mark
		began := t.kv != nil
		if began {
			mark = t.kv.Savepoint()
		}
		snapshot, changed, commits, deferred, requirements := t.snapshot, t.changedSchema, len(t.afterCommit), t.deferred.Mark(), t.requirements.Mark()
		repeats := t.repeats.Mark()
		drawn, random := t.draws.next, s.pcg
		s.told, s.noticed = -1, false
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
		var again *rerun
		switch {
		case errors.As(err, &again):
			return again
		case errors.As(err, new(*unrepeatable)):
			return err
		case errors.Is(err, kv.ErrDeadlock):
			return &rerun{cause: err, unlock: true}
		case errors.Is(err, kv.ErrConflict):
			return &rerun{cause: err}
		}
		if !began {
			// The statement began the transaction, and goes back to its beginning. It keeps the lock it may
			// have waited for: one that queued again would find the row newer again, without end.
			mark = t.start
		}
		read := t.snapshot
		t.snapshot, t.changedSchema = snapshot, changed
		t.afterCommit = t.afterCommit[:commits]
		t.deferred.RollbackTo(deferred)
		t.requirements.RollbackTo(requirements)
		if err = s.reconsider(err); !isStale(err) {
			t.kv.RollbackTo(mark)
			if e := s.settle(ctx); e != nil {
				return e
			}
			return s.storeError(err)
		}
		t.kv.Retract(mark)
		t.repeats.Retract(repeats)
		s.noteStale(err)
		var f *exec.Foreseen
		if errors.As(err, &f) && !s.noticed && t.kv.Durable() {
			foreseen, schema = f.Rows, read
		}
		t.draws.next, s.pcg = drawn, random
		if !out.Reset(from) {
			return &rerun{cause: kv.ErrConflict}
		}
		out.Hold() // the newest state may not be durable yet
		t.waiting = true
		if err := s.refresh(ctx); err != nil {
			return s.notMoved(ctx, err)
		}
	}
	if t = s.tx; t == nil || !t.explicit {
		return nil
	}
	if foreseen >= 0 && s.told == foreseen && !s.noticed && t.snapshot == schema {
		// The client would have got this answer from a durable state as well. The transaction's next one waits, and its
		// commit in any case.
		return nil
	}
	return s.settle(ctx)
}

// notMoved is the error of a statement whose transaction could not be moved to a newer state.
func (s *Session) notMoved(ctx context.Context, err error) error {
	var again *rerun
	switch {
	case errors.As(err, &again):
		return again
	case errors.Is(err, kv.ErrConflict):
		return &rerun{cause: err}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return canceled(ctx)
	}
	return s.storeError(err)
}

// settle waits, if need be, until the state the transaction reads is durable, so that its answers may be sent.
func (s *Session) settle(ctx context.Context) error {
	t := s.tx
	if !t.waiting || s.replaying || t.kv == nil {
		return nil
	}
	if err := t.kv.WaitDurable(ctx); err != nil {
		if ctx.Err() != nil {
			return canceled(ctx)
		}
		return s.storeError(err)
	}
	t.waiting = false
	return nil
}

// commit ends the transaction and makes it durable. One that fails validation is run again, as often as it takes.
func (s *Session) commit(ctx context.Context, out Output) error {
	for {
		t := s.tx
		if t == nil {
			return nil
		}
		err := s.tryCommit(ctx)
		if err == nil {
			s.finish(t, true)
			out.Release()
			return nil
		}
		var again *rerun
		if errors.As(err, &again) {
			if err := s.replay(ctx, out, again); err != nil {
				if s.tx != nil && s.tx.lost != nil {
					s.abandon() // whatever COMMIT says, it is the end
				}
				return err
			}
			continue
		}
		if n := len(t.steps); n > 0 && !t.explicit {
			// The last statement has not come to its end: it must not be answered as if it had.
			out.Truncate(t.steps[n-1].from)
		}
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			err = canceled(ctx)
		}
		if e := s.settle(ctx); e != nil && !errors.Is(e, context.Canceled) {
			err = errors.Join(err, e)
		}
		err = s.storeError(err) // names tables by the transaction's schema
		s.finish(t, false)
		return err
	}
}

// tryCommit commits once.
func (s *Session) tryCommit(ctx context.Context) error {
	t := s.tx
	if t.kv == nil {
		return nil
	}
	var err error
	t.rechecks = 0
	for {
		if err = s.recheck(ctx); err == nil {
			err = s.checkDeferred(ctx)
		}
		if err == nil {
			err = s.readHeld(ctx)
		}
		if err != nil {
			break
		}
		var version kv.Version
		s.noteCommit()
		version, err = t.kv.Commit(ctx)
		s.metConflict(err)
		if !kv.Restartable(err) {
			s.engine.catalog.Finish(t.kv, version, errors.Is(err, kv.ErrCommitUnknown))
		}
		if !errors.Is(err, kv.ErrRecheck) {
			break
		}
		t.disturb(err)
	}
	switch {
	case errors.As(err, new(*rerun)):
		return err
	case errors.Is(err, kv.ErrDeadlock):
		return &rerun{cause: err, unlock: true}
	case errors.Is(err, kv.ErrConflict):
		return &rerun{cause: err}
	case errors.As(err, new(*kv.RequirementError)):
		if t.unkept == "" {
			return &rerun{cause: err} // the statement whose check it was meets it then
		}
		return s.refused(ctx, err)
	}
	return err
}

// refused is the error of a commit that would violate a rule by what others have committed meanwhile. What they have may not
// be durable yet: the transaction moves to that state, so that it waits for it before it answers (settle).
func (s *Session) refused(ctx context.Context, err error) error {
	t := s.tx
	if e := t.kv.Restart(ctx, false); e != nil {
		return e
	}
	t.waiting = true
	var r *exec.Refused
	if !errors.As(err, &r) {
		var unmet *kv.RequirementError
		errors.As(err, &unmet)
		return unmet.Err
	}
	x := s.execContext(ctx, nil)
	if t.explicit {
		x.Occasion = "COMMIT"
	}
	return r.Report(x)
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
	if t.restarted != nil {
		t.restarted.Rollback()
	}
}

// finish ends the session's transaction after its commit or in a rollback.
func (s *Session) finish(t *transaction, committed bool) {
	s.endPortals(t, committed)
	t.release(s.engine.catalog)
	t.repeats.Close()
	s.settings.end(committed)
	s.tx = nil
	for _, f := range t.afterEnd {
		f()
	}
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
	p := savepoint{name: name, readOnly: t.readOnly, snapshot: t.snapshot, changedSchema: t.changedSchema, settings: s.settings.mark(), commits: len(t.afterCommit), deferred: t.deferred.Mark(), requirements: t.requirements.Mark(), step: t.stepsDone}
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

// releaseSavepoint forgets a savepoint and those after it.
func (s *Session) releaseSavepoint(name string) error {
	i, err := s.tx.findSavepoint(name)
	if err == nil {
		s.tx.savepoints = s.tx.savepoints[:i]
	}
	return err
}

// undoTo takes back the writes since a savepoint, and gives up the locks that have been taken or made stronger since. What has been
// read was seen, and stays in the footprint.
func (t *transaction) undoTo(p savepoint) error {
	mark := t.start // it had read and locked nothing then
	if p.hasMark {
		mark = p.mark
	}
	if err := t.requirements.Withdraw(context.Background(), t.kv, p.requirements, func() { t.kv.RollbackTo(mark) }); err != nil {
		return err
	}
	t.kv.UnlockTo(mark)
	return nil
}

// rollbackTo goes back to a savepoint, which stays.
func (s *Session) rollbackTo(name string) error {
	t := s.tx
	if t.lost != nil {
		return t.lost
	}
	i, err := t.findSavepoint(name)
	if err != nil {
		return err
	}
	p := t.savepoints[i]
	t.savepoints = t.savepoints[:i+1]
	if t.kv != nil {
		if err := t.undoTo(p); err != nil {
			return s.storeError(err)
		}
		t.snapshot, t.changedSchema = p.snapshot, p.changedSchema
		if !p.hasMark {
			t.snapshot, t.changedSchema = nil, false
		}
	}
	t.readOnly = p.readOnly
	s.settings.rollbackTo(p.settings)
	t.afterCommit = t.afterCommit[:p.commits]
	t.deferred.RollbackTo(p.deferred)
	for name, c := range s.portals {
		if c.step > p.step {
			s.closePortal(name)
		}
	}
	t.failed = false
	return nil
}
