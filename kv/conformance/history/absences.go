package history

import (
	"container/heap"
	"slices"
)

// absence is a read that found nothing where several versions are nothing: the state before all writers, and each
// that a delete has left. The value does not tell which it was.
type absence struct {
	txn   int
	key   *key
	wrote bool // the reader had written the key before
}

const (
	// searchLimit bounds the nodes visited to learn whether one leads to another. Beyond it, the answer is taken
	// to be no, which leaves a read open that might have been settled.
	searchLimit = 2000
	// absenceRounds bounds how often the open reads are gone through.
	absenceRounds = 12
)

// drawAbsences settles these reads: a state that cannot have been the one, since it would close a cycle, is ruled
// out, and what is left alone is drawn. If all are ruled out, any of them shows a cycle. Reads that stay open are left
// out, to report nothing false.
//
// What rules out nearly everything in a history in real time is that somebody had ended before somebody began, which
// needs no search. The rest are neighbours in time, so that a search between them in an order of the graph, which
// real time makes narrow, visits few nodes.
func (c *checker) drawAbsences() {
	for range absenceRounds {
		place := c.graph.order(c.starts())
		if place == nil {
			return // there is a cycle already
		}
		s := &search{graph: c.graph, place: place, seen: make([]int32, len(place))}
		progress := false
		var open []absence
		for _, a := range c.absences {
			if c.doubted(a) {
				continue
			}
			var only *version
			possible := 0
			for _, v := range a.key.gone {
				if c.possible(s, a, v) {
					possible, only = possible+1, v
				}
			}
			switch possible {
			case 0:
				c.drawRead(a.txn, a.key.empty)
				return
			case 1:
				c.settle(a, only)
				progress = true
			default:
				open = append(open, a)
			}
		}
		c.absences = open
		if !progress || len(open) == 0 {
			return
		}
	}
}

// doubted reports whether the key may have been absent because of somebody of whom nobody knows whether he took
// place.
func (c *checker) doubted(a absence) bool {
	return slices.ContainsFunc(a.key.doubtful, func(t int) bool {
		return !c.strict || c.txns[a.txn].End == 0 || c.txns[t].Start <= c.txns[a.txn].End
	})
}

// ended reports whether a had ended when b began, if that counts.
func (c *checker) ended(a, b int) bool {
	return c.strict && c.txns[a].Status == Committed && c.txns[a].End != 0 && c.txns[a].End < c.txns[b].Start
}

// possible reports whether a may have been the read of v.
func (c *checker) possible(s *search, a absence, v *version) bool {
	if v.txn == a.txn || v.txn >= 0 && c.ended(a.txn, v.txn) {
		return false
	}
	for _, next := range v.next {
		if next.txn != a.txn && c.ended(next.txn, a.txn) {
			return false
		}
	}
	if v.txn >= 0 && s.leads(a.txn, v.txn) {
		return false
	}
	return !slices.ContainsFunc(v.next, func(next *version) bool {
		return next.txn != a.txn && s.leads(next.txn, a.txn)
	})
}

// settle draws that a was the read of v. If the reader wrote the key afterwards, that tells what its version follows.
func (c *checker) settle(a absence, v *version) {
	v.readers = append(v.readers, a.txn)
	c.drawRead(a.txn, v)
	own := a.key.of(a.txn)
	if own == nil || a.wrote || own.before != nil || slices.Contains(v.next, own) {
		return
	}
	own.before = v
	v.next = append(v.next, own)
	c.graph.add(v.txn, own.txn, ww, v.key)
	for _, reader := range v.readers {
		c.graph.add(reader, own.txn, rw, v.key)
	}
}

// starts is when each node of the graph began, to keep an order of it close to that of time.
func (c *checker) starts() []int64 {
	at := make([]int64, len(c.graph.out))
	for t := range c.txns {
		at[t] = c.txns[t].Start
	}
	for i, t := range c.graph.moments {
		at[len(c.txns)+i] = c.txns[t].End
	}
	return at
}

// order places the nodes so that every edge leads to a later place, of several possible nodes the one that began first.
// It returns nil if there is a cycle.
func (g *graph) order(starts []int64) []int32 {
	waits := make([]int32, len(g.out))
	for _, edges := range g.out {
		for _, e := range edges {
			waits[e.to]++
		}
	}
	ready := &nodeHeap{starts: starts}
	for n := range g.out {
		if waits[n] == 0 {
			ready.nodes = append(ready.nodes, int32(n))
		}
	}
	heap.Init(ready)
	place, next := make([]int32, len(g.out)), int32(0)
	for ready.Len() > 0 {
		n := heap.Pop(ready).(int32)
		place[n] = next
		next++
		for _, e := range g.out[n] {
			if waits[e.to]--; waits[e.to] == 0 {
				heap.Push(ready, e.to)
			}
		}
	}
	if int(next) < len(g.out) {
		return nil
	}
	return place
}

// nodeHeap gives nodes by when they began.
type nodeHeap struct {
	nodes  []int32
	starts []int64
}

func (h *nodeHeap) Len() int { return len(h.nodes) }
func (h *nodeHeap) Less(i, j int) bool {
	a, b := h.nodes[i], h.nodes[j]
	return h.starts[a] < h.starts[b] || h.starts[a] == h.starts[b] && a < b
}
func (h *nodeHeap) Swap(i, j int) { h.nodes[i], h.nodes[j] = h.nodes[j], h.nodes[i] }
func (h *nodeHeap) Push(n any)    { h.nodes = append(h.nodes, n.(int32)) }
func (h *nodeHeap) Pop() any {
	n := h.nodes[len(h.nodes)-1]
	h.nodes = h.nodes[:len(h.nodes)-1]
	return n
}

// search finds whether one node leads to another, by places that edges lead up.
type search struct {
	graph *graph
	place []int32
	seen  []int32 // by which search
	round int32
	stack []int32
}

func (s *search) leads(from, to int) bool {
	if s.place[from] >= s.place[to] {
		// Edges drawn since the order was made may lead down. They are found in the next round.
		return false
	}
	s.round++
	s.stack = append(s.stack[:0], int32(from))
	for visited := 0; len(s.stack) > 0 && visited < searchLimit; visited++ {
		n := s.stack[len(s.stack)-1]
		s.stack = s.stack[:len(s.stack)-1]
		for _, e := range s.graph.out[n] {
			if int(e.to) == to {
				return true
			}
			if s.place[e.to] < s.place[to] && s.seen[e.to] != s.round {
				s.seen[e.to] = s.round
				s.stack = append(s.stack, e.to)
			}
		}
	}
	return false
}
