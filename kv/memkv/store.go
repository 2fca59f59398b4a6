// Package memkv is the reference implementation of kv.Store: in memory, naive, and meant to be plainly right.
//
// One mutex guards everything. Every committed state is a whole ordered map (a copy-on-write tree, so that
// keeping many is affordable); a footprint is a list; validation compares every write committed since the
// snapshot with every read. Engines are compared with it operation by operation (kv/conformance), and the
// layers above use it as a store for their unit tests.
//
// It keeps nothing on disk, but it does tell sequenced from durable: PauseSync holds back durability, and
// Crash yields the store as a power failure would leave it.
package memkv

import (
	"context"
	"fmt"
	"sync"

	"holdfast/kv"

	"github.com/tidwall/btree"
)

// Options configure a Store. The zero value has no limits.
type Options struct {
	KeyBytes   int      // longest key, in bytes; 0 means no limit
	ValueBytes int      // longest value, in bytes; 0 means no limit
	TxnBytes   int64    // keys and values one transaction may have buffered, in bytes; 0 means no limit
	Merge      kv.Merge // of accumulators; nil: there are none
}

// tree is the content of one committed state.
type tree = btree.Map[string, []byte]

// state is one committed state. It never changes.
type state struct {
	version kv.Version
	data    *tree
}

// commit is what one transaction has written: an entry of the log that footprints are validated against.
type commit struct {
	version kv.Version
	writes  map[string]kv.ColumnSet
}

// Store implements kv.Store.
//
// Invariants, under mu: durable is a prefix of newest (it is newest unless sync is paused); log holds, in
// order of version, at least every commit after the snapshot of any open transaction; a transaction is in
// open exactly while it may hold or wait for locks.
type Store struct {
	options Options

	mu      sync.Mutex
	newest  state // with every sequenced commit
	durable state // what a crash would leave, and what new transactions see
	log     []commit
	open    map[*txn]struct{}
	locks   map[string]*lockQueue
	paused  int            // callers of PauseSync that have not resumed
	synced  chan struct{}  // closed and replaced whenever durable moves
	down    chan struct{}  // closed when the store closes or crashes
	commits sync.WaitGroup // sequenced commits that wait to be durable
	guarded []*txn         // in the order of their precedence; see kv.Txn.Restart
	changed chan struct{}  // closed and replaced when commits that give way may go on
	closed  bool
	crashed bool
}

var _ kv.Store = (*Store)(nil)

// New returns an empty store.
func New(o Options) *Store {
	return &Store{
		options: o,
		newest:  state{data: new(tree)},
		durable: state{data: new(tree)},
		open:    map[*txn]struct{}{},
		locks:   map[string]*lockQueue{},
		synced:  make(chan struct{}),
		changed: make(chan struct{}),
		down:    make(chan struct{}),
	}
}

// Begin implements kv.Store.
func (s *Store) Begin(ctx context.Context, o kv.TxnOptions) (kv.Txn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, unavailable()
	}
	t := &txn{store: s, options: o, snapshot: s.durable, writes: new(buffer), deltas: new(deltas)}
	if o.Newest {
		t.snapshot = s.newest
	}
	s.open[t] = struct{}{}
	return t, nil
}

// Discard implements kv.Store. States are never changed, so it replaces those that are yet to be seen.
func (s *Store) Discard(ctx context.Context, r kv.KeyRange) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return unavailable()
	}
	bounds := rangeRead(r, kv.AllColumns)
	for _, st := range []*state{&s.newest, &s.durable} {
		old := st.data
		st.data = old.Copy()
		old.Scan(func(key string, _ []byte) bool {
			if bounds.contains(key) {
				st.data.Delete(key)
			}
			return true
		})
	}
	return nil
}

// Waiters is the number of requests that wait for a lock on key, for tests that must not go on before.
func (s *Store) Waiters(key []byte) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q := s.locks[string(key)]; q != nil {
		return len(q.waiters)
	}
	return 0
}

// Caps implements kv.Store.
func (s *Store) Caps() kv.Caps {
	return kv.Caps{KeyBytes: s.options.KeyBytes, ValueBytes: s.options.ValueBytes, TxnBytes: s.options.TxnBytes}
}

// Close implements kv.Store. Closing a closed store does nothing.
func (s *Store) Close() error {
	s.mu.Lock()
	s.shut()
	s.mu.Unlock()
	s.commits.Wait()
	return nil
}

// shut refuses everything from now on and wakes whoever waits for a lock.
func (s *Store) shut() {
	if !s.closed {
		s.closed = true
		close(s.down)
	}
}

// PauseSync holds back durability: commits are sequenced but neither acknowledged nor visible to new
// transactions, unless these ask for the newest state, until resume has been called.
func (s *Store) PauseSync() (resume func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.paused++
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.paused--
		s.sync()
	})
}

// sync makes the newest state durable unless that is being held back.
func (s *Store) sync() {
	if s.paused > 0 || s.crashed || s.durable.version == s.newest.version {
		return
	}
	s.durable = s.newest
	close(s.synced)
	s.synced = make(chan struct{})
}

// Crash ends the store as a power failure would and returns a new one with what was durable. Commits that
// were waiting fail with ErrCommitUnknown.
func (s *Store) Crash() *Store {
	s.mu.Lock()
	s.crashed = true
	s.shut()
	close(s.synced)
	s.synced = make(chan struct{})
	after := New(s.options)
	after.newest = state{version: s.durable.version, data: s.durable.data.Copy()}
	after.durable = after.newest
	s.mu.Unlock()
	s.commits.Wait()
	return after
}

// waitDurable returns when version v is durable. It is called without mu.
func (s *Store) waitDurable(ctx context.Context, v kv.Version) error {
	for {
		s.mu.Lock()
		done, crashed, synced := s.durable.version >= v, s.crashed, s.synced
		s.mu.Unlock()
		if done {
			return nil
		}
		if crashed {
			return unavailable()
		}
		select {
		case <-synced:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// trim drops what no open transaction can be validated against.
func (s *Store) trim() {
	oldest := s.durable.version
	for t := range s.open {
		oldest = min(oldest, t.snapshot.version)
	}
	n := 0
	for n < len(s.log) && s.log[n].version <= oldest {
		n++
	}
	if n > 0 {
		s.log = append([]commit(nil), s.log[n:]...)
	}
}

func unavailable() error { return fmt.Errorf("%w: closed", kv.ErrUnavailable) }
