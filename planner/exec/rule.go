package exec

// Rule is a constraint or assertion as a plan whose rows are violations. It is compiled with the statement
// that may violate it and run at the statement's end over the rows it has changed (TransitionScan), or, if it
// is deferred, over the net change of the transaction at its end.
type Rule struct {
	// Violations finds them; one is enough.
	Violations Node
	// Report makes the error of the first violation, given its row.
	Report func(row []string) error
}
