package exec

import (
	"context"
	"sync"

	"holdfast/sql/types"
)

// Plan is a physical plan ready to run. It is shared: any number of executions may run it at the same time.
type Plan struct {
	Root Node
	// CTEs are the WITH queries kept apart that change data, in the order they are to run in; others may be left out.
	CTEs []*CTE

	pool sync.Pool // of *Run
}

// NewPlan makes a plan.
func NewPlan(root Node, ctes []*CTE) *Plan { return &Plan{Root: root, CTEs: ctes} }

// Run is one execution of a Plan: an operator tree in use. Only one goroutine may use it at a time.
type Run struct {
	plan         *Plan
	builder      *Builder
	root         Operator
	ctx          *Ctx
	ended        bool
	settled      bool
	instrumented bool
	queue        *ruleQueue // of the statement, if several parts of it change rows
}

// Start begins an execution. The Run must be closed, at the latest before the transaction ends.
func (p *Plan) Start(ctx *Ctx) (*Run, error) {
	r, _ := p.pool.Get().(*Run)
	if r == nil {
		var err error
		if r, err = p.build(NewBuilder()); err != nil {
			return nil, err
		}
	}
	return r.start(ctx)
}

// StartInstrumented begins an execution that counts rows, and time if timing is set, for EXPLAIN ANALYZE.
func (p *Plan) StartInstrumented(ctx *Ctx, timing bool) (*Run, error) {
	b := NewBuilder()
	b.stats, b.timing = map[Node]*Stats{}, timing
	r, err := p.build(b)
	if err != nil {
		return nil, err
	}
	r.instrumented = true
	return r.start(ctx)
}

func (p *Plan) build(b *Builder) (*Run, error) {
	r := &Run{plan: p, builder: b}
	var err error
	for _, c := range p.CTEs {
		if _, err = b.cte(c); err != nil {
			return nil, err
		}
	}
	if r.root, err = b.Build(p.Root); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *Run) start(ctx *Ctx) (*Run, error) {
	r.ctx, r.ended, r.settled, r.queue = ctx, false, false, nil
	if ctx.rules == nil && r.plan.modifies() {
		r.queue = newRuleQueue(ctx)
		ctx.rules = r.queue
	}
	r.builder.epoch++
	err := ctx.Canceled()
	if err == nil {
		err = r.root.Open(ctx)
	}
	if err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// Next returns the next rows, at most max, or nil at the end. The batch is valid until the next call.
func (r *Run) Next(max int) (*types.Batch, error) {
	if r.ended {
		return nil, nil
	}
	b, err := r.root.Next(r.ctx, max)
	if b == nil && err == nil {
		err = r.Finish()
	}
	return b, err
}

// Finish ends the execution: see Settle. Next does it at the end of the rows. Whoever stops earlier without an
// error calls it.
func (r *Run) Finish() error {
	if r.ended {
		return nil
	}
	r.ended = true
	return r.Settle()
}

// Settle runs what has an effect beyond the result, and leaves the rest of the result to be read: the WITH queries that
// change data, to their ends, and then the rules of all that the statement has changed. Whoever lets an execution wait
// calls it, since nobody may ever go on with it.
func (r *Run) Settle() error {
	if r.settled {
		return nil
	}
	r.settled = true
	for _, c := range r.plan.CTEs {
		if c.Modifies {
			if err := r.builder.ctes[c].finish(r.ctx); err != nil {
				return err
			}
		}
	}
	if r.queue != nil {
		r.ctx.rules = nil
		return r.queue.run(r.ctx)
	}
	return nil
}

// modifies reports whether WITH queries of the plan change rows.
func (p *Plan) modifies() bool {
	for _, c := range p.CTEs {
		if c.Modifies {
			return true
		}
	}
	return false
}

// Resume goes on with an execution under another context, as a portal does that is run in parts.
func (r *Run) Resume(ctx context.Context) { r.ctx.Ctx.Context = ctx }

// Affected is the number of rows that the statement has inserted, changed or removed.
func (r *Run) Affected() int64 {
	if a, ok := r.root.(interface{ Affected() int64 }); ok {
		return a.Affected()
	}
	return 0
}

// Stats are the measurements of a node in an instrumented execution, nil if it was not part of it. They may be read
// after Close.
func (r *Run) Stats(n Node) *Stats { return r.builder.stats[n] }

// Close ends the execution and makes the operators available to the next. Closing again does nothing.
func (r *Run) Close() error {
	if r.ctx == nil {
		return nil
	}
	err := r.root.Close()
	if e := r.builder.closeAll(); err == nil {
		err = e
	}
	ctx := r.ctx
	r.ctx, r.ended = nil, true
	if err == nil && !r.instrumented {
		r.plan.pool.Put(r)
	}
	if err != nil {
		return ctx.Error(err)
	}
	return nil
}
