package types

import (
	"encoding/hex"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/cockroachdb/apd/v3"

	"holdfast/sql/errs"
)

// ParseText reads a value's text form, as PostgreSQL's input function with a typmod does: the value is made to fit
// the typmod as in an assignment. A domain's constraints are not checked.
func ParseText(t *Type, mod int32, s string, env *Env) (Datum, error) {
	if t.Base != nil {
		if mod == NoTypmod {
			mod = t.BaseTypmod
		}
		t = t.Base
	}
	switch t.class {
	case classBool:
		return parseBool(s)
	case classInt2:
		return parseInt(s, 16, "smallint")
	case classInt4:
		return parseInt(s, 32, "integer")
	case classInt8:
		return parseInt(s, 64, "bigint")
	case classOid:
		return parseOid(s, t.Name)
	case classReg:
		return parseReg(t, s, env)
	case classXid8:
		u, _ := leadingUint(s)
		return NewInt(int64(u)), nil
	case classTid:
		return parseTid(s)
	case classLSN:
		return parseLSN(s)
	case classFloat4:
		f, err := parseFloat(s, 32)
		if err != nil {
			return Null, err
		}
		return NewFloat(f), nil
	case classFloat8:
		f, err := parseFloat(s, 64)
		if err != nil {
			return Null, err
		}
		return NewFloat(f), nil
	case classNumeric:
		d, err := parseNumeric(s)
		if err == nil && mod >= 4 {
			d, err = applyNumericTypmod(d, mod)
		}
		if err != nil {
			return Null, err
		}
		return NewDecimal(d), nil
	case classText, classBpchar:
		return ApplyTypmod(t, mod, NewString(s), false)
	case className:
		return NewString(TruncateName(s)), nil
	case classChar:
		return NewString(parseQuotedChar(s)), nil
	case classBytea:
		return parseBytea(s)
	case classUUID:
		return parseUUID(s)
	case classJSON:
		return parseJSON(s)
	case classJSONB:
		return parseJSONB(s)
	case classBit:
		return parseBit(t, mod, s)
	case classDate:
		return parseDate(s, env)
	case classTime:
		return parseTime(s, mod, env)
	case classTimeTZ:
		return parseTimeTZ(s, mod, env)
	case classTimestamp:
		return parseTimestamp(s, mod, env)
	case classTimestampTZ:
		return parseTimestampTZ(s, mod, env)
	case classInterval:
		return parseInterval(s, mod, env)
	case classArray:
		if t.Elem == nil {
			break
		}
		return parseArray(t, mod, s, env)
	case classVector:
		return parseVector(t, s)
	case classRecord:
		if t.Fields == nil {
			return Null, errs.New(errs.FeatureNotSupported, "input of anonymous composite types is not implemented")
		}
		return parseRecord(t, s, env)
	case classEnum:
		for i := range t.Labels {
			if t.Labels[i].Name == s {
				return NewInt(int64(t.Labels[i].OID)), nil
			}
		}
		return Null, errs.New(errs.InvalidTextRepresentation, "invalid input value for enum %s: \"%s\"", t.SQLName, s)
	case classRange:
		return parseRange(t, s, env)
	case classVoid:
		return NewString(""), nil
	}
	if t.Kind == 'p' {
		return Null, errs.New(errs.FeatureNotSupported, "cannot accept a value of type %s", t.SQLName)
	}
	return Null, errs.Unsupported("input of type %s", t.SQLName)
}

// AppendText appends the text form of a non-NULL value, as PostgreSQL's output function.
func AppendText(dst []byte, t *Type, d Datum, env *Env) []byte {
	switch t.class {
	case classBool:
		if d.i != 0 {
			return append(dst, 't')
		}
		return append(dst, 'f')
	case classReg:
		return appendReg(dst, t, OID(d.i), env)
	case classXid8:
		return strconv.AppendUint(dst, uint64(d.i), 10)
	case classTid:
		dst = strconv.AppendInt(append(dst, '('), d.i>>16, 10)
		dst = strconv.AppendInt(append(dst, ','), d.i&0xFFFF, 10)
		return append(dst, ')')
	case classLSN:
		dst = appendUpperHex(dst, uint64(d.i)>>32)
		return appendUpperHex(append(dst, '/'), uint64(d.i)&0xFFFFFFFF)
	case classFloat4:
		return appendFloat(dst, d.Float(), 32, env.ExtraFloatDigits)
	case classFloat8:
		return appendFloat(dst, d.Float(), 64, env.ExtraFloatDigits)
	case classNumeric:
		return appendNumeric(dst, d.x.(*apd.Decimal))
	case classChar:
		return appendQuotedChar(dst, d.s)
	case classBytea:
		return appendBytea(dst, d.s, env.ByteaOutput)
	case classUUID:
		return appendUUID(dst, d.s)
	case classDate:
		return appendDate(dst, d.i, env)
	case classTime:
		return appendTimeOfDay(dst, d.i)
	case classTimeTZ:
		v := d.x.(TimeTZ)
		return appendZone(appendTimeOfDay(dst, v.Micros), -int(v.Zone))
	case classTimestamp:
		return appendTimestamp(dst, d.i, env)
	case classTimestampTZ:
		return appendTimestampTZ(dst, d.i, env)
	case classInterval:
		return appendInterval(dst, d.x.(Interval), env.IntervalStyle)
	case classArray:
		return appendArray(dst, t, d.x.(*Array), env)
	case classVector:
		return appendVector(dst, d.x.(*Array), env)
	case classRecord:
		return appendRecord(dst, d.x.(*Record), env)
	case classEnum:
		return append(dst, t.Label(OID(d.i))...)
	case classRange:
		return appendRange(dst, d.x.(*Range), env)
	case classVoid:
		return dst
	}
	switch t.Rep {
	case RepInt:
		return strconv.AppendInt(dst, d.i, 10)
	case RepString:
		return append(dst, d.s...)
	}
	return dst
}

// AppendTextVec is AppendText for row i of a vector; it must not be NULL.
func AppendTextVec(dst []byte, v *Vec, i int, env *Env) []byte {
	if v.Const {
		i = 0
	}
	switch v.Type.class {
	case classInt2, classInt4, classInt8, classOid:
		return strconv.AppendInt(dst, v.I[i], 10)
	case classText, classBpchar, className, classJSON, classJSONB:
		return append(dst, v.S[i]...)
	case classNumeric:
		return appendNumeric(dst, v.D[i])
	}
	return AppendText(dst, v.Type, v.Datum(i), env)
}

// Label is the name of an enum's value, "" if it has none of that OID.
func (t *Type) Label(oid OID) string {
	for i := range t.Labels {
		if t.Labels[i].OID == oid {
			return t.Labels[i].Name
		}
	}
	return ""
}

func invalidSyntax(typeName, s string) *errs.Error {
	return errs.New(errs.InvalidTextRepresentation, "invalid input syntax for type %s: \"%s\"", typeName, s)
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// trimSpace drops what C's isspace does, which is less than what unicode does.
func trimSpace(s string) string {
	for s != "" && isSpace(s[0]) {
		s = s[1:]
	}
	for s != "" && isSpace(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

func parseBool(text string) (Datum, error) {
	s := strings.ToLower(trimSpace(text))
	prefix := func(word string, least int) bool { return len(s) >= least && strings.HasPrefix(word, s) }
	switch {
	case prefix("true", 1), prefix("yes", 1), s == "on", s == "1":
		return NewBool(true), nil
	case prefix("false", 1), prefix("no", 1), prefix("off", 2), s == "0":
		return NewBool(false), nil
	}
	return Null, invalidSyntax("boolean", text)
}

func parseInt(text string, bitSize int, typeName string) (Datum, error) {
	s := trimSpace(text)
	body, neg := s, false
	if body != "" && (body[0] == '-' || body[0] == '+') {
		neg = body[0] == '-'
		body = body[1:]
	}
	limit := uint64(1)<<(bitSize-1) - 1
	if neg {
		limit++
	}
	if body == "" {
		return Null, invalidSyntax(typeName, text)
	}
	var u uint64
	tooBig := false
	for i := range len(body) {
		c := body[i] - '0'
		if c > 9 {
			return Null, invalidSyntax(typeName, text)
		}
		if u > limit/10 || u*10+uint64(c) > limit {
			tooBig = true
			continue
		}
		u = u*10 + uint64(c)
	}
	if tooBig {
		return Null, errs.New(errs.NumericValueOutOfRange, "value \"%s\" is out of range for type %s", text, typeName)
	}
	if neg {
		u = -u
	}
	return NewInt(int64(u)), nil
}

// parseOid accepts negative numbers, as numbers modulo 2^32, as PostgreSQL does.
func parseOid(text, typeName string) (Datum, error) {
	s := trimSpace(text)
	if typeName != "oid" { // xid and cid read whatever number there is
		u, _ := leadingUint(s)
		return NewInt(int64(uint32(u))), nil
	}
	d, err := parseInt(s, 64, typeName)
	if err != nil {
		if errs.CodeOf(err) == errs.InvalidTextRepresentation {
			return Null, invalidSyntax(typeName, text)
		}
		return Null, errs.New(errs.NumericValueOutOfRange, "value \"%s\" is out of range for type oid", text)
	}
	if d.i > 1<<32-1 || d.i < -1<<31 {
		return Null, errs.New(errs.NumericValueOutOfRange, "value \"%s\" is out of range for type oid", text)
	}
	return NewInt(int64(uint32(d.i))), nil
}

// leadingUint is C's strtoul with base 0.
func leadingUint(s string) (uint64, string) {
	s = trimSpace(s)
	neg := false
	if s != "" && (s[0] == '-' || s[0] == '+') {
		neg = s[0] == '-'
		s = s[1:]
	}
	base := 10
	if len(s) > 1 && s[0] == '0' {
		base = 8
		if s[1]|0x20 == 'x' {
			base = 16
			s = s[2:]
		}
	}
	i := 0
	for i < len(s) {
		if _, err := strconv.ParseUint(s[i:i+1], base, 8); err != nil {
			break
		}
		i++
	}
	u, err := strconv.ParseUint(s[:i], base, 64)
	if err != nil && i > 0 {
		u = 1<<64 - 1
	}
	if neg {
		u = -u
	}
	return u, s[i:]
}

// parseReg reads a number as the OID, "-" as none, and leaves names to the directory.
func parseReg(t *Type, s string, env *Env) (Datum, error) {
	if s == "-" {
		return NewInt(0), nil
	}
	if s != "" && s[0] >= '0' && s[0] <= '9' && strings.Trim(s, "0123456789") == "" {
		return parseOid(s, "oid")
	}
	if env.Names == nil {
		return Null, errs.New(errs.UndefinedObject, "%s \"%s\" does not exist", t.Name, s)
	}
	oid, err := env.Names.LookupReg(t, s)
	if err != nil {
		return Null, err
	}
	return NewInt(int64(oid)), nil
}

func appendReg(dst []byte, t *Type, oid OID, env *Env) []byte {
	if oid == 0 {
		return append(dst, '-')
	}
	if env.Names != nil {
		if name, ok := env.Names.RegName(t, oid); ok {
			return append(dst, name...)
		}
	}
	return strconv.AppendUint(dst, uint64(oid), 10)
}

// parseTid reads "(block,offset)". As in C's strtoul, nothing is zero and a sign is accepted.
func parseTid(text string) (Datum, error) {
	open, comma, end := strings.IndexByte(text, '('), strings.IndexByte(text, ','), strings.IndexByte(text, ')')
	if open < 0 || comma < open || end < comma {
		return Null, invalidSyntax("tid", text)
	}
	number := func(s string, limit uint64) (uint64, bool) {
		s = strings.TrimLeft(s, " \t\n\v\f\r")
		neg := strings.HasPrefix(s, "-")
		s = strings.TrimPrefix(strings.TrimPrefix(s, "-"), "+")
		if s == "" {
			return 0, !neg
		}
		u, err := strconv.ParseUint(s, 10, 64)
		if neg {
			return uint64(uint32(-u)), err == nil && u <= 1<<31 && limit > 1<<16
		}
		return u, err == nil && u <= limit
	}
	block, ok1 := number(text[open+1:comma], 1<<32-1)
	offset, ok2 := number(text[comma+1:end], 1<<16-1)
	if !ok1 || !ok2 {
		return Null, invalidSyntax("tid", text)
	}
	return NewInt(int64(block<<16 | offset)), nil
}

func parseLSN(s string) (Datum, error) {
	hi, lo, ok := strings.Cut(s, "/")
	if ok && len(hi) <= 8 && len(lo) <= 8 {
		h, err1 := strconv.ParseUint(hi, 16, 32)
		l, err2 := strconv.ParseUint(lo, 16, 32)
		if err1 == nil && err2 == nil {
			return NewInt(int64(h<<32 | l)), nil
		}
	}
	return Null, invalidSyntax("pg_lsn", s)
}

func appendUpperHex(dst []byte, u uint64) []byte {
	n := len(dst)
	dst = strconv.AppendUint(dst, u, 16)
	for i := n; i < len(dst); i++ {
		if dst[i] >= 'a' {
			dst[i] -= 'a' - 'A'
		}
	}
	return dst
}

// TruncateName cuts an identifier to PostgreSQL's 63 bytes, between characters.
func TruncateName(s string) string {
	const nameBytes = 63
	if len(s) <= nameBytes {
		return s
	}
	n := nameBytes
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// parseQuotedChar is the input of "char": one byte, also as a backslash and three octal digits; the zero byte is "".
func parseQuotedChar(s string) string {
	if len(s) == 4 && s[0] == '\\' && isOctal(s[1]) && isOctal(s[2]) && isOctal(s[3]) {
		c := s[1]<<6 | (s[2]-'0')<<3 | (s[3] - '0')
		if c == 0 {
			return ""
		}
		return string([]byte{c})
	}
	if s == "" {
		return ""
	}
	return s[:1]
}

func isOctal(c byte) bool { return c >= '0' && c <= '7' }

func appendQuotedChar(dst []byte, s string) []byte {
	if s == "" {
		return dst
	}
	if c := s[0]; c >= 0x80 {
		return append(dst, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
	}
	return append(dst, s[0])
}

func parseBytea(s string) (Datum, error) {
	if strings.HasPrefix(s, `\x`) {
		b, err := parseHex(s[2:])
		if err != nil {
			return Null, err
		}
		return NewString(string(b)), nil
	}
	if strings.IndexByte(s, '\\') < 0 {
		return NewString(s), nil
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] != '\\':
			b = append(b, s[i])
		case i+3 < len(s) && s[i+1] >= '0' && s[i+1] <= '3' && isOctal(s[i+2]) && isOctal(s[i+3]):
			b = append(b, s[i+1]<<6|(s[i+2]-'0')<<3|(s[i+3]-'0'))
			i += 3
		case i+1 < len(s) && s[i+1] == '\\':
			b = append(b, '\\')
			i++
		default:
			return Null, errs.New(errs.InvalidTextRepresentation, "invalid input syntax for type bytea")
		}
	}
	return NewString(string(b)), nil
}

// parseHex allows white space between the bytes.
func parseHex(s string) ([]byte, error) {
	b := make([]byte, 0, len(s)/2)
	for i := 0; i < len(s); i++ {
		if c := s[i]; c == ' ' || c == '\t' || c == '\n' || c == '\r' {
			continue
		}
		hi, err := hexDigit(s, i)
		if err != nil {
			return nil, err
		}
		i++
		if i == len(s) {
			return nil, errs.New(errs.InvalidParameterValue, "invalid hexadecimal data: odd number of digits")
		}
		lo, err := hexDigit(s, i)
		if err != nil {
			return nil, err
		}
		b = append(b, hi<<4|lo)
	}
	return b, nil
}

func hexDigit(s string, i int) (byte, error) {
	switch c := s[i]; {
	case c >= '0' && c <= '9':
		return c - '0', nil
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, nil
	}
	_, n := utf8.DecodeRuneInString(s[i:])
	return 0, errs.New(errs.InvalidParameterValue, "invalid hexadecimal digit: \"%s\"", s[i:i+n])
}

func appendBytea(dst []byte, s string, o ByteaOutput) []byte {
	if o == ByteaHex {
		dst = append(dst, '\\', 'x')
		return hex.AppendEncode(dst, []byte(s))
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\\':
			dst = append(dst, '\\', '\\')
		case c < 0x20 || c > 0x7e:
			dst = append(dst, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// parseUUID reads 32 hexadecimal digits, with hyphens after any group of four, perhaps in braces.
func parseUUID(text string) (Datum, error) {
	s := text
	if strings.HasPrefix(s, "{") {
		if !strings.HasSuffix(s, "}") || len(s) < 2 {
			return Null, invalidSyntax("uuid", text)
		}
		s = s[1 : len(s)-1]
	}
	var u [16]byte
	for i := range u {
		if len(s) < 2 {
			return Null, invalidSyntax("uuid", text)
		}
		if _, err := hex.Decode(u[i:i+1], []byte(s[:2])); err != nil {
			return Null, invalidSyntax("uuid", text)
		}
		s = s[2:]
		if i%2 == 1 && i < 15 && s != "" && s[0] == '-' {
			s = s[1:]
		}
	}
	if s != "" {
		return Null, invalidSyntax("uuid", text)
	}
	return NewString(string(u[:])), nil
}

func appendUUID(dst []byte, s string) []byte {
	if len(s) != 16 {
		return dst
	}
	const digits = "0123456789abcdef"
	for i := range 16 {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			dst = append(dst, '-')
		}
		dst = append(dst, digits[s[i]>>4], digits[s[i]&15])
	}
	return dst
}
