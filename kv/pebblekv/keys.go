package pebblekv

import (
	"bytes"

	"holdfast/kv"
)

// Clients may use any key. The store's own keys begin with the bytes 0 0. A client's key that is empty or begins
// with 0 is stored with the bytes 0 1 before it, any other as it is, which keeps the order. Keys of rows do begin with 0:
// where many are written or sought, their stored form is made in memory that is there anyway.

// versionKey holds the version of the last commit in the log.
var versionKey = []byte{0, 0, 'v'}

// firstKey is not above any client's key.
var firstKey = []byte{0, 1}

// encodeKey returns the stored form of a client's key.
func encodeKey(key []byte) []byte {
	if len(key) > 0 && key[0] != 0 {
		return key
	}
	out := make([]byte, 2+len(key))
	putEncoded(out, key)
	return out
}

// encodedLen is the length of the stored form of a client's key.
func encodedLen(key []byte) int {
	if len(key) > 0 && key[0] != 0 {
		return len(key)
	}
	return 2 + len(key)
}

// putEncoded writes the stored form of a client's key to dst, which has its length.
func putEncoded(dst, key []byte) {
	if len(dst) > len(key) {
		dst[0], dst[1] = 0, 1
		dst = dst[2:]
	}
	copy(dst, key)
}

// decodeKey is the inverse of encodeKey.
func decodeKey(stored []byte) []byte {
	if stored[0] != 0 {
		return stored
	}
	return stored[2:]
}

// encodeRange returns the bounds of a range as stored.
func encodeRange(r kv.KeyRange) (lower, upper []byte) {
	lower = firstKey
	if len(r.Start) > 0 {
		lower = encodeKey(r.Start)
	}
	if r.End != nil {
		upper = encodeKey(r.End)
	}
	return lower, upper
}

// lastKey is above any client's key, which has at most maxKeyBytes bytes.
var lastKey = bytes.Repeat([]byte{0xff}, maxKeyBytes+1)
