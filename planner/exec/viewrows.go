package exec

import (
	"holdfast/sql/algebra"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// viewRows tells rows of a view apart that a statement changes through it: each counts, and is returned, once. nil: all that come are
// different.
type viewRows struct {
	keys []int
	seen map[string]bool
}

func (b *Builder) viewRows(ids []algebra.ColID, source *Layout) (*viewRows, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	r := &viewRows{}
	for _, id := range ids {
		at, ok := source.Position(id)
		if !ok {
			return nil, errs.New(errs.InternalError, "a row key of a view is missing")
		}
		r.keys = append(r.keys, at)
	}
	return r, nil
}

func (r *viewRows) reset() {
	if r != nil {
		r.seen = map[string]bool{}
	}
}

// isNew reports whether row i of a batch is the first of its row of the view.
func (r *viewRows) isNew(ctx *Ctx, in *types.Batch, i int) (bool, error) {
	if r == nil {
		return true, nil
	}
	var id []byte
	for _, at := range r.keys {
		id = appendIdentity(id, in.Cols[at].Datum(i))
	}
	if r.seen[string(id)] {
		return false, nil
	}
	r.seen[string(id)] = true
	if ctx.WorkMem > 0 && int64(len(r.seen))*seenBytes > mostBytes(ctx) {
		return false, errTooMuch("The keys of rows that a join may give several times")
	}
	return true, nil
}
