package types

import (
	"encoding/binary"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/cockroachdb/apd/v3"

	"holdfast/sql/errs"
)

// HasBinary reports whether the type has a binary form; aclitem, for example, has none.
func HasBinary(t *Type) bool {
	switch t.class {
	case classNone:
		return false
	case classArray:
		return t.Elem == nil || HasBinary(t.Elem)
	}
	return t != AclItem
}

// AppendBinary appends the binary form of a non-NULL value, as PostgreSQL's send function.
func AppendBinary(dst []byte, t *Type, d Datum) []byte {
	switch t.class {
	case classBool:
		return append(dst, byte(d.i))
	case classInt2:
		return binary.BigEndian.AppendUint16(dst, uint16(d.i))
	case classInt4, classOid, classReg, classDate:
		return binary.BigEndian.AppendUint32(dst, uint32(d.i))
	case classTid:
		dst = binary.BigEndian.AppendUint32(dst, uint32(d.i>>16))
		return binary.BigEndian.AppendUint16(dst, uint16(d.i))
	case classFloat4:
		return binary.BigEndian.AppendUint32(dst, math.Float32bits(float32(d.Float())))
	case classFloat8:
		if f := d.Float(); f != f { // Go's NaN has another payload
			return binary.BigEndian.AppendUint64(dst, 0x7FF8<<48)
		}
		return binary.BigEndian.AppendUint64(dst, uint64(d.i))
	case classNumeric:
		return appendNumericBinary(dst, d.x.(*apd.Decimal))
	case classChar:
		if d.s == "" {
			return append(dst, 0)
		}
		return append(dst, d.s[0])
	case classJSONB:
		return append(append(dst, 1), d.s...)
	case classBit:
		return appendBitBinary(dst, d.s)
	case classTimeTZ:
		v := d.x.(TimeTZ)
		dst = binary.BigEndian.AppendUint64(dst, uint64(v.Micros))
		return binary.BigEndian.AppendUint32(dst, uint32(v.Zone))
	case classInterval:
		v := d.x.(Interval)
		dst = binary.BigEndian.AppendUint64(dst, uint64(v.Micros))
		dst = binary.BigEndian.AppendUint32(dst, uint32(v.Days))
		return binary.BigEndian.AppendUint32(dst, uint32(v.Months))
	case classArray, classVector:
		return appendArrayBinary(dst, d.x.(*Array))
	case classRecord:
		return appendRecordBinary(dst, d.x.(*Record))
	case classEnum:
		return append(dst, t.Label(OID(d.i))...)
	case classRange:
		return appendRangeBinary(dst, d.x.(*Range))
	case classVoid:
		return dst
	}
	switch t.Rep {
	case RepInt, RepFloat:
		return binary.BigEndian.AppendUint64(dst, uint64(d.i))
	case RepString:
		return append(dst, d.s...)
	}
	return dst
}

// AppendBinaryVec is AppendBinary for row i of a vector; it must not be NULL.
func AppendBinaryVec(dst []byte, v *Vec, i int) []byte {
	if v.Const {
		i = 0
	}
	switch v.Type.class {
	case classInt4:
		return binary.BigEndian.AppendUint32(dst, uint32(v.I[i]))
	case classInt8, classTimestamp, classTimestampTZ:
		return binary.BigEndian.AppendUint64(dst, uint64(v.I[i]))
	case classText, classBpchar, classUUID, classBytea:
		return append(dst, v.S[i]...)
	case classNumeric:
		return appendNumericBinary(dst, v.D[i])
	}
	return AppendBinary(dst, v.Type, v.Datum(i))
}

// appendSized appends a value with its length before it; -1 for NULL.
func appendSized(dst []byte, t *Type, d Datum) []byte {
	if d.rep == RepNull {
		return binary.BigEndian.AppendUint32(dst, math.MaxUint32)
	}
	at := len(dst)
	dst = AppendBinary(append(dst, 0, 0, 0, 0), t, d)
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst
}

func appendArrayBinary(dst []byte, a *Array) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(a.Dims)))
	var hasNull uint32
	for _, e := range a.Elems {
		if e.rep == RepNull {
			hasNull = 1
			break
		}
	}
	dst = binary.BigEndian.AppendUint32(dst, hasNull)
	dst = binary.BigEndian.AppendUint32(dst, uint32(a.Elem.OID))
	for i := range a.Dims {
		dst = binary.BigEndian.AppendUint32(dst, uint32(a.Dims[i]))
		dst = binary.BigEndian.AppendUint32(dst, uint32(a.Lower[i]))
	}
	for _, e := range a.Elems {
		dst = appendSized(dst, a.Elem, e)
	}
	return dst
}

func appendRecordBinary(dst []byte, r *Record) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(r.Values)))
	for i, v := range r.Values {
		dst = binary.BigEndian.AppendUint32(dst, uint32(r.Types[i].OID))
		dst = appendSized(dst, r.Types[i], v)
	}
	return dst
}

// The flags of a range's binary form.
const (
	rangeEmptyFlag byte = 1 << iota
	rangeLowerInc
	rangeUpperInc
	rangeLowerInf
	rangeUpperInf
)

func appendRangeBinary(dst []byte, r *Range) []byte {
	var flags byte
	set := func(cond bool, flag byte) {
		if cond {
			flags |= flag
		}
	}
	if r.Empty {
		return append(dst, rangeEmptyFlag)
	}
	set(r.LowerInc, rangeLowerInc)
	set(r.UpperInc, rangeUpperInc)
	set(r.Lower.IsNull(), rangeLowerInf)
	set(r.Upper.IsNull(), rangeUpperInf)
	dst = append(dst, flags)
	if !r.Lower.IsNull() {
		dst = appendSized(dst, r.Elem, r.Lower)
	}
	if !r.Upper.IsNull() {
		dst = appendSized(dst, r.Elem, r.Upper)
	}
	return dst
}

func appendBitBinary(dst []byte, s string) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(s)))
	for i := 0; i < len(s); i += 8 {
		var b byte
		for k := range 8 {
			if i+k < len(s) && s[i+k] == '1' {
				b |= 0x80 >> k
			}
		}
		dst = append(dst, b)
	}
	return dst
}

func badBinary(format string, args ...any) error {
	return errs.New(errs.InvalidBinaryRepresentation, format, args...)
}

func shortBinary() error {
	return errs.New(errs.ProtocolViolation, "insufficient data left in message")
}

// CheckText refuses bytes that cannot be text: a zero byte, or not UTF-8 (22021).
func CheckText(s string) error {
	if strings.IndexByte(s, 0) < 0 && utf8.ValidString(s) {
		return nil
	}
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if s[i] == 0 || r == utf8.RuneError && n == 1 {
			bad := s[i:min(len(s), i+encodedLen(s[i]))]
			var b strings.Builder
			for k := range len(bad) {
				if k > 0 {
					b.WriteByte(' ')
				}
				const digits = "0123456789abcdef"
				b.WriteString("0x")
				b.WriteByte(digits[bad[k]>>4])
				b.WriteByte(digits[bad[k]&15])
			}
			return errs.New(errs.CharacterNotInRepertoire, "invalid byte sequence for encoding \"UTF8\": %s", b.String())
		}
		i += n
	}
	return nil
}

// encodedLen is the length of a character by its first byte.
func encodedLen(c byte) int {
	switch {
	case c&0xE0 == 0xC0:
		return 2
	case c&0xF0 == 0xE0:
		return 3
	case c&0xF8 == 0xF0:
		return 4
	}
	return 1
}

// binaryReader takes a message apart; after a failure ok is false and all reads give zero.
type binaryReader struct {
	b    []byte
	fail bool
}

func (r *binaryReader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.fail = true
		r.b = nil
		return make([]byte, min(max(n, 0), 16))
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *binaryReader) uint8() byte    { return r.take(1)[0] }
func (r *binaryReader) uint16() uint16 { return binary.BigEndian.Uint16(r.take(2)) }
func (r *binaryReader) uint32() uint32 { return binary.BigEndian.Uint32(r.take(4)) }
func (r *binaryReader) uint64() uint64 { return binary.BigEndian.Uint64(r.take(8)) }

// ParseBinary reads a value's binary form, as PostgreSQL's receive function, and makes it fit the typmod as an
// assignment does. Too few bytes are 08P01, others that make no value 22P03.
func ParseBinary(t *Type, mod int32, b []byte) (Datum, error) {
	if t.Base != nil {
		if mod == NoTypmod {
			mod = t.BaseTypmod
		}
		t = t.Base
	}
	r := binaryReader{b: b}
	d, err := r.value(t)
	switch {
	case r.fail:
		return Null, shortBinary()
	case err != nil:
		return Null, err
	case len(r.b) != 0:
		return Null, badBinary("incorrect binary data format")
	}
	if mod >= 0 {
		return ApplyTypmod(t, mod, d, false)
	}
	return d, nil
}

func (r *binaryReader) text() (Datum, error) {
	s := string(r.take(len(r.b)))
	if err := CheckText(s); err != nil {
		return Null, err
	}
	return NewString(s), nil
}

func (r *binaryReader) value(t *Type) (Datum, error) {
	switch t.class {
	case classBool:
		return NewBool(r.uint8() != 0), nil
	case classInt2:
		return NewInt(int64(int16(r.uint16()))), nil
	case classInt4:
		return NewInt(int64(int32(r.uint32()))), nil
	case classOid, classReg:
		return NewInt(int64(r.uint32())), nil
	case classInt8, classXid8, classLSN:
		return NewInt(int64(r.uint64())), nil
	case classTid:
		block := int64(r.uint32())
		return NewInt(block<<16 | int64(r.uint16())), nil
	case classFloat4:
		return NewFloat(float64(math.Float32frombits(r.uint32()))), nil
	case classFloat8:
		f := math.Float64frombits(r.uint64())
		if f != f {
			f = math.NaN() // one NaN is enough
		}
		return NewFloat(f), nil
	case classNumeric:
		return r.numeric()
	case classText, classBpchar:
		return r.text()
	case className:
		d, err := r.text()
		if err == nil && len(d.s) > 63 {
			return Null, errs.New(errs.NameTooLong, "identifier too long").WithDetail("Identifier must be less than 64 characters.")
		}
		return d, err
	case classChar:
		if c := r.uint8(); c != 0 {
			return NewString(string([]byte{c})), nil
		}
		return NewString(""), nil
	case classBytea:
		return NewString(string(r.take(len(r.b)))), nil
	case classUUID:
		return NewString(string(r.take(16))), nil
	case classJSON:
		d, err := r.text()
		if err != nil {
			return Null, err
		}
		return parseJSON(d.s)
	case classJSONB:
		if v := r.uint8(); v != 1 && !r.fail {
			return Null, errs.New(errs.InternalError, "unsupported jsonb version number %d", v)
		}
		d, err := r.text()
		if err != nil {
			return Null, err
		}
		return parseJSONB(d.s)
	case classBit:
		return r.bits()
	case classDate:
		v := int64(int32(r.uint32()))
		if v != DateInfinity && v != DateNegInfinity && (v < dateMin || v >= dateEnd) {
			return Null, dateOutOfRange()
		}
		return NewInt(v), nil
	case classTime:
		v := int64(r.uint64())
		if v < 0 || v > MicrosPerDay {
			return Null, errs.New(errs.DatetimeFieldOverflow, "time out of range")
		}
		return NewInt(v), nil
	case classTimeTZ:
		v := TimeTZ{Micros: int64(r.uint64()), Zone: int32(r.uint32())}
		if v.Micros < 0 || v.Micros > MicrosPerDay {
			return Null, errs.New(errs.DatetimeFieldOverflow, "time out of range")
		}
		if v.Zone <= -16*3600 || v.Zone >= 16*3600 {
			return Null, errs.New(errs.InvalidTimeZoneDisplacement, "time zone displacement out of range")
		}
		return NewAny(v), nil
	case classTimestamp, classTimestampTZ:
		v := int64(r.uint64())
		if isFinite(v) && (v < timestampMin || v >= timestampEnd) {
			return Null, timestampOutOfRange()
		}
		return NewInt(v), nil
	case classInterval:
		return NewAny(Interval{Micros: int64(r.uint64()), Days: int32(r.uint32()), Months: int32(r.uint32())}), nil
	case classArray, classVector:
		return r.array(t)
	case classRecord:
		return r.record(t)
	case classEnum:
		d, err := r.text()
		if err != nil {
			return Null, err
		}
		return ParseText(t, NoTypmod, d.s, DefaultEnv)
	case classRange:
		return r.rangeValue(t)
	case classVoid:
		return NewString(""), nil
	}
	if t.Kind == 'p' {
		return Null, errs.New(errs.FeatureNotSupported, "cannot accept a value of type %s", t.SQLName)
	}
	return Null, errs.New(errs.UndefinedFunction, "no binary input function available for type %s", t.SQLName)
}

// sized reads a value with its length before it. what names its place in errors.
func (r *binaryReader) sized(t *Type, what string, n int) (Datum, error) {
	size := int32(r.uint32())
	if size == -1 {
		return Null, nil
	}
	if size < -1 || int(size) > len(r.b) {
		if !r.fail {
			return Null, shortBinary()
		}
		return Null, nil
	}
	inner := binaryReader{b: r.take(int(size))}
	d, err := inner.value(t.Underlying())
	switch {
	case inner.fail:
		return Null, shortBinary()
	case err != nil:
		return Null, err
	case len(inner.b) != 0:
		return Null, badBinary("improper binary format in %s %d", what, n)
	}
	if t.Base != nil && t.BaseTypmod >= 0 {
		return ApplyTypmod(t, t.BaseTypmod, d, false)
	}
	return d, nil
}

func (r *binaryReader) array(t *Type) (Datum, error) {
	ndim, flags, elemOID := int32(r.uint32()), r.uint32(), OID(r.uint32())
	elem := t.Elem
	if elem == nil {
		elem = ByOID(elemOID)
	}
	switch {
	case r.fail:
		return Null, nil
	case ndim < 0:
		return Null, badBinary("invalid number of dimensions: %d", ndim)
	case ndim > maxArrayDims:
		return Null, errs.New(errs.ProgramLimitExceeded, "number of array dimensions (%d) exceeds the maximum allowed (%d)", ndim, maxArrayDims)
	case flags > 1:
		return Null, badBinary("invalid array flags")
	case elem == nil || elem.OID != elemOID:
		return Null, errs.New(errs.DatatypeMismatch, "binary data has array element type %d (%s) instead of expected %d (%s)",
			elemOID, typeNameOf(elemOID), t.Elem.OID, t.Elem.SQLName)
	}
	a := &Array{Elem: elem}
	count := int64(1)
	for range ndim {
		n, lower := int32(r.uint32()), int32(r.uint32())
		if n < 0 || int64(lower)+int64(n)-1 > math.MaxInt32 {
			return Null, errs.New(errs.ProgramLimitExceeded, "array size exceeds the maximum allowed (%d)", maxArrayElems)
		}
		if count *= int64(n); count > maxArrayElems {
			return Null, errs.New(errs.ProgramLimitExceeded, "array size exceeds the maximum allowed (%d)", maxArrayElems)
		}
		a.Dims, a.Lower = append(a.Dims, n), append(a.Lower, lower)
	}
	if ndim == 0 || count == 0 {
		return NewAny(&Array{Elem: elem}), nil
	}
	if count*4 > int64(len(r.b)) { // every element has a length at least
		r.fail = true
		return Null, nil
	}
	a.Elems = make([]Datum, count)
	for i := range a.Elems {
		var err error
		if a.Elems[i], err = r.sized(elem, "array element", i+1); err != nil {
			return Null, err
		}
	}
	if !a.valid() {
		return Null, errs.New(errs.ProgramLimitExceeded, "array lower bound is too large: %d", a.Lower[0])
	}
	if t.class == classVector && (len(a.Dims) != 1 || a.Lower[0] != 0) {
		return Null, badBinary("invalid %s data", t.Name)
	}
	return NewAny(a), nil
}

func typeNameOf(oid OID) string {
	if t := ByOID(oid); t != nil {
		return t.SQLName
	}
	return "-"
}

func (r *binaryReader) record(t *Type) (Datum, error) {
	if t.Fields == nil {
		return Null, errs.New(errs.FeatureNotSupported, "input of anonymous composite types is not implemented")
	}
	n := int(int32(r.uint32()))
	rec := newRecord(t)
	if n != len(rec.Values) && !r.fail {
		return Null, errs.New(errs.DatatypeMismatch, "wrong number of columns: %d, expected %d", n, len(rec.Values))
	}
	for i := range rec.Values {
		oid := OID(r.uint32())
		if oid != rec.Types[i].OID && !r.fail {
			return Null, errs.New(errs.DatatypeMismatch, "binary data has type %d (%s) instead of expected %d (%s) in record column %d",
				oid, typeNameOf(oid), rec.Types[i].OID, rec.Types[i].SQLName, i+1)
		}
		var err error
		if rec.Values[i], err = r.sized(rec.Types[i], "record column", i+1); err != nil {
			return Null, err
		}
	}
	return NewAny(rec), nil
}

func (r *binaryReader) rangeValue(t *Type) (Datum, error) {
	elem := rangeElem(t)
	flags := r.uint8()
	if flags&rangeEmptyFlag != 0 {
		return NewAny(&Range{Elem: elem, Empty: true}), nil
	}
	var lower, upper Datum
	var err error
	if flags&rangeLowerInf == 0 {
		if lower, err = r.sized(elem, "range bound", 1); err != nil {
			return Null, err
		}
	}
	if flags&rangeUpperInf == 0 {
		if upper, err = r.sized(elem, "range bound", 2); err != nil {
			return Null, err
		}
	}
	v, err := NewRange(elem, lower, upper, flags&rangeLowerInc != 0, flags&rangeUpperInc != 0)
	if err != nil {
		return Null, err
	}
	return NewAny(v), nil
}

func (r *binaryReader) bits() (Datum, error) {
	n := int(int32(r.uint32()))
	if n < 0 || n > maxBitLength {
		return Null, badBinary("invalid length in external bit string")
	}
	b := r.take((n + 7) / 8)
	if r.fail {
		return Null, nil
	}
	s := make([]byte, n)
	for i := range s {
		s[i] = '0' + b[i/8]>>(7-i%8)&1
	}
	return NewString(string(s)), nil
}

// The signs of a numeric's binary form.
const (
	numericPositiveSign uint16 = 0x0000
	numericNegativeSign uint16 = 0x4000
	numericNaNSign      uint16 = 0xC000
	numericInfSign      uint16 = 0xD000
	numericNegInfSign   uint16 = 0xF000

	infinityScale = 0x20 // what PostgreSQL sends, without meaning
)

// appendNumericBinary writes the number of groups of four digits, the weight of the first group (its power of 10000),
// the sign, the display scale, and the groups, without zero groups at either end.
func appendNumericBinary(dst []byte, d *apd.Decimal) []byte {
	head := func(groups, weight int, sign uint16, scale int) {
		dst = binary.BigEndian.AppendUint16(dst, uint16(groups))
		dst = binary.BigEndian.AppendUint16(dst, uint16(int16(weight)))
		dst = binary.BigEndian.AppendUint16(dst, sign)
		dst = binary.BigEndian.AppendUint16(dst, uint16(scale))
	}
	switch {
	case d.Form == apd.Infinite && d.Negative:
		head(0, 0, numericNegInfSign, infinityScale)
		return dst
	case d.Form == apd.Infinite:
		head(0, 0, numericInfSign, infinityScale)
		return dst
	case d.Form != apd.Finite:
		head(0, 0, numericNaNSign, 0)
		return dst
	}
	scale := int(-d.Exponent)
	if d.Coeff.Sign() == 0 {
		head(0, 0, numericPositiveSign, scale)
		return dst
	}
	sign := numericPositiveSign
	if d.Negative {
		sign = numericNegativeSign
	}
	var buf [64]byte
	digits := d.Coeff.Append(buf[:0], 10)
	// Groups are aligned at the decimal point: the first may need zeros before it, the last after it.
	integer := len(digits) - scale // digits before the point; may be negative
	weight := floorDiv(integer-1, 4)
	lead := (weight+1)*4 - integer
	groups := (lead + len(digits) + 3) / 4
	at := len(dst)
	head(groups, weight, sign, scale)
	last := 0
	for g := range groups {
		v := 0
		for k := range 4 {
			v *= 10
			if i := g*4 + k - lead; i >= 0 && i < len(digits) {
				v += int(digits[i] - '0')
			}
		}
		if v != 0 {
			last = g + 1
		}
		dst = binary.BigEndian.AppendUint16(dst, uint16(v))
	}
	dst = dst[:len(dst)-2*(groups-last)]
	binary.BigEndian.PutUint16(dst[at:], uint16(last))
	return dst
}

func (r *binaryReader) numeric() (Datum, error) {
	groups, weight, sign, scale := int(r.uint16()), int(int16(r.uint16())), r.uint16(), int(r.uint16())
	body := r.take(groups * 2)
	if r.fail {
		return Null, nil
	}
	switch sign {
	case numericNaNSign:
		return NewDecimal(numericNaN), nil
	case numericInfSign:
		return NewDecimal(numericInfinity), nil
	case numericNegInfSign:
		return NewDecimal(numericNegInfinity), nil
	case numericPositiveSign, numericNegativeSign:
	default:
		return Null, badBinary("invalid sign in external \"numeric\" value")
	}
	if scale > numericMaxScale {
		return Null, badBinary("invalid scale in external \"numeric\" value")
	}
	d := &apd.Decimal{Exponent: int32(4 * (weight - groups + 1))}
	if groups <= 4 {
		var u uint64
		for i := range groups {
			g := binary.BigEndian.Uint16(body[2*i:])
			if g > 9999 {
				return Null, badBinary("invalid digit in external \"numeric\" value")
			}
			u = u*10000 + uint64(g)
		}
		d.Coeff.SetUint64(u)
	} else {
		digits := make([]byte, 0, 4*groups)
		for i := range groups {
			g := binary.BigEndian.Uint16(body[2*i:])
			if g > 9999 {
				return Null, badBinary("invalid digit in external \"numeric\" value")
			}
			digits = append(digits, '0'+byte(g/1000), '0'+byte(g/100%10), '0'+byte(g/10%10), '0'+byte(g%10))
		}
		if _, ok := d.Coeff.SetString(string(digits), 10); !ok {
			return Null, badBinary("invalid digit in external \"numeric\" value")
		}
	}
	d.Negative = sign == numericNegativeSign && d.Coeff.Sign() != 0
	if d.Coeff.Sign() != 0 && int(d.NumDigits())+int(d.Exponent) > numericMaxDigits {
		return Null, numericOverflow()
	}
	return NewDecimal(rescale(d, scale, roundDown)), nil
}
