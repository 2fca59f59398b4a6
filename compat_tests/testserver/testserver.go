// Package testserver starts Holdfast inside of a test: the whole server, from the listener down to Pebble, on
// a port of its own.
package testserver

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"testing"

	"holdfast/kv"
	"holdfast/kv/pebblekv"
	"holdfast/planner"
	"holdfast/wire"
)

// Server is a running server.
type Server struct {
	DSN    string // for pgx: URL with user and database
	Host   string
	Port   string
	Engine *planner.Engine
	Store  kv.Store
}

// Start starts a server on a folder that goes with the test. It is stopped when the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	return StartAt(t, t.TempDir()+"/data", wire.Options{MaxConnections: 200})
}

// StartAt starts a server on a folder, with options.
func StartAt(t testing.TB, folder string, o wire.Options) *Server {
	t.Helper()
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	store, err := pebblekv.Open(pebblekv.Options{Folder: folder, CacheBytes: 32 << 20, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	listener, err := wire.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host, port, _ := net.SplitHostPort(listener.Addr().String())
	engine, err := planner.Open(ctx, store, planner.Config{Logger: logger, Settings: map[string]string{"port": port, "listen_addresses": host, "data_directory": folder}})
	if err != nil {
		t.Fatal(err)
	}
	o.Logger = logger
	server := wire.NewServer(engine, o)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		if err := server.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
		if err := engine.Close(ctx); err != nil {
			t.Error(err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return &Server{
		DSN:  fmt.Sprintf("postgres://postgres@%s/postgres", listener.Addr()),
		Host: host, Port: port, Engine: engine, Store: store,
	}
}
