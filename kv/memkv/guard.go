package memkv

import (
	"context"
	"slices"

	"holdfast/kv"
)

// Restart implements kv.Txn.
func (t *txn) Restart(ctx context.Context, guard bool) error {
	s := t.store
	s.mu.Lock()
	defer s.mu.Unlock()
	t.doomed = nil
	if err := t.usable(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if guard {
		for _, r := range t.footprint {
			if !r.retracted {
				t.reads = append(t.reads, &read{start: r.start, end: r.end, unbounded: r.unbounded, columns: r.columns})
			}
		}
		if !t.guarded {
			t.guarded = true
			s.guarded = append(s.guarded, t)
		}
	} else {
		t.unguard()
	}
	for _, r := range t.footprint {
		r.retracted = true // by iterators left open
	}
	t.snapshot, t.writes, t.deltas, t.bytes = s.newest, new(buffer), new(deltas), 0
	t.required, t.footprint, t.asked = nil, nil, nil
	return nil
}

// Unguard implements kv.Txn.
func (t *txn) Unguard() {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	t.unguard()
}

func (t *txn) unguard() {
	s := t.store
	if t.guarded {
		t.guarded, t.reads = false, nil
		s.guarded = slices.DeleteFunc(s.guarded, func(o *txn) bool { return o == t })
		s.letGo()
	}
}

// letGo wakes the commits that give way, to look again whether they have to.
func (s *Store) letGo() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// giveWay waits until the commit of t would change nothing that a guarded transaction with precedence has read.
func (t *txn) giveWay(ctx context.Context) {
	s := t.store
	for t.usable() == nil && t.against() {
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		case <-s.down:
		}
		s.mu.Lock()
		if ctx.Err() != nil {
			return
		}
	}
}

func (t *txn) against() (found bool) {
	for _, o := range t.store.guarded {
		if o == t {
			return false
		}
		if o.waiting != nil {
			continue // for a lock, which t may have
		}
		changes := func(key string, columns kv.ColumnSet) bool {
			found = slices.ContainsFunc(o.reads, func(r *read) bool { return r.contains(key) && r.columns.Meets(columns) })
			return !found
		}
		t.writes.Scan(func(key string, w write) bool { return changes(key, w.columns) })
		if !found {
			t.deltas.Scan(func(key string, _ []byte) bool { return changes(key, kv.AllColumns) })
		}
		if found {
			return true
		}
	}
	return false
}
