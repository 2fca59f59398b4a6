package parse

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"unicode/utf8"
)

// Parsed is the result of Lookup.
//
// Of a statement whose literals were lifted, Statements holds one statement, the template: its Text has $n in
// place of each literal, and its tree Params, numbered from NumParams+1 on; NumParams counts the parameters
// that the client wrote, and those alone. Lifted[i] is the value of Param NumParams+1+i. To bind such a Param
// is to bind the literal: type it as an ast.Literal of that Kind and Value would be (int4, int8, numeric, or
// unknown for a string), not as a client's parameter, whose type is open. The types are the same for every
// statement with the same Key (an int4 and an int8 in one place make two Keys), the values are not. In a
// binder that treats a string as a literal of unknown type, the text must be converted to the type that is
// found for it when the statement runs.
//
// The planner must not draw from Lifted's values what it keeps under Key, unless it checks when it uses it
// again that the values still allow it.
type Parsed struct {
	Statements []Statement
	Lifted     []Literal
	// Key is the same for every Lookup that found the same cached text or template.
	Key *Key

	input    string
	template *template
}

// Position turns the position of a node of Statements[i].Stmt into the position for an error message:
// characters from 1 in the text given to Lookup. 0 if at is unknown.
func (p *Parsed) Position(i, at int) int {
	s := &p.Statements[i]
	if p.template == nil {
		return s.Position(at)
	}
	if at < 0 || at > len(s.Text) {
		return 0
	}
	at = p.template.original(s.Offset+at, p.Lifted)
	return utf8.RuneCountInString(p.input[:at]) + 1
}

// Key is the identity of a cached text. A planner may leave its plan at it, which then lives as long as the
// text stays cached; it has to find out by itself whether the plan still fits (schema version, settings).
type Key struct{ plan atomic.Pointer[any] }

// Load is what was last stored, nil if nothing.
func (k *Key) Load() any {
	if p := k.plan.Load(); p != nil {
		return *p
	}
	return nil
}

// Store keeps v with the text.
func (k *Key) Store(v any) { k.plan.Store(&v) }

// Cache keeps the trees of texts that were parsed, so that no text is parsed twice while it is in use. It is
// asked with the text as it came, and finds it either as it is or, for the statements that a lifter takes,
// by what is left of it when its literals are lifted out. A text that is lifted is not kept as it is.
//
// It is bounded by an estimate of the memory that the trees take, and evicts by CLOCK, so that a hit only
// reads and sets a flag. It is cut into shards by the hash of the text, each with its own lock. It is safe for
// concurrent use.
type Cache struct {
	seed   maphash.Seed
	shards [cacheShards]cacheShard
}

const cacheShards = 16

type cacheShard struct {
	mu      sync.RWMutex
	entries map[string]*cacheEntry
	ring    []*cacheEntry
	hand    int
	bytes   int
	limit   int
	_       [32]byte // keeps the locks of neighbours in different cache lines
}

type cacheEntry struct {
	text       string
	statements []Statement
	template   *template
	key        *Key
	bytes      int
	used       atomic.Bool
}

// DefaultCacheBytes is a size for NewCache that suits a server: 64 MiB, some tens of thousands of statements.
const DefaultCacheBytes = 64 << 20

// NewCache makes a cache of at most about this many bytes; DefaultCacheBytes if it is not positive.
func NewCache(bytes int) *Cache {
	if bytes <= 0 {
		bytes = DefaultCacheBytes
	}
	c := &Cache{seed: maphash.MakeSeed()}
	for i := range c.shards {
		c.shards[i].entries = map[string]*cacheEntry{}
		c.shards[i].limit = bytes / cacheShards
	}
	return c
}

// LookupExact is Lookup without lifting. It is for the extended protocol, where a client is told the types of
// the parameters and columns of its statement as it wrote it.
func (c *Cache) LookupExact(text string) (Parsed, error) {
	shard := c.shard(text)
	if e := shard.get(text); e != nil {
		return Parsed{Statements: e.statements, Key: e.key}, nil
	}
	return shard.parse(text)
}

var lifters = sync.Pool{New: func() any { return new(lifter) }}

// Lookup gives the trees of a text, from the cache or by Parse. Errors are those of Parse; they are not cached.
// What it returns is shared and must not be changed.
func (c *Cache) Lookup(text string) (Parsed, error) {
	shard := c.shard(text)
	if e := shard.get(text); e != nil {
		return Parsed{Statements: e.statements, Key: e.key}, nil
	}
	l := lifters.Get().(*lifter)
	defer lifters.Put(l)
	if int64(len(text)) <= maxBytes.Load() && l.run(text) {
		if p, ok := c.lifted(text, l); ok {
			return p, nil
		}
	}
	return shard.parse(text)
}

func (c *Cache) shard(text string) *cacheShard {
	return &c.shards[maphash.String(c.seed, text)%cacheShards]
}

// get finds a text as it is, nil if it is not there.
func (s *cacheShard) get(text string) *cacheEntry {
	s.mu.RLock()
	e := s.entries[text]
	s.mu.RUnlock()
	if e != nil {
		e.use()
	}
	return e
}

// parse parses a text and keeps it as it is.
func (s *cacheShard) parse(text string) (Parsed, error) {
	statements, err := Parse(text)
	if err != nil {
		return Parsed{}, err
	}
	e := s.add(&cacheEntry{text: text, statements: statements, key: new(Key)})
	return Parsed{Statements: e.statements, Key: e.key}, nil
}

// lifted finds or makes the template of a text that l has lifted the literals of.
func (c *Cache) lifted(text string, l *lifter) (Parsed, bool) {
	shard := &c.shards[maphash.Bytes(c.seed, l.key)%cacheShards]
	shard.mu.RLock()
	e := shard.entries[string(l.key)]
	shard.mu.RUnlock()
	if e == nil {
		t := l.template()
		statements, err := Parse(t.text)
		if err != nil || len(statements) != 1 || statements[0].NumParams != l.params+len(l.literals) {
			return Parsed{}, false // the full text tells what is wrong, in its own positions
		}
		statements[0].NumParams = l.params
		e = shard.add(&cacheEntry{text: string(l.key), statements: statements, template: t, key: new(Key)})
	} else {
		e.use()
	}
	literals := make([]Literal, len(l.literals))
	copy(literals, l.literals)
	return Parsed{Statements: e.statements, Lifted: literals, Key: e.key, input: text, template: e.template}, true
}

// use marks an entry as used; a flag that is set is not written again, to leave its cache line shared.
func (e *cacheEntry) use() {
	if !e.used.Load() {
		e.used.Store(true)
	}
}

// What an entry takes, in bytes, is estimated from its text: the statements of the tests have trees of 10
// bytes per byte of text, and 700 bytes more each. What a planner stores at the Key comes on top.
const (
	entryBytes   = 1000
	bytesPerByte = 12
)

// add keeps an entry and gives it back, or the one that somebody else has added meanwhile.
func (s *cacheShard) add(e *cacheEntry) *cacheEntry {
	e.bytes = entryBytes + bytesPerByte*len(e.text)
	if e.bytes > s.limit/4 { // it would push out all others
		return e
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if there := s.entries[e.text]; there != nil {
		return there
	}
	for s.bytes+e.bytes > s.limit && len(s.ring) > 0 {
		s.evict()
	}
	s.entries[e.text] = e
	s.ring = append(s.ring, e)
	s.bytes += e.bytes
	return e
}

// evict removes the next entry that has not been used since the hand last passed it.
func (s *cacheShard) evict() {
	for {
		if s.hand >= len(s.ring) {
			s.hand = 0
		}
		e := s.ring[s.hand]
		if e.used.Swap(false) {
			s.hand++
			continue
		}
		last := len(s.ring) - 1
		s.ring[s.hand] = s.ring[last]
		s.ring[last] = nil
		s.ring = s.ring[:last]
		delete(s.entries, e.text)
		s.bytes -= e.bytes
		return
	}
}
