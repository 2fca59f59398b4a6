package ast

// Expr is an expression. Positions (At) are byte offsets in the text given to the parser, -1 if unknown.
type Expr interface{ Pos() int }

// At is the position of a node; every node embeds it.
type At int

// Pos is the byte offset of the node in its source text, -1 if unknown.
func (a At) Pos() int { return int(a) }

type (
	// Literal is a constant as written. Kind tells which: an integer that fits int4 or int8, a numeric,
	// a string of unknown type, a bool, NULL, or a bit string.
	Literal struct {
		At
		Kind  LiteralKind
		Value string // text of numbers and strings; "t" or "f" for bools
	}
	// Param is $n.
	Param struct {
		At
		Number int
	}
	// ColumnRef is a, t.a, s.t.a; Star is true for t.* and *.
	ColumnRef struct {
		At
		Names []string
		Star  bool
	}
	// FuncCall is a function, aggregate or window function call.
	FuncCall struct {
		At
		Name        []string // schema-qualified or not
		Args        []Expr
		ArgNames    []string // parallel to Args if any is named; "" for positional
		Star        bool     // count(*)
		Distinct    bool
		Variadic    bool
		OrderBy     []*SortItem
		WithinGroup bool
		Filter      Expr
		Over        *WindowDef
		Form        CallForm // how it was written, when by special syntax
	}
	// Op is an operator, prefix if Left is nil. Schema is set for OPERATOR(schema.op).
	Op struct {
		At
		Schema      string
		Name        string
		Left, Right Expr
	}
	// BoolOp is AND, OR (two or more arguments) or NOT (one).
	BoolOp struct {
		At
		Kind BoolKind
		Args []Expr
	}
	// NullTest is IS [NOT] NULL.
	NullTest struct {
		At
		Arg Expr
		Not bool
	}
	// BoolTest is IS [NOT] TRUE, FALSE or UNKNOWN.
	BoolTest struct {
		At
		Arg  Expr
		Not  bool
		Want string // "true", "false", "unknown"
	}
	// Distinct is IS [NOT] DISTINCT FROM.
	Distinct struct {
		At
		Left, Right Expr
		Not         bool
	}
	// In is [NOT] IN (list). IN (subquery) is a Subquery.
	In struct {
		At
		Arg  Expr
		List []Expr
		Not  bool
	}
	// Between is [NOT] BETWEEN [SYMMETRIC].
	Between struct {
		At
		Arg, Low, High Expr
		Not, Symmetric bool
	}
	// Like is [NOT] LIKE, ILIKE or SIMILAR TO; Op is the operator (~~, ~~*, ~, and negated forms). Escape may be nil.
	Like struct {
		At
		Op, Keyword          string // Keyword: "LIKE", "ILIKE", "SIMILAR TO"
		Arg, Pattern, Escape Expr
		Not                  bool
	}
	// Case is CASE [Arg] WHEN .. THEN .. ELSE .. END.
	Case struct {
		At
		Arg   Expr
		Whens []When
		Else  Expr
	}
	// When is one branch of Case.
	When struct {
		At
		Cond, Result Expr
	}
	// Coalesce is COALESCE(..).
	Coalesce struct {
		At
		Args []Expr
	}
	// MinMax is GREATEST(..) or LEAST(..).
	MinMax struct {
		At
		Least bool
		Args  []Expr
	}
	// NullIf is NULLIF(a, b).
	NullIf struct {
		At
		Left, Right Expr
	}
	// Cast is CAST(x AS t), x::t, or t 'literal'.
	Cast struct {
		At
		Arg  Expr
		Type *TypeName
	}
	// Collate is x COLLATE c.
	Collate struct {
		At
		Arg  Expr
		Name []string
	}
	// Array is ARRAY[..].
	Array struct {
		At
		Elems []Expr
	}
	// Row is ROW(..) or (a, b).
	Row struct {
		At
		Fields   []Expr
		Explicit bool // ROW was written
	}
	// AnyAll is x op ANY|ALL (array).
	AnyAll struct {
		At
		Schema, Op  string
		Left, Array Expr
		All         bool
	}
	// Subquery is a query used as an expression.
	Subquery struct {
		At
		Kind       SubqueryKind
		Left       Expr   // ANY and ALL: x or Row
		Schema, Op string // ANY and ALL: "=" for IN; Schema is set for OPERATOR(schema.op)
		Query      *Select
		Not        bool // NOT IN
	}
	// Subscript is a[i] or a[l:u]; nil bounds are open.
	Subscript struct {
		At
		Arg          Expr
		Slice        bool
		Lower, Upper Expr // Upper is the index when not a slice
	}
	// Field is (x).name; Star for (x).*.
	Field struct {
		At
		Arg  Expr
		Name string
		Star bool
	}
	// Default is DEFAULT in INSERT and UPDATE.
	Default struct{ At }
	// CurrentOf is WHERE CURRENT OF cursor.
	CurrentOf struct {
		At
		Cursor string
	}
	// Grouping is GROUPING(..).
	Grouping struct {
		At
		Args []Expr
	}
)

// LiteralKind is the kind of a Literal.
type LiteralKind uint8

const (
	LitNull LiteralKind = iota
	LitInt              // fits int4 or int8, which the binder decides
	LitNumeric
	LitString
	LitBool
	LitBit // B'..' or X'..', Value keeps the letter
)

// BoolKind is the kind of a BoolOp.
type BoolKind uint8

const (
	And BoolKind = iota
	Or
	Not
)

// CallForm is how a FuncCall was written.
type CallForm uint8

const (
	CallPlain   CallForm = iota
	CallSQL              // SQL syntax: EXTRACT(..), SUBSTRING(a FROM b), TRIM(..), AT TIME ZONE, POSITION(..), OVERLAY(..)
	CallKeyword          // current_date, current_timestamp, current_user and the like, without parentheses; precision in Args
)

// SubqueryKind is the kind of a Subquery.
type SubqueryKind uint8

const (
	ScalarSubquery SubqueryKind = iota
	ExistsSubquery
	AnySubquery // also IN
	AllSubquery
	ArraySubquery
)

// TypeName is a type as written: Name is the parser's internal name (int4, varchar) if the SQL name is a
// keyword, else as written, with its schema if given.
type TypeName struct {
	At
	Names    []string // ["pg_catalog","int4"] or ["mytype"]
	Mods     []Expr
	Array    int // number of array dimensions
	SetOf    bool
	PctType  bool // %TYPE
	Interval int  // interval field restriction mask, as in PostgreSQL's typmod; 0 none
}

// SortItem is one item of ORDER BY.
type SortItem struct {
	At
	Expr       Expr
	Desc       bool
	NullsFirst *bool  // nil: default (last for ascending, first for descending)
	Using      string // USING operator
}

// WindowDef is OVER (..), OVER name, or WINDOW name AS (..).
type WindowDef struct {
	At
	Name, Ref   string // Name: OVER name or the WINDOW clause's; Ref: the window it is based on
	PartitionBy []Expr
	OrderBy     []*SortItem
	FrameMode   string // "rows", "range", "groups"; "" default
	Start, End  FrameBound
	Exclude     string
}

// FrameBound is one end of a window frame.
type FrameBound struct {
	Kind   string // "unbounded preceding", "preceding", "current row", "following", "unbounded following"
	Offset Expr
}
