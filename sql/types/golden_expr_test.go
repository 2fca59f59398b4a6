package types

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/apd/v3"
)

// goldenFunc is a helper with the SQL expression that it must agree with: $1, $2 stand for quoted arguments.
type goldenFunc struct {
	sql  string
	call func(args []string) (*Type, Datum, error)
}

func parseArg(t *Type, s string) Datum {
	d, err := ParseText(t, NoTypmod, s, DefaultEnv)
	if err != nil {
		panic(fmt.Sprintf("%s %q: %v", t, s, err))
	}
	return d
}

func numericArg(s string) *apd.Decimal { return parseArg(Numeric, s).Decimal() }
func intervalArg(s string) Interval    { return parseArg(IntervalType, s).Any().(Interval) }

func numeric2(sql string, f func(a, b *apd.Decimal) (*apd.Decimal, error)) goldenFunc {
	return goldenFunc{sql, func(a []string) (*Type, Datum, error) {
		v, err := f(numericArg(a[0]), numericArg(a[1]))
		if err != nil {
			return nil, Null, err
		}
		return Numeric, NewDecimal(v), nil
	}}
}

func numeric1(sql string, f func(a *apd.Decimal) (*apd.Decimal, error)) goldenFunc {
	return goldenFunc{sql, func(a []string) (*Type, Datum, error) {
		v, err := f(numericArg(a[0]))
		if err != nil {
			return nil, Null, err
		}
		return Numeric, NewDecimal(v), nil
	}}
}

func plain(f func(a *apd.Decimal) *apd.Decimal) func(a *apd.Decimal) (*apd.Decimal, error) {
	return func(a *apd.Decimal) (*apd.Decimal, error) { return f(a), nil }
}

func numericScaled(sql string, f func(a *apd.Decimal, scale int) *apd.Decimal) goldenFunc {
	return goldenFunc{sql, func(a []string) (*Type, Datum, error) {
		n, err := strconv.Atoi(a[1])
		if err != nil {
			return nil, Null, err
		}
		return Numeric, NewDecimal(f(numericArg(a[0]), n)), nil
	}}
}

func numericToInt(sql string, t *Type) goldenFunc {
	return goldenFunc{sql, func(a []string) (*Type, Datum, error) {
		v, err := NumericToInt(numericArg(a[0]), t)
		return t, NewInt(v), err
	}}
}

func goldenLocation(name string) *time.Location {
	loc, err := LookupZone(name)
	if err != nil {
		panic(err)
	}
	return loc
}

func interval1(sql string, f func(iv Interval) (Interval, error)) goldenFunc {
	return goldenFunc{sql, func(a []string) (*Type, Datum, error) {
		v, err := f(intervalArg(a[0]))
		return IntervalType, NewAny(v), err
	}}
}

func interval2(sql string, f func(a, b Interval) (Interval, error)) goldenFunc {
	return goldenFunc{sql, func(a []string) (*Type, Datum, error) {
		v, err := f(intervalArg(a[0]), intervalArg(a[1]))
		return IntervalType, NewAny(v), err
	}}
}

func intervalScaled(sql string, f func(a Interval, n float64) (Interval, error)) goldenFunc {
	return goldenFunc{sql, func(a []string) (*Type, Datum, error) {
		v, err := f(intervalArg(a[0]), parseArg(Float8, a[1]).Float())
		return IntervalType, NewAny(v), err
	}}
}

func extractFunc(t *Type) goldenFunc {
	return goldenFunc{"extract(%1 from $2::" + t.Name + ")", func(a []string) (*Type, Datum, error) {
		d, err := Extract(a[0], t, parseArg(t, a[1]), goldenLocation("America/New_York"))
		return Numeric, d, err
	}}
}

func timestampPair(sql string, f func(a, b int64) (Interval, error)) goldenFunc {
	return goldenFunc{sql, func(a []string) (*Type, Datum, error) {
		v, err := f(parseArg(Timestamp, a[0]).Int(), parseArg(Timestamp, a[1]).Int())
		return IntervalType, NewAny(v), err
	}}
}

var goldenFuncs = map[string]goldenFunc{
	"add":       numeric2("$1::numeric + $2::numeric", NumericAdd),
	"sub":       numeric2("$1::numeric - $2::numeric", NumericSub),
	"mul":       numeric2("$1::numeric * $2::numeric", NumericMul),
	"div":       numeric2("$1::numeric / $2::numeric", NumericDiv),
	"mod":       numeric2("$1::numeric % $2::numeric", NumericMod),
	"div_trunc": numeric2("div($1::numeric, $2::numeric)", NumericDivTrunc),
	"power":     numeric2("power($1::numeric, $2::numeric)", NumericPower),
	"log":       numeric2("log($1::numeric, $2::numeric)", NumericLog),
	"ln":        numeric1("ln($1::numeric)", NumericLn),
	"exp":       numeric1("exp($1::numeric)", NumericExp),
	"sqrt":      numeric1("sqrt($1::numeric)", NumericSqrt),
	"neg":       numeric1("-($1::numeric)", plain(NumericNeg)),
	"abs":       numeric1("abs($1::numeric)", plain(NumericAbs)),
	"ceil":      numeric1("ceil($1::numeric)", plain(NumericCeil)),
	"floor":     numeric1("floor($1::numeric)", plain(NumericFloor)),
	"round":     numericScaled("round($1::numeric, %2)", NumericRound),
	"trunc":     numericScaled("trunc($1::numeric, %2)", NumericTrunc),
	"to_int2":   numericToInt("$1::numeric::int2", Int2),
	"to_int4":   numericToInt("$1::numeric::int4", Int4),
	"to_int8":   numericToInt("$1::numeric::int8", Int8),
	"cmp": {"case when $1::numeric < $2::numeric then -1 when $1::numeric > $2::numeric then 1 else 0 end", func(a []string) (*Type, Datum, error) {
		return Int4, NewInt(int64(sign(NumericCompare(numericArg(a[0]), numericArg(a[1]))))), nil
	}},
	"to_float8": {"$1::numeric::float8", func(a []string) (*Type, Datum, error) {
		v, err := NumericToFloat(numericArg(a[0]))
		return Float8, NewFloat(v), err
	}},
	"from_float8": {"$1::float8::numeric", func(a []string) (*Type, Datum, error) {
		return Numeric, NewDecimal(NumericFromFloat(parseArg(Float8, a[0]).Float(), Float8)), nil
	}},
	"from_float4": {"$1::float4::numeric", func(a []string) (*Type, Datum, error) {
		return Numeric, NewDecimal(NumericFromFloat(parseArg(Float4, a[0]).Float(), Float4)), nil
	}},

	"interval_add":     interval2("$1::interval + $2::interval", Interval.Add),
	"interval_sub":     interval2("$1::interval - $2::interval", Interval.Sub),
	"interval_neg":     interval1("-($1::interval)", Interval.Neg),
	"interval_mul":     intervalScaled("$1::interval * $2::float8", Interval.Mul),
	"interval_div":     intervalScaled("$1::interval / $2::float8", Interval.Div),
	"justify_hours":    interval1("justify_hours($1::interval)", Interval.JustifyHours),
	"justify_days":     interval1("justify_days($1::interval)", Interval.JustifyDays),
	"justify_interval": interval1("justify_interval($1::interval)", Interval.JustifyInterval),
	"interval_cmp": {"case when $1::interval < $2::interval then -1 when $1::interval > $2::interval then 1 else 0 end", func(a []string) (*Type, Datum, error) {
		return Int4, NewInt(int64(intervalArg(a[0]).Compare(intervalArg(a[1])))), nil
	}},
	"interval_trunc": {"date_trunc($1, $2::interval)", func(a []string) (*Type, Datum, error) {
		v, err := DateTruncInterval(a[0], intervalArg(a[1]))
		return IntervalType, NewAny(v), err
	}},
	"timestamp_add": {"$1::timestamp + $2::interval", func(a []string) (*Type, Datum, error) {
		v, err := AddInterval(parseArg(Timestamp, a[0]).Int(), intervalArg(a[1]))
		return Timestamp, NewInt(v), err
	}},
	"timestamptz_add": {"($1::timestamptz + $2::interval) at time zone 'UTC'", func(a []string) (*Type, Datum, error) {
		v, err := AddIntervalTZ(parseArg(TimestampTZ, a[0]).Int(), intervalArg(a[1]), goldenLocation("America/New_York"))
		return Timestamp, NewInt(v), err
	}},
	"time_add": {"$1::time + $2::interval", func(a []string) (*Type, Datum, error) {
		return Time, NewInt(AddTime(parseArg(Time, a[0]).Int(), intervalArg(a[1]))), nil
	}},
	"timestamp_sub": timestampPair("$1::timestamp - $2::timestamp", SubTimestamps),
	"age":           timestampPair("age($1::timestamp, $2::timestamp)", Age),
	"trunc_ts": {"date_trunc($1, $2::timestamp)", func(a []string) (*Type, Datum, error) {
		v, err := DateTrunc(a[0], parseArg(Timestamp, a[1]).Int())
		return Timestamp, NewInt(v), err
	}},
	"trunc_tz": {"date_trunc($1, $2::timestamptz) at time zone 'UTC'", func(a []string) (*Type, Datum, error) {
		v, err := DateTruncTZ(a[0], parseArg(TimestampTZ, a[1]).Int(), goldenLocation("America/New_York"))
		return Timestamp, NewInt(v), err
	}},
	"at_zone_local": {"$1::timestamptz at time zone $2", func(a []string) (*Type, Datum, error) {
		loc, err := LookupZone(a[1])
		if err != nil {
			return nil, Null, err
		}
		return Timestamp, NewInt(LocalTimestamp(parseArg(TimestampTZ, a[0]).Int(), loc)), nil
	}},
	"at_zone_utc": {"($1::timestamp at time zone $2) at time zone 'UTC'", func(a []string) (*Type, Datum, error) {
		loc, err := LookupZone(a[1])
		if err != nil {
			return nil, Null, err
		}
		v, err := TimestampInZone(parseArg(Timestamp, a[0]).Int(), loc)
		return Timestamp, NewInt(v), err
	}},
	"make_date": {"make_date(%1, %2, %3)", func(a []string) (*Type, Datum, error) {
		var n [3]int
		for i := range n {
			n[i], _ = strconv.Atoi(a[i])
		}
		v, err := MakeDate(n[0], n[1], n[2])
		return Date, NewInt(v), err
	}},
	"extract_date":        extractFunc(Date),
	"extract_time":        extractFunc(Time),
	"extract_timetz":      extractFunc(TimeTZType),
	"extract_timestamp":   extractFunc(Timestamp),
	"extract_timestamptz": extractFunc(TimestampTZ),
	"extract_interval":    extractFunc(IntervalType),
	"jsonb_cmp": {"case when $1::jsonb < $2::jsonb then -1 when $1::jsonb > $2::jsonb then 1 else 0 end", func(a []string) (*Type, Datum, error) {
		return Int4, NewInt(int64(Compare(JSONB, parseArg(JSONB, a[0]), parseArg(JSONB, a[1])))), nil
	}},
	"array_cmp": {"case when $1::int[] < $2::int[] then -1 when $1::int[] > $2::int[] then 1 else 0 end", func(a []string) (*Type, Datum, error) {
		return Int4, NewInt(int64(Compare(Int4Array, parseArg(Int4Array, a[0]), parseArg(Int4Array, a[1])))), nil
	}},
	"range_cmp": {"case when $1::numrange < $2::numrange then -1 when $1::numrange > $2::numrange then 1 else 0 end", func(a []string) (*Type, Datum, error) {
		return Int4, NewInt(int64(Compare(NumRange, parseArg(NumRange, a[0]), parseArg(NumRange, a[1])))), nil
	}},
	"format_type": {"format_type((select oid from pg_type where typname = $1 and typnamespace = 11), nullif(%2, -2))", func(a []string) (*Type, Datum, error) {
		t := ByName(a[0])
		mod, err := strconv.Atoi(a[1])
		if err != nil {
			return nil, Null, err
		}
		if mod == -2 {
			return Text, NewString(t.SQLName), nil
		}
		return Text, NewString(FormatType(t, int32(mod))), nil
	}},
	"typmod": {"null::%1", func(a []string) (*Type, Datum, error) {
		m := typeSyntax.FindStringSubmatch(a[0])
		var args []int32
		for _, s := range strings.Split(m[2], ",") {
			n, err := strconv.Atoi(strings.TrimSpace(s))
			if err != nil {
				return nil, Null, err
			}
			args = append(args, int32(n))
		}
		if ByName(m[1]) == IntervalType {
			args = append([]int32{intervalFullRange}, args...)
		}
		_, err := TypmodFromArgs(ByName(m[1]), args)
		return nil, Null, err
	}},
	"quote_ident": {"quote_ident($1)", func(a []string) (*Type, Datum, error) {
		return Text, NewString(QuoteIdentifier(a[0])), nil
	}},
}

// TestGoldenExpr compares the helpers with PostgreSQL. Lines: FUNCTION, arguments, = or !, the answer.
func TestGoldenExpr(t *testing.T) {
	const name = "testdata/expr.txt"
	lines := readGolden(t, name)
	answerAt := func(fields []string) int {
		for i, f := range fields {
			if f == "=" || f == "!" {
				return i
			}
		}
		return len(fields)
	}
	if *record != "" {
		r := newRecorder(t)
		r.exec(t, "set timezone = 'America/New_York'")
		for i, l := range lines {
			if l.fields == nil {
				continue
			}
			f, ok := goldenFuncs[l.fields[0]]
			if !ok {
				t.Fatalf("no function %s", l.fields[0])
			}
			args := l.fields[1:answerAt(l.fields)]
			sql := f.sql
			for k, a := range args {
				sql = strings.ReplaceAll(sql, "$"+strconv.Itoa(k+1), sqlLiteral(a))
				sql = strings.ReplaceAll(sql, "%"+strconv.Itoa(k+1), a)
			}
			zone := "set timezone = 'UTC'"
			if strings.Contains(l.fields[0], "tz") && l.fields[0] != "extract_timetz" {
				zone = "set timezone = 'America/New_York'"
				sql = strings.ReplaceAll(sql, "::timestamptz", "::timestamptz")
			}
			r.exec(t, zone)
			lines[i].fields = append(append([]string{l.fields[0]}, args...), r.query(t, "select "+sql)...)
		}
		writeGolden(t, name, lines)
	}
	failures := 0
	for _, l := range lines {
		if l.fields == nil {
			continue
		}
		at := answerAt(l.fields)
		typ, d, err := goldenFuncs[l.fields[0]].call(l.fields[1:at])
		var got []string
		switch {
		case err != nil:
			got = errorFields(err)
		case d.IsNull():
			got = []string{"=", "<null>"}
		default:
			got = []string{"=", string(AppendText(nil, typ, d, DefaultEnv))}
		}
		if want := l.fields[at:]; strings.Join(got, "\t") != strings.Join(want, "\t") {
			t.Errorf("%q\n got %q\nwant %q", l.fields[:at], got, want)
			if failures++; failures > 40 {
				t.Fatal("too many failures")
			}
		}
	}
}
