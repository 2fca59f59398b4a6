package exec

import (
	"holdfast/sql/algebra"
	"holdfast/sql/types"
)

// returning computes and keeps the rows of RETURNING. A statement makes all its changes before it answers,
// so the rows are kept until they are asked for.
type returning struct {
	items     []*Expr
	positions []int // of the image columns in the batch of whole rows
	batch     types.Batch
	kept      *RowBuffer
	at        int
	rest      types.Batch
}

func (b *Builder) returning(items []algebra.Item, l *Layout, positions []int) (*returning, error) {
	r := &returning{positions: positions}
	var ts []*types.Type
	for _, it := range items {
		e, err := b.Expr(it.Expr, l)
		if err != nil {
			return nil, err
		}
		r.items = append(r.items, e)
		ts = append(ts, it.Expr.Type())
	}
	if len(items) > 0 {
		r.kept = NewRowBuffer(ts)
	}
	return r, nil
}

func (r *returning) reset() {
	r.at = 0
	if r.kept != nil {
		r.kept.Reset()
	}
}

// image is a batch of source columns followed by the image columns of whole rows.
func (r *returning) image(in *types.Batch, rows types.Rows, images ...[]*types.Vec) *types.Batch {
	r.batch.Rows = rows
	r.batch.Cols = append(r.batch.Cols[:0], in.Cols...)
	var all []*types.Vec
	for _, i := range images {
		all = append(all, i...)
	}
	for _, p := range r.positions {
		r.batch.Cols = append(r.batch.Cols, all[p])
	}
	return &r.batch
}

// add computes the rows of RETURNING for some rows of the source and the images that belong to them.
func (r *returning) add(ctx *Ctx, in *types.Batch, rows types.Rows, images ...[]*types.Vec) error {
	if r.kept == nil || rows.N == 0 {
		return nil
	}
	b := r.image(in, rows, images...)
	out := types.Batch{Rows: rows, Cols: make([]*types.Vec, len(r.items))}
	size := extent(rows)
	for i, e := range r.items {
		v, err := e.Eval(ctx, b)
		if err != nil {
			return err
		}
		if v.Const {
			full := types.NewVec(v.Type, size)
			copyRows(full, v, rows)
			v = full
		}
		out.Cols[i] = v
	}
	r.kept.Append(&out)
	return nil
}

// next returns up to max of the kept rows, nil at the end.
func (r *returning) next(max int) *types.Batch {
	if r.kept == nil || r.at >= r.kept.Len() {
		return nil
	}
	b, i := r.kept.Row(r.at)
	n := min(b.N-i, max)
	r.at += n
	if i == 0 && n == b.N {
		return b
	}
	sel := make([]int32, n)
	for k := range sel {
		sel[k] = int32(i + k)
	}
	r.rest = types.Batch{Rows: types.Rows{N: n, Sel: sel}, Cols: b.Cols}
	return &r.rest
}
