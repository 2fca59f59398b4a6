// Package rowio is how rows and index entries lie in kv: the one place that readers and writers share.
//
// A row lies under catalog.RowPrefix(table.Storage) followed by its row key: the order-preserving encoding
// (types.AppendKey) of the primary key columns, or without a primary key an 8-byte big-endian number given at
// insertion. Its value is the types.Layout encoding of all physical columns, key columns included, so
// that reading never decodes keys. The row key, without the prefix, is the system column catalog.RowKeyNumber.
//
// An index entry lies under catalog.RowPrefix(index.Storage) followed by the key columns and, unless the
// index is unique and no key column is NULL (or NULLs are equal), the row key. Its value is
//
//	uvarint(len(row key)<<1 | 1 if the row key ends the entry's key), the row key if it does not,
//	types.Layout encoding of the stored columns, if there are any
//
// Stored columns are those of INCLUDE, and the key columns whose encoding does not give back the very value (types.KeyIsExact).
package rowio
