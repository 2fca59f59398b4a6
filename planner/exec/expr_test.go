package exec

import (
	"errors"
	"fmt"
	"math/rand"
	"testing"

	"holdfast/sql/algebra"
	"holdfast/sql/errs"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// interpret evaluates an expression for one row, the obvious way.
func interpret(s algebra.Scalar, l *Layout, r row, params []types.Datum) (types.Datum, error) {
	sub := func(s algebra.Scalar) (types.Datum, error) { return interpret(s, l, r, params) }
	call := func(fn *funcs.Func, args ...types.Datum) (types.Datum, error) {
		vecs := make([]*types.Vec, len(args))
		for i, d := range args {
			if d.IsNull() {
				return types.Null, nil
			}
			vecs[i] = types.NewVec(fn.Args[i], 1)
			vecs[i].Set(0, d)
		}
		out := types.NewVec(fn.Result, 1)
		err := fn.Kernel(&funcs.Ctx{Env: types.DefaultEnv}, vecs, types.Rows{N: 1}, out)
		return out.Datum(0), err
	}
	junction := func(args []algebra.Scalar, decider bool) (types.Datum, error) {
		null := false
		for _, a := range args {
			d, err := sub(a)
			if err != nil {
				return d, err
			}
			if d.IsNull() {
				null = true
			} else if d.Bool() == decider {
				return d, nil
			}
		}
		if null {
			return types.Null, nil
		}
		return types.NewBool(!decider), nil
	}
	anyAll := func(left types.Datum, n int, elem func(int) (types.Datum, error), fn *funcs.Func, all bool) (types.Datum, error) {
		null := false
		for i := range n {
			e, err := elem(i)
			if err != nil {
				return e, err
			}
			d, err := call(fn, left, e)
			if err != nil {
				return d, err
			}
			if d.IsNull() {
				null = true
			} else if d.Bool() != all {
				return d, nil
			}
		}
		if null {
			return types.Null, nil
		}
		return types.NewBool(all), nil
	}
	switch s := s.(type) {
	case *algebra.Const:
		return s.Value, nil
	case *algebra.Param:
		return params[s.Number-1], nil
	case *algebra.Col:
		p, _ := l.Position(s.ID)
		return r[p], nil
	case *algebra.Call:
		var args []types.Datum
		for _, a := range s.Args {
			d, err := sub(a)
			if err != nil {
				return d, err
			}
			args = append(args, d)
		}
		return call(s.Func, args...)
	case *algebra.And:
		return junction(s.Args, false)
	case *algebra.Or:
		return junction(s.Args, true)
	case *algebra.Not:
		d, err := sub(s.Arg)
		if !d.IsNull() {
			d = types.NewBool(!d.Bool())
		}
		return d, err
	case *algebra.IsNull:
		d, err := sub(s.Arg)
		return types.NewBool(d.IsNull() != s.Not), err
	case *algebra.BoolTest:
		d, err := sub(s.Arg)
		is := d.IsNull()
		if !s.Unknown {
			is = !d.IsNull() && d.Bool() == s.Want
		}
		return types.NewBool(is != s.Not), err
	case *algebra.Distinct:
		a, err := sub(s.Left)
		if err != nil {
			return a, err
		}
		b, err := sub(s.Right)
		if err != nil {
			return b, err
		}
		if a.IsNull() || b.IsNull() {
			return types.NewBool(a.IsNull() != b.IsNull() != s.Not), nil
		}
		d, err := call(s.Eq, a, b)
		return types.NewBool(!d.Bool() != s.Not), err
	case *algebra.Case:
		for _, w := range s.Whens {
			d, err := sub(w.Cond)
			if err != nil {
				return d, err
			}
			if !d.IsNull() && d.Bool() {
				return sub(w.Result)
			}
		}
		return sub(s.Else)
	case *algebra.Coalesce:
		for _, a := range s.Args {
			if d, err := sub(a); err != nil || !d.IsNull() {
				return d, err
			}
		}
		return types.Null, nil
	case *algebra.MinMax:
		best := types.Null
		for _, a := range s.Args {
			d, err := sub(a)
			if err != nil {
				return d, err
			}
			if !d.IsNull() && (best.IsNull() || types.Compare(s.Typ, d, best) < 0 == s.Least && types.Compare(s.Typ, d, best) != 0) {
				best = d
			}
		}
		return best, nil
	case *algebra.NullIf:
		a, err := sub(s.Left)
		if err != nil {
			return a, err
		}
		b, err := sub(s.Right)
		if err != nil {
			return b, err
		}
		if d, err := call(s.Eq, a, b); err != nil || !d.IsNull() && d.Bool() {
			return types.Null, err
		}
		return a, nil
	case *algebra.AnyAll:
		left, err := sub(s.Left)
		if err != nil {
			return left, err
		}
		if list, ok := s.Array.(*algebra.ArrayCtor); ok {
			return anyAll(left, len(list.Elems), func(i int) (types.Datum, error) { return sub(list.Elems[i]) }, s.Func, s.All)
		}
		a, err := sub(s.Array)
		if err != nil || a.IsNull() {
			return types.Null, err
		}
		elems := a.Any().(*types.Array).Elems
		return anyAll(left, len(elems), func(i int) (types.Datum, error) { return elems[i], nil }, s.Func, s.All)
	}
	panic(fmt.Sprintf("%T", s))
}

// randomScalar makes an expression over integer columns.
type randomScalar struct {
	rng  *rand.Rand
	cols []algebra.Scalar
}

func (g *randomScalar) integer(depth int) algebra.Scalar {
	t := algebra.T{Typ: types.Int8, M: -1}
	if depth == 0 {
		switch g.rng.Intn(5) {
		case 0:
			if g.rng.Intn(4) == 0 {
				return nullOf(types.Int8)
			}
			return integer(int64(g.rng.Intn(4)))
		case 1:
			return param(1+g.rng.Intn(2), types.Int8)
		}
		return g.cols[g.rng.Intn(len(g.cols))]
	}
	depth--
	switch g.rng.Intn(9) {
	case 0, 1:
		return op([]string{"+", "-", "*"}[g.rng.Intn(3)], g.integer(depth), g.integer(depth))
	case 2:
		return op("/", g.integer(depth), g.integer(depth))
	case 3:
		c := &algebra.Case{T: t, Else: g.integer(depth)}
		for range 1 + g.rng.Intn(3) {
			c.Whens = append(c.Whens, algebra.When{Cond: g.bool(depth), Result: g.integer(depth)})
		}
		return c
	case 4:
		return &algebra.Coalesce{T: t, Args: g.integers(depth)}
	case 5:
		return &algebra.MinMax{T: t, Least: g.rng.Intn(2) == 0, Args: g.integers(depth)}
	case 6:
		a, b := g.integer(depth), g.integer(depth)
		return &algebra.NullIf{T: t, Left: a, Right: b, Eq: op("=", a, b).Func}
	}
	return g.integer(0)
}

func (g *randomScalar) integers(depth int) (list []algebra.Scalar) {
	for range 1 + g.rng.Intn(4) {
		list = append(list, g.integer(depth))
	}
	return list
}

func (g *randomScalar) bool(depth int) algebra.Scalar {
	if depth == 0 {
		return op([]string{"=", "<", "<>", ">="}[g.rng.Intn(4)], g.integer(0), g.integer(0))
	}
	depth--
	bools := func() (list []algebra.Scalar) {
		for range 1 + g.rng.Intn(3) {
			list = append(list, g.bool(depth))
		}
		return list
	}
	switch g.rng.Intn(10) {
	case 0, 1:
		return &algebra.And{Args: bools()}
	case 2, 3:
		return &algebra.Or{Args: bools()}
	case 4:
		return &algebra.Not{Arg: g.bool(depth)}
	case 5:
		return &algebra.IsNull{Arg: g.integer(depth), Not: g.rng.Intn(2) == 0}
	case 6:
		return &algebra.BoolTest{Arg: g.bool(depth), Want: g.rng.Intn(2) == 0, Unknown: g.rng.Intn(3) == 0, Not: g.rng.Intn(2) == 0}
	case 7:
		a, b := g.integer(depth), g.integer(depth)
		return &algebra.Distinct{Left: a, Right: b, Eq: op("=", a, b).Func, Not: g.rng.Intn(2) == 0}
	case 8:
		name := []string{"=", "<>", "<"}[g.rng.Intn(3)]
		left := g.integer(depth)
		x := &algebra.AnyAll{Left: left, Op: name, All: g.rng.Intn(2) == 0, Func: op(name, left, left).Func}
		switch g.rng.Intn(3) {
		case 0:
			x.Array = &algebra.ArrayCtor{T: algebra.T{Typ: types.Int8Array, M: -1}, Elems: g.integers(depth)}
		case 1:
			list := &algebra.ArrayCtor{T: algebra.T{Typ: types.Int8Array, M: -1}}
			for range 1 + g.rng.Intn(6) {
				list.Elems = append(list.Elems, integer(int64(g.rng.Intn(5))))
			}
			if g.rng.Intn(3) == 0 {
				list.Elems = append(list.Elems, nullOf(types.Int8))
			}
			x.Array = list
		default:
			x.Array = param(3, types.Int8Array)
		}
		return x
	}
	return g.bool(0)
}

// TestExpressions compares compiled expressions with the interpreter: values, NULLs, and whether there is an error. Both leave out branches
// that a row does not reach, so that an error shows whether one was evaluated.
func TestExpressions(t *testing.T) {
	ids := []algebra.ColID{1, 2, 3}
	l := NewLayout(ids, repeat(types.Int8, 3))
	failures := 0
	for round := range 6000 {
		rng := rand.New(rand.NewSource(int64(round)))
		g := &randomScalar{rng: rng}
		for _, id := range ids {
			g.cols = append(g.cols, &algebra.Col{T: algebra.T{Typ: types.Int8, M: -1}, ID: id})
		}
		var s algebra.Scalar
		if round%2 == 0 {
			s = g.bool(1 + rng.Intn(4))
		} else {
			s = g.integer(1 + rng.Intn(4))
		}
		elems := []types.Datum{}
		for range rng.Intn(8) {
			elems = append(elems, randomInts(rng, 1, 1, 5)[0][0])
		}
		params := append(randomInts(rng, 1, 2, 4)[0], types.NewAny(types.NewSlice(types.Int8, elems)))
		if rng.Intn(8) == 0 {
			params[2] = types.Null
		}
		ctx := &Ctx{Params: params}
		ctx.Env = types.DefaultEnv
		e := must(NewBuilder().Expr(s, l))
		for range 3 {
			b := newBatch(l.Types())
			n := 1 + rng.Intn(80)
			resetBatch(b, n)
			data := randomInts(rng, n, 3, 4)
			for i, r := range data {
				for c, d := range r {
					b.Cols[c].Set(i, d)
				}
			}
			if rng.Intn(2) == 0 {
				b.Rows = types.Rows{Sel: []int32{}}
				for i := range n {
					if rng.Intn(2) == 0 {
						b.Sel = append(b.Sel, int32(i))
					}
				}
				b.N = len(b.Sel)
			}
			v, err := e.Eval(ctx, b)
			var wantErr error
			var passing []int32
			got := fmt.Sprint(err)
			for k := range b.N {
				i := position(b.Rows, k)
				want, e := interpret(s, l, data[i], params)
				if e != nil {
					wantErr = e
					break
				}
				if err == nil && printRow(row{v.Datum(i)}) != printRow(row{want}) {
					t.Fatalf("round %d: %s\nrow %s: got %s, want %s", round, algebra.FormatScalar(&algebra.Query{Columns: make([]algebra.Column, 3)}, s), printRow(data[i]), printRow(row{v.Datum(i)}), printRow(row{want}))
				}
				if !want.IsNull() && want.Bool() {
					passing = append(passing, int32(i))
				}
			}
			if (err == nil) != (wantErr == nil) {
				t.Fatalf("round %d: %s\ngot error %s, want %v", round, algebra.FormatScalar(&algebra.Query{Columns: make([]algebra.Column, 3)}, s), got, wantErr)
			}
			if err != nil {
				failures++
				if errs.CodeOf(err) != errs.CodeOf(wantErr) {
					t.Fatalf("round %d: error %v, want %v", round, err, wantErr)
				}
				continue
			}
			if round%2 == 0 {
				rows, err := e.Filter(ctx, b)
				if err != nil {
					t.Fatalf("round %d: filter: %v", round, err)
				}
				sel := appendNotIn(nil, rows, nil)
				if fmt.Sprint(sel) != fmt.Sprint(passing) {
					t.Fatalf("round %d: %s\nfilter %v, want %v", round, algebra.FormatScalar(&algebra.Query{Columns: make([]algebra.Column, 3)}, s), sel, passing)
				}
			}
		}
	}
	if failures < 100 {
		t.Errorf("only %d errors were compared", failures)
	}
}

func TestLaterBranches(t *testing.T) {
	x := &algebra.Col{T: algebra.T{Typ: types.Int8, M: -1}, ID: 1}
	l := NewLayout([]algebra.ColID{1}, repeat(types.Int8, 1))
	b := newBatch(l.Types())
	resetBatch(b, 3)
	copy(b.Cols[0].I, []int64{0, 1, 2})
	inverse := op(">", op("/", integer(4), x), integer(2))
	ctx := &Ctx{}
	eval := func(s algebra.Scalar) error {
		_, err := must(NewBuilder().Expr(s, l)).Eval(ctx, b)
		return err
	}
	if err := eval(inverse); errs.CodeOf(err) != errs.DivisionByZero {
		t.Errorf("division by zero: %v", err)
	}
	for _, s := range []algebra.Scalar{
		&algebra.And{Args: []algebra.Scalar{op("<>", x, integer(0)), inverse}},
		&algebra.Or{Args: []algebra.Scalar{op("=", x, integer(0)), inverse}},
		&algebra.Case{T: algebra.T{Typ: types.Bool, M: -1}, Whens: []algebra.When{{Cond: op("=", x, integer(0)), Result: nullOf(types.Bool)}}, Else: inverse},
		&algebra.And{Args: []algebra.Scalar{nullOf(types.Bool), op("=", x, integer(9)), inverse}},
	} {
		if err := eval(s); err != nil {
			t.Errorf("%s: %v", algebra.FormatScalar(&algebra.Query{Columns: make([]algebra.Column, 3)}, s), err)
		}
	}
}

func TestArrays(t *testing.T) {
	ints := func(dims []int32, lower []int32, v ...int64) *types.Array {
		a := &types.Array{Elem: types.Int8, Dims: dims, Lower: lower}
		for _, x := range v {
			a.Elems = append(a.Elems, types.NewInt(x))
		}
		return a
	}
	array := func(a *types.Array) algebra.Scalar {
		return &algebra.Const{T: algebra.T{Typ: types.Int8Array, M: -1}, Value: types.NewAny(a)}
	}
	ctor := func(list ...algebra.Scalar) algebra.Scalar {
		return &algebra.ArrayCtor{T: algebra.T{Typ: types.Int8Array, M: -1}, Elems: list}
	}
	one, two := algebra.T{Typ: types.Int8, M: -1}, algebra.T{Typ: types.Int8Array, M: -1}
	m := array(ints([]int32{2, 3}, []int32{1, 1}, 1, 2, 3, 4, 5, 6))
	v := array(ints([]int32{3}, []int32{-1}, 7, 8, 9))
	some := func(n ...int64) (list []algebra.Scalar) {
		for _, x := range n {
			list = append(list, integer(x))
		}
		return list
	}
	for _, c := range []struct {
		s    algebra.Scalar
		want string
	}{
		{ctor(integer(1), nullOf(types.Int8)), "[2]{1|NULL}"},
		{ctor(ctor(integer(1), integer(2)), ctor(integer(3), integer(4))), "[2 2]{1|2|3|4}"},
		{ctor(array(ints(nil, nil)), array(ints(nil, nil))), "[]{}"},
		{&algebra.Subscript{T: one, Array: m, Upper: some(2, 1)}, "4"},
		{&algebra.Subscript{T: one, Array: m, Upper: some(3, 1)}, "NULL"},
		{&algebra.Subscript{T: one, Array: m, Upper: some(2)}, "NULL"},
		{&algebra.Subscript{T: one, Array: v, Upper: some(-1)}, "7"},
		{&algebra.Subscript{T: one, Array: v, Upper: some(0)}, "8"},
		{&algebra.Subscript{T: one, Array: v, Upper: []algebra.Scalar{nullOf(types.Int8)}}, "NULL"},
		{&algebra.Subscript{T: two, Array: m, Slice: true, Lower: some(1, 2), Upper: some(2, 3)}, "[2 2]{2|3|5|6}"},
		{&algebra.Subscript{T: two, Array: m, Slice: true, Lower: []algebra.Scalar{integer(2)}, Upper: []algebra.Scalar{nil}}, "[1 3]{4|5|6}"},
		{&algebra.Subscript{T: two, Array: v, Slice: true, Lower: []algebra.Scalar{nil}, Upper: some(0)}, "[2]{7|8}"},
		{&algebra.Subscript{T: two, Array: v, Slice: true, Lower: some(5), Upper: some(9)}, "[]{}"},
	} {
		d, err := Evaluate(&Ctx{}, c.s)
		if err != nil || printRow(row{d}) != c.want {
			t.Errorf("%s: %s, %v; want %s", algebra.FormatScalar(&algebra.Query{Columns: make([]algebra.Column, 3)}, c.s), printRow(row{d}), err, c.want)
		}
	}
	_, err := Evaluate(&Ctx{}, ctor(ctor(integer(1)), ctor(integer(3), integer(4))))
	var e *errs.Error
	if !errors.As(err, &e) || e.Code != errs.ArraySubscriptError {
		t.Errorf("ragged array: %v", err)
	}
}

func BenchmarkExprOneRow(b *testing.B) {
	x := &algebra.Col{T: algebra.T{Typ: types.Int8, M: -1}, ID: 1}
	l := NewLayout([]algebra.ColID{1}, repeat(types.Int8, 1))
	batch := newBatch(l.Types())
	resetBatch(batch, 1)
	batch.Cols[0].I[0] = 5
	e := must(NewBuilder().Expr(&algebra.And{Args: []algebra.Scalar{op(">", op("+", x, integer(1)), integer(2)), op("=", x, param(1, types.Int8))}}, l))
	ctx := &Ctx{Params: []types.Datum{types.NewInt(5)}}
	b.ReportAllocs()
	for b.Loop() {
		if rows, err := e.Filter(ctx, batch); err != nil || rows.N != 1 {
			b.Fatal(err)
		}
	}
}

func BenchmarkExprBatch(b *testing.B) {
	x := &algebra.Col{T: algebra.T{Typ: types.Int8, M: -1}, ID: 1}
	l := NewLayout([]algebra.ColID{1}, repeat(types.Int8, 1))
	batch := newBatch(l.Types())
	resetBatch(batch, types.BatchRows)
	for i := range batch.Cols[0].I {
		batch.Cols[0].I[i] = int64(i)
	}
	e := must(NewBuilder().Expr(op(">", op("+", x, integer(1)), integer(500)), l))
	ctx := &Ctx{}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.Filter(ctx, batch); err != nil {
			b.Fatal(err)
		}
	}
}
