// Package turns is where the goroutines of the transaction layer wait for each other.
//
// In production the Scheduler is nil, and each function is the plain operation of Go: a channel's, a mutex's, the
// start of a goroutine. A simulation brings a Scheduler that runs one task at a time and decides at each of these
// places who goes on. It lets a task do the operation only when it can be done at once, so that the code under test
// keeps its channels, with what can go wrong with them, instead of a model of them.
//
// Two rules make that work. What blocks for longer than a few instructions does so through this package. And nobody
// calls it with a mutex held that others take without it.
package turns

import (
	"runtime"
	"sync"
	"time"
)

// Scheduler decides who runs. Its methods are called by the one task that runs, and return when it is that task's
// turn again.
type Scheduler interface {
	// Go starts a task.
	Go(name string, f func())
	// Await returns when ready reports true and nobody has run since.
	Await(ready func() bool)
	// Point lets others run, or not. The name is for the trace.
	Point(name string)
	// Choose returns a number below n.
	Choose(n int) int
	// Timer returns a channel that is closed at some time, unless stop is called before.
	Timer(d time.Duration) (expired <-chan struct{}, stop func())
}

// Go starts a goroutine.
func Go(s Scheduler, name string, f func()) {
	if s != nil {
		s.Go(name, f)
		return
	}
	go f()
}

// Point is a place where a simulation lets others run. Elsewhere they may at any time, and it does nothing.
func Point(s Scheduler, name string) {
	if s != nil {
		s.Point(name)
	}
}

// Yield lets others run first.
func Yield(s Scheduler) {
	if s != nil {
		s.Point("yield")
		return
	}
	runtime.Gosched()
}

// Sleep lets others run for a while.
func Sleep(s Scheduler, d time.Duration) {
	if s != nil {
		s.Point("sleep")
		return
	}
	time.Sleep(d)
}

// Lock locks a mutex that others hold while they wait.
func Lock(s Scheduler, mu *sync.Mutex) {
	if s != nil {
		s.Await(func() bool {
			free := mu.TryLock()
			if free {
				mu.Unlock()
			}
			return free
		})
	}
	mu.Lock()
}

// Receive takes a value from a channel. A channel with a buffer must not be closed.
func Receive[T any](s Scheduler, c <-chan T) T {
	if s != nil {
		s.Await(func() bool { return ready(c) })
	}
	return <-c
}

// Send puts a value into a channel with a buffer.
func Send[T any](s Scheduler, c chan<- T, value T) {
	if s != nil {
		s.Await(func() bool { return len(c) < cap(c) })
	}
	c <- value
}

// Select takes a value from one of the channels, each of which either has a buffer and is never closed, or has none
// and is only ever closed. It returns the number of the channel. A nil channel is never chosen.
func Select(s Scheduler, c0, c1, c2, c3 <-chan struct{}) int {
	if s != nil {
		return choose(s, []<-chan struct{}{c0, c1, c2, c3})
	}
	select {
	case <-c0:
		return 0
	case <-c1:
		return 1
	case <-c2:
		return 2
	case <-c3:
		return 3
	}
}

// choose is Select in a simulation.
func choose(s Scheduler, channels []<-chan struct{}) int {
	var open []int
	s.Await(func() bool {
		open = open[:0]
		for i, c := range channels {
			if ready(c) {
				open = append(open, i)
			}
		}
		return len(open) > 0
	})
	chosen := open[s.Choose(len(open))]
	<-channels[chosen]
	return chosen
}

// ready reports whether a receive would not block.
func ready[T any](c <-chan T) bool {
	if cap(c) > 0 || c == nil {
		return len(c) > 0
	}
	select {
	case <-c:
		return true // closed: nobody sends on a channel without a buffer
	default:
		return false
	}
}

// Timer returns a channel that is closed after d, unless stop is called before.
func Timer(s Scheduler, d time.Duration) (expired <-chan struct{}, stop func()) {
	if s != nil {
		return s.Timer(d)
	}
	c := make(chan struct{})
	timer := time.AfterFunc(d, func() { close(c) })
	return c, func() { timer.Stop() }
}
