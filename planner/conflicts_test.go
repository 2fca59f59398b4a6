package planner

import (
	"fmt"
	"testing"
	"time"

	"holdfast/kv"
	"holdfast/sql/catalog"
)

// TestRecorderIsBounded: what is frequent stays, what is rare is summed up, nothing is lost from the sum, and what has
// become frequent gets in.
func TestRecorderIsBounded(t *testing.T) {
	r := newRecorder()
	total := int64(0)
	note := func(key, winner string) {
		total++
		r.note(conflictWait, kv.KeyRange{Start: []byte(key)}, "loser", winner, time.Millisecond)
	}
	sum := func() int64 {
		list, rest := r.records()
		n := rest.count
		for _, c := range list {
			n += c.count
		}
		return n
	}
	for i := range 100 * conflictEntries {
		note(fmt.Sprint("rare ", i), "once")
		if i%10 == 0 {
			note("hot", "often")
		}
		if n := len(r.entries); n > 2*conflictEntries {
			t.Fatalf("%d entries", n)
		}
	}
	list, rest := r.records()
	if c := list[0]; c.start != "hot" || c.winner != "often" || c.count != 10*conflictEntries || c.waited != 10*conflictEntries*time.Millisecond || c.last.IsZero() {
		t.Errorf("the most frequent: %+v", c)
	}
	if rest.count == 0 || rest.last.IsZero() || rest.waited != time.Duration(rest.count)*time.Millisecond {
		t.Errorf("the rest: %+v", rest)
	}
	if n := sum(); n != total {
		t.Errorf("%d counted of %d", n, total)
	}
	for i := range 60 * conflictEntries {
		note(fmt.Sprint("new rare ", i), "once")
		if i%10 == 0 {
			note("new hot", "often")
		}
	}
	if list, _ = r.records(); list[0].start != "new hot" || list[0].count < 5*conflictEntries {
		t.Errorf("the most frequent: %+v", list[0])
	}
	if n := sum(); n != total {
		t.Errorf("%d counted of %d", n, total)
	}
}

// TestCommitLog: a commit is found by its version until its slot is taken, and the statement is the latest on the table.
func TestCommitLog(t *testing.T) {
	var l commitLog
	l.add(5, &commitNote{notes: []statementNote{{"first", []catalog.StorageID{1}}, {"second", []catalog.StorageID{2}}}})
	for _, c := range []struct {
		version kv.Version
		table   catalog.StorageID
		want    string
	}{{5, 1, "first"}, {5, 2, "second"}, {5, 3, "second"}, {6, 1, ""}, {5 + commitLogSlots, 1, ""}} {
		if got := l.statement(c.version, c.table); got != c.want {
			t.Errorf("version %d, table %d: %q", c.version, c.table, got)
		}
	}
	l.add(5+commitLogSlots, &commitNote{})
	if got := l.statement(5, 1) + l.statement(5+commitLogSlots, 1); got != "" {
		t.Errorf("overwritten: %q", got)
	}
}

func BenchmarkRecorder(b *testing.B) {
	r := newRecorder()
	key := []byte("\x00\x00\x00\x07\x81\x23")
	for b.Loop() {
		r.note(conflictWait, kv.KeyRange{Start: key}, "UPDATE t SET v = v + $1 WHERE id = $2", "UPDATE t SET v = v + $1 WHERE id = $2", time.Millisecond)
	}
}
