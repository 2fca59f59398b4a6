package planner_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"holdfast/planner/sessiontest"
	"holdfast/sql/errs"
)

// TestBoundsInTransactions plays two clients against each other, step by step. A group has 90 of 100 at the beginning.
func TestBoundsInTransactions(t *testing.T) {
	const refusedAtCommit = `23514 Violating group: (team) = (1), sum = 103. checking assertion "bound" at `
	for _, test := range []struct {
		name  string
		steps []string // "a: statement", "b: statement", with what it fails with after " -> "
		sum   string   // of team 1, at the end
	}{
		{"the last to commit is refused", []string{"a: BEGIN", "a: INSERT INTO seat (team, n) VALUES (1, 8)", "b: INSERT INTO seat (team, n) VALUES (1, 5)",
			"a: COMMIT -> " + refusedAtCommit, "a: INSERT INTO seat (team, n) VALUES (1, 5)"}, "100"},
		{"what fits gets through", []string{"a: BEGIN", "a: INSERT INTO seat (team, n) VALUES (1, 5)", "b: INSERT INTO seat (team, n) VALUES (1, 5)", "a: COMMIT"}, "100"},
		{"room made by the other", []string{"a: BEGIN", "a: INSERT INTO seat (team, n) VALUES (1, 8)", "b: INSERT INTO seat (team, n) VALUES (1, 5)", "b: DELETE FROM seat WHERE n = 5", "a: COMMIT"}, "98"},
		{"room made by a later statement", []string{"a: BEGIN", "a: INSERT INTO seat (id, team, n) VALUES (0, 1, 8)", "a: DELETE FROM seat WHERE id = 0", "b: INSERT INTO seat (team, n) VALUES (1, 5)",
			"a: COMMIT -> " + refusedAtCommit}, "95"},
		{"room taken by a later statement", []string{"a: BEGIN", "a: INSERT INTO seat (team, n) VALUES (1, 2)", "a: INSERT INTO seat (team, n) VALUES (1, 2)", "b: INSERT INTO seat (team, n) VALUES (1, 6)", "a: COMMIT"}, "100"},
		{"only statements that are left count, but they have been answered", []string{"a: BEGIN", "a: INSERT INTO seat (team, n) VALUES (2, 1)", "a: SAVEPOINT s", "a: INSERT INTO seat (team, n) VALUES (1, 8)", "a: ROLLBACK TO s",
			"b: INSERT INTO seat (team, n) VALUES (1, 5)", "a: COMMIT -> 23514"}, "95"},
		{"a statement that was taken back", []string{"a: BEGIN", "a: INSERT INTO seat (team, n) VALUES (1, 1)", "a: SAVEPOINT s", "a: INSERT INTO seat (team, n) VALUES (1, 3)", "a: SAVEPOINT r", "a: INSERT INTO seat (team, n) VALUES (1, 1)",
			"a: ROLLBACK TO r", "a: INSERT INTO seat (team, n) VALUES (1, 2)", "a: ROLLBACK TO s", "b: INSERT INTO seat (team, n) VALUES (1, 4)", "a: COMMIT"}, "95"},
		{"it would have failed", []string{"a: BEGIN", "a: INSERT INTO seat (team, n) VALUES (1, 1)", "a: SAVEPOINT s", "a: INSERT INTO seat (team, n) VALUES (1, 3)", "a: SAVEPOINT r", "a: INSERT INTO seat (team, n) VALUES (1, 1)",
			"a: ROLLBACK TO r", "a: INSERT INTO seat (team, n) VALUES (1, 2)", "a: ROLLBACK TO s", "b: INSERT INTO seat (team, n) VALUES (1, 5)", "a: COMMIT -> 23514"}, "95"},
		{"a refusal rests on what was seen", []string{"a: BEGIN", "a: INSERT INTO seat (team, n) VALUES (2, 1)", "a: SAVEPOINT s", "a: INSERT INTO seat (team, n) VALUES (1, 20) -> 23514", "a: ROLLBACK TO s",
			"b: DELETE FROM seat WHERE team = 1", "a: COMMIT -> 40001"}, "null"},
		{"a refusal that stands", []string{"a: BEGIN", "a: INSERT INTO seat (team, n) VALUES (2, 1)", "a: SAVEPOINT s", "a: INSERT INTO seat (team, n) VALUES (1, 20) -> 23514", "a: ROLLBACK TO s", "a: COMMIT"}, "90"},
		{"groups that come and go", []string{"a: BEGIN", "a: UPDATE seat SET team = NULL WHERE team = 1", "b: INSERT INTO seat (team, n) VALUES (NULL, 10)", "a: COMMIT", "b: INSERT INTO seat (team, n) VALUES (NULL, 1) -> 23514 Violating group: (team) = (null), sum = 101."}, "null"},
		{"TRUNCATE", []string{"a: TRUNCATE seat", "b: INSERT INTO seat (team, n) VALUES (1, 100)", "a: INSERT INTO seat (team, n) VALUES (1, 1) -> 23514"}, "100"},
		{"TRUNCATE in the transaction", []string{"a: BEGIN", "a: INSERT INTO seat (team, n) VALUES (1, 10)", "a: TRUNCATE seat", "a: INSERT INTO seat (team, n) VALUES (1, 7)", "a: COMMIT", "b: INSERT INTO seat (team, n) VALUES (1, 93)"}, "100"},
		{"TRUNCATE taken back", []string{"a: BEGIN", "a: TRUNCATE seat", "a: ROLLBACK", "b: INSERT INTO seat (team, n) VALUES (1, 11) -> 23514"}, "90"},
		{"DISABLE and ENABLE", []string{"a: ALTER ASSERTION bound DISABLE", "b: INSERT INTO seat (team, n) VALUES (1, 5)", "a: ALTER ASSERTION bound ENABLE", "b: INSERT INTO seat (team, n) VALUES (1, 6) -> 23514", "b: INSERT INTO seat (team, n) VALUES (1, 5)"}, "100"},
		{"NOT ENFORCED and ENFORCED", []string{"a: ALTER ASSERTION bound NOT ENFORCED", "b: INSERT INTO seat (team, n) VALUES (1, 5)", "a: ALTER ASSERTION bound ENFORCED", "b: INSERT INTO seat (team, n) VALUES (1, 6) -> 23514"}, "95"},
		{"RENAME", []string{"a: ALTER ASSERTION bound RENAME TO edge", "b: INSERT INTO seat (team, n) VALUES (1, 11) -> 23514", "b: INSERT INTO seat (team, n) VALUES (1, 10)"}, "100"},
		{"a column more", []string{"a: ALTER TABLE seat ADD COLUMN made timestamptz DEFAULT clock_timestamp()", "b: INSERT INTO seat (team, n) VALUES (1, 11) -> 23514", "b: INSERT INTO seat (team, n) VALUES (1, 10)"}, "100"},
		{"DDL in the transaction", []string{"a: BEGIN", "a: INSERT INTO seat (team, n) VALUES (1, 4)", "a: DROP ASSERTION bound", "a: INSERT INTO seat (team, n) VALUES (1, 1)",
			"a: CREATE ASSERTION bound CHECK (NOT EXISTS (SELECT team FROM seat GROUP BY team HAVING sum(n) > 100))", "a: INSERT INTO seat (team, n) VALUES (1, 2)", "a: COMMIT", "b: INSERT INTO seat (team, n) VALUES (1, 4) -> 23514"}, "97"},
		{"SET CONSTRAINTS", []string{"a: DROP ASSERTION bound; CREATE ASSERTION bound CHECK (NOT EXISTS (SELECT team FROM seat GROUP BY team HAVING sum(n) > 100)) DEFERRABLE INITIALLY DEFERRED",
			"a: BEGIN", "a: INSERT INTO seat (team, n) VALUES (1, 8)", "a: SET CONSTRAINTS bound IMMEDIATE", "b: INSERT INTO seat (team, n) VALUES (1, 5)", "a: COMMIT -> " + refusedAtCommit}, "95"},
		{"deferred", []string{"a: DROP ASSERTION bound; CREATE ASSERTION bound CHECK (NOT EXISTS (SELECT team FROM seat GROUP BY team HAVING sum(n) > 100)) DEFERRABLE INITIALLY DEFERRED",
			"a: BEGIN", "a: INSERT INTO seat (id, team, n) VALUES (0, 1, 80)", "a: DELETE FROM seat WHERE id = 0", "b: INSERT INTO seat (team, n) VALUES (1, 5)", "a: COMMIT"}, "95"},
	} {
		t.Run(test.name, func(t *testing.T) {
			db := sessiontest.Open(t)
			a, b := db.Connect(), db.Connect()
			a.Must(boundSchema)
			a.Must(`INSERT INTO seat (team, n) VALUES (1, 40), (1, 50);
				CREATE ASSERTION bound CHECK (NOT EXISTS (SELECT team FROM seat GROUP BY team HAVING sum(n) > 100))`)
			playSteps(t, a, b, test.steps)
			a.Query("SELECT coalesce(sum(n)::text, 'null') FROM seat WHERE team = 1", test.sum)
			accumulatorsMatch(t, db)
		})
	}
}

// playSteps has two clients run statements: "a: statement", "b: statement", with the beginning of what it fails with after " -> ".
func playSteps(t *testing.T, a, b *sessiontest.Client, steps []string) {
	t.Helper()
	for _, step := range steps {
		text, want, fails := strings.Cut(step, " -> ")
		c := a
		if text[0] == 'b' {
			c = b
		}
		_, err := c.Exec(text[3:])
		got := ""
		if err != nil {
			e := errs.As(err)
			got = strings.TrimSpace(fmt.Sprintf("%s %s %s", e.Code, e.Detail, e.Where))
		}
		if !strings.HasPrefix(got, want) || fails != (err != nil) {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// TestRaisedBound: what a statement has been checked against is what there was then, not what a later one has made of it.
func TestRaisedBound(t *testing.T) {
	db := sessiontest.Open(t)
	a, b := db.Connect(), db.Connect()
	a.Must(boundSchema)
	a.Must(`UPDATE team SET budget = 100;
		CREATE ASSERTION bound CHECK (NOT EXISTS (SELECT id, budget FROM team WHERE (SELECT sum(n) FROM seat WHERE seat.team = team.id) > budget))`)
	a.Must("BEGIN")
	a.Must("INSERT INTO seat (team, n) VALUES (1, 90)")
	a.Must("UPDATE team SET budget = 1000 WHERE id = 1")
	a.Must("INSERT INTO seat (team, n) VALUES (1, 500)")
	a.Must("COMMIT")
	// And lowered.
	a.Must("BEGIN")
	a.Must("INSERT INTO seat (team, n) VALUES (1, 10)")
	a.Must("UPDATE team SET budget = 605 WHERE id = 1")
	b.Must("INSERT INTO seat (team, n) VALUES (1, 5)")
	a.Must("COMMIT")
	b.Fails("INSERT INTO seat (team, n) VALUES (1, 1)", `ERROR 23514: assertion "bound" is violated
DETAIL: Violating row: (id, budget) = (1, 605).
WHERE: checking assertion "bound" at the end of INSERT of table "seat"
SCHEMA: public
CONSTRAINT: bound`)
	accumulatorsMatch(t, db)
}

// TestLostAccumulators: what rests on a unique key goes with it, and does not come back with what it was.
func TestLostAccumulators(t *testing.T) {
	db := sessiontest.Open(t)
	c := db.Connect()
	c.Must(`CREATE TABLE p (id int PRIMARY KEY, u int, cap int, CONSTRAINT one UNIQUE (u)); CREATE TABLE c (id int PRIMARY KEY, u int);
		INSERT INTO p VALUES (1, 1, 2);
		CREATE ASSERTION x CHECK (NOT EXISTS (SELECT c.u FROM c JOIN p ON p.u = c.u GROUP BY c.u, p.cap HAVING count(*) > p.cap))`)
	explain := func() bool {
		return strings.Contains(c.Must("EXPLAIN ASSERTION x FOR INSERT ON c").String(), "Accumulator Check")
	}
	c.Must("INSERT INTO c VALUES (1, 1)")
	if !explain() {
		t.Error("no accumulator is used")
	}
	c.Must("ALTER TABLE p DROP CONSTRAINT one")
	if explain() {
		t.Error("an accumulator is used that would be wrong")
	}
	c.Must("INSERT INTO c VALUES (2, 1)")
	c.Must("ALTER TABLE p ADD CONSTRAINT one UNIQUE (u)")
	c.Fails("INSERT INTO c VALUES (3, 1)", `ERROR 23514: assertion "x" is violated
DETAIL: Violating group: (u) = (1), count = 3.
WHERE: checking assertion "x" at the end of INSERT of table "c"
SCHEMA: public
CONSTRAINT: x`)
	c.Must("ALTER ASSERTION x DISABLE; ALTER ASSERTION x ENABLE")
	if !explain() {
		t.Error("no accumulator is used after ENABLE")
	}
	c.Fails("INSERT INTO c VALUES (3, 1)", `ERROR 23514: assertion "x" is violated
DETAIL: Violating group: (u) = (1), count = 3.
WHERE: checking assertion "x" at the end of INSERT of table "c"
SCHEMA: public
CONSTRAINT: x`)
	accumulatorsMatch(t, db)
}

// TestBoundsUnderConcurrency has clients change rows of few groups, and what bounds them, at random. The rules hold at the end, what is kept is what the rows
// say, and a statement by itself is never asked to retry.
func TestBoundsUnderConcurrency(t *testing.T) {
	db := sessiontest.OpenPebble(t)
	c := db.Connect()
	c.Must(boundSchema)
	c.Must("UPDATE team SET budget = 40; INSERT INTO team VALUES (3, 'free', 40)")
	rules := []string{
		"NOT EXISTS (SELECT team FROM seat GROUP BY team HAVING count(*) > 15 OR sum(n) < -10)",
		"NOT EXISTS (SELECT s.team, count(*) FROM seat s JOIN team t ON t.id = s.team GROUP BY s.team, t.plan HAVING count(*) > CASE WHEN t.plan = 'free' THEN 6 ELSE 12 END)",
		"NOT EXISTS (SELECT id, budget FROM team WHERE (SELECT sum(n) FROM seat WHERE seat.team = team.id) > budget)",
		"(SELECT count(*) FROM seat WHERE n > 0) <= 20",
		"NOT EXISTS (SELECT id FROM team WHERE (SELECT count(*) FROM seat WHERE seat.team = team.id AND n < 0) > (SELECT count(*) FROM seat WHERE seat.team = team.id AND n >= 0) + 3)",
		"(SELECT avg(n) FROM seat) < 6",
	}
	for i, r := range rules {
		deferred := ""
		if i%2 == 1 {
			deferred = " DEFERRABLE"
		}
		c.Must(fmt.Sprintf("CREATE ASSERTION rule%d CHECK (%s)%s", i, r, deferred))
	}
	// Transactions lock rows in any order. Those in one message are run again if they wait for each other; of those that have been answered in
	// between there is one at a time, and its patience makes it the others who give way.
	var stepwise sync.Mutex
	var wg sync.WaitGroup
	for client := range 8 {
		c := db.Connect()
		rng := rand.New(rand.NewPCG(uint64(client), 9))
		statement := func() string {
			team, n, id := 1+rng.IntN(3), rng.IntN(12)-3, rng.IntN(40)
			switch rng.IntN(10) {
			case 0:
				return fmt.Sprintf("UPDATE team SET plan = '%s' WHERE id = %d", []string{"free", "paid"}[rng.IntN(2)], team)
			case 1:
				return fmt.Sprintf("UPDATE team SET budget = budget + %d WHERE id = %d", n, team)
			case 2:
				return fmt.Sprintf("DELETE FROM seat WHERE id %% 40 = %d", id)
			case 3:
				return fmt.Sprintf("UPDATE seat SET n = n + %d WHERE id %% 40 = %d", n, id)
			case 4:
				return fmt.Sprintf("UPDATE seat SET team = %d WHERE id %% 40 = %d", team, id)
			case 5:
				return fmt.Sprintf("INSERT INTO seat (id, team, n) VALUES (%d, %d, %d) ON CONFLICT (id) DO UPDATE SET n = excluded.n", id, team, n)
			}
			return fmt.Sprintf("INSERT INTO seat (team, n) VALUES (%d, %d)", team, n)
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 60 {
				if rng.IntN(3) > 0 {
					text := statement()
					if _, err := c.Exec(text); err != nil && errs.CodeOf(err) != errs.CheckViolation && errs.CodeOf(err) != errs.UniqueViolation {
						t.Errorf("%s: %s", text, sessiontest.Describe(err))
					}
					continue
				}
				transaction := []string{"BEGIN", "SET LOCAL deadlock_timeout = '1min'", "SET CONSTRAINTS ALL DEFERRED", statement(), "SAVEPOINT s", statement(), "ROLLBACK TO s", statement(), "COMMIT", "ROLLBACK"}
				if rng.IntN(2) > 0 {
					text := strings.Join(slices.Delete(transaction, 1, 2), "; ")
					if _, err := c.Exec(text); err != nil && errs.CodeOf(err) != errs.CheckViolation && errs.CodeOf(err) != errs.UniqueViolation {
						t.Errorf("%s: %s", text, sessiontest.Describe(err))
					}
					if _, err := c.Exec("ROLLBACK"); err != nil {
						t.Errorf("ROLLBACK: %s", sessiontest.Describe(err))
					}
					continue
				}
				stepwise.Lock()
				for _, text := range transaction {
					switch _, err := c.Exec(text); errs.CodeOf(err) {
					case "", errs.CheckViolation, errs.UniqueViolation, errs.SerializationFailure, errs.InFailedSQLTransaction, errs.InvalidSavepointSpecification:
					default:
						t.Errorf("%s: %s", text, sessiontest.Describe(err))
					}
				}
				stepwise.Unlock()
			}
		}()
	}
	wg.Wait()
	for _, r := range rules {
		c.Query("SELECT ("+r+") IS NOT FALSE", "t")
	}
	accumulatorsMatch(t, db)
}
