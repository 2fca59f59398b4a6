package bind

import (
	"slices"

	"holdfast/sql/algebra"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// UPDATE through join views where an outer join has left out rows. If a value that is not NULL is given for a column of the missing side,
// the rows that the side needs are made: one of each table that it always has (its core), and of a side within it if a value is given for
// that. Their columns have the values given, what the joins equate them with, or their defaults, as in INSERT; and as there, a row of the
// side that is there already, and has only been waiting for the others, is used as it is and must agree with what is given.

// making is what an UPDATE makes in one statement.
type making struct {
	*joinInsert // a row of the view in the making; columns that the joins equate have one value
	set         map[*baseTable]map[int16]scalar
	p           *algebra.Project
	values      map[int]scalar // by class
}

// makes tells which tables besides those set get rows where their side is missing: with columns of a side all tables of its core are.
func (w *writeTarget) makes(touched map[*baseTable]map[int16]bool) {
	g := w.flat.keys()
	for i, base := range w.bases {
		if touched[base] == nil || !g.makeable(i) {
			continue
		}
		for _, side := range g.sidesOf(i) {
			for _, k := range g.core(side) {
				if touched[w.bases[k]] == nil {
					touched[w.bases[k]] = map[int16]bool{}
				}
			}
		}
	}
}

// followers are the tables whose rows may show because rows of others are made.
func (w *writeTarget) followers() map[int]bool {
	g := w.flat.keys()
	out := map[int]bool{}
	for changed := true; changed; {
		changed = false
		for k, base := range w.bases {
			if !w.flat.bases[k].nullable || w.touched[base] != nil || out[k] {
				continue
			}
			for i, other := range w.bases {
				if (w.touched[other] != nil || out[i]) && g.before(i, k) {
					out[k], changed = true, true
				}
			}
		}
	}
	return out
}

// followed is a column of a table that follows: as it is, or if a row has been missing of a table that is changed, found by a query.
func (w *writeTarget) followed(b *binder, s *scope, c *algebra.Col) scalar {
	var missing []scalar
	for i, base := range w.bases {
		if w.touched[base] != nil && w.flat.bases[i].nullable {
			missing = append(missing, &algebra.IsNull{Arg: b.col(base.key, -1)})
		}
	}
	x := &algebra.Case{T: c.T, Else: c}
	for _, cond := range missing {
		x.Whens = append(x.Whens, algebra.When{Cond: cond, Result: w.relinkedColumn(b, s, c, w.newRows())})
	}
	return x
}

// keep copies the columns of the tables that stay as they are, so that rows that follow can be looked for by them.
func (w *writeTarget) keep(b *binder, s *scope, rel algebra.Rel) algebra.Rel {
	if len(w.follows) == 0 {
		return rel
	}
	w.rowKeys(b, s)
	p := b.pass(rel)
	w.kept = map[*baseTable][]algebra.ScanColumn{}
	for i, base := range w.bases {
		if w.touched[base] != nil || w.follows[i] {
			continue
		}
		for _, c := range base.src.scan.Cols {
			id := b.newCol(*b.q.Column(c.ID), colInfo{scope: s, kind: outputCol})
			p.Items = append(p.Items, algebra.Item{ID: id, Expr: b.col(c.ID, -1)})
			w.kept[base] = append(w.kept[base], algebra.ScanColumn{ID: id, Number: c.Number})
		}
	}
	return p
}

// setOnce computes what is set of tables that outer joins may leave out, since it is needed in several places.
func (w *writeTarget) setOnce(b *binder, s *scope, set map[*baseTable]map[int16]scalar, p *algebra.Project) {
	for i, base := range w.bases {
		if !w.flat.bases[i].nullable {
			continue
		}
		for _, c := range base.table.Columns {
			if v := set[base][c.Number]; v != nil && !simple(v) {
				set[base][c.Number] = b.compute(s, p, c.Name, v)
			}
		}
	}
}

// optional completes the targets of tables that outer joins may leave out.
func (w *writeTarget) optional(b *binder, s *scope, u *algebra.Update, set map[*baseTable]map[int16]scalar, p *algebra.Project) {
	m := &making{set: set, p: p, values: map[int]scalar{}}
	m.joinInsert = &joinInsert{insertion: &insertion{scope: s, w: w}, g: w.flat.keys(), class: map[baseColumn]int{}, members: map[int][]baseColumn{},
		at: map[int]int{}, supplied: map[int]bool{}}
	var made []int
	targets := map[int]*algebra.UpdateTarget{}
	n := 0
	for i, base := range w.bases {
		if w.touched[base] == nil {
			continue
		}
		t := u.Targets[n]
		n++
		if !w.flat.bases[i].nullable {
			continue
		}
		t.Optional, targets[i] = true, t
		if !m.g.makeable(i) {
			continue
		}
		made = append(made, i)
	}
	if len(targets) == 0 {
		return
	}
	for i, t := range targets {
		t.MakeIf = m.wants(i)
	}
	m.classes()
	m.split()
	m.row = m.computed
	m.known(made)
	m.unknown(made)
	for _, i := range made {
		if c := m.target(i, targets[i]); c != nil {
			u.Checks = append(u.Checks, *c)
		}
	}
}

// wants is the condition that a value is given for the side that a table is of, so that a row of it is to be made.
func (m *making) wants(i int) scalar {
	side := m.g.innermost(i)
	var given []scalar
	for _, base := range m.w.bases {
		if !side.within(m.w.flat.bases[m.w.index(base)]) {
			continue
		}
		for _, c := range base.table.Columns {
			if v := m.set[base][c.Number]; v != nil {
				given = append(given, &algebra.IsNull{Arg: v, Not: true})
			}
		}
	}
	switch len(given) {
	case 0: // DEFAULT of a generated column
		return &algebra.Const{T: noMod(types.Bool), Value: types.NewBool(false)}
	case 1:
		return given[0]
	}
	return &algebra.Or{Args: given}
}

// missing is the condition that a row of a table is to be made, or found.
func (m *making) missing(i int) scalar {
	return and(&algebra.IsNull{Arg: m.b.col(m.w.bases[i].key, -1)}, m.wants(i))
}

// column is a column of the row of the view as it is.
func (m *making) column(at baseColumn) scalar {
	for _, c := range m.w.bases[at.base].src.scan.Cols {
		if c.Number == at.number {
			return m.b.col(c.ID, -1)
		}
	}
	return nil
}

// open are the classes of the columns of tables that have no value yet, in the order of the tables.
func (m *making) open(made []int) (list []int) {
	for _, i := range made {
		for _, c := range m.w.bases[i].table.Columns {
			if class := m.class[baseColumn{i, c.Number}]; !c.Dropped && m.values[class] == nil && !slices.Contains(list, class) {
				list = append(list, class)
			}
		}
	}
	return list
}

// settle gives a class its value.
func (m *making) settle(class int, v scalar) {
	m.values[class], m.at[class] = v, 0
	if !simple(v) {
		m.computed(class)
	}
}

// computed is the value of a class as a column, nil if it has none.
func (m *making) computed(class int) *algebra.Col {
	v := m.values[class]
	if v == nil {
		return nil
	}
	col, ok := v.(*algebra.Col)
	if !ok {
		at := m.members[class][0]
		col = m.b.compute(m.scope, m.p, m.w.bases[at.base].table.Columns[at.number-1].Name, v)
		m.values[class] = col
	}
	return col
}

// known finds the values of columns that are known by what is set, by tables that are there, and by constants of conditions.
func (m *making) known(made []int) {
	constants := map[int]equation{}
	equations := m.g.equations
	for _, o := range m.g.f.outer {
		equations = append(equations[:len(equations):len(equations)], equationsOf(o.on)...)
	}
	for _, e := range equations {
		if at, ok := m.g.at[e.a]; ok && e.b == 0 && e.value != nil && at.number > 0 {
			if _, twice := constants[m.class[at]]; !twice {
				constants[m.class[at]] = e
			}
		}
	}
	for _, class := range m.open(made) {
		var v scalar
		take := func(usable func(at baseColumn) scalar) {
			for _, at := range m.members[class] {
				if v == nil {
					v = usable(at)
				}
			}
		}
		take(func(at baseColumn) scalar { return m.set[m.w.bases[at.base]][at.number] })
		take(func(at baseColumn) scalar {
			if m.w.flat.bases[at.base].nullable {
				return nil
			}
			return m.column(at)
		})
		if e, ok := constants[class]; ok && v == nil {
			at := m.g.at[e.a]
			c := m.w.bases[at.base].table.Columns[at.number-1]
			v = m.b.assign(e.value, c.Type, c.Mod, c.Name, -1, false)
		}
		take(func(at baseColumn) scalar {
			for _, other := range m.members[class] {
				if !slices.Contains(made, at.base) && slices.Contains(made, other.base) && m.g.before(at.base, other.base) {
					return m.column(at)
				}
			}
			return nil
		})
		if v != nil {
			m.settle(class, v)
			m.supplied[class] = true
		}
	}
}

// unknown finds the values of columns that the joins equate and of which nothing is known but in the tables that may be missing: what
// is there has, or else a row found by what is known, or else the default.
func (m *making) unknown(made []int) {
	looked := map[int]bool{}
	for {
		var open []int
		for _, class := range m.open(made) {
			if len(m.members[class]) > 1 {
				open = append(open, class)
			}
		}
		if len(open) == 0 {
			return
		}
		found := -1
		for _, i := range made {
			q := m.parts[i]
			if !looked[i] && found < 0 && m.matches(i) {
				if q.key = m.findKey(q); q.key != nil {
					found = i
				}
			}
		}
		if found < 0 {
			m.settle(open[0], m.otherwise(open[0], made, nil))
			continue
		}
		looked[found] = true
		for _, class := range open {
			for _, at := range m.members[class] {
				if at.base == found && m.values[class] == nil {
					v, there := m.rowThere(m.parts[found], at.number, m.row)
					m.settle(class, m.otherwise(class, made, &algebra.When{Cond: there, Result: v}))
				}
			}
		}
	}
}

// otherwise is the value of a class: of a table that is there, or found, or the default; NULL if no row is to be made.
func (m *making) otherwise(class int, made []int, found *algebra.When) scalar {
	at := m.members[class][0]
	c := m.w.bases[at.base].table.Columns[at.number-1]
	t := typeOf(c.Type, c.Mod)
	as := func(v scalar) scalar { return m.b.assign(v, c.Type, c.Mod, c.Name, -1, true) }
	x := &algebra.Case{T: t, Else: nullOf(t)}
	var needed []scalar
	for _, at := range m.members[class] {
		if slices.Contains(made, at.base) {
			there := &algebra.IsNull{Arg: m.b.col(m.w.bases[at.base].key, -1), Not: true}
			x.Whens = append(x.Whens, algebra.When{Cond: there, Result: as(m.column(at))})
			needed = append(needed, m.wants(at.base))
		}
	}
	needs := needed[0]
	if len(needed) > 1 {
		needs = &algebra.Or{Args: needed}
	}
	if found != nil {
		x.Whens = append(x.Whens, algebra.When{Cond: and(needs, found.Cond), Result: as(found.Result)})
	}
	x.Whens = append(x.Whens, algebra.When{Cond: needs, Result: as(m.classDefault(class))})
	return x
}

// matches reports whether a row of a table may be there although the view shows it as missing: because another table of its side is, or
// because it is found by one.
func (m *making) matches(i int) bool {
	side := m.g.innermost(i)
	if len(m.g.core(side)) > 1 || len(m.g.sidesOf(i)) > 1 {
		return true
	}
	for _, on := range side.on {
		for k := range m.g.tables(on) {
			if base := m.w.flat.bases[k]; base.nullable && !side.within(base) && m.w.touched[m.w.bases[k]] != nil {
				return true
			}
		}
	}
	return false
}

// target completes the target of a table: the row that is made, or the one that is there. It returns the condition that the latter
// agrees with what is given, nil if none is needed.
func (m *making) target(i int, t *algebra.UpdateTarget) *algebra.ViewCheck {
	b, base, q := m.b, m.w.bases[i], m.parts[i]
	values := map[int16]scalar{}
	for _, c := range base.table.Columns {
		if v := m.values[m.class[baseColumn{i, c.Number}]]; v != nil && !c.Dropped {
			values[c.Number] = b.assign(v, c.Type, c.Mod, c.Name, -1, false)
			t.Given = append(t.Given, c.Number)
		}
	}
	for _, side := range m.g.sidesOf(i) {
		for _, e := range equationsOf(side.on) {
			for _, id := range []algebra.ColID{e.a, e.b} {
				at, ok := m.g.at[id]
				if ok && at.base == i && at.number > 0 && m.set[base][at.number] == nil && !slices.Contains(t.Joined, at.number) {
					t.Joined = append(t.Joined, at.number)
				}
			}
		}
	}
	var there *algebra.Col
	if m.matches(i) {
		if q.key = m.findKey(q); q.key != nil {
			_, is := m.rowThere(q, q.key.Keys[0].Column, m.row)
			f := noMod(types.Bool)
			there = b.compute(m.scope, m.p, "there", &algebra.Case{T: f, Whens: []algebra.When{{Cond: m.missing(i), Result: is}},
				Else: &algebra.Const{T: f, Value: types.NewBool(false)}})
			t.Found = there
			for _, k := range q.key.Keys {
				t.Unique = append(t.Unique, k.Column)
			}
		}
	}
	for _, c := range base.table.Columns {
		if c.Dropped {
			continue
		}
		a := algebra.Assignment{Number: c.Number}
		switch {
		case c.Generated != "":
			a.Value = b.generated(base.table, c, func(n int16) scalar {
				if v := values[n]; v != nil {
					return v
				}
				return b.defaultOf(base.table, base.table.Columns[n-1])
			})
		case values[c.Number] != nil:
			a.Value = values[c.Number]
		default:
			a.Value = b.defaultOf(base.table, c)
		}
		if there != nil {
			found, _ := m.rowThere(q, c.Number, m.row)
			a.Value = &algebra.Case{T: typeOf(c.Type, c.Mod), Whens: []algebra.When{{Cond: there, Result: found}}, Else: a.Value}
		}
		t.Make = append(t.Make, a)
	}
	if there == nil {
		return nil
	}
	alone := *q
	alone.outer = nil
	c := m.agrees(&alone)
	if c != nil {
		c.Cond = &algebra.Or{Args: []scalar{&algebra.Not{Arg: there}, c.Cond}}
		c.Err = errs.New(errs.UniqueViolation, "a row of table %s that view %s would make exists with other values", quoted(base.table.Name), quoted(m.w.view.Name))
	}
	return c
}
