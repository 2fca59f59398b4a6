package ddl

import (
	"context"
	"slices"
	"strings"

	"holdfast/planner/bind"
	"holdfast/sql/algebra"
	"holdfast/sql/ast"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// createIndex is CREATE INDEX.
func (env *Env) createIndex(ctx context.Context, s *ast.CreateIndex) error {
	if s.Concurrently && env.InBlock {
		return errs.New(errs.ActiveSQLTransaction, "CREATE INDEX CONCURRENTLY cannot run inside a transaction block")
	}
	switch s.Method {
	case "", "btree", "hash":
	default:
		return errs.Unsupported(`access method "%s"`, s.Method).WithHint("Use btree, the default.")
	}
	if s.Tablespace != "" {
		return errs.Unsupported("tablespaces")
	}
	if len(s.Options) > 0 {
		return errs.Unsupported("index storage parameters")
	}
	old, err := env.table(s.Table, false)
	if err != nil {
		return err
	}
	if old.Kind != catalog.KindTable {
		return errs.New(errs.WrongObjectType, `cannot create index on relation "%s"`, old.Name).
			WithDetail("This operation is not supported for views or sequences.")
	}
	if s.Name != "" && env.relationTaken(old.Schema, s.Name) {
		if s.IfNotExists {
			env.notice(errs.DuplicateTable, `relation "%s" already exists, skipping`, s.Name)
			return nil
		}
		return errs.New(errs.DuplicateTable, `relation "%s" already exists`, s.Name)
	}
	t := clone(old)
	x := &catalog.Index{Name: s.Name, Table: t.OID, Unique: s.Unique, NullsNotDistinct: s.NullsNotDistinct}
	var names []string
	for _, e := range s.Elems {
		k, name, uses, err := env.indexKey(ctx, t, e)
		if err != nil {
			return err
		}
		x.Uses = append(x.Uses, uses...)
		x.Keys = append(x.Keys, k)
		names = append(names, name)
	}
	if len(x.Keys) > 32 {
		return errs.New(errs.TooManyColumns, "cannot use more than 32 columns in an index")
	}
	for _, n := range s.Include {
		c := t.Column(n)
		if c == nil {
			return errs.New(errs.UndefinedColumn, `column "%s" does not exist`, n)
		}
		x.Include = append(x.Include, c.Number)
	}
	if s.Where != nil {
		b, err := bind.BindExpr(ctx, env.printing(), t, s.Where, bind.IndexPredicate, nil, types.NoTypmod, "")
		if err != nil {
			return err
		}
		x.Predicate = b.Text
		x.Uses = append(x.Uses, b.Columns...)
	}
	slices.Sort(x.Uses)
	x.Uses = slices.Compact(x.Uses)
	if x.Name == "" {
		x.Name = env.constraintName(t, strings.Join(names, "_"), "idx", true)
	}
	t.Indexes = append(t.Indexes, x)
	if err := env.put(ctx, t); err != nil {
		return err
	}
	return env.fill(ctx, t, x)
}

// indexKey binds one key column of an index. It also gives the name the column contributes to that of the index,
// and the columns that an expression reads.
func (env *Env) indexKey(ctx context.Context, t *catalog.Table, e *ast.IndexElem) (k catalog.IndexKey, name string, uses []int16, err error) {
	k = catalog.IndexKey{Desc: e.Desc, NullsFirst: e.Desc}
	if e.NullsFirst != nil {
		k.NullsFirst = *e.NullsFirst
	}
	if len(e.OpClass) > 0 {
		switch c := e.OpClass[len(e.OpClass)-1]; {
		case strings.HasSuffix(c, "_pattern_ops"), strings.HasSuffix(c, "_ops") && !strings.Contains(c, "trgm"):
			// The default order is bytewise, which is what the pattern classes are for.
		default:
			return k, "", nil, errs.Unsupported(`operator class "%s"`, c)
		}
	}
	if e.Column != "" {
		c := t.Column(e.Column)
		if c == nil {
			return k, "", nil, errs.New(errs.UndefinedColumn, `column "%s" does not exist`, e.Column)
		}
		k.Column, k.Type = c.Number, c.Type
		if _, err := funcs.OrderingOperator(c.Type); err != nil {
			return k, "", nil, noOrdering(c.Type)
		}
		return k, c.Name, nil, nil
	}
	b, err := bind.BindExpr(ctx, env.printing(), t, e.Expr, bind.IndexExpr, nil, types.NoTypmod, "")
	if err != nil {
		return k, "", nil, err
	}
	if c, ok := b.Expr.(*algebra.Col); ok && c.ID > 0 && int(c.ID) <= len(t.Columns) {
		col := t.Columns[c.ID-1]
		k.Column, k.Type = col.Number, col.Type
		return k, col.Name, nil, nil
	}
	k.Expr, k.Type = b.Text, b.Expr.Type()
	if _, err := funcs.OrderingOperator(k.Type); err != nil {
		return k, "", nil, noOrdering(k.Type)
	}
	name = "expr"
	if c, ok := b.Expr.(*algebra.Call); ok && c.Op == "" {
		name = c.Func.Name
	}
	return k, name, b.Columns, nil
}
