package bind

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"holdfast/sql/algebra"
	"holdfast/sql/ast"
	"holdfast/sql/catalog"
	"holdfast/sql/types"
)

// Printing of queries, by the rules of ruleutils again. The structure of the query is kept while it is bound
// (queryText); its expressions are printed from their bound form, so that names are resolved, * is expanded and
// conversions are explicit. A query to be printed is bound for that purpose alone: nothing is folded, and every
// query has columns of its own, so that a ColID tells which query's column is meant.

// textEvents is what printing needs to know beyond the tree.
type textEvents struct {
	caseArgs    map[*algebra.Case]scalar
	rowCompares map[scalar]*rowCompareText
	keywords    map[scalar]string
	queries     map[*algebra.Subquery]*queryText
	joins       map[*ast.Join]*joinText
	sources     map[ast.TableExpr]*source
}

// rowCompareText is (a, b) < (c, d) as written.
type rowCompareText struct {
	op          string
	left, right []scalar
}

type joinText struct {
	on    scalar
	using []string
}

// queryText is a query as it was written, bound.
type queryText struct {
	with      []*cteText
	recursive bool
	sources   []*source // what its names are those of

	distinct   bool
	distinctOn []scalar
	targets    []*target
	from       []ast.TableExpr
	where      scalar
	group      []scalar
	having     scalar
	windows    []*windowSpec

	op          string // of a set operation
	all         bool
	left, right *queryText

	values *algebra.Values

	order         []orderText
	limit, offset scalar
	ties          bool
	locking       []*ast.Locking
}

type cteText struct {
	name         string
	columns      []string
	query        *queryText
	materialized *bool
}

// orderText is an item of ORDER BY: an expression, or the column of that number.
type orderText struct {
	expr scalar
	n    int
	key  algebra.SortKey
}

func newTextEvents() *textEvents {
	return &textEvents{
		caseArgs: map[*algebra.Case]scalar{}, rowCompares: map[scalar]*rowCompareText{}, keywords: map[scalar]string{},
		queries: map[*algebra.Subquery]*queryText{}, joins: map[*ast.Join]*joinText{},
		sources: map[ast.TableExpr]*source{},
	}
}

// note remembers the text of the query in an expression.
func (b *binder) note(s *algebra.Subquery, r *result) scalar {
	if b.text != nil {
		b.text.queries[s] = r.text
	}
	return s
}

// queryText is the text of a SELECT that has been bound and not yet grouped.
func (x *selecting) queryText() *queryText {
	q := &queryText{sources: x.all, distinct: x.q.Distinct, targets: x.targets, from: x.q.From, where: x.where,
		having: x.having, limit: x.count, offset: x.offset, ties: x.q.WithTies, locking: x.q.Locking}
	for _, t := range x.group {
		q.group = append(q.group, t.plain)
	}
	for _, t := range x.on {
		q.distinctOn = append(q.distinctOn, t.plain)
	}
	for _, s := range x.sort {
		q.order = append(q.order, orderText{expr: s.t.plain, key: algebra.SortKey{Desc: s.desc, NullsFirst: s.nullsFirst}})
	}
	q.windows = x.specs
	return q
}

// withText adds the WITH clause of a query to its text.
func (s *scope) withText(q *queryText, w *ast.With) {
	if w == nil || q == nil {
		return
	}
	q.recursive = w.Recursive
	for i, c := range s.ctes {
		t := &cteText{name: c.name, columns: w.CTEs[i].Columns, materialized: w.CTEs[i].Materialized}
		if c.inner != nil {
			t.query = c.inner.text
		}
		q.with = append(q.with, t)
	}
}

// setText is the text of a set operation.
func (b *binder) setText(l, r *result, q *ast.Select) *queryText {
	return &queryText{op: setOps[q.SetOp].name, all: q.All, left: l.text, right: r.text}
}

// tailText adds ORDER BY and LIMIT to the text of a set operation or VALUES.
func (s *scope) tailText(r *result, q *ast.Select, keys []algebra.SortKey, count, offset scalar) *queryText {
	t := r.text
	if t == nil {
		return nil
	}
	if len(keys) == 0 && count == nil && offset == nil {
		return t
	}
	for _, k := range keys {
		o := orderText{key: k}
		for i, c := range r.cols {
			if c.id == k.ID {
				o.n = i + 1
			}
		}
		if o.n == 0 {
			s.b.unsupported(-1, "a view with ORDER BY an expression over VALUES")
		}
		t.order = append(t.order, o)
	}
	t.limit, t.offset, t.ties = count, offset, q.WithTies
	return t
}

// aliasedJoin gives a join with an alias columns of its own, since those below cannot be named.
func (b *binder) aliasedJoin(s *scope, src *source) {
	for _, c := range src.cols {
		e := b.use(c, -1)
		id := b.newCol(algebra.Column{Name: c.name, T: typeOf(e.Type(), e.Mod())}, colInfo{scope: s, src: src})
		c.via, c.expr = nil, b.col(id, -1)
	}
}

// viewText binds the query of a view once more to print it.
func viewText(ctx context.Context, o Options, s *ast.Select, columns []string) (query, source string) {
	b := newBinder(ctx, o)
	b.text = newTextEvents()
	r := b.selectStmt(s, nil, nil, true)
	var names []string
	for i, t := range r.text.outputs() {
		names = append(names, t.name)
		if i < len(columns) {
			names[i] = columns[i]
		}
	}
	r.text.nameOutputs(names)
	p := b.printer(nil)
	p.table = func(t *catalog.Table) string { return b.o.Snapshot.QualifiedName(t.OID, nil) }
	p.queryColumns(b)
	p.query(r.text, 0, true)
	v := b.printer(o.SearchPath)
	v.pretty = true
	v.table = func(t *catalog.Table) string { return b.o.Snapshot.QualifiedName(t.OID, o.SearchPath) }
	v.queryColumns(b)
	v.query(r.text, 0, true)
	return strings.TrimSpace(p.String()), v.String() + ";"
}

// nameOutputs names the columns of a query, in every branch of a set operation.
func (q *queryText) nameOutputs(names []string) {
	if q.op != "" {
		q.left.nameOutputs(names)
		q.right.nameOutputs(names)
		return
	}
	for i, t := range q.outputs() {
		t.name = names[i]
	}
}

// conditionText prints the condition of an assertion, to be read under an empty search path.
func (b *binder) conditionText(e scalar) string {
	p := b.printer(nil)
	p.table = func(t *catalog.Table) string { return b.o.Snapshot.QualifiedName(t.OID, nil) }
	p.queryColumns(b)
	p.expr(e, false)
	return strings.TrimSpace(p.String())
}

// outputs are the columns of a query by which its result goes.
func (q *queryText) outputs() []*target {
	for q.left != nil {
		q = q.left
	}
	var out []*target
	for _, t := range q.targets {
		if !t.junk {
			out = append(out, t)
		}
	}
	return out
}

// queryNames are the names of the items of FROM in the queries being printed, each different from those of
// its query and of the queries around it.
type queryNames struct {
	outer *queryNames
	names map[*source]string
}

func (n *queryNames) taken(name string) bool {
	for ; n != nil; n = n.outer {
		for _, x := range n.names {
			if x == name {
				return true
			}
		}
	}
	return false
}

func (n *queryNames) of(src *source) (string, bool) {
	for ; n != nil; n = n.outer {
		if name, ok := n.names[src]; ok {
			return name, true
		}
	}
	return "", false
}

func (p *printer) nameSources(sources []*source) {
	p.names = &queryNames{outer: p.names, names: map[*source]string{}}
	for _, src := range sources {
		if src.join && !src.alias {
			continue
		}
		name := src.name
		for i := 1; p.names.taken(name); i++ {
			name = fmt.Sprintf("%s_%d", src.name, i)
		}
		p.names.names[src] = name
	}
}

// queryColumns has columns printed as name.column, and what stands for an aggregate or window function as that.
func (p *printer) queryColumns(b *binder) {
	p.plain = func(id algebra.ColID) bool {
		k := b.info(id).kind
		return k == fromCol || k == outputCol
	}
	p.bare = func(id algebra.ColID) string {
		if src := b.info(id).src; src != nil {
			return types.QuoteIdentifier(src.columnName(b, id))
		}
		return types.QuoteIdentifier(b.q.Column(id).Name)
	}
	p.column = func(id algebra.ColID) string {
		info := b.info(id)
		inner := *p
		inner.buf = nil
		switch info.kind {
		case aggCol:
			inner.aggregate(info.agg)
			return inner.String()
		case windowCol:
			inner.windowFunc(info.win)
			return inner.String()
		case setCol:
			for _, c := range info.scope.sets {
				if c.item.ID == id {
					inner.expr(c.item.Expr, false)
					return inner.String()
				}
			}
		}
		if info.src != nil {
			if name, ok := p.names.of(info.src); ok {
				return types.QuoteIdentifier(name) + "." + types.QuoteIdentifier(info.src.columnName(b, id))
			}
		}
		return types.QuoteIdentifier(b.q.Column(id).Name)
	}
}

func (src *source) columnName(b *binder, id algebra.ColID) string {
	for _, c := range src.cols {
		if x, ok := c.expr.(*algebra.Col); ok && x.ID == id {
			return c.name
		}
	}
	return b.q.Column(id).Name
}

func (p *printer) aggregate(a *algebra.Agg) {
	p.s(types.QuoteIdentifier(a.Func.Name), "(")
	if a.Distinct {
		p.s("DISTINCT ")
	}
	if a.Star {
		p.s("*")
	}
	p.list(a.Args, true)
	for i, k := range a.OrderBy {
		if i == 0 {
			p.s(" ORDER BY ")
		} else {
			p.s(", ")
		}
		p.orderKey(orderText{expr: a.OrderArgs[i], key: k})
	}
	p.s(")")
	p.filter(a.Filter)
}

func (p *printer) filter(e scalar) {
	if e != nil {
		p.s(" FILTER (WHERE ")
		p.expr(e, false)
		p.s(")")
	}
}

func (p *printer) windowFunc(w *windowCall) {
	p.s(types.QuoteIdentifier(w.call.Func.Name), "(")
	if w.star {
		p.s("*")
	}
	p.list(w.call.Args, true)
	p.s(")")
	p.filter(w.filter)
	p.s(" OVER ")
	if w.spec.name != "" {
		p.s(types.QuoteIdentifier(w.spec.name))
		return
	}
	p.window(w.spec)
}

func (p *printer) window(w *windowSpec) {
	p.s("(")
	space := ""
	for i, e := range w.partition {
		if i == 0 {
			p.s("PARTITION BY ")
		} else {
			p.s(", ")
		}
		p.sortExpr(e)
		space = " "
	}
	for i, e := range w.order {
		if i == 0 {
			p.s(space, "ORDER BY ")
		} else {
			p.s(", ")
		}
		p.orderKey(orderText{expr: e, key: w.keys[i]})
		space = " "
	}
	if w.written {
		f := w.frame
		p.s(space, strings.ToUpper(f.Mode), " BETWEEN ")
		p.bound(f.Start, f.StartOffset)
		p.s(" AND ")
		p.bound(f.End, f.EndOffset)
		if f.Exclude != "" {
			p.s(" EXCLUDE ", strings.ToUpper(f.Exclude))
		}
	}
	p.s(")")
}

func (p *printer) bound(kind string, offset scalar) {
	if offset != nil {
		p.expr(offset, false)
		p.s(" ")
	}
	p.s(strings.ToUpper(kind))
}

// sortExpr prints what is grouped or sorted by so that it is not taken for something else.
func (p *printer) sortExpr(e scalar) {
	switch x := e.(type) {
	case *algebra.Const:
		p.constant(x, true)
		if x.Typ == types.Int4 && !x.Value.IsNull() && x.Value.Int() >= 0 || x.Typ == types.Bool {
			p.s("::", p.typ(x.Typ, x.M))
		}
		return
	case *algebra.Col:
		if !p.isColumn(x.ID) {
			p.s("(")
			p.expr(e, true)
			p.s(")")
			return
		}
		p.expr(e, true)
		return
	}
	k := p.kindOf(e)
	call := k == kindFuncCast
	if c, ok := e.(*algebra.Call); ok && c.Op == "" {
		call = true
	}
	if p.pretty || call {
		p.s("(")
		p.expr(e, true)
		p.s(")")
		return
	}
	p.expr(e, true)
}

func (p *printer) orderKey(o orderText) {
	if o.n > 0 {
		p.s(strconv.Itoa(o.n))
	} else {
		p.sortExpr(o.expr)
	}
	switch {
	case o.key.Desc && !o.key.NullsFirst:
		p.s(" DESC NULLS LAST")
	case o.key.Desc:
		p.s(" DESC")
	case o.key.NullsFirst:
		p.s(" NULLS FIRST")
	}
}

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
