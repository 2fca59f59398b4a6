package planner

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"holdfast/planner/optimize"
	"holdfast/sql/ast"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
)

// explainAssertion is EXPLAIN ASSERTION: per table and operation whether it can violate the assertion, and the plans of the checks
// that are then made.
func (s *Session) explainAssertion(ctx context.Context, st *ast.Explain, formats []int16, out Output) error {
	o, err := explainOptions(st)
	if err != nil {
		return err
	}
	if o.Analyze || o.JSON {
		return errs.Unsupported("EXPLAIN ASSERTION with ANALYZE or FORMAT JSON")
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
	checks, err := optimize.Checks(ctx, optimize.Options{Snapshot: snapshot, Catalog: s.engine.catalog, Ctx: s.functionContext(ctx)}, a)
	if err != nil {
		return err
	}
	var tables []*catalog.Table
	for oid := range a.DependsOn {
		if t := snapshot.RelationByOID(oid); t != nil && t.Kind == catalog.KindTable && (only == nil || t.OID == only.OID) {
			tables = append(tables, t)
		}
	}
	slices.SortFunc(tables, func(x, y *catalog.Table) int { return strings.Compare(x.Name, y.Name) })
	var lines []string
	shown := map[int]bool{}
	for _, t := range tables {
		for _, op := range []string{"INSERT", "DELETE", "UPDATE"} {
			if st.Event != "" && !strings.EqualFold(st.Event, op) {
				continue
			}
			lines = append(lines, op+" ON "+t.Name+": "+whenChecked(checks, t, op, column, shown))
		}
	}
	if only != nil && len(tables) == 0 {
		lines = append(lines, strings.ToUpper(st.Event)+" ON "+only.Name+": never")
	}
	for i := range checks {
		if !shown[i] {
			continue
		}
		c := &checks[i]
		if c.Occurrence.Full != "" {
			lines = append(lines, fmt.Sprintf("Check %d, by %s, in full, since %s:", i+1, c.Occurrence.Table.Name, c.Occurrence.Full))
		} else {
			lines = append(lines, fmt.Sprintf("Check %d, by %s, over the changed rows:", i+1, c.Occurrence.Table.Name))
		}
		for _, l := range optimize.Explain(c.Query, c.Plan, nil, o) {
			lines = append(lines, "  "+l)
		}
		for _, f := range c.FullScans() {
			l := "  Warning: it reads all of " + f.Table.Name
			if len(f.Columns) > 0 {
				l += "; " + f.CreateIndex(snapshot)
			}
			lines = append(lines, l)
		}
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

// whenChecked says when an operation is checked, and notes which checks are then made.
func whenChecked(checks []optimize.Check, t *catalog.Table, op string, column int16, shown map[int]bool) string {
	var columns []string
	var numbers []string
	for i, c := range checks {
		e := c.Occurrence.Event
		if e.Table != t.OID {
			continue
		}
		made := op == "INSERT" && e.Insert || op == "DELETE" && e.Delete
		if op == "UPDATE" {
			for _, n := range e.Columns {
				if column != 0 && n != column {
					continue
				}
				made = true
				if name := t.Columns[n-1].Name; !slices.Contains(columns, name) {
					columns = append(columns, name)
				}
			}
		}
		if made {
			shown[i] = true
			numbers = append(numbers, fmt.Sprint(i+1))
		}
	}
	if len(numbers) == 0 {
		return "never"
	}
	what := "check " + strings.Join(numbers, ", ")
	if op == "UPDATE" {
		slices.Sort(columns)
		return "only if " + strings.Join(columns, " or ") + " changes: " + what
	}
	return what
}
