package pebblekv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"holdfast/kv"
	"holdfast/kv/buffer"

	"github.com/cockroachdb/pebble/v2"
)

// accumulators are the exact values of accumulators at the sequencer's place in the order of commits, where it adds deltas
// up and tests requirements.
//
// A transaction carries deltas, which are kept apart from its writes: they are no values yet. When the sequencer
// has validated it, the deltas are added to the values, and the index of recent writes gets them as writes. The batch of the group
// gets one absolute value for each accumulator that the group has changed, however many of its transactions have, so
// that snapshots, scans, the log and recovery know nothing of accumulators: what is on disk are plain pairs, in one
// batch with the rows that they count.
//
// The values are kept from one group to the next, so that a hot one is not read at all. Ordinary writes need not look for
// them: the index of recent writes tells whether a key was written since its value was exact, as long as
// that is not before the index's horizon. A value of which that is not known is read again, from the newest state. All
// are dropped when they become many: the hot ones are soon back.
//
// (Deltas in the store, which Pebble would merge when it reads, would need no values here; but a read of a hot
// accumulator would merge all deltas since the last flush, and testing requirements is a read for each commit.)
//
// All of it is the sequencer's own, but for outdated.
type accumulators struct {
	store   *Store
	known   map[string]*accumulator
	bytes   int            // of keys and values of known
	changed []*accumulator // by the present group
	staged  []*accumulator // by the present transaction, until its requirements have been tested
	values  [][]byte       // those that a requirement is shown

	// outdated: keys were removed beside the order of commits, so that states from now on may not have what is known.
	outdated atomic.Bool
}

// accumulator is one exact value.
type accumulator struct {
	key     []byte
	value   []byte     // nil: absent
	version kv.Version // of the commit up to which value has everything
	next    []byte     // if staged: the value with the delta of the present transaction
	staged  bool
	changed bool // by the present group
}

// accumulatorMemory is what one takes besides key and value.
const accumulatorMemory = 160

// need is one call of Require.
type need struct {
	keys [][]byte
	test kv.Requirement
}

// Accumulate implements kv.Txn.
func (t *txn) Accumulate(key, delta []byte) error {
	if err := t.usable(); err != nil {
		return err
	}
	o := &t.store.options
	switch {
	case t.options.ReadOnly:
		return kv.ErrReadOnly
	case o.Merge == nil:
		return kv.ErrNoMerge
	case len(key) > maxKeyBytes:
		return &kv.SizeError{Key: key, What: "key", Bytes: len(key), Limit: maxKeyBytes}
	}
	if writes := t.current(); !writes.Empty() {
		w, ok, err := writes.Get(key, 0)
		if err != nil {
			return err
		}
		if ok {
			return t.accumulateOwn(&w, key, delta)
		}
	}
	var old []byte
	if w, ok := t.deltas.Find(key); ok {
		old = w.Value
	}
	sum, err := o.Merge(old, delta)
	if err != nil {
		return err
	}
	if len(sum) == 0 {
		t.deltas.Remove(key)
		return nil
	}
	left := min(o.MaxTxnBytes-t.spilled.bytes()-t.writes.Bytes(), o.DeltaBytes)
	if left <= 0 || !t.deltas.Put(buffer.Write{Key: key, Value: sum, Columns: kv.AllColumns}, left) {
		return fmt.Errorf("%w: the writes of a transaction are limited to %d bytes, and its deltas to %d", kv.ErrTooLarge, o.MaxTxnBytes,
			o.DeltaBytes)
	}
	return nil
}

// accumulateOwn adds a delta to what the transaction has written itself.
func (t *txn) accumulateOwn(w *buffer.Write, key, delta []byte) error {
	var old []byte
	if !w.Deleted {
		old = w.Value
	}
	value, err := t.store.options.Merge(old, delta)
	switch {
	case err != nil:
		return err
	case len(value) == 0:
		return t.Delete(key)
	}
	return t.Set(key, value, kv.AllColumns)
}

// Accumulated implements kv.Txn.
func (t *txn) Accumulated(ctx context.Context, key []byte) ([]byte, error) {
	value, ok, err := t.get(ctx, t.current(), key, kv.AllColumns, unrecorded)
	if err != nil {
		return nil, err
	}
	if !ok {
		value = nil
	}
	if w, ok := t.deltas.Find(key); ok {
		if value, err = t.store.options.Merge(value, w.Value); err != nil {
			return nil, err
		}
	}
	if len(value) == 0 {
		return nil, nil
	}
	return value, nil
}

// Require implements kv.Txn.
func (t *txn) Require(keys [][]byte, test kv.Requirement) {
	if !t.ended && !t.options.ReadOnly {
		t.needs = append(t.needs, need{keys, test})
	}
}

// load makes the values exact that a transaction needs. It is called for all of a group before the first is
// validated, so that nobody waits for the index of recent writes while something is read.
func (a *accumulators) load(t *txn) (err error) {
	t.deltas.Scan(func(w buffer.Write) bool {
		err = a.loadKey(w.Key)
		return err == nil
	})
	for _, n := range t.needs {
		for i := 0; i < len(n.keys) && err == nil; i++ {
			err = a.loadKey(n.keys[i])
		}
	}
	return err
}

func (a *accumulators) loadKey(key []byte) error {
	s := a.store
	x := a.known[string(key)]
	if x != nil && x.version >= s.recent.Horizon() {
		if !a.written(x) {
			x.version = s.version
			return nil
		}
	}
	stored, closer, err := s.states.newestEngine().get(encodeKey(key))
	if err != nil && !errors.Is(err, pebble.ErrNotFound) {
		return fmt.Errorf("reading an accumulator: %w", err)
	}
	if x == nil {
		x = &accumulator{key: bytes.Clone(key)}
		if a.known == nil {
			a.known = map[string]*accumulator{}
		}
		a.known[string(x.key)] = x
		a.bytes += len(key) + accumulatorMemory
	}
	x.version = s.version
	if err != nil {
		a.set(x, nil)
		return nil
	}
	a.set(x, bytes.Clone(stored))
	return closer.Close()
}

// written reports whether an accumulator may have been written since its value was exact.
func (a *accumulators) written(x *accumulator) bool {
	if a.store.options.Fault.OverlookSets {
		return false
	}
	_, written := a.store.recent.WrittenLocked(x.key, kv.AllColumns, x.version)
	return written
}

func (a *accumulators) set(x *accumulator, value []byte) {
	a.bytes += len(value) - len(x.value)
	x.value = value
}

// exact is the value of a key that has been loaded, under the commits of the present group.
func (a *accumulators) exact(key []byte, members []*txn) (*accumulator, error) {
	x := a.known[string(key)]
	if !a.written(x) {
		return x, nil
	}
	for i := len(members) - 1; i >= 0 && members[i].version > x.version; i-- {
		w, ok, err := members[i].current().Get(key, 0)
		switch {
		case err != nil:
			return nil, err
		case ok && w.Deleted:
			a.set(x, nil)
		case ok:
			a.set(x, bytes.Clone(w.Value))
		}
		if ok {
			break
		}
	}
	x.version = members[len(members)-1].version
	return x, nil
}

// add adds the deltas of t, which has been validated, behind the members of its group, and tests its requirements. If one
// is not met nothing has changed. The lock of the index is held.
func (a *accumulators) add(t *txn, members []*txn) (err error) {
	if t.deltas.Len() == 0 && len(t.needs) == 0 {
		return nil
	}
	if err = a.stage(t, members); err == nil {
		err = a.test(t, members)
	}
	for _, x := range a.staged {
		if x.staged = false; err == nil {
			a.set(x, x.next)
			x.version = a.store.version + 1
			if !x.changed {
				x.changed = true
				a.changed = append(a.changed, x)
			}
		}
		x.next = nil
	}
	clear(a.staged)
	a.staged = a.staged[:0]
	return err
}

func (a *accumulators) stage(t *txn, members []*txn) (err error) {
	t.deltas.Scan(func(w buffer.Write) bool {
		var x *accumulator
		if x, err = a.exact(w.Key, members); err != nil {
			return false
		}
		next, cause := a.store.options.Merge(x.value, w.Value)
		if cause != nil {
			err = a.refuse([][]byte{bytes.Clone(w.Key)}, cause)
			return false
		}
		if len(next) == 0 {
			next = nil
		}
		x.next, x.staged = next, true
		a.staged = append(a.staged, x)
		return true
	})
	return err
}

func (a *accumulators) test(t *txn, members []*txn) error {
	if a.store.options.Fault.SkipRequirements {
		return nil
	}
	for _, n := range t.needs {
		a.values = a.values[:0]
		for _, key := range n.keys {
			value, err := a.under(t, key, members)
			if err != nil {
				return err
			}
			a.values = append(a.values, value)
		}
		err := n.test(a.values)
		clear(a.values)
		if err != nil {
			return a.refuse(n.keys, err)
		}
	}
	return nil
}

// under is the value of a key under the deltas and writes of t, behind the members of its group.
func (a *accumulators) under(t *txn, key []byte, members []*txn) ([]byte, error) {
	x, err := a.exact(key, members)
	if err != nil {
		return nil, err
	}
	if x.staged {
		return x.next, nil
	}
	switch w, ok, err := t.current().Get(key, 0); {
	case err != nil || ok && w.Deleted:
		return nil, err
	case ok:
		return w.Value, nil
	}
	return x.value, nil
}

func (a *accumulators) refuse(keys [][]byte, cause error) error {
	return &kv.RequirementError{Keys: keys, Version: a.store.version, Err: cause}
}

// settle calls f with the values that the group has changed, as they are behind all of its members. Those of a single member
// come in the order of their keys.
func (a *accumulators) settle(members []*txn, f func(buffer.Write) error) error {
	for _, x := range a.changed {
		if _, err := a.exact(x.key, members); err != nil {
			return err
		}
		if err := f(buffer.Write{Key: x.key, Value: x.value, Columns: kv.AllColumns, Deleted: x.value == nil}); err != nil {
			return err
		}
	}
	return nil
}

// end ends a group. If its values are not to be kept, or too many, all are dropped.
func (a *accumulators) end(keep bool) {
	for _, x := range a.changed {
		x.changed = false
	}
	clear(a.changed)
	a.changed = a.changed[:0]
	if !keep || a.bytes > a.store.options.limits.accumulatorBytes {
		a.known, a.bytes = nil, 0
	}
}
