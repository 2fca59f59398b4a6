package exec

import (
	"holdfast/sql/algebra"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// transitionScanOp runs TransitionScan. Its batches are the transition's own vectors, but for the columns of other images, which
// are copied.
type transitionScanOp struct {
	filtered
	table    *catalog.Table
	kind     algebra.TransitionKind
	numbers  []int16
	others   []int16
	differs  []int16 // nil: any row
	tableOID types.Vec
	old      bool // the old images are being read
	at       int
	view     types.Batch
	sel      []int32
	batch    types.Batch
	other    []types.Vec
}

// Build implements Node.
func (n *TransitionScan) Build(b *Builder) (Operator, error) {
	o := &transitionScanOp{table: n.Table, kind: n.Kind, differs: n.Differs, tableOID: types.Vec{Type: types.Oid}}
	for _, c := range n.Columns {
		if c.Number > int16(len(n.Table.Columns)) || c.Number < 0 && c.Number != catalog.RowKeyNumber && c.Number != catalog.TableOIDNumber && c.Number != catalog.PairNumber {
			return nil, errs.New(errs.InternalError, "table %q has no attribute %d", n.Table.Name, c.Number)
		}
		o.numbers = append(o.numbers, c.Number)
	}
	o.other = make([]types.Vec, len(n.Other))
	for i, c := range n.Other {
		if c.Number > int16(len(n.Table.Columns)) || c.Number <= 0 {
			return nil, errs.New(errs.InternalError, "the other image of a row of %q has no attribute %d", n.Table.Name, c.Number)
		}
		o.others = append(o.others, c.Number)
		o.other[i].Type = n.Table.Columns[c.Number-1].Type
	}
	o.batch.Cols = make([]*types.Vec, len(o.numbers)+len(o.others))
	var err error
	o.filter, err = b.optional(n.Filter, NewLayout(n.Cols, n.Props.Types))
	return o, err
}

func (o *transitionScanOp) Open(*Ctx) error {
	o.filtered.reset()
	o.old = o.kind == algebra.OldRows
	o.at = 0
	return nil
}

func (o *transitionScanOp) Next(ctx *Ctx, max int) (*types.Batch, error) {
	return o.filtered.next(ctx, max, o.read)
}

func (o *transitionScanOp) read(ctx *Ctx, max int) (*types.Batch, error) {
	t := ctx.Changes.of(o.table.OID)
	if t == nil || t.Old == nil {
		return nil, nil
	}
	for {
		if err := ctx.Canceled(); err != nil {
			return nil, err
		}
		rows, others, partners := t.New, t.newOther, t.Old
		if o.old {
			rows, others, partners = t.Old, t.oldOther, t.New
		}
		first := o.at
		b := rowsFrom(rows, &o.view, &o.at, max)
		if b == nil {
			if o.old || o.kind != algebra.EitherRows {
				return nil, nil
			}
			o.old, o.at = true, 0
			continue
		}
		if o.differs != nil && !o.different(b, others[first:o.at], partners) {
			continue
		}
		o.columns(b, first, others, partners)
		return &o.batch, nil
	}
}

// different leaves the rows of a batch that differ from their other images, and reports whether there are any. others are
// the other images of all its rows, in their order.
func (o *transitionScanOp) different(b *types.Batch, others []int32, partners *RowBuffer) bool {
	o.sel = o.sel[:0]
	for k := range b.N {
		i := position(b.Rows, k)
		if other := others[k]; other >= 0 {
			c, at := partners.Row(int(other))
			same := true
			for _, n := range o.differs {
				if !sameValue(o.table.Columns[n-1].Type, b.Cols[n-1].Datum(i), c.Cols[n-1].Datum(at)) {
					same = false
					break
				}
			}
			if same {
				continue
			}
		}
		o.sel = append(o.sel, int32(i))
	}
	b.Rows = types.Rows{N: len(o.sel), Sel: o.sel}
	return b.N > 0
}

// columns makes the columns of the rows of a batch. first is the number of the first row of the chunk that the batch was read
// from at that time.
func (o *transitionScanOp) columns(b *types.Batch, first int, others []int32, partners *RowBuffer) {
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
	chunk := first - first%types.BatchRows // positions in a batch count from there
	for i, n := range o.others {
		v := &o.other[i]
		v.Resize(extent(b.Rows))
		for k := range b.N {
			at := position(b.Rows, k)
			other := others[chunk+at]
			if other < 0 {
				v.SetNull(at)
				continue
			}
			c, from := partners.Row(int(other))
			copyRow(v, at, c.Cols[n-1], from)
		}
		o.batch.Cols[len(o.numbers)+i] = v
	}
	o.batch.Rows = b.Rows
}

func (o *transitionScanOp) Close() error { return nil }
