package views

import "slices"

// found is a row of a view with the base rows it was made of, in the order of the tables in the view, views
// under it taken apart; nil where an outer join found none.
type found struct {
	bases  []*row
	values []value
}

// flat is a view taken apart: the tables it reads, and conditions over their columns.
type flat struct {
	view    *view
	tables  []int // of the database, by occurrence
	missing []bool
	levels  []level
	columns []flatColumn
	on      []flatCondition // conditions of inner joins that hold of every row
	links   []flatCondition // conditions over several tables that hold of every row, wherever they are written
	equal   []equation
	outer   []outerJoin
}

// outerJoin is a LEFT JOIN: the occurrences that may be missing, all together, and its conditions, with those of inner
// joins of these among themselves.
type outerJoin struct {
	missing []int
	on      []flatCondition
}

// at is a column of an occurrence of a table; occurrence -1 stands for a constant.
type at struct{ table, column int }

type flatOperand struct {
	at    at
	plus  int
	value value
}

type flatCondition struct {
	a, b   flatOperand
	op     string
	isNull bool
}

// equation says that two columns are equal, or that one has a value.
type equation struct {
	a, b     at
	constant bool
	value    value
}

// level is one view of the nest with its WHERE and the occurrences it reads.
type level struct {
	view   *view
	where  []flatCondition
	tables []int
	// optional: an outer join may leave out the view.
	optional bool
}

type flatColumn struct {
	name       string
	at         at
	plus       int
	expression bool
}

func flatten(d *database, v *view) *flat {
	f := &flat{view: v}
	f.columns = f.add(d, v)
	all := slices.Clone(f.on)
	for _, l := range f.levels {
		if !l.optional {
			all = append(all, l.where...)
		}
	}
	for _, c := range all {
		if c.spans() {
			f.links = append(f.links, c)
		}
		if e, ok := c.equation(); ok {
			f.equal = append(f.equal, e)
		}
	}
	return f
}

// add takes a view apart and returns its columns.
func (f *flat) add(d *database, v *view) []flatColumn {
	outside := len(f.tables)
	var columns [][]flatColumn // by item
	operand := func(o operand) flatOperand {
		if o.constant {
			return flatOperand{at: at{table: -1}, value: o.value}
		}
		c := columns[o.item][o.column]
		return flatOperand{at: c.at, plus: c.plus}
	}
	condition := func(c condition) flatCondition {
		x := flatCondition{a: operand(c.a), op: c.op, isNull: c.isNull}
		if !c.isNull {
			x.b = operand(c.b)
		}
		return x
	}
	for _, x := range v.items {
		first, inside, under := len(f.tables), len(f.on), len(f.levels)
		var list []flatColumn
		if x.view != nil {
			list = f.add(d, x.view)
		} else {
			f.tables = append(f.tables, x.table)
			f.missing = append(f.missing, false)
			for i, name := range d.tables[x.table].columns {
				list = append(list, flatColumn{name: name, at: at{first, i}})
			}
		}
		columns = append(columns, list)
		join := outerJoin{}
		for _, c := range x.on {
			if c := condition(c); x.left {
				join.on = append(join.on, c)
			} else {
				f.on = append(f.on, c)
			}
		}
		if x.left {
			for i := first; i < len(f.tables); i++ {
				f.missing[i] = true
				join.missing = append(join.missing, i)
			}
			join.on = append(join.on, f.on[inside:]...)
			f.on = f.on[:inside]
			for i := range f.levels[under:] { // so are the conditions of views that are missing
				if l := &f.levels[under+i]; !l.optional {
					l.optional = true
					join.on = append(join.on, l.where...)
				}
			}
			f.outer = append(f.outer, join)
		}
	}
	l := level{view: v}
	for _, c := range v.where {
		l.where = append(l.where, condition(c))
	}
	for i := outside; i < len(f.tables); i++ {
		l.tables = append(l.tables, i)
	}
	f.levels = append(f.levels, l)
	var out []flatColumn
	for _, c := range v.columns {
		x := operand(c.at)
		under := columns[c.at.item][c.at.column]
		out = append(out, flatColumn{name: c.name, at: x.at, plus: x.plus + c.plus, expression: c.expression || under.expression})
	}
	return out
}

// spans reports whether a condition is about several occurrences.
func (c flatCondition) spans() bool {
	return !c.isNull && c.a.at.table >= 0 && c.b.at.table >= 0 && c.a.at.table != c.b.at.table
}

func (c flatCondition) equation() (equation, bool) {
	switch {
	case c.isNull || c.op != "=" || c.a.plus != 0 || c.b.plus != 0:
		return equation{}, false
	case c.a.at.table < 0:
		return equation{a: c.b.at, constant: true, value: c.a.value}, c.b.at.table >= 0
	case c.b.at.table < 0:
		return equation{a: c.a.at, constant: true, value: c.b.value}, true
	}
	return equation{a: c.a.at, b: c.b.at}, true
}

// columnOf is a column of one of the base rows of a view row, NULL if it is missing.
func columnOf(bases []*row, a at) value {
	if bases[a.table] == nil {
		return null
	}
	return bases[a.table].values[a.column]
}

func (o flatOperand) of(bases []*row) value {
	if o.at.table < 0 {
		return o.value
	}
	return columnOf(bases, o.at).add(o.plus)
}

// holds reports whether a condition is true of base rows.
func (c flatCondition) holds(bases []*row) bool {
	a := c.a.of(bases)
	if c.isNull {
		return a.null
	}
	return compare(a, c.op, c.b.of(bases))
}

// compare reports whether a comparison is true: it is not if a side is NULL.
func compare(a value, op string, b value) bool {
	if a.null || b.null {
		return false
	}
	halves := func(v value) int {
		if v.half {
			return 2*v.n + 1
		}
		return 2 * v.n
	}
	x, y := halves(a), halves(b)
	switch op {
	case "=":
		return x == y
	case "<>":
		return x != y
	case "<":
		return x < y
	case "<=":
		return x <= y
	case ">":
		return x > y
	}
	return x >= y
}

// evaluate finds the rows of a view by nested loops. With linked set, it leaves out the conditions on one table
// alone that are in WHERE, but of what an outer join looks for: it finds the rows that are joined, in sight of the view or not.
func evaluate(d *database, v *view, linked bool) []found {
	partial := []joined{{}}
	for _, x := range v.items {
		var rows []found
		if x.view != nil {
			rows = evaluate(d, x.view, linked && !x.left)
		} else {
			for _, r := range d.tables[x.table].rows {
				rows = append(rows, found{[]*row{r}, r.values})
			}
		}
		var next []joined
		for _, p := range partial {
			matched := false
			for _, r := range rows {
				j := p.with(r)
				if j.all(x.on) {
					matched = true
					next = append(next, j)
				}
			}
			if x.left && !matched {
				next = append(next, p.with(x.nothing(d)))
			}
		}
		partial = next
	}
	var out []found
	for _, p := range partial {
		if !p.all(v.filter(linked)) {
			continue
		}
		r := found{bases: p.bases()}
		for _, c := range v.columns {
			r.values = append(r.values, p.of(c.at).add(c.plus))
		}
		out = append(out, r)
	}
	return out
}

// filter is WHERE, or what of it joins items.
func (v *view) filter(linked bool) []condition {
	if !linked {
		return v.where
	}
	var out []condition
	for _, c := range v.where {
		if !c.isNull && !c.a.constant && !c.b.constant && c.a.item != c.b.item {
			out = append(out, c)
		}
	}
	return out
}

// nothing is the row of an outer join that finds none.
func (x *item) nothing(d *database) found {
	if x.view == nil {
		r := found{bases: []*row{nil}}
		for range d.tables[x.table].columns {
			r.values = append(r.values, null)
		}
		return r
	}
	var r found
	for _, y := range x.view.items {
		r.bases = append(r.bases, y.nothing(d).bases...)
	}
	for range x.view.columns {
		r.values = append(r.values, null)
	}
	return r
}

// joined are rows of the first items of a view.
type joined struct{ rows []found }

func (j joined) with(r found) joined {
	return joined{append(j.rows[:len(j.rows):len(j.rows)], r)}
}

func (j joined) bases() []*row {
	var out []*row
	for _, r := range j.rows {
		out = append(out, r.bases...)
	}
	return out
}

func (j joined) of(o operand) value {
	if o.constant {
		return o.value
	}
	return j.rows[o.item].values[o.column]
}

func (j joined) all(list []condition) bool {
	for _, c := range list {
		if c.isNull {
			if !j.of(c.a).null {
				return false
			}
		} else if !compare(j.of(c.a), c.op, j.of(c.b)) {
			return false
		}
	}
	return true
}
