package bind

import "holdfast/sql/ast"

// writeStmt binds a statement that changes rows.
func (b *binder) writeStmt(s ast.Stmt, parent *scope) *result {
	b.unsupported(-1, "this statement")
	return nil
}
