package planner_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"holdfast/planner/sessiontest"
	"holdfast/sql/errs"
)

// replayed runs a transaction of x, with what y does before its last statements, and returns the error it ends with.
func replayed(x, y *sessiontest.Client, before, other, after string) error {
	x.Must("BEGIN")
	for _, texts := range []string{before, other, after + "; COMMIT"} {
		if texts == other {
			y.Must(other)
			continue
		}
		for _, text := range strings.Split(texts, ";") {
			text, fails := strings.CutPrefix(strings.TrimSpace(text), "!")
			if _, err := x.Exec(text); (err != nil) != fails {
				return err
			}
		}
	}
	return nil
}

// TestReplaySequences: sequences are the same to the transaction, and do not go back for others.
func TestReplaySequences(t *testing.T) {
	const conflict = "SELECT a > 0 FROM t WHERE id = 1; UPDATE t SET b = 1 WHERE id = 2"
	for name, before := range map[string]string{
		"currval before nextval":  "SELECT currval('q'); SELECT nextval('q'); SELECT currval('q'), lastval()",
		"currval before setval":   "SELECT currval('q'); SELECT setval('q', 5); SELECT currval('q'), nextval('q')",
		"setval":                  "SELECT setval('q', 20); SELECT nextval('q')",
		"setval after nextval":    "SELECT nextval('q'); SELECT setval('q', 20, false); SELECT nextval('q'), currval('q')",
		"DISCARD SEQUENCES":       "SELECT currval('q'); DISCARD SEQUENCES; SAVEPOINT s; !SELECT currval('q'); ROLLBACK TO s; SELECT nextval('q')",
		"setval in a savepoint":   "SAVEPOINT s; SELECT setval('q', 30); ROLLBACK TO s; SELECT nextval('q')",
		"setseed and random":      "SELECT random(); SELECT setseed(0.5); SELECT random(); INSERT INTO u SELECT 1 + (random() * 10)::int RETURNING id",
		"a statement that failed": "SAVEPOINT s; !SELECT 1 / (nextval('q') - nextval('q') + 1); ROLLBACK TO s; SELECT nextval('q'), gen_random_uuid()",
	} {
		t.Run(name, func(t *testing.T) {
			db := sessiontest.OpenPebble(t)
			x, y := db.Connect(), db.Connect()
			x.Must(replaySchema)
			x.Must("CREATE SEQUENCE q; SELECT nextval('q')")
			if err := replayed(x, y, before+";"+conflict, "UPDATE t SET a = 50 WHERE id = 1; SELECT nextval('q'); SELECT nextval('q')", "SELECT 1"); err != nil {
				t.Error(sessiontest.Describe(err))
			}
			last := y.Must("SELECT currval('q')").String()
			if strings.Contains(before, "nextval") {
				y.Query("SELECT nextval('q') - "+last, "1")
			}
			if db.Engine.Reruns() == 0 {
				t.Error("nothing was run again")
			}
		})
	}
}

// TestReplayMore is TestReplay of what is rarer.
func TestReplayMore(t *testing.T) {
	const conflict = "; SELECT a > 0 FROM t WHERE id = 1; UPDATE t SET b = 1 WHERE id = 2"
	tests := []struct{ name, before, other, after, want string }{
		{"a cursor WITH HOLD of before", "FETCH 2 FROM held; MOVE BACKWARD 1 FROM held", "", "FETCH 1 FROM held", ""},
		{"a cursor WITH HOLD of before that is closed", "FETCH 2 FROM held; CLOSE held; SAVEPOINT s; !FETCH 1 FROM held; ROLLBACK TO s", "", "", ""},
		{"CLOSE ALL", "DECLARE c CURSOR FOR SELECT id FROM t; FETCH 1 FROM c; CLOSE ALL; DECLARE held CURSOR FOR SELECT 1; FETCH 1 FROM held", "", "", ""},
		{"a cursor that goes back", "DECLARE c SCROLL CURSOR FOR SELECT id FROM t ORDER BY id; FETCH 3 FROM c; FETCH BACKWARD 2 FROM c; MOVE LAST FROM c; FETCH PRIOR FROM c", "", "FETCH FIRST FROM c", ""},
		{"WITH HOLD", "DECLARE c CURSOR WITH HOLD FOR SELECT id, a FROM t WHERE id > 1 ORDER BY id; FETCH 1 FROM c", "", "FETCH 1 FROM c", ""},
		{"WITH HOLD of what changes unseen", "DECLARE c CURSOR WITH HOLD FOR SELECT id, a FROM t ORDER BY id", "", "", ""},
		{"settings", "SET extra_float_digits = 0; SHOW extra_float_digits; SAVEPOINT s; SET LOCAL TimeZone = 'Europe/Paris'; SELECT now(); ROLLBACK TO s; SELECT now(); RESET extra_float_digits; SET bytea_output = 'escape'; SELECT bytea 'a'", "", "SHOW extra_float_digits; SELECT bytea 'a'", ""},
		{"SET TRANSACTION", "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; SHOW transaction_isolation; SAVEPOINT s; SET TRANSACTION READ ONLY; !UPDATE t SET b = 1; ROLLBACK TO s", "", "SHOW transaction_isolation", ""},
		{"savepoints and errors", "SAVEPOINT a; UPDATE t SET b = 5 WHERE id = 3; SAVEPOINT b; !SELECT 1/0; ROLLBACK TO b; SAVEPOINT c; !NONSENSE; ROLLBACK TO a; SAVEPOINT d; RELEASE a; SAVEPOINT e; !RELEASE d; ROLLBACK TO e", "", "SELECT b FROM t WHERE id = 3", ""},
		{"notices", "CREATE TABLE IF NOT EXISTS t (x int); DROP TABLE IF EXISTS nothing", "", "", ""},
		{"EXPLAIN ANALYZE of a write", "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) UPDATE t SET b = 3 WHERE id = 4", "", "SELECT b FROM t WHERE id = 4", ""},
		{"COPY TO", "COPY (SELECT id, b FROM t WHERE id > 2) TO STDOUT", "", "COPY u TO STDOUT", ""},
		{"COPY TO of what changes", "COPY t TO STDOUT", "", "", "would be answered differently now: COPY t TO STDOUT"},
		{"a deferred key", "INSERT INTO child VALUES (1, 9); INSERT INTO parent VALUES (9)", "", "", ""},
		{"a deferred key that others break", "INSERT INTO child VALUES (1, 1)", "DELETE FROM parent", "", "23503"},
		{"SET CONSTRAINTS", "SET CONSTRAINTS ALL IMMEDIATE; SAVEPOINT s; !INSERT INTO child VALUES (1, 9); ROLLBACK TO s; SET CONSTRAINTS ALL DEFERRED; INSERT INTO child VALUES (1, 9); INSERT INTO parent VALUES (9)", "", "", ""},
		{"an error of others' doing that nobody saw", "SELECT 1", "INSERT INTO u VALUES (7)", "!INSERT INTO u VALUES (7); ROLLBACK", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			db := sessiontest.OpenPebble(t)
			x, y := db.Connect(), db.Connect()
			x.Must(replaySchema)
			x.Must("CREATE TABLE parent (id int PRIMARY KEY); INSERT INTO parent VALUES (1); CREATE TABLE child (id int PRIMARY KEY, p int REFERENCES parent DEFERRABLE INITIALLY DEFERRED)")
			x.Must("DECLARE held SCROLL CURSOR WITH HOLD FOR SELECT g FROM generate_series(1, 9) g; FETCH 1 FROM held")
			err := replayed(x, y, test.before+conflict, "UPDATE t SET a = 50 WHERE id = 1; "+test.other, strings.TrimSuffix("SELECT 1; "+test.after, "; "))
			switch {
			case test.want == "" && err != nil:
				t.Error(sessiontest.Describe(err))
			case test.want != "" && (err == nil || !strings.Contains(sessiontest.Describe(err), test.want)):
				t.Errorf("%v, want %s", err, test.want)
			}
			if x.Session.TransactionStatus() != 'I' {
				x.Must("ROLLBACK")
			}
			if db.Engine.Reruns() == 0 && !strings.HasSuffix(test.after, "ROLLBACK") {
				t.Error("nothing was run again")
			}
			if err == nil && strings.HasPrefix(test.name, "WITH HOLD of") {
				x.Query("FETCH ABSOLUTE 1 FROM c", "1|50") // what the transaction that was committed has read
			}
			y.Must("SET lock_timeout = '5s'; UPDATE t SET b = 0; DELETE FROM child")
		})
	}
}

// TestReplayBeforeBegin: statements before BEGIN in its message are run again with it, and may fail then.
func TestReplayBeforeBegin(t *testing.T) {
	db := sessiontest.OpenPebble(t)
	x, y := db.Connect(), db.Connect()
	x.Must(replaySchema)
	const message = "SELECT 1 / a FROM t WHERE id = 1; SELECT count(*) FROM generate_series(1, 1000000); BEGIN; SELECT 1; COMMIT"
	x.Must(message) // from now on it is known to begin with statements that only read
	done := make(chan error)
	go func() {
		_, err := x.Exec(message)
		done <- err
	}()
	z, ended := db.Connect(), false
	var err error
	for !ended && z.Must("SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT 1 / a%'").String() != "1" {
		select {
		case err = <-done:
			ended = true
		default:
		}
	}
	y.Must("UPDATE t SET a = 0 WHERE id = 1") // mostly while x counts
	if !ended {
		err = <-done
	}
	if err != nil && errs.CodeOf(err) != errs.DivisionByZero {
		t.Error(sessiontest.Describe(err))
	}
	if got := x.Session.TransactionStatus(); got != 'I' {
		t.Errorf("status %c", got)
	}
	x.Query("SELECT a FROM t WHERE id = 1", "0")
}

// TestReplaySleep: a statement that has been waited for is not waited for again, and one that has not is.
func TestReplaySleep(t *testing.T) {
	db := sessiontest.OpenPebble(t)
	x, y := db.Connect(), db.Connect()
	x.Must(replaySchema)
	for range 2 { // the second time it is known that the first statement only reads, and the sleep is what needs a footprint
		start := time.Now()
		x.Must("SELECT a FROM t WHERE id = 1; SELECT pg_sleep(0.1)")
		if got := time.Since(start); got < 100*time.Millisecond {
			t.Errorf("slept for %s", got)
		}
	}
	start := time.Now()
	if err := replayed(x, y, "SELECT pg_sleep(0.1); SELECT a > 0 FROM t WHERE id = 1; UPDATE t SET b = 1 WHERE id = 2", "UPDATE t SET a = 50 WHERE id = 1", "SELECT 1"); err != nil {
		t.Error(sessiontest.Describe(err))
	}
	if got := time.Since(start); got < 100*time.Millisecond {
		t.Errorf("slept for %s", got)
	}
}

// TestReplayChain: the transactions of a chain are run again one by one.
func TestReplayChain(t *testing.T) {
	db := sessiontest.OpenPebble(t)
	x, y := db.Connect(), db.Connect()
	x.Must(replaySchema)
	x.Must("BEGIN ISOLATION LEVEL REPEATABLE READ")
	for i, end := range []string{"COMMIT AND CHAIN", "ROLLBACK AND CHAIN", "COMMIT AND CHAIN", "COMMIT"} {
		x.Query("SELECT a > 0 FROM t WHERE id = 1", "t")
		x.Query("SHOW transaction_isolation", "repeatable read")
		x.Must("UPDATE t SET b = b + 1 WHERE id = 2")
		y.Must(fmt.Sprintf("UPDATE t SET a = %d WHERE id = 1", i+10))
		x.Must(end)
	}
	x.Query("SELECT a, b FROM t WHERE id < 3 ORDER BY id", "13|0\n2|3")
	if got := db.Engine.Reruns(); got != 3 {
		t.Errorf("%d transactions were run again", got)
	}
}

// TestReplayAtCommitIsGuarded: once it has lost a few times, a COMMIT gets through although others never stop.
func TestReplayAtCommitIsGuarded(t *testing.T) {
	db := sessiontest.OpenPebble(t)
	x := db.Connect()
	x.Must(replaySchema)
	stop, done := make(chan struct{}), make(chan error, 4)
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
	most := int64(0)
	for range 20 {
		x.Must("BEGIN; SELECT count(*) FROM t WHERE b >= 0; UPDATE t SET a = (SELECT sum(b) FROM t) WHERE id = 5")
		before := db.Engine.Reruns()
		x.Must("COMMIT") // the writers are single statements on rows of their own, which are not run again
		most = max(most, int64(db.Engine.Reruns()-before))
	}
	close(stop)
	for range cap(done) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if most > 10 {
		t.Errorf("run again %d times", most)
	}
}

// TestReplayEachOther: transactions that all change what the others have read, without a change of the answers.
func TestReplayEachOther(t *testing.T) {
	db := sessiontest.OpenPebble(t)
	db.Connect().Must(replaySchema)
	const clients, rounds = 4, 15
	done := make(chan error, clients)
	for k := range clients {
		c := db.Connect()
		go func() {
			for range rounds {
				for _, text := range []string{"BEGIN", "SELECT count(*) FROM t WHERE a > 0", "SAVEPOINT s",
					fmt.Sprintf("UPDATE t SET a = a + 1, b = (SELECT sum(a) FROM t) WHERE id = %d", k+1), "RELEASE s", "COMMIT"} {
					if _, err := c.Exec(text); err != nil {
						done <- err
						return
					}
				}
			}
			done <- nil
		}()
	}
	for range clients {
		if err := <-done; err != nil {
			t.Error(sessiontest.Describe(err))
		}
	}
	// Whichever was the last has read all of the others.
	db.Connect().Query("SELECT sum(a), max(b) FROM t", "75|74")
}

// TestReplayMeetsRule: what a rule refuses when the transaction runs again, behind others, is answered as such: with the
// rule and the row, and not with the advice to try again, which would not help.
func TestReplayMeetsRule(t *testing.T) {
	db := sessiontest.OpenPebble(t)
	x, y := db.Connect(), db.Connect()
	x.Must(`CREATE TABLE seat (id int PRIMARY KEY, team int); CREATE INDEX ON seat (team);
		CREATE ASSERTION few CHECK (NOT EXISTS (SELECT team FROM seat GROUP BY team HAVING count(DISTINCT id) > 2));
		INSERT INTO seat VALUES (1, 7)`)
	refused := func(text, want string) {
		t.Helper()
		x.Fails(text, "ERROR 23514: assertion \"few\" is violated\nDETAIL: Violating group: (team) = (7), count = 3.\n"+
			"WHERE: checking assertion \"few\" at the end of INSERT of table \"seat\"\n"+want+"\nSCHEMA: public\nCONSTRAINT: few")
	}
	x.Must("BEGIN")
	x.Must("SELECT 1")
	x.Must("INSERT INTO seat VALUES (2, 7)")
	y.Must("INSERT INTO seat VALUES (3, 7)")
	refused("COMMIT", "statement 2 of the transaction, which was run again after a conflict: INSERT INTO seat VALUES (2, 7)")
	x.Query("SELECT id FROM seat ORDER BY id", "1\n3")

	// In the middle of a transaction: it has failed, and only its end can follow.
	x.Must("DELETE FROM seat WHERE id = 3")
	x.Must("CREATE TABLE busy (id int PRIMARY KEY, n int); INSERT INTO busy VALUES (1, 0)")
	x.Must("BEGIN")
	x.Must("INSERT INTO seat VALUES (2, 7)")
	y.Must("INSERT INTO seat VALUES (3, 7); BEGIN; UPDATE busy SET n = 1")
	done := make(chan error)
	go func() {
		_, err := x.Exec("UPDATE busy SET n = n + 1")
		done <- err
	}()
	waitFor(t, db, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'", "1")
	y.Must("COMMIT")
	if e := errs.As(<-done); e == nil || e.Code != errs.CheckViolation || !strings.Contains(e.Where, "statement 1 of the transaction") {
		t.Errorf("in the middle: %v", e)
	}
	x.Fails("SELECT 1", "ERROR 25P02: current transaction is aborted, commands ignored until end of transaction block")
	x.Must("ROLLBACK")

	// What has been shown before is the better reason.
	x.Must("DELETE FROM seat WHERE id = 3")
	x.Must("BEGIN")
	x.Must("SELECT count(*) FROM seat")
	x.Must("INSERT INTO seat VALUES (2, 7)")
	y.Must("INSERT INTO seat VALUES (3, 7)")
	x.Fails("COMMIT", `
ERROR 40001: could not serialize access due to read/write dependencies among transactions
DETAIL: Read all rows of table "seat"; a concurrent transaction has inserted or deleted one of them. Statement 1 of the transaction would be answered differently now: SELECT count(*) FROM seat
HINT: The transaction might succeed if retried.`)
}
