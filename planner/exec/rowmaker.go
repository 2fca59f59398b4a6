package exec

import (
	"slices"

	"holdfast/kv"
	"holdfast/planner/exec/rowio"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// rowMaker makes the rows of a table that an outer join has left out, where an UPDATE through a view gives values to their columns.
// Values that are all NULL make none: the view shows NULL already.
type rowMaker struct {
	node   *UpdateTarget
	when   *Expr
	found  *Expr   // a row is there already; nil: never
	values []*Expr // by attribute number - 1; nil: no row can be made

	made map[int]bool // rows of the batch at hand that are made or found
	met  map[int]bool // those that are found
	rows [][]types.Datum
	keys map[string]int // of rows: see key
}

func (b *Builder) rowMaker(t *UpdateTarget, in *Layout) (*rowMaker, error) {
	if !t.Optional {
		return nil, nil
	}
	m := &rowMaker{node: t}
	var err error
	if m.when, err = b.Expr(t.MakeIf, in); err != nil || t.Make == nil {
		return m, err
	}
	if m.found, err = b.optional(t.Found, in); err != nil {
		return nil, err
	}
	m.values = make([]*Expr, len(t.Table.Columns))
	for _, a := range t.Make {
		if m.values[a.Number-1], err = b.Expr(a.Value, in); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *rowMaker) reset() {
	if m != nil {
		m.rows, m.keys = nil, map[string]int{}
	}
}

// makes reports whether a row is made for row i of the batch at hand, or found: the view must show it.
func (m *rowMaker) makes(i int) bool { return m != nil && m.made[i] }

// meets reports whether the row that would be made for row i of the batch at hand is there already.
func (m *rowMaker) meets(i int) bool { return m != nil && m.met[i] }

// compute completes the images of a target: the rows made, and NULL for those that are not there.
func (m *rowMaker) compute(ctx *Ctx, t *updateTarget, in *types.Batch) error {
	m.made, m.met = nil, nil
	missing := types.Rows{Sel: []int32{}}
	have := types.Rows{Sel: []int32{}}
	for k := range in.N {
		i := position(in.Rows, k)
		if in.Cols[t.key].IsNull(i) {
			missing.Sel = append(missing.Sel, int32(i))
		} else {
			have.Sel = append(have.Sel, int32(i))
		}
	}
	if missing.N = len(missing.Sel); missing.N == 0 {
		return nil
	}
	for _, v := range t.rows.Cols {
		for _, i := range missing.Sel {
			v.SetNull(int(i))
		}
	}
	sub := &types.Batch{Rows: missing, Cols: in.Cols}
	made, err := m.when.Filter(ctx, sub)
	if err != nil {
		return err
	}
	if made.N > 0 {
		if m.values == nil {
			return errs.New(errs.FeatureNotSupported, `cannot set columns of table "%s" where an outer join has left out its row`, m.node.Table.Name).
				WithDetail("No row can be made, since a full join leaves out the table.").
				WithHint("Insert the row into the table.")
		}
		m.made = map[int]bool{}
		sub.Rows = types.Rows{N: made.N, Sel: slices.Clone(positions(made))}
		for j, e := range m.values {
			if e == nil {
				continue
			}
			v, err := e.Eval(ctx, sub)
			if err != nil {
				return err
			}
			for _, i := range sub.Rows.Sel {
				t.rows.Cols[j].Set(int(i), v.Datum(int(i)))
			}
		}
		if m.found != nil {
			m.met = map[int]bool{}
			v, err := m.found.Eval(ctx, sub)
			if err != nil {
				return err
			}
			for _, i := range sub.Rows.Sel {
				if !v.IsNull(int(i)) && v.Datum(int(i)).Bool() {
					m.met[int(i)] = true
				}
			}
		}
		last := t.rows.Cols[len(t.rows.Cols)-1]
		for _, i := range sub.Rows.Sel {
			last.Set(int(i), types.NewInt(int64(m.node.Table.OID)))
			if m.made[int(i)] = true; m.met[int(i)] {
				continue
			}
			for _, n := range m.node.Joined {
				if t.rows.Cols[n-1].IsNull(int(i)) {
					return errs.New(errs.WithCheckOptionViolation, `cannot set columns of table "%s" where an outer join has left out its row`, m.node.Table.Name).
						WithDetail(`The row that would be made has NULL in column "%s", by which the outer join looks for it.`, m.node.Table.Columns[n-1].Name).
						WithHint("Set the column that it is compared with first.")
				}
			}
			have.Sel = append(have.Sel, i)
		}
	}
	slices.Sort(have.Sel)
	have.N = len(have.Sel)
	t.have = have
	return nil
}

func positions(rows types.Rows) []int32 {
	if rows.Sel != nil {
		return rows.Sel[:rows.N]
	}
	all := make([]int32, rows.N)
	for i := range all {
		all[i] = int32(i)
	}
	return all
}

// key is what rows that are one have in common, "" if they are all different.
func (m *rowMaker) key(w *rowWriter, row []types.Datum) string {
	if m.node.Unique == nil {
		if w.codec.KeyColumns() == nil {
			return ""
		}
		return string(w.codec.AppendRowKey(nil, row))
	}
	var key []byte
	for _, n := range m.node.Unique {
		if row[n-1].IsNull() {
			return ""
		}
		key = appendGroupKey(key, m.node.Table.Columns[n-1].Type, row[n-1])
	}
	return string(key)
}

// make keeps the row made for row i of the batch at hand. Rows of the view that make one row must agree.
func (o *updateOp) make(ctx *Ctx, t *updateTarget, i int) error {
	m := t.maker
	if !m.makes(i) || m.meets(i) {
		return nil
	}
	row := batchRow(t.rows, i)
	if key := m.key(t.writer, row); key != "" {
		if at, ok := m.keys[key]; ok {
			for j, c := range t.writer.table.Columns {
				if m.node.Unique != nil && !slices.Contains(m.node.Given, c.Number) {
					t.rows.Cols[j].Set(i, m.rows[at][j])
				} else if !sameShown(c.Type, m.rows[at][j], row[j]) {
					return o.differently(t)
				}
			}
			return nil
		}
		m.keys[key] = len(m.rows)
	}
	m.rows = append(m.rows, row)
	return nil
}

// write inserts the rows made.
func (m *rowMaker) write(ctx *Ctx, w *rowWriter) error {
	if m == nil || len(m.rows) == 0 {
		return nil
	}
	keys := make([]string, len(m.rows))
	var locks [][]byte
	for i, row := range m.rows {
		if w.codec.KeyColumns() != nil {
			keys[i] = string(w.codec.AppendRowKey(nil, row))
		} else {
			n, err := ctx.RowNumbers(ctx, 1)
			if err != nil {
				return ctx.Error(err)
			}
			keys[i] = string(rowio.AppendRowNumber(nil, n))
		}
		var err error
		if locks, err = w.lockKeys(ctx, locks, row, keys[i]); err != nil {
			return err
		}
	}
	if err := w.lock(ctx, locks, kv.LockUpdate, whileInserting); err != nil {
		return err
	}
	for i, row := range m.rows {
		if err := w.put(ctx, row, keys[i]); err != nil {
			return err
		}
	}
	return nil
}
