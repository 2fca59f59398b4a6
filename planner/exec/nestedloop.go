package exec

import (
	"holdfast/sql/algebra"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// nestedLoopOp runs NestedLoop. For each left row it goes through the right rows: those of the right plan started over with
// the left row's values in its outer columns, or, if the plan uses none, those kept from its first run. Rows come in the order of
// the left input.
type nestedLoopOp struct {
	left    Operator
	cells   []boundCell // outer columns of the right plan that the left row gives
	right   Operator    // started over for each left row; nil: kept
	kept    *materialized
	reader  spoolReader
	pairs   *pairs
	full    bool
	matched []bool // Full: by right row
	refs    []int32

	in    *types.Batch
	at    int
	begun bool // right rows of that row
	seen  int  // of them
	rest  bool // the right rows without a match come
	out   *types.Batch
	width int // of the left input
}

// boundCell is an outer column set from a column of a batch.
type boundCell struct {
	cell *outerCell
	at   int
}

// bindCells finds the columns that a plan uses and a layout has.
func (b *Builder) bindCells(d *dependencies, l *Layout) (cells []boundCell) {
	for id := range d.columns {
		if p, ok := l.Position(id); ok {
			cells = append(cells, boundCell{cell: b.cell(id), at: p})
		}
	}
	return cells
}

// Build implements Node.
func (n *NestedLoop) Build(b *Builder) (Operator, error) {
	left, err := b.Build(n.Left)
	if err != nil {
		return nil, err
	}
	lt, rt := n.Left.Properties().Types, n.Right.Properties().Types
	kind := [...]pairKind{
		algebra.InnerJoin: pairInner, algebra.LeftJoin: pairOuter, algebra.FullJoin: pairOuter,
		algebra.SemiJoin: pairSemi, algebra.AntiJoin: pairAnti, algebra.AntiNullJoin: pairAnti,
	}[n.Kind]
	o := &nestedLoopOp{left: left, pairs: newPairs(kind, lt, rt, true), full: n.Kind == algebra.FullJoin, width: len(lt)}
	o.pairs.notFalse = n.Kind == algebra.AntiNullJoin
	if o.pairs.on, err = b.optional(n.On, LayoutOf(n.Left, n.Right)); err != nil {
		return nil, err
	}
	o.cells = b.bindCells(dependenciesOf(n.Right), LayoutOf(n.Left))
	if len(o.cells) > 0 {
		if o.full {
			return nil, errs.New(errs.InternalError, "full join with a lateral right side")
		}
		o.right, err = b.Build(n.Right)
		return o, err
	}
	if o.kept, err = b.materialize(n.Right); err != nil {
		return nil, err
	}
	o.reader.spool = o.kept.rows
	o.out = newBatch(n.Props.Types)
	return o, nil
}

func (o *nestedLoopOp) Open(ctx *Ctx) error {
	o.pairs.restart()
	o.in, o.begun, o.rest = nil, false, false
	o.matched = o.matched[:0]
	if o.kept != nil {
		if err := o.kept.start(ctx); err != nil {
			return err
		}
	}
	return o.left.Open(ctx)
}

// startRow begins with the right rows for a left row.
func (o *nestedLoopOp) startRow(ctx *Ctx, i int) error {
	o.begun, o.seen = true, 0
	if o.kept != nil {
		o.reader.rewind()
		return nil
	}
	for _, c := range o.cells {
		c.cell.value = o.in.Cols[c.at].Datum(i)
	}
	return o.right.Open(ctx)
}

// nextRight returns the next right rows for the present left row.
func (o *nestedLoopOp) nextRight(ctx *Ctx, max int) (*types.Batch, error) {
	if o.kept == nil {
		return o.right.Next(ctx, max)
	}
	for {
		b, err := o.reader.next(max)
		if b != nil || err != nil {
			return b, err
		}
		if more, err := o.kept.more(ctx, max); !more || err != nil {
			return nil, err
		}
	}
}

func (o *nestedLoopOp) Next(ctx *Ctx, max int) (*types.Batch, error) {
	max = min(max, types.BatchRows)
	p := o.pairs
	for !o.rest {
		if err := ctx.Canceled(); err != nil {
			return nil, err
		}
		if o.in == nil {
			b, err := o.left.Next(ctx, p.ask(max))
			if err != nil {
				return nil, err
			}
			if b == nil {
				o.rest, o.at = true, 0
				o.reader.rewind()
				break
			}
			o.in, o.at, o.begun = b, 0, false
			p.begin(b)
		}
		p.reset(max)
		o.refs = o.refs[:0]
		for o.at < o.in.N && p.len() < max {
			if err := o.follow(ctx, max); err != nil {
				return nil, err
			}
		}
		b, err := p.finish(ctx)
		if err != nil {
			return nil, err
		}
		if o.full {
			for _, i := range p.passing {
				n := int(o.refs[i])
				for len(o.matched) <= n {
					o.matched = append(o.matched, false)
				}
				o.matched[n] = true
			}
		}
		if o.at == o.in.N {
			o.in = nil
		}
		if b != nil {
			return b, nil
		}
	}
	if !o.full {
		return nil, nil
	}
	return o.unmatched(ctx, max)
}

// follow adds candidates of the present left row until it has no more, or there are max, or those there are should be tested first.
func (o *nestedLoopOp) follow(ctx *Ctx, max int) error {
	p := o.pairs
	i := position(o.in.Rows, o.at)
	if !o.begun {
		if err := o.startRow(ctx, i); err != nil {
			return err
		}
	}
	single := p.kind.single()
	for !(single && p.matched[i]) {
		if p.len() == max {
			return nil
		}
		want := max - p.len()
		if single && p.on == nil {
			want = 1
		}
		b, err := o.nextRight(ctx, want)
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
		for k, v := range p.otherAt {
			gather(v, p.len(), b.Cols[k], b.Rows)
		}
		for range b.N {
			p.add(i)
			o.refs = append(o.refs, int32(o.seen))
			o.seen++
		}
		if single && p.on == nil {
			p.matched[i] = p.kind == pairAnti
			if p.kind == pairSemi {
				o.endRow()
				return nil
			}
		}
	}
	if p.kind.ends() && !p.matched[i] {
		if p.len() == max {
			return nil
		}
		p.addNone(i)
		o.refs = append(o.refs, -1)
	}
	o.endRow()
	return nil
}

func (o *nestedLoopOp) endRow() {
	o.at++
	o.begun = false
}

// unmatched returns right rows of a full join that matched no left row.
func (o *nestedLoopOp) unmatched(ctx *Ctx, max int) (*types.Batch, error) {
	for {
		b, err := o.nextRight(ctx, max)
		if b == nil || err != nil {
			return nil, err
		}
		resetBatch(o.out, b.N)
		n := 0
		for k := range b.N {
			row := o.at
			o.at++
			if row < len(o.matched) && o.matched[row] {
				continue
			}
			for c, v := range b.Cols {
				copyRow(o.out.Cols[o.width+c], n, v, position(b.Rows, k))
			}
			n++
		}
		if n > 0 {
			o.out.Rows = types.Rows{N: n}
			for _, v := range o.out.Cols[:o.width] {
				setNulls(v, o.out.Rows)
			}
			return o.out, nil
		}
		if err := ctx.Canceled(); err != nil {
			return nil, err
		}
	}
}

func (o *nestedLoopOp) Close() error {
	err := o.left.Close()
	var e error
	if o.kept != nil {
		e = o.kept.Close()
	} else {
		e = o.right.Close()
	}
	if err == nil {
		err = e
	}
	return err
}

func (o *nestedLoopOp) measure(s *Stats) { o.pairs.measure(s) }
