package assertions

import (
	"holdfast/sql/algebra"
	"holdfast/sql/types"
)

// Which changed rows cannot matter is told from their images alone, before anything is read for them.
//
// An update matters by the columns that differ: any difference in one that is joined by, filtered or grouped by; one in the
// dangerous direction in one that is only compared (a salary that falls under salary > cap does not matter). A row that is inserted
// or deleted matters by what it adds to the aggregates that are compared, if it counts for nothing else. With a
// violation of the form agg > k, and the others alike with their signs turned around:
//
//	             inserted                          deleted      updated
//	count(*)     always                            never        never, unless by another column
//	count(e)     e is not NULL                     never        from NULL
//	sum(e)       e > 0, or not NULL if k < 0       e < 0        grows, from or to NULL
//	avg(e)       e > k                             e < k        grows, from or to NULL
//	max(e)       e > k                             never        grows, from NULL
//	min(e)       e > k                             not NULL     grows, from or to NULL
//
// A group that is new can violate what is below its bound, by any row. Where k is no constant, nothing is known of it.

// prefilter leaves rows that cannot matter out of a scan of changed rows. scan is the scan of the change, a copy by c, of a place in
// the query.
func (d *deriver) prefilter(scan, of *algebra.Scan, known map[algebra.ColID]algebra.Scalar) {
	scan.Differs = []algebra.Difference{}
	for _, c := range of.Cols {
		if c.Number <= 0 || !d.a.needed.Has(c.ID) {
			continue
		}
		x := algebra.Difference{Number: c.Number}
		if t := of.Table.Columns[c.Number-1].Type; !d.a.any.Has(c.ID) && ordered(t) {
			x.Moves = algebra.Move(d.a.moves[c.ID])
		}
		scan.Differs = append(scan.Differs, x)
	}
	e := d.a.effect(d.q.Root, of)
	if e == nil {
		return
	}
	say := func(cond algebra.Scalar) algebra.Scalar {
		if known == nil || cond == nil {
			return cond
		}
		return replaced(cond, func(c *algebra.Col) algebra.Scalar { return known[c.ID] })
	}
	scan.Inserted, scan.Deleted = say(e.inserted), say(e.deleted)
}

// ordered reports whether values of a type can be told to have grown or shrunk as comparisons see it.
func ordered(t *types.Type) bool {
	switch t {
	case types.Int2, types.Int4, types.Int8, types.Numeric, types.Float4, types.Float8, types.Date, types.Timestamp, types.TimestampTZ:
		return true
	}
	return false
}

// argumentMoves are the moves of the argument of an aggregate that can move it in one of the given ways; 0 if that is not
// known.
func argumentMoves(agg *algebra.Agg, m move) (of move) {
	if agg.Distinct {
		return 0
	}
	switch agg.Func.Name {
	case "count":
		if m&grows != 0 {
			of |= appears
		}
		if m&shrinks != 0 {
			of |= vanishes
		}
		if of == 0 {
			of = appears | vanishes
		}
	case "sum", "avg":
		if !exact(agg.Args[0]) {
			return 0
		}
		of = m&(grows|shrinks) | appears | vanishes
	case "max", "min":
		of = m&(grows|shrinks) | appears | vanishes
	}
	return of
}

// exact reports whether sums of an expression are exact, and without infinities, which adding a negative value could turn into NaN.
func exact(e algebra.Scalar) bool {
	switch e.Type() {
	case types.Int2, types.Int4, types.Int8:
		return true
	case types.Numeric:
		return e.Mod() != types.NoTypmod
	}
	return false
}

// effect is what rows that come or go do to the aggregates over them: conditions under which that can matter, over columns of
// one scan. nil: always.
type effect struct{ inserted, deleted algebra.Scalar }

// effect finds what the rows of a scan count for if that is nothing but aggregates that are compared. It is nil if they count
// for something else.
func (a *analysis) effect(root algebra.Rel, s *algebra.Scan) *effect {
	path := pathTo(root, s)
	// From the scan up, through what passes single rows on, to the aggregate.
	i := len(path) - 2
	known := map[algebra.ColID]algebra.Scalar{}
	own := algebra.ColsOf(s.Columns()...)
	for ; i >= 0; i-- {
		switch r := path[i].(type) {
		case *algebra.Filter:
			if r.Input != path[i+1] {
				return nil
			}
			continue
		case *algebra.Sort:
			continue
		case *algebra.Project:
			if r.Input != path[i+1] {
				return nil
			}
			for _, it := range r.Items {
				if c, ok := it.Expr.(*algebra.Col); ok {
					if k := known[c.ID]; k != nil {
						known[it.ID] = k
					} else if own.Has(c.ID) {
						known[it.ID] = c
					}
				}
			}
			continue
		case *algebra.Join:
			if r.Kind != algebra.InnerJoin || r.Lateral {
				return nil
			}
			continue
		}
		break
	}
	if i < 0 {
		return nil
	}
	agg, ok := path[i].(*algebra.Aggregate)
	if !ok {
		return nil
	}
	// Rows that make groups come or go matter by themselves, unless the groups are then filtered by a comparison of an aggregate.
	above := i - 1
	for above >= 0 {
		if p, ok := path[above].(*algebra.Project); !ok || p.Input != path[above+1] {
			break
		}
		above--
	}
	if len(agg.Keys) > 0 {
		f, ok := path[max(above, 0)].(*algebra.Filter)
		if !ok || f.Input != path[above+1] || a.done[f] != enters || a.done[agg] != enters || !a.tests(f.Cond, agg) {
			return nil
		}
	} else {
		// It is compared as the value of a query, which no one else reads.
		for k := above + 1; k <= i; k++ {
			if a.done[path[k]] != 0 {
				return nil
			}
		}
	}
	var ins, del []algebra.Scalar
	for j := range agg.Aggs {
		g := &agg.Aggs[j]
		if !a.needed.Has(g.ID) {
			continue
		}
		if a.any.Has(g.ID) || g.Filter != nil || len(g.Args) > 1 {
			return nil
		}
		var arg algebra.Scalar
		if len(g.Args) == 1 {
			c, ok := g.Args[0].(*algebra.Col)
			if !ok {
				return nil
			}
			if arg = known[c.ID]; arg == nil && own.Has(c.ID) {
				arg = c
			}
			if arg == nil {
				return nil
			}
		}
		for _, c := range a.compared[g.ID] {
			e := contribution(g, arg, c, len(agg.Keys) > 0)
			if e == nil {
				return nil
			}
			ins, del = append(ins, e.inserted), append(del, e.deleted)
		}
	}
	return &effect{disjunction(ins), disjunction(del)}
}

// tests reports whether a condition cannot be true without a comparison of an aggregate that is known.
func (a *analysis) tests(cond algebra.Scalar, agg *algebra.Aggregate) bool {
	for _, c := range conjuncts(nil, cond) {
		call, ok := c.(*algebra.Call)
		if !ok {
			continue
		}
		for i := range agg.Aggs {
			for _, x := range a.compared[agg.Aggs[i].ID] {
				if x.bound != nil && x.bound.call == call {
					return true
				}
			}
		}
	}
	return false
}

// pathTo is the way from a relation to a scan in it.
func pathTo(r algebra.Rel, s *algebra.Scan) []algebra.Rel {
	if r == algebra.Rel(s) {
		return []algebra.Rel{r}
	}
	var path []algebra.Rel
	v := &algebra.Visitor{}
	v.Rel = func(x algebra.Rel) bool {
		if x == r {
			return true
		}
		if path == nil {
			if p := pathTo(x, s); p != nil {
				path = append([]algebra.Rel{r}, p...)
			}
		}
		return false
	}
	v.VisitRel(r)
	return path
}

// contribution is under which conditions a row that comes or goes can move an aggregate over arg as a comparison has it. It is nil if
// any may.
func contribution(g *algebra.Agg, arg algebra.Scalar, c compared, grouped bool) *effect {
	never, always := truth(false), truth(true)
	var there algebra.Scalar
	if arg != nil {
		there = &algebra.IsNull{Arg: arg, Not: true}
	}
	var ins, del []algebra.Scalar
	up, down := c.move&grows != 0, c.move&shrinks != 0
	if c.move&vanishes != 0 {
		del = append(del, always)
	}
	k, constant := c.bound.constant()
	least := int64(0) // from which on a bound is not met by 0
	if constant && c.bound.inclusive() {
		least = 1
	}
	switch name := g.Func.Name; name {
	case "count":
		counts := there
		if arg == nil {
			counts = always
		}
		if up {
			ins = append(ins, counts)
			if grouped && !(constant && k >= least) {
				ins = append(ins, always) // of a new group it may be 0
			}
		}
		if down {
			del = append(del, counts)
			if grouped {
				ins = append(ins, always)
			}
		}
	case "sum", "avg":
		if !exact(arg) || g.Distinct {
			return nil
		}
		if name == "avg" {
			// It moves towards what comes, and away from what goes.
			ins, del = append(ins, there), append(del, there)
			break
		}
		zero := converted(&algebra.Const{T: algebra.T{Typ: types.Int4, M: types.NoTypmod}, Value: types.NewInt(0)}, arg.Type())
		if k := arg.Type(); k == types.Int2 {
			zero = &algebra.Const{T: algebra.T{Typ: k, M: types.NoTypmod}, Value: types.NewInt(0)}
		}
		if zero == nil {
			return nil
		}
		positive, negative := compares(arg, ">", zero), compares(arg, "<", zero)
		if positive == nil || negative == nil {
			return nil
		}
		if up {
			ins, del = append(ins, positive), append(del, negative)
			if !(constant && k >= least) {
				ins = append(ins, there) // the first value of a group
			}
		}
		if down {
			ins, del = append(ins, negative), append(del, positive)
			if !(constant && k <= -least) {
				ins = append(ins, there)
			}
		}
	case "max", "min":
		beyond := c.bound.beyond(arg)
		if beyond == nil {
			beyond = there
		}
		if up {
			ins = append(ins, beyond)
			if name == "min" {
				del = append(del, there)
			}
		}
		if down {
			ins = append(ins, beyond)
			if name == "max" {
				del = append(del, there)
			}
		}
	default:
		return nil
	}
	if c.move&appears != 0 && len(ins) == 0 && there != nil && g.Func.Name != "count" {
		ins = append(ins, there)
	}
	if len(ins) == 0 {
		ins = append(ins, never)
	}
	if len(del) == 0 {
		del = append(del, never)
	}
	return &effect{disjunction(ins), disjunction(del)}
}

// inclusive reports whether equality makes the comparison true.
func (b *bound) inclusive() bool { return b.call.Op == ">=" || b.call.Op == "<=" }

// constant is the bound if it is an integer constant, and only what makes the comparison true matters.
func (b *bound) constant() (int64, bool) {
	if b == nil || b.turn != becomesTrue {
		return 0, false
	}
	e := b.other
	for {
		switch x := e.(type) {
		case *algebra.Cast:
			if !x.Implicit {
				return 0, false
			}
			e = x.Arg
		case *algebra.Const:
			switch x.Typ {
			case types.Int2, types.Int4, types.Int8:
				return x.Value.Int(), !x.Value.IsNull()
			}
			return 0, false
		default:
			return 0, false
		}
	}
}

// beyond is the comparison for one value in the place of the aggregate, if the bound is a constant of its type, and only what
// makes it true matters; nil otherwise.
func (b *bound) beyond(arg algebra.Scalar) algebra.Scalar {
	if b == nil || b.turn != becomesTrue || b.other.Type() != arg.Type() {
		return nil
	}
	if c, ok := b.other.(*algebra.Const); !ok || c.Value.IsNull() {
		return nil
	}
	out := *b.call
	out.Args = []algebra.Scalar{arg, b.other}
	if b.call.Args[0] == b.other {
		out.Args = []algebra.Scalar{b.other, arg}
	}
	return &out
}

func truth(v bool) algebra.Scalar {
	return &algebra.Const{T: algebra.T{Typ: types.Bool, M: types.NoTypmod}, Value: types.NewBool(v)}
}

// disjunction is true if one of the conditions is. Constants are taken out.
func disjunction(conds []algebra.Scalar) algebra.Scalar {
	var out []algebra.Scalar
	for _, c := range conds {
		if c == nil {
			return nil
		}
		if k, ok := c.(*algebra.Const); ok {
			if k.Value.Bool() {
				return nil
			}
			continue
		}
		out = append(out, c)
	}
	switch len(out) {
	case 0:
		return truth(false)
	case 1:
		return out[0]
	}
	return &algebra.Or{Args: out}
}

// compares is a comparison of two values of one type, nil if there is no such operator.
func compares(a algebra.Scalar, op string, b algebra.Scalar) algebra.Scalar {
	for f, o := range operators {
		if o.Name == op && o.Left == a.Type() && o.Right == b.Type() {
			return &algebra.Call{T: algebra.T{Typ: types.Bool, M: types.NoTypmod}, Func: f, Args: []algebra.Scalar{a, b}, Op: op, VariadicAt: -1, Pos: -1}
		}
	}
	return nil
}
