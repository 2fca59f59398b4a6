package catalog

import (
	"context"
	"encoding/binary"
	"sync"
	"time"

	"holdfast/kv"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// Sequences are the values of sequences, which live outside transactions. Numbers are persisted ahead in
// blocks, in transactions of their own: no number is handed out twice, also after a crash, which loses the
// rest of a block. A value belongs to a StorageID and not to an OID, so that ALTER SEQUENCE RESTART and
// TRUNCATE .. RESTART IDENTITY can be rolled back: they give the sequence a new StorageID.
//
// A block is as long as PostgreSQL logs ahead. While blocks are used up faster than a disk can sync a few of
// them, they grow, so that a busy sequence does not wait for the disk.
type Sequences struct {
	store  kv.Store
	states sync.Map // StorageID to *sequenceState
}

const (
	sequenceAhead    = 32   // values persisted beyond the one wanted
	sequenceAheadMax = 8192 // the same for a busy sequence
	sequenceBusy     = 20 * time.Millisecond
)

// sequenceState is the value of one sequence.
type sequenceState struct {
	mu     sync.Mutex
	loaded bool
	last   int64 // what nextval returned last, or will return first if !called
	called bool
	ahead  int64 // how many more values the stored state covers
	block  int64
	filled time.Time      // when the present block was persisted
	rule   sequenceNumber // that ahead was counted with
	key    []byte
}

// sequenceNumber is the part of a Sequence that says which number is next.
type sequenceNumber struct {
	increment, min, max int64
	cycle               bool
}

func newSequences(store kv.Store) *Sequences { return &Sequences{store: store} }

func (q *Sequences) state(t *Table) *sequenceState {
	id := t.Sequence.Storage
	if v, ok := q.states.Load(id); ok {
		return v.(*sequenceState)
	}
	v, _ := q.states.LoadOrStore(id, &sequenceState{key: RowPrefix(id), block: sequenceAhead})
	return v.(*sequenceState)
}

// NextVal advances the sequence and returns its value. The error at the end is 2200H.
func (q *Sequences) NextVal(ctx context.Context, t *Table) (int64, error) {
	s := q.state(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(ctx, q.store, t.Sequence); err != nil {
		return 0, err
	}
	rule := ruleOf(t.Sequence)
	next, ok := rule.after(s.last, s.called)
	if !ok {
		what, bound := "maximum", t.Sequence.Max
		if t.Sequence.Increment < 0 {
			what, bound = "minimum", t.Sequence.Min
		}
		return 0, errs.New(errs.SequenceLimitExceeded, "nextval: reached %s value of sequence %q (%d)", what, t.Name, bound)
	}
	if s.ahead == 0 || s.rule != rule {
		if err := s.fill(ctx, q.store, t.Sequence, next); err != nil {
			return 0, err
		}
	}
	s.ahead--
	s.last, s.called = next, true
	return next, nil
}

func ruleOf(d *Sequence) sequenceNumber {
	return sequenceNumber{d.Increment, d.Min, d.Max, d.Cycle}
}

// after is the number after last, or last itself if it has not been handed out; false at the end.
func (r sequenceNumber) after(last int64, called bool) (int64, bool) {
	if !called {
		return last, true
	}
	// Differences of int64 values fit uint64.
	if r.increment > 0 {
		if last < r.max && uint64(r.max)-uint64(last) >= uint64(r.increment) {
			return last + r.increment, true
		}
		return r.min, r.cycle
	}
	if last > r.min && uint64(last)-uint64(r.min) >= -uint64(r.increment) {
		return last + r.increment, true
	}
	return r.max, r.cycle
}

// fill persists a block that begins with next. Afterwards ahead counts next too.
func (s *sequenceState) fill(ctx context.Context, store kv.Store, d *Sequence, next int64) error {
	if time.Since(s.filled) < sequenceBusy {
		s.block = min(2*s.block, sequenceAheadMax)
	} else {
		s.block = sequenceAhead
	}
	rule := ruleOf(d)
	end, n := next, int64(1)
	for n < s.block+max(1, d.Cache) {
		after, ok := rule.after(end, true)
		if !ok {
			break
		}
		end, n = after, n+1
	}
	if err := s.persist(ctx, store, end, true); err != nil {
		return err
	}
	s.ahead, s.rule, s.filled = n, rule, time.Now()
	return nil
}

// load reads the stored state unless it has been.
func (s *sequenceState) load(ctx context.Context, store kv.Store, d *Sequence) error {
	if s.loaded {
		return nil
	}
	txn, err := store.Begin(ctx, kv.TxnOptions{ReadOnly: true, Newest: true})
	if err != nil {
		return err
	}
	defer txn.Rollback()
	value, ok, err := txn.Get(ctx, s.key, kv.AllColumns)
	switch {
	case err != nil:
		return err
	case !ok:
		s.last, s.called = d.Start, false
	case len(value) != 9:
		return errs.New(errs.DataCorrupted, "value of a sequence has %d bytes", len(value))
	default:
		s.last, s.called = int64(binary.BigEndian.Uint64(value)), value[8] != 0
	}
	s.loaded = true
	return nil
}

func (s *sequenceState) persist(ctx context.Context, store kv.Store, last int64, called bool) error {
	value := binary.BigEndian.AppendUint64(make([]byte, 0, 9), uint64(last))
	if called {
		value = append(value, 1)
	} else {
		value = append(value, 0)
	}
	return runTransaction(ctx, store, func(txn kv.Txn) error { return txn.Set(s.key, value, kv.AllColumns) })
}

// SetVal sets the value; the next NextVal returns it if called is false, its successor otherwise. Out of
// range is 22003. To start a sequence with a new StorageID elsewhere than at Start, set it before it is used.
func (q *Sequences) SetVal(ctx context.Context, t *Table, value int64, called bool) error {
	d := t.Sequence
	if value < d.Min || value > d.Max {
		return errs.New(errs.NumericValueOutOfRange, "setval: value %d is out of bounds for sequence %q (%d..%d)", value, t.Name, d.Min, d.Max)
	}
	s := q.state(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.persist(ctx, q.store, value, called); err != nil {
		return err
	}
	s.loaded, s.last, s.called, s.ahead = true, value, called, 0
	return nil
}

// LastValue is what SELECT from the sequence shows: last_value, log_cnt, is_called.
func (q *Sequences) LastValue(ctx context.Context, t *Table) (last, logCount int64, called bool, err error) {
	s := q.state(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(ctx, q.store, t.Sequence); err != nil {
		return 0, 0, false, err
	}
	return s.last, s.ahead, s.called, nil
}

// close persists the exact values, so that nothing is skipped after an orderly end.
func (q *Sequences) close(ctx context.Context) (err error) {
	q.states.Range(func(_, v any) bool {
		s := v.(*sequenceState)
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.loaded && s.ahead > 0 {
			if err = s.persist(ctx, q.store, s.last, s.called); err == nil {
				s.ahead = 0
			}
		}
		return err == nil
	})
	return err
}

// sequenceColumns are the columns of every sequence.
func sequenceColumns() []*Column {
	return []*Column{
		{Number: 1, Name: "last_value", Type: types.Int8, Mod: types.NoTypmod, NotNull: true},
		{Number: 2, Name: "log_cnt", Type: types.Int8, Mod: types.NoTypmod, NotNull: true},
		{Number: 3, Name: "is_called", Type: types.Bool, Mod: types.NoTypmod, NotNull: true},
	}
}

// sequenceRows makes a sequence a relation of one row.
func sequenceRows(t *Table) *Virtual {
	return &Virtual{Rows: func(v *VirtualContext, _ VirtualFilter, emit func([]types.Datum) bool) error {
		last, logCount, called, err := v.Snapshot.catalog.sequences.LastValue(v.Context, t)
		if err == nil {
			emit([]types.Datum{types.NewInt(last), types.NewInt(logCount), types.NewBool(called)})
		}
		return err
	}}
}
