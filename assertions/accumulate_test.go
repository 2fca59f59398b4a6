package assertions_test

import (
	"context"
	"fmt"
	"testing"

	"holdfast/assertions"
	"holdfast/planner/bind"
	"holdfast/sql/algebra"
	"holdfast/sql/catalog"
	"holdfast/sql/parse"
)

func TestScratch(t *testing.T) {
	s := schema(t)
	for _, text := range []string{
		"NOT EXISTS (SELECT dept FROM emp GROUP BY dept HAVING count(*) > 10)",
		"(SELECT count(*) FROM emp) <= 10",
		"(SELECT sum(salary) FROM emp WHERE salary > 5) <= 10",
		"NOT EXISTS (SELECT d.id, d.cap FROM dept d WHERE (SELECT sum(salary) FROM emp e WHERE e.dept = d.id) > d.cap)",
		"NOT EXISTS (SELECT e.dept, count(*) FROM emp e JOIN dept d ON d.id = e.dept GROUP BY e.dept, d.cap HAVING count(*) > CASE WHEN d.cap = 3 THEN 5 ELSE 6 END)",
		"NOT EXISTS (SELECT FROM dept JOIN (SELECT dept, sum(salary) AS most FROM emp GROUP BY dept) s ON s.dept = dept.id WHERE most > cap)",
		"NOT EXISTS (SELECT FROM dept LEFT JOIN (SELECT dept, sum(salary) AS most FROM emp GROUP BY dept) s ON s.dept = dept.id WHERE coalesce(most, 0) < cap)",
		"NOT EXISTS (SELECT FROM dept CROSS JOIN LATERAL (SELECT count(*) AS n FROM emp WHERE emp.dept = dept.id) x WHERE n > cap)",
	} {
		e, err := parse.ParseExpr(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range assertions.Violations(e) {
			q, err := bind.Bind(context.Background(), bind.Options{Snapshot: s, SearchPath: []string{"public"}}, v)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Println("=====", text)
			for i, o := range assertions.NewDelta(q).Occurrences() {
				q, _ := bind.Bind(context.Background(), bind.Options{Snapshot: s, SearchPath: []string{"public"}}, v)
				assertions.Show(q)
				assertions.NewDelta(q).Over(i)
				before := algebra.Format(q)
				ok := assertions.Accumulate(q, o.Table.OID, func(d *assertions.Definition) catalog.StorageID { fmt.Println("  def", d.Text()); return 1 })
				if !ok {
					fmt.Println(o.Table.Name, "NOT", o.Full, "\n", before)
				} else {
					fmt.Println(o.Table.Name)
					fmt.Println(algebra.Format(q))
				}
			}
		}
	}
}
