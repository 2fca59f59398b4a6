package bind

import (
	"context"
	"slices"

	"holdfast/sql/algebra"
	"holdfast/sql/catalog"
)

// A write through a join view must change the rows of the view that it names and no others, and these as it says. The key graph tells
// for most writes that it cannot be otherwise: a changed row of a key-preserved table is in one row of the view. What is left is
// verified when the statement has run, see exec.ViewVerify:
//
//   - a row of a table on the one side of a join shows in other rows of the view as well;
//   - so does a row of a table that the view joins in several roles (a self join);
//   - a row that an outer join had left out may still not fulfil its condition.

// seen are the columns of a table that the view shows, or has conditions on.
func (g *keyGraph) seen(i int) map[int16]bool {
	cols := algebra.ColSet{}
	for _, c := range g.f.cols {
		algebra.ScalarColumns(c.expr, cols)
	}
	for _, c := range g.f.always() {
		algebra.ScalarColumns(c, cols)
	}
	for _, j := range g.f.outer {
		for _, c := range j.on {
			algebra.ScalarColumns(c, cols)
		}
	}
	out := map[int16]bool{}
	for id := range cols {
		if c, ok := g.at[id]; ok && c.base == i {
			out[c.number] = true
		}
	}
	return out
}

// verifyUpdate is the verification that an UPDATE needs; nil if none.
func (w *writeTarget) verifyUpdate(b *binder, s *scope) *algebra.ViewVerify {
	g := w.flat.keys()
	v := &algebra.ViewVerify{View: w.view}
	roles := false // a table is written in one role and seen in another
	for i, base := range w.bases {
		changes, stays := false, false // of this place of the table, by whatever role it is written
		own := w.touched[base] != nil
		seen := g.seen(i)
		for _, other := range w.bases {
			touched := w.touched[other]
			if touched == nil || other.table.OID != base.table.OID || other == base && g.single[i] && !w.flat.bases[i].nullable {
				continue
			}
			if other != base && w.flat.bases[w.index(other)].nullable {
				changes = true // a row that is made there may show here
			}
			for n := range seen {
				if n > 0 && (touched[n] || base.table.Columns[n-1].Generated != "") {
					changes, stays = true, stays || other != base
				}
			}
		}
		roles = roles || stays
		if own && w.flat.bases[i].nullable {
			changes, stays = true, stays || g.lookedForGenerated(i)
		}
		if changes {
			v.Roles = append(v.Roles, algebra.ViewRole{Base: i, Table: base.table, Alias: base.src.name, Target: -1, Stays: stays})
		}
	}
	if roles && w.relinked { // the new partner may be changed by the same statement
		w.staysJoined(v)
	}
	if len(v.Roles) == 0 {
		return nil
	}
	r := w.renew()
	if roles && w.relinked {
		r = w.relinker(b, s)
	}
	for _, c := range w.flat.cols {
		follows := false
		for i := range g.tables(c.expr) {
			follows = follows || w.follows[i] || w.relinked && !roles && w.touched[w.bases[i]] == nil
		}
		if follows {
			v.Meant = append(v.Meant, nil)
		} else {
			v.Meant = append(v.Meant, r.RewriteScalar(c.expr))
		}
	}
	return v
}

// staysJoined has all rows of the view that are written stay in it, by the places that are written.
func (w *writeTarget) staysJoined(v *algebra.ViewVerify) {
	for i, base := range w.bases {
		if w.touched[base] == nil {
			continue
		}
		at := slices.IndexFunc(v.Roles, func(r algebra.ViewRole) bool { return r.Base == i })
		if at < 0 {
			at = len(v.Roles)
			v.Roles = append(v.Roles, algebra.ViewRole{Base: i, Table: base.table, Alias: base.src.name, Target: -1})
		}
		v.Roles[at].Stays = true
	}
}

// lookedForGenerated reports whether an outer join looks for rows of a table by a generated column, which changes with others.
func (g *keyGraph) lookedForGenerated(i int) bool {
	for _, c := range g.f.bases[i].src.base.Columns {
		if c.Dropped || c.Generated == "" {
			continue
		}
		for id, at := range g.at {
			if at == (baseColumn{i, c.Number}) && g.joinedBy(id) {
				return true
			}
		}
	}
	return false
}

// verifyDelete is the verification that a DELETE needs; nil if none.
func (w *writeTarget) verifyDelete() *algebra.ViewVerify {
	g := w.flat.keys()
	v := &algebra.ViewVerify{View: w.view}
	for i, base := range w.bases {
		for _, k := range w.deletes {
			if w.bases[k].table.OID == base.table.OID && !(i == k && g.single[i]) {
				v.Roles = append(v.Roles, algebra.ViewRole{Base: i, Table: base.table, Alias: base.src.name, Target: -1})
				break
			}
		}
	}
	if len(v.Roles) == 0 {
		return nil
	}
	return v
}

// identities are the tables whose rows tell rows of the view apart.
func (w *writeTarget) identities() (list []int) {
	if list = w.flat.keys().anchors; list != nil {
		return list
	}
	for i := range w.bases {
		list = append(list, i)
	}
	return list
}

// identify adds to the source the keys that tell rows of the view apart.
func (w *writeTarget) identify(b *binder, s *scope, v *algebra.ViewVerify) {
	v.Bases, v.Identity = w.identities(), w.rowKeys(b, s)
	for _, i := range v.Bases {
		v.Tables = append(v.Tables, w.bases[i].table)
	}
}

// rowKeys are the columns of the source that tell rows of the view apart.
func (w *writeTarget) rowKeys(b *binder, s *scope) (ids []algebra.ColID) {
	for _, i := range w.identities() {
		ids = append(ids, b.rowKey(w.bases[i].src))
	}
	s.adopt(w)
	return ids
}

// rowKey is the column of a scan that is the key of its rows.
func (b *binder) rowKey(src *source) algebra.ColID {
	key := b.systemColumnOf(src, catalog.RowKeyNumber)
	if key.expr == nil {
		b.scanColumn(key)
	}
	return key.expr.(*algebra.Col).ID
}

// ViewProbe is the query for the rows of a view that show changed rows of a table in one place of it: the keys that tell rows of the
// view apart, and its columns.
func ViewProbe(ctx context.Context, o Options, v *algebra.ViewVerify, place int, which algebra.TransitionKind) (q *algebra.Query, err error) {
	defer catch(&err)
	b := newBinder(ctx, o)
	s := b.newScope(nil)
	f := b.flatten(v.View)
	src := f.bases[place].src
	changed := &algebra.Scan{Table: src.base, Alias: src.base.Name, Transition: which}
	var on []scalar
	match := func(number int16, t algebra.T, own scalar) {
		id := b.newCol(algebra.Column{Name: b.q.Column(own.(*algebra.Col).ID).Name, T: t, Table: src.base.OID, Number: number}, colInfo{scope: s})
		changed.Cols = append(changed.Cols, algebra.ScanColumn{ID: id, Number: number})
		on = append(on, b.op("", "=", own, b.col(id, -1), -1))
	}
	if pk := src.base.PrimaryKey(); pk != nil {
		for _, k := range pk.Keys {
			for _, c := range src.cols {
				if c.number == k.Column {
					own := b.use(c, -1)
					match(k.Column, typeOf(own.Type(), own.Mod()), own)
				}
			}
		}
	} else {
		id := b.rowKey(src)
		match(catalog.RowKeyNumber, noMod(keyType), b.col(id, -1))
	}
	p := &algebra.Project{}
	out := func(name string, e scalar) {
		id := b.newCol(algebra.Column{Name: name, T: typeOf(e.Type(), e.Mod())}, colInfo{scope: s, kind: outputCol})
		p.Items = append(p.Items, algebra.Item{ID: id, Expr: e})
		b.q.Output = append(b.q.Output, algebra.OutputColumn{ID: id, Name: name})
	}
	for _, i := range v.Bases {
		out("key", b.col(b.rowKey(f.bases[i].src), -1))
	}
	for _, c := range f.cols {
		out(c.name, c.expr)
	}
	p.Input = &algebra.Join{Kind: algebra.InnerJoin, Left: changed, Right: f.rel, On: and(on...)}
	b.q.Root = p
	b.finish()
	return b.q, nil
}
