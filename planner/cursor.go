package planner

import (
	"context"

	"holdfast/planner/exec"
	"holdfast/sql/ast"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// cursorState is what DECLARE adds to a portal. Its rows are kept as they are read, so that FETCH can go
// backward; position counts rows from 1, 0 is before the first.
type cursorState struct {
	hold, scroll, binary bool
	position             int64
	created              int64 // pg_cursors.creation_time
}

// heldRows are rows that a cursor has read.
type heldRows struct {
	rows     *exec.RowBuffer
	complete bool // all of them
}

func (h *heldRows) close() { h.rows = nil }

// declare is DECLARE CURSOR.
func (s *Session) declare(ctx context.Context, p *prepared, st *ast.DeclareCursor, params []types.Datum, out Output) error {
	if !st.Hold && !s.tx.explicit {
		return errs.New(errs.NoActiveSQLTransaction, "DECLARE CURSOR can only be used in transaction blocks")
	}
	if s.portals[st.Name] != nil {
		return errs.New(errs.DuplicateCursor, `cursor "%s" already exists`, st.Name)
	}
	q := &prepared{text: p.text, whole: p.whole, stmt: st.Query, declared: p.declared, simple: p.simple, sql: true}
	pl, run, err := s.start(ctx, q, params, out)
	if err != nil {
		return err
	}
	c := &portal{
		name: st.Name, stmt: q, params: params, tx: s.tx, plan: pl, run: run,
		cursor: &cursorState{hold: st.Hold, scroll: !st.NoScroll, binary: st.Binary, created: s.statementTime},
	}
	c.held = &heldRows{rows: exec.NewRowBuffer(batchTypes(pl.columns))}
	if st.Hold {
		// The rows outlive the transaction, so they are read now: its snapshot is still open.
		if err := s.readAhead(ctx, c, -1); err != nil {
			run.Close()
			return err
		}
	}
	s.addPortal(c)
	return out.CommandComplete("DECLARE CURSOR")
}

func batchTypes(cols []ResultColumn) []*types.Type {
	ts := make([]*types.Type, len(cols))
	for i, c := range cols {
		ts[i] = c.Type
	}
	return ts
}

// readAhead reads rows of a cursor until it has n, or all if n is negative.
func (s *Session) readAhead(ctx context.Context, c *portal, n int64) error {
	h := c.held
	if h.complete {
		return nil
	}
	c.run.Resume(ctx)
	for n < 0 || int64(h.rows.Len()) < n {
		want := int64(types.BatchRows)
		if n >= 0 {
			want = min(want, n-int64(h.rows.Len()))
		}
		b, err := c.run.Next(int(want))
		if err != nil {
			return err
		}
		if b == nil {
			h.complete = true
			c.run.Close()
			c.run = nil
			return nil
		}
		h.rows.Append(b)
		if s.settings.workMem > 0 && h.rows.Bytes() > 16*s.settings.workMem {
			return errs.New(errs.OutOfMemory, `cursor "%s" holds more rows than 16 times work_mem`, c.name).
				WithHint("Raise work_mem, or fetch through the protocol's row limits, which keep no rows.")
		}
	}
	return nil
}

// fetch is FETCH and MOVE.
func (s *Session) fetch(ctx context.Context, p *prepared, st *ast.Fetch, formats []int16, out Output) error {
	c := s.portals[st.Cursor]
	if c == nil || c.cursor == nil {
		return errs.New(errs.InvalidCursorName, `cursor "%s" does not exist`, st.Cursor)
	}
	if cur, position := c.cursor, c.cursor.position; c.tx != s.tx {
		s.tx.undoSession = append(s.tx.undoSession, func() { cur.position = position })
	}
	rows, err := s.position(ctx, c, st)
	if err != nil {
		return err
	}
	verb := "FETCH"
	if st.Move {
		verb = "MOVE"
	} else {
		if c.cursor.binary && formats == nil {
			formats = []int16{1}
		}
		for _, i := range rows {
			b, k := c.held.rows.Row(int(i - 1))
			one := &types.Batch{Rows: types.Rows{N: 1, Sel: []int32{int32(k)}}, Cols: b.Cols}
			if err := out.Rows(c.plan.columns, formats, one); err != nil {
				return err
			}
		}
	}
	return out.CommandComplete(tagged(verb, int64(len(rows))))
}

// position moves a cursor and returns the numbers of the rows it passes, in order.
func (s *Session) position(ctx context.Context, c *portal, st *ast.Fetch) ([]int64, error) {
	cur := c.cursor
	backward := st.Direction == "backward"
	count := st.Count
	if (st.Direction == "forward" || backward) && count < 0 {
		backward, count = !backward, -count
	}
	noScroll := func() error {
		if cur.scroll {
			return nil
		}
		return errs.New(errs.ObjectNotInPrerequisiteState, "cursor can only scan forward").
			WithHint("Declare it with SCROLL option to enable backward scan.")
	}
	var rows []int64
	single := func(target int64) error {
		if target < cur.position {
			if err := noScroll(); err != nil {
				return err
			}
		}
		n := target
		if target < 0 {
			n = -1
		}
		if err := s.readAhead(ctx, c, n); err != nil {
			return err
		}
		length := int64(c.held.rows.Len())
		switch {
		case target <= 0:
			cur.position = 0
		case target > length:
			cur.position = length + 1
		default:
			cur.position = target
			rows = append(rows, target)
		}
		return nil
	}
	switch st.Direction {
	case "absolute":
		target := count
		if target < 0 {
			if err := s.readAhead(ctx, c, -1); err != nil {
				return nil, err
			}
			target = int64(c.held.rows.Len()) + 1 + count
			if target < 0 {
				target = 0
			}
		}
		return passed(&rows, single(target))
	case "relative":
		return passed(&rows, single(cur.position+count))
	}
	if !st.All && count == 0 {
		return passed(&rows, single(cur.position))
	}
	if backward {
		if err := noScroll(); err != nil {
			return nil, err
		}
		for cur.position > 0 && (st.All || count > 0) {
			cur.position--
			if cur.position > 0 {
				rows = append(rows, cur.position)
			}
			count--
		}
		return rows, nil
	}
	target := int64(-1)
	if !st.All {
		target = cur.position + count
	}
	if err := s.readAhead(ctx, c, target); err != nil {
		return nil, err
	}
	length := int64(c.held.rows.Len())
	for cur.position <= length && (st.All || count > 0) {
		cur.position++
		if cur.position <= length {
			rows = append(rows, cur.position)
		}
		count--
	}
	return rows, nil
}

// passed returns the rows that a move has collected, unless it failed.
func passed(rows *[]int64, err error) ([]int64, error) { return *rows, err }
