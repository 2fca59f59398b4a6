package planner_test

import (
	"testing"

	"holdfast/planner/sessiontest"
)

const statsOf = `SELECT state, checks, skipped_by_operation, skipped_by_columns, skipped_by_values, skipped_by_rows, rows_changed, violations
	FROM pg_stat_assertions WHERE assertionname = '`

// TestAssertionStats: each change of a table has the checks that look at it counted, as run or as skipped, by reason.
func TestAssertionStats(t *testing.T) {
	c := sessiontest.Open(t).Connect()
	c.Must(`CREATE TABLE team (id int PRIMARY KEY, budget int, note text);
		CREATE TABLE spent (id int PRIMARY KEY, team int, amount int NOT NULL, note text); CREATE INDEX ON spent (team);
		INSERT INTO team VALUES (1, 100), (2, 100);
		CREATE ASSERTION a CHECK (NOT EXISTS (SELECT team.id, budget FROM team WHERE (SELECT sum(amount) FROM spent WHERE spent.team = team.id) > budget))`)
	c.Query(statsOf+"a'", "enforced|0|0|0|0|0|0|0")
	for _, step := range []struct{ statement, want string }{
		{"INSERT INTO spent VALUES (1, 1, 10), (2, 2, 20)", "enforced|1|0|0|0|0|2|0"},
		{"DELETE FROM spent WHERE id = 9", "enforced|1|0|0|1|0|2|0"},                                     // there is none
		{"INSERT INTO spent VALUES (3, 1, 1); DELETE FROM spent WHERE id = 3", "enforced|2|0|0|1|1|4|0"}, // what takes away from the sum
		{"DELETE FROM team WHERE id = 9", "enforced|2|1|0|1|1|4|0"},                                      // whatever is deleted
		{"UPDATE spent SET note = 'x'", "enforced|2|1|1|1|1|4|0"},                                        // a column that is not read
		{"UPDATE spent SET amount = amount, note = 'y'", "enforced|2|1|1|2|1|4|0"},                       // one that has not changed
		{"UPDATE team SET budget = 60 WHERE id = 1", "enforced|3|1|1|2|1|5|0"},                           // lower
		{"UPDATE team SET budget = budget + 1", "enforced|3|1|1|2|2|7|0"},                                // higher
		{"UPDATE spent SET amount = amount - 1 WHERE id = 1", "enforced|3|1|1|2|3|8|0"},                  // lower
	} {
		c.Must(step.statement)
		if got := c.Must(statsOf + "a'").String(); got != step.want {
			t.Errorf("%s: %s, want %s", step.statement, got, step.want)
		}
	}
	c.Fails("INSERT INTO spent VALUES (4, 1, 90)", `
ERROR 23514: assertion "a" is violated
DETAIL: Violating row: (id, budget) = (1, 61).
WHERE: checking assertion "a" at the end of INSERT of table "spent"
SCHEMA: public
CONSTRAINT: a`[1:])
	c.Query("SELECT violations, last_violation_detail, last_violation <= now() + interval '1 minute', rows_read > 0, total_time > 0, revalidations FROM pg_stat_assertions",
		"1|Violating row: (id, budget) = (1, 61).|t|t|t|0")

	// Violations of a rule that is not enforced are counted too; those of one transaction at its end.
	c.Must("ALTER ASSERTION a NOT ENFORCED; INSERT INTO spent VALUES (4, 1, 90); DELETE FROM spent WHERE id = 4")
	c.Query("SELECT state, violations FROM pg_stat_assertions", "not enforced|2")
	c.Must("ALTER ASSERTION a ENFORCED; ALTER ASSERTION a DEFERRABLE INITIALLY DEFERRED; SELECT pg_stat_reset()")
	c.Query(statsOf+"a'", "enforced|0|0|0|0|0|0|0")
	c.Must("BEGIN; INSERT INTO spent VALUES (5, 1, 1); DELETE FROM spent WHERE id = 1")
	c.Query(statsOf+"a'", "enforced|0|0|0|0|0|0|0")
	c.Must("COMMIT")
	c.Query(statsOf+"a'", "enforced|1|0|0|0|0|2|0")
	c.Must("ALTER ASSERTION a DISABLE; INSERT INTO spent VALUES (6, 1, 1000)")
	c.Query(statsOf+"a'", "disabled|1|0|0|0|0|2|0")
	c.Must("DROP ASSERTION a")
	c.Query("SELECT count(*) FROM pg_stat_assertions", "0")
}

// TestStatsReset has pg_stat_reset() set the counters of all sessions to 0.
func TestStatsReset(t *testing.T) {
	db := sessiontest.Open(t)
	c, other := db.Connect(), db.Connect()
	c.Must("CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
	other.Must("INSERT INTO t VALUES (2), (3)")
	c.Query("SELECT n_tup_ins FROM pg_stat_user_tables", "3")
	c.Must("SELECT pg_stat_reset()")
	c.Query("SELECT n_tup_ins FROM pg_stat_user_tables", "0")
	other.Must("INSERT INTO t VALUES (4)")
	c.Query("SELECT n_tup_ins FROM pg_stat_user_tables", "1")
}

// TestStatsOfDropped: counters of dropped assertions go once that is committed, and those of others stay what they are.
func TestStatsOfDropped(t *testing.T) {
	db := sessiontest.Open(t)
	c := db.Connect()
	c.Must("CREATE TABLE t (id int PRIMARY KEY, a int, b int); INSERT INTO t VALUES (1, 1, 1)")
	create := func(name string) {
		c.Must("CREATE ASSERTION " + name + " CHECK (NOT EXISTS (SELECT FROM t WHERE a > 9))")
	}
	create("stays")
	for i := range 3 {
		create("goes")
		c.Must("UPDATE t SET b = 2")
		if n := db.Engine.CountedRules(); n != 2 {
			t.Fatalf("counters of %d assertions", n)
		}
		c.Must("BEGIN; DROP ASSERTION goes; ROLLBACK; UPDATE t SET b = 3")
		c.Query("SELECT skipped_by_columns FROM pg_stat_assertions WHERE assertionname = 'goes'", "2")
		c.Must([]string{"DROP ASSERTION goes", "BEGIN; UPDATE t SET b = 4; DROP ASSERTION goes; COMMIT", "DROP TABLE IF EXISTS u; CREATE TABLE u (x int); DROP ASSERTION goes"}[i])
		if n := db.Engine.CountedRules(); n != 1 {
			t.Fatalf("counters of %d assertions after DROP", n)
		}
	}
	c.Query("SELECT skipped_by_columns FROM pg_stat_assertions", "7")
	c.Must("DROP TABLE t CASCADE")
	if n := db.Engine.CountedRules(); n != 0 {
		t.Errorf("counters of %d assertions", n)
	}
}
