package conflict

import (
	"fmt"
	"testing"

	"holdfast/kv"

	"pgregory.net/rapid"
)

// naiveRead is a read and the marks there were when the scan it belongs to began.
type naiveRead struct {
	Interval
	marks int // when its scan began: retracting to a later mark does not take it back
}

// naiveFootprint is a list of all reads.
type naiveFootprint struct{ reads []naiveRead }

func (n *naiveFootprint) meets(key []byte, cols kv.ColumnSet) bool {
	for i := range n.reads {
		if r := &n.reads[i]; r.Columns.Meets(cols) && r.overlaps(key, PointEnd(key)) {
			return true
		}
	}
	return false
}

// meets asks a footprint by way of an index with one write.
func (f *Footprint) meets(key []byte, cols kv.ColumnSet) bool {
	r := NewRecent(0)
	r.Lock()
	r.Add(key, cols, 1)
	r.Unlock()
	return f.Check(r, 0) != nil
}

// TestFootprint compares with a list of reads: exactly while the footprint is within its bound, otherwise for
// reads that are lost.
func TestFootprint(t *testing.T) {
	for _, limit := range []int{10_000, 64, 9, 1} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { compareFootprint(t, limit) })
		})
	}
}

func compareFootprint(t *rapid.T, limit int) {
	f, naive := &Footprint{Limit: limit}, &naiveFootprint{}
	type mark struct {
		Mark
		number int
	}
	var marks []mark
	var scans []kv.Version // serials at which scans began that are still open
	var scanMarks []int
	number := 0
	record := func(read Interval, number int) {
		if before(read.Start, read.End) {
			naive.reads = append(naive.reads, naiveRead{Interval: read, marks: number})
		}
	}
	t.Repeat(map[string]func(*rapid.T){
		"point": func(t *rapid.T) {
			key, cols := drawKey(t), manyColumns.Draw(t, "columns")
			f.Point(key, cols)
			record(Interval{Start: key, End: PointEnd(key), Columns: cols}, number)
		},
		"points": func(t *rapid.T) {
			for range 20 {
				key, cols := drawKey(t), kv.AllColumns
				f.Point(key, cols)
				record(Interval{Start: key, End: PointEnd(key), Columns: cols}, number)
			}
		},
		"range": func(t *rapid.T) {
			read := drawRead(t, manyColumns)
			f.Range(read.Start, read.End, read.Columns)
			record(read, number)
		},
		"begin scan": func(t *rapid.T) {
			scans, scanMarks = append(scans, f.Serial()), append(scanMarks, number)
		},
		"end scan": func(t *rapid.T) {
			if len(scans) == 0 {
				t.Skip("no scan")
			}
			i := rapid.IntRange(0, len(scans)-1).Draw(t, "scan")
			read := drawRead(t, manyColumns)
			f.Scanned(scans[i], read.Start, read.End, read.Columns)
			record(read, scanMarks[i])
			scans, scanMarks = append(scans[:i], scans[i+1:]...), append(scanMarks[:i], scanMarks[i+1:]...)
		},
		"mark": func(t *rapid.T) {
			number++
			marks = append(marks, mark{f.Mark(), number})
		},
		"retract": func(t *rapid.T) {
			if len(marks) == 0 {
				t.Skip("no mark")
			}
			i := rapid.IntRange(0, len(marks)-1).Draw(t, "mark")
			m := marks[i]
			f.Retract(m.Mark)
			marks = marks[:i+1]
			kept := naive.reads[:0]
			for _, r := range naive.reads {
				if r.marks < m.number {
					kept = append(kept, r)
				}
			}
			naive.reads = kept
			// Scans that began after the mark are over.
			for i := len(scans) - 1; i >= 0; i-- {
				if m.After(scans[i]) != (scanMarks[i] < m.number) {
					t.Fatalf("mark %d after a scan begun at %d: %v", m.number, scanMarks[i], m.After(scans[i]))
				}
				if scanMarks[i] >= m.number {
					scans, scanMarks = append(scans[:i], scans[i+1:]...), append(scanMarks[:i], scanMarks[i+1:]...)
				}
			}
		},
		"": func(t *rapid.T) {
			if f.Len() > 2*limit+maxEarly {
				t.Fatalf("%d entries, the limit is %d", f.Len(), limit)
			}
			for range 5 {
				key, cols := drawKey(t), manyColumns.Draw(t, "columns")
				want, got := naive.meets(key, cols), f.meets(key, cols)
				if want && !got {
					t.Fatalf("the read of %q %b is lost", key, cols)
				}
				if got && !want && f.epoch == 0 {
					t.Fatalf("%q %b was never read, or was taken back", key, cols)
				}
			}
		},
	})
}

// TestFootprintRetractsFirst: what a transaction's first statement has read can be retracted exactly, whatever
// it was, so that a statement in autocommit never conflicts with itself.
func TestFootprintRetractsFirst(t *testing.T) {
	f := &Footprint{Limit: 100}
	m := f.Mark()
	for i := range 10_000 {
		f.Point(fmt.Appendf(nil, "%08d", i*7), kv.AllColumns)
	}
	if f.epoch == 0 || f.Len() > 200 {
		t.Fatalf("%d entries after %d compactions", f.Len(), f.epoch)
	}
	f.Retract(m)
	if f.Len() != 0 {
		t.Errorf("%d entries are left", f.Len())
	}
}

// TestFootprintRepetition: reading the same things again costs nothing.
func TestFootprintRepetition(t *testing.T) {
	f := &Footprint{}
	for range 1000 {
		for i := range 40 {
			f.Point(fmt.Appendf(nil, "key %d", i), kv.Column(1))
		}
		f.Range([]byte("a"), []byte("b"), kv.Column(2))
		f.Range([]byte("b"), []byte("c"), kv.Column(2))
		f.Range([]byte("a1"), []byte("b1"), kv.Column(2))
	}
	// A lossy table holds points: two of the forty may replace each other again and again.
	if f.Len() > DefaultReads || f.epoch > 0 {
		t.Errorf("%d entries, %d compactions", f.Len(), f.epoch)
	}
	small := &Footprint{}
	for range 1000 {
		small.Point([]byte("one"), kv.Existence)
		small.Point([]byte("two"), kv.AllColumns)
		small.Range([]byte("a"), []byte("b"), kv.Column(2))
	}
	if small.Len() != 3 {
		t.Errorf("%d entries of 3", small.Len())
	}
}

// TestFootprintBytes: long keys are bounded as well.
func TestFootprintBytes(t *testing.T) {
	f := &Footprint{}
	key := make([]byte, 8<<10)
	for i := range 2000 {
		copy(key[4<<10:], fmt.Sprintf("%08d", i))
		f.Point(key, kv.AllColumns)
		if f.bytes > maxReadBytes+2*len(key) {
			t.Fatalf("%d bytes", f.bytes)
		}
	}
	copy(key[4<<10:], "00000000")
	if !f.meets(key, kv.AllColumns) {
		t.Error("a read is lost")
	}
}

func BenchmarkFootprintPoint(b *testing.B) {
	b.ReportAllocs()
	key := make([]byte, 17)
	f := &Footprint{}
	for i := range b.N {
		if i%100 == 0 {
			f = &Footprint{}
		}
		key[16] = byte(i)
		f.Point(key, kv.AllColumns)
	}
}
