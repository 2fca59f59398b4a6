package spill

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"

	"holdfast/kv"
	"holdfast/kv/buffer"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

func mustFolder(t testing.TB, fs vfs.FS) *Folder {
	t.Helper()
	f, err := OpenFolder(fs, "spill")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// both is the same writes as Writes and as a sorted list.
type both struct {
	folder  *Folder
	memory  buffer.Buffer
	runs    []*Run
	ordered []buffer.Write
}

func (b *both) put(t testing.TB, w buffer.Write) {
	t.Helper()
	b.memory.Put(w, 0)
	i, found := slices.BinarySearchFunc(b.ordered, w, func(x, y buffer.Write) int { return bytes.Compare(x.Key, y.Key) })
	if found {
		w.Columns |= b.ordered[i].Columns
		b.ordered[i] = w
	} else {
		b.ordered = slices.Insert(b.ordered, i, w)
	}
}

func (b *both) spill(t testing.TB) {
	t.Helper()
	if b.memory.Len() == 0 {
		return
	}
	r, err := Write(b.folder, b.memory.Current())
	if err != nil {
		t.Fatal(err)
	}
	if r.Len() != b.memory.Len() || r.Bytes() != b.memory.Bytes() {
		t.Fatalf("a run of %d keys and %d bytes from %d and %d", r.Len(), r.Bytes(), b.memory.Len(), b.memory.Bytes())
	}
	b.runs = append(b.runs, r)
	b.memory = buffer.Buffer{}
}

func (b *both) merge(t testing.TB, from int) {
	t.Helper()
	if from >= len(b.runs) {
		return
	}
	r, err := Merge(b.folder, b.runs[from:])
	if err != nil {
		t.Fatal(err)
	}
	b.runs = append(slices.Clone(b.runs[:from]), r)
}

func (b *both) writes() Writes { return Writes{Tree: b.memory.Frozen(), Runs: b.runs} }

// show prints a write, whose value is one byte many times.
func show(w buffer.Write) string {
	if bytes.Count(w.Value, w.Value[:min(1, len(w.Value))]) != len(w.Value) && len(w.Value) > 0 {
		return fmt.Sprintf("%x=%x", w.Key, w.Value)
	}
	return fmt.Sprintf("%x=%d*%x %x %v", w.Key, len(w.Value), w.Value[:min(1, len(w.Value))], uint64(w.Columns), w.Deleted)
}

// checkGet compares the look-up of a key.
func (b *both) checkGet(t testing.TB, key []byte) {
	t.Helper()
	w, ok, err := b.writes().Get(key, kv.AllColumns)
	if err != nil {
		t.Fatal(err)
	}
	i, found := slices.BinarySearchFunc(b.ordered, key, func(x buffer.Write, k []byte) int { return bytes.Compare(x.Key, k) })
	switch {
	case ok != found:
		t.Fatalf("key %x found: %v, want %v", key, ok, found)
	case ok && show(w) != show(b.ordered[i]):
		t.Fatalf("got %s, want %s", show(w), show(b.ordered[i]))
	}
	if w, ok, err = b.writes().Get(key, kv.Existence); err != nil || ok != found || ok && !bytes.Equal(w.Value, b.ordered[i].Value) {
		t.Fatalf("key %x for its existence: %s, %v, %v", key, show(w), ok, err)
	}
}

// checkRange compares the writes of a range in both directions.
func (b *both) checkRange(t testing.TB, r kv.KeyRange) {
	t.Helper()
	var want []string
	for _, w := range b.ordered {
		if bytes.Compare(w.Key, r.Start) >= 0 && (r.End == nil || bytes.Compare(w.Key, r.End) < 0) {
			want = append(want, show(w))
		}
	}
	for _, reverse := range []bool{false, true} {
		var got []string
		c := b.writes().Cursor(r, reverse)
		for ; c.Valid(); c.Next(r) {
			got = append(got, show(c.Write()))
		}
		if err := c.Err(); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("range %x to %x, reverse %v:\n%s\nwant\n%s", r.Start, r.End, reverse, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		slices.Reverse(want)
	}
}

// run does what a list of bytes says, and compares.
func run(t testing.TB, program []byte, wide int) {
	b := &both{folder: mustFolder(t, vfs.NewMem())}
	next := func() (n int) {
		if len(program) > 0 {
			n, program = int(program[0]), program[1:]
		}
		return n
	}
	key := func() []byte { return bytes.Repeat([]byte{byte(next() % 24)}, 1+next()%3) }
	for len(program) > 0 {
		switch next() % 8 {
		case 0, 1, 2, 3:
			w := buffer.Write{Key: key(), Columns: kv.ColumnSet(next())}
			if next()%4 == 0 {
				w.Deleted = true
			} else {
				w.Value = bytes.Repeat([]byte{byte(next())}, next()*wide)
			}
			b.put(t, w)
		case 4:
			b.spill(t)
		case 5:
			b.checkGet(t, key())
		case 6:
			r := kv.KeyRange{Start: key(), End: key()}
			if next()%4 == 0 {
				r.End = nil
			}
			b.checkRange(t, r)
		case 7:
			if next()%4 == 0 {
				b.merge(t, next()%4)
			}
		}
	}
	b.checkRange(t, kv.KeyRange{})
	for _, r := range b.runs {
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAgainstList compares random programs with a sorted list. Wide values make blocks of a few entries each.
func TestAgainstList(t *testing.T) {
	for i := range 100 {
		seed := rand.Uint64()
		random := rand.New(rand.NewPCG(seed, 0))
		program := make([]byte, 600)
		for j := range program {
			program[j] = byte(random.IntN(256))
		}
		t.Run(fmt.Sprint(seed), func(t *testing.T) { run(t, program, []int{0, 1, 64, 300}[i%4]) })
	}
}

func FuzzAgainstList(f *testing.F) {
	f.Add([]byte("\x00\x01\x02\x03\x04\x04\x06\x00\x01\x02\x01"))
	f.Fuzz(func(t *testing.T, program []byte) { run(t, program, 100) })
}

// TestManyKeys has runs of many blocks, and keys that are not there.
func TestManyKeys(t *testing.T) {
	b := &both{folder: mustFolder(t, vfs.NewMem())}
	const keys = 20000
	key := func(n int) []byte { return fmt.Appendf(nil, "key %08d", n) }
	for i, n := range rand.Perm(keys) {
		b.memory.Put(buffer.Write{Key: key(2 * n), Value: bytes.Repeat([]byte{1}, 40), Columns: kv.AllColumns}, 0)
		if i%5000 == 4999 {
			b.spill(t)
		}
	}
	wrong := 0
	for n := range keys {
		if _, ok, err := b.writes().Get(key(2*n), kv.AllColumns); err != nil || !ok {
			t.Fatalf("key %d is missing: %v", n, err)
		}
		if _, ok, err := b.writes().Get(key(2*n+1), kv.AllColumns); err != nil || ok {
			t.Fatalf("a key that was not written: %v", err)
		}
		for _, r := range b.runs {
			if r.filter.may(hash(key(2*n + 1))) {
				wrong++
			}
		}
	}
	if wrong > keys*len(b.runs)/50 {
		t.Errorf("%d of %d answers of the filters are wrong", wrong, keys*len(b.runs))
	}
	b.merge(t, 0)
	at := 0
	all := kv.KeyRange{}
	for c := b.writes().Cursor(all, false); c.Valid(); c.Next(all) {
		if want := key(2 * at); !bytes.Equal(c.Write().Key, want) {
			t.Fatalf("key %s, want %s", c.Write().Key, want)
		}
		at++
	}
	if at != keys {
		t.Errorf("%d keys", at)
	}
}

// TestFiles: a file is gone when its run is closed, after a failure, and when the folder is opened again.
func TestFiles(t *testing.T) {
	fs := vfs.NewMem()
	files := func() int {
		names, err := fs.List("spill")
		if err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	b := &both{folder: mustFolder(t, fs)}
	for i := range 3 {
		b.put(t, buffer.Write{Key: []byte{byte(i)}})
		b.spill(t)
	}
	if n := files(); n != 3 {
		t.Errorf("%d files", n)
	}
	if err := errors.Join(b.runs[0].Close(), b.runs[0].Close()); err != nil {
		t.Error(err)
	}
	if _, _, err := b.runs[0].get([]byte{0}, hash([]byte{0})); !errors.Is(err, errClosed) {
		t.Errorf("reading a closed run: %v", err)
	}
	if n := files(); n != 2 {
		t.Errorf("%d files after one was closed", n)
	}
	failing := errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileWrite {
			return syscall.ENOSPC
		}
		return nil
	}))
	f := mustFolder(t, failing)
	if n := files(); n != 0 {
		t.Errorf("%d files after the folder was opened again", n)
	}
	b.put(t, buffer.Write{Key: []byte("k")})
	if _, err := Write(f, b.memory.Current()); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a full disk: %v", err)
	}
	if n := files(); n != 0 {
		t.Errorf("%d files after a failure", n)
	}
}

// TestDamage changes bytes of a file.
func TestDamage(t *testing.T) {
	fs := vfs.NewMem()
	b := &both{folder: mustFolder(t, fs)}
	for i := range 100 {
		b.put(t, buffer.Write{Key: []byte{byte(i)}, Value: bytes.Repeat([]byte{7}, 1000)})
	}
	b.spill(t)
	file, err := fs.OpenReadWrite(b.runs[0].path, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteAt([]byte{8}, 50_000); err != nil {
		t.Fatal(err)
	}
	c := b.writes().Cursor(kv.KeyRange{}, false)
	n := 0
	for ; c.Valid(); c.Next(kv.KeyRange{}) {
		n++
	}
	if !errors.Is(c.Err(), errDamaged) || n >= 100 {
		t.Errorf("%d writes of a damaged file, then %v", n, c.Err())
	}
	if _, _, err := b.writes().Get([]byte{50}, 0); !errors.Is(err, errDamaged) {
		t.Errorf("a key in the damaged block: %v", err)
	}
}
