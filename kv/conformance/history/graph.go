package history

import (
	"fmt"
	"slices"
	"strings"
)

// edgeKind is why one transaction comes after another. The kinds are bits, to be searched for in sets.
type edgeKind uint8

const (
	ww edgeKind = 1 << iota // it overwrote what the other wrote
	wr                      // it read what the other wrote
	rw                      // it overwrote what the other read
	rt                      // it began after the other had ended
)

type edge struct {
	to   int
	kind edgeKind
	key  string
}

// graph has the transactions as its first nodes; further ones stand for moments.
type graph struct {
	txns int
	out  [][]edge
	seen map[[3]int]bool
}

func newGraph(txns int) *graph {
	return &graph{txns: txns, out: make([][]edge, txns), seen: map[[3]int]bool{}}
}

// add draws an edge unless it would lead back at once or is there already.
func (g *graph) add(from, to int, kind edgeKind, key string) {
	id := [3]int{from, to, int(kind)}
	if from == to || from < 0 || to < 0 || g.seen[id] {
		return
	}
	g.seen[id] = true
	g.out[from] = append(g.out[from], edge{to: to, kind: kind, key: key})
}

// draw draws what the versions tell.
func (c *checker) draw() {
	for _, key := range c.keys {
		c.drawVersion(c.initial[key])
		for _, v := range c.written[key] {
			c.drawVersion(v)
		}
	}
}

func (c *checker) drawVersion(v *version) {
	for _, next := range v.next {
		c.graph.add(v.txn, next.txn, ww, v.key)
	}
	for _, t := range v.readers {
		c.drawRead(t, v)
	}
}

// drawRead draws that t saw v: it comes after who wrote it and before who replaced it. Its own replacement
// is no reason for others to come between.
func (c *checker) drawRead(t int, v *version) {
	c.graph.add(v.txn, t, wr, v.key)
	for _, next := range v.next {
		c.graph.add(t, next.txn, rw, v.key)
	}
}

// drawRealTime draws that whatever had ended comes before whatever began later. A chain of moments, one per
// end, keeps the edges few: an end leads to its moment, a moment to the next, and the last one before a start
// to what starts there.
func (c *checker) drawRealTime() {
	var ends []int
	for t, txn := range c.txns {
		if c.effective[t] && txn.End != 0 && txn.Status == Committed {
			ends = append(ends, t)
		}
	}
	slices.SortFunc(ends, func(a, b int) int { return int(c.txns[a].End - c.txns[b].End) })
	g := c.graph
	first := len(g.out)
	for i, t := range ends {
		g.out = append(g.out, nil)
		if i > 0 {
			g.add(first+i-1, first+i, rt, "")
		}
		g.add(t, first+i, rt, "")
	}
	for t, txn := range c.txns {
		if !c.effective[t] {
			continue
		}
		earlier, _ := slices.BinarySearchFunc(ends, txn.Start, func(e int, start int64) int {
			if c.txns[e].End < start {
				return -1
			}
			return 1
		})
		if earlier > 0 {
			g.add(first+earlier-1, t, rt, "")
		}
	}
}

// drawAbsences settles reads that found nothing where it was more than once that there was nothing: a state
// that cannot have been the one, since it would close a cycle, is ruled out, and what is left alone is drawn.
// If all are ruled out, any of them shows a cycle. Reads that stay open are left out, to report nothing false.
func (c *checker) drawAbsences() {
	for {
		reach, ok := c.graph.reachability()
		if !ok {
			return
		}
		progress := false
		var open []absence
		for _, a := range c.absences {
			possible := slices.DeleteFunc(slices.Clone(a.candidates), func(v *version) bool {
				if v.txn == a.txn || v.txn >= 0 && reach.has(a.txn, v.txn) {
					return true
				}
				return slices.ContainsFunc(v.next, func(next *version) bool {
					return next.txn != a.txn && reach.has(next.txn, a.txn)
				})
			})
			switch len(possible) {
			case 0:
				c.drawRead(a.txn, c.initial[a.key])
				return
			case 1:
				c.drawRead(a.txn, possible[0])
				progress = true
			default:
				open = append(open, absence{txn: a.txn, key: a.key, candidates: possible})
			}
		}
		c.absences = open
		if !progress || len(open) == 0 {
			return
		}
	}
}

// relation is a set of pairs of nodes.
type relation [][]uint64

func (r relation) has(from, to int) bool { return r[from][to/64]&(1<<(to%64)) != 0 }

// reachability is which node can be reached from which. It fails if there is a cycle.
func (g *graph) reachability() (relation, bool) {
	reach := make(relation, len(g.out))
	words := (len(g.out) + 63) / 64
	for _, component := range g.components(ww | wr | rw | rt) {
		if len(component) > 1 {
			return nil, false
		}
		// Components come in reverse order: what follows has been done before.
		n := component[0]
		reach[n] = make([]uint64, words)
		for _, e := range g.out[n] {
			reach[n][e.to/64] |= 1 << (e.to % 64)
			for i, w := range reach[e.to] {
				reach[n][i] |= w
			}
		}
	}
	return reach, true
}

// components finds the strongly connected components over edges of the given kinds, each before those that
// lead to it (Tarjan's algorithm, with a stack of its own instead of recursion).
func (g *graph) components(kinds edgeKind) [][]int {
	var (
		n       = len(g.out)
		index   = make([]int, n) // order of discovery, from 1
		low     = make([]int, n)
		onStack = make([]bool, n)
		stack   []int
		found   [][]int
		next    = 1
	)
	type frame struct{ node, edge int }
	for root := range n {
		if index[root] != 0 {
			continue
		}
		work := []frame{{node: root}}
		for len(work) > 0 {
			f := &work[len(work)-1]
			v := f.node
			if f.edge == 0 {
				index[v], low[v] = next, next
				next++
				stack = append(stack, v)
				onStack[v] = true
			}
			descended := false
			for f.edge < len(g.out[v]) {
				e := g.out[v][f.edge]
				f.edge++
				if e.kind&kinds == 0 {
					continue
				}
				if index[e.to] == 0 {
					work = append(work, frame{node: e.to})
					descended = true
					break
				}
				if onStack[e.to] {
					low[v] = min(low[v], index[e.to])
				}
			}
			if descended {
				continue
			}
			work = work[:len(work)-1]
			if len(work) > 0 {
				parent := work[len(work)-1].node
				low[parent] = min(low[parent], low[v])
			}
			if low[v] != index[v] {
				continue
			}
			at := slices.Index(stack, v)
			component := slices.Clone(stack[at:])
			for _, m := range component {
				onStack[m] = false
			}
			stack = stack[:at]
			found = append(found, component)
		}
	}
	return found
}

// step is an edge of a cycle with its beginning.
type step struct {
	from int
	edge
}

// cycle is a closed path and the kind of anomaly it is.
type cycle struct {
	kind  string
	steps []step
}

// findCycle finds the shortest cycle of the gravest kind there is.
func (g *graph) findCycle(strict bool) *cycle {
	searches := []struct {
		kind       string
		must, rest edgeKind // one edge of kind must, the others of the kinds rest
	}{
		{WriteCycle, ww, ww},
		{InformationCycle, wr, ww | wr},
		{SingleSkew, rw, ww | wr},
		{WriteSkew, rw, ww | wr | rw},
		{WriteCycle + RealTime, ww, ww | rt},
		{InformationCycle + RealTime, wr, ww | wr | rt},
		{SingleSkew + RealTime, rw, ww | wr | rt},
		{WriteSkew + RealTime, rw, ww | wr | rw | rt},
	}
	if !strict {
		searches = searches[:4]
	}
	for _, s := range searches {
		if steps := g.shortest(s.must, s.rest); steps != nil {
			return &cycle{kind: s.kind, steps: steps}
		}
	}
	return nil
}

// shortest finds the shortest cycle of one edge of kind must and any of the kinds rest.
func (g *graph) shortest(must, rest edgeKind) []step {
	component := make([]int, len(g.out))
	for i, members := range g.components(must | rest) {
		for _, m := range members {
			component[m] = i
		}
	}
	var best []step
	for from := range g.out {
		for _, e := range g.out[from] {
			if e.kind != must || component[from] != component[e.to] {
				continue
			}
			path := g.path(e.to, from, rest, component)
			if path != nil && (best == nil || len(path)+1 < len(best)) {
				best = append([]step{{from: from, edge: e}}, path...)
			}
		}
	}
	return best
}

// path is the shortest path over edges of the given kinds within one component.
func (g *graph) path(from, to int, kinds edgeKind, component []int) []step {
	came := map[int]step{}
	queue := []int{from}
	for len(queue) > 0 {
		v := queue[0]
		queue = queue[1:]
		for _, e := range g.out[v] {
			if _, been := came[e.to]; been || e.kind&kinds == 0 || component[e.to] != component[from] || e.to == from {
				continue
			}
			came[e.to] = step{from: v, edge: e}
			if e.to == to {
				var path []step
				for at := to; at != from; at = came[at].from {
					path = append(path, came[at])
				}
				slices.Reverse(path)
				return path
			}
			queue = append(queue, e.to)
		}
	}
	return nil
}

// explain puts a cycle into words.
func (c *checker) explain(cy *cycle) Anomaly {
	a := Anomaly{Kind: cy.kind}
	var text strings.Builder
	fmt.Fprintf(&text, "%s:", cy.kind)
	// Begin with a transaction: moments are no places to start a story.
	steps := cy.steps
	at := slices.IndexFunc(steps, func(s step) bool { return s.from < c.graph.txns })
	steps = append(slices.Clone(steps[at:]), steps[:at]...)
	for i := 0; i < len(steps); i++ {
		s := steps[i]
		to := s.to
		for to >= c.graph.txns { // over moments to the transaction behind them
			i++
			to = steps[i].to
		}
		a.Txns = append(a.Txns, s.from)
		switch s.kind {
		case ww:
			fmt.Fprintf(&text, "\n  T%d writes %s over T%d", to, s.key, s.from)
		case wr:
			fmt.Fprintf(&text, "\n  T%d reads %s as T%d wrote it", to, s.key, s.from)
		case rw:
			fmt.Fprintf(&text, "\n  T%d writes %s, which T%d has not seen", to, s.key, s.from)
		case rt:
			fmt.Fprintf(&text, "\n  T%d begins after T%d has ended", to, s.from)
		}
	}
	for _, t := range slices.Compact(slices.Sorted(slices.Values(a.Txns))) {
		fmt.Fprintf(&text, "\n  T%d %s", t, c.txns[t])
	}
	a.Text = text.String()
	return a
}
