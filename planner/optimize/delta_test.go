package optimize_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"holdfast/planner/optimize"
	"holdfast/planner/sessiontest"
)

// Checking an assertion over the changed rows alone gives the verdict of evaluating its whole condition.
func TestDeltaVerdict(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	conditions := []string{
		"SELECT p.id FROM p WHERE p.a > 7",
		"SELECT p.id, q.id AS q FROM p JOIN q ON p.a = q.a WHERE p.b + q.b > 9",
		"SELECT p.id FROM p, q WHERE p.id = q.id AND p.a < q.a - 4",
		"SELECT x.id, y.id AS other FROM p x JOIN p y ON x.a = y.a AND x.id < y.id WHERE x.b + y.b > 8",
		"SELECT p.id FROM p JOIN q USING (a) JOIN r USING (a) WHERE r.b = 3",
		"SELECT v.id FROM v JOIN r ON r.id = v.id WHERE r.a = v.b",
	}
	refused, made := 0, 0
	for round := range 40 {
		delta, full := sessiontest.Open(t).Connect(), sessiontest.Open(t).Connect()
		statements := []string{
			"CREATE TABLE p (id int PRIMARY KEY, a int, b int)", "CREATE TABLE q (id int PRIMARY KEY, a int, b int)",
			"CREATE TABLE r (id int PRIMARY KEY, a int, b int)", "CREATE INDEX ON q (a)",
			"CREATE VIEW v AS SELECT id, a, b FROM q WHERE a > 1",
			"CREATE ASSERTION rule CHECK (NOT EXISTS (" + conditions[round%len(conditions)] + "))",
		}
		for range 60 {
			statements = append(statements, randomChange(rng))
		}
		for _, s := range statements {
			optimize.CheckInFull(true)
			_, fullErr := full.Exec(s)
			optimize.CheckInFull(false)
			_, deltaErr := delta.Exec(s)
			if (fullErr == nil) != (deltaErr == nil) {
				t.Fatalf("seed %d, rule %s:\n%s\n  in full: %s\n  changed rows: %s", seed, conditions[round%len(conditions)], s,
					sessiontest.Describe(fullErr), sessiontest.Describe(deltaErr))
			}
			if deltaErr != nil {
				refused++
			} else {
				made++
			}
		}
	}
	if refused == 0 || made == 0 {
		t.Fatalf("%d statements refused, %d made: the test shows nothing", refused, made)
	}
}

// randomChange is a statement that changes some rows of one table.
func randomChange(rng *rand.Rand) string {
	table := []string{"p", "q", "r"}[rng.IntN(3)]
	value := func() string {
		if rng.IntN(8) == 0 {
			return "NULL"
		}
		return fmt.Sprint(rng.IntN(9))
	}
	switch rng.IntN(6) {
	case 0:
		return fmt.Sprintf("DELETE FROM %s WHERE a = %d", table, rng.IntN(9))
	case 1:
		return fmt.Sprintf("UPDATE %s SET a = %s WHERE b = %d", table, value(), rng.IntN(9))
	case 2:
		return fmt.Sprintf("UPDATE %s SET b = b + 1, id = id + 100 WHERE a = %d", table, rng.IntN(9))
	case 3:
		return fmt.Sprintf("WITH moved AS (DELETE FROM %s WHERE id %% 7 = %d RETURNING *) INSERT INTO %s SELECT id + 1000, a, b FROM moved ON CONFLICT DO NOTHING",
			table, rng.IntN(7), []string{"p", "q", "r"}[rng.IntN(3)])
	}
	return fmt.Sprintf("INSERT INTO %s VALUES (%d, %s, %s), (%d, %s, %s) ON CONFLICT (id) DO UPDATE SET a = excluded.a, b = excluded.b",
		table, rng.IntN(25), value(), value(), 25+rng.IntN(25), value(), value())
}
