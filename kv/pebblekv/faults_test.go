package pebblekv

import (
	"testing"
	"time"

	"holdfast/kv/conformance"
	"holdfast/kv/internal/fault"
)

// linger makes room for others between the release of locks and the commit.
func linger(s fault.Step) {
	if s == fault.StepGathered {
		time.Sleep(100 * time.Microsecond)
	}
}

// gather makes room for many commits to wait for the next group.
func gather(s fault.Step) {
	if s == fault.StepGathered {
		time.Sleep(time.Millisecond)
	}
}

// TestFaults breaks the engine on purpose, in one way at a time, and expects the scenarios of the suite that are
// about it to notice.
func TestFaults(t *testing.T) {
	const (
		histories = "random/concurrent histories"
		compared  = "random/same as the reference"
	)
	for _, c := range []struct {
		name    string
		fault   fault.Set
		noticed []string
	}{
		{"ignore range reads", fault.Set{IgnoreRangeReads: true}, []string{
			"anomaly/write skew on ranges", "anomaly/phantom by insert", "anomaly/phantom by delete", "footprint/reverse scan",
			"refresh/open iterators count", histories, compared,
		}},
		{"ignore existence reads", fault.Set{IgnoreExistenceReads: true}, []string{
			"anomaly/absence of a key", "anomaly/delete and insert again", "footprint/columns of a key",
			"footprint/first present", compared,
		}},
		{"publish before sync", fault.Set{PublishBeforeSync: true}, []string{
			"durability/nothing shows before it is durable", "durability/crash keeps what was seen", "lock/released at sequencing",
		}},
		{"release locks early", fault.Set{ReleaseLocksEarly: true, Step: linger}, []string{"refresh/hot row never fails", "refresh/waiter starts over"}},
		{"skip validation", fault.Set{SkipValidation: true}, []string{
			"anomaly/lost update", "anomaly/write skew on rows", "refresh/fails on a changed read", histories, compared,
		}},
		{"gaps that are written to while they are found", fault.Set{GapsUnchecked: true}, []string{"read/what was removed is passed over"}},
		{"gaps in older states", fault.Set{GapsForAll: true}, []string{"read/what was removed is passed over"}},
		{"gaps that are written to later", fault.Set{KeepGaps: true}, []string{"read/what was removed is passed over"}},
		{"skip validation within a group", fault.Set{SkipGroupValidation: true, Step: gather}, []string{"durability/commits in a group", histories}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, scenario := range c.noticed {
				noticed := false
				for try := 0; try < 5 && !noticed; try++ { // what is random may miss it once
					open := harness(func(o *Options) { o.Fault = c.fault })
					noticed = len(conformance.Failures(open, scenario)) > 0
				}
				if !noticed {
					t.Errorf("%q does not notice", scenario)
				}
			}
		})
	}
}

// TestCoarseConformance runs the suite with an index of recent writes and footprints so small that they cover keys by
// ranges all the time.
func TestCoarseConformance(t *testing.T) {
	open := harness(func(o *Options) { o.RecentKeys, o.FootprintReads = 4, 3 })
	conformance.Run(t, func(t testing.TB) conformance.Harness {
		h := open(t)
		h.Coarse = true
		return h
	})
}
