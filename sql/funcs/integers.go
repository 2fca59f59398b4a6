package funcs

import (
	"math"
	"math/bits"

	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// width is an integer type as arithmetic sees it: values are int64 throughout and results are checked.
type width struct {
	name     string
	min, max int64
}

var (
	smallint = width{"smallint", math.MinInt16, math.MaxInt16}
	integer  = width{"integer", math.MinInt32, math.MaxInt32}
	bigint   = width{"bigint", math.MinInt64, math.MaxInt64}
)

func (w width) outOfRange() error {
	return errs.New(errs.NumericValueOutOfRange, "%s out of range", w.name)
}

func divisionByZero() error { return errs.New(errs.DivisionByZero, "division by zero") }

func (w width) check(r int64) (int64, error) {
	if r < w.min || r > w.max {
		return 0, w.outOfRange()
	}
	return r, nil
}

// mask is the mask that reads a Const argument at every row.
func mask(v *types.Vec) int {
	if v.Const {
		return 0
	}
	return -1
}

// add is the kernel of +. The loops of add, sub and mul have no branch on overflow: a sign that something
// overflowed is gathered over the batch.
func (w width) add() Kernel {
	if w == bigint {
		return func(_ *Ctx, args []*types.Vec, rows types.Rows, out *types.Vec) error {
			a, b, o := args[0].I, args[1].I, out.I
			am, bm := mask(args[0]), mask(args[1])
			var bad int64
			switch {
			case rows.Sel != nil:
				for _, n := range rows.Sel {
					i := int(n)
					x, y := a[i&am], b[i&bm]
					r := x + y
					bad |= (x ^ r) & (y ^ r)
					o[i] = r
				}
			case am == -1 && bm == -1:
				a, b, o = a[:rows.N], b[:rows.N], o[:rows.N]
				for i, x := range a {
					y := b[i]
					r := x + y
					bad |= (x ^ r) & (y ^ r)
					o[i] = r
				}
			default:
				for i := range o[:rows.N] {
					x, y := a[i&am], b[i&bm]
					r := x + y
					bad |= (x ^ r) & (y ^ r)
					o[i] = r
				}
			}
			if bad < 0 {
				return w.outOfRange()
			}
			return nil
		}
	}
	lo, span := w.min, uint64(w.max-w.min)
	return func(_ *Ctx, args []*types.Vec, rows types.Rows, out *types.Vec) error {
		a, b, o := args[0].I, args[1].I, out.I
		am, bm := mask(args[0]), mask(args[1])
		bad := false
		switch {
		case rows.Sel != nil:
			for _, n := range rows.Sel {
				i := int(n)
				r := a[i&am] + b[i&bm]
				bad = bad || uint64(r-lo) > span
				o[i] = r
			}
		case am == -1 && bm == -1:
			a, b, o = a[:rows.N], b[:rows.N], o[:rows.N]
			for i, x := range a {
				r := x + b[i]
				bad = bad || uint64(r-lo) > span
				o[i] = r
			}
		default:
			for i := range o[:rows.N] {
				r := a[i&am] + b[i&bm]
				bad = bad || uint64(r-lo) > span
				o[i] = r
			}
		}
		if bad {
			return w.outOfRange()
		}
		return nil
	}
}

func (w width) sub() Kernel {
	if w == bigint {
		return func(_ *Ctx, args []*types.Vec, rows types.Rows, out *types.Vec) error {
			a, b, o := args[0].I, args[1].I, out.I
			am, bm := mask(args[0]), mask(args[1])
			var bad int64
			if rows.Sel != nil {
				for _, n := range rows.Sel {
					i := int(n)
					x, y := a[i&am], b[i&bm]
					r := x - y
					bad |= (x ^ y) & (x ^ r)
					o[i] = r
				}
			} else {
				for i := range o[:rows.N] {
					x, y := a[i&am], b[i&bm]
					r := x - y
					bad |= (x ^ y) & (x ^ r)
					o[i] = r
				}
			}
			if bad < 0 {
				return w.outOfRange()
			}
			return nil
		}
	}
	lo, span := w.min, uint64(w.max-w.min)
	return func(_ *Ctx, args []*types.Vec, rows types.Rows, out *types.Vec) error {
		a, b, o := args[0].I, args[1].I, out.I
		am, bm := mask(args[0]), mask(args[1])
		bad := false
		if rows.Sel != nil {
			for _, n := range rows.Sel {
				i := int(n)
				r := a[i&am] - b[i&bm]
				bad = bad || uint64(r-lo) > span
				o[i] = r
			}
		} else {
			for i := range o[:rows.N] {
				r := a[i&am] - b[i&bm]
				bad = bad || uint64(r-lo) > span
				o[i] = r
			}
		}
		if bad {
			return w.outOfRange()
		}
		return nil
	}
}

func (w width) mul() Kernel {
	if w == bigint {
		return lift2(func(a, b int64) (int64, error) {
			if r, ok := mulInt64(a, b); ok {
				return r, nil
			}
			return 0, bigint.outOfRange()
		})
	}
	lo, span := w.min, uint64(w.max-w.min)
	return func(_ *Ctx, args []*types.Vec, rows types.Rows, out *types.Vec) error {
		a, b, o := args[0].I, args[1].I, out.I
		am, bm := mask(args[0]), mask(args[1])
		bad := false
		if rows.Sel != nil {
			for _, n := range rows.Sel {
				i := int(n)
				r := a[i&am] * b[i&bm]
				bad = bad || uint64(r-lo) > span
				o[i] = r
			}
		} else {
			for i := range o[:rows.N] {
				r := a[i&am] * b[i&bm]
				bad = bad || uint64(r-lo) > span
				o[i] = r
			}
		}
		if bad {
			return w.outOfRange()
		}
		return nil
	}
}

// mulInt64 multiplies; false if the product does not fit.
func mulInt64(a, b int64) (int64, bool) {
	r := a * b
	if int64(int32(a)) == a && int64(int32(b)) == b {
		return r, true
	}
	hi, lo := mul128(a, b)
	return r, hi == int64(lo)>>63
}

func (w width) div() Kernel {
	return lift2(func(a, b int64) (int64, error) {
		if b == 0 {
			return 0, divisionByZero()
		}
		if b == -1 {
			return w.neg(a)
		}
		return w.check(a / b)
	})
}

func (w width) neg(a int64) (int64, error) {
	if a == w.min {
		return 0, w.outOfRange()
	}
	return -a, nil
}

func (w width) abs(a int64) (int64, error) {
	if a < 0 {
		return w.neg(a)
	}
	return a, nil
}

func intMod(a, b int64) (int64, error) {
	switch b {
	case 0:
		return 0, divisionByZero()
	case -1:
		return 0, nil
	}
	return a % b, nil
}

// gcd is the greatest common divisor; it is out of range only for the smallest integer with itself or 0.
func (w width) gcd(a, b int64) (int64, error) {
	x, y := magnitude(a), magnitude(b)
	for y != 0 {
		x, y = y, x%y
	}
	if x > uint64(w.max) {
		return 0, w.outOfRange()
	}
	return int64(x), nil
}

func (w width) lcm(a, b int64) (int64, error) {
	if a == 0 || b == 0 {
		return 0, nil
	}
	x, y := magnitude(a), magnitude(b)
	for y != 0 {
		x, y = y, x%y
	}
	hi, lo := bits.Mul64(magnitude(a)/x, magnitude(b))
	if hi != 0 || lo > uint64(w.max) {
		return 0, w.outOfRange()
	}
	return int64(lo), nil
}

func magnitude(a int64) uint64 {
	if a < 0 {
		return -uint64(a)
	}
	return uint64(a)
}

// shl and shr take the count modulo the width in bits, as the processor does for PostgreSQL.
func (w width) shl(a, n int64) int64 {
	switch w {
	case bigint:
		return a << (uint(n) & 63)
	case integer:
		return int64(int32(a) << (uint(n) & 31))
	}
	return int64(int16(int32(a) << (uint(n) & 31)))
}

func (w width) shr(a, n int64) int64 {
	if w == bigint {
		return a >> (uint(n) & 63)
	}
	return a >> (uint(n) & 31)
}

func integerFuncs() kernels {
	k := kernels{
		"int4inc": lift1(func(a int64) (int64, error) { return integer.check(a + 1) }),
		"int8inc": lift1(func(a int64) (int64, error) {
			if a == math.MaxInt64 {
				return 0, bigint.outOfRange()
			}
			return a + 1, nil
		}),
	}
	for suffix, w := range map[string]width{"2": smallint, "4": integer, "8": bigint} {
		name := "int" + suffix
		k[name+"um"] = lift1(w.neg)
		k[name+"abs"] = lift1(w.abs)
		k[name+"up"] = identityKernel
		k[name+"mod"] = lift2(intMod)
		k[name+"and"] = pure2(func(a, b int64) int64 { return a & b })
		k[name+"or"] = pure2(func(a, b int64) int64 { return a | b })
		k[name+"xor"] = pure2(func(a, b int64) int64 { return a ^ b })
		k[name+"not"] = pure1(func(a int64) int64 { return ^a })
		k[name+"shl"] = pure2(w.shl)
		k[name+"shr"] = pure2(w.shr)
		if w != smallint {
			k[name+"gcd"] = lift2(w.gcd)
			k[name+"lcm"] = lift2(w.lcm)
		}
	}
	// int24pl and the like combine two widths; the result has the larger one.
	for suffix, w := range map[string]width{"2": smallint, "4": integer, "8": bigint,
		"24": integer, "42": integer, "48": bigint, "84": bigint, "28": bigint, "82": bigint} {
		name := "int" + suffix
		k[name+"pl"] = w.add()
		k[name+"mi"] = w.sub()
		k[name+"mul"] = w.mul()
		k[name+"div"] = w.div()
		comparisons(k, name, compareInts)
	}
	return k
}
