package bind

import (
	"strconv"

	"holdfast/sql/algebra"
	"holdfast/sql/ast"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// Set operations, and VALUES as a query.

var setOps = [...]struct {
	name string
	kind algebra.SetOpKind
}{ast.Union: {"UNION", algebra.Union}, ast.Intersect: {"INTERSECT", algebra.Intersect}, ast.Except: {"EXCEPT", algebra.Except}}

// setOperation binds UNION, INTERSECT and EXCEPT with their ORDER BY and LIMIT.
func (s *scope) setOperation(q *ast.Select, resolve bool) *result {
	b := s.b
	for _, l := range q.Locking {
		b.fail(-1, errs.FeatureNotSupported, "%s is not allowed with UNION/INTERSECT/EXCEPT", lockName(l))
	}
	r := s.setTree(q, true)
	if resolve {
		for i := range r.cols {
			r.retype(b, i, types.Text, "UNION")
		}
	}
	keys := s.outputOrder(q.OrderBy, r, "UNION/INTERSECT/EXCEPT")
	return s.ordered(q, r, keys)
}

// ordered sorts and limits a result by its own columns.
func (s *scope) ordered(q *ast.Select, r *result, keys []algebra.SortKey) *result {
	count, offset := s.limits(q)
	if len(keys) > 0 {
		r.rel = &algebra.Sort{Input: r.rel, Keys: keys}
	}
	r.rel = limited(r.rel, count, offset, q.WithTies)
	if s.b.text != nil {
		r.text = s.tailText(r, q, keys, count, offset)
	}
	return r
}

// outputOrder binds an ORDER BY that can name only columns of the result.
func (s *scope) outputOrder(items []*ast.SortItem, r *result, what string) []algebra.SortKey {
	b := s.b
	var keys []algebra.SortKey
	for _, it := range items {
		at := -1
		switch e := it.Expr.(type) {
		case *ast.ColumnRef:
			if len(e.Names) != 1 || e.Star {
				break
			}
			for i, c := range r.cols {
				if c.name == e.Names[0] {
					if at >= 0 {
						b.fail(e.Pos(), errs.AmbiguousColumn, "ORDER BY %s is ambiguous", quoted(e.Names[0]))
					}
					at = i
				}
			}
			if at < 0 {
				if s.lookup(e.Names[0], e.Pos()) == nil {
					b.fail(e.Pos(), errs.UndefinedColumn, "column %s does not exist", quoted(e.Names[0]))
				}
			}
		case *ast.Literal:
			if e.Kind == ast.LitBool || e.Kind == ast.LitNull {
				break
			}
			n, err := strconv.ParseInt(e.Value, 10, 32)
			if e.Kind != ast.LitInt || err != nil {
				b.fail(e.Pos(), errs.SyntaxError, "non-integer constant in ORDER BY")
			}
			if n < 1 || int(n) > len(r.cols) {
				b.fail(e.Pos(), errs.InvalidColumnReference, "ORDER BY position %s is not in select list", e.Value)
			}
			at = int(n) - 1
		}
		if at < 0 {
			b.bail(loc(it.Expr), errs.New(errs.FeatureNotSupported, "invalid %s ORDER BY clause", what).
				WithDetail("Only result column names can be used, not expressions or functions.").
				WithHint("Add the expression/function to every SELECT, or move the UNION into a FROM clause."))
		}
		r.retype(b, at, types.Text, what)
		id := r.cols[at].id
		k := b.sortItem(it, b.q.Column(id).Typ)
		keys = append(keys, algebra.SortKey{ID: id, Desc: k.desc, NullsFirst: k.nullsFirst})
	}
	return keys
}

// setTree binds a tree of set operations. A branch with clauses of its own is a query of its own.
func (s *scope) setTree(q *ast.Select, top bool) *result {
	b := s.b
	b.enter()
	defer b.leave()
	plain := q.With == nil && len(q.OrderBy) == 0 && q.Limit == nil && q.Offset == nil && len(q.Locking) == 0
	if q.SetOp == ast.NoSetOp || !top && !plain {
		return b.selectStmt(q, s, nil, false)
	}
	left := s.setBranch(q.Left)
	right := s.setBranch(q.Right)
	op := setOps[q.SetOp]
	if len(left.cols) != len(right.cols) {
		pos := -1
		if len(right.cols) > 0 {
			pos = right.cols[0].pos
		}
		b.fail(pos, errs.SyntaxError, "each %s query must have the same number of columns", op.name)
	}
	node := &algebra.SetOp{Kind: op.kind, All: q.All}
	out := &result{}
	for i := range left.cols {
		lc, rc := &left.cols[i], &right.cols[i]
		lt, rt := b.q.Column(lc.id).T, b.q.Column(rc.id).T
		pos := func(k int) int { return [2]int{lc.pos, rc.pos}[k] }
		t := b.common([]scalar{&algebra.Const{T: lt}, &algebra.Const{T: rt}}, op.name, pos)
		left.retype(b, i, t, op.name)
		right.retype(b, i, t, op.name)
		mod := commonMod([]scalar{&algebra.Const{T: b.q.Column(lc.id).T}, &algebra.Const{T: b.q.Column(rc.id).T}}, t)
		if !q.All || q.SetOp != ast.Union {
			b.needEquality(t, lc.pos)
		}
		id := b.newCol(algebra.Column{Name: lc.name, T: typeOf(t, mod)}, colInfo{scope: s, kind: outputCol})
		if f := b.records[lc.id]; f != nil {
			b.setRecord(id, f)
		}
		node.Cols = append(node.Cols, id)
		out.cols = append(out.cols, outCol{id: id, name: lc.name, pos: lc.pos})
	}
	node.Left = s.converted(left, out.cols, op.name)
	node.Right = s.converted(right, out.cols, op.name)
	out.rel = node
	if b.text != nil {
		out.text = b.setText(left, right, q)
	}
	return out
}

// setBranch binds a branch of a set operation. Errors in later branches may hint at its columns.
func (s *scope) setBranch(q *ast.Select) *result {
	r := s.setTree(q, false)
	if q.SetOp == ast.NoSetOp {
		src := &source{name: "*SELECT* " + strconv.Itoa(len(s.all)+1), owner: s}
		for _, c := range r.cols {
			src.cols = append(src.cols, &column{name: c.name})
		}
		s.all = append(s.all, src)
	}
	return r
}

// converted makes the columns of a result have the types of others.
func (s *scope) converted(r *result, want []outCol, what string) algebra.Rel {
	b := s.b
	p := &algebra.Project{Input: r.rel}
	changed := false
	for i, c := range r.cols {
		col := b.col(c.id, -1)
		t := b.q.Column(want[i].id).T
		if col.Typ == t.Typ {
			p.Items = append(p.Items, algebra.Item{ID: c.id, Expr: col})
			continue
		}
		changed = true
		e := b.toCommon(col, t.Typ, what, c.pos)
		id := b.newCol(algebra.Column{Name: c.name, T: typeOf(e.Type(), e.Mod())}, colInfo{scope: s, kind: outputCol})
		p.Items = append(p.Items, algebra.Item{ID: id, Expr: e})
	}
	if !changed {
		return r.rel
	}
	return p
}

// valuesQuery binds VALUES with its ORDER BY and LIMIT.
func (s *scope) valuesQuery(q *ast.Select, resolve bool) *result {
	b := s.b
	for _, l := range q.Locking {
		b.fail(-1, errs.FeatureNotSupported, "%s cannot be applied to VALUES", lockName(l))
	}
	r := s.valuesList(q.Values, resolve)
	keys, rel := s.valuesOrder(q.OrderBy, r)
	r.rel = rel
	before := r.rel
	out := s.ordered(q, r, keys)
	if _, ok := before.(*algebra.Project); ok {
		p := &algebra.Project{Input: out.rel}
		for _, c := range out.cols {
			p.Items = append(p.Items, algebra.Item{ID: c.id, Expr: b.col(c.id, -1)})
		}
		out.rel = p
	}
	return out
}

// valuesOrder binds ORDER BY over VALUES, which may hold expressions over its columns.
func (s *scope) valuesOrder(items []*ast.SortItem, r *result) ([]algebra.SortKey, algebra.Rel) {
	b := s.b
	if len(items) == 0 {
		return nil, r.rel
	}
	src := &source{name: "*VALUES*", owner: s, colsVisible: true}
	for _, c := range r.cols {
		src.cols = append(src.cols, &column{name: c.name, expr: b.col(c.id, -1)})
	}
	s.visible = []*source{src}
	x := &selecting{scope: s}
	p := &algebra.Project{Input: r.rel}
	for _, c := range r.cols {
		x.targets = append(x.targets, &target{name: c.name, expr: b.col(c.id, -1), id: c.id})
		p.Items = append(p.Items, algebra.Item{ID: c.id, Expr: b.col(c.id, -1)})
	}
	x.sort = x.orderBy(items)
	s.visible = nil
	for _, t := range x.targets {
		if t.junk {
			t.id = b.newCol(algebra.Column{Name: t.name, T: typeOf(t.expr.Type(), t.expr.Mod())}, colInfo{scope: s, kind: outputCol})
			p.Items = append(p.Items, algebra.Item{ID: t.id, Expr: t.expr})
		}
	}
	if len(p.Items) == len(r.cols) {
		return x.sortKeys(), r.rel
	}
	return x.sortKeys(), p
}

// valuesList binds the rows of VALUES: each column has the common type of its values.
func (s *scope) valuesList(rows [][]ast.Expr, resolve bool) *result {
	b := s.b
	v := &algebra.Values{}
	old := s.clause
	s.clause = inValues
	at := make([][]int, len(rows))
	for i, list := range rows {
		row := s.exprList(list)
		if i > 0 && len(row) != len(v.Rows[0]) {
			pos := -1
			if len(list) > 0 {
				pos = loc(list[0])
			}
			b.fail(pos, errs.SyntaxError, "VALUES lists must all be the same length")
		}
		v.Rows = append(v.Rows, row)
		for k := range row {
			pos := -1
			if k < len(list) {
				pos = loc(list[k])
			}
			at[i] = append(at[i], pos)
		}
	}
	s.clause = old
	r := &result{rel: v}
	column := make([]scalar, len(v.Rows))
	for k := range v.Rows[0] {
		known := false
		for i, row := range v.Rows {
			column[i] = row[k]
			known = known || !isUnknown(row[k])
		}
		t := types.Unknown
		if known || resolve {
			t = b.common(column, "VALUES", func(i int) int { return at[i][k] })
			for i, row := range v.Rows {
				row[k] = b.toCommon(row[k], t, "VALUES", at[i][k])
				column[i] = row[k]
			}
		}
		id := b.newCol(algebra.Column{Name: "column" + strconv.Itoa(k+1), T: typeOf(t, commonMod(column, t))}, colInfo{scope: s, kind: outputCol})
		v.Cols = append(v.Cols, id)
		c := outCol{id: id, name: "column" + strconv.Itoa(k+1), pos: at[0][k]}
		if t == types.Unknown {
			c.value, c.at = v, k
		}
		r.cols = append(r.cols, c)
	}
	if b.text != nil {
		r.text = &queryText{values: v}
	}
	return r
}
