package exec

import (
	"fmt"
	"sync"
	"testing"

	"holdfast/sql/algebra"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// TestSharedPlan runs one plan in several executions at the same time, and again after errors in the middle.
func TestSharedPlan(t *testing.T) {
	s := newStore(t)
	table := s.table(repeat(types.Int8, 2), 1)
	var rows []row
	for i := range 300 {
		rows = append(rows, row{types.NewInt(int64(i)), types.NewInt(int64(i % 10))})
	}
	s.insert(table, rows)
	a, b := s.scan(table), s.scan(table)
	a.Filter = op(">=", op("/", integer(1000), op("-", param(1, types.Int8), col(a, 1))), integer(-10000)) // divides by zero for 0 .. 9
	join := &HashJoin{Props: joined(algebra.InnerJoin, a, b), Left: a, Right: b, LeftKeys: []algebra.Scalar{col(a, 1)}, RightKeys: []algebra.Scalar{col(b, 0)}}
	root := &Sort{Props: join.Props, Input: join, Keys: []algebra.SortKey{{ID: a.Cols[0]}}}
	plan := NewPlan(root, nil)
	var wg sync.WaitGroup
	for g := range 4 {
		ctxs := make([]*Ctx, 12)
		for i := range ctxs {
			ctxs[i] = s.ctx(types.NewInt(int64(g*100 + i)))
		}
		wg.Go(func() {
			for i, ctx := range ctxs {
				got, err := drain(t, plan, ctx, func() int { return 50 })
				if fails := g == 0 && i < 10; fails != (errs.CodeOf(err) == errs.DivisionByZero) || !fails && (err != nil || len(got) != 300) {
					t.Errorf("parameter %d: %d rows, %v", g*100+i, len(got), err)
				}
			}
		})
	}
	wg.Wait()
}

// TestStoppedEarly closes executions in the middle and runs the plan again.
func TestStoppedEarly(t *testing.T) {
	s := newStore(t)
	in := s.values(repeat(types.Int8, 1), []row{{types.NewInt(3)}, {types.NewInt(1)}, {types.NewInt(2)}, {types.NewInt(1)}})
	key := []algebra.SortKey{{ID: in.Cols[0]}}
	plans := map[string]Node{
		"sort":     &Sort{Props: in.Props, Input: in, Keys: key},
		"distinct": &Distinct{Props: in.Props, Input: in},
		"set":      &SetOp{Props: in.Props, Kind: algebra.Except, All: true, Left: in, Right: s.values(repeat(types.Int8, 1), nil)},
		"limit":    &Limit{Props: in.Props, Input: in, Offset: integer(0)},
		"append":   &Append{Props: in.Props, Children: []Node{in, in}},
	}
	for name, n := range plans {
		plan := NewPlan(n, nil)
		want := printRows(must(drain(t, plan, s.ctx(), func() int { return 10 })))
		for range 3 {
			r := must(plan.Start(s.ctx()))
			must(r.Next(1))
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			if got := printRows(must(drain(t, plan, s.ctx(), func() int { return 1 }))); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s: %v, want %v", name, got, want)
			}
		}
	}
}

// TestSteadyAllocations holds the direct path to few allocations per execution.
func TestSteadyAllocations(t *testing.T) {
	s := newStore(t)
	table := s.table(repeat(types.Int8, 2), 1)
	s.insert(table, []row{{types.NewInt(1), types.NewInt(2)}})
	scan := s.scan(table)
	scan.Filter = op("<", col(scan, 1), integer(5))
	plan := NewPlan(&KeyLookup{Props: scan.Props, Access: scan.Access, Key: []algebra.Scalar{param(1, types.Int8)}}, nil)
	ctx := s.ctx(types.NewInt(7)) // absent: what the store itself allocates for a row does not count
	n := testing.AllocsPerRun(100, func() {
		r, err := plan.Start(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := r.Next(1); b != nil || err != nil {
			t.Fatal(b, err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	})
	if n > 6 { // memkv's Get
		t.Errorf("%v allocations", n)
	}
}
