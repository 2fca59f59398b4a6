package funcs

import (
	"math"

	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// CastKernel is the kernel of a cast to a type with a modifier (types.NoTypmod for none). An explicit cast
// truncates strings that are too long where others fail. The kernel is strict.
func CastKernel(c *Cast, toMod int32, explicit bool) Kernel {
	k, modded := c.kernel(toMod, explicit)
	if toMod == types.NoTypmod || modded {
		return k
	}
	target := c.Target.Underlying()
	return func(ctx *Ctx, args []*types.Vec, rows types.Rows, out *types.Vec) error {
		if err := k(ctx, args, rows, out); err != nil {
			return err
		}
		return applyTypmod(target, toMod, explicit, rows, out)
	}
}

// TypmodKernel makes values fit a modifier of their own type: a cast that only changes the modifier.
func TypmodKernel(t *types.Type, mod int32, explicit bool) Kernel {
	return CastKernel(&Cast{Source: t, Target: t, Context: CastImplicit, Binary: true}, mod, explicit)
}

func applyTypmod(t *types.Type, mod int32, explicit bool, rows types.Rows, v *types.Vec) (err error) {
	each(rows, func(i int) {
		if err != nil || v.Nulls.Has(i) {
			return
		}
		var d types.Datum
		if d, err = types.ApplyTypmod(t, mod, v.Datum(i), explicit); err == nil {
			v.Set(i, d)
		}
	})
	return err
}

// kernel is the kernel of the conversion itself; modded if it has applied the modifier.
func (c *Cast) kernel(toMod int32, explicit bool) (k Kernel, modded bool) {
	source, target := c.Source.Underlying(), c.Target.Underlying()
	switch {
	case c.Func != nil:
		if !c.Func.implemented() {
			return failing(errs.Unsupported("cast from %s to %s", c.Source, c.Target)), true
		}
		return castFunc(c.Func, toMod, explicit), false
	case c.Binary:
		return relabel(source, target), false
	case c.Elem != nil:
		return castElements(c, toMod, explicit), true
	case c.Fields:
		return castFields(target, explicit), true
	case source.Rep == types.RepString && isText(target) && isText(source):
		return identityKernel, false
	case isText(source):
		return parseKernel(target, toMod), false
	case isText(target):
		return printKernel(source), false
	}
	return throughText(source, target, toMod), false
}

func failing(err error) Kernel {
	return func(*Ctx, []*types.Vec, types.Rows, *types.Vec) error { return err }
}

// castFunc calls a cast's function, which may also take the modifier and whether the cast is explicit.
func castFunc(f *Func, toMod int32, explicit bool) Kernel {
	if len(f.Args) == 1 {
		return f.Kernel
	}
	mod := constInt(types.Int4, int64(toMod))
	flag := constInt(types.Bool, bit(explicit))
	return func(ctx *Ctx, args []*types.Vec, rows types.Rows, out *types.Vec) error {
		return f.Kernel(ctx, []*types.Vec{args[0], mod, flag}[:len(f.Args)], rows, out)
	}
}

func constInt(t *types.Type, v int64) *types.Vec {
	return &types.Vec{Type: t, Const: true, I: []int64{v}}
}

// isText reports whether a type's text form is its value.
func isText(t *types.Type) bool {
	return t == types.Text || t == types.Varchar || t == types.Unknown || t == types.Cstring
}

// relabel is the kernel of a binary cast. The representations are the same but for the sign of oids.
func relabel(source, target *types.Type) Kernel {
	if source != target && source.Rep == types.RepInt && source.Len == 4 {
		switch {
		case source == types.Int4:
			return pure1(func(a int64) int64 { return int64(uint32(a)) })
		case target == types.Int4:
			return pure1(func(a int64) int64 { return int64(int32(a)) })
		}
	}
	return identityKernel
}

// env is the environment of text forms; the defaults where there is none.
func (ctx *Ctx) env() *types.Env {
	if ctx == nil || ctx.Env == nil {
		return types.DefaultEnv
	}
	return ctx.Env
}

func parseKernel(target *types.Type, mod int32) Kernel {
	if target != types.IntervalType && target.Underlying() == target {
		mod = types.NoTypmod // applied afterwards, as a cast does; an interval's fields matter in reading it
	}
	return func(ctx *Ctx, args []*types.Vec, rows types.Rows, out *types.Vec) (err error) {
		s, m := input[string](args[0], rows)
		env := ctx.env()
		each(rows, func(i int) {
			if err != nil {
				return
			}
			var d types.Datum
			if d, err = types.ParseText(target, mod, s[i&m], env); err == nil {
				out.Set(i, d)
			}
		})
		return err
	}
}

func printKernel(source *types.Type) Kernel {
	return func(ctx *Ctx, args []*types.Vec, rows types.Rows, out *types.Vec) error {
		env := ctx.env()
		var scratch []byte
		a := args[0]
		m := mask(a)
		each(rows, func(i int) {
			scratch = types.AppendText(scratch[:0], source, a.Datum(i&m), env)
			out.S[i] = string(scratch)
		})
		return nil
	}
}

func throughText(source, target *types.Type, mod int32) Kernel {
	if target != types.IntervalType {
		mod = types.NoTypmod
	}
	return perRow(func(ctx *Ctx, args []types.Datum) (types.Datum, error) {
		env := ctx.env()
		return types.ParseText(target, mod, string(types.AppendText(nil, source, args[0], env)), env)
	})
}

// castElements casts arrays element by element.
func castElements(c *Cast, toMod int32, explicit bool) Kernel {
	k := CastKernel(c.Elem, toMod, explicit)
	source, target := c.Source.Underlying().Elem, c.Target.Underlying().Elem
	return perRow(func(ctx *Ctx, args []types.Datum) (types.Datum, error) {
		a := args[0].Any().(*types.Array)
		elems, err := mapDatums(ctx, k, source, target, a.Elems)
		if err != nil {
			return types.Null, err
		}
		return types.NewAny(&types.Array{Elem: target, Dims: a.Dims, Lower: a.Lower, Elems: elems}), nil
	})
}

// mapDatums applies the kernel of a cast to values, NULLs included.
func mapDatums(ctx *Ctx, k Kernel, source, target *types.Type, from []types.Datum) ([]types.Datum, error) {
	in, out := types.NewVec(source, len(from)), types.NewVec(target, len(from))
	for i, d := range from {
		in.Set(i, d)
	}
	if err := EvalStrictKernel(k, ctx, []*types.Vec{in}, types.Rows{N: len(from)}, out); err != nil {
		return nil, err
	}
	to := make([]types.Datum, len(from))
	for i := range to {
		to[i] = out.Datum(i)
	}
	return to, nil
}

// CastDatum applies a cast to one value. NULL stays NULL.
func CastDatum(ctx *Ctx, c *Cast, toMod int32, explicit bool, d types.Datum) (types.Datum, error) {
	to, err := mapDatums(ctx, CastKernel(c, toMod, explicit), c.Source, c.Target, []types.Datum{d})
	if err != nil {
		return types.Null, err
	}
	return to[0], nil
}

// castFields casts records to a composite type field by field.
func castFields(target *types.Type, explicit bool) Kernel {
	var fields []types.Field
	names := []string{}
	for _, f := range target.Fields {
		if !f.Dropped {
			fields = append(fields, f)
			names = append(names, f.Name)
		}
	}
	ts := make([]*types.Type, len(fields))
	for i, f := range fields {
		ts[i] = f.Type
	}
	context := CastAssignment
	if explicit {
		context = CastExplicit
	}
	return perRow(func(ctx *Ctx, args []types.Datum) (types.Datum, error) {
		r := args[0].Any().(*types.Record)
		e := errs.New(errs.CannotCoerce, "cannot cast type %s to %s", types.RecordType, target)
		switch {
		case len(r.Values) < len(fields):
			return types.Null, e.WithDetail("Input has too few columns.")
		case len(r.Values) > len(fields):
			return types.Null, e.WithDetail("Input has too many columns.")
		}
		values := make([]types.Datum, len(fields))
		for i, f := range fields {
			c, ok := FindCast(r.Types[i], f.Type, context)
			if !ok {
				return types.Null, e.WithDetail("Cannot cast type %s to %s in column %d.", r.Types[i], f.Type, i+1)
			}
			var err error
			if values[i], err = CastDatum(ctx, c, f.Typmod, explicit, r.Values[i]); err != nil {
				return types.Null, err
			}
		}
		return types.NewAny(&types.Record{Types: ts, Names: names, Values: values}), nil
	})
}

// castFuncs are the functions behind casts that are not parsing or printing.
func castFuncs() kernels {
	toFloat4 := lift1(func(a float64) (float64, error) { return toFloat4(a) })
	k := kernels{
		"i4toi2": lift1(smallint.check), "int82": lift1(smallint.check), "int84": lift1(integer.check),
		"i2toi4": identityKernel, "int28": identityKernel, "int48": identityKernel, "oidtoi8": identityKernel,
		"i8tooid": lift1(func(a int64) (int64, error) {
			if a < 0 || a > math.MaxUint32 {
				return 0, errs.New(errs.NumericValueOutOfRange, "OID out of range")
			}
			return a, nil
		}),
		"i2tof": pure1(intToFloat4), "i4tof": pure1(intToFloat4), "i8tof": pure1(intToFloat4),
		"i2tod": pure1(intToFloat), "i4tod": pure1(intToFloat), "i8tod": pure1(intToFloat),
		"ftod": identityKernel, "dtof": toFloat4,
		"ftoi2": lift1(smallint.fromFloat), "dtoi2": lift1(smallint.fromFloat),
		"ftoi4": lift1(integer.fromFloat), "dtoi4": lift1(integer.fromFloat),
		"ftoi8": lift1(bigint.fromFloat), "dtoi8": lift1(bigint.fromFloat),
		"int4_bool": pred1(func(a int64) bool { return a != 0 }),
		"bool_int4": identityKernel,
		"booltext": pure1(func(b bool) string {
			if b {
				return "true"
			}
			return "false"
		}),
		"name_text": identityKernel,
		"text_name": pure1(truncateName), "bpchar_name": pure1(func(s string) string { return truncateName(trimBlanks(s)) }),
		"name_bpchar": identityKernel, "char_bpchar": identityKernel, "char_text": identityKernel,
		"text_char": pure1(func(s string) string {
			if s == "" {
				return ""
			}
			return s[:1]
		}),
		"chartoi4": pure1(func(s string) int64 {
			if s == "" {
				return 0
			}
			return int64(int8(s[0]))
		}),
		"i4tochar": lift1(func(a int64) (string, error) {
			if a < math.MinInt8 || a > math.MaxInt8 {
				return "", errs.New(errs.NumericValueOutOfRange, `"char" out of range`)
			}
			if a == 0 {
				return "", nil
			}
			return string([]byte{byte(a)}), nil
		}),
		"text_regclass": parseKernel(types.Regclass, types.NoTypmod),
	}
	for _, t := range []*types.Type{types.Varchar, types.Bpchar, types.Numeric, types.Time, types.TimeTZType, types.Timestamp,
		types.TimestampTZ, types.IntervalType, types.Bit, types.VarBit} {
		if source := lengthCoercions[t]; source != "" {
			k[source] = lengthCoercion(t)
		}
	}
	return k
}

// lengthCoercions are the functions that make a value fit a modifier given as an argument.
var lengthCoercions = map[*types.Type]string{
	types.Varchar: "varchar", types.Bpchar: "bpchar", types.Numeric: "numeric", types.Time: "time_scale", types.TimeTZType: "timetz_scale",
	types.Timestamp: "timestamp_scale", types.TimestampTZ: "timestamptz_scale", types.IntervalType: "interval_scale",
}

func lengthCoercion(t *types.Type) Kernel {
	return perRow(func(_ *Ctx, args []types.Datum) (types.Datum, error) {
		if err := checkPadding(t, args[1].Int()); err != nil {
			return types.Null, err
		}
		return types.ApplyTypmod(t, int32(args[1].Int()), args[0], len(args) > 2 && args[2].Bool())
	})
}

// checkPadding refuses to pad to a length that a type could not be declared with but a function can be called with.
func checkPadding(t *types.Type, mod int64) error {
	if t == types.Bpchar && mod > maxString || t == types.Bit && mod > maxBits {
		return tooLong()
	}
	return nil
}

func truncateName(s string) string {
	const limit = 63
	if len(s) <= limit {
		return s
	}
	n := limit
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n]
}

func intToFloat(a int64) float64  { return float64(a) }
func intToFloat4(a int64) float64 { return float64(float32(a)) }

// toFloat4 rounds to float4.
func toFloat4(a float64) (float64, error) {
	r := float64(float32(a))
	if math.IsInf(r, 0) && !math.IsInf(a, 0) {
		return 0, floatOverflow()
	}
	if r == 0 && a != 0 {
		return 0, floatUnderflow()
	}
	return r, nil
}

// fromFloat rounds half to even, as the processor does.
func (w width) fromFloat(a float64) (int64, error) {
	r := math.RoundToEven(a)
	if !(r >= float64(w.min) && r < -float64(w.min)) {
		return 0, w.outOfRange()
	}
	return int64(r), nil
}
