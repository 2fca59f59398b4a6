package exec

import (
	"sync/atomic"

	"holdfast/sql/catalog"
)

// RowCounts are the changes that a statement made to one table.
type RowCounts struct {
	Inserted, Updated, Deleted int64
	Bytes                      int64 // of keys and values gained
}

// TableCounts count what one session did with one table. Only the session adds; anybody may read.
type TableCounts struct {
	SeqScans, SeqRows                   atomic.Int64 // scans of the table's own keys, rows they read
	IndexScans, IndexEntries, IndexRows atomic.Int64 // scans of an index or of ranges of the primary key, entries, rows fetched by them
	Inserted, Updated, Deleted          atomic.Int64 // rows of committed transactions
}

// scanned counts a batch of one scan. first tells that the scan has just begun.
func (c *TableCounts) scanned(byIndex, first bool, rows int) {
	if c == nil {
		return
	}
	if byIndex {
		if first {
			c.IndexScans.Add(1)
		}
		c.IndexEntries.Add(int64(rows))
		c.IndexRows.Add(int64(rows))
		return
	}
	if first {
		c.SeqScans.Add(1)
	}
	c.SeqRows.Add(int64(rows))
}

// lookedUp counts searches of a lookup join.
func (c *TableCounts) lookedUp(n int) {
	if c != nil {
		c.IndexScans.Add(int64(n))
	}
}

// countsOf finds the counters of a table, nil if nobody counts.
func (c *Ctx) countsOf(t *catalog.Table) *TableCounts {
	if c.Counts == nil || t.Virtual != nil {
		return nil
	}
	return c.Counts(t.OID)
}

// Add adds the counts of another.
func (c *TableCounts) Add(o *TableCounts) {
	to, from := c.all(), o.all()
	for i := range to {
		to[i].Add(from[i].Load())
	}
}

// Reset sets the counts to 0.
func (c *TableCounts) Reset() {
	for _, n := range c.all() {
		n.Store(0)
	}
}

func (c *TableCounts) all() [8]*atomic.Int64 {
	return [8]*atomic.Int64{&c.SeqScans, &c.SeqRows, &c.IndexScans, &c.IndexEntries, &c.IndexRows, &c.Inserted, &c.Updated, &c.Deleted}
}
