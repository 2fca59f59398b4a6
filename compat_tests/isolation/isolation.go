// Package isolation runs random SQL transactions of many clients at once against a server that speaks PostgreSQL's
// protocol, and records what they saw, for the checker in kv/conformance/history.
//
// The workload has lists, to which numbers are appended, and registers, which are read before they are written; rows
// that come and go and move between groups, which are looked for by columns with and without an index; and rows that
// refer to others. Transactions have random shapes: single statements, queries of several statements, pipelines,
// explicit transactions with savepoints, and transactions on one row that lock it first.
//
// Nothing in it is understood by one server only, so that the same workload runs against PostgreSQL: at SERIALIZABLE
// nothing may be found there, and at the weaker levels the anomalies they are known for have to be.
//
// # Tests
//
// TestHistory, TestKill and TestPowerLoss run about 50,000 statements together: at all isolation level names, with
// the real binary killed in between, and with power failing on a disk in memory. HOLDFAST_OPERATIONS is another number
// of them: `make nightly` runs 1,000,000. HOLDFAST_SEED repeats the seed of a run that failed; since the clients are
// concurrent, it repeats what they ask for, not in which order they are served. HOLDFAST_POSTGRES is a connection string
// of a PostgreSQL to try the workload on. TestFaults and TestPowerLossNotices are the tests of these tests: servers with
// a defect must be found out.
//
// # Reading a failure
//
// A failure names the seed, the kind of the anomaly, each step of the cycle, and the transactions in it. Keys of the
// history are named table.column/row, so things0.a/17 is column a of the row 17; things0.id/17 is whether that row
// exists, things0.grp/0004/1/17 that it is in group 4 (1: not divisible by 3), things0.tag/0002/17 that its tag is 2,
// and marks0.thing/17/31 that mark 31 refers to it. Each number after the first in the name of a table is a new set of
// tables, begun after some thousand statements.
package isolation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"holdfast/kv/conformance/history"

	"github.com/jackc/pgx/v5"
)

// Workload is what is run.
type Workload struct {
	// Connect opens a connection.
	Connect func(ctx context.Context) (*pgx.Conn, error)
	// Level is the isolation level, such as SERIALIZABLE.
	Level string

	Seed       uint64
	Clients    int
	Operations int // statements on data, after which clients begin no further transaction
	// Lists and Counters are the rows of the tables of these names that are used at a time.
	Lists, Counters int
	// TablesAfter is the number of statements after which new tables are begun. Default: 10,000.
	TablesAfter int
	// NoForUpdate leaves out SELECT .. FOR UPDATE, which hides anomalies of weak levels.
	NoForUpdate bool
	// Breaks says that the server may go away and come back, perhaps elsewhere. Clients connect again. What was under
	// way counts as unknown.
	Breaks bool
	// Progress, if not nil, is called after each transaction with the number of statements so far.
	Progress func(operations int)
}

// Shape is a kind of transaction.
type Shape string

// The shapes.
const (
	Single   Shape = "single"   // one statement outside of a transaction
	Several  Shape = "several"  // a simple query of several statements
	Pipeline Shape = "pipeline" // several statements up to one Sync
	Explicit Shape = "explicit" // BEGIN .. COMMIT
	Polite   Shape = "polite"   // BEGIN .. COMMIT on one row that is locked first
)

// Result is what came of it.
type Result struct {
	Txns       []history.Txn
	Operations int
	Begun      map[Shape]int
	Committed  map[Shape]int
	// Refused counts transactions by the SQLSTATE that ended them.
	Refused map[Shape]map[string]int
	// Unknown counts those whose end was not told, because the connection broke.
	Unknown int
}

// String is a table of the numbers.
func (r *Result) String() string {
	var s strings.Builder
	begun, committed := 0, 0
	for shape := range r.Begun {
		begun, committed = begun+r.Begun[shape], committed+r.Committed[shape]
	}
	fmt.Fprintf(&s, "%d operations, %d transactions, %d committed, %d unknown", r.Operations, begun, committed, r.Unknown)
	for _, shape := range slices.Sorted(maps.Keys(r.Begun)) {
		fmt.Fprintf(&s, "\n  %-8s %7d, committed %7d, refused", shape, r.Begun[shape], r.Committed[shape])
		for _, state := range slices.Sorted(maps.Keys(r.Refused[shape])) {
			fmt.Fprintf(&s, " %s: %d", state, r.Refused[shape][state])
		}
		if len(r.Refused[shape]) == 0 {
			s.WriteString(" none")
		}
	}
	return s.String()
}

// Unwanted are the refusals that a server which keeps its promises never gives: of implicit transactions for the sake
// of others, and of transactions that have only waited for one row.
func (r *Result) Unwanted() []string {
	var unwanted []string
	for _, shape := range []Shape{Single, Several, Pipeline, Polite} {
		states := []string{"40001"}
		if shape == Single || shape == Polite {
			states = append(states, "40P01", "55P03")
		}
		for _, state := range states {
			if n := r.Refused[shape][state]; n > 0 {
				unwanted = append(unwanted, fmt.Sprintf("%d transactions of shape %q are refused with %s", n, shape, state))
			}
		}
	}
	return unwanted
}

// Run runs the workload and returns its history. The last transactions in it read all that is left.
func (w *Workload) Run(ctx context.Context) (*Result, error) {
	r := &run{Workload: w, after: w.TablesAfter, result: &Result{Begun: map[Shape]int{}, Committed: map[Shape]int{}, Refused: map[Shape]map[string]int{}}}
	if r.after == 0 {
		r.after = 10_000
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	errs := make([]error, w.Clients)
	var wait sync.WaitGroup
	for i := range w.Clients {
		wait.Go(func() {
			c := r.client(i)
			if errs[i] = c.work(ctx); errs[i] != nil {
				cancel(errs[i])
			}
		})
	}
	wait.Wait()
	if ctx.Err() != nil {
		return nil, fmt.Errorf("seed %d: %w", w.Seed, context.Cause(ctx))
	}
	c := r.client(w.Clients)
	if err := c.readAll(ctx); err != nil {
		return nil, fmt.Errorf("seed %d: reading what is left: %w", w.Seed, err)
	}
	r.result.Operations = int(r.operations.Load())
	return r.result, errors.Join(errs...)
}

// run is what the clients share.
type run struct {
	*Workload
	after      int // statements after which new tables are begun
	clock      atomic.Int64
	values     atomic.Int64
	operations atomic.Int64

	mu     sync.Mutex
	result *Result
	tables []*tables
}

func (r *run) client(i int) *client {
	return &client{run: r, rng: rand.New(rand.NewPCG(r.Seed, uint64(i)))}
}

// value is a number that was never given before.
func (r *run) value() int64 { return r.values.Add(1) }

// note adds a transaction to the history.
func (r *run) note(shape Shape, record history.Txn, state string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.result.Txns = append(r.result.Txns, record)
	r.result.Begun[shape]++
	switch {
	case state != "":
		if r.result.Refused[shape] == nil {
			r.result.Refused[shape] = map[string]int{}
		}
		r.result.Refused[shape][state]++
	case record.Status == history.Unknown:
		r.result.Unknown++
	case record.Status == history.Committed:
		r.result.Committed[shape]++
	}
}
