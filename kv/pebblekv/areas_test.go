package pebblekv

import (
	"bytes"
	"encoding/binary"
	"testing"

	"holdfast/kv"
	"holdfast/kv/buffer"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"
)

// areaKey is a client's key in an area.
func areaKey(area uint32, rest string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, area), rest...)
}

// TestAreas: files may not go on from one busy area into another, nor from what lies before one into it, and go on
// otherwise.
func TestAreas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := areas{busy: 100}
		counts := map[uint32]int{}
		area := rapid.SampledFrom([]uint32{1, 2, 3, 7, 255, 256, 1 << 24, 1<<24 + 1, 1<<32 - 1})
		for period := range 4 {
			var b buffer.Buffer
			for _, x := range rapid.SliceOfN(area, 0, 6).Draw(t, "areas") {
				size := rapid.SampledFrom([]int{10, 90, 200}).Draw(t, "size")
				key := areaKey(x, rapid.StringN(0, 3, 3).Draw(t, "key"))
				b.Put(buffer.Write{Key: key, Value: make([]byte, size)}, 0)
			}
			if b.Len() > 0 {
				b.Put(buffer.Write{Key: []byte("ab"), Value: make([]byte, 1000)}, 0) // is in no area
				b.Current().Scan(func(w buffer.Write) bool {
					if len(w.Key) >= 4 && period > 0 { // the first is forgotten
						counts[binary.BigEndian.Uint32(w.Key)] += len(w.Key) + len(w.Value)
					}
					return true
				})
				a.add(&b)
			}
			if period < 3 {
				a.flushBegins()
			}
		}
		busy := map[uint32]bool{}
		for x, n := range counts {
			busy[x] = n >= 100
		}
		start, behind := areaKey(area.Draw(t, "start"), "k"), areaKey(area.Draw(t, "behind"), "k")
		if rapid.Bool().Draw(t, "short") {
			start = start[:rapid.IntRange(1, 3).Draw(t, "length")]
		}
		if bytes.Compare(start, behind) > 0 {
			start, behind = behind, start
		}
		if bytes.Compare(encodeKey(start), endOfSchema) < 0 {
			return
		}
		_, end, err := a.policy(encodeKey(start))
		if err != nil {
			t.Fatal(err)
		}
		// The slow way: look at all busy areas. Keys up to the first and behind the last of one are apart from it.
		separate := false
		first := append(bytes.Clone(start), 0, 0, 0)[:max(4, len(start))] // a short key goes with the area behind it
		for x := range busy {
			in := func(key []byte) bool { return bytes.HasPrefix(key, areaKey(x, "")) }
			between := bytes.Compare(first, areaKey(x, "")) < 0 && bytes.Compare(areaKey(x, ""), behind) <= 0
			separate = separate || busy[x] && (in(first) && !in(behind) || between)
		}
		if got := end != nil && bytes.Compare(encodeKey(behind), end) >= 0; got != separate {
			t.Fatalf("busy %v: a file from %x ends at %x; %x in another: want %v", busy, start, end, behind, separate)
		}
	})
}

// TestFilesOfAreas: a flush of rows and index entries that are written together makes a file for each area, and those
// of the next flush overlap none of them.
func TestFilesOfAreas(t *testing.T) {
	o := testOptions(vfs.NewMem())
	o.MemtableBytes = 1 << 20
	s := mustOpen(t, o)
	n := 0
	for range 4 {
		for range 4 {
			txn := mustBegin(t, s, kv.TxnOptions{})
			for range 200 {
				for _, area := range []uint32{5, 6} {
					key := areaKey(area, string(binary.BigEndian.AppendUint64(nil, uint64(n))))
					if err := txn.Set(key, make([]byte, 500), kv.AllColumns); err != nil {
						t.Fatal(err)
					}
				}
				n++
			}
			if _, err := txn.Commit(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if err := pebbleOf(s).Flush(); err != nil {
			t.Fatal(err)
		}
	}
	levels, err := pebbleOf(s).SSTables()
	if err != nil {
		t.Fatal(err)
	}
	for _, level := range levels {
		for _, f := range level {
			low, ok := areaOf(decodeKey(f.Smallest.UserKey))
			if high, _ := areaOf(decodeKey(f.Largest.UserKey)); ok && low != high {
				t.Errorf("a file from %x to %x", f.Smallest.UserKey, f.Largest.UserKey)
			}
		}
	}
}
