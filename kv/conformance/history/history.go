// Package history decides whether a record of what concurrent transactions saw and wrote can be explained by
// running them one after the other, and if not, shows why.
//
// It knows nothing of how the transactions were run, so that the same check serves a store and a server
// behind a wire protocol. It follows Adya's definitions (Weak Consistency, 1999): infer from the values read
// in which order the versions of each key came, draw an edge from one transaction to another that must come
// after it, and search for cycles. That order can be inferred is a matter of the workload: every written
// value is unique within its key, so that a read names the write it saw; and keys are either lists, to which
// values are appended (a read shows the order of all writes so far), or registers, whose writers read before
// they write or tell their place in the commit order. The idea of such workloads is Kingsbury's and Alvaro's
// (Elle, 2020).
//
// The check is sound: what it reports cannot happen under (strict) serializability. It is complete only as
// far as the order of versions can be inferred.
package history

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// Kind is what an operation does.
type Kind uint8

const (
	Read   Kind = iota // of one key
	Range              // read of all keys with Key <= k < End
	Append             // of Value to the list at Key
	Write              // of Value to the register at Key
	Delete             // of the register at Key
)

// Op is one operation of a transaction and what it returned.
type Op struct {
	Kind  Kind
	Key   string
	End   string  // Range: the bound, "" if there is none
	Value int64   // Append, Write
	Seen  []int64 // Read: the list, or the register's one value; nil if the key is absent
	Rows  []Row   // Range: the keys that are present
}

// Row is one key of a Range read.
type Row struct {
	Key  string
	Seen []int64
}

// Status is how a transaction ended.
type Status uint8

const (
	Committed Status = iota
	Aborted
	Unknown // it may have committed: it counts as committed if anything it wrote was read
)

// Txn is one transaction as its client has seen it.
type Txn struct {
	Status Status
	// Start and End are when it was begun and when its end was acknowledged, on one clock of any unit. An
	// End of 0 means never. They are used by CheckStrict only.
	Start, End int64
	// Order is the place of its writes in the commit order, 0 if that is not known. If all writers of a
	// register tell it, it settles the order of that register's versions. It does not by itself make one
	// transaction come before another. CheckOrder alone looks at the order of transactions that only read.
	Order uint64
	Ops   []Op
}

// Anomaly is something serializable transactions cannot show.
type Anomaly struct {
	// Kind is the name of the anomaly: one of the constants below, cycles in real time with RealTime behind.
	Kind string
	// Txns are the indexes of the transactions that take part, a cycle in its order.
	Txns []int
	// Predicate tells that a cycle has a write that a Range read should have seen: a phantom.
	Predicate bool
	// Text explains it.
	Text string
}

// The kinds of anomalies.
const (
	Malformed         = "malformed history"  // the workload breaks this package's rules
	GarbageRead       = "garbage read"       // of a value nobody wrote
	AbortedRead       = "G1a"                // of a value of an aborted transaction
	IntermediateRead  = "G1b"                // of a value its own transaction has replaced
	Internal          = "internal"           // a transaction does not see its own past
	Duplicate         = "duplicate"          // one append shows twice
	IncompatibleOrder = "incompatible order" // two reads of a list disagree
	WriteCycle        = "G0"                 // each overwrote the other
	InformationCycle  = "G1c"                // each saw the other, or overwrote it
	SingleSkew        = "G-single"           // a cycle with one transaction that missed a write
	WriteSkew         = "G2"                 // a cycle with several that did
	RealTime          = "-realtime"          // a cycle only if what had ended came before what began later
	OutOfOrder        = "out of order"       // a read that does not fit the commit order that is told
)

// Check searches for anomalies. At most one cycle is reported, of the gravest kind and as short as possible.
func Check(txns []Txn) []Anomaly { return check(txns, false) }

// CheckStrict also requires that a transaction comes before all that were begun after its end.
func CheckStrict(txns []Txn) []Anomaly { return check(txns, true) }

// CheckOrder runs the committed transactions one after the other, in their Order (of several with the same, the
// one that writes first), and reports the reads that would have seen something else. It says more than the
// other checks where the order is known, since it leaves nothing to inference.
func CheckOrder(txns []Txn) []Anomaly {
	var order []int
	for t, txn := range txns {
		if txn.Status == Committed {
			order = append(order, t)
		}
	}
	writes := func(t int) bool {
		return slices.ContainsFunc(txns[t].Ops, func(op Op) bool { return op.Kind != Read && op.Kind != Range })
	}
	slices.SortStableFunc(order, func(a, b int) int {
		if c := cmp.Compare(txns[a].Order, txns[b].Order); c != 0 || writes(a) == writes(b) {
			return c
		}
		if writes(a) {
			return -1
		}
		return 1
	})
	var anomalies []Anomaly
	state := map[string][]int64{}
	for _, t := range order {
		for _, op := range txns[t].Ops {
			if want, ok := op.apply(state); !ok {
				anomalies = append(anomalies, Anomaly{
					Kind: OutOfOrder, Txns: []int{t},
					Text: fmt.Sprintf("%s: T%d does %s, where it would have seen %s\n  T%d %s", OutOfOrder, t, op, want, t, txns[t]),
				})
			}
		}
	}
	return anomalies
}

// apply does op alone on a state and tells whether it would have seen what it saw, and what else.
func (op Op) apply(state map[string][]int64) (want Op, ok bool) {
	want = op
	switch op.Kind {
	case Read:
		want.Seen = state[op.Key]
		ok = slices.Equal(want.Seen, op.Seen)
	case Range:
		want.Rows = nil
		for _, key := range slices.Sorted(maps.Keys(state)) {
			if key >= op.Key && (op.End == "" || key < op.End) {
				want.Rows = append(want.Rows, Row{Key: key, Seen: state[key]})
			}
		}
		ok = slices.EqualFunc(want.Rows, op.Rows, func(a, b Row) bool {
			return a.Key == b.Key && slices.Equal(a.Seen, b.Seen)
		})
	case Append:
		state[op.Key] = append(slices.Clip(state[op.Key]), op.Value)
		ok = true
	case Write:
		state[op.Key] = []int64{op.Value}
		ok = true
	case Delete:
		delete(state, op.Key)
		ok = true
	}
	return want, ok
}

func check(txns []Txn, strict bool) []Anomaly {
	c := newChecker(txns, strict)
	c.findWriters()
	c.findEffective()
	for t := range txns {
		if c.effective[t] {
			c.readTxn(t)
		}
	}
	c.orderLists()
	c.orderRegisters()
	c.draw()
	if strict {
		c.drawRealTime()
	}
	c.drawAbsences()
	if cycle := c.graph.findCycle(strict); cycle != nil {
		c.anomalies = append(c.anomalies, c.explain(cycle))
	}
	return c.anomalies
}
