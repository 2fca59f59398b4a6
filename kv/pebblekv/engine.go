package pebblekv

import (
	"io"

	"holdfast/kv/buffer"

	"github.com/cockroachdb/pebble/v2"
)

// engine is what a store stands on: ordered pairs, changed by batches, read through snapshots, behind a log. It has no
// transactions; they are the store's work.
//
// There are two of them: Pebble, and one in memory for simulations, whose every step can be held up, made to fail, or
// followed by a crash. The interfaces are Pebble's own as far as they go, with fewer methods, and in such a
// form that its batches, snapshots and iterators are used as they are: going through them allocates nothing.
type engine interface {
	// newBatch returns an empty batch with room for so many bytes.
	newBatch(bytes int) engineBatch
	// apply makes the changes of a batch visible to later snapshots, and hands them to the log, in the order of the
	// calls. engineBatch.syncWait tells when they are on disk.
	apply(b engineBatch) error
	// snapshot is the present state.
	snapshot() engineSnapshot
	// ingest makes tables of sorted pairs, in files, part of the engine: all or none, on disk when it returns. They come
	// after what has been applied, and are gone from where they were.
	ingest(paths []string) error
	// removeRange removes the pairs from lower up to, not including, upper, on disk when it returns.
	removeRange(lower, upper []byte) error
	// checkpoint copies all that is in the log into a new folder.
	checkpoint(folder string) error
	figures() engineFigures
	// close may be called once nothing else is, and no batch is on its way.
	close() error
}

// engineBatch is changes that are applied together. It is one goroutine's at a time.
type engineBatch interface {
	// set adds a pair of the engine's own.
	set(key, value []byte)
	// write adds a transaction's write, whose key it encodes.
	write(w *buffer.Write)
	// add adds the changes of another batch.
	add(other engineBatch) error
	// syncWait waits until the batch, which has been applied, is on disk.
	syncWait() error
	// close frees the batch, after syncWait if it has been applied.
	close()
}

// engineSnapshot is one state, for any number of goroutines.
type engineSnapshot interface {
	// get returns the value of key, valid until closed. It fails with pebble.ErrNotFound if there is none.
	get(key []byte) (value []byte, closer io.Closer, err error)
	// iterate reads the bounds and the key types of the options, which it keeps.
	iterate(o *pebble.IterOptions) (engineIterator, error)
	close()
}

// engineIterator is a *pebble.Iterator with fewer methods.
type engineIterator interface {
	First() bool
	Last() bool
	SeekGE(key []byte) bool
	// SeekGEWithLimit and NextWithLimit may end with pebble.IterAtLimit where there is nothing before the limit.
	SeekGEWithLimit(key, limit []byte) pebble.IterValidityState
	Next() bool
	NextWithLimit(limit []byte) pebble.IterValidityState
	Prev() bool
	Key() []byte
	ValueAndErr() ([]byte, error)
	Error() error
	// Stats tells, besides much else, how many entries it has stepped over: ForwardStepCount[pebble.InternalIterCall].
	Stats() pebble.IteratorStats
	Close() error
}

// engineFigures are an engine's part of Stats.
type engineFigures struct {
	diskBytes     uint64
	cacheBytes    int64
	memtableBytes uint64
}
