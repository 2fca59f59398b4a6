package pebblekv

import (
	"errors"
	"fmt"
	"syscall"

	"holdfast/kv"
	"holdfast/kv/buffer"
	"holdfast/kv/spill"
)

// spillFolder is the folder of temporary files, within that of the data: files in it can become part of the store
// without being copied. What is in it when the store is opened is removed.
const spillFolder = "spill"

// mergeRuns is how many runs of one level are merged into one. A read of an own write looks into the filter of each run,
// so that their number must not grow with the size of a transaction; each merge writes everything once more.
const mergeRuns = 16

// writeMemory is what a write takes in memory beyond the bytes that it counts: its place in the tree, and the rounding of what
// is allocated for key and value.
const writeMemory = 112

// spilled is the writes of a transaction that are in temporary files.
//
// Runs are never changed, so that a mark or a view is a slice of them. They are closed when the transaction ends: a view
// may need those that have been merged or rolled back.
type spilled struct {
	runs  []*spill.Run // the present ones, from old to new; copied to be changed
	owned []*spill.Run // all that have been made
}

func (s *spilled) any() bool { return len(s.runs) > 0 }

// len is the number of keys in the present runs, those that are in several counted for each.
func (s *spilled) len() (total int) {
	for _, r := range s.runs {
		total += r.Len()
	}
	return total
}

// bytes is the size of the present runs.
func (s *spilled) bytes() (total int64) {
	for _, r := range s.runs {
		total += r.Bytes()
	}
	return total
}

// close removes the files.
func (s *spilled) close(store *Store) {
	var err error
	for _, r := range s.owned {
		err = errors.Join(err, r.Close())
	}
	if err != nil {
		store.options.Logger.Warn("kv: temporary files are left behind until the next start", "error", err)
	}
	s.runs, s.owned = nil, nil
}

// current is the writes of t for reading at once: the next write changes them.
func (t *txn) current() spill.Writes {
	return spill.Writes{Tree: t.writes.Current(), Runs: t.spilled.runs}
}

// frozen is the present writes of t.
func (t *txn) frozen() spill.Writes {
	return spill.Writes{Tree: t.writes.Frozen(), Runs: t.spilled.runs}
}

// restore goes back to the writes of a mark.
func (t *txn) restore(m *mark) {
	t.writes.Restore(m.writes)
	t.spilled.runs = m.runs
	t.deltas.Restore(m.deltas)
	t.needs = t.needs[:m.needs:m.needs]
}

// spill moves the writes in memory to a file.
func (t *txn) spill() error {
	run, err := spill.Write(t.store.folder, t.writes.Current())
	if err != nil {
		return diskError(err)
	}
	t.store.counts.spills.Add(1)
	s := &t.spilled
	s.owned = append(s.owned, run)
	runs := append(s.runs[:len(s.runs):len(s.runs)], run)
	t.writes = buffer.Buffer{}
	s.runs = runs
	for len(runs) >= mergeRuns && runs[len(runs)-mergeRuns].Level == run.Level {
		old := runs[len(runs)-mergeRuns:]
		if run, err = spill.Merge(t.store.folder, old); err != nil {
			return diskError(err)
		}
		s.owned = append(s.owned, run)
		runs = append(runs[:len(runs)-mergeRuns:len(runs)-mergeRuns], run)
		s.runs = runs
	}
	return nil
}

// diskError names a full disk.
func diskError(err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("%w: %w", kv.ErrDiskFull, err)
	}
	return err
}
