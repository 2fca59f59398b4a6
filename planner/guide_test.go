package planner_test

import (
	"os"
	"strings"
	"testing"

	"holdfast/planner/sessiontest"
	"holdfast/sql/errs"
)

// TestGuide runs the examples of docs/assertions.md.
func TestGuide(t *testing.T) {
	text, err := os.ReadFile("../docs/assertions.md")
	if err != nil {
		t.Fatal(err)
	}
	c := sessiontest.Open(t).Connect()
	n := 0
	for i, block := range strings.Split(string(text), "```") {
		block, ok := strings.CutPrefix(block, "sql\n")
		if i%2 == 0 || !ok {
			continue
		}
		for _, s := range strings.SplitAfter(block, ";\n") {
			s, refused := strings.CutPrefix(strings.TrimSpace(s), "-- refused\n")
			s, warned := strings.CutPrefix(s, "-- warned\n")
			if s == "" {
				continue
			}
			n++
			r, err := c.Exec(s)
			if warned && (len(r.Notices) != 1 || r.Notices[0].Severity != "WARNING" || r.Notices[0].Code != errs.CheckViolation) {
				t.Errorf("%s\nis warned of by the guide, but by the server: %s", s, told(r))
			}
			for _, x := range r.Notices {
				if !warned && !strings.Contains(s, "no_cycle") && !strings.Contains(s, "NOT VALID") {
					t.Errorf("%s\n%s %s", s, x.Message, x.Hint)
				}
			}
			if refused && errs.CodeOf(err) != errs.CheckViolation || !refused && err != nil {
				t.Errorf("%s\nrefused by the guide: %v, by the server: %s", s, refused, sessiontest.Describe(err))
			}
		}
	}
	if n < 80 {
		t.Errorf("only %d statements found", n)
	}
}

// TestViewsGuide runs the examples of docs/views.md.
func TestViewsGuide(t *testing.T) {
	text, err := os.ReadFile("../docs/views.md")
	if err != nil {
		t.Fatal(err)
	}
	c := sessiontest.Open(t).Connect()
	n, refusals := 0, 0
	for i, block := range strings.Split(string(text), "```") {
		block, ok := strings.CutPrefix(block, "sql\n")
		if i%2 == 0 || !ok {
			continue
		}
		for _, s := range strings.SplitAfter(block, ";\n") {
			if strings.TrimSpace(s) == "" {
				continue
			}
			n++
			want := errs.Code("")
			if _, after, refused := strings.Cut(s, "-- refused "); refused {
				want = errs.Code(after[:5])
				refusals++
			}
			_, err := c.Exec(s)
			if err == nil && want != "" || err != nil && errs.CodeOf(err) != want {
				t.Errorf("%s\nrefused by the guide: %q, by the server: %s", s, want, sessiontest.Describe(err))
			}
		}
	}
	if n < 25 || refusals < 5 {
		t.Errorf("only %d statements found, %d of them refused", n, refusals)
	}
}
