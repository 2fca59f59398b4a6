package exec

import (
	"math"
	"math/bits"
	"sort"

	"holdfast/sql/algebra"
	"holdfast/sql/errs"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// windowFrame finds the frame of each row of a partition.
type windowFrame struct {
	def        *algebra.Frame
	start, end *Expr // offsets, nil if there are none
	startBy    types.Datum
	endBy      types.Datum

	peers *partitionPeers
	// RANGE with an offset: the one column of the order, and the rows where it is not NULL
	order  sortColumn
	values *types.Vec
	lo, hi int
}

func (b *Builder) windowFrame(f *windowFrame, def *algebra.WindowFunc, order []algebra.SortKey, l *Layout) (err error) {
	f.def = &def.Frame
	if f.start, err = b.optional(f.def.StartOffset, nil); err != nil {
		return err
	}
	if f.end, err = b.optional(f.def.EndOffset, nil); err != nil {
		return err
	}
	if f.def.Mode == "range" && (f.start != nil || f.end != nil) {
		if len(order) != 1 {
			return errs.New(errs.WindowingError, "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column")
		}
		at, err := l.find(order[0].ID)
		if err != nil {
			return err
		}
		f.order = sortColumn{at: at, desc: order[0].Desc, nullsFirst: order[0].NullsFirst}
	}
	return nil
}

// open evaluates the offsets.
func (f *windowFrame) open(ctx *Ctx) (err error) {
	if f.startBy, err = f.offset(ctx, f.start, "starting"); err != nil {
		return err
	}
	f.endBy, err = f.offset(ctx, f.end, "ending")
	return err
}

func (f *windowFrame) offset(ctx *Ctx, x *Expr, which string) (types.Datum, error) {
	if x == nil {
		return types.Null, nil
	}
	d, err := x.Value(ctx)
	if err != nil {
		return d, err
	}
	if d.IsNull() {
		return d, errs.New(errs.NullValueNotAllowed, "frame %s offset must not be null", which)
	}
	if f.def.Mode != "range" && d.Int() < 0 {
		return d, errs.New(errs.InvalidPrecedingOrFollowingSize, "frame %s offset must not be negative", which)
	}
	if f.def.Mode == "range" && negative(x.typ, d) {
		return d, errs.New(errs.InvalidPrecedingOrFollowingSize, "invalid preceding or following size in window function")
	}
	return d, nil
}

func negative(t *types.Type, d types.Datum) bool {
	switch d.Rep() {
	case types.RepInt:
		return d.Int() < 0
	case types.RepFloat:
		return d.Float() < 0 || math.IsNaN(d.Float())
	case types.RepDecimal:
		return d.Decimal().Negative && !d.Decimal().IsZero()
	}
	return types.Compare(t, d, types.NewAny(types.Interval{})) < 0
}

// begin turns to the partition that o holds.
func (f *windowFrame) begin(_ *Ctx, o *windowOp) error {
	f.peers = &o.peers
	if f.def.Mode != "range" || f.start == nil && f.end == nil {
		return nil
	}
	f.values = o.rows.Cols[f.order.at]
	f.lo, f.hi = 0, o.rows.N
	for f.lo < f.hi && f.values.IsNull(f.lo) {
		f.lo++
	}
	for f.hi > f.lo && f.values.IsNull(f.hi-1) {
		f.hi--
	}
	return nil
}

// growing reports whether frames begin with the partition and only grow, from row to row.
func (f *windowFrame) growing() bool {
	return f.def.Start == "unbounded preceding" && (f.def.Exclude == "" || f.def.Exclude == "no others")
}

// of is the frame of a row: rows from .. to-1, before exclusion.
func (f *windowFrame) of(ctx *Ctx, row int) (from, to int, err error) {
	if from, err = f.bound(ctx, row, f.def.Start, f.start, f.startBy, false); err != nil {
		return 0, 0, err
	}
	if to, err = f.bound(ctx, row, f.def.End, f.end, f.endBy, true); err != nil {
		return 0, 0, err
	}
	return from, max(from, to), nil
}

// bound is the first row of the frame, or the one after its last.
func (f *windowFrame) bound(ctx *Ctx, row int, kind string, x *Expr, by types.Datum, last bool) (int, error) {
	p := f.peers
	switch kind {
	case "unbounded preceding":
		return 0, nil
	case "unbounded following":
		return p.n, nil
	case "current row":
		switch {
		case f.def.Mode == "rows" && last:
			return row + 1, nil
		case f.def.Mode == "rows":
			return row, nil
		case last:
			return p.end(row), nil
		}
		return p.start(row), nil
	}
	preceding := kind == "preceding"
	switch f.def.Mode {
	case "rows":
		at := int64(row)
		if last {
			at++
		}
		return f.move(at, by.Int(), preceding, int64(p.n)), nil
	case "groups":
		groups := int64(len(p.starts) - 1)
		g := int64(p.group[row])
		if last {
			g++
		}
		return int(p.starts[f.move(g, by.Int(), preceding, groups)]), nil
	}
	return f.rangeBound(ctx, row, x.typ, by, preceding, last)
}

// move is at -+ by within 0 .. n.
func (f *windowFrame) move(at, by int64, preceding bool, n int64) int {
	by = min(by, n+1)
	if preceding {
		by = -by
	}
	return int(min(max(at+by, 0), n))
}

// rangeBound finds the bound by value. A row with NULL has the other such rows as its frame.
func (f *windowFrame) rangeBound(ctx *Ctx, row int, offset *types.Type, by types.Datum, preceding, last bool) (int, error) {
	if f.values.IsNull(row) {
		if last {
			return f.peers.end(row), nil
		}
		return f.peers.start(row), nil
	}
	t := f.values.Type
	limit, beyond, err := shifted(ctx, t, f.values.Datum(row), offset, by, preceding != f.order.desc)
	if err != nil {
		return 0, err
	}
	n := f.hi - f.lo
	at := sort.Search(n, func(k int) bool {
		c := -beyond
		if beyond == 0 {
			c = compareShifted(t, f.values.Datum(f.lo+k), limit)
		}
		if f.order.desc {
			c = -c
		}
		if last {
			return c > 0
		}
		return c >= 0
	})
	return f.lo + at, nil
}

// shifted is value - by, or value + by. beyond is -1 or 1 if that is less or greater than everything.
func shifted(ctx *Ctx, t *types.Type, value types.Datum, offset *types.Type, by types.Datum, minus bool) (d types.Datum, beyond int, err error) {
	switch by.Rep() {
	case types.RepInt:
		a, b := value.Int(), by.Int()
		if minus {
			if diff, borrow := bits.Sub64(uint64(a)^1<<63, uint64(b), 0); borrow == 0 {
				return types.NewInt(int64(diff ^ 1<<63)), 0, nil
			}
			return d, -1, nil
		}
		if sum, carry := bits.Add64(uint64(a)^1<<63, uint64(b), 0); carry == 0 {
			return types.NewInt(int64(sum ^ 1<<63)), 0, nil
		}
		return d, 1, nil
	case types.RepFloat:
		if minus {
			return types.NewFloat(value.Float() - by.Float()), 0, nil
		}
		return types.NewFloat(value.Float() + by.Float()), 0, nil
	case types.RepDecimal:
		f := types.NumericAdd
		if minus {
			f = types.NumericSub
		}
		x, err := f(value.Decimal(), by.Decimal())
		return types.NewDecimal(x), 0, err
	}
	iv := by.Any().(types.Interval)
	micros := iv.Micros
	if minus {
		micros = -micros
	}
	switch base := t.Underlying(); base {
	case types.Time: // only the time of an interval counts, and nothing wraps
		return types.NewInt(value.Int() + micros), 0, nil
	case types.TimeTZType:
		v := value.Any().(types.TimeTZ)
		v.Micros += micros
		return types.NewAny(v), 0, nil
	default:
		name := "+"
		if minus {
			name = "-"
		}
		m, err := funcs.ResolveOperator(name, base, offset)
		if err != nil {
			return d, 0, err
		}
		d, err = callFunc(ctx, m.Operator.Func, m.Result, []*types.Type{base, offset}, value, by)
		if errs.CodeOf(err) == errs.DatetimeFieldOverflow {
			if minus {
				return d, -1, nil
			}
			return d, 1, nil
		}
		return d, 0, err
	}
}

// callFunc calls a function for one row of values that are not NULL.
func callFunc(ctx *Ctx, fn *funcs.Func, result *types.Type, ts []*types.Type, args ...types.Datum) (types.Datum, error) {
	vecs := make([]*types.Vec, len(args))
	for i, d := range args {
		vecs[i] = constVec(ts[i], d)
	}
	out := types.NewVec(result, 1)
	err := fn.Kernel(&ctx.Ctx, vecs, types.Rows{N: 1}, out)
	return out.Datum(0), err
}

// compareShifted orders a value and a limit that shifted made: for a date that is a timestamp.
func compareShifted(t *types.Type, value, limit types.Datum) int {
	if t.Underlying() == types.Date {
		const day = 24 * 60 * 60 * 1000000
		if v := value.Int(); v > math.MinInt32 && v < math.MaxInt32 {
			value = types.NewInt(v * day)
		}
		t = types.Timestamp
	}
	return types.Compare(t.Underlying(), value, limit)
}

// exclusion is the rows from .. to-1, but not the row kept (counted from 1; 0: none).
type exclusion struct{ from, to, kept int }

func (x exclusion) has(row int) bool { return row >= x.from && row < x.to && row != x.kept-1 }

// excluded are the rows that the frame of a row leaves out.
func (f *windowFrame) excluded(p *partitionPeers, row int) exclusion {
	switch f.def.Exclude {
	case "current row":
		return exclusion{from: row, to: row + 1}
	case "group":
		return exclusion{from: p.start(row), to: p.end(row)}
	case "ties":
		return exclusion{from: p.start(row), to: p.end(row), kept: row + 1}
	}
	return exclusion{}
}
