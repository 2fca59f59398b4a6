package types

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/cockroachdb/apd/v3"

	"holdfast/sql/errs"
)

// A json value is its text, as given. A jsonb value is its normalized text: members sorted by the length of
// the key and then its bytes, the last of equal keys kept, numbers as numeric prints them, one space after
// commas and colons. Equal jsonb values may still differ in the scale of a number.

// JSONKind tells what a JSONValue is; the order is that of comparison.
type JSONKind uint8

const (
	JSONNullKind JSONKind = iota
	JSONStringKind
	JSONNumberKind
	JSONBoolKind
	JSONArrayKind
	JSONObjectKind
)

// JSONValue is a jsonb value taken apart.
type JSONValue struct {
	Kind    JSONKind
	Bool    bool
	Str     string
	Num     *apd.Decimal
	Elems   []JSONValue
	Members []JSONMember // sorted, without duplicates
}

// JSONMember is a member of an object.
type JSONMember struct {
	Key   string
	Value JSONValue
}

const maxJSONDepth = 6000

func parseJSON(s string) (Datum, error) {
	p := jsonParser{text: s, rest: s}
	if _, err := p.document(); err != nil {
		return Null, err
	}
	return NewString(s), nil
}

func parseJSONB(s string) (Datum, error) {
	v, err := ParseJSONValue(s)
	if err != nil {
		return Null, err
	}
	b := v.Append(make([]byte, 0, len(s)+16))
	return NewString(string(b)), nil
}

// ParseJSONValue reads JSON text as jsonb's input function; errors are 22P02 with PostgreSQL's detail.
func ParseJSONValue(s string) (JSONValue, error) {
	p := jsonParser{text: s, rest: s, build: true}
	return p.document()
}

// mustJSON takes apart the text of a jsonb datum. A corrupt one is treated as null.
func mustJSON(s string) JSONValue {
	v, err := ParseJSONValue(s)
	if err != nil {
		return JSONValue{}
	}
	return v
}

// Append appends the normalized text.
func (v *JSONValue) Append(dst []byte) []byte {
	switch v.Kind {
	case JSONStringKind:
		return AppendJSONString(dst, v.Str)
	case JSONNumberKind:
		return appendNumeric(dst, v.Num)
	case JSONBoolKind:
		return strconv.AppendBool(dst, v.Bool)
	case JSONArrayKind:
		dst = append(dst, '[')
		for i := range v.Elems {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = v.Elems[i].Append(dst)
		}
		return append(dst, ']')
	case JSONObjectKind:
		dst = append(dst, '{')
		for i := range v.Members {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = append(AppendJSONString(dst, v.Members[i].Key), ": "...)
			dst = v.Members[i].Value.Append(dst)
		}
		return append(dst, '}')
	}
	return append(dst, "null"...)
}

// AppendJSONString appends s as a JSON string.
func AppendJSONString(dst []byte, s string) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c >= 0x20:
			dst = append(dst, c)
		case c == '\b':
			dst = append(dst, '\\', 'b')
		case c == '\f':
			dst = append(dst, '\\', 'f')
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c == '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		}
	}
	return append(dst, '"')
}

// SortMembers brings an object's members into their order and drops all but the last of equal keys.
func SortMembers(m []JSONMember) []JSONMember {
	slices.SortStableFunc(m, func(a, b JSONMember) int { return compareJSONKeys(a.Key, b.Key) })
	out := m[:0]
	for i := range m {
		if i+1 < len(m) && m[i].Key == m[i+1].Key {
			continue
		}
		out = append(out, m[i])
	}
	return out
}

func compareJSONKeys(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

// Member is the value of a key of an object; false if there is none.
func (v *JSONValue) Member(key string) (*JSONValue, bool) {
	i, ok := slices.BinarySearchFunc(v.Members, key, func(m JSONMember, k string) int { return compareJSONKeys(m.Key, k) })
	if !ok {
		return nil, false
	}
	return &v.Members[i].Value, true
}

// CompareJSON orders values as jsonb does: null < string < number < bool < array < object, arrays and objects by their
// size first. At the top a scalar goes as an array of one element would, before such an array.
func CompareJSON(a, b *JSONValue) int {
	if x, y := a.topArray(), b.topArray(); x != y || a.Kind != b.Kind {
		n, m := 1, 1
		switch {
		case !x || !y: // an object is the greatest
			return int(a.Kind) - int(b.Kind)
		case a.Kind == JSONArrayKind:
			n = len(a.Elems)
		}
		if b.Kind == JSONArrayKind {
			m = len(b.Elems)
		}
		if n != m {
			return n - m
		}
		if a.Kind == JSONArrayKind || b.Kind == JSONArrayKind {
			return int(a.Kind) - int(b.Kind)
		}
	}
	return compareJSONInner(a, b)
}

func (v *JSONValue) topArray() bool { return v.Kind != JSONObjectKind }

func compareJSONInner(a, b *JSONValue) int {
	if a.Kind != b.Kind {
		return int(a.Kind) - int(b.Kind)
	}
	switch a.Kind {
	case JSONStringKind:
		return strings.Compare(a.Str, b.Str)
	case JSONNumberKind:
		return NumericCompare(a.Num, b.Num)
	case JSONBoolKind:
		return int(NewBool(a.Bool).i - NewBool(b.Bool).i)
	case JSONArrayKind:
		if len(a.Elems) != len(b.Elems) {
			return len(a.Elems) - len(b.Elems)
		}
		for i := range a.Elems {
			if c := compareJSONInner(&a.Elems[i], &b.Elems[i]); c != 0 {
				return c
			}
		}
	case JSONObjectKind:
		if len(a.Members) != len(b.Members) {
			return len(a.Members) - len(b.Members)
		}
		for i := range a.Members {
			if c := strings.Compare(a.Members[i].Key, b.Members[i].Key); c != 0 {
				return c
			}
			if c := compareJSONInner(&a.Members[i].Value, &b.Members[i].Value); c != 0 {
				return c
			}
		}
	}
	return 0
}

func compareJSONB(a, b string) int {
	if a == b {
		return 0
	}
	x, y := mustJSON(a), mustJSON(b)
	return sign(CompareJSON(&x, &y))
}

func sign(n int) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}

func hashJSONB(seed uint64, s string) uint64 {
	v := mustJSON(s)
	return v.hash(seed)
}

func (v *JSONValue) hash(h uint64) uint64 {
	h = mix(h, uint64(v.Kind))
	switch v.Kind {
	case JSONStringKind:
		return hashBytes(h, v.Str)
	case JSONNumberKind:
		return hashNumeric(h, v.Num)
	case JSONBoolKind:
		return hashWord(h, uint64(NewBool(v.Bool).i))
	}
	for i := range v.Elems {
		h = v.Elems[i].hash(h)
	}
	for i := range v.Members {
		h = v.Members[i].Value.hash(hashBytes(h, v.Members[i].Key))
	}
	return finish(h)
}

// Keys of jsonb: a byte for object or not, the number of elements, whether it is truly an array, the contents.
const (
	keyJSONArray  byte = 0x10
	keyJSONObject byte = 0x20
	keyJSONKind   byte = 0x30 // plus the kind, before a value within
)

func appendKeyJSONB(dst []byte, s string) []byte {
	v := mustJSON(s)
	if v.Kind == JSONObjectKind {
		return v.appendKeyContents(append(dst, keyJSONObject))
	}
	dst = append(dst, keyJSONArray)
	if v.Kind == JSONArrayKind {
		dst = appendKeyInt(dst, int64(len(v.Elems)))
		dst = append(dst, 1)
		for i := range v.Elems {
			dst = v.Elems[i].appendKey(dst)
		}
		return dst
	}
	return v.appendKey(append(appendKeyInt(dst, 1), 0))
}

func (v *JSONValue) appendKey(dst []byte) []byte {
	return v.appendKeyContents(append(dst, keyJSONKind+byte(v.Kind)))
}

func (v *JSONValue) appendKeyContents(dst []byte) []byte {
	switch v.Kind {
	case JSONStringKind:
		return appendKeyString(dst, v.Str)
	case JSONNumberKind:
		return appendKeyNumeric(dst, v.Num)
	case JSONBoolKind:
		return append(dst, byte(NewBool(v.Bool).i))
	case JSONArrayKind:
		dst = appendKeyInt(dst, int64(len(v.Elems)))
		for i := range v.Elems {
			dst = v.Elems[i].appendKey(dst)
		}
	case JSONObjectKind:
		dst = appendKeyInt(dst, int64(len(v.Members)))
		for i := range v.Members {
			dst = v.Members[i].Value.appendKey(appendKeyString(dst, v.Members[i].Key))
		}
	}
	return dst
}

func (k *keyReader) skipJSONB() bool {
	c, ok := k.next()
	switch {
	case !ok:
		return false
	case c == keyJSONObject:
		return k.skipJSON(JSONObjectKind, 0)
	case c != keyJSONArray:
		return false
	}
	n, ok := k.int()
	raw, ok2 := k.next()
	if !ok || !ok2 || raw > 1 || n < 0 {
		return false
	}
	for range n {
		if !k.skipJSONValue(0) {
			return false
		}
	}
	return true
}

func (k *keyReader) skipJSONValue(depth int) bool {
	c, ok := k.next()
	return ok && c >= keyJSONKind && c <= keyJSONKind+byte(JSONObjectKind) && k.skipJSON(JSONKind(c-keyJSONKind), depth+1)
}

func (k *keyReader) skipJSON(kind JSONKind, depth int) (ok bool) {
	if depth > maxJSONDepth {
		return false
	}
	switch kind {
	case JSONNullKind:
		return true
	case JSONStringKind:
		_, ok = k.string()
	case JSONNumberKind:
		_, ok = k.numeric()
	case JSONBoolKind:
		_, ok = k.next()
	default:
		n, good := k.int()
		if !good || n < 0 {
			return false
		}
		for range n {
			if kind == JSONObjectKind {
				if _, good := k.string(); !good {
					return false
				}
			}
			if !k.skipJSONValue(depth) {
				return false
			}
		}
		return true
	}
	return ok
}

// jsonParser is a recursive descent parser. Without build it only checks.
type jsonParser struct {
	text  string
	rest  string // text not read yet
	token string // the token read last
	kind  byte   // of the token: one of {}[]:, or 's' string, 'n' number, 't' true, 'f' false, '0' null, 'e' end
	str   string // value of a string token, with build
	build bool
	depth int
}

func (p *jsonParser) document() (JSONValue, error) {
	if err := p.next(); err != nil {
		return JSONValue{}, err
	}
	v, err := p.value("Expected JSON value, but found \"%s\".")
	if err != nil {
		return v, err
	}
	if p.kind != 'e' {
		return v, p.unexpected("Expected end of input, but found \"%s\".")
	}
	return v, nil
}

func (p *jsonParser) fail(format string, args ...any) *errs.Error {
	e := errs.New(errs.InvalidTextRepresentation, "invalid input syntax for type json").WithDetail(format, args...)
	e.Where = p.where()
	return e
}

// unexpected is the error for a token at the wrong place.
func (p *jsonParser) unexpected(format string) error {
	if p.kind == 'e' {
		return p.fail("The input string ended unexpectedly.")
	}
	return p.fail(format, p.token)
}

// where shows the line up to the current token, at most about fifty bytes of it.
func (p *jsonParser) where() string {
	const width = 50
	end := len(p.text) - len(p.rest)
	line := strings.Count(p.text[:end], "\n") + 1
	start := strings.LastIndexByte(p.text[:end], '\n') + 1
	from := start
	for end-from >= width {
		_, n := utf8.DecodeRuneInString(p.text[from:])
		from += n
	}
	if from-start <= 3 {
		from = start
	}
	prefix, suffix := "", ""
	if from > start {
		prefix = "..."
	}
	if p.kind != 'e' && end < len(p.text) && p.text[end] != '\n' && p.text[end] != '\r' {
		suffix = "..."
	}
	return "JSON data, line " + strconv.Itoa(line) + ": " + prefix + p.text[from:end] + suffix
}

// value reads a value that begins with the current token; expected is the error's detail if none does.
func (p *jsonParser) value(expected string) (v JSONValue, err error) {
	switch p.kind {
	case '{', '[':
		if p.depth++; p.depth > maxJSONDepth {
			return v, errs.New(errs.StatementTooComplex, "stack depth limit exceeded").WithHint(
				"The value has more than %d levels of arrays and objects.", maxJSONDepth)
		}
		if p.kind == '{' {
			v, err = p.object()
		} else {
			v, err = p.array()
		}
		p.depth--
		if err != nil {
			return v, err
		}
	case 's':
		v = JSONValue{Kind: JSONStringKind, Str: p.str}
	case 'n':
		v.Kind = JSONNumberKind
		if p.build {
			if v.Num, err = parseNumeric(p.token); err != nil {
				return v, err
			}
		}
	case 't', 'f':
		v = JSONValue{Kind: JSONBoolKind, Bool: p.kind == 't'}
	case '0':
	default:
		return v, p.unexpected(expected)
	}
	return v, p.next()
}

func (p *jsonParser) object() (v JSONValue, err error) {
	v.Kind = JSONObjectKind
	if err = p.next(); err != nil || p.kind == '}' {
		return v, err
	}
	expected := "Expected string or \"}\", but found \"%s\"."
	for {
		if p.kind != 's' {
			return v, p.unexpected(expected)
		}
		m := JSONMember{Key: p.str}
		if err = p.next(); err != nil {
			return v, err
		}
		if p.kind != ':' {
			return v, p.unexpected("Expected \":\", but found \"%s\".")
		}
		if err = p.next(); err != nil {
			return v, err
		}
		if m.Value, err = p.value("Expected JSON value, but found \"%s\"."); err != nil {
			return v, err
		}
		if p.build {
			v.Members = append(v.Members, m)
		}
		if p.kind == '}' {
			v.Members = SortMembers(v.Members)
			return v, nil
		}
		if p.kind != ',' {
			return v, p.unexpected("Expected \",\" or \"}\", but found \"%s\".")
		}
		if err = p.next(); err != nil {
			return v, err
		}
		expected = "Expected string, but found \"%s\"."
	}
}

func (p *jsonParser) array() (v JSONValue, err error) {
	v.Kind = JSONArrayKind
	if err = p.next(); err != nil || p.kind == ']' {
		return v, err
	}
	for {
		e, err := p.value("Expected JSON value, but found \"%s\".")
		if err != nil {
			return v, err
		}
		if p.build {
			v.Elems = append(v.Elems, e)
		}
		if p.kind == ']' {
			return v, nil
		}
		if p.kind != ',' {
			return v, p.unexpected("Expected \",\" or \"]\", but found \"%s\".")
		}
		if err := p.next(); err != nil {
			return v, err
		}
	}
}

// take makes the next n bytes the current token.
func (p *jsonParser) take(kind byte, n int) {
	p.kind, p.token, p.rest = kind, p.rest[:n], p.rest[n:]
}

func (p *jsonParser) next() error {
	p.rest = strings.TrimLeft(p.rest, " \t\n\r")
	if p.rest == "" {
		p.take('e', 0)
		return nil
	}
	switch c := p.rest[0]; {
	case strings.IndexByte("{}[]:,", c) >= 0:
		p.take(c, 1)
		return nil
	case c == '"':
		return p.string()
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	}
	n := wordLen(p.rest)
	if n == 0 {
		_, n = utf8.DecodeRuneInString(p.rest)
		p.take('?', n)
		return p.fail("Token \"%s\" is invalid.", p.token)
	}
	switch p.rest[:n] {
	case "true":
		p.take('t', n)
	case "false":
		p.take('f', n)
	case "null":
		p.take('0', n)
	default:
		p.take('?', n)
		return p.fail("Token \"%s\" is invalid.", p.token)
	}
	return nil
}

// wordLen is the length of the run of letters, digits, underscores and bytes beyond ASCII.
func wordLen(s string) int {
	i := 0
	for i < len(s) {
		c := s[i]
		if c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '_' || c >= 0x80 {
			i++
			continue
		}
		break
	}
	return i
}

func (p *jsonParser) number() error {
	s := p.rest
	i, ok := 0, true
	digits := func() bool {
		from := i
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		return i > from
	}
	if s[i] == '-' {
		i++
	}
	if i < len(s) && s[i] == '0' {
		i++
	} else {
		ok = digits()
	}
	if ok && i < len(s) && s[i] == '.' {
		i++
		ok = digits()
	}
	if ok && i < len(s) && s[i]|0x20 == 'e' {
		i++
		if i < len(s) && (s[i] == '-' || s[i] == '+') {
			i++
		}
		ok = digits()
	}
	if n := wordLen(s[i:]); n > 0 || !ok {
		p.take('?', i+n)
		return p.fail("Token \"%s\" is invalid.", p.token)
	}
	p.take('n', i)
	return nil
}

func (p *jsonParser) string() error {
	s := p.rest
	var b []byte
	var high rune // a high surrogate that waits for its low one
	bad := func(upTo int, format string, args ...any) error {
		p.take('?', min(upTo, len(s)))
		return p.fail(format, args...)
	}
	i := 1
	for {
		if i >= len(s) {
			p.take('?', len(s))
			return p.fail("Token \"%s\" is invalid.", s)
		}
		c := s[i]
		if c != '\\' || i+1 < len(s) && s[i+1] != 'u' {
			if high != 0 {
				return bad(i, "Unicode low surrogate must follow a high surrogate.")
			}
		}
		switch {
		case c == '"':
			p.take('s', i+1)
			if p.build {
				p.str = string(b)
			}
			return nil
		case c < 0x20:
			return bad(i, "Character with value 0x%02x must be escaped.", c)
		case c != '\\':
			if p.build {
				b = append(b, c)
			}
			i++
			continue
		}
		i++
		if i >= len(s) {
			p.take('?', len(s))
			return p.fail("Token \"%s\" is invalid.", s)
		}
		const from, to = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
		if at := strings.IndexByte(from, s[i]); at >= 0 {
			if p.build {
				b = append(b, to[at])
			}
			i++
			continue
		}
		if s[i] != 'u' {
			_, n := utf8.DecodeRuneInString(s[i:])
			return bad(i+n, "Escape sequence \"\\%s\" is invalid.", s[i:i+n])
		}
		i++
		var r rune
		for k := range 4 {
			if i+k >= len(s) {
				p.take('?', len(s))
				return p.fail("Token \"%s\" is invalid.", s)
			}
			v, err := hexDigit(s, i+k)
			if err != nil {
				_, n := utf8.DecodeRuneInString(s[i+k:])
				return bad(i+k+n, "\"\\u\" must be followed by four hexadecimal digits.")
			}
			r = r<<4 | rune(v)
		}
		i += 4
		if !p.build {
			continue
		}
		switch {
		case r >= 0xD800 && r < 0xDC00:
			if high != 0 {
				return bad(i, "Unicode high surrogate must not follow a high surrogate.")
			}
			high = r
			continue
		case r >= 0xDC00 && r < 0xE000:
			if high == 0 {
				return bad(i, "Unicode low surrogate must follow a high surrogate.")
			}
			r = 0x10000 + (high-0xD800)<<10 + (r - 0xDC00)
			high = 0
		case high != 0:
			return bad(i, "Unicode low surrogate must follow a high surrogate.")
		case r == 0:
			p.take('?', i)
			e := errs.New(errs.UntranslatableCharacter, "unsupported Unicode escape sequence").WithDetail("\\u0000 cannot be converted to text.")
			e.Where = p.where()
			return e
		}
		b = utf8.AppendRune(b, r)
	}
}
