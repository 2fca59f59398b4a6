package pebblekv

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// engineLogger passes on what Pebble has to say.
type engineLogger struct{ store *Store }

func (l engineLogger) Infof(format string, args ...any) {
	if log := l.store.options.Logger; log.Enabled(context.Background(), -4) {
		log.Debug("kv: " + fmt.Sprintf(format, args...))
	}
}

func (l engineLogger) Errorf(format string, args ...any) {
	l.store.options.Logger.Error("kv: " + fmt.Sprintf(format, args...))
}

// Fatalf is called by Pebble when it cannot go on, for instance after a failed write of its log, and Pebble
// then reports success to its caller. So this must end the process.
func (l engineLogger) Fatalf(format string, args ...any) {
	l.store.fail(fmt.Errorf(format, args...))
}

// troubles watches failures of flushes. Pebble tries a failed flush again at once and for ever; meanwhile
// commits wait for memtables without a word. So the store fails when it has gone on for too long.
//
// Pebble reports the end of a flush with an error also when there was nothing to write. Only what it reports
// as a background error next is a failure.
type troubles struct {
	mu     sync.Mutex
	last   error     // of a flush, until it is known whether it was a failure
	since  time.Time // of the first of the failures that no success has followed, zero if there are none
	logged time.Time
}

// flushed notes the end of a flush.
func (t *troubles) flushed(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil || t.last != nil {
		t.since = time.Time{}
	}
	t.last = err
}

// failed notes a background error, and reports for how long flushes have failed.
func (t *troubles) failed(err error, now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last == nil || !errors.Is(err, t.last) {
		return 0 // of a compaction, which nobody waits for
	}
	t.last = nil
	if t.since.IsZero() {
		t.since = now
	}
	return now.Sub(t.since)
}

// worthLogging allows one message a second.
func (t *troubles) worthLogging(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now.Sub(t.logged) < time.Second {
		return false
	}
	t.logged = now
	return true
}

// events are those an operator should know of.
func (s *Store) events() *pebble.EventListener {
	log := s.options.Logger
	watch := new(troubles)
	return &pebble.EventListener{
		BackgroundError: func(err error) {
			s.counts.backgroundErrors.Add(1)
			if d := watch.failed(err, time.Now()); d > s.options.FlushGrace {
				s.fail(fmt.Errorf("memtables cannot be written for %v: %w", d.Round(time.Second), err))
			}
			if watch.worthLogging(time.Now()) {
				log.Error("kv: background error, will be tried again", "error", err)
			}
		},
		FlushBegin: func(pebble.FlushInfo) { s.areas.flushBegins() },
		FlushEnd:   func(i pebble.FlushInfo) { watch.flushed(i.Err) },
		DataCorruption: func(i pebble.DataCorruptionInfo) {
			log.Error("kv: data corruption", "path", i.Path, "error", i.Details)
		},
		DiskSlow: func(i pebble.DiskSlowInfo) {
			log.Warn("kv: slow disk", "path", i.Path, "operation", i.OpType.String(), "duration", i.Duration)
		},
		WriteStallBegin: func(i pebble.WriteStallBeginInfo) {
			s.counts.stalls.Add(1)
			log.Warn("kv: writes wait for the disk", "reason", i.Reason)
		},
	}
}
