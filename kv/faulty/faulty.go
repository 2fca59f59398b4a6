// Package faulty opens stores that are broken on purpose, so that the tests of what is built on them can show that
// they notice. It is for tests only.
package faulty

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"holdfast/kv/internal/fault"
	"holdfast/kv/pebblekv"
)

// faults are the defects by name.
var faults = map[string]fault.Set{
	"ignore range reads":     {IgnoreRangeReads: true},
	"ignore existence reads": {IgnoreExistenceReads: true},
	"publish before sync":    {PublishBeforeSync: true},
	// Those who get the lock early need a moment to run into what is not sequenced yet.
	"release locks before sequencing": {ReleaseLocksEarly: true, Step: pause(fault.StepGathered, 100*time.Microsecond)},
	"skip validation":                 {SkipValidation: true},
	"skip marked reads":               {SkipMarked: true},
	// A group of one has nobody to be validated against.
	"skip validation within a group": {SkipGroupValidation: true, Step: pause(fault.StepGathered, time.Millisecond)},
}

// pause makes room for others at a step.
func pause(at fault.Step, d time.Duration) func(fault.Step) {
	return func(s fault.Step) {
		if s == at {
			time.Sleep(d)
		}
	}
}

// Names are the defects there are.
func Names() []string { return slices.Sorted(maps.Keys(faults)) }

// Open opens a store with one defect.
func Open(name string, o pebblekv.Options) (*pebblekv.Store, error) {
	set, ok := faults[name]
	if !ok {
		return nil, fmt.Errorf("there is no fault %q", name)
	}
	o.Fault = set
	return pebblekv.Open(o)
}
