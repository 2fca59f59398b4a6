package pebblekv

import (
	"bytes"
	"encoding/binary"
	"sync"

	"holdfast/kv"
	"holdfast/kv/buffer"

	"github.com/cockroachdb/pebble/v2"
)

// areas counts what has been written lately in each area of the key space, which is all keys with the same first four
// bytes: the rows of one table, or the entries of one index. It tells Pebble to end files where busy areas do.
//
// A load of ascending keys then costs hardly any compaction: the rows of each flush are one file that no other
// overlaps, and going down a level is an entry in the manifest. It takes a file of its own for each busy area: one
// that held the last rows of a table and the entries of its index would reach over all rows the next flush brings,
// and be merged with them. A file for each area, busy or not, would make thousands of small ones for a schema of
// thousands of tables, each created and synced in every flush.
//
// The counts are of periods that end when a flush begins. Whatever a flush writes was written in the two that ended
// last: a memtable is begun when the one before it is full, which the flush before this one has taken, and so
// after the flush before that one had begun. The counts are lost with the process, and its first flush does without.
type areas struct {
	busy int64 // bytes from which an area is busy

	mu      sync.Mutex
	periods [3]map[uint32]int64 // the present one first
}

const (
	areaBytes = 4  // length of the prefix that makes an area
	busyShare = 16 // an area is busy if it has one part of so many of a memtable
)

// areaOf is the area of a client's key, false if it is too short to have one.
func areaOf(key []byte) (uint32, bool) {
	if len(key) < areaBytes {
		return 0, false
	}
	return binary.BigEndian.Uint32(key), true
}

// add counts the writes of a transaction.
func (a *areas) add(writes *buffer.Buffer) {
	var area uint32
	bytes := int64(0) // of the latest writes in a row that are in one area
	writes.Scan(func(w buffer.Write) bool {
		at, ok := areaOf(w.Key)
		if at != area || !ok {
			a.count(area, bytes)
			area, bytes = at, 0
		}
		if ok {
			bytes += int64(len(w.Key) + len(w.Value))
		}
		return true
	})
	a.count(area, bytes)
}

func (a *areas) count(area uint32, bytes int64) {
	if bytes == 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.periods[0] == nil {
		a.periods[0] = map[uint32]int64{}
	}
	a.periods[0][area] += bytes
}

// flushBegins begins a period.
func (a *areas) flushBegins() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.periods = [3]map[uint32]int64{nil, a.periods[0], a.periods[1]}
}

// end is the stored key at which a file that begins at a stored key has to end, nil if there is none. A key too short
// to be in an area goes with the one behind it.
func (a *areas) end(start []byte) []byte {
	var prefix [areaBytes]byte
	copy(prefix[:], decodeKey(start))
	here := binary.BigEndian.Uint32(prefix[:])
	a.mu.Lock()
	defer a.mu.Unlock()
	total := map[uint32]int64{}
	for _, period := range a.periods {
		for area, bytes := range period {
			if area >= here {
				total[area] += bytes
			}
		}
	}
	if total[here] >= a.busy {
		return boundary(kv.PrefixEnd(binary.BigEndian.AppendUint32(nil, here)))
	}
	var next uint32 // the first busy area behind this one, 0 if there is none
	for area, bytes := range total {
		if bytes >= a.busy && (next == 0 || area < next) {
			next = area
		}
	}
	if next == 0 {
		return nil
	}
	return boundary(binary.BigEndian.AppendUint32(nil, next))
}

// boundary is the stored form of a client's key, nil for nil.
func boundary(key []byte) []byte {
	if key == nil {
		return nil
	}
	return encodeKey(key)
}

// policy is Pebble's question where files end. Besides busy areas, every file ends where the store's own keys do, and
// where clients' keys that begin with four zero bytes do, which hold the schema: each memtable has the version key,
// which is below all others, and in one file with rows it would make the file's span reach over all before them.
func (a *areas) policy(start []byte) (policy pebble.SpanPolicy, end []byte, err error) {
	switch {
	case bytes.Compare(start, firstKey) < 0:
		return policy, firstKey, nil
	case bytes.Compare(start, endOfSchema) < 0:
		return policy, endOfSchema, nil
	}
	return policy, a.end(start), nil
}

// endOfSchema is above the stored form of keys that begin with four zero bytes.
var endOfSchema = []byte{0, 1, 0, 0, 0, 1}
