package planner_test

import (
	"testing"

	"holdfast/planner/sessiontest"
	"holdfast/sql/errs"
)

// TestHoldAtCommit: the rows of a cursor WITH HOLD are read as they are fetched, and the rest at COMMIT, from the state of DECLARE.
func TestHoldAtCommit(t *testing.T) {
	const failing = "DECLARE c CURSOR WITH HOLD FOR SELECT 10 / (3 - g) FROM generate_series(1, 5) g"
	for _, test := range []struct{ name, before, end, gone, after, want string }{
		{"the state of DECLARE", "UPDATE t SET b = 1; DECLARE c SCROLL CURSOR WITH HOLD FOR SELECT b FROM t WHERE id < 3 ORDER BY id; UPDATE t SET b = 2; FETCH 1 FROM c; DELETE FROM t", "", "", "FETCH ALL FROM c", "1"},
		{"nothing is read at DECLARE", "DECLARE c CURSOR WITH HOLD FOR SELECT nextval('q') FROM generate_series(1, 3); SELECT nextval('q')", "", "", "FETCH 1 FROM c", "2"},
		{"an error is one of COMMIT", failing, "22012", "!FETCH 1 FROM c", "", ""},
		{"closed before", failing + "; CLOSE c", "", "!FETCH 1 FROM c", "", ""},
		{"gone back from", "SAVEPOINT s; " + failing + "; ROLLBACK TO s", "", "!FETCH 1 FROM c", "", ""},
		{"an error at FETCH", failing + "; SAVEPOINT s; FETCH 2 FROM c; !FETCH 1 FROM c; ROLLBACK TO s; INSERT INTO u VALUES (7)", "", "!FETCH 1 FROM c", "SELECT id FROM u", "7"},
		{"a later change is not seen", "DECLARE c CURSOR WITH HOLD FOR SELECT count(*) FROM u; INSERT INTO u VALUES (1)", "", "", "FETCH 1 FROM c", "0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			db := sessiontest.OpenPebble(t)
			x := db.Connect()
			x.Must(replaySchema)
			x.Must("CREATE SEQUENCE q")
			script(t, x, "BEGIN; "+test.before)
			_, err := x.Exec("COMMIT")
			if code := string(errs.CodeOf(err)); err == nil && test.end != "" || err != nil && code != test.end {
				t.Fatalf("COMMIT: %v, want %q", err, test.end)
			}
			script(t, x, test.gone)
			if test.after != "" {
				x.Query(test.after, test.want)
			}
		})
	}
	t.Run("outside of a transaction", func(t *testing.T) {
		x := sessiontest.OpenPebble(t).Connect()
		x.Must(replaySchema)
		x.Must("DECLARE c CURSOR WITH HOLD FOR SELECT id FROM t ORDER BY id; FETCH 2 FROM c")
		x.Must("DELETE FROM t")
		x.Query("FETCH 2 FROM c", "3\n4")
		script(t, x, "CLOSE c; !"+failing+"; !FETCH 1 FROM c")
	})
}
