package exec

import (
	"bytes"
	"slices"

	"holdfast/kv"
)

// fillBytes is how much is sorted at a time for new storage, in bytes, with what its pairs take in memory: 16 MB with the usual
// work_mem.
func fillBytes(ctx *Ctx) int64 {
	if ctx.WorkMem == 0 {
		return 16 << 20
	}
	return min(4*ctx.WorkMem, 64<<20)
}

// filler writes pairs, which come in any order, into storage that the transaction has made: nobody else can have written
// there. So nothing of it need be looked up, nor go into the footprint, but what the filler has written itself; and that only where
// a key comes after a greater one. The pairs are sorted a part at a time, since writing them in order is much less work for the
// transaction, and keys that are equal lie side by side.
type filler struct {
	unique bool  // a key that comes twice is an error
	limit  int64 // of the bytes of one part
	pairs  []keyValue
	bytes  int64
	mixed  bool   // the pairs are not in ascending order
	last   []byte // the greatest key that has been written
}

type keyValue struct{ key, value []byte }

const keyValueBytes = 48 // of a keyValue

// errDuplicateKey is the error of a key that comes twice.
type errDuplicateKey struct{ key []byte }

// Error implements error.
func (e *errDuplicateKey) Error() string { return "exec: a key of new storage comes twice" }

// add writes a pair sooner or later. Key and value are kept.
func (f *filler) add(ctx *Ctx, key, value []byte) error {
	if n := len(f.pairs); n > 0 && bytes.Compare(f.pairs[n-1].key, key) >= 0 {
		f.mixed = true
	}
	f.pairs = append(f.pairs, keyValue{key, value})
	f.bytes += int64(len(key)+len(value)) + keyValueBytes
	if f.bytes >= f.limit {
		return f.flush(ctx)
	}
	return nil
}

// flush writes what has been added. It fails with an errDuplicateKey for the least of the keys that are there twice.
func (f *filler) flush(ctx *Ctx) error {
	if len(f.pairs) == 0 {
		return nil
	}
	if err := ctx.Canceled(); err != nil {
		return err
	}
	if f.mixed {
		slices.SortFunc(f.pairs, func(a, b keyValue) int { return bytes.Compare(a.key, b.key) })
	}
	if f.unique {
		if err := f.absent(ctx); err != nil {
			return err
		}
	}
	for _, p := range f.pairs {
		if err := ctx.Txn.Set(p.key, p.value, kv.AllColumns); err != nil {
			return ctx.Error(err)
		}
	}
	if greatest := f.pairs[len(f.pairs)-1].key; bytes.Compare(greatest, f.last) > 0 {
		f.last = greatest
	}
	clear(f.pairs)
	f.pairs, f.bytes, f.mixed = f.pairs[:0], 0, false
	return nil
}

// absent fails if the keys of the pairs, which are sorted, are not all different, or one of them has been written.
func (f *filler) absent(ctx *Ctx) error {
	var written kv.Reader // nil while nothing has been looked up
	for i, p := range f.pairs {
		if i > 0 && bytes.Equal(p.key, f.pairs[i-1].key) {
			return &errDuplicateKey{p.key}
		}
		if bytes.Compare(p.key, f.last) > 0 {
			continue
		}
		if written == nil {
			written = ctx.Txn.Unrecorded()
		}
		if _, ok, err := written.Get(ctx, p.key, kv.Existence); err != nil {
			return ctx.Error(err)
		} else if ok {
			return &errDuplicateKey{p.key}
		}
	}
	return nil
}
