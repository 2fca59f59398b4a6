// Package funcs is the registry of built-in functions, operators, casts and aggregates, and PostgreSQL's
// rules for choosing among them. The type resolver, pg_proc, pg_operator and pg_cast all read this one
// table, so what can be called is what the catalog shows.
//
// Scalar functions are kernels over vectors, most of them lifted from an ordinary typed Go function.
package funcs

import (
	"context"

	"holdfast/sql/types"
)

// Func is one function, identified by its OID, which is PostgreSQL's where PostgreSQL has the function.
type Func struct {
	OID        types.OID
	Name       string
	Args       []*types.Type // declared types; may be polymorphic
	Variadic   bool          // the last of Args is an array that gathers the remaining arguments ("any": gathers nothing)
	Defaults   int           // how many of the last arguments may be left out; the kernel then sees fewer
	Result     *types.Type
	Kind       byte // 'f' function, 'a' aggregate, 'w' window
	ReturnsSet bool
	Strict     bool // NULL in, NULL out; the kernel is never called for such rows
	Volatility byte // 'i', 's', 'v'
	OutNames   []string
	OutTypes   []*types.Type // columns of a function with several results
	ArgNames   []string      // names of Args for name => value, nil if they have none
	// DefaultValues are the values of the last Defaults arguments, for a call that names arguments and leaves
	// out one before them; nil for a function that cannot be called so.
	DefaultValues []types.Datum
	Source        string // pg_proc.prosrc

	Kernel Kernel                                                 // scalar functions
	NewAgg func(args []*types.Type, result *types.Type) Aggregate // aggregates; args and result are concrete
	Rows   RowsFunc                                               // set-returning functions
}

// Kernel computes a function for the given rows of its arguments into out, at the same positions. out has
// room for all of them, its type set, and no NULLs. Arguments may be Const vectors. For a strict function
// the rows given have no NULL argument.
type Kernel func(ctx *Ctx, args []*types.Vec, rows types.Rows, out *types.Vec) error

// RowsFunc starts a set-returning function on one row of arguments. next returns the next result row,
// of one Datum or one per OutTypes, or nil at the end; the slice is valid until the next call.
type RowsFunc func(ctx *Ctx, args []types.Datum) (next func() ([]types.Datum, error), err error)

// EachDatum is the next of a RowsFunc that has all its result rows, of one column.
func EachDatum(values []types.Datum) func() ([]types.Datum, error) {
	return func() ([]types.Datum, error) {
		if len(values) == 0 {
			return nil, nil
		}
		row := values[:1:1]
		values = values[1:]
		return row, nil
	}
}

// EachRow is the next of a RowsFunc that has all its result rows, of several columns.
func EachRow(rows [][]types.Datum) func() ([]types.Datum, error) {
	return func() ([]types.Datum, error) {
		if len(rows) == 0 {
			return nil, nil
		}
		row := rows[0]
		rows = rows[1:]
		return row, nil
	}
}

// Aggregate holds the running states of one aggregate for many groups, numbered from 0.
type Aggregate interface {
	// Grow makes room for groups 0 .. n-1; new ones are empty.
	Grow(n int)
	// Add feeds rows: rows.Sel[k] (or k) belongs to groups[k]. NULL handling is the aggregate's own.
	Add(ctx *Ctx, args []*types.Vec, rows types.Rows, groups []int32) error
	// Result is the value of a group so far.
	Result(ctx *Ctx, group int) (types.Datum, error)
	// Bytes is the memory held, about.
	Bytes() int64
}

// Ctx is what functions may know of where they run.
type Ctx struct {
	context.Context
	Env     *types.Env
	Session Session // nil where there is no session, as in constant folding at a distance
}

// Session is the part of a session that functions see.
type Session interface {
	TransactionTime() int64 // µs since 2000-01-01 UTC
	StatementTime() int64
	CurrentUser() string
	SessionUser() string
	Database() string
	SearchPath() []string // schemas searched, implicit ones excluded
	Setting(name string) (value string, ok bool)
	SetSetting(name, value string, local bool) error
	BackendPID() int32
	NextVal(seq types.OID) (int64, error)
	CurrVal(seq types.OID) (int64, error)
	LastVal() (int64, error)
	SetVal(seq types.OID, value int64, called bool) error
	// Catalog is the *catalog.Snapshot of the transaction, for system functions, which live in sql/catalog.
	Catalog() any
	// Float is the next of the session's random numbers, in [0, 1).
	Float() float64
	Seed(float64)
	// Draw returns a value that make makes, or the one it made when the transaction was run before.
	Draw(make func() ([2]uint64, error)) ([2]uint64, error)
	// Repeating tells that the statement was run before, and its client has waited for it once already.
	Repeating() bool
}

// Operator is one operator. Unary operators have a nil Left.
type Operator struct {
	OID         types.OID
	Name        string
	Left, Right *types.Type
	Result      *types.Type
	Func        *Func
	Commutator  string // operator names; "" if none
	Negator     string
	// Strategy of the operator in the default btree order: 1 <, 2 <=, 3 =, 4 >=, 5 >; 0 if none.
	Strategy int
	Hashable bool // an = that agrees with types.Hash
}

// CastContext is where a cast may be applied.
type CastContext byte

const (
	CastExplicit   CastContext = 'e'
	CastAssignment CastContext = 'a'
	CastImplicit   CastContext = 'i'
)

// Cast converts between two types, in exactly one of these ways: by calling Func; by relabelling (Binary);
// through text (InOut); element by element of an array (Elem); field by field of a record (Fields).
type Cast struct {
	Source, Target *types.Type
	Context        CastContext
	Func           *Func
	Binary, InOut  bool
	Elem           *Cast
	Fields         bool
}
