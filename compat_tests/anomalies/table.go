package anomalies

import (
	"fmt"
	"strings"
)

// isolationPage is the page with the table of outcomes, between two marks.
const (
	isolationPage = "../../docs/isolation.md"
	tableBegins   = "<!-- The table is written by go test ./compat_tests/anomalies -record -->\n"
	tableEnds     = "<!-- The end of the table -->\n"
)

// table is the table of outcomes in Markdown. PostgreSQL has no READ UNCOMMITTED of its own, so it has no column;
// Holdfast has one column for all of them.
func table(scripts []*script) (string, error) {
	var b strings.Builder
	b.WriteString("| Anomaly | PostgreSQL, READ COMMITTED | PostgreSQL, REPEATABLE READ | PostgreSQL, SERIALIZABLE | Holdfast, all four |\n|---|---|---|---|---|\n")
	for _, s := range scripts {
		outcomes, err := readOutcomes(s.name)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "| [%s](../compat_tests/anomalies/scripts/%s.txt) (%s)", s.title, s.name, s.codes)
		for _, level := range levels[1:] {
			fmt.Fprintf(&b, " | %s", cell(outcomes[postgreSQL+", "+level]))
		}
		for _, level := range levels[1:] {
			if outcomes[holdfast+", "+level].summary != outcomes[holdfast+", "+levels[0]].summary {
				return "", fmt.Errorf("%s: Holdfast's outcomes differ by level", s.name)
			}
		}
		fmt.Fprintf(&b, " | %s |\n", cell(outcomes[holdfast+", "+levels[0]]))
	}
	return b.String(), nil
}

func cell(o outcome) string {
	if o.verdict() == prevented {
		return o.summary
	}
	return "**" + o.verdict() + "**" + strings.TrimPrefix(o.summary, o.verdict())
}

// replaceTable puts a table into the page's text, in the place of the one that is there.
func replaceTable(page, table string) (string, error) {
	before, rest, ok := strings.Cut(page, tableBegins)
	_, after, ok2 := strings.Cut(rest, tableEnds)
	if !ok || !ok2 {
		return "", fmt.Errorf("%s: the marks of the table are missing", isolationPage)
	}
	return before + tableBegins + table + tableEnds + after, nil
}
