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

// gaps remembers ranges of keys in which there is nothing, so that scans need not step over what has been deleted there
// and is still in the memtables and files. The head of a queue is such a range: whoever takes the next job from it would
// pass over all that were done since the last flush.
//
// A gap is true of every state from its version on, the newest sequenced one included. It comes from a scan that found
// nothing in its snapshot, if the index of recent writes knows that nothing was written there since; and the sequencer
// cuts out of it each key that a commit writes, in the same critical section in which the index gets to know the write.
// So whoever has a snapshot first and looks here afterwards may use all gaps that are not younger than the snapshot, and
// go on using them: what is cut out later is not in that snapshot.
//
// Gaps are only hints. They are forgotten when there are too many, those that have not been used for longest first, and
// with the process.
//
// (Having Pebble drop the deleted entries earlier, by smaller memtables or range deletions, would still leave those that
// were deleted since the last flush, and costs writes.)
type gaps struct {
	bound int // of their number

	// list has disjoint gaps in order. It is never changed: a new one takes its place.
	list atomic.Pointer[[]*gap]

	mu    sync.Mutex    // held while a new list is made; the lock of the index of recent writes is taken first
	added atomic.Uint64 // number of additions, by which the use of gaps is dated

	misses  atomic.Uint64 // look-ups that found nothing
	balance atomic.Int64  // of the look-ups that gaps have saved and cost lately
}

// gap is the keys from start up to, not including, end, which is not nil.
type gap struct {
	start, end []byte
	since      kv.Version
	ahead      bool // found by looking up a key: there is nothing behind it yet, and more such keys may come
	cuts       int  // how often it is what was left behind a key that was cut out
	used       atomic.Uint64
}

const (
	defaultGaps = 256
	// gapKeyBytes bounds the keys of a gap, and so the memory of all.
	gapKeyBytes = 1 << 10
	// gapCuts is after how many cuts what is left behind the key is forgotten, unless the gap is ahead of new keys. Commits
	// that add keys in ascending order would otherwise make a gap of each space between them.
	gapCuts = 16
	// gapSteps is how many entries a scan must have stepped over for it to be worth a gap.
	gapSteps = 32
	// gapLeaps is how many times a move may go over gaps one after the other before they are made one.
	gapLeaps = 4
	// watchedMoves is up to which move a scan looks for gaps. One that goes on for longer has other costs.
	watchedMoves = 64
)

// all is the present gaps.
func (g *gaps) all() []*gap {
	if list := g.list.Load(); list != nil {
		return *list
	}
	return nil
}

// in returns the gaps that meet a range and are true of a snapshot, which was taken before the call.
func (g *gaps) in(r kv.KeyRange, version kv.Version) []*gap {
	all := g.all()
	if len(all) == 0 {
		return nil
	}
	low := sort.Search(len(all), func(i int) bool { return bytes.Compare(r.Start, all[i].end) < 0 })
	high := len(all)
	if r.End != nil {
		high = low + sort.Search(len(all)-low, func(i int) bool { return bytes.Compare(all[low+i].start, r.End) >= 0 })
	}
	found := all[low:high]
	younger := func(x *gap) bool { return x.since > version }
	if slices.ContainsFunc(found, younger) {
		found = slices.DeleteFunc(slices.Clone(found), younger)
	}
	return found
}

// at returns the gap that a key is in and that is true of a snapshot, which was taken before the call; nil if there is none.
func (g *gaps) at(key []byte, version kv.Version) *gap {
	all := g.all()
	low, high := 0, len(all)
	for low < high {
		middle := int(uint(low+high) >> 1)
		if bytes.Compare(key, all[middle].end) < 0 {
			high = middle
		} else {
			low = middle + 1
		}
	}
	if low == len(all) || bytes.Compare(key, all[low].start) < 0 || all[low].since > version {
		return nil
	}
	return all[low]
}

// touch notes that a gap has been of use.
func (g *gaps) touch(x *gap) {
	if now := g.added.Load(); x.used.Load() != now {
		x.used.Store(now)
	}
}

// add notes that a range is empty from version since on. Gaps of versions up to the horizon, before which there are hardly
// any readers, are joined; others stay apart, since a joined gap is of no use to those who read an older state. The caller
// holds the lock of the index of recent writes, for reading at least.
func (g *gaps) add(start, end []byte, since, horizon kv.Version, ahead bool) {
	if len(start)+len(end) > gapKeyBytes {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	added := &gap{start: bytes.Clone(start), end: bytes.Clone(end), since: since, ahead: ahead}
	added.used.Store(g.added.Add(1))
	old := g.all()
	list := make([]*gap, 0, len(old)+1)
	put := func(x *gap) {
		if n := len(list); n > 0 {
			last := list[n-1]
			meets := bytes.Compare(x.start, last.end)
			if meets < 0 || meets == 0 && max(x.since, last.since) <= horizon {
				joined := &gap{start: last.start, end: last.end, since: max(x.since, last.since), ahead: x.ahead && last.ahead}
				if bytes.Compare(x.end, last.end) > 0 {
					joined.end = x.end
				}
				joined.used.Store(max(x.used.Load(), last.used.Load()))
				list[n-1] = joined
				return
			}
		}
		list = append(list, x)
	}
	at := sort.Search(len(old), func(i int) bool { return bytes.Compare(old[i].start, added.start) >= 0 })
	for _, x := range old[:at] {
		put(x)
	}
	put(added)
	for _, x := range old[at:] {
		put(x)
	}
	g.replace(list)
}

// replace makes a list the present one, without those that are too many. mu is held.
func (g *gaps) replace(list []*gap) {
	for len(list) > g.bound {
		oldest := 0
		for i, x := range list {
			if x.used.Load() < list[oldest].used.Load() {
				oldest = i
			}
		}
		list = slices.Delete(list, oldest, oldest+1)
	}
	g.list.Store(&list)
}

// written cuts out of the gaps what a commit writes. The sequencer calls it with the lock of the index of recent writes.
func (g *gaps) written(t *txn) {
	switch {
	case len(g.all()) == 0:
	case t.bulk != nil || t.spilled.any():
		g.cutRanges(t.bulk)
	default:
		cut := func(w buffer.Write) bool {
			if !w.Deleted {
				g.cut(w.Key)
			}
			return true
		}
		t.writes.Scan(cut)
		t.deltas.Scan(cut)
	}
}

// cut takes a key out of the gap it is in, if it is in one.
func (g *gaps) cut(key []byte) {
	all := g.all()
	i := sort.Search(len(all), func(i int) bool { return bytes.Compare(key, all[i].end) < 0 })
	if i == len(all) || bytes.Compare(key, all[i].start) < 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	x := all[i] // nobody else changes the list while the lock of the index is held
	after := conflict.PointEnd(key)
	var parts []*gap
	if len(key) > gapKeyBytes/2 {
		after = x.end // nothing is left of it
	} else if bytes.Compare(x.start, key) < 0 && !(x.ahead && adjacent(x.start, key)) {
		parts = append(parts, x.part(x.start, after[:len(key):len(key)], x.cuts))
	}
	if bytes.Compare(after, x.end) < 0 && (x.ahead && !adjacent(after, x.end) || !x.ahead && x.cuts < gapCuts) {
		parts = append(parts, x.part(after, x.end, x.cuts+1))
	}
	list := make([]*gap, 0, len(all)+1)
	list = append(append(append(list, all[:i]...), parts...), all[i+1:]...)
	g.replace(list)
}

func (x *gap) part(start, end []byte, cuts int) *gap {
	part := &gap{start: start, end: end, since: x.since, ahead: x.ahead, cuts: cuts}
	part.used.Store(x.used.Load())
	return part
}

// adjacent reports whether a gap that begins behind a key ends at the next of the same length: there is no room in it for another
// such key, and it is not worth keeping.
func adjacent(start, end []byte) bool {
	if len(start) != len(end)+1 || start[len(end)] != 0 {
		return false
	}
	carry := byte(1)
	for i := len(end) - 1; i >= 0; i-- {
		if start[i]+carry != end[i] {
			return false
		}
		if end[i] != 0 {
			carry = 0
		}
	}
	return true
}

// cutRanges takes ranges out of the gaps. Of a gap that has some of them in it, only what is before the first is left.
func (g *gaps) cutRanges(ranges []conflict.Interval) {
	g.mu.Lock()
	defer g.mu.Unlock()
	var list []*gap
	for _, x := range g.all() {
		i := sort.Search(len(ranges), func(i int) bool {
			return ranges[i].End == nil || bytes.Compare(x.start, ranges[i].End) < 0
		})
		switch {
		case i == len(ranges) || bytes.Compare(ranges[i].Start, x.end) >= 0:
			list = append(list, x)
		case bytes.Compare(x.start, ranges[i].Start) < 0 && len(ranges[i].Start) <= gapKeyBytes/2:
			list = append(list, x.part(x.start, bytes.Clone(ranges[i].Start), x.cuts))
		}
	}
	g.replace(list)
}

// foundEmpty notes that a state of a version has nothing in a range. ahead is that of gap.
func (s *Store) foundEmpty(start, end []byte, version kv.Version, ahead bool) {
	horizon := s.states.horizon()
	s.recent.RLock()
	defer s.recent.RUnlock()
	if s.options.Fault.GapsUnchecked || s.recent.Untouched(start, end, version) {
		s.gaps.add(start, end, version, horizon, ahead)
		s.counts.gaps.Add(1)
	}
}
