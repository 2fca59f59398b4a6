package isolation

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/compat_tests/testserver"
	"holdfast/kv"
	"holdfast/kv/conformance/history"
	"holdfast/kv/pebblekv"
	"holdfast/planner"
	"holdfast/sql/accumulator"
	"holdfast/wire"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/jackc/pgx/v5"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

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

// memory are the options of a store on a file system.
func memory(fs vfs.FS) pebblekv.Options {
	return pebblekv.Options{Folder: "data", FS: fs, CacheBytes: 8 << 20, MemtableBytes: 4 << 20, Merge: accumulator.Merge, Logger: quiet}
}

// serve starts a server in this process on an empty store in memory and returns its connection string.
func serve(t *testing.T) string {
	t.Helper()
	store, err := pebblekv.Open(memory(vfs.NewMem()))
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, store, planner.Config{})
}

// serveOn starts a server in this process on a store, which is closed when the test ends.
func serveOn(t *testing.T, store kv.Store, config planner.Config) string {
	t.Helper()
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Errorf("closing the store: %v", err)
		}
	})
	config.Logger = quiet
	return testserver.StartOn(t, store, wire.Options{Logger: quiet, DrainTimeout: time.Second}, config).DSN
}

// levels are all isolation levels. Every one is serializable here.
var levels = []string{"SERIALIZABLE", "REPEATABLE READ", "READ COMMITTED", "READ UNCOMMITTED"}

// operations is a share, in percent, of how many statements to run: 50,000, or what the environment says.
func operations(t *testing.T, percent int) int {
	total := 50_000
	if text := os.Getenv("HOLDFAST_OPERATIONS"); text != "" {
		var err error
		if total, err = strconv.Atoi(text); err != nil {
			t.Fatalf("HOLDFAST_OPERATIONS: %v", err)
		}
	}
	return total * percent / 100
}

// seed is a new one, or what the environment says.
func seed(t *testing.T) uint64 {
	text := os.Getenv("HOLDFAST_SEED")
	if text == "" {
		return rand.Uint64()
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("HOLDFAST_SEED: %v", err)
	}
	return n
}

// fewRows and someRows are mixes that are hard in different ways.
func fewRows() *Workload  { return &Workload{Clients: 6, Lists: 3, Counters: 3} }
func someRows() *Workload { return &Workload{Clients: 10, Lists: 12, Counters: 12} }

// execute runs the workload, for at most a second per thousand statements and a minute.
func execute(t *testing.T, w *Workload) *Result {
	t.Helper()
	r, err := attempt(t, w)
	if err != nil {
		t.Fatalf("seed %d: %v", w.Seed, err)
	}
	return r
}

// attempt is execute where an error is an outcome.
func attempt(t *testing.T, w *Workload) (*Result, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute+time.Duration(w.Operations)*time.Millisecond*5)
	defer cancel()
	w.Seed = seed(t)
	start := time.Now()
	r, err := w.Run(ctx)
	if err == nil {
		t.Logf("%s, seed %d, %.1f s: %s", w.Level, w.Seed, time.Since(start).Seconds(), r)
	}
	return r, err
}

// verify checks the history and what was refused.
func verify(t *testing.T, w *Workload, r *Result) {
	t.Helper()
	start := time.Now()
	for _, problem := range problems(r) {
		t.Errorf("seed %d: %s", w.Seed, problem)
	}
	t.Logf("checked in %.1f s", time.Since(start).Seconds())
	for shape, begun := range r.Begun {
		if r.Committed[shape] < begun/3 {
			t.Errorf("seed %d: only %d of %d transactions of shape %q have committed", w.Seed, r.Committed[shape], begun, shape)
		}
	}
}

// problems are the anomalies of a history and the refusals there should not be.
func problems(r *Result) []string {
	var all []string
	for i, a := range history.CheckStrict(r.Txns) {
		if i == 5 {
			all = append(all, "and more")
			break
		}
		all = append(all, a.Text)
	}
	return append(all, r.Unwanted()...)
}

// TestHistory: whatever isolation level is asked for, the history is strictly serializable, and nobody is refused who
// has told nothing yet or only waited.
func TestHistory(t *testing.T) {
	total := operations(t, 80)
	for _, level := range levels {
		for name, w := range map[string]*Workload{"few rows": fewRows(), "some rows": someRows()} {
			t.Run(fmt.Sprintf("%s/%s", level, name), func(t *testing.T) {
				w.Connect, w.Level, w.Operations = connector(serve(t)), level, total/(2*len(levels))
				verify(t, w, execute(t, w))
			})
		}
	}
}

// TestHotRow: single statements that queue for one row are all carried out, in turn.
func TestHotRow(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	connect := connector(serve(t))
	setup, err := connect(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer setup.Close(ctx)
	if _, err := setup.Exec(ctx, "CREATE TABLE counters (id text PRIMARY KEY, a bigint, b bigint); INSERT INTO counters VALUES ('hot', 0, 0)"); err != nil {
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
			for name, w := range map[string]*Workload{"few rows": fewRows(), "some rows": someRows()} {
				w.Connect, w.Level, w.Operations, w.NoForUpdate = connector(dsn), c.level, operations(t, 8), c.found != nil
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
