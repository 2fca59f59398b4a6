package wire

import (
	"encoding/binary"
	"math"
)

// Codes in the place of a protocol version of requests after which the client begins anew.
const (
	sslRequest    = 80877103
	gssEncRequest = 80877104
)

// ahead knows which messages the client has sent that have not been taken yet, as far as their bytes have been read: a pipeline mostly
// comes in one piece, so that at one statement it is known whether others follow it. It follows the lengths of messages in what is
// read and looks at nothing else.
type ahead struct {
	started bool // the startup message has come: messages have types
	header  [8]byte
	have    int    // bytes of header
	left    int    // bytes of the present message that are still to come
	types   []byte // of the messages that have begun to come in and have not been taken
}

// read takes note of bytes from the client.
func (a *ahead) read(p []byte) {
	for len(p) > 0 {
		if a.left > 0 {
			n := min(a.left, len(p))
			a.left, p = a.left-n, p[n:]
			continue
		}
		length, size := 0, 8 // where the length is in the header, and the size of that
		if a.started {
			length, size = 1, 5
			if a.have == 0 {
				a.types = append(a.types, p[0])
			}
		}
		n := copy(a.header[a.have:size], p)
		a.have, p = a.have+n, p[n:]
		if a.have < size {
			continue
		}
		a.have = 0
		a.left = int(int32(binary.BigEndian.Uint32(a.header[length:]))) - (size - length)
		if a.left < 0 {
			a.left = math.MaxInt // nothing that comes can be understood, and the connection will be ended for it
		}
		if !a.started {
			code := binary.BigEndian.Uint32(a.header[4:])
			a.started = code != sslRequest && code != gssEncRequest
		}
	}
}

// taken tells that the next message has been taken.
func (a *ahead) taken() {
	if len(a.types) > 0 {
		a.types = a.types[1:]
	}
}

// more reports whether another statement may follow before the client waits for answers, at Sync or Flush: it does, or it is not known.
func (a *ahead) more() bool {
	for _, t := range a.types {
		switch t {
		case 'E', 'Q':
			return true
		case 'S', 'H':
			return false
		}
	}
	return true
}
