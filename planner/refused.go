package planner

import (
	"strings"

	"holdfast/kv"
	"holdfast/sql/errs"
)

// maxReconsidered is how often a statement that violates a constraint starts over on a newer state.
const maxReconsidered = 3

// integrityViolations is the class of SQLSTATEs of violated constraints.
const integrityViolations = "23"

// refusedByThePast is the violation of a constraint by a statement that is to start over, as if it had met a locked row newer
// than its snapshot: something that the transaction has read has changed since. The parent row that a foreign key misses may
// have been committed meanwhile, as PostgreSQL would see, whose checks read the newest state.
type refusedByThePast struct{ violation error }

func (e *refusedByThePast) Error() string        { return e.violation.Error() }
func (e *refusedByThePast) Unwrap() error        { return e.violation }
func (e *refusedByThePast) Is(target error) bool { return target == kv.ErrStale }

// reconsider turns the violation of a constraint that may not be one any more into a *refusedByThePast. Where it does not, that
// is final: a portal that has failed cannot be run once more because others have committed a moment later.
func (s *Session) reconsider(err error) error {
	if err == nil || isStale(err) || s.reconsidered == maxReconsidered || s.tx == nil || s.tx.kv == nil ||
		!strings.HasPrefix(string(errs.CodeOf(err)), integrityViolations) {
		return err
	}
	if !s.tx.kv.Outdated() {
		s.reconsidered = maxReconsidered
		return err
	}
	s.reconsidered++
	return &refusedByThePast{err}
}
