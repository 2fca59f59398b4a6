package assertions_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"holdfast/assertions"
	"holdfast/planner/bind"
	"holdfast/sql/algebra"
	"holdfast/sql/catalog"
	"holdfast/sql/parse"
)

// TestAccumulate tells for conditions which checks look at accumulators, and at which: by the table whose changes are checked, "reads"
// where it looks at rows instead.
func TestAccumulate(t *testing.T) {
	s := schema(t)
	dept, err := s.Lookup([]string{"public"}, "", "dept")
	if err != nil {
		t.Fatal(err)
	}
	dept.Indexes = []*catalog.Index{{Name: "dept_id", Table: dept.OID, Unique: true, Keys: []catalog.IndexKey{{Column: 1}}}}
	for _, test := range []struct{ condition, want string }{
		{"(SELECT count(*) FROM emp) <= 10", "emp: emp by ()"},
		{"(SELECT sum(salary) FROM emp WHERE salary > 5 AND boss IS NULL) + 1 <= 10", "emp: emp by () where ((salary > 5) and (boss is null)) of sum salary"},
		{"NOT EXISTS (SELECT dept FROM emp GROUP BY dept HAVING count(*) > 10)", "emp: emp by (dept)"},
		{"NOT EXISTS (SELECT boss, dept FROM emp GROUP BY dept, boss HAVING avg(salary) > sum(salary + 1) FILTER (WHERE no > 3))",
			"emp: emp by (dept, boss) of sum salary; sum case when (no > 3) then (salary + 1) else NULL::int4 end"},
		{"NOT EXISTS (SELECT id FROM dept WHERE (SELECT sum(salary) FROM emp WHERE emp.dept = dept.id) > cap)", "dept: emp by (dept) of sum salary; emp: emp by (dept) of sum salary"},
		{"NOT EXISTS (SELECT e.dept FROM emp e JOIN dept d ON d.id = e.dept GROUP BY e.dept, d.cap HAVING count(*) > d.cap)", "dept: emp by (dept); emp: emp by (dept)"},
		{"NOT EXISTS (SELECT d.id FROM emp e, dept d WHERE d.id = e.dept AND d.cap > 3 AND e.salary > 1 GROUP BY d.id HAVING count(e.boss) > 3)",
			"dept: emp by (dept) where (salary > 1) of boss; emp: emp by (dept) where (salary > 1) of boss"},
		{"NOT EXISTS (SELECT d.id FROM dept d LEFT JOIN (SELECT dept, sum(salary) AS s FROM emp GROUP BY dept) e ON e.dept = d.id WHERE coalesce(s, 0) < d.cap)",
			"dept: emp by (dept) of sum salary; emp: emp by (dept) of sum salary"},
		{"NOT EXISTS (SELECT d.id FROM dept d CROSS JOIN LATERAL (SELECT count(*) AS n FROM emp WHERE dept = d.id) e WHERE n > d.cap)", "dept: emp by (dept); emp: emp by (dept)"},
		{"NOT EXISTS (SELECT id FROM dept WHERE (SELECT sum(salary) FROM emp WHERE dept = id) > (SELECT count(*) FROM emp WHERE dept = id))", "dept: emp by (dept) of sum salary; emp: emp by (dept) of sum salary"},
		{"NOT EXISTS (SELECT id FROM dept d WHERE (SELECT sum(salary) FROM emp WHERE dept = d.id) > (SELECT count(*) FROM dept x WHERE x.cap = d.id))",
			"dept: dept by (cap), emp by (dept) of sum salary; emp: dept by (cap), emp by (dept) of sum salary"},
		// Not kept.
		{"(SELECT max(salary) FROM emp) <= 10", "emp: reads"},
		{"(SELECT count(DISTINCT salary) FROM emp) <= 10", "emp: reads"},
		{"(SELECT sum(salary::float8) FROM emp) <= 10", "emp: reads"},
		{"(SELECT sum(e.salary) FROM emp e JOIN dept d ON d.id = e.dept) <= 10", "dept: reads; emp: reads"},
		{"NOT EXISTS (SELECT d.cap FROM emp e JOIN dept d ON d.id = e.dept GROUP BY d.cap HAVING count(*) > 3)", "dept: reads; emp: reads"},                        // a group is of several
		{"NOT EXISTS (SELECT e.dept FROM emp e JOIN dept d ON d.cap = e.dept GROUP BY e.dept HAVING count(*) > 3)", "dept: reads; emp: reads"},                     // a row may meet several
		{"NOT EXISTS (SELECT e.dept FROM emp e JOIN dept d ON d.id = e.dept AND e.salary > d.cap GROUP BY e.dept HAVING count(*) > 3)", "dept: reads; emp: reads"}, // or not
		{"NOT EXISTS (SELECT e.dept FROM emp e JOIN dept d ON d.id = e.dept GROUP BY e.dept HAVING sum(e.salary + d.cap) > 3)", "dept: reads; emp: reads"},         // of both
		{"NOT EXISTS (SELECT id FROM dept WHERE (SELECT count(*) FROM emp WHERE salary < cap) > 3)", "dept: reads; emp: reads"},                                    // no group
		{"NOT EXISTS (SELECT id FROM dept WHERE EXISTS (SELECT dept FROM emp WHERE dept = id GROUP BY dept HAVING count(*) > 3))", "dept: reads; emp: reads"},      // a query within
		{"NOT EXISTS (SELECT dept FROM emp WHERE no > (SELECT min(id) FROM dept) GROUP BY dept HAVING count(*) > 3)", "dept: reads; emp: reads"},                   // a filter by other rows
		{"NOT EXISTS (SELECT dept FROM emp WHERE salary < extract(epoch FROM now()) GROUP BY dept HAVING count(*) > 3)", "emp: reads"},                             // by the time
		{"NOT EXISTS (SELECT dept FROM emp GROUP BY dept HAVING count(*) > (SELECT max(cap) FROM dept d WHERE d.id = emp.dept))", "dept: reads; emp: reads"},       // a bound by a query
		{"NOT EXISTS (SELECT n FROM (SELECT dept, count(*) AS n FROM emp GROUP BY dept) x GROUP BY n HAVING count(*) > 3)", "emp: reads"},                          // groups of groups
		{"NOT EXISTS (SELECT dept FROM (SELECT dept, count(*) AS n FROM emp GROUP BY dept ORDER BY dept LIMIT 3) x WHERE n > 3)", "emp: reads"},                    // some of the groups
		{"NOT EXISTS (SELECT a.dept FROM (SELECT dept, count(*) AS n FROM emp GROUP BY dept) a JOIN emp b ON b.salary < a.n WHERE a.n > 2)", "emp: reads"},         // a join by the value
		{"NOT EXISTS (SELECT 1 FROM emp GROUP BY dept + 1 HAVING count(*) > 3)", "emp: reads"},                                                                     // no column
	} {
		cond, err := parse.ParseExpr(test.condition)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, v := range assertions.Violations(cond) {
			bound := func() *algebra.Query {
				q, err := bind.Bind(context.Background(), bind.Options{Snapshot: s, SearchPath: []string{"public"}}, v)
				if err != nil {
					t.Fatalf("%s: %v", test.condition, err)
				}
				return q
			}
			for i, o := range assertions.NewDelta(bound()).Occurrences() {
				q := bound()
				assertions.Show(q)
				assertions.NewDelta(q).Over(i)
				before := algebra.Format(q)
				var defs []string
				ok := assertions.Accumulate(q, func(d *assertions.Definition) catalog.StorageID {
					defs = append(defs, describe(d))
					return 1
				})
				slices.Sort(defs)
				text := o.Table.Name + ": " + strings.Join(defs, ", ")
				if !ok {
					text = o.Table.Name + ": reads"
					if after := algebra.Format(q); after != before {
						t.Errorf("%s: the query was changed all the same:\n%s", test.condition, after)
					}
				}
				if !slices.Contains(got, text) {
					got = append(got, text)
				}
			}
		}
		slices.Sort(got)
		if g := strings.Join(got, "; "); g != test.want {
			t.Errorf("%s\ngot  %s\nwant %s", test.condition, g, test.want)
		}
	}
}

// describe names the columns of a definition.
func describe(d *assertions.Definition) string {
	name := func(text string) string {
		for _, c := range d.Table.Columns {
			text = strings.ReplaceAll(text, fmt.Sprintf("?:%d", c.Number), c.Name)
		}
		return text
	}
	var keys []string
	for _, k := range d.Keys {
		keys = append(keys, d.Table.Columns[k-1].Name)
	}
	text := d.Table.Name + " by (" + strings.Join(keys, ", ") + ")"
	if d.Filter != nil {
		text += " where " + name(algebra.FormatScalar(nil, d.Filter))
	}
	for i, a := range d.Args {
		text += []string{" of ", "; "}[min(i, 1)]
		if a.Sum {
			text += "sum "
		}
		text += name(algebra.FormatScalar(nil, a.Expr))
	}
	return text
}
