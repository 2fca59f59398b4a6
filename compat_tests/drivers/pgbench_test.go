package drivers

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"holdfast/compat_tests/testserver"
)

// TestPgbench initializes pgbench's tables and runs each of its scripts in each of its protocol modes. No
// transaction may fail, and afterwards the balances of the three tables must agree with the history.
func TestPgbench(t *testing.T) {
	if _, err := exec.LookPath("pgbench"); err != nil {
		t.Skip("pgbench is not installed")
	}
	server := testserver.Start(t)
	run := func(t *testing.T, args ...string) string {
		t.Helper()
		command := exec.Command("pgbench", append([]string{"-h", server.Host, "-p", server.Port, "-U", "postgres"}, args...)...)
		command.Args = append(command.Args, "postgres")
		command.Env = append(os.Environ(), "LC_ALL=C")
		out, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("pgbench %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	run(t, "-i", "-s", "1", "-q")
	run(t, "-i", "-s", "1", "-q", "-I", "dtGvpf") // generated on the server, with foreign keys
	failed := regexp.MustCompile(`number of failed transactions: ([0-9]+)`)
	for _, protocol := range []string{"simple", "extended", "prepared"} {
		for _, script := range []string{"tpcb-like", "simple-update", "select-only"} {
			t.Run(protocol+"/"+script, func(t *testing.T) {
				out := run(t, "-n", "-M", protocol, "-b", script, "-c", "4", "-j", "2", "-t", "25")
				m := failed.FindStringSubmatch(out)
				if m == nil || m[1] != "0" || !strings.Contains(out, "100/100") {
					t.Errorf("%s", out)
				}
			})
		}
	}
	conn := connect(t, server, pgx.QueryExecModeSimpleProtocol)
	var accounts, tellers, branches, history, rows int64
	err := conn.QueryRow(context.Background(), `SELECT (SELECT sum(abalance) FROM pgbench_accounts), (SELECT sum(tbalance) FROM pgbench_tellers),
		(SELECT sum(bbalance) FROM pgbench_branches), (SELECT sum(delta) FROM pgbench_history), (SELECT count(*) FROM pgbench_history)`).
		Scan(&accounts, &tellers, &branches, &history, &rows)
	if err != nil {
		t.Fatal(err)
	}
	// tpcb-like and simple-update write the history, in three modes of 100 transactions; the branches and
	// tellers are only changed by the first.
	if accounts != history || tellers != branches || rows != 600 {
		t.Errorf("accounts %d, tellers %d, branches %d, history %d in %d rows", accounts, tellers, branches, history, rows)
	}
}
