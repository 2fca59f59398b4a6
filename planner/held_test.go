package planner_test

import (
	"strings"
	"testing"

	"holdfast/planner/exec"
	"holdfast/planner/sessiontest"
	"holdfast/sql/errs"
)

// TestHeldBytes: what must be held in memory is bounded, and its error says what to do.
func TestHeldBytes(t *testing.T) {
	defer func(n int64) { exec.HeldBytes = n }(exec.HeldBytes)
	exec.HeldBytes = 1 << 20
	c := sessiontest.Open(t).Connect()
	c.Must(`SET work_mem = '64kB'; CREATE TABLE n (id int PRIMARY KEY, v int); CREATE TABLE m (id int);
		INSERT INTO n SELECT g, g FROM generate_series(1, 20000) g; CREATE ASSERTION few CHECK (NOT EXISTS (SELECT id, v FROM n WHERE v < 0)) NOT ENFORCED;
		UPDATE n SET v = -1;
		CREATE ASSERTION later CHECK (NOT EXISTS (SELECT id FROM m WHERE id < 0)) DEFERRABLE INITIALLY DEFERRED`)
	refused := func(text, code string) {
		t.Helper()
		_, err := c.Exec(text)
		if e := errs.As(err); err == nil || string(e.Code) != code || !strings.Contains(e.Hint, "work_mem") {
			t.Errorf("%s: %v", text, err)
		}
	}
	refused("SELECT count(*) FROM violations('few')", "54000")
	refused("INSERT INTO n SELECT g, g FROM generate_series(1, 20000) g ON CONFLICT (id) DO UPDATE SET v = 2", "53200")
	const half = "INSERT INTO m SELECT g FROM generate_series(1, 10000) g; "
	refused("BEGIN; "+half+half+"COMMIT", "54000")
	c.Must("ROLLBACK")
	c.Must("BEGIN; " + half + "SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED; " + half + "COMMIT")
	c.Must("SET work_mem = '100MB'; SELECT count(*) FROM violations('few')")
}
