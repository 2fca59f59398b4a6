package views

import (
	"fmt"
	"slices"
)

// outcome is what a statement comes to.
type outcome struct {
	code      string // SQLSTATE of a refusal
	why       string
	count     int
	returning []string // sorted
	returned  [][]value
	after     *database
}

func refused(code, format string, args ...any) outcome {
	return outcome{code: code, why: fmt.Sprintf(format, args...)}
}

// apply carries out a statement on a copy of the database. It is told the numbers that are drawn from sequences meanwhile.
func (s *statement) apply(before *database, drawn ...value) outcome {
	if s.first == nil {
		return (&push{statement: s, d: before.clone(), drawn: drawn}).run()
	}
	// Both parts see the tables as they were, but write and read other tables than each other, so that the one may come before the
	// other. Only references between them are looked at when both are done.
	then := *s
	then.first = nil
	second := &push{statement: &then, d: before}
	second.prepare()
	if o := second.generatedGiven(); o.code != "" { // before anything is carried out
		return o
	}
	first := &push{statement: s.first, d: before.clone(), drawn: drawn, part: true}
	o := first.run()
	if o.code != "" {
		return o
	}
	if s.from != nil && s.from.part != nil {
		then.from = &source{table: -1, lists: o.returned}
	}
	second = &push{statement: &then, d: o.after, drawn: drawn[min(first.draws, len(drawn)):], part: true}
	if o = second.run(); o.code == "" {
		if wrong := o.after.references(); wrong.code != "" {
			return wrong
		}
	}
	return o
}

// push is a statement on its way down to the base tables.
type push struct {
	*statement
	d         *database
	f         *flat
	kinds     []*kind // of the view's columns
	preserved []bool
	made      map[int][]*row // rows of occurrences that outer joins had left out
	fresh     map[*row]int   // rows inserted, and for which occurrence
	supplied  map[at]bool    // columns that have a value by the statement or a condition of the view
	drawn     []value        // from sequences
	draws     int
	part      bool // of a statement
}

func (p *push) prepare() {
	p.f = flatten(p.d, p.view)
	p.kinds = p.view.kinds(p.d)
	p.preserved = p.f.preserved(p.d)
}

func (p *push) run() outcome {
	p.prepare()
	if o := p.generatedGiven(); o.code != "" {
		return o
	}
	switch p.kind {
	case "UPDATE":
		return p.update()
	case "DELETE":
		return p.delete()
	case "SELECT":
		return p.read()
	}
	return p.insert()
}

// generatedGiven refuses values for generated columns.
func (p *push) generatedGiven() outcome {
	given := func(a at) bool { return p.d.settable(p.f, a) }
	wrong := func(c int) bool {
		return slices.ContainsFunc(p.f.targets(p.d, p.f.columns[c], p.kind), func(a at) bool { return !given(a) })
	}
	for _, a := range p.set {
		if !a.to.isDefault && wrong(a.column) {
			return refused("428C9", "column %s is generated", p.f.columns[a.column].name)
		}
	}
	for _, c := range p.columns {
		if wrong(c) && !slices.ContainsFunc(p.f.targets(p.d, p.f.columns[c], p.kind), given) {
			return refused("428C9", "column %s is generated", p.f.columns[c].name)
		}
	}
	if p.conflict != nil {
		for _, a := range p.conflict.set {
			if !p.d.settable(p.f, p.f.columns[a.column].at) {
				return refused("428C9", "column %s is generated", p.f.columns[a.column].name)
			}
		}
	}
	return outcome{}
}

// constraints tests all constraints, of a part of a statement those of each table.
func (p *push) constraints() outcome {
	if p.part {
		return p.d.rules()
	}
	return p.d.constraints()
}

func (p *push) text(r found) string { return rowText(r.values, p.kinds) }

// answer notes a row that is returned.
func (o *outcome) answer(p *push, r found) {
	o.returning = append(o.returning, p.text(r))
	o.returned = append(o.returned, slices.Clone(r.values))
}

// read is SELECT.
func (p *push) read() outcome {
	out := outcome{after: p.d}
	for _, r := range p.affected(evaluate(p.d, p.view, false)) {
		out.count++
		out.answer(p, r)
	}
	slices.Sort(out.returning)
	return out
}

// affected are the rows of the view that WHERE selects.
func (p *push) affected(before []found) []found {
	var out []found
	for _, r := range p.pairs(before) {
		if n := len(out); n == 0 || !slices.Equal(out[n-1].bases, r.bases) {
			out = append(out, r.found)
		}
	}
	return out
}

// snapshot keeps the values of rows.
func snapshot(rows []found) []found {
	for i := range rows {
		rows[i].values = slices.Clone(rows[i].values)
	}
	return rows
}

// place is a column of a base row.
type place struct {
	row    *row
	column int
}

func (p *push) update() outcome {
	before := snapshot(evaluate(p.d, p.view, false))
	rows, o := p.agreed(p.pairs(before))
	if o.code != "" {
		return o
	}
	writes := map[place]value{}
	for _, r := range rows {
		lost := map[int]map[int]value{} // what is set of occurrences that are missing
		for i, a := range p.set {
			c := p.f.columns[a.column]
			targets := p.f.targets(p.d, c, p.kind)
			if len(targets) == 0 {
				return refused("0A000", "column %s", c.name)
			}
			for _, t := range targets {
				v, o := p.d.tables[p.f.tables[t.table]].kinds[t.column].assign(r.wants[i].add(-c.plus))
				if o.code != "" {
					return o
				}
				if r.bases[t.table] == nil {
					if lost[t.table] == nil {
						lost[t.table] = map[int]value{}
					}
					lost[t.table][t.column] = v
					continue
				}
				to := place{r.bases[t.table], t.column}
				if was, twice := writes[to]; twice && was != v {
					return refused("21000", "two view rows write %s.%s", p.d.tables[p.f.tables[t.table]].name, p.d.tables[p.f.tables[t.table]].columns[t.column])
				}
				writes[to] = v
			}
		}
		for i, set := range lost {
			if o := p.make(r, i, set); o.code != "" {
				return o
			}
		}
	}
	for to, v := range writes {
		to.row.values[to.column] = v
	}
	for i, list := range p.made {
		t := p.d.tables[p.f.tables[i]]
		t.rows = append(t.rows, list...)
	}
	if o := p.d.generate(); o.code != "" {
		return o
	}
	if o := p.constraints(); o.code != "" {
		return o
	}
	return p.look(rows, before)
}

// wanting is a row of the view with what its columns are to show, in the order of SET.
type wanting struct {
	found
	wants []value
}

// agreed are the rows of the view with what SET wants of them. All rows of the source that go with one must want the same.
func (p *push) agreed(pairs []paired) ([]wanting, outcome) {
	var out []wanting
	for _, r := range pairs {
		w := wanting{found: r.found}
		for _, a := range p.set {
			c := p.f.columns[a.column]
			given := a.to.of(r.values, r.source, nil)
			if a.to.isDefault {
				first := p.f.targets(p.d, c, p.kind)
				if len(first) == 0 {
					return nil, refused("0A000", "column %s", c.name)
				}
				given = p.defaultOf(p.d.tables[p.f.tables[first[0].table]], first[0].column).add(c.plus)
			}
			v, o := p.kinds[a.column].assign(given)
			if o.code != "" {
				return nil, o
			}
			w.wants = append(w.wants, v)
		}
		if n := len(out); n > 0 && slices.Equal(out[n-1].bases, w.bases) {
			if !slices.Equal(out[n-1].wants, w.wants) {
				if len(p.f.tables) == 1 {
					return nil, refused(either, "any of several rows of the source")
				}
				return nil, refused("21000", "two rows of the source want %s otherwise", p.text(r.found))
			}
			continue
		}
		out = append(out, w)
	}
	return out, outcome{}
}

// make makes the row of an occurrence that an outer join has left out of a view row, if a value that is not NULL is set.
// What the outer join compares its columns with, they get.
func (p *push) make(r wanting, i int, set map[int]value) outcome {
	some := false
	for _, v := range set {
		some = some || !v.null
	}
	if !some {
		return outcome{}
	}
	join := p.f.alone(i)
	if join == nil {
		return refused("0A000", "a row of several tables is missing")
	}
	t := p.d.tables[p.f.tables[i]]
	made := &row{}
	for c := range t.columns {
		made.values = append(made.values, p.defaultOf(t, c))
	}
	now := func(a at) value {
		for n, s := range p.set {
			c := p.f.columns[s.column]
			if slices.Contains(p.f.targets(p.d, c, p.kind), a) {
				return r.wants[n].add(-c.plus)
			}
		}
		return columnOf(r.bases, a)
	}
	for _, c := range join.on {
		if e, ok := c.equation(); ok && !e.constant {
			if e.a.table != i {
				e.a, e.b = e.b, e.a
			}
			made.values[e.a.column] = now(e.b)
		}
	}
	for c, v := range set {
		made.values[c] = v
	}
	for c, v := range made.values {
		var o outcome
		if made.values[c], o = t.kinds[c].assign(v); o.code != "" {
			return o
		}
	}
	if o := t.generate(made); o.code != "" {
		return o
	}
	if t.primary {
		for _, other := range p.made[i] {
			if !slices.ContainsFunc(t.keys[0], func(c int) bool { return other.values[c] != made.values[c] }) {
				if !slices.Equal(other.values, made.values) {
					return refused("21000", "two view rows make one row of %s", t.name)
				}
				return outcome{}
			}
		}
	}
	if p.made == nil {
		p.made = map[int][]*row{}
	}
	p.made[i] = append(p.made[i], made)
	return outcome{}
}

// identity are the base rows of the tables whose key the view preserves: they tell one row of the view from the others.
func (p *push) identity(r found) string {
	text := ""
	for i, base := range r.bases {
		if p.preserved[i] || !slices.Contains(p.preserved, true) {
			text += fmt.Sprintf("%p ", base)
		}
	}
	return text
}

// look looks at the view again. The rows that the statement was about must show what was SET, and besides only what
// follows from it: expressions over such columns, and the columns of a base row that was not in the row before. Every
// other row of the view must be as it was.
func (p *push) look(rows []wanting, before []found) outcome {
	out := outcome{count: len(rows), after: p.d}
	about := map[string]bool{}
	linked := map[string]found{} // as the view shows it, if it does
	for _, whole := range []bool{false, true} {
		for _, r := range evaluate(p.d, p.view, !whole) {
			linked[p.identity(r)] = r
		}
	}
	for _, r := range rows {
		about[p.identity(r.found)] = true
		now, ok := linked[p.identity(r.found)]
		if !ok {
			return refused("44000", "the row %s is not in the join any more", p.text(r.found))
		}
		if o := p.checkOption(now); o.code != "" {
			return o
		}
		if o := p.meant(r, now); o.code != "" {
			return o
		}
		out.answer(p, now)
	}
	if o := p.others(before, about); o.code != "" {
		return o
	}
	slices.Sort(out.returning)
	return out
}

// sets are the columns that SET writes, by occurrence, and those that are generated from them.
func (p *push) sets() map[at]bool {
	set := map[at]bool{}
	for _, a := range p.set {
		for _, t := range p.f.targets(p.d, p.f.columns[a.column], p.kind) {
			set[t] = true
			for c, g := range p.d.tables[p.f.tables[t.table]].computed {
				if g != nil && g.from == t.column {
					set[at{t.table, c}] = true
				}
			}
		}
	}
	return set
}

// meant compares a row of an UPDATE with what it has become.
func (p *push) meant(was wanting, now found) outcome {
	set := p.sets()
	for i, a := range p.set {
		if v := was.wants[i]; !a.to.isDefault && now.values[a.column] != v {
			return refused("21000", "column %s would show %s, not %s", p.view.columns[a.column].name, now.values[a.column], v)
		}
	}
	for i, c := range p.f.columns {
		follows := set[c.at] || now.bases[c.at.table] != was.bases[c.at.table]
		for _, a := range p.f.same(c.at) {
			follows = follows || set[a]
		}
		if !follows && now.values[i] != was.values[i] {
			return refused("21000", "column %s would show %s, not %s as before", c.name, now.values[i], was.values[i])
		}
	}
	return outcome{}
}

// others compares the rows that a statement was not about with what they were.
func (p *push) others(before []found, about map[string]bool) outcome {
	was := map[string]string{}
	for _, r := range before {
		if id := p.identity(r); !about[id] {
			was[id] = p.text(r)
		}
	}
	for _, r := range evaluate(p.d, p.view, false) {
		id := p.identity(r)
		if about[id] {
			continue
		}
		if text, there := was[id]; !there || text != p.text(r) {
			return refused("21000", "the row %s would show %s", text, p.text(r))
		}
		delete(was, id)
	}
	for _, text := range was {
		return refused("21000", "the row %s would vanish", text)
	}
	return outcome{}
}

// checkOption tests the conditions that CHECK OPTION demands of a view row.
func (p *push) checkOption(r found) outcome {
	for i, l := range p.f.levels {
		demanded := l.view.check != ""
		for _, around := range p.f.levels[i+1:] {
			demanded = demanded || around.view.check == "CASCADED" && slices.Contains(around.view.nested(), l.view)
		}
		if !demanded {
			continue
		}
		if !slices.ContainsFunc(l.tables, func(i int) bool { return r.bases[i] != nil }) {
			continue // an outer join has left out the view's row
		}
		for _, c := range l.where {
			if !c.holds(r.bases) {
				return refused("44000", "check option of %s for %s", l.view.name, p.text(r))
			}
		}
	}
	return outcome{}
}

func (p *push) delete() outcome {
	before := snapshot(evaluate(p.d, p.view, false))
	rows := p.affected(before)
	about := map[string]bool{}
	out := outcome{count: len(rows), after: p.d}
	gone := map[*row]bool{}
	for _, r := range rows {
		about[p.identity(r)] = true
		out.answer(p, r)
		for _, i := range p.f.deleted(p.d) {
			if base := r.bases[i]; base != nil {
				gone[base] = true
			}
		}
	}
	for _, t := range p.d.tables {
		t.rows = slices.DeleteFunc(t.rows, func(r *row) bool { return gone[r] })
	}
	slices.Sort(out.returning)
	if o := p.constraints(); o.code != "" {
		return o
	}
	if o := p.others(before, about); o.code != "" {
		return o
	}
	return out
}

// insert makes the base rows of each new view row: of a parent, that is of a table of which a row may be in many rows of the
// view or that another one refers to, if there is none with its key; of a table that may be missing, if something is given for
// it; of all other tables always.
func (p *push) insert() outcome {
	if !slices.Contains(p.preserved, true) {
		return refused("55000", "no table's key is the view's")
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
		kept = append(kept, values)
		bases := make([]*row, len(p.f.tables))
		for i, t := range p.f.tables {
			t := p.d.tables[t]
			if p.f.missing[i] && !p.wanted(i, values) {
				continue
			}
			if parent[i] {
				there, o := p.match(i, known)
				if o.code != "" {
					return o
				}
				if there != nil {
					bases[i] = there
					continue
				}
			}
			r := own
			if i != main {
				if r, o = p.proposed(i, known); o.code != "" {
					return o
				}
			}
			t.rows = append(t.rows, r)
			p.fresh[r] = i
			bases[i] = r
		}
		made = append(made, found{bases: bases})
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
	if o := p.others(before, about); o.code != "" {
		return o
	}
	slices.Sort(out.returning)
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

// match finds the row of a parent that has the key known. It must agree with everything that was supplied, and if it was inserted
// by the same statement, with everything known.
func (p *push) match(i int, known map[at]value) (*row, outcome) {
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

// constraints tests all constraints of all tables.
func (d *database) constraints() outcome {
	if o := d.rules(); o.code != "" {
		return o
	}
	return d.references()
}

// rules tests the constraints that each table has for itself.
func (d *database) rules() outcome {
	for _, t := range d.tables {
		for _, r := range t.rows {
			if o := t.test(r); o.code != "" {
				return o
			}
		}
		for _, key := range t.keys {
			seen := map[string]bool{}
			for _, r := range t.rows {
				var list []value
				for _, c := range key {
					list = append(list, r.values[c])
				}
				text := fmt.Sprint(list)
				if slices.Contains(list, null) {
					continue
				}
				if seen[text] {
					return refused("23505", "two rows of %s have (%s) = (%s)", t.name, t.names(key), text)
				}
				seen[text] = true
			}
		}
	}
	return outcome{}
}

// test tests the constraints of a row by itself.
func (t *table) test(r *row) outcome {
	for c, v := range r.values {
		if v.null && t.notNull[c] {
			return refused("23502", "%s.%s is NULL", t.name, t.columns[c])
		}
		if !t.kinds[c].holds(v) {
			return refused("23514", "%s.%s is %s", t.name, t.columns[c], t.kinds[c].text(v))
		}
	}
	return outcome{}
}

// references tests the foreign keys.
func (d *database) references() outcome {
	for _, t := range d.tables {
		for _, ref := range t.refs {
			for _, r := range t.rows {
				v := r.values[ref.column]
				if !v.null && !slices.ContainsFunc(d.tables[ref.table].rows, func(to *row) bool { return to.values[ref.toColumn] == v }) {
					return refused("23503", "%s.%s = %s is not in %s", t.name, t.columns[ref.column], v, d.tables[ref.table].name)
				}
			}
		}
	}
	return outcome{}
}
