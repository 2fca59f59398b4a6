package types

import (
	"encoding/binary"
	"math"

	"github.com/cockroachdb/apd/v3"

	"holdfast/sql/errs"
)

// The stored form of single values: of fixed width, or as many bytes as it takes. It keeps values exactly, the display
// scale of a numeric included, and is not ordered.

func putFixed(b []byte, width int32, t *Type, d Datum) {
	switch width {
	case 1:
		b[0] = byte(d.i)
	case 2:
		binary.LittleEndian.PutUint16(b, uint16(d.i))
	case 4:
		if t.Rep == RepFloat {
			binary.LittleEndian.PutUint32(b, math.Float32bits(float32(d.Float())))
			return
		}
		binary.LittleEndian.PutUint32(b, uint32(d.i))
	case 8:
		binary.LittleEndian.PutUint64(b, uint64(d.i))
	case 12:
		v := d.x.(TimeTZ)
		binary.LittleEndian.PutUint64(b, uint64(v.Micros))
		binary.LittleEndian.PutUint32(b[8:], uint32(v.Zone))
	case 16:
		if t.Rep == RepString {
			copy(b[:16], d.s)
			return
		}
		v := d.x.(Interval)
		binary.LittleEndian.PutUint64(b, uint64(v.Micros))
		binary.LittleEndian.PutUint32(b[8:], uint32(v.Days))
		binary.LittleEndian.PutUint32(b[12:], uint32(v.Months))
	}
}

// unsignedFixed reports whether the four bytes of a type's values are an unsigned number.
func unsignedFixed(t *Type) bool {
	return t.class == classOid || t.class == classReg || t.class == classEnum
}

func getFixed(b []byte, width int32, t *Type) Datum {
	switch width {
	case 1:
		return NewInt(int64(b[0]))
	case 2:
		return NewInt(int64(int16(binary.LittleEndian.Uint16(b))))
	case 4:
		u := binary.LittleEndian.Uint32(b)
		switch {
		case t.Rep == RepFloat:
			return NewFloat(float64(math.Float32frombits(u)))
		case unsignedFixed(t):
			return NewInt(int64(u))
		}
		return NewInt(int64(int32(u)))
	case 8:
		if t.Rep == RepFloat {
			return Datum{rep: RepFloat, i: int64(binary.LittleEndian.Uint64(b))}
		}
		return NewInt(int64(binary.LittleEndian.Uint64(b)))
	case 12:
		return NewAny(getTimeTZ(b))
	}
	if t.Rep == RepString {
		return NewString(string(b[:16]))
	}
	return NewAny(getInterval(b))
}

func getTimeTZ(b []byte) TimeTZ {
	return TimeTZ{Micros: int64(binary.LittleEndian.Uint64(b)), Zone: int32(binary.LittleEndian.Uint32(b[8:]))}
}

func getInterval(b []byte) Interval {
	return Interval{
		Micros: int64(binary.LittleEndian.Uint64(b)),
		Days:   int32(binary.LittleEndian.Uint32(b[8:])),
		Months: int32(binary.LittleEndian.Uint32(b[12:])),
	}
}

// The head byte of a stored numeric.
const (
	storedNegative byte = 1 << iota
	storedNaN
	storedInfinite
)

// appendStoredNumeric writes a head, the scale as a uvarint, and the coefficient in big-endian bytes.
func appendStoredNumeric(dst []byte, d *apd.Decimal) []byte {
	var head byte
	if d.Negative {
		head = storedNegative
	}
	switch d.Form {
	case apd.Finite:
	case apd.Infinite:
		return append(dst, head|storedInfinite)
	default:
		return append(dst, storedNaN)
	}
	dst = append(dst, head)
	dst = binary.AppendUvarint(dst, uint64(-d.Exponent))
	if u, ok := smallCoeff(d); ok {
		if u == 0 {
			return dst
		}
		var b [8]byte
		binary.BigEndian.PutUint64(b[:], u)
		return append(dst, b[8-byteLen(u):]...)
	}
	return append(dst, d.Coeff.Bytes()...)
}

// decodeStoredNumeric reads into d, which must be zero; false for what appendStoredNumeric does not write.
func decodeStoredNumeric(d *apd.Decimal, b []byte) bool {
	if len(b) == 0 {
		return false
	}
	head := b[0]
	d.Negative = head&storedNegative != 0
	switch head &^ storedNegative {
	case 0:
	case storedInfinite:
		d.Form = apd.Infinite
		return len(b) == 1
	case storedNaN:
		d.Form = apd.NaN
		return len(b) == 1 && !d.Negative
	default:
		return false
	}
	scale, n := binary.Uvarint(b[1:])
	if n <= 0 || scale > numericMaxScale {
		return false
	}
	d.Exponent = -int32(scale)
	b = b[1+n:]
	if len(b) <= 8 {
		var u uint64
		for _, c := range b {
			u = u<<8 | uint64(c)
		}
		d.Coeff.SetUint64(u)
		return !d.Negative || u != 0
	}
	d.Coeff.SetBytes(b)
	return true
}

// appendVariable appends the stored form of a non-NULL value of variable width, or of one within an array or record.
func appendVariable(dst []byte, t *Type, d Datum) []byte {
	switch t.Rep {
	case RepString:
		return append(dst, d.s...)
	case RepDecimal:
		return appendStoredNumeric(dst, d.x.(*apd.Decimal))
	}
	if w := fixedWidth(t); w > 0 {
		n := len(dst)
		dst = appendZeros(dst, int(w))
		putFixed(dst[n:], w, t, d)
		return dst
	}
	switch v := d.x.(type) {
	case *Array:
		dst = binary.AppendUvarint(dst, uint64(v.Elem.OID))
		dst = binary.AppendUvarint(dst, uint64(len(v.Dims)))
		for i := range v.Dims {
			dst = binary.AppendUvarint(dst, uint64(v.Dims[i]))
			dst = binary.AppendVarint(dst, int64(v.Lower[i]))
		}
		for _, e := range v.Elems {
			dst = EncodeDatum(dst, v.Elem, e)
		}
	case *Record:
		dst = binary.AppendUvarint(dst, uint64(len(v.Values)))
		for i, f := range v.Values {
			dst = binary.AppendUvarint(dst, uint64(v.Types[i].OID))
			dst = EncodeDatum(dst, v.Types[i], f)
		}
	case *Range:
		flags := NewBool(v.Empty).i | NewBool(v.LowerInc).i<<1 | NewBool(v.UpperInc).i<<2
		dst = append(dst, byte(flags))
		dst = EncodeDatum(dst, v.Elem, v.Lower)
		dst = EncodeDatum(dst, v.Elem, v.Upper)
	}
	return dst
}

func corruptValue(t *Type) *errs.Error {
	return errs.New(errs.DataCorrupted, "stored value of type %s is corrupted", t.SQLName)
}

// decodeVariable reads what appendVariable wrote; strings are copies.
func decodeVariable(t *Type, b []byte) (Datum, error) {
	switch t.Rep {
	case RepString:
		return NewString(string(b)), nil
	case RepDecimal:
		d := new(apd.Decimal)
		if !decodeStoredNumeric(d, b) {
			return Null, corruptValue(t)
		}
		return NewDecimal(d), nil
	}
	if w := fixedWidth(t); w > 0 {
		if len(b) != int(w) {
			return Null, corruptValue(t)
		}
		return getFixed(b, w, t), nil
	}
	var d Datum
	var rest []byte
	var err error
	switch t.class {
	case classArray, classVector:
		d, rest, err = decodeStoredArray(t, b)
	case classRecord:
		d, rest, err = decodeStoredRecord(t, b)
	case classRange:
		d, rest, err = decodeStoredRange(t, b)
	default:
		return Null, corruptValue(t)
	}
	if err != nil {
		return Null, err
	}
	if len(rest) != 0 {
		return Null, corruptValue(t)
	}
	return d, nil
}

func decodeStoredArray(t *Type, b []byte) (Datum, []byte, error) {
	oid, n := binary.Uvarint(b)
	if n <= 0 {
		return Null, nil, corruptValue(t)
	}
	b = b[n:]
	elem := t.Elem
	if elem == nil { // anyarray
		elem = ByOID(OID(oid))
	}
	if elem == nil || uint64(elem.OID) != oid {
		return Null, nil, corruptValue(t)
	}
	a := &Array{Elem: elem}
	dims, n := binary.Uvarint(b)
	if n <= 0 || dims > maxArrayDims {
		return Null, nil, corruptValue(t)
	}
	b = b[n:]
	count := uint64(1)
	for range dims {
		length, n := binary.Uvarint(b)
		if n <= 0 {
			return Null, nil, corruptValue(t)
		}
		b = b[n:]
		lower, n := binary.Varint(b)
		if n <= 0 || lower != int64(int32(lower)) || length > maxArrayElems {
			return Null, nil, corruptValue(t)
		}
		b = b[n:]
		a.Dims = append(a.Dims, int32(length))
		a.Lower = append(a.Lower, int32(lower))
		count *= length
		if count > uint64(len(b))+1 { // every element takes a byte at least
			return Null, nil, corruptValue(t)
		}
	}
	if dims == 0 {
		count = 0
	}
	a.Elems = make([]Datum, count)
	var err error
	for i := range a.Elems {
		if a.Elems[i], b, err = DecodeDatum(elem, b); err != nil {
			return Null, nil, err
		}
	}
	if !a.valid() {
		return Null, nil, corruptValue(t)
	}
	return NewAny(a), b, nil
}

func decodeStoredRecord(t *Type, b []byte) (Datum, []byte, error) {
	count, n := binary.Uvarint(b)
	if n <= 0 || count > uint64(len(b)) {
		return Null, nil, corruptValue(t)
	}
	b = b[n:]
	r := &Record{Types: make([]*Type, count), Values: make([]Datum, count)}
	if t.Fields != nil {
		r = newRecord(t)
	}
	for i := range int(count) {
		oid, n := binary.Uvarint(b)
		if n <= 0 {
			return Null, nil, corruptValue(t)
		}
		b = b[n:]
		if t.Fields == nil {
			r.Types[i] = ByOID(OID(oid))
		} else if i >= len(r.Types) {
			return Null, nil, corruptValue(t)
		}
		if r.Types[i] == nil || uint64(r.Types[i].OID) != oid {
			return Null, nil, corruptValue(t)
		}
		var err error
		if r.Values[i], b, err = DecodeDatum(r.Types[i], b); err != nil {
			return Null, nil, err
		}
	}
	return NewAny(r), b, nil
}

func decodeStoredRange(t *Type, b []byte) (Datum, []byte, error) {
	if len(b) == 0 || b[0] > 7 {
		return Null, nil, corruptValue(t)
	}
	r := &Range{Elem: rangeElem(t), Empty: b[0]&1 != 0, LowerInc: b[0]&2 != 0, UpperInc: b[0]&4 != 0}
	var err error
	if r.Lower, b, err = DecodeDatum(r.Elem, b[1:]); err != nil {
		return Null, nil, err
	}
	if r.Upper, b, err = DecodeDatum(r.Elem, b); err != nil {
		return Null, nil, err
	}
	return NewAny(r), b, nil
}

// EncodeDatum appends a value or NULL in a form that DecodeDatum reads back and finds the end of: for spilled rows,
// statistics, and values kept in the catalog. Values of records and arrays of types that are not built in
// need the same types to be known when they are read.
func EncodeDatum(dst []byte, t *Type, d Datum) []byte {
	if d.rep == RepNull {
		return append(dst, 0)
	}
	start := len(dst)
	dst = appendVariable(append(dst, 0), t, d)
	size := uint64(len(dst)-start-1) + 1
	if size < 0x80 {
		dst[start] = byte(size)
		return dst
	}
	// The length takes more than the byte left for it.
	var head [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(head[:], size)
	dst = appendZeros(dst, n-1)
	copy(dst[start+n:], dst[start+1:])
	copy(dst[start:], head[:n])
	return dst
}

// DecodeDatum reads what EncodeDatum wrote and returns the rest. Strings are copies.
func DecodeDatum(t *Type, b []byte) (Datum, []byte, error) {
	size, n := binary.Uvarint(b)
	if n <= 0 {
		return Null, nil, corruptValue(t)
	}
	b = b[n:]
	if size == 0 {
		return Null, b, nil
	}
	if size--; size > uint64(len(b)) {
		return Null, nil, corruptValue(t)
	}
	d, err := decodeVariable(t, b[:size])
	if err != nil {
		return Null, nil, err
	}
	return d, b[size:], nil
}
