package pebblekv

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"holdfast/kv"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestAscendingKeys: what is written in the order of its keys is not merged with what was written before: it is
// rewritten once at most, where several flushes had to wait for the compaction of level 0, and not at all otherwise.
func TestAscendingKeys(t *testing.T) {
	o := testOptions(vfs.NewMem())
	o.MemtableBytes = 256 << 10
	s := mustOpen(t, o)
	const rows, rowBytes, batch = 24 << 10, 1 << 10, 64
	random := rand.New(rand.NewPCG(1, 2))
	value := make([]byte, rowBytes) // does not compress
	for n := uint64(0); n < rows; {
		txn := mustBegin(t, s, kv.TxnOptions{})
		for end := n + batch; n < end; n++ {
			for i := 0; i < rowBytes; i += 8 {
				binary.BigEndian.PutUint64(value[i:], random.Uint64())
			}
			if err := txn.Set(binary.BigEndian.AppendUint64([]byte("t"), n), append([]byte(nil), value...), kv.AllColumns); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := txn.Commit(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := pebbleOf(s).Flush(); err != nil {
		t.Fatal(err)
	}
	var compacted, flushed uint64
	for _, l := range pebbleOf(s).Metrics().Levels {
		compacted += l.TableBytesCompacted
		flushed += l.TableBytesFlushed
	}
	t.Logf("%d bytes flushed, %d rewritten", flushed, compacted)
	if flushed < rows*rowBytes {
		t.Fatalf("only %d bytes flushed", flushed)
	}
	if compacted > flushed+flushed/4 {
		t.Errorf("%d bytes flushed, %d rewritten", flushed, compacted)
	}
}
