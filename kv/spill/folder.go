// Package spill keeps the writes of a transaction that are too many for memory in sorted temporary files.
//
// Run is one such file. Writes is all writes of a transaction at some moment: runs under a tree in memory (kv/buffer),
// of which the newer hide the older. Folder is where the files lie.
//
// The files have a format of their own and not that of the store's tables, because a transaction looks up each key that
// it inserts among its own writes: a run keeps the filter and the index of its blocks in memory, about two bytes for
// each key, where a reader of tables without a share in the store's cache reads both from the file each time.
package spill

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Folder is a folder of temporary files. It is made when the first file is. It is safe for concurrent use.
type Folder struct {
	fs     vfs.FS
	path   string
	blocks cache

	mu    sync.Mutex
	made  bool
	owner uint64 // in the names, so that what belongs to an earlier store of the folder is not taken for a file of this one
	next  uint64
}

// OpenFolder removes what an earlier process has left in the folder. Nobody else may use it.
func OpenFolder(fs vfs.FS, path string) (*Folder, error) {
	names, err := fs.List(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	for _, name := range names {
		if err := fs.Remove(fs.PathJoin(path, name)); err != nil {
			return nil, err
		}
	}
	return &Folder{fs: fs, path: path, made: err == nil, owner: rand.Uint64()}, nil
}

// syncEvery is after how many bytes the system is told to begin writing a file to disk. Without it, gigabytes gather
// in its cache, and then the sync of the log waits for them.
const syncEvery = 1 << 20

// Create makes a new file. The caller removes it.
func (f *Folder) Create(kind string) (file vfs.File, path string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.made {
		if err := f.fs.MkdirAll(f.path, 0o700); err != nil {
			return nil, "", err
		}
		f.made = true
	}
	f.next++
	path = f.fs.PathJoin(f.path, fmt.Sprintf("%016x-%06d.%s", f.owner, f.next, kind))
	file, err = f.fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, "", err
	}
	return vfs.NewSyncingFile(file, vfs.SyncingFileOptions{NoSyncOnClose: true, BytesPerSync: syncEvery}), path, nil
}

// FS is the file system of the folder.
func (f *Folder) FS() vfs.FS { return f.fs }
