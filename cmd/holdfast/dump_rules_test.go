package main

import (
	"bytes"
	"strings"
	"testing"

	"holdfast/compat_tests/testserver"

	"github.com/jackc/pgx/v5"
)

// TestDumpRules loads a dump in place of the rules it was made of, under another search path, and finds the same rules.
func TestDumpRules(t *testing.T) {
	server := testserver.Start(t)
	ctx := t.Context()
	c, err := pgx.Connect(ctx, server.DSN)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	dump := func() string {
		t.Helper()
		var b bytes.Buffer
		cmd := newRoot()
		cmd.SetOut(&b)
		cmd.SetArgs([]string{"dump-rules", "--dsn", server.DSN})
		if err := cmd.ExecuteContext(ctx); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	if got := dump(); strings.Contains(got, ";") {
		t.Errorf("a dump of no rules:\n%s", got)
	}
	if _, err := c.Exec(ctx, `CREATE SCHEMA "Other"; SET search_path = "Other", public;
		CREATE TABLE t (id int PRIMARY KEY, "A b" int, g text); CREATE TABLE public.u (id int PRIMARY KEY);
		CREATE VIEW w AS SELECT id, g FROM t;
		INSERT INTO t VALUES (1, -1, 'x');
		CREATE ASSERTION "Off" CHECK (NOT EXISTS (SELECT id, "A b" FROM t WHERE "A b" > 5 AND g = 'it''s'));
		CREATE ASSERTION lenient CHECK (NOT EXISTS (SELECT id FROM t WHERE "A b" < 0)) NOT VALID;
		CREATE ASSERTION measured CHECK ((SELECT count(*) FROM w) < 1 OR EXISTS (SELECT FROM u)) NOT ENFORCED;
		CREATE ASSERTION public.late CHECK (ALL (SELECT g, count(*) AS n FROM w GROUP BY g) x SATISFY (n < 9 AND g ~ '^\w')) DEFERRABLE INITIALLY DEFERRED;
		CREATE ASSERTION walk CHECK (NOT EXISTS (WITH RECURSIVE up AS (SELECT id FROM u UNION SELECT id + 1 FROM up WHERE id < 9) SELECT id FROM up WHERE id = 99));
		COMMENT ON ASSERTION measured IS 'it''s only a \ trial';
		ALTER ASSERTION "Off" DISABLE`); err != nil {
		t.Fatal(err)
	}
	first := dump()
	for _, want := range []string{`CREATE ASSERTION "Other"."Off" CHECK (`, `FROM "Other".t`, "\nALTER ASSERTION \"Other\".\"Off\" DISABLE;\n", ") NOT VALID;\n", ") NOT ENFORCED;\n",
		") DEFERRABLE INITIALLY DEFERRED;\n", `COMMENT ON ASSERTION "Other"."measured" IS E'it''s only a \\ trial';`, "FROM public.u"} {
		if !strings.Contains(first, want) {
			t.Errorf("%q is missing in\n%s", want, first)
		}
	}
	if n := strings.Count(first, "CREATE ASSERTION"); n != 5 {
		t.Errorf("%d assertions in\n%s", n, first)
	}
	if _, err := c.Exec(ctx, `DROP ASSERTION "Off", lenient, measured, late, walk; RESET search_path`); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Exec(ctx, first); err != nil {
		t.Fatalf("%v\n%s", err, first)
	}
	if second := dump(); second != first {
		t.Errorf("dumped:\n%s\nloaded and dumped again:\n%s", first, second)
	}
	if _, err := c.Exec(ctx, `INSERT INTO "Other".t VALUES (2, -2, 'x')`); err == nil || !strings.Contains(err.Error(), `"lenient"`) {
		t.Errorf("a new violation of a loaded rule: %v", err)
	}
}
