package kv

// ColumnSet tells which columns of a row a read depends on or a write changes. A read and a write of one key
// conflict only where their sets meet.
//
// Bit 0 stands for the existence of the row: every read depends on it, an insert or delete changes it, an
// update does not. Column number n (from 1) has bit 1 + (n-1) mod 63. Columns that share a bit share
// conflicts, which is safe: a set may be too large, never too small. A bitmap of one word keeps footprints
// small and the test a single instruction; exact sets for tables of more than 63 columns would cost every
// table an allocation.
type ColumnSet uint64

const (
	// Existence is the set of a read that asks only whether the key is there.
	Existence ColumnSet = 1
	// AllColumns is the set of an insert, a delete, or a read of the whole row.
	AllColumns ColumnSet = ^ColumnSet(0)
)

// Column is the set of one column number, counted from 1.
func Column(n int) ColumnSet { return 1 << (1 + uint(n-1)%63) }

// With is the set and column n.
func (s ColumnSet) With(n int) ColumnSet { return s | Column(n) }

// Meets reports whether the sets share a bit.
func (s ColumnSet) Meets(t ColumnSet) bool { return s&t != 0 }
