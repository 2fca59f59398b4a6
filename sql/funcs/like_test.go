package funcs

import (
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// naiveLike is LIKE by its definition.
func naiveLike(s, p string) bool {
	if p == "" {
		return s == ""
	}
	_, n := utf8.DecodeRuneInString(p)
	switch p[0] {
	case '%':
		for i := 0; i <= len(s); i++ {
			if (i == len(s) || utf8.RuneStart(s[i])) && naiveLike(s[i:], p[1:]) {
				return true
			}
		}
		return false
	case '_':
		if s == "" {
			return false
		}
		_, m := utf8.DecodeRuneInString(s)
		return naiveLike(s[m:], p[1:])
	case '\\':
		p = p[1:]
		_, n = utf8.DecodeRuneInString(p)
	}
	return len(s) >= n && s[:n] == p[:n] && naiveLike(s[n:], p[n:])
}

func TestLikeAgainstDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringOfN(rapid.SampledFrom([]rune("abé%")), 0, 12, -1).Draw(t, "s")
		pattern := ""
		for _, part := range rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "é", "%", "_", `\%`, `\\`, `\a`, "ab"}), 0, 8).Draw(t, "p") {
			pattern += part
		}
		p := newLike(pattern)
		if got, want := p.match(s), naiveLike(s, pattern); got != want {
			t.Fatalf("%q LIKE %q: got %v, want %v", s, pattern, got, want)
		}
		if got, want := matchParts(p.parts, s), naiveLike(s, pattern); got != want {
			t.Fatalf("%q LIKE %q by parts: got %v, want %v", s, pattern, got, want)
		}
	})
}
