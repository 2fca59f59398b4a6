package pebblekv

import (
	"errors"
	"slices"
	"time"

	"holdfast/kv"
)

// simLock is how strong a lock the client has on a key: a kv.LockMode, or notHeld. They differ after a call for several
// keys that has failed at one of them.
type simLock struct{ least, most int }

const notHeld = -1

// simConflicts reports whether someone has to wait for the client's lock of a strength.
func simConflicts(strength int, m kv.LockMode) bool {
	return strength != notHeld && simConflict(kv.LockMode(strength), m)
}

func (c *simClient) forgetLocks() {
	for key := range c.locks {
		c.locks[key] = simLock{notHeld, notHeld}
	}
	c.askNothing()
}

// askNothing begins a new history of locks.
func (c *simClient) askNothing() {
	for key := range c.asked {
		c.asked[key] = simLock{notHeld, notHeld}
	}
}

// unlock gives up the locks taken since a savepoint, which has been gone back to.
func (c *simClient) unlock(n int) {
	c.Tracef("unlock to %d", n)
	c.count("unlock")
	for key, now := range c.asked {
		before, lock := c.marks[n].asked[key], &c.locks[key]
		if now.least > before.most { // it has been asked for in a stronger mode, or for the first time
			lock.most = before.most
		}
		if now.most > before.least { // it may have been
			lock.least = min(lock.least, before.least)
		}
		c.asked[key] = before
	}
	c.txn.UnlockTo(c.marks[n].mark)
}

// someKeys are one or two keys.
func (c *simClient) someKeys() []int {
	keys := []int{c.key()}
	if c.Choose(4) == 0 {
		keys = append(keys, c.key())
	}
	return keys
}

func (c *simClient) policy() kv.WaitPolicy {
	switch c.Choose(8) {
	case 0:
		return kv.WaitPolicy{NoWait: true}
	case 1:
		return kv.WaitPolicy{SkipLocked: true}
	case 2:
		return kv.WaitPolicy{Timeout: time.Second}
	}
	return kv.WaitPolicy{}
}

// lock takes locks of any mode, and refreshes if it must.
func (c *simClient) lock() error {
	locked, err := c.lockMode(c.someKeys(), kv.LockMode(c.Choose(4)), c.policy())
	if err == nil && !locked {
		c.Tracef("goes on without")
	}
	return err
}

// lockMode takes locks as a statement does: if something is stale, it retracts what it has read, refreshes, and starts
// over. It reports whether it has the locks.
func (c *simClient) lockMode(keys []int, mode kv.LockMode, policy kv.WaitPolicy) (bool, error) {
	c.mark()
	start := len(c.marks) - 1
	for {
		stale, err := c.lockOnce(keys, mode, policy)
		switch {
		case errors.Is(err, kv.ErrLockNotAvailable):
			c.count("lock not available")
			if !policy.NoWait && policy.Timeout == 0 {
				c.fail("%v", err)
			}
			return false, nil
		case errors.Is(err, kv.ErrLockSkipped):
			c.count("lock skipped")
			if !policy.SkipLocked {
				c.fail("%v", err)
			}
			return false, nil
		case errors.Is(err, kv.ErrStale):
			c.count("stale")
			c.retract(start)
			if err := c.refresh(); err != nil {
				return false, err
			}
			if at := c.txn.ReadVersion(); at < stale {
				c.fail("refreshed to version %d, but what is locked was written at %d", at, stale)
			}
			c.Point("again")
			continue
		case err != nil:
			return false, err
		}
		return true, nil
	}
}

// lockOnce calls Lock. If it is stale, it returns the version of the latest write.
func (c *simClient) lockOnce(keys []int, mode kv.LockMode, policy kv.WaitPolicy) (kv.Version, error) {
	var list [][]byte
	for _, key := range keys {
		list = append(list, simKeys[key])
	}
	c.locking, c.mode, c.arrival = keys, mode, 0
	c.Tracef("locks %v, %v, %+v", keys, mode, policy)
	err := c.txn.Lock(c.ctx(), list, mode, policy)
	c.Tracef("lock: %v", err)
	if c.locking != nil { // not granted
		for _, key := range keys[:len(keys)-1] {
			c.locks[key].most = max(c.locks[key].most, int(mode))
			c.asked[key].most = max(c.asked[key].most, int(mode))
		}
		c.locking, c.arrival = nil, 0
	}
	var deadlock *kv.DeadlockError
	if errors.As(err, &deadlock) {
		c.count("deadlock")
		c.checkDeadlock(deadlock)
	}
	if err != nil && !errors.Is(err, kv.ErrStale) {
		return 0, c.canceled(err)
	}
	latest := kv.Version(0)
	for _, key := range keys {
		latest = max(latest, c.model.written(key, mode.Protects(), c.txn.ReadVersion()))
	}
	switch {
	case err == nil && latest != 0:
		c.fail("locked %v at version %d, but it was written at %d", keys, c.txn.ReadVersion(), latest)
	case err != nil && latest == 0 && !c.coarse:
		c.fail("locked %v at version %d, and it was not written since, but it says %v", keys, c.txn.ReadVersion(), err)
	}
	return latest, err
}

// granted checks a lock at the moment it has been granted.
func (c *simClient) granted() {
	for _, other := range c.clients {
		if other == c || other.txn == nil || other.store != c.store {
			continue
		}
		for _, key := range c.locking {
			if h := other.locks[key].least; simConflicts(h, c.mode) && !other.released() {
				c.fail("client %d has %v of key %d, of which client %d has %v",
					c.number, c.mode, key, other.number, kv.LockMode(h))
			}
			if len(c.locking) == 1 && c.locks[key].most == notHeld && other.arrival != 0 && other.locking[0] == key &&
				(c.arrival == 0 || other.arrival < c.arrival) && simConflict(other.mode, c.mode) {
				c.fail("client %d has %v of key %d before client %d, which has waited for longer, for %v",
					c.number, c.mode, key, other.number, other.mode)
			}
		}
	}
	for _, key := range c.locking {
		c.locks[key].least = max(c.locks[key].least, int(c.mode))
		c.locks[key].most = max(c.locks[key].most, int(c.mode))
		c.asked[key].least = max(c.asked[key].least, int(c.mode))
		c.asked[key].most = max(c.asked[key].most, int(c.mode))
	}
	c.locking, c.arrival = nil, 0
}

// simConflict tells which modes conflict, as PostgreSQL's manual does.
func simConflict(a, b kv.LockMode) bool {
	if a > b {
		a, b = b, a
	}
	switch a {
	case kv.LockKeyShare:
		return b == kv.LockUpdate
	case kv.LockShare:
		return b >= kv.LockNoKeyUpdate
	}
	return true
}

// checkDeadlock checks that each of a cycle waits for the next one.
func (c *simClient) checkDeadlock(e *kv.DeadlockError) {
	for i, w := range e.Waits {
		next := e.Waits[(i+1)%len(e.Waits)]
		if w.Holder != next.Waiter || i == 0 && w.Waiter != uint64(c.number) {
			c.fail("no cycle: %v", e)
		}
		key := simKeyNumber(w.Key)
		waiter, holder := c.clients[w.Waiter-1], c.clients[w.Holder-1]
		if simConflicts(holder.locks[key].most, w.Mode) {
			continue
		}
		if first := &e.Waits[0]; holder == c && string(first.Key) == string(w.Key) {
			// It waits for the very request that is refused, which has gone before it.
			if !simConflict(first.Mode, w.Mode) || c.locks[key].most == notHeld {
				c.fail("%d does not wait for the request of %d: %v", w.Waiter, w.Holder, e)
			}
			continue
		}
		if len(holder.locking) > 1 || len(waiter.locking) > 1 {
			continue // at which key they are is not known
		}
		if holder.arrival == 0 || holder.locking[0] != key || !simConflict(holder.mode, w.Mode) ||
			waiter.locks[key].least != notHeld && holder.locks[key].most == notHeld ||
			waiter.arrival != 0 && waiter.arrival < holder.arrival && holder.locks[key].most == notHeld {
			c.fail("%d does not wait for %d: %v", w.Waiter, w.Holder, e)
		}
	}
}

// mustWait reports whether there may be a reason for the client's waiting for a lock.
func (c *simClient) mustWait() bool {
	key := c.locking[0]
	for _, other := range c.clients {
		if other == c || other.store != c.store {
			continue
		}
		if simConflicts(other.locks[key].most, c.mode) {
			return true
		}
		if slices.Contains(other.locking, key) && simConflict(other.mode, c.mode) {
			return true
		}
	}
	return false
}

// released reports whether the client's locks may be free: its commit has been refused for good, or its writes can be read by
// who refreshes.
func (c *simClient) released() bool {
	if !c.committing {
		return false
	}
	t := c.txn
	return c.own.empty() || t.err != nil && !kv.Restartable(t.err) || t.version != 0 && c.store.states.newest.version >= t.version
}
