package pebblekv

import (
	"bytes"
	"context"
	"errors"
	"math"

	"holdfast/kv"
	"holdfast/kv/spill"

	"github.com/cockroachdb/pebble/v2"
)

// errRetracted is the error of an iterator whose statement has been retracted.
var errRetracted = errors.New("kv: the iterator has been retracted")

// checkEvery is the number of moves after which an iterator looks whether its context has ended.
const checkEvery = 1024

// iterator is a kv.Iterator: own writes merged over the engine's pairs.
//
// The footprint gets what has been passed over, from the beginning of the range to the present key, when the
// iterator is closed; until then whoever validates asks it. If the transaction is refreshed, the iterator goes
// on behind its key in the new snapshot, which it opens at the next move: the present pair stays valid
// until then.
//
// The engine's iterator is opened by the first move, and txn.active counts it from then on, so that the store is not
// closed under it.
type iterator struct {
	txn     *txn
	ctx     context.Context
	bounds  kv.KeyRange // of the whole scan
	columns kv.ColumnSet
	reverse bool
	mode    recording    // where what it passes over goes
	writes  spill.Writes // own writes
	options pebble.IterOptions

	source engineIterator // nil before the first move and after the last
	fresh  bool           // the source has not been moved
	gaps   []*gap         // true of the snapshot, ahead of a source that goes forward
	limit  []byte         // stored key at which the first of them begins, nil if there is none
	steps  int            // that the source has made, as far as they were looked at
	from   []byte         // memory for the bound of a new gap
	at     bool           // with own writes: the source is at a pair
	passed bool           // and that pair is the present one
	own    spill.Cursor   // at the next own write, nil if there are none
	rest   kv.KeyRange    // that source and own were opened for
	moves  int

	key   []byte // of the present pair, nil if there is none
	value []byte // of the present pair, if it is an own write
	isOwn bool
	done  bool // the end of the range has been reached
	err   error

	started   bool       // it has been moved, and is in txn.iterators until closed
	stale     bool       // the transaction has been refreshed since the source was opened
	retracted bool       // its reads have been taken back
	serial    kv.Version // of the latest mark of its footprint at the first move
	next      *iterator  // in txn.iterators
	previous  *iterator
}

func newIterator(ctx context.Context, t *txn, writes spill.Writes, r kv.KeyRange, o kv.ScanOptions, mode recording) *iterator {
	it := &iterator{
		txn: t, ctx: ctx, columns: o.Columns | kv.Existence, reverse: o.Reverse, writes: writes, mode: mode,
	}
	// The caller may use the memory of the bounds again.
	memory := make([]byte, 0, len(r.Start)+len(r.End))
	memory = append(memory, r.Start...)
	it.bounds.Start = memory[:len(memory):len(memory)]
	if r.End != nil {
		it.bounds.End = append(memory, r.End...)[len(memory):]
	}
	it.rest = it.bounds
	if r.End != nil && bytes.Compare(r.Start, r.End) >= 0 {
		it.done = true
	}
	return it
}

// Next implements kv.Iterator.
func (it *iterator) Next() bool {
	if it.done || it.err != nil {
		return false
	}
	if it.source == nil || it.stale {
		if !it.open() {
			return false
		}
	}
	it.moves++
	if it.moves%checkEvery == 0 {
		if err := it.ctx.Err(); err != nil {
			return it.fail(err)
		}
	}
	if it.txn.store.down.Load() {
		return it.fail(it.txn.store.unavailable())
	}
	if it.own != nil {
		return it.merge()
	}
	if !it.move() {
		return it.finish()
	}
	it.key = decodeKey(it.source.Key())
	return true
}

// open opens the source at the rest of the range in the present snapshot. It is the first move's work, and that of
// the first move after a refresh.
func (it *iterator) open() bool {
	t := it.txn
	if !it.started {
		if err := t.enter(it.ctx); err != nil {
			return it.fail(err)
		}
		t.mu.Lock()
		it.started, it.serial = true, t.reads.Serial()
		if it.mode == marked {
			it.serial = t.footprint(marked).Serial()
		}
		if it.next = t.iterators; it.next != nil {
			it.next.previous = it
		}
		t.iterators = it
		t.mu.Unlock()
	} else {
		if it.retracted {
			return it.fail(errRetracted)
		}
		if err := t.usable(); err != nil {
			return it.fail(err)
		}
	}
	if it.key != nil { // the rest is what comes after the present key
		after := make([]byte, len(it.key)+1)
		copy(after, it.key)
		it.key = after[:len(it.key)]
		if it.reverse {
			it.rest.End = it.key
		} else {
			it.rest.Start = after
		}
	}
	if it.source != nil {
		if err := it.source.Close(); err != nil {
			it.source = nil
			return it.fail(err)
		}
	}
	it.options.KeyTypes = pebble.IterKeyTypePointsOnly
	it.options.LowerBound, it.options.UpperBound = encodeRange(it.rest)
	var err error
	if it.source, err = t.snap.engine.iterate(&it.options); err != nil {
		it.source = nil
		return it.fail(err)
	}
	it.stale, it.fresh, it.steps = false, true, 0
	if !it.reverse {
		version := t.snap.version
		if t.store.options.Fault.GapsForAll {
			version = math.MaxUint64
		}
		it.gaps = t.store.gaps.in(it.rest, version)
		it.nextLimit()
	}
	if !it.writes.Empty() {
		it.own = it.writes.Cursor(it.rest, it.reverse)
		it.at, it.passed = it.move(), false
	}
	return true
}

// move moves the source.
func (it *iterator) move() bool {
	switch {
	case it.fresh && it.reverse:
		it.fresh = false
		return it.source.Last()
	case it.reverse:
		return it.source.Prev()
	case len(it.gaps) > 0 || it.moves <= watchedMoves:
		return it.leap()
	case it.fresh:
		it.fresh = false
		return it.source.First()
	}
	return it.source.Next()
}

// leap moves the source forward, over the gaps on its way. In the first moves of a scan it notes what it has found empty at the
// cost of many steps.
func (it *iterator) leap() bool {
	watched := it.moves <= watchedMoves
	var begin, from []byte // where the keys that this move, and its latest part, pass over begin
	var state pebble.IterValidityState
	if it.fresh {
		begin = it.rest.Start
		if len(it.gaps) > 0 && bytes.Compare(it.gaps[0].start, begin) <= 0 {
			state = pebble.IterAtLimit
		} else {
			state = it.source.SeekGEWithLimit(it.options.LowerBound, it.limit)
		}
		it.fresh = false
	} else {
		if watched {
			it.from = append(append(it.from[:0], decodeKey(it.source.Key())...), 0)
			begin = it.from
		}
		state = it.source.NextWithLimit(it.limit)
	}
	from = begin
	leaps := 0
	for ; state == pebble.IterAtLimit; leaps++ {
		if watched {
			it.watch(from, it.gaps[0].start)
		}
		from = it.passGaps()
		if it.rest.End != nil && bytes.Compare(from, it.rest.End) >= 0 {
			return false
		}
		state = it.source.SeekGEWithLimit(encodeKey(from), it.limit)
	}
	var end []byte
	switch {
	case state == pebble.IterValid:
		end = decodeKey(it.source.Key())
		for len(it.gaps) > 0 && bytes.Compare(it.gaps[0].end, end) <= 0 { // the limit has been passed over
			it.gaps = it.gaps[1:]
			it.nextLimit()
		}
	case it.source.Error() == nil:
		end = it.rest.End
	}
	if watched && end != nil {
		if leaps > gapLeaps {
			it.steps = it.stepped()
			it.txn.store.foundEmpty(begin, end, it.txn.snap.version, false)
		} else {
			it.watch(from, end)
		}
	}
	return state == pebble.IterValid
}

// passGaps takes the first gap away, and those that begin where it ends, and returns their end.
func (it *iterator) passGaps() (end []byte) {
	for {
		g := it.gaps[0]
		it.txn.store.gaps.touch(g)
		end = g.end
		if it.gaps = it.gaps[1:]; len(it.gaps) == 0 || !bytes.Equal(it.gaps[0].start, end) {
			it.nextLimit()
			return end
		}
	}
}

// nextLimit makes the begin of the first gap the limit.
func (it *iterator) nextLimit() {
	it.limit = nil
	if len(it.gaps) > 0 {
		it.limit = encodeKey(it.gaps[0].start)
	}
}

// watch notes that there is nothing in a range if the source has made many steps to pass over it.
func (it *iterator) watch(start, end []byte) {
	steps := it.stepped()
	if steps-it.steps >= gapSteps && bytes.Compare(start, end) < 0 {
		it.txn.store.foundEmpty(start, end, it.txn.snap.version, false)
	}
	it.steps = steps
}

// stepped is how many steps the source has made.
func (it *iterator) stepped() int { return it.source.Stats().ForwardStepCount[pebble.InternalIterCall] }

// merge moves to the next pair of source and own writes, of which the latter hide the former.
func (it *iterator) merge() bool {
	if it.passed {
		it.at, it.passed = it.move(), false
	}
	for {
		if err := it.own.Err(); err != nil {
			return it.fail(err)
		}
		order := 0
		switch {
		case it.at && it.own.Valid():
			order = bytes.Compare(decodeKey(it.source.Key()), it.own.Write().Key)
			if it.reverse {
				order = -order
			}
		case it.at:
			order = -1
		case it.own.Valid():
			order = 1
		default:
			return it.finish()
		}
		if order < 0 {
			it.key, it.isOwn, it.passed = decodeKey(it.source.Key()), false, true
			return true
		}
		w := it.own.Write()
		it.own.Next(it.rest)
		if order == 0 {
			it.at = it.move()
		}
		if !w.Deleted {
			it.key, it.value, it.isOwn = w.Key, w.Value, true
			return true
		}
	}
}

// finish ends the iteration at the end of the range, or with the error that looks like it.
func (it *iterator) finish() bool {
	if err := it.source.Error(); err != nil {
		return it.fail(err)
	}
	it.done = true
	return false
}

// fail ends the iteration with an error.
func (it *iterator) fail(err error) bool {
	if it.err == nil {
		it.err = err
	}
	return false
}

// Key implements kv.Iterator.
func (it *iterator) Key() []byte { return it.key }

// Value implements kv.Iterator.
func (it *iterator) Value() []byte {
	if it.isOwn || it.source == nil {
		return it.value
	}
	value, err := it.source.ValueAndErr()
	if err != nil {
		it.fail(err)
	}
	return value
}

// Err implements kv.Iterator.
func (it *iterator) Err() error { return it.err }

// consumed is the range that has been passed over; any is false if there is none.
func (it *iterator) consumed() (r kv.KeyRange, any bool) {
	r = it.bounds
	switch {
	case !it.started || it.retracted || it.mode == unrecorded || it.txn.options.ReadOnly:
		return r, false
	case it.done:
		return r, true
	case it.key == nil:
		return r, it.err != nil // some of it, before the error
	case it.reverse:
		r.Start = it.key
	default:
		r.End = append(bytes.Clone(it.key), 0)
	}
	return r, true
}

// Close implements kv.Iterator.
func (it *iterator) Close() error {
	if !it.started {
		it.done = true
		return it.err
	}
	t := it.txn
	t.mu.Lock()
	if r, any := it.consumed(); any {
		t.observeRange(it.serial, r, it.columns, it.mode)
	}
	it.started = false
	if it.previous != nil {
		it.previous.next = it.next
	} else {
		t.iterators = it.next
	}
	if it.next != nil {
		it.next.previous = it.previous
	}
	// Under the mutex, so that the store cannot be closed meanwhile.
	if it.source != nil && !t.abandoned {
		if err := it.source.Close(); err != nil {
			it.fail(err)
		}
	}
	t.mu.Unlock()
	it.source, it.key, it.value, it.done = nil, nil, nil, true
	t.leave()
	return it.err
}
