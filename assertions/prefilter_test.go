package assertions_test

import (
	"context"
	"fmt"
	"testing"

	"holdfast/assertions"
	"holdfast/planner/bind"
	"holdfast/sql/algebra"
	"holdfast/sql/parse"
)

// number is an integer or NULL.
type number struct {
	value int
	null  bool
}

// relevance is what a check does with changed rows of emp (dept, salary) of one department.
type relevance struct {
	event assertions.Event
	scan  *algebra.Scan // of the changed rows; nil: the check is in full
}

const salaryNumber = 3

func relevanceOf(t *testing.T, condition string) (out relevance) {
	t.Helper()
	s := schema(t)
	e, err := parse.ParseExpr(condition)
	if err != nil {
		t.Fatal(err)
	}
	bound := func() *algebra.Query {
		q, err := bind.Bind(context.Background(), bind.Options{Snapshot: s, SearchPath: []string{"public"}}, assertions.Violations(e)[0])
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	for i, o := range assertions.NewDelta(bound()).Occurrences() {
		if o.Table.Name != "emp" {
			continue
		}
		q := bound()
		assertions.NewDelta(q).Over(i)
		v := &algebra.Visitor{Rel: func(r algebra.Rel) bool {
			if s, ok := r.(*algebra.Scan); ok && s.Transition != algebra.NoTransition {
				if out.scan != nil && out.scan != s {
					t.Fatalf("%s: two scans of changed rows", condition)
				}
				out.scan = s
			}
			return true
		}}
		v.VisitRel(q.Root)
		out.event = o.Event
	}
	return out
}

// evaluate is an expression over a row of which only the salary is known.
func evaluate(t *testing.T, s *algebra.Scan, e algebra.Scalar, salary number) number {
	t.Helper()
	truth := func(b bool) number {
		if b {
			return number{value: 1}
		}
		return number{}
	}
	switch e := e.(type) {
	case *algebra.Const:
		if e.Value.IsNull() {
			return number{null: true}
		}
		if e.Type().Name == "bool" {
			return truth(e.Value.Bool())
		}
		return number{value: int(e.Value.Int())}
	case *algebra.Cast:
		return evaluate(t, s, e.Arg, salary)
	case *algebra.IsNull:
		return truth(evaluate(t, s, e.Arg, salary).null != e.Not)
	case *algebra.Or:
		for _, a := range e.Args {
			if x := evaluate(t, s, a, salary); !x.null && x.value == 1 {
				return x
			}
		}
		return number{}
	case *algebra.Col:
		for _, c := range s.Cols {
			if c.ID == e.ID && c.Number == salaryNumber {
				return salary
			}
		}
	case *algebra.Call:
		l, r := evaluate(t, s, e.Args[0], salary), evaluate(t, s, e.Args[1], salary)
		if l.null || r.null {
			return number{null: true}
		}
		return truth(compare(float64(l.value), e.Op, float64(r.value)))
	}
	t.Fatalf("cannot evaluate %s", algebra.FormatScalar(nil, e))
	return number{}
}

func compare(l float64, op string, r float64) bool {
	switch op {
	case "<":
		return l < r
	case "<=":
		return l <= r
	case ">":
		return l > r
	case ">=":
		return l >= r
	case "=":
		return l == r
	}
	return l != r
}

func (x *relevance) alone(t *testing.T, happens bool, kind algebra.TransitionKind, cond algebra.Scalar, e number) bool {
	if !happens {
		return false
	}
	if x.scan == nil {
		return true
	}
	if x.scan.Transition != kind && x.scan.Transition != algebra.EitherRows {
		return false
	}
	if cond == nil {
		return true
	}
	v := evaluate(t, x.scan, cond, e)
	return !v.null && v.value == 1
}

func (x *relevance) inserted(t *testing.T, e number) bool {
	var cond algebra.Scalar
	if x.scan != nil {
		cond = x.scan.Inserted
	}
	return x.alone(t, x.event.Insert, algebra.NewRows, cond, e)
}

func (x *relevance) deleted(t *testing.T, e number) bool {
	var cond algebra.Scalar
	if x.scan != nil {
		cond = x.scan.Deleted
	}
	return x.alone(t, x.event.Delete, algebra.OldRows, cond, e)
}

func (x *relevance) updated(from, to number) bool {
	assigned := false
	for _, n := range x.event.Columns {
		assigned = assigned || n == salaryNumber
	}
	if !assigned || from == to {
		return false
	}
	if x.scan == nil || x.scan.Differs == nil {
		return true
	}
	for _, d := range x.scan.Differs {
		if d.Number != salaryNumber {
			continue
		}
		moved := algebra.Move(0)
		switch {
		case from.null:
			moved = algebra.Appears
		case to.null:
			moved = algebra.Vanishes
		case from.value < to.value:
			moved = algebra.Grows
		default:
			moved = algebra.Shrinks
		}
		return d.Moves == 0 || d.Moves&moved != 0
	}
	return false
}

// aggregateOf computes an aggregate over salaries.
func aggregateOf(name string, list []number) (v float64, null bool) {
	seen := map[int]bool{}
	n, sum, low, high := 0, 0, 0, 0
	for _, x := range list {
		if x.null {
			continue
		}
		if n == 0 || x.value < low {
			low = x.value
		}
		if n == 0 || x.value > high {
			high = x.value
		}
		n++
		sum += x.value
		seen[x.value] = true
	}
	switch name {
	case "count(*)":
		return float64(len(list)), false
	case "count(salary)":
		return float64(n), false
	case "count(DISTINCT salary)":
		return float64(len(seen)), false
	case "sum(salary)":
		return float64(sum), n == 0
	case "max(salary)":
		return float64(high), n == 0
	case "min(salary)":
		return float64(low), n == 0
	}
	return float64(sum) / float64(max(n, 1)), n == 0
}

// TestPrefilter goes through all changes of one row in all small groups, and lets none be left out that makes a bound violated which
// was not. Of what can be left out it counts, for some, how much is.
func TestPrefilter(t *testing.T) {
	values := []number{{null: true}, {value: -2}, {value: -1}, {value: 0}, {value: 1}, {value: 3}}
	var groups [][]number
	var extend func(g []number, from int)
	extend = func(g []number, from int) {
		groups = append(groups, g)
		if len(g) == 3 {
			return
		}
		for i := from; i < len(values); i++ {
			extend(append(g[:len(g):len(g)], values[i]), i)
		}
	}
	extend(nil, 0)
	type form struct {
		name, text string
		grouped    bool
		bounds     []int
	}
	transitions, skipped := 0, map[string]int{}
	for _, aggregate := range []string{"count(*)", "count(salary)", "count(DISTINCT salary)", "sum(salary)", "avg(salary)", "max(salary)", "min(salary)"} {
		for _, op := range []string{"<", "<=", ">", ">=", "=", "<>"} {
			var forms []form
			for k := -2; k <= 2; k++ {
				forms = append(forms,
					form{"group", fmt.Sprintf("NOT EXISTS (SELECT dept FROM emp GROUP BY dept HAVING %s %s %d)", aggregate, op, k), true, []int{k}},
					form{"group, turned", fmt.Sprintf("NOT EXISTS (SELECT dept FROM emp GROUP BY dept HAVING NOT (%d %s %s) AND dept > 0)", k, map[string]string{
						"<": "<=", "<=": "<", ">": ">=", ">=": ">", "=": "<>", "<>": "="}[op], aggregate), true, []int{k}},
					form{"scalar", fmt.Sprintf("NOT ((SELECT %s FROM emp) %s %d)", aggregate, op, k), false, []int{k}})
			}
			forms = append(forms, form{"correlated", fmt.Sprintf("NOT EXISTS (SELECT id FROM dept d WHERE (SELECT %s FROM emp WHERE dept = d.id) %s d.cap)", aggregate, op), false, []int{-2, -1, 0, 1, 2}})
			for _, f := range forms {
				r := relevanceOf(t, f.text)
				for _, k := range f.bounds {
					violated := func(g []number) bool {
						if f.grouped && len(g) == 0 {
							return false
						}
						v, null := aggregateOf(aggregate, g)
						return !null && compare(v, op, float64(k))
					}
					check := func(what string, relevant bool, from, to []number) {
						transitions++
						if !relevant {
							skipped[aggregate+" "+op+" "+f.name+" "+what]++
							if violated(to) {
								t.Fatalf("%s, bound %d: %s is left out, from %v to %v", f.text, k, what, from, to)
							}
						}
					}
					for _, g := range groups {
						if violated(g) {
							continue
						}
						for _, e := range values {
							check("insert", r.inserted(t, e), g, append(g[:len(g):len(g)], e))
						}
						for i := range g {
							rest := append(g[:i:i], g[i+1:]...)
							check("delete", r.deleted(t, g[i]), g, rest)
							for _, e := range values {
								check("update", r.updated(g[i], e), g, append(rest[:len(rest):len(rest)], e))
							}
						}
					}
				}
			}
		}
	}
	t.Logf("%d changes", transitions)
	for _, what := range []string{"count(*) > group delete", "count(*) > group update", "count(*) < scalar insert", "count(salary) > group insert", "sum(salary) > group delete",
		"sum(salary) > group insert", "sum(salary) > correlated delete", "avg(salary) > group update", "max(salary) > group insert", "max(salary) > group delete", "max(salary) <= scalar update",
		"min(salary) > group insert", "min(salary) < scalar insert", "count(DISTINCT salary) > group delete"} {
		if skipped[what] == 0 {
			t.Errorf("%s is never left out", what)
		}
	}
}
