package kv

import (
	"errors"
	"fmt"
	"strings"
)

// The errors of a store. They are returned wrapped with detail; test with errors.Is.
var (
	// ErrConflict: something the transaction has read was changed by a commit after its snapshot.
	ErrConflict = errors.New("kv: conflict with a concurrent transaction")
	// ErrRecheck: of what the transaction has read, only marked reads were changed by a commit after its snapshot. See
	// Txn.Recheck.
	ErrRecheck = errors.New("kv: what was checked was changed by a concurrent transaction")
	// ErrStale: a locked key was written after the snapshot. See Txn.Lock.
	ErrStale = errors.New("kv: locked key is newer than the snapshot")
	// ErrDeadlock: waiting would close a cycle of transactions that wait for each other.
	ErrDeadlock = errors.New("kv: deadlock")
	// ErrLockNotAvailable: NoWait, or the timeout has passed.
	ErrLockNotAvailable = errors.New("kv: lock not available")
	// ErrLockSkipped: SkipLocked, and the key is locked.
	ErrLockSkipped = errors.New("kv: lock skipped")
	// ErrTooLarge: a key, value or transaction is beyond the store's Caps. Of a key or value it is a *SizeError.
	ErrTooLarge = errors.New("kv: too large")
	// ErrDiskFull: there is no room for the temporary files of a large transaction. It can only be rolled back to
	// before the statement that met it.
	ErrDiskFull = errors.New("kv: no space left for temporary files")
	// ErrReadOnly: a write in a read-only transaction.
	ErrReadOnly = errors.New("kv: transaction is read-only")
	// ErrNoMerge: the store was opened without a Merge, so that it has no accumulators.
	ErrNoMerge = errors.New("kv: the store has no accumulators")
	// ErrCommitUnknown: the commit may or may not have happened.
	ErrCommitUnknown = errors.New("kv: commit outcome unknown")
	// ErrUnavailable: the store is closed or closing.
	ErrUnavailable = errors.New("kv: store unavailable")
	// ErrInUse: another process has the folder open.
	ErrInUse = errors.New("kv: folder is in use by another process")
	// ErrFormat: the folder is not a Holdfast data folder, or is of a newer version.
	ErrFormat = errors.New("kv: unknown data folder")
)

// Restartable reports whether an error of Commit leaves a transaction that can be restarted.
func Restartable(err error) bool {
	var unmet *RequirementError
	return errors.Is(err, ErrConflict) || errors.Is(err, ErrRecheck) || errors.As(err, &unmet)
}

// SizeError is the ErrTooLarge of a pair of which the key or the value is longer than the store's Caps allow. No other division of
// the work into transactions would help.
type SizeError struct {
	Key   []byte // of the pair
	What  string // "key" or "value"
	Bytes int    // its length
	Limit int
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("%v: %s of %d bytes, the limit is %d", ErrTooLarge, e.What, e.Bytes, e.Limit)
}

// Unwrap makes errors.Is(err, ErrTooLarge) true.
func (e *SizeError) Unwrap() error { return ErrTooLarge }

// ConflictError is an ErrConflict that names its cause.
type ConflictError struct {
	Start, End []byte    // the range that was read and written; End is nil for a single key
	Columns    ColumnSet // the columns both sides named
	Version    Version   // of the commit that wrote it
}

func (e *ConflictError) Error() string { return ErrConflict.Error() }

// Unwrap makes errors.Is(err, ErrConflict) true.
func (e *ConflictError) Unwrap() error { return ErrConflict }

// RecheckError is an ErrRecheck, and no ErrConflict, that names its cause.
type RecheckError struct{ Conflict *ConflictError }

func (e *RecheckError) Error() string { return ErrRecheck.Error() }

// Unwrap makes errors.Is(err, ErrRecheck) true.
func (e *RecheckError) Unwrap() error { return ErrRecheck }

// StaleError is an ErrStale that names the key and the newest commit that wrote it. It is not formatted before
// somebody asks, since on a hot row it is the normal course of things.
type StaleError struct {
	Key     []byte
	Version Version
}

func (e *StaleError) Error() string { return fmt.Sprintf("%v: %x", ErrStale, e.Key) }

// Unwrap makes errors.Is(err, ErrStale) true.
func (e *StaleError) Unwrap() error { return ErrStale }

// LockError names the key whose lock was not had: with NoWait and SkipLocked, or because the wait ended otherwise,
// by a timeout or the context's end.
type LockError struct {
	Key []byte
	Err error
}

func (e *LockError) Error() string { return fmt.Sprintf("%v: lock of %x", e.Err, e.Key) }

// Unwrap makes errors.Is find the reason.
func (e *LockError) Unwrap() error { return e.Err }

// DeadlockError is an ErrDeadlock that names the cycle: each waiter waits for the next one's lock, the last one
// for the first one's. The first is the transaction that gets the error.
type DeadlockError struct{ Waits []LockWait }

// LockWait is one transaction's waiting for another.
type LockWait struct {
	Waiter, Holder uint64 // TxnOptions.Owner of both
	Key            []byte
	Mode           LockMode // that is asked for
	Queued         bool     // the holder has not got the lock either: its request is only the earlier one
}

func (e *DeadlockError) Error() string {
	var b strings.Builder
	b.WriteString(ErrDeadlock.Error())
	for i, w := range e.Waits {
		sep := "; "
		if i == 0 {
			sep = ": "
		}
		fmt.Fprintf(&b, "%s%d waits for %s of %x, blocked by %d", sep, w.Waiter, w.Mode, w.Key, w.Holder)
	}
	return b.String()
}

// Unwrap makes errors.Is(err, ErrDeadlock) true.
func (e *DeadlockError) Unwrap() error { return ErrDeadlock }
