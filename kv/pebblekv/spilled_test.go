package pebblekv

import (
	"testing"

	"holdfast/kv/conformance"
)

// TestSpillingConformance runs the suite with transactions whose writes go to files almost at once. They are
// committed as batches, since scenarios hold up the sync of the log and expect commits to be sequenced meanwhile.
func TestSpillingConformance(t *testing.T) {
	for _, c := range []struct {
		name  string
		bytes int64
	}{
		{"each write", 1},
		{"some writes", 60},
	} {
		t.Run(c.name, func(t *testing.T) {
			conformance.Run(t, harness(func(o *Options) { o.SpillBytes, o.ingestBytes = c.bytes, 1<<40 }))
		})
	}
}

// TestIngestingConformance is the same with commits made of tables, where the sync of the log cannot be held up: the
// sequencer waits for it.
func TestIngestingConformance(t *testing.T) {
	open := harness(func(o *Options) { o.SpillBytes = 30 })
	conformance.Run(t, func(t testing.TB) conformance.Harness {
		h := open(t)
		h.PauseSync = nil
		return h
	})
}
