package parse

import (
	pg_query "github.com/pganalyze/pg_query_go/v5"

	"holdfast/sql/ast"
	"holdfast/sql/errs"
)

// query converts a node that must be a SELECT.
func (c *converter) query(n *pg_query.Node) *ast.Select {
	if n == nil {
		return nil
	}
	s := n.GetSelectStmt()
	if s == nil {
		c.unsupported(-1, nodeName(n)+" as a subquery")
	}
	return c.selectStmt(s)
}

// selectStmt converts a query that has no INTO, or whose INTO is not allowed.
func (c *converter) selectStmt(s *pg_query.SelectStmt) *ast.Select {
	c.enter()
	defer c.leave()
	if s.IntoClause != nil {
		c.fail(errs.New(errs.SyntaxError, "SELECT ... INTO is not allowed here"), int(s.IntoClause.GetRel().GetLocation()))
	}
	q := &ast.Select{At: -1}
	low := c.measure(func() {
		if s.WithClause != nil {
			q.With = c.with(s.WithClause)
		}
		switch s.Op {
		case pg_query.SetOperation_SETOP_UNION:
			q.SetOp = ast.Union
		case pg_query.SetOperation_SETOP_INTERSECT:
			q.SetOp = ast.Intersect
		case pg_query.SetOperation_SETOP_EXCEPT:
			q.SetOp = ast.Except
		}
		if q.SetOp != ast.NoSetOp {
			q.All = s.All
			q.Left, q.Right = c.selectStmt(s.Larg), c.selectStmt(s.Rarg)
		}
		if len(s.DistinctClause) > 0 {
			q.Distinct = true
			for _, d := range s.DistinctClause { // plain DISTINCT is a list of one empty node
				if d != nil && d.Node != nil {
					q.DistinctOn = append(q.DistinctOn, c.expr(d))
				}
			}
		}
		q.Targets = c.targets(s.TargetList)
		for _, row := range s.ValuesLists {
			q.Values = append(q.Values, c.exprs(items(row)))
		}
		q.From = c.tableExprs(s.FromClause)
		q.Where = c.expr(s.WhereClause)
		q.GroupBy = c.groupItems(s.GroupClause)
		q.GroupDistinct = s.GroupDistinct
		q.Having = c.expr(s.HavingClause)
		for _, w := range s.WindowClause {
			q.Windows = append(q.Windows, c.window(w.GetWindowDef()))
		}
		q.OrderBy = c.sortItems(s.SortClause)
		q.Limit, q.Offset = c.expr(s.LimitCount), c.expr(s.LimitOffset)
		q.WithTies = s.LimitOption == pg_query.LimitOption_LIMIT_OPTION_WITH_TIES
		for _, l := range s.LockingClause {
			q.Locking = append(q.Locking, c.locking(l.GetLockingClause()))
		}
	})
	q.At = ast.At(low)
	return q
}

func (c *converter) with(w *pg_query.WithClause) *ast.With {
	if w == nil {
		return nil
	}
	out := &ast.With{At: c.at(w.Location), Recursive: w.Recursive}
	for _, n := range w.Ctes {
		e := n.GetCommonTableExpr()
		cte := &ast.CTE{At: c.at(e.Location), Name: e.Ctename, Columns: stringsOf(e.Aliascolnames),
			Search: e.SearchClause != nil, Cycle: e.CycleClause != nil}
		switch e.Ctematerialized {
		case pg_query.CTEMaterialize_CTEMaterializeAlways:
			cte.Materialized = new(true)
		case pg_query.CTEMaterialize_CTEMaterializeNever:
			cte.Materialized = new(false)
		}
		switch q := e.Ctequery.GetNode().(type) {
		case *pg_query.Node_SelectStmt:
			cte.Stmt = c.selectStmt(q.SelectStmt)
		case *pg_query.Node_InsertStmt:
			cte.Stmt = c.insert(q.InsertStmt)
		case *pg_query.Node_UpdateStmt:
			cte.Stmt = c.update(q.UpdateStmt)
		case *pg_query.Node_DeleteStmt:
			cte.Stmt = c.delete(q.DeleteStmt)
		default:
			c.unsupported(e.Location, nodeName(e.Ctequery)+" in WITH")
		}
		out.CTEs = append(out.CTEs, cte)
	}
	return out
}

func (c *converter) targets(nodes []*pg_query.Node) []*ast.Target {
	var out []*ast.Target
	for _, n := range nodes {
		t := n.GetResTarget()
		out = append(out, &ast.Target{At: c.at(t.Location), Expr: c.expr(t.Val), Name: t.Name})
	}
	return out
}

func (c *converter) groupItems(nodes []*pg_query.Node) []*ast.GroupItem {
	var out []*ast.GroupItem
	for _, n := range nodes {
		c.enter()
		g := n.GetGroupingSet()
		if g == nil {
			item := &ast.GroupItem{Expr: c.expr(n)}
			item.At = ast.At(item.Expr.Pos())
			out = append(out, item)
			c.leave()
			continue
		}
		item := &ast.GroupItem{At: c.at(g.Location), Items: c.groupItems(g.Content)}
		switch g.Kind {
		case pg_query.GroupingSetKind_GROUPING_SET_EMPTY:
			item.Kind = "empty"
		case pg_query.GroupingSetKind_GROUPING_SET_ROLLUP:
			item.Kind = "rollup"
		case pg_query.GroupingSetKind_GROUPING_SET_CUBE:
			item.Kind = "cube"
		default:
			item.Kind = "sets"
		}
		out = append(out, item)
		c.leave()
	}
	return out
}

func (c *converter) sortItems(nodes []*pg_query.Node) []*ast.SortItem {
	var out []*ast.SortItem
	for _, n := range nodes {
		s := n.GetSortBy()
		item := &ast.SortItem{At: -1, Expr: c.expr(s.Node), Desc: s.SortbyDir == pg_query.SortByDir_SORTBY_DESC}
		item.At = ast.At(item.Expr.Pos())
		item.NullsFirst = nullsFirst(s.SortbyNulls)
		if len(s.UseOp) > 0 {
			schema, op := c.operator(s.UseOp, s.Location)
			if item.Using = op; schema != "" {
				item.Using = schema + "." + op
			}
		}
		out = append(out, item)
	}
	return out
}

func nullsFirst(n pg_query.SortByNulls) *bool {
	switch n {
	case pg_query.SortByNulls_SORTBY_NULLS_FIRST:
		return new(true)
	case pg_query.SortByNulls_SORTBY_NULLS_LAST:
		return new(false)
	}
	return nil
}

// The bits of a window frame, as the grammar numbers them.
const (
	frameNonDefault              = 0x00001
	frameRange                   = 0x00002
	frameRows                    = 0x00004
	frameGroups                  = 0x00008
	frameStartUnboundedPreceding = 0x00020
	frameEndUnboundedPreceding   = 0x00040
	frameStartUnboundedFollowing = 0x00080
	frameEndUnboundedFollowing   = 0x00100
	frameStartCurrentRow         = 0x00200
	frameEndCurrentRow           = 0x00400
	frameStartOffsetPreceding    = 0x00800
	frameEndOffsetPreceding      = 0x01000
	frameStartOffsetFollowing    = 0x02000
	frameEndOffsetFollowing      = 0x04000
	frameExcludeCurrentRow       = 0x08000
	frameExcludeGroup            = 0x10000
	frameExcludeTies             = 0x20000
)

func (c *converter) window(w *pg_query.WindowDef) *ast.WindowDef {
	out := &ast.WindowDef{At: c.at(w.Location), Name: w.Name, Ref: w.Refname,
		PartitionBy: c.exprs(w.PartitionClause), OrderBy: c.sortItems(w.OrderClause)}
	f := w.FrameOptions
	if f&frameNonDefault == 0 {
		return out
	}
	switch {
	case f&frameRows != 0:
		out.FrameMode = "rows"
	case f&frameGroups != 0:
		out.FrameMode = "groups"
	case f&frameRange != 0:
		out.FrameMode = "range"
	}
	// The start's bits are every second one; those of the end are one to the left.
	bound := func(f int32) string {
		switch {
		case f&frameStartUnboundedPreceding != 0:
			return "unbounded preceding"
		case f&frameStartUnboundedFollowing != 0:
			return "unbounded following"
		case f&frameStartCurrentRow != 0:
			return "current row"
		case f&frameStartOffsetPreceding != 0:
			return "preceding"
		case f&frameStartOffsetFollowing != 0:
			return "following"
		}
		return ""
	}
	out.Start = ast.FrameBound{Kind: bound(f), Offset: c.expr(w.StartOffset)}
	out.End = ast.FrameBound{Kind: bound(f >> 1), Offset: c.expr(w.EndOffset)}
	switch {
	case f&frameExcludeCurrentRow != 0:
		out.Exclude = "current row"
	case f&frameExcludeGroup != 0:
		out.Exclude = "group"
	case f&frameExcludeTies != 0:
		out.Exclude = "ties"
	}
	return out
}

func (c *converter) locking(l *pg_query.LockingClause) *ast.Locking {
	out := &ast.Locking{At: -1, Of: c.rangeVars(l.LockedRels),
		NoWait:     l.WaitPolicy == pg_query.LockWaitPolicy_LockWaitError,
		SkipLocked: l.WaitPolicy == pg_query.LockWaitPolicy_LockWaitSkip}
	switch l.Strength {
	case pg_query.LockClauseStrength_LCS_FORKEYSHARE:
		out.Strength = "key share"
	case pg_query.LockClauseStrength_LCS_FORSHARE:
		out.Strength = "share"
	case pg_query.LockClauseStrength_LCS_FORNOKEYUPDATE:
		out.Strength = "no key update"
	default:
		out.Strength = "update"
	}
	return out
}

func (c *converter) tableExprs(nodes []*pg_query.Node) []ast.TableExpr {
	var out []ast.TableExpr
	for _, n := range nodes {
		out = append(out, c.tableExpr(n))
	}
	return out
}

func (c *converter) tableExpr(node *pg_query.Node) ast.TableExpr {
	c.enter()
	defer c.leave()
	switch n := node.GetNode().(type) {
	case *pg_query.Node_RangeVar:
		return c.tableRef(n.RangeVar)
	case *pg_query.Node_RangeSubselect:
		s := n.RangeSubselect
		q := c.query(s.Subquery)
		return &ast.SubqueryRef{At: q.At, Query: q, Alias: c.alias(s.Alias), Lateral: s.Lateral}
	case *pg_query.Node_RangeFunction:
		return c.rangeFunction(n.RangeFunction)
	case *pg_query.Node_JoinExpr:
		return c.join(n.JoinExpr)
	case *pg_query.Node_RangeTableSample:
		t := c.tableRef(n.RangeTableSample.Relation.GetRangeVar())
		if t == nil {
			c.unsupported(n.RangeTableSample.Location, "TABLESAMPLE here")
		}
		t.Sample = true
		return t
	case *pg_query.Node_RangeTableFunc:
		c.unsupported(n.RangeTableFunc.Location, "XMLTABLE")
	}
	c.unsupported(-1, nodeName(node)+" in FROM")
	return nil
}

func (c *converter) rangeFunction(f *pg_query.RangeFunction) ast.TableExpr {
	r := &ast.FuncRef{At: -1, Ordinality: f.Ordinality, Lateral: f.Lateral, RowsFrom: f.IsRowsfrom, Alias: c.alias(f.Alias)}
	for _, n := range f.Functions { // pairs of a call and its column definitions
		pair := items(n)
		if len(pair) == 0 {
			continue
		}
		r.Calls = append(r.Calls, c.expr(pair[0]))
		if len(pair) > 1 && pair[1].GetNode() != nil && len(items(pair[1])) > 0 {
			c.unsupported(int32(r.Calls[0].Pos()+c.base), "a column definition list inside ROWS FROM")
		}
	}
	for _, d := range f.Coldeflist {
		r.ColumnDefs = append(r.ColumnDefs, c.columnDef(d.GetColumnDef()))
	}
	if len(r.Calls) > 0 {
		r.At = ast.At(r.Calls[0].Pos())
	}
	return r
}

func (c *converter) join(j *pg_query.JoinExpr) ast.TableExpr {
	out := &ast.Join{At: -1, Natural: j.IsNatural, Left: c.tableExpr(j.Larg), Right: c.tableExpr(j.Rarg),
		Using: stringsOf(j.UsingClause), On: c.expr(j.Quals), Alias: c.alias(j.Alias)}
	switch j.Jointype {
	case pg_query.JoinType_JOIN_INNER:
	case pg_query.JoinType_JOIN_LEFT:
		out.Kind = ast.LeftJoin
	case pg_query.JoinType_JOIN_RIGHT:
		out.Kind = ast.RightJoin
	case pg_query.JoinType_JOIN_FULL:
		out.Kind = ast.FullJoin
	default:
		c.unsupported(-1, "this kind of join")
	}
	if j.JoinUsingAlias != nil {
		out.UsingAlias = j.JoinUsingAlias.Aliasname
	}
	out.At = ast.At(out.Left.Pos())
	return out
}

func (c *converter) insertColumns(nodes []*pg_query.Node) []*ast.InsertColumn {
	var out []*ast.InsertColumn
	for _, n := range nodes {
		out = append(out, c.insertColumn(n.GetResTarget()))
	}
	return out
}

func (c *converter) insertColumn(t *pg_query.ResTarget) *ast.InsertColumn {
	out := &ast.InsertColumn{At: c.at(t.Location), Name: t.Name}
	for _, step := range t.Indirection {
		i := step.GetAIndices()
		if i == nil { // a field
			out.Indirection, out.Subscripts = true, nil
			break
		}
		out.Subscripts = append(out.Subscripts, &ast.Subscript{At: out.At, Slice: i.IsSlice, Lower: c.expr(i.Lidx), Upper: c.expr(i.Uidx)})
	}
	return out
}

// setClauses groups the columns of (a, b) = .. again: the grammar makes one target of each, all with the source.
func (c *converter) setClauses(nodes []*pg_query.Node) []*ast.SetClause {
	var out []*ast.SetClause
	for i := 0; i < len(nodes); i++ {
		t := nodes[i].GetResTarget()
		s := &ast.SetClause{Columns: []*ast.InsertColumn{c.insertColumn(t)}}
		s.At = s.Columns[0].At
		if m := t.Val.GetMultiAssignRef(); m != nil {
			s.Multi = true
			s.Value = c.expr(m.Source)
			for n := int(m.Ncolumns); n > 1 && i+1 < len(nodes); n-- {
				i++
				s.Columns = append(s.Columns, c.insertColumn(nodes[i].GetResTarget()))
			}
		} else {
			s.Value = c.expr(t.Val)
		}
		out = append(out, s)
	}
	return out
}

func (c *converter) insert(s *pg_query.InsertStmt) *ast.Insert {
	i := &ast.Insert{At: -1, With: c.with(s.WithClause), Table: c.tableRef(s.Relation), Columns: c.insertColumns(s.Cols)}
	i.At = i.Table.At
	if s.SelectStmt != nil {
		i.Query = c.query(s.SelectStmt)
	}
	switch s.Override {
	case pg_query.OverridingKind_OVERRIDING_USER_VALUE:
		i.Overriding = "user"
	case pg_query.OverridingKind_OVERRIDING_SYSTEM_VALUE:
		i.Overriding = "system"
	}
	if o := s.OnConflictClause; o != nil {
		k := &ast.OnConflict{At: c.at(o.Location), TargetAt: -1, DoUpdate: o.Action == pg_query.OnConflictAction_ONCONFLICT_UPDATE}
		if o.Infer != nil {
			k.TargetAt = c.at(o.Infer.Location)
			k.Target = c.indexElems(o.Infer.IndexElems, c.at(o.Infer.Location))
			k.Where = c.expr(o.Infer.WhereClause)
			k.Constraint = o.Infer.Conname
		}
		k.Set = c.setClauses(o.TargetList)
		k.UpdateWhere = c.expr(o.WhereClause)
		i.OnConflict = k
	}
	i.Returning = c.targets(s.ReturningList)
	return i
}

func (c *converter) update(s *pg_query.UpdateStmt) *ast.Update {
	u := &ast.Update{At: -1, With: c.with(s.WithClause), Table: c.tableRef(s.Relation), Set: c.setClauses(s.TargetList),
		From: c.tableExprs(s.FromClause), Where: c.expr(s.WhereClause), Returning: c.targets(s.ReturningList)}
	u.At = u.Table.At
	return u
}

func (c *converter) delete(s *pg_query.DeleteStmt) *ast.Delete {
	d := &ast.Delete{At: -1, With: c.with(s.WithClause), Table: c.tableRef(s.Relation), Using: c.tableExprs(s.UsingClause),
		Where: c.expr(s.WhereClause), Returning: c.targets(s.ReturningList)}
	d.At = d.Table.At
	return d
}
