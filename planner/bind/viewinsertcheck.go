package bind

import (
	"strings"

	"holdfast/sql/algebra"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// What is checked of the rows that an INSERT through a join view makes.

// checks are what must hold of a new row: it is in the join, a parent that was there agrees with what was
// given, no other rows appear in the view, and the conditions that CHECK OPTION demands.
func (j *joinInsert) checks(twice [][2]int) []algebra.ViewCheck {
	b, w := j.b, j.w
	var out []algebra.ViewCheck
	r := j.rewriter()
	var row []scalar
	for _, c := range w.flat.cols {
		row = append(row, r.RewriteScalar(c.expr))
	}
	detail := "Failing row contains (" + strings.TrimSuffix(strings.Repeat("%s, ", len(row)), ", ") + ")."
	check := func(view *catalog.Table, cond scalar) {
		out = append(out, algebra.ViewCheck{View: view, Cond: cond, Detail: detail, Args: row})
	}
	for _, m := range twice { // two columns of one class
		check(w.view, b.distinctOf(b.col(j.source.Cols[m[0]], -1), b.col(j.source.Cols[m[1]], -1), true, -1))
	}
	for _, x := range j.columns {
		if x.c.inverse != nil && !x.c.inverse.exact {
			out = append(out, shownAsGiven(b, w, x.c, j.row(j.class[x.c.at]), b.col(j.source.Cols[x.n], -1)))
		}
	}
	for _, p := range j.parts {
		if p.parent && p.cte != nil && p.key != nil {
			if c := j.agrees(p); c != nil {
				out = append(out, *c)
			}
		}
	}
	for _, cond := range j.linkConds() {
		check(w.view, r.RewriteScalar(cond))
	}
	for _, p := range j.parts {
		if p.outer == nil || p.cte == nil {
			continue
		}
		for _, cond := range p.outer.on {
			check(w.view, &algebra.Or{Args: []scalar{&algebra.Not{Arg: j.wanted(p, j.source)}, r.RewriteScalar(cond)}})
		}
	}
	for _, c := range w.checks {
		check(c.View, r.RewriteScalar(c.Cond))
	}
	return append(out, j.alone()...)
}

// agrees is the condition that a parent that is there has what was given for it; nil if only its key was.
func (j *joinInsert) agrees(p *insertPart) *algebra.ViewCheck {
	b := j.b
	scan, own := j.scanTableOf(p)
	var differs, values, present, keyValues []scalar
	var columns, keyColumns []string
	for _, k := range p.key.Keys {
		keyColumns = append(keyColumns, quotedName(p.base.table.Columns[k.Column-1].Name))
		keyValues = append(keyValues, j.row(j.class[baseColumn{p.i, k.Column}]))
	}
	for _, c := range p.base.table.Columns {
		class := j.class[baseColumn{p.i, c.Number}]
		if c.Dropped || isKeyColumn(p.key, c.Number) || !j.supplied[class] {
			continue
		}
		v := b.assign(j.row(class), c.Type, c.Mod, c.Name, -1, false)
		differs = append(differs, b.distinctOf(own(c.Number), v, false, -1))
		there, _ := j.rowThere(p, c.Number, j.row)
		columns, values, present = append(columns, quotedName(c.Name)), append(values, v), append(present, there)
	}
	if len(differs) == 0 {
		return nil
	}
	other := differs[0]
	if len(differs) > 1 {
		other = &algebra.Or{Args: differs}
	}
	conds := append(j.matches(p, own, j.row), other)
	if cond := j.wanted(p, j.source); cond != nil {
		conds = append(conds, cond)
	}
	f := &algebra.Filter{Input: scan, Cond: and(conds...)}
	marks := func(n int) string { return strings.TrimSuffix(strings.Repeat("%s, ", n), ", ") }
	return &algebra.ViewCheck{View: j.w.view, Cond: &algebra.Not{Arg: &algebra.Subquery{T: noMod(types.Bool), Kind: algebra.ExistsSubquery, Rel: f}},
		Err: errs.New(errs.UniqueViolation, "a row of table %s that view %s would insert exists with other values", quoted(p.base.table.Name), quoted(j.w.view.Name)),
		Detail: "Key (" + strings.Join(keyColumns, ", ") + ")=(" + marks(len(keyValues)) + ") already exists with (" + strings.Join(columns, ", ") + ")=(" + marks(len(present)) +
			"), not (" + marks(len(values)) + ").",
		Args: append(append(keyValues, present...), values...)}
}

func quotedName(name string) string {
	return strings.ReplaceAll(types.QuoteIdentifier(name), "%", "%%")
}

// alone are the conditions that no other rows appear in the view: rows of other tables may have waited for the new row. A foreign key
// says that there are none.
func (j *joinInsert) alone() []algebra.ViewCheck {
	var out []algebra.ViewCheck
	for _, p := range j.parts {
		if p != j.main && p.cte == nil {
			continue
		}
		for i, base := range j.w.bases {
			if base.table.OID != p.base.table.OID || i == p.i && j.g.single[i] && !j.w.flat.bases[i].nullable || j.awaited(i) {
				continue
			}
			others := j.others(p, i)
			if others == nil {
				continue
			}
			cond := scalar(&algebra.Not{Arg: &algebra.Subquery{T: noMod(types.Bool), Kind: algebra.ExistsSubquery, Rel: others}})
			if p.parent && p.key != nil {
				_, there := j.rowThere(p, p.key.Keys[0].Column, j.row)
				cond = &algebra.Or{Args: []scalar{there, cond}}
			}
			if w := j.wanted(p, j.source); p != j.main && w != nil {
				cond = &algebra.Or{Args: []scalar{&algebra.Not{Arg: w}, cond}}
			}
			out = append(out, algebra.ViewCheck{View: j.w.view, Cond: cond,
				Err: errs.New(errs.CardinalityViolation, "other rows would appear in view %s", quoted(j.w.view.Name)).
					WithDetail("Rows of other tables wait for the new row of table %s.", quoted(p.base.table.Name)).
					WithHint("Insert into table %s itself.", quoted(p.base.table.Name))})
		}
	}
	return out
}

// awaited reports whether a foreign key of another table says that none of its rows waits for a row in a place of the view.
func (j *joinInsert) awaited(i int) bool {
	for k, other := range j.w.bases {
		if k != i && j.refers(k, other.table, i, j.w.bases[i].table) {
			return true
		}
	}
	return false
}

// others are the rows of the view as they are that would show the new row of a part in a place of it; nil if no condition joins it.
func (j *joinInsert) others(p *insertPart, place int) algebra.Rel {
	b := j.b
	used := algebra.ColSet{}
	for _, c := range j.g.f.always() {
		algebra.ScalarColumns(c, used)
	}
	for _, o := range j.g.f.outer {
		for _, c := range o.on {
			algebra.ScalarColumns(c, used)
		}
	}
	scan := j.w.bases[place].src.scan
	row := &algebra.Project{Input: &algebra.Values{Rows: [][]scalar{{}}}}
	for _, c := range scan.Cols {
		v := scalar(nullOf(b.q.Column(c.ID).T))
		if used.Has(c.ID) && c.Number > 0 {
			v = j.value(baseColumn{p.i, c.Number})
		}
		row.Items = append(row.Items, algebra.Item{ID: c.ID, Expr: v})
	}
	r := &algebra.Rewriter{Rel: func(rel algebra.Rel) (algebra.Rel, bool) {
		if rel == algebra.Rel(scan) {
			return row, true
		}
		return nil, false
	}}
	inner := j.w.flat.rel
	if j.w.flat.bases[place].nullable { // of rows that show it
		inner = &algebra.Filter{Input: inner, Cond: present(b, scan, used)}
	}
	out := algebra.NewCopier(b.q).Rel(r.RewriteRel(inner))
	b.know(j.scope)
	return out
}

// present is a condition that holds of rows that are not left out by an outer join.
func present(b *binder, scan *algebra.Scan, used algebra.ColSet) scalar {
	for _, c := range scan.Cols {
		if used.Has(c.ID) {
			return &algebra.IsNull{Arg: b.col(c.ID, -1), Not: true}
		}
	}
	return &algebra.Const{T: noMod(types.Bool), Value: types.NewBool(true)}
}

// linkConds are the conditions over several tables, which say which rows belong together.
func (j *joinInsert) linkConds() []scalar {
	always, _ := j.g.links()
	return always
}

func isKeyColumn(x *catalog.Index, number int16) bool {
	for _, k := range x.Keys {
		if k.Column == number {
			return true
		}
	}
	return false
}
