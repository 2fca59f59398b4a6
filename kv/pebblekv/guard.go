package pebblekv

import (
	"bytes"
	"slices"
	"sort"
	"sync"
	"sync/atomic"

	"holdfast/kv"
	"holdfast/kv/buffer"
	"holdfast/kv/conflict"
)

// guards lets transactions through that have lost to others again and again: while one is guarded, the sequencer
// sets aside every commit that would change what it had read in its earlier attempts. Other commits go on.
//
// It cannot lock up. A guarded transaction that has to wait for a row lock, which a commit set aside may hold, is
// paused meanwhile and gives way; and of several guarded ones each gives way to those before it, so that the
// first always gets to its end. Nothing is lost if a guard has too little or too much in it: validation decides.
//
// (Letting only the guarded transaction commit would be simpler, and stop the whole server for one that takes long.)
type guards struct {
	active atomic.Int32 // length of list, for the sequencer's look without the lock

	mu     sync.Mutex
	list   []*guard // in the order of their coming
	aside  []*txn   // commits that wait, in order
	closed bool     // the sequencer has ended
	add    func(*txn) bool
	refuse func(*txn)
}

// guard is what one transaction has read in its earlier attempts.
type guard struct {
	txn    *txn
	reads  []conflict.Interval // disjoint, in order
	paused bool
}

// guard adds what t has read to what is kept from change for it.
func (g *guards) guard(t *txn) {
	t.mu.Lock()
	reads := t.reads.Intervals()
	if t.checks != nil {
		reads = append(reads, t.checks.Intervals()...)
	}
	t.mu.Unlock()
	if t.ownReads {
		reads = append(reads, t.ownIntervals()...)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if t.guard == nil {
		t.guard = &guard{txn: t}
		g.list = append(g.list, t.guard)
		g.active.Add(1)
	}
	t.guard.reads = conflict.Coarse(append(t.guard.reads, reads...), conflict.DefaultReads)
}

// ownIntervals are the reads of own writes that the footprint has left out. Of a transaction with files they are known only
// if they were prepared for a commit.
func (t *txn) ownIntervals() (reads []conflict.Interval) {
	for _, w := range t.bulk {
		reads = append(reads, conflict.Interval{Start: w.Start, End: w.End, Columns: kv.Existence})
	}
	if writes := t.writes.Current(); writes != nil && t.bulk == nil {
		writes.Scan(func(w buffer.Write) bool {
			if w.Columns.Meets(kv.Existence) {
				end := conflict.PointEnd(w.Key)
				reads = append(reads, conflict.Interval{Start: end[:len(w.Key)], End: end, Columns: kv.Existence})
			}
			return true
		})
	}
	return reads
}

// unguard ends the guard of t, if it has one.
func (g *guards) unguard(t *txn) {
	if t.guard == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.list = slices.DeleteFunc(g.list, func(o *guard) bool { return o == t.guard })
	g.active.Add(-1)
	t.guard = nil
	g.letGo()
}

// pause sets what is kept from change for t free for as long as it waits.
func (g *guards) pause(t *txn, paused bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	t.guard.paused = paused
	if paused {
		g.letGo()
	}
}

// letGo gives the commits that were set aside back to the sequencer, which looks at them again. mu is held.
func (g *guards) letGo() {
	for _, t := range g.aside {
		if g.closed || !g.add(t) {
			g.refuse(t)
		}
	}
	clear(g.aside)
	g.aside = g.aside[:0]
}

// sift sets aside those of the waiting commits that must wait for a guarded transaction, and returns the others
// in the same memory.
func (g *guards) sift(waiting []*txn) []*txn {
	if g.active.Load() == 0 {
		return waiting
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.DeleteFunc(waiting, func(t *txn) bool {
		if !g.against(t) {
			return false
		}
		g.aside = append(g.aside, t)
		return true
	})
}

// against reports whether a commit would change what is kept from change for a transaction that has precedence.
func (g *guards) against(t *txn) bool {
	for _, o := range g.list {
		if o.txn == t {
			return false
		}
		if !o.paused && o.meets(t) {
			return true
		}
	}
	return false
}

func (o *guard) meets(t *txn) (found bool) {
	if t.bulk != nil { // with the deltas
		return slices.ContainsFunc(t.bulk, func(w conflict.Interval) bool { return o.covers(w.Start, w.End, w.Columns) })
	}
	covers := func(w buffer.Write) bool {
		found = o.covers(w.Key, nil, w.Columns)
		return !found
	}
	if t.writes.Scan(covers); !found {
		t.deltas.Scan(covers)
	}
	return found
}

// covers reports whether some of the columns of a key, or of the range up to end, have been read.
func (o *guard) covers(start, end []byte, cols kv.ColumnSet) bool {
	i := sort.Search(len(o.reads), func(i int) bool { return o.reads[i].End == nil || bytes.Compare(start, o.reads[i].End) < 0 })
	for ; i < len(o.reads); i++ {
		r := &o.reads[i]
		if end == nil && bytes.Compare(start, r.Start) < 0 || end != nil && bytes.Compare(end, r.Start) <= 0 {
			return false
		}
		if r.Columns.Meets(cols) {
			return true
		}
	}
	return false
}

// close refuses the commits that were set aside, and all to come.
func (g *guards) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	g.letGo()
}
