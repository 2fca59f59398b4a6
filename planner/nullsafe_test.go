package planner_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"holdfast/planner/sessiontest"
)

// TestNullSafeJoinsProbe: joins by IS NOT DISTINCT FROM probe an index, in the form in which views and conditions are stored as well.
func TestNullSafeJoinsProbe(t *testing.T) {
	db := sessiontest.Open(t)
	c := db.Connect()
	c.Must(`CREATE TABLE t (id int PRIMARY KEY, g int, x int); CREATE INDEX ON t (g, x);
		CREATE TABLE p (id int PRIMARY KEY, g int, cap int); CREATE INDEX ON p (g);
		INSERT INTO t SELECT i, nullif(i % 500, 5), i FROM generate_series(1, 5000) i;
		INSERT INTO p VALUES (1, 1, 10000), (2, NULL, 10000), (3, 1000, 10000);
		CREATE VIEW v AS SELECT p.id, t.x FROM p JOIN t ON p.g IS NOT DISTINCT FROM t.g;
		CREATE ASSERTION a CHECK (NOT EXISTS (SELECT p.id FROM p JOIN t ON t.g IS NOT DISTINCT FROM p.g WHERE t.x > p.cap));
		CREATE ASSERTION b CHECK (NOT EXISTS (SELECT p.id FROM p WHERE p.id < 3 AND NOT EXISTS (SELECT FROM t WHERE t.g IS NOT DISTINCT FROM p.g)));
		CREATE ASSERTION d CHECK (NOT EXISTS (SELECT p.id FROM p WHERE (SELECT count(*) FROM t WHERE NOT (t.g IS DISTINCT FROM p.g)) > 10))`)
	for _, query := range []string{"SELECT * FROM p JOIN t ON NOT t.g IS DISTINCT FROM p.g", "SELECT * FROM v", "SELECT * FROM p LEFT JOIN t ON t.g IS NOT DISTINCT FROM p.g AND t.x = p.id",
		"SELECT (SELECT count(*) FROM t WHERE NOT t.g IS DISTINCT FROM p.g) FROM p"} {
		if plan := c.Must("EXPLAIN " + query).String(); !strings.Contains(plan, "using t_g_x_idx") || !strings.Contains(plan, "g IS NOT DISTINCT FROM g") {
			t.Errorf("%s\n%s", query, plan)
		}
	}
	for _, rule := range []string{"a", "b", "d"} {
		if plan := c.Must("EXPLAIN ASSERTION " + rule).String(); strings.Contains(plan, "Warning") {
			t.Error(plan)
		}
	}
	if !strings.Contains(c.Must("EXPLAIN ASSERTION d").String(), "Accumulator Check on t") {
		t.Error("the number of rows of a group that may be that of NULL is counted anew")
	}
	playSteps(t, c, db.Connect(), []string{"a: INSERT INTO t VALUES (0, NULL, 20000) -> 23514", "a: INSERT INTO t VALUES (0, NULL, 1) -> 23514 Violating row: (id) = (2).", "a: INSERT INTO t VALUES (0, 2, 20000)",
		"a: DELETE FROM t WHERE g IS NULL -> 23514 Violating row: (id) = (2).", "a: DELETE FROM t WHERE g = 7", "a: UPDATE p SET cap = 100 WHERE g IS NULL -> 23514"})
	accumulatorsMatch(t, db)
}

// TestNullSafeJoinsAtRandom compares joins that may probe an index with those of tables that have none.
func TestNullSafeJoinsAtRandom(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	g := shapes{rand.New(rand.NewPCG(seed, 4))}
	for range 6 {
		c := sessiontest.Open(t).Connect()
		c.Must("CREATE TABLE l (a int, b numeric, c text); CREATE TABLE r (a bigint, b numeric, c text); CREATE TABLE i (a bigint, b numeric, c text)")
		for _, x := range []string{"(a)", "(a, b)", "(c DESC, a)", "(b NULLS FIRST)", "(a) WHERE b IS NOT NULL", "(a, b, c)"} {
			if g.IntN(2) == 0 {
				c.Must("CREATE INDEX ON i " + x)
			}
		}
		row := func() string {
			v := func() string { return g.pick("NULL", "NULL", "1", "2", "3") }
			return fmt.Sprintf("(%s, %s, %s)", v(), v()+".0", g.pick("NULL", "'x'", "'y'"))
		}
		for range 25 {
			c.Must("INSERT INTO l VALUES " + strings.ReplaceAll(row(), "NULL.0", "NULL"))
			values := strings.ReplaceAll(row(), "NULL.0", "NULL")
			c.Must("INSERT INTO r VALUES " + values + "; INSERT INTO i VALUES " + values)
		}
		for range 30 {
			var on []string
			for _, column := range []string{"a", "b", "c"} {
				if g.IntN(2) == 0 {
					on = append(on, fmt.Sprintf(g.pick("l.%s IS NOT DISTINCT FROM o.%s", "NOT (o.%s IS DISTINCT FROM l.%s)", "l.%s = o.%s", "l.%s IS NOT DISTINCT FROM o.%s"), column, column))
				}
			}
			on = append(on, g.pick("true", "o.a > 1", "o.b IS NOT DISTINCT FROM 2", "l.c IS NOT NULL"))
			query := g.pick("SELECT l, o FROM l JOIN TABLE o ON %s ORDER BY l::text, o::text", "SELECT l, o FROM l LEFT JOIN TABLE o ON %s ORDER BY l::text, o::text", "SELECT l FROM l WHERE EXISTS (SELECT FROM TABLE o WHERE %s) ORDER BY l::text",
				"SELECT l FROM l WHERE NOT EXISTS (SELECT FROM TABLE o WHERE %s) ORDER BY l::text", "SELECT l, (SELECT max(o.a) FROM TABLE o WHERE %s) FROM l ORDER BY l::text")
			query = fmt.Sprintf(query, strings.Join(on, " AND "))
			got, want := c.Must(strings.ReplaceAll(query, "TABLE", "i")).String(), c.Must(strings.ReplaceAll(query, "TABLE", "r")).String()
			if got != want {
				t.Fatalf("seed %d: %s\n%s\nwant\n%s\n%s", seed, query, got, want, c.Must("EXPLAIN "+strings.ReplaceAll(query, "TABLE", "i")))
			}
		}
	}
}
