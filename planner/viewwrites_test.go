package planner_test

import (
	"strings"
	"testing"

	"holdfast/planner/sessiontest"
)

// TestViewCopyRoles: COPY FROM through a view with a table in several roles makes each row once, and only rows of the view that it gives.
func TestViewCopyRoles(t *testing.T) {
	c := sessiontest.Open(t).Connect()
	c.Must(`CREATE TABLE person (id int PRIMARY KEY, name text, boss int);
		CREATE VIEW reports AS SELECT e.id, e.name, e.boss, m.name AS bname, m.boss AS bboss FROM person e JOIN person m ON e.boss = m.id`)
	c.CopyData = "1\tAnn\t2\tBob\t\\N\n3\tCid\t3\tCid\t3\n4\tDan\t3\tCid\t3\n"
	c.Must("COPY reports FROM STDIN")
	c.Query("SELECT * FROM person ORDER BY id", "1|Ann|2\n2|Bob|NULL\n3|Cid|3\n4|Dan|3")
	c.CopyData = "5\tEve\t6\tFlo\t7\n8\tGus\t7\tHal\t\\N\n"
	_, err := c.Exec("COPY reports FROM STDIN")
	if err == nil || !strings.Contains(sessiontest.Describe(err), `21000: other rows would appear in view "reports"`) {
		t.Errorf("a row that appears and was not given: %v", err)
	}
	c.Query("SELECT count(*) FROM person", "4")
}

// TestViewFailingRow: a check option that is violated shows the row of the view, and of a view over one table that of the table.
func TestViewFailingRow(t *testing.T) {
	c := sessiontest.Open(t).Connect()
	c.Must(`CREATE TABLE dept (deptno int PRIMARY KEY, dname text, secret int DEFAULT 9);
		CREATE TABLE emp (empno int PRIMARY KEY, deptno int, pay int, hidden int DEFAULT 8);
		CREATE VIEW joined AS SELECT e.empno, e.pay, d.deptno, d.dname FROM emp e JOIN dept d ON e.deptno = d.deptno WHERE e.pay > 0 WITH CHECK OPTION;
		CREATE VIEW alone AS SELECT empno, pay FROM emp WHERE pay > 0 WITH CHECK OPTION;
		INSERT INTO dept VALUES (10, 'sales'), (20, 'stock'); INSERT INTO emp VALUES (1, 10, 5)`)
	fails := func(stmt, view, row string) {
		t.Helper()
		c.Fails(stmt, `ERROR 44000: new row violates check option for view "`+view+"\"\nDETAIL: Failing row contains ("+row+").")
	}
	fails("UPDATE joined SET pay = 0", "joined", "1, 0, 10, sales")
	fails("UPDATE joined SET dname = 'all', pay = -1", "joined", "1, -1, 10, all")
	fails("UPDATE joined SET deptno = 20, pay = 0", "joined", "1, 0, 20, stock")
	fails("UPDATE joined SET deptno = 30", "joined", "1, 5, 30, null")
	fails("INSERT INTO joined VALUES (2, 0, 10, 'sales')", "joined", "2, 0, 10, sales")
	fails("INSERT INTO joined VALUES (1, 1, 10) ON CONFLICT (empno) DO UPDATE SET pay = -2", "joined", "1, -2, 10, sales")
	c.Must(`INSERT INTO emp VALUES (3, 10, 5);
		CREATE VIEW selling AS SELECT e.empno, e.pay, d.dname, d.secret FROM emp e JOIN dept d ON e.deptno = d.deptno AND e.pay < d.secret WHERE dname = 'sales' WITH CHECK OPTION`)
	fails("UPDATE selling SET pay = 10 WHERE empno = 1", "selling", "1, 10, sales, 9")
	fails("UPDATE selling SET dname = 'all'", "selling", "1, 5, all, 9")
	fails("UPDATE alone SET pay = 0", "alone", "1, 10, 0, 8")
}
