package exec

import (
	"holdfast/sql/types"
)

// RowBuffer holds rows in memory by the column, in chunks of types.BatchRows. Row numbers count from 0.
type RowBuffer struct {
	types  []*types.Type
	chunks []*types.Batch // all but the last are full
	n      int
	bytes  int64
}

// NewRowBuffer makes an empty buffer.
func NewRowBuffer(ts []*types.Type) *RowBuffer { return &RowBuffer{types: ts} }

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

// Reset empties the buffer and keeps its memory for use again.
func (r *RowBuffer) Reset() { r.n, r.bytes = 0, 0 }
