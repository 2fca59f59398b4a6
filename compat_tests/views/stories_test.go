package views

import (
	"fmt"
	"slices"
	"testing"

	"holdfast/compat_tests/testserver"
)

var emp = []string{
	"CREATE TABLE emp_salary (empno int PRIMARY KEY, salary int NOT NULL)",
	"CREATE TABLE emp_commission (empno int PRIMARY KEY, commission int)",
	"CREATE VIEW emp AS SELECT * FROM emp_salary JOIN emp_commission USING (empno)",
}

var empRows = []string{
	"INSERT INTO emp_salary VALUES (98, 2000), (99, 1000)",
	"INSERT INTO emp_commission VALUES (98, 200), (99, 100)",
}

// maybe shows who has no commission too, such as 99 in maybeRows.
var maybe = append(slices.Clone(emp),
	"CREATE VIEW maybe AS SELECT s.empno, s.salary, c.commission FROM emp_salary s LEFT JOIN emp_commission c ON c.empno = s.empno")

var maybeRows = []string{empRows[0], "INSERT INTO emp_commission VALUES (98, 200)"}

const (
	empFinal = "SELECT (SELECT string_agg(empno || ':' || salary, ' ' ORDER BY empno) FROM emp_salary), (SELECT string_agg(empno || ':' || commission, ' ' ORDER BY empno) FROM emp_commission)"
	empGate  = "SELECT FROM emp_salary s, emp_commission c WHERE s.empno = c.empno FOR UPDATE"
	stale    = " WHERE empno = 99 AND salary = 1000 AND commission = 100 RETURNING *"
)

var staff = []string{
	"CREATE TABLE staff (id int PRIMARY KEY, boss int REFERENCES staff, pay int NOT NULL)",
	"CREATE VIEW reports AS SELECT e.id, e.pay, m.id AS boss, m.pay AS boss_pay FROM staff e JOIN staff m ON e.boss = m.id",
}

var stories = []*story{
	{
		// Each sees salary 1000 and commission 100 and grants the one raise that is meant, in different tables.
		name: "Alice and Bob", tables: []string{"emp_salary", "emp_commission"}, schema: emp, rows: empRows,
		clients: map[string][]string{
			"Alice": {"UPDATE emp SET commission = commission + 42" + stale},
			"Bob":   {"UPDATE emp SET salary = salary + 42" + stale},
		},
		final: empFinal, gate: empGate, wins: 1,
		ends: []string{"SELECT 1: 98:2000 99:1000|98:200 99:142", "SELECT 1: 98:2000 99:1042|98:200 99:100"},
	},
	{
		name: "through a view over a view", tables: []string{"emp_salary", "emp_commission"}, rows: empRows,
		schema: append(slices.Clone(emp),
			"CREATE VIEW poor AS SELECT * FROM emp WHERE salary < 1500",
			"CREATE VIEW both_poor AS SELECT empno, salary, commission FROM poor WHERE commission < 150 WITH CASCADED CHECK OPTION"),
		clients: map[string][]string{
			"Alice": {"UPDATE both_poor SET commission = commission + 42" + stale},
			"Bob":   {"UPDATE poor SET salary = salary + 42" + stale},
		},
		final: empFinal, gate: empGate, wins: 1,
	},
	{
		// Neither says what it has seen, so both are meant.
		name: "two raises", tables: []string{"emp_salary", "emp_commission"}, schema: emp, rows: empRows,
		clients: map[string][]string{
			"Alice": {"UPDATE emp SET commission = commission + 42 WHERE empno = 99"},
			"Bob":   {"UPDATE emp SET salary = salary + 42 WHERE empno = 99"},
		},
		final: empFinal, gate: empGate, wins: 2,
		ends: []string{"SELECT 1: 98:2000 99:1042|98:200 99:142"},
	},
	{
		name: "rows of their own", tables: []string{"emp_salary", "emp_commission"}, schema: emp, rows: empRows,
		clients: map[string][]string{
			"Alice": {"UPDATE emp SET commission = commission + 42" + stale},
			"Bob":   {"UPDATE emp SET salary = salary + 42 WHERE empno = 98 AND salary = 2000 AND commission = 200"},
		},
		final: empFinal, gate: empGate, wins: 2,
	},
	{
		name: "a third deletes a base row", tables: []string{"emp_salary", "emp_commission"}, schema: emp, rows: empRows,
		clients: map[string][]string{
			"Alice": {"UPDATE emp SET commission = commission + 42" + stale},
			"Bob":   {"UPDATE emp SET salary = salary + 42" + stale},
			"Carol": {"DELETE FROM emp_salary WHERE empno = 99"},
		},
		alone: []string{"Carol"}, final: empFinal, gate: empGate, wins: -1,
	},
	{
		name: "a third deletes the view row", tables: []string{"emp_salary", "emp_commission"}, schema: emp, rows: empRows,
		clients: map[string][]string{
			"Alice": {"UPDATE emp SET commission = commission + 42" + stale},
			"Bob":   {"UPDATE emp SET salary = salary + 42" + stale},
			"Carol": {"DELETE FROM emp WHERE empno = 99 AND commission = 100 RETURNING *"},
		},
		alone: []string{"Carol"}, final: empFinal, gate: empGate, wins: -1,
	},
	{
		// Alice locks the salary that she reads, and then changes the commission.
		name: "FOR UPDATE of one side", tables: []string{"emp_salary", "emp_commission"}, schema: emp, rows: empRows,
		clients: map[string][]string{
			"Alice": {"SELECT s.salary, c.commission FROM emp_salary s JOIN emp_commission c USING (empno) WHERE empno = 99 FOR UPDATE OF s",
				"UPDATE emp SET commission = commission + 42" + stale},
			"Bob": {"UPDATE emp SET salary = salary + 42" + stale},
		},
		final: empFinal, wins: 1,
	},
	{
		name: "FOR UPDATE of the view", tables: []string{"emp_salary", "emp_commission"}, schema: emp, rows: empRows,
		clients: map[string][]string{
			"Alice": {"SELECT * FROM emp WHERE empno = 99 FOR UPDATE", "UPDATE emp SET commission = commission + 42" + stale},
			"Bob":   {"SELECT * FROM emp WHERE empno = 99 FOR UPDATE", "UPDATE emp SET salary = salary + 42" + stale},
		},
		final: empFinal, wins: -1,
		ends: []string{"SELECT 1: 98:2000 99:1000|98:200 99:142", "SELECT 1: 98:2000 99:1042|98:200 99:100"},
	},
	{
		// Alice's row has no commission; Bob gives it one in the base table.
		name: "the missing side of a left join", tables: []string{"emp_salary", "emp_commission"},
		schema: maybe,
		rows:   maybeRows,
		clients: map[string][]string{
			"Alice": {"UPDATE maybe SET salary = salary + 42 WHERE empno = 99 AND salary = 1000 AND commission IS NULL RETURNING *"},
			"Bob":   {"INSERT INTO emp_commission SELECT empno, 100 FROM emp_salary WHERE empno = 99 AND salary = 1000"},
		},
		final: empFinal, gate: "SELECT FROM emp_salary FOR UPDATE", wins: 1,
	},
	{
		// The same, but Bob gives the commission through the view, which makes the row.
		name: "a row made through a left join", tables: []string{"emp_salary", "emp_commission"},
		schema: maybe,
		rows:   maybeRows,
		clients: map[string][]string{
			"Alice": {"UPDATE maybe SET salary = salary + 42 WHERE empno = 99 AND salary = 1000 AND commission IS NULL RETURNING *"},
			"Bob":   {"UPDATE maybe SET commission = 100 WHERE empno = 99 AND salary = 1000 AND commission IS NULL RETURNING *"},
		},
		final: empFinal, gate: "SELECT FROM emp_salary FOR UPDATE", wins: 1,
		ends: []string{"SELECT 1: 98:2000 99:1042|98:200", "SELECT 1: 98:2000 99:1000|98:200 99:100"},
	},
	{
		name: "two make the missing row", tables: []string{"emp_salary", "emp_commission"},
		schema: maybe,
		rows:   maybeRows,
		clients: map[string][]string{
			"Alice": {"UPDATE maybe SET commission = 100 WHERE empno = 99 AND commission IS NULL RETURNING *"},
			"Bob":   {"UPDATE maybe SET commission = 200 WHERE empno = 99 AND commission IS NULL RETURNING *"},
		},
		final: empFinal, gate: "SELECT FROM emp_salary FOR UPDATE", wins: 1,
		ends: []string{"SELECT 1: 98:2000 99:1000|98:200 99:100", "SELECT 1: 98:2000 99:1000|98:200 99:200"},
	},
	{
		// Alice raises the report who earns half of the boss, Bob the boss who earns twice the report.
		name: "manager and report", tables: []string{"staff"}, schema: staff,
		rows: []string{"INSERT INTO staff VALUES (1, NULL, 1000), (2, 1, 500)"},
		clients: map[string][]string{
			"Alice": {"UPDATE reports SET pay = pay + 42 WHERE id = 2 AND pay = 500 AND boss_pay = 1000 RETURNING id, pay"},
			"Bob":   {"UPDATE reports SET boss_pay = boss_pay + 42 WHERE id = 2 AND pay = 500 AND boss_pay = 1000 RETURNING boss, boss_pay"},
		},
		final: "SELECT string_agg(id || ':' || pay, ' ' ORDER BY id) FROM staff",
		gate:  "SELECT FROM staff FOR UPDATE", wins: 1,
		ends: []string{"SELECT 1: 1:1000 2:542", "SELECT 1: 1:1042 2:500"},
	},
	{
		// Both bring in an employee of a department that is not there yet. It must be there once, and both succeed.
		name: "a new parent", tables: []string{"worker", "dept"},
		schema: []string{
			"CREATE TABLE dept (deptno int PRIMARY KEY, dname text NOT NULL)",
			"CREATE TABLE worker (id int PRIMARY KEY, deptno int NOT NULL REFERENCES dept)",
			"CREATE VIEW placed AS SELECT w.id, d.deptno, d.dname FROM worker w JOIN dept d ON w.deptno = d.deptno",
		},
		rows: []string{"INSERT INTO dept VALUES (1, 'old')"},
		clients: map[string][]string{
			"Alice": {"INSERT INTO placed VALUES (1, 7, 'new') RETURNING *"},
			"Bob":   {"INSERT INTO placed VALUES (2, 7, 'new') RETURNING *"},
		},
		final: "SELECT (SELECT string_agg(id || ':' || deptno, ' ' ORDER BY id) FROM worker), (SELECT string_agg(deptno || ':' || dname, ' ' ORDER BY deptno) FROM dept)",
		gate:  "SELECT FROM dept FOR UPDATE", wins: 2,
		ends: []string{"SELECT 1: 1:7 2:7|1:old 7:new"},
	},
	{
		name: "a parent of two names", tables: []string{"worker", "dept"},
		schema: []string{
			"CREATE TABLE dept (deptno int PRIMARY KEY, dname text NOT NULL)",
			"CREATE TABLE worker (id int PRIMARY KEY, deptno int NOT NULL REFERENCES dept)",
			"CREATE VIEW placed AS SELECT w.id, d.deptno, d.dname FROM worker w JOIN dept d ON w.deptno = d.deptno",
		},
		rows: []string{"INSERT INTO dept VALUES (1, 'old')"},
		clients: map[string][]string{
			"Alice": {"INSERT INTO placed VALUES (1, 7, 'new') RETURNING *"},
			"Bob":   {"INSERT INTO placed VALUES (2, 7, 'other') RETURNING *"},
		},
		final: "SELECT (SELECT string_agg(id || ':' || deptno, ' ' ORDER BY id) FROM worker), (SELECT string_agg(deptno || ':' || dname, ' ' ORDER BY deptno) FROM dept)",
		gate:  "SELECT FROM dept FOR UPDATE", wins: -1,
	},
	{
		// Alice moves the worker to a department that Bob closes.
		name: "moved to where it closes", tables: []string{"worker", "dept"},
		schema: []string{
			"CREATE TABLE dept (deptno int PRIMARY KEY, dname text NOT NULL)",
			"CREATE TABLE worker (id int PRIMARY KEY, deptno int NOT NULL)",
			"CREATE VIEW placed AS SELECT w.id, w.deptno, d.dname FROM worker w JOIN dept d ON w.deptno = d.deptno",
		},
		rows: []string{"INSERT INTO dept VALUES (1, 'old'), (2, 'new')", "INSERT INTO worker VALUES (1, 1)"},
		clients: map[string][]string{
			"Alice": {"UPDATE placed SET deptno = 2 WHERE id = 1 RETURNING *"},
			"Bob":   {"DELETE FROM dept d WHERE deptno = 2 AND NOT EXISTS (SELECT FROM worker w WHERE w.deptno = d.deptno)"},
		},
		final: "SELECT (SELECT string_agg(id || ':' || deptno, ' ' ORDER BY id) FROM worker), (SELECT string_agg(deptno || ':' || dname, ' ' ORDER BY deptno) FROM dept)",
		gate:  "SELECT FROM worker FOR UPDATE", wins: 1,
	},
}

// TestStories performs each story in transaction blocks, at each level name, in both protocols, and in all orders of
// statements and commits; and in autocommit, where all statements wait for one lock and go on at once when it is released.
func TestStories(t *testing.T) {
	server := testserver.Start(t)
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			st := newStage(t, server, s)
			names := s.names()
			var n []int
			begin := []step{}
			for _, name := range names {
				n = append(n, len(s.clients[name]))
				if !slices.Contains(s.alone, name) {
					begin = append(begin, step(name))
					n[len(n)-1]++
				}
			}
			for i, order := range interleavings(names, n) {
				for k, level := range levels {
					if len(names) > 2 && (i+k)%4 > 0 {
						continue // of three clients there are many orders: each at one level
					}
					p := st.play(level, (i+k)%2 == 0, append(slices.Clone(begin), order...))
					st.check(p)
					if t.Failed() {
						t.Fatalf("%s, order %v", level, order)
					}
				}
			}
			if s.gate != "" {
				for i := range 2 * len(levels) {
					st.autocommit(levels[i/2], i%2 == 0, i/4%2 == 0)
				}
			}
		})
	}
}

// autocommit starts all statements while another client holds what they want.
func (st *stage) autocommit(level string, extended, backwards bool) {
	st.reset()
	gate := st.client("the gate", level, false)
	gate.do("BEGIN")
	gate.do(st.story.gate)
	p := performance{answers: map[string]string{}}
	clients := map[string]*client{}
	heard := func(name, answer string) {
		clients[name].running = false
		p.answers[name] = answer + "; "
		p.log = append(p.log, fmt.Sprintf("%s: %s -> %s", name, st.story.clients[name][0], answer))
		if conflict(answer) {
			st.t.Errorf("%s: %s", name, answer)
		}
	}
	names := st.story.names()
	if backwards {
		slices.Reverse(names)
	}
	for _, name := range names {
		clients[name] = st.client(name, level, extended)
		clients[name].start(st.story.clients[name][0])
		st.wait(clients, heard)
	}
	gate.do("COMMIT")
	for name, c := range clients {
		if c.running {
			heard(name, <-c.answer)
		}
	}
	p.final = st.must(st.story.final)
	st.check(p)
}
