package assertions_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"holdfast/assertions"
	"holdfast/kv"
	"holdfast/kv/memkv"
	"holdfast/planner/bind"
	"holdfast/sql/catalog"
	"holdfast/sql/parse"
	"holdfast/sql/types"
)

// schema has the tables emp (no, dept, salary, boss) and dept (id, name, cap), all of integers.
func schema(t *testing.T) *catalog.Snapshot {
	t.Helper()
	ctx := context.Background()
	store := memkv.New(memkv.Options{})
	c, err := catalog.Open(ctx, store)
	if err != nil {
		t.Fatal(err)
	}
	txn, err := store.Begin(ctx, kv.TxnOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Snapshot(ctx, txn)
	if err != nil {
		t.Fatal(err)
	}
	for name, columns := range map[string]string{"emp": "no dept salary boss", "dept": "id name cap"} {
		table := &catalog.Table{Schema: catalog.PublicOID, Name: name, Kind: catalog.KindTable}
		for i, c := range strings.Fields(columns) {
			table.Columns = append(table.Columns, &catalog.Column{Number: int16(i + 1), Name: c, Type: types.Int4, Mod: types.NoTypmod})
		}
		if s, err = s.PutTable(ctx, txn, table); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { txn.Rollback(); _ = store.Close() })
	return s
}

func TestEvents(t *testing.T) {
	s := schema(t)
	tests := []struct{ condition, want string }{
		{"NOT EXISTS (SELECT boss FROM emp WHERE salary > 10)", "emp: insert, update salary"},
		{"EXISTS (SELECT 1 FROM emp WHERE salary > 10)", "emp: delete, update salary"},
		{"NOT EXISTS (SELECT 1 FROM dept d WHERE NOT EXISTS (SELECT 1 FROM emp e WHERE e.dept = d.id))",
			"dept: insert, update id; emp: delete, update dept"},
		{"NOT EXISTS (SELECT d.name FROM dept d JOIN emp e ON e.dept = d.id WHERE e.salary > d.cap)",
			"dept: insert, update id cap; emp: insert, update dept salary"},
		{"NOT EXISTS (SELECT dept FROM emp GROUP BY dept HAVING count(*) > 10)", "emp: insert, update dept"},
		{"NOT EXISTS (SELECT dept FROM emp GROUP BY dept HAVING count(*) < 2)", "emp: insert, delete, update dept"},
		{"NOT EXISTS (SELECT dept FROM emp GROUP BY dept HAVING count(boss) > 10)", "emp: insert, update dept boss"},
		{"NOT EXISTS (SELECT dept FROM emp GROUP BY dept HAVING sum(salary) > 10)", "emp: insert, delete, update dept salary"},
		{"NOT EXISTS (SELECT dept FROM emp GROUP BY dept HAVING max(salary) > 10)", "emp: insert, update dept salary"},
		{"NOT EXISTS (SELECT dept FROM emp GROUP BY dept HAVING min(salary) > 10)", "emp: insert, delete, update dept salary"},
		{"NOT EXISTS (SELECT dept FROM emp GROUP BY dept HAVING 10 > min(salary))", "emp: insert, update dept salary"},
		{"(SELECT count(*) FROM emp) <= 10", "emp: insert"},
		{"(SELECT count(*) FROM emp) >= 10", "emp: delete"},
		{"(SELECT count(*) FROM emp) <> 10", "emp: insert, delete"},
		{"(SELECT count(*) FROM emp WHERE salary > 5) < 10", "emp: insert, update salary"},
		{"(SELECT max(salary) FROM emp) <= 10", "emp: insert, update salary"},
		{"(SELECT max(salary) FROM emp) <= (SELECT min(cap) FROM dept)", "dept: insert, update cap; emp: insert, update salary"},
		{"(SELECT count(*) FROM emp) <= (SELECT count(*) FROM dept)", "dept: delete; emp: insert"},
		{"NOT ((SELECT count(*) FROM emp) > 10)", "emp: insert"},
		{"7 IN (SELECT id FROM dept)", "dept: delete, update id"},
		{"7 NOT IN (SELECT id FROM dept)", "dept: insert, update id"},
		{"7 < ALL (SELECT id FROM dept)", "dept: insert, update id"},
		{"EXISTS (SELECT 1 FROM emp WHERE boss = 1) OR NOT EXISTS (SELECT 1 FROM dept)", "dept: insert; emp: delete, update boss"},
		{"NOT EXISTS (SELECT id FROM dept EXCEPT ALL SELECT dept FROM emp)", "dept: insert, delete, update id; emp: insert, delete, update dept"},
		{"NOT EXISTS (SELECT id FROM dept WHERE id > 3 UNION ALL SELECT dept FROM emp)", "dept: insert, update id; emp: insert, update dept"},
		{"NOT EXISTS (SELECT e.no FROM emp e LEFT JOIN dept d ON d.id = e.dept WHERE d.id IS NULL)",
			"dept: insert, delete, update id; emp: insert, delete, update dept"},
	}
	for _, test := range tests {
		if got := events(t, s, test.condition); got != test.want {
			t.Errorf("%s\ngot  %s\nwant %s", test.condition, got, test.want)
		}
	}
}

// events prints the events of the violation queries of a condition.
func events(t *testing.T, s *catalog.Snapshot, condition string) string {
	t.Helper()
	e, err := parse.ParseExpr(condition)
	if err != nil {
		t.Fatal(err)
	}
	var parts []string
	for _, v := range assertions.Violations(e) {
		q, err := bind.Bind(context.Background(), bind.Options{Snapshot: s, SearchPath: []string{"public"}}, v)
		if err != nil {
			t.Fatalf("%s: %v", condition, err)
		}
		list := assertions.Events(q)
		for _, name := range []string{"dept", "emp"} {
			for _, e := range list {
				table := s.RelationByOID(e.Table)
				if table.Name != name {
					continue
				}
				var kinds []string
				if e.Insert {
					kinds = append(kinds, "insert")
				}
				if e.Delete {
					kinds = append(kinds, "delete")
				}
				if e.Columns != nil {
					columns := ""
					for _, n := range e.Columns {
						columns += " " + table.Columns[n-1].Name
					}
					kinds = append(kinds, "update"+columns)
				}
				parts = append(parts, fmt.Sprintf("%s: %s", name, strings.Join(kinds, ", ")))
			}
		}
	}
	return strings.Join(parts, "; ")
}

func TestViolations(t *testing.T) {
	tests := []struct {
		condition string
		queries   int
	}{
		{"true", 0},
		{"NOT EXISTS (SELECT 1 FROM a) AND (SELECT count(*) FROM b) > 1 AND NOT EXISTS (SELECT 1 FROM c)", 3},
		{"NOT (EXISTS (SELECT 1 FROM a) OR EXISTS (SELECT 1 FROM b))", 2},
		{"NOT (EXISTS (SELECT 1 FROM a) AND x > 1)", 1},
		{"NOT NOT (x > 1 AND NOT (y > 1 OR z > 1))", 3},
		{"NOT NOT NOT EXISTS (SELECT 1 FROM a)", 1},
	}
	for _, test := range tests {
		e, err := parse.ParseExpr(test.condition)
		if err != nil {
			t.Fatal(err)
		}
		if got := assertions.Violations(e); len(got) != test.queries {
			t.Errorf("%s: %d queries, want %d", test.condition, len(got), test.queries)
		}
	}
}
