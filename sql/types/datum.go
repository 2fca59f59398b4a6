package types

import (
	"math"

	"github.com/cockroachdb/apd/v3"
)

// Datum is one value. Its type is known from the context; it knows only its representation.
// The zero Datum is NULL. Datums are values: what they point to is never changed.
//
// It is a struct and not an interface so that integers, by far the most frequent values, cost no allocation.
type Datum struct {
	rep Rep
	i   int64
	s   string
	x   any
}

// Null is the NULL value.
var Null Datum

// NewInt and the like make a Datum of one representation.
func NewInt(v int64) Datum { return Datum{rep: RepInt, i: v} }

// NewBool makes a bool, which is held as an integer.
func NewBool(v bool) Datum {
	if v {
		return Datum{rep: RepInt, i: 1}
	}
	return Datum{rep: RepInt}
}

// NewFloat makes a float.
func NewFloat(v float64) Datum { return Datum{rep: RepFloat, i: int64(math.Float64bits(v))} }

// NewString makes a value held as a string, which includes bytea and uuid.
func NewString(v string) Datum { return Datum{rep: RepString, s: v} }

// NewDecimal makes a numeric. v must not be changed afterwards.
func NewDecimal(v *apd.Decimal) Datum { return Datum{rep: RepDecimal, x: v} }

// NewAny makes a value held as an interface: Interval, TimeTZ, *Array, *Record, *Range.
func NewAny(v any) Datum { return Datum{rep: RepAny, x: v} }

// Rep is the representation; RepNull for NULL.
func (d Datum) Rep() Rep { return d.rep }

// IsNull reports whether d is NULL.
func (d Datum) IsNull() bool { return d.rep == RepNull }

// Int, Float, String, Decimal and Any return the value; the representation must be the right one.
func (d Datum) Int() int64 { return d.i }

// Bool is the value of a bool.
func (d Datum) Bool() bool { return d.i != 0 }

// Float is the value of a float.
func (d Datum) Float() float64 { return math.Float64frombits(uint64(d.i)) }

// Str is the value of a string.
func (d Datum) Str() string { return d.s }

// Decimal is the value of a numeric; it must not be changed.
func (d Datum) Decimal() *apd.Decimal { return d.x.(*apd.Decimal) }

// Any is a value held as an interface.
func (d Datum) Any() any { return d.x }
