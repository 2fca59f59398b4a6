package exec

import (
	"holdfast/sql/algebra"
	"holdfast/sql/types"
)

// setOp runs INTERSECT and EXCEPT: it counts the right rows in a hash table, then streams the left ones past it. (UNION ALL is
// Append, UNION a Distinct over it.) Beyond work_mem, right rows that are not in the table, and then the left ones that are not,
// go to files by their hash; each pair of files is then worked on by itself.
type setOp struct {
	left, right Operator
	types       []*types.Type
	except, all bool
	table       *groupTable
	counts      []int64 // by row of the table: right rows still to be matched; seenLeft for a distinct row already handed on or refused
	mem         Memory

	loaded            bool
	level             int
	fromLeft          source
	rightSpill        *partitions
	leftSpill         *partitions
	pending           []pendingPair
	curLeft, curRight *rowFile
	sel               []int32
	view              types.Batch
	disk              int64
	batches           int
}

type pendingPair struct {
	left, right *rowFile
	level       int
}

// done marks a row of which no more is to come.
const done = int64(-1)

// Build implements Node.
func (n *SetOp) Build(b *Builder) (Operator, error) {
	left, err := b.Build(n.Left)
	if err != nil {
		return nil, err
	}
	right, err := b.Build(n.Right)
	if err != nil {
		return nil, err
	}
	ts := n.Left.Properties().Types
	if n.Kind == algebra.Union {
		both := &appendOp{children: []Operator{left, right}}
		if n.All {
			return both, nil
		}
		return newDistinct(both, ts), nil
	}
	return &setOp{left: left, right: right, types: ts, except: n.Kind == algebra.Except, all: n.All, table: newGroupTable(ts)}, nil
}

func (o *setOp) Open(ctx *Ctx) error {
	if err := o.reset(); err != nil {
		return err
	}
	if err := o.right.Open(ctx); err != nil {
		return err
	}
	return o.left.Open(ctx)
}

func (o *setOp) reset() error {
	o.loaded, o.level, o.disk, o.batches = false, 0, 0, 0
	var err error
	keep := func(e error) {
		if err == nil {
			err = e
		}
	}
	keep(o.leftSpill.close())
	keep(o.rightSpill.close())
	o.leftSpill, o.rightSpill = nil, nil
	for _, p := range o.pending {
		keep(p.left.close())
		keep(p.right.close())
	}
	o.pending = o.pending[:0]
	keep(o.curLeft.close())
	keep(o.curRight.close())
	o.curLeft, o.curRight = nil, nil
	o.table.reset()
	return err
}

// load counts the right rows.
func (o *setOp) load(ctx *Ctx, right source) error {
	o.table.reset()
	o.counts = o.counts[:0]
	o.mem.Reset(ctx)
	for {
		b, err := right(ctx, types.BatchRows)
		if err != nil {
			return err
		}
		if b == nil {
			return nil
		}
		if err := ctx.Canceled(); err != nil {
			return err
		}
		hashes := o.table.hashRows(b.Cols, b.Rows)
		for k := range b.N {
			i := position(b.Rows, k)
			n := o.table.find(b.Cols, i, hashes[k])
			if n < 0 && o.rightSpill != nil {
				if err := o.rightSpill.write(ctx, hashes[k], b, i); err != nil {
					return err
				}
				continue
			}
			if n < 0 {
				n = o.table.add(b.Cols, i, hashes[k])
				o.counts = append(o.counts, 0)
			}
			o.counts[n]++
		}
		o.checkMemory()
	}
}

// checkMemory begins to spill when the table is too large.
func (o *setOp) checkMemory() {
	if o.mem.Grow(o.table.bytes()+int64(8*len(o.counts))-o.mem.Used()) || o.rightSpill != nil || o.level >= partitionMax {
		return
	}
	o.rightSpill = &partitions{level: o.level, layout: rowLayout(o.types)}
	o.leftSpill = &partitions{level: o.level, layout: o.rightSpill.layout}
	o.batches += len(o.rightSpill.files)
}

func (o *setOp) Next(ctx *Ctx, max int) (*types.Batch, error) {
	if !o.loaded {
		if err := o.load(ctx, o.right.Next); err != nil {
			return nil, err
		}
		if err := o.right.Close(); err != nil {
			return nil, err
		}
		o.fromLeft = o.left.Next
		o.loaded = true
	}
	for {
		b, err := o.fromLeft(ctx, max)
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
		hashes := o.table.hashRows(b.Cols, b.Rows)
		o.sel = o.sel[:0]
		for k := range b.N {
			i := position(b.Rows, k)
			n := o.table.find(b.Cols, i, hashes[k])
			if n < 0 && o.leftSpill != nil {
				if err := o.leftSpill.write(ctx, hashes[k], b, i); err != nil {
					return nil, err
				}
				continue
			}
			if o.passes(b, i, n, hashes[k]) {
				o.sel = append(o.sel, int32(i))
			}
		}
		o.checkMemory()
		if len(o.sel) > 0 {
			o.view = types.Batch{Rows: types.Rows{N: len(o.sel), Sel: o.sel}, Cols: b.Cols}
			return &o.view, nil
		}
	}
}

// passes decides on left row i, number n in the table or -1.
func (o *setOp) passes(b *types.Batch, i int, n int32, hash uint64) bool {
	switch {
	case o.all:
		if n >= 0 && o.counts[n] > 0 {
			o.counts[n]--
			return !o.except
		}
		return o.except
	case n < 0:
		if !o.except {
			return false
		}
		o.table.add(b.Cols, i, hash)
		o.counts = append(o.counts, done)
		return true
	case o.counts[n] == done || o.except:
		return false
	}
	o.counts[n] = done
	return true
}

// nextPart begins with the next pair of files and reports whether there is one.
func (o *setOp) nextPart(ctx *Ctx) (bool, error) {
	if o.rightSpill != nil {
		o.disk += o.leftSpill.size() + o.rightSpill.size()
		for i, f := range o.leftSpill.files {
			right := o.rightSpill.files[i]
			o.leftSpill.files[i], o.rightSpill.files[i] = nil, nil
			if f == nil { // no left rows, no result
				if err := right.close(); err != nil {
					return false, err
				}
				continue
			}
			o.pending = append(o.pending, pendingPair{left: f, right: right, level: o.level + 1})
		}
		o.leftSpill, o.rightSpill = nil, nil
	}
	if err := o.curLeft.close(); err != nil {
		return false, err
	}
	if err := o.curRight.close(); err != nil {
		return false, err
	}
	if len(o.pending) == 0 {
		o.fromLeft = func(*Ctx, int) (*types.Batch, error) { return nil, nil }
		return false, nil
	}
	p := o.pending[len(o.pending)-1]
	o.pending = o.pending[:len(o.pending)-1]
	o.curLeft, o.curRight, o.level = p.left, p.right, p.level
	right, err := sourceOf(p.right, o.types)
	if err != nil {
		return false, err
	}
	if err := o.load(ctx, right); err != nil {
		return false, err
	}
	o.fromLeft, err = sourceOf(p.left, o.types)
	return err == nil, err
}

func (o *setOp) Close() error {
	err := o.reset()
	for _, c := range []Operator{o.left, o.right} {
		if e := c.Close(); err == nil {
			err = e
		}
	}
	return err
}

func (o *setOp) measure(s *Stats) {
	s.Memory, s.Disk, s.Batches = max(s.Memory, o.mem.Peak()), max(s.Disk, o.disk), max(s.Batches, o.batches)
}
