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
	fresh     map[*row]int // rows inserted, and for which occurrence
	supplied  map[at]bool  // columns that have a value by the statement or a condition of the view
	drawn     []value      // from sequences
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
	p.fresh = map[*row]int{}
	sets := make([]map[at]value, len(rows))
	for n, r := range rows {
		sets[n] = map[at]value{}
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
				sets[n][t] = v
				if r.bases[t.table] == nil {
					continue
				}
				to := place{r.bases[t.table], t.column}
				if was, twice := writes[to]; twice && was != v {
					return refused("21000", "two view rows write %s.%s", p.d.tables[p.f.tables[t.table]].name, p.d.tables[p.f.tables[t.table]].columns[t.column])
				}
				writes[to] = v
			}
		}
	}
	for to, v := range writes {
		to.row.values[to.column] = v
	}
	whole := slices.Clone(rows)
	for n := range whole {
		if o := p.make(&whole[n].found, sets[n]); o.code != "" {
			return o
		}
	}
	if o := p.d.generate(); o.code != "" {
		return o
	}
	if o := p.constraints(); o.code != "" {
		return o
	}
	return p.look(rows, whole, before)
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

// look looks at the view again. The rows that the statement was about, whole with what was made for them, must show what was SET, and
// besides only what follows from it: expressions over such columns, and the columns of a base row that was not in the row before. Every
// other row of the view must be as it was.
func (p *push) look(rows, whole []wanting, before []found) outcome {
	out := outcome{count: len(rows), after: p.d}
	about := map[string]bool{}
	linked := map[string]found{} // as the view shows it, if it does
	visible := map[string]bool{}
	for _, whole := range []bool{false, true} {
		for _, r := range evaluate(p.d, p.view, !whole) {
			linked[p.identity(r)], visible[p.identity(r)] = r, whole
		}
	}
	for n, r := range rows {
		about[p.identity(r.found)], about[p.identity(whole[n].found)] = true, true
		now, ok := linked[p.identity(whole[n].found)]
		if !ok {
			return refused("44000", "the row %s is not in the join any more", p.text(r.found))
		}
		if !slices.Equal(r.bases, whole[n].bases) && !visible[p.identity(whole[n].found)] {
			return refused("44000", "what is made for the row %s would not be seen", p.text(r.found))
		}
		if o := p.checkOption(now); o.code != "" {
			return o
		}
		if o := p.meant(r, now); o.code != "" {
			return o
		}
		for i, base := range whole[n].bases {
			if _, made := p.fresh[base]; made && now.bases[i] != base {
				return refused("44000", "what is made for the row %s is not in the join", p.text(r.found))
			}
		}
		out.answer(p, now)
	}
	if o := p.others(before, about, nil); o.code != "" {
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

// others compares the rows that a statement was not about with what they were. Rows that lack what rows inserted or deleted have may
// vanish or appear with them.
func (p *push) others(before []found, about map[string]bool, with []found) outcome {
	was := map[string]string{}
	replaced := func(r found) bool {
		return slices.ContainsFunc(with, func(x found) bool { return p.instead(r, x) })
	}
	for _, r := range before {
		if id := p.identity(r); !about[id] && !(p.kind == "INSERT" && replaced(r)) {
			was[id] = p.text(r)
		}
	}
	for _, r := range evaluate(p.d, p.view, false) {
		id := p.identity(r)
		if about[id] || p.kind == "DELETE" && replaced(r) {
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
	_, chosen := p.view.chosen(p.d)
	for _, r := range rows {
		about[p.identity(r)] = true
		out.answer(p, r)
		if anchors := p.f.anchors(p.d); !chosen && anchors != nil && r.bases[anchors[0]] == nil {
			return refused("21000", "the row %s would stay", p.text(r))
		}
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
	if o := p.others(before, about, rows); o.code != "" {
		return o
	}
	return out
}
