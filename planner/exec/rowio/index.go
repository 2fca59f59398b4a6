package rowio

import (
	"encoding/binary"

	"holdfast/kv"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// IndexCodec encodes and decodes the entries of one index. It is immutable and safe for concurrent use.
type IndexCodec struct {
	Index  *catalog.Index
	Table  *catalog.Table
	prefix []byte
	keys   []KeyColumn
	stored []int16       // attributes held in the value
	layout *types.Layout // of stored, nil if there are none
}

// NewIndexCodec makes the codec of an index that is not a primary key.
func NewIndexCodec(t *catalog.Table, x *catalog.Index) *IndexCodec {
	c := &IndexCodec{Index: x, Table: t, prefix: catalog.RowPrefix(x.Storage), keys: keyColumns(t, x)}
	var cols []types.Column
	for _, k := range c.keys {
		if k.Number > 0 && !types.KeyIsExact(k.Type) {
			c.stored = append(c.stored, k.Number)
			cols = append(cols, types.Column{Type: k.Type})
		}
	}
	for _, n := range x.Include {
		c.stored = append(c.stored, n)
		cols = append(cols, types.Column{Type: t.Columns[n-1].Type})
	}
	if cols != nil {
		c.layout = types.NewLayout(cols)
	}
	return c
}

// Prefix is what the keys of all entries begin with. It must not be changed.
func (c *IndexCodec) Prefix() []byte { return c.prefix }

// KeyColumns are the columns of the key.
func (c *IndexCodec) KeyColumns() []KeyColumn { return c.keys }

// Covers reports whether entries hold all the given columns: an index-only scan can answer with them.
func (c *IndexCodec) Covers(numbers []int16) bool {
	for _, n := range numbers {
		if n > 0 && c.keyPosition(n) < 0 && c.storedPosition(n) < 0 {
			return false
		}
	}
	return true
}

func (c *IndexCodec) keyPosition(n int16) int {
	for i, k := range c.keys {
		if k.Number == n && types.KeyIsExact(k.Type) {
			return i
		}
	}
	return -1
}

func (c *IndexCodec) storedPosition(n int16) int {
	for i, s := range c.stored {
		if s == n {
			return i
		}
	}
	return -1
}

// Columns is the set of columns on which entries depend: the key's and those stored. An index over expressions or with a
// predicate may depend on more; the caller knows these.
func (c *IndexCodec) Columns() kv.ColumnSet {
	s := kv.Existence
	for _, k := range c.keys {
		if k.Number > 0 {
			s = s.With(int(k.Number))
		}
	}
	for _, n := range c.stored {
		if n > 0 {
			s = s.With(int(n))
		}
	}
	return s
}

// KeyValues gathers the values of the key columns of a row, by attribute number - 1, into dst; exprs are those of
// the expression keys, in order.
func (c *IndexCodec) KeyValues(dst []types.Datum, row, exprs []types.Datum) []types.Datum {
	for _, k := range c.keys {
		if k.Number > 0 {
			dst = append(dst, row[k.Number-1])
		} else {
			dst, exprs = append(dst, exprs[0]), exprs[1:]
		}
	}
	return dst
}

// KeyHoldsRowKey reports whether the key of an entry with these key values ends with the row key, so that it conflicts
// with no other.
func (c *IndexCodec) KeyHoldsRowKey(keys []types.Datum) bool {
	if !c.Index.Unique {
		return true
	}
	if c.Index.NullsNotDistinct {
		return false
	}
	for _, d := range keys {
		if d.IsNull() {
			return true
		}
	}
	return false
}

// AppendKey appends the kv key of the entry with these key values for the row with a row key.
func (c *IndexCodec) AppendKey(dst []byte, keys []types.Datum, rowKey string) []byte {
	dst = c.AppendKeyPrefix(dst, keys)
	if c.KeyHoldsRowKey(keys) {
		dst = append(dst, rowKey...)
	}
	return dst
}

// AppendKeyPrefix appends the kv key of entries with these values for the first key columns. With all of
// them it is the whole key if KeyHoldsRowKey is false.
func (c *IndexCodec) AppendKeyPrefix(dst []byte, keys []types.Datum) []byte {
	dst = append(dst, c.prefix...)
	for i, d := range keys {
		dst = c.keys[i].Append(dst, d)
	}
	return dst
}

// AppendValue appends the value of the entry. row is the row, by attribute number - 1.
func (c *IndexCodec) AppendValue(dst []byte, keys, row []types.Datum, rowKey string) []byte {
	if c.KeyHoldsRowKey(keys) {
		dst = binary.AppendUvarint(dst, uint64(len(rowKey))<<1|1)
	} else {
		dst = binary.AppendUvarint(dst, uint64(len(rowKey))<<1)
		dst = append(dst, rowKey...)
	}
	if c.layout == nil {
		return dst
	}
	stored := make([]types.Datum, len(c.stored))
	for i, n := range c.stored {
		stored[i] = row[n-1]
	}
	return c.layout.Encode(dst, stored)
}

// RowKey finds the row key in an entry, and the encoding of the stored columns. Both point into key and value.
func (c *IndexCodec) RowKey(key, value []byte) (rowKey, stored []byte, err error) {
	h, n := binary.Uvarint(value)
	size := h >> 1
	if n > 0 {
		value = value[n:]
		if h&1 == 1 && size <= uint64(len(key)-len(c.prefix)) {
			return key[uint64(len(key))-size:], value, nil
		}
		if h&1 == 0 && size <= uint64(len(value)) {
			return value[:size], value[size:], nil
		}
	}
	return nil, nil, c.corrupted()
}

func (c *IndexCodec) corrupted() error {
	return errs.New(errs.DataCorrupted, "entry of index %q is damaged", c.Index.Name)
}
