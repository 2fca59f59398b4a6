// Package bind gives a syntax tree its meaning: it resolves names against the catalog, types every
// expression by PostgreSQL's rules, makes conversions explicit, expands views, and yields a query of the
// algebra. Errors carry PostgreSQL's SQLSTATE, words and position.
//
// A statement is bound in one walk over its tree. A query level is a scope: the columns its FROM clause
// shows, and the aggregates, window functions and set-returning functions collected while its expressions
// are bound. Expressions are first bound over the columns of FROM; once a level is known to be grouped, its
// expressions are rewritten over the columns of the Aggregate, which is where an ungrouped column is found.
// That way GROUP BY can compare bound expressions, and the text of a view can be printed from them.
package bind

import (
	"context"

	"holdfast/sql/algebra"
	"holdfast/sql/ast"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// Options are what the meaning of a statement depends on besides its tree.
type Options struct {
	// Snapshot is the schema.
	Snapshot *catalog.Snapshot
	// SearchPath are the names of the schemas to search, in order. pg_catalog is searched first if it is not
	// among them. Names of schemas that do not exist are skipped.
	SearchPath []string
	// ParamTypes are the declared types of the parameters; nil or Unknown where the type is to be inferred.
	ParamTypes []*types.Type
	// FixedParams forbids parameters beyond ParamTypes (42P02): the statement takes none, or EXECUTE's.
	FixedParams bool
	// Lifted marks parameters that stand for literals lifted out of the text (parse.Cache): numbers come with
	// their type in ParamTypes, strings as Unknown, which then follow the rules of unknown literals.
	Lifted []bool
	// Ctx is where constants are folded, and texts of literals are read. nil: no folding, default settings.
	Ctx *funcs.Ctx
	// Text is the statement's text, for positions in characters; "" gives no positions.
	Text string
	// Print asks for the text of an expression, in TableExpr and Condition, and for nothing to be folded, so
	// that the text says what was written.
	Print bool
}

// ExprKind is what an expression over one table is for. It decides what may be in it and how errors name it.
type ExprKind uint8

const (
	CheckExpr ExprKind = iota
	DefaultExpr
	GeneratedExpr
	IndexExpr
	IndexPredicate
	AlterTypeUsing
	CopyWhere
	PolicyExpr
)

// TableExpr is a bound expression over the row of one table. Column n of the table has ColID n in it, and
// tableoid, if it is used, len(table.Columns)+1.
type TableExpr struct {
	Expr algebra.Scalar
	// Columns are the attribute numbers used, ascending.
	Columns []int16
	// Query holds the descriptions of the columns.
	Query *algebra.Query
	// Text is the expression as pg_get_expr prints it: to be stored, and read under an empty search path.
	Text string
	// TextAs is Text with other names for the columns. Both are there if Options.Print is set.
	TextAs func(names func(algebra.ColID) string) string
}

// Condition is a bound boolean expression without a table of its own: that of an assertion.
type Condition struct {
	Expr algebra.Scalar
	// Query describes the columns in it, and holds its CTEs and the relations it depends on. It has no Root.
	Query *algebra.Query
	// Text is the condition fully qualified: to be stored, and read under an empty search path.
	Text string
	// DependsOn are the columns read directly: relation OID to attribute numbers.
	DependsOn map[catalog.OID][]int16
}

// Bind gives a query or data-modifying statement its meaning: Select, Insert, Update or Delete. Other
// statements that hold a query (EXPLAIN, DECLARE, PREPARE, COPY (query), CREATE VIEW, CREATE TABLE AS) are
// bound by binding that.
func Bind(ctx context.Context, o Options, s ast.Stmt) (q *algebra.Query, err error) {
	defer catch(&err)
	b := newBinder(ctx, o)
	b.statement(s)
	return b.q, nil
}

func (b *binder) statement(s ast.Stmt) {
	var r *result
	if q, ok := s.(*ast.Select); ok {
		r = b.selectStmt(q, nil, nil, true)
	} else {
		r = b.writeStmt(s, nil)
	}
	b.q.Root = r.rel
	for _, c := range r.cols {
		b.q.Output = append(b.q.Output, algebra.OutputColumn{ID: c.id, Name: c.name, Table: c.originTable, Number: c.originNumber})
	}
	if b.q.Output == nil && !b.q.Writes {
		b.q.Output = []algebra.OutputColumn{}
	}
	b.finish()
}

// BindExpr binds an expression over the row of one table; table is nil for an expression over nothing. want
// is the type it is assigned to, with its modifier, or nil for any type. name is the column assigned to,
// for errors.
func BindExpr(ctx context.Context, o Options, table *catalog.Table, e ast.Expr, kind ExprKind, want *types.Type, mod int32, name string) (x *TableExpr, err error) {
	defer catch(&err)
	o.FixedParams, o.ParamTypes = true, nil
	b := newBinder(ctx, o)
	if o.Print {
		b.text = newTextEvents()
	}
	s := b.newScope(nil)
	if table != nil {
		s.rowOf(table)
	}
	s.clause = exprClauses[kind]
	v := s.expr(e)
	switch {
	case kind == CheckExpr || kind == IndexPredicate || kind == CopyWhere || kind == PolicyExpr:
		v = s.toBool(v, e, s.clause.String())
	case want != nil:
		v = b.assign(v, want, mod, name, loc(e), kind == DefaultExpr)
	default:
		v = b.known(v)
	}
	s.checkExprKind(kind, v, table)
	x = &TableExpr{Expr: v, Columns: usedColumns(v, table), Query: b.q}
	if o.Print {
		x.TextAs = func(names func(algebra.ColID) string) string { return b.exprText(v, names) }
		x.Text = x.TextAs(func(id algebra.ColID) string { return types.QuoteIdentifier(b.q.Column(id).Name) })
	}
	b.finish()
	return x, nil
}

// BindCondition binds the condition of an assertion.
func BindCondition(ctx context.Context, o Options, e ast.Expr) (c *Condition, err error) {
	defer catch(&err)
	o.FixedParams, o.ParamTypes = true, nil
	b := newBinder(ctx, o)
	if o.Print {
		b.text = newTextEvents()
	}
	s := b.newScope(nil)
	v := s.condition(inAssertion, e)
	c = &Condition{Expr: v, Query: b.q, DependsOn: b.dependencies()}
	if o.Print {
		c.Text = b.conditionText(v)
	}
	// The condition stands in for the root while WITH queries are put in their places.
	b.q.Root = &algebra.Filter{Input: &algebra.Values{Rows: [][]scalar{{}}}, Cond: v}
	b.finish()
	c.Expr = b.q.Root.(*algebra.Filter).Cond
	b.q.Root = nil
	return c, nil
}

// BindArgs binds expressions that are given where only values can be, such as the arguments of EXECUTE, and
// coerces them to the types wanted (nil: their own). what names the place for errors: "EXECUTE parameter".
func BindArgs(ctx context.Context, o Options, args []ast.Expr, want []*types.Type, what string) (out []algebra.Scalar, err error) {
	defer catch(&err)
	b := newBinder(ctx, o)
	s := b.newScope(nil)
	s.clause = inExecute
	for i, e := range args {
		v := s.expr(e)
		if i >= len(want) || want[i] == nil {
			out = append(out, b.known(v))
			continue
		}
		x, ok := b.convert(v, want[i], types.NoTypmod, funcs.CastAssignment, loc(e))
		if !ok {
			b.bail(loc(e), errs.New(errs.DatatypeMismatch, "parameter $%d of type %s cannot be coerced to the expected type %s", i+1, v.Type(), want[i]).
				WithHint("You will need to rewrite or cast the expression."))
		}
		out = append(out, x)
	}
	b.finish()
	return out, nil
}

// ResolveType finds the type that a type name means, and its modifier.
func ResolveType(o Options, n *ast.TypeName) (t *types.Type, mod int32, err error) {
	defer catch(&err)
	t, mod = newBinder(context.Background(), o).typeName(n)
	return t, mod, nil
}

// ResolveRelation finds the relation that a name means. If there is none it is 42P01, nil if missing is allowed.
func ResolveRelation(o Options, name *ast.TableName, missingOK bool) (t *catalog.Table, err error) {
	defer catch(&err)
	b := newBinder(context.Background(), o)
	if missingOK {
		t, err := o.Snapshot.Lookup(o.SearchPath, name.Schema, name.Name)
		if code := errs.CodeOf(err); code == errs.UndefinedTable || code == errs.InvalidSchemaName {
			return nil, nil
		}
		return t, err
	}
	return b.table(name), nil
}

// ViewText is the text of a view's query.
type ViewText struct {
	// Query means the same under any search_path.
	Query string
	// Source is the pretty form of pg_get_viewdef, in which relations visible in the search path are not qualified.
	Source string
	// DependsOn are the columns read directly: relation OID to attribute numbers.
	DependsOn map[catalog.OID][]int16
}

// BindView binds the query of a view, and gives the text to store for it. columns are the names given after
// the view's name.
func BindView(ctx context.Context, o Options, s *ast.Select, columns []string) (q *algebra.Query, v *ViewText, err error) {
	defer catch(&err)
	o.FixedParams, o.ParamTypes = true, nil
	b := newBinder(ctx, o)
	b.statement(s)
	if b.q.Writes {
		b.fail(-1, errs.FeatureNotSupported, "views must not contain data-modifying statements in WITH")
	}
	if len(columns) > len(b.q.Output) {
		b.fail(-1, errs.SyntaxError, "CREATE VIEW specifies more column names than columns")
	}
	for i, name := range columns {
		b.q.Output[i].Name = name
	}
	v = &ViewText{DependsOn: b.dependencies()}
	v.Query, v.Source = viewText(ctx, o, s, columns)
	return b.q, v, nil
}
