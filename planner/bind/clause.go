package bind

import (
	"holdfast/sql/ast"
	"holdfast/sql/errs"
)

// clause is the part of a statement in which an expression stands. It decides what may be in the expression
// and how errors speak of it.
type clause uint8

const (
	inNothing clause = iota
	inJoin
	inFromQuery
	inFromFunction
	inWhere
	inHaving
	inFilter
	inPartitionBy
	inWindowOrder
	inFrameRange
	inFrameRows
	inFrameGroups
	inTarget
	inInsert
	inUpdate
	inGroupBy
	inOrderBy
	inDistinctOn
	inLimit
	inOffset
	inReturning
	inValues
	inValuesSingle // one row of VALUES in INSERT
	inExecute
	inCheck
	inDefault
	inGenerated
	inIndexExpr
	inIndexPredicate
	inUsing
	inCopyWhere
	inPolicy
	inAssertion
)

// rules of a clause. The texts complete "aggregate functions are not allowed in ..", "set-returning functions
// are not allowed in .." and "cannot use subquery in ..": "" allows the thing.
type rules struct {
	name     string
	noAggs   string // aggregates
	noWindow string // window functions
	noSets   string
	noQuery  string
}

var clauseRules = [...]rules{
	inNothing:        {},
	inJoin:           {"JOIN/ON", "JOIN conditions", "JOIN conditions", "JOIN conditions", ""},
	inFromQuery:      {"sub-SELECT in FROM", "FROM clause of their own query level", "FROM clause", "FROM clause", ""},
	inFromFunction:   {"function in FROM", "functions in FROM", "functions in FROM", "", ""},
	inWhere:          {"WHERE", "WHERE", "WHERE", "WHERE", ""},
	inHaving:         {"HAVING", "", "HAVING", "HAVING", ""},
	inFilter:         {"FILTER", "FILTER", "FILTER", "FILTER", ""},
	inPartitionBy:    {"window PARTITION BY", "", "window definitions", "", ""},
	inWindowOrder:    {"window ORDER BY", "", "window definitions", "", ""},
	inFrameRange:     {"window RANGE", "window RANGE", "window definitions", "window definitions", ""},
	inFrameRows:      {"window ROWS", "window ROWS", "window definitions", "window definitions", ""},
	inFrameGroups:    {"window GROUPS", "window GROUPS", "window definitions", "window definitions", ""},
	inTarget:         {"SELECT", "", "", "", ""},
	inInsert:         {"INSERT", "INSERT", "INSERT", "", ""},
	inUpdate:         {"UPDATE", "UPDATE", "UPDATE", "UPDATE", ""},
	inGroupBy:        {"GROUP BY", "GROUP BY", "GROUP BY", "", ""},
	inOrderBy:        {"ORDER BY", "", "", "", ""},
	inDistinctOn:     {"DISTINCT ON", "", "", "", ""},
	inLimit:          {"LIMIT", "LIMIT", "LIMIT", "LIMIT", ""},
	inOffset:         {"OFFSET", "OFFSET", "OFFSET", "OFFSET", ""},
	inReturning:      {"RETURNING", "RETURNING", "RETURNING", "RETURNING", ""},
	inValues:         {"VALUES", "VALUES", "VALUES", "VALUES", ""},
	inValuesSingle:   {"VALUES", "VALUES", "VALUES", "", ""},
	inExecute:        {"EXECUTE", "EXECUTE parameters", "EXECUTE parameters", "EXECUTE parameters", "EXECUTE parameter"},
	inCheck:          {"CHECK", "check constraints", "check constraints", "check constraints", "check constraint"},
	inDefault:        {"DEFAULT", "DEFAULT expressions", "DEFAULT expressions", "DEFAULT expressions", "DEFAULT expression"},
	inGenerated:      {"GENERATED AS", "column generation expressions", "column generation expressions", "column generation expressions", "column generation expression"},
	inIndexExpr:      {"index expression", "index expressions", "index expressions", "index expressions", "index expression"},
	inIndexPredicate: {"index predicate", "index predicates", "index predicates", "index predicates", "index predicate"},
	inUsing:          {"USING", "transform expressions", "transform expressions", "transform expressions", "transform expression"},
	inCopyWhere:      {"WHERE", "COPY FROM WHERE conditions", "COPY FROM WHERE conditions", "COPY FROM WHERE conditions", "COPY FROM WHERE condition"},
	inPolicy:         {"POLICY", "policy expressions", "policy expressions", "policy expressions", ""},
	inAssertion:      {"CHECK", "assertions outside a query", "assertions", "assertions", ""},
}

func (c clause) String() string { return clauseRules[c].name }

var exprClauses = [...]clause{
	CheckExpr: inCheck, DefaultExpr: inDefault, GeneratedExpr: inGenerated, IndexExpr: inIndexExpr,
	IndexPredicate: inIndexPredicate, AlterTypeUsing: inUsing, CopyWhere: inCopyWhere, PolicyExpr: inPolicy,
}

// checkAggAllowed refuses an aggregate where it cannot stand.
func (s *scope) checkAggAllowed(pos int) {
	if where := clauseRules[s.clause].noAggs; where != "" {
		s.b.fail(pos, errs.GroupingError, "aggregate functions are not allowed in %s", where)
	}
}

func (s *scope) checkWindowAllowed(pos int) {
	if where := clauseRules[s.clause].noWindow; where != "" {
		s.b.fail(pos, errs.WindowingError, "window functions are not allowed in %s", where)
	}
}

func (s *scope) checkQueryAllowed(pos int) {
	if where := clauseRules[s.clause].noQuery; where != "" {
		s.b.fail(pos, errs.FeatureNotSupported, "cannot use subquery in %s", where)
	}
}

const lateralHint = "You might be able to move the set-returning function into a LATERAL FROM item."

func (s *scope) checkSetAllowed(pos int) {
	if s.noSets != "" {
		s.b.bail(pos, errs.New(errs.FeatureNotSupported, "set-returning functions are not allowed in %s", s.noSets).WithHint(lateralHint))
	}
	if where := clauseRules[s.clause].noSets; where != "" {
		s.b.fail(pos, errs.FeatureNotSupported, "set-returning functions are not allowed in %s", where)
	}
}

// checkColumnAllowed refuses columns where there are none to refer to.
func (s *scope) checkColumnAllowed(pos int) {
	if s.clause == inDefault {
		s.b.fail(pos, errs.FeatureNotSupported, "cannot use column reference in DEFAULT expression")
	}
}

// in binds an expression in a clause.
func (s *scope) in(c clause, f func()) {
	old := s.clause
	s.clause = c
	f()
	s.clause = old
}

// exprIn binds one expression in a clause.
func (s *scope) exprIn(c clause, e ast.Expr) (x scalar) {
	s.in(c, func() { x = s.expr(e) })
	return x
}

// condition binds a boolean expression in a clause.
func (s *scope) condition(c clause, e ast.Expr) scalar {
	return s.toBool(s.exprIn(c, e), e, c.String())
}
