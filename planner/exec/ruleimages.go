package exec

import (
	"holdfast/sql/algebra"
	"holdfast/sql/types"
)

// Most updates of a column that rules are about move it in the direction that none of them minds. The plan of each such rule would
// be started only to find that its scan of the changed rows leaves all of them out (TransitionScan.Differs). A hundred rules
// would start a hundred plans. Instead, the ways in which each column has moved are looked up in what the statement's changes
// amount to, which all rules share.

// differs is a way in which a value has moved, beside those of algebra: in any at all.
const differs algebra.Move = 1 << 7

// movement is how a value has moved; 0: not at all. Values that compare as equal may differ.
func movement(t *types.Type, from, to types.Datum) algebra.Move {
	switch {
	case sameValue(t, from, to):
		return 0
	case from.IsNull():
		return differs | algebra.Appears
	case to.IsNull():
		return differs | algebra.Vanishes
	}
	switch c := types.Compare(t, from, to); {
	case c < 0:
		return differs | algebra.Grows
	case c > 0:
		return differs | algebra.Shrinks
	}
	return differs
}

// matters reports whether a movement of a column is one of those that a scan looks for.
func matters(d algebra.Difference, m algebra.Move) bool {
	return d.Moves == 0 && m != 0 || d.Moves&m != 0
}

// driversOf are the scans of changed rows that rows of a plan come from: where they give none, the plan has none. It is nil if no
// such scans are known, or some do not look at what has moved.
func driversOf(p *Plan) []*TransitionScan {
	var list []*TransitionScan
	var find func(n Node) bool
	find = func(n Node) bool {
		switch n := n.(type) {
		case *TransitionScan:
			list = append(list, n)
			return n.Differs != nil
		case *Filter:
			return find(n.Input)
		case *Project:
			return find(n.Input)
		case *Limit:
			return find(n.Input)
		case *Sort:
			return find(n.Input)
		case *TopK:
			return find(n.Input)
		case *Distinct:
			return find(n.Input)
		case *DistinctOn:
			return find(n.Input)
		case *Accumulated:
			return find(n.Input)
		case *HashAggregate:
			return len(n.Keys) > 0 && find(n.Input)
		case *OrderedAggregate:
			return len(n.Keys) > 0 && find(n.Input)
		case *LookupJoin:
			return find(n.Left)
		case *NestedLoop:
			return n.Kind != algebra.FullJoin && find(n.Left)
		case *HashJoin:
			return n.Kind != algebra.FullJoin && find(n.Left)
		case *MergeJoin:
			return find(n.Left)
		case *Append:
			for _, c := range n.Children {
				if !find(c) {
					return false
				}
			}
			return true
		}
		return false
	}
	if !find(p.Root) {
		return nil
	}
	return list
}

// sortedOut reports whether all changed rows are known to be left out by the plan's scans of them. Few rows are looked at,
// and only if all of them are updated ones: with others, and with many, a plan is as good.
func (r *compiledRule) sortedOut(c Changes) bool {
	for _, n := range r.drivers {
		t := c.of(n.Table.OID)
		if t == nil {
			continue
		}
		if t.Inserts > 0 || t.Deletes > 0 || t.Updates == 0 || t.Old == nil || t.Old.Len() != t.Updates || t.Updates > maxMoved {
			return false
		}
		for _, d := range n.Differs {
			if matters(d, t.moved(d.Number)) {
				return false
			}
		}
	}
	return len(r.drivers) > 0
}

// maxMoved is of how many updated rows the movements are found for all rules together.
const maxMoved = 64

// moved is how the values of a column have moved by the updates, all rows together, all of which are in memory.
func (t *Transition) moved(number int16) algebra.Move {
	if t.moves == nil {
		t.moves = make([]algebra.Move, len(t.Table.Columns))
		for i := range t.moves {
			t.moves[i] = unknownMove
		}
	}
	at := number - 1
	if t.moves[at] != unknownMove {
		return t.moves[at]
	}
	all, typ := algebra.Move(0), t.Table.Columns[at].Type
	for i, other := range t.newOther {
		from, j := t.Old.row(int(other))
		to, k := t.New.row(i)
		if from == nil || to == nil { // it has gone to a file
			return differs | algebra.Grows | algebra.Shrinks | algebra.Appears | algebra.Vanishes
		}
		all |= movement(typ, from.Cols[at].Datum(j), to.Cols[at].Datum(k))
	}
	t.moves[at] = all
	return all
}

// unknownMove is of a column that has not been looked at.
const unknownMove = ^algebra.Move(0)
