package views

import (
	"strings"
	"testing"

	"holdfast/planner/sessiontest"

	"github.com/cockroachdb/datadriven"
)

// TestField runs a script for each row of the comparison with other databases in docs/views.md. Its comments say what the others
// do; what is recorded is Holdfast's answer (`go test ./compat_tests/views -run TestField -rewrite`).
//
// A block "exec" is the message of a client, whose name is the argument conn. The answer is the rows, and the command tag of
// each statement, or the error with its fields.
func TestField(t *testing.T) {
	names := map[string]bool{}
	datadriven.Walk(t, "testdata/field", func(t *testing.T, path string) {
		db := sessiontest.OpenPebble(t)
		clients := map[string]*sessiontest.Client{}
		names[path[strings.LastIndex(path, "/")+1:]] = true
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd != "exec" {
				d.Fatalf(t, "unknown command %s", d.Cmd)
			}
			name := ""
			d.MaybeScanArgs(t, "conn", &name)
			if clients[name] == nil {
				clients[name] = db.Connect()
			}
			r, err := clients[name].Exec(d.Input)
			var lines []string
			for _, row := range r.Rows {
				lines = append(lines, strings.Join(row, " | "))
			}
			lines = append(lines, r.Tags...)
			if err != nil {
				lines = append(lines, sessiontest.Describe(err))
			}
			return strings.Join(lines, "\n") + "\n"
		})
	})
	// The rows of the table.
	for _, name := range []string{"01_update", "02_several_tables", "03_insert", "04_delete", "05_outer_join", "06_self_join", "07_view_over_view",
		"08_check_option", "09_returning", "10_concurrent_writers", "11_metadata"} {
		if !names[name] {
			t.Errorf("there is no script %s", name)
		}
	}
}
