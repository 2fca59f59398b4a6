package exec

import (
	"holdfast/sql/algebra"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// The operators that handle one batch at a time: Filter, Project, Limit, Values, Append.

type filterOp struct {
	filtered
	input Operator
}

// Build implements Node.
func (n *Filter) Build(b *Builder) (Operator, error) {
	in, err := b.Build(n.Input)
	if err != nil {
		return nil, err
	}
	o := &filterOp{input: in}
	o.filter, err = b.Expr(n.Cond, LayoutOf(n.Input))
	return o, err
}

func (o *filterOp) Open(ctx *Ctx) error {
	o.filtered.reset()
	return o.input.Open(ctx)
}

func (o *filterOp) Next(ctx *Ctx, max int) (*types.Batch, error) {
	return o.filtered.next(ctx, max, o.input.Next)
}

func (o *filterOp) Close() error { return o.input.Close() }

// projectOp computes columns. Those that its expressions return as Const are spread out, since columns of a batch never are.
type projectOp struct {
	input  Operator
	exprs  []*Expr
	passed []int // position in the input of a column that is passed on, -1 for an expression
	spread []*types.Vec
	batch  types.Batch
}

// Build implements Node.
func (n *Project) Build(b *Builder) (Operator, error) {
	in, err := b.Build(n.Input)
	if err != nil {
		return nil, err
	}
	return b.project(in, LayoutOf(n.Input), n.Items)
}

func (b *Builder) project(in Operator, l *Layout, items []algebra.Item) (*projectOp, error) {
	n := len(items)
	o := &projectOp{input: in, exprs: make([]*Expr, n), passed: make([]int, n), spread: make([]*types.Vec, n)}
	o.batch.Cols = make([]*types.Vec, n)
	for i, it := range items {
		o.passed[i] = -1
		if c, ok := it.Expr.(*algebra.Col); ok {
			if p, ok := l.Position(c.ID); ok {
				o.passed[i] = p
				continue
			}
		}
		var err error
		if o.exprs[i], err = b.Expr(it.Expr, l); err != nil {
			return nil, err
		}
		o.spread[i] = &types.Vec{Type: it.Expr.Type()}
	}
	return o, nil
}

func (o *projectOp) Open(ctx *Ctx) error { return o.input.Open(ctx) }

func (o *projectOp) Next(ctx *Ctx, max int) (*types.Batch, error) {
	in, err := o.input.Next(ctx, max)
	if in == nil || err != nil {
		return nil, err
	}
	for i, p := range o.passed {
		if p >= 0 {
			o.batch.Cols[i] = in.Cols[p]
			continue
		}
		v, err := o.exprs[i].Eval(ctx, in)
		if err != nil {
			return nil, err
		}
		if v.Const {
			o.spread[i].Resize(extent(in.Rows))
			fillRows(o.spread[i], v, in.Rows)
			v = o.spread[i]
		}
		o.batch.Cols[i] = v
	}
	o.batch.Rows = in.Rows
	return &o.batch, nil
}

func (o *projectOp) Close() error { return o.input.Close() }

type limitOp struct {
	input Operator
	limits
	skip  int64 // rows still to be skipped
	left  int64 // rows still to be passed
	ahead bool
	view  types.Batch
}

// limits are the counts of Limit and TopK.
type limits struct{ count, offset *Expr }

// Build implements Node.
func (n *Limit) Build(b *Builder) (Operator, error) {
	in, err := b.Build(n.Input)
	if err != nil {
		return nil, err
	}
	o := &limitOp{input: in, ahead: n.Ahead}
	o.limits, err = b.limits(n.Count, n.Offset)
	return o, err
}

func (b *Builder) limits(count, offset algebra.Scalar) (l limits, err error) {
	if l.count, err = b.optional(count, nil); err != nil {
		return l, err
	}
	l.offset, err = b.optional(offset, nil)
	return l, err
}

const noLimit = int64(1)<<62 - 1

// values evaluates the limits: how many rows to skip and how many then to pass.
func (l *limits) values(ctx *Ctx) (skip, count int64, err error) {
	count = noLimit
	if l.count != nil {
		d, err := l.count.Value(ctx)
		if err != nil {
			return 0, 0, err
		}
		if !d.IsNull() {
			if count = min(d.Int(), noLimit); count < 0 {
				return 0, 0, errs.New(errs.InvalidRowCountInLimit, "LIMIT must not be negative")
			}
		}
	}
	if l.offset != nil {
		d, err := l.offset.Value(ctx)
		if err != nil {
			return 0, 0, err
		}
		if !d.IsNull() {
			if skip = min(d.Int(), noLimit); skip < 0 {
				return 0, 0, errs.New(errs.InvalidRowCountInOffset, "OFFSET must not be negative")
			}
		}
	}
	return skip, count, nil
}

func (o *limitOp) Open(ctx *Ctx) error {
	var err error
	if o.skip, o.left, err = o.values(ctx); err != nil {
		return err
	}
	return o.input.Open(ctx)
}

func (o *limitOp) Next(ctx *Ctx, max int) (*types.Batch, error) {
	for o.skip > 0 && o.left > 0 {
		b, err := o.input.Next(ctx, int(min(o.skip, types.BatchRows)))
		if b == nil || err != nil {
			return nil, err
		}
		o.skip -= int64(b.N)
	}
	if o.left == 0 {
		return nil, nil
	}
	most := int(min(o.left, int64(max)))
	ask := most
	if o.ahead && ctx.Changes.many() {
		ask = types.BatchRows
	}
	b, err := o.input.Next(ctx, ask)
	if b == nil || err != nil {
		return nil, err
	}
	if b.N > most {
		o.view = types.Batch{Rows: b.Rows, Cols: b.Cols}
		if o.view.N = most; b.Sel != nil {
			o.view.Sel = b.Sel[:most]
		}
		b = &o.view
	}
	o.left -= int64(b.N)
	return b, nil
}

func (o *limitOp) Close() error { return o.input.Close() }

// valuesOp makes rows. Constants, of which there may be many, are not compiled.
type valuesOp struct {
	rows  [][]value
	at    int
	batch *types.Batch
}

// value is an expression, or a constant if that is nil.
type value struct {
	expr     *Expr
	constant types.Datum
}

// Build implements Node.
func (n *Values) Build(b *Builder) (Operator, error) {
	o := &valuesOp{batch: newBatch(n.Props.Types)}
	for _, row := range n.Values {
		values := make([]value, len(row))
		for i, s := range row {
			if c, ok := s.(*algebra.Const); ok {
				values[i].constant = c.Value
				continue
			}
			var err error
			if values[i].expr, err = b.Expr(s, nil); err != nil {
				return nil, err
			}
		}
		o.rows = append(o.rows, values)
	}
	return o, nil
}

func (o *valuesOp) Open(*Ctx) error {
	o.at = 0
	return nil
}

func (o *valuesOp) Next(ctx *Ctx, max int) (*types.Batch, error) {
	n := min(max, len(o.rows)-o.at, types.BatchRows)
	if n == 0 {
		return nil, nil
	}
	if err := ctx.Canceled(); err != nil {
		return nil, err
	}
	resetBatch(o.batch, n)
	for i, row := range o.rows[o.at : o.at+n] {
		for k, x := range row {
			if x.expr == nil {
				o.batch.Cols[k].Set(i, x.constant)
				continue
			}
			v, err := x.expr.Eval(ctx, oneRow)
			if err != nil {
				return nil, err
			}
			copyRow(o.batch.Cols[k], i, v, 0)
		}
	}
	o.at += n
	return o.batch, nil
}

func (o *valuesOp) Close() error { return nil }

type appendOp struct {
	children []Operator
	at       int
	open     bool // children[at] is open
}

// Build implements Node.
func (n *Append) Build(b *Builder) (Operator, error) {
	o := &appendOp{}
	for _, c := range n.Children {
		op, err := b.Build(c)
		if err != nil {
			return nil, err
		}
		o.children = append(o.children, op)
	}
	return o, nil
}

func (o *appendOp) Open(*Ctx) error {
	o.at, o.open = 0, false
	return nil
}

func (o *appendOp) Next(ctx *Ctx, max int) (*types.Batch, error) {
	for ; o.at < len(o.children); o.at++ {
		c := o.children[o.at]
		if !o.open {
			if err := c.Open(ctx); err != nil {
				return nil, err
			}
			o.open = true
		}
		b, err := c.Next(ctx, max)
		if b != nil || err != nil {
			return b, err
		}
		if err := c.Close(); err != nil {
			return nil, err
		}
		o.open = false
	}
	return nil, nil
}

func (o *appendOp) Close() (err error) {
	for _, c := range o.children {
		if e := c.Close(); err == nil {
			err = e
		}
	}
	return err
}
