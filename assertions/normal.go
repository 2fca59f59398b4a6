package assertions

import (
	"holdfast/sql/algebra"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// Normal form. Before the checks of changes are worked out, a violation query is brought into a form in which few
// kinds of condition are left: WITH queries stand in the place of their scans, every node occurs once, and the conditions of
// selections, of which only the truth counts, are conjunctions without IS TRUE, IS FALSE and NOT where these can be
// taken in. IN and comparisons with ANY and ALL become EXISTS:
//
//	x = ANY (S)       EXISTS (s = x)
//	x NOT IN (S)      NOT EXISTS (s = x) AND NOT EXISTS (s IS NULL) AND (x IS NOT NULL OR NOT EXISTS (S))
//
// so that a row is found by probing an index of S, where a scan of all of S would be needed to see its NULLs. A full join is a left
// join and a UNION with the rows that it leaves out.
func normalize(q *algebra.Query) {
	c := algebra.NewCopier(q)
	c.Inline = true
	q.Root = c.Rel(q.Root)
	for i := range q.Output {
		q.Output[i].ID = c.Col(q.Output[i].ID)
	}
	recursive := false
	for _, with := range q.CTEs {
		recursive = recursive || with.Recursive
	}
	if !recursive {
		q.CTEs = nil
	}
	n := &normalizer{q: q}
	n.w.Rel = n.rel
	q.Root = n.w.RewriteRel(q.Root)
}

type normalizer struct {
	q *algebra.Query
	w algebra.Rewriter
}

func (n *normalizer) rel(r algebra.Rel) (algebra.Rel, bool) {
	switch r := r.(type) {
	case *algebra.Filter:
		in := n.w.RewriteRel(r.Input)
		if conds := n.isTrue(nil, n.w.RewriteScalar(r.Cond), in); len(conds) > 0 {
			return &algebra.Filter{Input: in, Cond: conjunction(conds)}, true
		}
		return in, true
	case *algebra.Join:
		if r.Kind == algebra.FullJoin {
			return n.w.RewriteRel(n.full(r)), true
		}
		if r.Kind == algebra.InnerJoin && r.On != nil && hasQuery(r.On) {
			join := *r
			join.On = nil
			return n.rel(&algebra.Filter{Input: &join, Cond: r.On})
		}
	}
	return nil, false
}

// full writes a full join as a left one, and the rows of the right side that it leaves out.
func (n *normalizer) full(r *algebra.Join) algebra.Rel {
	matched := algebra.NewCopier(n.q)
	out := &algebra.SetOp{Kind: algebra.Union, All: true, Cols: r.Columns()}
	out.Left = matched.Rel(&algebra.Join{Kind: algebra.LeftJoin, Left: r.Left, Right: r.Right, On: r.On})
	rest := algebra.NewCopier(n.q)
	right := rest.Rel(r.Right)
	left := rest.Rel(r.Left)
	alone := &algebra.Project{Input: &algebra.Filter{Input: right, Cond: &algebra.Not{Arg: exists(&algebra.Filter{Input: left, Cond: rest.Scalar(on(r))})}}}
	for _, id := range r.Left.Columns() {
		t := n.q.Column(id).T
		alone.Items = append(alone.Items, algebra.Item{ID: n.q.NewColumn(algebra.Column{Name: n.q.Column(id).Name, T: t}), Expr: &algebra.Const{T: t, Value: types.Null}})
	}
	for _, id := range r.Right.Columns() {
		alone.Items = append(alone.Items, algebra.Item{ID: rest.Col(id), Expr: n.col(rest.Col(id))})
	}
	out.Right = alone
	return out
}

// on is the condition of a join.
func on(r *algebra.Join) algebra.Scalar {
	if r.On == nil {
		return truth(true)
	}
	return r.On
}

// isTrue appends conditions that are all true exactly if e is. in is the relation whose rows it is about.
func (n *normalizer) isTrue(list []algebra.Scalar, e algebra.Scalar, in algebra.Rel) []algebra.Scalar {
	switch e := e.(type) {
	case *algebra.And:
		for _, a := range e.Args {
			list = n.isTrue(list, a, in)
		}
		return list
	case *algebra.Or:
		var args []algebra.Scalar
		for _, a := range e.Args {
			args = append(args, conjunction(n.isTrue(nil, a, in)))
		}
		return append(list, &algebra.Or{Args: args})
	case *algebra.Not:
		return n.isFalse(list, e.Arg, in)
	case *algebra.BoolTest:
		if !e.Unknown && !e.Not {
			if e.Want {
				return n.isTrue(list, e.Arg, in)
			}
			return n.isFalse(list, e.Arg, in)
		}
	case *algebra.Const:
		if !e.Value.IsNull() && e.Value.Bool() {
			return list
		}
	case *algebra.Subquery:
		if e.Not {
			return n.isFalse(list, positive(e), in)
		}
		switch e.Kind {
		case algebra.AnySubquery:
			if compared := n.compared(e, false); compared != nil {
				return append(list, exists(compared))
			}
		case algebra.AllSubquery:
			if more, ok := n.none(list, e, true, in); ok {
				return more
			}
		}
	}
	return append(list, e)
}

// isFalse appends conditions that are all true exactly if e is false.
func (n *normalizer) isFalse(list []algebra.Scalar, e algebra.Scalar, in algebra.Rel) []algebra.Scalar {
	switch e := e.(type) {
	case *algebra.Or:
		for _, a := range e.Args {
			list = n.isFalse(list, a, in)
		}
		return list
	case *algebra.And:
		var args []algebra.Scalar
		for _, a := range e.Args {
			args = append(args, conjunction(n.isFalse(nil, a, in)))
		}
		return append(list, &algebra.Or{Args: args})
	case *algebra.Not:
		return n.isTrue(list, e.Arg, in)
	case *algebra.BoolTest:
		if !e.Unknown && e.Not {
			if e.Want {
				return n.isTrue(list, e.Arg, in)
			}
			return n.isFalse(list, e.Arg, in)
		}
	case *algebra.Call:
		if c := negated(e); c != nil {
			return append(list, c)
		}
	case *algebra.Subquery:
		if e.Not {
			return n.isTrue(list, positive(e), in)
		}
		switch e.Kind {
		case algebra.AnySubquery:
			if more, ok := n.none(list, e, false, in); ok {
				return more
			}
		case algebra.AllSubquery:
			if compared := n.compared(e, true); compared != nil {
				return append(list, exists(compared))
			}
		}
	}
	return append(list, &algebra.Not{Arg: e})
}

// none are conditions that are true exactly if no row of a query makes the comparison true, or with negate false, or NULL.
func (n *normalizer) none(list []algebra.Scalar, e *algebra.Subquery, negate bool, in algebra.Rel) ([]algebra.Scalar, bool) {
	if len(e.Left) != 1 || !e.Funcs[0].Strict {
		return nil, false
	}
	compared := n.compared(e, negate)
	if compared == nil {
		return nil, false
	}
	list = append(list, &algebra.Not{Arg: exists(compared)})
	if col := e.Rel.Columns()[0]; !neverNull(e.Rel, col) {
		c := algebra.NewCopier(n.q)
		nulls := c.Rel(e.Rel)
		list = append(list, &algebra.Not{Arg: exists(&algebra.Filter{Input: nulls, Cond: &algebra.IsNull{Arg: n.col(c.Col(col))}})})
	}
	if c, ok := e.Left[0].(*algebra.Col); ok && neverNull(in, c.ID) {
		return list, true
	}
	if c, ok := e.Left[0].(*algebra.Const); ok && !c.Value.IsNull() {
		return list, true
	}
	return append(list, &algebra.Or{Args: []algebra.Scalar{
		&algebra.IsNull{Arg: e.Left[0], Not: true}, &algebra.Not{Arg: exists(algebra.NewCopier(n.q).Rel(e.Rel))}}}), true
}

// compared are the rows of the query of ANY or ALL for which the comparison is true, or with negate false; nil if that cannot be
// said by an operator.
func (n *normalizer) compared(e *algebra.Subquery, negate bool) algebra.Rel {
	if len(e.Left) > 1 && (e.Op != "=" || negate) {
		return nil
	}
	c := algebra.NewCopier(n.q)
	r := c.Rel(e.Rel)
	var conds []algebra.Scalar
	for i, id := range e.Rel.Columns() {
		if hasQuery(e.Left[i]) {
			return nil
		}
		call := &algebra.Call{T: algebra.T{Typ: types.Bool, M: types.NoTypmod}, Func: e.Funcs[i], Args: []algebra.Scalar{e.Left[i], n.col(c.Col(id))},
			Op: e.Op, VariadicAt: -1, Pos: -1}
		if negate {
			if call = negated(call); call == nil {
				return nil
			}
		}
		conds = append(conds, call)
	}
	return &algebra.Filter{Input: r, Cond: conjunction(conds)}
}

func (n *normalizer) col(id algebra.ColID) algebra.Scalar {
	return &algebra.Col{T: n.q.Column(id).T, ID: id}
}

// positive is a query in an expression without its Not.
func positive(e *algebra.Subquery) *algebra.Subquery {
	p := *e
	p.Not = false
	return &p
}

func exists(r algebra.Rel) algebra.Scalar {
	return &algebra.Subquery{T: algebra.T{Typ: types.Bool, M: types.NoTypmod}, Kind: algebra.ExistsSubquery, Rel: r}
}

func conjunction(conds []algebra.Scalar) algebra.Scalar {
	switch len(conds) {
	case 0:
		return &algebra.Const{T: algebra.T{Typ: types.Bool, M: types.NoTypmod}, Value: types.NewBool(true)}
	case 1:
		return conds[0]
	}
	return &algebra.And{Args: conds}
}

// conjuncts are the conditions that AND connects.
func conjuncts(list []algebra.Scalar, e algebra.Scalar) []algebra.Scalar {
	if a, ok := e.(*algebra.And); ok {
		for _, x := range a.Args {
			list = conjuncts(list, x)
		}
		return list
	}
	if e == nil {
		return list
	}
	return append(list, e)
}

// hasQuery reports whether an expression holds a query.
func hasQuery(e algebra.Scalar) bool {
	found := false
	v := &algebra.Visitor{Scalar: func(s algebra.Scalar) bool {
		if _, ok := s.(*algebra.Subquery); ok {
			found = true
		}
		return !found
	}}
	v.VisitScalar(e)
	return found
}

// neverNull reports whether a column of a relation is one of a table that is declared NOT NULL, and stays that.
func neverNull(r algebra.Rel, id algebra.ColID) bool {
	switch r := r.(type) {
	case *algebra.Scan:
		for _, c := range r.Cols {
			if c.ID == id {
				return c.Number < 0 || c.Number > 0 && r.Table.Columns[c.Number-1].NotNull
			}
		}
	case *algebra.Filter:
		return neverNull(r.Input, id)
	case *algebra.Sort:
		return neverNull(r.Input, id)
	case *algebra.DistinctRows:
		return neverNull(r.Input, id)
	case *algebra.Project:
		for _, it := range r.Items {
			if it.ID == id {
				c, ok := it.Expr.(*algebra.Col)
				return ok && neverNull(r.Input, c.ID)
			}
		}
	case *algebra.Aggregate:
		for _, k := range r.Keys {
			if k == id {
				return neverNull(r.Input, id)
			}
		}
	case *algebra.Join:
		switch r.Kind {
		case algebra.InnerJoin:
			return neverNull(r.Left, id) || neverNull(r.Right, id)
		case algebra.FullJoin:
		default:
			return neverNull(r.Left, id)
		}
	}
	return false
}

// operators are the comparison operators by their function.
var operators = func() map[*funcs.Func]*funcs.Operator {
	m := map[*funcs.Func]*funcs.Operator{}
	for _, o := range funcs.Operators() {
		if o.Left != nil && o.Right != nil && o.Func != nil && o.Result == types.Bool {
			m[o.Func] = o
		}
	}
	return m
}()

var negators = func() map[*funcs.Func]*funcs.Operator {
	type signature struct {
		name        string
		left, right *types.Type
	}
	named := map[signature]*funcs.Operator{}
	for _, o := range operators {
		named[signature{o.Name, o.Left, o.Right}] = o
	}
	m := map[*funcs.Func]*funcs.Operator{}
	for f, o := range operators {
		if n := named[signature{o.Negator, o.Left, o.Right}]; n != nil && o.Negator != "" && f.Strict && n.Func.Strict {
			m[f] = n
		}
	}
	return m
}()

// negated is a comparison that is true exactly if another is false; nil if there is none.
func negated(c *algebra.Call) *algebra.Call {
	n := negators[c.Func]
	if n == nil || c.Op != operators[c.Func].Name {
		return nil
	}
	out := *c
	out.Func, out.Op = n.Func, n.Name
	return &out
}
