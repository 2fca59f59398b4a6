package bind

import (
	"holdfast/sql/algebra"
	"holdfast/sql/ast"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// keyType is the type of row keys.
var keyType = types.Bytea

func tableOID(t *catalog.Table) scalar {
	return &algebra.Const{T: noMod(types.Oid), Value: types.NewInt(int64(t.OID))}
}

// update binds UPDATE.
func (s *scope) update(q *ast.Update) *result {
	b := s.b
	s.with(q.With)
	w := s.changed(q.Table, opUpdate)
	rel := s.from(w.rel, q.From)
	if q.Where != nil {
		rel = &algebra.Filter{Input: rel, Cond: s.condition(inWhere, q.Where)}
	}
	w.announce(b, s, q.Set)
	whole := rel
	rel = w.keep(b, s, rel)
	visible := s.visible
	renewed := w.newSource(b, s)
	s.visible = append([]*source{renewed}, without(visible, w.src)...)
	items, cols := s.returning(q.Returning)
	s.visible = visible

	var verify *algebra.ViewVerify
	var rows []algebra.ColID
	if w.join {
		if verify = w.verifyUpdate(b, s); verify != nil {
			w.identify(b, s, verify)
		}
		if len(q.From) > 0 {
			rows = w.rowKeys(b, s)
		}
	}
	p := b.pass(rel)
	set := s.setClauses(w, q.Set, p)
	if w.join {
		w.setOnce(b, s, set, p)
	}
	out := &algebra.Update{Checks: w.newChecks(b, s), Returning: items, View: w.view}
	if !w.join {
		out.View = nil
	}
	out.Verify, out.Rows = verify, rows
	for _, base := range w.bases {
		if len(set[base]) == 0 && w.touched[base] == nil {
			continue
		}
		t := &algebra.UpdateTarget{Table: base.table, Key: base.key, Old: base.old}
		if len(set[base]) > 0 {
			t.Set = b.assignments(s, base, set, p)
		}
		if len(items) > 0 || len(out.Checks) > 0 || out.Verify != nil {
			t.New = base.new
		}
		if verify != nil {
			for i := range verify.Roles {
				if r := &verify.Roles[i]; w.bases[r.Base] == base && w.flat.bases[r.Base].nullable {
					r.Target = len(out.Targets)
				}
			}
		}
		out.Targets = append(out.Targets, t)
	}
	if w.join {
		w.optional(b, s, out, set, p)
	}
	if kept, ok := rel.(*algebra.Project); ok && rel != whole {
		b.passLate(kept, whole)
	}
	b.passLate(p, rel)
	out.Source = p
	if len(p.Items) == len(rel.Columns()) {
		out.Source = rel
	}
	return &result{rel: out, cols: cols}
}

func without(list []*source, src *source) []*source {
	var out []*source
	for _, x := range list {
		if x != src {
			out = append(out, x)
		}
	}
	return out
}

// announce makes the new rows of the tables that SET will change, so that RETURNING can speak of them.
func (w *writeTarget) announce(b *binder, s *scope, list []*ast.SetClause) {
	touched := map[*baseTable]map[int16]bool{}
	touch := func(base *baseTable, c *catalog.Column) {
		if touched[base] == nil {
			touched[base] = map[int16]bool{}
		}
		touched[base][c.Number] = true
	}
	for _, set := range list {
		for _, n := range set.Columns {
			for _, c := range w.cols {
				if c.name == n.Name && c.base != nil {
					touch(c.base, c.column)
					for _, a := range c.also {
						touch(a.base, a.column)
					}
				}
			}
		}
	}
	generated := map[baseColumn]bool{} // from columns that are set, of tables that others may refer to
	for i, base := range w.bases {
		columns := touched[base]
		if columns == nil || w.flat == nil {
			continue
		}
		preserved := w.flat.keys().preserved[i]
		for _, number := range b.generatedFrom(base.table, columns) {
			if preserved {
				columns[number] = true
			} else {
				generated[baseColumn{i, number}] = true
			}
		}
	}
	if w.join {
		w.makes(touched)
	}
	for _, base := range w.bases {
		if touched[base] != nil {
			if w.view != nil {
				w.makeWhole(s, base)
			}
			b.makeNew(s, base)
		}
	}
	if w.view != nil {
		w.flat.graph = nil // whole rows have more columns
		w.touched = touched
		w.relink(b)
		w.joins = w.joins || w.join && w.flat.keys().joinsBy(generated)
		if w.join {
			w.follows = w.followers()
		}
	}
}

// delete binds DELETE.
func (s *scope) delete(q *ast.Delete) *result {
	s.with(q.With)
	w := s.changed(q.Table, opDelete)
	rel := s.from(w.rel, q.Using)
	if q.Where != nil {
		rel = &algebra.Filter{Input: rel, Cond: s.condition(inWhere, q.Where)}
	}
	items, cols := s.returning(q.Returning)
	out := &algebra.Delete{Source: rel, Returning: items}
	if w.join {
		out.View = w.view
		if len(q.Using) > 0 {
			out.Rows = w.rowKeys(s.b, s)
		}
		if out.Verify = w.verifyDelete(); out.Verify != nil {
			w.identify(s.b, s, out.Verify)
		}
	}
	for _, base := range w.deleted() {
		t := &algebra.DeleteTarget{Table: base.table, Key: base.key, Old: base.old}
		if w.join && w.flat.deleteFrom == nil {
			i := w.index(base)
			t.Required = w.flat.bases[i].nullable && i == w.flat.keys().anchors[0]
		}
		out.Targets = append(out.Targets, t)
	}
	return &result{rel: out, cols: cols}
}

// deleted are the tables that a DELETE removes rows of.
func (w *writeTarget) deleted() []*baseTable {
	if !w.join {
		return w.bases
	}
	var out []*baseTable
	for _, i := range w.deletes {
		out = append(out, w.bases[i])
	}
	return out
}

// setValue is one column of SET with the value it is given, nil for DEFAULT.
type setValue struct {
	name  *ast.InsertColumn
	subs  *subscripts
	value scalar
	pos   int
}

// setClauses binds SET: the values of columns, by base table. What several columns share, a row from a query,
// is computed by p; without p it is repeated. Values are bound before columns are looked at.
func (s *scope) setClauses(w *writeTarget, list []*ast.SetClause, p *algebra.Project) map[*baseTable]map[int16]scalar {
	var values []setValue
	s.in(inUpdate, func() {
		for _, set := range list {
			if set.Multi {
				values = append(values, s.multiSet(set, p)...)
			} else {
				values = append(values, s.setValue(set.Columns[0], set.Value))
			}
		}
	})
	out := map[*baseTable]map[int16]scalar{}
	for _, v := range values {
		s.setColumn(w, out, p, v)
	}
	return out
}

func (s *scope) setValue(n *ast.InsertColumn, e ast.Expr) setValue {
	v := setValue{name: n, subs: s.subscriptsOf(n), pos: loc(e)}
	if _, ok := e.(*ast.Default); !ok {
		v.value = s.expr(e)
	}
	return v
}

// multiSet binds (a, b) = row or query.
func (s *scope) multiSet(set *ast.SetClause, p *algebra.Project) []setValue {
	b := s.b
	var out []setValue
	switch v := set.Value.(type) {
	case *ast.Row:
		for i, f := range v.Fields {
			n := set.Columns[min(i, len(set.Columns)-1)]
			out = append(out, s.setValue(n, f))
		}
		if len(v.Fields) != len(set.Columns) {
			b.fail(v.Pos(), errs.SyntaxError, "number of columns does not match number of values")
		}
	case *ast.Subquery:
		if v.Kind != ast.ScalarSubquery {
			b.bail(v.Pos(), multiSource())
		}
		s.checkQueryAllowed(v.Pos())
		q := s.nested(v.Query)
		if len(q.cols) != len(set.Columns) {
			b.fail(v.Pos(), errs.SyntaxError, "number of columns does not match number of values")
		}
		var fields []scalar
		if p == nil {
			fields = s.columnQueries(v.Query, q)
		} else {
			fields = b.recordOf(q, s)
			c := b.compute(s, p, "row", fields[0].(*algebra.FieldOf).Arg)
			for i, f := range fields {
				fields[i] = &algebra.FieldOf{T: f.(*algebra.FieldOf).T, Arg: c, Field: i}
			}
		}
		for i, n := range set.Columns {
			out = append(out, setValue{n, s.subscriptsOf(n), fields[i], q.cols[i].pos})
		}
	default:
		b.bail(loc(set.Value), multiSource())
	}
	return out
}

func multiSource() error {
	return errs.New(errs.FeatureNotSupported, "source for a multiple-column UPDATE item must be a sub-SELECT or ROW() expression")
}

// setColumn makes one assignment.
func (s *scope) setColumn(w *writeTarget, out map[*baseTable]map[int16]scalar, p *algebra.Project, v setValue) {
	b, n, value := s.b, v.name, v.value
	c := w.column(b, n.Name, n.Pos())
	if n.Indirection {
		b.unsupported(n.Pos(), "assignment to part of column %s", quoted(n.Name))
	}
	if c.base == nil {
		b.refuseColumn(w, c, opUpdate)
	}
	if value == nil && c.inverse != nil && c.own.Default != "" {
		value = b.storedExpr(c.own.Default, nil, inDefault, c.own)
	}
	isDefault := value == nil
	if v.subs != nil {
		s.setElement(w, out, c, v)
		return
	}
	put := func(base *baseTable, col *catalog.Column, v scalar) {
		m := out[base]
		if m == nil {
			m = map[int16]scalar{}
			out[base] = m
		}
		if _, twice := m[col.Number]; twice {
			b.fail(-1, errs.SyntaxError, "multiple assignments to same column %s", quoted(col.Name))
		}
		m[col.Number] = v
	}
	if isDefault {
		if c.column.Generated == "" {
			value = b.columnDefault(w, c)
		}
		put(c.base, c.column, value)
		for _, a := range c.also {
			if value == nil { // it is generated: what equals it stays as it is
				break
			}
			put(a.base, a.column, b.assign(value, a.column.Type, a.column.Mod, a.column.Name, -1, true))
		}
		return
	}
	if len(c.also) > 0 && !simple(value) && p != nil {
		value = b.compute(s, p, c.name, value)
	}
	value = b.assignValue(value, c, v.pos)
	detail := ""
	switch {
	case c.column.Generated != "":
		detail = "Column %s is a generated column."
	case c.column.Identity == 'a':
		detail = "Column %s is an identity column defined as GENERATED ALWAYS."
	}
	if detail != "" {
		b.bail(-1, errs.New(errs.GeneratedAlways, "column %s can only be updated to DEFAULT", quoted(c.name)).WithDetail(detail, quoted(c.name)))
	}
	if c.inverse != nil {
		value = w.invertGiven(b, s, c, value, p)
	}
	put(c.base, c.column, w.storeGiven(b, s, c, c.base, c.column, &value, p))
	for _, a := range c.also {
		if a.column.Generated != "" {
			b.bail(-1, errs.New(errs.GeneratedAlways, "column %s can only be updated to DEFAULT", quoted(c.name)).
				WithDetail("Column %s of table %s, which it equals, is a generated column.", quoted(a.column.Name), quoted(a.base.table.Name)))
		}
		put(a.base, a.column, w.storeGiven(b, s, c, a.base, a.column, &value, p))
	}
}

// setElement assigns to elements of a column; several assignments to one column add up.
func (s *scope) setElement(w *writeTarget, out map[*baseTable]map[int16]scalar, c *writeColumn, v setValue) {
	b := s.b
	if v.value == nil {
		b.fail(v.name.Pos(), errs.FeatureNotSupported, "cannot set an array element to DEFAULT")
	}
	value := b.element(v.subs, c, v.name, v.value, v.pos)
	if len(c.also) > 0 {
		b.unsupported(v.name.Pos(), "assignment to part of column %s", quoted(v.name.Name))
	}
	m := out[c.base]
	if m == nil {
		m = map[int16]scalar{}
		out[c.base] = m
	}
	array, again := m[c.column.Number]
	if !again {
		array = c.expr
	} else if call, ok := array.(*algebra.Call); !ok || call.Func.Name != "array_set" {
		b.fail(-1, errs.SyntaxError, "multiple assignments to same column %s", quoted(c.column.Name))
	}
	m[c.column.Number] = b.assignElement(v.subs, c, array, value)
}

// columnDefault is the default of a column of the relation that a statement names: a view may have its own.
func (b *binder) columnDefault(w *writeTarget, c *writeColumn) scalar {
	if c.own != nil && c.own.Default != "" {
		e := b.storedExpr(c.own.Default, nil, inDefault, c.own)
		return b.assign(e, c.column.Type, c.column.Mod, c.name, -1, true)
	}
	return b.defaultOf(c.base.table, c.column)
}

// assignments are what SET changes in a base table, generated columns included, by attribute number.
func (b *binder) assignments(s *scope, base *baseTable, set map[*baseTable]map[int16]scalar, p *algebra.Project) []algebra.Assignment {
	changed := set[base]
	var out []algebra.Assignment
	generated := false
	for _, c := range base.table.Columns {
		if c.Dropped {
			continue
		}
		if c.Generated != "" {
			generated = true
			continue
		}
		if v, ok := changed[c.Number]; ok {
			out = append(out, algebra.Assignment{Number: c.Number, Value: v})
		}
	}
	if !generated {
		return out
	}
	values := map[int16]scalar{}
	for _, c := range base.old {
		values[c.Number] = b.col(c.ID, -1)
	}
	for i, a := range out {
		if p != nil && !simple(a.Value) {
			out[i].Value = b.compute(s, p, base.table.Columns[a.Number-1].Name, a.Value)
		}
		values[a.Number] = out[i].Value
	}
	for _, c := range base.table.Columns {
		if !c.Dropped && c.Generated != "" {
			out = append(out, algebra.Assignment{Number: c.Number, Value: b.generated(base.table, c, func(n int16) scalar { return values[n] })})
		}
	}
	return out
}
