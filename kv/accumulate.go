package kv

import "fmt"

// Accumulators are pairs that many transactions change at once without waiting for each other and without conflicts:
// the number of rows of a group, or the sum of a column. A transaction says by how much one changes (Txn.Accumulate), and
// what must hold for its value (Txn.Require). The store adds the changes up in the order of commits, and there, where
// the exact value is known, tests the requirements. So N writers of one accumulator are committed in one group, with
// one sync, and only those are refused that would really leave a bound.
//
// An accumulator is a pair like others to whoever reads it: its value is that of the snapshot, and reads of it
// that are recorded conflict with every change of it. It may be written with Set and Delete too, such as when it is counted
// anew: that comes in the order of commits like any change, and later deltas add to what was set. Nothing is
// lost if whoever sets a value has in its footprint what it has counted, and whoever changes what is counted has in
// its own what tells it to accumulate.

// Merge adds a delta to the value of an accumulator, or to another delta, and returns the result. The store attaches
// no meaning to either.
//
// It must be associative and commutative: the store merges deltas with each other and with values in any order. old is
// nil for an accumulator that is absent, and an empty result removes it, so that absence is the value to which
// nothing has been added; deltas that come to an empty result are no change. It must be fast, for everybody's commits wait for it,
// safe for concurrent use, and change neither argument; the result may share memory with them. With an error of it
// a transaction is refused like one whose requirement is not met.
type Merge func(old, delta []byte) (value []byte, err error)

// Requirement tests the values of one accumulator or several, in the order of the keys of Txn.Require, at the commit of a
// transaction; nil is that of one that is absent. They are of one moment, the transaction's place in the order. An error
// refuses the commit. It is called by the goroutine that everybody's commits wait for: it must be fast, call no store, and
// neither change nor keep the values.
type Requirement func(values [][]byte) error

// RequirementError is the error of a commit one of whose requirements is not met. It is no ErrConflict: what the
// transaction has read holds, and it would be refused at its place in the order.
type RequirementError struct {
	// Keys are those of the requirement, or the one that Merge has failed for.
	Keys [][]byte
	// Version is that of the commit after which the transaction was tested. It may not be durable yet: nobody outside
	// may hear of the error before it is, for which Restart and WaitDurable will do.
	Version Version
	Err     error // of the Requirement, or of Merge
}

func (e *RequirementError) Error() string {
	return fmt.Sprintf("kv: a requirement is not met: %v", e.Err)
}

// Unwrap makes errors.Is and errors.As find what the Requirement has returned.
func (e *RequirementError) Unwrap() error { return e.Err }
