package isolation

import (
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/kv/conformance/history"
	"holdfast/kv/pebblekv"
	"holdfast/planner"
	"holdfast/wire"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/jackc/pgx/v5"
)

// connector opens connections of a connection string.
func connector(dsn string) func(context.Context) (*pgx.Conn, error) {
	return func(ctx context.Context) (*pgx.Conn, error) {
		config, err := pgx.ParseConfig(dsn)
		if err != nil {
			return nil, err
		}
		config.OnNotice = nil
		return pgx.ConnectConfig(ctx, config)
	}
}

// serve starts a server in this process on an empty store in memory and returns its connection string.
func serve(t *testing.T) string {
	t.Helper()
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	store, err := pebblekv.Open(pebblekv.Options{Folder: "data", FS: vfs.NewMem(), CacheBytes: 8 << 20, MemtableBytes: 4 << 20, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	engine, err := planner.Open(ctx, store, planner.Config{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := wire.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := wire.NewServer(engine, wire.Options{Logger: quiet, DrainTimeout: time.Second})
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		if err := server.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
		if err := engine.Close(ctx); err != nil {
			t.Errorf("closing the engine: %v", err)
		}
		if err := store.Close(); err != nil {
			t.Errorf("closing the store: %v", err)
		}
	})
	return "postgres://postgres@" + listener.Addr().String() + "/postgres?sslmode=disable"
}

// workloads are mixes that are hard in different ways.
func workloads() map[string]*Workload {
	return map[string]*Workload{
		"few rows":  {Clients: 6, TxnsPerClient: 60, Lists: 3, Counter: 3},
		"some rows": {Clients: 8, TxnsPerClient: 60, Lists: 10, Counter: 10},
	}
}

func execute(t *testing.T, w *Workload) *Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	w.Seed = rand.Uint64()
	r, err := w.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d of %d committed, refused %v, single statements %v", r.Committed, len(r.Txns), r.Refused, r.RefusedAlone)
	return r
}

// TestHotRow: single statements that queue for one row are all carried out, in turn.
func TestHotRow(t *testing.T) {
	dsn := serve(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	connect := connector(dsn)
	setup, err := connect(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer setup.Close(ctx)
	createTables(t, ctx, setup)
	if _, err := setup.Exec(ctx, "INSERT INTO counters VALUES ('hot', 0, 0)"); err != nil {
		t.Fatal(err)
	}
	const clients, rounds = 12, 40
	var wait sync.WaitGroup
	for i := range clients {
		wait.Go(func() {
			conn, err := connect(ctx)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close(ctx)
			column := []string{"a", "b"}[i%2]
			for range rounds {
				if _, err := conn.Exec(ctx, "UPDATE counters SET "+column+" = "+column+" + 1 WHERE id = 'hot'"); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wait.Wait()
	var a, b int64
	if err := setup.QueryRow(ctx, "SELECT a, b FROM counters").Scan(&a, &b); err != nil {
		t.Fatal(err)
	}
	if want := int64(clients / 2 * rounds); a != want || b != want {
		t.Errorf("the counters are %d and %d, want %d", a, b, want)
	}
}

// createTables makes the tables of the workload. Without tables there is nothing to test yet.
func createTables(t *testing.T, ctx context.Context, conn *pgx.Conn) {
	t.Helper()
	err := CreateTables(ctx, conn)
	if sqlState(err) == "0A000" {
		t.Skipf("the server has no tables yet: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestHoldfast: whatever isolation level is asked for, the history is strictly serializable, and no single
// statement is ever refused for the sake of others.
func TestHoldfast(t *testing.T) {
	dsn := serve(t)
	setup, err := connector(dsn)(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	createTables(t, context.Background(), setup)
	setup.Close(context.Background())
	for name, w := range workloads() {
		for _, begin := range []string{"BEGIN ISOLATION LEVEL SERIALIZABLE", "BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ"} {
			t.Run(name+"/"+begin, func(t *testing.T) {
				w.Connect, w.Begin = connector(dsn), begin
				r := execute(t, w)
				for _, a := range history.CheckStrict(r.Txns) {
					t.Errorf("seed %d: %s", w.Seed, a.Text)
				}
				if len(r.RefusedAlone) > 0 {
					t.Errorf("seed %d: single statements are refused: %v", w.Seed, r.RefusedAlone)
				}
				if r.Committed < len(r.Txns)/3 {
					t.Errorf("seed %d: only %d of %d transactions have committed", w.Seed, r.Committed, len(r.Txns))
				}
			})
		}
	}
}

// TestPostgres tries the workload and the checker on a server that is known: HOLDFAST_POSTGRES is a connection
// string of a PostgreSQL to make tables in. SERIALIZABLE shows no anomaly; the weaker levels show theirs.
func TestPostgres(t *testing.T) {
	dsn := os.Getenv("HOLDFAST_POSTGRES")
	if dsn == "" {
		t.Skip("HOLDFAST_POSTGRES is not set")
	}
	for _, c := range []struct {
		level string
		found []string // one of these has to be
	}{
		{"SERIALIZABLE", nil},
		{"REPEATABLE READ", []string{history.WriteSkew}},
		{"READ COMMITTED", []string{history.SingleSkew, history.WriteSkew, history.Internal, history.IncompatibleOrder, history.InformationCycle}},
	} {
		t.Run(c.level, func(t *testing.T) {
			for name, w := range workloads() {
				w.Connect, w.Begin, w.NoForUpdate = connector(dsn), "BEGIN ISOLATION LEVEL "+c.level, c.found != nil
				r := execute(t, w)
				anomalies := history.Check(r.Txns)
				hit := false
				for _, a := range anomalies {
					for _, kind := range c.found {
						hit = hit || strings.HasPrefix(a.Kind, kind)
					}
					if c.found == nil {
						t.Errorf("%s, seed %d: %s", name, w.Seed, a.Text)
					}
				}
				if c.found != nil && !hit {
					t.Errorf("%s, seed %d: none of %v found, but %v", name, w.Seed, c.found, anomalies)
				}
			}
		})
	}
}
