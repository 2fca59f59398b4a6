package conflict

import (
	"bytes"
	"cmp"
	"hash/maphash"
	"slices"

	"holdfast/kv"
	"holdfast/kv/internal/arena"
)

// DefaultReads is the default bound of the entries of a footprint, which cost some 100 bytes each: a
// transaction's footprint stays below about 3 MB whatever it reads. Validation of a full one takes about a
// millisecond.
const DefaultReads = 16 << 10

// maxReadBytes bounds the keys of a footprint, in bytes.
const maxReadBytes = 1 << 20

// Footprint is what a transaction has read, in the order of reading: keys and ranges of keys, absences
// included, with the columns that mattered. The zero value is empty and has allocated nothing.
//
// Reads that are covered by an earlier one are mostly left out (the last few ranges and a lossy hash table of
// points are looked at); what repetition remains is removed when the bounds are reached. If that is not
// enough, neighbouring entries become ranges.
//
// Marks make reads retractable. An entry before the latest mark is never changed by a later read, so that a
// mark is a position. Compaction keeps only the position of the latest mark and the empty one; retracting to
// another leaves some reads too many in the footprint, which is safe. (Keeping all would need an entry for
// each statement of a long transaction, of which only the last is ever retracted in practice.)
//
// A scan that began before a mark and goes on after it cannot be retracted to that mark: its reads are kept
// aside (early), with the serial number of the mark it began after.
//
// A Footprint is not safe for concurrent use.
type Footprint struct {
	// Limit bounds the entries; 0 means DefaultReads.
	Limit int
	// Covered, if not nil, is asked about reads of single keys before the footprint becomes coarser: those that it
	// reports true for are dropped, because they are validated in another way. marked tells that the read was made
	// before the latest mark.
	Covered func(key []byte, cols kv.ColumnSet, marked bool) bool

	reads  []Interval
	early  []Interval // Version is the serial number of the latest mark when the scan began
	serial kv.Version // of the latest mark
	floor  int        // position of the latest mark
	epoch  uint64     // number of compactions
	bytes  int        // of keys
	keys   arena.Arena
	last   []int32 // where a point of some hash was recorded last; nil while reads are few
	inline [2]Interval
}

// Mark is a position in a footprint.
type Mark struct {
	at     int
	serial kv.Version
	epoch  uint64
}

var seed = maphash.MakeSeed()

const (
	fewReads  = 8    // up to this many, recent points are searched for one by one
	lastSlots = 1024 // entries of the table of points; a power of two
)

// Len is the number of entries.
func (f *Footprint) Len() int { return len(f.reads) + len(f.early) }

// Intervals is a copy of the list of what was read. The keys are shared, and never change.
func (f *Footprint) Intervals() []Interval { return slices.Concat(f.reads, f.early) }

// Check validates the footprint against the writes after version since. The error is a *kv.ConflictError.
func (f *Footprint) Check(r *Recent, since kv.Version) error {
	if err := r.Check(f.reads, since); err != nil {
		return err
	}
	return r.Check(f.early, since)
}

// CheckLocked is Check for a caller that holds the index's lock.
func (f *Footprint) CheckLocked(r *Recent, since kv.Version) error {
	if err := r.CheckLocked(f.reads, since); err != nil {
		return err
	}
	return r.CheckLocked(f.early, since)
}

// Serial numbers the latest mark.
func (f *Footprint) Serial() kv.Version { return f.serial }

// After reports whether the mark was taken later than the one that serial numbers.
func (m Mark) After(serial kv.Version) bool { return m.serial > serial }

// Point records a read of cols of one key.
func (f *Footprint) Point(key []byte, cols kv.ColumnSet) {
	slot := -1
	at := -1
	if len(f.reads) <= fewReads {
		for i := len(f.reads) - 1; i >= 0; i-- {
			if r := &f.reads[i]; bytes.Equal(r.Start, key) && r.point() {
				at = i
				break
			}
		}
	} else {
		if f.last == nil {
			f.last = make([]int32, lastSlots)
		}
		slot = int(maphash.Bytes(seed, key) & (lastSlots - 1))
		i := int(f.last[slot])
		if i < len(f.reads) && bytes.Equal(f.reads[i].Start, key) && f.reads[i].point() {
			at = i
		}
	}
	if at >= 0 {
		if r := &f.reads[at]; r.Columns&cols == cols {
			return
		} else if at >= f.floor {
			r.Columns |= cols
			return
		}
	}
	start, end := PointIn(&f.keys, key)
	f.add(Interval{Start: start, End: end, Columns: cols}, len(end))
	if slot >= 0 && f.last != nil { // nil if a compaction has just been made
		f.last[slot] = int32(len(f.reads) - 1)
	}
}

// Range records a read of cols of the keys from start up to, not including, end; a nil end means all.
func (f *Footprint) Range(start, end []byte, cols kv.ColumnSet) {
	if !before(start, end) {
		return
	}
	if start == nil {
		start = []byte{} // nil is the greatest upper bound, but the least key
	}
	for i := len(f.reads) - 1; i >= max(0, len(f.reads)-4); i-- {
		r := &f.reads[i]
		if r.Columns&cols == cols && r.contains(start, end) {
			return
		}
		if i < f.floor || r.Columns != cols {
			continue
		}
		// Extend a range that overlaps or touches.
		if compareEnds(start, r.End) <= 0 && (end == nil || bytes.Compare(r.Start, end) <= 0) {
			if bytes.Compare(start, r.Start) < 0 {
				r.Start = f.copy(start)
			}
			if compareEnds(end, r.End) > 0 {
				r.End = f.copy(end)
			}
			return
		}
	}
	iv := Interval{Start: f.copy(start), End: f.copy(end), Columns: cols}
	f.add(iv, 0)
}

// maxEarly bounds the early reads.
const maxEarly = 1024

// Scanned records what a scan has passed over that began when serial numbered the latest mark.
func (f *Footprint) Scanned(serial kv.Version, start, end []byte, cols kv.ColumnSet) {
	if serial == f.serial {
		f.Range(start, end, cols)
		return
	}
	if !before(start, end) {
		return
	}
	f.early = append(f.early, Interval{
		Start: f.keys.Copy(start), End: f.copy(end), Columns: cols, Version: serial,
	})
	if len(f.early) > maxEarly {
		f.early = slices.Clone(Coarse(f.early, maxEarly/2))
		for i := range f.early {
			f.early[i].Version = 0 // never retracted
		}
	}
}

// copy copies a bound and counts its bytes.
func (f *Footprint) copy(key []byte) []byte {
	if key == nil {
		return nil
	}
	f.bytes += len(key)
	return f.keys.Copy(key)
}

func (f *Footprint) add(iv Interval, bytes int) {
	if f.reads == nil {
		f.reads = f.inline[:0]
	}
	f.reads = append(f.reads, iv)
	f.bytes += bytes
	limit := f.Limit
	if limit == 0 {
		limit = DefaultReads
	}
	if len(f.reads) > limit || f.bytes > maxReadBytes {
		f.drop()
		if len(f.reads) > limit/2 || f.bytes > maxReadBytes/2 {
			f.compact(limit / 2)
		}
	}
}

// drop leaves out what is covered.
func (f *Footprint) drop() {
	if f.Covered == nil {
		return
	}
	reads := make([]Interval, 0, len(f.reads))
	floor := 0
	for i, r := range f.reads {
		if r.point() && f.Covered(r.Start, r.Columns, i < f.floor) {
			continue
		}
		if i < f.floor {
			floor++
		}
		reads = append(reads, r)
	}
	f.replace(reads, floor)
}

// Mark returns the present position.
func (f *Footprint) Mark() Mark {
	f.floor = len(f.reads)
	f.serial++
	return Mark{at: f.floor, serial: f.serial, epoch: f.epoch}
}

// Retract takes back the reads since the mark; see the type for when some of them stay.
func (f *Footprint) Retract(m Mark) {
	at := f.floor
	if m.epoch == f.epoch || m.at == 0 {
		at = m.at
	}
	clear(f.reads[at:])
	f.reads = f.reads[:at]
	f.floor = at
	f.early = slices.DeleteFunc(f.early, func(r Interval) bool { return r.Version >= m.serial })
	if at == 0 {
		f.bytes = 0
	}
}

// compact makes the footprint smaller, to at most target entries and half the bytes if it can be done.
func (f *Footprint) compact(target int) {
	old, recent := f.reads[:f.floor], f.reads[f.floor:]
	share := target * len(old) / len(f.reads)
	reads := make([]Interval, 0, 2*target+2)
	reads = append(reads, compactReads(slices.Clone(old), share)...)
	floor := len(reads)
	reads = append(reads, compactReads(slices.Clone(recent), target-share)...)
	// Long keys exhaust the bytes with few entries.
	for f.measure(reads) > maxReadBytes/2 && len(reads) > 8 {
		target /= 2
		o := compactReads(slices.Clone(reads[:floor]), target/2)
		r := compactReads(slices.Clone(reads[floor:]), target/2)
		reads, floor = append(o, r...), len(o)
	}
	f.replace(reads, floor)
}

// replace makes these the reads, with keys of their own.
func (f *Footprint) replace(reads []Interval, floor int) {
	f.reads, f.floor, f.epoch, f.last = reads, floor, f.epoch+1, nil
	f.keys, f.bytes = arena.Arena{}, 0
	for i := range f.reads {
		r := &f.reads[i]
		if r.point() {
			r.Start, r.End = PointIn(&f.keys, r.Start)
			f.bytes += len(r.End)
			continue
		}
		r.Start, r.End = f.copy(r.Start), f.copy(r.End)
	}
}

func (f *Footprint) measure(reads []Interval) (bytes int) {
	for i := range reads {
		bytes += len(reads[i].Start) + len(reads[i].End)
	}
	return bytes
}

// compactReads joins overlapping and touching reads of equal columns, and if there are still more than n,
// coarsens. Reads of different columns are kept apart as long as possible: joined with a read of a whole row,
// the range scan of one column would conflict with every update.
func compactReads(reads []Interval, n int) []Interval {
	if len(reads) == 0 {
		return reads
	}
	byColumns := func(a, b Interval) int {
		return cmp.Or(cmp.Compare(a.Columns, b.Columns), bytes.Compare(a.Start, b.Start))
	}
	slices.SortFunc(reads, byColumns)
	out := make([]Interval, 0, len(reads))
	groups := 0
	for len(reads) > 0 {
		end := 1
		for end < len(reads) && reads[end].Columns == reads[0].Columns {
			end++
		}
		out = append(out, merge(reads[:end], true)...)
		reads = reads[end:]
		groups++
	}
	if len(out) <= n {
		return out
	}
	if groups > n/2 {
		return Coarse(out, n)
	}
	// Each set of columns gets its share.
	total, kept := len(out), out[:0]
	for i := 0; i < total; {
		end := i + 1
		for end < total && out[end].Columns == out[i].Columns {
			end++
		}
		kept = append(kept, coarsen(out[i:end], max(1, (end-i)*(n-groups)/total))...)
		i = end
	}
	return kept
}
