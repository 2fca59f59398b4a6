package types

import (
	"math"
	"math/bits"
	"strconv"

	"github.com/cockroachdb/apd/v3"

	"holdfast/sql/errs"
)

// A numeric is an *apd.Decimal in this form: finite values have an exponent <= 0, which is minus the display scale;
// zero is never negative; NaN is apd.NaN, infinities are apd.Infinite, both with exponent 0. It is never changed
// once made, so that vectors, datums and keys may share it.
//
// Arithmetic works on the coefficients: when both fit a machine word, without big integers.

// Limits of numeric.
const (
	numericMaxScale        = 16383  // digits after the point
	numericMaxDigits       = 131072 // digits before the point
	numericMaxDisplayScale = 1000   // of computed results
	numericMinSigDigits    = 16     // of quotients, roots and logarithms
)

var (
	numericNaN         = &apd.Decimal{Form: apd.NaN}
	numericInfinity    = &apd.Decimal{Form: apd.Infinite}
	numericNegInfinity = &apd.Decimal{Form: apd.Infinite, Negative: true}
	numericZero        = new(apd.Decimal)
)

var pow10Small = func() (p [20]uint64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return p
}()

var pow10Big = func() (p [128]*apd.BigInt) {
	ten := apd.NewBigInt(10)
	p[0] = apd.NewBigInt(1)
	for i := 1; i < len(p); i++ {
		p[i] = new(apd.BigInt).Mul(p[i-1], ten)
	}
	return p
}()

func pow10(n int) *apd.BigInt {
	if n < len(pow10Big) {
		return pow10Big[n]
	}
	return new(apd.BigInt).Exp(pow10Big[1], apd.NewBigInt(int64(n)), nil)
}

// smallCoeff is the coefficient if it fits a word.
func smallCoeff(d *apd.Decimal) (uint64, bool) {
	if !d.Coeff.IsUint64() {
		return 0, false
	}
	return d.Coeff.Uint64(), true
}

func numericFromWord(neg bool, u uint64, scale int) *apd.Decimal {
	d := &apd.Decimal{Negative: neg && u != 0, Exponent: int32(-scale)}
	d.Coeff.SetUint64(u)
	return d
}

// numericFromBig takes over c, and brings zero to its form.
func numericFromBig(neg bool, c *apd.BigInt, scale int) *apd.Decimal {
	d := &apd.Decimal{Negative: neg && c.Sign() != 0, Exponent: int32(-scale)}
	d.Coeff.Set(c)
	return d
}

func numericOverflow() *errs.Error {
	return errs.New(errs.NumericValueOutOfRange, "value overflows numeric format")
}

func divisionByZero() *errs.Error { return errs.New(errs.DivisionByZero, "division by zero") }

// NumericInRange is d, or the error of a value that is beyond numeric's limits (22003): results of the other functions are within them, but sums that
// are made in another way may not be.
func NumericInRange(d *apd.Decimal) (*apd.Decimal, error) {
	scale := int(-d.Exponent)
	if scale > numericMaxScale {
		return nil, numericOverflow()
	}
	if bitLen := d.Coeff.BitLen(); bitLen > 430000 && int(d.NumDigits())-scale > numericMaxDigits {
		return nil, numericOverflow()
	}
	return d, nil
}

// NumericFromInt makes a numeric of scale 0.
func NumericFromInt(v int64) *apd.Decimal {
	if v < 0 {
		return numericFromWord(true, -uint64(v), 0)
	}
	return numericFromWord(false, uint64(v), 0)
}

// NumericScale is the display scale: the number of decimals printed.
func NumericScale(a *apd.Decimal) int { return int(-a.Exponent) }

// NumericNeg is -a.
func NumericNeg(a *apd.Decimal) *apd.Decimal {
	if a.Form == apd.NaN || a.Form == apd.Finite && a.Coeff.Sign() == 0 {
		return a
	}
	c := *a // the coefficient's words are shared, which is sound because neither is ever changed
	c.Negative = !a.Negative
	return &c
}

// NumericAbs is |a|.
func NumericAbs(a *apd.Decimal) *apd.Decimal {
	if !a.Negative {
		return a
	}
	return NumericNeg(a)
}

// NumericSign is -1, 0 or 1; 1 for NaN.
func NumericSign(a *apd.Decimal) int {
	switch {
	case a.Form == apd.NaN:
		return 1
	case a.Form == apd.Finite && a.Coeff.Sign() == 0:
		return 0
	case a.Negative:
		return -1
	}
	return 1
}

// numericRank orders the forms: -Infinity, finite, Infinity, NaN.
func numericRank(a *apd.Decimal) int {
	switch {
	case a.Form == apd.Finite:
		return 1
	case a.Form != apd.Infinite:
		return 3
	case a.Negative:
		return 0
	}
	return 2
}

// NumericCompare orders numerics: NaN is the greatest and equals itself.
func NumericCompare(a, b *apd.Decimal) int {
	if a.Form != apd.Finite || b.Form != apd.Finite {
		return numericRank(a) - numericRank(b)
	}
	if a.Negative != b.Negative {
		if a.Negative {
			return -1
		}
		return 1
	}
	c := compareMagnitude(a, b)
	if a.Negative {
		return -c
	}
	return c
}

func compareMagnitude(a, b *apd.Decimal) int {
	x, ok1 := smallCoeff(a)
	y, ok2 := smallCoeff(b)
	if ok1 && ok2 {
		xhi, yhi := uint64(0), uint64(0)
		fits := true
		switch d := int(a.Exponent) - int(b.Exponent); {
		case d > 0 && d < len(pow10Small):
			xhi, x = bits.Mul64(x, pow10Small[d])
		case d < 0 && -d < len(pow10Small):
			yhi, y = bits.Mul64(y, pow10Small[-d])
		case d != 0:
			fits = false
		}
		if fits {
			switch {
			case xhi != yhi:
				return compareWords(xhi, yhi)
			default:
				return compareWords(x, y)
			}
		}
	}
	// Aligning the coefficients of 1e16000 and 1e-16000 is wasteful but bounded by the format.
	var t apd.BigInt
	switch d := int(a.Exponent) - int(b.Exponent); {
	case d > 0:
		return t.Mul(&a.Coeff, pow10(d)).Cmp(&b.Coeff)
	case d < 0:
		return a.Coeff.Cmp(t.Mul(&b.Coeff, pow10(-d)))
	}
	return a.Coeff.Cmp(&b.Coeff)
}

func compareWords(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// NumericAdd is a + b, with the greater scale of the two.
func NumericAdd(a, b *apd.Decimal) (*apd.Decimal, error) { return numericAdd(a, b, b.Negative) }

// NumericSub is a - b, with the greater scale of the two.
func NumericSub(a, b *apd.Decimal) (*apd.Decimal, error) { return numericAdd(a, b, !b.Negative) }

// numericAdd adds a and b, with bNeg for b's sign.
func numericAdd(a, b *apd.Decimal, bNeg bool) (*apd.Decimal, error) {
	if a.Form != apd.Finite || b.Form != apd.Finite {
		switch {
		case a.Form == apd.NaN || b.Form == apd.NaN:
			return numericNaN, nil
		case a.Form == apd.Infinite && b.Form == apd.Infinite && a.Negative != bNeg:
			return numericNaN, nil
		case a.Form == apd.Infinite:
			return a, nil
		case bNeg:
			return numericNegInfinity, nil
		}
		return numericInfinity, nil
	}
	scale := max(int(-a.Exponent), int(-b.Exponent))
	ka, kb := scale+int(a.Exponent), scale+int(b.Exponent)
	if x, ok := smallCoeff(a); ok && ka < len(pow10Small) {
		if y, ok := smallCoeff(b); ok && kb < len(pow10Small) {
			xhi, x := bits.Mul64(x, pow10Small[ka])
			yhi, y := bits.Mul64(y, pow10Small[kb])
			if xhi|yhi == 0 {
				switch {
				case a.Negative == bNeg:
					if sum, carry := bits.Add64(x, y, 0); carry == 0 {
						return numericFromWord(bNeg, sum, scale), nil
					}
				case x >= y:
					return numericFromWord(a.Negative, x-y, scale), nil
				default:
					return numericFromWord(bNeg, y-x, scale), nil
				}
			}
		}
	}
	var x, y apd.BigInt
	x.Mul(&a.Coeff, pow10(ka))
	y.Mul(&b.Coeff, pow10(kb))
	neg := a.Negative
	if a.Negative == bNeg {
		x.Add(&x, &y)
	} else {
		x.Sub(&x, &y)
		if x.Sign() < 0 {
			x.Neg(&x)
			neg = bNeg
		}
	}
	return NumericInRange(numericFromBig(neg, &x, scale))
}

// NumericMul is a * b, with the sum of the scales.
func NumericMul(a, b *apd.Decimal) (*apd.Decimal, error) {
	if a.Form != apd.Finite || b.Form != apd.Finite {
		if a.Form == apd.NaN || b.Form == apd.NaN || NumericSign(a) == 0 || NumericSign(b) == 0 {
			return numericNaN, nil
		}
		return numericInf(a.Negative != b.Negative), nil
	}
	neg := a.Negative != b.Negative
	scale := int(-a.Exponent) + int(-b.Exponent)
	if x, ok := smallCoeff(a); ok && scale <= numericMaxScale {
		if y, ok := smallCoeff(b); ok {
			if hi, lo := bits.Mul64(x, y); hi == 0 {
				return numericFromWord(neg, lo, scale), nil
			}
		}
	}
	var x apd.BigInt
	x.Mul(&a.Coeff, &b.Coeff)
	d := numericFromBig(neg, &x, scale)
	if scale > numericMaxScale {
		d = NumericRound(d, numericMaxScale)
	}
	return NumericInRange(d)
}

func numericInf(neg bool) *apd.Decimal {
	if neg {
		return numericNegInfinity
	}
	return numericInfinity
}

// leadingGroup is the weight (the power of 10000) and the value of the first non-zero group of four digits, with
// groups aligned at the decimal point: PostgreSQL's scale of quotients depends on them.
func leadingGroup(d *apd.Decimal) (weight, first int) {
	n := int(d.NumDigits())
	if d.Coeff.Sign() == 0 {
		return 0, 0
	}
	top := n + int(d.Exponent) - 1 // power of ten of the first digit
	weight = floorDiv(top, 4)
	// The group has the digits with powers of ten 4*weight+3 .. 4*weight.
	low := 4*weight - int(d.Exponent) // how many digits of the coefficient are below the group
	if u, ok := smallCoeff(d); ok {
		if low > 0 {
			return weight, int(u / pow10Small[low])
		}
		return weight, int(u * pow10Small[-low])
	}
	var q apd.BigInt
	if low > 0 {
		q.Quo(&d.Coeff, pow10(low))
	} else {
		q.Mul(&d.Coeff, pow10(-low))
	}
	return weight, int(q.Int64())
}

func floorDiv(a, b int) int {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

// numericDivScale is the scale of a / b: at least 16 significant digits, and no fewer decimals than either operand.
func numericDivScale(a, b *apd.Decimal) int {
	w1, f1 := leadingGroup(a)
	w2, f2 := leadingGroup(b)
	qweight := w1 - w2
	if f1 <= f2 {
		qweight--
	}
	scale := numericMinSigDigits - qweight*4
	return min(max(scale, int(-a.Exponent), int(-b.Exponent), 0), numericMaxDisplayScale)
}

// numericDivSpecial settles a division where an operand is not finite or b is zero.
func numericDivSpecial(a, b *apd.Decimal) (d *apd.Decimal, done bool, err error) {
	switch {
	case a.Form == apd.NaN || b.Form == apd.NaN:
		return numericNaN, true, nil
	case a.Form == apd.Infinite && b.Form == apd.Infinite:
		return numericNaN, true, nil
	case a.Form == apd.Infinite:
		if NumericSign(b) == 0 {
			return nil, true, divisionByZero()
		}
		return numericInf(a.Negative != b.Negative), true, nil
	case b.Form == apd.Infinite:
		return numericZero, true, nil
	case b.Coeff.Sign() == 0:
		return nil, true, divisionByZero()
	}
	return nil, false, nil
}

// NumericDiv is a / b, rounded half away from zero to PostgreSQL's scale.
func NumericDiv(a, b *apd.Decimal) (*apd.Decimal, error) {
	if d, done, err := numericDivSpecial(a, b); done {
		return d, err
	}
	return NumericInRange(numericDivRound(a, b, numericDivScale(a, b)))
}

// numericDivRound is a / b for finite operands, b not zero, rounded to a scale.
func numericDivRound(a, b *apd.Decimal, scale int) *apd.Decimal {
	var num, den, q, r apd.BigInt
	num.Set(&a.Coeff)
	den.Set(&b.Coeff)
	if shift := scale + int(a.Exponent) - int(b.Exponent); shift >= 0 {
		num.Mul(&num, pow10(shift))
	} else {
		den.Mul(&den, pow10(-shift))
	}
	q.QuoRem(&num, &den, &r)
	r.Add(&r, &r)
	if r.CmpAbs(&den) >= 0 {
		q.Add(&q, pow10Big[0])
	}
	return numericFromBig(a.Negative != b.Negative, &q, scale)
}

// NumericDivTrunc is the integer part of a / b: SQL's div().
func NumericDivTrunc(a, b *apd.Decimal) (*apd.Decimal, error) {
	if d, done, err := numericDivSpecial(a, b); done {
		return d, err
	}
	var num, den apd.BigInt
	scale := max(int(-a.Exponent), int(-b.Exponent))
	num.Mul(&a.Coeff, pow10(scale+int(a.Exponent)))
	den.Mul(&b.Coeff, pow10(scale+int(b.Exponent)))
	num.Quo(&num, &den)
	return NumericInRange(numericFromBig(a.Negative != b.Negative, &num, 0))
}

// NumericMod is a % b, with the sign of a and the greater scale of the two.
func NumericMod(a, b *apd.Decimal) (*apd.Decimal, error) {
	switch {
	case a.Form == apd.NaN || b.Form == apd.NaN:
		return numericNaN, nil
	case a.Form == apd.Infinite:
		if NumericSign(b) == 0 {
			return nil, divisionByZero()
		}
		return numericNaN, nil
	case b.Form == apd.Infinite:
		return a, nil
	case b.Coeff.Sign() == 0:
		return nil, divisionByZero()
	}
	scale := max(int(-a.Exponent), int(-b.Exponent))
	var x, y apd.BigInt
	x.Mul(&a.Coeff, pow10(scale+int(a.Exponent)))
	y.Mul(&b.Coeff, pow10(scale+int(b.Exponent)))
	x.Rem(&x, &y)
	return NumericInRange(numericFromBig(a.Negative, &x, scale))
}

type roundingMode uint8

const (
	roundHalfAway roundingMode = iota
	roundDown                  // toward zero
	roundAway                  // away from zero
)

// rescale brings a finite numeric to a scale, which may be negative; the result has no negative display scale.
func rescale(a *apd.Decimal, scale int, mode roundingMode) *apd.Decimal {
	drop := int(-a.Exponent) - scale
	switch {
	case drop == 0:
		return a
	case drop < 0: // more decimals
		if u, ok := smallCoeff(a); ok && -drop < len(pow10Small) {
			if hi, lo := bits.Mul64(u, pow10Small[-drop]); hi == 0 {
				return numericFromWord(a.Negative, lo, scale)
			}
		}
		var c apd.BigInt
		c.Mul(&a.Coeff, pow10(-drop))
		return numericFromBig(a.Negative, &c, scale)
	}
	if u, ok := smallCoeff(a); ok && scale >= 0 && drop < len(pow10Small) {
		p := pow10Small[drop]
		q, r := u/p, u%p
		if mode == roundHalfAway && r >= p-r || mode == roundAway && r != 0 {
			q++
		}
		return numericFromWord(a.Negative, q, scale)
	}
	if digits := int(a.NumDigits()); drop > digits+1 {
		drop = digits + 1 // all digits go; avoids huge powers
		if mode == roundAway && a.Coeff.Sign() != 0 {
			drop = int(-a.Exponent) - scale
		}
	}
	var q, r apd.BigInt
	p := pow10(drop)
	q.QuoRem(&a.Coeff, p, &r)
	switch mode {
	case roundHalfAway:
		r.Add(&r, &r)
		if r.Cmp(p) >= 0 {
			q.Add(&q, pow10Big[0])
		}
	case roundAway:
		if r.Sign() != 0 {
			q.Add(&q, pow10Big[0])
		}
	}
	if scale < 0 {
		q.Mul(&q, pow10(-scale))
		scale = 0
	}
	return numericFromBig(a.Negative, &q, scale)
}

func clampScale(scale int) int {
	return min(max(scale, -numericMaxDigits), numericMaxScale)
}

// NumericRound rounds half away from zero to a number of decimals, which may be negative. It does not add decimals
// beyond 16383.
func NumericRound(a *apd.Decimal, scale int) *apd.Decimal {
	if a.Form != apd.Finite {
		return a
	}
	return rescale(a, clampScale(scale), roundHalfAway)
}

// NumericTrunc cuts to a number of decimals, which may be negative.
func NumericTrunc(a *apd.Decimal, scale int) *apd.Decimal {
	if a.Form != apd.Finite {
		return a
	}
	return rescale(a, clampScale(scale), roundDown)
}

// NumericCeil is the least integer not below a.
func NumericCeil(a *apd.Decimal) *apd.Decimal {
	if a.Form != apd.Finite {
		return a
	}
	if a.Negative {
		return rescale(a, 0, roundDown)
	}
	return rescale(a, 0, roundAway)
}

// NumericFloor is the greatest integer not above a.
func NumericFloor(a *apd.Decimal) *apd.Decimal {
	if a.Form != apd.Finite {
		return a
	}
	if a.Negative {
		return rescale(a, 0, roundAway)
	}
	return rescale(a, 0, roundDown)
}

// NumericToInt rounds to an integer of type t (Int2, Int4, Int8); out of range is 22003.
func NumericToInt(a *apd.Decimal, t *Type) (int64, error) {
	switch a.Form {
	case apd.Finite:
	case apd.Infinite:
		return 0, errs.New(errs.FeatureNotSupported, "cannot convert infinity to %s", t.SQLName)
	default:
		return 0, errs.New(errs.FeatureNotSupported, "cannot convert NaN to %s", t.SQLName)
	}
	d := rescale(a, 0, roundHalfAway)
	low, high := int64(math.MinInt64), int64(math.MaxInt64)
	switch t.class {
	case classInt2:
		low, high = math.MinInt16, math.MaxInt16
	case classInt4:
		low, high = math.MinInt32, math.MaxInt32
	}
	u, ok := smallCoeff(d)
	if ok && u <= 1<<63 {
		switch v := int64(u); {
		case d.Negative && -v >= low && (v >= 0 || u == 1<<63):
			if -v >= low {
				return -v, nil
			}
		case !d.Negative && u <= uint64(high):
			return v, nil
		}
	}
	return 0, errs.New(errs.NumericValueOutOfRange, "%s out of range", t.SQLName)
}

// NumericToFloat is the nearest float8; out of range is 22003.
func NumericToFloat(a *apd.Decimal) (float64, error) {
	switch {
	case a.Form == apd.NaN:
		return math.NaN(), nil
	case a.Form == apd.Infinite && a.Negative:
		return math.Inf(-1), nil
	case a.Form == apd.Infinite:
		return math.Inf(1), nil
	}
	if u, ok := smallCoeff(a); ok && u < 1<<53 && a.Exponent >= -22 { // both exact, so that the quotient is the nearest
		f := float64(u) / float64Pow10[-a.Exponent]
		if a.Negative {
			f = -f
		}
		return f, nil
	}
	s := appendNumeric(nil, a)
	f, err := strconv.ParseFloat(string(s), 64)
	if err != nil || f == 0 && a.Coeff.Sign() != 0 {
		return 0, errs.New(errs.NumericValueOutOfRange, "\"%s\" is out of range for type double precision", s)
	}
	return f, nil
}

var float64Pow10 = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17,
	1e18, 1e19, 1e20, 1e21, 1e22}

// NumericFromFloat converts as the cast from float8 does, with 15 significant digits, or from float4, with 6.
func NumericFromFloat(f float64, t *Type) *apd.Decimal {
	switch {
	case math.IsNaN(f):
		return numericNaN
	case math.IsInf(f, 0):
		return numericInf(f < 0)
	}
	digits := 15
	if t.class == classFloat4 {
		digits = 6
	}
	d, err := parseNumeric(string(appendFloatDigits(nil, f, digits)))
	if err != nil {
		return numericZero // cannot be: the text of a finite float is a numeric
	}
	return d
}

// applyNumericTypmod rounds to the declared scale and checks the declared precision.
func applyNumericTypmod(d *apd.Decimal, mod int32) (*apd.Decimal, error) {
	precision, scale := NumericTypmod(mod)
	if d.Form != apd.Finite {
		if d.Form == apd.NaN {
			return d, nil
		}
		return nil, errs.New(errs.NumericValueOutOfRange, "numeric field overflow").WithDetail(
			"A field with precision %d, scale %d cannot hold an infinite value.", precision, scale)
	}
	r := rescale(d, scale, roundHalfAway)
	if r.Coeff.Sign() != 0 {
		if maxDigits := precision - scale; int(r.NumDigits())+int(r.Exponent) > maxDigits {
			bound := "1"
			if maxDigits != 0 {
				bound = "10^" + strconv.Itoa(maxDigits)
			}
			return nil, errs.New(errs.NumericValueOutOfRange, "numeric field overflow").WithDetail(
				"A field with precision %d, scale %d must round to an absolute value less than %s.", precision, scale, bound)
		}
	}
	return r, nil
}
