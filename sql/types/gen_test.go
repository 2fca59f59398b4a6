package types

import (
	"math"
	"strings"

	"github.com/cockroachdb/apd/v3"
	"pgregory.net/rapid"
)

// genTypes are the types that the property tests go through.
var genTypes = []*Type{
	Bool, Int2, Int4, Int8, Oid, Xid8, Tid, PgLSN, Regclass, Float4, Float8, Numeric, Text, Varchar, Bpchar, Name, CharQuoted, Bytea,
	Date, Time, TimeTZType, Timestamp, TimestampTZ, IntervalType, UUID, JSON, JSONB, Int2Vector, OidVector, VarBit,
	Int4Array, TextArray, NumericArray, IntervalArray, Int4Range, NumRange, DateRange, testTypes["mood"], testTypes["comp"],
	testTypes["short"], testTypes["comp"].Array, testTypes["mood"].Array,
}

var genNumbers = rapid.OneOf(
	rapid.Int64Range(-300, 300), rapid.Int64(),
	rapid.SampledFrom([]int64{0, -16, -17, 207, 208, 255, 256, -256, -257, math.MaxInt64, math.MinInt64, 65535, 65536}),
)

var genStrings = rapid.OneOf(
	rapid.StringMatching(`[ab ]{0,4}`), rapid.String(),
	rapid.SampledFrom([]string{"", "\x00", "\x00\x01", "\x00\xff", "a\x00", "null", "NULL", `"`, `\`, "{", "(", ",", strings.Repeat("x", 300)}),
)

func genInt(lo, hi int64) *rapid.Generator[int64] {
	return rapid.Custom(func(t *rapid.T) int64 {
		v := genNumbers.Draw(t, "n")
		if v < lo || v > hi {
			v = rapid.Int64Range(lo, hi).Draw(t, "n")
		}
		return v
	})
}

var genFloats = rapid.OneOf(
	rapid.Float64(),
	rapid.SampledFrom([]float64{0, math.Copysign(0, -1), math.NaN(), math.Inf(1), math.Inf(-1), 1, -1, math.MaxFloat64, math.SmallestNonzeroFloat64}),
)

var genNumerics = rapid.Custom(func(t *rapid.T) *apd.Decimal {
	switch rapid.IntRange(0, 11).Draw(t, "kind") {
	case 0:
		return rapid.SampledFrom([]*apd.Decimal{numericNaN, numericInfinity, numericNegInfinity, numericZero}).Draw(t, "special")
	case 1: // long
		s := rapid.StringMatching(`-?[0-9]{1,60}(\.[0-9]{1,60})?`).Draw(t, "long")
		d, err := parseNumeric(s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	v := genNumbers.Draw(t, "coefficient")
	d := NumericFromInt(v)
	c := *d
	c.Exponent = -int32(rapid.IntRange(0, 25).Draw(t, "scale"))
	return &c
})

func genJSON(t *rapid.T, depth int) JSONValue {
	kind := JSONKind(rapid.IntRange(0, int(JSONObjectKind)).Draw(t, "kind"))
	if depth > 3 && kind >= JSONArrayKind {
		kind = JSONNumberKind
	}
	v := JSONValue{Kind: kind}
	switch kind {
	case JSONStringKind:
		v.Str = strings.ReplaceAll(genStrings.Draw(t, "s"), "\x00", "")
		v.Str = strings.ToValidUTF8(v.Str, "?")
	case JSONNumberKind:
		v.Num = NumericFromInt(genNumbers.Draw(t, "n"))
	case JSONBoolKind:
		v.Bool = rapid.Bool().Draw(t, "b")
	case JSONArrayKind:
		for range rapid.IntRange(0, 3).Draw(t, "len") {
			v.Elems = append(v.Elems, genJSON(t, depth+1))
		}
	case JSONObjectKind:
		for range rapid.IntRange(0, 3).Draw(t, "len") {
			v.Members = append(v.Members, JSONMember{rapid.StringMatching(`[a-c]{0,3}`).Draw(t, "key"), genJSON(t, depth+1)})
		}
		v.Members = SortMembers(v.Members)
	}
	return v
}

// genDatum makes a non-NULL value of a type, within what its input function would give.
func genDatum(t *rapid.T, typ *Type) Datum {
	switch typ.class {
	case classBool:
		return NewBool(rapid.Bool().Draw(t, "b"))
	case classInt2:
		return NewInt(genInt(math.MinInt16, math.MaxInt16).Draw(t, "i"))
	case classInt4:
		return NewInt(genInt(math.MinInt32, math.MaxInt32).Draw(t, "i"))
	case classInt8, classXid8, classLSN:
		return NewInt(genNumbers.Draw(t, "i"))
	case classOid, classReg:
		return NewInt(genInt(0, math.MaxUint32).Draw(t, "i"))
	case classTid:
		return NewInt(genInt(0, 1<<48-1).Draw(t, "i"))
	case classFloat4:
		return NewFloat(float64(float32(genFloats.Draw(t, "f"))))
	case classFloat8:
		return NewFloat(genFloats.Draw(t, "f"))
	case classNumeric:
		return NewDecimal(genNumerics.Draw(t, "n"))
	case classText:
		s := genStrings.Draw(t, "s")
		if typ.Base != nil {
			s = s[:min(len(s), 3)]
		}
		return NewString(s)
	case classBpchar, classBytea:
		return NewString(genStrings.Draw(t, "s"))
	case className:
		return NewString(TruncateName(genStrings.Draw(t, "s")))
	case classChar:
		return NewString(parseQuotedChar(genStrings.Draw(t, "s")))
	case classBit:
		return NewString(rapid.StringMatching(`[01]{0,20}`).Draw(t, "bits"))
	case classDate:
		if rapid.IntRange(0, 9).Draw(t, "inf") == 0 {
			return NewInt(rapid.SampledFrom([]int64{DateInfinity, DateNegInfinity}).Draw(t, "i"))
		}
		return NewInt(genInt(-2451545, 2145031948).Draw(t, "i"))
	case classTime:
		return NewInt(genInt(0, MicrosPerDay).Draw(t, "i"))
	case classTimeTZ:
		return NewAny(TimeTZ{genInt(0, MicrosPerDay).Draw(t, "i"), int32(rapid.IntRange(-57599, 57599).Draw(t, "zone"))})
	case classTimestamp, classTimestampTZ:
		if rapid.IntRange(0, 9).Draw(t, "inf") == 0 {
			return NewInt(rapid.SampledFrom([]int64{TimestampInfinity, TimestampNegInfinity}).Draw(t, "i"))
		}
		return NewInt(genInt(-211813488000000000, 9223371331199999999).Draw(t, "i"))
	case classInterval:
		return NewAny(Interval{
			Months: int32(genInt(math.MinInt32, math.MaxInt32).Draw(t, "months")),
			Days:   int32(genInt(math.MinInt32, math.MaxInt32).Draw(t, "days")),
			Micros: max(genNumbers.Draw(t, "micros"), -math.MaxInt64), // the least has no text that is read
		})
	case classUUID:
		return NewString(string(rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 0xFE, 0xFF}), 16, 16).Draw(t, "uuid")))
	case classJSON, classJSONB:
		v := genJSON(t, 0)
		return NewString(string(v.Append(nil)))
	case classEnum:
		return NewInt(int64(rapid.SampledFrom(typ.Labels).Draw(t, "label").OID))
	case classVector:
		n := rapid.IntRange(0, 3).Draw(t, "len")
		a := NewVector(typ.Elem, make([]int64, n)...)
		for i := range a.Elems {
			a.Elems[i] = genDatum(t, typ.Elem)
		}
		return NewAny(a)
	case classArray:
		a := &Array{Elem: typ.Elem}
		n := 1
		for range rapid.IntRange(0, 2).Draw(t, "dims") {
			d := rapid.IntRange(1, 3).Draw(t, "dim")
			n *= d
			a.Dims = append(a.Dims, int32(d))
			a.Lower = append(a.Lower, int32(rapid.SampledFrom([]int{1, 1, 0, -5, 1000000}).Draw(t, "lower")))
		}
		if len(a.Dims) > 0 {
			for range n {
				a.Elems = append(a.Elems, genNullable(t, typ.Elem))
			}
		}
		return NewAny(a)
	case classRecord:
		r := newRecord(typ)
		for i := range r.Values {
			r.Values[i] = genNullable(t, r.Types[i])
		}
		return NewAny(r)
	case classRange:
		elem := rangeElem(typ)
		for {
			r, err := NewRange(elem, genNullable(t, elem), genNullable(t, elem), rapid.Bool().Draw(t, "lower"), rapid.Bool().Draw(t, "upper"))
			if err == nil {
				return NewAny(r)
			}
		}
	}
	panic("no generator for " + typ.Name)
}

func genNullable(t *rapid.T, typ *Type) Datum {
	if rapid.IntRange(0, 5).Draw(t, "null") == 0 {
		return Null
	}
	return genDatum(t, typ)
}

// sameDatum reports whether two values are the same in every respect, the scale of numerics included.
func sameDatum(t *Type, a, b Datum) bool {
	return string(EncodeDatum(nil, t, a)) == string(EncodeDatum(nil, t, b))
}
