package accumulator

import (
	"encoding/binary"
	"math/big"
	"math/bits"

	"github.com/cockroachdb/apd/v3"
)

// number is an integer of any size. It is in n, and only if it does not fit there in big, which is never changed in place.
type number struct {
	n   int64
	big *big.Int
}

func (x *number) zero() bool { return x.big == nil && x.n == 0 }

func (x *number) value() *big.Int {
	if x.big != nil {
		return x.big
	}
	return big.NewInt(x.n)
}

func (x *number) set(v *big.Int) {
	if v.IsInt64() {
		*x = number{n: v.Int64()}
	} else {
		*x = number{big: v}
	}
}

// add adds another number, or with sign -1 takes it away.
func (x *number) add(y number, sign int64) {
	if x.big == nil && y.big == nil {
		if sign > 0 {
			if r := x.n + y.n; (x.n^r)&(y.n^r) >= 0 {
				x.n = r
				return
			}
		} else if r := x.n - y.n; (x.n^y.n)&(x.n^r) >= 0 {
			x.n = r
			return
		}
	}
	if sign > 0 {
		x.set(new(big.Int).Add(x.value(), y.value()))
	} else {
		x.set(new(big.Int).Sub(x.value(), y.value()))
	}
}

// scale multiplies by a power of ten.
func (x *number) scale(digits int32) {
	if x.zero() {
		return
	}
	if x.big == nil && digits < int32(len(powers)) {
		p := powers[digits]
		u := uint64(x.n)
		if x.n < 0 {
			u = -u
		}
		if hi, lo := bits.Mul64(u, uint64(p)); hi == 0 && lo < 1<<63 {
			x.n *= p
			return
		}
	}
	x.set(new(big.Int).Mul(x.value(), new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(digits)), nil)))
}

var powers = func() (p [19]int64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return p
}()

// tenth divides by ten, if that leaves no rest.
func (x *number) tenth() bool {
	if x.big == nil {
		if x.n%10 != 0 {
			return false
		}
		x.n /= 10
		return true
	}
	q, r := new(big.Int).QuoRem(x.big, big.NewInt(10), new(big.Int))
	if r.Sign() != 0 {
		return false
	}
	x.set(q)
	return true
}

// decimal is the number in units of 10^-scale.
func (x *number) decimal(scale int32) *apd.Decimal {
	v := x.value()
	d := &apd.Decimal{Exponent: -scale, Negative: v.Sign() < 0}
	d.Coeff.SetMathBigInt(new(big.Int).Abs(v))
	return d
}

// coefficient is a finite decimal in the units of its scale.
func coefficient(d *apd.Decimal) (x number) {
	if d.Coeff.IsInt64() {
		x.n = d.Coeff.Int64()
		if d.Negative {
			x.n = -x.n
		}
		return x
	}
	v := d.Coeff.MathBigInt()
	if d.Negative {
		v.Neg(v)
	}
	x.set(v)
	return x
}

// append appends a varint, or the sign, the number of bytes and the bytes.
func (x *number) append(dst []byte) []byte {
	if x.big == nil {
		return binary.AppendVarint(dst, x.n)
	}
	b := x.big.Bytes()
	sign := byte(0)
	if x.big.Sign() < 0 {
		sign = 1
	}
	return append(binary.AppendUvarint(append(dst, sign), uint64(len(b))), b...)
}

func (r *reader) number(isBig bool) (x number) {
	if !isBig {
		x.n = r.varint()
		return x
	}
	negative := r.byte() == 1
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return x
	}
	v := new(big.Int).SetBytes(r.b[:n])
	r.b = r.b[n:]
	if negative {
		v.Neg(v)
	}
	x.set(v)
	return x
}
