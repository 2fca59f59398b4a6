package memkv

import (
	"context"
	"slices"
	"time"

	"holdfast/kv"
)

// lockQueue is the state of one locked key: who holds it, and who waits in which order.
type lockQueue struct {
	holders map[*txn]kv.LockMode // the strongest mode each transaction has
	waiters []*waiter
}

// waiter is one waiting request.
type waiter struct {
	txn     *txn
	key     string
	mode    kv.LockMode
	granted chan struct{} // closed with the grant, or the refusal
	// patience is kv.WaitPolicy.Patience.
	patience time.Duration
	refused  error // set if it gave way in a deadlock
}

// conflicts is PostgreSQL's table of row-level locks. What a stronger mode conflicts with includes what a
// weaker one does, so that the strongest mode a transaction has stands for all.
func conflicts(a, b kv.LockMode) bool {
	table := [4][4]bool{
		kv.LockKeyShare:    {kv.LockUpdate: true},
		kv.LockShare:       {kv.LockNoKeyUpdate: true, kv.LockUpdate: true},
		kv.LockNoKeyUpdate: {kv.LockShare: true, kv.LockNoKeyUpdate: true, kv.LockUpdate: true},
		kv.LockUpdate:      {kv.LockKeyShare: true, kv.LockShare: true, kv.LockNoKeyUpdate: true, kv.LockUpdate: true},
	}
	return table[a][b]
}

// Lock implements kv.Txn. Locks taken before a failing one stay held.
func (t *txn) Lock(ctx context.Context, keys [][]byte, m kv.LockMode, w kv.WaitPolicy) error {
	for _, key := range keys {
		if err := t.lock(ctx, string(key), m, w); err != nil {
			return err
		}
	}
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	for _, key := range keys {
		if t.stale(string(key), m.Protects()) {
			return &kv.StaleError{Key: key}
		}
	}
	return nil
}

func (t *txn) lock(ctx context.Context, key string, m kv.LockMode, policy kv.WaitPolicy) error {
	s := t.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := t.usable(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if t.options.ReadOnly {
		return kv.ErrReadOnly
	}
	q := s.locks[key]
	if q == nil {
		q = &lockQueue{holders: map[*txn]kv.LockMode{}}
		s.locks[key] = q
	}
	held, upgrade := q.holders[t]
	if upgrade && held >= m {
		t.ask(key, m)
		return nil
	}
	w := &waiter{txn: t, key: key, mode: m, granted: make(chan struct{}), patience: policy.Patience}
	// Whoever has a lock already goes before those that have none, which may be waiting for that lock.
	at := len(q.waiters)
	if upgrade {
		at = slices.IndexFunc(q.waiters, func(o *waiter) bool { _, has := q.holders[o.txn]; return !has })
		if at < 0 {
			at = len(q.waiters)
		}
	}
	q.waiters = slices.Insert(q.waiters, at, w)
	t.waiting = w
	s.grant(key)

	var refusal error
	select {
	case <-w.granted:
	default:
		switch {
		case policy.NoWait:
			refusal = kv.ErrLockNotAvailable
		case policy.SkipLocked:
			refusal = kv.ErrLockSkipped
		default:
			for refusal == nil && t.waiting == w {
				cycle := deadlock(t)
				if cycle == nil {
					break
				}
				if victim := leastPatient(cycle); victim == w {
					refusal = kv.ErrDeadlock
				} else {
					victim.refused = kv.ErrDeadlock
					victim.txn.waiting = nil
					close(victim.granted)
					s.drop(victim)
				}
			}
			if refusal == nil {
				refusal = t.await(ctx, w, policy.Timeout)
			}
		}
	}
	if refusal == nil {
		t.ask(key, m)
		return nil
	}
	if w.refused == nil {
		t.waiting = nil
		s.drop(w)
	}
	return refusal
}

// drop takes a waiting request out of its queue.
func (s *Store) drop(w *waiter) {
	q := s.locks[w.key]
	q.waiters = slices.DeleteFunc(q.waiters, func(o *waiter) bool { return o == w })
	s.grant(w.key)
}

// await waits for the grant of w, without mu meanwhile. A grant that has come together with a reason to give
// up wins.
func (t *txn) await(ctx context.Context, w *waiter, timeout time.Duration) error {
	var expired <-chan time.Time
	if timeout > 0 {
		timer := time.NewTimer(timeout)
		defer timer.Stop()
		expired = timer.C
	}
	var refusal error
	if t.guarded {
		t.store.letGo() // a commit that gives way to t may have the lock
	}
	var waiting kv.LockWait
	if o := t.options.Observer; o != nil {
		waiting = kv.LockWait{Waiter: t.options.Owner, Key: []byte(w.key), Mode: w.mode}
		if b := t.store.blockers(w); len(b) > 0 {
			waiting.Holder = b[0].options.Owner
		}
		start := time.Now()
		defer func() { o.LockWaited(waiting, time.Since(start), refusal) }()
	}
	t.store.mu.Unlock()
	if o := t.options.Observer; o != nil {
		o.LockWaits(waiting)
	}
	select {
	case <-w.granted:
	case <-ctx.Done():
		refusal = ctx.Err()
	case <-expired:
		refusal = kv.ErrLockNotAvailable
	case <-t.store.down:
		refusal = unavailable()
	}
	t.store.mu.Lock()
	if t.waiting != w {
		refusal = w.refused
	}
	return refusal
}

// blockers lists the transactions that w waits for: conflicting holders, and conflicting requests before it.
func (s *Store) blockers(w *waiter) []*txn {
	q := s.locks[w.key]
	var out []*txn
	for holder, mode := range q.holders {
		if holder != w.txn && conflicts(mode, w.mode) {
			out = append(out, holder)
		}
	}
	for _, earlier := range q.waiters {
		if earlier == w {
			break
		}
		if conflicts(earlier.mode, w.mode) {
			out = append(out, earlier.txn)
		}
	}
	return out
}

// grant serves the queue of key: every request that nothing before it blocks gets its lock.
func (s *Store) grant(key string) {
	q := s.locks[key]
	for i := 0; i < len(q.waiters); {
		w := q.waiters[i]
		if len(s.blockers(w)) > 0 {
			i++
			continue
		}
		q.waiters = slices.Delete(q.waiters, i, i+1)
		if _, has := q.holders[w.txn]; !has {
			w.txn.held = append(w.txn.held, key)
		}
		q.holders[w.txn] = w.mode
		w.txn.waiting = nil
		close(w.granted)
	}
	if len(q.holders) == 0 && len(q.waiters) == 0 {
		delete(s.locks, key)
	}
}

// unlockAll releases every lock of t.
func (t *txn) unlockAll() {
	for _, key := range t.held {
		delete(t.store.locks[key].holders, t)
		t.store.grant(key)
	}
	t.held = nil
}

// asking is a lock that a transaction has asked for, and got.
type asking struct {
	key  string
	mode kv.LockMode
}

// ask notes a lock that the transaction has asked for since Begin or Restart.
func (t *txn) ask(key string, m kv.LockMode) { t.asked = append(t.asked, asking{key, m}) }

// UnlockTo implements kv.Txn.
func (t *txn) UnlockTo(m kv.Mark) {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	if t.ended {
		return
	}
	before := map[string]kv.LockMode{}
	for _, a := range t.asked[:m.(mark).asked] {
		before[a.key] = max(before[a.key], a.mode)
	}
	for _, a := range t.asked[m.(mark).asked:] {
		holders := t.store.locks[a.key].holders
		old, had := before[a.key]
		switch {
		case had && old < a.mode:
			holders[t] = old
		case !had:
			delete(holders, t)
			t.held = slices.DeleteFunc(t.held, func(key string) bool { return key == a.key })
		}
	}
	for _, a := range t.asked[m.(mark).asked:] {
		if t.store.locks[a.key] != nil {
			t.store.grant(a.key)
		}
	}
	t.asked = t.asked[:m.(mark).asked]
}

// deadlock is the cycle of requests over which t waits for itself, its own first; nil if there is none. Only a new
// request can close a cycle, so looking once, from it, is enough.
func deadlock(t *txn) []*waiter {
	seen := map[*txn]bool{}
	var reach func(from *txn) []*waiter
	reach = func(from *txn) []*waiter {
		if from.waiting == nil || seen[from] {
			return nil
		}
		seen[from] = true
		for _, b := range t.store.blockers(from.waiting) {
			if b == t {
				return []*waiter{from.waiting}
			}
			if rest := reach(b); rest != nil {
				return append([]*waiter{from.waiting}, rest...)
			}
		}
		return nil
	}
	return reach(t)
}

// leastPatient is the request of a cycle that gives way: the first of several.
func leastPatient(cycle []*waiter) *waiter {
	least := cycle[0]
	for _, w := range cycle {
		if w.patience < least.patience {
			least = w
		}
	}
	return least
}
