package history

import (
	"fmt"
	"slices"
	"sort"
	"strings"
)

// writeID names a write by what a read shows of it.
type writeID struct {
	key   *key
	value int64
}

// writer is who wrote a value, and whether it is what the transaction left behind.
type writer struct {
	txn   int
	final bool
}

// key is a list or a register with all that is known of its versions.
type key struct {
	name  string
	list  bool       // it is appended to
	empty *version   // the state before all writers
	gone  []*version // states in which it is absent, the empty one first
	// written are the versions that effective transactions have left behind, in the order of their numbers.
	written []*version
	// doubtful are transactions that may have deleted the key, or may not have taken place.
	doubtful []int
}

// of is the version that transaction t has left behind, nil if there is none.
func (k *key) of(t int) *version {
	i, found := slices.BinarySearchFunc(k.written, t, func(v *version, t int) int { return v.txn - t })
	if !found {
		return nil
	}
	return k.written[i]
}

// version is one state of a key between transactions: what one of them has left behind.
type version struct {
	key  *key
	txn  int // the writer, -1 for the state before all of them
	gone bool
	last int64 // the value, or the last of the list
	// before is what the writer has read of the key before it wrote, nil if that is not known.
	before *version
	// next are versions known to come later, the nearest that are known.
	next    []*version
	readers []int
}

// checker carries one check from step to step.
type checker struct {
	txns      []Txn
	strict    bool
	anomalies []Anomaly

	names     map[string]*key
	keys      []*key // in the order of their names
	writers   map[writeID]writer
	effective []bool // committed as far as can be known

	absences []absence

	graph *graph
}

func newChecker(txns []Txn, strict bool) *checker {
	return &checker{
		txns:      txns,
		strict:    strict,
		names:     map[string]*key{},
		writers:   map[writeID]writer{},
		effective: make([]bool, len(txns)),
		graph:     newGraph(len(txns)),
	}
}

// stories bounds the anomalies that are told with the transactions they are about.
const stories = 20

// report notes an anomaly of a key ("": of none) that needs no cycle to be seen.
func (c *checker) report(kind, key, format string, txns []int, args ...any) {
	text := kind + ": " + fmt.Sprintf(format, args...)
	if len(c.anomalies) < stories {
		for _, t := range txns {
			text += fmt.Sprintf("\n  T%d %s", t, c.txns[t].about(map[string]bool{key: true}))
		}
	}
	c.anomalies = append(c.anomalies, Anomaly{Kind: kind, Txns: txns, Text: text})
}

// findWriters indexes all writes and sorts the keys into lists and registers.
func (c *checker) findWriters() {
	registers := map[*key]bool{}
	for t, txn := range c.txns {
		last := map[*key]writeID{}
		for _, op := range txn.Ops {
			if op.Kind == Read || op.Kind == Range {
				continue
			}
			k := c.names[op.Key]
			if k == nil {
				k = &key{name: op.Key}
				k.empty = &version{key: k, txn: -1, gone: true}
				k.gone = []*version{k.empty}
				c.names[op.Key] = k
				c.keys = append(c.keys, k)
			}
			if op.Kind == Append {
				k.list = true
			} else {
				registers[k] = true
			}
			if op.Kind == Delete {
				delete(last, k)
				continue
			}
			id := writeID{k, op.Value}
			if other, ok := c.writers[id]; ok {
				c.report(Malformed, op.Key, "T%d and T%d both write %d to %s", []int{other.txn, t}, other.txn, t, op.Value, op.Key)
			}
			c.writers[id] = writer{txn: t}
			last[k] = id
		}
		for _, id := range last {
			c.writers[id] = writer{txn: t, final: true}
		}
	}
	slices.SortFunc(c.keys, func(a, b *key) int { return strings.Compare(a.name, b.name) })
	for _, k := range c.keys {
		if k.list && registers[k] {
			c.report(Malformed, k.name, "%s is both a list and a register", nil, k.name)
		}
	}
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
	unknown := 0
	for t, txn := range c.txns {
		switch txn.Status {
		case Committed:
			count(t)
		case Unknown:
			unknown++
		}
	}
	for len(found) > 0 && unknown > 0 {
		t := found[len(found)-1]
		found = found[:len(found)-1]
		eachRead(c.txns[t], func(name string, seen []int64) {
			k := c.names[name]
			for _, value := range seen {
				if w, ok := c.writers[writeID{k, value}]; ok && c.txns[w.txn].Status == Unknown {
					count(w.txn)
				}
			}
		})
	}
	for t, txn := range c.txns {
		if c.effective[t] {
			c.leaveBehind(t)
		} else if txn.Status == Unknown {
			for _, op := range txn.Ops {
				if k := c.names[op.Key]; op.Kind == Delete && !slices.Contains(k.doubtful, t) {
					k.doubtful = append(k.doubtful, t)
				}
			}
		}
	}
}

// leaveBehind makes the versions of a transaction that counts.
func (c *checker) leaveBehind(t int) {
	for _, op := range c.txns[t].Ops {
		if op.Kind == Read || op.Kind == Range {
			continue
		}
		k := c.names[op.Key]
		v := k.of(t)
		if v == nil {
			v = &version{key: k, txn: t}
			k.written = append(k.written, v)
		}
		v.last, v.gone = op.Value, op.Kind == Delete
	}
	for _, op := range c.txns[t].Ops {
		if op.Kind != Delete {
			continue
		}
		k := c.names[op.Key]
		if v := k.of(t); v.gone && k.gone[len(k.gone)-1] != v {
			k.gone = append(k.gone, v)
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
		k := known[key]
		if k == nil {
			k = &knowledge{}
			known[key] = k
		}
		return k
	}
	read := func(key string, seen []int64) {
		k := of(key)
		switch {
		case k.whole:
			if !slices.Equal(k.state, seen) {
				c.report(Internal, key, "T%d reads %s = %v, where its own past says %v", []int{t}, t, key, seen, k.state)
			}
			return
		case len(k.state) > len(seen) || !slices.Equal(seen[len(seen)-len(k.state):], k.state):
			c.report(Internal, key, "T%d reads %s = %v, without what it has appended: %v", []int{t}, t, key, seen, k.state)
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
	rows := make(map[string][]int64, len(op.Rows))
	for _, row := range op.Rows {
		rows[row.Key] = row.Seen
	}
	first := sort.Search(len(c.keys), func(i int) bool { return c.keys[i].name >= op.Key })
	for _, k := range c.keys[first:] {
		if op.End != "" && k.name >= op.End {
			break
		}
		read(k.name, rows[k.name])
		delete(rows, k.name)
	}
	for key, seen := range rows {
		read(key, seen)
	}
}

// readVersion notes that t has seen a version that is not its own.
func (c *checker) readVersion(t int, name string, seen []int64, wrote bool) {
	k := c.names[name]
	if len(seen) == 0 {
		switch {
		case k == nil: // nobody ever writes it
		case len(k.gone) == 1 && k.doubtful == nil:
			c.saw(t, k.empty, wrote)
		default:
			c.absences = append(c.absences, absence{txn: t, key: k, wrote: wrote})
		}
		return
	}
	if k == nil || !k.list && len(seen) > 1 {
		if k != nil {
			c.report(Malformed, name, "T%d reads the register %s = %v", []int{t}, t, name, seen)
			return
		}
		c.report(GarbageRead, name, "T%d reads %s = %v, but nobody wrote it", []int{t}, t, name, seen)
		return
	}
	for i, value := range seen {
		w, ok := c.writers[writeID{k, value}]
		switch {
		case !ok:
			c.report(GarbageRead, name, "T%d reads %s = %v, but nobody wrote %d", []int{t}, t, name, seen, value)
		case !c.effective[w.txn]:
			c.report(AbortedRead, name, "T%d reads %s = %v with the %d of T%d, which did not commit", []int{t, w.txn}, t, name, seen, value, w.txn)
		case w.txn == t:
			c.report(Internal, name, "T%d reads %s = %v before it writes %d", []int{t}, t, name, seen, value)
		case i == len(seen)-1 && !w.final:
			c.report(IntermediateRead, name, "T%d reads %s = %v, but T%d has not left it at %d", []int{t, w.txn}, t, name, seen, w.txn, value)
		case i == len(seen)-1:
			c.saw(t, k.of(w.txn), wrote)
		}
		if slices.Contains(seen[:i], value) {
			c.report(Duplicate, name, "T%d reads %s = %v", []int{t}, t, name, seen)
		}
	}
}

func (c *checker) saw(t int, v *version, wrote bool) {
	v.readers = append(v.readers, t)
	if wrote {
		return
	}
	if own := v.key.of(t); own != nil {
		own.before = v
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
	seenLists := map[*key][]seenList{}
	for t, txn := range c.txns {
		if c.effective[t] {
			eachRead(txn, func(name string, seen []int64) {
				if k := c.names[name]; k != nil && k.list {
					seenLists[k] = append(seenLists[k], seenList{txn: t, seen: seen})
				}
			})
		}
	}
	for _, k := range c.keys {
		if !k.list {
			continue
		}
		var longest []int64
		for _, s := range seenLists[k] {
			if len(s.seen) > len(longest) {
				longest = s.seen
			}
		}
		for _, s := range seenLists[k] {
			if !slices.Equal(s.seen, longest[:len(s.seen)]) {
				c.report(IncompatibleOrder, k.name, "T%d reads %s = %v, others read %v", []int{s.txn}, s.txn, k.name, s.seen, longest)
			}
		}
		at := k.empty
		chained := map[*version]bool{}
		for _, value := range longest {
			w, ok := c.writers[writeID{k, value}]
			if !ok || !c.effective[w.txn] {
				continue
			}
			if v := k.of(w.txn); v != at {
				at.next = append(at.next, v)
				at = v
				chained[v] = true
			}
		}
		for _, v := range k.written {
			if !chained[v] {
				at.next = append(at.next, v)
			}
		}
	}
}

// orderRegisters orders the versions of every register: by the commit order if all writers tell it, else by
// what each writer has read before.
func (c *checker) orderRegisters() {
	for _, k := range c.keys {
		if k.list {
			continue
		}
		if !slices.ContainsFunc(k.written, func(v *version) bool { return c.txns[v.txn].Order == 0 }) {
			all := slices.Clone(k.written)
			slices.SortFunc(all, func(a, b *version) int {
				if c.txns[a.txn].Order < c.txns[b.txn].Order {
					return -1
				}
				return 1
			})
			at := k.empty
			for _, v := range all {
				at.next = append(at.next, v)
				at = v
			}
			continue
		}
		// The state before all writers comes before each of them, known or not what is between. Where a chain
		// of what the writers read leads back to it, the chain says so already.
		follows := map[*version]bool{k.empty: true}
		var chain func(v *version) bool
		chain = func(v *version) bool {
			done, known := follows[v]
			if known {
				return done
			}
			follows[v] = false // against a circle
			follows[v] = v.before != nil && chain(v.before)
			return follows[v]
		}
		for _, v := range k.written {
			if v.before != nil {
				v.before.next = append(v.before.next, v)
			}
			if !chain(v) {
				k.empty.next = append(k.empty.next, v)
			}
		}
	}
}
