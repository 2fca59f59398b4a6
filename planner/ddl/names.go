package ddl

import (
	"fmt"

	"holdfast/sql/catalog"
)

// maxName is the longest identifier, in bytes.
const maxName = 63

// objectName makes the name of an implied object as PostgreSQL does: parts joined by "_", shortened to fit,
// with a number if it is taken.
func objectName(table, column, label string, taken func(string) bool) string {
	for pass := 0; ; pass++ {
		suffix := label
		if pass > 0 {
			suffix = fmt.Sprintf("%s%d", label, pass)
		}
		room := maxName - len(suffix) - 1
		t, c := table, column
		if c != "" {
			room--
		}
		for len(t)+len(c) > room {
			if len(t) > len(c) {
				t = cut(t, len(t)-1)
			} else {
				c = cut(c, len(c)-1)
			}
		}
		name := t
		if c != "" {
			name += "_" + c
		}
		name += "_" + suffix
		if !taken(name) {
			return name
		}
	}
}

// cut shortens a text to n bytes without splitting a character.
func cut(s string, n int) string {
	for n > 0 && n < len(s) && s[n]&0xc0 == 0x80 {
		n--
	}
	return s[:n]
}

// relationTaken reports whether a schema has a relation or index of that name.
func (env *Env) relationTaken(schema catalog.OID, name string) bool {
	if env.Snapshot.Relation(schema, name) != nil {
		return true
	}
	t, _ := env.Snapshot.IndexByName(schema, name)
	return t != nil
}

// constraintName names a constraint of a table that has none. Names of unique and primary keys are those of
// their indexes too.
func (env *Env) constraintName(t *catalog.Table, column, label string, index bool) string {
	return objectName(t.Name, column, label, func(name string) bool {
		for _, c := range t.Constraints {
			if c.Name == name {
				return true
			}
		}
		for _, x := range t.Indexes {
			if x.Name == name {
				return true
			}
		}
		return index && env.relationTaken(t.Schema, name)
	})
}
