package catalog

import (
	"testing"
)

// TestForgetRule: nothing is left of the figures of dropped assertions, and those of others stay what they are.
func TestForgetRule(t *testing.T) {
	c := &Catalog{}
	s := &Snapshot{catalog: c}
	list := func(oids ...OID) (list []SkippedCheck) {
		for _, oid := range oids {
			s.RuleStats(oid)
			list = append(list, SkippedCheck{Assertion: oid, Reason: SkippedByColumns})
		}
		return list
	}
	count := func(n int, of *SkippedChecks) {
		for range n {
			of.Executed()
		}
	}
	want := func(what string, counted map[OID]int64, lists int) {
		t.Helper()
		skips, _ := c.RuleSkips()
		for oid, n := range counted {
			if skips[oid] != (RuleSkips{SkippedByColumns: n}) {
				t.Errorf("%s: %v of assertion %d, want %d", what, skips[oid], oid, n)
			}
		}
		rules := 0
		c.ruleStats.rules.Range(func(_, _ any) bool { rules++; return true })
		if len(skips) != len(counted) || rules != len(counted) || len(c.ruleStats.settled) > len(counted) || len(c.ruleStats.skipped) != lists {
			t.Errorf("%s: figures of %d assertions, %d counts, %d settled, %d lists", what, rules, len(skips), len(c.ruleStats.settled), len(c.ruleStats.skipped))
		}
	}
	count(2, s.SkippedChecks(list(1, 2, 3)))
	count(3, s.SkippedChecks(list(1, 3)))
	count(4, s.SkippedChecks(list(2)))
	want("before", map[OID]int64{1: 5, 2: 6, 3: 5}, 3)
	c.ForgetRule(2)
	want("one less", map[OID]int64{1: 5, 3: 5}, 1)
	count(1, s.SkippedChecks(list(1, 3)))
	count(1, s.SkippedChecks(list(3)))
	want("counted on", map[OID]int64{1: 6, 3: 7}, 2)
	c.ForgetRule(1)
	want("two less", map[OID]int64{3: 7}, 1)
	c.ResetRuleStats()
	want("reset", map[OID]int64{3: 0}, 1)
	c.ForgetRule(3)
	want("none", nil, 0)
}
