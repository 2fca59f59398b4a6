// Package conformance is the test suite of kv.Store: what every implementation must do, in small scenarios
// with one expectation each, in random histories of concurrent transactions that are searched for anomalies,
// and in random interleavings that are compared step by step with the reference, kv/memkv.
//
// An engine's test calls Run with a function that opens an empty store. What an engine can do for its tests
// beyond kv.Store (pausing durability, crashing) goes into the Harness; scenarios that need what is missing
// are skipped.
package conformance

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/kv"
)

// Harness is a store under test and what the test can do to it.
type Harness struct {
	// Store is open and empty, and adds up accumulators with Merge. The suite closes it.
	Store kv.Store

	// Reopen opens the store again after the suite has closed it. nil if it keeps nothing.
	Reopen func(t testing.TB) kv.Store

	// Crash ends the store like a power failure: without closing it, and with everything lost that was not
	// durable. It returns the store as it comes up again. nil if that cannot be done.
	Crash func(t testing.TB) kv.Store

	// PauseSync lets commits be sequenced but not become durable until resume is called. Commits that have
	// been answered before are durable. nil if that cannot be done.
	PauseSync func() (resume func())

	// Waiters is the number of Lock calls that wait for key. Without it the suite has to guess by time.
	Waiters func(key []byte) int

	// Coarse tells that this store may report conflicts that are none: a read and a write that share no
	// key, or share one but no columns. That is allowed where an engine's index of recent writes has
	// outgrown its bound and covers keys by ranges. Everything else is still required of it: no conflict
	// may be missed, and a transaction without writes never conflicts. Run the suite with the default
	// bound and Coarse unset, and with a tiny bound and Coarse set.
	Coarse bool
}

// scenario is one test of the suite.
type scenario struct {
	name string
	run  func(e *env)
}

// scenarios lists the suite, theme by theme.
func scenarios() []scenario {
	var all []scenario
	for _, theme := range [][]scenario{
		readScenarios, anomalyScenarios, footprintScenarios, refreshScenarios, restartScenarios, recheckScenarios, accumulateScenarios, lockScenarios,
		durabilityScenarios, limitScenarios, randomScenarios,
	} {
		all = append(all, theme...)
	}
	return all
}

// Run tests the stores that open returns, each scenario with its own.
func Run(t *testing.T, open func(t testing.TB) Harness) {
	for _, s := range scenarios() {
		t.Run(s.name, func(t *testing.T) { s.run(newEnv(t, open, patience)) })
	}
}

// Failures runs the scenarios whose names begin with one of the prefixes (all if there are none) and returns
// what they reported, by scenario. It is for tests that break a store on purpose and expect the suite to
// notice.
func Failures(open func(t testing.TB) Harness, prefixes ...string) map[string][]string {
	return failures(open, impatience, prefixes...)
}

func failures(open func(t testing.TB) Harness, limit time.Duration, prefixes ...string) map[string][]string {
	failures := map[string][]string{}
	for _, s := range scenarios() {
		wanted := len(prefixes) == 0
		for _, p := range prefixes {
			wanted = wanted || strings.HasPrefix(s.name, p)
		}
		if !wanted {
			continue
		}
		r := &recorder{name: s.name}
		r.do(func() { s.run(newEnv(r, open, limit)) })
		if len(r.failures) > 0 {
			failures[s.name] = r.failures
		}
	}
	return failures
}

// recorder is a testing.TB that keeps failures to itself.
type recorder struct {
	testing.TB // only for its private method
	name       string

	mu       sync.Mutex
	failures []string
	cleanups []func()
}

// do runs f as a test would be run, and then the cleanups.
func (r *recorder) do(f func()) {
	run := func(f func()) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer func() {
				if p := recover(); p != nil {
					r.Errorf("panic: %v", p)
				}
			}()
			f()
		}()
		<-done
	}
	run(f)
	for len(r.cleanups) > 0 {
		last := r.cleanups[len(r.cleanups)-1]
		r.cleanups = r.cleanups[:len(r.cleanups)-1]
		run(last)
	}
}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.failures) > 0
}

func (r *recorder) Cleanup(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cleanups = append(r.cleanups, f)
}

func (r *recorder) Error(args ...any)            { r.Errorf("%s", fmt.Sprint(args...)) }
func (r *recorder) Fail()                        { r.Errorf("failed") }
func (r *recorder) FailNow()                     { r.Fail(); runtime.Goexit() }
func (r *recorder) Fatal(args ...any)            { r.Error(args...); runtime.Goexit() }
func (r *recorder) Fatalf(f string, args ...any) { r.Errorf(f, args...); runtime.Goexit() }
func (r *recorder) Helper()                      {}
func (r *recorder) Log(...any)                   {}
func (r *recorder) Logf(string, ...any)          {}
func (r *recorder) Name() string                 { return r.name }
func (r *recorder) Skip(...any)                  { runtime.Goexit() }
func (r *recorder) SkipNow()                     { runtime.Goexit() }
func (r *recorder) Skipf(string, ...any)         { runtime.Goexit() }
