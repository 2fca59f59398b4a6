package wire

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"holdfast/planner"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// startupBodyBytes bounds messages until a client has been admitted.
const startupBodyBytes = 10000

// conn is one client's connection. Its goroutine ends when the client says so or goes away, when a message
// cannot be understood (08P01), when the server shuts down (57P01), when the session's idle timeout passes,
// or when serving it panics; nothing of that touches other connections.
type conn struct {
	server  *Server
	conn    net.Conn
	backend *pgproto3.Backend
	out     *output
	session *planner.Session

	ahead ahead

	// skipping: an error occurred in the extended protocol, messages up to Sync are ignored.
	skipping bool
	gone     bool // the client's stream has ended, or reading it has failed
	stopping atomic.Bool
	mu       sync.Mutex // guards what follows against stop and abort
	waiting  bool       // in a read between statements
	aborted  bool       // deadlines are not to be changed any more
	received uint64     // messages asked for
	checked  uint64     // received, when watchHangups last looked
	admitted bool       // counts as a client; guarded by the server's lock
}

// farewellTimeout bounds the time for telling a client that its connection ends, if it does not read.
const farewellTimeout = time.Second

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{server: s, conn: nc}
	c.backend = pgproto3.NewBackend(inbound{c}, nc)
	c.out = &output{conn: nc, env: func() *types.Env { return types.DefaultEnv }, copyIn: c.copyIn}
	return c
}

// inbound is what the client sends. It notes when that ends, since the errors of messages that cannot be
// understood may be io.EOF too.
type inbound struct{ c *conn }

func (r inbound) Read(p []byte) (int, error) {
	n, err := r.c.conn.Read(p)
	r.c.ahead.read(p[:n])
	if err != nil {
		r.c.gone = true
	}
	return n, err
}

// serve runs the connection to its end.
func (c *conn) serve() {
	defer c.conn.Close()
	defer c.server.unregister(c)
	defer func() {
		if p := recover(); p != nil { // of closing the session
			c.server.options.Logger.Error("closing a session failed", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
	}()
	defer func() {
		if p := recover(); p != nil {
			c.server.options.Logger.Error("connection failed", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			c.out.drop() // it may end in the middle of a message, and tell of what will not be committed
			c.farewell(fatal(errs.New(errs.InternalError, "internal error: %v", p).
				WithHint("The transaction was rolled back. Please report this with the server's log.")))
		}
		if c.session != nil {
			c.session.Close()
		}
	}()
	err := c.startup()
	if err == nil {
		err = c.loop()
	}
	var e *errs.Error
	if errors.As(err, &e) {
		if e.Severity == "" {
			e = fatal(e)
		}
		c.farewell(e)
	}
	_ = c.out.flush()
}

// farewell tells the client why its connection ends. Answers that are held rest on a transaction that ends with it, and on a state
// that may not be durable: the client does not get them any more.
func (c *conn) farewell(e *errs.Error) {
	_ = c.conn.SetWriteDeadline(time.Now().Add(farewellTimeout))
	if c.out.held {
		c.out.drop()
	}
	_ = c.out.fail(e)
	_ = c.out.flush()
}

// startup negotiates until the session is ready.
func (c *conn) startup() error {
	c.mu.Lock()
	if !c.aborted {
		_ = c.conn.SetDeadline(time.Now().Add(c.server.options.StartupTimeout))
	}
	c.waiting = true
	c.mu.Unlock()
	c.backend.SetMaxBodyLen(startupBodyBytes)
	for {
		message, err := c.backend.ReceiveStartupMessage()
		if err != nil {
			return c.protocolError(err)
		}
		switch m := message.(type) {
		case *pgproto3.SSLRequest, *pgproto3.GSSEncRequest:
			if _, err := c.conn.Write([]byte{'N'}); err != nil {
				return err
			}
		case *pgproto3.CancelRequest:
			if len(m.SecretKey) == 4 {
				c.server.engine.Cancel(m.ProcessID, binary.BigEndian.Uint32(m.SecretKey))
			}
			return goodbye
		case *pgproto3.StartupMessage:
			return c.start(m)
		}
	}
}

// goodbye ends a connection that has nothing more to say.
var goodbye = io.EOF

func (c *conn) start(m *pgproto3.StartupMessage) error {
	o := planner.SessionOptions{Settings: map[string]string{}, Remote: c.conn.RemoteAddr().String()}
	var unknown []string
	for name, value := range m.Parameters {
		switch name {
		case "user":
			o.User = value
		case "database":
			o.Database = value
		case "options":
			if err := parseOptions(value, o.Settings); err != nil {
				return fatal(errs.As(err))
			}
		case "replication":
			if value != "false" && value != "off" && value != "0" && value != "no" {
				return fatal(errs.Unsupported("replication"))
			}
		default:
			if strings.HasPrefix(name, "_pq_.") {
				unknown = append(unknown, name)
				continue
			}
			o.Settings[name] = value
		}
	}
	if o.User == "" {
		return fatal(errs.New(errs.InvalidAuthorization, "no PostgreSQL user name specified in startup packet"))
	}
	if o.Database == "" {
		o.Database = o.User
	}
	if err := c.server.admit(c); err != nil {
		return err
	}
	session, err := c.server.engine.NewSession(o)
	if err != nil {
		return fatal(errs.As(err))
	}
	session.OnTerminate(c.wake)
	c.mu.Lock()
	c.session = session
	if !c.aborted {
		_ = c.conn.SetDeadline(time.Time{})
	}
	c.waiting = false
	c.mu.Unlock()
	c.out.env, c.out.settle = session.Env, session.WaitDurable
	if m.ProtocolVersion != pgproto3.ProtocolVersion30 || len(unknown) > 0 {
		if err := c.out.message(&pgproto3.NegotiateProtocolVersion{NewestMinorProtocol: 0, UnrecognizedOptions: unknown}); err != nil {
			return err
		}
	}
	if err := c.out.message(&pgproto3.AuthenticationOk{}); err != nil {
		return err
	}
	if err := session.ReportSettings(c.out); err != nil {
		return err
	}
	pid, secret := session.Key()
	if err := c.out.message(&pgproto3.BackendKeyData{ProcessID: pid, SecretKey: binary.BigEndian.AppendUint32(nil, secret)}); err != nil {
		return err
	}
	c.backend.SetMaxBodyLen(c.server.options.MaxMessageBytes)
	return c.ready()
}

// parseOptions reads the command-line form of settings: -c name=value or --name=value, blanks escaped by \.
func parseOptions(text string, into map[string]string) error {
	var words []string
	var word []byte
	in := false
	for i := 0; i < len(text); i++ {
		switch ch := text[i]; {
		case ch == '\\' && i+1 < len(text):
			i++
			word, in = append(word, text[i]), true
		case ch == ' ' || ch == '\t' || ch == '\n':
			if in {
				words, word, in = append(words, string(word)), nil, false
			}
		default:
			word, in = append(word, ch), true
		}
	}
	if in {
		words = append(words, string(word))
	}
	for i := 0; i < len(words); i++ {
		w := words[i]
		switch {
		case w == "-c" && i+1 < len(words):
			i++
			w = words[i]
		case strings.HasPrefix(w, "-c"):
			w = w[2:]
		case strings.HasPrefix(w, "--"):
			w = w[2:]
		default:
			return errs.New(errs.SyntaxError, "invalid command-line argument for server process: %s", w)
		}
		name, value, ok := strings.Cut(w, "=")
		if !ok {
			return errs.New(errs.SyntaxError, "-c %s requires a value", w)
		}
		into[strings.ReplaceAll(name, "-", "_")] = value
	}
	return nil
}

// ready tells the client that the next statement may come, and sends everything.
func (c *conn) ready() error {
	c.out.held = false
	if err := c.session.ReportSettings(c.out); err != nil {
		return err
	}
	at := c.out.begin('Z')
	c.out.buf = append(c.out.buf, c.session.TransactionStatus())
	if err := c.out.end(at); err != nil {
		return err
	}
	return c.out.flush()
}

// loop serves messages until the client leaves.
func (c *conn) loop() error {
	for {
		message, err := c.receive()
		if err != nil {
			return err
		}
		if c.skipping {
			switch message.(type) {
			case *pgproto3.Sync, *pgproto3.Terminate:
			default:
				continue
			}
		}
		switch m := message.(type) {
		case *pgproto3.Query:
			err = c.session.Query(context.Background(), m.String, c.out)
			if err == nil {
				err = c.ready()
			} else if err = c.failed(err); err == nil {
				err = c.ready()
			}
		case *pgproto3.Parse:
			err = c.extended(c.session.Parse(m.Name, m.Query, m.ParameterOIDs), '1')
		case *pgproto3.Bind:
			err = c.extended(c.session.Bind(m.DestinationPortal, m.PreparedStatement, m.ParameterFormatCodes, m.Parameters, m.ResultFormatCodes), '2')
		case *pgproto3.Describe:
			err = c.extended(c.describe(m), 0)
		case *pgproto3.Execute:
			if c.ahead.more() {
				c.out.Hold() // the statements of a pipeline may have to be run again together
			}
			err = c.extended(c.session.Execute(context.Background(), m.Portal, int64(m.MaxRows), c.out), 0)
		case *pgproto3.Close:
			err = c.extended(c.close(m), '3')
		case *pgproto3.Flush:
			c.session.Answered(c.out)
			err = c.out.flush()
		case *pgproto3.Sync:
			c.skipping = false
			if err = c.session.Sync(context.Background(), c.out); err != nil {
				err = c.failed(err)
			}
			if err == nil {
				err = c.ready()
			}
		case *pgproto3.CopyData, *pgproto3.CopyDone, *pgproto3.CopyFail:
			// What is left of a copy that has failed.
		case *pgproto3.Terminate:
			return goodbye
		case *pgproto3.FunctionCall:
			if err = c.failed(errs.Unsupported("the function call protocol")); err == nil {
				err = c.ready()
			}
		default:
			return fatal(errs.New(errs.ProtocolViolation, "unexpected message %T", message))
		}
		if err != nil {
			return err
		}
	}
}

// receive waits for the next message. The wait ends at shutdown and at the idle timeout.
func (c *conn) receive() (pgproto3.FrontendMessage, error) {
	c.mu.Lock()
	c.waiting = true
	c.received++
	if e := c.session.Terminated(); e != nil {
		c.mu.Unlock()
		return nil, e
	}
	if c.aborted || c.stopping.Load() && !c.session.Busy() {
		c.mu.Unlock()
		return nil, shuttingDown()
	}
	timeout, timeoutError := c.session.IdleTimeout()
	if timeout > 0 {
		_ = c.conn.SetReadDeadline(time.Now().Add(timeout))
	}
	c.mu.Unlock()
	message, err := c.backend.Receive()
	if err == nil {
		c.ahead.taken()
	}
	c.mu.Lock()
	c.waiting = false
	if timeout > 0 && !c.aborted {
		_ = c.conn.SetReadDeadline(time.Time{})
	}
	c.mu.Unlock()
	if err == nil {
		return message, nil
	}
	var ne net.Error
	if errors.As(err, &ne) && ne.Timeout() {
		if e := c.session.Terminated(); e != nil {
			return nil, e
		}
		if c.stopping.Load() {
			return nil, shuttingDown()
		}
		return nil, timeoutError
	}
	return nil, c.protocolError(err)
}

// stop asks the connection to end when it is between statements.
func (c *conn) stop() {
	c.stopping.Store(true)
	c.mu.Lock()
	// A client in a transaction may go on with it for the time of draining.
	if c.waiting && (c.session == nil || !c.session.Busy()) {
		c.aborted = true
		_ = c.conn.SetReadDeadline(time.Unix(1, 0))
	}
	c.mu.Unlock()
}

// abort cancels the running statement and ends the connection.
func (c *conn) abort() {
	c.mu.Lock()
	session := c.session
	c.aborted = true
	_ = c.conn.SetReadDeadline(time.Unix(1, 0))
	_ = c.conn.SetWriteDeadline(time.Now().Add(farewellTimeout)) // of a client that does not read
	c.mu.Unlock()
	if session != nil {
		session.Terminate(shuttingDown())
	}
}

// wake ends the wait for the next message, for a session that has been terminated.
func (c *conn) wake() {
	c.mu.Lock()
	if c.waiting {
		c.aborted = true
		_ = c.conn.SetReadDeadline(time.Unix(1, 0))
	}
	c.mu.Unlock()
}

func shuttingDown() *errs.Error {
	return fatal(errs.New(errs.AdminShutdown, "terminating connection due to administrator command"))
}

// protocolError turns an error of reading messages into what the client is told: nothing if it is gone.
func (c *conn) protocolError(err error) error {
	var tooLong *pgproto3.ExceededMaxBodyLenErr
	switch {
	case errors.As(err, &tooLong):
		return fatal(errs.New(errs.ProgramLimitExceeded, "message of %d bytes is longer than the limit of %d bytes", tooLong.ActualBodyLen, tooLong.MaxExpectedBodyLen).
			WithHint("Send less at once, such as a COPY in more pieces or fewer rows per statement."))
	case c.gone:
		return goodbye
	}
	return fatal(errs.New(errs.ProtocolViolation, "invalid message from client: %s", err.Error()))
}

// failed sends an error of a statement. It returns an error only if the connection has to end.
func (c *conn) failed(err error) error {
	if c.out.err != nil {
		return c.out.err
	}
	e := errs.As(err)
	if e.Severity == "FATAL" {
		return e
	}
	if e.Code == errs.InternalError {
		c.server.options.Logger.Error("statement failed", "error", err)
	}
	return c.out.fail(e)
}

// extended ends the handling of a message of the extended protocol: its answer, or the error and the
// skipping up to Sync.
func (c *conn) extended(err error, answer byte) error {
	if err != nil {
		c.skipping = true
		c.session.Fail()
		return c.failed(err)
	}
	if answer != 0 {
		return c.out.end(c.out.begin(answer))
	}
	return nil
}

func (c *conn) describe(m *pgproto3.Describe) error {
	if m.ObjectType == 'S' {
		params, cols, err := c.session.DescribeStatement(m.Name)
		if err != nil {
			return err
		}
		at := c.out.begin('t')
		c.out.int16(int16(len(params)))
		for _, p := range params {
			c.out.int32(int32(p.OID))
		}
		if err := c.out.end(at); err != nil {
			return err
		}
		return c.describeRows(cols, nil)
	}
	if m.ObjectType != 'P' {
		return fatal(errs.New(errs.ProtocolViolation, "invalid DESCRIBE message subtype %d", m.ObjectType))
	}
	cols, formats, err := c.session.DescribePortal(m.Name)
	if err != nil {
		return err
	}
	return c.describeRows(cols, formats)
}

func (c *conn) describeRows(cols []planner.ResultColumn, formats []int16) error {
	if cols == nil {
		return c.out.end(c.out.begin('n'))
	}
	return c.out.RowDescription(cols, formats)
}

func (c *conn) close(m *pgproto3.Close) error {
	switch m.ObjectType {
	case 'S':
		c.session.CloseStatement(m.Name)
	case 'P':
		c.session.ClosePortal(m.Name, c.out)
	default:
		return fatal(errs.New(errs.ProtocolViolation, "invalid CLOSE message subtype %d", m.ObjectType))
	}
	return nil
}

// isTooManyFiles reports whether the process or system is out of file descriptors.
func isTooManyFiles(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}
