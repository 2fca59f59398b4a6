package waits

import (
	"context"
	"fmt"
	"net"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"holdfast/compat_tests/testserver"
)

const table = `CREATE TABLE t (id int PRIMARY KEY, v int, w text UNIQUE); INSERT INTO t VALUES (1, 1, 'a'), (2, 2, 'b'), (3, 3, 'c')`

// cycle is the DETAIL of a deadlock of two.
var cycle = regexp.MustCompile(`^Process (\d+) waits for ShareLock on transaction (\d+); blocked by process (\d+)\.\nProcess (\d+) waits for ShareLock on transaction (\d+); blocked by process (\d+)\.$`)

// unrepeatable is a statement whose answer is another one each time: a transaction with it cannot be run again unnoticed,
// so that its client is told of a deadlock.
const unrepeatable = "SELECT clock_timestamp(); "

// TestDeadlock: the message has PostgreSQL's words, the session that closes the circle gets it, and the other goes on.
func TestDeadlock(t *testing.T) {
	s := testserver.Start(t)
	a, b, watcher := connect(t, s), connect(t, s), connect(t, s)
	a.exec(table + `; CREATE TABLE plain (v int); INSERT INTO plain VALUES (1), (2)`)
	for _, c := range []struct{ first, second, last, where string }{
		{"UPDATE t SET v = 0 WHERE id = 1", "UPDATE t SET v = 0 WHERE id = 2", "UPDATE t SET v = 0 WHERE id = 1", `while updating tuple (id)=(1) in relation "t"`},
		{"DELETE FROM t WHERE id = 1", "DELETE FROM t WHERE id = 2", "DELETE FROM t WHERE id = 1", `while deleting tuple (id)=(1) in relation "t"`},
		{"SELECT * FROM t WHERE id = 1 FOR UPDATE", "SELECT * FROM t WHERE id = 2 FOR UPDATE", "SELECT * FROM t WHERE id = 1 FOR SHARE", `while locking tuple (id)=(1) in relation "t"`},
		{"INSERT INTO t VALUES (11, 1, 'x')", "INSERT INTO t VALUES (12, 1, 'y')", "INSERT INTO t VALUES (13, 1, 'x')", `while inserting index tuple (w)=(x) in relation "t_w_key"`},
		{"UPDATE plain SET v = 10 WHERE v = 1", "UPDATE plain SET v = 20 WHERE v = 2", "UPDATE plain SET v = 10 WHERE v = 1", ""},
	} {
		a.exec("BEGIN; " + c.first)
		b.exec("BEGIN; " + unrepeatable + c.second)
		waiting := a.begin(watcher, c.second)
		e := fails(t, b.try(c.last), "40P01")
		m := cycle.FindStringSubmatch(e.Detail)
		if e.Message != "deadlock detected" || e.Hint != "See server log for query details." || m == nil || m[2] == m[5] ||
			m[1] != fmt.Sprint(b.pid) || m[3] != fmt.Sprint(a.pid) || m[4] != m[3] || m[6] != m[1] {
			t.Errorf("%s: sessions %d and %d: %q %q %q", c.last, a.pid, b.pid, e.Message, e.Detail, e.Hint)
		}
		if e.Where != c.where && c.where != "" || !strings.HasPrefix(e.Where, "while ") {
			t.Errorf("%s: %q", c.last, e.Where)
		}
		b.exec("ROLLBACK")
		succeeds(t, waiting)
		a.exec("ROLLBACK")
	}
	if n := a.one("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"); n != "5" {
		t.Errorf("%s deadlocks counted", n)
	}
}

// TestDeadlockInQueue: one of the circle waits for another that waits for the same row before it. The session that is
// told has gone back to its transaction's beginning, where it had not read the schema.
func TestDeadlockInQueue(t *testing.T) {
	s := testserver.Start(t)
	x, y, z, watcher := connect(t, s), connect(t, s), connect(t, s), connect(t, s)
	x.exec(table)
	x.exec("BEGIN; " + unrepeatable + "SELECT * FROM t WHERE id = 1 FOR KEY SHARE")
	z.exec("BEGIN; UPDATE t SET v = 0 WHERE id = 2")
	second := y.begin(watcher, "SELECT * FROM t WHERE id = 1 FOR UPDATE")
	third := z.begin(watcher, "SELECT * FROM t WHERE id = 1 FOR KEY SHARE")
	e := fails(t, x.try("UPDATE t SET v = 1 WHERE id = 2"), "40P01")
	oid := watcher.one("SELECT 't'::regclass::oid")
	want := fmt.Sprintf(`^Process %d waits for ShareLock on transaction \d+; blocked by process %d\.
Process %d waits for AccessShareLock on tuple \(\d+,\d+\) of relation %s of database 5; blocked by process %d\.
Process %d waits for ShareLock on transaction \d+; blocked by process %d\.$`, x.pid, z.pid, z.pid, oid, y.pid, y.pid, x.pid)
	if !regexp.MustCompile(want).MatchString(e.Detail) {
		t.Errorf("%s\nnot %s", e.Detail, want)
	}
	x.exec("ROLLBACK")
	succeeds(t, second)
	succeeds(t, third)
	z.exec("ROLLBACK")
}

// TestDeadlockTimeout: of two sessions the one with the smaller deadlock_timeout gives way, though the other one's
// wait closes the circle.
func TestDeadlockTimeout(t *testing.T) {
	s := testserver.Start(t)
	a, b, watcher := connect(t, s), connect(t, s), connect(t, s)
	a.exec(table)
	fails(t, a.try("SET deadlock_timeout = 0"), "22023")
	a.exec("SET deadlock_timeout = '10ms'")
	if got := a.one("SHOW deadlock_timeout"); got != "10ms" {
		t.Errorf("deadlock_timeout is %s", got)
	}
	a.exec("BEGIN; " + unrepeatable + "UPDATE t SET v = 0 WHERE id = 1")
	b.exec("BEGIN; UPDATE t SET v = 0 WHERE id = 2")
	waiting := a.begin(watcher, "UPDATE t SET v = 0 WHERE id = 2")
	other := b.start("UPDATE t SET v = 5 WHERE id = 1")
	e := fails(t, ends(t, waiting), "40P01")
	if m := cycle.FindStringSubmatch(e.Detail); m == nil || m[1] != fmt.Sprint(a.pid) || e.Where != `while updating tuple (id)=(2) in relation "t"` {
		t.Errorf("%q %q", e.Detail, e.Where)
	}
	a.exec("ROLLBACK")
	succeeds(t, other)
	b.exec("COMMIT")
	if got := a.one("SELECT v FROM t WHERE id = 1"); got != "5" {
		t.Errorf("v = %s", got)
	}
}

// TestRepeatedDeadlock: a transaction that can be run again is, and nobody is told.
func TestRepeatedDeadlock(t *testing.T) {
	s := testserver.Start(t)
	a, b, watcher := connect(t, s), connect(t, s), connect(t, s)
	a.exec(table)
	a.exec("BEGIN; UPDATE t SET v = v + 1 WHERE id = 1")
	b.exec("BEGIN; UPDATE t SET v = v + 10 WHERE id = 2")
	waiting := a.begin(watcher, "UPDATE t SET v = v + 1 WHERE id = 2")
	other := b.start("UPDATE t SET v = v + 10 WHERE id = 1")
	succeeds(t, waiting)
	a.exec("COMMIT")
	succeeds(t, other)
	b.exec("COMMIT")
	if got := a.one("SELECT string_agg(v::text, ' ' ORDER BY id) FROM t"); got != "12 13 3" {
		t.Errorf("v: %s", got)
	}
}

// TestImplicitDeadlock: who gives no BEGIN is not told of a deadlock: it lets go of its locks and is run again.
func TestImplicitDeadlock(t *testing.T) {
	s := testserver.Start(t)
	a, b, watcher := connect(t, s), connect(t, s), connect(t, s)
	a.exec(table)
	a.exec("BEGIN; UPDATE t SET v = v + 1 WHERE id = 1")
	b.exec("SET deadlock_timeout = 1")
	implicit := b.begin(watcher, "UPDATE t SET v = v + 10 WHERE id = 2; UPDATE t SET v = v + 10 WHERE id = 1")
	a.exec("UPDATE t SET v = v + 1 WHERE id = 2")
	a.exec("COMMIT")
	succeeds(t, implicit)
	if got := a.one("SELECT string_agg(v::text, ' ' ORDER BY id) FROM t"); got != "12 13 3" {
		t.Errorf("v: %s", got)
	}
}

// TestLockTimeout: lock_timeout, NOWAIT and SKIP LOCKED.
func TestLockTimeout(t *testing.T) {
	s := testserver.Start(t)
	a, b := connect(t, s), connect(t, s)
	a.exec(table)
	a.exec("BEGIN; UPDATE t SET v = 0 WHERE id = 1")
	b.exec("SET lock_timeout = 20")
	for sql, where := range map[string]string{
		"UPDATE t SET v = 1 WHERE id = 1":                              `while updating tuple (id)=(1) in relation "t"`,
		"DELETE FROM t WHERE id = 1":                                   `while deleting tuple (id)=(1) in relation "t"`,
		"SELECT * FROM t ORDER BY id FOR SHARE":                        `while locking tuple (id)=(1) in relation "t"`,
		"INSERT INTO t VALUES (1, 1, 'q') ON CONFLICT (id) DO NOTHING": `while inserting index tuple (id)=(1) in relation "t"`,
	} {
		if e := fails(t, b.try(sql), "55P03"); e.Message != "canceling statement due to lock timeout" || e.Where != where {
			t.Errorf("%s: %q, %q", sql, e.Message, e.Where)
		}
	}
	for _, mode := range []string{"UPDATE", "NO KEY UPDATE", "SHARE"} {
		if e := fails(t, b.try("SELECT * FROM t FOR "+mode+" NOWAIT"), "55P03"); e.Message != `could not obtain lock on row in relation "t"` {
			t.Errorf("NOWAIT: %q", e.Message)
		}
		if got := strings.Join(b.rows("SELECT id FROM t FOR "+mode+" SKIP LOCKED"), " "); got != "2 3" {
			t.Errorf("SKIP LOCKED: %s", got)
		}
	}
	if got := len(b.rows("SELECT id FROM t FOR KEY SHARE NOWAIT")); got != 3 {
		t.Errorf("FOR KEY SHARE: %d rows", got) // an update of other columns leaves it
	}
	a.exec("ROLLBACK")
}

// TestEndOfWaiting: a wait ends by all that ends statements, and leaves the session's transaction as an error does.
func TestEndOfWaiting(t *testing.T) {
	s := testserver.Start(t)
	a, watcher := connect(t, s), connect(t, s)
	a.exec(table)
	a.exec("BEGIN; UPDATE t SET v = 0 WHERE id = 1")
	const statement = "UPDATE t SET v = 1 WHERE id = 1"
	where := `while updating tuple (id)=(1) in relation "t"`

	b := connect(t, s)
	waiting := b.begin(watcher, statement)
	if got := watcher.one(fmt.Sprintf("SELECT pg_cancel_backend(%d)", b.pid)); got != "t" {
		t.Errorf("pg_cancel_backend: %s", got)
	}
	if e := fails(t, ends(t, waiting), "57014"); e.Message != "canceling statement due to user request" || e.Where != where {
		t.Errorf("%q, %q", e.Message, e.Where)
	}

	waiting = b.begin(watcher, statement)
	if err := b.conn.PgConn().CancelRequest(context.Background()); err != nil {
		t.Fatal(err)
	}
	fails(t, ends(t, waiting), "57014")

	b.exec("BEGIN; SET LOCAL statement_timeout = 20")
	if e := fails(t, b.try(statement), "57014"); e.Message != "canceling statement due to statement timeout" {
		t.Errorf("%q", e.Message)
	}
	fails(t, b.try("SELECT 1"), "25P02")
	b.exec("ROLLBACK")

	waiting = b.begin(watcher, statement)
	if got := watcher.one(fmt.Sprintf("SELECT pg_terminate_backend(%d)", b.pid)); got != "t" {
		t.Errorf("pg_terminate_backend: %s", got)
	}
	if e := fails(t, ends(t, waiting), "57P01"); e.Severity != "FATAL" || e.Message != "terminating connection due to administrator command" {
		t.Errorf("%s %q", e.Severity, e.Message)
	}
	watcher.until("0", fmt.Sprintf("SELECT count(*) FROM pg_stat_activity WHERE pid = %d", b.pid))

	// An idle session, in a transaction too, ends as well, and gives its locks back.
	idle := connect(t, s)
	idle.exec("BEGIN; UPDATE t SET v = 7 WHERE id = 2")
	waiting = watcher.start("UPDATE t SET v = 8 WHERE id = 2")
	if got := a.one(fmt.Sprintf("SELECT pg_terminate_backend(%d, 0)", idle.pid)); got != "t" {
		t.Errorf("pg_terminate_backend: %s", got)
	}
	succeeds(t, waiting)
	fails(t, idle.try("SELECT 1"), "57P01")

	// Who is not there cannot be canceled; oneself is, at once.
	for _, f := range []string{"pg_cancel_backend(99999)", "pg_terminate_backend(99999)"} {
		watcher.notices = nil
		if got := watcher.one("SELECT " + f); got != "f" || len(watcher.notices) != 1 || watcher.notices[0].Message != "PID 99999 is not a PostgreSQL backend process" ||
			watcher.notices[0].Severity != "WARNING" || watcher.notices[0].Code != "01000" {
			t.Errorf("%s: %s, %v", f, got, watcher.notices)
		}
	}
	fails(t, watcher.try("SELECT pg_cancel_backend(pg_backend_pid())"), "57014")
	fails(t, watcher.try("SELECT pg_terminate_backend(pg_backend_pid())"), "57P01")
	a.exec("COMMIT")
}

// TestHangup: a client that goes away while it waits leaves the queue, and one that holds a lock gives it up, without
// anybody having to end first.
func TestHangup(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("noticed on Linux only")
	}
	s := testserver.Start(t)
	a, b, c, watcher := connect(t, s), connect(t, s), connect(t, s), connect(t, s)
	a.exec(table)
	a.exec("BEGIN; SELECT * FROM t WHERE id = 1 FOR SHARE")
	second := b.begin(watcher, "UPDATE t SET v = 1 WHERE id = 1")
	third := c.begin(watcher, "SELECT * FROM t WHERE id = 1 FOR SHARE") // behind b
	if err := b.conn.PgConn().Conn().(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	succeeds(t, third)
	fails(t, ends(t, second), "08006") // it still listens
	watcher.until("0", fmt.Sprintf("SELECT count(*) FROM pg_stat_activity WHERE pid = %d", b.pid))
	if got := watcher.one("SELECT count(*) FROM pg_locks WHERE NOT granted"); got != "0" {
		t.Errorf("%s wait", got)
	}
	a.exec("COMMIT")
}

// TestFirstComeFirstServed: those that wait for one row get it in the order they came.
func TestFirstComeFirstServed(t *testing.T) {
	s := testserver.Start(t)
	a, watcher := connect(t, s), connect(t, s)
	a.exec(table + `; CREATE TABLE served (n bigserial, who int)`)
	a.exec("BEGIN; UPDATE t SET w = '' WHERE id = 1")
	const clients = 12
	var waits []<-chan error
	for i := range clients {
		b := connect(t, s)
		// Each way of wanting the row, and each kind of transaction.
		sql := fmt.Sprintf("UPDATE t SET w = w || ' %d' WHERE id = 1", i)
		switch i % 3 {
		case 1:
			sql = "BEGIN; SELECT * FROM t WHERE id = 1 FOR UPDATE; " + sql + "; COMMIT"
		case 2:
			sql = fmt.Sprintf("INSERT INTO t VALUES (1) ON CONFLICT (id) DO UPDATE SET w = t.w || ' %d'", i)
		}
		waits = append(waits, b.begin(watcher, sql))
	}
	a.exec("COMMIT")
	want := ""
	for i, w := range waits {
		succeeds(t, w)
		want += fmt.Sprintf(" %d", i)
	}
	if got := a.one("SELECT w FROM t WHERE id = 1"); got != want {
		t.Errorf("served:%s", got)
	}
}

// TestLockViews: pg_locks, pg_blocking_pids and pg_stat_activity while sessions hold and wait.
func TestLockViews(t *testing.T) {
	s := testserver.Start(t)
	a, b, c, d := connect(t, s), connect(t, s), connect(t, s), connect(t, s)
	a.exec(table)
	a.exec("BEGIN; UPDATE t SET v = 0 WHERE id = 1")
	second := b.begin(d, "UPDATE t SET v = 1 WHERE id = 1")
	third := c.begin(d, "DELETE FROM t WHERE id = 1")
	where := func(p *session) string { return fmt.Sprintf(" WHERE pid = %d", p.pid) }
	for _, q := range []struct{ sql, want string }{
		{"SELECT wait_event_type, wait_event, state, backend_xid IS NOT NULL, query, backend_type, xact_start IS NOT NULL, query_start >= xact_start, state_change >= query_start FROM pg_stat_activity" + where(a),
			"Client|ClientRead|idle in transaction|t|BEGIN; UPDATE t SET v = 0 WHERE id = 1|client backend|t|t|t"},
		{"SELECT wait_event_type, wait_event, state, backend_xid IS NOT NULL, query, xact_start IS NOT NULL FROM pg_stat_activity" + where(b),
			"Lock|transactionid|active|t|UPDATE t SET v = 1 WHERE id = 1|t"},
		{"SELECT wait_event_type, wait_event, state FROM pg_stat_activity" + where(c), "Lock|tuple|active"},
		{"SELECT wait_event_type, wait_event, state, backend_xid FROM pg_stat_activity" + where(d), "NULL|NULL|active|NULL"},
		{fmt.Sprintf("SELECT pg_blocking_pids(%d), pg_blocking_pids(%d), pg_blocking_pids(%d), pg_blocking_pids(99999), pg_blocking_pids(NULL), pg_typeof(pg_blocking_pids(1))", a.pid, b.pid, c.pid),
			fmt.Sprintf("{}|{%d}|{%d}|{}|NULL|integer[]", a.pid, b.pid)},
		{"SELECT string_agg(locktype || ' ' || mode || ' ' || granted || ' ' || coalesce(relation::regclass::text, '') || ' ' || (waitstart IS NOT NULL), ', ' ORDER BY locktype, granted) FROM pg_locks" + where(a),
			"transactionid ExclusiveLock true  false, virtualxid ExclusiveLock true  false"},
		{"SELECT string_agg(locktype || ' ' || mode || ' ' || granted || ' ' || coalesce(relation::regclass::text, '') || ' ' || (waitstart IS NOT NULL), ', ' ORDER BY locktype, granted) FROM pg_locks" + where(b),
			"transactionid ShareLock false  true, transactionid ExclusiveLock true  false, tuple ExclusiveLock true t false, virtualxid ExclusiveLock true  false"},
		{"SELECT string_agg(locktype || ' ' || mode || ' ' || granted || ' ' || coalesce(relation::regclass::text, '') || ' ' || (waitstart IS NOT NULL), ', ' ORDER BY locktype, granted) FROM pg_locks" + where(c),
			"transactionid ExclusiveLock true  false, tuple AccessExclusiveLock false t true, virtualxid ExclusiveLock true  false"},
		// Who blocks whom, as monitoring joins it: on all that names a lock.
		{`SELECT string_agg(w.pid || ' by ' || h.pid, ', ' ORDER BY w.pid) FROM pg_locks w JOIN pg_locks h ON h.granted AND h.pid <> w.pid AND h.locktype = w.locktype
			AND h.database IS NOT DISTINCT FROM w.database AND h.relation IS NOT DISTINCT FROM w.relation AND h.page IS NOT DISTINCT FROM w.page
			AND h.tuple IS NOT DISTINCT FROM w.tuple AND h.transactionid IS NOT DISTINCT FROM w.transactionid WHERE NOT w.granted`,
			fmt.Sprintf("%d by %d, %d by %d", b.pid, a.pid, c.pid, b.pid)},
		{"SELECT count(DISTINCT backend_xid) FROM pg_stat_activity WHERE backend_xid IS NOT NULL", "3"},
		{"SELECT count(*) FROM pg_stat_activity a JOIN pg_locks l ON l.pid = a.pid AND l.transactionid = a.backend_xid AND l.granted", "3"},
	} {
		if got := d.one(q.sql); got != q.want {
			t.Errorf("%s:\n%s\nnot\n%s", q.sql, got, q.want)
		}
	}
	a.exec("COMMIT")
	succeeds(t, second)
	succeeds(t, third)
	if got := d.one("SELECT count(*) FROM pg_locks WHERE NOT granted"); got != "0" {
		t.Errorf("%s still wait", got)
	}
	if got := a.one("SELECT wait_event, state, xact_start IS NULL, backend_xid IS NULL FROM pg_stat_activity" + where(b)); got != "ClientRead|idle|t|t" {
		t.Errorf("afterwards: %s", got)
	}
}
