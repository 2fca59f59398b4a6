package locks

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/kv"

	"pgregory.net/rapid"
)

var ctx = context.Background()

// naiveTable is what Table stands for: for each key, holders and a queue, with every question answered by looking
// at all of it.
type naiveTable struct {
	holders map[string]map[int]kv.LockMode
	waiters map[string][]naiveRequest
	asked   map[int]map[string]kv.LockMode // by each owner in its present run, and granted
}

type naiveRequest struct {
	owner int
	mode  kv.LockMode
}

// blockers lists who the request at position i of key's queue waits for.
func (n *naiveTable) blockers(key string, i int) (owners []int) {
	r := n.waiters[key][i]
	for owner, mode := range n.holders[key] {
		if owner != r.owner && conflict(mode, r.mode) {
			owners = append(owners, owner)
		}
	}
	for _, earlier := range n.waiters[key][:i] {
		if conflict(earlier.mode, r.mode) {
			owners = append(owners, earlier.owner)
		}
	}
	return owners
}

// settle grants what is not blocked.
func (n *naiveTable) settle(key string) {
	for i := 0; i < len(n.waiters[key]); {
		if len(n.blockers(key, i)) > 0 {
			i++
			continue
		}
		r := n.waiters[key][i]
		n.waiters[key] = slices.Delete(n.waiters[key], i, i+1)
		if n.holders[key] == nil {
			n.holders[key] = map[int]kv.LockMode{}
		}
		n.holders[key][r.owner] = max(n.holders[key][r.owner], r.mode)
		n.ask(key, r.owner, r.mode)
	}
}

// ask notes a lock that an owner has asked for and got.
func (n *naiveTable) ask(key string, owner int, m kv.LockMode) {
	if n.asked[owner] == nil {
		n.asked[owner] = map[string]kv.LockMode{}
	}
	n.asked[owner][key] = max(n.asked[owner][key], m)
}

// releaseTo goes back to what an owner had asked for in its present run.
func (n *naiveTable) releaseTo(owner int, before map[string]kv.LockMode) {
	for key, m := range n.asked[owner] {
		if old, had := before[key]; !had {
			delete(n.holders[key], owner)
		} else if old != m {
			n.holders[key][owner] = old
		}
		n.settle(key)
	}
	n.asked[owner] = maps.Clone(before)
}

func (n *naiveTable) acquire(key string, owner int, m kv.LockMode) {
	held, has := n.holders[key][owner]
	if has && held >= m {
		n.ask(key, owner, m)
		return
	}
	at := len(n.waiters[key])
	if has {
		at = 0
		for at < len(n.waiters[key]) {
			if _, other := n.holders[key][n.waiters[key][at].owner]; !other {
				break
			}
			at++
		}
	}
	n.waiters[key] = slices.Insert(n.waiters[key], at, naiveRequest{owner, m})
	n.settle(key)
}

// waitsFor returns the key and the position at which owner waits.
func (n *naiveTable) waitsFor(owner int) (string, int) {
	for key, queue := range n.waiters {
		for i, r := range queue {
			if r.owner == owner {
				return key, i
			}
		}
	}
	return "", -1
}

// deadlocked reports whether owner waits for itself.
func (n *naiveTable) deadlocked(owner int) bool {
	seen := map[int]bool{}
	var reaches func(from int) bool
	reaches = func(from int) bool {
		key, i := n.waitsFor(from)
		if i < 0 || seen[from] {
			return false
		}
		seen[from] = true
		for _, b := range n.blockers(key, i) {
			if b == owner || reaches(b) {
				return true
			}
		}
		return false
	}
	return reaches(owner)
}

func (n *naiveTable) leave(owner int) {
	key, i := n.waitsFor(owner)
	n.waiters[key] = slices.Delete(n.waiters[key], i, i+1)
	n.settle(key)
}

func (n *naiveTable) release(owner int) {
	for key, holders := range n.holders {
		delete(holders, owner)
		n.settle(key)
	}
	delete(n.asked, owner)
}

// TestTable compares grants, waits and deadlocks with the naive table, without goroutines: a request that must wait
// is left in its queue, and looked at later.
func TestTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := New(nil)
		naive := &naiveTable{holders: map[string]map[int]kv.LockMode{}, waiters: map[string][]naiveRequest{}, asked: map[int]map[string]kv.LockMode{}}
		const owners, keys = 6, 4
		owner := make([]*Owner, owners)
		waiting := make([]*request, owners)
		type savepoint struct {
			mark  Mark
			asked map[string]kv.LockMode
		}
		savepoints := make([][]savepoint, owners)
		for i := range owner {
			owner[i] = &Owner{ID: uint64(i), ready: make(chan struct{}, 1)}
		}
		drawKey := rapid.Map(rapid.IntRange(0, keys-1), func(i int) string { return fmt.Sprint("key", i) })
		t.Repeat(map[string]func(*rapid.T){
			"acquire": func(t *rapid.T) {
				i := rapid.IntRange(0, owners-1).Draw(t, "owner")
				if waiting[i] != nil {
					t.Skip("it waits")
				}
				key, mode := drawKey.Draw(t, "key"), kv.LockMode(rapid.IntRange(0, 3).Draw(t, "mode"))
				naive.acquire(key, i, mode)
				_, at := naive.waitsFor(i)
				deadlock := naive.deadlocked(i)
				if deadlock {
					naive.leave(i)
				}

				r := &request{owner: owner[i], key: []byte(key), hash: table.hash([]byte(key)), mode: mode}
				granted, err := table.enqueue(table.shard(r.hash), r)
				if granted != (at < 0) {
					t.Fatalf("granted: %v, want %v", granted, at < 0)
				}
				if deadlock != (err != nil) {
					t.Fatalf("deadlock: %v, want %v", err, deadlock)
				}
				var cycle *kv.DeadlockError
				if errors.As(err, &cycle) {
					checkCycle(t, cycle, uint64(i))
				} else if !granted {
					waiting[i] = r
				}
			},
			"leave": func(t *rapid.T) {
				i := rapid.IntRange(0, owners-1).Draw(t, "owner")
				if waiting[i] == nil {
					t.Skip("it does not wait")
				}
				if table.leave(table.shard(waiting[i].hash), waiting[i]) {
					t.Fatal("granted without notice")
				}
				waiting[i] = nil
				naive.leave(i)
			},
			"release": func(t *rapid.T) {
				i := rapid.IntRange(0, owners-1).Draw(t, "owner")
				if waiting[i] != nil {
					t.Skip("it waits")
				}
				table.Release(owner[i])
				naive.release(i)
				savepoints[i] = nil
			},
			"savepoint": func(t *rapid.T) {
				i := rapid.IntRange(0, owners-1).Draw(t, "owner")
				if waiting[i] != nil {
					t.Skip("it waits")
				}
				savepoints[i] = append(savepoints[i], savepoint{owner[i].Mark(), maps.Clone(naive.asked[i])})
			},
			"release to": func(t *rapid.T) {
				i := rapid.IntRange(0, owners-1).Draw(t, "owner")
				if waiting[i] != nil || len(savepoints[i]) == 0 {
					t.Skip("it cannot")
				}
				n := rapid.IntRange(0, len(savepoints[i])-1).Draw(t, "savepoint")
				table.ReleaseTo(owner[i], savepoints[i][n].mark)
				naive.releaseTo(i, savepoints[i][n].asked)
				savepoints[i] = savepoints[i][:n+1]
			},
			"again": func(t *rapid.T) {
				i := rapid.IntRange(0, owners-1).Draw(t, "owner")
				if waiting[i] != nil {
					t.Skip("it waits")
				}
				owner[i].Again()
				delete(naive.asked, i)
				savepoints[i] = nil
			},
			"": func(t *rapid.T) {
				locked := 0
				for i := range owner {
					_, at := naive.waitsFor(i)
					if r := waiting[i]; r != nil && at < 0 {
						if !r.granted {
							t.Fatalf("owner %d still waits for %s", i, r.key)
						}
						<-r.owner.ready
						r.owner.waiting.Store(nil)
						r.noteGrant()
						waiting[i] = nil
					} else if r != nil && r.granted {
						t.Fatalf("owner %d has been granted %s", i, r.key)
					}
				}
				for i := range keys {
					key := fmt.Sprint("key", i)
					if table.Waiting([]byte(key)) != len(naive.waiters[key]) {
						t.Fatalf("%d wait for %s, want %d", table.Waiting([]byte(key)), key, len(naive.waiters[key]))
					}
					if len(naive.holders[key]) > 0 {
						locked++
					}
				}
				if s := table.Stats(); s.Locks != locked {
					t.Fatalf("%d locks, want %d", s.Locks, locked)
				}
				for i := range owner {
					held := 0
					for _, holders := range naive.holders {
						if _, has := holders[i]; has {
							held++
						}
					}
					if owner[i].Held() != held {
						t.Fatalf("owner %d has %d locks, want %d", i, owner[i].Held(), held)
					}
				}
			},
		})
	})
}

// checkCycle checks that the waits follow each other, from first and back to it.
func checkCycle(t *rapid.T, e *kv.DeadlockError, first uint64) {
	next := first
	for _, w := range e.Waits {
		if w.Waiter != next || w.Holder == w.Waiter || len(w.Key) == 0 {
			t.Fatalf("cycle %v", e)
		}
		next = w.Holder
	}
	if next != first || len(e.Waits) < 2 {
		t.Fatalf("cycle %v", e)
	}
}

func acquire(t *Table, o *Owner, key string, m kv.LockMode, w kv.WaitPolicy) error {
	return t.Acquire(ctx, nil, o, []byte(key), m, w)
}

// TestDeadlockError names the cycle, over a queue of several.
func TestDeadlockError(t *testing.T) {
	table := New(nil)
	a, b, c := &Owner{ID: 1}, &Owner{ID: 2}, &Owner{ID: 3}
	for _, x := range []struct {
		o   *Owner
		key string
	}{{a, "a"}, {b, "b"}, {c, "c"}} {
		if err := acquire(table, x.o, x.key, kv.LockUpdate, kv.WaitPolicy{}); err != nil {
			t.Fatal(err)
		}
	}
	var wait sync.WaitGroup
	blocked := func(o *Owner, key string, m kv.LockMode) {
		wait.Go(func() {
			if err := acquire(table, o, key, m, kv.WaitPolicy{}); err != nil {
				t.Error(err)
			}
		})
		for o.waiting.Load() == nil {
			time.Sleep(10 * time.Microsecond)
		}
	}
	blocked(a, "b", kv.LockShare)
	blocked(c, "b", kv.LockNoKeyUpdate) // behind a
	err := acquire(table, b, "c", kv.LockKeyShare, kv.WaitPolicy{})
	var deadlock *kv.DeadlockError
	if !errors.Is(err, kv.ErrDeadlock) || !errors.As(err, &deadlock) {
		t.Fatal(err)
	}
	want := "kv: deadlock: 2 waits for key share lock of 63, blocked by 3; " +
		"3 waits for no key update lock of 62, blocked by 2"
	if err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	table.Release(b)
	for a.waiting.Load() != nil {
		time.Sleep(10 * time.Microsecond)
	}
	table.Release(a)
	wait.Wait()
	table.Release(c)
	if s := table.Stats(); s != (Stats{Waited: 2, Deadlocks: 1}) {
		t.Errorf("%+v", s)
	}
}

// TestGivingUp: whoever stops waiting lets those behind him go on.
func TestGivingUp(t *testing.T) {
	cancelled, cancel := context.WithCancel(ctx)
	stop := make(chan struct{})
	for _, c := range []struct {
		name   string
		ctx    context.Context
		stop   chan struct{}
		policy kv.WaitPolicy
		giveUp func()
		want   error
	}{
		{"context", cancelled, nil, kv.WaitPolicy{}, cancel, context.Canceled},
		{"timeout", ctx, nil, kv.WaitPolicy{Timeout: time.Millisecond}, func() {}, kv.ErrLockNotAvailable},
		{"stop", ctx, stop, kv.WaitPolicy{}, func() { close(stop) }, kv.ErrUnavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			table := New(nil)
			holder, quitter, behind := &Owner{}, &Owner{}, &Owner{}
			if err := acquire(table, holder, "k", kv.LockShare, kv.WaitPolicy{}); err != nil {
				t.Fatal(err)
			}
			quit := make(chan error)
			go func() { quit <- table.Acquire(c.ctx, c.stop, quitter, []byte("k"), kv.LockUpdate, c.policy) }()
			granted := make(chan error)
			if c.policy.Timeout == 0 {
				for quitter.waiting.Load() == nil {
					time.Sleep(10 * time.Microsecond)
				}
				go func() { granted <- acquire(table, behind, "k", kv.LockShare, kv.WaitPolicy{}) }()
				for behind.waiting.Load() == nil {
					time.Sleep(10 * time.Microsecond)
				}
			} else {
				go func() { granted <- nil }()
			}
			c.giveUp()
			if err := <-quit; !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if err := <-granted; err != nil {
				t.Error(err)
			}
			for _, o := range []*Owner{holder, quitter, behind} {
				table.Release(o)
			}
			if s := table.Stats(); s.Locks != 0 || s.Waiting != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// TestDeadlockBehindUpgrade: who waits behind a request that makes a lock stronger waits for it, although he came first.
func TestDeadlockBehindUpgrade(t *testing.T) {
	table := New(nil)
	owners := [3]*Owner{{ID: 1}, {ID: 2}, {ID: 3}}
	take := func(owner int, key string, m kv.LockMode) {
		t.Helper()
		if err := acquire(table, owners[owner-1], key, m, kv.WaitPolicy{NoWait: true}); err != nil {
			t.Fatal(err)
		}
	}
	results := make(chan error, 2)
	wait := func(owner int, key string, m kv.LockMode) {
		go func() { results <- acquire(table, owners[owner-1], key, m, kv.WaitPolicy{}) }()
		for n := table.Waiting([]byte(key)); n < 1; n = table.Waiting([]byte(key)) {
			runtime.Gosched()
		}
	}
	holder := &Owner{ID: 4}
	take(1, "a", kv.LockKeyShare)
	take(2, "a", kv.LockKeyShare)
	take(3, "b", kv.LockKeyShare)
	if err := acquire(table, holder, "a", kv.LockNoKeyUpdate, kv.WaitPolicy{}); err != nil {
		t.Fatal(err)
	}
	wait(3, "a", kv.LockNoKeyUpdate) // for the holder
	wait(2, "b", kv.LockUpdate)      // for 3
	err := acquire(table, owners[0], "a", kv.LockUpdate, kv.WaitPolicy{})
	want := "kv: deadlock: 1 waits for update lock of 61, blocked by 2; 2 waits for update lock of 62, blocked by 3; " +
		"3 waits for no key update lock of 61, blocked by 1"
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	table.Release(holder)
	table.Release(owners[0])
	for range 2 { // 3 is granted its lock, and then 2
		if err := <-results; err != nil {
			t.Error(err)
		}
		if table.Waiting([]byte("b")) > 0 {
			table.Release(owners[2])
		}
	}
}

// TestStress: under many goroutines, locks exclude each other, every deadlock is broken, and nothing is left.
func TestStress(t *testing.T) {
	table := New(nil)
	const workers, rounds, keys = 8, 400, 5
	var inside [keys]struct{ readers, writers atomic.Int32 }
	var deadlocks atomic.Int64
	var wait sync.WaitGroup
	for w := range workers {
		wait.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(w)))
			for range rounds {
				o := &Owner{ID: uint64(w)}
				held := map[int]bool{}
				for range 3 {
					k, m := random.IntN(keys), kv.LockShare
					if random.IntN(2) == 0 {
						m = kv.LockUpdate
					}
					policy := kv.WaitPolicy{}
					if random.IntN(4) == 0 {
						policy.Timeout = time.Duration(random.IntN(50)+1) * time.Microsecond
					}
					err := acquire(table, o, fmt.Sprint(k), m, policy)
					runtime.Gosched()
					if errors.Is(err, kv.ErrDeadlock) {
						deadlocks.Add(1)
						break
					}
					if err != nil {
						continue
					}
					in := &inside[k]
					if m == kv.LockUpdate && !held[k] {
						held[k] = true
						if in.writers.Add(1) != 1 || in.readers.Load() != 0 {
							t.Error("a writer is not alone")
						}
						in.writers.Add(-1)
					} else if !held[k] {
						in.readers.Add(1)
						if in.writers.Load() != 0 {
							t.Error("a reader meets a writer")
						}
						in.readers.Add(-1)
					}
				}
				table.Release(o)
			}
		})
	}
	wait.Wait()
	if s := table.Stats(); s.Locks != 0 || s.Waiting != 0 || s.Deadlocks != uint64(deadlocks.Load()) {
		t.Errorf("%+v, %d deadlocks seen", s, deadlocks.Load())
	}
	if deadlocks.Load() == 0 {
		t.Error("no deadlock has happened")
	}
}

// TestUncontended: an uncontended lock allocates nothing.
func TestUncontended(t *testing.T) {
	table := New(nil)
	key := []byte("some key of a row")
	o := &Owner{}
	if n := testing.AllocsPerRun(1000, func() {
		if err := table.Acquire(ctx, nil, o, key, kv.LockUpdate, kv.WaitPolicy{}); err != nil {
			t.Fatal(err)
		}
		table.Release(o)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkUncontended(b *testing.B) {
	table := New(nil)
	b.RunParallel(func(p *testing.PB) {
		o := &Owner{}
		key := fmt.Appendf(nil, "some key of a row %p", o)
		for p.Next() {
			if err := table.Acquire(ctx, nil, o, key, kv.LockUpdate, kv.WaitPolicy{}); err != nil {
				b.Fatal(err)
			}
			table.Release(o)
		}
	})
}
