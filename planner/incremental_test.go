package planner_test

import (
	"fmt"
	"strings"
	"testing"

	"holdfast/planner/sessiontest"
	"holdfast/sql/errs"
)

// shape is an assertion of one shape and changes under it: those that begin with "!" violate it.
type shape struct {
	name, condition string
	changes         []string
}

// shapeSchema has what shapes are about: teams with seats, budgets with expenses, and employees with bosses.
const shapeSchema = `
CREATE TABLE team (id int PRIMARY KEY, plan text, budget int, boss int);
CREATE TABLE seat (id int PRIMARY KEY, team int, cost int, note int);
CREATE TABLE tag (id int PRIMARY KEY, seat int, word text);
CREATE INDEX ON team (boss); CREATE INDEX ON team (plan); CREATE INDEX ON team (budget);
CREATE INDEX ON seat (team); CREATE INDEX ON seat (cost); CREATE INDEX ON seat (note);
CREATE INDEX ON tag (seat); CREATE INDEX ON tag (word);
CREATE VIEW seats AS SELECT seat.id, team.id AS team, plan, budget, cost FROM team JOIN seat ON seat.team = team.id;
INSERT INTO team VALUES (1, 'free', 10, 2), (2, 'paid', 20, NULL), (3, NULL, NULL, 1);
INSERT INTO seat VALUES (11, 1, 3, 1), (12, 1, 4, NULL), (21, 2, 5, 2), (31, 3, NULL, 3), (90, NULL, 1, 9);
INSERT INTO tag VALUES (1, 11, 'a'), (2, 12, 'a'), (3, 21, 'b'), (4, NULL, 'c')`

// incremental are shapes whose checks read nothing but what the changed rows lead to.
var incremental = []shape{
	{"rows", "NOT EXISTS (SELECT * FROM seat WHERE cost > 9)", []string{"INSERT INTO seat VALUES (13, 1, 9, 1)", "!UPDATE seat SET cost = cost + 1 WHERE id = 13", "UPDATE seat SET cost = NULL"}},
	{"join of nullable columns", "NOT EXISTS (SELECT seat.id FROM seat JOIN team ON team.id = seat.team WHERE cost > budget)",
		[]string{"INSERT INTO seat VALUES (14, NULL, 99, 1), (15, 3, 99, 1), (16, 7, 99, 1)", "!UPDATE team SET budget = 98 WHERE id = 3", "!UPDATE seat SET team = 1 WHERE id = 14", "!INSERT INTO team VALUES (7, NULL, 1)", "UPDATE team SET budget = 99 WHERE id = 3"}},
	{"self join", "NOT EXISTS (SELECT a.id, b.id FROM team a JOIN team b ON b.id = a.boss WHERE a.budget > b.budget)",
		[]string{"!UPDATE team SET budget = 21 WHERE id = 1", "UPDATE team SET budget = 21 WHERE id < 3", "!UPDATE team SET budget = 20 WHERE id = 2", "!INSERT INTO team VALUES (4, NULL, 50, 1)", "INSERT INTO team VALUES (4, NULL, 50, 3)"}},
	{"non-equi join", "NOT EXISTS (SELECT a.id FROM seat a JOIN seat b ON a.team = b.team AND a.id < b.id AND a.cost >= b.cost)",
		[]string{"!INSERT INTO seat VALUES (13, 1, 4, 0)", "INSERT INTO seat VALUES (13, 1, 5, 0), (32, 3, 1, 0)", "!UPDATE seat SET team = 3 WHERE id = 90", "!UPDATE seat SET cost = 4 WHERE id = 11"}},
	{"each has one", "NOT EXISTS (SELECT id FROM team WHERE NOT EXISTS (SELECT FROM seat WHERE seat.team = team.id))",
		[]string{"!INSERT INTO team VALUES (4)", "!DELETE FROM seat WHERE id = 21", "!UPDATE seat SET team = 1 WHERE id = 31", "!UPDATE seat SET team = NULL WHERE id = 31", "DELETE FROM seat WHERE id = 11", "!DELETE FROM seat WHERE team = 1",
			"WITH made AS (INSERT INTO seat VALUES (41, 4, 1, 1)) INSERT INTO team VALUES (4)", "WITH gone AS (DELETE FROM team WHERE id = 4) DELETE FROM seat WHERE id = 41"}},
	{"none has one", "NOT EXISTS (SELECT id FROM team WHERE plan = 'free' AND EXISTS (SELECT FROM seat WHERE seat.team = team.id AND note > 5))",
		[]string{"INSERT INTO seat VALUES (22, 2, 1, 6)", "!UPDATE team SET plan = 'free'", "!INSERT INTO seat VALUES (13, 1, 1, 6)", "!UPDATE seat SET team = 1 WHERE id = 90"}},
	{"nested thrice", "NOT EXISTS (SELECT id FROM team WHERE EXISTS (SELECT FROM seat WHERE seat.team = team.id AND NOT EXISTS (SELECT FROM tag WHERE tag.seat = seat.id AND NOT EXISTS (SELECT FROM team b WHERE b.plan = tag.word))) AND plan = 'x')",
		[]string{"INSERT INTO team VALUES (8, 'x')", "!INSERT INTO seat VALUES (81, 8, 1, 1)", "WITH tagged AS (INSERT INTO tag VALUES (81, 81, 'y')) INSERT INTO seat VALUES (81, 8, 1, 1)", "!UPDATE team SET plan = 'y' WHERE id = 2", "!DELETE FROM tag WHERE id = 81",
			"WITH gone AS (DELETE FROM tag WHERE id = 81) DELETE FROM seat WHERE id = 81"}},
	{"in", "NOT EXISTS (SELECT id FROM seat WHERE note IN (SELECT budget FROM team))", []string{"!UPDATE seat SET note = 20 WHERE id = 11", "!UPDATE team SET budget = 9 WHERE id = 3", "UPDATE team SET budget = 8 WHERE id = 3"}},
	{"any", "NOT EXISTS (SELECT id FROM team WHERE budget < ANY (SELECT cost FROM seat WHERE seat.team = team.id))",
		[]string{"!UPDATE seat SET cost = 11 WHERE id = 12", "!UPDATE team SET budget = 3 WHERE id = 1", "UPDATE seat SET cost = NULL WHERE team = 2", "UPDATE team SET budget = 1 WHERE id = 2", "!INSERT INTO seat VALUES (22, 2, 2, 2)"}},
	{"all", "NOT EXISTS (SELECT id FROM team WHERE budget > ALL (SELECT cost FROM seat WHERE seat.team = team.id) AND plan IS NULL)",
		[]string{"!UPDATE team SET plan = NULL", "UPDATE team SET budget = 5", "!DELETE FROM seat WHERE team = 3", "!UPDATE seat SET cost = 1 WHERE id = 31", "UPDATE seat SET cost = 5 WHERE id = 31", "!UPDATE team SET budget = 6 WHERE id = 3"}},
	{"left join", "NOT EXISTS (SELECT team.id, seat.id FROM team LEFT JOIN seat ON seat.team = team.id AND cost > 2 WHERE seat.id IS NULL AND plan IS NOT NULL)",
		[]string{"!UPDATE team SET plan = 'x' WHERE id = 3", "!UPDATE seat SET cost = 2 WHERE id = 21", "UPDATE seat SET cost = 2 WHERE id = 11", "!DELETE FROM seat WHERE id = 12", "!INSERT INTO team VALUES (4, 'x')"}},
	{"full join", "NOT EXISTS (SELECT team.id, seat.id FROM team FULL JOIN seat ON seat.team = team.id WHERE seat.note IS NULL AND plan IS NULL)",
		[]string{"!INSERT INTO team VALUES (4)", "!UPDATE seat SET note = NULL WHERE id = 90", "!UPDATE seat SET team = NULL WHERE id = 12", "INSERT INTO team VALUES (4, 'x')", "!DELETE FROM team WHERE id = 1", "UPDATE seat SET note = 1 WHERE id = 12", "DELETE FROM team WHERE id = 1"}},
	{"bounded group", "NOT EXISTS (SELECT team FROM seat GROUP BY team HAVING count(*) > 2)",
		[]string{"INSERT INTO seat VALUES (13, 2, 1, 1), (14, 3, 1, 1), (15, NULL, 1, 1)", "!INSERT INTO seat VALUES (16, 1, 1, 1)", "!INSERT INTO seat VALUES (16, NULL, 1, 1)", "!UPDATE seat SET team = 2 WHERE id = 11", "UPDATE seat SET team = team + 10"}},
	{"bounded group of a join", "NOT EXISTS (SELECT seat.team, count(*) FROM seat JOIN team ON team.id = seat.team GROUP BY seat.team, plan HAVING count(*) > CASE WHEN plan = 'free' THEN 2 ELSE 3 END)",
		[]string{"!INSERT INTO seat VALUES (13, 1, 1, 1)", "UPDATE team SET plan = 'paid'", "INSERT INTO seat VALUES (13, 1, 1, 1)", "!UPDATE team SET plan = 'free' WHERE id = 1", "!INSERT INTO seat VALUES (14, 1, 1, 1)"}},
	{"new group", "NOT EXISTS (SELECT team FROM seat WHERE team IS NOT NULL GROUP BY team HAVING count(*) < 1 OR sum(cost) < 3)",
		[]string{"INSERT INTO seat VALUES (41, 4, NULL, 1)", "!INSERT INTO seat VALUES (51, 5, 2, 1)", "!UPDATE seat SET cost = 2 WHERE id = 21", "!UPDATE seat SET cost = 2 WHERE id = 41", "DELETE FROM seat WHERE team = 2"}},
	{"average", "NOT EXISTS (SELECT team FROM seat GROUP BY team HAVING avg(cost) > 5)",
		[]string{"INSERT INTO seat VALUES (13, 1, 8, 1)", "!DELETE FROM seat WHERE id = 11", "!UPDATE seat SET cost = NULL WHERE id = 11", "!UPDATE seat SET cost = 6 WHERE id = 21"}},
	{"distinct values", "NOT EXISTS (SELECT team FROM seat GROUP BY team HAVING count(DISTINCT cost) > 2)",
		[]string{"INSERT INTO seat VALUES (13, 1, 3, 1), (14, 1, NULL, 1)", "!UPDATE seat SET cost = 9 WHERE id = 13", "UPDATE seat SET cost = 9 WHERE id IN (13, 11)", "!INSERT INTO seat VALUES (15, 1, 1, 1)"}},
	{"rows that leave together", "NOT EXISTS (SELECT plan, word FROM team JOIN seat ON seat.team = team.id JOIN tag ON tag.seat = seat.id GROUP BY plan, word HAVING count(*) = 1 AND plan = 'free')",
		[]string{"!WITH gone AS (DELETE FROM tag WHERE id = 1) DELETE FROM seat WHERE id = 11", "!WITH gone AS (DELETE FROM seat WHERE id = 11) DELETE FROM tag WHERE id = 1", "WITH gone AS (DELETE FROM tag WHERE id < 3) DELETE FROM seat WHERE team = 1"}},
	{"balance of each", "NOT EXISTS (SELECT FROM team WHERE (SELECT sum(cost) FROM seat WHERE seat.team = team.id) > budget)",
		[]string{"INSERT INTO seat VALUES (13, 1, 3, 1)", "!INSERT INTO seat VALUES (14, 1, 1, 1)", "!UPDATE seat SET cost = cost + 1 WHERE id = 11", "!UPDATE team SET budget = 9 WHERE id = 1", "INSERT INTO seat VALUES (14, 1, -5, 1)", "INSERT INTO seat VALUES (16, 1, 5, 1)", "!DELETE FROM seat WHERE id = 14",
			"UPDATE team SET budget = NULL WHERE id = 1", "INSERT INTO seat VALUES (15, 1, 1000, 1)",
			"!UPDATE team SET budget = 1 WHERE id = 1", "!UPDATE seat SET team = 2 WHERE id = 15"}},
	{"two aggregates of each", "NOT EXISTS (SELECT FROM team WHERE (SELECT count(*) FROM seat WHERE seat.team = team.id) < (SELECT count(*) FROM team t WHERE t.boss = team.id))",
		[]string{"!UPDATE team SET boss = 2 WHERE id = 3", "INSERT INTO seat VALUES (22, 2, 1, 1)", "UPDATE team SET boss = 2 WHERE id = 3", "!DELETE FROM seat WHERE id = 22"}},
	{"derived table", "NOT EXISTS (SELECT FROM team JOIN (SELECT team, max(cost) AS most FROM seat GROUP BY team) s ON s.team = team.id WHERE most > budget)",
		[]string{"!UPDATE seat SET cost = 11 WHERE id = 11", "!UPDATE team SET budget = 3 WHERE id = 1", "UPDATE seat SET cost = 10 WHERE id = 11", "!INSERT INTO team VALUES (4, '', 0), (5, '', 0); INSERT INTO seat VALUES (41, 4, 1, 1)"}},
	{"lateral", "NOT EXISTS (SELECT FROM team CROSS JOIN LATERAL (SELECT count(*) AS n FROM seat WHERE seat.team = team.id) x WHERE n > budget)", []string{"!UPDATE team SET budget = 1 WHERE id = 1", "!UPDATE team SET budget = 0", "UPDATE team SET budget = 2", "!INSERT INTO seat VALUES (13, 1, 1, 1)"}},
	{"view", "ALL (SELECT * FROM seats) s SATISFY (s.cost <= s.budget)", []string{"!UPDATE seat SET cost = 11 WHERE id = 11", "!UPDATE seats SET cost = 21 WHERE id = 21", "UPDATE team SET budget = NULL WHERE id = 1", "UPDATE seat SET cost = 11 WHERE id = 11"}},
	{"with", "NOT EXISTS (WITH w AS (SELECT team, sum(cost) AS total FROM seat GROUP BY team) SELECT a.team FROM w a JOIN team ON team.boss = a.team JOIN w b ON b.team = team.id WHERE a.total > b.total + 10)",
		[]string{"!INSERT INTO seat VALUES (22, 2, 13, 1)", "INSERT INTO seat VALUES (22, 2, 12, 1)", "!UPDATE seat SET cost = 0 WHERE team = 1", "!DELETE FROM seat WHERE id = 11"}},
	{"except", "NOT EXISTS (SELECT team FROM seat WHERE team IS NOT NULL EXCEPT SELECT id FROM team)", []string{"!INSERT INTO seat VALUES (41, 4, 1, 1)", "!DELETE FROM team WHERE id = 3", "!UPDATE team SET id = 4 WHERE id = 3", "DELETE FROM seat WHERE team = 3", "DELETE FROM team WHERE id = 3"}},
	{"intersect", "NOT EXISTS (SELECT cost FROM seat WHERE team IS NOT NULL INTERSECT SELECT budget FROM team WHERE plan IS NOT NULL)",
		[]string{"UPDATE seat SET cost = 1 WHERE id = 31", "UPDATE team SET budget = 2 WHERE id = 3", "!UPDATE team SET budget = 3 WHERE id = 2", "!UPDATE seat SET cost = 20 WHERE id = 31", "UPDATE seat SET cost = NULL WHERE id = 31", "!UPDATE team SET budget = NULL WHERE id = 1"}},
	{"union", "NOT EXISTS (SELECT id FROM (SELECT id, budget AS n FROM team UNION ALL SELECT id, cost FROM seat) u GROUP BY id HAVING sum(n) > 20)", []string{"!UPDATE team SET budget = 21 WHERE id = 1", "INSERT INTO seat VALUES (1, 1, 10, 1)", "!UPDATE seat SET cost = 11 WHERE id = 1"}},
	{"window", "NOT EXISTS (SELECT id FROM (SELECT id, cost, max(note) OVER (PARTITION BY team) AS most FROM seat WHERE team IS NOT NULL) w WHERE cost < most)", []string{"UPDATE seat SET note = 3 WHERE id = 12", "!UPDATE seat SET note = 4 WHERE id = 12", "!UPDATE seat SET team = 1 WHERE id = 90"}},
	{"or", "NOT EXISTS (SELECT FROM seat WHERE cost > 9) OR EXISTS (SELECT FROM tag WHERE word = 'z')",
		[]string{"!UPDATE seat SET cost = 10", "INSERT INTO tag VALUES (9, 9, 'z')", "UPDATE seat SET cost = 10", "!DELETE FROM tag", "!UPDATE tag SET word = 'y'", "DELETE FROM tag WHERE id < 9"}},
	{"and, not", "NOT (EXISTS (SELECT FROM seat WHERE cost > 9) OR NOT (SELECT count(*) FROM team WHERE plan = 'free') < 2)", []string{"!UPDATE seat SET cost = 10 WHERE id = 11", "!UPDATE team SET plan = 'free'"}},
	{"at least one", "EXISTS (SELECT FROM tag WHERE word = 'b')", []string{"INSERT INTO tag VALUES (7, 7, 'b')", "!DELETE FROM tag WHERE word = 'b'", "DELETE FROM tag WHERE id = 3", "!UPDATE tag SET word = NULL"}},
	{"not in", "7 NOT IN (SELECT note FROM seat WHERE team = 1)", []string{"!UPDATE seat SET note = 7", "UPDATE seat SET note = 7 WHERE id = 90", "!UPDATE seat SET team = 1 WHERE id = 90"}},
}

// inFull are shapes with a part that is about all rows together.
var inFull = []shape{
	{"count of nothing", "(SELECT count(*) FROM tag) > 0", []string{"!DELETE FROM tag", "DELETE FROM tag WHERE id < 4"}},
	{"sum of nothing is unknown", "(SELECT sum(cost) FROM seat) >= 13", []string{"!UPDATE seat SET cost = 1", "DELETE FROM seat", "!INSERT INTO seat VALUES (1, 1, 1, 1)"}},
	{"no group of nothing", "NOT EXISTS (SELECT seat FROM tag GROUP BY seat HAVING count(*) < 1) AND (SELECT count(*) FROM seat) > 1", []string{"DELETE FROM tag", "!DELETE FROM seat"}},
	{"two tables", "(SELECT count(*) FROM team) <= (SELECT count(*) FROM seat)", []string{"INSERT INTO team VALUES (4), (5)", "!INSERT INTO team VALUES (6)", "!DELETE FROM seat WHERE id = 11", "UPDATE team SET boss = 1"}},
	{"not in with NULLs", "NOT EXISTS (SELECT id FROM team WHERE id NOT IN (SELECT team FROM seat))", []string{"INSERT INTO team VALUES (4)", "!DELETE FROM seat WHERE id = 90", "!UPDATE seat SET team = 1 WHERE id = 90", "UPDATE seat SET team = 4 WHERE id = 90", "!DELETE FROM seat WHERE id = 21"}},
	{"recursive", "NOT EXISTS (WITH RECURSIVE up AS (SELECT id, boss FROM team UNION SELECT up.id, team.boss FROM up JOIN team ON team.id = up.boss) SELECT id FROM up WHERE id = boss)",
		[]string{"!UPDATE team SET boss = 3 WHERE id = 2", "UPDATE team SET boss = 2 WHERE id = 3", "!UPDATE team SET boss = id WHERE id = 2"}},
	{"rank", "NOT EXISTS (SELECT id FROM (SELECT id, rank() OVER (ORDER BY cost) AS n, note FROM seat) w WHERE n = note)", []string{"!UPDATE seat SET note = n FROM (SELECT id AS i, rank() OVER (ORDER BY cost) AS n FROM seat) w WHERE i = id"}},
	{"limit", "(SELECT cost FROM seat ORDER BY cost DESC NULLS LAST LIMIT 1) <= 5", []string{"!UPDATE seat SET cost = 6", "DELETE FROM seat WHERE id = 21"}},
}

func TestShapes(t *testing.T) {
	for _, s := range incremental {
		t.Run(s.name, func(t *testing.T) { s.run(t, true) })
	}
	for _, s := range inFull {
		t.Run(s.name, func(t *testing.T) { s.run(t, false) })
	}
}

func (s *shape) run(t *testing.T, incremental bool) {
	c := sessiontest.Open(t).Connect()
	c.Must(shapeSchema)
	c.Must("CREATE ASSERTION x CHECK (" + s.condition + ")")
	if plan := c.Must("EXPLAIN (COSTS OFF) ASSERTION x").String(); incremental && (strings.Contains(plan, "Warning") || strings.Contains(plan, "in full")) {
		t.Errorf("it reads more than the changed rows lead to:\n%s", plan)
	}
	for _, change := range s.changes {
		change, refused := strings.CutPrefix(change, "!")
		parts := strings.Split(strings.TrimSuffix(strings.TrimSpace(change), ";"), "; ")
		for _, p := range parts[:len(parts)-1] {
			c.Must(p)
		}
		last := parts[len(parts)-1]
		c.Must("BEGIN; ALTER ASSERTION x DISABLE")
		c.Must(last)
		holds := c.Must("SELECT ("+plain(s.condition)+") IS NOT FALSE").String() == "t"
		c.Must("ROLLBACK")
		if holds == refused {
			t.Fatalf("%s: the test says it violates: %v, the condition evaluated then says it holds: %v", change, refused, holds)
		}
		_, err := c.Exec(last)
		if refused != (errs.CodeOf(err) == errs.CheckViolation) || !refused && err != nil {
			t.Errorf("%s: refused: %v", change, err)
		}
	}
}

// TestChecksOfManyRows: one row of many that a statement changes breaks the rule, wherever it stands.
func TestChecksOfManyRows(t *testing.T) {
	c := sessiontest.Open(t).Connect()
	c.Must(`CREATE TABLE t (id int PRIMARY KEY, g int NOT NULL, x int); CREATE INDEX ON t (g);
		CREATE ASSERTION sums CHECK (NOT EXISTS (SELECT g FROM t GROUP BY g HAVING sum(x) > 100));
		CREATE ASSERTION late CHECK (NOT EXISTS (SELECT a.id FROM t a JOIN t b ON b.g = a.g AND b.id <> a.id WHERE a.x = 77)) DEFERRABLE INITIALLY DEFERRED;
		INSERT INTO t SELECT i, i / 2, i % 3 FROM generate_series(0, 4999) i`)
	for _, id := range []int{0, 999, 1000, 1001, 2047, 4999} {
		group := id / 2
		refused := func(rule, detail, text string) {
			t.Helper()
			if _, err := c.Exec(text); err == nil || !strings.Contains(sessiontest.Describe(err), `"`+rule+`"`) || !strings.Contains(sessiontest.Describe(err), detail) {
				t.Errorf("%s: %s", text, sessiontest.Describe(err))
			}
		}
		refused("sums", fmt.Sprintf("(g) = (%d)", group), fmt.Sprintf("UPDATE t SET x = CASE WHEN id = %d THEN 200 ELSE x - id %% 2 END", id))
		refused("sums", fmt.Sprintf("(g) = (%d)", group), fmt.Sprintf("INSERT INTO t SELECT 10000 + i, i / 2, CASE WHEN i = %d THEN 200 ELSE -(i %% 5) END FROM generate_series(0, 4999) i", id))
		refused("sums", fmt.Sprintf("(g) = (%d)", group), fmt.Sprintf("INSERT INTO t SELECT i, i / 2, 0 FROM generate_series(0, 4999) i ON CONFLICT (id) DO UPDATE SET x = CASE WHEN excluded.id = %d THEN 101 ELSE 0 END", id))
		refused("late", fmt.Sprintf("(id) = (%d)", id), fmt.Sprintf("BEGIN; UPDATE t SET x = 77 WHERE id IN (%d, 6); UPDATE t SET x = x - 1 WHERE id <> %d; COMMIT", id, id))
	}
	c.Must("UPDATE t SET x = x + 40; UPDATE t SET g = g + 1; DELETE FROM t WHERE id % 2 = 1; UPDATE t SET x = 77 WHERE id < 3000")
}
