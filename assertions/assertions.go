// Package assertions turns rules into queries for their violations: the conditions of CREATE ASSERTION, and
// foreign keys, which are assertions with familiar messages and referential actions.
//
// A rule holds if its violation queries are empty. They are syntax trees, bound and planned like any others,
// and no executor is known here. In the queries of foreign keys the rows that a statement has changed stand as
// scans of the table under a reserved alias, which Transitions turns into scans of the change.
//
// Events tells which changes of which tables can bring a row into a violation query, so that a statement that
// cannot violate a rule does not check it.
package assertions

import (
	"holdfast/sql/ast"
	"holdfast/sql/errs"
	"holdfast/sql/parse"
)

// Condition is the condition of an assertion as the catalog keeps it: a query of one column.
func Condition(text string) (ast.Expr, error) {
	list, err := parse.Parse(text)
	if err != nil {
		return nil, err
	}
	if len(list) == 1 {
		if q, ok := list[0].Stmt.(*ast.Select); ok && len(q.Targets) == 1 {
			return q.Targets[0].Expr, nil
		}
	}
	return nil, errs.New(errs.DataCorrupted, "the stored condition of an assertion is not an expression")
}

// Violations are queries whose rows are the violations of a condition: one for each of the conditions that AND
// connects at the top, when NOT is pushed inward. The condition is violated only where it is false, so NULL satisfies it.
//
//	NOT EXISTS (Q)                       Q
//	ALL (Q) a SATISFY (c), written as    SELECT * FROM Q a WHERE NOT c
//	  NOT EXISTS (SELECT * FROM Q a WHERE NOT c)
//	NOT EXISTS (Q) OR c                  SELECT * FROM (Q) WHERE (c) IS FALSE
//	anything else, c                     SELECT its scalar subqueries WHERE (c) IS FALSE
//
// The columns of a query are what the error shows as the violating row (see Show). Where Q selects nothing but constants,
// as in EXISTS (SELECT 1 ..), it shows all columns instead.
func Violations(cond ast.Expr) []*ast.Select {
	switch c := cond.(type) {
	case *ast.BoolOp:
		if q := notExists(c); q != nil {
			return []*ast.Select{withColumns(q)}
		}
		args, kind := c.Args, c.Kind
		if inner, ok := c.Args[0].(*ast.BoolOp); ok && c.Kind == ast.Not {
			switch inner.Kind {
			case ast.Not:
				return Violations(inner.Args[0])
			case ast.And:
				args, kind = negations(inner.Args), ast.Or
			case ast.Or:
				args, kind = negations(inner.Args), ast.And
			}
		}
		switch kind {
		case ast.And:
			var out []*ast.Select
			for _, a := range args {
				out = append(out, Violations(a)...)
			}
			return out
		case ast.Or:
			for i, a := range args {
				if q := notExists(a); q != nil {
					return []*ast.Select{whereFalse(withColumns(q), append(args[:i:i], args[i+1:]...))}
				}
			}
		}
	case *ast.Literal:
		if c.Kind == ast.LitBool && c.Value == "t" {
			return nil
		}
	}
	q := &ast.Select{At: -1, Where: &ast.BoolTest{At: -1, Arg: cond, Want: "false"}}
	for _, s := range scalarQueries(nil, cond) {
		q.Targets = append(q.Targets, &ast.Target{At: -1, Expr: s})
	}
	return []*ast.Select{q}
}

func negations(list []ast.Expr) []ast.Expr {
	out := make([]ast.Expr, len(list))
	for i, e := range list {
		out[i] = &ast.BoolOp{At: -1, Kind: ast.Not, Args: []ast.Expr{e}}
	}
	return out
}

// whereFalse are the rows of a query if other conditions are all false.
func whereFalse(q *ast.Select, others []ast.Expr) *ast.Select {
	cond := others[0]
	if len(others) > 1 {
		cond = &ast.BoolOp{At: -1, Kind: ast.Or, Args: others}
	}
	return &ast.Select{
		At: -1, Targets: []*ast.Target{{At: -1, Expr: &ast.ColumnRef{At: -1, Star: true}}},
		From:  []ast.TableExpr{&ast.SubqueryRef{At: -1, Query: q, Alias: &ast.Alias{Name: "violations"}}},
		Where: &ast.BoolTest{At: -1, Arg: cond, Want: "false"},
	}
}

// notExists is Q if an expression is NOT EXISTS (Q), also with more negations around it.
func notExists(e ast.Expr) *ast.Select {
	negated := false
	for {
		switch x := e.(type) {
		case *ast.BoolOp:
			if x.Kind != ast.Not {
				return nil
			}
			negated, e = !negated, x.Args[0]
		case *ast.Subquery:
			if negated && x.Kind == ast.ExistsSubquery {
				return x.Query
			}
			return nil
		default:
			return nil
		}
	}
}

// withColumns makes a query show something. What it selects does not matter to whether it has rows, except
// in set operations and under DISTINCT ON.
func withColumns(q *ast.Select) *ast.Select {
	if q.SetOp != ast.NoSetOp || len(q.DistinctOn) > 0 || len(q.Values) > 0 || len(q.From) == 0 || len(q.OrderBy) > 0 {
		return q
	}
	for _, t := range q.Targets {
		if _, ok := constant(t.Expr).(*ast.Literal); !ok {
			return q
		}
	}
	out := *q
	switch {
	case len(q.GroupBy) > 0:
		out.Targets = nil
		for _, g := range q.GroupBy {
			if g.Kind != "" || g.Expr == nil {
				return q
			}
			if _, ok := constant(g.Expr).(*ast.Literal); ok {
				return q // the position of a target
			}
			out.Targets = append(out.Targets, &ast.Target{At: -1, Expr: g.Expr})
		}
	case q.Having != nil:
		return q
	default:
		out.Targets = []*ast.Target{{At: -1, Expr: &ast.ColumnRef{At: -1, Star: true}}}
	}
	return &out
}

func constant(e ast.Expr) ast.Expr {
	for {
		c, ok := e.(*ast.Cast)
		if !ok {
			return e
		}
		e = c.Arg
	}
}

// scalarQueries are the scalar subqueries of an expression that lie in no other query.
func scalarQueries(list []ast.Expr, e ast.Expr) []ast.Expr {
	some := func(args ...ast.Expr) {
		for _, a := range args {
			if a != nil {
				list = scalarQueries(list, a)
			}
		}
	}
	switch x := e.(type) {
	case *ast.Subquery:
		if x.Kind == ast.ScalarSubquery {
			return append(list, x)
		}
		some(x.Left)
	case *ast.BoolOp:
		some(x.Args...)
	case *ast.Op:
		some(x.Left, x.Right)
	case *ast.NullTest:
		some(x.Arg)
	case *ast.BoolTest:
		some(x.Arg)
	case *ast.Distinct:
		some(x.Left, x.Right)
	case *ast.In:
		some(append([]ast.Expr{x.Arg}, x.List...)...)
	case *ast.Between:
		some(x.Arg, x.Low, x.High)
	case *ast.Coalesce:
		some(x.Args...)
	case *ast.MinMax:
		some(x.Args...)
	case *ast.NullIf:
		some(x.Left, x.Right)
	case *ast.Cast:
		some(x.Arg)
	case *ast.FuncCall:
		some(x.Args...)
	case *ast.Case:
		some(x.Arg)
		for _, w := range x.Whens {
			some(w.Cond, w.Result)
		}
		some(x.Else)
	}
	return list
}
