// Package buffer holds the uncommitted writes of one transaction in order of their keys.
package buffer

import (
	"bytes"

	"holdfast/kv"

	"github.com/tidwall/btree"
)

// Write is the buffered state of one key.
type Write struct {
	Key, Value []byte
	Columns    kv.ColumnSet // of all writes of the key together
	Deleted    bool
}

// Tree is the writes of a transaction at some moment. A nil Tree is empty. A Tree is not changed any more and
// may be read by several goroutines.
type Tree = btree.BTreeG[Write]

// WriteBytes is what each write counts beyond its key and value: about what it takes in a batch.
const WriteBytes = 16

// Bytes is what the write counts.
func (w *Write) Bytes() int64 { return int64(len(w.Key)+len(w.Value)) + WriteBytes }

// Buffer is the writes of a transaction. It is a copy-on-write tree, so that Frozen costs O(1), and nothing
// at all if there are no writes or no new ones. The zero value is empty and has allocated nothing.
//
// A Buffer is not safe for concurrent use.
type Buffer struct {
	tree   *Tree
	frozen *Tree // the present state as a tree of its own, nil if there is none since the last write
	bytes  int64
}

// State is what a buffer was at some moment.
type State struct {
	tree  *Tree
	bytes int64
}

func less(a, b Write) bool { return bytes.Compare(a.Key, b.Key) < 0 }

// Len is the number of keys written.
func (b *Buffer) Len() int { return Len(b.tree) }

// Bytes is the size of all writes.
func (b *Buffer) Bytes() int64 { return b.bytes }

// Put adds a write to those of its key. It fails without effect, returning false, if the buffer would then
// hold more than limit bytes; 0 means no limit.
func (b *Buffer) Put(w Write, limit int64) bool {
	grown := b.bytes + w.Bytes()
	if limit > 0 && grown > limit {
		// It may still fit, in the place of an earlier write.
		if b.tree == nil {
			return false
		}
		old, ok := b.tree.Get(Write{Key: w.Key})
		if !ok || grown-old.Bytes() > limit {
			return false
		}
	}
	if b.tree == nil {
		b.tree = btree.NewBTreeGOptions(less, btree.Options{NoLocks: true, Degree: 16})
	}
	b.frozen = nil
	if last, ok := b.tree.Max(); !ok || less(last, w) {
		b.tree.Load(w) // is Set with a shorter way for a key above all others
	} else if old, ok := b.tree.Set(w); ok {
		grown -= old.Bytes()
		if union := w.Columns | old.Columns; union != w.Columns {
			w.Columns = union
			b.tree.Set(w)
		}
	}
	b.bytes = grown
	return true
}

// Remove takes out the write of a key, if there is one.
func (b *Buffer) Remove(key []byte) {
	if b.tree == nil {
		return
	}
	if old, ok := b.tree.Delete(Write{Key: key}); ok {
		b.frozen = nil
		b.bytes -= old.Bytes()
	}
}

// Frozen is the present state, nil if there are no writes.
func (b *Buffer) Frozen() *Tree {
	if b.tree == nil {
		return nil
	}
	if b.frozen == nil {
		b.frozen = b.tree.Copy()
	}
	return b.frozen
}

// Save returns the present state for Restore.
func (b *Buffer) Save() State { return State{b.Frozen(), b.bytes} }

// Restore goes back to a saved state, which stays usable.
func (b *Buffer) Restore(s State) {
	b.bytes, b.frozen = s.bytes, s.tree
	if s.tree == nil {
		b.tree = nil
		return
	}
	b.tree = s.tree.Copy()
}

// Current is the present state for reading at once: the next write changes it.
func (b *Buffer) Current() *Tree { return b.tree }

// Scan calls f with the writes in order of their keys until it returns false.
func (b *Buffer) Scan(f func(Write) bool) {
	if b.tree != nil {
		b.tree.Scan(f)
	}
}

// Find is the write of a key.
func (b *Buffer) Find(key []byte) (Write, bool) {
	if b.tree == nil || b.tree.Len() == 0 {
		return Write{}, false
	}
	return b.tree.Get(Write{Key: key})
}

// Len is the number of keys in a tree.
func Len(t *Tree) int {
	if t == nil {
		return 0
	}
	return t.Len()
}

// Cursor walks over a part of a tree in one direction.
type Cursor struct {
	it      btree.IterG[Write]
	reverse bool
	ok      bool
}

// Seek starts at the first key of the range in the cursor's direction. The cursor must not be copied.
func (c *Cursor) Seek(t *Tree, r kv.KeyRange, reverse bool) {
	c.reverse = reverse
	c.it.Init(t, false)
	switch {
	case !reverse:
		c.ok = c.it.Seek(Write{Key: r.Start})
	case r.End == nil:
		c.ok = c.it.Last()
	case c.it.Seek(Write{Key: r.End}):
		c.ok = c.it.Prev()
	default:
		c.ok = c.it.Last()
	}
	c.stop(r)
}

// stop ends the cursor beyond the range.
func (c *Cursor) stop(r kv.KeyRange) {
	if !c.ok {
		return
	}
	key := c.it.Item().Key
	if c.reverse {
		c.ok = bytes.Compare(key, r.Start) >= 0
	} else {
		c.ok = r.End == nil || bytes.Compare(key, r.End) < 0
	}
}

// Next moves on within the range given to Seek.
func (c *Cursor) Next(r kv.KeyRange) {
	if c.reverse {
		c.ok = c.it.Prev()
	} else {
		c.ok = c.it.Next()
	}
	c.stop(r)
}

// Valid reports whether the cursor is at a write.
func (c *Cursor) Valid() bool { return c.ok }

// Write is the present write.
func (c *Cursor) Write() Write { return c.it.Item() }
