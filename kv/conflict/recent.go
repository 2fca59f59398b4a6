package conflict

import (
	"bytes"
	"slices"
	"sort"
	"sync"

	"holdfast/kv"
	"holdfast/kv/internal/arena"
)

// DefaultRecentKeys is the default bound of the single keys a Recent keeps, and of the intervals of its runs; at
// about 150 bytes each, 20 MB and 20 MB.
const DefaultRecentKeys = 128 << 10

const (
	maxRuns     = 32 // a check looks at each run that is newer than the snapshot
	bulkWrites  = 256
	leafEntries = 64 // entries of a leaf before it is split
)

// Recent is the index of recent writes: which keys were written at which version, and which columns of them.
// It answers whether anything in a range was written after a snapshot. The oldest snapshot anyone can still
// ask about is the horizon; what is older is trimmed.
//
// New writes are kept by key, in a sorted list of leaves, each with the greatest version in it, so that a range
// over many old writes is passed over quickly. (A balanced tree with versions in its nodes would do better
// beyond a million keys; below the bound, two levels are as fast and half the code.) Of the writes of one key only
// those columns are kept that no later write has: no snapshot can tell the others apart. So a key has at most as
// many writes as there are bits in a column set, and mostly one, however often it is written.
//
// When a transaction keeps the horizon back, the keys reach their bound. Then the older half becomes a run: an
// immutable sorted list of intervals. Commits with many writes become runs at once, prepared by their own
// goroutine. Runs are merged, and their intervals joined with neighbours, to stay within the bound of all runs.
// Transactions that are newer than a run do not look at it, so that only the old transaction pays with
// conflicts that are none. Nothing is ever forgotten before the horizon has passed it.
//
// Writers (Add, AddRun, Trim) must hold the lock of Lock; Check and Written take it shared. Only one goroutine
// adds, in the order of versions.
type Recent struct {
	mu      sync.RWMutex
	leaves  []leaf
	size    int        // entries in leaves
	newest  kv.Version // of all writes
	horizon kv.Version

	// queue has each entry of the leaves once, in the order of insertion. Whoever reaches its head and has been
	// written again since goes to the end.
	queue []queued
	head  int

	runs []run // in order of their latest versions

	keys  arena.Arena
	bound int // of size, and of the intervals of all runs

	coarsenings uint64
}

type leaf struct {
	first   []byte // key of the first entry
	newest  kv.Version
	entries []entry
}

// entry is one key with its latest write, and earlier ones of other columns, from new to old. No column is in two
// of them.
type entry struct {
	key     []byte
	latest  write
	earlier []write
}

type write struct {
	version kv.Version
	columns kv.ColumnSet
}

type queued struct {
	key     []byte
	version kv.Version
}

// run is an immutable list of disjoint intervals in order of their keys.
type run struct {
	newest    kv.Version
	intervals []Interval
}

// NewRecent returns an empty index that keeps up to bound single keys; 0 means DefaultRecentKeys.
func NewRecent(bound int) *Recent {
	if bound == 0 {
		bound = DefaultRecentKeys
	}
	return &Recent{bound: bound}
}

// Lock excludes all readers. It must be held while writes are added.
func (r *Recent) Lock() { r.mu.Lock() }

// Unlock ends Lock.
func (r *Recent) Unlock() { r.mu.Unlock() }

// RLock excludes writers: see Since.
func (r *Recent) RLock() { r.mu.RLock() }

// RUnlock ends RLock.
func (r *Recent) RUnlock() { r.mu.RUnlock() }

// Since calls f with what has been written to some of the columns after a version, in no order and some of it maybe twice. End
// is nil for a single key. The caller holds a lock; the keys stay valid.
func (r *Recent) Since(since kv.Version, cols kv.ColumnSet, f func(Interval)) {
	if r.newest <= since {
		return
	}
	for i := range r.leaves {
		if r.leaves[i].newest <= since {
			continue
		}
		for j := range r.leaves[i].entries {
			e := &r.leaves[i].entries[j]
			if w, ok := e.after(since, cols); ok {
				f(Interval{Start: e.key, Columns: w.columns, Version: w.version})
			}
		}
	}
	for n := len(r.runs) - 1; n >= 0 && r.runs[n].newest > since; n-- {
		for _, v := range r.runs[n].intervals {
			if v.Version <= since || !v.Columns.Meets(cols) {
				continue
			}
			switch {
			case v.point():
				v.End = nil
			case v.End == nil: // as good as no bound
				v.End = maxKey
			}
			f(v)
		}
	}
}

// maxKey is above every key of up to 64 KiB.
var maxKey = bytes.Repeat([]byte{0xff}, 64<<10+1)

// Untouched reports whether nothing was written to [start, end) after version since, of whatever columns. It is false too if
// writes after that version have been forgotten. The caller holds a lock.
func (r *Recent) Untouched(start, end []byte, since kv.Version) bool {
	if since < r.horizon {
		return false
	}
	if r.newest <= since {
		return true
	}
	for l := max(0, r.leafOf(start)); l < len(r.leaves) && before(r.leaves[l].first, end); l++ {
		lf := &r.leaves[l]
		if lf.newest <= since {
			continue
		}
		i, _ := lf.find(start)
		for ; i < len(lf.entries) && before(lf.entries[i].key, end); i++ {
			if lf.entries[i].latest.version > since {
				return false
			}
		}
	}
	for n := len(r.runs) - 1; n >= 0 && r.runs[n].newest > since; n-- {
		intervals := r.runs[n].intervals
		i := sort.Search(len(intervals), func(i int) bool { return before(start, intervals[i].End) })
		for ; i < len(intervals) && before(intervals[i].Start, end); i++ {
			if intervals[i].Version > since {
				return false
			}
		}
	}
	return true
}

// Stats are counts of a Recent at one moment.
type Stats struct {
	Keys         int // single keys
	Runs         int
	RunIntervals int
	Coarsenings  uint64 // times keys were made ranges, since the start
	Bound        int    // single keys kept at most
}

// Stats returns the present counts.
func (r *Recent) Stats() Stats {
	r.mu.RLock()
	defer r.mu.RUnlock()
	s := Stats{Keys: r.size, Runs: len(r.runs), Coarsenings: r.coarsenings, Bound: r.bound}
	for i := range r.runs {
		s.RunIntervals += len(r.runs[i].intervals)
	}
	return s
}

// Add records a write at version v, which is not smaller than any before. The caller holds the lock.
func (r *Recent) Add(key []byte, cols kv.ColumnSet, v kv.Version) {
	r.newest = v
	l := r.leafOf(key)
	if l < 0 {
		r.leaves = append(r.leaves, leaf{entries: make([]entry, 0, leafEntries)})
		l = 0
	}
	lf := &r.leaves[l]
	lf.newest = v
	i, found := lf.find(key)
	if found {
		lf.entries[i].add(write{v, cols}, r.horizon)
		return
	}
	own := r.keys.Copy(key)
	if len(lf.entries) == leafEntries {
		l, i = r.split(l, i)
		lf = &r.leaves[l]
	}
	lf.entries = slices.Insert(lf.entries, i, entry{key: own, latest: write{v, cols}})
	lf.newest = v
	lf.first = lf.entries[0].key
	r.size++
	r.queue = append(r.queue, queued{own, v})
	if r.size > r.bound {
		r.coarsenOldest()
	}
}

// add puts w before the writes of the entry, and drops those of which nothing is left or nobody will ask.
func (e *entry) add(w write, horizon kv.Version) {
	kept := e.earlier[:0]
	for _, old := range e.earlier {
		if old.columns &^= w.columns; old.columns != 0 && old.version > horizon {
			kept = append(kept, old)
		}
	}
	clear(e.earlier[len(kept):])
	e.earlier = kept
	if e.latest.version == w.version {
		e.latest.columns |= w.columns
		return
	}
	if e.latest.columns &^= w.columns; e.latest.columns != 0 && e.latest.version > horizon {
		e.earlier = slices.Insert(e.earlier, 0, e.latest)
	}
	e.latest = w
}

// after returns the latest write of some of the columns, if it is later than version since.
func (e *entry) after(since kv.Version, cols kv.ColumnSet) (write, bool) {
	if e.latest.version <= since {
		return write{}, false
	}
	if e.latest.columns.Meets(cols) {
		return e.latest, true
	}
	for _, w := range e.earlier {
		if w.version <= since {
			break
		}
		if w.columns.Meets(cols) {
			return w, true
		}
	}
	return write{}, false
}

// columns are those of all writes of the entry.
func (e *entry) columns() (all kv.ColumnSet) {
	all = e.latest.columns
	for _, w := range e.earlier {
		all |= w.columns
	}
	return all
}

// split makes room in leaf l and returns where position i of it is now. A key beyond the end of the last leaf
// starts a new one, so that ascending keys leave full leaves behind.
func (r *Recent) split(l, i int) (int, int) {
	lf := &r.leaves[l]
	at := leafEntries / 2
	if l == len(r.leaves)-1 && i == leafEntries {
		at = i
	}
	right := leaf{newest: lf.newest, entries: append(make([]entry, 0, leafEntries), lf.entries[at:]...)}
	clear(lf.entries[at:])
	lf.entries = lf.entries[:at]
	if len(right.entries) > 0 {
		right.first = right.entries[0].key
	}
	r.leaves = slices.Insert(r.leaves, l+1, right)
	if i >= at {
		return l + 1, i - at
	}
	return l, i
}

// leafOf returns the leaf whose range includes key, -1 if there are no leaves.
func (r *Recent) leafOf(key []byte) int {
	n := sort.Search(len(r.leaves), func(i int) bool { return bytes.Compare(r.leaves[i].first, key) > 0 })
	if n == 0 && len(r.leaves) > 0 {
		return 0
	}
	return n - 1
}

// find returns the position of the first entry not below key, and whether it is key.
func (l *leaf) find(key []byte) (int, bool) {
	low, high := 0, len(l.entries)
	for low < high {
		middle := int(uint(low+high) / 2)
		if bytes.Compare(l.entries[middle].key, key) < 0 {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low, low < len(l.entries) && bytes.Equal(l.entries[low].key, key)
}

// IsBulk reports whether a commit of so many writes should be added as a run.
func (r *Recent) IsBulk(writes int) bool { return writes > min(bulkWrites, r.bound) }

// Bulk prepares the writes of a large commit for AddRun. The intervals keep their keys.
func (r *Recent) Bulk(intervals []Interval) []Interval { return Coarse(intervals, max(1, r.bound/16)) }

// AddRun records many writes of one version, as returned by Bulk. The caller holds the lock.
func (r *Recent) AddRun(intervals []Interval, v kv.Version) {
	if len(intervals) == 0 {
		return
	}
	for i := range intervals {
		intervals[i].Version = v
	}
	r.newest = v
	r.addRun(run{newest: v, intervals: intervals})
}

func (r *Recent) addRun(n run) {
	at := len(r.runs)
	for at > 0 && r.runs[at-1].newest > n.newest {
		at--
	}
	r.runs = slices.Insert(r.runs, at, n)
	total := 0
	for i := range r.runs {
		total += len(r.runs[i].intervals)
	}
	if len(r.runs) > maxRuns || total > r.bound {
		r.mergeRuns()
	}
}

// mergeRuns makes the older half of the runs one.
func (r *Recent) mergeRuns() {
	n := max(1, len(r.runs)/2)
	var all []Interval
	for i := range r.runs[:n] {
		all = append(all, r.runs[i].intervals...)
	}
	merged := run{newest: r.runs[n-1].newest, intervals: slices.Clone(Coarse(all, r.bound/8))}
	r.runs = slices.Replace(r.runs, 0, n, merged)
	r.coarsenings++
}

// coarsenOldest makes the older half of the keys a run.
func (r *Recent) coarsenOldest() {
	r.coarsenings++
	versions := make([]kv.Version, 0, r.size)
	for i := range r.leaves {
		for j := range r.leaves[i].entries {
			versions = append(versions, r.leaves[i].entries[j].latest.version)
		}
	}
	slices.Sort(versions)
	limit := versions[len(versions)/2]
	if limit == r.newest && versions[0] < limit {
		// Half of the keys are of the version that is being added. Make the others a run.
		limit = versions[sort.Search(len(versions), func(i int) bool { return versions[i] >= limit })-1]
	}
	var old []Interval
	leaves := r.leaves
	r.leaves, r.size = nil, 0
	for i := range leaves {
		for _, e := range leaves[i].entries {
			if e.latest.version <= limit {
				end := PointEnd(e.key)
				old = append(old, Interval{Start: end[:len(e.key)], End: end,
					Columns: e.columns(), Version: e.latest.version})
				continue
			}
			r.appendEntry(e)
		}
	}
	queue := make([]queued, 0, r.size)
	for _, q := range r.queue[r.head:] {
		if l := r.leafOf(q.key); l >= 0 {
			if _, found := r.leaves[l].find(q.key); found {
				queue = append(queue, q)
			}
		}
	}
	r.queue, r.head = queue, 0
	r.addRun(run{newest: limit, intervals: slices.Clone(coarsen(old, r.bound/8))})
}

// appendEntry adds an entry with the greatest key.
func (r *Recent) appendEntry(e entry) {
	n := len(r.leaves)
	if n == 0 || len(r.leaves[n-1].entries) >= leafEntries*3/4 {
		r.leaves = append(r.leaves, leaf{first: e.key, entries: make([]entry, 0, leafEntries)})
		n++
	}
	l := &r.leaves[n-1]
	l.entries = append(l.entries, e)
	l.newest = max(l.newest, e.latest.version)
	r.size++
}

// Trim forgets writes that are not later than horizon, some at a time. The caller holds the lock.
func (r *Recent) Trim(horizon kv.Version, limit int) {
	r.horizon = max(r.horizon, horizon)
	for ; limit > 0 && r.head < len(r.queue) && r.queue[r.head].version <= horizon; limit-- {
		q := r.queue[r.head]
		r.queue[r.head] = queued{}
		r.head++
		l := r.leafOf(q.key)
		i, _ := r.leaves[l].find(q.key)
		if e := &r.leaves[l].entries[i]; e.latest.version > horizon {
			r.queue = append(r.queue, queued{q.key, e.latest.version})
			continue
		}
		r.remove(l, i)
	}
	switch {
	case r.head == len(r.queue):
		r.queue, r.head = r.queue[:0], 0
	case r.head > 64 && r.head > len(r.queue)/2:
		n := copy(r.queue, r.queue[r.head:])
		clear(r.queue[n:])
		r.queue, r.head = r.queue[:n], 0
	}
	n := 0
	for n < len(r.runs) && r.runs[n].newest <= horizon {
		n++
	}
	r.runs = slices.Delete(r.runs, 0, n)
}

// remove takes out entry i of leaf l. The newest version of the leaf stays: it may be too great, which costs a
// look into the leaf, until the leaf is gone or written again.
func (r *Recent) remove(l, i int) {
	lf := &r.leaves[l]
	lf.entries = slices.Delete(lf.entries, i, i+1)
	r.size--
	switch {
	case len(lf.entries) > 0:
		lf.first = lf.entries[0].key
	case len(r.leaves) > 1:
		r.leaves = slices.Delete(r.leaves, l, l+1)
	default:
		lf.first = nil
	}
}

// Check looks for writes after version since that meet any of the reads, and returns the first found as a
// *kv.ConflictError, nil if there is none.
func (r *Recent) Check(reads []Interval, since kv.Version) error {
	for len(reads) > 0 {
		// In portions, so that a large footprint does not keep writers out for long.
		n := min(len(reads), 1024)
		r.mu.RLock()
		err := r.CheckLocked(reads[:n], since)
		r.mu.RUnlock()
		if err != nil {
			return err
		}
		reads = reads[n:]
	}
	return nil
}

// CheckLocked is Check for a caller that holds the lock.
func (r *Recent) CheckLocked(reads []Interval, since kv.Version) error {
	if r.newest <= since {
		return nil
	}
	for i := range reads {
		if e := r.check(&reads[i], since); e != nil {
			return e
		}
	}
	return nil
}

func (r *Recent) check(read *Interval, since kv.Version) *kv.ConflictError {
	if l := r.leafOf(read.Start); l >= 0 {
		i := 0
		if r.leaves[l].newest > since {
			i, _ = r.leaves[l].find(read.Start)
		}
		for ; l < len(r.leaves); l, i = l+1, 0 {
			lf := &r.leaves[l]
			if !before(lf.first, read.End) {
				break
			}
			if lf.newest <= since {
				continue
			}
			for ; i < len(lf.entries); i++ {
				e := &lf.entries[i]
				if !before(e.key, read.End) {
					break
				}
				if w, ok := e.after(since, read.Columns); ok {
					return conflictError(read, e.key, w.columns, w.version)
				}
			}
		}
	}
	for n := len(r.runs) - 1; n >= 0 && r.runs[n].newest > since; n-- {
		if e := r.runs[n].check(read, since); e != nil {
			return e
		}
	}
	return nil
}

func (u *run) check(read *Interval, since kv.Version) *kv.ConflictError {
	i := sort.Search(len(u.intervals), func(i int) bool { return before(read.Start, u.intervals[i].End) })
	for ; i < len(u.intervals) && before(u.intervals[i].Start, read.End); i++ {
		if w := &u.intervals[i]; w.Version > since && w.Columns.Meets(read.Columns) {
			return conflictError(read, w.Start, w.Columns, w.Version)
		}
	}
	return nil
}

// Written returns the version of the latest write of some of the columns of key, if it is later than since. For
// kv.AllColumns every write counts, also one that changed no column.
func (r *Recent) Written(key []byte, cols kv.ColumnSet, since kv.Version) (kv.Version, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.WrittenLocked(key, cols, since)
}

// Horizon is the version up to which writes may have been forgotten. It is for the goroutine that adds, or one that holds a
// lock.
func (r *Recent) Horizon() kv.Version { return r.horizon }

// WrittenLocked is Written for a caller that holds a lock, or is the only one that adds.
func (r *Recent) WrittenLocked(key []byte, cols kv.ColumnSet, since kv.Version) (kv.Version, bool) {
	if r.newest <= since {
		return 0, false
	}
	meets := func(written kv.ColumnSet) bool { return cols == kv.AllColumns || written.Meets(cols) }
	latest := since
	if l := r.leafOf(key); l >= 0 && r.leaves[l].newest > since {
		if i, found := r.leaves[l].find(key); found {
			e := &r.leaves[l].entries[i]
			if cols == kv.AllColumns {
				latest = max(latest, e.latest.version)
			} else if w, ok := e.after(since, cols); ok {
				latest = w.version
			}
		}
	}
	for n := len(r.runs) - 1; n >= 0 && r.runs[n].newest > latest; n-- {
		u := &r.runs[n]
		i := sort.Search(len(u.intervals), func(i int) bool { return before(key, u.intervals[i].End) })
		if i < len(u.intervals) && bytes.Compare(u.intervals[i].Start, key) <= 0 && meets(u.intervals[i].Columns) {
			latest = max(latest, u.intervals[i].Version)
		}
	}
	return latest, latest > since
}
