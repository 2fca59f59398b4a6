package pebblekv

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/kv"
	"holdfast/kv/conformance"
	"holdfast/kv/crashdisk"
	"holdfast/kv/internal/fault"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// The crash tests run a load of counters and crash the disk at many moments of it. Worker w's transaction i sets two
// keys to i, adds a key of its own, and deletes that of transaction i-2. So the state tells which transactions it
// has, and whether it has them whole. All of them add one to one accumulator.

type counterLoad struct {
	workers int
	acked   []atomic.Int64  // the last transaction of each worker that has been answered
	version []atomic.Uint64 // its version
	started []atomic.Int64  // the last transaction of each worker
}

func newCounterLoad(workers int) *counterLoad {
	return &counterLoad{
		workers: workers, acked: make([]atomic.Int64, workers), version: make([]atomic.Uint64, workers),
		started: make([]atomic.Int64, workers),
	}
}

func counterKey(w int, name any) []byte { return fmt.Appendf(nil, "%d/%v", w, name) }

// run lets each worker make n transactions, beginning after those it has made. It stops a worker at an error,
// which it passes to failed.
func (l *counterLoad) run(s *Store, n int, failed func(error)) {
	var wait sync.WaitGroup
	for w := range l.workers {
		wait.Go(func() {
			for range n {
				i := l.acked[w].Load() + 1
				l.started[w].Store(i)
				version, err := l.transaction(s, w, i)
				if err != nil {
					failed(err)
					return
				}
				l.version[w].Store(uint64(version))
				l.acked[w].Store(i)
			}
		})
	}
	wait.Wait()
}

func (l *counterLoad) transaction(s *Store, w int, i int64) (kv.Version, error) {
	txn, err := s.Begin(ctx, kv.TxnOptions{})
	if err != nil {
		return 0, err
	}
	defer txn.Rollback()
	value := make([]byte, 600)
	binary.BigEndian.PutUint64(value, uint64(i))
	for _, name := range []any{"left", "right", i} {
		if err := txn.Set(counterKey(w, name), value, kv.AllColumns); err != nil {
			return 0, err
		}
	}
	if err := errors.Join(txn.Delete(counterKey(w, i-2)), txn.Accumulate([]byte("total"), []byte("1"))); err != nil {
		return 0, err
	}
	return txn.Commit(ctx)
}

// crashState is what must be true of a disk that crashed at some moment.
type crashState struct {
	disk    *vfs.MemFS
	acked   []int64 // at least these must be there
	version []uint64
	where   string
}

// crash takes the disk as a crash would leave it now, with a share of what was not synced.
func (l *counterLoad) crash(fs *vfs.MemFS, random *rand.Rand, percent int, where string) crashState {
	c := crashState{where: fmt.Sprintf("%s with %d%% of the unsynced", where, percent)}
	for w := range l.workers {
		c.version = append(c.version, l.version[w].Load()) // before acked, which follows it
		c.acked = append(c.acked, l.acked[w].Load())
	}
	c.disk = crashdisk.Clone(fs, vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: random})
	return c
}

// check opens the disk and compares. It returns the version found.
func (l *counterLoad) check(t *testing.T, c crashState, open func(vfs.FS) (*Store, error)) kv.Version {
	t.Helper()
	s, err := open(c.disk)
	if err != nil {
		t.Fatalf("crash at %s: open: %v", c.where, err)
	}
	defer s.Close()
	txn, err := s.Begin(ctx, kv.TxnOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer txn.Rollback()
	number := func(key []byte) int64 {
		value, ok, err := txn.Get(ctx, key, kv.AllColumns)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return 0
		}
		return int64(binary.BigEndian.Uint64(value))
	}
	total := int64(0)
	for w := range l.workers {
		left, right := number(counterKey(w, "left")), number(counterKey(w, "right"))
		if left != right {
			t.Errorf("crash at %s: worker %d has half a transaction, %d and %d", c.where, w, left, right)
		}
		if left < c.acked[w] || left > l.started[w].Load() {
			t.Errorf("crash at %s: worker %d has %d transactions, %d were acknowledged", c.where, w, left, c.acked[w])
		}
		for i := max(1, left-3); i <= left+1; i++ {
			if got, want := number(counterKey(w, i)), i > left-2 && i <= left; want != (got == i) {
				t.Errorf("crash at %s: worker %d after %d has key %d: %v", c.where, w, left, i, got)
			}
		}
		if uint64(txn.ReadVersion()) < c.version[w] {
			t.Errorf("crash at %s: version %d, %d was acknowledged", c.where, txn.ReadVersion(), c.version[w])
		}
		total += left
	}
	if value, err := txn.Accumulated(ctx, []byte("total")); err != nil {
		t.Fatal(err)
	} else if got := string(value); got != fmt.Sprint(total) && (total > 0 || value != nil) {
		t.Errorf("crash at %s: the accumulator is %q after %d transactions", c.where, got, total)
	}
	// Versions count the commits, so that the state is a prefix of them: none is missing below.
	if uint64(total) != uint64(txn.ReadVersion()) {
		t.Errorf("crash at %s: version %d of %d transactions", c.where, txn.ReadVersion(), total)
	}
	return txn.ReadVersion()
}

func openTest(fs vfs.FS) (*Store, error) { return Open(testOptions(fs)) }

// crashOptions have memtables so small that they are flushed all the time, and logs and manifests change.
func crashOptions(fs vfs.FS) Options {
	o := testOptions(fs)
	o.MemtableBytes = 32 << 10
	return o
}

// TestCrashAtSteps crashes at the steps of commits, with the log torn in all ways.
func TestCrashAtSteps(t *testing.T) {
	fs := vfs.NewCrashableMem()
	load := newCounterLoad(3)
	random := rand.New(rand.NewPCG(1, 2))
	var mu sync.Mutex
	var crashes []crashState
	steps := map[fault.Step]int{}
	o := testOptions(crashdisk.Careful(fs))
	o.Fault.Step = func(step fault.Step) {
		mu.Lock()
		defer mu.Unlock()
		if steps[step]++; steps[step]%4 == 0 {
			crashes = append(crashes, load.crash(fs, random, 50*random.IntN(3), string(step)))
		}
	}
	s := mustOpen(t, o)
	load.run(s, 40, func(err error) { t.Error(err) })
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if len(steps) != 8 {
		t.Errorf("steps: %v", steps)
	}
	for _, c := range crashes {
		load.check(t, c, openTest)
	}
}

// crashAtOperations calls crash before some of the operations that change files.
func crashAtOperations(memory *vfs.MemFS, every int64, crash func(where string)) vfs.FS {
	var n atomic.Int64
	return errorfs.Wrap(crashdisk.Careful(memory), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && n.Add(1)%every == 0 {
			crash(fmt.Sprintf("operation %d on %s", op.Kind, op.Path))
		}
		return nil
	}))
}

// TestCrashAtOperations crashes before operations of the file system, and again during the recovery from that, and
// goes on with the load after some of the crashes. What was not synced is either there or not: entries of a folder
// do not overtake each other in journaling file systems, and Pebble's manifest relies on that.
func TestCrashAtOperations(t *testing.T) {
	memory := vfs.NewCrashableMem()
	random := rand.New(rand.NewPCG(3, 4))
	var mu sync.Mutex
	load := newCounterLoad(2)
	for generation := range 3 {
		var crashes []crashState
		s := mustOpen(t, crashOptions(crashAtOperations(memory, 7, func(where string) {
			mu.Lock()
			defer mu.Unlock()
			crashes = append(crashes, load.crash(memory, random, 100*random.IntN(2), where))
		})))
		load.run(s, 40, func(err error) { t.Error(err) })
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		for _, c := range crashes {
			var again []crashState
			recovered := load.check(t, c, func(fs vfs.FS) (*Store, error) {
				return openTest(crashAtOperations(fs.(*vfs.MemFS), 5, func(where string) {
					mu.Lock()
					defer mu.Unlock()
					again = append(again, crashState{
						disk:  crashdisk.Clone(fs.(*vfs.MemFS), vfs.CrashCloneCfg{UnsyncedDataPercent: 100 * random.IntN(2), RNG: random}),
						acked: c.acked, version: c.version, where: c.where + ", then " + where,
					})
				}))
			})
			for _, c := range again {
				if v := load.check(t, c, openTest); v != recovered {
					t.Errorf("crash at %s: version %d, after the first recovery %d", c.where, v, recovered)
				}
			}
		}
		// The next generation lives on the last disk that lost everything unsynced.
		memory = memory.CrashClone(vfs.CrashCloneCfg{})
		if generation == 0 && len(crashes) < 20 {
			t.Errorf("only %d crashes", len(crashes))
		}
	}
}

// TestCrashTestsNotice: the tests above find a commit that is acknowledged before it is on disk.
func TestCrashTestsNotice(t *testing.T) {
	d := crashdisk.New(vfs.NewCrashableMem())
	o := testOptions(d)
	o.Fault.PublishBeforeSync = true
	s := mustOpen(t, o)
	load := newCounterLoad(1)
	defer d.Pause()()
	load.run(s, 2, func(err error) { t.Error(err) })
	c := load.crash(d.Memory(), nil, 0, "no sync")
	again, err := openTest(c.disk)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if txn, _ := again.Begin(ctx, kv.TxnOptions{}); txn.ReadVersion() != 0 || c.acked[0] != 2 {
		t.Errorf("version %d after %d acknowledged commits", txn.ReadVersion(), c.acked[0])
	}
}

// failingDisk lets writes and syncs of files with a name fail after some.
func failingDisk(fs vfs.FS, file string, after int64, armed *atomic.Bool) vfs.FS {
	var n atomic.Int64
	return errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		switch op.Kind {
		case errorfs.OpFileWrite, errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo:
			if armed.Load() && strings.Contains(op.Path, file) && n.Add(1) > after {
				return errors.New("the disk is gone")
			}
		}
		return nil
	}))
}

// TestLogFailure lets the log fail for good from some operation on. The process must be ended, and even if that
// does not happen, no commit may be acknowledged that is not on disk. (A failure when logs change ends the process by
// a panic of Pebble's, which a test would not survive.)
func TestLogFailure(t *testing.T) {
	for after := int64(0); after < 80; after += 7 {
		memory := vfs.NewCrashableMem()
		var armed atomic.Bool
		var ended atomic.Int64
		o := testOptions(failingDisk(memory, ".log", after, &armed))
		o.Fatal = func(string) { ended.Add(1) }
		s := mustOpen(t, o)
		armed.Store(true)
		load := newCounterLoad(2)
		load.run(s, 60, func(err error) {
			if !errors.Is(err, kv.ErrCommitUnknown) && !errors.Is(err, kv.ErrUnavailable) {
				t.Errorf("failure at %d: %v", after, err)
			}
		})
		if _, err := s.Begin(ctx, kv.TxnOptions{}); !errors.Is(err, kv.ErrUnavailable) {
			t.Errorf("failure at %d: begin: %v", after, err)
		}
		load.check(t, load.crash(memory, nil, 0, fmt.Sprintf("failure at operation %d", after)), openTest)
		_ = s.Close()
		if ended.Load() == 0 {
			t.Errorf("failure at %d does not end the process", after)
		}
	}
}

// TestOtherFailure lets other files fail, which must end the process as well, since commits would wait for ever. As in
// a process that ends, the goroutine that ends it goes no further.
func TestOtherFailure(t *testing.T) {
	for _, file := range []string{".sst", "MANIFEST"} {
		for after := int64(0); after < 9; after += 4 {
			memory := vfs.NewCrashableMem()
			var armed atomic.Bool
			load := newCounterLoad(2)
			left := make(chan crashState, 1)
			o := crashOptions(failingDisk(memory, file, after, &armed))
			o.FlushGrace = 20 * time.Millisecond
			o.Fatal = func(string) {
				left <- load.crash(memory, nil, 0, fmt.Sprintf("failure of %s at operation %d", file, after))
				select {}
			}
			s, err := Open(o) // it is never closed
			if err != nil {
				t.Fatal(err)
			}
			armed.Store(true)
			go load.run(s, 1000, func(error) {})
			select {
			case c := <-left:
				load.check(t, c, openTest)
			case <-time.After(20 * time.Second):
				t.Fatalf("a failure of %s does not end the process", file)
			}
		}
	}
}

// TestFatalEndsProcess runs this test in a process of its own, where the log cannot be written.
func TestFatalEndsProcess(t *testing.T) {
	if dir := os.Getenv("HOLDFAST_TEST_FATAL"); dir != "" {
		failing := errorfs.Wrap(vfs.Default, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if strings.HasSuffix(op.Path, ".log") && op.Kind == errorfs.OpFileSyncData {
				return errors.New("the disk is gone")
			}
			return nil
		}))
		s, err := Open(Options{Folder: dir, FS: failing, Merge: conformance.Merge})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		_, err = newCounterLoad(1).transaction(s, 0, 1)
		fmt.Println("still alive:", err)
		os.Exit(0)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestFatalEndsProcess$")
	cmd.Env = append(os.Environ(), "HOLDFAST_TEST_FATAL="+t.TempDir()+"/data")
	out, err := cmd.CombinedOutput()
	exit := (*exec.ExitError)(nil)
	if !errors.As(err, &exit) || exit.ExitCode() != 3 || !strings.Contains(string(out), "the disk is gone") {
		t.Errorf("%v, output %s", err, out)
	}
}
