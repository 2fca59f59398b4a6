package exec

import (
	"context"
	"slices"

	"holdfast/kv"
	"holdfast/sql/accumulator"
)

// Requirements are what a transaction's commit depends on by accumulators: for each check that has found no violation, that it would
// find none with the values that there are at the commit, of one accumulator or several. The store tests them there (kv.Txn.Require). A
// check is about the state at the end of its statement, and so a test leaves out what the transaction has changed since: a limit that a
// later statement raises does not excuse an earlier one, nor does what a later one adds break it. The zero Requirements has none.
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
	was  []past      // of each of its accumulators, in the order of the test's values; of a change, one
	test requirement // nil: it was a change
}

// past is what there was of one accumulator.
type past struct {
	key string
	required
}

// requirement tests the values of some accumulators. It may change them.
type requirement func(values []accumulator.State) error

// RequirementsMark is a point to go back to, of a savepoint.
type RequirementsMark int

// requiredOfOne is how many requirements a transaction may have on one accumulator, and requiredOfAll how many in all. Beyond, what is
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
		for _, p := range slices.Backward(r.undo[i].was) {
			if p.n == 0 {
				delete(r.keys, p.key)
			} else {
				r.keys[p.key] = p.required
			}
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
		keys [][]byte
		lead []*accumulator.State // what each was tested with beyond what is left after the rollback
		test requirement
	}
	var list []kept
	for _, u := range r.undo[m:] {
		if u.test == nil {
			continue
		}
		k := kept{test: u.test}
		for _, p := range u.was {
			own, err := ownChanges(ctx, txn, []byte(p.key))
			if err != nil {
				return err
			}
			r.later(own, p, -1)
			k.keys, k.lead = append(k.keys, []byte(p.key)), append(k.lead, own)
		}
		list = append(list, k)
	}
	r.RollbackTo(m)
	rollback()
	for _, k := range list {
		for i, key := range k.keys {
			own, err := ownChanges(ctx, txn, key)
			if err != nil {
				return err
			}
			k.lead[i].Add(own, -1)
		}
		r.add(txn, k.keys, func(values []accumulator.State) error {
			for i := range values {
				values[i].Add(k.lead[i], 1)
			}
			if err := k.test(values); err != nil {
				return &kv.ConflictError{Start: k.keys[0], Columns: kv.AllColumns}
			}
			return nil
		})
	}
	return nil
}

// later adds to a state, or takes from it, what has been changed of an accumulator since what is past.
func (r *Requirements) later(s *accumulator.State, p past, sign int64) {
	now := r.keys[p.key].since
	if now == p.since {
		return
	}
	s.Add(now, sign)
	if p.since != nil {
		s.Add(p.since, -sign)
	}
}

// ownChanges is what the transaction has changed of an accumulator.
func ownChanges(ctx context.Context, txn kv.Txn, key []byte) (*accumulator.State, error) {
	s, err := current(ctx, txn, key)
	if err != nil {
		return nil, err
	}
	v, _, err := txn.Unrecorded().Get(ctx, key, kv.AllColumns)
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

// put changes what there is of an accumulator, and returns what there was.
func (r *Requirements) put(key string, to required) past {
	was := past{key, r.keys[key]}
	if r.keys == nil {
		r.keys = map[string]required{}
	}
	r.keys[key] = to
	return was
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
	r.undo = append(r.undo, undone{was: []past{r.put(key, k)}})
}

// add makes the commit depend on a test of accumulators' values without what the transaction changes from now on.
func (r *Requirements) add(txn kv.Txn, keys [][]byte, test requirement) {
	many := len(r.undo) >= requiredOfAll
	for _, key := range keys {
		many = many || r.keys[string(key)].n >= requiredOfOne
	}
	if many {
		for _, key := range keys {
			txn.Observe(key, kv.AllColumns)
		}
		return
	}
	then := make([]past, len(keys))
	for i, key := range keys {
		k := r.keys[string(key)]
		k.n++
		then[i] = r.put(string(key), k)
	}
	r.undo = append(r.undo, undone{then, test})
	txn.Require(keys, func(values [][]byte) error {
		states := make([]accumulator.State, len(keys))
		for i, value := range values {
			if err := states[i].Decode(value); err != nil {
				return err
			}
			r.later(&states[i], then[i], -1)
		}
		return test(states)
	})
}
