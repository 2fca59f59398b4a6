package pebblekv

import "holdfast/kv"

var _ kv.Observer = (*Store)(nil)

// LockQueues implements kv.Observer.
func (s *Store) LockQueues() []kv.LockQueue { return s.locks.Queues() }

// Figures implements kv.Observer.
func (s *Store) Figures() []kv.Figure {
	f := s.Stats()
	now := func(name string, value int64, unit, meaning string) kv.Figure {
		return kv.Figure{Name: name, Value: value, Unit: unit, Meaning: meaning}
	}
	since := func(name string, value uint64, unit, meaning string) kv.Figure {
		return kv.Figure{Name: name, Value: int64(value), Unit: unit, Since: true, Meaning: meaning}
	}
	return []kv.Figure{
		since("commits", f.Commits, "", "Transactions with writes that were committed."),
		since("groups", f.Groups, "", "Groups in which they were committed: one batch, one snapshot, and at most one sync of the log each."),
		since("conflicts", f.Conflicts, "", "Commits refused by validation, those that were run again included."),
		since("rechecks", f.Rechecks, "", "Commits that had to repeat tests, since only what these had read was changed."),
		since("refusals", f.Refusals, "", "Commits refused because a bound on an accumulator would not have held."),
		since("writes", f.Writes, "", "Keys written."),
		since("bytes", f.Bytes, "bytes", "Bytes of keys and values written."),
		since("refreshes", f.Refreshes, "", "Snapshots moved to the newest state for a row that was newer."),
		since("refresh_conflicts", f.RefreshConflicts, "", "Snapshots that could not be moved, since something read had changed."),
		since("lock_waits", f.Locks.Waited, "", "Requests for locks that had to wait."),
		since("deadlocks", f.Locks.Deadlocks, "", "Deadlocks found, those of transactions that were run again included."),
		now("locks", int64(f.Locks.Locks), "", "Keys locked."),
		now("lock_waiters", int64(f.Locks.Waiting), "", "Requests waiting for a lock."),
		now("open_transactions", int64(f.OpenTxns), "", "Transactions open."),
		now("live_snapshots", int64(f.LiveSnapshots), "", "States kept for transactions, for new ones, and until they are durable."),
		now("oldest_snapshot_age", int64(f.OldestSnapshot.Seconds()), "seconds", "Age of the oldest state kept."),
		now("horizon_age", int64(f.OldestValidated.Seconds()), "seconds", "Age of the oldest state that a transaction which may write reads; 0 without one."),
		now("horizon_commits", int64(f.Version-min(f.Horizon, f.Version)), "", "Commits since the state up to which recent writes may be forgotten."),
		now("version", int64(f.Version), "", "Version of the newest sequenced state: one for each commit."),
		now("durable_version", int64(f.Durable), "", "Version of the newest durable state."),
		now("recent_keys", int64(f.Recent.Keys), "", "Single keys in the index of recent writes."),
		now("recent_keys_bound", int64(f.Recent.Bound), "", "Single keys it keeps at most: beyond, the older half is coarsened to ranges."),
		now("recent_runs", int64(f.Recent.Runs), "", "Sorted runs of ranges in it, of coarsened keys and of large transactions."),
		now("recent_intervals", int64(f.Recent.RunIntervals), "", "Ranges in those runs."),
		since("recent_coarsenings", f.Recent.Coarsenings, "", "Times that keys in it were coarsened: a long transaction may then meet conflicts that are none, and memory stays bounded."),
		since("gaps_found", f.GapsFound, "", "Ranges that scans have found empty after stepping over many deleted keys, or look-ups of keys that are not there."),
		now("gaps", int64(f.Gaps), "", "Ranges remembered as empty, which scans leap over and in which nobody looks for a key."),
		since("write_stalls", f.Stalls, "", "Times that writes had to wait for memtables or level 0."),
		since("background_errors", f.BackgroundErrors, "", "Failed flushes and compactions, which are tried again."),
		now("disk_bytes", int64(f.DiskBytes), "bytes", "All files of the store."),
		now("cache_bytes", f.CacheBytes, "bytes", "The block cache in use."),
		now("memtable_bytes", int64(f.MemtableBytes), "bytes", "Memory of memtables."),
	}
}
