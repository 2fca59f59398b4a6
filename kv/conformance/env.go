package conformance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"holdfast/kv"
)

// How long a scenario may take before whatever it waits for is given up. A sound store needs milliseconds.
const (
	patience   = 30 * time.Second
	impatience = 2 * time.Second
)

// env is what a scenario works with: a store, and shorthands that fail the test when something unexpected
// happens, so that a scenario reads as the interleaving it is about.
type env struct {
	testing.TB
	Harness
	ctx  context.Context
	open func(t testing.TB) Harness
}

func newEnv(t testing.TB, open func(t testing.TB) Harness, limit time.Duration) *env {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	e := &env{TB: t, Harness: open(t), ctx: ctx, open: open}
	t.Cleanup(func() {
		cancel()
		if err := e.Store.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return e
}

// fresh is an environment with another empty store, closed by the caller.
func (e *env) fresh() *env {
	return &env{TB: e.TB, Harness: e.open(e.TB), ctx: e.ctx, open: e.open}
}

// exact skips a scenario that expects no needless conflicts.
func (e *env) exact() {
	if e.Coarse {
		e.Skip("the store may report needless conflicts")
	}
}

// tx is a transaction of a scenario.
type tx struct {
	*env
	kv.Txn
}

func (e *env) begin() *tx { return e.beginWith(kv.TxnOptions{}) }

func (e *env) beginWith(o kv.TxnOptions) *tx {
	e.Helper()
	txn, err := e.Store.Begin(e.ctx, o)
	if err != nil {
		e.Fatalf("begin: %v", err)
	}
	e.Cleanup(txn.Rollback)
	return &tx{env: e, Txn: txn}
}

// put commits pairs, given as "key=value", of new rows; "key" alone deletes.
func (e *env) put(pairs ...string) {
	e.Helper()
	x := e.begin()
	for _, p := range pairs {
		if key, value, ok := strings.Cut(p, "="); ok {
			x.set(key, value)
		} else {
			x.del(key)
		}
	}
	x.commits()
}

// update commits a new value of an existing row that differs in the given columns.
func (e *env) update(key, value string, columns ...int) {
	e.Helper()
	x := e.begin()
	x.change(key, value, columns...)
	x.commits()
}

// content is all pairs as a new transaction sees them.
func (e *env) content() string {
	e.Helper()
	x := e.beginWith(kv.TxnOptions{ReadOnly: true})
	defer x.Rollback()
	return x.all("", "")
}

func (e *env) wantContent(want string) {
	e.Helper()
	if got := e.content(); got != want {
		e.Errorf("the store has %q, want %q", got, want)
	}
}

// set writes a new row.
func (x *tx) set(key, value string) {
	x.env.Helper()
	if err := x.Set([]byte(key), []byte(value), kv.AllColumns); err != nil {
		x.Fatalf("set %s: %v", key, err)
	}
}

// change writes an existing row that differs in the given columns.
func (x *tx) change(key, value string, columns ...int) {
	x.env.Helper()
	if err := x.Set([]byte(key), []byte(value), columnSet(columns)); err != nil {
		x.Fatalf("set %s: %v", key, err)
	}
}

func (x *tx) del(key string) {
	x.env.Helper()
	if err := x.Delete([]byte(key)); err != nil {
		x.Fatalf("delete %s: %v", key, err)
	}
}

// columnSet is the set of the given column numbers, without existence.
func columnSet(columns []int) kv.ColumnSet {
	var set kv.ColumnSet
	for _, n := range columns {
		set = set.With(n)
	}
	return set
}

const absent = "(absent)"

// read gets key for its columns, for existence alone if there are none.
func (x *tx) read(key string, columns ...int) string {
	x.env.Helper()
	return x.readFrom(x.Txn, key, columnSet(columns))
}

// get gets key with all columns.
func (x *tx) get(key string) string {
	x.env.Helper()
	return x.readFrom(x.Txn, key, kv.AllColumns)
}

func (x *tx) readFrom(r kv.Reader, key string, columns kv.ColumnSet) string {
	x.env.Helper()
	value, ok, err := r.Get(x.ctx, []byte(key), columns)
	if err != nil {
		x.Fatalf("get %s: %v", key, err)
	}
	if !ok {
		return absent
	}
	return string(value)
}

// wants gets key with all columns and compares.
func (x *tx) wants(key, want string) {
	x.env.Helper()
	if got := x.get(key); got != want {
		x.Errorf("get %s: %q, want %q", key, got, want)
	}
}

func keyRange(from, to string) kv.KeyRange {
	r := kv.KeyRange{Start: []byte(from)}
	if to != "" {
		r.End = []byte(to)
	}
	return r
}

// all reads a range to its end; an empty bound is none.
func (x *tx) all(from, to string) string {
	x.env.Helper()
	return x.some(x.Txn, from, to, -1, kv.ScanOptions{Columns: kv.AllColumns})
}

// some reads up to limit pairs of a range and closes the iterator, which is not asked for an end it has not
// reached; a negative limit is none.
func (x *tx) some(r kv.Reader, from, to string, limit int, o kv.ScanOptions) string {
	x.env.Helper()
	var out []string
	it := r.Scan(x.ctx, keyRange(from, to), o)
	for limit < 0 || len(out) < limit {
		if !it.Next() {
			break
		}
		out = append(out, string(it.Key())+"="+string(it.Value()))
	}
	if err := errors.Join(it.Err(), it.Close()); err != nil {
		x.Fatalf("scan [%s, %s): %v", from, to, err)
	}
	return strings.Join(out, " ")
}

// commits commits and expects success.
func (x *tx) commits() kv.Version {
	x.env.Helper()
	v, err := x.Commit(x.ctx)
	if err != nil {
		x.Fatalf("commit: %v", err)
	}
	return v
}

// conflicts commits and expects ErrConflict.
func (x *tx) conflicts() {
	x.env.Helper()
	x.fails("commit", commitError(x), kv.ErrConflict)
}

// commitError commits and rolls back if that fails.
func commitError(x *tx) error {
	_, err := x.Commit(x.ctx)
	if err != nil {
		x.Rollback()
	}
	return err
}

// fails expects err to be want.
func (e *env) fails(what string, err, want error) {
	e.Helper()
	if !errors.Is(err, want) {
		e.Errorf("%s: %v, want %v", what, err, want)
	}
}

// lock locks keys and expects success.
func (x *tx) lock(m kv.LockMode, keys ...string) {
	x.env.Helper()
	if err := x.lockError(m, kv.WaitPolicy{}, keys...); err != nil {
		x.Fatalf("lock %v: %v", keys, err)
	}
}

func (x *tx) lockError(m kv.LockMode, w kv.WaitPolicy, keys ...string) error {
	var list [][]byte
	for _, k := range keys {
		list = append(list, []byte(k))
	}
	return x.Lock(x.ctx, list, m, w)
}

// locking starts to wait for a lock and returns when the request stands in the queue, behind the queued ones
// that were there.
func (x *tx) locking(m kv.LockMode, key string, w kv.WaitPolicy, queued int) <-chan error {
	x.env.Helper()
	return x.blocked(key, queued, func() error { return x.lockError(m, w, key) })
}

// blocked starts f, which waits for key, and returns when it does.
func (e *env) blocked(key string, queued int, f func() error) <-chan error {
	e.Helper()
	result := make(chan error, 1)
	go func() { result <- f() }()
	if e.Waiters == nil {
		time.Sleep(20 * time.Millisecond)
	}
	for e.Waiters != nil && e.Waiters([]byte(key)) <= queued {
		select {
		case err := <-result:
			e.Fatalf("lock %s: %v, where it had to wait", key, err)
		case <-e.ctx.Done():
			e.Fatalf("lock %s: does not wait", key)
		default:
			time.Sleep(50 * time.Microsecond)
		}
	}
	select {
	case err := <-result:
		e.Fatalf("lock %s: %v, where it had to wait", key, err)
	default:
	}
	return result
}

// await waits for the outcome of something started.
func (e *env) await(what string, result <-chan error) error {
	e.Helper()
	select {
	case err := <-result:
		return err
	case <-e.ctx.Done():
		e.Fatalf("%s: waits forever", what)
		return nil
	}
}

func (e *env) awaitNil(what string, result <-chan error) {
	e.Helper()
	if err := e.await(what, result); err != nil {
		e.Fatalf("%s: %v", what, err)
	}
}

func (e *env) equal(what string, got, want any) {
	e.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		e.Errorf("%s: %q, want %q", what, g, w)
	}
}
