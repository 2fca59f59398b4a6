package pebblekv

import (
	"sync/atomic"
	"time"

	"holdfast/kv"
	"holdfast/kv/conflict"
	"holdfast/kv/locks"
)

// counters count since the store was opened.
type counters struct {
	commits, groups, conflicts, rechecks, refusals, writes, bytes atomic.Uint64
	refreshes, refreshConflicts                                   atomic.Uint64
	spills, ingests                                               atomic.Uint64
	gaps                                                          atomic.Uint64
	stalls, backgroundErrors                                      atomic.Uint64
}

// Stats are figures of a store at one moment. Counts without "at present" are since it was opened.
type Stats struct {
	Commits   uint64 // transactions with writes that were committed
	Groups    uint64 // in which they were committed: one batch and one snapshot each
	Conflicts uint64 // commits refused by validation
	Rechecks  uint64 // commits refused because only marked reads had changed
	Refusals  uint64 // commits refused by their requirements
	Writes    uint64 // keys written
	Bytes     uint64 // of keys and values written

	Refreshes        uint64 // snapshots moved after waiting
	RefreshConflicts uint64 // that failed

	Spills  uint64 // runs of writes written to temporary files
	Ingests uint64 // commits made of tables

	GapsFound uint64 // ranges that scans have found empty after stepping over many deleted keys
	Gaps      int    // that are remembered, at present

	Stalls           uint64 // times writes had to wait for memtables or level 0
	BackgroundErrors uint64 // failed flushes and compactions, which are tried again

	OpenTxns      int        // at present
	LiveSnapshots int        // at present
	Version       kv.Version // newest sequenced state, at present
	Durable       kv.Version // newest durable state, at present
	Horizon       kv.Version // up to which recent writes may be forgotten, at present

	OldestSnapshot  time.Duration // since the oldest live snapshot was made, at present
	OldestValidated time.Duration // the same of transactions that will be validated: what recent writes are kept for

	Recent conflict.Stats
	Locks  locks.Stats

	DiskBytes     uint64 // all files of the store, at present
	CacheBytes    int64  // in use of the block cache, at present
	MemtableBytes uint64 // allocated for memtables, at present
}

// Stats returns the present figures, of which those of Pebble are zero when the store is closed.
func (s *Store) Stats() Stats {
	c := &s.counts
	out := Stats{
		Commits: c.commits.Load(), Groups: c.groups.Load(), Conflicts: c.conflicts.Load(), Rechecks: c.rechecks.Load(), Refusals: c.refusals.Load(),
		Writes: c.writes.Load(), Bytes: c.bytes.Load(),
		Refreshes: c.refreshes.Load(), RefreshConflicts: c.refreshConflicts.Load(),
		Stalls: c.stalls.Load(), BackgroundErrors: c.backgroundErrors.Load(),
		Spills: c.spills.Load(), Ingests: c.ingests.Load(),
		GapsFound: c.gaps.Load(), Gaps: len(s.gaps.all()),
		Horizon: s.states.horizon(),
		Recent:  s.recent.Stats(),
		Locks:   s.locks.Stats(),
	}
	l := &s.states
	l.mu.Lock()
	now := time.Now()
	for at := l.first; at != nil; at = at.next {
		if at.refs > 0 && out.OldestSnapshot == 0 {
			out.OldestSnapshot = now.Sub(at.since)
		}
		if at.validated > 0 {
			out.OldestValidated = now.Sub(at.since)
			break
		}
	}
	out.OpenTxns, out.LiveSnapshots = l.open, l.live
	out.Version, out.Durable = l.newest.version, l.published.version
	l.mu.Unlock()
	if s.commits.enter(&s.calls) {
		defer s.calls.Done()
		f := s.engine.figures()
		out.DiskBytes, out.CacheBytes, out.MemtableBytes = f.diskBytes, f.cacheBytes, f.memtableBytes
	}
	return out
}
