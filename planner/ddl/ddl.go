// Package ddl runs the statements that change the schema. All of them are transactional: they write the
// catalog through the transaction they run in, and so does what they do to rows. A statement works on copies
// of catalog objects, since those in a Snapshot are shared.
package ddl

import (
	"context"

	"holdfast/kv"
	"holdfast/planner/bind"
	"holdfast/planner/exec"
	"holdfast/sql/ast"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// Env is what a DDL statement runs in.
type Env struct {
	funcs.Ctx
	Store      kv.Store
	Catalog    *catalog.Catalog
	Txn        kv.Txn
	Snapshot   *catalog.Snapshot // the schema; Execute replaces it with the changed one
	SearchPath []string
	Text       string // of the statement
	User       string
	InBlock    bool // in a transaction block
	Notice     func(*errs.Error)
	// AfterCommit registers what is to be done once the transaction is durable, such as discarding the rows
	// of a dropped table.
	AfterCommit func(func())
	// Run plans and runs a query or data change in the same transaction, under Snapshot, and returns the
	// number of rows changed. rows gets what it returns.
	Run func(ctx context.Context, env *Env, stmt ast.Stmt, text string, rows func(*types.Batch) error) (int64, error)
	// Pending tells whether deferred rules are still to look at rows of a table that the transaction changed.
	Pending func(table catalog.OID) bool
	// Checked is called when an assertion has been checked in full: what the transaction changed before need not be looked at again.
	Checked func(assertion catalog.OID)
	// Defer has an assertion checked in full when it is due, if it is deferred now, and reports whether it is.
	Defer func(a *catalog.Assertion) bool
	// Later: what brings an assertion into force leaves it to the caller, by Owed, to look at the data there is; until then the assertion is
	// NOT VALID.
	Later bool
	Owed  *OwedCheck
	// Checking is called when an assertion is about to be evaluated in full; what it returns, after that.
	Checking func(a *catalog.Assertion) func()
	// InUse tells whether an open cursor of the transaction reads a table.
	InUse func(table catalog.OID) bool
	// Exec makes the context of an execution in the same transaction, under Snapshot.
	Exec func(ctx context.Context, env *Env) *exec.Ctx
}

// Execute runs a statement and returns its command tag.
func Execute(ctx context.Context, env *Env, stmt ast.Stmt) (string, error) {
	before := env.Snapshot
	var err error
	switch s := stmt.(type) {
	case *ast.CreateSchema:
		err = env.createSchema(ctx, s)
	case *ast.CreateTable:
		return env.createTable(ctx, s)
	case *ast.CreateIndex:
		err = env.createIndex(ctx, s)
	case *ast.CreateView:
		err = env.createView(ctx, s)
	case *ast.CreateSequence:
		_, err = env.createSequence(ctx, s)
	case *ast.AlterSequence:
		err = env.alterSequence(ctx, s)
	case *ast.CreateAssertion:
		err = env.createAssertion(ctx, s)
	case *ast.AlterAssertion:
		err = env.alterAssertion(ctx, s)
	case *ast.Drop:
		err = env.drop(ctx, s)
	case *ast.AlterTable:
		err = env.alterTable(ctx, s)
	case *ast.Rename:
		err = env.rename(ctx, s)
	case *ast.AlterSetSchema:
		err = env.setSchema(ctx, s)
	case *ast.AlterOwner:
		err = env.alterOwner(s)
	case *ast.Comment:
		err = env.comment(ctx, s)
	case *ast.Truncate:
		err = env.truncate(ctx, s)
	case *ast.CreateExtension:
		err = env.createExtension(s)
	case *ast.Reindex:
		err = env.reindex(s)
	default:
		return "", errs.Unsupported("this statement")
	}
	if err == nil {
		err = env.reviewAccumulators(ctx, before)
	}
	return Verb(stmt), err
}

// Verb is the command tag of a statement, as far as it is fixed.
func Verb(stmt ast.Stmt) string {
	switch s := stmt.(type) {
	case *ast.CreateSchema:
		return "CREATE SCHEMA"
	case *ast.CreateTable:
		if s.Materialized {
			return "CREATE MATERIALIZED VIEW"
		}
		return "CREATE TABLE"
	case *ast.CreateIndex:
		return "CREATE INDEX"
	case *ast.CreateView:
		return "CREATE VIEW"
	case *ast.CreateSequence:
		return "CREATE SEQUENCE"
	case *ast.AlterSequence:
		return "ALTER SEQUENCE"
	case *ast.CreateAssertion:
		return "CREATE ASSERTION"
	case *ast.AlterAssertion:
		return "ALTER ASSERTION"
	case *ast.Drop:
		return "DROP " + upper(string(s.Kind))
	case *ast.AlterTable:
		return "ALTER " + upper(string(s.Kind))
	case *ast.Rename:
		k := s.Kind
		if k == ast.ObjColumn || k == ast.ObjConstraint {
			k = s.Relation
		}
		return "ALTER " + upper(string(k))
	case *ast.AlterSetSchema:
		return "ALTER " + upper(string(s.Kind))
	case *ast.AlterOwner:
		return "ALTER " + upper(string(s.Kind))
	case *ast.Comment:
		return "COMMENT"
	case *ast.Truncate:
		return "TRUNCATE TABLE"
	case *ast.CreateExtension:
		return "CREATE EXTENSION"
	case *ast.Reindex:
		return "REINDEX"
	}
	return "this statement"
}

func upper(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'a' && c <= 'z' {
			b[i] = c - 'a' + 'A'
		}
	}
	return string(b)
}

// options are the options to bind expressions of the statement with.
func (env *Env) options() bind.Options {
	return bind.Options{Snapshot: env.Snapshot, SearchPath: env.SearchPath, FixedParams: true, Ctx: &env.Ctx, Text: env.Text}
}

// printing are the options to bind expressions with whose text is to be stored.
func (env *Env) printing() bind.Options {
	o := env.options()
	o.Print = true
	return o
}

// notice sends a NOTICE.
func (env *Env) notice(code errs.Code, format string, args ...any) {
	e := errs.New(code, format, args...)
	e.Severity = "NOTICE"
	env.Notice(e)
}

// at is the position of a node in characters from 1.
func (env *Env) at(pos int) int {
	if pos < 0 || pos > len(env.Text) {
		return 0
	}
	return len([]rune(env.Text[:pos])) + 1
}

// put makes a created or changed table part of the schema.
func (env *Env) put(ctx context.Context, t *catalog.Table) error {
	s, err := env.Snapshot.PutTable(ctx, env.Txn, t)
	if err == nil {
		env.Snapshot = s
	}
	return err
}

// table finds a relation for ALTER and the like.
func (env *Env) table(name *ast.TableName, missingOK bool) (*catalog.Table, error) {
	if err := catalog.CheckDatabase("postgres", name.Database, name.Schema, name.Name); err != nil {
		return nil, err
	}
	t, err := env.Snapshot.Lookup(env.SearchPath, name.Schema, name.Name)
	if err != nil {
		if missingOK && (errs.CodeOf(err) == errs.UndefinedTable || errs.CodeOf(err) == errs.InvalidSchemaName) {
			env.notice(errs.SuccessfulCompletion, `relation "%s" does not exist, skipping`, name.Name)
			return nil, nil
		}
		return nil, err
	}
	if t.Virtual != nil && t.Kind != catalog.KindSequence {
		return nil, errs.New(errs.InsufficientPrivilege, `permission denied: "%s" is a system catalog`, t.Name)
	}
	return t, nil
}

// unwatched refuses to do away with rows, or their form, that a cursor may still read or that deferred rules are still
// to look at.
func (env *Env) unwatched(t *catalog.Table, what string) error {
	if env.InUse(t.OID) {
		return errs.New(errs.ObjectInUse, `cannot %s "%s" because it is being used by active queries in this session`, what, t.Name)
	}
	if env.Pending(t.OID) {
		return errs.New(errs.ObjectInUse, `cannot %s "%s" because it has pending trigger events`, what, t.Name)
	}
	return nil
}

// clone is a copy of a table to be changed.
func clone(t *catalog.Table) *catalog.Table {
	c := *t
	c.Columns = make([]*catalog.Column, len(t.Columns))
	for i, col := range t.Columns {
		x := *col
		c.Columns[i] = &x
	}
	c.Indexes = make([]*catalog.Index, len(t.Indexes))
	for i, index := range t.Indexes {
		x := *index
		x.Keys = append([]catalog.IndexKey(nil), index.Keys...)
		c.Indexes[i] = &x
	}
	c.Constraints = make([]*catalog.Constraint, len(t.Constraints))
	for i, k := range t.Constraints {
		x := *k
		c.Constraints[i] = &x
	}
	if t.Sequence != nil {
		s := *t.Sequence
		c.Sequence = &s
	}
	return &c
}

// discard removes the keys of storages once the transaction is durable.
func (env *Env) discard(ids ...catalog.StorageID) {
	store := env.Store
	env.AfterCommit(func() {
		for _, id := range ids {
			if id != 0 {
				// What fails to be removed only takes up room: nothing reaches it any more.
				_ = store.Discard(context.Background(), kv.PrefixRange(catalog.RowPrefix(id)))
			}
		}
	})
}

func (env *Env) createSchema(ctx context.Context, s *ast.CreateSchema) error {
	if s.Owner != "" && s.Owner != env.User && s.Owner != "current_user" && s.Owner != "session_user" {
		return errs.New(errs.UndefinedObject, `role "%s" does not exist`, s.Owner)
	}
	name := s.Name
	if name == "" {
		name = s.Owner
	}
	if len(name) > 3 && name[:3] == "pg_" {
		return errs.New(errs.ReservedName, `unacceptable schema name "%s"`, name).WithDetail(`The prefix "pg_" is reserved for system schemas.`)
	}
	if env.Snapshot.Schema(name) != nil && s.IfNotExists {
		env.notice(errs.DuplicateSchema, `schema "%s" already exists, skipping`, name)
		return nil
	}
	snapshot, err := env.Snapshot.PutSchema(ctx, env.Txn, &catalog.Schema{Name: name, Owner: catalog.PostgresRoleOID})
	if err != nil {
		return err
	}
	env.Snapshot = snapshot
	path := env.SearchPath
	env.SearchPath = append([]string{name}, path...)
	defer func() { env.SearchPath = path }()
	for _, e := range s.Elements {
		if _, err := Execute(ctx, env, e); err != nil {
			return err
		}
	}
	return nil
}

func (env *Env) createExtension(s *ast.CreateExtension) error {
	switch s.Name {
	case "plpgsql":
	case "uuid-ossp", "pgcrypto":
		// What clients create these for, random UUIDs, is built in.
		env.notice(errs.DuplicateObject, `extension "%s": gen_random_uuid() is built in, other functions of it are not`, s.Name)
	default:
		return errs.New(errs.FeatureNotSupported, `extension "%s" is not available`, s.Name).
			WithDetail("Holdfast has no extensions.")
	}
	return nil
}

func (env *Env) reindex(s *ast.Reindex) error {
	return errs.Unsupported("REINDEX").WithHint("Indexes are changed in the same atomic step as their rows, and need no rebuilding.")
}

func (env *Env) alterOwner(s *ast.AlterOwner) error {
	if s.Owner != env.User && s.Owner != "current_user" && s.Owner != "session_user" {
		return errs.New(errs.UndefinedObject, `role "%s" does not exist`, s.Owner)
	}
	if s.Kind == ast.ObjTable || s.Kind == ast.ObjView || s.Kind == ast.ObjSequence {
		_, err := env.table(s.Name, false)
		return err
	}
	return nil
}
