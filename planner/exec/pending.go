package exec

import (
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

func (n *TableScan) Build(b *Builder) (Operator, error)  { return nil, errs.Unsupported("TableScan") }
func (n *IndexScan) Build(b *Builder) (Operator, error)  { return nil, errs.Unsupported("IndexScan") }
func (n *KeyLookup) Build(b *Builder) (Operator, error)  { return nil, errs.Unsupported("KeyLookup") }
func (n *LookupJoin) Build(b *Builder) (Operator, error) { return nil, errs.Unsupported("LookupJoin") }
func (n *HashJoin) Build(b *Builder) (Operator, error)   { return nil, errs.Unsupported("HashJoin") }
func (n *NestedLoop) Build(b *Builder) (Operator, error) { return nil, errs.Unsupported("NestedLoop") }
func (n *MergeJoin) Build(b *Builder) (Operator, error)  { return nil, errs.Unsupported("MergeJoin") }
func (n *Filter) Build(b *Builder) (Operator, error)     { return nil, errs.Unsupported("Filter") }
func (n *Project) Build(b *Builder) (Operator, error)    { return nil, errs.Unsupported("Project") }
func (n *HashAggregate) Build(b *Builder) (Operator, error) {
	return nil, errs.Unsupported("HashAggregate")
}
func (n *OrderedAggregate) Build(b *Builder) (Operator, error) {
	return nil, errs.Unsupported("OrderedAggregate")
}
func (n *Distinct) Build(b *Builder) (Operator, error)   { return nil, errs.Unsupported("Distinct") }
func (n *DistinctOn) Build(b *Builder) (Operator, error) { return nil, errs.Unsupported("DistinctOn") }
func (n *Sort) Build(b *Builder) (Operator, error)       { return nil, errs.Unsupported("Sort") }
func (n *TopK) Build(b *Builder) (Operator, error)       { return nil, errs.Unsupported("TopK") }
func (n *Limit) Build(b *Builder) (Operator, error)      { return nil, errs.Unsupported("Limit") }
func (n *Append) Build(b *Builder) (Operator, error)     { return nil, errs.Unsupported("Append") }
func (n *SetOp) Build(b *Builder) (Operator, error)      { return nil, errs.Unsupported("SetOp") }
func (n *Values) Build(b *Builder) (Operator, error)     { return nil, errs.Unsupported("Values") }
func (n *VirtualScan) Build(b *Builder) (Operator, error) {
	return nil, errs.Unsupported("VirtualScan")
}
func (n *TransitionScan) Build(b *Builder) (Operator, error) {
	return nil, errs.Unsupported("TransitionScan")
}
func (n *CTEScan) Build(b *Builder) (Operator, error)    { return nil, errs.Unsupported("CTEScan") }
func (n *Recurse) Build(b *Builder) (Operator, error)    { return nil, errs.Unsupported("Recurse") }
func (n *FuncScan) Build(b *Builder) (Operator, error)   { return nil, errs.Unsupported("FuncScan") }
func (n *ProjectSet) Build(b *Builder) (Operator, error) { return nil, errs.Unsupported("ProjectSet") }
func (n *Window) Build(b *Builder) (Operator, error)     { return nil, errs.Unsupported("Window") }
func (n *LockRows) Build(b *Builder) (Operator, error)   { return nil, errs.Unsupported("LockRows") }

type cteState struct{}

func (b *Builder) cte(c *CTE) (*cteState, error) { return nil, errs.Unsupported("WITH") }

func (c *cteState) finish(ctx *Ctx) error { return nil }

// Append copies the rows of a batch to the end.
func (r *RowBuffer) Append(b *types.Batch) {}

// AppendRow copies one row of a batch to the end.
func (r *RowBuffer) AppendRow(b *types.Batch, i int) {}

// AppendDatums copies one row to the end.
func (r *RowBuffer) AppendDatums(row []types.Datum) {}

func (n *Insert) Build(b *Builder) (Operator, error) { return nil, errs.Unsupported("Insert") }
func (n *Update) Build(b *Builder) (Operator, error) { return nil, errs.Unsupported("Update") }
func (n *Delete) Build(b *Builder) (Operator, error) { return nil, errs.Unsupported("Delete") }
