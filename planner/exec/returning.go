package exec

import (
	"holdfast/sql/algebra"
	"holdfast/sql/types"
)

// returning computes and keeps the rows of RETURNING. A statement makes all its changes before it answers,
// so the rows are kept until they are asked for, beyond work_mem in a file.
type returning struct {
	items     []*Expr
	positions []int // of the image columns in the batch of whole rows
	batch     types.Batch
	kept      *spool // nil: there is no RETURNING
	reader    spoolReader
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
		r.kept = newSpool(ts)
		r.reader.spool = r.kept
	}
	return r, nil
}

func (r *returning) reset(ctx *Ctx) error {
	if r.kept == nil {
		return nil
	}
	r.reader.rewind()
	return r.kept.reset(ctx)
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
	return r.kept.append(ctx, &out)
}

// next returns up to max of the kept rows, nil at the end.
func (r *returning) next(max int) (*types.Batch, error) {
	if r.kept == nil {
		return nil, nil
	}
	return r.reader.next(max)
}
