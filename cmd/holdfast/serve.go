package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"holdfast/kv"
	"holdfast/kv/pebblekv"
	"holdfast/planner"
	"holdfast/sql/accumulator"
	"holdfast/sql/parse"
	"holdfast/wire"
)

// serverOptions are the flags of everything that runs a server.
type serverOptions struct {
	listen              string
	data                string
	maxConnections      int
	cacheMB             int64
	maxTransactionBytes int64
	transactionMemory   int64
	maxStatementBytes   int
	logLevel            string
}

func (o *serverOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.listen, "listen", "127.0.0.1:5433", "address to listen on; loopback only until passwords exist")
	f.StringVar(&o.data, "data", "./holdfast-data", "folder of the data; created at the first start")
	f.IntVar(&o.maxConnections, "max-connections", 100, "clients at once; one more is refused (53300)")
	f.Int64Var(&o.cacheMB, "cache-mb", 0, "block cache in MiB; 0 takes 1/16 of the memory, between 32 and 128 MiB")
	f.Int64Var(&o.maxTransactionBytes, "max-transaction-bytes", 0, "writes of one transaction in bytes; more is refused (54000); 0 means 64 GiB")
	f.Int64Var(&o.transactionMemory, "transaction-memory-mb", 0, "memory in MiB for the writes of one transaction; more go to temporary files in the folder of the data; 0 means 64")
	f.IntVar(&o.maxStatementBytes, "max-statement-bytes", parse.DefaultMaxBytes, "length of one statement's text in bytes; a longer one is refused (54000)")
	f.StringVar(&o.logLevel, "log-level", "warn", "least severe messages to log: debug, info, warn, error")
}

func newServe() *cobra.Command {
	var o serverOptions
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve PostgreSQL clients",
		Long: `Serve PostgreSQL clients until SIGINT or SIGTERM, which lets running statements end, closes the data and
exits. The first start creates the folder with the role and the database "postgres".`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			s, err := startServer(ctx, o)
			if err != nil {
				return err
			}
			s.announce(cmd.OutOrStdout())
			select {
			case <-ctx.Done():
				stop() // a second signal ends the process at once
				fmt.Fprintln(cmd.ErrOrStderr(), "holdfast: shutting down")
				return s.stop()
			case err := <-s.failed:
				return errors.Join(err, s.stop())
			}
		},
	}
	o.addFlags(cmd.Flags())
	return cmd
}

// server is a running server with its store.
type server struct {
	options  serverOptions
	listener net.Listener
	store    kv.Store
	engine   *planner.Engine
	wire     *wire.Server
	failed   chan error
}

// startServer opens the data and serves it. Errors are one line for the user.
func startServer(ctx context.Context, o serverOptions) (*server, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.logLevel)); err != nil {
		return nil, fmt.Errorf("--log-level %q is none of debug, info, warn, error", o.logLevel)
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	parse.SetMaxBytes(o.maxStatementBytes)
	// The port is taken first: a second server started by mistake then never touches the data.
	listener, err := wire.Listen(o.listen)
	if err != nil {
		if errors.Is(err, syscall.EADDRINUSE) {
			return nil, fmt.Errorf("%s is in use: another server runs there, or choose another address with --listen", o.listen)
		}
		return nil, err
	}
	s, err := openServer(ctx, o, listener, logger)
	if err != nil {
		listener.Close()
		return nil, err
	}
	return s, nil
}

func openServer(ctx context.Context, o serverOptions, listener net.Listener, logger *slog.Logger) (*server, error) {
	store, err := pebblekv.Open(pebblekv.Options{
		Folder: o.data, CacheBytes: o.cacheMB << 20, MaxTxnBytes: o.maxTransactionBytes,
		SpillBytes: o.transactionMemory << 20, Merge: accumulator.Merge, Logger: logger,
	})
	switch {
	case errors.Is(err, kv.ErrInUse):
		return nil, fmt.Errorf("the folder %s is in use by another Holdfast: stop that one, or choose another folder with --data", o.data)
	case errors.Is(err, kv.ErrFormat):
		_, why, _ := strings.Cut(err.Error(), kv.ErrFormat.Error()+": ")
		return nil, fmt.Errorf("%s: not a data folder that this Holdfast can open; choose another with --data", why)
	case err != nil:
		return nil, err
	}
	limitHeap()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	host, _, _ := net.SplitHostPort(listener.Addr().String())
	engine, err := planner.Open(ctx, store, planner.Config{Logger: logger, Settings: map[string]string{
		"port": port, "listen_addresses": host, "data_directory": o.data, "max_connections": fmt.Sprint(o.maxConnections),
	}})
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	s := &server{options: o, listener: listener, store: store, engine: engine, failed: make(chan error, 1)}
	s.wire = wire.NewServer(engine, wire.Options{MaxConnections: o.maxConnections, Logger: logger})
	go returnMemory(ctx)
	go func() {
		if err := s.wire.Serve(listener); err != nil {
			s.failed <- err
		}
	}()
	return s, nil
}

// heapFloorBytes is how much more garbage than GOGC says, in bytes, is let gather before it is collected. The server's own heap
// is small, since cache and memtables lie outside: under statements that bring a megabyte each, it would be collected
// after every few of them, which was a seventh of the work.
const heapFloorBytes = 32 << 20

// heapFloor counts as part of the heap, and is never touched, so that it takes none of the machine's memory.
var heapFloor []byte

// limitHeap keeps a small heap from being collected too often, and a large one from doubling by the garbage of bursts,
// unless GOGC or GOMEMLIMIT say otherwise.
func limitHeap() {
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		heapFloor = make([]byte, heapFloorBytes)
		runtime.KeepAlive(heapFloor) // it is used by being there
		// The heap may grow to this before the collector works harder than GOGC asks; it is not a cap.
		debug.SetMemoryLimit(4 << 30)
	}
}

// announce tells how to connect.
func (s *server) announce(w io.Writer) {
	host, port, _ := net.SplitHostPort(s.listener.Addr().String())
	fmt.Fprintf(w, "Holdfast %s serves %s on %s.\nConnect with: psql -h %s -p %s -U postgres\n", version, s.options.data, s.listener.Addr(), host, port)
}

// stop drains the connections and closes the data.
func (s *server) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return errors.Join(s.wire.Shutdown(ctx), s.engine.Close(ctx), s.store.Close())
}
