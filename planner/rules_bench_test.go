package planner_test

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"holdfast/kv/pebblekv"
	"holdfast/planner/sessiontest"
	"holdfast/sql/accumulator"
)

// repeated is a statement a hundred times, with a number in it.
func repeated(format string) string {
	var b strings.Builder
	for i := range 100 {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// BenchmarkInsert is what rules cost: one row per statement, each its own transaction.
func BenchmarkInsert(b *testing.B) {
	for _, c := range []struct{ name, ddl string }{
		{"no rules", ""},
		{"foreign key", "ALTER TABLE c ADD FOREIGN KEY (p) REFERENCES p"},
		{"deferred foreign key", "ALTER TABLE c ADD FOREIGN KEY (p) REFERENCES p DEFERRABLE INITIALLY DEFERRED"},
		{"assertion on changed rows", "CREATE ASSERTION a CHECK (NOT EXISTS (SELECT * FROM c JOIN p ON p.id = c.p WHERE c.q > p.n))"},
		{"assertion of another event", "CREATE ASSERTION a CHECK ((SELECT count(*) FROM c) >= 0)"},
		{"100 assertions on the new row", repeated("CREATE ASSERTION a%[1]d CHECK (NOT EXISTS (SELECT * FROM c WHERE c.q > 1000 + %[1]d)); ")},
		{"100 assertions that the new row passes by", repeated("CREATE ASSERTION a%[1]d CHECK (NOT EXISTS (SELECT p FROM c GROUP BY p HAVING sum(q) < -%[1]d)); ")},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := sessiontest.OpenPebble(b).Connect()
			s.Must("CREATE TABLE p (id int PRIMARY KEY, n int); INSERT INTO p SELECT i, 1000000 FROM generate_series(0, 999) i; CREATE TABLE c (id int PRIMARY KEY, p int, q int); CREATE INDEX ON c (p);" + c.ddl)
			b.ResetTimer()
			b.ReportAllocs()
			for i := range b.N {
				if _, err := s.Exec(fmt.Sprintf("INSERT INTO c VALUES (%d, %d, 1)", i, i%1000)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCheck is what a change of one row costs under rules over tables of different sizes. It should not depend on
// the size.
func BenchmarkCheck(b *testing.B) {
	for _, rows := range []int{1e3, 1e5, 1e6} {
		for _, c := range []struct{ name, ddl string }{
			{"no rule", ""},
			{"bounded group of a join", `CREATE ASSERTION a CHECK (NOT EXISTS (SELECT d.w, count(*) FROM d JOIN w ON w.id = d.w
				GROUP BY d.w, w.plan HAVING count(*) > CASE WHEN w.plan = 'free' THEN 1000000 ELSE 2000000 END))`},
			{"sum within a budget", "CREATE ASSERTION a CHECK (NOT EXISTS (SELECT FROM w WHERE (SELECT sum(x) FROM d WHERE d.w = w.id) > w.budget))"},
			{"each has one", "CREATE ASSERTION a CHECK (NOT EXISTS (SELECT FROM w WHERE NOT EXISTS (SELECT FROM d WHERE d.w = w.id)))"},
		} {
			b.Run(fmt.Sprintf("%d rows/%s", rows, c.name), func(b *testing.B) {
				s := sessiontest.OpenPebble(b).Connect()
				s.Must("CREATE TABLE w (id int PRIMARY KEY, plan text, budget int); CREATE TABLE d (id int PRIMARY KEY, w int NOT NULL, x int); CREATE INDEX ON d (w)")
				s.Must(fmt.Sprintf("INSERT INTO w SELECT i, 'free', 2000000000 FROM generate_series(0, %d) i", rows/10-1))
				for from := 0; from < rows; from += 50000 {
					s.Must(fmt.Sprintf("INSERT INTO d SELECT i, i / 10, 1 FROM generate_series(%d, %d) i", from, min(from+50000, rows)-1))
				}
				if c.ddl != "" {
					s.Must(c.ddl)
				}
				b.ResetTimer()
				b.ReportAllocs()
				for i := range b.N {
					// A row of each team goes or comes back.
					id := i / 2 * 7919 * 10 % rows
					text := fmt.Sprintf("DELETE FROM d WHERE id = %d", id)
					if i%2 == 1 {
						text = fmt.Sprintf("INSERT INTO d VALUES (%d, %d, 1)", id, id/10)
					}
					if _, err := s.Exec(text); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkUnconcerned updates a row by its key under assertions that read the table and which the statement cannot violate.
func BenchmarkUnconcerned(b *testing.B) {
	for _, rules := range []int{0, 1, 100} {
		b.Run(fmt.Sprint(rules), func(b *testing.B) {
			c := sessiontest.Open(b).Connect()
			c.Must("CREATE TABLE t (id int PRIMARY KEY, n int, note text); INSERT INTO t SELECT g, 1 FROM generate_series(1, 1000) g")
			for i := range rules {
				c.Must(fmt.Sprintf("CREATE ASSERTION a%d CHECK (NOT EXISTS (SELECT FROM t WHERE n > %d))", i, 1000+i))
			}
			for i := 0; b.Loop(); i++ {
				c.Must(fmt.Sprintf("UPDATE t SET note = 'x%d' WHERE id = %d", i, i%1000+1))
			}
		})
	}
}

// BenchmarkHotGroup is many clients that insert rows of one group, on disk, without a rule and far from the bound of one.
func BenchmarkHotGroup(b *testing.B) {
	for _, explicit := range []bool{false, true} {
		for _, rule := range append([]string{""}, boundRules...) {
			name := "no rule"
			if rule != "" {
				name = strings.Fields(rule)[2]
			}
			b.Run(fmt.Sprintf("explicit=%v/%s", explicit, name), func(b *testing.B) {
				store, err := pebblekv.Open(pebblekv.Options{Folder: b.TempDir() + "/data", Merge: accumulator.Merge, Logger: slog.New(slog.DiscardHandler)})
				if err != nil {
					b.Fatal(err)
				}
				db := sessiontest.OpenStore(b, store)
				c := db.Connect()
				c.Must(boundSchema)
				if rule != "" {
					c.Must(rule)
				}
				c.Must("INSERT INTO seat (team, n) SELECT 1, 0 FROM generate_series(1, 1000)")
				const clients = 64
				var next atomic.Int64
				var wg sync.WaitGroup
				sessions := make([]*sessiontest.Client, clients)
				for i := range sessions {
					sessions[i] = db.Connect()
				}
				used := cpuTime()
				b.ResetTimer()
				for _, c := range sessions {
					wg.Add(1)
					go func() {
						defer wg.Done()
						for next.Add(1) <= int64(b.N) {
							text := "INSERT INTO seat (team, n) VALUES (1, 1)"
							if explicit {
								for _, text := range []string{"BEGIN", text} {
									if _, err := c.Exec(text); err != nil {
										b.Error(err)
									}
								}
								text = "COMMIT"
							}
							if _, err := c.Exec(text); err != nil {
								b.Error(err)
							}
						}
					}()
				}
				wg.Wait()
				b.StopTimer()
				b.ReportMetric(float64(cpuTime()-used)/float64(b.N), "cpu-ns/op")
				if n := db.Engine.Reruns(); n > 0 {
					b.Errorf("%d transactions were run again", n)
				}
			})
		}
	}
}

// BenchmarkGroupSize is what a row costs in a group of few rows and in one of many.
func BenchmarkGroupSize(b *testing.B) {
	for _, size := range []int{10, 1e5} {
		for _, rule := range append([]string{""}, boundRules[0], boundRules[3], boundRules[4]) {
			name := "no rule"
			if rule != "" {
				name = strings.Fields(rule)[2]
			}
			b.Run(fmt.Sprintf("%d rows/%s", size, name), func(b *testing.B) {
				c := sessiontest.OpenPebble(b).Connect()
				c.Must(boundSchema)
				if rule != "" {
					c.Must(rule)
				}
				c.Must(fmt.Sprintf("INSERT INTO seat (team, n) SELECT 1, 0 FROM generate_series(1, %d)", size))
				used := cpuTime()
				b.ResetTimer()
				for i := range b.N {
					text := "INSERT INTO seat (id, team, n) VALUES (0, 1, 1)"
					if i%2 == 1 {
						text = "DELETE FROM seat WHERE id = 0"
					}
					if _, err := c.Exec(text); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(cpuTime()-used)/float64(b.N), "cpu-ns/op")
			})
		}
	}
}

// cpuTime is what the process has used of the processors: on a machine with other work it says more than the clock.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
