package planner_test

import (
	"fmt"
	"sync"
	"testing"

	"holdfast/planner/sessiontest"
	"holdfast/sql/errs"
)

const twoSidesSchema = `CREATE TABLE dept (id int PRIMARY KEY, name text);
	CREATE TABLE expense (id bigserial PRIMARY KEY, d int, amount int NOT NULL);
	CREATE TABLE budget (id bigserial PRIMARY KEY, d int, amount numeric NOT NULL);
	INSERT INTO dept VALUES (1, 'one'), (2, 'two')`

// twoSides are conditions on sums of both tables, with room as what is between them.
var twoSides = []struct{ name, condition, detail string }{
	{"by department", `NOT EXISTS (SELECT id FROM dept WHERE (SELECT sum(amount) FROM expense e WHERE e.d = dept.id) > (SELECT sum(amount) FROM budget b WHERE b.d = dept.id))`,
		"Violating row: (id) = (1)."},
	{"as a whole", `(SELECT sum(amount) FROM expense) <= (SELECT sum(amount) FROM budget)`, ""},
	{"numbers", `NOT EXISTS (SELECT id FROM dept WHERE (SELECT count(*) FROM expense e WHERE e.d = dept.id) + (SELECT sum(amount) FROM expense e WHERE e.d = dept.id)
		> (SELECT sum(amount) FROM budget b WHERE b.d = dept.id) + (SELECT count(*) FROM expense e WHERE e.d = dept.id AND amount > 0))`, "Violating row: (id) = (1)."},
}

// TestHotGroupsOfTwo: clients that change either side of a comparison of two sums, far from where it would not hold, do not meet in anything.
func TestHotGroupsOfTwo(t *testing.T) {
	for _, explicit := range []bool{false, true} {
		t.Run(fmt.Sprintf("explicit=%v", explicit), func(t *testing.T) {
			db := sessiontest.OpenPebble(t)
			c := db.Connect()
			c.Must(twoSidesSchema)
			c.Must("INSERT INTO budget (d, amount) VALUES (1, 1000000000)")
			for i, r := range twoSides {
				c.Must(fmt.Sprintf("CREATE ASSERTION rule%d CHECK (%s)", i, r.condition))
			}
			c.Must(`CREATE ASSERTION balanced CHECK ((SELECT count(*) FROM expense) > (SELECT count(*) FROM budget) - 1000000
				AND (SELECT sum(amount) FROM budget WHERE d IS NULL) = (SELECT sum(amount) FROM expense WHERE d IS NULL)) DEFERRABLE INITIALLY DEFERRED`)
			const clients, each = 64, 6
			var wg sync.WaitGroup
			for client := range clients {
				c := db.Connect()
				wg.Go(func() {
					for i := range each {
						var list []string
						switch {
						case explicit && client%4 == 3: // what one side gets the other gets as well
							list = []string{"INSERT INTO expense (d, amount) VALUES (NULL, 7)", "INSERT INTO budget (d, amount) VALUES (NULL, 7)"}
						case client%2 == 0:
							list = []string{fmt.Sprintf("INSERT INTO expense (d, amount) VALUES (1, %d)", i)}
						default:
							list = []string{fmt.Sprintf("INSERT INTO budget (d, amount) VALUES (1, -%d)", i)}
						}
						if explicit {
							list = append(append([]string{"BEGIN"}, list...), "COMMIT")
						}
						for _, text := range list {
							if _, err := c.Exec(text); err != nil {
								t.Errorf("%s: %s", text, sessiontest.Describe(err))
							}
						}
					}
				})
			}
			wg.Wait()
			if n := db.Engine.Reruns(); n > 0 {
				t.Errorf("%d transactions were run again", n)
			}
			c.Query("SELECT count(*) FROM holdfast_stat_conflicts", "0")
			c.Query("SELECT count(*) - 1 FROM (SELECT FROM expense UNION ALL SELECT FROM budget) x", fmt.Sprint(map[bool]int{false: clients * each, true: (clients + clients/4) * each}[explicit]))
			accumulatorsMatch(t, db)
		})
	}
}

// TestBoundOfTwoIsExact: of clients that use up what is between two sums from both sides, as many get through as fit, and the others are refused.
func TestBoundOfTwoIsExact(t *testing.T) {
	const room, clients = 41, 64
	for _, test := range twoSides {
		for _, explicit := range []bool{false, true} {
			for _, deferred := range []string{"", " DEFERRABLE INITIALLY DEFERRED"} {
				t.Run(fmt.Sprintf("%s/explicit=%v%s", test.name, explicit, deferred), func(t *testing.T) {
					db := sessiontest.OpenPebble(t)
					c := db.Connect()
					c.Must(twoSidesSchema)
					c.Must("INSERT INTO expense (d, amount) VALUES (1, 30)")
					c.Must(fmt.Sprintf("INSERT INTO budget (d, amount) VALUES (1, %d)", room+30))
					c.Must("CREATE ASSERTION bound CHECK (" + test.condition + ")" + deferred)
					var wg sync.WaitGroup
					var mu sync.Mutex
					done := 0
					for client := range clients {
						c := db.Connect()
						wg.Go(func() {
							text := "INSERT INTO expense (d, amount) VALUES (1, 1)"
							if client%2 == 0 {
								text = "INSERT INTO budget (d, amount) VALUES (1, -1)"
							}
							if explicit {
								text = "BEGIN; " + text + "; SAVEPOINT s; SELECT 1; RELEASE s"
							}
							for {
								_, err := c.Exec(text)
								if explicit {
									if _, e := c.Exec("COMMIT"); err == nil { // ROLLBACK, if there was an error
										err = e
									}
								}
								if err != nil {
									if e := errs.As(err); e.Code != errs.CheckViolation || e.Constraint != "bound" || test.detail != "" && e.Detail != test.detail {
										t.Errorf("%s: %s, detail %q, constraint %q", text, sessiontest.Describe(err), e.Detail, e.Constraint)
									}
									return
								}
								mu.Lock()
								done++
								mu.Unlock()
							}
						})
					}
					wg.Wait()
					if done != room {
						t.Errorf("%d got through, want %d", done, room)
					}
					c.Query("SELECT (SELECT sum(amount) FROM expense) = (SELECT sum(amount) FROM budget)", "t")
					accumulatorsMatch(t, db)
				})
			}
		}
	}
}

// TestBoundOfTwoInTransactions plays two clients against each other, step by step. 90 of 100 are spent at the beginning.
func TestBoundOfTwoInTransactions(t *testing.T) {
	const refusedAtCommit = `23514 Violating row: (id) = (1). checking assertion "bound" at `
	spend := func(n int) string { return fmt.Sprintf("INSERT INTO expense (d, amount) VALUES (1, %d)", n) }
	give := func(n int) string { return fmt.Sprintf("INSERT INTO budget (d, amount) VALUES (1, %d)", n) }
	for _, test := range []struct {
		name  string
		steps []string
		left  int // of the budget of department 1, at the end
	}{
		{"both fit", []string{"a: BEGIN", "a: " + spend(5), "b: " + give(-3), "a: COMMIT"}, 2},
		{"the last to commit is refused", []string{"a: BEGIN", "a: " + spend(8), "b: " + give(-5), "a: COMMIT -> " + refusedAtCommit}, 5},
		{"so is the other side", []string{"a: BEGIN", "a: " + give(-8), "b: " + spend(5), "a: COMMIT -> " + refusedAtCommit}, 5},
		{"what another gives counts", []string{"a: BEGIN", "a: " + spend(8), "b: " + give(20), "b: " + spend(20), "a: COMMIT"}, 2},
		{"a later statement excuses nothing", []string{"a: BEGIN", "a: " + spend(8), "a: " + give(10), "b: " + give(-5), "a: COMMIT -> " + refusedAtCommit}, 5},
		{"an earlier one does", []string{"a: BEGIN", "a: " + give(10), "a: " + spend(8), "b: " + give(-5), "a: COMMIT"}, 7},
		{"a later statement breaks nothing", []string{"a: BEGIN", "a: " + give(-5), "a: " + spend(5), "a: " + give(40), "a: " + spend(30), "b: " + spend(0), "a: COMMIT"}, 10},
		{"a statement that was taken back", []string{"a: BEGIN", "a: " + give(10), "a: SAVEPOINT s", "a: " + spend(15), "a: " + give(-2), "a: ROLLBACK TO s", "a: " + spend(5), "b: " + spend(3), "a: COMMIT"}, 12},
		{"it would have failed", []string{"a: BEGIN", "a: " + give(10), "a: SAVEPOINT s", "a: " + spend(15), "a: " + give(-2), "a: ROLLBACK TO s", "a: " + spend(5), "b: " + spend(4), "a: COMMIT -> 23514"}, 6},
		{"a refusal rests on both", []string{"a: BEGIN", "a: INSERT INTO expense (d, amount) VALUES (2, 1)", "a: SAVEPOINT s", "a: " + spend(20) + " -> 23514", "a: ROLLBACK TO s", "b: " + give(10), "a: COMMIT -> 40001"}, 20},
	} {
		for _, deferrable := range []string{"", " DEFERRABLE"} {
			t.Run(test.name+deferrable, func(t *testing.T) {
				db := sessiontest.Open(t)
				a, b := db.Connect(), db.Connect()
				a.Must(twoSidesSchema)
				a.Must("INSERT INTO expense (d, amount) VALUES (1, 90); INSERT INTO budget (d, amount) VALUES (1, 100)")
				a.Must("CREATE ASSERTION bound CHECK (" + twoSides[0].condition + ")" + deferrable)
				playSteps(t, a, b, test.steps)
				a.Query("SELECT (SELECT sum(amount) FROM budget WHERE d = 1) - (SELECT sum(amount) FROM expense WHERE d = 1)", fmt.Sprint(test.left))
				accumulatorsMatch(t, db)
			})
		}
	}
}
