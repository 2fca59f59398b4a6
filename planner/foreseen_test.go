package planner_test

import (
	"log/slog"
	"testing"
	"time"

	"holdfast/kv/crashdisk"
	"holdfast/kv/pebblekv"
	"holdfast/planner/sessiontest"
	"holdfast/sql/accumulator"
	"holdfast/sql/errs"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestForeseen: an UPDATE that has waited for a row and tells nothing but how many rows it has changed is answered before the state
// it has seen is durable, if it would have changed as many of the state before. Every other answer waits.
func TestForeseen(t *testing.T) {
	const schema = `CREATE TABLE t (id int PRIMARY KEY, n int CHECK (n < 100), u int UNIQUE);
		INSERT INTO t VALUES (1, 0, 1), (2, 50, 2);
		CREATE TABLE child (id int PRIMARY KEY, t int REFERENCES t);
		INSERT INTO child VALUES (1, 1);
		CREATE VIEW v AS SELECT * FROM t WHERE n < 60 WITH CHECK OPTION`
	tests := []struct {
		name   string
		first  string // what holds the row
		second string // what waits for it
		at     bool   // it is answered at once
		want   string // its answer
	}{
		{"a count", "UPDATE t SET n = n + 1 WHERE id = 1", "UPDATE t SET n = n + 1 WHERE id = 1", true, "UPDATE 1"},
		{"a count, with a condition on what has not changed", "UPDATE t SET u = 9 WHERE id = 1", "UPDATE t SET n = 3 WHERE id = 1 AND n = 0", true, "UPDATE 1"},
		{"a condition that has become false", "UPDATE t SET n = 1 WHERE id = 1", "UPDATE t SET n = 3 WHERE id = 1 AND n = 0", false, "UPDATE 0"},
		{"a row that has gone", "DELETE FROM t WHERE id = 2", "UPDATE t SET n = n + 1 WHERE id = 2", false, "UPDATE 0"},
		{"RETURNING", "UPDATE t SET n = n + 1 WHERE id = 1", "UPDATE t SET n = n + 1 WHERE id = 1 RETURNING n", false, "UPDATE 1"},
		{"a value that could not be computed before", "UPDATE t SET n = 5 WHERE id = 1", "UPDATE t SET n = 10 / n WHERE id = 1", false, "UPDATE 1"},
		{"a value that can not be computed now", "UPDATE t SET n = 0 WHERE id = 2", "UPDATE t SET n = 10 / n WHERE id = 2", false, "22012"},
		{"a CHECK that would have refused the value before", "UPDATE t SET n = 1 WHERE id = 2", "UPDATE t SET n = n + 50 WHERE id = 2", false, "UPDATE 1"},
		{"a CHECK that refuses it now", "UPDATE t SET n = 90 WHERE id = 2", "UPDATE t SET n = n + 20 WHERE id = 2", false, "23514"},
		{"a unique key", "UPDATE t SET n = 1 WHERE id = 1", "UPDATE t SET u = 7 WHERE id = 1", false, "UPDATE 1"},
		{"a reference", "UPDATE child SET t = NULL WHERE id = 1", "UPDATE child SET t = 2 WHERE id = 1", false, "UPDATE 1"},
		{"a view", "UPDATE t SET n = 1 WHERE id = 1", "UPDATE v SET n = n + 1 WHERE id = 1", false, "UPDATE 1"},
		{"several statements", "UPDATE t SET n = n + 1 WHERE id = 1", "WITH x AS (UPDATE t SET n = 4 WHERE id = 1) UPDATE t SET n = 5 WHERE id = 2", false, "UPDATE 1"},
		{"rows", "UPDATE t SET n = n + 1 WHERE id = 1", "SELECT n FROM t WHERE id = 1 FOR UPDATE", false, "SELECT 1"},
	}
	for _, test := range tests {
		for name, run := range map[string]func(*sessiontest.Client, string) (*sessiontest.Result, error){
			"simple":   (*sessiontest.Client).Exec,
			"extended": func(c *sessiontest.Client, text string) (*sessiontest.Result, error) { return c.Portal(text, 0) },
		} {
			t.Run(test.name+", "+name, func(t *testing.T) {
				disk := crashdisk.New(vfs.NewCrashableMem())
				store, err := pebblekv.Open(pebblekv.Options{
					Folder: "db", FS: disk, CacheBytes: 8 << 20, MemtableBytes: 4 << 20, Merge: accumulator.Merge, Logger: slog.New(slog.DiscardHandler),
				})
				if err != nil {
					t.Fatal(err)
				}
				db := sessiontest.OpenStore(t, store)
				x, y, z := db.Connect(), db.Connect(), db.Connect()
				x.Must(schema)
				x.Must("BEGIN")
				x.Must(test.first)
				y.Must("BEGIN")
				answer := func(text string) <-chan string {
					c := make(chan string, 1)
					go func() {
						r, err := run(y, text)
						if err != nil {
							c <- string(errs.CodeOf(err))
						} else {
							c <- r.Tag()
						}
					}()
					return c
				}
				second := answer(test.second)
				for z.Must("SELECT count(*) FROM pg_locks WHERE NOT granted").String() == "0" {
					time.Sleep(time.Millisecond)
				}
				resume := disk.Pause()
				committed := make(chan struct{})
				go func() {
					defer close(committed)
					x.Must("COMMIT")
				}()
				still := func(c <-chan string, what string) {
					t.Helper()
					select {
					case got := <-c:
						t.Errorf("%s is answered before what it has seen is durable: %s", what, got)
						resume()
						<-committed
						t.FailNow()
					case <-time.After(10 * time.Millisecond):
					}
				}
				if !test.at {
					still(second, test.second)
					resume()
				}
				if got := await(t, second); got != test.want {
					t.Errorf("%s: %s, want %s", test.second, got, test.want)
				}
				if test.at { // whatever comes next waits
					next := answer("SELECT n FROM t WHERE id = 1")
					still(next, "SELECT")
					resume()
					if got := await(t, next); got != "SELECT 1" {
						t.Errorf("SELECT: %s", got)
					}
				}
				<-committed
			})
		}
	}
}

// await is what a channel gives.
func await(t *testing.T, c <-chan string) string {
	t.Helper()
	select {
	case got := <-c:
		return got
	case <-time.After(time.Minute):
		t.Fatal("no answer")
		return ""
	}
}
