package parse

import (
	"os"
	"strings"
	"testing"

	"holdfast/sql/ast"
)

// captures are statements that real clients were seen to send, one per block of the file.
func captures(tb testing.TB) []string {
	data, err := os.ReadFile("testdata/catalog_queries.sql")
	if err != nil {
		tb.Fatal(err)
	}
	var out []string
	for _, block := range strings.Split(string(data), "\n-- clients:") {
		if _, body, ok := strings.Cut(block, "\n"); ok {
			out = append(out, body)
		}
	}
	return out
}

func TestCaptures(t *testing.T) {
	unsupported := map[string]int{}
	n := 0
	for _, text := range captures(t) {
		ss, err := Parse(text)
		if err != nil {
			t.Errorf("%v\n%s", err, text)
		}
		for _, s := range ss {
			n++
			if u, ok := s.Stmt.(*ast.Unsupported); ok {
				unsupported[u.What]++
			}
		}
	}
	t.Log(n, unsupported)
}
