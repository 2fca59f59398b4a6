package catalog

import "holdfast/sql/errs"

// Dependent is an object that cannot stay as it is without another one.
type Dependent struct {
	Kind   DependentKind
	OID    OID   // of the object itself; of the table for a DependentDefault or DependentColumn
	Column int16 // DependentDefault, DependentColumn
	// Auto objects go with what they depend on without CASCADE: the indexes and constraints of a dropped
	// column, a sequence owned by it.
	Auto bool
	// On is what it depends on, described.
	On string
}

// DependentKind is the kind of a Dependent.
type DependentKind uint8

const (
	DependentTable      DependentKind = iota // table, view or sequence, with the OID
	DependentIndex                           // of the table it is part of
	DependentConstraint                      // check, unique, primary key or foreign key constraint
	DependentAssertion
	DependentDefault // default or generation expression of a column
	DependentColumn  // column of a table, of a type
	DependentType
)

// Dependents are the objects that directly depend on a relation, type, constraint, index or schema, or on one
// column of a relation (column 0: on the whole, columns included). Parts of the object itself are left out.
func (s *Snapshot) Dependents(oid OID, column int16) []Dependent { return nil }

// DependencyError is the refusal (2BP01) to drop or change what, as Describe puts it, because of all objects
// that depend on it, directly or not; nil if there are none but those that go by themselves.
func (s *Snapshot) DependencyError(oid OID, column int16) *errs.Error { return nil }

// Describe is how messages speak of an object: `table t`, `constraint c on table t`, `assertion a`. Names are
// qualified unless visible.
func (s *Snapshot) Describe(oid OID, searchPath []string) string { return "" }

// DescribeColumn is `column c of table t`.
func (s *Snapshot) DescribeColumn(oid OID, column int16, searchPath []string) string { return "" }

// DescribeDependent is Describe for a Dependent.
func (s *Snapshot) DescribeDependent(d Dependent, searchPath []string) string { return "" }
