package exec

import (
	"holdfast/kv"
	"holdfast/sql/algebra"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// Changes are the rows that one operation has changed, by table; seldom more than one.
type Changes []*Transition

// Transition is what has been changed in one table. The columns of its buffers are the table's by attribute number - 1, dropped
// ones included, followed by the row key (catalog.RowKeyNumber) and the pair (catalog.PairNumber).
//
// The rows are kept only if a rule will look at them, and of them only the columns it looks at; the counts always are,
// since they tell which rules need no check.
type Transition struct {
	Table *catalog.Table
	Old   *TransitionRows // deleted rows, and old images of updated ones; nil if rows are not kept
	New   *TransitionRows // inserted rows, and new images of updated ones
	// Inserts, Deletes and Updates count rows; Updated are the columns that updates really changed.
	Inserts, Deletes, Updates int
	Updated                   kv.ColumnSet

	// Of each row of Old, which one of New it has become, and the other way round; -1 if it was deleted or inserted.
	oldOther, newOther []int32

	moves []algebra.Move // of each column, for rules: see moved; nil: not looked at

	need []bool // columns that are kept, the others are NULL in the buffers; nil: all
	row  []types.Datum
}

// newTransition makes an empty transition of a table.
func newTransition(t *catalog.Table, keep bool) *Transition {
	c := &Transition{Table: t}
	if keep {
		ts := make([]*types.Type, len(t.Columns)+2)
		for i, col := range t.Columns {
			ts[i] = col.Type
		}
		ts[len(t.Columns)], ts[len(t.Columns)+1] = types.Bytea, types.Bytea
		c.Old, c.New = NewTransitionRows(ts), NewTransitionRows(ts)
	}
	return c
}

// of is the transition of a table, nil if it has not been changed.
func (c Changes) of(table catalog.OID) *Transition {
	for _, t := range c {
		if t.Table.OID == table {
			return t
		}
	}
	return nil
}

// ManyChanges is beyond how many changed rows checks sort them by what they look up for them. Tests lower it.
var ManyChanges = types.BatchRows

// many reports whether so many rows have been changed that it pays to sort them.
func (c Changes) many() bool {
	for _, t := range c {
		if t.Old != nil && t.Old.Len()+t.New.Len() > ManyChanges {
			return true
		}
	}
	return false
}

// add is the transition of a table, made if there is none.
func (c *Changes) add(t *catalog.Table, keep bool) *Transition {
	x := c.of(t.OID)
	if x == nil {
		x = newTransition(t, keep)
		*c = append(*c, x)
	}
	return x
}

func (t *Transition) inserted(row []types.Datum, rowKey string) {
	t.Inserts++
	if t.New != nil {
		t.keep(t.New, row, types.NewString(rowKey), types.Null)
		t.newOther = append(t.newOther, -1)
	}
}

func (t *Transition) deleted(row []types.Datum, rowKey string) {
	t.Deletes++
	if t.Old != nil {
		t.keep(t.Old, row, types.NewString(rowKey), types.Null)
		t.oldOther = append(t.oldOther, -1)
	}
}

func (t *Transition) updated(c *change) {
	t.Updates++
	t.Updated |= c.columns
	if t.Old != nil {
		pair := types.NewString(c.oldKey)
		t.oldOther = append(t.oldOther, int32(t.New.Len()))
		t.newOther = append(t.newOther, int32(t.Old.Len()))
		t.keep(t.Old, c.oldRow, pair, pair)
		t.keep(t.New, c.newRow, types.NewString(c.newKey), pair)
	}
}

func (t *Transition) keep(to *TransitionRows, row []types.Datum, key, pair types.Datum) {
	t.row = append(append(t.row[:0], row...), key, pair)
	for i, needed := range t.need {
		if !needed {
			t.row[i] = types.Null
		}
	}
	to.AppendDatums(t.row)
}

// netOf combines the changes that the operations of a transaction made, in order, into what they amount to: Old are rows
// that were there before and are not now, or are changed, as they were; New are rows that were not there so, as they
// are. Rows have no pairs, and counts are not made; images under one row key are those of one row.
//
// It holds all of the rows in memory, since they are found by their keys: up to mostBytes.
func netOf(ctx *Ctx, list []Changes) (Changes, error) {
	held := int64(0)
	hold := func(row []types.Datum, key string) error {
		held += 2*seenBytes + int64(len(key)+len(row)*40)
		for _, d := range row {
			if !d.IsNull() && d.Rep() == types.RepString {
				held += int64(len(d.Str()))
			}
		}
		if ctx.WorkMem > 0 && held > mostBytes(ctx) {
			return errs.New(errs.ProgramLimitExceeded, "the transaction has changed too many rows for its deferred rules").
				WithDetail("The rows that they look at need more than 16 times work_mem, and more than %d MB.", HeldBytes>>20).
				WithHint("Check what has been changed so far by SET CONSTRAINTS ALL IMMEDIATE between the statements, or raise work_mem.")
		}
		return nil
	}
	type table struct {
		first   *Transition
		removed map[string][]types.Datum // rows of before, by row key
		current map[string][]types.Datum
		order   []string // keys in current, once or more, in the order of their coming
		gone    []string
	}
	var tables []*table
	for _, c := range list {
		for _, t := range c {
			if t.Old == nil {
				continue
			}
			var n *table
			for _, x := range tables {
				if x.first.Table.OID == t.Table.OID {
					n = x
				}
			}
			if n == nil {
				n = &table{first: t, removed: map[string][]types.Datum{}, current: map[string][]types.Datum{}}
				tables = append(tables, n)
			}
			err := each(t.Old, func(row []types.Datum, key string) error {
				if _, ours := n.current[key]; ours {
					delete(n.current, key)
					return nil
				}
				n.removed[key] = row
				n.gone = append(n.gone, key)
				return hold(row, key)
			})
			if err != nil {
				return nil, err
			}
			err = each(t.New, func(row []types.Datum, key string) error {
				n.current[key] = row
				n.order = append(n.order, key)
				return hold(row, key)
			})
			if err != nil {
				return nil, err
			}
		}
	}
	var out Changes
	for _, n := range tables {
		t := newTransition(n.first.Table, true)
		at := map[string]int{}
		for i, key := range n.gone {
			t.Old.AppendDatums(n.removed[key])
			t.oldOther = append(t.oldOther, -1)
			at[key] = i
		}
		for _, key := range n.order {
			row, ok := n.current[key]
			if !ok {
				continue
			}
			other := int32(-1)
			if i, was := at[key]; was {
				other, t.oldOther[i] = int32(i), int32(t.New.Len())
			}
			t.New.AppendDatums(row)
			t.newOther = append(t.newOther, other)
			delete(n.current, key)
		}
		out = append(out, t)
	}
	return out, nil
}

// each calls f with the rows of a transition and their row keys.
func each(rows *TransitionRows, f func(row []types.Datum, key string) error) error {
	r := transitionReader{rows: rows}
	for {
		b, err := r.next(types.BatchRows)
		if b == nil || err != nil {
			return err
		}
		for k := range b.N {
			at := position(b.Rows, k)
			row := make([]types.Datum, len(b.Cols))
			for j, v := range b.Cols {
				row[j] = v.Datum(at)
			}
			if err := f(row, b.Cols[len(b.Cols)-2].S[at]); err != nil {
				return err
			}
		}
	}
}
