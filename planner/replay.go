package planner

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"holdfast/kv"
	"holdfast/planner/exec"
	"holdfast/sql/errs"
)

// A transaction that meets a conflict is run again on the newest state, from the statements it has been given, so
// that the client need not do it. What it does with an answer depends on whether the client has it:
//
//   - Answers that have not been sent (those of the message, or of the pipeline up to Sync, that is being
//     answered) are taken back and given anew. An implicit transaction, and an explicit one within a single
//     message, thus never fail for a conflict.
//   - Answers that have been sent must come out the same: each statement is run on a silent output, and the digest
//     of its answer, with rows, tags, notices and errors, is compared with the one before. If they are
//     all the same, the client cannot tell that its transaction has moved to a later place in the serial
//     order. If one is different, it has decided on something that is no longer true: 40001, with the statement and
//     the row that are the reason.
//
// now() stays what it was, random() and sequences give the same values again (draws), COPY data is kept up to
// copyKeepBytes. Statements that show what no snapshot fixes, such as clock_timestamp() or pg_stat_activity,
// are mostly answered differently. A transaction of more than replayBytes is not kept.
//
// What messages of the protocol do to portals and prepared statements are no steps, but for closing a cursor of
// DECLARE: a portal that was closed is there for the run that nobody sees (forgotten), and prepared statements are
// brought to their last state at its end (transaction.parsed).
//
// The locks stay held meanwhile, and a transaction that has lost guardAfter times is guarded (kv.Txn.Restart), at
// COMMIT up to its end: it gets through.

const (
	replayBytes = 64 << 20 // of the statements of a transaction and their parameters
	guardAfter  = 3
)

// rerun is the error of a statement, or COMMIT, whose transaction has to be run again as a whole.
type rerun struct {
	cause  error
	unlock bool // it must let go of all locks: it was the victim of a deadlock
	guard  bool // it has lost often enough
	// refused is the violation that a check met when it was made again, on a durable state; nil: it is not for that.
	refused *exec.Refused
}

func (e *rerun) Error() string { return "the transaction has to be run again: " + e.cause.Error() }
func (e *rerun) Unwrap() error { return e.cause }

// unrepeatable is the error of a statement that cannot be run again.
type unrepeatable struct{ why string }

func (e *unrepeatable) Error() string { return "the statement cannot be run again: " + e.why }

var errCopyLost = &unrepeatable{fmt.Sprintf("more than %d MB of COPY data came in", copyKeepBytes>>20)}

// errCopyOver is the error of a COPY that would read more than it did before it failed: the client has ended with it.
var errCopyOver = &unrepeatable{"a COPY would read more of its data now"}

// ErrSilent is what CopyIn of a silent Output fails with: the client does not know of the COPY.
var ErrSilent error = &unrepeatable{"a COPY would ask for data now"}

// errBlind is the cause of a rerun that is no conflict: a transaction that had begun without a footprint has to
// have one.
var errBlind = errors.New("the transaction needs a footprint")

// step is something a transaction has done: a statement, or a change of its state, such as BEGIN and SAVEPOINT,
// whose answers count as between.
type step struct {
	run     func(ctx context.Context, out Output) error
	control func() error
	text    string
	portal  *portal      // that was run, nil if it was none
	data    **copyKeeper // of COPY FROM
	time    int64        // statement_timestamp()

	from, to int64 // its answer
	digest   Digest
	failure  error  // that it ended with
	left     *left  // what it left, if it is not run again for the silence (fleeting)
	between  []byte // answers of other messages after it
	// unfinished: it has met the conflict before its end.
	unfinished bool
}

// stepBytes is what a step takes, about, beside its text and parameters.
const stepBytes = 400

// runStatement runs a statement in the session's transaction and keeps it to be run again.
func (s *Session) runStatement(ctx context.Context, out Output, st step) error {
	t := s.tx
	s.Answered(out)
	st.time, st.from = s.statementTime, out.Mark()
	out.BeginAnswer()
	err := s.runStep(ctx, out, st.run)
	if s.tx != t {
		return err
	}
	var again *rerun
	if errors.As(err, &again) {
		st.to, st.unfinished = out.Mark(), true
		t.steps = append(t.steps, st)
		return s.replay(ctx, out, again)
	}
	var un *unrepeatable
	if errors.As(err, &un) {
		return s.lose(s.cannotReplay(&rerun{cause: kv.ErrConflict}, un.why))
	}
	if same := s.finishStep(out, &st, err); !same && ctx.Err() == nil {
		err = s.lose(s.answeredDifferently(len(t.steps), &st, kv.ErrConflict))
	}
	t.keep(st)
	return err
}

// finishStep notes how a statement has ended. It reports whether the answer began with what had been sent of it.
func (s *Session) finishStep(out Output, st *step, err error) (same bool) {
	st.digest, same = out.EndAnswer()
	st.to, st.failure, st.unfinished = out.Mark(), err, false
	if st.fleeting() {
		st.left = s.leftBy()
	}
	if !same {
		out.Truncate(out.Sent())
	}
	return same
}

// keep adds a step, unless there are too many.
func (t *transaction) keep(st step) {
	t.stepsDone++
	if t.unkept != "" {
		return
	}
	t.kept += stepBytes + int64(len(st.text))
	if st.portal != nil {
		t.kept += st.portal.size
	}
	if st.data != nil && *st.data != nil {
		t.kept += int64(len((*st.data).kept))
	}
	if t.kept > replayBytes {
		t.unkept = fmt.Sprintf("its statements take more than %d MB", replayBytes>>20)
		t.steps = nil
		return
	}
	t.steps = append(t.steps, st)
}

// control changes the state of the transaction, and keeps that to be done again.
func (s *Session) control(out Output, change func() error) error {
	s.begin()
	if out != nil {
		s.Answered(out)
	}
	if err := change(); err != nil {
		return err
	}
	st := step{control: change}
	if out != nil {
		st.from, st.to = out.Mark(), out.Mark()
	}
	s.tx.keep(st)
	return nil
}

// Answered notes what has been answered to messages that are no steps of the transaction, before it is sent.
func (s *Session) Answered(out Output) {
	if t := s.tx; t != nil && len(t.steps) > 0 {
		last := &t.steps[len(t.steps)-1]
		if end := out.Mark(); end > last.to {
			last.between = append(last.between[:len(last.between):len(last.between)], out.Between(last.to, end)...)
			last.to = end
		}
	}
}

// replay runs the transaction again until it gets to its present point without a conflict.
func (s *Session) replay(ctx context.Context, out Output, again *rerun) error {
	t := s.tx
	if t.unkept != "" {
		return s.lose(s.cannotReplay(again, t.unkept))
	}
	s.Answered(out)
	steps := t.steps
	live := 0 // the first step whose answer the client has nothing of
	for live < len(steps) && steps[live].from < out.Sent() {
		live++
	}
	s.replayed, s.before = s.statementText(), s.outlive()
	defer func() { s.showStatement(s.replayed); s.before = nil }()
	forgotten := s.forgotten(steps)
	statement := len(steps) > 0 && steps[len(steps)-1].unfinished
	for {
		if again.cause != errBlind {
			s.noteRerun(t.explicit || t.block)
		}
		if live < len(steps) && !out.Reset(steps[live].from) {
			return s.lose(s.cannotReplay(again, "too much of its answers has been sent"))
		}
		if err := s.restart(ctx, again, forgotten); err != nil {
			return s.lose(err)
		}
		out.Hold()
		err := s.replaySteps(ctx, out, steps, live, again)
		var more *rerun
		if !errors.As(err, &more) {
			// The client may now take its time; a COMMIT keeps what it has read from change until it is through.
			if s.tx != nil && s.tx.kv != nil && (statement || err != nil) {
				s.tx.kv.Unguard()
			}
			s.closeForgotten(forgotten)
			s.keepParsed()
			if err == nil && statement && s.tx.explicit {
				return s.settle(ctx)
			}
			return err
		}
		if ctx.Err() != nil {
			return s.lose(canceled(ctx))
		}
		again = more
	}
}

// restart takes the session and its transaction back to where the transaction began. The forgotten portals are
// there again.
func (s *Session) restart(ctx context.Context, again *rerun, forgotten []*portal) error {
	old := s.tx
	for _, p := range forgotten {
		p.restart(nil)
		p.cursor, p.held = nil, nil
		if p.name != "" && s.portals[p.name] == nil { // FETCH may ask for it
			s.portals[p.name] = p
		}
	}
	for _, p := range s.portals {
		switch {
		case p.tx != old:
		case p.cursor == nil:
			p.restart(nil)
		case p.cursor.declared:
			s.closePortal(p.name) // to be declared again
		default:
			p.restart(nil)
			p.cursor, p.held = nil, nil
		}
	}
	for i := len(old.undoSession) - 1; i >= 0; i-- {
		old.undoSession[i]()
	}
	s.settings.end(false)
	s.pcg = old.random
	t := &transaction{block: old.explicit || old.block, time: old.time, readOnly: s.settings.readOnly, random: old.random, draws: old.draws, reruns: old.reruns + 1, waiting: true}
	t.draws.next, t.parsed = 0, old.parsed
	if old.restarted != nil {
		old.kv = old.restarted
	}
	if old.kv != nil {
		s.engine.catalog.Finish(old.kv, 0, false)
		if again.unlock || old.blind {
			old.kv.Rollback()
		} else if err := old.kv.Restart(ctx, again.guard || t.reruns >= guardAfter); err != nil {
			if ctx.Err() != nil {
				return canceled(ctx)
			}
			return s.storeError(err)
		} else {
			t.restarted = old.kv
		}
	}
	s.tx = t
	return nil
}

// replaySteps runs the steps in the new transaction: those before live silently, the others with their answers.
func (s *Session) replaySteps(ctx context.Context, out Output, steps []step, live int, again *rerun) error {
	now := s.statementTime
	s.replaying = true
	defer func() { s.statementTime, s.out, s.replaying, s.repeating = now, out, false, false }()
	for i, st := range steps {
		t := s.tx
		if st.control != nil {
			if err := st.control(); err != nil {
				return s.lose(err)
			}
			if i >= live {
				st.from = out.Mark()
				if err := out.Append(st.between); err != nil {
					return err
				}
				st.to = out.Mark()
			}
			t.keep(st)
			continue
		}
		s.statementTime, s.repeating = st.time, !st.unfinished
		if i < live && !st.unfinished {
			same, failure, err := s.runSilently(ctx, out, &st, again)
			if err != nil {
				return err
			}
			if !same {
				return s.loseAt(ctx, i, &st, failure, again.cause)
			}
			t.keep(st)
			continue
		}
		if i >= live {
			st.from = out.Mark()
			out.BeginAnswer()
		} else if !out.Reset(st.from) {
			return s.lose(s.cannotReplay(again, "too much of its answers has been sent"))
		}
		err := s.runStep(ctx, out, st.run)
		var more *rerun
		var un *unrepeatable
		switch {
		case errors.As(err, &more):
			return more
		case errors.As(err, &un):
			return s.lose(s.cannotReplay(again, un.why))
		}
		if same := s.finishStep(out, &st, err); !same && ctx.Err() == nil {
			return s.loseAt(ctx, i, &st, err, again.cause)
		}
		if err == nil {
			err = out.Append(st.between)
			st.to = out.Mark()
		}
		t.keep(st)
		if err != nil {
			s.replaying = false
			if s.tx == t {
				if e := s.settle(ctx); e != nil { // the state it rests on must not be lost any more
					err = e
				}
			}
			if !t.explicit {
				s.abandon()
			}
			return err
		}
	}
	return nil
}

// runSilently runs a step whose answer the client has, and reports whether it is still the same. failure is the step's
// own error, if it fails now; err is one that ends running again.
func (s *Session) runSilently(ctx context.Context, out Output, st *step, again *rerun) (same bool, failure, err error) {
	if st.fleeting() {
		if st.digest.Rows > 0 {
			what := "was canceled"
			if errs.CodeOf(st.failure) == errs.LockNotAvailable {
				what = "did not get a lock"
			}
			return false, nil, s.lose(s.cannotReplay(again, "a statement "+what+" in the middle of its answer: "+excerpt(st.text)))
		}
		s.leave(st.left)
		return true, nil, nil
	}
	silent := out.Silent()
	s.out = silent
	silent.BeginAnswer()
	failure = s.runStep(ctx, silent, st.run)
	s.out = out
	var more *rerun
	var un *unrepeatable
	switch {
	case errors.As(failure, &more):
		return false, nil, more
	case errors.As(failure, &un):
		return false, nil, s.lose(s.cannotReplay(again, un.why))
	case ctx.Err() != nil:
		return false, nil, s.lose(canceled(ctx))
	}
	digest, _ := silent.EndAnswer()
	return s.engine.config.Faults.SkipDigestCompare || digest == st.digest && sameError(failure, st.failure), failure, nil
}

// sameError reports whether the client could not tell two errors apart.
func sameError(a, b error) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return errs.As(a).Same(errs.As(b))
}

// forgotten are the portals of steps that the client has closed, or a ROLLBACK TO.
func (s *Session) forgotten(steps []step) (out []*portal) {
	for i := range steps {
		if p := steps[i].portal; p != nil && s.portals[p.name] != p {
			out = append(out, p)
		}
	}
	return out
}

// closeForgotten closes them again.
func (s *Session) closeForgotten(forgotten []*portal) {
	for _, p := range forgotten {
		p.close()
		if s.portals[p.name] == p {
			delete(s.portals, p.name)
		}
	}
}

// noteParsed notes a statement that a message has made, or closed: q is nil. Such messages are no steps.
func (s *Session) noteParsed(name string, q *prepared) {
	if s.tx == nil || name == "" {
		return
	}
	if s.tx.parsed == nil {
		s.tx.parsed = map[string]*prepared{}
	}
	s.tx.parsed[name] = q
}

// notePrepared notes that PREPARE or DEALLOCATE, which are steps, have the last word on a statement, or all if name is "".
func (s *Session) notePrepared(name string) {
	switch {
	case s.replaying:
	case name == "":
		s.tx.parsed = nil
	default:
		delete(s.tx.parsed, name)
	}
}

// keepParsed brings the statements of messages into the state they were in before the transaction was run again.
func (s *Session) keepParsed() {
	if s.tx == nil {
		return
	}
	for name, q := range s.tx.parsed {
		if q == nil {
			delete(s.statements, name)
		} else {
			s.statements[name] = q
		}
	}
}

// lose ends what can be done in the transaction but to roll it back, and returns why.
func (s *Session) lose(why error) error {
	t := s.tx
	if t == nil {
		return why
	}
	if s.before != nil {
		s.restore(s.before)
	}
	if !t.explicit && !t.block {
		s.abandon()
		return why
	}
	t.explicit, t.lost = true, why
	t.release(s.engine.catalog) // nobody shall wait for it
	return why
}

// cannotReplay is the error of a transaction with a conflict that cannot be run again. A violation is told as such: to run it again would
// not help.
func (s *Session) cannotReplay(again *rerun, why string) error {
	switch {
	case again.unlock:
		return s.storeError(again.cause)
	case again.refused != nil:
		return again.refused.Report(&exec.Ctx{Ctx: *s.functionContext(context.Background())})
	}
	e := errs.As(s.conflict(again.cause))
	e.Detail = strings.TrimSpace(e.Detail + fmt.Sprintf(" The transaction could not be run again by the server, because %s.", why))
	return e
}

// loseAt ends a transaction that cannot be run again because step i comes to something else than the client has been
// told. If a rule refuses now what it let through before, that is the answer: the steps up to it came to the same, so this is
// the transaction at its place behind the others, and to run it once more would not help it.
func (s *Session) loseAt(ctx context.Context, i int, st *step, failure, cause error) error {
	if code := errs.CodeOf(failure); st.failure != nil || code != errs.CheckViolation && code != errs.ForeignKeyViolation {
		return s.lose(s.answeredDifferently(i, st, cause))
	}
	s.replaying = false
	if err := s.settle(ctx); err != nil { // what the error tells of must be there to stay
		return s.lose(err)
	}
	e := *errs.As(failure)
	e.Where = strings.TrimSpace(fmt.Sprintf("%s\nstatement %d of the transaction, which was run again after a conflict: %s", e.Where, s.statementNumber(i), excerpt(st.text)))
	return s.lose(&e)
}

// statementNumber counts the statements of the transaction up to step i, from 1.
func (s *Session) statementNumber(i int) int {
	n := 1
	for _, before := range s.tx.steps[:min(i, len(s.tx.steps))] {
		if before.control == nil {
			n++
		}
	}
	return n
}

// answeredDifferently is the error of a transaction that cannot be run again because step i has another answer than
// the client has been given.
func (s *Session) answeredDifferently(i int, st *step, cause error) error {
	if s.replaying {
		s.showStatement(s.replayed) // the one that met the conflict
	}
	if errors.Is(cause, kv.ErrDeadlock) {
		return s.storeError(cause) // which says more of the reason
	}
	e := errs.As(s.conflict(cause))
	e.Detail = strings.TrimSpace(e.Detail + fmt.Sprintf(" Statement %d of the transaction would be answered differently now: %s", s.statementNumber(i), excerpt(st.text)))
	return e
}

// excerpt is the beginning of a statement, on one line.
func excerpt(text string) string {
	const most = 120
	text = strings.Join(strings.Fields(text), " ")
	if r := []rune(text); len(r) > most {
		text = string(r[:most]) + "..."
	}
	return text
}
