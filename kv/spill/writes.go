package spill

import (
	"bytes"

	"holdfast/kv"
	"holdfast/kv/buffer"
)

// Writes is the writes of a transaction at some moment. It is not changed any more, and the zero Writes is empty.
type Writes struct {
	Tree *buffer.Tree // the newest, nil if there are none
	Runs []*Run       // from old to new
}

// Empty reports whether there are none.
func (w Writes) Empty() bool { return w.Tree == nil && len(w.Runs) == 0 }

// Get looks for a key. The columns are those of the newest write of the key, and at least those of want that any of its
// writes has.
func (w Writes) Get(key []byte, want kv.ColumnSet) (out buffer.Write, ok bool, err error) {
	if w.Tree != nil {
		out, ok = w.Tree.Get(buffer.Write{Key: key})
	}
	if len(w.Runs) == 0 || ok && want&^out.Columns == 0 {
		return out, ok, nil
	}
	h := hash(key)
	for i := len(w.Runs) - 1; i >= 0; i-- {
		old, found, err := w.Runs[i].get(key, h)
		if err != nil {
			return out, false, err
		}
		switch {
		case !found:
		case !ok:
			out, ok = old, true
		default:
			out.Columns |= old.Columns
		}
		if ok && want&^out.Columns == 0 {
			break
		}
	}
	return out, ok, nil
}

// Cursor walks over a part of writes in one direction.
type Cursor interface {
	// Valid reports whether the cursor is at a write; if not, Err tells whether that is the end.
	Valid() bool
	// Write is the present write, with the columns of all writes of its key. It stays valid.
	Write() buffer.Write
	// Next moves on within the range of the cursor, which must be given again.
	Next(kv.KeyRange)
	Err() error
}

// Cursor returns a cursor at the first key of the range in its direction.
func (w Writes) Cursor(r kv.KeyRange, reverse bool) Cursor {
	if len(w.Runs) == 0 {
		c := &treeCursor{}
		if w.Tree != nil {
			c.Seek(w.Tree, r, reverse)
		}
		return c
	}
	m := &merged{reverse: reverse}
	for i, run := range w.Runs {
		c := &runCursor{run: run, reverse: reverse}
		c.seek(r)
		m.add(&source{run: c, age: len(w.Runs) - i})
	}
	if w.Tree != nil {
		c := &treeCursor{}
		c.Seek(w.Tree, r, reverse)
		m.add(&source{tree: c})
	}
	for i := len(m.heap)/2 - 1; i >= 0; i-- {
		m.down(i)
	}
	m.settle(r)
	return m
}

// treeCursor is a Cursor over a tree only.
type treeCursor struct{ buffer.Cursor }

// Err implements Cursor.
func (c *treeCursor) Err() error { return nil }

// source is one of those that are merged.
type source struct {
	run   *runCursor // nil: tree
	tree  *treeCursor
	age   int // 0 is the newest
	write buffer.Write
}

// load takes the present write of the source; it reports false at the end.
func (s *source) load() bool {
	if s.run != nil {
		if !s.run.ok {
			return false
		}
		s.write = s.run.write()
		return true
	}
	if !s.tree.Valid() {
		return false
	}
	s.write = s.tree.Write()
	return true
}

func (s *source) next(r kv.KeyRange) {
	if s.run != nil {
		s.run.next(r)
	} else {
		s.tree.Next(r)
	}
}

// merged is a Cursor over several sources: a heap of them, by their present keys and then by age.
type merged struct {
	reverse bool
	heap    []*source
	present buffer.Write
	ok      bool
	err     error
}

func (m *merged) add(s *source) {
	if s.load() {
		m.heap = append(m.heap, s)
	} else {
		m.note(s)
	}
}

// note keeps the error of a source that has ended.
func (m *merged) note(s *source) {
	if s.run != nil && s.run.err != nil && m.err == nil {
		m.err = s.run.err
	}
}

func (m *merged) before(a, b *source) bool {
	order := bytes.Compare(a.write.Key, b.write.Key)
	if m.reverse {
		order = -order
	}
	return order < 0 || order == 0 && a.age < b.age
}

// down restores the heap below i.
func (m *merged) down(i int) {
	h := m.heap
	for {
		child := 2*i + 1
		if child >= len(h) {
			return
		}
		if child+1 < len(h) && m.before(h[child+1], h[child]) {
			child++
		}
		if !m.before(h[child], h[i]) {
			return
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
}

// advance moves the first source on.
func (m *merged) advance(r kv.KeyRange) {
	s := m.heap[0]
	s.next(r)
	if !s.load() {
		m.note(s)
		last := len(m.heap) - 1
		m.heap[0] = m.heap[last]
		m.heap = m.heap[:last]
	}
	m.down(0)
}

// settle makes the first key of the heap the present one, and moves all sources beyond it.
func (m *merged) settle(r kv.KeyRange) {
	m.ok = false
	if m.err != nil || len(m.heap) == 0 {
		return
	}
	m.present = m.heap[0].write
	m.advance(r)
	for len(m.heap) > 0 && bytes.Equal(m.heap[0].write.Key, m.present.Key) {
		m.present.Columns |= m.heap[0].write.Columns
		m.advance(r)
	}
	m.ok = m.err == nil
}

// Valid implements Cursor.
func (m *merged) Valid() bool { return m.ok }

// Write implements Cursor.
func (m *merged) Write() buffer.Write { return m.present }

// Next implements Cursor.
func (m *merged) Next(r kv.KeyRange) { m.settle(r) }

// Err implements Cursor.
func (m *merged) Err() error { return m.err }
