package views

import (
	"fmt"
	"slices"
)

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
