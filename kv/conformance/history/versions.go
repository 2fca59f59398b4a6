package history

import (
	"fmt"
	"slices"
	"sort"
)

// writeID names a write by what a read shows of it.
type writeID struct {
	key   string
	value int64
}

// writer is who wrote a value, and whether it is what the transaction left behind.
type writer struct {
	txn   int
	final bool
}

// version is one state of a key between transactions: what one of them has left behind.
type version struct {
	key  string
	txn  int // the writer, -1 for the state before all of them
	gone bool
	last int64 // the value, or the last of the list
	// next are versions known to come later, the nearest that are known.
	next    []*version
	readers []int
}

// absence is a read that found nothing where several versions are nothing.
type absence struct {
	txn        int
	key        string
	candidates []*version
}

// checker carries one check from step to step.
type checker struct {
	txns      []Txn
	anomalies []Anomaly

	writers   map[writeID]writer
	lists     map[string]bool // the keys that are appended to
	keys      []string        // all keys that are written, in order
	effective []bool          // committed as far as can be known

	initial  map[string]*version
	versions map[writeID]*version        // what effective transactions left behind
	gone     map[string][]*version       // deleted states by key, the initial one first
	written  map[string]map[int]*version // by key and transaction
	absences []absence
	before   map[string]map[int]*version // by key and transaction: the version read before the first write

	graph *graph
}

func newChecker(txns []Txn) *checker {
	return &checker{
		txns:      txns,
		writers:   map[writeID]writer{},
		lists:     map[string]bool{},
		effective: make([]bool, len(txns)),
		initial:   map[string]*version{},
		versions:  map[writeID]*version{},
		gone:      map[string][]*version{},
		written:   map[string]map[int]*version{},
		before:    map[string]map[int]*version{},
		graph:     newGraph(len(txns)),
	}
}

func (c *checker) report(kind, format string, txns []int, args ...any) {
	c.anomalies = append(c.anomalies, Anomaly{Kind: kind, Txns: txns, Text: kind + ": " + fmt.Sprintf(format, args...)})
}

// findWriters indexes all writes and sorts the keys into lists and registers.
func (c *checker) findWriters() {
	registers := map[string]bool{}
	for t, txn := range c.txns {
		last := map[string]writeID{}
		for _, op := range txn.Ops {
			switch op.Kind {
			case Append:
				c.lists[op.Key] = true
			case Write:
				registers[op.Key] = true
			case Delete:
				registers[op.Key] = true
				delete(last, op.Key)
				continue
			default:
				continue
			}
			id := writeID{op.Key, op.Value}
			if other, ok := c.writers[id]; ok {
				c.report(Malformed, "T%d and T%d both write %d to %s", []int{other.txn, t}, other.txn, t, op.Value, op.Key)
			}
			c.writers[id] = writer{txn: t}
			last[op.Key] = id
		}
		for _, id := range last {
			c.writers[id] = writer{txn: t, final: true}
		}
	}
	for key := range c.lists {
		if registers[key] {
			c.report(Malformed, "%s is both a list and a register", nil, key)
		}
		registers[key] = true
	}
	for key := range registers {
		c.keys = append(c.keys, key)
		c.initial[key] = &version{key: key, txn: -1, gone: true}
		c.gone[key] = []*version{c.initial[key]}
		c.written[key] = map[int]*version{}
		c.before[key] = map[int]*version{}
	}
	slices.Sort(c.keys)
}

// findEffective decides which transactions count: the committed ones, and of those with an unknown outcome
// the ones that another that counts has seen.
func (c *checker) findEffective() {
	var found []int
	count := func(t int) {
		if !c.effective[t] {
			c.effective[t] = true
			found = append(found, t)
		}
	}
	for t, txn := range c.txns {
		if txn.Status == Committed {
			count(t)
		}
	}
	for len(found) > 0 {
		t := found[0]
		found = found[1:]
		eachRead(c.txns[t], func(key string, seen []int64) {
			for _, v := range seen {
				if w, ok := c.writers[writeID{key, v}]; ok && c.txns[w.txn].Status == Unknown {
					count(w.txn)
				}
			}
		})
	}
	for t, txn := range c.txns {
		if !c.effective[t] {
			continue
		}
		for _, op := range txn.Ops {
			if op.Kind == Read || op.Kind == Range {
				continue
			}
			v := c.written[op.Key][t]
			if v == nil {
				v = &version{key: op.Key, txn: t}
				c.written[op.Key][t] = v
			}
			v.last, v.gone = op.Value, op.Kind == Delete
		}
		for _, key := range c.keys {
			if v := c.written[key][t]; v != nil && v.gone {
				c.gone[key] = append(c.gone[key], v)
			} else if v != nil {
				c.versions[writeID{key, v.last}] = v
			}
		}
	}
}

// eachRead calls f for every key that reads of the transaction have found.
func eachRead(txn Txn, f func(key string, seen []int64)) {
	for _, op := range txn.Ops {
		switch op.Kind {
		case Read:
			f(op.Key, op.Seen)
		case Range:
			for _, row := range op.Rows {
				f(row.Key, row.Seen)
			}
		}
	}
}

// knowledge is what a transaction knows of a key.
type knowledge struct {
	whole bool    // all of it is known, else only what it has appended
	state []int64 // nil if the key is absent
	wrote bool
}

// readTxn goes through the reads of a transaction: each must agree with what the transaction knows already,
// and the first of each key, before own writes, tells which version it saw.
func (c *checker) readTxn(t int) {
	known := map[string]*knowledge{}
	of := func(key string) *knowledge {
		if known[key] == nil {
			known[key] = &knowledge{}
		}
		return known[key]
	}
	read := func(key string, seen []int64) {
		k := of(key)
		switch {
		case k.whole:
			if !slices.Equal(k.state, seen) {
				c.report(Internal, "T%d reads %s = %v, where its own past says %v", []int{t}, t, key, seen, k.state)
			}
			return
		case len(k.state) > len(seen) || !slices.Equal(seen[len(seen)-len(k.state):], k.state):
			c.report(Internal, "T%d reads %s = %v, without what it has appended: %v", []int{t}, t, key, seen, k.state)
			return
		}
		c.readVersion(t, key, seen[:len(seen)-len(k.state)], k.wrote)
		*k = knowledge{whole: true, state: seen, wrote: k.wrote}
		if len(seen) == 0 {
			k.state = nil
		}
	}
	for _, op := range c.txns[t].Ops {
		switch op.Kind {
		case Read:
			read(op.Key, op.Seen)
		case Range:
			c.readRange(op, read)
		case Append:
			k := of(op.Key)
			k.state, k.wrote = append(slices.Clone(k.state), op.Value), true
		case Write:
			*of(op.Key) = knowledge{whole: true, state: []int64{op.Value}, wrote: true}
		case Delete:
			*of(op.Key) = knowledge{whole: true, wrote: true}
		}
	}
}

// readRange takes a range as a read of every key in it that anybody writes.
func (c *checker) readRange(op Op, read func(key string, seen []int64)) {
	rows := map[string][]int64{}
	for _, row := range op.Rows {
		rows[row.Key] = row.Seen
	}
	for i := sort.SearchStrings(c.keys, op.Key); i < len(c.keys); i++ {
		if key := c.keys[i]; op.End == "" || key < op.End {
			read(key, rows[key])
			delete(rows, key)
		}
	}
	for key, seen := range rows {
		read(key, seen)
	}
}

// readVersion notes that t has seen a version that is not its own.
func (c *checker) readVersion(t int, key string, seen []int64, wrote bool) {
	if len(seen) == 0 {
		switch gone := c.gone[key]; {
		case gone == nil: // nobody ever writes it
		case len(gone) == 1:
			c.saw(t, gone[0], wrote)
		default:
			c.absences = append(c.absences, absence{txn: t, key: key, candidates: gone})
		}
		return
	}
	if !c.lists[key] && len(seen) > 1 {
		c.report(Malformed, "T%d reads the register %s = %v", []int{t}, t, key, seen)
		return
	}
	values := map[int64]bool{}
	for i, value := range seen {
		w, ok := c.writers[writeID{key, value}]
		switch {
		case !ok:
			c.report(GarbageRead, "T%d reads %s = %v, but nobody wrote %d", []int{t}, t, key, seen, value)
		case !c.effective[w.txn]:
			c.report(AbortedRead, "T%d reads %s = %v with the %d of T%d, which did not commit", []int{t, w.txn}, t, key, seen, value, w.txn)
		case w.txn == t:
			c.report(Internal, "T%d reads %s = %v before it writes %d", []int{t}, t, key, seen, value)
		case i == len(seen)-1 && !w.final:
			c.report(IntermediateRead, "T%d reads %s = %v, but T%d has not left it at %d", []int{t, w.txn}, t, key, seen, w.txn, value)
		case i == len(seen)-1:
			c.saw(t, c.versions[writeID{key, value}], wrote)
		}
		if values[value] {
			c.report(Duplicate, "T%d reads %s = %v", []int{t}, t, key, seen)
		}
		values[value] = true
	}
}

func (c *checker) saw(t int, v *version, wrote bool) {
	v.readers = append(v.readers, t)
	if !wrote {
		c.before[v.key][t] = v
	}
}

// seenList is a list as a transaction has read it.
type seenList struct {
	txn  int
	seen []int64
}

// orderLists chains the versions of every list as the longest list that was read shows them. What nobody has
// read comes after all that somebody has.
func (c *checker) orderLists() {
	seenLists := map[string][]seenList{}
	for t, txn := range c.txns {
		if c.effective[t] {
			eachRead(txn, func(key string, seen []int64) {
				seenLists[key] = append(seenLists[key], seenList{txn: t, seen: seen})
			})
		}
	}
	for _, key := range c.keys {
		if !c.lists[key] {
			continue
		}
		var longest []int64
		for _, s := range seenLists[key] {
			if len(s.seen) > len(longest) {
				longest = s.seen
			}
		}
		for _, s := range seenLists[key] {
			if !slices.Equal(s.seen, longest[:len(s.seen)]) {
				c.report(IncompatibleOrder, "T%d reads %s = %v, others read %v", []int{s.txn}, s.txn, key, s.seen, longest)
			}
		}
		at := c.initial[key]
		chained := map[*version]bool{}
		for _, value := range longest {
			w, ok := c.writers[writeID{key, value}]
			if !ok || !c.effective[w.txn] {
				continue
			}
			if v := c.written[key][w.txn]; v != at {
				at.next = append(at.next, v)
				at = v
				chained[v] = true
			}
		}
		for _, v := range c.written[key] {
			if !chained[v] {
				at.next = append(at.next, v)
			}
		}
	}
}

// orderRegisters orders the versions of every register: by the commit order if all writers tell it, else by
// what each writer has read before.
func (c *checker) orderRegisters() {
	for _, key := range c.keys {
		if c.lists[key] {
			continue
		}
		var all []*version
		told := true
		for t, v := range c.written[key] {
			all = append(all, v)
			told = told && c.txns[t].Order != 0
		}
		if told {
			slices.SortFunc(all, func(a, b *version) int {
				if c.txns[a.txn].Order < c.txns[b.txn].Order {
					return -1
				}
				return 1
			})
			at := c.initial[key]
			for _, v := range all {
				at.next = append(at.next, v)
				at = v
			}
			continue
		}
		for _, v := range all {
			// The state before all writers comes before each of them, known or not what is between.
			c.initial[key].next = append(c.initial[key].next, v)
			if read := c.before[key][v.txn]; read != nil && read != c.initial[key] {
				read.next = append(read.next, v)
			}
		}
	}
}
