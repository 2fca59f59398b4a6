package kv

import "time"

// TxnObserver hears of what happens to one transaction.
type TxnObserver interface {
	// LockWaits is called before the transaction waits for a lock, by the goroutine that waits, and only if it
	// really waits: a lock that is free costs nothing. w.Holder is one of those that are waited for.
	LockWaits(w LockWait)
	// LockWaited is called after the wait. err is nil if the lock was granted.
	LockWaited(w LockWait, waited time.Duration, err error)
	// Sequenced is called when the commit has got its place, before anybody can be refused on account of it. The
	// transaction may still fail to become durable. It must return at once: everybody waits for it.
	Sequenced(v Version)
}

// Observer is a Store that shows what goes on inside. The answers are for people and monitoring: they are of one
// moment, or of several close to each other.
type Observer interface {
	// LockQueues are the keys that somebody waits for.
	LockQueues() []LockQueue
	// Figures are counts and sizes, in an order that is always the same.
	Figures() []Figure
}

// LockQueue is a key that somebody waits for.
type LockQueue struct {
	Key     []byte
	Holders []LockHolder
	Waiters []LockRequest // first come, first served
}

// LockHolder is a transaction that has a lock.
type LockHolder struct {
	Owner uint64 // TxnOptions.Owner
	Mode  LockMode
}

// LockRequest is a transaction that waits for a lock.
type LockRequest struct {
	Owner uint64 // TxnOptions.Owner
	Mode  LockMode
	Since time.Time
}

// Blockers are the positions of those that waiter i waits for: in Holders, and in Waiters those before it. A
// transaction does not wait for itself.
func (q *LockQueue) Blockers(i int) (holders, waiters []int) {
	w := q.Waiters[i]
	for j, h := range q.Holders {
		if h.Owner != w.Owner && w.Mode.Conflicts(h.Mode) {
			holders = append(holders, j)
		}
	}
	for j, earlier := range q.Waiters[:i] {
		if earlier.Owner != w.Owner && w.Mode.Conflicts(earlier.Mode) {
			waiters = append(waiters, j)
		}
	}
	return holders, waiters
}

// Conflicts reports whether two transactions cannot hold locks of these modes on one key.
func (m LockMode) Conflicts(other LockMode) bool { return conflicting[m]>>other&1 != 0 }

// conflicting[m] is the set of modes that conflict with m, a bit for each.
var conflicting = [...]uint8{
	LockKeyShare:    1 << LockUpdate,
	LockShare:       1<<LockNoKeyUpdate | 1<<LockUpdate,
	LockNoKeyUpdate: 1<<LockShare | 1<<LockNoKeyUpdate | 1<<LockUpdate,
	LockUpdate:      1<<LockKeyShare | 1<<LockShare | 1<<LockNoKeyUpdate | 1<<LockUpdate,
}

// Figure is one count or size of a store.
type Figure struct {
	Name  string // in snake_case
	Value int64
	// Unit is "bytes", "seconds", or "" for a count.
	Unit string
	// Since tells a count since the store was opened from a value at present.
	Since   bool
	Meaning string // one sentence
}
