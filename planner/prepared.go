package planner

import (
	"context"
	"fmt"

	"holdfast/planner/bind"
	"holdfast/sql/ast"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/parse"
	"holdfast/sql/types"
)

// prepared is a statement made ready: parsed and, once its schema is known, planned. Its plan is made anew
// when the schema or the search path has changed.
type prepared struct {
	name     string
	text     string        // of this statement alone, which positions refer to
	stmt     ast.Stmt      // nil for an empty statement
	source   *parse.Parsed // the client's text, of which this is statement number index; nil if it is not from a text
	index    int
	whole    string // the client's text, as pg_prepared_statements and pg_cursors show it
	placed   bool   // an error has its position in the client's text already
	simple   bool   // of a simple query, which has no parameters
	declared []*types.Type
	lifted   []types.Datum // values of parameters that stand for literals of the text; they come last
	liftedAt []bool
	literals []parse.Literal // the same as found in input, the text as it came
	input    string
	template any           // identifies the parsed statement in the plan cache; nil: text does
	params   []*types.Type // as the client knows them
	columns  []ResultColumn
	plan     *plan
	sql      bool  // made by PREPARE, a part of another statement, or wrong: not in the plan cache
	from     int64 // pg_prepared_statements.prepare_time
}

// Parse makes a prepared statement of the extended protocol.
func (s *Session) Parse(name, text string, paramOIDs []uint32) error {
	if name != "" && s.statements[name] != nil {
		return errs.New(errs.DuplicatePreparedStatement, `prepared statement "%s" already exists`, name)
	}
	declared := make([]*types.Type, len(paramOIDs))
	for i, oid := range paramOIDs {
		if oid == 0 {
			continue
		}
		t := types.ByOID(types.OID(oid))
		if t == nil {
			return errs.New(errs.UndefinedObject, "type with OID %d does not exist", oid)
		}
		if t != types.Unknown {
			declared[i] = t
		}
	}
	parsed, err := s.engine.parses.LookupExact(text)
	if err != nil {
		return err
	}
	p := &prepared{name: name, text: text, whole: text, declared: declared, source: &parsed, from: microseconds(s.now())}
	switch len(parsed.Statements) {
	case 0:
	case 1:
		p.stmt, p.text, p.template = parsed.Statements[0].Stmt, parsed.Statements[0].Text, parsed.Key
	default:
		return errs.New(errs.SyntaxError, "cannot insert multiple commands into a prepared statement")
	}
	if err := s.checkFailed(p.stmt); err != nil {
		return err
	}
	if err := s.analyze(context.Background(), p); err != nil {
		return p.mapError(err)
	}
	if name == "" {
		delete(s.statements, "")
	}
	s.statements[name] = p
	s.noteParsed(name, p)
	return nil
}

// analyze finds out a statement's parameters and result columns, which for queries means to plan it.
func (s *Session) analyze(ctx context.Context, p *prepared) error {
	if isQuery(p.stmt) {
		_, err := s.planned(ctx, p)
		return err
	}
	if err := s.describeUtility(p); err != nil {
		return err
	}
	var inner ast.Stmt
	switch st := p.stmt.(type) {
	case *ast.Explain:
		inner = st.Stmt
	case *ast.DeclareCursor:
		inner = st.Query
	}
	if inner != nil && isQuery(inner) {
		q := &prepared{text: p.text, stmt: inner, declared: p.declared, simple: p.simple, sql: true}
		if _, err := s.planned(ctx, q); err != nil {
			return err
		}
		p.params, p.declared = q.params, q.params
	}
	return nil
}

// planned returns the plan of a query for the present schema.
func (s *Session) planned(ctx context.Context, p *prepared) (*plan, error) {
	temporary := s.tx == nil
	if temporary {
		// Parse and Describe outside of a transaction read the schema and leave nothing open.
		s.begin()
		defer s.drop()
	}
	if err := s.open(ctx, temporary || s.tx.blind); err != nil {
		return nil, err
	}
	snapshot := s.tx.snapshot
	if pl := p.plan; pl != nil && pl.valid(snapshot, s.settings.path) {
		return pl, nil
	}
	pl, err := s.engine.plan(ctx, s, p, snapshot)
	if err != nil {
		return nil, err
	}
	if p.columns != nil && !sameColumns(p.columns, pl.columns) {
		return nil, errs.New(errs.FeatureNotSupported, "cached plan must not change result type")
	}
	p.plan = pl
	p.params = pl.query.Params[:len(pl.query.Params)-len(p.lifted)]
	p.columns = pl.columns
	return pl, nil
}

// plannedForNext reports, without a transaction, that the plan of a statement stands for the schema that the
// next transaction will see. When it reports false it may still do.
func (s *Session) plannedForNext(p *prepared) bool {
	if s.tx != nil {
		return false
	}
	current := s.engine.catalog.Current()
	return current != nil && p.plan.valid(current, s.settings.path)
}

func sameColumns(a, b []ResultColumn) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Name != b[i].Name || a[i].Type != b[i].Type || a[i].Mod != b[i].Mod {
			return false
		}
	}
	return true
}

// bindOptions are the options to bind statements of this session with.
func (s *Session) bindOptions(ctx context.Context, snapshot *catalog.Snapshot, text string) bind.Options {
	return bind.Options{Snapshot: snapshot, SearchPath: s.settings.path, Ctx: s.functionContext(ctx), Text: text}
}

// DescribeStatement returns the types of a statement's parameters, and its result columns, nil if it returns
// no rows.
func (s *Session) DescribeStatement(name string) ([]*types.Type, []ResultColumn, error) {
	p, err := s.statement(name)
	if err != nil {
		return nil, nil, err
	}
	if err := s.checkFailed(p.stmt); err != nil {
		return nil, nil, err
	}
	if p.plan != nil {
		if _, err := s.planned(context.Background(), p); err != nil {
			return nil, nil, err
		}
	}
	return p.params, p.columns, nil
}

func (s *Session) statement(name string) (*prepared, error) {
	if p := s.statements[name]; p != nil {
		return p, nil
	}
	if name == "" {
		return nil, errs.New(errs.InvalidSQLStatementName, "unnamed prepared statement does not exist")
	}
	return nil, errs.New(errs.InvalidSQLStatementName, `prepared statement "%s" does not exist`, name)
}

// CloseStatement forgets a prepared statement; there need not be one.
func (s *Session) CloseStatement(name string) {
	delete(s.statements, name)
	s.noteParsed(name, nil)
}

// checkFailed refuses statements in a failed transaction, but those that end it.
func (s *Session) checkFailed(stmt ast.Stmt) error {
	if s.tx == nil || !s.tx.failed {
		return nil
	}
	if t, ok := stmt.(*ast.Transaction); ok {
		switch t.Kind {
		case "commit", "rollback", "rollback to", "prepare":
			return nil
		}
	}
	if stmt == nil {
		return nil
	}
	return errs.New(errs.InFailedSQLTransaction, "current transaction is aborted, commands ignored until end of transaction block")
}

func tagged(verb string, n int64) string { return fmt.Sprintf("%s %d", verb, n) }
