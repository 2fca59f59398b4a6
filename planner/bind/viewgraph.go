package bind

import (
	"holdfast/sql/algebra"
	"holdfast/sql/catalog"
	"holdfast/sql/types"
)

// keyGraph is what the conditions and unique keys of a join tell about which rows go together. Everything that is said about a join
// view is read off it: which columns can be set and where they are written, what DELETE removes, what has to be checked after a write.
//
// It is a closure of functional dependencies. A row of one table is known; so are the columns that conditions equate with known ones
// or with constants; a table of which a unique key is known is known as a whole. Keys with nullable columns serve as well: what is
// known by equality is not NULL. (A graph of foreign keys would say less: they are not needed for a key to be unique, and do not tell
// what conditions fix.)
type keyGraph struct {
	f  *flatView
	at map[algebra.ColID]baseColumn
	// equations hold in every row of the view.
	equations []equation
	// preserved[i]: a row of table i occurs in one row of the view at most, because it fixes the rows of all other tables, and every
	// row of the view has one.
	preserved []bool
	// single[i]: a row of table i occurs in one row of the view at most; on the missing side of an outer join, of those that show it.
	single []bool
	fixes  [][]bool // fixes[i][j]: a row of table i fixes that of table j, or that there is none
	// anchors are the tables by which the rows of the view are told apart: see findAnchors. Without any the view cannot be written.
	anchors []int
	asked   map[catalog.OID]bool
}

// baseColumn is a column of one of the base tables.
type baseColumn struct {
	base   int
	number int16
}

// equation says that two columns are equal, or, with b 0, that one has a fixed value.
type equation struct {
	a, b  algebra.ColID
	value scalar
}

// equationOf recognises a = b and a = constant, conversions that were not written aside.
func equationOf(e scalar) (equation, bool) {
	c, ok := e.(*algebra.Call)
	if !ok || c.Op != "=" || len(c.Args) != 2 {
		return equation{}, false
	}
	l, r := columnUnder(c.Args[0]), columnUnder(c.Args[1])
	switch {
	case l != 0 && r != 0:
		return equation{a: l, b: r}, true
	case l != 0 && !hasColumn(c.Args[1]) && !volatile(c.Args[1]):
		return equation{a: l, value: c.Args[1]}, true
	case r != 0 && !hasColumn(c.Args[0]) && !volatile(c.Args[0]):
		return equation{a: r, value: c.Args[0]}, true
	}
	return equation{}, false
}

// merges reports whether an implicit conversion may make one of different values, which are then not known by what they are compared
// with.
func merges(from, to *types.Type) bool {
	from, to = from.Underlying(), to.Underlying()
	switch to {
	case types.Float4, types.Float8:
		return from != types.Float4 && from != types.Float8
	case types.TimestampTZ, types.TimeTZType:
		return from != to
	}
	return false
}

// widens reports whether a conversion is one between numbers or texts that loses nothing.
func widens(from, to *types.Type) bool {
	from, to = from.Underlying(), to.Underlying()
	return lossless(from, to) && (additive(from) || from == types.Text || from == types.Varchar) && (additive(to) || to == types.Text && !additive(from))
}

func equationsOf(conds []scalar) (out []equation) {
	for _, c := range conds {
		if e, ok := equationOf(c); ok {
			out = append(out, e)
		}
	}
	return out
}

// columnUnder is the column that an expression shows, conversions aside that tell different values apart and that comparing columns of
// two types makes. A stored view has them written out.
func columnUnder(e scalar) algebra.ColID {
	for {
		switch x := e.(type) {
		case *algebra.Col:
			return x.ID
		case *algebra.Cast:
			if !widens(x.Arg.Type(), x.Type()) && (!x.Implicit || merges(x.Arg.Type(), x.Type())) {
				return 0
			}
			e = x.Arg
		default:
			return 0
		}
	}
}

// always are the conditions that hold of every row of the view, those of the views under it included if no outer join leaves them out.
func (f *flatView) always() []scalar {
	out := append([]scalar(nil), f.conds...)
	for _, l := range f.levels {
		if l.cond != nil && l.side == nil {
			out = append(out, conjuncts(l.cond)...)
		}
	}
	return out
}

// keys is the key graph of the view.
func (f *flatView) keys() *keyGraph {
	if f.graph != nil {
		return f.graph
	}
	g := &keyGraph{f: f, at: map[algebra.ColID]baseColumn{}}
	for i, base := range f.bases {
		for _, c := range base.src.scan.Cols {
			g.at[c.ID] = baseColumn{i, c.Number}
		}
	}
	g.equations = equationsOf(f.always())
	n := len(f.bases)
	g.preserved, g.single, g.fixes = make([]bool, n), make([]bool, n), make([][]bool, n)
	for i, base := range f.bases {
		g.fixes[i], _ = g.closure(i, nil)
		g.single[i] = true
		for _, fixed := range g.fixes[i] {
			g.single[i] = g.single[i] && fixed
		}
		g.preserved[i] = n == 1 || g.single[i] && !base.nullable
	}
	g.anchors = g.findAnchors()
	f.graph = g
	return g
}

// within reports whether a table is on the side of an outer join that may be missing.
func (j *outerJoin) within(base *flatBase) bool {
	for _, m := range j.missing {
		if m == base {
			return true
		}
	}
	return false
}

// closure finds the tables, of those left (nil: all), that a row of table i fixes, and those that are there if it is.
func (g *keyGraph) closure(i int, left []bool) (whole, there []bool) {
	bases := g.f.bases
	whole, there = make([]bool, len(bases)), make([]bool, len(bases))
	whole[i], there[i] = true, true
	known := map[baseColumn]bool{}
	changed := true
	has := func(id algebra.ColID) bool {
		c, ok := g.at[id]
		return ok && (whole[c.base] || known[c])
	}
	learn := func(id algebra.ColID) {
		if c, ok := g.at[id]; ok && inLeft(left, c) && !whole[c.base] && !known[c] {
			known[c], changed = true, true
		}
	}
	both := func(e equation) {
		if e.b == 0 || has(e.b) {
			learn(e.a)
		}
		if e.b != 0 && has(e.a) {
			learn(e.b)
		}
	}
	// holds is an equation that is known to be true, of values that are not NULL: so the rows of its columns are there.
	holds := func(e equation) {
		for _, id := range []algebra.ColID{e.a, e.b} {
			if c, ok := g.at[id]; ok && inLeft(left, c) && !there[c.base] {
				there[c.base], changed = true, true
			}
		}
		both(e)
	}
	missing := func(j *outerJoin, id algebra.ColID) bool {
		c, ok := g.at[id]
		return ok && j.within(bases[c.base])
	}
	for changed {
		changed = false
		for _, e := range g.equations {
			holds(e)
		}
		for _, j := range g.f.outer {
			if j.full {
				continue
			}
			// If a row of the missing side is there, then that side is not missing. Otherwise the kept side fixes the columns it is
			// compared with, not the other way round.
			is := false
			for k, base := range bases {
				is = is || there[k] && j.within(base)
			}
			for _, e := range equationsOf(j.on) {
				switch {
				case is:
					holds(e)
				case e.b == 0:
					if missing(j, e.a) {
						learn(e.a)
					}
				case missing(j, e.a) && missing(j, e.b):
					both(e)
				case missing(j, e.a) && has(e.b):
					learn(e.a)
				case missing(j, e.b) && has(e.a):
					learn(e.b)
				}
			}
		}
		for j, base := range bases {
			if !whole[j] && hasKey(base.src.base, func(n int16) bool { return known[baseColumn{j, n}] }) {
				whole[j], changed = true, true
			}
		}
	}
	return whole, there
}

// hasKey reports whether the columns known hold a unique key of a table. Since they are known by equality they
// are not NULL, and so keys with nullable columns serve as well.
func hasKey(t *catalog.Table, known func(int16) bool) bool {
	for _, x := range t.Indexes {
		if !x.Unique || x.Invalid || x.Predicate != "" || deferrable(t, x) {
			continue
		}
		all := true
		for _, k := range x.Keys {
			all = all && k.Column != 0 && known(k.Column)
		}
		if all {
			return true
		}
	}
	return false
}

// asks are the tables that subqueries of the view read: in its conditions, and in its columns. Where one of them changes, any row of the
// view may.
func (g *keyGraph) asks() map[catalog.OID]bool {
	if g.asked != nil {
		return g.asked
	}
	g.asked = map[catalog.OID]bool{}
	seen := map[*algebra.CTE]bool{}
	var v *algebra.Visitor
	v = &algebra.Visitor{Rel: func(r algebra.Rel) bool {
		switch r := r.(type) {
		case *algebra.Scan:
			g.asked[r.Table.OID] = true
		case *algebra.CTEScan:
			if !seen[r.CTE] {
				seen[r.CTE] = true
				v.VisitRel(r.CTE.Rel)
			}
		}
		return true
	}}
	for _, c := range g.f.always() {
		v.VisitScalar(c)
	}
	for _, j := range g.f.outer {
		for _, c := range j.on {
			v.VisitScalar(c)
		}
	}
	for _, c := range g.f.cols {
		v.VisitScalar(c.expr)
	}
	return g.asked
}

// equated are the columns equal to a column in every row of the join, itself included.
func (g *keyGraph) equated(id algebra.ColID) []baseColumn {
	set := algebra.ColsOf(id)
	list := []algebra.ColID{id}
	for changed := true; changed; {
		changed = false
		for _, e := range g.equations {
			if e.b == 0 || set.Has(e.a) == set.Has(e.b) {
				continue
			}
			next := e.a
			if set.Has(e.a) {
				next = e.b
			}
			set.Add(next)
			list = append(list, next)
			changed = true
		}
	}
	var out []baseColumn
	for _, id := range list {
		if c, ok := g.at[id]; ok {
			out = append(out, c)
		}
	}
	return out
}

// tables are the tables that columns of an expression belong to.
func (g *keyGraph) tables(e scalar) map[int]bool {
	cols := algebra.ColSet{}
	algebra.ScalarColumns(e, cols)
	out := map[int]bool{}
	for id := range cols {
		if c, ok := g.at[id]; ok {
			out[c.base] = true
		}
	}
	return out
}

// links are the conditions over several tables, which say which rows belong together: those that hold of every row, and those of
// outer joins.
func (g *keyGraph) links() (always, outer []scalar) {
	for _, c := range g.f.always() {
		if len(g.tables(c)) > 1 {
			always = append(always, c)
		}
	}
	for _, j := range g.f.outer {
		outer = append(outer, j.on...)
	}
	return always, outer
}

// linked reports whether a column stands in a condition over several tables.
func (g *keyGraph) linked(id algebra.ColID) bool {
	always, outer := g.links()
	for _, c := range append(always, outer...) {
		if len(g.tables(c)) < 2 {
			continue
		}
		cols := algebra.ColSet{}
		algebra.ScalarColumns(c, cols)
		if cols.Has(id) {
			return true
		}
	}
	return false
}

// joinedBy reports whether an outer join looks for the rows of its missing side by a column of that side.
func (g *keyGraph) joinedBy(id algebra.ColID) bool {
	c, ok := g.at[id]
	if !ok {
		return false
	}
	for _, j := range g.f.outer {
		if !j.within(g.f.bases[c.base]) {
			continue
		}
		for _, on := range j.on {
			cols := algebra.ColSet{}
			algebra.ScalarColumns(on, cols)
			if cols.Has(id) {
				return true
			}
		}
	}
	return false
}

// alone is the outer join that leaves out a table by itself, so that INSERT can make a row of it and of no other; nil if there is none.
func (g *keyGraph) alone(i int) *outerJoin {
	if sides := g.sidesOf(i); len(sides) == 1 && !sides[0].full && len(sides[0].missing) == 1 {
		return sides[0]
	}
	return nil
}

// anyPreserved reports whether a table of the join is key-preserved. Then it is the only anchor.
func (g *keyGraph) anyPreserved() bool { return len(g.anchors) > 0 && g.preserved[g.anchors[0]] }

// joinsBy reports whether some columns stand in a condition over several tables.
func (g *keyGraph) joinsBy(columns map[baseColumn]bool) bool {
	always, outer := g.links()
	for _, cond := range append(always[:len(always):len(always)], outer...) {
		ids := algebra.ColSet{}
		algebra.ScalarColumns(cond, ids)
		for id := range ids {
			if at, ok := g.at[id]; ok && columns[at] {
				return true
			}
		}
	}
	return false
}
