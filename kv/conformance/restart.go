package conformance

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"holdfast/kv"
)

// restartScenarios: transactions that begin anew after a conflict, and that are let through at last.
var restartScenarios = []scenario{
	{"restart/after a conflict", restartAfterConflict},
	{"restart/keeps locks only", restartKeepsLocks},
	{"restart/sees what is not durable yet", restartSeesNewest},
	{"restart/after the end", restartAfterEnd},
	{"restart/guard", guardHoldsOthers},
	{"restart/guard ends", guardEnds},
	{"restart/guard gives way to whom it waits for", guardGivesWay},
	{"restart/two guards", twoGuards},
	{"restart/guard and close", guardAndClose},
	{"restart/guarded transactions get through", guardedGetThrough},
}

func (x *tx) restarts(guard bool) {
	x.env.Helper()
	if err := x.Restart(x.ctx, guard); err != nil {
		x.Fatalf("restart: %v", err)
	}
}

// committing commits in the background.
func (x *tx) committing() chan error {
	done := make(chan error, 1)
	go func() { done <- commitError(x) }()
	return done
}

func restartAfterConflict(e *env) {
	e.put("a=1")
	for _, refresh := range []bool{false, true} {
		x := e.begin()
		x.get("a")
		x.set("b", "stale")
		e.update("a", "2", 1)
		var err error
		if refresh {
			err = x.Refresh(x.ctx)
		} else {
			_, err = x.Commit(x.ctx)
		}
		e.fails("refresh or commit", err, kv.ErrConflict)
		if _, _, err := x.Get(x.ctx, []byte("a"), kv.AllColumns); err == nil {
			e.Errorf("a read after a conflict succeeds")
		}
		x.restarts(false)
		x.wants("a", "2")
		x.wants("b", absent)
		x.set("c", "new")
		x.commits()
		e.wantContent("a=2 c=new")
		e.put("c")
	}
}

func restartKeepsLocks(e *env) {
	e.put("a=1", "b=1")
	x := e.begin()
	x.lock(kv.LockUpdate, "k")
	x.get("a")
	x.all("b", "c")
	x.set("d", "x")
	e.update("a", "2", 1)
	_, err := x.Commit(x.ctx)
	e.fails("commit", err, kv.ErrConflict)
	e.taken(kv.LockKeyShare, "k")
	waiting := e.begin().locking(kv.LockUpdate, "k", kv.WaitPolicy{}, 0)
	x.restarts(false)
	e.put("a=3", "b=2", "e=1") // what it had read before
	x.lock(kv.LockUpdate, "k")
	x.set("f", "x")
	x.commits()
	e.awaitNil("who waited for the lock", waiting)
	e.wantContent("a=3 b=2 e=1 f=x")
}

func restartSeesNewest(e *env) {
	e.put("a=1")
	x := e.begin()
	x.get("a")
	x.set("b", "x")
	resume := e.pause()
	y := e.begin()
	y.lock(kv.LockUpdate, "a")
	y.change("a", "2", 1)
	done := y.committing()
	z := e.begin()
	e.fails("the lock of who is sequenced", z.lockError(kv.LockUpdate, kv.WaitPolicy{}, "a"), kv.ErrStale)
	z.Rollback()
	_, err := x.Commit(x.ctx)
	e.fails("commit", err, kv.ErrConflict)
	x.restarts(false)
	x.wants("a", "2")
	resume()
	e.awaitNil("commit", done)
	x.set("b", "y")
	x.commits()
	e.wantContent("a=2 b=y")
}

func restartAfterEnd(e *env) {
	x := e.begin()
	x.set("a", "1")
	x.commits()
	if err := x.Restart(x.ctx, true); err == nil {
		e.Errorf("a committed transaction restarts")
	}
	y := e.begin()
	y.Rollback()
	if err := y.Restart(y.ctx, false); err == nil {
		e.Errorf("a transaction restarts that was rolled back")
	}
	y.Unguard()
}

// guarded is a transaction that has read a and the range from m to n, has failed, and is guarded.
func (e *env) guarded() *tx {
	e.Helper()
	x := e.begin()
	x.get("a")
	x.all("m", "n")
	x.set("x", "1")
	e.update("a", "2", 1)
	_, err := x.Commit(x.ctx)
	e.fails("commit", err, kv.ErrConflict)
	x.restarts(true)
	return x
}

func guardHoldsOthers(e *env) {
	e.put("a=1", "m1=1")
	x := e.guarded()
	x.get("a")
	var waiting []chan error
	for i, key := range []string{"a", "m1", "m2"} {
		y := e.begin()
		y.set(key, strconv.Itoa(i))
		waiting = append(waiting, y.committing())
	}
	e.put("z=1") // nobody has read it
	time.Sleep(5 * time.Millisecond)
	x.all("m", "n")
	x.set("x", "2")
	x.commits()
	for _, w := range waiting {
		e.awaitNil("a commit that waited", w)
	}
	e.wantContent("a=0 m1=1 m2=2 x=2 z=1")
}

func guardEnds(e *env) {
	for _, end := range []func(x *tx){
		func(x *tx) { x.Unguard() },
		func(x *tx) { x.Rollback() },
		func(x *tx) { x.restarts(false) },
		func(x *tx) { x.set("x", "1"); x.commits() },
	} {
		e.put("a=1", "m1=1")
		x := e.guarded()
		y := e.begin()
		y.set("a", "3")
		waiting := y.committing()
		end(x)
		e.awaitNil("a commit after the guard", waiting)
		x.Rollback()
	}
}

func guardGivesWay(e *env) {
	e.put("a=1", "m1=1")
	x := e.guarded()
	y := e.begin()
	y.lock(kv.LockUpdate, "a")
	y.change("a", "3", 1)
	waiting := y.committing()
	time.Sleep(5 * time.Millisecond)
	err := x.lockError(kv.LockUpdate, kv.WaitPolicy{}, "a")
	e.fails("the lock of a row that was written meanwhile", err, kv.ErrStale)
	e.awaitNil("the commit that had the lock", waiting)
	x.restarts(true)
	x.lock(kv.LockUpdate, "a")
	x.wants("a", "3")
	x.change("a", "4", 1)
	x.commits()
	e.wantContent("a=4 m1=1")
}

// twoGuards: each has read what the other is about to write. The first goes first.
func twoGuards(e *env) {
	e.put("a=1")
	x, y := e.begin(), e.begin()
	for _, t := range []*tx{x, y} {
		t.get("a")
		t.set("x", "1")
	}
	e.update("a", "2", 1)
	for _, t := range []*tx{x, y} {
		_, err := t.Commit(t.ctx)
		e.fails("commit", err, kv.ErrConflict)
	}
	x.restarts(true)
	y.restarts(true)
	x.wants("a", "2")
	y.wants("a", "2")
	y.change("a", "y", 1)
	second := y.committing()
	time.Sleep(5 * time.Millisecond)
	x.change("a", "x", 1)
	x.commits()
	select {
	case err := <-second:
		e.fails("the second", err, kv.ErrConflict)
	case <-e.ctx.Done():
		e.Fatalf("the second waits forever")
	}
	e.wantContent("a=x")
}

func guardAndClose(e *env) {
	e.put("a=1", "m1=1")
	e.guarded()
	y := e.begin()
	y.set("a", "3")
	waiting := y.committing()
	time.Sleep(time.Millisecond)
	if err := e.Store.Close(); err != nil {
		e.Errorf("close: %v", err)
	}
	select {
	case <-waiting:
	case <-e.ctx.Done():
		e.Fatalf("a commit set aside waits although the store is closed")
	}
}

// guardedGetThrough: transactions that read everything, and others that never stop writing. Each needs two
// attempts at most, one more for every lock it waits for, if there is only one of them.
func guardedGetThrough(e *env) {
	e.put("a0=0", "a1=0", "a2=0", "a3=0")
	ctx, stop := context.WithCancel(e.ctx)
	var writers sync.WaitGroup
	defer writers.Wait()
	defer stop()
	for w := range 4 {
		writers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				x := e.begin()
				x.set("a"+strconv.Itoa(w), strconv.Itoa(i))
				if err := commitError(x); err != nil && ctx.Err() == nil {
					e.Errorf("a writer: %v", err)
					return
				}
			}
		})
	}
	for range 20 {
		x := e.begin()
		for attempts := 1; ; attempts++ {
			x.all("a", "b")
			time.Sleep(time.Millisecond) // in which others write
			x.set("sum", "x")
			_, err := x.Commit(x.ctx)
			if err == nil {
				break
			}
			if !errors.Is(err, kv.ErrConflict) {
				e.Fatalf("commit: %v", err)
			}
			if attempts > 1 {
				e.Errorf("attempt %d of a guarded transaction fails", attempts)
				break
			}
			x.restarts(true)
		}
		x.Rollback()
	}
}
