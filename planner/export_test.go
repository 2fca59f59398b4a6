package planner

// CountedRules is of how many assertions there are counters of skipped checks.
func (e *Engine) CountedRules() int {
	skips, _ := e.catalog.RuleSkips()
	return len(skips)
}
