package rowio

import (
	"encoding/binary"

	"holdfast/kv"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// TableCodec encodes and decodes the rows of one table. It is immutable and safe for concurrent use.
type TableCodec struct {
	Table   *catalog.Table
	prefix  []byte
	layout  *types.Layout
	key     []KeyColumn // of the primary key, nil without one
	indexes []*IndexCodec
}

// KeyColumn is one column of a key.
type KeyColumn struct {
	Number     int16 // attribute number, 0 for an expression
	Type       *types.Type
	Desc       bool
	NullsFirst bool
}

// Append appends the encoding of a value of the column.
func (k *KeyColumn) Append(dst []byte, d types.Datum) []byte {
	return types.AppendKey(dst, k.Type, d, k.Desc, k.NullsFirst)
}

// NewTableCodec makes the codec of a stored table.
func NewTableCodec(t *catalog.Table) *TableCodec {
	c := &TableCodec{Table: t, prefix: catalog.RowPrefix(t.Storage)}
	cols := make([]types.Column, len(t.Columns))
	for i, col := range t.Columns {
		cols[i] = types.Column{Type: col.Type, Dropped: col.Dropped, Missing: col.Missing}
	}
	c.layout = types.NewLayout(cols)
	if pk := t.PrimaryKey(); pk != nil {
		c.key = keyColumns(t, pk)
	}
	for _, x := range t.Indexes {
		if !x.Primary {
			c.indexes = append(c.indexes, NewIndexCodec(t, x))
		}
	}
	return c
}

func keyColumns(t *catalog.Table, x *catalog.Index) []KeyColumn {
	keys := make([]KeyColumn, len(x.Keys))
	for i, k := range x.Keys {
		keys[i] = KeyColumn{Number: k.Column, Type: k.Type, Desc: k.Desc, NullsFirst: k.NullsFirst}
		if k.Column > 0 {
			keys[i].Type = t.Columns[k.Column-1].Type
		}
	}
	return keys
}

// Prefix is what the keys of all rows begin with. It must not be changed.
func (c *TableCodec) Prefix() []byte { return c.prefix }

// Layout is the layout of row values.
func (c *TableCodec) Layout() *types.Layout { return c.layout }

// KeyColumns are the columns of the primary key, nil if rows are numbered.
func (c *TableCodec) KeyColumns() []KeyColumn { return c.key }

// Indexes are the codecs of all indexes but the primary key's, invalid ones included: they are maintained too.
func (c *TableCodec) Indexes() []*IndexCodec { return c.indexes }

// Index is the codec of one index, nil for the primary key's.
func (c *TableCodec) Index(x *catalog.Index) *IndexCodec {
	for _, ic := range c.indexes {
		if ic.Index.OID == x.OID {
			return ic
		}
	}
	return nil
}

// AppendRowKey appends the row key of a row of a table with a primary key; row is by attribute number - 1.
func (c *TableCodec) AppendRowKey(dst []byte, row []types.Datum) []byte {
	for i := range c.key {
		dst = c.key[i].Append(dst, row[c.key[i].Number-1])
	}
	return dst
}

// AppendRowNumber appends the row key of a row of a table without a primary key.
func AppendRowNumber(dst []byte, n uint64) []byte { return binary.BigEndian.AppendUint64(dst, n) }

// AppendKey appends the kv key of the row with a row key.
func (c *TableCodec) AppendKey(dst []byte, rowKey string) []byte {
	return append(append(dst, c.prefix...), rowKey...)
}

// RowKey is the row key in the kv key of a row.
func (c *TableCodec) RowKey(key []byte) []byte { return key[len(c.prefix):] }

// ValueBytes is about how long the value of a row is, in bytes, and mostly not less.
func (c *TableCodec) ValueBytes(row []types.Datum) int { return c.layout.SizeOf(row) }

// AppendValue appends the value of a row, given by attribute number - 1; dropped columns are ignored.
func (c *TableCodec) AppendValue(dst []byte, row []types.Datum) []byte {
	return c.layout.Encode(dst, row)
}

// DecodeRow decodes a whole row into row, which has room for every attribute.
func (c *TableCodec) DecodeRow(value []byte, row []types.Datum) error {
	for i := range row {
		d, err := c.layout.Column(value, i)
		if err != nil {
			return c.corrupted(err)
		}
		row[i] = d
	}
	return nil
}

// DecodeColumns decodes some columns of a row, given by attribute number - 1, into their places in row.
func (c *TableCodec) DecodeColumns(value []byte, columns []int, row []types.Datum) error {
	for _, i := range columns {
		d, err := c.layout.Column(value, i)
		if err != nil {
			return c.corrupted(err)
		}
		row[i] = d
	}
	return nil
}

func (c *TableCodec) corrupted(err error) error {
	return errs.Wrap(err, errs.DataCorrupted, "row of table %q is damaged: %v", c.Table.Name, err)
}

// ColumnSet is the set of some attributes in footprints; system columns need existence alone.
func ColumnSet(numbers ...int16) kv.ColumnSet {
	s := kv.Existence
	for _, n := range numbers {
		if n > 0 {
			s = s.With(int(n))
		}
	}
	return s
}
