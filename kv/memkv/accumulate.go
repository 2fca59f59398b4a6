package memkv

import (
	"context"
	"fmt"

	"holdfast/kv"

	"github.com/tidwall/btree"
)

// deltas are what a transaction adds to accumulators, by key; copied like a buffer.
type deltas = btree.Map[string, []byte]

// requirement is one call of Require.
type requirement struct {
	keys [][]byte
	test kv.Requirement
}

// wrote reports whether there is something to commit.
func (t *txn) wrote() bool { return t.writes.Len()+t.deltas.Len() > 0 }

// Accumulate implements kv.Txn. A delta of a key that the transaction has written changes what it has written.
func (t *txn) Accumulate(key, delta []byte) error {
	s := t.store
	s.mu.Lock()
	w, written := t.writes.Get(string(key))
	var old []byte
	if written && !w.deleted {
		old = w.value
	} else if !written {
		old, _ = t.deltas.Get(string(key))
	}
	err := t.usable()
	s.mu.Unlock()
	switch {
	case err != nil:
		return err
	case t.options.ReadOnly:
		return kv.ErrReadOnly
	case s.options.Merge == nil:
		return kv.ErrNoMerge
	}
	value, err := s.options.Merge(old, delta)
	switch {
	case err != nil:
		return err
	case written && len(value) == 0:
		return t.Delete(key)
	case written:
		return t.Set(key, value, kv.AllColumns)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if limit := s.options.KeyBytes; limit > 0 && len(key) > limit {
		return &kv.SizeError{Key: key, What: "key", Bytes: len(key), Limit: limit}
	}
	bytes := t.bytes
	if old != nil {
		bytes -= int64(len(key) + len(old))
	}
	if len(value) == 0 {
		t.deltas.Delete(string(key))
		t.bytes = bytes
		return nil
	}
	bytes += int64(len(key) + len(value))
	if limit := s.options.TxnBytes; limit > 0 && bytes > limit {
		return fmt.Errorf("%w: transaction of %d bytes, the limit is %d", kv.ErrTooLarge, bytes, limit)
	}
	t.deltas.Set(string(key), value)
	t.bytes = bytes
	return nil
}

// Accumulated implements kv.Txn.
func (t *txn) Accumulated(ctx context.Context, key []byte) ([]byte, error) {
	value, ok, err := t.Unrecorded().Get(ctx, key, kv.AllColumns)
	if err != nil {
		return nil, err
	}
	if !ok {
		value = nil
	}
	t.store.mu.Lock()
	delta, ok := t.deltas.Get(string(key))
	t.store.mu.Unlock()
	if ok {
		if value, err = t.store.options.Merge(value, delta); err != nil {
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
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	t.required = append(t.required, requirement{keys, test})
}

// accumulate adds the deltas of t to data, which has its writes, and tests its requirements.
func (t *txn) accumulate(data *tree, written map[string]kv.ColumnSet) (err error) {
	refuse := func(keys [][]byte, cause error) error {
		return &kv.RequirementError{Keys: keys, Version: t.store.newest.version, Err: cause}
	}
	t.deltas.Scan(func(key string, delta []byte) bool {
		old, _ := data.Get(key)
		value, cause := t.store.options.Merge(old, delta)
		switch {
		case cause != nil:
			err = refuse([][]byte{[]byte(key)}, cause)
			return false
		case len(value) == 0:
			data.Delete(key)
		default:
			data.Set(key, value)
		}
		written[key] = kv.AllColumns
		return true
	})
	if err != nil {
		return err
	}
	for _, r := range t.required {
		values := make([][]byte, len(r.keys))
		for i, key := range r.keys {
			values[i], _ = data.Get(string(key))
		}
		if cause := r.test(values); cause != nil {
			return refuse(r.keys, cause)
		}
	}
	return nil
}
