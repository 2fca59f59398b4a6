package exec

import (
	"holdfast/sql/types"
)

// RowBuffer holds rows in memory by the column, in chunks of types.BatchRows. Row numbers count from 0.
type RowBuffer struct {
	types  []*types.Type
	slots  int64 // bytes of one row's slots
	chunks []*types.Batch
	n      int
	bytes  int64
}

// NewRowBuffer makes an empty buffer.
func NewRowBuffer(ts []*types.Type) *RowBuffer {
	r := &RowBuffer{types: ts, slots: 8}
	for _, t := range ts {
		r.slots += slotBytes(t)
	}
	return r
}

// Types are the types of the columns. The slice must not be changed.
func (r *RowBuffer) Types() []*types.Type { return r.types }

// Len is the number of rows.
func (r *RowBuffer) Len() int { return r.n }

// Bytes is the memory held, about.
func (r *RowBuffer) Bytes() int64 { return r.bytes }

// Chunks is the number of batches, each but the last with types.BatchRows rows.
func (r *RowBuffer) Chunks() int { return (r.n + types.BatchRows - 1) / types.BatchRows }

// Chunk is the batch of rows i*types.BatchRows and on. It must not be changed, and is valid until Reset.
func (r *RowBuffer) Chunk(i int) *types.Batch { return r.chunks[i] }

// Row is where row i lies: a batch and the position in it.
func (r *RowBuffer) Row(i int) (*types.Batch, int) {
	return r.chunks[i/types.BatchRows], i % types.BatchRows
}

// Reset empties the buffer and keeps some of its memory for use again.
func (r *RowBuffer) Reset() {
	if len(r.chunks) > 4 {
		clear(r.chunks[4:])
		r.chunks = r.chunks[:4]
	}
	for _, c := range r.chunks {
		if c.N > 0 {
			clearBatch(c)
			c.N = 0
		}
	}
	r.n, r.bytes = 0, 0
}

// tail is the last chunk, with room for up to n more rows, and how many of them fit.
func (r *RowBuffer) tail(n int) (*types.Batch, int, int) {
	k := r.n / types.BatchRows
	if k == len(r.chunks) {
		r.chunks = append(r.chunks, newBatch(r.types))
	}
	c, at := r.chunks[k], r.n%types.BatchRows
	if at == 0 {
		resetBatch(c, 0)
	}
	n = min(n, types.BatchRows-at)
	for _, v := range c.Cols {
		extendVec(v, at+n)
	}
	c.N = at + n
	r.n += n
	r.bytes += int64(n) * r.slots
	return c, at, n
}

// extendVec makes room for n rows and keeps the values and NULLs there are.
func extendVec(v *types.Vec, n int) {
	nulls := v.Nulls
	v.Resize(n)
	v.Nulls = nulls
}

// Append copies the rows of a batch to the end.
func (r *RowBuffer) Append(b *types.Batch) {
	rows := b.Rows
	for rows.N > 0 {
		c, at, n := r.tail(rows.N)
		part := types.Rows{N: n}
		if rows.Sel != nil {
			part.Sel = rows.Sel[:n]
			rows.Sel = rows.Sel[n:]
		} else if n < rows.N || b.N != rows.N { // a piece of dense rows
			first := b.N - rows.N
			for i, v := range c.Cols {
				for k := range n {
					copyRow(v, at+k, b.Cols[i], first+k)
				}
			}
			r.count(c, at, n)
			rows.N -= n
			continue
		}
		for i, v := range c.Cols {
			gather(v, at, b.Cols[i], part)
		}
		r.count(c, at, n)
		rows.N -= n
	}
}

// AppendRow copies row i of a batch to the end.
func (r *RowBuffer) AppendRow(b *types.Batch, i int) {
	c, at, _ := r.tail(1)
	for k, v := range c.Cols {
		copyRow(v, at, b.Cols[k], i)
	}
	r.count(c, at, 1)
}

// AppendDatums copies one row to the end.
func (r *RowBuffer) AppendDatums(row []types.Datum) {
	c, at, _ := r.tail(1)
	for k, v := range c.Cols {
		v.Set(at, row[k])
	}
	r.count(c, at, 1)
}

// count adds what the values of n new rows hold.
func (r *RowBuffer) count(c *types.Batch, at, n int) {
	for _, v := range c.Cols {
		if rep := v.Type.Rep; rep != types.RepInt && rep != types.RepFloat {
			for i := at; i < at+n; i++ {
				r.bytes += valueBytes(v, i)
			}
		}
	}
}
