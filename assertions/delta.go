package assertions

import (
	"holdfast/sql/algebra"
)

// Occurrences are the tables of a violation query that is a plain join: selections, projections and inner joins
// of stored tables, with no query inside of an expression. For another query there are none.
//
// Such a query was empty before a change, so a row of it after the change has a changed row in at least one of
// its tables: up(R join S) = up(R) join S union R join up(S). To check a change it is therefore enough to
// evaluate the query once for each occurrence of a changed table, with the new rows in its place (OverChange),
// at a cost that follows the change. Removed rows cannot bring a row into the query.
func Occurrences(q *algebra.Query) []*algebra.Scan {
	var scans []*algebra.Scan
	plain := len(q.CTEs) == 0 && !q.Volatile
	v := &algebra.Visitor{
		Scalar: func(s algebra.Scalar) bool {
			if _, ok := s.(*algebra.Subquery); ok {
				plain = false
			}
			return plain
		},
		Rel: func(r algebra.Rel) bool {
			switch r := r.(type) {
			case *algebra.Project, *algebra.Filter:
			case *algebra.Join:
				plain = plain && r.Kind == algebra.InnerJoin && !r.Lateral
			case *algebra.Scan:
				plain = plain && r.Table.Virtual == nil && r.Transition == algebra.NoTransition
				scans = append(scans, r)
			default:
				plain = false
			}
			return plain
		},
	}
	v.VisitRel(q.Root)
	if !plain {
		return nil
	}
	return scans
}

// OverChange puts the new rows of a change in the place of the n-th occurrence.
func OverChange(q *algebra.Query, n int) {
	target := Occurrences(q)[n]
	w := &algebra.Rewriter{Rel: func(r algebra.Rel) (algebra.Rel, bool) {
		if r != algebra.Rel(target) {
			return nil, false
		}
		changed := *target
		changed.Transition = algebra.NewRows
		return &changed, true
	}}
	q.Root = w.RewriteRel(q.Root)
}
