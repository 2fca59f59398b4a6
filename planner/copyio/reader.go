package copyio

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"

	"holdfast/sql/errs"
)

// A Field is one value as it came: Data is nil for NULL, and valid until the next row is read.
type Field struct{ Data []byte }

// Reader reads rows.
type Reader struct {
	o       Options
	r       *bufio.Reader
	columns []string
	fields  []Field
	buf     []byte // what the fields of the present row point into
	ends    []int
	null    []bool
	line    int64
	raw     []byte // text of the present line
	started bool
	done    bool
}

// MaxRowBytes bounds one row, so that data without line ends cannot fill the memory.
const MaxRowBytes = 256 << 20

// NewReader reads rows with the given columns from r.
func NewReader(r io.Reader, o Options, columns []string) *Reader {
	return &Reader{o: o, r: bufio.NewReaderSize(r, 64<<10), columns: columns, fields: make([]Field, len(columns))}
}

// Line is the number of the present line, from 1; of a binary row, of the tuple.
func (r *Reader) Line() int64 { return r.line }

// Raw is the present line's text, for error messages.
func (r *Reader) Raw() string { return string(r.raw) }

// Next reads the next row, or returns io.EOF. The fields are valid until the next call.
func (r *Reader) Next() ([]Field, error) {
	if r.done {
		return nil, io.EOF
	}
	if r.o.Format == Binary {
		return r.nextBinary()
	}
	if !r.started {
		r.started = true
		if r.o.Header {
			if err := r.header(); err != nil {
				return nil, err
			}
		}
	}
	if err := r.readLine(); err != nil {
		return nil, err
	}
	r.buf, r.ends, r.null = r.buf[:0], r.ends[:0], r.null[:0]
	var err error
	if r.o.Format == CSV {
		err = r.splitCSV()
	} else {
		err = r.splitText()
	}
	if err != nil {
		return nil, err
	}
	return r.row()
}

// row makes the fields of the present row and checks their number.
func (r *Reader) row() ([]Field, error) {
	if len(r.columns) == 0 && len(r.ends) == 1 && len(r.raw) == 0 {
		return r.fields[:0], nil
	}
	if len(r.ends) > len(r.columns) {
		return nil, errs.New(errs.BadCopyFileFormat, "extra data after last expected column")
	}
	if len(r.ends) < len(r.columns) {
		return nil, errs.New(errs.BadCopyFileFormat, `missing data for column "%s"`, r.columns[len(r.ends)])
	}
	start := 0
	for i, end := range r.ends {
		if r.null[i] {
			r.fields[i].Data = nil
		} else {
			r.fields[i].Data = r.buf[start:end:end]
		}
		start = end
	}
	return r.fields, nil
}

// header reads the first line and, if asked, compares it with the columns.
func (r *Reader) header() error {
	if err := r.readLine(); err != nil {
		return err
	}
	if !r.o.MatchNames {
		return nil
	}
	var err error
	if r.o.Format == CSV {
		err = r.splitCSV()
	} else {
		err = r.splitText()
	}
	if err != nil {
		return err
	}
	if len(r.ends) != len(r.columns) {
		return errs.New(errs.BadCopyFileFormat, "wrong number of fields in header line: got %d, expected %d", len(r.ends), len(r.columns))
	}
	start := 0
	for i, end := range r.ends {
		if got := string(r.buf[start:end]); got != r.columns[i] {
			return errs.New(errs.BadCopyFileFormat, `column name mismatch in header line field %d: got "%s", expected "%s"`, i+1, got, r.columns[i])
		}
		start = end
	}
	return nil
}

// readLine reads one line into raw, without its end. In csv a line end inside quotes is part of the line.
func (r *Reader) readLine() error {
	r.raw = r.raw[:0]
	quoted := false
	for {
		part, err := r.r.ReadSlice('\n')
		r.raw = append(r.raw, part...)
		if len(r.raw) > MaxRowBytes {
			return errs.New(errs.ProgramLimitExceeded, "COPY row is longer than %d bytes", MaxRowBytes)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil {
			if err != io.EOF {
				return err
			}
			if len(r.raw) == 0 {
				r.done = true
				return io.EOF
			}
			if r.o.Format == CSV && r.openQuote(r.raw) {
				r.line++
				return errs.New(errs.BadCopyFileFormat, "unterminated CSV quoted field")
			}
			r.done = true
			break
		}
		if r.o.Format == CSV {
			// An odd number of quotes so far means that the line end is inside of a field.
			if quoted = r.openQuote(r.raw); quoted {
				continue
			}
		} else if r.escapedEnd() {
			continue
		}
		break
	}
	r.line++
	r.raw = bytes.TrimSuffix(r.raw, []byte{'\n'})
	r.raw = bytes.TrimSuffix(r.raw, []byte{'\r'})
	if len(r.raw) == 2 && r.raw[0] == '\\' && r.raw[1] == '.' {
		r.done = true
		// What follows the end marker is read and dropped, so that the client's stream ends well.
		_, err := io.Copy(io.Discard, r.r)
		if err == nil {
			err = io.EOF
		}
		return err
	}
	return nil
}

// escapedEnd reports whether the line end of a text row is itself escaped by an odd number of backslashes.
func (r *Reader) escapedEnd() bool {
	n := len(r.raw) - 1
	back := 0
	for i := n - 1; i >= 0 && r.raw[i] == '\\'; i-- {
		back++
	}
	return back%2 == 1
}

// openQuote reports whether a csv line ends inside of a quoted field.
func (r *Reader) openQuote(line []byte) bool {
	if r.o.Quote == r.o.Escape {
		return bytes.Count(line, []byte{r.o.Quote})%2 == 1
	}
	in := false
	for i := 0; i < len(line); i++ {
		switch {
		case in && line[i] == r.o.Escape && i+1 < len(line) && (line[i+1] == r.o.Quote || line[i+1] == r.o.Escape):
			i++
		case line[i] == r.o.Quote:
			in = !in
		}
	}
	return in
}

// endField ends a field of the present row at the end of buf.
func (r *Reader) endField(null bool) {
	r.ends = append(r.ends, len(r.buf))
	r.null = append(r.null, null)
}

// splitText takes a line of the text format apart.
func (r *Reader) splitText() error {
	line := r.raw
	for {
		end := bytes.IndexByte(line, r.o.Delimiter)
		slash := bytes.IndexByte(line, '\\')
		if slash < 0 || end >= 0 && slash > end {
			field := line
			if end >= 0 {
				field = line[:end]
			}
			if string(field) == r.o.Null {
				r.endField(true)
			} else {
				r.buf = append(r.buf, field...)
				r.endField(false)
			}
			if end < 0 {
				return nil
			}
			line = line[end+1:]
			continue
		}
		// The field has escapes: the NULL text is compared before they are resolved.
		i := 0
		for i < len(line) && line[i] != r.o.Delimiter {
			if line[i] == '\\' && i+1 < len(line) {
				i++
			}
			i++
		}
		field := line[:i]
		if string(field) == r.o.Null {
			r.endField(true)
		} else {
			r.buf = unescape(r.buf, field)
			r.endField(false)
		}
		if i >= len(line) {
			return nil
		}
		line = line[i+1:]
	}
}

// unescape appends a text field with its backslash sequences resolved.
func unescape(dst, s []byte) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c != '\\' || i+1 >= len(s) {
			dst = append(dst, c)
			continue
		}
		i++
		switch c = s[i]; c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'v':
			c = '\v'
		case 'x':
			v, n := 0, 0
			for n < 2 && i+1 < len(s) && isHex(s[i+1]) {
				v = v<<4 | hexValue(s[i+1])
				i++
				n++
			}
			if n > 0 {
				c = byte(v)
			}
		case '0', '1', '2', '3', '4', '5', '6', '7':
			v := int(c - '0')
			for n := 1; n < 3 && i+1 < len(s) && s[i+1] >= '0' && s[i+1] <= '7'; n++ {
				v = v<<3 | int(s[i+1]-'0')
				i++
			}
			c = byte(v)
		}
		dst = append(dst, c)
	}
	return dst
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func hexValue(c byte) int {
	switch {
	case c <= '9':
		return int(c - '0')
	case c >= 'a':
		return int(c-'a') + 10
	}
	return int(c-'A') + 10
}

// splitCSV takes a line of the csv format apart. A quoted field is never NULL, unless FORCE_NULL says so.
func (r *Reader) splitCSV() error {
	line := r.raw
	i := 0
	for {
		start, quoted := len(r.buf), false
		for i < len(line) && line[i] != r.o.Delimiter {
			if line[i] != r.o.Quote {
				r.buf = append(r.buf, line[i])
				i++
				continue
			}
			quoted = true
			i++
			for {
				if i >= len(line) {
					return errs.New(errs.BadCopyFileFormat, "unterminated CSV quoted field")
				}
				if line[i] == r.o.Escape && i+1 < len(line) && (line[i+1] == r.o.Quote || line[i+1] == r.o.Escape) {
					r.buf = append(r.buf, line[i+1])
					i += 2
					continue
				}
				if line[i] == r.o.Quote {
					i++
					break
				}
				r.buf = append(r.buf, line[i])
				i++
			}
		}
		column := ""
		if len(r.ends) < len(r.columns) {
			column = r.columns[len(r.ends)]
		}
		isNull := string(r.buf[start:]) == r.o.Null
		switch {
		case quoted:
			isNull = isNull && r.o.ForceNull[column]
		case r.o.ForceNotNull[column]:
			isNull = false
		}
		r.endField(isNull)
		if i >= len(line) {
			return nil
		}
		i++
	}
}

var binarySignature = []byte("PGCOPY\n\xff\r\n\x00")

// nextBinary reads a tuple of the binary format.
func (r *Reader) nextBinary() ([]Field, error) {
	bad := func(what string) error { return errs.New(errs.BadCopyFileFormat, "%s", what) }
	read := func(n int) ([]byte, error) {
		b := make([]byte, n)
		if _, err := io.ReadFull(r.r, b); err != nil {
			if err == io.EOF || err == io.ErrUnexpectedEOF {
				err = bad("unexpected EOF in COPY data")
			}
			return nil, err
		}
		return b, nil
	}
	if !r.started {
		r.started = true
		head, err := read(len(binarySignature))
		if err != nil || !bytes.Equal(head, binarySignature) {
			return nil, bad("COPY file signature not recognized")
		}
		b, err := read(8)
		if err != nil {
			return nil, bad("invalid COPY file header (missing flags)")
		}
		if flags := binary.BigEndian.Uint32(b); flags>>16 != 0 {
			return nil, bad("unrecognized critical flags in COPY file header")
		}
		n := binary.BigEndian.Uint32(b[4:])
		if n > 1<<20 {
			return nil, bad("invalid COPY file header (wrong length)")
		}
		if _, err := read(int(n)); err != nil {
			return nil, bad("invalid COPY file header (wrong length)")
		}
	}
	if _, err := r.r.Peek(1); err == io.EOF {
		r.done = true // the end marker may be left out
		return nil, io.EOF
	}
	r.line++
	b, err := read(2)
	if err != nil {
		return nil, err
	}
	count := int(int16(binary.BigEndian.Uint16(b)))
	if count == -1 {
		r.done = true
		if _, err := r.r.ReadByte(); err != io.EOF {
			if err != nil {
				return nil, err
			}
			return nil, bad("received copy data after EOF marker")
		}
		return nil, io.EOF
	}
	if count != len(r.columns) {
		return nil, errs.New(errs.BadCopyFileFormat, "row field count is %d, expected %d", count, len(r.columns))
	}
	for i := range r.fields {
		b, err := read(4)
		if err != nil {
			return nil, err
		}
		n := int(int32(binary.BigEndian.Uint32(b)))
		if n == -1 {
			r.fields[i].Data = nil
			continue
		}
		if n < 0 || n > MaxRowBytes {
			return nil, bad("invalid field size")
		}
		if r.fields[i].Data, err = read(n); err != nil {
			return nil, err
		}
	}
	return r.fields, nil
}
