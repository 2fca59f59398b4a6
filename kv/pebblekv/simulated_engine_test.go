package pebblekv

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"sort"

	"holdfast/kv"
	"holdfast/kv/buffer"
	"holdfast/kv/internal/simulate"

	"github.com/cockroachdb/pebble/v2"
)

// simDisk is what a simulated engine stands on and a crash leaves behind: the states that the log leads to, of which
// all up to one are safe. Each state is a sorted list of its own, which is slow for many pairs and obviously right
// for the dozen of a simulation.
type simDisk struct {
	scheduler *simulate.Scheduler
	states    []*simState // the first is the last one synced, the last the newest
	faults    simFaults
	engine    *simEngine // that is open, nil if none is
}

// simFaults are what goes wrong with a disk, and defects of it, which a simulation must notice.
type simFaults struct {
	syncsLeft   int  // before one fails; never if negative
	appliesLeft int  // the same for apply
	forgets     bool // a crash may lose what was synced
	early       bool // syncWait returns before the sync
}

// simState is the pairs after one batch.
type simState struct {
	pairs   []simPair
	version kv.Version
}

type simPair struct{ key, value []byte }

var soundDisk = simFaults{syncsLeft: -1, appliesLeft: -1}

var errSimulated = errors.New("simulated failure of the disk")

func newSimDisk(s *simulate.Scheduler) *simDisk {
	return &simDisk{scheduler: s, states: []*simState{{}}, faults: soundDisk}
}

// durable is the version that is safe.
func (d *simDisk) durable() kv.Version { return d.states[0].version }

// run is a task that syncs, sooner or later, some of what was applied.
func (d *simDisk) run() {
	for {
		d.scheduler.Await(func() bool {
			return len(d.states) > 1 && d.engine != nil && d.engine.failure == nil
		})
		if d.faults.syncsLeft == 0 {
			d.scheduler.Tracef("a sync fails")
			d.faults.syncsLeft = -1
			d.engine.failure = errSimulated
			continue
		}
		d.faults.syncsLeft--
		d.sync(1 + d.scheduler.Choose(len(d.states)-1))
	}
}

// sync makes some of the states that are not safe so.
func (d *simDisk) sync(n int) {
	d.states = slices.Delete(d.states, 0, n)
	if d.engine != nil {
		d.engine.synced += n
	}
	if d.scheduler.Tracing() {
		d.scheduler.Tracef("synced up to version %d", d.durable())
	}
}

// crash leaves what was synced, and some of the rest.
func (d *simDisk) crash() {
	kept := d.scheduler.Choose(len(d.states))
	if d.faults.forgets && kept == 0 && len(d.states[0].pairs) > 0 {
		d.states[0] = &simState{}
	}
	d.states = []*simState{d.states[kept]}
	d.engine = nil
}

// simEngine is an engine on a simDisk.
type simEngine struct {
	disk    *simDisk
	applied int   // batches
	synced  int   // of those
	failure error // of a sync; none succeeds any more
	value   []byte
	checks  func(*simState) // called by apply with the new state

	snapshots, iterators, batches int // that are open
}

// openSimEngine opens the engine on a disk, which has no other.
func openSimEngine(d *simDisk) *simEngine {
	d.engine = &simEngine{disk: d}
	return d.engine
}

func (e *simEngine) newBatch(int) engineBatch {
	e.batches++
	return &simBatch{engine: e}
}

func (e *simEngine) newest() *simState { return e.disk.states[len(e.disk.states)-1] }

func (e *simEngine) apply(b engineBatch) error {
	if e.disk.faults.appliesLeft == 0 {
		e.disk.faults.appliesLeft = -1
		return errSimulated
	}
	e.disk.faults.appliesLeft--
	batch := b.(*simBatch)
	next := &simState{pairs: slices.Clone(e.newest().pairs), version: e.newest().version}
	for _, op := range batch.ops {
		next.set(op)
		if bytes.Equal(op.key, versionKey) {
			next.version = kv.Version(binary.BigEndian.Uint64(op.value))
		}
	}
	e.disk.states = append(e.disk.states, next)
	e.applied++
	batch.number = e.applied
	if e.checks != nil {
		e.checks(next)
	}
	return nil
}

// find returns where key is or belongs.
func (s *simState) find(key []byte) int {
	return sort.Search(len(s.pairs), func(i int) bool { return bytes.Compare(s.pairs[i].key, key) >= 0 })
}

func (s *simState) set(op simOp) {
	i := s.find(op.key)
	found := i < len(s.pairs) && bytes.Equal(s.pairs[i].key, op.key)
	switch {
	case op.remove && found:
		s.pairs = slices.Delete(s.pairs, i, i+1)
	case op.remove:
	case found:
		s.pairs[i].value = op.value
	default:
		s.pairs = slices.Insert(s.pairs, i, op.simPair)
	}
}

func (e *simEngine) snapshot() engineSnapshot {
	e.snapshots++
	return &simSnapshot{engine: e, state: e.newest()}
}

func (e *simEngine) removeRange(lower, upper []byte) error {
	b := &simBatch{engine: e}
	for _, p := range e.newest().pairs {
		if bytes.Compare(p.key, lower) >= 0 && bytes.Compare(p.key, upper) < 0 {
			b.ops = append(b.ops, simOp{simPair: simPair{key: p.key}, remove: true})
		}
	}
	err := e.apply(b)
	e.disk.sync(len(e.disk.states) - 1)
	return err
}

func (e *simEngine) ingest([]string) error { return errors.New("a simulation has no files") }

func (e *simEngine) checkpoint(string) error { return errors.New("a simulation has no folders") }

func (e *simEngine) figures() engineFigures { return engineFigures{} }

func (e *simEngine) close() error {
	if e.failure == nil {
		e.disk.sync(len(e.disk.states) - 1)
	}
	e.disk.engine = nil
	return nil
}

// simBatch is changes, with copies of their keys and values.
type simBatch struct {
	engine *simEngine
	ops    []simOp
	number int // in the order of application, from 1; 0 before
	closed bool
}

type simOp struct {
	simPair
	remove bool
}

func (b *simBatch) set(key, value []byte) {
	memory := append(append(make([]byte, 0, len(key)+len(value)), key...), value...)
	b.ops = append(b.ops, simOp{simPair: simPair{memory[:len(key):len(key)], memory[len(key):]}})
}

func (b *simBatch) write(w *buffer.Write) {
	key := encodeKey(w.Key)
	if w.Deleted {
		b.ops = append(b.ops, simOp{simPair: simPair{key: bytes.Clone(key)}, remove: true})
		return
	}
	b.set(key, w.Value)
}

func (b *simBatch) add(other engineBatch) error {
	b.ops = append(b.ops, other.(*simBatch).ops...)
	return nil
}

func (b *simBatch) syncWait() error {
	e := b.engine
	if e.disk.faults.early {
		return nil
	}
	e.disk.scheduler.Await(func() bool { return e.failure != nil || e.synced >= b.number })
	if e.synced >= b.number {
		return nil
	}
	return e.failure
}

func (b *simBatch) close() {
	if b.closed {
		panic("batch closed twice")
	}
	b.closed = true
	b.engine.batches--
}

type simSnapshot struct {
	engine *simEngine
	state  *simState
	closed bool
}

type noCloser struct{}

func (noCloser) Close() error { return nil }

func (s *simSnapshot) get(key []byte) ([]byte, io.Closer, error) {
	s.use()
	i := s.state.find(key)
	if i == len(s.state.pairs) || !bytes.Equal(s.state.pairs[i].key, key) {
		return nil, nil, pebble.ErrNotFound
	}
	// The memory is used again by the next get, for who keeps it to see.
	s.engine.value = append(s.engine.value[:0], s.state.pairs[i].value...)
	return s.engine.value, noCloser{}, nil
}

func (s *simSnapshot) iterate(o *pebble.IterOptions) (engineIterator, error) {
	s.use()
	s.engine.iterators++
	it := &simIterator{engine: s.engine, at: -1}
	it.pairs = s.state.pairs
	if o.UpperBound != nil {
		it.pairs = it.pairs[:s.state.find(o.UpperBound)]
	}
	it.pairs = it.pairs[min(len(it.pairs), s.state.find(o.LowerBound)):]
	return it, nil
}

func (s *simSnapshot) use() {
	if s.closed {
		panic("snapshot used after close")
	}
}

func (s *simSnapshot) close() {
	s.use()
	s.closed = true
	s.engine.snapshots--
}

// simIterator is an iterator whose key and value are good until the next move.
type simIterator struct {
	engine     *simEngine
	pairs      []simPair
	at         int
	moves      int
	key, value []byte
	closed     bool
}

func (it *simIterator) move(to int) bool {
	if it.closed {
		panic("iterator used after close")
	}
	it.moves++
	it.at = max(-1, min(to, len(it.pairs)))
	if it.at < 0 || it.at == len(it.pairs) {
		it.key, it.value = nil, nil
		return false
	}
	it.key = append(it.key[:0], it.pairs[it.at].key...)
	it.value = append(it.value[:0], it.pairs[it.at].value...)
	return true
}

func (it *simIterator) First() bool                  { return it.move(0) }
func (it *simIterator) Last() bool                   { return it.move(len(it.pairs) - 1) }
func (it *simIterator) Next() bool                   { return it.move(it.at + 1) }
func (it *simIterator) Prev() bool                   { return it.move(it.at - 1) }
func (it *simIterator) Key() []byte                  { return it.key }
func (it *simIterator) ValueAndErr() ([]byte, error) { return it.value, nil }
func (it *simIterator) Error() error                 { return nil }

func (it *simIterator) SeekGE(key []byte) bool {
	return it.move(sort.Search(len(it.pairs), func(i int) bool { return bytes.Compare(it.pairs[i].key, key) >= 0 }))
}

// The limits are kept to, as far as they can be without having been there.
func (it *simIterator) SeekGEWithLimit(key, limit []byte) pebble.IterValidityState {
	it.SeekGE(key)
	return it.limited(limit)
}

func (it *simIterator) NextWithLimit(limit []byte) pebble.IterValidityState {
	it.Next()
	return it.limited(limit)
}

// limited is where the iterator is. It makes no use of a limit every now and then, as Pebble may.
func (it *simIterator) limited(limit []byte) pebble.IterValidityState {
	switch {
	case it.at == len(it.pairs):
		if limit != nil {
			return pebble.IterAtLimit
		}
		return pebble.IterExhausted
	case limit != nil && bytes.Compare(it.key, limit) >= 0 && it.key[len(it.key)-1]%4 != 0:
		it.at-- // so that the next move goes to the same pair
		return pebble.IterAtLimit
	}
	return pebble.IterValid
}

// Stats pretends that each move has stepped over much.
func (it *simIterator) Stats() (stats pebble.IteratorStats) {
	stats.ForwardStepCount[pebble.InternalIterCall] = it.moves * gapSteps
	return stats
}

func (it *simIterator) Close() error {
	if it.closed {
		panic("iterator closed twice")
	}
	it.closed = true
	it.engine.iterators--
	return nil
}
