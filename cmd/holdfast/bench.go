package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/spf13/cobra"
)

// benchOptions are the flags of all benchmarks.
type benchOptions struct {
	dsn, peer string
	clients   int
	seconds   int
	batch     int
	accounts  int
	teams     int
}

// workload is one benchmark. Each client calls step again and again on a connection of its own.
type workload struct {
	name    string
	about   string
	rule    string // the assertion declared on Holdfast, "" if there is none
	setup   func(ctx context.Context, c *pgx.Conn, o benchOptions) error
	prepare func(ctx context.Context, c *pgx.Conn, o benchOptions, client int) (step func() (rows int, err error), err error)
	unit    string
}

func newBench() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure a server, beside a peer if one is given",
		Long: `Measure a server under a workload and print its rate, latencies, refused and retried statements. With
--peer-dsn the same statements run against a second server, a PostgreSQL usually, in the same run, and the
ratio is printed: single figures mean little on a shared machine. A PostgreSQL peer has no assertions; the
table says so.`,
	}
	for _, w := range []workload{itemsWorkload, transfersWorkload, seatsWorkload} {
		cmd.AddCommand(newBenchOf(w))
	}
	return cmd
}

func newBenchOf(w workload) *cobra.Command {
	var o benchOptions
	cmd := &cobra.Command{
		Use:   w.name,
		Short: w.about,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return runBench(ctx, cmd.OutOrStdout(), w, o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.dsn, "dsn", "postgres://postgres@127.0.0.1:5433/postgres", "the server to measure; its schema holdfast_bench is made anew")
	f.StringVar(&o.peer, "peer-dsn", "", "a second server to compare with")
	f.IntVar(&o.clients, "clients", 1, "connections at once")
	f.IntVar(&o.seconds, "seconds", 10, "how long to measure each server")
	switch w.name {
	case "items":
		f.IntVar(&o.batch, "batch", 1000, "rows of one INSERT")
	case "transfers":
		f.IntVar(&o.accounts, "accounts", 100_000, "accounts")
	case "seats":
		f.IntVar(&o.teams, "teams", 200, "teams")
	}
	return cmd
}

// measurement is what one server did.
type measurement struct {
	label            string
	rows, commits    int64
	refused, retried int64 // by rules (23514); asked to retry (40001, 40P01)
	elapsed          time.Duration
	latencies        []time.Duration
	isPostgreSQL     bool
}

func (m *measurement) rate() float64 { return float64(m.rows) / m.elapsed.Seconds() }

func (m *measurement) percentile(p float64) time.Duration {
	if len(m.latencies) == 0 {
		return 0
	}
	return m.latencies[min(len(m.latencies)-1, int(p*float64(len(m.latencies))))]
}

func runBench(ctx context.Context, out io.Writer, w workload, o benchOptions) error {
	var all []*measurement
	for _, dsn := range []string{o.dsn, o.peer} {
		if dsn == "" {
			continue
		}
		m, err := measure(ctx, out, w, o, dsn)
		if err != nil {
			return err
		}
		all = append(all, m)
	}
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "\nserver\t%s/s\tstatements/s\tp50 ms\tp95 ms\tp99 ms\tmax ms\trefused\tretried\t\n", w.unit)
	for _, m := range all {
		fmt.Fprintf(t, "%s\t%.0f\t%.0f\t%s\t%s\t%s\t%s\t%d\t%d\t\n", m.label, m.rate(), float64(m.commits)/m.elapsed.Seconds(),
			ms(m.percentile(0.5)), ms(m.percentile(0.95)), ms(m.percentile(0.99)), ms(m.percentile(1)), m.refused, m.retried)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if len(all) == 2 {
		fmt.Fprintf(out, "\nratio %s : %s = %.2f\n", all[0].label, all[1].label, all[0].rate()/all[1].rate())
	}
	return nil
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f", float64(d.Microseconds())/1000) }

// measure sets a server up and runs the workload on it.
func measure(ctx context.Context, out io.Writer, w workload, o benchOptions, dsn string) (*measurement, error) {
	admin, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return nil, err
	}
	defer admin.Close(ctx)
	m := &measurement{}
	var version string
	if err := admin.QueryRow(ctx, "SELECT version()").Scan(&version); err != nil {
		return nil, err
	}
	m.label = "Holdfast"
	if !strings.Contains(version, "Holdfast") {
		m.isPostgreSQL = true
		m.label = strings.Join(strings.Fields(version)[:2], " ")
		if w.rule != "" {
			m.label += " (no assertion)"
		}
	}
	for _, q := range []string{"SET client_min_messages = warning", "DROP SCHEMA IF EXISTS holdfast_bench CASCADE", "CREATE SCHEMA holdfast_bench", "SET search_path = holdfast_bench"} {
		if _, err := admin.Exec(ctx, q); err != nil {
			return nil, fmt.Errorf("%s: %w", q, err)
		}
	}
	fmt.Fprintf(out, "%s: setting up %s\n", m.label, w.name)
	if err := w.setup(ctx, admin, o); err != nil {
		return nil, err
	}
	if w.rule != "" && !m.isPostgreSQL {
		if _, err := admin.Exec(ctx, w.rule); err != nil {
			return nil, fmt.Errorf("%s: %w", w.rule, err)
		}
	}
	return m, m.run(ctx, out, w, o, dsn)
}

// run lets the clients work until the time is over, and prints progress every second.
func (m *measurement) run(ctx context.Context, out io.Writer, w workload, o benchOptions, dsn string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var mu sync.Mutex
	var wg sync.WaitGroup
	failed := make(chan error, o.clients)
	var begin time.Time
	gate := make(chan struct{})
	for client := range o.clients {
		conn, err := pgx.Connect(ctx, dsn)
		if err != nil {
			return err
		}
		defer conn.Close(context.Background())
		if _, err := conn.Exec(ctx, "SET search_path = holdfast_bench"); err != nil {
			return err
		}
		step, err := w.prepare(ctx, conn, o, client)
		if err != nil {
			return err
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			<-gate
			for time.Since(begin) < time.Duration(o.seconds)*time.Second && ctx.Err() == nil {
				start := time.Now()
				rows, err := step()
				took := time.Since(start)
				code := sqlState(err)
				if err != nil && code == "" {
					failed <- err
					cancel()
					return
				}
				mu.Lock()
				switch code {
				case "":
					m.rows += int64(rows)
					m.commits++
					m.latencies = append(m.latencies, took)
				case "23514":
					m.refused++
				case "40001", "40P01":
					m.retried++
				default:
					mu.Unlock()
					failed <- err
					cancel()
					return
				}
				mu.Unlock()
			}
		}()
	}
	begin = time.Now()
	close(gate)
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	last := int64(0)
	for running := true; running; {
		select {
		case <-done:
			running = false
		case <-ticker.C:
			mu.Lock()
			fmt.Fprintf(out, "%s: %2.0f s  %d %s/s  refused %d  retried %d\n", m.label, time.Since(begin).Seconds(), m.rows-last, w.unit, m.refused, m.retried)
			last = m.rows
			mu.Unlock()
		}
	}
	m.elapsed = time.Since(begin)
	slices.Sort(m.latencies)
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

func sqlState(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}
