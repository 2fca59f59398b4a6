package exec

import "holdfast/sql/errs"

// Build implements Node.
func (n *MergeJoin) Build(*Builder) (Operator, error) { return nil, errs.Unsupported("MergeJoin") }

// Build implements Node.
func (n *Window) Build(*Builder) (Operator, error) { return nil, errs.Unsupported("Window") }

// Build implements Node.
func (n *Insert) Build(*Builder) (Operator, error) { return nil, errs.Unsupported("Insert") }

// Build implements Node.
func (n *Update) Build(*Builder) (Operator, error) { return nil, errs.Unsupported("Update") }

// Build implements Node.
func (n *Delete) Build(*Builder) (Operator, error) { return nil, errs.Unsupported("Delete") }
