package exec

import (
	"bytes"

	"holdfast/kv"
	"holdfast/planner/exec/rowio"
	"holdfast/sql/algebra"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// lookupJoinOp runs LookupJoin: for each left row it makes the bounds and reads the table or index there.
type lookupJoinOp struct {
	plain  Operator // the left side
	sorted *sortOp  // the same, sorted; nil: never
	left   Operator // that of the two which is used
	bounds *boundsEval
	reader *tableReader
	counts *TableCounts
	pairs  *pairs

	in    *types.Batch
	at    int
	begun bool
	spans []span // of the present row
	span  int
	it    kv.Iterator

	// The single key that was looked up last among the present candidates, nil if there is none: whether there is a row, and the
	// candidate that has it.
	last    []byte
	found   bool
	foundAt int
}

// Build implements Node.
func (n *LookupJoin) Build(b *Builder) (Operator, error) {
	kind, ok := map[algebra.JoinKind]pairKind{
		algebra.InnerJoin: pairInner, algebra.LeftJoin: pairOuter, algebra.SemiJoin: pairSemi, algebra.AntiJoin: pairAnti,
	}[n.Kind]
	if !ok || n.Bounds == nil {
		return nil, errs.New(errs.InternalError, "lookup join of a kind that there is not")
	}
	left, err := b.Build(n.Left)
	if err != nil {
		return nil, err
	}
	l := LayoutOf(n.Left)
	var rt []*types.Type
	for _, c := range n.Columns {
		rt = append(rt, columnType(n.Table, c.Number))
	}
	o := &lookupJoinOp{plain: left, left: left, pairs: newPairs(kind, l.Types(), rt, true)}
	if len(n.Sorted) > 0 {
		o.sorted = &sortOp{input: left, depends: b.dependency(n.Left)}
		if o.sorted.sorter, err = newSorter(l.Types(), l, n.Sorted); err != nil {
			return nil, err
		}
	}
	codec := rowio.NewTableCodec(n.Table)
	var index *rowio.IndexCodec
	if n.Index != nil && !n.Index.Primary {
		index = rowio.NewIndexCodec(n.Table, n.Index)
		o.bounds, err = b.indexBounds(n.Bounds, index, l)
	} else {
		o.bounds, err = b.tableBounds(n.Bounds, codec, l)
	}
	if err != nil {
		return nil, err
	}
	if o.reader, err = newTableReader(&n.Access, codec, index, n.Only, o.pairs.otherAt); err != nil {
		return nil, err
	}
	both := LayoutOf(n.Left)
	both.add(n.columns(), rt)
	switch {
	case n.Filter == nil:
		o.pairs.on, err = b.optional(n.On, both)
	case n.On == nil:
		o.pairs.on, err = b.Expr(n.Filter, both)
	default:
		o.pairs.on, err = b.Expr(&algebra.And{Args: []algebra.Scalar{n.Filter, n.On}}, both)
	}
	return o, err
}

func (o *lookupJoinOp) Open(ctx *Ctx) error {
	o.pairs.restart()
	o.in, o.begun = nil, false
	if err := o.closeIterator(); err != nil {
		return err
	}
	o.left = o.plain
	if o.sorted != nil && ctx.Changes.many() {
		o.left = o.sorted
	}
	return o.left.Open(ctx)
}

func (o *lookupJoinOp) Next(ctx *Ctx, max int) (*types.Batch, error) {
	max = min(max, types.BatchRows)
	p := o.pairs
	for {
		if err := ctx.Canceled(); err != nil {
			return nil, err
		}
		if o.in == nil {
			b, err := o.left.Next(ctx, p.ask(max))
			if b == nil || err != nil {
				return nil, err
			}
			if err := o.bounds.prepare(ctx, b); err != nil {
				return nil, err
			}
			o.in, o.at, o.begun = b, 0, false
			p.begin(b)
			o.counts = ctx.countsOf(o.reader.codec.Table)
			o.counts.lookedUp(b.N)
		}
		p.reset(max)
		o.last = o.last[:0]
		for o.at < o.in.N && p.len() < max {
			if err := o.follow(ctx, max); err != nil {
				return nil, err
			}
		}
		o.counts.scanned(true, false, p.len())
		b, err := p.finish(ctx)
		if err != nil {
			return nil, err
		}
		if o.at == o.in.N {
			o.in = nil
		}
		if b != nil {
			return b, nil
		}
	}
}

// follow adds candidates of the present left row until it has no more or there are max.
func (o *lookupJoinOp) follow(ctx *Ctx, max int) error {
	p := o.pairs
	i := position(o.in.Rows, o.at)
	if !o.begun {
		o.begun = true
		o.spans, o.span = o.bounds.of(i), 0
	}
	single := p.kind.single()
	for !(single && p.matched[i]) {
		if p.len() == max {
			return nil
		}
		found, err := o.next(ctx)
		if err != nil {
			return err
		}
		if !found {
			break
		}
		p.add(i)
		if single && p.on == nil {
			if p.kind == pairSemi {
				return o.endRow(ctx)
			}
			p.matched[i] = true
		}
	}
	if p.kind.ends() && !p.matched[i] {
		if p.len() == max {
			return nil
		}
		p.addNone(i)
	}
	return o.endRow(ctx)
}

// next reads the next row into the place of the next candidate.
func (o *lookupJoinOp) next(ctx *Ctx) (bool, error) {
	row := o.pairs.len()
	for {
		if o.it != nil {
			if o.it.Next() {
				return true, o.reader.take(ctx, o.it.Key(), o.it.Value(), row)
			}
			err := o.it.Err()
			if e := o.closeIterator(); err == nil {
				err = e
			}
			if err != nil {
				return false, ctx.Error(err)
			}
		}
		if o.span == len(o.spans) {
			return false, nil
		}
		s := o.spans[o.span]
		o.span++
		if !s.point() {
			o.it = ctx.Reader.Scan(ctx, kv.KeyRange{Start: s.start, End: s.end}, o.reader.options)
			continue
		}
		if len(o.last) > 0 && bytes.Equal(s.start, o.last) {
			if !o.found {
				continue
			}
			for _, v := range o.pairs.otherAt {
				copyRow(v, row, v, o.foundAt)
			}
			return true, nil
		}
		found, err := o.reader.get(ctx, s.start, row)
		if err != nil {
			return false, err
		}
		o.last, o.found, o.foundAt = append(o.last[:0], s.start...), found, row
		if found {
			return true, nil
		}
	}
}

func (o *lookupJoinOp) endRow(ctx *Ctx) error {
	o.at++
	o.begun = false
	if err := o.closeIterator(); err != nil {
		return ctx.Error(err)
	}
	return nil
}

func (o *lookupJoinOp) closeIterator() error {
	if o.it == nil {
		return nil
	}
	err := o.it.Close()
	o.it = nil
	return err
}

func (o *lookupJoinOp) Close() error {
	err := o.closeIterator()
	if e := o.left.Close(); err == nil {
		err = e
	}
	return err
}

func (o *lookupJoinOp) measure(s *Stats) { o.pairs.measure(s) }
