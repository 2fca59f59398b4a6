package catalog

import (
	"slices"

	"holdfast/sql/types"
)

// Virtual is how a relation of the system makes its rows.
type Virtual struct {
	// Rows calls emit for each row, with one Datum per column, until emit returns false. filter may help to
	// make fewer rows: the executor tests every row again.
	Rows func(v *VirtualContext, filter VirtualFilter, emit func(row []types.Datum) bool) error
}

// VirtualFilter holds column = constant conditions pushed down to a virtual relation, by attribute number.
// An entry with several values is = ANY.
type VirtualFilter map[int16][]types.Datum

// accepts reports whether a row may pass: a value of a kind that it cannot compare passes.
func (f VirtualFilter) accepts(row []types.Datum) bool {
	for n, values := range f {
		if n < 1 || int(n) > len(row) || len(values) == 0 {
			continue
		}
		d := row[n-1]
		if !slices.ContainsFunc(values, func(v types.Datum) bool { return mayEqual(d, v) }) {
			return false
		}
	}
	return true
}

func mayEqual(a, b types.Datum) bool {
	if a.IsNull() || b.IsNull() || a.Rep() != b.Rep() {
		return a.Rep() != b.Rep() && !a.IsNull() && !b.IsNull()
	}
	switch a.Rep() {
	case types.RepInt:
		return a.Int() == b.Int()
	case types.RepString:
		return a.Str() == b.Str()
	}
	return true
}

// oids are the values that an OID column may have; false if any.
func (f VirtualFilter) oids(column int16) ([]OID, bool) {
	values, ok := f[column]
	if !ok {
		return nil, false
	}
	oids := make([]OID, 0, len(values))
	for _, v := range values {
		switch v.Rep() {
		case types.RepInt:
			oids = append(oids, OID(v.Int()))
		case types.RepNull:
		default:
			return nil, false
		}
	}
	slices.Sort(oids)
	return slices.Compact(oids), true
}

// allowsOID reports whether an OID column may have the value.
func (f VirtualFilter) allowsOID(column int16, oid OID) bool {
	return len(f) == 0 || f.allows(column, types.NewInt(int64(oid)))
}

// allowsName reports whether a name column may have the value.
func (f VirtualFilter) allowsName(column int16, name string) bool {
	return len(f) == 0 || f.allows(column, types.NewString(name))
}

func (f VirtualFilter) allows(column int16, d types.Datum) bool {
	values, ok := f[column]
	return !ok || slices.ContainsFunc(values, func(v types.Datum) bool { return mayEqual(d, v) })
}
