package exec

import (
	"testing"

	"holdfast/kv/pebblekv"
	"holdfast/sql/accumulator"
	"holdfast/sql/algebra"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// benchStore is a store on disk with a table of n rows: id, id mod 1000, a text.
func benchStore(b *testing.B, n int) (*store, *TableScan) {
	s := &store{t: b, next: 100}
	s.kv = must(pebblekv.Open(pebblekv.Options{Folder: b.TempDir(), Merge: accumulator.Merge}))
	b.Cleanup(func() { s.kv.Close() })
	table := s.table([]*types.Type{types.Int8, types.Int4, types.Text}, 1)
	for from := 0; from < n; from += 50000 {
		var rows []row
		for i := from; i < min(n, from+50000); i++ {
			rows = append(rows, row{types.NewInt(int64(i)), types.NewInt(int64(i % 1000)), types.NewString("some text of a row")})
		}
		s.insert(table, rows)
	}
	return s, s.scan(table)
}

func aggregate(b *testing.B, name string, arg algebra.Scalar) algebra.Agg {
	m := must(funcs.ResolveFunc(name, []funcs.Arg{{Type: arg.Type()}}, funcs.ResolveOptions{}))
	return algebra.Agg{ID: 1000, Func: m.Func, Args: []algebra.Scalar{arg}, T: algebra.T{Typ: m.Result, M: -1}}
}

func runBench(b *testing.B, ctx *Ctx, plan *Plan) (n int) {
	r, err := plan.Start(ctx)
	if err != nil {
		b.Fatal(err)
	}
	for {
		batch, err := r.Next(types.BatchRows)
		if err != nil {
			b.Fatal(err)
		}
		if batch == nil {
			break
		}
		n += batch.N
	}
	if err := r.Close(); err != nil {
		b.Fatal(err)
	}
	return n
}

const benchRows = 200000

func perRow(b *testing.B) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchRows, "ns/row")
}

func BenchmarkScanSum(b *testing.B) {
	s, scan := benchStore(b, benchRows)
	sum := aggregate(b, "sum", col(scan, 1))
	scan.Cols, scan.Types, scan.Columns = scan.Cols[1:2], scan.Types[1:2], scan.Columns[1:2]
	plan := NewPlan(&OrderedAggregate{Props: props([]algebra.ColID{1000}, []*types.Type{sum.Typ}), Input: scan, Aggs: []algebra.Agg{sum}}, nil)
	ctx := s.ctx()
	b.ReportAllocs()
	for b.Loop() {
		runBench(b, ctx, plan)
	}
	perRow(b)
}

func BenchmarkGroupBy(b *testing.B) {
	s, scan := benchStore(b, benchRows)
	sum := aggregate(b, "sum", col(scan, 0))
	plan := NewPlan(&HashAggregate{Props: props([]algebra.ColID{scan.Cols[1], 1000}, []*types.Type{types.Int4, sum.Typ}), Input: scan, Keys: scan.Cols[1:2], Aggs: []algebra.Agg{sum}}, nil)
	ctx := s.ctx()
	b.ReportAllocs()
	for b.Loop() {
		runBench(b, ctx, plan)
	}
	perRow(b)
}

func BenchmarkHashJoin(b *testing.B) {
	s, scan := benchStore(b, benchRows)
	var rows []row
	for i := range 1000 {
		rows = append(rows, row{types.NewInt(int64(i)), types.NewInt(int64(i))})
	}
	small := s.values(repeat(types.Int4, 2), rows)
	join := &HashJoin{Props: joined(algebra.InnerJoin, scan, small), Left: scan, Right: small, LeftKeys: []algebra.Scalar{col(scan, 1)}, RightKeys: []algebra.Scalar{col(small, 0)}}
	plan := NewPlan(join, nil)
	ctx := s.ctx()
	b.ReportAllocs()
	for b.Loop() {
		if n := runBench(b, ctx, plan); n != benchRows {
			b.Fatal(n)
		}
	}
	perRow(b)
}

func BenchmarkSort(b *testing.B) {
	s, scan := benchStore(b, benchRows)
	plan := NewPlan(&Sort{Props: scan.Props, Input: scan, Keys: []algebra.SortKey{{ID: scan.Cols[1]}, {ID: scan.Cols[0], Desc: true}}}, nil)
	ctx := s.ctx()
	b.ReportAllocs()
	for b.Loop() {
		runBench(b, ctx, plan)
	}
	perRow(b)
}

func BenchmarkPointLookup(b *testing.B) {
	s, scan := benchStore(b, benchRows)
	plan := NewPlan(&KeyLookup{Props: scan.Props, Access: scan.Access, Key: []algebra.Scalar{param(1, types.Int8)}}, nil)
	ctx := s.ctx(types.NewInt(0))
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		i = (i + 7919) % benchRows
		ctx.Params[0] = types.NewInt(int64(i))
		if runBench(b, ctx, plan) != 1 {
			b.Fatal(i)
		}
	}
}
