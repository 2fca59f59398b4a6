package funcs

import (
	"math"
	"strconv"
	"strings"

	"github.com/cockroachdb/apd/v3"

	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// Number pictures: to_char(number, picture) and to_number(text, picture).

// pictureItem is a pattern of a number picture, or literal text.
type pictureItem struct {
	pattern string // upper case, "" for a literal
	literal string
	lower   bool // th, rn as written
	quoted  bool // literal text that was quoted
}

// numberPicture is a picture made ready.
type numberPicture struct {
	items    []pictureItem
	pre      int // digit positions before the decimal point
	post     int // and after it
	shift    int // digits after V: the number is multiplied by a power of ten
	zeroFrom int // position of the first 0 before the point, from 0; -1 if there is none
	zeroEnd  int // positions up to the last 0
	decimal  bool
	fill     bool // FM: no blanks, no trailing zeros
	sign     byte // 'S' anchored, 'M' MI, 'P' PL, 'B' MI and PL (SG), '<' PR, 0 none of them
	signPost bool // S after the digits
	signAt   int  // positions before S
	roman    bool
	science  bool
}

var numberPatterns = []string{"EEEE", "FM", "MI", "PL", "SG", "PR", "RN", "TH", "SP", ",", ".", "0", "9", "B", "C", "D", "G", "L", "S", "V"}

func pictureError(format string, args ...any) error {
	return errs.New(errs.SyntaxError, format, args...)
}

// splitPicture reads patterns, quoted text and other characters of a picture. match finds the pattern at the
// beginning of a string and its length.
func splitPicture(picture string, match func(s string) (pattern string, n int)) (items []pictureItem) {
	literal := func(s string, quoted bool) {
		items = append(items, pictureItem{literal: s, quoted: quoted})
	}
	for rest := picture; rest != ""; {
		if pattern, n := match(rest); n > 0 {
			items = append(items, pictureItem{pattern: pattern, literal: rest[:n], lower: rest[0] >= 'a' && rest[0] <= 'z'})
			rest = rest[n:]
			continue
		}
		if rest[0] == '"' {
			rest = rest[1:]
			for rest != "" && rest[0] != '"' {
				if rest[0] == '\\' && len(rest) > 1 {
					rest = rest[1:]
				}
				n := charOffset(rest, 1)
				literal(rest[:n], true)
				rest = rest[n:]
			}
			if rest != "" {
				rest = rest[1:]
			}
			continue
		}
		if strings.HasPrefix(rest, `\"`) {
			rest = rest[1:]
		}
		n := charOffset(rest, 1)
		literal(rest[:n], false)
		rest = rest[n:]
	}
	return items
}

func newNumberPicture(text string) (*numberPicture, error) {
	p := &numberPicture{zeroFrom: -1}
	p.items = splitPicture(text, func(s string) (string, int) {
		for _, name := range numberPatterns {
			if len(s) >= len(name) && (s[:len(name)] == name || s[:len(name)] == strings.ToLower(name)) {
				return name, len(name)
			}
		}
		return "", 0
	})
	for _, it := range p.items {
		if err := p.prepare(it.pattern); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *numberPicture) prepare(pattern string) error {
	if pattern == "" {
		return nil
	}
	if p.science && pattern != "EEEE" {
		return pictureError("\"EEEE\" must be the last pattern used")
	}
	mixed := func(a, b string) error { return pictureError("cannot use %s and %s together", a, b) }
	multi := false
	for _, it := range p.items {
		multi = multi || it.pattern == "V"
	}
	switch pattern {
	case "9", "0":
		if p.sign == '<' {
			return pictureError("\"%s\" must be ahead of \"PR\"", pattern)
		}
		if p.shifting() {
			p.shift++
			return nil
		}
		if pattern == "0" {
			if p.zeroFrom < 0 && !p.decimal {
				p.zeroFrom = p.pre
			}
		}
		if p.decimal {
			p.post++
		} else {
			p.pre++
		}
		if pattern == "0" {
			p.zeroEnd = p.pre + p.post
		}
	case ".", "D":
		if p.decimal {
			return pictureError("multiple decimal points")
		}
		if multi {
			return mixed(`"V"`, "decimal point")
		}
		p.decimal = true
	case "V":
		if p.decimal {
			return mixed(`"V"`, "decimal point")
		}
		p.shift = max(p.shift, 0) | 1<<30
	case "FM":
		p.fill = true
	case "S":
		switch {
		case p.sign == 'S':
			return pictureError("cannot use \"S\" twice")
		case p.sign != 0:
			return mixed(`"S"`, `"PL"/"MI"/"SG"/"PR"`)
		}
		p.sign, p.signPost, p.signAt = 'S', p.decimal, p.pre
	case "MI", "PL", "SG":
		if p.sign == 'S' {
			return mixed(`"S"`, `"`+pattern+`"`)
		}
		switch {
		case pattern == "SG" || p.sign != 0 && p.sign != map[string]byte{"MI": 'M', "PL": 'P'}[pattern] && p.sign != '<':
			p.sign = 'B'
		case pattern == "MI":
			p.sign = 'M'
		default:
			p.sign = 'P'
		}
	case "PR":
		if p.sign != 0 {
			return mixed(`"PR"`, `"S"/"PL"/"MI"/"SG"`)
		}
		p.sign = '<'
	case "RN":
		p.roman = true
	case "EEEE":
		if p.science {
			return pictureError("cannot use \"EEEE\" twice")
		}
		if p.fill || p.sign != 0 || p.roman || p.shifting() {
			return errs.New(errs.SyntaxError, "\"EEEE\" is incompatible with other formats").
				WithDetail("\"EEEE\" may only be used together with digit and decimal point patterns.")
		}
		p.science = true
	case "SP":
		return errs.Unsupported("number format pattern \"%s\"", pattern)
	}
	return nil
}

// shifting reports whether V was seen; its mark is a high bit of shift.
func (p *numberPicture) shifting() bool { return p.shift >= 1<<30 }

func (p *numberPicture) shiftBy() int { return p.shift &^ (1 << 30) }

// print lays the digits of a number out. digits is the number without its sign, rounded to p.post decimals, where
// post may be fewer than the picture has (for floats).
func (p *numberPicture) print(digits string, negative bool, post int) string {
	pre := p.pre
	if p.shifting() {
		pre += p.shiftBy()
	}
	whole := len(digits)
	if i := strings.IndexByte(digits, '.'); i >= 0 {
		whole = i
	}
	blanks := max(pre-whole, 0)
	if whole > pre {
		digits = strings.Repeat("#", pre) + "." + strings.Repeat("#", post)
	}
	w := numberWriter{p: p, rest: digits, digits: digits, negative: negative, blanks: blanks, signPost: p.signPost, lastKept: -1}
	if p.sign == 'M' || p.sign == 'B' {
		w.signed = true // written by its own pattern
	} else if p.sign != 'P' {
		w.bracket = p.sign == '<' && !(p.fill && !negative)
		w.signed = !negative && p.fill && p.sign != 'S'
		if p.sign == 'S' && !w.signPost && p.signAt == p.pre {
			w.signPost = true
		}
	}
	if p.fill && p.decimal {
		w.keepRelevant()
	}
	w.count = post + pre - 1
	if !w.signed && blanks == 0 {
		w.count++
	}
	for i, it := range p.items {
		w.item(it, i)
	}
	return string(w.out)
}

// numberWriter is the state of printing one number.
type numberWriter struct {
	p        *numberPicture
	digits   string
	rest     string // digits not written yet
	negative bool
	blanks   int // positions before the first digit
	signed   bool
	bracket  bool
	signPost bool
	at       int // position in the picture
	count    int // number of the last position
	lastKept int // offset in digits of the last one that FM keeps; -1: all
	started  bool
	out      []byte
}

// keepRelevant finds the last decimal that is not a zero, or that a 0 in the picture asks for.
func (w *numberWriter) keepRelevant() {
	point := strings.IndexByte(w.digits, '.')
	if point < 0 {
		return
	}
	w.lastKept = point
	for i := point + 1; i < len(w.digits); i++ {
		if w.digits[i] != '0' {
			w.lastKept = i
		}
	}
	if w.p.zeroEnd > w.blanks {
		w.lastKept = max(w.lastKept, min(len(w.digits)-1, w.p.zeroEnd-w.blanks))
	}
}

func (w *numberWriter) endsAtPoint() bool { return w.lastKept >= 0 && w.digits[w.lastKept] == '.' }

func (w *numberWriter) item(it pictureItem, _ int) {
	sign := func(when bool, c byte) {
		if when {
			w.out = append(w.out, c)
		} else if !w.p.fill {
			w.out = append(w.out, ' ')
		}
	}
	switch it.pattern {
	case "":
		w.out = append(w.out, it.literal...)
	case "9", "0", ".", "D":
		w.position(it.pattern)
	case ",", "G":
		if w.started {
			w.out = append(w.out, ',')
		} else if !w.p.fill {
			w.out = append(w.out, ' ')
		}
	case "L":
		w.out = append(w.out, ' ')
	case "MI":
		sign(w.negative, '-')
	case "PL":
		sign(!w.negative, '+')
	case "SG":
		if w.negative {
			w.out = append(w.out, '-')
		} else {
			w.out = append(w.out, '+')
		}
	case "TH":
		if w.digits[0] == '#' || w.negative || w.p.decimal {
			return
		}
		w.out = append(w.out, ordinal(w.digits, it.lower)...)
	}
}

// ordinal is the ending of a number as an ordinal.
func ordinal(digits string, lower bool) string {
	ending := "TH"
	n := len(digits)
	if !(n > 1 && digits[n-2] == '1') {
		switch digits[n-1] {
		case '1':
			ending = "ST"
		case '2':
			ending = "ND"
		case '3':
			ending = "RD"
		}
	}
	if lower {
		return strings.ToLower(ending)
	}
	return ending
}

// position writes what stands at a digit or the decimal point: a blank, a zero, a digit, before it perhaps the sign.
func (w *numberWriter) position(pattern string) {
	p := w.p
	hasZero := p.zeroFrom >= 0
	w.started = false
	noZeroYet := !hasZero && len(w.rest) == len(w.digits) && strings.HasPrefix(w.digits, "0") && p.post != 0
	if !w.signed && (w.at >= w.blanks || hasZero && p.zeroFrom == w.at) && (!noZeroYet || w.endsAtPoint()) {
		w.leadingSign()
	}
	offset := len(w.digits) - len(w.rest)
	switch {
	case w.at < w.blanks && (!hasZero || p.zeroFrom > w.at):
		if !p.fill {
			w.out = append(w.out, ' ')
		}
	case hasZero && w.at < w.blanks:
		w.out = append(w.out, '0')
		w.started = true
	default:
		switch {
		case strings.HasPrefix(w.rest, "."):
			if !w.endsAtPoint() || p.fill {
				w.out = append(w.out, '.')
			}
		case w.lastKept >= 0 && offset > w.lastKept && pattern != "0":
		case noZeroYet:
			if !p.fill {
				w.out = append(w.out, ' ')
			} else if w.endsAtPoint() {
				w.out = append(w.out, '0')
			}
		case w.rest != "":
			w.out = append(w.out, w.rest[0])
			w.started = true
		}
		if w.rest != "" {
			w.rest = w.rest[1:]
			offset++
		}
	}
	end := w.count
	if w.blanks > 0 {
		end++
	}
	if p.decimal {
		end++
	}
	if w.lastKept >= 0 && w.lastKept == offset {
		end = w.at
	}
	if w.at+1 == end {
		w.trailingSign()
	}
	w.at++
}

func (w *numberWriter) leadingSign() {
	switch {
	case w.p.sign == 'S':
		if w.signPost {
			return
		}
		w.out = append(w.out, signOf(w.negative))
	case w.bracket:
		w.out = append(w.out, map[bool]byte{true: '<', false: ' '}[w.negative])
	case w.negative:
		w.out = append(w.out, '-')
	case !w.p.fill:
		w.out = append(w.out, ' ')
	}
	w.signed = true
}

func (w *numberWriter) trailingSign() {
	switch {
	case w.signed && w.bracket:
		w.out = append(w.out, map[bool]byte{true: '>', false: ' '}[w.negative])
	case w.p.sign == 'S' && w.signPost:
		w.out = append(w.out, signOf(w.negative))
	}
}

func signOf(negative bool) byte {
	if negative {
		return '-'
	}
	return '+'
}

func roman(n int64, p *numberPicture) string {
	text := ""
	if n > 3999 || n < 1 {
		text = strings.Repeat("#", 15)
	} else {
		for _, d := range []struct {
			value  int64
			letter string
		}{{1000, "M"}, {900, "CM"}, {500, "D"}, {400, "CD"}, {100, "C"}, {90, "XC"}, {50, "L"}, {40, "XL"}, {10, "X"}, {9, "IX"}, {5, "V"}, {4, "IV"}, {1, "I"}} {
			for n >= d.value {
				text += d.letter
				n -= d.value
			}
		}
	}
	lower := false
	for _, it := range p.items {
		if it.pattern == "RN" {
			lower = it.lower
		}
	}
	if lower {
		text = strings.ToLower(text)
	}
	if !p.fill {
		text = strings.Repeat(" ", max(15-len(text), 0)) + text
	}
	return text
}

// withRoman prints the picture's other items around the number.
func (p *numberPicture) withRoman(n int64) string {
	var b strings.Builder
	for _, it := range p.items {
		switch it.pattern {
		case "":
			b.WriteString(it.literal)
		case "RN":
			b.WriteString(roman(n, p))
		}
	}
	return b.String()
}

func numericToChar(a *apd.Decimal, picture string) (string, error) {
	p, err := newNumberPicture(picture)
	if err != nil {
		return "", err
	}
	if p.roman {
		n := int64(0)
		if finite(a) {
			if n, err = types.NumericToInt(types.NumericRound(a, 0), types.Int4); err != nil {
				return "", err
			}
		}
		return p.withRoman(n), nil
	}
	if p.science {
		if !finite(a) {
			return " " + strings.Repeat("#", p.pre) + "." + strings.Repeat("#", p.post+4), nil
		}
		return scientific(a, p.post), nil
	}
	if p.shifting() {
		if a, err = types.NumericMul(a, apd.New(1, int32(p.shiftBy()))); err != nil {
			return "", err
		}
	}
	digits := string(types.AppendText(nil, types.Numeric, types.NewDecimal(types.NumericRound(a, p.post)), types.DefaultEnv))
	digits, negative := strings.CutPrefix(digits, "-")
	return p.print(digits, negative, p.post), nil
}

// scientific is d.ddde+nn, rounded half away from zero. As in PostgreSQL, 9.99 may be rounded to 10.0e+00.
func scientific(a *apd.Decimal, post int) string {
	e := exponent10(a)
	mantissa := new(apd.Decimal).Set(a)
	mantissa.Exponent -= int32(e)
	r := types.NumericRound(mantissa, post)
	text := string(types.AppendText(nil, types.Numeric, types.NewDecimal(r), types.DefaultEnv))
	if !strings.HasPrefix(text, "-") {
		text = " " + text
	}
	sign := "+"
	if e < 0 {
		sign, e = "-", -e
	}
	exponent := strconv.Itoa(e)
	if len(exponent) < 2 {
		exponent = "0" + exponent
	}
	return text + "e" + sign + exponent
}

func intToChar(n int64, picture string) (string, error) {
	p, err := newNumberPicture(picture)
	if err != nil {
		return "", err
	}
	if p.roman || p.science || p.shifting() {
		return numericToChar(types.NumericFromInt(n), picture)
	}
	digits, negative := strings.CutPrefix(strconv.FormatInt(n, 10), "-")
	if p.post > 0 {
		digits += "." + strings.Repeat("0", p.post)
	}
	return p.print(digits, negative, p.post), nil
}

// floatToChar prints as many digits as the type has for sure: 15 of float8, 6 of float4.
func floatToChar(f float64, picture string, digitsSure int) (string, error) {
	p, err := newNumberPicture(picture)
	if err != nil {
		return "", err
	}
	if p.roman {
		return p.withRoman(int64(math.RoundToEven(f))), nil
	}
	if p.science {
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return " " + strings.Repeat("#", p.pre) + "." + strings.Repeat("#", p.post+4), nil
		}
		text := strconv.FormatFloat(f, 'e', p.post, 64)
		if f >= 0 {
			text = " " + text
		}
		return text, nil
	}
	if p.shifting() {
		f *= math.Pow10(p.shiftBy())
	}
	post := p.post
	if whole := len(strconv.FormatFloat(math.Abs(f), 'f', 0, 64)); whole >= digitsSure {
		post = 0
	} else if whole+post > digitsSure {
		post = digitsSure - whole
	}
	digits := strconv.FormatFloat(f, 'f', post, 64)
	switch {
	case math.IsNaN(f):
		digits = "NaN"
	case math.IsInf(f, 0):
		digits = map[bool]string{true: "-Infinity", false: "Infinity"}[f < 0]
	}
	digits, negative := strings.CutPrefix(digits, "-")
	return p.print(digits, negative, post), nil
}

// toNumber reads a number by a picture. What the picture has besides digits, point and signs is passed over.
func toNumber(text, picture string) (*apd.Decimal, error) {
	p, err := newNumberPicture(picture)
	if err != nil {
		return nil, err
	}
	if p.roman {
		return nil, errs.Unsupported("\"RN\" for input")
	}
	if p.science {
		return nil, errs.Unsupported("\"EEEE\" for input")
	}
	r := numberReader{p: p, rest: text}
	for _, it := range p.items {
		if r.rest == "" {
			break
		}
		r.item(it)
	}
	digits := r.digits.String()
	if digits == "" || digits == "." {
		return nil, errs.New(errs.InvalidTextRepresentation, "invalid input syntax for type %s: \"%s\"", types.Numeric, map[bool]string{true: "-", false: " "}[r.negative]+digits)
	}
	d, err := types.ParseText(types.Numeric, types.NoTypmod, digits, types.DefaultEnv)
	if err != nil {
		return nil, err
	}
	a := d.Decimal()
	if p.shifting() {
		if a, err = types.NumericDiv(a, types.NumericRound(apd.New(1, int32(p.shiftBy())), 0)); err != nil {
			return nil, err
		}
	} else if types.NumericScale(a) > p.post {
		a = types.NumericRound(a, p.post)
	}
	if r.negative {
		a = types.NumericNeg(a)
	}
	return a, nil
}

type numberReader struct {
	p        *numberPicture
	rest     string
	digits   strings.Builder
	negative bool
	signed   bool
	point    bool
	pre      int
	post     int
	started  bool
}

func (r *numberReader) item(it pictureItem) {
	switch it.pattern {
	case "":
		r.rest = r.rest[charOffset(r.rest, 1):]
	case "9", "0", ".", "D":
		r.position()
	case ",", "G":
		if !r.started && r.p.fill {
			return
		}
		r.rest = strings.TrimPrefix(r.rest, ",")
	case "L":
		r.rest = strings.TrimPrefix(r.rest, "$")
		r.rest = strings.TrimPrefix(r.rest, " ")
	case "MI", "SG":
		if strings.HasPrefix(r.rest, "-") {
			r.negative, r.signed, r.rest = true, true, r.rest[1:]
		} else if it.pattern == "SG" || strings.HasPrefix(r.rest, " ") || strings.HasPrefix(r.rest, "+") {
			r.rest = strings.TrimLeft(r.rest[:1], " +") + r.rest[1:]
		}
	case "PL":
		if strings.HasPrefix(r.rest, "+") || strings.HasPrefix(r.rest, " ") {
			r.rest = r.rest[1:]
		}
	case "S", "PR":
		r.sign()
		if it.pattern == "PR" {
			r.rest = strings.TrimPrefix(r.rest, ">")
		}
	case "TH":
		r.rest = r.rest[charOffset(r.rest, 2):]
	}
}

func (r *numberReader) sign() {
	if r.rest == "" {
		return
	}
	switch r.rest[0] {
	case '-':
		r.negative = true
	case '<':
		if r.p.sign != '<' {
			return
		}
		r.negative = true
	case '+':
	default:
		return
	}
	r.signed, r.rest = true, r.rest[1:]
}

// position reads a digit or the point, after blanks and a sign.
func (r *numberReader) position() {
	if !r.started {
		r.rest = strings.TrimLeft(r.rest, " ")
	}
	if !r.signed && r.digits.Len() == 0 {
		r.sign()
		r.rest = strings.TrimLeft(r.rest, " ")
	}
	if r.rest == "" {
		return
	}
	switch c := r.rest[0]; {
	case c >= '0' && c <= '9':
		if r.point && r.post >= r.p.post {
			return
		}
		if r.point {
			r.post++
		} else {
			r.pre++
		}
		r.digits.WriteByte(c)
		r.started = true
		r.rest = r.rest[1:]
	case c == '.' && r.p.decimal && !r.point:
		r.point = true
		r.digits.WriteByte('.')
		r.rest = r.rest[1:]
	case c == '-' && r.p.sign == 'S' || c == '+' && r.p.sign == 'S':
		r.sign()
	}
}

func numberPictureFuncs() kernels {
	return kernels{
		"int4_to_char": lift2(intToChar), "int8_to_char": lift2(intToChar), "numeric_to_char": lift2(numericToChar),
		"float8_to_char":    lift2(func(f float64, picture string) (string, error) { return floatToChar(f, picture, 15) }),
		"float4_to_char":    lift2(func(f float64, picture string) (string, error) { return floatToChar(f, picture, 6) }),
		"numeric_to_number": lift2(toNumber),
	}
}
