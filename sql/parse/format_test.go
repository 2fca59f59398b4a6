package parse

import (
	"bufio"
	"os"
	"strings"
	"testing"

	"holdfast/sql/ast"
)

// corpus are the statements of testdata/statements.sql, one per line, and those of real clients.
func corpus(tb testing.TB) []string {
	f, err := os.Open("testdata/statements.sql")
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	var out []string
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if l := strings.TrimSpace(lines.Text()); l != "" && !strings.HasPrefix(l, "--") {
			out = append(out, l)
		}
	}
	return append(out, captures(tb)...)
}

// TestFormatRoundTrip checks that what is printed of a tree parses to the tree again, and prints the same.
func TestFormatRoundTrip(t *testing.T) {
	for _, text := range corpus(t) {
		ss, err := Parse(text)
		if err != nil {
			t.Errorf("%v\n%s", err, text)
			continue
		}
		for _, s := range ss {
			checkRoundTrip(t, s)
		}
	}
}

func checkRoundTrip(t *testing.T, s Statement) {
	t.Helper()
	printed := ast.FormatStatement(s.Stmt)
	if printed == "" {
		switch s.Stmt.(type) {
		case *ast.Unsupported, *ast.Grant, *ast.Merge:
		default:
			if !strings.Contains(s.Text, "TABLESAMPLE") && !strings.Contains(s.Text, "/*incomplete*/") {
				t.Errorf("not printed: %s", s.Text)
			}
		}
		return
	}
	again, err := Parse(printed)
	if err != nil {
		t.Errorf("%v\n%s\nprinted as\n%s", err, s.Text, printed)
		return
	}
	if len(again) != 1 {
		t.Errorf("%d statements\n%s\nprinted as\n%s", len(again), s.Text, printed)
		return
	}
	if d := difference(s.Stmt, again[0].Stmt); d != "" {
		t.Errorf("%s\n%s\nprinted as\n%s", d, s.Text, printed)
	}
	if twice := ast.FormatStatement(again[0].Stmt); twice != printed {
		t.Errorf("printed as\n%s\nand then as\n%s", printed, twice)
	}
}
