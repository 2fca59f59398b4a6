package planner_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"holdfast/planner/sessiontest"
	"holdfast/sql/errs"
)

// randomCondition makes a random condition over r (id, a, b), s (id, r, c), the view v of r and s, and the join view j.
func randomCondition(r *rand.Rand) string {
	n := func() int { return r.IntN(7) - 1 }
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	op := func() string { return pick("<", "<=", ">", ">=", "=", "<>") }
	aggregate := func(column string) string {
		return pick("count(*)", "count("+column+")", "sum("+column+")", "max("+column+")", "min("+column+")", "avg("+column+")", "count(DISTINCT "+column+")")
	}
	switch r.IntN(14) {
	case 0:
		return fmt.Sprintf("NOT EXISTS (SELECT r.id, s.id FROM r JOIN s ON s.r = r.id WHERE r.a %s s.c)", op())
	case 1:
		return fmt.Sprintf("NOT EXISTS (SELECT x.id, y.id FROM r x, r y WHERE x.a = y.b AND x.id <> y.id AND x.b %s %d)", op(), n())
	case 2:
		return fmt.Sprintf("NOT EXISTS (SELECT id FROM r WHERE a %s %d AND %s EXISTS (SELECT FROM s WHERE s.r = r.id AND c %s %d))", op(), n(), pick("NOT", ""), op(), n())
	case 3:
		return fmt.Sprintf("NOT EXISTS (SELECT b FROM r GROUP BY b HAVING %s %s %d)", aggregate("a"), op(), n())
	case 4:
		return fmt.Sprintf("NOT EXISTS (SELECT id FROM r WHERE (SELECT %s FROM s WHERE s.r = r.id) %s r.%s)", aggregate("c"), op(), pick("a", "b"))
	case 5:
		return fmt.Sprintf("(SELECT %s FROM %s) %s %d", aggregate("c"), pick("s", "v", "j"), op(), n())
	case 6:
		return fmt.Sprintf("ALL (SELECT * FROM %s) q SATISFY (q.c %s q.a)", pick("v", "j"), op())
	case 7:
		return fmt.Sprintf("%s EXISTS (SELECT FROM s WHERE c %s %d)", pick("", "NOT"), op(), n())
	case 8:
		return fmt.Sprintf("NOT EXISTS (SELECT id FROM r WHERE a %s IN (SELECT c FROM s))", pick("", "NOT"))
	case 9:
		return fmt.Sprintf("NOT EXISTS (SELECT id FROM r WHERE a %s %s (SELECT c FROM s WHERE s.id <> r.id))", op(), pick("ANY", "ALL"))
	case 10:
		return fmt.Sprintf("NOT EXISTS (SELECT r.id FROM r LEFT JOIN s ON s.r = r.id WHERE s.c %s)", pick("IS NULL", "> 2", "IS DISTINCT FROM r.a"))
	case 11:
		return fmt.Sprintf("NOT EXISTS (SELECT a FROM r %s SELECT c FROM s)", pick("EXCEPT", "INTERSECT", "EXCEPT ALL"))
	case 12:
		return fmt.Sprintf("(SELECT %s FROM r) %s (SELECT %s FROM s)", aggregate("a"), op(), aggregate("c"))
	default:
		list := []string{randomCondition(r), randomCondition(r)}
		for i, c := range list {
			list[i] = "(" + plain(c) + ")"
		}
		return strings.Join(list, pick(" AND ", " OR "))
	}
}

// plain is a condition without the universal form, as an expression of SELECT.
func plain(c string) string {
	if rest, ok := strings.CutPrefix(c, "ALL "); ok {
		query, satisfy, _ := strings.Cut(rest, " SATISFY ")
		return "NOT EXISTS (SELECT FROM " + query + " WHERE NOT " + satisfy + ")"
	}
	return c
}

// randomWrite makes a random statement that writes.
func randomWrite(r *rand.Rand) string {
	n := func() string {
		if r.IntN(4) == 0 {
			return "NULL"
		}
		return fmt.Sprint(r.IntN(6))
	}
	id := func() int { return r.IntN(6) }
	switch r.IntN(13) {
	case 0, 1:
		return fmt.Sprintf("INSERT INTO r VALUES (%d, %s, %s) ON CONFLICT (id) DO UPDATE SET a = excluded.a", id(), n(), n())
	case 2, 3:
		return fmt.Sprintf("INSERT INTO s VALUES (%d, %s, %s) ON CONFLICT DO NOTHING", id(), n(), n())
	case 4:
		return fmt.Sprintf("UPDATE r SET a = %s WHERE id = %d", n(), id())
	case 5:
		return fmt.Sprintf("UPDATE r SET b = %s, a = a + 1 WHERE id < %d", n(), id())
	case 6:
		return fmt.Sprintf("UPDATE s SET c = %s WHERE id >= %d", n(), id())
	case 7:
		return fmt.Sprintf("UPDATE s SET r = %s WHERE id = %d", n(), id())
	case 8:
		return fmt.Sprintf("DELETE FROM r WHERE id = %d", id())
	case 9:
		return fmt.Sprintf("DELETE FROM s WHERE id %s %d", []string{"=", "<"}[r.IntN(2)], id())
	case 10:
		return fmt.Sprintf("UPDATE r SET id = id + 6, a = b, b = a WHERE id = %d", id())
	case 11:
		return fmt.Sprintf("UPDATE j SET a = %s, c = %s WHERE id = %d", n(), n(), id())
	default:
		return "DELETE FROM s"
	}
}

// TestVerdicts compares what an assertion answers to random statements with its condition, evaluated in full on the state
// they lead to.
func TestVerdicts(t *testing.T) {
	rounds := 100
	if testing.Short() {
		rounds = 40
	}
	seed := rand.Uint64()
	refusals := 0
	for round := range rounds {
		r := rand.New(rand.NewPCG(seed, uint64(round)))
		c := sessiontest.Open(t).Connect()
		var script []string
		run := func(s string) error {
			script = append(script, s+";")
			_, err := c.Exec(s)
			return err
		}
		fail := func(format string, args ...any) {
			t.Helper()
			t.Fatalf("seed %d, round %d: %s\n%s", seed, round, fmt.Sprintf(format, args...), strings.Join(script, "\n"))
		}
		must := func(s string) {
			t.Helper()
			if err := run(s); err != nil {
				fail("%s", sessiontest.Describe(err))
			}
		}
		must("CREATE TABLE r (id int PRIMARY KEY, a int, b int)")
		must("CREATE TABLE s (id int PRIMARY KEY, r int, c int)")
		if r.IntN(2) == 0 {
			must("CREATE INDEX ON s (r); CREATE INDEX ON r (a)")
		}
		must("CREATE VIEW v AS SELECT r.a, r.b, s.c FROM r, s WHERE s.r = r.id AND b IS NOT NULL")
		must("CREATE VIEW j AS SELECT r.id, r.a, s.c FROM r JOIN s ON s.id = r.id")
		cond := randomCondition(r)
		holds := func() bool {
			t.Helper()
			result, err := c.Exec("SELECT (" + plain(cond) + ") IS NOT FALSE")
			if err != nil {
				fail("%s: %s", cond, sessiontest.Describe(err))
			}
			return result.String() == "t"
		}
		for range r.IntN(8) {
			must(randomWrite(r))
		}
		deferred := r.IntN(2) == 0
		create := "CREATE ASSERTION x CHECK (" + cond + ")"
		if deferred {
			create += " DEFERRABLE INITIALLY DEFERRED"
		}
		for tries := 0; ; tries++ {
			before := holds()
			err := run(create)
			if (err == nil) != before {
				fail("created: %v, holds: %v", err, before)
			}
			if before || tries == 5 {
				break
			}
			must(randomWrite(r))
		}
		if c.Must("SELECT count(*) FROM information_schema.assertions").String() == "0" {
			continue
		}
		for range 25 {
			var list []string
			for n := 1 + r.IntN(5)*map[bool]int{true: 1}[deferred]; n > 0; n-- {
				s := randomWrite(r)
				if deferred && r.IntN(3) == 0 {
					list = append(list, "SAVEPOINT p", s, "ROLLBACK TO p")
				} else if deferred && r.IntN(4) == 0 {
					list = append(list, "SAVEPOINT p", s, "RELEASE p")
				} else {
					list = append(list, s)
				}
			}
			// What it comes to without the assertion.
			if _, err := c.Exec("BEGIN; ALTER ASSERTION x DISABLE; " + strings.Join(list, "; ")); err != nil {
				if errs.CodeOf(err) == errs.CheckViolation {
					fail("%v: %s", list, sessiontest.Describe(err))
				}
				c.Must("ROLLBACK")
				continue
			}
			want := holds()
			c.Must("ROLLBACK")
			if !deferred {
				for _, s := range list {
					if _, err := c.Exec("EXPLAIN " + s); err != nil {
						fail("EXPLAIN %s: %s", s, sessiontest.Describe(err))
					}
				}
			}
			var err error
			if deferred {
				err = run("BEGIN; " + strings.Join(list, "; ") + "; COMMIT")
			} else {
				err = run(list[0])
			}
			if err != nil && errs.CodeOf(err) != errs.CheckViolation {
				fail("%s", sessiontest.Describe(err))
			}
			if (err == nil) != want {
				fail("holds: %v, but: %v", want, err)
			}
			if err != nil {
				refusals++
				script = script[:len(script)-1]
				if !holds() {
					fail("after a refusal the condition does not hold")
				}
			}
		}
	}
	if refusals == 0 {
		t.Errorf("seed %d: nothing was ever refused", seed)
	}
	t.Logf("seed %d: %d refusals", seed, refusals)
}
