package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"holdfast/compat_tests/testserver"
)

// TestBenchRules runs all parts of the benchmark of rules, small, and their checks of what they left in the tables.
func TestBenchRules(t *testing.T) {
	server := testserver.Start(t)
	o := rulesOptions{dsn: server.DSN, rows: []int{1000, 2000}, rounds: 1, bulkRows: 2000, clients: 4, teams: 3, seconds: 1, maxTries: 50, pid: os.Getpid(), brief: 50 * time.Millisecond}
	wanted := map[string][]string{
		"size":      {"update of the team", "join", "sum"},
		"unrelated": {"delete under a join", "prepared", "simple"},
		"bulk":      {"COPY", "INSERT .. SELECT", "both"},
		"hot":       {"BEGIN .. COMMIT", "no rule", "needless", "goal"},
		"seats":     {"assertion", "changes/s"},
		"budget":    {"assertion", "transactions/s"},
	}
	for _, p := range rulesParts {
		t.Run(p.name, func(t *testing.T) {
			o.parts = []string{p.name}
			var out bytes.Buffer
			if err := runBenchRules(t.Context(), &out, o); err != nil {
				t.Fatalf("%v\n%s", err, &out)
			}
			t.Log(out.String())
			for _, want := range wanted[p.name] {
				if !strings.Contains(out.String(), want) {
					t.Errorf("%q is missing in\n%s", want, &out)
				}
			}
		})
	}
}

// TestBalance: the check of what clients were told notices rows that are missing, and bounds that are broken.
func TestBalance(t *testing.T) {
	server := testserver.Start(t)
	c, err := rulesOptions{dsn: server.DSN}.connectAnew(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	if err := execAll(t.Context(), c, "CREATE TABLE x (n int)", "INSERT INTO x VALUES (1), (2)"); err != nil {
		t.Fatal(err)
	}
	b := balance{}
	b.add(2)
	if err := b.holds(t.Context(), c, "x", "SELECT n FROM x WHERE n > 2"); err != nil {
		t.Error(err)
	}
	if err := b.holds(t.Context(), c, "x", "SELECT n FROM x WHERE n > 1"); err == nil {
		t.Error("a broken bound was not noticed")
	}
	b.add(1)
	if err := b.holds(t.Context(), c, "x", "SELECT n FROM x WHERE n > 2"); err == nil {
		t.Error("a missing row was not noticed")
	}
}
