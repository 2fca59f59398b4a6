package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"
)

const benchViewsLong = `Measure what it costs to write through a view: one UPDATE of one row of a view over two tables, which changes both, against
the two UPDATEs of the tables written by hand in one transaction. For each number of rows there are two tables of that many, joined one to
one, and the ways are measured in turns of a few milliseconds on one connection, so that all of them meet the same machine:

  view        one UPDATE of the view
  by hand     the two UPDATEs of the tables sent together, which is one transaction and one answer, as the view's UPDATE is
  in a block  BEGIN, the two UPDATEs and COMMIT, with a round trip for each

All statements are prepared. The ratios are those of the medians; the view should cost at most 1.3 times what is written by hand, whatever
the number of rows.`

// viewsOptions are the flags of bench views.
type viewsOptions struct {
	dsn     string
	rows    []int
	seconds float64
}

func newBenchViews() *cobra.Command {
	var o viewsOptions
	cmd := &cobra.Command{
		Use:     "views",
		Short:   "Compare an UPDATE through a view over two tables with the two UPDATEs written by hand",
		Long:    benchViewsLong,
		Example: "  holdfast bench views --rows 1000,1000000 --dsn postgres://postgres@127.0.0.1:5433/postgres",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			_, err := runBenchViews(ctx, cmd.OutOrStdout(), o)
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.dsn, "dsn", "postgres://postgres@127.0.0.1:5433/postgres", "the server to measure; its schema holdfast_bench is made anew")
	f.IntSliceVar(&o.rows, "rows", []int{1000, 1_000_000}, "rows of each table; several numbers are measured one after the other")
	f.Float64Var(&o.seconds, "seconds", 10, "how long to measure each number of rows")
	return cmd
}

// viewsWay is one way to change a row of both tables.
type viewsWay struct {
	name      string
	run       func(ctx context.Context, c *pgx.Conn, id int) error
	latencies []time.Duration
}

func (w *viewsWay) median() time.Duration {
	if len(w.latencies) == 0 {
		return 0
	}
	slices.Sort(w.latencies)
	return w.latencies[len(w.latencies)/2]
}

func viewsWays() []*viewsWay {
	const salary, commission = "UPDATE emp_salary SET salary = salary + 1 WHERE empno = $1", "UPDATE emp_commission SET commission = commission + 1 WHERE empno = $1"
	return []*viewsWay{
		{name: "view", run: func(ctx context.Context, c *pgx.Conn, id int) error {
			_, err := c.Exec(ctx, "UPDATE emp SET salary = salary + 1, commission = commission + 1 WHERE empno = $1", id)
			return err
		}},
		{name: "by hand", run: func(ctx context.Context, c *pgx.Conn, id int) error {
			b := &pgx.Batch{}
			b.Queue(salary, id)
			b.Queue(commission, id)
			return c.SendBatch(ctx, b).Close()
		}},
		{name: "in a block", run: func(ctx context.Context, c *pgx.Conn, id int) error {
			return inTransaction(ctx, c, func() error {
				_, err := c.Exec(ctx, salary, id)
				if err == nil {
					_, err = c.Exec(ctx, commission, id)
				}
				return err
			})
		}},
	}
}

// viewsResult is what was measured with one number of rows.
type viewsResult struct {
	rows int
	ways []*viewsWay
}

// ratio is the median of the view over that of another way.
func (r viewsResult) ratio(way int) float64 {
	return float64(r.ways[0].median()) / float64(r.ways[way].median())
}

func runBenchViews(ctx context.Context, out io.Writer, o viewsOptions) ([]viewsResult, error) {
	if len(o.rows) == 0 || slices.Min(o.rows) < 1 || o.seconds <= 0 {
		return nil, fmt.Errorf("--rows, --seconds: more than 0")
	}
	c, err := pgx.Connect(ctx, o.dsn)
	if err != nil {
		return nil, err
	}
	defer c.Close(context.Background())
	var results []viewsResult
	for _, rows := range o.rows {
		fmt.Fprintf(out, "setting up two tables of %d rows\n", rows)
		if err := setUpViews(ctx, c, rows); err != nil {
			return nil, err
		}
		r := viewsResult{rows: rows, ways: viewsWays()}
		if err := r.measure(ctx, c, time.Duration(o.seconds*float64(time.Second))); err != nil {
			return nil, err
		}
		results = append(results, r)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "rows\tway\ttransactions\tp50 ms\tp99 ms\tview/way\t")
	for _, r := range results {
		for i, way := range r.ways {
			p50 := way.median()
			p99 := way.latencies[len(way.latencies)*99/100]
			fmt.Fprintf(w, "%d\t%s\t%d\t%.3f\t%.3f\t%.2f\t\n", r.rows, way.name, len(way.latencies), p50.Seconds()*1000, p99.Seconds()*1000, r.ratio(i))
		}
	}
	return results, w.Flush()
}

func setUpViews(ctx context.Context, c *pgx.Conn, rows int) error {
	if err := execAll(ctx, c, "SET client_min_messages = warning", "DROP SCHEMA IF EXISTS holdfast_bench CASCADE",
		"CREATE SCHEMA holdfast_bench", "SET search_path = holdfast_bench",
		"CREATE TABLE emp_salary (empno int PRIMARY KEY, salary int NOT NULL)",
		"CREATE TABLE emp_commission (empno int PRIMARY KEY, commission int NOT NULL)",
		"CREATE VIEW emp AS SELECT * FROM emp_salary JOIN emp_commission USING (empno)"); err != nil {
		return err
	}
	for _, table := range []string{"emp_salary", "emp_commission"} {
		if err := insertByParts(ctx, c, rows, "INSERT INTO "+table+" SELECT g, 0 FROM generate_series(%d, %d) g"); err != nil {
			return err
		}
	}
	return execAll(ctx, c, "VACUUM ANALYZE")
}

// measure runs the ways in turns, in a changing order, and then looks whether all that was done is in the tables.
func (r viewsResult) measure(ctx context.Context, c *pgx.Conn, long time.Duration) error {
	const turn = 5 * time.Millisecond
	rng := rand.New(rand.NewPCG(uint64(r.rows), 9))
	done := 0
	once := func(w *viewsWay, count bool) error {
		id := 1 + rng.IntN(r.rows)
		begin := time.Now()
		if err := w.run(ctx, c, id); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
		done++
		if count {
			w.latencies = append(w.latencies, time.Since(begin))
		}
		return nil
	}
	for _, w := range r.ways { // statements are prepared at their first use
		for range 20 {
			if err := once(w, false); err != nil {
				return err
			}
		}
	}
	for end := time.Now().Add(long); time.Now().Before(end); {
		for _, i := range rng.Perm(len(r.ways)) {
			for begin, first := time.Now(), true; first || time.Since(begin) < turn; first = false {
				if err := once(r.ways[i], true); err != nil {
					return err
				}
			}
		}
	}
	var salary, commission int
	if err := c.QueryRow(ctx, "SELECT (SELECT sum(salary) FROM emp_salary), (SELECT sum(commission) FROM emp_commission)").Scan(&salary, &commission); err != nil {
		return err
	}
	if salary != done || commission != done {
		return fmt.Errorf("after %d transactions there are %d salaries raised and %d commissions", done, salary, commission)
	}
	return nil
}
