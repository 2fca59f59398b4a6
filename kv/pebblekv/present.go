package pebblekv

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"holdfast/kv"
	"holdfast/kv/buffer"

	"github.com/cockroachdb/pebble/v2"
)

const (
	// fewKeys is how many keys FirstPresent looks up one by one: opening an iterator costs as much as some look-ups.
	fewKeys = 8
	// keysPerSeek is how many keys each seek must have decided, on average, for the iterator to be worth more than
	// look-ups, which ask the filters of all levels where an iterator reads a block of each.
	keysPerSeek = 4
)

// FirstPresent implements kv.Txn. New keys mostly lie close together, or beyond all there are: then one seek, which finds
// the next key that is present, tells that all before it are absent. Where other keys lie between them, so that most
// need a seek of their own, they are looked up.
func (t *txn) FirstPresent(ctx context.Context, keys [][]byte) (int, error) {
	decided := 0
	if len(keys) > fewKeys {
		var found bool
		var err error
		if decided, found, err = t.seekPresent(ctx, keys); err != nil {
			return -1, err
		} else if found {
			return decided, nil
		}
	}
	for i := decided; i < len(keys); i++ {
		if _, ok, err := t.Get(ctx, keys[i], kv.Existence); err != nil {
			return -1, err
		} else if ok {
			return i, nil
		}
	}
	return -1, nil
}

// seekPresent decides keys with an iterator, in their order, until one is present, or too many seeks were needed.
// The first decided keys are absent, and if found, the next is present.
func (t *txn) seekPresent(ctx context.Context, keys [][]byte) (decided int, found bool, err error) {
	if err := t.enter(ctx); err != nil {
		return 0, false, err
	}
	defer t.leave()
	last := keys[len(keys)-1]
	writes := t.current()
	own := t.spilled.any()
	if !own && writes.Tree != nil {
		var c buffer.Cursor
		c.Seek(writes.Tree, kv.KeyRange{Start: keys[0], End: append(bytes.Clone(last), 0)}, false)
		own = c.Valid()
	}
	it, err := t.snap.engine.iterate(&pebble.IterOptions{
		LowerBound: encodeKey(keys[0]),
		UpperBound: append(bytes.Clone(encodeKey(last)), 0),
		KeyTypes:   pebble.IterKeyTypePointsOnly,
	})
	if err != nil {
		return 0, false, err
	}
	var stored []byte
	var next []byte // the first present key of the snapshot that is not below the latest sought
	seeks, end := 0, false
	for decided < len(keys) && !found {
		key := keys[decided]
		if own {
			w, ok, err := writes.Get(key, kv.Existence)
			if err != nil {
				return 0, false, errors.Join(err, it.Close())
			}
			if ok {
				t.read(key, kv.Existence&^w.Columns)
				if found = !w.Deleted; !found {
					decided++
				}
				continue
			}
		}
		if order := bytes.Compare(key, next); !end && (seeks == 0 || order > 0) {
			if seeks > fewKeys && decided < keysPerSeek*seeks {
				break
			}
			seeks++
			stored = slices.Grow(stored[:0], encodedLen(key))[:encodedLen(key)]
			putEncoded(stored, key)
			if it.SeekGE(stored) {
				next = append(next[:0], decodeKey(it.Key())...)
			} else if end = true; it.Error() != nil {
				break
			}
		}
		t.read(key, kv.Existence)
		if found = !end && bytes.Equal(key, next); !found {
			decided++
		}
	}
	return decided, found, it.Close()
}

// read records a read of columns of a key, none if there are none.
func (t *txn) read(key []byte, cols kv.ColumnSet) {
	if cols == 0 || t.options.ReadOnly {
		return
	}
	t.mu.Lock()
	t.observe(key, cols, recorded)
	t.mu.Unlock()
}
