package assertions

import (
	"cmp"
	"slices"

	"holdfast/sql/algebra"
	"holdfast/sql/catalog"
)

// Event is what may happen to a table: rows inserted, rows deleted, some of Columns updated.
type Event struct {
	Table          catalog.OID
	Insert, Delete bool
	Columns        []int16 // ascending
}

// Events are the changes that can bring a row into a violation query; whatever else happens leaves it empty if
// it was. The answer may name too much, never too little.
//
// It follows from two questions asked from the top down. Of a relation: can rows enter it, can rows leave it?
// Of a condition: can it become true or false, or cease to be? A row enters a join if one enters either side,
// and enters NOT EXISTS (Q) if one leaves Q; so the polarity of each table decides which of INSERT and DELETE
// matter. Aggregates compared with a bound are taken by the direction in which they move: count(*) > 10 becomes
// true only by rows that enter its input. UPDATE matters if it changes a column that decides anything: one in a
// condition, a group key, an argument of an aggregate that is used; not one that is only shown.
func Events(q *algebra.Query) []Event {
	a := analyze(q)
	var out []Event
	at := map[catalog.OID]int{}
	for s := range a.scans {
		if s.Table.Virtual != nil {
			continue
		}
		i, ok := at[s.Table.OID]
		if !ok {
			i = len(out)
			at[s.Table.OID] = i
			out = append(out, Event{Table: s.Table.OID})
		}
		e, of := &out[i], a.event(s)
		e.Insert = e.Insert || of.Insert
		e.Delete = e.Delete || of.Delete
		for _, n := range of.Columns {
			if !slices.Contains(e.Columns, n) {
				e.Columns = append(e.Columns, n)
			}
		}
	}
	for i := range out {
		slices.Sort(out[i].Columns)
	}
	slices.SortFunc(out, func(a, b Event) int { return cmp.Compare(a.Table, b.Table) })
	return out
}

// event is what matters at one place where a table is read.
func (a *analysis) event(s *algebra.Scan) Event {
	c := a.scans[s]
	e := Event{Table: s.Table.OID, Insert: c&enters != 0, Delete: c&leaves != 0}
	for _, col := range s.Cols {
		if col.Number > 0 && a.needed.Has(col.ID) && !slices.Contains(e.Columns, col.Number) {
			e.Columns = append(e.Columns, col.Number)
		}
	}
	slices.Sort(e.Columns)
	return e
}

func analyze(q *algebra.Query) *analysis {
	a := &analysis{
		q: q, defined: map[algebra.ColID]definition{}, needed: algebra.ColSet{}, any: algebra.ColSet{},
		moves: map[algebra.ColID]move{}, compared: map[algebra.ColID][]compared{}, scans: map[*algebra.Scan]change{},
		done: map[algebra.Rel]change{}, ctes: map[*algebra.CTE]bool{},
	}
	a.define()
	a.rel(q.Root, enters)
	return a
}

// ConditionReads are the columns of stored tables and views that a bound condition reads, in any way; q describes
// it.
func ConditionReads(q *algebra.Query, cond algebra.Scalar) map[catalog.OID][]int16 {
	out := map[catalog.OID][]int16{}
	for _, t := range q.Tables {
		if t.Virtual == nil {
			out[t.OID] = nil
		}
	}
	v := &algebra.Visitor{Rel: func(r algebra.Rel) bool {
		if s, ok := r.(*algebra.Scan); ok && s.Table.Virtual == nil {
			for _, c := range s.Cols {
				if c.Number > 0 && !slices.Contains(out[s.Table.OID], c.Number) {
					out[s.Table.OID] = append(out[s.Table.OID], c.Number)
				}
			}
		}
		return true
	}}
	v.VisitScalar(cond)
	for _, c := range q.CTEs {
		v.VisitRel(c.Rel)
	}
	for _, numbers := range out {
		slices.Sort(numbers)
	}
	return out
}

// change is what may happen to the rows of a relation.
type change uint8

const (
	enters change = 1 << iota
	leaves
	anything = enters | leaves
)

func (c change) reversed() change {
	return c&enters<<1 | c&leaves>>1
}

// turn is what may happen to the value of a condition.
type turn uint8

const (
	becomesTrue turn = 1 << iota
	ceasesTrue
	becomesFalse
	ceasesFalse
)

// negated is the turn of the argument of NOT.
func (t turn) negated() turn { return t<<2&12 | t>>2 }

// move is what may happen to a value that is compared.
type move uint8

const (
	grows move = 1 << iota
	shrinks
	appears  // from NULL
	vanishes // to NULL
)

// definition is where a column is computed.
type definition struct {
	expr      algebra.Scalar
	aggregate *algebra.Aggregate
	agg       *algebra.Agg
}

type analysis struct {
	q       *algebra.Query
	defined map[algebra.ColID]definition
	needed  algebra.ColSet // columns whose values decide something
	any     algebra.ColSet // of these, those of which any change may matter
	// moves are the ways in which other needed columns must move to matter.
	moves map[algebra.ColID]move
	// compared are the comparisons that aggregates take part in, by the column of the aggregate.
	compared map[algebra.ColID][]compared
	scans    map[*algebra.Scan]change
	done     map[algebra.Rel]change
	ctes     map[*algebra.CTE]bool
	clock    bool // the passing of time can bring a row in
}

// define finds the definitions of computed columns.
func (a *analysis) define() {
	v := &algebra.Visitor{Rel: func(r algebra.Rel) bool {
		switch r := r.(type) {
		case *algebra.Project:
			for _, it := range r.Items {
				if c, ok := it.Expr.(*algebra.Col); !ok || c.ID != it.ID {
					a.defined[it.ID] = definition{expr: it.Expr}
				}
			}
		case *algebra.Aggregate:
			for i := range r.Aggs {
				a.defined[r.Aggs[i].ID] = definition{aggregate: r, agg: &r.Aggs[i]}
			}
		}
		return true
	}}
	v.VisitRel(a.q.Root)
	for _, c := range a.q.CTEs {
		v.VisitRel(c.Rel)
	}
}

// rel answers what can make rows enter a relation, or leave it.
func (a *analysis) rel(r algebra.Rel, c change) {
	if r == nil || a.done[r]&c == c {
		return
	}
	a.done[r] |= c
	conditions := turn(0)
	if c&enters != 0 {
		conditions |= becomesTrue
	}
	if c&leaves != 0 {
		conditions |= ceasesTrue
	}
	switch r := r.(type) {
	case *algebra.Scan:
		a.scans[r] |= c
	case *algebra.Filter:
		a.rel(r.Input, c)
		a.condition(r.Cond, conditions)
	case *algebra.Project:
		a.rel(r.Input, c)
	case *algebra.Sort:
		a.rel(r.Input, c)
	case *algebra.LockRows:
		a.rel(r.Input, c)
	case *algebra.Join:
		a.join(r, c, conditions)
	case *algebra.Aggregate:
		if len(r.Keys) > 0 {
			a.rel(r.Input, c) // groups come and go
			a.columns(r.Keys)
		}
	case *algebra.DistinctRows:
		a.rel(r.Input, anything)
		a.columns(r.Columns())
	case *algebra.Limit:
		a.rel(r.Input, anything)
		a.columns(r.Columns())
		a.value(r.Count)
		a.value(r.Offset)
	case *algebra.SetOp:
		right := c
		if r.Kind == algebra.Except {
			right = c.reversed()
		}
		if r.Kind != algebra.Union || !r.All {
			right, c = anything, anything // equal rows are one, or are counted
		}
		a.rel(r.Left, c)
		a.rel(r.Right, right)
		a.columns(r.Left.Columns())
		a.columns(r.Right.Columns())
	case *algebra.Values:
		for _, row := range r.Rows {
			for _, e := range row {
				a.value(e)
			}
		}
	default:
		a.everything(r)
	}
}

func (a *analysis) join(r *algebra.Join, c change, conditions turn) {
	switch r.Kind {
	case algebra.InnerJoin:
		a.rel(r.Left, c)
		a.rel(r.Right, c)
		a.condition(r.On, conditions)
	case algebra.SemiJoin:
		a.rel(r.Left, c)
		a.rel(r.Right, c)
		a.condition(r.On, conditions)
	case algebra.AntiJoin:
		a.rel(r.Left, c)
		a.rel(r.Right, c.reversed())
		a.condition(r.On, conditions>>1&becomesTrue|conditions<<1&ceasesTrue)
	default:
		a.rel(r.Left, anything)
		a.rel(r.Right, anything)
		a.value(r.On)
	}
}

// everything takes any change of what a relation reads as one of it.
func (a *analysis) everything(r algebra.Rel) {
	v := &algebra.Visitor{
		Scalar: func(s algebra.Scalar) bool {
			switch s := s.(type) {
			case *algebra.Col:
				a.columns([]algebra.ColID{s.ID})
			case *algebra.Call:
				a.clock = a.clock || clock(s)
			}
			return true
		},
		Rel: func(r algebra.Rel) bool {
			switch r := r.(type) {
			case *algebra.Scan:
				a.scans[r] = anything
			case *algebra.CTEScan:
				if !a.ctes[r.CTE] {
					a.ctes[r.CTE] = true
					a.everything(r.CTE.Rel)
				}
			}
			a.done[r] = anything
			a.columns(r.Columns())
			return true
		},
	}
	v.VisitRel(r)
}

// columns takes any change of columns as one that matters.
func (a *analysis) columns(ids []algebra.ColID) {
	for _, id := range ids {
		if a.any.Has(id) {
			continue
		}
		a.needed.Add(id)
		a.any.Add(id)
		d, ok := a.defined[id]
		switch {
		case !ok:
		case d.agg == nil:
			a.value(d.expr)
		default:
			a.rel(d.aggregate.Input, anything)
			a.aggregated(d, 0)
		}
	}
}

// aggregated takes the arguments of an aggregate as mattering, where it must make one of the given moves; 0: where it changes in any
// way.
func (a *analysis) aggregated(d definition, m move) {
	a.columns(d.aggregate.Keys)
	for _, e := range d.agg.Args {
		if c, ok := e.(*algebra.Col); ok && m != 0 && len(d.agg.Args) == 1 {
			if of := argumentMoves(d.agg, m); of != 0 {
				a.movedColumn(c.ID, of, nil)
				continue
			}
		}
		a.value(e)
	}
	for _, e := range d.agg.OrderArgs {
		a.value(e)
	}
	a.value(d.agg.Filter)
}

// value takes any change of an expression as one that matters.
func (a *analysis) value(e algebra.Scalar) {
	if e == nil {
		return
	}
	v := &algebra.Visitor{Scalar: func(s algebra.Scalar) bool {
		switch s := s.(type) {
		case *algebra.Col:
			a.columns([]algebra.ColID{s.ID})
		case *algebra.Call:
			a.clock = a.clock || clock(s)
		case *algebra.Subquery:
			a.rel(s.Rel, anything)
			if s.Kind != algebra.ExistsSubquery {
				a.columns(s.Rel.Columns())
			}
			for _, l := range s.Left {
				a.value(l)
			}
			return false
		}
		return true
	}}
	v.VisitScalar(e)
}

// condition answers what can make a condition turn.
func (a *analysis) condition(e algebra.Scalar, t turn) {
	if e == nil || t == 0 {
		return
	}
	switch e := e.(type) {
	case *algebra.And:
		for _, x := range e.Args {
			a.condition(x, t)
		}
	case *algebra.Or:
		for _, x := range e.Args {
			a.condition(x, t)
		}
	case *algebra.Not:
		a.condition(e.Arg, t.negated())
	case *algebra.BoolTest:
		a.boolTest(e, t)
	case *algebra.Call:
		if !a.comparison(e, t) {
			a.value(e)
		}
	case *algebra.Subquery:
		a.subquery(e, t)
	default:
		a.value(e)
	}
}

// boolTest is IS [NOT] TRUE and IS [NOT] FALSE, which are never NULL themselves.
func (a *analysis) boolTest(e *algebra.BoolTest, t turn) {
	if e.Unknown {
		a.value(e.Arg)
		return
	}
	if e.Not {
		t = t.negated()
	}
	comes := t&(becomesTrue|ceasesFalse) != 0
	goes := t&(ceasesTrue|becomesFalse) != 0
	var of turn
	if comes {
		of |= becomesTrue
	}
	if goes {
		of |= ceasesTrue
	}
	if !e.Want {
		of = of.negated()
	}
	a.condition(e.Arg, of)
}

// subquery is EXISTS, IN, and comparison with ANY or ALL.
func (a *analysis) subquery(e *algebra.Subquery, t turn) {
	if e.Not {
		t = t.negated()
	}
	// More rows make ANY rather true, and ALL rather false.
	more := t&(becomesTrue|ceasesFalse) != 0
	less := t&(ceasesTrue|becomesFalse) != 0
	switch e.Kind {
	case algebra.ExistsSubquery, algebra.AnySubquery:
	case algebra.AllSubquery:
		more, less = less, more
	default:
		a.value(e)
		return
	}
	var c change
	if more {
		c |= enters
	}
	if less {
		c |= leaves
	}
	a.rel(e.Rel, c)
	if e.Kind != algebra.ExistsSubquery {
		for _, l := range e.Left {
			a.value(l)
		}
		a.columns(e.Rel.Columns())
	}
}

// comparison is a < b and the like. It reports false for what is none of these.
func (a *analysis) comparison(e *algebra.Call, t turn) bool {
	if len(e.Args) != 2 || !e.Func.Strict {
		return false
	}
	left, right := e.Args[0], e.Args[1]
	switch e.Op {
	case "<", "<=":
		left, right = right, left
	case ">", ">=":
	default:
		return false
	}
	// left > right.
	var l, r move
	if t&becomesTrue != 0 {
		l, r = l|grows|appears, r|shrinks|appears
	}
	if t&ceasesTrue != 0 {
		l, r = l|shrinks|vanishes, r|grows|vanishes
	}
	if t&becomesFalse != 0 {
		l, r = l|shrinks|appears, r|grows|appears
	}
	if t&ceasesFalse != 0 {
		l, r = l|grows|vanishes, r|shrinks|vanishes
	}
	a.moved(left, l, &bound{call: e, other: right, turn: t})
	a.moved(right, r, &bound{call: e, other: left, turn: t})
	return true
}

// bound is what a value is compared with.
type bound struct {
	call  *algebra.Call
	other algebra.Scalar
	turn  turn // what matters of the comparison
}

// compared is a comparison of an aggregate, and the moves of it that matter.
type compared struct {
	move  move
	bound *bound // nil: not known
}

// moved answers what can make a value move.
func (a *analysis) moved(e algebra.Scalar, m move, b *bound) {
	switch x := e.(type) {
	case *algebra.Cast:
		if x.Implicit && numeric(x.Arg) && numeric(x) || moment(x.Arg) && moment(x) {
			a.moved(x.Arg, m, nil)
			return
		}
	case *algebra.Call:
		if clock(x) {
			a.clock = a.clock || m&grows != 0
			return
		}
		if (x.Op == "+" || x.Op == "-") && len(x.Args) == 2 && moment(x.Args[0]) && moment(x) {
			if _, fixed := x.Args[1].(*algebra.Const); fixed {
				a.moved(x.Args[0], m, nil)
				return
			}
		}
	case *algebra.Subquery:
		// A scalar subquery that is an aggregate without groups: it always has one row.
		if x.Kind == algebra.ScalarSubquery && oneGroup(x.Rel) {
			a.movedColumn(x.Rel.Columns()[0], m, b)
			return
		}
	case *algebra.Col:
		a.movedColumn(x.ID, m, b)
		return
	}
	a.value(e)
}

func (a *analysis) movedColumn(id algebra.ColID, m move, b *bound) {
	d, ok := a.defined[id]
	switch {
	case ok && d.agg == nil:
		a.moved(d.expr, m, b)
		return
	case !ok:
		a.needed.Add(id)
		a.moves[id] |= m
		return
	}
	var c change
	switch d.agg.Func.Name {
	case "count": // never NULL
		if m&grows != 0 {
			c |= enters
		}
		if m&shrinks != 0 {
			c |= leaves
		}
	case "max", "min":
		up, down := grows, shrinks
		if d.agg.Func.Name == "min" {
			up, down = shrinks, grows
		}
		if m&(up|appears) != 0 {
			c |= enters
		}
		if m&(down|vanishes) != 0 {
			c |= leaves
		}
	case "sum", "avg":
		c = anything
	default:
		a.columns([]algebra.ColID{id})
		return
	}
	a.needed.Add(id)
	a.compared[id] = append(a.compared[id], compared{m, b})
	a.rel(d.aggregate.Input, c)
	a.aggregated(d, m)
}

func numeric(e algebra.Scalar) bool { return e.Type().Category == 'N' }

// oneGroup reports whether a relation always has exactly one row, of an aggregate.
func oneGroup(r algebra.Rel) bool {
	for {
		switch x := r.(type) {
		case *algebra.Project:
			r = x.Input
		case *algebra.Aggregate:
			return len(x.Keys) == 0
		default:
			return false
		}
	}
}
