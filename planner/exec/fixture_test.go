package exec

import (
	"context"
	"fmt"
	"math/rand"
	"slices"
	"sort"
	"strings"
	"testing"

	"holdfast/kv"
	"holdfast/kv/memkv"
	"holdfast/planner/exec/rowio"
	"holdfast/sql/accumulator"
	"holdfast/sql/algebra"
	"holdfast/sql/catalog"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// The tests compare operators with plain loops over rows of datums.

type row = []types.Datum

// store is a kv store with tables, and a transaction over it.
type store struct {
	t     testing.TB
	kv    kv.Store
	next  catalog.StorageID
	colID algebra.ColID
}

func newStore(t testing.TB) *store {
	s := &store{t: t, kv: memkv.New(memkv.Options{Merge: accumulator.Merge}), next: 100}
	t.Cleanup(func() { s.kv.Close() })
	return s
}

func must[T any](x T, err error) T {
	if err != nil {
		panic(err)
	}
	return x
}

// table makes a table with columns c1, c2, .. of the types given; key are the columns of the primary key.
func (s *store) table(ts []*types.Type, key ...int16) *catalog.Table {
	s.next++
	t := &catalog.Table{OID: catalog.OID(s.next) + 20000, Name: fmt.Sprint("t", s.next), Kind: catalog.KindTable, Storage: s.next}
	for i, ty := range ts {
		t.Columns = append(t.Columns, &catalog.Column{Number: int16(i + 1), Name: fmt.Sprint("c", i+1), Type: ty, Mod: types.NoTypmod})
	}
	if len(key) > 0 {
		x := s.index(t, true, key...)
		x.Primary = true
	}
	return t
}

// index adds an index over columns to a table that has no rows yet. A negative number is a descending column.
func (s *store) index(t *catalog.Table, unique bool, key ...int16) *catalog.Index {
	s.next++
	x := &catalog.Index{OID: catalog.OID(s.next) + 20000, Name: fmt.Sprint("x", s.next), Table: t.OID, Storage: s.next, Unique: unique}
	for _, k := range key {
		x.Keys = append(x.Keys, catalog.IndexKey{Column: max(k, -k), Desc: k < 0, NullsFirst: k < 0})
	}
	t.Indexes = append(t.Indexes, x)
	return x
}

// insert writes rows.
func (s *store) insert(t *catalog.Table, rows []row) {
	ctx := context.Background()
	txn := must(s.kv.Begin(ctx, kv.TxnOptions{}))
	codec := rowio.NewTableCodec(t)
	for n, r := range rows {
		var key []byte
		if codec.KeyColumns() != nil {
			key = codec.AppendRowKey(nil, r)
		} else {
			key = rowio.AppendRowNumber(nil, uint64(n+1))
		}
		if err := txn.Set(codec.AppendKey(nil, string(key)), codec.AppendValue(nil, r), kv.AllColumns); err != nil {
			s.t.Fatal(err)
		}
		for _, x := range codec.Indexes() {
			keys := x.KeyValues(nil, r, nil)
			if err := txn.Set(x.AppendKey(nil, keys, string(key)), x.AppendValue(nil, keys, r, string(key)), kv.AllColumns); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	must(txn.Commit(ctx))
}

// ctx begins a transaction to run plans in.
func (s *store) ctx(params ...types.Datum) *Ctx {
	bg := context.Background()
	txn := must(s.kv.Begin(bg, kv.TxnOptions{}))
	s.t.Cleanup(txn.Rollback)
	c := &Ctx{Reader: txn.View(), Txn: txn, Params: params}
	c.Ctx = funcs.Ctx{Context: bg, Env: types.DefaultEnv}
	return c
}

// ids makes new columns.
func (s *store) ids(n int) []algebra.ColID {
	list := make([]algebra.ColID, n)
	for i := range list {
		s.colID++
		list[i] = s.colID
	}
	return list
}

// values makes a plan that returns rows.
func (s *store) values(ts []*types.Type, rows []row) *Values {
	v := &Values{Props: Props{Cols: s.ids(len(ts)), Types: ts}}
	for _, r := range rows {
		var list []algebra.Scalar
		for i, d := range r {
			list = append(list, &algebra.Const{T: algebra.T{Typ: ts[i], M: -1}, Value: d})
		}
		v.Values = append(v.Values, list)
	}
	return v
}

// access reads all columns of a table.
func (s *store) access(t *catalog.Table) (Props, Access) {
	p, a := Props{}, Access{Table: t}
	for i, id := range s.ids(len(t.Columns)) {
		p.Cols = append(p.Cols, id)
		p.Types = append(p.Types, t.Columns[i].Type)
		a.Columns = append(a.Columns, algebra.ScanColumn{ID: id, Number: int16(i + 1)})
	}
	return p, a
}

func (s *store) scan(t *catalog.Table) *TableScan {
	p, a := s.access(t)
	return &TableScan{Props: p, Access: a}
}

// col is column i of a node.
func col(n Node, i int) *algebra.Col {
	p := n.Properties()
	return &algebra.Col{T: algebra.T{Typ: p.Types[i], M: -1}, ID: p.Cols[i]}
}

func integer(v int64) *algebra.Const {
	return &algebra.Const{T: algebra.T{Typ: types.Int8, M: -1}, Value: types.NewInt(v)}
}

func nullOf(t *types.Type) *algebra.Const {
	return &algebra.Const{T: algebra.T{Typ: t, M: -1}}
}

func param(n int, t *types.Type) *algebra.Param {
	return &algebra.Param{T: algebra.T{Typ: t, M: -1}, Number: n}
}

// op applies an operator.
func op(name string, l, r algebra.Scalar) *algebra.Call {
	m := must(funcs.ResolveOperator(name, l.Type(), r.Type()))
	return &algebra.Call{T: algebra.T{Typ: m.Result, M: -1}, Func: m.Operator.Func, Args: []algebra.Scalar{l, r}, Op: name, VariadicAt: -1, Pos: -1}
}

func props(ids []algebra.ColID, ts []*types.Type) Props { return Props{Cols: ids, Types: ts} }

// joined are the properties of a join.
func joined(kind algebra.JoinKind, l, r Node) Props {
	p := *l.Properties()
	if kind < algebra.SemiJoin {
		q := r.Properties()
		p.Cols = append(append([]algebra.ColID{}, p.Cols...), q.Cols...)
		p.Types = append(append([]*types.Type{}, p.Types...), q.Types...)
	}
	return p
}

// collect runs a plan three times: in whole batches, row by row, and in pieces of random sizes, and checks that the rows are
// the same and each batch keeps its promises. It returns the rows.
func collect(t testing.TB, ctx *Ctx, root Node, ctes ...*CTE) []row {
	t.Helper()
	rows, err := tryCollect(t, ctx, root, ctes...)
	if err != nil {
		t.Fatalf("%T: %v", root, err)
	}
	return rows
}

func tryCollect(t testing.TB, ctx *Ctx, root Node, ctes ...*CTE) ([]row, error) {
	t.Helper()
	plan := NewPlan(root, ctes)
	rng := rand.New(rand.NewSource(1))
	var first []row
	for run, size := range []func() int{
		func() int { return types.BatchRows },
		func() int { return 1 },
		func() int { return 1 + rng.Intn(7) },
	} {
		rows, err := drain(t, plan, ctx, size)
		if err != nil {
			return nil, err
		}
		if run == 0 {
			first = rows
		} else if a, b := printRows(first), printRows(rows); !slices.Equal(a, b) && !sameBag(a, b) {
			t.Fatalf("run %d of %T differs:\n%v\n%v", run, root, a, b)
		}
	}
	return first, nil
}

func drain(t testing.TB, plan *Plan, ctx *Ctx, size func() int) ([]row, error) {
	t.Helper()
	r, err := plan.Start(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	rows := []row{}
	for {
		max := size()
		b, err := r.Next(max)
		if err != nil {
			return nil, err
		}
		if b == nil {
			return rows, nil
		}
		if b.N < 1 || b.N > max || b.Sel != nil && len(b.Sel) != b.N {
			t.Fatalf("%T returned %d rows (%d selected) of %d", plan.Root, b.N, len(b.Sel), max)
		}
		ts := plan.Root.Properties().Types
		if len(b.Cols) != len(ts) {
			t.Fatalf("%T returned %d columns of %d", plan.Root, len(b.Cols), len(ts))
		}
		for k := range b.N {
			i := position(b.Rows, k)
			r := row{}
			for c, v := range b.Cols {
				if v.Const {
					t.Fatalf("%T returned a Const column", plan.Root)
				}
				if v.Type.Rep != ts[c].Rep {
					t.Fatalf("%T returned column %d of type %s, not %s", plan.Root, c, v.Type, ts[c])
				}
				r = append(r, v.Datum(i))
			}
			rows = append(rows, r)
		}
	}
}

func printRow(r row) string {
	var b strings.Builder
	for i, d := range r {
		if i > 0 {
			b.WriteByte('|')
		}
		switch d.Rep() {
		case types.RepNull:
			b.WriteString("NULL")
		case types.RepInt:
			fmt.Fprint(&b, d.Int())
		case types.RepFloat:
			fmt.Fprint(&b, d.Float())
		case types.RepString:
			fmt.Fprintf(&b, "%q", d.Str())
		case types.RepDecimal:
			b.WriteString(d.Decimal().String())
		default:
			switch x := d.Any().(type) {
			case *types.Array:
				fmt.Fprintf(&b, "%v{%s}", x.Dims, printRow(x.Elems))
			case *types.Record:
				fmt.Fprintf(&b, "(%s)", printRow(x.Values))
			default:
				fmt.Fprintf(&b, "%v", x)
			}
		}
	}
	return b.String()
}

func printRows(rows []row) []string {
	list := make([]string, len(rows))
	for i, r := range rows {
		list[i] = printRow(r)
	}
	return list
}

func sameBag(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	sort.Strings(a)
	sort.Strings(b)
	return slices.Equal(a, b)
}

// wantBag fails unless the rows are the same in any order, wantRows unless they are in the same order.
func wantBag(t testing.TB, what string, got, want []row) {
	t.Helper()
	if a, b := printRows(got), printRows(want); !sameBag(a, b) {
		sort.Strings(a)
		sort.Strings(b)
		t.Fatalf("%s:\ngot  %v\nwant %v", what, a, b)
	}
}

func wantRows(t testing.TB, what string, got, want []row) {
	t.Helper()
	if a, b := printRows(got), printRows(want); !slices.Equal(a, b) {
		t.Fatalf("%s:\ngot  %v\nwant %v", what, a, b)
	}
}

// randomInts makes rows of small integers and NULLs.
func randomInts(rng *rand.Rand, n, width, below int) []row {
	rows := make([]row, n)
	for i := range rows {
		for range width {
			d := types.NewInt(int64(rng.Intn(below)))
			if rng.Intn(6) == 0 {
				d = types.Null
			}
			rows[i] = append(rows[i], d)
		}
	}
	return rows
}

func repeat(t *types.Type, n int) []*types.Type { return slices.Repeat([]*types.Type{t}, n) }
