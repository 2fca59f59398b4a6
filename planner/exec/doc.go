// Package exec is the physical plan and the operators that run it on column batches.
//
//	algebra.Query --optimizer--> Plan (tree of Nodes, immutable, shared by executions)
//	Plan --Start--> Run (tree of Operators, taken from the plan's pool) --Next--> batches
//
// A Node says what to do; an Operator does it for one execution at a time and is used again by later ones,
// with all its vectors and compiled expressions, so that a repeated statement allocates little.
//
// Columns are known by algebra.ColID up to the moment of Build, which turns them into positions. A ColID that
// an expression uses and its input does not produce is an outer column: a cell that the operator to whose
// input it belongs (NestedLoop, SubPlan) sets before it starts the dependent tree over. So correlation needs no
// declaration in the plan; see FreeColumns.
//
// How rows and index entries lie in kv is the matter of planner/exec/rowio.
package exec
