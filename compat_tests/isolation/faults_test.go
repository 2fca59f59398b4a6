package isolation

import (
	"errors"
	"testing"

	"holdfast/kv/faulty"
	"holdfast/kv/pebblekv"
	"holdfast/planner"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/jackc/pgx/v5/pgconn"
)

// TestFaults breaks the server on purpose, in one way at a time, and expects the workload and the checker to notice.
// (That commits are acknowledged before they are on disk shows only when power fails: see TestPowerLossNotices.)
func TestFaults(t *testing.T) {
	for _, fault := range []string{
		"ignore range reads", "ignore existence reads", "release locks before sequencing", "skip validation", "skip validation within a group",
	} {
		t.Run(fault, func(t *testing.T) {
			store, err := faulty.Open(fault, memory(vfs.NewMem()))
			if err != nil {
				t.Fatal(err)
			}
			notice(t, serveOn(t, store, planner.Config{}))
		})
	}
}

// notice runs workloads until one shows a problem, in its history or by a statement that fails as none should: a broken
// server may find its own data inconsistent first. What is random may miss it a few times.
func notice(t *testing.T, dsn string) {
	t.Helper()
	for range 10 {
		w := fewRows()
		w.Connect, w.Level, w.Operations = connector(dsn), "SERIALIZABLE", 4000
		r, err := attempt(t, w)
		if refused := new(pgconn.PgError); errors.As(err, &refused) {
			t.Logf("noticed: %v", err)
			return
		} else if err != nil {
			t.Fatalf("seed %d: %v", w.Seed, err)
		}
		if found := problems(r); len(found) > 0 {
			t.Logf("noticed: %s", found[0])
			return
		}
	}
	t.Error("nobody notices")
}

// TestDigestFault: transactions that are run again although their clients have seen something else are found out.
func TestDigestFault(t *testing.T) {
	store, err := pebblekv.Open(memory(vfs.NewMem()))
	if err != nil {
		t.Fatal(err)
	}
	notice(t, serveOn(t, store, planner.Config{Faults: planner.Faults{SkipDigestCompare: true}}))
}
