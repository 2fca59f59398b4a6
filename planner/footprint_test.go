package planner_test

import (
	"testing"

	"holdfast/planner/sessiontest"
)

// TestFootprintOfChanges runs two transactions, the second of which commits first, and tells which pairs of statements
// conflict.
func TestFootprintOfChanges(t *testing.T) {
	tests := []struct {
		name, first, second string
		conflict            bool
	}{
		{"a condition on another column", "UPDATE t SET a = 100 WHERE a = 1", "UPDATE t SET b = 7 WHERE id = 2", false},
		{"a condition on the column", "UPDATE t SET a = 100 WHERE a = 1", "UPDATE t SET a = 7 WHERE id = 2", true},
		{"a value from the column", "UPDATE t SET a = b + 1 WHERE a = 1", "UPDATE t SET b = 7 WHERE id = 2", true},
		{"a returned column", "UPDATE t SET a = 100 WHERE a = 1 RETURNING b", "UPDATE t SET c = 7 WHERE id = 2", false},
		{"a delete by another column", "DELETE FROM t WHERE a = 1", "UPDATE t SET c = 7 WHERE id = 2", false},
		{"a phantom", "UPDATE t SET a = 100 WHERE a = 1", "INSERT INTO t VALUES (9, 1, 1, 1)", true},
		{"many rows, another between them", "INSERT INTO t SELECT g, g, g, NULL FROM generate_series(10, 200, 10) g", "INSERT INTO t VALUES (55, 1, 1, NULL)", false},
		{"many rows, many between them", "INSERT INTO t SELECT g, g, g, NULL FROM generate_series(10, 200, 10) g",
			"INSERT INTO t SELECT g, g, g, NULL FROM generate_series(15, 195, 10) g", false},
		{"different rows by key", "UPDATE t SET a = 1 WHERE id = 1", "UPDATE t SET a = 2 WHERE id = 2", false},
		{"a child of a parent that changes", "INSERT INTO child VALUES (1, 2)", "UPDATE t SET a = 7 WHERE id = 2", false},
		{"a child by a unique column, another changes", "INSERT INTO child2 VALUES (1, 20)", "UPDATE t SET a = 7 WHERE id = 2", false},
		{"the parent's other rows", "INSERT INTO child VALUES (1, 2)", "DELETE FROM t WHERE id = 3", false},
		{"a parent deleted, a child of another", "DELETE FROM t WHERE id = 3", "INSERT INTO child VALUES (1, 2)", false},
		{"a parent deleted, a child changed", "DELETE FROM t WHERE id = 3", "UPDATE child SET id = 10 WHERE id = 9", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			db := sessiontest.OpenPebble(t)
			x, y := db.Connect(), db.Connect()
			x.Must(`CREATE TABLE t (id int PRIMARY KEY, a int, b int, c int UNIQUE);
				CREATE TABLE child (id int PRIMARY KEY, t int REFERENCES t);
				CREATE INDEX ON child (t);
				CREATE TABLE child2 (id int PRIMARY KEY, c int REFERENCES t (c));
				CREATE INDEX ON child2 (c);
				INSERT INTO t VALUES (1, 1, 1, 10), (2, 2, 2, 20), (3, 3, 3, 30);
				INSERT INTO child VALUES (9, 2)`)
			y.Must("SET lock_timeout = '1s'")
			x.Must("BEGIN")
			x.Must(test.first)
			x.Must("INSERT INTO child VALUES (100, NULL)") // something to commit
			y.Must(test.second)
			before := db.Engine.Reruns()
			_, err := x.Exec("COMMIT")
			if conflict := db.Engine.Reruns() > before; conflict != test.conflict {
				t.Errorf("conflict: %v, %v", conflict, err)
			}
		})
	}
}
