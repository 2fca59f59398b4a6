package exec

import (
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// virtualScanOp runs VirtualScan. The relation makes its rows in one go, when the first is asked for; they are kept until the end.
type virtualScanOp struct {
	filtered
	table   *catalog.Table
	numbers []int16
	pushed  []pushedFilter
	rows    *RowBuffer
	row     []types.Datum
	depends *dependency
	loaded  bool
	at      int
	view    types.Batch
}

// pushedFilter is a condition handed to the relation.
type pushedFilter struct {
	number int16
	values []*Expr
	array  *Expr
}

// Build implements Node.
func (n *VirtualScan) Build(b *Builder) (Operator, error) {
	if n.Table.Virtual == nil {
		return nil, errs.New(errs.InternalError, "relation %q has no rows of its own", n.Table.Name)
	}
	o := &virtualScanOp{table: n.Table, rows: NewRowBuffer(n.Props.Types), row: make([]types.Datum, len(n.Columns)), depends: b.dependency(n)}
	for _, c := range n.Columns {
		if c.Number > int16(len(n.Table.Columns)) || c.Number < 0 && c.Number != catalog.TableOIDNumber && c.Number != catalog.RowKeyNumber {
			return nil, errs.New(errs.InternalError, "relation %q has no attribute %d", n.Table.Name, c.Number)
		}
		o.numbers = append(o.numbers, c.Number)
	}
	for number, m := range n.Pushed {
		p := pushedFilter{number: number}
		var err error
		if p.values, err = b.exprs(m.Values, nil); err != nil {
			return nil, err
		}
		if p.array, err = b.optional(m.Array, nil); err != nil {
			return nil, err
		}
		if !m.IsNull {
			o.pushed = append(o.pushed, p)
		}
	}
	var err error
	o.filter, err = b.optional(n.Filter, NewLayout(n.Cols, n.Props.Types))
	return o, err
}

func (o *virtualScanOp) Open(*Ctx) error {
	o.filtered.reset()
	o.at = 0
	if !o.depends.fresh() {
		o.loaded = false
	}
	return nil
}

func (o *virtualScanOp) Next(ctx *Ctx, max int) (*types.Batch, error) {
	return o.filtered.next(ctx, max, o.read)
}

func (o *virtualScanOp) read(ctx *Ctx, max int) (*types.Batch, error) {
	if !o.loaded {
		if err := o.load(ctx); err != nil {
			return nil, err
		}
	}
	b := rowsFrom(o.rows, &o.view, &o.at, max)
	return b, nil
}

// rowsFrom returns the rows of a buffer from at on, and moves at.
func rowsFrom(r *RowBuffer, view *types.Batch, at *int, max int) *types.Batch {
	if *at >= r.Len() {
		return nil
	}
	chunk := r.Chunk(*at / types.BatchRows)
	from := *at % types.BatchRows
	n := min(max, chunk.N-from)
	view.Cols = chunk.Cols
	view.Rows = types.Rows{N: n}
	if from > 0 {
		view.Sel = make([]int32, n)
		for i := range n {
			view.Sel[i] = int32(from + i)
		}
	}
	*at += n
	return view
}

func (o *virtualScanOp) load(ctx *Ctx) error {
	o.rows.Reset()
	o.depends.mark()
	filter := catalog.VirtualFilter{}
	for _, p := range o.pushed {
		values := []types.Datum{}
		for _, x := range p.values {
			d, err := x.Value(ctx)
			if err != nil {
				return err
			}
			if !d.IsNull() {
				values = append(values, d)
			}
		}
		if p.array != nil {
			d, err := p.array.Value(ctx)
			if err != nil {
				return err
			}
			if !d.IsNull() {
				for _, e := range d.Any().(*types.Array).Elems {
					if !e.IsNull() {
						values = append(values, e)
					}
				}
			}
		}
		filter[p.number] = values
	}
	count := 0
	var canceled error
	err := o.table.Virtual.Rows(&catalog.VirtualContext{Ctx: &ctx.Ctx, Snapshot: ctx.Catalog}, filter, func(row []types.Datum) bool {
		for i, n := range o.numbers {
			switch {
			case n > 0:
				o.row[i] = row[n-1]
			case n == catalog.TableOIDNumber:
				o.row[i] = types.NewInt(int64(o.table.OID))
			default:
				o.row[i] = types.Null
			}
		}
		o.rows.AppendDatums(o.row)
		if count++; count%types.BatchRows == 0 {
			canceled = ctx.Canceled()
		}
		return canceled == nil
	})
	if err == nil {
		err = canceled
	}
	o.loaded = err == nil
	return err
}

func (o *virtualScanOp) Close() error {
	o.loaded = false
	o.rows.Reset()
	return nil
}
