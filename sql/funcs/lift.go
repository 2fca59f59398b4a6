package funcs

import (
	"github.com/cockroachdb/apd/v3"

	"holdfast/sql/types"
)

// Lifting turns a Go function of values into a kernel over vectors. A parameter's Go type is that of the
// SQL type's representation: int64, float64, string, *apd.Decimal, bool, or what a RepAny vector holds.
//
// The four types that vectors have slices of are read and written in place. A Const argument is read through
// a mask that turns every row number into 0, so that one loop serves all combinations. Other types are copied
// to a slice first: they are rarer, and what they compute costs more than the copy.
//
// The rows of a lifted kernel have no NULL argument (see Kernel), and no result is NULL; functions that return
// NULL for other reasons use perRow.

// inPlace is the slice of a vector with elements of type T, nil if vectors have none.
func inPlace[T any](v *types.Vec) *[]T {
	var s *[]T
	switch p := any(&s).(type) {
	case **[]int64:
		*p = &v.I
	case **[]float64:
		*p = &v.F
	case **[]string:
		*p = &v.S
	case **[]*apd.Decimal:
		*p = &v.D
	}
	return s
}

func load[T any](v *types.Vec, i int) T {
	var t T
	if p, ok := any(&t).(*bool); ok {
		*p = v.I[i] != 0
		return t
	}
	return v.X[i].(T)
}

// input is a slice with the values of an argument and the mask for row numbers.
func input[T any](v *types.Vec, rows types.Rows) (s []T, mask int) {
	if p := inPlace[T](v); p != nil {
		if v.Const {
			return *p, 0
		}
		return *p, -1
	}
	if v.Const {
		return []T{load[T](v, 0)}, 0
	}
	if rows.Sel == nil {
		s = make([]T, rows.N)
		for i := range s {
			s[i] = load[T](v, i)
		}
		return s, -1
	}
	top := 0
	for _, i := range rows.Sel {
		top = max(top, int(i))
	}
	s = make([]T, top+1)
	for _, i := range rows.Sel {
		s[i] = load[T](v, int(i))
	}
	return s, -1
}

// output is a slice to write results to, of type T, which finish must be called with afterwards.
func output[T any](v *types.Vec, rows types.Rows) []T {
	if p := inPlace[T](v); p != nil {
		return *p
	}
	if rows.Sel == nil {
		return make([]T, rows.N)
	}
	top := 0
	for _, i := range rows.Sel {
		top = max(top, int(i))
	}
	return make([]T, top+1)
}

func finish[T any](v *types.Vec, rows types.Rows, s []T) {
	if inPlace[T](v) != nil {
		return
	}
	if b, ok := any(s).([]bool); ok {
		each(rows, func(i int) {
			v.I[i] = 0
			if b[i] {
				v.I[i] = 1
			}
		})
		return
	}
	each(rows, func(i int) { v.X[i] = s[i] })
}

func each(rows types.Rows, f func(i int)) {
	if rows.Sel == nil {
		for i := range rows.N {
			f(i)
		}
		return
	}
	for _, i := range rows.Sel {
		f(int(i))
	}
}

// lift0 calls f for every row.
func lift0[R any](f func(ctx *Ctx) (R, error)) Kernel {
	return func(ctx *Ctx, _ []*types.Vec, rows types.Rows, out *types.Vec) error {
		o := output[R](out, rows)
		var err error
		each(rows, func(i int) {
			if err == nil {
				o[i], err = f(ctx)
			}
		})
		finish(out, rows, o)
		return err
	}
}

// lift1 lifts a function of one argument that may fail. It and its like stop at the first error.
func lift1[A, R any](f func(A) (R, error)) Kernel {
	return func(_ *Ctx, args []*types.Vec, rows types.Rows, out *types.Vec) (err error) {
		a, am := input[A](args[0], rows)
		o := output[R](out, rows)
		if rows.Sel == nil {
			for i := range rows.N {
				if o[i], err = f(a[i&am]); err != nil {
					return err
				}
			}
		} else {
			for _, i := range rows.Sel {
				if o[i], err = f(a[int(i)&am]); err != nil {
					return err
				}
			}
		}
		finish(out, rows, o)
		return nil
	}
}

// lift2 is lift1 for two arguments.
func lift2[A, B, R any](f func(A, B) (R, error)) Kernel {
	return func(_ *Ctx, args []*types.Vec, rows types.Rows, out *types.Vec) (err error) {
		a, am := input[A](args[0], rows)
		b, bm := input[B](args[1], rows)
		o := output[R](out, rows)
		if rows.Sel == nil {
			for i := range rows.N {
				if o[i], err = f(a[i&am], b[i&bm]); err != nil {
					return err
				}
			}
		} else {
			for _, n := range rows.Sel {
				i := int(n)
				if o[i], err = f(a[i&am], b[i&bm]); err != nil {
					return err
				}
			}
		}
		finish(out, rows, o)
		return nil
	}
}

// lift3 is lift1 for three arguments.
func lift3[A, B, C, R any](f func(A, B, C) (R, error)) Kernel {
	return func(_ *Ctx, args []*types.Vec, rows types.Rows, out *types.Vec) (err error) {
		a, am := input[A](args[0], rows)
		b, bm := input[B](args[1], rows)
		c, cm := input[C](args[2], rows)
		o := output[R](out, rows)
		if rows.Sel == nil {
			for i := range rows.N {
				if o[i], err = f(a[i&am], b[i&bm], c[i&cm]); err != nil {
					return err
				}
			}
		} else {
			for _, n := range rows.Sel {
				i := int(n)
				if o[i], err = f(a[i&am], b[i&bm], c[i&cm]); err != nil {
					return err
				}
			}
		}
		finish(out, rows, o)
		return nil
	}
}

// lift4 is lift1 for four arguments.
func lift4[A, B, C, D, R any](f func(A, B, C, D) (R, error)) Kernel {
	return func(_ *Ctx, args []*types.Vec, rows types.Rows, out *types.Vec) (err error) {
		a, am := input[A](args[0], rows)
		b, bm := input[B](args[1], rows)
		c, cm := input[C](args[2], rows)
		d, dm := input[D](args[3], rows)
		o := output[R](out, rows)
		each(rows, func(i int) {
			if err == nil {
				o[i], err = f(a[i&am], b[i&bm], c[i&cm], d[i&dm])
			}
		})
		if err != nil {
			return err
		}
		finish(out, rows, o)
		return nil
	}
}

// pure1 lifts a function of one argument that cannot fail.
func pure1[A, R any](f func(A) R) Kernel {
	return func(_ *Ctx, args []*types.Vec, rows types.Rows, out *types.Vec) error {
		a, am := input[A](args[0], rows)
		o := output[R](out, rows)
		if rows.Sel == nil {
			for i := range rows.N {
				o[i] = f(a[i&am])
			}
		} else {
			for _, i := range rows.Sel {
				o[i] = f(a[int(i)&am])
			}
		}
		finish(out, rows, o)
		return nil
	}
}

// pure2 is pure1 for two arguments.
func pure2[A, B, R any](f func(A, B) R) Kernel {
	return func(_ *Ctx, args []*types.Vec, rows types.Rows, out *types.Vec) error {
		a, am := input[A](args[0], rows)
		b, bm := input[B](args[1], rows)
		o := output[R](out, rows)
		if rows.Sel == nil {
			for i := range rows.N {
				o[i] = f(a[i&am], b[i&bm])
			}
		} else {
			for _, n := range rows.Sel {
				i := int(n)
				o[i] = f(a[i&am], b[i&bm])
			}
		}
		finish(out, rows, o)
		return nil
	}
}

// pure3 is pure1 for three arguments.
func pure3[A, B, C, R any](f func(A, B, C) R) Kernel {
	return lift3(func(a A, b B, c C) (R, error) { return f(a, b, c), nil })
}

// pred1 lifts a predicate.
func pred1[A any](f func(A) bool) Kernel {
	return pure1(func(a A) int64 { return bit(f(a)) })
}

// pred2 lifts a predicate of two arguments.
func pred2[A, B any](f func(A, B) bool) Kernel {
	return pure2(func(a A, b B) int64 { return bit(f(a, b)) })
}

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// perRow makes a kernel of a function over one row of arguments. It is for functions that take any number or
// type of arguments, that need the context, or whose result can be NULL: of a strict function, too, and of one
// that is not, whose arguments may then be NULL.
func perRow(f func(ctx *Ctx, args []types.Datum) (types.Datum, error)) Kernel {
	return func(ctx *Ctx, args []*types.Vec, rows types.Rows, out *types.Vec) error {
		row := make([]types.Datum, len(args))
		compute := func(i int) error {
			for k, a := range args {
				row[k] = a.Datum(i)
			}
			d, err := f(ctx, row)
			if err != nil {
				return err
			}
			out.Set(i, d)
			return nil
		}
		if rows.Sel == nil {
			for i := range rows.N {
				if err := compute(i); err != nil {
					return err
				}
			}
			return nil
		}
		for _, i := range rows.Sel {
			if err := compute(int(i)); err != nil {
				return err
			}
		}
		return nil
	}
}

// typedRow is perRow for polymorphic functions, which are given the concrete types of arguments and result.
func typedRow(f func(ctx *Ctx, call callTypes, args []types.Datum) (types.Datum, error)) Kernel {
	return func(ctx *Ctx, args []*types.Vec, rows types.Rows, out *types.Vec) error {
		call := callTypes{args: make([]*types.Type, len(args)), result: out.Type}
		for i, a := range args {
			call.args[i] = a.Type
		}
		return perRow(func(ctx *Ctx, row []types.Datum) (types.Datum, error) { return f(ctx, call, row) })(ctx, args, rows, out)
	}
}

// callTypes are the concrete types of a call.
type callTypes struct {
	args   []*types.Type
	result *types.Type
}

// identityKernel copies its argument.
func identityKernel(_ *Ctx, args []*types.Vec, rows types.Rows, out *types.Vec) error {
	copyRows(args[0], rows, out)
	return nil
}

// copyRows copies the values of rows of a, none NULL, into out, a vector of the same representation.
func copyRows(a *types.Vec, rows types.Rows, out *types.Vec) {
	switch out.Type.Rep {
	case types.RepInt:
		copySlice(out.I, a.I, a.Const, rows)
	case types.RepFloat:
		copySlice(out.F, a.F, a.Const, rows)
	case types.RepString:
		copySlice(out.S, a.S, a.Const, rows)
	case types.RepDecimal:
		copySlice(out.D, a.D, a.Const, rows)
	default:
		copySlice(out.X, a.X, a.Const, rows)
	}
}

func copySlice[T any](to, from []T, constant bool, rows types.Rows) {
	switch {
	case rows.Sel == nil && !constant:
		copy(to[:rows.N], from)
	case constant:
		v := from[0]
		each(rows, func(i int) { to[i] = v })
	default:
		for _, i := range rows.Sel {
			to[i] = from[i]
		}
	}
}

// spreadLast makes the kernel of a call VARIADIC array of a function declared VARIADIC "any", whose kernel
// takes single arguments.
func spreadLast(k Kernel) Kernel {
	return func(ctx *Ctx, args []*types.Vec, rows types.Rows, out *types.Vec) error {
		last := args[len(args)-1]
		fixed := args[: len(args)-1 : len(args)-1]
		var err error
		one := types.Rows{N: 1, Sel: []int32{0}}
		each(rows, func(i int) {
			if err != nil {
				return
			}
			d := last.Datum(i)
			if d.IsNull() {
				out.SetNull(i)
				return
			}
			array := d.Any().(*types.Array)
			spread := fixed
			for _, e := range array.Elems {
				v := types.NewVec(array.Elem, 1)
				v.Const = true
				v.Set(0, e)
				spread = append(spread, v)
			}
			one.Sel[0] = int32(i)
			err = k(ctx, spread, one, out)
		})
		return err
	}
}
