package funcs

import (
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// maxString is the length in bytes above which PostgreSQL refuses to make a string.
const maxString = 1<<30 - 1

func tooLong() error {
	return errs.New(errs.ProgramLimitExceeded, "requested length too large")
}

func charLen(s string) int64 { return int64(utf8.RuneCountInString(s)) }

// charOffset is the byte offset of character n, from 0; the length if there are fewer.
func charOffset(s string, n int64) int {
	if n <= 0 {
		return 0
	}
	if n >= int64(len(s)) {
		return len(s)
	}
	at := 0
	for ; n > 0 && at < len(s); n-- {
		if s[at] < utf8.RuneSelf {
			at++
			continue
		}
		_, size := utf8.DecodeRuneInString(s[at:])
		at += size
	}
	return at
}

// window turns SQL's start (from 1) and length into a range of positions from 0. The range may begin before
// the string, which shortens it.
func window(start, length int64) (from, to int64, err error) {
	if length < 0 {
		return 0, 0, errs.New(errs.SubstringError, "negative substring length not allowed")
	}
	end := start + length // both are int4: no overflow
	return max(start-1, 0), max(end-1, 0), nil
}

func substr(s string, start, length int64) (string, error) {
	from, to, err := window(start, length)
	if err != nil || from >= to {
		return "", err
	}
	a := charOffset(s, from)
	return s[a : a+charOffset(s[a:], to-from)], nil
}

func substrFrom(s string, start int64) string { return s[charOffset(s, start-1):] }

func byteSubstr(s string, start, length int64) (string, error) {
	from, to, err := window(start, length)
	if err != nil || from >= to {
		return "", err
	}
	n := int64(len(s))
	return s[min(from, n):min(to, n)], nil
}

func left(s string, n int64) string {
	if n < 0 {
		n += charLen(s)
	}
	return s[:charOffset(s, n)]
}

func right(s string, n int64) string {
	if n < 0 {
		return s[charOffset(s, -n):]
	}
	return s[charOffset(s, charLen(s)-n):]
}

// pad is lpad or rpad.
func pad(s string, n int64, fill string, onLeft bool) (string, error) {
	have := charLen(s)
	if n <= have || fill == "" {
		return s[:charOffset(s, n)], nil
	}
	if n*4 > maxString && n*int64(len(fill)) > maxString {
		return "", tooLong()
	}
	missing := n - have
	size := charLen(fill)
	filler := strings.Repeat(fill, int(missing/size)) + fill[:charOffset(fill, missing%size)]
	if onLeft {
		return filler + s, nil
	}
	return s + filler, nil
}

func repeat(s string, n int64) (string, error) {
	if n <= 0 || s == "" {
		return "", nil
	}
	if n > maxString/int64(len(s)) {
		return "", tooLong()
	}
	return strings.Repeat(s, int(n)), nil
}

func reverseChars(s string) string {
	b := make([]byte, 0, len(s))
	for i := len(s); i > 0; {
		_, size := utf8.DecodeLastRuneInString(s[:i])
		b = append(b, s[i-size:i]...)
		i -= size
	}
	return string(b)
}

func initcap(s string) string {
	inWord := false
	return strings.Map(func(r rune) rune {
		was := inWord
		inWord = unicode.IsLetter(r) || unicode.IsDigit(r)
		if was {
			return unicode.ToLower(r)
		}
		return unicode.ToUpper(r)
	}, s)
}

func translate(s, from, to string) string {
	if from == "" {
		return s
	}
	target := []rune(to)
	table := make(map[rune]rune, len(from))
	n := 0
	for _, r := range from {
		if _, ok := table[r]; !ok {
			if n < len(target) {
				table[r] = target[n]
			} else {
				table[r] = -1
			}
		}
		n++
	}
	return strings.Map(func(r rune) rune {
		if t, ok := table[r]; ok {
			return t
		}
		return r
	}, s)
}

// position is strpos: in characters from 1, 0 if absent.
func position(s, sub string) int64 {
	i := strings.Index(s, sub)
	if i < 0 {
		return 0
	}
	return charLen(s[:i]) + 1
}

func replace(s, from, to string) string {
	if from == "" {
		return s
	}
	return strings.ReplaceAll(s, from, to)
}

// splitPart is field n of s, from 1 or, negative, from the end.
func splitPart(s, sep string, n int64) (string, error) {
	if n == 0 {
		return "", errs.New(errs.InvalidParameterValue, "field position must not be zero")
	}
	if s == "" {
		return "", nil
	}
	if sep == "" {
		if n == 1 || n == -1 {
			return s, nil
		}
		return "", nil
	}
	if n < 0 {
		if n += int64(strings.Count(s, sep)) + 2; n <= 0 {
			return "", nil
		}
	}
	for ; n > 1; n-- {
		_, rest, found := strings.Cut(s, sep)
		if !found {
			return "", nil
		}
		s = rest
	}
	field, _, _ := strings.Cut(s, sep)
	return field, nil
}

func overlay(s, with string, start, length int64) (string, error) {
	if start <= 0 {
		return "", errs.New(errs.SubstringError, "negative substring length not allowed")
	}
	after, err := integer.check(start + length)
	if err != nil {
		return "", err
	}
	return s[:charOffset(s, start-1)] + with + s[charOffset(s, after-1):], nil
}

func byteOverlay(s, with string, start, length int64) (string, error) {
	if start <= 0 {
		return "", errs.New(errs.SubstringError, "negative substring length not allowed")
	}
	after, err := integer.check(start + length)
	if err != nil {
		return "", err
	}
	n := int64(len(s))
	return s[:min(start-1, n)] + with + s[min(max(after-1, 0), n):], nil
}

func chr(n int64) (string, error) {
	switch {
	case n == 0:
		return "", errs.New(errs.ProgramLimitExceeded, "null character not permitted")
	case n < 0:
		return "", errs.New(errs.InvalidParameterValue, "character number must be positive")
	case n > unicode.MaxRune:
		return "", errs.New(errs.ProgramLimitExceeded, "requested character too large for encoding: %d", n)
	case !utf8.ValidRune(rune(n)):
		return "", errs.New(errs.ProgramLimitExceeded, "requested character not valid for encoding: %d", n)
	}
	return string(rune(n)), nil
}

func ascii(s string) int64 {
	if s == "" {
		return 0
	}
	r, _ := utf8.DecodeRuneInString(s)
	return int64(r)
}

func quoteLiteral(s string) string {
	q := "'" + strings.ReplaceAll(s, "'", "''") + "'"
	if strings.Contains(s, `\`) {
		return "E" + strings.ReplaceAll(q, `\`, `\\`)
	}
	return q
}

func md5Hex(s string) string {
	h := md5.Sum([]byte(s))
	return hex.EncodeToString(h[:])
}

func normalForm(name string) (norm.Form, error) {
	switch strings.ToUpper(name) {
	case "NFC":
		return norm.NFC, nil
	case "NFD":
		return norm.NFD, nil
	case "NFKC":
		return norm.NFKC, nil
	case "NFKD":
		return norm.NFKD, nil
	}
	return 0, errs.New(errs.InvalidParameterValue, "invalid normalization form: %s", name)
}

// unistr reads \XXXX, \+XXXXXX, \uXXXX and \UXXXXXXXX escapes.
func unistr(s string) (string, error) {
	invalid := func() (string, error) {
		return "", errs.New(errs.SyntaxError, "invalid Unicode escape").WithHint("Unicode escapes must be \\XXXX, \\+XXXXXX, \\uXXXX, or \\UXXXXXXXX.")
	}
	var b strings.Builder
	high := rune(0)
	for i := 0; i < len(s); {
		if s[i] != '\\' {
			if high != 0 {
				return "", errs.New(errs.SyntaxError, "invalid Unicode surrogate pair")
			}
			b.WriteByte(s[i])
			i++
			continue
		}
		rest := s[i+1:]
		if strings.HasPrefix(rest, `\`) {
			b.WriteByte('\\')
			i += 2
			continue
		}
		skip, digits := 0, 4
		switch {
		case strings.HasPrefix(rest, "+"):
			skip, digits = 1, 6
		case strings.HasPrefix(rest, "u"):
			skip = 1
		case strings.HasPrefix(rest, "U"):
			skip, digits = 1, 8
		}
		if len(rest) < skip+digits {
			return invalid()
		}
		n, err := strconv.ParseUint(rest[skip:skip+digits], 16, 32)
		if err != nil {
			return invalid()
		}
		if n == 0 || n > unicode.MaxRune {
			return "", errs.New(errs.InvalidParameterValue, "invalid Unicode code point: %04X", n)
		}
		i += 1 + skip + digits
		r := rune(n)
		low := r >= 0xDC00 && r < 0xE000
		switch {
		case high != 0 && low:
			b.WriteRune((high-0xD800)<<10 + (r - 0xDC00) + 0x10000)
			high = 0
		case high != 0 || low:
			return "", errs.New(errs.SyntaxError, "invalid Unicode surrogate pair")
		case r >= 0xD800 && r < 0xDC00:
			high = r
		default:
			b.WriteRune(r)
		}
	}
	if high != 0 {
		return "", errs.New(errs.SyntaxError, "invalid Unicode surrogate pair")
	}
	return b.String(), nil
}

// parseIdent splits a qualified name into its parts. strict refuses anything after it.
func parseIdent(s string, strict bool) ([]types.Datum, error) {
	invalid := func() *errs.Error {
		return errs.New(errs.InvalidParameterValue, "string is not a valid identifier: \"%s\"", s)
	}
	space := func(s string) string { return strings.TrimLeft(s, " \t\n\r\f\v") }
	var parts []types.Datum
	rest := space(s)
	afterDot := false
	for {
		if strings.HasPrefix(rest, `"`) {
			end := strings.IndexByte(rest[1:], '"')
			part, from := "", 1
			for {
				if end < 0 {
					return nil, invalid().WithDetail("String has unclosed double quotes.")
				}
				part += rest[from : from+end]
				from += end + 1
				if !strings.HasPrefix(rest[from:], `"`) {
					break
				}
				part += `"`
				from++
				end = strings.IndexByte(rest[from:], '"')
			}
			if part == "" {
				return nil, invalid().WithDetail("Quoted identifier must not be empty.")
			}
			parts = append(parts, types.NewString(part))
			rest = rest[from:]
		} else {
			n := 0
			for n < len(rest) {
				c := rest[n]
				letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= utf8.RuneSelf
				if !letter && (n == 0 || c != '$' && (c < '0' || c > '9')) {
					break
				}
				n++
			}
			switch {
			case n > 0:
			case afterDot:
				return nil, invalid().WithDetail("No valid identifier after \".\".")
			case strings.HasPrefix(rest, "."):
				return nil, invalid().WithDetail("No valid identifier before \".\".")
			default:
				return nil, invalid()
			}
			parts = append(parts, types.NewString(strings.Map(func(r rune) rune {
				if r >= 'A' && r <= 'Z' {
					return r + 'a' - 'A'
				}
				return r
			}, rest[:n])))
			rest = rest[n:]
		}
		rest = space(rest)
		if strings.HasPrefix(rest, ".") {
			rest, afterDot = space(rest[1:]), true
			continue
		}
		if rest != "" && strict {
			return nil, invalid()
		}
		return parts, nil
	}
}

// trimmer makes a trim function: of the characters in a set, on one side or both. Sets are small, and mostly
// one blank.
func trimmer(onLeft, onRight bool) func(s, set string) string {
	return func(s, set string) string {
		if onLeft {
			s = strings.TrimLeft(s, set)
		}
		if onRight {
			s = strings.TrimRight(s, set)
		}
		return s
	}
}

func byteTrimmer(onLeft, onRight bool) func(s, set string) string {
	return func(s, set string) string {
		for onLeft && s != "" && strings.IndexByte(set, s[0]) >= 0 {
			s = s[1:]
		}
		for onRight && s != "" && strings.IndexByte(set, s[len(s)-1]) >= 0 {
			s = s[:len(s)-1]
		}
		return s
	}
}

func textLength(s string) int64 { return int64(len(s)) }

func indexOutOfRange(i, n int64) error {
	return errs.New(errs.ArraySubscriptError, "index %d out of valid range, 0..%d", i, n-1)
}

// Bits of a bytea are numbered from the least significant of the first byte.

func getByte(s string, i int64) (int64, error) {
	if i < 0 || i >= int64(len(s)) {
		return 0, indexOutOfRange(i, int64(len(s)))
	}
	return int64(s[i]), nil
}

func setByte(s string, i, v int64) (string, error) {
	if i < 0 || i >= int64(len(s)) {
		return "", indexOutOfRange(i, int64(len(s)))
	}
	b := []byte(s)
	b[i] = byte(v)
	return string(b), nil
}

func getBit(s string, i int64) (int64, error) {
	if i < 0 || i >= 8*int64(len(s)) {
		return 0, indexOutOfRange(i, 8*int64(len(s)))
	}
	return int64(s[i/8]>>(i%8)) & 1, nil
}

func setBit(s string, i, v int64) (string, error) {
	if i < 0 || i >= 8*int64(len(s)) {
		return "", indexOutOfRange(i, 8*int64(len(s)))
	}
	if v != 0 && v != 1 {
		return "", errs.New(errs.InvalidParameterValue, "new bit must be 0 or 1")
	}
	b := []byte(s)
	b[i/8] = b[i/8]&^(1<<(i%8)) | byte(v)<<(i%8)
	return string(b), nil
}

func bitCount(s string) (n int64) {
	for i := range len(s) {
		for c := s[i]; c != 0; c &= c - 1 {
			n++
		}
	}
	return n
}

func concatenate(a, b string) (string, error) {
	if len(a)+len(b) > maxString {
		return "", tooLong()
	}
	return a + b, nil
}

func stringFuncs() kernels {
	blank := func(f func(s, set string) string) Kernel { return pure1(func(s string) string { return f(s, " ") }) }
	sum := func(f func(s string) string) Kernel { return pure1(f) }
	return kernels{
		"textcat": lift2(concatenate), "byteacat": lift2(concatenate),
		"textlen": pure1(charLen), "textoctetlen": pure1(textLength), "byteaoctetlen": pure1(textLength), "bpcharoctetlen": pure1(textLength),
		"bpcharlen":         pure1(func(s string) int64 { return charLen(trimBlanks(s)) }),
		"bit_length(text)":  pure1(func(s string) int64 { return int64(len(s)) * 8 }),
		"bit_length(bytea)": pure1(func(s string) int64 { return int64(len(s)) * 8 }),
		"lower":             pure1(strings.ToLower), "upper": pure1(strings.ToUpper), "initcap": pure1(initcap),
		"text_substr": lift3(substr), "text_substr_no_len": pure2(substrFrom),
		"bytea_substr": lift3(byteSubstr),
		"bytea_substr_no_len": lift2(func(s string, start int64) (string, error) {
			return byteSubstr(s, start, math.MaxInt32)
		}),
		"text_left": pure2(left), "text_right": pure2(right), "text_reverse": pure1(reverseChars), "repeat": lift2(repeat),
		"lpad":            lift3(func(s string, n int64, fill string) (string, error) { return pad(s, n, fill, true) }),
		"rpad":            lift3(func(s string, n int64, fill string) (string, error) { return pad(s, n, fill, false) }),
		"lpad(text,int4)": lift2(func(s string, n int64) (string, error) { return pad(s, n, " ", true) }),
		"rpad(text,int4)": lift2(func(s string, n int64) (string, error) { return pad(s, n, " ", false) }),
		"btrim":           pure2(trimmer(true, true)), "ltrim": pure2(trimmer(true, false)), "rtrim": pure2(trimmer(false, true)),
		"btrim1": blank(trimmer(true, true)), "ltrim1": blank(trimmer(true, false)), "rtrim1": blank(trimmer(false, true)),
		"byteatrim": pure2(byteTrimmer(true, true)), "bytealtrim": pure2(byteTrimmer(true, false)), "byteartrim": pure2(byteTrimmer(false, true)),
		"replace_text": pure3(replace), "translate": pure3(translate), "split_part": lift3(splitPart),
		"textpos": pure2(position), "byteapos": pure2(func(s, sub string) int64 { return int64(strings.Index(s, sub) + 1) }),
		"textoverlay":        lift4(overlay),
		"textoverlay_no_len": lift3(func(s, with string, start int64) (string, error) { return overlay(s, with, start, charLen(with)) }),
		"byteaoverlay":       lift4(byteOverlay),
		"byteaoverlay_no_len": lift3(func(s, with string, start int64) (string, error) {
			return byteOverlay(s, with, start, textLength(with))
		}),
		"text_starts_with": pred2(strings.HasPrefix),
		"chr":              lift1(chr), "ascii": pure1(ascii),
		"to_hex32":     pure1(func(a int64) string { return strconv.FormatUint(uint64(uint32(a)), 16) }),
		"to_hex64":     pure1(func(a int64) string { return strconv.FormatUint(uint64(a), 16) }),
		"md5_text":     sum(md5Hex),
		"md5_bytea":    sum(md5Hex),
		"sha224_bytea": sum(func(s string) string { h := sha256.Sum224([]byte(s)); return string(h[:]) }),
		"sha256_bytea": sum(func(s string) string { h := sha256.Sum256([]byte(s)); return string(h[:]) }),
		"sha384_bytea": sum(func(s string) string { h := sha512.Sum384([]byte(s)); return string(h[:]) }),
		"sha512_bytea": sum(func(s string) string { h := sha512.Sum512([]byte(s)); return string(h[:]) }),
		"byteaGetByte": lift2(getByte), "byteaSetByte": lift3(setByte), "byteaGetBit": lift2(getBit), "byteaSetBit": lift3(setBit),
		"bytea_bit_count": pure1(bitCount),
		"quote_ident":     pure1(types.QuoteIdentifier), "quote_literal": pure1(quoteLiteral),
		"quote_nullable": perRow(func(_ *Ctx, args []types.Datum) (types.Datum, error) {
			if args[0].IsNull() {
				return types.NewString("NULL"), nil
			}
			return types.NewString(quoteLiteral(args[0].Str())), nil
		}),
		"unistr": lift1(unistr),
		"unicode_normalize_func": lift2(func(s, form string) (string, error) {
			f, err := normalForm(form)
			if err != nil {
				return "", err
			}
			return f.String(s), nil
		}),
		"unicode_is_normalized": lift2(func(s, form string) (bool, error) {
			f, err := normalForm(form)
			if err != nil {
				return false, err
			}
			return f.IsNormalString(s), nil
		}),
		"parse_ident": perRow(func(_ *Ctx, args []types.Datum) (types.Datum, error) {
			parts, err := parseIdent(args[0].Str(), len(args) < 2 || args[1].Bool())
			if err != nil {
				return types.Null, err
			}
			return types.NewAny(types.NewSlice(types.Text, parts)), nil
		}),
		"nameconcatoid": pure2(func(s string, oid int64) string {
			suffix := "_" + strconv.FormatInt(oid, 10)
			for n := 63 - len(suffix); len(s) > n; {
				_, size := utf8.DecodeLastRuneInString(s)
				s = s[:len(s)-size]
			}
			return s + suffix
		}),
	}
}
