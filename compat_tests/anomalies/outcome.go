package anomalies

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// levels are the names of the isolation levels, the weakest first.
var levels = []string{"READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"}

// Verdicts on a run.
const (
	happens    = "happens"
	another    = "prevented, but the outcome is not serializable"
	prevented  = "prevented"
	postgreSQL = "PostgreSQL 15"
	holdfast   = "Holdfast"
)

// outcome is what came of a script on one server at one level, as it is recorded: a heading, of the server, the
// level and a summary, and an indented line for each step.
type outcome struct {
	server, level string
	summary       string
	steps         string
}

func (o outcome) String() string {
	return o.server + ", " + o.level + ": " + o.summary + "\n" + o.steps
}

// verdict is the summary without its particulars.
func (o outcome) verdict() string {
	v, _, _ := strings.Cut(o.summary, ";")
	return v
}

// refused are the sessions that were refused.
func (o outcome) refused() []string {
	var sessions []string
	_, particulars, _ := strings.Cut(o.summary, "; ")
	for _, p := range strings.Split(particulars, ", ") {
		if session, _, ok := strings.Cut(p, " is refused"); ok {
			sessions = append(sessions, session)
		}
	}
	return sessions
}

// stepsWithout are the lines of all but some sessions.
func (o outcome) stepsWithout(sessions []string) string {
	var b strings.Builder
	for _, line := range strings.SplitAfter(o.steps, "\n") {
		if !slices.ContainsFunc(sessions, func(s string) bool { return strings.HasPrefix(line, "  "+s+":") }) {
			b.WriteString(line)
		}
	}
	return b.String()
}

// judge runs a script at a level and says what came of it.
func (srv *server) judge(ctx context.Context, name, level string, z *serializer) (outcome, error) {
	h, err := srv.run(ctx, z.script, level)
	if err != nil {
		return outcome{}, err
	}
	order, err := z.order(ctx, h)
	if err != nil {
		return outcome{}, err
	}
	o := outcome{server: name, level: level, steps: h.String(), summary: prevented}
	switch {
	case h.happened():
		o.summary = happens
	case order == nil:
		o.summary = another
	}
	var particulars []string
	for _, session := range z.script.sessions() {
		waits, refused := false, ""
		for _, u := range h.units() {
			if u.session == session {
				waits = waits || slices.ContainsFunc(u.events, func(e *event) bool { return e.waits })
				refused = max(refused, u.refused)
			}
		}
		if refused != "" {
			particulars = append(particulars, session+" is refused ("+refused+")")
		} else if waits {
			particulars = append(particulars, session+" waits")
		}
	}
	if len(particulars) > 0 {
		o.summary += "; " + strings.Join(particulars, ", ")
	}
	if order == nil && o.verdict() == prevented {
		return o, fmt.Errorf("no verdict on %s", o)
	}
	return o, nil
}

// String is a line for each statement that was sent and for each answer that came later than others. Errors are told
// by their SQLSTATE.
func (h *history) String() string {
	return h.lines(func(e *event) string { return e.code })
}

// lines is String with errors told otherwise.
func (h *history) lines(refusal func(*event) string) string {
	type line struct {
		at   int
		text string
	}
	var lines []line
	for _, e := range h.events {
		st := h.script.steps[e.step]
		answer := e.answer
		if e.code != "" {
			answer = refusal(e)
		}
		if e.waits {
			lines = append(lines, line{e.begun, fmt.Sprintf("  %s: %s -> waits\n", st.session, st.sql)})
			lines = append(lines, line{e.ended, fmt.Sprintf("  %s: .. -> %s\n", st.session, answer)})
		} else {
			lines = append(lines, line{e.begun, fmt.Sprintf("  %s: %s -> %s\n", st.session, st.sql, answer)})
		}
	}
	slices.SortStableFunc(lines, func(a, b line) int { return a.at - b.at })
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l.text)
	}
	fmt.Fprintf(&b, "  final: %s\n", h.final)
	return b.String()
}

func expectedFile(name string) string { return filepath.Join("expected", name+".txt") }

// writeOutcomes records outcomes. Those of one server that are equal share their lines.
func writeOutcomes(name string, all []outcome) error {
	var merged []outcome
	for _, o := range all {
		last := len(merged) - 1
		if last >= 0 && merged[last].server == o.server && merged[last].summary == o.summary && merged[last].steps == o.steps {
			merged[last].level += " and " + o.level
			continue
		}
		merged = append(merged, o)
	}
	var b strings.Builder
	for i, o := range merged {
		if i > 0 {
			b.WriteString("\n")
		}
		b.WriteString(o.String())
	}
	return os.WriteFile(expectedFile(name), []byte(b.String()), 0o644)
}

// readOutcomes reads what writeOutcomes has written.
func readOutcomes(name string) (map[string]outcome, error) {
	text, err := os.ReadFile(expectedFile(name))
	if err != nil {
		return nil, err
	}
	all := map[string]outcome{}
	for _, part := range strings.Split(string(text), "\n\n") {
		heading, steps, _ := strings.Cut(strings.TrimSuffix(part, "\n")+"\n", "\n")
		where, summary, ok := strings.Cut(heading, ": ")
		name, levels, ok2 := strings.Cut(where, ", ")
		if !ok || !ok2 {
			return nil, fmt.Errorf("%s: not a heading: %s", expectedFile(name), heading)
		}
		for _, level := range strings.Split(levels, " and ") {
			all[name+", "+level] = outcome{server: name, level: level, summary: summary, steps: steps}
		}
	}
	return all, nil
}
