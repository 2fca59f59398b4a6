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
	differs  []algebra.Difference // nil: any row
	inserted *Expr
	deleted  *Expr
	tableOID types.Vec
	reader   transitionReader
	old      bool // the old images are being read
	probing  bool // the filter reads other tables
	sel      []int32
	batch    types.Batch
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
	o.batch.Cols = make([]*types.Vec, len(o.numbers))
	l := NewLayout(n.Cols, n.Props.Types)
	var err error
	if o.inserted, err = b.optional(n.Inserted, l); err != nil {
		return nil, err
	}
	if o.deleted, err = b.optional(n.Deleted, l); err != nil {
		return nil, err
	}
	o.filter, err = b.optional(n.Filter, l)
	o.probing = hasPlan(n.Filter)
	return o, err
}

func (o *transitionScanOp) Open(*Ctx) error {
	o.filtered.reset()
	o.reader = transitionReader{}
	o.old = o.kind == algebra.OldRows
	return nil
}

func (o *transitionScanOp) Next(ctx *Ctx, max int) (*types.Batch, error) {
	b, err := o.filtered.next(ctx, max, o.read)
	if b != nil && !o.probing {
		ctx.look(b.N)
	}
	return b, err
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
		o.reader.rows = rows
		first := o.reader.at
		b, err := o.reader.next(max)
		if err != nil {
			return nil, err
		}
		if b == nil {
			if o.old || o.kind != algebra.EitherRows {
				return nil, nil
			}
			o.old, o.reader = true, transitionReader{}
			continue
		}
		o.columns(b)
		if o.differs != nil {
			if err := o.leaveOut(ctx, b, others[first:o.reader.at], partners); err != nil {
				return nil, err
			}
			if o.batch.N == 0 {
				continue
			}
		}
		if o.probing {
			ctx.look(o.batch.N)
		}
		return &o.batch, nil
	}
}

// leaveOut leaves in the batch the rows that may matter. b is the batch with all columns of the table, others are the other images
// of its rows, in their order.
func (o *transitionScanOp) leaveOut(ctx *Ctx, b *types.Batch, others []int32, partners *TransitionRows) error {
	alone := o.inserted
	if o.old {
		alone = o.deleted
	}
	o.sel = o.sel[:0]
	single := false // some rows have no other image
	for k := range b.N {
		i := position(b.Rows, k)
		other := others[k]
		if other < 0 {
			single = true
		} else if c, at := partners.row(int(other)); c != nil && !o.different(b, i, c, at) {
			continue
		}
		o.sel = append(o.sel, int32(i))
	}
	if alone == nil || !single {
		o.batch.Rows = types.Rows{N: len(o.sel), Sel: o.sel}
		return nil
	}
	o.batch.Rows = types.Rows{N: len(o.sel), Sel: o.sel}
	pass, err := alone.Filter(ctx, &o.batch)
	if err != nil {
		return err
	}
	// Those that pass, and all that were updated.
	first := position(b.Rows, 0)
	out, next := make([]int32, 0, len(o.sel)), 0
	for _, i := range o.sel {
		passes := next < pass.N && position(pass, next) == int(i)
		if passes {
			next++
		}
		if passes || others[int(i)-first] >= 0 {
			out = append(out, i)
		}
	}
	o.batch.Rows = types.Rows{N: len(out), Sel: out}
	return nil
}

// different reports whether an updated row, i of a batch, differs from its other image, at in another, in a way that may matter.
func (o *transitionScanOp) different(b *types.Batch, i int, other *types.Batch, at int) bool {
	for _, d := range o.differs {
		from, to := other.Cols[d.Number-1].Datum(at), b.Cols[d.Number-1].Datum(i)
		if o.old {
			from, to = to, from
		}
		if matters(d, movement(o.table.Columns[d.Number-1].Type, from, to)) {
			return true
		}
	}
	return false
}

// columns makes the columns of the rows of a batch with all columns of the table.
func (o *transitionScanOp) columns(b *types.Batch) {
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
}

func (o *transitionScanOp) Close() error { return nil }
