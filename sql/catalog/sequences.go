package catalog

import (
	"context"

	"holdfast/sql/errs"
)

// Sequences are the values of sequences, which live outside transactions. Numbers are persisted ahead in
// blocks, in transactions of their own: no number is handed out twice, also after a crash, which loses the
// rest of a block. A value belongs to a StorageID and not to an OID, so that ALTER SEQUENCE RESTART and
// TRUNCATE .. RESTART IDENTITY can be rolled back: they give the sequence a new StorageID.
type Sequences struct{}

// NextVal advances the sequence and returns its value. The error at the end is 2200H.
func (q *Sequences) NextVal(ctx context.Context, t *Table) (int64, error) {
	return 0, errs.Unsupported("nextval")
}

// SetVal sets the value; the next NextVal returns it if called is false, its successor otherwise. Out of
// range is 22003. To start a sequence with a new StorageID elsewhere than at Start, set it before it is used.
func (q *Sequences) SetVal(ctx context.Context, t *Table, value int64, called bool) error {
	return errs.Unsupported("setval")
}

// LastValue is what SELECT from the sequence shows: last_value, log_cnt, is_called.
func (q *Sequences) LastValue(ctx context.Context, t *Table) (last, logCount int64, called bool, err error) {
	return 0, 0, false, errs.Unsupported("last_value")
}
