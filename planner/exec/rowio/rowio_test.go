package rowio

import (
	"testing"

	"holdfast/kv"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/types"

	"pgregory.net/rapid"
)

// table has columns of several types, a primary key on the first two, and an index of every sort.
func table() *catalog.Table {
	t := &catalog.Table{OID: 1, Name: "t", Storage: 7}
	for i, ty := range []*types.Type{types.Int4, types.Text, types.Numeric, types.Int8} {
		t.Columns = append(t.Columns, &catalog.Column{Number: int16(i + 1), Type: ty})
	}
	t.Indexes = []*catalog.Index{
		{OID: 2, Name: "pk", Primary: true, Unique: true, Keys: []catalog.IndexKey{{Column: 1}, {Column: 2, Desc: true}}},
		{OID: 3, Name: "plain", Storage: 8, Keys: []catalog.IndexKey{{Column: 4}, {Column: 3, Desc: true, NullsFirst: true}}},
		{OID: 4, Name: "unique", Storage: 9, Unique: true, Keys: []catalog.IndexKey{{Column: 3}}, Include: []int16{2}},
		{OID: 5, Name: "nulls", Storage: 10, Unique: true, NullsNotDistinct: true, Keys: []catalog.IndexKey{{Column: 3}, {Type: types.Text}}},
	}
	return t
}

func drawRow(t *rapid.T) []types.Datum {
	numeric, err := types.ParseText(types.Numeric, -1, rapid.SampledFrom([]string{"0", "1.0", "1.00", "-7.25", "1e30"}).Draw(t, "numeric"), types.DefaultEnv)
	if err != nil {
		t.Fatal(err)
	}
	row := []types.Datum{
		types.NewInt(int64(rapid.Int32().Draw(t, "int4"))), types.NewString(rapid.StringN(0, 5, -1).Draw(t, "text")),
		numeric, types.NewInt(rapid.Int64().Draw(t, "int8")),
	}
	for _, i := range []int{2, 3} {
		if rapid.Bool().Draw(t, "null") {
			row[i] = types.Null
		}
	}
	return row
}

func show(d types.Datum, t *types.Type) string {
	if d.IsNull() {
		return "NULL"
	}
	return string(types.AppendText(nil, t, d, types.DefaultEnv))
}

// TestRoundTrip writes rows and index entries and reads them back: the row, its key, and the columns an index covers, to the digit.
func TestRoundTrip(t *testing.T) {
	tab := table()
	codec := NewTableCodec(tab)
	rapid.Check(t, func(t *rapid.T) {
		row := drawRow(t)
		rowKey := string(codec.AppendRowKey(nil, row))
		value := codec.AppendValue(nil, row)
		if got := string(codec.RowKey(codec.AppendKey(nil, rowKey))); got != rowKey {
			t.Fatalf("row key %q, want %q", got, rowKey)
		}
		back := make([]types.Datum, len(row))
		if err := codec.DecodeRow(value, back); err != nil {
			t.Fatal(err)
		}
		for i := range row {
			if a, b := show(back[i], tab.Columns[i].Type), show(row[i], tab.Columns[i].Type); a != b {
				t.Fatalf("column %d: %s, want %s", i+1, a, b)
			}
		}
		for _, x := range codec.Indexes() {
			keys := x.KeyValues(nil, row, []types.Datum{types.NewString("expression")})
			key, value := x.AppendKey(nil, keys, rowKey), x.AppendValue(nil, keys, row, rowKey)
			got, _, err := x.RowKey(key, value)
			if err != nil || string(got) != rowKey {
				t.Fatalf("index %s: row key %q, %v; want %q", x.Index.Name, got, err, rowKey)
			}
			var numbers []int16
			var vecs []*types.Vec
			for n := int16(1); n <= 4; n++ {
				if x.Covers([]int16{n}) {
					numbers = append(numbers, n)
					vecs = append(vecs, types.NewVec(tab.Columns[n-1].Type, 1))
				}
			}
			numbers, vecs = append(numbers, catalog.RowKeyNumber), append(vecs, types.NewVec(types.Bytea, 1))
			d, err := x.NewEntryDecoder(numbers, vecs)
			if err != nil {
				t.Fatal(err)
			}
			if err := d.Decode(key, value, 0); err != nil {
				t.Fatal(err)
			}
			for i, n := range numbers {
				if n < 0 {
					if vecs[i].S[0] != rowKey {
						t.Fatalf("index %s: row key %q", x.Index.Name, vecs[i].S[0])
					}
				} else if a, b := show(vecs[i].Datum(0), vecs[i].Type), show(row[n-1], vecs[i].Type); a != b {
					t.Fatalf("index %s, column %d: %s, want %s", x.Index.Name, n, a, b)
				}
			}
		}
	})
}

func TestUniqueKeys(t *testing.T) {
	codec := NewTableCodec(table())
	for _, c := range []struct {
		index int
		keys  []types.Datum
		want  bool
	}{
		{0, []types.Datum{types.NewInt(1), types.Null}, true},
		{1, []types.Datum{types.NewDecimal(types.NumericFromInt(1))}, false},
		{1, []types.Datum{types.Null}, true},
		{2, []types.Datum{types.Null, types.NewString("x")}, false},
	} {
		if got := codec.Indexes()[c.index].KeyHoldsRowKey(c.keys); got != c.want {
			t.Errorf("index %d: %v", c.index, got)
		}
	}
	one, _ := types.ParseText(types.Numeric, -1, "1", types.DefaultEnv)
	precise, _ := types.ParseText(types.Numeric, -1, "1.000", types.DefaultEnv)
	x := codec.Indexes()[1]
	if a, b := x.AppendKey(nil, []types.Datum{one}, "a"), x.AppendKey(nil, []types.Datum{precise}, "b"); string(a) != string(b) {
		t.Error("equal values have different unique keys")
	}
}

// TestDamaged reads random bytes: errors, never a panic.
func TestDamaged(t *testing.T) {
	tab := table()
	codec := NewTableCodec(tab)
	vec := func(n int16) []*types.Vec { return []*types.Vec{types.NewVec(tab.Columns[n-1].Type, 1)} }
	rapid.Check(t, func(t *rapid.T) {
		key, value := rapid.SliceOf(rapid.Byte()).Draw(t, "key"), rapid.SliceOf(rapid.Byte()).Draw(t, "value")
		for n := int16(1); n <= 4; n++ {
			d, err := codec.NewRowDecoder([]int16{n}, vec(n))
			if err != nil {
				t.Fatal(err)
			}
			if err := d.Decode(key, value, 0); err != nil && errs.CodeOf(err) != errs.DataCorrupted {
				t.Fatal(err)
			}
			for _, x := range codec.Indexes() {
				if !x.Covers([]int16{n}) {
					continue
				}
				d, err := x.NewEntryDecoder([]int16{n}, vec(n))
				if err != nil {
					t.Fatal(err)
				}
				if err := d.Decode(append(x.Prefix()[:4:4], key...), value, 0); err != nil && errs.CodeOf(err) != errs.DataCorrupted {
					t.Fatal(err)
				}
			}
		}
	})
}

func TestColumnSet(t *testing.T) {
	if got, want := ColumnSet(2, catalog.RowKeyNumber, 64), kv.Existence.With(2).With(64); got != want {
		t.Errorf("%b", got)
	}
}
