package pebblekv

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/kv"
	"holdfast/kv/internal/fault"
	"holdfast/kv/internal/simulate"
)

// The simulation runs the code of the commit path (the sequencer, the publisher, the lock table, transactions) with some
// clients on a simulated disk, all as tasks of one scheduler. A schedule is what happens with one seed: who goes on at
// each place where somebody waits or could be interrupted, when a sync ends, what fails, when the power fails
// and what is left then.
//
// It is checked that
//   - transactions are serializable in the order of their versions: all that a transaction has read, column by column, is
//     what it would read in the state it comes after (simFootprint.check), and what is stored is what the model says;
//   - every read shows its snapshot under the own writes, and nothing else;
//   - who begins after an acknowledgement sees it; nothing is acknowledged, and nobody begins on anything, before
//     it is durable; a crash loses nothing that was;
//   - locks exclude, are granted in the order of arrival, and are free only when the writes can be read; a lock that is
//     granted is stale exactly if the key was written since the snapshot; deadlocks are found;
//   - accumulators have all deltas of what was committed; a transaction is refused exactly if a requirement of it is not met at
//     its place in the order, and each requirement sees the exact value there;
//   - what a guarded transaction had read is not changed by others, unless it gives way;
//   - what scans leap over because it is remembered as empty is so (the simulated engine claims to have stepped over much
//     wherever it moves);
//   - conflicts have a reason, unless the bounds of memory are so small that they need none;
//   - everybody gets an answer: when nothing can go on any more, all is over;
//   - in the end no snapshot, lock, batch, iterator or entry of the index is left.

var (
	simSeed      = flag.Uint64("seed", 0, "run only this schedule of the simulation, with a trace")
	simSchedules = flag.Int("schedules", 0, "run so many schedules of the simulation instead of some thousand")
	simFor       = flag.Duration("for", 0, "run schedules of the simulation for so long")
)

// simulation is one run.
type simulation struct {
	*simulate.Scheduler
	disk    *simDisk
	options Options
	keys    int // of simKeys, that single keys are drawn from
	coarse  bool
	sums    bool  // there are accumulators and marked reads
	actions []int // of simActions and then sumActions, each as often as it is wanted
	counts  map[string]int

	store   *Store // nil while none is open
	engine  *simEngine
	tasks   []*simulate.Task // of the store
	failed  bool             // the store has
	closing bool

	clients      []*simClient
	model        simModel
	acknowledged kv.Version
	lastNumber   uint32
	clock        int
	troubles     int // crashes and closes to come
	nextTrouble  int // ticks of the clock until then
}

// simTurns is the scheduler as the store sees it. It looks at what the store's calls tell.
type simTurns struct{ *simulation }

func (s simTurns) Go(name string, f func()) {
	s.tasks = append(s.tasks, s.Start(name, f))
}

func (s simTurns) Await(ready func() bool) {
	if c := s.client(); c != nil && len(c.locking) == 1 && c.arrival == 0 {
		s.clock++
		c.arrival = s.clock
		s.count("lock wait")
	}
	s.Scheduler.Await(ready)
}

func (s simTurns) Point(name string) {
	switch name {
	case "locked":
		s.client().granted()
	case "lock refused":
		s.client().gaveWay = true
	}
	s.nextTrouble--
	s.checkWaiting()
	s.Scheduler.Point(name)
}

// checkWaiting looks for clients that wait for a lock without reason.
func (s *simulation) checkWaiting() {
	for _, c := range s.clients {
		if c.arrival == 0 || c.store != s.store || s.closing || c.task.Ready() || c.mustWait() {
			continue
		}
		// A commit of many locks may not have given them back yet.
		if !slices.ContainsFunc(s.tasks, func(t *simulate.Task) bool { return t.Name() == "release" && !t.Ended() }) {
			c.fail("client %d waits for %v of key %d, which nobody has", c.number, c.mode, c.locking[0])
		}
	}
}

// client is the client whose task runs, nil if none is.
func (s *simulation) client() *simClient {
	for _, c := range s.clients {
		if c.task == s.Current() {
			return c
		}
	}
	return nil
}

func (s *simulation) count(what string) { s.counts[what]++ }

// simulateSeed runs the schedule of a seed. counts gets how often what has happened.
func simulateSeed(seed uint64, faults fault.Set, disk simFaults, trace func(string), counts map[string]int) error {
	s := &simulation{Scheduler: simulate.New(seed), counts: counts}
	s.Trace = trace
	s.disk = newSimDisk(s.Scheduler)
	s.disk.faults = disk
	s.options = Options{
		Logger: quiet, CacheBytes: 1, Fault: faults, CloseGrace: -1, turns: simTurns{s},
		limits: limits{
			groupsInFlight: 1 + s.Choose(4), groupBytes: 1 << s.Choose(10), preparedBytes: int64(30 << s.Choose(3)),
			preparedReads: s.Choose(4), locks: 1 + s.Choose(4), trimPerGroup: 1 + s.Choose(4),
			gaps: 1 + int(seed%6), missesPerGap: 1 + int(seed%3), // not drawn, so that the schedules of the seeds stay what they were
		},
		Fatal: func(string) {
			s.count("failure")
			s.Tracef("the store fails")
			s.failed = true
		},
	}
	if s.Choose(2) == 0 {
		s.options.CloseGrace = time.Hour
	}
	s.options.Fault.Step = s.step
	s.keys = 1 + s.Choose(simRows)
	if s.coarse = s.Choose(3) == 0; s.coarse {
		s.options.RecentKeys, s.options.FootprintReads = 1<<s.Choose(4), 1+s.Choose(8)
	}
	// Only some seeds have accumulators and marked reads, so that schedules of the others are what they were before there were such.
	if s.sums = seed%4 == 1; s.sums {
		s.options.Merge = simMerge
		s.options.limits.accumulatorBytes = 1 << s.Choose(12)
	}
	s.drawActions()
	if seed%4 == 3 { // not drawn either
		s.actions = simQueueActions
	}
	if seed%16 == 13 {
		s.actions = slices.Concat(simQueueActions, simQueueSums)
	}
	s.troubles = s.Choose(4)
	s.nextTrouble = s.Choose(200)
	switch s.Choose(8) {
	case 0:
		s.disk.faults.syncsLeft = s.Choose(20)
	case 1:
		s.disk.faults.appliesLeft = s.Choose(20)
	}
	return s.Run(s.main)
}

// main opens the store, lets clients and troubles loose, and looks what is left.
func (s *simulation) main() {
	s.Start("disk", s.disk.run)
	s.Start("timers", s.FireTimers)
	s.Start("canceler", s.cancel)
	s.Start("fate", s.fate)
	s.open()
	for i := range 1 + s.Choose(6) {
		c := &simClient{simulation: s, number: i + 1}
		c.clear()
		c.task = s.Start(fmt.Sprintf("client %d", c.number), c.run)
		s.clients = append(s.clients, c)
	}
	// When nobody can go on and this does not come true, the simulation is stuck, which is a failure.
	s.Await(func() bool {
		return !slices.ContainsFunc(s.clients, func(c *simClient) bool { return !c.task.Ended() })
	})
	s.troubles = 0
	s.Await(func() bool { return s.store != nil && !s.failed && !s.closing })
	s.disk.faults.syncsLeft, s.disk.faults.appliesLeft = -1, -1
	s.finish()
}

// finish checks that nothing is left over.
func (s *simulation) finish() {
	last := &simClient{simulation: s, number: 99, task: s.Current(), store: s.store}
	s.clients = append(s.clients[:0], last)
	// Commits that trim the index of recent writes, a part at a time.
	st := s.store.Stats()
	for n := 0; n < 3 || n < 20 && (st.Recent.Keys > 1 || st.Recent.Runs > 0); n++ {
		if err := last.begin(kv.TxnOptions{}); err != nil {
			last.fail("%v", err)
		}
		if err := last.set(3, last.row(), kv.AllColumns); err != nil {
			last.fail("%v", err)
		}
		if err := last.commit(); err != nil {
			last.fail("the last commit: %v", err)
		}
		st = s.store.Stats()
	}
	last.clear()
	// A lock may be given back by a task of its own.
	s.Await(func() bool { return s.store.locks.Stats().Locks == 0 })
	st = s.store.Stats()
	if st.GapsFound > 0 {
		s.count("gap found")
	}
	if st.OpenTxns != 0 || st.LiveSnapshots != 1 || st.Locks.Waiting != 0 || st.Recent.Keys > 1 || st.Recent.Runs > 0 {
		last.fail("something is left: %+v", st)
	}
	if err := s.store.Close(); err != nil {
		last.fail("close: %v", err)
	}
	if g := &s.store.guards; len(g.list) != 0 || len(g.aside) != 0 || g.active.Load() != 0 {
		last.fail("guards are left: %d, and %d commits set aside", len(g.list), len(g.aside))
	}
	if e := s.engine; e.snapshots != 0 || e.iterators != 0 || e.batches != 0 {
		last.fail("%d snapshots, %d iterators, %d batches are left", e.snapshots, e.iterators, e.batches)
	}
}

// step is called at the steps of commits.
func (s *simulation) step(step fault.Step) {
	s.Tracef("%s", step)
	if step == fault.StepValidated {
		s.register()
	}
	simTurns{s}.Point(string(step))
}

// register puts what has been sequenced into the model.
func (s *simulation) register() {
	var group []*simClient
	for _, c := range s.clients {
		if c.committing && !c.registered && c.txn.version != 0 {
			group = append(group, c)
		}
	}
	slices.SortFunc(group, func(a, b *simClient) int { return cmp.Compare(a.txn.version, b.txn.version) })
	for _, c := range group {
		c.register()
	}
	if len(group) > 1 {
		s.count("group of several")
	}
}

// open opens a store on what is on the disk.
func (s *simulation) open() {
	s.engine = openSimEngine(s.disk)
	s.engine.checks = func(state *simState) {
		if state.version != s.model.version {
			s.Fail(fmt.Errorf("version %d is applied, %d was sequenced", state.version, s.model.version))
		}
		if err := s.model.compare(state); err != nil {
			s.Fail(fmt.Errorf("applied: %w", err))
		}
		if len(s.disk.states) > 2 {
			s.count("several unsynced")
		}
	}
	version := s.disk.durable()
	s.Tracef("opens a store at version %d", version)
	if version < s.acknowledged {
		s.Fail(fmt.Errorf("version %d is left, but %d was acknowledged", version, s.acknowledged))
	}
	s.model.forget(version)
	if err := s.model.compare(s.disk.states[0]); err != nil {
		s.Fail(fmt.Errorf("opened: %w", err))
	}
	s.failed, s.closing, s.tasks = false, false, nil
	store := newStore(s.options)
	if err := store.start(s.engine); err != nil {
		s.Fail(err)
	}
	s.store = store
}

// cancel cancels, sooner or later, the calls that can be.
func (s *simulation) cancel() {
	find := func() *simClient {
		for _, c := range s.clients {
			if c.context != nil && !c.context.canceled {
				return c
			}
		}
		return nil
	}
	for {
		s.Await(func() bool { return find() != nil })
		c := find()
		s.Tracef("cancels what client %d does", c.number)
		c.context.canceled = true
		close(c.context.done)
	}
}

// fate crashes and closes the store, and opens it again, also when it has failed.
func (s *simulation) fate() {
	for {
		s.Await(func() bool { return s.failed || s.troubles > 0 && s.nextTrouble <= 0 })
		if !s.failed {
			s.troubles--
		}
		s.nextTrouble = s.Choose(200)
		if s.Choose(3) == 0 {
			s.close()
		} else {
			s.crash()
		}
		s.store = nil
		s.Point("down")
		s.open()
	}
}

// close closes the store, which may fail meanwhile, or have failed.
func (s *simulation) close() {
	s.Tracef("closes the store")
	s.count("close")
	s.closing = true
	if err := s.store.Close(); err != nil {
		s.Fail(fmt.Errorf("close: %w", err))
	}
	s.Tracef("closed")
	if s.failed {
		s.disk.crash()
	} else if s.disk.durable() != s.model.version {
		s.Fail(fmt.Errorf("closed at version %d, %d was sequenced", s.disk.durable(), s.model.version))
	}
}

// crash ends the store and all that its clients were doing.
func (s *simulation) crash() {
	s.Tracef("crash")
	s.count("crash")
	for _, t := range s.tasks {
		s.End(t)
	}
	for _, c := range s.clients {
		if c.inside {
			s.Interrupt(c.task)
			c.clear()
		}
	}
	s.disk.crash()
}

// explain returns a failure with its seed and the end of its trace.
func explain(seed uint64, err error) error {
	var lines []string
	again := simulateSeed(seed, fault.Set{}, soundDisk, func(line string) { lines = append(lines, line) }, map[string]int{})
	if again == nil || again.Error() != err.Error() {
		err = errors.Join(err, fmt.Errorf("which did not happen again with the same seed: %v", again))
	}
	if n := len(lines) - 150; n > 0 {
		lines = append([]string{fmt.Sprintf("(%d lines before)", n)}, lines[n:]...)
	}
	return fmt.Errorf("-seed %d: %w\n%s", seed, err, strings.Join(lines, "\n"))
}

// TestSimulation runs a fixed list of schedules, and fresh ones.
func TestSimulation(t *testing.T) {
	if *simSeed != 0 {
		if err := simulateSeed(*simSeed, fault.Set{}, soundDisk, func(line string) { t.Log(line) }, map[string]int{}); err != nil {
			t.Fatal(err)
		}
		return
	}
	schedules := 3000
	if testing.Short() {
		schedules = simFixed // the race detector has little to do where nothing is concurrent, and takes its time
	}
	if *simSchedules > 0 {
		schedules = *simSchedules
	}
	if *simFor > 0 {
		schedules = 1 << 60
	}
	counts := runSchedules(t, schedules)
	t.Logf("%v", counts)
	if counts["schedule"] < simFixed {
		return
	}
	for _, what := range []string{
		"canceled", "close", "commit", "conflict", "crash", "deadlock", "failure", "gap found", "group of several", "lock not available", "lock skipped",
		"lock wait", "marked conflict", "recheck", "refresh", "refused", "restart", "several unsynced", "stale", "unavailable", "unlock",
	} {
		if counts[what] == 0 {
			t.Errorf("there was no %s", what)
		}
	}
}

// TestSimulationFound runs schedules that have failed once.
func TestSimulationFound(t *testing.T) {
	for _, seed := range []uint64{
		13572189320443174356, // a guard without the reads of own writes
		2498403181222498648,  // a deadlock with a waiting request that has gone before another
	} {
		if err := simulateSeed(seed, fault.Set{}, soundDisk, nil, map[string]int{}); err != nil {
			t.Error(explain(seed, err))
		}
	}
}

// simFixed is the number of schedules that are the same in each run.
const simFixed = 500

// runSchedules runs the fixed schedules and fresh ones, on all processors, until one fails.
func runSchedules(t *testing.T, schedules int) map[string]int {
	start := time.Now()
	fresh := rand.Uint64()
	var next atomic.Int64
	var failed atomic.Bool
	var mu sync.Mutex
	total := map[string]int{}
	var wait sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			counts := map[string]int{}
			for !failed.Load() {
				n := next.Add(1)
				if n > int64(schedules) || *simFor > 0 && time.Since(start) > *simFor {
					break
				}
				seed := uint64(n)
				if n > simFixed {
					seed = fresh + uint64(n)
				}
				if err := simulateSeed(seed, fault.Set{}, soundDisk, nil, counts); err != nil && !failed.Swap(true) {
					t.Error(explain(seed, err))
				}
				counts["schedule"]++
			}
			mu.Lock()
			defer mu.Unlock()
			for what, n := range counts {
				total[what] += n
			}
		})
	}
	wait.Wait()
	t.Logf("%.0f schedules a second", float64(total["schedule"])/time.Since(start).Seconds())
	return total
}

// TestSimulationNotices breaks the store, the disk or the lock table, in one way at a time, and expects the simulation
// to notice within a number of schedules.
func TestSimulationNotices(t *testing.T) {
	forgets, early := soundDisk, soundDisk
	forgets.forgets, early.early = true, true
	for _, c := range []struct {
		name  string
		fault fault.Set
		disk  simFaults
	}{
		{"ignore range reads", fault.Set{IgnoreRangeReads: true}, soundDisk},
		{"ignore existence reads", fault.Set{IgnoreExistenceReads: true}, soundDisk},
		{"publish before sync", fault.Set{PublishBeforeSync: true}, soundDisk},
		{"release locks early", fault.Set{ReleaseLocksEarly: true}, soundDisk},
		{"skip validation", fault.Set{SkipValidation: true}, soundDisk},
		{"skip validation within a group", fault.Set{SkipGroupValidation: true}, soundDisk},
		{"gaps that are written to while they are found", fault.Set{GapsUnchecked: true}, soundDisk},
		{"gaps in older states", fault.Set{GapsForAll: true}, soundDisk},
		{"gaps that are written to later", fault.Set{KeepGaps: true}, soundDisk},
		{"overlook writes of accumulators", fault.Set{OverlookSets: true}, soundDisk},
		{"skip marked reads", fault.Set{SkipMarked: true}, soundDisk},
		{"skip requirements", fault.Set{SkipRequirements: true}, soundDisk},
		{"the disk forgets", fault.Set{}, forgets},
		{"the disk says too early that it has synced", fault.Set{}, early},
	} {
		t.Run(c.name, func(t *testing.T) {
			const enough = 2000
			for seed := uint64(1); seed <= enough; seed++ {
				if err := simulateSeed(seed, c.fault, c.disk, nil, map[string]int{}); err != nil {
					t.Logf("schedule %d: %v", seed, err)
					return
				}
			}
			t.Errorf("not noticed in %d schedules", enough)
		})
	}
}

// TestSimulationRepeats compares the traces of schedules run twice: without that, a seed would be of no use.
func TestSimulationRepeats(t *testing.T) {
	for seed := range uint64(20) {
		var traces [2]strings.Builder
		for i := range traces {
			err := simulateSeed(seed, fault.Set{}, soundDisk, func(line string) {
				traces[i].WriteString(line + "\n")
			}, map[string]int{})
			if err != nil {
				t.Fatal(err)
			}
		}
		if traces[0].String() != traces[1].String() {
			t.Fatalf("seed %d: two runs differ:\n%s\n%s", seed, traces[0].String(), traces[1].String())
		}
	}
}

// TestRefreshOnFailure: what a transaction has found stale never becomes a state, because the batch cannot be applied. To
// refresh to a state without it would be wrong.
func TestRefreshOnFailure(t *testing.T) {
	s := simulate.New(1)
	disk := newSimDisk(s)
	disk.faults.appliesLeft = 0
	validated, refreshing := false, false
	o := Options{Logger: quiet, CacheBytes: 1, turns: s, Fatal: func(string) {}}
	o.Fault.Step = func(step fault.Step) {
		if step == fault.StepValidated {
			validated = true
			s.Await(func() bool { return refreshing })
		}
	}
	if err := s.Run(func() {
		store := newStore(o)
		if err := store.start(openSimEngine(disk)); err != nil {
			t.Error(err)
		}
		key := []byte("a")
		txn := mustBegin(t, store, kv.TxnOptions{})
		s.Start("writer", func() {
			writer := mustBegin(t, store, kv.TxnOptions{})
			_ = writer.Set(key, key, kv.AllColumns)
			if _, err := writer.Commit(ctx); !errors.Is(err, kv.ErrCommitUnknown) {
				t.Errorf("commit: %v", err)
			}
		})
		s.Await(func() bool { return validated })
		if err := txn.Lock(ctx, [][]byte{key}, kv.LockUpdate, kv.WaitPolicy{}); !errors.Is(err, kv.ErrStale) {
			t.Errorf("lock: %v", err)
		}
		refreshing = true
		if err := txn.Refresh(ctx); !errors.Is(err, kv.ErrUnavailable) {
			t.Errorf("refresh to version %d: %v", txn.ReadVersion(), err)
		}
	}); err != nil {
		t.Error(err)
	}
}
