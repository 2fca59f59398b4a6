package exec

import (
	"bytes"
	"slices"

	"holdfast/kv"
	"holdfast/planner/exec/rowio"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// conflictResolver is ON CONFLICT: rows are inserted one by one, and where an arbiter index has the key
// already, the row is left out or the existing row updated.
type conflictResolver struct {
	node   *Insert
	set    []*Expr
	where  *Expr
	number []int16     // assigned columns
	checks []viewCheck // of updated rows

	old     *types.Batch // the existing row at the position of the proposed one
	image   types.Batch
	places  []int // of image columns: existing row, key, proposed row
	written map[string]bool
}

func (b *Builder) conflictResolver(n *Insert, in *Layout) (*conflictResolver, error) {
	c := n.OnConflict
	r := &conflictResolver{node: n, old: newRows(n.Target.Table)}
	if !c.DoUpdate {
		return r, nil
	}
	t := n.Target.Table
	l, places := imageLayout(n.Source, image{t, c.Old}, image{t, c.Excluded})
	r.places = places
	for _, a := range c.Set {
		e, err := b.Expr(a.Value, l)
		if err != nil {
			return nil, err
		}
		r.set = append(r.set, e)
		r.number = append(r.number, a.Number)
	}
	var err error
	r.where, err = b.optional(c.Where, l)
	return r, err
}

// insert inserts the rows of a batch, whose new images are in o.rows. What was inserted or updated goes to
// RETURNING.
func (r *conflictResolver) insert(ctx *Ctx, o *insertOp, in *types.Batch) error {
	w := o.writer
	if o.affected == 0 {
		r.written = map[string]bool{}
	}
	resetRows(r.old, w.table, in.Rows)
	if ctx.WorkMem > 0 && int64(len(r.written))*seenBytes > mostBytes(ctx) {
		return errTooMuch("The keys of rows that ON CONFLICT has written")
	}
	kept := types.Rows{Sel: make([]int32, 0, in.N)}
	for k := 0; k < in.N; k++ {
		i := position(in.Rows, k)
		o.load(i)
		rowKey, err := r.rowKey(ctx, o)
		if err != nil {
			return err
		}
		keys, err := w.lockKeys(ctx, nil, o.row, rowKey)
		if err != nil {
			return err
		}
		if err := w.lock(ctx, keys, kv.LockUpdate, whileInserting); err != nil {
			return err
		}
		existing, by, err := r.existing(ctx, ctx.Txn, w, o.row, rowKey)
		if err == nil && r.node.OnConflict.Once {
			err = r.ours(ctx, w, o.row, rowKey, existing, by)
		}
		if err != nil {
			return err
		}
		switch {
		case by == nil:
			one := types.Rows{N: 1, Sel: []int32{int32(i)}}
			if err := o.checkViews(ctx, in, one, o.checks); err != nil {
				return err
			}
			if o.verify != nil {
				if err := o.verify.evaluate(ctx, o.returned.image(in, one, o.rows.Cols)); err != nil {
					return err
				}
			}
			if err := w.put(ctx, slices.Clone(o.row), rowKey); err != nil {
				return err
			}
			if err := o.verify.noteMade(ctx, rowKey, i); err != nil {
				return err
			}
			r.written[rowKey] = true
		case !r.node.OnConflict.DoUpdate:
			continue
		default:
			updated, err := r.update(ctx, o, in, i, existing)
			if err != nil {
				return err
			}
			if !updated {
				continue
			}
			if err := o.checkViews(ctx, in, types.Rows{N: 1, Sel: []int32{int32(i)}}, r.checks); err != nil {
				return err
			}
		}
		kept.Sel = append(kept.Sel, int32(i))
	}
	kept.N = len(kept.Sel)
	o.affected += int64(kept.N)
	return o.returned.add(ctx, in, kept, o.rows.Cols)
}

func (r *conflictResolver) rowKey(ctx *Ctx, o *insertOp) (string, error) {
	if o.writer.codec.KeyColumns() != nil {
		return string(o.writer.codec.AppendRowKey(nil, o.row)), nil
	}
	n, err := ctx.RowNumbers(ctx, 1)
	if err != nil {
		return "", ctx.Error(err)
	}
	return string(rowio.AppendRowNumber(nil, n)), nil
}

// ours is the error of a row proposed through a join view that meets one of the statement itself, which is no conflict with what was there:
// another one proposed, or one made in the same table for another role. What has been inserted for the row into other tables could not be
// taken back. Nor may it be inserted where the statement has moved the row that it met: nothing was inserted for it.
func (r *conflictResolver) ours(ctx *Ctx, w *rowWriter, row []types.Datum, rowKey, existing string, by *catalog.Index) error {
	switch {
	case by == nil && w.touchesKey(r.number):
		if _, before, err := r.existing(ctx, ctx.Reader, w, row, rowKey); err != nil || before == nil {
			return err
		}
	case by == nil:
		return nil
	case !r.written[existing]:
		if _, before, err := ctx.Reader.Get(ctx, w.key(existing), kv.Existence); err != nil || before {
			return ctx.Error(err)
		}
		return w.duplicate(ctx, by, row, nil)
	case !r.node.OnConflict.DoUpdate: // it may meet one that was there as well, by another key
		if _, before, err := r.existing(ctx, ctx.Reader, w, row, rowKey); err != nil || before != nil {
			return err
		}
	}
	return errs.New(errs.CardinalityViolation, "rows of an INSERT with ON CONFLICT through a join view have the same key").
		WithHint("Leave out the rows that come later.")
}

// existing finds in a state the row key of a row that has one of the arbiters' keys, and which; nil if there is none.
func (r *conflictResolver) existing(ctx *Ctx, in kv.Reader, w *rowWriter, row []types.Datum, rowKey string) (string, *catalog.Index, error) {
	arbiter := func(x *catalog.Index) bool {
		list := r.node.OnConflict.Arbiters
		return len(list) == 0 || slices.ContainsFunc(list, func(a *catalog.Index) bool { return a.OID == x.OID })
	}
	if pk := w.table.PrimaryKey(); pk != nil && arbiter(pk) {
		if _, ok, err := in.Get(ctx, w.key(rowKey), kv.Existence); err != nil {
			return "", nil, ctx.Error(err)
		} else if ok {
			return rowKey, pk, nil
		}
	}
	for i, x := range w.indexes {
		if !x.Index.Unique || !arbiter(x.Index) {
			continue
		}
		k, _, values, present, err := w.entry(ctx, i, row, rowKey, nil, w.newVal[:0])
		if err != nil {
			return "", nil, err
		}
		if !present || x.KeyHoldsRowKey(values) {
			continue
		}
		v, ok, err := in.Get(ctx, k, kv.AllColumns)
		if err != nil {
			return "", nil, ctx.Error(err)
		}
		if ok {
			at, _, err := x.RowKey(k, v)
			return string(at), x.Index, err
		}
	}
	return "", nil, nil
}

// update is DO UPDATE on the row with a key; false if its condition leaves the row as it is.
func (r *conflictResolver) update(ctx *Ctx, o *insertOp, in *types.Batch, i int, rowKey string) (bool, error) {
	w := o.writer
	if r.written[rowKey] {
		return false, errs.New(errs.CardinalityViolation, "ON CONFLICT DO UPDATE command cannot affect row a second time").
			WithHint("Ensure that no rows proposed for insertion within the same command have duplicate constrained values.")
	}
	key := w.key(rowKey)
	mode := kv.LockNoKeyUpdate
	if w.touchesKey(r.number) {
		mode = kv.LockUpdate
	}
	if err := w.lock(ctx, [][]byte{bytes.Clone(key)}, mode, whileUpdating); err != nil {
		return false, err
	}
	value, ok, err := ctx.Txn.Get(ctx, key, kv.AllColumns)
	if err != nil {
		return false, ctx.Error(err)
	}
	if !ok {
		return false, errs.New(errs.DataCorrupted, `index entry of table "%s" without a row`, w.table.Name)
	}
	n := len(w.table.Columns)
	values := make([]types.Datum, 2*n)
	c := change{oldRow: values[:n:n], newRow: values[n:], oldKey: rowKey, newKey: rowKey}
	if err := w.codec.DecodeRow(value, c.oldRow); err != nil {
		return false, err
	}
	for j, d := range c.oldRow {
		r.old.Cols[j].Set(i, d)
	}
	b := r.batch(in, i, o.rows)
	if r.where != nil {
		v, err := r.where.Eval(ctx, b)
		if err != nil {
			return false, err
		}
		if v.IsNull(i) || !v.Datum(i).Bool() {
			return false, nil
		}
	}
	copy(c.newRow, c.oldRow)
	for j, e := range r.set {
		v, err := e.Eval(ctx, b)
		if err != nil {
			return false, err
		}
		c.newRow[r.number[j]-1] = v.Datum(i)
	}
	for j, d := range c.newRow {
		o.rows.Cols[j].Set(i, d)
	}
	one := &types.Batch{Rows: types.Rows{N: 1, Sel: []int32{int32(i)}}, Cols: o.rows.Cols}
	if err := w.checkRows(ctx, one); err != nil {
		return false, err
	}
	r.written[rowKey] = true
	if !w.changed(&c, r.number) {
		return true, nil
	}
	if w.codec.KeyColumns() != nil {
		c.newKey = string(w.codec.AppendRowKey(nil, c.newRow))
		c.moved = c.newKey != c.oldKey
	}
	if mode == kv.LockUpdate {
		keys, err := w.lockKeys(ctx, nil, c.newRow, c.newKey)
		if err != nil {
			return false, err
		}
		if err := w.lock(ctx, keys, kv.LockUpdate, whileInserting); err != nil {
			return false, err
		}
	}
	if err := w.clearOld(ctx, &c); err != nil {
		return false, err
	}
	if err := w.putNew(ctx, &c); err != nil {
		return false, err
	}
	o.verify.noteMoved(w.table, &c)
	return true, o.verify.noteUpdated(ctx, rowKey)
}

// batch is row i of the source with the existing and the proposed row.
func (r *conflictResolver) batch(in *types.Batch, i int, proposed *types.Batch) *types.Batch {
	r.image.Rows = types.Rows{N: 1, Sel: []int32{int32(i)}}
	r.image.Cols = append(r.image.Cols[:0], in.Cols...)
	all := append(append([]*types.Vec(nil), r.old.Cols...), proposed.Cols...)
	for _, p := range r.places {
		r.image.Cols = append(r.image.Cols, all[p])
	}
	return &r.image
}
