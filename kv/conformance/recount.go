package conformance

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"

	"holdfast/kv"
)

var changes = flag.Int("changes", 10_000, "change so many rows whose accumulators are compared with a recount")

// recount lets clients insert, delete and move rows of some groups at random, with savepoints, retracted statements, and
// transactions that are rolled back, refused or run again. Each group has an accumulator of its rows and a
// bound on it. In every state, the accumulators must be what counting the rows comes to, and within their bounds.
func recount(e *env) {
	c := &counted{env: e, ctx: context.WithoutCancel(e.ctx)}
	var wait sync.WaitGroup
	for n := range 4 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			rng := rand.New(rand.NewPCG(uint64(n), rand.Uint64()))
			for c.changes.Load() < int64(*changes) && !e.Failed() {
				c.transaction(rng)
				if rng.IntN(100) == 0 {
					c.check()
				}
			}
		}()
	}
	wait.Wait()
	c.check()
	e.Logf("%d changes, %d commits, %d conflicts, %d refused", c.changes.Load(), c.commits.Load(), c.conflicts.Load(), c.refused.Load())
	if c.refused.Load() == 0 {
		e.Error("no requirement was ever unmet")
	}
}

const (
	countedGroups = 12
	countedRows   = 400
)

// counted is the work of recount.
type counted struct {
	*env
	ctx                                  context.Context
	changes, commits, conflicts, refused atomic.Int64
}

func countedRow(n int) []byte { return fmt.Appendf(nil, "row/%03d", n) }
func countedSum(g int) []byte { return fmt.Appendf(nil, "sum/%02d", g) }

// countedBound is how many rows a group may have. Some have more room than others.
func countedBound(g int) int { return 5 + 7*g }

// transaction changes some rows, and begins anew after a conflict until it has lost or been refused often enough.
func (c *counted) transaction(rng *rand.Rand) {
	txn, err := c.Store.Begin(c.ctx, kv.TxnOptions{})
	if err != nil {
		c.Errorf("begin: %v", err)
		return
	}
	defer txn.Rollback()
	for attempt := 0; ; attempt++ {
		if err := c.statements(txn, rng); err != nil {
			c.Errorf("statement: %v", err)
			return
		}
		if rng.IntN(10) == 0 {
			return
		}
		_, err := txn.Commit(c.ctx)
		switch {
		case err == nil:
			c.commits.Add(1)
			return
		case errors.Is(err, kv.ErrConflict):
			c.conflicts.Add(1)
		case kv.Restartable(err):
			c.refused.Add(1)
		default:
			c.Errorf("commit: %v", err)
			return
		}
		if attempt == 3 {
			return
		}
		if err := txn.Restart(c.ctx, attempt == 2); err != nil {
			c.Errorf("restart: %v", err)
			return
		}
	}
}

// statements changes some rows, each group of changes a statement that may be undone.
func (c *counted) statements(txn kv.Txn, rng *rand.Rand) error {
	var marks []kv.Mark
	for range 1 + rng.IntN(5) {
		marks = append(marks, txn.Savepoint())
		for range 1 + rng.IntN(5) {
			if err := c.change(txn, rng); err != nil {
				return err
			}
		}
		switch rng.IntN(8) {
		case 0:
			txn.Retract(marks[len(marks)-1])
			marks = marks[:len(marks)-1]
		case 1:
			n := rng.IntN(len(marks))
			txn.RollbackTo(marks[n])
			marks = marks[:n+1]
		}
	}
	return nil
}

// change puts a row into a group, or takes it out of all.
func (c *counted) change(txn kv.Txn, rng *rand.Rand) error {
	c.changes.Add(1)
	key := countedRow(rng.IntN(countedRows))
	old, ok, err := txn.Get(c.ctx, key, kv.AllColumns)
	if err != nil {
		return err
	}
	from, to := -1, rng.IntN(countedGroups+countedGroups/3)
	if ok {
		if from, err = strconv.Atoi(string(old)); err != nil {
			return err
		}
	}
	if from == to {
		return nil
	}
	if to >= countedGroups {
		to = -1
		err = txn.Delete(key)
	} else {
		err = txn.Set(key, []byte(strconv.Itoa(to)), kv.AllColumns)
	}
	if err != nil {
		return err
	}
	if from >= 0 {
		if err := txn.Accumulate(countedSum(from), []byte("-1")); err != nil {
			return err
		}
	}
	if to < 0 {
		return nil
	}
	txn.Require([][]byte{countedSum(to)}, func(values [][]byte) error {
		n, err := strconv.Atoi("0" + string(values[0]))
		if err == nil && n > countedBound(to) {
			err = errBound
		}
		return err
	})
	return txn.Accumulate(countedSum(to), []byte("1"))
}

// check counts the rows of some state.
func (c *counted) check() {
	txn, err := c.Store.Begin(c.ctx, kv.TxnOptions{ReadOnly: true, Newest: true})
	if err != nil {
		c.Errorf("begin: %v", err)
		return
	}
	defer txn.Rollback()
	var counts, sums [countedGroups]int
	it := txn.Scan(c.ctx, kv.KeyRange{}, kv.ScanOptions{})
	for it.Next() {
		n, err := strconv.Atoi(string(it.Value()))
		if err != nil {
			c.Errorf("%s is %q", it.Key(), it.Value())
		}
		if g, ok := groupOf(it.Key()); ok {
			sums[g] = n
		} else {
			counts[n]++
		}
	}
	if err := errors.Join(it.Err(), it.Close()); err != nil {
		c.Errorf("scan: %v", err)
		return
	}
	for g, n := range counts {
		if sums[g] != n || n > countedBound(g) {
			c.Errorf("version %d: group %d has %d rows, and its accumulator says %d; the bound is %d", txn.ReadVersion(), g, n, sums[g],
				countedBound(g))
		}
	}
}

// groupOf is the group of an accumulator, false if the key is that of a row.
func groupOf(key []byte) (g int, ok bool) {
	_, err := fmt.Sscanf(string(key), "sum/%d", &g)
	return g, err == nil
}
