package conformance

import "holdfast/kv"

// anomalyScenarios: the textbook ways in which weaker isolation goes wrong, one interleaving each.
var anomalyScenarios = []scenario{
	{"anomaly/dirty write", dirtyWrite},
	{"anomaly/dirty read", dirtyRead},
	{"anomaly/lost update", lostUpdate},
	{"anomaly/write skew on rows", writeSkewRows},
	{"anomaly/write skew on ranges", writeSkewRanges},
	{"anomaly/phantom by insert", phantomInsert},
	{"anomaly/phantom by delete", phantomDelete},
	{"anomaly/phantom by update", phantomUpdate},
	{"anomaly/absence of a key", absenceOfKey},
	{"anomaly/absence in a range", absenceInRange},
	{"anomaly/delete and insert again", deleteAndInsert},
	{"anomaly/read-only", readOnlyAnomaly},
	{"anomaly/three-way cycle", threeWayCycle},
	{"anomaly/blind writes do not conflict", blindWrites},
	{"anomaly/disjoint work does not conflict", disjointWork},
	{"anomaly/readers never conflict", readersNeverConflict},
	{"anomaly/conflict names its cause", conflictNamesCause},
}

func dirtyWrite(e *env) {
	x, y := e.begin(), e.begin()
	x.set("a", "x")
	y.set("a", "y")
	x.set("b", "x")
	y.set("b", "y")
	x.commits()
	y.commits()
	e.wantContent("a=y b=y")
}

func dirtyRead(e *env) {
	e.put("a=1")
	x, y := e.begin(), e.begin()
	x.set("a", "2")
	x.set("b", "2")
	y.wants("a", "1")
	x.Rollback()
	y.equal("scan", y.all("", ""), "a=1")
	y.set("c", "2")
	y.commits()
	e.wantContent("a=1 c=2")
}

func lostUpdate(e *env) {
	e.put("a=1")
	x, y := e.begin(), e.begin()
	x.wants("a", "1")
	y.wants("a", "1")
	x.set("a", "2")
	y.set("a", "3")
	x.commits()
	y.conflicts()
	e.wantContent("a=2")
}

func writeSkewRows(e *env) {
	e.put("a=1", "b=1")
	x, y := e.begin(), e.begin()
	x.wants("a", "1")
	y.wants("b", "1")
	x.set("b", "2")
	y.set("a", "2")
	x.commits()
	y.conflicts()
	e.wantContent("a=1 b=2")
}

func writeSkewRanges(e *env) {
	e.put("a1=1", "b1=1")
	x, y := e.begin(), e.begin()
	x.all("a", "b")
	y.all("b", "c")
	x.set("b2", "2")
	y.set("a2", "2")
	x.commits()
	y.conflicts()
	e.wantContent("a1=1 b1=1 b2=2")
}

// phantom lets a transaction scan [b, e), commits change meanwhile, and expects the outcome of the scanner.
func phantom(e *env, change func(x *tx), conflict bool) {
	for _, reverse := range []bool{false, true} {
		base := e.begin()
		for _, k := range []string{"a1", "b1", "c1", "d1", "e1"} {
			base.set(k, "1")
		}
		base.del("c2")
		base.commits()
		x := e.begin()
		x.some(x.Txn, "b", "e", -1, kv.ScanOptions{Columns: columnSet([]int{1}), Reverse: reverse})
		x.set("result", "x")
		y := e.begin()
		change(y)
		y.commits()
		if conflict {
			x.conflicts()
		} else {
			x.commits()
		}
	}
}

func phantomInsert(e *env) {
	phantom(e, func(y *tx) { y.set("c2", "2") }, true)
	phantom(e, func(y *tx) { y.set("b", "2") }, true)
	phantom(e, func(y *tx) { y.set("d\xff", "2") }, true)
}

func phantomDelete(e *env) {
	phantom(e, func(y *tx) { y.del("c1") }, true)
	phantom(e, func(y *tx) { y.del("b1") }, true)
	phantom(e, func(y *tx) { y.del("d1") }, true)
}

func phantomUpdate(e *env) {
	phantom(e, func(y *tx) { y.change("c1", "2", 1) }, true)
	if !e.Coarse {
		phantom(e, func(y *tx) { y.change("c1", "2", 2) }, false)
		phantom(e, func(y *tx) { y.set("a2", "2"); y.set("e", "2"); y.del("a1"); y.del("e1") }, false)
	}
}

func absenceOfKey(e *env) {
	x, y := e.begin(), e.begin()
	x.equal("get", x.read("a"), absent)
	y.equal("get", y.read("a"), absent)
	x.set("a", "x")
	y.set("a", "y")
	x.commits()
	y.conflicts()
	e.wantContent("a=x")
}

func absenceInRange(e *env) {
	x, y := e.begin(), e.begin()
	x.equal("scan", x.all("a", "b"), "")
	y.equal("scan", y.some(y.Txn, "a", "b", -1, kv.ScanOptions{Reverse: true}), "")
	x.set("a1", "x")
	y.set("a2", "y")
	x.commits()
	y.conflicts()
	e.wantContent("a1=x")
}

// deleteAndInsert leaves a row as it was, but not the same row.
func deleteAndInsert(e *env) {
	e.put("a=1")
	x := e.begin()
	x.read("a")
	x.set("b", "x")
	y := e.begin()
	y.del("a")
	y.set("a", "1")
	y.commits()
	x.conflicts()
}

// readOnlyAnomaly is Fekete, O'Neil and O'Neil's: two accounts, a withdrawal that charges a fee when the sum
// goes below zero, a deposit, and a report that shows the deposit and no withdrawal.
func readOnlyAnomaly(e *env) {
	for _, report := range []bool{false, true} {
		e.put("checking=0", "savings=0")
		withdraw := e.begin()
		withdraw.wants("checking", "0")
		withdraw.wants("savings", "0")
		deposit := e.begin()
		deposit.wants("savings", "0")
		deposit.set("savings", "20")
		deposit.commits()
		if report {
			r := e.beginWith(kv.TxnOptions{ReadOnly: true})
			r.wants("checking", "0")
			r.wants("savings", "20")
			r.commits()
		}
		withdraw.set("checking", "-11")
		withdraw.conflicts()
		e.wantContent("checking=0 savings=20")
	}
}

func threeWayCycle(e *env) {
	e.put("a=1", "b=1", "c=1")
	x, y, z := e.begin(), e.begin(), e.begin()
	x.wants("a", "1")
	x.set("b", "2")
	y.wants("b", "1")
	y.set("c", "2")
	z.wants("c", "1")
	z.set("a", "2")
	// x before z by a, y before x by b, z before y by c: the last one to commit closes the circle.
	z.commits()
	y.commits()
	x.conflicts()
}

func blindWrites(e *env) {
	e.exact()
	e.put("a=1")
	x, y := e.begin(), e.begin()
	x.set("a", "x")
	y.set("a", "y")
	y.commits()
	x.commits()
	e.wantContent("a=x")
}

func disjointWork(e *env) {
	e.exact()
	e.put("a=1", "b=1", "c=1")
	x, y := e.begin(), e.begin()
	x.wants("a", "1")
	x.wants("a2", absent)
	x.all("c", "d")
	x.set("a", "2")
	y.wants("b", "1")
	y.all("a3", "c")
	y.set("b", "2")
	y.set("a1", "2")
	y.set("d", "2")
	y.commits()
	x.commits()
	e.wantContent("a=2 a1=2 b=2 c=1 d=2")
}

func readersNeverConflict(e *env) {
	e.put("a=1", "b=1")
	declared := e.beginWith(kv.TxnOptions{ReadOnly: true})
	plain, undone := e.begin(), e.begin()
	mark := undone.Savepoint()
	undone.set("c", "1")
	undone.RollbackTo(mark)
	for _, x := range []*tx{declared, plain, undone} {
		x.equal("scan", x.all("", ""), "a=1 b=1")
	}
	e.put("a=2", "b", "c=2")
	for _, x := range []*tx{declared, plain, undone} {
		x.wants("a", "1")
		x.wants("c", absent)
		version := x.ReadVersion()
		x.equal("version", x.commits(), version)
	}
}

func conflictNamesCause(e *env) {
	e.exact()
	e.put("a=1", "b=1")
	check := func(x *tx, after kv.Version, key string, columns kv.ColumnSet) {
		e.Helper()
		err := commitError(x)
		e.fails("commit", err, kv.ErrConflict)
		c, ok := conflictError(err)
		if !ok {
			e.Errorf("commit: %v is not a ConflictError", err)
			return
		}
		single := c.End == nil && string(c.Start) == key
		around := c.End != nil && string(c.Start) <= key && key < string(c.End)
		if !single && !around {
			e.Errorf("conflict on [%q, %q), want one with %q", c.Start, c.End, key)
		}
		if c.Columns != columns {
			e.Errorf("conflict on columns %b, want %b", c.Columns, columns)
		}
		if c.Version <= after {
			e.Errorf("conflict with version %d, which the snapshot %d has", c.Version, after)
		}
	}
	x := e.begin()
	x.read("a", 1, 2)
	x.set("r", "1")
	e.update("a", "2", 2, 3)
	check(x, x.ReadVersion(), "a", columnSet([]int{2}))

	x = e.begin()
	x.some(x.Txn, "b", "", -1, kv.ScanOptions{Columns: columnSet([]int{1})})
	x.set("r", "1")
	e.put("c=1")
	check(x, x.ReadVersion(), "c", kv.Existence.With(1))
}
