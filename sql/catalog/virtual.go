package catalog

import "holdfast/sql/types"

// Virtual is how a relation of the system makes its rows.
type Virtual struct {
	// Rows calls emit for each row, with one Datum per column, until emit returns false. filter may help to
	// make fewer rows: the executor tests every row again.
	Rows func(v *VirtualContext, filter VirtualFilter, emit func(row []types.Datum) bool) error
}

// VirtualFilter holds column = constant conditions pushed down to a virtual relation, by attribute number.
// An entry with several values is = ANY.
type VirtualFilter map[int16][]types.Datum
