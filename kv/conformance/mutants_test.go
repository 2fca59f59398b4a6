package conformance

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"
	"time"

	"holdfast/kv"
	"holdfast/kv/memkv"
)

// A mutant is the reference with one thing wrong, and the scenarios that have to notice. Its functions take the
// place of the methods of the same name.
type mutant struct {
	begin   func(s kv.Store, ctx context.Context, o kv.TxnOptions) (kv.Txn, error)
	get     func(t kv.Txn, r kv.Reader, ctx context.Context, key []byte, cols kv.ColumnSet) ([]byte, bool, error)
	scan    func(t kv.Txn, r kv.Reader, ctx context.Context, k kv.KeyRange, o kv.ScanOptions) kv.Iterator
	present func(t kv.Txn, ctx context.Context, keys [][]byte) (int, error)
	view    func(t kv.Txn) kv.Reader
	set     func(t kv.Txn, key, value []byte, cols kv.ColumnSet) error
	del     func(t kv.Txn, key []byte) error
	lock    func(t kv.Txn, ctx context.Context, keys [][]byte, m kv.LockMode, w kv.WaitPolicy) error
	refresh func(t kv.Txn, ctx context.Context) error
	restart func(t kv.Txn, ctx context.Context, guard bool) error
	retract func(t kv.Txn, m kv.Mark)
	back    func(t kv.Txn, m kv.Mark)
	wrap    func(s kv.Store, t kv.Txn) kv.Txn // last of all

	noticed []string
	// tolerated tells that a store that admits to be Coarse may do this.
	tolerated bool
}

const (
	histories = "random/concurrent histories"
	compared  = "random/same as the reference"
)

// silently does something whose reads leave no trace.
func silently(t kv.Txn, f func()) {
	mark := t.Savepoint()
	f()
	t.Retract(mark)
}

func silentGet(t kv.Txn, r kv.Reader, ctx context.Context, key []byte, cols kv.ColumnSet) (v []byte, ok bool, err error) {
	silently(t, func() { v, ok, err = r.Get(ctx, key, cols) })
	return v, ok, err
}

func silentScan(t kv.Txn, r kv.Reader, ctx context.Context, k kv.KeyRange, o kv.ScanOptions) kv.Iterator {
	pairs := &pairList{at: -1}
	silently(t, func() {
		it := r.Scan(ctx, k, o)
		for it.Next() {
			pairs.keys = append(pairs.keys, bytes.Clone(it.Key()))
			pairs.values = append(pairs.values, bytes.Clone(it.Value()))
		}
		pairs.err = errors.Join(it.Err(), it.Close())
	})
	return pairs
}

// pairList iterates over what has been read before.
type pairList struct {
	keys, values [][]byte
	at           int
	err          error
}

func (p *pairList) Next() bool    { p.at++; return p.at < len(p.keys) }
func (p *pairList) Key() []byte   { return p.keys[p.at] }
func (p *pairList) Value() []byte { return p.values[p.at] }
func (p *pairList) Err() error    { return p.err }
func (p *pairList) Close() error  { return p.err }

// readAhead is an iterator whose source is always one pair ahead.
type readAhead struct {
	kv.Iterator
	key, value []byte
	more       bool
	started    bool
}

func (r *readAhead) Next() bool {
	if !r.started {
		r.started, r.more = true, r.Iterator.Next()
	}
	if !r.more {
		return false
	}
	r.key, r.value = bytes.Clone(r.Iterator.Key()), bytes.Clone(r.Iterator.Value())
	r.more = r.Iterator.Next()
	return true
}
func (r *readAhead) Key() []byte   { return r.key }
func (r *readAhead) Value() []byte { return r.value }

// early is a transaction whose locks are held by another one, which is ended before the commit.
type early struct {
	kv.Txn
	store  kv.Store
	locker kv.Txn
}

func (e *early) Lock(ctx context.Context, keys [][]byte, m kv.LockMode, w kv.WaitPolicy) error {
	if err := e.locker.Lock(ctx, keys, m, w); err != nil && !errors.Is(err, kv.ErrStale) {
		return err
	}
	newest, err := e.store.Begin(ctx, kv.TxnOptions{Newest: true, ReadOnly: true})
	if err != nil {
		return err
	}
	defer newest.Rollback()
	for _, key := range keys {
		now, _, _ := newest.Get(ctx, key, kv.AllColumns)
		then, _, _ := silentGet(e.Txn, e.Txn, ctx, key, kv.AllColumns)
		if !bytes.Equal(now, then) {
			return kv.ErrStale
		}
	}
	return nil
}

func (e *early) Commit(ctx context.Context) (kv.Version, error) {
	e.locker.Rollback()
	runtime.Gosched()
	time.Sleep(100 * time.Microsecond)
	return e.Txn.Commit(ctx)
}

func (e *early) Rollback() {
	e.locker.Rollback()
	e.Txn.Rollback()
}

var mutants = map[string]mutant{
	"ranges are not recorded": {
		scan: silentScan,
		noticed: []string{
			"anomaly/write skew on ranges", "anomaly/phantom by insert", "anomaly/phantom by delete", "anomaly/phantom by update",
			"anomaly/absence in a range", "footprint/forward scan", "footprint/reverse scan", histories, compared,
		},
	},
	"keys are not recorded": {
		get: silentGet,
		noticed: []string{
			"anomaly/lost update", "anomaly/write skew on rows", "anomaly/read-only", "anomaly/three-way cycle", "footprint/columns of a key",
			"refresh/fails on a changed read", histories, compared,
		},
	},
	"absent keys are not recorded": {
		get: func(t kv.Txn, r kv.Reader, ctx context.Context, key []byte, cols kv.ColumnSet) ([]byte, bool, error) {
			if v, ok, err := silentGet(t, r, ctx, key, cols); !ok {
				return v, ok, err
			}
			return r.Get(ctx, key, cols)
		},
		noticed: []string{"anomaly/absence of a key", "footprint/columns of a key", histories, compared},
	},
	"absent keys of many are not recorded": {
		present: func(t kv.Txn, ctx context.Context, keys [][]byte) (at int, err error) {
			silently(t, func() { at, err = t.FirstPresent(ctx, keys) })
			return at, err
		},
		noticed: []string{"footprint/first present", compared},
	},
	"all of many keys are recorded": {
		present: func(t kv.Txn, ctx context.Context, keys [][]byte) (at int, err error) {
			for _, key := range keys {
				t.Observe(key, kv.Existence)
			}
			return t.FirstPresent(ctx, keys)
		},
		noticed:   []string{"footprint/first present", compared},
		tolerated: true,
	},
	"empty ranges are not recorded": {
		scan: func(t kv.Txn, r kv.Reader, ctx context.Context, k kv.KeyRange, o kv.ScanOptions) kv.Iterator {
			if pairs := silentScan(t, r, ctx, k, o).(*pairList); len(pairs.keys) == 0 {
				return pairs
			}
			return r.Scan(ctx, k, o)
		},
		noticed: []string{"anomaly/absence in a range", histories, compared},
	},
	"only the rows of a range are recorded": {
		scan: func(t kv.Txn, r kv.Reader, ctx context.Context, k kv.KeyRange, o kv.ScanOptions) kv.Iterator {
			pairs := silentScan(t, r, ctx, k, o)
			for _, key := range pairs.(*pairList).keys {
				t.Observe(key, o.Columns)
			}
			return pairs
		},
		noticed: []string{"anomaly/phantom by insert", "footprint/reverse scan", histories, compared},
	},
	"whole ranges are recorded": {
		scan: func(t kv.Txn, r kv.Reader, ctx context.Context, k kv.KeyRange, o kv.ScanOptions) kv.Iterator {
			t.ObserveRange(k, o.Columns)
			return r.Scan(ctx, k, o)
		},
		noticed:   []string{"footprint/forward scan", "footprint/reverse scan", "footprint/unstarted scan", compared},
		tolerated: true,
	},
	"reads ahead are recorded": {
		scan: func(t kv.Txn, r kv.Reader, ctx context.Context, k kv.KeyRange, o kv.ScanOptions) kv.Iterator {
			return &readAhead{Iterator: r.Scan(ctx, k, o)}
		},
		noticed: []string{"footprint/forward scan", "footprint/reverse scan", "footprint/scan beside own writes", compared},
	},
	"columns of reads do not matter": {
		get: func(t kv.Txn, r kv.Reader, ctx context.Context, key []byte, _ kv.ColumnSet) ([]byte, bool, error) {
			return r.Get(ctx, key, kv.AllColumns)
		},
		noticed:   []string{"footprint/columns of a key", compared},
		tolerated: true,
	},
	"columns of writes do not matter": {
		set:     func(t kv.Txn, key, value []byte, _ kv.ColumnSet) error { return t.Set(key, value, kv.AllColumns) },
		noticed: []string{"footprint/columns of a key", "footprint/columns of a range", compared},
	},
	"an insert does not change existence": {
		set: func(t kv.Txn, key, value []byte, cols kv.ColumnSet) error {
			return t.Set(key, value, cols&^kv.Existence)
		},
		noticed: []string{
			"footprint/columns of a key", "footprint/columns of a range", "footprint/observe",
			compared,
		},
	},
	"columns of writes do not add up": {
		set: func(t kv.Txn, key, value []byte, cols kv.ColumnSet) error {
			if cols.Meets(kv.Column(1)) && cols != kv.AllColumns {
				cols = 0
			}
			return t.Set(key, value, cols)
		},
		noticed: []string{"footprint/writes of a key add up", "footprint/columns of a key", histories, compared},
	},
	"snapshot isolation": {
		get:  silentGet,
		scan: silentScan,
		set: func(t kv.Txn, key, value []byte, cols kv.ColumnSet) error {
			t.Observe(key, kv.AllColumns)
			return t.Set(key, value, cols)
		},
		del: func(t kv.Txn, key []byte) error {
			t.Observe(key, kv.AllColumns)
			return t.Delete(key)
		},
		noticed: []string{
			"anomaly/write skew on rows", "anomaly/write skew on ranges", "anomaly/three-way cycle", "anomaly/read-only",
			"anomaly/blind writes do not conflict", histories, compared,
		},
	},
	"snapshots that are not the latest": {
		begin: func() func(s kv.Store, ctx context.Context, o kv.TxnOptions) (kv.Txn, error) {
			slot := make(chan kv.Txn, 1)
			keep := func(txn kv.Txn) {
				select {
				case slot <- txn:
				default: // somebody else has put one there meanwhile
					txn.Rollback()
				}
			}
			return func(s kv.Store, ctx context.Context, o kv.TxnOptions) (kv.Txn, error) {
				fresh, err := s.Begin(ctx, o)
				if err != nil || o != (kv.TxnOptions{}) {
					return fresh, err
				}
				select {
				case old := <-slot:
					keep(fresh)
					if _, _, err := old.Get(ctx, nil, 0); err == nil {
						return old, nil
					}
					return s.Begin(ctx, o)
				default:
					keep(fresh)
					return s.Begin(ctx, o)
				}
			}
		}(),
		noticed: []string{"durability/begin sees what was acknowledged", histories, compared},
	},
	"snapshots that are not durable": {
		begin: func(s kv.Store, ctx context.Context, o kv.TxnOptions) (kv.Txn, error) {
			o.Newest = true
			return s.Begin(ctx, o)
		},
		noticed: []string{"durability/nothing shows before it is durable", "durability/newest", "durability/crash keeps what was seen"},
	},
	"newest is as old as any": {
		begin: func(s kv.Store, ctx context.Context, o kv.TxnOptions) (kv.Txn, error) {
			o.Newest = false
			return s.Begin(ctx, o)
		},
		noticed: []string{"durability/newest"},
	},
	"views are the transaction": {
		view:    func(t kv.Txn) kv.Reader { return t },
		noticed: []string{"read/view", "read/view of view order", "footprint/own writes", compared},
	},
	"rollback forgets reads": {
		back:    func(t kv.Txn, m kv.Mark) { t.Retract(m) },
		noticed: []string{"footprint/rollback keeps reads", histories, compared},
	},
	"rollback undoes nothing": {
		back:    func(kv.Txn, kv.Mark) {},
		noticed: []string{"footprint/nested savepoints", "anomaly/readers never conflict", histories, compared},
	},
	"retract keeps reads": {
		retract: func(t kv.Txn, m kv.Mark) { t.RollbackTo(m) },
		noticed: []string{
			"footprint/retract forgets reads", "refresh/stale lock", "refresh/waiter starts over", compared,
		},
	},
	"retract undoes nothing": {
		retract: func(kv.Txn, kv.Mark) {},
		noticed: []string{"footprint/retract forgets reads", "refresh/keeps writes and marks", compared},
	},
	"refresh does nothing": {
		refresh: func(kv.Txn, context.Context) error { return nil },
		noticed: []string{"refresh/moves the snapshot", "refresh/hot row never fails", "refresh/fails on a changed read", compared},
	},
	"refresh always conflicts": {
		refresh: func(kv.Txn, context.Context) error { return kv.ErrConflict },
		noticed: []string{"refresh/moves the snapshot", "refresh/hot row never fails", compared},
	},
	"locks do not lock": {
		lock: func(kv.Txn, context.Context, [][]byte, kv.LockMode, kv.WaitPolicy) error { return nil },
		noticed: []string{
			"lock/modes", "lock/keys", "lock/first come, first served", "refresh/stale lock", "refresh/columns of one row", histories, compared,
		},
	},
	"stale locks are not told": {
		lock: func(t kv.Txn, ctx context.Context, keys [][]byte, m kv.LockMode, w kv.WaitPolicy) error {
			if err := t.Lock(ctx, keys, m, w); !errors.Is(err, kv.ErrStale) {
				return err
			}
			return nil
		},
		noticed: []string{"refresh/stale lock", "refresh/stale by anything", "refresh/columns of one row", histories, compared},
	},
	"locks are released before the commit": {
		wrap: func(s kv.Store, t kv.Txn) kv.Txn {
			locker, err := s.Begin(context.Background(), kv.TxnOptions{})
			if err != nil {
				return t
			}
			return &early{Txn: t, store: s, locker: locker}
		},
		noticed: []string{"refresh/hot row never fails"},
	},
	"one lock mode": {
		lock: func(t kv.Txn, ctx context.Context, keys [][]byte, _ kv.LockMode, w kv.WaitPolicy) error {
			return t.Lock(ctx, keys, kv.LockUpdate, w)
		},
		noticed: []string{"lock/modes", "lock/own locks", "lock/grants together", compared},
	},
	"shared locks are too weak": {
		lock: func(t kv.Txn, ctx context.Context, keys [][]byte, m kv.LockMode, w kv.WaitPolicy) error {
			if m == kv.LockShare {
				m = kv.LockKeyShare
			}
			return t.Lock(ctx, keys, m, w)
		},
		noticed: []string{"lock/modes", "lock/own locks", compared},
	},
	"locks are polled for": {
		lock: func(t kv.Txn, ctx context.Context, keys [][]byte, m kv.LockMode, w kv.WaitPolicy) error {
			if w.NoWait || w.SkipLocked {
				return t.Lock(ctx, keys, m, w)
			}
			w.NoWait = true
			for range 20 {
				if err := t.Lock(ctx, keys, m, w); !errors.Is(err, kv.ErrLockNotAvailable) {
					return err
				}
				time.Sleep(100 * time.Microsecond)
			}
			return kv.ErrLockNotAvailable
		},
		noticed: []string{"lock/first come, first served", "lock/no overtaking", "lock/deadlock of two"},
	},
	"skipped is not told from refused": {
		lock: func(t kv.Txn, ctx context.Context, keys [][]byte, m kv.LockMode, w kv.WaitPolicy) error {
			w.NoWait, w.SkipLocked = w.NoWait || w.SkipLocked, false
			return t.Lock(ctx, keys, m, w)
		},
		noticed: []string{"lock/modes", compared},
	},
	"locks are reads": {
		lock: func(t kv.Txn, ctx context.Context, keys [][]byte, m kv.LockMode, w kv.WaitPolicy) error {
			for _, key := range keys {
				t.Observe(key, kv.AllColumns)
			}
			return t.Lock(ctx, keys, m, w)
		},
		noticed: []string{"lock/no footprint", "refresh/stale holds all locks", compared},
	},
	"read-only transactions are not": {
		begin: func(s kv.Store, ctx context.Context, o kv.TxnOptions) (kv.Txn, error) {
			o.ReadOnly = false
			return s.Begin(ctx, o)
		},
		noticed: []string{"limit/read-only", "lock/read-only", compared},
	},
	"accumulating is reading and writing": {
		wrap: func(_ kv.Store, t kv.Txn) kv.Txn { return &readsAndWrites{t} },
		noticed: []string{
			"accumulate/no conflicts", "accumulate/order with set", "require/own values", compared,
		},
	},
	"deltas are never undone": {
		wrap:    func(_ kv.Store, t kv.Txn) kv.Txn { return &keepsDeltas{Txn: t} },
		noticed: []string{"accumulate/savepoints", "accumulate/retract", "accumulate/restart", "accumulate/recount", compared},
	},
	"accumulated is recorded": {
		wrap:    func(_ kv.Store, t kv.Txn) kv.Txn { return &recordsSums{t} },
		noticed: []string{"accumulate/no conflicts", "accumulate/refresh", compared},
	},
	"requirements are tested in the snapshot": {
		wrap:    func(_ kv.Store, t kv.Txn) kv.Txn { return &testsEarly{Txn: t} },
		noticed: []string{"require/exactly", "require/own values", "require/write without delta", compared},
	},
	"requirements of several are tested on one": {
		wrap:    func(_ kv.Store, t kv.Txn) kv.Txn { return &testsFirst{t} },
		noticed: []string{"require/several", compared},
	},
	"requirements are not tested": {
		wrap: func(_ kv.Store, t kv.Txn) kv.Txn { return &testsNothing{t} },
		noticed: []string{
			"require/exactly", "require/refused", "require/savepoints", "require/write without delta", "require/keeps locks", "require/group",
			"accumulate/many", compared,
		},
	},
	"marked reads are not recorded": {
		wrap: func(_ kv.Store, t kv.Txn) kv.Txn { return &marksNothing{t} },
		noticed: []string{
			"recheck/marked reads", "recheck/marked ranges", "recheck/after a refresh", "recheck/savepoints", "recheck/keeps deltas", compared,
		},
	},
	"marked reads are like others": {
		wrap:    func(_ kv.Store, t kv.Txn) kv.Txn { return &marksNoReads{t} },
		noticed: []string{"recheck/marked reads", "recheck/marked ranges", "recheck/keeps locks", compared},
	},
	"recheck does nothing": {
		wrap:    func(_ kv.Store, t kv.Txn) kv.Txn { return &rechecksNothing{t} },
		noticed: []string{"recheck/marked reads", "recheck/forgets marked reads", "recheck/of its own accord", compared},
	},
	"recheck begins anew": {
		wrap:    func(_ kv.Store, t kv.Txn) kv.Txn { return &rechecksAnew{t} },
		noticed: []string{"recheck/marked reads", "recheck/keeps deltas", "recheck/other reads changed later", compared},
	},
	"nothing is unlocked": {
		wrap:    func(_ kv.Store, t kv.Txn) kv.Txn { return &unlocksNothing{t} },
		noticed: []string{"lock/unlock to a mark", "lock/unlock after a restart"},
	},
	"restart does nothing": {
		restart: func(kv.Txn, context.Context, bool) error { return nil },
		noticed: []string{"restart/after a conflict", "restart/keeps locks only"},
	},
	"nobody is guarded": {
		restart: func(t kv.Txn, ctx context.Context, _ bool) error { return t.Restart(ctx, false) },
		noticed: []string{"restart/guard", "restart/two guards", "restart/guarded transactions get through"},
	},
}

func (m *mutant) harness(testing.TB) Harness {
	s := memkv.New(memkv.Options{Merge: Merge})
	return Harness{
		Store:     &mutantStore{Store: s, mutant: m},
		PauseSync: func() func() { return s.PauseSync() },
		Waiters:   func(key []byte) int { return s.Waiters(key) },
		Crash: func(testing.TB) kv.Store {
			s = s.Crash()
			return &mutantStore{Store: s, mutant: m}
		},
	}
}

type mutantStore struct {
	kv.Store
	mutant *mutant
}

func (s *mutantStore) Begin(ctx context.Context, o kv.TxnOptions) (kv.Txn, error) {
	begin := kv.Store.Begin
	if s.mutant.begin != nil {
		begin = s.mutant.begin
	}
	t, err := begin(s.Store, ctx, o)
	if err != nil {
		return nil, err
	}
	t = &mutantTxn{Txn: t, mutant: s.mutant}
	if s.mutant.wrap != nil && !o.ReadOnly {
		t = s.mutant.wrap(s.Store, t)
	}
	return t, nil
}

type mutantTxn struct {
	kv.Txn
	mutant *mutant
}

func (t *mutantTxn) reader(r kv.Reader) kv.Reader {
	return &mutantReader{Reader: r, txn: t.Txn, mutant: t.mutant}
}

func (t *mutantTxn) Get(ctx context.Context, key []byte, cols kv.ColumnSet) ([]byte, bool, error) {
	return t.reader(t.Txn).Get(ctx, key, cols)
}

func (t *mutantTxn) Scan(ctx context.Context, k kv.KeyRange, o kv.ScanOptions) kv.Iterator {
	return t.reader(t.Txn).Scan(ctx, k, o)
}

func (t *mutantTxn) FirstPresent(ctx context.Context, keys [][]byte) (int, error) {
	if t.mutant.present != nil {
		return t.mutant.present(t.Txn, ctx, keys)
	}
	return t.Txn.FirstPresent(ctx, keys)
}

func (t *mutantTxn) View() kv.Reader {
	if t.mutant.view != nil {
		return t.reader(t.mutant.view(t.Txn))
	}
	return t.reader(t.Txn.View())
}

func (t *mutantTxn) Set(key, value []byte, cols kv.ColumnSet) error {
	if t.mutant.set != nil {
		return t.mutant.set(t.Txn, key, value, cols)
	}
	return t.Txn.Set(key, value, cols)
}

func (t *mutantTxn) Delete(key []byte) error {
	if t.mutant.del != nil {
		return t.mutant.del(t.Txn, key)
	}
	return t.Txn.Delete(key)
}

func (t *mutantTxn) Lock(ctx context.Context, keys [][]byte, m kv.LockMode, w kv.WaitPolicy) error {
	if t.mutant.lock != nil {
		return t.mutant.lock(t.Txn, ctx, keys, m, w)
	}
	return t.Txn.Lock(ctx, keys, m, w)
}

func (t *mutantTxn) Refresh(ctx context.Context) error {
	if t.mutant.refresh != nil {
		return t.mutant.refresh(t.Txn, ctx)
	}
	return t.Txn.Refresh(ctx)
}

func (t *mutantTxn) Restart(ctx context.Context, guard bool) error {
	if t.mutant.restart != nil {
		return t.mutant.restart(t.Txn, ctx, guard)
	}
	return t.Txn.Restart(ctx, guard)
}

func (t *mutantTxn) Retract(m kv.Mark) {
	if t.mutant.retract != nil {
		t.mutant.retract(t.Txn, m)
		return
	}
	t.Txn.Retract(m)
}

func (t *mutantTxn) RollbackTo(m kv.Mark) {
	if t.mutant.back != nil {
		t.mutant.back(t.Txn, m)
		return
	}
	t.Txn.RollbackTo(m)
}

type mutantReader struct {
	kv.Reader
	txn    kv.Txn
	mutant *mutant
}

func (r *mutantReader) Get(ctx context.Context, key []byte, cols kv.ColumnSet) ([]byte, bool, error) {
	if r.mutant.get != nil {
		return r.mutant.get(r.txn, r.Reader, ctx, key, cols)
	}
	return r.Reader.Get(ctx, key, cols)
}

func (r *mutantReader) Scan(ctx context.Context, k kv.KeyRange, o kv.ScanOptions) kv.Iterator {
	if r.mutant.scan != nil {
		return r.mutant.scan(r.txn, r.Reader, ctx, k, o)
	}
	return r.Reader.Scan(ctx, k, o)
}

// TestMutants breaks the reference in many ways, one at a time: every scenario that is about what is broken must
// fail.
func TestMutants(t *testing.T) {
	for name, m := range mutants {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, scenario := range m.noticed {
				noticed := false
				for try := 0; try < 5 && !noticed; try++ { // what is random may miss it once
					noticed = len(Failures(m.harness, scenario)) > 0
				}
				if !noticed {
					t.Errorf("%q does not notice", scenario)
				}
			}
		})
	}
}

// TestCoarse holds a Coarse store to everything but needless conflicts.
func TestCoarse(t *testing.T) {
	coarse := func(m *mutant) func(t testing.TB) Harness {
		return func(t testing.TB) Harness {
			h := m.harness(t)
			h.Coarse = true
			return h
		}
	}
	for name, m := range mutants {
		if !m.tolerated {
			continue
		}
		t.Run(name, func(t *testing.T) {
			for scenario, failures := range failures(coarse(&m), patience) {
				t.Errorf("%s: %v", scenario, failures)
			}
		})
	}
	for _, name := range []string{"ranges are not recorded", "keys are not recorded", "snapshot isolation"} {
		m := mutants[name]
		for _, scenario := range []string{histories, compared} {
			if len(Failures(coarse(&m), scenario)) == 0 {
				t.Errorf("%s: %q does not notice", name, scenario)
			}
		}
	}
}

// TestScenarioNames: names are told apart by their beginnings.
func TestScenarioNames(t *testing.T) {
	var names []string
	for _, s := range scenarios() {
		names = append(names, s.name)
	}
	for name, m := range mutants {
		for _, scenario := range m.noticed {
			if !slices.Contains(names, scenario) {
				t.Errorf("mutant %q names scenario %q, which there is not", name, scenario)
			}
		}
	}
}
