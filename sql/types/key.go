package types

import (
	"encoding/binary"
	"math"
	"strings"
	"unsafe"

	"github.com/cockroachdb/apd/v3"

	"holdfast/sql/errs"
)

// Keys.
//
// The encoding of a value is such that bytewise order of encodings is Compare's order of values, equal values have
// equal encodings, and no encoding is a prefix of another: so the encodings of several columns may be put one after
// the other. In descending order every byte is complemented. NULL is one byte, 0x00 or 0xFF, which no value
// begins with, complemented or not; so NULLs go first or last independently of the direction.
//
//	integers    one byte for -16..207; else a byte that tells sign and length, then the significant bytes
//	floats      tag, then the bits, flipped so that they sort as unsigned numbers; -0 is 0
//	strings     tag, the bytes with 0x00 written as 0x00 0xFF, then 0x00 0x01
//	uuid        tag, 16 bytes
//	numeric     a byte for the form and sign, exponent as an integer, then pairs of digits; complemented if negative
//	interval    tag, the length in µs in 16 bytes
//	arrays      tag, elements each after 0x02, then 0x01, then the shape
//
// int2, int4 and int8 are encoded alike, as are date and timestamps, so that an index on one is searched with the other.

const (
	keyNullFirst byte = 0x00
	keyNullLast  byte = 0xFF
	keyTag       byte = 0x10 // of everything that is not an integer or a numeric

	keyIntSmall byte = 0x20 // of zero; small integers are around it
	keyIntLow        = -16
	keyIntHigh       = 207
	keyIntNeg   byte = 0x10 // minus the number of bytes
	keyIntPos   byte = 0xEF // plus the number of bytes

	keyElement byte = 0x02
	keyEnd     byte = 0x01

	keyNumNegInf byte = 0x10
	keyNumNeg    byte = 0x20
	keyNumZero   byte = 0x30
	keyNumPos    byte = 0x40
	keyNumInf    byte = 0x50
	keyNumNaN    byte = 0x60

	keyRangeEmpty byte = 0x10
	keyRange      byte = 0x20
)

// AppendKey appends a value or NULL so that bytewise order is Compare's order, or the opposite if desc. The type must
// have an order (HasOrder).
func AppendKey(dst []byte, t *Type, d Datum, desc, nullsFirst bool) []byte {
	if d.rep == RepNull {
		if nullsFirst {
			return append(dst, keyNullFirst)
		}
		return append(dst, keyNullLast)
	}
	start := len(dst)
	dst = appendKeyValue(dst, t, d)
	if desc {
		complement(dst[start:])
	}
	return dst
}

// AppendKeyVec is AppendKey for row i of a vector.
func AppendKeyVec(dst []byte, v *Vec, i int, desc, nullsFirst bool) []byte {
	if v.Const {
		i = 0
	}
	if v.Type.Rep == RepInt && v.Type.class != classEnum && !v.Nulls.Has(i) {
		start := len(dst)
		dst = appendKeyInt(dst, v.I[i])
		if desc {
			complement(dst[start:])
		}
		return dst
	}
	return AppendKey(dst, v.Type, v.Datum(i), desc, nullsFirst)
}

func complement(b []byte) {
	for i := range b {
		b[i] = ^b[i]
	}
}

func appendKeyValue(dst []byte, t *Type, d Datum) []byte {
	switch t.class {
	case classEnum:
		return appendKeyFloat(dst, float64(t.labelSort(OID(d.i))))
	case classFloat4, classFloat8:
		return appendKeyFloat(dst, d.Float())
	case classNumeric:
		return appendKeyNumeric(dst, d.x.(*apd.Decimal))
	case classBpchar:
		return appendKeyString(dst, trimBlanks(d.s))
	case classUUID:
		return append(append(dst, keyTag), d.s...)
	case classInterval:
		hi, lo := d.x.(Interval).span()
		dst = binary.BigEndian.AppendUint64(append(dst, keyTag), uint64(hi)^1<<63)
		return binary.BigEndian.AppendUint64(dst, lo)
	case classTimeTZ:
		v := d.x.(TimeTZ)
		return appendKeyInt(appendKeyInt(dst, v.utc()), int64(v.Zone))
	case classJSONB:
		return appendKeyJSONB(dst, d.s)
	case classArray, classVector:
		a := d.x.(*Array)
		dst = append(dst, keyTag)
		for _, e := range a.Elems {
			dst = AppendKey(append(dst, keyElement), a.Elem, e, false, false)
		}
		dst = appendKeyInt(append(dst, keyEnd), int64(len(a.Dims)))
		for _, n := range a.Dims {
			dst = appendKeyInt(dst, int64(n))
		}
		for _, n := range a.Lower {
			dst = appendKeyInt(dst, int64(n))
		}
		return dst
	case classRecord:
		r := d.x.(*Record)
		dst = append(dst, keyTag)
		for i, v := range r.Values {
			dst = AppendKey(append(dst, keyElement), r.Types[i], v, false, false)
		}
		return append(dst, keyEnd)
	case classRange:
		return appendKeyRange(dst, d.x.(*Range))
	}
	if t.Rep == RepInt {
		return appendKeyInt(dst, d.i)
	}
	return appendKeyString(dst, d.s)
}

func appendKeyInt(dst []byte, v int64) []byte {
	if v >= keyIntLow && v <= keyIntHigh {
		return append(dst, byte(int64(keyIntSmall)+v))
	}
	u := uint64(v)
	if v < 0 {
		u = ^u
	}
	n := byteLen(u)
	if v < 0 {
		dst = append(dst, keyIntNeg-byte(n))
	} else {
		dst = append(dst, keyIntPos+byte(n))
	}
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(v))
	return append(dst, b[8-n:]...)
}

// byteLen is the number of bytes of u, at least 1.
func byteLen(u uint64) int {
	n := 1
	for u >>= 8; u != 0; u >>= 8 {
		n++
	}
	return n
}

func appendKeyFloat(dst []byte, f float64) []byte {
	if f == 0 {
		f = 0 // not -0
	}
	u := math.Float64bits(f)
	switch {
	case f != f:
		u = math.MaxUint64
	case u>>63 != 0:
		u = ^u
	default:
		u |= 1 << 63
	}
	return binary.BigEndian.AppendUint64(append(dst, keyTag), u)
}

func appendKeyString(dst []byte, s string) []byte {
	dst = append(dst, keyTag)
	for {
		i := strings.IndexByte(s, 0)
		if i < 0 {
			break
		}
		dst = append(dst, s[:i]...)
		dst = append(dst, 0x00, 0xFF)
		s = s[i+1:]
	}
	dst = append(dst, s...)
	return append(dst, 0x00, 0x01)
}

// appendKeyNumeric writes 0.d1d2d3... * 10^e: e, then the digits by pairs, plus one, then 0x00.
func appendKeyNumeric(dst []byte, d *apd.Decimal) []byte {
	switch {
	case d.Form == apd.Infinite && d.Negative:
		return append(dst, keyNumNegInf)
	case d.Form == apd.Infinite:
		return append(dst, keyNumInf)
	case d.Form != apd.Finite:
		return append(dst, keyNumNaN)
	case d.Coeff.Sign() == 0:
		return append(dst, keyNumZero)
	}
	var buf [40]byte
	digits := d.Coeff.Append(buf[:0], 10)
	exponent := int64(len(digits)) + int64(d.Exponent)
	n := len(digits)
	for digits[n-1] == '0' {
		n--
	}
	digits = digits[:n]
	tag := keyNumPos
	if d.Negative {
		tag = keyNumNeg
	}
	dst = append(dst, tag)
	start := len(dst)
	dst = appendKeyInt(dst, exponent)
	for i := 0; i < n; i += 2 {
		pair := (digits[i] - '0') * 10
		if i+1 < n {
			pair += digits[i+1] - '0'
		}
		dst = append(dst, pair+1)
	}
	dst = append(dst, 0)
	if d.Negative {
		complement(dst[start:])
	}
	return dst
}

func appendKeyRange(dst []byte, r *Range) []byte {
	if r.Empty {
		return append(dst, keyRangeEmpty)
	}
	dst = append(dst, keyRange)
	dst = AppendKey(dst, r.Elem, r.Lower, false, true)
	if !r.Lower.IsNull() {
		dst = append(dst, byte(NewBool(!r.LowerInc).i))
	}
	dst = AppendKey(dst, r.Elem, r.Upper, false, false)
	if !r.Upper.IsNull() {
		dst = append(dst, byte(NewBool(r.UpperInc).i))
	}
	return dst
}

// KeyIsExact reports whether DecodeKey gives back the very value, and not only one that compares equal:
// it does not for numeric (the display scale is lost), bpchar (blanks), float (-0), interval (30 days are a month),
// jsonb, anonymous records, and what contains them.
func KeyIsExact(t *Type) bool {
	switch t.class {
	case classNumeric, classBpchar, classInterval, classFloat4, classFloat8, classJSONB, classRange, classNone:
		return false
	case classArray:
		return t.Elem != nil && KeyIsExact(t.Elem)
	case classRecord:
		for _, f := range t.Fields {
			if !KeyIsExact(f.Type) {
				return false
			}
		}
		return t.Fields != nil
	}
	return HasOrder(t)
}

func corruptKey(t *Type) *errs.Error {
	return errs.New(errs.DataCorrupted, "key of type %s is corrupted", t.SQLName)
}

// DecodeKey reads what AppendKey wrote and returns the rest. KeyIsExact tells whether it is the same value or
// only an equal one: a numeric comes back with the least scale, bpchar without trailing blanks, an interval as months
// of 30 days. Jsonb and anonymous records cannot be decoded (0A000). Bytes that AppendKey did not write are XX001.
func DecodeKey(t *Type, b []byte, desc, nullsFirst bool) (Datum, []byte, error) {
	if len(b) == 0 {
		return Null, nil, corruptKey(t)
	}
	if nullsFirst && b[0] == keyNullFirst || !nullsFirst && b[0] == keyNullLast {
		return Null, b[1:], nil
	}
	k := keyReader{b: b}
	if desc {
		k.mask = 0xFF
	}
	d, ok := k.value(t)
	if !ok {
		if k.unsupported {
			return Null, nil, errs.Unsupported("decoding a key of type %s", t.SQLName)
		}
		return Null, nil, corruptKey(t)
	}
	return d, k.b, nil
}

// SkipKey is the rest of b after the key of one value.
func SkipKey(t *Type, b []byte, desc, nullsFirst bool) ([]byte, error) {
	if t.class == classJSONB && len(b) > 0 && b[0] != keyNullFirst && b[0] != keyNullLast {
		k := keyReader{b: b}
		if desc {
			k.mask = 0xFF
		}
		if !k.skipJSONB() {
			return nil, corruptKey(t)
		}
		return k.b, nil
	}
	_, rest, err := DecodeKey(t, b, desc, nullsFirst)
	return rest, err
}

// keyReader takes a key apart; mask is 0xFF where bytes are complemented.
type keyReader struct {
	b           []byte
	mask        byte
	unsupported bool
}

func (k *keyReader) next() (byte, bool) {
	if len(k.b) == 0 {
		return 0, false
	}
	c := k.b[0] ^ k.mask
	k.b = k.b[1:]
	return c, true
}

func (k *keyReader) tag() bool {
	c, ok := k.next()
	return ok && c == keyTag
}

func (k *keyReader) fixed(dst []byte) bool {
	if len(k.b) < len(dst) {
		return false
	}
	for i := range dst {
		dst[i] = k.b[i] ^ k.mask
	}
	k.b = k.b[len(dst):]
	return true
}

func (k *keyReader) uint64() (uint64, bool) {
	var b [8]byte
	ok := k.fixed(b[:])
	return binary.BigEndian.Uint64(b[:]), ok
}

func (k *keyReader) int() (int64, bool) {
	c, ok := k.next()
	if !ok {
		return 0, false
	}
	if c >= keyIntNeg && c <= keyIntPos {
		return int64(c) - int64(keyIntSmall), true
	}
	n, neg := int(c-keyIntPos), false
	if c < keyIntNeg {
		n, neg = int(keyIntNeg-c), true
	}
	if n > 8 {
		return 0, false
	}
	var b [8]byte
	if neg {
		b = [8]byte{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}
	}
	if !k.fixed(b[8-n:]) {
		return 0, false
	}
	v := int64(binary.BigEndian.Uint64(b[:]))
	return v, (v < 0) == neg
}

func (k *keyReader) float() (float64, bool) {
	if !k.tag() {
		return 0, false
	}
	u, ok := k.uint64()
	switch {
	case !ok:
		return 0, false
	case u == math.MaxUint64:
		return math.NaN(), true
	case u>>63 != 0:
		return math.Float64frombits(u &^ (1 << 63)), true
	}
	return math.Float64frombits(^u), true
}

func (k *keyReader) string() (string, bool) {
	if !k.tag() {
		return "", false
	}
	zero := k.mask
	plain := true
	for i := 0; i+1 < len(k.b); i++ {
		if k.b[i] != zero {
			continue
		}
		switch k.b[i+1] ^ k.mask {
		case 0x01:
			s := k.unescape(k.b[:i], plain)
			k.b = k.b[i+2:]
			return s, true
		case 0xFF:
			plain = false
			i++
		default:
			return "", false
		}
	}
	return "", false
}

func (k *keyReader) unescape(b []byte, plain bool) string {
	if plain && k.mask == 0 {
		return string(b)
	}
	s := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		c := b[i] ^ k.mask
		s = append(s, c)
		if c == 0 {
			i++
		}
	}
	return unsafe.String(unsafe.SliceData(s), len(s))
}

func (k *keyReader) numeric() (*apd.Decimal, bool) {
	tag, ok := k.next()
	if !ok {
		return nil, false
	}
	switch tag {
	case keyNumNegInf:
		return numericNegInfinity, true
	case keyNumInf:
		return numericInfinity, true
	case keyNumNaN:
		return numericNaN, true
	case keyNumZero:
		return numericZero, true
	case keyNumPos, keyNumNeg:
	default:
		return nil, false
	}
	if tag == keyNumNeg {
		k.mask = ^k.mask
		defer func() { k.mask = ^k.mask }()
	}
	exponent, ok := k.int()
	if !ok || exponent > numericMaxDigits || exponent < -numericMaxScale {
		return nil, false
	}
	var buf [40]byte
	digits := buf[:0]
	for {
		c, ok := k.next()
		if !ok || c > 100 {
			return nil, false
		}
		if c == 0 {
			break
		}
		digits = append(digits, '0'+(c-1)/10, '0'+(c-1)%10)
	}
	if len(digits) == 0 {
		return nil, false
	}
	if digits[len(digits)-1] == '0' {
		digits = digits[:len(digits)-1]
	}
	scale := int64(len(digits)) - exponent
	for ; scale < 0; scale++ {
		digits = append(digits, '0')
	}
	if scale > numericMaxScale {
		return nil, false
	}
	d := &apd.Decimal{Exponent: int32(-scale), Negative: tag == keyNumNeg}
	if len(digits) <= 18 {
		var u uint64
		for _, c := range digits {
			u = u*10 + uint64(c-'0')
		}
		d.Coeff.SetUint64(u)
	} else if _, ok := d.Coeff.SetString(string(digits), 10); !ok {
		return nil, false
	}
	return d, d.Coeff.Sign() != 0
}

func (k *keyReader) value(t *Type) (Datum, bool) {
	switch t.class {
	case classEnum:
		f, ok := k.float()
		if !ok {
			return Null, false
		}
		for i := range t.Labels {
			if float64(t.Labels[i].Sort) == f {
				return NewInt(int64(t.Labels[i].OID)), true
			}
		}
		return Null, false
	case classFloat4:
		f, ok := k.float()
		return NewFloat(f), ok && (f != f || float64(float32(f)) == f)
	case classFloat8:
		f, ok := k.float()
		return NewFloat(f), ok
	case classNumeric:
		d, ok := k.numeric()
		if !ok {
			return Null, false
		}
		return NewDecimal(d), true
	case classUUID:
		var u [16]byte
		ok := k.tag() && k.fixed(u[:])
		return NewString(string(u[:])), ok
	case classInterval:
		return k.interval()
	case classTimeTZ:
		utc, ok1 := k.int()
		zone, ok2 := k.int()
		if zone != int64(int32(zone)) {
			return Null, false
		}
		return NewAny(TimeTZ{Micros: utc - zone*MicrosPerSecond, Zone: int32(zone)}), ok1 && ok2
	case classArray, classVector:
		if t.Elem == nil {
			k.unsupported = true
			return Null, false
		}
		return k.array(t)
	case classRecord:
		return k.record(t)
	case classRange:
		return k.rangeValue(t)
	case classJSONB, classJSON, classNone, classVoid:
		k.unsupported = true
		return Null, false
	}
	if t.Rep == RepInt {
		v, ok := k.int()
		return NewInt(v), ok
	}
	s, ok := k.string()
	return NewString(s), ok
}

// element reads a value with NULLs last, as in arrays and records; first tells where NULLs are.
func (k *keyReader) element(t *Type, nullsFirst bool) (Datum, bool) {
	if len(k.b) == 0 {
		return Null, false
	}
	if c := k.b[0] ^ k.mask; nullsFirst && c == keyNullFirst || !nullsFirst && c == keyNullLast {
		k.b = k.b[1:]
		return Null, true
	}
	return k.value(t)
}

func (k *keyReader) interval() (Datum, bool) {
	if !k.tag() {
		return Null, false
	}
	hi, ok1 := k.uint64()
	lo, ok2 := k.uint64()
	if !ok1 || !ok2 {
		return Null, false
	}
	iv, ok := intervalFromSpan(int64(hi^1<<63), lo)
	return NewAny(iv), ok
}

func (k *keyReader) array(t *Type) (Datum, bool) {
	if !k.tag() {
		return Null, false
	}
	a := &Array{Elem: t.Elem}
	for {
		c, ok := k.next()
		if !ok || c != keyElement && c != keyEnd {
			return Null, false
		}
		if c == keyEnd {
			break
		}
		e, ok := k.element(t.Elem, false)
		if !ok {
			return Null, false
		}
		a.Elems = append(a.Elems, e)
	}
	n, ok := k.int()
	if !ok || n < 0 || n > maxArrayDims {
		return Null, false
	}
	shape := make([]int32, 2*n)
	for i := range shape {
		v, ok := k.int()
		if !ok || v != int64(int32(v)) {
			return Null, false
		}
		shape[i] = int32(v)
	}
	if n > 0 {
		a.Dims, a.Lower = shape[:n:n], shape[n:]
	}
	return NewAny(a), a.valid()
}

func (k *keyReader) record(t *Type) (Datum, bool) {
	if t.Fields == nil {
		k.unsupported = true
		return Null, false
	}
	if !k.tag() {
		return Null, false
	}
	r := newRecord(t)
	for i := range r.Values {
		if c, ok := k.next(); !ok || c != keyElement {
			return Null, false
		}
		v, ok := k.element(r.Types[i], false)
		if !ok {
			return Null, false
		}
		r.Values[i] = v
	}
	c, ok := k.next()
	return NewAny(r), ok && c == keyEnd
}

func (k *keyReader) rangeValue(t *Type) (Datum, bool) {
	elem := rangeElem(t)
	r := &Range{Elem: elem}
	c, ok := k.next()
	switch {
	case !ok || c != keyRange && c != keyRangeEmpty:
		return Null, false
	case c == keyRangeEmpty:
		r.Empty = true
		return NewAny(r), true
	}
	if r.Lower, ok = k.element(elem, true); !ok {
		return Null, false
	}
	if !r.Lower.IsNull() {
		c, ok := k.next()
		if !ok || c > 1 {
			return Null, false
		}
		r.LowerInc = c == 0
	}
	if r.Upper, ok = k.element(elem, false); !ok {
		return Null, false
	}
	if !r.Upper.IsNull() {
		c, ok := k.next()
		if !ok || c > 1 {
			return Null, false
		}
		r.UpperInc = c == 1
	}
	return NewAny(r), true
}
