package planner_test

import (
	"fmt"
	"testing"

	"holdfast/planner/sessiontest"
)

// BenchmarkInsert is what rules cost: one row per statement, each its own transaction.
func BenchmarkInsert(b *testing.B) {
	for _, c := range []struct{ name, ddl string }{
		{"no rules", ""},
		{"foreign key", "ALTER TABLE c ADD FOREIGN KEY (p) REFERENCES p"},
		{"deferred foreign key", "ALTER TABLE c ADD FOREIGN KEY (p) REFERENCES p DEFERRABLE INITIALLY DEFERRED"},
		{"assertion on changed rows", "CREATE ASSERTION a CHECK (NOT EXISTS (SELECT * FROM c JOIN p ON p.id = c.p WHERE c.q > p.n))"},
		{"assertion of another event", "CREATE ASSERTION a CHECK ((SELECT count(*) FROM c) >= 0)"},
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
