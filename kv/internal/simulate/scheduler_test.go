package simulate

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/kv/internal/turns"
)

// order runs three tasks of three steps each, and returns who took the steps.
func order(seed uint64) string {
	s := New(seed)
	var b strings.Builder
	left := 3
	if err := s.Run(func() {
		for _, name := range []string{"a", "b", "c"} {
			s.Start(name, func() {
				for range 3 {
					s.Point("step")
					b.WriteString(name)
				}
				left--
			})
		}
		s.Await(func() bool { return left == 0 })
	}); err != nil {
		return err.Error()
	}
	return b.String()
}

func TestOrder(t *testing.T) {
	seen := map[string]bool{}
	for seed := range uint64(1000) {
		o := order(seed)
		if again := order(seed); again != o {
			t.Fatalf("seed %d: %s, then %s", seed, o, again)
		}
		letters := []byte(o)
		slices.Sort(letters)
		if string(letters) != "aaabbbccc" {
			t.Fatal(o)
		}
		seen[o] = true
	}
	if len(seen) < 100 {
		t.Errorf("1000 seeds made %d orders", len(seen))
	}
}

// TestTurns has tasks meet through everything that turns has.
func TestTurns(t *testing.T) {
	canceled := map[int]int{}
	for seed := range uint64(200) {
		s := New(seed)
		var sum int
		if err := s.Run(func() {
			numbers, sums := make(chan int, 2), make(chan int, 1)
			done, never := make(chan struct{}), make(chan struct{})
			var mu sync.Mutex
			turns.Go(s, "adder", func() {
				total := 0
				for range 10 {
					total += turns.Receive(s, numbers)
				}
				turns.Send(s, sums, total)
				close(done)
			})
			for w := range 2 {
				turns.Go(s, "sender", func() {
					for i := range 5 {
						turns.Lock(s, &mu)
						turns.Point(s, "locked")
						turns.Send(s, numbers, 10*w+i)
						mu.Unlock()
						turns.Yield(s)
					}
				})
			}
			s.Start("timers", s.FireTimers)
			expired, stop := turns.Timer(s, time.Hour)
			defer stop()
			canceled[turns.Select(s, never, done, nil, expired)]++
			sum = turns.Receive(s, sums)
			turns.Receive(s, done)
		}); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if sum != 10+60 {
			t.Fatalf("seed %d: %d", seed, sum)
		}
	}
	if canceled[1] == 0 || canceled[3] == 0 || len(canceled) != 2 {
		t.Errorf("chosen: %v", canceled)
	}
}

func TestFailures(t *testing.T) {
	before := runtime.NumGoroutine()
	for want, main := range map[string]func(*Scheduler){
		"stuck: main (last at \"here\") other (last at \"\")": func(s *Scheduler) {
			s.Start("other", func() { turns.Receive(s, make(chan int, 1)) })
			s.Point("here")
			turns.Receive(s, make(chan int, 1))
		},
		"other: panic: of another": func(s *Scheduler) {
			s.Start("other", func() { panic("of another") })
			s.Await(func() bool { return false })
		},
		"wrong": func(s *Scheduler) {
			s.Start("other", func() { s.Fail(fmt.Errorf("wrong")) })
			for {
				s.Point("loop")
			}
		},
		"no end after 200001 steps": func(s *Scheduler) {
			for {
				s.Point("loop")
			}
		},
	} {
		s := New(1)
		if err := s.Run(func() { main(s) }); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, not %s", err, want)
		}
	}
	// Goroutines of before may end too, and those of the schedules take a moment to.
	deadline := time.Now().Add(time.Minute)
	for runtime.NumGoroutine() > before && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("%d goroutines are left", after-before)
	}
}

// TestInterrupt ends tasks where they wait.
func TestInterrupt(t *testing.T) {
	s := New(1)
	var log []string
	waiting := 0
	wait := func(name string) {
		defer func() {
			if p := recover(); p != nil {
				log = append(log, fmt.Sprint(name, " ", p == any(Interrupted{})))
			}
		}()
		waiting++
		s.Await(func() bool { return false })
	}
	if err := s.Run(func() {
		interrupted := s.Start("interrupted", func() {
			wait("first")
			s.Point("goes on")
			log = append(log, "went on")
		})
		ended := s.Start("ended", func() { wait("second") })
		s.Await(func() bool { return waiting == 2 })
		s.Interrupt(interrupted)
		s.Await(interrupted.Ended)
		s.End(ended)
		if !ended.Ended() {
			t.Error("not ended")
		}
	}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(log, ", "); got != "first true, went on, second true" {
		t.Error(got)
	}
}
