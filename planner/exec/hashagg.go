package exec

import (
	"holdfast/sql/algebra"
	"holdfast/sql/types"
)

// hashAggOp runs HashAggregate. When its groups outgrow work_mem it makes no new ones: rows of groups it does not have go to
// files by their hash, and each file is then aggregated in its turn. Groups in the table are complete, because all
// rows of one group either met the table or are in one file.
type hashAggOp struct {
	input Operator
	types []*types.Type // of the input
	at    []int         // key columns
	*aggregates
	table *groupTable
	mem   Memory

	keys    []*types.Vec
	groups  []int32
	rest    types.Batch // rows of a batch that meet the table, if not all
	restSel []int32
	spilled *partitions
	pending []pendingPart
	current *rowFile
	level   int

	state   aggState
	next    int // group to emit
	out     *types.Batch
	order   []int32
	disk    int64
	batches int
	depends *dependency
}

type aggState uint8

const (
	aggNew aggState = iota
	aggEmit
	aggDone
)

// pendingPart is a file still to be worked on.
type pendingPart struct {
	file  *rowFile
	level int // of further splits
}

// Build implements Node.
func (n *HashAggregate) Build(b *Builder) (Operator, error) {
	if len(n.Keys) == 0 {
		return (&OrderedAggregate{Props: n.Props, Input: n.Input, Aggs: n.Aggs}).Build(b)
	}
	in, err := b.Build(n.Input)
	if err != nil {
		return nil, err
	}
	l := LayoutOf(n.Input)
	o := &hashAggOp{input: in, types: l.Types(), out: newBatch(n.Props.Types), depends: b.dependency(n.Input, n.Scalars()...)}
	var keyTypes []*types.Type
	if o.at, keyTypes, err = columnsAt(l, n.Keys); err != nil {
		return nil, err
	}
	o.keys = make([]*types.Vec, len(o.at))
	o.table = newGroupTable(keyTypes)
	o.aggregates, err = b.aggregates(n.Aggs, l)
	return o, err
}

// columnsAt finds columns in a layout.
func columnsAt(l *Layout, ids []algebra.ColID) (at []int, ts []*types.Type, err error) {
	for _, id := range ids {
		p, err := l.find(id)
		if err != nil {
			return nil, nil, err
		}
		at, ts = append(at, p), append(ts, l.Types()[p])
	}
	return at, ts, nil
}

func (o *hashAggOp) Open(ctx *Ctx) error {
	if o.state != aggNew && o.depends.fresh() && o.batches == 0 {
		o.state, o.next = aggEmit, 0
		return nil
	}
	if err := o.reset(); err != nil {
		return err
	}
	return o.input.Open(ctx)
}

func (o *hashAggOp) reset() error {
	o.state, o.level, o.disk, o.batches = aggNew, 0, 0, 0
	err := o.spilled.close()
	o.spilled = nil
	for _, p := range o.pending {
		if e := p.file.close(); err == nil {
			err = e
		}
	}
	o.pending = o.pending[:0]
	if e := o.current.close(); err == nil {
		err = e
	}
	o.current = nil
	if e := o.aggregates.close(); err == nil {
		err = e
	}
	o.table.reset()
	return err
}

func (o *hashAggOp) Next(ctx *Ctx, max int) (*types.Batch, error) {
	for {
		switch o.state {
		case aggNew:
			o.depends.mark()
			if err := o.consume(ctx, o.input.Next); err != nil {
				return nil, err
			}
			if err := o.input.Close(); err != nil {
				return nil, err
			}
			o.state, o.next = aggEmit, 0
		case aggEmit:
			if n := min(max, o.table.len()-o.next, types.BatchRows); n > 0 {
				return o.emit(ctx, n)
			}
			if err := o.nextPart(ctx); err != nil {
				return nil, err
			}
		default:
			return nil, nil
		}
	}
}

func (o *hashAggOp) emit(ctx *Ctx, n int) (*types.Batch, error) {
	resetBatch(o.out, n)
	o.order = o.order[:0]
	for k := range n {
		o.order = append(o.order, int32(o.next+k))
	}
	o.table.rows.gather(o.out.Cols[:len(o.at)], 0, o.order)
	if err := o.results(ctx, o.next, n, o.out.Cols[len(o.at):]); err != nil {
		return nil, err
	}
	o.next += n
	return o.out, nil
}

// nextPart aggregates the next file, if there is one.
func (o *hashAggOp) nextPart(ctx *Ctx) error {
	if err := o.current.close(); err != nil {
		return err
	}
	o.current = nil
	if len(o.pending) == 0 {
		o.state = aggDone
		return nil
	}
	part := o.pending[len(o.pending)-1]
	o.pending = o.pending[:len(o.pending)-1]
	o.current, o.level = part.file, part.level
	in, err := sourceOf(part.file, o.types)
	if err != nil {
		return err
	}
	if err := o.consume(ctx, in); err != nil {
		return err
	}
	o.next = 0
	return nil
}

// consume aggregates all rows of a source, or as many groups as fit.
func (o *hashAggOp) consume(ctx *Ctx, in source) error {
	o.table.reset()
	o.mem.Reset(ctx)
	if err := o.aggregates.reset(ctx); err != nil {
		return err
	}
	for {
		b, err := in(ctx, types.BatchRows)
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
		if err := ctx.Canceled(); err != nil {
			return err
		}
		if b, err = o.assign(ctx, b); err != nil {
			return err
		}
		o.grow(o.table.len())
		if b.N > 0 {
			if err := o.aggregates.add(ctx, b, o.groups); err != nil {
				return err
			}
		}
		if !o.mem.Grow(o.table.bytes()+o.aggregates.bytes()-o.mem.Used()) && o.spilled == nil && o.level < partitionMax {
			o.spilled = &partitions{level: o.level, layout: rowLayout(o.types)}
			o.batches += len(o.spilled.files)
		}
	}
	if o.spilled != nil {
		o.disk += o.spilled.size()
		for i, f := range o.spilled.files {
			if f != nil {
				o.pending = append(o.pending, pendingPart{file: f, level: o.level + 1})
				o.spilled.files[i] = nil
			}
		}
		o.spilled = nil
	}
	return o.finish(ctx)
}

// assign finds the groups of rows. While rows go to files it returns those that do not.
func (o *hashAggOp) assign(ctx *Ctx, b *types.Batch) (*types.Batch, error) {
	for i, p := range o.at {
		o.keys[i] = b.Cols[p]
	}
	hashes := o.table.hashRows(o.keys, b.Rows)
	o.groups = o.groups[:0]
	if o.spilled != nil {
		o.restSel = o.restSel[:0]
		for k := range b.N {
			i := position(b.Rows, k)
			if g := o.table.find(o.keys, i, hashes[k]); g >= 0 {
				o.groups = append(o.groups, g)
				o.restSel = append(o.restSel, int32(i))
			} else if err := o.spilled.write(ctx, hashes[k], b, i); err != nil {
				return nil, err
			}
		}
		o.rest = types.Batch{Rows: types.Rows{N: len(o.restSel), Sel: o.restSel}, Cols: b.Cols}
		return &o.rest, nil
	}
	for k := range b.N {
		i := position(b.Rows, k)
		g := o.table.find(o.keys, i, hashes[k])
		if g < 0 {
			g = o.table.add(o.keys, i, hashes[k])
		}
		o.groups = append(o.groups, g)
	}
	return b, nil
}

func (o *hashAggOp) Close() error {
	err := o.reset()
	if e := o.input.Close(); err == nil {
		err = e
	}
	return err
}

func (o *hashAggOp) measure(s *Stats) {
	s.Memory, s.Disk, s.Batches = max(s.Memory, o.mem.Peak()), max(s.Disk, o.disk), max(s.Batches, o.batches)
}
