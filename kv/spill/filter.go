package spill

import "hash/maphash"

// filter is a Bloom filter: it tells of most keys that are not in a run that they are not.
//
// All probes of a key lie in one cache line, which costs a few more false answers and saves as many waits for
// memory as there are probes.
type filter [][filterWords]uint64

const (
	filterWords  = 8 // 64 bytes
	filterBits   = 12
	filterProbes = 6
)

var seed = maphash.MakeSeed()

func hash(key []byte) uint64 { return maphash.Bytes(seed, key) }

// newFilter makes a filter for n keys.
func newFilter(n int) filter { return make(filter, n*filterBits/(64*filterWords)+1) }

func (f filter) line(h uint64) *[filterWords]uint64 { return &f[(h>>32)*uint64(len(f))>>32] }

func (f filter) add(h uint64) {
	line := f.line(h)
	for range filterProbes {
		line[h>>6%filterWords] |= 1 << (h % 64)
		h = h*0x9e3779b97f4a7c15>>9 | h<<55
	}
}

// may reports whether a key of that hash may have been added.
func (f filter) may(h uint64) bool {
	line := f.line(h)
	for range filterProbes {
		if line[h>>6%filterWords]&(1<<(h%64)) == 0 {
			return false
		}
		h = h*0x9e3779b97f4a7c15>>9 | h<<55
	}
	return true
}
