package exec

import (
	"holdfast/sql/types"
)

// groupTable numbers the distinct rows it is shown, from 0: a hash table with open addressing over a row buffer. NULLs are
// equal, as in GROUP BY.
type groupTable struct {
	rows   *RowBuffer // the rows, by number
	hashes []uint64
	slots  []int32 // number + 1; 0: free. A power of two of them, at most half in use
	keys   types.Batch
	scratch
}

// scratch is memory for the hashes of a batch.
type scratch struct{ hash []uint64 }

// hashRows hashes rows by some vectors.
func (s *scratch) hashRows(keys []*types.Vec, rows types.Rows) []uint64 {
	if cap(s.hash) < rows.N {
		s.hash = make([]uint64, rows.N)
	}
	h := s.hash[:rows.N]
	clear(h)
	for _, v := range keys {
		types.HashVec(v, rows, h)
	}
	return h
}

func newGroupTable(ts []*types.Type) *groupTable { return &groupTable{rows: NewRowBuffer(ts)} }

func (t *groupTable) len() int { return t.rows.Len() }

// bytes is the memory held.
func (t *groupTable) bytes() int64 { return t.rows.Bytes() + int64(8*len(t.hashes)+4*len(t.slots)) }

func (t *groupTable) reset() {
	t.rows.Reset()
	t.hashes = t.hashes[:0]
	if len(t.slots) > 1<<14 {
		t.slots = nil
	}
	clear(t.slots)
}

// find returns the number of the row at position i of keys, or -1.
func (t *groupTable) find(keys []*types.Vec, i int, hash uint64) int32 {
	if len(t.slots) == 0 {
		return -1
	}
	mask := uint64(len(t.slots) - 1)
next:
	for at := hash & mask; ; at = (at + 1) & mask {
		n := t.slots[at] - 1
		if n < 0 {
			return -1
		}
		if t.hashes[n] != hash {
			continue
		}
		b, j := t.rows.Row(int(n))
		for k, v := range keys {
			if !types.EqualVec(v, i, b.Cols[k], j) {
				continue next
			}
		}
		return n
	}
}

// add gives a number to a row that is not there yet.
func (t *groupTable) add(keys []*types.Vec, i int, hash uint64) int32 {
	n := int32(t.rows.Len())
	t.keys.Cols = keys
	t.rows.AppendRow(&t.keys, i)
	t.hashes = append(t.hashes, hash)
	if 2*len(t.hashes) > len(t.slots) {
		t.grow()
	} else {
		t.put(n, hash)
	}
	return n
}

func (t *groupTable) put(n int32, hash uint64) {
	mask := uint64(len(t.slots) - 1)
	at := hash & mask
	for t.slots[at] != 0 {
		at = (at + 1) & mask
	}
	t.slots[at] = n + 1
}

func (t *groupTable) grow() {
	t.slots = make([]int32, max(64, 2*len(t.slots)))
	for n, h := range t.hashes {
		t.put(int32(n), h)
	}
}

// Partitioning: what does not fit into a hash table goes to files by some bits of its hash, and each file is then
// worked on by itself, if need be split again by the next bits.

const (
	partitionBits = 4
	partitionMax  = 6 // levels; rows that even then do not fit are too many equal ones, and held all the same
)

// partitions are the files of one level.
type partitions struct {
	level  int
	layout *types.Layout
	files  [1 << partitionBits]*rowFile
}

func (p *partitions) write(ctx *Ctx, hash uint64, b *types.Batch, i int) error {
	n := hash >> (64 - partitionBits*(p.level+1)) & (1<<partitionBits - 1)
	if p.files[n] == nil {
		f, err := newRowFile(ctx, p.layout)
		if err != nil {
			return err
		}
		p.files[n] = f
	}
	return p.files[n].write(nil, b, i)
}

func (p *partitions) size() (n int64) {
	for _, f := range p.files {
		if f != nil {
			n += f.size
		}
	}
	return n
}

// close closes the files that were not handed on.
func (p *partitions) close() (err error) {
	if p == nil {
		return nil
	}
	for i, f := range p.files {
		if e := f.close(); err == nil {
			err = e
		}
		p.files[i] = nil
	}
	return err
}

// source is where rows come from: an operator, or a file.
type source func(ctx *Ctx, max int) (*types.Batch, error)

// sourceOf reads a file as a source.
func sourceOf(f *rowFile, ts []*types.Type) (source, error) {
	if f == nil {
		return func(*Ctx, int) (*types.Batch, error) { return nil, nil }, nil
	}
	s, err := newFileSource(f, ts)
	if err != nil {
		return nil, err
	}
	return func(_ *Ctx, max int) (*types.Batch, error) { return s.next(max) }, nil
}
