package pebblekv

import (
	"sync"
	"time"

	"holdfast/kv"
)

// snapshot is one committed state, shared by all transactions that read it.
type snapshot struct {
	engine  engineSnapshot
	version kv.Version
	synced  chan struct{} // closed when the state is durable, or the store has failed

	since time.Time // it was made

	// Guarded by snapshots.mu.
	refs      int // transactions, and one each for being the published and the newest
	validated int // of the transactions, those that will be validated against commits after the snapshot
	next      *snapshot
	previous  *snapshot
}

// snapshots is the list of live snapshots, and of the transactions on them.
//
// The published one is what new transactions start from: the newest that is durable. The newest is the newest
// sequenced state, for refreshed and repeated transactions. Beginning a transaction is one count under one
// mutex: the engine sees one snapshot for each group of commits, not for each transaction.
type snapshots struct {
	mu        sync.Mutex
	first     *snapshot // the oldest
	last      *snapshot
	published *snapshot
	newest    *snapshot
	live      int

	txns   *txn // the first open one
	open   int
	closed bool // no transaction begins any more
	freed  bool // Close has freed all snapshots
}

// pick returns a snapshot to read.
func (l *snapshots) pick(newest bool) *snapshot {
	if newest {
		return l.newest
	}
	return l.published
}

// begin gives t its snapshot; it returns false if the store is closed.
func (l *snapshots) begin(t *txn, newest bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	t.snap = l.pick(newest)
	l.hold(t.snap, t)
	if t.next = l.txns; t.next != nil {
		t.next.previous = t
	}
	l.txns = t
	l.open++
	return true
}

// end takes t out.
func (l *snapshots) end(t *txn) {
	l.mu.Lock()
	if t.previous != nil {
		t.previous.next = t.next
	} else {
		l.txns = t.next
	}
	if t.next != nil {
		t.next.previous = t.previous
	}
	t.next, t.previous = nil, nil
	l.open--
	dead := l.release(t.snap, t)
	l.mu.Unlock()
	dead.free()
}

func (l *snapshots) hold(s *snapshot, t *txn) {
	s.refs++
	if !t.options.ReadOnly {
		s.validated++
	}
}

// release gives up the reference of t, or one that is not a transaction's if t is nil. It returns the snapshot if
// it is to be freed, nil if not.
func (l *snapshots) release(s *snapshot, t *txn) *snapshot {
	s.refs--
	if t != nil && !t.options.ReadOnly {
		s.validated--
	}
	if s.refs > 0 {
		return nil
	}
	if s.previous != nil {
		s.previous.next = s.next
	} else {
		l.first = s.next
	}
	if s.next != nil {
		s.next.previous = s.previous
	} else {
		l.last = s.previous
	}
	l.live--
	if l.freed {
		return nil
	}
	return s
}

// free closes the engine's snapshot. It is called without the mutex, because it takes Pebble's.
func (s *snapshot) free() {
	if s != nil {
		s.engine.close()
	}
}

// install makes s the newest state. It is kept until it has been published as well.
func (l *snapshots) install(s *snapshot) {
	s.since = time.Now()
	l.mu.Lock()
	s.refs += 2
	if s.previous = l.last; s.previous != nil {
		s.previous.next = s
	} else {
		l.first = s
	}
	l.last = s
	l.live++
	var dead *snapshot
	if l.newest != nil {
		dead = l.release(l.newest, nil)
	}
	l.newest = s
	l.mu.Unlock()
	dead.free()
}

// publish makes s, which has been installed, the state for new transactions.
func (l *snapshots) publish(s *snapshot) {
	l.mu.Lock()
	var dead *snapshot
	if l.published != nil {
		dead = l.release(l.published, nil)
	}
	l.published = s
	l.mu.Unlock()
	dead.free()
}

// holdNewest returns the newest snapshot with a reference for t.
func (l *snapshots) holdNewest(t *txn) *snapshot {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hold(l.newest, t)
	return l.newest
}

// newestEngine is the newest state, for the sequencer, which alone makes a newer one.
func (l *snapshots) newestEngine() engineSnapshot {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.newest.engine
}

// newestVersion is the version of the newest state.
func (l *snapshots) newestVersion() kv.Version {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.newest.version
}

// drop gives up a reference of t.
func (l *snapshots) drop(s *snapshot, t *txn) {
	l.mu.Lock()
	dead := l.release(s, t)
	l.mu.Unlock()
	dead.free()
}

// refuse lets no transaction begin any more, and returns false if that was so already.
func (l *snapshots) refuse() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	was := l.closed
	l.closed = true
	return !was
}

// busy reports whether a call of some transaction is using Pebble, or an iterator is open.
func (l *snapshots) busy() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for t := l.txns; t != nil; t = t.next {
		if t.active.Load() > 0 {
			return true
		}
	}
	return false
}

// abandon frees all snapshots at the end, and reports whether iterators are still open.
func (l *snapshots) abandon() (iterators bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for t := l.txns; t != nil; t = t.next {
		t.mu.Lock()
		t.abandoned = true
		iterators = iterators || t.iterators != nil
		t.mu.Unlock()
	}
	l.freed = true
	for s := l.first; s != nil; s = s.next {
		s.free()
	}
	return iterators
}

// horizon is the oldest version that a transaction may still be validated from.
func (l *snapshots) horizon() kv.Version {
	l.mu.Lock()
	defer l.mu.Unlock()
	for s := l.first; s != nil; s = s.next {
		if s.validated > 0 || s == l.published {
			return s.version
		}
	}
	return 0
}
