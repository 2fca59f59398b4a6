package pebblekv

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/kv"
	"holdfast/kv/conflict"
	"holdfast/kv/locks"

	"github.com/cockroachdb/pebble/v2"
)

// Store is a kv.Store on Pebble.
//
// Goroutines: the sequencer ends when the store is closed and nothing waits to be committed; the publisher ends
// after it. Close waits for both.
type Store struct {
	options Options
	db      *pebble.DB
	lock    *pebble.Lock
	recent  *conflict.Recent
	locks   *locks.Table
	states  snapshots

	commits  commitQueue
	guards   guards
	groups   chan *group    // from the sequencer to the publisher
	applying sync.Mutex     // held by the sequencer from validation until the result is the newest state
	version  kv.Version     // of the last commit; the sequencer's own
	added    int            // keys that the last group has added to the index of recent writes; the sequencer's own
	closing  chan struct{}  // closed when Close begins: whoever waits gives up
	down     atomic.Bool    // set when Close begins or the store has failed
	calls    sync.WaitGroup // of Discard and Checkpoint
	done     sync.WaitGroup // sequencer and publisher

	failure atomic.Pointer[error] // why the store has failed
	closed  chan struct{}         // closed when Close has ended

	counts counters
}

var _ kv.Store = (*Store)(nil)

// Open opens the store in a folder, which it creates if need be. It fails with kv.ErrInUse, kv.ErrFormat, or what
// the file system says.
func Open(o Options) (*Store, error) {
	o = o.withDefaults()
	folder, err := absolute(o.FS, o.Folder)
	if err != nil {
		return nil, err
	}
	s := &Store{
		options: o,
		recent:  conflict.NewRecent(o.RecentKeys),
		locks:   locks.New(),
		groups:  make(chan *group, maxGroupsInFlight),
		closing: make(chan struct{}),
		closed:  make(chan struct{}),
	}
	s.commits.wake = make(chan struct{}, 1)
	s.guards.add = s.commits.add
	s.guards.refuse = func(t *txn) { s.refuseCommit(t, s.unavailable()) }
	s.lock, err = openFolder(o.FS, folder)
	if err != nil {
		return nil, err
	}
	fewArenas()
	engine := o.engine(engineLogger{s}, s.events())
	defer engine.Cache.Unref()
	engine.Lock = s.lock
	s.db, err = pebble.Open(folder, engine)
	if err != nil {
		s.lock.Close()
		if strings.Contains(err.Error(), "unknown format major version") { // Pebble has no error value for it
			return nil, fmt.Errorf("%w: %s was written by a newer program: %v", kv.ErrFormat, folder, err)
		}
		return nil, err
	}
	if s.version, err = s.readVersion(); err != nil {
		return nil, errors.Join(err, s.db.Close(), s.lock.Close())
	}
	first := &snapshot{engine: s.db.NewSnapshot(), version: s.version, synced: make(chan struct{})}
	close(first.synced)
	s.states.install(first)
	s.states.publish(first)
	s.done.Add(2)
	go s.runSequencer()
	go s.runPublisher()
	return s, nil
}

// readVersion returns the version of the last commit, which each group of commits writes with its data.
func (s *Store) readVersion() (kv.Version, error) {
	value, closer, err := s.db.Get(versionKey)
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
	if err := s.db.DeleteRange(lower, upper, pebble.Sync); err != nil {
		return err
	}
	if s.failure.Load() != nil {
		return s.unavailable()
	}
	return nil
}

// Close implements kv.Store. It waits for commits on their way, and for open iterators as long as
// Options.CloseGrace says.
func (s *Store) Close() error {
	if !s.states.refuse() {
		<-s.closed
		return nil
	}
	defer close(s.closed)
	s.down.Store(true)
	close(s.closing)
	s.commits.close()
	s.done.Wait()
	s.calls.Wait()
	deadline := time.Now().Add(s.options.CloseGrace)
	for s.states.busy() && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	abandoned := s.states.abandon()
	err := errors.Join(s.closeEngine(), s.lock.Close())
	switch {
	case s.failure.Load() != nil:
		return nil // it has been reported, and has consequences for closing
	case abandoned:
		s.options.Logger.Warn("kv: closed with open iterators")
		return nil // Pebble reports the same as an error
	}
	return err
}

// closeEngine closes Pebble, which may panic after a failure.
func (s *Store) closeEngine() (err error) {
	if s.failure.Load() != nil {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("kv: closing after a failure: %v", p)
			}
		}()
	}
	return s.db.Close()
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
