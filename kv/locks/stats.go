package locks

import (
	"bytes"

	"holdfast/kv"
)

// Stats are counts of a Table.
type Stats struct {
	Locks     int    // keys locked at present
	Waiting   int    // requests waiting at present
	Waited    uint64 // requests that had to wait, since the start
	Deadlocks uint64 // since the start
}

// Stats returns the present counts.
func (t *Table) Stats() Stats {
	out := Stats{Waited: t.waited.Load(), Deadlocks: t.deadlocks.Load()}
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		out.Locks += len(s.keys)
		for _, l := range s.keys {
			if l.queue != nil {
				out.Waiting += len(l.queue.waiters)
			}
		}
		s.mu.Unlock()
	}
	return out
}

// AnyWaiting reports whether any request waits.
func (t *Table) AnyWaiting() bool { return t.waiting.Load() > 0 }

// Waiting is the number of requests that wait for key.
func (t *Table) Waiting(key []byte) int {
	hash := t.hash(key)
	s := t.shard(hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	if q := s.keys[hash].queue; q != nil {
		return len(q.waiters)
	}
	return 0
}

// Queues are the keys that somebody waits for, each as it is at one moment.
func (t *Table) Queues() []kv.LockQueue {
	if !t.AnyWaiting() {
		return nil
	}
	var out []kv.LockQueue
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		for _, l := range s.keys {
			if l.queue == nil || len(l.queue.waiters) == 0 {
				continue
			}
			q := kv.LockQueue{Key: bytes.Clone(l.queue.waiters[0].key)}
			for _, h := range l.queue.holders {
				q.Holders = append(q.Holders, kv.LockHolder{Owner: h.owner.ID, Mode: h.mode})
			}
			for _, w := range l.queue.waiters {
				q.Waiters = append(q.Waiters, kv.LockRequest{Owner: w.owner.ID, Mode: w.mode, Since: w.since})
			}
			out = append(out, q)
		}
		s.mu.Unlock()
	}
	return out
}
