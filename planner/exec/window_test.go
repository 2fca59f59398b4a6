package exec

import (
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"holdfast/sql/algebra"
	"holdfast/sql/errs"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// inFrame says by definition whether row j of a partition, sorted by its second column, is in the frame of row i.
func inFrame(f *algebra.Frame, part []row, i, j int, start, end int64, desc bool) bool {
	key := func(k int) types.Datum { return part[k][1] }
	peers := func(a, b int) bool { return printRow(row{key(a)}) == printRow(row{key(b)}) }
	group := func(k int) (n int64) {
		for m := 1; m <= k; m++ {
			if !peers(m, m-1) {
				n++
			}
		}
		return n
	}
	// distance is how far j is behind i, in the frame's unit; offsets do not reach from values to NULLs or back.
	within := func(kind string, offset int64, isStart bool) bool {
		switch kind {
		case "unbounded preceding", "unbounded following":
			return true
		}
		if kind == "current row" {
			offset = 0
		} else if kind == "preceding" {
			offset = -offset
		}
		var d int64
		switch {
		case f.Mode == "rows":
			d = int64(j - i)
		case f.Mode == "groups" || kind == "current row":
			d = group(j) - group(i)
		case key(i).IsNull() && key(j).IsNull():
			return true
		case key(i).IsNull() || key(j).IsNull():
			return (j > i) == isStart // NULLs sort together at one end
		default:
			d = key(j).Int() - key(i).Int()
			if desc {
				d = -d
			}
		}
		if isStart {
			return d >= offset
		}
		return d <= offset
	}
	if !within(f.Start, start, true) || !within(f.End, end, false) {
		return false
	}
	switch f.Exclude {
	case "current row":
		return i != j
	case "group":
		return !peers(i, j)
	case "ties":
		return i == j || !peers(i, j)
	}
	return true
}

func windowFunc(name string) *funcs.Func {
	for _, f := range funcs.Lookup(name) {
		if f.Kind == 'w' {
			return f
		}
	}
	panic(name)
}

// TestWindowFrames compares aggregates and frame functions over random frames with the definition of the frame.
func TestWindowFrames(t *testing.T) {
	s := newStore(t)
	for round := range 400 {
		rng := rand.New(rand.NewSource(int64(round)))
		rows := randomInts(rng, rng.Intn(50), 3, []int{3, 12}[rng.Intn(2)])
		by := sortBy{1, rng.Intn(2) == 0, rng.Intn(2) == 0}
		rows = sortRows(rows, sortBy{0, false, false}, by)
		in := s.values(repeat(types.Int8, 3), rows)
		f := algebra.Frame{Mode: []string{"rows", "groups", "range"}[rng.Intn(3)], Exclude: []string{"", "", "current row", "group", "ties"}[rng.Intn(5)]}
		starts := []string{"unbounded preceding", "preceding", "current row", "following"}
		f.Start = starts[rng.Intn(4)]
		f.End = []string{"preceding", "current row", "following", "unbounded following"}[rng.Intn(4)]
		start, end := int64(rng.Intn(4)), int64(rng.Intn(4))
		if strings.HasSuffix(f.Start, "ing") && !strings.HasPrefix(f.Start, "unb") {
			f.StartOffset = integer(start)
		}
		if strings.HasSuffix(f.End, "ing") && !strings.HasPrefix(f.End, "unb") {
			f.EndOffset = integer(end)
		}
		filter := op("<>", col(in, 2), integer(1))
		text, number := algebra.T{Typ: types.Text, M: -1}, algebra.T{Typ: types.Int8, M: -1}
		args := []algebra.Scalar{col(in, 2)}
		list := []algebra.WindowFunc{
			{Func: listFunc, Args: args, Frame: f, T: text},
			{Func: listFunc, Args: args, Frame: f, T: text, Filter: filter},
			{Func: windowFunc("first_value"), Args: args, Frame: f, T: number},
			{Func: windowFunc("last_value"), Args: args, Frame: f, T: number},
			{Func: windowFunc("nth_value"), Args: []algebra.Scalar{col(in, 2), integer(2)}, Frame: f, T: number},
		}
		for _, name := range []string{"count", "sum", "avg"} {
			m := must(funcs.ResolveFunc(name, []funcs.Arg{{Type: types.Int8}}, funcs.ResolveOptions{}))
			list = append(list, algebra.WindowFunc{Func: m.Func, Args: args, Frame: f, Filter: filter, T: algebra.T{Typ: m.Result, M: -1}})
		}
		ids := s.ids(len(list))
		p := joined(algebra.InnerJoin, in, s.values(nil, nil))
		for i := range list {
			list[i].ID = ids[i]
			p.Cols, p.Types = append(p.Cols, ids[i]), append(p.Types, list[i].Typ)
		}
		w := &Window{Props: p, Input: in, Partition: in.Cols[:1], Funcs: list,
			OrderBy: []algebra.SortKey{{ID: in.Cols[1], Desc: by.desc, NullsFirst: by.nullsFirst}}}
		var want []row
		for from := 0; from < len(rows); {
			to := from
			for to < len(rows) && printRow(rows[to][:1]) == printRow(rows[from][:1]) {
				to++
			}
			part := rows[from:to]
			from = to
			for i, r := range part {
				var all, some []string
				var frame []types.Datum
				var sum, count int64
				for j, x := range part {
					if inFrame(&f, part, i, j, start, end, by.desc) {
						frame = append(frame, x[2])
						all = append(all, printRow(x[2:]))
						if !x[2].IsNull() && x[2].Int() != 1 {
							some = append(some, printRow(x[2:]))
							sum, count = sum+x[2].Int(), count+1
						}
					}
				}
				first, last, second := types.Null, types.Null, types.Null
				if n := len(frame); n > 0 {
					first, last = frame[0], frame[n-1]
				}
				if len(frame) > 1 {
					second = frame[1]
				}
				want = append(want, append(slices.Clone(r), types.NewString(strings.Join(all, ",")), types.NewString(strings.Join(some, ",")), first, last, second, types.NewInt(count)))
				if total := (row{types.Null, types.Null}); count == 0 {
					want[len(want)-1] = append(want[len(want)-1], total...)
				} else {
					mean := must(types.NumericDiv(types.NumericFromInt(sum), types.NumericFromInt(count)))
					want[len(want)-1] = append(want[len(want)-1], types.NewDecimal(types.NumericFromInt(sum)), types.NewDecimal(mean))
				}
			}
		}
		f.StartOffset, f.EndOffset = nil, nil
		wantRows(t, fmt.Sprintf("round %d: %+v %d %d %+v", round, f, start, end, by), collect(t, s.ctx(), w), want)
	}
}

// TestWindowFunctions checks the functions that need no frame.
func TestWindowFunctions(t *testing.T) {
	s := newStore(t)
	n := types.NewInt
	var rows []row
	for _, r := range [][2]int64{{1, 10}, {1, 10}, {1, 20}, {1, 30}, {1, 30}, {2, 5}} {
		rows = append(rows, row{n(r[0]), n(r[1])})
	}
	in := s.values(repeat(types.Int8, 2), rows)
	number := algebra.T{Typ: types.Int8, M: -1}
	call := func(name string, typ *types.Type, args ...algebra.Scalar) algebra.WindowFunc {
		return algebra.WindowFunc{Func: windowFunc(name), T: algebra.T{Typ: typ, M: -1}, Args: args, Frame: algebra.Frame{Mode: "range", Start: "unbounded preceding", End: "current row"}}
	}
	_ = number
	for _, c := range []struct {
		f    algebra.WindowFunc
		want string
	}{
		{call("row_number", types.Int8), "[1 2 3 4 5 1]"},
		{call("rank", types.Int8), "[1 1 3 4 4 1]"},
		{call("dense_rank", types.Int8), "[1 1 2 3 3 1]"},
		{call("percent_rank", types.Float8), "[0 0 0.5 0.75 0.75 0]"},
		{call("cume_dist", types.Float8), "[0.4 0.4 0.6 1 1 1]"},
		{call("ntile", types.Int4, integer(2)), "[1 1 1 2 2 1]"},
		{call("ntile", types.Int4, integer(4)), "[1 1 2 3 4 1]"},
		{call("ntile", types.Int4, integer(9)), "[1 2 3 4 5 1]"},
		{call("lag", types.Int8, col(in, 1)), "[NULL 10 10 20 30 NULL]"},
		{call("lead", types.Int8, col(in, 1), integer(2)), "[20 30 30 NULL NULL NULL]"},
		{call("lead", types.Int8, col(in, 1), integer(-1), integer(7)), "[7 10 10 20 30 7]"},
		{call("lag", types.Int8, col(in, 1), nullOf(types.Int4)), "[NULL NULL NULL NULL NULL NULL]"},
	} {
		c.f.ID = s.ids(1)[0]
		w := &Window{Props: Props{Cols: append(slices.Clone(in.Cols), c.f.ID), Types: append(repeat(types.Int8, 2), c.f.Typ)}, Input: in,
			Partition: in.Cols[:1], OrderBy: []algebra.SortKey{{ID: in.Cols[1]}}, Funcs: []algebra.WindowFunc{c.f}}
		var got []row
		for _, r := range collect(t, s.ctx(), w) {
			got = append(got, r[2:])
		}
		if g := fmt.Sprint(printRows(got)); g != c.want {
			t.Errorf("%s(%d arguments): %s, want %s", c.f.Func.Name, len(c.f.Args), g, c.want)
		}
	}
	for code, f := range map[errs.Code]algebra.WindowFunc{
		errs.InvalidArgumentForNtile:    call("ntile", types.Int4, integer(0)),
		errs.InvalidArgumentForNthValue: call("nth_value", types.Int8, col(in, 1), integer(0)),
	} {
		f.ID = s.ids(1)[0]
		w := &Window{Props: Props{Cols: append(slices.Clone(in.Cols), f.ID), Types: append(repeat(types.Int8, 2), f.Typ)}, Input: in, Funcs: []algebra.WindowFunc{f}}
		if _, err := tryCollect(t, s.ctx(), w); errs.CodeOf(err) != code {
			t.Errorf("%s: %v", f.Func.Name, err)
		}
	}
}
