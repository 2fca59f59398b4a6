package types

import (
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"holdfast/sql/errs"
)

// Rows come back as they were stored, also after columns were added and dropped, by every way of reading.
func TestLayoutRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 8).Draw(t, "columns")
		cols := make([]Column, n)
		row := make([]Datum, n)
		for i := range cols {
			cols[i].Type = rapid.SampledFrom(genTypes).Draw(t, "type")
			row[i] = genNullable(t, cols[i].Type)
			if rapid.IntRange(0, 20).Draw(t, "long") == 0 && cols[i].Type == Text {
				row[i] = NewString(strings.Repeat("long", 20000))
			}
		}
		old := NewLayout(cols)
		value := old.Encode([]byte("prefix"), row)[len("prefix"):]
		vecs := make([]*Vec, n)
		for i := range cols {
			vecs[i] = NewVec(cols[i].Type, 2)
			vecs[i].Set(1, row[i])
		}
		if got := old.EncodeVecs(nil, vecs, 1); string(got) != string(value) {
			t.Fatalf("EncodeVecs %x, Encode %x", got, value)
		}
		want := append([]Datum(nil), row...)
		for range rapid.IntRange(0, 3).Draw(t, "added") {
			c := Column{Type: rapid.SampledFrom(genTypes).Draw(t, "type")}
			c.Missing = genNullable(t, c.Type)
			cols = append(cols, c)
			want = append(want, c.Missing)
		}
		for i := range cols {
			if rapid.IntRange(0, 5).Draw(t, "dropped") == 0 {
				cols[i].Dropped = true
				want[i] = Null
			}
		}
		checkRow(t, NewLayout(cols), value, want)
		again := NewLayout(cols).Encode(nil, want)
		checkRow(t, NewLayout(cols), again, want)
	})
}

func checkRow(t *rapid.T, l *Layout, value []byte, want []Datum) {
	got := make([]Datum, len(want))
	if err := l.Decode(value, got); err != nil {
		t.Fatal(err)
	}
	var numbers []int
	var vecs []*Vec
	for i, c := range l.Columns() {
		one, err := l.Column(value, i)
		if err != nil {
			t.Fatal(err)
		}
		if !sameDatum(c.Type, got[i], want[i]) || !sameDatum(c.Type, one, want[i]) {
			t.Fatalf("column %d: %v, %v, want %v", i, got[i], one, want[i])
		}
		if rapid.Bool().Draw(t, "decode") {
			numbers = append(numbers, i)
			vecs = append(vecs, NewVec(c.Type, 4))
			vecs[len(vecs)-1].SetNull(2) // of an earlier use
		}
	}
	d := l.NewDecoder(numbers, vecs)
	for row := 1; row < 4; row++ {
		if err := d.DecodeInto(value, row); err != nil {
			t.Fatal(err)
		}
	}
	for k, n := range numbers {
		for row := 1; row < 4; row++ {
			if v := vecs[k].Datum(row); !sameDatum(vecs[k].Type, v, want[n]) {
				t.Fatalf("column %d of row %d: %v, want %v", n, row, v, want[n])
			}
		}
	}
}

// Whatever happens to the bytes of a row, decoding it gives a value or XX001.
func TestLayoutCorruption(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	cols := make([]Column, len(genTypes))
	for i, typ := range genTypes {
		cols[i].Type = typ
	}
	l := NewLayout(cols)
	vecs := make([]*Vec, len(cols))
	numbers := make([]int, len(cols))
	for i := range cols {
		vecs[i], numbers[i] = NewVec(cols[i].Type, 1), i
	}
	d := l.NewDecoder(numbers, vecs)
	check := func(value []byte) {
		err := d.DecodeInto(value, 0)
		if err != nil && errs.CodeOf(err) != errs.DataCorrupted {
			t.Fatalf("%v: SQLSTATE %s", err, errs.CodeOf(err))
		}
		for i := range cols {
			v, err := l.Column(value, i)
			if err != nil && errs.CodeOf(err) != errs.DataCorrupted {
				t.Fatalf("%v: SQLSTATE %s", err, errs.CodeOf(err))
			}
			if err == nil && !v.IsNull() && cols[i].Type.class != classEnum {
				_ = AppendText(nil, cols[i].Type, v, DefaultEnv)
			}
		}
	}
	gen := rapid.Custom(func(t *rapid.T) []byte {
		row := make([]Datum, len(cols))
		for i := range row {
			row[i] = genNullable(t, cols[i].Type)
		}
		return l.Encode(nil, row)
	})
	for i := range 60 {
		value := gen.Example(i)
		for n := range value {
			check(value[:n])
		}
		for range 300 {
			bad := append([]byte(nil), value...)
			for range 1 + rng.IntN(3) {
				bad[rng.IntN(len(bad))] ^= byte(1 << rng.IntN(8))
			}
			check(bad)
		}
	}
}

func FuzzDecodeRow(f *testing.F) {
	cols := make([]Column, len(genTypes))
	numbers := make([]int, len(genTypes))
	for i, typ := range genTypes {
		cols[i].Type, numbers[i] = typ, i
	}
	l := NewLayout(cols)
	f.Add(l.Encode(nil, make([]Datum, len(cols))))
	f.Add([]byte{0, 0})
	f.Fuzz(func(t *testing.T, value []byte) {
		vecs := make([]*Vec, len(cols))
		for i := range cols {
			vecs[i] = NewVec(cols[i].Type, 1)
		}
		if err := l.NewDecoder(numbers, vecs).DecodeInto(value, 0); err != nil {
			if errs.CodeOf(err) != errs.DataCorrupted {
				t.Fatal(err)
			}
			return
		}
		row := make([]Datum, len(cols))
		for i := range cols {
			row[i] = vecs[i].Datum(0)
		}
		_ = l.Encode(nil, row)
	})
}

// A stored datum is found the end of, and comes back exactly.
func TestEncodeDatum(t *testing.T) {
	forEachType(t, func(t *rapid.T, typ *Type) {
		d := genNullable(t, typ)
		rest := rapid.SliceOfN(rapid.Byte(), 0, 3).Draw(t, "rest")
		b := EncodeDatum([]byte("x"), typ, d)
		got, after, err := DecodeDatum(typ, append(b[1:len(b):len(b)], rest...))
		if err != nil || string(after) != string(rest) || !sameDatum(typ, got, d) {
			t.Fatalf("got %v %x, want %v %x: %v", got, after, d, rest, err)
		}
	})
}

// The strings a decoder gave out stay as they are when it decodes more.
func TestDecoderKeepsStrings(t *testing.T) {
	l := NewLayout([]Column{{Type: Text}})
	v := NewVec(Text, 1)
	d := l.NewDecoder([]int{0}, []*Vec{v})
	var got []string
	for i := range 20000 {
		s := strings.Repeat(string(rune('a'+i%26)), i%97)
		if err := d.DecodeInto(l.Encode(nil, []Datum{NewString(s)}), 0); err != nil {
			t.Fatal(err)
		}
		got = append(got, v.S[0])
	}
	for i, s := range got {
		if want := strings.Repeat(string(rune('a'+i%26)), i%97); s != want {
			t.Fatalf("string %d is %q, want %q", i, s, want)
		}
	}
}
