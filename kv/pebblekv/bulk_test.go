package pebblekv

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"holdfast/kv"
	"holdfast/kv/crashdisk"
	"holdfast/kv/internal/fault"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// bulkOptions let a transaction of a few hundred rows be committed by tables.
func bulkOptions(fs vfs.FS) Options {
	o := testOptions(fs)
	o.SpillBytes = 8 << 10
	return o
}

// bulkRows is how many rows a bulk transaction of these tests writes, of 100 bytes and more.
const bulkRows = 400

func bulkKey(i int) []byte { return fmt.Appendf(nil, "bulk/%04d", i) }

// bulkWrite sets all rows to a number and to what somebody has seen.
func bulkWrite(txn kv.Txn, n uint64, seen []byte) error {
	for i := range bulkRows {
		value := make([]byte, 100)
		binary.BigEndian.PutUint64(value, n)
		copy(value[8:16], seen)
		if err := txn.Set(bulkKey(i), value, kv.AllColumns); err != nil {
			return err
		}
	}
	return nil
}

// bulkSums are accumulators that lie before, between and behind the rows.
var bulkSums = []string{"bulk", "bulk/0100+", "bulk/0100++", "bulk/0300+", "bulks"}

// bulkAdd adds one to each of them, and to one that small commits add to as well.
func bulkAdd(txn kv.Txn) error {
	for _, key := range append(bulkSums, "sum") {
		if err := txn.Accumulate([]byte(key), []byte("1")); err != nil {
			return err
		}
	}
	return nil
}

// bulkState is the number of the last bulk transaction, which must be there whole, the counter that was seen before it, and
// the counter now.
func bulkState(t *testing.T, r kv.Reader, where string) (n, seen, counter uint64) {
	t.Helper()
	first, ok, err := r.Get(ctx, bulkKey(0), kv.AllColumns)
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	it := r.Scan(ctx, kv.PrefixRange([]byte("bulk/")), kv.ScanOptions{})
	for it.Next() {
		if bytes.HasSuffix(it.Key(), []byte("+")) {
			continue
		}
		rows++
		if !bytes.Equal(it.Value(), first) {
			t.Errorf("%s: row %s is of another transaction than the first", where, it.Key())
		}
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	if ok && rows != bulkRows || !ok && rows != 0 {
		t.Errorf("%s: %d rows", where, rows)
	}
	if ok {
		n, seen = binary.BigEndian.Uint64(first), binary.BigEndian.Uint64(first[8:])
	}
	if value, ok, err := r.Get(ctx, []byte("counter"), kv.AllColumns); err != nil {
		t.Fatal(err)
	} else if ok {
		counter = binary.BigEndian.Uint64(value)
	}
	return n, seen, counter
}

// checkBulkSums compares the accumulators with the numbers of transactions.
func checkBulkSums(t *testing.T, r kv.Reader, n, counter uint64, where string) {
	t.Helper()
	for _, key := range append(bulkSums, "sum") {
		want := n
		if key == "sum" {
			want += counter
		}
		value, ok, err := r.Get(ctx, []byte(key), kv.AllColumns)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(value); ok != (want > 0) || ok && got != fmt.Sprint(want) {
			t.Errorf("%s: accumulator %s is %q after %d bulk and %d small transactions", where, key, got, n, counter)
		}
	}
}

// bulkCrash is a disk after a crash and what must be on it.
type bulkCrash struct {
	disk          *vfs.MemFS
	bulk, counter uint64 // at least these transactions
	where         string
}

// TestBulkCrash crashes at each step of commits that are made of tables, and before operations on files, while small
// commits go on: a crash leaves all of a transaction or nothing, all that was acknowledged, and no transaction without those it
// has seen.
func TestBulkCrash(t *testing.T) {
	memory := vfs.NewCrashableMem()
	random := rand.New(rand.NewPCG(5, 6))
	var mu sync.Mutex
	var crashes []bulkCrash
	steps := map[fault.Step]int{}
	var bulk, counter atomic.Uint64 // acknowledged
	crash := func(percent int, where string) {
		c := bulkCrash{bulk: bulk.Load(), counter: counter.Load(), where: fmt.Sprintf("%s with %d%% of the unsynced", where, percent)}
		c.disk = crashdisk.Clone(memory, vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: random})
		crashes = append(crashes, c)
	}
	o := bulkOptions(crashAtOperations(memory, 11, func(where string) {
		mu.Lock()
		defer mu.Unlock()
		crash(100*random.IntN(2), where)
	}))
	o.MemtableBytes = 64 << 10
	o.Fault.Step = func(step fault.Step) {
		mu.Lock()
		defer mu.Unlock()
		if steps[step]++; steps[step]%5 == 1 || step == fault.StepMerged || step == fault.StepReserved {
			crash(50*random.IntN(3), string(step))
		}
	}
	s := mustOpen(t, o)
	const rounds = 12
	var stop atomic.Bool
	var wait sync.WaitGroup
	wait.Go(func() {
		for i := uint64(1); !stop.Load(); i++ {
			txn, err := s.Begin(ctx, kv.TxnOptions{})
			if err == nil {
				err = errors.Join(
					txn.Set([]byte("counter"), binary.BigEndian.AppendUint64(nil, i), kv.AllColumns),
					txn.Accumulate([]byte("sum"), []byte("1")))
				if err == nil {
					_, err = txn.Commit(ctx)
				}
			}
			if err != nil {
				t.Error(err)
				return
			}
			counter.Store(i)
		}
	})
	for i := uint64(1); i <= rounds; i++ {
		txn := mustBegin(t, s, kv.TxnOptions{})
		if err := bulkWrite(txn, i, nil); err != nil {
			t.Fatal(err)
		}
		// What has been sequenced, and may not be durable, comes before this transaction. It is not read by the transaction
		// itself, which would conflict with the next change.
		newest := mustBegin(t, s, kv.TxnOptions{ReadOnly: true, Newest: true})
		seen, _, err := newest.Get(ctx, []byte("counter"), kv.AllColumns)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(bulkWrite(txn, i, seen), bulkAdd(txn)); err != nil {
			t.Fatal(err)
		}
		if _, err := txn.Commit(ctx); err != nil {
			t.Fatal(err)
		}
		bulk.Store(i)
	}
	stop.Store(true)
	wait.Wait()
	if n := s.Stats().Ingests; n != rounds {
		t.Errorf("%d of %d commits are made of tables", n, rounds)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if steps[fault.StepMerged] != rounds || steps[fault.StepReserved] != rounds {
		t.Errorf("steps: %v", steps)
	}
	for _, c := range crashes {
		checkBulkCrash(t, c)
	}
	t.Logf("%d crashes", len(crashes))
}

func checkBulkCrash(t *testing.T, c bulkCrash) {
	t.Helper()
	s, err := openTest(c.disk)
	if err != nil {
		t.Fatalf("crash at %s: open: %v", c.where, err)
	}
	defer s.Close()
	txn := mustBegin(t, s, kv.TxnOptions{})
	n, seen, counter := bulkState(t, txn, "crash at "+c.where)
	checkBulkSums(t, txn, n, counter, "crash at "+c.where)
	if n < c.bulk || counter < c.counter {
		t.Errorf("crash at %s: bulk transaction %d and counter %d, acknowledged are %d and %d", c.where, n, counter, c.bulk, c.counter)
	}
	if counter < seen {
		t.Errorf("crash at %s: counter %d, a transaction that has seen %d is there", c.where, counter, seen)
	}
	if names, err := c.disk.List("data/" + spillFolder); err == nil && len(names) > 0 {
		t.Errorf("crash at %s: temporary files %v after the start", c.where, names)
	}
	put(t, s, "and=on")
}

// fullDisk lets operations that need room fail once armed, on paths that hold a text.
func fullDisk(fs vfs.FS, on string, left *atomic.Int64) vfs.FS {
	return errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		switch op.Kind {
		case errorfs.OpCreate, errorfs.OpFileWrite, errorfs.OpFileSync, errorfs.OpLink:
			if strings.Contains(op.Path, on) && left.Add(-1) < 0 {
				return syscall.ENOSPC
			}
		}
		return nil
	}))
}

// TestBulkDiskFull lets the disk be full after any number of operations of a transaction that spills: it fails with an error
// that says so, nothing of it is left, and others go on.
func TestBulkDiskFull(t *testing.T) {
	const never = 1 << 40
	for after := int64(0); ; after += 3 {
		memory := vfs.NewMem()
		var left atomic.Int64
		left.Store(never)
		s := mustOpen(t, bulkOptions(fullDisk(memory, spillFolder, &left)))
		put(t, s, "a=1")
		txn := mustBegin(t, s, kv.TxnOptions{})
		left.Store(after)
		err := errors.Join(bulkWrite(txn, 1, nil), bulkAdd(txn))
		if err == nil {
			_, err = txn.Commit(ctx)
		}
		left.Store(never)
		txn.Rollback()
		if err == nil {
			t.Logf("enough room for %d operations", after)
			if after < 10 {
				t.Error("a full disk goes unnoticed")
			}
			return
		}
		if !errors.Is(err, kv.ErrDiskFull) || !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("disk full after %d operations: %v", after, err)
		}
		put(t, s, "b=1")
		if n, _, _ := bulkState(t, mustBegin(t, s, kv.TxnOptions{}), fmt.Sprint("full after ", after)); n != 0 {
			t.Errorf("disk full after %d operations: the transaction is there", after)
		}
		if names, _ := memory.List("data/" + spillFolder); len(names) > 0 {
			t.Errorf("disk full after %d operations: left behind are %v", after, names)
		}
		txn = mustBegin(t, s, kv.TxnOptions{})
		if err := errors.Join(bulkWrite(txn, 2, nil), bulkAdd(txn)); err != nil {
			t.Fatal(err)
		}
		if _, err := txn.Commit(ctx); err != nil {
			t.Fatalf("with room again: %v", err)
		}
		checkBulkSums(t, mustBegin(t, s, kv.TxnOptions{}), 1, 0, "with room again")
	}
}

// TestBulkCannotLink lets the disk be full when the tables of a validated transaction become part of the store. Its version is
// taken, and those who wait for it go on.
func TestBulkCannotLink(t *testing.T) {
	memory := vfs.NewMem()
	var full atomic.Bool
	o := bulkOptions(errorfs.Wrap(memory, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if full.Load() && (op.Kind == errorfs.OpLink || op.Kind == errorfs.OpCreate) {
			return syscall.ENOSPC
		}
		return nil
	})))
	o.Fault.Step = func(step fault.Step) { full.Store(step == fault.StepReserved) }
	s := mustOpen(t, o)
	early := mustBegin(t, s, kv.TxnOptions{})
	txn := mustBegin(t, s, kv.TxnOptions{})
	if err := errors.Join(bulkWrite(txn, 1, nil), bulkAdd(txn)); err != nil {
		t.Fatal(err)
	}
	_, err := txn.Commit(ctx)
	full.Store(false)
	if !errors.Is(err, kv.ErrDiskFull) || errors.Is(err, kv.ErrCommitUnknown) {
		t.Fatalf("commit: %v", err)
	}
	// The index of recent writes has the transaction nevertheless.
	if err := early.Lock(ctx, [][]byte{bulkKey(1)}, kv.LockUpdate, kv.WaitPolicy{}); !errors.Is(err, kv.ErrStale) {
		t.Fatalf("lock: %v", err)
	}
	if err := early.Refresh(ctx); err != nil {
		t.Fatal(err)
	}
	if err := early.Lock(ctx, [][]byte{bulkKey(1)}, kv.LockUpdate, kv.WaitPolicy{}); err != nil {
		t.Fatalf("lock after the refresh: %v", err)
	}
	if n, _, _ := bulkState(t, early, "after the failure"); n != 0 {
		t.Error("the transaction is there")
	}
	checkBulkSums(t, early, 0, 0, "after the failure")
	early.Rollback()
	small := mustBegin(t, s, kv.TxnOptions{})
	if err := small.Accumulate([]byte("sum"), []byte("1")); err != nil {
		t.Fatal(err)
	}
	if _, err := small.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	checkBulkSums(t, mustBegin(t, s, kv.TxnOptions{}), 0, 1, "after the failure and a small commit")
}

// TestBulkBesideOthers: while a large transaction is being prepared, small ones are committed; what conflicts with it is
// found on both sides, and who has begun before it does not see it.
func TestBulkBesideOthers(t *testing.T) {
	o := bulkOptions(vfs.NewMem())
	prepared, goOn := make(chan struct{}), make(chan struct{})
	var armed atomic.Bool
	o.Fault.Step = func(step fault.Step) {
		if step == fault.StepMerged && armed.CompareAndSwap(true, false) {
			close(prepared)
			<-goOn
		}
	}
	s := mustOpen(t, o)
	bulk := func(n uint64, read string) kv.Txn {
		txn := mustBegin(t, s, kv.TxnOptions{})
		if read != "" {
			if _, _, err := txn.Get(ctx, []byte(read), kv.AllColumns); err != nil {
				t.Fatal(err)
			}
		}
		if err := bulkWrite(txn, n, nil); err != nil {
			t.Fatal(err)
		}
		return txn
	}
	reader := mustBegin(t, s, kv.TxnOptions{})
	watcher := mustBegin(t, s, kv.TxnOptions{}) // has seen that a row of the bulk is not there
	if _, ok, err := watcher.Get(ctx, bulkKey(7), kv.AllColumns); err != nil || ok {
		t.Fatal(ok, err)
	}
	txn := bulk(1, "other")
	armed.Store(true)
	done := make(chan error, 1)
	go func() {
		_, err := txn.Commit(ctx)
		done <- err
	}()
	<-prepared
	for i := range 10 {
		put(t, s, fmt.Sprintf("small%d=1", i)) // would wait for ever if they had to wait
	}
	if n, _, _ := bulkState(t, mustBegin(t, s, kv.TxnOptions{}), "while preparing"); n != 0 {
		t.Error("a transaction shows before it is committed")
	}
	close(goOn)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if n, _, _ := bulkState(t, reader, "older snapshot"); n != 0 {
		t.Error("a snapshot changes")
	}
	if n, _, _ := bulkState(t, mustBegin(t, s, kv.TxnOptions{}), "newer snapshot"); n != 1 {
		t.Errorf("transaction %d, want 1", n)
	}
	if err := watcher.Set([]byte("seen"), nil, kv.AllColumns); err != nil {
		t.Fatal(err)
	}
	if _, err := watcher.Commit(ctx); !errors.Is(err, kv.ErrConflict) {
		t.Errorf("a reader of what the bulk has written: %v", err)
	}

	prepared, goOn = make(chan struct{}), make(chan struct{})
	txn = bulk(2, "other")
	armed.Store(true)
	go func() {
		_, err := txn.Commit(ctx)
		done <- err
	}()
	<-prepared
	put(t, s, "other=changed")
	close(goOn)
	if err := <-done; !errors.Is(err, kv.ErrConflict) {
		t.Errorf("the bulk has read what was changed while it was prepared: %v", err)
	}
	if n, _, _ := bulkState(t, mustBegin(t, s, kv.TxnOptions{}), "after a conflict"); n != 1 {
		t.Errorf("transaction %d, want 1", n)
	}
}

// TestManyLocksOfOne: beyond the bound of its locks, a transaction still waits for others, and what it would have locked must be
// unchanged at its commit.
func TestManyLocksOfOne(t *testing.T) {
	o := testOptions(vfs.NewMem())
	o.TxnLocks = 2
	s := mustOpen(t, o)
	put(t, s, "a=1", "b=1", "c=1", "d=1")
	keys := func(names string) (list [][]byte) {
		for _, n := range names {
			list = append(list, []byte(string(n)))
		}
		return list
	}
	many := mustBegin(t, s, kv.TxnOptions{})
	other := mustBegin(t, s, kv.TxnOptions{})
	if err := other.Lock(ctx, keys("d"), kv.LockUpdate, kv.WaitPolicy{}); err != nil {
		t.Fatal(err)
	}
	if err := many.Lock(ctx, keys("abc"), kv.LockUpdate, kv.WaitPolicy{}); err != nil {
		t.Fatal(err)
	}
	if err := many.Lock(ctx, keys("d"), kv.LockUpdate, kv.WaitPolicy{NoWait: true}); !errors.Is(err, kv.ErrLockNotAvailable) {
		t.Errorf("a key that is locked: %v", err)
	}
	if n := s.locks.Stats().Locks; n != 3 {
		t.Errorf("%d locks", n)
	}
	if err := other.Lock(ctx, keys("b"), kv.LockUpdate, kv.WaitPolicy{NoWait: true}); !errors.Is(err, kv.ErrLockNotAvailable) {
		t.Errorf("a key within the bound: %v", err)
	}
	if err := other.Set([]byte("c"), []byte("2"), kv.AllColumns); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	if err := many.Set([]byte("c"), []byte("3"), kv.AllColumns); err != nil {
		t.Fatal(err)
	}
	if _, err := many.Commit(ctx); !errors.Is(err, kv.ErrConflict) {
		t.Errorf("a key beyond the bound has been written: %v", err)
	}
}

// TestBulkMemory: a transaction of a million rows takes a small part of their size in memory.
func TestBulkMemory(t *testing.T) {
	const (
		rows     = 1_000_000
		rowBytes = 100
		most     = 160 << 20 // of the heap; the writes alone are 132 MB, and took five times that in memory
	)
	o := testOptions(vfs.Default)
	o.Folder = filepath.Join(t.TempDir(), "data")
	o.MaxTxnBytes, o.SpillBytes = 1<<30, 8<<20
	s := mustOpen(t, o)
	runtime.GC()
	var peak atomic.Uint64
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		var m runtime.MemStats
		for {
			runtime.ReadMemStats(&m)
			peak.Store(max(peak.Load(), m.HeapInuse))
			select {
			case <-stop:
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	}()
	txn := mustBegin(t, s, kv.TxnOptions{})
	for i := range rows {
		key := binary.BigEndian.AppendUint64([]byte("rows"), uint64(i*7919%rows)) // not in order
		if _, ok, err := txn.Get(ctx, key, kv.Existence); err != nil || ok {
			t.Fatal(ok, err)
		}
		if err := txn.Set(key, make([]byte, rowBytes), kv.AllColumns); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := txn.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	close(stop)
	<-stopped
	t.Logf("%d MiB at most", peak.Load()>>20)
	if peak.Load() > most {
		t.Errorf("the heap has grown to %d MiB", peak.Load()>>20)
	}
	n := 0
	it := mustBegin(t, s, kv.TxnOptions{}).Scan(ctx, kv.PrefixRange([]byte("rows")), kv.ScanOptions{KeysOnly: true, Bulk: true})
	for it.Next() {
		n++
	}
	if err := it.Close(); err != nil || n != rows {
		t.Errorf("%d rows, %v", n, err)
	}
}

// TestBulkWaitsForTheLog: tables become part of the store only when all earlier commits are on disk.
func TestBulkWaitsForTheLog(t *testing.T) {
	d := crashdisk.New(vfs.NewCrashableMem())
	o := bulkOptions(d)
	sequenced, reserved := make(chan struct{}), make(chan struct{})
	var once sync.Once
	o.Fault.Step = func(step fault.Step) {
		switch step {
		case fault.StepReleased:
			once.Do(func() { close(sequenced) })
		case fault.StepReserved:
			close(reserved)
		}
	}
	s := mustOpen(t, o)
	txn := mustBegin(t, s, kv.TxnOptions{})
	if err := bulkWrite(txn, 1, nil); err != nil {
		t.Fatal(err)
	}
	resume := d.Pause()
	done := make(chan error, 2)
	go func() {
		small, err := s.Begin(ctx, kv.TxnOptions{})
		if err == nil {
			if err = small.Set([]byte("counter"), make([]byte, 8), kv.AllColumns); err == nil {
				_, err = small.Commit(ctx)
			}
		}
		done <- err
	}()
	<-sequenced
	go func() {
		_, err := txn.Commit(ctx)
		done <- err
	}()
	select {
	case <-reserved:
		t.Error("a commit made of tables does not wait for those before it")
	case <-time.After(100 * time.Millisecond): // it would come sooner
	}
	crashed := d.Memory().CrashClone(vfs.CrashCloneCfg{})
	resume()
	for range 2 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	again := mustOpen(t, testOptions(crashed))
	r := mustBegin(t, again, kv.TxnOptions{})
	_, small, err := r.Get(ctx, []byte("counter"), kv.AllColumns)
	if err != nil {
		t.Fatal(err)
	}
	if n, _, _ := bulkState(t, r, "crash before the log is synced"); n != 0 && !small {
		t.Error("a commit made of tables survives one before it")
	}
}

// TestOwnReads: a transaction that has inserted far more keys than a footprint holds conflicts with the same keys of others,
// and not with keys between its own.
func TestOwnReads(t *testing.T) {
	const keys = 3000
	key := func(i int) []byte { return fmt.Appendf(nil, "key/%05d", i) }
	insert := func(txn kv.Txn, from, to int) {
		t.Helper()
		for i := from; i < to; i++ {
			k := key(2 * (i * 7 % keys))
			if _, ok, err := txn.Get(ctx, k, kv.Existence); err != nil || ok {
				t.Fatal(ok, err)
			}
			if err := txn.Set(k, make([]byte, 50), kv.AllColumns); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, spills := range []bool{false, true} {
		for _, c := range []struct {
			name     string
			other    int  // the key that somebody else inserts meanwhile
			undo     bool // the inserts
			retract  bool // the inserts and their reads
			refresh  bool
			conflict bool
		}{
			{name: "a key between", other: 2*keys/2 + 1},
			{name: "a key between, refreshed", other: 2*keys/2 + 1, refresh: true},
			{name: "an own key", other: 2 * keys / 2, conflict: true},
			{name: "an own key, refreshed", other: 2 * keys / 2, refresh: true, conflict: true},
			{name: "a key that was read and is not written", other: 2 * keys / 2, undo: true, conflict: true},
			{name: "a key that counts as not read", other: 2 * keys / 2, retract: true},
		} {
			t.Run(fmt.Sprintf("%s, spills %v", c.name, spills), func(t *testing.T) {
				o := testOptions(vfs.NewMem())
				o.FootprintReads = 200
				if spills {
					o.SpillBytes = 20 << 10
				}
				s := mustOpen(t, o)
				txn := mustBegin(t, s, kv.TxnOptions{})
				if err := txn.Set([]byte("result"), nil, kv.AllColumns); err != nil {
					t.Fatal(err)
				}
				mark := txn.Savepoint()
				insert(txn, 0, keys/2)
				if !c.undo && !c.retract {
					txn.Savepoint()
				}
				insert(txn, keys/2, keys)
				if c.undo {
					txn.RollbackTo(mark)
				}
				if c.retract {
					txn.Retract(mark)
				}
				put(t, s, string(key(c.other))+"=other")
				var err error
				if c.refresh {
					err = txn.Refresh(ctx)
				}
				if err == nil {
					_, err = txn.Commit(ctx)
				}
				if conflict := errors.Is(err, kv.ErrConflict); conflict != c.conflict || err != nil && !conflict {
					t.Errorf("commit: %v", err)
				}
			})
		}
	}
}
