package funcs

import (
	"strconv"
	"strings"

	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// maxArraySize is the number of elements PostgreSQL allows.
const maxArraySize = (1<<30 - 1) / 8

func arraySubscriptError(format string, args ...any) *errs.Error {
	return errs.New(errs.ArraySubscriptError, format, args...)
}

func arrayOf(d types.Datum) *types.Array { return d.Any().(*types.Array) }

func newArray(elem *types.Type, elems []types.Datum) types.Datum {
	return types.NewAny(types.NewSlice(elem, elems))
}

// dimension is the number of elements and the first subscript in a dimension, from 1; false if it is not there.
func dimension(a *types.Array, n int64) (length, lower int32, ok bool) {
	if n < 1 || n > int64(len(a.Dims)) {
		return 0, 0, false
	}
	return a.Dims[n-1], a.Lower[n-1], true
}

// oneDimension is a kernel for a property of one dimension.
func oneDimension(f func(length, lower int32) int32) Kernel {
	return perRow(func(_ *Ctx, args []types.Datum) (types.Datum, error) {
		length, lower, ok := dimension(arrayOf(args[0]), args[1].Int())
		if !ok {
			return types.Null, nil
		}
		return types.NewInt(int64(f(length, lower))), nil
	})
}

// appendElement adds an element after the last (or before the first), of a one-dimensional or empty array.
func appendElement(elem *types.Type, array, d types.Datum, front bool) (types.Datum, error) {
	if array.IsNull() {
		return newArray(elem, []types.Datum{d}), nil
	}
	a := arrayOf(array)
	if len(a.Dims) == 0 {
		return newArray(elem, []types.Datum{d}), nil
	}
	if len(a.Dims) != 1 {
		return types.Null, errs.New(errs.DataException, "argument must be empty or one-dimensional array")
	}
	if len(a.Elems) >= maxArraySize {
		return types.Null, arrayTooLarge()
	}
	elems := make([]types.Datum, 0, len(a.Elems)+1)
	lower := a.Lower[0]
	if front {
		elems = append(elems, d)
		elems = append(elems, a.Elems...)
	} else {
		elems = append(append(elems, a.Elems...), d)
	}
	return types.NewAny(&types.Array{Elem: elem, Dims: []int32{int32(len(elems))}, Lower: []int32{lower}, Elems: elems}), nil
}

func arrayTooLarge() error {
	return errs.New(errs.ProgramLimitExceeded, "array size exceeds the maximum allowed (%d)", maxArraySize)
}

// arrayCat joins two arrays of as many dimensions, or adds one as an element to one that has a dimension more.
func arrayCat(elem *types.Type, x, y types.Datum) (types.Datum, error) {
	if x.IsNull() {
		return y, nil
	}
	if y.IsNull() {
		return x, nil
	}
	a, b := arrayOf(x), arrayOf(y)
	switch {
	case len(a.Dims) == 0:
		return y, nil
	case len(b.Dims) == 0:
		return x, nil
	}
	incompatible := func(format string, args ...any) (types.Datum, error) {
		return types.Null, arraySubscriptError("cannot concatenate incompatible arrays").WithDetail(format, args...)
	}
	r := &types.Array{Elem: elem, Elems: append(a.Elems[:len(a.Elems):len(a.Elems)], b.Elems...)}
	if len(r.Elems) > maxArraySize {
		return types.Null, arrayTooLarge()
	}
	same := func(p, q []int32) bool {
		for i := range p {
			if p[i] != q[i] {
				return false
			}
		}
		return true
	}
	switch len(a.Dims) - len(b.Dims) {
	case 0:
		if !same(a.Dims[1:], b.Dims[1:]) {
			return incompatible("Arrays with differing element dimensions are not compatible for concatenation.")
		}
		r.Dims, r.Lower = append([]int32{a.Dims[0] + b.Dims[0]}, a.Dims[1:]...), a.Lower
	case 1:
		if !same(a.Dims[1:], b.Dims) {
			return incompatible("Arrays with differing dimensions are not compatible for concatenation.")
		}
		r.Dims, r.Lower = append([]int32{a.Dims[0] + 1}, a.Dims[1:]...), a.Lower
	case -1:
		if !same(b.Dims[1:], a.Dims) {
			return incompatible("Arrays with differing dimensions are not compatible for concatenation.")
		}
		r.Dims, r.Lower = append([]int32{b.Dims[0] + 1}, b.Dims[1:]...), b.Lower
	default:
		return incompatible("Arrays of %d and %d dimensions are not compatible for concatenation.", len(a.Dims), len(b.Dims))
	}
	return types.NewAny(r), nil
}

// sameElement is how array functions compare: NULL is like NULL.
func sameElement(t *types.Type, a, b types.Datum) bool {
	if a.IsNull() || b.IsNull() {
		return a.IsNull() && b.IsNull()
	}
	return types.Equal(t, a, b)
}

// arrayPositions finds an element from a subscript on; limit 1 stops at the first.
func arrayPositions(a *types.Array, d types.Datum, from int64, limit int) ([]types.Datum, error) {
	if len(a.Dims) > 1 {
		return nil, errs.Unsupported("searching for elements in multidimensional arrays")
	}
	var found []types.Datum
	for i, e := range a.Elems {
		at := int64(a.Lower[0]) + int64(i)
		if at >= from && sameElement(a.Elem, e, d) {
			if found = append(found, types.NewInt(at)); len(found) == limit {
				break
			}
		}
	}
	return found, nil
}

func arrayPosition(_ *Ctx, args []types.Datum) (types.Datum, error) {
	if args[0].IsNull() {
		return types.Null, nil
	}
	from := int64(-1 << 31)
	if len(args) > 2 {
		if args[2].IsNull() {
			return types.Null, errs.New(errs.NullValueNotAllowed, "initial position must not be null")
		}
		from = args[2].Int()
	}
	found, err := arrayPositions(arrayOf(args[0]), args[1], from, 1)
	if err != nil || len(found) == 0 {
		return types.Null, err
	}
	return found[0], nil
}

func arrayRemove(a *types.Array, d types.Datum) (*types.Array, error) {
	if len(a.Dims) > 1 {
		return nil, errs.Unsupported("removing elements from multidimensional arrays")
	}
	kept := make([]types.Datum, 0, len(a.Elems))
	for _, e := range a.Elems {
		if !sameElement(a.Elem, e, d) {
			kept = append(kept, e)
		}
	}
	if len(kept) == len(a.Elems) {
		return a, nil
	}
	if len(kept) == 0 {
		return types.NewSlice(a.Elem, nil), nil
	}
	return &types.Array{Elem: a.Elem, Dims: []int32{int32(len(kept))}, Lower: a.Lower, Elems: kept}, nil
}

// contains reports whether every element of b is in a. NULL is in nothing.
func contains(a, b *types.Array) bool {
	for _, e := range b.Elems {
		if e.IsNull() || !hasElement(a, e) {
			return false
		}
	}
	return true
}

func hasElement(a *types.Array, d types.Datum) bool {
	for _, e := range a.Elems {
		if !e.IsNull() && types.Equal(a.Elem, e, d) {
			return true
		}
	}
	return false
}

func overlaps(a, b *types.Array) bool {
	for _, e := range b.Elems {
		if !e.IsNull() && hasElement(a, e) {
			return true
		}
	}
	return false
}

// arrayText joins the text forms of elements; NULLs are left out unless there is a text for them.
func arrayText(ctx *Ctx, a *types.Array, separator string, null *string) string {
	var b []byte
	first := true
	for _, e := range a.Elems {
		if e.IsNull() && null == nil {
			continue
		}
		if !first {
			b = append(b, separator...)
		}
		first = false
		if e.IsNull() {
			b = append(b, *null...)
		} else {
			b = types.AppendText(b, a.Elem, e, ctx.env())
		}
	}
	return string(b)
}

// splitText is the fields of string_to_array: characters if there is no separator. Fields equal to null are NULL.
func splitText(args []types.Datum) []types.Datum {
	s := args[0].Str()
	var fields []string
	switch {
	case s == "":
		return nil
	case args[1].IsNull():
		fields = strings.Split(s, "")
	case args[1].Str() == "":
		fields = []string{s}
	default:
		fields = strings.Split(s, args[1].Str())
	}
	elems := make([]types.Datum, len(fields))
	for i, f := range fields {
		if len(args) < 3 || args[2].IsNull() || f != args[2].Str() {
			elems[i] = types.NewString(f)
		}
	}
	return elems
}

func arrayFill(_ *Ctx, call callTypes, args []types.Datum) (types.Datum, error) {
	for _, d := range args[1:] {
		if d.IsNull() {
			return types.Null, errs.New(errs.NullValueNotAllowed, "dimension array or low bound array cannot be null")
		}
	}
	ints := func(d types.Datum) ([]int32, error) {
		a := arrayOf(d)
		if len(a.Dims) > 1 {
			return nil, arraySubscriptError("wrong number of array subscripts").WithDetail("Dimension array must be one dimensional.")
		}
		v := make([]int32, len(a.Elems))
		for i, e := range a.Elems {
			if e.IsNull() {
				return nil, errs.New(errs.NullValueNotAllowed, "dimension values cannot be null")
			}
			v[i] = int32(e.Int())
		}
		return v, nil
	}
	dims, err := ints(args[1])
	if err != nil {
		return types.Null, err
	}
	if len(dims) > 6 {
		return types.Null, errs.New(errs.ProgramLimitExceeded, "number of array dimensions (%d) exceeds the maximum allowed (6)", len(dims))
	}
	lower := make([]int32, len(dims))
	for i := range lower {
		lower[i] = 1
	}
	if len(args) > 2 {
		if lower, err = ints(args[2]); err != nil {
			return types.Null, err
		}
		if len(lower) != len(dims) {
			return types.Null, arraySubscriptError("wrong number of array subscripts").WithDetail("Low bound array has different size than dimensions array.")
		}
	}
	n := int64(1)
	if len(dims) == 0 {
		n = 0
	}
	for _, d := range dims {
		if d < 0 {
			return types.Null, arrayTooLarge()
		}
		if n *= int64(d); n > maxArraySize {
			return types.Null, arrayTooLarge()
		}
	}
	a := &types.Array{Elem: call.args[0]}
	if n > 0 {
		a.Dims, a.Lower = dims, lower
		a.Elems = make([]types.Datum, n)
		for i := range a.Elems {
			a.Elems[i] = args[0]
		}
	}
	return types.NewAny(a), nil
}

func arrayTrim(a *types.Array, n int64) (types.Datum, error) {
	length := int64(0)
	if len(a.Dims) > 0 {
		length = int64(a.Dims[0])
	}
	if n < 0 || n > length {
		return types.Null, errs.New("2202E", "number of elements to trim must be between 0 and %d", length)
	}
	if n == length {
		return types.NewAny(types.NewSlice(a.Elem, nil)), nil
	}
	dims := append([]int32{int32(length - n)}, a.Dims[1:]...)
	return types.NewAny(&types.Array{Elem: a.Elem, Dims: dims, Lower: onesLike(a.Lower), Elems: a.Elems[:int64(len(a.Elems))/length*(length-n)]}), nil
}

func onesLike(lower []int32) []int32 {
	ones := make([]int32, len(lower))
	for i := range ones {
		ones[i] = 1
	}
	return ones
}

// arrayBucket is width_bucket over sorted thresholds.
func arrayBucket(a *types.Array, d types.Datum) (types.Datum, error) {
	if len(a.Dims) > 1 {
		return types.Null, arraySubscriptError("thresholds must be one-dimensional array")
	}
	n := 0
	for _, e := range a.Elems {
		if e.IsNull() {
			return types.Null, errs.New(errs.NullValueNotAllowed, "thresholds array must not contain NULLs")
		}
		if types.Compare(a.Elem, e, d) <= 0 {
			n++
		}
	}
	return types.NewInt(int64(n)), nil
}

func arrayFuncs() kernels {
	ofArrays := func(f func(a, b *types.Array) bool) Kernel { return pred2(f) }
	text := perRow(func(ctx *Ctx, args []types.Datum) (types.Datum, error) {
		if args[0].IsNull() || args[1].IsNull() {
			return types.Null, nil
		}
		var null *string
		if len(args) > 2 && !args[2].IsNull() {
			s := args[2].Str()
			null = &s
		}
		return types.NewString(arrayText(ctx, arrayOf(args[0]), args[1].Str(), null)), nil
	})
	split := perRow(func(_ *Ctx, args []types.Datum) (types.Datum, error) {
		if args[0].IsNull() {
			return types.Null, nil
		}
		return newArray(types.Text, splitText(args)), nil
	})
	return kernels{
		"array_length": oneDimension(func(length, _ int32) int32 { return length }),
		"array_lower":  oneDimension(func(_, lower int32) int32 { return lower }),
		"array_upper":  oneDimension(func(length, lower int32) int32 { return lower + length - 1 }),
		"array_ndims": perRow(func(_ *Ctx, args []types.Datum) (types.Datum, error) {
			if n := len(arrayOf(args[0]).Dims); n > 0 {
				return types.NewInt(int64(n)), nil
			}
			return types.Null, nil
		}),
		"array_dims": perRow(func(_ *Ctx, args []types.Datum) (types.Datum, error) {
			a := arrayOf(args[0])
			if len(a.Dims) == 0 {
				return types.Null, nil
			}
			var b strings.Builder
			for i, n := range a.Dims {
				b.WriteString("[" + strconv.Itoa(int(a.Lower[i])) + ":" + strconv.Itoa(int(a.Lower[i]+n-1)) + "]")
			}
			return types.NewString(b.String()), nil
		}),
		"array_cardinality": pure1(func(a *types.Array) int64 { return int64(len(a.Elems)) }),
		"array_append": typedRow(func(_ *Ctx, call callTypes, args []types.Datum) (types.Datum, error) {
			return appendElement(call.result.Elem, args[0], args[1], false)
		}),
		"array_prepend": typedRow(func(_ *Ctx, call callTypes, args []types.Datum) (types.Datum, error) {
			return appendElement(call.result.Elem, args[1], args[0], true)
		}),
		"array_cat": typedRow(func(_ *Ctx, call callTypes, args []types.Datum) (types.Datum, error) {
			return arrayCat(call.result.Elem, args[0], args[1])
		}),
		"array_position": perRow(arrayPosition), "array_position_start": perRow(arrayPosition),
		"array_positions": perRow(func(_ *Ctx, args []types.Datum) (types.Datum, error) {
			if args[0].IsNull() {
				return types.Null, nil
			}
			found, err := arrayPositions(arrayOf(args[0]), args[1], -1<<31, 0)
			return newArray(types.Int4, found), err
		}),
		"array_remove": perRow(func(_ *Ctx, args []types.Datum) (types.Datum, error) {
			if args[0].IsNull() {
				return types.Null, nil
			}
			a, err := arrayRemove(arrayOf(args[0]), args[1])
			return types.NewAny(a), err
		}),
		"array_replace": perRow(func(_ *Ctx, args []types.Datum) (types.Datum, error) {
			if args[0].IsNull() {
				return types.Null, nil
			}
			a := arrayOf(args[0])
			elems := make([]types.Datum, len(a.Elems))
			for i, e := range a.Elems {
				if elems[i] = e; sameElement(a.Elem, e, args[1]) {
					elems[i] = args[2]
				}
			}
			return types.NewAny(&types.Array{Elem: a.Elem, Dims: a.Dims, Lower: a.Lower, Elems: elems}), nil
		}),
		"arraycontains":  ofArrays(contains),
		"arraycontained": ofArrays(func(a, b *types.Array) bool { return contains(b, a) }),
		"arrayoverlap":   ofArrays(overlaps),
		"array_to_text":  text, "array_to_text_null": text, "text_to_array": split, "text_to_array_null": split,
		"array_fill": typedRow(arrayFill), "array_fill_with_lower_bounds": typedRow(arrayFill),
		"trim_array": perRow(func(_ *Ctx, args []types.Datum) (types.Datum, error) {
			return arrayTrim(arrayOf(args[0]), args[1].Int())
		}),
		"width_bucket_array": perRow(func(_ *Ctx, args []types.Datum) (types.Datum, error) {
			return arrayBucket(arrayOf(args[1]), args[0])
		}),
		"enum_first": enumEnd(true), "enum_last": enumEnd(false),
		"enum_range_all": typedRow(func(_ *Ctx, call callTypes, _ []types.Datum) (types.Datum, error) {
			return enumRange(call.args[0], types.Null, types.Null), nil
		}),
		"enum_range_bounds": typedRow(func(_ *Ctx, call callTypes, args []types.Datum) (types.Datum, error) {
			return enumRange(call.args[0], args[0], args[1]), nil
		}),
	}
}

// enumEnd is the first or last value of the argument's enum type; the argument is only for its type.
func enumEnd(first bool) Kernel {
	return typedRow(func(_ *Ctx, call callTypes, _ []types.Datum) (types.Datum, error) {
		labels := call.args[0].Labels
		if len(labels) == 0 {
			return types.Null, errs.New(errs.ObjectNotInPrerequisiteState, "enum %s contains no values", call.args[0])
		}
		if first {
			return types.NewInt(int64(labels[0].OID)), nil
		}
		return types.NewInt(int64(labels[len(labels)-1].OID)), nil
	})
}

func enumRange(t *types.Type, low, high types.Datum) types.Datum {
	var elems []types.Datum
	for _, l := range t.Labels {
		d := types.NewInt(int64(l.OID))
		if (low.IsNull() || types.Compare(t, low, d) <= 0) && (high.IsNull() || types.Compare(t, d, high) <= 0) {
			elems = append(elems, d)
		}
	}
	return newArray(t, elems)
}

func arraySets() setKernels {
	subscripts := func(_ *Ctx, args []types.Datum) (func() ([]types.Datum, error), error) {
		length, lower, ok := dimension(arrayOf(args[0]), args[1].Int())
		if !ok {
			return EachDatum(nil), nil
		}
		at, step, left := int64(lower), int64(1), int64(length)
		if len(args) > 2 && args[2].Bool() {
			at, step = at+left-1, -1
		}
		row := make([]types.Datum, 1)
		return func() ([]types.Datum, error) {
			if left == 0 {
				return nil, nil
			}
			row[0] = types.NewInt(at)
			at, left = at+step, left-1
			return row, nil
		}, nil
	}
	split := func(_ *Ctx, args []types.Datum) (func() ([]types.Datum, error), error) {
		if args[0].IsNull() {
			return EachDatum(nil), nil
		}
		return EachDatum(splitText(args)), nil
	}
	return setKernels{
		"array_unnest": func(_ *Ctx, args []types.Datum) (func() ([]types.Datum, error), error) {
			return EachDatum(arrayOf(args[0]).Elems), nil
		},
		"generate_subscripts": subscripts, "generate_subscripts_nodir": subscripts,
		"text_to_table": split, "text_to_table_null": split,
	}
}
