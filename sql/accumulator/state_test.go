package accumulator

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/apd/v3"

	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// naive are the values of a group, of which sums are computed anew.
type naive struct{ values []*apd.Decimal }

func (v *naive) sum(t *testing.T) string {
	sum := types.NumericFromInt(0)
	for _, d := range v.values {
		var err error
		if sum, err = types.NumericAdd(sum, d); err != nil {
			t.Fatal(err)
		}
	}
	return text(sum)
}

func text(d *apd.Decimal) string {
	return string(types.AppendText(nil, types.Numeric, types.NewDecimal(d), types.DefaultEnv))
}

func sum(t *testing.T, s Sum) *apd.Decimal {
	t.Helper()
	d, err := s.Decimal()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func numeric(t *testing.T, s string) *apd.Decimal {
	d, err := types.ParseText(types.Numeric, types.NoTypmod, s, types.DefaultEnv)
	if err != nil {
		t.Fatal(err)
	}
	return d.Decimal()
}

func randomNumeric(t *testing.T, rng *rand.Rand) *apd.Decimal {
	switch rng.IntN(20) {
	case 0:
		return numeric(t, "NaN")
	case 1:
		return numeric(t, "Infinity")
	case 2:
		return numeric(t, "-Infinity")
	case 3:
		return numeric(t, fmt.Sprintf("%d%018d.%018d", rng.Int64N(1e9), rng.Int64N(1e18), rng.Int64N(1e18)))
	case 4:
		return numeric(t, fmt.Sprintf("%de%d", rng.IntN(1000)-500, rng.IntN(30)))
	}
	return numeric(t, fmt.Sprintf("%d.%0*d", rng.IntN(1000)-500, 1+rng.IntN(4), rng.IntN(10)))
}

// TestSums adds and takes away random values, in deltas that are merged in random order, and compares with sums computed anew.
func TestSums(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var group naive
		var value []byte
		var deltas [][]byte
		for range 1 + rng.IntN(40) {
			var d State
			d.Grow(1)
			for range 1 + rng.IntN(3) {
				if n := len(group.values); n > 0 && rng.IntN(5) < 2 {
					i := rng.IntN(n)
					d.Rows--
					d.Args[0].AddDecimal(group.values[i], -1)
					group.values = append(group.values[:i], group.values[i+1:]...)
				} else {
					v := randomNumeric(t, rng)
					d.Rows++
					d.Args[0].AddDecimal(v, 1)
					group.values = append(group.values, v)
				}
			}
			deltas = append(deltas, d.Append(nil))
		}
		rng.Shuffle(len(deltas), func(i, j int) { deltas[i], deltas[j] = deltas[j], deltas[i] })
		for len(deltas) > 0 {
			var err error
			if len(deltas) > 1 && rng.IntN(3) == 0 {
				if deltas[1], err = Merge(deltas[0], deltas[1]); err != nil {
					t.Fatal(err)
				}
			} else if value, err = Merge(value, deltas[0]); err != nil {
				t.Fatal(err)
			}
			deltas = deltas[1:]
		}
		var s State
		if err := s.Decode(value); err != nil {
			t.Fatal(err)
		}
		if len(group.values) == 0 {
			if len(value) > 0 {
				t.Fatalf("seed %d: %x is left of no values", seed, value)
			}
			continue
		}
		var anew State
		anew.Grow(1)
		for _, d := range group.values {
			anew.Rows++
			anew.Args[0].AddDecimal(d, 1)
		}
		if b := anew.Append(nil); !bytes.Equal(b, value) {
			t.Fatalf("seed %d: %x is kept, counted anew it is %x", seed, value, b)
		}
		if got, want := text(sum(t, s.Args[0].Sum)), group.sum(t); got != want || s.Rows != int64(len(group.values)) || s.Args[0].Values != s.Rows {
			t.Fatalf("seed %d: sum %s of %d of %d, want %s of %d", seed, got, s.Args[0].Values, s.Rows, want, len(group.values))
		}
	}
}

// TestIntegers goes beyond int8 and back.
func TestIntegers(t *testing.T) {
	var s State
	s.Grow(1)
	a := &s.Args[0]
	a.AddInt(math.MaxInt64, 1)
	a.AddInt(math.MaxInt64, 1)
	if _, err := a.Sum.Int(); err == nil || text(sum(t, a.Sum)) != "18446744073709551614" {
		t.Errorf("sum %s, error %v", text(sum(t, a.Sum)), err)
	}
	var back State
	if err := back.Decode(s.Append(nil)); err != nil || text(sum(t, back.Args[0].Sum)) != "18446744073709551614" {
		t.Errorf("read back as %v, %v", back, err)
	}
	a.AddInt(math.MaxInt64, -1)
	a.AddInt(math.MinInt64, 1)
	if v, err := a.Sum.Int(); v != -1 || err != nil {
		t.Errorf("sum %d, %v", v, err)
	}
	a.AddInt(math.MinInt64, -1)
	a.AddInt(math.MaxInt64, -1)
	if b := s.Append(nil); len(b) > 0 {
		t.Errorf("%x is left", b)
	}
}

// TestBeyondNumeric: a sum that numeric does not hold is an error to whoever asks for it, and comes back into range with the rows that go.
func TestBeyondNumeric(t *testing.T) {
	most := numeric(t, "9e131071")
	var s State
	s.Grow(1)
	a := &s.Args[0]
	for sign, far := range map[int64]string{1: "9e131071", -1: "-9e131071"} {
		a.AddDecimal(most, sign)
		if text(sum(t, a.Sum)) != text(numeric(t, far)) {
			t.Errorf("%s is another", far)
		}
		a.AddDecimal(most, sign)
		var back State
		if err := back.Decode(s.Append(nil)); err != nil {
			t.Fatal(err)
		}
		for _, x := range []Sum{a.Sum, back.Args[0].Sum} {
			if _, err := x.Decimal(); errs.CodeOf(err) != errs.NumericValueOutOfRange {
				t.Errorf("twice %s: %v", far, err)
			}
		}
		a.AddDecimal(numeric(t, "0.1"), 1)
		a.AddDecimal(most, -sign)
		a.AddDecimal(most, -sign)
		if got := text(sum(t, a.Sum)); got != "0.1" {
			t.Errorf("%s is left", got)
		}
		a.AddDecimal(numeric(t, "0.1"), -1)
	}
	if b := s.Append(nil); len(b) > 0 {
		t.Errorf("%x is left", b)
	}
}

// TestDamage: no encoding that is cut short or changed makes the decoder fail otherwise than by an error.
func TestDamage(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var s State
	s.Grow(2)
	s.Rows = 3
	for range 3 {
		s.Args[0].AddDecimal(randomNumeric(t, rng), 1)
		s.Args[1].AddInt(rng.Int64(), 1)
	}
	b := s.Append(nil)
	for i := 1; i < len(b); i++ {
		if (&State{}).Decode(b[:i]) == nil {
			t.Errorf("the first %d of %d bytes were taken for a value", i, len(b))
		}
	}
	for range 2000 {
		c := bytes.Clone(b)
		c[rng.IntN(len(c))] = byte(rng.Uint32())
		_ = (&State{}).Decode(c)
	}
}
