package exec

import (
	"slices"
	"unsafe"

	"holdfast/kv"
	"holdfast/planner/exec/rowio"
	"holdfast/sql/accumulator"
	"holdfast/sql/algebra"
	"holdfast/sql/catalog"
	"holdfast/sql/types"
)

// Accumulator is what a writer of rows keeps of groups of them for assertions. In its expressions column n of the table
// has ColID n. It is part of plans: immutable and shared.
//
// Every write path of a table ends in rowWriter, and so does this: the images of a row that come or go add to the group's delta or take
// from it, and at the end of the operation the deltas go to the transaction, which adds them up in the store (kv.Txn.Accumulate). No
// writer reads what is kept.
type Accumulator struct {
	// Definition is the text of all that follows but Storage.
	Definition string

	Table   *catalog.Table
	Storage catalog.StorageID
	Filter  algebra.Scalar // nil: all rows
	Keys    []int16
	Args    []AccumulatorArg
}

// AccumulatorArg is an expression whose values are counted, and with Sum added up.
type AccumulatorArg struct {
	Expr algebra.Scalar
	Sum  bool
}

// heldGroups is of how many groups a writer holds the deltas before it gives them to the transaction. Those of a group that is met again
// before that cost one delta together. Each takes some 150 bytes.
const heldGroups = 32 << 10

// fewGroups is how many groups a writer keeps the memory for: emptying a map takes as long as it has once been large.
const fewGroups = 64

// accumulating is an Accumulator in use by a writer.
type accumulating struct {
	*Accumulator
	filter  *Expr
	args    []*Expr // nil for plain columns
	columns []int   // of plain columns, the position
	uses    kv.ColumnSet
	prefix  []byte
	key     []byte
	groups  map[string]*accumulator.State
	keys    []string // of the groups, while they are gone through
}

func (b *Builder) accumulating(a *Accumulator) (*accumulating, error) {
	l := tableLayout(a.Table)
	out := &accumulating{
		Accumulator: a, prefix: catalog.RowPrefix(a.Storage), groups: map[string]*accumulator.State{},
		args: make([]*Expr, len(a.Args)), columns: make([]int, len(a.Args)),
	}
	used := algebra.ColSet{}
	var err error
	if a.Filter != nil {
		algebra.ScalarColumns(a.Filter, used)
		if out.filter, err = b.Expr(a.Filter, l); err != nil {
			return nil, err
		}
	}
	for i, arg := range a.Args {
		algebra.ScalarColumns(arg.Expr, used)
		if c, ok := arg.Expr.(*algebra.Col); ok {
			out.columns[i] = int(c.ID) - 1
		} else if out.args[i], err = b.Expr(arg.Expr, l); err != nil {
			return nil, err
		}
	}
	out.uses = rowio.ColumnSet(a.Keys...) &^ kv.Existence
	for id := range used {
		out.uses = out.uses.With(int(id))
	}
	return out, nil
}

// appendGroupKey appends a part of the key of a group. NULLs are one group.
func appendGroupKey(key []byte, t *types.Type, d types.Datum) []byte {
	return types.AppendKey(key, t, d, false, true)
}

// add counts an image of a row: with sign 1 one that comes, with -1 one that goes. one makes a batch of the row.
func (a *accumulating) add(ctx *Ctx, row []types.Datum, sign int64, one func() *types.Batch) error {
	if a.filter != nil {
		v, err := a.filter.Eval(ctx, one())
		if err != nil {
			return err
		}
		if v.IsNull(0) || !v.Datum(0).Bool() {
			return nil
		}
	}
	a.key = append(a.key[:0], a.prefix...)
	for _, n := range a.Keys {
		a.key = appendGroupKey(a.key, a.Table.Columns[n-1].Type, row[n-1])
	}
	s := a.groups[unsafe.String(unsafe.SliceData(a.key), len(a.key))]
	if s == nil {
		s = &accumulator.State{}
		s.Grow(len(a.Args))
		a.groups[string(a.key)] = s
	}
	s.Rows += sign
	for i := range a.args {
		var d types.Datum
		if e := a.args[i]; e == nil {
			d = row[a.columns[i]]
		} else {
			v, err := e.Eval(ctx, one())
			if err != nil {
				return err
			}
			d = v.Datum(0)
		}
		if d.IsNull() {
			continue
		}
		arg := &s.Args[i]
		switch {
		case !a.Args[i].Sum:
			arg.Values += sign
		case d.Rep() == types.RepInt:
			arg.AddInt(d.Int(), sign)
		default:
			arg.AddDecimal(d.Decimal(), sign)
		}
	}
	return nil
}

// ordered are the keys of the groups in their order, in which the transaction finds them faster.
func (a *accumulating) ordered() []string {
	a.keys = a.keys[:0]
	for key := range a.groups {
		a.keys = append(a.keys, key)
	}
	slices.Sort(a.keys)
	return a.keys
}

// flush gives the deltas to the transaction.
func (a *accumulating) flush(ctx *Ctx) error {
	for _, key := range a.ordered() {
		s := a.groups[key]
		if s.Empty() {
			continue
		}
		k := []byte(key)
		if err := ctx.Txn.Accumulate(k, s.Append(nil)); err != nil {
			return err
		}
		ctx.Requirements.changed(key, s)
	}
	a.empty()
	return nil
}

// empty forgets all groups.
func (a *accumulating) empty() {
	if len(a.groups) <= fewGroups {
		clear(a.groups)
		clear(a.keys)
		return
	}
	a.groups, a.keys = map[string]*accumulator.State{}, nil
}

// accumulate counts an image of a row in all accumulators of the table.
func (w *rowWriter) accumulate(ctx *Ctx, row []types.Datum, sign int64) error {
	for _, a := range w.accumulators {
		if err := w.accumulateIn(ctx, a, row, sign); err != nil {
			return err
		}
	}
	return nil
}

func (w *rowWriter) accumulateIn(ctx *Ctx, a *accumulating, row []types.Datum, sign int64) error {
	loaded := false
	err := a.add(ctx, row, sign, func() *types.Batch {
		if !loaded {
			loaded = true
			w.loadOne(row)
		}
		return w.one
	})
	if err == nil && len(a.groups) >= heldGroups {
		err = a.flush(ctx)
	}
	return err
}

// accumulateChange counts a row that has become another.
func (w *rowWriter) accumulateChange(ctx *Ctx, c *change) error {
	for _, a := range w.accumulators {
		if !a.uses.Meets(c.columns &^ kv.Existence) {
			continue
		}
		if err := w.accumulateIn(ctx, a, c.oldRow, -1); err != nil {
			return err
		}
		if err := w.accumulateIn(ctx, a, c.newRow, 1); err != nil {
			return err
		}
	}
	return nil
}

// FillAccumulator counts all rows of its table in an accumulator that has nothing in it.
func FillAccumulator(ctx *Ctx, a *Accumulator) error {
	w := &rowWriter{table: a.Table}
	x, err := NewBuilder().accumulating(a)
	if err != nil {
		return err
	}
	w.accumulators = []*accumulating{x}
	err = eachRow(ctx, a.Table, nil, func(r *storedRow) error {
		if len(x.groups) >= heldGroups-1 {
			if err := x.set(ctx); err != nil {
				return err
			}
		}
		return w.accumulate(ctx, r.row, 1)
	})
	if err != nil {
		return err
	}
	return x.set(ctx)
}

// set writes what has been counted, added to what has been written before: of many groups deltas would take up memory, and writes
// do not.
func (a *accumulating) set(ctx *Ctx) error {
	for _, key := range a.ordered() {
		s, k := a.groups[key], []byte(key)
		old, _, err := ctx.Txn.Unrecorded().Get(ctx, k, kv.AllColumns)
		if err != nil {
			return ctx.Error(err)
		}
		v, err := accumulator.Merge(old, s.Append(nil))
		if err != nil {
			return err
		}
		if err := ctx.Txn.Set(k, v, kv.AllColumns); err != nil {
			return err
		}
	}
	a.empty()
	return nil
}

// accumulatedValue is a column made of an accumulator.
func accumulatedValue(c *algebra.AccumulatedCol, s *accumulator.State) (types.Datum, error) {
	if c.Func == "rows" {
		return types.NewInt(s.Rows), nil
	}
	if c.Arg >= len(s.Args) {
		if c.Func == "count" {
			return types.NewInt(0), nil
		}
		return types.Null, nil
	}
	a := &s.Args[c.Arg]
	switch {
	case c.Func == "count":
		return types.NewInt(a.Values), nil
	case a.Values == 0:
		return types.Null, nil
	case c.Func == "avg":
		d, err := a.Sum.Decimal()
		if err != nil || d.Form != 0 {
			return types.NewDecimal(d), err
		}
		q, err := types.NumericDiv(d, types.NumericFromInt(a.Values))
		return types.NewDecimal(q), err
	case c.Typ == types.Numeric:
		d, err := a.Sum.Decimal()
		return types.NewDecimal(d), err
	}
	n, err := a.Sum.Int()
	return types.NewInt(n), err
}

// Recount is what an accumulator should hold: the value of each group, by its key.
func Recount(ctx *Ctx, a *Accumulator) (map[string][]byte, error) {
	x, err := NewBuilder().accumulating(a)
	if err != nil {
		return nil, err
	}
	w := &rowWriter{table: a.Table}
	one := func(row []types.Datum) func() *types.Batch {
		return func() *types.Batch { w.loadOne(row); return w.one }
	}
	err = eachRow(ctx, a.Table, nil, func(r *storedRow) error { return x.add(ctx, r.row, 1, one(r.row)) })
	if err != nil {
		return nil, err
	}
	values := map[string][]byte{}
	for key, s := range x.groups {
		values[key] = s.Append(nil)
	}
	return values, nil
}
