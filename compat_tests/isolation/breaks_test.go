package isolation

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/compat_tests/testserver"
	"holdfast/kv/crashdisk"
	"holdfast/kv/faulty"
	"holdfast/kv/pebblekv"
	"holdfast/planner"
	"holdfast/wire"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/jackc/pgx/v5"
)

func TestMain(m *testing.M) { testserver.RunMain(m) }

// restarts is a server that goes away and comes back at another address.
type restarts struct {
	dsn     atomic.Value // string
	done    atomic.Int64 // transactions
	next    atomic.Int64 // operations at which it goes away
	reached chan struct{}
}

func newRestarts(w *Workload) *restarts {
	s := &restarts{reached: make(chan struct{}, 1)}
	w.Breaks = true
	w.Connect = func(ctx context.Context) (*pgx.Conn, error) { return connector(s.dsn.Load().(string))(ctx) }
	w.Progress = func(operations int) {
		s.done.Add(1)
		if int64(operations) >= s.next.Load() {
			select {
			case s.reached <- struct{}{}:
			default:
			}
		}
	}
	return s
}

// run runs the workload and calls away about every so many operations.
func (s *restarts) run(t *testing.T, w *Workload, every int, away func()) *Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute+time.Duration(w.Operations)*5*time.Millisecond)
	defer cancel()
	w.Level = "SERIALIZABLE"
	s.next.Store(int64(every))
	var r *Result
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		r, err = w.Run(ctx)
	}()
	count := 0
	for running := true; running; {
		select {
		case <-done:
			running = false
		case <-s.reached:
			if at := s.next.Load() + int64(every); at < int64(w.Operations+every) {
				count++
				away()
				s.next.Store(at)
			}
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("seed %d, away %d times: %s", w.Seed, count, r)
	if count == 0 {
		t.Error("the server has never been away")
	}
	return r
}

// TestKill kills the real binary in the middle of the workload, and starts it again on what it has left.
func TestKill(t *testing.T) {
	w := someRows()
	w.Seed, w.Operations = seed(t), operations(t, 6)
	s := newRestarts(w)
	data := filepath.Join(t.TempDir(), "data")
	p := testserver.Serve(t, data)
	s.dsn.Store(p.DSN())
	verify(t, w, s.run(t, w, max(1000, w.Operations/40), func() {
		p.Kill()
		p = testserver.Serve(t, data)
		s.dsn.Store(p.DSN())
	}))
}

// unreliable is a server in this process, on a disk in memory that loses what was not synced when power fails.
type unreliable struct {
	t      *testing.T
	open   func(pebblekv.Options) (*pebblekv.Store, error)
	disk   *crashdisk.Disk
	store  *pebblekv.Store
	server *testserver.Server
}

func (u *unreliable) start() (dsn string) {
	o := memory(u.disk)
	o.CloseGrace, o.Fatal = 20*time.Millisecond, func(string) {}
	var err error
	if u.store, err = u.open(o); err != nil {
		u.t.Fatal(err)
	}
	u.server = testserver.StartOn(u.t, u.store, wire.Options{Logger: quiet, DrainTimeout: 100 * time.Millisecond}, planner.Config{Logger: quiet})
	return u.server.DSN
}

// fail lets power fail. The server is gone when it returns.
func (u *unreliable) fail(c vfs.CrashCloneCfg) {
	left := u.disk.Crash(c)
	u.server.Stop() // its errors, and the store's, are those of a disk that is gone
	_ = u.store.Close()
	u.disk = left
}

func (u *unreliable) stop() {
	for _, err := range append(u.server.Stop(), u.store.Close()) {
		if err != nil {
			u.t.Error(err)
		}
	}
}

// powerLoss runs a workload on a server whose power fails now and then, a moment after syncs have stopped, or when
// some more transactions have been acknowledged meanwhile.
func powerLoss(t *testing.T, w *Workload, every int, acknowledged int64, open func(pebblekv.Options) (*pebblekv.Store, error)) *Result {
	t.Helper()
	w.Seed = seed(t)
	random := rand.New(rand.NewPCG(w.Seed, 99))
	s := newRestarts(w)
	u := &unreliable{t: t, open: open, disk: crashdisk.New(vfs.NewCrashableMem())}
	s.dsn.Store(u.start())
	r := s.run(t, w, every, func() {
		resume := u.disk.Pause()
		defer resume()
		until := s.done.Load() + acknowledged
		for deadline := time.Now().Add(2 * time.Second); acknowledged > 0 && s.done.Load() < until && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond) // between looks at the counter
		}
		if acknowledged == 0 {
			time.Sleep(5 * time.Millisecond) // for commits to be under way
			u.fail(vfs.CrashCloneCfg{UnsyncedDataPercent: 50 * random.IntN(3), RNG: random})
		} else {
			u.fail(vfs.CrashCloneCfg{})
		}
		s.dsn.Store(u.start())
	})
	u.stop()
	return r
}

// TestPowerLoss: what was acknowledged before power failed is there afterwards, and the rest is there as a whole or not
// at all.
func TestPowerLoss(t *testing.T) {
	w := someRows()
	w.Operations = operations(t, 14)
	verify(t, w, powerLoss(t, w, max(1000, w.Operations/100), 0, pebblekv.Open))
}

// TestPowerLossNotices: the checker finds commits that were acknowledged before they were on disk.
func TestPowerLossNotices(t *testing.T) {
	for range 5 {
		w := someRows()
		w.Operations = 3000
		r := powerLoss(t, w, 1500, 100, func(o pebblekv.Options) (*pebblekv.Store, error) { return faulty.Open("publish before sync", o) })
		if found := problems(r); len(found) > 0 {
			t.Logf("noticed: %s", found[0])
			return
		}
	}
	t.Error("nobody notices")
}
