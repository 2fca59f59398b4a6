package exec

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"math/bits"
	"os"
	"syscall"

	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// spillBuffer is the size of the buffers of temporary files, in bytes.
const spillBuffer = 8 << 10

// rowFile is a temporary file of rows, each with a key in front (which may be empty). It has no name from
// the moment it is open, so that nothing is left behind whatever happens. It is written to its end and then read, any number of times.
type rowFile struct {
	file   *os.File
	writer *bufio.Writer
	layout *types.Layout
	buf    []byte
	head   []byte
	size   int64
	rows   int
}

// rowLayout is the layout of rows of some types in files.
func rowLayout(ts []*types.Type) *types.Layout {
	cols := make([]types.Column, len(ts))
	for i, t := range ts {
		cols[i].Type = t
	}
	return types.NewLayout(cols)
}

func newRowFile(ctx *Ctx, layout *types.Layout) (*rowFile, error) {
	f, err := os.CreateTemp(ctx.TempDir, "holdfast-sort-")
	if err != nil {
		return nil, spillError(err)
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, spillError(err)
	}
	return &rowFile{file: f, writer: bufio.NewWriterSize(f, spillBuffer), layout: layout}, nil
}

func spillError(err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		return errs.Wrap(err, errs.DiskFull, "could not write to a temporary file: %v", err)
	}
	return errs.Wrap(err, errs.IOError, "could not use a temporary file: %v", err)
}

// write appends row i of a batch.
func (f *rowFile) write(key []byte, b *types.Batch, i int) error {
	f.buf = f.layout.EncodeVecs(f.buf[:0], b.Cols, i)
	f.head = binary.AppendUvarint(f.head[:0], uint64(len(key)))
	f.head = binary.AppendUvarint(f.head, uint64(len(f.buf)))
	for _, p := range [...][]byte{f.head, key, f.buf} {
		if _, err := f.writer.Write(p); err != nil {
			return spillError(err)
		}
		f.size += int64(len(p))
	}
	f.rows++
	return nil
}

// writeBatch appends all rows of a batch, with empty keys.
func (f *rowFile) writeBatch(b *types.Batch) error {
	for k := range b.N {
		if err := f.write(nil, b, position(b.Rows, k)); err != nil {
			return err
		}
	}
	return nil
}

// reader reads the file from its beginning.
func (f *rowFile) reader() (*rowFileReader, error) {
	r := &rowFileReader{}
	return r, r.refresh(f)
}

func (f *rowFile) close() error {
	if f == nil || f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.file = nil
	if err != nil {
		return spillError(err)
	}
	return nil
}

// rowFileReader reads a rowFile. key and row are valid until the next call of next.
type rowFileReader struct {
	in       *bufio.Reader
	at       int64 // where the next row begins
	end      int64 // what was written when the reader last looked
	buf      []byte
	key, row []byte
}

// refresh makes the reader see what has been written to the file since.
func (r *rowFileReader) refresh(f *rowFile) error {
	if r.in != nil && r.end == f.size {
		return nil
	}
	if err := f.writer.Flush(); err != nil {
		return spillError(err)
	}
	r.end = f.size
	section := io.NewSectionReader(f.file, r.at, r.end-r.at)
	if r.in == nil {
		r.in = bufio.NewReaderSize(section, spillBuffer)
	} else {
		r.in.Reset(section)
	}
	return nil
}

// next moves to the next row and reports whether there is one.
func (r *rowFileReader) next() (bool, error) {
	k, err := binary.ReadUvarint(r.in)
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	if err != nil {
		return false, spillError(err)
	}
	n, err := binary.ReadUvarint(r.in)
	if err != nil {
		return false, spillError(err)
	}
	size := int(k + n)
	if cap(r.buf) < size {
		r.buf = make([]byte, size, 2*size)
	}
	r.buf = r.buf[:size]
	r.at += int64(uvarintLen(k) + uvarintLen(n) + size)
	if _, err := io.ReadFull(r.in, r.buf); err != nil {
		return false, spillError(err)
	}
	r.key, r.row = r.buf[:k], r.buf[k:]
	return true, nil
}

func uvarintLen(x uint64) int { return (bits.Len64(x|1) + 6) / 7 }

// fileSource returns the rows of a file in batches.
type fileSource struct {
	reader  *rowFileReader
	decoder *types.Decoder
	batch   *types.Batch
}

func newFileSource(f *rowFile, ts []*types.Type) (*fileSource, error) {
	r, err := f.reader()
	if err != nil {
		return nil, err
	}
	s := &fileSource{reader: r, batch: newBatch(ts)}
	s.decoder = f.layout.NewDecoder(allColumns(len(ts)), s.batch.Cols)
	return s, nil
}

func allColumns(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

func (s *fileSource) next(max int) (*types.Batch, error) {
	max = min(max, types.BatchRows)
	resetBatch(s.batch, max)
	n := 0
	for n < max {
		ok, err := s.reader.next()
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		if err := s.decoder.DecodeInto(s.reader.row, n); err != nil {
			return nil, err
		}
		n++
	}
	if n == 0 {
		return nil, nil
	}
	s.batch.Rows = types.Rows{N: n}
	return s.batch, nil
}

// spool holds rows to be read more than once, while they are still being appended: in memory, and beyond work_mem in a file.
type spool struct {
	rows *RowBuffer
	mem  Memory
	file *rowFile // rows after those in memory
	n    int      // rows in all
}

func newSpool(ts []*types.Type) *spool { return &spool{rows: NewRowBuffer(ts)} }

// reset empties the spool.
func (s *spool) reset(ctx *Ctx) error {
	s.rows.Reset()
	if ctx != nil {
		s.mem.Reset(ctx)
	}
	s.n = 0
	err := s.file.close()
	s.file = nil
	return err
}

func (s *spool) append(ctx *Ctx, b *types.Batch) (err error) {
	s.n += b.N
	if s.file == nil {
		before := s.rows.Bytes()
		s.rows.Append(b)
		if !s.mem.Grow(s.rows.Bytes() - before) {
			s.file, err = newRowFile(ctx, rowLayout(s.rows.types))
		}
		return err
	}
	return s.file.writeBatch(b)
}

// spoolReader reads a spool from the beginning, also while it grows.
type spoolReader struct {
	spool *spool
	at    int
	view  types.Batch
	sel   []int32
	file  *fileSource
}

func (r *spoolReader) rewind() { r.at, r.file = 0, nil }

// next returns rows that are there, nil if there are no more yet.
func (r *spoolReader) next(max int) (*types.Batch, error) {
	s := r.spool
	if r.at >= s.n {
		return nil, nil
	}
	if r.at < s.rows.Len() {
		chunk := s.rows.Chunk(r.at / types.BatchRows)
		from := r.at % types.BatchRows
		n := min(max, chunk.N-from)
		r.view.Cols = chunk.Cols
		r.view.Rows = types.Rows{N: n}
		if from > 0 {
			r.sel = r.sel[:0]
			for i := range n {
				r.sel = append(r.sel, int32(from+i))
			}
			r.view.Sel = r.sel
		}
		r.at += n
		return &r.view, nil
	}
	if r.file == nil {
		f, err := newFileSource(s.file, s.rows.types)
		if err != nil {
			return nil, err
		}
		r.file = f
	}
	if err := r.file.reader.refresh(s.file); err != nil {
		return nil, err
	}
	b, err := r.file.next(max)
	if b != nil {
		r.at += b.N
	}
	return b, err
}
