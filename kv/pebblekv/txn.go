package pebblekv

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"holdfast/kv"
	"holdfast/kv/buffer"
	"holdfast/kv/conflict"
	"holdfast/kv/internal/arena"
	"holdfast/kv/internal/turns"
	"holdfast/kv/locks"
	"holdfast/kv/spill"

	"github.com/cockroachdb/pebble/v2"
)

// errEnded is returned by what is called after Commit or Rollback.
var errEnded = errors.New("kv: the transaction has ended")

// txn is a kv.Txn.
//
// Its state is a snapshot, the writes over it, and the footprint. The parts that readers of one view share (the
// footprint, the memory of values, the list of open iterators) are guarded by mu; the rest is the goroutine's that
// uses the transaction, and from submission to answer the sequencer's.
type txn struct {
	store   *Store
	options kv.TxnOptions
	snap    *snapshot
	writes  buffer.Buffer // the newest, in memory
	spilled spilled       // the others
	written uint64        // beginnings of the keys of both, as a set: see beginning
	deltas  buffer.Buffer // to accumulators that are not among the writes
	needs   []need        // what Require was told
	owner   locks.Owner
	staleAt kv.Version // version of a write that Lock has met; Refresh goes at least there
	doomed  error      // why only Restart and Rollback are left, nil if they are not
	ended   bool
	guard   *guard // of the transactions that have precedence; nil if it is none

	// active counts calls that use the engine and open iterators, for Close.
	active atomic.Int32

	mu        sync.Mutex
	reads     conflict.Footprint
	checks    *conflict.Footprint // of marked reads; nil if there are none
	ownReads  bool                // the existence of what is written has been read: see ownreads.go
	keepOwn   bool                // the footprint must keep such reads
	marked    spill.Writes        // those before the latest mark
	values    arena.Arena
	iterators *iterator // the first open one that has been moved
	abandoned bool      // the store is closed, and the memory of its iterators is lost

	next, previous *txn // in snapshots

	// For the commit.
	validatedTo kv.Version          // the footprint is known to be unchanged up to here
	bulk        []conflict.Interval // index entries, if the writes are many
	batch       engineBatch         // the writes, if they are large
	tables      *tables             // the writes, if they are larger than that
	version     kv.Version
	err         error
	done        chan struct{} // receives one value when version and err are final
}

// mark is a kv.Mark.
type mark struct {
	writes  buffer.State
	runs    []*spill.Run
	deltas  buffer.State
	needs   int // length of the list
	reads   conflict.Mark
	checks  *conflict.Footprint // that checked is a mark of
	checked conflict.Mark
	locks   locks.Mark
}

// usable tells why the transaction cannot go on, nil if it can.
func (t *txn) usable() error {
	switch {
	case t.ended:
		return errEnded
	case t.store.down.Load():
		return t.store.unavailable()
	}
	return t.doomed
}

// enter begins a call that uses the engine. leave must follow, unless it fails.
func (t *txn) enter(ctx context.Context) error {
	t.active.Add(1) // before usable looks whether Close has begun, which looks at active later
	err := t.usable()
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		t.active.Add(-1)
	}
	return err
}

func (t *txn) leave() { t.active.Add(-1) }

// ReadVersion implements kv.Txn.
func (t *txn) ReadVersion() kv.Version { return t.snap.version }

// Get implements kv.Reader.
func (t *txn) Get(ctx context.Context, key []byte, cols kv.ColumnSet) ([]byte, bool, error) {
	return t.get(ctx, t.current(), key, cols, recorded)
}

// Scan implements kv.Reader.
func (t *txn) Scan(ctx context.Context, r kv.KeyRange, o kv.ScanOptions) kv.Iterator {
	return newIterator(ctx, t, t.frozen(), r, o, recorded)
}

// View implements kv.Txn.
func (t *txn) View() kv.Reader { return &view{txn: t, writes: t.frozen(), mode: recorded} }

// Unrecorded implements kv.Reader.
func (t *txn) Unrecorded() kv.Reader { return &view{txn: t, writes: t.frozen(), mode: unrecorded} }

// Marked implements kv.Reader.
func (t *txn) Marked() kv.Reader { return &view{txn: t, writes: t.frozen(), mode: marked} }

// recording is where reads go.
type recording uint8

const (
	unrecorded recording = iota // nowhere
	recorded                    // txn.reads
	marked                      // txn.checks
)

// view is a kv.Reader over the writes its transaction had made when it was taken.
type view struct {
	txn    *txn
	writes spill.Writes
	mode   recording
}

// Get implements kv.Reader.
func (v *view) Get(ctx context.Context, key []byte, cols kv.ColumnSet) ([]byte, bool, error) {
	return v.txn.get(ctx, v.writes, key, cols, v.mode)
}

// Scan implements kv.Reader.
func (v *view) Scan(ctx context.Context, r kv.KeyRange, o kv.ScanOptions) kv.Iterator {
	return newIterator(ctx, v.txn, v.writes, r, o, v.mode)
}

// Unrecorded implements kv.Reader.
func (v *view) Unrecorded() kv.Reader { return &view{txn: v.txn, writes: v.writes, mode: unrecorded} }

// Marked implements kv.Reader.
func (v *view) Marked() kv.Reader {
	if v.mode == unrecorded {
		return v
	}
	return &view{txn: v.txn, writes: v.writes, mode: marked}
}

// get reads key under writes.
func (t *txn) get(ctx context.Context, writes spill.Writes, key []byte, cols kv.ColumnSet, mode recording) ([]byte, bool, error) {
	if err := t.enter(ctx); err != nil {
		return nil, false, err
	}
	defer t.leave()
	if t.written&beginning(key) != 0 && !writes.Empty() {
		w, ok, err := writes.Get(key, cols|kv.Existence)
		if err != nil {
			return nil, false, err
		}
		if ok {
			if rest := (cols | kv.Existence) &^ w.Columns; rest != 0 && mode != unrecorded && !t.options.ReadOnly {
				t.mu.Lock()
				t.observe(key, rest, mode)
				t.mu.Unlock()
			}
			return w.Value, !w.Deleted, nil
		}
	}
	absence := cols&^kv.Existence == 0
	var stored []byte
	var closer io.Closer
	err := pebble.ErrNotFound
	if !absence || !t.knownAbsent(key) {
		if stored, closer, err = t.snap.engine.get(encodeKey(key)); err == pebble.ErrNotFound && absence {
			if err := t.missed(key); err != nil {
				return nil, false, err
			}
		}
	}
	if err != nil && err != pebble.ErrNotFound {
		return nil, false, err
	}
	// The value is copied: keeping Pebble's own memory would keep a whole block or memtable for each.
	var value []byte
	t.mu.Lock()
	if err == nil {
		value = t.values.Copy(stored)
	}
	if mode != unrecorded && !t.options.ReadOnly && (err == nil || !t.store.options.Fault.IgnoreExistenceReads) {
		t.observe(key, cols|kv.Existence, mode)
	}
	t.mu.Unlock()
	if err != nil {
		return nil, false, nil
	}
	return value, true, closer.Close()
}

// beginning is the member of a set of 64 for the first four bytes of a key. Transactions read many keys whose beginning is that of
// no key that they have written, such as rows of another table: these are not looked for among many own writes.
func beginning(key []byte) uint64 {
	var first [4]byte
	copy(first[:], key)
	return 1 << (binary.BigEndian.Uint32(first[:]) * 0x9E3779B1 >> 26)
}

// observe records a read. mu is held.
func (t *txn) observe(key []byte, cols kv.ColumnSet, mode recording) {
	if t.store.options.Fault.IgnoreExistenceReads {
		if cols &^= kv.Existence; cols == 0 {
			return
		}
	}
	t.footprint(mode).Point(key, cols)
}

// footprint is where reads go that are recorded. mu is held.
func (t *txn) footprint(mode recording) *conflict.Footprint {
	if mode == recorded {
		return &t.reads
	}
	if t.checks == nil {
		t.checks = &conflict.Footprint{Limit: t.reads.Limit}
	}
	return t.checks
}

// observeRange records a read that is part of a scan begun when serial numbered the latest mark of its footprint. mu is held.
func (t *txn) observeRange(serial kv.Version, r kv.KeyRange, cols kv.ColumnSet, mode recording) {
	if t.store.options.Fault.IgnoreRangeReads {
		return
	}
	t.footprint(mode).Scanned(serial, r.Start, r.End, cols)
}

// Observe implements kv.Txn.
func (t *txn) Observe(key []byte, cols kv.ColumnSet) {
	if t.options.ReadOnly || t.ended {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.observe(key, cols|kv.Existence, recorded)
}

// ObserveRange implements kv.Txn.
func (t *txn) ObserveRange(r kv.KeyRange, cols kv.ColumnSet) {
	if t.options.ReadOnly || t.ended {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.observeRange(t.reads.Serial(), r, cols|kv.Existence, recorded)
}

// Set implements kv.Txn.
func (t *txn) Set(key, value []byte, cols kv.ColumnSet) error {
	if limit := t.store.options.caps().ValueBytes; len(value) > limit {
		return &kv.SizeError{Key: key, What: "value", Bytes: len(value), Limit: limit}
	}
	return t.put(buffer.Write{Key: key, Value: value, Columns: cols})
}

// Delete implements kv.Txn.
func (t *txn) Delete(key []byte) error {
	return t.put(buffer.Write{Key: key, Columns: kv.AllColumns, Deleted: true})
}

func (t *txn) put(w buffer.Write) error {
	if err := t.usable(); err != nil {
		return err
	}
	if t.options.ReadOnly {
		return kv.ErrReadOnly
	}
	if len(w.Key) > maxKeyBytes {
		return &kv.SizeError{Key: w.Key, What: "key", Bytes: len(w.Key), Limit: maxKeyBytes}
	}
	limit := t.store.options.MaxTxnBytes
	if left := limit - t.spilled.bytes() - t.deltas.Bytes(); left <= 0 || !t.writes.Put(w, left) {
		return fmt.Errorf("%w: the writes of a transaction are limited to %d bytes", kv.ErrTooLarge, limit)
	}
	t.written |= beginning(w.Key)
	if t.deltas.Len() > 0 {
		t.deltas.Remove(w.Key) // it has been replaced
	}
	t.coverOwn()
	if t.writes.Bytes()+int64(t.writes.Len())*writeMemory > t.store.options.SpillBytes {
		return t.spill()
	}
	return nil
}

// Lock implements kv.Txn.
func (t *txn) Lock(ctx context.Context, keys [][]byte, m kv.LockMode, w kv.WaitPolicy) error {
	if err := t.usable(); err != nil {
		return err
	}
	if t.options.ReadOnly {
		return kv.ErrReadOnly
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s := t.store
	for _, key := range keys {
		if t.owner.Held() >= s.options.TxnLocks && !s.locks.Contended(&t.owner, key, m) {
			t.Observe(key, m.Protects())
			continue
		}
		if err := t.acquire(ctx, key, m, w); err != nil {
			return err
		}
	}
	turns.Point(s.turns, "locked")
	var stale []byte
	var version kv.Version
	for _, key := range keys {
		if v, ok := s.recent.Written(key, m.Protects(), t.snap.version); ok && v >= version {
			stale, version = key, v
		}
	}
	t.staleAt = max(t.staleAt, version)
	if stale != nil {
		return &kv.StaleError{Key: stale, Version: version}
	}
	return nil
}

// acquire takes one lock. A guarded transaction gives way while it waits: the lock may be that of a commit which
// its guard has set aside.
func (t *txn) acquire(ctx context.Context, key []byte, m kv.LockMode, w kv.WaitPolicy) error {
	s := t.store
	if t.guard != nil && !w.NoWait && !w.SkipLocked {
		err := s.locks.Acquire(ctx, s.closing, &t.owner, key, m, kv.WaitPolicy{NoWait: true})
		if !errors.Is(err, kv.ErrLockNotAvailable) {
			return err
		}
		s.guards.pause(t, true)
		defer s.guards.pause(t, false)
	}
	return s.locks.Acquire(ctx, s.closing, &t.owner, key, m, w)
}

// Refresh implements kv.Txn.
func (t *txn) Refresh(ctx context.Context) error {
	if err := t.usable(); err != nil {
		return err
	}
	return t.refresh(ctx, false)
}

// Recheck implements kv.Txn.
func (t *txn) Recheck(ctx context.Context) error {
	doomed := t.doomed
	if errors.Is(doomed, kv.ErrRecheck) {
		t.doomed = nil
	}
	err := t.usable()
	if err == nil {
		err = t.refresh(ctx, true)
	}
	if err != nil && t.doomed == nil {
		t.doomed = doomed // the snapshot has not been moved
	}
	return err
}

// refresh moves the snapshot, and forgets the marked reads if it is to.
func (t *txn) refresh(ctx context.Context, forget bool) error {
	if t.options.ReadOnly {
		return fmt.Errorf("%w: it has no footprint to refresh by", kv.ErrReadOnly)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s := t.store
	newest, err := s.newest(t)
	if err != nil {
		return err
	}
	s.counts.refreshes.Add(1)
	turns.Point(s.turns, "refreshing")
	// The index may know later commits than newest has. Reads that they changed would not be valid at commit
	// either, so that failing now is only earlier.
	if err := t.validate(forget); err != nil {
		s.states.drop(newest, t)
		s.counts.refreshConflicts.Add(1)
		t.doom(err)
		return err
	}
	old := t.snap
	t.snap = newest
	s.states.drop(old, t)
	t.mu.Lock()
	defer t.mu.Unlock()
	if forget {
		t.checks, t.bulk, t.err = nil, nil, nil
	}
	for it := t.iterators; it != nil; it = it.next {
		it.stale = true
		it.retracted = it.retracted || forget && it.mode == marked
	}
	return nil
}

// Outdated implements kv.Txn.
func (t *txn) Outdated() bool {
	return t.usable() == nil && !t.options.ReadOnly && t.validate(false) != nil
}

// doom leaves only what may follow an error of validation. A state to which the transaction is moved next has what it has met.
func (t *txn) doom(err error) {
	t.doomed = err
	var met *kv.RecheckError
	if errors.As(err, &met) {
		t.staleAt = max(t.staleAt, met.Conflict.Version)
	}
}

// newest returns the newest state with a reference for t, which is not older than a write that t has met.
func (s *Store) newest(t *txn) (*snapshot, error) {
	newest := s.states.holdNewest(t)
	if newest.version < t.staleAt {
		// The group that wrote the locked row is indexed, but its result is not the newest state yet.
		s.states.drop(newest, t)
		s.awaitSequenced()
		newest = s.states.holdNewest(t)
	}
	if newest.version < t.staleAt { // nor will it ever be, for the store has failed
		s.states.drop(newest, t)
		return nil, s.unavailable()
	}
	return newest, nil
}

// awaitSequenced returns when the group that is being sequenced, if one is, has become the newest state.
func (s *Store) awaitSequenced() {
	turns.Lock(s.turns, &s.applying)
	s.applying.Unlock()
}

// validate compares the footprint, and what open iterators have passed over, with the commits since the
// snapshot. What is marked is left out if it is to be forgotten.
func (t *txn) validate(forget bool) error {
	if t.store.options.Fault.SkipValidation {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.reads.Check(t.store.recent, t.snap.version); err != nil {
		return err
	}
	if err := t.checkOwn(t.snap.version, false); err != nil {
		return err
	}
	if err := t.checkOpen(recorded); err != nil || forget {
		return err
	}
	if t.checks != nil {
		if err := t.checks.Check(t.store.recent, t.snap.version); err != nil {
			return recheck(err)
		}
	}
	return recheck(t.checkOpen(marked))
}

// checkOpen validates what open iterators have passed over. mu is held.
func (t *txn) checkOpen(mode recording) error {
	if t.iterators == nil || t.store.options.Fault.IgnoreRangeReads {
		return nil
	}
	var open []conflict.Interval
	for it := t.iterators; it != nil; it = it.next {
		if r, any := it.consumed(); any && it.mode == mode {
			open = append(open, conflict.Interval{Start: r.Start, End: r.End, Columns: it.columns})
		}
	}
	return t.store.recent.Check(open, t.snap.version)
}

// recheck makes an error of marked reads.
func recheck(err error) error {
	var met *kv.ConflictError
	if errors.As(err, &met) {
		return &kv.RecheckError{Conflict: met}
	}
	return err
}

// WaitDurable implements kv.Txn.
func (t *txn) WaitDurable(ctx context.Context) error {
	if err := t.usable(); err != nil {
		return err
	}
	return t.waitDurable(ctx)
}

func (t *txn) waitDurable(ctx context.Context) error {
	select {
	case <-t.snap.synced:
	default:
		if turns.Select(t.store.turns, t.snap.synced, ctx.Done(), nil, nil) != 0 {
			return ctx.Err()
		}
	}
	if t.store.failure.Load() != nil {
		return t.store.unavailable()
	}
	return nil
}

// Durable implements kv.Txn.
func (t *txn) Durable() bool {
	select {
	case <-t.snap.synced:
		return t.usable() == nil && t.store.failure.Load() == nil
	default:
		return false
	}
}

// Savepoint implements kv.Txn.
func (t *txn) Savepoint() kv.Mark {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.marked = t.frozen()
	m := &mark{
		writes: t.writes.Save(), runs: t.spilled.runs, deltas: t.deltas.Save(), needs: len(t.needs), reads: t.reads.Mark(),
		locks: t.owner.Mark(),
	}
	if t.checks != nil {
		m.checks, m.checked = t.checks, t.checks.Mark()
	}
	return m
}

// RollbackTo implements kv.Txn.
func (t *txn) RollbackTo(m kv.Mark) {
	undone := t.current()
	t.restore(m.(*mark))
	if t.reads.Covered != nil {
		t.uncover(undone)
	}
}

// Retract implements kv.Txn.
func (t *txn) Retract(m kv.Mark) {
	to := m.(*mark)
	undone := t.current()
	t.restore(to)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reads.Retract(to.reads)
	if latest := to.reads.After(t.reads.Serial() - 1); t.ownReads && !latest {
		t.mu.Unlock()
		t.uncover(undone)
		t.mu.Lock()
	}
	// If the marked reads of the mark are not the present ones, all of these have been made since.
	if t.checks != nil && t.checks == to.checks {
		t.checks.Retract(to.checked)
	} else {
		t.checks = nil
	}
	for it := t.iterators; it != nil; it = it.next {
		since := !to.reads.After(it.serial)
		if it.mode == marked {
			since = t.checks == nil || !to.checked.After(it.serial)
		}
		if since {
			it.retracted, it.stale = true, true
		}
	}
}

// UnlockTo implements kv.Txn.
func (t *txn) UnlockTo(m kv.Mark) {
	if !t.ended {
		t.store.locks.ReleaseTo(&t.owner, m.(*mark).locks)
	}
}

// Commit implements kv.Txn. Once the transaction has been sequenced it waits for the outcome, whatever the
// context says: nobody is served by not knowing. After a conflict nothing has ended but the writes' way to disk.
func (t *txn) Commit(ctx context.Context) (kv.Version, error) {
	if t.ended {
		return 0, errEnded
	}
	if err := t.enter(ctx); err != nil {
		if !kv.Restartable(err) {
			t.Rollback()
		}
		return 0, err
	}
	s := t.store
	if t.writes.Len() == 0 && t.deltas.Len() == 0 && len(t.spilled.runs) == 0 {
		s.unlock(t)
		version, err := t.snap.version, t.waitDurable(ctx)
		t.end()
		return version, err
	}
	t.closeIterators()
	err := s.prepare(ctx, t)
	if err == nil {
		t.done = make(chan struct{}, 1)
		turns.Point(s.turns, "prepared")
		if !s.commits.add(t) {
			err = s.unavailable()
		}
	}
	sequenced := err == nil
	if sequenced {
		turns.Receive(s.turns, t.done) // and the sequencer has released the locks, unless it may be restarted
		err = t.err
	}
	if t.batch != nil { // not committed
		t.batch.close()
		t.batch = nil
	}
	t.tables.remove(s)
	t.tables = nil
	if kv.Restartable(err) {
		t.doom(err)
		t.leave()
		return 0, err
	}
	if !sequenced {
		s.unlock(t)
	}
	t.end()
	if err != nil {
		return 0, err
	}
	return t.version, nil
}

// Restart implements kv.Txn.
func (t *txn) Restart(ctx context.Context, guard bool) error {
	t.doomed = nil
	if err := t.enter(ctx); err != nil {
		return err
	}
	defer t.leave()
	s := t.store
	t.closeIterators()
	if guard {
		s.guards.guard(t)
		// What is being sequenced has been looked at before, and must be in the state that t goes on with.
		turns.Point(s.turns, "guarded")
		s.awaitSequenced()
	} else {
		s.guards.unguard(t)
	}
	newest, err := s.newest(t)
	if err != nil {
		return err
	}
	old := t.snap
	t.snap, t.staleAt = newest, 0
	s.states.drop(old, t)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.writes, t.deltas, t.needs, t.bulk, t.err = buffer.Buffer{}, buffer.Buffer{}, nil, nil, nil
	t.written = 0
	t.spilled.close(s)
	t.owner.Again()
	t.ownReads, t.keepOwn, t.marked = false, false, spill.Writes{}
	t.reads, t.checks = conflict.Footprint{Limit: t.reads.Limit}, nil
	t.values = arena.Arena{}
	return nil
}

// Unguard implements kv.Txn.
func (t *txn) Unguard() { t.store.guards.unguard(t) }

// Rollback implements kv.Txn.
func (t *txn) Rollback() {
	if t.ended {
		return
	}
	t.active.Add(1)
	t.store.unlock(t)
	t.end()
}

// end gives back what the transaction holds. It ends the call that enter or Rollback has begun.
func (t *txn) end() {
	t.closeIterators()
	t.ended = true
	t.store.guards.unguard(t)
	t.store.states.end(t)
	t.spilled.close(t.store)
	t.leave()
	// Who keeps the transaction shall not keep its memory.
	t.marked = spill.Writes{}
	t.writes, t.reads, t.values, t.bulk = buffer.Buffer{}, conflict.Footprint{}, arena.Arena{}, nil
	t.checks, t.deltas, t.needs = nil, buffer.Buffer{}, nil
}

// closeIterators closes iterators the client has left open, and records what they have passed over.
func (t *txn) closeIterators() {
	for {
		t.mu.Lock()
		it := t.iterators
		t.mu.Unlock()
		if it == nil {
			return
		}
		it.fail(errEnded)
		_ = it.Close()
	}
}
