package exec

import (
	"bytes"
	"errors"
	"slices"

	"holdfast/kv"
	"holdfast/planner/exec/rowio"
	"holdfast/sql/algebra"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// storedRow is a row as it is read for being written elsewhere. It is valid until the next.
type storedRow struct {
	row    []types.Datum // by attribute number - 1; only those asked for mean anything
	rowKey []byte
	value  []byte // as stored
}

// eachRow calls f for every row of a table as the transaction sees it, with some columns by attribute number - 1, all of them
// if columns is nil.
func eachRow(ctx *Ctx, t *catalog.Table, columns []int, f func(r *storedRow) error) error {
	codec := rowio.NewTableCodec(t)
	it := ctx.Txn.View().Scan(ctx, kv.PrefixRange(codec.Prefix()), kv.ScanOptions{Columns: kv.AllColumns, Bulk: true})
	defer it.Close()
	r := storedRow{row: make([]types.Datum, len(t.Columns))}
	for n := 0; it.Next(); n++ {
		if n%types.BatchRows == 0 {
			if err := ctx.Canceled(); err != nil {
				return err
			}
		}
		value := it.Value()
		if columns == nil {
			if err := codec.DecodeRow(value, r.row); err != nil {
				return err
			}
		} else if err := codec.DecodeColumns(value, columns, r.row); err != nil {
			return err
		}
		r.rowKey, r.value = codec.RowKey(it.Key()), value
		if err := f(&r); err != nil {
			return err
		}
	}
	return ctx.Error(it.Err())
}

// columnsOf are the columns, by attribute number - 1, of the table's key and of some of its indexes; nil if expressions may need any.
func (w *rowWriter) columnsOf(indexes ...int) []int {
	list := []int{}
	add := func(n int16) {
		if n > 0 && !slices.Contains(list, int(n-1)) {
			list = append(list, int(n-1))
		}
	}
	for _, c := range w.codec.KeyColumns() {
		add(c.Number)
	}
	for _, i := range indexes {
		if len(w.exprs[i]) > 0 || w.preds[i] != nil {
			return nil
		}
		x := w.indexes[i].Index
		for _, k := range x.Keys {
			add(k.Column)
		}
		for _, n := range x.Include {
			add(n)
		}
	}
	return list
}

// fillEntry gives the entry of one index for a row to a filler.
func (w *rowWriter) fillEntry(ctx *Ctx, f *filler, i int, row []types.Datum, rowKey string) error {
	k, v, _, present, err := w.entry(ctx, i, row, rowKey, w.newKey[:0], w.newVal[:0])
	if err != nil || !present {
		return err
	}
	w.newKey, w.newVal = k, v
	return f.add(ctx, w.keep(k), w.keep(v))
}

// keep copies what is going to be given to the transaction.
func (w *rowWriter) keep(b []byte) []byte { return w.kept.keep(append(w.kept.room(len(b)), b...)) }

// FillIndex writes the entries of a new index for all rows of its table. A duplicate key of a unique index is
// 23505.
func FillIndex(ctx *Ctx, target *Target, x *catalog.Index) error {
	w, err := NewBuilder().rowWriter(target)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(w.indexes, func(ic *rowio.IndexCodec) bool { return ic.Index.OID == x.OID })
	if i < 0 {
		return nil // the primary key's, which has no entries
	}
	f := &filler{unique: x.Unique, limit: fillBytes(ctx)}
	columns := w.columnsOf(i)
	err = eachRow(ctx, target.Table, columns, func(r *storedRow) error { return w.fillEntry(ctx, f, i, r.row, string(r.rowKey)) })
	if err == nil {
		err = f.flush(ctx)
	}
	return w.nameDuplicate(ctx, err, func(f func(row []types.Datum, rowKey string) error) error {
		return eachRow(ctx, target.Table, nil, func(r *storedRow) error { return f(r.row, string(r.rowKey)) })
	})
}

// nameDuplicate makes of an errDuplicateKey the error for the client, of a key of the table or of an index that comes twice among rows, each
// of which it is shown again. Other errors it returns as they are.
func (w *rowWriter) nameDuplicate(ctx *Ctx, err error, each func(func(row []types.Datum, rowKey string) error) error) error {
	duplicate := (*errDuplicateKey)(nil)
	if !errors.As(err, &duplicate) {
		return err
	}
	err = each(func(row []types.Datum, rowKey string) error {
		if w.codec.KeyColumns() != nil && bytes.Equal(w.key(rowKey), duplicate.key) {
			return w.duplicate(ctx, w.table.PrimaryKey(), row, nil)
		}
		for i, x := range w.indexes {
			if !bytes.HasPrefix(duplicate.key, x.Prefix()) {
				continue
			}
			k, _, values, present, err := w.entry(ctx, i, row, rowKey, nil, nil)
			if err != nil {
				return err
			}
			if present && bytes.Equal(k, duplicate.key) {
				return w.duplicate(ctx, x.Index, row, slices.Clone(values))
			}
		}
		return nil
	})
	if err == nil {
		err = errs.Wrap(duplicate, errs.InternalError, "%v", duplicate)
	}
	return duplicated(err)
}

// duplicated turns the error of a key that is there already into that of building an index.
func duplicated(err error) error {
	if errs.CodeOf(err) != errs.UniqueViolation {
		return err
	}
	e := *errs.As(err)
	e.Message = `could not create unique index "` + e.Constraint + `"`
	const ending = " already exists."
	if n := len(e.Detail) - len(ending); n > 0 {
		e.Detail = e.Detail[:n] + " is duplicated."
	}
	return &e
}

// Rewrite writes all rows of a table into the storage of its changed form: with column number computed by
// expr over the old row (0: none is), and keys and entries as the new form has them.
func Rewrite(ctx *Ctx, old *catalog.Table, target *Target, number int16, expr algebra.Scalar) error {
	b := NewBuilder()
	w, err := b.rowWriter(target)
	if err != nil {
		return err
	}
	var e *Expr
	if expr != nil {
		if e, err = b.Expr(expr, tableLayout(old)); err != nil {
			return err
		}
	}
	r := &rewriter{writer: w, old: old, number: number, expr: e, one: newRows(old)}
	// Where the rows stay what they are, only keys and entries are worked out.
	all := make([]int, len(w.indexes))
	for i := range all {
		all[i] = i
	}
	r.copied = e == nil && len(old.Columns) == len(target.Table.Columns)
	var columns []int
	if r.copied {
		columns = w.columnsOf(all...)
	}
	limit := fillBytes(ctx) / int64(1+len(w.indexes))
	rows := &filler{unique: w.codec.KeyColumns() != nil, limit: limit}
	entries := make([]*filler, len(w.indexes))
	for i, x := range w.indexes {
		entries[i] = &filler{unique: x.Index.Unique, limit: limit}
	}
	err = r.each(ctx, columns, func(row []types.Datum, rowKey string, value []byte) error {
		if value == nil {
			value = w.kept.keep(w.codec.AppendValue(w.kept.room(w.codec.ValueBytes(row)), row))
		} else {
			value = w.keep(value)
		}
		key := w.kept.keep(w.codec.AppendKey(w.kept.room(len(w.codec.Prefix())+len(rowKey)), rowKey))
		if err := rows.add(ctx, key, value); err != nil {
			return err
		}
		for i, f := range entries {
			if err := w.fillEntry(ctx, f, i, row, rowKey); err != nil {
				return err
			}
		}
		return nil
	})
	for _, f := range append(entries, rows) {
		if err == nil {
			err = f.flush(ctx)
		}
	}
	return w.nameDuplicate(ctx, err, func(f func(row []types.Datum, rowKey string) error) error {
		return r.each(ctx, nil, func(row []types.Datum, rowKey string, _ []byte) error { return f(row, rowKey) })
	})
}

// rewriter gives the rows of a table the form it is to have.
type rewriter struct {
	writer *rowWriter
	old    *catalog.Table
	number int16
	expr   *Expr // of column number, nil if none changes
	copied bool  // values stay what they are
	one    *types.Batch
}

// each calls f for every row in its new form. value is nil if it has to be made anew, which needs all columns; columns is as for eachRow.
func (r *rewriter) each(ctx *Ctx, columns []int, f func(row []types.Datum, rowKey string, value []byte) error) error {
	codec := r.writer.codec
	changed := make([]types.Datum, len(r.writer.table.Columns))
	var key []byte
	whole := rowio.NewTableCodec(r.old)
	return eachRow(ctx, r.old, columns, func(s *storedRow) error {
		value := s.value
		if !r.copied || !whole.Layout().Complete(value) {
			value = nil
			if columns != nil {
				if err := whole.DecodeRow(s.value, s.row); err != nil {
					return err
				}
			}
		}
		copy(changed, s.row) // what comes after the old columns stays NULL
		if r.expr != nil {
			resetRows(r.one, r.old, types.Rows{N: 1})
			for j, d := range s.row {
				r.one.Cols[j].Set(0, d)
			}
			v, err := r.expr.Eval(ctx, r.one)
			if err != nil {
				return err
			}
			changed[r.number-1] = v.Datum(0)
		}
		rowKey := s.rowKey
		if codec.KeyColumns() != nil {
			key = codec.AppendRowKey(key[:0], changed)
			rowKey = key
		}
		return f(changed, string(rowKey), value)
	})
}
