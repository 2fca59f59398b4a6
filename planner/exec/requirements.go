package exec

import (
	"context"

	"holdfast/kv"
	"holdfast/sql/accumulator"
)

// Requirements are what a transaction's commit depends on by accumulators: for each check that has found no violation, that it would
// find none with the values that there are at the commit. The store tests them there (kv.Txn.Require). A check is about the state at
// the end of its statement, and so a test leaves out what the transaction has changed since: a limit that a later statement raises does not
// excuse an earlier one, nor does what a later one adds break it. The zero Requirements has none.
type Requirements struct {
	// keys are the accumulators with a requirement, and what has been changed of them since the first.
	keys map[string]required
	undo []undone // in order
}

type required struct {
	n     int                // requirements
	since *accumulator.State // nil: nothing has been changed; never changed in place
}

// undone is what a requirement, or a change, has been added to.
type undone struct {
	key  string
	was  required
	test func(s *accumulator.State) error // of the requirement; nil: it was a change
}

// RequirementsMark is a point to go back to, of a savepoint.
type RequirementsMark int

// requiredOfOne is how many requirements a transaction may have on one accumulator, and requiredOfAll on all of them. Beyond, what is
// looked at is read as rows are: it is in the footprint, and changes of others conflict with it.
const (
	requiredOfOne = 256
	requiredOfAll = 128 << 10
)

// Mark is the present point.
func (r *Requirements) Mark() RequirementsMark { return RequirementsMark(len(r.undo)) }

// RollbackTo forgets what came after the mark. The store forgets the requirements by its own mark.
func (r *Requirements) RollbackTo(m RequirementsMark) {
	for i := len(r.undo) - 1; i >= int(m); i-- {
		if u := r.undo[i]; u.was.n == 0 {
			delete(r.keys, u.key)
		} else {
			r.keys[u.key] = u.was
		}
	}
	clear(r.undo[m:])
	r.undo = r.undo[:m]
}

// Withdraw is RollbackTo for statements whose success the client has seen, and rollback that of the store. That they would succeed at the
// transaction's place in the order goes on to be required, as what they have read stays in the footprint; if it is not
// so, it is a conflict.
func (r *Requirements) Withdraw(ctx context.Context, txn kv.Txn, m RequirementsMark, rollback func()) error {
	type kept struct {
		key  string
		lead *accumulator.State // what it was tested with beyond what is left after the rollback
		test func(s *accumulator.State) error
	}
	var list []kept
	for _, u := range r.undo[m:] {
		if u.test == nil {
			continue
		}
		own, err := ownChanges(ctx, txn, u.key)
		if err != nil {
			return err
		}
		own.Add(r.after(u), -1)
		list = append(list, kept{u.key, own, u.test})
	}
	r.RollbackTo(m)
	rollback()
	for _, k := range list {
		own, err := ownChanges(ctx, txn, k.key)
		if err != nil {
			return err
		}
		lead, test := k.lead, k.test
		lead.Add(own, -1)
		r.add(txn, []byte(k.key), func(s *accumulator.State) error {
			s.Add(lead, 1)
			if err := test(s); err != nil {
				return &kv.ConflictError{Start: []byte(k.key), Columns: kv.AllColumns}
			}
			return nil
		})
	}
	return nil
}

// after is what has been changed since a requirement.
func (r *Requirements) after(u undone) *accumulator.State {
	s := &accumulator.State{}
	r.later(s, u.key, u.was.since, 1)
	return s
}

// later adds to a state, or takes from it, what has been changed of an accumulator since it was then.
func (r *Requirements) later(s *accumulator.State, key string, then *accumulator.State, sign int64) {
	now := r.keys[key].since
	if now == then {
		return
	}
	s.Add(now, sign)
	if then != nil {
		s.Add(then, -sign)
	}
}

// ownChanges is what the transaction has changed of an accumulator.
func ownChanges(ctx context.Context, txn kv.Txn, key string) (*accumulator.State, error) {
	s, err := current(ctx, txn, []byte(key))
	if err != nil {
		return nil, err
	}
	v, _, err := txn.Unrecorded().Get(ctx, []byte(key), kv.AllColumns)
	if err != nil {
		return nil, err
	}
	var before accumulator.State
	if err := before.Decode(v); err != nil {
		return nil, err
	}
	s.Add(&before, -1)
	return s, nil
}

// current is the value of an accumulator as the transaction sees it.
func current(ctx context.Context, txn kv.Txn, key []byte) (*accumulator.State, error) {
	v, err := txn.Accumulated(ctx, key)
	if err != nil {
		return nil, err
	}
	s := &accumulator.State{}
	return s, s.Decode(v)
}

func (r *Requirements) put(key string, to required, test func(s *accumulator.State) error) {
	r.undo = append(r.undo, undone{key, r.keys[key], test})
	if r.keys == nil {
		r.keys = map[string]required{}
	}
	r.keys[key] = to
}

// changed notes a change of an accumulator.
func (r *Requirements) changed(key string, by *accumulator.State) {
	if r == nil {
		return
	}
	k, ok := r.keys[key]
	if !ok {
		return
	}
	sum := &accumulator.State{}
	if k.since != nil {
		sum.Add(k.since, 1)
	}
	sum.Add(by, 1)
	k.since = sum
	r.put(key, k, nil)
}

// add makes the commit depend on a test of an accumulator's value without what the transaction changes from now on. The
// test may change the state.
func (r *Requirements) add(txn kv.Txn, key []byte, test func(s *accumulator.State) error) {
	k := r.keys[string(key)]
	if k.n >= requiredOfOne || len(r.undo) >= requiredOfAll {
		txn.Observe(key, kv.AllColumns)
		return
	}
	name, then := string(key), k.since
	k.n++
	r.put(name, k, test)
	txn.Require(key, func(value []byte) error {
		var s accumulator.State
		if err := s.Decode(value); err != nil {
			return err
		}
		r.later(&s, name, then, -1)
		return test(&s)
	})
}
