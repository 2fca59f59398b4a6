package exec

import (
	"math/bits"

	"holdfast/sql/types"
)

// Moving values between vectors. Destinations have room and no NULLs at the positions written, unless said otherwise.

// newBatch makes a batch of vectors without room.
func newBatch(ts []*types.Type) *types.Batch {
	b := &types.Batch{Cols: make([]*types.Vec, len(ts))}
	vecs := make([]types.Vec, len(ts))
	for i, t := range ts {
		vecs[i].Type = t
		b.Cols[i] = &vecs[i]
	}
	return b
}

// resetBatch makes room for n rows in every column and clears the NULLs.
func resetBatch(b *types.Batch, n int) {
	for _, v := range b.Cols {
		v.Resize(n)
	}
	b.N, b.Sel = n, nil
}

// clearBatch drops what the values refer to, so that vectors kept for use again keep nothing large alive.
func clearBatch(b *types.Batch) {
	for _, v := range b.Cols {
		clear(v.S[:cap(v.S)])
		clear(v.D[:cap(v.D)])
		clear(v.X[:cap(v.X)])
	}
}

// extent is the number of positions that rows span: one more than the greatest.
func extent(r types.Rows) int {
	if r.Sel == nil {
		return r.N
	}
	last := int32(-1)
	for _, i := range r.Sel {
		last = max(last, i)
	}
	return int(last) + 1
}

// position of the k-th row.
func position(r types.Rows, k int) int {
	if r.Sel == nil {
		return k
	}
	return int(r.Sel[k])
}

func hasNulls(v *types.Vec) bool {
	for _, w := range v.Nulls {
		if w != 0 {
			return true
		}
	}
	return false
}

// copyRow copies row i of src to row at of dst, which may have a NULL there.
func copyRow(dst *types.Vec, at int, src *types.Vec, i int) {
	if src.Const {
		i = 0
	}
	if src.Nulls.Has(i) {
		dst.SetNull(at)
		return
	}
	if len(dst.Nulls) > 0 {
		dst.ClearNull(at)
	}
	switch dst.Type.Rep {
	case types.RepInt:
		dst.I[at] = src.I[i]
	case types.RepFloat:
		dst.F[at] = src.F[i]
	case types.RepString:
		dst.S[at] = src.S[i]
	case types.RepDecimal:
		dst.D[at] = src.D[i]
	default:
		dst.X[at] = src.X[i]
	}
}

// copyRows copies rows of src to the same positions of dst.
func copyRows(dst, src *types.Vec, rows types.Rows) {
	if src.Const {
		fillRows(dst, src, rows)
		return
	}
	switch dst.Type.Rep {
	case types.RepInt:
		copySame(dst.I, src.I, rows)
	case types.RepFloat:
		copySame(dst.F, src.F, rows)
	case types.RepString:
		copySame(dst.S, src.S, rows)
	case types.RepDecimal:
		copySame(dst.D, src.D, rows)
	default:
		copySame(dst.X, src.X, rows)
	}
	if hasNulls(src) {
		for k := range rows.N {
			if i := position(rows, k); src.Nulls.Has(i) {
				dst.SetNull(i)
			}
		}
	}
}

func copySame[T any](dst, src []T, rows types.Rows) {
	if rows.Sel == nil {
		copy(dst[:rows.N], src)
		return
	}
	for _, i := range rows.Sel {
		dst[i] = src[i]
	}
}

// fillRows sets rows of dst to the value of a Const vector.
func fillRows(dst, src *types.Vec, rows types.Rows) {
	if src.Nulls.Has(0) {
		setNulls(dst, rows)
		return
	}
	switch dst.Type.Rep {
	case types.RepInt:
		fillSame(dst.I, src.I[0], rows)
	case types.RepFloat:
		fillSame(dst.F, src.F[0], rows)
	case types.RepString:
		fillSame(dst.S, src.S[0], rows)
	case types.RepDecimal:
		fillSame(dst.D, src.D[0], rows)
	default:
		fillSame(dst.X, src.X[0], rows)
	}
}

func fillSame[T any](dst []T, x T, rows types.Rows) {
	if rows.Sel == nil {
		for i := range dst[:rows.N] {
			dst[i] = x
		}
		return
	}
	for _, i := range rows.Sel {
		dst[i] = x
	}
}

func setNulls(v *types.Vec, rows types.Rows) {
	for k := range rows.N {
		v.SetNull(position(rows, k))
	}
}

// gather appends rows of src to dst from position at on, densely.
func gather(dst *types.Vec, at int, src *types.Vec, rows types.Rows) {
	if src.Const {
		fillTail(dst, at, src, rows.N)
		return
	}
	switch dst.Type.Rep {
	case types.RepInt:
		gatherSlice(dst.I[at:], src.I, rows)
	case types.RepFloat:
		gatherSlice(dst.F[at:], src.F, rows)
	case types.RepString:
		gatherSlice(dst.S[at:], src.S, rows)
	case types.RepDecimal:
		gatherSlice(dst.D[at:], src.D, rows)
	default:
		gatherSlice(dst.X[at:], src.X, rows)
	}
	if hasNulls(src) {
		for k := range rows.N {
			if src.Nulls.Has(position(rows, k)) {
				dst.SetNull(at + k)
			}
		}
	}
}

func gatherSlice[T any](dst, src []T, rows types.Rows) {
	if rows.Sel == nil {
		copy(dst, src[:rows.N])
		return
	}
	dst = dst[:len(rows.Sel)]
	for k, i := range rows.Sel {
		dst[k] = src[i]
	}
}

func fillTail(dst *types.Vec, at int, src *types.Vec, n int) {
	for k := range n {
		copyRow(dst, at+k, src, 0)
	}
}

// orNulls adds the NULLs of src to dst.
func orNulls(dst *types.Bitmap, src types.Bitmap) {
	for len(*dst) < len(src) {
		*dst = append(*dst, 0)
	}
	for i, w := range src {
		(*dst)[i] |= w
	}
}

// appendNotIn appends the rows that are not in a bitmap.
func appendNotIn(sel []int32, rows types.Rows, b types.Bitmap) []int32 {
	if rows.Sel != nil {
		for _, i := range rows.Sel {
			if !b.Has(int(i)) {
				sel = append(sel, i)
			}
		}
		return sel
	}
	i := 0
	for w := 0; i < rows.N && w < len(b); w++ {
		free := ^b[w]
		if n := rows.N - i; n < 64 {
			free &= 1<<n - 1
		}
		for ; free != 0; free &= free - 1 {
			sel = append(sel, int32(i+bits.TrailingZeros64(free)))
		}
		i += 64
	}
	for ; i < rows.N; i++ {
		sel = append(sel, int32(i))
	}
	return sel
}

// valueBytes is about how much memory one value takes beyond its slot in the vector, slotBytes the slot.
func valueBytes(v *types.Vec, i int) int64 {
	if v.IsNull(i) {
		return 0
	}
	switch v.Type.Rep {
	case types.RepString:
		return int64(len(v.S[i]))
	case types.RepDecimal:
		return 48
	case types.RepAny:
		return anyBytes(v.X[i])
	}
	return 0
}

func anyBytes(x any) int64 {
	switch x := x.(type) {
	case *types.Array:
		return 96 + datumsBytes(x.Elems)
	case *types.Record:
		return 96 + datumsBytes(x.Values)
	}
	return 32
}

func datumsBytes(list []types.Datum) int64 {
	n := int64(len(list)) * 56
	for _, d := range list {
		switch d.Rep() {
		case types.RepString:
			n += int64(len(d.Str()))
		case types.RepDecimal:
			n += 48
		case types.RepAny:
			n += anyBytes(d.Any())
		}
	}
	return n
}

func slotBytes(t *types.Type) int64 {
	switch t.Rep {
	case types.RepString, types.RepAny:
		return 16
	}
	return 8
}
