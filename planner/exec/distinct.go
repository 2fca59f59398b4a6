package exec

import (
	"holdfast/sql/algebra"
	"holdfast/sql/types"
)

// distinctOp runs Distinct by hashing. It hands on the first of equal rows as it comes. Beyond work_mem, rows that are not in the
// table go to files, as in hashAggOp.
type distinctOp struct {
	input   Operator
	types   []*types.Type
	width   int // columns that count
	table   *groupTable
	mem     Memory
	from    source
	current *rowFile
	spilled *partitions
	pending []pendingPart
	level   int
	sel     []int32
	view    types.Batch
	disk    int64
	batches int
}

// Build implements Node.
func (n *Distinct) Build(b *Builder) (Operator, error) {
	if n.Sorted {
		return (&DistinctOn{Props: n.Props, Input: n.Input, On: n.Input.Properties().Cols}).Build(b)
	}
	in, err := b.Build(n.Input)
	if err != nil {
		return nil, err
	}
	ts := n.Input.Properties().Types
	o := newDistinct(in, ts)
	if n.KeepOrder {
		o.input, o.types = newNumber(in), append(ts[:len(ts):len(ts)], types.Int8)
		return newReorder(o, o.types, len(ts)), nil
	}
	return o, nil
}

func newDistinct(in Operator, ts []*types.Type) *distinctOp {
	return &distinctOp{input: in, types: ts, width: len(ts), table: newGroupTable(ts)}
}

func (o *distinctOp) outOfOrder() bool { return o.current != nil }

func (o *distinctOp) Open(ctx *Ctx) error {
	if err := o.reset(); err != nil {
		return err
	}
	o.mem.Reset(ctx)
	o.from = o.input.Next
	return o.input.Open(ctx)
}

func (o *distinctOp) reset() error {
	o.level, o.disk, o.batches = 0, 0, 0
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
	o.table.reset()
	return err
}

func (o *distinctOp) Next(ctx *Ctx, max int) (*types.Batch, error) {
	for {
		b, err := o.from(ctx, max)
		if err != nil {
			return nil, err
		}
		if b == nil {
			if more, err := o.nextPart(ctx); !more || err != nil {
				return nil, err
			}
			continue
		}
		if err := ctx.Canceled(); err != nil {
			return nil, err
		}
		keys := b.Cols[:o.width]
		hashes := o.table.hashRows(keys, b.Rows)
		o.sel = o.sel[:0]
		for k := range b.N {
			i := position(b.Rows, k)
			if o.table.find(keys, i, hashes[k]) >= 0 {
				continue
			}
			if o.spilled != nil {
				if err := o.spilled.write(ctx, hashes[k], b, i); err != nil {
					return nil, err
				}
				continue
			}
			o.table.add(keys, i, hashes[k])
			o.sel = append(o.sel, int32(i))
		}
		if !o.mem.Grow(o.table.bytes()-o.mem.Used()) && o.spilled == nil && o.level < partitionMax {
			o.spilled = &partitions{level: o.level, layout: rowLayout(o.types)}
			o.batches += len(o.spilled.files)
		}
		if len(o.sel) > 0 {
			o.view = types.Batch{Rows: types.Rows{N: len(o.sel), Sel: o.sel}, Cols: b.Cols}
			return &o.view, nil
		}
	}
}

// nextPart begins with the next file and reports whether there is one.
func (o *distinctOp) nextPart(ctx *Ctx) (bool, error) {
	if err := o.current.close(); err != nil {
		return false, err
	}
	o.current = nil
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
	if len(o.pending) == 0 {
		o.from = func(*Ctx, int) (*types.Batch, error) { return nil, nil }
		return false, nil
	}
	part := o.pending[len(o.pending)-1]
	o.pending = o.pending[:len(o.pending)-1]
	o.current, o.level = part.file, part.level
	o.table.reset()
	o.mem.Reset(ctx)
	var err error
	o.from, err = sourceOf(part.file, o.types)
	return err == nil, err
}

func (o *distinctOp) Close() error {
	err := o.reset()
	if e := o.input.Close(); err == nil {
		err = e
	}
	return err
}

func (o *distinctOp) measure(s *Stats) {
	s.Memory, s.Disk, s.Batches = max(s.Memory, o.mem.Peak()), max(s.Disk, o.disk), max(s.Batches, o.batches)
}

// firstOfOp runs DistinctOn: it keeps each row whose columns differ from those of the row before.
type firstOfOp struct {
	input Operator
	at    []int
	last  *types.Batch // one row: the columns of the row before
	begun bool
	sel   []int32
	view  types.Batch
}

// Build implements Node.
func (n *DistinctOn) Build(b *Builder) (Operator, error) {
	in, err := b.Build(n.Input)
	if err != nil {
		return nil, err
	}
	return newFirstOf(in, LayoutOf(n.Input), n.On)
}

func newFirstOf(in Operator, l *Layout, on []algebra.ColID) (Operator, error) {
	at, ts, err := columnsAt(l, on)
	if err != nil {
		return nil, err
	}
	return &firstOfOp{input: in, at: at, last: newBatch(ts)}, nil
}

func (o *firstOfOp) Open(ctx *Ctx) error {
	o.begun = false
	return o.input.Open(ctx)
}

func (o *firstOfOp) Next(ctx *Ctx, max int) (*types.Batch, error) {
	for {
		b, err := o.input.Next(ctx, max)
		if b == nil || err != nil {
			return nil, err
		}
		o.sel = o.sel[:0]
		for k := range b.N {
			if i := position(b.Rows, k); !o.begun || !o.sameAsLast(b, i) {
				o.begun = true
				resetBatch(o.last, 1)
				for c, p := range o.at {
					copyRow(o.last.Cols[c], 0, b.Cols[p], i)
				}
				o.sel = append(o.sel, int32(i))
			}
		}
		if len(o.sel) > 0 {
			o.view = types.Batch{Rows: types.Rows{N: len(o.sel), Sel: o.sel}, Cols: b.Cols}
			return &o.view, nil
		}
		if err := ctx.Canceled(); err != nil {
			return nil, err
		}
	}
}

func (o *firstOfOp) sameAsLast(b *types.Batch, i int) bool {
	for c, p := range o.at {
		if !types.EqualVec(o.last.Cols[c], 0, b.Cols[p], i) {
			return false
		}
	}
	return true
}

func (o *firstOfOp) Close() error { return o.input.Close() }
