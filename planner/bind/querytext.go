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
	nodes      []*groupNode // GROUP BY with grouping sets
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
	q.nodes = x.nodes
	for _, t := range x.group {
		if x.nodes != nil {
			break
		}
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
		own := src.name
		if own == "" { // a query in FROM may go without a name
			own = "unnamed_subquery"
		}
		name := own
		for i := 1; p.names.taken(name); i++ {
			name = fmt.Sprintf("%s_%d", own, i)
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
		case groupingCol:
			inner.s("GROUPING(")
			inner.list(info.grouping.args, true)
			inner.s(")")
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
	switch a.Func.Name {
	case "percentile_cont", "percentile_disc", "mode":
		p.s(types.QuoteIdentifier(a.Func.Name), "(")
		p.list(a.Args[:len(a.Args)-len(a.OrderArgs)], true)
		p.s(") WITHIN GROUP (ORDER BY ")
		for i, k := range a.OrderBy {
			if i > 0 {
				p.s(", ")
			}
			p.orderKey(orderText{expr: a.OrderArgs[i], key: k})
		}
		p.s(")")
		p.filter(a.Filter)
		return
	}
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
