// Package types holds the SQL types: their descriptors, their values one at a time (Datum) and by the
// column (Vec), their text and binary forms, and the encodings of keys and rows.
package types

// OID identifies a catalog object, with PostgreSQL's numbers for what PostgreSQL has too.
type OID uint32

// Rep is how values of a type are held in memory. Every type has exactly one.
type Rep uint8

const (
	RepNull    Rep = iota // only in Datum: the NULL value
	RepInt                // int64: bool (0, 1), int2, int4, int8, oid, reg*, date (days), time, timestamp[tz] (µs since 2000-01-01), enum (label's OID)
	RepFloat              // float64: float4 (already rounded to 32 bits), float8
	RepString             // string: text, varchar, bpchar, name, "char", bytea, uuid (16 bytes), json, unknown, void
	RepDecimal            // *apd.Decimal: numeric; never changed once made; exponent <= 0 is minus the display scale
	RepAny                // any: Interval, TimeTZ, *Array, *Record, *Range
)

// Type describes one SQL type. There is one *Type per OID: compare pointers. Types are made by this package's
// table of built-in types and by NewEnum, NewDomain, NewComposite and NewArray, never as a literal, because
// the codecs are found by an unexported field.
type Type struct {
	OID       OID
	Name      string // pg_type.typname: "int4", "_int4"
	SQLName   string // as format_type prints it: "integer", "integer[]"
	Rep       Rep
	Len       int16 // typlen: bytes, -1 variable, -2 C string
	ByVal     bool
	Align     byte // typalign
	Kind      byte // typtype: 'b' base, 'p' pseudo, 'c' composite, 'e' enum, 'd' domain, 'r' range
	Category  byte // typcategory
	Preferred bool
	Elem      *Type // element type of an array, int2vector, oidvector; nil otherwise
	Array     *Type // the array type over this one; nil if none
	Delim     byte  // between elements of an array's text
	Collation OID   // 100 for collatable types, 950 for name, else 0

	Base       *Type       // of a domain: the type it is over, never a domain itself; nil otherwise
	BaseTypmod int32       // of a domain: the typmod of Base
	Labels     []EnumLabel // of an enum: by Sort
	Fields     []Field     // of a composite type

	class class // which codec; domains have that of their base
}

// EnumLabel is a value of an enum type. A datum holds its OID; Sort orders the values.
type EnumLabel struct {
	OID  OID
	Name string
	Sort float32
}

// Field is an attribute of a composite type.
type Field struct {
	Name    string
	Type    *Type
	Typmod  int32
	Dropped bool
}

func (t *Type) String() string { return t.SQLName }

// IsArray reports whether values are *Array of a true array type (not int2vector or oidvector).
func (t *Type) IsArray() bool {
	return t.Elem != nil && t.Len == -1 && t.OID != int2VectorOID && t.OID != oidVectorOID
}

// Underlying is the base type of a domain, and t itself otherwise.
func (t *Type) Underlying() *Type {
	if t.Base != nil {
		return t.Base
	}
	return t
}

// NoTypmod is the type modifier of a type without one. Typmods are PostgreSQL's: varchar(n) is n+4,
// numeric(p,s) is (p<<16|s&0x7ff)+4, timestamp(p) is p.
const NoTypmod int32 = -1
