package pebblekv

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/kv"
	"holdfast/kv/crashdisk"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func mustBegin(t testing.TB, s *Store, o kv.TxnOptions) kv.Txn {
	t.Helper()
	txn, err := s.Begin(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(txn.Rollback)
	return txn
}

// put commits pairs of new rows.
func put(t testing.TB, s *Store, pairs ...string) kv.Version {
	t.Helper()
	txn := mustBegin(t, s, kv.TxnOptions{})
	for _, p := range pairs {
		key, value, _ := strings.Cut(p, "=")
		if err := txn.Set([]byte(key), []byte(value), kv.AllColumns); err != nil {
			t.Fatal(err)
		}
	}
	v, err := txn.Commit(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func content(t testing.TB, r kv.Reader, of kv.KeyRange) string {
	t.Helper()
	var out []string
	it := r.Scan(ctx, of, kv.ScanOptions{})
	for it.Next() {
		out = append(out, fmt.Sprintf("%s=%s", it.Key(), it.Value()))
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, " ")
}

// TestFolder: what is made of a folder, and which are refused, each with one line.
func TestFolder(t *testing.T) {
	write := func(name, text string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		name    string
		prepare func(t *testing.T, dir string)
		want    error
		message string
	}{
		{"absent", func(*testing.T, string) {}, nil, ""},
		{"empty", func(t *testing.T, dir string) { _ = os.MkdirAll(dir, 0o700) }, nil, ""},
		{"first start interrupted", write("HOLDFAST.tmp", "hold"), nil, ""},
		{"first start interrupted after the marker", write("HOLDFAST", "holdfast data format 2\n"), nil, ""},
		{"older", write("HOLDFAST", "holdfast data format 1\n"), nil, ""},
		{"other files", write("PG_VERSION", "15\n"), kv.ErrFormat, "has files in it, but no HOLDFAST file"},
		{"newer", write("HOLDFAST", "holdfast data format 3\n"), kv.ErrFormat, "has format 3, this program knows up to 2"},
		{"not understood", write("HOLDFAST", "?\n"), kv.ErrFormat, "not understood"},
		{"a file", func(t *testing.T, dir string) { _ = os.WriteFile(dir, nil, 0o600) }, kv.ErrFormat, "is not a folder"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "a", "b")
			_ = os.MkdirAll(filepath.Dir(dir), 0o700)
			c.prepare(t, dir)
			before := names(dir)
			for range 2 {
				s, err := Open(Options{Folder: dir, Logger: quiet})
				if !errors.Is(err, c.want) || err == nil != (c.want == nil) {
					t.Fatal(err)
				}
				if err != nil {
					if text := err.Error(); !strings.Contains(text, c.message) || strings.Contains(text, "\n") {
						t.Error(text)
					}
					if after := names(dir); !slices.Equal(before, after) {
						t.Errorf("a refused folder has been changed from %v to %v", before, after)
					}
					continue
				}
				put(t, s, "a=1")
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				if marker, err := os.ReadFile(filepath.Join(dir, "HOLDFAST")); string(marker) != "holdfast data format 2\n" {
					t.Errorf("the marker is %q, %v", marker, err)
				}
			}
		})
	}
}

func names(dir string) (names []string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestNewerEngine: a folder that a newer Pebble has written is refused as such.
func TestNewerEngine(t *testing.T) {
	fs := vfs.NewMem()
	s := mustOpen(t, testOptions(fs))
	put(t, s, "a=1")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	files, _ := fs.List("data")
	for _, name := range files {
		if strings.HasPrefix(name, "marker.format-version.") {
			if err := fs.Remove("data/" + name); err != nil {
				t.Fatal(err)
			}
		}
	}
	f, err := fs.Create("data/marker.format-version.000999.999", vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	if _, err := Open(testOptions(fs)); !errors.Is(err, kv.ErrFormat) {
		t.Errorf("%v, want ErrFormat", err)
	}
}

// TestInUse: a folder is open once, in this process and in others.
func TestInUse(t *testing.T) {
	if dir := os.Getenv("HOLDFAST_TEST_IN_USE"); dir != "" {
		_, err := Open(Options{Folder: dir, Logger: quiet})
		fmt.Println("in use:", errors.Is(err, kv.ErrInUse), err)
		os.Exit(0)
	}
	dir := filepath.Join(t.TempDir(), "data")
	s := mustOpen(t, Options{Folder: dir, Logger: quiet})
	if _, err := Open(Options{Folder: dir, Logger: quiet}); !errors.Is(err, kv.ErrInUse) {
		t.Errorf("%v, want ErrInUse", err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestInUse$")
	cmd.Env = append(os.Environ(), "HOLDFAST_TEST_IN_USE="+dir)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.HasPrefix(string(out), "in use: true") {
		t.Errorf("%v, output %s", err, out)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := mustOpen(t, Options{Folder: dir, Logger: quiet})
	put(t, again, "a=1")
}

// TestKeys: the stored form of keys keeps their order, can be undone, and leaves room for the store's own.
func TestKeys(t *testing.T) {
	key := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 2, 'v', 0xff}), 0, 5)
	rapid.Check(t, func(t *rapid.T) {
		a, b := key.Draw(t, "a"), key.Draw(t, "b")
		x, y := encodeKey(a), encodeKey(b)
		if bytes.Compare(a, b) != bytes.Compare(x, y) {
			t.Fatalf("%x %x as %x %x", a, b, x, y)
		}
		if !bytes.Equal(decodeKey(x), a) {
			t.Fatalf("%x as %x as %x", a, x, decodeKey(x))
		}
		if bytes.Compare(x, firstKey) < 0 || bytes.Compare(x, lastKey) >= 0 || bytes.Compare(versionKey, firstKey) >= 0 {
			t.Fatalf("%x is outside", x)
		}
	})
}

// TestOddKeys: a client may use every key, and sees only its own.
func TestOddKeys(t *testing.T) {
	s := mustOpen(t, testOptions(vfs.NewMem()))
	put(t, s, "=empty", "\x00=zero", "\x00\x00v=version", "\x00\x01=one", "\xff\xff\xff=last")
	txn := mustBegin(t, s, kv.TxnOptions{})
	want := "=empty \x00=zero \x00\x00v=version \x00\x01=one \xff\xff\xff=last"
	if got := content(t, txn, kv.KeyRange{}); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := content(t, txn, kv.KeyRange{Start: []byte{0}, End: []byte{0, 1}}); got != "\x00=zero \x00\x00v=version" {
		t.Errorf("%q", got)
	}
	if v, ok, err := txn.Get(ctx, nil, kv.AllColumns); !ok || err != nil || string(v) != "empty" {
		t.Errorf("%q %v %v", v, ok, err)
	}
}

// TestDiscard removes a range for those who come later, and leaves it to open snapshots.
func TestDiscard(t *testing.T) {
	fs := vfs.NewMem()
	s := mustOpen(t, testOptions(fs))
	put(t, s, "a=1", "b=1", "b2=1", "c=1", "\xff=1")
	before := mustBegin(t, s, kv.TxnOptions{ReadOnly: true})
	if err := s.Discard(ctx, kv.KeyRange{Start: []byte("b"), End: []byte("c")}); err != nil {
		t.Fatal(err)
	}
	put(t, s, "d=1")
	if got := content(t, before, kv.KeyRange{}); got != "a=1 b=1 b2=1 c=1 \xff=1" {
		t.Errorf("%q", got)
	}
	before.Rollback()
	if got := content(t, mustBegin(t, s, kv.TxnOptions{}), kv.KeyRange{}); got != "a=1 c=1 d=1 \xff=1" {
		t.Errorf("%q", got)
	}
	if err := s.Discard(ctx, kv.KeyRange{Start: []byte("c")}); err != nil {
		t.Fatal(err)
	}
	if err := s.Discard(ctx, kv.KeyRange{}); err != nil {
		t.Fatal(err)
	}
	version := put(t, s, "e=1")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, testOptions(fs))
	txn := mustBegin(t, s, kv.TxnOptions{})
	if got := content(t, txn, kv.KeyRange{}); got != "e=1" || txn.ReadVersion() != version {
		t.Errorf("%q at %d, want version %d", got, txn.ReadVersion(), version)
	}
}

// TestCheckpoint: a copy made under load has what was acknowledged before, and whole transactions.
func TestCheckpoint(t *testing.T) {
	fs := vfs.NewMem()
	s := mustOpen(t, testOptions(fs))
	load := newCounterLoad(3)
	load.run(s, 20, func(err error) { t.Error(err) })
	c := crashState{disk: fs, acked: []int64{20, 20, 20}, version: make([]uint64, 3), where: "checkpoint"}
	done := make(chan struct{})
	go func() {
		defer close(done)
		load.run(s, 200, func(err error) { t.Error(err) })
	}()
	if err := s.Checkpoint("copy"); err != nil {
		t.Fatal(err)
	}
	load.check(t, c, func(fs vfs.FS) (*Store, error) {
		o := testOptions(fs)
		o.Folder = "copy"
		return Open(o)
	})
	<-done
	if err := s.Checkpoint("copy"); err == nil {
		t.Error("a checkpoint replaces another")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Checkpoint("late"); !errors.Is(err, kv.ErrUnavailable) {
		t.Errorf("%v, want ErrUnavailable", err)
	}
}

// TestLarge: transactions whose batches are made outside the sequencer, become runs of the index, and are larger
// than a memtable, alone and in a group with small ones.
func TestLarge(t *testing.T) {
	fs := vfs.NewMem()
	o := testOptions(fs)
	o.MaxTxnBytes = 64 << 20
	s := mustOpen(t, o)
	reader := mustBegin(t, s, kv.TxnOptions{})
	if _, _, err := reader.Get(ctx, []byte("1/00500"), kv.AllColumns); err != nil {
		t.Fatal(err)
	}
	const rows = 3000
	var wait sync.WaitGroup
	for w := range 4 {
		wait.Go(func() {
			txn := mustBegin(t, s, kv.TxnOptions{})
			for i := range rows {
				_ = txn.Set(fmt.Appendf(nil, "%d/%05d", w, i), make([]byte, 1000), kv.AllColumns)
			}
			if _, err := txn.Commit(ctx); err != nil {
				t.Error(err)
			}
		})
		wait.Go(func() {
			for i := range 50 {
				put(t, s, fmt.Sprintf("small/%d/%d=1", w, i))
			}
		})
	}
	wait.Wait()
	if s.Stats().Recent.Runs == 0 {
		t.Error("no runs in the index of recent writes")
	}
	_ = reader.Set([]byte("x"), nil, kv.AllColumns)
	conflict := (*kv.ConflictError)(nil)
	if _, err := reader.Commit(ctx); !errors.As(err, &conflict) || string(conflict.Start) != "1/00500" {
		t.Errorf("%v, want a conflict on 1/00500", err)
	}
	for range 2 {
		txn := mustBegin(t, s, kv.TxnOptions{ReadOnly: true})
		for _, reverse := range []bool{false, true} {
			n := 0
			it := txn.Scan(ctx, kv.KeyRange{}, kv.ScanOptions{Reverse: reverse})
			for it.Next() {
				n++
			}
			if err := it.Close(); err != nil || n != 4*(rows+50) {
				t.Errorf("%d pairs, %v", n, err)
			}
		}
		txn.Rollback()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = mustOpen(t, o)
	}
}

// TestGroups: commits that arrive while others wait for the disk share groups and syncs.
func TestGroups(t *testing.T) {
	d := crashdisk.New(vfs.NewCrashableMem())
	s := mustOpen(t, testOptions(d))
	put(t, s, "a=1")
	before := s.Stats()
	resume := d.Pause()
	const writers = 500
	inFlight := uint64(usualLimits.groupsInFlight)
	var wait sync.WaitGroup
	for i := range writers {
		wait.Go(func() { put(t, s, fmt.Sprintf("k%d=1", i)) })
	}
	// More groups than may be in flight cannot be sequenced before the disk goes on.
	for st := s.Stats(); st.Groups < before.Groups+inFlight && st.Commits < before.Commits+writers; st = s.Stats() {
		time.Sleep(100 * time.Microsecond)
	}
	if live := s.Stats().LiveSnapshots; live > usualLimits.groupsInFlight+4 {
		t.Errorf("%d snapshots", live)
	}
	resume()
	wait.Wait()
	after := s.Stats()
	if n := after.Commits - before.Commits; n != writers {
		t.Errorf("%d commits", n)
	}
	if n := after.Groups - before.Groups; n > 2*inFlight {
		t.Errorf("%d groups", n)
	}
	if after.OpenTxns != 0 || after.LiveSnapshots != 1 || after.Version != after.Durable || after.Horizon != after.Version {
		t.Errorf("%+v", after)
	}
}

// TestHorizon: the index of recent writes keeps what an open transaction may still be validated against, is not
// kept by read-only ones, and is empty again in the end.
func TestHorizon(t *testing.T) {
	s := mustOpen(t, testOptions(vfs.NewMem()))
	first := put(t, s, "a=1")
	writer := mustBegin(t, s, kv.TxnOptions{})
	if _, _, err := writer.Get(ctx, []byte("k7"), kv.AllColumns); err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		put(t, s, fmt.Sprintf("k%d=1", i))
	}
	if st := s.Stats(); st.Horizon != first || st.Recent.Keys != 100 {
		t.Errorf("%+v", st)
	}
	_ = writer.Set([]byte("x"), nil, kv.AllColumns)
	if _, err := writer.Commit(ctx); !errors.Is(err, kv.ErrConflict) {
		t.Errorf("%v, want a conflict", err)
	}
	writer.Rollback()
	reader := mustBegin(t, s, kv.TxnOptions{ReadOnly: true})
	for i := range 10 {
		put(t, s, fmt.Sprintf("l%d=1", i))
	}
	if st := s.Stats(); st.Recent.Keys > 2 || st.Horizon <= reader.ReadVersion() {
		t.Errorf("%+v", st)
	}
	if got := content(t, reader, kv.KeyRange{Start: []byte("l")}); got != "" {
		t.Errorf("the snapshot has %s", got)
	}
}

// TestCloseDrains: every commit that was taken is answered, and what is answered is there.
func TestCloseDrains(t *testing.T) {
	fs := vfs.NewMem()
	s := mustOpen(t, testOptions(fs))
	var mu sync.Mutex
	committed := map[string]bool{}
	var wait sync.WaitGroup
	started := make(chan struct{}, 1000)
	for w := range 8 {
		wait.Go(func() {
			for i := 0; ; i++ {
				key := fmt.Sprintf("%d/%d", w, i)
				txn, err := s.Begin(ctx, kv.TxnOptions{})
				if err == nil {
					_ = txn.Set([]byte(key), nil, kv.AllColumns)
					_, err = txn.Commit(ctx)
				}
				if err != nil {
					if !errors.Is(err, kv.ErrUnavailable) {
						t.Error(err)
					}
					return
				}
				mu.Lock()
				committed[key] = true
				mu.Unlock()
				select {
				case started <- struct{}{}:
				default:
				}
			}
		})
	}
	for range 100 {
		<-started
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	wait.Wait()
	s = mustOpen(t, testOptions(fs))
	txn := mustBegin(t, s, kv.TxnOptions{ReadOnly: true})
	n := 0
	it := txn.Scan(ctx, kv.KeyRange{}, kv.ScanOptions{})
	for it.Next() {
		if !committed[string(it.Key())] {
			t.Errorf("%s was never answered", it.Key())
		}
		n++
	}
	if err := it.Close(); err != nil || n != len(committed) {
		t.Errorf("%d of %d commits, %v", n, len(committed), err)
	}
}

// TestNothingLeft: a closed store leaves no goroutine behind.
func TestNothingLeft(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	s, err := Open(testOptions(vfs.NewMem()))
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, "a=1")
	txn := mustBegin(t, s, kv.TxnOptions{})
	it := txn.Scan(ctx, kv.KeyRange{}, kv.ScanOptions{})
	it.Next()
	txn.Rollback() // with the iterator open
	if it.Next() || it.Err() == nil || it.Key() != nil {
		t.Error("an iterator outlives its transaction")
	}
	if err := it.Close(); err == nil {
		t.Error("an iterator was cut off without an error")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestRacingClose closes the store under readers, writers and waiters.
func TestRacingClose(t *testing.T) {
	for range 20 {
		s, err := Open(testOptions(vfs.NewMem()))
		if err != nil {
			t.Fatal(err)
		}
		for i := range 50 {
			put(t, s, fmt.Sprintf("k%d=1", i))
		}
		var wait sync.WaitGroup
		running := make(chan struct{}, 8)
		for range 8 {
			wait.Go(func() {
				for n := 0; ; n++ {
					txn, err := s.Begin(ctx, kv.TxnOptions{})
					if err != nil {
						return
					}
					it := txn.Scan(ctx, kv.KeyRange{}, kv.ScanOptions{})
					for it.Next() {
						_ = append([]byte(nil), it.Key()...)
						_, _, _ = txn.Get(ctx, it.Key(), kv.AllColumns)
					}
					_ = it.Close()
					_ = txn.Lock(ctx, [][]byte{[]byte("k1")}, kv.LockUpdate, kv.WaitPolicy{})
					_ = txn.Set([]byte("k1"), []byte("2"), kv.AllColumns)
					_ = txn.Refresh(ctx)
					_, _ = txn.Commit(ctx)
					txn.Rollback()
					if n == 0 {
						running <- struct{}{}
					}
				}
			})
		}
		for range 8 {
			<-running
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		wait.Wait()
	}
}

// TestGetAllocations: a read in autocommit allocates the transaction, the value, and what Pebble needs.
func TestGetAllocations(t *testing.T) {
	s := mustOpen(t, testOptions(vfs.NewMem()))
	put(t, s, "key of a row=value of a row")
	key := []byte("key of a row")
	raw := testing.AllocsPerRun(200, func() {
		if _, closer, err := pebbleOf(s).Get(key); err == nil {
			_ = closer.Close()
		}
	})
	ours := testing.AllocsPerRun(200, func() {
		txn, _ := s.Begin(ctx, kv.TxnOptions{ReadOnly: true})
		if _, ok, err := txn.Get(ctx, key, kv.AllColumns); !ok || err != nil {
			t.Fatal(ok, err)
		}
		_, _ = txn.Commit(ctx)
	})
	if ours > raw+2 {
		t.Errorf("%v allocations, Pebble has %v", ours, raw)
	}
}

// TestEngineOptions: what the store relies on of Pebble.
func TestEngineOptions(t *testing.T) {
	s := mustOpen(t, testOptions(vfs.NewMem()))
	if v := pebbleOf(s).FormatMajorVersion(); v != pebble.FormatNewest {
		t.Errorf("format %v", v)
	}
	if o := (Options{}).withDefaults(); o.CacheBytes < minCache || o.CacheBytes > maxCache || o.MemtableBytes != 64<<20 {
		t.Errorf("%+v", o)
	}
}
