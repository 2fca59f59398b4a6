package planner

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"holdfast/planner/exec"
	"holdfast/planner/optimize"
	"holdfast/sql/ast"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// explainedAssertion is what EXPLAIN ASSERTION says.
type explainedAssertion struct {
	snapshot  *catalog.Snapshot
	assertion *catalog.Assertion
	checks    []optimize.Check
	changes   []explainedChange
	shown     map[int]bool // the checks that these make
	evaluated []explainedEvaluation
	options   optimize.ExplainOptions
}

// explainedChange is an operation on a table, and the checks that it makes.
type explainedChange struct {
	operation string
	table     *catalog.Table
	columns   []string // of which an UPDATE changes one
	checks    []int    // from 0
}

// explainedEvaluation is a violation query as it was evaluated in full.
type explainedEvaluation struct {
	optimize.Evaluation
	run       *exec.Run
	violation string // the DETAIL of the error; "" if there is none
	violated  bool
}

// explainAssertion is EXPLAIN ASSERTION: per table and operation whether it can violate the assertion, and the plans of the checks
// that are then made. With ANALYZE the condition is evaluated in full as well.
func (s *Session) explainAssertion(ctx context.Context, st *ast.Explain, formats []int16, out Output) error {
	o, err := explainOptions(st)
	if err != nil {
		return err
	}
	if err := s.open(ctx, false); err != nil {
		return err
	}
	snapshot := s.tx.snapshot
	a, err := snapshot.LookupAssertion(s.settings.path, st.Assertion.Schema, st.Assertion.Name)
	if err != nil {
		return err
	}
	var only *catalog.Table
	var column int16
	if st.EventTable != nil {
		if only, err = snapshot.Lookup(s.settings.path, st.EventTable.Schema, st.EventTable.Name); err != nil {
			return err
		}
		if st.EventColumn != "" {
			c := only.Column(st.EventColumn)
			if c == nil {
				return errs.New(errs.UndefinedColumn, `column "%s" of relation "%s" does not exist`, st.EventColumn, only.Name)
			}
			column = c.Number
		}
	}
	options := optimize.Options{Snapshot: snapshot, Catalog: s.engine.catalog, Ctx: s.functionContext(ctx), WorkMem: s.settings.workMem}
	x := &explainedAssertion{snapshot: snapshot, assertion: a, shown: map[int]bool{}, options: o}
	if x.checks, err = optimize.Checks(ctx, options, a); err != nil {
		return err
	}
	var tables []*catalog.Table
	for oid := range a.DependsOn {
		if t := snapshot.RelationByOID(oid); t != nil && t.Kind == catalog.KindTable && (only == nil || t.OID == only.OID) {
			tables = append(tables, t)
		}
	}
	if only != nil && len(tables) == 0 {
		tables = append(tables, only) // which it does not read
	}
	slices.SortFunc(tables, func(x, y *catalog.Table) int { return strings.Compare(x.Name, y.Name) })
	for _, t := range tables {
		for _, op := range []string{"INSERT", "DELETE", "UPDATE"} {
			if st.Event == "" || strings.EqualFold(st.Event, op) {
				x.add(op, t, column)
			}
		}
	}
	if o.Analyze {
		if x.evaluated, err = s.evaluate(ctx, options, a, o.Timing); err != nil {
			return err
		}
	}
	lines := optimize.Print(o.Format, []optimize.Group{x.group()})
	if o.Format == optimize.FormatText {
		lines = x.lines()
	}
	rows := make([][]string, len(lines))
	for i, l := range lines {
		rows[i] = []string{l}
	}
	if err := sendText([]ResultColumn{textColumn("QUERY PLAN")}, formats, rows, out); err != nil {
		return err
	}
	return out.CommandComplete("EXPLAIN")
}

// evaluate evaluates the condition of an assertion in full, up to the first violation.
func (s *Session) evaluate(ctx context.Context, o optimize.Options, a *catalog.Assertion, timing bool) (list []explainedEvaluation, err error) {
	queries, err := optimize.Evaluations(ctx, o, a)
	if err != nil {
		return nil, err
	}
	x := s.execContext(ctx, nil)
	for _, q := range queries {
		e := explainedEvaluation{Evaluation: q}
		if e.run, err = q.Plan.StartInstrumented(x, timing); err != nil {
			return nil, err
		}
		b, err := e.run.Next(types.BatchRows)
		if err == nil && b != nil && b.N > 0 {
			row := make([]types.Datum, len(b.Cols))
			at := 0
			if b.Sel != nil {
				at = int(b.Sel[0])
			}
			for i, v := range b.Cols {
				row[i] = v.Datum(at)
			}
			if v := errs.As(e.Violated(x, row)); v != nil {
				e.violated, e.violation = true, v.Detail
			}
		}
		if closing := e.run.Close(); err == nil {
			err = closing
		}
		if err != nil {
			return nil, err
		}
		list = append(list, e)
		if e.violated {
			break
		}
	}
	return list, nil
}

// add works out when an operation is checked.
func (x *explainedAssertion) add(op string, t *catalog.Table, column int16) {
	e := explainedChange{operation: op, table: t}
	for i, c := range x.checks {
		on := c.Occurrence.Event
		if on.Table != t.OID {
			continue
		}
		made := op == "INSERT" && on.Insert || op == "DELETE" && on.Delete
		if op == "UPDATE" {
			for _, n := range on.Columns {
				if column != 0 && n != column {
					continue
				}
				made = true
				if name := t.Columns[n-1].Name; !slices.Contains(e.columns, name) {
					e.columns = append(e.columns, name)
				}
			}
		}
		if made {
			x.shown[i] = true
			e.checks = append(e.checks, i)
		}
	}
	slices.Sort(e.columns)
	x.changes = append(x.changes, e)
}

// lines is the text of it.
func (x *explainedAssertion) lines() (lines []string) {
	for _, e := range x.changes {
		var numbers []string
		for _, i := range e.checks {
			numbers = append(numbers, fmt.Sprint(i+1))
		}
		when := "never"
		if len(numbers) > 0 {
			when = "check " + strings.Join(numbers, ", ")
			if len(e.columns) > 0 {
				when = "only if " + strings.Join(e.columns, " or ") + " changes: " + when
			}
		}
		lines = append(lines, e.operation+" ON "+e.table.Name+": "+when)
	}
	for i := range x.checks {
		if !x.shown[i] {
			continue
		}
		c := &x.checks[i]
		if c.Occurrence.Full != "" {
			lines = append(lines, fmt.Sprintf("Check %d, by %s, in full, since %s:", i+1, c.Occurrence.Table.Name, c.Occurrence.Full))
		} else {
			lines = append(lines, fmt.Sprintf("Check %d, by %s, over the changed rows:", i+1, c.Occurrence.Table.Name))
		}
		lines = append(lines, indented(optimize.PlanLines(c.Query, c.Plan, nil, x.options))...)
		for _, f := range c.FullScans() {
			l := "  Warning: it reads all of " + f.Table.Name
			if len(f.Columns) > 0 {
				l += "; " + f.CreateIndex(x.snapshot)
			}
			lines = append(lines, l)
		}
	}
	for _, e := range x.evaluated {
		lines = append(lines, "Evaluated in full:")
		lines = append(lines, indented(optimize.PlanLines(e.Query, e.Plan, e.run, x.options))...)
	}
	if x.options.Analyze {
		lines = append(lines, "Result: "+x.result())
		if x.options.Timing {
			lines = append(lines, fmt.Sprintf("Evaluation Time: %.3f ms", float64(x.took().Microseconds())/1000))
		}
	}
	return lines
}

func indented(lines []string) []string {
	for i := range lines {
		lines[i] = "  " + lines[i]
	}
	return lines
}

// result says what the evaluation in full has found.
func (x *explainedAssertion) result() string {
	for _, e := range x.evaluated {
		switch {
		case e.violated && e.violation == "":
			return "violated"
		case e.violated:
			return "violated. " + e.violation
		}
	}
	return "holds"
}

// took is the time of the evaluation in full.
func (x *explainedAssertion) took() (d time.Duration) {
	for _, e := range x.evaluated {
		if s := e.run.Stats(e.Plan.Root); s != nil {
			d += s.Total
		}
	}
	return d
}

// group is the same for programs.
func (x *explainedAssertion) group() optimize.Group {
	number := func(n int) optimize.Number { return optimize.Number(fmt.Sprint(n)) }
	g := optimize.Group{{Name: "Assertion", Value: x.assertion.Name}}
	if n := x.snapshot.SchemaByOID(x.assertion.Schema); n != nil {
		g.Add("Schema", n.Name)
	}
	g.Add("State", x.assertion.State())
	changes := []optimize.Group{}
	for _, e := range x.changes {
		c := optimize.Group{}
		c.Add("Operation", e.operation)
		c.Add("Table", e.table.Name)
		c.Add("Checked", len(e.checks) > 0)
		if len(e.columns) > 0 {
			c.Add("Columns", e.columns)
		}
		made := []optimize.Group{}
		for _, i := range e.checks {
			made = append(made, optimize.Group{{Name: "Check", Value: number(i + 1)}})
		}
		c.Add("Checks", made)
		changes = append(changes, c)
	}
	g.Add("Changes", changes)
	checks := []optimize.Group{}
	for i := range x.checks {
		if !x.shown[i] {
			continue
		}
		c := &x.checks[i]
		k := optimize.Group{}
		k.Add("Check", number(i+1))
		k.Add("By", c.Occurrence.Table.Name)
		k.Add("In Full", c.Occurrence.Full != "")
		if c.Occurrence.Full != "" {
			k.Add("Reason", c.Occurrence.Full)
		}
		k.Add("Plan", optimize.PlanGroup(c.Query, c.Plan, nil, x.options))
		scans := []optimize.Group{}
		for _, f := range c.FullScans() {
			scan := optimize.Group{{Name: "Table", Value: f.Table.Name}}
			if len(f.Columns) > 0 {
				scan.Add("Create Index", f.CreateIndex(x.snapshot))
			}
			scans = append(scans, scan)
		}
		k.Add("Full Scans", scans)
		checks = append(checks, k)
	}
	g.Add("Checks", checks)
	if x.options.Analyze {
		evaluated := []optimize.Group{}
		for _, e := range x.evaluated {
			evaluated = append(evaluated, optimize.Group{{Name: "Plan", Value: optimize.PlanGroup(e.Query, e.Plan, e.run, x.options)}})
		}
		g.Add("Evaluations", evaluated)
		g.Add("Result", x.result())
		if x.options.Timing {
			g.Add("Evaluation Time", optimize.Number(fmt.Sprintf("%.3f", float64(x.took().Microseconds())/1000)))
		}
	}
	return g
}
