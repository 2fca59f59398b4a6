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
	// ErrStale: a locked key was written after the snapshot. See Txn.Lock.
	ErrStale = errors.New("kv: locked key is newer than the snapshot")
	// ErrDeadlock: waiting would close a cycle of transactions that wait for each other.
	ErrDeadlock = errors.New("kv: deadlock")
	// ErrLockNotAvailable: NoWait, or the timeout has passed.
	ErrLockNotAvailable = errors.New("kv: lock not available")
	// ErrLockSkipped: SkipLocked, and the key is locked.
	ErrLockSkipped = errors.New("kv: lock skipped")
	// ErrTooLarge: a key, value or transaction is beyond the store's Caps.
	ErrTooLarge = errors.New("kv: too large")
	// ErrDiskFull: there is no room for the temporary files of a large transaction. It can only be rolled back to
	// before the statement that met it.
	ErrDiskFull = errors.New("kv: no space left for temporary files")
	// ErrReadOnly: a write in a read-only transaction.
	ErrReadOnly = errors.New("kv: transaction is read-only")
	// ErrCommitUnknown: the commit may or may not have happened.
	ErrCommitUnknown = errors.New("kv: commit outcome unknown")
	// ErrUnavailable: the store is closed or closing.
	ErrUnavailable = errors.New("kv: store unavailable")
	// ErrInUse: another process has the folder open.
	ErrInUse = errors.New("kv: folder is in use by another process")
	// ErrFormat: the folder is not a Holdfast data folder, or is of a newer version.
	ErrFormat = errors.New("kv: unknown data folder")
)

// ConflictError is an ErrConflict that names its cause.
type ConflictError struct {
	Start, End []byte    // the range that was read and written; End is nil for a single key
	Columns    ColumnSet // the columns both sides named
	Version    Version   // of the commit that wrote it
}

func (e *ConflictError) Error() string { return ErrConflict.Error() }

// Unwrap makes errors.Is(err, ErrConflict) true.
func (e *ConflictError) Unwrap() error { return ErrConflict }

// DeadlockError is an ErrDeadlock that names the cycle: each waiter waits for the next one's lock, the last one
// for the first one's. The first is the transaction that gets the error.
type DeadlockError struct{ Waits []LockWait }

// LockWait is one transaction's waiting for another.
type LockWait struct {
	Waiter, Holder uint64 // TxnOptions.Owner of both
	Key            []byte
	Mode           LockMode // that is asked for
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
