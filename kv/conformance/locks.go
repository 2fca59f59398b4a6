package conformance

import (
	"context"
	"fmt"
	"time"

	"holdfast/kv"
)

// lockScenarios: who waits for whom, and in which order.
var lockScenarios = []scenario{
	{"lock/modes", lockModes},
	{"lock/own locks", ownLocks},
	{"lock/keys", lockedKeys},
	{"lock/until the end", lockedUntilTheEnd},
	{"lock/no footprint", lockIsNoRead},
	{"lock/first come, first served", firstComeFirstServed},
	{"lock/no overtaking", noOvertaking},
	{"lock/grants together", grantsTogether},
	{"lock/stronger goes first", strongerGoesFirst},
	{"lock/deadlock of two", deadlockOfTwo},
	{"lock/deadlock of three", deadlockOfThree},
	{"lock/deadlock and patience", deadlockAndPatience},
	{"lock/observed waits", observedWaits},
	{"lock/deadlock by strengthening", deadlockByStrengthening},
	{"lock/deadlock over the queue", deadlockOverTheQueue},
	{"lock/deadlock behind a stronger lock", deadlockBehindStronger},
	{"lock/deadlock in one of many keys", deadlockAmongKeys},
	{"lock/no false deadlock", noFalseDeadlock},
	{"lock/timeout", lockTimeout},
	{"lock/cancel", lockCancel},
	{"lock/leaving the queue", leavingTheQueue},
	{"lock/failure keeps earlier locks", failureKeepsLocks},
	{"lock/read-only", lockReadOnly},
	{"lock/unlock to a mark", unlockTo},
	{"lock/unlock, waiters go on", unlockWaiters},
	{"lock/unlock after a restart", unlockRestarted},
	{"lock/released at sequencing", releasedAtSequencing},
	{"lock/many deadlocks", manyDeadlocks},
	{"lock/many locks", manyLocks},
}

var modes = []kv.LockMode{kv.LockKeyShare, kv.LockShare, kv.LockNoKeyUpdate, kv.LockUpdate}

// lockConflicts is PostgreSQL's table of conflicting row-level locks.
var lockConflicts = [4][4]bool{
	// asked for:         KeyShare Share NoKeyUpdate Update
	kv.LockKeyShare:    {false, false, false, true},
	kv.LockShare:       {false, false, true, true},
	kv.LockNoKeyUpdate: {false, true, true, true},
	kv.LockUpdate:      {true, true, true, true},
}

func lockModes(e *env) {
	for _, held := range modes {
		for _, asked := range modes {
			x, y := e.begin(), e.begin()
			x.lock(held, "a")
			noWait := y.lockError(asked, kv.WaitPolicy{NoWait: true}, "a")
			skip := y.lockError(asked, kv.WaitPolicy{SkipLocked: true}, "a")
			what := fmt.Sprintf("mode %d under mode %d", asked, held)
			if lockConflicts[held][asked] {
				e.fails(what, noWait, kv.ErrLockNotAvailable)
				e.fails(what, skip, kv.ErrLockSkipped)
				waiting := y.locking(asked, "a", kv.WaitPolicy{}, 0)
				x.Rollback()
				e.awaitNil(what, waiting)
			} else if noWait != nil || skip != nil {
				e.Errorf("%s: %v, %v", what, noWait, skip)
			}
			x.Rollback()
			y.Rollback()
		}
	}
}

// settle waits until no request waits for key.
func (e *env) settle(key string) {
	e.Helper()
	if e.Waiters == nil {
		time.Sleep(20 * time.Millisecond)
		return
	}
	for e.Waiters([]byte(key)) > 0 {
		if e.ctx.Err() != nil {
			e.Fatalf("requests wait for %s forever", key)
		}
		time.Sleep(50 * time.Microsecond)
	}
}

// free expects that nobody stands against the strongest lock of key.
func (e *env) free(key string) {
	e.Helper()
	x := e.begin()
	if err := x.lockError(kv.LockUpdate, kv.WaitPolicy{NoWait: true}, key); err != nil {
		e.Errorf("lock of %s: %v, where it should be free", key, err)
	}
	x.Rollback()
}

// taken expects that asking for key in mode m is refused.
func (e *env) taken(m kv.LockMode, key string) {
	e.Helper()
	x := e.begin()
	e.fails("lock of "+key, x.lockError(m, kv.WaitPolicy{NoWait: true}, key), kv.ErrLockNotAvailable)
	x.Rollback()
}

func ownLocks(e *env) {
	for _, first := range modes {
		for _, second := range modes {
			x := e.begin()
			x.lock(first, "a")
			x.lock(second, "a", "a")
			strongest := max(first, second)
			for _, asked := range modes {
				y := e.begin()
				err := y.lockError(asked, kv.WaitPolicy{NoWait: true}, "a")
				if lockConflicts[strongest][asked] != (err != nil) {
					e.Errorf("mode %d under own %d and %d: %v", asked, first, second, err)
				}
				y.Rollback()
			}
			x.Rollback()
		}
	}
	e.free("a")
}

func lockedKeys(e *env) {
	e.put("a=1")
	x := e.begin()
	x.lock(kv.LockUpdate, "a", "absent", "a\x00", "\xff")
	for _, k := range []string{"a", "absent", "a\x00", "\xff"} {
		e.taken(kv.LockKeyShare, k)
	}
	for _, k := range []string{"b", "a\x00\x00", "absen", "\xff\xff"} {
		e.free(k)
	}
	if err := x.Lock(x.ctx, nil, kv.LockUpdate, kv.WaitPolicy{}); err != nil {
		e.Error(err)
	}
}

func unlockTo(e *env) {
	x := e.begin()
	x.lock(kv.LockUpdate, "before")
	x.lock(kv.LockShare, "stronger")
	outer := x.Savepoint()
	x.lock(kv.LockUpdate, "outer", "before")
	x.lock(kv.LockNoKeyUpdate, "stronger")
	inner := x.Savepoint()
	x.lock(kv.LockUpdate, "inner", "stronger", "outer")
	x.RollbackTo(inner)
	for _, key := range []string{"inner", "stronger", "outer"} {
		e.taken(kv.LockUpdate, key)
	}
	x.UnlockTo(inner)
	e.free("inner")
	e.taken(kv.LockKeyShare, "outer")
	e.taken(kv.LockShare, "stronger")
	y := e.begin()
	y.lock(kv.LockKeyShare, "stronger")
	x.UnlockTo(inner) // again: there is nothing to give up
	x.lock(kv.LockUpdate, "inner")
	x.UnlockTo(outer)
	y.lock(kv.LockShare, "stronger")
	y.Rollback()
	e.free("inner")
	e.free("outer")
	e.taken(kv.LockNoKeyUpdate, "stronger")
	e.taken(kv.LockKeyShare, "before")
	x.Rollback()
	e.free("before")
	e.free("stronger")
}

// unlockWaiters has a request that waits get the lock by UnlockTo, once by its release and once by its weakening.
func unlockWaiters(e *env) {
	x, y := e.begin(), e.begin()
	x.lock(kv.LockKeyShare, "weaker")
	m := x.Savepoint()
	x.lock(kv.LockUpdate, "released", "weaker")
	released := y.locking(kv.LockUpdate, "released", kv.WaitPolicy{}, 0)
	x.UnlockTo(m)
	e.awaitNil("release", released)
	x.lock(kv.LockUpdate, "weaker")
	weaker := y.locking(kv.LockNoKeyUpdate, "weaker", kv.WaitPolicy{}, 0)
	x.UnlockTo(m)
	e.awaitNil("weakening", weaker)
	e.taken(kv.LockUpdate, "weaker")
	y.Rollback()
	x.Rollback()
	e.free("weaker")
}

// unlockRestarted: a lock of before a restart is as if it were taken when it is asked for again.
func unlockRestarted(e *env) {
	x := e.begin()
	x.lock(kv.LockUpdate, "a", "b", "c")
	x.restarts(false)
	x.lock(kv.LockUpdate, "a")
	m := x.Savepoint()
	x.lock(kv.LockNoKeyUpdate, "b")
	x.lock(kv.LockUpdate, "b", "a", "d")
	x.UnlockTo(m)
	e.taken(kv.LockKeyShare, "a")
	e.free("b")
	e.taken(kv.LockKeyShare, "c")
	e.free("d")
	x.restarts(false)
	m = x.Savepoint()
	x.lock(kv.LockKeyShare, "a", "b")
	x.UnlockTo(m)
	e.free("a")
	e.free("b")
	e.taken(kv.LockKeyShare, "c")
	x.Rollback()
	e.free("c")
}

func lockedUntilTheEnd(e *env) {
	e.put("r=1")
	end := map[string]func(x *tx){
		"commit":          func(x *tx) { x.set("z", "1"); x.commits() },
		"rollback":        func(x *tx) { x.Rollback() },
		"nothing written": func(x *tx) { x.commits() },
		"conflict":        func(x *tx) { x.read("r"); x.set("z", "1"); e.put("r=2"); x.conflicts() },
	}
	for _, f := range end {
		x := e.begin()
		mark := x.Savepoint()
		x.lock(kv.LockUpdate, "a")
		x.RollbackTo(mark)
		e.taken(kv.LockKeyShare, "a")
		x.Retract(mark)
		e.taken(kv.LockKeyShare, "a")
		x.refreshes()
		e.taken(kv.LockKeyShare, "a")
		f(x)
		e.free("a")
	}
}

func lockIsNoRead(e *env) {
	e.exact()
	e.put("a=1")
	x := e.begin()
	x.lock(kv.LockUpdate, "a")
	x.set("b", "1")
	e.put("a=2")
	x.commits()
}

func firstComeFirstServed(e *env) {
	x := e.begin()
	x.lock(kv.LockUpdate, "a")
	var queue []<-chan error
	var waiters []*tx
	for i := range 6 {
		y := e.begin()
		queue = append(queue, y.locking(kv.LockNoKeyUpdate, "a", kv.WaitPolicy{}, i))
		waiters = append(waiters, y)
	}
	x.Rollback()
	for i := range queue {
		e.awaitNil(fmt.Sprintf("waiter %d", i), queue[i])
		for j := i + 1; j < len(queue); j++ {
			select {
			case err := <-queue[j]:
				e.Fatalf("waiter %d is served (%v) before waiter %d is done", j, err, i)
			default:
			}
		}
		waiters[i].Rollback()
	}
	e.free("a")
}

// noOvertaking: a request waits for earlier ones it conflicts with, even if no holder is in its way.
func noOvertaking(e *env) {
	x, y, z := e.begin(), e.begin(), e.begin()
	x.lock(kv.LockKeyShare, "a")
	first := y.locking(kv.LockUpdate, "a", kv.WaitPolicy{}, 0)
	e.taken(kv.LockKeyShare, "a")
	second := z.locking(kv.LockKeyShare, "a", kv.WaitPolicy{}, 1)
	x.Rollback()
	e.awaitNil("first", first)
	y.Rollback()
	e.awaitNil("second", second)
	z.Rollback()

	// It does not wait for those it has nothing against.
	x, y, z = e.begin(), e.begin(), e.begin()
	x.lock(kv.LockNoKeyUpdate, "a")
	first = y.locking(kv.LockNoKeyUpdate, "a", kv.WaitPolicy{}, 0)
	if err := z.lockError(kv.LockKeyShare, kv.WaitPolicy{NoWait: true}, "a"); err != nil {
		e.Errorf("FOR KEY SHARE beside updates of other columns: %v", err)
	}
	x.Rollback()
	e.awaitNil("first", first)
}

func grantsTogether(e *env) {
	x := e.begin()
	x.lock(kv.LockUpdate, "a")
	s1, s2, u, s3 := e.begin(), e.begin(), e.begin(), e.begin()
	first := s1.locking(kv.LockShare, "a", kv.WaitPolicy{}, 0)
	second := s2.locking(kv.LockShare, "a", kv.WaitPolicy{}, 1)
	third := u.locking(kv.LockNoKeyUpdate, "a", kv.WaitPolicy{}, 2)
	fourth := s3.locking(kv.LockShare, "a", kv.WaitPolicy{}, 3)
	x.Rollback()
	e.awaitNil("first share", first)
	e.awaitNil("second share", second)
	s1.Rollback()
	select {
	case <-third:
		e.Fatal("the update does not wait for the second share")
	case <-fourth:
		e.Fatal("the last share does not wait for the update before it")
	default:
	}
	s2.Rollback()
	e.awaitNil("update", third)
	u.Rollback()
	e.awaitNil("last share", fourth)
}

func strongerGoesFirst(e *env) {
	// Alone on the key, it has the lock at once, whoever waits for it.
	x, y := e.begin(), e.begin()
	x.lock(kv.LockKeyShare, "a")
	waiting := y.locking(kv.LockUpdate, "a", kv.WaitPolicy{}, 0)
	x.lock(kv.LockUpdate, "a")
	x.Rollback()
	e.awaitNil("waiter", waiting)
	y.Rollback()

	// With another holder in its way, it is the next.
	x, y = e.begin(), e.begin()
	holder := e.begin()
	x.lock(kv.LockKeyShare, "a")
	holder.lock(kv.LockNoKeyUpdate, "a")
	waiting = y.locking(kv.LockUpdate, "a", kv.WaitPolicy{}, 0)
	stronger := x.locking(kv.LockShare, "a", kv.WaitPolicy{}, 1)
	holder.Rollback()
	e.awaitNil("stronger", stronger)
	x.Rollback()
	e.awaitNil("waiter", waiting)
}

func deadlockOfTwo(e *env) {
	x, y := e.begin(), e.begin()
	x.lock(kv.LockUpdate, "a")
	y.lock(kv.LockUpdate, "b")
	waiting := x.locking(kv.LockUpdate, "b", kv.WaitPolicy{}, 0)
	e.fails("lock", y.lockError(kv.LockUpdate, kv.WaitPolicy{}, "a"), kv.ErrDeadlock)
	y.Rollback()
	e.awaitNil("the other", waiting)
	x.set("b", "1")
	x.commits()
	e.free("a")
	e.free("b")
}

func deadlockOfThree(e *env) {
	x, y, z := e.begin(), e.begin(), e.begin()
	x.lock(kv.LockUpdate, "a")
	y.lock(kv.LockNoKeyUpdate, "b")
	z.lock(kv.LockUpdate, "c")
	first := x.locking(kv.LockShare, "b", kv.WaitPolicy{}, 0)
	second := y.locking(kv.LockKeyShare, "c", kv.WaitPolicy{}, 0)
	e.fails("lock", z.lockError(kv.LockKeyShare, kv.WaitPolicy{}, "a"), kv.ErrDeadlock)
	z.Rollback()
	e.awaitNil("second", second)
	y.Rollback()
	e.awaitNil("first", first)
}

// deadlockAndPatience: the least patient gives way, wherever in the cycle it stands, and the others go on.
func deadlockAndPatience(e *env) {
	x, y, z := e.begin(), e.begin(), e.begin()
	x.lock(kv.LockUpdate, "a")
	y.lock(kv.LockUpdate, "b")
	z.lock(kv.LockUpdate, "c")
	patient := kv.WaitPolicy{Patience: time.Hour}
	first := x.locking(kv.LockUpdate, "b", patient, 0)
	second := y.locking(kv.LockUpdate, "c", kv.WaitPolicy{Patience: time.Second}, 0)
	third := make(chan error, 1)
	go func() { third <- z.lockError(kv.LockUpdate, patient, "a") }()
	e.fails("the least patient", e.await("the least patient", second), kv.ErrDeadlock)
	y.wants("z", absent) // it is still usable
	y.Rollback()
	e.awaitNil("first", first)
	x.Rollback()
	e.awaitNil("third", third)
	z.Rollback()
	e.free("a")
	e.free("b")
	e.free("c")
}

// observed collects what a kv.TxnObserver hears.
type observed struct {
	waits, ended []kv.LockWait
	errs         []error
	sequenced    kv.Version
}

func (o *observed) LockWaits(w kv.LockWait) { o.waits = append(o.waits, w) }
func (o *observed) Sequenced(v kv.Version)  { o.sequenced = v }
func (o *observed) LockWaited(w kv.LockWait, waited time.Duration, err error) {
	o.ended, o.errs = append(o.ended, w), append(o.errs, err)
}

func observedWaits(e *env) {
	x := e.beginWith(kv.TxnOptions{Owner: 7})
	o := &observed{}
	y := e.beginWith(kv.TxnOptions{Owner: 8, Observer: o})
	x.lock(kv.LockUpdate, "a")
	y.lock(kv.LockUpdate, "b")
	e.fails("lock", y.lockError(kv.LockUpdate, kv.WaitPolicy{NoWait: true}, "a"), kv.ErrLockNotAvailable)
	if len(o.waits) > 0 {
		e.Errorf("waits that were none: %v", o.waits)
	}
	e.fails("lock", y.lockError(kv.LockShare, kv.WaitPolicy{Timeout: time.Millisecond}, "a"), kv.ErrLockNotAvailable)
	waiting := y.locking(kv.LockUpdate, "a", kv.WaitPolicy{}, 0)
	x.Rollback()
	e.awaitNil("lock", waiting)
	e.equal("waits", len(o.waits), 2)
	e.equal("ends", o.ended, o.waits)
	e.fails("the first", o.errs[0], kv.ErrLockNotAvailable)
	if w := o.waits[1]; w.Waiter != 8 || w.Holder != 7 || string(w.Key) != "a" || w.Mode != kv.LockUpdate || o.errs[1] != nil {
		e.Errorf("the second: %v, %v", w, o.errs[1])
	}
	y.set("a", "1")
	version, err := y.Commit(e.ctx)
	if err != nil || version != o.sequenced {
		e.Errorf("committed as %d, %v, sequenced as %d", version, err, o.sequenced)
	}
}

func deadlockByStrengthening(e *env) {
	x, y := e.begin(), e.begin()
	x.lock(kv.LockShare, "a")
	y.lock(kv.LockShare, "a")
	waiting := x.locking(kv.LockUpdate, "a", kv.WaitPolicy{}, 0)
	e.fails("lock", y.lockError(kv.LockNoKeyUpdate, kv.WaitPolicy{}, "a"), kv.ErrDeadlock)
	y.Rollback()
	e.awaitNil("the other", waiting)
}

// deadlockOverTheQueue: one of the waits is for a request, not for a holder.
func deadlockOverTheQueue(e *env) {
	x, y, z := e.begin(), e.begin(), e.begin()
	x.lock(kv.LockKeyShare, "a")
	z.lock(kv.LockUpdate, "b")
	first := y.locking(kv.LockUpdate, "a", kv.WaitPolicy{}, 0)
	second := z.locking(kv.LockKeyShare, "a", kv.WaitPolicy{}, 1)
	e.fails("lock", x.lockError(kv.LockShare, kv.WaitPolicy{}, "b"), kv.ErrDeadlock)
	x.Rollback()
	e.awaitNil("first", first)
	y.Rollback()
	e.awaitNil("second", second)
}

// deadlockBehindStronger: a request that makes a lock stronger goes before one that then waits for it, and closes a cycle by
// that.
func deadlockBehindStronger(e *env) {
	x, y, z, holder := e.begin(), e.begin(), e.begin(), e.begin()
	x.lock(kv.LockKeyShare, "a")
	y.lock(kv.LockKeyShare, "a")
	z.lock(kv.LockKeyShare, "b")
	holder.lock(kv.LockNoKeyUpdate, "a")
	last := z.locking(kv.LockNoKeyUpdate, "a", kv.WaitPolicy{}, 0)
	second := y.locking(kv.LockUpdate, "b", kv.WaitPolicy{}, 0)
	e.fails("lock", x.lockError(kv.LockUpdate, kv.WaitPolicy{}, "a"), kv.ErrDeadlock)
	x.Rollback()
	holder.Rollback()
	e.awaitNil("last", last)
	z.Rollback()
	e.awaitNil("second", second)
	y.Rollback()
	e.free("a")
	e.free("b")
}

func deadlockAmongKeys(e *env) {
	x, y := e.begin(), e.begin()
	y.lock(kv.LockUpdate, "c")
	x.lock(kv.LockUpdate, "d")
	waiting := e.blocked("c", 0, func() error { return x.lockError(kv.LockUpdate, kv.WaitPolicy{}, "a", "b", "c") })
	e.fails("lock", y.lockError(kv.LockUpdate, kv.WaitPolicy{}, "e", "d"), kv.ErrDeadlock)
	y.Rollback()
	e.awaitNil("the other", waiting)
}

func noFalseDeadlock(e *env) {
	x, y, z := e.begin(), e.begin(), e.begin()
	x.lock(kv.LockUpdate, "a")
	y.lock(kv.LockUpdate, "b")
	// y waits for x and gives up; that must leave no trace when x waits for y.
	e.fails("lock", y.lockError(kv.LockUpdate, kv.WaitPolicy{Timeout: time.Millisecond}, "a"), kv.ErrLockNotAvailable)
	first := x.locking(kv.LockUpdate, "b", kv.WaitPolicy{}, 0)
	second := z.locking(kv.LockUpdate, "b", kv.WaitPolicy{}, 1)
	e.fails("lock", y.lockError(kv.LockKeyShare, kv.WaitPolicy{NoWait: true}, "a"), kv.ErrLockNotAvailable)
	y.Rollback()
	e.awaitNil("first", first)
	x.Rollback()
	e.awaitNil("second", second)
}

func lockTimeout(e *env) {
	x, y := e.begin(), e.begin()
	x.lock(kv.LockUpdate, "a")
	start := time.Now()
	const timeout = 10 * time.Millisecond
	e.fails("lock", y.lockError(kv.LockUpdate, kv.WaitPolicy{Timeout: timeout}, "b", "a"), kv.ErrLockNotAvailable)
	if waited := time.Since(start); waited < timeout {
		e.Errorf("gave up after %v, the timeout is %v", waited, timeout)
	}
	y.wants("a", absent) // it is still usable
	waiting := y.locking(kv.LockUpdate, "a", kv.WaitPolicy{Timeout: time.Hour}, 0)
	x.Rollback()
	e.awaitNil("lock", waiting)
}

func lockCancel(e *env) {
	x, y := e.begin(), e.begin()
	x.lock(kv.LockUpdate, "a")
	ctx, cancel := contextWithCancel(e)
	waiting := e.blocked("a", 0, func() error {
		return y.Lock(ctx, [][]byte{[]byte("a")}, kv.LockUpdate, kv.WaitPolicy{})
	})
	cancel()
	e.fails("lock", e.await("lock", waiting), context.Canceled)
	e.settle("a")
	y.wants("a", absent)
	x.Rollback()
	y.lock(kv.LockUpdate, "a")
	e.taken(kv.LockKeyShare, "a")
}

// leavingTheQueue: whoever gives up no longer stands in the way of those behind.
func leavingTheQueue(e *env) {
	x, y, z := e.begin(), e.begin(), e.begin()
	x.lock(kv.LockKeyShare, "a")
	ctx, cancel := contextWithCancel(e)
	first := e.blocked("a", 0, func() error {
		return y.Lock(ctx, [][]byte{[]byte("a")}, kv.LockUpdate, kv.WaitPolicy{})
	})
	second := z.locking(kv.LockShare, "a", kv.WaitPolicy{}, 1)
	cancel()
	e.fails("first", e.await("first", first), context.Canceled)
	e.awaitNil("second", second)
}

func failureKeepsLocks(e *env) {
	x, y := e.begin(), e.begin()
	x.lock(kv.LockUpdate, "b")
	e.fails("lock", y.lockError(kv.LockUpdate, kv.WaitPolicy{NoWait: true}, "a", "b", "c"), kv.ErrLockNotAvailable)
	e.taken(kv.LockKeyShare, "a")
	e.free("c")
	y.Rollback()
	e.free("a")
}

func lockReadOnly(e *env) {
	x := e.beginWith(kv.TxnOptions{ReadOnly: true})
	e.fails("lock", x.lockError(kv.LockKeyShare, kv.WaitPolicy{}, "a"), kv.ErrReadOnly)
	e.free("a")
}

// releasedAtSequencing: a lock goes on when the outcome is settled, not when it is durable.
func releasedAtSequencing(e *env) {
	if e.PauseSync == nil {
		e.Skip("the store cannot pause durability")
	}
	e.put("a=1")
	x, y := e.begin(), e.begin()
	x.lock(kv.LockUpdate, "a")
	x.set("a", "2")
	resume := e.PauseSync()
	defer resume()
	committed := make(chan error, 1)
	waiting := y.locking(kv.LockUpdate, "a", kv.WaitPolicy{}, 0)
	go func() { committed <- commitError(x) }()
	e.fails("lock", e.await("lock", waiting), kv.ErrStale)
	y.refreshes()
	y.wants("a", "2")
	select {
	case err := <-committed:
		e.Errorf("commit: %v before it is durable", err)
	default:
	}
	resume()
	e.awaitNil("commit", committed)
	y.set("a", "3")
	y.commits()
	e.wantContent("a=3")
}

// manyDeadlocks has transactions lock two of a few keys in any order and mode: all of them come to an end.
func manyDeadlocks(e *env) {
	const workers, rounds, keys = 6, 40, 4
	done := make(chan error, workers)
	for w := range workers {
		go func() {
			var failure error
			for i := range rounds {
				txn, err := e.Store.Begin(e.ctx, kv.TxnOptions{})
				if err != nil {
					failure = err
					break
				}
				x := &tx{env: e, Txn: txn}
				n := w*7 + i*5
				for step := range 3 {
					m := modes[(n+step*w)%len(modes)]
					err = x.lockError(m, kv.WaitPolicy{}, fmt.Sprint("k", (n+step*(1+i%3))%keys))
					if err != nil {
						break
					}
				}
				txn.Rollback()
				if err != nil && !isDeadlock(err) {
					failure = err
					break
				}
			}
			done <- failure
		}()
	}
	for range workers {
		e.awaitNil("worker", done)
	}
	for k := range keys {
		e.free(fmt.Sprint("k", k))
	}
}

// manyLocks: however many there are, they end with their transaction, once.
func manyLocks(e *env) {
	e.put("a=1")
	keys := make([][]byte, 3000)
	for i := range keys {
		keys[i] = []byte(fmt.Sprintf("k%d", i))
	}
	all := func(x *tx) {
		e.Helper()
		if err := x.Lock(x.ctx, keys, kv.LockUpdate, kv.WaitPolicy{}); err != nil {
			e.Fatalf("lock: %v", err)
		}
	}
	last := e.begin()
	for _, end := range []func(x *tx){
		func(x *tx) { x.set("b", "1"); x.commits() },
		func(x *tx) { x.read("a"); x.set("b", "1"); e.put("a=2"); x.conflicts() },
		func(x *tx) { x.commits() },
		func(x *tx) { x.Rollback() },
	} {
		x := e.begin()
		all(x)
		end(x)
		x.Rollback()
	}
	all(last)
	for i := 0; i < len(keys); i += 100 {
		e.taken(kv.LockKeyShare, string(keys[i]))
	}
}
