package views

import (
	"slices"
	"strings"
)

// onConflict is ON CONFLICT.
type onConflict struct {
	target []int // columns of the view, none for any key
	update bool
	set    []assignment
	where  []test
}

func (c *onConflict) sql(d *database, w *writer, s *statement) string {
	text := " ON CONFLICT"
	var list []string
	for _, t := range c.target {
		list = append(list, s.view.columns[t].name)
	}
	if list != nil {
		text += " (" + strings.Join(list, ", ") + ")"
	}
	if !c.update {
		return text + " DO NOTHING"
	}
	text += " DO UPDATE SET " + s.assignments(d, w, c.set)
	if list := testsSQL(w, c.where, s.view.name, (&source{table: -1, view: s.view}).names(d), s.view.kinds(d)); list != nil {
		text += " WHERE " + strings.Join(list, " AND ")
	}
	return text
}

// main is the occurrence that has a row for each new row of the view: the first that is not a parent.
func (p *push) main() int { return slices.Index(p.parents(), false) }

// arbiters are the keys of the main table that the conflict is about.
func (p *push) arbiters(main int) [][]int {
	t := p.d.tables[p.f.tables[main]]
	if p.conflict.target == nil {
		return t.keys
	}
	var own []int
	for _, direct := range []bool{true, false} {
		for _, c := range p.conflict.target {
			if at := p.f.columns[c].at; (at.table == main) == direct {
				if c := p.named(at, main, own); c >= 0 && !slices.Contains(own, c) {
					own = append(own, c)
				}
			}
		}
	}
	var out [][]int
	for _, key := range t.keys {
		if len(key) == len(own) && !slices.ContainsFunc(key, func(c int) bool { return !slices.Contains(own, c) }) {
			out = append(out, key)
		}
	}
	return out
}

// named is the column of the main table that a column is, or equals; one of a key rather than another one; -1 for none.
func (p *push) named(a at, main int, taken []int) int {
	if a.table == main {
		return a.column
	}
	found := -1
	for _, b := range p.equal(a) {
		inKey := func(c int) bool {
			return slices.ContainsFunc(p.d.tables[p.f.tables[main]].keys, func(key []int) bool { return slices.Contains(key, c) })
		}
		if b.table == main && (found < 0 || slices.Contains(taken, found) || inKey(b.column) && !slices.Contains(taken, b.column)) {
			found = b.column
		}
	}
	return found
}

// meets reports whether two rows have the same value of one of some keys.
func meets(a, b *row, keys [][]int) bool {
	return slices.ContainsFunc(keys, func(key []int) bool {
		return !slices.ContainsFunc(key, func(c int) bool { return !compare(a.values[c], "=", b.values[c]) })
	})
}

// aside is what becomes of a proposed row that meets one that is there.
type aside struct {
	there   *row
	was     found // the row of the view that it makes, as far as it makes one
	updated bool
	set     []value // what is stored for SET
}

// meet settles whether the row proposed for the main table meets one that is there, and what follows from that; or one that the
// statement has inserted. A row may be updated once.
func (p *push) meet(main int, proposed *row, inserted []*row, asides []*aside) (*aside, outcome) {
	keys := p.arbiters(main)
	if o := p.d.tables[p.f.tables[main]].test(proposed); o.code != "" { // as in PostgreSQL, before it looks for conflicts
		return nil, o
	}
	for _, r := range p.d.tables[p.f.tables[main]].rows {
		if _, fresh := p.fresh[r]; fresh || !meets(p.present(r, asides), proposed, keys) {
			continue
		}
		out := &aside{there: r, was: p.seenFrom(main, r)}
		out.was.values = slices.Clone(out.was.values)
		if !p.conflict.update || slices.ContainsFunc(p.conflict.where, func(t test) bool { return !t.holds(out.was.values) }) {
			return out, outcome{}
		}
		if slices.ContainsFunc(asides, func(a *aside) bool { return a.updated && a.there == r }) {
			return nil, refused("21000", "two rows proposed meet the same row")
		}
		out.updated = true
		bases := make([]*row, len(p.f.tables))
		bases[main] = proposed
		return out, p.resolve(main, out, p.f.show(bases))
	}
	for _, r := range inserted {
		if meets(r, proposed, keys) {
			if len(p.f.tables) == 1 && !p.conflict.update {
				return &aside{}, outcome{}
			}
			return nil, refused("21000", "two rows proposed have the same key")
		}
	}
	return nil, outcome{}
}

// present is a row of the main table as the next row proposed finds it: of a view over one table, as in PostgreSQL, with what was set
// for those before. Of a join view it is as it was when the statement began.
func (p *push) present(r *row, asides []*aside) *row {
	i := slices.IndexFunc(asides, func(a *aside) bool { return a.updated && a.there == r })
	if i < 0 || len(p.f.tables) > 1 {
		return r
	}
	now := *r
	now.values = slices.Clone(r.values)
	for k, v := range asides[i].set {
		now.values[p.f.columns[p.conflict.set[k].column].at.column] = v
	}
	return &now
}

// resolve carries out DO UPDATE.
func (p *push) resolve(main int, a *aside, proposed []value) outcome {
	for _, s := range p.conflict.set {
		c := p.f.columns[s.column]
		if c.at.table != main {
			return refused("0A000", "column %s", c.name)
		}
		v, o := p.kinds[s.column].assign(s.to.of(a.was.values, nil, proposed))
		if o.code == "" {
			v, o = p.d.tables[p.f.tables[main]].kinds[c.at.column].assign(v.add(-c.plus))
		}
		if o.code != "" {
			return o
		}
		a.set = append(a.set, v)
	}
	return outcome{}
}

// seenFrom is the row of the view that a row of the main table makes, in sight or not; one with nothing else in it if it makes none.
func (p *push) seenFrom(main int, r *row) found {
	for _, x := range evaluate(p.d, p.view, true) {
		if x.bases[main] == r {
			return x
		}
	}
	bases := make([]*row, len(p.f.tables))
	bases[main] = r
	return found{bases: bases, values: p.f.show(bases)}
}

// show are the columns of the view over base rows.
func (f *flat) show(bases []*row) []value {
	var out []value
	for _, c := range f.columns {
		out = append(out, columnOf(bases, c.at).add(c.plus))
	}
	return out
}
