package bind

import (
	"holdfast/sql/algebra"
	"holdfast/sql/ast"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
)

// insert binds INSERT.
func (s *scope) insert(q *ast.Insert) *result {
	b := s.b
	s.with(q.With)
	w := s.inserted(q.Table)
	cols := s.insertColumns(w, q.Columns)
	if q.OnConflict != nil {
		s.checkOnConflict(q.OnConflict)
	}
	in := &insertion{scope: s, q: q, w: w, cols: cols, given: map[*writeColumn]scalar{}}
	switch {
	case q.Query == nil:
		in.rel = &algebra.Values{Rows: [][]scalar{{}}}
		in.cols = nil
	case plainValues(q.Query) && len(q.Query.Values) == 1:
		in.valuesRow(q.Query.Values[0])
	case plainValues(q.Query):
		in.valuesRows(q.Query.Values)
	default:
		in.query()
	}
	if w.join {
		return in.joinView()
	}
	base := w.bases[0]
	out := &algebra.Insert{Table: base.table, New: base.new}
	out.Values = in.values()
	out.Source = in.rel
	if q.OnConflict != nil {
		out.OnConflict = s.onConflict(q.OnConflict, w)
	}
	out.Checks = w.newChecks(b, s)
	if out.OnConflict != nil {
		out.OnConflict.Checks = out.Checks
	}
	s.visible = []*source{w.newSource(b, s)}
	items, rcols := s.returning(q.Returning)
	out.Returning = items
	b.dropReturning(out)
	return &result{rel: out, cols: rcols}
}

// dropReturning leaves out the columns of new rows if nothing reads them.
func (b *binder) dropReturning(r *algebra.Insert) {
	if len(r.Returning) == 0 && len(r.Checks) == 0 && r.Verify == nil {
		r.New = nil
	}
}

// plainValues reports whether a query is nothing but VALUES.
func plainValues(q *ast.Select) bool {
	return q.Values != nil && q.With == nil && len(q.OrderBy) == 0 && q.Limit == nil && q.Offset == nil && len(q.Locking) == 0
}

// inserted makes the target of INSERT. Its source has the columns of the new row.
func (s *scope) inserted(t *ast.TableRef) *writeTarget {
	b := s.b
	table := s.writable(t)
	name := aliasName(t.Alias, t.Table.Name)
	if table.Kind == catalog.KindView {
		return s.insertedView(table, t, name)
	}
	src := &source{owner: s, name: name, table: table, base: table, target: true, alias: t.Alias != nil}
	base := &baseTable{table: table, src: src, set: map[int16]scalar{}}
	b.makeNew(s, base)
	base.old = base.new // INSERT has no other row to speak of
	w := &writeTarget{src: src, table: table, bases: []*baseTable{base}}
	for _, c := range base.new {
		col := table.Columns[c.Number-1]
		src.cols = append(src.cols, &column{name: col.Name, number: c.Number, expr: b.col(c.ID, -1), originTable: table.OID, originNumber: c.Number})
		w.cols = append(w.cols, &writeColumn{name: col.Name, number: c.Number, base: base, column: col})
	}
	s.all = append(s.all, src)
	return w
}

// insertColumns are the columns that values are given for, in order.
func (s *scope) insertColumns(w *writeTarget, list []*ast.InsertColumn) []*writeColumn {
	if len(list) == 0 {
		return w.cols
	}
	b := s.b
	var out []*writeColumn
	for _, n := range list {
		c := w.column(b, n.Name, n.Pos())
		if n.Indirection {
			b.unsupported(n.Pos(), "assignment to part of column %s", quoted(n.Name))
		}
		if subs := s.subscriptsOf(n); subs != nil {
			part := *c
			part.subs, part.ast = subs, n
			c = &part
		}
		for _, other := range out {
			if other.number == c.number && (other.subs == nil || c.subs == nil) {
				b.fail(n.Pos(), errs.DuplicateColumn, "column %s specified more than once", quoted(n.Name))
			}
		}
		out = append(out, c)
	}
	return out
}

// insertion is the source of an INSERT in the making.
type insertion struct {
	*scope
	q    *ast.Insert
	w    *writeTarget
	cols []*writeColumn
	rel  algebra.Rel
	// given are the values of columns, over rel; columns not in it take their default.
	given map[*writeColumn]scalar
}

// checkCount compares the number of values with the columns.
func (in *insertion) checkCount(n int, pos func(i int) int, row bool) {
	b := in.b
	if n > len(in.cols) {
		b.fail(pos(len(in.cols)), errs.SyntaxError, "INSERT has more expressions than target columns")
	}
	if len(in.q.Columns) > 0 && n < len(in.cols) {
		e := errs.New(errs.SyntaxError, "INSERT has more target columns than expressions")
		if row {
			e.WithHint("The insertion source is a row expression containing the same number of columns expected by the INSERT. Did you accidentally use extra parentheses?")
		}
		b.bail(in.q.Columns[n].Pos(), e)
	}
}

// isRow reports whether the only value is a row of as many values as there are columns.
func (in *insertion) isRow(list []ast.Expr) bool {
	if len(list) != 1 {
		return false
	}
	r, ok := list[0].(*ast.Row)
	return ok && len(r.Fields) == len(in.cols)
}

// value converts a value for a column; nil for DEFAULT.
func (in *insertion) value(e scalar, c *writeColumn, pos int) scalar {
	in.mayWrite(c)
	if c.subs != nil {
		return in.b.element(c.subs, c, c.ast, e, pos)
	}
	return in.b.assignValue(e, c, pos)
}

// mayWrite refuses a column of a view that cannot be written.
func (in *insertion) mayWrite(c *writeColumn) {
	if c.base == nil {
		in.b.refuseColumn(in.w, c, opInsert)
	}
}

// defaulted checks a column given as DEFAULT.
func (in *insertion) defaulted(c *writeColumn) {
	in.mayWrite(c)
	if c.subs != nil {
		in.b.fail(c.ast.Pos(), errs.FeatureNotSupported, "cannot set an array element to DEFAULT")
	}
}

// counts reports whether a given value counts, and refuses it where only the default may be used.
func (in *insertion) counts(c *writeColumn) bool {
	b := in.b
	switch {
	case c.column.Generated != "":
		b.bail(-1, errs.New(errs.GeneratedAlways, "cannot insert a non-DEFAULT value into column %s", quoted(c.name)).
			WithDetail("Column %s is a generated column.", quoted(c.name)))
	case c.column.Identity != 0 && in.q.Overriding == "user":
		return false
	case c.column.Identity == 'a' && in.q.Overriding != "system":
		b.bail(-1, errs.New(errs.GeneratedAlways, "cannot insert a non-DEFAULT value into column %s", quoted(c.name)).
			WithDetail("Column %s is an identity column defined as GENERATED ALWAYS.", quoted(c.name)).
			WithHint("Use OVERRIDING SYSTEM VALUE to override."))
	}
	return true
}

// valuesRow binds VALUES of one row, which may hold set-returning functions.
func (in *insertion) valuesRow(list []ast.Expr) {
	b, s := in.b, in.scope
	var row []scalar
	var at []int
	s.in(inValuesSingle, func() {
		for _, e := range list {
			if _, ok := e.(*ast.Default); ok {
				row, at = append(row, nil), append(at, loc(e))
				continue
			}
			for _, x := range s.exprList([]ast.Expr{e}) {
				row, at = append(row, x), append(at, loc(e))
			}
		}
	})
	in.checkCount(len(row), func(i int) int { return at[i] }, in.isRow(list))
	v := &algebra.Values{Rows: [][]scalar{nil}}
	p := &algebra.Project{}
	for i, e := range row {
		c := in.cols[i]
		if e == nil {
			in.defaulted(c)
			continue
		}
		e = in.value(e, c, at[i])
		if !in.counts(c) {
			continue
		}
		id := b.newCol(algebra.Column{Name: c.name, T: typeOf(e.Type(), e.Mod())}, colInfo{scope: s, kind: outputCol})
		v.Cols = append(v.Cols, id)
		v.Rows[0] = append(v.Rows[0], e)
		p.Items = append(p.Items, algebra.Item{ID: id, Expr: e})
		in.given[c] = b.col(id, -1)
	}
	in.rel = v
	if len(s.sets) > 0 {
		p.Input = projectSets(&algebra.Values{Rows: [][]scalar{{}}}, s.sets)
		in.rel = p
		s.sets = nil
	}
}

// valuesRows binds VALUES of several rows. A column that is DEFAULT in every row is as one not given.
func (in *insertion) valuesRows(rows [][]ast.Expr) {
	b, s := in.b, in.scope
	v := &algebra.Values{Rows: make([][]scalar, len(rows))}
	s.in(inValues, func() {
		for i, list := range rows {
			row := make([]scalar, 0, len(list))
			at := make([]int, 0, len(list))
			for _, e := range list {
				if _, ok := e.(*ast.Default); ok {
					row, at = append(row, nil), append(at, loc(e))
					continue
				}
				for _, x := range s.exprList([]ast.Expr{e}) {
					row, at = append(row, x), append(at, loc(e))
				}
			}
			if i > 0 && len(row) != len(v.Rows[0]) {
				pos := -1
				if len(list) > 0 {
					pos = loc(list[0])
				}
				b.fail(pos, errs.SyntaxError, "VALUES lists must all be the same length")
			}
			in.checkCount(len(row), func(k int) int { return at[k] }, in.isRow(list))
			for k := range row {
				if row[k] != nil {
					row[k] = in.value(row[k], in.cols[k], at[k])
				} else {
					in.defaulted(in.cols[k])
				}
			}
			v.Rows[i] = row
		}
	})
	keep := make([]bool, len(v.Rows[0]))
	for k := range v.Rows[0] {
		c := in.cols[k]
		given, defaults := false, 0
		for _, row := range v.Rows {
			if row[k] != nil {
				given = true
			} else {
				defaults++
			}
		}
		keep[k] = given && in.counts(c)
		if !keep[k] {
			continue
		}
		for _, row := range v.Rows {
			if row[k] == nil {
				row[k] = b.columnDefault(in.w, c)
			}
		}
		t := typeOf(c.valueType())
		if c.subs != nil {
			t = noMod(v.Rows[0][k].Type())
		}
		id := b.newCol(algebra.Column{Name: c.name, T: t}, colInfo{scope: s, kind: outputCol})
		v.Cols = append(v.Cols, id)
		in.given[c] = b.col(id, -1)
	}
	for i, row := range v.Rows {
		out := row[:0]
		for k, e := range row {
			if keep[k] {
				out = append(out, e)
			}
		}
		v.Rows[i] = out
	}
	in.rel = v
}

// query binds INSERT .. SELECT.
func (in *insertion) query() {
	b, s := in.b, in.scope
	var r *result
	s.in(inNothing, func() { r = b.selectStmt(in.q.Query, s, nil, false) })
	in.rel = r.rel
	row := false
	if q := in.q.Query; len(q.Targets) == 1 {
		row = in.isRow([]ast.Expr{q.Targets[0].Expr})
	}
	in.checkCount(len(r.cols), func(i int) int { return r.cols[i].pos }, row)
	for i := range r.cols {
		c := in.cols[i]
		in.mayWrite(c)
		t, _ := c.valueType()
		r.retype(b, i, t.Underlying(), "INSERT")
		e := in.value(b.col(r.cols[i].id, -1), c, r.cols[i].pos)
		if in.counts(c) {
			in.given[c] = e
		}
	}
}

// values are the values of all live columns of the base table.
func (in *insertion) values() []algebra.Assignment {
	b := in.b
	base := in.w.bases[0]
	byNumber := map[int16]scalar{}
	for _, c := range in.cols {
		e := in.given[c]
		if e == nil {
			continue
		}
		if c.subs != nil {
			byNumber[c.column.Number] = b.assignElement(c.subs, c, byNumber[c.column.Number], e)
			continue
		}
		if byNumber[c.column.Number] != nil {
			b.fail(-1, errs.SyntaxError, "multiple assignments to same column %s", quoted(c.column.Name))
		}
		byNumber[c.column.Number] = e
	}
	for _, c := range in.w.cols { // defaults that the view has of its own
		if c.base != nil && c.own != nil && c.own.Default != "" && byNumber[c.column.Number] == nil {
			byNumber[c.column.Number] = b.columnDefault(in.w, c)
		}
	}
	generated := false
	var out []algebra.Assignment
	for _, c := range base.table.Columns {
		if c.Dropped {
			continue
		}
		if c.Generated != "" {
			generated = true
			out = append(out, algebra.Assignment{Number: c.Number})
			continue
		}
		e := byNumber[c.Number]
		if e == nil {
			e = b.defaultOf(base.table, c)
		}
		out = append(out, algebra.Assignment{Number: c.Number, Value: e})
	}
	if generated {
		p := b.pass(in.rel)
		in.rel = b.generate(in.scope, p, base.table, out)
	}
	return out
}

// generate fills in the values of generated columns. The values they are made from are computed first, by p,
// so that none is computed twice.
func (b *binder) generate(s *scope, p *algebra.Project, t *catalog.Table, set []algebra.Assignment) algebra.Rel {
	values := map[int16]scalar{}
	for i, a := range set {
		if a.Value != nil && !simple(a.Value) {
			set[i].Value = b.compute(s, p, t.Columns[a.Number-1].Name, a.Value)
		}
		values[a.Number] = set[i].Value
	}
	for i, a := range set {
		c := t.Columns[a.Number-1]
		if a.Value != nil || c.Generated == "" {
			continue
		}
		set[i].Value = b.generated(t, c, func(n int16) scalar {
			if v := values[n]; v != nil {
				return v
			}
			return nullOf(noMod(t.Columns[n-1].Type))
		})
	}
	if len(p.Items) == len(p.Input.Columns()) {
		return p.Input
	}
	return p
}

// newChecks are the conditions of WITH CHECK OPTION over new rows.
func (w *writeTarget) newChecks(b *binder, s *scope) []algebra.ViewCheck {
	var out []algebra.ViewCheck
	if w.relinked || len(w.follows) > 0 {
		out = w.relinkedChecks(b, s)
	} else {
		r := w.renew()
		if w.joins {
			always, _ := w.flat.keys().links()
			for _, c := range always {
				out = append(out, algebra.ViewCheck{View: w.view, Cond: r.RewriteScalar(c)})
			}
		}
		for _, c := range w.checks {
			out = append(out, algebra.ViewCheck{View: c.View, Cond: r.RewriteScalar(c.Cond)})
		}
	}
	if w.join && len(out) > 0 {
		failingRow(out, w.rowAfter(b, s))
	}
	return append(w.shown, out...)
}
