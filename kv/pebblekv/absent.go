package pebblekv

import (
	"bytes"
	"math"

	"holdfast/kv"

	"github.com/cockroachdb/pebble/v2"
)

// Looking up a key that is not there, as every INSERT with a primary key does, costs a search of each memtable, which mostly
// waits for memory, and of the filters of the files. But new keys often lie where many others are going to lie: behind the
// last of a table, or of a client's share of it. So now and then a look-up that finds nothing looks for the next key as well, and
// makes the space up to it a gap. Those that follow need not look at all.

const (
	// missesPerGap is how many look-ups that find nothing there are to one that looks for the next key, while that pays.
	missesPerGap = 32
	// missesPerTry is the same while it does not, since new keys are anywhere.
	missesPerTry = 512
	// gapCost is how many look-ups a gap has to save to be worth finding.
	gapCost = 4
	// gapCredit bounds the balance, in look-ups, of what gaps have saved and cost.
	gapCredit = 64
)

// knownAbsent reports whether a gap tells that the snapshot does not have a key.
func (t *txn) knownAbsent(key []byte) bool {
	s := t.store
	version := t.snap.version
	if s.options.Fault.GapsForAll {
		version = math.MaxUint64
	}
	x := s.gaps.at(key, version)
	if x == nil {
		return false
	}
	s.gaps.touch(x)
	if x.ahead {
		if n := s.gaps.balance.Load(); n < gapCredit {
			s.gaps.balance.Store(n + 1) // a count lost to another goroutine does no harm
		}
	}
	return true
}

// missed notes that a key has been looked up and is not there.
func (t *txn) missed(key []byte) error {
	s := t.store
	g := &s.gaps
	every := uint64(s.options.limits.missesPerGap)
	if g.balance.Load() <= -gapCredit {
		every = missesPerTry
	}
	if g.misses.Add(1)%every != 0 {
		return nil
	}
	g.balance.Store(max(g.balance.Load()-gapCost, -gapCredit))
	end := kv.PrefixEnd(key[:min(areaBytes, len(key))]) // of the table or index
	if end == nil {
		return nil
	}
	it, err := t.snap.engine.iterate(&pebble.IterOptions{
		LowerBound: encodeKey(key),
		UpperBound: bytes.Clone(encodeKey(end)),
		KeyTypes:   pebble.IterKeyTypePointsOnly,
	})
	if err != nil {
		return err
	}
	if it.First() {
		end = bytes.Clone(decodeKey(it.Key()))
	}
	if err := it.Error(); err != nil {
		it.Close()
		return err
	}
	if err := it.Close(); err != nil {
		return err
	}
	if bytes.Compare(key, end) < 0 {
		s.foundEmpty(key, end, t.snap.version, true)
	}
	return nil
}
