package copyio

import (
	"encoding/binary"
	"strings"

	"holdfast/sql/types"
)

// Writer makes rows of a format, appended to a buffer by the caller.
type Writer struct {
	o       Options
	columns []string
	env     *types.Env
	value   []byte
}

// NewWriter writes rows with the given columns.
func NewWriter(o Options, columns []string, env *types.Env) *Writer {
	return &Writer{o: o, columns: columns, env: env}
}

// Start appends what comes before the first row.
func (w *Writer) Start(dst []byte) []byte {
	if w.o.Format == Binary {
		return append(append(dst, binarySignature...), 0, 0, 0, 0, 0, 0, 0, 0)
	}
	if !w.o.Header {
		return dst
	}
	for i, c := range w.columns {
		if i > 0 {
			dst = append(dst, w.o.Delimiter)
		}
		if w.o.Format == CSV {
			dst = w.appendCSV(dst, []byte(c), false, len(w.columns) == 1)
		} else {
			dst = w.appendText(dst, []byte(c))
		}
	}
	return append(dst, '\n')
}

// End appends what comes after the last row.
func (w *Writer) End(dst []byte) []byte {
	if w.o.Format == Binary {
		return append(dst, 0xff, 0xff)
	}
	return dst
}

// Row appends row i of a batch.
func (w *Writer) Row(dst []byte, b *types.Batch, i int) []byte {
	if w.o.Format == Binary {
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(w.columns)))
		for j := range w.columns {
			v := b.Cols[j]
			if v.IsNull(i) {
				dst = append(dst, 0xff, 0xff, 0xff, 0xff)
				continue
			}
			at := len(dst)
			dst = types.AppendBinary(append(dst, 0, 0, 0, 0), v.Type, v.Datum(i))
			binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
		}
		return dst
	}
	for j, name := range w.columns {
		if j > 0 {
			dst = append(dst, w.o.Delimiter)
		}
		v := b.Cols[j]
		if v.IsNull(i) {
			dst = append(dst, w.o.Null...)
			continue
		}
		w.value = types.AppendTextVec(w.value[:0], v, i, w.env)
		if w.o.Format == CSV {
			dst = w.appendCSV(dst, w.value, w.o.ForceAll || w.o.ForceQuote[name], len(w.columns) == 1)
		} else {
			dst = w.appendText(dst, w.value)
		}
	}
	return append(dst, '\n')
}

func (w *Writer) appendText(dst, value []byte) []byte {
	for _, c := range value {
		switch c {
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		case '\v':
			dst = append(dst, '\\', 'v')
		case '\\':
			dst = append(dst, '\\', '\\')
		default:
			if c == w.o.Delimiter {
				dst = append(dst, '\\')
			}
			dst = append(dst, c)
		}
	}
	return dst
}

// appendCSV appends a csv field, quoted where it must be. A lone column with the end marker as its value is
// quoted too.
func (w *Writer) appendCSV(dst, value []byte, force, single bool) []byte {
	quote := force || string(value) == w.o.Null || single && string(value) == `\.`
	if !quote {
		quote = strings.ContainsAny(string(value), "\r\n") || indexAny(value, w.o.Delimiter, w.o.Quote)
	}
	if !quote {
		return append(dst, value...)
	}
	dst = append(dst, w.o.Quote)
	for _, c := range value {
		if c == w.o.Quote || c == w.o.Escape {
			dst = append(dst, w.o.Escape)
		}
		dst = append(dst, c)
	}
	return append(dst, w.o.Quote)
}

func indexAny(value []byte, a, b byte) bool {
	for _, c := range value {
		if c == a || c == b {
			return true
		}
	}
	return false
}
