package locks

import (
	"slices"

	"holdfast/kv"
)

// A transaction that goes back to a savepoint gives up the locks it has taken since. For this each owner has a history:
// which locks it has asked for, and which it has then asked for in a stronger mode, in order.
//
// A transaction that is run again keeps the locks of the earlier run. They are no part of the new history until the new
// run asks for them, as if they were taken then: a savepoint before that gives them up when it is gone back to, as it
// would have in the first run. So each lock has beside its mode what the present run has asked for.

// holding is a lock that an owner has.
type holding struct {
	owner *Owner
	mode  kv.LockMode // the strongest of this owner
	asked kv.LockMode // the strongest that the owner has asked for in its run number run, if that is the present one
	run   uint32
}

// raise is a lock that was asked for in a stronger mode than before.
type raise struct {
	hash uint64
	from kv.LockMode
}

// taken tells what a grant adds to the owner's history.
type taken struct {
	lock   bool // the owner did not have the lock
	first  bool // it had not asked for it in this run
	raised bool // it had asked for less, namely
	from   kv.LockMode
}

// Mark is a point in an owner's history.
type Mark struct{ held, raised int }

// Mark returns the present point. It is of use until Again.
func (o *Owner) Mark() Mark { return Mark{len(o.held), len(o.raised)} }

// take is the lock of an owner who did not have it.
func (o *Owner) take(m kv.LockMode) (holding, taken) {
	return holding{o, m, m, o.run}, taken{lock: true, first: true}
}

// raise gives the owner of a lock a mode, which may be one he has. The shard's mutex is held.
func (h *holding) raise(m kv.LockMode) (got taken) {
	switch {
	case h.run != h.owner.run:
		h.run, h.asked, got.first = h.owner.run, m, true
	case m > h.asked:
		got.raised, got.from = true, h.asked
		h.asked = m
	}
	h.mode = max(h.mode, m)
	return got
}

// note adds what was granted to the history. It is the work of the owner's goroutine.
func (o *Owner) note(hash uint64, got taken) {
	if got.lock {
		o.locks++
	}
	if got.first {
		if o.held == nil {
			o.held = o.inline[:0]
		}
		o.held = append(o.held, hash)
	}
	if got.raised {
		o.raised = append(o.raised, raise{hash, got.from})
	}
}

// Again begins a new history: all locks stay, as those of an earlier run.
func (o *Owner) Again() {
	o.run++
	o.earlier = append(o.earlier, o.held...)
	slices.Sort(o.earlier)
	o.earlier = slices.Compact(o.earlier)
	o.held, o.raised = o.held[:0], o.raised[:0]
}

// ReleaseTo gives up the locks that o has asked for since the mark and not before, and gives those it has asked for in a
// stronger mode since the mode of before.
func (t *Table) ReleaseTo(o *Owner, m Mark) {
	for i := len(o.raised) - 1; i >= m.raised; i-- {
		t.weaken(o, o.raised[i])
	}
	for _, hash := range o.held[m.held:] {
		t.release(o, hash)
		o.locks--
	}
	o.held, o.raised = o.held[:m.held], o.raised[:m.raised]
}

// weaken takes back a raise.
func (t *Table) weaken(o *Owner, r raise) {
	s := t.shard(r.hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.keys[r.hash]
	if q := l.queue; q != nil {
		h := &q.holders[q.holds(o)]
		h.mode, h.asked = r.from, r.from
		s.settle(r.hash, q)
		return
	}
	l.mode, l.asked = r.from, r.from
	s.keys[r.hash] = l
}
