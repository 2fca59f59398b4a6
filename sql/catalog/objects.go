// Package catalog holds the schema: its objects, their storage in kv, and the relations of pg_catalog and
// information_schema that show them.
//
// Objects are immutable once they are part of a Snapshot, which is the whole schema as one transaction sees
// it. DDL makes a changed copy of an object and a Snapshot with it.
package catalog

import (
	"maps"
	"slices"

	"holdfast/sql/types"
)

// OID identifies an object.
type OID = types.OID

// Fixed OIDs, PostgreSQL's.
const (
	PgCatalogOID         OID = 11
	PublicOID            OID = 2200
	InformationSchemaOID OID = 13183 // PostgreSQL assigns it at initdb
	PostgresRoleOID      OID = 10
	PostgresDatabaseOID  OID = 5
	// DatabaseOwnerRoleOID is the role that owns the schema public, as in PostgreSQL.
	DatabaseOwnerRoleOID OID = 6171
	// FirstUserOID is the first OID given to objects that users create.
	FirstUserOID OID = 16384
)

// Schema is a namespace.
type Schema struct {
	OID     OID
	Name    string
	Owner   OID
	Comment string
	Changed uint64

	stamp uint64
}

// RelKind is pg_class.relkind.
type RelKind byte

const (
	KindTable    RelKind = 'r'
	KindView     RelKind = 'v'
	KindSequence RelKind = 'S'
	KindIndex    RelKind = 'i'
	// KindComposite is the pg_class row of a composite type. Such a relation is part of a UserType.
	KindComposite RelKind = 'c'
)

// Table is a relation with columns: a table, a view, a sequence, or a virtual relation of the system.
type Table struct {
	OID     OID
	Schema  OID
	Name    string
	Kind    RelKind
	Owner   OID
	RowType OID // pg_type OID of its rows; the array type is RowType+1
	// Columns by attribute number - 1. Dropped columns keep their place, for the row codec.
	Columns     []*Column
	Indexes     []*Index      // the primary key's first
	Constraints []*Constraint // primary key, unique, check, foreign key (of this table)
	// Referencing are the OIDs of tables with foreign keys to this one, itself included, without duplicates.
	Referencing []OID
	// Storage is the prefix of the keys of its rows; TRUNCATE and rewrites change it.
	Storage  StorageID
	View     *View
	Sequence *Sequence
	Comment  string
	// Virtual is set for relations of the system, which have no storage. It is not stored.
	Virtual *Virtual `json:"-"`
	// Changed counts the changes of this object: plans made for an older count are stale.
	Changed uint64

	key         []byte // where it is stored, nil for relations of the system
	stamp       uint64
	ofUserTypes bool // a column has a type that is not built in
}

// StorageID prefixes the keys of one table's rows or one index's entries. IDs are never used again.
type StorageID uint32

// Column is a column of a Table.
type Column struct {
	Number    int16 // attribute number, from 1
	Name      string
	Type      *types.Type
	Mod       int32
	NotNull   bool
	Dropped   bool
	Default   string // SQL of the default expression, "" if none; as pg_get_expr prints it
	Identity  byte   // 'a' always, 'd' by default, 0
	Generated string // SQL of a stored generated column, "" if none
	Sequence  OID    // the sequence owned by a serial or identity column, 0 if none
	// Missing is the value that rows written before the column was added have.
	Missing   types.Datum
	Collation string
	Comment   string
	// Uses are the columns of the table that a generated column is made from.
	Uses []int16
	// DependsOn are the objects that Default or Generated uses: sequences.
	DependsOn []OID

	missing *string // text of Missing while its type is not known
}

// Index is an index over a Table. Its keys are Storage, the key columns, and, unless it is unique with all
// key columns not NULL, the row's own key. The value holds the row's key where the key does not.
// The primary key of a table orders its rows and needs no entries of its own.
type Index struct {
	OID     OID
	Name    string
	Table   OID
	Storage StorageID
	Unique  bool
	Primary bool
	// NullsNotDistinct makes NULLs equal under a unique index.
	NullsNotDistinct bool
	Keys             []IndexKey
	Include          []int16
	Predicate        string // SQL of a partial index's condition, "" if none
	// Uses are the columns that the expressions and the predicate read.
	Uses       []int16
	Constraint OID // the constraint it enforces, 0 if none
	Comment    string
	// Invalid indexes are maintained and not read: they are being built.
	Invalid bool
}

// IndexKey is one key column of an index: a column, or an expression if Column is 0.
type IndexKey struct {
	Column     int16
	Expr       string
	Type       *types.Type // of the expression
	Desc       bool
	NullsFirst bool
}

// ConstraintKind is pg_constraint.contype.
type ConstraintKind byte

const (
	CheckConstraint      ConstraintKind = 'c'
	ForeignKeyConstraint ConstraintKind = 'f'
	PrimaryKeyConstraint ConstraintKind = 'p'
	UniqueConstraint     ConstraintKind = 'u'
)

// Constraint is a constraint of a Table.
type Constraint struct {
	OID               OID
	Name              string
	Kind              ConstraintKind
	Table             OID
	Columns           []int16
	Index             OID    // the index that enforces it; for a foreign key the referenced index
	Expr              string // of CHECK, as pg_get_constraintdef prints it, without the outer CHECK ( )
	RefTable          OID
	RefColumns        []int16
	OnDelete          byte // 'a' no action, 'r' restrict, 'c' cascade, 'n' set null, 'd' set default
	OnUpdate          byte
	OnDeleteColumns   []int16
	Match             byte // 's' simple, 'f' full
	Deferrable        bool
	InitiallyDeferred bool
	NotValid          bool
	NoInherit         bool
	Comment           string
}

// View is the definition of a view.
type View struct {
	Query       string // the SELECT, complete and fully qualified, so that it means the same under any search_path
	Source      string // as pg_get_viewdef prints it
	CheckOption string // "", "local", "cascaded"
	// DeleteFrom is the item of FROM that DELETE removes rows of, by its name there; "": the rules decide.
	DeleteFrom string `json:",omitempty"`
	// DependsOn are the columns read: relation OID to attribute numbers.
	DependsOn map[OID][]int16
}

// Options are the options of the view as pg_class.reloptions shows them.
func (v *View) Options() (list []string) {
	if v.CheckOption != "" {
		list = append(list, "check_option="+v.CheckOption)
	}
	if v.DeleteFrom != "" {
		list = append(list, "delete_from="+v.DeleteFrom)
	}
	return list
}

// Sequence is the definition of a sequence; its value lives outside transactions.
type Sequence struct {
	Type                              *types.Type
	Start, Increment, Min, Max, Cache int64
	Cycle                             bool
	OwnerTable                        OID
	OwnerColumn                       int16
	// Storage is the key of the value; setval, RESTART and TRUNCATE .. RESTART IDENTITY may change it.
	Storage StorageID
}

// Assertion is a rule over the whole database.
type Assertion struct {
	OID               OID
	Schema            OID
	Name              string
	Owner             OID
	Condition         string // SQL, fully qualified
	Source            string // as the user wrote it
	Deferrable        bool
	InitiallyDeferred bool
	NotValid          bool
	NotEnforced       bool
	Disabled          bool
	// Creating: CREATE ASSERTION has yet to look at the data there is. The assertion is NOT VALID meanwhile, and goes if it is never heard
	// of again.
	Creating  bool            `json:",omitempty"`
	DependsOn map[OID][]int16 // columns read: relation OID (tables, and the views between) to attribute numbers
	Comment   string
	Changed   uint64
	// Accumulators are what is kept of rows for its checks. Of an assertion that was made before there were any, or whose checks
	// cannot use them, there are none; its checks read rows.
	Accumulators []Accumulator `json:",omitempty"`

	stamp uint64
}

// State says in a word or two how an assertion is enforced.
func (a *Assertion) State() string {
	switch {
	case a.Creating:
		return "being created"
	case a.Disabled:
		return "disabled"
	case a.NotEnforced:
		return "not enforced"
	case a.NotValid:
		return "not valid"
	}
	return "enforced"
}

// Accumulator is the numbers and sums of groups of rows that the checks of an assertion look at instead of the rows. A key is
// the StorageID followed by the group's columns in key order, NULLs first; a value is that of sql/accumulator.
type Accumulator struct {
	Storage StorageID
	Table   OID
	// Definition tells what is kept. It is derived from the condition; what is not derived any more is not there.
	Definition string
}

// Role is a user.
type Role struct {
	OID                  OID
	Name                 string
	Superuser            bool
	Login                bool
	Inherit              bool
	CreateDB, CreateRole bool
	// Password is the SCRAM-SHA-256 verifier in PostgreSQL's form, "" if there is none.
	Password string
	Comment  string
	Changed  uint64

	stamp uint64
}

// Column returns the live column of that name, nil if there is none.
func (t *Table) Column(name string) *Column {
	for _, c := range t.Columns {
		if c.Name == name && !c.Dropped {
			return c
		}
	}
	return nil
}

// PrimaryKey is the index of the primary key, nil if the table has none. Without one, the row's key is a
// number given at insertion.
func (t *Table) PrimaryKey() *Index {
	if len(t.Indexes) > 0 && t.Indexes[0].Primary {
		return t.Indexes[0]
	}
	return nil
}

// Index returns the index with that OID, nil if there is none.
func (t *Table) Index(oid OID) *Index {
	for _, x := range t.Indexes {
		if x.OID == oid {
			return x
		}
	}
	return nil
}

// RowKeyNumber is the attribute number of the row's own key, a bytea, as a system column: PostgreSQL's ctid.
// TableOIDNumber is that of tableoid. PairNumber is a column of changed rows alone (algebra.Scan.Transition): the
// row key that an updated row had before, by which its old and new images find each other; else NULL.
const (
	RowKeyNumber   int16 = -1
	TableOIDNumber int16 = -6
	PairNumber     int16 = -7
)

// Clone is a deep copy, for DDL to change and put.
func (t *Table) Clone() *Table {
	c := *t
	c.Columns = make([]*Column, len(t.Columns))
	for i, col := range t.Columns {
		d := *col
		d.Uses, d.DependsOn = slices.Clone(col.Uses), slices.Clone(col.DependsOn)
		c.Columns[i] = &d
	}
	c.Indexes = make([]*Index, len(t.Indexes))
	for i, x := range t.Indexes {
		y := *x
		y.Keys, y.Include, y.Uses = slices.Clone(x.Keys), slices.Clone(x.Include), slices.Clone(x.Uses)
		c.Indexes[i] = &y
	}
	c.Constraints = make([]*Constraint, len(t.Constraints))
	for i, k := range t.Constraints {
		l := *k
		l.Columns, l.RefColumns, l.OnDeleteColumns = slices.Clone(k.Columns), slices.Clone(k.RefColumns), slices.Clone(k.OnDeleteColumns)
		c.Constraints[i] = &l
	}
	c.Referencing = slices.Clone(t.Referencing)
	if t.View != nil {
		v := *t.View
		v.DependsOn = cloneUses(t.View.DependsOn)
		c.View = &v
	}
	if t.Sequence != nil {
		q := *t.Sequence
		c.Sequence = &q
	}
	return &c
}

func cloneUses(m map[OID][]int16) map[OID][]int16 {
	c := maps.Clone(m)
	for k, v := range c {
		c[k] = slices.Clone(v)
	}
	return c
}

// Constraint returns the constraint of that name, nil if there is none.
func (t *Table) Constraint(name string) *Constraint {
	for _, c := range t.Constraints {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// Attribute returns the column with an attribute number, dropped or not; nil if there is none.
func (t *Table) Attribute(number int16) *Column {
	if number < 1 || int(number) > len(t.Columns) {
		return nil
	}
	return t.Columns[number-1]
}
