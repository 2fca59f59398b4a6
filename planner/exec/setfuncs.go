package exec

import (
	"holdfast/sql/algebra"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// rowsCall is a call of a set-returning function, or of a scalar one, which gives one row.
type rowsCall struct {
	fn     *funcs.Func // nil: scalar
	args   []*Expr
	scalar *Expr
	width  int // result columns
	values []types.Datum
	call   []types.Datum
	next   func() ([]types.Datum, error)
	one    bool // the scalar's row is still to come
	spread bool // the columns are the fields of the one record returned
}

// rowsCall compiles a call with width result columns.
func (b *Builder) rowsCall(s algebra.Scalar, width int, l *Layout) (c *rowsCall, err error) {
	c = &rowsCall{width: width, values: make([]types.Datum, width)}
	if call, ok := s.(*algebra.Call); ok && call.Func.ReturnsSet {
		c.fn = call.Func
		c.args, err = b.exprs(call.Args, l)
		c.call = make([]types.Datum, len(c.args))
		c.spread = width != 1
		return c, err
	}
	c.spread = width != 1
	c.scalar, err = b.Expr(s, l)
	return c, err
}

// start begins the call for row i of a batch.
func (c *rowsCall) start(ctx *Ctx, in *types.Batch, i int) error {
	if c.fn == nil {
		v, err := c.scalar.Eval(ctx, in)
		if err != nil {
			return err
		}
		c.one = true
		d := v.Datum(i)
		if !c.spread {
			c.values[0] = d
			return nil
		}
		c.setRecord(d)
		return nil
	}
	for k, x := range c.args {
		v, err := x.Eval(ctx, in)
		if err != nil {
			return err
		}
		c.call[k] = v.Datum(i)
		if c.fn.Strict && c.call[k].IsNull() {
			c.next = func() ([]types.Datum, error) { return nil, nil }
			return nil
		}
	}
	var err error
	c.next, err = c.fn.Rows(&ctx.Ctx, c.call)
	return err
}

// setRecord takes the fields of a record as values.
func (c *rowsCall) setRecord(d types.Datum) {
	clear(c.values)
	if r, ok := d.Any().(*types.Record); ok && !d.IsNull() {
		copy(c.values, r.Values)
	}
}

// row is the next result row, nil at the end.
func (c *rowsCall) row() ([]types.Datum, error) {
	if c.fn == nil {
		if !c.one {
			return nil, nil
		}
		c.one = false
		return c.values, nil
	}
	row, err := c.next()
	if row == nil || err != nil || len(row) == c.width {
		return row, err
	}
	if c.width == 1 { // the columns of the function as one record
		c.values[0] = types.NewAny(&types.Record{Types: c.fn.OutTypes, Names: c.fn.OutNames, Values: append([]types.Datum(nil), row...)})
		return c.values, nil
	}
	c.setRecord(row[0])
	return c.values, nil
}

// rowsCalls are calls side by side: rows as long as any of them has one, NULLs for those that have ended.
type rowsCalls struct {
	calls []*rowsCall
	ended []bool
}

func (c *rowsCalls) start(ctx *Ctx, in *types.Batch, i int) error {
	for k, call := range c.calls {
		if err := call.start(ctx, in, i); err != nil {
			return err
		}
		c.ended[k] = false
	}
	return nil
}

// next puts the next row into row number row of cols and reports whether there is one.
func (c *rowsCalls) next(cols []*types.Vec, row int) (bool, error) {
	some := false
	at := 0
	for k, call := range c.calls {
		var values []types.Datum
		if !c.ended[k] {
			var err error
			if values, err = call.row(); err != nil {
				return false, err
			}
		}
		c.ended[k] = values == nil
		some = some || values != nil
		for j := range call.width {
			if values == nil {
				cols[at].SetNull(row)
			} else {
				cols[at].Set(row, values[j])
			}
			at++
		}
	}
	return some, nil
}

// funcScanOp runs FuncScan.
type funcScanOp struct {
	filtered
	rowsCalls
	started    bool
	ordinality bool
	count      int64
	batch      *types.Batch
}

// Build implements Node.
func (n *FuncScan) Build(b *Builder) (Operator, error) {
	o := &funcScanOp{ordinality: n.Ordinality, batch: newBatch(n.Props.Types)}
	for _, c := range n.Calls {
		call, err := b.rowsCall(c.Call, len(c.Cols), nil)
		if err != nil {
			return nil, err
		}
		o.calls = append(o.calls, call)
	}
	o.ended = make([]bool, len(o.calls))
	var err error
	o.filter, err = b.optional(n.Filter, NewLayout(n.Cols, n.Props.Types))
	return o, err
}

func (o *funcScanOp) Open(*Ctx) error {
	o.filtered.reset()
	o.started, o.count = false, 0
	return nil
}

func (o *funcScanOp) Next(ctx *Ctx, max int) (*types.Batch, error) {
	return o.filtered.next(ctx, max, o.read)
}

func (o *funcScanOp) read(ctx *Ctx, max int) (*types.Batch, error) {
	if err := ctx.Canceled(); err != nil {
		return nil, err
	}
	if !o.started {
		if err := o.start(ctx, oneRow, 0); err != nil {
			return nil, err
		}
		o.started = true
	}
	max = min(max, types.BatchRows)
	resetBatch(o.batch, max)
	n := 0
	for ; n < max; n++ {
		more, err := o.rowsCalls.next(o.batch.Cols, n)
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
		if o.ordinality {
			o.count++
			o.batch.Cols[len(o.batch.Cols)-1].I[n] = o.count
		}
	}
	if n == 0 {
		return nil, nil
	}
	o.batch.Rows = types.Rows{N: n}
	return o.batch, nil
}

func (o *funcScanOp) Close() error { return nil }

// projectSetOp runs ProjectSet.
type projectSetOp struct {
	input Operator
	rowsCalls
	in    *types.Batch
	at    int
	begun bool
	width int // input columns
	batch *types.Batch
}

// Build implements Node.
func (n *ProjectSet) Build(b *Builder) (Operator, error) {
	in, err := b.Build(n.Input)
	if err != nil {
		return nil, err
	}
	l := LayoutOf(n.Input)
	o := &projectSetOp{input: in, width: len(l.Types()), batch: newBatch(n.Props.Types)}
	for _, it := range n.Items {
		call, err := b.rowsCall(it.Expr, 1, l)
		if err != nil {
			return nil, err
		}
		o.calls = append(o.calls, call)
	}
	o.ended = make([]bool, len(o.calls))
	return o, nil
}

func (o *projectSetOp) Open(ctx *Ctx) error {
	o.in, o.begun = nil, false
	return o.input.Open(ctx)
}

func (o *projectSetOp) Next(ctx *Ctx, max int) (*types.Batch, error) {
	if err := ctx.Canceled(); err != nil {
		return nil, err
	}
	max = min(max, types.BatchRows)
	resetBatch(o.batch, max)
	n := 0
	for n < max {
		if o.in == nil {
			if n > 0 {
				break // what the rows were copied from may go, but the input need not be read yet
			}
			b, err := o.input.Next(ctx, max)
			if b == nil || err != nil {
				return nil, err
			}
			o.in, o.at = b, 0
		}
		i := position(o.in.Rows, o.at)
		if !o.begun {
			if err := o.start(ctx, o.in, i); err != nil {
				return nil, err
			}
			o.begun = true
		}
		more, err := o.rowsCalls.next(o.batch.Cols[o.width:], n)
		if err != nil {
			return nil, err
		}
		if more {
			for c := range o.width {
				copyRow(o.batch.Cols[c], n, o.in.Cols[c], i)
			}
			n++
			continue
		}
		o.begun = false
		for _, v := range o.batch.Cols[o.width:] {
			v.ClearNull(n)
		}
		if o.at++; o.at == o.in.N {
			o.in = nil
		}
	}
	o.batch.Rows = types.Rows{N: n}
	return o.batch, nil
}

func (o *projectSetOp) Close() error { return o.input.Close() }
