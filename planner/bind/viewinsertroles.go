package bind

import (
	"slices"

	"holdfast/sql/algebra"
	"holdfast/sql/types"
)

// INSERT through a view that has one table in several roles. One row can serve several of them: somebody may be his own manager, or that
// of another who comes with the same statement. So a part does not insert a row that another part, of the same table, inserts anyway:
// with the same key and the values that are given here. If the values are others, both insert, which violates the key.
//
// Of two parts the main one inserts, or else the first: a part never waits for one that waits for it.

// madeRows are rows that the statement inserts into a table, and the columns they have there.
type madeRows struct {
	rel algebra.Rel
	own func(number int16) scalar
}

// serves are the rows that the statement inserts into a part's table for other roles, those that the part itself leaves to them.
func (j *joinInsert) serves(p *insertPart) (list []madeRows) {
	if p.key == nil || p == j.main {
		return nil
	}
	if j.main.base.table.OID == p.base.table.OID {
		list = append(list, j.mainRows())
	}
	for _, q := range j.parts {
		if q == p {
			break
		}
		if q != j.main && q.cte != nil && q.base.table.OID == p.base.table.OID {
			list = append(list, j.partRows(q))
		}
	}
	return list
}

// mainRows are the rows inserted into the main table. All its values are known, see values.
func (j *joinInsert) mainRows() madeRows {
	b, t := j.b, j.main.base.table
	rel, row := j.scan()
	if len(j.unique) > 0 {
		rel = &algebra.Filter{Input: rel, Cond: &algebra.Not{Arg: j.conflicts(row)}}
	}
	set := j.assignments(j.main, row)
	rel = j.generatedOver(rel, t, set)
	p := &algebra.Project{Input: rel}
	at := map[int16]algebra.ColID{}
	for _, a := range set {
		c := t.Columns[a.Number-1]
		at[c.Number] = b.newCol(algebra.Column{Name: c.Name, T: typeOf(c.Type, c.Mod)}, colInfo{scope: j.scope, kind: outputCol})
		p.Items = append(p.Items, algebra.Item{ID: at[c.Number], Expr: a.Value})
	}
	return madeRows{p, func(number int16) scalar { return b.col(at[number], -1) }}
}

// partRows are the rows inserted by a part other than the main one.
func (j *joinInsert) partRows(p *insertPart) madeRows {
	scan := j.scanCTE(p.cte)
	return madeRows{scan, func(number int16) scalar {
		for i, n := range p.base.new {
			if n.Number == number {
				return j.b.col(scan.Cols[i], -1)
			}
		}
		return nil
	}}
}

// unserved leaves of the rows that a part would insert those that no other role has.
func (j *joinInsert) unserved(p *insertPart, rel algebra.Rel, row func(class int) *algebra.Col) algebra.Rel {
	for _, made := range j.serves(p) {
		conds := j.matches(p, made.own, row)
		for _, c := range p.base.table.Columns {
			class := j.class[baseColumn{p.i, c.Number}]
			if !c.Dropped && !isKeyColumn(p.key, c.Number) && j.supplied[class] {
				conds = append(conds, j.b.distinctOf(made.own(c.Number), j.b.assign(row(class), c.Type, c.Mod, c.Name, -1, false), true, -1))
			}
		}
		rel = &algebra.Join{Kind: algebra.AntiJoin, Left: rel, Right: made.rel, On: and(conds...)}
	}
	return rel
}

// joinServing joins the rows given with those that the statement makes for other roles, and with those that it makes for this one. There
// is one at most for each, or the statement will violate a key.
// (Looking for them row by row would take the square of their number.)
func (j *joinInsert) joinServing(rel algebra.Rel) algebra.Rel {
	j.serving = map[*insertPart][]madeRows{}
	for _, p := range j.parts {
		for _, made := range j.serves(p) {
			rel = &algebra.Join{Kind: algebra.LeftJoin, Left: rel, Right: made.rel, On: and(j.matches(p, made.own, j.row)...)}
			j.serving[p] = append(j.serving[p], made)
		}
		if len(j.serving[p]) > 0 && p.cte != nil {
			made := j.partRows(p)
			rel = &algebra.Join{Kind: algebra.LeftJoin, Left: rel, Right: made.rel, On: and(j.matches(p, made.own, j.row)...)}
			p.made = &made
		}
	}
	return rel
}

// served are the cases of a column of a part's row that another role has.
func (j *joinInsert) served(p *insertPart, number int16) (list []algebra.When) {
	for _, made := range j.serving[p] {
		list = append(list, algebra.When{Cond: j.isServed(p, made), Result: made.own(number)})
	}
	return list
}

// isServed is the condition that rows joined by joinServing have one that the view joins with the row at hand in the place of a part.
func (j *joinInsert) isServed(p *insertPart, made madeRows) scalar {
	conds := []scalar{&algebra.IsNull{Arg: made.own(p.key.Keys[0].Column), Not: true}}
	return and(append(conds, j.otherConds(p, made.own)...)...)
}

// found is the case of a column of a part's row that was there before.
func (j *joinInsert) found(p *insertPart, number int16) algebra.When {
	there := func(scan *algebra.Scan, own func(number int16) scalar) algebra.Rel {
		return &algebra.Filter{Input: scan, Cond: and(append(j.matches(p, own, j.row), j.otherConds(p, own)...)...)}
	}
	scan, own := j.scanTableOf(p)
	v := own(number).(*algebra.Col)
	found := &algebra.Project{Input: there(scan, own), Items: []algebra.Item{{ID: v.ID, Expr: v}}}
	return algebra.When{Cond: &algebra.Subquery{T: noMod(types.Bool), Kind: algebra.ExistsSubquery, Rel: there(j.scanTableOf(p))},
		Result: &algebra.Subquery{T: v.T, Kind: algebra.ScalarSubquery, Rel: found}}
}

// otherConds are the conditions of the outer join that may leave out a part, over a row of its table: besides those by which its key is
// found.
func (j *joinInsert) otherConds(p *insertPart, own func(number int16) scalar) (list []scalar) {
	if p.outer == nil {
		return nil
	}
	r := &algebra.Rewriter{Scalar: func(e scalar) (scalar, bool) {
		c, ok := e.(*algebra.Col)
		if !ok {
			return nil, false
		}
		at, ok := j.g.at[c.ID]
		switch {
		case !ok || at.number <= 0:
			return c, true
		case at.base == p.i:
			return own(at.number), true
		}
		return j.value(at), true
	}}
	for _, cond := range p.outer.on {
		if e, ok := equationOf(cond); ok && slices.ContainsFunc([]algebra.ColID{e.a, e.b}, func(id algebra.ColID) bool {
			at, ok := j.g.at[id]
			return ok && at.base == p.i && isKeyColumn(p.key, at.number)
		}) {
			continue
		}
		list = append(list, r.RewriteScalar(cond))
	}
	return list
}
