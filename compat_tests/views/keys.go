package views

import "slices"

// What the keys and equations of a view tell, found by trying.

// closure are the occurrences that a row of one of them determines: those of which all columns of a key are equal to something known; and
// those that are there if it is. What is gone counts as determined.
func (f *flat) closure(d *database, from int, gone []bool) (whole, there []bool) {
	if gone == nil {
		gone = make([]bool, len(f.tables))
	}
	whole, there = slices.Clone(gone), make([]bool, len(f.tables))
	whole[from], there[from] = true, true
	known := map[at]bool{}
	knows := func(a at) bool { return !gone[a.table] && (whole[a.table] || known[a]) }
	for again := true; again; {
		again = false
		learn := func(a at) {
			if !gone[a.table] && !knows(a) {
				known[a], again = true, true
			}
		}
		both := func(e equation) {
			if e.constant || knows(e.b) {
				learn(e.a)
			}
			if !e.constant && knows(e.a) {
				learn(e.b)
			}
		}
		holds := func(e equation) {
			both(e)
			for _, a := range []at{e.a, e.b} {
				if (!e.constant || a == e.a) && !gone[a.table] && !there[a.table] {
					there[a.table], again = true, true
				}
			}
		}
		for _, e := range f.equal {
			holds(e)
		}
		for _, j := range f.outer {
			is := slices.ContainsFunc(j.missing, func(i int) bool { return there[i] })
			for _, c := range j.on {
				e, ok := c.equation()
				if !ok {
					continue
				}
				inside := func(a at) bool { return slices.Contains(j.missing, a.table) }
				switch {
				case is:
					holds(e) // a row of the side is there, so it is not missing
				case !e.constant && inside(e.a) && inside(e.b):
					both(e)
				case e.constant:
					if inside(e.a) {
						learn(e.a)
					}
				case inside(e.b) && knows(e.a):
					learn(e.b)
				case inside(e.a) && knows(e.b):
					learn(e.a)
				}
			}
		}
		for i, t := range f.tables {
			for _, key := range d.tables[t].keys {
				if !whole[i] && !slices.ContainsFunc(key, func(c int) bool { return !known[at{i, c}] }) {
					whole[i], again = true, true
				}
			}
		}
	}
	return whole, there
}

// single are the occurrences of which a row is in one row of the view at most.
func (f *flat) single(d *database) []bool {
	out := make([]bool, len(f.tables))
	for i := range f.tables {
		whole, _ := f.closure(d, i, nil)
		out[i] = !slices.Contains(whole, false)
	}
	return out
}

// preserved are the occurrences whose key is one of the view's: single ones that are never missing.
func (f *flat) preserved(d *database) []bool {
	out := f.single(d)
	for i := range out {
		out[i] = out[i] && !f.missing[i]
	}
	return out
}

// deleted are the occurrences that DELETE removes rows of, none if it is refused: those that the view names, or else the single ones,
// unless one table is there twice.
func (f *flat) deleted(d *database) []int {
	if list, ok := f.view.chosen(d); ok {
		return list
	}
	if f.anchors(d) == nil {
		return nil
	}
	var out []int
	for i, single := range f.single(d) {
		if !single {
			continue
		}
		if slices.ContainsFunc(out, func(k int) bool { return f.tables[k] == f.tables[i] }) {
			return nil
		}
		out = append(out, i)
	}
	return out
}

// chosen are the occurrences that DELETE removes rows of because the view says so: a table, or what DELETE through a view under
// it would remove rows of. A view of one item chooses what that has chosen.
func (v *view) chosen(d *database) (list []int, ok bool) {
	first := 0
	for _, x := range v.items {
		inner := 1
		if x.view != nil {
			inner = len(flatten(d, x.view).tables)
		}
		switch {
		case v.deleteFrom == x.alias && (x.left || x.view != nil && slices.Contains(flatten(d, x.view).missing, true)):
			return nil, true
		case v.deleteFrom == x.alias && x.view == nil:
			return []int{first}, true
		case v.deleteFrom == x.alias:
			for _, i := range flatten(d, x.view).deleted(d) {
				list = append(list, first+i)
			}
			return list, true
		case v.deleteFrom == "" && len(v.items) == 1 && x.view != nil:
			return x.view.chosen(d)
		}
		first += inner
	}
	return nil, false
}

// alone is the outer join that leaves out an occurrence and no other, nil if there is none.
func (f *flat) alone(i int) *outerJoin {
	var found *outerJoin
	for k := range f.outer {
		if slices.Contains(f.outer[k].missing, i) {
			if found != nil || len(f.outer[k].missing) > 1 {
				return nil
			}
			found = &f.outer[k]
		}
	}
	return found
}

// joined reports whether a column stands in a condition over several tables.
func (f *flat) joined(a at) bool {
	list := slices.Clone(f.links)
	for _, j := range f.outer {
		list = append(list, j.on...)
	}
	return slices.ContainsFunc(list, func(c flatCondition) bool { return c.spans() && (c.a.at == a || c.b.at == a) })
}

// roles reports whether a table is there in several roles.
func (f *flat) roles() bool {
	for i, t := range f.tables {
		if slices.Contains(f.tables[:i], t) {
			return true
		}
	}
	return false
}

// same are the columns that equal one in every row of the view, itself included.
func (f *flat) same(a at) []at {
	out := []at{a}
	for i := 0; i < len(out); i++ {
		for _, e := range f.equal {
			if e.constant {
				continue
			}
			if e.a == out[i] && !slices.Contains(out, e.b) {
				out = append(out, e.b)
			}
			if e.b == out[i] && !slices.Contains(out, e.a) {
				out = append(out, e.a)
			}
		}
	}
	return out
}

// targets are the base columns that a column of the view writes, none if it cannot be written. A join column changes the
// reference, and both sides where the tables are one to one; what is referred to cannot be renumbered. Expressions are
// inverted in views of several tables.
func (f *flat) targets(d *database, c flatColumn, kind string) []at {
	if len(f.tables) == 1 {
		if c.expression {
			return nil
		}
		return []at{c.at}
	}
	preserved := f.preserved(d)
	if f.anchors(d) == nil || kind == "INSERT" && !slices.Contains(preserved, true) {
		return nil
	}
	var out []at
	if equal := f.same(c.at); len(equal) > 1 {
		for _, a := range equal {
			if preserved[a.table] {
				out = append(out, a)
			}
		}
	}
	if out != nil {
		return out
	}
	if kind == "UPDATE" && (!preserved[c.at.table] && f.joined(c.at) || f.looked(c.at)) || kind == "INSERT" && f.missing[c.at.table] && f.alone(c.at.table) == nil {
		return nil
	}
	return []at{c.at}
}
