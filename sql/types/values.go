package types

// Interval is a value of type interval. Two intervals may compare equal and differ in their parts: 30 days are a month.
type Interval struct {
	Months int32
	Days   int32
	Micros int64
}

// TimeTZ is a value of type timetz: the local time of day, and the zone in seconds west of UTC (as PostgreSQL holds it).
type TimeTZ struct {
	Micros int64
	Zone   int32
}

// Array is a value of an array type: the elements in row-major order. The empty array has no dimensions.
// It must not be changed once it is a Datum.
type Array struct {
	Elem  *Type
	Dims  []int32 // number of elements in each dimension
	Lower []int32 // first subscript in each dimension, as long as Dims
	Elems []Datum
}

// NewSlice makes a one-dimensional array with subscripts from 1.
func NewSlice(elem *Type, elems []Datum) *Array {
	if len(elems) == 0 {
		return &Array{Elem: elem}
	}
	return &Array{Elem: elem, Dims: []int32{int32(len(elems))}, Lower: []int32{1}, Elems: elems}
}

// Record is a value of type record or of a composite type. It must not be changed once it is a Datum.
type Record struct {
	Types  []*Type
	Names  []string // nil if the fields have no names
	Values []Datum
}

// Range is a value of a range type. An infinite bound is a NULL datum. It must not be changed once it is a Datum.
type Range struct {
	Elem     *Type
	Lower    Datum
	Upper    Datum
	LowerInc bool
	UpperInc bool
	Empty    bool
}
