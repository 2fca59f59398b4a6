package pebblekv

import (
	"bytes"
	"fmt"
	"testing"

	"holdfast/kv"
	"holdfast/kv/conflict"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"
)

// TestGaps compares with the states themselves: all of them are kept, and nothing may ever be in a gap of theirs.
func TestGaps(t *testing.T) {
	for _, bound := range []int{3, 1000} {
		t.Run(fmt.Sprint(bound), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { compareGaps(t, bound) })
		})
	}
}

// gapKeys are the keys of the test, in order.
var gapKeys = func() (keys [][]byte) {
	for i := range 12 {
		keys = append(keys, fmt.Appendf(nil, "%c", 'a'+i), fmt.Appendf(nil, "%c\x00", 'a'+i))
	}
	return keys
}()

func compareGaps(t *rapid.T, bound int) {
	g := &gaps{bound: bound}
	states := [][]bool{make([]bool, len(gapKeys))} // by version: which keys there are
	written := make([]kv.Version, len(gapKeys))    // when keys were put last
	now := func() kv.Version { return kv.Version(len(states) - 1) }
	next := func() []bool {
		states = append(states, append([]bool(nil), states[now()]...))
		return states[now()]
	}
	index := rapid.IntRange(0, len(gapKeys)-1)
	t.Repeat(map[string]func(*rapid.T){
		"put": func(t *rapid.T) {
			i := index.Draw(t, "key")
			next()[i], written[i] = true, now()
			g.cut(gapKeys[i])
		},
		"put many": func(t *rapid.T) {
			state := next()
			var ranges []conflict.Interval
			for _, i := range rapid.SliceOfNDistinct(index, 1, 4, rapid.ID[int]).Draw(t, "keys") {
				state[i], written[i] = true, now()
				ranges = append(ranges, conflict.Interval{Start: gapKeys[i], End: conflict.PointEnd(gapKeys[i]), Columns: kv.AllColumns})
			}
			g.cutRanges(conflict.Coarse(ranges, rapid.IntRange(1, 4).Draw(t, "ranges")))
		},
		"remove": func(t *rapid.T) {
			state := next()
			from := index.Draw(t, "from")
			clear(state[from : from+rapid.IntRange(0, len(gapKeys)-from).Draw(t, "keys")])
		},
		"find": func(t *rapid.T) {
			since := kv.Version(rapid.IntRange(max(0, int(now())-3), int(now())).Draw(t, "since"))
			from := index.Draw(t, "from")
			to := from
			for to < len(gapKeys)-1 && !states[since][to] && written[to] <= since {
				to++
			}
			if from == to {
				t.Skip("not empty")
			}
			r := kv.KeyRange{Start: gapKeys[from], End: gapKeys[to]}
			g.add(r.Start, r.End, since, kv.Version(rapid.IntRange(0, int(since)).Draw(t, "horizon")), rapid.Bool().Draw(t, "ahead"))
			if bound < 1000 {
				return
			}
			at := r.Start
			for _, x := range g.in(r, now()) {
				if bytes.Compare(x.start, at) > 0 {
					break
				}
				at = x.end
			}
			if bytes.Compare(at, r.End) < 0 {
				t.Fatalf("%q to %q was added, but is known up to %q only", r.Start, r.End, at)
			}
		},
		"": func(t *rapid.T) {
			all := g.all()
			if len(all) > bound {
				t.Fatalf("%d gaps, the bound is %d", len(all), bound)
			}
			for n, x := range all {
				if bytes.Compare(x.start, x.end) >= 0 || n > 0 && bytes.Compare(all[n-1].end, x.start) > 0 {
					t.Fatalf("gap %d from %q to %q is out of order", n, x.start, x.end)
				}
				for version := x.since; version <= now(); version++ {
					for i, key := range gapKeys {
						if states[version][i] && bytes.Compare(x.start, key) <= 0 && bytes.Compare(key, x.end) < 0 {
							t.Fatalf("%q is in version %d, and in the gap from %q to %q since %d", key, version, x.start, x.end, x.since)
						}
					}
				}
			}
			version := kv.Version(rapid.IntRange(0, int(now())).Draw(t, "version"))
			for i, key := range gapKeys {
				x := g.at(key, version)
				var want *gap
				for _, y := range all {
					if y.since <= version && bytes.Compare(y.start, key) <= 0 && bytes.Compare(key, y.end) < 0 {
						want = y
					}
				}
				if x != want || x != nil && states[version][i] {
					t.Fatalf("gap of %q at %d: %v instead of %v", key, version, x, want)
				}
			}
			r := kv.KeyRange{Start: gapKeys[index.Draw(t, "start")], End: gapKeys[index.Draw(t, "end")]}
			if bytes.Compare(r.Start, r.End) >= 0 {
				r.End = nil
			}
			var want []*gap
			for _, x := range all {
				if x.since <= version && bytes.Compare(x.end, r.Start) > 0 && (r.End == nil || bytes.Compare(x.start, r.End) < 0) {
					want = append(want, x)
				}
			}
			if got := g.in(r, version); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("gaps of %q at %d: %v instead of %v", r, version, got, want)
			}
		},
	})
}

// TestGapMemory: long keys leave nothing in the memory of gaps.
func TestGapMemory(t *testing.T) {
	g := &gaps{bound: 4}
	long := bytes.Repeat([]byte{'b'}, maxKeyBytes)
	g.add([]byte("a"), long, 1, 0, false)
	if len(g.all()) != 0 {
		t.Error("a gap with a long key is kept")
	}
	g.add([]byte("a"), []byte("c"), 1, 0, false)
	g.cut(long)
	g.add([]byte("a"), []byte("c"), 2, 2, false)
	ranges := []conflict.Interval{{Start: long, End: nil}}
	g.cutRanges(ranges)
	for _, x := range g.all() {
		if len(x.start)+len(x.end) > gapKeyBytes {
			t.Errorf("a gap has a key of %d bytes", max(len(x.start), len(x.end)))
		}
	}
}

// TestGapsPassed: scans of a range whose keys have been removed step over them once, also while others add keys behind it
// and one key in its midst stays; and one at the head of which keys come and go.
func TestGapsPassed(t *testing.T) {
	s := mustOpen(t, testOptions(vfs.NewMem()))
	const keys = 2000
	key := func(i int) []byte { return fmt.Appendf(nil, "q%06d", i) }
	write := func(change func(x kv.Txn)) {
		t.Helper()
		x, err := s.Begin(ctx, kv.TxnOptions{})
		if err != nil {
			t.Fatal(err)
		}
		change(x)
		if _, err := x.Commit(ctx); err != nil {
			t.Fatal(err)
		}
	}
	// steps is how many entries a scan for the first n keys passes over, and the first it finds.
	steps := func(n int) (int, []string) {
		t.Helper()
		x, err := s.Begin(ctx, kv.TxnOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer x.Rollback()
		it := x.Scan(ctx, kv.PrefixRange([]byte("q")), kv.ScanOptions{})
		var found []string
		for len(found) < n && it.Next() {
			found = append(found, string(it.Key()))
		}
		source := it.(*iterator).source
		stepped := source.Stats().ForwardStepCount[pebble.InternalIterCall]
		if err := it.Close(); err != nil {
			t.Fatal(err)
		}
		return stepped, found
	}
	write(func(x kv.Txn) {
		for i := range keys {
			_ = x.Set(key(i), nil, kv.AllColumns)
		}
	})
	worst := 0
	for i := range keys - 20 {
		if i == 100 {
			continue // is never taken
		}
		write(func(x kv.Txn) { _ = x.Delete(key(i)) })
		write(func(x kv.Txn) { _ = x.Set(key(keys+i), nil, kv.AllColumns) })
		n, found := steps(4)
		want := i + 1
		if i > 100 {
			want = 100
		}
		if found[0] != string(key(want)) || len(found) != 4 {
			t.Fatalf("after %d: %q", i, found)
		}
		worst = max(worst, n)
	}
	if worst > 200 {
		t.Errorf("a scan has made %d steps", worst)
	}
	if st := s.Stats(); st.GapsFound == 0 || st.Gaps == 0 || st.Gaps > 10 {
		t.Errorf("%d gaps found, %d are left", st.GapsFound, st.Gaps)
	}
	// Keys of a higher priority come and go before the others.
	worst = 0
	for i := range 300 {
		at := []byte(fmt.Sprintf("q%06d-%d", (i*37)%1500, i))
		write(func(x kv.Txn) { _ = x.Set(at, nil, kv.AllColumns) })
		if _, found := steps(3); found[0] != string(at) && found[1] != string(at) {
			t.Fatalf("%s: %q", at, found)
		}
		write(func(x kv.Txn) { _ = x.Delete(at) })
		n, found := steps(3)
		if found[0] != string(key(100)) || found[1] != string(key(keys-20)) {
			t.Fatalf("after %s: %q", at, found)
		}
		worst = max(worst, n)
	}
	t.Logf("at most %d steps after a key before the others, %d gaps", worst, s.Stats().Gaps)
}

// TestAhead: where keys are added in ascending order, by several clients, gaps stay ahead of them and are not more than there are clients.
func TestAhead(t *testing.T) {
	g := &gaps{bound: 100}
	key := func(client, n int) []byte { return []byte{byte(client), byte(n >> 8), byte(n)} }
	const clients = 5
	for c := range clients {
		g.add(key(c, 0), key(c+1, 0), 1, 0, true)
	}
	for n := range 1000 {
		for c := range clients {
			// Two of each client's are late.
			late := n ^ 1
			if g.at(key(c, late), 1) == nil {
				t.Fatalf("key %d of client %d is not in a gap", late, c)
			}
			g.cut(key(c, late))
			if g.at(key(c, late), 1) != nil {
				t.Fatalf("key %d of client %d is still in a gap", late, c)
			}
		}
		if n%2 == 1 && len(g.all()) != clients {
			t.Fatalf("%d gaps after %d keys of each client", len(g.all()), n+1)
		}
	}
}

func TestAdjacent(t *testing.T) {
	for _, c := range []struct {
		start, end string
		want       bool
	}{
		{"a\x00", "b", true}, {"a\x00", "c", false}, {"a", "b", false}, {"a\xff\x00", "b\x00", true}, {"a\xff\x00", "a\x00", false},
		{"\xff\x00", "\x00", false}, {"a\x01", "b", false}, {"a\x00\xff\xff\x00", "a\x01\x00\x00", true}, {"\x00", "", false},
	} {
		if got := adjacent([]byte(c.start), []byte(c.end)); got != c.want && bytes.Compare([]byte(c.start), []byte(c.end)) < 0 {
			t.Errorf("%q to %q: %v", c.start, c.end, got)
		}
	}
}
