package types

import "github.com/cockroachdb/apd/v3"

// BatchRows is the number of rows operators aim to put in a batch.
const BatchRows = 1024

// Vec is a column of values of one type. Which slice holds the values is told by Type.Rep; its length is at
// least the number of rows. The value of a NULL row is undefined.
//
// A Vec with Const set has one value, at index 0, that stands for every row. Const vectors exist only
// between expressions: the columns of a Batch are never Const.
type Vec struct {
	Type  *Type
	Const bool
	Nulls Bitmap // bit set: NULL. Empty (length 0): no NULL
	I     []int64
	F     []float64
	S     []string
	D     []*apd.Decimal
	X     []any
}

// Bitmap is a set of small numbers. A bitmap of length 0 is the empty set.
type Bitmap []uint64

// Has reports whether i is in the set.
func (b Bitmap) Has(i int) bool { return len(b) > i>>6 && b[i>>6]&(1<<(uint(i)&63)) != 0 }

// Rows names rows of a batch: those in Sel, in order, or the first N if Sel is nil. When Sel is not nil
// N is its length.
type Rows struct {
	N   int
	Sel []int32
}

// Batch is some rows by the column. All columns have values at the positions named by Rows.
// A batch and its vectors belong to the operator that returned it, until its next call; strings and other
// things pointed to are never changed.
type Batch struct {
	Rows
	Cols []*Vec
}

// NewVec makes a vector of n rows, none NULL.
func NewVec(t *Type, n int) *Vec {
	v := &Vec{Type: t}
	v.Resize(n)
	return v
}

// Resize makes room for n rows and clears the NULLs and Const. Values up to the old length stay.
func (v *Vec) Resize(n int) {
	v.Const = false
	v.Nulls = v.Nulls[:0]
	switch v.Type.Rep {
	case RepInt:
		v.I = grow(v.I, n)
	case RepFloat:
		v.F = grow(v.F, n)
	case RepString:
		v.S = grow(v.S, n)
	case RepDecimal:
		v.D = grow(v.D, n)
	default:
		v.X = grow(v.X, n)
	}
}

func grow[T any](s []T, n int) []T {
	if cap(s) >= n {
		return s[:n]
	}
	t := make([]T, n, max(n, 2*cap(s)))
	copy(t, s)
	return t
}

// SetNull makes row i NULL.
func (v *Vec) SetNull(i int) {
	for len(v.Nulls) <= i>>6 {
		v.Nulls = append(v.Nulls, 0)
	}
	v.Nulls[i>>6] |= 1 << (uint(i) & 63)
}

// ClearNull makes row i not NULL.
func (v *Vec) ClearNull(i int) {
	if len(v.Nulls) > i>>6 {
		v.Nulls[i>>6] &^= 1 << (uint(i) & 63)
	}
}

// IsNull reports whether row i is NULL.
func (v *Vec) IsNull(i int) bool {
	if v.Const {
		i = 0
	}
	return v.Nulls.Has(i)
}

// Datum is the value of row i.
func (v *Vec) Datum(i int) Datum {
	if v.Const {
		i = 0
	}
	if v.Nulls.Has(i) {
		return Null
	}
	switch v.Type.Rep {
	case RepInt:
		return NewInt(v.I[i])
	case RepFloat:
		return NewFloat(v.F[i])
	case RepString:
		return NewString(v.S[i])
	case RepDecimal:
		return NewDecimal(v.D[i])
	default:
		return NewAny(v.X[i])
	}
}

// Set puts a value into row i, which must be within the length.
func (v *Vec) Set(i int, d Datum) {
	if d.rep == RepNull {
		v.SetNull(i)
		return
	}
	v.ClearNull(i)
	switch v.Type.Rep {
	case RepInt:
		v.I[i] = d.i
	case RepFloat:
		v.F[i] = d.Float()
	case RepString:
		v.S[i] = d.s
	case RepDecimal:
		v.D[i] = d.x.(*apd.Decimal)
	default:
		v.X[i] = d.x
	}
}
