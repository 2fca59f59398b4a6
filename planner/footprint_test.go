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

// TestFootprintOfViews does the same for changes through join views: what the row of the view was made of is in the footprint, whichever
// table is written.
func TestFootprintOfViews(t *testing.T) {
	tests := []struct {
		name, first, second string
		conflict            bool
	}{
		{"the half that is read", "UPDATE staff SET salary = 5 WHERE empno = 1 AND commission = 10", "UPDATE comm SET commission = 11 WHERE empno = 1", true},
		{"the half that is not read", "UPDATE staff SET salary = 5 WHERE empno = 1", "UPDATE comm SET commission = 11 WHERE empno = 1", false},
		{"the half that goes", "UPDATE staff SET salary = 5 WHERE empno = 1", "DELETE FROM comm WHERE empno = 1", true},
		{"a value from the other half", "UPDATE staff SET salary = commission WHERE empno = 1", "UPDATE comm SET commission = 11 WHERE empno = 1", true},
		{"another row", "UPDATE staff SET salary = 5 WHERE empno = 1", "UPDATE comm SET commission = 11 WHERE empno = 2", false},
		{"a condition through a view over the view", "UPDATE rich SET salary = 5 WHERE empno = 1", "UPDATE comm SET commission = 1 WHERE empno = 1", true},
		{"the missing side is inserted", "UPDATE staff_note SET salary = 5 WHERE empno = 1 AND note IS NULL", "INSERT INTO note VALUES (1, 'n')", true},
		{"another missing side is inserted", "UPDATE staff_note SET salary = 5 WHERE empno = 1 AND note IS NULL", "INSERT INTO note VALUES (2, 'n')", false},
		{"both make the missing side", "UPDATE staff_note SET note = 'x' WHERE empno = 1 AND note IS NULL", "UPDATE staff_note SET note = 'y' WHERE empno = 2 AND note IS NULL", false},
		{"a child comes to a parent that is renamed for all", "UPDATE placed SET name = 'x' WHERE dept = 10", "INSERT INTO place VALUES (3, 10)", true},
		{"a child comes to another parent", "UPDATE placed SET name = 'x' WHERE dept = 10", "INSERT INTO place VALUES (3, 20)", false},
		{"the parent that a child moves to is renamed", "UPDATE placed SET dept = 20 WHERE empno = 1", "UPDATE dept SET name = 'x' WHERE dept = 20", false},
		{"the parent that a child moves to goes", "UPDATE placed SET dept = 30 WHERE empno = 1", "DELETE FROM dept WHERE dept = 30", true},
		{"a parent that is matched changes", "INSERT INTO placed VALUES (5, 20, 'b')", "UPDATE dept SET name = 'x' WHERE dept = 20", true},
		{"a row is deleted whose half is read", "DELETE FROM staff WHERE empno = 1 AND commission = 10", "UPDATE comm SET commission = 11 WHERE empno = 1", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			db := sessiontest.OpenPebble(t)
			x, y := db.Connect(), db.Connect()
			x.Must(`CREATE TABLE sal (empno int PRIMARY KEY, salary int);
				CREATE TABLE comm (empno int PRIMARY KEY, commission int);
				CREATE TABLE note (empno int PRIMARY KEY, note text);
				CREATE TABLE dept (dept int PRIMARY KEY, name text);
				CREATE TABLE place (empno int PRIMARY KEY, dept int);
				CREATE INDEX ON place (dept);
				CREATE TABLE other (id int);
				CREATE VIEW staff AS SELECT empno, salary, commission FROM sal JOIN comm USING (empno);
				CREATE VIEW rich AS SELECT * FROM staff WHERE commission > 5;
				CREATE VIEW staff_note AS SELECT s.empno, s.salary, n.note FROM sal s LEFT JOIN note n ON n.empno = s.empno;
				CREATE VIEW placed AS SELECT p.empno, p.dept, d.name FROM place p JOIN dept d ON d.dept = p.dept;
				INSERT INTO sal VALUES (1, 100), (2, 200);
				INSERT INTO comm VALUES (1, 10), (2, 20);
				INSERT INTO dept VALUES (10, 'a'), (20, 'b'), (30, 'c');
				INSERT INTO place VALUES (1, 10), (2, 10), (4, 20)`)
			y.Must("SET lock_timeout = '1s'")
			x.Must("BEGIN")
			x.Must(test.first)
			x.Must("INSERT INTO other VALUES (100)") // something to commit
			_, err := y.Exec(test.second)
			if err != nil { // it waits for a row that is locked
				if !test.conflict {
					t.Error(err)
				}
				return
			}
			before := db.Engine.Reruns()
			_, err = x.Exec("COMMIT")
			if conflict := db.Engine.Reruns() > before; conflict != test.conflict {
				t.Errorf("conflict: %v, %v", conflict, err)
			}
		})
	}
}
