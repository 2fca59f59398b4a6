package spill

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"sort"

	"holdfast/kv"
	"holdfast/kv/buffer"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// blockBytes is the size from which a block of a run is ended. A look-up that no block in memory serves reads one; of each the
// first key is in memory.
const blockBytes = 8 << 10

// Run is writes in order of their keys in a file. It is not changed any more and may be read by several goroutines.
//
// A file is a sequence of blocks, each of whole entries and a checksum. An entry is the length of the key, twice
// the length of the value and 1 for a deletion, both as varints, the columns in 8 bytes, key and value.
type Run struct {
	folder *Folder
	file   vfs.File
	path   string
	blocks []block
	last   []byte // the greatest key
	filter filter
	n      int
	bytes  int64 // of the writes as kv/buffer counts them
	// Level is the number of times that its writes have been merged.
	Level int
}

// block is where a block lies, and its first key.
type block struct {
	first []byte
	at    int64
	size  int // without the checksum
}

// errDamaged is what reading a run fails with if the file is not what was written.
var errDamaged = errors.New("spill: a temporary file is damaged")

// errClosed is what reading a run fails with whose transaction has ended or begun anew.
var errClosed = errors.New("spill: the temporary file has been removed")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Len is the number of keys.
func (r *Run) Len() int { return r.n }

// Bytes is the size of the writes.
func (r *Run) Bytes() int64 { return r.bytes }

// Close removes the file. Reading the run then fails; closing again does nothing.
func (r *Run) Close() error {
	if r.file == nil {
		return nil
	}
	err := errors.Join(r.file.Close(), r.folder.fs.Remove(r.path))
	r.file = nil
	r.folder.blocks.forget(r)
	return err
}

// writer writes a run.
type writer struct {
	run *Run
	out *bufio.Writer
	buf []byte // the present block
	at  int64
}

// write makes a run of the writes that next gives until it returns false. capacity is at least their number.
func write(f *Folder, capacity int, next func() (buffer.Write, bool)) (*Run, error) {
	out, path, err := f.Create("run")
	if err != nil {
		return nil, fmt.Errorf("creating a temporary file: %w", err)
	}
	w := &writer{run: &Run{folder: f, path: path, filter: newFilter(capacity)}, out: bufio.NewWriterSize(out, 64<<10)}
	err = w.all(next)
	err = errors.Join(err, w.out.Flush(), out.Close())
	if err == nil {
		w.run.file, err = f.fs.Open(path, vfs.RandomReadsOption)
	}
	if err != nil {
		_ = f.fs.Remove(path) // what is left is removed at the next start
		return nil, fmt.Errorf("writing a temporary file: %w", err)
	}
	return w.run, nil
}

func (w *writer) all(next func() (buffer.Write, bool)) error {
	r := w.run
	var last []byte
	for {
		x, ok := next()
		if !ok {
			break
		}
		if len(w.buf) == 0 {
			r.blocks = append(r.blocks, block{first: bytes.Clone(x.Key), at: w.at})
		}
		value := uint64(len(x.Value)) << 1
		if x.Deleted {
			value |= 1
		}
		w.buf = binary.AppendUvarint(w.buf, uint64(len(x.Key)))
		w.buf = binary.AppendUvarint(w.buf, value)
		w.buf = binary.LittleEndian.AppendUint64(w.buf, uint64(x.Columns))
		w.buf = append(append(w.buf, x.Key...), x.Value...)
		r.filter.add(hash(x.Key))
		r.n++
		r.bytes += x.Bytes()
		last = append(last[:0], x.Key...)
		if len(w.buf) >= blockBytes {
			if err := w.end(); err != nil {
				return err
			}
		}
	}
	r.last = last
	return w.end()
}

// end writes the present block.
func (w *writer) end() error {
	if len(w.buf) == 0 {
		return nil
	}
	b := &w.run.blocks[len(w.run.blocks)-1]
	b.size = len(w.buf)
	w.buf = binary.LittleEndian.AppendUint32(w.buf, crc32.Checksum(w.buf, castagnoli))
	n, err := w.out.Write(w.buf)
	w.at += int64(n)
	w.buf = w.buf[:0]
	return err
}

// Write makes a run of a tree that has writes.
func Write(f *Folder, tree *buffer.Tree) (*Run, error) {
	it := tree.Iter()
	defer it.Release()
	return write(f, tree.Len(), func() (buffer.Write, bool) {
		if !it.Next() {
			return buffer.Write{}, false
		}
		return it.Item(), true
	})
}

// Merge makes one run of several, from old to new, and closes none of them.
func Merge(f *Folder, runs []*Run) (*Run, error) {
	n, level := 0, 0
	for _, r := range runs {
		n += r.n
		level = max(level, r.Level)
	}
	all := kv.KeyRange{}
	c := Writes{Runs: runs}.Cursor(all, false)
	merged, err := write(f, n, func() (buffer.Write, bool) {
		if !c.Valid() {
			return buffer.Write{}, false
		}
		w := c.Write()
		c.Next(all)
		return w, true
	})
	if err != nil {
		return nil, err
	}
	if err := c.Err(); err != nil {
		return nil, errors.Join(err, merged.Close())
	}
	merged.Level = level + 1
	return merged, nil
}

// find is the last block whose first key is not above key, -1 if there is none.
func (r *Run) find(key []byte) int {
	return sort.Search(len(r.blocks), func(i int) bool { return bytes.Compare(r.blocks[i].first, key) > 0 }) - 1
}

// block is block i. It is kept for those who look for it next, if that is asked for.
func (r *Run) block(i int, keep bool) (*loaded, error) {
	if r.file == nil {
		return nil, errClosed
	}
	id := blockID{r, i}
	if b := r.folder.blocks.get(id); b != nil {
		return b, nil
	}
	at := &r.blocks[i]
	data := make([]byte, at.size+4)
	if _, err := r.file.ReadAt(data, at.at); err != nil {
		return nil, fmt.Errorf("reading a temporary file: %w", err)
	}
	if crc32.Checksum(data[:at.size], castagnoli) != binary.LittleEndian.Uint32(data[at.size:]) {
		return nil, errDamaged
	}
	b := newLoaded(data[:at.size])
	if keep {
		r.folder.blocks.put(id, b)
	}
	return b, nil
}

// parse takes the first entry off a block, whose memory the result shares.
func parse(from []byte) (w buffer.Write, rest []byte) {
	k, n := binary.Uvarint(from)
	v, m := binary.Uvarint(from[n:])
	from = from[n+m:]
	w.Columns = kv.ColumnSet(binary.LittleEndian.Uint64(from))
	w.Deleted = v&1 != 0
	from = from[8:]
	w.Key = from[:k:k]
	end := k + v>>1
	if v > 1 {
		w.Value = from[k:end:end]
	}
	return w, from[end:]
}

// get looks for a key of some hash. The write shares no memory with the run.
func (r *Run) get(key []byte, h uint64) (w buffer.Write, ok bool, err error) {
	if bytes.Compare(key, r.last) > 0 || !r.filter.may(h) {
		return w, false, nil
	}
	i := r.find(key)
	if i < 0 {
		return w, false, nil
	}
	b, err := r.block(i, true)
	if err != nil {
		return w, false, err
	}
	at := b.find(key)
	if at == b.len() {
		return w, false, nil
	}
	if w = b.entry(at); !bytes.Equal(w.Key, key) {
		return buffer.Write{}, false, nil
	}
	w.Key, w.Value = bytes.Clone(w.Key), bytes.Clone(w.Value)
	return w, true, nil
}

// runCursor walks over a part of a run. What it has given out stays valid: blocks are not changed.
type runCursor struct {
	run     *Run
	reverse bool
	block   int
	entries *loaded // the block
	at      int
	ok      bool
	err     error
}

// write is the present write.
func (c *runCursor) write() buffer.Write { return c.entries.entry(c.at) }

func (c *runCursor) seek(r kv.KeyRange) {
	run := c.run
	if bytes.Compare(r.Start, run.last) > 0 || r.End != nil && bytes.Compare(r.End, run.blocks[0].first) <= 0 {
		return
	}
	switch {
	case !c.reverse:
		c.block = max(0, run.find(r.Start))
	case r.End == nil:
		c.block = len(run.blocks) - 1
	default:
		c.block = run.find(r.End)
	}
	if !c.load(true) {
		return
	}
	switch {
	case !c.reverse:
		c.at = c.entries.find(r.Start) - 1
	case r.End == nil:
		c.at = c.entries.len()
	default:
		c.at = c.entries.find(r.End)
	}
	c.next(r)
}

// load reads the present block; it reports false at the end and at an error.
func (c *runCursor) load(keep bool) bool {
	c.ok = false
	if c.block < 0 || c.block >= len(c.run.blocks) {
		return false
	}
	c.entries, c.err = c.run.block(c.block, keep)
	return c.err == nil
}

// next moves on within the range given to seek.
func (c *runCursor) next(r kv.KeyRange) {
	if c.reverse {
		c.at--
		if c.at < 0 {
			c.block--
			if !c.load(false) {
				return
			}
			c.at = c.entries.len() - 1
		}
		c.ok = bytes.Compare(c.write().Key, r.Start) >= 0
		return
	}
	c.at++
	if c.at == c.entries.len() {
		c.block++
		if !c.load(false) {
			return
		}
		c.at = 0
	}
	c.ok = r.End == nil || bytes.Compare(c.write().Key, r.End) < 0
}
