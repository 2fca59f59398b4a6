package waits

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"holdfast/compat_tests/testserver"
)

// TestDatabaseCounts: pg_stat_database and pg_stat_user_tables count what was really done, by every session, those
// that have ended included.
func TestDatabaseCounts(t *testing.T) {
	s := testserver.Start(t)
	a, watcher := connect(t, s), connect(t, s)
	a.exec("CREATE TABLE t (id int PRIMARY KEY, v int); CREATE INDEX ON t (v); CREATE TABLE other (id int PRIMARY KEY)")
	figures := func() (out [8]int) {
		row := watcher.one("SELECT numbackends, xact_commit, xact_rollback, tup_inserted, tup_updated, tup_deleted, tup_fetched, tup_returned FROM pg_stat_database WHERE datname = 'postgres'")
		for i, f := range strings.Split(row, "|") {
			n, err := strconv.Atoi(f)
			if err != nil {
				t.Fatalf("%s: %v", row, err)
			}
			out[i] = n
		}
		return out
	}
	before := figures()
	a.exec("INSERT INTO t SELECT g, g FROM generate_series(1, 100) g")
	a.exec("BEGIN; UPDATE t SET v = v + 1 WHERE id <= 10; DELETE FROM t WHERE id > 95; COMMIT")
	a.exec("BEGIN; DELETE FROM t; ROLLBACK")
	if err := a.try("SELECT 1 / (id - 1) FROM t"); err == nil {
		t.Fatal("no error")
	}
	ended := connect(t, s)
	ended.exec("INSERT INTO t VALUES (1000, 1)")
	ended.exec("SELECT * FROM t WHERE id = 5")
	if err := ended.conn.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	watcher.until("0", fmt.Sprintf("SELECT count(*) FROM pg_stat_activity WHERE pid = %d", ended.pid))
	after := figures()
	if after[0] != 2 {
		t.Errorf("%d backends", after[0])
	}
	if got := after[2] - before[2]; got != 2 {
		t.Errorf("%d rollbacks", got)
	}
	// Two statements, one transaction, the other session's two, and what the watcher has asked itself.
	if got := after[1] - before[1]; got < 4 {
		t.Errorf("%d commits", got)
	}
	if got := fmt.Sprint(after[3]-before[3], after[4]-before[4], after[5]-before[5]); got != "101 10 5" {
		t.Errorf("inserted, updated, deleted: %s", got)
	}
	if after[6] <= before[6] || after[7] < after[6] {
		t.Errorf("fetched and returned: %v, before %v", after[6:], before[6:])
	}
	tables := "SELECT relname, n_tup_ins, n_tup_upd, n_tup_del, n_live_tup, n_dead_tup FROM pg_stat_user_tables ORDER BY relname"
	if got := strings.Join(watcher.rows(tables), ", "); got != "other|0|0|0|0|0, t|101|10|5|96|0" {
		t.Errorf("tables: %s", got)
	}
	scans := func() string {
		return watcher.one("SELECT seq_scan, seq_tup_read, idx_scan, idx_tup_fetch FROM pg_stat_all_tables WHERE relname = 'other'")
	}
	a.exec("INSERT INTO other SELECT generate_series(1, 50)")
	start := scans()
	a.exec("SELECT sum(id) FROM other")
	a.exec("SELECT * FROM other WHERE id = 7")
	a.exec("SELECT * FROM other WHERE id = 1000")
	if got := scans(); start != "0|0|0|0" || got != "1|50|2|1" {
		t.Errorf("scans: %s, before %s", got, start)
	}
	if got := watcher.one("SELECT conflicts, deadlocks, stats_reset <= now(), sessions >= 3 FROM pg_stat_database"); got != "0|0|t|t" {
		t.Errorf("others: %s", got)
	}
}

// TestConflictView: holdfast_stat_conflicts names what waited, was repeated or refused, for what and for whom.
func TestConflictView(t *testing.T) {
	s := testserver.Start(t)
	a, b, watcher := connect(t, s), connect(t, s), connect(t, s)
	a.exec(table)
	view := func(kind string) string {
		return watcher.one("SELECT schemaname, relname, indexrelname, key, statement, other_statement, count, last_time <= now() AND last_time > now() - interval '1 hour', total_wait_time > 0 FROM holdfast_stat_conflicts WHERE kind = '" + kind + "'")
	}
	// A wait, and the refresh after it. The holder has gone on to another statement meanwhile.
	a.exec("BEGIN; UPDATE t SET v = 10 WHERE id = 1")
	a.exec("SELECT 1")
	waiting := b.begin(watcher, "UPDATE t SET v = 20 WHERE id = 1")
	a.exec("COMMIT")
	succeeds(t, waiting)
	const update = "UPDATE t SET v = $1 WHERE id = $2"
	if got, want := view("wait"), "public|t|NULL|(id)=(1)|"+update+"|UPDATE t SET v = 10 WHERE id = 1|1|t|t"; got != want {
		t.Errorf("wait: %s\nnot %s", got, want)
	}
	if got, want := view("refresh"), "public|t|NULL|(id)=(1)|"+update+"|UPDATE t SET v = 10 WHERE id = 1|1|t|f"; got != want {
		t.Errorf("refresh: %s\nnot %s", got, want)
	}
	// Write skew: the second to commit is refused, for what the first has written in the range it has read.
	a.exec("BEGIN; SELECT sum(v) FROM t WHERE id >= 2; UPDATE t SET v = 0 WHERE id = 1")
	b.exec("BEGIN; SELECT sum(v) FROM t WHERE id <= 2")
	b.exec("UPDATE t SET v = 0 WHERE id = 3")
	a.exec("COMMIT")
	fails(t, b.try("COMMIT"), "40001")
	if got := view("abort"); !strings.HasPrefix(got, "public|t|NULL|(id)") || !strings.HasSuffix(got, "|1|t|f") || !strings.Contains(got, "|UPDATE t SET v = 0 WHERE id = 1|") {
		t.Errorf("abort: %s", got)
	}
	// A deadlock over an entry of an index.
	a.exec("BEGIN; INSERT INTO t VALUES (11, 1, 'x')")
	b.exec("BEGIN; " + unrepeatable + "INSERT INTO t VALUES (12, 1, 'y')")
	waiting = a.begin(watcher, "INSERT INTO t VALUES (13, 1, 'y')")
	fails(t, b.try("INSERT INTO t VALUES (14, 1, 'x')"), "40P01")
	b.exec("ROLLBACK")
	succeeds(t, waiting)
	a.exec("ROLLBACK")
	if got, want := view("deadlock"), "public|t|t_w_key|(w)=(x)|INSERT INTO t VALUES ($1, $2, $3)|"; !strings.HasPrefix(got, want) {
		t.Errorf("deadlock: %s", got)
	}
	// An implicit transaction is run again.
	a.exec("CREATE TABLE log (n int PRIMARY KEY)")
	for try := 0; ; try++ {
		one := a.start("INSERT INTO log SELECT coalesce(max(n), 0) + 1 FROM log")
		two := b.start("INSERT INTO log SELECT coalesce(max(n), 0) + 1 FROM log")
		succeeds(t, one)
		succeeds(t, two)
		if got := watcher.rows("SELECT relname, statement, other_statement FROM holdfast_stat_conflicts WHERE kind IN ('rerun', 'refresh', 'wait') AND relname = 'log' AND other_statement IS NOT NULL"); len(got) > 0 {
			if want := "INSERT INTO log SELECT coalesce(max(n), "; !strings.HasPrefix(got[0], "log|"+want) || !strings.Contains(got[0][4:], "|"+want) {
				t.Errorf("rerun: %s", got)
			}
			break
		}
		if try > 5000 {
			t.Fatal("two transactions never meet")
		}
	}
}

// TestLongReader: a transaction that may write and is held open while much is written does not make the index of recent
// writes grow beyond its bound: it is coarsened, as the view shows. What it has read is still known to be unchanged.
func TestLongReader(t *testing.T) {
	s := testserver.Start(t)
	a, b := connect(t, s), connect(t, s)
	a.exec(table + "; CREATE TABLE many (id int PRIMARY KEY, v int)")
	figure := func(name string) int {
		n, err := strconv.Atoi(a.one("SELECT value FROM holdfast_stat_kv WHERE name = '" + name + "'"))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	b.exec("BEGIN; SELECT * FROM t WHERE id = 1")
	before := figure("recent_coarsenings")
	bound, most := figure("recent_keys_bound"), 0
	const rows, at = 500_000, 2000 // few enough at once to be indexed as single keys
	for i := 0; i < rows; i += at {
		a.exec(fmt.Sprintf("INSERT INTO many SELECT g, g FROM generate_series(%d, %d) g", i, i+at-1))
		most = max(most, figure("recent_keys"))
	}
	if n := figure("recent_coarsenings") - before; n == 0 {
		t.Error("nothing was coarsened")
	}
	if bound <= 0 || most == 0 || most > bound+at {
		t.Errorf("%d keys in the index, the bound is %d", most, bound)
	}
	if n := figure("horizon_commits"); n < rows/at {
		t.Errorf("the horizon is %d commits back", n)
	}
	if n := figure("live_snapshots"); n < 2 {
		t.Errorf("%d live snapshots", n)
	}
	b.exec("UPDATE t SET v = 5 WHERE id = 1; COMMIT")
	if n := figure("horizon_commits"); n > rows/at/2 {
		t.Errorf("the horizon stays %d commits back", n)
	}
	for _, name := range []string{"commits", "groups", "writes", "bytes", "version"} {
		if figure(name) == 0 {
			t.Errorf("%s is 0", name)
		}
	}
	if got := a.one("SELECT count(*) = count(DISTINCT name), bool_and(meaning <> '') FROM holdfast_stat_kv"); got != "t|t" {
		t.Errorf("figures: %s", got)
	}
}
