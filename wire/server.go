// Package wire speaks PostgreSQL's protocol 3.0 to clients. It knows SQL only as statements in and rows out:
// everything between is planner.Session.
package wire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"time"

	"holdfast/planner"
	"holdfast/sql/errs"
)

// Options are the properties of a Server.
type Options struct {
	// MaxConnections is the number of clients at once; one more gets 53300. Default 100.
	MaxConnections int
	// MaxMessageBytes bounds a message after startup; a longer one gets 54000 and the connection ends, since
	// its bytes are not read. Default 64 MiB.
	MaxMessageBytes int
	// StartupTimeout bounds the time until a client has said who it is. Default 60 s, as PostgreSQL's
	// authentication_timeout.
	StartupTimeout time.Duration
	// DrainTimeout is how long Shutdown lets running statements go on before it cancels them. Default 5 s.
	DrainTimeout time.Duration
	// Logger gets one line per unusual event. Default slog.Default.
	Logger *slog.Logger
}

func (o *Options) fill() {
	if o.MaxConnections == 0 {
		o.MaxConnections = 100
	}
	if o.MaxMessageBytes == 0 {
		o.MaxMessageBytes = 64 << 20
	}
	if o.StartupTimeout == 0 {
		o.StartupTimeout = 60 * time.Second
	}
	if o.DrainTimeout == 0 {
		o.DrainTimeout = 5 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
}

// Server accepts connections and serves each on a goroutine of its own.
type Server struct {
	engine  *planner.Engine
	options Options

	mu       sync.Mutex
	conns    map[*conn]struct{}
	clients  int // connections that have been admitted
	closing  bool
	serving  sync.WaitGroup
	listener net.Listener
}

// NewServer makes a server for an engine, which it does not close.
func NewServer(engine *planner.Engine, o Options) *Server {
	o.fill()
	return &Server{engine: engine, options: o, conns: map[*conn]struct{}{}}
}

// Listen binds a TCP address such as "127.0.0.1:5433". Addresses beyond loopback are refused, since there
// are no passwords yet: whoever reaches the port owns the data.
func Listen(address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("listen address %q is not host:port", address)
	}
	if host == "" {
		return nil, fmt.Errorf("listen address %q means every interface: until passwords exist Holdfast listens on loopback only, such as 127.0.0.1:5433", address)
	}
	ips := []net.IP{net.ParseIP(host)}
	if ips[0] == nil {
		if ips, err = net.LookupIP(host); err != nil {
			return nil, fmt.Errorf("listen address %q: host not found", address)
		}
	}
	for _, ip := range ips {
		if !ip.IsLoopback() {
			return nil, fmt.Errorf("listen address %q is not loopback: until passwords exist Holdfast listens on loopback only, such as 127.0.0.1:5433", address)
		}
	}
	return net.Listen("tcp", address)
}

// Serve accepts connections until Shutdown, and returns nil then.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	s.listener = l
	closing := s.closing
	if !closing {
		s.serving.Add(1) // watchHangups
	}
	s.mu.Unlock()
	if closing {
		return l.Close()
	}
	stop := make(chan struct{})
	go func() {
		defer s.serving.Done()
		s.watchHangups(stop)
	}()
	defer close(stop)
	for {
		nc, err := l.Accept()
		if err != nil {
			s.mu.Lock()
			closing := s.closing
			s.mu.Unlock()
			if closing {
				return nil
			}
			var ne net.Error
			if errors.As(err, &ne) && ne.Timeout() || isTooManyFiles(err) {
				s.options.Logger.Warn("accept failed, trying again", "error", err)
				time.Sleep(50 * time.Millisecond) // out of file descriptors: some must be given back first
				continue
			}
			return err
		}
		if tc, ok := nc.(*net.TCPConn); ok {
			_ = tc.SetNoDelay(true)
			_ = tc.SetKeepAlive(true)
		}
		c := newConn(s, nc)
		if !s.register(c) {
			nc.Close()
			continue
		}
		go func() {
			defer s.serving.Done()
			c.serve()
		}()
	}
}

// register takes up a connection; false if the server is shutting down.
func (s *Server) register(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	s.serving.Add(1)
	s.conns[c] = struct{}{}
	return true
}

// admit makes a connection a client, or says why not. Cancel requests are none.
func (s *Server) admit(c *conn) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return fatal(errs.New(errs.CannotConnectNow, "the database system is shutting down"))
	}
	if s.clients >= s.options.MaxConnections {
		return fatal(errs.New(errs.TooManyConnections, "sorry, too many clients already").
			WithHint("Raise --max-connections, or put a connection pool in front."))
	}
	c.admitted = true
	s.clients++
	return nil
}

func (s *Server) unregister(c *conn) {
	s.mu.Lock()
	delete(s.conns, c)
	if c.admitted {
		s.clients--
	}
	s.mu.Unlock()
}

// Shutdown stops accepting, ends idle connections at once and busy ones after their statement or after
// DrainTimeout, and returns when all have ended.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closing = true
	if s.listener != nil {
		s.listener.Close()
	}
	for c := range s.conns {
		c.stop()
	}
	s.mu.Unlock()
	done := make(chan struct{})
	go func() { s.serving.Wait(); close(done) }()
	timer := time.NewTimer(s.options.DrainTimeout)
	defer timer.Stop()
	select {
	case <-done:
		return nil
	case <-timer.C:
	case <-ctx.Done():
	}
	s.mu.Lock()
	for c := range s.conns {
		c.abort()
	}
	s.mu.Unlock()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func fatal(e *errs.Error) *errs.Error {
	e.Severity = "FATAL"
	return e
}

func itoa(n int) string { return strconv.Itoa(n) }
