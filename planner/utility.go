package planner

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"holdfast/kv"
	"holdfast/planner/bind"
	"holdfast/planner/ddl"
	"holdfast/planner/exec"
	"holdfast/sql/ast"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// describeUtility finds the parameters and result columns of a statement that is not a query.
func (s *Session) describeUtility(p *prepared) error {
	p.params = nil
	switch st := p.stmt.(type) {
	case *ast.Show:
		p.columns = s.showColumns(st)
	case *ast.Explain:
		p.columns = explainColumns(st)
	case *ast.Execute:
		target, err := s.statement(st.Name)
		if err != nil {
			return err
		}
		p.columns = target.columns
	case *ast.Fetch:
		portal := s.portals[st.Cursor]
		if portal == nil {
			return errs.New(errs.InvalidCursorName, `cursor "%s" does not exist`, st.Cursor)
		}
		if !st.Move {
			p.columns = portal.stmt.columns
		}
	}
	return nil
}

func textColumn(name string) ResultColumn {
	return ResultColumn{Name: name, Type: types.Text, Mod: types.NoTypmod}
}

// utility runs a statement that is not a query, in the session's transaction.
func (s *Session) utility(ctx context.Context, p *prepared, params []types.Datum, formats []int16, out Output) error {
	switch st := p.stmt.(type) {
	case *ast.Set:
		return s.setStatement(st, out)
	case *ast.Show:
		return s.show(p, st, formats, out)
	case *ast.SetTransaction:
		return s.setTransaction(st, out)
	case *ast.SetConstraints:
		if err := s.setConstraints(ctx, st); err != nil {
			return err
		}
		return out.CommandComplete("SET CONSTRAINTS")
	case *ast.Prepare:
		return s.prepareStatement(ctx, p, st, out)
	case *ast.Execute:
		return s.executeStatement(ctx, p, st, formats, out)
	case *ast.Deallocate:
		before := maps.Clone(s.statements)
		s.tx.undoSession = append(s.tx.undoSession, func() { s.statements = before })
		s.notePrepared(st.Name)
		if st.Name == "" {
			for name, q := range s.statements {
				if name != "" || q.sql {
					delete(s.statements, name)
				}
			}
			return out.CommandComplete("DEALLOCATE ALL")
		}
		if _, err := s.statement(st.Name); err != nil {
			return err
		}
		delete(s.statements, st.Name)
		return out.CommandComplete("DEALLOCATE")
	case *ast.DeclareCursor:
		return s.declare(ctx, p, st, params, out)
	case *ast.Fetch:
		return s.fetch(ctx, p, st, formats, out)
	case *ast.CloseCursor:
		if st.Name == "" {
			for name, q := range s.portals {
				if q.cursor != nil {
					s.closeCursor(name)
				}
			}
			return out.CommandComplete("CLOSE CURSOR ALL")
		}
		if s.portals[st.Name] == nil {
			return errs.New(errs.InvalidCursorName, `cursor "%s" does not exist`, st.Name)
		}
		s.closeCursor(st.Name)
		return out.CommandComplete("CLOSE CURSOR")
	case *ast.Discard:
		return s.discard(st, out)
	case *ast.Explain:
		return s.explain(ctx, p, st, params, formats, out)
	case *ast.Copy:
		return s.copyStatement(ctx, p, st, out)
	case *ast.Lock:
		return s.lockTables(ctx, st, out)
	case *ast.Vacuum:
		if !st.Analyze {
			if err := s.preventInBlock("VACUUM"); err != nil {
				return err
			}
		}
		if err := s.checkRelations(ctx, st.Tables); err != nil {
			return err
		}
		// There are no dead rows to remove, and row counts are always kept.
		if st.Analyze {
			return out.CommandComplete("ANALYZE")
		}
		return out.CommandComplete("VACUUM")
	case *ast.Checkpoint:
		return out.CommandComplete("CHECKPOINT") // every commit is on disk already
	case *ast.Unlisten:
		return out.CommandComplete("UNLISTEN") // nothing can have been listened to
	case *ast.Listen:
		return errs.Unsupported("LISTEN")
	case *ast.Notify:
		return errs.Unsupported("NOTIFY")
	case *ast.Do:
		return errs.Unsupported("DO")
	case *ast.Merge:
		return errs.Unsupported("MERGE")
	case *ast.Grant:
		return errs.Unsupported("GRANT and REVOKE").WithHint("The only role is postgres, which may do everything.")
	case *ast.Unsupported:
		e := errs.Unsupported("%s", st.What)
		switch st.What {
		case "CREATE RULE":
			e.WithHint("Views over one table, and over tables joined by their keys, can be written without a rule.")
		case "CREATE TRIGGER":
			e.WithHint("Views over one table, and over tables joined by their keys, can be written without an INSTEAD OF trigger. What must hold of rows can be said by CHECK, foreign keys and assertions.")
		}
		return e
	}
	return s.schemaStatement(ctx, p, out)
}

// schemaStatement runs DDL.
func (s *Session) schemaStatement(ctx context.Context, p *prepared, out Output) error {
	if bringsIntoForce(p.stmt) && s.alone(p) {
		return s.intoForce(ctx, p, out)
	}
	if err := s.open(ctx, false); err != nil {
		return err
	}
	if err := s.writing(ddl.Verb(p.stmt), out); err != nil {
		return err
	}
	var tag string
	err := s.schemaChange(ctx, p, func(env *ddl.Env) (err error) {
		tag, err = ddl.Execute(ctx, env, p.stmt)
		return err
	})
	if err != nil {
		return err
	}
	return out.CommandComplete(tag)
}

// schemaChange does what DDL does, in the session's transaction.
func (s *Session) schemaChange(ctx context.Context, p *prepared, change func(env *ddl.Env) error) error {
	t := s.tx
	env := &ddl.Env{
		Ctx: *s.functionContext(ctx), Store: s.engine.store, Catalog: s.engine.catalog, Txn: t.kv, Snapshot: t.snapshot,
		SearchPath: s.settings.path, Text: p.text, Notice: s.notice,
		InBlock: t.explicit, User: s.options.User,
		AfterCommit: func(f func()) { t.afterCommit = append(t.afterCommit, f) },
		Run:         s.runForDDL,
		Pending:     t.deferred.Concerns,
		Checked:     t.deferred.Checked,
		Defer: func(a *catalog.Assertion) bool {
			return t.deferred.InFull(&exec.Rule{Constraint: a.OID, Name: a.Name, Deferrable: a.Deferrable, InitiallyDeferred: a.InitiallyDeferred})
		},
		InUse:    s.cursorReads,
		Checking: func(a *catalog.Assertion) func() { return s.checking(ddl.Verb(p.stmt), a, t.blind) },
		Exec: func(ctx context.Context, env *ddl.Env) *exec.Ctx {
			t.snapshot = env.Snapshot
			return s.execContext(ctx, nil)
		},
	}
	err := change(env)
	if env.Snapshot != t.snapshot {
		t.snapshot, t.changedSchema = env.Snapshot, true
	}
	return err
}

// runForDDL runs a bound query for a DDL statement and hands its rows on.
func (s *Session) runForDDL(ctx context.Context, env *ddl.Env, stmt ast.Stmt, text string, rows func(*types.Batch) error) (int64, error) {
	t := s.tx
	t.snapshot = env.Snapshot
	p := &prepared{text: text, stmt: stmt, sql: true}
	pl, run, err := s.start(ctx, p, nil, s.out)
	if err != nil {
		return 0, err
	}
	defer run.Close()
	for {
		b, err := run.Next(types.BatchRows)
		if err != nil {
			return 0, err
		}
		if b == nil {
			break
		}
		if rows != nil {
			if err := rows(b); err != nil {
				return 0, err
			}
		}
	}
	_ = pl
	return run.Affected(), nil
}

// settingValue is the value of a setting as SHOW prints it.
func (s *Session) settingValue(name string) (string, bool) {
	switch strings.ToLower(name) {
	case "transaction_isolation":
		if s.tx == nil || s.tx.kv == nil && !s.tx.explicit {
			if v, changed := s.settings.values["transaction_isolation"]; changed {
				return v, true
			}
			return s.settings.get("default_transaction_isolation")
		}
		if v, changed := s.settings.values["transaction_isolation"]; changed {
			return v, true
		}
		return s.settings.get("default_transaction_isolation")
	case "transaction_read_only":
		if s.tx != nil {
			return onOff(s.tx.readOnly), true
		}
		return s.settings.get("default_transaction_read_only")
	case "data_directory", "port", "listen_addresses", "max_connections":
		return s.settings.get(name)
	}
	return s.settings.get(name)
}

// changeSetting is SET: it changes a setting, within the transaction if local.
func (s *Session) changeSetting(name string, value *string, local bool) error {
	switch strings.ToLower(name) {
	case "transaction_isolation":
		if value != nil {
			s.begin()
			return s.setModes(ast.TransactionModes{Isolation: strings.ToLower(*value)})
		}
	case "transaction_read_only":
		if value != nil {
			b, ok := parseBool(*value)
			if !ok {
				return errs.New(errs.InvalidParameterValue, `parameter "transaction_read_only" requires a Boolean value`)
			}
			s.begin()
			return s.setModes(ast.TransactionModes{ReadOnly: &b})
		}
	case "synchronous_commit":
		if value != nil {
			if v := strings.ToLower(*value); v == "off" || v == "false" || v == "no" || v == "0" {
				return errs.Unsupported("synchronous_commit = off").WithHint("Every commit is durable before it is acknowledged; commits that come together share one fsync.")
			}
		}
	}
	if err := s.settings.set(name, value, local); err != nil {
		return err
	}
	if s.tx == nil {
		s.settings.end(true)
	}
	return nil
}

func (s *Session) setStatement(st *ast.Set, out Output) error {
	tag := "SET"
	if st.Reset {
		tag = "RESET"
	}
	if st.Name == "" {
		s.settings.resetAll()
		return out.CommandComplete(tag)
	}
	if st.Local && (s.tx == nil || !s.tx.explicit) {
		s.notice(&errs.Error{Severity: "WARNING", Code: errs.NoActiveSQLTransaction, Message: "SET LOCAL can only be used in transaction blocks"})
	}
	if st.Default {
		if err := s.changeSetting(st.Name, nil, st.Local); err != nil {
			return err
		}
		return out.CommandComplete(tag)
	}
	value, err := s.setValue(st)
	if err != nil {
		return err
	}
	if err := s.changeSetting(st.Name, &value, st.Local); err != nil {
		return err
	}
	return out.CommandComplete(tag)
}

// setValue is the text of the values of SET: several are a list, in which search_path quotes its names.
func (s *Session) setValue(st *ast.Set) (string, error) {
	list := strings.EqualFold(st.Name, "search_path")
	parts := make([]string, len(st.Values))
	for i, v := range st.Values {
		switch v := v.(type) {
		case *ast.Literal:
			parts[i] = v.Value
			if v.Kind == ast.LitBool {
				parts[i] = map[string]string{"t": "on", "f": "off"}[v.Value]
			}
		case *ast.Cast:
			d, err := s.constant(v)
			if err != nil {
				return "", err
			}
			iv, ok := d.Any().(types.Interval)
			if !ok {
				return "", errs.New(errs.InvalidParameterValue, "SET %s takes only constants", st.Name)
			}
			return loadIntervalZone(iv)
		default:
			return "", errs.New(errs.InvalidParameterValue, "SET %s takes only constants", st.Name)
		}
		if list {
			parts[i] = types.QuoteIdentifier(parts[i])
		}
	}
	if len(parts) > 1 && !list && !strings.EqualFold(st.Name, "datestyle") {
		return "", errs.New(errs.InvalidParameterValue, "SET %s takes only one argument", st.Name)
	}
	return strings.Join(parts, ", "), nil
}

func loadIntervalZone(iv types.Interval) (string, error) {
	if iv.Months != 0 || iv.Days != 0 {
		return "", errs.New(errs.InvalidParameterValue, "time zone interval must not include months or days")
	}
	return fmt.Sprint(float64(iv.Micros) / 3.6e9), nil
}

// constant evaluates a constant expression.
func (s *Session) constant(e ast.Expr) (types.Datum, error) {
	if err := s.open(context.Background(), false); err != nil {
		return types.Null, err
	}
	x, err := bind.BindArgs(context.Background(), s.bindOptions(context.Background(), s.tx.snapshot, ""), []ast.Expr{e}, nil, "SET")
	if err != nil {
		return types.Null, err
	}
	return exec.Evaluate(s.execContext(context.Background(), nil), x[0])
}

func (s *Session) showColumns(st *ast.Show) []ResultColumn {
	if strings.EqualFold(st.Name, "all") {
		return []ResultColumn{textColumn("name"), textColumn("setting"), textColumn("description")}
	}
	name := st.Name
	if d := settingsByName[strings.ToLower(name)]; d != nil {
		name = d.name
	}
	return []ResultColumn{textColumn(name)}
}

func (s *Session) show(p *prepared, st *ast.Show, formats []int16, out Output) error {
	var rows [][]string
	if strings.EqualFold(st.Name, "all") {
		for _, d := range s.settings.all() {
			v, _ := s.settingValue(d.name)
			rows = append(rows, []string{d.name, v, d.description})
		}
	} else {
		v, ok := s.settingValue(st.Name)
		if !ok {
			return unknownSetting(st.Name)
		}
		rows = [][]string{{v}}
	}
	if err := sendText(p.columns, formats, rows, out); err != nil {
		return err
	}
	return out.CommandComplete("SHOW")
}

// sendText sends rows of texts.
func sendText(cols []ResultColumn, formats []int16, rows [][]string, out Output) error {
	b := &types.Batch{Rows: types.Rows{N: len(rows)}}
	for j := range cols {
		v := types.NewVec(types.Text, len(rows))
		for i, r := range rows {
			v.S[i] = r[j]
		}
		b.Cols = append(b.Cols, v)
	}
	if len(rows) == 0 {
		return nil
	}
	return out.Rows(cols, formats, b)
}

func (s *Session) setTransaction(st *ast.SetTransaction, out Output) error {
	if st.Snapshot != "" {
		return errs.Unsupported("SET TRANSACTION SNAPSHOT")
	}
	if st.Session {
		m := st.Modes
		if m.Isolation != "" {
			if err := s.settings.set("default_transaction_isolation", &m.Isolation, false); err != nil {
				return err
			}
		}
		for name, b := range map[string]*bool{"default_transaction_read_only": m.ReadOnly, "default_transaction_deferrable": m.Deferrable} {
			if b != nil {
				v := onOff(*b)
				if err := s.settings.set(name, &v, false); err != nil {
					return err
				}
			}
		}
		return out.CommandComplete("SET")
	}
	if !s.tx.explicit {
		s.notice(&errs.Error{Severity: "WARNING", Code: errs.NoActiveSQLTransaction, Message: "SET TRANSACTION can only be used in transaction blocks"})
	}
	if err := s.setModes(st.Modes); err != nil {
		return err
	}
	return out.CommandComplete("SET")
}

func (s *Session) discard(st *ast.Discard, out Output) error {
	switch st.Kind {
	case "all":
		if err := s.preventInBlock("DISCARD ALL"); err != nil {
			return err
		}
		for name := range s.portals {
			if s.portals[name].cursor != nil {
				s.closePortal(name)
			}
		}
		s.settings.resetAll()
		for name := range s.statements {
			delete(s.statements, name)
		}
		s.sequence, s.lastSeq = map[catalog.OID]int64{}, 0
		return out.CommandComplete("DISCARD ALL")
	case "plans":
		for _, p := range s.statements {
			p.plan = nil
		}
		return out.CommandComplete("DISCARD PLANS")
	case "sequences":
		s.keepSequences()
		s.sequence, s.lastSeq = map[catalog.OID]int64{}, 0
		return out.CommandComplete("DISCARD SEQUENCES")
	}
	return out.CommandComplete("DISCARD TEMP")
}

// prepareStatement is PREPARE.
func (s *Session) prepareStatement(ctx context.Context, p *prepared, st *ast.Prepare, out Output) error {
	if s.statements[st.Name] != nil {
		return errs.New(errs.DuplicatePreparedStatement, `prepared statement "%s" already exists`, st.Name)
	}
	if err := s.open(ctx, false); err != nil {
		return err
	}
	o := s.bindOptions(ctx, s.tx.snapshot, p.text)
	q := &prepared{name: st.Name, text: p.text, whole: p.whole, stmt: st.Stmt, sql: true, from: microseconds(time.Now())}
	for _, n := range st.Types {
		t, _, err := bind.ResolveType(o, n)
		if err != nil {
			return err
		}
		q.declared = append(q.declared, t)
	}
	if err := s.analyze(ctx, q); err != nil {
		return err
	}
	s.statements[st.Name] = q
	s.tx.undoSession = append(s.tx.undoSession, func() { delete(s.statements, st.Name) })
	s.notePrepared(st.Name)
	return out.CommandComplete("PREPARE")
}

// executeStatement is EXECUTE.
func (s *Session) executeStatement(ctx context.Context, p *prepared, st *ast.Execute, formats []int16, out Output) error {
	q, params, err := s.executeTarget(ctx, p, st)
	if err != nil {
		return err
	}
	if !isQuery(q.stmt) {
		return s.utility(ctx, q, params, formats, out)
	}
	pl, run, err := s.start(ctx, q, params, out)
	if err != nil {
		var e *errs.Error
		if errors.As(err, &e) && e.Position != 0 {
			c := *e
			c.Position = 0 // it is one in the text of PREPARE
			return &c
		}
		return err
	}
	defer run.Close()
	sent, _, err := s.sendRows(run, pl, formats, 0, out)
	if err != nil {
		return err
	}
	if pl.writes {
		sent = run.Affected()
	}
	return out.CommandComplete(pl.tag(sent))
}

// executeTarget finds the statement of an EXECUTE and evaluates its arguments.
func (s *Session) executeTarget(ctx context.Context, p *prepared, st *ast.Execute) (*prepared, []types.Datum, error) {
	q, err := s.statement(st.Name)
	if err != nil {
		return nil, nil, err
	}
	if err := s.open(ctx, false); err != nil {
		return nil, nil, err
	}
	if len(st.Args) != len(q.params) {
		return nil, nil, errs.New(errs.SyntaxError, `wrong number of parameters for prepared statement "%s"`, st.Name).
			WithDetail("Expected %d parameters but got %d.", len(q.params), len(st.Args))
	}
	exprs, err := bind.BindArgs(ctx, s.bindOptions(ctx, s.tx.snapshot, p.text), st.Args, q.params, "EXECUTE parameter")
	if err != nil {
		return nil, nil, err
	}
	params := make([]types.Datum, len(exprs))
	for i, e := range exprs {
		if params[i], err = exec.Evaluate(s.execContext(ctx, nil), e); err != nil {
			return nil, nil, err
		}
	}
	return q, params, nil
}

// checkRelations reports the first name that is not a relation.
func (s *Session) checkRelations(ctx context.Context, names []*ast.TableName) error {
	if len(names) == 0 {
		return nil
	}
	if err := s.open(ctx, false); err != nil {
		return err
	}
	for _, n := range names {
		if _, err := bind.ResolveRelation(s.bindOptions(ctx, s.tx.snapshot, ""), n, false); err != nil {
			return err
		}
	}
	return nil
}

// lockTables is LOCK TABLE. Serializability needs no table locks, and nothing here waits for one: the
// statement makes the transaction depend on every row of the table, so that it commits only if no concurrent
// transaction has changed one, which is what the strongest lock would have ensured.
func (s *Session) lockTables(ctx context.Context, st *ast.Lock, out Output) error {
	if s.tx == nil || !s.tx.explicit {
		return errs.New(errs.NoActiveSQLTransaction, "LOCK TABLE can only be used in transaction blocks")
	}
	if err := s.open(ctx, false); err != nil {
		return err
	}
	for _, r := range st.Tables {
		t, err := bind.ResolveRelation(s.bindOptions(ctx, s.tx.snapshot, ""), r.Table, false)
		if err != nil {
			return err
		}
		if t.Kind != catalog.KindTable && t.Kind != catalog.KindView {
			return errs.New(errs.WrongObjectType, `cannot lock relation "%s"`, t.Name)
		}
		s.tx.snapshot.Observe(s.tx.kv, t)
		if t.Kind == catalog.KindTable && t.Virtual == nil {
			s.tx.kv.ObserveRange(kv.PrefixRange(catalog.RowPrefix(t.Storage)), kv.AllColumns)
		}
	}
	return out.CommandComplete("LOCK TABLE")
}
