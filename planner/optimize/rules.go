package optimize

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"holdfast/assertions"
	"holdfast/kv"
	"holdfast/planner/bind"
	"holdfast/planner/exec"
	"holdfast/planner/exec/rowio"
	"holdfast/sql/algebra"
	"holdfast/sql/ast"
	"holdfast/sql/catalog"
	"holdfast/sql/types"
)

// The rules of a statement: foreign keys and assertions that what it changes may violate. They are compiled once for
// each state of the schema and shared by all plans made for it; their plans are made when they are first run.

// operation is what a statement does to one table.
type operation struct {
	table          *catalog.Table
	insert, delete bool
	update         []int16 // columns assigned
}

// rules finds the rules that operations can violate, and says whether the changed rows are to be kept. Rules that may have
// been deferred, or wait for an action to end, must hear of whatever happens to the rows that they are to be checked on; those with
// NewOnly also of changes that cannot violate them. skips are the checks of assertions that are not needed, nil if there are none.
func (p *planner) rules(ops []operation) (list []*exec.Rule, skips *exec.Skips, keep bool, err error) {
	wait := p.o.action || len(ops) > 1 || p.q != nil && p.q.Writes && len(p.q.CTEs) > 0
	for _, o := range ops {
		of, err := p.rulesOn(o.table)
		if err != nil {
			return nil, nil, false, err
		}
		for _, r := range of {
			if slices.Contains(list, r) {
				continue
			}
			for _, e := range r.Events {
				if e.Table == o.table.OID && (e.Insert && o.insert || e.Delete && o.delete || e.Update.Meets(columnSet(o.update)) || (r.Keep || r.NewOnly) && (r.Deferrable || wait)) {
					list = append(list, r)
					keep = keep || r.Keep
					break
				}
			}
		}
	}
	return list, p.skips(ops, list), keep, nil
}

// skips are the checks of assertions that operations cannot make necessary, whether or not they are to hear of the changes.
func (p *planner) skips(ops []operation, list []*exec.Rule) *exec.Skips {
	if p.o.Snapshot == nil {
		return nil
	}
	skips := &exec.Skips{}
	var counted []catalog.SkippedCheck
	seen := map[*exec.Rule]bool{}
	for _, o := range ops {
		of, err := p.rulesOn(o.table)
		if err != nil {
			return nil // which rules has said already
		}
		for _, r := range of {
			if r.Stats == nil || seen[r] {
				continue
			}
			seen[r] = true
			reason, skipped := whySkipped(r, ops)
			if !skipped {
				continue
			}
			skips.Rules = append(skips.Rules, exec.SkippedRule{Rule: r, Reason: reason})
			counted = append(counted, catalog.SkippedCheck{Assertion: r.Constraint, Part: r.Part, Reason: reason})
			if i := slices.Index(list, r); i >= 0 {
				if skips.Kept == nil {
					skips.Kept = make([]bool, len(list))
				}
				skips.Kept[i] = true
			}
		}
	}
	if len(skips.Rules) == 0 {
		return nil
	}
	skips.Count = p.o.Snapshot.SkippedChecks(counted)
	return skips
}

// whySkipped tells why no operation makes a check necessary that looks at one of the tables.
func whySkipped(r *exec.Rule, ops []operation) (reason catalog.SkipReason, skipped bool) {
	for _, o := range ops {
		for _, e := range r.Events {
			if e.Table != o.table.OID {
				continue
			}
			if e.Insert && o.insert || e.Delete && o.delete || e.Update.Meets(columnSet(o.update)) {
				return 0, false
			}
			skipped = true
			if e.Update != 0 && len(o.update) > 0 {
				reason = catalog.SkippedByColumns
			}
		}
	}
	return reason, skipped
}

type rulesKey struct{ table catalog.OID }
type assertionKey struct{ assertion catalog.OID }

// rulesOn are all rules that look at changes of a table, in the order in which they are checked.
func (p *planner) rulesOn(t *catalog.Table) ([]*exec.Rule, error) {
	s := p.o.Snapshot
	if s == nil {
		return nil, nil
	}
	assertions := s.AssertionsOn(t.OID)
	referring := len(t.Referencing) > 0 || slices.ContainsFunc(t.Constraints, func(k *catalog.Constraint) bool { return k.Kind == catalog.ForeignKeyConstraint })
	if !referring && len(assertions) == 0 {
		return nil, nil
	}
	made, err := s.Memo(rulesKey{t.OID}, func() (any, error) {
		c := &ruleCompiler{o: p.o}
		c.o.Ctx = nil // rules are shared by sessions: their settings must not show
		var list []*exec.Rule
		for _, k := range t.Constraints {
			if k.Kind == catalog.ForeignKeyConstraint {
				list = append(list, c.child(t, k)...)
			}
		}
		for _, oid := range t.Referencing {
			child := s.RelationByOID(oid)
			if child == nil {
				continue
			}
			for _, k := range child.Constraints {
				if k.Kind == catalog.ForeignKeyConstraint && k.RefTable == t.OID {
					list = append(list, c.parent(child, k)...)
				}
			}
		}
		slices.SortStableFunc(list, func(a, b *exec.Rule) int { return cmp.Compare(a.Constraint, b.Constraint) })
		for _, a := range assertions {
			if a.Disabled {
				continue
			}
			of, err := s.Memo(assertionKey{a.OID}, func() (any, error) { return c.assertion(p.ctx, a) })
			if err != nil {
				return nil, err
			}
			list = append(list, of.([]*exec.Rule)...)
		}
		return list, nil
	})
	if err != nil {
		return nil, err
	}
	return made.([]*exec.Rule), nil
}

// checkInFull turns the checks of changed rows alone off; tests compare both ways.
var checkInFull bool

// ruleCompiler makes rules for one state of the schema.
type ruleCompiler struct{ o Options }

// compile binds a generated statement and plans it.
func (c *ruleCompiler) compile(stmt ast.Stmt, shape func(ctx context.Context, q *algebra.Query)) func(ctx context.Context) (*exec.Plan, []*catalog.Table, error) {
	return func(ctx context.Context) (*exec.Plan, []*catalog.Table, error) {
		q, err := c.bind(ctx, stmt)
		if err != nil {
			return nil, nil, err
		}
		assertions.Transitions(q)
		if shape != nil {
			shape(ctx, q)
		}
		plan, err := Plan(ctx, q, c.o)
		return plan, q.Tables, err
	}
}

func (c *ruleCompiler) bind(ctx context.Context, stmt ast.Stmt) (*algebra.Query, error) {
	return bind.Bind(ctx, bind.Options{Snapshot: c.o.Snapshot, FixedParams: true}, stmt)
}

// child makes the rules of the referring side of a foreign key.
func (c *ruleCompiler) child(t *catalog.Table, k *catalog.Constraint) []*exec.Rule {
	f := assertions.NewForeignKey(c.o.Snapshot, t, k)
	event := []exec.RuleEvent{{Table: t.OID, Insert: true, Update: columnSet(k.Columns)}}
	last := len(k.Columns)
	list := []*exec.Rule{{
		Constraint: k.OID, Name: k.Name, Deferrable: k.Deferrable, InitiallyDeferred: k.InitiallyDeferred, Events: event, Keep: true,
		// The rows referred to are locked, so that nobody removes them meanwhile: they would only conflict.
		Compile: c.compile(f.References(), func(_ context.Context, q *algebra.Query) {
			q.Root = &algebra.LockRows{Input: q.Root, Locks: []algebra.RowLock{{Table: f.Parent, Key: q.Output[last].ID, Strength: "key share"}}}
		}),
		Violation: func(row []types.Datum) bool { return row[last].IsNull() },
		Report: func(ctx *exec.Ctx, row []types.Datum) error {
			return f.Missing(texts(ctx, columnTypes(t, k.Columns), row[:last]))
		},
	}}
	if q := f.Mixed(); q != nil {
		list = append(list, &exec.Rule{
			Constraint: k.OID, Part: 1, Name: k.Name, Deferrable: k.Deferrable, InitiallyDeferred: k.InitiallyDeferred, Events: event, Keep: true,
			Compile: c.compile(q, nil),
			Report:  func(*exec.Ctx, []types.Datum) error { return f.MixedNulls() },
		})
	}
	return list
}

// parent makes the rules of the referenced side.
func (c *ruleCompiler) parent(child *catalog.Table, k *catalog.Constraint) []*exec.Rule {
	f := assertions.NewForeignKey(c.o.Snapshot, child, k)
	var list []*exec.Rule
	var rule func(event exec.RuleEvent, action byte, follow ast.Stmt)
	rule = func(event exec.RuleEvent, action byte, follow ast.Stmt) {
		event.Table = k.RefTable
		if action == 'd' && follow != nil {
			// A row that has the default already does not change, and may refer to the very row that goes.
			rule(event, action, nil)
		}
		r := &exec.Rule{Constraint: k.OID, Part: 2 + len(list), Name: k.Name, Events: []exec.RuleEvent{event}, Keep: true}
		if follow != nil {
			r.Action = true
			action := *c
			action.o.action = true
			r.Compile = action.compile(follow, nil)
		} else {
			r.Compile = c.compile(f.Referenced(action == 'r'), nil)
			r.Report = func(ctx *exec.Ctx, row []types.Datum) error {
				return f.StillReferenced(texts(ctx, columnTypes(f.Parent, k.RefColumns), row))
			}
			// RESTRICT looks at once, whatever other keys do.
			r.Action = action == 'r'
			if action == 'a' {
				r.Deferrable, r.InitiallyDeferred = k.Deferrable, k.InitiallyDeferred
			}
		}
		list = append(list, r)
	}
	rule(exec.RuleEvent{Delete: true}, k.OnDelete, f.OnDelete())
	rule(exec.RuleEvent{Update: columnSet(k.RefColumns)}, k.OnUpdate, f.OnUpdate())
	return list
}

// columnSet is the columns alone, without the existence of the row.
func columnSet(numbers []int16) kv.ColumnSet {
	return rowio.ColumnSet(numbers...) &^ kv.Existence
}

func columnTypes(t *catalog.Table, numbers []int16) (ts []*types.Type) {
	for _, n := range numbers {
		ts = append(ts, t.Columns[n-1].Type)
	}
	return ts
}

func texts(ctx *exec.Ctx, ts []*types.Type, row []types.Datum) (out []string) {
	for i, d := range row {
		out = append(out, exec.DatumText(ctx, ts[i], d, 0))
	}
	return out
}

// assertion makes the rules of an assertion: for each of its violation queries one for each place in it by which a change may let
// rows in, checked over the changed rows; or one that evaluates it in full.
func (c *ruleCompiler) assertion(ctx context.Context, a *catalog.Assertion) ([]*exec.Rule, error) {
	cond, err := assertions.Condition(a.Condition)
	if err != nil {
		return nil, err
	}
	var list []*exec.Rule
	stats := c.o.Snapshot.RuleStats(a.OID)
	numbered := 0
	for n, v := range assertions.Violations(cond) {
		q, err := c.bind(ctx, v)
		if err != nil {
			return nil, err
		}
		shown := *q
		report := c.violated(a, &shown, stats)
		rule := func(part int) *exec.Rule {
			return &exec.Rule{
				Constraint: a.OID, Part: n<<12 | part, Name: a.Name, Deferrable: a.Deferrable, InitiallyDeferred: a.InitiallyDeferred,
				NewOnly: a.NotValid || a.NotEnforced, Report: report, Stats: stats,
			}
		}
		full := rule(0)
		delta := assertions.NewDelta(q)
		in := map[catalog.OID]bool{} // tables of which changes are checked in full
		for _, o := range delta.Occurrences() {
			if o.Full != "" || checkInFull {
				in[o.Table.OID] = true
			}
		}
		full.Compile = c.inFull(v, full.NewOnly)
		for i, o := range delta.Occurrences() {
			event := exec.RuleEvent{Table: o.Table.OID, Insert: o.Event.Insert, Delete: o.Event.Delete, Update: columnSet(o.Event.Columns)}
			if in[o.Table.OID] {
				full.Events = append(full.Events, event)
				continue
			}
			over := rule(i + 1)
			over.Keep, over.Number, over.By = true, numbered+i+1, o.Table.Name
			over.Events = append(over.Events, event)
			for _, t := range o.With {
				over.Events = append(over.Events, exec.RuleEvent{Table: t})
			}
			over.Compile = c.overChange(a, v, i, over.NewOnly)
			if over.NewOnly {
				over.InFull = full.Compile
			}
			list = append(list, over)
		}
		numbered += len(delta.Occurrences())
		if len(full.Events) > 0 {
			list = append(list, full)
		}
	}
	return list, nil
}

// overChange compiles the check of changes by one occurrence in a violation query, up to the first row or to the last. Where it looks at
// accumulators it goes through all rows: those that are no violations are left to the commit.
func (c *ruleCompiler) overChange(a *catalog.Assertion, v ast.Stmt, occurrence int, all bool) func(ctx context.Context) (*exec.Plan, []*catalog.Table, error) {
	driven := *c
	driven.o.driven = true
	compile := driven.compile(v, func(ctx context.Context, q *algebra.Query) {
		assertions.Show(q)
		checkChange(ctx, driven.o, q, a, occurrence, all)
	})
	if all {
		return compile
	}
	return func(ctx context.Context) (*exec.Plan, []*catalog.Table, error) {
		plan, tables, err := compile(ctx)
		if err == nil {
			readAhead(plan.Root)
		}
		return plan, tables, err
	}
}

// readAhead lets the limit of a check to its first row ask for more; see exec.Limit.
func readAhead(root exec.Node) {
	for {
		switch n := root.(type) {
		case *exec.Project:
			root = n.Input
		case *exec.Limit:
			n.Ahead = true
			return
		default:
			return
		}
	}
}

// checkChange turns a violation query into the check of changes by one occurrence.
func checkChange(ctx context.Context, o Options, q *algebra.Query, a *catalog.Assertion, occurrence int, all bool) {
	d := assertions.NewDelta(q)
	d.Over(occurrence)
	if !all && !assertions.Accumulate(q, storageOf(ctx, o, a)) {
		firstRow(q)
	}
}

// inFull compiles the evaluation of a violation query in full, up to the first row or to the last.
func (c *ruleCompiler) inFull(v ast.Stmt, all bool) func(ctx context.Context) (*exec.Plan, []*catalog.Table, error) {
	return c.compile(v, func(_ context.Context, q *algebra.Query) {
		assertions.Show(q)
		if !all {
			firstRow(q)
		}
	})
}

// FullChecks are rules that evaluate an assertion in full: see exec.Rule.CheckNow. The assertion need not be part of the schema yet.
func FullChecks(ctx context.Context, o Options, a *catalog.Assertion) ([]*exec.Rule, error) {
	cond, err := assertions.Condition(a.Condition)
	if err != nil {
		return nil, err
	}
	enforced := *a
	enforced.NotEnforced = false
	c := &ruleCompiler{o: o}
	var list []*exec.Rule
	for _, v := range assertions.Violations(cond) {
		q, err := c.bind(ctx, v)
		if err != nil {
			return nil, err
		}
		list = append(list, &exec.Rule{Constraint: a.OID, Name: a.Name, Compile: c.inFull(v, false), Report: c.violated(&enforced, q, nil)})
	}
	return list, nil
}

// EachViolation calls f with each violation of an assertion in the state that x reads, as assertions.Detail.Text has it, and with what
// makes the error of it, until f returns false. Where the condition speaks of no rows, the text is "the condition is false".
func EachViolation(x *exec.Ctx, o Options, a *catalog.Assertion, f func(text string, violated func() error) bool) error {
	cond, err := assertions.Condition(a.Condition)
	if err != nil {
		return err
	}
	c := &ruleCompiler{o: o}
	more := true
	for _, v := range assertions.Violations(cond) {
		q, err := c.bind(x, v)
		if err != nil {
			return err
		}
		shown := *q
		report := c.violated(a, &shown, c.o.Snapshot.RuleStats(a.OID))
		detail, ts := assertions.Show(q), outputTypes(q)
		r := &exec.Rule{Constraint: a.OID, Name: a.Name, NewOnly: true, Compile: c.inFull(v, true)}
		err = r.Violations(x, func(row []types.Datum) bool {
			text := detail.Text(texts(x, ts, row))
			if text == "" {
				text = "the condition is false"
			}
			more = f(text, func() error { return report(x, row) })
			return more
		})
		if err != nil || !more {
			return err
		}
	}
	return nil
}

func outputTypes(q *algebra.Query) (ts []*types.Type) {
	for _, o := range q.Output {
		ts = append(ts, q.Column(o.ID).Typ)
	}
	return ts
}

// violated reports a violation of an assertion by a row of its query q, and counts it.
func (c *ruleCompiler) violated(a *catalog.Assertion, q *algebra.Query, stats *catalog.RuleStats) func(ctx *exec.Ctx, row []types.Datum) error {
	detail := assertions.Show(q)
	ts := outputTypes(q)
	schema := ""
	if n := c.o.Snapshot.SchemaByOID(a.Schema); n != nil {
		schema = n.Name
	}
	return func(ctx *exec.Ctx, row []types.Datum) error {
		e := detail.Violated(schema, a.Name, texts(ctx, ts, row))
		stats.Violated(e.Detail)
		if ctx.Occasion != "" {
			e.Where = fmt.Sprintf("checking assertion \"%s\" at %s", a.Name, occasion(ctx))
		}
		if a.NotEnforced {
			e.Severity = "WARNING"
			ctx.Warn(e)
			return nil
		}
		return e
	}
}

// PresentRule finds a rule of a constraint among those on a table; see exec.PresentRules.
func PresentRule(ctx context.Context, o Options, constraint catalog.OID, part int, table catalog.OID) (*exec.Rule, error) {
	t := o.Snapshot.RelationByOID(table)
	if t == nil {
		return nil, nil
	}
	list, err := (&planner{ctx: ctx, o: o}).rulesOn(t)
	if err != nil {
		return nil, err
	}
	for _, r := range list {
		if r.Constraint == constraint && r.Part == part {
			return r, nil
		}
	}
	return nil, nil
}

func occasion(ctx *exec.Ctx) string {
	if ctx.Occasion == "COMMIT" || ctx.Occasion == "SET CONSTRAINTS" {
		return ctx.Occasion
	}
	return "the end of " + ctx.Occasion
}

// firstRow makes a query end at its first row.
func firstRow(q *algebra.Query) {
	q.Root = &algebra.Limit{Input: q.Root, Count: &algebra.Const{T: algebra.T{Typ: types.Int8, M: types.NoTypmod}, Value: types.NewInt(1)}}
}
