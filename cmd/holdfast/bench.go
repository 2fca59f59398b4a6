package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"
)

// benchOptions are the flags of all benchmarks. Each has those of its workload besides the common ones.
type benchOptions struct {
	dsn, peer      string
	peerIsolations []string
	clients        []int
	seconds        int
	maxTries       int

	batch    int
	accounts int
	teams    int
	scale    int
	jobs     int
	explicit bool
	entries  int

	// brief is how long to measure if it is not whole seconds.
	brief time.Duration
	// accountsPerBranch is 100,000 but in tests.
	accountsPerBranch int
}

// workload is one benchmark. Each client does its work on a connection of its own.
type workload struct {
	name    string
	about   string // one line
	details string // what is run, for --help
	unit    string // what is counted
	rule    string // the assertion declared on Holdfast, "" if there is none
	// peerIsolations are the isolation levels at which a PostgreSQL peer is measured unless the user chooses.
	peerIsolations []string
	setup          func(ctx context.Context, c *pgx.Conn, o benchOptions) error
	// prepare makes a client's next, which chooses the parameters of one transaction and returns it. A
	// transaction that the server refuses for a conflict is run again with the same parameters.
	prepare func(ctx context.Context, c *pgx.Conn, o benchOptions, client int) (next func() transaction, err error)
	// background runs beside the clients until ctx ends, if it is set, and counts in m.
	background func(ctx context.Context, c *pgx.Conn, o benchOptions, m *measurement) error
	// check looks at the tables when the clients are done, if it is set: m is what they were told. The work of
	// earlier measurements on the same server is in them too.
	check func(ctx context.Context, c *pgx.Conn, o benchOptions, all []*measurement) error
}

// transaction does its work once and returns how many units it has done.
type transaction func() (units int, err error)

var workloads = []workload{itemsWorkload, transfersWorkload, seatsWorkload, tpcbWorkload, jobsWorkload, hotrowWorkload, mixedWorkload}

const benchLong = `Measure a server under a workload and print its rate, its latencies, and what its clients were told of
conflicts. With --peer-dsn the same statements run against a second server, a PostgreSQL usually, in the same run, and
the ratios are printed: single figures mean little on a shared machine.

Every second a line tells how far it is. In the table at the end

  p50 ms ..   latencies of transactions, tries that were refused included
  retried     tries that a client was told to run again (40001, 40P01), and did
  failed      transactions given up after --max-tries tries
  refused     transactions that broke a rule or a constraint (23xxx)
  replayed    transactions that Holdfast has run again without telling, if its statistics views count them

A PostgreSQL peer has no assertions; the table says so where a workload declares one. It is measured at the isolation
levels of --peer-isolation. Holdfast is serializable at all of them.`

func newBench() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure a server, beside a peer if one is given",
		Long:  benchLong,
	}
	for _, w := range workloads {
		cmd.AddCommand(newBenchOf(w))
	}
	cmd.AddCommand(newBenchRules())
	cmd.AddCommand(newBenchViews())
	return cmd
}

func newBenchOf(w workload) *cobra.Command {
	o := benchOptions{accountsPerBranch: 100_000}
	cmd := &cobra.Command{
		Use:   w.name,
		Short: w.about,
		Long:  w.about + ".\n\n" + w.details + "\n\n" + benchLong,
		Example: fmt.Sprintf(`  holdfast bench %s --seconds 30 --clients 1,16,64 \
      --dsn postgres://postgres@127.0.0.1:5433/postgres --peer-dsn postgres://postgres@127.0.0.1:5432/postgres`, w.name),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return runBench(ctx, cmd.OutOrStdout(), w, o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.dsn, "dsn", "postgres://postgres@127.0.0.1:5433/postgres", "the server to measure; its schema holdfast_bench is made anew")
	f.StringVar(&o.peer, "peer-dsn", "", "a second server to compare with")
	f.IntSliceVar(&o.clients, "clients", []int{1}, "connections at once; several numbers are measured one after the other")
	f.IntVar(&o.seconds, "seconds", 10, "how long to measure each server with each number of clients")
	f.IntVar(&o.maxTries, "max-tries", 50, "tries of a transaction that is refused for a conflict, before it counts as failed")
	f.StringSliceVar(&o.peerIsolations, "peer-isolation", w.peerIsolations, "isolation levels to measure a PostgreSQL peer at")
	switch w.name {
	case "items":
		f.IntVar(&o.batch, "batch", 1000, "rows of one INSERT")
	case "transfers":
		f.IntVar(&o.accounts, "accounts", 100_000, "accounts")
	case "seats":
		f.IntVar(&o.teams, "teams", 200, "teams")
	case "tpcb":
		f.IntVar(&o.scale, "scale", 10, "branches, each with 10 tellers and 100,000 accounts")
	case "jobs":
		f.IntVar(&o.jobs, "jobs", 1000, "jobs in the queue; it is kept at that")
	case "hotrow":
		f.BoolVar(&o.explicit, "explicit", false, "update within BEGIN and COMMIT, not in a statement of its own")
	case "mixed":
		f.IntVar(&o.entries, "entries", 100_000, "rows")
	}
	return cmd
}

func (o benchOptions) validate() error {
	if len(o.clients) == 0 || slices.Min(o.clients) < 1 {
		return fmt.Errorf("--clients: at least 1")
	}
	if o.seconds < 1 || o.maxTries < 1 {
		return fmt.Errorf("--seconds, --max-tries: at least 1")
	}
	for _, level := range o.peerIsolations {
		if !slices.Contains([]string{"read committed", "repeatable read", "serializable"}, level) {
			return fmt.Errorf("--peer-isolation: not a level of PostgreSQL: %q", level)
		}
	}
	return nil
}

// target is a server to measure.
type target struct {
	dsn        string
	label      string
	postgreSQL bool
	isolations []string // to measure it at
	admin      *pgx.Conn
	done       []*measurement
}

// runBench measures the servers and prints the table.
func runBench(ctx context.Context, out io.Writer, w workload, o benchOptions) error {
	all, err := measureAll(ctx, out, w, o)
	if err != nil {
		return err
	}
	return printTable(out, w, all)
}

// measureAll sets the servers up and measures them in turn with each number of clients.
func measureAll(ctx context.Context, out io.Writer, w workload, o benchOptions) ([]*measurement, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	var targets []*target
	for _, dsn := range []string{o.dsn, o.peer} {
		if dsn == "" {
			continue
		}
		t, err := newTarget(ctx, out, w, o, dsn)
		if err != nil {
			return nil, err
		}
		defer t.admin.Close(context.Background())
		targets = append(targets, t)
	}
	var all []*measurement
	for _, clients := range o.clients {
		for _, t := range targets {
			for _, isolation := range t.isolations {
				m := &measurement{label: t.label, isolation: isolation, clients: clients, first: t == targets[0]}
				if err := m.run(ctx, out, w, o, t); err != nil {
					return nil, err
				}
				t.done = append(t.done, m)
				all = append(all, m)
				if w.check != nil {
					if err := w.check(ctx, t.admin, o, t.done); err != nil {
						return nil, fmt.Errorf("%s: %w", t.label, err)
					}
				}
			}
		}
	}
	return all, nil
}

// newTarget connects to a server and makes the tables of the workload there.
func newTarget(ctx context.Context, out io.Writer, w workload, o benchOptions, dsn string) (*target, error) {
	admin, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return nil, err
	}
	t := &target{dsn: dsn, admin: admin, label: "Holdfast", isolations: []string{"serializable"}}
	if err := t.setUp(ctx, out, w, o); err != nil {
		admin.Close(context.Background())
		return nil, err
	}
	return t, nil
}

func (t *target) setUp(ctx context.Context, out io.Writer, w workload, o benchOptions) error {
	var version string
	if err := t.admin.QueryRow(ctx, "SELECT version()").Scan(&version); err != nil {
		return err
	}
	if !strings.Contains(version, "Holdfast") {
		t.postgreSQL = true
		t.isolations = o.peerIsolations
		t.label = strings.Join(strings.Fields(version)[:2], " ")
		if w.rule != "" {
			t.label += " (no assertion)"
		}
	}
	if err := execAll(ctx, t.admin, "SET client_min_messages = warning", "DROP SCHEMA IF EXISTS holdfast_bench CASCADE",
		"CREATE SCHEMA holdfast_bench", "SET search_path = holdfast_bench"); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: setting up %s\n", t.label, w.name)
	if err := w.setup(ctx, t.admin, o); err != nil {
		return err
	}
	if w.rule != "" && !t.postgreSQL {
		if err := execAll(ctx, t.admin, w.rule); err != nil {
			return err
		}
	}
	return execAll(ctx, t.admin, "VACUUM ANALYZE")
}

// connect opens a client's connection.
func (t *target) connect(ctx context.Context, isolation string) (*pgx.Conn, error) {
	conn, err := pgx.Connect(ctx, t.dsn)
	if err != nil {
		return nil, err
	}
	if err := execAll(ctx, conn, "SET search_path = holdfast_bench", "SET default_transaction_isolation = '"+isolation+"'"); err != nil {
		conn.Close(context.Background())
		return nil, err
	}
	return conn, nil
}
