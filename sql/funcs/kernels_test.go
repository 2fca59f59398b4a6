package funcs

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// samples are the text forms of values that arguments are drawn from, ordinary and extreme.
var samples = map[*types.Type][]string{
	types.Bool: {"t", "f"}, types.Int2: {"0", "1", "-1", "7", "32767", "-32768"}, types.Int4: {"0", "1", "2", "-1", "3", "10", "2147483647", "-2147483648"},
	types.Int8:   {"0", "1", "-5", "12", "9223372036854775807", "-9223372036854775808"},
	types.Float4: {"0", "1.5", "-2.25", "3e38", "1e-45", "NaN", "Infinity"}, types.Float8: {"0", "-0", "1", "-1.5", "0.5", "1e308", "5e-324", "NaN", "Infinity", "-Infinity"},
	types.Numeric: {"0", "1", "-1.50", "0.0001", "123456789012345678901234567890.5", "3", "NaN", "Infinity", "-Infinity"},
	types.Text:    {"", "a", "abc", "aébc", "%a_", "a.*(b", `\d+`, "year", "YYYY-MM-DD HH24:MI:SS", "FM999,999.99PR", "UTC", "Europe/Berlin", "hex", "base64", "gi", "[", "{1,2}", `{"a": 1}`, "12th", "latin1", "%s %I %1$L", "\U0001F600", "NFC"},
	types.Varchar: {"", "abc", "x "}, types.Bpchar: {"", "a ", "abc"}, types.Name: {"", "pg_class", "LATIN1"}, types.CharQuoted: {"", "a"},
	types.Bytea: {`\x`, `\x00ff`, `\x616263`}, types.Date: {"2000-01-01", "2020-02-29", "0044-03-15 BC", "5874897-12-31", "infinity", "-infinity"},
	types.Time: {"00:00", "23:59:59.999999", "24:00"}, types.TimeTZType: {"00:00+00", "23:59:59-08", "12:00+15:59"},
	types.Timestamp:    {"2000-01-01", "2020-02-29 13:14:15.678", "294276-12-31 23:59:59.999999", "4713-01-01 BC", "infinity", "-infinity"},
	types.TimestampTZ:  {"2000-01-01 00:00+00", "2020-03-29 01:30+00", "294276-12-31 00:00+00", "4713-01-02 00:00+00 BC", "infinity", "-infinity"},
	types.IntervalType: {"0", "1 day", "-1 mon 2 days 03:04:05.6", "178000000 years", "-2147483648 mons", "1 hour", "2147483647 days"},
	types.UUID:         {"00000000-0000-0000-0000-000000000000", "ffffffff-ffff-4fff-bfff-ffffffffffff"}, types.Oid: {"0", "23", "4294967295"},
	types.JSON:  {"null", "1", `"a"`, "[]", `[1, "b", [null]]`, `{"a": {"b": [1,2]}, "c": null}`},
	types.JSONB: {"null", "1.50", `"a"`, "[]", `[1, "b", [null]]`, `{"a": {"b": [1,2]}, "c": null}`, "true"},
	types.Xid:   {"0", "4294967295"}, types.Cid: {"0"}, types.Xid8: {"0", "18446744073709551615"}, types.Tid: {"(0,1)"}, types.PgLSN: {"0/0", "FF/12"},
	types.Int4Array: {"{}", "{1,2,3}", "{NULL}", "{{1,2},{3,4}}", "[-5:-4]={7,8}"}, types.TextArray: {"{}", "{a,b}", "{NULL,a}", "{{a,1},{b,2}}", "{a,0,b}"},
	types.Int8Array: {"{1}"}, types.Float8Array: {"{1.5}"}, types.NumericArray: {"{1.5,NaN}"}, types.Int2Vector: {"", "1 2"}, types.OidVector: {"", "1 2"},
	types.CstringArray: {"{}"}, types.Regclass: {"0", "1259"}, types.Regtype: {"23"}, types.Cstring: {"", "1", "abc"},
	types.Int4Range: {"empty", "[1,5)", "(,)"}, types.NumRange: {"empty", "(1.5,2]", "[,3)"}, types.Int8Range: {"[1,2)"}, types.TsRange: {"[2020-01-01,2021-01-01)"},
	types.TstzRange: {"(,)"}, types.DateRange: {"[2020-01-01,2020-02-01)"}, types.Bit: {"101", "0"}, types.VarBit: {"", "101"},
}

// concreteFor picks types for a function's declared arguments.
func concreteFor(f *Func) []*types.Type {
	ts := make([]*types.Type, len(f.Args))
	for i, d := range f.Args {
		switch d {
		case types.AnyElement, types.AnyNonArray, types.AnyCompatible, types.AnyCompatibleNonArray:
			ts[i] = types.Int4
		case types.AnyArray, types.AnyCompatibleArray:
			ts[i] = types.Int4Array
		case types.AnyRange, types.AnyCompatibleRange:
			ts[i] = types.Int4Range
		case types.Any:
			ts[i] = types.Text
		case types.RecordType, types.AnyEnum, types.AnyMultirange:
			return nil
		default:
			ts[i] = d
		}
	}
	return ts
}

// slowOrImpure functions are left out: what they do depends on more than their arguments, or is to wait.
func slowOrImpure(f *Func) bool {
	return f.Volatility == 'v' || f.Name == "repeat" || f.Name == "lpad" || f.Name == "rpad" || f.Name == "factorial" || f.Name == "numeric_fac" || f.Name == "array_fill"
}

// TestKernelsAgree evaluates every function on random arguments by whole batches, with constants, NULLs and selections,
// and compares with the evaluation of each row alone. Nothing may panic.
func TestKernelsAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	ctx := &Ctx{Context: context.Background(), Env: testEnv}
	tested := 0
	for _, f := range All() {
		if f.Kernel == nil || slowOrImpure(f) {
			continue
		}
		ts := concreteFor(f)
		if len(ts) == 0 {
			continue
		}
		args := make([]Arg, len(ts))
		for i, typ := range ts {
			args[i] = Arg{typ}
			if samples[typ] == nil {
				ts = nil
				break
			}
		}
		if ts == nil {
			continue
		}
		_, result, err := resolvePolymorphic(ts, f.Args, f.Result)
		if err != nil {
			t.Errorf("%s: %v", f.signature(), err)
			continue
		}
		tested++
		for range 6 {
			agree(t, r, ctx, f, ts, result)
		}
	}
	if tested < 900 {
		t.Errorf("only %d functions tested", tested)
	}
}

const agreeRows = 70 // more than a word of the bitmap

func agree(t *testing.T, r *rand.Rand, ctx *Ctx, f *Func, ts []*types.Type, result *types.Type) {
	describe := ""
	defer func() {
		if p := recover(); p != nil {
			t.Errorf("%s: panic on %s: %v", f.signature(), describe, p)
			if testing.Verbose() {
				panic(p)
			}
		}
	}()
	args := make([]*types.Vec, len(ts))
	values := make([][]types.Datum, len(ts))
	for k, typ := range ts {
		v := types.NewVec(typ, agreeRows)
		v.Const = r.IntN(4) == 0
		for i := range agreeRows {
			d := types.Null
			if r.IntN(8) > 0 {
				text := samples[typ][r.IntN(len(samples[typ]))]
				var err error
				if d, err = types.ParseText(typ, types.NoTypmod, text, testEnv); err != nil {
					t.Fatalf("%s %q: %v", typ, text, err)
				}
			}
			v.Set(i, d)
		}
		for i := range agreeRows {
			values[k] = append(values[k], v.Datum(i))
		}
		args[k] = v
	}
	rows := types.Rows{N: agreeRows}
	if r.IntN(2) == 0 {
		rows = types.Rows{}
		for i := range agreeRows {
			if r.IntN(3) > 0 {
				rows.Sel = append(rows.Sel, int32(i))
			}
		}
		rows.N = len(rows.Sel)
	}
	// Each row alone; rows that fail are taken out of the batch, which would stop at them.
	want := map[int]types.Datum{}
	var good []int32
	each(rows, func(i int) {
		describe = ""
		one := make([]*types.Vec, len(ts))
		for k, typ := range ts {
			one[k] = types.NewVec(typ, 1)
			one[k].Set(0, values[k][i])
			describe += fmt.Sprintf(" | %s %s", typ.Name, textOf(typ, values[k][i]))
		}
		out := types.NewVec(result, 1)
		err := EvalStrict(f, ctx, one, types.Rows{N: 1}, out)
		if err != nil {
			if errs.CodeOf(err) == errs.InternalError {
				t.Errorf("%s: internal error on %s: %v", f.signature(), describe, err)
			}
			return
		}
		want[i] = out.Datum(0)
		textOf(result, out.Datum(0)) // must be a value of the type
		good = append(good, int32(i))
	})
	if len(good) != rows.N {
		rows = types.Rows{N: len(good), Sel: good}
	}
	describe = " a batch"
	out := types.NewVec(result, agreeRows)
	if err := EvalStrict(f, ctx, args, rows, out); err != nil {
		t.Errorf("%s: error in a batch of good rows: %v", f.signature(), err)
		return
	}
	each(rows, func(i int) {
		if got := textOf(result, out.Datum(i)); got != textOf(result, want[i]) {
			d := ""
			for k := range ts {
				d += fmt.Sprintf(" | %s %s", ts[k].Name, textOf(ts[k], values[k][i]))
			}
			t.Errorf("%s%s: got %s in a batch, %s alone", f.signature(), d, got, textOf(result, want[i]))
		}
	})
}

// TestCastsAgree does the same for all casts between the sampled types.
func TestCastsAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	ctx := &Ctx{Context: context.Background(), Env: testEnv}
	for from := range samples {
		for to := range samples {
			c, ok := FindCast(from, to, CastExplicit)
			if !ok || c.Func != nil && !c.Func.implemented() || from == types.Regclass || to == types.Regclass || to == types.Regtype {
				continue
			}
			f := &Func{Name: "cast " + from.Name + " " + to.Name, Args: []*types.Type{from}, Result: to, Strict: true, Kernel: CastKernel(c, types.NoTypmod, true)}
			for range 2 {
				agree(t, r, ctx, f, f.Args, to)
			}
		}
	}
}

func TestEvalStrictAllocatesNothingWithoutNulls(t *testing.T) {
	f := ByOID(177) // int4pl
	a, b, out := types.NewVec(types.Int4, 1024), types.NewVec(types.Int4, 1024), types.NewVec(types.Int4, 1024)
	args := []*types.Vec{a, b}
	ctx := &Ctx{Context: context.Background(), Env: testEnv}
	run := func() {
		if err := EvalStrict(f, ctx, args, types.Rows{N: 1024}, out); err != nil {
			t.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(100, run); n > 0 {
		t.Errorf("%v allocations without NULLs", n)
	}
	a.SetNull(5)
	out.Nulls = make(types.Bitmap, 16)
	if n := testing.AllocsPerRun(100, run); n > 0.5 {
		t.Errorf("%v allocations with a NULL", n)
	}
}

func benchVec(t *types.Type, n int) *types.Vec {
	v := types.NewVec(t, n)
	for i := range n {
		switch t.Rep {
		case types.RepInt:
			v.I[i] = int64(i * 7 % 1000)
		case types.RepFloat:
			v.F[i] = float64(i*7%1000) / 8
		case types.RepDecimal:
			v.D[i] = types.NumericRound(types.NumericFromInt(int64(i)), 2)
		case types.RepString:
			v.S[i] = fmt.Sprintf("row %d", i)
		}
	}
	return v
}

func benchFunc(b *testing.B, oid types.OID, args ...*types.Vec) {
	f := ByOID(oid)
	out := types.NewVec(f.Result, 1024)
	ctx := &Ctx{Context: context.Background(), Env: testEnv}
	rows := types.Rows{N: 1024}
	b.ReportAllocs()
	for b.Loop() {
		if err := EvalStrict(f, ctx, args, rows, out); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1024, "ns/row")
}

func constant(v *types.Vec) *types.Vec {
	v.Const = true
	return v
}

func BenchmarkInt4Add(b *testing.B) {
	benchFunc(b, 177, benchVec(types.Int4, 1024), benchVec(types.Int4, 1024))
}
func BenchmarkInt8AddConst(b *testing.B) {
	benchFunc(b, 463, benchVec(types.Int8, 1024), constant(benchVec(types.Int8, 1)))
}
func BenchmarkInt4LessConst(b *testing.B) {
	benchFunc(b, 66, benchVec(types.Int4, 1024), constant(benchVec(types.Int4, 1)))
}
func BenchmarkFloat8Mul(b *testing.B) {
	benchFunc(b, 216, benchVec(types.Float8, 1024), benchVec(types.Float8, 1024))
}
func BenchmarkTextEqualConst(b *testing.B) {
	benchFunc(b, 67, benchVec(types.Text, 1024), constant(benchVec(types.Text, 1)))
}
func BenchmarkLikeConst(b *testing.B) {
	pattern := types.NewVec(types.Text, 1)
	pattern.S[0] = "%9%"
	benchFunc(b, 850, benchVec(types.Text, 1024), constant(pattern))
}
func BenchmarkNumericAdd(b *testing.B) {
	benchFunc(b, 1724, benchVec(types.Numeric, 1024), benchVec(types.Numeric, 1024))
}

func benchAgg(b *testing.B, oid types.OID, arg *types.Vec, groups int) {
	f := ByOID(oid)
	state := f.NewAgg(f.Args, f.Result)
	state.Grow(groups)
	g := make([]int32, 1024)
	for i := range g {
		g[i] = int32(i % groups)
	}
	ctx := &Ctx{Context: context.Background(), Env: testEnv}
	b.ReportAllocs()
	for b.Loop() {
		if err := state.Add(ctx, []*types.Vec{arg}, types.Rows{N: 1024}, g); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1024, "ns/row")
}

func BenchmarkSumInt4(b *testing.B)       { benchAgg(b, 2108, benchVec(types.Int4, 1024), 1) }
func BenchmarkSumInt4Groups(b *testing.B) { benchAgg(b, 2108, benchVec(types.Int4, 1024), 100) }
func BenchmarkSumInt8(b *testing.B)       { benchAgg(b, 2107, benchVec(types.Int8, 1024), 1) }
func BenchmarkSumNumeric(b *testing.B)    { benchAgg(b, 2114, benchVec(types.Numeric, 1024), 1) }
func BenchmarkMaxInt4(b *testing.B)       { benchAgg(b, 2116, benchVec(types.Int4, 1024), 1) }
