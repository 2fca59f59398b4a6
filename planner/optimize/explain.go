package optimize

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"holdfast/planner/bind"
	"holdfast/planner/exec"
	"holdfast/sql/algebra"
	"holdfast/sql/catalog"
)

// ExplainOptions are the options of EXPLAIN, and what was measured.
type ExplainOptions struct {
	Analyze, Verbose, Costs, Timing, Summary bool
	Format                                   Format
	Planning, Execution                      time.Duration
	Deferred                                 *exec.Deferred  // the session's; nil: nothing is deferred
	Rules                                    *exec.RuleTrace // of an execution; nil without one
}

// explained is one node of a plan as EXPLAIN shows it.
type explained struct {
	title   string // "Index Scan using t_pkey on t"
	kind    string // "Index Scan"
	details [][2]string
	node    exec.Node
	label   string // "CTE x", "SubPlan 1"
	below   []*explained
}

// Explain prints a plan in PostgreSQL's layout, one line each; in other formats than text as one line. run is an instrumented
// execution that has ended, nil without ANALYZE.
func Explain(q *algebra.Query, plan *exec.Plan, run *exec.Run, o ExplainOptions) []string {
	checks, keys := ruleReports(plan, o)
	if o.Format != FormatText && o.Format != "" {
		top := Group{{"Plan", PlanGroup(q, plan, run, o)}}
		if o.Summary {
			top.Add("Planning Time", decimal(milliseconds(o.Planning), 3))
		}
		ruleGroups(&top, checks, keys, o)
		if o.Summary && o.Analyze {
			top.Add("Execution Time", decimal(milliseconds(o.Execution), 3))
		}
		return Print(o.Format, []Group{top})
	}
	lines := PlanLines(q, plan, run, o)
	if o.Summary {
		lines = append(lines, fmt.Sprintf("Planning Time: %.3f ms", milliseconds(o.Planning)))
	}
	lines = append(lines, ruleLines(checks, keys, o)...)
	if o.Summary && o.Analyze {
		lines = append(lines, fmt.Sprintf("Execution Time: %.3f ms", milliseconds(o.Execution)))
	}
	return lines
}

// PlanLines is a plan alone, as text.
func PlanLines(q *algebra.Query, plan *exec.Plan, run *exec.Run, o ExplainOptions) (lines []string) {
	x, root := explainPlan(q, plan, run, o)
	x.print(&lines, root, 0, true)
	return lines
}

// PlanGroup is a plan alone, for programs.
func PlanGroup(q *algebra.Query, plan *exec.Plan, run *exec.Run, o ExplainOptions) Group {
	x, root := explainPlan(q, plan, run, o)
	return x.group(root)
}

func explainPlan(q *algebra.Query, plan *exec.Plan, run *exec.Run, o ExplainOptions) (*explainer, *explained) {
	x := &explainer{q: q, run: run, o: o, ctes: map[*exec.CTE]bool{}}
	root := x.node(plan.Root)
	for _, c := range plan.CTEs {
		x.cte(root, c)
	}
	return x, root
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

type explainer struct {
	q        *algebra.Query
	run      *exec.Run
	o        ExplainOptions
	ctes     map[*exec.CTE]bool
	subplans int
}

// expr prints an expression. Parts of plans in it are named.
func (x *explainer) expr(s algebra.Scalar) string {
	if s == nil {
		return ""
	}
	w := &algebra.Rewriter{Scalar: func(s algebra.Scalar) (algebra.Scalar, bool) {
		return s, false
	}}
	return bind.ExprText(w.RewriteScalar(s), func(id algebra.ColID) string {
		if int(id) > len(x.q.Columns) || id <= 0 {
			return "?column?"
		}
		return x.q.Column(id).Name
	})
}

func (x *explainer) exprs(list []algebra.Scalar) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = x.expr(s)
	}
	return strings.Join(out, ", ")
}

func (x *explainer) keys(keys []algebra.SortKey) string {
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = x.q.Column(k.ID).Name
		if k.Desc {
			out[i] += " DESC"
		}
		if k.NullsFirst != k.Desc {
			out[i] += map[bool]string{true: " NULLS FIRST", false: " NULLS LAST"}[k.NullsFirst]
		}
	}
	return strings.Join(out, ", ")
}

func (x *explainer) columns(ids []algebra.ColID) string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = x.q.Column(id).Name
	}
	return strings.Join(out, ", ")
}

// bounds prints the conditions of a key range.
func (x *explainer) bounds(t *catalog.Table, index *catalog.Index, b *exec.Bounds) string {
	if b == nil {
		return ""
	}
	if index == nil {
		index = t.PrimaryKey()
	}
	name := func(i int) string {
		if index == nil || i >= len(index.Keys) {
			return "?"
		}
		if n := index.Keys[i].Column; n > 0 {
			return t.Columns[n-1].Name
		}
		return index.Keys[i].Expr
	}
	var parts []string
	for i, m := range b.Prefix {
		switch {
		case m.IsNull:
			parts = append(parts, fmt.Sprintf("(%s IS NULL)", name(i)))
		case m.Array != nil:
			parts = append(parts, fmt.Sprintf("(%s = ANY (%s))", name(i), x.expr(m.Array)))
		case len(m.Values) > 1:
			parts = append(parts, fmt.Sprintf("(%s = ANY (ARRAY[%s]))", name(i), x.exprs(m.Values)))
		case m.NullSafe:
			parts = append(parts, fmt.Sprintf("(%s IS NOT DISTINCT FROM %s)", name(i), x.exprs(m.Values)))
		default:
			parts = append(parts, fmt.Sprintf("(%s = %s)", name(i), x.exprs(m.Values)))
		}
	}
	n := len(b.Prefix)
	if b.NotNull {
		parts = append(parts, fmt.Sprintf("(%s IS NOT NULL)", name(n)))
	}
	for _, e := range []struct {
		b  *exec.Bound
		op string
	}{{b.Lower, ">"}, {b.Upper, "<"}} {
		if e.b != nil {
			op := e.op
			if e.b.Inclusive {
				op += "="
			}
			parts = append(parts, fmt.Sprintf("(%s %s %s)", name(n), op, x.exprs(e.b.Values)))
		}
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return "(" + strings.Join(parts, " AND ") + ")"
}

func on(t *catalog.Table, alias string) string {
	if alias != "" && alias != t.Name {
		return " on " + t.Name + " " + alias
	}
	return " on " + t.Name
}

var joinNames = map[algebra.JoinKind]string{
	algebra.InnerJoin: "", algebra.LeftJoin: " Left", algebra.FullJoin: " Full", algebra.SemiJoin: " Semi", algebra.AntiJoin: " Anti", algebra.AntiNullJoin: " Anti",
}

// joinTitle names a join as PostgreSQL does: "Hash Left Join", "Nested Loop Left Join".
func joinTitle(base string, kind algebra.JoinKind) string {
	if kind == algebra.InnerJoin {
		if base == "Nested Loop" {
			return base
		}
		return base + " Join"
	}
	return base + joinNames[kind] + " Join"
}

func (x *explainer) node(n exec.Node) *explained {
	e := &explained{node: n}
	add := func(name, text string) {
		if text != "" {
			e.details = append(e.details, [2]string{name, text})
		}
	}
	set := func(kind, rest string) { e.kind, e.title = kind, kind+rest }
	switch n := n.(type) {
	case *exec.TableScan:
		kind, rest := "Seq Scan", on(n.Table, n.Alias)
		if n.Bounds != nil || n.Reverse {
			kind, rest = "Index Scan", usingIndex(n.Table, nil, n.Reverse)+rest
		}
		set(kind, rest)
		add("Index Cond", x.bounds(n.Table, nil, n.Bounds))
		add("Filter", x.expr(n.Filter))
	case *exec.IndexScan:
		kind := "Index Scan"
		if n.Only {
			kind = "Index Only Scan"
		}
		set(kind, usingIndex(n.Table, n.Index, n.Reverse)+on(n.Table, n.Alias))
		add("Index Cond", x.bounds(n.Table, n.Index, n.Bounds))
		add("Filter", x.expr(n.Filter))
	case *exec.KeyLookup:
		set("Index Scan", usingIndex(n.Table, n.Index, false)+on(n.Table, n.Alias))
		b := &exec.Bounds{}
		for _, k := range n.Key {
			b.Prefix = append(b.Prefix, exec.KeyMatch{Values: []algebra.Scalar{k}})
		}
		add("Index Cond", x.bounds(n.Table, n.Index, b))
		add("Filter", x.expr(n.Filter))
	case *exec.LookupJoin:
		set(joinTitle("Lookup", n.Kind), usingIndex(n.Table, n.Index, false)+on(n.Table, n.Alias))
		add("Index Cond", x.bounds(n.Table, n.Index, n.Bounds))
		add("Filter", x.expr(n.Filter))
		add("Join Filter", x.expr(n.On))
	case *exec.HashJoin:
		set(joinTitle("Hash", n.Kind), "")
		conds := make([]string, len(n.LeftKeys))
		for i := range conds {
			conds[i] = "(" + x.expr(n.LeftKeys[i]) + " = " + x.expr(n.RightKeys[i]) + ")"
		}
		add("Hash Cond", strings.Join(conds, " AND "))
		add("Join Filter", x.expr(n.On))
	case *exec.NestedLoop:
		set(joinTitle("Nested Loop", n.Kind), "")
		add("Join Filter", x.expr(n.On))
	case *exec.MergeJoin:
		set(joinTitle("Merge", n.Kind), "")
		add("Join Filter", x.expr(n.On))
	case *exec.Filter:
		set("Filter", "")
		add("Filter", x.expr(n.Cond))
	case *exec.Project:
		set("Result", "")
		if len(n.Inputs()) > 0 {
			// A projection is part of what it projects, as in PostgreSQL.
			below := x.node(n.Input)
			x.subPlans(below, n)
			return below
		}
	case *exec.HashAggregate:
		set("HashAggregate", "")
		add("Group Key", x.columns(n.Keys))
	case *exec.OrderedAggregate:
		if len(n.Keys) == 0 {
			set("Aggregate", "")
		} else {
			set("GroupAggregate", "")
			add("Group Key", x.columns(n.Keys))
		}
	case *exec.Distinct:
		if n.Sorted {
			set("Unique", "")
		} else {
			set("HashAggregate", "")
			add("Group Key", x.columns(n.Cols))
		}
	case *exec.DistinctOn:
		set("Unique", "")
	case *exec.Sort:
		set("Sort", "")
		add("Sort Key", x.keys(n.Keys))
	case *exec.TopK:
		set("Top-N Sort", "")
		add("Sort Key", x.keys(n.Keys))
	case *exec.Limit:
		set("Limit", "")
	case *exec.Append:
		set("Append", "")
	case *exec.SetOp:
		name := map[algebra.SetOpKind]string{algebra.Union: "Union", algebra.Intersect: "Intersect", algebra.Except: "Except"}[n.Kind]
		if n.All {
			name += " All"
		}
		set("HashSetOp", " "+name)
	case *exec.Values:
		if len(n.Values) == 1 {
			set("Result", "")
		} else {
			set("Values Scan", "")
		}
	case *exec.VirtualScan:
		set("Virtual Scan", on(n.Table, n.Alias))
		add("Filter", x.expr(n.Filter))
	case *exec.TransitionScan:
		set("Transition Scan", on(n.Table, n.Alias))
		add("Images", [...]string{algebra.NewRows: "", algebra.OldRows: "old", algebra.EitherRows: "new and old"}[n.Kind])
		if n.Kind != algebra.OldRows {
			add("Inserted If", x.expr(n.Inserted))
		}
		if n.Kind != algebra.NewRows {
			add("Deleted If", x.expr(n.Deleted))
		}
		add("Updated If", differences(n.Table, n.Differs))
		add("Filter", x.expr(n.Filter))
	case *exec.CTEScan:
		kind := "CTE Scan"
		if n.Working {
			kind = "WorkTable Scan"
		}
		rest := " on " + n.CTE.Name
		if n.Alias != "" && n.Alias != n.CTE.Name {
			rest += " " + n.Alias
		}
		set(kind, rest)
		add("Filter", x.expr(n.Filter))
	case *exec.Recurse:
		set("Recursive Union", "")
	case *exec.FuncScan:
		set("Function Scan", " on "+n.Alias)
		add("Filter", x.expr(n.Filter))
	case *exec.ProjectSet:
		set("ProjectSet", "")
	case *exec.Window:
		set("WindowAgg", "")
	case *exec.Accumulated:
		var tables []string
		for _, g := range n.Groups {
			tables = append(tables, g.Table.Name)
			var keys []string
			for _, k := range g.Keys {
				keys = append(keys, x.expr(k.Expr))
			}
			text := strings.Join(keys, ", ")
			if text == "" {
				text = "all rows"
			}
			add("Group of "+g.Table.Name, text+", tested again at the commit")
		}
		set("Accumulator Check", " on "+strings.Join(tables, ", "))
		add("Violated If", x.expr(n.Cond))
	case *exec.LockRows:
		set("LockRows", "")
	case *exec.Insert:
		set("Insert", " on "+n.Target.Table.Name)
		x.viewChecks(add, n.Checks)
		x.viewVerify(add, n.Verify)
	case *exec.Update:
		var names []string
		for _, t := range n.Targets {
			names = append(names, t.Table.Name)
		}
		set("Update", " on "+strings.Join(names, ", "))
		x.viewUpdate(add, n)
	case *exec.Delete:
		var names []string
		for _, t := range n.Targets {
			names = append(names, t.Table.Name)
		}
		set("Delete", " on "+strings.Join(names, ", "))
		if n.View != nil {
			add("View", n.View.Name)
		}
		x.viewVerify(add, n.Verify)
	case *exec.External:
		set("External", "")
	default:
		set(strings.TrimPrefix(fmt.Sprintf("%T", n), "*exec."), "")
	}
	for _, in := range n.Inputs() {
		e.below = append(e.below, x.node(in))
	}
	x.subPlans(e, n)
	if c, ok := n.(*exec.CTEScan); ok && !c.Working {
		x.cte(e, c.CTE)
	}
	return e
}

// differences says which updates a scan of changed rows lets through.
func differences(t *catalog.Table, list []algebra.Difference) string {
	var parts []string
	for _, d := range list {
		name := t.Columns[d.Number-1].Name
		if d.Moves == 0 {
			parts = append(parts, name+" differs")
			continue
		}
		for i, how := range []string{"grows", "shrinks", "was NULL", "becomes NULL"} {
			if d.Moves>>i&1 == 1 {
				parts = append(parts, name+" "+how)
			}
		}
	}
	return strings.Join(parts, " or ")
}

func usingIndex(t *catalog.Table, index *catalog.Index, backward bool) string {
	if index == nil {
		index = t.PrimaryKey()
	}
	text := ""
	if backward {
		text = " Backward"
	}
	if index != nil {
		text += " using " + index.Name
	}
	return text
}

// cte shows a WITH query under the first node that reads it.
func (x *explainer) cte(e *explained, c *exec.CTE) {
	if x.ctes[c] || c.Plan == nil {
		return
	}
	x.ctes[c] = true
	below := x.node(c.Plan)
	below.label = "CTE " + c.Name
	e.below = append(e.below, below)
}

// subPlans shows the plans inside of a node's expressions.
func (x *explainer) subPlans(e *explained, n exec.Node) {
	v := algebra.Visitor{Scalar: func(s algebra.Scalar) bool {
		if sp, ok := s.(*exec.SubPlan); ok {
			x.subplans++
			below := x.node(sp.Plan)
			kind := "SubPlan"
			if len(exec.FreeColumns(sp.Plan)) == 0 {
				kind = "InitPlan"
			}
			below.label = fmt.Sprintf("%s %d", kind, x.subplans)
			e.below = append(e.below, below)
		}
		return true
	}}
	words := wordsOf(n)
	for _, s := range n.Scalars() {
		if !slices.Contains(words, s) {
			v.VisitScalar(s)
		}
	}
}

// measured is the text of what an execution measured of a node.
func (x *explainer) measured(n exec.Node) string {
	if x.run == nil {
		return ""
	}
	s := x.run.Stats(n)
	if s == nil || s.Loops == 0 {
		return " (never executed)"
	}
	loops := float64(s.Loops)
	rows := fmt.Sprintf("rows=%.0f loops=%d", float64(s.Rows)/loops, s.Loops)
	if !x.o.Timing {
		return " (actual " + rows + ")"
	}
	return fmt.Sprintf(" (actual time=%.3f..%.3f %s)", milliseconds(s.Startup)/loops, milliseconds(s.Total)/loops, rows)
}

func (x *explainer) print(lines *[]string, e *explained, depth int, root bool) {
	indent := strings.Repeat(" ", depth)
	if e.label != "" {
		*lines = append(*lines, indent+e.label)
		indent += "  "
	}
	arrow := "->  "
	if root && e.label == "" {
		arrow = ""
	}
	line := indent + arrow + e.title
	if x.o.Costs {
		p := e.node.Properties()
		line += fmt.Sprintf("  (cost=%.2f..%.2f rows=%.0f width=%d)", p.StartupCost, p.TotalCost, max(1, p.Rows), p.Width)
	}
	*lines = append(*lines, line+x.measured(e.node))
	pad := indent + strings.Repeat(" ", len(arrow)) + "  "
	for _, d := range e.details {
		*lines = append(*lines, pad+d[0]+": "+d[1])
	}
	for _, b := range e.below {
		x.print(lines, b, len(pad), false)
	}
}

// group is a node and those below it, for programs.
func (x *explainer) group(e *explained) Group {
	p := e.node.Properties()
	g := Group{{"Node Type", e.kind}}
	if e.label != "" {
		g.Add("Subplan Name", e.label)
	}
	if x.o.Costs {
		g.Add("Startup Cost", decimal(p.StartupCost, 2))
		g.Add("Total Cost", decimal(p.TotalCost, 2))
		g.Add("Plan Rows", integer(int64(max(1, p.Rows))))
		g.Add("Plan Width", integer(int64(p.Width)))
	}
	if x.run != nil {
		s := x.run.Stats(e.node)
		if s == nil {
			s = &exec.Stats{}
		}
		loops := float64(max(1, s.Loops))
		if x.o.Timing {
			g.Add("Actual Startup Time", decimal(milliseconds(s.Startup)/loops, 3))
			g.Add("Actual Total Time", decimal(milliseconds(s.Total)/loops, 3))
		}
		g.Add("Actual Rows", decimal(float64(s.Rows)/loops, 0))
		g.Add("Actual Loops", integer(s.Loops))
	}
	for _, d := range e.details {
		g.Add(d[0], d[1])
	}
	var below []Group
	for _, b := range e.below {
		below = append(below, x.group(b))
	}
	if below != nil {
		g.Add("Plans", below)
	}
	return g
}
