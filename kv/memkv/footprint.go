package memkv

import "holdfast/kv"

// read is one entry of a footprint: the keys k with start <= k < end, without upper bound if unbounded.
type read struct {
	start, end string
	unbounded  bool
	point      bool // the range is one key
	columns    kv.ColumnSet
	marked     bool // see kv.Reader.Marked
	retracted  bool // it has been taken out, or counts no more: its iterator must not go on
}

func pointRead(key []byte, cols kv.ColumnSet) *read {
	return &read{start: string(key), end: string(key) + "\x00", point: true, columns: cols | kv.Existence}
}

func rangeRead(r kv.KeyRange, cols kv.ColumnSet) *read {
	return &read{start: string(r.Start), end: string(r.End), unbounded: r.End == nil, columns: cols | kv.Existence}
}

func (r *read) contains(key string) bool { return key >= r.start && (r.unbounded || key < r.end) }

// record adds r to the footprint.
func (t *txn) record(r *read) {
	if !t.options.ReadOnly {
		t.footprint = append(t.footprint, r)
	}
}

// validate compares every read with every write committed since the snapshot.
func (t *txn) validate() error {
	if e := t.conflict(false); e != nil {
		return e
	}
	if e := t.conflict(true); e != nil {
		return &kv.RecheckError{Conflict: e}
	}
	return nil
}

// conflict looks for a write that meets a read, marked or not.
func (t *txn) conflict(marked bool) *kv.ConflictError {
	for _, c := range t.store.log {
		if c.version <= t.snapshot.version {
			continue
		}
		for key, columns := range c.writes {
			for _, r := range t.footprint {
				if r.retracted || r.marked != marked || !r.contains(key) || !r.columns.Meets(columns) {
					continue
				}
				e := &kv.ConflictError{Start: []byte(r.start), Columns: r.columns & columns, Version: c.version}
				if !r.point && !r.unbounded {
					e.End = []byte(r.end)
				} else if !r.point {
					// No key bounds such a range; the written one is inside it and says more.
					e.Start = []byte(key)
				}
				return e
			}
		}
	}
	return nil
}

// stale reports whether some of the columns of key were written after the snapshot; with kv.AllColumns every
// write counts.
func (t *txn) stale(key string, cols kv.ColumnSet) bool {
	for _, c := range t.store.log {
		if w, ok := c.writes[key]; ok && c.version > t.snapshot.version && (cols == kv.AllColumns || w.Meets(cols)) {
			return true
		}
	}
	return false
}
