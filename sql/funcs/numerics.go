package funcs

import (
	"math/big"

	"github.com/cockroachdb/apd/v3"

	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// Functions of numeric over the arithmetic of sql/types.

const maxWholeDigits = 131072 // digits before the decimal point

func numericOverflow() error {
	return errs.New(errs.NumericValueOutOfRange, "value overflows numeric format")
}

func numericNaN() *apd.Decimal { return &apd.Decimal{Form: apd.NaN} }

func numericInf(negative bool) *apd.Decimal {
	return &apd.Decimal{Form: apd.Infinite, Negative: negative}
}

func finite(a *apd.Decimal) bool { return a.Form == apd.Finite }

func isNaN(a *apd.Decimal) bool { return a.Form == apd.NaN || a.Form == apd.NaNSignaling }

// exponent10 is the decimal exponent of the first digit: 2 for 123.4; 0 for zero.
func exponent10(a *apd.Decimal) int {
	if a.IsZero() {
		return 0
	}
	return int(a.NumDigits()) + int(a.Exponent) - 1
}

// precise is a context for computing a result of exponent10 e with some decimals and digits to spare.
func precise(e, scale int) *apd.Context {
	c := apd.BaseContext.WithPrecision(uint32(max(e+scale, 0) + 12))
	c.MaxExponent, c.MinExponent = apd.MaxExponent, apd.MinExponent
	c.Traps = 0
	return c
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
		"numeric_sqrt":   lift1(types.NumericSqrt), "numeric_exp": lift1(types.NumericExp), "numeric_ln": lift1(types.NumericLn), "numeric_log": lift2(types.NumericLog),
		"log(numeric)":   lift1(func(a decimal) (decimal, error) { return types.NumericLog(types.NumericFromInt(10), a) }),
		"log10(numeric)": lift1(func(a decimal) (decimal, error) { return types.NumericLog(types.NumericFromInt(10), a) }),
		"numeric_power":  lift2(types.NumericPower), "numeric_fac": lift1(numericFactorial),
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
			if f, err = toFloat4(f); err != nil {
				text := types.AppendText(nil, types.Numeric, types.NewDecimal(a), nil)
				return 0, errs.New(errs.NumericValueOutOfRange, `"%s" is out of range for type real`, text)
			}
			return f, nil
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
