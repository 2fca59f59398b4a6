package types

import (
	"strings"
	"testing"
)

// benchRows are rows of (int4, int8, text, numeric) with values that differ.
func benchRows(n int) (*Layout, [][]byte) {
	l := NewLayout([]Column{{Type: Int4}, {Type: Int8}, {Type: Text}, {Type: Numeric}, {Type: Timestamp}})
	rows := make([][]byte, n)
	for i := range rows {
		rows[i] = l.Encode(nil, []Datum{
			NewInt(int64(i)), NewInt(int64(i) * 1000003), NewString(strings.Repeat("x", i%40)), NewDecimal(numericFromWord(false, uint64(i)*37, 2)),
			NewInt(int64(i) * MicrosPerSecond),
		})
	}
	return l, rows
}

func benchDecode(b *testing.B, cols ...int) {
	l, rows := benchRows(BatchRows)
	vecs := make([]*Vec, len(cols))
	for i, c := range cols {
		vecs[i] = NewVec(l.Columns()[c].Type, BatchRows)
	}
	d := l.NewDecoder(cols, vecs)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := d.DecodeInto(rows[i%BatchRows], i%BatchRows); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeTwoInts(b *testing.B) { benchDecode(b, 0, 1) }
func BenchmarkDecodeText(b *testing.B)    { benchDecode(b, 2) }
func BenchmarkDecodeNumeric(b *testing.B) { benchDecode(b, 3) }
func BenchmarkDecodeAll(b *testing.B)     { benchDecode(b, 0, 1, 2, 3, 4) }

func BenchmarkEncodeRow(b *testing.B) {
	l, rows := benchRows(BatchRows)
	decoded := make([][]Datum, len(rows))
	for i := range rows {
		decoded[i] = make([]Datum, 5)
		if err := l.Decode(rows[i], decoded[i]); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	var buf []byte
	for i := 0; b.Loop(); i++ {
		buf = l.Encode(buf[:0], decoded[i%BatchRows])
	}
}

func benchKey(b *testing.B, t *Type, d Datum) {
	b.ReportAllocs()
	var buf []byte
	for b.Loop() {
		buf = AppendKey(buf[:0], t, d, false, false)
	}
}

func BenchmarkKeyInt(b *testing.B)  { benchKey(b, Int8, NewInt(123456789)) }
func BenchmarkKeyText(b *testing.B) { benchKey(b, Text, NewString("a customer's name")) }
func BenchmarkKeyNumeric(b *testing.B) {
	benchKey(b, Numeric, NewDecimal(numericFromWord(false, 1234567, 2)))
}

func benchText(b *testing.B, t *Type, d Datum) {
	v := NewVec(t, 1)
	v.Set(0, d)
	b.ReportAllocs()
	var buf []byte
	for b.Loop() {
		buf = AppendTextVec(buf[:0], v, 0, DefaultEnv)
	}
}

func BenchmarkTextInt(b *testing.B)   { benchText(b, Int4, NewInt(123456789)) }
func BenchmarkTextFloat(b *testing.B) { benchText(b, Float8, NewFloat(3.14159265)) }
func BenchmarkTextNumeric(b *testing.B) {
	benchText(b, Numeric, NewDecimal(numericFromWord(false, 1234567, 2)))
}
func BenchmarkTextTimestamp(b *testing.B) { benchText(b, TimestampTZ, NewInt(779041231123456)) }

func BenchmarkBinaryNumeric(b *testing.B) {
	d := NewDecimal(numericFromWord(false, 1234567, 2))
	b.ReportAllocs()
	var buf []byte
	for b.Loop() {
		buf = AppendBinary(buf[:0], Numeric, d)
	}
}

func BenchmarkParseNumericBinary(b *testing.B) {
	buf := AppendBinary(nil, Numeric, NewDecimal(numericFromWord(false, 1234567, 2)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseBinary(Numeric, NoTypmod, buf); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseTimestamp(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseText(TimestampTZ, NoTypmod, "2024-09-08 05:27:11.123456+00", DefaultEnv); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNumericAdd(b *testing.B) {
	x, y := numericFromWord(false, 1234567, 2), numericFromWord(false, 89, 1)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := NumericAdd(x, y); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNumericDiv(b *testing.B) {
	x, y := numericFromWord(false, 1234567, 2), numericFromWord(false, 89, 1)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := NumericDiv(x, y); err != nil {
			b.Fatal(err)
		}
	}
}

func benchHash(b *testing.B, t *Type) {
	v := NewVec(t, BatchRows)
	for i := range BatchRows {
		if t == Text {
			v.S[i] = strings.Repeat("k", 5+i%20)
		} else {
			v.I[i] = int64(i)
		}
	}
	hashes := make([]uint64, BatchRows)
	for b.Loop() {
		HashVec(v, Rows{N: BatchRows}, hashes)
	}
}

func BenchmarkHashIntBatch(b *testing.B)  { benchHash(b, Int8) }
func BenchmarkHashTextBatch(b *testing.B) { benchHash(b, Text) }
