package catalog

import (
	"math"
	"sync"
	"testing"

	"holdfast/kv/memkv"
	"holdfast/sql/errs"
	"holdfast/sql/types"

	"pgregory.net/rapid"
)

func newSequenceTable(t testing.TB, c *Catalog, d Sequence) *Table {
	t.Helper()
	d.Type = types.Int8
	tab := &Table{Schema: PublicOID, Name: "s", Kind: KindSequence, Sequence: &d}
	ddl(t, c, put(tab))
	return tab
}

func TestSequence(t *testing.T) {
	type step struct {
		set    int64 // setval if not 0
		called bool
		want   int64
		err    string
	}
	for _, test := range []struct {
		name  string
		def   Sequence
		steps []step
	}{
		{"ends", Sequence{Start: 2, Increment: 1, Min: 1, Max: 3}, []step{{want: 2}, {want: 3}, {err: `nextval: reached maximum value of sequence "s" (3)`}, {set: 1, called: true, want: 2}}},
		{"cycles", Sequence{Start: 2, Increment: 2, Min: 1, Max: 5, Cycle: true}, []step{{want: 2}, {want: 4}, {want: 1}, {want: 3}, {want: 5}, {want: 1}}},
		{"descends", Sequence{Start: -1, Increment: -2, Min: -4, Max: -1}, []step{{want: -1}, {want: -3}, {err: `nextval: reached minimum value of sequence "s" (-4)`}}},
		{"descends and cycles", Sequence{Start: -1, Increment: -2, Min: -4, Max: -1, Cycle: true}, []step{{want: -1}, {want: -3}, {want: -1}}},
		{"extremes", Sequence{Start: math.MinInt64, Increment: math.MaxInt64, Min: math.MinInt64, Max: math.MaxInt64},
			[]step{{want: math.MinInt64}, {want: -1}, {want: math.MaxInt64 - 1}, {err: `nextval: reached maximum value of sequence "s" (9223372036854775807)`}}},
		{"downward extremes", Sequence{Start: math.MaxInt64, Increment: math.MinInt64, Min: math.MinInt64, Max: math.MaxInt64},
			[]step{{want: math.MaxInt64}, {want: -1}, {err: `nextval: reached minimum value of sequence "s" (-9223372036854775808)`}}},
		{"setval", Sequence{Start: 1, Increment: 1, Min: 1, Max: 100}, []step{{set: 50, want: 50}, {want: 51}, {set: 7, called: true, want: 8}}},
	} {
		c := open(t, memkv.New(memkv.Options{}))
		tab := newSequenceTable(t, c, test.def)
		for i, s := range test.steps {
			if s.set != 0 {
				if err := c.sequences.SetVal(ctx, tab, s.set, s.called); err != nil {
					t.Fatal(err)
				}
			}
			got, err := c.sequences.NextVal(ctx, tab)
			if s.err != "" {
				wantCode(t, err, errs.SequenceLimitExceeded, s.err)
			} else if err != nil || got != s.want {
				t.Errorf("%s, step %d: %d, %v; want %d", test.name, i, got, err, s.want)
			}
		}
	}
	c := open(t, memkv.New(memkv.Options{}))
	tab := newSequenceTable(t, c, Sequence{Start: 1, Increment: 1, Min: 1, Max: 9})
	wantCode(t, c.sequences.SetVal(ctx, tab, 10, true), errs.NumericValueOutOfRange, `setval: value 10 is out of bounds for sequence "s" (1..9)`)
}

// TestSequenceShown compares last_value, log_cnt and is_called with PostgreSQL's.
func TestSequenceShown(t *testing.T) {
	c := open(t, memkv.New(memkv.Options{}))
	tab := newSequenceTable(t, c, Sequence{Start: 1, Increment: 1, Min: 1, Max: 1000, Cache: 1})
	shown := func() (row []datum) {
		t.Helper()
		err := current(t, c).Relation(PublicOID, "s").Virtual.Rows(&VirtualContext{Ctx: testContext(current(t, c)).Ctx, Snapshot: current(t, c)}, nil, func(r []datum) bool {
			row = r
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
		return row
	}
	if r := shown(); r[0].Int() != 1 || r[1].Int() != 0 || r[2].Bool() {
		t.Errorf("new: %v", r)
	}
	c.sequences.NextVal(ctx, tab)
	if r := shown(); r[0].Int() != 1 || r[1].Int() != 32 || !r[2].Bool() {
		t.Errorf("after one: %v", r)
	}
	c.sequences.NextVal(ctx, tab)
	if r := shown(); r[0].Int() != 2 || r[1].Int() != 31 || !r[2].Bool() {
		t.Errorf("after two: %v", r)
	}
	c.sequences.SetVal(ctx, tab, 10, false)
	if r := shown(); r[0].Int() != 10 || r[1].Int() != 0 || r[2].Bool() {
		t.Errorf("after setval: %v", r)
	}
}

// TestSequenceCrash takes numbers concurrently and crashes the store now and then: no number comes twice, and
// after an orderly end none is skipped.
func TestSequenceCrash(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		store := memkv.New(memkv.Options{})
		c := open(t, store)
		tab := newSequenceTable(t, c, Sequence{Start: 1, Increment: 1, Min: 1, Max: math.MaxInt64, Cache: rapid.Int64Range(1, 5).Draw(r, "cache")})
		seen := map[int64]bool{}
		highest := int64(0)
		for range rapid.IntRange(1, 5).Draw(r, "lives") {
			var mu sync.Mutex
			var wg sync.WaitGroup
			for range 3 {
				n := rapid.IntRange(0, 60).Draw(r, "numbers")
				wg.Go(func() {
					for range n {
						v, err := c.sequences.NextVal(ctx, tab)
						mu.Lock()
						if err != nil || seen[v] {
							t.Errorf("%d again, or %v", v, err)
						}
						seen[v] = true
						highest = max(highest, v)
						mu.Unlock()
					}
				})
			}
			wg.Wait()
			crash := rapid.Bool().Draw(r, "crash")
			if crash {
				store = store.Crash()
			} else if err := c.Close(ctx); err != nil {
				t.Fatal(err)
			}
			c = open(t, store)
			if !crash {
				last, _, called, err := c.sequences.LastValue(ctx, tab)
				if err != nil || called && last != highest || !called && highest != 0 {
					t.Fatalf("after an orderly end the last value is %d, %v; want %d", last, err, highest)
				}
			} else if last, _, called, _ := c.sequences.LastValue(ctx, tab); called {
				highest = last
			}
		}
	})
}

// TestSequenceChanged changes the definition between numbers.
func TestSequenceChanged(t *testing.T) {
	store := memkv.New(memkv.Options{})
	c := open(t, store)
	tab := newSequenceTable(t, c, Sequence{Start: 1, Increment: 1, Min: 1, Max: 1000})
	c.sequences.NextVal(ctx, tab)
	c.sequences.NextVal(ctx, tab)
	n := tab.Clone()
	n.Sequence.Increment = 10
	ddl(t, c, put(n))
	if v, err := c.sequences.NextVal(ctx, n); v != 12 || err != nil {
		t.Errorf("after 2 by 10: %d, %v", v, err)
	}
	c = open(t, store.Crash())
	if v, err := c.sequences.NextVal(ctx, n); v <= 12 || err != nil {
		t.Errorf("after a crash: %d, %v", v, err)
	}
}

func BenchmarkNextVal(b *testing.B) {
	c := open(b, memkv.New(memkv.Options{}))
	tab := newSequenceTable(b, c, Sequence{Start: 1, Increment: 1, Min: 1, Max: math.MaxInt64})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := c.sequences.NextVal(ctx, tab); err != nil {
				b.Fatal(err)
			}
		}
	})
}
