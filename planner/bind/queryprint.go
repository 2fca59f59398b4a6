package bind

import (
	"strings"

	"holdfast/sql/algebra"
	"holdfast/sql/ast"
	"holdfast/sql/types"
)

// Printing of the clauses of a query, with ruleutils' line breaks.

// query prints a query that begins at a level of indentation.
// visible tells whether the names of its columns show.
func (p *printer) query(q *queryText, level int, visible bool) {
	old, names := p.level, p.names
	p.level = level
	p.nameSources(q.sources)
	p.withClause(q)
	if q.op != "" {
		p.setTree(q, visible)
	} else {
		p.basic(q, visible)
	}
	for i, o := range q.order {
		if i == 0 {
			p.keyword(" ORDER BY ", -indentStd, indentStd, 1)
		} else {
			p.s(", ")
		}
		p.orderKey(o)
	}
	if q.offset != nil {
		p.keyword(" OFFSET ", -indentStd, indentStd, 0)
		p.expr(q.offset, false)
	}
	if q.limit != nil {
		p.limit(q)
	}
	for _, l := range q.locking {
		p.locking(q, l)
	}
	p.level, p.names = old, names
}

// locking prints FOR UPDATE for each table it applies to.
func (p *printer) locking(q *queryText, l *ast.Locking) {
	for _, src := range q.sources {
		applies := len(l.Of) == 0 && !src.join && !src.function && !src.cte
		for _, of := range l.Of {
			applies = applies || of.Name == src.name
		}
		if !applies {
			continue
		}
		name, _ := p.names.of(src)
		p.keyword(" FOR "+strings.ToUpper(l.Strength)+" OF "+types.QuoteIdentifier(name), -indentStd, indentStd, 0)
		if l.NoWait {
			p.s(" NOWAIT")
		} else if l.SkipLocked {
			p.s(" SKIP LOCKED")
		}
	}
}

// isColumn reports whether a ColID is printed as a column.
func (p *printer) isColumn(id algebra.ColID) bool { return p.plain == nil || p.plain(id) }

func (p *printer) limit(q *queryText) {
	if q.ties {
		p.keyword(" FETCH FIRST ", -indentStd, indentStd, 0)
		p.expr(q.limit, false)
		p.s(" ROWS WITH TIES")
		return
	}
	p.keyword(" LIMIT ", -indentStd, indentStd, 0)
	if c, ok := q.limit.(*algebra.Const); ok && c.Value.IsNull() {
		p.s("ALL")
		return
	}
	p.expr(q.limit, false)
}

func (p *printer) withClause(q *queryText) {
	if len(q.with) == 0 {
		return
	}
	p.level += indentStd
	p.s(" ")
	sep := "WITH "
	if q.recursive {
		sep = "WITH RECURSIVE "
	}
	for _, c := range q.with {
		p.s(sep, types.QuoteIdentifier(c.name))
		p.nameList(c.columns)
		p.s(" AS ")
		if c.materialized != nil {
			if !*c.materialized {
				p.s("NOT ")
			}
			p.s("MATERIALIZED ")
		}
		p.s("(")
		p.keyword("", 0, 0, 0)
		if c.query != nil {
			p.query(c.query, p.level, true)
		}
		p.keyword("", 0, 0, 0)
		p.s(")")
		sep = ", "
	}
	p.level -= indentStd
	p.keyword("", 0, 0, 0)
}

// nameList prints (a, b), or nothing of an empty list.
func (p *printer) nameList(names []string) {
	for i, n := range names {
		if i == 0 {
			p.s("(")
		} else {
			p.s(", ")
		}
		p.s(types.QuoteIdentifier(n))
	}
	if len(names) > 0 {
		p.s(")")
	}
}

func (p *printer) setTree(q *queryText, visible bool) {
	need := q.left.nested() && (q.left.op != q.op || q.left.all != q.all)
	indent := 0
	if need {
		indent = indentStd
		p.s("(")
		p.keyword("", indent, 0, 0)
	}
	p.setSide(q.left, visible)
	if need {
		p.keyword(") ", -indent, 0, 0)
	} else {
		p.keyword("", -indent, 0, 0)
	}
	p.s(q.op, " ")
	if q.all {
		p.s("ALL ")
	}
	need, indent = q.right.nested(), 0
	if need {
		p.s("(")
		indent = indentStd
	}
	p.keyword("", indent, 0, 0)
	p.setSide(q.right, false)
	p.level -= indent
	if need {
		p.keyword(")", 0, 0, 0)
	}
}

func (p *printer) setSide(q *queryText, visible bool) {
	if q.nested() {
		p.setTree(q, visible)
		return
	}
	need := q.bracketed()
	if need {
		p.s("(")
	}
	p.query(q, p.level, visible)
	if need {
		p.s(")")
	}
}

// nested reports whether a side of a set operation is one itself, without clauses of its own.
func (q *queryText) nested() bool { return q.op != "" && !q.bracketed() }

func (q *queryText) bracketed() bool {
	return len(q.with) > 0 || len(q.order) > 0 || q.limit != nil || q.offset != nil || len(q.locking) > 0
}

func (p *printer) basic(q *queryText, visible bool) {
	p.level += indentStd
	p.s(" ")
	if q.values != nil {
		p.s("VALUES ")
		for i, row := range q.values.Rows {
			if i > 0 {
				p.s(", ")
			}
			p.s("(")
			for k, e := range row {
				if k > 0 {
					p.s(",")
				}
				p.expr(e, false)
			}
			p.s(")")
		}
		return
	}
	p.s("SELECT")
	if q.distinct {
		p.s(" DISTINCT")
		for i, e := range q.distinctOn {
			if i == 0 {
				p.s(" ON (")
			} else {
				p.s(", ")
			}
			p.sortExpr(e)
		}
		if len(q.distinctOn) > 0 {
			p.s(")")
		}
	}
	p.targetList(q, visible)
	for i, t := range q.from {
		if i == 0 {
			p.keyword(" FROM ", -indentStd, indentStd, 2)
			p.tableExpr(t)
			continue
		}
		p.s(", ")
		p.wrapped(func() { p.tableExpr(t) })
	}
	if q.where != nil {
		p.keyword(" WHERE ", -indentStd, indentStd, 1)
		p.expr(q.where, false)
	}
	for i, e := range q.group {
		if i == 0 {
			p.keyword(" GROUP BY ", -indentStd, indentStd, 1)
		} else {
			p.s(", ")
		}
		p.sortExpr(e)
	}
	for i, n := range q.nodes {
		if i == 0 {
			p.keyword(" GROUP BY ", -indentStd, indentStd, 1)
		} else {
			p.s(", ")
		}
		p.groupNode(n, true)
	}
	if q.having != nil {
		p.keyword(" HAVING ", -indentStd, indentStd, 0)
		p.expr(q.having, false)
	}
	for i, w := range q.windows {
		if i == 0 {
			p.keyword(" WINDOW ", -indentStd, indentStd, 1)
		} else {
			p.s(", ")
		}
		p.s(types.QuoteIdentifier(w.name), " AS ")
		p.window(w)
	}
}

// wrapped prints an item of a list on a line of its own, unless it begins with one.
func (p *printer) wrapped(f func()) {
	outer := p.buf
	p.buf = nil
	f()
	item := p.buf
	p.buf = outer
	if len(item) > 0 && item[0] == '\n' {
		p.trim()
	} else {
		p.keyword("", -indentStd, indentStd, indentVar)
	}
	p.buf = append(p.buf, item...)
}

func (p *printer) targetList(q *queryText, visible bool) {
	sep := " "
	first := true
	for _, t := range q.targets {
		if t.junk {
			continue
		}
		p.s(sep)
		sep = ", "
		item := func() {
			shown := ""
			if !visible {
				shown = `"?column?"`
			}
			p.expr(t.plain, true)
			if c, ok := t.plain.(*algebra.Col); ok && p.isColumn(c.ID) {
				shown = p.bare(c.ID)
			}
			if name := types.QuoteIdentifier(t.name); name != shown {
				p.s(" AS ", name)
			}
		}
		if first {
			first = false
			outer := p.buf
			p.buf = nil
			item()
			text := p.buf
			p.buf = outer
			if len(text) > 0 && text[0] == '\n' {
				p.trim()
			}
			p.buf = append(p.buf, text...)
			continue
		}
		p.wrapped(item)
	}
}

// tableExpr prints an item of FROM.
func (p *printer) tableExpr(t ast.TableExpr) {
	src := p.events.sources[t]
	switch t := t.(type) {
	case *ast.Join:
		p.join(t, src)
		return
	case *ast.TableRef:
		own := t.Table.Name
		if src.cte {
			p.s(types.QuoteIdentifier(own))
		} else {
			p.s(p.table(src.table))
		}
		name, _ := p.names.of(src)
		renamed := src.renamed(p)
		if src.alias || name != own || renamed {
			p.s(" ", types.QuoteIdentifier(name))
		}
		if renamed {
			p.nameList(src.columnNames())
		}
		return
	case *ast.SubqueryRef:
		if t.Lateral {
			p.s("LATERAL ")
		}
		p.s("(")
		p.query(src.query.text, p.level, true)
		p.s(")")
		if t.Alias != nil && len(t.Alias.Columns) > 0 {
			p.sourceName(src)
			p.nameList(src.columnNames())
			return
		}
	case *ast.FuncRef:
		p.functions(t, src)
		return
	}
	p.sourceName(src)
}

func (p *printer) sourceName(src *source) {
	if name, _ := p.names.of(src); name != "" {
		p.s(" ", types.QuoteIdentifier(name))
	}
}

// renamed reports whether a table's columns go by other names than their own.
func (src *source) renamed(p *printer) bool {
	if src.cte {
		return src.alias && src.aliasColumns
	}
	i := 0
	for _, c := range src.table.Columns {
		if c.Dropped {
			continue
		}
		if i < len(src.cols) && src.cols[i].name != c.Name {
			return true
		}
		i++
	}
	return false
}

func (src *source) columnNames() []string {
	var names []string
	for _, c := range src.cols {
		names = append(names, c.name)
	}
	return names
}

func (p *printer) functions(t *ast.FuncRef, src *source) {
	if t.Lateral || src.lateral {
		p.s("LATERAL ")
	}
	many := len(src.calls) > 1
	if many {
		p.s("ROWS FROM(")
	}
	for i, c := range src.calls {
		if i > 0 {
			p.s(", ")
		}
		p.expr(c, true)
	}
	if many {
		p.s(")")
	}
	if t.Ordinality {
		p.s(" WITH ORDINALITY")
	}
	p.sourceName(src)
	if len(t.ColumnDefs) > 0 {
		for i, d := range t.ColumnDefs {
			if i == 0 {
				p.s("(")
			} else {
				p.s(", ")
			}
			e := src.cols[i].expr
			p.s(types.QuoteIdentifier(d.Name), " ", p.typ(e.Type(), e.Mod()))
		}
		p.s(")")
		return
	}
	p.nameList(src.columnNames())
}

func (p *printer) join(j *ast.Join, src *source) {
	t := p.events.joins[j]
	aliased := j.Alias != nil
	if !p.pretty || aliased {
		p.s("(")
	}
	p.tableExpr(j.Left)
	word := " JOIN "
	switch {
	case j.Kind == ast.InnerJoin && t.on == nil:
		word = " CROSS JOIN "
	case j.Kind == ast.LeftJoin:
		word = " LEFT JOIN "
	case j.Kind == ast.RightJoin:
		word = " RIGHT JOIN "
	case j.Kind == ast.FullJoin:
		word = " FULL JOIN "
	}
	p.keyword(word, -indentStd, indentStd, indentJoin)
	right, nested := j.Right.(*ast.Join)
	need := p.pretty && nested && right.Alias == nil
	if need {
		p.s("(")
	}
	p.tableExpr(j.Right)
	if need {
		p.s(")")
	}
	switch {
	case len(t.using) > 0:
		p.s(" USING ")
		p.nameList(t.using)
		if j.UsingAlias != "" {
			p.s(" AS ", types.QuoteIdentifier(j.UsingAlias))
		}
	case t.on != nil:
		p.s(" ON ")
		p.open()
		p.expr(t.on, false)
		p.close()
	case j.Kind != ast.InnerJoin:
		p.s(" ON TRUE")
	}
	if !p.pretty || aliased {
		p.s(")")
	}
	if aliased {
		p.sourceName(src)
		if len(j.Alias.Columns) > 0 {
			p.nameList(src.columnNames())
		}
	}
}
