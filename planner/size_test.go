package planner_test

import (
	"strings"
	"testing"

	"holdfast/planner/sessiontest"
)

// TestTooLong names what is too long to be stored, which no division into several transactions would help.
func TestTooLong(t *testing.T) {
	for _, test := range []struct{ schema, statement, want string }{
		{"CREATE TABLE t (a text PRIMARY KEY)", "INSERT INTO t VALUES (repeat('x', 100000))",
			`ERROR 54000: index row size 100007 exceeds maximum 65536 for index "t_pkey"`},
		{"CREATE TABLE t (a text); CREATE INDEX t_a ON t (a)", "INSERT INTO t VALUES (repeat('x', 100000))",
			`ERROR 54000: index row size 100015 exceeds maximum 65536 for index "t_a"`},
		{"CREATE TABLE t (a text); INSERT INTO t VALUES (repeat('x', 100000))", "CREATE INDEX t_a ON t (a)",
			`ERROR 54000: index row size 100015 exceeds maximum 65536`},
		{"CREATE TABLE t (a text); CREATE ASSERTION few CHECK (NOT EXISTS (SELECT FROM t GROUP BY a HAVING count(*) > 9))",
			"INSERT INTO t VALUES (repeat('x', 100000))",
			`ERROR 54000: the values by which assertion "few" groups rows of table "t" have size 100007, maximum size 65536`},
	} {
		c := sessiontest.OpenPebble(t).Connect()
		c.Must(test.schema)
		_, err := c.Exec(test.statement)
		if got := sessiontest.Describe(err); got != test.want {
			t.Errorf("%s; %s: %s", test.schema, test.statement, got)
		}
		if strings.HasPrefix(test.statement, "INSERT") {
			c.Query("SELECT count(*) FROM t", "0")
		}
	}
}
