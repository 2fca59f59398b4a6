package pebblekv

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"holdfast/kv"
	"holdfast/kv/buffer"
	"holdfast/kv/conflict"
	"holdfast/kv/internal/arena"
	"holdfast/kv/internal/fault"
	"holdfast/kv/internal/turns"
)

// limits are the sizes from which on a commit goes another way. Simulations have small ones, to go all ways.
type limits struct {
	// groupsInFlight is how many groups may wait for their sync. When they do, commits gather for the next
	// group instead.
	groupsInFlight int
	// groupBytes bounds the writes of a group, unless a single transaction has more.
	groupBytes int64
	// preparedBytes is the size from which a transaction's batch is made by its own goroutine.
	preparedBytes int64
	// preparedReads is the number of reads from which a transaction is validated by its own goroutine first.
	preparedReads int
	// locks is how many locks the sequencer releases itself.
	locks int
	// accumulatorBytes is how much memory the values of accumulators may take between groups.
	accumulatorBytes int
	// trimPerGroup bounds the trimming of the recent writes for each group, beyond twice what the last one added.
	trimPerGroup int
	// gaps bounds the gaps that are remembered.
	gaps int
	// missesPerGap is how many look-ups that find nothing there are to one that makes a gap.
	missesPerGap int
}

var usualLimits = limits{
	groupsInFlight: 64, groupBytes: 16 << 20, preparedBytes: 32 << 10, preparedReads: 64, locks: 1024, trimPerGroup: 256,
	gaps: defaultGaps, missesPerGap: missesPerGap,
	accumulatorBytes: 1 << 20,
}

// commitQueue is the transactions that wait for the sequencer.
type commitQueue struct {
	turns   turns.Scheduler
	bytes   int64 // taken at once
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

// take waits for transactions and moves what there is, up to the limit of bytes, into group. It returns none at the
// end.
func (q *commitQueue) take(group []*txn) []*txn {
	for {
		q.mu.Lock()
		n, bytes := 0, int64(0)
		for n < len(q.waiting) && (n == 0 || bytes+q.waiting[n].commitBytes() <= q.bytes) {
			bytes += q.waiting[n].commitBytes()
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
		turns.Receive(q.turns, q.wake)
	}
}

// group is commits that are applied, synced and published together.
type group struct {
	members []*txn
	batch   engineBatch
	snap    *snapshot
	version [8]byte // the last member's, as it is stored
}

// runSequencer commits groups until the store is closed.
func (s *Store) runSequencer() {
	var waiting []*txn
	for {
		// Others that are about to commit are let go first, so that they share the group, its batch and its
		// snapshot; but not while someone waits for a row lock, which may be that of a commit already here.
		if !s.locks.AnyWaiting() {
			turns.Yield(s.turns)
		}
		clear(waiting)
		waiting = s.commits.take(waiting[:0])
		if len(waiting) == 0 {
			s.guards.close()
			turns.Send(s.turns, s.groups, nil)
			return
		}
		if g := s.sequence(waiting); g != nil {
			turns.Send(s.turns, s.groups, g)
		}
	}
}

// sequence validates transactions in their order, and applies those that pass as one batch. Their versions
// follow that order, so that a later one of the group is validated against the earlier ones.
func (s *Store) sequence(waiting []*txn) *group {
	turns.Lock(s.turns, &s.applying)
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
	for _, t := range waiting {
		t.err = s.sums.load(t)
	}
	horizon := s.states.horizon()
	g := &group{members: make([]*txn, 0, len(waiting))}
	s.recent.Lock()
	s.recent.Trim(horizon, 2*s.added+s.options.limits.trimPerGroup)
	s.added = 0
	if s.options.Fault.SkipGroupValidation {
		for _, t := range waiting {
			if t.err == nil {
				t.err = s.validate(t)
			}
		}
	}
	for _, t := range waiting {
		if t.err == nil && !s.options.Fault.SkipGroupValidation {
			t.err = s.validate(t)
		}
		if t.err == nil {
			t.err = s.sums.add(t, g.members)
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
				s.countRefusal(t.err)
				s.refuseCommit(t, t.err)
			}
		}
	}
	if len(g.members) == 0 {
		s.sums.end(true)
		return nil
	}
	s.options.Fault.At(fault.StepValidated)

	if t := g.members[0]; t.tables != nil {
		if err := s.ingest(t); err != nil {
			t.err = err
			g.members = g.members[:0]
			s.sums.end(false)
			s.refuseCommit(t, err)
		}
	} else {
		g.batch = s.batchOf(g)
		if err := s.engine.apply(g.batch); err != nil {
			s.fail(fmt.Errorf("applying a batch: %w", err))
		}
	}
	if s.failure.Load() != nil {
		for _, t := range g.members {
			s.refuseCommit(t, fmt.Errorf("%w: %w", kv.ErrCommitUnknown, s.unavailable()))
		}
		return nil
	}
	s.options.Fault.At(fault.StepApplied)
	s.sums.end(!s.sums.outdated.Swap(false)) // before the snapshot, in which what has been removed is not
	g.snap = &snapshot{engine: s.engine.snapshot(), version: s.version, synced: make(chan struct{})}
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
	if err := t.reads.CheckLocked(s.recent, t.validatedTo); err != nil {
		return err
	}
	if err := t.checkOwn(t.validatedTo, true); err != nil || t.checks == nil || s.options.Fault.SkipMarked {
		return err
	}
	return recheck(t.checks.CheckLocked(s.recent, t.validatedTo))
}

// index puts the writes of t into the index of recent writes, and takes them out of the gaps. It returns how many single
// keys that were.
func (s *Store) index(t *txn) int {
	if !s.options.Fault.KeepGaps {
		s.gaps.written(t)
	}
	if t.bulk != nil || t.spilled.any() {
		s.recent.AddRun(t.bulk, t.version)
		return 0
	}
	add := func(w buffer.Write) bool {
		s.recent.Add(w.Key, w.Columns, t.version)
		return true
	}
	t.writes.Scan(add)
	t.deltas.Scan(add)
	return t.writes.Len() + t.deltas.Len()
}

// batchOf collects the writes of a group.
func (s *Store) batchOf(g *group) engineBatch {
	var batch engineBatch
	if len(g.members) == 1 && g.members[0].batch != nil {
		batch, g.members[0].batch = g.members[0].batch, nil
	} else {
		bytes := int64(0)
		for _, t := range g.members {
			bytes += t.commitBytes()
		}
		batch = s.engine.newBatch(int(bytes) + 64)
		for _, t := range g.members {
			if t.batch == nil {
				addWrites(batch, &t.writes)
				s.areas.add(&t.writes)
				continue
			}
			if err := batch.add(t.batch); err != nil {
				s.fail(fmt.Errorf("collecting a batch: %w", err))
			}
			t.batch.close()
			t.batch = nil
		}
	}
	if err := s.sums.settle(g.members, func(w buffer.Write) error { batch.write(&w); return nil }); err != nil {
		s.fail(fmt.Errorf("adding up accumulators: %w", err))
	}
	for _, t := range g.members {
		s.counts.bytes.Add(uint64(t.commitBytes()))
		s.counts.writes.Add(uint64(t.writes.Len() + t.spilled.len() + t.deltas.Len()))
	}
	s.addVersion(batch, &g.version)
	return batch
}

// addVersion adds the version of the last commit to its batch. bytes is memory to encode it in.
func (s *Store) addVersion(batch engineBatch, bytes *[8]byte) {
	binary.BigEndian.PutUint64(bytes[:], uint64(s.version))
	batch.set(versionKey, bytes[:])
}

func addWrites(batch engineBatch, writes *buffer.Buffer) {
	writes.Scan(func(w buffer.Write) bool {
		batch.write(&w)
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
	if t.owner.Held() <= s.options.limits.locks {
		s.locks.Release(&t.owner)
	} else {
		turns.Go(s.turns, "release", func() { s.locks.Release(&t.owner) })
	}
}

// countRefusal counts a commit that was refused.
func (s *Store) countRefusal(err error) {
	switch {
	case errors.Is(err, kv.ErrConflict):
		s.counts.conflicts.Add(1)
	case errors.Is(err, kv.ErrRecheck):
		s.counts.rechecks.Add(1)
	default:
		s.counts.refusals.Add(1)
	}
}

// refuseCommit answers a transaction that was not committed. It keeps its locks if it may be restarted.
func (s *Store) refuseCommit(t *txn, err error) {
	t.err = err
	if !kv.Restartable(err) {
		s.unlock(t)
	}
	t.done <- struct{}{}
}

// runPublisher makes groups visible and answers their clients as they become durable.
func (s *Store) runPublisher() {
	defer close(s.ended)
	for {
		g := turns.Receive(s.turns, s.groups)
		if g == nil {
			return
		}
		if g.batch != nil { // what has been ingested is on disk
			if err := g.batch.syncWait(); err != nil {
				s.fail(fmt.Errorf("writing the log: %w", err))
			}
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
		if g.batch != nil {
			g.batch.close()
		}
	}
}

func (s *Store) answer(g *group) {
	for _, t := range g.members {
		t.done <- struct{}{}
	}
}

// validateEarly validates a large footprint up to the present.
func (s *Store) validateEarly(t *txn) error {
	few := s.options.limits.preparedReads
	if t.reads.Len() <= few && !t.ownReads && (t.checks == nil || t.checks.Len() <= few) || s.options.Fault.SkipValidation {
		return nil
	}
	newest := s.states.newestVersion()
	turns.Point(s.turns, "validating early")
	err := t.reads.Check(s.recent, t.validatedTo)
	if err == nil {
		err = t.checkOwn(t.validatedTo, false)
	}
	if err == nil && t.checks != nil {
		err = recheck(t.checks.Check(s.recent, t.validatedTo))
	}
	if err != nil {
		s.countRefusal(err)
		return err
	}
	turns.Point(s.turns, "validated early")
	t.validatedTo = max(t.validatedTo, newest)
	return nil
}

// prepare does what can be done for the commit of t outside the sequencer: the validation of a large footprint
// up to the present, and the batch and index entries of many writes.
func (s *Store) prepare(ctx context.Context, t *txn) error {
	t.validatedTo = t.snap.version
	if err := s.validateEarly(t); err != nil {
		return err
	}
	if t.spilled.any() {
		return s.prepareSpilled(ctx, t)
	}
	if n := t.writes.Len() + t.deltas.Len(); s.recent.IsBulk(n) {
		intervals := make([]conflict.Interval, 0, n)
		var keys arena.Arena
		add := func(w buffer.Write) bool {
			start, end := conflict.PointIn(&keys, w.Key)
			intervals = append(intervals, conflict.Interval{Start: start, End: end, Columns: w.Columns})
			return true
		}
		t.writes.Scan(add)
		t.deltas.Scan(add)
		t.bulk = s.recent.Bulk(intervals)
	}
	if bytes := t.writes.Bytes(); bytes > s.options.limits.preparedBytes {
		t.batch = s.engine.newBatch(int(bytes) + 64)
		addWrites(t.batch, &t.writes)
		s.areas.add(&t.writes)
	}
	return nil
}
