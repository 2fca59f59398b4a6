package funcs

import (
	"math/big"
	"math/bits"

	"github.com/cockroachdb/apd/v3"
)

// exactSum adds integers and decimals without loss and, as long as it fits in 128 bits, without allocation.
// The sum is (hi, lo) + spill, in units of 10^-scale; spill is nil until something did not fit.
type exactSum struct {
	hi    int64
	lo    uint64
	scale int32
	spill *big.Int
}

func (s *exactSum) addInt(v int64) {
	if s.scale != 0 {
		s.addScaled(v, 0)
		return
	}
	s.add128(v>>63, uint64(v))
}

// addProduct adds a * b units.
func (s *exactSum) addProduct(a, b int64) {
	s.add128(mul128(a, b))
}

// mul128 is the product in two's complement.
func mul128(a, b int64) (hi int64, lo uint64) {
	h, lo := bits.Mul64(uint64(a), uint64(b))
	hi = int64(h)
	if a < 0 {
		hi -= b
	}
	if b < 0 {
		hi -= a
	}
	return hi, lo
}

func (s *exactSum) add128(hi int64, lo uint64) {
	l, carry := bits.Add64(s.lo, lo, 0)
	h := s.hi + hi + int64(carry)
	if (s.hi^h)&(hi^h) < 0 {
		s.flush()
		s.hi, s.lo = hi, lo
		return
	}
	s.hi, s.lo = h, l
}

// flush moves the 128-bit part into the spill.
func (s *exactSum) flush() {
	if s.spill == nil {
		s.spill = new(big.Int)
	}
	s.spill.Add(s.spill, big128(s.hi, s.lo))
	s.hi, s.lo = 0, 0
}

func big128(hi int64, lo uint64) *big.Int {
	b := big.NewInt(hi)
	b.Lsh(b, 64)
	return b.Add(b, new(big.Int).SetUint64(lo))
}

var powersOf10 = func() (p [19]int64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return p
}()

func bigPower10(n int32) *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
}

// rescale makes the unit finer.
func (s *exactSum) rescale(scale int32) {
	diff := scale - s.scale
	s.scale = scale
	if diff < int32(len(powersOf10)) && s.spill == nil && s.hi == int64(s.lo)>>63 {
		v := int64(s.lo)
		s.hi, s.lo = 0, 0
		s.addProduct(v, powersOf10[diff])
		return
	}
	s.flush()
	s.spill.Mul(s.spill, bigPower10(diff))
}

// addScaled adds v * 10^-scale.
func (s *exactSum) addScaled(v int64, scale int32) {
	if scale > s.scale {
		s.rescale(scale)
	}
	switch diff := s.scale - scale; {
	case diff == 0:
		s.add128(v>>63, uint64(v))
	case diff < int32(len(powersOf10)):
		s.addProduct(v, powersOf10[diff])
	default:
		s.flush()
		s.spill.Add(s.spill, new(big.Int).Mul(big.NewInt(v), bigPower10(diff)))
	}
}

// addDecimal adds a finite decimal.
func (s *exactSum) addDecimal(d *apd.Decimal) {
	scale := -d.Exponent
	if d.Coeff.IsInt64() {
		v := d.Coeff.Int64()
		if d.Negative {
			v = -v
		}
		s.addScaled(v, scale)
		return
	}
	if scale > s.scale {
		s.rescale(scale)
	}
	s.flush()
	b := d.Coeff.MathBigInt()
	if scale < s.scale {
		b.Mul(b, bigPower10(s.scale-scale))
	}
	if d.Negative {
		s.spill.Sub(s.spill, b)
	} else {
		s.spill.Add(s.spill, b)
	}
}

// decimal is the sum.
func (s *exactSum) decimal() *apd.Decimal {
	b := big128(s.hi, s.lo)
	if s.spill != nil {
		b.Add(b, s.spill)
	}
	d := &apd.Decimal{Exponent: -s.scale, Negative: b.Sign() < 0}
	d.Coeff.SetMathBigInt(b.Abs(b))
	return d
}
