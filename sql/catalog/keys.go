package catalog

import (
	"encoding/binary"

	"holdfast/kv"
)

// The key space of a store. A key begins with four bytes, big-endian: the StorageID of the table, index or
// sequence it belongs to, or 0 for the catalog itself.
//
//	0 0 0 0  'v'                      schema version: a new value with every DDL statement
//	0 0 0 0  'o' kind oid             one object: format, stamp, JSON (see encode.go)
//	0 0 0 0  'n' schema kind name     a name in use, so that two transactions cannot both take it
//	0 0 0 0  'a' 'o' or 's'           the next OID, the next StorageID, as 8 bytes big-endian
//	0 0 0 0  'a' 'r'                 the next row number, as 8 bytes big-endian
//	0 0 0 0  's' oid                  row and byte counts of a table, 8 bytes each
//	StorageID  primary key or row number      a row
//	StorageID  index columns ..               an index entry
//	StorageID                                 a sequence's value
//
// oid and schema are four bytes, big-endian; kind is one.

// RowPrefix begins the keys of the rows of a table and of the entries of an index, and is the key of a
// sequence's value.
func RowPrefix(id StorageID) []byte { return binary.BigEndian.AppendUint32(nil, uint32(id)) }

// IndexPrefix begins the keys of an index's entries.
func IndexPrefix(x *Index) []byte { return RowPrefix(x.Storage) }

// Kinds of objects and of names. Relations and indexes share one name space, and so do all types.
const (
	schemaObject    byte = 'n'
	relationObject  byte = 'r'
	typeObject      byte = 't'
	assertionObject byte = 'a'
	roleObject      byte = 'u'
	extensionObject byte = 'x'
)

var (
	versionKey   = []byte("\x00\x00\x00\x00v")
	objectPrefix = []byte("\x00\x00\x00\x00o")
	namePrefix   = []byte("\x00\x00\x00\x00n")
	oidKey       = []byte("\x00\x00\x00\x00ao")
	storageKey   = []byte("\x00\x00\x00\x00as")
	statsPrefix  = []byte("\x00\x00\x00\x00s")
)

// versionColumn is the column of the version key that DDL changes. Readers name none but existence.
var versionColumn = kv.Column(1)

func objectKey(kind byte, oid OID) []byte {
	k := make([]byte, 0, len(objectPrefix)+5)
	k = append(append(k, objectPrefix...), kind)
	return binary.BigEndian.AppendUint32(k, uint32(oid))
}

// nameSpacePrefix begins the keys of all names in a schema.
func nameSpacePrefix(schema OID) []byte {
	k := make([]byte, 0, 64)
	return binary.BigEndian.AppendUint32(append(k, namePrefix...), uint32(schema))
}

func nameKey(schema OID, kind byte, name string) []byte {
	return append(append(nameSpacePrefix(schema), kind), name...)
}

func statsKey(oid OID) []byte {
	return binary.BigEndian.AppendUint32(append([]byte(nil), statsPrefix...), uint32(oid))
}
