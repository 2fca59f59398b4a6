package exec

import (
	"sync"

	"holdfast/sql/catalog"
	"holdfast/sql/types"
)

// Rule is a constraint over more than one row, compiled for one kind of change to one table: a foreign key or
// an assertion. It belongs to the plan of a statement that may violate it and runs at the end of that
// statement, on the state with the statement's changes, with the changed rows as transitions; a deferred one
// runs at the end of the transaction.
//
// There are two kinds. A check has a plan whose rows are violations: one is enough. An action, of a foreign
// key with CASCADE and the like, has a plan that changes rows, with rules of its own.
type Rule struct {
	Constraint        catalog.OID // of the constraint or assertion
	Name              string
	Table             catalog.OID // whose changes it looks at
	Deferrable        bool
	InitiallyDeferred bool
	Action            bool
	// Compile makes the plan, at the first use: a table that refers to itself would otherwise be compiled
	// without end.
	Compile func() (*Plan, error)
	// Report makes the error of a violation from its row.
	Report func(ctx *Ctx, row []types.Datum) error

	once sync.Once
	plan *Plan
	err  error
}

// Plan is the compiled plan.
func (r *Rule) Plan() (*Plan, error) {
	r.once.Do(func() { r.plan, r.err = r.Compile() })
	return r.plan, r.err
}

// Run runs the rule on the transaction's present state.
func (r *Rule) Run(ctx *Ctx) error {
	plan, err := r.Plan()
	if err != nil {
		return err
	}
	inner := *ctx
	inner.Reader = ctx.Txn
	inner.Params = nil
	if r.Action {
		// The follow-up statement has transitions of its own, and reads those of this one.
		inner.Reader = ctx.Txn.View()
		inner.Outer = ctx.Transitions
		inner.Transitions = nil
	}
	run, err := plan.Start(&inner)
	if err != nil {
		return err
	}
	defer run.Close()
	for {
		b, err := run.Next(1)
		if err != nil {
			return err
		}
		if b == nil {
			return nil
		}
		if r.Action {
			continue
		}
		row := make([]types.Datum, len(b.Cols))
		for i, v := range b.Cols {
			row[i] = v.Datum(position(b.Rows, 0))
		}
		return r.Report(ctx, row)
	}
}

// runRules runs the rules of a statement that has ended: actions first, since they may mend what a check
// would find. Deferred ones are left to the end of the transaction.
func runRules(ctx *Ctx, rules []*Rule) error {
	for _, actions := range []bool{true, false} {
		for _, r := range rules {
			if r.Action != actions {
				continue
			}
			if t := ctx.Transitions[r.Table]; t != nil && t.Old.Len() == 0 && t.New.Len() == 0 {
				continue
			}
			if !r.Action && ctx.Deferred.Defers(r) {
				ctx.Deferred.Add(r, ctx.Transitions[r.Table])
				continue
			}
			if err := r.Run(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}
