package exec

import (
	"slices"

	"holdfast/kv"
	"holdfast/sql/algebra"
	"holdfast/sql/catalog"
	"holdfast/sql/types"
)

// insertOp inserts batch by batch as its source gives them.
type insertOp struct {
	node     *Insert
	source   Operator
	values   []*Expr // by attribute number - 1; nil for dropped columns
	writer   *rowWriter
	changes  Changes
	checks   []viewCheck
	conflict *conflictResolver
	returned *returning
	verify   *viewVerifier

	rows     *types.Batch // the new rows by the column
	row      []types.Datum
	keys     rowKeys // of the batch at hand
	affected int64
	done     bool
	emitted  int
}

// Build implements Node.
func (n *Insert) Build(b *Builder) (Operator, error) {
	o := &insertOp{node: n}
	var err error
	if o.source, err = b.Build(n.Source); err != nil {
		return nil, err
	}
	in := LayoutOf(n.Source)
	t := n.Target.Table
	o.values = make([]*Expr, len(t.Columns))
	for _, a := range n.Values {
		if o.values[a.Number-1], err = b.Expr(a.Value, in); err != nil {
			return nil, err
		}
	}
	if o.writer, err = b.rowWriter(n.Target); err != nil {
		return nil, err
	}
	o.rows = newRows(t)
	o.row = make([]types.Datum, len(t.Columns))
	out, positions := imageLayout(n.Source, image{t, n.New})
	if o.checks, err = b.viewChecks(n.Checks, out); err != nil {
		return nil, err
	}
	if o.returned, err = b.returning(n.Returning, out, positions); err != nil {
		return nil, err
	}
	if o.verify, err = b.viewVerifier(n.Verify, in, out); err != nil {
		return nil, err
	}
	if n.OnConflict != nil {
		if o.conflict, err = b.conflictResolver(n, in); err != nil {
			return nil, err
		}
		if o.conflict.checks, err = b.viewChecks(n.OnConflict.Checks, out); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// image names the columns that whole rows of a table have in a query.
type image struct {
	table *catalog.Table
	cols  []algebra.ScanColumn
}

// imageLayout is the layout of a source's columns followed by those of images; positions say where the
// latter are in whole rows side by side.
func imageLayout(source Node, images ...image) (*Layout, []int) {
	l := LayoutOf(source)
	var positions []int
	start := 0
	for _, im := range images {
		for _, c := range im.cols {
			// tableoid is a constant of the table and has no place in its rows: it is put after them.
			at, typ := len(im.table.Columns), types.Oid
			if c.Number > 0 {
				at, typ = int(c.Number)-1, im.table.Columns[c.Number-1].Type
			}
			l.add([]algebra.ColID{c.ID}, []*types.Type{typ})
			positions = append(positions, start+at)
		}
		start += len(im.table.Columns) + 1
	}
	return l, positions
}

func (o *insertOp) Open(ctx *Ctx) error {
	o.affected, o.done, o.emitted = 0, false, 0
	if err := o.returned.reset(ctx); err != nil {
		return err
	}
	o.changes = nil
	o.writer.open(ctx, o.node.Rules, o.node.Part != 0, &o.changes)
	o.verify.reset()
	return o.source.Open(ctx)
}

// Affected is the number of rows inserted or updated.
func (o *insertOp) Affected() int64 { return o.affected }

func (o *insertOp) Next(ctx *Ctx, max int) (*types.Batch, error) {
	if !o.done {
		if err := o.run(ctx); err != nil {
			return nil, err
		}
		o.done = true
	}
	return o.returned.next(max)
}

func (o *insertOp) run(ctx *Ctx) error {
	for {
		b, err := o.source.Next(ctx, types.BatchRows)
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
		if err := ctx.Canceled(); err != nil {
			return err
		}
		if err := o.insertBatch(ctx, b); err != nil {
			return err
		}
		if err := o.changes.settle(ctx); err != nil {
			return err
		}
	}
	if err := o.writer.close(ctx); err != nil {
		return err
	}
	changes := o.changes
	o.changes = nil // the operator is used again; what was changed may be kept for long
	return endOfChange(ctx, o.node.Rules, o.node.Skips, changes, "INSERT", o.node.Part, o.verify.atEnd(ctx, changes))
}

// insertBatch inserts the rows of one batch of the source.
func (o *insertOp) insertBatch(ctx *Ctx, in *types.Batch) error {
	resetRows(o.rows, o.writer.table, in.Rows)
	for i, e := range o.values {
		v := o.rows.Cols[i]
		if e == nil {
			setNulls(v, in.Rows)
			continue
		}
		x, err := e.Eval(ctx, in)
		if err != nil {
			return err
		}
		copyRows(v, x, in.Rows)
	}
	if err := o.writer.checkRows(ctx, o.rows); err != nil {
		return err
	}
	if o.conflict != nil {
		return o.conflict.insert(ctx, o, in)
	}
	if err := o.checkViews(ctx, in, in.Rows, o.checks); err != nil {
		return err
	}
	if o.verify != nil {
		if err := o.verify.evaluate(ctx, o.returned.image(in, in.Rows, o.rows.Cols)); err != nil {
			return err
		}
	}
	if err := o.rowKeys(ctx, in); err != nil {
		return err
	}
	w := o.writer
	if o.affected < lockedRows {
		var keys [][]byte
		if w.codec.KeyColumns() != nil {
			keys = slices.Clone(o.keys.keys)
		}
		for k := 0; k < in.N && len(w.indexes) > 0; k++ {
			o.load(position(in.Rows, k))
			var err error
			if keys, err = w.lockEntries(ctx, keys, o.row, o.keys.rows[k]); err != nil {
				return err
			}
		}
		if err := w.lock(ctx, keys, kv.LockUpdate, whileInserting); err != nil {
			return err
		}
	}
	absent := w.codec.KeyColumns() == nil
	if !absent {
		var err error
		if absent, err = w.allAbsent(ctx, o.keys.keys); err != nil {
			return err
		}
	}
	for k := 0; k < in.N; k++ {
		o.load(position(in.Rows, k))
		key, rowKey := o.keys.keys[k], o.keys.rows[k]
		if !absent {
			if err := w.checkAbsent(ctx, o.row, key); err != nil {
				return err
			}
		}
		if err := w.putAbsent(ctx, o.row, key, rowKey); err != nil {
			return err
		}
		if err := o.verify.noteMade(ctx, rowKey, position(in.Rows, k)); err != nil {
			return err
		}
	}
	o.keys.forget()
	o.affected += int64(in.N)
	return o.returned.add(ctx, in, in.Rows, o.rows.Cols)
}

// newRows is a batch of whole rows of a table: its columns by attribute number - 1, and tableoid.
func newRows(t *catalog.Table) *types.Batch {
	ts := make([]*types.Type, len(t.Columns)+1)
	for i, c := range t.Columns {
		ts[i] = c.Type
	}
	ts[len(t.Columns)] = types.Oid
	return newBatch(ts)
}

// resetRows empties a batch of whole rows and gives it positions.
func resetRows(b *types.Batch, t *catalog.Table, rows types.Rows) {
	size := extent(rows)
	resetBatch(b, size)
	b.Rows = rows
	last := b.Cols[len(t.Columns)]
	for i := range last.I[:size] {
		last.I[i] = int64(t.OID)
	}
}

// load makes row the i-th of the new rows.
func (o *insertOp) load(i int) {
	for j := range o.row {
		o.row[j] = o.rows.Cols[j].Datum(i)
	}
}

// checkViews tests conditions of views on new rows.
func (o *insertOp) checkViews(ctx *Ctx, in *types.Batch, rows types.Rows, checks []viewCheck) error {
	if len(checks) == 0 {
		return nil
	}
	b := o.returned.image(in, rows, o.rows.Cols)
	return testViewChecks(ctx, checks, b, func(i int) string {
		return rowText(ctx, o.writer.table, batchRow(o.rows, i))
	})
}

func (o *insertOp) Close() error { return o.source.Close() }
