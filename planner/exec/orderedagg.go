package exec

import (
	"holdfast/sql/types"
)

// orderedAggOp runs OrderedAggregate, with few groups in memory at a time: when types.BatchRows groups are complete they are
// emitted and the states begin anew. Without keys there is one group, also of no rows.
type orderedAggOp struct {
	input Operator
	at    []int
	*aggregates
	keys *RowBuffer // of the groups at hand

	in     *types.Batch // rows being aggregated
	done   int          // rows of in that were
	view   types.Batch
	groups []int32
	sel    []int32
	state  aggState
	ended  bool // the input has
	next   int
	out    *types.Batch
	order  []int32
	key    types.Batch
}

// Build implements Node.
func (n *OrderedAggregate) Build(b *Builder) (Operator, error) {
	in, err := b.Build(n.Input)
	if err != nil {
		return nil, err
	}
	l := LayoutOf(n.Input)
	o := &orderedAggOp{input: in, out: newBatch(n.Props.Types)}
	var ts []*types.Type
	if o.at, ts, err = columnsAt(l, n.Keys); err != nil {
		return nil, err
	}
	o.keys = NewRowBuffer(ts)
	o.key.Cols = make([]*types.Vec, len(o.at))
	o.aggregates, err = b.aggregates(n.Aggs, l)
	return o, err
}

func (o *orderedAggOp) Open(ctx *Ctx) error {
	o.in, o.done, o.ended, o.state = nil, 0, false, aggNew
	return o.input.Open(ctx)
}

func (o *orderedAggOp) Next(ctx *Ctx, max int) (*types.Batch, error) {
	for {
		switch o.state {
		case aggNew:
			if err := o.collect(ctx); err != nil {
				return nil, err
			}
			o.state, o.next = aggEmit, 0
		case aggEmit:
			if n := min(max, o.count()-o.next); n > 0 {
				resetBatch(o.out, n)
				o.order = o.order[:0]
				for k := range n {
					o.order = append(o.order, int32(o.next+k))
				}
				o.keys.gather(o.out.Cols[:len(o.at)], 0, o.order)
				if err := o.results(ctx, o.next, n, o.out.Cols[len(o.at):]); err != nil {
					return nil, err
				}
				o.next += n
				return o.out, nil
			}
			o.state = aggNew
			if o.ended {
				o.state = aggDone
			}
		default:
			return nil, nil
		}
	}
}

// count is the number of groups at hand.
func (o *orderedAggOp) count() int {
	if len(o.at) == 0 {
		return 1
	}
	return o.keys.Len()
}

// collect aggregates until enough groups are complete or the input ends.
func (o *orderedAggOp) collect(ctx *Ctx) error {
	if err := o.aggregates.reset(ctx); err != nil {
		return err
	}
	o.keys.Reset()
	if len(o.at) == 0 {
		o.grow(1)
	}
	for {
		if o.in == nil {
			b, err := o.input.Next(ctx, types.BatchRows)
			if err != nil {
				return err
			}
			if b == nil {
				o.ended = true
				if err := o.input.Close(); err != nil {
					return err
				}
				return o.finish(ctx)
			}
			if err := ctx.Canceled(); err != nil {
				return err
			}
			o.in, o.done = b, 0
		}
		full := o.assign()
		if o.view.N > 0 {
			o.grow(o.count())
			if err := o.aggregates.add(ctx, &o.view, o.groups); err != nil {
				return err
			}
		}
		if full {
			return o.finish(ctx)
		}
		o.in = nil
	}
}

// assign numbers the groups of the rest of the batch and makes view of these rows. It stops where one group too many would begin
// and then reports true.
func (o *orderedAggOp) assign() (full bool) {
	b := o.in
	o.groups = o.groups[:0]
	if len(o.at) == 0 {
		for range b.N {
			o.groups = append(o.groups, 0)
		}
		o.view = *b
		return false
	}
	for i, p := range o.at {
		o.key.Cols[i] = b.Cols[p]
	}
	o.sel = o.sel[:0]
	for ; o.done < b.N; o.done++ {
		i := position(b.Rows, o.done)
		n := o.keys.Len()
		if n == 0 || !o.sameKey(n-1, i) {
			if n == types.BatchRows {
				full = true
				break
			}
			o.keys.AppendRow(&o.key, i)
			n++
		}
		o.groups = append(o.groups, int32(n-1))
		o.sel = append(o.sel, int32(i))
	}
	o.view = types.Batch{Rows: types.Rows{N: len(o.sel), Sel: o.sel}, Cols: b.Cols}
	return full
}

func (o *orderedAggOp) sameKey(group, i int) bool {
	b, j := o.keys.Row(group)
	for k, v := range o.key.Cols {
		if !types.EqualVec(v, i, b.Cols[k], j) {
			return false
		}
	}
	return true
}

func (o *orderedAggOp) Close() error {
	o.keys.Reset()
	err := o.aggregates.close()
	if e := o.input.Close(); err == nil {
		err = e
	}
	return err
}
