package wire

import (
	"context"
	"encoding/binary"
	"hash/maphash"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgproto3"

	"holdfast/planner"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// Sizes of the write buffer, in bytes.
const (
	flushSize = 32 << 10 // written when this full, unless held
	holdSize  = 64 << 20 // written even when held: after that a statement cannot be run again
	keepSize  = 64 << 10 // a larger buffer is given back after use
)

// output is the write buffer of a connection and its planner.Output. Messages are encoded straight into one
// buffer, which is written when it is full and at Sync and Flush.
//
// sent counts the bytes written since the connection began, so that a mark (sent + length of the buffer)
// stays valid however often the buffer is written. Errors of the connection stick: once a write has failed
// everything after it is dropped and the message loop ends at its next flush.
type output struct {
	conn net.Conn
	buf  []byte
	sent int64
	held bool
	err  error

	// The present answer begins at from. Its bytes up to hashed have gone into digest, in any case before they
	// are sent. After a Reset behind what had been sent, the first skip bytes are not sent again; want is the
	// digest of those that were.
	from, hashed int64
	digest       maphash.Hash
	rows         int64 // rows, or pieces of COPY data, in the present answer
	skip         int64
	skipped      int64 // skip as it was at the Reset
	want         uint64
	different    bool // they were others

	env func() *types.Env
	// settle waits until the state that held answers rest on is durable; nil: it is.
	settle func() error
	// copyIn reads the client's copy data.
	copyIn func(ctx context.Context, binary bool, columns int) (io.Reader, error)
}

var _ planner.Output = (*output)(nil)

// begin starts a message and returns where; end fills in its length.
func (o *output) begin(kind byte) int {
	o.buf = append(o.buf, kind, 0, 0, 0, 0)
	return len(o.buf) - 4
}

func (o *output) end(at int) error {
	binary.BigEndian.PutUint32(o.buf[at:], uint32(len(o.buf)-at))
	return o.full()
}

// full writes the buffer if it is time to.
func (o *output) full() error {
	if len(o.buf) >= flushSize && (!o.held || len(o.buf) >= holdSize) {
		return o.flush()
	}
	return o.err
}

// flush writes everything to the client. What is held is written only if the state it rests on is durable.
func (o *output) flush() error {
	o.hash()
	if o.different { // what follows will never be sent either
		o.buf, o.hashed = o.buf[:0], o.sent
	}
	if o.held && o.settle != nil && o.err == nil && len(o.buf) > 0 {
		o.err = o.settle()
	}
	if o.err == nil && len(o.buf) > 0 && o.conn != nil {
		_, o.err = o.conn.Write(o.buf)
	}
	o.sent += int64(len(o.buf))
	if cap(o.buf) > keepSize {
		o.buf = nil
	} else {
		o.buf = o.buf[:0]
	}
	return o.err
}

// drop takes back everything that has not been sent, whatever the state of the present answer is.
func (o *output) drop() {
	o.buf, o.held, o.skip, o.different = o.buf[:0], false, 0, false
	o.from, o.hashed = o.sent, o.sent
}

// hash puts what has been added to the present answer into its digest, and drops what is not to be sent again.
func (o *output) hash() {
	if o.skip > 0 {
		n := min(o.skip, int64(len(o.buf)))
		_, _ = o.digest.Write(o.buf[:n])
		o.buf = append(o.buf[:0], o.buf[n:]...)
		o.sent += n
		o.hashed = o.sent
		if o.skip -= n; o.skip > 0 {
			return
		}
		o.different = o.digest.Sum64() != o.want
	}
	_, _ = o.digest.Write(o.buf[max(o.hashed, o.sent)-o.sent:])
	o.hashed = o.sent + int64(len(o.buf))
}

// message appends a message of pgproto3.
func (o *output) message(m pgproto3.BackendMessage) error {
	b, err := m.Encode(o.buf)
	if err != nil {
		return err
	}
	o.buf = b
	return o.full()
}

func (o *output) cstring(s string) {
	o.buf = append(o.buf, s...)
	o.buf = append(o.buf, 0)
}

func (o *output) int16(v int16) { o.buf = binary.BigEndian.AppendUint16(o.buf, uint16(v)) }
func (o *output) int32(v int32) { o.buf = binary.BigEndian.AppendUint32(o.buf, uint32(v)) }

// RowDescription describes columns that will be sent in the given formats.
func (o *output) RowDescription(cols []planner.ResultColumn, formats []int16) error {
	at := o.begin('T')
	o.int16(int16(len(cols)))
	for i, c := range cols {
		o.cstring(c.Name)
		o.int32(int32(c.Table))
		o.int16(c.Number)
		o.int32(int32(c.Type.OID))
		o.int16(c.Type.Len)
		o.int32(c.Mod)
		o.int16(formatOf(formats, i))
	}
	return o.end(at)
}

// formatOf is the format of column i: one for all, one each, or text.
func formatOf(formats []int16, i int) int16 {
	switch {
	case len(formats) == 0:
		return 0
	case len(formats) == 1:
		return formats[0]
	default:
		return formats[i]
	}
}

func (o *output) Rows(cols []planner.ResultColumn, formats []int16, b *types.Batch) error {
	env := o.env()
	o.rows += int64(b.N)
	for k := 0; k < b.N; k++ {
		i := k
		if b.Sel != nil {
			i = int(b.Sel[k])
		}
		at := o.begin('D')
		o.int16(int16(len(cols)))
		for j := range cols {
			v := b.Cols[j]
			if v.IsNull(i) {
				o.int32(-1)
				continue
			}
			field := len(o.buf)
			o.int32(0)
			if formatOf(formats, j) == 1 {
				o.buf = types.AppendBinary(o.buf, cols[j].Type, v.Datum(i))
			} else {
				o.buf = types.AppendTextVec(o.buf, v, i, env)
			}
			binary.BigEndian.PutUint32(o.buf[field:], uint32(len(o.buf)-field-4))
		}
		if err := o.end(at); err != nil {
			return err
		}
	}
	return nil
}

func (o *output) CommandComplete(tag string) error {
	at := o.begin('C')
	o.cstring(tag)
	return o.end(at)
}

func (o *output) PortalSuspended() error { return o.end(o.begin('s')) }
func (o *output) EmptyQuery() error      { return o.end(o.begin('I')) }

func (o *output) ParameterStatus(name, value string) error {
	at := o.begin('S')
	o.cstring(name)
	o.cstring(value)
	return o.end(at)
}

func (o *output) Notice(n *errs.Error) error {
	severity := n.Severity
	if severity == "" {
		severity = "NOTICE"
	}
	return o.report('N', severity, n)
}

// fail sends an error.
func (o *output) fail(err error) error {
	e := errs.As(err)
	severity := e.Severity
	if severity == "" {
		severity = "ERROR"
	}
	return o.report('E', severity, e)
}

func (o *output) report(kind byte, severity string, e *errs.Error) error {
	at := o.begin(kind)
	field := func(code byte, value string) {
		if value != "" {
			o.buf = append(o.buf, code)
			for i := 0; i < len(value); i++ {
				if value[i] == 0 { // a NUL would end the field
					value = value[:i]
					break
				}
			}
			o.cstring(value)
		}
	}
	field('S', severity)
	field('V', severity)
	field('C', string(e.Code))
	message := e.Message
	if message == "" {
		message = "unknown error"
	}
	field('M', message)
	field('D', e.Detail)
	field('H', e.Hint)
	if e.Position > 0 {
		field('P', itoa(e.Position))
	}
	field('W', e.Where)
	field('s', e.Schema)
	field('t', e.Table)
	field('c', e.Column)
	field('d', e.DataType)
	field('n', e.Constraint)
	o.buf = append(o.buf, 0)
	return o.end(at)
}

func (o *output) CopyIn(ctx context.Context, binary bool, columns int) (io.Reader, error) {
	return o.copyIn(ctx, binary, columns)
}

func (o *output) CopyInAgain(binary bool, columns int) error {
	return o.copyResponse('G', binary, columns)
}

func (o *output) CopyOut(binary bool, columns int) error {
	return o.copyResponse('H', binary, columns)
}

func (o *output) copyResponse(kind byte, binary bool, columns int) error {
	format := int16(0)
	if binary {
		format = 1
	}
	at := o.begin(kind)
	o.buf = append(o.buf, byte(format))
	o.int16(int16(columns))
	for i := 0; i < columns; i++ {
		o.int16(format)
	}
	return o.end(at)
}

func (o *output) CopyData(p []byte) error {
	o.rows++
	at := o.begin('d')
	o.buf = append(o.buf, p...)
	return o.end(at)
}

func (o *output) CopyDone() error { return o.end(o.begin('c')) }

func (o *output) Hold()    { o.held = true }
func (o *output) Release() { o.held = false }

func (o *output) Mark() int64 { return o.sent + int64(len(o.buf)) }
func (o *output) Sent() int64 { return o.sent }

func (o *output) BeginAnswer() {
	o.from = o.Mark()
	o.hashed = o.from
	o.digest.Reset()
	o.skip, o.different, o.rows = 0, false, 0
}

func (o *output) EndAnswer() (planner.Digest, bool) {
	o.hash()
	// An answer that has become shorter than what was sent of it is another one.
	same := o.skip == 0 && !o.different
	o.skip, o.different = 0, false
	return planner.Digest{Bytes: o.Mark() - o.from, Rows: o.rows, Hash: o.digest.Sum64()}, same
}

func (o *output) Reset(mark int64) bool {
	switch {
	case o.err != nil:
		return false
	case mark >= o.sent && o.skip == 0:
		o.buf = o.buf[:mark-o.sent]
		if o.hashed > mark {
			o.from, o.hashed = mark, mark
			o.digest.Reset()
		}
		o.rows = 0
		return true
	case mark != o.from:
		return false
	case o.skip > 0 || o.different: // again, before the same had been answered again
		o.skip = o.skipped
	default:
		// Nothing is in the digest that has not been sent: hash is called when it is.
		if o.hashed != o.sent {
			return false
		}
		o.skip, o.want = o.sent-o.from, o.digest.Sum64()
	}
	o.skipped, o.different = o.skip, false
	o.sent, o.hashed, o.rows = o.from, o.from, 0
	o.digest.Reset()
	o.buf = o.buf[:0]
	return true
}

func (o *output) Truncate(mark int64) {
	o.buf = o.buf[:min(max(mark-o.sent, 0), int64(len(o.buf)))]
	o.hashed = min(o.hashed, o.Mark())
}

func (o *output) Silent() planner.Output {
	s := &output{env: o.env, copyIn: func(context.Context, bool, int) (io.Reader, error) { return nil, planner.ErrSilent }}
	s.digest.SetSeed(o.digest.Seed())
	return s
}

func (o *output) Between(from, to int64) []byte {
	if from < o.sent {
		return nil
	}
	return append([]byte{}, o.buf[from-o.sent:to-o.sent]...)
}

func (o *output) Append(p []byte) error {
	o.buf = append(o.buf, p...)
	return o.full()
}
