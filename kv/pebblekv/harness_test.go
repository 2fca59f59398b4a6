package pebblekv

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/kv"
	"holdfast/kv/conformance"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// disk is a file system in memory that loses what was not synced when it crashes, and whose syncs of the log
// can be held up.
type disk struct {
	vfs.FS
	memory *vfs.MemFS

	mu     sync.RWMutex // held shared by a sync, and exclusively by a crash
	change *sync.Cond   // of paused and dead
	state  sync.Mutex
	paused int
	dead   bool
}

var errDead = errors.New("the disk has crashed")

func newDisk(memory *vfs.MemFS) *disk {
	d := &disk{FS: memory, memory: memory}
	d.change = sync.NewCond(&d.state)
	return d
}

// pause holds up syncs of the log until the result is called.
func (d *disk) pause() (resume func()) {
	d.state.Lock()
	defer d.state.Unlock()
	d.paused++
	return sync.OnceFunc(func() {
		d.state.Lock()
		defer d.state.Unlock()
		d.paused--
		d.change.Broadcast()
	})
}

// crash returns what would be left after a power failure, and lets every later sync fail.
func (d *disk) crash(c vfs.CrashCloneCfg) *disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.state.Lock()
	defer d.state.Unlock()
	d.dead = true
	d.change.Broadcast()
	return newDisk(d.memory.CrashClone(c))
}

// sync does a sync when it is allowed.
func (d *disk) sync(do func() error) error {
	d.state.Lock()
	for d.paused > 0 && !d.dead {
		d.change.Wait()
	}
	d.state.Unlock()
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.dead {
		return errDead
	}
	return do()
}

func (d *disk) wrap(name string, f vfs.File, err error) (vfs.File, error) {
	if err != nil || !strings.HasSuffix(name, ".log") {
		return f, err
	}
	return &logFile{File: f, disk: d}, nil
}

func (d *disk) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := d.FS.Create(name, c)
	return d.wrap(name, f, err)
}

func (d *disk) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := d.FS.ReuseForWrite(from, to, c)
	return d.wrap(to, f, err)
}

func (d *disk) Unwrap() vfs.FS { return d.FS }

type logFile struct {
	vfs.File
	disk *disk
}

func (f *logFile) Sync() error     { return f.disk.sync(f.File.Sync) }
func (f *logFile) SyncData() error { return f.disk.sync(f.File.SyncData) }
func (f *logFile) SyncTo(n int64) (full bool, err error) {
	err = f.disk.sync(func() (err error) {
		full, err = f.File.SyncTo(n)
		return err
	})
	return full, err
}

var ctx = context.Background()

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// testOptions are small, and do not end the process.
func testOptions(fs vfs.FS) Options {
	return Options{
		Folder: "data", FS: fs, CacheBytes: 1 << 20, MemtableBytes: 1 << 20, MaxTxnBytes: 4 << 20, CloseGrace: 20 * time.Millisecond,
		Fatal: func(string) {}, Logger: quiet,
	}
}

func mustOpen(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		err := s.Close()
		if d, ok := o.FS.(*disk); ok && d.dead {
			return // there is no closing on such a disk
		}
		if err != nil {
			t.Error(err)
		}
	})
	return s
}

// pebbleOf is the Pebble beneath a store.
func pebbleOf(s *Store) *pebble.DB { return s.engine.(*pebbleEngine).db }

// harness returns stores on a disk in memory with the given changes of the options.
func harness(change func(*Options)) func(testing.TB) conformance.Harness {
	return func(t testing.TB) conformance.Harness {
		d := newDisk(vfs.NewCrashableMem())
		var s *Store
		open := func(t testing.TB) kv.Store {
			o := testOptions(d)
			change(&o)
			s = mustOpen(t, o)
			return s
		}
		open(t)
		return conformance.Harness{
			Store:  s,
			Reopen: open,
			Crash: func(t testing.TB) kv.Store {
				d = d.crash(vfs.CrashCloneCfg{})
				return open(t)
			},
			PauseSync: func() func() { return d.pause() },
			Waiters:   func(key []byte) int { return s.locks.Waiting(key) },
		}
	}
}

func TestConformance(t *testing.T) {
	conformance.Run(t, harness(func(*Options) {}))
}
