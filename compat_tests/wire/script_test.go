package wire

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/jackc/pgproto3/v2"

	wireserver "holdfast/wire"
)

// TestScripts sends the messages of the scripts in testdata and compares the answers. The scripts' answers
// were recorded from PostgreSQL 15 (see otherServer); a comment says where Holdfast is meant to differ.
//
// A block "send" holds one message of the client per line, by its letter in the protocol:
//
//	Q sql
//	P name oids sql         oids: numbers with commas, or -
//	B portal statement [in=1,0] [out=1] | value | value     values: text, NULL, or \x and bytes in hexadecimal
//	D S name, D P name, C S name, C P name
//	E portal [rows]
//	H (Flush), S (Sync), d data, c (CopyDone), f reason (CopyFail)
//
// "-" is the empty name. The answers are read up to ReadyForQuery, once per Q and S, or up to the message that
// the argument until names. The argument conn names the connection; there is one from the start.
func TestScripts(t *testing.T) {
	addr := address(t, wireserver.Options{})
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		conns := map[string]*client{}
		defer func() {
			for _, c := range conns {
				c.conn.Close()
			}
		}()
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			name, until := "", ""
			if d.HasArg("conn") {
				d.ScanArgs(t, "conn", &name)
			}
			if d.HasArg("until") {
				d.ScanArgs(t, "until", &until)
			}
			c := conns[name]
			if c == nil {
				c = connect(t, addr, "TimeZone", "UTC")
				conns[name] = c
			}
			switch d.Cmd {
			case "send":
			case "close":
				c.conn.Close()
				delete(conns, name)
				return ""
			default:
				d.Fatalf(t, "unknown command %s", d.Cmd)
			}
			var messages []pgproto3.FrontendMessage
			ready := 0
			for _, line := range strings.Split(d.Input, "\n") {
				m, err := message(line)
				if err != nil {
					d.Fatalf(t, "%s: %v", line, err)
				}
				switch m.(type) {
				case *pgproto3.Query, *pgproto3.Sync:
					ready++
				}
				messages = append(messages, m)
			}
			c.send(messages...)
			var out []string
			if until != "" {
				out = c.until(until)
			} else {
				for ; ready > 0 && (len(out) == 0 || !strings.HasPrefix(out[len(out)-1], "(")); ready-- {
					out = append(out, c.until("ReadyForQuery")...)
				}
			}
			return strings.Join(out, "\n") + "\n"
		})
	})
}

// message reads a line of a script.
func message(line string) (pgproto3.FrontendMessage, error) {
	kind, rest, _ := strings.Cut(line, " ")
	word := func() string {
		var w string
		w, rest, _ = strings.Cut(strings.TrimLeft(rest, " "), " ")
		if w == "-" {
			return ""
		}
		return w
	}
	switch kind {
	case "Q":
		return &pgproto3.Query{String: unescape(rest)}, nil
	case "P":
		m := &pgproto3.Parse{Name: word()}
		for _, oid := range split(word()) {
			n, err := strconv.ParseUint(oid, 10, 32)
			if err != nil {
				return nil, err
			}
			m.ParameterOIDs = append(m.ParameterOIDs, uint32(n))
		}
		m.Query = unescape(rest)
		return m, nil
	case "B":
		head, values, hasValues := strings.Cut(rest, "|")
		rest = strings.TrimSpace(head)
		m := &pgproto3.Bind{DestinationPortal: word(), PreparedStatement: word()}
		for rest != "" {
			key, list, _ := strings.Cut(word(), "=")
			var formats []int16
			for _, f := range split(list) {
				n, err := strconv.ParseInt(f, 10, 16)
				if err != nil {
					return nil, err
				}
				formats = append(formats, int16(n))
			}
			if key == "in" {
				m.ParameterFormatCodes = formats
			} else {
				m.ResultFormatCodes = formats
			}
		}
		if hasValues {
			for _, v := range strings.Split(values, "|") {
				v = strings.TrimSpace(v)
				switch {
				case v == "NULL":
					m.Parameters = append(m.Parameters, nil)
				case strings.HasPrefix(v, `\x`):
					b, err := hex.DecodeString(v[2:])
					if err != nil {
						return nil, err
					}
					m.Parameters = append(m.Parameters, append([]byte{}, b...))
				default:
					m.Parameters = append(m.Parameters, []byte(v))
				}
			}
		}
		return m, nil
	case "D":
		return &pgproto3.Describe{ObjectType: word()[0], Name: word()}, nil
	case "C":
		return &pgproto3.Close{ObjectType: word()[0], Name: word()}, nil
	case "E":
		m := &pgproto3.Execute{Portal: word()}
		if w := word(); w != "" {
			n, err := strconv.ParseUint(w, 10, 32)
			if err != nil {
				return nil, err
			}
			m.MaxRows = uint32(n)
		}
		return m, nil
	case "H":
		return &pgproto3.Flush{}, nil
	case "S":
		return &pgproto3.Sync{}, nil
	case "d":
		text := unescape(rest)
		if b, err := hex.DecodeString(strings.TrimPrefix(text, `\x`)); err == nil && strings.HasPrefix(text, `\x`) {
			return &pgproto3.CopyData{Data: b}, nil
		}
		return &pgproto3.CopyData{Data: []byte(text)}, nil
	case "c":
		return &pgproto3.CopyDone{}, nil
	case "f":
		return &pgproto3.CopyFail{Message: rest}, nil
	}
	return nil, fmt.Errorf("unknown message %q", kind)
}

// unescape reads \n and \t.
func unescape(s string) string { return strings.NewReplacer(`\n`, "\n", `\t`, "\t").Replace(s) }

func split(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}
