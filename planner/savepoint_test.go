package planner_test

import (
	"context"
	"strings"
	"testing"

	"holdfast/planner/sessiontest"
	"holdfast/sql/errs"
)

// script runs statements one by one; those that begin with ! must fail, the others must not.
func script(t *testing.T, x *sessiontest.Client, texts string) {
	t.Helper()
	for _, text := range strings.Split(texts, ";") {
		text, fails := strings.CutPrefix(strings.TrimSpace(text), "!")
		if text == "" {
			continue
		}
		if _, err := x.Exec(text); (err != nil) != fails {
			t.Fatalf("%s: %v", text, err)
		}
	}
}

// locked reports whether a row of t is locked by someone else against a strength.
func locked(t *testing.T, y *sessiontest.Client, id, strength string) bool {
	t.Helper()
	_, err := y.Exec("SELECT 1 FROM t WHERE id = " + id + " FOR " + strength + " NOWAIT")
	if err != nil && errs.CodeOf(err) != errs.LockNotAvailable {
		t.Fatal(err)
	}
	return err != nil
}

// TestSavepointLocks: going back to a savepoint, or failing after it, gives up the locks taken since, also if the transaction has been
// run again meanwhile.
func TestSavepointLocks(t *testing.T) {
	const since = "UPDATE t SET b = 7 WHERE id = 2; SELECT 1 FROM t WHERE id = 1 FOR UPDATE"
	for _, test := range []struct{ name, since, back string }{
		{"ROLLBACK TO", since, "ROLLBACK TO s"},
		{"an error", since, "!SELECT 1 / 0"},
		{"an error and ROLLBACK TO", since, "!SELECT 1 / 0; ROLLBACK TO s"},
		{"twice", since, "ROLLBACK TO s; " + since + "; !SELECT 1 / 0; ROLLBACK TO s"},
		{"a savepoint inside", "SAVEPOINT u;" + since + "; RELEASE u; SAVEPOINT u", "ROLLBACK TO s"},
		{"an error after a savepoint inside", since + "; SAVEPOINT u; UPDATE t SET b = 7 WHERE id = 3; !SELECT 1 / 0", "ROLLBACK TO s"},
	} {
		for _, again := range []bool{false, true} {
			name := test.name
			if again {
				name += ", run again"
			}
			t.Run(name, func(t *testing.T) {
				db := sessiontest.OpenPebble(t)
				x, y := db.Connect(), db.Connect()
				x.Must(replaySchema)
				script(t, x, "BEGIN; SELECT a > 0 FROM t WHERE id = 5; SAVEPOINT first; SELECT 1 FROM t WHERE id = 1 FOR SHARE; SAVEPOINT s;"+test.since)
				if again && !strings.Contains(test.since, "!") {
					y.Must("UPDATE t SET a = 50 WHERE id IN (4, 5)")
					script(t, x, "UPDATE t SET b = 8 WHERE id = 4")
					if db.Engine.Reruns() == 0 {
						t.Error("nothing was run again")
					}
				}
				if !locked(t, y, "2", "KEY SHARE") && !locked(t, y, "2", "SHARE") || !locked(t, y, "1", "SHARE") {
					t.Error("the locks are not there")
				}
				script(t, x, test.back)
				if locked(t, y, "2", "UPDATE") || locked(t, y, "4", "UPDATE") || locked(t, y, "1", "SHARE") {
					t.Error("locks stay that were taken since the savepoint")
				}
				if !locked(t, y, "1", "UPDATE") {
					t.Error("a lock of before has gone")
				}
				script(t, x, "ROLLBACK TO first")
				if locked(t, y, "1", "UPDATE") {
					t.Error("a lock stays that was taken since the first savepoint")
				}
				script(t, x, "UPDATE t SET b = b + 1 WHERE id = 2; COMMIT")
				y.Query("SELECT b FROM t WHERE id = 2", "1")
			})
		}
	}
}

// TestSavepointWaiter: who waits for a lock that a savepoint gives up goes on.
func TestSavepointWaiter(t *testing.T) {
	db := sessiontest.OpenPebble(t)
	x, y := db.Connect(), db.Connect()
	x.Must(replaySchema)
	script(t, x, "BEGIN; UPDATE t SET b = b + 1 WHERE id = 1; SAVEPOINT s; UPDATE t SET b = b + 1 WHERE id = 2")
	done := make(chan error)
	go func() {
		_, err := y.Exec("UPDATE t SET b = b + 10 WHERE id = 2")
		done <- err
	}()
	script(t, x, "ROLLBACK TO s")
	if err := <-done; err != nil {
		t.Error(err)
	}
	script(t, x, "UPDATE t SET b = b + 1 WHERE id = 2; COMMIT")
	y.Query("SELECT id, b FROM t WHERE id < 3 ORDER BY id", "1|1\n2|11")
}

// TestSavepointPortals: ROLLBACK TO closes the portals and cursors made since the savepoint and no others, also if the transaction has
// been run again before.
func TestSavepointPortals(t *testing.T) {
	for _, again := range []string{"", "UPDATE t SET a = 50 WHERE id IN (4, 5)"} {
		db := sessiontest.OpenPebble(t)
		x, y := db.Connect(), db.Connect()
		x.Must(replaySchema)
		bind := func(name string) {
			if err := x.Session.Bind(name, "select", nil, nil, nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := x.Session.Parse("select", "SELECT 1", nil); err != nil {
			t.Fatal(err)
		}
		script(t, x, "DECLARE held CURSOR WITH HOLD FOR SELECT 1; BEGIN; SELECT a > 0 FROM t WHERE id = 5; DECLARE before CURSOR FOR SELECT id FROM t")
		bind("bound before")
		script(t, x, "SAVEPOINT s; DECLARE since CURSOR FOR SELECT id FROM t; DECLARE inside CURSOR FOR SELECT 1; CLOSE inside")
		bind("bound since")
		script(t, x, "SAVEPOINT u; FETCH 1 FROM before; DECLARE inside CURSOR FOR SELECT 1")
		if again != "" {
			y.Must(again)
			script(t, x, "UPDATE t SET b = 8 WHERE id = 4")
			if db.Engine.Reruns() == 0 {
				t.Error("nothing was run again")
			}
		}
		open := func(want string) {
			t.Helper()
			got := ""
			for _, name := range []string{"held", "before", "bound before", "since", "bound since", "inside"} {
				if _, _, err := x.Session.DescribePortal(name); err == nil {
					got += name + ", "
				}
			}
			if got != want {
				t.Errorf("after %q open: %s\nwant: %s", again, got, want)
			}
		}
		open("held, before, bound before, since, bound since, inside, ")
		script(t, x, "ROLLBACK TO u")
		open("held, before, bound before, since, bound since, ")
		script(t, x, "ROLLBACK TO s")
		open("held, before, bound before, ")
		script(t, x, "COMMIT")
		open("held, ")
	}
}

// TestLostReplay: a transaction that comes to its end while it is run again leaves the session as its statements have left it, also
// those that were not reached.
func TestLostReplay(t *testing.T) {
	db := sessiontest.OpenPebble(t)
	x, y := db.Connect(), db.Connect()
	x.Must(replaySchema)
	x.Must("CREATE SEQUENCE q; PREPARE old AS SELECT 3")
	script(t, x, "SELECT nextval('q'); DECLARE moved SCROLL CURSOR WITH HOLD FOR SELECT g FROM generate_series(1, 9) g; DECLARE closed CURSOR WITH HOLD FOR SELECT 1")
	script(t, x, "BEGIN; PREPARE first AS SELECT 1; SELECT a FROM t WHERE id = 5")
	script(t, x, "PREPARE second AS SELECT 2; DEALLOCATE old; SELECT setval('q', 40); FETCH 3 FROM moved; CLOSE closed; SELECT setseed(0.5)")
	if err := x.Session.Parse("message", "SELECT 3", nil); err != nil {
		t.Fatal(err)
	}
	y.Must("UPDATE t SET a = 50 WHERE id IN (4, 5)")
	script(t, x, "!UPDATE t SET b = 8 WHERE id = 4; ROLLBACK")
	x.Query("EXECUTE first", "1")
	x.Query("EXECUTE second", "2")
	x.Query("SELECT name FROM pg_prepared_statements ORDER BY name", "first\nmessage\nsecond")
	x.Query("SELECT currval('q')", "40")
	x.Query("FETCH 1 FROM moved", "4")
	script(t, x, "!FETCH 1 FROM closed")
	random := x.Must("SELECT random()").String()
	x.Query("SELECT setseed(0.5)", "")
	x.Query("SELECT random()", random)
	if db.Engine.Reruns() == 0 {
		t.Error("nothing was run again")
	}
}

// TestReplayFleeting: a statement that got no lock, or was canceled, is not run again with its transaction. One that got its lock at
// once waits for it then.
func TestReplayFleeting(t *testing.T) {
	for _, test := range []struct{ name, before, want string }{
		{"NOWAIT", "!SELECT a FROM t WHERE id = 3 FOR UPDATE NOWAIT", ""},
		{"NOWAIT and sequences", "!SELECT a FROM t WHERE id = 3 AND nextval('q') > 0 FOR UPDATE NOWAIT; ROLLBACK TO s; SELECT currval('q'), nextval('q'), random()", ""},
		{"lock_timeout", "SET LOCAL lock_timeout = '1ms'; !UPDATE t SET b = 1 WHERE id = 3", ""},
		{"lock_timeout after a write", "SET LOCAL lock_timeout = '1ms'; UPDATE t SET b = 1 WHERE id = 2; !DELETE FROM t WHERE id IN (2, 3)", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			db := sessiontest.OpenPebble(t)
			x, y, z := db.Connect(), db.Connect(), db.Connect()
			x.Must(replaySchema)
			x.Must("CREATE SEQUENCE q")
			script(t, z, "BEGIN; SELECT 1 FROM t WHERE id = 3 FOR UPDATE")
			script(t, x, "BEGIN; SELECT a > 0 FROM t WHERE id = 5; SAVEPOINT s; "+test.before+"; ROLLBACK TO s")
			script(t, z, "ROLLBACK")
			y.Must("UPDATE t SET a = 50 WHERE id IN (4, 5)")
			script(t, x, "UPDATE t SET b = 8 WHERE id = 4")
			if strings.Contains(test.name, "sequences") {
				x.Query("SELECT currval('q'), nextval('q')", "2|3")
			}
			script(t, x, "COMMIT")
			y.Query("SELECT id, b FROM t ORDER BY id", "1|0\n2|0\n3|0\n4|8\n5|0")
			if db.Engine.Reruns() == 0 {
				t.Error("nothing was run again")
			}
		})
	}
	t.Run("canceled before its first row", func(t *testing.T) {
		db := sessiontest.OpenPebble(t)
		x, y := db.Connect(), db.Connect()
		x.Must(replaySchema)
		script(t, x, "BEGIN; SELECT a > 0 FROM t WHERE id = 5; SAVEPOINT s")
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := x.ExecContext(ctx, "SELECT count(*) FROM t"); errs.CodeOf(err) != errs.QueryCanceled {
			t.Fatal(err)
		}
		y.Must("UPDATE t SET a = 50 WHERE id IN (4, 5)")
		script(t, x, "ROLLBACK TO s; UPDATE t SET b = 8 WHERE id = 4; COMMIT")
		if db.Engine.Reruns() == 0 {
			t.Error("nothing was run again")
		}
	})
	t.Run("NOWAIT that had its lock", func(t *testing.T) {
		db := sessiontest.OpenPebble(t)
		x, y, z := db.Connect(), db.Connect(), db.Connect()
		x.Must(replaySchema)
		script(t, x, "BEGIN; SELECT a > 0 FROM t WHERE id = 5; SAVEPOINT s; SELECT a FROM t WHERE id = 3 FOR UPDATE NOWAIT; ROLLBACK TO s")
		script(t, z, "BEGIN; SELECT 1 FROM t WHERE id = 3 FOR UPDATE")
		y.Must("UPDATE t SET a = 50 WHERE id IN (4, 5)")
		done := make(chan error, 1)
		go func() {
			_, err := x.Exec("UPDATE t SET b = 8 WHERE id = 4")
			done <- err
		}()
		for waits := false; !waits; {
			select {
			case err := <-done:
				t.Fatalf("it does not wait: %v", err)
			default:
				waits = y.Must("SELECT count(*) > 0 FROM pg_locks WHERE NOT granted").String() == "t"
			}
		}
		script(t, z, "COMMIT")
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		script(t, x, "COMMIT")
	})
}

// TestSavepointReads: what a statement has shown of a row by its lock alone, which is given up when the savepoint is gone back to, is
// compared at COMMIT like what was read.
func TestSavepointReads(t *testing.T) {
	for _, test := range []struct{ name, shown, changed, want string }{
		{"RETURNING", "UPDATE c SET a = 100 WHERE id = 1 RETURNING b", "UPDATE c SET b = 5 WHERE id = 1", "40001"},
		{"RETURNING of what stays", "UPDATE c SET a = 100 WHERE id = 1 RETURNING a", "UPDATE c SET b = 5 WHERE id = 1", ""},
		{"a CHECK", "!UPDATE c SET a = 100 WHERE id = 2", "UPDATE c SET b = 200 WHERE id = 2", "40001"},
		{"a CHECK of another row", "!UPDATE c SET a = 100 WHERE id = 2", "UPDATE c SET b = 2000 WHERE id = 3", ""},
		{"DELETE RETURNING", "DELETE FROM c WHERE id = 1 RETURNING b", "UPDATE c SET b = 5 WHERE id = 1", "40001"},
		{"ON CONFLICT", "INSERT INTO c VALUES (1, 1, 1, 1) ON CONFLICT (id) DO UPDATE SET a = 100 RETURNING b", "UPDATE c SET b = 5 WHERE id = 1", "40001"},
		{"SELECT FOR UPDATE", "SELECT b FROM c WHERE id = 1 FOR UPDATE", "UPDATE c SET b = 5 WHERE id = 1", "40001"},
		{"SKIP LOCKED", "SELECT b FROM c WHERE id = 1 FOR UPDATE SKIP LOCKED", "UPDATE c SET b = 5 WHERE id = 1", "40001"},
		{"a reference", "INSERT INTO child VALUES (1, 3)", "UPDATE c SET b = 5 WHERE id = 3", ""},
		{"a reference that goes", "INSERT INTO child VALUES (1, 3)", "DELETE FROM c WHERE id = 3", "23503"},
	} {
		t.Run(test.name, func(t *testing.T) {
			db := sessiontest.OpenPebble(t)
			x, y := db.Connect(), db.Connect()
			x.Must(replaySchema)
			x.Must(`CREATE TABLE c (id int PRIMARY KEY, a int, b int DEFAULT 1000, pad int, CHECK (a < b)); CREATE TABLE child (id int PRIMARY KEY, c int REFERENCES c);
				INSERT INTO c VALUES (1, 1, 1000), (2, 2, 20), (3, 3, 1000)`)
			if test.changed == "UPDATE c SET b = 5 WHERE id = 1" {
				x.Must("ALTER TABLE c DROP CONSTRAINT c_check")
			}
			script(t, x, "BEGIN; SAVEPOINT s; "+test.shown+"; ROLLBACK TO s; UPDATE t SET b = 9 WHERE id = 1")
			y.Must(test.changed)
			_, err := x.Exec("COMMIT")
			if code := string(errs.CodeOf(err)); err == nil && test.want != "" || err != nil && code != test.want {
				t.Errorf("COMMIT: %v, want %q", err, test.want)
			}
		})
	}
}
