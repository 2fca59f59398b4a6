package assertions

import (
	"fmt"
	"slices"

	"holdfast/sql/algebra"
	"holdfast/sql/catalog"
)

// Delta derives, from a violation query, the queries that check a change of its tables at a cost that follows the change.
//
// Before a change the violation query is empty, so every row of it after the change is a violation, and it is enough to find one
// that the change has let in. Such a row can be traced to a changed row in one of the places where the query reads a
// table, its occurrences; and so there is one query for each occurrence of a table that can let rows in. It is the violation
// query itself, on the new state, restricted to where the changed rows may have had an effect:
//
//	a scan                        the new rows in its place
//	selections, projections,      their inputs restricted
//	  inner joins, UNION
//	R LEFT JOIN S, by S           the rows of R that touched rows of S belong to
//	GROUP BY, windows, DISTINCT   the groups of touched rows, old and new
//	  ON, EXCEPT, INTERSECT
//	queries in a condition        the rows for which the query may have another answer: those that touched rows of it are
//	                              correlated to
//
// What is touched is described by terms (terms.go), which may be wider than necessary; what is then evaluated is exact. Where the
// effect of a change cannot be narrowed down the query is evaluated in full, and Occurrence.Full says why.
//
// The alternative, to maintain the differences of all intermediate results with multiplicities, would need the old state of
// whatever takes part in a join, and support for each operator in both directions.
type Delta struct {
	q           *algebra.Query
	occurrences []Occurrence
	a           *analysis
	scans       []*algebra.Scan // of occurrences
}

// Occurrence is one of the places where a violation query reads a table.
type Occurrence struct {
	Table *catalog.Table
	// Event is what can let rows in here.
	Event Event
	// With are the tables whose changes the check looks at besides, if they are part of the same change.
	With []catalog.OID
	// Full is why a change is checked by evaluating the whole query; "" if it is not.
	Full string
}

// NewDelta brings a bound violation query into the form that checks are derived from, and finds its occurrences. The query is
// changed, and goes on to mean the same.
func NewDelta(q *algebra.Query) *Delta {
	normalize(q)
	d := &Delta{q: q, a: analyze(q)}
	for _, s := range d.order() {
		e := d.a.event(s)
		if !e.Insert && !e.Delete && len(e.Columns) == 0 {
			continue
		}
		o := Occurrence{Table: s.Table, Event: e}
		// What it takes is seen by deriving it from a copy of the description of columns, which grows.
		columns := q.Columns
		roots, with, why := d.derive(s)
		q.Columns = columns
		if why == "" && len(roots) == 0 {
			continue
		}
		o.With, o.Full = with, why
		d.occurrences = append(d.occurrences, o)
		d.scans = append(d.scans, s)
	}
	return d
}

// order lists the scans that matter in the order in which they stand in the query.
func (d *Delta) order() (list []*algebra.Scan) {
	v := &algebra.Visitor{Rel: func(r algebra.Rel) bool {
		if s, ok := r.(*algebra.Scan); ok && d.a.scans[s] != 0 && s.Table.Virtual == nil {
			list = append(list, s)
		}
		return true
	}}
	v.VisitRel(d.q.Root)
	for _, c := range d.q.CTEs {
		v.VisitRel(c.Rel)
	}
	return list
}

// Occurrences are the places by which a change can let rows into the query, in an order that depends on the query alone.
func (d *Delta) Occurrences() []Occurrence { return d.occurrences }

// Over turns the query into the one that checks changes by an occurrence. It may be called once.
func (d *Delta) Over(n int) {
	if d.occurrences[n].Full != "" {
		return
	}
	roots, _, _ := d.derive(d.scans[n])
	d.q.Root = d.union(roots)
}

// derive restricts the query to what changes by an occurrence may have let in. There may be several parts to it; why
// tells why there is no restriction.
func (d *Delta) derive(target *algebra.Scan) (roots []algebra.Rel, with []catalog.OID, why string) {
	x := &deriver{q: d.q, a: d.a, target: target, holding: map[algebra.Rel]bool{}}
	x.find(d.q.Root)
	if !x.holding[d.q.Root] {
		return nil, nil, "a recursive query is evaluated as a whole"
	}
	roots = x.restrict(d.q.Root)
	if x.why == "" && len(roots) > maxParts {
		x.why = "the rows it concerns would have to be sought in too many ways"
	}
	for _, oid := range x.with {
		if oid != target.Table.OID && !slices.Contains(with, oid) {
			with = append(with, oid)
		}
	}
	return roots, with, x.why
}

// maxParts is how many ways there may be to find the rows that a change concerns.
const maxParts = 16

// union puts the parts of a check together. Parts share relations, which may stand in a query only once: all but the first are
// copies.
func (d *Delta) union(roots []algebra.Rel) algebra.Rel {
	ids := make([]algebra.ColID, len(d.q.Output))
	for i, o := range d.q.Output {
		ids[i] = o.ID
	}
	out := roots[0]
	for i, r := range roots[1:] {
		c := algebra.NewCopier(d.q)
		right := c.Rel(r)
		var left, copied []algebra.Item
		cols := make([]algebra.ColID, len(ids))
		for k, id := range ids {
			t := d.q.Column(id).T
			cols[k] = d.q.NewColumn(*d.q.Column(id))
			if i == 0 {
				left = append(left, algebra.Item{ID: id, Expr: &algebra.Col{T: t, ID: id}})
			}
			from := d.q.Output[k].ID
			copied = append(copied, algebra.Item{ID: c.Col(from), Expr: &algebra.Col{T: t, ID: c.Col(from)}})
		}
		if i == 0 {
			out = &algebra.Project{Input: out, Items: left}
		}
		out = &algebra.SetOp{Kind: algebra.Union, All: true, Left: out, Right: &algebra.Project{Input: right, Items: copied}, Cols: cols}
		ids = cols
	}
	for i := range d.q.Output {
		d.q.Output[i].ID = ids[i]
	}
	return out
}

// deriver derives the check of changes by one occurrence, the target.
type deriver struct {
	q       *algebra.Query
	a       *analysis
	target  *algebra.Scan
	holding map[algebra.Rel]bool // relations with the target in them
	with    []catalog.OID
	why     string
}

// find finds the relations that the target is in.
func (d *deriver) find(r algebra.Rel) bool {
	if r == algebra.Rel(d.target) {
		d.holding[r] = true
		return true
	}
	found := false
	v := &algebra.Visitor{}
	v.Rel = func(x algebra.Rel) bool {
		if x == r {
			return true
		}
		if d.find(x) {
			found = true
		}
		return false
	}
	v.VisitRel(r)
	if found {
		d.holding[r] = true
	}
	return found
}

func (d *deriver) holds(r algebra.Rel) bool { return d.holding[r] }

// inside reports whether the target is in a query in an expression.
func (d *deriver) inside(e algebra.Scalar) bool { return e != nil && d.queryWith(e) != nil }

// queryWith is the query in an expression that has the target in it, nil if none has.
func (d *deriver) queryWith(e algebra.Scalar) *algebra.Subquery {
	var found *algebra.Subquery
	v := &algebra.Visitor{}
	v.Scalar = func(s algebra.Scalar) bool {
		q, ok := s.(*algebra.Subquery)
		if !ok || found != nil {
			return found == nil
		}
		if d.holding[q.Rel] {
			found = q
			return false
		}
		for _, l := range q.Left {
			v.VisitScalar(l)
		}
		return false
	}
	v.VisitScalar(e)
	return found
}

// fail notes that the effect of a change on a relation cannot be narrowed down.
func (d *deriver) fail(r algebra.Rel) {
	if d.why != "" {
		return
	}
	what := fmt.Sprintf("%T", r)
	switch r := r.(type) {
	case *algebra.FuncScan, *algebra.ProjectSet:
		what = "a set-returning function"
	case *algebra.Join:
		what = "a query in the condition of an outer join"
	case *algebra.CTEScan, *algebra.Recurse:
		what = "a recursive query"
	case *algebra.Values:
		what = "VALUES"
	default:
		_ = r
	}
	d.why = "changes cannot be followed through " + what
}

// restrict is a relation restricted to rows that a change of the target may have let in. Every part has at least the columns of the
// relation; together they have all rows that were not there before the change, and none that are not there now.
func (d *deriver) restrict(r algebra.Rel) []algebra.Rel {
	switch r := r.(type) {
	case *algebra.Scan:
		s := *r
		s.Transition = algebra.NewRows
		d.prefilter(&s, r, nil)
		return []algebra.Rel{&s}
	case *algebra.Filter:
		if d.holds(r.Input) {
			return each(d.restrict(r.Input), func(in algebra.Rel) algebra.Rel { return &algebra.Filter{Input: in, Cond: r.Cond} })
		}
		if parts := d.restrictExists(r); parts != nil {
			return parts
		}
		return each(d.around(r.Input, d.rowsOf(r.Cond), nil), func(in algebra.Rel) algebra.Rel { return &algebra.Filter{Input: in, Cond: r.Cond} })
	case *algebra.Project:
		if d.holds(r.Input) {
			return each(d.restrict(r.Input), func(in algebra.Rel) algebra.Rel { return &algebra.Project{Input: in, Items: r.Items} })
		}
		var terms []*term
		for _, it := range r.Items {
			if d.inside(it.Expr) {
				terms = append(terms, d.rowsOf(it.Expr)...)
			}
		}
		return each(d.around(r.Input, terms, nil), func(in algebra.Rel) algebra.Rel { return &algebra.Project{Input: in, Items: r.Items} })
	case *algebra.Sort:
		return d.restrict(r.Input)
	case *algebra.ProjectSet:
		if d.holds(r.Input) {
			return each(d.restrict(r.Input), func(in algebra.Rel) algebra.Rel { return &algebra.ProjectSet{Input: in, Items: r.Items} })
		}
	case *algebra.Join:
		return d.restrictJoin(r)
	case *algebra.SetOp:
		return d.restrictSetOp(r)
	case *algebra.Aggregate:
		return d.around(r, d.touched(r.Input, anything), r.Keys)
	case *algebra.Window:
		return d.around(r, d.touched(r.Input, anything), r.Partition)
	case *algebra.DistinctRows:
		if r.On == nil {
			return each(d.restrict(r.Input), func(in algebra.Rel) algebra.Rel { return &algebra.DistinctRows{Input: in} })
		}
		return d.around(r, d.touched(r.Input, anything), r.On)
	case *algebra.Limit:
		return d.around(r, d.touched(r.Input, anything), nil)
	}
	d.fail(r)
	return nil
}

// rowsOf are terms for the rows of the query in an expression that has the target in it.
func (d *deriver) rowsOf(e algebra.Scalar) []*term {
	return d.touched(d.queryWith(e).Rel, anything)
}

// restrictExists restricts a selection by EXISTS (S) of rows that do not depend on the row before: only what enters S lets rows in.
// It is nil for another selection.
func (d *deriver) restrictExists(r *algebra.Filter) []algebra.Rel {
	conds := conjuncts(nil, r.Cond)
	for i, c := range conds {
		q, ok := c.(*algebra.Subquery)
		if !ok || q.Kind != algebra.ExistsSubquery || q.Not || !d.holds(q.Rel) {
			continue
		}
		free := algebra.ColSet{}
		algebra.FreeColumns(q.Rel, free)
		if len(free) > 0 {
			return nil
		}
		return each(d.restrict(q.Rel), func(in algebra.Rel) algebra.Rel {
			list := slices.Clone(conds)
			list[i] = exists(in)
			return &algebra.Filter{Input: r.Input, Cond: conjunction(list)}
		})
	}
	return nil
}

func (d *deriver) restrictJoin(r *algebra.Join) []algebra.Rel {
	left := d.holds(r.Left)
	with := func(left, right algebra.Rel) algebra.Rel {
		return &algebra.Join{Kind: r.Kind, Left: left, Right: right, On: r.On, Lateral: r.Lateral}
	}
	switch {
	case r.Kind == algebra.FullJoin || !left && !d.holds(r.Right):
	case left:
		return each(d.restrict(r.Left), func(in algebra.Rel) algebra.Rel { return with(in, r.Right) })
	case r.Kind == algebra.InnerJoin && !r.Lateral:
		return each(d.restrict(r.Right), func(in algebra.Rel) algebra.Rel { return with(r.Left, in) })
	default:
		// The rows of the left side that touched rows of the right one belong to.
		terms := d.touched(r.Right, anything)
		for _, t := range terms {
			t.filterOver(r.Right.Columns(), r.On)
		}
		return each(d.around(r.Left, terms, nil), func(in algebra.Rel) algebra.Rel { return with(in, r.Right) })
	}
	d.fail(r)
	return nil
}

// filterOver adds the parts of a join's condition that the term can say, being about rows of one side with the given columns; what
// they say of the other side stays.
func (t *term) filterOver(columns []algebra.ColID, cond algebra.Scalar) {
	for _, c := range conjuncts(nil, cond) {
		if c, ok := t.say(c, columns); ok {
			t.conds = append(t.conds, c)
		}
	}
}

func (d *deriver) restrictSetOp(r *algebra.SetOp) []algebra.Rel {
	side := r.Left
	if !d.holds(side) {
		side = r.Right
	}
	if r.Kind == algebra.Union {
		return each(d.restrict(side), func(in algebra.Rel) algebra.Rel {
			p := &algebra.Project{Input: in}
			for i, id := range side.Columns() {
				p.Items = append(p.Items, algebra.Item{ID: r.Cols[i], Expr: &algebra.Col{T: d.q.Column(id).T, ID: id}})
			}
			return p
		})
	}
	terms := d.touched(side, anything)
	for _, t := range terms {
		known := map[algebra.ColID]algebra.Scalar{}
		for i, id := range side.Columns() {
			if e, ok := t.known[id]; ok {
				known[r.Cols[i]] = e
			}
		}
		t.known = known
	}
	return d.around(r, terms, r.Cols)
}

func each[T any](list []T, f func(T) T) []T {
	out := make([]T, len(list))
	for i, x := range list {
		out[i] = f(x)
	}
	return out
}
