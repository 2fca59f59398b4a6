package views

import (
	"fmt"
	"slices"
	"strings"
)

// source is what UPDATE has in FROM, DELETE in USING, and INSERT selects from: a table, a view, rows of VALUES, or what the first part
// of a statement returns. Its name is f.
type source struct {
	table int // in the database, -1 for none
	view  *view
	lists [][]value
	kinds []*kind // of lists
	part  *statement
}

// names are the columns.
func (x *source) names(d *database) []string {
	var out []string
	switch {
	case x.part != nil:
		return (&source{table: -1, view: x.part.view}).names(d)
	case x.view != nil:
		for _, c := range x.view.columns {
			out = append(out, c.name)
		}
	case x.table >= 0:
		return d.tables[x.table].columns
	default:
		for i := range x.kinds {
			out = append(out, fmt.Sprint("x", i))
		}
	}
	return out
}

func (x *source) columnKinds(d *database) []*kind {
	switch {
	case x.part != nil:
		return x.part.view.kinds(d)
	case x.view != nil:
		return x.view.kinds(d)
	case x.table >= 0:
		return d.tables[x.table].kinds
	}
	return x.kinds
}

// rows are the rows as they are before the statement.
func (x *source) rows(d *database) [][]value {
	var out [][]value
	switch {
	case x.view != nil:
		for _, r := range evaluate(d, x.view, false) {
			out = append(out, r.values)
		}
	case x.table >= 0:
		for _, r := range d.tables[x.table].rows {
			out = append(out, append([]value{}, r.values...))
		}
	default:
		out = x.lists
	}
	return out
}

func (x *source) sql(d *database, w *writer) string {
	switch {
	case x.part != nil:
		return "part f"
	case x.view != nil:
		return x.view.name + " f"
	case x.table >= 0:
		return d.tables[x.table].name + " f"
	}
	var rows []string
	for _, r := range x.lists {
		var list []string
		for i, v := range r {
			list = append(list, w.literal(x.kinds[i], v, true))
		}
		rows = append(rows, "("+strings.Join(list, ", ")+")")
	}
	return "(VALUES " + strings.Join(rows, ", ") + ") f (" + strings.Join(x.names(d), ", ") + ")"
}

// either is the outcome of an UPDATE of one table that has several values to choose from, as in PostgreSQL.
const either = "either"

// pairing is a condition between a column of the view and one of the source.
type pairing struct {
	column int
	op     string
	from   int
}

// paired is a row of the view with a row of the source, nil if there is none.
type paired struct {
	found
	source []value
}

// pairs are the rows of the view that a statement is about, each with each row of the source that goes with it.
func (p *push) pairs(before []found) []paired {
	sources := [][]value{nil}
	if p.from != nil {
		sources = p.from.rows(p.d)
	}
	var out []paired
	for _, r := range before {
		if !p.affects(r.values) {
			continue
		}
		for _, s := range sources {
			all := true
			for _, m := range p.pairings {
				all = all && compare(r.values[m.column], m.op, s[m.from])
			}
			if all {
				out = append(out, paired{r, s})
			}
		}
	}
	return out
}

// given are the rows that INSERT gives, those that it selects or those of its VALUES.
func (p *push) given() [][]value {
	if p.from == nil {
		return slices.Clone(p.rows)
	}
	var out [][]value
	for _, s := range p.from.rows(p.d) {
		all := true
		for _, t := range p.where {
			all = all && t.holds(s)
		}
		if !all {
			continue
		}
		var r []value
		for _, e := range p.selected {
			r = append(r, e.of(nil, s, nil))
		}
		out = append(out, r)
	}
	return out
}
