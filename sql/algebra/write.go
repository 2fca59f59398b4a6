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
		Returning  []Item
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
		Returning []Item
	}
	// UpdateTarget is one table that Update changes.
	UpdateTarget struct {
		Table *catalog.Table
		Key   ColID
		Old   []ScanColumn
		Set   []Assignment
		New   []ScanColumn // ColIDs of the new row in Returning and Checks
	}
	// Delete removes rows, of one table or, through a join view, of several.
	Delete struct {
		Source    Rel
		Targets   []*DeleteTarget
		View      *catalog.Table
		Returning []Item
	}
	// DeleteTarget is one table that Delete removes from.
	DeleteTarget struct {
		Table *catalog.Table
		Key   ColID
		Old   []ScanColumn
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
	}
	// ViewCheck is a condition over the new row that must be true: a view's WITH CHECK OPTION (44000), or what
	// else must hold for a row to be in the view. Err is the error if it is not 44000.
	ViewCheck struct {
		View *catalog.Table
		Cond Scalar
		Err  *errs.Error
	}
)

func (r *Insert) Columns() []ColID { return itemColumns(nil, r.Returning) }
func (r *Update) Columns() []ColID { return itemColumns(nil, r.Returning) }
func (r *Delete) Columns() []ColID { return itemColumns(nil, r.Returning) }
