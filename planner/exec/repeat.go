package exec

import (
	"context"
	"errors"
	"fmt"

	"holdfast/kv"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// Repeats are the checks that a transaction has made with marked reads (kv.Reader.Marked) and that have found no violation. If
// others change only what such checks have read, the transaction is not run again: it moves to the newest state with all that it
// has written, and makes the checks again there. That proves as much as the first time: before a change there is no violation, in the
// newest state as little as in the one before, and what was changed is the same.
//
// A check is about the state at the end of its statement, so it is repeated on a view of that. All are repeated, also those of
// statements that ROLLBACK TO has taken back, or whose failure was caused by a later check: the client has been told what came
// of them, as with what they have read. Only a statement that starts over, of which nobody has seen anything, takes its checks with it.
//
// Not marked are the reads of
//   - checks that find a violation, or fail: the error is an answer, and rests on them;
//   - checks of rules that may be violated already (Rule.NewOnly), whose warnings and verdicts compare two states;
//   - checks that look at accumulators: what is left to the commit rests on what they have read (Requirements);
//   - whatever decides what is written: actions of foreign keys, unique keys, ON CONFLICT.
//
// What has to be kept for a check is bounded: see keeps. Beyond, checks read like statements, and the whole transaction is run again.
// The zero Repeats has none.
type Repeats struct {
	list    []repeatable
	bytes   int64 // of changed rows and of the list itself, about
	files   int   // of changed rows
	written int64 // bytes of rows that were written since the first
}

// repeatable is a check that can be made again.
type repeatable struct {
	rule     *Rule
	compiled *compiledRule
	changes  Changes
	state    kv.Reader // as of the check: what the transaction had written then, over its present snapshot
	env      types.Env
	occasion string
}

// RepeatsMark is a point to go back to.
type RepeatsMark struct {
	list, files    int
	bytes, written int64
}

// Bounds of what is kept for repeats.
const (
	repeatOverhead = 400      // bytes of a check, about
	repeatBytes    = 16 << 20 // of changed rows in memory
	repeatFiles    = 16       // with changed rows that were too many for memory
	// A view keeps values from being freed that are overwritten later.
	repeatWritten = 16 << 20
)

// Mark is the present point.
func (m *Repeats) Mark() RepeatsMark {
	return RepeatsMark{list: len(m.list), files: m.files, bytes: m.bytes, written: m.written}
}

// Retract forgets what came after the mark: as kv.Txn.Retract, which forgets the reads.
func (m *Repeats) Retract(to RepeatsMark) {
	clear(m.list[to.list:])
	m.list, m.files, m.bytes, m.written = m.list[:to.list], to.files, to.bytes, to.written
}

// Empty reports whether there is nothing to repeat.
func (m *Repeats) Empty() bool { return len(m.list) == 0 }

// Close frees the files of changed rows, when the transaction ends.
func (m *Repeats) Close() {
	for i := range m.list {
		_ = m.list[i].changes.close() // temporary files, already unlinked
	}
	*m = Repeats{}
}

func (m *Repeats) len() int {
	if m == nil {
		return 0
	}
	return len(m.list)
}

// wrote notes a row that was written.
func (m *Repeats) wrote(bytes int) {
	if m != nil && len(m.list) > 0 {
		m.written += int64(bytes)
	}
}

// room reports whether a check over changes can be kept.
func (m *Repeats) room(c Changes) bool {
	bytes, files := m.size(c)
	return m.bytes+bytes <= repeatBytes && m.files+files <= repeatFiles && m.written <= repeatWritten
}

// size is what keeping changes takes in memory, and in files. Checks of one statement have the same changes.
func (m *Repeats) size(c Changes) (bytes int64, files int) {
	bytes = repeatOverhead
	if n := len(m.list); n > 0 && len(c) > 0 && len(m.list[n-1].changes) == len(c) && &m.list[n-1].changes[0] == &c[0] {
		return bytes, 0
	}
	for _, t := range c {
		for _, r := range []*TransitionRows{t.Old, t.New} {
			if r == nil {
				continue
			}
			bytes += r.recent.Bytes()
			if r.file != nil {
				files++
			}
		}
	}
	return bytes, files
}

func (m *Repeats) keep(r repeatable) {
	bytes, files := m.size(r.changes)
	m.list, m.bytes, m.files = append(m.list, r), m.bytes+bytes, m.files+files
}

// checkMarked is a check whose reads are marked, if it can be repeated. done tells that it has been made: otherwise it is to be made as
// ever, since it cannot be repeated, or its outcome is going to be told.
func (r *Rule) checkMarked(ctx *Ctx, c *compiledRule, p pendingRule, occasion string) (done bool, err error) {
	m := ctx.Repeats
	if m == nil || r.NewOnly || c.accumulators || !m.room(p.changes) {
		return false, nil
	}
	k := repeatable{rule: r, compiled: c, changes: p.changes, state: ctx.Txn.View(), occasion: occasion}
	if ctx.Env != nil {
		k.env = *ctx.Env
	}
	violation, read, err := k.run(ctx)
	switch {
	case err == nil && violation == nil:
		if read { // otherwise the changed rows alone have decided, and would again
			m.keep(k)
		}
		return true, nil
	case err != nil && !errors.As(err, new(*errs.Error)):
		return true, err // of the store: the statement starts over, or has failed for no reason of the rule
	}
	return false, nil
}

// run makes the check and returns the first violation, and whether anything was read in the store.
func (k *repeatable) run(ctx *Ctx) (violation []types.Datum, read bool, err error) {
	inner := *ctx
	inner.Requirements = nil
	reader := &markedReader{state: k.state}
	err = k.rule.rows(&inner, k.compiled.plan, reader, k.changes, func(row []types.Datum) bool {
		if k.rule.Violation != nil && !k.rule.Violation(row) {
			return true
		}
		violation = row
		return false
	})
	return violation, reader.marked != nil, err
}

// markedReader reads a state with a mark, and shows whether it has.
type markedReader struct {
	state  kv.Reader
	marked kv.Reader // nil: it has not
}

func (r *markedReader) reader() kv.Reader {
	if r.marked == nil {
		r.marked = r.state.Marked()
	}
	return r.marked
}

// Get implements kv.Reader.
func (r *markedReader) Get(ctx context.Context, key []byte, cols kv.ColumnSet) ([]byte, bool, error) {
	return r.reader().Get(ctx, key, cols)
}

// Scan implements kv.Reader.
func (r *markedReader) Scan(ctx context.Context, over kv.KeyRange, o kv.ScanOptions) kv.Iterator {
	return r.reader().Scan(ctx, over, o)
}

// Unrecorded implements kv.Reader.
func (r *markedReader) Unrecorded() kv.Reader { return r.reader().Unrecorded() }

// Marked implements kv.Reader.
func (r *markedReader) Marked() kv.Reader { return r }

// errCheckedLate is an ErrStale without a row.
var errCheckedLate = fmt.Errorf("%w: the statement has waited, and what it has read is not the newest state", kv.ErrStale)

// checkedLate is called when a statement has made its checks. If it has waited for locks, what it has read may have changed by what it
// has waited for: a row that refers to the one it deletes. It then starts over, holding its locks, and finds a violation now; it would
// otherwise find it at the commit.
func (c *Ctx) checkedLate() error {
	if c.Waited != nil && *c.Waited != c.WaitedBefore && c.Txn.Outdated() {
		return errCheckedLate
	}
	return nil
}

// Again makes all checks again on the transaction's present snapshot, which Recheck of the store has moved. A violation is a *Refused.
func (m *Repeats) Again(ctx *Ctx) error {
	for i := range m.list {
		k := &m.list[i]
		err := k.rule.measured(ctx, k.changes, func(ctx *Ctx) error {
			inner := *ctx
			inner.Env = &k.env
			violation, _, err := k.run(&inner)
			if err == nil && violation != nil {
				err = &Refused{rule: k.rule, row: violation, occasion: k.occasion}
			}
			return err
		})
		if err != nil {
			return err
		}
		if s := k.rule.Stats; s != nil {
			s.Revalidations.Add(1)
		}
	}
	return nil
}
