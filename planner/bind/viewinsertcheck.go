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
// given, and the conditions that CHECK OPTION demands. That no other rows appear in the view is verified afterwards.
func (j *joinInsert) checks(twice [][2]int) []algebra.ViewCheck {
	b, w := j.b, j.w
	var out []algebra.ViewCheck
	r := j.rewriter()
	var row []scalar
	for _, c := range w.flat.cols {
		row = append(row, r.RewriteScalar(c.expr))
	}
	check := func(view *catalog.Table, cond scalar) {
		one := []algebra.ViewCheck{{View: view, Cond: cond}}
		failingRow(one, row)
		out = append(out, one...)
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
		if given := j.notNull(p); given != nil {
			check(w.view, &algebra.Or{Args: []scalar{j.wanted(p, j.source), &algebra.Not{Arg: given}}})
		}
		for _, cond := range p.outer.on {
			check(w.view, &algebra.Or{Args: []scalar{&algebra.Not{Arg: j.wanted(p, j.source)}, r.RewriteScalar(cond)}})
		}
	}
	for _, c := range w.checks {
		check(c.View, r.RewriteScalar(c.Cond))
	}
	return out
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

// notNull is the condition that an outer join finds a row of a part's table which has other values than NULL in columns that are given.
// It is asked where all that is given is NULL. nil: it never does.
func (j *joinInsert) notNull(p *insertPart) scalar {
	if p.key == nil {
		return nil
	}
	differs := func(own func(number int16) scalar) scalar {
		var list []scalar
		for _, x := range j.own(p) {
			list = append(list, &algebra.IsNull{Arg: own(x.c.at.number), Not: true})
		}
		return &algebra.Or{Args: list}
	}
	scan, own := j.scanTableOf(p)
	there := &algebra.Filter{Input: scan, Cond: and(append(append(j.matches(p, own, j.row), j.otherConds(p, own)...), differs(own))...)}
	list := []scalar{&algebra.Subquery{T: noMod(types.Bool), Kind: algebra.ExistsSubquery, Rel: there}}
	for _, made := range j.serving[p] {
		list = append(list, and(j.isServed(p, made), differs(made.own)))
	}
	return &algebra.Or{Args: list}
}

func quotedName(name string) string {
	return strings.ReplaceAll(types.QuoteIdentifier(name), "%", "%%")
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
