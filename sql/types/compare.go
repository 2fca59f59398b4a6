package types

import (
	"cmp"
	"math"
	"math/bits"
	"strings"
)

// HasOrder reports whether the type has an order, so that it can be sorted, indexed and compared: json cannot.
func HasOrder(t *Type) bool {
	switch t.class {
	case classJSON, classVoid, classNone:
		return false
	case classArray:
		return t.Elem == nil || HasOrder(t.Elem)
	case classRecord:
		for _, f := range t.Fields {
			if !f.Dropped && !HasOrder(f.Type) {
				return false
			}
		}
	}
	return true
}

// Compare orders two non-NULL values of type t as its default btree operator class does: NaN is the greatest,
// text goes by bytes, bpchar ignores trailing blanks. Types without order compare by their representation.
func Compare(t *Type, a, b Datum) int {
	switch t.class {
	case classEnum:
		if a.i == b.i {
			return 0
		}
		return cmp.Compare(t.labelSort(OID(a.i)), t.labelSort(OID(b.i)))
	case classFloat4, classFloat8:
		return compareFloat(a.Float(), b.Float())
	case classNumeric:
		return NumericCompare(a.Decimal(), b.Decimal())
	case classBpchar:
		return strings.Compare(trimBlanks(a.s), trimBlanks(b.s))
	case classJSONB:
		return compareJSONB(a.s, b.s)
	case classInterval:
		return a.x.(Interval).Compare(b.x.(Interval))
	case classTimeTZ:
		x, y := a.x.(TimeTZ), b.x.(TimeTZ)
		if c := cmp.Compare(x.utc(), y.utc()); c != 0 {
			return c
		}
		return cmp.Compare(x.Zone, y.Zone)
	case classArray, classVector:
		return compareArrays(a.x.(*Array), b.x.(*Array))
	case classRecord:
		return compareRecords(a.x.(*Record), b.x.(*Record))
	case classRange:
		return compareRanges(a.x.(*Range), b.x.(*Range))
	}
	if t.Rep == RepInt {
		return cmp.Compare(a.i, b.i)
	}
	return strings.Compare(a.s, b.s)
}

// Equal reports whether two non-NULL values are equal: Compare == 0.
func Equal(t *Type, a, b Datum) bool {
	switch t.class {
	case classText, classBytea, classUUID, className, classChar:
		return a.s == b.s
	}
	if t.Rep == RepInt {
		return a.i == b.i
	}
	return Compare(t, a, b) == 0
}

// CompareVec orders row i of a and row j of b, vectors of one type, neither NULL.
func CompareVec(a *Vec, i int, b *Vec, j int) int {
	if a.Const {
		i = 0
	}
	if b.Const {
		j = 0
	}
	t := a.Type
	switch t.Rep {
	case RepInt:
		if t.class != classEnum {
			return cmp.Compare(a.I[i], b.I[j])
		}
	case RepFloat:
		return compareFloat(a.F[i], b.F[j])
	case RepString:
		if t.class != classBpchar && t.class != classJSONB {
			return strings.Compare(a.S[i], b.S[j])
		}
	case RepDecimal:
		return NumericCompare(a.D[i], b.D[j])
	}
	return Compare(t, a.Datum(i), b.Datum(j))
}

// EqualVec reports whether row i of a and row j of b, vectors of one type, are equal. Two NULLs are (as for GROUP BY).
func EqualVec(a *Vec, i int, b *Vec, j int) bool {
	if a.Const {
		i = 0
	}
	if b.Const {
		j = 0
	}
	if len(a.Nulls) != 0 || len(b.Nulls) != 0 {
		x, y := a.Nulls.Has(i), b.Nulls.Has(j)
		if x || y {
			return x && y
		}
	}
	switch a.Type.Rep {
	case RepInt:
		return a.I[i] == b.I[j]
	case RepString:
		if c := a.Type.class; c != classBpchar && c != classJSONB {
			return a.S[i] == b.S[j]
		}
	}
	return Equal(a.Type, a.Datum(i), b.Datum(j))
}

// compareFloat is PostgreSQL's: NaN equals itself and is greater than all else; -0 equals 0.
func compareFloat(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	case a == b:
		return 0
	}
	x, y := math.IsNaN(a), math.IsNaN(b)
	switch {
	case x && y:
		return 0
	case x:
		return 1
	}
	return -1
}

func trimBlanks(s string) string {
	n := len(s)
	for n > 0 && s[n-1] == ' ' {
		n--
	}
	return s[:n]
}

// Compare orders intervals by their length, with a month of 30 days and a day of 24 hours.
func (iv Interval) Compare(o Interval) int {
	h1, l1 := iv.span()
	h2, l2 := o.span()
	if c := cmp.Compare(h1, h2); c != 0 {
		return c
	}
	return cmp.Compare(l1, l2)
}

// span is the length in µs as a 128-bit integer in two's complement.
func (iv Interval) span() (hi int64, lo uint64) {
	days := int64(iv.Months)*30 + int64(iv.Days)
	neg := days < 0
	u := uint64(days)
	if neg {
		u = -u
	}
	h, l := bits.Mul64(u, uint64(MicrosPerDay))
	if neg {
		var borrow uint64
		l, borrow = bits.Sub64(0, l, 0)
		h, _ = bits.Sub64(0, h, borrow)
	}
	l, carry := bits.Add64(l, uint64(iv.Micros), 0)
	h, _ = bits.Add64(h, uint64(iv.Micros>>63), carry)
	return int64(h), l
}

// intervalFromSpan is an interval of that length, with as many months and then days as possible.
func intervalFromSpan(hi int64, lo uint64) (iv Interval, ok bool) {
	neg := hi < 0
	h := uint64(hi)
	if neg {
		var borrow uint64
		lo, borrow = bits.Sub64(0, lo, 0)
		h, _ = bits.Sub64(0, h, borrow)
	}
	if h >= uint64(MicrosPerDay) { // the quotient would not fit
		return iv, false
	}
	days, micros := bits.Div64(h, lo, uint64(MicrosPerDay))
	// The extremes of the parts together are a little more than months and days can hold on their own.
	months := min(days/30, math.MaxInt32)
	days -= months * 30
	whole := min(days, math.MaxInt32)
	if days -= whole; days > 1<<27 {
		return iv, false
	}
	micros += days * uint64(MicrosPerDay)
	if micros > math.MaxInt64 {
		return iv, false
	}
	iv = Interval{Months: int32(months), Days: int32(whole), Micros: int64(micros)}
	if neg {
		iv = Interval{Months: -iv.Months, Days: -iv.Days, Micros: -iv.Micros}
	}
	return iv, true
}

// utc is the time of day in UTC, in µs; it may be outside of a day.
func (t TimeTZ) utc() int64 { return t.Micros + int64(t.Zone)*MicrosPerSecond }

func compareNullsLast(t *Type, a, b Datum) int {
	switch x, y := a.IsNull(), b.IsNull(); {
	case x && y:
		return 0
	case x:
		return 1
	case y:
		return -1
	}
	return Compare(t, a, b)
}

// compareArrays goes by the elements, then by their number, then by the shape.
func compareArrays(a, b *Array) int {
	for i := 0; i < len(a.Elems) && i < len(b.Elems); i++ {
		if c := compareNullsLast(a.Elem, a.Elems[i], b.Elems[i]); c != 0 {
			return c
		}
	}
	if c := cmp.Compare(len(a.Elems), len(b.Elems)); c != 0 {
		return c
	}
	if c := cmp.Compare(len(a.Dims), len(b.Dims)); c != 0 {
		return c
	}
	for i := range a.Dims {
		if c := cmp.Compare(a.Dims[i], b.Dims[i]); c != 0 {
			return c
		}
	}
	for i := range a.Lower {
		if c := cmp.Compare(a.Lower[i], b.Lower[i]); c != 0 {
			return c
		}
	}
	return 0
}

// compareRecords goes by the fields. Fields of different types, which the binder refuses, go by the type's OID.
func compareRecords(a, b *Record) int {
	for i := 0; i < len(a.Values) && i < len(b.Values); i++ {
		if a.Types[i] != b.Types[i] {
			if c := cmp.Compare(a.Types[i].OID, b.Types[i].OID); c != 0 {
				return c
			}
		}
		if c := compareNullsLast(a.Types[i], a.Values[i], b.Values[i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a.Values), len(b.Values))
}

// compareRanges goes by the lower bound, then the upper; the empty range is the least.
func compareRanges(a, b *Range) int {
	if a.Empty || b.Empty {
		switch {
		case a.Empty && b.Empty:
			return 0
		case a.Empty:
			return -1
		}
		return 1
	}
	if c := compareBounds(a.Elem, a.Lower, b.Lower, a.LowerInc, b.LowerInc, true); c != 0 {
		return c
	}
	return compareBounds(a.Elem, a.Upper, b.Upper, a.UpperInc, b.UpperInc, false)
}

func compareBounds(t *Type, a, b Datum, aInc, bInc, lower bool) int {
	infinite := 1
	if lower {
		infinite = -1
	}
	switch x, y := a.IsNull(), b.IsNull(); {
	case x && y:
		return 0
	case x:
		return infinite
	case y:
		return -infinite
	}
	if c := Compare(t, a, b); c != 0 || aInc == bInc {
		return c
	}
	if aInc == lower {
		return -1
	}
	return 1
}

// labelSort is the sort position of an enum's value.
func (t *Type) labelSort(oid OID) float32 {
	for i := range t.Labels {
		if t.Labels[i].OID == oid {
			return t.Labels[i].Sort
		}
	}
	return float32(math.Inf(1)) // a value of a label that is gone; only a corrupt row has it
}
