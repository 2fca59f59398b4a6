package bind

import (
	"context"

	"holdfast/sql/algebra"
	"holdfast/sql/ast"
)

// textEvents is what printing a query needs to know beyond its tree.
type textEvents struct {
	caseArgs    map[*algebra.Case]scalar
	rowCompares map[scalar]*rowCompareText
	keywords    map[scalar]string
	queries     map[*algebra.Subquery]*queryText
	joins       map[*ast.Join]*joinText
	calls       map[ast.Expr]scalar
}

type rowCompareText struct {
	op          string
	left, right []scalar
}

type joinText struct {
	on      scalar
	using   []string
	sources []*source
}

type queryText struct {
	values *algebra.Values
}

func newTextEvents() *textEvents {
	return &textEvents{
		caseArgs: map[*algebra.Case]scalar{}, rowCompares: map[scalar]*rowCompareText{}, keywords: map[scalar]string{},
		queries: map[*algebra.Subquery]*queryText{}, joins: map[*ast.Join]*joinText{}, calls: map[ast.Expr]scalar{},
	}
}

// note remembers the text of the query in an expression.
func (b *binder) note(s *algebra.Subquery, r *result) scalar {
	if b.text != nil {
		b.text.queries[s] = r.text
	}
	return s
}

func (b *binder) exprText(e scalar, names func(algebra.ColID) string) string { return "" }
func (b *binder) columnText(id algebra.ColID) string                         { return "" }
func (b *binder) aliasedJoin(s *scope, src *source)                          {}
func (x *selecting) queryText() *queryText                                   { return nil }
func (b *binder) setText(l, r *result, q *ast.Select) *queryText             { return nil }
func (s *scope) tailText(r *result, q *ast.Select, keys []algebra.SortKey, count, offset scalar) *queryText {
	return nil
}
func viewText(ctx context.Context, o Options, s *ast.Select, columns []string) (string, string) {
	return "", ""
}

// ExprText prints an expression as PostgreSQL's pg_get_expr does. names gives the text of a column.
func ExprText(e algebra.Scalar, names func(algebra.ColID) string) string { return "" }
