package exec

import (
	"holdfast/kv"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// deleteOp removes rows: like updateOp it reads all of its source and locks the rows first.
type deleteOp struct {
	node     *Delete
	source   Operator
	targets  []*deleteTarget
	returned *returning
	buffer   *RowBuffer
	changes  Changes
	verify   *viewVerifier
	rows     *viewRows

	affected int64
	done     bool
}

type deleteTarget struct {
	writer *rowWriter
	key    int
	old    []int
	seen   map[string]bool
	node   *DeleteTarget
}

// Build implements Node.
func (n *Delete) Build(b *Builder) (Operator, error) {
	o := &deleteOp{node: n}
	var err error
	if o.source, err = b.Build(n.Source); err != nil {
		return nil, err
	}
	in := LayoutOf(n.Source)
	for _, t := range n.Targets {
		d := &deleteTarget{node: t}
		if d.writer, err = b.rowWriter(t.Target); err != nil {
			return nil, err
		}
		if d.key, d.old, err = sourcePositions(in, t.Table, t.Key, t.Old); err != nil {
			return nil, err
		}
		o.targets = append(o.targets, d)
	}
	if o.returned, err = b.returning(n.Returning, in, nil); err != nil {
		return nil, err
	}
	if o.verify, err = b.viewVerifier(n.Verify, in, in); err != nil {
		return nil, err
	}
	if o.rows, err = b.viewRows(n.Rows, in); err != nil {
		return nil, err
	}
	o.buffer = NewRowBuffer(n.Source.Properties().Types)
	return o, nil
}

func (o *deleteOp) Open(ctx *Ctx) error {
	o.affected, o.done = 0, false
	if err := o.returned.reset(ctx); err != nil {
		return err
	}
	o.buffer.Reset()
	o.changes = nil
	o.verify.reset()
	o.rows.reset()
	for _, t := range o.targets {
		t.writer.open(ctx, o.node.Rules, o.verify != nil, &o.changes)
		t.seen = nil
	}
	return o.source.Open(ctx)
}

// Affected is the number of rows removed.
func (o *deleteOp) Affected() int64 { return o.affected }

func (o *deleteOp) Next(ctx *Ctx, max int) (*types.Batch, error) {
	if !o.done {
		if err := o.run(ctx); err != nil {
			return nil, err
		}
		o.done = true
	}
	return o.returned.next(max)
}

func (o *deleteOp) run(ctx *Ctx) error {
	if all, err := readWhole(ctx, o.source, o.buffer); err != nil {
		return err
	} else if !all {
		return o.runInPieces(ctx)
	}
	for i := 0; i < o.buffer.Chunks(); i++ {
		if err := o.lock(ctx, o.buffer.Chunk(i)); err != nil {
			return err
		}
	}
	for i := 0; i < o.buffer.Chunks(); i++ {
		if err := ctx.Canceled(); err != nil {
			return err
		}
		if err := o.removeBatch(ctx, o.buffer.Chunk(i)); err != nil {
			return err
		}
	}
	return o.end(ctx)
}

// lock locks the rows of all targets that a batch of the source shows.
func (o *deleteOp) lock(ctx *Ctx, b *types.Batch) error {
	for _, t := range o.targets {
		if err := lockRows(ctx, t.writer, t.key, b, kv.LockUpdate, whileDeleting); err != nil {
			return err
		}
	}
	return nil
}

// end checks the rules on what has been changed.
func (o *deleteOp) end(ctx *Ctx) error {
	for _, t := range o.targets {
		if err := t.writer.close(ctx); err != nil {
			return err
		}
	}
	changes := o.changes
	o.changes = nil // the operator is used again; what was changed may be kept for long
	return endOfChange(ctx, o.node.Rules, o.node.Skips, changes, "DELETE", 0, o.verify.atEnd(ctx, changes))
}

func (o *deleteOp) removeBatch(ctx *Ctx, b *types.Batch) error {
	rows := types.Rows{Sel: make([]int32, 0, b.N)}
	for k := 0; k < b.N; k++ {
		i := position(b.Rows, k)
		first := false
		for _, t := range o.targets {
			if b.Cols[t.key].IsNull(i) {
				if t.node.Required {
					return errs.New(errs.CardinalityViolation, `a row of view "%s" would stay`, o.node.View.Name).
						WithDetail(`DELETE removes rows of table "%s", and an outer join has left that out in this row.`, t.writer.table.Name).
						WithHint("Leave out such rows, or delete from the table of which they are.")
				}
				continue
			}
			key := b.Cols[t.key].S[i]
			if t.seen == nil {
				t.seen = map[string]bool{}
			}
			if t.seen[key] {
				continue // several source rows may show one row of the table
			}
			t.seen[key], first = true, true
			row := make([]types.Datum, len(t.old))
			for j, p := range t.old {
				if p >= 0 {
					row[j] = b.Cols[p].Datum(i)
				}
			}
			if err := t.writer.remove(ctx, row, key); err != nil {
				return err
			}
		}
		if o.node.View != nil {
			var err error
			if first, err = o.rows.isNew(ctx, b, i); err != nil {
				return err
			}
		}
		if first {
			rows.Sel = append(rows.Sel, int32(i))
		}
		if err := o.verify.note(ctx, b, nil, i, nil, false); err != nil {
			return err
		}
	}
	rows.N = len(rows.Sel)
	o.affected += int64(rows.N)
	return o.returned.add(ctx, b, rows)
}

func (o *deleteOp) Close() error { return o.source.Close() }
