package optimize

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"holdfast/assertions"
	"holdfast/planner/exec"
	"holdfast/sql/algebra"
	"holdfast/sql/catalog"
	"holdfast/sql/types"
)

// Check is how an assertion is checked when one of the tables changes that it reads.
type Check struct {
	Violations int // which of the violation queries, from 0
	Occurrence assertions.Occurrence
	Query      *algebra.Query
	Plan       *exec.Plan
}

// Checks are all checks of an assertion, in the order in which its tables stand in the condition. Of those that evaluate a query in
// full there is one for each table too.
func Checks(ctx context.Context, o Options, a *catalog.Assertion) ([]Check, error) {
	cond, err := assertions.Condition(a.Condition)
	if err != nil {
		return nil, err
	}
	c := &ruleCompiler{o: o}
	var list []Check
	for n, v := range assertions.Violations(cond) {
		q, err := c.bind(ctx, v)
		if err != nil {
			return nil, err
		}
		for i, occurrence := range assertions.NewDelta(q).Occurrences() {
			check := Check{Violations: n, Occurrence: occurrence}
			if check.Query, err = c.bind(ctx, v); err != nil {
				return nil, err
			}
			options := o
			assertions.Show(check.Query)
			all := a.NotValid || a.NotEnforced // some may be old violations
			if check.Occurrence.Full == "" {
				checkChange(ctx, o, check.Query, a, i, all)
				options.driven = true
			} else if !all {
				firstRow(check.Query)
			}
			if check.Plan, err = Plan(ctx, check.Query, options); err != nil {
				return nil, err
			}
			list = append(list, check)
		}
	}
	return list, nil
}

// Evaluation is one of the violation queries of an assertion, planned to be evaluated in full up to the first violation.
type Evaluation struct {
	Query    *algebra.Query
	Plan     *exec.Plan
	Violated func(ctx *exec.Ctx, row []types.Datum) error // the error of a row that it returns
}

// Evaluations are all violation queries of an assertion.
func Evaluations(ctx context.Context, o Options, a *catalog.Assertion) ([]Evaluation, error) {
	cond, err := assertions.Condition(a.Condition)
	if err != nil {
		return nil, err
	}
	c := &ruleCompiler{o: o}
	enforced := *a
	enforced.NotEnforced = false
	var list []Evaluation
	for _, v := range assertions.Violations(cond) {
		e := Evaluation{}
		shown, err := c.bind(ctx, v)
		if err != nil {
			return nil, err
		}
		e.Violated = c.violated(&enforced, shown, nil)
		if e.Query, err = c.bind(ctx, v); err != nil {
			return nil, err
		}
		assertions.Show(e.Query)
		firstRow(e.Query)
		if e.Plan, err = Plan(ctx, e.Query, o); err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	return list, nil
}

// FullScan is a table that a check reads as a whole, and the columns by which it looks for rows of it: an index over
// them would make the check probe.
type FullScan struct {
	Table   *catalog.Table
	Columns []int16 // none: no index would help
}

// CreateIndex is the statement that makes an index by which the check would probe.
func (f *FullScan) CreateIndex(s *catalog.Snapshot) string {
	var names []string
	for _, n := range f.Columns {
		names = append(names, types.QuoteIdentifier(f.Table.Columns[n-1].Name))
	}
	schema := s.SchemaByOID(f.Table.Schema).Name
	return fmt.Sprintf("CREATE INDEX ON %s.%s (%s);", types.QuoteIdentifier(schema), types.QuoteIdentifier(f.Table.Name), strings.Join(names, ", "))
}

// FullScans are the tables that the plan of a check reads as a whole.
func (c *Check) FullScans() (list []FullScan) {
	add := func(a *exec.Access, conds []algebra.Scalar) {
		s := FullScan{Table: a.Table, Columns: sought(a, conds)}
		if indexed(a.Table, s.Columns) {
			s.Columns = nil
		}
		for _, other := range list {
			if other.Table == s.Table && slices.Equal(other.Columns, s.Columns) {
				return
			}
		}
		list = append(list, s)
	}
	var visit func(n exec.Node, conds []algebra.Scalar, first bool)
	v := &algebra.Visitor{Scalar: func(s algebra.Scalar) bool {
		if p, ok := s.(*exec.SubPlan); ok {
			visit(p.Plan, nil, p.Kind == algebra.ExistsSubquery)
		}
		return true
	}}
	// first tells that only the first row is read.
	visit = func(n exec.Node, conds []algebra.Scalar, first bool) {
		for _, s := range n.Scalars() {
			v.VisitScalar(s)
		}
		switch n := n.(type) {
		case *exec.TableScan:
			if n.Bounds == nil && !(first && n.Filter == nil) {
				add(&n.Access, conjuncts(conds, n.Filter))
			}
		case *exec.IndexScan:
			if n.Bounds == nil && !(first && n.Filter == nil) {
				add(&n.Access, conjuncts(conds, n.Filter))
			}
		case *exec.Filter:
			visit(n.Input, conjuncts(conds, n.Cond), false)
			return
		case *exec.OrderedAggregate:
			if c := extremeOf(n); c != nil {
				visit(n.Input, []algebra.Scalar{endOf{c}}, false)
				return
			}
		case *exec.HashJoin:
			for i := range n.LeftKeys {
				conds = append(conds, &algebra.AnyAll{Left: n.LeftKeys[i], Array: n.RightKeys[i], Op: "="})
			}
			visit(n.Left, conds, false)
			visit(n.Right, conds, false)
			return
		case *exec.NestedLoop:
			visit(n.Left, conds, false)
			visit(n.Right, conjuncts(conds, n.On), n.Kind >= algebra.SemiJoin && n.On == nil)
			return
		case *exec.Limit:
			visit(n.Input, conds, true)
			return
		case *exec.Project:
			visit(n.Input, conds, first)
			return
		}
		for _, in := range n.Inputs() {
			visit(in, nil, false)
		}
	}
	visit(c.Plan.Root, nil, false)
	for _, x := range c.Plan.CTEs {
		visit(x.Plan, nil, false)
	}
	return list
}

// endOf stands among conditions for what an extreme of a column looks for.
type endOf struct{ *algebra.Col }

// extremeOf is the column of which an aggregate over all rows is the extremes and nothing else, nil if it is not that of one.
func extremeOf(n *exec.OrderedAggregate) (c *algebra.Col) {
	for i := range n.Aggs {
		if len(n.Keys) > 0 || !isExtreme(&n.Aggs[i]) {
			return nil
		}
		x := n.Aggs[i].Args[0].(*algebra.Col)
		if c != nil && x.ID != c.ID {
			return nil
		}
		c = x
	}
	return c
}

// indexed reports whether there is an index that begins with the columns.
func indexed(t *catalog.Table, columns []int16) bool {
	return slices.ContainsFunc(t.Indexes, func(x *catalog.Index) bool {
		if len(x.Keys) < len(columns) || x.Predicate != "" || x.Invalid {
			return false
		}
		for _, k := range x.Keys[:len(columns)] {
			if !slices.Contains(columns, k.Column) {
				return false
			}
		}
		return true
	})
}

// sought are the columns of a table that conditions compare with something else: first those for equality, then one for
// order.
func sought(a *exec.Access, conds []algebra.Scalar) []int16 {
	own := map[algebra.ColID]int16{}
	set := algebra.ColSet{}
	for _, c := range a.Columns {
		if c.Number > 0 {
			own[c.ID] = c.Number
		}
		set.Add(c.ID)
	}
	var equal, ordered []int16
	note := func(list []int16, l, r algebra.Scalar) []int16 {
		for range 2 {
			if c, ok := strip(l).(*algebra.Col); ok && own[c.ID] != 0 && !uses(r, set) && !slices.Contains(list, own[c.ID]) {
				return append(list, own[c.ID])
			}
			l, r = r, l
		}
		return list
	}
	for _, c := range conds {
		switch c := c.(type) {
		case *algebra.AnyAll:
			if c.Op == "=" && !c.All {
				equal = note(equal, c.Left, c.Array)
			}
		case endOf:
			ordered = note(ordered, c.Col, &algebra.Const{})
		case *algebra.Distinct:
			if c.Not {
				equal = note(equal, c.Left, c.Right)
			}
		case *algebra.IsNull:
			if !c.Not {
				equal = note(equal, c.Arg, &algebra.Const{})
			}
		default:
			if l, r, cmp, ok := compare(c); ok && cmp.strategy == 3 {
				equal = note(equal, l, r)
			} else if ok {
				ordered = note(ordered, l, r)
			}
		}
	}
	if len(ordered) > 0 && !slices.Contains(equal, ordered[0]) {
		equal = append(equal, ordered[0])
	}
	return equal
}
