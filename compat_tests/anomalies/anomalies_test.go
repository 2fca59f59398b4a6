package anomalies

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"holdfast/compat_tests/testserver"

	"github.com/jackc/pgx/v5"
)

// refusals finds SQLSTATEs in a summary.
var refusals = regexp.MustCompile(`refused \((\w+)\)`)

var record = flag.Bool("record", false, "record the outcomes on Holdfast and on a private PostgreSQL 15, and write the table of docs/isolation.md")

func scripts(t *testing.T) []*script {
	t.Helper()
	files, err := filepath.Glob("scripts/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	var all []*script
	for _, file := range files {
		s, err := readScript(strings.TrimSuffix(filepath.Base(file), ".txt"), file)
		if err != nil {
			t.Fatal(err)
		}
		if s.conditions == nil {
			t.Fatalf("%s does not tell its anomaly", file)
		}
		all = append(all, s)
	}
	return all
}

func startHoldfast(t *testing.T) *server {
	t.Helper()
	return inProcess(testserver.Start(t))
}

func startPostgreSQL(t *testing.T) *server {
	t.Helper()
	dsn := testserver.StartPostgres(t).DSN("postgres")
	watcher, err := pgx.Connect(context.Background(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { watcher.Close(context.Background()) })
	return &server{dsn: dsn, winner: "SET deadlock_timeout = '1h'", loser: "SET deadlock_timeout = '10ms'", waiting: func(ctx context.Context, pids []uint32) (n int, err error) {
		err = watcher.QueryRow(ctx, "SELECT count(*) FROM unnest($1::int[]) AS pid WHERE cardinality(pg_blocking_pids(pid)) > 0", pids).Scan(&n)
		return n, err
	}}
}

func TestAnomalies(t *testing.T) {
	all := scripts(t)
	if *record {
		recordOutcomes(t, all)
		return
	}
	srv := startHoldfast(t)
	for _, s := range all {
		t.Run(s.name, func(t *testing.T) {
			recorded, err := readOutcomes(s.name)
			if err != nil {
				t.Fatal(err)
			}
			z := newSerializer(srv, s)
			for _, level := range levels {
				o, err := srv.judge(t.Context(), holdfast, level, z)
				if err != nil {
					t.Fatal(err)
				}
				check(t, o, recorded[holdfast+", "+level])
			}
		})
	}
}

// check compares an outcome on Holdfast with what serializability demands and with what was recorded.
func check(t *testing.T, o, recorded outcome) {
	t.Helper()
	if o.verdict() != prevented {
		t.Errorf("not serializable: %s", o)
	}
	for _, code := range refusals.FindAllStringSubmatch(o.summary, -1) {
		if code[1] != "40001" && code[1] != "40P01" {
			t.Errorf("refused with %s, which is no conflict: %s", code[1], o)
		}
	}
	if o.String() == recorded.String() {
		return
	}
	now, then := o.refused(), recorded.refused()
	for _, session := range now {
		if !slices.Contains(then, session) {
			t.Errorf("%s was not refused when the outcome was recorded: %snow %s", session, recorded, o)
			return
		}
	}
	switch {
	case len(now) < len(then):
		t.Logf("fewer are refused than recorded, record it anew: %s", o)
	case o.stepsWithout(now) != recorded.stepsWithout(then):
		t.Errorf("recorded: %snow: %s", recorded, o)
	default:
		t.Logf("refused elsewhere than recorded, record it anew: %s", o)
	}
}

func recordOutcomes(t *testing.T, all []*script) {
	outcomes := map[string][]outcome{}
	for _, to := range []struct {
		name   string
		server *server
	}{{postgreSQL, startPostgreSQL(t)}, {holdfast, startHoldfast(t)}} {
		for _, s := range all {
			z := newSerializer(to.server, s)
			for _, level := range levels {
				o, err := to.server.judge(t.Context(), to.name, level, z)
				if err != nil {
					t.Fatalf("%s on %s: %v", s.name, to.name, err)
				}
				outcomes[s.name] = append(outcomes[s.name], o)
			}
		}
	}
	for _, s := range all {
		if err := writeOutcomes(s.name, outcomes[s.name]); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(isolationPage, []byte(pageWithTable(t, all)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// pageWithTable is docs/isolation.md with the table of the records.
func pageWithTable(t *testing.T, all []*script) string {
	t.Helper()
	page, err := os.ReadFile(isolationPage)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := table(all)
	if err != nil {
		t.Fatal(err)
	}
	text, err := replaceTable(string(page), rows)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestTable: docs/isolation.md has the table of the records.
func TestTable(t *testing.T) {
	if *record {
		t.Skip("TestAnomalies writes it")
	}
	all := scripts(t)
	page, err := os.ReadFile(isolationPage)
	if err != nil {
		t.Fatal(err)
	}
	if pageWithTable(t, all) != string(page) {
		t.Errorf("the table of %s is not that of the records: run this test with -record", isolationPage)
	}
	// The scripts are of no use unless weak levels show the anomalies: what PostgreSQL is known for.
	for name, level := range map[string]string{
		"07_lost_update": "READ COMMITTED", "11_fuzzy_read": "READ COMMITTED", "12_phantom_insert": "READ COMMITTED",
		"16_read_skew": "READ COMMITTED", "19_write_skew_rows": "REPEATABLE READ", "20_write_skew_predicate_insert": "REPEATABLE READ",
		"23_read_only_anomaly": "REPEATABLE READ",
	} {
		outcomes, err := readOutcomes(name)
		if err != nil {
			t.Fatal(err)
		}
		if o := outcomes[postgreSQL+", "+level]; o.verdict() != happens {
			t.Errorf("%s: recorded as %q", name, o.summary)
		}
	}
	for _, s := range all {
		outcomes, err := readOutcomes(s.name)
		if err != nil {
			t.Fatal(err)
		}
		if o := outcomes[postgreSQL+", SERIALIZABLE"]; o.verdict() != prevented {
			t.Errorf("%s: recorded as %q", s.name, o.summary)
		}
		weakest, next := outcomes[postgreSQL+", READ UNCOMMITTED"], outcomes[postgreSQL+", READ COMMITTED"]
		if weakest.summary != next.summary || weakest.steps != next.steps {
			t.Errorf("%s: READ UNCOMMITTED needs a column in the table", s.name)
		}
	}
}
