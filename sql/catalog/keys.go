package catalog

import "encoding/binary"

// The key space of a store. A key begins with four bytes, big-endian: the StorageID of the table, index or
// sequence it belongs to, or 0 for the catalog itself.
//
//	0 0 0 0  'v'                              schema version: changes with every DDL transaction
//	0 0 0 0  'o' kind oid                     one object: JSON
//	0 0 0 0  'n' schema kind name             a name in use, so that two transactions cannot both take it
//	0 0 0 0  'a' what                         next OID, next StorageID
//	0 0 0 0  's' oid                          row counts of a table
//	StorageID  primary key or row number      a row
//	StorageID  index columns ..               an index entry
//	StorageID                                 a sequence's value

// RowPrefix begins the keys of the rows of a table, the entries of an index, and is the key of a sequence.
func RowPrefix(id StorageID) []byte { return binary.BigEndian.AppendUint32(nil, uint32(id)) }

// IndexPrefix begins the keys of an index's entries.
func IndexPrefix(x *Index) []byte { return RowPrefix(x.Storage) }
