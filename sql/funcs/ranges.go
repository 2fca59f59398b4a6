package funcs

import (
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// rangeBound is one end of a range that is not empty.
type rangeBound struct {
	value     types.Datum // NULL: infinite
	inclusive bool
	lower     bool
}

func lowerBound(r *types.Range) rangeBound { return rangeBound{r.Lower, r.LowerInc, true} }
func upperBound(r *types.Range) rangeBound { return rangeBound{r.Upper, r.UpperInc, false} }

// side is where the bound lies next to its value: an exclusive lower one just after, an exclusive upper one just before.
func (b rangeBound) side() int {
	switch {
	case b.inclusive:
		return 0
	case b.lower:
		return 1
	}
	return -1
}

// compareBounds orders bounds by the points they separate.
func compareBounds(t *types.Type, a, b rangeBound) int {
	switch x, y := a.value.IsNull(), b.value.IsNull(); {
	case x && y:
		return int(bit(b.lower)) - int(bit(a.lower))
	case x:
		return 1 - 2*int(bit(a.lower))
	case y:
		return 2*int(bit(b.lower)) - 1
	}
	if c := types.Compare(t, a.value, b.value); c != 0 {
		return c
	}
	return a.side() - b.side()
}

// flipped is the bound of the rest: what ends here begins there.
func (b rangeBound) flipped() rangeBound { return rangeBound{b.value, !b.inclusive, !b.lower} }

func rangeOf(t *types.Type, lower, upper rangeBound) (types.Datum, error) {
	r, err := types.NewRange(t, lower.value, upper.value, lower.inclusive, upper.inclusive)
	return types.NewAny(r), err
}

func emptyRange(t *types.Type) types.Datum { return types.NewAny(&types.Range{Elem: t, Empty: true}) }

func rangeContains(a, b *types.Range) bool {
	if b.Empty {
		return true
	}
	return !a.Empty && compareBounds(a.Elem, lowerBound(a), lowerBound(b)) <= 0 && compareBounds(a.Elem, upperBound(a), upperBound(b)) >= 0
}

func rangeContainsElem(r *types.Range, d types.Datum) bool {
	if r.Empty {
		return false
	}
	at := func(lower bool) rangeBound { return rangeBound{d, true, lower} }
	return compareBounds(r.Elem, lowerBound(r), at(true)) <= 0 && compareBounds(r.Elem, at(false), upperBound(r)) <= 0
}

func rangesOverlap(a, b *types.Range) bool {
	return !a.Empty && !b.Empty && compareBounds(a.Elem, lowerBound(a), upperBound(b)) <= 0 && compareBounds(a.Elem, lowerBound(b), upperBound(a)) <= 0
}

func rangeBefore(a, b *types.Range) bool {
	return !a.Empty && !b.Empty && compareBounds(a.Elem, upperBound(a), lowerBound(b)) < 0
}

// meets reports whether b begins exactly where a ends, without a gap and without a common point.
func meets(a, b *types.Range) bool {
	return !a.Upper.IsNull() && !b.Lower.IsNull() && a.UpperInc != b.LowerInc && types.Equal(a.Elem, a.Upper, b.Lower)
}

func rangesAdjacent(a, b *types.Range) bool {
	return !a.Empty && !b.Empty && (meets(a, b) || meets(b, a))
}

// rangeUnion is + (or, not strict, range_merge, which fills a gap).
func rangeUnion(a, b *types.Range, strict bool) (types.Datum, error) {
	switch {
	case a.Empty:
		return types.NewAny(b), nil
	case b.Empty:
		return types.NewAny(a), nil
	case strict && !rangesOverlap(a, b) && !rangesAdjacent(a, b):
		return types.Null, errs.New(errs.DataException, "result of range union would not be contiguous")
	}
	lower, upper := lowerBound(a), upperBound(a)
	if l := lowerBound(b); compareBounds(a.Elem, l, lower) < 0 {
		lower = l
	}
	if u := upperBound(b); compareBounds(a.Elem, u, upper) > 0 {
		upper = u
	}
	return rangeOf(a.Elem, lower, upper)
}

func rangeIntersect(a, b *types.Range) (types.Datum, error) {
	if !rangesOverlap(a, b) {
		return emptyRange(a.Elem), nil
	}
	lower, upper := lowerBound(a), upperBound(a)
	if l := lowerBound(b); compareBounds(a.Elem, l, lower) > 0 {
		lower = l
	}
	if u := upperBound(b); compareBounds(a.Elem, u, upper) < 0 {
		upper = u
	}
	return rangeOf(a.Elem, lower, upper)
}

func rangeMinus(a, b *types.Range) (types.Datum, error) {
	if !rangesOverlap(a, b) {
		return types.NewAny(a), nil
	}
	startsFirst := compareBounds(a.Elem, lowerBound(a), lowerBound(b)) < 0
	endsLast := compareBounds(a.Elem, upperBound(a), upperBound(b)) > 0
	switch {
	case startsFirst && endsLast:
		return types.Null, errs.New(errs.DataException, "result of range difference would not be contiguous")
	case startsFirst:
		return rangeOf(a.Elem, lowerBound(a), lowerBound(b).flipped())
	case endsLast:
		return rangeOf(a.Elem, upperBound(b).flipped(), upperBound(a))
	}
	return emptyRange(a.Elem), nil
}

func makeRange(_ *Ctx, call callTypes, args []types.Datum) (types.Datum, error) {
	flags := "[)"
	if len(args) > 2 {
		if args[2].IsNull() {
			return types.Null, errs.New(errs.DataException, "range constructor flags argument must not be null")
		}
		flags = args[2].Str()
	}
	switch flags {
	case "[]", "[)", "(]", "()":
	default:
		return types.Null, errs.New(errs.SyntaxError, "invalid range bound flags").WithHint("Valid values are \"[]\", \"[)\", \"(]\", and \"()\".")
	}
	r, err := types.NewRange(rangeElems[call.result.Underlying()], args[0], args[1], flags[0] == '[', flags[1] == ']')
	return types.NewAny(r), err
}

func rangeFuncs() kernels {
	type rng = *types.Range
	part := func(f func(r rng) types.Datum) Kernel {
		return perRow(func(_ *Ctx, args []types.Datum) (types.Datum, error) {
			if r := args[0].Any().(rng); !r.Empty {
				return f(r), nil
			}
			return types.Null, nil
		})
	}
	combined := func(f func(a, b rng) (types.Datum, error)) Kernel {
		return perRow(func(_ *Ctx, args []types.Datum) (types.Datum, error) {
			return f(args[0].Any().(rng), args[1].Any().(rng))
		})
	}
	return kernels{
		"range_constructor2": typedRow(makeRange), "range_constructor3": typedRow(makeRange),
		"range_lower":     part(func(r rng) types.Datum { return r.Lower }),
		"range_upper":     part(func(r rng) types.Datum { return r.Upper }),
		"range_empty":     pred1(func(r rng) bool { return r.Empty }),
		"range_lower_inc": pred1(func(r rng) bool { return r.LowerInc }),
		"range_upper_inc": pred1(func(r rng) bool { return r.UpperInc }),
		"range_lower_inf": pred1(func(r rng) bool { return !r.Empty && r.Lower.IsNull() }),
		"range_upper_inf": pred1(func(r rng) bool { return !r.Empty && r.Upper.IsNull() }),
		"range_contains":  pred2(rangeContains), "range_contained_by": pred2(func(a, b rng) bool { return rangeContains(b, a) }),
		"range_contains_elem": perRow(func(_ *Ctx, args []types.Datum) (types.Datum, error) {
			return types.NewBool(rangeContainsElem(args[0].Any().(rng), args[1])), nil
		}),
		"elem_contained_by_range": perRow(func(_ *Ctx, args []types.Datum) (types.Datum, error) {
			return types.NewBool(rangeContainsElem(args[1].Any().(rng), args[0])), nil
		}),
		"range_overlaps": pred2(rangesOverlap), "range_adjacent": pred2(rangesAdjacent),
		"range_before": pred2(rangeBefore), "range_after": pred2(func(a, b rng) bool { return rangeBefore(b, a) }),
		"range_overleft": pred2(func(a, b rng) bool {
			return !a.Empty && !b.Empty && compareBounds(a.Elem, upperBound(a), upperBound(b)) <= 0
		}),
		"range_overright": pred2(func(a, b rng) bool {
			return !a.Empty && !b.Empty && compareBounds(a.Elem, lowerBound(a), lowerBound(b)) >= 0
		}),
		"range_union":     combined(func(a, b rng) (types.Datum, error) { return rangeUnion(a, b, true) }),
		"range_merge":     combined(func(a, b rng) (types.Datum, error) { return rangeUnion(a, b, false) }),
		"range_intersect": combined(rangeIntersect), "range_minus": combined(rangeMinus),
	}
}
