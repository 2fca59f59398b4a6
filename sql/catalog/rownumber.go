package catalog

import (
	"context"
	"encoding/binary"
	"sync"

	"holdfast/kv"
)

// rowNumberBlock is how many row numbers are persisted ahead at a time. A crash loses the rest of a block,
// which costs nothing: there are 2^64.
const rowNumberBlock = 1 << 20

var rowNumberKey = []byte("\x00\x00\x00\x00ar")

// rowNumbers hands out the keys of rows of tables without a primary key. One ascending sequence serves all
// tables, so that rows lie in the order of their insertion, and no number is ever used twice: its block is
// persisted, in a transaction of its own, before the first of it is used.
type rowNumbers struct {
	store kv.Store

	mu          sync.Mutex
	next, limit uint64
}

// RowNumbers returns the first of n consecutive row numbers.
func (c *Catalog) RowNumbers(ctx context.Context, n int) (uint64, error) {
	r := &c.rowNumbers
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.limit-r.next < uint64(n) {
		var start, end uint64
		err := runTransaction(ctx, r.store, func(txn kv.Txn) error {
			value, ok, err := txn.Get(ctx, rowNumberKey, kv.AllColumns)
			if err != nil {
				return err
			}
			start = 1
			if ok {
				start = binary.BigEndian.Uint64(value)
			}
			end = start + max(uint64(n), rowNumberBlock)
			return txn.Set(rowNumberKey, binary.BigEndian.AppendUint64(nil, end), kv.AllColumns)
		})
		if err != nil {
			return 0, err
		}
		if start != r.limit {
			r.next = start
		}
		r.limit = end
	}
	first := r.next
	r.next += uint64(n)
	return first, nil
}
