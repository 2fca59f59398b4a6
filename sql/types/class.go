package types

import "sort"

// class selects the codec of a type in switches: one for each way of reading, printing, comparing and encoding.
type class uint8

const (
	classNone class = iota // no text or binary form
	classBool
	classInt2
	classInt4
	classInt8
	classOid // also xid and cid
	classReg // the oid aliases
	classXid8
	classTid
	classLSN
	classFloat4
	classFloat8
	classNumeric
	classText // text, varchar, unknown, cstring, refcursor, xml, pg_node_tree and other plain strings
	classBpchar
	className
	classChar
	classBytea
	classDate
	classTime
	classTimeTZ
	classTimestamp
	classTimestampTZ
	classInterval
	classUUID
	classJSON
	classJSONB
	classVoid
	classRecord
	classArray
	classVector // int2vector, oidvector
	classEnum
	classRange
	classBit
)

var builtinClasses = map[string]class{
	"bool": classBool, "int2": classInt2, "int4": classInt4, "int8": classInt8, "oid": classOid, "xid": classOid, "cid": classOid,
	"regproc": classReg, "regprocedure": classReg, "regoper": classReg, "regoperator": classReg, "regclass": classReg,
	"regtype": classReg, "regconfig": classReg, "regdictionary": classReg, "regnamespace": classReg, "regrole": classReg,
	"regcollation": classReg, "xid8": classXid8, "tid": classTid, "pg_lsn": classLSN, "float4": classFloat4, "float8": classFloat8,
	"numeric": classNumeric, "text": classText, "varchar": classText, "unknown": classText, "cstring": classText,
	"refcursor": classText, "aclitem": classText, "pg_node_tree": classText, "bpchar": classBpchar, "name": className,
	"char": classChar, "bytea": classBytea, "date": classDate, "time": classTime, "timetz": classTimeTZ,
	"timestamp": classTimestamp, "timestamptz": classTimestampTZ, "interval": classInterval, "uuid": classUUID,
	"json": classJSON, "jsonb": classJSONB, "void": classVoid, "record": classRecord, "int2vector": classVector,
	"oidvector": classVector, "anyarray": classArray, "anycompatiblearray": classArray,
	"int4range": classRange, "int8range": classRange, "numrange": classRange, "tsrange": classRange, "tstzrange": classRange,
	"daterange": classRange, "bit": classBit, "varbit": classBit,
}

func builtinClass(t *Type) class {
	if c, ok := builtinClasses[t.Name]; ok {
		return c
	}
	if t.IsArray() {
		return classArray
	}
	return classNone
}

// NewEnum makes an enum type. labels may come in any order.
func NewEnum(oid OID, name string, labels []EnumLabel) *Type {
	t := &Type{OID: oid, Name: name, SQLName: QuoteIdentifier(name), Rep: RepInt, Len: 4, ByVal: true, Align: 'i', Kind: 'e',
		Category: 'E', Delim: ',', BaseTypmod: NoTypmod, class: classEnum}
	t.Labels = sortLabels(labels)
	return t
}

// NewDomain makes a domain over base, which may be a domain. typmod is that of the base.
func NewDomain(oid OID, name string, base *Type, typmod int32) *Type {
	if base.Base != nil {
		base, typmod = base.Base, base.BaseTypmod
	}
	t := *base
	t.OID, t.Name, t.SQLName = oid, name, QuoteIdentifier(name)
	t.Kind, t.Base, t.BaseTypmod, t.Array, t.Preferred = 'd', base, typmod, nil, false
	return &t
}

// NewComposite makes a composite type.
func NewComposite(oid OID, name string, fields []Field) *Type {
	return &Type{OID: oid, Name: name, SQLName: QuoteIdentifier(name), Rep: RepAny, Len: -1, Align: 'd', Kind: 'c', Category: 'C',
		Delim: ',', BaseTypmod: NoTypmod, Fields: fields, class: classRecord}
}

// NewArray makes the array type over elem and sets elem.Array to it.
func NewArray(oid OID, name string, elem *Type) *Type {
	align := byte('i')
	if elem.Align == 'd' {
		align = 'd'
	}
	t := &Type{OID: oid, Name: name, SQLName: elem.SQLName + "[]", Rep: RepAny, Len: -1, Align: align, Kind: 'b', Category: 'A',
		Elem: elem, Delim: elem.Delim, Collation: elem.Collation, BaseTypmod: NoTypmod, class: classArray}
	elem.Array = t
	return t
}

func sortLabels(labels []EnumLabel) []EnumLabel {
	l := append([]EnumLabel(nil), labels...)
	sort.SliceStable(l, func(i, j int) bool { return l[i].Sort < l[j].Sort })
	return l
}
