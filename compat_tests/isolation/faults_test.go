package isolation

import (
	"testing"
	"time"

	"holdfast/compat_tests/testserver"
	"holdfast/kv/faulty"
	"holdfast/planner"
	"holdfast/wire"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// serveFaulty starts a server on a store with a defect.
func serveFaulty(t *testing.T, fault string) string {
	t.Helper()
	store, err := faulty.Open(fault, memory(vfs.NewMem()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Errorf("closing the store: %v", err)
		}
	})
	return testserver.StartOn(t, store, wire.Options{Logger: quiet, DrainTimeout: time.Second}, planner.Config{Logger: quiet}).DSN
}

// TestFaults breaks the server on purpose, in one way at a time, and expects the workload and the checker to notice.
// (That commits are acknowledged before they are on disk shows only when power fails: see TestPowerLossNotices.)
func TestFaults(t *testing.T) {
	for _, fault := range []string{
		"ignore range reads", "ignore existence reads", "release locks before sequencing", "skip validation", "skip validation within a group",
	} {
		t.Run(fault, func(t *testing.T) {
			dsn := serveFaulty(t, fault)
			notice(t, func() *Workload {
				w := fewRows()
				w.Connect = connector(dsn)
				return w
			})
		})
	}
}

// notice runs workloads until one shows a problem. What is random may miss it a few times.
func notice(t *testing.T, workload func() *Workload) {
	t.Helper()
	for range 10 {
		w := workload()
		w.Level, w.Operations = "SERIALIZABLE", 4000
		if found := problems(execute(t, w)); len(found) > 0 {
			t.Logf("noticed: %s", found[0])
			return
		}
	}
	t.Error("nobody notices")
}
