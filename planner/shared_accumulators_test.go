package planner_test

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"holdfast/kv"
	"holdfast/kv/pebblekv"
	"holdfast/planner/sessiontest"
	"holdfast/sql/accumulator"
	"holdfast/sql/errs"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const sharedSchema = `CREATE TABLE team (id int PRIMARY KEY, budget numeric NOT NULL); CREATE TABLE seat (id bigserial PRIMARY KEY, team int, n int NOT NULL);
	CREATE INDEX ON seat (team);
	INSERT INTO team VALUES (1, 100);
	INSERT INTO seat (team, n) VALUES (1, 40), (1, 50)`

// sharedRules need the same of seat, but in different places and beside other tables.
var sharedRules = map[string]string{
	"a": "NOT EXISTS (SELECT team FROM seat GROUP BY team HAVING sum(n) > 120)",
	"b": "NOT EXISTS (SELECT id, budget FROM team WHERE (SELECT sum(n) FROM seat WHERE seat.team = team.id) > budget)",
	"c": "NOT EXISTS (SELECT s.team FROM seat s GROUP BY s.team HAVING avg(s.n) > 1000)",
}

// usesAccumulators tells whether the checks of inserted seats by a rule do.
func usesAccumulators(c *sessiontest.Client, rule string) bool {
	return strings.Contains(c.Must("EXPLAIN ASSERTION "+rule+" FOR INSERT ON seat").String(), "Accumulator Check")
}

// TestSharedAccumulators: what several assertions need is kept once, and for as long as one of them needs it.
func TestSharedAccumulators(t *testing.T) {
	const refused = " -> 23514"
	for _, test := range []struct {
		name   string
		steps  []string
		groups int // that are kept at the end, which is the number of accumulators, since there is one team
	}{
		{"kept once", nil, 1},
		{"the first is dropped", []string{"a: DROP ASSERTION a", "b: INSERT INTO seat (team, n) VALUES (1, 11)" + refused, "b: INSERT INTO seat (team, n) VALUES (1, 10)"}, 1},
		{"two are dropped", []string{"a: DROP ASSERTION a, c", "b: INSERT INTO seat (team, n) VALUES (1, 11)" + refused}, 1},
		{"the others are dropped", []string{"a: DROP ASSERTION c", "a: DROP ASSERTION b", "b: INSERT INTO seat (team, n) VALUES (1, 31)" + refused, "b: INSERT INTO seat (team, n) VALUES (1, 30)"}, 1},
		{"all are dropped", []string{"a: DROP ASSERTION a, b, c"}, 0},
		{"dropped with a table", []string{"a: DROP TABLE team CASCADE", "b: INSERT INTO seat (team, n) VALUES (1, 31)" + refused}, 1},
		{"dropped with its own table", []string{"a: DROP TABLE seat CASCADE"}, 0},
		{"disabled and enabled", []string{"a: ALTER ASSERTION a DISABLE", "b: INSERT INTO seat (team, n) VALUES (1, 5)", "a: ALTER ASSERTION a ENABLE", "a: ALTER ASSERTION b DISABLE", "a: ALTER ASSERTION c NOT ENFORCED",
			"b: INSERT INTO seat (team, n) VALUES (1, 26)" + refused, "b: INSERT INTO seat (team, n) VALUES (1, 25)"}, 1},
		{"measured only", []string{"a: ALTER ASSERTION a NOT ENFORCED", "b: INSERT INTO seat (team, n) VALUES (1, 10)", "a: ALTER ASSERTION a ENFORCED", "b: INSERT INTO seat (team, n) VALUES (1, 1)" + refused}, 1},
		{"a new one joins", []string{"a: DROP ASSERTION a", "a: CREATE ASSERTION d CHECK (NOT EXISTS (SELECT team FROM seat WHERE true GROUP BY team HAVING sum(n) BETWEEN 95 AND 98))",
			"b: INSERT INTO seat (team, n) VALUES (1, 7)" + refused, "b: INSERT INTO seat (team, n) VALUES (1, 10)"}, 1},
		{"another needs something else", []string{"a: CREATE ASSERTION d CHECK (NOT EXISTS (SELECT team FROM seat WHERE n > 0 GROUP BY team HAVING sum(n) > 97))",
			"b: INSERT INTO seat (team, n) VALUES (1, 8)" + refused, "a: DROP ASSERTION a", "b: INSERT INTO seat (team, n) VALUES (1, 8)" + refused, "b: INSERT INTO seat (team, n) VALUES (1, 7)"}, 2},
		{"the drop is taken back", []string{"a: BEGIN", "a: DROP ASSERTION a", "a: INSERT INTO seat (team, n) VALUES (1, 5)", "a: ROLLBACK", "b: INSERT INTO seat (team, n) VALUES (1, 10)"}, 1},
		{"to a savepoint", []string{"a: BEGIN", "a: INSERT INTO seat (team, n) VALUES (1, 1)", "a: SAVEPOINT s", "a: DROP ASSERTION a, b, c", "a: INSERT INTO seat (team, n) VALUES (1, 500)", "a: ROLLBACK TO s",
			"a: INSERT INTO seat (team, n) VALUES (1, 1)", "a: COMMIT", "b: INSERT INTO seat (team, n) VALUES (1, 9)" + refused}, 1},
		{"in one transaction", []string{"a: BEGIN", "a: INSERT INTO seat (team, n) VALUES (1, 1)", "a: DROP ASSERTION a", "a: INSERT INTO seat (team, n) VALUES (1, 1)", "a: DROP ASSERTION c", "a: INSERT INTO seat (team, n) VALUES (1, 1)",
			"a: CREATE ASSERTION c CHECK (" + sharedRules["c"] + ")", "a: COMMIT", "b: INSERT INTO seat (team, n) VALUES (1, 8)" + refused, "b: INSERT INTO seat (team, n) VALUES (1, 7)"}, 1},
		{"TRUNCATE", []string{"a: TRUNCATE seat", "b: INSERT INTO seat (team, n) VALUES (1, 100)", "a: INSERT INTO seat (team, n) VALUES (1, 1)" + refused, "a: UPDATE team SET budget = 99" + refused}, 1},
		{"the other table", []string{"b: UPDATE team SET budget = 95", "a: TRUNCATE seat", "b: UPDATE team SET budget = 10", "a: INSERT INTO seat (team, n) VALUES (1, 9)", "a: DROP ASSERTION a", "b: UPDATE team SET budget = 9",
			"a: INSERT INTO seat (team, n) VALUES (1, -2)", "b: UPDATE team SET budget = 7", "b: UPDATE team SET budget = 6" + refused}, 1},
	} {
		for _, first := range []string{"abc", "bca", "cba"} {
			t.Run(test.name+"/"+first, func(t *testing.T) {
				db := sessiontest.Open(t)
				a, b := db.Connect(), db.Connect()
				a.Must(sharedSchema)
				for _, name := range strings.Split(first, "") {
					a.Must("CREATE ASSERTION " + name + " CHECK (" + sharedRules[name] + ")")
				}
				playSteps(t, a, b, test.steps)
				if groups := accumulatorsMatch(t, db); groups != test.groups {
					t.Errorf("%d accumulators are kept, want %d", groups, test.groups)
				}
				for _, name := range strings.Fields(a.Must("SELECT assertionname FROM holdfast_assertions WHERE enabled AND enforced").String()) {
					if !usesAccumulators(a, name) {
						t.Errorf("%s looks at rows", name)
					}
				}
			})
		}
	}
}

// TestSharedAccumulatorLosesOne: an accumulator that follows no longer from the condition of the assertion that has it goes to one from which it does.
func TestSharedAccumulatorLosesOne(t *testing.T) {
	db := sessiontest.Open(t)
	c := db.Connect()
	c.Must(`CREATE TABLE p (id int PRIMARY KEY, u int, cap int, CONSTRAINT one UNIQUE (u)); CREATE TABLE seat (id int PRIMARY KEY, u int);
		INSERT INTO p VALUES (1, 1, 2);
		CREATE ASSERTION x CHECK (NOT EXISTS (SELECT c.u FROM seat c JOIN p ON p.u = c.u GROUP BY c.u, p.cap HAVING count(*) > p.cap));
		CREATE ASSERTION y CHECK (NOT EXISTS (SELECT u FROM seat GROUP BY u HAVING count(*) > 3));
		INSERT INTO seat VALUES (1, 1), (2, 2)`)
	c.Must("ALTER TABLE p DROP CONSTRAINT one")
	if usesAccumulators(c, "x") || !usesAccumulators(c, "y") {
		t.Error("x uses an accumulator, or y none")
	}
	c.Must("INSERT INTO seat VALUES (3, 2), (4, 2)")
	if _, err := c.Exec("INSERT INTO seat VALUES (5, 2)"); errs.CodeOf(err) != errs.CheckViolation {
		t.Errorf("y lets too many in: %v", err)
	}
	if groups := accumulatorsMatch(t, db); groups != 2 {
		t.Errorf("%d groups are kept, want 2", groups)
	}
}

// stillOpen is a store that another database closes.
type stillOpen struct{ kv.Store }

func (stillOpen) Close() error { return nil }

// TestSharedAccumulatorsAtRandom brings assertions that need the same into force and takes them away while others write. What is kept is right
// at any time, also for a server that finds it in the folder, and none of the assertions is ever violated.
func TestSharedAccumulatorsAtRandom(t *testing.T) {
	store, err := pebblekv.Open(pebblekv.Options{Folder: "db", FS: vfs.NewMem(), CacheBytes: 8 << 20, MemtableBytes: 1 << 20, Merge: accumulator.Merge, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	db := sessiontest.OpenStore(t, store)
	c := db.Connect()
	c.Must(sharedSchema)
	c.Must("INSERT INTO team VALUES (2, 90)")
	const writers, rounds = 3, 60
	stop := make(chan struct{})
	var wait sync.WaitGroup
	for i := range writers {
		w := db.Connect()
		random := rand.New(rand.NewPCG(7, uint64(i)))
		wait.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				statement := fmt.Sprintf("INSERT INTO seat (team, n) VALUES (%d, %d)", 1+random.IntN(2), random.IntN(30))
				switch random.IntN(4) {
				case 0:
					statement = fmt.Sprintf("DELETE FROM seat WHERE id %% 7 = %d AND team = %d", random.IntN(7), 1+random.IntN(2))
				case 1:
					statement = fmt.Sprintf("UPDATE team SET budget = %d WHERE id = %d", 80+random.IntN(40), 1+random.IntN(2))
				}
				if _, err := w.Exec(statement); err != nil && errs.CodeOf(err) != errs.CheckViolation {
					t.Errorf("%s: %s", statement, sessiontest.Describe(err))
					return
				}
			}
		})
	}
	random := rand.New(rand.NewPCG(7, 99))
	for range rounds {
		name := string(rune('a' + random.IntN(3)))
		statement := []string{"CREATE ASSERTION " + name + " CHECK (" + sharedRules[name] + ")", "DROP ASSERTION " + name, "ALTER ASSERTION " + name + " DISABLE", "ALTER ASSERTION " + name + " ENABLE",
			"BEGIN; DROP ASSERTION IF EXISTS " + name + "; CREATE ASSERTION " + name + " CHECK (" + sharedRules[name] + "); COMMIT", "TRUNCATE seat"}[random.IntN(6)]
		if _, err := c.Exec(statement); err != nil {
			switch errs.CodeOf(err) {
			case errs.CheckViolation, errs.UndefinedObject, errs.DuplicateObject:
			default:
				t.Errorf("%s: %s", statement, sessiontest.Describe(err))
			}
			_, _ = c.Exec("ROLLBACK")
		}
		accumulatorsMatch(t, db)
	}
	close(stop)
	wait.Wait()
	for _, name := range strings.Fields(c.Must("SELECT assertionname FROM holdfast_assertions WHERE enabled").String()) {
		c.Query("SELECT * FROM violations('"+name+"')", "")
		if !usesAccumulators(c, name) {
			t.Errorf("%s looks at rows", name)
		}
	}
	groups := accumulatorsMatch(t, db)
	if again := accumulatorsMatch(t, sessiontest.OpenStore(t, stillOpen{store})); again != groups {
		t.Errorf("%d groups, and %d after a restart", groups, again)
	}
}
