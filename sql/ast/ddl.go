package ast

type (
	// CreateSchema is CREATE SCHEMA.
	CreateSchema struct {
		At
		Name, Owner string
		IfNotExists bool
		Elements    []Stmt
	}
	// CreateTable is CREATE TABLE; Query is set for CREATE TABLE AS and SELECT INTO.
	CreateTable struct {
		At
		Table          *TableName
		IfNotExists    bool
		Temp, Unlogged bool
		Columns        []*ColumnDef
		Constraints    []*Constraint
		Likes          []*Like_
		Inherits       []*TableName
		Partition      bool // PARTITION BY or OF; not supported further
		OnCommit       string
		Options        []*Option
		Tablespace     string
		Query          Stmt
		QueryColumns   []string
		WithNoData     bool
		Materialized   bool // CREATE MATERIALIZED VIEW
	}
	// Like_ is LIKE table in CREATE TABLE, with a bit mask of INCLUDING options as PostgreSQL numbers them.
	Like_ struct {
		At
		Table   *TableName
		Options uint32
	}
	// ColumnDef is a column of CREATE TABLE, ALTER TABLE ADD COLUMN, or a function's column definition list.
	ColumnDef struct {
		At
		Name                 string
		Type                 *TypeName
		Collation            []string
		Constraints          []*Constraint
		Storage, Compression string
	}
	// Constraint is a column or table constraint.
	Constraint struct {
		At
		Kind                          ConstraintKind
		Name                          string
		Columns                       []string // table constraints: key columns; FK columns
		Include                       []string
		Expr                          Expr   // CHECK, DEFAULT, GENERATED
		ExprText                      string // source text of Expr
		NoInherit                     bool
		NullsNotDistinct              bool
		Generated                     string // identity: "always", "by default"
		SequenceOptions               []*Option
		RefTable                      *TableName
		RefColumns                    []string
		Match                         string // "simple", "full", "partial"
		OnDelete, OnUpdate            string // "no action", "restrict", "cascade", "set null", "set default"
		OnDeleteColumns               []string
		Deferrable, InitiallyDeferred bool
		DeferrableSaid                bool // DEFERRABLE or NOT DEFERRABLE was written
		NotValid                      bool
		UsingIndex                    string
		IndexOptions                  []*Option
	}
	// CreateIndex is CREATE INDEX.
	CreateIndex struct {
		At
		Name                                                      string
		Table                                                     *TableName
		Method                                                    string
		Elems                                                     []*IndexElem
		Include                                                   []string
		Where                                                     Expr
		WhereText                                                 string
		Unique, Concurrently, IfNotExists, NullsNotDistinct, Only bool
		Options                                                   []*Option
		Tablespace                                                string
	}
	// IndexElem is a column or expression of an index or conflict target.
	IndexElem struct {
		At
		Column     string
		Expr       Expr
		ExprText   string
		Collation  []string
		OpClass    []string
		Desc       bool
		NullsFirst *bool
	}
	// CreateView is CREATE VIEW. Text is the source text of the query.
	CreateView struct {
		At
		View                       *TableName
		Columns                    []string
		Query                      *Select
		QueryText                  string
		OrReplace, Temp, Recursive bool
		CheckOption                string // "", "local", "cascaded"
		Options                    []*Option
	}
	// CreateSequence is CREATE SEQUENCE.
	CreateSequence struct {
		At
		Sequence          *TableName
		IfNotExists, Temp bool
		Options           []*Option // start, increment, minvalue, maxvalue, cache, cycle, owned_by, as, restart
	}
	// AlterSequence is ALTER SEQUENCE .. options.
	AlterSequence struct {
		At
		Sequence *TableName
		IfExists bool
		Options  []*Option
	}
	// CreateEnum is CREATE TYPE .. AS ENUM.
	CreateEnum struct {
		At
		Type   *TableName
		Labels []string
	}
	// AlterEnum is ALTER TYPE .. ADD VALUE, or RENAME VALUE if OldLabel is set.
	AlterEnum struct {
		At
		Type        *TableName
		OldLabel    string
		Label       string
		Neighbor    string // BEFORE or AFTER it; "" for the end
		After       bool
		IfNotExists bool
	}
	// CreateComposite is CREATE TYPE .. AS (columns).
	CreateComposite struct {
		At
		Type    *TableName
		Columns []*ColumnDef
	}
	// CreateDomain is CREATE DOMAIN.
	CreateDomain struct {
		At
		Domain      *TableName
		Type        *TypeName
		Collation   []string
		Constraints []*Constraint
	}
	// RefreshView is REFRESH MATERIALIZED VIEW.
	RefreshView struct {
		At
		View                     *TableName
		Concurrently, WithNoData bool
	}
	// CreateAssertion is CREATE ASSERTION. Condition's positions are those of the statement's text.
	CreateAssertion struct {
		At
		Name        *TableName
		IfNotExists bool
		Condition   Expr
		// ConditionText is the source text between the parentheses of CHECK.
		ConditionText                                        string
		Deferrable, InitiallyDeferred, NotValid, NotEnforced bool
	}
	// AlterAssertion is ALTER ASSERTION. Action: "validate", "enable", "disable", "enforced", "not enforced",
	// "rename", "set schema", "owner", "deferrable", "not deferrable"; Arg is the new name, schema or role.
	AlterAssertion struct {
		At
		Name              *TableName
		IfExists          bool
		Action, Arg       string
		InitiallyDeferred bool
	}
	// Drop is DROP of one or more objects of one kind.
	Drop struct {
		At
		Kind         ObjectKind
		Names        []*TableName
		IfExists     bool
		Cascade      bool
		Concurrently bool
		On           *TableName // the table of DROP TRIGGER, RULE and POLICY, which drop one each
	}
	// AlterTable is ALTER TABLE, INDEX, VIEW or SEQUENCE with table-like commands.
	AlterTable struct {
		At
		Kind           ObjectKind
		Table          *TableName
		IfExists, Only bool
		Commands       []*AlterCommand
	}
	// AlterCommand is one command of ALTER TABLE.
	AlterCommand struct {
		At
		Kind                           AlterKind
		Name                           string      // column or constraint, or the trigger/rule/.. name
		Column                         *ColumnDef  // AddColumn; AlterType has Type in it
		Constraint                     *Constraint // AddConstraint, AlterConstraint
		Expr                           Expr        // SetDefault (nil: drop), AlterType USING
		ExprText                       string
		NewName                        string // owner, schema, tablespace and the like
		Options                        []*Option
		IfExists, IfNotExists, Cascade bool
		Generated                      string // AddIdentity
		What                           string // for AlterOther: what it was, for the error
	}
	// Rename is ALTER .. RENAME. Column is set for columns, and constraints with Kind ObjConstraint.
	Rename struct {
		At
		Kind     ObjectKind
		Relation ObjectKind // what Table is, for columns and constraints
		Table    *TableName
		Name     string // the column or constraint
		NewName  string
		IfExists bool
	}
	// AlterSetSchema is ALTER .. SET SCHEMA.
	AlterSetSchema struct {
		At
		Kind      ObjectKind
		Name      *TableName
		NewSchema string
		IfExists  bool
	}
	// AlterOwner is ALTER .. OWNER TO.
	AlterOwner struct {
		At
		Kind  ObjectKind
		Name  *TableName
		Owner string
	}
	// Comment is COMMENT ON. Column is set for columns, and for constraints the constraint's name.
	Comment struct {
		At
		Kind   ObjectKind
		Name   *TableName
		Column string
		Text   *string // nil: IS NULL
	}
)

// ConstraintKind is the kind of a Constraint.
type ConstraintKind uint8

const (
	ConstrNull ConstraintKind = iota
	ConstrNotNull
	ConstrDefault
	ConstrCheck
	ConstrPrimaryKey
	ConstrUnique
	ConstrForeignKey
	ConstrIdentity
	ConstrGenerated
	ConstrExclusion
)

// ObjectKind is the kind of a schema object.
type ObjectKind string

const (
	ObjTable      ObjectKind = "table"
	ObjView       ObjectKind = "view"
	ObjMatView    ObjectKind = "materialized view"
	ObjIndex      ObjectKind = "index"
	ObjSequence   ObjectKind = "sequence"
	ObjSchema     ObjectKind = "schema"
	ObjAssertion  ObjectKind = "assertion"
	ObjColumn     ObjectKind = "column"
	ObjConstraint ObjectKind = "constraint"
	ObjType       ObjectKind = "type"
	ObjDomain     ObjectKind = "domain"
	ObjFunction   ObjectKind = "function"
	ObjDatabase   ObjectKind = "database"
	ObjRole       ObjectKind = "role"
	ObjExtension  ObjectKind = "extension"
	ObjTrigger    ObjectKind = "trigger"
	ObjRule       ObjectKind = "rule"
	ObjPolicy     ObjectKind = "policy"
	ObjOther      ObjectKind = "object"
)

// AlterKind is the kind of an AlterCommand.
type AlterKind uint8

const (
	AlterOther AlterKind = iota
	AddColumn
	DropColumn
	SetDefault
	SetNotNull
	DropNotNull
	AlterType
	AddConstraint
	DropConstraint
	ValidateConstraint
	AlterConstraint
	AddIdentity
	DropIdentity
	SetIdentity
	DropExpression
	ChangeOwner
	SetStatistics
	SetOptions
	ResetOptions
	SetStorage
	EnableTrigger
	DisableTrigger
	ReplicaIdentity
)

func (*CreateSchema) stmt()    {}
func (*CreateTable) stmt()     {}
func (*CreateIndex) stmt()     {}
func (*CreateView) stmt()      {}
func (*CreateSequence) stmt()  {}
func (*AlterSequence) stmt()   {}
func (*CreateEnum) stmt()      {}
func (*AlterEnum) stmt()       {}
func (*CreateComposite) stmt() {}
func (*CreateDomain) stmt()    {}
func (*RefreshView) stmt()     {}
func (*CreateAssertion) stmt() {}
func (*AlterAssertion) stmt()  {}
func (*Drop) stmt()            {}
func (*AlterTable) stmt()      {}
func (*Rename) stmt()          {}
func (*AlterSetSchema) stmt()  {}
func (*AlterOwner) stmt()      {}
func (*Comment) stmt()         {}
