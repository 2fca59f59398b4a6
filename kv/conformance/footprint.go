package conformance

import (
	"context"
	"errors"
	"fmt"

	"holdfast/kv"
)

// footprintScenarios: what counts as read, and what does not.
var footprintScenarios = []scenario{
	{"footprint/columns of a key", columnsOfKey},
	{"footprint/columns of a range", columnsOfRange},
	{"footprint/column bits are shared", sharedColumnBits},
	{"footprint/writes of a key add up", writesAddUp},
	{"footprint/forward scan", forwardScan},
	{"footprint/reverse scan", reverseScan},
	{"footprint/unrecorded reads", unrecordedReads},
	{"footprint/unstarted scan", unstartedScan},
	{"footprint/scan beside own writes", scanBesideOwnWrites},
	{"footprint/own writes", ownWritesAreNoReads},
	{"footprint/first present", firstPresent},
	{"footprint/view", viewReadsCount},
	{"footprint/observe", observe},
	{"footprint/rollback keeps reads", rollbackKeepsReads},
	{"footprint/retract forgets reads", retractForgetsReads},
	{"footprint/nested savepoints", nestedSavepoints},
	{"footprint/undone writes", undoneWrites},
	{"footprint/memory of keys", memoryOfKeys},
	{"footprint/large", largeFootprint},
}

func contextWithCancel(e *env) (context.Context, context.CancelFunc) {
	return context.WithCancel(e.ctx)
}

func conflictError(err error) (*kv.ConflictError, bool) {
	var c *kv.ConflictError
	return c, errors.As(err, &c)
}

// against lets a transaction read, commits change meanwhile, and expects whether the reader, which also
// writes something, can commit.
func (e *env) against(what string, read func(x *tx), change func(y *tx), conflict bool) {
	e.Helper()
	if e.Coarse && !conflict {
		return
	}
	x := e.begin()
	defer x.Rollback()
	read(x)
	x.set("zz result", "x")
	y := e.begin()
	change(y)
	y.commits()
	switch err := commitError(x); {
	case conflict:
		e.fails(what, err, kv.ErrConflict)
	case err != nil:
		e.Errorf("%s: %v, where nothing that was read has changed", what, err)
	}
}

func columnsOfKey(e *env) {
	e.put("a=1")
	cases := []struct {
		what     string
		read     []int
		write    []int // nil: delete
		conflict bool
	}{
		{"read 1, write 2", []int{1}, []int{2}, false},
		{"read 1, write 1", []int{1}, []int{1}, true},
		{"read 1 and 2, write 2 and 3", []int{1, 2}, []int{2, 3}, true},
		{"read existence, write 1", nil, []int{1}, false},
		{"read 5, write 1 to 4", []int{5}, []int{1, 2, 3, 4}, false},
		{"read existence, delete", nil, nil, true},
		{"read 1, delete", []int{1}, nil, true},
	}
	for _, c := range cases {
		e.put("a=1")
		e.against(c.what, func(x *tx) { x.read("a", c.read...) }, func(y *tx) {
			if c.write == nil {
				y.del("a")
			} else {
				y.change("a", "2", c.write...)
			}
		}, c.conflict)
		e.put("a")
	}
	e.against("read the absence, insert", func(x *tx) { x.read("a") }, func(y *tx) { y.set("a", "1") }, true)
	e.against("read all, update 7", func(x *tx) { x.get("a") }, func(y *tx) { y.change("a", "1", 7) }, true)
	e.against("read 1, insert over it", func(x *tx) { x.read("a", 1) }, func(y *tx) { y.set("a", "1") }, true)
}

func columnsOfRange(e *env) {
	e.put("a=1", "b=1", "c=1")
	scan := func(columns ...int) func(x *tx) {
		return func(x *tx) { x.some(x.Txn, "a", "c", -1, kv.ScanOptions{Columns: columnSet(columns)}) }
	}
	e.against("scan 1, update 2", scan(1), func(y *tx) { y.change("b", "1", 2) }, false)
	e.against("scan 1, update 1", scan(1), func(y *tx) { y.change("b", "1", 1) }, true)
	e.against("scan existence, update all", scan(), func(y *tx) { y.change("b", "1", 1, 2, 3) }, false)
	e.against("scan existence, update outside", scan(1), func(y *tx) { y.change("c", "1", 1) }, false)
	e.against("scan existence, delete", scan(), func(y *tx) { y.del("b") }, true)
	e.against("scan existence, insert", scan(), func(y *tx) { y.set("aa", "1") }, true)
}

// sharedColumnBits: column 64 has the bit of column 1. Sets may be too large, never too small.
func sharedColumnBits(e *env) {
	e.put("a=1")
	e.against("read 64, update 64", func(x *tx) { x.read("a", 64) }, func(y *tx) { y.change("a", "1", 64) }, true)
	e.against("read 64, update 1", func(x *tx) { x.read("a", 64) }, func(y *tx) { y.change("a", "1", 1) }, true)
	e.against("read 64, update 2", func(x *tx) { x.read("a", 64) }, func(y *tx) { y.change("a", "1", 2) }, false)
	e.against("read 63, update 63", func(x *tx) { x.read("a", 63) }, func(y *tx) { y.change("a", "1", 63) }, true)
	e.against("read existence, update 63 and 64", func(x *tx) { x.read("a") }, func(y *tx) { y.change("a", "1", 63, 64) }, false)
}

func writesAddUp(e *env) {
	e.put("a=1")
	twice := func(y *tx) { y.change("a", "2", 1); y.change("a", "3", 2) }
	e.against("read 1, update 1 then 2", func(x *tx) { x.read("a", 1) }, twice, true)
	e.against("read 2, update 1 then 2", func(x *tx) { x.read("a", 2) }, twice, true)
	e.against("read 3, update 1 then 2", func(x *tx) { x.read("a", 3) }, twice, false)
	e.against("read 3, delete, insert, update 1", func(x *tx) { x.read("a", 3) },
		func(y *tx) { y.del("a"); y.set("a", "2"); y.change("a", "3", 1) }, true)
}

func forwardScan(e *env) {
	e.put("a=1", "c=1", "e=1", "g=1")
	take := func(n int) func(x *tx) {
		return func(x *tx) { x.some(x.Txn, "b", "h", n, kv.ScanOptions{}) }
	}
	e.against("2 of 3, change before the range", take(2), func(y *tx) { y.set("a", "2") }, false)
	e.against("2 of 3, insert before the first", take(2), func(y *tx) { y.set("b", "2") }, true)
	e.put("b")
	e.against("2 of 3, change the last one taken", take(2), func(y *tx) { y.set("e", "2") }, true)
	e.against("2 of 3, insert right behind it", take(2), func(y *tx) { y.set("e\x00", "2") }, false)
	e.put("e\x00")
	e.against("2 of 3, change the next", take(2), func(y *tx) { y.del("g") }, false)
	e.put("g=1")
	e.against("3 of 3, end not seen", take(3), func(y *tx) { y.set("gg", "2") }, false)
	e.put("gg")
	e.against("all, insert at the end", take(4), func(y *tx) { y.set("gg", "2") }, true)
	e.against("all, change the end itself", take(5), func(y *tx) { y.set("h", "2") }, false)
}

// unrecordedReads see what others see and leave nothing, and what is observed of them counts.
func unrecordedReads(e *env) {
	e.put("a=1", "c=1")
	look := func(x *tx) {
		x.set("b", "2")
		view := x.View()
		x.set("bb", "3")
		for from, r := range map[string]kv.Reader{"the transaction": x.Txn.Unrecorded(), "a view": view.Unrecorded()} {
			want := "a=1 b=2 c=1"
			if from == "the transaction" {
				want = "a=1 b=2 bb=3 c=1"
			}
			if v, ok, err := r.Get(x.ctx, []byte("a"), kv.AllColumns); err != nil || !ok || string(v) != "1" {
				e.Errorf("%s: a is %q %v %v", from, v, ok, err)
			}
			if _, ok, err := r.Get(x.ctx, []byte("d"), kv.AllColumns); ok || err != nil {
				e.Errorf("%s: d is there, %v", from, err)
			}
			got := ""
			it := r.Scan(x.ctx, kv.KeyRange{End: []byte("d")}, kv.ScanOptions{Columns: kv.AllColumns})
			for it.Next() {
				got += " " + string(it.Key()) + "=" + string(it.Value())
			}
			if err := it.Err(); err != nil {
				e.Error(err)
			}
			if err := it.Close(); err != nil {
				e.Error(err)
			}
			e.equal("pairs of "+from, got, " "+want)
		}
	}
	e.against("change of a key read", look, func(y *tx) { y.set("a", "2") }, false)
	e.put("a=1", "b", "bb")
	e.against("insert into a range read", look, func(y *tx) { y.set("aa", "2") }, false)
	e.put("aa", "b", "bb")
	observed := func(x *tx) {
		look(x)
		x.Observe([]byte("a"), kv.AllColumns)
	}
	e.against("change of a key observed", observed, func(y *tx) { y.set("a", "2") }, true)
	e.put("a=1", "b", "bb")
	e.against("change of another", observed, func(y *tx) { y.set("c", "2") }, false)
}

func reverseScan(e *env) {
	e.put("a=1", "c=1", "e=1", "g=1")
	take := func(n int) func(x *tx) {
		return func(x *tx) { x.some(x.Txn, "b", "h", n, kv.ScanOptions{Reverse: true}) }
	}
	e.against("2 of 3, change behind the range", take(2), func(y *tx) { y.set("h", "2") }, false)
	e.against("2 of 3, insert behind the last", take(2), func(y *tx) { y.set("gg", "2") }, true)
	e.put("gg")
	e.against("2 of 3, change the last one taken", take(2), func(y *tx) { y.set("e", "2") }, true)
	e.against("2 of 3, insert right before it", take(2), func(y *tx) { y.set("d\xff", "2") }, false)
	e.put("d\xff")
	e.against("2 of 3, change the next", take(2), func(y *tx) { y.del("c") }, false)
	e.put("c=1")
	e.against("3 of 3, start not seen", take(3), func(y *tx) { y.set("b", "2") }, false)
	e.put("b")
	e.against("all, insert at the start", take(4), func(y *tx) { y.set("b", "2") }, true)
	e.against("all, change before the start", take(5), func(y *tx) { y.set("a", "2") }, false)
}

func unstartedScan(e *env) {
	e.put("a=1")
	e.against("closed before the first pair", func(x *tx) {
		it := x.Scan(x.ctx, keyRange("", ""), kv.ScanOptions{Columns: kv.AllColumns})
		if err := it.Close(); err != nil {
			x.Error(err)
		}
	}, func(y *tx) { y.set("a", "2"); y.set("b", "2") }, false)
	e.against("an empty range", func(x *tx) { x.all("b", "b") }, func(y *tx) { y.set("b", "3") }, false)
}

// scanBesideOwnWrites: own writes neither hide what lies between them nor stop the scan short.
func scanBesideOwnWrites(e *env) {
	for _, reverse := range []bool{false, true} {
		all := func(x *tx) {
			for _, k := range []string{"b", "d", "f"} {
				x.set(k, "own")
			}
			x.del("e")
			x.some(x.Txn, "a", "g", -1, kv.ScanOptions{Reverse: reverse})
		}
		e.put("c=1", "e=1", "b", "d", "f")
		e.against("insert between own rows", all, func(y *tx) { y.set("cc", "2") }, true)
		e.put("cc", "b", "d", "f", "e=1")
		e.against("delete between own rows", all, func(y *tx) { y.del("c") }, true)
		e.put("c=1", "b", "d", "f", "e=1")
		e.against("insert at the start", all, func(y *tx) { y.set("a", "2") }, true)
		e.put("a", "b", "d", "f", "e=1")
		e.against("insert at the end", all, func(y *tx) { y.set("ff", "2") }, true)
		e.put("ff", "b", "d", "f", "e")
	}
	// The first pair is an own one: what was passed over to get there counts, what follows does not.
	first := func(x *tx) {
		x.set("c", "own")
		x.equal("first", x.some(x.Txn, "a", "", 1, kv.ScanOptions{Columns: kv.AllColumns}), "c=own")
	}
	e.put("c", "e=1")
	e.against("insert before the own first", first, func(y *tx) { y.set("b", "2") }, true)
	e.put("b", "c")
	e.against("insert behind the own first", first, func(y *tx) { y.set("d", "2") }, false)
}

func ownWritesAreNoReads(e *env) {
	e.put("a=1")
	e.against("read back an insert", func(x *tx) { x.set("b", "x"); x.wants("b", "x") },
		func(y *tx) { y.set("b", "y") }, false)
	e.against("read back a delete", func(x *tx) { x.del("a"); x.wants("a", absent) },
		func(y *tx) { y.set("a", "y") }, false)
	e.put("a=1", "b")
	e.against("read back an update, other columns", func(x *tx) { x.change("a", "x", 1); x.read("a", 2) },
		func(y *tx) { y.change("a", "y", 2) }, true)
	e.against("read back an update, existence", func(x *tx) { x.change("a", "x", 1); x.read("a", 1) },
		func(y *tx) { y.del("a") }, true)
	e.put("a=1")
	e.against("read back an update, its columns", func(x *tx) { x.change("a", "x", 1); x.read("a", 1) },
		func(y *tx) { y.change("a", "y", 1) }, false)
	// Through a view from before the write, it is a read.
	e.against("read under an own write", func(x *tx) {
		v := x.View()
		x.set("c", "x")
		x.equal("view", x.readFrom(v, "c", kv.AllColumns), absent)
	}, func(y *tx) { y.set("c", "y") }, true)
}

// firstPresent: each key up to the first present one is a read of its existence, and nothing between them or behind.
// Three sets of keys: few, many without others between them, and many with others between each two.
func firstPresent(e *env) {
	between := func(k string) string { return k + "5" }
	for _, set := range []struct {
		what   string
		n      int
		others bool
	}{{"few", 3, false}, {"many", 60, false}, {"many among others", 60, true}} {
		var keys [][]byte
		for i := range set.n {
			k := fmt.Sprintf("k%02d", i)
			keys = append(keys, []byte(k))
			if set.others {
				e.put(between(k) + "=1")
			}
		}
		key := func(i int) string { return string(keys[i]) }
		last, middle := key(set.n-1), key(set.n/2)
		find := func(want int) func(x *tx) {
			return func(x *tx) {
				at, err := x.FirstPresent(x.ctx, keys)
				if err != nil || at != want {
					x.Errorf("%s: found at %d, want %d (%v)", set.what, at, want, err)
				}
			}
		}
		for _, k := range []string{key(0), middle, last} {
			e.against(set.what+": insert one", find(-1), func(y *tx) { y.set(k, "1") }, true)
			e.put(k)
		}
		e.against(set.what+": change between two", find(-1), func(y *tx) { y.set(middle+"1", "1"); y.set(between(middle), "2") }, false)
		e.put(middle + "1")
		e.against(set.what+": change beside them", find(-1), func(y *tx) { y.set("k", "1"); y.set(last+"1", "1") }, false)
		e.put(middle + "=1")
		e.against(set.what+": change the one found", find(set.n/2), func(y *tx) { y.change(middle, "2", 1) }, false)
		e.against(set.what+": insert behind the one found", find(set.n/2), func(y *tx) { y.set(last, "1") }, false)
		e.put(last)
		e.against(set.what+": delete the one found", find(set.n/2), func(y *tx) { y.del(middle) }, true)
		e.put(middle + "=1")
		e.against(set.what+": own writes", func(x *tx) {
			x.del(middle)
			find(-1)(x)
			x.set(last, "1")
			find(set.n - 1)(x)
			x.set(key(1), "1")
			find(1)(x)
		}, func(y *tx) { y.change(middle, "2", 1) }, false)
		e.put(middle, last, key(1), "k", last+"1")
		if set.others {
			for i := range set.n {
				e.put(between(key(i)))
			}
		}
	}
}

func viewReadsCount(e *env) {
	e.put("a=1", "b=1")
	e.against("get", func(x *tx) { x.readFrom(x.View(), "a", kv.AllColumns) },
		func(y *tx) { y.set("a", "2") }, true)
	e.against("scan", func(x *tx) { x.some(x.View(), "a", "", 1, kv.ScanOptions{}) },
		func(y *tx) { y.del("a") }, true)
	e.put("a=1")
	e.against("rest of the scan", func(x *tx) { x.some(x.View(), "a", "", 1, kv.ScanOptions{}) },
		func(y *tx) { y.del("b") }, false)
}

func observe(e *env) {
	e.put("a=1", "b1=1", "c=1")
	key := func(x *tx) { x.Observe([]byte("a"), columnSet([]int{1})) }
	e.against("observe 1, update 1", key, func(y *tx) { y.change("a", "2", 1) }, true)
	e.against("observe 1, update 2", key, func(y *tx) { y.change("a", "2", 2) }, false)
	e.against("observe 1, delete", key, func(y *tx) { y.del("a") }, true)
	ranged := func(x *tx) { x.ObserveRange(keyRange("b", "c"), columnSet([]int{1})) }
	e.against("observe range, insert", ranged, func(y *tx) { y.set("b2", "2") }, true)
	e.against("observe range, update 2", ranged, func(y *tx) { y.change("b1", "2", 2) }, false)
	e.against("observe range, update 1", ranged, func(y *tx) { y.change("b1", "2", 1) }, true)
	e.against("observe range, beyond", ranged, func(y *tx) { y.set("c", "2"); y.set("a\xff", "2") }, false)
	open := func(x *tx) { x.ObserveRange(keyRange("c", ""), kv.Existence) }
	e.against("observe without end", open, func(y *tx) { y.set("\xff\xff\xff", "2") }, true)
	e.against("observe under an own write", func(x *tx) { x.set("a", "x"); x.Observe([]byte("a"), kv.Existence) },
		func(y *tx) { y.del("a") }, true)
	r := e.beginWith(kv.TxnOptions{ReadOnly: true})
	r.ObserveRange(keyRange("", ""), kv.AllColumns)
	e.put("a=9")
	r.commits()
}

func rollbackKeepsReads(e *env) {
	e.put("a=1")
	read := func(x *tx) {
		mark := x.Savepoint()
		x.wants("a", "1")
		x.all("b", "c")
		x.set("a", "2")
		x.RollbackTo(mark)
	}
	e.against("key", read, func(y *tx) { y.set("a", "3") }, true)
	e.put("a=1")
	e.against("range", read, func(y *tx) { y.set("b", "3") }, true)
}

func retractForgetsReads(e *env) {
	e.put("a=1", "b=1")
	read := func(x *tx) {
		x.wants("a", "1")
		x.ObserveRange(keyRange("r", "s"), kv.Existence)
		mark := x.Savepoint()
		x.wants("b", "1")
		x.wants("a", "1")
		x.all("c", "d")
		x.Observe([]byte("e"), kv.AllColumns)
		x.ObserveRange(keyRange("f", "g"), kv.AllColumns)
		x.some(x.View(), "g", "h", -1, kv.ScanOptions{})
		x.set("h", "2")
		x.Retract(mark)
		x.wants("h", absent)
	}
	e.against("retracted reads", read, func(y *tx) {
		for _, k := range []string{"b", "c", "cc", "e", "f", "ff", "g"} {
			y.set(k, "3")
		}
	}, false)
	e.against("reads before the mark", rereads, func(y *tx) { y.set("r", "3") }, true)
	e.put("b=1", "a=1")
	e.against("reads before the mark, read again since", rereads, func(y *tx) { y.set("a", "3") }, true)
}

// rereads reads before a mark, and after it twice, retracting that.
func rereads(x *tx) {
	x.wants("a", "1")
	x.ObserveRange(keyRange("r", "s"), kv.Existence)
	mark := x.Savepoint()
	for range 2 {
		x.get("b")
		x.get("a")
		x.Retract(mark)
	}
}

func nestedSavepoints(e *env) {
	e.put("a=0", "b=0")
	x := e.begin()
	x.set("a", "1")
	one := x.Savepoint()
	x.set("a", "2")
	x.del("b")
	two := x.Savepoint()
	x.set("a", "3")
	x.set("c", "3")
	three := x.Savepoint()
	x.del("a")
	x.RollbackTo(three)
	e.equal("three", x.all("", ""), "a=3 c=3")
	x.set("d", "4")
	x.RollbackTo(three)
	e.equal("three again", x.all("", ""), "a=3 c=3")
	x.RollbackTo(two)
	e.equal("two", x.all("", ""), "a=2")
	x.set("e", "5")
	again := x.Savepoint()
	x.set("e", "6")
	x.Retract(again)
	e.equal("set since two", x.all("", ""), "a=2 e=5")
	x.RollbackTo(two)
	x.RollbackTo(one)
	e.equal("one", x.all("", ""), "a=1 b=0")
	x.RollbackTo(one)
	x.set("f", "7")
	x.commits()
	e.wantContent("a=1 b=0 f=7")
}

// undoneWrites conflict with nobody.
func undoneWrites(e *env) {
	e.exact()
	e.put("a=1", "b=1")
	e.against("rolled back", func(x *tx) { x.wants("a", "1") }, func(y *tx) {
		mark := y.Savepoint()
		y.set("a", "2")
		y.RollbackTo(mark)
		y.set("b", "2")
	}, false)
	e.against("rolled back to an update of less", func(x *tx) { x.read("a", 2) }, func(y *tx) {
		y.change("a", "2", 1)
		mark := y.Savepoint()
		y.change("a", "3", 2)
		y.RollbackTo(mark)
	}, false)
}

// memoryOfKeys: only Set and Delete keep the keys they are given; the caller may use the memory of others again.
func memoryOfKeys(e *env) {
	e.put("a=1", "b=1", "c=1")
	spoil := func(buffers ...[]byte) {
		for _, b := range buffers {
			for i := range b {
				b[i] = 'x'
			}
		}
	}
	reads := map[string]func(x *tx){
		"get": func(x *tx) {
			key := []byte("b")
			if _, _, err := x.Get(x.ctx, key, kv.AllColumns); err != nil {
				e.Fatal(err)
			}
			spoil(key)
		},
		"observe": func(x *tx) {
			key := []byte("b")
			x.Observe(key, kv.AllColumns)
			spoil(key)
		},
		"observe range": func(x *tx) {
			from, to := []byte("b"), []byte("c")
			x.ObserveRange(kv.KeyRange{Start: from, End: to}, kv.AllColumns)
			spoil(from, to)
		},
		"scan": func(x *tx) {
			from, to := []byte("b"), []byte("c")
			it := x.Scan(x.ctx, kv.KeyRange{Start: from, End: to}, kv.ScanOptions{Columns: kv.AllColumns})
			spoil(from, to)
			if !it.Next() || string(it.Key()) != "b" || it.Next() {
				e.Error("the scan has lost its bounds")
			}
			if err := it.Close(); err != nil {
				e.Error(err)
			}
		},
	}
	for what, read := range reads {
		e.against(what+", change it", read, func(y *tx) { y.set("b", "2") }, true)
		e.against(what+", change another", read, func(y *tx) { y.set("x", "2"); y.set("a", "2") }, false)
		e.put("x")
	}
	x := e.begin()
	key := []byte("k")
	if err := x.Lock(x.ctx, [][]byte{key}, kv.LockUpdate, kv.WaitPolicy{}); err != nil {
		e.Fatal(err)
	}
	spoil(key)
	e.taken(kv.LockKeyShare, "k")
	e.free("x")
	x.Rollback()
	e.free("k")
}

// largeFootprint has footprints and transactions of thousands of keys meet in one of them.
func largeFootprint(e *env) {
	const n = 4000
	key := func(i int) string { return fmt.Sprintf("k%05d", i) }
	base := e.begin()
	for i := 0; i < n; i += 2 {
		base.set(key(i), "1")
	}
	base.commits()
	keys := func(x *tx) {
		for i := range n / 4 {
			x.read(key(4*i), 1)
			x.read(key(4*i+1), 1)
		}
	}
	ranges := func(x *tx) {
		for i := range n / 4 {
			x.ObserveRange(keyRange(key(4*i), key(4*i+2)), kv.Column(1))
		}
	}
	for what, read := range map[string]func(x *tx){"keys": keys, "ranges": ranges} {
		e.against(what+", update one", read, func(y *tx) { y.change(key(2400), "2", 1) }, true)
		e.against(what+", update one in another column", read, func(y *tx) { y.change(key(2400), "2", 2) }, false)
		e.against(what+", update one beside", read, func(y *tx) { y.change(key(2402), "2", 1) }, false)
		e.against(what+", insert one", read, func(y *tx) { y.set(key(2401), "2") }, true)
		e.put(key(2401))
		e.against(what+", insert one beside", read, func(y *tx) { y.set(key(2403), "2") }, false)
		e.put(key(2403))
		many := func(column, offset int) func(y *tx) {
			return func(y *tx) {
				for i := range n / 4 {
					y.change(key(4*i+offset), "3", column)
				}
			}
		}
		e.against(what+", update many", read, many(1, 0), true)
		e.against(what+", update many in another column", read, many(2, 0), false)
		e.against(what+", update many beside", read, many(1, 2), false)
	}
	e.against("one key, update many", func(x *tx) { x.read(key(2000), 1) }, func(y *tx) {
		for i := range n / 2 {
			y.change(key(2*i), "4", 1)
		}
	}, true)
	e.against("one key beside, delete many", func(x *tx) { x.read(key(2001), 1) }, func(y *tx) {
		for i := range n / 2 {
			y.del(key(2 * i))
		}
	}, false)
}
