package bind

import (
	"strings"

	"holdfast/sql/algebra"
	"holdfast/sql/ast"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
)

// FOR UPDATE and the like. The key of each row to be locked is carried along to a LockRows above the sort and
// below the limit. A query or view in FROM locks the rows it is made from.

// lockedRow is a table whose rows a query locks.
type lockedRow struct {
	src  *source
	lock algebra.RowLock
}

func lockName(l *ast.Locking) string { return "FOR " + strings.ToUpper(l.Strength) }

// locksFor are the locking clauses that apply to an item of FROM.
func (s *scope) locksFor(name string) []*ast.Locking {
	var out []*ast.Locking
	for _, l := range s.locks {
		if len(l.Of) == 0 {
			out = append(out, l)
			continue
		}
		for _, of := range l.Of {
			if of.Name == name {
				all := *l
				all.Of = nil
				out = append(out, &all)
				break
			}
		}
	}
	return out
}

var strengths = map[string]int{"key share": 1, "share": 2, "no key update": 3, "update": 4}

// lockRow notes that the rows of a table are locked; of several clauses the strongest counts.
func (s *scope) lockRow(src *source, l *ast.Locking) {
	if src.base.Virtual != nil || src.base.Kind == catalog.KindSequence {
		s.b.unsupported(-1, "%s of %s", lockName(l), quoted(src.base.Name))
	}
	for i := range s.locked {
		if x := &s.locked[i]; x.src == src {
			if strengths[l.Strength] > strengths[x.lock.Strength] {
				x.lock.Strength = l.Strength
			}
			x.lock.NoWait = x.lock.NoWait || l.NoWait
			x.lock.SkipLocked = (x.lock.SkipLocked || l.SkipLocked) && !x.lock.NoWait
			return
		}
	}
	s.locked = append(s.locked, lockedRow{src, algebra.RowLock{Table: src.base, Strength: l.Strength, NoWait: l.NoWait, SkipLocked: l.SkipLocked}})
}

// checkLocks refuses locking where rows of the result are not rows of tables.
func (x *selecting) checkLocks() {
	b := x.b
	for _, l := range x.locks {
		what := ""
		switch {
		case x.q.Distinct:
			what = "with DISTINCT clause"
		case x.groupBy:
			what = "with GROUP BY clause"
		case x.having != nil:
			what = "with HAVING clause"
		case len(x.aggs) > 0:
			what = "with aggregate functions"
		case len(x.windows) > 0:
			what = "with window functions"
		case len(x.sets) > 0:
			what = "with set-returning functions in the target list"
		}
		if what != "" {
			b.fail(-1, errs.FeatureNotSupported, "%s is not allowed %s", lockName(l), what)
		}
		for _, of := range l.Of {
			x.checkLockOf(l, of)
		}
	}
	for _, l := range x.locked {
		if l.src.nullable {
			b.fail(-1, errs.FeatureNotSupported, "FOR %s cannot be applied to the nullable side of an outer join", strings.ToUpper(l.lock.Strength))
		}
	}
}

func (x *selecting) checkLockOf(l *ast.Locking, of *ast.TableName) {
	b := x.b
	if of.Schema != "" {
		b.fail(of.Pos(), errs.SyntaxError, "%s must specify unqualified relation names", lockName(l))
	}
	for _, src := range x.all {
		if src.name != of.Name {
			continue
		}
		kind := ""
		switch {
		case src.join:
			kind = "a join"
		case src.cte:
			kind = "a WITH query"
		case src.function:
			kind = "a function"
		default:
			return
		}
		b.fail(of.Pos(), errs.FeatureNotSupported, "%s cannot be applied to %s", lockName(l), kind)
	}
	b.fail(of.Pos(), errs.UndefinedTable, "relation %s in %s clause not found in FROM clause", quoted(of.Name), lockName(l))
}

// lockKeys adds the keys of the rows to be locked to their scans.
func (x *selecting) lockKeys() []algebra.RowLock {
	var out []algebra.RowLock
	for _, l := range x.locked {
		key := x.b.use(x.b.systemColumnOf(l.src, catalog.RowKeyNumber), -1)
		l.lock.Key = key.(*algebra.Col).ID
		out = append(out, l.lock)
	}
	return out
}
