// Package ddl runs the statements that change the schema. All of them are transactional: they write the
// catalog through the transaction they run in, and so does what they do to rows.
package ddl

import (
	"context"

	"holdfast/kv"
	"holdfast/sql/ast"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// Env is what a DDL statement runs in.
type Env struct {
	funcs.Ctx
	Store      kv.Store
	Catalog    *catalog.Catalog
	Txn        kv.Txn
	Snapshot   *catalog.Snapshot // the schema; Execute replaces it with the changed one
	SearchPath []string
	Text       string // of the statement
	User       string
	InBlock    bool // in a transaction block
	Notice     func(*errs.Error)
	// AfterCommit registers what is to be done once the transaction is durable, such as discarding the rows
	// of a dropped table.
	AfterCommit func(func())
	// Run plans and runs a query or data change in the same transaction, under Snapshot, and returns the
	// number of rows changed. rows gets what it returns.
	Run func(ctx context.Context, env *Env, stmt ast.Stmt, text string, rows func(*types.Batch) error) (int64, error)
}

// Verb is the command tag of a statement, as far as it is fixed: "CREATE TABLE".
func Verb(stmt ast.Stmt) string { return "" }

// Execute runs a statement and returns its command tag.
func Execute(ctx context.Context, env *Env, stmt ast.Stmt) (string, error) {
	return "", errs.Unsupported("this statement")
}
