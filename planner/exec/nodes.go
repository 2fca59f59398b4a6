package exec

import (
	"holdfast/sql/algebra"
)

// What the nodes consist of: the methods that FreeColumns, EXPLAIN and rewrites go by.

func (n *TableScan) Inputs() []Node        { return nil }
func (n *IndexScan) Inputs() []Node        { return nil }
func (n *KeyLookup) Inputs() []Node        { return nil }
func (n *LookupJoin) Inputs() []Node       { return []Node{n.Left} }
func (n *HashJoin) Inputs() []Node         { return []Node{n.Left, n.Right} }
func (n *NestedLoop) Inputs() []Node       { return []Node{n.Left, n.Right} }
func (n *MergeJoin) Inputs() []Node        { return []Node{n.Left, n.Right} }
func (n *Filter) Inputs() []Node           { return []Node{n.Input} }
func (n *Project) Inputs() []Node          { return []Node{n.Input} }
func (n *HashAggregate) Inputs() []Node    { return []Node{n.Input} }
func (n *OrderedAggregate) Inputs() []Node { return []Node{n.Input} }
func (n *Distinct) Inputs() []Node         { return []Node{n.Input} }
func (n *DistinctOn) Inputs() []Node       { return []Node{n.Input} }
func (n *Sort) Inputs() []Node             { return []Node{n.Input} }
func (n *TopK) Inputs() []Node             { return []Node{n.Input} }
func (n *Limit) Inputs() []Node            { return []Node{n.Input} }
func (n *Append) Inputs() []Node           { return n.Children }
func (n *SetOp) Inputs() []Node            { return []Node{n.Left, n.Right} }
func (n *Values) Inputs() []Node           { return nil }
func (n *VirtualScan) Inputs() []Node      { return nil }
func (n *TransitionScan) Inputs() []Node   { return nil }
func (n *CTEScan) Inputs() []Node          { return nil }
func (n *Recurse) Inputs() []Node          { return []Node{n.Base, n.Step} }
func (n *FuncScan) Inputs() []Node         { return nil }
func (n *ProjectSet) Inputs() []Node       { return []Node{n.Input} }
func (n *Window) Inputs() []Node           { return []Node{n.Input} }
func (n *LockRows) Inputs() []Node         { return []Node{n.Input} }

func (a *Access) columns() []algebra.ColID { return scanColumns(a.Columns) }

func scanColumns(cols []algebra.ScanColumn) []algebra.ColID {
	ids := make([]algebra.ColID, len(cols))
	for i, c := range cols {
		ids[i] = c.ID
	}
	return ids
}

// Makes implements Maker.
func (n *TableScan) Makes() []algebra.ColID      { return n.columns() }
func (n *IndexScan) Makes() []algebra.ColID      { return n.columns() }
func (n *KeyLookup) Makes() []algebra.ColID      { return n.columns() }
func (n *LookupJoin) Makes() []algebra.ColID     { return n.columns() }
func (n *VirtualScan) Makes() []algebra.ColID    { return n.Cols }
func (n *TransitionScan) Makes() []algebra.ColID { return n.Cols }
func (n *CTEScan) Makes() []algebra.ColID        { return n.Cols }
func (n *FuncScan) Makes() []algebra.ColID       { return n.Cols }

// Scalars of scans are those of the bounds, then the filter.
func (n *TableScan) Scalars() []algebra.Scalar { return n.Bounds.scalars(some(n.Filter)) }
func (n *IndexScan) Scalars() []algebra.Scalar { return n.Bounds.scalars(some(n.Filter)) }
func (n *KeyLookup) Scalars() []algebra.Scalar {
	return some(append(n.Key[:len(n.Key):len(n.Key)], n.Filter)...)
}
func (n *LookupJoin) Scalars() []algebra.Scalar {
	return n.Bounds.scalars(some(n.Filter, n.On))
}
func (n *HashJoin) Scalars() []algebra.Scalar {
	return some(append(append(append([]algebra.Scalar{}, n.LeftKeys...), n.RightKeys...), n.On)...)
}
func (n *NestedLoop) Scalars() []algebra.Scalar       { return some(n.On) }
func (n *MergeJoin) Scalars() []algebra.Scalar        { return some(n.On) }
func (n *Filter) Scalars() []algebra.Scalar           { return some(n.Cond) }
func (n *Project) Scalars() []algebra.Scalar          { return itemScalars(n.Items) }
func (n *HashAggregate) Scalars() []algebra.Scalar    { return aggScalars(n.Aggs) }
func (n *OrderedAggregate) Scalars() []algebra.Scalar { return aggScalars(n.Aggs) }
func (n *Distinct) Scalars() []algebra.Scalar         { return nil }
func (n *DistinctOn) Scalars() []algebra.Scalar       { return nil }
func (n *Sort) Scalars() []algebra.Scalar             { return nil }
func (n *TopK) Scalars() []algebra.Scalar             { return some(n.Count, n.Offset) }
func (n *Limit) Scalars() []algebra.Scalar            { return some(n.Count, n.Offset) }
func (n *Append) Scalars() []algebra.Scalar           { return nil }
func (n *SetOp) Scalars() []algebra.Scalar            { return nil }
func (n *TransitionScan) Scalars() []algebra.Scalar   { return some(n.Inserted, n.Deleted, n.Filter) }
func (n *CTEScan) Scalars() []algebra.Scalar          { return some(n.Filter) }
func (n *Recurse) Scalars() []algebra.Scalar          { return nil }
func (n *ProjectSet) Scalars() []algebra.Scalar       { return itemScalars(n.Items) }
func (n *LockRows) Scalars() []algebra.Scalar         { return nil }

func (n *Values) Scalars() (list []algebra.Scalar) {
	for _, row := range n.Values {
		list = append(list, row...)
	}
	return list
}

func (n *VirtualScan) Scalars() (list []algebra.Scalar) {
	for _, m := range n.Pushed {
		list = m.scalars(list)
	}
	return append(list, some(n.Filter)...)
}

func (n *FuncScan) Scalars() (list []algebra.Scalar) {
	for _, c := range n.Calls {
		list = append(list, c.Call)
	}
	return append(list, some(n.Filter)...)
}

func (n *Window) Scalars() (list []algebra.Scalar) {
	for i := range n.Funcs {
		f := &n.Funcs[i]
		list = append(append(list, f.Args...), some(f.Filter, f.Frame.StartOffset, f.Frame.EndOffset)...)
	}
	return list
}

// scalars are all expressions of the bounds, followed by rest. nil bounds have none.
func (b *Bounds) scalars(rest []algebra.Scalar) (list []algebra.Scalar) {
	if b == nil {
		return rest
	}
	for _, m := range b.Prefix {
		list = m.scalars(list)
	}
	if b.Lower != nil {
		list = append(list, b.Lower.Values...)
	}
	if b.Upper != nil {
		list = append(list, b.Upper.Values...)
	}
	return append(list, rest...)
}

func (m *KeyMatch) scalars(list []algebra.Scalar) []algebra.Scalar {
	return append(append(list, m.Values...), some(m.Array)...)
}

// some are those that are not nil.
func some(list ...algebra.Scalar) (there []algebra.Scalar) {
	for _, s := range list {
		if s != nil {
			there = append(there, s)
		}
	}
	return there
}

func itemScalars(items []algebra.Item) []algebra.Scalar {
	list := make([]algebra.Scalar, len(items))
	for i := range items {
		list[i] = items[i].Expr
	}
	return list
}

func aggScalars(aggs []algebra.Agg) (list []algebra.Scalar) {
	for i := range aggs {
		a := &aggs[i]
		list = append(append(append(list, a.Args...), a.OrderArgs...), some(a.Filter)...)
	}
	return list
}
