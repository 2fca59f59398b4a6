package bind

import (
	"slices"

	"holdfast/sql/algebra"
	"holdfast/sql/catalog"
)

// An INSERT through a join view must show the rows given and no others. Rows of other tables may have waited for a new row; and where
// a table is there in several roles, new rows may refer to each other in another way than the rows given say. What the key graph and
// foreign keys do not exclude is verified afterwards, like an UPDATE: see verifyUpdate.

// verify gives the statement its verification, if it needs one.
func (j *joinInsert) verify(out *algebra.Insert) {
	places := j.placesToVerify()
	if len(places) == 0 {
		return
	}
	v := &algebra.ViewVerify{View: j.w.view, Bases: []int{j.main.i}, Tables: []*catalog.Table{j.main.base.table}, Meant: make([]scalar, len(j.w.flat.cols))}
	for _, i := range places {
		base := j.w.bases[i]
		v.Roles = append(v.Roles, algebra.ViewRole{Base: i, Table: base.table, Alias: base.src.name, Target: -1})
	}
	if j.hasRoles() { // what one part inserts may show where another was looked for
		r := j.rewriter()
		for i, c := range j.w.flat.cols {
			v.Meant[i] = r.RewriteScalar(c.expr)
		}
	}
	j.b.writeParts++
	out.Part, out.Verify = j.b.writeParts, v
	for _, p := range j.parts {
		if p.insert != nil {
			p.insert.Part = out.Part
		}
	}
}

// inserts reports whether the statement may insert rows into the table of a place through a part.
func (j *joinInsert) inserts(p *insertPart, place int) bool {
	return (p == j.main || p.cte != nil) && p.base.table.OID == j.w.bases[place].table.OID
}

// hasRoles reports whether rows that are inserted for one place of the view may show in another.
func (j *joinInsert) hasRoles() bool {
	for i := range j.w.bases {
		if slices.ContainsFunc(j.parts, func(p *insertPart) bool { return p.i != i && j.inserts(p, i) }) {
			return true
		}
	}
	return false
}

// placesToVerify are the places of the view of which one has a new row in every row of the view that appears without being meant.
//
// A place needs no look if each new row of its table is inserted for that place and is in one row of the view at most: that is the one
// that was meant. Nor if a foreign key says that a row in another place refers to its row: such a row must be new as well, and
// that place is looked at, or excluded in turn.
func (j *joinInsert) placesToVerify() []int {
	const (
		open     = iota
		settled  // can have no new row, or only as it was meant, or follows from another place
		verified // must be looked at
	)
	n := len(j.w.bases)
	state := make([]int, n)
	referring := make([][]int, n) // places that a foreign key leads from
	for i := range state {
		meant := true
		for _, p := range j.parts {
			meant = meant && (!j.inserts(p, i) || p.i == i && j.g.single[i])
		}
		if meant {
			state[i] = settled
		}
		for k := range state {
			if k != i && j.waitsForNone(k, i) {
				referring[i] = append(referring[i], k)
			}
		}
	}
	for {
		changed := false
		for i := range state {
			if state[i] != open {
				continue
			}
			if slices.ContainsFunc(referring[i], func(k int) bool { return state[k] != open }) {
				state[i], changed = settled, true
			} else if len(referring[i]) == 0 {
				state[i], changed = verified, true
			}
		}
		if changed {
			continue
		}
		next := slices.Index(state, open)
		if next < 0 {
			break
		}
		state[next] = verified // they refer to each other
	}
	var out []int
	for i, s := range state {
		if s == verified {
			out = append(out, i)
		}
	}
	return out
}

// waitsForNone reports whether a foreign key says that in each row of the view that has a row in place i, place k has one that refers to
// it: then no row that was there before can have waited for a new one.
func (j *joinInsert) waitsForNone(k, i int) bool {
	bases := j.w.flat.bases
	equal := slices.Clone(j.g.equations)
	for _, o := range j.g.f.outer {
		if o.within(bases[i]) && !o.full { // there is a row in place i, so it has been found
			equal = append(equal, equationsOf(o.on)...)
		}
	}
	class := map[baseColumn]int{}
	number := func(at baseColumn) int {
		if class[at] == 0 {
			class[at] = len(class) + 1
		}
		return class[at]
	}
	for _, e := range equal {
		a, ok1 := j.g.at[e.a]
		b, ok2 := j.g.at[e.b]
		if e.b == 0 || !ok1 || !ok2 {
			continue
		}
		if from, to := number(a), number(b); from != to {
			for at, n := range class {
				if n == from {
					class[at] = to
				}
			}
		}
	}
	for _, c := range j.w.bases[k].table.Constraints {
		if c.Kind != catalog.ForeignKeyConstraint || c.RefTable != j.w.bases[i].table.OID || c.Deferrable || c.NotValid {
			continue
		}
		all := len(c.Columns) > 0
		for n := range c.Columns {
			from, to := class[baseColumn{k, c.Columns[n]}], class[baseColumn{i, c.RefColumns[n]}]
			all = all && from != 0 && from == to
		}
		if all {
			return true
		}
	}
	return false
}
