package history

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestAnomalies finds every kind of anomaly in a history made by hand, and none where there is none. Where
// a second kind is given, the first is what Check finds and the second what CheckStrict finds.
func TestAnomalies(t *testing.T) {
	cases := []struct{ name, want, wantStrict, text string }{
		{"nothing", "", "", ``},
		{"serial", "", "", `
			committed 1 2: append x 1, write y 1
			committed 3 4: read x [1], read y [1], append x 2, write y 2
			committed 5 6: read x [1 2], read y [2], range a z {x [1 2], y [2]}`},
		{"concurrent, but in an order", "", "", `
			committed 1 9: read x -, append y 1
			committed 1 9: append x 1
			committed 1 9: read x [1], read y [1]`},
		{"an aborted write nobody saw", "", "", `
			aborted 1 2: append x 1
			committed 3 4: read x -`},
		{"an unknown write nobody saw", "", "", `
			unknown 1 0: append x 1
			committed 3 4: read x -`},
		{"an unknown write that was seen", "", "", `
			unknown 1 0: append x 1
			committed 3 4: read x -
			committed 5 6: read x [1]`},
		{"an unknown write that was seen and then not", "", SingleSkew + RealTime, `
			unknown 1 0: append x 1
			committed 5 6: read x [1]
			committed 7 8: read x -`},
		{"unknown seen by unknown", SingleSkew, SingleSkew, `
			unknown 1 0: append x 1, read z -
			unknown 1 0: read x [1], append y 1
			committed 5 6: read y [1], append z 1
			committed 1 6: read z [1], read y -`},
		{"aborted read", AbortedRead, AbortedRead, `
			aborted 1 2: append x 1
			committed 1 4: read x [1]`},
		{"aborted read within a list", AbortedRead, AbortedRead, `
			aborted 1 2: append x 1
			committed 1 4: append x 2
			committed 1 4: read x [1 2]`},
		{"aborted read in a range", AbortedRead, AbortedRead, `
			aborted 1 2: write x 1
			committed 1 4: range a z {x [1]}`},
		{"intermediate read", IntermediateRead, IntermediateRead, `
			committed 1 2: append x 1, append x 2
			committed 1 4: read x [1]`},
		{"intermediate read of a register", IntermediateRead, IntermediateRead, `
			committed 1 2: write x 1, delete x
			committed 1 4: read x [1]`},
		{"garbage", GarbageRead, GarbageRead, `
			committed 1 4: read x [7]`},
		{"duplicate", Duplicate, Duplicate, `
			committed 1 2: append x 1
			committed 1 4: read x [1 1]`},
		{"incompatible order", IncompatibleOrder, IncompatibleOrder, `
			committed 1 2: append x 1
			committed 1 2: append x 2
			committed 3 4: read x [1 2]
			committed 3 4: read x [2 1]`},
		{"internal: forgets its own append", Internal, Internal, `
			committed 1 2: append x 1, read x -`},
		{"internal: forgets its own write", Internal, Internal, `
			committed 1 2: write x 1
			committed 1 2: write x 2, read x [1]`},
		{"internal: not repeatable", Internal, Internal, `
			committed 1 2: append x 1
			committed 1 2: read x -, read x [1]`},
		{"internal: reads its own future", Internal, Internal, `
			committed 1 2: read x [1], append x 1`},
		{"internal: range", Internal, Internal, `
			committed 1 2: write x 1, range a z {}`},
		{"two writers of one value", Malformed, Malformed, `
			committed 1 2: write x 1
			committed 1 2: write x 1`},
		{"dirty write", WriteCycle, WriteCycle, `
			committed 1 2: append x 1, append y 1
			committed 1 2: append x 2, append y 2
			committed 3 4: read x [1 2], read y [2 1]`},
		{"dirty write on one list", WriteCycle, WriteCycle, `
			committed 1 2: append x 1, append x 3
			committed 1 2: append x 2
			committed 3 4: read x [1 2 3]`},
		{"stale read of a register", "", SingleSkew + RealTime, `
			committed 1 2 order 1: write x 1, write y 1
			committed 1 2 order 2: write x 2
			committed 3 4 order 3: write y 3, read x [1]`},
		{"an overwritten read, overwritten itself", SingleSkew, SingleSkew, `
			committed 1 2 order 1: write x 1
			committed 1 2 order 2: read x -, write x 2
			committed 1 2 order 3: write x 3`},
		{"circular information", InformationCycle, InformationCycle, `
			committed 1 2: append x 1, read y [1]
			committed 1 2: append y 1, read x [1]`},
		{"lost update", SingleSkew, SingleSkew, `
			committed 1 2: read x -, append x 1
			committed 1 2: read x -, append x 2
			committed 3 4: read x [1 2]`},
		{"lost update of registers in commit order", SingleSkew, SingleSkew, `
			committed 1 2 order 1: read x -, write x 1
			committed 1 2 order 2: read x -, write x 2`},
		{"lost update of registers by reads alone", WriteSkew, WriteSkew, `
			committed 1 2: write x 1
			committed 3 4: read x [1], write x 2
			committed 3 4: read x [1], write x 3`},
		{"read skew", SingleSkew, SingleSkew, `
			committed 1 2: append x 1, append y 1
			committed 1 2: read x -, read y [1]`},
		{"write skew", WriteSkew, WriteSkew, `
			committed 1 2: read x -, append y 1
			committed 1 2: read y -, append x 1
			committed 3 4: read x [1], read y [1]`},
		{"write skew on ranges", WriteSkew, WriteSkew, `
			committed 1 2: range a b {}, write b1 1
			committed 1 2: range b c {}, write a1 1`},
		{"phantom by insert", SingleSkew, SingleSkew, `
			committed 1 2: write a1 1, write sum 1
			committed 1 2: range a b {}, read sum [1]`},
		{"phantom by delete", SingleSkew, SingleSkew, `
			committed 1 2: write a1 1, write sum 1
			committed 3 4: read a1 [1], delete a1, read sum [1], write sum 2
			committed 3 4: range a b {a1 [1]}, read sum [2]`},
		{"a deleted row that is seen again", "", SingleSkew + RealTime, `
			committed 1 2: write x 1
			committed 3 4: read x [1], delete x
			committed 5 6: read x [1]`},
		{"absent before or after", "", "", `
			committed 1 2: write x 1
			committed 3 4: read x [1], delete x
			committed 1 6: read x -
			committed 5 6: read x -`},
		{"absent, neither before nor after", SingleSkew, SingleSkew, `
			committed 1 2: write x 1, append y 1
			committed 3 4: read x [1], delete x, append y 2
			committed 1 6: read y [1], read x -
			committed 5 6: read y [1 2]`},
		{"absent in real time", "", SingleSkew + RealTime, `
			committed 1 2: write x 1
			committed 9 10: read x [1], delete x
			committed 4 5: read x -`},
		{"read-only anomaly", WriteSkew, WriteSkew, `
			committed 1 9: read s -, read c -, append c 1
			committed 1 3: read s -, append s 1
			committed 4 5: read s [1], read c -
			committed 10 11: read c [1], read s [1]`},
		{"three-way skew", WriteSkew, WriteSkew, `
			committed 1 2: read x -, append y 1
			committed 1 2: read y -, append z 1
			committed 1 2: read z -, append x 1
			committed 3 4: read x [1], read y [1], read z [1]`},
		{"stale read", "", SingleSkew + RealTime, `
			committed 1 2: append x 1
			committed 3 4: read x -`},
		{"read of the future", "", InformationCycle + RealTime, `
			committed 1 2: read x [1]
			committed 3 4: append x 1`},
		{"late write before an early one", "", WriteCycle + RealTime, `
			committed 1 2: append x 1
			committed 3 4: append x 2
			committed 1 9: read x [2 1]`},
		{"two readers disagree", WriteSkew, WriteSkew, `
			committed 1 9: append x 1
			committed 1 9: append y 1
			committed 2 3: read x [1], read y -
			committed 2 3: read y [1], read x -`},
		{"two readers disagree in time", "", WriteSkew + RealTime, `
			committed 1 9: read x -, read z [1]
			committed 1 2: append x 1
			committed 3 4: read z -
			committed 1 9: append z 1`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			txns, err := Parse(c.text)
			if err != nil {
				t.Fatal(err)
			}
			if got := Check(txns); !shows(got, c.want) {
				t.Errorf("Check finds %v, want %q", got, c.want)
			}
			if got := CheckStrict(txns); !shows(got, c.wantStrict) {
				t.Errorf("CheckStrict finds %v, want %q", got, c.wantStrict)
			}
			for _, txn := range txns {
				again, err := Parse(txn.String())
				if err != nil || len(again) != 1 || again[0].String() != txn.String() {
					t.Errorf("%s is read as %v, %v", txn, again, err)
				}
			}
		})
	}
}

func shows(got []Anomaly, want string) bool {
	if want == "" {
		return len(got) == 0
	}
	return slices.ContainsFunc(got, func(a Anomaly) bool { return a.Kind == want })
}

// simulation runs random transactions interleaved at random on one copy of the data, under an isolation level
// that is anything from none to serial.
type simulation struct {
	rng    *rand.Rand
	data   map[string][]int64
	txns   []Txn
	now    int64
	values int64
}

const (
	uncommitted = iota // reads and writes the data at once
	committed          // writes at commit, reads what is committed
	snapshot           // reads a snapshot, writes at commit
	serial             // one transaction at a time
	levels
)

func simulate(rng *rand.Rand, level, n int, registers bool) []Txn {
	s := &simulation{rng: rng, data: map[string][]int64{}, txns: make([]Txn, n)}
	keys := []string{"a", "b", "c"}
	type running struct {
		base, own map[string][]int64
		wrote     []string
		left      int
	}
	clone := func(m map[string][]int64) map[string][]int64 {
		out := map[string][]int64{}
		for k, v := range m {
			out[k] = v
		}
		return out
	}
	active := map[int]*running{}
	begun, done := 0, 0
	width := 3
	if level == serial {
		width = 1
	}
	for done < n {
		s.now++
		t := begun
		if begun < n && len(active) < width && (len(active) == 0 || rng.IntN(2) == 0) {
			s.txns[t].Start = s.now
			active[t] = &running{left: 1 + rng.IntN(3), base: clone(s.data), own: map[string][]int64{}}
			begun++
			continue
		}
		for t = range n {
			if active[t] != nil && (len(active) == 1 || rng.IntN(2) == 0) {
				break
			}
		}
		r := active[t]
		if r == nil {
			continue
		}
		if r.left == 0 {
			if level != uncommitted {
				for _, k := range r.wrote {
					if registers {
						s.data[k] = r.own[k]
					} else { // a list keeps what others have appended meanwhile
						s.data[k] = append(slices.Clone(s.data[k]), r.own[k]...)
					}
				}
			}
			s.txns[t].End = s.now
			s.txns[t].Order = uint64(s.now)
			delete(active, t)
			done++
			continue
		}
		r.left--
		k := keys[rng.IntN(len(keys))]
		current := func(k string) []int64 {
			var seen []int64
			switch level {
			case snapshot, serial:
				seen = r.base[k]
			default:
				seen = s.data[k]
			}
			if level != uncommitted {
				if _, ok := r.own[k]; ok && registers {
					return r.own[k]
				}
				seen = append(slices.Clone(seen), r.own[k]...)
			}
			if len(seen) == 0 {
				return nil
			}
			return slices.Clone(seen)
		}
		txn := &s.txns[t]
		switch rng.IntN(5) {
		case 0, 1:
			txn.Ops = append(txn.Ops, Op{Kind: Read, Key: k, Seen: current(k)})
		case 2:
			op := Op{Kind: Range, Key: "b"}
			for _, k := range keys[1:] {
				if seen := current(k); seen != nil {
					op.Rows = append(op.Rows, Row{Key: k, Seen: seen})
				}
			}
			txn.Ops = append(txn.Ops, op)
		default:
			s.values++
			op := Op{Kind: Append, Key: k, Value: s.values}
			next := append(slices.Clone(r.own[k]), s.values)
			if level == uncommitted {
				next = append(slices.Clone(s.data[k]), s.values)
			}
			if registers {
				op.Kind, next = Write, []int64{s.values}
				if rng.IntN(3) == 0 {
					op, next = Op{Kind: Delete, Key: k}, nil
				}
			}
			txn.Ops = append(txn.Ops, op)
			if level == uncommitted {
				s.data[k] = next
			} else {
				r.own[k] = next
				if !slices.Contains(r.wrote, k) {
					r.wrote = append(r.wrote, k)
				}
			}
		}
	}
	// A last transaction sees what is left.
	last := Txn{Start: s.now + 1, End: s.now + 2}
	for _, k := range keys {
		seen := s.data[k]
		if len(seen) == 0 {
			seen = nil
		}
		last.Ops = append(last.Ops, Op{Kind: Read, Key: k, Seen: seen})
	}
	return append(s.txns, last)
}

// blur makes it unknown of some transactions whether they have committed, and leaves out in which order they did.
func blur(rng *rand.Rand, txns []Txn) {
	for i := range txns {
		txns[i].Order = 0
		if i < len(txns)-1 && rng.IntN(3) == 0 {
			txns[i].Status, txns[i].End = Unknown, 0
		}
	}
}

// serializableSomehow tries all choices of the transactions with unknown outcome.
func serializableSomehow(txns []Txn, strict bool) bool {
	at := slices.IndexFunc(txns, func(t Txn) bool { return t.Status == Unknown })
	if at < 0 {
		return serializable(txns, strict)
	}
	took := slices.Clone(txns)
	took[at].Status = Committed
	return serializableSomehow(took, strict) || serializableSomehow(slices.Delete(slices.Clone(txns), at, at+1), strict)
}

// serializable tries all orders of the transactions in which writers of one register come as they tell.
func serializable(txns []Txn, strict bool) bool {
	used := make([]bool, len(txns))
	var try func(data map[string][]int64, left int) bool
	try = func(data map[string][]int64, left int) bool {
		if left == 0 {
			return true
		}
	next:
		for t, txn := range txns {
			if used[t] {
				continue
			}
			for o, other := range txns {
				if !used[o] && (strict && other.End != 0 && other.End < txn.Start || other.Order < txn.Order && overwrites(txn, other)) {
					continue next
				}
			}
			if after, ok := apply(data, txn); ok {
				used[t] = true
				if try(after, left-1) {
					return true
				}
				used[t] = false
			}
		}
		return false
	}
	return try(map[string][]int64{}, len(txns))
}

// overwrites reports whether both transactions write one register.
func overwrites(a, b Txn) bool {
	for _, x := range a.Ops {
		for _, y := range b.Ops {
			if x.Key == y.Key && (x.Kind == Write || x.Kind == Delete) && (y.Kind == Write || y.Kind == Delete) {
				return true
			}
		}
	}
	return false
}

// apply runs a transaction alone and tells whether it would have seen what it saw.
func apply(state map[string][]int64, txn Txn) (map[string][]int64, bool) {
	after := maps.Clone(state)
	for _, op := range txn.Ops {
		if _, ok := op.apply(after); !ok {
			return nil, false
		}
	}
	return after, true
}

// TestAgainstAllOrders compares the check with trying all serial orders, on small histories of all isolation
// levels, some with transactions whose outcome is unknown. For lists that are all read in the end it must agree; for registers it must report nothing false
// and, since it may miss what hangs on an absence, most of the rest.
func TestAgainstAllOrders(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	bad, missed := map[bool]int{}, 0
	badBlurred, missedBlurred := 0, 0
	for i := range 9000 {
		registers := i%2 == 1
		level := i / 2 % levels
		txns := simulate(rng, level, 2+rng.IntN(4), registers)
		if i%3 == 2 {
			blur(rng, txns)
			for _, strict := range []bool{false, true} {
				found := check(txns, strict)
				switch want := serializableSomehow(txns, strict); {
				case !want && level == serial:
					t.Fatalf("seed %d: a serial history is not serializable:\n%s", seed, text(txns))
				case want && len(found) > 0:
					t.Fatalf("seed %d, history %d, strict %v: %v\nin a serializable history:\n%s", seed, i, strict, found, text(txns))
				case !want:
					badBlurred++
					if len(found) == 0 {
						missedBlurred++
					}
				}
			}
			continue
		}
		for _, strict := range []bool{false, true} {
			found := check(txns, strict)
			want := serializable(txns, strict)
			if !want {
				bad[registers]++
			}
			switch {
			case !want && level == serial:
				t.Fatalf("seed %d: a serial history is not serializable:\n%s", seed, text(txns))
			case want && len(found) > 0:
				t.Fatalf("seed %d, history %d, strict %v: %v\nin a serializable history:\n%s", seed, i, strict, found, text(txns))
			case !want && len(found) == 0 && !registers:
				t.Fatalf("seed %d, history %d, strict %v: nothing found in\n%s", seed, i, strict, text(txns))
			case !want && len(found) == 0:
				missed++
			}
		}
	}
	t.Logf("histories with an anomaly: %d of lists, %d of registers, missed %d of these; with unknown outcomes %d, missed %d of these",
		bad[false], bad[true], missed, badBlurred, missedBlurred)
	if badBlurred < 500 || missedBlurred*3 > badBlurred {
		t.Errorf("missed %d of %d anomalies with unknown outcomes", missedBlurred, badBlurred)
	}
	if bad[false] < 500 || bad[true] < 500 {
		t.Error("too few histories have an anomaly for this test to say something")
	}
	if missed*20 > bad[true] {
		t.Errorf("missed %d of %d anomalies in registers", missed, bad[true])
	}
}

func text(txns []Txn) string {
	var s strings.Builder
	for i, txn := range txns {
		fmt.Fprintf(&s, "T%d %s\n", i, txn)
	}
	return s.String()
}

// large is a history of about n transactions, serializable and concurrent: small ones with keys of their own, one after
// the other.
func large(rng *rand.Rand, n int) []Txn {
	var all []Txn
	offset := int64(0)
	for part := 0; len(all) < n; part++ {
		prefix := fmt.Sprintf("%06d", part)
		txns := simulate(rng, serial, 60, part%2 == 0)
		for i := range txns {
			txn := &txns[i]
			txn.Order = 0
			txn.Start, txn.End = txn.Start+offset, txn.End+offset
			for o := range txn.Ops {
				op := &txn.Ops[o]
				op.Key = prefix + op.Key
				if op.Kind == Range {
					op.End = prefix + "~"
				}
				for r := range op.Rows {
					op.Rows[r].Key = prefix + op.Rows[r].Key
				}
			}
		}
		offset = txns[len(txns)-1].End
		all = append(all, txns...)
	}
	// Every second transaction reaches over its neighbours, which makes the history concurrent.
	for i := 2; i+2 < len(all); i += 2 {
		all[i].Start, all[i].End = all[i-1].Start, all[i+1].End
	}
	return all
}

// TestLargeHistory checks a long history in reasonable time, and finds the one wrong read in it.
func TestLargeHistory(t *testing.T) {
	txns := large(rand.New(rand.NewPCG(1, 2)), 30_000)
	if found := CheckStrict(txns); len(found) > 0 {
		t.Fatal(found)
	}
	for i := len(txns) / 2; ; i++ {
		if op := &txns[i].Ops[0]; op.Kind == Range && op.Rows != nil && len(op.Rows[0].Seen) > 1 {
			op.Rows = nil
			break
		}
	}
	if found := CheckStrict(txns); len(found) == 0 {
		t.Error("the wrong read is not found")
	}
}

// BenchmarkCheck shows how the time for each transaction depends on how many there are: hardly.
func BenchmarkCheck(b *testing.B) {
	for _, n := range []int{3_000, 30_000, 300_000} {
		txns := large(rand.New(rand.NewPCG(1, 2)), n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				CheckStrict(txns)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(txns)), "ns/txn")
		})
	}
}

// TestPhantoms: a cycle over a write that a range read should have seen is told as such, by insert and by delete.
func TestPhantoms(t *testing.T) {
	for _, c := range []struct {
		name, history, text string
		predicate           bool
	}{
		{"insert", `
			committed 1 2: range a b {}, write b1 1
			committed 1 2: range b c {}, write a1 1`,
			"T1 writes a1 in the range from a to b that T0 has read, and T0 has not seen that", true},
		{"delete", `
			committed 1 2: write a1 1, write b1 1
			committed 3 4: range a b {a1 [1]}, read b1 [1], delete b1
			committed 3 4: range b c {b1 [1]}, read a1 [1], delete a1`,
			"T2 deletes a1 in the range from a to b that T1 has read, and T1 has not seen that", true},
		{"row", `
			committed 1 2: read x -, write y 1
			committed 1 2: read y -, write x 1`,
			"T1 writes x, which T0 has not seen", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			txns, err := Parse(c.history)
			if err != nil {
				t.Fatal(err)
			}
			found := Check(txns)
			if len(found) != 1 || found[0].Kind != WriteSkew || found[0].Predicate != c.predicate || !strings.Contains(found[0].Text, c.text) {
				t.Errorf("found %+v, want a %s with %q", found, WriteSkew, c.text)
			}
		})
	}
}

// TestUnknownDelete: whoever finds nothing where an unknown transaction may have deleted is not held to anything.
func TestUnknownDelete(t *testing.T) {
	const before = `
		committed 1 2: write x 1
		committed 3 4: read x [1]`
	for _, c := range []struct{ name, history, want string }{
		{"perhaps", before + `
			unknown 5 0: read x [1], delete x
			committed 6 7: read x -`, ""},
		{"nobody", before + `
			committed 6 7: read x -`, SingleSkew + RealTime},
		{"too late", before + `
			committed 6 7: read x -
			unknown 8 0: read x [1], delete x`, SingleSkew + RealTime},
		{"seen by another write", before + `
			unknown 5 0: read x [1], delete x, append y 1
			committed 6 7: read y [1]
			committed 8 9: read x [1]`, SingleSkew + RealTime},
	} {
		t.Run(c.name, func(t *testing.T) {
			txns, err := Parse(c.history)
			if err != nil {
				t.Fatal(err)
			}
			if got := CheckStrict(txns); !shows(got, c.want) {
				t.Errorf("found %v, want %q", got, c.want)
			}
		})
	}
}

// TestCheckOrder finds reads that fit some order, but not the one that is told.
func TestCheckOrder(t *testing.T) {
	for want, text := range map[int]string{
		0: `
			committed 1 2 order 7: read x [1], delete x, append l 2
			committed 1 2 order 5: range a z {}, append l 1, write x 1
			committed 1 2 order 5: range a z {l [1], x [1]}
			aborted 1 2 order 6: write x 9
			committed 1 2: range a z {}
			committed 1 2 order 9: range a z {l [1 2]}`,
		1: `
			committed 1 2 order 2: write x 1
			committed 1 2 order 1: read x [1]`,
		2: `
			committed 1 2 order 1: write x 1, read x -, append l 1, read l [1]
			committed 1 2 order 2: range l z {x [1]}`,
	} {
		txns, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := CheckOrder(txns); len(got) != want {
			t.Errorf("%v, want %d in%s", got, want, text)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, line := range []string{
		"maybe 1 2", "committed x 2", "committed 1", "committed 1 2: jump x", "committed 1 2: read x", "committed 1 2: read x [1",
		"committed 1 2: range a b {", "committed 1 2: append x", "committed 1 2 extra", "committed 1 2: range a b x",
	} {
		if txns, err := Parse(line); err == nil {
			t.Errorf("%q is read as %v", line, txns)
		}
	}
}
