package wire

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgproto3/v2"

	"holdfast/compat_tests/testserver"
	wireserver "holdfast/wire"
)

// otherServer is the address of a server to run the scripts against instead of Holdfast: with the one of a
// PostgreSQL 15 and -rewrite the scripts' answers are PostgreSQL's.
var otherServer = os.Getenv("WIRE_TEST_ADDRESS")

// address starts a server for the test and returns where it listens.
func address(t testing.TB, o wireserver.Options) string {
	if otherServer != "" {
		return otherServer
	}
	if o.MaxConnections == 0 {
		o.MaxConnections = 200
	}
	s := testserver.StartAt(t, t.TempDir()+"/data", o)
	return net.JoinHostPort(s.Host, s.Port)
}

// client is one raw connection.
type client struct {
	t        testing.TB
	addr     string
	conn     net.Conn
	frontend *pgproto3.Frontend
	pid, key uint32
	status   byte              // of the last ReadyForQuery
	settings map[string]string // as ParameterStatus told
}

const patience = 20 * time.Second // after which an answer is taken to be missing

// dial connects without saying anything.
func dial(t testing.TB, addr string) *client {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, addr: addr, conn: conn, settings: map[string]string{}}
	c.frontend = pgproto3.NewFrontend(pgproto3.NewChunkReader(conn), conn)
	_ = conn.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { conn.Close() })
	return c
}

// connect starts a session; its answers up to ReadyForQuery are returned.
func connect(t testing.TB, addr string, parameters ...string) *client {
	t.Helper()
	c := dial(t, addr)
	answers := c.startup(parameters...)
	if c.status != 'I' {
		t.Fatalf("startup: %v", answers)
	}
	return c
}

func (c *client) startup(parameters ...string) []string {
	c.t.Helper()
	m := &pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersionNumber, Parameters: map[string]string{"user": "postgres", "database": "postgres"}}
	for i := 0; i+1 < len(parameters); i += 2 {
		m.Parameters[parameters[i]] = parameters[i+1]
	}
	c.send(m)
	return c.until("ReadyForQuery")
}

// send sends messages in one write.
func (c *client) send(messages ...pgproto3.FrontendMessage) {
	c.t.Helper()
	var b []byte
	for _, m := range messages {
		var err error
		if b, err = m.Encode(b); err != nil {
			c.t.Fatal(err)
		}
	}
	c.write(b)
}

func (c *client) write(b []byte) {
	c.t.Helper()
	_ = c.conn.SetDeadline(time.Now().Add(patience))
	if _, err := c.conn.Write(b); err != nil {
		c.t.Logf("write: %v", err) // the answer tells
	}
}

// receive reads one message and prints it.
func (c *client) receive() (name, text string) {
	m, err := c.frontend.Receive()
	if err != nil {
		var ne net.Error
		if e, ok := err.(net.Error); ok {
			ne = e
		}
		if ne != nil && ne.Timeout() {
			return "timeout", "(no answer)"
		}
		return "closed", "(connection closed)"
	}
	switch m := m.(type) {
	case *pgproto3.BackendKeyData:
		c.pid, c.key = m.ProcessID, m.SecretKey
	case *pgproto3.ReadyForQuery:
		c.status = m.TxStatus
	case *pgproto3.ParameterStatus:
		c.settings[m.Name] = m.Value
	}
	name = strings.TrimPrefix(fmt.Sprintf("%T", m), "*pgproto3.")
	return name, strings.TrimSpace(name + " " + show(m))
}

// until reads messages up to one of the given name, or the end of the connection.
func (c *client) until(last string) []string {
	var out []string
	for {
		name, text := c.receive()
		out = append(out, text)
		if name == last || name == "closed" || name == "timeout" {
			return out
		}
	}
}

// query runs a simple query and returns its answers.
func (c *client) query(sql string) []string {
	c.t.Helper()
	c.send(&pgproto3.Query{String: sql})
	return c.until("ReadyForQuery")
}

// exec runs a simple query that must succeed.
func (c *client) exec(sql string) []string {
	c.t.Helper()
	out := c.query(sql)
	for _, line := range out {
		if strings.HasPrefix(line, "ErrorResponse") || strings.HasPrefix(line, "(") {
			c.t.Fatalf("%s: %s", sql, line)
		}
	}
	return out
}

// code is the SQLSTATE of the first error among answers, "" if there is none.
func code(answers []string) string {
	for _, line := range answers {
		if f := strings.Fields(line); len(f) > 2 && f[0] == "ErrorResponse" {
			return f[2]
		}
	}
	return ""
}

// show prints what a message holds.
func show(m pgproto3.BackendMessage) string {
	switch m := m.(type) {
	case *pgproto3.ReadyForQuery:
		return string(m.TxStatus)
	case *pgproto3.CommandComplete:
		return string(m.CommandTag)
	case *pgproto3.ParameterStatus:
		return m.Name + "=" + m.Value
	case *pgproto3.ErrorResponse:
		return showError(m)
	case *pgproto3.NoticeResponse:
		return showError((*pgproto3.ErrorResponse)(m))
	case *pgproto3.ParameterDescription:
		return strings.Trim(fmt.Sprint(m.ParameterOIDs), "[]")
	case *pgproto3.RowDescription:
		var parts []string
		for _, f := range m.Fields {
			text := fmt.Sprintf("%s:%d", f.Name, f.DataTypeOID)
			if f.TypeModifier != -1 {
				text += "/" + strconv.Itoa(int(f.TypeModifier))
			}
			if f.TableOID != 0 {
				text += fmt.Sprintf(" column %d", f.TableAttributeNumber)
			}
			if f.Format != 0 {
				text += " binary"
			}
			parts = append(parts, text+fmt.Sprintf(" len %d", f.DataTypeSize))
		}
		return strings.Join(parts, ", ")
	case *pgproto3.DataRow:
		var parts []string
		for _, v := range m.Values {
			parts = append(parts, value(v))
		}
		return strings.Join(parts, "|")
	case *pgproto3.CopyInResponse:
		return fmt.Sprintf("%d %v", m.OverallFormat, m.ColumnFormatCodes)
	case *pgproto3.CopyOutResponse:
		return fmt.Sprintf("%d %v", m.OverallFormat, m.ColumnFormatCodes)
	case *pgproto3.CopyData:
		return value(m.Data)
	}
	return ""
}

// value prints a value: as text if it is printable, else in hexadecimal.
func value(v []byte) string {
	if v == nil {
		return "NULL"
	}
	for _, b := range v {
		if b < ' ' && b != '\n' && b != '\t' || b > '~' {
			return "\\x" + hex.EncodeToString(v)
		}
	}
	return strings.NewReplacer("\n", "\\n", "\t", "\\t").Replace(string(v))
}

func showError(m *pgproto3.ErrorResponse) string {
	out := m.Severity + " " + m.Code + " " + m.Message
	for _, f := range []struct{ name, value string }{
		{"detail", m.Detail}, {"where", m.Where}, {"schema", m.SchemaName}, {"table", m.TableName},
		{"column", m.ColumnName}, {"type", m.DataTypeName}, {"constraint", m.ConstraintName},
	} {
		if f.value != "" {
			out += " (" + f.name + ": " + strings.ReplaceAll(f.value, "\n", "\\n") + ")"
		}
	}
	if m.Position != 0 {
		out += fmt.Sprintf(" (position: %d)", m.Position)
	}
	return out
}

// cancel sends a cancel request for the connection's session.
func (c *client) cancel(key uint32) {
	c.t.Helper()
	conn, err := net.Dial("tcp", c.addr)
	if err != nil {
		c.t.Fatal(err)
	}
	defer conn.Close()
	b := binary.BigEndian.AppendUint32(nil, 16)
	b = binary.BigEndian.AppendUint32(b, 80877102)
	b = binary.BigEndian.AppendUint32(b, c.pid)
	b = binary.BigEndian.AppendUint32(b, key)
	_, _ = conn.Write(b)
	_ = conn.SetDeadline(time.Now().Add(patience))
	var one [1]byte
	if n, _ := conn.Read(one[:]); n != 0 {
		c.t.Errorf("a cancel request was answered with %q", one)
	}
}
