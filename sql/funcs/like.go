package funcs

import (
	"strings"
	"unicode/utf8"

	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// likePattern is a LIKE pattern made ready. Most patterns are one literal with % at one end or both: those are
// string functions. The others are a list of literals and wildcards.
type likePattern struct {
	kind    likeKind
	literal string
	parts   []likePart
	// dangling: the pattern ends with the escape character. That is an error once a text matches all before it
	// and goes on, and else no match; the pattern is then what comes before and _%.
	dangling bool
}

type likeKind uint8

const (
	likeExact likeKind = iota
	likePrefix
	likeSuffix
	likeContains
	likeGeneral
)

// likePart matches skip characters, any number more if any, and then a literal.
type likePart struct {
	skip    int
	any     bool
	literal string
}

// newLike reads a pattern. A backslash takes the next character literally.
func newLike(pattern string) *likePattern {
	slashes := len(pattern) - len(strings.TrimRight(pattern, `\`))
	dangling := slashes%2 == 1
	if dangling {
		pattern = pattern[:len(pattern)-1] + "_%"
	}
	var parts []likePart
	part := likePart{}
	var literal []byte
	wild := true // still in the wildcards of part
	flush := func() {
		part.literal = string(literal)
		parts = append(parts, part)
		part, literal = likePart{}, nil
		wild = true
	}
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; c {
		case '%', '_':
			if !wild {
				flush()
			}
			if c == '%' {
				part.any = true
			} else {
				part.skip++
			}
		case '\\':
			i++
			c = pattern[i]
			fallthrough
		default:
			wild = false
			literal = append(literal, c)
		}
	}
	flush()
	p := &likePattern{kind: likeGeneral, parts: parts, dangling: dangling}
	first, last := parts[0], parts[len(parts)-1]
	switch {
	case len(parts) == 1 && first.skip == 0:
		p.literal = first.literal
		if first.any {
			p.kind = likeSuffix
		} else {
			p.kind = likeExact
		}
	case len(parts) == 2 && first.skip == 0 && last.skip == 0 && last.any && last.literal == "":
		p.literal = first.literal
		if first.any {
			p.kind = likeContains
		} else {
			p.kind = likePrefix
		}
	}
	return p
}

func (p *likePattern) like(s string) (bool, error) {
	if !p.dangling {
		return p.match(s), nil
	}
	if p.match(s) {
		return false, errs.New(errs.InvalidEscapeSequence, "LIKE pattern must not end with escape character")
	}
	return false, nil
}

func (p *likePattern) match(s string) bool {
	switch p.kind {
	case likeExact:
		return s == p.literal
	case likePrefix:
		return strings.HasPrefix(s, p.literal)
	case likeSuffix:
		return strings.HasSuffix(s, p.literal)
	case likeContains:
		return strings.Contains(s, p.literal)
	}
	return matchParts(p.parts, s)
}

// matchParts goes from left to right and, where a part cannot go on, back to the last part with a %, which is
// then tried one place further: nothing before it needs to be tried again.
func matchParts(parts []likePart, s string) bool {
	back, backAt := -1, 0 // the part after whose skipped characters the search resumes, and where
	for i, at := 0, 0; ; {
		if i == len(parts) {
			if at == len(s) {
				return true
			}
		} else if next, ok := skipChars(s, at, parts[i].skip); ok {
			p := &parts[i]
			if p.any {
				back, backAt = i, next
				if p.literal == "" && i == len(parts)-1 {
					return true
				}
			}
			if strings.HasPrefix(s[next:], p.literal) {
				i, at = i+1, next+len(p.literal)
				continue
			}
			at = next
		} else {
			return false // fewer characters are left than any later attempt needs
		}
		if back < 0 {
			return false
		}
		// The literal of the part with the % is looked for after backAt.
		p := &parts[back]
		if back == len(parts)-1 {
			return strings.HasSuffix(s[backAt:], p.literal)
		}
		if back < i {
			if backAt >= len(s) {
				return false
			}
			_, size := utf8.DecodeRuneInString(s[backAt:])
			backAt += size
		}
		found := strings.Index(s[backAt:], p.literal)
		if found < 0 {
			return false
		}
		backAt += found
		i, at = back+1, backAt+len(p.literal)
	}
}

func skipChars(s string, at, n int) (int, bool) {
	for ; n > 0; n-- {
		if at >= len(s) {
			return at, false
		}
		_, size := utf8.DecodeRuneInString(s[at:])
		at += size
	}
	return at, true
}

// likeKernel compares with patterns, which are made ready once as long as they stay the same. ILIKE compares
// both in lower case.
func likeKernel(fold, negate bool) Kernel {
	return func(_ *Ctx, args []*types.Vec, rows types.Rows, out *types.Vec) (err error) {
		s, sm := input[string](args[0], rows)
		patterns, pm := input[string](args[1], rows)
		var p *likePattern
		var last string
		each(rows, func(i int) {
			if err != nil {
				return
			}
			if pattern := patterns[i&pm]; p == nil || pattern != last {
				last = pattern
				if fold {
					pattern = strings.ToLower(pattern)
				}
				p = newLike(pattern)
			}
			text := s[i&sm]
			if fold {
				text = strings.ToLower(text)
			}
			var matched bool
			matched, err = p.like(text)
			out.I[i] = bit(matched != negate)
		})
		return err
	}
}

// likeEscape rewrites a pattern with another escape character, or none, to one with a backslash.
func likeEscape(pattern, escape string) (string, error) {
	if escape == `\` {
		return pattern, nil
	}
	if utf8.RuneCountInString(escape) > 1 {
		return "", errs.New(errs.InvalidEscapeSequence, "invalid escape string").WithHint("Escape string must be empty or one character.")
	}
	var b strings.Builder
	for after := false; pattern != ""; {
		_, size := utf8.DecodeRuneInString(pattern)
		c := pattern[:size]
		pattern = pattern[size:]
		switch {
		case c == escape && !after && escape != "":
			b.WriteByte('\\')
			after = true
			continue
		case c == `\` && !after:
			b.WriteString(`\\`)
		default:
			b.WriteString(c)
		}
		after = false
	}
	return b.String(), nil
}

func likeFuncs() kernels {
	k := kernels{
		"like_escape": lift2(likeEscape), "like_escape_bytea": lift2(likeEscape),
		"textlike": likeKernel(false, false), "textnlike": likeKernel(false, true),
		"texticlike": likeKernel(true, false), "texticnlike": likeKernel(true, true),
	}
	for _, t := range []string{"name", "bytea"} {
		k[t+"like"], k[t+"nlike"] = k["textlike"], k["textnlike"]
	}
	k["nameiclike"], k["nameicnlike"] = k["texticlike"], k["texticnlike"]
	return k
}
