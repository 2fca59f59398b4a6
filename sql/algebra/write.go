package algebra

import (
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
)

// The operators that change rows. Each reads its whole Source before it changes anything, so that a
// statement never meets its own changes, and produces the columns of Returning.
//
// A row to be changed is known by its old image and its key: the Source produces every live column of the
// table, and the key (catalog.RowKeyNumber), under the ColIDs of Old and Key.
type (
	// Insert inserts the rows of Source into Table. Values has one expression per live column of the table,
	// over columns of Source: what was given, defaults, generated values. New are the ColIDs that the
	// inserted (or, after ON CONFLICT DO UPDATE, updated) row has in Returning, by live column.
	Insert struct {
		Table      *catalog.Table
		Source     Rel
		Values     []Assignment
		New        []ScanColumn
		OnConflict *OnConflict
		Checks     []ViewCheck
		// Part is not 0 for the INSERTs into several tables that are together one INSERT through a join view whose outcome is verified:
		// it is the same for all of them, and no other INSERT of the query has it. The one that inserts the rows by which rows of the
		// view are told apart has Verify.
		Part      int
		Verify    *ViewVerify // nil: nothing can go wrong, or another part verifies
		Returning []Item
	}
	// Update changes rows. One Source row may change a row of each of several tables (a join view).
	Update struct {
		Source  Rel
		Targets []*UpdateTarget
		Checks  []ViewCheck
		// View names the join view written through; the affected count is then of its rows, and two Source
		// rows that change one base row differently are an error (21000). For a plain table the first
		// Source row of a table row counts, as in PostgreSQL.
		View      *catalog.Table
		Rows      []ColID     // columns that tell rows of View apart, where Source may show one several times; nil: all are different
		Verify    *ViewVerify // nil: nothing can go wrong
		Returning []Item
	}
	// UpdateTarget is one table that Update changes.
	UpdateTarget struct {
		Table *catalog.Table
		Key   ColID
		Old   []ScanColumn
		Set   []Assignment
		New   []ScanColumn // ColIDs of the new row in Returning and Checks
		// Optional: an outer join may leave out the row; its key is then NULL. If MakeIf is true, a row is made of Make, which has
		// one expression per live column; if Make is nil, that is an error.
		// Joined are the columns by which joins look for the row: a row with NULL in one of them would not be found.
		// Found, if it is not nil, is true if the row is there already, which Make then is; so nothing is made. Rows to be made that
		// have the same values in Unique are one, which must have the same values in Given; nil: the primary key, and all columns.
		Optional bool
		MakeIf   Scalar
		Make     []Assignment
		Joined   []int16
		Found    Scalar
		Unique   []int16
		Given    []int16
	}
	// ViewVerify tells how to see whether a write through a join view has the effect that was meant: that the view shows the rows
	// written as they were given, and its other rows as they were.
	ViewVerify struct {
		View *catalog.Table
		// Bases are the tables (by position in the flattened view) whose rows tell rows of the view apart, Identity the keys of
		// these rows in Source. An INSERT has no Identity: the rows are those that it inserts.
		Bases    []int
		Tables   []*catalog.Table // of Bases
		Identity []ColID
		// Meant are the columns of the view as they should be, over Source and new rows; nil for one that follows from others. All is
		// nil for a DELETE.
		Meant []Scalar
		// Roles are places of changed tables in the view by which their rows may show in other rows of it.
		Roles []ViewRole
	}
	// ViewRole is a place of a table in a flattened view.
	ViewRole struct {
		Base  int
		Table *catalog.Table
		Alias string
		// Target is the position of the UpdateTarget that may make rows here, which the rows of the view that were written must show
		// afterwards; -1 if there is none.
		Target int
		// Stays: a row of the view that was written and showed a changed row here must still be in the view. So it is where the change
		// may have been made through another place of the table: conditions on new rows were not tested with it.
		Stays bool
	}
	// Delete removes rows, of one table or, through a join view, of several.
	Delete struct {
		Source    Rel
		Targets   []*DeleteTarget
		View      *catalog.Table
		Rows      []ColID
		Verify    *ViewVerify // nil: nothing can go wrong
		Returning []Item
	}
	// DeleteTarget is one table that Delete removes from.
	DeleteTarget struct {
		Table *catalog.Table
		Key   ColID
		Old   []ScanColumn
		// Required: a row of View in which an outer join has left out the table is an error, since it would stay.
		Required bool
	}
	// Assignment gives a column its new value.
	Assignment struct {
		Number int16
		Value  Scalar
	}
	// OnConflict is ON CONFLICT. Arbiters are unique indexes; none: any.
	OnConflict struct {
		Arbiters []*catalog.Index
		DoUpdate bool
		// The existing row, under Old and Key, and the proposed one, under Excluded, are what Set and Where
		// refer to.
		Key      ColID
		Old      []ScanColumn
		Excluded []ScanColumn
		Set      []Assignment
		Where    Scalar
		// Checks are those of updated rows, which are under the ColIDs of New.
		Checks []ViewCheck
		// Once: a row must not meet one that the statement itself has inserted (21000), not even to do nothing.
		Once bool
	}
	// ViewCheck is a condition over the new row that must be true: a view's WITH CHECK OPTION (44000), or what
	// else must hold for a row to be in the view. Err is the error if it is not 44000.
	ViewCheck struct {
		View *catalog.Table
		Cond Scalar
		Err  *errs.Error
		// Detail is the DETAIL of Err, as for fmt.Sprintf, of which Args are the arguments. Checks of one statement may share them.
		Detail string
		Args   []Scalar
	}
)

func (r *Insert) Columns() []ColID { return itemColumns(nil, r.Returning) }
func (r *Update) Columns() []ColID { return itemColumns(nil, r.Returning) }
func (r *Delete) Columns() []ColID { return itemColumns(nil, r.Returning) }
