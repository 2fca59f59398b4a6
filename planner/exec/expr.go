package exec

import (
	"holdfast/sql/algebra"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// Expr is a scalar expression compiled for batches of one layout. It keeps its vectors: results are valid until the
// next call, and one goroutine may use it at a time.
type Expr struct {
	typ *types.Type
}

// Expr compiles an expression over batches with a layout (nil: no columns). Columns that are not in it are outer columns.
func (b *Builder) Expr(s algebra.Scalar, l *Layout) (*Expr, error) {
	return nil, errs.Unsupported("this expression")
}

// Eval computes the expression for the rows of a batch, at the same positions. The result may be a Const vector, or a column
// of the batch itself.
func (e *Expr) Eval(ctx *Ctx, b *types.Batch) (*types.Vec, error) {
	return nil, errs.Unsupported("this expression")
}

// Filter returns the rows of a batch for which the expression is true, in order.
func (e *Expr) Filter(ctx *Ctx, b *types.Batch) (types.Rows, error) {
	return types.Rows{}, errs.Unsupported("this expression")
}

// Value computes an expression that uses no columns of an input.
func (e *Expr) Value(ctx *Ctx) (types.Datum, error) {
	return types.Null, errs.Unsupported("this expression")
}

// Evaluate compiles and computes an expression without columns, for constant folding and utility statements.
func Evaluate(ctx *Ctx, s algebra.Scalar) (types.Datum, error) {
	e, err := NewBuilder().Expr(s, nil)
	if err != nil {
		return types.Null, err
	}
	return e.Value(ctx)
}
