package ddl

import (
	"context"
	"fmt"

	"holdfast/assertions"
	"holdfast/planner/exec"
	"holdfast/planner/optimize"
	"holdfast/sql/algebra"
	"holdfast/sql/ast"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/parse"
	"holdfast/sql/types"
)

// qualified is the name of a table for generated statements.
func (env *Env) qualified(t *catalog.Table) string {
	return types.QuoteIdentifier(env.Snapshot.SchemaByOID(t.Schema).Name) + "." + types.QuoteIdentifier(t.Name)
}

// query runs a generated query and returns its first row, nil if there is none.
func (env *Env) query(ctx context.Context, format string, args ...any) (row []types.Datum, ts []*types.Type, err error) {
	text := fmt.Sprintf(format, args...)
	st, err := parse.Parse(text)
	if err != nil {
		return nil, nil, err
	}
	return env.first(ctx, st[0].Stmt, text)
}

// first runs a statement and returns its first row, nil if there is none.
func (env *Env) first(ctx context.Context, stmt ast.Stmt, text string) (row []types.Datum, ts []*types.Type, err error) {
	_, err = env.Run(ctx, env, stmt, text, func(b *types.Batch) error {
		if row != nil || b.N == 0 {
			return nil
		}
		i := 0
		if b.Sel != nil {
			i = int(b.Sel[0])
		}
		for _, v := range b.Cols {
			row = append(row, v.Datum(i))
			ts = append(ts, v.Type)
		}
		if row == nil {
			row = []types.Datum{}
		}
		return nil
	})
	return row, ts, err
}

// execute runs a generated statement that changes rows.
func (env *Env) execute(ctx context.Context, format string, args ...any) error {
	_, _, err := env.query(ctx, format, args...)
	return err
}

// noNulls fails if a column holds a NULL.
func (env *Env) noNulls(ctx context.Context, t *catalog.Table, c *catalog.Column) error {
	if c.NotNull {
		return nil
	}
	row, _, err := env.query(ctx, "SELECT 1 FROM %s WHERE %s IS NULL LIMIT 1", env.qualified(t), types.QuoteIdentifier(c.Name))
	if err != nil || row == nil {
		return err
	}
	e := errs.New(errs.NotNullViolation, `column "%s" of relation "%s" contains null values`, c.Name, t.Name)
	e.Schema, e.Table, e.Column = env.Snapshot.SchemaByOID(t.Schema).Name, t.Name, c.Name
	return e
}

// validateNew checks the rows of a changed table against the constraints it did not have before, and fills
// new indexes.
func (env *Env) validateNew(ctx context.Context, old, t *catalog.Table) error {
	had := map[catalog.OID]bool{}
	for _, k := range old.Constraints {
		had[k.OID] = true
	}
	for _, x := range old.Indexes {
		had[x.OID] = true
	}
	for _, x := range t.Indexes {
		if !had[x.OID] && !x.Primary {
			if err := env.fill(ctx, t, x); err != nil {
				return err
			}
		}
	}
	for _, k := range t.Constraints {
		if !had[k.OID] && !k.NotValid {
			if err := env.holds(ctx, t, k); err != nil {
				return err
			}
		}
	}
	return nil
}

// fill writes the entries of a new index.
func (env *Env) fill(ctx context.Context, t *catalog.Table, x *catalog.Index) error {
	target, err := env.target(ctx, t)
	if err != nil {
		return err
	}
	return exec.FillIndex(env.Exec(ctx, env), target, x)
}

// holds fails if the rows of a table do not fulfil a constraint.
func (env *Env) holds(ctx context.Context, t *catalog.Table, k *catalog.Constraint) error {
	name := func(e *errs.Error) *errs.Error {
		e.Schema, e.Table, e.Constraint = env.Snapshot.SchemaByOID(t.Schema).Name, t.Name, k.Name
		return e
	}
	switch k.Kind {
	case catalog.CheckConstraint:
		row, _, err := env.query(ctx, "SELECT 1 FROM %s WHERE NOT (%s) LIMIT 1", env.qualified(t), k.Expr)
		if err != nil || row == nil {
			return err
		}
		return name(errs.New(errs.CheckViolation, `check constraint "%s" of relation "%s" is violated by some row`, k.Name, t.Name))
	case catalog.ForeignKeyConstraint:
		f := assertions.NewForeignKey(env.Snapshot, t, k)
		row, ts, err := env.first(ctx, f.AllMissing(), "")
		if err != nil {
			return err
		}
		if row != nil {
			x := env.Exec(ctx, env)
			var values []string
			for i, d := range row {
				values = append(values, exec.DatumText(x, ts[i], d, 0))
			}
			return f.Missing(values)
		}
		if q := f.AllMixed(); q != nil {
			if row, _, err = env.first(ctx, q, ""); err != nil {
				return err
			} else if row != nil {
				return f.MixedNulls()
			}
		}
	}
	return nil
}

// target compiles a table for writing rows outside of a plan.
func (env *Env) target(ctx context.Context, t *catalog.Table) (*exec.Target, error) {
	return optimize.Target(ctx, optimize.Options{Snapshot: env.Snapshot, Ctx: &env.Ctx}, t)
}

// freshStorage gives the rows and entries of a changed table new places, and returns the old ones.
func freshStorage(t *catalog.Table) []catalog.StorageID {
	old := []catalog.StorageID{t.Storage}
	t.Storage = 0
	for _, x := range t.Indexes {
		if !x.Primary {
			old = append(old, x.Storage)
			x.Storage = 0
		}
	}
	return old
}

// rewrite makes a changed table part of the schema and writes all rows anew in its form, with one column (0:
// none) computed by an expression over the old row. What other columns of old rows lack is written out.
func (env *Env) rewrite(ctx context.Context, old, t *catalog.Table, number int16, expr algebra.Scalar) error {
	discarded := freshStorage(t)
	for _, c := range t.Columns {
		c.Missing = types.Null
	}
	if err := env.put(ctx, t); err != nil {
		return err
	}
	target, err := env.target(ctx, t)
	if err != nil {
		return err
	}
	if err := exec.Rewrite(env.Exec(ctx, env), old, target, number, expr); err != nil {
		return err
	}
	env.discard(discarded...)
	return nil
}

// violations counts the violations of an assertion, by what they show.
func (env *Env) violations(ctx context.Context, a *catalog.Assertion) (map[string]int, error) {
	counts := map[string]int{}
	return counts, optimize.EachViolation(env.Exec(ctx, env), optimize.Options{Snapshot: env.Snapshot, Catalog: env.Catalog}, a,
		func(text string, _ func() error) bool { counts[text]++; return true })
}

// noneButOld fails with the first violation of an assertion that was not there before; of a rule that is NOT ENFORCED it warns. It uses up
// the counts.
func (env *Env) noneButOld(ctx context.Context, a *catalog.Assertion, old map[string]int) error {
	var found error
	err := optimize.EachViolation(env.Exec(ctx, env), optimize.Options{Snapshot: env.Snapshot, Catalog: env.Catalog}, a, func(text string, violated func() error) bool {
		if old[text]--; old[text] >= 0 {
			return true
		}
		found = violated()
		return false
	})
	if err == nil {
		err = found
	}
	return err
}

// checkAssertion fails with the first violating row if an assertion does not hold now.
func (env *Env) checkAssertion(ctx context.Context, a *catalog.Assertion) error {
	checks, err := optimize.FullChecks(ctx, optimize.Options{Snapshot: env.Snapshot, Catalog: env.Catalog}, a)
	if err != nil {
		return err
	}
	defer env.Checking(a)()
	x := env.Exec(ctx, env)
	for _, r := range checks {
		if err := r.CheckNow(x); err != nil {
			return err
		}
	}
	env.Checked(a.OID)
	return nil
}
