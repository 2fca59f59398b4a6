// Package kv is the transaction layer: ordered keys and values under serializable transactions.
//
// Correctness rests on one mechanism, optimistic validation at commit. A transaction reads one snapshot and
// records a footprint: every key and every key range it really consumed, absences included, each with the
// columns it depended on. Commit succeeds only if nothing in the footprint was written after the snapshot.
// Locks add nothing to that; they let writers of one row queue instead of collide, and a writer that holds one may put
// back columns of the row that are not in its footprint.
//
// The interface is narrow on purpose (read version, conflict ranges, atomic commit), so that other ordered
// transactional stores fit behind it. Every implementation must pass the suite in kv/conformance.
package kv

import (
	"context"
	"time"
)

// Version numbers the committed states of a store: a greater version includes all commits of a smaller one.
type Version uint64

// Store is an ordered key-value store with serializable transactions. It is safe for concurrent use.
type Store interface {
	// Begin starts a transaction that sees every commit acknowledged before the call.
	Begin(ctx context.Context, o TxnOptions) (Txn, error)
	// Discard removes a range of keys that no future transaction will reach, such as the rows of a dropped
	// table. It is not transactional; open snapshots still see the keys. It may be done later.
	Discard(ctx context.Context, r KeyRange) error
	// Caps tells the limits of this store. A transaction beyond them fails; it is never split.
	Caps() Caps
	// Close waits for running commits and closes the store. Open transactions, and Begin, fail with
	// ErrUnavailable, also those that wait for a lock. Closing again does nothing.
	Close() error
}

// Caps are the limits of a store, in bytes unless said otherwise. Zero means no limit.
type Caps struct {
	KeyBytes   int
	ValueBytes int
	TxnBytes   int64         // buffered writes of one transaction
	TxnAge     time.Duration // how long a snapshot may be kept
}

// TxnOptions are the properties of one transaction.
type TxnOptions struct {
	// ReadOnly transactions record no footprint, never fail validation, and refuse writes.
	ReadOnly bool
	// Newest starts from the newest sequenced state, which may not be durable yet, where the default is the
	// newest durable one. It is for transactions that are run again after a conflict. Commit of such a
	// transaction, and WaitDurable, return only when that state is durable.
	Newest bool
	// Owner names the transaction in a DeadlockError and in an Observer's LockQueues. The store attaches no
	// meaning to it.
	Owner uint64
	// Observer hears of lock waits and of the commit; nil: nobody does.
	Observer TxnObserver
}

// Reader reads one state of the store. The reads are recorded in the footprint of its transaction.
type Reader interface {
	// Get returns the value of key. The value must not be changed and stays valid until the transaction
	// ends. cols are the columns the caller's result depends on; existence is always among them. An own
	// write settles the columns it names, so that only the others, none for a new or deleted row, go into
	// the footprint. (A scan records its range whatever own writes lie in it.)
	Get(ctx context.Context, key []byte, cols ColumnSet) (value []byte, ok bool, err error)
	// Scan iterates over the pairs of a range in key order. What the iterator has passed over, not the
	// whole range, goes into the footprint.
	Scan(ctx context.Context, r KeyRange, o ScanOptions) Iterator
	// Unrecorded reads the same state, but leaves no footprint. It is for looking around where a result may leave
	// out what it likes: whoever relies on something then observes it.
	Unrecorded() Reader
	// Marked reads the same state, and its reads go into the footprint with a mark, as those of a test that the caller can
	// repeat on another state: where only marked reads were changed, Commit and Refresh fail with ErrRecheck instead of
	// ErrConflict. Nothing that is written, and no answer, may rest on them. Marked of an unrecorded reader is unrecorded, and the other way round.
	Marked() Reader
}

// Txn is one transaction. Only one goroutine may use it at a time, except that readers obtained from one
// view may scan concurrently with each other.
type Txn interface {
	Reader // the current state: the snapshot under every own write

	// View is the state as of now: later writes of the transaction do not show in it. It costs O(1).
	// A statement reads through a view, so that it does not see its own writes. A view stays usable after
	// Refresh and shows the new snapshot under the same own writes.
	View() Reader

	// ReadVersion is the version of the snapshot.
	ReadVersion() Version

	// FirstPresent returns the place of the first of some keys that is present, -1 if none is. The keys are in
	// ascending order, none twice. It is Get of the existence of one key after the other, and nothing of the keys
	// behind the present one is read; but for many keys that are near each other it costs much less.
	FirstPresent(ctx context.Context, keys [][]byte) (int, error)

	// Observe records a read of key without doing it, for callers that know the value at ReadVersion.
	Observe(key []byte, cols ColumnSet)
	// ObserveRange is Observe for all keys of a range.
	ObserveRange(r KeyRange, cols ColumnSet)

	// Set writes a pair. cols are the columns whose values it changes: AllColumns for a new row.
	// Writes of one key add up: what is committed has changed the union of their columns.
	// key and value are kept: the caller must not change them afterwards.
	Set(key, value []byte, cols ColumnSet) error
	// Delete removes a pair; removing an absent one is not an error. key is kept.
	Delete(key []byte) error

	// Accumulate adds a delta to an accumulator, which may be absent; see Merge. Deltas of one key add up. They are
	// undone by RollbackTo, Retract and Restart like other writes, and count in TxnBytes, but they neither lock nor read the
	// key: transactions that accumulate into one key never conflict by that. To whoever has read it they
	// are a write of all columns. Set and Delete of the key replace the deltas before them; a delta after them changes
	// what they have written. Reads through Get, Scan and views do not show own deltas: see Accumulated. key and
	// delta are kept. A store without Merge fails.
	Accumulate(key, delta []byte) error
	// Accumulated is the value of an accumulator in the snapshot under own writes and deltas, nil if it is absent. It
	// leaves no footprint. The value at commit may be another: see Require. The value must not be changed.
	Accumulated(ctx context.Context, key []byte) (value []byte, err error)
	// Require makes the commit depend on a test of the values that accumulators then have: at the transaction's place in the
	// order, under its own deltas and writes and those of all commits before it. It is the only thing that the
	// transaction depends on the values by. Requirements are tested in the order they were made; RollbackTo and Retract drop those
	// made since the mark, Restart drops all. A transaction without writes has nothing to be refused, and its
	// requirements are not tested; nor are those of one that conflicts. keys are kept.
	Require(keys [][]byte, r Requirement)

	// Lock takes row locks in the order given, waiting first come, first served, and holds them until the
	// transaction ends, or UnlockTo. A lock protects a key, present or not. It fails with ErrLockNotAvailable,
	// ErrLockSkipped, ErrDeadlock, or the context's error. If a key was written after the snapshot (for
	// LockKeyShare: inserted or deleted), it returns ErrStale with all locks held: the caller retracts its
	// statement, calls Refresh, and starts the statement over. Locks taken before one that failed stay held as well.
	//
	// A request waits for the holders it conflicts with and for the earlier requests it conflicts with. One
	// that makes a lock stronger goes before those that have no lock on the key. A read-only transaction
	// takes no locks: ErrReadOnly.
	//
	// A store may bound the locks of one transaction. Beyond the bound, a key that nobody else has locked or waits for
	// is observed instead, with the columns that the mode protects: what the lock would keep others from
	// changing must then not have changed at commit.
	Lock(ctx context.Context, keys [][]byte, m LockMode, w WaitPolicy) error

	// Refresh moves the snapshot to the newest sequenced state if nothing in the footprint has changed
	// since; otherwise it fails with ErrConflict and the transaction can only be restarted or rolled back, or with
	// ErrRecheck. What open
	// iterators have passed over counts as read; they go on in the new snapshot. A read-only transaction has
	// no footprint to go by: ErrReadOnly.
	Refresh(ctx context.Context) error
	// Outdated reports whether something in the footprint, marked or not, has changed since the snapshot, so that Refresh would fail. It
	// is for results that are worth finding again on a newer state, such as a refusal.
	Outdated() bool

	// Recheck is what may follow ErrRecheck: it moves the snapshot to the newest sequenced state as Refresh does, but forgets all
	// marked reads. Writes, deltas, requirements, locks and the other reads stay. The caller then repeats all that it has
	// read with the mark, on the state that views now show. It fails with ErrConflict if another read has
	// changed meanwhile. Open iterators of marked reads do not go on. It may also be called without an error before.
	Recheck(ctx context.Context) error

	// WaitDurable returns when the snapshot's state is durable. No answer that rests on it may leave the server before: one
	// that a durable state gives as well need not wait.
	WaitDurable(ctx context.Context) error
	// Durable reports whether the snapshot's state is durable already, so that WaitDurable would not wait.
	Durable() bool

	// Savepoint marks the present writes and footprint. It costs O(1).
	Savepoint() Mark
	// RollbackTo undoes the writes made since the mark. The footprint stays, since results were seen.
	RollbackTo(Mark)
	// Retract undoes the writes and the reads since the mark: for a statement that starts over and has
	// shown nothing to anyone.
	Retract(Mark)
	// UnlockTo gives up the locks that were asked for since the mark and not before, and gives those that were asked for in a
	// stronger mode since their mode of before. It follows RollbackTo the mark: what was written under these locks is
	// undone. Locks that are left of before a Restart count as asked for when Lock asks for them again. What the locks kept
	// from change may change from now on: a caller whose results have relied on it, and were seen, must have observed it.
	UnlockTo(Mark)

	// Commit validates and makes the writes durable. It fails with ErrConflict, ErrRecheck, a *RequirementError, ErrTooLarge,
	// ErrCommitUnknown or ErrUnavailable, or with the context's error if that ended before anything was
	// sequenced. The transaction is then over, except after the first three: it keeps its locks, and Restart, Rollback
	// or, after ErrRecheck, Recheck must follow. One whose writes are none, or all undone, never
	// conflicts: its snapshot is its place in the serial order, and its read version is returned.
	Commit(ctx context.Context) (Version, error)
	// Restart begins the transaction anew on the newest sequenced state, as TxnOptions.Newest does: without its
	// writes, reads and requirements, but with its locks, so that whoever has waited for a row has not waited in vain. It is
	// what a transaction that met a conflict goes on with. Views, iterators and marks of before are of no use
	// any more.
	//
	// guard lets the transaction through, however often it has lost against others: until it ends, Unguard or
	// the next Restart, commits of others that would change what it had read before any Restart wait for
	// it. They are let go while it waits for a lock, which one of them may have, and of several guarded
	// transactions only the first has the right.
	Restart(ctx context.Context, guard bool) error
	// Unguard ends what Restart began with guard. It must be called before the transaction is left to wait for
	// anything but the store, such as its client.
	Unguard()
	// Rollback ends the transaction without effect. After Commit or Rollback it does nothing; every other
	// call then fails with some error.
	Rollback()
}

// Mark is a point in a transaction to go back to. Marks stay usable after RollbackTo an earlier or the
// same mark only if they are not later than it.
type Mark interface{}

// Iterator walks a range. Key and Value are valid until the next call of Next or Close.
type Iterator interface {
	// Next moves to the next pair and reports whether there is one. The first call moves to the first.
	Next() bool
	Key() []byte
	Value() []byte
	// Err is the error that ended the iteration, nil at a plain end.
	Err() error
	// Close records what was consumed and frees the iterator. It must be called before the transaction ends.
	Close() error
}

// KeyRange is the keys k with Start <= k < End. A nil End means no upper bound.
type KeyRange struct{ Start, End []byte }

// ScanOptions are the properties of a scan.
type ScanOptions struct {
	Reverse bool
	// Columns the caller's result depends on; existence is always among them.
	Columns ColumnSet
	// KeysOnly allows the store to leave out the values.
	KeysOnly bool
	// Bulk tells that the scan will probably read the whole range.
	Bulk bool
}

// PrefixRange is the range of all keys that begin with prefix.
func PrefixRange(prefix []byte) KeyRange {
	return KeyRange{Start: prefix, End: PrefixEnd(prefix)}
}

// PrefixEnd is the smallest key greater than all keys that begin with prefix, nil if there is none.
func PrefixEnd(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xff {
			end := append([]byte(nil), prefix[:i+1]...)
			end[i]++
			return end
		}
	}
	return nil
}

// LockMode is the strength of a row lock, named as in PostgreSQL.
type LockMode uint8

const (
	LockKeyShare    LockMode = iota // FOR KEY SHARE: conflicts with LockUpdate only
	LockShare                       // FOR SHARE: conflicts with LockNoKeyUpdate and LockUpdate
	LockNoKeyUpdate                 // FOR NO KEY UPDATE, UPDATE of non-key columns
	LockUpdate                      // FOR UPDATE, DELETE, insertion of a unique key
)

func (m LockMode) String() string {
	return [...]string{"key share lock", "share lock", "no key update lock", "update lock"}[m]
}

// Protects is what a lock keeps others from changing, and so what must not be newer than the snapshot when it
// is taken. Whoever writes the row has a stronger lock than LockKeyShare and needs all of its newest state.
func (m LockMode) Protects() ColumnSet {
	if m == LockKeyShare {
		return Existence
	}
	return AllColumns
}

// WaitPolicy says what Lock does when it cannot have a lock at once.
type WaitPolicy struct {
	// NoWait fails with ErrLockNotAvailable at once.
	NoWait bool
	// SkipLocked fails with ErrLockSkipped at once; the caller leaves the row out.
	SkipLocked bool
	// Timeout fails with ErrLockNotAvailable when it has passed. Zero means none.
	Timeout time.Duration
	// Patience chooses among the requests of a deadlock: the one with the least fails, and of those with
	// equal patience the one that closed the cycle. Deadlocks are found at once, whatever it says.
	Patience time.Duration
}
