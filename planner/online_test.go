package planner_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holdfast/kv"
	"holdfast/kv/crashdisk"
	"holdfast/kv/memkv"
	"holdfast/kv/pebblekv"
	"holdfast/planner/sessiontest"
	"holdfast/sql/accumulator"
)

// gatedStore is a store in which gate is called when a transaction without a footprint begins to read a whole table, and counting when
// one with a footprint does.
type gatedStore struct {
	kv.Store
	reads, counts int
	gate          func()
	counting      func(guarded bool)
}

func (s *gatedStore) Begin(ctx context.Context, o kv.TxnOptions) (kv.Txn, error) {
	txn, err := s.Store.Begin(ctx, o)
	switch {
	case err != nil:
		return nil, err
	case o.ReadOnly:
		return &gatedTxn{txn, s}, nil
	}
	return &countedTxn{Txn: txn, store: s}, nil
}

// countedTxn is a transaction with a footprint.
type countedTxn struct {
	kv.Txn
	store   *gatedStore
	guarded bool
}

func (t *countedTxn) Restart(ctx context.Context, guard bool) error {
	t.guarded = guard
	return t.Txn.Restart(ctx, guard)
}

func (t *countedTxn) View() kv.Reader { return &countedReader{t.Txn.View(), t} }

type countedReader struct {
	kv.Reader
	txn *countedTxn
}

func (r *countedReader) Scan(ctx context.Context, at kv.KeyRange, o kv.ScanOptions) kv.Iterator {
	it := r.Reader.Scan(ctx, at, o)
	s := r.txn.store
	if schema := bytes.HasPrefix(at.Start, make([]byte, 4)); o.Bulk && !schema && s.counting != nil {
		counting := s.counting
		s.counting = nil // what it does may read too
		counting(r.txn.guarded)
		s.counting = counting
	}
	return it
}

type gatedTxn struct {
	kv.Txn
	store *gatedStore
}

func (t *gatedTxn) Scan(ctx context.Context, r kv.KeyRange, o kv.ScanOptions) kv.Iterator {
	if schema := bytes.HasPrefix(r.Start, make([]byte, 4)); o.Bulk && !schema && t.store.gate != nil {
		t.store.reads++
		gate := t.store.gate
		t.store.gate = nil // what it does may read too
		gate()
		t.store.gate = gate
	}
	return t.Txn.Scan(ctx, r, o)
}

// online is a database in which a function can be run in the middle of the check of an assertion.
func online(t *testing.T) (s *gatedStore, db *sessiontest.DB, c, other *sessiontest.Client) {
	s = &gatedStore{Store: memkv.New(memkv.Options{Merge: accumulator.Merge})}
	db = sessiontest.OpenStore(t, s)
	c, other = db.Connect(), db.Connect()
	c.Must("CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t SELECT g, g % 10 FROM generate_series(1, 1000) g")
	return s, db, c, other
}

const createSmall = "CREATE ASSERTION small CHECK (NOT EXISTS (SELECT id, n FROM t WHERE n > 9))"

// TestCreateOnline: while CREATE ASSERTION looks at the data, others write, under the assertion; that neither keeps them waiting nor
// makes it begin again.
func TestCreateOnline(t *testing.T) {
	s, _, c, other := online(t)
	s.gate = func() {
		other.Must("INSERT INTO t VALUES (2000, 1); UPDATE t SET n = n + 0 WHERE id = 1; DELETE FROM t WHERE id = 2")
		if _, err := other.Exec("UPDATE t SET n = 10 WHERE id = 3"); err == nil || !strings.Contains(err.Error(), `assertion "small" is violated`) {
			t.Errorf("a violation before the assertion is valid: %v", err)
		}
		other.Query("SELECT state FROM pg_stat_assertions", "being created")
		other.Query("SELECT convalidated FROM pg_constraint WHERE conname = 'small'", "f")
		other.Query("SELECT datname, assertionname, command, phase, tables_total, tables_done, tuples_total > 900, tuples_done FROM pg_stat_progress_assertion",
			"postgres|small|CREATE ASSERTION|reading tables|1|0|t|0")
		other.Fails("ALTER ASSERTION small DISABLE", `
ERROR 55006: assertion "small" is being created
DETAIL: CREATE ASSERTION is still looking at the data there is.
HINT: Wait until that is done, or drop the assertion.`[1:])
		other.Fails(createSmall, `ERROR 42710: assertion "small" already exists`)
	}
	if tag := c.Must(createSmall).Tag(); tag != "CREATE ASSERTION" {
		t.Errorf("the tag is %s", tag)
	}
	if s.reads != 1 {
		t.Errorf("the table was read %d times", s.reads)
	}
	s.gate = nil
	c.Query("SELECT state FROM pg_stat_assertions", "enforced")
	c.Query("SELECT convalidated FROM pg_constraint WHERE conname = 'small'", "t")
	c.Query("SELECT count(*) FROM pg_stat_progress_assertion", "0")
	if _, err := other.Exec("INSERT INTO t VALUES (3000, 10)"); err == nil {
		t.Error("a violation of a valid assertion was let through")
	}
}

// TestCreateOnlineFails: an assertion that the data do not fulfil leaves nothing.
func TestCreateOnlineFails(t *testing.T) {
	s, _, c, other := online(t)
	c.Must("UPDATE t SET n = 11 WHERE id = 500")
	s.gate = func() { other.Must("UPDATE t SET n = 10 WHERE id = 500") } // better than it was, and so no new violation
	const violated = `
ERROR 23514: assertion "small" is violated
DETAIL: Violating row: (id, n) = (500, 11).
HINT: SELECT * FROM violations('small') returns all that is wrong.
SCHEMA: public
CONSTRAINT: small`
	c.Fails(createSmall, strings.Replace(violated[1:], "SELECT * FROM violations('small') returns",
		"The data there are have to fulfil it. NOT VALID enforces it for what changes alone, and violations('small') then returns", 1))
	s.gate = nil
	c.Query("SELECT count(*) FROM pg_constraint WHERE conname = 'small'", "0")
	other.Must("UPDATE t SET n = 12 WHERE id = 501")
	c.Must("UPDATE t SET n = 0")
	c.Must(createSmall)

	// The same for VALIDATE, which leaves it as it was.
	c.Must("DROP ASSERTION small; UPDATE t SET n = 11 WHERE id = 500; " + createSmall + " NOT VALID")
	c.Fails("ALTER ASSERTION small VALIDATE", violated[1:])
	c.Query("SELECT state FROM pg_stat_assertions", "not valid")
	c.Must("ALTER ASSERTION small DISABLE")
	c.Must("ALTER ASSERTION small ENABLE") // which says nothing about the data
	c.Must("UPDATE t SET n = 0 WHERE id = 500; ALTER ASSERTION small VALIDATE")
	c.Must("ALTER ASSERTION small DISABLE; UPDATE t SET n = 11 WHERE id = 500")
	c.Fails("ALTER ASSERTION small ENABLE", violated[1:])
	c.Query("SELECT state FROM pg_stat_assertions", "disabled")
	c.Must("ALTER ASSERTION small NOT ENFORCED")
	if r := c.Must("ALTER ASSERTION small ENABLE"); len(r.Notices) != 1 || r.Notices[0].Severity != "WARNING" {
		t.Errorf("ENABLE of a NOT ENFORCED assertion: %v", r.Notices)
	}
	c.Fails("ALTER ASSERTION small ENFORCED", violated[1:])
	c.Query("SELECT state FROM pg_stat_assertions", "not enforced")
	c.Must("UPDATE t SET n = 0 WHERE id = 500")
	c.Must("ALTER ASSERTION small ENFORCED")
	c.Query("SELECT state FROM pg_stat_assertions", "enforced")

	// What is not in force can be validated too, whatever that is worth; what is valid already is looked at again.
	c.Must("ALTER ASSERTION small VALIDATE")
	c.Must("DROP ASSERTION small; " + createSmall + " NOT VALID; ALTER ASSERTION small DISABLE")
	c.Must("ALTER ASSERTION small VALIDATE")
	c.Query("SELECT validated, enabled FROM holdfast_assertions", "t|f")
	c.Must("ALTER ASSERTION small NOT ENFORCED")
	c.Must("ALTER ASSERTION small ENABLE")
	c.Must("UPDATE t SET n = 11 WHERE id = 500")
	c.Fails("ALTER ASSERTION small VALIDATE", violated[1:])

	// In a block it is one transaction.
	c.Must("DROP ASSERTION small; UPDATE t SET n = 0")
	c.Must("BEGIN; " + createSmall + "; ROLLBACK")
	c.Query("SELECT count(*) FROM pg_stat_assertions", "0")
	c.Must("BEGIN")
	c.Must(createSmall)
	other.Query("SELECT count(*) FROM pg_stat_assertions", "0")
	c.Must("COMMIT")
	c.Query("SELECT state FROM pg_stat_assertions", "enforced")
}

// TestValidateOnlineChanged has others take the assertion out of force meanwhile: what they let in is found all the same.
func TestValidateOnlineChanged(t *testing.T) {
	s, _, c, other := online(t)
	c.Must(createSmall + " NOT VALID")
	times := 0
	s.gate = func() {
		if times++; times == 1 {
			other.Must("ALTER ASSERTION small DISABLE; INSERT INTO t VALUES (2000, 77); ALTER ASSERTION small ENABLE")
		}
	}
	c.Fails("ALTER ASSERTION small VALIDATE", `
ERROR 23514: assertion "small" is violated
DETAIL: Violating row: (id, n) = (2000, 77).
HINT: SELECT * FROM violations('small') returns all that is wrong.
SCHEMA: public
CONSTRAINT: small`[1:])
	if times != 2 {
		t.Errorf("the table was read %d times", times)
	}
	c.Must("DELETE FROM t WHERE id = 2000")
	times = 1
	s.gate = func() {
		if times++; times == 2 {
			other.Must("ALTER ASSERTION small DISABLE")
		}
	}
	c.Fails("ALTER ASSERTION small VALIDATE", `ERROR 55000: assertion "small" was changed while it was being checked`)
	c.Query("SELECT state FROM pg_stat_assertions", "disabled")
	c.Must("ALTER ASSERTION small ENABLE")
	times = 0
	s.gate = func() {
		if times++; times == 1 {
			other.Must("DROP ASSERTION small")
		}
	}
	c.Fails("ALTER ASSERTION small VALIDATE", `ERROR 42704: the assertion was dropped while it was being checked`)
}

// TestCreateOnlineEnds: neither a cancellation nor the server's end leaves half of an assertion.
func TestCreateOnlineEnds(t *testing.T) {
	s, _, c, other := online(t)
	ctx, cancel := context.WithCancel(context.Background())
	s.gate = cancel
	if _, err := c.ExecContext(ctx, createSmall); err == nil || !strings.Contains(err.Error(), "canceling statement") {
		t.Errorf("a canceled CREATE ASSERTION: %v", err)
	}
	other.Query("SELECT count(*) FROM pg_stat_assertions", "0")

	// What the next server finds in the store.
	ctx, cancel = context.WithCancel(context.Background())
	s.gate = func() {
		other.Query("SELECT state FROM pg_stat_assertions", "being created")
		next := sessiontest.OpenStore(t, neverClosed{s.Store}).Connect()
		next.Query("SELECT count(*) FROM pg_stat_assertions", "0")
		next.Must(createSmall)
		cancel()
	}
	if _, err := c.ExecContext(ctx, createSmall); err == nil {
		t.Error("CREATE ASSERTION went on")
	}
}

// TestOnlinePowerFailure cuts the power while an assertion is being brought into force, and opens what is on the disk.
func TestOnlinePowerFailure(t *testing.T) {
	files := vfs.NewCrashableMem()
	open := func(files vfs.FS) kv.Store {
		store, err := pebblekv.Open(pebblekv.Options{
			Folder: "db", FS: files, CacheBytes: 8 << 20, MemtableBytes: 4 << 20, Merge: accumulator.Merge, Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		return store
	}
	s := &gatedStore{Store: open(crashdisk.Careful(files))}
	db := sessiontest.OpenStore(t, s)
	c, other := db.Connect(), db.Connect()
	c.Must("CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t SELECT g, g % 10 FROM generate_series(1, 1000) g")
	failures := 0
	crash := func(check func(db *sessiontest.DB, c *sessiontest.Client)) func() {
		return func() {
			failures++
			other.Must(fmt.Sprintf("INSERT INTO t VALUES (%d, 1)", 2000+failures)) // once this is on the disk, so is what was committed before
			db := sessiontest.OpenStore(t, open(crashdisk.Clone(files, vfs.CrashCloneCfg{})))
			c := db.Connect()
			check(db, c)
			if wrong, _, err := db.Engine.CheckAccumulators(context.Background()); err != nil || len(wrong) > 0 {
				t.Errorf("after the power failure: %s, %v", wrong, err)
			}
			if _, err := c.Exec("INSERT INTO t SELECT 5000 + g, 1 FROM generate_series(1, 500) g"); err == nil {
				t.Error("a violation was let through")
			}
		}
	}
	const few = "CREATE ASSERTION few CHECK (NOT EXISTS (SELECT n FROM t GROUP BY n HAVING count(*) > 500))"
	gone := func(db *sessiontest.DB, c *sessiontest.Client) {
		c.Query("SELECT count(*) FROM pg_stat_assertions", "0")
		c.Query("SELECT count(*) FROM pg_constraint WHERE conname = 'few'", "0")
		c.Must(few)
		c.Query("SELECT state FROM pg_stat_assertions", "enforced")
	}
	once := func(f func()) func(bool) {
		var first sync.Once
		return func(bool) { first.Do(f) } // it makes the statement count again
	}
	s.gate, s.counting = crash(gone), once(crash(gone))
	c.Must(few)
	c.Must("ALTER ASSERTION few DISABLE")
	notValid := func(db *sessiontest.DB, c *sessiontest.Client) {
		c.Query("SELECT state FROM pg_stat_assertions", "not valid")
	}
	s.gate, s.counting = crash(notValid), once(crash(notValid))
	c.Must("ALTER ASSERTION few ENABLE")
	s.gate = nil
	if failures != 4 {
		t.Errorf("the power failed %d times", failures)
	}
	c.Query("SELECT state FROM pg_stat_assertions", "enforced")
}

// TestNotEnforcedOnlineEnds: an assertion that would only warn is not there either if its CREATE did not come to its end, and one that
// was being enabled is disabled as before.
func TestNotEnforcedOnlineEnds(t *testing.T) {
	s, _, c, other := online(t)
	canceled := func(statement string) {
		t.Helper()
		ctx, cancel := context.WithCancel(context.Background())
		s.gate = cancel
		if _, err := c.ExecContext(ctx, statement); err == nil || !strings.Contains(err.Error(), "canceling statement") {
			t.Errorf("a canceled %s: %v", statement, err)
		}
		s.gate = nil
	}
	canceled(createSmall + " NOT ENFORCED")
	other.Query("SELECT count(*) FROM pg_stat_assertions", "0")
	c.Must(createSmall + " NOT ENFORCED")
	const as = "SELECT state, enabled, validated FROM pg_stat_assertions, holdfast_assertions"
	other.Query(as, "not enforced|t|t")
	c.Must("ALTER ASSERTION small DISABLE")
	canceled("ALTER ASSERTION small ENABLE")
	other.Query(as, "disabled|f|t")
	c.Must("ALTER ASSERTION small ENABLE")
	other.Query(as, "not enforced|t|t")
}

// TestValidateDisabledOnline: what is not in force has nothing kept of its rows, although it is found to be fulfilled.
func TestValidateDisabledOnline(t *testing.T) {
	_, db, c, _ := online(t)
	const few = "CREATE ASSERTION few CHECK (NOT EXISTS (SELECT n FROM t GROUP BY n HAVING count(*) > 500))"
	groups := func(want int) {
		t.Helper()
		wrong, n, err := db.Engine.CheckAccumulators(context.Background())
		if err != nil || len(wrong) > 0 || n != want {
			t.Errorf("%d groups are kept, want %d; %s, %v", n, want, wrong, err)
		}
	}
	c.Must(few + " NOT VALID; ALTER ASSERTION few DISABLE")
	c.Must("ALTER ASSERTION few VALIDATE")
	groups(0)
	c.Must("ALTER ASSERTION few ENABLE")
	groups(10)
	c.Must("DROP ASSERTION few; " + few + " NOT VALID; ALTER ASSERTION few NOT ENFORCED")
	c.Must("ALTER ASSERTION few VALIDATE")
	groups(0)
	c.Must("ALTER ASSERTION few ENFORCED")
	groups(10)
}

// TestCountOnline: whoever writes to a table whose rows are being counted for an assertion cannot have that begin anew for ever.
func TestCountOnline(t *testing.T) {
	s, db, c, other := online(t)
	s.counting = func(guarded bool) {
		if s.counts++; guarded || s.counts > 20 {
			return // the writer would wait
		}
		other.Must("INSERT INTO t SELECT max(id) + 1, 1 FROM t")
	}
	c.Must("CREATE ASSERTION few CHECK (NOT EXISTS (SELECT n FROM t GROUP BY n HAVING count(*) > 500))")
	if s.counts > 5 {
		t.Errorf("the rows were counted %d times", s.counts)
	}
	s.counting = nil
	if wrong, groups, err := db.Engine.CheckAccumulators(context.Background()); err != nil || len(wrong) > 0 || groups != 10 {
		t.Errorf("%d groups are kept: %s, %v", groups, wrong, err)
	}
}

type neverClosed struct{ kv.Store }

func (neverClosed) Close() error { return nil }
