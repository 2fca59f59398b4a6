package ddl

import (
	"context"
	"slices"

	"holdfast/planner/bind"
	"holdfast/planner/exec"
	"holdfast/sql/algebra"
	"holdfast/sql/ast"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// alterTable is ALTER TABLE: its commands run one after the other, each on what the last has left.
func (env *Env) alterTable(ctx context.Context, s *ast.AlterTable) error {
	t, err := env.table(s.Table, s.IfExists)
	if err != nil || t == nil {
		return err
	}
	if t.Kind == catalog.KindSequence && s.Kind == ast.ObjTable || t.Kind == catalog.KindView && s.Kind != ast.ObjView && s.Kind != ast.ObjTable {
		return errs.New(errs.WrongObjectType, `"%s" is not a table`, t.Name)
	}
	if err := env.unwatched(t, "ALTER TABLE"); err != nil {
		return err
	}
	for _, c := range s.Commands {
		t = env.Snapshot.RelationByOID(t.OID)
		if err := env.alter(ctx, t, c); err != nil {
			return err
		}
	}
	return nil
}

func (env *Env) alter(ctx context.Context, t *catalog.Table, c *ast.AlterCommand) error {
	if t.Kind != catalog.KindTable && c.Kind != ast.SetDefault && c.Kind != ast.ChangeOwner && c.Kind != ast.SetOptions && c.Kind != ast.ResetOptions {
		return errs.New(errs.WrongObjectType, `ALTER action cannot be performed on relation "%s"`, t.Name).
			WithDetail("This operation is not supported for views or sequences.")
	}
	switch c.Kind {
	case ast.AddColumn:
		return env.addColumn(ctx, t, c)
	case ast.DropColumn:
		return env.dropColumn(ctx, t, c)
	case ast.AddConstraint:
		return env.addConstraint(ctx, t, c.Constraint)
	case ast.DropConstraint:
		return env.dropConstraint(ctx, t, c)
	case ast.ValidateConstraint:
		return env.validateConstraint(ctx, t, c.Name)
	case ast.AlterConstraint:
		return env.alterConstraint(ctx, t, c)
	case ast.SetDefault, ast.SetNotNull, ast.DropNotNull, ast.AlterType, ast.AddIdentity, ast.DropIdentity, ast.SetIdentity, ast.DropExpression:
		return env.alterColumn(ctx, t, c)
	case ast.ChangeOwner:
		return env.alterOwner(&ast.AlterOwner{At: -1, Kind: ast.ObjOther, Owner: c.NewName})
	case ast.SetStatistics:
		return errs.Unsupported("SET STATISTICS")
	case ast.SetOptions, ast.ResetOptions:
		if t.Kind == catalog.KindView {
			return env.alterViewOptions(ctx, t, c)
		}
		return errs.Unsupported("storage parameters")
	case ast.EnableTrigger, ast.DisableTrigger:
		if c.Name == "all" || c.Name == "user" {
			return errs.Unsupported("ENABLE and DISABLE TRIGGER")
		}
		return errs.New(errs.UndefinedObject, `trigger "%s" for table "%s" does not exist`, c.Name, t.Name)
	case ast.ReplicaIdentity:
		return errs.Unsupported("REPLICA IDENTITY")
	}
	what := c.What
	if what == "" {
		what = "this form of ALTER TABLE"
	}
	return errs.Unsupported("%s", what)
}

// addColumn is ADD COLUMN. A constant default costs nothing, however many rows there are: rows written
// before read as if they had it. Any other default is computed for every row.
func (env *Env) addColumn(ctx context.Context, t *catalog.Table, c *ast.AlterCommand) error {
	if t.Column(c.Column.Name) != nil {
		if c.IfNotExists {
			env.notice(errs.DuplicateColumn, `column "%s" of relation "%s" already exists, skipping`, c.Column.Name, t.Name)
			return nil
		}
		return errs.New(errs.DuplicateColumn, `column "%s" of relation "%s" already exists`, c.Column.Name, t.Name)
	}
	d := &definition{env: env, table: clone(t)}
	if err := d.column(ctx, c.Column); err != nil {
		return err
	}
	col := d.table.Columns[len(d.table.Columns)-1]
	fill := col.Sequence != 0
	for _, p := range d.defaults {
		if p.generated {
			fill = true
			continue
		}
		e, err := bind.BindExpr(ctx, env.options(), nil, p.expr, bind.DefaultExpr, col.Type, col.Mod, col.Name)
		if err != nil {
			return err
		}
		if volatile(e.Expr) {
			fill = true
			continue
		}
		if col.Missing, err = exec.Evaluate(env.Exec(ctx, env), e.Expr); err != nil {
			return err
		}
	}
	notNull := col.NotNull
	col.NotNull = false
	if err := d.finish(ctx); err != nil {
		return err
	}
	if fill {
		if err := env.fillColumn(ctx, d.table, col); err != nil {
			return err
		}
	}
	if notNull {
		t = clone(env.Snapshot.RelationByOID(t.OID))
		col = t.Columns[col.Number-1]
		if err := env.noNulls(ctx, t, col); err != nil {
			return err
		}
		col.NotNull = true
		if err := env.put(ctx, t); err != nil {
			return err
		}
	}
	return env.validateNew(ctx, t, env.Snapshot.RelationByOID(t.OID))
}

// fillColumn computes a new column's default for the rows there are.
func (env *Env) fillColumn(ctx context.Context, t *catalog.Table, col *catalog.Column) error {
	if col.Generated != "" {
		// Any update computes generated columns anew.
		return env.execute(ctx, "UPDATE %s SET %s = DEFAULT", env.qualified(t), types.QuoteIdentifier(col.Name))
	}
	return env.execute(ctx, "UPDATE %s SET %s = DEFAULT", env.qualified(t), types.QuoteIdentifier(col.Name))
}

// volatile reports whether an expression may have another value for each row.
func volatile(s algebra.Scalar) bool {
	found := false
	v := algebra.Visitor{Scalar: func(s algebra.Scalar) bool {
		switch s := s.(type) {
		case *algebra.Call:
			found = found || s.Func.Volatility == 'v'
		case *algebra.Cast:
			found = found || s.Cast != nil && s.Cast.Func != nil && s.Cast.Func.Volatility == 'v'
		}
		return !found
	}}
	v.VisitScalar(s)
	return found
}

// alterColumn changes one column.
func (env *Env) alterColumn(ctx context.Context, t *catalog.Table, c *ast.AlterCommand) error {
	d := &definition{env: env, table: clone(t)}
	col := d.table.Column(c.Name)
	if col == nil {
		return errs.New(errs.UndefinedColumn, `column "%s" of relation "%s" does not exist`, c.Name, t.Name)
	}
	switch c.Kind {
	case ast.SetDefault:
		if col.Identity != 0 {
			return errs.New(errs.SyntaxError, `column "%s" of relation "%s" is an identity column`, col.Name, t.Name)
		}
		if col.Generated != "" {
			return errs.New(errs.SyntaxError, `column "%s" of relation "%s" is a generated column`, col.Name, t.Name)
		}
		col.Default = ""
		if c.Expr != nil {
			if err := d.bindDefault(ctx, pendingDefault{col, c.Expr, false}); err != nil {
				return err
			}
		}
	case ast.SetNotNull:
		if err := env.noNulls(ctx, t, col); err != nil {
			return err
		}
		col.NotNull = true
	case ast.DropNotNull:
		if pk := t.PrimaryKey(); pk != nil {
			for _, k := range pk.Keys {
				if k.Column == col.Number {
					return errs.New(errs.InvalidTableDefinition, `column "%s" is in a primary key`, col.Name)
				}
			}
		}
		if col.Identity != 0 {
			return errs.New(errs.SyntaxError, `column "%s" of relation "%s" is an identity column`, col.Name, t.Name)
		}
		col.NotNull = false
	case ast.AlterType:
		return env.alterType(ctx, t, c)
	case ast.AddIdentity:
		if col.Identity != 0 {
			return errs.New(errs.ObjectNotInPrerequisiteState, `column "%s" of relation "%s" is already an identity column`, col.Name, t.Name)
		}
		if col.Default != "" {
			return errs.New(errs.ObjectNotInPrerequisiteState, `column "%s" of relation "%s" already has a default value`, col.Name, t.Name)
		}
		if !col.NotNull {
			return errs.New(errs.ObjectNotInPrerequisiteState, `column "%s" of relation "%s" must be declared NOT NULL before identity can be added`, col.Name, t.Name)
		}
		if err := d.own(ctx, col, c.Options); err != nil {
			return err
		}
		col.Default = ""
		col.Identity = 'd'
		if c.Generated == "always" {
			col.Identity = 'a'
		}
		return d.finish(ctx)
	case ast.DropIdentity:
		if col.Identity == 0 {
			if c.IfExists {
				env.notice(errs.ObjectNotInPrerequisiteState, `column "%s" of relation "%s" is not an identity column, skipping`, col.Name, t.Name)
				return nil
			}
			return errs.New(errs.ObjectNotInPrerequisiteState, `column "%s" of relation "%s" is not an identity column`, col.Name, t.Name)
		}
		seq := col.Sequence
		col.Identity, col.Sequence = 0, 0
		if err := env.put(ctx, d.table); err != nil {
			return err
		}
		return env.dropRelation(ctx, seq)
	case ast.SetIdentity:
		if col.Identity == 0 {
			return errs.New(errs.ObjectNotInPrerequisiteState, `column "%s" of relation "%s" is not an identity column`, col.Name, t.Name)
		}
		switch c.Generated {
		case "always":
			col.Identity = 'a'
		case "by default":
			col.Identity = 'd'
		}
		if err := env.put(ctx, d.table); err != nil {
			return err
		}
		return env.setSequence(ctx, env.Snapshot.RelationByOID(col.Sequence), c.Options)
	case ast.DropExpression:
		if col.Generated == "" {
			return errs.New(errs.ObjectNotInPrerequisiteState, `column "%s" of relation "%s" is not a stored generated column`, col.Name, t.Name)
		}
		col.Generated = ""
	}
	return env.put(ctx, d.table)
}

// alterType is ALTER COLUMN .. TYPE: a new table storage is written with the converted values.
func (env *Env) alterType(ctx context.Context, t *catalog.Table, c *ast.AlterCommand) error {
	old := t.Column(c.Name)
	typ, mod, err := bind.ResolveType(env.options(), c.Column.Type)
	if err != nil {
		return err
	}
	for _, d := range env.Snapshot.Dependents(t.OID, old.Number) {
		if d.Auto || d.Kind == catalog.DependentIndex || d.Kind == catalog.DependentConstraint || d.Kind == catalog.DependentDefault {
			continue
		}
		return errs.New(errs.FeatureNotSupported, "cannot alter type of a column used by a view or rule").
			WithDetail("%s depends on column \"%s\"", env.Snapshot.DescribeDependent(d, env.SearchPath), old.Name)
	}
	using := c.Expr
	if using == nil {
		using = &ast.ColumnRef{At: -1, Names: []string{old.Name}}
		if _, ok := funcs.FindCast(old.Type, typ, funcs.CastAssignment); !ok && old.Type != typ {
			return errs.New(errs.DatatypeMismatch, `column "%s" cannot be cast automatically to type %s`, old.Name, types.FormatType(typ, mod)).
				WithHint(`You might need to specify "USING %s::%s".`, types.QuoteIdentifier(old.Name), types.FormatType(typ, mod))
		}
	}
	e, err := bind.BindExpr(ctx, env.options(), t, using, bind.AlterTypeUsing, typ, mod, old.Name)
	if err != nil {
		return err
	}
	n := clone(t)
	col := n.Columns[old.Number-1]
	col.Type, col.Mod, col.Missing = typ, mod, types.Null
	if col.Default != "" {
		if _, ok := funcs.FindCast(old.Type, typ, funcs.CastAssignment); !ok && old.Type != typ {
			return errs.New(errs.DatatypeMismatch, `default for column "%s" cannot be cast automatically to type %s`, old.Name, types.FormatType(typ, mod))
		}
	}
	for _, x := range n.Indexes {
		for i := range x.Keys {
			if x.Keys[i].Column == col.Number {
				x.Keys[i].Type = typ
			}
		}
	}
	return env.rewrite(ctx, t, n, col.Number, e.Expr)
}

// dropColumn is DROP COLUMN.
func (env *Env) dropColumn(ctx context.Context, t *catalog.Table, c *ast.AlterCommand) error {
	col := t.Column(c.Name)
	if col == nil {
		if c.IfExists {
			env.notice(errs.UndefinedColumn, `column "%s" of relation "%s" does not exist, skipping`, c.Name, t.Name)
			return nil
		}
		return errs.New(errs.UndefinedColumn, `column "%s" of relation "%s" does not exist`, c.Name, t.Name)
	}
	return env.dropTargets(ctx, c.Cascade, catalog.Target{OID: t.OID, Column: col.Number})
}

// addConstraint is ADD CONSTRAINT. Existing rows must fulfil it, unless it is NOT VALID.
func (env *Env) addConstraint(ctx context.Context, t *catalog.Table, c *ast.Constraint) error {
	d := &definition{env: env, table: clone(t), constraints: []pending{{constraint: c}}}
	if c.Kind == ast.ConstrPrimaryKey && t.PrimaryKey() == nil {
		return env.addPrimaryKey(ctx, t, d)
	}
	if err := d.finish(ctx); err != nil {
		return err
	}
	return env.validateNew(ctx, t, env.Snapshot.RelationByOID(t.OID))
}

// addPrimaryKey gives a table a primary key, by which its rows are then ordered: they are written anew.
func (env *Env) addPrimaryKey(ctx context.Context, t *catalog.Table, d *definition) error {
	if err := d.unique(d.constraints[0]); err != nil {
		return err
	}
	n := d.table
	for _, k := range n.PrimaryKey().Keys {
		if err := env.noNulls(ctx, t, t.Columns[k.Column-1]); err != nil {
			return err
		}
	}
	return env.rewrite(ctx, t, n, 0, nil)
}

// dropConstraint is DROP CONSTRAINT.
func (env *Env) dropConstraint(ctx context.Context, t *catalog.Table, c *ast.AlterCommand) error {
	for _, k := range t.Constraints {
		if k.Name == c.Name {
			return env.dropTargets(ctx, c.Cascade, catalog.Target{OID: k.OID})
		}
	}
	if c.IfExists {
		env.notice(errs.UndefinedObject, `constraint "%s" of relation "%s" does not exist, skipping`, c.Name, t.Name)
		return nil
	}
	return errs.New(errs.UndefinedObject, `constraint "%s" of relation "%s" does not exist`, c.Name, t.Name)
}

// validateConstraint is VALIDATE CONSTRAINT.
func (env *Env) validateConstraint(ctx context.Context, t *catalog.Table, name string) error {
	n := clone(t)
	i := slices.IndexFunc(n.Constraints, func(k *catalog.Constraint) bool { return k.Name == name })
	if i < 0 {
		return errs.New(errs.UndefinedObject, `constraint "%s" of relation "%s" does not exist`, name, t.Name)
	}
	k := n.Constraints[i]
	if k.Kind != catalog.CheckConstraint && k.Kind != catalog.ForeignKeyConstraint {
		return errs.New(errs.WrongObjectType, `constraint "%s" of relation "%s" is not a foreign key or check constraint`, name, t.Name)
	}
	if !k.NotValid {
		return nil
	}
	if err := env.holds(ctx, t, k); err != nil {
		return err
	}
	k.NotValid = false
	return env.put(ctx, n)
}

// alterConstraint is ALTER CONSTRAINT, of a foreign key's deferrability.
func (env *Env) alterConstraint(ctx context.Context, t *catalog.Table, c *ast.AlterCommand) error {
	n := clone(t)
	for _, k := range n.Constraints {
		if k.Name != c.Constraint.Name && k.Name != c.Name {
			continue
		}
		if k.Kind != catalog.ForeignKeyConstraint {
			return errs.New(errs.WrongObjectType, `constraint "%s" of relation "%s" is not a foreign key constraint`, k.Name, t.Name)
		}
		k.Deferrable, k.InitiallyDeferred = c.Constraint.Deferrable, c.Constraint.InitiallyDeferred
		return env.put(ctx, n)
	}
	return errs.New(errs.UndefinedObject, `constraint "%s" of relation "%s" does not exist`, c.Name, t.Name)
}
