package wire

import (
	"bytes"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
	"pgregory.net/rapid"
)

// TestAhead compares ahead with the messages themselves, for bytes that come in any pieces.
func TestAhead(t *testing.T) {
	startup, err := (&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: map[string]string{"user": "postgres"}}).Encode(nil)
	if err != nil {
		t.Fatal(err)
	}
	ssl, err := (&pgproto3.SSLRequest{}).Encode(nil)
	if err != nil {
		t.Fatal(err)
	}
	kinds := []pgproto3.FrontendMessage{
		&pgproto3.Query{String: "SELECT 'S'"}, &pgproto3.Parse{Name: "E", Query: "SELECT 1"}, &pgproto3.Bind{Parameters: [][]byte{bytes.Repeat([]byte("SEH"), 50)}},
		&pgproto3.Execute{Portal: "H"}, &pgproto3.Describe{ObjectType: 'S'}, &pgproto3.Close{ObjectType: 'S', Name: "E"}, &pgproto3.Sync{}, &pgproto3.Flush{}, &pgproto3.CopyData{},
	}
	rapid.Check(t, func(t *rapid.T) {
		var stream []byte
		for range rapid.IntRange(0, 2).Draw(t, "requests") {
			stream = append(stream, ssl...)
		}
		stream = append(stream, startup...)
		var begins []int // where messages begin
		var types []byte
		for _, k := range rapid.SliceOfN(rapid.IntRange(0, len(kinds)-1), 0, 12).Draw(t, "messages") {
			begins, types = append(begins, len(stream)), append(types, 0)
			if stream, err = kinds[k].Encode(stream); err != nil {
				t.Fatal(err)
			}
			types[len(types)-1] = stream[begins[len(begins)-1]]
		}
		var a ahead
		read, taken := 0, 0
		for read < len(stream) {
			n := rapid.IntRange(1, min(80, len(stream)-read)).Draw(t, "bytes")
			a.read(stream[read : read+n])
			read += n
			for taken+1 < len(begins) && begins[taken+1] <= read && rapid.Bool().Draw(t, "take") {
				a.taken()
				taken++
			}
			want := true
			for i := taken; i < len(begins) && begins[i] < read; i++ {
				if bytes.IndexByte([]byte("EQSH"), types[i]) >= 0 {
					want = types[i] == 'E' || types[i] == 'Q'
					break
				}
			}
			if got := a.more(); got != want {
				t.Fatalf("after %d bytes of %q and %d messages: more is %v", read, types, taken, got)
			}
		}
	})
}
