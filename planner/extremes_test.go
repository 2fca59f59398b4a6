package planner_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"holdfast/planner/sessiontest"
)

// TestExtremesProbe: min() and max() of a column are read at the end of an index, where there is one in whose order they stand.
func TestExtremesProbe(t *testing.T) {
	c := sessiontest.Open(t).Connect()
	c.Must(`CREATE TABLE t (id int PRIMARY KEY, g int, x int, y numeric, z text NOT NULL);
		CREATE INDEX ON t (g, x); CREATE INDEX ON t (y DESC NULLS LAST); CREATE INDEX ON t (x) WHERE g = 2;
		CREATE TABLE p (id int PRIMARY KEY, g int);
		INSERT INTO t SELECT i, nullif(i % 7, 6), nullif(i * 7919 % 1000, 5), i / 10.0, i FROM generate_series(1, 1000) i;
		INSERT INTO p SELECT i, nullif(i, 6) FROM generate_series(0, 7) i`)
	for _, test := range []struct{ query, plan, want string }{
		{"SELECT max(id) FROM t", "Index Scan Backward using t_pkey on t", "1000"},
		{"SELECT min(id), max(y), max(id) FROM t", "Index Scan using t_pkey on t; Index Only Scan using t_y_idx on t; Index Scan Backward using t_pkey on t", "1|100.0000000000000000|1000"},
		{"SELECT max(x) FROM t WHERE g = 3", "Index Only Scan Backward using t_g_x_idx on t", "995"},
		{"SELECT max(x), min(x) FROM t WHERE g IS NULL", "Index Only Scan using t_g_x_idx on t", "999|0"}, // a few rows, for both
		{"SELECT max(x) FROM t WHERE g IS NOT DISTINCT FROM 3 AND x < 500", "Index Only Scan Backward using t_g_x_idx on t", "490"},
		{"SELECT max(x) FROM t WHERE g = 2", "Index Only Scan Backward using t_g_x_idx on t", "994"},
		{"SELECT max(q) FROM (SELECT x AS q, g FROM t) u WHERE g = 3 HAVING max(q) > 3", "Index Only Scan Backward using t_g_x_idx on t", "995"},
		{"SELECT max(id) FILTER (WHERE g = 3) FROM t", "Seq Scan on t", "997"}, // from the end of the ids would be further
		{"SELECT max(id) FILTER (WHERE g > 3) FROM t", "Index Scan Backward using t_pkey on t", "999"},
		{"SELECT count(*) FROM p WHERE id > (SELECT max(x) FROM t WHERE t.g = p.g) - 992", "Index Only Scan Backward using t_g_x_idx on t", "2"},
		{"SELECT x FROM t WHERE g = 3 AND x IS NOT NULL ORDER BY x DESC NULLS LAST LIMIT 1", "Index Only Scan Backward using t_g_x_idx on t", "995"},
		{"SELECT max(x) FROM t WHERE g = 77", "Index Only Scan Backward using t_g_x_idx on t", "NULL"},
		{"SELECT max(x), count(*) FROM t WHERE g > 5", "", "NULL|0"},
		{"SELECT max(z) FROM t", "Seq Scan on t", "999"},
		{"SELECT max(x + 1) FROM t", "Seq Scan on t", "1000"},
		{"SELECT max(id) FROM t WHERE random() < 2", "Seq Scan on t", "1000"},
		{"SELECT max(id) FROM (SELECT id FROM t LIMIT 10000) u", "Seq Scan on t", "1000"},
	} {
		var scans []string
		for _, line := range strings.Split(c.Must("EXPLAIN (COSTS OFF) "+test.query).String(), "\n") {
			if line = strings.TrimPrefix(strings.TrimSpace(line), "->  "); strings.Contains(line, "Scan") && strings.HasSuffix(line, " on t") {
				scans = append(scans, line)
			}
		}
		if got := strings.Join(scans, "; "); got != test.plan && test.plan != "" {
			t.Errorf("%s: %q, want %q", test.query, got, test.plan)
		}
		c.Query(test.query, test.want)
	}
}

// TestExtremesAtRandom compares extremes that may be read from an index with those of a query that cannot be.
func TestExtremesAtRandom(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	g := shapes{rand.New(rand.NewPCG(seed, 3))}
	for range 12 {
		c := sessiontest.Open(t).Connect()
		kind := g.pick("int", "bigint", "numeric", "float8", "text", "date", "bool::int", "int[]")
		value := func() string {
			if g.IntN(4) == 0 {
				return "NULL"
			}
			switch n := g.IntN(20); {
			case kind == "date":
				return fmt.Sprintf("date '2030-01-01' + %d", n)
			case kind == "int[]":
				return fmt.Sprintf("ARRAY[%d, %d]", n%4, g.IntN(3))
			case n == 0 && (kind == "float8" || kind == "numeric"):
				return "'NaN'"
			default:
				return fmt.Sprintf("'%d'", n-9)
			}
		}
		c.Must(fmt.Sprintf("CREATE TABLE t (id int PRIMARY KEY, g int, x %s, y int NOT NULL DEFAULT 1)", strings.TrimPrefix(kind, "bool::")))
		for _, x := range []string{"(x)", "(g, x)", "(x DESC)", "(g DESC NULLS LAST, x DESC NULLS LAST)", "(x NULLS FIRST, g)", "(g, y, x)", "(x) WHERE g > 1", "(g) INCLUDE (x)"} {
			if g.IntN(3) == 0 {
				c.Must("CREATE INDEX ON t " + x)
			}
		}
		for i := range g.IntN(60) {
			c.Must(fmt.Sprintf("INSERT INTO t VALUES (%d, %s, %s, %d)", i, g.pick("NULL", "0", "1", "2"), value(), g.IntN(3)))
		}
		for range 40 {
			where := g.pick("true", "g = 1", "g IS NULL", "g IS NOT DISTINCT FROM NULL", "g IS NOT DISTINCT FROM 2", "g > 1", "g = 1 AND y = 1", "g IN (0, 2)", "x IS NOT NULL", "x > "+value(), "x <= "+value()+" AND g = 0", "x IS NULL", "g < y")
			list := g.pick("max(x)", "min(x)", "min(x), max(x)", "max(x), max(y), min(id)", "max(x) FILTER (WHERE g = 1), min(y)", "max(DISTINCT x)", "max(id), max(id)")
			got := c.Must("SELECT " + list + " FROM t WHERE " + where).String()
			want := c.Must("SELECT " + list + " FROM (SELECT * FROM t WHERE " + where + " OFFSET 0) t").String()
			if got != want {
				t.Fatalf("seed %d: SELECT %s FROM t WHERE %s: %s, want %s\n%s", seed, list, where, got, want, c.Must("EXPLAIN SELECT "+list+" FROM t WHERE "+where))
			}
		}
	}
}

// TestExtremesInChecks: a check that compares the greatest value of a group reads one entry, and so does not conflict with others who write lesser values.
func TestExtremesInChecks(t *testing.T) {
	db := sessiontest.Open(t)
	a, b := db.Connect(), db.Connect()
	a.Must(`CREATE TABLE p (id int PRIMARY KEY, cap int); CREATE TABLE t (id serial PRIMARY KEY, p int, x int); CREATE INDEX ON t (p, x);
		INSERT INTO p VALUES (1, 100), (2, 100); INSERT INTO t (p, x) VALUES (1, 50), (2, 50);
		CREATE ASSERTION top CHECK (NOT EXISTS (SELECT id FROM p WHERE (SELECT max(x) FROM t WHERE t.p = p.id) > cap))`)
	for range 3 {
		a.Must("INSERT INTO t (p, x) SELECT 1, i FROM generate_series(1, 40) i")
		a.Must("SELECT pg_stat_reset()")
		a.Must("INSERT INTO t (p, x) VALUES (1, 3)")
		a.Query("SELECT rows_read <= 3 FROM pg_stat_assertions", "t") // however large the group
	}
	playSteps(t, a, b, []string{
		"a: BEGIN", "a: INSERT INTO t (p, x) VALUES (1, 20)", "b: INSERT INTO t (p, x) VALUES (1, 30)", "a: COMMIT",
		"a: INSERT INTO t (p, x) VALUES (1, 101) -> 23514", "a: UPDATE p SET cap = 49 WHERE id = 2 -> 23514", "a: INSERT INTO t (p, x) VALUES (1, 99)",
		"a: BEGIN", "a: SELECT max(x) FROM t WHERE p = 2", "a: INSERT INTO t (p, x) VALUES (2, 10)", "b: INSERT INTO t (p, x) VALUES (2, 20)", "a: COMMIT",
	})
	if n := db.Engine.Reruns(); n != 0 {
		t.Errorf("%d transactions were run again: %s", n, a.Must("SELECT * FROM holdfast_stat_conflicts"))
	}
	playSteps(t, a, b, []string{
		"a: BEGIN", "a: SELECT max(x) FROM t WHERE p = 2", "a: INSERT INTO t (p, x) VALUES (1, 1)", "b: INSERT INTO t (p, x) VALUES (2, 60)", "a: COMMIT -> 40001",
	})
	a.Must("DROP INDEX t_p_x_idx; CREATE INDEX ON t (x); CREATE ASSERTION all_top CHECK ((SELECT max(x) FROM t) < 1000 AND (SELECT max(cap) FROM p) < 1000)")
	explain := a.Must("EXPLAIN ASSERTION all_top").String()
	if !strings.Contains(explain, "Index Only Scan Backward using t_x_idx on t") || !strings.Contains(explain, "it reads all of p; CREATE INDEX ON public.p (cap);") {
		t.Error(explain)
	}
}
