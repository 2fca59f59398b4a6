package bind

import (
	"context"

	"holdfast/sql/catalog"
	"holdfast/sql/errs"
)

// Analysis says what can be written through a view, and through each of its columns. The statements that
// write through views, information_schema and pg_relation_is_updatable all read this one verdict.
type Analysis struct {
	View *catalog.Table
	// Join is set if the view joins several tables, itself or through views under it.
	Join                   bool
	Insert, Update, Delete Verdict
	Columns                []ColumnVerdict // of the view, by position
}

// Verdict is whether something can be done. Reason is a full sentence, for the DETAIL of an error, if not.
type Verdict struct {
	OK     bool
	Reason string
}

// ColumnVerdict says what a column of a view writes.
type ColumnVerdict struct {
	Name string
	// Base is the table and column written; a nil Table if the column is not one of a table.
	Base           *catalog.Table
	Number         int16
	Insert, Update Verdict
}

// AnalyzeView tells what can be written through a view.
func AnalyzeView(ctx context.Context, o Options, view *catalog.Table) (*Analysis, error) {
	return nil, errs.Unsupported("this view")
}
