package exec

import (
	"holdfast/sql/algebra"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// aggregates are the aggregate calls of one operator, with their states for the groups at hand.
type aggregates struct {
	calls []*aggCall
	n     int // groups
}

// aggCall is one aggregate call. Its rows pass its FILTER, then DISTINCT, then, if it has an ORDER BY, they wait in a sorter
// until the end of the input; then they are added to the state.
type aggCall struct {
	def    *algebra.Agg
	types  []*types.Type // of the arguments
	args   []*Expr
	filter *Expr
	order  []*Expr
	state  funcs.Aggregate

	vecs   []*types.Vec
	spread []types.Vec // for arguments that are Const
	groups []int32     // of the rows that are left
	sel    []int32

	seen    *groupTable // DISTINCT: group and arguments
	seenRow []*types.Vec
	group   types.Vec

	sorter *sorter // ORDER BY: group, arguments, sort columns
	sorted types.Batch
}

func (b *Builder) aggregates(aggs []algebra.Agg, l *Layout) (*aggregates, error) {
	a := &aggregates{}
	for i := range aggs {
		c, err := b.aggCall(&aggs[i], l)
		if err != nil {
			return nil, err
		}
		a.calls = append(a.calls, c)
	}
	return a, nil
}

func (b *Builder) aggCall(def *algebra.Agg, l *Layout) (c *aggCall, err error) {
	c = &aggCall{def: def, group: types.Vec{Type: types.Int8}}
	if c.args, err = b.exprs(def.Args, l); err != nil {
		return nil, err
	}
	for _, s := range def.Args {
		c.types = append(c.types, s.Type())
	}
	c.vecs, c.spread = make([]*types.Vec, len(c.args)), make([]types.Vec, len(c.args)+len(def.OrderArgs))
	if c.filter, err = b.optional(def.Filter, l); err != nil {
		return nil, err
	}
	withGroup := append([]*types.Type{types.Int8}, c.types...)
	if def.Distinct {
		c.seen = newGroupTable(withGroup)
		c.seenRow = make([]*types.Vec, len(withGroup))
	}
	if len(def.OrderBy) == 0 {
		return c, nil
	}
	if c.order, err = b.exprs(def.OrderArgs, l); err != nil {
		return nil, err
	}
	for _, s := range def.OrderArgs {
		withGroup = append(withGroup, s.Type())
	}
	// Positions stand for column IDs here: 1 is the group.
	ids := make([]algebra.ColID, len(withGroup))
	for i := range ids {
		ids[i] = algebra.ColID(i + 1)
	}
	keys := []algebra.SortKey{{ID: 1}}
	for i, k := range def.OrderBy {
		k.ID = algebra.ColID(2 + len(c.args) + i)
		keys = append(keys, k)
	}
	c.sorted.Cols = make([]*types.Vec, len(withGroup))
	c.sorter, err = newSorter(withGroup, NewLayout(ids, withGroup), keys)
	return c, err
}

// reset begins anew with no groups.
func (a *aggregates) reset(ctx *Ctx) error {
	a.n = 0
	for _, c := range a.calls {
		c.state = c.def.Func.NewAgg(c.types, c.def.Typ)
		if c.seen != nil {
			c.seen.reset()
		}
		if c.sorter != nil {
			if err := c.sorter.reset(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// grow makes room for n groups.
func (a *aggregates) grow(n int) {
	if n <= a.n {
		return
	}
	a.n = n
	for _, c := range a.calls {
		c.state.Grow(n)
	}
}

// bytes is the memory held.
func (a *aggregates) bytes() (n int64) {
	for _, c := range a.calls {
		n += c.state.Bytes()
		if c.seen != nil {
			n += c.seen.bytes()
		}
	}
	return n
}

// add feeds a batch; groups[k] is the group of its k-th row.
func (a *aggregates) add(ctx *Ctx, b *types.Batch, groups []int32) error {
	for _, c := range a.calls {
		if err := c.add(ctx, b, groups); err != nil {
			return err
		}
	}
	return nil
}

func (c *aggCall) add(ctx *Ctx, b *types.Batch, groups []int32) error {
	in := *b
	if c.filter != nil {
		rows, err := c.filter.Filter(ctx, b)
		if err != nil || rows.N == 0 {
			return err
		}
		if rows.N < b.N {
			c.groups = c.groups[:0]
			j := 0
			for k := range b.N {
				if j < rows.N && position(b.Rows, k) == position(rows, j) {
					c.groups = append(c.groups, groups[k])
					j++
				}
			}
			groups = c.groups
		}
		in.Rows = rows
	}
	for i, x := range c.args {
		v, err := x.Eval(ctx, &in)
		if err != nil {
			return err
		}
		if v.Const && (c.seen != nil || c.sorter != nil) {
			v = spreadConst(&c.spread[i], v, in.Rows)
		}
		c.vecs[i] = v
	}
	if c.seen != nil {
		if in.Rows, groups = c.distinct(in.Rows, groups); in.N == 0 {
			return nil
		}
	}
	if c.sorter == nil {
		return c.state.Add(&ctx.Ctx, c.vecs, in.Rows, groups)
	}
	row := c.sorted.Cols[:0]
	row = append(row, c.groupVec(in.Rows, groups))
	row = append(row, c.vecs...)
	for i, x := range c.order {
		v, err := x.Eval(ctx, &in)
		if err != nil {
			return err
		}
		if v.Const {
			v = spreadConst(&c.spread[len(c.args)+i], v, in.Rows)
		}
		row = append(row, v)
	}
	c.sorted = types.Batch{Rows: in.Rows, Cols: row}
	return c.sorter.add(ctx, &c.sorted)
}

// spreadConst makes a vector with a value in every row of a Const one.
func spreadConst(to, v *types.Vec, rows types.Rows) *types.Vec {
	to.Type = v.Type
	to.Resize(extent(rows))
	fillRows(to, v, rows)
	return to
}

// groupVec is the groups as a vector, by position.
func (c *aggCall) groupVec(rows types.Rows, groups []int32) *types.Vec {
	c.group.Resize(extent(rows))
	for k := range rows.N {
		c.group.I[position(rows, k)] = int64(groups[k])
	}
	return &c.group
}

// distinct leaves the rows whose arguments are new in their group.
func (c *aggCall) distinct(rows types.Rows, groups []int32) (types.Rows, []int32) {
	c.seenRow[0] = c.groupVec(rows, groups)
	copy(c.seenRow[1:], c.vecs)
	hashes := c.seen.hashRows(c.seenRow, rows)
	sel, left := c.sel[:0], c.groups[:0] // groups may be c.groups: what is kept is never ahead of what is read
	for k := range rows.N {
		i := position(rows, k)
		if c.seen.find(c.seenRow, i, hashes[k]) < 0 {
			c.seen.add(c.seenRow, i, hashes[k])
			sel, left = append(sel, int32(i)), append(left, groups[k])
		}
	}
	c.sel, c.groups = sel, left
	return types.Rows{N: len(sel), Sel: sel}, left
}

// finish ends the input: what waited to be sorted is added.
func (a *aggregates) finish(ctx *Ctx) error {
	for _, c := range a.calls {
		if c.sorter == nil {
			continue
		}
		if err := c.sorter.finish(ctx); err != nil {
			return err
		}
		for {
			b, err := c.sorter.next(types.BatchRows)
			if err != nil {
				return err
			}
			if b == nil {
				break
			}
			c.groups = c.groups[:0]
			for k := range b.N {
				c.groups = append(c.groups, int32(b.Cols[0].I[k]))
			}
			if err := c.state.Add(&ctx.Ctx, b.Cols[1:1+len(c.args)], b.Rows, c.groups); err != nil {
				return err
			}
		}
	}
	return nil
}

// results puts the results of groups from .. from+n-1 into rows 0 .. n-1 of cols, one for each call.
func (a *aggregates) results(ctx *Ctx, from, n int, cols []*types.Vec) error {
	for i, c := range a.calls {
		for k := range n {
			d, err := c.state.Result(&ctx.Ctx, from+k)
			if err != nil {
				return err
			}
			cols[i].Set(k, d)
		}
	}
	return nil
}

func (a *aggregates) close() (err error) {
	for _, c := range a.calls {
		c.state = nil
		if c.seen != nil {
			c.seen.reset()
		}
		if c.sorter != nil {
			if e := c.sorter.close(); err == nil {
				err = e
			}
		}
	}
	return err
}
