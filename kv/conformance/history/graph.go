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
	to   int32
	kind edgeKind
	key  *key
}

// graph has the transactions as its first nodes; further ones stand for moments.
type graph struct {
	txns    int
	out     [][]edge
	moments []int // the transactions whose ends the moments are
}

func newGraph(txns int) *graph { return &graph{txns: txns, out: make([][]edge, txns)} }

// add draws an edge unless it would lead back at once or is the last one again.
func (g *graph) add(from, to int, kind edgeKind, key *key) {
	if from == to || from < 0 || to < 0 {
		return
	}
	edges := g.out[from]
	if last := len(edges) - 1; last >= 0 && edges[last].to == int32(to) && edges[last].kind == kind {
		return
	}
	g.out[from] = append(edges, edge{to: int32(to), kind: kind, key: key})
}

// draw draws what the versions tell.
func (c *checker) draw() {
	for _, k := range c.keys {
		c.drawVersion(k.empty)
		for _, v := range k.written {
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
	g.moments = ends
	first := len(g.out)
	for i, t := range ends {
		g.out = append(g.out, nil)
		if i > 0 {
			g.add(first+i-1, first+i, rt, nil)
		}
		g.add(t, first+i, rt, nil)
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
			g.add(first+earlier-1, t, rt, nil)
		}
	}
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
					work = append(work, frame{node: int(e.to)})
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
			at := len(stack) - 1
			for stack[at] != v {
				at--
			}
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
	if len(g.components(ww|wr|rw|rt)) == len(g.out) {
		return nil // each node is a component of its own: there is no cycle
	}
	for _, s := range searches {
		if steps := g.shortest(s.must, s.rest); steps != nil {
			return &cycle{kind: s.kind, steps: steps}
		}
	}
	return nil
}

// pathLimit bounds the nodes visited in search of the shortest cycle. In a history that is broken all over, some
// cycle that is short does as well.
const pathLimit = 5_000_000

// shortest finds the shortest cycle of one edge of kind must and any of the kinds rest, or a short one where there
// are very many.
func (g *graph) shortest(must, rest edgeKind) []step {
	components := g.components(must | rest)
	slices.SortStableFunc(components, func(a, b []int) int { return len(a) - len(b) })
	component := make([]int32, len(g.out))
	for i, members := range components {
		for _, m := range members {
			component[m] = int32(i)
		}
	}
	var best []step
	visited := 0
	for _, members := range components {
		if len(members) == 1 {
			continue
		}
		for _, from := range members {
			for _, e := range g.out[from] {
				if e.kind != must || component[from] != component[e.to] {
					continue
				}
				path := g.path(int(e.to), from, rest, component, len(best), &visited)
				if path != nil {
					best = append([]step{{from: from, edge: e}}, path...)
				}
				if best != nil && (len(best) == 2 || visited > pathLimit) {
					return best
				}
			}
		}
	}
	return best
}

// path is the shortest path over edges of the given kinds within one component, if it makes a cycle of less than
// bound edges (0: any).
func (g *graph) path(from, to int, kinds edgeKind, component []int32, bound int, visited *int) []step {
	came := map[int]step{}
	level := []int{from}
	for length := 1; len(level) > 0 && (bound == 0 || length+1 < bound); length++ {
		var further []int
		for _, v := range level {
			for _, e := range g.out[v] {
				next := int(e.to)
				if _, been := came[next]; been || e.kind&kinds == 0 || component[next] != component[from] || next == from {
					continue
				}
				*visited++
				came[next] = step{from: v, edge: e}
				if next == to {
					var path []step
					for at := to; at != from; at = came[at].from {
						path = append(path, came[at])
					}
					slices.Reverse(path)
					return path
				}
				further = append(further, next)
			}
		}
		level = further
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
		to := int(s.to)
		for to >= c.graph.txns { // over moments to the transaction behind them
			i++
			to = int(steps[i].to)
		}
		a.Txns = append(a.Txns, s.from)
		switch s.kind {
		case ww:
			fmt.Fprintf(&text, "\n  T%d writes %s over T%d", to, s.key.name, s.from)
		case wr:
			fmt.Fprintf(&text, "\n  T%d reads %s as T%d %s it", to, s.key.name, s.from, c.leftAs(s.key, s.from, "wrote", "deleted"))
		case rw:
			what := c.leftAs(s.key, to, "writes", "deletes")
			if r := c.inRange(s.from, s.key); r != nil {
				a.Predicate = true
				fmt.Fprintf(&text, "\n  T%d %s %s in the range from %s to %s that T%d has read, and T%[6]d has not seen that", to, what, s.key.name, r.Key, r.End, s.from)
			} else {
				fmt.Fprintf(&text, "\n  T%d %s %s, which T%d has not seen", to, what, s.key.name, s.from)
			}
		case rt:
			fmt.Fprintf(&text, "\n  T%d begins after T%d has ended", to, s.from)
		}
	}
	keys := map[string]bool{}
	for _, s := range steps {
		if s.key != nil {
			keys[s.key.name] = true
		}
	}
	for _, t := range slices.Compact(slices.Sorted(slices.Values(a.Txns))) {
		fmt.Fprintf(&text, "\n  T%d %s", t, c.txns[t].about(keys))
	}
	a.Text = text.String()
	return a
}

// leftAs is one word or another for how t has left the key behind.
func (c *checker) leftAs(k *key, t int, wrote, deleted string) string {
	if v := k.of(t); v != nil && v.gone {
		return deleted
	}
	return wrote
}

// inRange is the read of t that had the key in a range, nil if it was read by itself.
func (c *checker) inRange(t int, k *key) *Op {
	for i, op := range c.txns[t].Ops {
		switch {
		case op.Kind == Read && op.Key == k.name:
			return nil
		case op.Kind == Range && op.Key <= k.name && (op.End == "" || k.name < op.End):
			return &c.txns[t].Ops[i]
		}
	}
	return nil
}
