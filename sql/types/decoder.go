package types

import (
	"encoding/binary"
	"math"
	"unsafe"

	"github.com/cockroachdb/apd/v3"
)

// Decoder decodes chosen columns of many rows into vectors. Strings are copied into chunks of memory that are filled
// once and never reused, so that they stay valid as long as anyone refers to them; numerics come from
// chunks likewise. It is not for concurrent use.
type Decoder struct {
	layout  *Layout
	columns []decodeColumn
	vecs    []*Vec
	known   [4]rowHeader // headers of rows of the newest layout, by flags
	first   []byte       // the bytes after flags of a row of the newest layout
	arena   []byte
	numbers []apd.Decimal
}

// decodeColumn is a column to decode, with what the inner loop needs to know about it.
type decodeColumn struct {
	number int
	pos    int
	how    decodeKind
	t      *Type
}

type decodeKind uint8

const (
	decodeNull decodeKind = iota
	decodeInt1
	decodeInt2
	decodeInt4
	decodeUint4
	decodeInt8
	decodeFloat4
	decodeFloat8
	decodeString
	decodeUUID
	decodeNumeric
	decodeOther
)

const arenaChunk = 32 << 10

// NewDecoder decodes the columns with the given numbers (from 0) into vecs, one for each.
func (l *Layout) NewDecoder(cols []int, vecs []*Vec) *Decoder {
	d := &Decoder{layout: l, vecs: vecs, columns: make([]decodeColumn, len(cols))}
	for i, n := range cols {
		t := l.cols[n].Type
		c := decodeColumn{number: n, pos: int(l.at[n].pos), t: t, how: decodeOther}
		switch {
		case l.cols[n].Dropped:
			c.how = decodeNull
		case t.Rep == RepInt:
			switch l.at[n].width {
			case 1:
				c.how = decodeInt1
			case 2:
				c.how = decodeInt2
			case 4:
				c.how = decodeInt4
				if unsignedFixed(t) {
					c.how = decodeUint4
				}
			default:
				c.how = decodeInt8
			}
		case t.Rep == RepFloat:
			c.how = decodeFloat8
			if l.at[n].width == 4 {
				c.how = decodeFloat4
			}
		case t.Rep == RepString:
			c.how = decodeString
			if l.at[n].width > 0 {
				c.how = decodeUUID
			}
		case t.Rep == RepDecimal:
			c.how = decodeNumeric
		}
		d.columns[i] = c
	}
	d.first = binary.AppendUvarint(nil, uint64(len(l.cols)))
	end := l.ends[len(l.cols)]
	for flags := range d.known {
		h := rowHeader{columns: len(l.cols), fixed: 1 + len(d.first), wide: byte(flags)&rowWide != 0}
		if byte(flags)&rowNulls != 0 {
			h.nulls = h.fixed
			h.fixed += (len(l.cols) + 7) / 8
		}
		h.ends = h.fixed + end.fixed
		h.variable = h.ends + 2*end.variable
		if h.wide {
			h.variable += 2 * end.variable
		}
		d.known[flags] = h
	}
	return d
}

// SetVecs makes the decoder write into other vectors, of the same types.
func (d *Decoder) SetVecs(vecs []*Vec) { d.vecs = vecs }

// DecodeInto decodes a row into row number row of the vectors, which must have room. Corrupt bytes are XX001.
func (d *Decoder) DecodeInto(value []byte, row int) error {
	var old rowHeader
	h := &old
	if len(value) > len(d.first) && value[0] < byte(len(d.known)) && string(value[1:1+len(d.first)]) == string(d.first) {
		h = &d.known[value[0]]
		if len(value) < h.variable {
			return corruptRow("%d bytes, at least %d expected", len(value), h.variable)
		}
	} else {
		var err error
		if old, err = d.layout.header(value); err != nil {
			return err
		}
	}
	fixed := value[h.fixed:h.ends]
	for i := range d.columns {
		c := &d.columns[i]
		v := d.vecs[i]
		if c.how == decodeNull || c.number < h.columns && h.isNull(value, c.number) {
			v.SetNull(row)
			continue
		}
		if c.number >= h.columns {
			v.Set(row, d.layout.cols[c.number].Missing)
			continue
		}
		if len(v.Nulls) != 0 {
			v.ClearNull(row)
		}
		switch c.how {
		case decodeInt1:
			v.I[row] = int64(fixed[c.pos])
		case decodeInt2:
			v.I[row] = int64(int16(binary.LittleEndian.Uint16(fixed[c.pos:])))
		case decodeInt4:
			v.I[row] = int64(int32(binary.LittleEndian.Uint32(fixed[c.pos:])))
		case decodeUint4:
			v.I[row] = int64(binary.LittleEndian.Uint32(fixed[c.pos:]))
		case decodeInt8:
			v.I[row] = int64(binary.LittleEndian.Uint64(fixed[c.pos:]))
		case decodeFloat4:
			v.F[row] = float64(math.Float32frombits(binary.LittleEndian.Uint32(fixed[c.pos:])))
		case decodeFloat8:
			v.F[row] = math.Float64frombits(binary.LittleEndian.Uint64(fixed[c.pos:]))
		case decodeUUID:
			v.S[row] = d.copyString(fixed[c.pos : c.pos+16])
		case decodeString:
			b, ok := h.bytes(value, c.pos)
			if !ok {
				return corruptRow("column %d is outside of it", c.number+1)
			}
			v.S[row] = d.copyString(b)
		case decodeNumeric:
			b, ok := h.bytes(value, c.pos)
			if !ok {
				return corruptRow("column %d is outside of it", c.number+1)
			}
			if len(d.numbers) == 0 {
				d.numbers = make([]apd.Decimal, 64)
			}
			n := &d.numbers[0]
			d.numbers = d.numbers[1:]
			if !decodeStoredNumeric(n, b) {
				return corruptValue(c.t)
			}
			v.D[row] = n
		default:
			x, err := d.layout.column(value, h, c.number)
			if err != nil {
				return err
			}
			v.X[row] = x.x
		}
	}
	return nil
}

// copyString copies b into the arena.
func (d *Decoder) copyString(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if len(b) > cap(d.arena)-len(d.arena) {
		if len(b) > arenaChunk/4 {
			return string(b)
		}
		d.arena = make([]byte, 0, arenaChunk)
	}
	n := len(d.arena)
	d.arena = append(d.arena, b...)
	return unsafe.String(&d.arena[n], len(b))
}
