package buffer

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"holdfast/kv"

	"pgregory.net/rapid"
)

type content map[string]Write

func (c content) bytes() (n int64) {
	for _, w := range c {
		n += int64(len(w.Key)+len(w.Value)) + WriteBytes
	}
	return n
}

// in lists the keys of a range in order.
func (c content) in(r kv.KeyRange, reverse bool) []string {
	var keys []string
	for k := range c {
		if k >= string(r.Start) && (r.End == nil || k < string(r.End)) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	if reverse {
		slices.Reverse(keys)
	}
	return keys
}

// TestBuffer compares with a map, and frozen and saved states with copies of it.
func TestBuffer(t *testing.T) {
	key := rapid.Map(rapid.IntRange(0, 299), func(n int) []byte { return fmt.Appendf(nil, "%03d", n) })
	rapid.Check(t, func(t *rapid.T) {
		const limit = 5000
		b, want := &Buffer{}, content{}
		type saved struct {
			state State
			want  content
		}
		type frozen struct {
			tree *Tree
			want content
		}
		var states []saved
		var trees []frozen
		put := func(t *rapid.T) {
			w := Write{Key: key.Draw(t, "key"), Columns: kv.Column(rapid.IntRange(1, 5).Draw(t, "column"))}
			if w.Deleted = rapid.IntRange(0, 3).Draw(t, "deleted") == 0; !w.Deleted {
				w.Value = make([]byte, rapid.IntRange(0, 20).Draw(t, "value"))
			}
			next := maps.Clone(want)
			merged := w
			merged.Columns |= want[string(w.Key)].Columns
			next[string(w.Key)] = merged
			fits := next.bytes() <= limit
			if b.Put(w, limit) != fits {
				t.Fatalf("put: %v with %d bytes", !fits, next.bytes())
			}
			if fits {
				want = next
			}
		}
		check := func(tree *Tree, want content, t *rapid.T) {
			if Len(tree) != len(want) {
				t.Fatalf("%d keys, want %d", Len(tree), len(want))
			}
			if tree == nil {
				return
			}
			r := kv.KeyRange{Start: key.Draw(t, "start")}
			if rapid.Bool().Draw(t, "bounded") {
				r.End = key.Draw(t, "end")
			}
			reverse := rapid.Bool().Draw(t, "reverse")
			var got []string
			var c Cursor
			for c.Seek(tree, r, reverse); c.Valid(); c.Next(r) {
				w := c.Write()
				got = append(got, string(w.Key))
				if e := want[string(w.Key)]; e.Columns != w.Columns || e.Deleted != w.Deleted {
					t.Fatalf("%+v, want %+v", w, e)
				}
			}
			if !slices.Equal(got, want.in(r, reverse)) {
				t.Fatalf("%q of %q, want %q", got, r, want.in(r, reverse))
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"put": put,
			"puts": func(t *rapid.T) {
				for range 40 {
					put(t)
				}
			},
			"freeze": func(t *rapid.T) { trees = append(trees, frozen{b.Frozen(), maps.Clone(want)}) },
			"save":   func(t *rapid.T) { states = append(states, saved{b.Save(), maps.Clone(want)}) },
			"restore": func(t *rapid.T) {
				if len(states) == 0 {
					t.Skip("nothing saved")
				}
				i := rapid.IntRange(0, len(states)-1).Draw(t, "state")
				b.Restore(states[i].state)
				want = maps.Clone(states[i].want)
			},
			"": func(t *rapid.T) {
				if b.Len() != len(want) || b.Bytes() != want.bytes() {
					t.Fatalf("%d keys of %d bytes, want %d of %d", b.Len(), b.Bytes(), len(want), want.bytes())
				}
				check(b.Current(), want, t)
				for _, f := range trees {
					check(f.tree, f.want, t)
				}
			},
		})
	})
}

// TestBufferEmpty: what a transaction without writes does costs nothing.
func TestBufferEmpty(t *testing.T) {
	b := &Buffer{}
	if n := testing.AllocsPerRun(100, func() {
		s := b.Save()
		b.Frozen()
		b.Restore(s)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkPut(b *testing.B) {
	const n = 1000
	for _, c := range []struct {
		name string
		step int
	}{{"ascending", 1}, {"spread", 617}} {
		b.Run(c.name, func(b *testing.B) {
			keys := make([][]byte, n)
			for i := range keys {
				keys[i] = fmt.Appendf(nil, "\x01\x00\x00\x00\x64%012d", i*c.step%n)
			}
			b.ReportAllocs()
			var buffer *Buffer
			for i := range b.N {
				if i%n == 0 {
					buffer = new(Buffer)
				}
				buffer.Put(Write{Key: keys[i%n], Columns: kv.AllColumns}, 1<<30)
			}
		})
	}
}
