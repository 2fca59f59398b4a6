package planner

import (
	"context"

	"holdfast/planner/exec"
	"holdfast/planner/optimize"
	"holdfast/sql/ast"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
)

// setConstraints is SET CONSTRAINTS. What becomes immediate is checked at once.
func (s *Session) setConstraints(ctx context.Context, st *ast.SetConstraints) error {
	if !s.tx.explicit {
		s.notice(&errs.Error{Severity: "WARNING", Code: errs.NoActiveSQLTransaction, Message: "SET CONSTRAINTS can only be used in transaction blocks"})
	}
	if err := s.open(ctx, false); err != nil {
		return err
	}
	var constraints []catalog.OID
	for _, name := range st.Names {
		found, err := s.deferrable(name)
		if err != nil {
			return err
		}
		constraints = append(constraints, found...)
	}
	x := s.execContext(ctx, nil)
	x.Occasion = "SET CONSTRAINTS"
	return s.tx.deferred.Set(x, s.presentRules(ctx), st.Deferred, constraints)
}

// deferrable finds the constraints and assertions of a name. As in PostgreSQL a constraint's name need not be
// unique; in the first schema of the search path that has it, all count.
func (s *Session) deferrable(name *ast.TableName) (list []catalog.OID, err error) {
	snapshot := s.tx.snapshot
	path := s.settings.path
	if name.Schema != "" {
		path = []string{name.Schema}
		if snapshot.Schema(name.Schema) == nil {
			return nil, errs.New(errs.InvalidSchemaName, `schema "%s" does not exist`, name.Schema)
		}
	}
	for _, p := range path {
		schema := snapshot.Schema(p)
		if schema == nil {
			continue
		}
		fixed := false
		add := func(oid catalog.OID, deferrable bool) {
			if deferrable {
				list = append(list, oid)
			} else {
				fixed = true
			}
		}
		for _, t := range snapshot.Tables() {
			if t.Schema != schema.OID {
				continue
			}
			if k := t.Constraint(name.Name); k != nil {
				add(k.OID, k.Deferrable)
			}
		}
		if a := snapshot.Assertion(schema.OID, name.Name); a != nil {
			add(a.OID, a.Deferrable)
		}
		if fixed {
			return nil, errs.New(errs.WrongObjectType, `constraint "%s" is not deferrable`, name.Name)
		}
		if list != nil {
			return list, nil
		}
	}
	return nil, errs.New(errs.UndefinedObject, `constraint "%s" does not exist`, name.Name)
}

// presentRules finds rules in the transaction's state of the schema.
func (s *Session) presentRules(ctx context.Context) exec.PresentRules {
	o := optimize.Options{Snapshot: s.tx.snapshot, Catalog: s.engine.catalog, Ctx: s.functionContext(ctx), WorkMem: s.settings.workMem}
	return exec.PresentRules{
		Rule: func(constraint catalog.OID, part int, table catalog.OID) (*exec.Rule, error) {
			return optimize.PresentRule(ctx, o, constraint, part, table)
		},
		InFull: func(constraint catalog.OID) ([]*exec.Rule, error) {
			a := o.Snapshot.AssertionByOID(constraint)
			if a == nil || a.Disabled || a.NotEnforced {
				return nil, nil
			}
			return optimize.FullChecks(ctx, o, a)
		},
	}
}

// checkDeferred checks at COMMIT what was deferred. A row that the checks lock may be newer than the
// snapshot, and what they find violated may not be so any more; they then start over on the newest state.
func (s *Session) checkDeferred(ctx context.Context) error {
	t := s.tx
	if t.deferred.Empty() {
		return nil
	}
	for s.reconsidered = 0; ; {
		mark, requirements, repeats := t.kv.Savepoint(), t.requirements.Mark(), t.repeats.Mark()
		x := s.execContext(ctx, nil)
		x.Occasion = "COMMIT"
		err := s.reconsider(t.deferred.Check(x, s.presentRules(ctx)))
		if !isStale(err) {
			return err
		}
		t.kv.Retract(mark)
		t.requirements.RollbackTo(requirements)
		t.repeats.Retract(repeats)
		if err := s.refresh(ctx); err != nil {
			return err
		}
	}
}
