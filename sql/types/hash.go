package types

import (
	"encoding/binary"
	"math"
	"math/bits"
	"strconv"
	"unsafe"

	"github.com/cockroachdb/apd/v3"
)

// The hash is a multiply-and-fold mix of 64-bit words. It is the same in every process, so that the order in
// which hash aggregation returns its groups, and with it a test's output, does not change from run to run.

const (
	mixA     = 0x9e3779b97f4a7c15
	mixB     = 0xd6e8feb86659fd93
	hashNull = 0xa0761d6478bd642f
	hashNaN  = 0x7ff8000000000001
)

func mix(h, v uint64) uint64 {
	hi, lo := bits.Mul64(h^mixA^bits.RotateLeft64(v, 32), v^mixB)
	return hi ^ lo ^ bits.RotateLeft64(h, 17)
}

// finish spreads the entropy over all bits, so that any of them may choose a bucket.
func finish(h uint64) uint64 {
	h ^= h >> 32
	h *= mixB
	h ^= h >> 29
	return h
}

func hashWord(seed, v uint64) uint64 { return finish(mix(seed, v)) }

func hashBytes(seed uint64, s string) uint64 {
	h := mix(seed, uint64(len(s)))
	b := unsafe.Slice(unsafe.StringData(s), len(s))
	for len(b) >= 8 {
		h = mix(h, binary.LittleEndian.Uint64(b))
		b = b[8:]
	}
	if len(b) > 0 {
		var tail uint64
		for i, c := range b {
			tail |= uint64(c) << (8 * i)
		}
		h = mix(h, tail)
	}
	return finish(h)
}

func hashFloat(seed uint64, f float64) uint64 {
	switch {
	case f == 0:
		return hashWord(seed, 0) // -0 equals 0
	case f != f:
		return hashWord(seed, hashNaN)
	}
	return hashWord(seed, math.Float64bits(f))
}

// hashNumeric hashes the value and not the display scale.
func hashNumeric(seed uint64, d *apd.Decimal) uint64 {
	switch d.Form {
	case apd.Infinite:
		if d.Negative {
			return hashWord(seed, 1)
		}
		return hashWord(seed, 2)
	case apd.NaN, apd.NaNSignaling:
		return hashWord(seed, hashNaN)
	}
	exponent := int64(d.Exponent)
	if u, ok := smallCoeff(d); ok {
		if u == 0 {
			return hashWord(seed, 0)
		}
		for u%10 == 0 {
			u /= 10
			exponent++
		}
		h := mix(seed, u)
		if d.Negative {
			exponent = ^exponent
		}
		return finish(mix(h, uint64(exponent)))
	}
	digits := d.Coeff.String()
	n := len(digits)
	for n > 0 && digits[n-1] == '0' {
		n--
	}
	exponent += int64(len(digits) - n)
	digits = digits[:n]
	h := seed
	if u, err := strconv.ParseUint(digits, 10, 64); err == nil { // as above: the same value may have come with fewer zeros
		h = mix(seed, u)
	} else {
		h = hashBytes(seed, digits)
	}
	if d.Negative {
		exponent = ^exponent
	}
	return finish(mix(h, uint64(exponent)))
}

// Hash is equal for values of t that are Equal. The types int2, int4 and int8 hash alike. NULL is allowed.
func Hash(t *Type, d Datum, seed uint64) uint64 {
	if d.rep == RepNull {
		return hashWord(seed, hashNull)
	}
	switch t.class {
	case classFloat4, classFloat8:
		return hashFloat(seed, d.Float())
	case classNumeric:
		return hashNumeric(seed, d.Decimal())
	case classBpchar:
		return hashBytes(seed, trimBlanks(d.s))
	case classJSONB:
		return hashJSONB(seed, d.s)
	case classInterval:
		hi, lo := d.x.(Interval).span()
		return finish(mix(mix(seed, uint64(hi)), lo))
	case classTimeTZ:
		v := d.x.(TimeTZ)
		return finish(mix(mix(seed, uint64(v.utc())), uint64(v.Zone)))
	case classArray, classVector:
		a := d.x.(*Array)
		h := mix(seed, uint64(len(a.Elems)))
		for _, e := range a.Elems {
			h = Hash(a.Elem, e, h)
		}
		return h
	case classRecord:
		r := d.x.(*Record)
		h := seed
		for i, v := range r.Values {
			h = Hash(r.Types[i], v, h)
		}
		return h
	case classRange:
		r := d.x.(*Range)
		if r.Empty {
			return hashWord(seed, 1)
		}
		h := Hash(r.Elem, r.Lower, seed)
		h = Hash(r.Elem, r.Upper, h)
		return hashWord(h, uint64(NewBool(r.LowerInc).i|NewBool(r.UpperInc).i<<1))
	}
	if t.Rep == RepInt {
		return hashWord(seed, uint64(d.i))
	}
	return hashBytes(seed, d.s)
}

// HashVec mixes the hash of each row of v that rows names into hashes, which has one entry for each of
// those rows, in their order: hashes[k] becomes Hash(v.Type, value of the k-th row, hashes[k]).
func HashVec(v *Vec, rows Rows, hashes []uint64) {
	hashes = hashes[:rows.N]
	switch {
	case v.Const || len(v.Nulls) != 0 || rows.Sel != nil:
		hashVecGeneral(v, rows, hashes)
	case v.Type.Rep == RepInt:
		for i, x := range v.I[:rows.N] {
			hashes[i] = hashWord(hashes[i], uint64(x))
		}
	case v.Type.Rep == RepString && v.Type.class != classBpchar && v.Type.class != classJSONB:
		for i, x := range v.S[:rows.N] {
			hashes[i] = hashBytes(hashes[i], x)
		}
	default:
		hashVecGeneral(v, rows, hashes)
	}
}

func hashVecGeneral(v *Vec, rows Rows, hashes []uint64) {
	for k := range hashes {
		i := k
		if rows.Sel != nil {
			i = int(rows.Sel[k])
		}
		switch {
		case v.IsNull(i):
			hashes[k] = hashWord(hashes[k], hashNull)
		case v.Const:
			hashes[k] = Hash(v.Type, v.Datum(0), hashes[k])
		case v.Type.Rep == RepInt:
			hashes[k] = hashWord(hashes[k], uint64(v.I[i]))
		case v.Type.Rep == RepDecimal:
			hashes[k] = hashNumeric(hashes[k], v.D[i])
		default:
			hashes[k] = Hash(v.Type, v.Datum(i), hashes[k])
		}
	}
}
