package algebra

import (
	"holdfast/sql/catalog"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// Rel is a relational operator. Its rows form a bag; Sort fixes an order until the next operator but Limit,
// Project, Filter and LockRows.
type Rel interface {
	// Columns are the columns produced, in order.
	Columns() []ColID
}

// Column describes a ColID.
type Column struct {
	Name string
	T
	Table  catalog.OID // base table and attribute it comes from unchanged, 0 if none
	Number int16
}

// Query is a bound statement with its columns. Columns[id-1] describes ColID id.
type Query struct {
	Root Rel
	// Columns describes every ColID.
	Columns []Column
	// CTEs are the WITH queries that are kept apart, referred to by CTEScan. Each is evaluated at most once;
	// data-modifying ones always, to the end.
	CTEs []*CTE
	// Output are the result columns, nil if the statement returns no rows.
	Output []OutputColumn
	// Params are the types of the parameters.
	Params []*types.Type
	// Tables are the relations the query depends on, views included.
	Tables []*catalog.Table
	// Volatile, Writes: it calls a volatile function (other than sequence functions), it changes rows.
	Volatile, Writes bool
}

// OutputColumn is a column of the result. Table and Number are the table or view, and its attribute, that it
// comes from unchanged, as RowDescription tells; 0 if none. (Column.Table is never a view.)
type OutputColumn struct {
	ID     ColID
	Name   string
	Table  catalog.OID
	Number int16
}

// NewColumn adds a column and returns its ID.
func (q *Query) NewColumn(c Column) ColID {
	q.Columns = append(q.Columns, c)
	return ColID(len(q.Columns))
}

// Column describes id.
func (q *Query) Column(id ColID) *Column { return &q.Columns[id-1] }

// CTE is a WITH query. Its columns are those of Rel.
type CTE struct {
	Name string
	Rel  Rel
	// Recursive: Rel is a Recurse whose Step refers to this CTE by a CTEScan with Working set.
	Recursive bool
}

type (
	// Scan reads a table. Columns of the catalog are named by attribute number; system columns too
	// (catalog.RowKeyNumber). Only columns that are needed should be there after pruning.
	Scan struct {
		Table *catalog.Table
		Alias string // name in the query, for EXPLAIN and locks
		Cols  []ScanColumn
		// Transition makes it read not the table but the rows that the running statement has changed: see
		// TransitionKind. It is how rules see a change.
		Transition TransitionKind
		// Those of a scan of a change that cannot matter to a rule are left out: rows that were updated without one of
		// these differences, and rows inserted or deleted that do not fulfil a condition over Cols. nil leaves out none.
		Differs           []Difference
		Inserted, Deleted Scalar
	}
	// ScanColumn gives a ColID to an attribute.
	ScanColumn struct {
		ID     ColID
		Number int16
	}
	// Values is a list of rows. Rows may hold expressions over outer columns and parameters.
	Values struct {
		Cols []ColID
		Rows [][]Scalar
	}
	// Filter keeps rows for which Cond is true.
	Filter struct {
		Input Rel
		Cond  Scalar
	}
	// Project computes Items. A bare *Col item with the same ID passes a column on.
	Project struct {
		Input Rel
		Items []Item
	}
	// Item is an expression and the column it makes.
	Item struct {
		ID   ColID
		Expr Scalar
	}
	// Join joins two inputs. With Lateral, Right may refer to columns of Left and is evaluated per left row
	// (Inner, Left, Semi and Anti only). Semi and Anti produce the columns of Left alone.
	// AntiNull is NOT IN: a NULL comparison also removes the row.
	Join struct {
		Kind        JoinKind
		Left, Right Rel
		On          Scalar // nil: true
		Lateral     bool
	}
	// Aggregate groups by Keys (columns of Input) and computes Aggs. Without Keys it makes exactly one row,
	// unless GroupingSets says otherwise.
	Aggregate struct {
		Input Rel
		Keys  []ColID
		Aggs  []Agg
	}
	// Agg is an aggregate call over expressions of the input.
	Agg struct {
		ID        ColID
		Func      *funcs.Func
		Args      []Scalar
		Star      bool
		Distinct  bool
		OrderBy   []SortKey // over expressions in Args or others
		OrderArgs []Scalar  // expressions the OrderBy columns stand for: OrderBy[i] sorts by OrderArgs[i]
		Filter    Scalar
		T
	}
	// Distinct keeps one row of each set of rows with equal On columns: all columns if On is nil. Under
	// DISTINCT ON the input is sorted by On first and the first row counts.
	DistinctRows struct {
		Input Rel
		On    []ColID
	}
	// Sort orders rows.
	Sort struct {
		Input Rel
		Keys  []SortKey
	}
	// SortKey is a column to sort by.
	SortKey struct {
		ID         ColID
		Desc       bool
		NullsFirst bool
	}
	// Limit passes rows Offset .. Offset+Count. Expressions hold no columns of the input. nil: none.
	Limit struct {
		Input         Rel
		Count, Offset Scalar
		WithTies      bool // the input is a Sort
	}
	// SetOp combines two inputs of the same types by position into Cols.
	SetOp struct {
		Kind        SetOpKind
		All         bool
		Left, Right Rel
		Cols        []ColID
	}
	// CTEScan reads a CTE: Cols[i] is column i of its result. Working: the rows of the last step of the
	// recursion it stands in.
	CTEScan struct {
		CTE     *CTE
		Alias   string
		Cols    []ColID
		Working bool
	}
	// Recurse is WITH RECURSIVE: Base, then Step over the rows of the last step until none come.
	Recurse struct {
		Base, Step Rel
		All        bool
		Cols       []ColID
	}
	// FuncScan is functions in FROM, rows side by side, shorter ones padded with NULL. Arguments may refer to
	// outer columns.
	FuncScan struct {
		Calls      []*FuncCall
		Ordinality ColID // 0: none
		Alias      string
	}
	// FuncCall is a call in FROM; Cols are its result columns. A scalar function gives one row.
	FuncCall struct {
		Call Scalar // *Call of a set-returning function, or any scalar
		Cols []ColID
	}
	// ProjectSet is set-returning functions in the select list: per input row, as many rows as the longest
	// of them. Input columns are passed on.
	ProjectSet struct {
		Input Rel
		Items []Item // Expr is a *Call of a set-returning function
	}
	// Window computes window functions over partitions; input columns are passed on.
	Window struct {
		Input     Rel
		Partition []ColID
		OrderBy   []SortKey
		Funcs     []WindowFunc
	}
	// WindowFunc is one window function or aggregate used as one.
	WindowFunc struct {
		ID     ColID
		Func   *funcs.Func
		Args   []Scalar
		Filter Scalar
		Frame  Frame
		T
	}
	// Frame is a window frame, as written or default.
	Frame struct {
		Mode                   string
		Start, End             string
		StartOffset, EndOffset Scalar
		Exclude                string
	}
	// External is rows that come from outside, such as those of COPY FROM: Next returns batches with Cols,
	// nil at the end. A query with it runs once.
	External struct {
		Cols []ColID
		Next func() (*types.Batch, error)
	}
	// Accumulated looks up accumulators for each row of its input, and computes Items for the rows for which Cond is true over both. What it
	// finds so, the rows of a violation query, is not all that counts: a row for which Cond is not true leaves it to the commit to find
	// that so with the values of the accumulators that there are then. Cond and Items are immutable and have no queries.
	Accumulated struct {
		Input  Rel
		Groups []AccumulatedGroup
		Cond   Scalar
		Items  []Item
	}
	// AccumulatedGroup is the accumulator of one group of rows of a table.
	AccumulatedGroup struct {
		Table   *catalog.Table
		Storage catalog.StorageID
		Keys    []AccumulatedKey
		Cols    []AccumulatedCol
	}
	// AccumulatedKey is a part of a group's key, over the input. NULL is a group of its own with Null, and otherwise none: its value is that
	// of no rows.
	AccumulatedKey struct {
		Expr Scalar
		Null bool
	}
	// AccumulatedCol is a column made of an accumulator: Func is "rows", or "count", "sum" or "avg" of an argument.
	AccumulatedCol struct {
		ID   ColID
		Func string
		Arg  int // which of the accumulator's
		T
	}
	// LockRows locks the rows of base tables that its input shows: SELECT FOR UPDATE.
	LockRows struct {
		Input Rel
		Locks []RowLock
	}
	// RowLock names the column with the row keys of one table, and how to lock them.
	RowLock struct {
		Table              *catalog.Table
		Key                ColID
		Strength           string // as ast.Locking
		NoWait, SkipLocked bool
	}
)

// Difference is one of a column between the images of an updated row.
type Difference struct {
	Number int16
	Moves  Move // 0: of any kind
}

// Move says in which ways the value of a column may have moved by an update; it is a set.
type Move uint8

const (
	Grows Move = 1 << iota
	Shrinks
	Appears  // from NULL
	Vanishes // to NULL
)

// TransitionKind says which rows a Scan of a change reads.
type TransitionKind uint8

const (
	NoTransition TransitionKind = iota
	// NewRows are the rows inserted, and the new images of those updated.
	NewRows
	// OldRows are the rows deleted, and the old images of those updated.
	OldRows
	// EitherRows are both.
	EitherRows
)

// JoinKind is the kind of a Join.
type JoinKind uint8

const (
	InnerJoin JoinKind = iota
	LeftJoin
	FullJoin // right joins are turned around
	SemiJoin
	AntiJoin
	// AntiNullJoin is NOT IN: a left row passes if the condition is false for every right row.
	AntiNullJoin
)

// SetOpKind is the kind of a SetOp.
type SetOpKind uint8

const (
	Union SetOpKind = iota
	Intersect
	Except
)

func (r *Scan) Columns() []ColID {
	ids := make([]ColID, len(r.Cols))
	for i, c := range r.Cols {
		ids[i] = c.ID
	}
	return ids
}
func (r *Values) Columns() []ColID { return r.Cols }
func (r *Filter) Columns() []ColID { return r.Input.Columns() }
func (r *Project) Columns() []ColID {
	return itemColumns(nil, r.Items)
}
func (r *Join) Columns() []ColID {
	left := r.Left.Columns()
	if r.Kind >= SemiJoin {
		return left
	}
	return append(left[:len(left):len(left)], r.Right.Columns()...)
}
func (r *Aggregate) Columns() []ColID {
	ids := append([]ColID(nil), r.Keys...)
	for _, a := range r.Aggs {
		ids = append(ids, a.ID)
	}
	return ids
}
func (r *DistinctRows) Columns() []ColID { return r.Input.Columns() }
func (r *Sort) Columns() []ColID         { return r.Input.Columns() }
func (r *Limit) Columns() []ColID        { return r.Input.Columns() }
func (r *SetOp) Columns() []ColID        { return r.Cols }
func (r *CTEScan) Columns() []ColID      { return r.Cols }
func (r *Recurse) Columns() []ColID      { return r.Cols }
func (r *FuncScan) Columns() []ColID {
	var ids []ColID
	for _, c := range r.Calls {
		ids = append(ids, c.Cols...)
	}
	if r.Ordinality != 0 {
		ids = append(ids, r.Ordinality)
	}
	return ids
}
func (r *ProjectSet) Columns() []ColID {
	in := r.Input.Columns()
	return itemColumns(in[:len(in):len(in)], r.Items)
}
func (r *Window) Columns() []ColID {
	in := r.Input.Columns()
	ids := in[:len(in):len(in)]
	for _, f := range r.Funcs {
		ids = append(ids, f.ID)
	}
	return ids
}
func (r *External) Columns() []ColID    { return r.Cols }
func (r *Accumulated) Columns() []ColID { return itemColumns(nil, r.Items) }
func (r *LockRows) Columns() []ColID    { return r.Input.Columns() }

func itemColumns(ids []ColID, items []Item) []ColID {
	for _, it := range items {
		ids = append(ids, it.ID)
	}
	return ids
}
