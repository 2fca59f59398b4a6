package ast

import "strings"

func (p *printer) with(w *With) {
	if w == nil {
		return
	}
	p.s("WITH ")
	p.when(w.Recursive, "RECURSIVE ")
	list(p, w.CTEs, func(c *CTE) {
		p.ident(c.Name)
		p.columns(c.Columns)
		p.s(" AS ")
		if c.Materialized != nil {
			p.not(!*c.Materialized)
			p.s("MATERIALIZED ")
		}
		p.s("(")
		p.stmt(c.Stmt)
		p.s(")")
	})
	p.s(" ")
}

func (p *printer) selectStmt(q *Select) {
	p.with(q.With)
	switch {
	case q.SetOp != NoSetOp:
		p.setOperand(q.Left)
		p.s(map[SetOp]string{Union: " UNION ", Intersect: " INTERSECT ", Except: " EXCEPT "}[q.SetOp])
		p.when(q.All, "ALL ")
		p.setOperand(q.Right)
	case q.Values != nil:
		p.s("VALUES ")
		list(p, q.Values, func(row []Expr) {
			p.s("(")
			p.exprs(row)
			p.s(")")
		})
	default:
		p.selectCore(q)
	}
	p.orderBy(q.OrderBy)
	if q.Offset != nil {
		p.s(" OFFSET ")
		p.operand(q.Offset)
	}
	switch {
	case q.Limit != nil && q.WithTies:
		p.s(" FETCH FIRST (")
		p.expr(q.Limit)
		p.s(") ROWS WITH TIES")
	case q.Limit != nil:
		p.s(" LIMIT ")
		p.operand(q.Limit)
	}
	for _, l := range q.Locking {
		p.s(" FOR ", strings.ToUpper(l.Strength))
		if len(l.Of) > 0 {
			p.s(" OF ")
			p.tables(l.Of)
		}
		p.when(l.NoWait, " NOWAIT")
		p.when(l.SkipLocked, " SKIP LOCKED")
	}
}

// setOperand writes one side of a set operation.
func (p *printer) setOperand(q *Select) {
	if q.With == nil && q.SetOp == NoSetOp && q.OrderBy == nil && q.Limit == nil && q.Offset == nil && q.Locking == nil {
		p.selectStmt(q)
		return
	}
	p.s("(")
	p.selectStmt(q)
	p.s(")")
}

func (p *printer) selectCore(q *Select) {
	p.s("SELECT")
	p.when(q.Distinct, " DISTINCT")
	if q.DistinctOn != nil {
		p.s(" ON (")
		p.exprs(q.DistinctOn)
		p.s(")")
	}
	if len(q.Targets) > 0 {
		p.s(" ")
		p.targets(q.Targets)
	}
	p.from(" FROM ", q.From)
	p.where(q.Where)
	if q.GroupBy != nil {
		p.s(" GROUP BY ")
		p.when(q.GroupDistinct, "DISTINCT ")
		list(p, q.GroupBy, p.groupItem)
	}
	if q.Having != nil {
		p.s(" HAVING ")
		p.expr(q.Having)
	}
	if q.Windows != nil {
		p.s(" WINDOW ")
		list(p, q.Windows, func(w *WindowDef) {
			p.ident(w.Name)
			p.s(" AS ")
			p.window(w)
		})
	}
}

func (p *printer) targets(ts []*Target) {
	list(p, ts, func(t *Target) {
		p.expr(t.Expr)
		if t.Name != "" {
			p.s(" AS ")
			p.ident(t.Name)
		}
	})
}

func (p *printer) returning(ts []*Target) {
	if ts != nil {
		p.s(" RETURNING ")
		p.targets(ts)
	}
}

func (p *printer) where(e Expr) {
	if e != nil {
		p.s(" WHERE ")
		p.expr(e)
	}
}

func (p *printer) from(keyword string, ts []TableExpr) {
	if ts != nil {
		p.s(keyword)
		list(p, ts, p.tableExpr)
	}
}

func (p *printer) groupItem(g *GroupItem) {
	switch g.Kind {
	case "":
		p.expr(g.Expr)
		return
	case "empty":
		p.s("()")
		return
	case "rollup":
		p.s("ROLLUP (")
	case "cube":
		p.s("CUBE (")
	default:
		p.s("GROUPING SETS (")
	}
	list(p, g.Items, p.groupItem)
	p.s(")")
}

func (p *printer) orderBy(items []*SortItem) {
	if items == nil {
		return
	}
	p.s(" ORDER BY ")
	list(p, items, func(s *SortItem) {
		p.operand(s.Expr)
		if s.Using != "" {
			p.s(" USING ")
			schema, op := "", s.Using
			if i := strings.LastIndexByte(op, '.'); i >= 0 {
				schema, op = op[:i], op[i+1:]
			}
			p.operator(schema, op)
		}
		p.when(s.Desc, " DESC")
		p.nulls(s.NullsFirst)
	})
}

func (p *printer) nulls(first *bool) {
	if first != nil {
		p.s(map[bool]string{true: " NULLS FIRST", false: " NULLS LAST"}[*first])
	}
}

// window writes a definition in parentheses.
func (p *printer) window(w *WindowDef) {
	p.s("(")
	if w.Ref != "" {
		p.ident(w.Ref)
	}
	if w.PartitionBy != nil {
		p.s(" PARTITION BY ")
		p.exprs(w.PartitionBy)
	}
	p.orderBy(w.OrderBy)
	if w.FrameMode != "" {
		bound := func(b FrameBound) {
			if b.Offset != nil {
				p.operand(b.Offset)
				p.s(" ")
			}
			p.s(strings.ToUpper(b.Kind))
		}
		p.s(" ", strings.ToUpper(w.FrameMode), " BETWEEN ")
		bound(w.Start)
		p.s(" AND ")
		bound(w.End)
		p.when(w.Exclude != "", " EXCLUDE "+strings.ToUpper(w.Exclude))
	}
	p.s(")")
}

func (p *printer) alias(a *Alias) {
	if a != nil {
		p.s(" AS ")
		p.ident(a.Name)
		p.columns(a.Columns)
	}
}

func (p *printer) tableRef(t *TableRef) {
	p.when(t.Only, "ONLY ")
	p.table(t.Table)
	p.alias(t.Alias)
}

func (p *printer) tableExpr(t TableExpr) {
	switch t := t.(type) {
	case *TableRef:
		p.tableRef(t)
	case *SubqueryRef:
		p.when(t.Lateral, "LATERAL ")
		p.s("(")
		p.selectStmt(t.Query)
		p.s(")")
		p.alias(t.Alias)
	case *FuncRef:
		p.when(t.Lateral, "LATERAL ")
		p.when(t.RowsFrom, "ROWS FROM (")
		p.exprs(t.Calls)
		p.when(t.RowsFrom, ")")
		p.when(t.Ordinality, " WITH ORDINALITY")
		if t.ColumnDefs != nil {
			p.s(" AS ")
			if t.Alias != nil {
				p.ident(t.Alias.Name)
			}
			p.s("(")
			list(p, t.ColumnDefs, p.columnDef)
			p.s(")")
			return
		}
		p.alias(t.Alias)
	case *Join:
		p.join(t)
	}
}

func (p *printer) join(j *Join) {
	p.when(j.Alias != nil, "(")
	p.tableExpr(j.Left)
	p.s(" ")
	cross := j.Kind == InnerJoin && !j.Natural && j.Using == nil && j.On == nil
	p.when(cross, "CROSS ")
	p.when(j.Natural, "NATURAL ")
	p.s(map[JoinKind]string{LeftJoin: "LEFT ", RightJoin: "RIGHT ", FullJoin: "FULL "}[j.Kind], "JOIN ")
	if right, ok := j.Right.(*Join); ok && right.Alias == nil {
		p.s("(")
		p.join(right)
		p.s(")")
	} else {
		p.tableExpr(j.Right)
	}
	switch {
	case j.Using != nil:
		p.s(" USING")
		p.columns(j.Using)
		if j.UsingAlias != "" {
			p.s(" AS ")
			p.ident(j.UsingAlias)
		}
	case j.On != nil:
		p.s(" ON ")
		p.expr(j.On)
	}
	p.when(j.Alias != nil, ")")
	p.alias(j.Alias)
}

func (p *printer) insert(i *Insert) {
	p.with(i.With)
	p.s("INSERT INTO ")
	p.tableRef(i.Table)
	if i.Columns != nil {
		p.s(" (")
		list(p, i.Columns, p.insertColumn)
		p.s(")")
	}
	p.when(i.Overriding != "", " OVERRIDING "+strings.ToUpper(i.Overriding)+" VALUE")
	if i.Query == nil {
		p.s(" DEFAULT VALUES")
	} else {
		p.s(" ")
		p.selectStmt(i.Query)
	}
	if k := i.OnConflict; k != nil {
		p.s(" ON CONFLICT")
		switch {
		case k.Constraint != "":
			p.s(" ON CONSTRAINT ")
			p.ident(k.Constraint)
		case k.Target != nil:
			p.s(" (")
			list(p, k.Target, p.indexElem)
			p.s(")")
			p.where(k.Where)
		}
		if k.DoUpdate {
			p.s(" DO UPDATE SET ")
			list(p, k.Set, p.setClause)
			p.where(k.UpdateWhere)
		} else {
			p.s(" DO NOTHING")
		}
	}
	p.returning(i.Returning)
}

func (p *printer) insertColumn(c *InsertColumn) {
	p.ident(c.Name)
	for _, s := range c.Subscripts {
		p.subscript(s)
	}
}

func (p *printer) setClause(s *SetClause) {
	multi := s.Multi || len(s.Columns) > 1
	p.when(multi, "(")
	list(p, s.Columns, p.insertColumn)
	p.when(multi, ")")
	p.s(" = ")
	p.expr(s.Value)
}

func (p *printer) update(u *Update) {
	p.with(u.With)
	p.s("UPDATE ")
	p.tableRef(u.Table)
	p.s(" SET ")
	list(p, u.Set, p.setClause)
	p.from(" FROM ", u.From)
	p.where(u.Where)
	p.returning(u.Returning)
}

func (p *printer) delete(d *Delete) {
	p.with(d.With)
	p.s("DELETE FROM ")
	p.tableRef(d.Table)
	p.from(" USING ", d.Using)
	p.where(d.Where)
	p.returning(d.Returning)
}
