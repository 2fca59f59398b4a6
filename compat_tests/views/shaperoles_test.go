package views

// entangle makes the rows of an INSERT through a view with a table in several roles refer to each other: columns get the values of other
// columns of the same table, in this row or in another, as a whole row or one by one.
func (g shape) entangle(d *database, s *statement) {
	f := flatten(d, s.view)
	if !f.roles() {
		return
	}
	kinds := s.view.kinds(d)
	tableOf := func(c int) int { return f.tables[f.columns[c].at.table] }
	for _, r := range s.rows {
		if g.chance(80) { // values that are not there yet
			for k := range r {
				if g.chance(60) && kinds[s.columns[k]].family != "truth" {
					r[k] = number(5 + g.IntN(15))
				}
			}
		}
		for k := range r {
			if g.chance(5) {
				r[k] = null
			}
		}
	}
	for _, r := range s.rows {
		from := s.rows[g.IntN(len(s.rows))]
		for k, c := range s.columns {
			if !g.chance(20) {
				continue
			}
			m := g.IntN(len(s.columns))
			if tableOf(c) == tableOf(s.columns[m]) && kinds[c] == kinds[s.columns[m]] {
				r[k] = from[m]
			}
		}
		if !g.chance(40) { // one occurrence shows what another does
			continue
		}
		to, other := g.IntN(len(f.tables)), g.IntN(len(f.tables))
		for k, c := range s.columns {
			for m, o := range s.columns {
				a, b := f.columns[c].at, f.columns[o].at
				if a.table == to && b.table == other && a.column == b.column && f.tables[to] == f.tables[other] && kinds[c] == kinds[o] {
					r[k] = from[m]
				}
			}
		}
	}
}
