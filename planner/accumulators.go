package planner

import (
	"bytes"
	"context"
	"fmt"

	"holdfast/kv"
	"holdfast/planner/exec"
	"holdfast/planner/optimize"
	"holdfast/sql/catalog"
)

// CheckAccumulators compares what is kept of rows for assertions with what it should be, by counting all rows anew. It returns one text for
// each difference, and how many groups it has compared.
func (e *Engine) CheckAccumulators(ctx context.Context) (wrong []string, groups int, err error) {
	txn, err := e.store.Begin(ctx, kv.TxnOptions{ReadOnly: true})
	if err != nil {
		return nil, 0, err
	}
	defer txn.Rollback()
	snapshot, err := e.catalog.Snapshot(ctx, txn)
	if err != nil {
		return nil, 0, err
	}
	x := &exec.Ctx{Reader: txn.View(), Txn: txn, Catalog: snapshot}
	x.Ctx.Context = ctx
	for _, a := range snapshot.Assertions() {
		list, err := optimize.Kept(ctx, optimize.Options{Snapshot: snapshot}, a)
		if err != nil {
			return nil, 0, err
		}
		if len(list) != len(a.Accumulators) {
			wrong = append(wrong, fmt.Sprintf("assertion %s has %d accumulators, and %d are written", a.Name, len(a.Accumulators), len(list)))
		}
		for _, acc := range list {
			want, err := exec.Recount(x, acc)
			if err != nil {
				return nil, 0, err
			}
			groups += len(want)
			it := txn.Scan(ctx, kv.PrefixRange(catalog.RowPrefix(acc.Storage)), kv.ScanOptions{Columns: kv.AllColumns})
			for it.Next() {
				key := string(it.Key())
				if !bytes.Equal(want[key], it.Value()) {
					wrong = append(wrong, fmt.Sprintf("assertion %s, group %x of %s: %x is kept, of the rows it is %x", a.Name, key, acc.Table.Name, it.Value(), want[key]))
				}
				delete(want, key)
			}
			err = it.Err()
			if e := it.Close(); err == nil {
				err = e
			}
			if err != nil {
				return nil, 0, err
			}
			for key, v := range want {
				wrong = append(wrong, fmt.Sprintf("assertion %s, group %x of %s: nothing is kept, of the rows it is %x", a.Name, key, acc.Table.Name, v))
			}
		}
	}
	return wrong, groups, nil
}
