package catalog

import "sync/atomic"

// TableStats are what the optimizer knows of a table's content. They are shared by all snapshots, change
// without transactions, and are approximate: kept live in memory, written down now and then and at Close.
type TableStats struct {
	rows  atomic.Int64
	bytes atomic.Int64
}

// Rows is about how many rows the table has.
func (t *TableStats) Rows() int64 { return max(0, t.rows.Load()) }

// Bytes is about how many bytes keys and values of its rows have, before compression.
func (t *TableStats) Bytes() int64 { return max(0, t.bytes.Load()) }

// Add tells of committed changes: rows more or fewer, and bytes.
func (t *TableStats) Add(rows, bytes int64) { t.rows.Add(rows); t.bytes.Add(bytes) }

// Set replaces the figures, as ANALYZE and TRUNCATE do.
func (t *TableStats) Set(rows, bytes int64) { t.rows.Store(rows); t.bytes.Store(bytes) }
