package exec

import (
	"context"
	"errors"
	"time"

	"holdfast/kv"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// Ctx is one execution of a statement. Only one goroutine may use it at a time. The context inside is canceled with a
// cause (context.WithCancelCause) that is an *errs.Error: see ErrStatementTimeout.
type Ctx struct {
	funcs.Ctx
	// Reader is the statement's view: what plans read. It does not show the statement's own writes.
	Reader kv.Reader
	// Txn takes writes and locks, and shows the present state.
	Txn kv.Txn
	// Params are the values of $1, ..
	Params  []types.Datum
	Catalog *catalog.Snapshot
	// WorkMem is how many bytes one operator may hold before it goes to temporary files. 0: no limit.
	WorkMem int64
	// TempDir is the folder for temporary files; "": the system's.
	TempDir string
	// LockTimeout is the setting lock_timeout; 0: none.
	LockTimeout time.Duration
	// Savepoint: the transaction can go back to a savepoint, and gives up its locks then. What it locks is therefore observed too, with the
	// columns that the lock protects: RETURNING, CHECKs and rules show what is in the footprint by nothing else.
	Savepoint bool
	// Repeated: the statement is run again, and has had its locks the first time. NOWAIT waits, since it says nothing of the state
	// whether they can be had at once now.
	Repeated bool
	// DeadlockTimeout is the setting deadlock_timeout: see kv.WaitPolicy.Patience.
	DeadlockTimeout time.Duration
	// Notice sends a notice or warning to the client; nil: dropped.
	Notice func(*errs.Error)
	// Waited counts how often the session has waited for a lock; nil: nobody does. WaitedBefore is what it was when the execution began.
	Waited       *int
	WaitedBefore int
	// Changes are what TransitionScans read: in the plan of a rule, the changes that it looks at.
	Changes Changes
	// Deferred takes the changes that deferred rules are still to be checked on; nil: none is deferred.
	Deferred *Deferred
	// Requirements takes what the commit is to depend on by accumulators; nil: what is looked at of them is read like rows.
	Requirements *Requirements
	// Repeats takes the checks that can be made again; nil: what they read is read like all else.
	Repeats *Repeats
	// RowNumbers gives the first of n new keys for rows of tables without a primary key.
	RowNumbers func(ctx context.Context, n int) (uint64, error)
	// Occasion is when rules are being checked, for messages: "COMMIT"; "" at the end of a statement.
	Occasion string
	// Changed takes note of what was changed in a table; nil: nobody does.
	Changed func(table catalog.OID, c RowCounts)
	// Counts finds the counters of a table for what is read; nil: nobody counts.
	Counts func(table catalog.OID) *TableCounts

	// Trace takes note of what becomes of the statement's rules; nil: nobody asks.
	Trace *RuleTrace

	// looked counts the changed rows that the check being run has not sorted out by their images; nil: nobody does.
	looked *int64
	// rules collects what is to be checked at the end of the statement, where it consists of several that change
	// rows; nil: each of them ends by itself.
	rules *ruleQueue
	// checking is the check that the plan is run for; nil if it is none. What it looks at in accumulators is left to the commit.
	checking *checking
}

// Causes of cancellation, PostgreSQL's words.
var (
	ErrStatementTimeout = errs.New(errs.QueryCanceled, "canceling statement due to statement timeout")
	ErrUserRequest      = errs.New(errs.QueryCanceled, "canceling statement due to user request")
)

// Canceled returns why the execution was canceled, nil if it was not. Operators call it once per batch.
func (c *Ctx) Canceled() error {
	if c.Ctx.Context == nil || c.Err() == nil {
		return nil
	}
	cause := context.Cause(c)
	var e *errs.Error
	if errors.As(cause, &e) {
		return e
	}
	if errors.Is(cause, context.DeadlineExceeded) {
		return ErrStatementTimeout
	}
	return ErrUserRequest
}

// Error makes of an error that kv returned the one to report: the cause if it was a cancellation.
func (c *Ctx) Error(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		if e := c.Canceled(); e != nil {
			return e
		}
	}
	return err
}

// Warn sends a notice if there is anyone to hear it.
func (c *Ctx) Warn(e *errs.Error) {
	if c.Notice != nil {
		c.Notice(e)
	}
}

// Memory accounts for what one operator holds, in bytes, about. The zero Memory has no limit.
type Memory struct {
	limit, used, peak int64
}

// Reset empties the account and sets the limit.
func (m *Memory) Reset(ctx *Ctx) { *m = Memory{limit: ctx.WorkMem} }

// Grow adds n bytes and reports whether all still fits: if not, the operator spills or fails with Exceeded.
func (m *Memory) Grow(n int64) bool {
	m.used += n
	m.peak = max(m.peak, m.used)
	return m.limit == 0 || m.used <= m.limit
}

// Release takes n bytes off.
func (m *Memory) Release(n int64) { m.used -= n }

// Used is what is held now, Peak the most that ever was.
func (m *Memory) Used() int64 { return m.used }

// Peak is the most that was held at one time.
func (m *Memory) Peak() int64 { return m.peak }

// Exceeded is the error of an operator that cannot go on within work_mem.
func (m *Memory) Exceeded(what string) error {
	return errs.New(errs.OutOfMemory, "out of memory").
		WithDetail("%s needs more than the %d kB of work_mem.", what, m.limit>>10).
		WithHint("Raise work_mem for this session.")
}
