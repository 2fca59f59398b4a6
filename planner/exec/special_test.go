package exec

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"holdfast/kv"
	"holdfast/planner/exec/rowio"
	"holdfast/sql/algebra"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

func TestLockRows(t *testing.T) {
	s := newStore(t)
	table := s.table(repeat(types.Int8, 2), 1)
	n := types.NewInt
	rows := []row{{n(1), n(0)}, {n(2), n(0)}, {n(3), n(0)}}
	s.insert(table, rows)
	p, a := s.access(table)
	key := s.ids(1)[0]
	p.Cols, p.Types = append(p.Cols, key), append(p.Types, types.Bytea)
	a.Columns = append(a.Columns, algebra.ScanColumn{ID: key, Number: catalog.RowKeyNumber})
	scan := &TableScan{Props: p, Access: a}
	lock := func(l algebra.RowLock) Node {
		l.Table, l.Key, l.Strength = table, key, "update"
		return &LockRows{Props: p, Input: scan, Locks: []algebra.RowLock{l}}
	}
	holder := s.ctx()
	codec := rowio.NewTableCodec(table)
	second := codec.AppendKey(nil, string(codec.AppendRowKey(nil, rows[1])))
	if err := holder.Txn.Lock(holder, [][]byte{second}, kv.LockUpdate, kv.WaitPolicy{}); err != nil {
		t.Fatal(err)
	}
	drainKeys := func(n Node) (string, error) {
		ctx := s.ctx()
		defer ctx.Txn.Rollback()
		rows, err := drain(t, NewPlan(n, nil), ctx, func() int { return 2 })
		var keys []int64
		for _, r := range rows {
			keys = append(keys, r[0].Int())
		}
		return fmt.Sprint(keys), err
	}
	if got, err := drainKeys(lock(algebra.RowLock{SkipLocked: true})); got != "[1 3]" || err != nil {
		t.Errorf("SKIP LOCKED: %s, %v", got, err)
	}
	if _, err := drainKeys(lock(algebra.RowLock{NoWait: true})); errs.CodeOf(err) != errs.LockNotAvailable {
		t.Errorf("NOWAIT: %v", err)
	}
	late := s.ctx()
	s.insert(table, []row{{n(3), n(1)}})
	if _, err := drain(t, NewPlan(lock(algebra.RowLock{SkipLocked: true}), nil), late, func() int { return 5 }); !errors.Is(err, kv.ErrStale) {
		t.Errorf("a row written after the snapshot: %v", err)
	}
}

func TestTransitionScan(t *testing.T) {
	s := newStore(t)
	table := s.table([]*types.Type{types.Int8, types.Text}, 1)
	tr := newTransition(table, true)
	for i := range 3000 {
		tr.New.AppendDatums(row{types.NewInt(int64(i)), types.NewString(fmt.Sprint(i)), types.NewString("key"), types.Null})
	}
	tr.Old.AppendDatums(row{types.NewInt(7), types.Null, types.NewString("old key"), types.Null})
	ids := s.ids(4)
	scan := &TransitionScan{Props: props(ids, []*types.Type{types.Bytea, types.Text, types.Oid, types.Int8}), Table: table, Kind: algebra.NewRows,
		Columns: []algebra.ScanColumn{{ID: ids[0], Number: catalog.RowKeyNumber}, {ID: ids[1], Number: 2}, {ID: ids[2], Number: catalog.TableOIDNumber}, {ID: ids[3], Number: 1}}}
	ctx := s.ctx()
	wantRows(t, "no transition", collect(t, ctx, scan), nil)
	ctx.Changes = Changes{tr}
	if got := collect(t, ctx, scan); len(got) != 3000 || printRow(got[2999]) != fmt.Sprintf(`"key"|"2999"|%d|2999`, table.OID) {
		t.Errorf("%d new rows, the last %s", len(got), printRow(got[len(got)-1]))
	}
	scan.Filter = op("=", col(scan, 3), integer(2500))
	if got := collect(t, ctx, scan); len(got) != 1 || got[0][3].Int() != 2500 {
		t.Errorf("filtered: %v", printRows(got))
	}
	scan.Kind, scan.Filter = algebra.OldRows, nil
	if got := collect(t, ctx, scan); len(got) != 1 || printRow(got[0]) != fmt.Sprintf(`"old key"|NULL|%d|7`, table.OID) {
		t.Errorf("old rows: %v", printRows(got))
	}
}

func TestVirtualScan(t *testing.T) {
	s := newStore(t)
	table := s.table(repeat(types.Int8, 2))
	var seen catalog.VirtualFilter
	made := 0
	table.Virtual = &catalog.Virtual{Rows: func(v *catalog.VirtualContext, f catalog.VirtualFilter, emit func([]types.Datum) bool) error {
		seen = f
		for i := range 2000 {
			made++
			if !emit(row{types.NewInt(int64(i)), types.NewInt(int64(i % 3))}) {
				break
			}
		}
		return nil
	}}
	p, a := s.access(table)
	scan := &VirtualScan{Props: p, Table: table, Columns: a.Columns, Pushed: map[int16]KeyMatch{1: {Values: []algebra.Scalar{param(1, types.Int8), nullOf(types.Int8)}}}}
	scan.Filter = op("=", col(scan, 0), param(1, types.Int8))
	got := collect(t, s.ctx(types.NewInt(1500)), scan)
	if len(got) != 1 || printRow(got[0]) != "1500|0" {
		t.Errorf("rows %v", printRows(got))
	}
	if len(seen[1]) != 1 || seen[1][0].Int() != 1500 {
		t.Errorf("filter %v", seen)
	}
	// Under a nested loop the relation makes its rows once.
	made = 0
	l := s.values(repeat(types.Int8, 1), []row{{types.NewInt(1)}, {types.NewInt(2)}})
	scan.Filter = nil
	j := &NestedLoop{Props: joined(algebra.InnerJoin, l, scan), Left: l, Right: scan, Kind: algebra.InnerJoin, On: op("=", col(l, 0), col(scan, 0))}
	if got := must(drain(t, NewPlan(j, nil), s.ctx(types.NewInt(1)), func() int { return 10 })); len(got) != 2 || made != 2000 {
		t.Errorf("%d rows, %d made", len(got), made)
	}
}

func TestCastsAndRecords(t *testing.T) {
	T := func(t *types.Type) algebra.T { return algebra.T{Typ: t, M: -1} }
	cast := func(s algebra.Scalar, to *types.Type, mod int32, ctx funcs.CastContext) algebra.Scalar {
		c, ok := funcs.FindCast(s.Type(), to, ctx)
		if !ok {
			panic(to)
		}
		return &algebra.Cast{T: algebra.T{Typ: to, M: mod}, Arg: s, Cast: c, Explicit: ctx == funcs.CastExplicit}
	}
	text := func(s string) algebra.Scalar {
		return &algebra.Const{T: T(types.Text), Value: types.NewString(s)}
	}
	record := &algebra.Row{T: T(types.RecordType), Fields: []algebra.Scalar{integer(1), nullOf(types.Text)}, Names: []string{"a", "b"}}
	empty := &algebra.Row{T: T(types.RecordType), Fields: []algebra.Scalar{nullOf(types.Int8), nullOf(types.Text)}}
	for _, c := range []struct {
		s    algebra.Scalar
		want string
	}{
		{cast(integer(5), types.Int4, -1, funcs.CastExplicit), "5"},
		{cast(text("abc"), types.Varchar, -1, funcs.CastImplicit), `"abc"`},
		{cast(text("abcdef"), types.Varchar, 4+3, funcs.CastExplicit), `"abc"`},
		{&algebra.Cast{T: algebra.T{Typ: types.Varchar, M: 4 + 2}, Arg: cast(text("abc"), types.Varchar, -1, funcs.CastImplicit), Explicit: true}, `"ab"`},
		{cast(nullOf(types.Text), types.Varchar, 4+3, funcs.CastExplicit), "NULL"},
		{record, "(1|NULL)"},
		{&algebra.FieldOf{T: T(types.Int8), Arg: record, Field: 0}, "1"},
		{&algebra.FieldOf{T: T(types.Text), Arg: record, Field: 1}, "NULL"},
		{&algebra.IsNull{Arg: record}, "0"},
		{&algebra.IsNull{Arg: record, Not: true}, "0"},
		{&algebra.IsNull{Arg: empty}, "1"},
	} {
		d, err := Evaluate(&Ctx{Ctx: funcs.Ctx{Env: types.DefaultEnv}}, c.s)
		if err != nil || printRow(row{d}) != c.want {
			t.Errorf("%T: %s, %v; want %s", c.s, printRow(row{d}), err, c.want)
		}
	}
}

// TestKindsOfValues takes values of every representation through rows in a table, hashing, sorting and files.
func TestKindsOfValues(t *testing.T) {
	s := newStore(t)
	ts := []*types.Type{types.Int4, types.Text, types.Float8, types.Numeric, types.IntervalType, types.TextArray, types.UUID, types.Bool}
	var rows []row
	for i := range 400 {
		n := int64(i % 50)
		numeric := must(types.ParseText(types.Numeric, -1, fmt.Sprintf("%d.%d", n, n%3), types.DefaultEnv))
		r := row{types.NewInt(n), types.NewString(fmt.Sprint("text", n)), types.NewFloat(float64(n) / 4), numeric,
			types.NewAny(types.Interval{Days: int32(n), Micros: n}), types.NewAny(types.NewSlice(types.Text, []types.Datum{types.NewString(fmt.Sprint(n)), types.Null})),
			types.NewString(fmt.Sprintf("%016d", n)), types.NewBool(n%2 == 0)}
		if i%7 == 0 {
			r[i%8] = types.Null
		}
		rows = append(rows, r)
	}
	table := s.table(ts)
	s.insert(table, rows)
	scan := s.scan(table)
	wantRows(t, "scan", collect(t, s.ctx(), scan), rows)
	var distinct []row
	seen := map[string]bool{}
	for _, r := range rows {
		if k := printRow(r); !seen[k] {
			seen[k] = true
			distinct = append(distinct, r)
		}
	}
	for _, workMem := range []int64{0, 10000} {
		ctx := s.ctx()
		ctx.WorkMem = workMem
		wantBag(t, "distinct", collect(t, ctx, &Distinct{Props: scan.Props, Input: scan}), distinct)
		for c := range ts {
			sorted := slices.Clone(rows)
			slices.SortStableFunc(sorted, func(a, b row) int {
				if a[c].IsNull() || b[c].IsNull() {
					return int(boolInt(a[c].IsNull()) - boolInt(b[c].IsNull()))
				}
				return types.Compare(ts[c], a[c], b[c])
			})
			wantRows(t, "sorted by "+ts[c].Name, collect(t, ctx, &Sort{Props: scan.Props, Input: scan, Keys: []algebra.SortKey{{ID: scan.Cols[c]}}}), sorted)
		}
		other := s.scan(table)
		join := &HashJoin{Props: joined(algebra.InnerJoin, scan, other), Left: scan, Right: other}
		for c := range ts {
			join.LeftKeys = append(join.LeftKeys, col(scan, c))
			join.RightKeys = append(join.RightKeys, col(other, c))
		}
		var want []row
		for _, l := range rows {
			for _, r := range rows {
				if k := printRow(l); k == printRow(r) && !slices.ContainsFunc(l, types.Datum.IsNull) {
					want = append(want, slices.Concat(l, r))
				}
			}
		}
		wantBag(t, "join", collect(t, ctx, join), want)
	}
}
