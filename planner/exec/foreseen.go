package exec

import (
	"errors"

	"holdfast/kv"
	"holdfast/sql/types"
)

// Foreseen is kv.ErrStale of a statement that would have changed Rows rows of the snapshot's state, had it not met one that
// is newer. If it changes as many of the newest state, nobody can tell from its answer which of the two it has seen,
// and the answer need not wait until the newest is durable.
//
// It is made only where the answer is nothing but that number, and where what else may go wrong, values that cannot be
// computed or that a CHECK refuses, has been tried on the snapshot's rows.
type Foreseen struct {
	Err  error
	Rows int64
}

func (e *Foreseen) Error() string { return e.Err.Error() }

// Unwrap gives kv.ErrStale.
func (e *Foreseen) Unwrap() error { return e.Err }

// foreseeable reports whether the answer of an UPDATE is the number of rows, and depends on nothing that is found out after
// the rows have been locked and their new images made: no rules, no unique keys, no other statement of a WITH query.
func (o *updateOp) foreseeable(ctx *Ctx) bool {
	return ctx.rules == nil && len(o.targets) == 1 && o.targets[0].mode == kv.LockNoKeyUpdate && o.targets[0].maker == nil &&
		len(o.returned.items) == 0 && len(o.checks) == 0 && o.verify == nil && o.node.View == nil && len(o.node.Rules) == 0
}

// foresee adds to the error of locking the one row of a batch what the statement would have come to without it.
func (o *updateOp) foresee(ctx *Ctx, b *types.Batch, err error) error {
	if !errors.Is(err, kv.ErrStale) || !o.foreseeable(ctx) || o.compute(ctx, b) != nil {
		return err
	}
	return &Foreseen{Err: err, Rows: o.affected}
}
