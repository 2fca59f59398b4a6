package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// measurement is what one server did at one isolation level with one number of clients. Its counts are guarded
// by mu while it runs.
type measurement struct {
	label, isolation string
	clients          int
	first            bool // of the server that is compared with the others

	mu           sync.Mutex
	units        int64 // done by committed transactions
	commits      int64
	retried      int64 // tries refused for a conflict that were followed by another
	failed       int64 // transactions refused in the last try too
	refused      int64 // transactions that broke a rule
	needless     int64 // tries refused for a conflict, of transactions that were committed in the end
	elapsed      time.Duration
	latencies    []time.Duration // of committed transactions, sorted in the end
	reports      int64           // that the background has finished
	wrongReports int64           // with a result that no serial order explains
	hasReports   bool
	replays      int64
	hasReplays   bool
}

func (m *measurement) rate() float64 { return float64(m.units) / m.elapsed.Seconds() }

// percentile is the latency that the fraction p of the transactions stayed within.
func (m *measurement) percentile(p float64) time.Duration {
	if len(m.latencies) == 0 {
		return 0
	}
	return m.latencies[min(len(m.latencies)-1, int(p*float64(len(m.latencies))))]
}

// name is how progress and ratios call it.
func (m *measurement) name() string {
	clients := "1 client"
	if m.clients > 1 {
		clients = fmt.Sprintf("%d clients", m.clients)
	}
	return fmt.Sprintf("%s, %s, %s", m.label, m.isolation, clients)
}

// run lets the clients work until the time is over, and prints progress every second.
func (m *measurement) run(ctx context.Context, out io.Writer, w workload, o benchOptions, t *target) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var nexts []func() transaction
	for client := range m.clients {
		conn, err := t.connect(ctx, m.isolation)
		if err != nil {
			return err
		}
		defer conn.Close(context.Background())
		next, err := w.prepare(ctx, conn, o, client)
		if err != nil {
			return err
		}
		nexts = append(nexts, next)
	}
	background := make(chan error, 1)
	if w.background != nil {
		conn, err := t.connect(ctx, m.isolation)
		if err != nil {
			return err
		}
		defer conn.Close(context.Background())
		m.hasReports = true
		go func() { background <- w.background(ctx, conn, o, m) }()
	}
	before, counted := replays(ctx, t.admin)

	begin := time.Now()
	period := time.Duration(o.seconds) * time.Second
	if o.brief > 0 {
		period = o.brief
	}
	end := begin.Add(period)
	failures := make(chan error, m.clients)
	var wg sync.WaitGroup
	for _, next := range nexts {
		wg.Go(func() {
			for time.Now().Before(end) && ctx.Err() == nil {
				if err := m.work(next(), o.maxTries); err != nil {
					failures <- err
					cancel()
					return
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	m.progress(out, w, begin, done)
	m.elapsed = time.Since(begin)
	cancel()
	if w.background != nil {
		if err := <-background; err != nil {
			return fmt.Errorf("%s: beside the clients: %w", m.name(), err)
		}
	}
	if counted {
		after, _ := replays(context.WithoutCancel(ctx), t.admin)
		m.replays, m.hasReplays = after-before, true
	}
	slices.Sort(m.latencies)
	select {
	case err := <-failures:
		return fmt.Errorf("%s: %w", m.name(), err)
	default:
		return nil
	}
}

// work runs one transaction to its end: it is tried again as long as the server asks for that. The error is one that
// a benchmark does not expect.
func (m *measurement) work(run transaction, maxTries int) error {
	start := time.Now()
	for try := 1; ; try++ {
		units, err := run()
		took := time.Since(start)
		code := sqlState(err)
		m.mu.Lock()
		switch {
		case err == nil:
			m.units += int64(units)
			m.commits++
			m.needless += int64(try - 1)
			m.latencies = append(m.latencies, took)
		case strings.HasPrefix(code, "23"):
			m.refused++
		case code != "40001" && code != "40P01":
		case try == maxTries:
			m.failed++
			err = nil
		default:
			m.retried++
			m.mu.Unlock()
			continue
		}
		m.mu.Unlock()
		if strings.HasPrefix(code, "23") {
			err = nil
		}
		return err
	}
}

// progress prints a line each second until the clients are done.
func (m *measurement) progress(out io.Writer, w workload, begin time.Time, done <-chan struct{}) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	last := int64(0)
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
			m.mu.Lock()
			fmt.Fprintf(out, "%s: %2.0f s  %d %s/s  retried %d  failed %d  refused %d\n", m.name(), time.Since(begin).Seconds(), m.units-last, w.unit, m.retried, m.failed, m.refused)
			last = m.units
			m.mu.Unlock()
		}
	}
}

// printTable prints all measurements, and the ratios of the first server's rates to the others'.
func printTable(out io.Writer, w workload, all []*measurement) error {
	hasReplays := slices.ContainsFunc(all, func(m *measurement) bool { return m.hasReplays })
	hasReports := slices.ContainsFunc(all, func(m *measurement) bool { return m.hasReports })
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "\nserver\tisolation\tclients\t%s/s\tp50 ms\tp95 ms\tp99 ms\tmax ms\tretried\tfailed\trefused\t", w.unit)
	if hasReplays {
		fmt.Fprint(t, "replayed\t")
	}
	if hasReports {
		fmt.Fprint(t, "reports\twrong\t")
	}
	fmt.Fprintln(t)
	for _, m := range all {
		fmt.Fprintf(t, "%s\t%s\t%d\t%.0f\t%s\t%s\t%s\t%s\t%d\t%d\t%d\t", m.label, m.isolation, m.clients, m.rate(),
			ms(m.percentile(0.5)), ms(m.percentile(0.95)), ms(m.percentile(0.99)), ms(m.percentile(1)), m.retried, m.failed, m.refused)
		switch {
		case hasReplays && m.hasReplays:
			fmt.Fprintf(t, "%d\t", m.replays)
		case hasReplays:
			fmt.Fprint(t, "-\t")
		}
		if hasReports {
			fmt.Fprintf(t, "%d\t%d\t", m.reports, m.wrongReports)
		}
		fmt.Fprintln(t)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out)
	for _, m := range all {
		for _, peer := range all {
			if m.first && !peer.first && m.clients == peer.clients && peer.units > 0 {
				fmt.Fprintf(out, "ratio %s : %s = %.2f\n", m.label, peer.name(), m.rate()/peer.rate())
			}
		}
	}
	return nil
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f", float64(d.Microseconds())/1000) }

func sqlState(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// replays is the number of transactions that the server has run again by itself, if one of its statistics views
// tells it: in a column of that name, or as a row of that name of a view with names and values.
func replays(ctx context.Context, c *pgx.Conn) (n int64, ok bool) {
	rows, err := c.Query(ctx, `SELECT c.oid::regclass::text, array_agg(a.attname::text) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
		WHERE c.relname LIKE 'holdfast\_stat%' GROUP BY c.oid ORDER BY 1`)
	if err != nil {
		return 0, false
	}
	queries, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (string, error) {
		var view string
		var columns []string
		if err := row.Scan(&view, &columns); err != nil {
			return "", err
		}
		switch {
		case slices.Contains(columns, "replays"):
			return "SELECT sum(replays)::bigint FROM " + view, nil
		case slices.Contains(columns, "name") && slices.Contains(columns, "value"):
			return "SELECT value::bigint FROM " + view + " WHERE name = 'replays'", nil
		}
		return "", nil
	})
	if err != nil {
		return 0, false
	}
	for _, q := range queries {
		if q != "" && c.QueryRow(ctx, q).Scan(&n) == nil {
			return n, true
		}
	}
	return 0, false
}
