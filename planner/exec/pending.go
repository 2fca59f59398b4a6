package exec

import "holdfast/sql/errs"

// Build implements Node.
func (n *MergeJoin) Build(*Builder) (Operator, error) { return nil, errs.Unsupported("MergeJoin") }
