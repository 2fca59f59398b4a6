package conformance

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/kv"
)

// durabilityScenarios: what is seen when, and what survives.
var durabilityScenarios = []scenario{
	{"durability/begin sees what was acknowledged", beginSeesAcknowledged},
	{"durability/versions grow", versionsGrow},
	{"durability/commits in a group", commitsInAGroup},
	{"durability/nothing shows before it is durable", nothingShowsEarly},
	{"durability/newest", newestSeesSequenced},
	{"durability/refresh to the newest", refreshIsNewest},
	{"durability/reopen", reopen},
	{"durability/crash", crash},
	{"durability/crash keeps what was seen", crashKeepsSeen},
	{"durability/crash keeps transactions whole", crashKeepsWhole},
}

func isDeadlock(err error) bool { return errors.Is(err, kv.ErrDeadlock) }

// beginSeesAcknowledged: whoever begins after a commit has returned, anywhere, sees it.
func beginSeesAcknowledged(e *env) {
	const workers, rounds = 6, 40
	var acknowledged [workers]atomic.Int64
	var wait sync.WaitGroup
	for w := range workers {
		wait.Go(func() {
			for i := 1; i <= rounds && !e.Failed(); i++ {
				var least [workers]int64
				for o := range workers {
					least[o] = acknowledged[o].Load()
				}
				txn, err := e.Store.Begin(e.ctx, kv.TxnOptions{})
				if err != nil {
					e.Error(err)
					return
				}
				for o := range workers {
					value, _, err := txn.Get(e.ctx, []byte(fmt.Sprint("w", o)), kv.AllColumns)
					if err != nil {
						e.Error(err)
					}
					var n int64
					_, _ = fmt.Sscan(string(value), &n)
					if n < least[o] {
						e.Errorf("begin after commit %d of worker %d sees its commit %d", least[o], o, n)
					}
				}
				txn.Rollback()
				if txn, err = e.Store.Begin(e.ctx, kv.TxnOptions{}); err == nil {
					err = txn.Set([]byte(fmt.Sprint("w", w)), []byte(fmt.Sprint(i)), kv.AllColumns)
				}
				if err == nil {
					_, err = txn.Commit(e.ctx)
				}
				if err != nil {
					e.Error(err)
					return
				}
				acknowledged[w].Store(int64(i))
			}
		})
	}
	wait.Wait()
}

func versionsGrow(e *env) {
	var last kv.Version
	for i := range 10 {
		x := e.begin()
		if x.ReadVersion() < last {
			e.Errorf("read version %d after commit %d", x.ReadVersion(), last)
		}
		x.set("a", fmt.Sprint(i))
		v := x.commits()
		if v <= x.ReadVersion() || v <= last {
			e.Errorf("commit %d over read version %d and commit %d", v, x.ReadVersion(), last)
		}
		last = v
	}
}

// commitsInAGroup: commits that are sequenced together are validated against each other, and each has a
// version of its own.
func commitsInAGroup(e *env) {
	const n = 16
	e.put("a=0")
	var txns []*tx
	for i := range n {
		x := e.begin()
		x.wants("a", "0")
		x.set("a", fmt.Sprint(i+1))
		txns = append(txns, x)
	}
	for i := range n {
		x := e.begin()
		x.set(fmt.Sprint("b", i), "1")
		txns = append(txns, x)
	}
	versions := make([]kv.Version, len(txns))
	errs := make([]error, len(txns))
	var wait sync.WaitGroup
	for i, x := range txns {
		wait.Go(func() { versions[i], errs[i] = x.Commit(x.ctx) })
	}
	wait.Wait()
	won := 0
	seen := map[kv.Version]bool{}
	for i, err := range errs {
		switch {
		case err == nil:
			if i < n {
				won++
			}
			if seen[versions[i]] {
				e.Errorf("two commits have version %d", versions[i])
			}
			seen[versions[i]] = true
		case i >= n && !e.Coarse:
			e.Errorf("a commit that has read nothing: %v", err)
		default:
			e.fails("commit", err, kv.ErrConflict)
		}
	}
	e.equal("winners among those that read and wrote one key", won, 1)
}

// pending starts a commit while durability is paused and returns when it has been sequenced.
func (e *env) pending(x *tx, key, value string) <-chan error {
	e.Helper()
	x.set(key, value)
	committed := make(chan error, 1)
	go func() { committed <- commitError(x) }()
	for {
		newest := e.beginWith(kv.TxnOptions{Newest: true, ReadOnly: true})
		got := newest.get(key)
		newest.Rollback()
		if got == value {
			return committed
		}
		select {
		case err := <-committed:
			e.Fatalf("commit: %v while durability is paused", err)
		case <-e.ctx.Done():
			e.Fatal("commit: is never sequenced")
		default:
			time.Sleep(50 * time.Microsecond)
		}
	}
}

func (e *env) pause() (resume func()) {
	e.Helper()
	if e.PauseSync == nil {
		e.Skip("the store cannot pause durability")
	}
	resume = e.PauseSync()
	e.Cleanup(resume)
	return resume
}

// still expects that nothing arrives for a moment.
func (e *env) still(what string, result <-chan error) {
	e.Helper()
	select {
	case err := <-result:
		e.Fatalf("%s: returned (%v) before the state is durable", what, err)
	case <-time.After(5 * time.Millisecond):
	}
}

func nothingShowsEarly(e *env) {
	e.put("a=1")
	resume := e.pause()
	x := e.begin()
	committed := e.pending(x, "a", "2")
	for range 5 {
		e.wantContent("a=1")
		e.still("commit", committed)
	}
	resume()
	e.awaitNil("commit", committed)
	e.wantContent("a=2")
}

func newestSeesSequenced(e *env) {
	e.put("a=1")
	resume := e.pause()
	committed := e.pending(e.begin(), "a", "2")
	results := map[string]<-chan error{}
	start := func(what string, f func() error) {
		c := make(chan error, 1)
		results[what] = c
		go func() { c <- f() }()
	}
	for _, readOnly := range []bool{true, false} {
		x := e.beginWith(kv.TxnOptions{Newest: true, ReadOnly: readOnly})
		x.wants("a", "2")
		start(fmt.Sprintf("commit, read-only %v", readOnly), func() error { return commitError(x) })
		y := e.beginWith(kv.TxnOptions{Newest: true, ReadOnly: readOnly})
		y.wants("a", "2")
		start(fmt.Sprintf("wait, read-only %v", readOnly), func() error { return y.WaitDurable(e.ctx) })
	}
	writer := e.beginWith(kv.TxnOptions{Newest: true})
	writer.wants("a", "2")
	written := e.pending(writer, "b", "3")

	// The newest durable state needs no waiting.
	x := e.begin()
	x.wants("a", "1")
	if err := x.WaitDurable(e.ctx); err != nil {
		e.Error(err)
	}
	if !x.Durable() {
		e.Error("the state that transactions begin with is not durable")
	}
	x.commits()
	for what, c := range results {
		e.still(what, c)
	}
	e.still("commit", committed)
	e.still("commit on top", written)
	resume()
	for what, c := range results {
		e.awaitNil(what, c)
	}
	e.awaitNil("commit", committed)
	e.awaitNil("commit on top", written)
	e.wantContent("a=2 b=3")

	// A context ends the wait.
	resume = e.pause()
	committed = e.pending(e.begin(), "a", "4")
	y := e.beginWith(kv.TxnOptions{Newest: true})
	ctx, cancel := contextWithCancel(e)
	cancel()
	e.fails("wait", y.WaitDurable(ctx), ctx.Err())
	resume()
	e.awaitNil("commit", committed)
}

func refreshIsNewest(e *env) {
	e.put("a=1")
	x := e.begin()
	resume := e.pause()
	committed := e.pending(e.begin(), "a", "2")
	if !x.Durable() {
		e.Error("the state before the refresh is not durable")
	}
	x.refreshes()
	x.wants("a", "2")
	durable := make(chan error, 1)
	go func() { durable <- x.WaitDurable(e.ctx) }()
	e.still("wait", durable)
	if x.Durable() {
		e.Error("the newest state is durable before its sync")
	}
	resume()
	e.awaitNil("wait", durable)
	if !x.Durable() {
		e.Error("the newest state is not durable after the wait for it")
	}
	e.awaitNil("commit", committed)
	x.commits()
}

func reopen(e *env) {
	if e.Reopen == nil {
		e.Skip("the store cannot be reopened")
	}
	e.put("a=1", "b=1", "c=1")
	e.put("a=2", "b")
	undone := e.begin()
	undone.set("d", "1")
	for range 2 {
		if err := e.Store.Close(); err != nil {
			e.Fatal(err)
		}
		e.Store = e.Reopen(e.TB)
		e.wantContent("a=2 c=1")
		x := e.begin()
		x.wants("a", "2")
		x.set("a", "2")
		e.put("a=2")
		x.conflicts()
	}
}

func crash(e *env) {
	if e.Crash == nil {
		e.Skip("the store cannot be crashed")
	}
	e.put("a=1", "b=1")
	open := e.begin()
	open.set("open", "1")
	open.lock(kv.LockUpdate, "a")
	e.Store = e.Crash(e.TB)
	e.wantContent("a=1 b=1")
	e.free("a")
	e.put("a=2", "c=2", "b")
	e.Store = e.Crash(e.TB)
	e.wantContent("a=2 c=2")
}

// crashKeepsSeen: what has been shown to a transaction that did not ask for the newest state is durable.
func crashKeepsSeen(e *env) {
	if e.Crash == nil {
		e.Skip("the store cannot be crashed")
	}
	e.put("a=1")
	e.pause()
	x := e.begin()
	committed := e.pending(x, "a", "2")
	seen := e.begin().get("a")
	e.Store = e.Crash(e.TB)
	err := e.await("commit", committed)
	got := e.begin().get("a")
	if seen == "2" && got != "2" || err == nil && got != "2" {
		e.Errorf("seen %s, commit %v, after the crash %s", seen, err, got)
	}
	if err != nil {
		e.fails("commit", err, kv.ErrCommitUnknown)
	}
}

// crashKeepsWhole crashes under load. Every worker writes a pair of keys per transaction, counting up, and
// the workers' counts depend on each other: a commit that was built on another survives only with it.
func crashKeepsWhole(e *env) {
	if e.Crash == nil {
		e.Skip("the store cannot be crashed")
	}
	const workers, enough = 4, 60
	var acknowledged [workers]atomic.Int64
	var wait sync.WaitGroup
	reached := make(chan struct{})
	var total atomic.Int64
	for w := range workers {
		wait.Go(func() {
			for i := int64(1); ; i++ {
				txn, err := e.Store.Begin(e.ctx, kv.TxnOptions{})
				if err != nil {
					return
				}
				value := []byte(fmt.Sprint(i))
				err = txn.Set([]byte(fmt.Sprint("left", w)), value, kv.AllColumns)
				if err == nil {
					err = txn.Set([]byte(fmt.Sprint("right", w)), value, kv.AllColumns)
				}
				if err == nil {
					_, err = txn.Commit(e.ctx)
				}
				if err != nil {
					txn.Rollback()
					return
				}
				acknowledged[w].Store(i)
				if total.Add(1) == enough {
					close(reached)
				}
			}
		})
	}
	select {
	case <-reached:
	case <-e.ctx.Done():
		e.Fatal("the workers get nowhere")
	}
	var least [workers]int64
	for w := range workers {
		least[w] = acknowledged[w].Load()
	}
	store := e.Crash(e.TB)
	wait.Wait()
	e.Store = store
	x := e.begin()
	for w := range workers {
		left, right := x.get(fmt.Sprint("left", w)), x.get(fmt.Sprint("right", w))
		if left != right {
			e.Errorf("half a transaction: %s and %s", left, right)
		}
		var n int64
		_, _ = fmt.Sscan(left, &n)
		if n < least[w] {
			e.Errorf("worker %d had commit %d acknowledged, %d is left", w, least[w], n)
		}
	}
}
