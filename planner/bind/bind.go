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
}

// Condition is a bound boolean expression without a table of its own: that of an assertion.
type Condition struct {
	Expr algebra.Scalar
	// Query describes the columns in it, and holds its CTEs and the relations it depends on. It has no Root.
	Query *algebra.Query
}

// Bind gives a query or data-modifying statement its meaning: Select, Insert, Update or Delete. Other
// statements that hold a query (EXPLAIN, DECLARE, PREPARE, COPY (query), CREATE VIEW, CREATE TABLE AS) are
// bound by binding that.
func Bind(ctx context.Context, o Options, s ast.Stmt) (*algebra.Query, error) {
	return nil, errs.Unsupported("this statement")
}

// BindExpr binds an expression over the row of one table; table is nil for an expression over nothing. want
// is the type it is assigned to, with its modifier, or nil for any type. name is the column assigned to,
// for errors.
func BindExpr(ctx context.Context, o Options, table *catalog.Table, e ast.Expr, kind ExprKind, want *types.Type, mod int32, name string) (*TableExpr, error) {
	return nil, errs.Unsupported("this expression")
}

// BindCondition binds the condition of an assertion.
func BindCondition(ctx context.Context, o Options, e ast.Expr) (*Condition, error) {
	return nil, errs.Unsupported("this condition")
}

// BindArgs binds expressions that are given where only values can be, such as the arguments of EXECUTE, and
// coerces them to the types wanted (nil: their own). what names the place for errors: "EXECUTE parameter".
func BindArgs(ctx context.Context, o Options, args []ast.Expr, want []*types.Type, what string) ([]algebra.Scalar, error) {
	return nil, errs.Unsupported("%s", what)
}

// ResolveType finds the type that a type name means, and its modifier.
func ResolveType(o Options, t *ast.TypeName) (*types.Type, int32, error) {
	return nil, 0, errs.Unsupported("this type")
}

// ResolveRelation finds the relation that a name means. If there is none it is 42P01, nil if missing is allowed.
func ResolveRelation(o Options, name *ast.TableName, missingOK bool) (*catalog.Table, error) {
	return nil, errs.Unsupported("this relation")
}

// ExprText prints an expression as PostgreSQL's pg_get_expr does. names gives the text of a column.
func ExprText(e algebra.Scalar, names func(algebra.ColID) string) string { return "" }

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
func BindView(ctx context.Context, o Options, s *ast.Select, columns []string) (*algebra.Query, *ViewText, error) {
	return nil, nil, errs.Unsupported("this view")
}
