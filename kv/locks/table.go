// Package locks is a table of row locks: PostgreSQL's four modes, waiting in order of arrival, and detection of
// deadlocks.
package locks

import (
	"context"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/kv"
	"holdfast/kv/internal/turns"
)

// Table holds the row locks of a store.
//
// A request is granted when it conflicts with no other holder and with no request before it in the queue of its
// key. A request of someone who holds the key already, in a weaker mode, goes before the requests of those
// who do not, since they may be waiting for him.
//
// Invariants: a queue exists for a key only while it has several holders or someone waits; the key of a single
// holder is one entry of a map and no more, so that an uncontended lock costs a hash, a shard's mutex and no
// allocation. Keys stand in the table by a 64-bit hash with a random seed. Two keys of one hash share a lock,
// which is safe and, at a million locks, as likely as one in ten million; copying every locked key would cost
// an allocation each.
//
// Deadlocks are looked for at once when a request must wait, from it alone: only a new wait can close a cycle.
// Waits begin under one mutex (waits), so that of two that close a cycle together the second sees the first. The
// request that has to give way is the least patient of the cycle, which need not be the one that closed it.
// The wait-for graph is not kept but read from the queues, so that lock and release have nothing to maintain.
type Table struct {
	turns  turns.Scheduler
	seed   maphash.Seed
	shards [shards]shard
	waits  sync.Mutex // held while a wait begins and the graph is searched; taken before a shard's mutex

	waiting   atomic.Int64 // requests in Table.wait
	waited    atomic.Uint64
	deadlocks atomic.Uint64
}

const shards = 64

type shard struct {
	mu   sync.Mutex
	keys map[uint64]slot
	_    [40]byte // one cache line for each
}

// slot is the lock of one key: a single holder, or a queue.
type slot struct {
	holding
	queue *queue // if not nil, holding is unused
}

type queue struct {
	holders []holding
	waiters []*request
}

type request struct {
	owner *Owner
	key   []byte
	hash  uint64
	mode  kv.LockMode
	since time.Time
	// patience is WaitPolicy.Patience.
	patience time.Duration
	holder   uint64 // ID of someone it waited for at first
	queued   bool   // who had not got the lock either

	granted bool  // guarded by the shard's mutex, like what follows
	got     taken // by the grant
	left    bool  // it has given up, or was made to
	refused error // why it was made to
}

// Owner is a transaction as a holder of locks. Only one goroutine may use it at a time. It must not be copied.
type Owner struct {
	ID       uint64         // kv.TxnOptions.Owner
	Observer kv.TxnObserver // of the owner's transaction; may be nil
	locks    int            // keys it has locked
	held     []uint64       // those that the present run has asked for, in the order of asking
	inline   [4]uint64
	raised   []raise
	earlier  []uint64 // sorted; those that earlier runs had locked, which may be among held or given up by now
	run      uint32
	waiting  atomic.Pointer[request]
	ready    chan struct{} // receives one value for a grant after waiting
}

// Held is the number of keys the owner has locked.
func (o *Owner) Held() int { return o.locks }

// New returns an empty table. The scheduler is a simulation's, nil elsewhere.
func New(s turns.Scheduler) *Table {
	t := &Table{turns: s, seed: maphash.MakeSeed()}
	for i := range t.shards {
		t.shards[i].keys = make(map[uint64]slot)
	}
	return t
}

// conflict tells whether two modes conflict. What a mode conflicts with grows with the mode, so that the strongest mode
// of an owner stands for all his modes of a key.
func conflict(a, b kv.LockMode) bool { return a.Conflicts(b) }

func (t *Table) hash(key []byte) uint64 { return maphash.Bytes(t.seed, key) }

func (t *Table) shard(hash uint64) *shard { return &t.shards[hash%shards] }

// Acquire locks one key for o until Release. stop ends waiting with ErrUnavailable. See kv.Txn.Lock for the
// other errors.
func (t *Table) Acquire(ctx context.Context, stop <-chan struct{}, o *Owner, key []byte, m kv.LockMode,
	w kv.WaitPolicy) error {
	hash := t.hash(key)
	s := t.shard(hash)
	s.mu.Lock()
	if s.try(o, hash, m) {
		s.mu.Unlock()
		return nil
	}
	s.mu.Unlock()
	switch {
	case w.NoWait:
		return &kv.LockError{Key: key, Err: kv.ErrLockNotAvailable}
	case w.SkipLocked:
		return kv.ErrLockSkipped
	}
	turns.Point(t.turns, "lock refused")
	if o.ready == nil {
		o.ready = make(chan struct{}, 1)
	}
	r := &request{owner: o, key: key, hash: hash, mode: m, since: time.Now(), patience: w.Patience}
	if granted, err := t.enqueue(s, r); granted || err != nil {
		return err
	}
	if o.Observer == nil {
		return t.wait(ctx, stop, s, r, w.Timeout)
	}
	waiting := kv.LockWait{Waiter: o.ID, Holder: r.holder, Key: key, Mode: m, Queued: r.queued}
	o.Observer.LockWaits(waiting)
	err := t.wait(ctx, stop, s, r, w.Timeout)
	o.Observer.LockWaited(waiting, time.Since(r.since), err)
	return err
}

// try grants the lock if it can be had at once. s.mu is held.
func (s *shard) try(o *Owner, hash uint64, m kv.LockMode) bool {
	l, ok := s.keys[hash]
	switch {
	case !ok:
		h, got := o.take(m)
		s.keys[hash] = slot{holding: h}
		o.note(hash, got)
		return true
	case l.queue != nil:
		return l.queue.try(o, hash, m)
	case l.owner == o:
		if m > l.asked || l.run != o.run {
			o.note(hash, l.raise(m))
			s.keys[hash] = l
		}
		return true
	case !conflict(l.mode, m):
		h, got := o.take(m)
		s.keys[hash] = slot{queue: &queue{holders: []holding{l.holding, h}}}
		o.note(hash, got)
		return true
	}
	return false
}

// Contended reports whether someone else has a lock on a key that conflicts with a mode, or waits for one.
func (t *Table) Contended(o *Owner, key []byte, m kv.LockMode) bool {
	hash := t.hash(key)
	s := t.shard(hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	l, ok := s.keys[hash]
	switch {
	case !ok:
		return false
	case l.queue != nil:
		return len(l.queue.waiters) > 0 || !l.queue.free(o, m, 0)
	}
	return l.owner != o && conflict(l.mode, m)
}

func (q *queue) holds(o *Owner) int {
	return slices.IndexFunc(q.holders, func(h holding) bool { return h.owner == o })
}

// free reports whether a request conflicts with no holder and with none of the first n waiters.
func (q *queue) free(o *Owner, m kv.LockMode, n int) bool {
	for _, h := range q.holders {
		if h.owner != o && conflict(h.mode, m) {
			return false
		}
	}
	for _, w := range q.waiters[:n] {
		if conflict(w.mode, m) {
			return false
		}
	}
	return true
}

func (q *queue) try(o *Owner, hash uint64, m kv.LockMode) bool {
	if i := q.holds(o); i >= 0 {
		if m > q.holders[i].mode && !q.free(o, m, q.place(o)) {
			return false
		}
		o.note(hash, q.holders[i].raise(m))
		return true
	}
	if !q.free(o, m, len(q.waiters)) {
		return false
	}
	h, got := o.take(m)
	q.holders = append(q.holders, h)
	o.note(hash, got)
	return true
}

// place is where a request of o goes in the queue.
func (q *queue) place(o *Owner) int {
	if q.holds(o) < 0 {
		return len(q.waiters)
	}
	n := 0
	for n < len(q.waiters) && q.holds(q.waiters[n].owner) >= 0 {
		n++
	}
	return n
}

// enqueue puts a request into the queue of its key, unless it can be granted by now or would wait for itself.
func (t *Table) enqueue(s *shard, r *request) (granted bool, err error) {
	t.waits.Lock()
	defer t.waits.Unlock()
	s.mu.Lock()
	if s.try(r.owner, r.hash, r.mode) {
		s.mu.Unlock()
		return true, nil
	}
	l := s.keys[r.hash]
	q := l.queue
	if q == nil {
		q = &queue{holders: []holding{l.holding}}
		s.keys[r.hash] = slot{queue: q}
	}
	at := q.place(r.owner)
	r.holder, r.queued = q.blocker(r.owner, r.mode, at)
	q.waiters = slices.Insert(q.waiters, at, r)
	s.mu.Unlock()

	r.owner.waiting.Store(r)
	// Who has no locks is waited for by none: he is the last in the queue.
	for r.owner.locks > 0 {
		edges := t.cycle(r)
		if edges == nil {
			break
		}
		victim := chooseVictim(edges)
		refused := &kv.DeadlockError{Waits: waitsFrom(edges, victim)}
		if edges[victim].from != r {
			if t.refuse(edges[victim].from, refused) {
				t.deadlocks.Add(1)
			}
			continue // r may stand in another cycle
		}
		if t.leave(s, r) {
			return true, nil
		}
		t.deadlocks.Add(1)
		return false, refused
	}
	return false, nil
}

// blocker is someone a request waits for that is to stand at a place in the queue: a holder if there is one, or else
// the last request before it.
func (q *queue) blocker(o *Owner, m kv.LockMode, at int) (id uint64, queued bool) {
	for i := at - 1; i >= 0; i-- {
		if w := q.waiters[i]; conflict(w.mode, m) {
			id, queued = w.owner.ID, true
			break
		}
	}
	for _, h := range q.holders {
		if h.owner != o && conflict(h.mode, m) {
			return h.owner.ID, false
		}
	}
	return id, queued
}

// refuse makes a waiting request fail. It reports false if that has ended its waiting meanwhile.
func (t *Table) refuse(r *request, err error) bool {
	s := t.shard(r.hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.granted || r.left {
		return false
	}
	s.remove(r)
	r.refused = err
	r.owner.waiting.Store(nil)
	r.owner.ready <- struct{}{}
	return true
}

// wait waits for the grant of a request. A grant that comes together with a reason to give up wins.
func (t *Table) wait(ctx context.Context, stop <-chan struct{}, s *shard, r *request, timeout time.Duration) error {
	t.waited.Add(1)
	t.waiting.Add(1)
	defer t.waiting.Add(-1)
	var expired <-chan struct{}
	if timeout > 0 {
		var stopTimer func()
		expired, stopTimer = turns.Timer(t.turns, timeout)
		defer stopTimer()
	}
	var reason error
	switch turns.Select(t.turns, r.owner.ready, ctx.Done(), expired, stop) {
	case 0:
		if r.refused != nil {
			return r.refused
		}
		r.noteGrant()
		r.owner.waiting.Store(nil)
		return nil
	case 1:
		reason = &kv.LockError{Key: r.key, Err: ctx.Err()}
	case 2:
		reason = &kv.LockError{Key: r.key, Err: kv.ErrLockNotAvailable}
	case 3:
		reason = fmt.Errorf("%w: closed", kv.ErrUnavailable)
	}
	if t.leave(s, r) {
		return nil
	}
	if r.refused != nil {
		return r.refused
	}
	return reason
}

// noteGrant notes a lock granted after waiting.
func (r *request) noteGrant() { r.owner.note(r.hash, r.got) }

// leave takes a request out of the queue. It reports true if it has been granted meanwhile. If it was refused
// meanwhile, it has left already.
func (t *Table) leave(s *shard, r *request) (granted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer r.owner.waiting.Store(nil)
	if r.granted {
		<-r.owner.ready
		r.noteGrant()
		return true
	}
	if r.left {
		<-r.owner.ready
		return false
	}
	s.remove(r)
	return false
}

// remove takes a waiting request out of the queue of its key. s.mu is held.
func (s *shard) remove(r *request) {
	r.left = true
	q := s.keys[r.hash].queue
	i := slices.Index(q.waiters, r)
	q.waiters = slices.Delete(q.waiters, i, i+1)
	s.settle(r.hash, q)
}

// settle grants what can be granted and shrinks the queue to what is needed. s.mu is held.
func (s *shard) settle(hash uint64, q *queue) {
	for i := 0; i < len(q.waiters); {
		w := q.waiters[i]
		if !q.free(w.owner, w.mode, i) {
			i++
			continue
		}
		q.waiters = slices.Delete(q.waiters, i, i+1)
		if h := q.holds(w.owner); h >= 0 {
			w.got = q.holders[h].raise(w.mode)
		} else {
			var h holding
			h, w.got = w.owner.take(w.mode)
			q.holders = append(q.holders, h)
		}
		w.granted = true
		w.owner.ready <- struct{}{}
	}
	if len(q.waiters) > 0 {
		return
	}
	switch len(q.holders) {
	case 0:
		delete(s.keys, hash)
	case 1:
		s.keys[hash] = slot{holding: q.holders[0]}
	}
}

// Release gives up all locks of o, which may be another goroutine's work than its locking, after it.
func (t *Table) Release(o *Owner) {
	for _, hash := range o.held {
		t.release(o, hash)
	}
	for _, hash := range o.earlier {
		t.release(o, hash)
	}
	o.held, o.raised, o.earlier, o.locks = o.held[:0], nil, nil, 0
}

// release gives up one lock, if o still has it.
func (t *Table) release(o *Owner, hash uint64) {
	s := t.shard(hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.keys[hash]
	if q := l.queue; q != nil {
		if i := q.holds(o); i >= 0 {
			q.holders = slices.Delete(q.holders, i, i+1)
			s.settle(hash, q)
		}
	} else if l.owner == o {
		delete(s.keys, hash)
	}
}
