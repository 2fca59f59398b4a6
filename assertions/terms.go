package assertions

import (
	"holdfast/sql/algebra"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// A term is a conjunctive query over changed rows: a scan of the change of one table, other tables joined to it, and
// conditions. It stands for the rows of a relation that a change may have touched, and gives as many as there are or more: what
// cannot be said by scans and conditions is left out. Its columns are its own; known says which columns of the relation it
// has, and as what.
//
// Terms say where to look, never what is violated: the relation that is looked at is evaluated on the new state itself. So a
// term may be too wide, but must not be too narrow.
type term struct {
	driver *algebra.Scan    // of changed rows
	others []*joined        // tables joined to it
	conds  []algebra.Scalar // over columns of these, and of outer relations
	known  map[algebra.ColID]algebra.Scalar
}

// joined is a table in a term. With old, rows that have just left it count too: two rows that were joined may have gone
// together.
type joined struct {
	scan *algebra.Scan
	old  bool
}

// touched are terms for the rows of a relation that changes of the target may have touched: made enter it, or leave it, by
// kind. It is nil if there are none, and d.why is set if that cannot be said.
func (d *deriver) touched(r algebra.Rel, kind change) []*term {
	switch r := r.(type) {
	case *algebra.Scan:
		return d.changed(r, kind)
	case *algebra.Filter:
		if d.holds(r.Input) {
			list := d.touched(r.Input, kind)
			for _, t := range list {
				t.filter(r.Input, r.Cond)
			}
			return list
		}
		list := d.correlated(r.Input, r.Cond)
		for _, t := range list {
			t.filter(r.Input, r.Cond)
		}
		return list
	case *algebra.Project:
		var list []*term
		if d.holds(r.Input) {
			list = d.touched(r.Input, kind)
		} else {
			for _, it := range r.Items {
				if d.inside(it.Expr) {
					list = append(list, d.correlated(r.Input, it.Expr)...)
				}
			}
		}
		for _, t := range list {
			t.project(r)
		}
		return list
	case *algebra.Sort:
		return d.touched(r.Input, kind)
	case *algebra.LockRows:
		return d.touched(r.Input, kind)
	case *algebra.ProjectSet:
		if d.holds(r.Input) {
			return d.touched(r.Input, kind)
		}
	case *algebra.Join:
		return d.touchedJoin(r, kind)
	case *algebra.Aggregate:
		return only(d.touched(r.Input, anything), r.Keys)
	case *algebra.DistinctRows:
		if r.On != nil {
			return only(d.touched(r.Input, anything), r.On)
		}
		return d.touched(r.Input, kind)
	case *algebra.Window:
		return only(d.touched(r.Input, anything), r.Partition)
	case *algebra.Limit:
		return only(d.touched(r.Input, anything), nil)
	case *algebra.SetOp:
		side := r.Left
		if !d.holds(side) {
			side = r.Right
		}
		if r.Kind != algebra.Union || !r.All {
			kind = anything
		}
		list := d.touched(side, kind)
		for _, t := range list {
			known := map[algebra.ColID]algebra.Scalar{}
			for i, id := range side.Columns() {
				if e, ok := t.known[id]; ok {
					known[r.Cols[i]] = e
				}
			}
			t.known = known
		}
		return list
	}
	d.fail(r)
	return nil
}

// changed is the term of the changed rows of the target.
func (d *deriver) changed(r *algebra.Scan, kind change) []*term {
	if kind &= d.a.scans[r]; kind == 0 {
		return nil
	}
	t := newTerm()
	t.driver = t.scan(d.q, r)
	t.driver.Transition = transitionOf(kind)
	d.prefilter(t.driver, r, t.known)
	return []*term{t}
}

func transitionOf(kind change) algebra.TransitionKind {
	switch kind {
	case enters:
		return algebra.NewRows
	case leaves:
		return algebra.OldRows
	}
	return algebra.EitherRows
}

// correlated are terms for the rows of a relation for which a query in an expression, with the target in it, may have changed.
// A row that has entered the relation or left it is another matter.
func (d *deriver) correlated(r algebra.Rel, e algebra.Scalar) []*term {
	sub := d.queryWith(e)
	if sub == nil {
		d.fail(r)
		return nil
	}
	list := d.touched(sub.Rel, anything)
	for _, t := range list {
		base := d.untouched(r, false)
		t.join(base, r.Columns())
		t.known = base.known
	}
	return list
}

func (d *deriver) touchedJoin(r *algebra.Join, kind change) []*term {
	left := d.holds(r.Left)
	if !left && !d.holds(r.Right) {
		d.fail(r)
		return nil
	}
	var list []*term
	switch {
	case r.Kind == algebra.InnerJoin && !r.Lateral:
		side, other := r.Left, r.Right
		if !left {
			side, other = r.Right, r.Left
		}
		list = d.touched(side, kind)
		for _, t := range list {
			more := d.untouched(other, kind&leaves != 0)
			t.join(more, nil)
			t.filter(r, r.On)
		}
	case r.Kind == algebra.FullJoin:
		list = d.touched(r.Left, anything)
		if !left {
			list = d.touched(r.Right, anything)
		}
		only(list, nil)
	case left:
		// Which rows of the right side belong to a row of the left one does not matter.
		list = d.touched(r.Left, kind)
	default:
		list = d.touched(r.Right, anything)
		for _, t := range list {
			base := d.untouched(r.Left, false)
			own := t.known
			t.join(base, r.Left.Columns())
			t.filter(bothSides(r), r.On)
			t.known = base.known
			if r.Kind == algebra.InnerJoin {
				for id, e := range own {
					t.known[id] = e
				}
			}
		}
	}
	return list
}

// untouched is a relation without the target as a term that has no driver. What it cannot say it leaves out.
func (d *deriver) untouched(r algebra.Rel, old bool) *term {
	t := newTerm()
	switch r := r.(type) {
	case *algebra.Scan:
		if r.Table.Virtual == nil && r.Transition == algebra.NoTransition {
			t.others = []*joined{{scan: t.scan(d.q, r), old: old}}
		}
	case *algebra.Filter:
		t = d.untouched(r.Input, old)
		t.filter(r.Input, r.Cond)
	case *algebra.Project:
		t = d.untouched(r.Input, old)
		t.project(r)
	case *algebra.Sort:
		return d.untouched(r.Input, old)
	case *algebra.Join:
		t = d.untouched(r.Left, old)
		switch {
		case r.Kind == algebra.FullJoin:
			return newTerm()
		case r.Kind == algebra.InnerJoin && !r.Lateral:
			t.join(d.untouched(r.Right, old), nil)
			t.filter(r, r.On)
		}
	}
	return t
}

// bothSides is a join as one that shows the columns of both sides.
func bothSides(r *algebra.Join) algebra.Rel {
	return &algebra.Join{Kind: algebra.InnerJoin, Left: r.Left, Right: r.Right}
}

func newTerm() *term { return &term{known: map[algebra.ColID]algebra.Scalar{}} }

// scan copies a scan for a term, and tells its columns.
func (t *term) scan(q *algebra.Query, s *algebra.Scan) *algebra.Scan {
	c := algebra.NewCopier(q)
	out := c.Rel(s).(*algebra.Scan)
	for _, col := range s.Cols {
		t.known[col.ID] = &algebra.Col{T: q.Column(col.ID).T, ID: c.Col(col.ID)}
	}
	return out
}

// say writes an expression over columns of a relation as one over the term's. It reports false if the term does not know them all.
func (t *term) say(e algebra.Scalar, columns []algebra.ColID) (algebra.Scalar, bool) {
	return say(t.known, e, columns)
}

func say(known map[algebra.ColID]algebra.Scalar, e algebra.Scalar, columns []algebra.ColID) (algebra.Scalar, bool) {
	if hasQuery(e) {
		return nil, false
	}
	own := algebra.ColsOf(columns...)
	ok := true
	w := &algebra.Rewriter{Scalar: func(s algebra.Scalar) (algebra.Scalar, bool) {
		c, isCol := s.(*algebra.Col)
		if !isCol || !own.Has(c.ID) {
			return nil, false
		}
		e, is := known[c.ID]
		ok = ok && is
		return e, is
	}}
	out := w.RewriteScalar(e)
	return out, ok
}

// filter adds the parts of a condition over a relation that the term can say.
func (t *term) filter(r algebra.Rel, cond algebra.Scalar) {
	columns := r.Columns()
	for _, c := range conjuncts(nil, cond) {
		if c, ok := t.say(c, columns); ok {
			t.conds = append(t.conds, c)
		}
	}
}

// project makes a term of the input of a projection one of the projection.
func (t *term) project(r *algebra.Project) {
	known := map[algebra.ColID]algebra.Scalar{}
	columns := r.Input.Columns()
	for _, it := range r.Items {
		if e, ok := t.say(it.Expr, columns); ok {
			known[it.ID] = e
		}
	}
	t.known = known
}

// join adds another term. Conditions of the first over the given columns, which were outer ones to it, are from now on over what the
// other knows of them, or gone.
func (t *term) join(other *term, columns []algebra.ColID) {
	if columns != nil {
		var conds []algebra.Scalar
		for _, c := range t.conds {
			if c, ok := say(other.known, c, columns); ok {
				conds = append(conds, c)
			}
		}
		t.conds = conds
	}
	t.others = append(t.others, other.others...)
	t.conds = append(t.conds, other.conds...)
	for id, e := range other.known {
		t.known[id] = e
	}
}

// only leaves terms no other columns than those given.
func only(list []*term, columns []algebra.ColID) []*term {
	for _, t := range list {
		known := map[algebra.ColID]algebra.Scalar{}
		for _, id := range columns {
			if e, ok := t.known[id]; ok {
				known[id] = e
			}
		}
		t.known = known
	}
	return list
}

// scans are all scans of a term.
func (t *term) scans() []*algebra.Scan {
	list := []*algebra.Scan{t.driver}
	for _, j := range t.others {
		list = append(list, j.scan)
	}
	return list
}

// sameValue is a condition under which two expressions of one type are not distinct; nil if the type has no equality. sure tells that
// one of them is never NULL.
func sameValue(a, b algebra.Scalar, sure bool) algebra.Scalar {
	o, err := funcs.EqualityOperator(a.Type())
	if err != nil || o.Func == nil || !o.Func.Strict {
		return nil
	}
	if a, b = converted(a, o.Left), converted(b, o.Right); a == nil || b == nil {
		return nil
	}
	if sure {
		return &algebra.Call{T: algebra.T{Typ: types.Bool, M: types.NoTypmod}, Func: o.Func, Args: []algebra.Scalar{a, b}, Op: "=", VariadicAt: -1, Pos: -1}
	}
	return &algebra.Distinct{Left: a, Right: b, Eq: o.Func, Not: true}
}

// converted is an expression as an operator takes it.
func converted(e algebra.Scalar, to *types.Type) algebra.Scalar {
	from := e.Type()
	if from == to || to.Category == 'P' {
		return e
	}
	c, ok := funcs.FindCast(from, to, funcs.CastImplicit)
	if !ok {
		return nil
	}
	return &algebra.Cast{T: algebra.T{Typ: to, M: types.NoTypmod}, Arg: e, Cast: c, Implicit: true, Pos: -1}
}
