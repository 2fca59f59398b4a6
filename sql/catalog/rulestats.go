package catalog

import (
	"encoding/binary"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// RuleStats count what the checks of one assertion have done since the server started, or since ResetRuleStats. They are shared by
// all sessions and all states of the schema. What is counted stays counted when a transaction rolls back, as with the scans of a table.
//
// Each change of a table has each check that looks at the table either run or skipped. The fields are adjacent and shared, which costs
// a contended addition where many sessions are under one rule; a check costs a hundred times that.
type RuleStats struct {
	Checks        atomic.Int64 // that had rows to look at, or evaluated the condition in full
	ByValues      atomic.Int64 // skipped: nothing of what it reads has really changed
	ByRows        atomic.Int64 // skipped: each changed row was sorted out by its images alone
	Changed       atomic.Int64 // changed rows that checks were given
	Read          atomic.Int64 // rows and index entries that checks have read in tables
	Nanoseconds   atomic.Int64
	Violations    atomic.Int64 // refused, or, of a rule that is NOT ENFORCED, warned about
	Revalidations atomic.Int64 // checks that were made again, since what the transaction's checks had read was changed, and held

	last atomic.Pointer[RuleViolation]
}

// RuleViolation is the latest violation of an assertion.
type RuleViolation struct {
	Time   time.Time
	Detail string // of its error
}

// Violated counts a violation.
func (r *RuleStats) Violated(detail string) {
	if r != nil {
		r.Violations.Add(1)
		r.last.Store(&RuleViolation{time.Now(), detail})
	}
}

// Last is the latest violation, nil if there was none.
func (r *RuleStats) Last() *RuleViolation { return r.last.Load() }

func (r *RuleStats) reset() {
	for _, n := range []*atomic.Int64{&r.Checks, &r.ByValues, &r.ByRows, &r.Changed, &r.Read, &r.Nanoseconds, &r.Violations, &r.Revalidations} {
		n.Store(0)
	}
	r.last.Store(nil)
}

// SkipReason is why a statement needs no check, as far as that is known when it is planned.
type SkipReason uint8

const (
	SkippedByOperation SkipReason = iota // no statement of its kind can violate the rule
	SkippedByColumns                     // it assigns none of the columns that matter
	skipReasons
)

// SkippedCheck is a check that a statement does not need.
type SkippedCheck struct {
	Assertion OID
	Part      int // which of its checks
	Reason    SkipReason
}

// SkippedChecks count the statements that need none of a list of checks. Plans that skip the same share one, so that a statement pays
// one addition however many checks it skips.
type SkippedChecks struct {
	list     []SkippedCheck
	executed atomic.Int64
}

// Executed counts the execution of a statement.
func (c *SkippedChecks) Executed() { c.executed.Add(1) }

// ruleStatsTable holds the figures of a store.
type ruleStatsTable struct {
	rules   sync.Map // OID to *RuleStats
	mu      sync.Mutex
	skipped map[string]*SkippedChecks // by their lists
	settled map[OID]RuleSkips         // what counters have come to that are no longer in skipped
	since   time.Time                 // the last reset
}

// RuleStats are the figures of an assertion. They exist for any OID; they are nil for a snapshot of no catalog.
func (s *Snapshot) RuleStats(assertion OID) *RuleStats {
	if s.catalog == nil {
		return nil
	}
	t := &s.catalog.ruleStats
	if r, ok := t.rules.Load(assertion); ok {
		return r.(*RuleStats)
	}
	r, _ := t.rules.LoadOrStore(assertion, &RuleStats{})
	return r.(*RuleStats)
}

// SkippedChecks finds the counter of statements that skip these checks; nil if there are none.
func (s *Snapshot) SkippedChecks(list []SkippedCheck) *SkippedChecks {
	if s.catalog == nil || len(list) == 0 {
		return nil
	}
	var key []byte
	for _, c := range list {
		key = binary.BigEndian.AppendUint32(key, uint32(c.Assertion))
		key = binary.BigEndian.AppendUint32(key, uint32(c.Part))
		key = append(key, byte(c.Reason))
	}
	t := &s.catalog.ruleStats
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.skipped[string(key)]
	if c == nil {
		if t.skipped == nil {
			t.skipped = map[string]*SkippedChecks{}
		}
		c = &SkippedChecks{list: list}
		t.skipped[string(key)] = c
	}
	return c
}

// RuleSkips are how often statements were planned not to need the checks of an assertion, by reason.
type RuleSkips [skipReasons]int64

// RuleSkips adds up what was skipped of each assertion, and tells since when.
func (c *Catalog) RuleSkips() (map[OID]RuleSkips, time.Time) {
	t := &c.ruleStats
	t.mu.Lock()
	defer t.mu.Unlock()
	sum := map[OID]RuleSkips{}
	maps.Copy(sum, t.settled)
	for _, s := range t.skipped {
		s.addTo(sum)
	}
	return sum, t.since
}

func (c *SkippedChecks) addTo(sum map[OID]RuleSkips) {
	n := c.executed.Load()
	for _, k := range c.list {
		by := sum[k.Assertion]
		by[k.Reason] += n
		sum[k.Assertion] = by
	}
}

// ForgetRule does away with the figures of an assertion that is dropped, once that is committed. Statements that were planned before and are
// still running count in vain.
func (c *Catalog) ForgetRule(assertion OID) {
	t := &c.ruleStats
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rules.Delete(assertion)
	gone := func(k SkippedCheck) bool {
		_, ok := t.rules.Load(k.Assertion)
		return !ok
	}
	for key, s := range t.skipped {
		if !slices.ContainsFunc(s.list, gone) {
			continue
		}
		// No statement is planned any more that skips this list: what it has counted of other assertions is kept without it.
		if t.settled == nil {
			t.settled = map[OID]RuleSkips{}
		}
		s.addTo(t.settled)
		delete(t.skipped, key)
	}
	maps.DeleteFunc(t.settled, func(oid OID, _ RuleSkips) bool { return gone(SkippedCheck{Assertion: oid}) })
}

// ResetRuleStats sets the figures of all assertions to 0.
func (c *Catalog) ResetRuleStats() {
	t := &c.ruleStats
	t.mu.Lock()
	defer t.mu.Unlock()
	t.since = time.Now()
	t.rules.Range(func(_, r any) bool { r.(*RuleStats).reset(); return true })
	for _, s := range t.skipped {
		s.executed.Store(0)
	}
	t.settled = nil
}
