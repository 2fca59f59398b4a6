package pebblekv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"holdfast/kv"
	"holdfast/kv/buffer"
	"holdfast/kv/spill"

	"github.com/cockroachdb/pebble/v2"
)

// pebbleEngine is Pebble as an engine. It owns the lock of its folder.
type pebbleEngine struct {
	db   *pebble.DB
	lock *pebble.Lock
}

// openPebble opens the engine of s in its folder, which it creates if need be.
func openPebble(s *Store) (*pebbleEngine, error) {
	folder, err := absolute(s.options.FS, s.options.Folder)
	if err != nil {
		return nil, err
	}
	lock, err := openFolder(s.options.FS, folder)
	if err != nil {
		return nil, err
	}
	if s.folder, err = spill.OpenFolder(s.options.FS, s.options.FS.PathJoin(folder, spillFolder)); err != nil {
		lock.Close()
		return nil, err
	}
	fewArenas()
	options := s.options.pebble(engineLogger{s}, s.events(), &s.areas)
	defer options.Cache.Unref()
	options.Lock = lock
	options.EnsureDefaults()
	db, err := pebble.Open(folder, options)
	if err != nil {
		lock.Close()
		if strings.Contains(err.Error(), "unknown format major version") { // Pebble has no error value for it
			return nil, fmt.Errorf("%w: %s was written by a newer program: %v", kv.ErrFormat, folder, err)
		}
		return nil, err
	}
	s.tables = options.MakeWriterOptions(0, db.TableFormat())
	return &pebbleEngine{db: db, lock: lock}, nil
}

// keptBatchBytes is up to which size the memory of a batch is kept for later ones. Pebble's default is 1 MB, so that
// commits of a thousand rows of 1 KB would all need new memory.
const keptBatchBytes = 4 << 20

func (e *pebbleEngine) newBatch(bytes int) engineBatch {
	return (*pebbleBatch)(e.db.NewBatchWithSize(bytes, pebble.WithMaxRetainedSizeBytes(keptBatchBytes)))
}

func (e *pebbleEngine) apply(b engineBatch) error {
	return e.db.ApplyNoSyncWait((*pebble.Batch)(b.(*pebbleBatch)), pebble.Sync)
}

func (e *pebbleEngine) ingest(paths []string) error { return e.db.Ingest(context.Background(), paths) }

func (e *pebbleEngine) snapshot() engineSnapshot { return (*pebbleSnapshot)(e.db.NewSnapshot()) }

func (e *pebbleEngine) removeRange(lower, upper []byte) error {
	return e.db.DeleteRange(lower, upper, pebble.Sync)
}

func (e *pebbleEngine) checkpoint(folder string) error {
	return e.db.Checkpoint(folder, pebble.WithFlushedWAL())
}

func (e *pebbleEngine) figures() engineFigures {
	m := e.db.Metrics()
	return engineFigures{diskBytes: m.DiskSpaceUsage(), cacheBytes: m.BlockCache.Size, memtableBytes: m.MemTable.Size}
}

func (e *pebbleEngine) close() (err error) {
	defer func() { err = errors.Join(err, e.lock.Close()) }() // also when Pebble panics
	return e.db.Close()
}

// pebbleBatch is a pebble.Batch without index.
type pebbleBatch pebble.Batch

// set does not fail on a batch without index.
func (b *pebbleBatch) set(key, value []byte) { _ = (*pebble.Batch)(b).Set(key, value, nil) }

// write encodes the key in its place, without a copy of its own.
func (b *pebbleBatch) write(w *buffer.Write) {
	var op *pebble.DeferredBatchOp
	if size := encodedLen(w.Key); w.Deleted {
		op = (*pebble.Batch)(b).DeleteDeferred(size)
	} else {
		op = (*pebble.Batch)(b).SetDeferred(size, len(w.Value))
		copy(op.Value, w.Value)
	}
	putEncoded(op.Key, w.Key)
	_ = op.Finish() // does not fail on a batch without index
}

func (b *pebbleBatch) add(other engineBatch) error {
	return (*pebble.Batch)(b).Apply((*pebble.Batch)(other.(*pebbleBatch)), nil)
}

func (b *pebbleBatch) syncWait() error { return (*pebble.Batch)(b).SyncWait() }
func (b *pebbleBatch) close()          { _ = (*pebble.Batch)(b).Close() } // returns nil always

// pebbleSnapshot is a pebble.Snapshot.
type pebbleSnapshot pebble.Snapshot

func (s *pebbleSnapshot) get(key []byte) ([]byte, io.Closer, error) {
	return (*pebble.Snapshot)(s).Get(key)
}

func (s *pebbleSnapshot) iterate(o *pebble.IterOptions) (engineIterator, error) {
	it, err := (*pebble.Snapshot)(s).NewIter(o)
	if err != nil {
		return nil, err
	}
	return it, nil
}

func (s *pebbleSnapshot) close() { _ = (*pebble.Snapshot)(s).Close() } // returns nil always
