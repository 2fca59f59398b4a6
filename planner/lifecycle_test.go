package planner_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"holdfast/planner/sessiontest"
	"holdfast/sql/errs"
)

// told are the notices and warnings of a result.
func told(r *sessiontest.Result) string {
	var list []string
	for _, n := range r.Notices {
		list = append(list, sessiontest.Describe(n))
	}
	return strings.Join(list, "\n")
}

// TestNotValid has old violations stay and new ones refused, whichever way a rule is checked.
func TestNotValid(t *testing.T) {
	c := sessiontest.Open(t).Connect()
	c.Must(`CREATE TABLE team (id int PRIMARY KEY, closed int, name text);
		CREATE TABLE item (id int PRIMARY KEY, team int, n int, note text); CREATE INDEX ON item (team);
		INSERT INTO team VALUES (1, 0), (2, 0), (3, 1);
		INSERT INTO item VALUES (1, 1, 60), (2, 1, 60), (3, 2, 5), (4, 3, 1)`)
	fails := func(statement, rule, detail string) {
		t.Helper()
		_, err := c.Exec(statement)
		if err == nil {
			t.Errorf("%s: it was not refused", statement)
		} else if e := errs.As(err); e.Code != errs.CheckViolation || e.Constraint != rule || e.Detail != detail {
			t.Errorf("%s: %s", statement, sessiontest.Describe(err))
		}
	}
	// A group, over the changed rows. What leaves it alone or makes it less bad is let through; what makes it worse is not.
	if got := told(c.Must(`CREATE ASSERTION total CHECK (NOT EXISTS (SELECT team FROM item GROUP BY team HAVING sum(n) > 100)) NOT VALID`)); got != "" {
		t.Errorf("the check probes an index, but: %s", got)
	}
	c.Must("UPDATE item SET note = 'x'; INSERT INTO item VALUES (10, 1, 0), (11, 1, -1), (12, 2, 90), (13, 1, NULL)")
	fails("INSERT INTO item VALUES (14, 1, 1)", "total", "Violating group: (team) = (1), sum = 120.")
	fails("UPDATE item SET n = n + 6 WHERE id = 3", "total", "Violating group: (team) = (2), sum = 101.")
	c.Must("BEGIN; UPDATE item SET n = 50 WHERE id = 1; DELETE FROM item WHERE id = 2; ROLLBACK; DROP ASSERTION total")

	// Rows that show no key: there must not be more of them.
	c.Must("CREATE ASSERTION shown CHECK (NOT EXISTS (SELECT n FROM item WHERE n = 60)) NOT VALID")
	fails("INSERT INTO item VALUES (15, 2, 60)", "shown", "Violating row: (n) = (60).")
	c.Must("WITH gone AS (DELETE FROM item WHERE id = 1) INSERT INTO item VALUES (16, 1, 60); UPDATE item SET n = 59 WHERE id = 16; DROP ASSERTION shown")

	// A change that meets an old violation by another table.
	c.Must("CREATE ASSERTION closed CHECK (NOT EXISTS (SELECT i.id FROM item i JOIN team t ON t.id = i.team WHERE t.closed > 0)) NOT VALID")
	c.Must("UPDATE team SET closed = 2 WHERE id = 3; UPDATE team SET name = 'c'")
	fails("UPDATE team SET closed = 1 WHERE id IN (2, 3)", "closed", "Violating row: (id) = (3).")
	c.Must("DROP ASSERTION closed")

	// Deferred: the old state is that before the transaction's first change.
	c.Must("CREATE ASSERTION late CHECK (NOT EXISTS (SELECT id, n FROM item WHERE n > 50)) DEFERRABLE INITIALLY DEFERRED NOT VALID")
	c.Must("BEGIN; UPDATE item SET n = 70 WHERE id = 3; UPDATE item SET n = 0 WHERE id = 2; UPDATE item SET n = 60 WHERE id = 2; UPDATE item SET n = 7 WHERE id = 3; COMMIT")
	c.Must("BEGIN; UPDATE item SET n = 70 WHERE id = 3")
	fails("COMMIT", "late", "Violating row: (id, n) = (3, 70).")
	c.Must("DROP ASSERTION late")
	// An insert cannot lower a count, and yet the state before it is what the transaction is compared with.
	c.Must("CREATE TABLE u (id int); CREATE ASSERTION many CHECK ((SELECT count(*) FROM u) > 2) DEFERRABLE INITIALLY DEFERRED NOT VALID")
	c.Must("BEGIN; INSERT INTO u VALUES (1), (2); DELETE FROM u; COMMIT")
	c.Must("BEGIN; SAVEPOINT p; INSERT INTO u VALUES (1), (2); ROLLBACK TO p; INSERT INTO u VALUES (1); DELETE FROM u; COMMIT; INSERT INTO u VALUES (1), (2)")
	c.Must("BEGIN; INSERT INTO u VALUES (3); DELETE FROM u WHERE id < 3")
	fails("COMMIT", "many", "Violating row: (count) = (1).")
	c.Must("DROP ASSERTION many")

	// In full.
	got := told(c.Must(`CREATE ASSERTION deep CHECK (NOT EXISTS (
		WITH RECURSIVE up AS (SELECT id, n FROM item UNION SELECT id, n - 1 FROM up WHERE n > 58) SELECT id FROM up WHERE n = 58)) NOT VALID`))
	if !strings.HasSuffix(got, "It is evaluated before and after each change, to tell new violations from those that are there already.") {
		t.Errorf("the notice is %q", got)
	}
	c.Must("INSERT INTO item VALUES (17, 1, 1)")
	fails("INSERT INTO item VALUES (18, 1, 59)", "deep", "Violating row: (id) = (18).")
}

// TestTruncateUnderLenientRules has TRUNCATE let old violations be, as other statements do.
func TestTruncateUnderLenientRules(t *testing.T) {
	c := sessiontest.Open(t).Connect()
	c.Must(`CREATE TABLE r (id int PRIMARY KEY, n int); CREATE TABLE s (r int); INSERT INTO r VALUES (1, 0), (2, 1), (3, 2); INSERT INTO s VALUES (1), (2);
		CREATE ASSERTION used CHECK (NOT EXISTS (SELECT id FROM r WHERE n < 2 AND NOT EXISTS (SELECT FROM s WHERE s.r = r.id))
			AND NOT EXISTS (SELECT id, n FROM r WHERE n = 2)) NOT VALID`)
	c.Fails("TRUNCATE s", `
ERROR 23514: assertion "used" is violated
DETAIL: Violating row: (id) = (1).
SCHEMA: public
CONSTRAINT: used`)
	c.Must("UPDATE r SET n = 3 WHERE id < 3; TRUNCATE s; ALTER ASSERTION used NOT ENFORCED")
	c.Must("UPDATE r SET n = 1 WHERE id = 1; INSERT INTO s VALUES (1)")
	got := told(c.Must("TRUNCATE s"))
	if want := "WARNING 23514: assertion \"used\" is violated\nDETAIL: Violating row: (id) = (1).\nSCHEMA: public\nCONSTRAINT: used"; got != want {
		t.Errorf("TRUNCATE says %s", got)
	}
	if got := told(c.Must("ALTER ASSERTION used DISABLE; INSERT INTO s VALUES (1); TRUNCATE s")); got != "" {
		t.Errorf("under a disabled rule TRUNCATE says %s", got)
	}
}

// TestNotValidAtRandom compares what NOT VALID rules of all shapes let through with their violations before and after: a change without a new one is not
// refused, and where there were none a change with one is.
func TestNotValidAtRandom(t *testing.T) {
	seed := *fuzzSeed
	if seed == 0 {
		seed = 7
	}
	let, refused := 0, 0
	for round := range 150 {
		g := shapes{rand.New(rand.NewPCG(seed, uint64(round)))}
		c := sessiontest.Open(t).Connect()
		script := g.schema()
		for range g.IntN(8) {
			script = append(script, g.write())
		}
		_, condition := g.condition()
		for _, s := range script {
			_, _ = c.Exec(s)
		}
		create := "CREATE ASSERTION x CHECK (" + condition + ") NOT VALID"
		deferred := g.IntN(3) == 0
		if deferred {
			create += " DEFERRABLE INITIALLY DEFERRED"
		}
		if _, err := c.Exec(create); err != nil {
			t.Fatalf("round %d: %s: %s", round, create, sessiontest.Describe(err))
		}
		violations := func() (map[string]int, bool) {
			r, err := c.Exec("SELECT violations('x')")
			if err != nil {
				return nil, false
			}
			counts := map[string]int{}
			for _, l := range strings.Split(r.String(), "\n") {
				if l != "" {
					counts[l]++
				}
			}
			return counts, true
		}
		for range 12 {
			step := g.write()
			if deferred {
				step = fmt.Sprintf("BEGIN; %s; SAVEPOINT p; %s; ROLLBACK TO p; %s", step, g.write(), g.write())
			} else {
				step = "BEGIN; " + step
			}
			before, ok := violations()
			if _, err := c.Exec(strings.Replace(step, "BEGIN;", "BEGIN; ALTER ASSERTION x DISABLE;", 1)); err != nil || !ok {
				_, _ = c.Exec("ROLLBACK")
				continue // it fails for another reason
			}
			after, ok := violations()
			c.Must("ROLLBACK")
			if !ok {
				continue
			}
			grown := ""
			for v, n := range after {
				if n > before[v] {
					grown = v + " "
				}
			}
			_, err := c.Exec(step + "; COMMIT")
			if err != nil {
				_, _ = c.Exec("ROLLBACK")
			}
			// Several of the conditions that AND connects may say that they are false; each counts by itself.
			switch {
			case err != nil && errs.CodeOf(err) != errs.CheckViolation:
				t.Fatalf("round %d: %s", round, sessiontest.Describe(err))
			case err != nil && grown == "" && before["the condition is false"] == 0, err == nil && len(before) == 0 && len(after) > 0:
				t.Fatalf("seed %d, round %d:\n%s;\n%s;\n%s; COMMIT\nviolations before: %v, after: %v; but: %s", seed, round, strings.Join(script, ";\n"), create, step, before, after,
					sessiontest.Describe(err))
			case err != nil:
				refused++
			default:
				let++
			}
			script = append(script, step+"; COMMIT")
		}
		c.Session.Close()
	}
	t.Logf("%d changes let through, %d refused", let, refused)
	if let < 100 || refused < 30 {
		t.Errorf("only %d changes let through and %d refused", let, refused)
	}
}

// TestNotEnforced takes a rule from being tried out to being enforced, and back.
func TestNotEnforced(t *testing.T) {
	c := sessiontest.Open(t).Connect()
	c.Must("CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, -1)")
	const fields = "\nSCHEMA: public\nCONSTRAINT: positive"
	const hint = "\nHINT: SELECT * FROM violations('positive') returns all that is wrong."
	violated := "23514: assertion \"positive\" is violated\nDETAIL: Violating row: (id, a) = "
	if got, want := told(c.Must("CREATE ASSERTION positive CHECK (NOT EXISTS (SELECT id, a FROM t WHERE a < 0)) NOT ENFORCED")), "WARNING "+violated+"(1, -1)."+hint+fields; got != want {
		t.Errorf("CREATE says %s", got)
	}
	insert := "\nWHERE: checking assertion \"positive\" at the end of INSERT of table \"t\"" + fields
	r := c.Must("INSERT INTO t VALUES (2, -2)")
	if got, want := told(r), "WARNING "+violated+"(2, -2)."+insert; got != want || r.Tag() != "INSERT 0 1" {
		t.Errorf("INSERT says %s, %s", r.Tag(), got)
	}
	c.Fails("ALTER ASSERTION positive VALIDATE", "\nERROR "+violated+"(1, -1)."+hint+fields)
	c.Fails("ALTER ASSERTION positive ENFORCED", "\nERROR "+violated+"(1, -1)."+hint+fields)
	c.Must("ALTER ASSERTION positive DISABLE")
	if got := told(c.Must("INSERT INTO t VALUES (3, -3)")); got != "" {
		t.Errorf("a disabled rule says %s", got)
	}
	if got, want := told(c.Must("ALTER ASSERTION positive ENABLE")), "WARNING "+violated+"(1, -1)."+hint+fields; got != want {
		t.Errorf("ENABLE says %s", got)
	}
	c.Must("DELETE FROM t; ALTER ASSERTION positive ENFORCED; ALTER ASSERTION positive ENFORCED")
	c.Fails("INSERT INTO t VALUES (4, -4)", "\nERROR "+violated+"(4, -4)."+insert)
	c.Must("ALTER ASSERTION positive NOT ENFORCED; INSERT INTO t VALUES (4, -4)")
	c.Query("SELECT violations('positive')", "(id, a) = (4, -4)")

	// A rule that is NOT VALID comes back as what it was: it has claimed nothing about the rows there are.
	c.Must("CREATE ASSERTION low CHECK (NOT EXISTS (SELECT id FROM t WHERE a < -3)) NOT VALID; ALTER ASSERTION low DISABLE; ALTER ASSERTION low ENABLE")
	c.Query("SELECT validated, enabled FROM holdfast_assertions WHERE assertionname = 'low'", "f|t")
	_, err := c.Exec("INSERT INTO t VALUES (5, -5)")
	if errs.CodeOf(err) != errs.CheckViolation {
		t.Errorf("NOT VALID after ENABLE: %v", err)
	}
	c.Must("DELETE FROM t WHERE a < -3; ALTER ASSERTION low DISABLE; ALTER ASSERTION low VALIDATE; INSERT INTO t VALUES (6, -6)")
	c.Fails("ALTER ASSERTION low ENABLE", `
ERROR 23514: assertion "low" is violated
DETAIL: Violating row: (id) = (6).
HINT: SELECT * FROM violations('low') returns all that is wrong.
SCHEMA: public
CONSTRAINT: low`)
}

func TestAlterAndDropAssertions(t *testing.T) {
	c := sessiontest.Open(t).Connect()
	c.Must(`CREATE SCHEMA s; CREATE TABLE t (id int PRIMARY KEY, a int);
		CREATE ASSERTION one CHECK (NOT EXISTS (SELECT id FROM t WHERE a = 1)); CREATE ASSERTION two CHECK (NOT EXISTS (SELECT id FROM t WHERE a = 2));
		CREATE ASSERTION s.one CHECK ((SELECT count(*) FROM t) < 1000)`)
	if got := told(c.Must("CREATE ASSERTION IF NOT EXISTS one CHECK (false)")); got != `NOTICE 42710: assertion "one" already exists, skipping` {
		t.Errorf("IF NOT EXISTS: %s", got)
	}
	c.Fails("CREATE ASSERTION one CHECK (true)", `ERROR 42710: assertion "one" already exists`)
	c.Fails("ALTER ASSERTION one RENAME TO two", `ERROR 42710: assertion "two" already exists`)
	c.Fails("ALTER ASSERTION one SET SCHEMA s", `ERROR 42710: assertion "one" already exists in schema "s"`)
	c.Fails("ALTER ASSERTION one SET SCHEMA nowhere", `ERROR 3F000: schema "nowhere" does not exist`)
	c.Fails("ALTER ASSERTION one OWNER TO nobody", `ERROR 42704: role "nobody" does not exist`)
	c.Must("COMMENT ON ASSERTION one IS 'no ones'; ALTER ASSERTION one RENAME TO \"First\"; ALTER ASSERTION \"First\" SET SCHEMA s; ALTER ASSERTION s.\"First\" OWNER TO postgres")
	c.Query("SELECT conname, connamespace::regnamespace, obj_description(oid, 'pg_constraint') FROM pg_constraint WHERE obj_description(oid) IS NOT NULL", "First|s|no ones")
	c.Fails("INSERT INTO t VALUES (1, 1)", `
ERROR 23514: assertion "First" is violated
DETAIL: Violating row: (id) = (1).
WHERE: checking assertion "First" at the end of INSERT of table "t"
SCHEMA: s
CONSTRAINT: First`)
	c.Must(`ALTER ASSERTION s."First" DEFERRABLE INITIALLY DEFERRED; BEGIN; INSERT INTO t VALUES (1, 1); UPDATE t SET a = 0; COMMIT`)
	c.Query("SELECT constraint_name, is_deferrable, initially_deferred FROM information_schema.assertions WHERE constraint_schema = 's' ORDER BY 1", "First|YES|YES\none|NO|NO")
	c.Must(`ALTER ASSERTION s."First" DEFERRABLE; ALTER ASSERTION s."First" NOT DEFERRABLE`)
	c.Fails(`SET CONSTRAINTS s."First" DEFERRED`, `ERROR 42809: constraint "First" is not deferrable`)
	c.Must(`COMMENT ON ASSERTION s."First" IS NULL`)
	c.Query("SELECT count(*) FROM pg_constraint WHERE obj_description(oid) IS NOT NULL", "0")

	c.Fails("DROP ASSERTION two, nix", `ERROR 42704: assertion "nix" does not exist`)
	if got := told(c.Must("DROP ASSERTION IF EXISTS nix, two, s.one CASCADE")); got != `NOTICE 00000: assertion "nix" does not exist, skipping` {
		t.Errorf("DROP IF EXISTS: %s", got)
	}
	c.Must("BEGIN; DROP ASSERTION s.\"First\" RESTRICT; ROLLBACK")
	c.Query("SELECT schemaname, assertionname FROM holdfast_assertions", "s|First")
	c.Must("DROP SCHEMA s CASCADE")
	c.Query("SELECT count(*) FROM information_schema.assertions", "0")
}

func TestAssertionsInCatalogs(t *testing.T) {
	c := sessiontest.Open(t).Connect()
	c.Must(`CREATE TABLE t (id int PRIMARY KEY, a int, unread text); CREATE VIEW v AS SELECT a FROM t WHERE id > 0; CREATE SCHEMA s;
		INSERT INTO t VALUES (1, 1), (2, 7), (3, 8), (4, 8);
		CREATE ASSERTION s.few CHECK (NOT EXISTS (SELECT a FROM v GROUP BY a HAVING count(*) > 1) AND (SELECT max(a) FROM v) < 8) NOT VALID DEFERRABLE`)
	c.Query("SELECT * FROM violations('s.few')", "(a) = (8), count = 2\n(max) = (8)")
	c.Query("SELECT v || '!' FROM violations('s.few') v WHERE v LIKE '%count%'", "(a) = (8), count = 2!")
	// They are those of the transaction's own state.
	c.Query("BEGIN; DELETE FROM t WHERE a = 8; SELECT count(*) FROM violations('s.few')", "0")
	c.Must("ROLLBACK")
	c.Query("SELECT count(*) FROM violations(NULL)", "0")
	c.Fails("SELECT violations('few')", `ERROR 42704: assertion "few" does not exist`)
	c.Fails("SELECT violations('x.few')", `ERROR 3F000: schema "x" does not exist`)

	const condition = "NOT (EXISTS ( SELECT v.a\n           FROM v\n          GROUP BY v.a\n         HAVING count(*) > 1)) AND (( SELECT max(v.a) AS max\n           FROM v)) < 8"
	ddl := "CREATE ASSERTION s.few CHECK (" + condition + ") DEFERRABLE NOT VALID"
	c.Query("SELECT pg_get_assertiondef('s.few', true)", ddl)
	c.Query("SELECT pg_get_assertiondef(oid, true) FROM pg_constraint WHERE conname = 'few'", ddl)
	c.Query("SET search_path = s; SELECT pg_get_assertiondef('few', true)", strings.ReplaceAll(ddl, "FROM v", "FROM public.v"))
	c.Query("RESET search_path; SELECT pg_get_assertiondef(0::oid)", "NULL")
	c.Query("SELECT constraint_schema, table_schema, table_name FROM information_schema.constraint_table_usage WHERE constraint_name = 'few' ORDER BY 3", "s|public|t\ns|public|v")
	c.Query("SELECT table_name, column_name FROM information_schema.constraint_column_usage WHERE constraint_name = 'few' ORDER BY 1, 2", "t|a\nt|id\nv|a")
	c.Query("SELECT check_clause FROM information_schema.check_constraints WHERE constraint_name = 'few'",
		"(((NOT (EXISTS ( SELECT v.a\n           FROM v\n          GROUP BY v.a\n         HAVING (count(*) > 1)))) AND (( SELECT max(v.a) AS max\n           FROM v) < 8)))")
	c.Query("SELECT schemaname, assertionname, assertionowner, is_deferrable, initially_deferred, validated, enforced, enabled, comment FROM holdfast_assertions",
		"s|few|postgres|t|f|f|t|t|NULL")
	// What the definition says makes the rule again.
	r := c.Must("SELECT definition FROM holdfast_assertions")
	c.Must("DROP ASSERTION s.few; " + r.String())
	c.Query("SELECT definition FROM holdfast_assertions", r.String())
}
