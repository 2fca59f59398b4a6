package optimize

import (
	"holdfast/kv"
	"holdfast/planner/exec/rowio"
	"holdfast/sql/algebra"
)

// UPDATE and DELETE read all columns of the rows that they change, to write them back and to find their index
// entries. What the statement does depends only on those it mentions. The others need not be in the footprint:
// a row that is changed is locked and must be the newest, and one that the conditions leave out does not
// matter. So an UPDATE that scans a table conflicts only with changes of the columns it tests.

// carried are the columns of changed tables that no expression of the query uses.
func carried(q *algebra.Query) algebra.ColSet {
	if !q.Writes {
		return nil
	}
	set := algebra.ColSet{}
	used := algebra.ColSet{}
	old := func(cols []algebra.ScanColumn) {
		for _, c := range cols {
			set.Add(c.ID)
		}
	}
	v := &algebra.Visitor{}
	v.Scalar = func(s algebra.Scalar) bool {
		if c, ok := s.(*algebra.Col); ok {
			used.Add(c.ID)
		}
		return true
	}
	v.Rel = func(r algebra.Rel) bool {
		switch r := r.(type) {
		case *algebra.Update:
			for _, t := range r.Targets {
				old(t.Old)
			}
		case *algebra.Delete:
			for _, t := range r.Targets {
				old(t.Old)
			}
		case *algebra.Project:
			// To pass a column on is no use of it.
			v.VisitRel(r.Input)
			for _, it := range r.Items {
				if c, ok := it.Expr.(*algebra.Col); !ok || c.ID != it.ID {
					v.VisitScalar(it.Expr)
				}
			}
			return false
		}
		return true
	}
	v.VisitRel(q.Root)
	for _, c := range q.CTEs {
		v.VisitRel(c.Rel)
	}
	for id := range used {
		delete(set, id)
	}
	return set
}

// footprint is what a read of columns depends on: 0 for all of them.
func (p *planner) footprint(cols []algebra.ScanColumn) kv.ColumnSet {
	var numbers []int16
	all := true
	for _, c := range cols {
		if p.carried.Has(c.ID) {
			all = false
		} else {
			numbers = append(numbers, c.Number)
		}
	}
	if all {
		return 0
	}
	return rowio.ColumnSet(numbers...)
}
