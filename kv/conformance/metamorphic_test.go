package conformance

import (
	"math/rand/v2"
	"regexp"
	"testing"

	"holdfast/kv/memkv"
)

func reference(testing.TB) Harness { return Harness{Store: memkv.New(memkv.Options{Merge: Merge})} }

// TestComparisonSaysSomething makes sure that the random lists of operations reach what they are there to compare.
func TestComparisonSaysSomething(t *testing.T) {
	e := newEnv(t, reference, patience)
	outcomes := []*regexp.Regexp{
		regexp.MustCompile(`commit : kv: conflict`),
		regexp.MustCompile(`commit : ok`),
		regexp.MustCompile(`refresh : kv: conflict`),
		regexp.MustCompile(`refresh : ok`),
		regexp.MustCompile(`lock .* mode .: kv: lock not available`),
		regexp.MustCompile(`update .*: kv: locked key is newer`),
		regexp.MustCompile(`update .*: \d+\.\d+\.\d+ ok`),
		regexp.MustCompile(`step : \w=`),
		regexp.MustCompile(`step : closed`),
		regexp.MustCompile(`retract .*: done`),
		regexp.MustCompile(`commit : of .*: kv: a requirement`),
		regexp.MustCompile(`commit : kv: what was checked`),
		regexp.MustCompile(`recheck : ok`),
		regexp.MustCompile(`refresh : kv: what was checked`),
		regexp.MustCompile(`commit : restarted`),
		regexp.MustCompile(`accumulate .*: ok`),
		regexp.MustCompile(`accumulated .*: "-?\d+" ok`),
		regexp.MustCompile(`many : sets`),
		regexp.MustCompile(`many : observes`),
		regexp.MustCompile(`scan .*: \[.=.* .=`),
	}
	counts := make([]int, len(outcomes))
	const lists = 200
	for seed := range uint64(lists) { // always the same
		trouble, log := e.compare(randomOps(rand.New(rand.NewPCG(seed, 0)), 200))
		if trouble != "" {
			t.Fatal(trouble)
		}
		for _, line := range log {
			for i, o := range outcomes {
				if o.MatchString(line) {
					counts[i]++
				}
			}
		}
	}
	for i, o := range outcomes {
		t.Logf("%v: %d", o, counts[i])
		if counts[i] < lists/20 {
			t.Errorf("%v: only %d times in %d lists", o, counts[i], lists)
		}
	}
}
