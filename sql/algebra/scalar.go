// Package algebra is a query with its meaning fixed: relational operators over typed scalar expressions, with
// every name resolved and every conversion explicit.
//
// Columns are known by ColID, unique in one query, and not by position: an operator can be moved, split or
// wrapped without renumbering anything, and an expression is correlated exactly if it holds a ColID that its
// input does not produce. The physical plan turns ColIDs into positions once, at the end.
//
// Trees are immutable once built: a rewrite makes new nodes and shares the rest.
package algebra

import (
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// ColID names a column within one query; 0 is none.
type ColID int32

// Scalar is a typed expression.
type Scalar interface {
	Type() *types.Type
	Mod() int32 // type modifier, types.NoTypmod if none
}

// T is the type and modifier of an expression; nodes embed it.
type T struct {
	Typ *types.Type
	M   int32
}

func (t T) Type() *types.Type { return t.Typ }
func (t T) Mod() int32        { return t.M }

// Place is where something stands in the statement's text: its byte offset + 1; 0 if unknown.
type Place int32

type (
	// Const is a constant.
	Const struct {
		T
		Value types.Datum
		Place Place
	}
	// Param is parameter $Number, from 1, of the statement.
	Param struct {
		T
		Number int
		Place  Place
	}
	// Col is a column, of the input or, correlated, of an outer query.
	Col struct {
		T
		ID    ColID
		Place Place
	}
	// Call applies a scalar function. Arguments have exactly the types the function takes. Op is the
	// operator's name if it was written as one, for printing.
	Call struct {
		T
		Func       *funcs.Func
		Args       []Scalar
		Op         string
		VariadicAt int // index in Args of the array that arguments were gathered into, -1 if none
		Pos        int // byte offset in the statement's text, -1 if unknown
		// Form is how it was written, for printing: by SQL syntax as EXTRACT(..), or as current_date and the like.
		Form CallForm
	}
	// Cast converts its argument, then applies the modifier. Implicit ones are not printed.
	Cast struct {
		T
		Arg      Scalar
		Cast     *funcs.Cast // nil: only the modifier is applied
		Explicit bool
		Implicit bool
		Pos      int
	}
	// And is true if all arguments are, evaluated left to right, later ones only where still undecided.
	And struct{ Args []Scalar }
	// Or is true if one argument is, evaluated as And.
	Or struct{ Args []Scalar }
	// Not is logical negation.
	Not struct{ Arg Scalar }
	// IsNull is IS NULL, or IS NOT NULL. Of a Row (or record) it follows the standard's rule for rows.
	IsNull struct {
		Arg Scalar
		Not bool
	}
	// BoolTest is IS [NOT] TRUE, FALSE (Want) or UNKNOWN (Unknown).
	BoolTest struct {
		Arg     Scalar
		Want    bool
		Unknown bool
		Not     bool
	}
	// Distinct is IS [NOT] DISTINCT FROM, by the equality function Eq.
	Distinct struct {
		Left, Right Scalar
		Eq          *funcs.Func
		Not         bool
	}
	// Case evaluates conditions in order; results have the node's type. A simple CASE was turned into
	// conditions; Arg is then nil all the same.
	Case struct {
		T
		Whens []When
		Else  Scalar // never nil
	}
	// When is a branch of Case.
	When struct{ Cond, Result Scalar }
	// Coalesce is the first argument that is not NULL.
	Coalesce struct {
		T
		Args []Scalar
	}
	// MinMax is GREATEST or LEAST.
	MinMax struct {
		T
		Least bool
		Args  []Scalar
	}
	// NullIf is NULL if Eq(Left, Right), else the value of Left before its conversion for Eq (First).
	NullIf struct {
		T
		Left, Right Scalar
		Eq          *funcs.Func
	}
	// AnyAll is Left op ANY|ALL (Array): Func takes Left and an element. IN lists become this over ArrayCtor.
	AnyAll struct {
		Left, Array Scalar
		Func        *funcs.Func
		Op          string
		All         bool
		Pos         int
	}
	// ArrayCtor is ARRAY[..]; elements of array type make a multidimensional array.
	ArrayCtor struct {
		T
		Elems []Scalar
	}
	// Subscript is an element or slice of an array. Slice: Lower/Upper pairs, nil for open; else Upper only.
	Subscript struct {
		T
		Array        Scalar
		Slice        bool
		Lower, Upper []Scalar
	}
	// Row makes a record. Names are those of its fields.
	Row struct {
		T
		Fields []Scalar
		Names  []string
	}
	// FieldOf is one field of a record, from 0.
	FieldOf struct {
		T
		Arg   Scalar
		Field int
	}
	// Subquery is a query as an expression. It is correlated by the ColIDs in Rel that Rel does not produce.
	Subquery struct {
		T
		Kind SubqueryKind
		Rel  Rel
		// Any and All: Left[i] Funcs[i] column i of Rel, combined as PostgreSQL compares rows: with AND for
		// "=", with OR for "<>".
		Left  []Scalar
		Funcs []*funcs.Func
		Op    string
		Not   bool // NOT IN
	}
)

// CallForm is how a Call was written.
type CallForm uint8

const (
	PlainForm CallForm = iota
	SQLForm
	KeywordForm
)

// SubqueryKind is the kind of a Subquery.
type SubqueryKind uint8

const (
	ScalarSubquery SubqueryKind = iota // its one column of its one row, NULL if none, 21000 if several
	ExistsSubquery
	AnySubquery
	AllSubquery
	ArraySubquery
)

func (*And) Type() *types.Type      { return types.Bool }
func (*Or) Type() *types.Type       { return types.Bool }
func (*Not) Type() *types.Type      { return types.Bool }
func (*IsNull) Type() *types.Type   { return types.Bool }
func (*BoolTest) Type() *types.Type { return types.Bool }
func (*Distinct) Type() *types.Type { return types.Bool }
func (*AnyAll) Type() *types.Type   { return types.Bool }
func (*And) Mod() int32             { return types.NoTypmod }
func (*Or) Mod() int32              { return types.NoTypmod }
func (*Not) Mod() int32             { return types.NoTypmod }
func (*IsNull) Mod() int32          { return types.NoTypmod }
func (*BoolTest) Mod() int32        { return types.NoTypmod }
func (*Distinct) Mod() int32        { return types.NoTypmod }
func (*AnyAll) Mod() int32          { return types.NoTypmod }
