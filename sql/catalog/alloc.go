package catalog

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"sync"

	"holdfast/kv"
	"holdfast/sql/errs"
)

// allocator hands out consecutive numbers that are never used again. It persists the end of a block, in a
// transaction of its own, before it uses the block: a crash loses the rest of the block.
type allocator struct {
	store kv.Store
	key   []byte
	what  string
	first uint64 // the first number ever
	block uint64

	mu          sync.Mutex
	next, limit uint64 // next <= limit; numbers from next to limit-1 are ours
}

// take returns the first of n consecutive numbers.
func (a *allocator) take(ctx context.Context, n int) (uint32, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for a.limit-a.next < uint64(n) {
		if err := a.extend(ctx, uint64(n)); err != nil {
			return 0, err
		}
	}
	v := a.next
	a.next += uint64(n)
	return uint32(v), nil
}

// extend persists a further block. It joins on to the present one, since nobody else allocates in this store.
func (a *allocator) extend(ctx context.Context, n uint64) error {
	var start, end uint64
	err := runTransaction(ctx, a.store, func(txn kv.Txn) error {
		value, ok, err := txn.Get(ctx, a.key, kv.AllColumns)
		if err != nil {
			return err
		}
		start = a.first
		if ok {
			start = binary.BigEndian.Uint64(value)
		}
		end = start + max(n, a.block)
		if end > math.MaxUint32 {
			return errs.New(errs.ProgramLimitExceeded, "out of %s", a.what)
		}
		return txn.Set(a.key, binary.BigEndian.AppendUint64(nil, end), kv.AllColumns)
	})
	if err != nil {
		return err
	}
	if start != a.limit {
		a.next = start
	}
	a.limit = end
	return nil
}

// runTransaction runs a small transaction of its own, again and again while it conflicts.
func runTransaction(ctx context.Context, store kv.Store, body func(kv.Txn) error) error {
	for newest := false; ; newest = true {
		txn, err := store.Begin(ctx, kv.TxnOptions{Newest: newest})
		if err != nil {
			return err
		}
		if err = body(txn); err == nil {
			_, err = txn.Commit(ctx)
		}
		txn.Rollback()
		if !errors.Is(err, kv.ErrConflict) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}
