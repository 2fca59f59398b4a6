package optimize

import (
	"fmt"
	"slices"

	"holdfast/planner/exec"
	"holdfast/sql/catalog"
)

// The rules of a statement in EXPLAIN. Foreign keys are shown as PostgreSQL shows the triggers that are theirs: with ANALYZE, each that
// ran. Of assertions, the checks that the statement would make are shown, and with ANALYZE or VERBOSE those too that it need not make.

// ruleReport is what EXPLAIN says of one rule.
type ruleReport struct {
	rule   *exec.Rule
	status string // "run", "deferred", "skipped"
	reason string // of "skipped"
	run    *exec.RuleRun
}

var skipReasons = map[catalog.SkipReason]string{
	catalog.SkippedByOperation: "no such change can violate it",
	catalog.SkippedByColumns:   "it assigns no column that matters",
}

// ruleReports are the assertions' checks of a statement, and the foreign keys that ran.
func ruleReports(plan *exec.Plan, o ExplainOptions) (checks, keys []ruleReport) {
	shown := map[*exec.Rule]bool{}
	for _, n := range changing(plan) {
		rules, skips := rulesOf(n)
		left := map[*exec.Rule]catalog.SkipReason{}
		if skips != nil {
			for _, s := range skips.Rules {
				left[s.Rule] = s.Reason
			}
		}
		for _, r := range rules {
			if _, skipped := left[r]; skipped || r.Stats == nil || shown[r] {
				continue
			}
			shown[r] = true
			report := ruleReport{rule: r, status: "run"}
			if o.Deferred.Defers(r) {
				report.status = "deferred"
			}
			checks = append(checks, report)
		}
		if skips == nil || !o.Analyze && !o.Verbose {
			continue
		}
		for _, s := range skips.Rules {
			if !shown[s.Rule] {
				shown[s.Rule] = true
				checks = append(checks, ruleReport{rule: s.Rule, status: "skipped", reason: skipReasons[s.Reason]})
			}
		}
	}
	if o.Rules == nil {
		return checks, nil
	}
	for _, run := range o.Rules.Runs {
		report := ruleReport{rule: run.Rule, status: "run", run: run}
		switch run.Outcome {
		case exec.RuleUnchanged:
			report.status, report.reason = "skipped", "nothing that it reads has changed"
		case exec.RuleSorted:
			report.status, report.reason = "skipped", "none of the changed rows can violate it"
		case exec.RuleDeferred:
			report.status = "deferred"
		}
		if run.Rule.Stats == nil {
			if run.Calls > 0 {
				keys = append(keys, report)
			}
			continue
		}
		if i := slices.IndexFunc(checks, func(c ruleReport) bool { return c.rule == run.Rule }); i >= 0 {
			checks[i] = report
		} else { // of what an action has changed
			checks = append(checks, report)
		}
	}
	return checks, keys
}

// changing are the nodes of a plan that change rows.
func changing(plan *exec.Plan) (list []exec.Node) {
	var visit func(n exec.Node)
	visit = func(n exec.Node) {
		switch n.(type) {
		case *exec.Insert, *exec.Update, *exec.Delete:
			list = append(list, n)
			return
		}
		for _, in := range n.Inputs() {
			visit(in)
		}
	}
	for _, c := range plan.CTEs {
		visit(c.Plan)
	}
	visit(plan.Root)
	return list
}

func rulesOf(n exec.Node) ([]*exec.Rule, *exec.Skips) {
	switch n := n.(type) {
	case *exec.Insert:
		return n.Rules, n.Skips
	case *exec.Update:
		return n.Rules, n.Skips
	case *exec.Delete:
		return n.Rules, n.Skips
	}
	return nil, nil
}

// ruleLines is one line for each of the rules, in PostgreSQL's manner.
func ruleLines(checks, keys []ruleReport, o ExplainOptions) (lines []string) {
	measured := func(run *exec.RuleRun) string {
		if o.Timing {
			return fmt.Sprintf("time=%.3f calls=%d", milliseconds(run.Time), run.Calls)
		}
		return fmt.Sprintf("calls=%d", run.Calls)
	}
	for _, c := range checks {
		line := "Rule " + c.rule.Name + ": " + checkName(c.rule)
		switch {
		case c.status == "skipped":
			line += ": skipped, since " + c.reason
		case c.status == "deferred":
			line += ": deferred"
		case c.run != nil:
			line += fmt.Sprintf(": %s changed=%d looked=%d read=%d", measured(c.run), c.run.Changed, c.run.Looked, c.run.Read)
		}
		lines = append(lines, line)
	}
	for _, k := range keys {
		lines = append(lines, fmt.Sprintf("Trigger for constraint %s: %s", k.rule.Name, measured(k.run)))
	}
	return lines
}

func checkName(r *exec.Rule) string {
	if r.Number == 0 {
		return "in full"
	}
	return fmt.Sprintf("check %d, by %s", r.Number, r.By)
}

// ruleGroups are the same for programs.
func ruleGroups(top *Group, checks, keys []ruleReport, o ExplainOptions) {
	measured := func(g *Group, run *exec.RuleRun) {
		if o.Timing {
			g.Add("Time", decimal(milliseconds(run.Time), 3))
		}
		g.Add("Calls", integer(int64(run.Calls)))
	}
	if o.Analyze {
		list := []Group{}
		for _, k := range keys {
			g := Group{{"Constraint Name", k.rule.Name}}
			measured(&g, k.run)
			list = append(list, g)
		}
		top.Add("Triggers", list)
	}
	if len(checks) == 0 {
		return
	}
	var list []Group
	for _, c := range checks {
		g := Group{{"Assertion", c.rule.Name}, {"In Full", c.rule.Number == 0}}
		if c.rule.Number > 0 {
			g.Add("Check", integer(int64(c.rule.Number)))
			g.Add("By", c.rule.By)
		}
		g.Add("Status", c.status)
		if c.reason != "" {
			g.Add("Reason", c.reason)
		}
		if c.run != nil && c.run.Calls > 0 {
			measured(&g, c.run)
			g.Add("Rows Changed", integer(c.run.Changed))
			g.Add("Rows Looked At", integer(c.run.Looked))
			g.Add("Rows Read", integer(c.run.Read))
		}
		list = append(list, g)
	}
	top.Add("Rules", list)
}
