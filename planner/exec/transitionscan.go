package exec

import (
	"holdfast/sql/algebra"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// transitionScanOp runs TransitionScan. Its batches are the transition's own vectors, or those that a file of it is read into.
type transitionScanOp struct {
	filtered
	table    *catalog.Table
	kind     algebra.TransitionKind
	numbers  []int16
	tableOID types.Vec
	reader   transitionReader
	batch    types.Batch
}

// Build implements Node.
func (n *TransitionScan) Build(b *Builder) (Operator, error) {
	o := &transitionScanOp{table: n.Table, kind: n.Kind, tableOID: types.Vec{Type: types.Oid}}
	for _, c := range n.Columns {
		if c.Number > int16(len(n.Table.Columns)) || c.Number < 0 && c.Number != catalog.RowKeyNumber && c.Number != catalog.TableOIDNumber && c.Number != catalog.PairNumber {
			return nil, errs.New(errs.InternalError, "table %q has no attribute %d", n.Table.Name, c.Number)
		}
		o.numbers = append(o.numbers, c.Number)
	}
	o.batch.Cols = make([]*types.Vec, len(o.numbers))
	var err error
	o.filter, err = b.optional(n.Filter, NewLayout(n.Cols, n.Props.Types))
	return o, err
}

func (o *transitionScanOp) Open(*Ctx) error {
	o.filtered.reset()
	o.reader = transitionReader{}
	return nil
}

func (o *transitionScanOp) Next(ctx *Ctx, max int) (*types.Batch, error) {
	return o.filtered.next(ctx, max, o.read)
}

func (o *transitionScanOp) read(ctx *Ctx, max int) (*types.Batch, error) {
	if err := ctx.Canceled(); err != nil {
		return nil, err
	}
	t := ctx.Changes.of(o.table.OID)
	if t == nil || t.Old == nil {
		return nil, nil
	}
	rows := t.New
	if o.kind == algebra.OldRows {
		rows = t.Old
	}
	o.reader.rows = rows
	b, err := o.reader.next(max)
	if b == nil || err != nil {
		return nil, err
	}
	for i, n := range o.numbers {
		switch {
		case n > 0:
			o.batch.Cols[i] = b.Cols[n-1]
		case n == catalog.RowKeyNumber:
			o.batch.Cols[i] = b.Cols[len(b.Cols)-2]
		case n == catalog.PairNumber:
			o.batch.Cols[i] = b.Cols[len(b.Cols)-1]
		default:
			o.tableOID.Resize(extent(b.Rows))
			fillSame(o.tableOID.I, int64(o.table.OID), b.Rows)
			o.batch.Cols[i] = &o.tableOID
		}
	}
	o.batch.Rows = b.Rows
	return &o.batch, nil
}

func (o *transitionScanOp) Close() error { return nil }
