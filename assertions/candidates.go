package assertions

import (
	"maps"
	"slices"

	"holdfast/sql/algebra"
	"holdfast/sql/types"
)

// around restricts a relation to the rows that terms are about: those equal to them in the given columns, and those for which the
// conditions of the terms that use columns of the relation are true. Where a term says nothing of the relation, the relation is
// evaluated in full if the term has rows at all.
func (d *deriver) around(r algebra.Rel, terms []*term, keys []algebra.ColID) []algebra.Rel {
	var out []algebra.Rel
	for _, t := range terms {
		if t.driver == nil {
			continue
		}
		var on []algebra.Scalar
		for _, id := range keys {
			e, ok := t.known[id]
			if !ok {
				continue
			}
			if c := sameValue(&algebra.Col{T: d.q.Column(id).T, ID: id}, e, t.neverNull(e)); c != nil {
				on = append(on, c)
			}
		}
		if c := d.candidates(t, on); c.rel != nil {
			out = append(out, &algebra.Join{Kind: algebra.InnerJoin, Left: r, Right: c.rel, On: conjunctionOrNil(c.on)})
		}
	}
	return out
}

func conjunctionOrNil(conds []algebra.Scalar) algebra.Scalar {
	if len(conds) == 0 {
		return nil
	}
	return conjunction(conds)
}

// neverNull reports whether an expression of a term is a column that is never NULL.
func (t *term) neverNull(e algebra.Scalar) bool {
	c, ok := e.(*algebra.Col)
	return ok && slices.ContainsFunc(t.scans(), func(s *algebra.Scan) bool { return neverNull(s, c.ID) })
}

// candidates are what a term says of another relation: a relation of distinct rows, and the condition of joining it.
type candidates struct {
	rel algebra.Rel
	on  []algebra.Scalar
}

// candidates turns a term into a relation of the values by which another relation is to be probed. on are conditions over both; those
// of the term that use columns of the other are added.
func (d *deriver) candidates(t *term, on []algebra.Scalar) candidates {
	own := algebra.ColSet{}
	for _, s := range t.scans() {
		own.Add(s.Columns()...)
	}
	var within []algebra.Scalar
	for _, c := range t.conds {
		used := algebra.ColSet{}
		algebra.ScalarColumns(c, used)
		outer := false
		for id := range used {
			outer = outer || !own.Has(id)
		}
		if outer {
			on = append(on, c)
		} else {
			within = append(within, c)
		}
	}
	t, on = reduce(t, within, on)
	wanted := algebra.ColSet{}
	for _, c := range on {
		algebra.ScalarColumns(c, wanted)
	}
	kept := algebra.ColSet{}
	for _, s := range t.scans() {
		kept.Add(s.Columns()...)
	}
	var cols []algebra.ColID
	for id := range wanted {
		if kept.Has(id) {
			cols = append(cols, id)
		}
	}
	slices.Sort(cols)
	var rel algebra.Rel = t.driver
	for _, j := range t.others {
		rel = &algebra.Join{Kind: algebra.InnerJoin, Left: rel, Right: j.scan}
	}
	if len(t.conds) > 0 {
		rel = &algebra.Filter{Input: rel, Cond: conjunction(t.conds)}
	}
	p := &algebra.Project{Input: rel}
	for _, id := range cols {
		p.Items = append(p.Items, algebra.Item{ID: id, Expr: &algebra.Col{T: d.q.Column(id).T, ID: id}})
	}
	rel = p
	variants := oldVariants(t.others)
	if len(variants) > maxParts {
		d.why = "too many tables are joined to those that change"
		return candidates{}
	}
	for _, old := range variants {
		c := algebra.NewCopier(d.q)
		right := c.Rel(gone(p, old))
		for _, s := range old {
			d.with = append(d.with, s.Table.OID)
		}
		set := &algebra.SetOp{Kind: algebra.Union, All: true, Left: rel, Right: right}
		to := map[algebra.ColID]algebra.ColID{}
		for _, id := range cols {
			to[id] = d.q.NewColumn(*d.q.Column(id))
			set.Cols = append(set.Cols, to[id])
		}
		for i := range on {
			on[i] = renamed(on[i], rel.Columns(), set.Cols)
		}
		rel = set
	}
	if len(cols) == 0 {
		one := &algebra.Const{T: algebra.T{Typ: types.Int8, M: types.NoTypmod}, Value: types.NewInt(1)}
		return candidates{&algebra.Limit{Input: rel, Count: one}, on}
	}
	return candidates{&algebra.DistinctRows{Input: rel}, on}
}

// renamed is an expression with other columns.
func renamed(e algebra.Scalar, from, to []algebra.ColID) algebra.Scalar {
	w := &algebra.Rewriter{Scalar: func(s algebra.Scalar) (algebra.Scalar, bool) {
		c, ok := s.(*algebra.Col)
		if !ok {
			return nil, false
		}
		if i := slices.Index(from, c.ID); i >= 0 {
			return &algebra.Col{T: c.T, ID: to[i], Place: c.Place}, true
		}
		return c, true
	}}
	return w.RewriteScalar(e)
}

// oldVariants are the choices of joined tables whose rows that have left are read instead of those there are; not the choice of
// none.
func oldVariants(list []*joined) (out [][]*algebra.Scan) {
	var old []*algebra.Scan
	for _, j := range list {
		if j.old {
			old = append(old, j.scan)
		}
	}
	for mask := 1; mask < 1<<len(old); mask++ {
		var choice []*algebra.Scan
		for i, s := range old {
			if mask>>i&1 == 1 {
				choice = append(choice, s)
			}
		}
		out = append(out, choice)
	}
	return out
}

// gone is a relation with old rows in the place of some tables.
func gone(r algebra.Rel, scans []*algebra.Scan) algebra.Rel {
	w := &algebra.Rewriter{Rel: func(r algebra.Rel) (algebra.Rel, bool) {
		s, ok := r.(*algebra.Scan)
		if !ok || !slices.Contains(scans, s) {
			return nil, false
		}
		c := *s
		c.Transition = algebra.OldRows
		return &c, true
	}}
	return w.RewriteRel(r)
}

// reduce leaves out of a term the joined tables that are not needed to say the conditions on. within are the conditions of the
// term over its own columns. A column that equals one of the changed row stands for it; and where a table is joined by its whole
// primary key and that is part of what is sought already, its other columns say nothing new.
func reduce(t *term, within, on []algebra.Scalar) (*term, []algebra.Scalar) {
	driver := algebra.ColsOf(t.driver.Columns()...)
	same := equalities(within)
	on = slices.Clone(on)
	for i, c := range on {
		on[i] = replaced(c, func(c *algebra.Col) algebra.Scalar {
			if driver.Has(c.ID) {
				return nil
			}
			for _, e := range same.class(c.ID) {
				if driver.Has(e.ID) {
					return e
				}
			}
			return nil
		})
	}
	determined := algebra.ColSet{}
	sought := algebra.ColSet{}
	for _, c := range on {
		algebra.ScalarColumns(c, sought)
	}
	for _, j := range t.others {
		pk := j.scan.Table.PrimaryKey()
		if pk == nil {
			continue
		}
		whole := true
		for _, k := range pk.Keys {
			found := false
			for _, c := range j.scan.Cols {
				if c.Number != k.Column || k.Column <= 0 {
					continue
				}
				for _, e := range same.class(c.ID) {
					found = found || driver.Has(e.ID) && sought.Has(e.ID)
				}
			}
			whole = whole && found
		}
		if whole {
			determined.Add(j.scan.Columns()...)
		}
	}
	var kept []algebra.Scalar
	needed := map[*joined]bool{}
	for _, c := range on {
		used := algebra.ColSet{}
		algebra.ScalarColumns(c, used)
		drop := false
		for id := range used {
			drop = drop || determined.Has(id)
		}
		if drop {
			continue
		}
		for _, j := range t.others {
			needed[j] = needed[j] || usesAny(used, j.scan.Columns())
		}
		kept = append(kept, c)
	}
	out := &term{driver: t.driver, others: slices.Clone(t.others), known: maps.Clone(t.known)}
	for i := len(out.others) - 1; i >= 0; i-- {
		if rest := slices.Delete(slices.Clone(out.others), i, i+1); !needed[out.others[i]] && linked(t.driver, rest, within) {
			out.others = rest
		}
	}
	own := algebra.ColSet{}
	for _, s := range out.scans() {
		own.Add(s.Columns()...)
	}
	for _, c := range within {
		used := algebra.ColSet{}
		algebra.ScalarColumns(c, used)
		only := true
		for id := range used {
			only = only && own.Has(id)
		}
		if only {
			out.conds = append(out.conds, c)
		}
	}
	return out, kept
}

func usesAny(used algebra.ColSet, columns []algebra.ColID) bool {
	return slices.ContainsFunc(columns, used.Has)
}

// linked reports whether conditions link all of the joined tables to the changed one, some by way of others.
func linked(driver *algebra.Scan, list []*joined, conds []algebra.Scalar) bool {
	have := algebra.ColsOf(driver.Columns()...)
	rest := slices.Clone(list)
	for again := true; again && len(rest) > 0; {
		again = false
		for i, j := range rest {
			own := algebra.ColsOf(j.scan.Columns()...)
			link := slices.ContainsFunc(conds, func(c algebra.Scalar) bool {
				used := algebra.ColSet{}
				algebra.ScalarColumns(c, used)
				here, there := false, false
				for id := range used {
					switch {
					case own.Has(id):
						here = true
					case have.Has(id):
						there = true
					default:
						return false
					}
				}
				return here && there
			})
			if link {
				have.Add(j.scan.Columns()...)
				rest = slices.Delete(rest, i, i+1)
				again = true
				break
			}
		}
	}
	return len(rest) == 0
}

func replaced(e algebra.Scalar, by func(c *algebra.Col) algebra.Scalar) algebra.Scalar {
	w := &algebra.Rewriter{Scalar: func(s algebra.Scalar) (algebra.Scalar, bool) {
		if c, ok := s.(*algebra.Col); ok {
			if e := by(c); e != nil {
				return e, true
			}
			return c, true
		}
		return nil, false
	}}
	return w.RewriteScalar(e)
}

// classes are sets of columns that equal each other.
type classes [][]*algebra.Col

// equalities finds the columns of one type that conditions make equal.
func equalities(conds []algebra.Scalar) (list classes) {
	for _, c := range conds {
		call, ok := c.(*algebra.Call)
		if !ok || call.Op != "=" || len(call.Args) != 2 || !call.Func.Strict {
			continue
		}
		a, okA := call.Args[0].(*algebra.Col)
		b, okB := call.Args[1].(*algebra.Col)
		if !okA || !okB || a.Typ != b.Typ {
			continue
		}
		merged := append(slices.Clone(list.class(a.ID)), list.class(b.ID)...)
		merged = append(merged, a, b)
		list = slices.DeleteFunc(list, func(l []*algebra.Col) bool {
			return slices.ContainsFunc(l, func(c *algebra.Col) bool { return c.ID == a.ID || c.ID == b.ID })
		})
		list = append(list, merged)
	}
	return list
}

// class are the columns that equal one.
func (list classes) class(id algebra.ColID) []*algebra.Col {
	for _, l := range list {
		if slices.ContainsFunc(l, func(c *algebra.Col) bool { return c.ID == id }) {
			return l
		}
	}
	return nil
}
