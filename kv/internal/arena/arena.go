// Package arena copies small byte strings into larger pieces of memory.
package arena

const (
	firstPiece = 128      // bytes
	lastPiece  = 32 << 10 // bytes
)

// Arena hands out memory from pieces that grow from 128 bytes to 32 KB. It refers to its present piece only:
// earlier ones live as long as what has been handed out from them. The zero value is empty.
type Arena struct {
	free []byte
	size int // of the present piece, in bytes
}

// Take returns n bytes of undefined content. Requests of more than an eighth of the greatest piece get memory
// of their own.
func (a *Arena) Take(n int) []byte {
	if n > len(a.free) {
		if n > lastPiece/8 {
			return make([]byte, n)
		}
		a.size = min(max(2*a.size, firstPiece, n), lastPiece)
		a.free = make([]byte, a.size)
	}
	out := a.free[:n:n]
	a.free = a.free[n:]
	return out
}

// Copy returns a copy of b, which is not nil.
func (a *Arena) Copy(b []byte) []byte {
	if len(b) == 0 {
		return []byte{}
	}
	out := a.Take(len(b))
	copy(out, b)
	return out
}
