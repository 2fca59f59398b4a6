package spill

import (
	"bytes"
	"container/list"
	"sort"
	"sync"

	"holdfast/kv/buffer"
)

// loaded is a block in memory. It is never changed, so that writes that share its memory stay valid.
type loaded struct {
	data    []byte
	offsets []uint32 // of the entries
}

// newLoaded finds the entries of a block.
func newLoaded(data []byte) *loaded {
	b := &loaded{data: data, offsets: make([]uint32, 0, len(data)/64)}
	for rest := data; len(rest) > 0; {
		b.offsets = append(b.offsets, uint32(len(data)-len(rest)))
		_, rest = parse(rest)
	}
	return b
}

func (b *loaded) len() int { return len(b.offsets) }

// entry is entry i. It shares the block's memory.
func (b *loaded) entry(i int) buffer.Write {
	w, _ := parse(b.data[b.offsets[i]:])
	return w
}

// find is the first entry whose key is not below key.
func (b *loaded) find(key []byte) int {
	return sort.Search(len(b.offsets), func(i int) bool { return bytes.Compare(b.entry(i).Key, key) >= 0 })
}

func (b *loaded) bytes() int { return cap(b.data) + 4*cap(b.offsets) }

// cacheBytes bounds the blocks that are kept for all transactions of a store.
const cacheBytes = 8 << 20

// cache keeps the blocks that were looked into last. A check of rules looks up many of the rows that its transaction has
// written, often those beside the ones before. Walking over runs from block to block leaves it alone.
type cache struct {
	mu    sync.Mutex
	at    map[blockID]*list.Element
	order list.List // of *cached, the last used first
	bytes int
}

type blockID struct {
	run *Run
	i   int
}

type cached struct {
	id    blockID
	block *loaded
}

// get is a block, nil if it is not kept.
func (c *cache) get(id blockID) *loaded {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.at[id]
	if e == nil {
		return nil
	}
	c.order.MoveToFront(e)
	return e.Value.(*cached).block
}

// put keeps a block.
func (c *cache) put(id blockID, b *loaded) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at == nil {
		c.at = map[blockID]*list.Element{}
	}
	if c.at[id] != nil {
		return // another one has read it meanwhile
	}
	c.at[id] = c.order.PushFront(&cached{id, b})
	c.bytes += b.bytes()
	for c.bytes > cacheBytes && c.order.Len() > 1 {
		c.remove(c.order.Back())
	}
}

// forget lets go of the blocks of a run.
func (c *cache) forget(r *Run) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for e := c.order.Front(); e != nil; {
		next := e.Next()
		if e.Value.(*cached).id.run == r {
			c.remove(e)
		}
		e = next
	}
}

func (c *cache) remove(e *list.Element) {
	x := c.order.Remove(e).(*cached)
	delete(c.at, x.id)
	c.bytes -= x.block.bytes()
}
