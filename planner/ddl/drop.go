package ddl

import (
	"context"
	"maps"
	"slices"
	"strings"

	"holdfast/planner/bind"
	"holdfast/sql/ast"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
)

// drop is DROP of tables, views, indexes, sequences, schemas and assertions.
func (env *Env) drop(ctx context.Context, s *ast.Drop) error {
	var targets []catalog.Target
	for _, n := range s.Names {
		oid, err := env.dropTarget(s, n)
		if err != nil {
			code := errs.CodeOf(err)
			if s.IfExists && (code == errs.UndefinedTable || code == errs.UndefinedObject || code == errs.InvalidSchemaName) {
				if code == errs.InvalidSchemaName && s.Kind != ast.ObjSchema {
					env.notice(errs.SuccessfulCompletion, `schema "%s" does not exist, skipping`, n.Schema)
				} else {
					env.notice(errs.SuccessfulCompletion, `%s "%s" does not exist, skipping`, s.Kind, n.Name)
				}
				continue
			}
			return err
		}
		if t := env.Snapshot.RelationByOID(oid); t != nil {
			if err := env.unwatched(t, "DROP TABLE"); err != nil {
				return err
			}
		}
		if !slices.Contains(targets, catalog.Target{OID: oid}) {
			targets = append(targets, catalog.Target{OID: oid})
		}
	}
	if len(targets) == 0 {
		return nil
	}
	return env.dropTargets(ctx, s.Cascade, targets...)
}

var kindWords = map[catalog.RelKind]string{catalog.KindTable: "table", catalog.KindView: "view", catalog.KindSequence: "sequence"}

// wrongKind is the error of a DROP that names an object of another kind.
func wrongKind(name, wanted, have string) error {
	article := func(kind string) string {
		if kind == "index" {
			return "an index"
		}
		return "a " + kind
	}
	return errs.New(errs.WrongObjectType, `"%s" is not %s`, name, article(wanted)).
		WithHint("Use DROP %s to remove %s.", strings.ToUpper(have), article(have))
}

// dropTarget finds one object to be dropped.
func (env *Env) dropTarget(s *ast.Drop, n *ast.TableName) (catalog.OID, error) {
	undefined := func(code errs.Code, kind string) error {
		return errs.New(code, `%s "%s" does not exist`, kind, n.Name)
	}
	switch s.Kind {
	case ast.ObjTable, ast.ObjView, ast.ObjSequence:
		t, err := env.Snapshot.Lookup(env.SearchPath, n.Schema, n.Name)
		if err != nil {
			if errs.CodeOf(err) == errs.UndefinedTable {
				return 0, undefined(errs.UndefinedTable, string(s.Kind))
			}
			if _, x, e := env.Snapshot.LookupIndex(env.SearchPath, n.Schema, n.Name); e == nil {
				return 0, wrongKind(x.Name, string(s.Kind), "index")
			}
			return 0, err
		}
		if t.Virtual != nil && t.Kind != catalog.KindSequence {
			return 0, errs.New(errs.InsufficientPrivilege, `permission denied: "%s" is a system catalog`, t.Name)
		}
		if have := kindWords[t.Kind]; have != string(s.Kind) {
			return 0, wrongKind(t.Name, string(s.Kind), have)
		}
		return t.OID, nil
	case ast.ObjIndex:
		_, x, err := env.Snapshot.LookupIndex(env.SearchPath, n.Schema, n.Name)
		if err != nil {
			if t, e := env.Snapshot.Lookup(env.SearchPath, n.Schema, n.Name); e == nil {
				return 0, wrongKind(t.Name, "index", kindWords[t.Kind])
			}
			return 0, err
		}
		if x.Constraint != 0 {
			t, k := env.Snapshot.Constraint(x.Constraint)
			if k != nil {
				return 0, errs.New(errs.DependentObjectsStillExist, "cannot drop index %s because constraint %s on table %s requires it", x.Name, k.Name, t.Name).
					WithHint("You can drop constraint %s on table %s instead.", k.Name, t.Name)
			}
		}
		return x.OID, nil
	case ast.ObjSchema:
		sc := env.Snapshot.Schema(n.Name)
		if sc == nil {
			return 0, undefined(errs.InvalidSchemaName, "schema")
		}
		if sc.OID == catalog.PgCatalogOID || sc.OID == catalog.InformationSchemaOID {
			return 0, errs.New(errs.DependentObjectsStillExist, "cannot drop schema %s because it is required by the database system", sc.Name)
		}
		return sc.OID, nil
	case ast.ObjAssertion:
		a, err := env.Snapshot.LookupAssertion(env.SearchPath, n.Schema, n.Name)
		if err != nil {
			return 0, err
		}
		return a.OID, nil
	case ast.ObjMatView, ast.ObjType, ast.ObjDomain, ast.ObjFunction, ast.ObjTrigger, ast.ObjRule, ast.ObjPolicy, ast.ObjExtension:
		if s.IfExists {
			return 0, undefined(errs.UndefinedObject, string(s.Kind))
		}
	}
	return 0, errs.Unsupported("DROP %s", strings.ToUpper(string(s.Kind)))
}

// dropTargets drops objects and, with cascade, what depends on them.
func (env *Env) dropTargets(ctx context.Context, cascade bool, targets ...catalog.Target) error {
	if !cascade {
		if e := env.Snapshot.DependencyError(env.SearchPath, targets...); e != nil {
			return e
		}
	}
	dependents := env.Snapshot.DependentClosure(targets...)
	var told []string
	for _, d := range dependents {
		if !d.Auto {
			told = append(told, "drop cascades to "+env.Snapshot.DescribeDependent(d, env.SearchPath))
		}
	}
	if cascade && len(told) == 1 {
		env.notice(errs.SuccessfulCompletion, "%s", told[0])
	} else if cascade && len(told) > 1 {
		e := errs.New(errs.SuccessfulCompletion, "drop cascades to %d other objects", len(told)).WithDetail("%s", strings.Join(told, "\n"))
		e.Severity = "NOTICE"
		env.Notice(e)
	}
	// Views, assertions and constraints first, so that nothing refers to what is already gone.
	for _, pass := range []func(catalog.DependentKind) bool{
		func(k catalog.DependentKind) bool { return k == catalog.DependentAssertion },
		func(k catalog.DependentKind) bool { return k == catalog.DependentConstraint },
		func(k catalog.DependentKind) bool { return k == catalog.DependentDefault },
		func(k catalog.DependentKind) bool { return k == catalog.DependentIndex },
		func(k catalog.DependentKind) bool { return k == catalog.DependentTable },
		func(k catalog.DependentKind) bool { return k == catalog.DependentColumn },
		func(k catalog.DependentKind) bool { return k == catalog.DependentType },
	} {
		for _, d := range dependents {
			if pass(d.Kind) {
				if err := env.remove(ctx, d.Kind, d.OID, d.Column); err != nil {
					return err
				}
			}
		}
	}
	for _, t := range targets {
		if err := env.removeTarget(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// removeTarget removes an object whatever its kind.
func (env *Env) removeTarget(ctx context.Context, t catalog.Target) error {
	s := env.Snapshot
	switch {
	case t.Column != 0:
		return env.remove(ctx, catalog.DependentColumn, t.OID, t.Column)
	case s.RelationByOID(t.OID) != nil:
		return env.dropRelation(ctx, t.OID)
	case s.AssertionByOID(t.OID) != nil:
		return env.remove(ctx, catalog.DependentAssertion, t.OID, 0)
	case s.SchemaByOID(t.OID) != nil:
		n, err := s.DropSchema(ctx, env.Txn, t.OID)
		if err == nil {
			env.Snapshot = n
		}
		return err
	}
	if table, k := s.Constraint(t.OID); table != nil && k != nil {
		return env.remove(ctx, catalog.DependentConstraint, t.OID, 0)
	}
	return env.remove(ctx, catalog.DependentIndex, t.OID, 0)
}

// dropRelation removes a table, view or sequence, and its keys after the commit.
func (env *Env) dropRelation(ctx context.Context, oid catalog.OID) error {
	t := env.Snapshot.RelationByOID(oid)
	if t == nil {
		return nil // gone with another object
	}
	n, err := env.Snapshot.DropTable(ctx, env.Txn, oid)
	if err != nil {
		return err
	}
	env.Snapshot = n
	switch t.Kind {
	case catalog.KindTable:
		ids := []catalog.StorageID{t.Storage}
		for _, x := range t.Indexes {
			if !x.Primary {
				ids = append(ids, x.Storage)
			}
		}
		env.discard(ids...)
	case catalog.KindSequence:
		env.discard(t.Sequence.Storage)
	}
	return nil
}

// remove removes one dependent object.
func (env *Env) remove(ctx context.Context, kind catalog.DependentKind, oid catalog.OID, column int16) error {
	s := env.Snapshot
	switch kind {
	case catalog.DependentAssertion:
		if s.AssertionByOID(oid) == nil {
			return nil
		}
		n, err := s.DropAssertion(ctx, env.Txn, oid)
		if err == nil {
			env.Snapshot = n
			env.forgetRule(oid)
		}
		return err
	case catalog.DependentTable:
		return env.dropRelation(ctx, oid)
	case catalog.DependentType:
		if s.UserType(oid) == nil {
			return nil // a row type goes with its table
		}
		n, err := s.DropType(ctx, env.Txn, oid)
		if err == nil {
			env.Snapshot = n
		}
		return err
	case catalog.DependentConstraint:
		t, k := s.Constraint(oid)
		if t == nil {
			return nil
		}
		return env.change(ctx, t, func(t *catalog.Table) error {
			t.Constraints = slices.DeleteFunc(t.Constraints, func(c *catalog.Constraint) bool { return c.OID == oid })
			if k.Kind == catalog.PrimaryKeyConstraint {
				return errs.Unsupported("dropping a primary key").WithHint("Rows are ordered by it; create a table without one and copy the rows.")
			}
			if k.Kind == catalog.UniqueConstraint {
				env.dropIndex(t, k.Index)
			}
			return nil
		})
	case catalog.DependentIndex:
		t, _ := s.IndexByOID(oid)
		if t == nil {
			return nil
		}
		return env.change(ctx, t, func(t *catalog.Table) error { env.dropIndex(t, oid); return nil })
	case catalog.DependentDefault:
		t := s.RelationByOID(oid)
		if t == nil {
			return nil
		}
		return env.change(ctx, t, func(t *catalog.Table) error { t.Columns[column-1].Default = ""; return nil })
	case catalog.DependentColumn:
		t := s.RelationByOID(oid)
		if t == nil || t.Columns[column-1].Dropped {
			return nil
		}
		if pk := t.PrimaryKey(); pk != nil && slices.ContainsFunc(pk.Keys, func(k catalog.IndexKey) bool { return k.Column == column }) {
			return errs.Unsupported("dropping a column of the primary key").WithHint("Rows are ordered by it; create a table without one and copy the rows.")
		}
		return env.change(ctx, t, func(t *catalog.Table) error {
			c := t.Columns[column-1]
			c.Dropped, c.NotNull, c.Default, c.Generated, c.Identity, c.Sequence = true, false, "", "", 0, 0
			c.Name = "........pg.dropped." + itoa(int64(column)) + "........"
			return nil
		})
	}
	return nil
}

// change puts a changed copy of a table.
func (env *Env) change(ctx context.Context, t *catalog.Table, f func(*catalog.Table) error) error {
	c := clone(t)
	if err := f(c); err != nil {
		return err
	}
	return env.put(ctx, c)
}

func (env *Env) dropIndex(t *catalog.Table, oid catalog.OID) {
	t.Indexes = slices.DeleteFunc(t.Indexes, func(x *catalog.Index) bool {
		if x.OID == oid {
			env.discard(x.Storage)
			return true
		}
		return false
	})
}

// truncate is TRUNCATE: the tables get new, empty storages.
func (env *Env) truncate(ctx context.Context, s *ast.Truncate) error {
	var tables []*catalog.Table
	in := map[catalog.OID]bool{}
	add := func(t *catalog.Table) {
		if !in[t.OID] {
			in[t.OID] = true
			tables = append(tables, t)
		}
	}
	for _, r := range s.Tables {
		t, err := env.table(r.Table, false)
		if err != nil {
			return err
		}
		if t.Kind != catalog.KindTable {
			return errs.New(errs.WrongObjectType, `"%s" is not a table`, t.Name)
		}
		add(t)
	}
	for i := 0; i < len(tables); i++ {
		for _, oid := range tables[i].Referencing {
			r := env.Snapshot.RelationByOID(oid)
			if r == nil || in[oid] {
				continue
			}
			if s.Cascade {
				env.notice(errs.SuccessfulCompletion, `truncate cascades to table "%s"`, r.Name)
				add(r)
				continue
			}
			return errs.New(errs.FeatureNotSupported, "cannot truncate a table referenced in a foreign key constraint").
				WithDetail(`Table "%s" references "%s".`, r.Name, tables[i].Name).
				WithHint(`Truncate table "%s" at the same time, or use TRUNCATE ... CASCADE.`, r.Name)
		}
	}
	rules := map[catalog.OID]*catalog.Assertion{}
	old := map[catalog.OID]map[string]int{} // violations there were, of rules that allow for them
	for _, t := range tables {
		for _, a := range env.Snapshot.AssertionsOn(t.OID) {
			if a.Disabled || rules[a.OID] != nil {
				continue
			}
			rules[a.OID] = a
			if a.NotValid || a.NotEnforced {
				var err error
				if old[a.OID], err = env.violations(ctx, a); err != nil {
					return err
				}
			}
		}
	}
	for _, t := range tables {
		if err := env.unwatched(t, "TRUNCATE"); err != nil {
			return err
		}
		n := clone(t)
		ids := freshStorage(n)
		if err := env.put(ctx, n); err != nil {
			return err
		}
		env.discard(ids...)
		if err := env.emptyAccumulators(ctx, n); err != nil {
			return err
		}
		stats := env.Catalog.Stats(t.OID)
		env.AfterCommit(func() { stats.Set(0, 0) })
		if s.RestartIdentity {
			for _, c := range t.Columns {
				if q := env.Snapshot.RelationByOID(c.Sequence); q != nil {
					m := clone(q)
					old := m.Sequence.Storage
					m.Sequence.Storage = 0
					if err := env.put(ctx, m); err != nil {
						return err
					}
					env.discard(old)
				}
			}
		}
	}
	for _, oid := range slices.Sorted(maps.Keys(rules)) {
		a := rules[oid]
		var err error
		if a.NotValid || a.NotEnforced {
			err = env.noneButOld(ctx, a, old[oid])
		} else if !env.Defer(a) {
			err = env.checkAssertion(ctx, a)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// comment is COMMENT ON.
func (env *Env) comment(ctx context.Context, s *ast.Comment) error {
	text := ""
	if s.Text != nil {
		text = *s.Text
	}
	switch s.Kind {
	case ast.ObjTable, ast.ObjView, ast.ObjSequence:
		t, err := env.table(s.Name, false)
		if err != nil {
			return err
		}
		if kindWords[t.Kind] != string(s.Kind) {
			return errs.New(errs.WrongObjectType, `"%s" is not a %s`, t.Name, s.Kind)
		}
		return env.change(ctx, t, func(t *catalog.Table) error { t.Comment = text; return nil })
	case ast.ObjColumn:
		t, err := env.table(s.Name, false)
		if err != nil {
			return err
		}
		if t.Column(s.Column) == nil {
			return errs.New(errs.UndefinedColumn, `column "%s" of relation "%s" does not exist`, s.Column, t.Name)
		}
		return env.change(ctx, t, func(t *catalog.Table) error { t.Column(s.Column).Comment = text; return nil })
	case ast.ObjConstraint:
		t, err := env.table(s.Name, false)
		if err != nil {
			return err
		}
		return env.change(ctx, t, func(t *catalog.Table) error {
			for _, k := range t.Constraints {
				if k.Name == s.Column {
					k.Comment = text
					return nil
				}
			}
			return errs.New(errs.UndefinedObject, `constraint "%s" for table "%s" does not exist`, s.Column, t.Name)
		})
	case ast.ObjIndex:
		t, x, err := env.Snapshot.LookupIndex(env.SearchPath, s.Name.Schema, s.Name.Name)
		if err != nil {
			return err
		}
		return env.change(ctx, t, func(t *catalog.Table) error { t.Index(x.OID).Comment = text; return nil })
	case ast.ObjSchema:
		sc := env.Snapshot.Schema(s.Name.Name)
		if sc == nil {
			return errs.New(errs.InvalidSchemaName, `schema "%s" does not exist`, s.Name.Name)
		}
		c := *sc
		c.Comment = text
		n, err := env.Snapshot.PutSchema(ctx, env.Txn, &c)
		if err == nil {
			env.Snapshot = n
		}
		return err
	case ast.ObjAssertion:
		a, err := env.Snapshot.LookupAssertion(env.SearchPath, s.Name.Schema, s.Name.Name)
		if err != nil {
			return err
		}
		c := *a
		c.Comment = text
		return env.putAssertion(ctx, &c)
	}
	return errs.Unsupported("COMMENT ON %s", strings.ToUpper(string(s.Kind)))
}

// rename is ALTER .. RENAME. What refers to a renamed table or column by its text is written anew.
func (env *Env) rename(ctx context.Context, s *ast.Rename) error {
	switch s.Kind {
	case ast.ObjTable, ast.ObjView, ast.ObjSequence, ast.ObjIndex:
		if s.Kind == ast.ObjIndex {
			t, x, err := env.Snapshot.LookupIndex(env.SearchPath, s.Table.Schema, s.Table.Name)
			if err != nil {
				return err
			}
			if env.relationTaken(t.Schema, s.NewName) {
				return errs.New(errs.DuplicateTable, `relation "%s" already exists`, s.NewName)
			}
			return env.change(ctx, t, func(t *catalog.Table) error {
				for _, k := range t.Constraints {
					if k.Index == x.OID && k.Kind != catalog.ForeignKeyConstraint {
						k.Name = s.NewName
					}
				}
				t.Index(x.OID).Name = s.NewName
				return nil
			})
		}
		t, err := env.table(s.Table, s.IfExists)
		if err != nil || t == nil {
			return err
		}
		if env.relationTaken(t.Schema, s.NewName) {
			return errs.New(errs.DuplicateTable, `relation "%s" already exists`, s.NewName)
		}
		if err := env.unread(t, 0, "renaming"); err != nil {
			return err
		}
		if err := env.change(ctx, t, func(t *catalog.Table) error { t.Name = s.NewName; return nil }); err != nil {
			return err
		}
		if t.Kind == catalog.KindSequence {
			return env.renameInDefaults(ctx, t, s.NewName)
		}
		return nil
	case ast.ObjColumn:
		t, err := env.table(s.Table, s.IfExists)
		if err != nil || t == nil {
			return err
		}
		c := t.Column(s.Name)
		if c == nil {
			return errs.New(errs.UndefinedColumn, `column "%s" does not exist`, s.Name)
		}
		if t.Column(s.NewName) != nil {
			return errs.New(errs.DuplicateColumn, `column "%s" of relation "%s" already exists`, s.NewName, t.Name)
		}
		if err := env.unread(t, c.Number, "renaming"); err != nil {
			return err
		}
		return env.renameColumn(ctx, t, c.Number, s.NewName)
	case ast.ObjConstraint:
		t, err := env.table(s.Table, s.IfExists)
		if err != nil || t == nil {
			return err
		}
		return env.change(ctx, t, func(t *catalog.Table) error {
			for _, k := range t.Constraints {
				if k.Name == s.NewName {
					return errs.New(errs.DuplicateObject, `constraint "%s" for relation "%s" already exists`, s.NewName, t.Name)
				}
			}
			for _, k := range t.Constraints {
				if k.Name == s.Name {
					if x := t.Index(k.Index); x != nil && k.Kind != catalog.ForeignKeyConstraint {
						x.Name = s.NewName
					}
					k.Name = s.NewName
					return nil
				}
			}
			return errs.New(errs.UndefinedObject, `constraint "%s" for table "%s" does not exist`, s.Name, t.Name)
		})
	case ast.ObjSchema:
		return errs.Unsupported("renaming a schema")
	}
	return errs.Unsupported("ALTER %s .. RENAME", strings.ToUpper(string(s.Kind)))
}

// renameInDefaults writes the defaults anew that name a sequence by its text. t is the sequence as it was.
func (env *Env) renameInDefaults(ctx context.Context, t *catalog.Table, name string) error {
	old, now := env.nextval(t.Schema, t.Name), env.nextval(t.Schema, name)
	for _, d := range env.Snapshot.Dependents(t.OID, 0) {
		if d.Kind != catalog.DependentDefault {
			continue
		}
		err := env.change(ctx, env.Snapshot.RelationByOID(d.OID), func(n *catalog.Table) error {
			c := n.Columns[d.Column-1]
			c.Default = strings.ReplaceAll(c.Default, old, now)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// unread refuses a change that views or assertions would have to be written anew for.
func (env *Env) unread(t *catalog.Table, column int16, what string) error {
	for _, d := range env.Snapshot.Dependents(t.OID, column) {
		if d.Kind == catalog.DependentAssertion || d.Kind == catalog.DependentTable && !d.Auto {
			return errs.Unsupported("%s what %s reads", what, env.Snapshot.DescribeDependent(d, env.SearchPath)).
				WithHint("Drop it, rename, and create it again: all in one transaction if you like.")
		}
	}
	return nil
}

// renameColumn renames a column in the table's own expressions too: they are bound under the old name and
// printed under the new one.
func (env *Env) renameColumn(ctx context.Context, t *catalog.Table, number int16, name string) error {
	return env.change(ctx, t, func(n *catalog.Table) error {
		n.Columns[number-1].Name = name
		again := func(text *string, kind bind.ExprKind) error {
			if *text == "" {
				return nil
			}
			e, err := env.bound(ctx, t, *text, kind)
			if err != nil {
				return err
			}
			*text = e.TextAs(columnNames(n))
			return nil
		}
		for _, k := range n.Constraints {
			if k.Kind == catalog.CheckConstraint {
				if err := again(&k.Expr, bind.CheckExpr); err != nil {
					return err
				}
			}
		}
		for _, x := range n.Indexes {
			for i := range x.Keys {
				if x.Keys[i].Column == 0 {
					if err := again(&x.Keys[i].Expr, bind.IndexExpr); err != nil {
						return err
					}
				}
			}
			if err := again(&x.Predicate, bind.IndexPredicate); err != nil {
				return err
			}
		}
		for _, c := range n.Columns {
			if err := again(&c.Generated, bind.GeneratedExpr); err != nil {
				return err
			}
		}
		return nil
	})
}

// setSchema is ALTER .. SET SCHEMA.
func (env *Env) setSchema(ctx context.Context, s *ast.AlterSetSchema) error {
	if s.Kind != ast.ObjTable && s.Kind != ast.ObjView && s.Kind != ast.ObjSequence {
		return errs.Unsupported("ALTER %s .. SET SCHEMA", strings.ToUpper(string(s.Kind)))
	}
	t, err := env.table(s.Name, s.IfExists)
	if err != nil || t == nil {
		return err
	}
	sc, err := env.Snapshot.CreationSchema(env.SearchPath, s.NewSchema, t.Name)
	if err != nil {
		return err
	}
	if env.relationTaken(sc.OID, t.Name) {
		return errs.New(errs.DuplicateTable, `relation "%s" already exists in schema "%s"`, t.Name, sc.Name)
	}
	if err := env.unread(t, 0, "moving"); err != nil {
		return err
	}
	for _, c := range t.Columns {
		if c.Sequence != 0 {
			return errs.Unsupported("moving a table with serial or identity columns")
		}
	}
	return env.change(ctx, t, func(t *catalog.Table) error { t.Schema = sc.OID; return nil })
}
