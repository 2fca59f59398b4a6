// Package fault switches on defects of an engine, so that the tests of the transaction layer can show that they
// notice them.
package fault

// Set is the defects of one store. The zero value has none.
type Set struct {
	IgnoreRangeReads     bool // ranges do not go into the footprint: phantoms
	IgnoreExistenceReads bool // reads do not depend on existence, and those of absent keys on nothing
	PublishBeforeSync    bool // new transactions see, and clients are told of, commits not yet on disk
	ReleaseLocksEarly    bool // row locks are released before the commit is validated and its writes are known
	SkipValidation       bool // every commit succeeds
	SkipGroupValidation  bool // commits of one group are not validated against each other
	OverlookSets         bool // values of accumulators are kept although they were written in another way than by deltas
	SkipMarked           bool // commits are not validated against their marked reads
	SkipRequirements     bool // no requirement is tested

	GapsUnchecked bool // ranges are remembered as empty whatever has been written to them since the scan
	GapsForAll    bool // they count as empty in older states too
	KeepGaps      bool // and stay so whatever is written to them later

	// Step, if not nil, is called at each step of a commit, by the goroutine that makes it.
	Step func(Step)
}

// Step is a point in the way of a group of commits.
type Step string

// The steps in their order. Those up to StepReleased of a group come before those of the next group; the
// others may come later.
const (
	StepGathered  Step = "gathered"  // nothing has been done yet
	StepValidated Step = "validated" // the index of recent writes has the group
	StepApplied   Step = "applied"   // it is in the memtable and on its way to the log
	StepNewest    Step = "newest"    // its snapshot is the newest
	StepReleased  Step = "released"  // its locks are free
	StepSynced    Step = "synced"    // it is on disk
	StepPublished Step = "published" // new transactions see it
	StepAnswered  Step = "answered"  // the clients know
)

// The steps of a commit that is made of tables. StepMerged comes before StepGathered, StepReserved takes place of none
// and comes before StepApplied.
const (
	StepMerged   Step = "merged"   // the tables are written and synced
	StepReserved Step = "reserved" // the version, and every earlier commit, is on disk
)

// At calls Step if there is one.
func (s *Set) At(step Step) {
	if s.Step != nil {
		s.Step(step)
	}
}
