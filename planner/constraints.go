package planner

import (
	"context"

	"holdfast/sql/ast"
	"holdfast/sql/errs"
)

// setConstraints is SET CONSTRAINTS.
func (s *Session) setConstraints(ctx context.Context, st *ast.SetConstraints) error {
	return errs.Unsupported("SET CONSTRAINTS")
}
