package funcs

import (
	"math"

	"holdfast/sql/errs"
	"holdfast/sql/types"
)

func floatOverflow() error {
	return errs.New(errs.NumericValueOutOfRange, "value out of range: overflow")
}

func floatUnderflow() error {
	return errs.New(errs.NumericValueOutOfRange, "value out of range: underflow")
}

func inputOutOfRange() error { return errs.New(errs.NumericValueOutOfRange, "input is out of range") }

// Float arithmetic fails where the result is infinite or zero and the operands say it should not be.

func floatAdd(a, b float64) (float64, error) {
	r := a + b
	if math.IsInf(r, 0) && !math.IsInf(a, 0) && !math.IsInf(b, 0) {
		return 0, floatOverflow()
	}
	return r, nil
}

func floatSub(a, b float64) (float64, error) {
	r := a - b
	if math.IsInf(r, 0) && !math.IsInf(a, 0) && !math.IsInf(b, 0) {
		return 0, floatOverflow()
	}
	return r, nil
}

func floatMul(a, b float64) (float64, error) {
	r := a * b
	if math.IsInf(r, 0) && !math.IsInf(a, 0) && !math.IsInf(b, 0) {
		return 0, floatOverflow()
	}
	if r == 0 && a != 0 && b != 0 {
		return 0, floatUnderflow()
	}
	return r, nil
}

func floatDiv(a, b float64) (float64, error) {
	if b == 0 && !math.IsNaN(a) {
		return 0, divisionByZero()
	}
	r := a / b
	if math.IsInf(r, 0) && !math.IsInf(a, 0) {
		return 0, floatOverflow()
	}
	if r == 0 && a != 0 && !math.IsInf(b, 0) {
		return 0, floatUnderflow()
	}
	return r, nil
}

// checked fails where a function of a finite argument is infinite, or zero though it cannot be.
func checked(f func(float64) float64, neverZero bool) Kernel {
	return lift1(func(a float64) (float64, error) {
		r := f(a)
		if math.IsInf(r, 0) && !math.IsInf(a, 0) {
			return 0, floatOverflow()
		}
		if neverZero && r == 0 && !math.IsInf(a, 0) {
			return 0, floatUnderflow()
		}
		return r, nil
	})
}

// trigonometric is a function that is not defined at infinity.
func trigonometric(f func(float64) float64) Kernel {
	return lift1(func(a float64) (float64, error) {
		if math.IsInf(a, 0) {
			return 0, inputOutOfRange()
		}
		return f(a), nil
	})
}

// inDomain is a function defined from lo to hi.
func inDomain(lo, hi float64, f func(float64) float64) Kernel {
	return lift1(func(a float64) (float64, error) {
		if a < lo || a > hi {
			return 0, inputOutOfRange()
		}
		return f(a), nil
	})
}

func floatLn(a float64) (float64, error) {
	if err := logArgument(a); err != nil {
		return 0, err
	}
	return math.Log(a), nil
}

func logArgument(a float64) error {
	if a == 0 {
		return errs.New(errs.InvalidArgumentForLog, "cannot take logarithm of zero")
	}
	if a < 0 {
		return errs.New(errs.InvalidArgumentForLog, "cannot take logarithm of a negative number")
	}
	return nil
}

func floatPower(a, b float64) (float64, error) {
	switch {
	case math.IsNaN(a) && b == 0, a == 1:
		return 1, nil
	case math.IsNaN(a) || math.IsNaN(b):
		return math.NaN(), nil
	case a == 0 && b < 0:
		return 0, errs.New(errs.InvalidArgumentForPower, "zero raised to a negative power is undefined")
	case a < 0 && !math.IsInf(a, 0) && !math.IsInf(b, 0) && b != math.Floor(b):
		return 0, errs.New(errs.InvalidArgumentForPower, "a negative number raised to a non-integer power yields a complex result")
	}
	r := math.Pow(a, b)
	if !math.IsInf(a, 0) && !math.IsInf(b, 0) {
		if math.IsInf(r, 0) {
			return 0, floatOverflow()
		}
		if r == 0 && a != 0 {
			return 0, floatUnderflow()
		}
	}
	return r, nil
}

func floatSqrt(a float64) (float64, error) {
	if a < 0 {
		return 0, errs.New(errs.InvalidArgumentForPower, "cannot take square root of a negative number")
	}
	return math.Sqrt(a), nil
}

func floatSign(a float64) float64 {
	switch {
	case a > 0:
		return 1
	case a < 0:
		return -1
	}
	return 0
}

// acos is math.Acos without its loss of digits near 1 and -1.
func acos(x float64) float64 {
	switch {
	case x >= 0.5:
		return 2 * math.Asin(math.Sqrt((1-x)/2))
	case x <= -0.5:
		return math.Pi - 2*math.Asin(math.Sqrt((1+x)/2))
	}
	return math.Pi/2 - math.Asin(x)
}

// Degrees: exact at multiples of 30 and 45, as PostgreSQL's are.

// degree is a variable so that products with it are rounded, as they are there.
var degree = math.Pi / 180

var (
	tan45    = sinFirst(45) / cosFirst(45)
	cot45    = cosFirst(45) / sinFirst(45)
	asinHalf = math.Asin(0.5)
	acosHalf = acos(0.5)
	atanOne  = math.Atan(1)
)

// sinFirst and cosFirst are for 0 .. 90 degrees, each computed where it is scaled to be exact.
func sinFirst(x float64) float64 {
	if x <= 30 {
		return math.Sin(x*degree) / math.Sin(30*degree) / 2
	}
	return 1 - (1-math.Cos((90-x)*degree))/(1-math.Cos(60*degree))/2
}

func cosFirst(x float64) float64 {
	if x <= 60 {
		return 1 - (1-math.Cos(x*degree))/(1-math.Cos(60*degree))/2
	}
	return math.Sin((90-x)*degree) / math.Sin(30*degree) / 2
}

// quadrant brings an angle into 0 .. 90 degrees and tells the signs of its sine and cosine.
func quadrant(x float64) (first, sinSign, cosSign float64) {
	x = math.Mod(x, 360)
	sinSign, cosSign = 1, 1
	if x < 0 {
		x, sinSign = -x, -1
	}
	if x > 180 {
		x, sinSign = 360-x, -sinSign
	}
	if x > 90 {
		x, cosSign = 180-x, -1
	}
	return x, sinSign, cosSign
}

func sind(x float64) float64 {
	f, s, _ := quadrant(x)
	return s * sinFirst(f)
}

func cosd(x float64) float64 {
	f, _, c := quadrant(x)
	return c * cosFirst(f)
}

func tand(x float64) float64 {
	f, s, c := quadrant(x)
	return s*c*(sinFirst(f)/cosFirst(f))/tan45 + 0
}

func cotd(x float64) float64 {
	f, s, c := quadrant(x)
	return s*c*(cosFirst(f)/sinFirst(f))/cot45 + 0
}

func asindFirst(x float64) float64 {
	if x <= 0.5 {
		return math.Asin(x) / asinHalf * 30
	}
	return 90 - acos(x)/acosHalf*60
}

func asind(x float64) float64 {
	if x >= 0 {
		return asindFirst(x)
	}
	return -asindFirst(-x)
}

func acosdFirst(x float64) float64 {
	if x <= 0.5 {
		return 90 - math.Asin(x)/asinHalf*30
	}
	return acos(x) / acosHalf * 60
}

func acosd(x float64) float64 {
	if x >= 0 {
		return acosdFirst(x)
	}
	return 90 + asindFirst(-x)
}

// floatBucket is width_bucket: the bucket of count equal ones between lo and hi that x falls in, 0 below and
// count+1 above; lo may be above hi.
func floatBucket(x, lo, hi float64, count int64) (int64, error) {
	if count <= 0 {
		return 0, bucketError("count must be greater than zero")
	}
	if math.IsNaN(x) || math.IsNaN(lo) || math.IsNaN(hi) {
		return 0, bucketError("operand, lower bound, and upper bound cannot be NaN")
	}
	if math.IsInf(lo, 0) || math.IsInf(hi, 0) {
		return 0, bucketError("lower and upper bounds must be finite")
	}
	if lo == hi {
		return 0, bucketError("lower bound cannot equal upper bound")
	}
	if lo > hi {
		lo, hi, x = -lo, -hi, -x
	}
	switch {
	case x < lo:
		return 0, nil
	case x >= hi:
		return integer.check(count + 1)
	}
	var r float64
	if span := hi - lo; !math.IsInf(span, 0) {
		r = float64(count) * ((x - lo) / span)
	} else {
		r = float64(count) * ((x/2 - lo/2) / (hi/2 - lo/2))
	}
	return min(int64(r), count-1) + 1, nil
}

func bucketError(message string) error {
	return errs.New(errs.InvalidArgumentForWidthBucket, "%s", message)
}

func floatFuncs() kernels {
	k := kernels{
		"dsqrt": lift1(floatSqrt), "dcbrt": pure1(math.Cbrt), "dpow": lift2(floatPower),
		"dexp": checked(math.Exp, true), "dlog1": lift1(floatLn),
		"dlog10": lift1(func(a float64) (float64, error) {
			if err := logArgument(a); err != nil {
				return 0, err
			}
			return math.Log10(a), nil
		}),
		"dceil": pure1(math.Ceil), "dfloor": pure1(math.Floor), "dround": pure1(math.RoundToEven), "dtrunc": pure1(math.Trunc),
		"dsign": pure1(floatSign), "dpi": lift0(func(*Ctx) (float64, error) { return math.Pi, nil }),
		"degrees": checked(func(a float64) float64 { return a / degree }, false), "radians": pure1(func(a float64) float64 { return a * degree }),
		"dsin": trigonometric(math.Sin), "dcos": trigonometric(math.Cos), "dtan": trigonometric(math.Tan),
		"dcot":  trigonometric(func(a float64) float64 { return 1 / math.Tan(a) }),
		"dasin": inDomain(-1, 1, math.Asin), "dacos": inDomain(-1, 1, acos), "datan": pure1(math.Atan), "datan2": pure2(math.Atan2),
		"dsinh": pure1(math.Sinh), "dcosh": pure1(math.Cosh), "dtanh": pure1(math.Tanh),
		"dasinh": pure1(math.Asinh), "dacosh": inDomain(1, math.Inf(1), math.Acosh), "datanh": inDomain(-1, 1, math.Atanh),
		"dsind": trigonometric(sind), "dcosd": trigonometric(cosd), "dtand": trigonometric(tand), "dcotd": trigonometric(cotd),
		"dasind": inDomain(-1, 1, asind), "dacosd": inDomain(-1, 1, acosd),
		"datand":              pure1(func(a float64) float64 { return math.Atan(a) / atanOne * 45 }),
		"datan2d":             pure2(func(a, b float64) float64 { return math.Atan2(a, b) / atanOne * 45 }),
		"width_bucket_float8": lift4(floatBucket),
	}
	narrow := func(f func(a, b float64) (float64, error)) Kernel {
		return lift2(func(a, b float64) (float64, error) {
			r, err := f(a, b)
			if err != nil {
				return 0, err
			}
			return toFloat4(r)
		})
	}
	for name, f := range map[string]func(a, b float64) (float64, error){"pl": floatAdd, "mi": floatSub, "mul": floatMul, "div": floatDiv} {
		k["float4"+name] = narrow(f)
		k["float8"+name] = lift2(f)
		k["float48"+name] = lift2(f)
		k["float84"+name] = lift2(f)
	}
	k["float8pl"], k["float8mi"], k["float8mul"] = float8Sum(1), float8Sum(-1), float8Product
	for _, t := range []string{"float4", "float8"} {
		k[t+"um"] = pure1(func(a float64) float64 { return -a })
		k[t+"up"] = identityKernel
		k[t+"abs"] = pure1(math.Abs)
	}
	return k
}

// float8Sum is + (sign 1) or - (sign -1). A batch without an infinite result needs no look at the operands.
func float8Sum(sign float64) Kernel {
	return func(_ *Ctx, args []*types.Vec, rows types.Rows, out *types.Vec) error {
		a, b, o := args[0].F, args[1].F, out.F
		am, bm := mask(args[0]), mask(args[1])
		suspect := false
		if rows.Sel == nil {
			for i := range o[:rows.N] {
				r := a[i&am] + sign*b[i&bm]
				suspect = suspect || math.Abs(r) > math.MaxFloat64
				o[i] = r
			}
		} else {
			for _, n := range rows.Sel {
				i := int(n)
				r := a[i&am] + sign*b[i&bm]
				suspect = suspect || math.Abs(r) > math.MaxFloat64
				o[i] = r
			}
		}
		if suspect {
			return overflowed(args, rows, o)
		}
		return nil
	}
}

func float8Product(_ *Ctx, args []*types.Vec, rows types.Rows, out *types.Vec) error {
	a, b, o := args[0].F, args[1].F, out.F
	am, bm := mask(args[0]), mask(args[1])
	suspect := false
	if rows.Sel == nil {
		for i := range o[:rows.N] {
			x, y := a[i&am], b[i&bm]
			r := x * y
			suspect = suspect || math.Abs(r) > math.MaxFloat64 || r == 0 && x != 0 && y != 0
			o[i] = r
		}
	} else {
		for _, n := range rows.Sel {
			i := int(n)
			x, y := a[i&am], b[i&bm]
			r := x * y
			suspect = suspect || math.Abs(r) > math.MaxFloat64 || r == 0 && x != 0 && y != 0
			o[i] = r
		}
	}
	if suspect {
		return lift2(floatMul)(nil, args, rows, out)
	}
	return nil
}

// overflowed fails if a result is infinite though no operand is.
func overflowed(args []*types.Vec, rows types.Rows, o []float64) (err error) {
	a, b := args[0], args[1]
	each(rows, func(i int) {
		if math.IsInf(o[i], 0) && !math.IsInf(a.F[i&mask(a)], 0) && !math.IsInf(b.F[i&mask(b)], 0) {
			err = floatOverflow()
		}
	})
	return err
}
