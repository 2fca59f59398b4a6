package pebblekv

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"holdfast/kv"
	"holdfast/kv/conformance"
	"holdfast/kv/crashdisk"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

var ctx = context.Background()

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// testOptions are small, and do not end the process.
func testOptions(fs vfs.FS) Options {
	return Options{
		Folder: "data", FS: fs, CacheBytes: 1 << 20, MemtableBytes: 1 << 20, MaxTxnBytes: 4 << 20, CloseGrace: 20 * time.Millisecond,
		Fatal: func(string) {}, Logger: quiet, Merge: conformance.Merge,
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
		if d, ok := o.FS.(*crashdisk.Disk); ok && d.Dead() {
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
		d := crashdisk.New(vfs.NewCrashableMem())
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
				d = d.Crash(vfs.CrashCloneCfg{})
				return open(t)
			},
			PauseSync: func() func() { return d.Pause() },
			Waiters:   func(key []byte) int { return s.locks.Waiting(key) },
		}
	}
}

func TestConformance(t *testing.T) {
	conformance.Run(t, harness(func(*Options) {}))
}
