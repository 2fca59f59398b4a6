package planner

import (
	"context"
	"slices"

	"holdfast/planner/exec"
	"holdfast/sql/ast"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// cursorState is what DECLARE adds to a portal. Its rows are kept as they are read, so that FETCH can go
// backward; position counts rows from 1, 0 is before the first.
type cursorState struct {
	declared             bool // by DECLARE, and not made of a portal of the protocol
	hold, scroll, binary bool
	position             int64
	created              int64 // pg_cursors.creation_time
	failed               bool  // an error among its rows: it cannot be moved any more, only closed
}

// heldRows are rows that a cursor has read.
type heldRows struct {
	base     int64 // rows before these, which were sent and are not kept
	rows     *exec.RowBuffer
	complete bool // up to the last
}

// length is the number of the last row that has been read.
func (h *heldRows) length() int64 { return h.base + int64(h.rows.Len()) }

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
		cursor: &cursorState{declared: true, hold: st.Hold, scroll: !st.NoScroll, binary: st.Binary, created: s.statementTime},
	}
	c.held = &heldRows{rows: exec.NewRowBuffer(batchTypes(pl.columns))}
	s.addPortal(c)
	return out.CommandComplete("DECLARE CURSOR")
}

// readHeld reads what is left of the transaction's cursors WITH HOLD, which outlive it, at its commit. As in PostgreSQL an error among the
// rows is an error of COMMIT, and a cursor that has failed before is closed.
func (s *Session) readHeld(ctx context.Context) error {
	var held []*portal
	for _, c := range s.portals {
		if c.tx == s.tx && c.cursor != nil && c.cursor.hold {
			held = append(held, c)
		}
	}
	slices.SortFunc(held, func(a, b *portal) int { return int(a.step - b.step) })
	for _, c := range held {
		if c.cursor.failed {
			s.closePortal(c.name)
		} else if err := s.readAhead(ctx, c, -1); err != nil {
			return err
		}
	}
	return nil
}

// cursorReads reports whether a cursor of the transaction, or a portal that has rows left, reads a table.
func (s *Session) cursorReads(table catalog.OID) bool {
	for _, p := range s.portals {
		open := p.run != nil || p.cursor != nil && !p.cursor.failed
		if open && p.tx == s.tx && p.plan != nil && slices.ContainsFunc(p.plan.query.Tables, func(t *catalog.Table) bool { return t.OID == table && t.Kind != catalog.KindView }) {
			return true
		}
	}
	return false
}

func batchTypes(cols []ResultColumn) []*types.Type {
	ts := make([]*types.Type, len(cols))
	for i, c := range cols {
		ts[i] = c.Type
	}
	return ts
}

// readAhead reads rows of a cursor until it has n, or all if n is negative. An error other than that of a row newer
// than the snapshot, after which the statement starts over, is the cursor's end.
func (s *Session) readAhead(ctx context.Context, c *portal, n int64) error {
	if c.cursor.failed {
		return errs.New(errs.ObjectNotInPrerequisiteState, `portal "%s" cannot be run`, c.name)
	}
	err := s.readRows(ctx, c, n)
	c.cursor.failed = err != nil && !isStale(err)
	return err
}

// readRows is readAhead of a cursor that has not failed.
func (s *Session) readRows(ctx context.Context, c *portal, n int64) error {
	h := c.held
	if h.complete {
		return nil
	}
	if c.run == nil {
		pl, run, err := s.start(ctx, c.stmt, c.params, s.out)
		if err != nil {
			return err
		}
		c.plan, c.run = pl, run
		if err := skipRows(run, h.length()); err != nil {
			run.Close()
			c.run = nil
			return err
		}
	}
	c.run.Resume(ctx)
	for n < 0 || h.length() < n {
		want := int64(types.BatchRows)
		if n >= 0 {
			want = min(want, n-h.length())
		}
		b, err := c.run.Next(int(want))
		if err != nil {
			c.run.Close()
			c.run = nil
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
	if c == nil || c.cursor == nil && !isQuery(c.stmt.stmt) {
		return errs.New(errs.InvalidCursorName, `cursor "%s" does not exist`, st.Cursor)
	}
	if c.cursor == nil {
		if err := s.makeCursor(ctx, c, out); err != nil {
			return err
		}
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
		if err := c.sendHeld(rows, formats, out); err != nil {
			return err
		}
	}
	return out.CommandComplete(tagged(verb, int64(len(rows))))
}

// sendHeld sends rows by their numbers.
func (c *portal) sendHeld(rows []int64, formats []int16, out Output) error {
	for _, i := range rows {
		b, k := c.held.rows.Row(int(i - c.held.base - 1))
		one := &types.Batch{Rows: types.Rows{N: 1, Sel: []int32{int32(k)}}, Cols: b.Cols}
		if err := out.Rows(c.plan.columns, formats, one); err != nil {
			return err
		}
	}
	return nil
}

// closeCursor is CLOSE. A cursor of an earlier transaction is there again if the present one is run again.
func (s *Session) closeCursor(name string) {
	c := s.portals[name]
	if c.tx == s.tx || c.cursor == nil || !c.cursor.hold {
		s.closePortal(name)
		return
	}
	delete(s.portals, name)
	s.tx.undoSession = append(s.tx.undoSession, func() { s.portals[name] = c })
	s.tx.afterEnd = append(s.tx.afterEnd, func() {
		if s.portals[name] != c {
			c.close()
		}
	})
}

// makeCursor makes a cursor of a portal of the protocol, which FETCH may then move forward.
func (s *Session) makeCursor(ctx context.Context, c *portal, out Output) error {
	if c.tx != s.tx {
		c.restart(s.tx)
	}
	if c.run == nil && !c.done {
		pl, run, err := s.start(ctx, c.stmt, c.params, out)
		if err != nil {
			return err
		}
		c.plan, c.run = pl, run
	}
	c.cursor = &cursorState{position: c.rows, created: s.statementTime}
	c.held = &heldRows{base: c.rows, rows: exec.NewRowBuffer(batchTypes(c.plan.columns)), complete: c.done}
	return nil
}

// runCursor goes on with a cursor as a portal.
func (s *Session) runCursor(ctx context.Context, c *portal, maxRows int64, out Output) error {
	rows, err := s.position(ctx, c, &ast.Fetch{Direction: "forward", Count: maxRows, All: maxRows == 0})
	if err != nil {
		return err
	}
	formats := c.formats
	if c.cursor.binary {
		formats = []int16{1}
	}
	if err := c.sendHeld(rows, formats, out); err != nil {
		return err
	}
	if maxRows > 0 && int64(len(rows)) == maxRows {
		return out.PortalSuspended()
	}
	return out.CommandComplete(c.plan.tag(int64(len(rows))))
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
		length := c.held.length()
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
			target = c.held.length() + 1 + count
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
	length := c.held.length()
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
