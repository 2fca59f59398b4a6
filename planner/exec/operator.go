package exec

import (
	"holdfast/sql/types"
)

// Operator runs a Node. It belongs to one execution at a time and can be used again by the next.
type Operator interface {
	// Open starts the operator, or starts it over, with the outer values that are set now. Open without
	// a Close before it is a rescan: what does not depend on the outer values may be kept.
	Open(ctx *Ctx) error
	// Next returns the next rows, at least one and at most max (> 0), or nil at the end. The batch is valid until the
	// next call of any method. An operator reads no more from the store than max rows ask for, because what is
	// read is in the transaction's footprint: LIMIT passes on what it still wants, a portal what the client wants.
	Next(ctx *Ctx, max int) (*types.Batch, error)
	// Close frees what the execution holds: iterators, memory, files. It may be called at any time, also twice,
	// and after a failed Open.
	Close() error
}
