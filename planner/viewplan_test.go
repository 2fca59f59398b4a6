package planner_test

import (
	"testing"

	"holdfast/planner/sessiontest"
)

// TestViewUpdatePlan: what view_update_plan says of views of several kinds.
func TestViewUpdatePlan(t *testing.T) {
	c := sessiontest.Open(t).Connect()
	c.Must(`CREATE TABLE dept (deptno int PRIMARY KEY, dname text);
		CREATE TABLE emp (empno int PRIMARY KEY, boss int, deptno int NOT NULL, pay int);
		CREATE VIEW emp_dept AS SELECT e.empno, e.deptno, d.dname, upper(d.dname) AS title, e.pay + 1 AS more FROM emp e JOIN dept d ON e.deptno = d.deptno;
		CREATE VIEW simple AS SELECT empno, pay + 1 AS more FROM emp;
		CREATE VIEW reports AS SELECT e.empno, m.pay AS boss_pay FROM emp e JOIN emp m ON e.boss = m.empno;
		CREATE VIEW sums AS SELECT deptno, sum(pay) AS pay FROM emp GROUP BY deptno;
		CREATE VIEW over AS SELECT pay FROM sums;
		CREATE SCHEMA other; CREATE TABLE other.x (k int PRIMARY KEY); CREATE VIEW ox AS SELECT k FROM other.x`)
	plan := func(view, want string) {
		t.Helper()
		c.Query(`SELECT * FROM view_update_plan('`+view+`')`, want)
	}
	plan("emp_dept", `empno|UPDATE|emp|empno|NULL
empno|INSERT|emp|empno|NULL
deptno|UPDATE|emp|deptno|NULL
deptno|INSERT|emp|deptno|NULL
dname|UPDATE|dept|dname|NULL
dname|INSERT|dept|dname|NULL
title|UPDATE|NULL|NULL|The column shows an expression that cannot be inverted; those that can are c + k, c - k, k - c and -c of integers, numeric and dates, and conversions that lose nothing.
title|INSERT|NULL|NULL|The column shows an expression that cannot be inverted; those that can are c + k, c - k, k - c and -c of integers, numeric and dates, and conversions that lose nothing.
more|UPDATE|emp|pay|NULL
more|INSERT|emp|pay|NULL
NULL|DELETE|emp|NULL|NULL`)
	plan("simple", `empno|UPDATE|emp|empno|NULL
empno|INSERT|emp|empno|NULL
more|UPDATE|NULL|NULL|View columns that are not columns of their base relation are not updatable.
more|INSERT|NULL|NULL|View columns that are not columns of their base relation are not updatable.
NULL|DELETE|emp|NULL|NULL`)
	plan("reports", `empno|UPDATE|emp AS e|empno|NULL
empno|INSERT|emp AS e|empno|NULL
boss_pay|UPDATE|emp AS m|pay|NULL
boss_pay|INSERT|emp AS m|pay|NULL
NULL|DELETE|emp AS e|NULL|NULL`)
	const why = "Views containing GROUP BY are not automatically updatable. Write to the tables that the view reads. INSTEAD OF triggers and rules are not supported."
	plan("over", "pay|UPDATE|NULL|NULL|"+why+"\npay|INSERT|NULL|NULL|"+why+"\nNULL|DELETE|NULL|NULL|"+why)
	plan("ox", "k|UPDATE|other.x|k|NULL\nk|INSERT|other.x|k|NULL\nNULL|DELETE|other.x|NULL|NULL")
	c.Query(`SELECT v.relname, p.operation FROM pg_class v, view_update_plan(v.oid::regclass) p WHERE v.relname = 'over' AND p."column" IS NULL`, "over|DELETE")
	c.Query("SELECT count(*) FROM view_update_plan(NULL)", "0")
	c.Fails("SELECT * FROM view_update_plan('emp')", `ERROR 42809: "emp" is not a view`)
	c.Fails("SELECT * FROM view_update_plan('nosuch')", `ERROR 42P01: relation "nosuch" does not exist`)
	c.Fails("SELECT * FROM view_update_plan(4711::oid)", "ERROR 42P01: relation with OID 4711 does not exist")
}
