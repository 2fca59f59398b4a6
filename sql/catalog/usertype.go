package catalog

import "holdfast/sql/types"

// UserType is a type made by CREATE TYPE or CREATE DOMAIN. (Row types of tables are part of their Table.)
type UserType struct {
	OID      OID
	ArrayOID OID
	Schema   OID
	Name     string
	Owner    OID
	Kind     byte // pg_type.typtype: 'e' enum, 'd' domain, 'c' composite
	Comment  string
	Changed  uint64
	// Dropped types are kept only because the stored rows of dropped columns have values of them.
	Dropped bool

	Labels []types.EnumLabel // of an enum, in order

	// Of a domain.
	Base      *types.Type
	BaseMod   int32
	NotNull   bool
	Default   string
	Collation string
	Checks    []*Constraint // Kind CheckConstraint, Table 0; Expr speaks of VALUE

	// Of a composite type: OID of its pg_class row, and its attributes.
	Relation OID
	Columns  []*Column

	// Type is the descriptor, made from the above.
	Type *types.Type `json:"-"`

	stamp uint64
}
