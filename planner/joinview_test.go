package planner_test

import (
	"strings"
	"testing"

	"holdfast/planner/sessiontest"

	"github.com/cockroachdb/datadriven"
)

// TestJoinViews runs the files of testdata/joinviews: "exec" runs statements, "run" runs them in a transaction that is rolled back. The
// answer is what each gives, the last an error if there is one.
func TestJoinViews(t *testing.T) {
	datadriven.Walk(t, "testdata/joinviews", func(t *testing.T, path string) {
		db := sessiontest.Open(t)
		c := db.Connect()
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "run" {
				c.Must("BEGIN")
				defer c.Must("ROLLBACK")
			} else if d.Cmd != "exec" {
				t.Fatalf("%s: no such command", d.Cmd)
			}
			var out []string
			for _, text := range strings.SplitAfter(d.Input, ";") {
				if text = strings.TrimSpace(text); text == "" {
					continue
				}
				r, err := c.Exec(text)
				if err != nil {
					out = append(out, sessiontest.Describe(err))
					break
				}
				if s := r.String(); s != "" {
					out = append(out, s)
				}
				out = append(out, r.Tag())
			}
			return strings.Join(out, "\n") + "\n"
		})
	})
}
