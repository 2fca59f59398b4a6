package planner_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"holdfast/kv/memkv"
	"holdfast/planner"
	"holdfast/planner/sessiontest"
	"holdfast/sql/accumulator"
	"holdfast/sql/errs"
)

const replaySchema = `CREATE TABLE t (id int PRIMARY KEY, a int, b int);
	INSERT INTO t SELECT g, g, 0 FROM generate_series(1, 5) g;
	CREATE TABLE log (id serial PRIMARY KEY, u uuid, r float8, at timestamptz DEFAULT now(), n int);
	CREATE TABLE u (id int PRIMARY KEY)`

// TestReplay runs a transaction that another one gets in the way of. Each test says what the first transaction is
// answered with, in the place of rows its tags, and whether its COMMIT succeeds.
func TestReplay(t *testing.T) {
	tests := []struct {
		name string
		// before and after what the other transaction does
		before, other, after string
		want                 string // the error of the end, "" if it commits
		state                string // of table t afterwards
	}{
		{"the same answers", "SELECT a > 0 FROM t WHERE id = 1; UPDATE t SET b = a WHERE id = 2", "UPDATE t SET a = 50 WHERE id = 1", "",
			"", "1|50|0 2|2|2 3|3|0 4|4|0 5|5|0"},
		{"a result that depends on the change, not the answer", "UPDATE t SET b = (SELECT sum(a) FROM t) WHERE id = 2", "UPDATE t SET a = 50 WHERE id = 1", "",
			"", "1|50|0 2|2|64 3|3|0 4|4|0 5|5|0"},
		{"another answer", "SELECT a FROM t WHERE id = 1; UPDATE t SET b = 9 WHERE id = 2", "UPDATE t SET a = 50 WHERE id = 1", "",
			"Statement 1 of the transaction would be answered differently now: SELECT a FROM t WHERE id = 1", "1|50|0 2|2|0 3|3|0 4|4|0 5|5|0"},
		{"another count", "UPDATE t SET b = 9 WHERE a < 3", "UPDATE t SET a = 1 WHERE id = 3", "",
			"Statement 1 of the transaction would be answered differently now: UPDATE t SET b = 9 WHERE a < 3", "1|1|0 2|2|0 3|1|0 4|4|0 5|5|0"},
		{"a phantom, by insert", "SELECT count(*) FROM t WHERE a > 4; UPDATE t SET b = 9 WHERE id = 2", "INSERT INTO t VALUES (6, 6, 6)", "",
			"Statement 1 of the transaction would be answered differently now: SELECT count(*)", "1|1|0 2|2|0 3|3|0 4|4|0 5|5|0 6|6|6"},
		{"a phantom, by delete", "SELECT 1; SELECT count(*) FROM t WHERE a > 4; UPDATE t SET b = 9 WHERE id = 2", "DELETE FROM t WHERE id = 5", "",
			"Statement 2 of the transaction would be answered differently now: SELECT count(*)", "1|1|0 2|2|0 3|3|0 4|4|0"},
		{"in the middle", "SELECT a > 0 FROM t WHERE id = 1", "UPDATE t SET a = 50 WHERE id IN (1, 2)", "UPDATE t SET b = a WHERE id = 2",
			"", "1|50|0 2|50|50 3|3|0 4|4|0 5|5|0"},
		{"in the middle, another answer", "SELECT a FROM t WHERE id = 1", "UPDATE t SET a = 50 WHERE id IN (1, 2)", "UPDATE t SET b = a WHERE id = 2",
			"Statement 1 of the transaction would be answered differently now: SELECT a FROM t", "1|50|0 2|50|0 3|3|0 4|4|0 5|5|0"},
		{"savepoints", "SAVEPOINT s; UPDATE t SET b = 7 WHERE id = 2; ROLLBACK TO s; UPDATE t SET b = b + 1 WHERE id = 3; SAVEPOINT s; UPDATE t SET b = b + 1 WHERE id = 3;" +
			"RELEASE s; SELECT a > 0 FROM t WHERE id = 1", "UPDATE t SET a = 50 WHERE id = 1", "",
			"", "1|50|0 2|2|0 3|3|2 4|4|0 5|5|0"},
		{"an error that stays", "SAVEPOINT s; !INSERT INTO t VALUES (5, 1, 1); ROLLBACK TO s; UPDATE t SET b = a WHERE id = 2; SELECT a > 0 FROM t WHERE id = 1",
			"UPDATE t SET a = 50 WHERE id = 1", "", "", "1|50|0 2|2|2 3|3|0 4|4|0 5|5|0"},
		{"an error that goes", "SAVEPOINT s; !SELECT 1 / (a - 1) FROM t WHERE id = 1; ROLLBACK TO s; UPDATE t SET b = a WHERE id = 2",
			"UPDATE t SET a = 50 WHERE id = 1", "",
			"Statement 1 of the transaction would be answered differently now: SELECT 1 / (a - 1)", "1|50|0 2|2|0 3|3|0 4|4|0 5|5|0"},
		{"a syntax error", "SAVEPOINT s; !SELEKT; ROLLBACK TO s; UPDATE t SET b = a WHERE id = 2; SELECT a > 0 FROM t WHERE id = 1",
			"UPDATE t SET a = 50 WHERE id = 1", "", "", "1|50|0 2|2|2 3|3|0 4|4|0 5|5|0"},
		{"a cursor", "DECLARE c CURSOR FOR SELECT id FROM t ORDER BY id; FETCH 2 FROM c; UPDATE t SET b = 9 WHERE id = 4; SELECT a > 0 FROM t WHERE id = 1",
			"UPDATE t SET a = 50 WHERE id = 1", "FETCH 2 FROM c; CLOSE c", "", "1|50|0 2|2|0 3|3|0 4|4|9 5|5|0"},
		{"a cursor that has shown what changes", "DECLARE c CURSOR FOR SELECT a FROM t ORDER BY id; FETCH 2 FROM c; UPDATE t SET b = 9 WHERE id = 4",
			"UPDATE t SET a = 50 WHERE id = 1", "",
			"Statement 2 of the transaction would be answered differently now: FETCH 2 FROM c", "1|50|0 2|2|0 3|3|0 4|4|0 5|5|0"},
		{"settings and prepared statements", "SET LOCAL extra_float_digits = 0; PREPARE p AS UPDATE t SET b = 9 WHERE id = $1; EXECUTE p (3); SELECT a > 0 FROM t WHERE id = 1; SHOW extra_float_digits",
			"UPDATE t SET a = 50 WHERE id = 1", "SHOW extra_float_digits; EXECUTE p (4); DEALLOCATE p", "", "1|50|0 2|2|0 3|3|9 4|4|9 5|5|0"},
		{"sequences, random numbers and time", "INSERT INTO log (u, r) VALUES (gen_random_uuid(), random()) RETURNING *; SELECT now(), statement_timestamp(), random(), currval('log_id_seq');" +
			"SELECT a > 0 FROM t WHERE id = 1; UPDATE t SET b = lastval() WHERE id = 2", "UPDATE t SET a = 50 WHERE id = 1; INSERT INTO log (n) VALUES (1)", "",
			"", "1|50|0 2|2|1 3|3|0 4|4|0 5|5|0"},
		{"schema changes", "CREATE TABLE made (id int); INSERT INTO made SELECT a FROM t; SELECT count(*) FROM made; UPDATE t SET b = 9 WHERE id = 4",
			"UPDATE t SET a = 50 WHERE id = 1", "ALTER TABLE made ADD COLUMN x int; DROP TABLE made", "", "1|50|0 2|2|0 3|3|0 4|4|9 5|5|0"},
		{"a schema that changes meanwhile", "SELECT * FROM t WHERE id = 1; UPDATE t SET b = 9 WHERE id = 4", "ALTER TABLE t ADD COLUMN c int", "",
			"Statement 1 of the transaction would be answered differently now: SELECT * FROM t WHERE id = 1", "1|1|0|NULL 2|2|0|NULL 3|3|0|NULL 4|4|0|NULL 5|5|0|NULL"},
		{"a rule that says no at last", "UPDATE t SET b = 9 WHERE a < 3 AND id > 1; SELECT a < 100 FROM t WHERE id = 1", "UPDATE t SET a = 3 WHERE id = 1", "",
			"", "1|3|0 2|2|9 3|3|0 4|4|0 5|5|0"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for engine, open := range map[string]func(testing.TB) *sessiontest.DB{"memkv": sessiontest.Open, "pebblekv": sessiontest.OpenPebble} {
				db := open(t)
				x, y := db.Connect(), db.Connect()
				x.Must(replaySchema)
				run := func(texts string) error {
					for _, text := range strings.Split(texts, ";") {
						text, fails := strings.CutPrefix(strings.TrimSpace(text), "!")
						if _, err := x.Exec(text); (err != nil) != fails {
							return err
						}
					}
					return nil
				}
				x.Must("BEGIN")
				if err := run(test.before); err != nil {
					t.Fatal(err)
				}
				y.Must("SET lock_timeout = '5s'") // where the test is wrong
				y.Must(test.other)
				err := run(test.after)
				if err == nil {
					_, err = x.Exec("COMMIT")
					if x.Session.TransactionStatus() != 'I' {
						t.Errorf("%s: in a transaction after COMMIT", engine)
					}
				} else if x.Session.TransactionStatus() != 'E' {
					t.Errorf("%s: not in a failed transaction after %v", engine, err)
				}
				x.Must("ROLLBACK")
				switch {
				case test.want == "" && err != nil:
					t.Errorf("%s: %s", engine, sessiontest.Describe(err))
				case test.want != "" && err == nil:
					t.Errorf("%s: committed, where %q was expected", engine, test.want)
				case test.want != "" && (!strings.Contains(errs.As(err).Detail, test.want) || errs.CodeOf(err) != errs.SerializationFailure):
					t.Errorf("%s: %s", engine, sessiontest.Describe(err))
				}
				if got := strings.ReplaceAll(x.Must("SELECT * FROM t ORDER BY id").String(), "\n", " "); got != test.state {
					t.Errorf("%s: t is %s, want %s", engine, got, test.state)
				}
				if db.Engine.Reruns() == 0 {
					t.Errorf("%s: nothing was run again", engine)
				}
			}
		})
	}
}

// TestReplayInOneMessage: nobody has seen the answers yet, so they may become others.
func TestReplayInOneMessage(t *testing.T) {
	db := sessiontest.OpenPebble(t)
	x, y := db.Connect(), db.Connect()
	x.Must(replaySchema)
	// The other transaction waits for a row that x has, and then changes what x has read.
	y.Must("BEGIN; UPDATE t SET b = 1 WHERE id = 3")
	done := make(chan error)
	go func() {
		r, err := x.Exec("SELECT a FROM t WHERE id = 1; BEGIN; SELECT a, 'in the block' FROM t WHERE id = 1; SAVEPOINT s; UPDATE t SET b = b + 1 WHERE id = 3 RETURNING b; SELECT a FROM t WHERE id = 1; COMMIT; SELECT 'after'")
		if err == nil && fmt.Sprint(r) != "50\n50|in the block\n2\n50\nafter" {
			err = fmt.Errorf("answers: %s", r)
		}
		if err == nil && strings.Join(r.Tags, ",") != "SELECT 1,BEGIN,SELECT 1,SAVEPOINT,UPDATE 1,SELECT 1,COMMIT,SELECT 1" {
			err = fmt.Errorf("tags: %s", r.Tags)
		}
		done <- err
	}()
	waitFor(t, db, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'", "1")
	y.Must("UPDATE t SET a = 50 WHERE id = 1; COMMIT")
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// waitFor waits until a query of another session has the result.
func waitFor(t *testing.T, db *sessiontest.DB, query, want string) {
	t.Helper()
	c := db.Connect()
	for start := time.Now(); ; time.Sleep(time.Millisecond) {
		if got := c.Must(query).String(); got == want {
			return
		} else if time.Since(start) > 20*time.Second {
			t.Fatalf("%s is %s for ever", query, got)
		}
	}
}

// TestReplayAfterDeadlock: the victim lets go and runs again.
func TestReplayAfterDeadlock(t *testing.T) {
	db := sessiontest.OpenPebble(t)
	x, y := db.Connect(), db.Connect()
	x.Must(replaySchema)
	x.Must("BEGIN; UPDATE t SET b = b + 1 WHERE id = 1")
	y.Must("BEGIN; UPDATE t SET b = b + 1 WHERE id = 2")
	done := make(chan error, 2)
	finish := func(c *sessiontest.Client, id int) {
		_, err := c.Exec(fmt.Sprintf("UPDATE t SET b = b + 1 WHERE id = %d", id))
		if err == nil {
			_, err = c.Exec("COMMIT")
		}
		done <- err
	}
	go finish(x, 2)
	go finish(y, 1)
	for range 2 {
		if err := <-done; err != nil {
			t.Error(sessiontest.Describe(err))
		}
	}
	db.Connect().Query("SELECT id, b FROM t WHERE id < 3 ORDER BY id", "1|2\n2|2")
}

// TestConflictDetail: the error names what was read, what became of it, and the statement that shows it.
func TestConflictDetail(t *testing.T) {
	db := sessiontest.Open(t)
	x, y := db.Connect(), db.Connect()
	x.Must(replaySchema + "; CREATE INDEX t_a ON t (a)")
	for _, test := range []struct{ read, other, want string }{
		{"SELECT a FROM t WHERE id = 1", "UPDATE t SET a = a + 10 WHERE id = 1", `Read the row (id)=(1) of table "t"; a concurrent transaction has changed a of it.`},
		{"SELECT count(*) FROM t WHERE b < 9", "UPDATE t SET b = b + 9 WHERE id = 2", `Read all rows of table "t"; a concurrent transaction has changed b of one of them.`},
		{"SELECT count(*) FROM t WHERE id > 3", "DELETE FROM t WHERE id = 5", `Read rows (id)>=(4) of table "t"; a concurrent transaction has inserted or deleted one of them.`},
		{"SELECT count(*) FROM t WHERE id = 77", "INSERT INTO t VALUES (77, 1, 1)", `Read the row (id)=(77) of table "t"; a concurrent transaction has inserted or deleted it.`},
	} {
		x.Must("BEGIN; INSERT INTO u VALUES (1)")
		x.Must(test.read)
		y.Must(test.other)
		_, err := x.Exec("COMMIT")
		want := test.want + " Statement 2 of the transaction would be answered differently now: " + test.read
		if got := errs.As(err); got == nil || got.Detail != want {
			t.Errorf("%s\n%v\nnot %s", test.read, sessiontest.Describe(err), want)
		}
	}
}

// TestReplayLost: there is no way back into a transaction that could not be run again.
func TestReplayLost(t *testing.T) {
	db := sessiontest.Open(t)
	x, y := db.Connect(), db.Connect()
	x.Must(replaySchema)
	x.Must("BEGIN")
	x.Must("SELECT a FROM t WHERE id = 1")
	x.Must("SAVEPOINT s")
	y.Must("UPDATE t SET a = 50 WHERE id IN (1, 2)")
	for _, text := range []string{"UPDATE t SET b = 1 WHERE id = 2", "ROLLBACK TO s"} {
		if _, err := x.Exec(text); errs.CodeOf(err) != errs.SerializationFailure {
			t.Errorf("%s: %v", text, err)
		}
	}
	x.Fails("SELECT 1", "ERROR 25P02: current transaction is aborted, commands ignored until end of transaction block")
	y.Must("UPDATE t SET b = 2 WHERE id = 2") // its locks are free
	if got := x.Must("COMMIT").Tag(); got != "ROLLBACK" {
		t.Errorf("COMMIT is answered with %s", got)
	}
}

// TestReplayOfCopy: the data is there again, up to the bound.
func TestReplayOfCopy(t *testing.T) {
	for _, size := range []int{10, 40 << 20} {
		db := sessiontest.OpenPebble(t)
		x, y := db.Connect(), db.Connect()
		x.Must("CREATE TABLE c (id int, x text); CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 1)")
		x.Must("BEGIN")
		x.CopyData = "1\t" + strings.Repeat("x", size) + "\n2\ty\n"
		x.Must("COPY c FROM STDIN")
		x.CopyData = "" // it comes only once
		x.Must("SELECT a > 0 FROM t")
		y.Must("UPDATE t SET a = 2")
		_, err := x.Exec("COMMIT")
		if size < copyBound && err != nil {
			t.Error(err)
		}
		if size > copyBound && !strings.Contains(errs.As(err).Detail, "COPY data") {
			t.Errorf("a COPY of %d bytes is run again: %v", size, err)
		}
		y.Query("SELECT count(*) FROM c", map[bool]string{true: "2", false: "0"}[size < copyBound])
	}
}

const copyBound = 32 << 20

// TestReplayFault: the tests above would notice if answers were not compared.
func TestReplayFault(t *testing.T) {
	db := sessiontest.OpenWith(t, memkv.New(memkv.Options{Merge: accumulator.Merge}), planner.Config{Faults: planner.Faults{SkipDigestCompare: true}})
	x, y := db.Connect(), db.Connect()
	x.Must(replaySchema)
	x.Must("BEGIN")
	x.Must("SELECT a FROM t WHERE id = 1")
	x.Must("UPDATE t SET b = 1 WHERE id = 2")
	y.Must("UPDATE t SET a = 50 WHERE id = 1")
	if _, err := x.Exec("COMMIT"); err != nil {
		t.Errorf("the fault does not work: %v", err)
	}
}

// TestReplayGetsThrough: a transaction that reads everything, slowly, beside others that never stop writing what it
// has read, without a change of its answers.
func TestReplayGetsThrough(t *testing.T) {
	db := sessiontest.OpenPebble(t)
	x := db.Connect()
	x.Must(replaySchema)
	stop := make(chan struct{})
	done := make(chan error, 3)
	for w := range cap(done) {
		c := db.Connect()
		go func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					done <- nil
					return
				default:
				}
				if _, err := c.Exec(fmt.Sprintf("UPDATE t SET b = %d WHERE id = %d", i, w+1)); err != nil {
					done <- err
					return
				}
			}
		}()
	}
	for range 5 {
		x.Must("BEGIN")
		x.Must("SELECT count(*) FROM t WHERE b >= 0")
		x.Must("UPDATE t SET a = a + (SELECT sum(b) FROM t) * 0 + 1 WHERE id = 5")
		before := db.Engine.Reruns()
		if _, err := x.Exec("COMMIT"); err != nil {
			t.Fatal(sessiontest.Describe(err))
		}
		if n := db.Engine.Reruns() - before; n > 1000 {
			t.Errorf("%d runs", n) // of all transactions
		}
	}
	close(stop)
	for range cap(done) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	x.Query("SELECT a FROM t WHERE id = 5", "10")
}
