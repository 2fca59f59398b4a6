package exec

import (
	"context"
	"reflect"
	"testing"

	"holdfast/sql/algebra"
	"holdfast/sql/catalog"
	"holdfast/sql/types"
)

// TestNeededColumns: of changed rows those columns are kept that rules read anywhere in their plans; all, if a rule may
// wait for another state of the schema.
func TestNeededColumns(t *testing.T) {
	table := &catalog.Table{OID: 7, Columns: make([]*catalog.Column, 5)}
	other := &catalog.Table{OID: 8, Columns: make([]*catalog.Column, 5)}
	scan := func(t *catalog.Table, numbers ...int16) *TransitionScan {
		s := &TransitionScan{Table: t}
		for _, n := range numbers {
			s.Columns = append(s.Columns, algebra.ScanColumn{Number: n})
		}
		return s
	}
	differs := scan(table, 2, catalog.RowKeyNumber)
	differs.Differs = []algebra.Difference{{Number: 3}}
	cte := &CTE{Plan: scan(table, 5)}
	rule := func(root Node) *Rule {
		return &Rule{Keep: true, Compile: func(context.Context) (*Plan, []*catalog.Table, error) { return NewPlan(root, nil), nil, nil }}
	}
	inExpression := rule(&Filter{Input: scan(other, 1), Cond: &algebra.Not{Arg: &SubPlan{T: algebra.T{Typ: types.Bool}, Plan: &Limit{Input: differs}}}})
	inWith := rule(&NestedLoop{Left: &CTEScan{CTE: cte}, Right: &CTEScan{CTE: cte}})
	waits := rule(scan(table, 1))
	waits.Deferrable = true
	counts := rule(scan(table, 4))
	counts.Keep = false
	for _, c := range []struct {
		rules []*Rule
		table *catalog.Table
		want  []bool
	}{
		{nil, table, []bool{false, false, false, false, false}},
		{[]*Rule{inExpression, counts}, table, []bool{false, true, true, false, false}},
		{[]*Rule{inExpression, inWith}, table, []bool{false, true, true, false, true}},
		{[]*Rule{inExpression, inWith}, other, []bool{true, false, false, false, false}},
		{[]*Rule{inExpression, waits}, table, nil},
	} {
		if got := neededColumns(&Ctx{}, c.rules, c.table); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%d rules: %v, want %v", len(c.rules), got, c.want)
		}
	}
}
