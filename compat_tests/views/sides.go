package views

import (
	"fmt"
	"slices"
)

// What outer joins leave out, and how it is made.

// anchors are the occurrences by whose rows the rows of the view are told apart, none if that is not possible: one whose key the
// view preserves; or one that is single where it is there, and for the rows that have none of it those of the view that is left without
// its side.
func (f *flat) anchors(d *database) []int {
	if i := slices.Index(f.preserved(d), true); i >= 0 {
		return []int{i}
	}
	var out []int
	gone := make([]bool, len(f.tables))
	for {
		best := -1
		var singles []int
		for i := range f.tables {
			whole, _ := f.closure(d, i, gone)
			if gone[i] || slices.Contains(whole, false) {
				continue
			}
			if !f.missing[i] {
				return append(out, i)
			}
			singles = append(singles, i)
		}
		for _, i := range singles { // one that is there if any other is
			implied := true
			for _, k := range singles {
				_, there := f.closure(d, k, gone)
				implied = implied && there[i]
			}
			if implied && best < 0 {
				best = i
			}
		}
		if best < 0 {
			return nil
		}
		out = append(out, best)
		f.leaveOut(gone, *f.side(best))
		for _, e := range f.equal {
			if gone[e.a.table] || !e.constant && gone[e.b.table] {
				return out // no row of the view lacks it
			}
		}
	}
}

// leaveOut takes away what is missing with a side.
func (f *flat) leaveOut(gone []bool, side outerJoin) {
	for _, i := range side.missing {
		gone[i] = true
	}
	for _, other := range f.outer {
		if !slices.ContainsFunc(other.missing, func(i int) bool { return !gone[i] }) {
			continue
		}
		for _, c := range other.on {
			if e, ok := c.equation(); ok && (gone[e.a.table] || !e.constant && gone[e.b.table]) {
				f.leaveOut(gone, other)
				break
			}
		}
	}
}

// side is the innermost outer join that may leave out an occurrence, nil if there is none.
func (f *flat) side(i int) *outerJoin {
	for k := range f.outer { // those within others come first
		if slices.Contains(f.outer[k].missing, i) {
			return &f.outer[k]
		}
	}
	return nil
}

// looked reports whether an outer join looks for rows by a column of its missing side.
func (f *flat) looked(a at) bool {
	for _, j := range f.outer {
		for _, c := range j.on {
			if slices.Contains(j.missing, a.table) && (c.a.at == a || !c.isNull && c.b.at == a) {
				return true
			}
		}
	}
	return false
}

// identity are the base rows that tell one row of the view from the others.
func (p *push) identity(r found) string {
	text := ""
	anchors := p.f.anchors(p.d)
	if anchors == nil {
		for i := range r.bases {
			anchors = append(anchors, i)
		}
	}
	for _, i := range anchors {
		text += fmt.Sprintf("%p ", r.bases[i])
	}
	return text
}

// instead reports whether a row of the view is the one that is shown where another one is not: the same but for anchors that are missing.
func (p *push) instead(lacks, has found) bool {
	some := false
	for _, i := range p.f.anchors(p.d) {
		if !some && lacks.bases[i] == nil && has.bases[i] != nil {
			continue
		}
		some = true
		if lacks.bases[i] != has.bases[i] {
			return false
		}
	}
	return some && lacks.bases[p.f.anchors(p.d)[0]] == nil
}

// givenFor reports whether a value that is not NULL is given for the side that an occurrence is of.
func (p *push) givenFor(i int, values map[at]value) bool {
	for a, v := range values {
		if slices.Contains(p.f.side(i).missing, a.table) && !v.null {
			return true
		}
	}
	return false
}

// make makes the rows that outer joins have left out of a view row, where a value that is not NULL is set for their side: columns
// that the joins compare have one value. A row that is there, and waited for others, is used.
func (p *push) make(r *found, set map[at]value) outcome {
	var list []int
	for i, base := range r.bases {
		if base == nil && p.givenFor(i, set) {
			list = append(list, i)
		}
	}
	if len(list) == 0 {
		return outcome{}
	}
	known := map[at]value{}
	p.supplied = map[at]bool{}
	wrong := outcome{}
	settle := func(a at, v value, supplied bool) {
		for _, b := range p.equal(a) {
			if _, ok := known[b]; ok {
				continue
			}
			v, o := p.d.tables[p.f.tables[b.table]].kinds[b.column].assign(v)
			if o.code != "" && slices.Contains(list, b.table) {
				wrong = o
			}
			known[b], p.supplied[b] = v, supplied
		}
	}
	for a, v := range set {
		settle(a, v, true)
	}
	for i, base := range r.bases {
		for c := range p.d.tables[p.f.tables[i]].columns {
			if base != nil {
				settle(at{i, c}, base.values[c], true)
			}
		}
	}
	for _, e := range p.constants() {
		settle(e.a, e.value, true)
	}
	for _, i := range list { // found by what is known so far, and that may be all that is known of others
		if key := p.key(i, known); key != nil {
			if there := p.find(i, key, known, false); there != nil {
				for c, v := range there.values {
					settle(at{i, c}, v, false)
				}
			}
		}
	}
	for _, i := range list {
		for c := range p.d.tables[p.f.tables[i]].columns {
			if _, ok := known[at{i, c}]; !ok && len(p.equal(at{i, c})) > 1 {
				settle(at{i, c}, p.classDefault(at{i, c}, p.parents()), false)
			}
		}
	}
	if wrong.code != "" {
		return wrong
	}
	r.bases = slices.Clone(r.bases)
	for _, i := range list {
		there, o := p.matchOwn(i, known)
		if o.code != "" {
			return o
		}
		if there == nil {
			t := p.d.tables[p.f.tables[i]]
			if there, o = p.proposed(i, known); o.code != "" {
				return o
			}
			t.rows = append(t.rows, there)
			p.fresh[there] = i
		}
		r.bases[i] = there
	}
	return outcome{}
}

// constants are the equations with constants, of outer joins too.
func (p *push) constants() (list []equation) {
	all := slices.Clone(p.f.equal)
	for _, j := range p.f.outer {
		for _, c := range j.on {
			if e, ok := c.equation(); ok {
				all = append(all, e)
			}
		}
	}
	for _, e := range all {
		if e.constant {
			list = append(list, e)
		}
	}
	return list
}
