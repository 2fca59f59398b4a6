package locks

import (
	"bytes"
	"slices"

	"holdfast/kv"
)

// edge says who waits for whom, and leads back to the request the search began with.
type edge struct {
	from   *request
	to     *Owner
	queued bool  // to waits for the key of from as well, before it
	parent *edge // that led to from, nil for the first
}

// search looks for a way from a request back to its owner.
type search struct {
	table *Table
	goal  *Owner
	seen  map[*Owner]struct{}
	next  []*edge // to owners whose own waiting is still to be looked at
	found *edge
}

// cycle returns the cycle that the wait of r closes, beginning with r, nil if there is none. t.waits is held.
//
// The nodes of the graph are owners. A waiting owner waits for the conflicting holders of the key and for
// the conflicting requests before his. Since those wait for the same key, the part of the graph within one queue
// is walked in one pass from back to front: the cost is the length of the queue, not its square.
func (t *Table) cycle(r *request) []*edge {
	s := search{table: t, goal: r.owner, seen: map[*Owner]struct{}{r.owner: {}}}
	s.expand(r, nil)
	for len(s.next) > 0 && s.found == nil {
		e := s.next[0]
		s.next = s.next[1:]
		if w := e.to.waiting.Load(); w != nil {
			s.expand(w, e)
		}
	}
	var edges []*edge
	for e := s.found; e != nil; e = e.parent {
		edges = append(edges, e)
	}
	slices.Reverse(edges)
	return edges
}

// chooseVictim is the position of the least patient request of a cycle: the first of several.
func chooseVictim(edges []*edge) int {
	victim := 0
	for i, e := range edges {
		if e.from.patience < edges[victim].from.patience {
			victim = i
		}
	}
	return victim
}

// waitsFrom describes a cycle, beginning at a position.
func waitsFrom(edges []*edge, first int) []kv.LockWait {
	waits := make([]kv.LockWait, 0, len(edges))
	for i := range edges {
		e := edges[(first+i)%len(edges)]
		waits = append(waits, kv.LockWait{
			Waiter: e.from.owner.ID, Holder: e.to.ID, Key: bytes.Clone(e.from.key), Mode: e.from.mode, Queued: e.queued,
		})
	}
	return waits
}

// expand follows everything that r waits for, over any number of requests in the same queue.
func (s *search) expand(r *request, parent *edge) {
	shard := s.table.shard(r.hash)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if r.granted || r.left {
		return // since the owner's waiting was looked at
	}
	q := shard.keys[r.hash].queue
	at := slices.Index(q.waiters, r)
	// reached has, for each mode, up to two requests of different owners that are known to wait, each with the
	// edge that led to it. More of one mode would lead to the same places.
	type waiter struct {
		request *request
		edge    *edge
	}
	var reached [4][2]waiter
	reach := func(w waiter) {
		slots := &reached[w.request.mode]
		if slots[0].request == nil {
			slots[0] = w
		} else if slots[1].request == nil {
			slots[1] = w
		}
	}
	// blocks tells which of the reached requests someone with a mode blocks.
	blocks := func(o *Owner, m kv.LockMode) (waiter, bool) {
		if conflict(r.mode, m) && r.owner != o { // first, for the shortest cycle
			return waiter{r, parent}, true
		}
		for mode := range reached {
			if !conflict(kv.LockMode(mode), m) {
				continue
			}
			for _, w := range reached[mode] {
				if w.request != nil && w.request.owner != o {
					return w, true
				}
			}
		}
		return waiter{}, false
	}
	reach(waiter{r, parent})
	for i := at - 1; i >= 0; i-- {
		w := q.waiters[i]
		if from, ok := blocks(w.owner, w.mode); ok {
			e := &edge{from: from.request, to: w.owner, queued: true, parent: from.edge}
			if w.owner == s.goal { // whose request makes a lock stronger, and so has gone before others
				s.found = e
				return
			}
			s.seen[w.owner] = struct{}{} // what it waits for is followed here
			reach(waiter{w, e})
		}
	}
	for _, h := range q.holders {
		from, ok := blocks(h.owner, h.mode)
		if !ok {
			continue
		}
		e := &edge{from: from.request, to: h.owner, parent: from.edge}
		if h.owner == s.goal {
			s.found = e
			return
		}
		if _, seen := s.seen[h.owner]; !seen {
			s.seen[h.owner] = struct{}{}
			s.next = append(s.next, e)
		}
	}
}
