package funcs

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"holdfast/sql/errs"
)

// regex is a PostgreSQL regular expression ("ARE") made ready to run on Go's engine.
//
// The two differ in what they match where several matches are possible. PostgreSQL takes the earliest, and of
// those the longest or the shortest by the expression's own preference, which follows from its quantifiers; then
// each part takes what it prefers within that. Go's engine can look for the longest, or follow the order of a
// backtracking search. So the extent of a match is found first, and captures afterwards by a search of exactly
// that extent. Whether there is a match, and where, so agrees; what a group inside of a repetition or an alternative
// holds can differ where that group could have taken part in several ways. Of the syntax, back references and
// lookaround have no equivalent in an engine of linear time and are refused.
type regex struct {
	extent    *regexp.Regexp // finds matches; the longest one unless nonGreedy
	captures  *regexp.Regexp // the same anchored at both ends, in search order; nil if extent tells the captures
	nonGreedy bool           // the expression as a whole prefers the shortest match
	simple    bool           // search order is known to find the shortest one
	groups    int
	later     *regexp.Regexp // extent for the rest of a text, where nothing is at the beginning
	looksBack bool           // it has assertions about what comes before, such as \y
}

// regexFlags are the options of a regular expression.
type regexFlags struct {
	fold        bool // i
	dotStops    bool // n, p: . and negated brackets do not match a newline
	lineAnchors bool // n, w: ^ and $ match at newlines
	expanded    bool // x
	literal     bool // q
	global      bool // g
}

func parseRegexFlags(flags string) (f regexFlags, err error) {
	for _, c := range flags {
		switch c {
		case 'g':
			f.global = true
		case 'b', 'e':
			return f, errs.Unsupported("regular expression option \"%c\"", c)
		default:
			if !f.set(c) {
				return f, errs.New(errs.InvalidParameterValue, "invalid regular expression option: \"%c\"", c)
			}
		}
	}
	return f, nil
}

// set applies one option letter that may also be embedded in the expression.
func (f *regexFlags) set(c rune) bool {
	switch c {
	case 'c':
		f.fold = false
	case 'i':
		f.fold = true
	case 'm', 'n':
		f.dotStops, f.lineAnchors = true, true
	case 'p':
		f.dotStops, f.lineAnchors = true, false
	case 'w':
		f.dotStops, f.lineAnchors = false, true
	case 's':
		f.dotStops, f.lineAnchors = false, false
	case 'x':
		f.expanded = true
	case 't':
		f.expanded = false
	case 'q':
		f.literal = true
	default:
		return false
	}
	return true
}

type regexKey struct {
	pattern string
	flags   regexFlags
}

// regexCache keeps the expressions used last by the whole process; it is emptied when it is full.
var regexCache = struct {
	sync.RWMutex
	m map[regexKey]*regex
}{m: map[regexKey]*regex{}}

const regexCacheSize = 512

func compileRegex(pattern string, flags regexFlags) (*regex, error) {
	flags.global = false
	key := regexKey{pattern, flags}
	regexCache.RLock()
	re := regexCache.m[key]
	regexCache.RUnlock()
	if re != nil {
		return re, nil
	}
	re, err := newRegex(pattern, flags)
	if err != nil {
		return nil, err
	}
	regexCache.Lock()
	if len(regexCache.m) >= regexCacheSize {
		clear(regexCache.m)
	}
	regexCache.m[key] = re
	regexCache.Unlock()
	return re, nil
}

func regexError(message string) error {
	return errs.New(errs.InvalidRegularExpression, "invalid regular expression: %s", message)
}

func newRegex(pattern string, flags regexFlags) (*regex, error) {
	switch {
	case strings.HasPrefix(pattern, "***="):
		pattern, flags.literal = pattern[4:], true
	case strings.HasPrefix(pattern, "***:"):
		pattern = pattern[4:]
	case strings.HasPrefix(pattern, "***"):
		return nil, regexError("quantifier operand invalid")
	}
	if strings.HasPrefix(pattern, "(?") && len(pattern) > 2 && unicode.IsLetter(rune(pattern[2])) {
		end := strings.IndexByte(pattern, ')')
		if end < 0 {
			return nil, regexError("invalid embedded option")
		}
		for _, c := range pattern[2:end] {
			if !flags.set(c) {
				return nil, regexError("invalid embedded option")
			}
		}
		pattern = pattern[end+1:]
	}
	t := regexTranslator{rest: pattern, flags: flags}
	translated, prefers, err := t.translate()
	if err != nil {
		return nil, err
	}
	goFlags := ""
	if flags.fold {
		goFlags += "i"
	}
	if !flags.dotStops {
		goFlags += "s"
	}
	if flags.lineAnchors {
		goFlags += "m"
	}
	if goFlags != "" {
		goFlags = "(?" + goFlags + ")"
	}
	re := &regex{groups: t.groups, nonGreedy: prefers == prefersShort, looksBack: t.looksBack}
	compile := func(translated string) *regexp.Regexp {
		r, e := regexp.Compile(goFlags + translated)
		if e != nil && err == nil {
			err = regexError("regular expression is too complex")
		}
		return r
	}
	re.extent = compile(translated)
	re.later = re.extent
	if t.anchored {
		l := regexTranslator{rest: pattern, flags: flags, later: true}
		translated, _, _ := l.translate()
		re.later = compile(translated)
	}
	re.simple = re.nonGreedy && !t.greedy && !t.branches
	if t.groups > 0 && !re.simple || re.nonGreedy {
		re.captures = compile(`\A(?:` + translated + `)\z`)
	}
	if err != nil {
		return nil, err
	}
	if !re.nonGreedy {
		re.extent.Longest()
		re.later.Longest()
	}
	return re, nil
}

func (re *regex) match(s string) bool { return re.extent.MatchString(s) }

// find is the first match: pairs of offsets for the match and its groups, -1 for a group that took no part.
func (re *regex) find(s string) []int {
	m := re.extent.FindStringSubmatchIndex(s)
	if m == nil {
		return nil
	}
	return re.refine(s, m)
}

// refine brings a match to the extent and the captures that PostgreSQL would choose.
func (re *regex) refine(s string, m []int) []int {
	if re.captures == nil {
		return m
	}
	start, end := m[0], m[1]
	if re.nonGreedy && !re.simple {
		for e := start; e < end; {
			if re.captures.MatchString(s[start:e]) {
				end = e
				break
			}
			_, size := utf8.DecodeRuneInString(s[e:])
			e += size
		}
	}
	inner := re.captures.FindStringSubmatchIndex(s[start:end])
	if inner == nil {
		return m // an assertion looks beyond the match
	}
	for i := range inner {
		if inner[i] >= 0 {
			inner[i] += start
		}
	}
	return inner
}

// matches calls f with the matches from a byte offset on, in order, until it returns false. After an empty match the
// search resumes one character later.
func (re *regex) matches(s string, from int, f func(m []int) bool) {
	if re.looksBack {
		// Go shows an assertion what is before the place where a search resumes only when it looks for all matches
		// at once. It leaves out an empty match right after another.
		for _, m := range re.extent.FindAllStringSubmatchIndex(s, -1) {
			if m[0] >= from && !f(re.refine(s, m)) {
				return
			}
		}
		return
	}
	for from <= len(s) {
		search := re.extent
		if from > 0 {
			search = re.later
		}
		m := search.FindStringSubmatchIndex(s[from:])
		if m == nil {
			return
		}
		for i := range m {
			if m[i] >= 0 {
				m[i] += from
			}
		}
		if m = re.refine(s, m); !f(m) {
			return
		}
		from = m[1]
		if m[0] == m[1] {
			_, size := utf8.DecodeRuneInString(s[from:])
			from += max(size, 1)
		}
	}
}

// preference is which of several possible matches a part of an expression prefers.
type preference uint8

const (
	noPreference preference = iota
	prefersLong
	prefersShort
)

// regexTranslator is a recursive descent parser of AREs that writes Go's syntax.
type regexTranslator struct {
	rest             string
	flags            regexFlags
	groups           int
	maxBackReference int
	greedy, branches bool // a greedy quantifier, an alternative occurs
	looksBack        bool // an assertion depends on the character before
	anchored         bool // ^ or \A occurs
	later            bool // the text does not begin at the beginning: those never match
}

const regexMaxDepth = 200

func (t *regexTranslator) translate() (string, preference, error) {
	if t.flags.literal {
		return regexp.QuoteMeta(t.rest), noPreference, nil
	}
	translated, prefers, err := t.alternatives(0)
	switch {
	case err != nil:
		return "", 0, err
	case t.maxBackReference > t.groups:
		return "", 0, regexError("invalid backreference number")
	case t.maxBackReference > 0:
		return "", 0, errs.Unsupported("back reference in a regular expression")
	}
	return translated, prefers, nil
}

// beginning is the assertion that the text, or a line, begins here.
func (t *regexTranslator) beginning(ofLine bool) string {
	if ofLine {
		t.looksBack = true
		return "^"
	}
	t.anchored = true
	if t.later {
		return `[^\x{0}-\x{10ffff}]` // nothing
	}
	return `\A`
}

func (t *regexTranslator) alternatives(depth int) (string, preference, error) {
	if depth > regexMaxDepth {
		return "", 0, regexError("regular expression is too complex")
	}
	var b strings.Builder
	prefers, n := noPreference, 0
	for {
		p, err := t.branch(&b, depth)
		if err != nil {
			return "", 0, err
		}
		if n++; n == 1 {
			prefers = p
		} else {
			prefers, t.branches = prefersLong, true
		}
		if !strings.HasPrefix(t.rest, "|") {
			return b.String(), prefers, nil
		}
		t.rest = t.rest[1:]
		b.WriteByte('|')
	}
}

// skip passes over white space and comments in the expanded syntax, and over (?#comments).
func (t *regexTranslator) skip() {
	for {
		if strings.HasPrefix(t.rest, "(?#") {
			_, after, _ := strings.Cut(t.rest, ")")
			t.rest = after
			continue
		}
		if !t.flags.expanded || t.rest == "" {
			return
		}
		switch c := t.rest[0]; {
		case isSpace(c) || c == '\f' || c == '\v':
			t.rest = t.rest[1:]
		case c == '#':
			_, after, _ := strings.Cut(t.rest, "\n")
			t.rest = after
		default:
			return
		}
	}
}

func (t *regexTranslator) branch(b *strings.Builder, depth int) (preference, error) {
	prefers := noPreference
	for {
		t.skip()
		if t.rest == "" || t.rest[0] == '|' {
			return prefers, nil
		}
		if t.rest[0] == ')' {
			if depth == 0 {
				return 0, regexError("parentheses () not balanced")
			}
			return prefers, nil
		}
		atom, p, quantifiable, err := t.atom(depth)
		if err != nil {
			return 0, err
		}
		t.skip()
		q, qp, err := t.quantifier()
		if err != nil {
			return 0, err
		}
		if q != "" {
			if !quantifiable {
				return 0, regexError("quantifier operand invalid")
			}
			if qp != noPreference {
				p = qp
			}
			if again, _, err := t.quantifier(); err != nil || again != "" {
				return 0, regexError("quantifier operand invalid")
			}
		}
		if prefers == noPreference {
			prefers = p
		}
		b.WriteString(atom)
		b.WriteString(q)
	}
}

// quantifier reads one if there is one. {m} has no preference; {m,m} has one, though it cannot matter to its atom.
func (t *regexTranslator) quantifier() (string, preference, error) {
	if t.rest == "" {
		return "", 0, nil
	}
	q, fixed := "", false
	switch c := t.rest[0]; {
	case c == '*' || c == '+' || c == '?':
		q, t.rest = t.rest[:1], t.rest[1:]
	case c == '{' && len(t.rest) > 1 && t.rest[1] >= '0' && t.rest[1] <= '9':
		end := strings.IndexByte(t.rest, '}')
		if end < 0 {
			return "", 0, regexError("braces {} not balanced")
		}
		low, high, ranged := strings.Cut(t.rest[1:end], ",")
		l, err := strconv.Atoi(low)
		if err != nil || l > 255 {
			return "", 0, regexError("invalid repetition count(s)")
		}
		if high != "" {
			h, err := strconv.Atoi(high)
			if err != nil || h > 255 || h < l {
				return "", 0, regexError("invalid repetition count(s)")
			}
		}
		fixed = !ranged
		q, t.rest = t.rest[:end+1], t.rest[end+1:]
	default:
		return "", 0, nil
	}
	p := prefersLong
	if strings.HasPrefix(t.rest, "?") {
		t.rest = t.rest[1:]
		q += "?"
		p = prefersShort
	}
	if fixed {
		return q, noPreference, nil
	}
	t.greedy = t.greedy || p == prefersLong
	return q, p, nil
}

// atom reads one atom or assertion.
func (t *regexTranslator) atom(depth int) (text string, p preference, quantifiable bool, err error) {
	c, size := utf8.DecodeRuneInString(t.rest)
	switch c {
	case '(':
		return t.group(depth)
	case '[':
		text, err = t.bracket()
		boundary := text == `\b`
		t.looksBack = t.looksBack || boundary
		return text, noPreference, !boundary, err
	case '\\':
		return t.escape()
	case '*', '+', '?':
		return "", 0, false, regexError("quantifier operand invalid")
	case '{':
		if len(t.rest) > 1 && t.rest[1] >= '0' && t.rest[1] <= '9' {
			return "", 0, false, regexError("quantifier operand invalid")
		}
	case '^', '$':
		t.rest = t.rest[1:]
		if c == '^' {
			return t.beginning(t.flags.lineAnchors), noPreference, false, nil
		}
		return "$", noPreference, false, nil
	case '.':
		t.rest = t.rest[1:]
		return ".", noPreference, true, nil
	}
	text = regexp.QuoteMeta(t.rest[:size])
	t.rest = t.rest[size:]
	return text, noPreference, true, nil
}

func (t *regexTranslator) group(depth int) (string, preference, bool, error) {
	open := "("
	switch {
	case strings.HasPrefix(t.rest, "(?:"):
		open = "(?:"
	case strings.HasPrefix(t.rest, "(?=") || strings.HasPrefix(t.rest, "(?!") || strings.HasPrefix(t.rest, "(?<=") || strings.HasPrefix(t.rest, "(?<!"):
		return "", 0, false, errs.Unsupported("lookaround in a regular expression")
	case strings.HasPrefix(t.rest, "(?"):
		return "", 0, false, regexError("quantifier operand invalid")
	default:
		t.groups++
	}
	t.rest = t.rest[len(open):]
	inner, p, err := t.alternatives(depth + 1)
	if err != nil {
		return "", 0, false, err
	}
	if !strings.HasPrefix(t.rest, ")") {
		return "", 0, false, regexError("parentheses () not balanced")
	}
	t.rest = t.rest[1:]
	return open + inner + ")", p, true, nil
}

// regexClasses are the contents of brackets for named classes.
var regexClasses = map[string]string{
	"alpha": `\p{L}`, "alnum": `\p{L}\p{N}`, "word": `\p{L}\p{N}_`, "upper": `\p{Lu}`, "lower": `\p{Ll}`, "digit": `0-9`, "xdigit": `0-9A-Fa-f`,
	"space": `\t-\r \x{85}\x{1680}\x{2000}-\x{2006}\x{2008}-\x{200a}\x{2028}\x{2029}\x{205f}\x{3000}`, "blank": ` \t`,
	"punct": `\p{P}\p{S}`, "cntrl": `\p{Cc}`, "graph": `\p{L}\p{M}\p{N}\p{P}\p{S}`, "print": `\p{L}\p{M}\p{N}\p{P}\p{S}\p{Zs}`,
}

func isWordRune(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r) }

// escape reads a backslash sequence outside of brackets.
func (t *regexTranslator) escape() (string, preference, bool, error) {
	before := t.rest
	if len(t.rest) < 2 {
		return "", 0, false, regexError("invalid escape \\ sequence")
	}
	c := t.rest[1]
	take := func(text string, quantifiable bool) (string, preference, bool, error) {
		t.rest = t.rest[2:]
		return text, noPreference, quantifiable, nil
	}
	switch c {
	case 'd':
		return take(`[0-9]`, true)
	case 'D':
		return take(`[^0-9]`, true)
	case 's':
		return take("["+regexClasses["space"]+"]", true)
	case 'S':
		return take("[^"+regexClasses["space"]+"]", true)
	case 'w':
		return take("["+regexClasses["word"]+"]", true)
	case 'W':
		return take("[^"+regexClasses["word"]+"]", true)
	case 'A':
		return take(t.beginning(false), false)
	case 'Z':
		return take(`\z`, false)
	case 'y', 'Y':
		t.looksBack = true
		if c == 'Y' {
			return take(`\B`, false)
		}
		return take(`\b`, false)
	case 'm', 'M':
		// The beginning or end of a word is where a word character and the boundary meet. Go knows only boundaries:
		// enough if what must come next, or came before, is a word character.
		rest := t.rest[2:]
		r, _ := utf8.DecodeRuneInString(rest)
		isWord := isWordRune(r) || strings.HasPrefix(rest, `\w`) || strings.HasPrefix(rest, `\d`)
		if c == 'm' && (rest == "" || !isWord) || c == 'M' && rest != "" && isWord {
			return "", 0, false, errs.Unsupported("regular expression escape \\%c here", c)
		}
		t.looksBack = true
		return take(`\b`, false)
	case '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		n := 1
		for 1+n < len(t.rest) && t.rest[1+n] >= '0' && t.rest[1+n] <= '9' {
			n++
		}
		if c != '0' {
			v, _ := strconv.Atoi(t.rest[1 : 1+n])
			if n == 1 || v <= t.groups {
				t.maxBackReference = max(t.maxBackReference, v)
				t.rest = t.rest[1+n:]
				return "", noPreference, true, nil
			}
		}
	}
	r, err := t.character()
	if err != nil {
		t.rest = before
		return "", 0, false, err
	}
	return regexp.QuoteMeta(string(r)), noPreference, true, nil
}

// character reads an escape that stands for one character.
func (t *regexTranslator) character() (rune, error) {
	invalid := regexError("invalid escape \\ sequence")
	if len(t.rest) < 2 {
		return 0, invalid
	}
	c, size := utf8.DecodeRuneInString(t.rest[1:])
	simple := func(r rune) (rune, error) {
		t.rest = t.rest[1+size:]
		return r, nil
	}
	hex := func(from, digits int) (rune, error) {
		if len(t.rest) < from+digits {
			return 0, invalid
		}
		v, err := strconv.ParseUint(t.rest[from:from+digits], 16, 32)
		if err != nil || v > unicode.MaxRune {
			return 0, invalid
		}
		t.rest = t.rest[from+digits:]
		return rune(v), nil
	}
	switch c {
	case 'a':
		return simple('\a')
	case 'b':
		return simple('\b')
	case 'B':
		return simple('\\')
	case 'e':
		return simple(0x1B)
	case 'f':
		return simple('\f')
	case 'n':
		return simple('\n')
	case 'r':
		return simple('\r')
	case 't':
		return simple('\t')
	case 'v':
		return simple('\v')
	case 'u':
		return hex(2, 4)
	case 'U':
		return hex(2, 8)
	case 'x':
		n := 0
		for 2+n < len(t.rest) && strings.IndexByte("0123456789abcdefABCDEF", t.rest[2+n]) >= 0 {
			n++
		}
		return hex(2, n)
	case 'c':
		if len(t.rest) < 3 {
			return 0, invalid
		}
		r := rune(t.rest[2]) & 31
		t.rest = t.rest[3:]
		return r, nil
	}
	switch {
	case c >= '0' && c <= '7':
		n := 1
		for n < 3 && 1+n < len(t.rest) && t.rest[1+n] >= '0' && t.rest[1+n] <= '7' {
			n++
		}
		v, _ := strconv.ParseUint(t.rest[1:1+n], 8, 32)
		t.rest = t.rest[1+n:]
		return rune(v), nil
	case c < utf8.RuneSelf && (unicode.IsLetter(c) || unicode.IsDigit(c)):
		return 0, invalid
	}
	return simple(c)
}

// bracket reads a bracket expression.
func (t *regexTranslator) bracket() (string, error) {
	unbalanced := regexError("brackets [] not balanced")
	for prefix, boundary := range map[string]string{"[[:<:]]": `\b`, "[[:>:]]": `\b`} {
		if strings.HasPrefix(t.rest, prefix) {
			t.rest = t.rest[len(prefix):]
			return boundary, nil
		}
	}
	t.rest = t.rest[1:]
	var b strings.Builder
	b.WriteByte('[')
	if strings.HasPrefix(t.rest, "^") {
		t.rest = t.rest[1:]
		b.WriteByte('^')
		if t.flags.dotStops {
			b.WriteString(`\n`)
		}
	}
	for first := true; ; first = false {
		if t.rest == "" {
			return "", unbalanced
		}
		if t.rest[0] == ']' && !first {
			t.rest = t.rest[1:]
			b.WriteByte(']')
			return b.String(), nil
		}
		low, class, err := t.element()
		if err != nil {
			return "", err
		}
		if class != "" {
			b.WriteString(class)
			continue
		}
		high := low
		if strings.HasPrefix(t.rest, "-") && !strings.HasPrefix(t.rest, "-]") {
			t.rest = t.rest[1:]
			if t.rest == "" {
				return "", unbalanced
			}
			if high, class, err = t.element(); err != nil {
				return "", err
			}
			if class != "" || high < low {
				return "", regexError("invalid character range")
			}
		}
		fmt.Fprintf(&b, `\x{%x}`, low)
		if high != low {
			fmt.Fprintf(&b, `-\x{%x}`, high)
		}
	}
}

// element reads one character of a bracket expression, or a class.
func (t *regexTranslator) element() (r rune, class string, err error) {
	for _, kind := range []string{":", ".", "="} {
		if !strings.HasPrefix(t.rest, "["+kind) {
			continue
		}
		name, after, ok := strings.Cut(t.rest[2:], kind+"]")
		if !ok {
			return 0, "", regexError("brackets [] not balanced")
		}
		t.rest = after
		if kind == ":" {
			if class = regexClasses[name]; class == "" {
				return 0, "", regexError("invalid character class")
			}
			return 0, class, nil
		}
		if utf8.RuneCountInString(name) != 1 {
			return 0, "", regexError("invalid collating element")
		}
		r, _ = utf8.DecodeRuneInString(name)
		return r, "", nil
	}
	if t.rest[0] == '\\' {
		if len(t.rest) > 1 {
			switch t.rest[1] {
			case 'd':
				class = regexClasses["digit"]
			case 's':
				class = regexClasses["space"]
			case 'w':
				class = regexClasses["word"]
			case 'D':
				class = `\x{0}-/:-\x{10ffff}`
			case 'S', 'W':
				return 0, "", errs.Unsupported("\\%c in a bracket expression", t.rest[1])
			}
			if class != "" {
				t.rest = t.rest[2:]
				return 0, class, nil
			}
		}
		r, err = t.character()
		return r, "", err
	}
	r, size := utf8.DecodeRuneInString(t.rest)
	t.rest = t.rest[size:]
	return r, "", nil
}
