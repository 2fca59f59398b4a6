// Package ast is Holdfast's syntax tree. It holds what was written, not what it means: names are not
// resolved and nothing is typed. sql/parse makes it, planner/bind gives it meaning. Trees are never changed
// once made, so they can be cached and shared.
package ast

// Stmt is a statement.
type Stmt interface{ stmt() }

// Select is SELECT, VALUES, TABLE, or a set operation of two of these.
type Select struct {
	At
	With *With
	// Set operation: Left and Right are set, and of the rest only OrderBy, Limit, Offset and Locking.
	SetOp       SetOp
	All         bool
	Left, Right *Select

	Distinct      bool
	DistinctOn    []Expr
	Targets       []*Target
	Values        [][]Expr // VALUES lists
	Into          *TableName
	From          []TableExpr
	Where         Expr
	GroupBy       []*GroupItem
	GroupDistinct bool
	Having        Expr
	Windows       []*WindowDef
	OrderBy       []*SortItem
	Limit         Expr // nil: none; LIMIT ALL is a NULL Literal
	Offset        Expr
	WithTies      bool
	Locking       []*Locking
}

// SetOp is the kind of a set operation.
type SetOp uint8

const (
	NoSetOp SetOp = iota
	Union
	Intersect
	Except
)

// Target is one item of a select list or RETURNING. Name is the alias, "" if none.
type Target struct {
	At
	Expr Expr
	Name string
}

// GroupItem is one item of GROUP BY; only a plain expression unless Kind says otherwise.
type GroupItem struct {
	At
	Kind  string // "", "empty", "rollup", "cube", "sets"
	Expr  Expr
	Items []*GroupItem
}

// Locking is FOR UPDATE and the like.
type Locking struct {
	At
	Strength           string // "update", "no key update", "share", "key share"
	Of                 []*TableName
	NoWait, SkipLocked bool
}

// With is a WITH clause.
type With struct {
	At
	Recursive bool
	CTEs      []*CTE
}

// CTE is one query of a WITH clause. Stmt is *Select, *Insert, *Update or *Delete.
type CTE struct {
	At
	Name          string
	Columns       []string
	Stmt          Stmt
	Materialized  *bool // nil: not said
	Search, Cycle bool  // present; not supported further
}

// TableExpr is an item of FROM.
type TableExpr interface{ Pos() int }

// TableName is a possibly qualified relation name. Database is set for three-part names.
type TableName struct {
	At
	Database, Schema, Name string
}

// Alias is AS name (columns).
type Alias struct {
	Name    string
	Columns []string
}

type (
	// TableRef is a relation in FROM or as a target. Only is ONLY.
	TableRef struct {
		At
		Table  *TableName
		Alias  *Alias
		Only   bool
		Sample bool // TABLESAMPLE is present; not supported further
	}
	// SubqueryRef is a query in FROM.
	SubqueryRef struct {
		At
		Query   *Select
		Alias   *Alias
		Lateral bool
	}
	// FuncRef is one or more functions in FROM (ROWS FROM).
	FuncRef struct {
		At
		Calls      []Expr       // FuncCall, or an expression for keyword functions and casts
		ColumnDefs []*ColumnDef // AS (a int, ..) of a single function
		Ordinality bool
		Lateral    bool
		RowsFrom   bool
		Alias      *Alias
	}
	// Join is a join in FROM.
	Join struct {
		At
		Kind        JoinKind
		Natural     bool
		Left, Right TableExpr
		Using       []string
		UsingAlias  string
		On          Expr // nil for CROSS, NATURAL and USING
		Alias       *Alias
	}
)

// JoinKind is the kind of a join.
type JoinKind uint8

const (
	InnerJoin JoinKind = iota // also CROSS
	LeftJoin
	RightJoin
	FullJoin
)

type (
	// Insert is INSERT.
	Insert struct {
		At
		With       *With
		Table      *TableRef
		Columns    []*InsertColumn
		Query      *Select // nil for DEFAULT VALUES; VALUES may contain Default
		Overriding string  // "", "user", "system"
		OnConflict *OnConflict
		Returning  []*Target
	}
	// InsertColumn is a name in the column list of INSERT.
	InsertColumn struct {
		At
		Name string
		// Subscripts are those of column[i] and column[l:u], without Arg.
		Subscripts  []*Subscript
		Indirection bool // subscript or field; not supported further
	}
	// OnConflict is ON CONFLICT.
	OnConflict struct {
		At
		Target      []*IndexElem // inference, nil if none
		TargetAt    At           // where the inference begins, -1 if nowhere
		Where       Expr         // of the inference
		Constraint  string       // ON CONSTRAINT
		DoUpdate    bool
		Set         []*SetClause
		UpdateWhere Expr
	}
	// Update is UPDATE.
	Update struct {
		At
		With      *With
		Table     *TableRef
		Set       []*SetClause
		From      []TableExpr
		Where     Expr
		Returning []*Target
	}
	// SetClause is column = value, or (columns) = row or subquery, when Columns has several names or Multi is set.
	SetClause struct {
		At
		Columns []*InsertColumn
		Multi   bool
		Value   Expr
	}
	// Delete is DELETE.
	Delete struct {
		At
		With      *With
		Table     *TableRef
		Using     []TableExpr
		Where     Expr
		Returning []*Target
	}
	// Truncate is TRUNCATE.
	Truncate struct {
		At
		Tables          []*TableRef
		RestartIdentity bool
		Cascade         bool
	}
	// Merge is MERGE; it is recognised so that it can be named in an error.
	Merge struct{ At }
	// Copy is COPY.
	Copy struct {
		At
		Table    *TableName
		Columns  []string
		Query    Stmt // COPY (query) TO
		From     bool
		Program  bool
		Filename string // "" for STDIN and STDOUT
		Options  []*Option
		Where    Expr
	}
	// Explain is EXPLAIN of a statement; of an assertion if Assertion is set.
	Explain struct {
		At
		Options   []*Option
		Stmt      Stmt
		Assertion *TableName
		// FOR INSERT|DELETE|UPDATE [OF column] ON table, of an assertion.
		Event, EventColumn string
		EventTable         *TableName
	}
)

// Option is name [value] in an option list. Value is a Literal, a *TypeName-like word as Literal string, a
// list (Row), Star, or nil.
type Option struct {
	At
	Name  string
	Value Expr
	Star  bool
	List  []string
}

func (*Select) stmt()   {}
func (*Insert) stmt()   {}
func (*Update) stmt()   {}
func (*Delete) stmt()   {}
func (*Truncate) stmt() {}
func (*Merge) stmt()    {}
func (*Copy) stmt()     {}
func (*Explain) stmt()  {}
