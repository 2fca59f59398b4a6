package crashdisk

import (
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// cloning is held shared by operations that must not be in the middle when a file system is cloned. One for all file
// systems will do for tests.
var cloning sync.RWMutex

// careful is a vfs.MemFS that can be cloned at any time by Clone. MemFS itself may lock up: Link and ReuseForWrite take
// its lock against cloning for reading twice, and between the two CrashClone may have begun to wait for them.
type careful struct{ vfs.FS }

// Careful is a file system of vfs.NewCrashableMem for use while Clone may be called.
func Careful(memory *vfs.MemFS) vfs.FS { return careful{memory} }

// Link implements vfs.FS.
func (c careful) Link(from, to string) error {
	cloning.RLock()
	defer cloning.RUnlock()
	return c.FS.Link(from, to)
}

// ReuseForWrite implements vfs.FS.
func (c careful) ReuseForWrite(from, to string, category vfs.DiskWriteCategory) (vfs.File, error) {
	cloning.RLock()
	defer cloning.RUnlock()
	return c.FS.ReuseForWrite(from, to, category)
}

// Unwrap implements vfs.FS.
func (c careful) Unwrap() vfs.FS { return c.FS }

// Clone is what a crash would leave of a file system.
func Clone(memory *vfs.MemFS, c vfs.CrashCloneCfg) *vfs.MemFS {
	cloning.Lock()
	defer cloning.Unlock()
	return memory.CrashClone(c)
}
