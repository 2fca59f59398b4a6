package exec

import (
	"holdfast/sql/algebra"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// mergeJoinOp runs MergeJoin: it moves along both inputs, and keeps the right rows of one key, which every left row with that key is
// paired with. Rows keep the order of the left input.
type mergeJoinOp struct {
	left, right     Operator
	leftAt, rightAt []int
	pairs           *pairs

	in    *types.Batch
	at    int
	begun bool
	k     int // candidates of the present left row so far

	group  *RowBuffer   // right rows of the key at hand
	next   *types.Batch // right rows not in a group yet
	nextAt int
	ended  bool // the right input has
	refs   []int32
}

// Build implements Node.
func (n *MergeJoin) Build(b *Builder) (Operator, error) {
	kind, ok := map[algebra.JoinKind]pairKind{algebra.InnerJoin: pairInner, algebra.LeftJoin: pairOuter, algebra.SemiJoin: pairSemi, algebra.AntiJoin: pairAnti}[n.Kind]
	if !ok || len(n.LeftKeys) != len(n.RightKeys) || len(n.LeftKeys) == 0 {
		return nil, errs.New(errs.InternalError, "merge join of a kind that there is not")
	}
	o := &mergeJoinOp{}
	var err error
	if o.left, err = b.Build(n.Left); err != nil {
		return nil, err
	}
	if o.right, err = b.Build(n.Right); err != nil {
		return nil, err
	}
	l, r := LayoutOf(n.Left), LayoutOf(n.Right)
	if o.leftAt, _, err = columnsAt(l, n.LeftKeys); err != nil {
		return nil, err
	}
	if o.rightAt, _, err = columnsAt(r, n.RightKeys); err != nil {
		return nil, err
	}
	o.group = NewRowBuffer(r.Types())
	o.pairs = newPairs(kind, l.Types(), r.Types(), true)
	o.pairs.on, err = b.optional(n.On, LayoutOf(n.Left, n.Right))
	return o, err
}

func (o *mergeJoinOp) Open(ctx *Ctx) error {
	o.pairs.restart()
	o.in, o.next, o.ended, o.begun = nil, nil, false, false
	o.group.Reset()
	if err := o.right.Open(ctx); err != nil {
		return err
	}
	return o.left.Open(ctx)
}

func (o *mergeJoinOp) Next(ctx *Ctx, max int) (*types.Batch, error) {
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
			o.in, o.at, o.begun = b, 0, false
			p.begin(b)
		}
		// One round has candidates of one group only, since a new group takes the place of the old.
		p.reset(max)
		o.refs = o.refs[:0]
		for o.at < o.in.N && p.len() < max {
			moved, err := o.follow(ctx, max)
			if err != nil {
				return nil, err
			}
			if moved {
				break
			}
		}
		o.gatherGroup()
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

// follow adds candidates of the present left row until it has no more or there are max. It reports true, and does nothing, if the row
// needs another group while there are candidates of the present one.
func (o *mergeJoinOp) follow(ctx *Ctx, max int) (bool, error) {
	p := o.pairs
	i := position(o.in.Rows, o.at)
	if !o.begun {
		if !o.sameGroup(i) {
			if len(o.refs) > p.nones {
				return true, nil
			}
			if err := o.seek(ctx, i); err != nil {
				return false, err
			}
		}
		o.begun, o.k = true, 0
	}
	n := 0
	if o.sameGroup(i) {
		n = o.group.Len()
	}
	single := p.kind.single()
	for ; o.k < n && !(single && p.matched[i]); o.k++ {
		if p.len() == max {
			return false, nil
		}
		p.add(i)
		o.refs = append(o.refs, int32(o.k))
		if single && p.on == nil {
			if p.kind == pairAnti {
				p.matched[i] = true
			}
			o.k = n - 1
		}
	}
	if p.kind.ends() && !p.matched[i] {
		if p.len() == max {
			return false, nil
		}
		p.addNone(i)
		o.refs = append(o.refs, -1)
	}
	o.at++
	o.begun = false
	return false, nil
}

func (o *mergeJoinOp) gatherGroup() {
	for k := 0; k < len(o.refs); {
		from := k
		for k < len(o.refs) && o.refs[k] >= 0 {
			k++
		}
		o.group.gather(o.pairs.otherAt, from, o.refs[from:k])
		for k < len(o.refs) && o.refs[k] < 0 {
			k++
		}
	}
}

// sameGroup reports whether the group at hand has the key of left row i.
func (o *mergeJoinOp) sameGroup(i int) bool {
	if o.group.Len() == 0 {
		return false
	}
	b, j := o.group.Row(0)
	return o.compare(i, b, j) == 0
}

// compare orders left row i and a right row by their keys; NULLs sort last and a NULL equals nothing: then it is less, so that the left row is
// passed by.
func (o *mergeJoinOp) compare(i int, b *types.Batch, j int) int {
	for k, at := range o.leftAt {
		v, w := o.in.Cols[at], b.Cols[o.rightAt[k]]
		if v.IsNull(i) || w.IsNull(j) {
			if v.IsNull(i) && !w.IsNull(j) {
				return 1
			}
			return -1
		}
		if c := types.CompareVec(v, i, w, j); c != 0 {
			return c
		}
	}
	return 0
}

// seek moves along the right input to the key of left row i, or past it, and makes the group of rows with that key.
func (o *mergeJoinOp) seek(ctx *Ctx, i int) error {
	o.group.Reset()
	for {
		if o.next == nil {
			if o.ended {
				return nil
			}
			b, err := o.right.Next(ctx, types.BatchRows)
			if err != nil {
				return err
			}
			if b == nil {
				o.ended = true
				return nil
			}
			o.next, o.nextAt = b, 0
		}
		for ; o.nextAt < o.next.N; o.nextAt++ {
			j := position(o.next.Rows, o.nextAt)
			c := o.compare(i, o.next, j)
			if c < 0 {
				return nil
			}
			if c == 0 {
				o.group.AppendRow(o.next, j)
			}
		}
		o.next = nil
	}
}

func (o *mergeJoinOp) Close() error {
	o.group.Reset()
	err := o.left.Close()
	if e := o.right.Close(); err == nil {
		err = e
	}
	return err
}

func (o *mergeJoinOp) measure(s *Stats) { o.pairs.measure(s) }
