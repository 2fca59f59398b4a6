package funcs

import (
	"encoding/hex"
	"testing"
)

func TestDigest(t *testing.T) {
	for algorithm, want := range map[string]string{
		"md5": "900150983cd24fb0d6963f7d28e17f72", "SHA1": "a9993e364706816aba3e25717850c26c9cd0d89d",
		"sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
	} {
		if got, err := digest("abc", algorithm); err != nil || hex.EncodeToString([]byte(got)) != want {
			t.Errorf("%s: %x %v", algorithm, got, err)
		}
	}
	if _, err := digest("abc", "foo"); err == nil {
		t.Error("no error for an unknown algorithm")
	}
	if _, err := randomBytes(0); err == nil {
		t.Error("no error for no bytes")
	}
	a, _ := randomUUID(nil)
	b, _ := randomUUID(nil)
	if a == b || len(a) != 16 || a[6]>>4 != 4 || a[8]>>6 != 2 {
		t.Errorf("%x and %x", a, b)
	}
}
