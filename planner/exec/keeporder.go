package exec

import (
	"holdfast/sql/algebra"
	"holdfast/sql/types"
)

// KeepOrder says that what is above a node relies on its rows' order. HashJoin and Distinct pass on the order of their input
// (the left one) as long as they fit into work_mem; told so, they restore it if they did not. It changes
// the nodes below, so it is for planning only, before the plan is shared.
func KeepOrder(n Node) {
	for {
		switch x := n.(type) {
		case *HashJoin:
			x.KeepOrder = true
		case *Distinct:
			x.KeepOrder = !x.Sorted
		case *Sort, *TopK:
			return
		}
		in := n.Inputs()
		if len(in) == 0 {
			return
		}
		n = in[0]
	}
}

// unordered is an operator that may lose the order of its input.
type unordered interface {
	Operator
	// outOfOrder reports whether the last batch, and all from it on, may be out of order.
	outOfOrder() bool
}

// numberOp adds a last column to its input: the number of the row.
type numberOp struct {
	input  Operator
	next   int64
	number types.Vec
	batch  types.Batch
}

func newNumber(in Operator) *numberOp {
	return &numberOp{input: in, number: types.Vec{Type: types.Int8}}
}

func (o *numberOp) Open(ctx *Ctx) error {
	o.next = 0
	return o.input.Open(ctx)
}

func (o *numberOp) Next(ctx *Ctx, max int) (*types.Batch, error) {
	b, err := o.input.Next(ctx, max)
	if b == nil || err != nil {
		return nil, err
	}
	o.number.Resize(extent(b.Rows))
	for k := range b.N {
		o.number.I[position(b.Rows, k)] = o.next
		o.next++
	}
	o.batch.Rows = b.Rows
	o.batch.Cols = append(append(o.batch.Cols[:0], b.Cols...), &o.number)
	return &o.batch, nil
}

func (o *numberOp) Close() error { return o.input.Close() }

// reorderOp puts the rows of an operator into the order of their numbers and drops the column of these. What comes in order it
// hands on at once.
type reorderOp struct {
	op      unordered
	at      int // the column
	sorter  *sorter
	sorting bool
	view    types.Batch
}

func newReorder(op unordered, ts []*types.Type, at int) *reorderOp {
	s := &sorter{rows: NewRowBuffer(ts), out: newBatch(ts), keep: noLimit, keys: []sortColumn{{at: at}}}
	return &reorderOp{op: op, at: at, sorter: s}
}

// hidden is the ColID of the number.
const hidden algebra.ColID = 0

func (o *reorderOp) Open(ctx *Ctx) error {
	o.sorting = false
	if err := o.sorter.reset(ctx); err != nil {
		return err
	}
	return o.op.Open(ctx)
}

func (o *reorderOp) Next(ctx *Ctx, max int) (*types.Batch, error) {
	if !o.sorting {
		b, err := o.op.Next(ctx, max)
		if b == nil || err != nil {
			return nil, err
		}
		if !o.op.outOfOrder() {
			return o.drop(b), nil
		}
		o.sorting = true
		for b != nil {
			if err := o.sorter.add(ctx, b); err != nil {
				return nil, err
			}
			if b, err = o.op.Next(ctx, types.BatchRows); err != nil {
				return nil, err
			}
		}
		if err := o.sorter.finish(ctx); err != nil {
			return nil, err
		}
	}
	b, err := o.sorter.next(max)
	if b == nil || err != nil {
		return nil, err
	}
	return o.drop(b), nil
}

func (o *reorderOp) drop(b *types.Batch) *types.Batch {
	o.view.Rows = b.Rows
	o.view.Cols = append(append(o.view.Cols[:0], b.Cols[:o.at]...), b.Cols[o.at+1:]...)
	return &o.view
}

func (o *reorderOp) Close() error {
	err := o.sorter.close()
	if e := o.op.Close(); err == nil {
		err = e
	}
	return err
}

func (o *reorderOp) measure(s *Stats) {
	if m, ok := o.op.(measured); ok {
		m.measure(s)
	}
}
