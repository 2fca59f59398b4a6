package planner_test

import (
	"fmt"
	"strings"
	"testing"

	"holdfast/planner/sessiontest"
	"holdfast/sql/errs"

	"pgregory.net/rapid"
)

// conditions are assertions of every shape over p (id, a) and c (id, p, q).
var conditions = []string{
	"NOT EXISTS (SELECT * FROM c WHERE q > 4)",
	"NOT EXISTS (SELECT 1 FROM c JOIN p ON c.p = p.id WHERE c.q > p.a)",
	"NOT EXISTS (SELECT 1 FROM p WHERE NOT EXISTS (SELECT 1 FROM c WHERE c.p = p.id))",
	"NOT EXISTS (SELECT 1 FROM p WHERE EXISTS (SELECT 1 FROM c WHERE c.p = p.id AND NOT EXISTS (SELECT 1 FROM p p2 WHERE p2.a = c.q)))",
	"NOT EXISTS (SELECT p FROM c GROUP BY p HAVING count(*) > 2)",
	"NOT EXISTS (SELECT p FROM c GROUP BY p HAVING count(*) < 2)",
	"NOT EXISTS (SELECT p FROM c GROUP BY p HAVING sum(q) > 6)",
	"NOT EXISTS (SELECT p FROM c GROUP BY p HAVING max(q) > 4 AND min(q) < 2)",
	"NOT EXISTS (SELECT p FROM c GROUP BY p HAVING min(q) > 3)",
	"NOT EXISTS (SELECT p.id FROM p LEFT JOIN c ON c.p = p.id GROUP BY p.id, p.a HAVING count(c.id) > p.a)",
	"(SELECT count(*) FROM c) <= (SELECT count(*) FROM p) + 2",
	"(SELECT count(*) FROM p) > 1",
	"(SELECT max(q) FROM c) < 5",
	"(SELECT min(q) FROM c) >= (SELECT min(a) FROM p)",
	"(SELECT sum(q) FROM c) <= 9",
	"(SELECT count(q) FROM c WHERE p = 1) < 3",
	"(SELECT max(q) FROM c) > (SELECT count(DISTINCT a) FROM p)",
	"EXISTS (SELECT 1 FROM p WHERE a = 2)",
	"EXISTS (SELECT 1 FROM p WHERE a = 2) OR NOT EXISTS (SELECT 1 FROM c)",
	"3 IN (SELECT a FROM p) AND 5 NOT IN (SELECT q FROM c WHERE q IS NOT NULL)",
	"4 NOT IN (SELECT q FROM c)",
	"2 <= ALL (SELECT a FROM p WHERE id > 1)",
	"2 < ANY (SELECT q FROM c)",
	"NOT EXISTS (SELECT id FROM p EXCEPT SELECT p FROM c)",
	"NOT EXISTS (SELECT q FROM c INTERSECT SELECT a FROM p)",
	"NOT EXISTS (SELECT a FROM p WHERE a > 4 UNION ALL SELECT q FROM c WHERE q > 5)",
	"NOT EXISTS (SELECT 1 FROM c x, c y WHERE x.p = y.p AND x.q = y.q AND x.id < y.id)",
	"NOT EXISTS (SELECT 1 FROM c WHERE (SELECT count(*) FROM p WHERE p.a = c.q) > 1)",
	"NOT EXISTS (SELECT 1 FROM p WHERE (SELECT sum(q) FROM c WHERE c.p = p.id) > a * 2)",
	"NOT EXISTS (SELECT DISTINCT p FROM c WHERE q = 0)",
	"NOT EXISTS (SELECT 1 FROM (SELECT p, count(*) AS n FROM c GROUP BY p) g JOIN p ON p.id = g.p WHERE g.n > p.a)",
	"NOT EXISTS (WITH w AS (SELECT p, sum(q) AS s FROM c GROUP BY p) SELECT 1 FROM w WHERE s > 7)",
	"NOT EXISTS (SELECT 1 FROM big WHERE a > 3)",
	"NOT EXISTS (SELECT a, rank() OVER (ORDER BY a) FROM p ORDER BY a DESC LIMIT 0)",
	"(SELECT a FROM p ORDER BY a DESC LIMIT 1) <= 5",
	"((SELECT count(*) FROM c) > 2) = ((SELECT count(*) FROM p) > 1)",
	"(SELECT bool_and(q < 6) FROM c) IS NOT FALSE",
	"NOT ((SELECT count(*) FROM c) > 5)",
	"((SELECT count(*) FROM c) < 6) IS TRUE",
	"coalesce((SELECT max(q) FROM c), 0) < 6",
}

// TestAssertionsAgainstFullEvaluation runs random transactions under a random assertion, immediate or deferred, and compares
// what is refused with the evaluation of the whole condition.
func TestAssertionsAgainstFullEvaluation(t *testing.T) {
	db := sessiontest.Open(t)
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		c := db.Connect()
		defer c.Session.Close()
		must := func(text string) *sessiontest.Result {
			r, err := c.Exec(text)
			if err != nil {
				t.Fatalf("%s\n%s", text, sessiontest.Describe(err))
			}
			return r
		}
		n++
		cond := rapid.SampledFrom(conditions).Draw(t, "condition")
		deferred := rapid.Bool().Draw(t, "deferred")
		must(fmt.Sprintf(`CREATE SCHEMA f%d; SET search_path = f%d;
			CREATE TABLE p (id int PRIMARY KEY, a int);
			CREATE TABLE c (id int PRIMARY KEY, p int, q int);
			CREATE VIEW big AS SELECT p.id, p.a FROM p JOIN c ON c.p = p.id WHERE c.q > 2`, n, n))
		holds := func() bool { return must("SELECT ("+cond+") IS NOT FALSE").String() == "t" }
		mode := ""
		if deferred {
			mode = " DEFERRABLE INITIALLY DEFERRED"
		}
		for _, s := range rapid.SliceOfN(rapid.Custom(drawChange), 0, 6).Draw(t, "before") {
			_, _ = c.Exec(s)
		}
		_, err := c.Exec("CREATE ASSERTION rule CHECK (" + cond + ")" + mode)
		if (err == nil) != holds() {
			t.Fatalf("CREATE ASSERTION .. CHECK (%s): %v", cond, err)
		}
		if err != nil {
			return
		}
		broken := false // by statements that the assertion refused for good reason
		for range rapid.IntRange(1, 6).Draw(t, "transactions") {
			must("BEGIN")
			failed := false
			for _, s := range rapid.SliceOfN(rapid.Custom(drawChange), 1, 4).Draw(t, "changes") {
				must("SAVEPOINT s")
				_, err := c.Exec(s)
				switch code := errs.CodeOf(err); {
				case code == errs.UniqueViolation:
					must("ROLLBACK TO s")
				case code == errs.CheckViolation && !deferred:
					must("ROLLBACK TO s; ALTER ASSERTION rule DISABLE")
					must(s)
					if holds() {
						t.Fatalf("%s was refused under CHECK (%s)", s, cond)
					}
					must("ROLLBACK TO s")
					broken = true
				case err != nil:
					t.Fatalf("%s\n%s", s, sessiontest.Describe(err))
				case !deferred && !holds():
					t.Fatalf("%s has broken CHECK (%s)", s, cond)
				}
			}
			good := holds()
			_, err := c.Exec("COMMIT")
			failed = err != nil
			if failed == good {
				t.Fatalf("COMMIT under CHECK (%s), which holds: %v, gives %v", cond, good, err)
			}
		}
		_ = broken
	})
}

func drawChange(t *rapid.T) string {
	value := func(name string) string {
		v := rapid.IntRange(-1, 6).Draw(t, name)
		if v < 0 {
			return "NULL"
		}
		return fmt.Sprint(v)
	}
	id := func() int { return rapid.IntRange(1, 5).Draw(t, "id") }
	where := rapid.SampledFrom([]string{"", fmt.Sprintf(" WHERE id = %d", id()), fmt.Sprintf(" WHERE id < %d", id())}).Draw(t, "where")
	return strings.TrimSpace(rapid.SampledFrom([]string{
		fmt.Sprintf("INSERT INTO p VALUES (%d, %s)", id(), value("a")),
		fmt.Sprintf("INSERT INTO c VALUES (%d, %d, %s)", id(), id(), value("q")),
		fmt.Sprintf("INSERT INTO c VALUES (%d, %d, %s)", id()+5, id(), value("q")),
		fmt.Sprintf("INSERT INTO c VALUES (%d, %d, %s) ON CONFLICT (id) DO UPDATE SET q = excluded.q", id(), id(), value("q")),
		"DELETE FROM p" + where,
		"DELETE FROM c" + where,
		"UPDATE p SET a = " + value("a") + where,
		"UPDATE c SET q = " + value("q") + where,
		fmt.Sprintf("UPDATE c SET p = %d%s", id(), where),
		"UPDATE p SET id = id + 1" + where,
	}).Draw(t, "change"))
}
