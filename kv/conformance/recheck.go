package conformance

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"holdfast/kv"
)

// recheckScenarios: marked reads, which the transaction can repeat on another state.
var recheckScenarios = []scenario{
	{"recheck/marked reads", recheckMarked},
	{"recheck/marked ranges", recheckRanges},
	{"recheck/other reads win", recheckOthersWin},
	{"recheck/other reads changed later", recheckOthersLater},
	{"recheck/forgets marked reads", recheckForgets},
	{"recheck/nothing else goes on", recheckMustFollow},
	{"recheck/after a refresh", recheckAfterRefresh},
	{"recheck/keeps locks", recheckKeepsLocks},
	{"recheck/keeps deltas", recheckKeepsDeltas},
	{"recheck/views and iterators", recheckIterators},
	{"recheck/own writes", recheckOwnWrites},
	{"recheck/savepoints", recheckSavepoints},
	{"recheck/unrecorded", recheckUnrecorded},
	{"recheck/without writes", recheckWithoutWrites},
	{"recheck/or restart", recheckOrRestart},
	{"recheck/of its own accord", recheckFreely},
	{"recheck/canceled", recheckCanceled},
	{"recheck/same group", recheckGroup},
	{"recheck/guard", recheckGuard},
	{"recheck/holds what is checked", recheckHolds},
}

// checks reads a key with a mark.
func (x *tx) checks(key string, columns ...int) string {
	x.env.Helper()
	cols := columnSet(columns)
	if len(columns) == 0 {
		cols = kv.AllColumns
	}
	return x.readFrom(x.Marked(), key, cols)
}

// mustRecheck commits and expects ErrRecheck.
func (x *tx) mustRecheck() {
	x.env.Helper()
	_, err := x.Commit(x.ctx)
	x.isRecheck("commit", err)
}

func (e *env) isRecheck(what string, err error) {
	e.Helper()
	var named *kv.RecheckError
	if !errors.Is(err, kv.ErrRecheck) || errors.Is(err, kv.ErrConflict) || !kv.Restartable(err) || !errors.As(err, &named) || named.Conflict == nil {
		e.Fatalf("%s: %v, want %v", what, err, kv.ErrRecheck)
	}
}

func (x *tx) rechecks() {
	x.env.Helper()
	if err := x.Recheck(x.ctx); err != nil {
		x.Fatalf("recheck: %v", err)
	}
}

func recheckMarked(e *env) {
	e.put("a=1")
	x := e.begin()
	x.equal("a", x.checks("a", 1), "1")
	x.set("b", "1")
	if !e.Coarse {
		e.update("a", "1", 2) // another column
		x.commits()
		x = e.begin()
		x.equal("a", x.checks("a", 1), "1")
		x.set("b", "2")
	}
	e.update("a", "2", 1)
	x.mustRecheck()
	x.rechecks()
	x.equal("a", x.checks("a", 1), "2")
	x.wants("b", map[bool]string{true: "1", false: "2"}[e.Coarse])
	x.commits()

	x = e.begin()
	x.equal("c", x.checks("c"), absent)
	x.set("d", "1")
	e.put("c=1")
	x.mustRecheck()
	x.rechecks()
	x.equal("c", x.checks("c"), "1")
	e.put("c=2")
	x.mustRecheck() // as often as it is changed
	x.rechecks()
	x.equal("c", x.checks("c"), "2")
	x.commits()
}

func recheckRanges(e *env) {
	e.put("b=1", "d=1")
	for _, reverse := range []bool{false, true} {
		x := e.begin()
		x.equal("range", x.some(x.Marked(), "a", "e", -1, kv.ScanOptions{Columns: kv.AllColumns, Reverse: reverse}),
			map[bool]string{false: "b=1 d=1", true: "d=1 b=1"}[reverse])
		x.set("x", "1")
		e.put("c=1")
		x.mustRecheck()
		x.rechecks()
		x.equal("range", x.some(x.View().Marked(), "a", "e", -1, kv.ScanOptions{Columns: kv.AllColumns}), "b=1 c=1 d=1")
		x.commits()
		e.put("c")
	}
}

func recheckOthersWin(e *env) {
	e.put("a=1", "b=1")
	x := e.begin()
	x.checks("a")
	x.get("b")
	x.set("c", "1")
	e.put("a=2")
	e.put("b=2")
	x.conflicts()

	// A key that is read both ways.
	x = e.begin()
	x.checks("a")
	x.get("a")
	x.set("c", "1")
	e.put("a=3")
	x.conflicts()
}

func recheckOthersLater(e *env) {
	e.put("a=1", "b=1")
	x := e.begin()
	x.checks("a")
	x.get("b")
	x.set("c", "1")
	e.put("a=2")
	x.mustRecheck()
	e.put("b=2")
	e.fails("recheck", x.Recheck(x.ctx), kv.ErrConflict)
	_, err := x.Commit(x.ctx)
	e.fails("commit", err, kv.ErrConflict)
	e.fails("recheck", x.Recheck(x.ctx), kv.ErrConflict)
	x.restarts(false)
	x.wants("b", "2")
	x.commits()
}

// recheckForgets: what has been read with the mark before counts no more.
func recheckForgets(e *env) {
	e.exact()
	e.put("a=1", "b=1", "c=1")
	x := e.begin()
	x.checks("a")
	x.checks("b")
	x.get("c")
	x.set("d", "1")
	e.put("a=2")
	x.mustRecheck()
	x.rechecks()
	x.checks("a")
	e.put("b=2")
	x.commits()

	x = e.begin()
	x.checks("a")
	x.get("c")
	x.set("d", "2")
	e.put("a=3")
	x.mustRecheck()
	x.rechecks()
	e.put("c=2") // the other reads still count
	x.conflicts()
}

func recheckMustFollow(e *env) {
	e.put("a=1")
	x := e.begin()
	view := x.View()
	x.checks("a")
	x.set("b", "1")
	e.put("a=2")
	x.mustRecheck()
	if _, _, err := x.Get(x.ctx, []byte("a"), kv.AllColumns); err == nil {
		e.Error("a read goes on")
	}
	if _, _, err := view.Get(x.ctx, []byte("a"), kv.AllColumns); err == nil {
		e.Error("a read of a view goes on")
	}
	if err := x.Set([]byte("c"), nil, kv.AllColumns); err == nil {
		e.Error("a write goes on")
	}
	if err := x.Accumulate([]byte("n"), []byte("1")); err == nil {
		e.Error("a delta goes on")
	}
	if err := x.Refresh(x.ctx); err == nil {
		e.Error("a refresh goes on")
	}
	_, err := x.Commit(x.ctx)
	e.isRecheck("another commit", err)
	x.rechecks()
	x.commits()
	e.wantContent("a=2 b=1")
	if err := x.Recheck(x.ctx); err == nil {
		e.Error("an ended transaction is rechecked")
	}
	r := e.beginWith(kv.TxnOptions{ReadOnly: true})
	r.checks("a")
	e.fails("recheck", r.Recheck(r.ctx), kv.ErrReadOnly)
	r.commits()
}

func recheckAfterRefresh(e *env) {
	e.put("a=1")
	x := e.begin()
	x.checks("a")
	x.set("b", "1")
	e.put("a=2")
	e.isRecheck("refresh", x.Refresh(x.ctx))
	x.rechecks()
	x.refreshes()
	x.equal("a", x.checks("a"), "2")
	x.commits()
	e.wantContent("a=2 b=1")
}

func recheckKeepsLocks(e *env) {
	e.put("a=1", "r=1")
	x := e.begin()
	x.lock(kv.LockNoKeyUpdate, "r")
	x.change("r", "2", 1)
	x.checks("a")
	e.put("a=2")
	x.mustRecheck()
	for range 2 {
		e.fails("lock", e.begin().lockError(kv.LockUpdate, kv.WaitPolicy{NoWait: true}, "r"), kv.ErrLockNotAvailable)
		x.rechecks()
	}
	x.commits()
	e.free("r")
	e.wantContent("a=2 r=2")
}

func recheckKeepsDeltas(e *env) {
	e.put("a=1")
	x := e.begin()
	x.add("n", 2)
	x.atMost("n", 5)
	x.checks("a")
	e.put("a=2")
	e.added("n", 3)
	x.mustRecheck()
	x.rechecks()
	x.wantsSum("n", 5)
	e.added("n", 1)
	x.unmet("n")
}

// recheckIterators: views show the new state, iterators without a mark go on in it, and marked ones do not.
func recheckIterators(e *env) {
	e.exact()
	e.put("a=1", "b=1", "c=1", "d=1")
	x := e.begin()
	x.set("e", "1")
	view := x.View()
	x.set("f", "1")
	scan := func(r kv.Reader) kv.Iterator {
		it := r.Scan(x.ctx, kv.KeyRange{}, kv.ScanOptions{Columns: kv.AllColumns})
		if !it.Next() || string(it.Key()) != "a" {
			e.Fatalf("scan: %q, %v", it.Key(), it.Err())
		}
		return it
	}
	plain, marked := scan(view), scan(view.Marked())
	e.put("c=2")
	e.put("bb=1")
	x.rechecks()
	var got []string
	for plain.Next() {
		got = append(got, string(plain.Key())+"="+string(plain.Value()))
	}
	x.equal("scan", got, "[b=1 bb=1 c=2 d=1 e=1]")
	if marked.Next() {
		e.Error("a marked scan goes on")
	}
	if marked.Err() == nil {
		e.Error("a marked scan ends as if it had read all")
	}
	if err := plain.Close(); err != nil {
		e.Error(err)
	}
	_ = marked.Close()
	x.equal("view", x.some(view.Marked(), "c", "", -1, kv.ScanOptions{Columns: kv.AllColumns}), "c=2 d=1 e=1")
	x.commits()

	// An open one counts with what it has passed over.
	x = e.begin()
	x.set("x", "1")
	open := x.Marked().Scan(x.ctx, kv.KeyRange{}, kv.ScanOptions{Columns: kv.AllColumns})
	if !open.Next() {
		e.Fatal(open.Err())
	}
	e.put("a=2")
	e.isRecheck("refresh", x.Refresh(x.ctx))
	_ = open.Close()
	x.rechecks()
	x.commits()
}

// recheckOwnWrites: an own write settles what it names.
func recheckOwnWrites(e *env) {
	e.exact()
	e.put("a=1")
	x := e.begin()
	x.set("a", "5")
	x.equal("a", x.checks("a"), "5")
	e.put("a=2")
	x.commits()
	x = e.begin()
	x.change("a", "6", 1)
	x.equal("a", x.checks("a", 1, 2), "6")
	e.update("a", "3", 2)
	x.mustRecheck()
}

func recheckSavepoints(e *env) {
	e.exact()
	e.put("a=1", "b=1", "c=1")
	x := e.begin()
	x.set("w", "1")
	first := x.Savepoint()
	x.checks("a")
	x.Retract(first)
	e.put("a=2")
	x.refreshes() // the read is gone
	x.checks("b")
	second := x.Savepoint()
	x.set("w", "2")
	x.checks("c")
	x.RollbackTo(second)
	e.put("c=2")
	x.mustRecheck() // the read has stayed
	x.rechecks()
	x.checks("c")
	x.set("w", "3")
	x.Retract(second) // what was read since, and before the recheck, is gone
	e.put("b=2", "c=3")
	x.refreshes()
	x.checks("b")
	third := x.Savepoint()
	x.checks("c")
	x.Retract(third)
	e.put("c=4")
	x.refreshes()
	e.put("b=3")
	x.mustRecheck()
	x.rechecks()
	x.checks("c")
	x.Retract(first)
	e.put("c=5")
	x.commits()
	e.wantContent("a=2 b=3 c=5 w=1")
}

func recheckUnrecorded(e *env) {
	e.put("a=1")
	x := e.begin()
	x.set("b", "1")
	x.equal("a", x.readFrom(x.Marked().Unrecorded(), "a", kv.AllColumns), "1")
	x.equal("a", x.readFrom(x.Unrecorded().Marked(), "a", kv.AllColumns), "1")
	x.equal("a", x.some(x.View().Marked().Unrecorded(), "", "", -1, kv.ScanOptions{Columns: kv.AllColumns}), "a=1 b=1")
	e.put("a=2")
	x.commits()
	x = e.begin()
	x.set("b", "1")
	x.equal("a", x.readFrom(x.Marked().Marked(), "a", kv.AllColumns), "2")
	e.put("a=3")
	x.mustRecheck()
}

func recheckWithoutWrites(e *env) {
	e.put("a=1")
	x := e.begin()
	x.checks("a")
	e.put("a=2")
	x.commits()
}

func recheckOrRestart(e *env) {
	e.put("a=1")
	x := e.begin()
	x.checks("a")
	x.set("b", "1")
	e.put("a=2")
	x.mustRecheck()
	x.restarts(false)
	x.wants("b", absent)
	x.wants("a", "2")
	x.set("b", "2")
	x.commits()
	x = e.begin()
	x.checks("a")
	x.set("b", "1")
	e.put("a=3")
	x.mustRecheck()
	x.Rollback()
	e.wantContent("a=3 b=2")
}

func recheckFreely(e *env) {
	e.put("a=1")
	x := e.begin()
	x.checks("a")
	x.set("b", "1")
	e.put("a=2")
	x.rechecks()
	x.equal("a", x.checks("a"), "2")
	x.commits()
}

// recheckCanceled: a recheck that does not happen leaves things as they are.
func recheckCanceled(e *env) {
	e.put("a=1")
	x := e.begin()
	x.checks("a")
	x.set("b", "1")
	e.put("a=2")
	x.mustRecheck()
	ctx, cancel := contextWithCancel(e)
	cancel()
	e.fails("recheck", x.Recheck(ctx), ctx.Err())
	_, err := x.Commit(x.ctx)
	e.isRecheck("commit", err)
	x.rechecks()
	x.equal("a", x.checks("a"), "2")
	x.commits()
}

// recheckGroup: the state after a recheck has the commit that was met, even if it is not durable yet.
func recheckGroup(e *env) {
	e.put("a=1")
	x := e.begin()
	x.checks("a")
	x.set("b", "1")
	resume := e.pause()
	committed := e.pending(e.begin(), "a", "2")
	x.mustRecheck()
	x.rechecks()
	x.equal("a", x.checks("a"), "2")
	done := x.committing()
	e.still("commit", done)
	resume()
	e.awaitNil("commit", committed)
	e.awaitNil("commit", done)
	e.wantContent("a=2 b=1")
}

// recheckGuard: a guard keeps marked reads from change as well.
func recheckGuard(e *env) {
	e.put("a=1")
	x := e.begin()
	x.checks("a")
	x.set("b", "1")
	e.put("a=2")
	x.mustRecheck()
	x.restarts(true)
	y := e.begin()
	y.set("a", "3")
	waiting := y.committing()
	e.still("commit", waiting)
	x.equal("a", x.checks("a"), "2")
	x.set("b", "1")
	x.commits()
	e.awaitNil("commit", waiting)
}

// recheckHolds: clients take members out of groups, each of which must keep one, and check that with marked reads. None has
// a conflict, and in the end each group has its one.
func recheckHolds(e *env) {
	const groups, members, clients = 4, 6, 4
	var pairs []string
	for g := range groups {
		for m := range members {
			pairs = append(pairs, fmt.Sprintf("%d/%d=1", g, m))
		}
	}
	e.put(pairs...)
	var wait sync.WaitGroup
	var repeated atomic.Int64
	for c := range clients {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for n := range groups * members {
				g, m := n/members, (n+c)%members
				x := e.begin()
				x.del(fmt.Sprintf("%d/%d", g, m))
				for {
					left := x.some(x.View().Marked(), fmt.Sprintf("%d/", g), fmt.Sprintf("%d0", g), 1, kv.ScanOptions{})
					if left == "" {
						x.Rollback()
						break
					}
					_, err := x.Commit(x.ctx)
					if err == nil {
						break
					}
					if !errors.Is(err, kv.ErrRecheck) {
						e.Errorf("commit: %v", err)
						x.Rollback()
						break
					}
					repeated.Add(1)
					if err := x.Recheck(x.ctx); err != nil {
						e.Errorf("recheck: %v", err)
						x.Rollback()
						break
					}
				}
			}
		}()
	}
	wait.Wait()
	e.Logf("%d checks repeated", repeated.Load())
	x := e.begin()
	for g := range groups {
		if left := x.some(x, fmt.Sprintf("%d/", g), fmt.Sprintf("%d0", g), 2, kv.ScanOptions{}); len(left) == 0 || len(left) > len("0/0=1") {
			e.Errorf("group %d has %q", g, left)
		}
	}
}
