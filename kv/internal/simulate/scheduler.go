// Package simulate runs tasks one at a time, in an order drawn from a seed. It is for tests.
package simulate

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"runtime/debug"
	"strings"
	"time"

	"holdfast/kv/internal/turns"
)

// Scheduler is a turns.Scheduler for one run of a simulation. The same seed and tasks make the same run.
//
// Tasks are coroutines: a switch between two costs a fraction of a microsecond, and nothing is ever
// concurrent, so that the code of a simulation needs no care for races. Each task has a weight by which it is chosen, of
// which a part is drawn anew from time to time: with equal ones nobody would ever be far behind the others, and it takes
// a slow disk or a client that sleeps in the wrong place to find what is to be found.
type Scheduler struct {
	// Trace, if not nil, is told of all that happens.
	Trace func(line string)

	random  *rand.Rand
	tasks   []*Task
	current *Task
	next    *Task // that has been picked already, nil if none has
	steps   int
	timers  []chan struct{}
	failure error
	ready   []*Task // memory of pick
}

var _ turns.Scheduler = (*Scheduler)(nil)

// Task is a task of a Scheduler.
type Task struct {
	name        string
	speed       int // the part of the weight that stays
	weight      int
	ready       func() bool // whether it can go on; nil if it can
	where       string      // the last Point it was at
	resume      func() (struct{}, bool)
	stop        func()
	yield       func(struct{}) bool
	interrupted bool
	ended       bool
}

// Name is the task's name.
func (t *Task) Name() string { return t.name }

// Ended reports whether the task is over.
func (t *Task) Ended() bool { return t.ended }

// Ready reports whether the task could go on.
func (t *Task) Ready() bool { return t.ready == nil || t.ready() }

// Interrupted is what a task panics with where it waits when it is interrupted or ended from outside. Code between
// there and who recovers it must not use the Scheduler any more.
type Interrupted struct{}

// maxSteps ends a run that seems to go on for ever.
const maxSteps = 200_000

// New returns a Scheduler without tasks.
func New(seed uint64) *Scheduler {
	return &Scheduler{random: rand.New(rand.NewPCG(seed, 0))}
}

// Current is the task that runs.
func (s *Scheduler) Current() *Task { return s.current }

// Tracef tells Trace what the present task does.
func (s *Scheduler) Tracef(format string, args ...any) {
	if s.Trace != nil {
		s.Trace(fmt.Sprintf("%5d %-10s %s", s.steps, s.current.name, fmt.Sprintf(format, args...)))
	}
}

// Tracing reports whether Tracef has any effect.
func (s *Scheduler) Tracing() bool { return s.Trace != nil }

// Fail ends the run with an error; the first one counts. The calling task goes no further.
func (s *Scheduler) Fail(err error) {
	if s.failure == nil {
		s.Tracef("FAILED: %v", err)
		s.failure = err
	}
	panic(Interrupted{})
}

// Go implements turns.Scheduler.
func (s *Scheduler) Go(name string, f func()) { s.Start(name, f) }

// Start starts a task, which runs when it is chosen.
func (s *Scheduler) Start(name string, f func()) *Task {
	t := &Task{name: name, speed: 1 << (3 * s.random.IntN(3))}
	t.weight = t.speed * s.factor()
	t.resume, t.stop = iter.Pull(func(yield func(struct{}) bool) {
		t.yield = yield
		defer func() {
			t.ended = true
			if p := recover(); p != nil && p != (Interrupted{}) && s.failure == nil {
				s.failure = fmt.Errorf("%s: panic: %v\n%s", t.name, p, debug.Stack())
			}
		}()
		f()
	})
	s.tasks = append(s.tasks, t)
	return t
}

// Run runs tasks until main is over, and then ends the others. It fails if one of them has failed, or if none can go
// on.
func (s *Scheduler) Run(main func()) error {
	first := s.Start("main", main)
	for !first.ended && s.failure == nil {
		t := s.next
		if s.next = nil; t == nil {
			t = s.pick()
		}
		if t == nil {
			s.failure = fmt.Errorf("stuck:%s", s.waiting())
			break
		}
		s.current = t
		t.resume()
	}
	for len(s.tasks) > 0 {
		s.End(s.tasks[0])
	}
	return s.failure
}

// waiting describes the tasks.
func (s *Scheduler) waiting() string {
	var b strings.Builder
	for _, t := range s.tasks {
		fmt.Fprintf(&b, " %s (last at %q)", t.name, t.where)
	}
	return b.String()
}

// End ends a task where it waits.
func (s *Scheduler) End(t *Task) {
	for i, other := range s.tasks {
		if other == t {
			s.tasks = append(s.tasks[:i], s.tasks[i+1:]...)
			break
		}
	}
	if s.next == t {
		s.next = nil
	}
	t.stop()
}

// Interrupt makes a task panic with Interrupted where it waits, as soon as it is chosen.
func (s *Scheduler) Interrupt(t *Task) { t.interrupted, t.ready = true, nil }

// factor draws the part of a weight that changes.
func (s *Scheduler) factor() int { return 1 << (2 * s.random.IntN(4)) }

// weightsKept is for how many steps tasks keep their weights.
const weightsKept = 64

// pick chooses the next task, nil if none can go on.
func (s *Scheduler) pick() *Task {
	if s.steps++; s.steps > maxSteps && s.failure == nil {
		s.failure = fmt.Errorf("no end after %d steps:%s", s.steps, s.waiting())
	}
	s.ready = s.ready[:0]
	total, kept := 0, s.tasks[:0]
	for _, t := range s.tasks {
		if t.ended {
			continue
		}
		kept = append(kept, t)
		if s.steps%weightsKept == 0 {
			t.weight = t.speed * s.factor()
		}
		if t.Ready() {
			s.ready = append(s.ready, t)
			total += t.weight
		}
	}
	s.tasks = kept
	if total == 0 {
		return nil
	}
	n := s.random.IntN(total)
	for _, t := range s.ready {
		if n -= t.weight; n < 0 {
			return t
		}
	}
	panic("simulate: weights do not add up")
}

// pass lets others run until it is this task's turn again.
func (s *Scheduler) pass(ready func() bool) {
	t := s.current
	t.ready = ready
	if s.next = s.pick(); s.next == t && s.failure == nil {
		s.next = nil // it is this one's turn again, without a switch
	} else if !t.yield(struct{}{}) {
		panic(Interrupted{})
	}
	t.ready = nil
	if t.interrupted {
		t.interrupted = false
		panic(Interrupted{})
	}
}

// Await implements turns.Scheduler.
func (s *Scheduler) Await(ready func() bool) { s.pass(ready) }

// Point implements turns.Scheduler.
func (s *Scheduler) Point(name string) {
	s.current.where = name
	s.pass(nil)
}

// Choose implements turns.Scheduler.
func (s *Scheduler) Choose(n int) int {
	if n == 1 {
		return 0
	}
	return s.random.IntN(n)
}

// Timer implements turns.Scheduler. FireTimers is a task that lets timers expire.
func (s *Scheduler) Timer(time.Duration) (expired <-chan struct{}, stop func()) {
	c := make(chan struct{})
	s.timers = append(s.timers, c)
	return c, func() {
		for i, other := range s.timers {
			if other == c {
				s.timers = append(s.timers[:i], s.timers[i+1:]...)
				return
			}
		}
	}
}

// FireTimers lets timers expire, in any order, for they may be of any duration.
func (s *Scheduler) FireTimers() {
	for {
		s.Await(func() bool { return len(s.timers) > 0 })
		i := s.random.IntN(len(s.timers))
		close(s.timers[i])
		s.timers = append(s.timers[:i], s.timers[i+1:]...)
	}
}
