package funcs

import (
	"strings"

	"github.com/cockroachdb/apd/v3"

	"holdfast/sql/types"
)

// relation is one of the six comparison operators.
type relation uint8

const (
	relEQ relation = iota
	relNE
	relLT
	relLE
	relGT
	relGE
)

// holds reports whether the relation holds for values of which a three-way comparison said c.
func (r relation) holds(c int) bool {
	switch r {
	case relEQ:
		return c == 0
	case relNE:
		return c != 0
	case relLT:
		return c < 0
	case relLE:
		return c <= 0
	case relGT:
		return c > 0
	}
	return c >= 0
}

var relationNames = map[string]relation{"eq": relEQ, "ne": relNE, "lt": relLT, "le": relLE, "gt": relGT, "ge": relGE}

// comparisons adds the six functions of a type: prefix + eq, ne, lt, le, gt, ge.
func comparisons(k kernels, prefix string, make func(relation) Kernel) {
	for name, r := range relationNames {
		k[prefix+name] = make(r)
	}
}

// compareInts compares values held as integers and ordered so.
func compareInts(r relation) Kernel { return compareOrdered[int64](r) }

// compareStrings compares bytewise.
func compareStrings(r relation) Kernel { return compareOrdered[string](r) }

// compareOrdered compares with the operators of Go. a > b is computed as b < a, so that there are four loops.
func compareOrdered[T int64 | string](r relation) Kernel {
	return func(_ *Ctx, args []*types.Vec, rows types.Rows, out *types.Vec) error {
		x, y, r := args[0], args[1], r
		if r == relGT || r == relGE {
			x, y, r = y, x, r-relGT+relLT
		}
		a, am := *inPlace[T](x), mask(x)
		b, bm := *inPlace[T](y), mask(y)
		o := out.I
		if rows.Sel != nil {
			compareSelected(r, a, am, b, bm, rows.Sel, o)
			return nil
		}
		o = o[:rows.N]
		if am == -1 && bm == 0 {
			compareWithConst(r, a[:rows.N], b[0], o)
			return nil
		}
		switch r {
		case relEQ:
			for i := range o {
				o[i] = bit(a[i&am] == b[i&bm])
			}
		case relNE:
			for i := range o {
				o[i] = bit(a[i&am] != b[i&bm])
			}
		case relLT:
			for i := range o {
				o[i] = bit(a[i&am] < b[i&bm])
			}
		case relLE:
			for i := range o {
				o[i] = bit(a[i&am] <= b[i&bm])
			}
		}
		return nil
	}
}

func compareSelected[T int64 | string](r relation, a []T, am int, b []T, bm int, sel []int32, o []int64) {
	switch r {
	case relEQ:
		for _, n := range sel {
			i := int(n)
			o[i] = bit(a[i&am] == b[i&bm])
		}
	case relNE:
		for _, n := range sel {
			i := int(n)
			o[i] = bit(a[i&am] != b[i&bm])
		}
	case relLT:
		for _, n := range sel {
			i := int(n)
			o[i] = bit(a[i&am] < b[i&bm])
		}
	case relLE:
		for _, n := range sel {
			i := int(n)
			o[i] = bit(a[i&am] <= b[i&bm])
		}
	}
}

func compareWithConst[T int64 | string](r relation, a []T, b T, o []int64) {
	switch r {
	case relEQ:
		for i, x := range a {
			o[i] = bit(x == b)
		}
	case relNE:
		for i, x := range a {
			o[i] = bit(x != b)
		}
	case relLT:
		for i, x := range a {
			o[i] = bit(x < b)
		}
	case relLE:
		for i, x := range a {
			o[i] = bit(x <= b)
		}
	}
}

// floatLess and floatEqual are PostgreSQL's order of floats: NaN equals itself and is greater than all else.
func floatLess(a, b float64) bool { return a < b || b != b && a == a }

func floatEqual(a, b float64) bool { return a == b || a != a && b != b }

func compareFloats(r relation) Kernel {
	switch r {
	case relEQ:
		return pred2(floatEqual)
	case relNE:
		return pred2(func(a, b float64) bool { return !floatEqual(a, b) })
	case relLT:
		return pred2(floatLess)
	case relLE:
		return pred2(func(a, b float64) bool { return !floatLess(b, a) })
	case relGT:
		return pred2(func(a, b float64) bool { return floatLess(b, a) })
	}
	return pred2(func(a, b float64) bool { return !floatLess(a, b) })
}

func compareNumerics(r relation) Kernel {
	return pred2(func(a, b *apd.Decimal) bool { return r.holds(types.NumericCompare(a, b)) })
}

func trimBlanks(s string) string { return strings.TrimRight(s, " ") }

func compareBpchars(r relation) Kernel {
	return pred2(func(a, b string) bool { return r.holds(strings.Compare(trimBlanks(a), trimBlanks(b))) })
}

// compareAny compares values of the argument's own type by types.Compare: intervals, arrays, records, enums,
// ranges, jsonb.
func compareAny(r relation) Kernel {
	return func(_ *Ctx, args []*types.Vec, rows types.Rows, out *types.Vec) error {
		a, b := args[0], args[1]
		if r <= relNE {
			each(rows, func(i int) { out.I[i] = bit((compareCell(a, b, i) == 0) == (r == relEQ)) })
			return nil
		}
		each(rows, func(i int) { out.I[i] = bit(r.holds(compareCell(a, b, i))) })
		return nil
	}
}

func compareCell(a, b *types.Vec, i int) int { return types.CompareVec(a, i, b, i) }

// threeWay is the support function of a btree operator class: -1, 0 or 1.
func threeWay(_ *Ctx, args []*types.Vec, rows types.Rows, out *types.Vec) error {
	each(rows, func(i int) { out.I[i] = int64(compareCell(args[0], args[1], i)) })
	return nil
}

// leastToReplace is how a later value must compare to take the place of an earlier one as the larger of both. Of
// equal values, such as 1.0 and 1.00, the later one counts, but with bpchar the earlier.
func leastToReplace(t *types.Type) int {
	if t.Underlying() == types.Bpchar {
		return 1
	}
	return 0
}

// pick keeps the larger argument (sign 1) or the smaller one (sign -1).
func pick(sign int) Kernel {
	return func(_ *Ctx, args []*types.Vec, rows types.Rows, out *types.Vec) error {
		a, b := args[0], args[1]
		least := leastToReplace(a.Type)
		each(rows, func(i int) {
			v := a
			if compareCell(b, a, i)*sign >= least {
				v = b
			}
			out.Set(i, v.Datum(i))
		})
		return nil
	}
}

// comparisonFuncs are the comparisons within one type and between text and name, the btree support functions,
// and the functions that keep the larger or smaller value. Integers of mixed width are with the integers, dates
// and timestamps of mixed type with those.
func comparisonFuncs() kernels {
	k := kernels{}
	for _, prefix := range []string{"bool", "oid", "date_", "time_", "timestamp_", "pg_lsn_", "xid8"} {
		comparisons(k, prefix, compareInts)
	}
	for _, prefix := range []string{"text_", "name", "bytea", "uuid_", "char"} {
		comparisons(k, prefix, compareStrings)
	}
	delete(k, "text_eq")
	delete(k, "text_ne")
	k["texteq"], k["textne"] = compareStrings(relEQ), compareStrings(relNE)
	for _, name := range []string{"lt", "le", "gt", "ge"} {
		k["text_pattern_"+name] = compareStrings(relationNames[name])
		k["bpchar_pattern_"+name] = compareBpchars(relationNames[name])
	}
	for name, r := range relationNames {
		k["name"+name+"text"] = compareStrings(r)
		k["text"+name+"name"] = compareStrings(r)
		for _, prefix := range []string{"float4", "float8", "float48", "float84"} {
			k[prefix+name] = compareFloats(r)
		}
		k["numeric_"+name] = compareNumerics(r)
		k["bpchar"+name] = compareBpchars(r)
	}
	for _, prefix := range []string{"interval_", "timetz_", "array_", "record_", "enum_", "oidvector", "jsonb_", "range_", "tid"} {
		comparisons(k, prefix, compareAny)
	}
	k["xideq"], k["xidneq"] = compareInts(relEQ), compareInts(relNE)
	k["xideqint4(xid,int4)"] = pred2(func(a, b int64) bool { return a == int64(uint32(b)) })
	k["xidneqint4(xid,int4)"] = pred2(func(a, b int64) bool { return a != int64(uint32(b)) })
	k["cideq"] = compareInts(relEQ)
	for _, name := range []string{"btint2cmp", "btint4cmp", "btint8cmp", "btint48cmp", "btint84cmp", "btint24cmp", "btint42cmp", "btint28cmp",
		"btint82cmp", "btfloat4cmp", "btfloat8cmp", "btfloat48cmp", "btfloat84cmp", "btoidcmp", "btcharcmp", "btnamecmp", "bttextcmp",
		"btnametextcmp", "bttextnamecmp", "btarraycmp", "btoidvectorcmp", "bpcharcmp", "date_cmp", "time_cmp", "timestamp_cmp", "interval_cmp",
		"timetz_cmp", "btboolcmp", "numeric_cmp", "byteacmp", "uuid_cmp", "btrecordcmp", "enum_cmp", "jsonb_cmp", "range_cmp", "xid8cmp",
		"pg_lsn_cmp", "bttidcmp"} {
		k[name] = threeWay
	}
	for _, prefix := range []string{"int2", "int4", "int8", "float4", "float8", "oid", "date_", "time_", "timestamp_", "timetz_", "interval_",
		"text_", "numeric_", "bpchar_", "array_", "enum_"} {
		k[prefix+"larger"] = pick(1)
		k[prefix+"smaller"] = pick(-1)
	}
	return k
}
