package rowio

import (
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// RowDecoder decodes chosen columns of rows into vectors. It is not for concurrent use.
type RowDecoder struct {
	codec    *TableCodec
	decoder  *types.Decoder // nil if no stored column is asked for
	vecs     []*types.Vec
	keys     []int // positions of RowKeyNumber
	tableOID []int // positions of TableOIDNumber
}

// NewRowDecoder decodes the attributes numbered, system columns included, into vecs, one for each.
func (c *TableCodec) NewRowDecoder(numbers []int16, vecs []*types.Vec) (*RowDecoder, error) {
	d := &RowDecoder{codec: c, vecs: vecs}
	var stored []int
	var into []*types.Vec
	for i, n := range numbers {
		switch {
		case n > 0 && int(n) <= len(c.Table.Columns):
			stored = append(stored, int(n-1))
			into = append(into, vecs[i])
		case n == catalog.RowKeyNumber:
			d.keys = append(d.keys, i)
		case n == catalog.TableOIDNumber:
			d.tableOID = append(d.tableOID, i)
		default:
			return nil, errs.New(errs.InternalError, "table %q has no attribute %d", c.Table.Name, n)
		}
	}
	if stored != nil {
		d.decoder = c.layout.NewDecoder(stored, into)
	}
	return d, nil
}

// NeedsValue reports whether the value of the row is looked at.
func (d *RowDecoder) NeedsValue() bool { return d.decoder != nil }

// Decode decodes a row into row number row of the vectors, which must have room.
func (d *RowDecoder) Decode(rowKey, value []byte, row int) error {
	if d.decoder != nil {
		if err := d.decoder.DecodeInto(value, row); err != nil {
			return d.codec.corrupted(err)
		}
	}
	for _, i := range d.keys {
		d.vecs[i].S[row] = string(rowKey)
	}
	for _, i := range d.tableOID {
		d.vecs[i].I[row] = int64(d.codec.Table.OID)
	}
	return nil
}

// EntryDecoder decodes chosen columns of index entries into vectors. It is not for concurrent use.
type EntryDecoder struct {
	codec    *IndexCodec
	inKey    []int // position in vecs of each key column up to the last that is asked for, -1 for others
	stored   *types.Decoder
	vecs     []*types.Vec
	keys     []int
	tableOID []int
}

// NewEntryDecoder decodes the attributes numbered into vecs, one for each. The index must cover them.
func (c *IndexCodec) NewEntryDecoder(numbers []int16, vecs []*types.Vec) (*EntryDecoder, error) {
	d := &EntryDecoder{codec: c, vecs: vecs}
	var stored []int
	var into []*types.Vec
	for i, n := range numbers {
		if n == catalog.RowKeyNumber {
			d.keys = append(d.keys, i)
		} else if n == catalog.TableOIDNumber {
			d.tableOID = append(d.tableOID, i)
		} else if k := c.keyPosition(n); n > 0 && k >= 0 {
			for len(d.inKey) <= k {
				d.inKey = append(d.inKey, -1)
			}
			d.inKey[k] = i
		} else if s := c.storedPosition(n); n > 0 && s >= 0 {
			stored = append(stored, s)
			into = append(into, vecs[i])
		} else {
			return nil, errs.New(errs.InternalError, "index %q does not hold attribute %d", c.Index.Name, n)
		}
	}
	if stored != nil {
		d.stored = c.layout.NewDecoder(stored, into)
	}
	return d, nil
}

// Decode decodes an entry into row number row of the vectors, which must have room.
func (d *EntryDecoder) Decode(key, value []byte, row int) error {
	c := d.codec
	if len(key) < len(c.prefix) {
		return c.corrupted()
	}
	rest := key[len(c.prefix):]
	for k, i := range d.inKey {
		col := &c.keys[k]
		if i < 0 {
			var err error
			if rest, err = types.SkipKey(col.Type, rest, col.Desc, col.NullsFirst); err != nil {
				return c.corrupted()
			}
			continue
		}
		v, after, err := types.DecodeKey(col.Type, rest, col.Desc, col.NullsFirst)
		if err != nil {
			return c.corrupted()
		}
		d.vecs[i].Set(row, v)
		rest = after
	}
	if d.stored != nil || len(d.keys) > 0 {
		rowKey, stored, err := c.RowKey(key, value)
		if err != nil {
			return err
		}
		for _, i := range d.keys {
			d.vecs[i].S[row] = string(rowKey)
		}
		if d.stored != nil {
			if err := d.stored.DecodeInto(stored, row); err != nil {
				return c.corrupted()
			}
		}
	}
	for _, i := range d.tableOID {
		d.vecs[i].I[row] = int64(c.Table.OID)
	}
	return nil
}
