package planner_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"holdfast/planner/exec"
	"holdfast/planner/sessiontest"
	"holdfast/sql/errs"
)

var fuzzRules = flag.Duration("rules.fuzz", 10*time.Second, "how long TestIncrementalChecks runs")
var fuzzSeed = flag.Uint64("rules.seed", 0, "seed of TestIncrementalChecks; 0: a random one")

// shapes makes conditions over r (id, a, b), s (id, r, c, d), t (id, s, e) and the view v. Columns but the ids may be NULL.
type shapes struct{ *rand.Rand }

func (g shapes) pick(list ...string) string { return list[g.IntN(len(list))] }
func (g shapes) n() int                     { return g.IntN(7) - 1 }
func (g shapes) op() string                 { return g.pick("<", "<=", ">", ">=", "=", "<>") }
func (g shapes) aggregate(column string) string {
	return g.pick("count(*)", "count("+column+")", "sum("+column+")", "max("+column+")", "min("+column+")", "avg("+column+")",
		"count(DISTINCT "+column+")", "bool_or("+column+" > 2)::int", "sum("+column+") FILTER (WHERE "+column+" > 1)", "count(*) FILTER (WHERE "+column+" IS NULL)")
}

// kept is an aggregate that accumulators keep.
func (g shapes) kept(column string) string {
	return g.pick("count(*)", "count("+column+")", "sum("+column+")", "avg("+column+")", "sum("+column+" * 2)", "coalesce(sum("+column+"), 0)",
		"sum("+column+") FILTER (WHERE "+column+" > 1)", "count(*) FILTER (WHERE "+column+" IS NULL)", "sum("+column+") + count(*)", "sum("+column+") / count("+column+")")
}

// bound is a violation query about aggregates that are kept.
func (g shapes) bound() (shape, text string) {
	where := g.pick("", "", " WHERE s.c > 1", " WHERE s.d IS NOT NULL AND s.c < 4", " WHERE s.r IS NOT NULL")
	and := strings.Replace(where, " WHERE ", " AND ", 1)
	join := g.pick("JOIN", "LEFT JOIN")
	switch g.IntN(17) {
	case 11, 12:
		return "bounded all by all", fmt.Sprintf("SELECT FROM (SELECT %s AS n FROM s%s) x, (SELECT %s AS m FROM %s) y WHERE n %s m + %d", g.kept("c"), where, g.kept("e"), g.pick("t", "t WHERE s > 1"), g.op(), g.n())
	case 13:
		return "bounded by two others", fmt.Sprintf("SELECT id FROM r WHERE (SELECT %s FROM s WHERE s.r = r.id%s) - (SELECT %s FROM t WHERE t.s = r.id) %s (SELECT %s FROM s WHERE s.d = r.id) + r.a",
			g.kept("s.c"), and, g.kept("t.e"), g.op(), g.kept("s.c"))
	case 14:
		return "bounded by one of two", fmt.Sprintf("SELECT id FROM r WHERE CASE WHEN r.a > 2 THEN (SELECT %s FROM s WHERE s.r = r.id) ELSE (SELECT %s FROM t WHERE t.s IS NOT DISTINCT FROM r.a) END %s %d",
			g.kept("s.c"), g.kept("t.e"), g.op(), g.n())
	case 15:
		return "bounded by the next", fmt.Sprintf("SELECT id FROM r WHERE (SELECT %s FROM s WHERE s.r = r.id) %s (SELECT %s FROM s WHERE s.r = r.a) + %d", g.kept("s.c"), g.op(), g.kept("s.c"), g.n())
	case 0:
		return "bounded all", fmt.Sprintf("SELECT FROM (SELECT %s AS n, %s AS m FROM s%s) x WHERE n %s %d", g.kept("c"), g.kept("d"), where, g.op(), g.n())
	case 1:
		return "bounded group", fmt.Sprintf("SELECT r FROM s%s GROUP BY r HAVING %s %s %d", where, g.kept("c"), g.op(), g.n())
	case 2:
		return "bounded group by two", fmt.Sprintf("SELECT c, r FROM s%s GROUP BY r, c HAVING %s %s %d OR %s < %d", where, g.kept("d"), g.op(), g.n(), g.kept("c"), g.n())
	case 3:
		return "bounded group of join", fmt.Sprintf("SELECT s.r, r.a FROM s JOIN r ON r.id = s.r%s GROUP BY s.r, r.a, r.b HAVING %s %s coalesce(r.a, 2)", where, g.kept("s.c"), g.op())
	case 4:
		return "bounded group by parent", fmt.Sprintf("SELECT r.id FROM s JOIN r ON r.id = s.r%s GROUP BY r.id, r.b HAVING %s %s r.b", where, g.kept("s.c"), g.op())
	case 5:
		return "bounded by a row", fmt.Sprintf("SELECT id FROM r WHERE (SELECT %s FROM s WHERE s.r = r.id%s) %s r.%s AND %s", g.kept("s.c"), and, g.op(), g.pick("a", "b", "id"), g.filter("r"))
	case 6:
		return "bounded by a joined row", fmt.Sprintf("SELECT r.id, n FROM r %s (SELECT r AS k, %s AS n FROM s%s GROUP BY r) x ON x.k = r.id WHERE n %s a", join, g.kept("c"), where, g.op())
	case 7:
		return "bounded by another", fmt.Sprintf("SELECT id FROM r WHERE (SELECT %s FROM s WHERE s.r = r.id%s) %s (SELECT %s FROM s WHERE s.r = r.id)", g.kept("s.c"), and, g.op(), g.kept("s.d"))
	case 8:
		return "bounded by another's", fmt.Sprintf("SELECT id FROM r WHERE (SELECT %s FROM s WHERE s.r = r.id%s) %s (SELECT %s FROM t WHERE t.s = r.id)", g.kept("s.c"), and, g.op(), g.kept("t.e"))
	case 9:
		return "bounded laterally", fmt.Sprintf("SELECT r.id FROM r %s LATERAL (SELECT %s AS n, count(*) AS m FROM s WHERE s.r = r.id%s) x ON true WHERE x.n %s r.a AND m > 0", join, g.kept("s.c"), and, g.op())
	case 10:
		return "bounded with", fmt.Sprintf("WITH w AS (SELECT r, %s AS n FROM s%s GROUP BY r) SELECT w.r FROM w WHERE n %s %d UNION ALL SELECT id FROM r WHERE a > 4", g.kept("c"), where, g.op(), g.n())
	}
	return "bounded group of NULLs", fmt.Sprintf("SELECT d, c FROM s WHERE NOT EXISTS (SELECT FROM t WHERE t.id = %d) GROUP BY d, c HAVING %s %s %d", g.IntN(6), g.kept("r"), g.op(), g.n())
}

// having is a condition over groups.
func (g shapes) having(column string) string {
	one := func() string {
		switch g.IntN(8) {
		case 0:
			return fmt.Sprintf("%d %s %s", g.n(), g.op(), g.aggregate(column))
		case 1:
			return fmt.Sprintf("%s %s %s", g.aggregate(column), g.op(), g.aggregate(column))
		case 2:
			return fmt.Sprintf("%s IS NULL", g.aggregate(column))
		case 3:
			return fmt.Sprintf("%s BETWEEN %d AND %d", g.aggregate(column), g.n(), g.n())
		}
		return fmt.Sprintf("%s %s %d", g.aggregate(column), g.op(), g.n())
	}
	h := one()
	for g.IntN(3) == 0 {
		h += g.pick(" AND ", " OR ") + one()
	}
	if g.IntN(6) == 0 {
		h = "NOT (" + h + ")"
	}
	return h
}

// filter is a condition over r.
func (g shapes) filter(alias string) string {
	col := func() string { return alias + g.pick(".a", ".b") }
	switch g.IntN(7) {
	case 0:
		return fmt.Sprintf("%s IS %sNULL", col(), g.pick("", "NOT "))
	case 1:
		return fmt.Sprintf("%s %s %s", col(), g.op(), col())
	case 2:
		return fmt.Sprintf("(%s %s %d OR %s %s %d)", col(), g.op(), g.n(), col(), g.op(), g.n())
	case 3:
		return "NOT (" + g.filter(alias) + ")"
	case 4:
		return "true"
	}
	return fmt.Sprintf("%s %s %d", col(), g.op(), g.n())
}

// nested is a condition over r with queries in it, to a depth.
func (g shapes) nested(alias string, depth int) string {
	if depth == 0 {
		return g.filter(alias)
	}
	s := fmt.Sprintf("s%d", depth)
	r := fmt.Sprintf("r%d", depth)
	link := g.pick(s+".r = "+alias+".id", s+".c = "+alias+".a", s+".d < "+alias+".b", s+".r IS NOT DISTINCT FROM "+alias+".a", s+".c + "+alias+".a > 3", "true")
	not := g.pick("", "NOT ")
	switch g.IntN(9) {
	case 0:
		return fmt.Sprintf("%sEXISTS (SELECT FROM s %s WHERE %s AND %s.c %s %d)", not, s, link, s, g.op(), g.n())
	case 1:
		return fmt.Sprintf("%sEXISTS (SELECT FROM s %s JOIN r %s ON %s.id = %s.r WHERE %s AND %s)", not, s, r, r, s, link, g.nested(r, depth-1))
	case 2:
		return fmt.Sprintf("%sEXISTS (SELECT FROM r %s WHERE %s.a = %s.b AND %s)", not, r, r, alias, g.nested(r, depth-1))
	case 3:
		return fmt.Sprintf("%s.a %sIN (SELECT %s.c FROM s %s WHERE %s)", alias, not, s, s, link)
	case 4:
		return fmt.Sprintf("%s.a %s %s (SELECT %s.c FROM s %s WHERE %s)", alias, g.op(), g.pick("ANY", "ALL"), s, s, link)
	case 5:
		return fmt.Sprintf("(SELECT %s FROM s %s WHERE %s) %s %s.b", g.aggregate(s+".c"), s, link, g.op(), alias)
	case 6:
		return fmt.Sprintf("%sEXISTS (SELECT FROM s %s WHERE %s GROUP BY %s.d HAVING %s)", not, s, link, s, g.having(s+".c"))
	case 7:
		return fmt.Sprintf("(%s%s%s)", g.nested(alias, depth-1), g.pick(" AND ", " OR "), g.filter(alias))
	}
	return fmt.Sprintf("(SELECT %s FROM s %s LEFT JOIN t ON t.s = %s.id WHERE %s) %s (SELECT %s FROM s %s WHERE %s)",
		g.aggregate("t.e"), s, s, link, g.op(), g.aggregate(s+".d"), s, link)
}

// query is a violation query of a random shape.
func (g shapes) query() (shape, text string) {
	kind := g.pick("LEFT", "RIGHT", "FULL")
	on := g.pick("s.r = r.id", "s.c = r.a", "s.c = r.a AND s.d > r.b", "s.r = r.id AND r.a > 1", "s.d < r.b")
	list := []struct{ shape, text string }{
		{"filter", "SELECT id FROM r WHERE " + g.filter("r")},
		{"join", fmt.Sprintf("SELECT r.id, s.id FROM r JOIN s ON %s WHERE r.a %s s.c", on, g.op())},
		{"three tables", fmt.Sprintf("SELECT r.id FROM r, s, t WHERE s.r = r.id AND t.s = s.id AND t.e %s r.a", g.op())},
		{"using", "SELECT id FROM r JOIN t USING (id) JOIN s USING (id) WHERE s.c > t.e"},
		{"self join", fmt.Sprintf("SELECT x.id, y.id FROM r x, r y WHERE x.a = y.b AND x.id <> y.id AND x.b %s %d", g.op(), g.n())},
		{"non-equi self join", fmt.Sprintf("SELECT x.id FROM s x JOIN s y ON x.r = y.r AND x.id < y.id AND x.c < y.d AND y.c %s x.d", g.op())},
		{"outer join", fmt.Sprintf("SELECT r.id, s.id FROM r %s JOIN s ON %s WHERE s.c %s", kind, on, g.pick("IS NULL", "> 2", "IS DISTINCT FROM r.a", "IS NULL AND r.a > 2"))},
		{"outer join of outer join", fmt.Sprintf("SELECT r.id FROM r LEFT JOIN (s LEFT JOIN t ON t.s = s.id) ON %s WHERE t.e %s OR s.id IS NULL AND r.b > 3", on, g.pick("IS NULL", "= 4"))},
		{"nested", "SELECT id FROM r WHERE " + g.nested("r", 1)},
		{"nested twice", "SELECT id FROM r WHERE " + g.nested("r", 2)},
		{"nested thrice", "SELECT id FROM r WHERE " + g.nested("r", 3) + " AND " + g.nested("r", 1)},
		{"group", "SELECT b FROM r GROUP BY b HAVING " + g.having("a")},
		{"group by two", "SELECT c, d FROM s GROUP BY c, d HAVING " + g.having("r")},
		{"group of expression", "SELECT b + 1 FROM r GROUP BY b + 1 HAVING " + g.having("a")},
		{"group of join", fmt.Sprintf("SELECT r.id, r.a FROM r JOIN s ON %s WHERE s.d IS NOT NULL GROUP BY r.id, r.a HAVING %s", on, g.having("c"))},
		{"group of join by both ends", fmt.Sprintf("SELECT r.b, t.e FROM r JOIN s ON s.r = r.id JOIN t ON t.s = s.id GROUP BY r.b, t.e HAVING %s < %d", g.aggregate("c"), g.n())},
		{"group of join by another", "SELECT r.b FROM r JOIN s ON s.r = r.id JOIN t ON t.s = s.id GROUP BY r.b HAVING " + g.having("e")},
		{"group of outer join", fmt.Sprintf("SELECT r.id FROM r %s JOIN s ON %s GROUP BY r.id, r.b HAVING %s %s r.b", kind, on, g.aggregate("s.c"), g.op())},
		{"group of filtered", "SELECT a FROM r WHERE " + g.nested("r", 1) + " GROUP BY a HAVING " + g.having("b")},
		{"group of group", "SELECT n FROM (SELECT r, count(*) AS n, max(d) AS m FROM s GROUP BY r) g GROUP BY n HAVING " + g.having("m")},
		{"query in having", fmt.Sprintf("SELECT r FROM s GROUP BY r HAVING %s %s (SELECT min(a) FROM r WHERE r.id = s.r)", g.aggregate("c"), g.op())},
		{"grouping sets", "SELECT c, d FROM s GROUP BY ROLLUP (c, d) HAVING " + g.having("r")},
		{"correlated aggregate", fmt.Sprintf("SELECT id FROM r WHERE (SELECT %s FROM s WHERE s.r = r.id AND s.d >= 1) %s r.%s", g.aggregate("c"), g.op(), g.pick("a", "b"))},
		{"joined aggregate", fmt.Sprintf("SELECT r.id FROM r JOIN (SELECT r, %s AS n FROM s GROUP BY r) g ON g.r = r.id WHERE g.n %s r.a", g.aggregate("c"), g.op())},
		{"lateral", fmt.Sprintf("SELECT r.id FROM r %s JOIN LATERAL (SELECT %s AS n FROM s WHERE s.r = r.id) x ON true WHERE x.n %s r.a", g.pick("LEFT", ""), g.aggregate("c"), g.op())},
		{"selected query", fmt.Sprintf("SELECT id, m FROM (SELECT id, a, (SELECT %s FROM s WHERE s.r = r.id) AS m FROM r) q WHERE m %s a", g.aggregate("c"), g.op())},
		{"set operation", fmt.Sprintf("SELECT a FROM r WHERE %s %s SELECT c FROM s WHERE d > 0", g.filter("r"), g.pick("EXCEPT", "INTERSECT", "EXCEPT ALL", "INTERSECT ALL"))},
		{"set operation of two", fmt.Sprintf("SELECT a, b FROM r %s SELECT c, d FROM s", g.pick("EXCEPT", "INTERSECT", "EXCEPT ALL"))},
		{"union", fmt.Sprintf("SELECT id FROM r WHERE %s UNION %s SELECT r FROM s WHERE c > 3", g.nested("r", 1), g.pick("ALL", ""))},
		{"group of union", "SELECT x FROM (SELECT a AS x, b AS y FROM r UNION ALL SELECT c, d FROM s) u GROUP BY x HAVING " + g.having("y")},
		{"exists in set operation", "SELECT id FROM r WHERE EXISTS (SELECT a EXCEPT SELECT c FROM s WHERE s.r = r.id)"},
		{"with", fmt.Sprintf("WITH w AS (SELECT r, %s AS n FROM s GROUP BY r) SELECT r FROM w WHERE n %s %d", g.aggregate("c"), g.op(), g.n())},
		{"with twice", fmt.Sprintf("WITH w AS (SELECT r, %s AS n FROM s GROUP BY r) SELECT x.r FROM w x JOIN w y ON x.n = y.n AND x.r < y.r WHERE x.n %s %d", g.aggregate("c"), g.op(), g.n())},
		{"recursive", "WITH RECURSIVE w AS (SELECT id, a FROM r UNION SELECT w.id, r.a FROM w JOIN r ON r.id = w.a) SELECT id FROM w WHERE a = id"},
		{"view", "SELECT * FROM v WHERE " + g.pick("c", "b") + " " + g.op() + " a"},
		{"window", fmt.Sprintf("SELECT id FROM (SELECT id, a, %s OVER (PARTITION BY r) AS n FROM (SELECT s.id, s.r, s.c AS a, s.d FROM s) s) w WHERE n %s a", g.pick("sum(d)", "count(*)", "max(d)", "min(a)"), g.op())},
		{"window of all", "SELECT id FROM (SELECT id, a, rank() OVER (ORDER BY a) AS n FROM r) w WHERE n = a"},
		{"distinct", "SELECT DISTINCT a, b FROM r WHERE " + g.nested("r", 1)},
		{"distinct on", fmt.Sprintf("SELECT 1 FROM (SELECT DISTINCT ON (r) r, c FROM s ORDER BY r, id DESC, c) q WHERE c %s %d", g.op(), g.n())},
		{"limit", fmt.Sprintf("SELECT a FROM (SELECT a FROM r ORDER BY a DESC NULLS LAST LIMIT 2) q WHERE a %s %d", g.op(), g.n())},
		{"series", "SELECT r.id FROM r, generate_series(1, r.a) n WHERE n = r.b"},
		{"array", fmt.Sprintf("SELECT id FROM r WHERE cardinality(ARRAY (SELECT c FROM s WHERE s.r = r.id)) %s r.a", g.op())},
		{"values", fmt.Sprintf("SELECT x FROM (VALUES (1), (2), (3)) k (x) WHERE %sEXISTS (SELECT FROM s WHERE s.c = x)", g.pick("", "NOT "))},
	}
	if list[0].shape == "" {
		panic("no shape")
	}
	x := list[g.IntN(len(list))]
	return x.shape, x.text
}

// condition is a condition of a random shape, and the name of the shape.
func (g shapes) condition() (shape, text string) {
	switch g.IntN(14) {
	case 0:
		return "scalar", fmt.Sprintf("(SELECT %s FROM %s) %s %d", g.aggregate("c"), g.pick("s", "v", "s WHERE d > 1"), g.op(), g.n())
	case 1:
		return "two scalars", fmt.Sprintf("(SELECT %s FROM r) %s (SELECT %s FROM s)", g.aggregate("a"), g.op(), g.aggregate("c"))
	case 2:
		return "exists", fmt.Sprintf("EXISTS (SELECT FROM s WHERE c %s %d)", g.op(), g.n())
	case 3:
		return "constant in", fmt.Sprintf("%d %sIN (SELECT c FROM s WHERE d > 0)", g.n(), g.pick("", "NOT "))
	case 4:
		return "constant any", fmt.Sprintf("%d %s %s (SELECT c FROM s)", g.n(), g.op(), g.pick("ANY", "ALL"))
	case 5, 6:
		_, x := g.condition()
		_, y := g.condition()
		return "of two", fmt.Sprintf("%s(%s)%s%s(%s)", g.pick("", "NOT "), x, g.pick(" AND ", " OR ", " = ", " OR NOT "), g.pick("", "NOT "), y)
	}
	shape, q := g.query()
	if g.IntN(3) == 0 {
		shape, q = g.bound()
	}
	return shape, "NOT EXISTS (" + q + ")"
}

// schema makes the tables, with keys, NOT NULLs, references and indexes at random.
func (g shapes) schema() (list []string) {
	key := func() string { return g.pick(" PRIMARY KEY", " PRIMARY KEY", " NOT NULL", "") }
	null := func() string { return g.pick("", "", " NOT NULL DEFAULT 1") }
	number := func() string { return g.pick("int", "int", "bigint", "numeric", "float8", "smallint") }
	r := key()
	list = append(list, fmt.Sprintf("CREATE TABLE r (id int%s, a int%s, b %s)", r, null(), number()),
		fmt.Sprintf("CREATE TABLE s (id int%s, r int%s, c %s%s, d int)", key(), null(), number(), null()),
		fmt.Sprintf("CREATE TABLE t (id int%s, s int, e %s%s)", key(), number(), null()),
		"CREATE VIEW v AS SELECT r.id, r.a, r.b, s.c FROM r JOIN s ON s.r = r.id WHERE b IS NOT NULL")
	for _, x := range []string{"s (r)", "s (c)", "r (a)", "r (b, a)", "t (s)", "s (d, r)", "s (r, c) WHERE c > 2", "s (c DESC, id)", "s (r, c)", "t (s, e DESC)"} {
		if g.IntN(3) == 0 {
			list = append(list, "CREATE INDEX ON "+x)
		}
	}
	if strings.Contains(r, "PRIMARY") && g.IntN(3) == 0 {
		list = append(list, "ALTER TABLE s ADD FOREIGN KEY (r) REFERENCES r ON DELETE "+g.pick("CASCADE", "SET NULL", "NO ACTION")+" ON UPDATE CASCADE")
	}
	return list
}

// write is a statement that changes rows, of one table or several.
func (g shapes) write() string {
	n := func() string {
		if g.IntN(5) == 0 {
			return "NULL"
		}
		return fmt.Sprint(g.IntN(6))
	}
	id := func() int { return g.IntN(6) }
	rows := func(row func() string) string {
		var list []string
		for range 1 + g.IntN(3) {
			list = append(list, row())
		}
		return strings.Join(list, ", ")
	}
	where := g.pick("", fmt.Sprintf(" WHERE id = %d", id()), fmt.Sprintf(" WHERE id = %d", id()), fmt.Sprintf(" WHERE id < %d", id()), fmt.Sprintf(" WHERE id %% 2 = %d", g.IntN(2)))
	switch g.IntN(27) {
	case 23:
		return fmt.Sprintf("INSERT INTO s VALUES (%d, %s, %s, %s) ON CONFLICT (id) DO UPDATE SET c = excluded.c, r = s.r + 1 WHERE s.d IS DISTINCT FROM 1", g.IntN(9), n(), n(), n())
	case 24:
		return fmt.Sprintf("INSERT INTO s SELECT id + %d, r, c, d FROM s ON CONFLICT DO NOTHING", 1+g.IntN(3))
	case 25:
		return "INSERT INTO s VALUES " + rows(func() string { return fmt.Sprintf("(%d, %s, %s, %s)", g.IntN(90), n(), n(), n()) })
	case 26:
		return fmt.Sprintf("UPDATE s SET c = c * 10.0, d = NULL%s", where)
	case 20:
		return fmt.Sprintf("WITH gone AS (DELETE FROM t WHERE s = %d) DELETE FROM s WHERE id = %d", id(), id())
	case 21:
		k := id()
		return fmt.Sprintf("WITH gone AS (DELETE FROM t WHERE s = %d), also AS (DELETE FROM s WHERE id = %d) UPDATE r SET a = %s WHERE id = %d", k, k, n(), id())
	case 22:
		k := id()
		return fmt.Sprintf("WITH gone AS (UPDATE s SET r = %s WHERE r = %d), also AS (DELETE FROM t WHERE s < %d) DELETE FROM r WHERE id = %d", n(), k, id(), k)
	case 0, 1:
		return "INSERT INTO r VALUES " + rows(func() string { return fmt.Sprintf("(%d, %s, %s)", id(), n(), n()) })
	case 2, 3, 4:
		return "INSERT INTO s VALUES " + rows(func() string { return fmt.Sprintf("(%d, %s, %s, %s)", g.IntN(9), n(), n(), n()) })
	case 5:
		return "INSERT INTO t VALUES " + rows(func() string { return fmt.Sprintf("(%d, %s, %s)", id(), n(), n()) })
	case 6:
		return fmt.Sprintf("UPDATE r SET a = %s%s", n(), where)
	case 7:
		return fmt.Sprintf("UPDATE r SET b = b %s 1, a = %s%s", g.pick("+", "-"), n(), where)
	case 8:
		return fmt.Sprintf("UPDATE s SET c = c %s 1%s", g.pick("+", "-"), where)
	case 9:
		return fmt.Sprintf("UPDATE s SET r = %s%s", n(), where)
	case 10:
		return fmt.Sprintf("UPDATE s SET c = %s, d = %s%s", n(), n(), where)
	case 11:
		return fmt.Sprintf("UPDATE t SET e = %s, s = %s%s", n(), n(), where)
	case 12:
		return "DELETE FROM r" + where
	case 13:
		return "DELETE FROM s" + where
	case 14:
		return "DELETE FROM t" + where
	case 15:
		return fmt.Sprintf("WITH gone AS (DELETE FROM s WHERE c = %d RETURNING *) UPDATE r SET a = a + 1 WHERE id IN (SELECT r FROM gone)", id())
	case 16:
		return fmt.Sprintf("WITH gone AS (DELETE FROM s WHERE r < %d), also AS (DELETE FROM t WHERE s < %d) DELETE FROM r WHERE id < %d", id(), id(), id())
	case 17:
		return fmt.Sprintf("WITH made AS (INSERT INTO r VALUES (%d, %s, %s) RETURNING id) INSERT INTO s SELECT id + 3, id, %s, %s FROM made", id(), n(), n(), n(), n())
	case 18:
		return fmt.Sprintf("UPDATE r SET id = id + %d%s", 1+g.IntN(6), where)
	}
	return fmt.Sprintf("UPDATE s SET c = r.a, d = s.r FROM r WHERE r.id = s.r AND r.id <= %d", id())
}

// history is a run of the fuzzer: steps are statements, or transactions of several.
type history struct {
	schema    []string
	condition string
	deferred  bool
	before    []string
	steps     [][]string
	groups    int // of accumulators that have been compared with the rows
}

func (h *history) create() string {
	s := "CREATE ASSERTION x CHECK (" + h.condition + ")"
	if h.deferred {
		s += " DEFERRABLE INITIALLY DEFERRED"
	}
	return s
}

func (h *history) script() string {
	var b strings.Builder
	for _, s := range append(append(append([]string(nil), h.schema...), h.before...), h.create()) {
		b.WriteString(s + ";\n")
	}
	for _, step := range h.steps {
		b.WriteString(h.text(step) + ";\n")
	}
	return b.String()
}

func (h *history) text(step []string) string {
	if h.deferred {
		return "BEGIN; " + strings.Join(step, "; ") + "; COMMIT"
	}
	return step[0]
}

// replay runs a history and returns what is wrong with the verdicts of the assertion, "" if nothing is, and at which step. bad is set if
// the history cannot be run at all.
func (h *history) replay(t testing.TB) (wrong string, at, refused int, bad bool) {
	db := sessiontest.Open(t)
	c := db.Connect()
	defer c.Session.Close()
	for _, s := range h.schema {
		if _, err := c.Exec(s); err != nil {
			return sessiontest.Describe(err), -1, 0, true
		}
	}
	for _, s := range h.before {
		_, _ = c.Exec(s)
	}
	broken := "" // why the condition itself cannot be evaluated
	holds := func() bool {
		r, err := c.Exec("SELECT (" + h.condition + ") IS NOT FALSE")
		if err != nil {
			broken = sessiontest.Describe(err)
			return false
		}
		return r.String() == "t"
	}
	good := holds()
	if broken != "" {
		return broken, -1, 0, true
	}
	if _, err := c.Exec(h.create()); (err == nil) != good {
		return fmt.Sprintf("the condition holds: %v, but CREATE ASSERTION: %v", good, err), -1, 0, errs.CodeOf(err) != errs.CheckViolation && err != nil
	} else if err != nil {
		return "", 0, 0, true
	}
	for i, step := range h.steps {
		if _, err := c.Exec("BEGIN; ALTER ASSERTION x DISABLE; " + strings.Join(step, "; ")); err != nil {
			c.Must("ROLLBACK")
			continue // it fails for another reason
		}
		want := holds()
		c.Must("ROLLBACK")
		if broken != "" {
			return "", i, refused, false
		}
		_, err := c.Exec(h.text(step))
		if err != nil && errs.CodeOf(err) != errs.CheckViolation {
			return sessiontest.Describe(err), i, refused, false
		}
		if (err == nil) != want {
			return fmt.Sprintf("%s\nleaves the condition true: %v; but: %v", h.text(step), want, err), i, refused, false
		}
		if err != nil {
			refused++
		}
		different, groups, err := db.Engine.CheckAccumulators(context.Background())
		if err != nil {
			return sessiontest.Describe(err), i, refused, false
		}
		if len(different) > 0 {
			return fmt.Sprintf("%s\nleaves accumulators that are wrong: %v", h.text(step), different), i, refused, false
		}
		h.groups += groups
	}
	return "", len(h.steps), refused, false
}

// shrink leaves out of a history with a wrong verdict what can be left out.
func (h *history) shrink(t testing.TB, at int) (*history, string) {
	best := *h
	best.steps = h.steps[:at+1]
	wrong, _, _, _ := best.replay(t)
	try := func(c history) bool {
		w, _, _, bad := c.replay(t)
		if w == "" || bad {
			return false
		}
		best, wrong = c, w
		return true
	}
	for again := true; again; {
		again = false
		for i := len(best.steps) - 2; i >= 0; i-- {
			c := best
			c.steps = append(append([][]string(nil), best.steps[:i]...), best.steps[i+1:]...)
			again = try(c) || again
		}
		for i := range best.steps {
			for j := len(best.steps[i]) - 1; j >= 0 && len(best.steps[i]) > 1; j-- {
				c := best
				c.steps = append([][]string(nil), best.steps...)
				c.steps[i] = append(append([]string(nil), best.steps[i][:j]...), best.steps[i][j+1:]...)
				again = try(c) || again
			}
		}
		for _, part := range []*[]string{&best.before, &best.schema} {
			for i := len(*part) - 1; i >= 0; i-- {
				old := *part
				*part = append(append([]string(nil), old[:i]...), old[i+1:]...)
				c := best
				*part = old
				again = try(c) || again
			}
		}
	}
	return &best, wrong
}

// TestIncrementalChecks compares the verdicts of assertions of all shapes, checked over changed rows, with their conditions
// evaluated in full.
func TestIncrementalChecks(t *testing.T) {
	limit := *fuzzRules
	if testing.Short() {
		limit = min(limit, 3*time.Second)
	}
	seed := *fuzzSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("seed %d", seed)
	seen, accumulated := map[string]int{}, map[string]int{}
	rounds, refused := 0, 0
	many := exec.ManyChanges
	defer func() { exec.ManyChanges = many }()
	for end := time.Now().Add(limit); time.Now().Before(end); rounds++ {
		g := shapes{rand.New(rand.NewPCG(seed, uint64(rounds)))}
		h := &history{schema: g.schema(), deferred: g.IntN(3) == 0}
		shape, condition := g.condition()
		h.condition = condition
		exec.ManyChanges = many
		if rounds%2 == 1 {
			exec.ManyChanges = 1 // as if the few rows of a statement here were many
		}
		for range g.IntN(6) {
			h.before = append(h.before, g.write())
		}
		write := func() string {
			if !h.deferred && g.IntN(70) == 0 { // it checks at once
				return "TRUNCATE " + g.pick("s", "t", "r, s", "r CASCADE")
			}
			return g.write()
		}
		for range 20 {
			step := []string{write()}
			if h.deferred {
				for range g.IntN(4) {
					s := write()
					switch g.IntN(4) {
					case 0:
						step = append(step, "SAVEPOINT p", s, "ROLLBACK TO p")
					case 1:
						step = append(step, "SAVEPOINT p", s, "RELEASE p")
					default:
						step = append(step, s)
					}
				}
			}
			h.steps = append(h.steps, step)
		}
		wrong, at, n, bad := h.replay(t)
		for bad && wrong == "" && len(h.before) > 0 { // it does not hold to begin with
			h.before = h.before[:len(h.before)/2]
			wrong, at, n, bad = h.replay(t)
		}
		if bad {
			if wrong != "" {
				t.Fatalf("seed %d, round %d, %s: %s\n%s", seed, rounds, shape, wrong, h.script())
			}
			continue
		}
		if wrong != "" {
			small, why := h.shrink(t, at)
			t.Fatalf("seed %d, round %d, %s: %s\n\n%s", seed, rounds, shape, why, small.script())
		}
		refused += n
		seen[shape] += n
		if h.groups > 0 {
			accumulated[shape]++
		}
	}
	t.Logf("%d rounds, %d refusals, %d shapes refused something, by accumulators in %v", rounds, refused, len(seen), accumulated)
	if refused == 0 {
		t.Errorf("seed %d: nothing was ever refused", seed)
	}
}
