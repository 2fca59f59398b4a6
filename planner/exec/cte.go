package exec

import (
	"holdfast/sql/types"
)

// materialized is a plan within one operator tree whose rows are kept: a WITH query, or the right side of a nested loop. Its rows so
// far are in a spool that every reader reads at its own pace. Whoever needs a row that is not there yet makes the plan run on.
type materialized struct {
	op      Operator
	rows    *spool
	depends *dependency
	opened  bool
	ended   bool
}

// cte is the state of a WITH query in this tree.
func (b *Builder) cte(c *CTE) (*materialized, error) {
	if s := b.ctes[c]; s != nil {
		return s, nil
	}
	s, err := b.materialize(c.Plan)
	if err != nil {
		return nil, err
	}
	b.ctes[c] = s
	b.closers = append(b.closers, s)
	return s, nil
}

// materialize builds a plan whose rows are to be kept.
func (b *Builder) materialize(n Node) (*materialized, error) {
	op, err := b.Build(n)
	if err != nil {
		return nil, err
	}
	return &materialized{op: op, rows: newSpool(n.Properties().Types), depends: b.dependency(n)}, nil
}

// start prepares the query, unless what it has made so far is still right.
func (s *materialized) start(ctx *Ctx) error {
	if s.opened && s.depends.fresh() {
		return nil
	}
	if err := s.rows.reset(ctx); err != nil {
		return err
	}
	s.opened, s.ended = true, false
	s.depends.mark()
	return s.op.Open(ctx)
}

// more makes up to max rows and reports whether there were any.
func (s *materialized) more(ctx *Ctx, max int) (bool, error) {
	if s.ended {
		return false, nil
	}
	b, err := s.op.Next(ctx, max)
	if err != nil {
		return false, err
	}
	if b == nil {
		s.ended = true
		return false, s.op.Close()
	}
	return true, s.rows.append(ctx, b)
}

// finish runs the query to its end.
func (s *materialized) finish(ctx *Ctx) error {
	if err := s.start(ctx); err != nil {
		return err
	}
	for {
		if more, err := s.more(ctx, types.BatchRows); !more || err != nil {
			return err
		}
	}
}

// Open, Next and Close make it an Operator to be closed by the Run.
func (s *materialized) Open(ctx *Ctx) error { return s.start(ctx) }

// Next is not used: the rows are read through the spool.
func (s *materialized) Next(*Ctx, int) (*types.Batch, error) { return nil, nil }

// Close implements Operator.
func (s *materialized) Close() error {
	s.opened, s.ended = false, false
	err := s.rows.reset(nil)
	if e := s.op.Close(); err == nil {
		err = e
	}
	return err
}

// workingTable holds the rows of the last step of a recursion.
type workingTable struct {
	rows       *spool
	generation int // counts steps
}

// workingTable of a recursion.
func (b *Builder) workingTable(c *CTE) *workingTable {
	w := b.working[c]
	if w == nil {
		w = &workingTable{}
		b.working[c] = w
	}
	return w
}

// cteScanOp runs CTEScan.
type cteScanOp struct {
	filtered
	state   *materialized // nil: the working table
	working *workingTable
	reader  spoolReader
}

// Build implements Node.
func (n *CTEScan) Build(b *Builder) (Operator, error) {
	o := &cteScanOp{}
	if n.Working {
		o.working = b.workingTable(n.CTE)
	} else {
		s, err := b.cte(n.CTE)
		if err != nil {
			return nil, err
		}
		o.state = s
		o.reader.spool = s.rows
	}
	var err error
	o.filter, err = b.optional(n.Filter, NewLayout(n.Cols, n.Props.Types))
	return o, err
}

func (o *cteScanOp) Open(ctx *Ctx) error {
	o.filtered.reset()
	o.reader.rewind()
	if o.working != nil {
		o.reader.spool = o.working.rows
		return nil
	}
	return o.state.start(ctx)
}

func (o *cteScanOp) Next(ctx *Ctx, max int) (*types.Batch, error) {
	return o.filtered.next(ctx, max, o.read)
}

func (o *cteScanOp) read(ctx *Ctx, max int) (*types.Batch, error) {
	if err := ctx.Canceled(); err != nil {
		return nil, err
	}
	for {
		b, err := o.reader.next(max)
		if b != nil || err != nil || o.state == nil {
			return b, err
		}
		if more, err := o.state.more(ctx, max); !more || err != nil {
			return nil, err
		}
	}
}

func (o *cteScanOp) Close() error {
	o.reader.rewind()
	return nil
}

// recurseOp runs Recurse: rows of the base, then of each step over the rows of the one before, until a step brings none. Without ALL a
// row that was there before does not count. The rows seen stay in memory.
type recurseOp struct {
	base, step Operator
	working    *workingTable
	current    *spool // what the step reads
	coming     *spool // what it brings
	all        bool
	seen       *groupTable
	stepping   bool // step is open
	ended      bool
	sel        []int32
	view       types.Batch
}

// Build implements Node.
func (n *Recurse) Build(b *Builder) (Operator, error) {
	ts := n.Props.Types
	o := &recurseOp{working: b.workingTable(n.CTE), current: newSpool(ts), coming: newSpool(ts), all: n.All, seen: newGroupTable(ts)}
	var err error
	if o.base, err = b.Build(n.Base); err != nil {
		return nil, err
	}
	o.step, err = b.Build(n.Step)
	return o, err
}

func (o *recurseOp) Open(ctx *Ctx) error {
	o.stepping, o.ended = false, false
	o.seen.reset()
	for _, s := range []*spool{o.current, o.coming} {
		if err := s.reset(ctx); err != nil {
			return err
		}
	}
	return o.base.Open(ctx)
}

func (o *recurseOp) Next(ctx *Ctx, max int) (*types.Batch, error) {
	for !o.ended {
		if err := ctx.Canceled(); err != nil {
			return nil, err
		}
		op := o.base
		if o.stepping {
			op = o.step
		}
		b, err := op.Next(ctx, max)
		if err != nil {
			return nil, err
		}
		if b == nil {
			if err := o.advance(ctx, op); err != nil {
				return nil, err
			}
			continue
		}
		if !o.all {
			if b = o.fresh(b); b.N == 0 {
				continue
			}
		}
		if err := o.coming.append(ctx, b); err != nil {
			return nil, err
		}
		return b, nil
	}
	return nil, nil
}

// fresh leaves the rows that were not there before.
func (o *recurseOp) fresh(b *types.Batch) *types.Batch {
	hashes := o.seen.hashRows(b.Cols, b.Rows)
	o.sel = o.sel[:0]
	for k := range b.N {
		i := position(b.Rows, k)
		if o.seen.find(b.Cols, i, hashes[k]) < 0 {
			o.seen.add(b.Cols, i, hashes[k])
			o.sel = append(o.sel, int32(i))
		}
	}
	o.view = types.Batch{Rows: types.Rows{N: len(o.sel), Sel: o.sel}, Cols: b.Cols}
	return &o.view
}

// advance makes what has come the working table of the next step.
func (o *recurseOp) advance(ctx *Ctx, ended Operator) error {
	if !o.stepping {
		if err := ended.Close(); err != nil {
			return err
		}
		o.stepping = true
	}
	if o.coming.n == 0 {
		o.ended = true
		return o.step.Close()
	}
	o.current, o.coming = o.coming, o.current
	if err := o.coming.reset(ctx); err != nil {
		return err
	}
	o.working.rows = o.current
	o.working.generation++
	return o.step.Open(ctx)
}

func (o *recurseOp) Close() error {
	o.seen.reset()
	err := o.current.reset(nil)
	for _, f := range []func() error{func() error { return o.coming.reset(nil) }, o.base.Close, o.step.Close} {
		if e := f(); err == nil {
			err = e
		}
	}
	return err
}
