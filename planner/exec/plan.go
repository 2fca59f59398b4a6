package exec

import (
	"holdfast/kv"
	"holdfast/sql/algebra"
	"holdfast/sql/catalog"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// Node is an operator of a physical plan. Nodes are immutable and may be shared by plans. A package that has
// operators of its own implements Node for them.
type Node interface {
	// Properties are what every node has.
	Properties() *Props
	// Inputs are the nodes below, outer (left) first. Plans inside expressions are not among them.
	Inputs() []Node
	// Scalars are the expressions the node evaluates.
	Scalars() []algebra.Scalar
	// Build makes the operator and those below it.
	Build(b *Builder) (Operator, error)
}

// Props are what every node has: the columns it produces, and the estimates that EXPLAIN shows.
type Props struct {
	Cols  []algebra.ColID
	Types []*types.Type // of Cols

	Rows        float64 // rows per execution
	Width       int     // bytes per row
	StartupCost float64 // until the first row, in PostgreSQL's units
	TotalCost   float64
}

// Properties implements Node.
func (p *Props) Properties() *Props { return p }

// Bounds limit a scan to parts of a key (the primary key's or an index's columns, in their order). Values have
// exactly the type of their key column; they may use parameters and outer columns, and in a LookupJoin columns of
// the left input. A NULL value matches nothing.
//
// The bounds are exact: a scan returns no row outside, so that the conditions they come from need no Filter, with one
// exception. Lower and Upper of several columns compare as rows; there NULLs in the second and later columns
// may pass that the condition would not let through.
type Bounds struct {
	// Prefix fixes the leading key columns. Rows come in key order whatever the order of values.
	Prefix []KeyMatch
	// Lower and Upper limit the column after Prefix. With either of them, NULLs of that column are left out.
	Lower, Upper *Bound
	// NotNull leaves out NULLs of the column after Prefix (IS NOT NULL).
	NotNull bool
}

// KeyMatch says that a key column equals one of Values, or one element of Array, or is NULL.
type KeyMatch struct {
	Values []algebra.Scalar
	Array  algebra.Scalar // an array of the column's type: = ANY ($1)
	IsNull bool
	// NullSafe: a NULL among Values matches NULL (IS NOT DISTINCT FROM).
	NullSafe bool
}

// Bound is one end of a range. Values are compared as a row with the columns from the one after the prefix; all of
// these must then be ordered in the same direction.
type Bound struct {
	Values    []algebra.Scalar
	Inclusive bool
}

// Access is what reading a stored table has in common: part of the scan nodes.
type Access struct {
	Table *catalog.Table
	Alias string // name in the query
	// Columns are read, in the order of Props.Cols. System columns are RowKeyNumber and TableOIDNumber.
	Columns []algebra.ScanColumn
	// Footprint are the columns the result depends on. 0: all of Columns. It is smaller where columns are only
	// carried along to be written back to a row that will be locked.
	Footprint kv.ColumnSet
	// Filter is tested on each row; nil: none. It sees only the node's own columns and outer ones.
	Filter algebra.Scalar
}

type (
	// TableScan reads a table in the order of its primary key (or of insertion, without one).
	TableScan struct {
		Props
		Access
		Bounds  *Bounds // over the primary key; nil: the whole table
		Reverse bool
	}
	// IndexScan reads a table through an index, in its order.
	IndexScan struct {
		Props
		Access
		Index   *catalog.Index
		Bounds  *Bounds // nil: the whole index
		Reverse bool
		// Only answers from the index alone; it must hold all Columns: see rowio.IndexCodec.Covers.
		Only bool
	}
	// KeyLookup reads at most one row, by a full unique key: the direct path of point queries.
	KeyLookup struct {
		Props
		Access
		Index *catalog.Index   // nil: the primary key (which may also be given)
		Key   []algebra.Scalar // one per key column, of its type
	}
	// LookupJoin probes a table for each row of Left: Inner, Left, Semi or Anti join. Rows keep Left's order, unless Sorted is
	// set. Access.Filter sees the probed table's columns alone and is part of the join's condition, as On is.
	LookupJoin struct {
		Props
		Access
		Left   Node
		Kind   algebra.JoinKind
		Index  *catalog.Index // nil: the primary key
		Bounds *Bounds        // over columns of Left; never nil
		Only   bool           // as in IndexScan
		On     algebra.Scalar // over columns of both; nil: true
		// Sorted are the columns of Left that are looked for, in a check of changed rows. If these are many, the rows of Left are
		// sorted by them first: then each key is looked up once, and next to the one before.
		Sorted []algebra.SortKey
	}
	// HashJoin joins on equal keys; NULL keys match nothing unless NullsEqual. Semi and Anti produce the
	// columns of Left alone. AntiNull is NOT IN, where the keys are the compared values. Rows come in the order of
	// the side that is not built, but beyond work_mem only if KeepOrder is set.
	HashJoin struct {
		Props
		Left, Right Node
		Kind        algebra.JoinKind
		LeftKeys    []algebra.Scalar
		RightKeys   []algebra.Scalar // LeftKeys[i] and RightKeys[i] have one type
		NullsEqual  bool             // IS NOT DISTINCT FROM
		On          algebra.Scalar   // further condition over both; nil: true
		// BuildLeft puts the left input into the hash table, where otherwise the right one is. Not with AntiNull.
		BuildLeft bool
		// KeepOrder is set by the function of that name. Not with BuildLeft or Full.
		KeepOrder bool
	}
	// NestedLoop joins by trying all pairs. If Right uses columns of Left it is evaluated anew for each left row
	// (then not Full).
	NestedLoop struct {
		Props
		Left, Right Node
		Kind        algebra.JoinKind
		On          algebra.Scalar
	}
	// MergeJoin joins inputs that are both sorted by their keys, by types.Compare ascending and NULLs last. Inner and Left.
	MergeJoin struct {
		Props
		Left, Right         Node
		Kind                algebra.JoinKind
		LeftKeys, RightKeys []algebra.ColID
		On                  algebra.Scalar
	}
	// Filter keeps the rows for which Cond is true.
	Filter struct {
		Props
		Input Node
		Cond  algebra.Scalar
	}
	// Project computes Items.
	Project struct {
		Props
		Input Node
		Items []algebra.Item
	}
	// HashAggregate groups by Keys in a hash table.
	HashAggregate struct {
		Props
		Input Node
		Keys  []algebra.ColID
		Aggs  []algebra.Agg
	}
	// OrderedAggregate groups input in which equal Keys follow each other. Without Keys it makes exactly one row.
	OrderedAggregate struct {
		Props
		Input Node
		Keys  []algebra.ColID
		Aggs  []algebra.Agg
	}
	// Distinct keeps the first of equal rows. With Sorted, equal rows follow each other. Without, rows come in the order of the
	// input, but beyond work_mem only if KeepOrder is set.
	Distinct struct {
		Props
		Input     Node
		Sorted    bool
		KeepOrder bool // set by the function of that name
	}
	// DistinctOn keeps the first of rows with equal On columns, which follow each other.
	DistinctOn struct {
		Props
		Input Node
		On    []algebra.ColID
	}
	// Sort orders rows; equal ones keep their order. Beyond work_mem it sorts runs in temporary files and merges them.
	Sort struct {
		Props
		Input Node
		Keys  []algebra.SortKey
	}
	// TopK is Sort and Limit in one; memory for Offset+Count rows.
	TopK struct {
		Props
		Input         Node
		Keys          []algebra.SortKey
		Count, Offset algebra.Scalar // Count is not nil, but may be NULL: all; Offset nil: 0
		WithTies      bool
	}
	// Limit passes rows Offset .. Offset+Count; nil or NULL: none.
	Limit struct {
		Props
		Input         Node
		Count, Offset algebra.Scalar
		// Ahead: in a check of many changed rows, whole batches of the input are asked for. What is read beyond the first
		// row, which is a violation, is read in vain, but as a rule there is none.
		Ahead bool
	}
	// Append is UNION ALL: the rows of its inputs, one after the other, columns by position.
	Append struct {
		Props
		Children []Node
	}
	// SetOp is UNION, INTERSECT or EXCEPT [ALL] by hashing, columns by position.
	SetOp struct {
		Props
		Kind        algebra.SetOpKind
		All         bool
		Left, Right Node
	}
	// Values makes rows of expressions. One row without columns is the input of a SELECT without FROM.
	Values struct {
		Props
		Values [][]algebra.Scalar
	}
	// VirtualScan reads a relation of the system.
	VirtualScan struct {
		Props
		Table   *catalog.Table
		Alias   string
		Columns []algebra.ScanColumn
		// Pushed are conditions column = one of Values (or IsNull, which is not pushed), handed to the relation as help; Filter
		// must test them again.
		Pushed map[int16]KeyMatch
		Filter algebra.Scalar
	}
	// TransitionScan reads the rows that the running statement has changed, but for those left out by Differs, Inserted and
	// Deleted: see algebra.Scan.
	TransitionScan struct {
		Props
		Table             *catalog.Table
		Alias             string
		Columns           []algebra.ScanColumn
		Kind              algebra.TransitionKind
		Differs           []algebra.Difference
		Inserted, Deleted algebra.Scalar
		Filter            algebra.Scalar
	}
	// CTEScan reads a CTE, or, with Working, the rows of the last step of the recursion it stands in.
	CTEScan struct {
		Props
		CTE     *CTE
		Alias   string
		Working bool
		Filter  algebra.Scalar
	}
	// Recurse is WITH RECURSIVE. Step reads the rows of the last step by a CTEScan of CTE with Working.
	Recurse struct {
		Props
		CTE        *CTE
		Base, Step Node
		All        bool
	}
	// FuncScan is functions in FROM, rows side by side, shorter ones padded with NULL.
	FuncScan struct {
		Props
		Calls      []*algebra.FuncCall
		Ordinality bool // a last column counts rows
		Alias      string
		Filter     algebra.Scalar
	}
	// ProjectSet is set-returning functions in the select list; input columns come first.
	ProjectSet struct {
		Props
		Input Node
		Items []algebra.Item
	}
	// Window computes window functions. Its input is sorted by Partition, then OrderBy. Input columns come first.
	Window struct {
		Props
		Input     Node
		Partition []algebra.ColID
		OrderBy   []algebra.SortKey
		Funcs     []algebra.WindowFunc
	}
	// LockRows locks the rows its input shows, and leaves out those that SKIP LOCKED skips. A row that was written after
	// the snapshot is kv.ErrStale: the statement is retracted and starts over.
	LockRows struct {
		Props
		Input Node
		Locks []algebra.RowLock
	}
)

// CTE is a WITH query that is evaluated apart: at most once, and only as far as it is read, unless it Modifies data. Then it runs to
// its end in any case.
type CTE struct {
	Name     string
	Plan     Node
	Modifies bool
}

// SubPlan is a query as an expression: algebra.Subquery with its plan. The optimizer puts it where the Subquery was.
// Without free columns it is evaluated at most once per execution, else once per distinct values of these.
type SubPlan struct {
	algebra.T
	Kind algebra.SubqueryKind
	Plan Node
	// Any and All, as in algebra.Subquery.
	Left  []algebra.Scalar
	Funcs []*funcs.Func
	Op    string
	Not   bool
}
