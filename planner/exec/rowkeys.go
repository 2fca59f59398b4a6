package exec

import (
	"bytes"
	"slices"

	"holdfast/planner/exec/rowio"
	"holdfast/sql/types"
)

// rowKeys are the keys of the new rows of one batch, by the order of the rows.
type rowKeys struct {
	keys [][]byte // in kv
	rows []string // row keys: the same without the table's prefix

	text    []byte // row keys side by side
	longest int    // bytes of a key, of all batches so far
}

// rowKeys gives new rows their keys: those of the primary key's values, or numbers.
func (o *insertOp) rowKeys(ctx *Ctx, in *types.Batch) error {
	w, n := o.writer, in.N
	to := &o.keys
	to.keys, to.rows, to.text = resized(to.keys, n), resized(to.rows, n), to.text[:0]
	prefix := w.codec.Prefix()
	columns := w.codec.KeyColumns()
	var number uint64
	if columns == nil {
		var err error
		if number, err = ctx.RowNumbers(ctx, n); err != nil {
			return ctx.Error(err)
		}
	}
	for k := range n {
		buf := append(w.kept.room(max(to.longest, len(prefix)+8)), prefix...)
		if columns == nil {
			buf = rowio.AppendRowNumber(buf, number+uint64(k))
		} else {
			r := position(in.Rows, k)
			for _, c := range columns {
				o.row[c.Number-1] = o.rows.Cols[c.Number-1].Datum(r)
			}
			buf = w.codec.AppendRowKey(buf, o.row)
		}
		to.longest = max(to.longest, len(buf))
		to.keys[k] = w.kept.keep(buf)
		to.text = append(to.text, buf[len(prefix):]...)
	}
	text := string(to.text)
	for k, key := range to.keys {
		size := len(key) - len(prefix)
		to.rows[k], text = text[:size], text[size:]
	}
	return nil
}

// forget lets go of the keys.
func (r *rowKeys) forget() {
	clear(r.keys)
	clear(r.rows)
}

// resized is a slice of n elements, of undefined content, in the place of another.
func resized[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// allAbsent reports whether keys are all different and none of them is there. If not, which row has to fail is
// found out by looking for one key after the other, as rows are written.
func (w *rowWriter) allAbsent(ctx *Ctx, keys [][]byte) (bool, error) {
	ascending := func(keys [][]byte) bool {
		for i := 1; i < len(keys); i++ {
			if bytes.Compare(keys[i-1], keys[i]) >= 0 {
				return false
			}
		}
		return true
	}
	if !ascending(keys) {
		w.sorted = append(w.sorted[:0], keys...)
		defer func() { clear(w.sorted) }()
		keys = w.sorted
		if slices.SortFunc(keys, bytes.Compare); !ascending(keys) {
			return false, nil
		}
	}
	at, err := ctx.Txn.FirstPresent(ctx, keys)
	return at < 0, ctx.Error(err)
}
