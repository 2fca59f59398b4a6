package memkv

import (
	"context"
	"errors"

	"holdfast/kv"
)

// errRetracted is the error of an iterator whose statement has been retracted.
var errRetracted = errors.New("memkv: the iterator was retracted")

// view implements kv.Reader over the writes its transaction had made when it was taken. It reads the
// transaction's present snapshot: Refresh moves views and open iterators along, which they cannot notice,
// because nothing they have read has changed.
type view struct {
	txn    *txn
	writes *buffer // never changed
	silent bool    // its reads leave no footprint
	marked bool    // or one with a mark
}

func (v *view) Get(ctx context.Context, key []byte, cols kv.ColumnSet) ([]byte, bool, error) {
	v.txn.store.mu.Lock()
	defer v.txn.store.mu.Unlock()
	if v.silent {
		if err := v.txn.usable(); err != nil {
			return nil, false, err
		}
		if w, ok := v.writes.Get(string(key)); ok {
			return w.value, !w.deleted, ctx.Err()
		}
		value, ok := v.txn.snapshot.data.Get(string(key))
		return value, ok, ctx.Err()
	}
	return v.txn.get(ctx, v.writes, key, cols, v.marked)
}

func (v *view) Unrecorded() kv.Reader { return &view{txn: v.txn, writes: v.writes, silent: true} }

func (v *view) Marked() kv.Reader {
	return &view{txn: v.txn, writes: v.writes, silent: v.silent, marked: true}
}

func (v *view) Scan(ctx context.Context, r kv.KeyRange, o kv.ScanOptions) kv.Iterator {
	v.txn.store.mu.Lock()
	defer v.txn.store.mu.Unlock()
	return v.txn.scan(ctx, v.writes, r, o, v.silent, v.marked)
}

// get reads key under writes. An own write settles the columns it names, so only the others are a read of
// the snapshot; a new or deleted row leaves none.
func (t *txn) get(ctx context.Context, writes *buffer, key []byte, cols kv.ColumnSet, marked bool) ([]byte, bool, error) {
	if err := t.usable(); err != nil {
		return nil, false, err
	}
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	if w, ok := writes.Get(string(key)); ok {
		if open := (cols | kv.Existence) &^ w.columns; open != 0 {
			t.record(&read{start: string(key), end: string(key) + "\x00", point: true, columns: open, marked: marked})
		}
		return w.value, !w.deleted, nil
	}
	read := pointRead(key, cols)
	read.marked = marked
	t.record(read)
	value, ok := t.snapshot.data.Get(string(key))
	return value, ok, nil
}

func (t *txn) scan(ctx context.Context, writes *buffer, r kv.KeyRange, o kv.ScanOptions, silent, marked bool) kv.Iterator {
	it := &iterator{ctx: ctx, txn: t, silent: silent, marked: marked, writes: writes, bounds: rangeRead(r, o.Columns), options: o}
	it.from, it.below, it.unbounded = it.bounds.start, it.bounds.end, it.bounds.unbounded
	return it
}

// iterator implements kv.Iterator. Its entry in the footprint grows with every step, so that whoever
// validates while it is open sees what has been consumed so far.
type iterator struct {
	ctx     context.Context
	txn     *txn
	writes  *buffer
	bounds  *read // of the whole scan
	options kv.ScanOptions
	silent  bool // consumed is not part of the footprint
	marked  bool

	consumed  *read  // its entry in the footprint, nil before the first step
	from      string // forward: the rest starts here
	below     string // reverse: the rest ends before here, unless it is unbounded
	unbounded bool
	key       string
	value     []byte
	done      bool
	err       error
}

func (it *iterator) Next() bool {
	t := it.txn
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	if it.done {
		return false
	}
	if it.err = it.usable(); it.err != nil {
		it.done = true
		return false
	}
	if it.consumed == nil {
		it.consumed = &read{columns: it.bounds.columns, marked: it.marked}
		if !it.silent {
			t.record(it.consumed)
		}
	}
	if it.options.Reverse {
		it.done = !it.stepBack()
	} else {
		it.done = !it.step()
	}
	it.extend()
	return !it.done
}

func (it *iterator) usable() error {
	if err := it.txn.usable(); err != nil {
		return err
	}
	if it.consumed != nil && it.consumed.retracted {
		return errRetracted
	}
	return it.ctx.Err()
}

// step moves to the first pair at or after from.
func (it *iterator) step() bool {
	for {
		key, found := "", false
		it.txn.snapshot.data.Ascend(it.from, func(k string, _ []byte) bool {
			key, found = k, true
			return false
		})
		it.writes.Ascend(it.from, func(k string, _ write) bool {
			if !found || k < key {
				key, found = k, true
			}
			return false
		})
		if !found || !it.bounds.contains(key) {
			return false
		}
		it.from = key + "\x00"
		if it.load(key) {
			return true
		}
	}
}

// stepBack moves to the last pair before below.
func (it *iterator) stepBack() bool {
	for {
		key, found := "", false
		consider := func(k string) (enough bool) {
			if !it.unbounded && k >= it.below {
				return false
			}
			if !found || k > key {
				key, found = k, true
			}
			return true
		}
		snapshot := func(k string, _ []byte) bool { return !consider(k) }
		own := func(k string, _ write) bool { return !consider(k) }
		if it.unbounded {
			it.txn.snapshot.data.Reverse(snapshot)
			it.writes.Reverse(own)
		} else {
			it.txn.snapshot.data.Descend(it.below, snapshot)
			it.writes.Descend(it.below, own)
		}
		if !found || !it.bounds.contains(key) {
			return false
		}
		it.below, it.unbounded = key, false
		if it.load(key) {
			return true
		}
	}
}

// load makes key the present pair and reports false if it is deleted.
func (it *iterator) load(key string) bool {
	value, _ := it.txn.snapshot.data.Get(key)
	if w, ok := it.writes.Get(key); ok {
		if w.deleted {
			return false
		}
		value = w.value
	}
	it.key, it.value = key, value
	return true
}

// extend makes the footprint cover what has been passed over: up to and with the present pair, or all.
func (it *iterator) extend() {
	c, b := it.consumed, it.bounds
	c.start, c.end, c.unbounded = b.start, b.end, b.unbounded
	if it.done {
		return
	}
	if it.options.Reverse {
		c.start = it.key
	} else {
		c.end, c.unbounded = it.key+"\x00", false
	}
}

func (it *iterator) Key() []byte { return []byte(it.key) }

func (it *iterator) Value() []byte { return it.value }

func (it *iterator) Err() error { return it.err }

func (it *iterator) Close() error {
	it.txn.store.mu.Lock()
	defer it.txn.store.mu.Unlock()
	it.done = true
	return it.err
}
