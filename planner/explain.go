package planner

import (
	"context"
	"strings"
	"time"

	"holdfast/planner/exec"
	"holdfast/planner/optimize"
	"holdfast/sql/ast"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// explainColumns is the result of EXPLAIN.
func explainColumns(st *ast.Explain) []ResultColumn {
	c := textColumn("QUERY PLAN")
	for _, o := range st.Options {
		if o.Name == "format" && strings.EqualFold(optionText(o), "json") {
			c.Type = types.JSON
		}
	}
	return []ResultColumn{c}
}

// explainOptions reads the options of EXPLAIN.
func explainOptions(st *ast.Explain) (o optimize.ExplainOptions, err error) {
	o.Costs, o.Format = true, optimize.FormatText
	timing, summary := (*bool)(nil), (*bool)(nil)
	for _, x := range st.Options {
		on := true
		if v := optionText(x); v != "" && x.Name != "format" {
			b, ok := parseBool(v)
			if !ok {
				return o, errs.New(errs.SyntaxError, "%s requires a Boolean value", x.Name)
			}
			on = b
		}
		switch x.Name {
		case "analyze":
			o.Analyze = on
		case "verbose":
			o.Verbose = on
		case "costs":
			o.Costs = on
		case "timing":
			timing = &on
		case "summary":
			summary = &on
		case "buffers", "wal", "settings":
			if on {
				return o, errs.Unsupported("EXPLAIN option %s", strings.ToUpper(x.Name))
			}
		case "format":
			switch f := strings.ToLower(optionText(x)); f {
			case "text", "json", "yaml", "xml":
				o.Format = optimize.Format(f)
			default:
				return o, errs.New(errs.InvalidParameterValue, `unrecognized value for EXPLAIN option "format": "%s"`, optionText(x))
			}
		default:
			return o, errs.New(errs.SyntaxError, `unrecognized EXPLAIN option "%s"`, x.Name)
		}
	}
	o.Timing, o.Summary = o.Analyze, o.Analyze
	if timing != nil {
		if *timing && !o.Analyze {
			return o, errs.New(errs.InvalidParameterValue, "EXPLAIN option TIMING requires ANALYZE")
		}
		o.Timing = *timing
	}
	if summary != nil {
		o.Summary = *summary
	}
	return o, nil
}

// explain is EXPLAIN.
func (s *Session) explain(ctx context.Context, p *prepared, st *ast.Explain, params []types.Datum, formats []int16, out Output) error {
	if st.Assertion != nil {
		return s.explainAssertion(ctx, st, formats, out)
	}
	o, err := explainOptions(st)
	if err != nil {
		return err
	}
	target := &prepared{text: p.text, stmt: st.Stmt, declared: p.declared, simple: p.simple, sql: true}
	if x, ok := st.Stmt.(*ast.Execute); ok {
		if target, params, err = s.executeTarget(ctx, p, x); err != nil {
			return err
		}
	}
	if d, ok := st.Stmt.(*ast.DeclareCursor); ok {
		target.stmt = d.Query
	}
	if c, ok := st.Stmt.(*ast.CreateTable); ok && c.Query != nil {
		target.stmt = c.Query
	}
	if !isQuery(target.stmt) {
		return errs.Unsupported("EXPLAIN of this statement")
	}
	if err := s.open(ctx, false); err != nil {
		return err
	}
	begin := time.Now()
	pl, err := s.planned(ctx, target)
	if err != nil {
		return err
	}
	o.Planning = time.Since(begin)
	var run *exec.Run
	if o.Analyze {
		if pl.query.Writes {
			if err := s.writing(strings.TrimRight(pl.verb, " 0"), out); err != nil {
				return err
			}
		}
		s.tx.snapshot.Observe(s.tx.kv, pl.query.Tables...)
		begin = time.Now()
		x := s.execContext(ctx, params)
		x.Trace = &exec.RuleTrace{}
		o.Rules = x.Trace
		if run, err = pl.exec.StartInstrumented(x, o.Timing); err != nil {
			return err
		}
		for err == nil {
			var b *types.Batch
			if b, err = run.Next(types.BatchRows); b == nil {
				break
			}
		}
		run.Close()
		if err != nil {
			return err
		}
		o.Execution = time.Since(begin)
	}
	o.Deferred = &s.tx.deferred
	lines := optimize.Explain(pl.query, pl.exec, run, o)
	rows := make([][]string, len(lines))
	for i, l := range lines {
		rows[i] = []string{l}
	}
	if err := sendText([]ResultColumn{textColumn("QUERY PLAN")}, formats, rows, out); err != nil {
		return err
	}
	return out.CommandComplete("EXPLAIN")
}
