package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"

	"holdfast/kv"
)

// accumulateScenarios: accumulators, their deltas and requirements.
var accumulateScenarios = []scenario{
	{"accumulate/adds up", accumulateAddsUp},
	{"accumulate/own view", accumulateOwnView},
	{"accumulate/set and delete", accumulateSetDelete},
	{"accumulate/savepoints", accumulateSavepoints},
	{"accumulate/retract", accumulateRetract},
	{"accumulate/restart", accumulateRestart},
	{"accumulate/refresh", accumulateRefresh},
	{"accumulate/no conflicts", accumulateNoConflicts},
	{"accumulate/observed", accumulateObserved},
	{"accumulate/scanned", accumulateScanned},
	{"accumulate/order with set", accumulateOrder},
	{"accumulate/many", accumulateMany},
	{"accumulate/refuses", accumulateRefuses},
	{"accumulate/discard", accumulateDiscard},
	{"accumulate/crash", accumulateCrash},
	{"accumulate/guard", accumulateGuard},
	{"accumulate/recount", recount},
	{"require/exactly", requireExactly},
	{"require/refused", requireRefused},
	{"require/own values", requireOwnValues},
	{"require/savepoints", requireSavepoints},
	{"require/conflict wins", requireConflictWins},
	{"require/without writes", requireWithoutWrites},
	{"require/write without delta", requireWriteSkew},
	{"require/keeps locks", requireKeepsLocks},
	{"require/merge fails", requireMergeFails},
	{"require/group", requireGroup},
	{"require/several", requireSeveral},
}

// Merge adds whole numbers in decimal; zero is absence. Stores under test must have it. It fails beyond a million.
func Merge(old, delta []byte) ([]byte, error) {
	n, err := strconv.Atoi("0" + string(old))
	if len(old) > 0 && old[0] == '-' {
		n, err = strconv.Atoi(string(old))
	}
	if err != nil {
		return nil, err
	}
	d, err := strconv.Atoi(string(delta))
	if err != nil {
		return nil, err
	}
	if n += d; n > 1_000_000 || n < -1_000_000 {
		return nil, errOverflow
	}
	if n == 0 {
		return nil, nil
	}
	return []byte(strconv.Itoa(n)), nil
}

var (
	errOverflow = errors.New("too great a number")
	errBound    = errors.New("beyond the bound")
)

// add accumulates.
func (x *tx) add(key string, n int) {
	x.env.Helper()
	if err := x.Accumulate([]byte(key), []byte(strconv.Itoa(n))); err != nil {
		x.Fatalf("accumulate %s: %v", key, err)
	}
}

// sum is the value of an accumulator as the transaction sees it.
func (x *tx) sum(key string) int {
	x.env.Helper()
	value, err := x.Accumulated(x.ctx, []byte(key))
	if err != nil {
		x.Fatalf("accumulated %s: %v", key, err)
	}
	if value == nil {
		return 0
	}
	n, err := strconv.Atoi(string(value))
	if err != nil {
		x.Fatalf("accumulated %s: %q", key, value)
	}
	return n
}

func (x *tx) wantsSum(key string, want int) {
	x.env.Helper()
	x.equal("accumulated "+key, x.sum(key), want)
}

// atMost requires that an accumulator is at most n.
func (x *tx) atMost(key string, n int) {
	x.Require([][]byte{[]byte(key)}, func(values [][]byte) error {
		m, err := strconv.Atoi("0" + string(values[0]))
		if err == nil && m > n {
			err = fmt.Errorf("%w: %d > %d", errBound, m, n)
		}
		return err
	})
}

// unmet commits and expects an unmet requirement, with which the transaction may be restarted.
func (x *tx) unmet(key string) {
	x.env.Helper()
	_, err := x.Commit(x.ctx)
	x.isUnmet(err, key)
}

func (e *env) isUnmet(err error, key string) {
	e.Helper()
	var unmet *kv.RequirementError
	if !errors.As(err, &unmet) || !errors.Is(err, errBound) || errors.Is(err, kv.ErrConflict) || !kv.Restartable(err) {
		e.Fatalf("commit: %v, want an unmet requirement", err)
	}
	e.equal("keys of the requirement", string(bytes.Join(unmet.Keys, []byte(" "))), key)
}

// added commits deltas of one accumulator.
func (e *env) added(key string, n ...int) {
	e.Helper()
	for _, n := range n {
		x := e.begin()
		x.add(key, n)
		x.commits()
	}
}

func accumulateAddsUp(e *env) {
	e.added("a", 1, 2, 4)
	e.put("b=1")
	e.wantContent("a=7 b=1")
	x := e.begin()
	for range 10 {
		x.add("a", 10)
	}
	x.add("c", 3)
	x.commits()
	e.wantContent("a=107 b=1 c=3")
	e.added("a", -100, -7)
	e.wantContent("b=1 c=3")
	e.added("a", 5)
	e.wantContent("a=5 b=1 c=3")
}

func accumulateOwnView(e *env) {
	e.added("a", 5)
	x := e.begin()
	view := x.View()
	x.add("a", 1)
	x.wantsSum("a", 6)
	x.wants("a", "5")
	x.add("b", 1)
	x.wantsSum("b", 1)
	x.wants("b", absent)
	x.add("b", -1)
	x.wantsSum("b", 0)
	x.equal("view", x.readFrom(view, "a", kv.AllColumns), "5")
	x.equal("scan", x.all("", ""), "a=5")
	x.equal("view", x.some(x.View(), "", "", -1, kv.ScanOptions{Columns: kv.AllColumns}), "a=5")
	e.added("a", 100)
	x.wantsSum("a", 6)
	x.conflicts() // get has recorded it
	e.wantContent("a=105")
}

func accumulateSetDelete(e *env) {
	e.added("a", 5)
	x := e.begin()
	x.set("a", "50")
	x.add("a", 1)
	x.wantsSum("a", 51)
	x.wants("a", "51")
	x.add("b", 3)
	x.set("b", "30") // replaces the delta
	x.wantsSum("b", 30)
	x.add("b", -30)
	x.wantsSum("b", 0)
	x.wants("b", absent)
	x.add("c", 1)
	x.del("c")
	x.wantsSum("c", 0)
	x.add("c", 2)
	x.commits()
	e.wantContent("a=51 c=2")
}

func accumulateSavepoints(e *env) {
	e.added("a", 1)
	x := e.begin()
	x.add("a", 10)
	first := x.Savepoint()
	x.add("a", 100)
	x.add("b", 1)
	second := x.Savepoint()
	x.set("a", "5")
	x.add("a", 1000)
	x.wantsSum("a", 1005)
	x.RollbackTo(second)
	x.wantsSum("a", 111)
	x.wantsSum("b", 1)
	x.RollbackTo(first)
	x.wantsSum("a", 11)
	x.wantsSum("b", 0)
	x.add("c", 7)
	x.RollbackTo(first)
	x.add("a", 20)
	x.commits()
	e.wantContent("a=31")

	x = e.begin()
	mark := x.Savepoint()
	x.add("a", 1)
	x.RollbackTo(mark)
	x.equal("version", x.commits(), x.ReadVersion()) // it has written nothing
	e.wantContent("a=31")
}

func accumulateRetract(e *env) {
	x := e.begin()
	x.add("a", 1)
	mark := x.Savepoint()
	x.add("a", 2)
	x.atMost("a", 0)
	x.Observe([]byte("a"), kv.AllColumns)
	e.added("a", 10)
	x.Retract(mark)
	x.wantsSum("a", 1)
	x.refreshes()
	x.wantsSum("a", 11)
	x.commits()
	e.wantContent("a=11")
}

func accumulateRestart(e *env) {
	e.put("b=1")
	x := e.begin()
	x.add("a", 1)
	x.atMost("a", 0)
	x.get("b")
	e.update("b", "2", 1)
	_, err := x.Commit(x.ctx)
	e.fails("commit", err, kv.ErrConflict)
	x.restarts(false)
	x.wantsSum("a", 0)
	x.add("a", 2)
	x.commits() // what was required before is forgotten
	e.wantContent("a=2 b=2")
}

func accumulateRefresh(e *env) {
	e.added("a", 1)
	x := e.begin()
	x.add("a", 10)
	x.wantsSum("a", 11)
	e.added("a", 100)
	x.refreshes()
	x.wantsSum("a", 111)
	x.commits()
	e.wantContent("a=111")
}

// accumulateNoConflicts: neither deltas nor Accumulated nor requirements are reads.
func accumulateNoConflicts(e *env) {
	e.exact()
	e.added("a", 1)
	var open []*tx
	for range 5 {
		x := e.begin()
		x.wantsSum("a", 1)
		x.add("a", 1)
		x.atMost("a", 100)
		open = append(open, x)
	}
	for _, x := range open {
		x.commits()
	}
	e.wantContent("a=6")
}

func accumulateObserved(e *env) {
	for _, cols := range []kv.ColumnSet{kv.Existence, kv.Column(3), kv.AllColumns} {
		x := e.begin()
		x.Observe([]byte("a"), cols)
		x.set("b", "1")
		e.added("a", 1)
		x.conflicts()
	}
	x := e.begin()
	x.Observe([]byte("a"), kv.AllColumns)
	x.add("a", 1)
	x.commits() // its own delta is no conflict
	e.wantContent("a=4")
}

func accumulateScanned(e *env) {
	e.added("b", 1)
	x := e.begin()
	x.equal("scan", x.all("a", "c"), "b=1")
	x.set("d", "1")
	e.added("b", 1)
	x.conflicts()
	x = e.begin()
	x.equal("scan", x.all("a", "c"), "b=2")
	x.set("d", "1")
	e.added("bb", 1)
	x.conflicts()
	e.wantContent("b=2 bb=1")
}

// accumulateOrder: a value that is set takes its place among the deltas, whenever these were made.
func accumulateOrder(e *env) {
	e.added("a", 1)
	x, y, z := e.begin(), e.begin(), e.begin()
	x.add("a", 10)
	y.set("a", "1000")
	z.add("a", 100)
	x.commits()
	y.commits()
	z.commits()
	e.wantContent("a=1100")
	x, y = e.begin(), e.begin()
	x.add("a", 1)
	y.del("a")
	y.commits()
	x.commits()
	e.wantContent("a=1")
}

// accumulateMany: a transaction of many deltas and many writes, and others at the same time.
func accumulateMany(e *env) {
	const keys = 3000
	name := func(i int) string { return fmt.Sprintf("s%05d", i) }
	for round := 1; round <= 2; round++ {
		x := e.begin()
		for i := range keys {
			x.add(name(i), 1)
			if i%100 == 0 {
				x.set(fmt.Sprintf("s%05d/row", i), "1")
			}
		}
		x.atMost(name(7), 1+round)
		y := e.begin()
		y.add(name(7), 1)
		y.add(name(keys-1), 1)
		if round == 1 {
			y.commits()
			x.commits()
			continue
		}
		y.commits()
		x.unmet(name(7))
		x.Rollback()
	}
	x := e.beginWith(kv.TxnOptions{ReadOnly: true})
	for i := range keys {
		want := 1
		if i == 7 || i == keys-1 {
			want = 3
		}
		if got := x.sum(name(i)); got != want {
			e.Fatalf("accumulator %d is %d, want %d", i, got, want)
		}
	}
}

func accumulateRefuses(e *env) {
	x := e.beginWith(kv.TxnOptions{ReadOnly: true})
	e.fails("accumulate", x.Accumulate([]byte("a"), []byte("1")), kv.ErrReadOnly)
	x.Require([][]byte{[]byte("a")}, func([][]byte) error { return errBound })
	x.commits()
	x = e.begin()
	e.fails("accumulate", x.Accumulate([]byte("a"), []byte("2000000")), errOverflow)
	x.commits()
	if err := x.Accumulate([]byte("a"), []byte("1")); err == nil {
		e.Error("an ended transaction accumulates")
	}
	if _, err := x.Accumulated(x.ctx, []byte("a")); err == nil {
		e.Error("an ended transaction reads an accumulator")
	}
	limit := e.Store.Caps().KeyBytes
	if limit == 0 || limit > affordable {
		return
	}
	x = e.begin()
	e.fails("accumulate", x.Accumulate(make([]byte, limit+1), []byte("1")), kv.ErrTooLarge)
}

// accumulateDiscard: what has been removed is not remembered.
func accumulateDiscard(e *env) {
	e.added("a1", 1, 1)
	e.added("b", 1)
	if err := e.Store.Discard(e.ctx, keyRange("a", "b")); err != nil {
		e.Fatal(err)
	}
	e.added("b", 1) // from this state on it is gone
	e.wantContent("b=2")
	e.added("a1", 5)
	e.wantContent("a1=5 b=2")
}

func accumulateCrash(e *env) {
	if e.Crash == nil {
		e.Skip("the store cannot be crashed")
	}
	e.added("a", 1, 2, 3)
	x := e.begin()
	x.add("a", 100)
	e.Store = e.Crash(e.TB)
	e.wantContent("a=6")
	e.added("a", 1)
	e.Store = e.Crash(e.TB)
	e.wantContent("a=7")
}

// accumulateGuard: a guard keeps what has been read from deltas as well.
func accumulateGuard(e *env) {
	e.added("a", 1)
	x := e.begin()
	x.wants("a", "1")
	x.set("b", "1")
	e.added("a", 1)
	_, err := x.Commit(x.ctx)
	e.fails("commit", err, kv.ErrConflict)
	x.restarts(true)
	x.wants("a", "2")
	y := e.begin()
	y.add("a", 1)
	waiting := y.committing()
	e.still("commit", waiting)
	x.set("b", "1")
	x.commits()
	e.awaitNil("commit", waiting)
	e.wantContent("a=3 b=1")
}

// requireExactly: of many transactions at once that add one each, exactly as many get through as fit.
func requireExactly(e *env) {
	const clients, rounds, bound = 8, 25, 70
	var through, refused atomic.Int64
	for round := range rounds {
		var open []*tx // on one snapshot
		for c := range clients {
			x := e.begin()
			x.set(fmt.Sprintf("row %d %d", round, c), "1")
			x.add("n", 1)
			x.atMost("n", bound)
			open = append(open, x)
		}
		var wait sync.WaitGroup
		for _, x := range open {
			wait.Add(1)
			go func() {
				defer wait.Done()
				_, err := x.Commit(x.ctx)
				var unmet *kv.RequirementError
				switch {
				case err == nil:
					through.Add(1)
				case errors.As(err, &unmet):
					refused.Add(1)
					x.Rollback()
				default:
					e.Errorf("commit: %v", err)
				}
			}()
		}
		wait.Wait()
	}
	e.equal("committed", through.Load(), bound)
	e.equal("refused", refused.Load(), clients*rounds-bound)
	x := e.begin()
	x.wantsSum("n", bound)
	rows := 0
	it := x.Scan(x.ctx, kv.PrefixRange([]byte("row")), kv.ScanOptions{})
	for it.Next() {
		rows++
	}
	if err := errors.Join(it.Err(), it.Close()); err != nil {
		e.Fatal(err)
	}
	e.equal("rows", rows, bound)
}

// requireSeveral: a test of two accumulators sees both as they are at the transaction's place, whichever of them it changes, and exactly as many
// get through as fit.
func requireSeveral(e *env) {
	atMost := func(x *tx, room int) {
		x.Require([][]byte{[]byte("used"), []byte("given")}, func(values [][]byte) error {
			used, err := strconv.Atoi("0" + string(values[0]))
			if err != nil {
				return err
			}
			given, err := strconv.Atoi("0" + string(values[1]))
			if err == nil && used > given+room {
				err = fmt.Errorf("%w: %d > %d", errBound, used, given)
			}
			return err
		})
	}
	e.added("given", 9)
	e.added("used", 3)
	uses := func() *tx {
		x := e.begin()
		x.add("used", 1)
		atMost(x, 0)
		return x
	}
	takes := func() *tx {
		x := e.begin()
		x.add("given", -2)
		atMost(x, 0)
		return x
	}
	open := []*tx{uses(), takes(), uses(), takes(), uses(), uses(), takes(), uses()} // all on one snapshot
	for i, x := range open {
		if i < 4 { // 3 of 9, then 4 of 9, 4 of 7, 5 of 7, 5 of 5
			x.commits()
		} else {
			x.unmet("used given")
			x.Rollback()
		}
	}
	e.wantContent("given=5 used=5")
	x := e.begin() // own writes and deltas, and a write that comes in between
	x.set("given", "6")
	x.add("used", 2)
	atMost(x, 1)
	e.added("used", -1)
	e.added("given", 40)
	x.commits()
	e.wantContent("given=6 used=6")
	x = e.begin()
	x.add("used", 1)
	atMost(x, 0)
	e.added("given", 1)
	x.commits()
	e.wantContent("given=7 used=7")
}

func requireRefused(e *env) {
	e.added("a", 5)
	x := e.begin()
	x.add("a", 1)
	x.set("row", "1")
	x.atMost("a", 5)
	x.unmet("a")
	if err := x.Accumulate([]byte("a"), []byte("1")); err == nil {
		e.Error("a refused transaction goes on")
	}
	if _, err := x.Commit(x.ctx); err == nil {
		e.Error("a refused transaction is committed")
	}
	e.wantContent("a=5")
	e.added("a", -1)
	x.restarts(false)
	x.wantsSum("a", 4)
	x.add("a", 1)
	x.set("row", "2")
	x.atMost("a", 5)
	x.commits()
	e.wantContent("a=5 row=2")

	x = e.begin()
	x.add("a", 1)
	x.atMost("a", 5)
	x.unmet("a")
	x.Rollback()
	e.wantContent("a=5 row=2")
}

// requireOwnValues: a test sees own deltas and own writes, and nil for what is not there.
func requireOwnValues(e *env) {
	e.added("a", 1)
	e.added("b", 1)
	x := e.begin()
	want := func(key, want string) {
		x.Require([][]byte{[]byte(key)}, func(values [][]byte) error {
			got := string(values[0])
			if values[0] == nil {
				got = absent
			}
			if got != want {
				e.Errorf("a requirement sees %q for %s, want %q", got, key, want)
			}
			return nil
		})
	}
	x.add("a", 2)
	want("a", "13")
	x.set("b", "40")
	x.add("b", 2)
	want("b", "42")
	x.del("c")
	want("c", absent)
	want("d", "10")
	want("e", absent)
	x.add("f", 1)
	want("f", "1")
	e.added("a", 10)
	e.added("c", 10)
	e.added("d", 10)
	x.commits()
	e.wantContent("a=13 b=42 d=10 f=1")
}

func requireSavepoints(e *env) {
	x := e.begin()
	x.add("a", 5)
	x.atMost("a", 5)
	mark := x.Savepoint()
	x.atMost("a", 4)
	x.RollbackTo(mark)
	x.atMost("a", 4)
	x.Retract(mark)
	x.commits()
	e.wantContent("a=5")

	x = e.begin()
	x.add("a", 1)
	x.atMost("a", 5)
	mark = x.Savepoint()
	x.add("b", 1)
	x.RollbackTo(mark)
	x.unmet("a") // what was required before stays
}

func requireConflictWins(e *env) {
	e.put("r=1")
	x := e.begin()
	x.get("r")
	x.add("a", 5)
	x.Require([][]byte{[]byte("a")}, func([][]byte) error {
		e.Error("a requirement is tested in vain")
		return errBound
	})
	e.update("r", "2", 1)
	x.conflicts()
}

func requireWithoutWrites(e *env) {
	e.added("a", 5)
	x := e.begin()
	x.atMost("a", 1)
	x.commits()
	x = e.begin()
	mark := x.Savepoint()
	x.add("a", 1)
	x.atMost("a", 1)
	x.RollbackTo(mark)
	x.commits()
	e.wantContent("a=5")
}

// requireWriteSkew: a transaction that changes no accumulator is refused by one that another has changed.
func requireWriteSkew(e *env) {
	x, y := e.begin(), e.begin()
	x.set("r", "1")
	x.atMost("a", 0)
	y.add("a", 1)
	y.commits()
	x.unmet("a")
	x.restarts(false)
	x.set("r", "1")
	x.atMost("a", 1)
	x.commits()
	e.wantContent("a=1 r=1")
}

func requireKeepsLocks(e *env) {
	x := e.begin()
	x.lock(kv.LockUpdate, "r")
	x.add("a", 1)
	x.atMost("a", 0)
	x.unmet("a")
	e.fails("lock", e.begin().lockError(kv.LockUpdate, kv.WaitPolicy{NoWait: true}, "r"), kv.ErrLockNotAvailable)
	x.restarts(false)
	e.fails("lock", e.begin().lockError(kv.LockUpdate, kv.WaitPolicy{NoWait: true}, "r"), kv.ErrLockNotAvailable)
	x.Rollback()
	e.free("r")
}

func requireMergeFails(e *env) {
	e.added("a", 999_999)
	x := e.begin()
	x.add("a", 5)
	x.set("r", "1")
	_, err := x.Commit(x.ctx)
	var unmet *kv.RequirementError
	if !errors.As(err, &unmet) || !errors.Is(err, errOverflow) || len(unmet.Keys) != 1 || string(unmet.Keys[0]) != "a" {
		e.Errorf("commit: %v, want that of Merge", err)
	}
	x.restarts(false)
	x.add("a", 1)
	x.commits()
	e.wantContent("a=1000000")
}

// requireGroup: transactions that are sequenced while nothing becomes durable see each other's deltas, and all of
// them are acknowledged by what makes them durable.
func requireGroup(e *env) {
	e.added("a", 1)
	resume := e.pause()
	var committed []<-chan error
	for range 2 {
		x := e.begin()
		x.add("a", 1)
		x.atMost("a", 3)
		committed = append(committed, x.committing())
	}
	// Both are sequenced when the newest state has them.
	for ctx := e.ctx; ; {
		x := e.beginWith(kv.TxnOptions{Newest: true, ReadOnly: true})
		n := x.sum("a")
		x.Rollback()
		if n == 3 {
			break
		}
		if ctx.Err() != nil {
			e.Fatal(context.Cause(ctx))
		}
	}
	x := e.begin()
	x.wantsSum("a", 1)
	x.add("a", 1)
	x.atMost("a", 3)
	x.unmet("a")
	x.Rollback()
	for _, c := range committed {
		e.still("commit", c)
	}
	resume()
	for _, c := range committed {
		e.awaitNil("commit", c)
	}
	e.wantContent("a=3")
}
