package catalog

import (
	"strings"

	"holdfast/sql/types"
)

func init() {
	for name, rows := range map[string]VirtualRows{
		"columns":             infoColumns,
		"domains":             infoDomains,
		"attributes":          infoAttributes,
		"element_types":       infoElementTypes,
		"column_domain_usage": infoColumnDomainUsage,
		"column_udt_usage":    infoColumnUdtUsage,
	} {
		RegisterRows(InformationSchemaOID, name, rows)
	}
}

// typeFacts is what the information schema says of a data type.
type typeFacts struct {
	name                                             string
	charLength, octetLength                          datum
	numericPrecision, numericRadix, numericScale     datum
	datetimePrecision, intervalType                  datum
	collationCatalog, collationSchema, collationName datum
	domainCatalog, domainSchema, domainName          datum
	udtSchema, udtName                               string
}

// maxOctets is the octet length PostgreSQL gives for strings without a limit.
const maxOctets = 1 << 30

// factsOf describes a type with its modifier and, if not "", a collation that is not the default.
func (v *VirtualContext) factsOf(t *types.Type, mod int32, collation string) typeFacts {
	s := v.Snapshot
	var f typeFacts
	if t.Kind == 'd' {
		schema, name, _ := s.typeName(t.OID)
		f.domainCatalog, f.domainSchema, f.domainName = text(v.database()), text(s.schemaName(schema)), text(name)
		t, mod = t.Base, t.BaseTypmod
	}
	schema, name, _ := s.typeName(t.OID)
	f.udtSchema, f.udtName = s.schemaName(schema), name
	switch {
	case t.IsArray():
		f.name = "ARRAY"
	case schema == PgCatalogOID:
		f.name = sqlTypeName(t)
	default:
		f.name = "USER-DEFINED"
	}
	if collation != "" && collation != "default" {
		f.collationCatalog, f.collationSchema, f.collationName = text(v.database()), text("pg_catalog"), text(collation)
	}
	switch t {
	case types.Bpchar, types.Varchar:
		f.octetLength = integer(maxOctets)
		if mod >= 0 {
			f.charLength, f.octetLength = integer(mod-4), integer(4*(mod-4))
		}
	case types.Text:
		f.octetLength = integer(maxOctets)
	case types.Bit, types.VarBit:
		if mod >= 0 {
			f.charLength = integer(mod)
		}
	case types.Int2, types.Int4, types.Int8:
		f.numericPrecision, f.numericRadix, f.numericScale = integer(8*t.Len), integer(2), integer(0)
	case types.Float4:
		f.numericPrecision, f.numericRadix = integer(24), integer(2)
	case types.Float8:
		f.numericPrecision, f.numericRadix = integer(53), integer(2)
	case types.Numeric:
		f.numericRadix = integer(10)
		if mod >= 0 {
			f.numericPrecision, f.numericScale = integer((mod-4)>>16&0xffff), integer((mod-4)&0xffff)
		}
	case types.Date:
		f.datetimePrecision = integer(0)
	case types.Time, types.TimeTZType, types.Timestamp, types.TimestampTZ:
		f.datetimePrecision = integer(6)
		if mod >= 0 {
			f.datetimePrecision = integer(mod)
		}
	case types.IntervalType:
		const unlimited = 0xffff
		f.datetimePrecision = integer(6)
		if mod >= 0 && mod&unlimited != unlimited {
			f.datetimePrecision = integer(mod & unlimited)
		}
		_, fields, _ := strings.Cut(types.FormatType(t, mod), " ")
		f.intervalType = textOrNull(strings.ToUpper(fields))
	}
	return f
}

// limits are the columns from character_maximum_length on, in the order of the view columns.
func (f typeFacts) limits() []datum {
	return []datum{f.charLength, f.octetLength, f.numericPrecision, f.numericRadix, f.numericScale, f.datetimePrecision, f.intervalType, null,
		null, null, null, f.collationCatalog, f.collationSchema, f.collationName}
}

// limitsOfType are the same in the order of the other views, which have the character set and collation first.
func (f typeFacts) limitsOfType() []datum {
	return []datum{f.charLength, f.octetLength, null, null, null, f.collationCatalog, f.collationSchema, f.collationName, f.numericPrecision,
		f.numericRadix, f.numericScale, f.datetimePrecision, f.intervalType, null}
}

// collationOf is the name of a column's collation if it is not the type's own; name columns have C.
func collationOf(c *Column) string {
	if c.Collation != "" {
		return c.Collation
	}
	if c.Type.Collation != 0 && c.Type.Collation != defaultCollationOID {
		return CollationName(c.Type.Collation)
	}
	return ""
}

// infoTables calls f for the relations that the information schema speaks of: tables and views. The columns of
// the filter with the schema and name of the relation are given.
func (v *VirtualContext) infoTables(filter VirtualFilter, schemaColumn, nameColumn int16, f func(t *Table, schema string) bool) {
	s := v.Snapshot
	schemas := map[OID]string{}
	for _, n := range s.Schemas() {
		if filter.allowsName(schemaColumn, n.Name) {
			schemas[n.OID] = n.Name
		}
	}
	s.tables(nil, 0, func(t *Table) bool {
		schema, ok := schemas[t.Schema]
		if !ok || t.Kind == KindSequence || !filter.allowsName(nameColumn, t.Name) {
			return true
		}
		return f(t, schema)
	})
}

func infoColumns(v *VirtualContext, filter VirtualFilter, emit func([]datum) bool) error {
	s, db := v.Snapshot, text(v.database())
	v.infoTables(filter, 2, 3, func(t *Table, schema string) bool {
		for _, c := range t.Columns {
			if c.Dropped || !filter.allowsName(4, c.Name) {
				continue
			}
			f := v.factsOf(c.Type, c.Mod, collationOf(c))
			nullable := !c.NotNull
			if u := s.UserType(c.Type.OID); u != nil && u.NotNull {
				nullable = false
			}
			def, generation := null, null
			if c.Generated != "" {
				generation = text(c.Generated)
			} else {
				def = textOrNull(s.DefaultExpr(c, v.path()))
			}
			identity := []datum{null, null, null, null, null, text("NO")}
			if q := s.relations[c.Sequence]; c.Identity != 0 && q != nil && q.Sequence != nil {
				kind := "ALWAYS"
				if c.Identity == 'd' {
					kind = "BY DEFAULT"
				}
				d := q.Sequence
				identity = []datum{text(kind), text(itoa(d.Start)), text(itoa(d.Increment)), text(itoa(d.Max)), text(itoa(d.Min)), yesNo(d.Cycle)}
			}
			generated := "NEVER"
			if c.Generated != "" {
				generated = "ALWAYS"
			}
			row := []datum{db, text(schema), text(t.Name), text(c.Name), integer(c.Number), def, yesNo(nullable), text(f.name)}
			row = append(row, f.limits()...)
			row = append(row, f.domainCatalog, f.domainSchema, f.domainName, db, text(f.udtSchema), text(f.udtName), null, null, null, null,
				text(itoa(int64(c.Number))), text("NO"), yesNo(c.Identity != 0))
			row = append(row, identity...)
			row = append(row, text(generated), generation, yesNo(s.columnUpdatable(t, c.Number)))
			if !emit(row) {
				return false
			}
		}
		return true
	})
	return nil
}

func infoDomains(v *VirtualContext, _ VirtualFilter, emit func([]datum) bool) error {
	s, db := v.Snapshot, text(v.database())
	put := func(schema OID, t *types.Type, def, collation string) bool {
		f := v.factsOf(t, types.NoTypmod, collation)
		row := []datum{db, text(s.schemaName(schema)), text(t.Name), text(f.name)}
		row = append(row, f.limitsOfType()...)
		return emit(append(row, textOrNull(def), db, text(f.udtSchema), text(f.udtName), null, null, null, null, text("1")))
	}
	for _, d := range system().domains {
		def := ""
		if d.t.Base == types.TimestampTZ {
			def = "CURRENT_TIMESTAMP(2)"
		}
		if !put(InformationSchemaOID, d.t, def, CollationName(d.collation)) {
			return nil
		}
	}
	for _, u := range s.UserTypes() {
		if u.Kind == 'd' && !put(u.Schema, u.Type, u.Default, u.Collation) {
			return nil
		}
	}
	return nil
}

func infoAttributes(v *VirtualContext, _ VirtualFilter, emit func([]datum) bool) error {
	s, db := v.Snapshot, text(v.database())
	for _, u := range s.UserTypes() {
		for _, c := range u.Columns {
			if c.Dropped {
				continue
			}
			f := v.factsOf(c.Type, c.Mod, collationOf(c))
			row := []datum{db, text(s.schemaName(u.Schema)), text(u.Name), text(c.Name), integer(c.Number), textOrNull(c.Default), yesNo(!c.NotNull), text(f.name)}
			row = append(row, f.limitsOfType()...)
			row = append(row, db, text(f.udtSchema), text(f.udtName), null, null, null, null, text(itoa(int64(c.Number))), text("NO"))
			if !emit(row) {
				return nil
			}
		}
	}
	return nil
}

// infoElementTypes describes the elements of columns that are arrays.
func infoElementTypes(v *VirtualContext, filter VirtualFilter, emit func([]datum) bool) error {
	db := text(v.database())
	v.infoTables(filter, 2, 3, func(t *Table, schema string) bool {
		for _, c := range t.Columns {
			if c.Dropped || !c.Type.IsArray() {
				continue
			}
			f := v.factsOf(c.Type.Elem, types.NoTypmod, "")
			id := itoa(int64(c.Number))
			row := []datum{db, text(schema), text(t.Name), text("TABLE"), text(id), text(f.name)}
			// Limits of elements are not kept, as PostgreSQL does not either.
			row = append(row, null, null, null, null, null, null, null, null, null, null, null, null, null, null)
			if !emit(append(row, null, db, text(f.udtSchema), text(f.udtName), null, null, null, null, text("a"+id))) {
				return false
			}
		}
		return true
	})
	return nil
}

func infoColumnDomainUsage(v *VirtualContext, filter VirtualFilter, emit func([]datum) bool) error {
	db := text(v.database())
	v.infoTables(filter, 5, 6, func(t *Table, schema string) bool {
		for _, c := range t.Columns {
			if c.Dropped || c.Type.Kind != 'd' {
				continue
			}
			f := v.factsOf(c.Type, c.Mod, "")
			if !emit([]datum{f.domainCatalog, f.domainSchema, f.domainName, db, text(schema), text(t.Name), text(c.Name)}) {
				return false
			}
		}
		return true
	})
	return nil
}

func infoColumnUdtUsage(v *VirtualContext, filter VirtualFilter, emit func([]datum) bool) error {
	db := text(v.database())
	v.infoTables(filter, 5, 6, func(t *Table, schema string) bool {
		for _, c := range t.Columns {
			if c.Dropped {
				continue
			}
			f := v.factsOf(c.Type, c.Mod, "")
			if !emit([]datum{db, text(f.udtSchema), text(f.udtName), db, text(schema), text(t.Name), text(c.Name)}) {
				return false
			}
		}
		return true
	})
	return nil
}
