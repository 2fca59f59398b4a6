package pebblekv

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"holdfast/kv"
	"holdfast/kv/buffer"
	"holdfast/kv/conflict"
	"holdfast/kv/internal/fault"

	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
)

// How the writes of a transaction that are in temporary files are committed.
//
// Outside the sequencer, all of them are merged into tables of the store's own format, whose key ranges are disjoint and
// which are synced. In the sequencer, when the transaction has been validated like any other, Pebble links the tables into
// the store by one entry of its manifest or log: all of them or none, whenever the machine stops. Nothing of it goes
// through the log or a memtable, and the sequencer is held for the time of two or three syncs, however large it is.
//
// What Pebble links is durable before what is still on its way to the log. So the version of the commit is written
// to the log first, with a sync, which makes every earlier commit durable. If the machine stops between the two, that version
// is one that changed nothing.
//
// The other way, pieces of one large batch, would write everything to the log and the memtables as well, and needs a
// log record that tells which pieces belong together.
//
// The values of accumulators are known in the sequencer only. They become tables of their own there, linked in with the others; so
// that no two tables overlap, tables of writes end where deltas lie between their keys, and the other way round.
type tables struct {
	paths  []string
	writes int
	bytes  int64 // of the writes
	cuts   []int // deltas, by their number in order, before which a table ends
}

const (
	// tableBytes is the size at which a table is ended.
	tableBytes = 64 << 20
	// groupedBytes is the size from which a table ends where the first four bytes of keys change, which is where the
	// rows of another table of the SQL layer begin, or the entries of another index. Tables over one key space move to the
	// lowest level more easily.
	groupedBytes = 4 << 20
	// gatheredIntervals is how many intervals for the index of recent writes are made before they are coarsened.
	gatheredIntervals = 64 << 10
	// writesPerCheck is after how many writes the context is looked at.
	writesPerCheck = 4096
)

// commitBytes is what t counts in a group of commits. One that is made of tables is alone in its group.
func (t *txn) commitBytes() int64 {
	if t.tables != nil {
		return t.store.options.limits.groupBytes + 1
	}
	return t.spilled.bytes() + t.writes.Bytes() + t.deltas.Bytes()
}

// prepareSpilled does for the commit of t, some of whose writes are in files, what can be done outside the sequencer.
func (s *Store) prepareSpilled(ctx context.Context, t *txn) error {
	all := kv.KeyRange{}
	c := t.current().Cursor(all, false)
	bytes := t.commitBytes()
	var out writeSink
	if bytes < s.options.ingestBytes {
		t.batch = s.engine.newBatch(int(bytes) + 64)
		out = batchSink{t.batch}
	} else {
		t.tables = &tables{bytes: bytes}
		out = &tableSink{store: s, tables: t.tables, deltas: t.deltaKeys()}
	}
	for n := 0; c.Valid(); n++ {
		if n%writesPerCheck == 0 && ctx.Err() != nil {
			out.abort()
			return ctx.Err()
		}
		w := c.Write()
		if err := out.add(w); err != nil {
			out.abort()
			return diskError(err)
		}
		end := conflict.PointEnd(w.Key)
		t.bulk = append(t.bulk, conflict.Interval{Start: end[:len(w.Key)], End: end, Columns: w.Columns})
		if len(t.bulk) >= gatheredIntervals {
			t.bulk = s.recent.Bulk(t.bulk)
		}
		c.Next(all)
	}
	t.deltas.Scan(func(w buffer.Write) bool {
		end := conflict.PointEnd(w.Key)
		t.bulk = append(t.bulk, conflict.Interval{Start: end[:len(w.Key)], End: end, Columns: w.Columns})
		return true
	})
	t.bulk = s.recent.Bulk(t.bulk)
	if err := errors.Join(c.Err(), out.end()); err != nil {
		return diskError(err)
	}
	s.options.Fault.At(fault.StepMerged)
	// Much may have been committed meanwhile.
	return s.validateEarly(t)
}

// writeSink takes the writes of a transaction in the order of their keys.
type writeSink interface {
	add(buffer.Write) error
	end() error
	abort()
}

// batchSink collects them in a batch.
type batchSink struct{ batch engineBatch }

func (b batchSink) add(w buffer.Write) error { b.batch.write(&w); return nil }
func (b batchSink) end() error               { return nil }
func (b batchSink) abort()                   {}

// tableSink writes them to tables.
type tableSink struct {
	store  *Store
	tables *tables
	writer *sstable.Writer // of the present table, nil before the first
	first  []byte          // stored key of the present table
	deltas [][]byte        // keys that belong to other tables, in order
	passed int             // of deltas: those below the latest key
}

func (o *tableSink) add(w buffer.Write) error {
	key := encodeKey(w.Key)
	passed := o.passed
	for o.passed < len(o.deltas) && bytes.Compare(o.deltas[o.passed], w.Key) < 0 {
		o.passed++
	}
	if o.passed > passed {
		if o.tables.cuts = append(o.tables.cuts, o.passed); o.writer != nil {
			if err := o.next(key); err != nil {
				return err
			}
		}
	}
	if o.writer == nil || o.full(key) {
		if err := o.next(key); err != nil {
			return err
		}
	}
	o.tables.writes++
	if w.Deleted {
		return o.writer.Delete(key)
	}
	return o.writer.Set(key, w.Value)
}

// full reports whether a key belongs to another table than the present one.
func (o *tableSink) full(key []byte) bool {
	size := o.writer.Raw().EstimatedSize()
	switch {
	case size >= tableBytes:
		return true
	case bytes.Compare(o.first, endOfSchema) < 0 && bytes.Compare(key, endOfSchema) >= 0:
		return true // see splitLowKeys
	case size >= groupedBytes:
		return !bytes.Equal(group4(o.first), group4(key))
	}
	return false
}

// group4 is the first four bytes of the client's key.
func group4(stored []byte) []byte {
	key := decodeKey(stored)
	return key[:min(4, len(key))]
}

// next ends the present table and begins one with a key.
func (o *tableSink) next(key []byte) error {
	if err := o.end(); err != nil {
		return err
	}
	file, path, err := o.store.folder.Create("table")
	if err != nil {
		return fmt.Errorf("creating a table: %w", err)
	}
	o.tables.paths = append(o.tables.paths, path)
	o.first = bytes.Clone(key)
	o.writer = sstable.NewWriter(objstorageprovider.NewFileWritable(file), o.store.tables)
	return nil
}

// end ends the present table, which is then on disk.
func (o *tableSink) end() error {
	if o.writer == nil {
		return nil
	}
	err := o.writer.Close()
	o.writer = nil
	if err != nil {
		return fmt.Errorf("writing a table: %w", err)
	}
	return nil
}

// abort ends the present table, whatever becomes of it.
func (o *tableSink) abort() { _ = o.end() } // it has failed before, or nobody needs the table

// remove removes the files that have not become part of the store.
func (l *tables) remove(s *Store) {
	if l == nil {
		return
	}
	for _, path := range l.paths {
		if err := s.options.FS.Remove(path); err != nil {
			s.options.Logger.Warn("kv: a temporary file is left behind until the next start", "path", path, "error", err)
		}
	}
	l.paths = nil
}

// deltaKeys are the keys of the deltas of t in order.
func (t *txn) deltaKeys() (keys [][]byte) {
	t.deltas.Scan(func(w buffer.Write) bool {
		keys = append(keys, w.Key)
		return true
	})
	return keys
}

// addUp makes tables of the values of the accumulators that t, which is alone in its group, has changed.
func (s *Store) addUp(t *txn) error {
	if t.deltas.Len() == 0 {
		return nil
	}
	out := &tableSink{store: s, tables: t.tables}
	n, cuts := 0, t.tables.cuts
	err := s.sums.settle([]*txn{t}, func(w buffer.Write) error {
		if len(cuts) > 0 && n == cuts[0] {
			cuts = cuts[1:]
			if err := out.end(); err != nil {
				return err
			}
		}
		n++
		return out.add(w)
	})
	return errors.Join(err, out.end())
}

// ingest makes the tables of t, which has been validated and has its version, part of the store, durably. It is called by the
// sequencer. An error means that the commit has not happened, unless it is a kv.ErrCommitUnknown.
func (s *Store) ingest(t *txn) error {
	if err := s.addUp(t); err != nil {
		return diskError(err)
	}
	unknown := func() error { return fmt.Errorf("%w: %w", kv.ErrCommitUnknown, s.unavailable()) }
	batch := s.engine.newBatch(64)
	var version [8]byte
	s.addVersion(batch, &version)
	err := s.engine.apply(batch)
	if err == nil {
		err = batch.syncWait()
	}
	batch.close()
	if err != nil {
		s.fail(fmt.Errorf("applying a batch: %w", err))
	}
	if s.failure.Load() != nil {
		return unknown()
	}
	s.options.Fault.At(fault.StepReserved)
	if err := s.engine.ingest(t.tables.paths); err != nil {
		if err = diskError(err); errors.Is(err, kv.ErrDiskFull) {
			// Linking has failed, or the folder's sync. Writing the manifest or the log would have ended the process.
			return err
		}
		s.fail(fmt.Errorf("ingesting tables: %w", err))
	}
	if s.failure.Load() != nil {
		return unknown()
	}
	t.tables.paths = nil // Pebble has removed them
	s.counts.bytes.Add(uint64(t.tables.bytes))
	s.counts.writes.Add(uint64(t.tables.writes))
	s.counts.ingests.Add(1)
	return nil
}
