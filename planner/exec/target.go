package exec

import (
	"holdfast/planner/exec/rowio"
	"holdfast/sql/algebra"
	"holdfast/sql/catalog"
)

// Target is a table that a statement writes, with what must hold of each row of it. It is part of the plan:
// immutable and shared. In its expressions column n of the table has ColID n.
type Target struct {
	Table *catalog.Table
	Codec *rowio.TableCodec
	// Checks are the CHECK constraints, tested on every new row.
	Checks []RowCheck
	// Indexes has, parallel to Codec.Indexes(), the expressions and predicates of the indexes.
	Indexes []IndexExprs
	// Accumulators are what is kept of its rows for assertions.
	Accumulators []*Accumulator
	// Keep keeps the rows changed, because rules will look at them.
	Keep bool
}

// RowCheck is a CHECK constraint: violated if Cond is false.
type RowCheck struct {
	Constraint *catalog.Constraint
	Cond       algebra.Scalar
}

// IndexExprs are the expressions of an index: one per key column that is not a plain column, and the
// predicate of a partial index, nil otherwise.
type IndexExprs struct {
	Keys      []algebra.Scalar
	Predicate algebra.Scalar
}
