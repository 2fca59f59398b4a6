package catalog

import (
	"context"
	"encoding/binary"
	"sync"
	"sync/atomic"

	"holdfast/kv"
)

// TableStats are what the optimizer knows of a table's size. They are shared by all snapshots, change
// without transactions, and are approximate: kept live in memory, written down after much has changed and at
// Close. A crash loses what has changed since.
type TableStats struct {
	rows   atomic.Int64
	bytes  atomic.Int64
	stored atomic.Int64 // rows when last written down
	owner  *statsTable
}

// Rows is about how many rows the table has.
func (t *TableStats) Rows() int64 { return max(0, t.rows.Load()) }

// Bytes is about how many bytes keys and values of its rows have, before compression.
func (t *TableStats) Bytes() int64 { return max(0, t.bytes.Load()) }

// Add tells of committed changes: rows more or fewer, and bytes.
func (t *TableStats) Add(rows, bytes int64) {
	t.bytes.Add(bytes)
	t.changed(t.rows.Add(rows))
}

// Set replaces the figures, as ANALYZE and TRUNCATE do.
func (t *TableStats) Set(rows, bytes int64) {
	t.bytes.Store(bytes)
	t.rows.Store(rows)
	t.changed(rows)
}

// changed has the figures written down once they differ from the stored ones by a tenth and a thousand rows.
func (t *TableStats) changed(rows int64) {
	const least, share = 1000, 10
	stored := t.stored.Load()
	if diff := max(rows-stored, stored-rows); diff >= least && diff >= stored/share {
		t.owner.save()
	}
}

// statsTable holds the TableStats of a store.
type statsTable struct {
	store  kv.Store
	tables sync.Map // OID to *TableStats
	mu     sync.Mutex
	closed bool
	saving bool
	saved  sync.WaitGroup // the running save
}

func (s *statsTable) of(oid OID) *TableStats {
	if v, ok := s.tables.Load(oid); ok {
		return v.(*TableStats)
	}
	v, _ := s.tables.LoadOrStore(oid, &TableStats{owner: s})
	return v.(*TableStats)
}

// load reads the stored figures of the tables that exist, and removes those of others.
func (s *statsTable) load(ctx context.Context, c *Catalog, txn kv.Txn, snapshot *Snapshot) error {
	s.store = c.store
	it := txn.Scan(ctx, kv.PrefixRange(statsPrefix), kv.ScanOptions{Columns: kv.AllColumns})
	var stale [][]byte
	for it.Next() {
		key, value := it.Key(), it.Value()
		if len(key) != len(statsPrefix)+4 || len(value) != 16 {
			continue
		}
		oid := OID(binary.BigEndian.Uint32(key[len(statsPrefix):]))
		if snapshot.relations[oid] == nil {
			stale = append(stale, statsKey(oid))
			continue
		}
		t := s.of(oid)
		t.rows.Store(int64(binary.BigEndian.Uint64(value)))
		t.stored.Store(t.rows.Load())
		t.bytes.Store(int64(binary.BigEndian.Uint64(value[8:])))
	}
	err := it.Err()
	if e := it.Close(); err == nil {
		err = e
	}
	if err != nil || len(stale) == 0 {
		return err
	}
	return runTransaction(ctx, s.store, func(txn kv.Txn) error {
		for _, key := range stale {
			if err := txn.Delete(key); err != nil {
				return err
			}
		}
		return nil
	})
}

// save starts to write the figures down unless that is going on. Failing to is no harm.
func (s *statsTable) save() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.saving || s.closed {
		return
	}
	s.saving = true
	s.saved.Add(1)
	go func() {
		defer s.saved.Done()
		s.write(context.Background())
		s.mu.Lock()
		defer s.mu.Unlock()
		s.saving = false
	}()
}

// write writes the figures of all tables that have changed.
func (s *statsTable) write(ctx context.Context) error {
	return runTransaction(ctx, s.store, func(txn kv.Txn) (err error) {
		s.tables.Range(func(k, v any) bool {
			t := v.(*TableStats)
			rows := t.rows.Load()
			if t.stored.Swap(rows) == rows {
				return true
			}
			value := binary.BigEndian.AppendUint64(make([]byte, 0, 16), uint64(rows))
			value = binary.BigEndian.AppendUint64(value, uint64(t.bytes.Load()))
			err = txn.Set(statsKey(k.(OID)), value, kv.AllColumns)
			return err == nil
		})
		return err
	})
}

func (s *statsTable) close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.saved.Wait()
	return s.write(ctx)
}
