package exec

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"slices"
	"testing"

	"holdfast/kv"
	"holdfast/sql/algebra"
	"holdfast/sql/catalog"
	"holdfast/sql/types"
)

func TestTableScan(t *testing.T) {
	s := newStore(t)
	rng := rand.New(rand.NewSource(2))
	for _, n := range []int{0, 1, 5, 33, 1500} {
		rows := randomInts(rng, n, 3, 50)
		table := s.table([]*types.Type{types.Int4, types.Int8, types.Int8})
		s.insert(table, rows)
		scan := s.scan(table)
		wantRows(t, "scan", collect(t, s.ctx(), scan), rows)
		back := slices.Clone(rows)
		slices.Reverse(back)
		wantRows(t, "reverse", collect(t, s.ctx(), &TableScan{Props: scan.Props, Access: scan.Access, Reverse: true}), back)

		filtered := *scan
		filtered.Filter = op("<", col(scan, 1), integer(10))
		var want []row
		for _, r := range rows {
			if !r[1].IsNull() && r[1].Int() < 10 {
				want = append(want, r)
			}
		}
		wantRows(t, "filter", collect(t, s.ctx(), &filtered), want)

		system := &TableScan{Props: props(s.ids(2), []*types.Type{types.Bytea, types.Oid}), Access: Access{Table: table}}
		system.Columns = []algebra.ScanColumn{{ID: system.Cols[0], Number: catalog.RowKeyNumber}, {ID: system.Cols[1], Number: catalog.TableOIDNumber}}
		for i, r := range collect(t, s.ctx(), system) {
			if want := fmt.Sprintf("%q|%d", string([]byte{0, 0, 0, 0, 0, 0, byte((i + 1) >> 8), byte(i + 1)}), table.OID); printRow(r) != want {
				t.Fatalf("system columns %s, want %s", printRow(r), want)
			}
		}
	}
}

// TestBounds compares scans with bounds over keys of several columns, NULLs and directions with a filter over all rows.
func TestBounds(t *testing.T) {
	rng := rand.New(rand.NewSource(3))
	for round := range 400 {
		s := newStore(t)
		table := s.table(repeat(types.Int8, 4), 4)
		sign := func(n int16) int16 {
			if rng.Intn(2) == 0 {
				return -n
			}
			return n
		}
		keys := []int16{sign(2), sign(1), sign(3)}
		unique := round%2 == 0
		rows := randomInts(rng, rng.Intn(60), 4, 4)
		seen := map[string]bool{}
		rows = slices.DeleteFunc(rows, func(r row) bool {
			k := printRow(r[:3])
			dup := unique && seen[k]
			seen[k] = true
			return dup
		})
		for i := range rows {
			rows[i][3] = types.NewInt(int64(i))
		}
		index := s.index(table, unique, keys...)
		s.insert(table, rows)

		b := &Bounds{}
		var conds []func(r row) bool
		column := func(k int) int { return int(max(keys[k], -keys[k])) - 1 }
		for k := range rng.Intn(4) {
			c, m := column(k), KeyMatch{}
			if rng.Intn(8) == 0 {
				m.IsNull = true
			}
			values := map[int64]bool{}
			for range rng.Intn(3) + 1 {
				if rng.Intn(10) == 0 {
					m.Values = append(m.Values, nullOf(types.Int8))
					continue
				}
				v := int64(rng.Intn(5))
				values[v] = true
				m.Values = append(m.Values, integer(v))
			}
			if rng.Intn(4) == 0 {
				v := int64(rng.Intn(5))
				values[v] = true
				a := types.NewSlice(types.Int8, []types.Datum{types.NewInt(v), types.Null})
				m.Array = &algebra.Const{T: algebra.T{Typ: types.Int8Array, M: -1}, Value: types.NewAny(a)}
			}
			b.Prefix = append(b.Prefix, m)
			conds = append(conds, func(r row) bool {
				return m.IsNull && r[c].IsNull() || !r[c].IsNull() && values[r[c].Int()]
			})
		}
		if n := len(b.Prefix); n < 3 {
			c := column(n)
			if rng.Intn(2) == 0 {
				v, inclusive := int64(rng.Intn(5)), rng.Intn(2) == 0
				b.Lower = &Bound{Values: []algebra.Scalar{integer(v)}, Inclusive: inclusive}
				conds = append(conds, func(r row) bool {
					return !r[c].IsNull() && (r[c].Int() > v || inclusive && r[c].Int() == v)
				})
			}
			if rng.Intn(2) == 0 {
				v, inclusive := int64(rng.Intn(5)), rng.Intn(2) == 0
				b.Upper = &Bound{Values: []algebra.Scalar{integer(v)}, Inclusive: inclusive}
				conds = append(conds, func(r row) bool {
					return !r[c].IsNull() && (r[c].Int() < v || inclusive && r[c].Int() == v)
				})
			}
			if rng.Intn(4) == 0 {
				b.NotNull = true
				conds = append(conds, func(r row) bool { return !r[c].IsNull() })
			}
		}
		var want []row
		for _, r := range rows {
			if !slices.ContainsFunc(conds, func(f func(row) bool) bool { return !f(r) }) {
				want = append(want, r)
			}
		}
		slices.SortFunc(want, func(a, b row) int {
			for i, k := range keys {
				c := column(i)
				x, y := a[c], b[c]
				desc := k < 0 // NULLs come first in descending order, last in ascending
				var d int
				switch {
				case x.IsNull() && y.IsNull():
				case x.IsNull():
					d = 1
				case y.IsNull():
					d = -1
				default:
					d = int(x.Int() - y.Int())
				}
				if desc {
					d = -d
				}
				if d != 0 {
					return d
				}
			}
			return int(a[3].Int() - b[3].Int())
		})
		p, a := s.access(table)
		scan := &IndexScan{Props: p, Access: a, Index: index, Bounds: b}
		got := collect(t, s.ctx(), scan)
		wantRows(t, fmt.Sprintf("round %d", round), got, want)
		back := *scan
		back.Reverse = true
		slices.Reverse(want)
		wantRows(t, "reverse", collect(t, s.ctx(), &back), want)

		only := &IndexScan{Props: props(p.Cols[:3], p.Types[:3]), Access: Access{Table: table, Columns: a.Columns[:3]}, Index: index, Bounds: b, Only: true}
		slices.Reverse(want)
		for i := range want {
			want[i] = want[i][:3]
		}
		wantRows(t, "index only", collect(t, s.ctx(), only), want)
	}
}

func TestRowBound(t *testing.T) {
	s := newStore(t)
	table := s.table(repeat(types.Int8, 2), 1, 2)
	var rows []row
	for i := range 25 {
		rows = append(rows, row{types.NewInt(int64(i / 5)), types.NewInt(int64(i % 5))})
	}
	s.insert(table, rows)
	p, a := s.access(table)
	scan := &TableScan{Props: p, Access: a, Bounds: &Bounds{
		Lower: &Bound{Values: []algebra.Scalar{param(1, types.Int8), param(2, types.Int8)}},
		Upper: &Bound{Values: []algebra.Scalar{param(3, types.Int8), param(4, types.Int8)}, Inclusive: true},
	}}
	n := types.NewInt
	wantRows(t, "between rows", collect(t, s.ctx(n(1), n(3), n(3), n(1)), scan), rows[9:17])
	wantRows(t, "NULL second", collect(t, s.ctx(n(1), types.Null, n(3), types.Null), scan), rows[10:15])
	wantRows(t, "NULL first", collect(t, s.ctx(types.Null, n(1), n(3), n(1)), scan), nil)
}

func TestKeyLookup(t *testing.T) {
	s := newStore(t)
	ts := []*types.Type{types.Int4, types.Text, types.Numeric}
	table := s.table(ts, 1)
	unique := s.index(table, true, 2)
	unique.Include = []int16{3}
	var rows []row
	for i := range 20 {
		rows = append(rows, row{types.NewInt(int64(i)), types.NewString(fmt.Sprint("name", i)), types.NewDecimal(types.NumericFromInt(int64(i)))})
	}
	rows[7][1] = types.Null
	s.insert(table, rows)
	p, a := s.access(table)
	byKey := &KeyLookup{Props: p, Access: a, Key: []algebra.Scalar{param(1, types.Int4)}}
	byName := &KeyLookup{Props: p, Access: a, Index: unique, Key: []algebra.Scalar{param(1, types.Text)}}
	for i, r := range rows {
		wantRows(t, "by key", collect(t, s.ctx(r[0]), byKey), rows[i:i+1])
		if i != 7 {
			wantRows(t, "by name", collect(t, s.ctx(r[1]), byName), rows[i:i+1])
		}
	}
	wantRows(t, "absent", collect(t, s.ctx(types.NewInt(99)), byKey), nil)
	wantRows(t, "NULL", collect(t, s.ctx(types.Null), byKey), nil)
	wantRows(t, "NULL name", collect(t, s.ctx(types.Null), byName), nil)

	scan := &IndexScan{Props: props(p.Cols[1:], ts[1:]), Access: Access{Table: table, Columns: a.Columns[1:]}, Index: unique, Only: true}
	got := collect(t, s.ctx(), scan)
	if len(got) != 20 || !got[19][0].IsNull() || printRow(got[0]) != `"name0"|0` {
		t.Fatalf("index with include: %v", printRows(got))
	}
}

// TestLimitReads checks that a scan under a LIMIT leaves no more in the footprint than it returned.
func TestLimitReads(t *testing.T) {
	s := newStore(t)
	table := s.table(repeat(types.Int8, 2), 1)
	var rows []row
	for i := range 100 {
		rows = append(rows, row{types.NewInt(int64(i)), types.NewInt(0)})
	}
	s.insert(table, rows)
	limit := func(n int64) Node {
		scan := s.scan(table)
		return &Limit{Props: scan.Props, Input: scan, Count: integer(n)}
	}
	conflicts := func(read Node, written int64) bool {
		c := s.ctx()
		plan := NewPlan(read, nil)
		if _, err := drain(t, plan, c, func() int { return 1000 }); err != nil {
			t.Fatal(err)
		}
		s.insert(table, []row{{types.NewInt(written), types.NewInt(1)}})
		if err := c.Txn.Set([]byte("other"), nil, kv.AllColumns); err != nil {
			t.Fatal(err)
		}
		_, err := c.Txn.Commit(context.Background())
		if err != nil && !errors.Is(err, kv.ErrConflict) {
			t.Fatal(err)
		}
		return err != nil
	}
	for _, c := range []struct {
		n, written int64
		want       bool
	}{{5, 4, true}, {5, 5, false}, {1, 0, true}, {1, 1, false}, {60, 59, true}, {60, 60, false}} {
		if got := conflicts(limit(c.n), c.written); got != c.want {
			t.Errorf("LIMIT %d and a write of row %d: conflict %v, want %v", c.n, c.written, got, c.want)
		}
	}
}

func TestCanceled(t *testing.T) {
	s := newStore(t)
	table := s.table(repeat(types.Int8, 1))
	s.insert(table, randomInts(rand.New(rand.NewSource(1)), 5000, 1, 10))
	for _, cause := range []error{ErrStatementTimeout, ErrUserRequest} {
		c := s.ctx()
		ctx, cancel := context.WithCancelCause(context.Background())
		c.Ctx.Context = ctx
		r := must(NewPlan(s.scan(table), nil).Start(c))
		must(r.Next(10))
		cancel(cause)
		if _, err := r.Next(10); err != cause {
			t.Errorf("got %v, want %v", err, cause)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}
