package planner

import (
	"context"
	"errors"
	"strconv"
	"time"
	"unicode/utf8"

	"holdfast/sql/ast"
	"holdfast/sql/errs"
	"holdfast/sql/parse"
	"holdfast/sql/types"
)

// Query runs a message of the simple protocol: any number of statements, which are one implicit transaction
// up to a transaction statement among them. An error ends the message; it is returned, for the caller to
// send, after the answers of the statements before it.
func (s *Session) Query(ctx context.Context, text string, out Output) error {
	s.out = out
	s.CloseStatement("")
	s.closePortal("")
	ctx, done := s.running(ctx, text)
	defer done()
	err := s.query(ctx, text, out)
	if err != nil {
		s.Fail()
		return err
	}
	return nil
}

func (s *Session) query(ctx context.Context, text string, out Output) error {
	parsed, err := s.engine.parses.Lookup(text)
	if err != nil {
		return err
	}
	if len(parsed.Statements) == 0 {
		return out.EmptyQuery()
	}
	if len(parsed.Lifted) > 0 && parsed.Statements[0].NumParams > 0 {
		// It has a parameter, which is an error that is told in its own words.
		if parsed, err = s.engine.parses.LookupExact(text); err != nil {
			return err
		}
	}
	said := text // with its literals
	for i, st := range parsed.Statements {
		p := &prepared{text: st.Text, whole: text, stmt: st.Stmt, source: &parsed, index: i, simple: true, sql: st.NumParams > 0}
		if len(parsed.Statements) == 1 {
			if err := s.liftedLiterals(p, text, &parsed); err != nil {
				return err
			}
		}
		if err := s.checkFailed(p.stmt); err != nil {
			return err
		}
		if len(parsed.Statements) > 1 {
			out.Hold() // they may have to be run again together; a COMMIT among them has let go
			s.statementTime = microseconds(time.Now())
		}
		if t, ok := p.stmt.(*ast.Transaction); ok {
			if err := s.transactionStatement(ctx, t, out); err != nil {
				return err
			}
			continue
		}
		s.begin()
		data := new(*copyKeeper)
		if len(parsed.Statements) > 1 {
			said = p.text
		}
		err := s.runStatement(ctx, out, step{text: said, data: data, run: func(ctx context.Context, out Output) error {
			s.copyData = data
			return s.runSimple(ctx, p, out)
		}})
		if err != nil {
			return p.mapError(err)
		}
		// Statements that cannot be in a transaction block end the implicit transaction themselves.
		if i == len(parsed.Statements)-1 && s.tx != nil && !s.tx.explicit {
			if err := s.commit(ctx, out); err != nil {
				return p.mapError(err)
			}
		}
	}
	if s.tx != nil && !s.tx.explicit {
		return s.commit(ctx, out)
	}
	return nil
}

// liftedLiterals gives the parameters that stand for literals of the text their types and values.
func (s *Session) liftedLiterals(p *prepared, text string, parsed *parse.Parsed) error {
	if len(parsed.Lifted) == 0 {
		if parsed.Key != nil {
			p.template = parsed.Key
		}
		return nil
	}
	p.template, p.input, p.literals = parsed.Key, text, parsed.Lifted
	first := parsed.Statements[0].NumParams
	n := first + len(parsed.Lifted)
	p.declared = make([]*types.Type, n)
	p.liftedAt = make([]bool, n)
	p.lifted = make([]types.Datum, len(parsed.Lifted))
	for i, l := range parsed.Lifted {
		t, v, err := literalValue(l.Kind, l.Value)
		if err != nil {
			return err
		}
		p.declared[first+i], p.liftedAt[first+i], p.lifted[i] = t, true, v
	}
	return nil
}

// keepLiterals takes back liftedLiterals: the statement is planned with its literals.
func (s *Session) keepLiterals(p *prepared) error {
	parsed, err := s.engine.parses.LookupExact(p.input)
	if err != nil {
		return err
	}
	p.stmt, p.text, p.template, p.source = parsed.Statements[0].Stmt, parsed.Statements[0].Text, parsed.Key, &parsed
	p.declared, p.liftedAt, p.lifted, p.literals, p.plan, p.columns = nil, nil, nil, nil, nil, nil
	return nil
}

// byteOffset is where character n of a text begins, counted from 0.
func byteOffset(text string, n int) int {
	for i := range text {
		if n == 0 {
			return i
		}
		n--
	}
	return len(text)
}

// liftedValues are the values of the literals that were lifted out of a text. A string has got its type from
// where it stands, and is read as that type.
func (s *Session) liftedValues(p *prepared, pl *plan) ([]types.Datum, error) {
	first := len(pl.query.Params) - len(p.lifted)
	out := p.lifted
	for i, v := range p.lifted {
		t := pl.query.Params[first+i]
		if p.declared[first+i] != types.Unknown || t == types.Text || t == types.Unknown {
			continue
		}
		d, err := types.ParseText(t, types.NoTypmod, v.Str(), &s.settings.env)
		if err != nil {
			e := *errs.As(err)
			e.Position = utf8.RuneCountInString(p.input[:p.literals[i].Position]) + 1
			p.placed = true
			return nil, &e
		}
		if &out[0] == &p.lifted[0] {
			out = append([]types.Datum(nil), p.lifted...)
		}
		out[i] = d
	}
	return out, nil
}

// literalValue is the type and value of a literal: Unknown for strings, whose type the context decides.
func literalValue(kind ast.LiteralKind, text string) (*types.Type, types.Datum, error) {
	switch kind {
	case ast.LitInt:
		if v, err := strconv.ParseInt(text, 10, 64); err == nil {
			if int64(int32(v)) == v {
				return types.Int4, types.NewInt(v), nil
			}
			return types.Int8, types.NewInt(v), nil
		}
		fallthrough
	case ast.LitNumeric:
		v, err := types.ParseText(types.Numeric, types.NoTypmod, text, types.DefaultEnv)
		return types.Numeric, v, err
	}
	return types.Unknown, types.NewString(text), nil
}

// mapError moves an error's position from the statement's text to the whole text that the client has sent.
func (p *prepared) mapError(err error) error {
	var e *errs.Error
	if p.source == nil || p.placed || !errors.As(err, &e) || e.Position == 0 {
		return err
	}
	moved := *e
	moved.Position = p.source.Position(p.index, byteOffset(p.text, e.Position-1))
	return &moved
}

// runSimple runs one statement of a simple query.
func (s *Session) runSimple(ctx context.Context, p *prepared, out Output) error {
	if !isQuery(p.stmt) {
		if err := s.describeUtility(p); err != nil {
			return err
		}
		if p.columns != nil {
			out = &describingOutput{Output: out, columns: p.columns}
		}
		return s.utility(ctx, p, nil, nil, out)
	}
	pl, run, err := s.start(ctx, p, nil, out)
	if err != nil {
		return err
	}
	defer run.Close()
	if pl.columns != nil {
		if err := out.RowDescription(pl.columns, nil); err != nil {
			return err
		}
	}
	sent, _, err := s.sendRows(run, pl, nil, 0, out)
	if err != nil {
		return err
	}
	if pl.writes {
		if sent = run.Affected(); pl.columns == nil {
			s.told = sent
		}
	}
	return out.CommandComplete(pl.tag(sent))
}

// describingOutput describes the columns of a utility statement when its first row or its end comes, so that
// one that fails has not begun a result.
type describingOutput struct {
	Output
	columns   []ResultColumn
	described bool
}

func (o *describingOutput) describe(formats []int16) error {
	if o.described {
		return nil
	}
	o.described = true
	return o.Output.RowDescription(o.columns, formats)
}

func (o *describingOutput) Rows(cols []ResultColumn, formats []int16, b *types.Batch) error {
	if err := o.describe(formats); err != nil {
		return err
	}
	return o.Output.Rows(cols, formats, b)
}

func (o *describingOutput) CommandComplete(tag string) error {
	if err := o.describe(nil); err != nil {
		return err
	}
	return o.Output.CommandComplete(tag)
}

// transactionStatement runs BEGIN, COMMIT, ROLLBACK and the like.
func (s *Session) transactionStatement(ctx context.Context, t *ast.Transaction, out Output) error {
	warn := func(code errs.Code, message string) {
		s.notice(&errs.Error{Severity: "WARNING", Code: code, Message: message})
	}
	switch t.Kind {
	case "begin":
		tag := "BEGIN"
		if t.Start {
			tag = "START TRANSACTION"
		}
		if s.tx != nil && s.tx.explicit {
			warn(errs.ActiveSQLTransaction, "there is already a transaction in progress")
			return out.CommandComplete(tag)
		}
		if err := s.beginBlock(ctx, t.Modes, out); err != nil {
			if s.tx != nil { // a statement before BEGIN that has failed when it was run again is the end of it
				s.tx.failed = true
			}
			return err
		}
		return out.CommandComplete(tag)
	case "commit":
		tx := s.tx
		if tx == nil || !tx.explicit {
			if t.Chain {
				return errs.New(errs.NoActiveSQLTransaction, "COMMIT AND CHAIN can only be used in transaction blocks")
			}
			warn(errs.NoActiveSQLTransaction, "there is no transaction in progress")
			if tx != nil {
				if err := s.commit(ctx, out); err != nil {
					return err
				}
			}
			return out.CommandComplete("COMMIT")
		}
		tag := "COMMIT"
		chain := s.chain(ctx, t.Chain, out)
		if tx.failed {
			s.abandon()
			tag = "ROLLBACK"
		} else if err := s.commit(ctx, out); err != nil {
			return err
		}
		if err := chain(); err != nil {
			return err
		}
		return out.CommandComplete(tag)
	case "rollback":
		if s.tx == nil || !s.tx.explicit {
			if t.Chain {
				return errs.New(errs.NoActiveSQLTransaction, "ROLLBACK AND CHAIN can only be used in transaction blocks")
			}
			warn(errs.NoActiveSQLTransaction, "there is no transaction in progress")
		}
		chain := s.chain(ctx, t.Chain, out)
		s.abandon()
		if err := chain(); err != nil {
			return err
		}
		return out.CommandComplete("ROLLBACK")
	case "savepoint", "release", "rollback to":
		if s.tx == nil || !s.tx.explicit {
			return errs.New(errs.NoActiveSQLTransaction, "%s can only be used in transaction blocks", map[string]string{
				"savepoint": "SAVEPOINT", "release": "RELEASE SAVEPOINT", "rollback to": "ROLLBACK TO SAVEPOINT"}[t.Kind])
		}
		switch t.Kind {
		case "savepoint":
			_ = s.control(out, func() error { s.pushSavepoint(t.Name); return nil })
			return out.CommandComplete("SAVEPOINT")
		case "release":
			if err := s.control(out, func() error { return s.releaseSavepoint(t.Name) }); err != nil {
				return err
			}
			return out.CommandComplete("RELEASE")
		}
		if err := s.control(out, func() error { return s.rollbackTo(t.Name) }); err != nil {
			return err
		}
		return out.CommandComplete("ROLLBACK")
	}
	return errs.Unsupported("two-phase commit")
}

// chain returns what begins a new transaction with the modes of the present one, when that has ended: nothing
// if no chain is asked for.
func (s *Session) chain(ctx context.Context, chain bool, out Output) func() error {
	if !chain {
		return func() error { return nil }
	}
	m := ast.TransactionModes{ReadOnly: &s.tx.readOnly}
	m.Isolation, _ = s.settingValue("transaction_isolation")
	deferrable := s.settingBool("transaction_deferrable")
	m.Deferrable = &deferrable
	return func() error { return s.beginBlock(ctx, m, out) }
}

// beginBlock makes the session's transaction explicit.
func (s *Session) beginBlock(ctx context.Context, m ast.TransactionModes, out Output) error {
	err := s.control(out, func() error {
		s.tx.explicit = true
		return s.setModes(m)
	})
	if err == nil && s.tx.blind { // of statements before, in the same message
		return s.replay(ctx, out, &rerun{cause: errBlind})
	}
	return err
}

// setModes applies the modes of BEGIN and SET TRANSACTION. Every isolation level runs serializable, and
// shows as what was asked for.
func (s *Session) setModes(m ast.TransactionModes) error {
	t := s.tx
	if m.Isolation != "" {
		if t.kv != nil {
			if current, _ := s.settings.get("transaction_isolation"); current != m.Isolation {
				return errs.New(errs.ActiveSQLTransaction, "SET TRANSACTION ISOLATION LEVEL must be called before any query")
			}
		}
		if err := s.settings.set("transaction_isolation", &m.Isolation, true); err != nil {
			return err
		}
	}
	if m.ReadOnly != nil {
		if !*m.ReadOnly && t.readOnly && t.kv != nil {
			return errs.New(errs.ActiveSQLTransaction, "transaction read-write mode must be set before any query")
		}
		t.readOnly = *m.ReadOnly
		v := onOff(*m.ReadOnly)
		if err := s.settings.set("transaction_read_only", &v, true); err != nil {
			return err
		}
	}
	if m.Deferrable != nil {
		v := onOff(*m.Deferrable)
		if err := s.settings.set("transaction_deferrable", &v, true); err != nil {
			return err
		}
	}
	return nil
}

func onOff(b bool) string {
	if b {
		return "on"
	}
	return "off"
}

// preventInBlock refuses a statement that cannot run inside a transaction block.
func (s *Session) preventInBlock(what string) error {
	if s.tx != nil && s.tx.explicit {
		return errs.New(errs.ActiveSQLTransaction, "%s cannot run inside a transaction block", what)
	}
	return nil
}

func readOnlyError(what string) error {
	return errs.New(errs.ReadOnlySQLTransaction, "cannot execute %s in a read-only transaction", what)
}

func (s *Session) now() time.Time { return time.Now() }
