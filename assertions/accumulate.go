package assertions

import (
	"fmt"
	"slices"
	"strings"

	"holdfast/sql/algebra"
	"holdfast/sql/catalog"
	"holdfast/sql/types"
)

// Accumulators. A check that compares aggregates over one table, such as the number of seats of a team or the sum of its
// expenses, need not read the rows: their number and sums can be kept, by group, and changed with every row.
//
// Definition says what is kept. It is found in the query of a check by turning that around: everything that is no such
// aggregate becomes one relation, each aggregate a look-up by columns of it, and the conditions that use the aggregates
// a condition on top (lift.go). So the condition can be evaluated on single rows, at the end of a statement
// and again at the commit, with the values that there are then. A query that has no such form is evaluated over rows, like
// others.
//
// The alternative would be aggregates as materialized views, of any join: they would be written by changes of every table in
// it, and a change of a team's plan would rewrite what is kept of its seats. What is wanted is the opposite: that writers of
// rows never touch anything in common.

// Definition is what an accumulator keeps: of the rows of Table for which Filter is true, by the columns Keys, their number, and
// for each of Args the number of its values and their sum. In its expressions column n of the table has ColID n.
type Definition struct {
	Table  *catalog.Table
	Filter algebra.Scalar // nil: all rows
	Keys   []int16
	Args   []Argument
}

// Argument is an expression over the rows of an accumulator.
type Argument struct {
	Expr algebra.Scalar
	// Sum: its values, integers or numerics, are added up.
	Sum bool
}

// Text tells definitions of one assertion apart. It does not change with names.
func (d *Definition) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d", d.Table.OID)
	for _, k := range d.Keys {
		fmt.Fprintf(&b, " %d", k)
	}
	if d.Filter != nil {
		b.WriteString(" where " + algebra.FormatScalar(nil, d.Filter))
	}
	for _, a := range d.Args {
		b.WriteString("; " + algebra.FormatScalar(nil, a.Expr))
		if a.Sum {
			b.WriteString(" sum")
		}
	}
	return b.String()
}

// Accumulate turns the query of a check into one that looks at accumulators instead of the rows they are about. storage finds where one is kept, 0 if it is not. It reports whether all that are needed are kept; if not, the query is
// as it was.
func Accumulate(q *algebra.Query, storage func(d *Definition) catalog.StorageID) bool {
	columns := q.Columns
	root, ids, ok := accumulated(q, q.Root, outputs(q), storage)
	if !ok {
		q.Columns = columns
		return false
	}
	q.Root = root
	for i := range q.Output {
		q.Output[i].ID = ids[i]
	}
	return true
}

func outputs(q *algebra.Query) []algebra.ColID {
	ids := make([]algebra.ColID, len(q.Output))
	for i, o := range q.Output {
		ids[i] = o.ID
	}
	return ids
}

// accumulated is Accumulate for a relation of which some columns are wanted. Parts of a union are treated one by one.
func accumulated(q *algebra.Query, r algebra.Rel, ids []algebra.ColID, storage func(d *Definition) catalog.StorageID) (algebra.Rel, []algebra.ColID, bool) {
	if u, ok := r.(*algebra.SetOp); ok && u.Kind == algebra.Union {
		side := func(r algebra.Rel) (algebra.Rel, []algebra.ColID, bool) {
			var own []algebra.ColID
			for _, id := range ids {
				i := slices.Index(u.Cols, id)
				if i < 0 {
					return nil, nil, false
				}
				own = append(own, r.Columns()[i])
			}
			return accumulated(q, r, own, storage)
		}
		left, leftIDs, ok := side(u.Left)
		if !ok {
			return nil, nil, false
		}
		right, rightIDs, ok := side(u.Right)
		if !ok {
			return nil, nil, false
		}
		out := &algebra.SetOp{Kind: algebra.Union, All: true, Left: exactly(q, left, leftIDs), Right: exactly(q, right, rightIDs)}
		for _, id := range ids {
			out.Cols = append(out.Cols, q.NewColumn(*q.Column(id)))
		}
		return out, out.Cols, true
	}
	l := &lifter{q: q, made: algebra.ColSet{}}
	x := l.lift(r)
	if l.failed || len(x.groups) == 0 || len(x.open) > 0 || len(x.conds) == 0 || !connected(x.base) {
		return nil, nil, false
	}
	out := &algebra.Accumulated{Input: unit(x.base), Cond: conjunction(x.conds)}
	var made []algebra.ColID
	for _, id := range ids {
		e := l.with(x, l.col(id))
		c, ok := e.(*algebra.Col)
		if !ok || slices.Contains(made, c.ID) || l.made.Has(c.ID) {
			c = &algebra.Col{T: q.Column(id).T, ID: q.NewColumn(*q.Column(id))}
		}
		made = append(made, c.ID)
		out.Items = append(out.Items, algebra.Item{ID: c.ID, Expr: e})
	}
	for _, it := range out.Items {
		if !immutable(it.Expr) {
			return nil, nil, false
		}
	}
	if !immutable(out.Cond) {
		return nil, nil, false
	}
	for _, g := range merged(x.groups) {
		g.Storage = storage(g.def)
		if g.Storage == 0 {
			return nil, nil, false
		}
		out.Groups = append(out.Groups, g.AccumulatedGroup)
	}
	return out, made, true
}

// exactly is a relation with exactly the given columns.
func exactly(q *algebra.Query, r algebra.Rel, ids []algebra.ColID) algebra.Rel {
	if slices.Equal(r.Columns(), ids) {
		return r
	}
	p := &algebra.Project{Input: r}
	for _, id := range ids {
		p.Items = append(p.Items, algebra.Item{ID: id, Expr: &algebra.Col{T: q.Column(id).T, ID: id}})
	}
	return p
}

// immutable reports whether an expression has the same value wherever and whenever it is evaluated on a row, and no queries.
func immutable(e algebra.Scalar) bool {
	if e == nil {
		return true
	}
	ok := true
	v := &algebra.Visitor{Scalar: func(s algebra.Scalar) bool {
		switch s := s.(type) {
		case *algebra.Call:
			ok = ok && s.Func.Volatility == 'i'
		case *algebra.Cast:
			if c := s.Cast; c != nil && !c.Binary && (c.InOut || c.Func != nil && c.Func.Volatility != 'i' || c.Fields) {
				ok = false
			}
		case *algebra.Const:
			ok = ok && s.Typ.Kind != 'e' // labels can be renamed
		case *algebra.Subquery, *algebra.Param:
			ok = false
		}
		return ok
	}}
	v.VisitScalar(e)
	return ok
}

// summed reports whether values of a type are added up without loss.
func summed(t *types.Type) bool {
	switch t {
	case types.Int2, types.Int4, types.Int8, types.Numeric:
		return true
	}
	return false
}
