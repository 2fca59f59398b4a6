package bind

import (
	"holdfast/sql/algebra"
	"holdfast/sql/ast"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// What INSERT, UPDATE and DELETE have in common. A statement names a relation, which is a table or a view that
// can be written through; what it writes are rows of base tables. A plain table is the case of one base table
// whose columns are those of the relation.

// writeTarget is the relation that a statement changes.
type writeTarget struct {
	rel   algebra.Rel // its rows, with the whole rows and keys of the base tables; nil for INSERT
	src   *source     // as names see the present rows; those to be inserted for INSERT
	table *catalog.Table
	cols  []*writeColumn // live columns of the relation, in order
	bases []*baseTable
	// checks are the conditions that WITH CHECK OPTION demands of new rows, over old columns.
	checks []algebra.ViewCheck
	view   *catalog.Table // nil for a table
	flat   *flatView
	join   bool // a join view
	// Of a join view: the columns that UPDATE changes, and whether tables are joined by some of them,
	touched map[*baseTable]map[int16]bool
	// relinked: so that rows of other tables than those changed belong to the new rows. joins: changed columns are joined by.
	relinked, joins bool
	follows         map[int]bool                        // tables that UPDATE does not change, whose rows may show because it makes rows of others
	kept            map[*baseTable][]algebra.ScanColumn // if there are any, copies of what stays as it is: see keep
	deletes         []int                               // of a view: the bases that DELETE removes rows of
	// shown are the conditions that values given for inverted expressions are shown as they are.
	shown []algebra.ViewCheck
}

// writeColumn is a column of the relation that a statement names, and the column of a base table it stands for.
type writeColumn struct {
	name   string
	number int16      // in the relation
	base   *baseTable // nil if it cannot be written
	column *catalog.Column
	reason string // why it cannot be written: a sentence
	blame  *flatColumn
	expr   scalar // of the present row
	// also are further places that are written, in tables one to one with the first.
	also []writePlace
	own  *catalog.Column // the view's column
	// inverse leads from a value of the view's column to that of the base column, nil if they are the same.
	inverse *inversion
	at      baseColumn  // of a join view: the column it is
	subs    *subscripts // of INSERT into elements
	ast     *ast.InsertColumn
}

// writePlace is a column of a base table.
type writePlace struct {
	base   *baseTable
	column *catalog.Column
}

// baseTable is a table that a statement changes.
type baseTable struct {
	table *catalog.Table
	src   *source
	key   algebra.ColID
	old   []algebra.ScanColumn
	new   []algebra.ScanColumn
	set   map[int16]scalar
}

// writeStmt binds a statement that changes rows.
func (b *binder) writeStmt(stmt ast.Stmt, parent *scope) *result {
	b.enter()
	defer b.leave()
	s := b.newScope(parent)
	b.q.Writes = true
	switch stmt := stmt.(type) {
	case *ast.Insert:
		return s.insert(stmt)
	case *ast.Update:
		return s.update(stmt)
	case *ast.Delete:
		return s.delete(stmt)
	case *ast.Merge:
		b.unsupported(-1, "MERGE")
	}
	b.unsupported(-1, "this statement")
	return nil
}

// writable finds the relation that a statement changes.
func (s *scope) writable(t *ast.TableRef) *catalog.Table {
	b := s.b
	table := b.table(t.Table)
	b.depend(table)
	switch {
	case table.Kind == catalog.KindSequence:
		b.fail(-1, errs.WrongObjectType, "cannot change sequence %s", quoted(table.Name))
	case table.Kind == catalog.KindComposite:
		b.fail(t.Pos(), errs.WrongObjectType, "%s is a composite type", quoted(table.Name))
	case table.Virtual != nil:
		b.fail(-1, errs.InsufficientPrivilege, "permission denied: %s is a system catalog", quoted(table.Name))
	}
	return table
}

// changed makes the target of UPDATE or DELETE: the rows of the relation as they are.
func (s *scope) changed(t *ast.TableRef, op operation) *writeTarget {
	b := s.b
	table := s.writable(t)
	name := aliasName(t.Alias, t.Table.Name)
	if table.Kind == catalog.KindView {
		return s.changedView(table, t, name, op)
	}
	scan, src := s.scanTable(table, t.Alias, name)
	src.target = true
	w := &writeTarget{rel: scan, src: src, table: table}
	base := b.wholeBase(src)
	w.bases = []*baseTable{base}
	for _, c := range src.cols {
		col := table.Columns[c.number-1]
		w.cols = append(w.cols, &writeColumn{name: col.Name, number: col.Number, base: base, column: col, expr: c.expr})
	}
	s.visible = append(s.visible, src)
	return w
}

// wholeBase makes a scan produce whole rows and their keys.
func (b *binder) wholeBase(src *source) *baseTable {
	base := &baseTable{table: src.base, src: src, set: map[int16]scalar{}}
	byNumber := map[int16]algebra.ColID{}
	for _, c := range src.scan.Cols {
		byNumber[c.Number] = c.ID
	}
	for _, c := range src.cols {
		if c.expr == nil {
			if id := byNumber[c.number]; id != 0 {
				c.expr = b.col(id, -1)
			} else {
				b.scanColumn(c)
			}
		}
		base.old = append(base.old, algebra.ScanColumn{ID: c.expr.(*algebra.Col).ID, Number: c.number})
	}
	key := b.systemColumnOf(src, catalog.RowKeyNumber)
	if key.expr == nil {
		b.scanColumn(key)
	}
	base.key = key.expr.(*algebra.Col).ID
	return base
}

// makeNew gives columns to the new row of a base table.
func (b *binder) makeNew(s *scope, base *baseTable) {
	for _, c := range base.table.Columns {
		if c.Dropped {
			continue
		}
		id := b.newCol(algebra.Column{Name: c.Name, T: typeOf(c.Type, c.Mod), Table: base.table.OID, Number: c.Number}, colInfo{scope: s, src: base.src})
		base.new = append(base.new, algebra.ScanColumn{ID: id, Number: c.Number})
	}
}

// column finds a column by the name that INSERT and UPDATE give.
func (w *writeTarget) column(b *binder, name string, pos int) *writeColumn {
	for _, c := range w.cols {
		if c.name == name {
			return c
		}
	}
	switch name {
	case "ctid", "tableoid", "xmin", "xmax", "cmin", "cmax":
		b.fail(pos, errs.FeatureNotSupported, "cannot assign to system column %s", quoted(name))
	}
	b.fail(pos, errs.UndefinedColumn, "column %s of relation %s does not exist", quoted(name), quoted(w.table.Name))
	return nil
}

// defaultOf is the default of a column: an expression over nothing.
func (b *binder) defaultOf(t *catalog.Table, c *catalog.Column) scalar {
	if c.Identity != 0 {
		next := b.callNamed("nextval", []scalar{&algebra.Const{T: noMod(types.Regclass), Value: types.NewInt(int64(c.Sequence))}}, -1)
		return b.assign(next, c.Type, c.Mod, c.Name, -1, true)
	}
	if c.Default == "" {
		if u := b.o.Snapshot.UserType(c.Type.OID); u != nil && u.Default != "" {
			return b.storedExpr(u.Default, nil, inDefault, c)
		}
		return nullOf(typeOf(c.Type, c.Mod))
	}
	return b.storedExpr(c.Default, nil, inDefault, c)
}

// storedExpr binds an expression kept in the catalog, over the columns of a row if there is one.
func (b *binder) storedExpr(text string, row *source, c clause, col *catalog.Column) scalar {
	e, err := parsedExprs.get(text)
	if err != nil {
		b.bail(-1, err)
	}
	var out scalar
	b.inForeign(func() {
		s := b.newScope(nil)
		if row != nil {
			r := *row
			r.relVisible, r.colsVisible, r.lateralOnly = true, true, false
			s.visible = []*source{&r}
		}
		out = s.exprIn(c, e)
		if col != nil {
			out = b.assign(out, col.Type, col.Mod, col.Name, -1, c == inDefault)
		} else {
			out = s.toBool(out, e, c.String())
		}
	})
	return out
}

// generated binds the expression of a generated column over the values of a row, by attribute number.
func (b *binder) generated(t *catalog.Table, c *catalog.Column, value func(number int16) scalar) scalar {
	row := &source{name: t.Name, table: t}
	for _, x := range t.Columns {
		if !x.Dropped {
			row.cols = append(row.cols, &column{name: x.Name, number: x.Number, expr: value(x.Number)})
		}
	}
	return b.storedExpr(c.Generated, row, inGenerated, c)
}

// generatedFrom are the generated columns that change with some columns of a table.
func (b *binder) generatedFrom(t *catalog.Table, columns map[int16]bool) (out []int16) {
	for _, c := range t.Columns {
		if c.Dropped || c.Generated == "" {
			continue
		}
		ids, used := map[int16]algebra.ColID{}, algebra.ColSet{}
		algebra.ScalarColumns(b.generated(t, c, func(n int16) scalar {
			if ids[n] == 0 {
				x := t.Columns[n-1]
				ids[n] = b.newCol(algebra.Column{Name: x.Name, T: typeOf(x.Type, x.Mod)}, colInfo{})
			}
			return b.col(ids[n], -1)
		}), used)
		for n, id := range ids {
			if columns[n] && used.Has(id) {
				out = append(out, c.Number)
				break
			}
		}
	}
	return out
}

// returning binds RETURNING.
func (s *scope) returning(list []*ast.Target) ([]algebra.Item, []outCol) {
	if len(list) == 0 {
		return nil, nil
	}
	b := s.b
	var items []algebra.Item
	var cols []outCol
	made := algebra.ColSet{}
	x := &selecting{scope: s}
	for _, t := range s.targetList(list, inReturning) {
		t.expr = b.known(t.expr)
		id := x.targetColumn(t, made)
		items = append(items, algebra.Item{ID: id, Expr: t.expr})
		c := outCol{id: id, name: t.name, pos: t.pos}
		if t.col != nil {
			c.originTable, c.originNumber = t.col.originTable, t.col.originNumber
		}
		cols = append(cols, c)
	}
	return items, cols
}

// newSource is the target as RETURNING and CHECK OPTION see it: with the new rows.
func (w *writeTarget) newSource(b *binder, s *scope) *source {
	r := w.renew()
	if w.relinked || len(w.follows) > 0 {
		r = w.relinker(b, s)
	}
	src := &source{owner: s, name: w.src.name, table: w.table, alias: w.src.alias, relVisible: true, colsVisible: true, base: w.table, target: true}
	for _, c := range w.src.cols {
		x := *c
		x.src, x.via = nil, nil
		if w.relinked || len(w.follows) > 0 {
			x.lazy = func() scalar { return r.RewriteScalar(c.expr) }
			x.expr = nil
		} else {
			x.expr = r.RewriteScalar(c.expr)
		}
		src.cols = append(src.cols, &x)
	}
	if w.view == nil {
		src.oid = tableOID(w.table)
	}
	return src
}

// relinker is renew for an UPDATE that changes what tables are joined by: the columns of the other tables are
// those of the rows that the new ones belong to.
func (w *writeTarget) relinker(b *binder, s *scope) *algebra.Rewriter {
	r := w.renew()
	g := w.flat.keys()
	return &algebra.Rewriter{Scalar: func(e scalar) (scalar, bool) {
		c, ok := e.(*algebra.Col)
		if !ok {
			return nil, false
		}
		if at, ok := g.at[c.ID]; ok && w.touched[w.bases[at.base]] == nil && w.relinked {
			return w.relinkedColumn(b, s, c, w.newRows()), true
		} else if ok && w.follows[at.base] {
			return w.followed(b, s, c), true
		}
		return r.RewriteScalar(c), true
	}}
}

// renew is the rewriter from the columns of old rows to those of new ones, of the tables that change.
func (w *writeTarget) renew() *algebra.Rewriter {
	to := map[algebra.ColID]algebra.ColID{}
	for _, base := range w.bases {
		byNumber := map[int16]algebra.ColID{}
		for _, c := range base.new {
			byNumber[c.Number] = c.ID
		}
		for _, c := range base.old {
			if id := byNumber[c.Number]; id != 0 {
				to[c.ID] = id
			}
		}
	}
	return &algebra.Rewriter{Scalar: func(e scalar) (scalar, bool) {
		c, ok := e.(*algebra.Col)
		if !ok {
			return nil, false
		}
		if id := to[c.ID]; id != 0 {
			return &algebra.Col{T: c.T, ID: id, Place: c.Place}, true
		}
		return c, true
	}}
}

// pass is a Project that passes all columns of rel on, to which computed ones can be added.
func (b *binder) pass(rel algebra.Rel) *algebra.Project {
	p := &algebra.Project{Input: rel}
	for _, id := range rel.Columns() {
		p.Items = append(p.Items, algebra.Item{ID: id, Expr: b.col(id, -1)})
	}
	return p
}

// passLate has a Project made by pass, and those that compute has put below it, pass on the columns that its source has got since: a
// column of a table in FROM that only SET reads.
func (b *binder) passLate(p *algebra.Project, source algebra.Rel) {
	if p.Input != source {
		if below, ok := p.Input.(*algebra.Project); ok {
			b.passLate(below, source)
		}
	}
	passed := algebra.ColSet{}
	for _, it := range p.Items {
		passed.Add(it.ID)
	}
	for _, id := range source.Columns() {
		if !passed.Has(id) {
			p.Items = append(p.Items, algebra.Item{ID: id, Expr: b.col(id, -1)})
		}
	}
}

// compute adds a column for an expression to a Project. What the expression needs may have been computed by the Project
// itself: then that is done below it.
func (b *binder) compute(s *scope, p *algebra.Project, name string, e scalar) *algebra.Col {
	uses := algebra.ColSet{}
	algebra.ScalarColumns(e, uses)
	for _, it := range p.Items {
		if c, ok := it.Expr.(*algebra.Col); uses.Has(it.ID) && !(ok && c.ID == it.ID) {
			below := *p
			p.Input, p.Items = &below, nil
			for _, it := range below.Items {
				p.Items = append(p.Items, algebra.Item{ID: it.ID, Expr: b.col(it.ID, -1)})
			}
			break
		}
	}
	id := b.newCol(algebra.Column{Name: name, T: typeOf(e.Type(), e.Mod())}, colInfo{scope: s, kind: outputCol})
	p.Items = append(p.Items, algebra.Item{ID: id, Expr: e})
	return b.col(id, -1)
}

// simple reports whether an expression may as well be evaluated twice.
func simple(e scalar) bool {
	switch e := e.(type) {
	case *algebra.Const, *algebra.Param, *algebra.Col:
		return true
	case *algebra.Cast:
		return simple(e.Arg)
	}
	return false
}

// operation is what a statement does to rows.
type operation uint8

const (
	opInsert operation = iota
	opUpdate
	opDelete
)

// valueType is the type that values are given in: that of the column of the table or view. The base column of a join view may be of
// another type, if it is one that the column shown is equated with.
func (c *writeColumn) valueType() (*types.Type, int32) {
	if c.own != nil {
		return c.own.Type, c.own.Mod
	}
	return c.column.Type, c.column.Mod
}

func (b *binder) assignValue(e scalar, c *writeColumn, pos int) scalar {
	t, mod := c.valueType()
	out, ok := b.convert(e, t, mod, funcs.CastAssignment, pos)
	if !ok {
		b.bail(pos, errs.New(errs.DatatypeMismatch, "column %s is of type %s but expression is of type %s", quoted(c.name), t, e.Type()).
			WithHint("You will need to rewrite or cast the expression."))
	}
	return out
}
