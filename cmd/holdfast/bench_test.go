package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"holdfast/compat_tests/testserver"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// TestWorkloads runs each workload for a second, and its check of what it left in the tables.
func TestWorkloads(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a second for each workload")
	}
	server := testserver.Start(t)
	for _, w := range workloads {
		t.Run(w.name, func(t *testing.T) {
			o := benchOptions{
				dsn: server.DSN, clients: []int{4}, seconds: 1, maxTries: 50, peerIsolations: w.peerIsolations,
				batch: 10, accounts: 100, teams: 5, scale: 2, jobs: 20, entries: 2000, accountsPerBranch: 200,
			}
			variants := []benchOptions{o}
			switch w.name {
			case "hotrow":
				variants = append(variants, o)
				variants[1].explicit = true
			case "jobs":
				variants[0].clients = []int{16}
			}
			for _, o := range variants {
				var out bytes.Buffer
				all, err := measureAll(t.Context(), &out, w, o)
				if err != nil {
					t.Fatalf("%v\n%s", err, &out)
				}
				if len(all) != 1 || all[0].units == 0 || all[0].commits != int64(len(all[0].latencies)) {
					t.Errorf("measured: %+v", all)
				}
				if (w.name == "hotrow" || w.name == "jobs") && all[0].retried+all[0].failed != 0 {
					t.Errorf("clients were told to retry: %d times, %d in vain", all[0].retried, all[0].failed)
				}
				if all[0].wrongReports != 0 {
					t.Errorf("%d of %d reports are wrong", all[0].wrongReports, all[0].reports)
				}
				if err := printTable(&out, w, all); err != nil {
					t.Fatal(err)
				}
				t.Log(out.String())
				for _, want := range []string{"setting up " + w.name, w.unit + "/s", "p99 ms", "Holdfast", "serializable"} {
					if !strings.Contains(out.String(), want) {
						t.Errorf("%q is missing in\n%s", want, &out)
					}
				}
			}
		})
	}
}

// TestChecks: the checks notice work that was acknowledged and is not there.
func TestChecks(t *testing.T) {
	server := testserver.Start(t)
	for _, w := range workloads {
		if w.check == nil {
			continue
		}
		target, err := newTarget(t.Context(), &bytes.Buffer{}, w, benchOptions{clients: []int{1}, scale: 1, jobs: 5, entries: 10, accountsPerBranch: 10}, server.DSN)
		if err != nil {
			t.Fatal(err)
		}
		defer target.admin.Close(context.Background())
		m := &measurement{}
		if err := w.check(t.Context(), target.admin, benchOptions{}, []*measurement{m}); err != nil {
			t.Errorf("%s, without any work: %v", w.name, err)
		}
		m.units, m.commits = 1, 1
		if err := w.check(t.Context(), target.admin, benchOptions{}, []*measurement{m}); err == nil {
			t.Errorf("%s: a lost transaction was not noticed", w.name)
		}
	}
}

// TestTries: a transaction is tried again after a conflict, not for ever, and nothing else is passed over.
func TestTries(t *testing.T) {
	fails := func(n int, code string) transaction {
		return func() (int, error) {
			if n--; n >= 0 {
				return 0, &pgconn.PgError{Code: code}
			}
			return 3, nil
		}
	}
	m := &measurement{}
	for _, c := range []struct {
		run transaction
		err bool
	}{{fails(0, ""), false}, {fails(2, "40001"), false}, {fails(5, "40P01"), false}, {fails(1, "23514"), false}, {fails(1, "42601"), true},
		{func() (int, error) { return 0, pgx.ErrNoRows }, true}} {
		if err := m.work(c.run, 3); (err != nil) != c.err {
			t.Errorf("an unexpected error: %v", err)
		}
	}
	if m.units != 6 || m.commits != 2 || m.retried != 4 || m.failed != 1 || m.refused != 1 || len(m.latencies) != 2 {
		t.Errorf("counted: %+v", m)
	}
}

// TestReplays: the number is found in whichever of the two forms a view has it.
func TestReplays(t *testing.T) {
	server := testserver.Start(t)
	conn, err := pgx.Connect(t.Context(), server.DSN)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if n, ok := replays(t.Context(), conn); ok {
		t.Skipf("the server counts them: %d", n)
	}
	for _, view := range []string{
		"CREATE VIEW holdfast_stat_rows AS SELECT 'other' AS name, 1 AS value UNION ALL SELECT 'replays', 7",
		"CREATE VIEW holdfast_stat_columns AS SELECT 'x' AS relation, 3 AS replays UNION ALL SELECT 'y', 4",
	} {
		if err := execAll(t.Context(), conn, view); err != nil {
			t.Fatal(err)
		}
		if n, ok := replays(t.Context(), conn); !ok || n != 7 {
			t.Errorf("%s: %d, %v", view, n, ok)
		}
		if err := execAll(t.Context(), conn, "DROP VIEW "+strings.Fields(view)[2]); err != nil {
			t.Fatal(err)
		}
	}
}

// TestBenchHelp: every workload has its help, and refuses what makes no sense.
func TestBenchHelp(t *testing.T) {
	for _, w := range workloads {
		root := newRoot()
		var out bytes.Buffer
		root.SetOut(&out)
		root.SetArgs([]string{"bench", w.name, "--help"})
		if err := root.Execute(); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{w.about, w.details, "--peer-dsn", "--peer-isolation", "--max-tries", "Examples:"} {
			if w.details == "" || !strings.Contains(out.String(), want) {
				t.Errorf("%s: %q is missing in the help", w.name, want)
			}
		}
	}
	root := newRoot()
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetArgs([]string{"bench", "rules", "--help"})
	if err := root.Execute(); err != nil || !strings.Contains(out.String(), "--bulk-rows") {
		t.Errorf("rules: %v\n%s", err, &out)
	}
	for _, args := range [][]string{{"--parts", "sizes"}, {"--rows", "100"}, {"--rounds", "0"}} {
		root := newRoot()
		root.SetOut(&bytes.Buffer{})
		root.SetArgs(append([]string{"bench", "rules"}, args...))
		if err := root.Execute(); err == nil || !strings.Contains(err.Error(), args[0]) {
			t.Errorf("%v: %v", args, err)
		}
	}
	for _, args := range [][]string{{"--clients", "0"}, {"--clients", "4,x"}, {"--seconds", "0"}, {"--peer-isolation", "snapshot"}, {"--max-tries", "0"}} {
		root := newRoot()
		root.SetOut(&bytes.Buffer{})
		root.SetArgs(append([]string{"bench", "tpcb"}, args...))
		if err := root.Execute(); err == nil {
			t.Errorf("%v was accepted", args)
		}
	}
}

// TestBenchViews runs the comparison of views with statements by hand for a moment. How fast they are is not looked at.
func TestBenchViews(t *testing.T) {
	server := testserver.Start(t)
	var out bytes.Buffer
	results, err := runBenchViews(t.Context(), &out, viewsOptions{dsn: server.DSN, rows: []int{10, 100}, seconds: 0.1})
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != 2 {
		t.Fatalf("%d results", len(results))
	}
	for _, r := range results {
		for i, w := range r.ways {
			if len(w.latencies) == 0 || r.ratio(i) <= 0 {
				t.Errorf("%d rows, %s: %d transactions", r.rows, w.name, len(w.latencies))
			}
		}
	}
	for _, want := range []string{"setting up two tables of 100 rows", "in a block", "view/way"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, &out)
		}
	}
	if _, err := runBenchViews(t.Context(), &out, viewsOptions{dsn: server.DSN}); err == nil {
		t.Error("no rows are accepted")
	}
}
