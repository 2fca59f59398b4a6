package assertions

import (
	"slices"
	"strings"

	"holdfast/sql/algebra"
	"holdfast/sql/errs"
)

// Detail says how the rows of a violation query are shown: by the names of their columns, and, where the rows are
// groups, which of these are the group's own, apart from the values of its aggregates.
type Detail struct {
	columns []string
	group   []bool // nil: the rows are no groups
}

// Show makes a bound violation query show what tells a violation, and says how. Where its rows are groups that HAVING has chosen, these
// are the group and the values of the aggregates that HAVING looks at, whatever else is selected.
func Show(q *algebra.Query) Detail {
	var d Detail
	if p, agg, cond := grouped(q.Root); agg != nil {
		show := *p
		show.Items = slices.Clone(p.Items)
		add := func(id algebra.ColID, name string) {
			if slices.ContainsFunc(q.Output, func(o algebra.OutputColumn) bool { return o.ID == id }) {
				return
			}
			if !slices.Contains(show.Columns(), id) {
				show.Items = append(show.Items, algebra.Item{ID: id, Expr: &algebra.Col{T: q.Column(id).T, ID: id}})
			}
			q.Output = append(q.Output, algebra.OutputColumn{ID: id, Name: name})
		}
		shown := func(id algebra.ColID) bool { return slices.Contains(agg.Keys, id) }
		if !slices.ContainsFunc(q.Output, func(o algebra.OutputColumn) bool { return shown(o.ID) }) {
			for _, k := range agg.Keys {
				add(k, q.Column(k).Name)
			}
		}
		used := algebra.ColSet{}
		if cond != nil {
			algebra.ScalarColumns(cond, used)
		}
		for i := range agg.Aggs {
			if a := &agg.Aggs[i]; used.Has(a.ID) {
				add(a.ID, a.Func.Name)
			}
		}
		q.Root = &show
		for _, o := range q.Output {
			d.group = append(d.group, shown(o.ID))
		}
	}
	for _, o := range q.Output {
		d.columns = append(d.columns, o.Name)
	}
	return d
}

// grouped takes a relation apart if its rows are groups: a projection over, maybe, a selection of an aggregation.
func grouped(r algebra.Rel) (p *algebra.Project, agg *algebra.Aggregate, cond algebra.Scalar) {
	p, ok := r.(*algebra.Project)
	if !ok {
		return nil, nil, nil
	}
	in := p.Input
	if f, ok := in.(*algebra.Filter); ok {
		in, cond = f.Input, f.Cond
	}
	if agg, ok = in.(*algebra.Aggregate); !ok || len(agg.Keys) == 0 {
		return nil, nil, nil
	}
	return p, agg, cond
}

// Violated is the error of an assertion. values are those of the violating row.
func (d Detail) Violated(schema, name string, values []string) *errs.Error {
	e := errs.New(errs.CheckViolation, `assertion "%s" is violated`, name)
	e.Schema, e.Constraint = schema, name
	switch {
	case d.group != nil:
		e.Detail = "Violating group: " + d.Text(values) + "."
	case len(d.columns) > 0:
		e.Detail = "Violating row: " + d.Text(values) + "."
	}
	return e
}

// Text is a violating row or group: `(id, total) = (99, 1184)`, or `(team_id) = (7), count = 11`. It is "" where the condition
// speaks of no rows.
func (d Detail) Text(values []string) string {
	if len(d.columns) == 0 {
		return ""
	}
	if d.group == nil {
		return "(" + strings.Join(d.columns, ", ") + ") = (" + strings.Join(values, ", ") + ")"
	}
	var keys, of, rest []string
	for i, c := range d.columns {
		if d.group[i] {
			keys, of = append(keys, c), append(of, values[i])
		} else {
			rest = append(rest, c+" = "+values[i])
		}
	}
	list := append([]string{"(" + strings.Join(keys, ", ") + ") = (" + strings.Join(of, ", ") + ")"}, rest...)
	return strings.Join(list, ", ")
}
