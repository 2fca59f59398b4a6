package exec

import (
	"holdfast/sql/algebra"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// windowOp runs Window. It takes one partition at a time into memory, computes all functions for its rows, and hands them on. A partition is
// held in full whatever work_mem says: frames and lead look ahead anywhere in it.
type windowOp struct {
	input Operator
	part  []int // partition columns
	order []sortColumn
	calls []*windowCall
	width int // input columns

	in    *types.Batch // not yet taken
	at    int
	rows  *types.Batch // the partition: input columns, then arguments and filters of the calls
	ended bool

	peers partitionPeers
	next  int // row to hand on
	out   *types.Batch
}

// windowCall is one function of a window.
type windowCall struct {
	def    *algebra.WindowFunc
	frame  windowFrame
	args   []*Expr
	filter *Expr
	vecs   []*types.Vec // of the partition
	passes *types.Vec   // of the partition, nil without FILTER
	types  []*types.Type

	result types.Vec
	state  funcs.Aggregate
	groups []int32
	sel    []int32
	count  int // partitions that state has had
}

// partitionPeers tells which rows of a partition are equal under the order.
type partitionPeers struct {
	n      int
	group  []int32 // by row
	starts []int32 // by group; one more at the end
}

func (p *partitionPeers) start(row int) int { return int(p.starts[p.group[row]]) }
func (p *partitionPeers) end(row int) int   { return int(p.starts[p.group[row]+1]) }

// Build implements Node.
func (n *Window) Build(b *Builder) (Operator, error) {
	in, err := b.Build(n.Input)
	if err != nil {
		return nil, err
	}
	l := LayoutOf(n.Input)
	o := &windowOp{input: in, width: len(l.Types()), out: newBatch(n.Props.Types)}
	if o.part, _, err = columnsAt(l, n.Partition); err != nil {
		return nil, err
	}
	for _, k := range n.OrderBy {
		p, err := l.find(k.ID)
		if err != nil {
			return nil, err
		}
		o.order = append(o.order, sortColumn{at: p, desc: k.Desc, nullsFirst: k.NullsFirst})
	}
	ts := append([]*types.Type{}, l.Types()...)
	for i := range n.Funcs {
		def := &n.Funcs[i]
		c := &windowCall{def: def, result: types.Vec{Type: def.Typ}}
		if c.args, err = b.exprs(def.Args, l); err != nil {
			return nil, err
		}
		if c.filter, err = b.optional(def.Filter, l); err != nil {
			return nil, err
		}
		for _, a := range def.Args {
			c.types = append(c.types, a.Type())
		}
		ts = append(ts, c.types...)
		if c.filter != nil {
			ts = append(ts, types.Bool)
		}
		if err := b.windowFrame(&c.frame, def, n.OrderBy, l); err != nil {
			return nil, err
		}
		o.calls = append(o.calls, c)
	}
	o.rows = newBatch(ts)
	at := o.width
	for _, c := range o.calls {
		c.vecs = o.rows.Cols[at : at+len(c.args)]
		at += len(c.args)
		if c.filter != nil {
			c.passes = o.rows.Cols[at]
			at++
		}
	}
	return o, nil
}

func (o *windowOp) Open(ctx *Ctx) error {
	o.in, o.ended, o.next = nil, false, 0
	resetBatch(o.rows, 0)
	for _, c := range o.calls {
		c.state = nil
		if err := c.frame.open(ctx); err != nil {
			return err
		}
	}
	return o.input.Open(ctx)
}

func (o *windowOp) Next(ctx *Ctx, max int) (*types.Batch, error) {
	for o.next == o.rows.N {
		if o.ended {
			return nil, nil
		}
		if err := o.nextPartition(ctx); err != nil {
			return nil, err
		}
	}
	n := min(max, o.rows.N-o.next, types.BatchRows)
	rows := types.Rows{N: n}
	for i := range n {
		rows.Sel = append(rows.Sel, int32(o.next+i))
	}
	resetBatch(o.out, n)
	for i := range o.width {
		gather(o.out.Cols[i], 0, o.rows.Cols[i], rows)
	}
	for i, c := range o.calls {
		gather(o.out.Cols[o.width+i], 0, &c.result, rows)
	}
	o.next += n
	return o.out, nil
}

// nextPartition takes the rows of the next partition and computes the functions.
func (o *windowOp) nextPartition(ctx *Ctx) error {
	if len(o.rows.Cols) > 0 && o.rows.N > 1<<16 {
		clearBatch(o.rows)
	}
	resetBatch(o.rows, 0)
	o.next = 0
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
				break
			}
			if err := ctx.Canceled(); err != nil {
				return err
			}
			o.in, o.at = b, 0
		}
		done, err := o.take(ctx)
		if err != nil {
			return err
		}
		if done {
			break
		}
		o.in = nil
	}
	if o.rows.N == 0 {
		return nil
	}
	o.findPeers()
	for _, c := range o.calls {
		c.result.Resize(o.rows.N)
		if err := o.compute(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// take appends the rows of in that belong to the partition, and reports whether one came that does not.
func (o *windowOp) take(ctx *Ctx) (done bool, err error) {
	from := o.at
	for ; o.at < o.in.N; o.at++ {
		if o.at == from && o.rows.N == 0 {
			continue
		}
		if o.at > from {
			done = !o.samePartition(o.in.Cols, position(o.in.Rows, o.at), o.in.Cols, position(o.in.Rows, o.at-1))
		} else {
			done = !o.samePartition(o.in.Cols, position(o.in.Rows, o.at), o.rows.Cols, o.rows.N-1)
		}
		if done {
			break
		}
	}
	n := o.at - from
	if n == 0 {
		return done, nil
	}
	part := types.Batch{Rows: types.Rows{N: n}, Cols: o.in.Cols}
	for k := from; k < o.at; k++ {
		part.Sel = append(part.Sel, int32(position(o.in.Rows, k)))
	}
	first := o.rows.N
	for _, v := range o.rows.Cols {
		extendVec(v, first+n)
	}
	for i, v := range o.in.Cols {
		gather(o.rows.Cols[i], first, v, part.Rows)
	}
	for _, c := range o.calls {
		for i, x := range c.args {
			v, err := x.Eval(ctx, &part)
			if err != nil {
				return false, err
			}
			gather(c.vecs[i], first, v, part.Rows)
		}
		if c.filter != nil {
			v, err := c.filter.Eval(ctx, &part)
			if err != nil {
				return false, err
			}
			gather(c.passes, first, v, part.Rows)
		}
	}
	o.rows.N += n
	return done, nil
}

func (o *windowOp) samePartition(a []*types.Vec, i int, b []*types.Vec, j int) bool {
	for _, p := range o.part {
		if !types.EqualVec(a[p], i, b[p], j) {
			return false
		}
	}
	return true
}

func (o *windowOp) findPeers() {
	p := &o.peers
	p.n, p.group, p.starts = o.rows.N, p.group[:0], p.starts[:0]
	for i := range o.rows.N {
		same := i > 0
		for _, k := range o.order {
			if v := o.rows.Cols[k.at]; same && !types.EqualVec(v, i, v, i-1) {
				same = false
			}
		}
		if !same {
			p.starts = append(p.starts, int32(i))
		}
		p.group = append(p.group, int32(len(p.starts)-1))
	}
	p.starts = append(p.starts, int32(o.rows.N))
}

// compute computes a function for all rows of the partition.
func (o *windowOp) compute(ctx *Ctx, c *windowCall) error {
	if c.def.Func.Kind == 'w' {
		return o.windowFunction(ctx, c)
	}
	if err := c.frame.begin(ctx, o); err != nil {
		return err
	}
	if c.frame.growing() {
		return o.runningAggregate(ctx, c)
	}
	if c.summable() {
		return o.summedAggregate(ctx, c)
	}
	return o.framedAggregate(ctx, c)
}

// runningAggregate computes an aggregate whose frame begins with the partition: rows are added as the frame grows.
func (o *windowOp) runningAggregate(ctx *Ctx, c *windowCall) error {
	if c.state == nil || c.count == types.BatchRows {
		c.state, c.count = c.def.Func.NewAgg(c.types, c.def.Typ), 0
	}
	group := c.count
	c.count++
	c.state.Grow(c.count)
	added := 0
	var last types.Datum
	for i := range o.rows.N {
		_, end, err := c.frame.of(ctx, i)
		if err != nil {
			return err
		}
		if end > added || i == 0 {
			if err := c.add(ctx, added, end, exclusion{}, int32(group)); err != nil {
				return err
			}
			added = max(added, end)
			if last, err = c.state.Result(&ctx.Ctx, group); err != nil {
				return err
			}
		}
		c.result.Set(i, last)
	}
	return nil
}

// framedAggregate computes an aggregate over any frames, each from its rows.
func (o *windowOp) framedAggregate(ctx *Ctx, c *windowCall) error {
	c.count = types.BatchRows // the state of running ones is not for these
	for i := range o.rows.N {
		if i%types.BatchRows == 0 {
			if err := ctx.Canceled(); err != nil {
				return err
			}
			c.state = c.def.Func.NewAgg(c.types, c.def.Typ)
			c.state.Grow(min(types.BatchRows, o.rows.N-i))
		}
		group := i % types.BatchRows
		from, to, err := c.frame.of(ctx, i)
		if err != nil {
			return err
		}
		if err := c.add(ctx, from, to, c.frame.excluded(&o.peers, i), int32(group)); err != nil {
			return err
		}
		d, err := c.state.Result(&ctx.Ctx, group)
		if err != nil {
			return err
		}
		c.result.Set(i, d)
	}
	c.state = nil
	return nil
}

// add adds rows from .. to-1 but the excluded ones to a group.
func (c *windowCall) add(ctx *Ctx, from, to int, x exclusion, group int32) error {
	c.sel, c.groups = c.sel[:0], c.groups[:0]
	for i := from; i < to; i++ {
		if x.has(i) || c.passes != nil && (c.passes.IsNull(i) || c.passes.I[i] == 0) {
			continue
		}
		c.sel = append(c.sel, int32(i))
		c.groups = append(c.groups, group)
	}
	if len(c.sel) == 0 {
		return nil
	}
	return c.state.Add(&ctx.Ctx, c.vecs, types.Rows{N: len(c.sel), Sel: c.sel}, c.groups)
}

func (o *windowOp) Close() error {
	clearBatch(o.rows)
	resetBatch(o.rows, 0)
	for _, c := range o.calls {
		c.state = nil
	}
	return o.input.Close()
}
