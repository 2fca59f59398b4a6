package pebblekv

import (
	"bytes"
	"sort"

	"holdfast/kv"
	"holdfast/kv/buffer"
	"holdfast/kv/conflict"
	"holdfast/kv/spill"
)

// A transaction that inserts many rows reads the absence of each of their keys. Their number is beyond the bound of a
// footprint, and ranges in their place would cover most of a table whose keys come in no order: as long as anybody
// else inserted rows, the transaction would never be committed.
//
// The keys are known all the same, since the transaction writes them. So before a footprint becomes coarse, it drops what it
// knows of the existence of keys that the transaction inserts or deletes, and from then on validation goes the other way
// as well: what others have written since the snapshot, which is little, is looked up among the own writes. All own writes
// count as read then, which those of the SQL layer are anyhow.
//
// If such writes are undone, their reads stay, and go back into the footprint, coarse as it then becomes. Retracting to the
// latest mark needs nothing of the kind: what was read before it is dropped only if it was written before it.

// covered is conflict.Footprint.Covered: it may drop a read that checkOwn finds. mu is held.
func (t *txn) covered(key []byte, cols kv.ColumnSet, marked bool) bool {
	if cols != kv.Existence {
		return false
	}
	writes := t.current()
	if marked {
		writes = t.marked
	}
	w, ok, err := writes.Get(key, kv.Existence)
	if err != nil || !ok || !w.Columns.Meets(kv.Existence) {
		return false
	}
	t.ownReads = true
	return true
}

// coverOwn lets the footprint of t drop reads of what it writes, if it writes much.
func (t *txn) coverOwn() {
	if t.keepOwn || t.reads.Covered != nil || t.writes.Len() <= t.store.options.FootprintReads/16 {
		return
	}
	t.mu.Lock()
	t.reads.Covered = t.covered
	t.mu.Unlock()
}

// uncover puts the reads of own writes back into the footprint, for good.
func (t *txn) uncover(writes spill.Writes) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reads.Covered, t.keepOwn = nil, true
	if !t.ownReads {
		return
	}
	t.ownReads = false
	all := kv.KeyRange{}
	c := writes.Cursor(all, false)
	for ; c.Valid(); c.Next(all) {
		if w := c.Write(); w.Columns.Meets(kv.Existence) {
			t.observe(w.Key, kv.Existence, recorded)
		}
	}
	if err := c.Err(); err != nil && t.doomed == nil {
		t.doomed = err
	}
}

// checkOwn compares own writes with commits after version since. If the lock of the index is not held, it is taken for
// collecting what there is.
func (t *txn) checkOwn(since kv.Version, locked bool) error {
	if !t.ownReads {
		return nil
	}
	var others []conflict.Interval
	recent := t.store.recent
	if !locked {
		recent.RLock()
	}
	recent.Since(since, kv.Existence, func(v conflict.Interval) {
		if t.mayWrite(&v) {
			others = append(others, v)
		}
	})
	if !locked {
		recent.RUnlock()
	}
	writes := t.current()
	for i := range others {
		v := &others[i]
		if found, err := writesIn(writes, v); err != nil {
			return err
		} else if found {
			return &kv.ConflictError{Start: bytes.Clone(v.Start), End: bytes.Clone(v.End), Columns: kv.Existence, Version: v.Version}
		}
	}
	return nil
}

// mayWrite reports whether an interval meets what is prepared for the index of recent writes, which covers all own
// writes; true if nothing is prepared.
func (t *txn) mayWrite(v *conflict.Interval) bool {
	if t.bulk == nil {
		return true
	}
	end := v.End
	if end == nil {
		end = conflict.PointEnd(v.Start)
	}
	i := sort.Search(len(t.bulk), func(i int) bool {
		return t.bulk[i].End == nil || bytes.Compare(v.Start, t.bulk[i].End) < 0
	})
	return i < len(t.bulk) && bytes.Compare(t.bulk[i].Start, end) < 0
}

// writesIn reports whether some of the writes change the existence of a key of an interval, whose End is nil for a
// single key.
func writesIn(writes spill.Writes, v *conflict.Interval) (bool, error) {
	changes := func(w buffer.Write) bool { return w.Columns.Meets(kv.Existence) }
	if v.End == nil {
		w, ok, err := writes.Get(v.Start, kv.Existence)
		return ok && changes(w), err
	}
	r := kv.KeyRange{Start: v.Start, End: v.End}
	c := writes.Cursor(r, false)
	for ; c.Valid(); c.Next(r) {
		if changes(c.Write()) {
			return true, nil
		}
	}
	return false, c.Err()
}
