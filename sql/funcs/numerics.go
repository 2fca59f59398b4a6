package funcs

import (
	"math"
	"math/big"

	"github.com/cockroachdb/apd/v3"

	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// Roots, powers and logarithms of numeric. Each chooses how many decimals its result has by PostgreSQL's rule
// (at least 16 significant digits, at least as many decimals as the arguments have, at most 1000), then computes
// with more digits than that and rounds.

const (
	minSignificant  = 16   // significant digits of a result
	maxDisplayScale = 1000 // decimals of a result
	maxWholeDigits  = 131072
)

func numericOverflow() error {
	return errs.New(errs.NumericValueOutOfRange, "value overflows numeric format")
}

func numericNaN() *apd.Decimal { return &apd.Decimal{Form: apd.NaN} }

func numericInf(negative bool) *apd.Decimal {
	return &apd.Decimal{Form: apd.Infinite, Negative: negative}
}

func finite(a *apd.Decimal) bool { return a.Form == apd.Finite }

func isNaN(a *apd.Decimal) bool { return a.Form == apd.NaN || a.Form == apd.NaNSignaling }

func isWhole(a *apd.Decimal) bool {
	var whole, frac apd.Decimal
	a.Modf(&whole, &frac)
	return frac.IsZero()
}

// exponent10 is the decimal exponent of the first digit: 2 for 123.4; 0 for zero.
func exponent10(a *apd.Decimal) int {
	if a.IsZero() {
		return 0
	}
	return int(a.NumDigits()) + int(a.Exponent) - 1
}

// weight is the exponent of the first digit in base 10000, in which PostgreSQL counts.
func weight(a *apd.Decimal) int { return floorDiv(exponent10(a), 4) }

func floorDiv(a, b int) int {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

// resultScale is the number of decimals of a result whose first digit has about the decimal exponent given.
func resultScale(exponent int, args ...*apd.Decimal) int {
	scale := minSignificant - exponent
	for _, a := range args {
		scale = max(scale, types.NumericScale(a))
	}
	return min(max(scale, 0), maxDisplayScale)
}

// precise is a context for computing a result of exponent10 e with some decimals and digits to spare.
func precise(e, scale int) *apd.Context {
	c := apd.BaseContext.WithPrecision(uint32(max(e+scale, 0) + 12))
	c.MaxExponent, c.MinExponent = apd.MaxExponent, apd.MinExponent
	c.Traps = 0
	return c
}

func numericSqrt(a *apd.Decimal) (*apd.Decimal, error) {
	switch {
	case isNaN(a):
		return a, nil
	case a.Negative && !a.IsZero():
		return nil, errs.New(errs.InvalidArgumentForPower, "cannot take square root of a negative number")
	case !finite(a):
		return a, nil
	}
	scale := resultScale(2*weight(a)+1, a)
	var r apd.Decimal
	if _, err := precise(exponent10(a)/2+1, scale).Sqrt(&r, a); err != nil {
		return nil, err
	}
	return types.NumericRound(&r, scale), nil
}

// lnExponent estimates the decimal exponent of the first digit of ln(a), for a above 0.
func lnExponent(a *apd.Decimal) int {
	f, err := types.NumericToFloat(a)
	if err == nil && f >= 0.9 && f <= 1.1 {
		x, err := types.NumericSub(a, types.NumericFromInt(1))
		if err != nil || x.IsZero() {
			return 0
		}
		return exponent10(x)
	}
	if a.IsZero() {
		return 0
	}
	return int(math.Log10(math.Abs(lnFloat(a))))
}

// lnFloat is about ln(|a|), also where a is beyond the range of float8.
func lnFloat(a *apd.Decimal) float64 {
	var digits apd.Decimal
	digits.Set(a)
	digits.Negative = false
	e := exponent10(a)
	digits.Exponent -= int32(e)
	f, err := digits.Float64()
	if err != nil || f <= 0 {
		f = 1
	}
	return math.Log(f) + float64(e)*math.Ln10
}

func numericLogArgument(a *apd.Decimal) error {
	if a.IsZero() {
		return errs.New(errs.InvalidArgumentForLog, "cannot take logarithm of zero")
	}
	if a.Negative {
		return errs.New(errs.InvalidArgumentForLog, "cannot take logarithm of a negative number")
	}
	return nil
}

func numericLn(a *apd.Decimal) (*apd.Decimal, error) {
	if isNaN(a) {
		return a, nil
	}
	if err := numericLogArgument(a); err != nil {
		return nil, err
	}
	if !finite(a) {
		return a, nil
	}
	e := lnExponent(a)
	return lnTo(a, e, resultScale(e, a))
}

// lnTo is ln(a), of decimal exponent about e, to some decimals.
func lnTo(a *apd.Decimal, e, scale int) (*apd.Decimal, error) {
	var r apd.Decimal
	if _, err := precise(max(e, 0)+1, scale).Ln(&r, a); err != nil {
		return nil, err
	}
	return types.NumericRound(&r, scale), nil
}

// numericLog is the logarithm of a to a base.
func numericLog(base, a *apd.Decimal) (*apd.Decimal, error) {
	if isNaN(base) || isNaN(a) {
		return numericNaN(), nil
	}
	for _, x := range [2]*apd.Decimal{base, a} {
		if err := numericLogArgument(x); err != nil {
			return nil, err
		}
	}
	switch {
	case !finite(base) && !finite(a):
		return numericNaN(), nil
	case !finite(base):
		return types.NumericFromInt(0), nil
	case !finite(a):
		return a, nil
	}
	be, ae := lnExponent(base), lnExponent(a)
	e := ae - be
	scale := resultScale(e, base, a)
	extra := max(scale+max(e, 0)-be, scale+max(e, 0)-ae, 0) + 12
	lb, err := lnTo(base, be, extra)
	if err != nil {
		return nil, err
	}
	la, err := lnTo(a, ae, extra)
	if err != nil {
		return nil, err
	}
	if lb.IsZero() {
		return nil, divisionByZero()
	}
	var r apd.Decimal
	if _, err := precise(max(e, 0)+1, scale).Quo(&r, la, lb); err != nil {
		return nil, err
	}
	return types.NumericRound(&r, scale), nil
}

func numericExp(a *apd.Decimal) (*apd.Decimal, error) {
	switch {
	case isNaN(a):
		return a, nil
	case !finite(a) && a.Negative:
		return types.NumericFromInt(0), nil
	case !finite(a):
		return a, nil
	}
	f := approximate(a) * math.Log10E
	f = max(min(f, 2000), -2000)
	return expTo(a, resultScale(int(f), a))
}

// approximate is the float8 nearest to a, infinite beyond its range.
func approximate(a *apd.Decimal) float64 {
	f, err := a.Float64()
	if err != nil && a.Negative {
		return math.Inf(-1)
	}
	if err != nil {
		return math.Inf(1)
	}
	return f
}

// expTo is e to the power of a, to some decimals.
func expTo(a *apd.Decimal, scale int) (*apd.Decimal, error) {
	f := approximate(a)
	if f >= 6000 {
		return nil, numericOverflow()
	}
	e := int(f * math.Log10E)
	if f <= -6000 || e+1 < -scale {
		return zeroOf(scale), nil
	}
	var r apd.Decimal
	if _, err := precise(max(e, 0)+1, scale).Exp(&r, a); err != nil {
		return nil, err
	}
	return types.NumericRound(&r, scale), nil
}

func zeroOf(scale int) *apd.Decimal { return apd.New(0, int32(-scale)) }

func numericPower(a, b *apd.Decimal) (*apd.Decimal, error) {
	if !finite(a) || !finite(b) {
		return powerSpecial(a, b)
	}
	if a.IsZero() && b.Negative && !b.IsZero() {
		return nil, errs.New(errs.InvalidArgumentForPower, "zero raised to a negative power is undefined")
	}
	whole := isWhole(b)
	if whole {
		if n, err := types.NumericToInt(b, types.Int4); err == nil {
			return powerInt(a, n)
		}
	}
	if a.IsZero() {
		return zeroOf(minSignificant), nil
	}
	negative := false
	if a.Negative {
		if !whole {
			return nil, errs.New(errs.InvalidArgumentForPower, "a negative number raised to a non-integer power yields a complex result")
		}
		negative = isOdd(b)
		a = types.NumericAbs(a)
	}
	// The result is exp(b ln a). First its size, then the decimals, then ln a with as many digits as needed.
	f := approximate(b) * lnFloat(a)
	if math.Abs(f) > 2000*3.01 {
		if f > 0 {
			return nil, numericOverflow()
		}
		return zeroOf(maxDisplayScale), nil
	}
	e := int(f * math.Log10E)
	scale := resultScale(e, a, b)
	le := lnExponent(a)
	digits := max(e, 0) + scale + 12 + max(exponent10(b), 0)
	ln, err := lnTo(a, le, max(digits-min(le, 0), 0))
	if err != nil {
		return nil, err
	}
	var x, r apd.Decimal
	c := precise(digits, 20+int(ln.NumDigits()))
	if _, err := c.Mul(&x, ln, b); err != nil {
		return nil, err
	}
	if _, err := precise(max(e, 0)+1, scale+8).Exp(&r, &x); err != nil {
		return nil, err
	}
	r.Negative = negative
	return types.NumericRound(&r, scale), nil
}

// powerInt is a to a whole power, with 16 decimals or as many as a has.
func powerInt(a *apd.Decimal, n int64) (*apd.Decimal, error) {
	f := 0.0
	if !a.IsZero() {
		f = float64(n) * lnFloat(a) * math.Log10E
	}
	if f > maxWholeDigits {
		return nil, numericOverflow()
	}
	scale := min(max(minSignificant, types.NumericScale(a)), maxDisplayScale)
	if f+1 < -float64(scale) {
		return zeroOf(scale), nil
	}
	switch n {
	case 0:
		return types.NumericRound(types.NumericFromInt(1), scale), nil
	case 1:
		return types.NumericRound(a, scale), nil
	}
	m := n
	if m < 0 {
		m = -m
	}
	// Square and multiply with enough digits: each of the multiplications may lose one unit in the last.
	c := precise(max(int(f), 0)+1, scale+8+bits64(m)*2)
	r, square := *apd.New(1, 0), apd.Decimal{}
	square.Set(a)
	for ; m > 0; m >>= 1 {
		if m&1 != 0 {
			if _, err := c.Mul(&r, &r, &square); err != nil {
				return nil, err
			}
		}
		if m > 1 {
			if _, err := c.Mul(&square, &square, &square); err != nil {
				return nil, err
			}
		}
	}
	if n < 0 {
		if _, err := c.Quo(&r, apd.New(1, 0), &r); err != nil {
			return nil, err
		}
	}
	return types.NumericRound(&r, scale), nil
}

func bits64(n int64) (k int) {
	for ; n > 0; n >>= 1 {
		k++
	}
	return k
}

func isOdd(a *apd.Decimal) bool {
	var whole, frac apd.Decimal
	a.Modf(&whole, &frac)
	if whole.Exponent > 0 {
		return false
	}
	var q, two apd.Decimal
	two.SetInt64(2)
	c := apd.BaseContext.WithPrecision(uint32(whole.NumDigits()) + 2)
	if _, err := c.Rem(&q, &whole, &two); err != nil {
		return false
	}
	return !q.IsZero()
}

// powerSpecial is the power where an operand is NaN or infinite, as POSIX pow() has it.
func powerSpecial(a, b *apd.Decimal) (*apd.Decimal, error) {
	one := types.NumericFromInt(1)
	isOne := finite(a) && a.Cmp(apd.New(1, 0)) == 0
	bZero := finite(b) && b.IsZero()
	switch {
	case isNaN(a):
		if bZero {
			return one, nil
		}
		return a, nil
	case isNaN(b):
		if isOne {
			return one, nil
		}
		return b, nil
	case isOne, bZero:
		return one, nil
	case finite(a) && a.IsZero():
		if b.Negative {
			return nil, errs.New(errs.InvalidArgumentForPower, "zero raised to a negative power is undefined")
		}
		return types.NumericFromInt(0), nil
	case !finite(b):
		size := 1
		if finite(a) {
			size = types.NumericCompare(types.NumericAbs(a), one)
		}
		switch {
		case size == 0:
			return one, nil
		case size > 0 == !b.Negative:
			return numericInf(false), nil
		}
		return types.NumericFromInt(0), nil
	case b.Negative:
		return types.NumericFromInt(0), nil
	case !a.Negative:
		return numericInf(false), nil
	case isWhole(b):
		return numericInf(isOdd(b)), nil
	}
	return nil, errs.New(errs.InvalidArgumentForPower, "a negative number raised to a non-integer power yields a complex result")
}

func numericFactorial(n int64) (*apd.Decimal, error) {
	if n < 0 {
		return nil, errs.New(errs.NumericValueOutOfRange, "factorial of a negative number is undefined")
	}
	if n > 32177 {
		return nil, numericOverflow()
	}
	var product big.Int
	product.MulRange(1, max(n, 1))
	d := new(apd.Decimal)
	d.Coeff.SetMathBigInt(&product)
	return d, nil
}

// aligned brings two finite numerics to integers of a common scale.
func aligned(a, b *apd.Decimal) (x, y *big.Int, scale int32) {
	scale = max(-a.Exponent, -b.Exponent)
	at := func(d *apd.Decimal) *big.Int {
		n := d.Coeff.MathBigInt()
		shift := big.NewInt(int64(scale + d.Exponent))
		return new(big.Int).Mul(n, new(big.Int).Exp(big.NewInt(10), shift, nil))
	}
	return at(a), at(b), scale
}

func numericGCD(a, b *apd.Decimal) *apd.Decimal {
	if !finite(a) || !finite(b) {
		return numericNaN()
	}
	x, y, scale := aligned(a, b)
	d := &apd.Decimal{Exponent: -scale}
	d.Coeff.SetMathBigInt(new(big.Int).GCD(nil, nil, x, y))
	return d
}

func numericLCM(a, b *apd.Decimal) (*apd.Decimal, error) {
	if !finite(a) || !finite(b) {
		return numericNaN(), nil
	}
	x, y, scale := aligned(a, b)
	d := &apd.Decimal{Exponent: -scale}
	if x.Sign() != 0 && y.Sign() != 0 {
		g := new(big.Int).GCD(nil, nil, x, y)
		d.Coeff.SetMathBigInt(g.Mul(x.Quo(x, g), y))
	}
	if exponent10(d) >= maxWholeDigits {
		return nil, numericOverflow()
	}
	return d, nil
}

// minScale is the number of decimals without trailing zeros.
func minScale(a *apd.Decimal) int {
	if a.IsZero() {
		return 0
	}
	var r apd.Decimal
	r.Reduce(a)
	return max(int(-r.Exponent), 0)
}

// numericBucket is width_bucket: see floatBucket.
func numericBucket(x, lo, hi *apd.Decimal, count int64) (int64, error) {
	switch {
	case count <= 0:
		return 0, bucketError("count must be greater than zero")
	case isNaN(x) || isNaN(lo) || isNaN(hi):
		return 0, bucketError("operand, lower bound, and upper bound cannot be NaN")
	case !finite(lo) || !finite(hi):
		return 0, bucketError("lower and upper bounds must be finite")
	}
	c := types.NumericCompare(lo, hi)
	if c == 0 {
		return 0, bucketError("lower bound cannot equal upper bound")
	}
	if c > 0 {
		lo, hi, x = types.NumericNeg(lo), types.NumericNeg(hi), types.NumericNeg(x)
	}
	if types.NumericCompare(x, lo) < 0 {
		return 0, nil
	}
	if types.NumericCompare(x, hi) >= 0 {
		return integer.check(count + 1)
	}
	span, err := types.NumericSub(hi, lo)
	if err != nil {
		return 0, err
	}
	at, err := types.NumericSub(x, lo)
	if err != nil {
		return 0, err
	}
	if at, err = types.NumericMul(at, types.NumericFromInt(count)); err != nil {
		return 0, err
	}
	q, err := types.NumericDivTrunc(at, span)
	if err != nil {
		return 0, err
	}
	n, err := types.NumericToInt(q, types.Int8)
	return n + 1, err
}

type decimal = *apd.Decimal

func numericFuncs() kernels {
	fromFloat := func(t *types.Type) Kernel {
		return pure1(func(f float64) decimal { return types.NumericFromFloat(f, t) })
	}
	toInt := func(t *types.Type) Kernel {
		return lift1(func(a decimal) (int64, error) { return types.NumericToInt(a, t) })
	}
	one := types.NumericFromInt(1)
	return kernels{
		"numeric_add": lift2(types.NumericAdd), "numeric_sub": lift2(types.NumericSub), "numeric_mul": lift2(types.NumericMul),
		"numeric_div": lift2(types.NumericDiv), "numeric_div_trunc": lift2(types.NumericDivTrunc), "numeric_mod": lift2(types.NumericMod),
		"numeric_uminus": pure1(types.NumericNeg), "numeric_uplus": identityKernel, "numeric_abs": pure1(types.NumericAbs),
		"numeric_sign": pure1(func(a decimal) decimal {
			if isNaN(a) {
				return a
			}
			return types.NumericFromInt(int64(types.NumericSign(a)))
		}),
		"numeric_ceil": pure1(types.NumericCeil), "numeric_floor": pure1(types.NumericFloor),
		"numeric_round":  pure2(func(a decimal, n int64) decimal { return types.NumericRound(a, int(n)) }),
		"numeric_trunc":  pure2(func(a decimal, n int64) decimal { return types.NumericTrunc(a, int(n)) }),
		"round(numeric)": pure1(func(a decimal) decimal { return types.NumericRound(a, 0) }),
		"trunc(numeric)": pure1(func(a decimal) decimal { return types.NumericTrunc(a, 0) }),
		"numeric_sqrt":   lift1(numericSqrt), "numeric_exp": lift1(numericExp), "numeric_ln": lift1(numericLn), "numeric_log": lift2(numericLog),
		"log(numeric)":   lift1(func(a decimal) (decimal, error) { return numericLog(types.NumericFromInt(10), a) }),
		"log10(numeric)": lift1(func(a decimal) (decimal, error) { return numericLog(types.NumericFromInt(10), a) }),
		"numeric_power":  lift2(numericPower), "numeric_fac": lift1(numericFactorial),
		"numeric_gcd": pure2(numericGCD), "numeric_lcm": lift2(numericLCM),
		"numeric_inc":          lift1(func(a decimal) (decimal, error) { return types.NumericAdd(a, one) }),
		"width_bucket_numeric": lift4(numericBucket),
		"numeric_scale":        perRow(scaleOf(types.NumericScale)), "numeric_min_scale": perRow(scaleOf(minScale)),
		"numeric_trim_scale": pure1(func(a decimal) decimal {
			if !finite(a) {
				return a
			}
			return types.NumericRound(a, minScale(a))
		}),
		"int2_numeric": pure1(types.NumericFromInt), "int4_numeric": pure1(types.NumericFromInt), "int8_numeric": pure1(types.NumericFromInt),
		"float4_numeric": fromFloat(types.Float4), "float8_numeric": fromFloat(types.Float8),
		"numeric_int2": toInt(types.Int2), "numeric_int4": toInt(types.Int4), "numeric_int8": toInt(types.Int8),
		"numeric_float8": lift1(types.NumericToFloat),
		"numeric_float4": lift1(func(a decimal) (float64, error) {
			f, err := types.NumericToFloat(a)
			if err != nil {
				return 0, err
			}
			return toFloat4(f)
		}),
	}
}

// scaleOf makes a function of the scale, which NaN and infinities do not have.
func scaleOf(f func(decimal) int) func(*Ctx, []types.Datum) (types.Datum, error) {
	return func(_ *Ctx, args []types.Datum) (types.Datum, error) {
		a := args[0].Decimal()
		if !finite(a) {
			return types.Null, nil
		}
		return types.NewInt(int64(f(a))), nil
	}
}
