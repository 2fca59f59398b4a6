package conformance

import (
	"bytes"
	"context"

	"holdfast/kv"
)

// Transactions that do something wrong in a way of their own, for the mutants: first with accumulators.

// readsAndWrites accumulates as if there were no accumulators.
type readsAndWrites struct{ kv.Txn }

func (t *readsAndWrites) Accumulate(key, delta []byte) error {
	old, _, err := t.Get(context.Background(), key, kv.AllColumns)
	if err != nil {
		return err
	}
	value, err := Merge(old, delta)
	switch {
	case err != nil:
		return err
	case len(value) == 0:
		return t.Delete(key)
	}
	return t.Set(key, value, kv.AllColumns)
}

// keepsDeltas adds all deltas at the end, whatever has been undone.
type keepsDeltas struct {
	kv.Txn
	deltas [][2][]byte
}

func (t *keepsDeltas) Accumulate(key, delta []byte) error {
	t.deltas = append(t.deltas, [2][]byte{key, delta})
	return nil
}

func (t *keepsDeltas) Accumulated(ctx context.Context, key []byte) ([]byte, error) {
	value, err := t.Txn.Accumulated(ctx, key)
	for _, d := range t.deltas {
		if err == nil && bytes.Equal(d[0], key) {
			value, err = Merge(value, d[1])
		}
	}
	return value, err
}

func (t *keepsDeltas) Commit(ctx context.Context) (kv.Version, error) {
	for _, d := range t.deltas {
		if err := t.Txn.Accumulate(d[0], d[1]); err != nil {
			return 0, err
		}
	}
	return t.Txn.Commit(ctx)
}

// recordsSums has what it has accumulated in its footprint.
type recordsSums struct{ kv.Txn }

func (t *recordsSums) Accumulated(ctx context.Context, key []byte) ([]byte, error) {
	t.Observe(key, kv.AllColumns)
	return t.Txn.Accumulated(ctx, key)
}

// testsEarly tests requirements before the commit.
type testsEarly struct {
	kv.Txn
	needs []func() error
}

func (t *testsEarly) Require(keys [][]byte, test kv.Requirement) {
	t.needs = append(t.needs, func() error {
		var values [][]byte
		for _, key := range keys {
			value, err := t.Accumulated(context.Background(), key)
			if err != nil {
				return err
			}
			values = append(values, value)
		}
		if err := test(values); err != nil {
			return &kv.RequirementError{Keys: keys, Err: err}
		}
		return nil
	})
}

func (t *testsEarly) Commit(ctx context.Context) (kv.Version, error) {
	for _, n := range t.needs {
		if err := n(); err != nil {
			return 0, err
		}
	}
	return t.Txn.Commit(ctx)
}

// testsNothing forgets requirements.
type testsNothing struct{ kv.Txn }

func (t *testsNothing) Require([][]byte, kv.Requirement) {}

// testsFirst tests what is required of several accumulators on the first alone, and takes the others from the snapshot.
type testsFirst struct{ kv.Txn }

func (t *testsFirst) Require(keys [][]byte, test kv.Requirement) {
	values := make([][]byte, len(keys))
	for i, key := range keys[1:] {
		values[i+1], _ = t.Accumulated(context.Background(), key)
	}
	t.Txn.Require(keys[:1], func(first [][]byte) error {
		values[0] = first[0]
		return test(values)
	})
}

// The same for marked reads.

// marksNothing leaves no footprint where it should leave marked reads.
type marksNothing struct{ kv.Txn }

func (t *marksNothing) Marked() kv.Reader { return t.Unrecorded() }

// marksNoReads leaves a footprint without marks.
type marksNoReads struct{ kv.Txn }

func (t *marksNoReads) Marked() kv.Reader { return t.View() }

type rechecksNothing struct{ kv.Txn }

func (t *rechecksNothing) Recheck(context.Context) error { return nil }

// rechecksAnew forgets everything, not only marked reads.
type rechecksAnew struct{ kv.Txn }

func (t *rechecksAnew) Recheck(ctx context.Context) error { return t.Restart(ctx, false) }

// unlocksNothing keeps all locks until the end.
type unlocksNothing struct{ kv.Txn }

func (t *unlocksNothing) UnlockTo(kv.Mark) {}
