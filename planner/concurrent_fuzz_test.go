package planner_test

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/kv"
	"holdfast/kv/faulty"
	"holdfast/kv/pebblekv"
	"holdfast/planner"
	"holdfast/planner/sessiontest"
	"holdfast/sql/accumulator"
	"holdfast/sql/errs"

	"github.com/cockroachdb/pebble/v2/vfs"
)

var concurrentFuzz = flag.Duration("rules.concurrent", 5*time.Second, "how long TestRulesUnderConcurrency runs")

// A contest is several clients that work on tables under one assertion. What each transaction was answered is judged afterwards:
// see judge.
type contest struct {
	schema    []string
	condition string
	timing    string // of the assertion
	before    []string
	clients   [][]*contestant
	// stepped has one message on its way at a time, or more if they wait for locks, and the client of the next one
	// drawn from the seed: transactions are open for long, and what happens can be repeated. Otherwise all clients run
	// as fast as they can.
	stepped bool
	seed    uint64
	fault   string // of the store: see kv/faulty; or "skip rechecks", of the engine
}

// contestant is a transaction.
type contestant struct {
	// steps are statements. A transaction of more than one has BEGIN and its end among them.
	steps []string
	// message tells that all are sent as one.
	message bool

	// What became of it, in run.
	done      []answer
	outcome   outcome
	from      kv.Version    // the newest commit that had been acknowledged when it began
	to        kv.Version    // the newest that there was when it ended
	version   kv.Version    // of its own commit, 0 if it had none
	sequenced atomic.Uint64 // of the store's making
}

// answer is what a statement was answered with.
type answer struct {
	text string
	says string    // its tags and rows
	code errs.Code // of its error
}

// outcome is how a transaction has ended.
type outcome string

const (
	committed  outcome = "committed"
	rolledBack outcome = "rolled back"
	refused    outcome = "refused"
	conflicted outcome = "is told to retry"
	unfinished outcome = "unfinished"
)

func (c *contestant) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, from state %d to %d, commit %d%s:", c.outcome, c.from, c.to, c.version, map[bool]string{true: ", one message"}[c.message])
	for _, a := range c.done {
		fmt.Fprintf(&b, "\n    %s -> %s%s", a.text, strings.ReplaceAll(a.says, "\n", ", "), a.code)
	}
	return b.String()
}

// contest makes one.
func (g shapes) contest(seed uint64) (shape string, c *contest) {
	c = &contest{seed: seed, stepped: g.IntN(4) > 0}
	// Rows of r and s have keys: without, it is not settled which of several rows UPDATE .. FROM or DISTINCT ON takes.
	for keyed := false; !keyed; {
		c.schema = g.schema()
		keyed = strings.Contains(c.schema[0], "PRIMARY KEY") && strings.Contains(c.schema[1], "PRIMARY KEY")
	}
	c.timing = g.pick("", "", "DEFERRABLE", "DEFERRABLE INITIALLY DEFERRED")
	shape, c.condition = g.condition()
	for range g.IntN(6) {
		c.before = append(c.before, g.write())
	}
	for range 2 + g.IntN(3) {
		var list []*contestant
		for range 5 {
			list = append(list, g.contestant(c.timing != ""))
		}
		c.clients = append(c.clients, list)
	}
	return shape, c
}

// contestant makes a transaction.
func (g shapes) contestant(deferrable bool) *contestant {
	if g.IntN(3) == 0 {
		return &contestant{steps: []string{g.write()}}
	}
	steps := []string{"BEGIN"}
	for range 1 + g.IntN(4) {
		switch g.IntN(9) {
		case 0:
			steps = append(steps, "SAVEPOINT p", g.write(), "ROLLBACK TO p")
		case 1, 2:
			steps = append(steps, "SAVEPOINT p", g.write(), "RELEASE p")
		case 3:
			if deferrable {
				steps = append(steps, "SET CONSTRAINTS ALL "+g.pick("DEFERRED", "IMMEDIATE"))
			}
		case 4:
			steps = append(steps, g.read())
		default:
			steps = append(steps, g.write())
		}
	}
	return &contestant{steps: append(steps, g.pick("COMMIT", "COMMIT", "COMMIT", "COMMIT", "ROLLBACK")), message: g.IntN(3) == 0}
}

// read is a query whose answer depends on few rows or many.
func (g shapes) read() string {
	return g.pick(fmt.Sprintf("SELECT a, b FROM r WHERE id = %d", g.IntN(6)), "SELECT count(*), sum(d) FROM s",
		fmt.Sprintf("SELECT id, c FROM s WHERE r = %d ORDER BY id", g.IntN(6)), "SELECT max(e) FROM t")
}

func (c *contest) script() string {
	var b strings.Builder
	for _, s := range append(slices.Clone(c.schema), c.before...) {
		b.WriteString(s + ";\n")
	}
	b.WriteString(c.create() + ";\n")
	for i, list := range c.clients {
		for _, x := range list {
			fmt.Fprintf(&b, "%c: %s\n", 'a'+i, x)
		}
	}
	return b.String()
}

func (c *contest) create() string {
	return "CREATE ASSERTION x CHECK (" + c.condition + ") " + c.timing
}

// prepare makes the tables and rows. It reports whether that could be done.
func (c *contest) prepare(client *sessiontest.Client) bool {
	for _, s := range c.schema {
		if _, err := client.Exec(s); err != nil {
			return false
		}
	}
	for _, s := range c.before {
		_, _ = client.Exec(s)
	}
	return true
}

// sequence is a store that tells which transaction got which version.
type sequence struct {
	*pebblekv.Store
	latest atomic.Uint64 // version that was given
}

type contestantKey struct{}

// Begin implements kv.Store. The transaction belongs to the contestant in the context, if there is one.
func (s *sequence) Begin(ctx context.Context, o kv.TxnOptions) (kv.Txn, error) {
	x, _ := ctx.Value(contestantKey{}).(*contestant)
	if o.Observer == nil {
		x = nil // it is not the session's: numbers of rows are reserved in transactions of their own
	}
	o.Observer = &sequencing{o.Observer, s, x}
	return s.Store.Begin(ctx, o)
}

type sequencing struct {
	kv.TxnObserver
	store *sequence
	x     *contestant
}

func (o *sequencing) LockWaits(w kv.LockWait) {
	if o.TxnObserver != nil {
		o.TxnObserver.LockWaits(w)
	}
}

func (o *sequencing) LockWaited(w kv.LockWait, waited time.Duration, err error) {
	if o.TxnObserver != nil {
		o.TxnObserver.LockWaited(w, waited, err)
	}
}

func (o *sequencing) Sequenced(v kv.Version) {
	o.store.latest.Store(uint64(v)) // in ascending order, by one goroutine
	if o.x != nil {
		o.x.sequenced.Store(uint64(v))
	}
	if o.TxnObserver != nil {
		o.TxnObserver.Sequenced(v)
	}
}

// runner is a client at work.
type runner struct {
	client *sessiontest.Client
	list   []*contestant
	step   int  // of the first of list
	failed bool // its transaction has failed
	saved  bool // and there is a savepoint to go back to
	busy   bool
}

// next is what the client sends next, "" if it is through. Statements of a failed transaction are left out up to where it goes back
// to a savepoint or ends.
func (r *runner) next() string {
	for len(r.list) > 0 {
		x := r.list[0]
		if r.step >= len(x.steps) {
			r.list, r.step, r.failed, r.saved = r.list[1:], 0, false, false
			continue
		}
		if x.message && len(x.steps) > 1 {
			if r.failed {
				return "ROLLBACK"
			}
			return strings.Join(x.steps, "; ")
		}
		text := x.steps[r.step]
		if r.failed {
			switch {
			case r.saved && (text == "RELEASE p" || text == "ROLLBACK TO p"):
				text = "ROLLBACK TO p"
			case text == "COMMIT" || text == "ROLLBACK":
				text = "ROLLBACK"
			case len(x.steps) == 1:
			default:
				r.step++
				continue
			}
		}
		return text
	}
	return ""
}

// send sends the next message and notes what comes of it.
func (r *runner) send(store *sequence, acknowledged *atomic.Uint64) {
	text, x := r.next(), r.list[0]
	first := len(x.done) == 0 && x.outcome == ""
	if first {
		x.from, x.outcome = kv.Version(acknowledged.Load()), unfinished
	}
	result, err := r.client.ExecContext(context.WithValue(context.Background(), contestantKey{}, x), text)
	x.to = kv.Version(store.latest.Load())
	code := errs.CodeOf(err)
	switch {
	case x.message && len(x.steps) > 1 && !r.failed:
		for i, tag := range result.Tags {
			x.done = append(x.done, answer{text: x.steps[i], says: tag})
		}
		// The rows of all statements come together.
		x.done[len(x.done)-1].says += "\n" + result.String()
		if err != nil {
			x.done = append(x.done, answer{text: x.steps[len(result.Tags)], code: code})
		} else {
			r.step = len(x.steps)
		}
	case r.failed && text == "ROLLBACK":
		r.step = len(x.steps) // of no interest: it was over before
	default:
		x.done = append(x.done, answer{text: text, says: strings.TrimSpace(result.Tag() + "\n" + result.String()), code: code})
		r.step++
	}
	switch {
	case r.failed && text == "ROLLBACK":
	case r.failed && err != nil: // it could not go back to the savepoint: the transaction was lost
		x.done = x.done[:len(x.done)-1]
	case err != nil && (code == errs.SerializationFailure || code == errs.DeadlockDetected):
		x.outcome, r.failed, r.saved = conflicted, true, false
	case err != nil:
		x.outcome, r.failed = refused, true
		if len(x.steps) == 1 || text == "COMMIT" {
			r.step = len(x.steps)
		}
	case r.failed: // it is back at its savepoint
		x.outcome, r.failed = unfinished, false
	case text == "ROLLBACK" || x.message && strings.HasSuffix(text, "; ROLLBACK"):
		x.outcome = rolledBack
	case r.step == len(x.steps):
		x.outcome = committed
	}
	switch text {
	case "SAVEPOINT p":
		r.saved = err == nil
	case "RELEASE p", "ROLLBACK TO p":
		r.saved = false
	}
	if v := kv.Version(x.sequenced.Load()); v != 0 && x.outcome == committed {
		x.version = v
		for old := acknowledged.Load(); old < uint64(v) && !acknowledged.CompareAndSwap(old, uint64(v)); old = acknowledged.Load() {
		}
	}
}

// run runs the contest. It reports whether it came about: the condition must hold in the beginning, and be one that can be evaluated.
func (c *contest) run(t testing.TB) bool {
	for _, list := range c.clients {
		for i, x := range list {
			list[i] = &contestant{steps: x.steps, message: x.message}
		}
	}
	options := pebblekv.Options{Folder: "db", FS: vfs.NewMem(), CacheBytes: 8 << 20, MemtableBytes: 1 << 20, Merge: accumulator.Merge, Logger: slog.New(slog.DiscardHandler)}
	open := pebblekv.Open
	var config planner.Config
	if c.fault == "skip rechecks" {
		config.Faults.SkipRechecks = true
	} else if c.fault != "" {
		open = func(o pebblekv.Options) (*pebblekv.Store, error) { return faulty.Open(c.fault, o) }
	}
	pebble, err := open(options)
	if err != nil {
		t.Fatal(err)
	}
	store := &sequence{Store: pebble}
	db := sessiontest.OpenWith(t, store, config)
	setup := db.Connect()
	if !c.prepare(setup) {
		return false
	}
	if _, err := setup.Exec(c.create()); err != nil {
		return false
	}
	var acknowledged atomic.Uint64
	acknowledged.Store(store.latest.Load())
	var runners []*runner
	for _, list := range c.clients {
		runners = append(runners, &runner{client: db.Connect(), list: list})
	}
	if c.stepped {
		c.step(t, store, runners, &acknowledged)
		return true
	}
	var wg sync.WaitGroup
	for _, r := range runners {
		wg.Go(func() {
			for r.next() != "" {
				r.send(store, &acknowledged)
				runtime.Gosched()
			}
		})
	}
	wg.Wait()
	return true
}

// step lets the clients send one message after the other. The next one is sent when all that are on their way are answered or wait for a lock.
func (c *contest) step(t testing.TB, store *sequence, runners []*runner, acknowledged *atomic.Uint64) {
	random := rand.New(rand.NewPCG(c.seed, 1))
	answered := make(chan *runner)
	out := 0
	const patience = time.Minute
	receive := func(wait time.Duration) bool {
		select {
		case r := <-answered:
			r.busy = false
			out--
		case <-time.After(wait):
			return false
		}
		return true
	}
	for {
		var ready []*runner
		for _, r := range runners {
			if !r.busy && r.next() != "" {
				ready = append(ready, r)
			}
		}
		if len(ready) == 0 {
			if out == 0 {
				return
			}
			if !receive(patience) {
				t.Fatalf("%d clients get no answer:\n%s", out, c.script())
			}
			continue
		}
		r := ready[random.IntN(len(ready))]
		r.busy = true
		out++
		go func() {
			r.send(store, acknowledged)
			answered <- r
		}()
		for begun, agreed := time.Now(), 0; out > 0 && agreed < 2; {
			if receive(50 * time.Microsecond) {
				agreed = 0
			} else if store.Stats().Locks.Waiting == out {
				agreed++
			} else if agreed = 0; time.Since(begun) > patience {
				t.Fatalf("%d clients neither wait for locks nor get an answer:\n%s", out, c.script())
			}
		}
	}
}
