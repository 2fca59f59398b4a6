package types

import (
	"encoding/binary"
	"fmt"

	"holdfast/sql/errs"
)

// Column is a physical column of a table, in the order of attnum.
type Column struct {
	Type    *Type
	Dropped bool  // reads as NULL, is written as NULL; Type is still that of the rows already stored
	Missing Datum // value in rows stored before the column was added
}

// Layout encodes and decodes the rows of a table.
//
// A row is
//
//	flags      one byte: rowNulls, rowWide; the other bits are zero
//	columns    uvarint: how many columns the table had when the row was stored (the layout number)
//	nulls      if rowNulls: a bit for each column, set for NULL
//	fixed      the columns of fixed width, each at its place, zero if NULL
//	ends       for each column of variable width, where its bytes end in the variable part, in 2 bytes, 4 if rowWide
//	variable   the bytes of the columns of variable width
//
// so that any column is reached without decoding the others: its place depends on the types of the columns before it,
// which never change, and on the flags. Columns are only ever added at the end, and a dropped column keeps its place; so
// one number tells the layout of a row, ADD COLUMN rewrites nothing, and a column beyond the row's reads as
// Missing. NULLs keep their place in the fixed part: leaving them out would save a few bytes, which the block
// compression below saves too, and cost a population count for each column read.
//
// A Layout is not changed once made and may be shared.
type Layout struct {
	cols []Column
	at   []columnPlace
	ends []layoutEnds // for each number of columns
}

// columnPlace says where a column is.
type columnPlace struct {
	width int32 // bytes in the fixed part; 0 for a column of variable width
	pos   int32 // offset in the fixed part, or number among the columns of variable width
}

// layoutEnds is what a row with some number of columns has.
type layoutEnds struct {
	fixed    int // bytes in the fixed part
	variable int // columns of variable width
}

const (
	rowNulls byte = 1
	rowWide  byte = 2
)

// fixedWidth is the number of bytes a type takes in the fixed part, 0 if it is of variable width.
func fixedWidth(t *Type) int32 {
	switch t.class {
	case classBool:
		return 1
	case classInt2:
		return 2
	case classInt4, classOid, classReg, classDate, classFloat4, classEnum:
		return 4
	case classTimeTZ:
		return 12
	case classInterval, classUUID:
		return 16
	}
	if t.Rep == RepInt || t.Rep == RepFloat {
		return 8
	}
	return 0
}

// NewLayout makes the layout of a table's physical columns.
func NewLayout(cols []Column) *Layout {
	l := &Layout{cols: cols, at: make([]columnPlace, len(cols)), ends: make([]layoutEnds, len(cols)+1)}
	for i, c := range cols {
		e := l.ends[i]
		if w := fixedWidth(c.Type); w > 0 {
			l.at[i] = columnPlace{w, int32(e.fixed)}
			e.fixed += int(w)
		} else {
			l.at[i] = columnPlace{0, int32(e.variable)}
			e.variable++
		}
		l.ends[i+1] = e
	}
	return l
}

// Columns are the physical columns; the slice must not be changed.
func (l *Layout) Columns() []Column { return l.cols }

// Encode appends the encoding of a row: one datum for each physical column.
func (l *Layout) Encode(dst []byte, row []Datum) []byte {
	return l.encode(dst, func(c int) Datum { return row[c] })
}

// SizeOf is about how long the encoding of a row is, in bytes. It is never less if the row has no other values of variable
// width than strings.
func (l *Layout) SizeOf(row []Datum) int {
	const varintBytes, decimalBytes = 3, 24
	n := len(l.cols)
	end := l.ends[n]
	size := 1 + varintBytes + (n+7)/8 + end.fixed + 4*end.variable
	for c, p := range l.at {
		if p.width != 0 || l.cols[c].Dropped {
			continue
		}
		switch row[c].rep {
		case RepNull:
		case RepString:
			size += len(row[c].Str())
		default:
			size += decimalBytes
		}
	}
	return size
}

// EncodeVecs is Encode for row i of vectors, one for each physical column; nil for NULL.
func (l *Layout) EncodeVecs(dst []byte, cols []*Vec, i int) []byte {
	return l.encode(dst, func(c int) Datum {
		if cols[c] == nil {
			return Null
		}
		return cols[c].Datum(i)
	})
}

func (l *Layout) encode(dst []byte, datum func(c int) Datum) []byte {
	start := len(dst)
	n := len(l.cols)
	end := l.ends[n]
	var flags byte
	for c := range l.cols {
		if l.cols[c].Dropped || datum(c).rep == RepNull {
			flags = rowNulls
			break
		}
	}
	dst = append(dst, flags)
	dst = binary.AppendUvarint(dst, uint64(n))
	nulls := len(dst)
	if flags&rowNulls != 0 {
		dst = appendZeros(dst, (n+7)/8)
	}
	fixed := len(dst)
	endsAt := fixed + end.fixed
	dst = appendZeros(dst, end.fixed+2*end.variable)
	variable := len(dst)
	for c, p := range l.at {
		d := datum(c)
		isNull := l.cols[c].Dropped || d.rep == RepNull
		if isNull {
			dst[nulls+c>>3] |= 1 << (c & 7)
		}
		switch {
		case p.width == 0:
			if !isNull {
				dst = appendVariable(dst, l.cols[c].Type, d)
			}
			size := len(dst) - variable
			if size > 0xFFFF {
				return l.encodeWide(dst[:start], datum)
			}
			binary.LittleEndian.PutUint16(dst[endsAt+2*int(p.pos):], uint16(size))
		case !isNull:
			putFixed(dst[fixed+int(p.pos):], p.width, l.cols[c].Type, d)
		}
	}
	return dst
}

// encodeWide is encode for rows with more than 64 KB of variable part; they are rare and may take an extra pass.
func (l *Layout) encodeWide(dst []byte, datum func(c int) Datum) []byte {
	n := len(l.cols)
	end := l.ends[n]
	dst = append(dst, rowNulls|rowWide)
	dst = binary.AppendUvarint(dst, uint64(n))
	nulls := len(dst)
	dst = appendZeros(dst, (n+7)/8)
	fixed := len(dst)
	endsAt := fixed + end.fixed
	dst = appendZeros(dst, end.fixed+4*end.variable)
	variable := len(dst)
	for c, p := range l.at {
		d := datum(c)
		isNull := l.cols[c].Dropped || d.rep == RepNull
		if isNull {
			dst[nulls+c>>3] |= 1 << (c & 7)
		}
		switch {
		case p.width == 0:
			if !isNull {
				dst = appendVariable(dst, l.cols[c].Type, d)
			}
			binary.LittleEndian.PutUint32(dst[endsAt+4*int(p.pos):], uint32(len(dst)-variable))
		case !isNull:
			putFixed(dst[fixed+int(p.pos):], p.width, l.cols[c].Type, d)
		}
	}
	return dst
}

func appendZeros(dst []byte, n int) []byte {
	for n >= 8 {
		dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0)
		n -= 8
	}
	for ; n > 0; n-- {
		dst = append(dst, 0)
	}
	return dst
}

func corruptRow(format string, args ...any) *errs.Error {
	return errs.New(errs.DataCorrupted, "stored row is corrupted: %s", fmt.Sprintf(format, args...))
}

// rowHeader tells where the parts of one row begin. The rows of a table mostly have the same header, which is
// then read once for all.
type rowHeader struct {
	columns  int
	nulls    int // 0: no NULLs
	fixed    int
	ends     int
	variable int
	wide     bool
}

// header reads a row's header and checks that its parts are within it, as far as they do not depend on the ends.
func (l *Layout) header(value []byte) (h rowHeader, err error) {
	if len(value) < 2 || value[0]&^(rowNulls|rowWide) != 0 {
		return h, corruptRow("bad header")
	}
	n, size := binary.Uvarint(value[1:])
	if size <= 0 {
		return h, corruptRow("bad header")
	}
	if n > uint64(len(l.cols)) {
		return h, corruptRow("%d columns where the table has %d", n, len(l.cols))
	}
	h.columns = int(n)
	h.fixed = 1 + size
	if value[0]&rowNulls != 0 {
		h.nulls = h.fixed
		h.fixed += (h.columns + 7) / 8
	}
	e := l.ends[h.columns]
	h.ends = h.fixed + e.fixed
	h.wide = value[0]&rowWide != 0
	h.variable = h.ends + 2*e.variable
	if h.wide {
		h.variable += 2 * e.variable
	}
	if len(value) < h.variable {
		return h, corruptRow("%d bytes, at least %d expected", len(value), h.variable)
	}
	return h, nil
}

func (h *rowHeader) isNull(value []byte, c int) bool {
	return h.nulls != 0 && value[h.nulls+c>>3]&(1<<(c&7)) != 0
}

// bytes are those of the pos-th column of variable width.
func (h *rowHeader) bytes(value []byte, pos int) ([]byte, bool) {
	var from, to int
	if h.wide {
		to = int(binary.LittleEndian.Uint32(value[h.ends+4*pos:]))
		if pos > 0 {
			from = int(binary.LittleEndian.Uint32(value[h.ends+4*pos-4:]))
		}
	} else {
		to = int(binary.LittleEndian.Uint16(value[h.ends+2*pos:]))
		if pos > 0 {
			from = int(binary.LittleEndian.Uint16(value[h.ends+2*pos-2:]))
		}
	}
	body := value[h.variable:]
	if from > to || to > len(body) {
		return nil, false
	}
	return body[from:to], true
}

// Column decodes one column of a row. Its strings are copies.
func (l *Layout) Column(value []byte, n int) (Datum, error) {
	h, err := l.header(value)
	if err != nil {
		return Null, err
	}
	return l.column(value, &h, n)
}

func (l *Layout) column(value []byte, h *rowHeader, n int) (Datum, error) {
	c := &l.cols[n]
	switch {
	case c.Dropped:
		return Null, nil
	case n >= h.columns:
		return c.Missing, nil
	case h.isNull(value, n):
		return Null, nil
	}
	p := l.at[n]
	if p.width > 0 {
		return getFixed(value[h.fixed+int(p.pos):], p.width, c.Type), nil
	}
	b, ok := h.bytes(value, int(p.pos))
	if !ok {
		return Null, corruptRow("column %d is outside of it", n+1)
	}
	return decodeVariable(c.Type, b)
}

// Complete reports whether encoding the row anew would change nothing: it has all columns, and there are no dropped ones whose
// values could be left out.
func (l *Layout) Complete(value []byte) bool {
	h, err := l.header(value)
	if err != nil || h.columns != len(l.cols) {
		return false
	}
	for i := range l.cols {
		if l.cols[i].Dropped {
			return false
		}
	}
	return true
}

// Decode decodes all columns of a row into dst, which has one place for each.
func (l *Layout) Decode(value []byte, dst []Datum) error {
	h, err := l.header(value)
	if err != nil {
		return err
	}
	for n := range l.cols {
		if dst[n], err = l.column(value, &h, n); err != nil {
			return err
		}
	}
	return nil
}
