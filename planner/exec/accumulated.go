package exec

import (
	"sync"

	"holdfast/kv"
	"holdfast/sql/accumulator"
	"holdfast/sql/algebra"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// Accumulated is the check of a bound by accumulators: for each row of its input it looks up groups, and its rows are those for which
// Cond is true, as Items. For each other row, the commit is made to depend on the same with the values that all of its groups have then.
type Accumulated struct {
	Props
	Input  Node
	Groups []algebra.AccumulatedGroup
	Cond   algebra.Scalar
	Items  []algebra.Item

	tests sync.Pool // of *accumulatedRow: for tests at commits
}

// Inputs implements Node.
func (n *Accumulated) Inputs() []Node { return []Node{n.Input} }

// Scalars implements Node.
func (n *Accumulated) Scalars() (list []algebra.Scalar) {
	for _, g := range n.Groups {
		for _, k := range g.Keys {
			list = append(list, k.Expr)
		}
	}
	return append(append(list, n.Cond), itemScalars(n.Items)...)
}

// Makes implements Maker.
func (n *Accumulated) Makes() (ids []algebra.ColID) {
	for _, g := range n.Groups {
		for _, c := range g.Cols {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

// accumulatedRow evaluates the condition for one row: the input's columns, then those of the groups.
type accumulatedRow struct {
	row   *types.Batch
	first []int // of each group
	cond  *Expr
	items []*Expr
}

func (n *Accumulated) newRow(b *Builder) (*accumulatedRow, error) {
	l := LayoutOf(n.Input)
	r := &accumulatedRow{}
	for _, g := range n.Groups {
		r.first = append(r.first, len(l.types))
		for _, c := range g.Cols {
			l.add([]algebra.ColID{c.ID}, []*types.Type{c.Typ})
		}
	}
	r.row = newBatch(l.types)
	resetBatch(r.row, 1)
	r.row.N = 1
	var err error
	if r.cond, err = b.Expr(n.Cond, l); err != nil {
		return nil, err
	}
	for _, it := range n.Items {
		e, err := b.Expr(it.Expr, l)
		if err != nil {
			return nil, err
		}
		r.items = append(r.items, e)
	}
	return r, nil
}

// set makes the columns of one group.
func (r *accumulatedRow) set(n *Accumulated, group int, s *accumulator.State) error {
	for i := range n.Groups[group].Cols {
		d, err := accumulatedValue(&n.Groups[group].Cols[i], s)
		if err != nil {
			return err
		}
		setOne(r.row.Cols[r.first[group]+i], d)
	}
	return nil
}

func setOne(v *types.Vec, d types.Datum) {
	v.Nulls = v.Nulls[:0]
	v.Set(0, d)
}

// violates evaluates the condition, and if it is true the items.
func (r *accumulatedRow) violates(ctx *Ctx) (row []types.Datum, err error) {
	v, err := r.cond.Eval(ctx, r.row)
	if err != nil || v.IsNull(0) || !v.Datum(0).Bool() {
		return nil, err
	}
	row = make([]types.Datum, len(r.items))
	for i, e := range r.items {
		v, err := e.Eval(ctx, r.row)
		if err != nil {
			return nil, err
		}
		row[i] = v.Datum(0)
	}
	return row, nil
}

// accumulatedOp runs Accumulated.
type accumulatedOp struct {
	node  *Accumulated
	input Operator
	keys  [][]*Expr // of each group
	vecs  [][]*types.Vec
	at    *accumulatedRow
	out   *types.Batch
	in    *types.Batch // being worked through, from next on; nil: none
	next  int
}

// Build implements Node.
func (n *Accumulated) Build(b *Builder) (Operator, error) {
	o := &accumulatedOp{node: n, out: newBatch(n.Props.Types)}
	var err error
	if o.input, err = b.Build(n.Input); err != nil {
		return nil, err
	}
	l := LayoutOf(n.Input)
	for _, g := range n.Groups {
		var keys []*Expr
		for _, k := range g.Keys {
			e, err := b.Expr(k.Expr, l)
			if err != nil {
				return nil, err
			}
			keys = append(keys, e)
		}
		o.keys = append(o.keys, keys)
		o.vecs = append(o.vecs, make([]*types.Vec, len(keys)))
	}
	o.at, err = n.newRow(b)
	return o, err
}

func (o *accumulatedOp) Open(ctx *Ctx) error {
	o.in = nil
	return o.input.Open(ctx)
}

// Next returns one row at a time: the first is the violation that is reported.
func (o *accumulatedOp) Next(ctx *Ctx, max int) (*types.Batch, error) {
	for {
		if o.in == nil || o.next >= o.in.N {
			b, err := o.input.Next(ctx, types.BatchRows)
			if b == nil || err != nil {
				return nil, err
			}
			if err := ctx.Canceled(); err != nil {
				return nil, err
			}
			o.in, o.next = b, 0
			for g, keys := range o.keys {
				for i, e := range keys {
					if o.vecs[g][i], err = e.Eval(ctx, b); err != nil {
						return nil, err
					}
				}
			}
		}
		i := position(o.in.Rows, o.next)
		o.next++
		row, err := o.check(ctx, i)
		if err != nil {
			return nil, err
		}
		if row != nil {
			resetBatch(o.out, 1)
			o.out.N = 1
			for k, d := range row {
				o.out.Cols[k].Set(0, d)
			}
			return &types.Batch{Rows: types.Rows{N: 1}, Cols: o.out.Cols}, nil
		}
	}
}

// check looks at row i of the input. It returns the violation, or leaves the row to the commit.
func (o *accumulatedOp) check(ctx *Ctx, i int) ([]types.Datum, error) {
	n := o.node
	for c, v := range o.in.Cols {
		setOne(o.at.row.Cols[c], v.Datum(i))
	}
	keys := make([][]byte, len(n.Groups))
	for g := range n.Groups {
		var err error
		s := &accumulator.State{}
		if keys[g] = o.key(g, i); keys[g] != nil {
			if s, err = current(ctx, ctx.Txn, keys[g]); err != nil {
				return nil, ctx.Error(err)
			}
		}
		if err := o.at.set(n, g, s); err != nil {
			return nil, err
		}
	}
	row, err := o.at.violates(ctx)
	if row == nil && err == nil && ctx.Requirements != nil && ctx.checking != nil {
		o.require(ctx, keys)
		return nil, nil
	}
	// What is answered now rests on the values that were seen.
	for _, key := range keys {
		if key != nil {
			ctx.Txn.Observe(key, kv.AllColumns)
		}
	}
	return row, err
}

// key is the key of a group for row i of the input, nil if there is none.
func (o *accumulatedOp) key(g, i int) []byte {
	group := &o.node.Groups[g]
	key := catalog.RowPrefix(group.Storage)
	for k, v := range o.vecs[g] {
		d := v.Datum(i)
		if d.IsNull() && !group.Keys[k].Null {
			return nil
		}
		key = appendGroupKey(key, v.Type, d)
	}
	return key
}

// require leaves the row at hand to the commit, with the values that its groups then have; keys are theirs, nil of those that are none.
func (o *accumulatedOp) require(ctx *Ctx, keys [][]byte) {
	n, checking, functions := o.node, ctx.checking, ctx.Ctx
	var list [][]byte
	var groups []int // of list
	for g, key := range keys {
		if key != nil {
			list, groups = append(list, key), append(groups, g)
		}
	}
	if len(list) == 0 {
		return
	}
	row := make([]types.Datum, len(o.at.row.Cols))
	for c, v := range o.at.row.Cols {
		row[c] = v.Datum(0)
	}
	ctx.Requirements.add(ctx.Txn, list, func(values []accumulator.State) error {
		at, _ := n.tests.Get().(*accumulatedRow)
		if at == nil {
			var err error
			if at, err = n.newRow(NewBuilder()); err != nil {
				return err
			}
		}
		defer n.tests.Put(at)
		for c, d := range row {
			setOne(at.row.Cols[c], d)
		}
		for i, g := range groups {
			if err := at.set(n, g, &values[i]); err != nil {
				return err
			}
		}
		violation, err := at.violates(&Ctx{Ctx: functions})
		if violation != nil {
			err = &Refused{rule: checking.rule, row: violation, occasion: checking.occasion}
		}
		return err
	})
}

func (o *accumulatedOp) Close() error { return o.input.Close() }

// checking is the check that a plan is run for.
type checking struct {
	rule     *Rule
	occasion string
}

// Refused is why a commit is refused that would violate a rule, which was seen only there.
type Refused struct {
	rule     *Rule
	row      []types.Datum
	occasion string
}

func (r *Refused) Error() string { return "a rule is violated: " + r.rule.Name }

// Report makes the error for the client. Where ctx has no Occasion, it is the statement whose check has left the rest to the commit.
func (r *Refused) Report(ctx *Ctx) error {
	what := *ctx
	if what.Occasion == "" {
		what.Occasion = r.occasion
	}
	if err := r.rule.Report(&what, r.row); err != nil {
		return err
	}
	return errs.New(errs.CheckViolation, "a rule is violated at the commit: %s", r.rule.Name)
}
