package views

import "slices"

// What the server fills in: defaults, numbers drawn from sequences, and columns that are generated.

// generated is a column that is another one of its row plus a number.
type generated struct{ from, plus int }

// generate computes the generated columns of a row.
func (t *table) generate(r *row) outcome {
	for c, g := range t.computed {
		if g == nil {
			continue
		}
		v, o := t.kinds[c].assign(r.values[g.from].add(g.plus))
		if o.code != "" {
			return o
		}
		r.values[c] = v
	}
	return outcome{}
}

// generate computes the generated columns of all rows.
func (d *database) generate() outcome {
	for _, t := range d.tables {
		for _, r := range t.rows {
			if o := t.generate(r); o.code != "" {
				return o
			}
		}
	}
	return outcome{}
}

// drawn is where the numbers of sequences begin, above all others. The reference does not know which numbers a statement draws, only
// that they are new: it is told them, see compareStep.
const (
	drawn     = 1000
	drawnStep = 100 // so that one plus a little is no other one
)

// unheard stands for a number drawn that is nowhere to be seen.
const unheard = 900000

// draw is the next number of a sequence.
func (p *push) draw() value {
	p.draws++
	if p.draws <= len(p.drawn) {
		return p.drawn[p.draws-1]
	}
	return number(unheard + p.draws)
}

// defaultOf is the default of a column.
func (p *push) defaultOf(t *table, c int) value {
	if t.serial[c] != "" {
		return p.draw()
	}
	return t.defaults[c]
}

// drawnIn are the numbers drawn that are in the tables.
func (d *database) drawnIn() map[value]bool {
	out := map[value]bool{}
	for _, t := range d.tables {
		for _, r := range t.rows {
			for c, v := range r.values {
				if !v.null && t.kinds[c].family == "number" && v.n >= drawn && v.n%drawnStep == 0 && !v.half {
					out[v] = true
				}
			}
		}
	}
	return out
}

// orders are the orders in which numbers may have been drawn.
func orders(list []value) [][]value {
	if len(list) == 0 {
		return [][]value{nil}
	}
	var out [][]value
	for i := range list {
		rest := append(append([]value{}, list[:i]...), list[i+1:]...)
		for _, o := range orders(rest) {
			out = append(out, append([]value{list[i]}, o...))
		}
	}
	return out
}

// equalsGenerated reports whether INSERT gives a value for a column that equals a generated one.
func (s *statement) equalsGenerated(d *database) bool {
	f := flatten(d, s.view)
	return slices.ContainsFunc(s.columns, func(c int) bool {
		return slices.ContainsFunc(f.targets(d, f.columns[c], s.kind), func(a at) bool { return !d.settable(f, a) })
	})
}

// givesGenerated reports whether an INSERT gives a column that equals a generated one.
func (s *statement) givesGenerated(d *database) bool {
	return s.kind == "INSERT" && s.equalsGenerated(d)
}

// settable reports whether a value can be given for a column.
func (d *database) settable(f *flat, a at) bool {
	return d.tables[f.tables[a.table]].computed[a.column] == nil
}
