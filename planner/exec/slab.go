package exec

// slab hands out memory for what a transaction keeps anyway until it ends, keys and values of its writes, in pieces that
// grow from what is asked for at first to maxSlab bytes, because an allocation for each, or several where a value grew, is
// much of the work of a large INSERT. What is kept for longer than the rest of its piece keeps all of it. The zero value is empty.
type slab struct {
	free []byte
	size int // of the present piece, in bytes
}

const (
	minSlab = 64
	maxSlab = 256 << 10
)

// room is an empty slice to append up to n bytes to. More may be appended, at the price of a copy.
func (s *slab) room(n int) []byte {
	if n > maxSlab/4 {
		return make([]byte, 0, n)
	}
	if n > cap(s.free) {
		s.size = min(max(2*s.size, n, minSlab), maxSlab)
		s.free = make([]byte, 0, s.size)
	}
	return s.free
}

// keep ends what was begun by the latest room: b is what has been appended to it.
func (s *slab) keep(b []byte) []byte {
	if n := len(b); n > 0 && n <= cap(s.free) && &b[0] == &s.free[:1][0] {
		s.free = s.free[n:n]
	}
	return b[:len(b):len(b)]
}
