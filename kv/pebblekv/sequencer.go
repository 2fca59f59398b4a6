package pebblekv

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"holdfast/kv"
	"holdfast/kv/buffer"
	"holdfast/kv/conflict"
	"holdfast/kv/internal/fault"

	"github.com/cockroachdb/pebble/v2"
)

const (
	// maxGroupsInFlight is how many groups may wait for their sync. When they do, commits gather for the next
	// group instead.
	maxGroupsInFlight = 64
	// maxGroupBytes bounds the writes of a group, unless a single transaction has more.
	maxGroupBytes = 16 << 20
	// preparedBytes is the size from which a transaction's batch is made by its own goroutine.
	preparedBytes = 32 << 10
	// manyLocks is how many locks the sequencer releases itself.
	manyLocks = 1024
	// trimPerGroup bounds the trimming of the recent writes for each group, beyond twice what the last one added.
	trimPerGroup = 256
)

// commitQueue is the transactions that wait for the sequencer.
type commitQueue struct {
	mu      sync.Mutex
	waiting []*txn
	closed  bool
	wake    chan struct{} // has a value when the sequencer may have something to do
}

// add queues t; it returns false if the store is closed.
func (q *commitQueue) add(t *txn) bool {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return false
	}
	q.waiting = append(q.waiting, t)
	first := len(q.waiting) == 1
	q.mu.Unlock()
	if first {
		q.signal()
	}
	return true
}

func (q *commitQueue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// enter counts something that Close must wait for; it returns false if the store is closed.
func (q *commitQueue) enter(w *sync.WaitGroup) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		w.Add(1)
	}
	return !q.closed
}

func (q *commitQueue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.signal()
}

// take waits for transactions and moves what there is, up to maxGroupBytes, into group. It returns none at the
// end.
func (q *commitQueue) take(group []*txn) []*txn {
	for {
		q.mu.Lock()
		n, bytes := 0, int64(0)
		for n < len(q.waiting) && (n == 0 || bytes+q.waiting[n].writes.Bytes() <= maxGroupBytes) {
			bytes += q.waiting[n].writes.Bytes()
			n++
		}
		group = append(group, q.waiting[:n]...)
		rest := copy(q.waiting, q.waiting[n:])
		clear(q.waiting[rest:])
		q.waiting = q.waiting[:rest]
		closed := q.closed
		q.mu.Unlock()
		if n > 0 || closed {
			return group
		}
		<-q.wake
	}
}

// group is commits that are applied, synced and published together.
type group struct {
	members []*txn
	batch   *pebble.Batch
	snap    *snapshot
}

// runSequencer commits groups until the store is closed.
func (s *Store) runSequencer() {
	defer s.done.Done()
	defer close(s.groups)
	defer s.guards.close()
	var waiting []*txn
	for {
		// Others that are about to commit are let go first, so that they share the group, its batch and its
		// snapshot; but not while someone waits for a row lock, which may be that of a commit already here.
		if !s.locks.AnyWaiting() {
			runtime.Gosched()
		}
		clear(waiting)
		waiting = s.commits.take(waiting[:0])
		if len(waiting) == 0 {
			return
		}
		if g := s.sequence(waiting); g != nil {
			s.groups <- g
		}
	}
}

// sequence validates transactions in their order, and applies those that pass as one batch. Their versions
// follow that order, so that a later one of the group is validated against the earlier ones.
func (s *Store) sequence(waiting []*txn) *group {
	s.applying.Lock()
	defer s.applying.Unlock()
	if waiting = s.guards.sift(waiting); len(waiting) == 0 {
		return nil
	}
	if s.failure.Load() != nil {
		for _, t := range waiting {
			s.refuseCommit(t, s.unavailable())
		}
		return nil
	}
	if s.options.Fault.ReleaseLocksEarly {
		for _, t := range waiting {
			s.unlock(t)
		}
	}
	s.options.Fault.At(fault.StepGathered)
	horizon := s.states.horizon()
	g := &group{members: make([]*txn, 0, len(waiting))}
	s.recent.Lock()
	s.recent.Trim(horizon, 2*s.added+trimPerGroup)
	s.added = 0
	if s.options.Fault.SkipGroupValidation {
		for _, t := range waiting {
			t.err = s.validate(t)
		}
	}
	for _, t := range waiting {
		if !s.options.Fault.SkipGroupValidation {
			t.err = s.validate(t)
		}
		if t.err != nil {
			continue
		}
		s.version++
		t.version = s.version
		if o := t.options.Observer; o != nil {
			o.Sequenced(t.version)
		}
		s.added += s.index(t)
		g.members = append(g.members, t)
	}
	s.recent.Unlock()

	if len(g.members) < len(waiting) {
		for _, t := range waiting {
			if t.err != nil {
				s.counts.conflicts.Add(1)
				s.refuseCommit(t, t.err)
			}
		}
	}
	if len(g.members) == 0 {
		return nil
	}
	s.options.Fault.At(fault.StepValidated)

	g.batch = s.batchOf(g)
	if err := s.db.ApplyNoSyncWait(g.batch, pebble.Sync); err != nil {
		s.fail(fmt.Errorf("applying a batch: %w", err))
	}
	if s.failure.Load() != nil {
		for _, t := range g.members {
			s.refuseCommit(t, fmt.Errorf("%w: %w", kv.ErrCommitUnknown, s.unavailable()))
		}
		return nil
	}
	s.options.Fault.At(fault.StepApplied)
	g.snap = &snapshot{engine: s.db.NewSnapshot(), version: s.version, synced: make(chan struct{})}
	s.states.install(g.snap)
	s.options.Fault.At(fault.StepNewest)
	if s.options.Fault.PublishBeforeSync {
		s.states.publish(g.snap)
		s.answer(g)
	}
	s.releaseLocks(g)
	s.options.Fault.At(fault.StepReleased)

	s.counts.groups.Add(1)
	s.counts.commits.Add(uint64(len(g.members)))
	return g
}

// validate compares the footprint of t with what was committed since, earlier commits of its group included. The
// lock of recent is held.
func (s *Store) validate(t *txn) error {
	if s.options.Fault.SkipValidation {
		return nil
	}
	return t.reads.CheckLocked(s.recent, t.validatedTo)
}

// index puts the writes of t into the index of recent writes and returns how many single keys that were.
func (s *Store) index(t *txn) int {
	if t.bulk != nil {
		s.recent.AddRun(t.bulk, t.version)
		return 0
	}
	t.writes.Current().Scan(func(w buffer.Write) bool {
		s.recent.Add(w.Key, w.Columns, t.version)
		return true
	})
	return t.writes.Len()
}

// batchOf collects the writes of a group.
func (s *Store) batchOf(g *group) *pebble.Batch {
	var batch *pebble.Batch
	if len(g.members) == 1 && g.members[0].batch != nil {
		batch, g.members[0].batch = g.members[0].batch, nil
	} else {
		bytes := int64(0)
		for _, t := range g.members {
			bytes += t.writes.Bytes()
		}
		batch = s.db.NewBatchWithSize(int(bytes) + 64)
		for _, t := range g.members {
			if t.batch == nil {
				addWrites(batch, t.writes.Current())
				continue
			}
			if err := batch.Apply(t.batch, nil); err != nil {
				s.fail(fmt.Errorf("collecting a batch: %w", err))
			}
			_ = t.batch.Close() // returns nil always
			t.batch = nil
		}
	}
	for _, t := range g.members {
		s.counts.bytes.Add(uint64(t.writes.Bytes()))
		s.counts.writes.Add(uint64(t.writes.Len()))
	}
	var version [8]byte
	binary.BigEndian.PutUint64(version[:], uint64(s.version))
	if err := batch.Set(versionKey, version[:], nil); err != nil {
		s.fail(fmt.Errorf("collecting a batch: %w", err))
	}
	return batch
}

func addWrites(batch *pebble.Batch, writes *buffer.Tree) {
	writes.Scan(func(w buffer.Write) bool {
		// Neither fails on a batch without index.
		if w.Deleted {
			_ = batch.Delete(encodeKey(w.Key), nil)
		} else {
			_ = batch.Set(encodeKey(w.Key), w.Value, nil)
		}
		return true
	})
}

// releaseLocks frees the row locks of a group, whose results can now be read by whoever refreshes.
func (s *Store) releaseLocks(g *group) {
	for _, t := range g.members {
		s.unlock(t)
	}
}

// unlock releases the locks of t, which it has no use of any more.
func (s *Store) unlock(t *txn) {
	if t.owner.Held() <= manyLocks {
		s.locks.Release(&t.owner)
	} else {
		go s.locks.Release(&t.owner)
	}
}

// refuseCommit answers a transaction that was not committed. After a conflict it keeps its locks, for it may be
// restarted.
func (s *Store) refuseCommit(t *txn, err error) {
	t.err = err
	if !errors.Is(err, kv.ErrConflict) {
		s.unlock(t)
	}
	t.done <- struct{}{}
}

// runPublisher makes groups visible and answers their clients as they become durable.
func (s *Store) runPublisher() {
	defer s.done.Done()
	for g := range s.groups {
		if err := g.batch.SyncWait(); err != nil {
			s.fail(fmt.Errorf("writing the log: %w", err))
		}
		if s.failure.Load() != nil {
			close(g.snap.synced)
			if !s.options.Fault.PublishBeforeSync {
				for _, t := range g.members {
					t.err = fmt.Errorf("%w: %w", kv.ErrCommitUnknown, s.unavailable())
				}
				s.answer(g)
			}
			continue
		}
		s.options.Fault.At(fault.StepSynced)
		if !s.options.Fault.PublishBeforeSync {
			s.states.publish(g.snap)
		}
		close(g.snap.synced)
		s.options.Fault.At(fault.StepPublished)
		if !s.options.Fault.PublishBeforeSync {
			s.answer(g)
		}
		s.options.Fault.At(fault.StepAnswered)
		_ = g.batch.Close() // returns nil always
	}
}

func (s *Store) answer(g *group) {
	for _, t := range g.members {
		t.done <- struct{}{}
	}
}

// prepare does what can be done for the commit of t outside the sequencer: the validation of a large footprint
// up to the present, and the batch and index entries of many writes.
func (s *Store) prepare(t *txn) error {
	t.validatedTo = t.snap.version
	if t.reads.Len() > 64 && !s.options.Fault.SkipValidation {
		newest := s.states.newestVersion()
		if err := t.reads.Check(s.recent, t.validatedTo); err != nil {
			s.counts.conflicts.Add(1)
			return err
		}
		t.validatedTo = max(t.validatedTo, newest)
	}
	writes := t.writes.Current()
	if n := t.writes.Len(); s.recent.IsBulk(n) {
		intervals := make([]conflict.Interval, 0, n)
		writes.Scan(func(w buffer.Write) bool {
			end := conflict.PointEnd(w.Key)
			intervals = append(intervals, conflict.Interval{Start: end[:len(w.Key)], End: end, Columns: w.Columns})
			return true
		})
		t.bulk = s.recent.Bulk(intervals)
	}
	if bytes := t.writes.Bytes(); bytes > preparedBytes {
		t.batch = s.db.NewBatchWithSize(int(bytes) + 64)
		addWrites(t.batch, writes)
	}
	return nil
}
