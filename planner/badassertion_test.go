package planner_test

import (
	"strings"
	"testing"

	"holdfast/planner/sessiontest"
)

// TestBadConditions: what cannot be an assertion is refused for its own reason, and with what can be done instead.
func TestBadConditions(t *testing.T) {
	c := sessiontest.Open(t).Connect()
	c.Must(`CREATE TABLE t (id int PRIMARY KEY, n int, at timestamptz); CREATE SEQUENCE q; INSERT INTO t VALUES (1, 1)`)
	const (
		written = "\nHINT: Have the value written into a column, and let the assertion read that."
		session = "ERROR 42P17: functions in assertions must depend on their arguments alone\nDETAIL: "
		present = "\nHINT: The data there are have to fulfil it. NOT VALID enforces it for what changes alone, and violations('a') then returns all that is wrong.\nSCHEMA: public\nCONSTRAINT: a"
		rots    = "ERROR 42P17: the passing of time alone could violate the assertion\nDETAIL: "
	)
	for _, test := range []struct{ condition, want string }{
		{"n > 1", `ERROR 42703: column "n" does not exist
HINT: An assertion is about all rows there are: NOT EXISTS (SELECT FROM t WHERE NOT (..)). What is about each row by itself can be a CHECK constraint of the table.`},
		{"NOT EXISTS (SELECT FROM t WHERE nn > 1)", "ERROR 42703: column \"nn\" does not exist\nHINT: Perhaps you meant to reference the column \"t.n\"."},
		{"NOT EXISTS (SELECT FROM u)", `ERROR 42P01: relation "u" does not exist`},
		{"(SELECT count(*) FROM t)", `ERROR 42804: argument of CHECK must be type boolean, not type bigint
HINT: The condition of an assertion is true or false: NOT EXISTS (SELECT ..), or a comparison such as (SELECT count(*) FROM t) < 10.`},
		{"(SELECT id, n FROM t) IS NULL", `ERROR 42601: subquery must return only one column`},
		{"NOT EXISTS (SELECT FROM t WHERE n > random())", "ERROR 42P17: functions in assertions must not be volatile\nDETAIL: random() may give another result each time." + written},
		{"NOT EXISTS (SELECT FROM t WHERE current_user = 'x')", session + "current_user() may give another result for each session, or as the schema changes." + written},
		{"NOT EXISTS (SELECT FROM t WHERE has_table_privilege('t', 'select'))", session + "has_table_privilege() may give another result for each session, or as the schema changes." + written},
		{"NOT EXISTS (SELECT FROM violations('b'))", session + "violations() may give another result for each session, or as the schema changes." + written},
		{"NOT EXISTS (SELECT FROM pg_class WHERE relname = 'u')", "ERROR 42P17: assertions cannot read relations of the system\nDETAIL: What \"pg_class\" shows changes without statements that could be refused."},
		{"(SELECT count(*) FROM information_schema.tables) < 9999", "ERROR 42P17: assertions cannot read relations of the system\nDETAIL: What \"tables\" shows changes without statements that could be refused."},
		{"(SELECT last_value FROM q) < 10", "ERROR 42P17: assertions cannot read sequences\nDETAIL: The value of \"q\" changes outside of transactions.\nHINT: Let the assertion read the column that takes its values from the sequence."},
		{"NOT EXISTS (SELECT FROM t FOR UPDATE)", "ERROR 0A000: FOR UPDATE and the like are not allowed in assertions"},
		{"NOT EXISTS (SELECT FROM t WHERE at < now())", rots + "The condition can become false as now() advances, with no change that could be refused.\nHINT: State it so that time can only fulfil it: col <= now(), but not col > now()."},
		{"NOT EXISTS (SELECT FROM t WHERE age(at) > '1 year')", rots + "age() of one value goes by the present date.\nHINT: Compare the value with now() instead: col <= now() is fulfilled by time, and col > now() is not."},
		{"(SELECT count(*) FROM t) > 5", "ERROR 23514: assertion \"a\" is violated\nDETAIL: Violating row: (count) = (1)." + present},
		{"NOT EXISTS (SELECT n FROM t) AND EXISTS (SELECT FROM t)", "ERROR 23514: assertion \"a\" is violated\nDETAIL: Violating row: (n) = (1)." + present},
		{"EXISTS (SELECT FROM t WHERE n > 5)", "ERROR 23514: assertion \"a\" is violated\nDETAIL: The condition is false." + present},
		{"1 > 2", "ERROR 23514: assertion \"a\" is violated\nDETAIL: The condition is false.\nHINT: The condition is false whatever the data are.\nSCHEMA: public\nCONSTRAINT: a"},
	} {
		c.Fails("CREATE ASSERTION a CHECK ("+test.condition+")", test.want)
	}
	c.Query("SELECT count(*) FROM pg_stat_assertions", "0")
	for _, condition := range []string{"NOT EXISTS (SELECT FROM t WHERE at > now())", "NOT EXISTS (SELECT FROM t WHERE to_char(at, 'YYYY') = '1900')", "NOT EXISTS (SELECT FROM t WHERE pg_typeof(n)::text <> 'integer')",
		"NOT EXISTS (SELECT FROM t WHERE age(at, '2000-01-01') > '1000 years')", "NULL"} {
		c.Must("CREATE ASSERTION a CHECK (" + condition + "); DROP ASSERTION a")
	}
	// A literal is the time at which the assertion was made, and stays so.
	c.Must("CREATE ASSERTION a CHECK (NOT EXISTS (SELECT FROM t WHERE at > 'now'::timestamptz))")
	c.Query("SELECT definition LIKE '%now%' FROM holdfast_assertions", "f")
	c.Must("DROP ASSERTION a; CREATE ASSERTION a CHECK ((SELECT count(*) FROM t) > 5) NOT VALID")
	c.Fails("ALTER ASSERTION a VALIDATE", "ERROR 23514: assertion \"a\" is violated\nDETAIL: Violating row: (count) = (1).\nHINT: SELECT * FROM violations('a') returns all that is wrong.\nSCHEMA: public\nCONSTRAINT: a")
}

// TestDropWhatAssertionsRead: what an assertion reads stays, or goes with the assertion under CASCADE.
func TestDropWhatAssertionsRead(t *testing.T) {
	c := sessiontest.Open(t).Connect()
	for _, test := range []struct{ drop, on, notice string }{
		{"DROP TABLE t", "table t", "drop cascades to 2 other objects / drop cascades to view w\ndrop cascades to assertion a"},
		{"DROP VIEW w", "view w", "drop cascades to assertion a"},
		{"ALTER TABLE t DROP COLUMN n", "column n of table t", "drop cascades to 2 other objects / drop cascades to view w\ndrop cascades to assertion a"},
		{"DROP TABLE s.u", "table s.u", "drop cascades to assertion a"},
		{"ALTER TABLE s.u DROP COLUMN k", "column k of table s.u", "drop cascades to assertion a"},
		{"DROP SCHEMA s", "schema s", "drop cascades to 2 other objects / drop cascades to table s.u\ndrop cascades to assertion a"},
		{"DROP SCHEMA r", "schema r", "drop cascades to assertion a"}, // in which it is
	} {
		c.Must(`CREATE TABLE t (id int PRIMARY KEY, n int, other int); CREATE VIEW w AS SELECT id, n FROM t; CREATE SCHEMA s; CREATE TABLE s.u (k int, l int); CREATE SCHEMA r;
			CREATE ASSERTION r.a CHECK (NOT EXISTS (SELECT FROM w JOIN s.u ON u.k = w.n)); SET search_path = public, r`)
		_, err := c.Exec(test.drop)
		if err == nil {
			t.Fatalf("%s: no error", test.drop)
		}
		if e := sessiontest.Describe(err); !strings.Contains(e, "ERROR 2BP01: cannot drop "+test.on) || !strings.Contains(e, "assertion a depends on ") || !strings.Contains(e, "HINT: Use DROP ... CASCADE") {
			t.Errorf("%s: %s", test.drop, e)
		}
		r := c.Must(test.drop + " CASCADE")
		if len(r.Notices) != 1 || r.Notices[0].Message+detailOf(r.Notices[0].Detail) != test.notice {
			t.Errorf("%s CASCADE: %v", test.drop, r.Notices)
		}
		c.Query("SELECT count(*) FROM pg_stat_assertions", "0")
		c.Must("DROP TABLE IF EXISTS t, s.u CASCADE; DROP SCHEMA IF EXISTS s, r CASCADE; RESET search_path")
	}
	c.Must("CREATE TABLE t (id int, n int, other int); CREATE ASSERTION a CHECK (NOT EXISTS (SELECT FROM t WHERE n > 5)); ALTER TABLE t DROP COLUMN other")
	c.Query("SELECT count(*) FROM pg_stat_assertions", "1")
}

func detailOf(detail string) string {
	if detail == "" {
		return ""
	}
	return " / " + detail
}
