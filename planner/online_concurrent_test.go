package planner_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"holdfast/planner/sessiontest"
	"holdfast/sql/errs"
)

// TestCreateAmongWriters brings an assertion into force again and again while others write what would violate it: whenever CREATE or
// VALIDATE has succeeded, and until the assertion is dropped, there are no violations.
func TestCreateAmongWriters(t *testing.T) {
	db := sessiontest.OpenPebble(t)
	c := db.Connect()
	c.Must("CREATE TABLE t (id serial PRIMARY KEY, g int); CREATE INDEX ON t (g)")
	const writers, rounds, groups = 4, 30, 5
	stop := make(chan struct{})
	var wait sync.WaitGroup
	for i := range writers {
		w := db.Connect()
		random := rand.New(rand.NewPCG(1, uint64(i)))
		wait.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				g := random.IntN(groups)
				statement := fmt.Sprintf("INSERT INTO t (g) VALUES (%d)", g)
				switch random.IntN(4) {
				case 0:
					statement = fmt.Sprintf("DELETE FROM t WHERE g = %d", g)
				case 1:
					statement = fmt.Sprintf("BEGIN; %s; UPDATE t SET g = %d WHERE id = (SELECT min(id) FROM t); COMMIT", statement, random.IntN(groups))
				}
				if _, err := w.Exec(statement); err != nil {
					if errs.CodeOf(err) != errs.CheckViolation {
						t.Errorf("%s: %v", statement, err)
						return
					}
					_, _ = w.Exec("ROLLBACK")
				}
			}
		})
	}
	const create = "CREATE ASSERTION few CHECK (NOT EXISTS (SELECT g FROM t GROUP BY g HAVING count(*) > 2))"
	held := 0
	for round := range rounds {
		statement := create
		if round%2 == 1 {
			c.Must(create + " NOT VALID")
			statement = "ALTER ASSERTION few VALIDATE"
		}
		_, err := c.Exec(statement)
		if err == nil {
			held++
			for range 3 {
				c.Query("SELECT * FROM violations('few')", "")
			}
		} else if errs.CodeOf(err) != errs.CheckViolation {
			t.Fatalf("%s: %v", statement, err)
		} else {
			c.Must("DELETE FROM t")
		}
		c.Must("DROP ASSERTION IF EXISTS few")
	}
	close(stop)
	wait.Wait()
	t.Logf("the assertion came into force in %d of %d rounds", held, rounds)
}
