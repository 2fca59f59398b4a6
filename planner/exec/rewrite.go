package exec

import (
	"holdfast/kv"
	"holdfast/planner/exec/rowio"
	"holdfast/sql/algebra"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// eachRow calls f for every row of a table as the transaction sees it, with its row key. The row is valid
// until f returns.
func eachRow(ctx *Ctx, t *catalog.Table, f func(row []types.Datum, rowKey string) error) error {
	codec := rowio.NewTableCodec(t)
	it := ctx.Txn.View().Scan(ctx, kv.PrefixRange(codec.Prefix()), kv.ScanOptions{Columns: kv.AllColumns, Bulk: true})
	defer it.Close()
	row := make([]types.Datum, len(t.Columns))
	for n := 0; it.Next(); n++ {
		if n%types.BatchRows == 0 {
			if err := ctx.Canceled(); err != nil {
				return err
			}
		}
		if err := codec.DecodeRow(it.Value(), row); err != nil {
			return err
		}
		if err := f(row, string(codec.RowKey(it.Key()))); err != nil {
			return err
		}
	}
	return ctx.Error(it.Err())
}

// FillIndex writes the entries of a new index for all rows of its table. A duplicate key of a unique index is
// 23505.
func FillIndex(ctx *Ctx, target *Target, x *catalog.Index) error {
	w, err := NewBuilder().rowWriter(target)
	if err != nil {
		return err
	}
	for i, ic := range w.indexes {
		if ic.Index.OID != x.OID {
			continue
		}
		return eachRow(ctx, target.Table, func(row []types.Datum, rowKey string) error {
			return duplicated(w.putEntry(ctx, i, row, rowKey))
		})
	}
	return nil
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
	one := newRows(old)
	if expr != nil {
		if e, err = b.Expr(expr, tableLayout(old)); err != nil {
			return err
		}
	}
	return eachRow(ctx, old, func(row []types.Datum, rowKey string) error {
		changed := append([]types.Datum(nil), row...)
		for len(changed) < len(target.Table.Columns) {
			changed = append(changed, types.Null)
		}
		if e != nil {
			resetRows(one, old, types.Rows{N: 1})
			for j, d := range row {
				one.Cols[j].Set(0, d)
			}
			v, err := e.Eval(ctx, one)
			if err != nil {
				return err
			}
			changed[number-1] = v.Datum(0)
		}
		if w.codec.KeyColumns() != nil {
			rowKey = string(w.codec.AppendRowKey(nil, changed))
		}
		return duplicated(w.put(ctx, changed, rowKey))
	})
}
