package planner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"holdfast/kv"
	"holdfast/planner/ddl"
	"holdfast/sql/ast"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
)

// Statements that bring an assertion into force look at all data there is. By themselves, not in a block or with other statements in
// one message, they do so without a footprint, in transactions of their own (ddl/later.go): nobody who writes meanwhile waits, is
// refused, or makes the statement begin again. In one transaction, whoever changes what has been read makes it start over, and after
// some times it holds up all of them until it is through. So it is for the last of the transactions too, where that counts rows for
// accumulators.

// bringsIntoForce reports whether a statement has an assertion checked on all data.
func bringsIntoForce(stmt ast.Stmt) bool {
	switch st := stmt.(type) {
	case *ast.CreateAssertion:
		return !st.NotValid
	case *ast.AlterAssertion:
		return st.Action == "validate" || st.Action == "enable" || st.Action == "enforced"
	}
	return false
}

// alone reports whether a statement is all there is of its transaction.
func (s *Session) alone(p *prepared) bool {
	t := s.tx
	return !t.explicit && !t.block && !s.replaying && len(t.steps) == 0 && t.unkept == "" && (p.source == nil || len(p.source.Statements) == 1)
}

// takeBackTime is how long a statement that was canceled may take to undo what it has published.
const takeBackTime = 10 * time.Second

// intoForce runs a statement that brings an assertion into force, in several transactions. The session is in none at its end.
func (s *Session) intoForce(ctx context.Context, p *prepared, out Output) error {
	s.drop()
	var owed *ddl.OwedCheck
	var tag string
	err := s.inTransaction(ctx, p, false, out, func(env *ddl.Env) (err error) {
		env.Later = true
		tag, err = ddl.Execute(ctx, env, p.stmt)
		owed = env.Owed
		return err
	})
	if err != nil {
		return err
	}
	if owed != nil {
		if err = s.pay(ctx, p, owed, out); err != nil {
			return err
		}
	}
	out.Release()
	return out.CommandComplete(tag)
}

// pay looks at the data for an assertion that is published, and marks it as valid or takes it back.
func (s *Session) pay(ctx context.Context, p *prepared, owed *ddl.OwedCheck, out Output) error {
	defer s.showProgress(nil)
	err := errAgain
	for errors.Is(err, errAgain) {
		err = s.inTransaction(ctx, p, true, out, func(env *ddl.Env) error { return owed.Check(ctx, env) })
		if err == nil {
			err = s.inTransaction(ctx, p, false, out, func(env *ddl.Env) error {
				again, err := owed.Done(ctx, env)
				if again {
					return errAgain
				}
				return err
			})
		}
	}
	if err == nil {
		return nil
	}
	undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), takeBackTime)
	defer cancel()
	if e := s.inTransaction(undo, p, false, out, func(env *ddl.Env) error { return owed.TakeBack(undo, env) }); e != nil {
		s.engine.log.Error("an assertion that could not be brought into force is still there as NOT VALID", "oid", owed.Assertion, "error", e)
		return errors.Join(err, e)
	}
	return err
}

// errAgain tells that an assertion has to be checked again.
var errAgain = errors.New("the assertion has been changed meanwhile")

// inTransaction runs a part of a statement in a transaction of its own, as often as it takes: one that has lost guardAfter times holds
// up those that would have it lose again.
func (s *Session) inTransaction(ctx context.Context, p *prepared, reads bool, out Output, f func(env *ddl.Env) error) error {
	for {
		s.begin()
		err := s.open(ctx, reads)
		if err == nil && !reads {
			err = s.writing(ddl.Verb(p.stmt), out)
		}
		if err == nil {
			err = s.schemaChange(ctx, p, f)
		}
		if err == nil && reads {
			s.drop()
			return nil
		}
		if err == nil {
			err = s.tryCommit(ctx)
		}
		switch deadlock := errors.Is(err, kv.ErrDeadlock); {
		case err == nil:
			s.finish(s.tx, true)
			return nil
		case deadlock, errors.Is(err, kv.ErrConflict), errors.Is(err, kv.ErrStale):
			if ctx.Err() != nil {
				break
			}
			if err = s.restart(ctx, &rerun{cause: err, unlock: deadlock}, nil); err == nil {
				continue
			}
		}
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil && errors.Is(err, kv.ErrConflict) {
			err = canceled(ctx)
		}
		err = s.storeError(err)
		s.abandon()
		return err
	}
}

// dropHalfMade drops the assertions whose CREATE the server's end has interrupted.
func (e *Engine) dropHalfMade(ctx context.Context) error {
	txn, err := e.store.Begin(ctx, kv.TxnOptions{})
	if err != nil {
		return err
	}
	defer txn.Rollback()
	snapshot, err := e.catalog.Snapshot(ctx, txn)
	if err != nil {
		return err
	}
	var names []string
	for _, a := range snapshot.Assertions() {
		if a.Creating {
			names = append(names, a.Name)
			if snapshot, err = snapshot.DropAssertion(ctx, txn, a.OID); err != nil {
				return err
			}
		}
	}
	if names == nil {
		return nil
	}
	version, err := txn.Commit(ctx)
	e.catalog.Finish(txn, version, errors.Is(err, kv.ErrCommitUnknown))
	if err == nil {
		e.log.Warn("dropped assertions whose CREATE ASSERTION was interrupted", "names", names)
	}
	return err
}

// noticeAfter is how long an evaluation in full must take, and noticeRows how many rows it must read, for the client to be told of it.
const (
	noticeAfter = time.Second
	noticeRows  = 10000
)

// checking shows to others that an assertion is being evaluated in full, until the function is called that it returns, or, if more is to
// be done then, showProgress. The function tells the client how much was read, if it took long.
func (s *Session) checking(command string, a *catalog.Assertion, more bool) func() {
	begin := time.Now()
	x := s.newProgress(command, a)
	s.showProgress(x)
	return func() {
		if x.finishing.Store(true); !more {
			s.showProgress(nil)
		}
		if took, rows := time.Since(begin), x.read(); took >= noticeAfter && rows >= noticeRows {
			s.notice(&errs.Error{Severity: "NOTICE", Code: errs.SuccessfulCompletion, Message: fmt.Sprintf(`assertion "%s" has been checked`, a.Name),
				Detail: fmt.Sprintf("%d rows of %d tables were read in %.1f s.", rows, len(x.tables), took.Seconds())})
		}
	}
}

func (s *Session) showProgress(x *progress) {
	s.mu.Lock()
	s.progress = x
	s.mu.Unlock()
}
