package catalog

import (
	"slices"

	"holdfast/sql/types"
)

// Short forms for the many rows that virtual relations make.

type datum = types.Datum

var null = types.Null

func oid(o OID) datum                                  { return types.NewInt(int64(o)) }
func integer[T int | int16 | int32 | int64](n T) datum { return types.NewInt(int64(n)) }
func float(f float64) datum                            { return types.NewFloat(f) }
func boolean(b bool) datum                             { return types.NewBool(b) }
func text(s string) datum                              { return types.NewString(s) }
func char(c byte) datum                                { return types.NewString(string(rune(c))) }
func yesNo(b bool) datum {
	if b {
		return text("YES")
	}
	return text("NO")
}

// textOrNull is NULL for "".
func textOrNull(s string) datum {
	if s == "" {
		return null
	}
	return text(s)
}

// optionalChar is a "char" that PostgreSQL shows as empty if there is none.
func optionalChar(c byte) datum {
	if c == 0 {
		return text("")
	}
	return char(c)
}

// array makes an array with subscripts from 1, NULL for nil.
func array[T any](elem *types.Type, values []T, f func(T) datum) datum {
	if values == nil {
		return null
	}
	elems := make([]datum, len(values))
	for i, v := range values {
		elems[i] = f(v)
	}
	return types.NewAny(types.NewSlice(elem, elems))
}

// vector makes an int2vector or oidvector, whose subscripts begin at 0.
func vector[T any](elem *types.Type, values []T, f func(T) datum) datum {
	a := &types.Array{Elem: elem, Dims: []int32{int32(len(values))}, Lower: []int32{0}}
	for _, v := range values {
		a.Elems = append(a.Elems, f(v))
	}
	return types.NewAny(a)
}

// numbers makes an int2[], NULL for none.
func numbers(values []int16) datum {
	if len(values) == 0 {
		return null
	}
	return array(types.Int2, values, integer[int16])
}

// database is the name of the current database.
func (v *VirtualContext) database() string {
	if v.Ctx != nil && v.Session != nil {
		return v.Session.Database()
	}
	return "postgres"
}

// path is the search path that names are shown under.
func (v *VirtualContext) path() []string {
	if v.Ctx != nil && v.Session != nil {
		return v.Session.SearchPath()
	}
	return []string{"public"}
}

// schemaName is the name of a schema.
func (s *Snapshot) schemaName(oid OID) string {
	if n := s.schemas[oid]; n != nil {
		return n.Name
	}
	return ""
}

// roleName is the name of a role, as pg_get_userbyid gives it.
func (s *Snapshot) roleName(oid OID) string {
	if r := s.roles[oid]; r != nil {
		return r.Name
	}
	return "unknown (OID=" + itoa(int64(oid)) + ")"
}

// object is one of the rows of pg_class: a relation, an index of one, or the relation of a composite type.
type object struct {
	table *Table
	index *Index
	user  *UserType
}

func (o object) oid() OID {
	switch {
	case o.index != nil:
		return o.index.OID
	case o.user != nil:
		return o.user.Relation
	}
	return o.table.OID
}

func (o object) name() string {
	switch {
	case o.index != nil:
		return o.index.Name
	case o.user != nil:
		return o.user.Name
	}
	return o.table.Name
}

func (o object) schema() OID {
	if o.user != nil {
		return o.user.Schema
	}
	return o.table.Schema
}

// objects calls f for the objects of pg_class whose OID passes the filter on a column (all if column is 0),
// until it returns false.
func (s *Snapshot) objects(filter VirtualFilter, column int16, f func(object) bool) {
	if oids, ok := filter.oids(column); ok && column != 0 {
		for _, oid := range oids {
			if o, ok := s.object(oid); ok && !f(o) {
				return
			}
		}
		return
	}
	for _, tables := range [][]*Table{system().all, s.Tables()} {
		for _, t := range tables {
			if !f(object{table: t}) {
				return
			}
			for _, x := range t.Indexes {
				if !f(object{table: t, index: x}) {
					return
				}
			}
		}
	}
	for _, u := range s.UserTypes() {
		if u.Relation != 0 && !f(object{user: u}) {
			return
		}
	}
}

func (s *Snapshot) object(oid OID) (object, bool) {
	if t := s.RelationByOID(oid); t != nil {
		return object{table: t}, true
	}
	if t, x := s.IndexByOID(oid); t != nil {
		return object{table: t, index: x}, true
	}
	i := slices.IndexFunc(s.UserTypes(), func(u *UserType) bool { return u.Relation == oid && oid != 0 })
	if i < 0 {
		return object{}, false
	}
	return object{user: s.UserTypes()[i]}, true
}

// tables calls f for the tables, views and sequences, those of the system first, whose OID passes the filter
// on a column (all if column is 0), until it returns false.
func (s *Snapshot) tables(filter VirtualFilter, column int16, f func(*Table) bool) {
	if oids, ok := filter.oids(column); ok && column != 0 {
		for _, oid := range oids {
			if t := s.RelationByOID(oid); t != nil && !f(t) {
				return
			}
		}
		return
	}
	for _, tables := range [][]*Table{system().all, s.Tables()} {
		for _, t := range tables {
			if !f(t) {
				return
			}
		}
	}
}
