package exec

import (
	"context"
	"slices"
	"sync/atomic"

	"holdfast/kv"
	"holdfast/sql/catalog"
	"holdfast/sql/types"
)

// Rule is a constraint over more than one row, compiled for some kinds of change: a foreign key or an assertion.
// Plans of statements that may violate it have it. It runs at the end of the statement, on the state with
// all of the statement's changes; a deferred one runs at the end of the transaction.
//
// A check has a plan whose rows are violations: the first is reported. An action, of a foreign key with CASCADE
// and the like, has a plan that changes rows and has rules of its own. Actions run before checks, since they
// may mend what a check would find.
type Rule struct {
	Constraint        catalog.OID // of the constraint or assertion
	Part              int         // tells the rules of one constraint apart, in every state of the schema alike
	Name              string
	Deferrable        bool
	InitiallyDeferred bool
	// Events are the changes that can violate it: it is checked if one of them has happened.
	Events []RuleEvent
	// Action runs before checks, and is never deferred. With a Report it is a check all the same: one that
	// must not see what other actions do.
	Action bool
	// Keep: the plan reads the changed rows.
	Keep bool
	// NewOnly tells that there may have been violations before the change: only those it adds count.
	NewOnly bool
	// Number is the check's in EXPLAIN ASSERTION, from 1; 0: it evaluates the condition in full, or is of a foreign key.
	Number int
	// By is the table whose changes it looks at, if it is one of an assertion over changed rows.
	By string
	// Stats counts what an assertion's checks do; nil: nobody does.
	Stats *catalog.RuleStats
	// InFull, for NewOnly with Keep, compiles a plan of all violations there are. It is run before and after the change,
	// if the plan over the changed rows finds something that may be an old violation. nil: the rule's plan is that plan.
	InFull func(ctx context.Context) (*Plan, []*catalog.Table, error)
	// Compile makes the plan, and tells the relations it depends on. It is called at the first use: a table
	// that refers to itself would otherwise be compiled without end.
	Compile func(ctx context.Context) (*Plan, []*catalog.Table, error)
	// Violation tells which rows of the plan are violations; nil: all.
	Violation func(row []types.Datum) bool
	// Report makes the error of a violation from its row; nil for an action. If it gives none, the check
	// has found nothing.
	Report func(ctx *Ctx, row []types.Datum) error

	compiled, compiledInFull atomic.Pointer[compiledRule]
}

type compiledRule struct {
	plan    *Plan
	tables  []*catalog.Table
	changed map[catalog.OID]map[int16]bool // columns of changed rows that it reads
	drivers []*TransitionScan              // without rows of which it finds nothing; nil: none are known
	// accumulators: it looks at some.
	accumulators bool
}

// RuleEvent is a kind of change to a table.
type RuleEvent struct {
	Table          catalog.OID
	Insert, Delete bool
	Update         kv.ColumnSet // of some of these columns; 0: no update
}

// happened reports whether changes contain such an event.
func (e *RuleEvent) happened(c Changes) bool {
	t := c.of(e.Table)
	return t != nil && (e.Insert && t.Inserts > 0 || e.Delete && t.Deletes > 0 || t.Updates > 0 && e.Update.Meets(t.Updated))
}

// same reports whether a rule is another, maybe as compiled for another state of the schema.
func (r *Rule) same(s *Rule) bool { return r.Constraint == s.Constraint && r.Part == s.Part }

// concerns reports whether the rule must look at changes.
func (r *Rule) concerns(c Changes) bool {
	for i := range r.Events {
		if r.Events[i].happened(c) {
			return true
		}
	}
	return false
}

// plan is the compiled plan. What the transaction's outcome then depends on goes into its footprint.
func (r *Rule) plan(ctx *Ctx) (*Plan, error) { return planOf(ctx, &r.compiled, r.Compile) }

func planOf(ctx *Ctx, at *atomic.Pointer[compiledRule], compile func(ctx context.Context) (*Plan, []*catalog.Table, error)) (*Plan, error) {
	c, err := compiledOf(ctx, at, compile)
	if err != nil {
		return nil, err
	}
	if ctx.Catalog != nil {
		ctx.Catalog.Observe(ctx.Txn, c.tables...)
	}
	return c.plan, nil
}

// compiledOf compiles a rule if it has not been.
func compiledOf(ctx *Ctx, at *atomic.Pointer[compiledRule], compile func(ctx context.Context) (*Plan, []*catalog.Table, error)) (*compiledRule, error) {
	c := at.Load()
	if c == nil {
		plan, tables, err := compile(ctx)
		if err != nil {
			return nil, err
		}
		c = &compiledRule{plan: plan, tables: tables, drivers: driversOf(plan)}
		c.changed, c.accumulators = readsOf(plan)
		at.Store(c)
	}
	return c, nil
}

// act runs an action on changes. What it changes in turn goes to the statement's queue.
func (r *Rule) act(ctx *Ctx, q *ruleQueue, c Changes) error {
	if r.Report != nil {
		return r.check(ctx, pendingRule{rule: r, changes: c}, true)
	}
	plan, err := r.plan(ctx)
	if err != nil {
		return err
	}
	inner := *ctx
	inner.Reader, inner.Params, inner.Changes, inner.rules, inner.checking = ctx.Txn.View(), nil, c, q, nil
	run, err := plan.Start(&inner)
	if err != nil {
		return err
	}
	defer run.Close()
	for {
		if b, err := run.Next(types.BatchRows); b == nil || err != nil {
			return err
		}
	}
}

// Violations calls f with the rows of a check that does not look at changes, on the statement's state, until it returns false.
func (r *Rule) Violations(ctx *Ctx, f func(row []types.Datum) bool) error {
	plan, err := r.plan(ctx)
	if err != nil {
		return err
	}
	return r.rows(ctx, plan, ctx.Reader, nil, f)
}

// CheckNow runs a check that does not look at changes on the present state.
func (r *Rule) CheckNow(ctx *Ctx) error { return r.check(ctx, pendingRule{rule: r}, false) }

// check runs a check on the present state. mark tells that its reads may be marked: see Repeats.
func (r *Rule) check(ctx *Ctx, p pendingRule, mark bool) error {
	plan, err := r.plan(ctx)
	if err != nil {
		return err
	}
	occasion := ctx.Occasion
	if occasion == "" {
		occasion = p.occasion
	}
	if mark {
		if done, err := r.checkMarked(ctx, r.compiled.Load(), p, occasion); done || err != nil {
			return err
		}
	}
	var violation []types.Datum
	if r.NewOnly && p.before != nil {
		violation, err = r.newViolation(ctx, plan, p)
	} else {
		inner := *ctx
		inner.checking = &checking{rule: r, occasion: occasion}
		err = r.rows(&inner, plan, ctx.Txn, p.changes, func(row []types.Datum) bool {
			if r.Violation != nil && !r.Violation(row) {
				return true
			}
			violation = row
			return false
		})
	}
	if err != nil || violation == nil {
		return err
	}
	what := *ctx
	what.Occasion = occasion
	return r.Report(&what, violation)
}

// newViolation finds a violation that was not there before the change. Violations are told apart by what they show; of
// several that show the same there must be more than before.
func (r *Rule) newViolation(ctx *Ctx, plan *Plan, p pendingRule) (violation []types.Datum, err error) {
	var suspects map[string]bool // what the changed rows may have let in; nil: anything
	if r.InFull != nil {
		suspects = map[string]bool{}
		err := r.rows(ctx, plan, ctx.Txn, p.changes, func(row []types.Datum) bool {
			suspects[rowIdentity(plan, row)] = true
			return true
		})
		if err != nil || len(suspects) == 0 {
			return nil, err
		}
		if plan, err = planOf(ctx, &r.compiledInFull, r.InFull); err != nil {
			return nil, err
		}
	}
	before := map[string]int{}
	err = r.rows(ctx, plan, p.before, nil, func(row []types.Datum) bool {
		if id := rowIdentity(plan, row); suspects == nil || suspects[id] {
			before[id]++
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	err = r.rows(ctx, plan, ctx.Txn, nil, func(row []types.Datum) bool {
		id := rowIdentity(plan, row)
		if suspects != nil && !suspects[id] {
			return true
		}
		if before[id]--; before[id] < 0 {
			violation = row
		}
		return violation == nil
	})
	return violation, err
}

// rowIdentity tells rows of a plan apart.
func rowIdentity(plan *Plan, row []types.Datum) string {
	var b []byte
	for i, t := range plan.Root.Properties().Types {
		b = append(b, DatumText(&Ctx{}, t, row[i], 0)...)
		b = append(b, 0, boolByte(row[i].IsNull()))
	}
	return string(b)
}

func boolByte(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// rows runs the plan of a check and calls f with its rows until it returns false.
func (r *Rule) rows(ctx *Ctx, plan *Plan, reader kv.Reader, c Changes, f func(row []types.Datum) bool) error {
	inner := *ctx
	inner.Reader, inner.Params, inner.Changes, inner.rules = reader, nil, c, nil
	run, err := plan.Start(&inner)
	if err != nil {
		return err
	}
	defer run.Close()
	n := 1
	if r.Violation != nil || r.NewOnly {
		n = types.BatchRows
	}
	for {
		b, err := run.Next(n)
		if b == nil || err != nil {
			return err
		}
		for k := 0; k < b.N; k++ {
			row := make([]types.Datum, len(b.Cols))
			for i, v := range b.Cols {
				row[i] = v.Datum(position(b.Rows, k))
			}
			if !f(row) {
				return nil
			}
		}
	}
}

// pendingRule is a rule to be run on changes.
type pendingRule struct {
	rule     *Rule
	changes  Changes
	before   kv.Reader // the state before the statement, for NewOnly
	occasion string
}

// combined makes one of all that a rule waits to be checked on, in the order in which they came first.
func combined(ctx *Ctx, list []pendingRule) ([]pendingRule, error) {
	var out []pendingRule
	var changes [][]Changes
	for _, p := range list {
		i := slices.IndexFunc(out, func(o pendingRule) bool { return o.rule.same(p.rule) })
		if i < 0 {
			i = len(out)
			out, changes = append(out, p), append(changes, nil)
		}
		out[i].rule = p.rule // that of the newest state of the schema
		changes[i] = append(changes[i], p.changes)
	}
	for i := range out {
		if out[i].rule.Keep && len(changes[i]) > 1 {
			var err error
			if out[i].changes, err = netOf(ctx, changes[i]); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// ruleQueue is what is left to be done at the end of a statement. The changes that actions make add to it, so that all checks see
// the outcome of all actions.
type ruleQueue struct {
	before          kv.Reader
	actions, checks []pendingRule
	added           int // operations whose rules were added
	// parts are the changes of the operations that are together one write, by their number: see algebra.Insert.
	parts map[int][]Changes
	last  []func(ctx *Ctx, q *ruleQueue) error // looks at the outcome when nothing more will change it
}

func newRuleQueue(ctx *Ctx) *ruleQueue { return &ruleQueue{before: ctx.Reader} }

// add takes the rules that changes concern. Deferred ones are left to the end of the transaction.
func (q *ruleQueue) add(ctx *Ctx, rules []*Rule, skips *Skips, c Changes, verb string) {
	q.added++
	occasion := verb
	if len(c) > 0 {
		occasion = verb + " of table \"" + c[0].Table.Name + "\""
	}
	for i, r := range rules {
		if r.NewOnly && ctx.Deferred.defers(r) {
			ctx.Deferred.begins(q.before)
		}
		p := pendingRule{rule: r, changes: c, before: q.before, occasion: occasion}
		if !r.concerns(c) {
			if !skips.kept(i) {
				ctx.unconcerned(r)
			}
			// It may be about rows that the rule waits to look at.
			if r.Keep && ctx.Deferred.has(r) {
				ctx.Deferred.add(p)
			}
			if r.Keep && q.has(r) {
				q.checks = append(q.checks, p)
			}
			continue
		}
		switch {
		case r.Action:
			q.actions = append(q.actions, p)
		case ctx.Deferred.defers(r):
			ctx.Deferred.add(p)
			ctx.deferred(r)
		default:
			if r.Keep || !q.has(r) { // what does not look at the changes need not be checked twice
				q.checks = append(q.checks, p)
			}
		}
	}
}

// has reports whether a rule is waiting to be checked.
func (q *ruleQueue) has(r *Rule) bool {
	return slices.ContainsFunc(q.checks, func(p pendingRule) bool { return p.rule.same(r) })
}

// run runs everything in the queue. What an action changes may have been changed by the statement before, so
// checks look at what all of it amounts to.
func (q *ruleQueue) run(ctx *Ctx) error {
	for len(q.actions) > 0 {
		p := q.actions[0]
		q.actions = q.actions[1:]
		if err := p.rule.measured(ctx, p.changes, func(ctx *Ctx) error { return p.rule.act(ctx, q, p.changes) }); err != nil {
			return err
		}
	}
	checks := q.checks
	if q.added > 1 {
		var err error
		if checks, err = combined(ctx, checks); err != nil {
			return err
		}
	}
	for _, p := range checks {
		if err := p.rule.measured(ctx, p.changes, func(ctx *Ctx) error { return p.rule.check(ctx, p, true) }); err != nil {
			return err
		}
	}
	for _, f := range q.last {
		if err := f(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

// endOfChange is called when an operation has made its changes. part is not 0 if it is part of a write whose outcome is verified. last,
// if it is not nil, is called when all rules are through.
func endOfChange(ctx *Ctx, rules []*Rule, skips *Skips, c Changes, verb string, part int, last func(ctx *Ctx, q *ruleQueue) error) error {
	skips.executed()
	if len(rules) == 0 && part == 0 && last == nil {
		return nil
	}
	q := ctx.rules
	if q == nil {
		q = newRuleQueue(ctx)
	}
	deferred, repeats := ctx.Deferred.len(), ctx.Repeats.len()
	q.add(ctx, rules, skips, c, verb)
	if part != 0 {
		if q.parts == nil {
			q.parts = map[int][]Changes{}
		}
		q.parts[part] = append(q.parts[part], c)
	}
	if last != nil {
		q.last = append(q.last, last)
	}
	if ctx.rules != nil {
		return nil
	}
	err := q.run(ctx)
	if err == nil && ctx.Repeats.len() > repeats {
		err = ctx.checkedLate()
	}
	if err != nil || ctx.Deferred.len() > deferred || ctx.Repeats.len() > repeats {
		return err
	}
	return c.close()
}
