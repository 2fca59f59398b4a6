package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"
)

// rulesOptions are the flags of the benchmark of rules.
type rulesOptions struct {
	dsn, peer string
	parts     []string
	rows      []int
	rounds    int
	bulkRows  int
	clients   int
	teams     int
	seconds   int
	maxTries  int
	pid       int

	// brief shortens what is measured by time, in tests.
	brief time.Duration
}

// rulesPart is one question that the benchmark of rules answers.
type rulesPart struct {
	name string
	run  func(ctx context.Context, out io.Writer, o rulesOptions) error
}

var rulesParts = []rulesPart{
	{"size", sizePart}, {"unrelated", unrelatedPart}, {"bulk", bulkPart}, {"hot", hotPart}, {"seats", seatsPart}, {"budget", budgetPart},
}

const benchRulesLong = `Measure what rules cost. Each part prints a table of its own, beside the figure it should reach; nothing is asserted but
that the rules hold in the end.

  size        time of a change of one row, under no rule, a join rule, and a bound on a sum, in tables of --rows rows.
              It should be the same in all (within 1.2 times). Changes are sent as pipelines of 100 rows, each a transaction.
  unrelated   rates of statements on a table with 0, 1, 10 and 100 assertions that none of them can violate, which
              should cost at most 10 %; in the last line the rows, not the statements, are what cannot violate the rules.
  bulk        loads of --bulk-rows rows with one assertion over a join, one bound on a sum, and both: at most 2 times the
              load without.
  hot         --clients clients insert into one team whose sum is far from its bound. At least 80 % of the rate without the
              rule, nobody refused or told to retry, and 10 times PostgreSQL.
  seats       --clients clients give and take seats of --teams teams with a bound each, in single statements; 3 times PostgreSQL.
  budget      transactions of two expenses of a team within its budget, which another row states; 3 times PostgreSQL.

A rule in PostgreSQL is a trigger that the user writes. With --peer-dsn three are measured: one that locks the
parent's row and then counts, at READ COMMITTED; one that only counts, at SERIALIZABLE, with refused transactions tried
again; and one that keeps the count or sum in the parent's row, which leaves it to the user that it is right. The goals are
ratios to the faster of the first two. "needless" counts tries refused for a conflict of
transactions that were then committed: there was room for them.

What takes turns is measured --rounds times, and the median counts. --pid is the process of the measured server, if
it runs on this machine: then CPU time is shown as well, which tells more than elapsed time if the machine is busy.`

func newBenchRules() *cobra.Command {
	var o rulesOptions
	var names []string
	for _, p := range rulesParts {
		names = append(names, p.name)
	}
	cmd := &cobra.Command{
		Use:   "rules",
		Short: "What rules cost, beside triggers of PostgreSQL",
		Long:  benchRulesLong,
		Example: `  holdfast bench rules --dsn postgres://postgres@127.0.0.1:5433/postgres --peer-dsn postgres://postgres@127.0.0.1:5432/postgres
  holdfast bench rules --parts size --rows 1000,10000,100000,1000000,10000000
  holdfast bench rules --parts bulk --bulk-rows 100000 --rounds 3`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return runBenchRules(ctx, cmd.OutOrStdout(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.dsn, "dsn", "postgres://postgres@127.0.0.1:5433/postgres", "the server to measure, a Holdfast; its schema holdfast_bench is made anew")
	f.StringVar(&o.peer, "peer-dsn", "", "a PostgreSQL to compare with")
	f.StringSliceVar(&o.parts, "parts", names, "what to measure")
	f.IntSliceVar(&o.rows, "rows", []int{1e3, 1e4, 1e5, 1e6}, "sizes of tables of the part size")
	f.IntVar(&o.rounds, "rounds", 7, "how often what takes turns is measured")
	f.IntVar(&o.bulkRows, "bulk-rows", 1e6, "rows of one bulk load")
	f.IntVar(&o.clients, "clients", 64, "connections at once of the parts hot, seats and budget")
	f.IntVar(&o.teams, "teams", 50, "teams of the parts seats and budget")
	f.IntVar(&o.seconds, "seconds", 5, "how long to measure each server in the parts hot, seats and budget")
	f.IntVar(&o.maxTries, "max-tries", 50, "tries of a transaction that is refused for a conflict, before it counts as failed")
	f.IntVar(&o.pid, "pid", 0, "process of the measured server, to show its CPU time")
	return cmd
}

func (o rulesOptions) validate() error {
	for _, p := range o.parts {
		if !slices.ContainsFunc(rulesParts, func(k rulesPart) bool { return k.name == p }) {
			return fmt.Errorf("--parts: there is no %q", p)
		}
	}
	if len(o.rows) == 0 || slices.Min(o.rows) < 1000 {
		return fmt.Errorf("--rows: at least 1000")
	}
	if o.rounds < 1 || o.bulkRows < 1 || o.clients < 1 || o.teams < 1 || o.seconds < 1 || o.maxTries < 1 {
		return fmt.Errorf("--rounds, --bulk-rows, --clients, --teams, --seconds, --max-tries: at least 1")
	}
	return nil
}

func runBenchRules(ctx context.Context, out io.Writer, o rulesOptions) error {
	if err := o.validate(); err != nil {
		return err
	}
	for _, p := range rulesParts {
		if !slices.Contains(o.parts, p.name) {
			continue
		}
		if err := p.run(ctx, out, o); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

// connectAnew connects to the measured server and makes the benchmark's schema anew.
func (o rulesOptions) connectAnew(ctx context.Context) (*pgx.Conn, error) {
	c, err := pgx.Connect(ctx, o.dsn)
	if err != nil {
		return nil, err
	}
	if err := newSchema(ctx, c); err != nil {
		c.Close(context.Background())
		return nil, err
	}
	return c, nil
}

// newSchema makes the benchmark's schema anew and looks there for names.
func newSchema(ctx context.Context, c *pgx.Conn) error {
	return execAll(ctx, c, "SET client_min_messages = warning", "DROP SCHEMA IF EXISTS holdfast_bench CASCADE",
		"CREATE SCHEMA holdfast_bench", "SET search_path = holdfast_bench")
}

// cost is what some work took: elapsed time, and CPU time of the server if it is known.
type cost struct{ elapsed, cpu time.Duration }

// costOf measures work.
func (o rulesOptions) costOf(work func() error) (cost, error) {
	before, err := cpuTime(o.pid)
	if err != nil {
		return cost{}, err
	}
	begin := time.Now()
	if err := work(); err != nil {
		return cost{}, err
	}
	c := cost{elapsed: time.Since(begin)}
	after, err := cpuTime(o.pid)
	c.cpu = after - before
	return c, err
}

// cpuTime is the time that the threads of a process have run so far, 0 for process 0. What /proc tells of the process itself
// is in hundredths of a second, too coarse for short work.
func cpuTime(pid int) (time.Duration, error) {
	if pid == 0 {
		return 0, nil
	}
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		return 0, err
	}
	if len(files) == 0 {
		return 0, fmt.Errorf("--pid: there is no process %d, or /proc does not tell of it", pid)
	}
	total := time.Duration(0)
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended
		}
		ran, _, _ := strings.Cut(string(b), " ")
		ns, err := strconv.ParseInt(ran, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("--pid: %w", err)
		}
		total += time.Duration(ns)
	}
	return total, nil
}

// costs are repeated measurements of one thing.
type costs []cost

// median is the median of the elapsed times.
func (c costs) median() time.Duration {
	return c.medianOf(func(x cost) time.Duration { return x.elapsed })
}

// cpu is the median of the CPU times.
func (c costs) cpu() time.Duration { return c.medianOf(func(x cost) time.Duration { return x.cpu }) }

func (c costs) medianOf(what func(cost) time.Duration) time.Duration {
	list := make([]time.Duration, len(c))
	for i, x := range c {
		list[i] = what(x)
	}
	slices.Sort(list)
	return list[len(list)/2]
}

// micros is a duration for each of n things, in microseconds.
func micros(d time.Duration, n int) float64 { return float64(d.Nanoseconds()) / 1000 / float64(n) }

// newTable makes a table for the results.
func newTable(out io.Writer) *tabwriter.Writer {
	return tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
}
