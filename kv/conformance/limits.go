package conformance

import (
	"errors"
	"fmt"
	"strings"

	"holdfast/kv"
)

// limitScenarios: what is refused, and how a store ends.
var limitScenarios = []scenario{
	{"limit/read-only", readOnlyRefuses},
	{"limit/key", keyTooLarge},
	{"limit/value", valueTooLarge},
	{"limit/transaction", txnTooLarge},
	{"close/refuses", closeRefuses},
	{"close/wakes those who wait for locks", closeWakes},
	{"close/waits for commits", closeWaits},
}

// affordable is the largest limit a scenario goes up to, in bytes.
const affordable = 64 << 20

func readOnlyRefuses(e *env) {
	e.put("a=1")
	x := e.beginWith(kv.TxnOptions{ReadOnly: true})
	e.fails("set", x.Set([]byte("a"), nil, kv.AllColumns), kv.ErrReadOnly)
	e.fails("delete", x.Delete([]byte("a")), kv.ErrReadOnly)
	e.fails("refresh", x.Refresh(x.ctx), kv.ErrReadOnly)
	x.wants("a", "1")
	mark := x.Savepoint()
	x.Observe([]byte("a"), kv.AllColumns)
	x.RollbackTo(mark)
	x.Retract(mark)
	x.equal("view", x.readFrom(x.View(), "a", kv.AllColumns), "1")
	x.commits()
	e.wantContent("a=1")
}

func keyTooLarge(e *env) {
	limit := e.Store.Caps().KeyBytes
	if limit == 0 || limit > affordable {
		e.Skip("no limit")
	}
	x := e.begin()
	fits := strings.Repeat("k", limit)
	x.set(fits, "1")
	x.commits()
	x = e.begin()
	x.wants(fits, "1")
	e.refused(func(x *tx) error { return x.Set([]byte(fits+"k"), []byte("1"), kv.AllColumns) })
}

func valueTooLarge(e *env) {
	limit := e.Store.Caps().ValueBytes
	if limit == 0 || limit > affordable {
		e.Skip("no limit")
	}
	fits := strings.Repeat("v", limit)
	e.put("a=" + fits)
	e.begin().wants("a", fits)
	e.refused(func(x *tx) error { return x.Set([]byte("b"), []byte(fits+"v"), kv.AllColumns) })
}

// refused expects ErrTooLarge from f or from the commit, and no trace.
func (e *env) refused(f func(x *tx) error) {
	e.Helper()
	before := e.content()
	x := e.begin()
	x.set("with it", "1")
	err := f(x)
	if err == nil {
		err = commitError(x)
	}
	e.fails("too large", err, kv.ErrTooLarge)
	x.Rollback()
	e.wantContent(before)
	e.put("z=1", "z")
}

func txnTooLarge(e *env) {
	limit := e.Store.Caps().TxnBytes
	if limit == 0 || limit > affordable {
		e.Skip("no limit")
	}
	fill := func(x *tx, bytes int64) error {
		const pieces = 16
		value := make([]byte, bytes/pieces)
		for i := range pieces {
			if err := x.Set([]byte(fmt.Sprint("k", i)), value, kv.AllColumns); err != nil {
				return err
			}
		}
		return nil
	}
	e.refused(func(x *tx) error { return fill(x, limit+pieceSlack) })
	// Half of the limit always fits, keys and upkeep included.
	x := e.begin()
	if err := fill(x, limit/2); err != nil {
		e.Fatal(err)
	}
	x.commits()
}

// pieceSlack makes up for the rounding when a size is cut into pieces.
const pieceSlack = 64

func closeRefuses(e *env) {
	e.put("a=1", "b=1")
	x, y := e.begin(), e.begin()
	view := y.View()
	it := view.Scan(y.ctx, keyRange("", ""), kv.ScanOptions{Columns: kv.AllColumns})
	if !it.Next() {
		e.Fatal("no pair")
	}
	unstarted := y.Scan(y.ctx, keyRange("", ""), kv.ScanOptions{})
	x.set("c", "1")
	mark := x.Savepoint()
	if err := e.Store.Close(); err != nil {
		e.Fatal(err)
	}
	unavailable := func(what string, err error) {
		e.Helper()
		e.fails(what, err, kv.ErrUnavailable)
	}
	_, err := e.Store.Begin(e.ctx, kv.TxnOptions{})
	unavailable("begin", err)
	unavailable("discard", e.Store.Discard(e.ctx, keyRange("x", "y")))
	for it.Next() {
	}
	if err := it.Err(); err != nil {
		unavailable("open scan", err)
	}
	_ = it.Close()
	if unstarted.Next() {
		e.Error("a scan starts on a closed store")
	}
	unavailable("scan", errors.Join(unstarted.Err(), unstarted.Close()))
	_, _, err = x.Get(x.ctx, []byte("a"), kv.AllColumns)
	unavailable("get", err)
	_, _, err = view.Get(x.ctx, []byte("a"), kv.AllColumns)
	unavailable("get from a view", err)
	x.RollbackTo(mark)
	unavailable("lock", x.lockError(kv.LockUpdate, kv.WaitPolicy{}, "a"))
	unavailable("refresh", x.Refresh(x.ctx))
	unavailable("commit", commitError(x))
	x.Rollback()
	y.Rollback()
	if err := e.Store.Close(); err != nil {
		e.Errorf("second close: %v", err)
	}
}

func closeWakes(e *env) {
	x, y := e.begin(), e.begin()
	x.lock(kv.LockUpdate, "a")
	waiting := y.locking(kv.LockUpdate, "a", kv.WaitPolicy{}, 0)
	if err := e.Store.Close(); err != nil {
		e.Fatal(err)
	}
	e.fails("lock", e.await("lock", waiting), kv.ErrUnavailable)
}

func closeWaits(e *env) {
	resume := e.pause()
	committed := e.pending(e.begin(), "a", "1")
	closed := make(chan error, 1)
	go func() { closed <- e.Store.Close() }()
	e.still("close", closed)
	resume()
	e.awaitNil("commit", committed)
	e.awaitNil("close", closed)
}
