package conformance

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"holdfast/kv"
)

// refreshScenarios: moving the snapshot, and starting a statement over after a wait.
var refreshScenarios = []scenario{
	{"refresh/moves the snapshot", refreshMoves},
	{"refresh/fails on a changed read", refreshFails},
	{"refresh/keeps the footprint", refreshKeepsFootprint},
	{"refresh/keeps writes and marks", refreshKeepsWrites},
	{"refresh/views go along", refreshMovesViews},
	{"refresh/open iterators go along", refreshMovesIterators},
	{"refresh/open iterators count", refreshCountsIterators},
	{"refresh/stale lock", staleLock},
	{"refresh/stale by anything", staleByAnything},
	{"refresh/not stale", notStale},
	{"refresh/stale holds all locks", staleHoldsLocks},
	{"refresh/stale, but earlier reads changed", staleTooLate},
	{"refresh/waiter starts over", waiterStartsOver},
	{"refresh/hot row never fails", hotRow},
	{"refresh/columns of one row", columnsOfOneRow},
}

func (x *tx) refreshes() {
	x.env.Helper()
	if err := x.Refresh(x.ctx); err != nil {
		x.Fatalf("refresh: %v", err)
	}
}

func refreshMoves(e *env) {
	e.put("a=1", "b=1")
	x := e.begin()
	x.wants("a", "1")
	before := x.ReadVersion()
	x.refreshes()
	e.put("b=2", "c=2")
	x.refreshes()
	if x.ReadVersion() <= before {
		e.Errorf("read version %d after a commit on top of %d and a refresh", x.ReadVersion(), before)
	}
	e.equal("scan", x.all("", ""), "a=1 b=2 c=2")
	x.set("d", "x")
	x.commits()
}

func refreshFails(e *env) {
	for _, write := range []bool{true, false} {
		e.put("a=1")
		x := e.begin()
		x.wants("a", "1")
		if write {
			x.set("b", "x")
		}
		if x.Outdated() {
			e.Error("outdated before anything has changed")
		}
		mark := x.Savepoint()
		e.put("a=2")
		if !x.Outdated() {
			e.Error("not outdated, although what it has read has changed")
		}
		x.Retract(mark) // what was read before the mark still counts
		e.fails("refresh", x.Refresh(x.ctx), kv.ErrConflict)
		e.fails("commit after a failed refresh", commitError(x), kv.ErrConflict)
		e.wantContent("a=2")
	}
	e.put("a=1")
	x := e.begin()
	x.all("b", "c")
	e.put("b=2")
	e.fails("refresh", x.Refresh(x.ctx), kv.ErrConflict)
	x.Rollback()
	if !e.Coarse {
		x := e.begin()
		x.read("a", 1)
		e.update("a", "2", 2)
		x.refreshes()
		x.wants("a", "2")
	}
}

// refreshKeepsFootprint: what was read before a refresh still has to hold at commit.
func refreshKeepsFootprint(e *env) {
	e.put("a=1")
	x := e.begin()
	x.wants("a", "1")
	x.all("b", "c")
	e.put("z=1")
	if err := x.Refresh(x.ctx); err != nil && !e.Coarse {
		e.Fatalf("refresh: %v", err)
	}
	x.set("d", "x")
	e.put("b=2")
	x.conflicts()
}

func refreshKeepsWrites(e *env) {
	e.put("a=1", "b=1")
	x := e.begin()
	x.set("a", "x")
	mark := x.Savepoint()
	x.set("b", "x")
	x.del("a")
	e.put("a=2", "b=2", "c=2")
	x.refreshes()
	e.equal("scan", x.all("", ""), "b=x c=2")
	x.Retract(mark)
	e.equal("scan after retract", x.some(x.View(), "", "", -1, kv.ScanOptions{Columns: kv.AllColumns}), "a=x b=2 c=2")
	x.commits()
	e.wantContent("a=x b=2 c=2")
}

func refreshMovesViews(e *env) {
	e.put("a=1", "b=1")
	x := e.begin()
	x.set("b", "x")
	view := x.View()
	e.equal("a", x.readFrom(view, "nothing", kv.AllColumns), absent)
	x.set("b", "y")
	x.set("d", "y")
	e.put("a=2", "b=2", "c=2")
	if err := x.Refresh(x.ctx); err != nil {
		if e.Coarse {
			return
		}
		e.Fatal(err)
	}
	e.equal("view", x.some(view, "", "", -1, kv.ScanOptions{Columns: kv.AllColumns}), "a=2 b=x c=2")
	e.equal("get", x.readFrom(view, "a", kv.AllColumns), "2")
	x.commits()
}

func refreshMovesIterators(e *env) {
	e.exact()
	for _, reverse := range []bool{false, true} {
		e.put("a=1", "b=1", "c=1", "d=1", "e=1", "bb", "cc")
		x := e.begin()
		x.set("d", "own")
		it := x.View().Scan(x.ctx, keyRange("", ""), kv.ScanOptions{Columns: kv.AllColumns, Reverse: reverse})
		for range 2 {
			if !it.Next() {
				e.Fatal("no pair")
			}
		}
		if reverse {
			e.put("a", "b=2", "bb=2")
		} else {
			e.put("c=2", "cc=2", "e")
		}
		x.refreshes()
		got := ""
		for it.Next() {
			got += fmt.Sprintf("%s=%s ", it.Key(), it.Value())
		}
		if err := errors.Join(it.Err(), it.Close()); err != nil {
			e.Error(err)
		}
		want := "c=2 cc=2 d=own "
		if reverse {
			want = "c=1 bb=2 b=2 "
		}
		e.equal("rest of the scan", got, want)
		x.commits()
	}
}

func refreshCountsIterators(e *env) {
	e.put("a=1", "b=1", "c=1")
	x := e.begin()
	it := x.Scan(x.ctx, keyRange("", ""), kv.ScanOptions{Columns: kv.AllColumns})
	it.Next()
	it.Next()
	e.put("a=2")
	e.fails("refresh", x.Refresh(x.ctx), kv.ErrConflict)
	_ = it.Close()
}

func staleLock(e *env) {
	e.put("a=1")
	x := e.begin()
	mark := x.Savepoint()
	x.wants("a", "1")
	e.put("a=2")
	e.fails("lock", x.lockError(kv.LockNoKeyUpdate, kv.WaitPolicy{}, "a"), kv.ErrStale)
	x.Retract(mark)
	x.refreshes()
	x.lock(kv.LockNoKeyUpdate, "a")
	x.wants("a", "2")
	x.set("a", "3")
	x.commits()
	e.wantContent("a=3")
}

func staleByAnything(e *env) {
	changes := map[string]func(y *tx){
		"update":            func(y *tx) { y.change("a", "2", 5) },
		"update of nothing": func(y *tx) { y.change("a", "2") },
		"insert over":       func(y *tx) { y.set("a", "2") },
		"delete":            func(y *tx) { y.del("a") },
		"delete and insert": func(y *tx) { y.del("a"); y.set("a", "1") },
	}
	for what, change := range changes {
		for m := kv.LockKeyShare; m <= kv.LockUpdate; m++ {
			e.put("a=1")
			x, y := e.begin(), e.begin()
			change(y)
			y.commits()
			err := x.lockError(m, kv.WaitPolicy{NoWait: true}, "a")
			if m == kv.LockKeyShare && strings.HasPrefix(what, "update") {
				// It protects existence only, which an update leaves as it is.
				if err != nil && !e.Coarse {
					e.Errorf("%s, key share lock: %v", what, err)
				}
			} else {
				e.fails(fmt.Sprintf("%s, lock mode %d", what, m), err, kv.ErrStale)
			}
			x.Rollback()
		}
	}
	x := e.begin()
	e.put("new=1")
	e.fails("insert", x.lockError(kv.LockUpdate, kv.WaitPolicy{}, "new"), kv.ErrStale)
}

func notStale(e *env) {
	e.put("a=1", "b=1")
	x := e.begin()
	e.put("b=2")
	y := e.begin()
	y.set("a", "2")
	y.Rollback()
	x.set("a", "own")
	x.lock(kv.LockUpdate, "a", "c")
	z := e.begin()
	z.lock(kv.LockUpdate, "b")
}

func staleHoldsLocks(e *env) {
	e.put("a=1", "b=1", "c=1")
	x := e.begin()
	e.put("b=2")
	e.fails("lock", x.lockError(kv.LockUpdate, kv.WaitPolicy{}, "a", "b", "c"), kv.ErrStale)
	for _, k := range []string{"a", "b", "c"} {
		y := e.begin()
		e.fails("lock of "+k, y.lockError(kv.LockKeyShare, kv.WaitPolicy{NoWait: true}, k), kv.ErrLockNotAvailable)
	}
	x.refreshes()
	x.lock(kv.LockUpdate, "a", "b", "c")
	x.Rollback()
	e.begin().lock(kv.LockUpdate, "a", "b", "c")
}

func staleTooLate(e *env) {
	e.put("a=1", "b=1")
	x := e.begin()
	x.wants("b", "1")
	mark := x.Savepoint()
	x.wants("a", "1")
	e.put("a=2", "b=2")
	e.fails("lock", x.lockError(kv.LockUpdate, kv.WaitPolicy{}, "a"), kv.ErrStale)
	x.Retract(mark)
	e.fails("refresh", x.Refresh(x.ctx), kv.ErrConflict)
	x.Rollback()
	e.begin().lock(kv.LockUpdate, "a")
}

func waiterStartsOver(e *env) {
	e.put("a=1", "b=1")
	x, y := e.begin(), e.begin()
	x.lock(kv.LockUpdate, "a")
	y.wants("b", "1")
	mark := y.Savepoint()
	y.wants("a", "1")
	waiting := y.locking(kv.LockNoKeyUpdate, "a", kv.WaitPolicy{}, 0)
	x.set("a", "2")
	x.commits()
	e.fails("lock", e.await("lock", waiting), kv.ErrStale)
	y.Retract(mark)
	y.refreshes()
	y.lock(kv.LockNoKeyUpdate, "a")
	y.wants("a", "2")
	y.set("a", "3")
	y.commits()

	// After a rollback there is nothing new: the waiter goes on as it is.
	x, y = e.begin(), e.begin()
	x.lock(kv.LockUpdate, "a")
	x.set("a", "lost")
	waiting = y.locking(kv.LockNoKeyUpdate, "a", kv.WaitPolicy{}, 0)
	x.Rollback()
	e.awaitNil("lock", waiting)
	y.wants("a", "3")
	y.set("a", "4")
	y.commits()
	e.wantContent("a=4 b=1")
}

// start locks keys as the first thing of a transaction, starting over if they are stale.
func (x *tx) start(m kv.LockMode, keys ...string) error {
	mark := x.Savepoint()
	err := x.lockError(m, kv.WaitPolicy{}, keys...)
	if !errors.Is(err, kv.ErrStale) {
		return err
	}
	x.Retract(mark)
	if err := x.Refresh(x.ctx); err != nil {
		return fmt.Errorf("refresh: %w", err)
	}
	// The locks are held: nobody who locks can have written since.
	if err := x.lockError(m, kv.WaitPolicy{}, keys...); err != nil {
		return fmt.Errorf("second lock: %w", err)
	}
	return nil
}

// hotRow has many writers queue for one row. Whoever locks before reading never fails: locks go to the next
// one only when the outcome shows, and there is nothing earlier to validate.
func hotRow(e *env) {
	const writers, rounds = 8, 25
	e.put("n=0")
	e.crowd("n", writers, func(int) error {
		for range rounds {
			if err := e.increment("n"); err != nil {
				return err
			}
		}
		return nil
	})
	if !e.Failed() {
		e.wantContent(fmt.Sprintf("n=%d", writers*rounds))
	}
}

// crowd runs f in n goroutines that all want to lock key first, and does not let any of them have it before all
// wait for it.
func (e *env) crowd(key string, n int, f func(worker int) error) {
	e.Helper()
	holder := e.begin()
	holder.lock(kv.LockUpdate, key)
	results := make(chan error, n)
	for worker := range n {
		started := e.blocked(key, worker, func() error { return f(worker) })
		go func() { results <- <-started }()
	}
	holder.Rollback()
	for range n {
		if err := e.await("worker", results); err != nil {
			e.Error(err)
		}
	}
}

// increment adds one to a number under a lock, as one autocommit statement.
func (e *env) increment(key string) error {
	txn, err := e.Store.Begin(e.ctx, kv.TxnOptions{})
	if err != nil {
		return err
	}
	defer txn.Rollback()
	x := &tx{env: e, Txn: txn}
	if err := x.start(kv.LockNoKeyUpdate, key); err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	value, _, err := x.Get(e.ctx, []byte(key), kv.AllColumns)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(string(value))
	if err != nil {
		return err
	}
	if err := x.Set([]byte(key), []byte(strconv.Itoa(n+1)), kv.Column(1)); err != nil {
		return err
	}
	if _, err := x.Commit(e.ctx); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// columnsOfOneRow has writers change different columns of one row, whose value holds all of them: each must
// see what the others have made of it.
func columnsOfOneRow(e *env) {
	const writers, rounds = 4, 25
	e.put("row=" + string(make([]byte, writers)))
	e.crowd("row", writers, func(w int) error {
		for range rounds {
			if err := e.countColumn("row", w); err != nil {
				return err
			}
		}
		return nil
	})
	if !e.Failed() {
		e.equal("row", []byte(e.begin().get("row")), []byte{rounds, rounds, rounds, rounds})
	}
}

// countColumn adds one to column n, from 0, of a row that has a byte for each.
func (e *env) countColumn(key string, n int) error {
	txn, err := e.Store.Begin(e.ctx, kv.TxnOptions{})
	if err != nil {
		return err
	}
	defer txn.Rollback()
	x := &tx{env: e, Txn: txn}
	if err := x.start(kv.LockNoKeyUpdate, key); err != nil {
		return err
	}
	old, _, err := x.Get(e.ctx, []byte(key), kv.Column(1+n))
	if err != nil {
		return err
	}
	row := slices.Clone(old)
	row[n]++
	if err := x.Set([]byte(key), row, kv.Column(1+n)); err != nil {
		return err
	}
	_, err = x.Commit(e.ctx)
	return err
}
