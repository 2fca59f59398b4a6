package parse

import (
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"holdfast/sql/ast"
	"holdfast/sql/errs"
)

// TestMutations joins pieces of known statements, cut at tokens. Far more of what comes of it parses than of
// what a byte fuzzer makes. PARSE_MUTATIONS sets how many are tried, PARSE_SEED where to begin.
func TestMutations(t *testing.T) {
	n, seed := 8000, uint64(1)
	if s := os.Getenv("PARSE_MUTATIONS"); s != "" {
		n, _ = strconv.Atoi(s)
	}
	if s := os.Getenv("PARSE_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	r := rand.New(rand.NewPCG(seed, 0))
	var statements [][]string
	var words []string
	for _, text := range corpus(t) {
		var tokens []string
		for _, k := range lex(text) {
			tokens = append(tokens, text[k.start:k.end])
		}
		if len(tokens) > 0 && len(tokens) < 200 {
			statements = append(statements, tokens)
			words = append(words, tokens...)
		}
	}
	c := NewCache(1 << 20)
	parsed := 0
	for range n {
		tokens := append([]string(nil), statements[r.IntN(len(statements))]...)
		for range 1 + r.IntN(3) {
			at := r.IntN(len(tokens) + 1)
			end := min(at+r.IntN(4), len(tokens))
			other := statements[r.IntN(len(statements))]
			from := r.IntN(len(other))
			var piece []string
			switch r.IntN(4) {
			case 0:
				piece = []string{words[r.IntN(len(words))]}
			case 1: // a group in parentheses
				for i := from; i < len(other); i++ {
					if other[i] == "(" {
						depth := 0
						for j := i; j < len(other); j++ {
							switch other[j] {
							case "(":
								depth++
							case ")":
								depth--
							}
							if depth == 0 {
								piece = other[i : j+1]
								break
							}
						}
						break
					}
				}
			case 2:
				piece = other[from:min(from+1+r.IntN(6), len(other))]
			}
			tokens = append(append(append([]string(nil), tokens[:at]...), piece...), tokens[end:]...)
			if len(tokens) == 0 {
				break
			}
		}
		text := strings.Join(tokens, " ")
		ss, err := Parse(text)
		if err != nil {
			e := errs.As(err)
			if e.Code == errs.InternalError || e.Position < 0 || e.Position > utf8.RuneCountInString(text)+1 {
				t.Fatalf("%s %q at %d\n%s", e.Code, e.Message, e.Position, text)
			}
		} else {
			parsed++
		}
		for _, s := range ss {
			printed := ast.FormatStatement(s.Stmt)
			if printed == "" {
				continue
			}
			again, err := Parse(printed)
			if err != nil || len(again) != 1 {
				t.Errorf("%v\n%s\nprinted as\n%s", err, s.Text, printed)
			} else if d := difference(s.Stmt, again[0].Stmt); d != "" {
				t.Errorf("%s\n%s\nprinted as\n%s", d, s.Text, printed)
			}
		}
		checkLookup(t, c, text)
	}
	t.Logf("%d of %d parsed", parsed, n)
}
