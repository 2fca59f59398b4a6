// Package testserver starts Holdfast for a test: inside of it (the whole server, from the listener down to Pebble, on
// a port of its own), or as the real binary in a process of its own.
package testserver

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"testing"

	"holdfast/kv"
	"holdfast/kv/pebblekv"
	"holdfast/planner"
	"holdfast/sql/accumulator"
	"holdfast/wire"
)

// Server is a running server.
type Server struct {
	DSN    string // for pgx: URL with user and database
	Host   string
	Port   string
	Engine *planner.Engine
	Store  kv.Store

	stop func() []error // once
	told bool           // its errors have been returned
}

// Start starts a server on a folder that goes with the test. It is stopped when the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	return StartAt(t, t.TempDir()+"/data", wire.Options{MaxConnections: 200})
}

// StartAt starts a server on a folder, with options.
func StartAt(t testing.TB, folder string, o wire.Options) *Server {
	t.Helper()
	store, err := pebblekv.Open(pebblekv.Options{Folder: folder, CacheBytes: 32 << 20, Merge: accumulator.Merge, Logger: logger()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return StartOn(t, store, o, planner.Config{Settings: map[string]string{"data_directory": folder}})
}

// StartOn starts a server on a store, which the caller closes. The server is stopped when the test ends, or before by
// Stop.
func StartOn(t testing.TB, store kv.Store, o wire.Options, config planner.Config) *Server {
	t.Helper()
	ctx := context.Background()
	listener, err := wire.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host, port, _ := net.SplitHostPort(listener.Addr().String())
	if config.Logger == nil {
		config.Logger = logger()
	}
	settings := map[string]string{"port": port, "listen_addresses": host}
	for name, value := range config.Settings {
		settings[name] = value
	}
	config.Settings = settings
	engine, err := planner.Open(ctx, store, config)
	if err != nil {
		t.Fatal(err)
	}
	if o.Logger == nil {
		o.Logger = config.Logger
	}
	server := wire.NewServer(engine, o)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	stop := sync.OnceValue(func() (errs []error) {
		for _, err := range []error{server.Shutdown(ctx), <-served, engine.Close(ctx)} {
			if err != nil {
				errs = append(errs, err)
			}
		}
		return errs
	})
	s := &Server{
		DSN:  fmt.Sprintf("postgres://postgres@%s/postgres", listener.Addr()),
		Host: host, Port: port, Engine: engine, Store: store, stop: stop,
	}
	t.Cleanup(func() {
		if s.told {
			return
		}
		for _, err := range stop() {
			t.Error(err)
		}
	})
	return s
}

// Stop stops the server before the end of the test. Its errors are for the caller, who may have given it a store that
// fails; they are not told again when the test ends.
func (s *Server) Stop() []error {
	s.told = true
	return s.stop()
}

// logger tells of errors only.
func logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
}
