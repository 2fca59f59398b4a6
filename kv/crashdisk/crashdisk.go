// Package crashdisk is a disk for tests of what survives a power failure.
package crashdisk

import (
	"errors"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Disk is a file system in memory that loses what was not synced when it crashes, and whose syncs of the log
// can be held up.
type Disk struct {
	vfs.FS
	memory *vfs.MemFS

	mu     sync.RWMutex // held shared by a sync, and exclusively by a crash
	change *sync.Cond   // of paused and dead
	state  sync.Mutex
	paused int
	dead   bool
}

// ErrDead is the answer to a sync after the crash.
var ErrDead = errors.New("the disk has crashed")

// New is a disk without failures so far, on a file system of vfs.NewCrashableMem.
func New(memory *vfs.MemFS) *Disk {
	d := &Disk{FS: Careful(memory), memory: memory}
	d.change = sync.NewCond(&d.state)
	return d
}

// Pause holds up syncs of the log until the result is called.
func (d *Disk) Pause() (resume func()) {
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

// Crash returns what would be left after a power failure, and lets every later sync fail.
func (d *Disk) Crash(c vfs.CrashCloneCfg) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.state.Lock()
	defer d.state.Unlock()
	d.dead = true
	d.change.Broadcast()
	return New(Clone(d.memory, c))
}

// sync does a sync when it is allowed.
func (d *Disk) sync(do func() error) error {
	d.state.Lock()
	for d.paused > 0 && !d.dead {
		d.change.Wait()
	}
	d.state.Unlock()
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.dead {
		return ErrDead
	}
	return do()
}

// Dead reports whether the disk has crashed.
func (d *Disk) Dead() bool {
	d.state.Lock()
	defer d.state.Unlock()
	return d.dead
}

// Memory is the file system below.
func (d *Disk) Memory() *vfs.MemFS { return d.memory }

func (d *Disk) wrap(name string, f vfs.File, err error) (vfs.File, error) {
	if err != nil || !strings.HasSuffix(name, ".log") {
		return f, err
	}
	return &logFile{File: f, disk: d}, nil
}

// Create implements vfs.FS.
func (d *Disk) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := d.FS.Create(name, c)
	return d.wrap(name, f, err)
}

// ReuseForWrite implements vfs.FS.
func (d *Disk) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := d.FS.ReuseForWrite(from, to, c)
	return d.wrap(to, f, err)
}

// Unwrap implements vfs.FS.
func (d *Disk) Unwrap() vfs.FS { return d.FS }

type logFile struct {
	vfs.File
	disk *Disk
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
