package views

import "slices"

// insert makes the base rows of each new view row: of a parent, that is of a table of which a row may be in many rows of the
// view or that another one refers to, if there is none with its key; of a table that may be missing, if something is given for
// it; of all other tables always.
func (p *push) insert() outcome {
	if p.f.anchors(p.d) == nil {
		return refused("55000", "no table's key is the view's")
	}
	if !slices.Contains(p.preserved, true) {
		return refused("0A000", "every table that tells rows of the view apart may be missing")
	}
	parent := p.parents()
	before := snapshot(evaluate(p.d, p.view, false))
	about := map[string]bool{}
	p.fresh = map[*row]int{}
	main := p.main()
	given := p.given()
	var made []found
	var mains []*row
	var asides []*aside
	var all []map[at]value
	var wrong []outcome // if the row is not put aside
	for n, values := range given {
		var o outcome
		if given[n], o = p.assigned(values); o.code != "" {
			return o
		}
	}
	for _, values := range given {
		known, o := p.known(values, parent)
		all, wrong = append(all, known), append(wrong, o)
	}
	var kept [][]value
	var keptKnown []map[at]value
	var owns []*row
	for n, values := range given {
		known := all[n]
		own, o := p.proposed(main, known)
		if o.code != "" {
			return o
		}
		if p.conflict != nil {
			a, o := p.meet(main, own, mains, asides)
			if o.code != "" {
				return o
			}
			if a != nil {
				asides = append(asides, a)
				continue
			}
			mains = append(mains, own)
		}
		if wrong[n].code != "" {
			return wrong[n]
		}
		kept, keptKnown, owns = append(kept, values), append(keptKnown, known), append(owns, own)
		made = append(made, found{bases: make([]*row, len(p.f.tables))})
	}
	for _, i := range p.order(main) {
		for n, values := range kept {
			known, bases := keptKnown[n], made[n].bases
			t := p.d.tables[p.f.tables[i]]
			if p.f.missing[i] && !p.wanted(i, values) {
				continue
			}
			there, o := p.match(i, known, main, parent[i])
			if o.code != "" {
				return o
			}
			if there != nil {
				bases[i] = there
				continue
			}
			r := owns[n]
			if i != main {
				if r, o = p.proposed(i, known); o.code != "" {
					return o
				}
			}
			t.rows = append(t.rows, r)
			p.fresh[r] = i
			bases[i] = r
		}
	}
	for _, a := range asides {
		for i, v := range a.set {
			a.there.values[p.f.columns[p.conflict.set[i].column].at.column] = v
		}
	}
	if o := p.d.generate(); o.code != "" {
		return o
	}
	if o := p.constraints(); o.code != "" {
		return o
	}
	out := outcome{count: len(made), after: p.d}
	linked := evaluate(p.d, p.view, true)
	for i, m := range made {
		n := slices.IndexFunc(linked, func(x found) bool {
			for k, base := range m.bases {
				if base != nil && x.bases[k] != base {
					return false
				}
			}
			return true
		})
		if n < 0 {
			return refused("44000", "the new row is not in the join")
		}
		if o := p.checkOption(linked[n]); o.code != "" {
			return o
		}
		for k, c := range p.columns {
			if v := linked[n].values[c]; v != kept[i][k] {
				return refused("44000", "column %s would show %s, not %s", p.view.columns[c].name, v, kept[i][k])
			}
		}
		about[p.identity(linked[n])] = true
		out.answer(p, linked[n])
	}
	for _, a := range asides {
		if !a.updated {
			continue
		}
		now := p.seenFrom(main, a.there)
		if o := p.checkOption(now); o.code != "" {
			return o
		}
		about[p.identity(now)] = true
		out.count++
		out.answer(p, now)
	}
	if o := p.others(before, about, nil); o.code != "" {
		return o
	}
	slices.Sort(out.returning)
	return out
}

// order is that in which rows are made for the occurrences: first for the one that has a row for each row of the view.
func (p *push) order(main int) []int {
	out := []int{main}
	for i := range p.f.tables {
		if i != main {
			out = append(out, i)
		}
	}
	return out
}

// assigned are the values given, as the view's columns can hold them.
func (p *push) assigned(values []value) (out []value, o outcome) {
	for k, c := range p.columns {
		v, o := p.kinds[c].assign(values[k])
		if o.code != "" {
			return nil, o
		}
		out = append(out, v)
	}
	return out, outcome{}
}

// proposed is the row of an occurrence that is made of what is known.
func (p *push) proposed(i int, known map[at]value) (*row, outcome) {
	t := p.d.tables[p.f.tables[i]]
	r := &row{}
	for c, k := range t.kinds {
		v, ok := known[at{i, c}]
		if !ok {
			v = p.defaultOf(t, c)
		}
		v, o := k.assign(v)
		if o.code != "" {
			return nil, o
		}
		r.values = append(r.values, v)
	}
	return r, t.generate(r)
}

// wanted reports whether a value that is not NULL is given for a column of an occurrence that may be missing.
func (p *push) wanted(i int, given []value) bool {
	for k, c := range p.columns {
		if p.f.columns[c].at.table == i && !given[k].null {
			return true
		}
	}
	return false
}

// parents tells which occurrences are parents; at least one is not.
func (p *push) parents() []bool {
	out := make([]bool, len(p.f.tables))
	for i := range p.f.tables {
		out[i] = !p.preserved[i]
		for k := range p.f.tables {
			for _, ref := range p.d.tables[p.f.tables[k]].refs {
				if i != k && p.preserved[k] && ref.table == p.f.tables[i] && slices.Contains(p.f.same(at{k, ref.column}), at{i, ref.toColumn}) {
					out[i] = true
				}
			}
		}
	}
	if anchors := p.f.anchors(p.d); !p.preserved[anchors[0]] {
		out[anchors[len(anchors)-1]] = false
	}
	if !slices.Contains(out, false) {
		out[slices.Index(p.preserved, true)] = false
	}
	return out
}

// known are the base columns that have a value: what was given, constants of the view, and of columns that the view equates the
// value of any of them. If none was given, it is that of a parent that is there, found by what is known; or else the default of
// one of the columns, parents first. A view of one table infers nothing, as in PostgreSQL.
func (p *push) known(given []value, parent []bool) (map[at]value, outcome) {
	out := map[at]value{}
	p.supplied = map[at]bool{}
	wrong := outcome{}
	hold := func(a at, v value) value {
		v, o := p.d.tables[p.f.tables[a.table]].kinds[a.column].assign(v)
		if o.code != "" && p.d.settable(p.f, a) {
			wrong = o
		}
		return v
	}
	supply := func(a at, v value) {
		for _, b := range p.equal(a) {
			out[b], p.supplied[b] = hold(b, v), true
		}
	}
	for k, c := range p.columns {
		c := p.f.columns[c]
		v := hold(c.at, given[k].add(-c.plus))
		if was, twice := out[c.at]; twice {
			if was != v {
				wrong = refused("44000", "two values for one column")
			}
			continue
		}
		if len(p.f.tables) == 1 {
			out[c.at] = v
			continue
		}
		supply(c.at, v)
	}
	if len(p.f.tables) == 1 {
		return out, wrong
	}
	for _, e := range p.f.equal {
		if _, ok := out[e.a]; e.constant && !ok {
			supply(e.a, e.value)
		}
	}
	settle := func(i, c int, v value) {
		for _, a := range p.equal(at{i, c}) {
			out[a] = hold(a, v)
		}
	}
	looked := map[int]bool{}
	for again := true; again; {
		again = false
		for i := range p.f.tables {
			key := p.key(i, out)
			if !parent[i] || looked[i] || key == nil || len(p.open(i, out)) == 0 {
				continue
			}
			looked[i], again = true, true
			there := p.find(i, key, out, false)
			for _, c := range p.open(i, out) {
				if there != nil {
					settle(i, c, there.values[c])
				} else {
					settle(i, c, p.classDefault(at{i, c}, parent))
				}
			}
		}
		for i := range p.f.tables {
			if list := p.open(i, out); !again && len(list) > 0 {
				settle(i, list[0], p.classDefault(at{i, list[0]}, parent))
				for _, c := range p.open(i, out) {
					settle(i, c, p.classDefault(at{i, c}, parent))
				}
				again = true
			}
		}
	}
	return out, wrong
}

// equal are the columns that have the same value in a new row of the view.
func (p *push) equal(a at) []at {
	f := *p.f
	for _, j := range p.f.outer {
		for _, c := range j.on {
			if e, ok := c.equation(); ok {
				f.equal = append(f.equal[:len(f.equal):len(f.equal)], e)
			}
		}
	}
	return f.same(a)
}

// open are the columns of an occurrence that others equal and that have no value yet.
func (p *push) open(i int, known map[at]value) []int {
	var out []int
	for c := range p.d.tables[p.f.tables[i]].columns {
		if _, ok := known[at{i, c}]; !ok && len(p.equal(at{i, c})) > 1 {
			out = append(out, c)
		}
	}
	return out
}

// classDefault is the default of a column or of one that equals it, parents first.
func (p *push) classDefault(a at, parent []bool) value {
	equal := p.equal(a)
	slices.SortFunc(equal, func(a, b at) int {
		if a.table != b.table {
			return a.table - b.table
		}
		return a.column - b.column
	})
	for _, parents := range []bool{true, false} {
		for _, b := range equal {
			if t := p.d.tables[p.f.tables[b.table]]; parent[b.table] == parents && (t.serial[b.column] != "" || !t.defaults[b.column].null) {
				return p.defaultOf(t, b.column)
			}
		}
	}
	return null
}

// key is the first key of an occurrence's table that is known.
func (p *push) key(i int, known map[at]value) []int {
	for _, key := range p.d.tables[p.f.tables[i]].keys {
		if !slices.ContainsFunc(key, func(c int) bool { _, ok := known[at{i, c}]; return !ok }) {
			return key
		}
	}
	return nil
}

// find finds the row of an occurrence's table that has the key known, among those inserted for it by this statement or among
// those that were there.
func (p *push) find(i int, key []int, known map[at]value, fresh bool) *row {
	for _, r := range p.d.tables[p.f.tables[i]].rows {
		if by, made := p.fresh[r]; made == fresh && (!made || by == i) && !slices.ContainsFunc(key, func(c int) bool { return r.values[c] != known[at{i, c}] || r.values[c].null }) {
			return r
		}
	}
	return nil
}

// match finds the row of an occurrence that has the key known: of a parent one that was there before, which must agree with
// everything that was supplied, or one that was inserted for it, which must agree with everything known; or one that the statement
// inserted for another occurrence of the table, if it agrees with everything supplied.
func (p *push) match(i int, known map[at]value, main int, parent bool) (*row, outcome) {
	t := p.d.tables[p.f.tables[i]]
	key := p.key(i, known)
	if key == nil {
		return nil, outcome{}
	}
	for _, r := range t.rows {
		if by, made := p.fresh[r]; i == main || !made || by == i || slices.ContainsFunc(key, func(c int) bool { return known[at{i, c}].null }) {
			continue
		}
		serves := true
		for c := range t.columns {
			if v, ok := known[at{i, c}]; ok && (p.supplied[at{i, c}] || slices.Contains(key, c)) {
				serves = serves && v == r.values[c]
			}
		}
		if serves {
			return r, outcome{}
		}
	}
	if !parent {
		return nil, outcome{}
	}
	return p.matchOwn(i, known)
}

// matchOwn finds the row of a parent that was there before or was inserted for it.
func (p *push) matchOwn(i int, known map[at]value) (*row, outcome) {
	t := p.d.tables[p.f.tables[i]]
	key := p.key(i, known)
	if key == nil {
		return nil, outcome{}
	}
	for _, fresh := range []bool{false, true} {
		r := p.find(i, key, known, fresh)
		if r == nil {
			continue
		}
		for c := range t.columns {
			v, ok := known[at{i, c}]
			if ok && (fresh || p.supplied[at{i, c}]) && v != r.values[c] {
				return nil, refused("23505", "a row of %s is there with other values", t.name)
			}
		}
		return r, outcome{}
	}
	return nil, outcome{}
}
