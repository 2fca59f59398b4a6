package exec

import (
	"holdfast/sql/types"
)

// TransitionRows are rows of a transition: the newest in memory, up to a quarter of work_mem, and the others in a
// temporary file. Rows are only added, and read from the beginning any number of times.
type TransitionRows struct {
	recent *RowBuffer
	file   *rowFile // rows before the recent ones; nil if there are none
	n      int
}

// NewTransitionRows makes an empty list of rows.
func NewTransitionRows(ts []*types.Type) *TransitionRows {
	return &TransitionRows{recent: NewRowBuffer(ts)}
}

// Len is the number of rows.
func (r *TransitionRows) Len() int { return r.n }

// row is row i, as a batch and its place in that; nil if it is in the file.
func (r *TransitionRows) row(i int) (b *types.Batch, at int) {
	if i -= r.n - r.recent.Len(); i < 0 {
		return nil, 0
	}
	return r.recent.Row(i)
}

// AppendDatums adds a copy of one row.
func (r *TransitionRows) AppendDatums(row []types.Datum) {
	r.recent.AppendDatums(row)
	r.n++
}

// settle moves the rows in memory to the file if they are too many. Whoever adds rows calls it now and then.
func (r *TransitionRows) settle(ctx *Ctx) error {
	if r == nil || ctx.WorkMem == 0 || r.recent.Bytes() <= ctx.WorkMem/4 {
		return nil
	}
	if r.file == nil {
		file, err := newRowFile(ctx, rowLayout(r.recent.Types()))
		if err != nil {
			return err
		}
		r.file = file
	}
	for i := range r.recent.Chunks() {
		if err := r.file.writeBatch(r.recent.Chunk(i)); err != nil {
			return err
		}
	}
	r.recent.Reset()
	return nil
}

// close frees the file. It is closed without this when nobody refers to the rows any more.
func (r *TransitionRows) close() error {
	if r == nil {
		return nil
	}
	return r.file.close()
}

// transitionReader reads rows from the beginning.
type transitionReader struct {
	rows *TransitionRows
	file *fileSource // nil: not begun, or there is no file
	at   int         // of the rows read, also those in the file
	view types.Batch
}

// next returns up to max rows, nil at the end. They are valid until the next call.
func (r *transitionReader) next(max int) (*types.Batch, error) {
	t := r.rows
	if t.file != nil && r.at < t.file.rows {
		if r.file == nil {
			f, err := newFileSource(t.file, t.recent.Types())
			if err != nil {
				return nil, err
			}
			r.file = f
		}
		b, err := r.file.next(max)
		if b != nil {
			r.at += b.N
		}
		return b, err
	}
	filed := t.n - t.recent.Len()
	at := r.at - filed
	b := rowsFrom(t.recent, &r.view, &at, max)
	r.at = filed + at
	return b, nil
}

// settle is what operators that change rows call after each of their pieces: it bounds what is in memory.
func (c Changes) settle(ctx *Ctx) error {
	for _, t := range c {
		if err := t.Old.settle(ctx); err != nil {
			return err
		}
		if err := t.New.settle(ctx); err != nil {
			return err
		}
	}
	return nil
}

// close frees the files of changes that nobody looks at any more.
func (c Changes) close() (err error) {
	for _, t := range c {
		for _, r := range []*TransitionRows{t.Old, t.New} {
			if e := r.close(); err == nil {
				err = e
			}
		}
	}
	return err
}
