package wire

import (
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgproto3/v2"
	"go.uber.org/goleak"

	"holdfast/compat_tests/testserver"
	wireserver "holdfast/wire"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// The settings that drivers expect to be told, as PostgreSQL 15 does.
var reported = []string{
	"DateStyle", "IntervalStyle", "TimeZone", "application_name", "client_encoding", "default_transaction_read_only", "in_hot_standby",
	"integer_datetimes", "is_superuser", "server_encoding", "server_version", "session_authorization", "standard_conforming_strings",
}

func TestStartup(t *testing.T) {
	addr := address(t, wireserver.Options{})
	t.Run("messages", func(t *testing.T) {
		c := dial(t, addr)
		answers := c.startup("application_name", "wire", "datestyle", "ISO, DMY", "options", `-c statement_timeout=5s --lock-timeout=2min -c search_path=a,\ b`)
		if answers[0] != "AuthenticationOk" || !slices.Contains(answers, "BackendKeyData") || answers[len(answers)-1] != "ReadyForQuery I" {
			t.Fatalf("answers: %q", answers)
		}
		var names []string
		for name := range c.settings {
			names = append(names, name)
		}
		slices.Sort(names)
		if !slices.Equal(names, reported) {
			t.Errorf("reported settings: %v", names)
		}
		if c.settings["application_name"] != "wire" || c.settings["DateStyle"] != "ISO, DMY" || !strings.HasPrefix(c.settings["server_version"], "15.") {
			t.Errorf("settings: %v", c.settings)
		}
		got := c.exec("SELECT current_setting('statement_timeout'), current_setting('lock_timeout')")
		if got[1] != "DataRow 5s|2min" {
			t.Errorf("settings from options: %v", got)
		}
		// RESET goes back to what the connection began with.
		c.exec("SET application_name = 'other'")
		if c.exec("RESET application_name"); c.settings["application_name"] != "wire" {
			t.Errorf("after RESET: %q", c.settings["application_name"])
		}
	})
	for _, x := range []struct {
		name string
		args []string
		want string
	}{
		{"unknown database", []string{"database", "nowhere"}, `ErrorResponse FATAL 3D000 database "nowhere" does not exist`},
		{"unknown role", []string{"user", "nobody"}, `ErrorResponse FATAL 28000 role "nobody" does not exist`},
		{"no role", []string{"user", ""}, `ErrorResponse FATAL 28000 no PostgreSQL user name specified in startup packet`},
		{"unknown setting", []string{"nosuch", "1"}, `ErrorResponse FATAL 42704 unrecognized configuration parameter "nosuch"`},
		{"wrong value", []string{"statement_timeout", "x"}, `ErrorResponse FATAL 22023 invalid value for parameter "statement_timeout": "x"`},
		{"wrong option", []string{"options", "-x"}, `ErrorResponse FATAL 42601 invalid command-line argument for server process: -x`},
		{"replication", []string{"replication", "true"}, "ErrorResponse FATAL 0A000 "},
	} {
		t.Run(x.name, func(t *testing.T) {
			if otherServer != "" {
				t.Skip("Holdfast's")
			}
			answers := dial(t, addr).startup(x.args...)
			last := answers[len(answers)-2:]
			if !strings.HasPrefix(last[0], x.want) || last[1] != "(connection closed)" {
				t.Errorf("answers: %q", answers)
			}
		})
	}
	t.Run("encryption is declined", func(t *testing.T) {
		c := dial(t, addr)
		for _, code := range []uint32{80877103, 80877104} {
			b := binary.BigEndian.AppendUint32(nil, 8)
			c.write(binary.BigEndian.AppendUint32(b, code))
			var one [1]byte
			if _, err := io.ReadFull(c.conn, one[:]); err != nil || one[0] != 'N' {
				t.Fatalf("answer %q, %v", one, err)
			}
		}
		if c.startup(); c.status != 'I' {
			t.Error("not started")
		}
	})
	t.Run("newer minor protocol", func(t *testing.T) {
		c := dial(t, addr)
		c.send(&pgproto3.StartupMessage{ProtocolVersion: 3<<16 | 2, Parameters: map[string]string{"user": "postgres", "_pq_.nosuch": "1"}})
		// pgproto3/v2 does not know NegotiateProtocolVersion, so it is read by hand.
		want := "v\x00\x00\x00\x18\x00\x00\x00\x00\x00\x00\x00\x01_pq_.nosuch\x00"
		got := make([]byte, len(want))
		if _, err := io.ReadFull(c.conn, got); err != nil || string(got) != want {
			t.Fatalf("answer %q, %v", got, err)
		}
	})
	t.Run("older protocol", func(t *testing.T) {
		c := dial(t, addr)
		b := binary.BigEndian.AppendUint32(nil, 8)
		c.write(binary.BigEndian.AppendUint32(b, 2<<16))
		if answers := c.until("ErrorResponse"); code(answers) != "08P01" && code(answers) != "0A000" {
			t.Errorf("answers: %q", answers)
		}
	})
}

func TestConnectionLimit(t *testing.T) {
	if otherServer != "" {
		t.Skip("Holdfast's")
	}
	addr := address(t, wireserver.Options{MaxConnections: 2})
	a, b := connect(t, addr), connect(t, addr)
	if answers := dial(t, addr).startup(); code(answers) != "53300" {
		t.Fatalf("a third client: %q", answers)
	}
	a.cancel(a.key) // is none
	b.send(&pgproto3.Terminate{})
	b.until("closed")
	if c := connect(t, addr); code(c.query("SELECT 1")) != "" {
		t.Error("no place after one has left")
	}
}

func TestTooLong(t *testing.T) {
	if otherServer != "" {
		t.Skip("Holdfast's")
	}
	addr := address(t, wireserver.Options{MaxMessageBytes: 32 << 20})
	other := connect(t, addr)
	c := connect(t, addr)
	if answers := c.query("SELECT '" + strings.Repeat("x", 17<<20) + "'"); code(answers) != "54000" || c.status != 'I' {
		t.Errorf("a long statement: %q", answers)
	}
	c.write([]byte{'Q', 0x7f, 0xff, 0xff, 0xff})
	if answers := c.until("closed"); code(answers) != "54000" {
		t.Errorf("a long message: %q", answers)
	}
	c = dial(t, addr)
	c.write([]byte{0, 1, 0, 0, 0, 3, 0, 0})
	c.until("closed")
	other.exec("SELECT 1")
}

// TestFunctionCall: the fast path is not supported, and says so.
func TestFunctionCall(t *testing.T) {
	if otherServer != "" {
		t.Skip("Holdfast's")
	}
	c := connect(t, address(t, wireserver.Options{}))
	c.write([]byte{'F', 0, 0, 0, 14, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	if answers := c.until("ReadyForQuery"); code(answers) != "0A000" || c.status != 'I' {
		t.Errorf("answers: %q", answers)
	}
}

func TestIdleTimeouts(t *testing.T) {
	addr := address(t, wireserver.Options{})
	c := connect(t, addr)
	c.exec("SET idle_in_transaction_session_timeout = 50; BEGIN")
	if answers := c.until("closed"); code(answers) != "25P03" {
		t.Errorf("in a transaction: %q", answers)
	}
	c = connect(t, addr)
	c.exec("SET idle_session_timeout = 50")
	if answers := c.until("closed"); code(answers) != "57P05" {
		t.Errorf("between statements: %q", answers)
	}
}

// start starts a server that the test itself stops.
func start(t *testing.T, o wireserver.Options) (addr string, shutdown func() error, done <-chan error) {
	s := testserver.Start(t)
	server := wireserver.NewServer(s.Engine, o)
	l, err := wireserver.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	return l.Addr().String(), func() error {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		return server.Shutdown(ctx)
	}, served
}

func TestShutdown(t *testing.T) {
	if otherServer != "" {
		t.Skip("Holdfast's")
	}
	addr, shutdown, served := start(t, wireserver.Options{DrainTimeout: 300 * time.Millisecond})
	half := dial(t, addr) // has not said who it is
	idle := connect(t, addr)
	finishing := connect(t, addr)
	finishing.exec("CREATE TABLE wire_drain (a int PRIMARY KEY); INSERT INTO wire_drain VALUES (1)")
	finishing.exec("BEGIN; INSERT INTO wire_drain VALUES (2)")
	stuck := connect(t, addr)
	stuck.exec("BEGIN; INSERT INTO wire_drain VALUES (3)")
	busy := connect(t, addr)
	busy.send(&pgproto3.Query{String: "SELECT pg_sleep(60)"})
	deaf := connect(t, addr)
	deaf.send(&pgproto3.Query{String: "SELECT repeat('x', 1000) FROM generate_series(1, 1000000)"})
	copying := connect(t, addr)
	copying.send(&pgproto3.Query{String: "COPY wire_drain FROM STDIN"})
	copying.until("CopyInResponse")

	ended := make(chan error, 1)
	go func() { ended <- shutdown() }()
	if answers := idle.until("closed"); code(answers) != "57P01" {
		t.Errorf("an idle client: %q", answers)
	}
	half.until("closed")
	if answers := finishing.query("COMMIT"); code(answers) != "" {
		t.Errorf("a transaction in time: %q", answers)
	}
	for name, c := range map[string]*client{"finished": finishing, "stuck": stuck, "busy": busy, "copying": copying} {
		if answers := c.until("closed"); code(answers) != "57P01" {
			t.Errorf("%s: %q", name, answers)
		}
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if err := <-served; err != nil {
		t.Fatal(err)
	}
	if _, err := net.Dial("tcp", addr); err == nil {
		t.Error("the port is still open")
	}
}

// TestPanic: a failure of the server itself ends the one connection that has met it.
func TestPanic(t *testing.T) {
	if otherServer != "" {
		t.Skip("Holdfast's")
	}
	server := wireserver.NewServer(nil, wireserver.Options{Logger: slog.New(slog.DiscardHandler)}) // there is no engine
	l, err := wireserver.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	for range 3 {
		if answers := dial(t, l.Addr().String()).startup(); code(answers) != "XX000" {
			t.Errorf("answers: %q", answers)
		}
	}
	if err := server.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}
