package pebblekv

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/kv"
	"holdfast/kv/conflict"
	"holdfast/kv/internal/turns"
	"holdfast/kv/locks"
	"holdfast/kv/spill"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
)

// Store is a kv.Store on Pebble.
//
// Goroutines: the sequencer ends when the store is closed and nothing waits to be committed; the publisher ends
// after it. Close waits for both. What they and the clients' goroutines block on goes through kv/internal/turns, and
// Pebble is behind an interface, so that simulations run this very code, step by step.
type Store struct {
	options Options
	turns   turns.Scheduler // options.turns
	engine  engine
	folder  *spill.Folder // of temporary files
	tables  sstable.WriterOptions
	recent  *conflict.Recent
	locks   *locks.Table
	states  snapshots
	areas   areas
	gaps    gaps
	sums    accumulators

	commits  commitQueue
	guards   guards
	groups   chan *group    // from the sequencer to the publisher; nil is the end
	applying sync.Mutex     // held by the sequencer from validation until the result is the newest state
	version  kv.Version     // of the last commit; the sequencer's own
	added    int            // keys that the last group has added to the index of recent writes; the sequencer's own
	closing  chan struct{}  // closed when Close begins: whoever waits gives up
	down     atomic.Bool    // set when Close begins or the store has failed
	calls    sync.WaitGroup // of Discard and Checkpoint
	ended    chan struct{}  // closed when sequencer and publisher have ended

	failure atomic.Pointer[error] // why the store has failed
	closed  chan struct{}         // closed when Close has ended

	counts counters
}

var _ kv.Store = (*Store)(nil)

// Open opens the store in a folder, which it creates if need be. It fails with kv.ErrInUse, kv.ErrFormat, or what
// the file system says.
func Open(o Options) (*Store, error) {
	s := newStore(o)
	e, err := openPebble(s)
	if err != nil {
		return nil, err
	}
	if err := s.start(e); err != nil {
		return nil, errors.Join(err, e.close())
	}
	return s, nil
}

// newStore returns a store that has no engine yet.
func newStore(o Options) *Store {
	o = o.withDefaults()
	s := &Store{
		options: o,
		turns:   o.turns,
		areas:   areas{busy: o.MemtableBytes / busyShare},
		gaps:    gaps{bound: o.limits.gaps},
		recent:  conflict.NewRecent(o.RecentKeys),
		locks:   locks.New(o.turns),
		groups:  make(chan *group, o.limits.groupsInFlight),
		closing: make(chan struct{}),
		ended:   make(chan struct{}),
		closed:  make(chan struct{}),
	}
	s.commits = commitQueue{turns: o.turns, bytes: o.limits.groupBytes, wake: make(chan struct{}, 1)}
	s.sums.store = s
	s.guards.add = s.commits.add
	s.guards.refuse = func(t *txn) { s.refuseCommit(t, s.unavailable()) }
	return s
}

// start begins work on an engine.
func (s *Store) start(e engine) error {
	s.engine = e
	first := &snapshot{engine: e.snapshot(), synced: make(chan struct{})}
	version, err := readVersion(first.engine)
	if err != nil {
		first.free()
		return err
	}
	s.version, first.version = version, version
	close(first.synced)
	s.states.install(first)
	s.states.publish(first)
	turns.Go(s.turns, "sequencer", s.runSequencer)
	turns.Go(s.turns, "publisher", s.runPublisher)
	return nil
}

// readVersion returns the version of the last commit, which each group of commits writes with its data.
func readVersion(state engineSnapshot) (kv.Version, error) {
	value, closer, err := state.get(versionKey)
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, nil
	} else if err != nil {
		return 0, err
	}
	defer closer.Close()
	if len(value) != 8 {
		return 0, fmt.Errorf("%w: the last version has %d bytes", kv.ErrFormat, len(value))
	}
	return kv.Version(binary.BigEndian.Uint64(value)), nil
}

// Begin implements kv.Store.
func (s *Store) Begin(ctx context.Context, o kv.TxnOptions) (kv.Txn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.down.Load() {
		return nil, s.unavailable()
	}
	t := &txn{store: s, options: o}
	t.owner.ID, t.owner.Observer = o.Owner, o.Observer
	t.reads.Limit = s.options.FootprintReads
	if !s.states.begin(t, o.Newest) {
		return nil, s.unavailable()
	}
	return t, nil
}

// Caps implements kv.Store.
func (s *Store) Caps() kv.Caps { return s.options.caps() }

// Discard implements kv.Store. The space comes back when Pebble merges the files.
func (s *Store) Discard(ctx context.Context, r kv.KeyRange) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !s.commits.enter(&s.calls) {
		return s.unavailable()
	}
	defer s.calls.Done()
	lower, upper := encodeRange(r)
	if upper == nil {
		upper = lastKey
	}
	if err := s.engine.removeRange(lower, upper); err != nil {
		return err
	}
	s.sums.outdated.Store(true)
	if s.failure.Load() != nil {
		return s.unavailable()
	}
	return nil
}

// Close implements kv.Store. It waits for commits on their way, and for open iterators as long as
// Options.CloseGrace says.
func (s *Store) Close() error {
	if !s.states.refuse() {
		turns.Receive(s.turns, s.closed)
		return nil
	}
	defer close(s.closed)
	s.down.Store(true)
	close(s.closing)
	s.commits.close()
	turns.Receive(s.turns, s.ended)
	s.calls.Wait()
	deadline := time.Now().Add(s.options.CloseGrace)
	for s.states.busy() && time.Now().Before(deadline) {
		turns.Sleep(s.turns, time.Millisecond)
	}
	abandoned := s.states.abandon()
	err := s.closeEngine(abandoned)
	switch {
	case s.failure.Load() != nil:
		return nil // it has been reported, and has consequences for closing
	case abandoned:
		s.options.Logger.Warn("kv: closed with open iterators")
		return nil // Pebble reports the same as an error
	}
	return err
}

// closeEngine closes Pebble, which may panic after a failure, and when an iterator over files is still open.
func (s *Store) closeEngine(abandoned bool) (err error) {
	if abandoned || s.failure.Load() != nil {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("kv: closing after a failure or with open iterators: %v", p)
			}
		}()
	}
	return s.engine.close()
}

// fail records the failure of the store and ends the process.
func (s *Store) fail(reason error) {
	if s.failure.CompareAndSwap(nil, &reason) {
		s.down.Store(true)
		s.options.Logger.Error("kv: the store has failed", "error", reason)
	}
	s.options.Fatal(reason.Error())
}

// unavailable is the error of a closed or failed store.
func (s *Store) unavailable() error {
	if failure := s.failure.Load(); failure != nil {
		return fmt.Errorf("%w: %v", kv.ErrUnavailable, *failure)
	}
	return fmt.Errorf("%w: closed", kv.ErrUnavailable)
}
