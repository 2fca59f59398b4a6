package views

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// shape makes databases, views and statements at random. Values come from a small range, so that rows meet.
type shape struct{ *rand.Rand }

func (g shape) chance(percent int) bool { return g.IntN(100) < percent }
func (g shape) maybe(k *kind) value {
	if g.chance(15) {
		return null
	}
	return g.small(k)
}
func (g shape) op() string { return []string{"=", "<>", "<", "<=", ">", ">="}[g.IntN(6)] }

// options say what a shape may use. One view does not have both outer joins and a table in several roles.
type options struct {
	outer, self, nested, expressions bool
	kinds, computed, serial, chosen  bool
}

// database makes two to four tables. Column k is the key, alone or with a; a, b and c are numbers and references.
func (g shape) database(o options) *database {
	d := &database{}
	palette := g.palette(o)
	for i := range 2 + g.IntN(3) {
		t := &table{name: string(rune('r' + i)), columns: []string{"k", "a", "b", "c"}[:3+g.IntN(2)], primary: g.chance(85)}
		for c := range t.columns {
			t.kinds, t.serial, t.computed = append(t.kinds, palette(c)), append(t.serial, ""), append(t.computed, nil)
			t.notNull = append(t.notNull, c == 0 || g.chance(15))
			v := null
			if c > 0 && (t.notNull[c] || g.chance(20)) {
				v = g.small(t.kinds[c])
			}
			t.defaults = append(t.defaults, v)
		}
		key := []int{0}
		if g.chance(15) {
			key = append(key, 1)
			t.notNull[1] = true
		}
		t.keys = append(t.keys, key)
		if g.chance(25) {
			t.keys = append(t.keys, []int{2})
		}
		for to, other := range d.tables {
			if c := g.IntN(2); g.chance(40) && len(other.keys[0]) == 1 && t.kinds[c].family == other.kinds[0].family {
				t.refs = append(t.refs, reference{column: c, table: to, toColumn: 0})
			}
		}
		g.fills(t, o, i)
		d.tables = append(d.tables, t)
	}
	return d
}

// fill makes rows that keep all constraints.
func (g shape) fill(d *database) {
	for _, t := range d.tables {
		for range 4 + g.IntN(5) {
			r := &row{}
			for c := range t.columns {
				v := g.maybe(t.kinds[c])
				if t.notNull[c] {
					v = g.small(t.kinds[c])
				}
				r.values = append(r.values, v)
			}
			t.rows = append(t.rows, r)
			if t.generate(r).code != "" || d.constraints().code != "" {
				t.rows = t.rows[:len(t.rows)-1]
			}
		}
	}
}

// view makes a view over tables of the database and over views there are.
func (g shape) view(d *database, name string, under []*view, o options) *view {
	v := &view{name: name}
	used := map[int]bool{}
	width := 2 + g.IntN(2)
	if len(under) > 0 && g.chance(30) || g.chance(5) {
		width = 1
	}
	for i := range width {
		x := &item{alias: fmt.Sprintf("%s_%d", name, i), table: g.IntN(len(d.tables))}
		if len(under) > 0 && (i == 0 || g.chance(20)) {
			x.view = under[g.IntN(len(under))]
			for t := range x.view.reads() {
				if used[t] && !o.self {
					return g.view(d, name, under, o)
				}
				used[t] = true
			}
		} else {
			if used[x.table] && !o.self {
				return g.view(d, name, under, o)
			}
			used[x.table] = true
		}
		v.items = append(v.items, x)
		if i == 0 {
			continue
		}
		x.left = o.outer && g.chance(35)
		x.on = append(x.on, g.link(d, v, i))
		if g.chance(10) {
			x.on = append(x.on, g.link(d, v, i))
		}
		a, b := x.on[0].a, x.on[0].b
		x.using = len(x.on) == 1 && i == 1 && x.on[0].op == "=" && v.items[0].columnName(d, a.column) == x.columnName(d, b.column)
		if !x.left && g.chance(25) && !x.using { // a comma, and the conditions in WHERE
			v.where, x.on = append(v.where, x.on...), nil
		}
	}
	if g.chance(40) {
		c := condition{a: g.column(d, v, g.IntN(width)), op: g.op(), b: operand{constant: true}}
		c.b.value = g.small(v.kindOf(d, c.a))
		if c.op == "=" && g.chance(50) {
			c.op = ">="
		}
		v.where = append(v.where, c)
	}
	v.check = []string{"", "", "LOCAL", "CASCADED"}[g.IntN(4)]
	for i, x := range v.items {
		n := 0
		if x.view != nil {
			n = len(x.view.columns)
		} else {
			n = len(d.tables[x.table].columns)
		}
		for c := range n {
			if g.chance(85) || len(v.columns) == 0 {
				out := output{name: fmt.Sprintf("%s%d%s", name, i, x.columnName(d, c)), at: operand{item: i, column: c}}
				if o.expressions && v.kindOf(d, out.at).family == "number" && g.chance(8) {
					out.expression, out.plus = true, 1+g.IntN(2)
				}
				v.columns = append(v.columns, out)
			}
		}
	}
	if o.chosen && g.chance(20) {
		v.deleteFrom = v.items[g.IntN(width)].alias
		if v.chosenWrong(d) {
			v.deleteFrom = ""
		}
	}
	return v
}

// reads are the tables that a view reads.
func (v *view) reads() map[int]bool {
	out := map[int]bool{}
	for _, x := range v.items {
		if x.view != nil {
			for t := range x.view.reads() {
				out[t] = true
			}
		} else {
			out[x.table] = true
		}
	}
	return out
}

func (g shape) column(d *database, v *view, i int) operand {
	x := v.items[i]
	if x.view != nil {
		return operand{item: i, column: g.IntN(len(x.view.columns))}
	}
	return operand{item: i, column: g.IntN(len(d.tables[x.table].columns))}
}

// link is a condition between an item and one before it: mostly a key on one side.
func (g shape) link(d *database, v *view, i int) condition {
	a, b := g.column(d, v, g.IntN(i)), g.column(d, v, i)
	if x := v.items[b.item]; x.view == nil && g.chance(60) {
		b.column = 0
	}
	if x := v.items[a.item]; x.view == nil && g.chance(40) {
		a.column = 0
	}
	for n := 0; v.kindOf(d, a).family != v.kindOf(d, b).family; n++ {
		if n > 20 {
			return condition{a: b, op: "=", b: operand{constant: true, value: g.small(v.kindOf(d, b))}}
		}
		a, b = g.column(d, v, g.IntN(i)), g.column(d, v, i)
	}
	op := "="
	if g.chance(5) {
		op = g.op()
	}
	return condition{a: a, op: op, b: b}
}

// statement makes a write through a view.
func (g shape) statement(d *database, v *view) *statement {
	s := &statement{view: v}
	columns, kinds := g.Perm(len(v.columns)), v.kinds(d)
	switch n := g.IntN(10); {
	case n < 6:
		s.kind = "UPDATE"
		for _, c := range columns[:1+g.IntN(min(2, len(columns)))] {
			e := expression{column: -1, constant: g.maybe(kinds[c])}
			if g.chance(40) {
				e = g.sum(e, kinds[c], kinds, viewRow)
			} else if g.chance(5) {
				e.isDefault = true
			}
			s.set = append(s.set, assignment{c, e})
		}
	case n < 8:
		s.kind = "DELETE"
	default:
		s.kind = "INSERT"
		s.columns = columns[:1+g.IntN(len(columns))]
		if g.chance(70) {
			s.columns = columns
		}
		s.columns = slices.Clone(s.columns)
		slices.Sort(s.columns)
		for range 1 + g.IntN(2) {
			var r []value
			for _, c := range s.columns {
				v := g.small(kinds[c])
				if g.chance(20) && kinds[c].family != "truth" {
					v = number(5 + g.IntN(3))
				}
				r = append(r, v)
			}
			s.rows = append(s.rows, r)
		}
		return s
	}
	for range g.IntN(3) {
		t := test{column: g.IntN(len(v.columns)), op: g.op()}
		t.value = g.small(kinds[t.column])
		if g.chance(50) {
			t.op = "="
		}
		if g.chance(5) {
			t.op = "IS NULL"
		}
		s.where = append(s.where, t)
	}
	return s
}

// agree gives the columns that a view equates one value, in most rows of an INSERT, and makes what is given of a parent
// that of one that is there now and then.
func (g shape) agree(d *database, s *statement) {
	f := flatten(d, s.view)
	rows := evaluate(d, s.view, false)
	g.entangle(d, s)
	for _, r := range s.rows {
		if len(rows) > 0 && g.chance(50) { // some columns from a row of the view
			from := rows[g.IntN(len(rows))]
			keep := g.IntN(len(f.tables))
			for k, c := range s.columns {
				if f.columns[c].at.table != keep {
					r[k] = from.values[c]
				}
			}
		}
		if !g.chance(85) {
			continue
		}
		for k, c := range s.columns {
			for m, other := range s.columns[:k] {
				if slices.Contains(f.same(f.columns[c].at), f.columns[other].at) {
					r[k] = r[m]
				}
			}
		}
	}
}

// seen makes a statement about a row that the view shows: some of its columns are as somebody has seen them.
func (g shape) seen(d *database, s *statement) {
	rows := evaluate(d, s.view, false)
	if len(rows) == 0 || g.chance(20) {
		return
	}
	r := rows[g.IntN(len(rows))]
	s.where = nil
	for _, c := range g.Perm(len(r.values))[:min(len(r.values), 1+g.IntN(4))] {
		t := test{column: c, op: "=", value: r.values[c]}
		if t.value.null {
			t = test{column: c, op: "IS NULL"}
		}
		s.where = append(s.where, t)
	}
}
