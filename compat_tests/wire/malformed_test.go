package wire

import (
	"encoding/binary"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgproto3/v2"

	wireserver "holdfast/wire"
)

// TestMalformed: what is no message of the protocol costs its sender the connection, and nobody else.
func TestMalformed(t *testing.T) {
	addr := address(t, wireserver.Options{})
	other := connect(t, addr)
	other.exec("BEGIN; CREATE TABLE wire_malformed (a int)")
	for name, b := range map[string]string{
		"unknown type":            "?\x00\x00\x00\x04",
		"length below 4":          "Q\x00\x00\x00\x03",
		"negative length":         "Q\xff\xff\xff\xff",
		"query without end":       "Q\x00\x00\x00\x05x",
		"bind cut short":          "B\x00\x00\x00\x06\x00\x00",
		"bind with many formats":  "B\x00\x00\x00\x08\x00\x00\x7f\xff",
		"bind with many values":   "B\x00\x00\x00\x0a\x00\x00\x00\x00\x7f\xff",
		"bind with negatives":     "B\x00\x00\x00\x0c\x00\x00\xff\xff\xff\xff\xff\xff",
		"bind with long value":    "B\x00\x00\x00\x0e\x00\x00\x00\x00\x00\x01\x7f\xff\xff\xff",
		"parse cut short":         "P\x00\x00\x00\x06x\x00",
		"parse with many oids":    "P\x00\x00\x00\x08\x00\x00\x7f\xff",
		"describe of what":        "D\x00\x00\x00\x06?\x00",
		"close of what":           "C\x00\x00\x00\x06?\x00",
		"describe of nothing":     "D\x00\x00\x00\x04",
		"execute cut short":       "E\x00\x00\x00\x05\x00",
		"password out of turn":    "p\x00\x00\x00\x05\x00",
		"copy fail without end":   "f\x00\x00\x00\x05x",
		"function call cut short": "F\x00\x00\x00\x05x",
	} {
		t.Run(name, func(t *testing.T) {
			c := connect(t, addr)
			c.write(append([]byte(b), "S\x00\x00\x00\x04X\x00\x00\x00\x04"...))
			answers := c.until("closed")
			if answers[len(answers)-1] != "(connection closed)" {
				t.Errorf("the connection lives: %q", answers)
			}
			if got := code(answers); otherServer == "" && got != "08P01" && got != "54000" && got != "0A000" && name != "copy fail without end" {
				t.Errorf("answers: %q", answers)
			}
		})
	}
	other.exec("INSERT INTO wire_malformed VALUES (1); ROLLBACK")
}

// TestGarbage sends random bytes, and valid messages with random changes: none of it may hurt the server or
// another connection.
func TestGarbage(t *testing.T) {
	addr := address(t, wireserver.Options{MaxMessageBytes: 1 << 20})
	other := connect(t, addr)
	other.exec("CREATE TABLE wire_garbage (a int); INSERT INTO wire_garbage VALUES (1)")
	other.exec("BEGIN; UPDATE wire_garbage SET a = 2")
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	var startup []byte
	startup, _ = (&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersionNumber, Parameters: map[string]string{"user": "postgres", "database": "postgres"}}).Encode(nil)
	var valid []byte
	for _, m := range []pgproto3.FrontendMessage{
		&pgproto3.Query{String: "SELECT a, 'x' FROM wire_garbage WHERE a > 0; SELECT 1"},
		&pgproto3.Parse{Name: "s", Query: "SELECT $1::int, $2::text, $3::numeric[]", ParameterOIDs: []uint32{23, 25}},
		&pgproto3.Bind{DestinationPortal: "p", PreparedStatement: "s", ParameterFormatCodes: []int16{1, 0, 0}, Parameters: [][]byte{{0, 0, 0, 1}, []byte("x"), []byte("{1,2.5}")}, ResultFormatCodes: []int16{1}},
		&pgproto3.Describe{ObjectType: 'P', Name: "p"}, &pgproto3.Describe{ObjectType: 'S', Name: "s"},
		&pgproto3.Execute{Portal: "p", MaxRows: 1}, &pgproto3.Flush{}, &pgproto3.Close{ObjectType: 'P', Name: "p"}, &pgproto3.Sync{},
		&pgproto3.Query{String: "COPY (SELECT 1) TO STDOUT"},
		&pgproto3.Query{String: "BEGIN"}, &pgproto3.Query{String: "ROLLBACK"},
		&pgproto3.Query{String: "SELECT pg_sleep(0)"}, &pgproto3.Sync{},
	} {
		valid, _ = m.Encode(valid)
	}
	for round := 0; round < 400; round++ {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		_ = conn.SetDeadline(time.Now().Add(patience))
		go func() { // what it answers does not matter
			var b [4096]byte
			for {
				if _, err := conn.Read(b[:]); err != nil {
					return
				}
			}
		}()
		var b []byte
		switch round % 4 {
		case 0: // from the start
			b = make([]byte, 1+random.IntN(200))
			for i := range b {
				b[i] = byte(random.Uint32())
			}
			if round%8 == 0 && len(b) > 8 { // a length that is believed
				binary.BigEndian.PutUint32(b, uint32(len(b)))
				binary.BigEndian.PutUint32(b[4:], pgproto3.ProtocolVersionNumber)
			}
		case 1: // after the start
			b = append(b, startup...)
			for n := random.IntN(200); n > 0; n-- {
				b = append(b, byte(random.Uint32()))
			}
		default: // changes of valid messages
			b = append(append(b, startup...), valid...)
			for n := 1 + random.IntN(4); n > 0; n-- {
				at := len(startup) + random.IntN(len(b)-len(startup))
				switch random.IntN(4) {
				case 0:
					b[at] ^= 1 << random.IntN(8)
				case 1:
					b[at] = byte(random.Uint32())
				case 2:
					b = append(b[:at], b[min(len(b), at+1+random.IntN(5)):]...)
				case 3:
					b = append(b[:at], append([]byte{0, byte(random.Uint32())}, b[at:]...)...)
				}
				if len(b) <= len(startup) {
					break
				}
			}
		}
		_, _ = conn.Write(b)
		_ = conn.(*net.TCPConn).CloseWrite()
		if round%2 == 0 {
			conn.Close()
		} else {
			defer conn.Close()
		}
	}
	if got := other.exec("SELECT a FROM wire_garbage"); got[1] != "DataRow 2" || other.status != 'T' {
		t.Errorf("another connection: %q", got)
	}
	if answers := other.query("COMMIT"); strings.Join(answers, " ") != "CommandComplete COMMIT ReadyForQuery I" {
		t.Errorf("another connection: %q", answers)
	}
	connect(t, addr).exec("DROP TABLE wire_garbage")
}
