package conformance

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"holdfast/kv"
)

// readScenarios: what a transaction sees.
var readScenarios = []scenario{
	{"read/own writes", ownWrites},
	{"read/snapshot", snapshotIsFixed},
	{"read/view", viewHidesLaterWrites},
	{"read/view of view order", viewsAreIndependent},
	{"read/iterator of a view", iteratorHidesLaterWrites},
	{"read/values stay valid", valuesStayValid},
	{"read/empty values and binary keys", binaryPairs},
	{"read/keys only", keysOnly},
	{"read/scan against a model", scanModel},
	{"read/concurrent scans of a view", concurrentScans},
	{"read/cancelled context", cancelledReads},
	{"read/ended transaction", endedTransaction},
	{"read/discard", discard},
	{"read/what was removed is passed over", removedRange},
}

func ownWrites(e *env) {
	e.put("a=1", "b=1", "c=1")
	x := e.begin()
	x.set("b", "2")
	x.del("c")
	x.set("d", "2")
	x.wants("a", "1")
	x.wants("b", "2")
	x.wants("c", absent)
	x.wants("d", "2")
	x.equal("scan", x.all("", ""), "a=1 b=2 d=2")
	x.set("c", "3")
	x.del("a")
	x.del("nothing")
	x.equal("scan", x.all("", ""), "b=2 c=3 d=2")
	x.commits()
	e.wantContent("b=2 c=3 d=2")
}

func snapshotIsFixed(e *env) {
	e.put("a=1", "b=1")
	x := e.begin()
	version := x.ReadVersion()
	it := x.Scan(x.ctx, keyRange("", ""), kv.ScanOptions{Columns: kv.AllColumns})
	it.Next()
	e.put("a=2", "b", "c=2")
	var rest []string
	for it.Next() {
		rest = append(rest, string(it.Key())+"="+string(it.Value()))
	}
	e.equal("rest of the open scan", rest, []string{"b=1"})
	if err := it.Close(); err != nil {
		e.Error(err)
	}
	e.equal("later scan", x.all("", ""), "a=1 b=1")
	x.wants("c", absent)
	e.equal("read version", x.ReadVersion(), version)
	if later := e.begin().ReadVersion(); later <= version {
		e.Errorf("read version %d after a commit on top of %d", later, version)
	}
}

func viewHidesLaterWrites(e *env) {
	e.put("a=1", "b=1", "c=1")
	x := e.begin()
	x.set("a", "2")
	x.del("b")
	view := x.View()
	x.set("a", "3")
	x.set("b", "3")
	x.del("c")
	x.set("d", "3")
	for key, want := range map[string]string{"a": "2", "b": absent, "c": "1", "d": absent} {
		e.equal("view "+key, x.readFrom(view, key, kv.AllColumns), want)
	}
	e.equal("scan of the view", x.some(view, "", "", -1, kv.ScanOptions{Columns: kv.AllColumns}), "a=2 c=1")
	e.equal("scan of the transaction", x.all("", ""), "a=3 b=3 d=3")
}

func viewsAreIndependent(e *env) {
	x := e.begin()
	var views []kv.Reader
	for i := range 20 {
		views = append(views, x.View())
		x.set(fmt.Sprintf("k%02d", i), "v")
	}
	mark := x.Savepoint()
	x.set("later", "v")
	x.RollbackTo(mark)
	for i, v := range views {
		got := x.some(v, "", "", -1, kv.ScanOptions{})
		if n := strings.Count(got, "="); n != i {
			e.Errorf("view %d shows %d pairs: %s", i, n, got)
		}
	}
}

func iteratorHidesLaterWrites(e *env) {
	e.put("a=1", "c=1", "e=1")
	for _, reverse := range []bool{false, true} {
		x := e.begin()
		it := x.View().Scan(x.ctx, keyRange("", ""), kv.ScanOptions{Columns: kv.AllColumns, Reverse: reverse})
		var got []string
		for it.Next() {
			got = append(got, string(it.Key())+"="+string(it.Value()))
			for _, k := range []string{"a", "b", "c", "d", "e", "f"} {
				x.set(k, "2")
			}
		}
		if err := it.Close(); err != nil {
			e.Error(err)
		}
		want := []string{"a=1", "c=1", "e=1"}
		if reverse {
			slices.Reverse(want)
		}
		e.equal("scan", got, want)
		x.Rollback()
	}
}

func valuesStayValid(e *env) {
	e.put("a=one", "b=two")
	x := e.begin()
	a, _, _ := x.Get(x.ctx, []byte("a"), kv.AllColumns)
	x.set("c", "three")
	c, _, _ := x.Get(x.ctx, []byte("c"), kv.AllColumns)
	x.set("a", "1")
	x.set("c", "3")
	x.all("", "")
	for i := range 100 {
		e.put(fmt.Sprintf("k%d=x", i))
	}
	e.equal("values got before", string(a)+" "+string(c), "one three")
}

func binaryPairs(e *env) {
	keys := []string{"", "\x00", "\x00\x00", "\x00\xff", "a", "a\x00", "a\x00b", "a\xff", "b", "\xff", "\xff\xff", "\xff\xff\x00"}
	keys = keys[1:] // an empty key is not asked for
	x := e.begin()
	for _, k := range keys {
		if err := x.Set([]byte(k), nil, kv.AllColumns); err != nil {
			e.Fatal(err)
		}
	}
	x.commits()
	x = e.begin()
	for _, k := range keys {
		x.wants(k, "")
	}
	for i, from := range keys {
		for j, to := range append(keys, "") {
			want := ""
			if i < j {
				want = strings.Join(keys[i:j], "= ") + "="
			}
			e.equal(fmt.Sprintf("scan [%q, %q)", from, to), x.all(from, to), want)
		}
	}
}

func keysOnly(e *env) {
	e.put("a=1", "b=1", "c=1")
	x := e.begin()
	x.del("b")
	x.set("d", "2")
	it := x.Scan(x.ctx, keyRange("", ""), kv.ScanOptions{KeysOnly: true, Bulk: true})
	keys := ""
	for it.Next() {
		keys += string(it.Key())
	}
	if err := it.Close(); err != nil {
		e.Error(err)
	}
	e.equal("keys", keys, "acd")
}

// scanModel compares random scans of random transactions with a map.
func scanModel(e *env) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	key := func() string { return fmt.Sprintf("%c%c", 'a'+rng.IntN(4), 'a'+rng.IntN(8)) }
	committed := map[string]string{}
	for round := range 20 {
		x := e.begin()
		model := map[string]string{}
		for k, v := range committed {
			model[k] = v
		}
		for range rng.IntN(30) {
			switch k := key(); rng.IntN(4) {
			case 0:
				x.del(k)
				delete(model, k)
			case 1, 2:
				v := fmt.Sprint(rng.IntN(100))
				x.set(k, v)
				model[k] = v
			case 3:
				o := kv.ScanOptions{Reverse: rng.IntN(2) == 0, Bulk: rng.IntN(2) == 0, Columns: kv.AllColumns}
				from, to, limit := key(), key(), rng.IntN(12)-1
				if rng.IntN(8) == 0 {
					from = ""
				}
				if rng.IntN(8) == 0 {
					to = ""
				}
				var want []string
				for k, v := range model {
					if k >= from && (to == "" || k < to) {
						want = append(want, k+"="+v)
					}
				}
				slices.Sort(want)
				if o.Reverse {
					slices.Reverse(want)
				}
				if limit >= 0 && limit < len(want) {
					want = want[:limit]
				}
				if got := x.some(x.Txn, from, to, limit, o); got != strings.Join(want, " ") {
					e.Fatalf("seed %d, round %d: scan [%q, %q) limit %d reverse %v:\ngot  %s\nwant %s",
						seed, round, from, to, limit, o.Reverse, got, strings.Join(want, " "))
				}
			}
		}
		if rng.IntN(3) > 0 {
			x.commits()
			committed = model
		} else {
			x.Rollback()
		}
	}
}

func concurrentScans(e *env) {
	want := ""
	base := e.begin()
	for i := range 200 {
		k := fmt.Sprintf("k%03d", i)
		base.set(k, "v")
		want += k + "=v "
	}
	base.commits()
	want = strings.TrimSpace(want)
	x := e.begin()
	view := x.View()
	var wait sync.WaitGroup
	got := make([]string, 8)
	for i := range got {
		wait.Go(func() {
			var out []string
			it := view.Scan(x.ctx, keyRange("", ""), kv.ScanOptions{Columns: kv.AllColumns})
			for it.Next() {
				out = append(out, string(it.Key())+"="+string(it.Value()))
			}
			if err := errors.Join(it.Err(), it.Close()); err != nil {
				out = append(out, err.Error())
			}
			value, _, err := view.Get(x.ctx, []byte(fmt.Sprintf("k%03d", i)), kv.AllColumns)
			if string(value) != "v" || err != nil {
				out = append(out, fmt.Sprintf("get: %q, %v", value, err))
			}
			got[i] = strings.Join(out, " ")
		})
	}
	wait.Wait()
	for i, g := range got {
		if g != want {
			e.Errorf("reader %d: %s", i, g)
		}
	}
	// Everything they have read counts.
	x.set("mine", "1")
	e.put("k199=w")
	x.conflicts()
}

func cancelledReads(e *env) {
	e.put("a=1", "b=1")
	x := e.begin()
	ctx, cancel := contextWithCancel(e)
	it := x.Scan(ctx, keyRange("", ""), kv.ScanOptions{})
	if !it.Next() {
		e.Error("no first pair")
	}
	cancel()
	for range 100_000 {
		if !it.Next() {
			break
		}
	}
	if err := it.Err(); err != nil && !errors.Is(err, ctx.Err()) {
		e.Errorf("scan: %v", err)
	}
	_ = it.Close()
	_, err := e.Store.Begin(ctx, kv.TxnOptions{})
	e.fails("begin", err, ctx.Err())
	x.set("c", "1")
	if _, err := x.Commit(ctx); err == nil {
		e.Error("a commit asked for with an ended context succeeded")
	} else {
		e.wantContent("a=1 b=1")
	}
}

func endedTransaction(e *env) {
	e.put("a=1")
	for _, commit := range []bool{true, false} {
		x := e.begin()
		if commit {
			x.commits()
		} else {
			x.Rollback()
		}
		if err := x.Set([]byte("b"), nil, kv.AllColumns); err == nil {
			e.Error("set after the end")
		}
		if err := x.Delete([]byte("b")); err == nil {
			e.Error("delete after the end")
		}
		if _, _, err := x.Get(x.ctx, []byte("a"), kv.AllColumns); err == nil {
			e.Error("get after the end")
		}
		it := x.Scan(x.ctx, keyRange("", ""), kv.ScanOptions{})
		if it.Next() || errors.Join(it.Err(), it.Close()) == nil {
			e.Error("scan after the end")
		}
		if err := x.lockError(kv.LockUpdate, kv.WaitPolicy{}, "a"); err == nil {
			e.Error("lock after the end")
		}
		if err := x.Refresh(x.ctx); err == nil {
			e.Error("refresh after the end")
		}
		if _, err := x.Commit(x.ctx); err == nil {
			e.Error("commit after the end")
		}
		x.Rollback()
	}
	e.wantContent("a=1")
}

func discard(e *env) {
	e.put("a=1", "b1=1", "b2=1", "c=1")
	x := e.begin()
	if err := e.Store.Discard(e.ctx, keyRange("b", "c")); err != nil {
		e.Fatal(err)
	}
	e.equal("open snapshot", x.all("", ""), "a=1 b1=1 b2=1 c=1")
	later := e.begin()
	e.equal("before the range", later.all("", "b"), "a=1")
	e.equal("after the range", later.all("c", ""), "c=1")
	later.set("d", "2")
	later.commits()
	x.set("e", "2")
	x.conflicts() // it has read d's absence
	e.equal("afterwards", e.begin().all("c", ""), "c=1 d=2")
}

// removedRange: a store may remember that a range is empty, so that nobody need step over what was removed there. Older
// snapshots see it all the same, and so does everybody what is written there later.
func removedRange(e *env) {
	var fill, remove, all []string
	for i := range 200 {
		key := fmt.Sprintf("k%03d", i)
		fill = append(fill, key+"=1")
		if i != 50 && i != 199 {
			remove = append(remove, key)
		} else {
			all = append(all, key+"=1")
		}
	}
	content := func() string { return strings.Join(all, " ") }
	e.put(fill...)
	old := e.begin()
	old.wants("k000", "1")
	e.put(remove...)
	between := e.begin()
	between.equal("a scan", between.all("k", "l"), content())
	between.equal("a scan again", between.all("k", "l"), content())
	late := e.begin()
	late.wants("k050", "1")
	e.put("k100=2")
	late.equal("a scan before a write", late.all("k", "l"), content())
	between.equal("another scan before a write", between.all("k051", "k199"), "")
	lookedAtLate(e)
	all = []string{"k050=1", "k100=2", "k199=1"}
	e.wantContent(content())
	old.equal("a scan of the older state", old.all("k", "l"), strings.Join(fill, " "))
	old.equal("part of the older state", old.all("k060", "k063"), "k060=1 k061=1 k062=1")
	for _, from := range []string{"k", "k000", "k049", "k050", "k099", "k100"} {
		x := e.begin()
		var want []string
		for _, pair := range all {
			if pair[:4] >= from {
				want = append(want, pair)
			}
		}
		x.equal("a scan from "+from, x.all(from, "l"), strings.Join(want, " "))
		x.set("k150", "own")
		x.equal("with an own write from "+from, x.all("k101", "l"), "k150=own k199=1")
		x.Rollback()
	}
	// Small and large commits.
	var many []string
	for i := range 300 {
		many = append(many, fmt.Sprintf("k150%03d=3", i))
	}
	e.put(many...)
	all = append(append([]string{"k050=1", "k100=2"}, many...), "k199=1")
	e.wantContent(content())
	e.put("k010=4")
	all = append([]string{"k010=4"}, all...)
	e.wantContent(content())
	e.put("k010", "k100")
	all = append([]string{"k050=1"}, append(many, "k199=1")...)
	for range 3 {
		e.wantContent(content())
	}
	late.equal("a scan before all writes", late.all("k", "l"), "k050=1 k199=1")
	old.equal("a scan of the oldest state", old.all("k", "l"), strings.Join(fill, " "))
}

// lookedAtLate: a range is looked at first by one who has begun before something was written there.
func lookedAtLate(e *env) {
	var fill, remove []string
	for i := range 100 {
		key := fmt.Sprintf("m%03d", i)
		fill, remove = append(fill, key+"=1"), append(remove, key)
	}
	e.put(fill...)
	e.put(remove...)
	before := e.begin()
	before.wants("m050", absent)
	e.put("m050=2")
	for range 2 {
		before.equal("a scan before the write", before.all("m", "n"), "")
		x := e.begin()
		x.equal("a scan after the write", x.all("m", "n"), "m050=2")
		x.Rollback()
	}
	e.put("m050")
	before.Rollback()
}
