package ddl

import (
	"context"
	"slices"
	"strings"

	"holdfast/assertions"
	"holdfast/planner/bind"
	"holdfast/planner/optimize"
	"holdfast/sql/ast"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/parse"
	"holdfast/sql/types"
)

// createAssertion is CREATE ASSERTION. The data there is must fulfil it, unless it is NOT VALID.
func (env *Env) createAssertion(ctx context.Context, s *ast.CreateAssertion) error {
	schema, err := env.Snapshot.CreationSchema(env.SearchPath, s.Name.Schema, s.Name.Name)
	if err != nil {
		return err
	}
	if env.Snapshot.Assertion(schema.OID, s.Name.Name) != nil {
		if s.IfNotExists {
			env.notice(errs.DuplicateObject, `assertion "%s" already exists, skipping`, s.Name.Name)
			return nil
		}
		return errs.New(errs.DuplicateObject, `assertion "%s" already exists`, s.Name.Name)
	}
	cond, err := bind.BindCondition(ctx, env.options(), s.Condition)
	if err != nil {
		return hintCondition(err, s)
	}
	for _, v := range assertions.Violations(s.Condition) {
		q, err := bind.Bind(ctx, env.options(), v)
		if err != nil {
			return err
		}
		if err := assertions.CheckQuery(q); err != nil {
			return err
		}
	}
	// The condition as a query of one column has a text that means the same under any search path.
	holds := s.Condition
	if _, ok := holds.(*ast.Literal); ok { // which alone would not be known to be a truth value
		holds = &ast.Cast{At: -1, Arg: holds, Type: &ast.TypeName{At: -1, Names: []string{"pg_catalog", "bool"}}}
	}
	_, text, err := bind.BindView(ctx, env.options(), &ast.Select{At: -1, Targets: []*ast.Target{{At: -1, Expr: holds, Name: "holds"}}}, nil)
	if err != nil {
		return err
	}
	a := &catalog.Assertion{
		Schema: schema.OID, Name: s.Name.Name, Owner: catalog.PostgresRoleOID, Condition: text.Query, Source: s.ConditionText,
		Deferrable: s.Deferrable, InitiallyDeferred: s.InitiallyDeferred, NotValid: s.NotValid, NotEnforced: s.NotEnforced, DependsOn: text.DependsOn,
	}
	// It depends on what views read as well.
	for oid, numbers := range assertions.ConditionReads(cond.Query, cond.Expr) {
		for _, n := range numbers {
			if !slices.Contains(a.DependsOn[oid], n) {
				a.DependsOn[oid] = append(a.DependsOn[oid], n)
			}
		}
		if _, ok := a.DependsOn[oid]; !ok {
			a.DependsOn[oid] = nil
		}
	}
	if env.Later && !a.NotValid {
		return env.owe(ctx, nil, a)
	}
	if err := env.putAssertion(ctx, a); err != nil {
		return err
	}
	if !a.NotValid {
		err = env.hintViolation(a, nil, env.checkAssertion(ctx, a))
	}
	if err == nil {
		err = env.keepAccumulators(ctx, nil, a)
	}
	if err == nil || a.NotEnforced {
		if err := env.adviseOn(ctx, a); err != nil {
			return err
		}
	}
	return env.unlessMeasured(a, err)
}

// restoreAssertion checks the data for an assertion that comes back into force. One that is NOT VALID has claimed nothing about it.
func (env *Env) restoreAssertion(ctx context.Context, a *catalog.Assertion) error {
	if a.NotValid {
		return nil
	}
	return env.unlessMeasured(a, env.hintViolation(a, a, env.checkAssertion(ctx, a)))
}

// hintCondition adds to an error of a condition what may be meant instead.
func hintCondition(err error, s *ast.CreateAssertion) error {
	e := *errs.As(err)
	switch {
	case e.Hint != "":
	case e.Code == errs.DatatypeMismatch:
		e.Hint = "The condition of an assertion is true or false: NOT EXISTS (SELECT ..), or a comparison such as (SELECT count(*) FROM t) < 10."
	case e.Code == errs.UndefinedColumn && !strings.Contains(strings.ToUpper(s.ConditionText), "SELECT"):
		e.Hint = "An assertion is about all rows there are: NOT EXISTS (SELECT FROM t WHERE NOT (..)). What is about each row by itself can be a CHECK constraint of the table."
	}
	return &e
}

// hintViolation adds to the error of an assertion that the data do not fulfil what can be done. old is what it was; nil: it is new.
func (env *Env) hintViolation(a, old *catalog.Assertion, err error) error {
	if err == nil || errs.CodeOf(err) != errs.CheckViolation {
		return err
	}
	e := *errs.As(err)
	name := ast.QuoteLiteral(types.QuoteIdentifier(a.Name))
	switch {
	case old != nil || a.NotEnforced:
		e.Hint = "SELECT * FROM violations(" + name + ") returns all that is wrong."
	case len(a.DependsOn) == 0:
		e.Hint = "The condition is false whatever the data are."
	default:
		e.Hint = "The data there are have to fulfil it. NOT VALID enforces it for what changes alone, and violations(" + name + ") then returns all that is wrong."
	}
	if e.Detail == "" {
		e.Detail = "The condition is false."
	}
	return &e
}

// unlessMeasured makes the violation of a NOT ENFORCED assertion a warning.
func (env *Env) unlessMeasured(a *catalog.Assertion, err error) error {
	if err == nil || !a.NotEnforced || errs.CodeOf(err) != errs.CheckViolation {
		return err
	}
	e := *errs.As(err)
	e.Severity = "WARNING"
	env.Notice(&e)
	return nil
}

// adviseOn says which changes will be checked at a cost that follows the size of the tables, why, and what can be done about it.
func (env *Env) adviseOn(ctx context.Context, a *catalog.Assertion) error {
	checks, err := optimize.Checks(ctx, optimize.Options{Snapshot: env.Snapshot, Catalog: env.Catalog}, a)
	if err != nil {
		return err
	}
	said := map[string]bool{}
	say := func(e *errs.Error) {
		if !said[e.Message+e.Hint] {
			said[e.Message+e.Hint] = true
			e.Severity = "NOTICE"
			env.Notice(e)
		}
	}
	for i := range checks {
		c := &checks[i]
		changed := c.Occurrence.Table.Name
		if why := c.Occurrence.Full; why != "" {
			detail := strings.ToUpper(why[:1]) + why[1:] + "."
			if a.NotValid || a.NotEnforced {
				detail += " It is evaluated before and after each change, to tell new violations from those that are there already."
			}
			say(errs.New(errs.SuccessfulCompletion, `changes of table "%s" are checked by evaluating assertion "%s" in full`, changed, a.Name).
				WithDetail("%s", detail))
			continue
		}
		for _, f := range c.FullScans() {
			e := errs.New(errs.SuccessfulCompletion, `checks of assertion "%s" read all of table "%s" when table "%s" changes`, a.Name, f.Table.Name, changed)
			if len(f.Columns) > 0 {
				e = e.WithDetail("There is no index by which they could look for rows.").WithHint("%s", f.CreateIndex(env.Snapshot))
			} else {
				e = e.WithDetail("The condition is about all of its rows together.")
			}
			say(e)
		}
	}
	return nil
}

func (env *Env) putAssertion(ctx context.Context, a *catalog.Assertion) error {
	s, err := env.Snapshot.PutAssertion(ctx, env.Txn, a)
	if err == nil {
		env.Snapshot = s
	}
	return err
}

// forgetRule does away with the figures of an assertion that is dropped.
func (env *Env) forgetRule(oid catalog.OID) {
	c := env.Catalog
	env.AfterCommit(func() { c.ForgetRule(oid) })
}

// alterAssertion is ALTER ASSERTION.
func (env *Env) alterAssertion(ctx context.Context, s *ast.AlterAssertion) error {
	old, err := env.Snapshot.LookupAssertion(env.SearchPath, s.Name.Schema, s.Name.Name)
	if err != nil {
		if s.IfExists && errs.CodeOf(err) == errs.UndefinedObject {
			env.notice(errs.SuccessfulCompletion, `assertion "%s" does not exist, skipping`, s.Name.Name)
			return nil
		}
		return err
	}
	a := *old
	if a.Creating {
		return errs.New(errs.ObjectInUse, `assertion "%s" is being created`, a.Name).WithDetail("CREATE ASSERTION is still looking at the data there is.").
			WithHint("Wait until that is done, or drop the assertion.")
	}
	switch s.Action {
	case "validate":
		if env.Later {
			env.oweValidation(old)
			return nil
		}
		if err := env.hintViolation(&a, old, env.checkAssertion(ctx, &a)); err != nil {
			return err
		}
		a.NotValid = false
	case "enable":
		if a.Disabled {
			if env.Later && !a.NotValid {
				a.Disabled = false
				return env.owe(ctx, old, &a)
			}
			if err := env.restoreAssertion(ctx, &a); err != nil {
				return err
			}
		}
		a.Disabled = false
	case "disable":
		a.Disabled = true
	case "enforced":
		if a.NotEnforced {
			a.NotEnforced = false
			if !a.Disabled {
				if env.Later && !a.NotValid {
					return env.owe(ctx, old, &a)
				}
				if err := env.restoreAssertion(ctx, &a); err != nil {
					return err
				}
			}
		}
	case "not enforced":
		a.NotEnforced = true
	case "rename":
		if env.Snapshot.Assertion(a.Schema, s.Arg) != nil { // itself too, as PostgreSQL has it for constraints
			return errs.New(errs.DuplicateObject, `assertion "%s" already exists`, s.Arg)
		}
		a.Name = s.Arg
	case "set schema":
		sc, err := env.Snapshot.CreationSchema(env.SearchPath, s.Arg, a.Name)
		if err != nil {
			return err
		}
		if sc.OID == a.Schema {
			return nil
		}
		if env.Snapshot.Assertion(sc.OID, a.Name) != nil {
			return errs.New(errs.DuplicateObject, `assertion "%s" already exists in schema "%s"`, a.Name, sc.Name)
		}
		a.Schema = sc.OID
	case "owner":
		return env.alterOwner(&ast.AlterOwner{At: -1, Kind: ast.ObjAssertion, Owner: s.Arg})
	case "deferrable":
		a.Deferrable, a.InitiallyDeferred = true, s.InitiallyDeferred
	case "not deferrable":
		a.Deferrable, a.InitiallyDeferred = false, false
	default:
		return errs.Unsupported("ALTER ASSERTION .. %s", s.Action)
	}
	return env.keepAccumulators(ctx, old, &a)
}

// bound binds a stored expression over a table.
func (env *Env) bound(ctx context.Context, t *catalog.Table, text string, kind bind.ExprKind) (*bind.TableExpr, error) {
	e, err := parse.ParseExpr(text)
	if err != nil {
		return nil, err
	}
	var want *types.Type
	if kind == bind.CheckExpr || kind == bind.IndexPredicate {
		want = types.Bool
	}
	return bind.BindExpr(ctx, bind.Options{Snapshot: env.Snapshot, Ctx: &env.Ctx, Print: true}, t, e, kind, want, types.NoTypmod, "")
}
