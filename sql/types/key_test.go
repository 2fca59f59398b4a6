package types

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

func forEachType(t *testing.T, f func(t *rapid.T, typ *Type)) {
	for _, typ := range genTypes {
		t.Run(typ.Name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { f(t, typ) })
		})
	}
}

// The order of keys is that of values, for every direction and place of NULLs; equal values have equal keys and hashes.
func TestKeyOrder(t *testing.T) {
	forEachType(t, func(t *rapid.T, typ *Type) {
		if !HasOrder(typ) {
			return
		}
		a, b := genNullable(t, typ), genNullable(t, typ)
		if rapid.IntRange(0, 3).Draw(t, "same") == 0 {
			b = a
		}
		desc, nullsFirst := rapid.Bool().Draw(t, "desc"), rapid.Bool().Draw(t, "nulls first")
		var want int
		switch {
		case a.IsNull() && b.IsNull():
		case a.IsNull() || b.IsNull():
			want = 1
			if a.IsNull() == nullsFirst {
				want = -1
			}
		default:
			want = sign(Compare(typ, a, b))
			if want != -sign(Compare(typ, b, a)) {
				t.Fatal("Compare is not antisymmetric")
			}
			if Equal(typ, a, b) != (want == 0) {
				t.Fatalf("Equal is %v, Compare %d", Equal(typ, a, b), want)
			}
			if want == 0 && Hash(typ, a, 7) != Hash(typ, b, 7) {
				t.Fatal("equal values hash differently")
			}
			if desc {
				want = -want
			}
		}
		ka, kb := AppendKey(nil, typ, a, desc, nullsFirst), AppendKey(nil, typ, b, desc, nullsFirst)
		if got := bytes.Compare(ka, kb); got != want {
			t.Fatalf("keys compare %d, values %d\n%x\n%x", got, want, ka, kb)
		}
		if want != 0 && (bytes.HasPrefix(ka, kb) || bytes.HasPrefix(kb, ka)) {
			t.Fatalf("a key is a prefix of another\n%x\n%x", ka, kb)
		}
	})
}

func TestKeyDecode(t *testing.T) {
	forEachType(t, func(t *rapid.T, typ *Type) {
		if !HasOrder(typ) {
			return
		}
		d := genNullable(t, typ)
		desc, nullsFirst := rapid.Bool().Draw(t, "desc"), rapid.Bool().Draw(t, "nulls first")
		rest := rapid.SliceOfN(rapid.Byte(), 0, 4).Draw(t, "rest")
		key := AppendKey(nil, typ, d, desc, nullsFirst)
		v := &Vec{Type: typ}
		v.Resize(3)
		v.Set(2, d)
		if k := AppendKeyVec(nil, v, 2, desc, nullsFirst); !bytes.Equal(k, key) {
			t.Fatalf("AppendKeyVec %x, AppendKey %x", k, key)
		}
		after, err := SkipKey(typ, append(key[:len(key):len(key)], rest...), desc, nullsFirst)
		if err != nil || !bytes.Equal(after, rest) {
			t.Fatalf("SkipKey %x: rest %x, want %x, %v", key, after, rest, err)
		}
		if typ == JSONB && !d.IsNull() {
			return
		}
		got, after, err := DecodeKey(typ, append(key[:len(key):len(key)], rest...), desc, nullsFirst)
		if err != nil || !bytes.Equal(after, rest) {
			t.Fatalf("DecodeKey %x: rest %x, want %x, %v", key, after, rest, err)
		}
		if got.IsNull() != d.IsNull() {
			t.Fatalf("NULL changed")
		}
		if d.IsNull() {
			return
		}
		if !Equal(typ, got, d) {
			t.Fatalf("got %s, want %s", AppendText(nil, typ, got, DefaultEnv), AppendText(nil, typ, d, DefaultEnv))
		}
		if KeyIsExact(typ) && !sameDatum(typ, got, d) {
			t.Fatalf("got %s, want exactly %s", AppendText(nil, typ, got, DefaultEnv), AppendText(nil, typ, d, DefaultEnv))
		}
	})
}

// Integers of all widths share their keys and hashes.
func TestKeyIntegersAlike(t *testing.T) {
	for _, v := range []int64{0, 1, -1, 207, 208, -16, -17, 32767, -32768} {
		d := NewInt(v)
		k := AppendKey(nil, Int2, d, false, false)
		if !bytes.Equal(k, AppendKey(nil, Int4, d, false, false)) || !bytes.Equal(k, AppendKey(nil, Int8, d, false, false)) {
			t.Errorf("keys of %d differ", v)
		}
		if h := Hash(Int2, d, 1); h != Hash(Int4, d, 1) || h != Hash(Int8, d, 1) {
			t.Errorf("hashes of %d differ", v)
		}
	}
}

func FuzzDecodeKey(f *testing.F) {
	f.Add(uint8(0), []byte{0x20}, false)
	f.Add(uint8(11), []byte{0x40, 0x21, 0x02, 0x00}, true)
	f.Fuzz(func(t *testing.T, which uint8, key []byte, desc bool) {
		typ := genTypes[int(which)%len(genTypes)]
		if d, rest, err := DecodeKey(typ, key, desc, false); err == nil && !d.IsNull() && typ.class != classArray {
			// What decodes is a value like any other; only the coefficients and labels are checked by value.
			_ = AppendKey(nil, typ, d, desc, false)
			_ = AppendText(nil, typ, d, DefaultEnv)
			_ = rest
		}
		_, _ = SkipKey(typ, key, desc, true)
	})
}

// The vector hash is the hash of the values, whatever the shape of the vector.
func TestHashVec(t *testing.T) {
	forEachType(t, func(t *rapid.T, typ *Type) {
		n := rapid.IntRange(1, 6).Draw(t, "n")
		v := NewVec(typ, n)
		for i := range n {
			v.Set(i, genNullable(t, typ))
		}
		rows := Rows{N: n}
		if rapid.Bool().Draw(t, "sel") {
			rows.Sel = rapid.SliceOfN(rapid.Int32Range(0, int32(n-1)), 0, 5).Draw(t, "rows")
			rows.N = len(rows.Sel)
		}
		if rapid.Bool().Draw(t, "const") && rows.Sel != nil {
			v.Const = true
		}
		hashes := make([]uint64, rows.N)
		for i := range hashes {
			hashes[i] = uint64(i)
		}
		HashVec(v, rows, hashes)
		for k := range hashes {
			i := k
			if rows.Sel != nil {
				i = int(rows.Sel[k])
			}
			if want := Hash(typ, v.Datum(i), uint64(k)); hashes[k] != want {
				t.Fatalf("row %d: %x, want %x", i, hashes[k], want)
			}
			for j := range n {
				a, b := v.Datum(i), v.Datum(j)
				want := a.IsNull() && b.IsNull() || !a.IsNull() && !b.IsNull() && Compare(typ, a, b) == 0
				if EqualVec(v, i, v, j) != want {
					t.Fatalf("EqualVec(%d, %d) = %v", i, j, !want)
				}
			}
		}
	})
}
