package pebblekv

import (
	"errors"
	"testing"
	"time"
)

// TestTroubles counts the time since the first of the failed flushes that no success has followed.
func TestTroubles(t *testing.T) {
	w := new(troubles)
	disk, empty := errors.New("disk full"), errors.New("empty table")
	start := time.Unix(1000, 0)
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	expect := func(got time.Duration, seconds int) {
		t.Helper()
		if got != time.Duration(seconds)*time.Second {
			t.Errorf("%v, want %d s", got, seconds)
		}
	}
	fail := func(seconds int) time.Duration {
		w.flushed(disk)
		return w.failed(disk, at(seconds))
	}
	expect(fail(1), 0)
	expect(fail(5), 4)
	expect(w.failed(errors.New("compaction"), at(6)), 0)
	expect(fail(7), 6)
	w.flushed(nil)
	expect(fail(8), 0)
	w.flushed(empty) // nothing to write, which is no failure
	w.flushed(empty)
	expect(w.failed(disk, at(9)), 0) // of a compaction
	expect(fail(20), 0)
}
