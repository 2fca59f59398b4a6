package memkv

import (
	"context"
	"errors"
	"fmt"

	"holdfast/kv"

	"github.com/tidwall/btree"
)

// write is the buffered state of one key.
type write struct {
	value   []byte
	deleted bool
	columns kv.ColumnSet // of all writes of the key that are in effect
}

// buffer holds a transaction's own writes. It is copied (on write, so at no cost) for every view and mark.
type buffer = btree.Map[string, write]

// errEnded is returned by what is called after Commit or Rollback.
var errEnded = errors.New("memkv: the transaction has ended")

// txn implements kv.Txn. Its fields are guarded by store.mu.
type txn struct {
	store     *Store
	options   kv.TxnOptions
	snapshot  state
	writes    *buffer
	deltas    *deltas // of keys that are not in writes
	bytes     int64   // of the keys and values in writes and deltas
	required  []requirement
	footprint []*read
	held      []string // keys with a lock of this transaction
	waiting   *waiter  // the lock request it waits for, nil if none
	doomed    error    // why only Restart and Rollback are left, nil if they are not
	ended     bool
	asked     []asking // since Begin or Restart
	guarded   bool     // in store.guarded
	reads     []*read  // of all attempts before, while it is guarded
}

// mark implements kv.Mark.
type mark struct {
	writes   *buffer
	deltas   *deltas
	bytes    int64
	required int // length of the list
	reads    int // length of the footprint
	asked    int // length of the list
}

// usable tells why the transaction cannot go on, nil if it can.
func (t *txn) usable() error {
	switch {
	case t.ended:
		return errEnded
	case t.store.closed:
		return unavailable()
	}
	return t.doomed
}

func (t *txn) ReadVersion() kv.Version {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	return t.snapshot.version
}

func (t *txn) Get(ctx context.Context, key []byte, cols kv.ColumnSet) ([]byte, bool, error) {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	return t.get(ctx, t.writes, key, cols, false)
}

func (t *txn) Scan(ctx context.Context, r kv.KeyRange, o kv.ScanOptions) kv.Iterator {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	return t.scan(ctx, t.writes.Copy(), r, o, false, false)
}

func (t *txn) Unrecorded() kv.Reader {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	return &view{txn: t, writes: t.writes.Copy(), silent: true}
}

func (t *txn) Marked() kv.Reader {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	return &view{txn: t, writes: t.writes.Copy(), marked: true}
}

func (t *txn) View() kv.Reader {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	return &view{txn: t, writes: t.writes.Copy()}
}

func (t *txn) FirstPresent(ctx context.Context, keys [][]byte) (int, error) {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	for i, key := range keys {
		if _, ok, err := t.get(ctx, t.writes, key, kv.Existence, false); ok || err != nil {
			return i, err
		}
	}
	return -1, nil
}

func (t *txn) Observe(key []byte, cols kv.ColumnSet) {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	t.record(pointRead(key, cols))
}

func (t *txn) ObserveRange(r kv.KeyRange, cols kv.ColumnSet) {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	t.record(rangeRead(r, cols))
}

func (t *txn) Set(key, value []byte, cols kv.ColumnSet) error {
	if limit := t.store.options.ValueBytes; limit > 0 && len(value) > limit {
		return &kv.SizeError{Key: key, What: "value", Bytes: len(value), Limit: limit}
	}
	return t.put(key, write{value: value, columns: cols})
}

func (t *txn) Delete(key []byte) error {
	return t.put(key, write{deleted: true, columns: kv.AllColumns})
}

func (t *txn) put(key []byte, w write) error {
	s := t.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := t.usable(); err != nil {
		return err
	}
	if t.options.ReadOnly {
		return kv.ErrReadOnly
	}
	if limit := s.options.KeyBytes; limit > 0 && len(key) > limit {
		return &kv.SizeError{Key: key, What: "key", Bytes: len(key), Limit: limit}
	}
	bytes := t.bytes + int64(len(key)+len(w.value))
	if old, ok := t.writes.Get(string(key)); ok {
		w.columns |= old.columns
		bytes -= int64(len(key) + len(old.value))
	}
	if old, ok := t.deltas.Get(string(key)); ok {
		bytes -= int64(len(key) + len(old))
	}
	if limit := s.options.TxnBytes; limit > 0 && bytes > limit {
		return fmt.Errorf("%w: transaction of %d bytes, the limit is %d", kv.ErrTooLarge, bytes, limit)
	}
	t.writes.Set(string(key), w)
	t.deltas.Delete(string(key))
	t.bytes = bytes
	return nil
}

func (t *txn) Savepoint() kv.Mark {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	return mark{
		writes: t.writes.Copy(), deltas: t.deltas.Copy(), bytes: t.bytes, required: len(t.required), reads: len(t.footprint),
		asked: len(t.asked),
	}
}

func (t *txn) RollbackTo(m kv.Mark) {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	to := m.(mark)
	t.writes, t.deltas, t.bytes = to.writes.Copy(), to.deltas.Copy(), to.bytes
	t.required = t.required[:to.required:to.required]
}

func (t *txn) Retract(m kv.Mark) {
	t.RollbackTo(m)
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	for _, r := range t.footprint[m.(mark).reads:] {
		r.retracted = true
	}
	t.footprint = t.footprint[:m.(mark).reads]
}

func (t *txn) Refresh(ctx context.Context) error {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	return t.refresh(ctx, t.doomed)
}

// Recheck implements kv.Txn.
func (t *txn) Recheck(ctx context.Context) error {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	doomed := t.doomed
	if errors.Is(doomed, kv.ErrRecheck) {
		doomed = nil
	}
	if err := t.refreshable(ctx, doomed); err != nil {
		return err
	}
	for _, r := range t.footprint {
		r.retracted = r.retracted || r.marked
	}
	t.doomed = nil
	return t.refresh(ctx, nil)
}

// refreshable tells why the snapshot cannot be moved, nil if it can.
func (t *txn) refreshable(ctx context.Context, doomed error) error {
	switch {
	case t.ended:
		return errEnded
	case t.store.closed:
		return unavailable()
	case doomed != nil:
		return doomed
	case ctx.Err() != nil:
		return ctx.Err()
	case t.options.ReadOnly:
		return fmt.Errorf("%w: it has no footprint to refresh by", kv.ErrReadOnly)
	}
	return nil
}

func (t *txn) refresh(ctx context.Context, doomed error) error {
	if err := t.refreshable(ctx, doomed); err != nil {
		return err
	}
	if err := t.validate(); err != nil {
		t.doomed = err
		return err
	}
	t.snapshot = t.store.newest
	return nil
}

func (t *txn) Outdated() bool {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	return t.usable() == nil && !t.options.ReadOnly && t.validate() != nil
}

func (t *txn) WaitDurable(ctx context.Context) error {
	t.store.mu.Lock()
	err, v := t.usable(), t.snapshot.version
	t.store.mu.Unlock()
	if err != nil {
		return err
	}
	return t.store.waitDurable(ctx, v)
}

func (t *txn) Durable() bool {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	return t.usable() == nil && t.snapshot.version <= t.store.durable.version
}

// Commit implements kv.Txn. A transaction that has written nothing needs no validation: its snapshot is its
// place in the serial order.
func (t *txn) Commit(ctx context.Context) (kv.Version, error) {
	s := t.store
	s.mu.Lock()
	t.giveWay(ctx)
	version, err := t.sequence(ctx)
	wrote := t.wrote()
	if kv.Restartable(err) {
		t.doomed = err
		s.mu.Unlock()
		return 0, err
	}
	t.end()
	if err != nil {
		s.mu.Unlock()
		return 0, err
	}
	s.commits.Add(1)
	defer s.commits.Done()
	s.mu.Unlock()
	err = s.waitDurable(ctx, version)
	if err != nil && wrote {
		err = fmt.Errorf("%w: %v", kv.ErrCommitUnknown, err)
	}
	return version, err
}

// sequence validates and applies the writes, and returns the version that has to be durable.
func (t *txn) sequence(ctx context.Context) (kv.Version, error) {
	s := t.store
	if err := t.usable(); err != nil {
		return 0, err
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if !t.wrote() {
		return t.snapshot.version, nil
	}
	if err := t.validate(); err != nil {
		return 0, err
	}
	next := state{version: s.newest.version + 1, data: s.newest.data.Copy()}
	written := map[string]kv.ColumnSet{}
	t.writes.Scan(func(key string, w write) bool {
		if w.deleted {
			next.data.Delete(key)
		} else {
			next.data.Set(key, w.value)
		}
		written[key] = w.columns
		return true
	})
	if err := t.accumulate(next.data, written); err != nil {
		return 0, err
	}
	if o := t.options.Observer; o != nil {
		o.Sequenced(next.version)
	}
	s.newest = next
	s.log = append(s.log, commit{version: next.version, writes: written})
	s.sync()
	return next.version, nil
}

func (t *txn) Rollback() {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	t.end()
}

// end releases the locks and forgets the transaction.
func (t *txn) end() {
	if t.ended {
		return
	}
	t.ended = true
	t.unguard()
	delete(t.store.open, t)
	t.unlockAll()
	t.store.trim()
}
