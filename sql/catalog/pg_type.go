package catalog

import (
	"sync"

	"holdfast/sql/types"
)

func init() {
	registerRows("pg_type", pgType)
	registerRows("pg_enum", pgEnum)
}

// Functions that every type of a kind has, by OID.
const (
	arrayIn        OID = 750
	arrayOut       OID = 751
	arrayRecv      OID = 2400
	arraySend      OID = 2401
	arrayAnalyze   OID = 3816
	arraySubscript OID = 6179
	recordIn       OID = 2290
	recordOut      OID = 2291
	recordRecv     OID = 2402
	recordSend     OID = 2403
	enumIn         OID = 3506
	enumOut        OID = 3507
	enumRecv       OID = 3532
	enumSend       OID = 3533
	domainIn       OID = 2597
	domainRecv     OID = 2598
)

// Columns of pg_type, from 0.
const (
	typeSubscriptColumn = 12
	typeInputColumn     = 15
	typeOutputColumn    = 16
	typeSendColumn      = 18
	typeAnalyzeColumn   = 21
	typeStorageColumn   = 23
)

// builtinTypes are the rows of pg_type that are the same everywhere, and where each type is among them.
var builtinTypes = fixedRowsOf("pg_type")

var builtinTypeRows = sync.OnceValue(func() map[OID][]datum {
	rows, err := builtinTypes()
	if err != nil {
		panic(err) // the embedded file is broken
	}
	m := make(map[OID][]datum, len(rows))
	for _, r := range rows {
		m[OID(r[0].Int())] = r
	}
	return m
})

// typeStorage is pg_type.typstorage.
func (s *Snapshot) typeStorage(t *types.Type) byte {
	if r := builtinTypeRows()[t.Underlying().OID]; r != nil {
		return r[typeStorageColumn].Str()[0]
	}
	if t.Len > 0 {
		return 'p'
	}
	return 'x'
}

func pgType(v *VirtualContext, filter VirtualFilter, emit func([]datum) bool) error {
	s := v.Snapshot
	one := func(id OID) bool {
		if r := builtinTypeRows()[id]; r != nil {
			return !filter.accepts(r) || emit(r)
		}
		if i := s.derive().typeInfo[id]; i != nil {
			return !filter.allowsName(2, i.name) || emit(s.typeRow(i))
		}
		if t := system().rowTypes[id]; t != nil {
			return !filter.allowsName(2, t.Name) || emit(s.typeRow(&typeInfo{t: system().typeByOID(id), schema: t.Schema, name: t.Name, owner: t.Owner, table: t}))
		}
		for _, d := range system().domains {
			info := typeInfo{t: d.t, schema: InformationSchemaOID, name: d.t.Name, owner: PostgresRoleOID}
			if id == d.array {
				info.t, info.name = d.t.Array, d.t.Array.Name
			} else if id != d.oid {
				continue
			}
			return !filter.allowsName(2, info.name) || emit(s.typeRow(&info))
		}
		return true
	}
	if oids, ok := filter.oids(1); ok {
		for _, id := range oids {
			if !one(id) {
				return nil
			}
		}
		return nil
	}
	builtin, err := builtinTypes()
	if err != nil {
		return err
	}
	for _, r := range builtin {
		if !one(OID(r[0].Int())) {
			return nil
		}
	}
	for _, d := range system().domains {
		if !one(d.oid) || !one(d.array) {
			return nil
		}
	}
	for _, t := range system().all {
		if !one(t.RowType) {
			return nil
		}
	}
	for _, id := range s.derive().typeOIDs {
		if !one(id) {
			return nil
		}
	}
	return nil
}

// typeRow is the row of pg_type of a type that is not built in.
func (s *Snapshot) typeRow(i *typeInfo) []datum {
	t := i.t
	rel, elem, arrayType, base, baseMod, dims := OID(0), OID(0), OID(0), OID(0), types.NoTypmod, 0
	notNull, expr := false, null
	subscript, in, out, receive, send, modIn, modOut, analyze := oid(0), recordIn, oid(recordOut), recordRecv, oid(recordSend), oid(0), oid(0), oid(0)
	if t.Array != nil {
		arrayType = t.Array.OID
	}
	switch t.Kind {
	case 'c':
		if i.table != nil {
			rel = i.table.OID
		} else if i.user != nil {
			rel = i.user.Relation
		}
	case 'e':
		in, out, receive, send = enumIn, oid(enumOut), enumRecv, oid(enumSend)
	case 'd':
		base, baseMod, in, receive = t.Base.OID, t.BaseTypmod, domainIn, domainRecv
		out, send = oid(enumOut), oid(enumSend)
		if r := builtinTypeRows()[base]; r != nil {
			out, send, analyze = r[typeOutputColumn], r[typeSendColumn], r[typeAnalyzeColumn]
		}
		if i.user != nil {
			notNull, expr, base, baseMod = i.user.NotNull, textOrNull(i.user.Default), i.user.Base.OID, i.user.BaseMod
		}
		if t.Base.IsArray() {
			dims = 1
		}
	default: // an array
		elem = t.Elem.OID
		subscript, in, out, receive, send, analyze = oid(arraySubscript), arrayIn, oid(arrayOut), arrayRecv, oid(arraySend), oid(arrayAnalyze)
	}
	delim := t.Delim
	if delim == 0 {
		delim = ','
	}
	return []datum{oid(t.OID), text(i.name), oid(i.schema), oid(i.owner), integer(t.Len), boolean(t.ByVal), char(t.Kind), char(t.Category),
		boolean(false), boolean(true), char(delim), oid(rel), subscript, oid(elem), oid(arrayType), oid(in), out, oid(receive), send, modIn, modOut,
		analyze, char(t.Align), char(s.typeStorage(t)), boolean(notNull), oid(base), integer(baseMod), integer(dims), oid(t.Collation), expr, expr, null}
}

func pgEnum(v *VirtualContext, filter VirtualFilter, emit func([]datum) bool) error {
	for _, u := range v.Snapshot.UserTypes() {
		if !filter.allowsOID(2, u.OID) || u.Kind != 'e' {
			continue
		}
		for _, l := range u.Type.Labels {
			if !emit([]datum{oid(l.OID), oid(u.OID), float(float64(l.Sort)), text(l.Name)}) {
				return nil
			}
		}
	}
	return nil
}

// operatorClasses are the default btree operator classes by type.
var operatorClasses = sync.OnceValue(func() map[OID]OID {
	m := map[OID]OID{}
	rows, err := fixedRowsOf("pg_opclass")()
	if err != nil {
		panic(err) // the embedded file is broken
	}
	for _, r := range rows {
		const method, intype, isDefault = 1, 6, 7
		if OID(r[method].Int()) == btreeOID && r[isDefault].Bool() {
			m[OID(r[intype].Int())] = OID(r[0].Int())
		}
	}
	return m
})

// operatorClass is the default btree operator class of a type, 0 if it has none.
func operatorClass(t *types.Type) OID {
	t = t.Underlying()
	for _, oid := range []OID{t.OID, classFallback(t)} {
		if c := operatorClasses()[oid]; c != 0 {
			return c
		}
	}
	return 0
}

// classFallback is the type whose operator class a type without its own uses.
func classFallback(t *types.Type) OID {
	switch {
	case t.OID == types.Varchar.OID:
		return types.Text.OID
	case t.Kind == 'e':
		return types.AnyEnum.OID
	case t.Kind == 'c':
		return types.RecordType.OID
	case t.Kind == 'r':
		return types.AnyRange.OID
	case t.IsArray():
		return types.AnyArray.OID
	}
	return types.Oid.OID // the oid aliases
}

// CollationOID is the OID of a collation by its name, 0 if there is none.
func CollationOID(name string) OID {
	rows, _ := collations()
	for _, r := range rows {
		if r[1].Str() == name {
			return OID(r[0].Int())
		}
	}
	return 0
}

// CollationName is the name of a collation, "" if there is none.
func CollationName(collation OID) string {
	rows, _ := collations()
	for _, r := range rows {
		if OID(r[0].Int()) == collation {
			return r[1].Str()
		}
	}
	return ""
}

var collations = fixedRowsOf("pg_collation")
