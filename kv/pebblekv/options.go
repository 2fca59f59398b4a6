// Package pebblekv is the embedded engine of the transaction layer: kv.Store on Pebble, a log-structured store.
//
// A transaction reads a Pebble snapshot under its own buffered writes. Commits go to one goroutine, the
// sequencer, which validates a group of them, applies it as one Pebble batch without waiting for the disk, and
// takes one snapshot of the result. A second goroutine, the publisher, waits for the group's sync, gives its
// snapshot to new transactions, and answers the clients. Groups follow each other without waiting, so that
// several share one sync of the disk.
//
// Reading the source: store.go opens and closes; snapshot.go is which state who sees; txn.go and iterator.go are a
// transaction before its commit, sequencer.go is the commit. engine.go is what is needed of Pebble, and pebble.go
// Pebble. gaps.go is what scans need not look at. spilled.go, bulk.go and ownreads.go are what is different with large
// transactions. The parts that know nothing of Pebble are packages
// of their own: kv/conflict (footprints, validation), kv/locks, kv/buffer, kv/spill.
package pebblekv

import (
	"log/slog"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"holdfast/kv"
	"holdfast/kv/conflict"
	"holdfast/kv/internal/fault"
	"holdfast/kv/internal/turns"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Options are the properties of a store. The zero value of each field stands for its default; only Folder is
// required.
type Options struct {
	// Folder holds the data. It is created if it does not exist. A folder that has other things in it is
	// refused with kv.ErrFormat.
	Folder string

	// CacheBytes is the size of the cache of blocks read from disk. It lives outside the Go heap: the process
	// needs it, and four times MemtableBytes, on top of GOMEMLIMIT. Default: 1/16 of the machine's memory, at least 32 MiB and at most
	// 128 MiB, so that an idle server stays small on any machine. On a server of its own, give it a quarter
	// of the memory if the data is larger than the default.
	CacheBytes int64

	// MemtableBytes is the size of one memtable, also outside the Go heap. New data is sorted there before it
	// goes to disk. At most four of them wait to be written; an idle store keeps two. Default:
	// 64 MiB: smaller ones are written more often and merged more often, larger ones prolong recovery, which
	// replays the log of what was in memtables.
	MemtableBytes int64

	// RecentKeys bounds the index of recent writes, in keys of about 150 bytes. It matters only while a
	// transaction that writes stays open for long: beyond the bound, its conflicts become coarser. Default:
	// 131072.
	RecentKeys int

	// FootprintReads bounds what a transaction keeps of what it has read, in keys and ranges of about 100 bytes.
	// Beyond the bound, neighbouring keys become ranges. Default: 16384.
	FootprintReads int

	// MaxTxnBytes bounds the writes of one transaction, in bytes of keys and values and 16 for each write. A write of
	// a key that has been written to a temporary file already counts again. A single value may have half of
	// it, up to 1 GiB. While the transaction is being committed, the disk needs room for twice as much. Default: 64 GiB.
	MaxTxnBytes int64

	// SpillBytes is how much memory the writes of one transaction take, about. Beyond it they go to temporary files in
	// Folder. It may be twice as much for a while, since views of the transaction refer to what has been written
	// to a file already. Default: 64 MiB, at most 1 GiB.
	SpillBytes int64

	// ingestBytes is from how many bytes on, counted like MaxTxnBytes, spilled writes are committed as tables that become part
	// of the store, instead of one batch that goes through its log. Default: a quarter of SpillBytes.
	ingestBytes int64

	// TxnLocks bounds the row locks of one transaction, of about 60 bytes each. Beyond it, keys that nobody else has
	// locked or waits for are not locked: others do not wait for the transaction then, and it is refused at commit if
	// one of them has written such a key. Default: 524288.
	TxnLocks int

	// Merge adds up accumulators: see kv.Merge. Default: the store has none.
	Merge kv.Merge

	// DeltaBytes bounds what the deltas of one transaction to accumulators take, counted like MaxTxnBytes, in which they count
	// as well. They stay in memory, where each takes about 100 bytes more. Default: 256 MiB, which is some million
	// accumulators.
	DeltaBytes int64

	// CloseGrace is how long Close waits for open iterators to be closed, after which they are abandoned
	// with the memory they hold. Default: 5 s.
	CloseGrace time.Duration

	// FlushGrace is how long writing memtables to disk may fail before the store does. Meanwhile commits may have
	// to wait. Default: 10 s.
	FlushGrace time.Duration

	// FS is the file system. Default: the operating system's. For tests.
	FS vfs.FS

	// Fatal ends the process after a failure that would make acknowledged commits untrue, such as a failed
	// write of the log. It may be called by any goroutine, with Pebble's mutex held. If it returns, as in tests, the store has failed: everything returns
	// kv.ErrUnavailable, and commits on their way kv.ErrCommitUnknown. Default: exit with status 3, after the
	// failure has been logged.
	Fatal func(message string)

	// Logger receives what an operator should know: failures, stalls, slow disks. Default: slog.Default().
	Logger *slog.Logger

	// Fault switches on defects, for tests of the tests.
	Fault fault.Set

	// For simulations.
	turns  turns.Scheduler
	limits limits
}

const (
	minCache   = 32 << 20
	maxCache   = 128 << 20
	cacheShare = 16 // one part of so many of the machine's memory

	maxKeyBytes   = 64 << 10
	maxTxnBytes   = 64 << 30
	maxValueBytes = 1 << 30
	spillBytes    = 64 << 20
	txnLocks      = 512 << 10
	deltaBytes    = 256 << 20
)

func (o Options) withDefaults() Options {
	if o.CacheBytes == 0 {
		o.CacheBytes = min(max(memoryBytes()/cacheShare, minCache), maxCache)
	}
	if o.MemtableBytes == 0 {
		o.MemtableBytes = 64 << 20
	}
	if o.RecentKeys == 0 {
		o.RecentKeys = conflict.DefaultRecentKeys
	}
	if o.FootprintReads == 0 {
		o.FootprintReads = conflict.DefaultReads
	}
	if o.MaxTxnBytes == 0 {
		o.MaxTxnBytes = maxTxnBytes
	}
	if o.SpillBytes == 0 {
		o.SpillBytes = spillBytes
	}
	if o.TxnLocks == 0 {
		o.TxnLocks = txnLocks
	}
	if o.DeltaBytes == 0 {
		o.DeltaBytes = deltaBytes
	}
	// What is not spilled is committed as one batch, which Pebble limits to 4 GiB.
	o.SpillBytes = min(o.SpillBytes, 1<<30)
	if o.ingestBytes == 0 {
		o.ingestBytes = o.SpillBytes / 4
	}
	if o.CloseGrace == 0 {
		o.CloseGrace = 5 * time.Second
	}
	if o.FlushGrace == 0 {
		o.FlushGrace = 10 * time.Second
	}
	if o.limits == (limits{}) {
		o.limits = usualLimits
	}
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Fatal == nil {
		o.Fatal = func(string) { os.Exit(3) }
	}
	return o
}

// memoryBytes is the memory of the machine, 0 if unknown.
func memoryBytes() int64 {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) >= 2 && fields[0] == "MemTotal:" {
			kib, _ := strconv.ParseInt(fields[1], 10, 64)
			return kib << 10
		}
	}
	return 0
}

// caps are the store's limits.
func (o *Options) caps() kv.Caps {
	return kv.Caps{KeyBytes: maxKeyBytes, ValueBytes: int(min(o.MaxTxnBytes/2, maxValueBytes)), TxnBytes: o.MaxTxnBytes}
}

// pebble returns Pebble's options. The caller owns a reference to the cache.
func (o *Options) pebble(logger pebble.Logger, events *pebble.EventListener, areas *areas) *pebble.Options {
	p := &pebble.Options{
		FS: o.FS,
		// Pebble takes the memory of memtables out of the cache's: without their share, a cache of the size of
		// two memtables would hold nothing.
		Cache:  pebble.NewCache(o.CacheBytes + 2*o.MemtableBytes),
		Logger: logger,
		// The default is the oldest format, without columnar blocks and without marks in the log that tell
		// its end from corruption.
		FormatMajorVersion: pebble.FormatNewest,
		MemTableSize:       uint64(o.MemtableBytes),
		// Four memtables may wait before writes do: with two, each flush that is slower than the filling of
		// the next stops all commits.
		MemTableStopWritesThreshold: 4,
		// Merge level 0 early, since every read looks at each of its layers, but stop writes late, since a
		// stop is far worse than some slow reads during a bulk load.
		L0CompactionThreshold: 2,
		L0StopWritesThreshold: 40,
		LBaseMaxBytes:         64 << 20,
		MaxOpenFiles:          4096,
		// Dropped tables give their space back without waiting for the memtable to fill.
		FlushDelayDeleteRange: 10 * time.Second,
		CompactionConcurrencyRange: func() (lower, upper int) {
			return 1, max(1, runtime.GOMAXPROCS(0)/2)
		},
		EventListener: events,
	}
	// The rows that a memtable has of a busy area are one file, which can go down the levels without being rewritten
	// if it overlaps nothing there. (Pebble rewrites several files that move together.) The other levels have
	// Pebble's sizes.
	p.TargetFileSizes = [7]int64{max(o.MemtableBytes, 2<<20), 4 << 20, 8 << 20, 16 << 20, 32 << 20, 64 << 20, 128 << 20}
	p.Experimental.SpanPolicyFunc = areas.policy
	// A filter of 10 bits for each key on all levels: most reads of absent keys are checks before an insert,
	// which find nothing on any level.
	for i := range p.Levels {
		p.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		p.Levels[i].BlockSize = 16 << 10
		p.Levels[i].IndexBlockSize = 64 << 10
	}
	return p
}
