package planner_test

import (
	"strings"
	"testing"

	"holdfast/planner/sessiontest"
)

func TestExplainAssertion(t *testing.T) {
	c := sessiontest.Open(t).Connect()
	c.Must(shapeSchema)
	c.Must(`CREATE ASSERTION seats_per_plan CHECK (NOT EXISTS (SELECT seat.team, count(*) FROM seat JOIN team ON team.id = seat.team
		GROUP BY seat.team, plan HAVING count(*) > CASE WHEN plan = 'free' THEN 5 ELSE 10 END))`)
	c.Query("EXPLAIN (COSTS OFF) ASSERTION seats_per_plan FOR INSERT ON seat", `
INSERT ON seat: check 1
Check 1, by seat, over the changed rows:
  Accumulator Check on seat
    Group of seat: id, tested again at the commit
    Violated If: ((rows > '0'::bigint) AND (count >
CASE
    WHEN (plan = 'free'::text) THEN 5
    ELSE 10
END))
    ->  Lookup Join using team_pkey on team
          Index Cond: (id IS NOT DISTINCT FROM team)
          ->  HashAggregate
                Group Key: team
                ->  Transition Scan on seat
                      Updated If: team differs`[1:])
	c.Query("EXPLAIN ASSERTION seats_per_plan FOR DELETE ON seat", "DELETE ON seat: never")
	c.Query("EXPLAIN ASSERTION seats_per_plan FOR UPDATE OF cost ON seat", "UPDATE ON seat: never")
	c.Query("EXPLAIN ASSERTION seats_per_plan FOR INSERT ON tag", "INSERT ON tag: never")
	text := c.Must("EXPLAIN ASSERTION seats_per_plan").String()
	for _, line := range []string{"INSERT ON seat: check 1\n", "DELETE ON seat: never\n", "UPDATE ON seat: only if team changes: check 1\n", "INSERT ON team: check 2\n",
		"DELETE ON team: never\n", "UPDATE ON team: only if id or plan changes: check 2\n"} {
		if !strings.Contains(text, line) {
			t.Errorf("no line %q in\n%s", line, text)
		}
	}
	c.Must("CREATE ASSERTION sums CHECK (NOT EXISTS (SELECT team FROM seat WHERE cost IS NOT NULL GROUP BY team HAVING sum(cost) > 50))")
	c.Query("EXPLAIN (COSTS OFF) ASSERTION sums FOR DELETE ON seat", `
DELETE ON seat: check 1
Check 1, by seat, over the changed rows:
  Accumulator Check on seat
    Group of seat: team, tested again at the commit
    Violated If: ((rows > '0'::bigint) AND (sum > 50))
    ->  HashAggregate
          Group Key: team
          ->  Transition Scan on seat
                Images: new and old
                Inserted If: (cost > 0)
                Deleted If: (cost < 0)
                Updated If: team differs or cost differs
                Filter: (cost IS NOT NULL)`[1:])
	c.Must("CREATE ASSERTION most CHECK (NOT EXISTS (SELECT team FROM seat GROUP BY team HAVING count(DISTINCT cost) > 50))")
	c.Query("EXPLAIN (COSTS OFF) ASSERTION most FOR INSERT ON seat", `
INSERT ON seat: check 1
Check 1, by seat, over the changed rows:
  Limit
    ->  Nested Loop
          ->  HashAggregate
                Group Key: team
                ->  Transition Scan on seat
                      Inserted If: (cost IS NOT NULL)
                      Updated If: team differs or cost differs
          ->  Filter
                Filter: (count > 50)
                ->  GroupAggregate
                      Group Key: team
                      ->  Index Scan using seat_team_idx on seat
                            Index Cond: (team IS NOT DISTINCT FROM team)`[1:])
	c.Fails("EXPLAIN ASSERTION nothing", `ERROR 42704: assertion "nothing" does not exist`)
	c.Fails("EXPLAIN ASSERTION seats_per_plan FOR UPDATE OF x ON seat", `ERROR 42703: column "x" of relation "seat" does not exist`)
	c.Fails("EXPLAIN (FORMAT csv) ASSERTION seats_per_plan", `ERROR 22023: unrecognized value for EXPLAIN option "format": "csv"`)
}

// TestAdvice: CREATE ASSERTION says which changes will be checked by reading whole tables, and which index helps.
func TestAdvice(t *testing.T) {
	c := sessiontest.Open(t).Connect()
	c.Must(`CREATE TABLE w (id int PRIMARY KEY, budget int); CREATE TABLE "D" (id int PRIMARY KEY, w int, x int)`)
	for _, test := range []struct{ condition, want string }{
		{`NOT EXISTS (SELECT FROM w WHERE (SELECT max(x) FROM "D" d WHERE d.w = w.id) > budget)`, `
checks of assertion "a" read all of table "D" when table "w" changes / There is no index by which they could look for rows. / CREATE INDEX ON public."D" (w, x);
checks of assertion "a" read all of table "D" when table "D" changes / There is no index by which they could look for rows. / CREATE INDEX ON public."D" (w, x);`},
		{`(SELECT count(DISTINCT budget) FROM w) < 9`, `
checks of assertion "a" read all of table "w" when table "w" changes / The condition is about all of its rows together. / `},
		{`NOT EXISTS (WITH RECURSIVE r AS (SELECT id, budget FROM w UNION SELECT r.id, w.budget FROM r JOIN w ON w.id = r.budget) SELECT FROM r WHERE id = budget)`, `
changes of table "w" are checked by evaluating assertion "a" in full / A recursive query is evaluated as a whole. / `},
		{`NOT EXISTS (SELECT FROM w WHERE budget < 0)`, ""},
		{`NOT EXISTS (SELECT FROM w WHERE (SELECT sum(x) FROM "D" d WHERE d.w = w.id) > budget)`, ""},
		{`(SELECT count(*) FROM w) < 9`, ""},
	} {
		var lines []string
		for _, n := range c.Must("CREATE ASSERTION a CHECK (" + test.condition + ")").Notices {
			lines = append(lines, "\n"+n.Message+" / "+n.Detail+" / "+n.Hint)
			if hint, ok := strings.CutPrefix(n.Hint, "CREATE"); ok {
				defer c.Must("CREATE" + hint) // it is a statement
			}
		}
		if got := strings.Join(lines, ""); got != test.want {
			t.Errorf("%s: got%s\nwant%s", test.condition, got, test.want)
		}
		c.Must("DROP ASSERTION a")
	}
	// With the index there is nothing to say.
	c.Must(`CREATE INDEX ON public."D" (w)`)
	if n := c.Must(`CREATE ASSERTION a CHECK (NOT EXISTS (SELECT FROM w WHERE (SELECT max(x) FROM "D" d WHERE d.w = w.id) > budget))`).Notices; n != nil {
		t.Errorf("advice where none is needed: %v", n)
	}
}

// TestWidestProbe: a check looks for as many values as an index allows, although two say as much as three as far as it can guess, and its joins
// begin where most is known.
func TestWidestProbe(t *testing.T) {
	c := sessiontest.Open(t).Connect()
	c.Must(`CREATE TABLE customer (w int, d int, id int, owes int, PRIMARY KEY (w, d, id));
		CREATE TABLE orders (w int, d int, id int, customer int, PRIMARY KEY (w, d, id)); CREATE INDEX orders_customer ON orders (w, d, customer);
		CREATE TABLE line (w int, d int, o int, n int, amount int, late bool, PRIMARY KEY (w, d, o, n));
		CREATE ASSERTION owed CHECK (NOT EXISTS (SELECT c.w, c.d, c.id FROM customer c WHERE owes <> (
			SELECT sum(amount) FROM orders o JOIN line l ON l.w = o.w AND l.d = o.d AND l.o = o.id
			WHERE o.w = c.w AND o.d = c.d AND o.customer = c.id AND l.late IS NOT NULL)))`)
	text := c.Must("EXPLAIN (COSTS OFF) ASSERTION owed FOR UPDATE OF owes ON customer").String()
	want := "Lookup Join using line_pkey on line l"
	from := "Scan using orders_customer on orders o"
	if !strings.Contains(text, want) || !strings.Contains(text, from) || strings.Index(text, want) > strings.Index(text, from) {
		t.Errorf("it does not go by the customer's orders to their lines:\n%s", text)
	}
}
