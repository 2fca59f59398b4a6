package planner

import (
	"context"
	"errors"

	"holdfast/planner/exec"
	"holdfast/sql/ast"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// portal is a statement bound to its parameters, and how far it has been run.
type portal struct {
	name    string
	step    int64 // of the transaction (transaction.stepsDone) in or after which it was made; 0 if it is of an earlier one
	stmt    *prepared
	params  []types.Datum
	formats []int16
	cursor  *cursorState // set if DECLARE made it

	tx   *transaction // the transaction it was run in
	run  *exec.Run    // of a query that has rows left
	plan *plan
	rows int64 // sent so far
	size int64 // of the parameters, in bytes
	done bool
	// failed: it has ended with an error, and a savepoint was gone back to since.
	failed bool
	// held are the rows of a portal that outlives its transaction or was read ahead.
	held *heldRows
}

// Bind makes a portal of a prepared statement.
func (s *Session) Bind(name, statement string, formats []int16, values [][]byte, resultFormats []int16) error {
	p, err := s.statement(statement)
	if err != nil {
		return err
	}
	if err := s.checkFailed(p.stmt); err != nil {
		return err
	}
	if old := s.portals[name]; old != nil {
		if name != "" {
			return errs.New(errs.DuplicateCursor, `cursor "%s" already exists`, name)
		}
		s.closePortal(name)
	}
	if p.plan != nil && !s.plannedForNext(p) {
		if _, err := s.planned(context.Background(), p); err != nil {
			return err
		}
	}
	if len(formats) > 1 && len(formats) != len(values) {
		return errs.New(errs.ProtocolViolation, "bind message has %d parameter formats but %d parameters", len(formats), len(values))
	}
	if len(values) != len(p.params) {
		return errs.New(errs.ProtocolViolation, `bind message supplies %d parameters, but prepared statement "%s" requires %d`, len(values), statement, len(p.params))
	}
	if n := len(resultFormats); n > 1 && n != len(p.columns) {
		return errs.New(errs.ProtocolViolation, "bind message has %d result formats but query has %d columns", n, len(p.columns))
	}
	params := make([]types.Datum, len(values))
	size := int64(0)
	env := &s.settings.env
	for i, v := range values {
		size += 16 + int64(len(v))
		if v == nil {
			continue
		}
		format := int16(0)
		switch {
		case len(formats) == 1:
			format = formats[0]
		case len(formats) > 1:
			format = formats[i]
		}
		var err error
		switch format {
		case 0:
			text := string(v)
			if err = types.CheckText(text); err == nil {
				params[i], err = types.ParseText(p.params[i], types.NoTypmod, text, env)
			}
		case 1:
			params[i], err = types.ParseBinary(p.params[i], types.NoTypmod, v)
			if e := (*errs.Error)(nil); errors.As(err, &e) && e.Message == "incorrect binary data format" {
				err = errs.New(e.Code, "incorrect binary data format in bind parameter %d", i+1)
			}
		default:
			err = errs.New(errs.InvalidParameterValue, "unsupported format code: %d", format)
		}
		if err != nil {
			e := errs.As(err)
			if e.Where == "" {
				where := *e
				where.Where = portalParameter(name, i)
				if format == 0 && e.Code != errs.CharacterNotInRepertoire {
					where.Where += " = '...'"
				}
				return &where
			}
			return err
		}
	}
	for _, f := range resultFormats {
		if f != 0 && f != 1 {
			return errs.New(errs.InvalidParameterValue, "unsupported format code: %d", f)
		}
	}
	s.addPortal(&portal{name: name, stmt: p, params: params, size: size, formats: append([]int16(nil), resultFormats...)})
	return nil
}

func (s *Session) addPortal(p *portal) {
	if s.tx != nil {
		p.step = s.tx.stepsDone
	}
	s.portals[p.name] = p
}

func portalParameter(name string, i int) string {
	if name == "" {
		return "unnamed portal parameter $" + itoa(i+1)
	}
	return `portal "` + name + `" parameter $` + itoa(i+1)
}

// DescribePortal returns the result columns of a portal, nil if it returns no rows, and their formats.
func (s *Session) DescribePortal(name string) ([]ResultColumn, []int16, error) {
	p := s.portals[name]
	if p == nil {
		return nil, nil, errs.New(errs.InvalidCursorName, `portal "%s" does not exist`, name)
	}
	return p.stmt.columns, p.formats, nil
}

// ClosePortal forgets a portal as the client asks for it; there need not be one. For a cursor of DECLARE, which a
// transaction that is run again declares again, it is a step of the transaction.
func (s *Session) ClosePortal(name string, out Output) {
	if p := s.portals[name]; p == nil || p.cursor == nil || !p.cursor.declared || s.tx == nil {
		s.closePortal(name)
		return
	}
	_ = s.control(out, func() error {
		if s.portals[name] != nil {
			s.closeCursor(name)
		}
		return nil
	})
}

// closePortal forgets a portal; there need not be one.
func (s *Session) closePortal(name string) {
	if p := s.portals[name]; p != nil {
		p.close()
		delete(s.portals, name)
	}
}

// close ends the portal's run.
func (p *portal) close() {
	if p.run != nil {
		p.run.Close()
		p.run = nil
	}
	if p.held != nil {
		p.held.close()
		p.held = nil
	}
	p.done = true
}

// restart makes the portal ready to run from its start, in another transaction.
func (p *portal) restart(t *transaction) {
	if p.run != nil {
		p.run.Close()
		p.run = nil
	}
	p.tx, p.done, p.failed, p.rows = t, false, false, 0
}

// Execute runs a portal, for at most maxRows rows if that is not 0.
func (s *Session) Execute(ctx context.Context, name string, maxRows int64, out Output) error {
	p := s.portals[name]
	if p == nil {
		return errs.New(errs.InvalidCursorName, `portal "%s" does not exist`, name)
	}
	st := p.stmt
	if err := s.checkFailed(st.stmt); err != nil {
		return err
	}
	s.out = out
	ctx, done := s.running(ctx, st.text)
	defer done()
	if st.stmt == nil {
		return out.EmptyQuery()
	}
	if t, ok := st.stmt.(*ast.Transaction); ok {
		return s.transactionStatement(ctx, t, out)
	}
	s.begin()
	data := new(*copyKeeper)
	return s.runStatement(ctx, out, step{text: st.text, portal: p, data: data, run: func(ctx context.Context, out Output) error {
		s.copyData = data
		return s.runPortal(ctx, p, maxRows, out)
	}})
}

// Sync ends the implicit transaction of a pipeline.
func (s *Session) Sync(ctx context.Context, out Output) error {
	if s.tx == nil {
		s.endPortals(nil, true)
		return nil
	}
	if s.tx.explicit {
		return nil
	}
	s.out = out
	ctx, done := s.running(ctx, s.activity.query) // no other goroutine writes it
	defer done()
	return s.commit(ctx, out)
}

// Fail ends a pipeline after an error: an implicit transaction is rolled back, an explicit one failed.
func (s *Session) Fail() {
	if s.tx == nil {
		return
	}
	if s.tx.explicit {
		_ = s.control(nil, s.fail)
	} else {
		s.abandon()
	}
}

// fail makes the explicit transaction a failed one.
func (s *Session) fail() error {
	s.tx.failed = true
	mark := 0
	if n := len(s.tx.savepoints); n > 0 {
		p := s.tx.savepoints[n-1]
		mark = p.settings
		if s.tx.kv != nil && s.tx.lost == nil {
			_ = s.tx.undoTo(p) // ROLLBACK TO would meet the error again, and tell of it
		}
	} else {
		s.tx.release(s.engine.catalog) // nothing but ROLLBACK is left: nobody shall wait for it
	}
	s.settings.fail(mark)
	return nil
}

// endPortals closes the portals that do not outlive the transaction that is about to end: all but the cursors
// WITH HOLD of earlier ones and, if it commits, its own.
func (s *Session) endPortals(t *transaction, committed bool) {
	for name, p := range s.portals {
		if p.cursor == nil || !p.cursor.hold || p.tx == t && !committed {
			s.closePortal(name)
		} else {
			p.tx, p.step = nil, 0
		}
	}
}

// runPortal runs a portal's statement, or goes on with it.
func (s *Session) runPortal(ctx context.Context, p *portal, maxRows int64, out Output) error {
	if p.tx != s.tx && p.cursor == nil {
		p.restart(s.tx)
	}
	st := p.stmt
	if p.cursor != nil {
		return s.runCursor(ctx, p, maxRows, out)
	}
	if !isQuery(st.stmt) {
		if p.done {
			return errs.New(errs.ObjectNotInPrerequisiteState, `portal "%s" cannot be run`, p.name)
		}
		err := s.reconsider(s.utility(ctx, st, p.params, p.formats, out))
		p.done = !isStale(err)
		return err
	}
	if p.failed {
		return errs.New(errs.ObjectNotInPrerequisiteState, `portal "%s" cannot be run`, p.name)
	}
	if p.done {
		if st.columns == nil {
			return errs.New(errs.ObjectNotInPrerequisiteState, `portal "%s" cannot be run`, p.name)
		}
		return out.CommandComplete(p.plan.tag(0))
	}
	if p.run == nil {
		pl, run, err := s.start(ctx, st, p.params, out)
		if err != nil {
			return err
		}
		p.plan, p.run = pl, run
		if err := skipRows(run, p.rows); err != nil {
			run.Close()
			p.run = nil
			return err
		}
	} else {
		p.run.Resume(ctx)
	}
	sent, more, err := s.sendRows(p.run, p.plan, p.formats, maxRows, out)
	if err == nil && more {
		err = p.run.Settle()
	}
	if err = s.reconsider(err); err != nil {
		p.run.Close()
		p.run, p.done = nil, !isStale(err)
		p.failed = p.done
		return err
	}
	p.rows += sent
	if more {
		return out.PortalSuspended()
	}
	affected := p.run.Affected()
	p.run.Close()
	p.run, p.done = nil, true
	if !p.plan.writes || maxRows > 0 && p.plan.columns != nil {
		affected = sent
	}
	if p.plan.writes && p.plan.columns == nil {
		s.told = affected
	}
	return out.CommandComplete(p.plan.tag(affected))
}

// skipRows passes over the rows that a run has given before it met a row that was newer than its snapshot and
// had to begin again: what it has read until then has not changed.
func skipRows(run *exec.Run, n int64) error {
	for n > 0 {
		b, err := run.Next(int(min(n, types.BatchRows)))
		if err != nil || b == nil {
			return err
		}
		n -= int64(b.N)
	}
	return nil
}

// sendRows sends up to limit rows (all if 0) of a run, and reports whether there are more.
func (s *Session) sendRows(run *exec.Run, pl *plan, formats []int16, limit int64, out Output) (sent int64, more bool, err error) {
	for {
		want := int64(types.BatchRows)
		if limit > 0 && limit-sent < want {
			want = limit - sent
		}
		if want == 0 {
			return sent, true, nil
		}
		batch, err := run.Next(int(want))
		if err != nil || batch == nil {
			return sent, false, err
		}
		sent += int64(batch.N)
		if pl.columns != nil {
			if err := out.Rows(pl.columns, formats, batch); err != nil {
				return sent, false, err
			}
		}
	}
}
