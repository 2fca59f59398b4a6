package types

import (
	"math"

	"github.com/cockroachdb/apd/v3"

	"holdfast/sql/errs"
)

// Roots, exponentials and logarithms. The values come from apd with more digits than are shown; the number of digits
// shown is PostgreSQL's, which estimates the size of the result first.

func mathContext(digits int) *apd.Context {
	c := apd.BaseContext.WithPrecision(uint32(max(digits, 1)))
	c.Rounding = apd.RoundHalfUp
	return c
}

// finishMath rounds a value from apd to the result's scale.
func finishMath(d *apd.Decimal, scale int) (*apd.Decimal, error) {
	if d.Form != apd.Finite {
		return nil, numericOverflow()
	}
	if d.Coeff.Sign() == 0 {
		return numericFromWord(false, 0, scale), nil
	}
	if d.Exponent > 0 {
		if int64(d.NumDigits())+int64(d.Exponent) > numericMaxDigits {
			return nil, numericOverflow()
		}
		var c apd.BigInt
		c.Mul(&d.Coeff, pow10(int(d.Exponent)))
		d = numericFromBig(d.Negative, &c, 0)
	}
	return NumericInRange(rescale(d, scale, roundHalfAway))
}

func resultScale(scale int, d *apd.Decimal) int {
	return min(max(scale, int(-d.Exponent), 0), numericMaxDisplayScale)
}

// NumericSqrt is the square root; of a negative number it is 2201F.
func NumericSqrt(a *apd.Decimal) (*apd.Decimal, error) {
	negative := func() (*apd.Decimal, error) {
		return nil, errs.New(errs.InvalidArgumentForPower, "cannot take square root of a negative number")
	}
	if a.Form != apd.Finite {
		if a.Form == apd.Infinite && a.Negative {
			return negative()
		}
		return a, nil
	}
	if a.Negative {
		return negative()
	}
	weight, _ := leadingGroup(a)
	scale := resultScale(numericMinSigDigits-((weight+1)*4/2-1), a)
	if a.Coeff.Sign() == 0 {
		return numericFromWord(false, 0, scale), nil
	}
	// The root of the coefficient with 2*(scale+1) decimals, exactly, is enough to round.
	shift := 2*(scale+1) + int(a.Exponent)
	var c apd.BigInt
	if shift >= 0 {
		c.Mul(&a.Coeff, pow10(shift))
	} else {
		c.Quo(&a.Coeff, pow10(-shift))
	}
	c.Sqrt(&c)
	return NumericInRange(rescale(numericFromBig(false, &c, scale+1), scale, roundHalfAway))
}

// approximate is the value as a float with any exponent: f * 10^e.
func approximate(a *apd.Decimal) (f float64, exponent int) {
	digits := a.Coeff.String()
	exponent = len(digits) + int(a.Exponent)
	if len(digits) > 17 {
		digits = digits[:17]
	}
	for _, c := range digits {
		f = f*10 + float64(c-'0')
	}
	f /= math.Pow(10, float64(len(digits)))
	return f, exponent
}

// NumericExp is e to the power a; too large is 22003.
func NumericExp(a *apd.Decimal) (*apd.Decimal, error) {
	if a.Form != apd.Finite {
		if a.Form == apd.Infinite && a.Negative {
			return numericZero, nil
		}
		return a, nil
	}
	f, e := approximate(a)
	v := math.Inf(1)
	if e < 10 {
		v = f * math.Pow(10, float64(e))
	}
	if a.Negative {
		v = -v
	}
	v *= math.Log10E
	const limit = 2000 // digits shown at most
	v = min(max(v, -limit), limit)
	scale := resultScale(numericMinSigDigits-int(v), a)
	if e >= 7 || f*math.Pow(10, float64(e)) >= 6000 { // PostgreSQL's limit
		if a.Negative {
			return numericFromWord(false, 0, scale), nil
		}
		return nil, numericOverflow()
	}
	d := new(apd.Decimal)
	// The integer part of the result and its decimals, and a few more.
	if _, err := mathContext(scale+max(int(v*1.01), 0)+12).Exp(d, a); err != nil {
		return nil, numericOverflow()
	}
	return finishMath(d, scale)
}

// lnWeight estimates the number of decimal digits before the point in ln(a); negative if there are zeros after it.
func lnWeight(a *apd.Decimal) int {
	if a.Negative || a.Coeff.Sign() == 0 {
		return 0
	}
	low, high := numericFromWord(false, 9, 1), numericFromWord(false, 11, 1)
	if NumericCompare(a, low) >= 0 && NumericCompare(a, high) <= 0 {
		// ln(1+x) is about x.
		x, err := NumericSub(a, numericFromWord(false, 1, 0))
		if err != nil || x.Coeff.Sign() == 0 {
			return 0
		}
		w, first := leadingGroup(x)
		return w*4 + int(math.Log10(float64(first)))
	}
	w, first := leadingGroup(a)
	// Two groups make the estimate good enough.
	digits := float64(first)*10000 + float64(secondGroup(a, w))
	weight := (w - 1) * 4
	ln := math.Log(digits) + float64(weight)*2.302585092994046
	return int(math.Log10(math.Abs(ln)))
}

func secondGroup(a *apd.Decimal, weight int) int {
	scaled := rescale(a, -4*(weight-1), roundDown) // cut below the second group
	var c, r apd.BigInt
	c.Set(&scaled.Coeff)
	if shift := 4*(weight-1) + int(-scaled.Exponent); shift > 0 {
		c.Quo(&c, pow10(shift))
	}
	r.Rem(&c, pow10(4))
	return int(r.Int64())
}

func logArgument(a *apd.Decimal) error {
	switch NumericSign(a) {
	case 0:
		return errs.New(errs.InvalidArgumentForLog, "cannot take logarithm of zero")
	case -1:
		return errs.New(errs.InvalidArgumentForLog, "cannot take logarithm of a negative number")
	}
	return nil
}

// NumericLn is the natural logarithm; of a number that is not positive it is 2201E.
func NumericLn(a *apd.Decimal) (*apd.Decimal, error) {
	if a.Form == apd.NaN {
		return a, nil
	}
	if err := logArgument(a); err != nil || a.Form != apd.Finite {
		return a, err
	}
	scale := resultScale(numericMinSigDigits-lnWeight(a), a)
	d, err := lnDigits(a, scale+8)
	if err != nil {
		return nil, err
	}
	return finishMath(d, scale)
}

// lnDigits is ln(a) with a number of decimals.
func lnDigits(a *apd.Decimal, decimals int) (*apd.Decimal, error) {
	d := new(apd.Decimal)
	if _, err := mathContext(decimals+8).Ln(d, a); err != nil {
		return nil, numericOverflow()
	}
	return d, nil
}

// NumericLog is the logarithm of a to a base.
func NumericLog(base, a *apd.Decimal) (*apd.Decimal, error) {
	if base.Form == apd.NaN || a.Form == apd.NaN {
		return numericNaN, nil
	}
	if err := logArgument(base); err != nil {
		return nil, err
	}
	if err := logArgument(a); err != nil {
		return nil, err
	}
	if base.Form == apd.Infinite || a.Form == apd.Infinite {
		switch {
		case base.Form == apd.Infinite && a.Form == apd.Infinite:
			return numericNaN, nil
		case base.Form == apd.Infinite:
			return numericZero, nil
		}
		return numericInfinity, nil
	}
	wb, wa := lnWeight(base), lnWeight(a)
	scale := numericMinSigDigits - (wa - wb)
	scale = min(max(scale, int(-base.Exponent), int(-a.Exponent), 0), numericMaxDisplayScale)
	decimals := max(scale+wb-min(wa, 0), 0) + 16 + abs(wa) + abs(wb)
	x, err := lnDigits(a, decimals)
	if err != nil {
		return nil, err
	}
	y, err := lnDigits(base, decimals)
	if err != nil {
		return nil, err
	}
	if y.Coeff.Sign() == 0 {
		return nil, divisionByZero()
	}
	d := new(apd.Decimal)
	if _, err := mathContext(decimals+scale+8).Quo(d, x, y); err != nil {
		return nil, numericOverflow()
	}
	return finishMath(d, scale)
}

// NumericPower is a to the power b.
func NumericPower(a, b *apd.Decimal) (*apd.Decimal, error) {
	one := numericFromWord(false, 1, 0)
	if d, done, err := powerSpecial(a, b); done {
		return d, err
	}
	signA := NumericSign(a)
	whole := NumericCompare(b, NumericTrunc(b, 0)) == 0
	switch {
	case signA == 0 && NumericSign(b) < 0:
		return nil, errs.New(errs.InvalidArgumentForPower, "zero raised to a negative power is undefined")
	case signA < 0 && !whole:
		return nil, errs.New(errs.InvalidArgumentForPower, "a negative number raised to a non-integer power yields a complex result")
	}
	if whole {
		n, err := NumericToInt(b, Int4)
		if err == nil && n != math.MinInt32 {
			return powerInt(a, int(n))
		}
	}
	if signA == 0 {
		return numericFromWord(false, 0, numericMinSigDigits), nil
	}
	abs := NumericAbs(a)
	if NumericCompare(abs, one) == 0 {
		return powerScaled(numericFromWord(signA < 0 && isOdd(b), 1, 0), resultScale(numericMinSigDigits, maxScale(a, b)))
	}
	// b * ln(a) tells how many digits the result has before the point.
	rough, err := lnDigits(abs, 24)
	if err != nil {
		return nil, err
	}
	product := new(apd.Decimal)
	if _, err := mathContext(24).Mul(product, rough, b); err != nil {
		return nil, numericOverflow()
	}
	f, e := approximate(product)
	v := math.Inf(1)
	if e < 10 {
		v = f * math.Pow(10, float64(e))
	}
	if product.Negative {
		v = -v
	}
	v *= math.Log10E
	switch {
	case v > numericMaxDigits:
		return nil, numericOverflow()
	case v < -2000:
		return numericFromWord(false, 0, numericMaxDisplayScale), nil
	}
	scale := min(max(numericMinSigDigits-int(v), int(-a.Exponent), int(-b.Exponent), 0), numericMaxDisplayScale)
	digits := scale + max(int(v), 0) + 16
	ln, err := lnDigits(abs, digits+max(e, 0))
	if err != nil {
		return nil, err
	}
	d := new(apd.Decimal)
	if _, err := mathContext(digits+max(e, 0)).Mul(product, ln, b); err != nil {
		return nil, numericOverflow()
	}
	if _, err := mathContext(digits).Exp(d, product); err != nil {
		return nil, numericOverflow()
	}
	d.Negative = signA < 0 && isOdd(b)
	return finishMath(d, scale)
}

func maxScale(a, b *apd.Decimal) *apd.Decimal {
	if a.Exponent < b.Exponent {
		return a
	}
	return b
}

func powerScaled(d *apd.Decimal, scale int) (*apd.Decimal, error) {
	return NumericInRange(rescale(d, scale, roundHalfAway))
}

func isOdd(b *apd.Decimal) bool {
	return NumericTrunc(b, 0).Coeff.Bit(0) == 1
}

// powerSpecial settles powers of and to NaN and infinities.
func powerSpecial(a, b *apd.Decimal) (d *apd.Decimal, done bool, err error) {
	one := numericFromWord(false, 1, 0)
	if a.Form == apd.Finite && b.Form == apd.Finite {
		return nil, false, nil
	}
	isOne := a.Form == apd.Finite && NumericCompare(a, one) == 0
	switch {
	case a.Form == apd.NaN:
		if b.Form == apd.Finite && NumericSign(b) == 0 {
			return one, true, nil
		}
		return numericNaN, true, nil
	case b.Form == apd.NaN:
		if isOne {
			return one, true, nil
		}
		return numericNaN, true, nil
	case isOne || b.Form == apd.Finite && NumericSign(b) == 0:
		return one, true, nil
	case NumericSign(a) == 0 && NumericSign(b) < 0:
		return nil, true, errs.New(errs.InvalidArgumentForPower, "zero raised to a negative power is undefined")
	case NumericSign(a) == 0:
		return numericZero, true, nil
	}
	if b.Form == apd.Infinite {
		c := NumericCompare(NumericAbs(a), one)
		switch {
		case c == 0:
			return one, true, nil
		case (c > 0) != b.Negative:
			return numericInfinity, true, nil
		}
		return numericZero, true, nil
	}
	// a is infinite, b finite
	whole := NumericCompare(b, NumericTrunc(b, 0)) == 0
	switch {
	case a.Negative && !whole:
		return nil, true, errs.New(errs.InvalidArgumentForPower, "a negative number raised to a non-integer power yields a complex result")
	case NumericSign(b) < 0:
		return numericZero, true, nil
	}
	return numericInf(a.Negative && isOdd(b)), true, nil
}

// powerInt is a to an integer power, by squaring, with 16 decimals or as many as a has.
func powerInt(a *apd.Decimal, n int) (*apd.Decimal, error) {
	scale := min(max(numericMinSigDigits, int(-a.Exponent)), numericMaxDisplayScale)
	switch n {
	case 0:
		return powerScaled(numericFromWord(false, 1, 0), scale)
	case 1:
		return powerScaled(a, scale)
	case -1:
		return NumericInRange(numericDivRound(numericFromWord(false, 1, 0), a, scale))
	case 2:
		d, err := NumericMul(a, a)
		if err != nil {
			return nil, err
		}
		return powerScaled(d, scale)
	}
	if a.Coeff.Sign() == 0 {
		return numericFromWord(false, 0, scale), nil
	}
	f, e := approximate(a)
	v := float64(n) * (math.Log10(f) + float64(e))
	switch {
	case v > numericMaxDigits+1:
		return nil, numericOverflow()
	case v+1 < float64(-scale):
		return numericFromWord(false, 0, scale), nil
	}
	// Exactly, if that is not too much; apd's exponents end at 100000.
	if digits := int(a.NumDigits()) * n; n > 0 && (digits <= 2*numericMaxScale || v > 90000 && digits <= 4*numericMaxDigits) {
		var p apd.BigInt
		p.Exp(&a.Coeff, apd.NewBigInt(int64(n)), nil)
		return NumericInRange(rescale(numericFromBig(a.Negative && n%2 == 1, &p, int(-a.Exponent)*n), scale, roundHalfAway))
	}
	c := mathContext(scale + max(int(v), 0) + 20 + 2*decimalLen(abs(n)))
	result, square := apd.New(1, 0), new(apd.Decimal).Set(a)
	for m := abs(n); m > 0; m >>= 1 {
		if m&1 == 1 {
			if _, err := c.Mul(result, result, square); err != nil {
				return nil, numericOverflow()
			}
		}
		if m > 1 {
			if _, err := c.Mul(square, square, square); err != nil {
				return nil, numericOverflow()
			}
		}
	}
	if n < 0 {
		if _, err := c.Quo(result, apd.New(1, 0), result); err != nil {
			return nil, numericOverflow()
		}
	}
	return finishMath(result, scale)
}

// decimalLen is the number of decimal digits of n.
func decimalLen(n int) int {
	d := 1
	for ; n >= 10; n /= 10 {
		d++
	}
	return d
}
