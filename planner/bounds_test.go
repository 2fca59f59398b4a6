package planner_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"holdfast/planner/sessiontest"
	"holdfast/sql/errs"
)

// boundRules are rules whose checks look at accumulators, over the tables of boundSchema.
var boundRules = []string{
	"CREATE ASSERTION sums CHECK (NOT EXISTS (SELECT team FROM seat GROUP BY team HAVING sum(n) > 1000000000))",
	"CREATE ASSERTION total CHECK ((SELECT sum(n) FROM seat) <= 1000000000)",
	"CREATE ASSERTION number CHECK ((SELECT count(*) FROM seat WHERE n > 0) < 1000000000)",
	`CREATE ASSERTION plans CHECK (NOT EXISTS (SELECT s.team, count(*) FROM seat s JOIN team t ON t.id = s.team
		GROUP BY s.team, t.plan HAVING count(*) > CASE WHEN t.plan = 'free' THEN 500000 ELSE 1000000 END))`,
	"CREATE ASSERTION budgets CHECK (NOT EXISTS (SELECT id, budget FROM team WHERE (SELECT sum(n) FROM seat WHERE seat.team = team.id) > budget))",
}

const boundSchema = `CREATE TABLE team (id int PRIMARY KEY, plan text NOT NULL, budget numeric NOT NULL);
	CREATE TABLE seat (id bigserial PRIMARY KEY, team int REFERENCES team, n int);
	CREATE INDEX ON seat (team);
	INSERT INTO team VALUES (1, 'free', 1000000), (2, 'paid', 1000000)`

// accumulatorsMatch fails if what is kept is not what the rows say.
func accumulatorsMatch(t *testing.T, db *sessiontest.DB) (groups int) {
	t.Helper()
	wrong, groups, err := db.Engine.CheckAccumulators(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if len(wrong) > 0 {
		t.Errorf("accumulators are wrong: %v", wrong)
	}
	return groups
}

// TestHotGroup: many clients that write rows of one group far from its bounds do not meet in anything.
func TestHotGroup(t *testing.T) {
	for _, explicit := range []bool{false, true} {
		t.Run(fmt.Sprintf("explicit=%v", explicit), func(t *testing.T) {
			db := sessiontest.OpenPebble(t)
			c := db.Connect()
			c.Must(boundSchema)
			for _, r := range boundRules {
				c.Must(r)
			}
			const clients, each = 16, 30
			var wg sync.WaitGroup
			errors := make(chan string, clients*each)
			for range clients {
				c := db.Connect()
				wg.Add(1)
				go func() {
					defer wg.Done()
					for i := range each {
						text := fmt.Sprintf("INSERT INTO seat (team, n) VALUES (1, %d)", i)
						if explicit {
							for _, text := range []string{"BEGIN", text} {
								if _, err := c.Exec(text); err != nil {
									errors <- sessiontest.Describe(err)
								}
							}
							text = "COMMIT"
						}
						if _, err := c.Exec(text); err != nil {
							errors <- sessiontest.Describe(err)
						}
					}
				}()
			}
			wg.Wait()
			close(errors)
			for e := range errors {
				t.Error(e)
			}
			c.Query("SELECT count(*), sum(n) FROM seat", fmt.Sprintf("%d|%d", clients*each, clients*each*(each-1)/2))
			if n := db.Engine.Reruns(); n > 0 {
				t.Errorf("%d transactions were run again", n)
			}
			c.Query("SELECT count(*) FROM holdfast_stat_conflicts", "0")
			if groups := accumulatorsMatch(t, db); groups != 4 { // one of each rule, but that the first and the last need the same
				t.Errorf("%d groups in accumulators", groups)
			}
		})
	}
}

// TestBoundIsExact: of many clients that fill groups up to their bounds, as many get through as fit, and the others are told what is true.
func TestBoundIsExact(t *testing.T) {
	const fits, clients = 37, 12
	for _, test := range []struct{ name, rule, detail string }{
		{"group", fmt.Sprintf("NOT EXISTS (SELECT team FROM seat GROUP BY team HAVING count(*) > %d)", fits), "Violating group: (team) = (%d), count = %d."},
		{"row", "NOT EXISTS (SELECT id, budget FROM team WHERE (SELECT sum(n) FROM seat WHERE seat.team = team.id) > budget)", "Violating row: (id, budget) = (%d, 37)."},
		{"plan", fmt.Sprintf("NOT EXISTS (SELECT s.team, count(*) FROM seat s JOIN team t ON t.id = s.team GROUP BY s.team, t.plan HAVING count(*) > CASE WHEN t.plan = 'free' THEN %d ELSE 5 END)", fits),
			"Violating group: (team) = (%d), count = %d."},
	} {
		for _, explicit := range []bool{false, true} {
			for _, deferred := range []string{"", " DEFERRABLE INITIALLY DEFERRED"} {
				t.Run(fmt.Sprintf("%s/explicit=%v%s", test.name, explicit, deferred), func(t *testing.T) {
					db := sessiontest.OpenPebble(t)
					c := db.Connect()
					c.Must(boundSchema)
					c.Must("UPDATE team SET budget = 37, plan = 'free'")
					c.Must("CREATE ASSERTION bound CHECK (" + test.rule + ")" + deferred)
					var wg sync.WaitGroup
					var mu sync.Mutex
					done := map[int]int{}
					for client := range clients {
						c := db.Connect()
						wg.Add(1)
						go func() {
							defer wg.Done()
							rng := rand.New(rand.NewPCG(uint64(client), 3))
							full := map[int]bool{}
							for len(full) < 2 {
								team := 1 + rng.IntN(2)
								if full[team] {
									continue
								}
								text := fmt.Sprintf("INSERT INTO seat (team, n) VALUES (%d, 1)", team)
								if explicit {
									text = "BEGIN; " + text + "; SAVEPOINT s; SELECT 1; RELEASE s"
								}
								_, err := c.Exec(text)
								if explicit {
									_, e := c.Exec("COMMIT") // ROLLBACK, if there was an error
									if err == nil {
										err = e
									}
								}
								detail := test.detail
								if strings.Count(detail, "%d") > 1 {
									detail = fmt.Sprintf(detail, team, fits+1)
								} else {
									detail = fmt.Sprintf(detail, team)
								}
								switch e := errs.As(err); {
								case err == nil:
									mu.Lock()
									done[team]++
									mu.Unlock()
								case e.Code != errs.CheckViolation || e.Constraint != "bound" || e.Schema != "public" || e.Detail != detail || !strings.HasPrefix(e.Where, `checking assertion "bound" at `):
									t.Errorf("%s: %s, detail %q, where %q, constraint %q", text, sessiontest.Describe(err), e.Detail, e.Where, e.Constraint)
									full[team] = true
								default:
									full[team] = true
								}
							}
						}()
					}
					wg.Wait()
					if done[1] != fits || done[2] != fits {
						t.Errorf("%v got through, want %d each", done, fits)
					}
					c.Query("SELECT count(*) FROM seat", fmt.Sprint(2*fits))
					if groups := accumulatorsMatch(t, db); groups != 2 {
						t.Errorf("%d groups in accumulators", groups)
					}
				})
			}
		}
	}
}

var boundChanges = flag.Int("bounds.changes", 3000, "how many random changes TestAccumulatorsOfRandomChanges makes")

// TestAccumulatorsOfRandomChanges compares what is kept with the rows after random changes, most of which are parts of transactions with savepoints, and some
// taken back.
func TestAccumulatorsOfRandomChanges(t *testing.T) {
	db := sessiontest.OpenPebble(t)
	c := db.Connect()
	c.Must(`CREATE TABLE g (id int PRIMARY KEY);
		CREATE TABLE x (id int PRIMARY KEY, g int REFERENCES g ON DELETE CASCADE ON UPDATE SET NULL, a numeric, b smallint, t text);
		CREATE INDEX ON x (g);
		CREATE ASSERTION one CHECK (NOT EXISTS (SELECT g FROM x GROUP BY g HAVING sum(a) BETWEEN 1e30 AND 1e31 OR avg(b) > 1e9 OR count(*) > 1000000));
		CREATE ASSERTION two CHECK ((SELECT sum(b * 2 + length(t)) FROM x WHERE a IS NOT NULL) < 1000000000);
		CREATE ASSERTION three CHECK (NOT EXISTS (SELECT t, g FROM x WHERE b > 0 GROUP BY t, g HAVING count(a) > 1000000))`)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	number := func() string {
		if rng.IntN(6) == 0 {
			return "NULL"
		}
		return fmt.Sprintf("%d.%0*d", rng.IntN(200)-100, 1+rng.IntN(4), rng.IntN(10))
	}
	statement := func() string {
		id, g := rng.IntN(60), rng.IntN(5)
		switch rng.IntN(12) {
		case 0:
			return fmt.Sprintf("DELETE FROM g WHERE id = %d", g)
		case 1:
			return fmt.Sprintf("UPDATE g SET id = %d WHERE id = %d", rng.IntN(5), g)
		case 2, 3:
			return fmt.Sprintf("INSERT INTO g VALUES (%d) ON CONFLICT DO NOTHING", g)
		case 4:
			return fmt.Sprintf("DELETE FROM x WHERE id %% 7 = %d", id%7)
		case 5:
			return fmt.Sprintf("UPDATE x SET a = a + %s, t = NULLIF(t, 'u') WHERE id < %d", number(), id)
		case 6:
			return fmt.Sprintf("UPDATE x SET id = id + 1, b = b - 1 WHERE id >= %d", id)
		case 7:
			return fmt.Sprintf("INSERT INTO x SELECT i, %d, %s, i, 'u' FROM generate_series(%d, %d) i ON CONFLICT (id) DO UPDATE SET a = excluded.a, b = NULL", g, number(), id, id+10)
		case 8:
			if rng.IntN(20) == 0 {
				return "TRUNCATE x"
			}
			return "UPDATE x SET a = 'NaN' WHERE id % 11 = 0"
		}
		return fmt.Sprintf("INSERT INTO x VALUES (%d, %d, %s, %d, '%s')", id, g, number(), rng.IntN(9)-4, strings.Repeat("u", rng.IntN(3)))
	}
	for n := 0; n < *boundChanges; {
		control := []string{"BEGIN"}
		for range 1 + rng.IntN(6) {
			switch rng.IntN(5) {
			case 0:
				control = append(control, "SAVEPOINT s")
			case 1:
				control = append(control, "ROLLBACK TO s")
			}
			control = append(control, statement())
			n++
		}
		if rng.IntN(4) == 0 {
			control = append(control, "ROLLBACK")
		}
		for _, text := range append(control, "COMMIT") {
			switch _, err := c.Exec(text); errs.CodeOf(err) {
			case "", errs.UniqueViolation, errs.ForeignKeyViolation, errs.InFailedSQLTransaction, errs.InvalidSavepointSpecification, errs.NumericValueOutOfRange, errs.CardinalityViolation, errs.ObjectInUse:
			default:
				t.Fatalf("%s: %s", text, sessiontest.Describe(err))
			}
		}
		if rng.IntN(100) == 0 || n >= *boundChanges {
			accumulatorsMatch(t, db)
			if t.Failed() {
				t.FailNow()
			}
		}
	}
}

// TestSumBeyondNumeric: as sum() does, a check fails with 22003 where a sum is more than numeric holds. Where that is so only at the
// commit, another try meets it.
func TestSumBeyondNumeric(t *testing.T) {
	const beyond = "22003"
	db := sessiontest.Open(t)
	a, b := db.Connect(), db.Connect()
	a.Must(`CREATE TABLE x (id int PRIMARY KEY, g int, n numeric);
		CREATE ASSERTION bound CHECK (NOT EXISTS (SELECT g FROM x GROUP BY g HAVING sum(n) = 3));
		INSERT INTO x VALUES (1, 1, 9e131071)`)
	playSteps(t, a, b, []string{
		"a: INSERT INTO x VALUES (2, 1, 9e131071) -> " + beyond,
		"a: INSERT INTO x VALUES (2, 1, 9e131071), (3, 1, -9e131071)", // it is never computed by parts
		"b: BEGIN", "b: UPDATE x SET n = 1 WHERE id = 3 -> " + beyond, "b: ROLLBACK",
		"a: BEGIN", "a: DELETE FROM x WHERE id = 1", "a: INSERT INTO x VALUES (4, 1, 9e131071)", "b: INSERT INTO x VALUES (5, 1, 9e131071) -> " + beyond, "a: COMMIT",
		"a: BEGIN", "a: INSERT INTO x VALUES (6, 2, 9e131071)", "b: INSERT INTO x VALUES (7, 2, 9e131071)",
		"a: COMMIT -> 40001", "a: INSERT INTO x VALUES (6, 2, 9e131071) -> " + beyond,
		"a: DELETE FROM x WHERE g = 2",
	})
	a.Fails("SELECT avg(n) FROM x WHERE n > 0", "ERROR 22003: value overflows numeric format")
	a.Fails("SELECT length((sum(n) OVER ())::text) FROM x WHERE n > 0", "ERROR 22003: value overflows numeric format")
	a.Query("SELECT length(sum(n)::text) FROM x", "131072")
	accumulatorsMatch(t, db)
}
