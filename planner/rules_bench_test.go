package planner_test

import (
	"fmt"
	"strings"
	"testing"

	"holdfast/planner/sessiontest"
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
