package bind

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// TestAnalyzeView runs the files of testdata/viewplan: "schema" makes tables and views, "view" prints what can be written through one.
func TestAnalyzeView(t *testing.T) {
	datadriven.Walk(t, "testdata/viewplan", func(t *testing.T, path string) {
		s := newSchema(t)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "schema" {
				if err := s.exec(d.Input); err != nil {
					return describe(err)
				}
				return ""
			}
			o := s.options("")
			view, err := o.Snapshot.Lookup(o.SearchPath, "", d.Input)
			if err != nil {
				return describe(err)
			}
			a, err := AnalyzeView(context.Background(), o, view)
			if err != nil {
				return describe(err)
			}
			return a.text()
		})
	})
}

func (a *Analysis) text() string {
	var b strings.Builder
	for _, base := range a.Bases {
		fmt.Fprintf(&b, "%s as %s", base.Table.Name, base.Alias)
		if base.Preserved {
			b.WriteString(", preserved")
		}
		if base.Optional {
			b.WriteString(", optional")
		}
		b.WriteByte('\n')
	}
	say := func(what string, v Verdict, more string) {
		if v.OK {
			fmt.Fprintf(&b, "%s: yes%s\n", what, more)
		} else {
			fmt.Fprintf(&b, "%s: %s %s\n", what, v.Code, v.Reason)
		}
	}
	say("insert", a.Insert, "")
	say("update", a.Update, "")
	from := ""
	for _, i := range a.DeleteFrom {
		from += " " + a.Bases[i].Alias
	}
	say("delete", a.Delete, from)
	for _, c := range a.Columns {
		to := ""
		for _, at := range c.Bases {
			to += " " + a.Bases[at.Base].Alias + "." + at.Table.Columns[at.Number-1].Name
		}
		if c.Inverted {
			to += " (inverted)"
		}
		if c.Insert.OK == c.Update.OK {
			say("  "+c.Name, c.Update, to)
			continue
		}
		say("  insert "+c.Name, c.Insert, to)
		say("  update "+c.Name, c.Update, to)
	}
	return b.String()
}
