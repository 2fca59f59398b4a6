package exec

import (
	"time"

	"holdfast/sql/algebra"
	"holdfast/sql/catalog"
)

// Skips are the checks of assertions that a statement was planned not to need.
type Skips struct {
	Rules []SkippedRule
	// Count counts executions; nil: nobody counts.
	Count *catalog.SkippedChecks
	// Kept tells, for each of the statement's rules, that it is there only to hear of the changes: it is among Rules. nil: none is.
	Kept []bool
}

// SkippedRule is a check that a statement does not need.
type SkippedRule struct {
	Rule   *Rule
	Reason catalog.SkipReason
}

func (s *Skips) executed() {
	if s != nil && s.Count != nil {
		s.Count.Executed()
	}
}

func (s *Skips) kept(i int) bool { return s != nil && s.Kept != nil && s.Kept[i] }

// RuleTrace tells what became of the rules of one statement, for EXPLAIN ANALYZE, in the order in which it did.
type RuleTrace struct{ Runs []*RuleRun }

// RuleOutcome is what became of a rule.
type RuleOutcome uint8

const (
	RuleRan       RuleOutcome = iota
	RuleUnchanged             // skipped: nothing of what it reads has really changed
	RuleSorted                // skipped: each changed row was sorted out by its images alone
	RuleDeferred              // it runs at the end of the transaction
)

// RuleRun is what became of one rule.
type RuleRun struct {
	Rule    *Rule
	Outcome RuleOutcome
	Calls   int
	Changed int64 // changed rows that it was given
	Looked  int64 // those of them that were not sorted out by their images alone
	Read    int64 // rows and index entries read in tables
	Time    time.Duration
}

// of finds the run of a rule, made if there is none.
func (t *RuleTrace) of(r *Rule) *RuleRun {
	for _, run := range t.Runs {
		if run.Rule.same(r) {
			return run
		}
	}
	run := &RuleRun{Rule: r}
	t.Runs = append(t.Runs, run)
	return run
}

// unconcerned notes that a rule need not be run on changes.
func (c *Ctx) unconcerned(r *Rule) {
	if r.Stats != nil {
		r.Stats.ByValues.Add(1)
	}
	if c.Trace != nil {
		if run := c.Trace.of(r); run.Calls == 0 && run.Outcome != RuleDeferred {
			run.Outcome = RuleUnchanged
		}
	}
}

// deferred notes that a rule will be run at the end of the transaction.
func (c *Ctx) deferred(r *Rule) {
	if c.Trace != nil {
		c.Trace.of(r).Outcome = RuleDeferred
	}
}

// look notes changed rows that the check being run has not sorted out by their images.
func (c *Ctx) look(rows int) {
	if c.looked != nil {
		*c.looked += int64(rows)
	}
}

// hasPlan reports whether an expression has a query in it.
func hasPlan(s algebra.Scalar) (found bool) {
	if s != nil {
		v := &algebra.Visitor{Scalar: func(s algebra.Scalar) bool {
			_, plan := s.(*SubPlan)
			found = found || plan
			return !found
		}}
		v.VisitScalar(s)
	}
	return found
}

// measured runs something of a rule, on changes, and notes what that took.
func (r *Rule) measured(ctx *Ctx, c Changes, run func(ctx *Ctx) error) error {
	if r.Stats == nil && ctx.Trace == nil {
		return run(ctx)
	}
	plan, err := compiledOf(ctx, &r.compiled, r.Compile)
	if err != nil {
		return err
	}
	if r.Keep && !r.Action && plan.sortedOut(c) {
		r.sorted(ctx, c)
		return nil
	}
	inner, looked := *ctx, new(int64)
	inner.looked = looked
	changed, read := r.changed(c), plan.read(ctx)
	begin := time.Now()
	err = run(&inner)
	took := time.Since(begin)
	read = plan.read(ctx) - read
	sorted := r.Keep && !r.Action && *looked == 0 && err == nil
	if s := r.Stats; s != nil {
		if sorted {
			s.ByRows.Add(1)
		} else {
			s.Checks.Add(1)
		}
		s.Changed.Add(changed)
		s.Read.Add(read)
		s.Nanoseconds.Add(int64(took))
	}
	if ctx.Trace != nil {
		t := ctx.Trace.of(r)
		if t.Outcome = RuleRan; sorted && t.Looked == 0 {
			t.Outcome = RuleSorted
		}
		t.Calls++
		t.Changed, t.Looked, t.Read, t.Time = t.Changed+changed, t.Looked+*looked, t.Read+read, t.Time+took
	}
	return err
}

// sorted notes that the rule was not run since the images of the changed rows sort all of them out.
func (r *Rule) sorted(ctx *Ctx, c Changes) {
	changed := r.changed(c)
	if s := r.Stats; s != nil {
		s.ByRows.Add(1)
		s.Changed.Add(changed)
	}
	if ctx.Trace != nil {
		t := ctx.Trace.of(r)
		if t.Calls == 0 {
			t.Outcome = RuleSorted
		}
		t.Calls++
		t.Changed += changed
	}
}

// changed is how many rows have changed in the tables that a rule looks at.
func (r *Rule) changed(c Changes) (n int64) {
	for _, t := range c {
		for i := range r.Events {
			if r.Events[i].Table == t.Table.OID {
				n += t.rows()
				break
			}
		}
	}
	return n
}

// rows is how many rows have changed.
func (t *Transition) rows() int64 {
	n := t.Inserts + t.Deletes + t.Updates
	if n == 0 && t.Old != nil { // what a transaction amounts to is not counted
		n = t.New.Len()
		for _, other := range t.oldOther {
			if other < 0 {
				n++
			}
		}
	}
	return int64(n)
}

// read is how many rows and entries the session has read in the tables of a rule so far.
func (c *compiledRule) read(ctx *Ctx) (n int64) {
	for _, t := range c.tables {
		if counts := ctx.countsOf(t); counts != nil {
			n += counts.SeqRows.Load() + counts.IndexEntries.Load()
		}
	}
	return n
}
