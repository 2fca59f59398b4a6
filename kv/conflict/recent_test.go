package conflict

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"holdfast/kv"

	"pgregory.net/rapid"
)

// naiveRecent is what Recent stands for: all writes, looked at one by one.
type naiveRecent struct {
	writes []Interval
}

func (n *naiveRecent) add(key []byte, cols kv.ColumnSet, v kv.Version) {
	n.writes = append(n.writes, Interval{Start: key, End: PointEnd(key), Columns: cols, Version: v})
}

func (n *naiveRecent) check(read Interval, since kv.Version) bool {
	for i := range n.writes {
		w := &n.writes[i]
		if w.Version > since && w.Columns.Meets(read.Columns) && w.overlaps(read.Start, read.End) {
			return true
		}
	}
	return false
}

func (n *naiveRecent) written(key []byte, cols kv.ColumnSet, since kv.Version) bool {
	return n.check(Interval{Start: key, End: PointEnd(key), Columns: cols}, since)
}

// drawKey draws from few keys of different lengths, so that they meet.
func drawKey(t *rapid.T) []byte {
	n := rapid.IntRange(0, 400).Draw(t, "key")
	switch n % 5 {
	case 0:
		return fmt.Appendf(nil, "%03d", n/5)
	case 1:
		return fmt.Appendf(nil, "%03d\x00", n/5)
	case 2:
		return fmt.Appendf(nil, "%02d", n/5)
	default:
		return fmt.Appendf(nil, "%03d/%d", n/5, n%5)
	}
}

// drawRead draws a point, a range, or a range without upper bound.
func drawRead(t *rapid.T, cols *rapid.Generator[kv.ColumnSet]) Interval {
	read := Interval{Start: drawKey(t), Columns: cols.Draw(t, "columns")}
	switch rapid.IntRange(0, 6).Draw(t, "kind") {
	case 0:
		read.End = nil
	case 6:
		read.Start, read.End = nil, drawKey(t)
	case 1, 2:
		read.End = drawKey(t)
	default:
		read.End = PointEnd(read.Start)
	}
	return read
}

var manyColumns = rapid.OneOf(
	rapid.Just(kv.AllColumns), rapid.Just(kv.Existence),
	rapid.Map(rapid.IntRange(1, 6), kv.Column),
	rapid.Map(rapid.Uint64Range(1, 63), func(n uint64) kv.ColumnSet { return kv.ColumnSet(n) }),
)

// TestRecent compares with the naive reference: exactly while the index is within its bounds and entries can
// tell columns apart, otherwise for conflicts that are missed.
func TestRecent(t *testing.T) {
	for _, c := range []struct {
		name    string
		bound   int
		exact   bool
		columns *rapid.Generator[kv.ColumnSet]
	}{
		{"exact", 100_000, true, manyColumns},
		{"coarse", 40, false, manyColumns},
		{"coarsest", 2, false, manyColumns},
	} {
		t.Run(c.name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { compareRecent(t, c.bound, c.exact, c.columns) })
		})
	}
}

func compareRecent(t *rapid.T, bound int, exact bool, columns *rapid.Generator[kv.ColumnSet]) {
	r, naive := NewRecent(bound), &naiveRecent{}
	version, horizon := kv.Version(0), kv.Version(0)
	// Bursts, so that leaves split and bounds are reached.
	for range rapid.IntRange(1, 12).Draw(t, "rounds") {
		r.Lock()
		for range rapid.IntRange(0, 30).Draw(t, "commits") {
			version++
			if rapid.IntRange(0, 9).Draw(t, "bulk") == 0 {
				var run []Interval
				for range rapid.IntRange(1, 20).Draw(t, "writes") {
					key, cols := drawKey(t), columns.Draw(t, "columns")
					if exact {
						cols = kv.AllColumns // a run joins the writes of one key, which a commit has done already
					}
					naive.add(key, cols, version)
					run = append(run, Interval{Start: key, End: PointEnd(key), Columns: cols})
				}
				if exact {
					run = merge(run, false)
				} else {
					run = r.Bulk(run)
				}
				r.AddRun(run, version)
				continue
			}
			for range rapid.IntRange(1, 4).Draw(t, "writes") {
				key, cols := drawKey(t), columns.Draw(t, "columns")
				naive.add(key, cols, version)
				r.Add(key, cols, version)
			}
		}
		if rapid.Bool().Draw(t, "trim") {
			horizon = kv.Version(rapid.Uint64Range(uint64(horizon), uint64(version)).Draw(t, "horizon"))
			r.Trim(horizon, rapid.IntRange(0, 1000).Draw(t, "trimmed"))
		}
		r.Unlock()
		checkInvariants(t, r)

		for range 20 {
			read := drawRead(t, columns)
			since := kv.Version(rapid.Uint64Range(uint64(horizon), uint64(version)).Draw(t, "since"))
			want := naive.check(read, since)
			err := r.Check([]Interval{read}, since)
			if want && err == nil || exact && want != (err != nil) {
				t.Fatalf("check %v since %d: %v, want conflict: %v", read, since, err, want)
			}
			if conflict := (*kv.ConflictError)(nil); errors.As(err, &conflict) {
				if conflict.Version <= since || conflict.Version > version || !conflict.Columns.Meets(read.Columns) {
					t.Fatalf("check %v since %d: %+v", read, since, conflict)
				}
			}
			cols := rapid.SampledFrom([]kv.ColumnSet{kv.AllColumns, kv.Existence, read.Columns}).Draw(t, "protected")
			wantWritten := naive.written(read.Start, cols, since)
			v, got := r.Written(read.Start, cols, since)
			if wantWritten && !got || exact && wantWritten != got || got && v <= since {
				t.Fatalf("written %q since %d: %d %v, want %v", read.Start, since, v, got, wantWritten)
			}
			any := slices.ContainsFunc(naive.writes, func(w Interval) bool {
				return w.Version > since && w.overlaps(read.Start, read.End)
			})
			if got := r.Untouched(read.Start, read.End, since); got && any || exact && got == any {
				t.Fatalf("untouched %q to %q since %d: %v", read.Start, read.End, since, got)
			}
			if r.horizon > 0 && r.Untouched(read.Start, read.End, r.horizon-1) {
				t.Fatalf("untouched since before the horizon %d", r.horizon)
			}
		}
	}
}

// checkInvariants checks what the type's description says.
func checkInvariants(t *rapid.T, r *Recent) {
	var last []byte
	size := 0
	keys := map[string]bool{}
	for i := range r.leaves {
		l := &r.leaves[i]
		if len(l.entries) == 0 && len(r.leaves) > 1 {
			t.Fatal("an empty leaf")
		}
		if len(l.entries) > leafEntries {
			t.Fatalf("a leaf of %d entries", len(l.entries))
		}
		for j := range l.entries {
			e := &l.entries[j]
			if size > 0 && string(e.key) <= string(last) {
				t.Fatalf("%q after %q", e.key, last)
			}
			newer, columns := l.newest+1, kv.ColumnSet(0)
			for _, w := range append([]write{e.latest}, e.earlier...) {
				if w.version >= newer || w.columns.Meets(columns) || w.columns == 0 {
					t.Fatalf("entry %+v in leaf of %d", e, l.newest)
				}
				newer, columns = w.version, columns|w.columns
			}
			if j == 0 && string(l.first) != string(e.key) {
				t.Fatalf("first %q of %q", l.first, e.key)
			}
			last = e.key
			keys[string(e.key)] = true
			size++
		}
	}
	if size != r.size || size > r.bound {
		t.Fatalf("%d keys, counted %d, bound %d", size, r.size, r.bound)
	}
	queue := r.queue[r.head:]
	if len(queue) != size {
		t.Fatalf("%d keys, %d in the queue", size, len(queue))
	}
	for _, q := range queue {
		if !keys[string(q.key)] {
			t.Fatalf("%q is in the queue or there twice, but is no key", q.key)
		}
		delete(keys, string(q.key))
	}
	total := 0
	for i := range r.runs {
		u := &r.runs[i]
		total += len(u.intervals)
		if i > 0 && r.runs[i-1].newest > u.newest {
			t.Fatal("runs out of order")
		}
		for j := range u.intervals {
			if u.intervals[j].Version > u.newest {
				t.Fatalf("version %d in a run of %d", u.intervals[j].Version, u.newest)
			}
			if j > 0 && before(u.intervals[j].Start, u.intervals[j-1].End) {
				t.Fatalf("%q overlaps %q", u.intervals[j].Start, u.intervals[j-1].End)
			}
		}
	}
	if len(r.runs) > maxRuns || total > max(r.bound, 4) {
		t.Fatalf("%d runs of %d intervals, bound %d", len(r.runs), total, r.bound)
	}
}

// TestRecentHotKey: a key that is written without end takes no more memory than one write.
func TestRecentHotKey(t *testing.T) {
	r := NewRecent(0)
	r.Lock()
	for v := kv.Version(1); v <= 10_000; v++ {
		r.Add([]byte("hot"), kv.Column(1), v)
		r.Trim(v/2, 10)
	}
	r.Unlock()
	if s := r.Stats(); s.Keys != 1 || len(r.queue)-r.head != 1 {
		t.Errorf("%+v, queue of %d", s, len(r.queue)-r.head)
	}
}

// TestRecentPrecision: recent transactions do not suffer from what an old one has made coarse.
func TestRecentPrecision(t *testing.T) {
	r := NewRecent(1000)
	r.Lock()
	for v := kv.Version(1); v <= 50_000; v++ {
		r.Add(fmt.Appendf(nil, "%08d", 2*v), kv.AllColumns, v)
	}
	r.Unlock()
	s := r.Stats()
	if s.Coarsenings == 0 || s.Keys > 1000 || s.RunIntervals > 1000 {
		t.Fatalf("%+v", s)
	}
	odd := []byte("00000003")
	if _, found := r.Written(odd, kv.AllColumns, 49_900); found {
		t.Error("a recent transaction is told of a key that was never written")
	}
	if _, found := r.Written([]byte("00000002"), kv.AllColumns, 0); !found {
		t.Error("an old write is forgotten")
	}
}

// TestRecentCoarseColumns: a key that becomes part of a run takes both its writes along.
func TestRecentCoarseColumns(t *testing.T) {
	r := NewRecent(10)
	r.Lock()
	r.Add([]byte("00"), kv.Column(1), 1)
	r.Add([]byte("00"), kv.Column(2), 2)
	for v := kv.Version(3); v < 30; v++ {
		r.Add(fmt.Appendf(nil, "%02d", v), kv.Column(2), v)
	}
	r.Unlock()
	if r.Check([]Interval{{Start: []byte("00"), End: PointEnd([]byte("00")), Columns: kv.Column(1)}}, 0) == nil {
		t.Error("the first write is forgotten")
	}
}

func BenchmarkRecentAdd(b *testing.B) {
	r := NewRecent(0)
	r.Lock()
	key := make([]byte, 17)
	b.ReportAllocs()
	for v := range b.N {
		n := uint64(v) * 0x9e3779b97f4a7c15
		for i := range 8 {
			key[9+i] = byte(n >> (56 - 8*i))
		}
		r.Add(key, kv.AllColumns, kv.Version(v))
		r.Trim(kv.Version(max(0, v-1000)), 3)
	}
}
