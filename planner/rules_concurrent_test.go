package planner_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"holdfast/planner/sessiontest"
	"holdfast/sql/errs"
)

// TestForeignKeysUnderConcurrency has clients insert children and remove parents of few keys at the same time. Nobody is asked to
// retry, and no child is ever without its parent.
func TestForeignKeysUnderConcurrency(t *testing.T) {
	db := sessiontest.OpenPebble(t)
	setup := db.Connect()
	setup.Must(`CREATE TABLE p (id int PRIMARY KEY, n int);
		CREATE TABLE c (id serial PRIMARY KEY, p int REFERENCES p);
		CREATE INDEX ON c (p);
		CREATE TABLE k (p int REFERENCES p ON DELETE CASCADE);
		CREATE INDEX ON k (p)`)
	var wg sync.WaitGroup
	var inserted [4]int
	for w := range inserted {
		c := db.Connect()
		random := rand.New(rand.NewPCG(1, uint64(w)))
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 60 {
				id := random.IntN(4)
				statement := []string{
					"INSERT INTO p VALUES (%d, 0) ON CONFLICT DO NOTHING",
					"INSERT INTO c (p) VALUES (%d)",
					"INSERT INTO k VALUES (%d)",
					"UPDATE p SET n = n + 1 WHERE id = %d",
					"DELETE FROM c WHERE p = %d",
					"DELETE FROM p WHERE id = %d",
				}[random.IntN(6)]
				_, err := c.Exec(fmt.Sprintf(statement, id))
				switch code := errs.CodeOf(err); code {
				case "":
					inserted[w]++
				case errs.ForeignKeyViolation:
				default:
					t.Errorf(statement+": %s", id, sessiontest.Describe(err))
				}
			}
		}()
	}
	wg.Wait()
	setup.Query("SELECT count(*) FROM c WHERE p NOT IN (SELECT id FROM p)", "0")
	setup.Query("SELECT count(*) FROM k WHERE p NOT IN (SELECT id FROM p)", "0")
	for w, n := range inserted {
		if n == 0 {
			t.Errorf("client %d has changed nothing", w)
		}
	}
}

// TestAssertionUnderConcurrency is write skew: each client alone keeps the rule.
func TestAssertionUnderConcurrency(t *testing.T) {
	db := sessiontest.OpenPebble(t)
	setup := db.Connect()
	setup.Must(`CREATE TABLE oncall (name text PRIMARY KEY, there bool);
		INSERT INTO oncall SELECT 'n' || i, true FROM generate_series(1, 6) i;
		CREATE ASSERTION somebody CHECK ((SELECT count(*) FROM oncall WHERE there) >= 2)`)
	var wg sync.WaitGroup
	var mu sync.Mutex
	gone := 0
	for w := range 6 {
		c := db.Connect()
		wg.Add(1)
		go func() {
			defer wg.Done()
			_, err := c.Exec(fmt.Sprintf("UPDATE oncall SET there = false WHERE name = 'n%d'", w+1))
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				gone++
			} else if errs.CodeOf(err) != errs.CheckViolation {
				t.Error(sessiontest.Describe(err))
			}
		}()
	}
	wg.Wait()
	if gone != 4 {
		t.Errorf("%d have gone", gone)
	}
	setup.Query("SELECT count(*) FROM oncall WHERE there", "2")
}

// TestChildWaitsForParent: a transaction that has inserted a child holds off the deletion of the parent, but not the change
// of another column.
func TestChildWaitsForParent(t *testing.T) {
	db := sessiontest.OpenPebble(t)
	x, y := db.Connect(), db.Connect()
	x.Must(`CREATE TABLE p (id int PRIMARY KEY, n int); INSERT INTO p VALUES (1, 0);
		CREATE TABLE c (p int REFERENCES p); CREATE INDEX ON c (p)`)
	y.Must("SET lock_timeout = '20ms'")
	x.Must("BEGIN; INSERT INTO c VALUES (1)")
	y.Must("UPDATE p SET n = 1")
	y.Fails("DELETE FROM p", "ERROR 55P03: canceling statement due to lock timeout\nWHERE: while deleting tuple (id)=(1) in relation \"p\"")
	x.Must("COMMIT")
	y.Fails("DELETE FROM p", `
ERROR 23503: update or delete on table "p" violates foreign key constraint "c_p_fkey" on table "c"
DETAIL: Key (id)=(1) is still referenced from table "c".
SCHEMA: public
TABLE: c
CONSTRAINT: c_p_fkey`)
	// A parent that changes all the time does not keep children out.
	x.Must("BEGIN; SELECT 1 FROM c")
	y.Must("UPDATE p SET n = 2")
	x.Must("INSERT INTO c VALUES (1)")
	y.Must("UPDATE p SET n = 3")
	x.Must("COMMIT")
}

// TestColumnsUnderOneCheck: two transactions change different columns of one row, which a CHECK holds together. They do not
// conflict by what they have read, and yet the CHECK sees one consistent row.
func TestColumnsUnderOneCheck(t *testing.T) {
	for _, explicit := range []bool{false, true} {
		db := sessiontest.OpenPebble(t)
		x, y := db.Connect(), db.Connect()
		x.Must("CREATE TABLE pair (id int PRIMARY KEY, a int, b int, CONSTRAINT together CHECK (a + b >= 0)); INSERT INTO pair VALUES (1, 1, 1)")
		x.Must("BEGIN; UPDATE pair SET a = -1 WHERE id = 1")
		done := make(chan error)
		go func() {
			if explicit {
				y.Must("BEGIN; SELECT count(*) FROM pair")
			}
			_, err := y.Exec("UPDATE pair SET b = -1 WHERE id = 1")
			done <- err
		}()
		waitFor(t, db, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'", "1")
		x.Must("COMMIT")
		if err := <-done; errs.CodeOf(err) != errs.CheckViolation {
			t.Errorf("explicit %v: %v, not a violation of the CHECK", explicit, err)
		}
		x.Query("SELECT * FROM pair", "1|-1|1")
	}
}

// TestFailedTransactionLetsGo: a failed transaction without savepoints has nothing that others have to wait for.
func TestFailedTransactionLetsGo(t *testing.T) {
	db := sessiontest.OpenPebble(t)
	x, y := db.Connect(), db.Connect()
	x.Must("CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 1)")
	x.Must("BEGIN; UPDATE t SET a = 2 WHERE id = 1")
	if _, err := x.Exec("SELECT 1 / 0"); err == nil {
		t.Fatal("no error")
	}
	y.Must("SET lock_timeout = '5s'; UPDATE t SET a = 3 WHERE id = 1")
	x.Fails("SELECT 1", "ERROR 25P02: current transaction is aborted, commands ignored until end of transaction block")
	x.Must("ROLLBACK")
	x.Query("SELECT a FROM t", "3")
}

// TestReadOnlyAfterSavepoint: READ ONLY goes with the savepoint it was set after.
func TestReadOnlyAfterSavepoint(t *testing.T) {
	db := sessiontest.OpenPebble(t)
	x := db.Connect()
	x.Must("CREATE TABLE t (id int PRIMARY KEY)")
	x.Must("BEGIN; SAVEPOINT s; SET TRANSACTION READ ONLY; SELECT * FROM t")
	x.Fails("INSERT INTO t VALUES (1)", "ERROR 25006: cannot execute INSERT in a read-only transaction")
	x.Must("ROLLBACK TO s; INSERT INTO t VALUES (1); COMMIT")
	x.Query("SELECT * FROM t", "1")
}
