// Package conflict decides whether a transaction may commit: what it has read (Footprint) against what has been
// committed since its snapshot (Recent). It knows keys, columns and versions, and nothing of storage.
//
// Both sides have a bounded memory. Beyond their bounds they become coarser (keys become ranges), which may
// report a conflict that is none, but never miss one.
package conflict

import (
	"bytes"
	"slices"

	"holdfast/kv"
	"holdfast/kv/internal/arena"
)

// Interval is the keys k with Start <= k < End, and what was read or written of them. A nil End means no upper
// bound. A single key k is the interval from k to k\x00.
type Interval struct {
	Start, End []byte
	Columns    kv.ColumnSet
	Version    kv.Version // of the newest write in it; unused in reads
}

// point reports whether the interval holds one key only.
func (v *Interval) point() bool {
	n := len(v.Start)
	return len(v.End) == n+1 && v.End[n] == 0 && bytes.Equal(v.End[:n], v.Start)
}

// contains reports whether the interval includes all of [start, end).
func (v *Interval) contains(start, end []byte) bool {
	return bytes.Compare(v.Start, start) <= 0 && compareEnds(end, v.End) <= 0
}

// overlaps reports whether the interval and [start, end) share a key. Empty intervals share none.
func (v *Interval) overlaps(start, end []byte) bool {
	return before(start, v.End) && before(v.Start, end)
}

// before reports whether key is below the bound end.
func before(key, end []byte) bool { return end == nil || bytes.Compare(key, end) < 0 }

// compareEnds compares upper bounds, of which nil is the greatest.
func compareEnds(a, b []byte) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return 1
	case b == nil:
		return -1
	}
	return bytes.Compare(a, b)
}

// conflictError names the meeting of a read and a write.
func conflictError(read *Interval, key []byte, cols kv.ColumnSet, v kv.Version) *kv.ConflictError {
	e := &kv.ConflictError{Columns: read.Columns & cols, Version: v}
	switch {
	case read.point():
		e.Start = bytes.Clone(read.Start)
	case read.End == nil:
		e.Start = bytes.Clone(key) // a range without upper bound cannot be named; the written key says more
	default:
		e.Start, e.End = bytes.Clone(read.Start), bytes.Clone(read.End)
	}
	return e
}

// merge sorts the intervals and joins those that overlap, and those that touch if touching is set, into
// disjoint intervals in the order of their keys. A join has all columns and the greatest version of its parts.
// The argument's memory is used again.
func merge(ivs []Interval, touching bool) []Interval {
	if !slices.IsSortedFunc(ivs, compareStarts) {
		slices.SortFunc(ivs, compareStarts)
	}
	out := ivs[:0]
	for _, iv := range ivs {
		if n := len(out); n > 0 {
			last := &out[n-1]
			if before(iv.Start, last.End) || touching && bytes.Equal(iv.Start, last.End) {
				join(last, &iv)
				continue
			}
		}
		out = append(out, iv)
	}
	clear(ivs[len(out):])
	return out
}

func compareStarts(a, b Interval) int { return bytes.Compare(a.Start, b.Start) }

// join extends a over b, which starts at or after a, and the gap between them.
func join(a, b *Interval) {
	if compareEnds(b.End, a.End) > 0 {
		a.End = b.End
	}
	a.Columns |= b.Columns
	a.Version = max(a.Version, b.Version)
}

// coarsen reduces sorted, disjoint intervals to at most n by closing gaps between neighbours, those with the
// longest common prefix first: such keys are near each other, mostly rows of one table and one range of the
// primary key. The argument's memory is used again.
func coarsen(ivs []Interval, n int) []Interval {
	excess := len(ivs) - max(n, 1)
	if excess <= 0 {
		return ivs
	}
	// Count the gaps by the length of the common prefix, and find the length from which on they are closed.
	const longest = 256
	var gaps [longest + 1]int
	for i := 1; i < len(ivs); i++ {
		gaps[min(commonPrefix(ivs[i-1].Start, ivs[i].Start), longest)]++
	}
	limit, left := longest, excess
	for left > gaps[limit] {
		left -= gaps[limit]
		limit--
	}
	// All gaps of a longer prefix are closed, and the first left ones of exactly this.
	previous := ivs[0].Start
	out := ivs[:1]
	for i := 1; i < len(ivs); i++ {
		iv := ivs[i]
		prefix := min(commonPrefix(previous, iv.Start), longest)
		previous = iv.Start
		if prefix > limit || prefix == limit && left > 0 {
			if prefix == limit {
				left--
			}
			join(&out[len(out)-1], &iv)
			continue
		}
		out = append(out, iv)
	}
	clear(ivs[len(out):])
	return out
}

func commonPrefix(a, b []byte) int {
	n := min(len(a), len(b))
	for i := 0; i < n; i++ {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// Coarse is merge followed by coarsening to at most n intervals.
func Coarse(ivs []Interval, n int) []Interval { return coarsen(merge(ivs, false), n) }

// PointIn is the interval of one key, which is copied into a.
func PointIn(a *arena.Arena, key []byte) (start, end []byte) {
	end = a.Take(len(key) + 1)
	copy(end, key)
	end[len(key)] = 0
	return end[:len(key):len(key)], end
}

// PointEnd returns the upper bound of the interval that holds key only. It copies the key.
func PointEnd(key []byte) []byte {
	end := make([]byte, len(key)+1)
	copy(end, key)
	return end
}
