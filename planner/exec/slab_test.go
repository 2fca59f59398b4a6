package exec

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// TestSlab: what was kept stays as it was, whatever is asked for and appended later, more than asked for included.
func TestSlab(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s slab
		var kept, copies [][]byte
		size := rapid.SampledFrom([]int{0, 1, 9, 60, 64, 1000, maxSlab / 8, maxSlab / 2})
		for i := range rapid.IntRange(1, 40).Draw(t, "n") {
			b := append(s.room(size.Draw(t, "room")), bytes.Repeat([]byte{byte(i + 1)}, size.Draw(t, "size"))...)
			if rapid.Bool().Draw(t, "keep") {
				kept, copies = append(kept, s.keep(b)), append(copies, bytes.Clone(b))
			}
		}
		for i := range kept {
			_ = append(kept[i], 0xff) // must not reach into the next
		}
		for i := range kept {
			if !bytes.Equal(kept[i], copies[i]) {
				t.Fatalf("piece %d of %d bytes has changed", i, len(copies[i]))
			}
		}
	})
}
