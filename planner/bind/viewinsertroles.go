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
	rel   algebra.Rel
	own   func(number int16) scalar
	given bool // they are yet to be inserted
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
	return madeRows{rel: p, own: func(number int16) scalar { return b.col(at[number], -1) }, given: true}
}

// partRows are the rows inserted by a part other than the main one.
func (j *joinInsert) partRows(p *insertPart) madeRows {
	scan := j.scanCTE(p.cte)
	return madeRows{rel: scan, own: func(number int16) scalar {
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

// served are the cases of a column of a part's row that another role has.
func (j *joinInsert) served(p *insertPart, number int16) (list []algebra.When) {
	if len(j.serves(p)) == 0 {
		return nil
	}
	for i := range j.serves(p) {
		at := func() madeRows { return j.serves(p)[i] } // each use reads them by itself
		list = append(list, j.joined(p, number, at))
	}
	return list
}

// found is the case of a column of a part's row that was there before.
func (j *joinInsert) found(p *insertPart, number int16) algebra.When {
	return j.joined(p, number, func() madeRows {
		scan, own := j.scanTableOf(p)
		return madeRows{rel: scan, own: own}
	})
}

// joined is the case that rows have one which the view joins with the row at hand in the place of a part: a column of it.
func (j *joinInsert) joined(p *insertPart, number int16, rows func() madeRows) algebra.When {
	matching := func() (algebra.Rel, madeRows) {
		made := rows()
		conds := j.matches(p, made.own, j.row)
		if p.outer != nil {
			conds = append(conds, j.otherConds(p, made.own)...)
		}
		return &algebra.Filter{Input: made.rel, Cond: and(conds...)}, made
	}
	rel, made := matching()
	v := made.own(number).(*algebra.Col)
	one := rel
	if made.given { // by its key, which is unique, or else the statement fails
		one = &algebra.Limit{Input: rel, Count: &algebra.Const{T: noMod(types.Int8), Value: types.NewInt(1)}}
	}
	rel, _ = matching()
	return algebra.When{
		Cond:   &algebra.Subquery{T: noMod(types.Bool), Kind: algebra.ExistsSubquery, Rel: rel},
		Result: &algebra.Subquery{T: v.T, Kind: algebra.ScalarSubquery, Rel: &algebra.Project{Input: one, Items: []algebra.Item{{ID: v.ID, Expr: v}}}},
	}
}

// otherConds are the conditions of the outer join that may leave out a part, over a row of its table: besides those by which its key is
// found.
func (j *joinInsert) otherConds(p *insertPart, own func(number int16) scalar) (list []scalar) {
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
