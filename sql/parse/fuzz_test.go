package parse

import (
	"testing"
	"unicode/utf8"

	"holdfast/sql/ast"
	"holdfast/sql/errs"
)

// FuzzParse checks that no text does worse than an error, that errors point into the text, and that what is
// printed of a tree parses to it again.
func FuzzParse(f *testing.F) {
	for _, text := range corpus(f) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ss, err := Parse(text)
		if err != nil {
			e := errs.As(err)
			if e.Code == errs.InternalError || e.Position < 0 || e.Position > utf8.RuneCountInString(text)+1 {
				t.Fatalf("%s %q at %d\n%s", e.Code, e.Message, e.Position, text)
			}
			return
		}
		for _, s := range ss {
			if text[s.Offset:s.Offset+len(s.Text)] != s.Text {
				t.Fatalf("%q is not at %d of %q", s.Text, s.Offset, text)
			}
			printed := ast.FormatStatement(s.Stmt)
			if printed == "" {
				continue
			}
			again, err := Parse(printed)
			if errs.CodeOf(err) == errs.StatementTooComplex || errs.CodeOf(err) == errs.ProgramLimitExceeded {
				continue
			}
			if err != nil || len(again) != 1 {
				t.Fatalf("%v\n%s\nprinted as\n%s", err, s.Text, printed)
			}
			if d := difference(s.Stmt, again[0].Stmt); d != "" {
				t.Fatalf("%s\n%s\nprinted as\n%s", d, s.Text, printed)
			}
		}
	})
}

// FuzzLookup compares the cache with a full parse.
func FuzzLookup(f *testing.F) {
	for _, text := range corpus(f) {
		f.Add(text)
	}
	f.Add(benchUpdate)
	c := NewCache(1 << 20)
	f.Fuzz(func(t *testing.T, text string) {
		checkLookup(t, c, text)
	})
}
