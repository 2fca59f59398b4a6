package anomalies

import (
	"slices"
	"strings"
	"testing"
)

// TestSerializer: the check notices answers and rows that no order explains, and an order against time.
func TestSerializer(t *testing.T) {
	srv := startHoldfast(t)
	s, err := parseScript("made_up", `title: t
codes: c
Two increments, read between them.

setup
CREATE TABLE test (id int PRIMARY KEY, value int NOT NULL)
INSERT INTO test VALUES (1, 10)

steps
a: BEGIN
a: UPDATE test SET value = value + 1 WHERE id = 1
b: SELECT value FROM test WHERE id = 1
a: COMMIT
b: SELECT value FROM test WHERE id = 1
b: UPDATE test SET value = value * 2 WHERE id = 1

final
SELECT value FROM test

anomaly
final = 21`)
	if err != nil {
		t.Fatal(err)
	}
	z := newSerializer(srv, s)
	h, err := srv.run(t.Context(), s, "SERIALIZABLE")
	if err != nil {
		t.Fatal(err)
	}
	var answers []string
	for _, e := range h.events {
		answers = append(answers, e.answer)
	}
	if got := strings.Join(append(answers, h.final), ", "); got != "BEGIN, UPDATE 1, 10, COMMIT, 11, UPDATE 1, 22" {
		t.Fatalf("answers: %s", got)
	}
	order := func() string {
		found, err := z.order(t.Context(), h)
		if err != nil {
			t.Fatal(err)
		}
		names := ""
		for _, u := range found {
			names += u.session
		}
		return names
	}
	if got := order(); got != "babb" {
		t.Errorf("the order is %q", got)
	}
	if h.happened() {
		t.Error("the anomaly happened")
	}
	h.final = "21" // as if b's update had come before a's
	if got := order(); got != "" {
		t.Errorf("after the fact: the order is %q", got)
	}
	if !h.happened() {
		t.Error("the anomaly did not happen")
	}
	h.final = "22"
	h.events[4].answer = "10"
	if got := order(); got != "" {
		t.Errorf("an old value was read after a commit: the order is %q", got)
	}
	// Without the clock it is fine: b reads, a increments, b doubles.
	for _, e := range h.events {
		e.begun, e.ended = 0, 0
	}
	if got := order(); got != "bbab" {
		t.Errorf("without time the order is %q", got)
	}
}

// TestWaiting: a step that waits is left behind by others, also by several, and steps behind it are kept back.
func TestWaiting(t *testing.T) {
	srv := startHoldfast(t)
	s, err := parseScript("made_up", `title: t
codes: c
Two wait for one, and two for each other.

setup
CREATE TABLE test (id int PRIMARY KEY, value int NOT NULL)
INSERT INTO test VALUES (1, 10), (2, 20)

steps
a: BEGIN
b: BEGIN
a: UPDATE test SET value = 11 WHERE id = 1
b: UPDATE test SET value = 22 WHERE id = 2
c: UPDATE test SET value = value + 100 WHERE id = 1
c: SELECT value FROM test WHERE id = 1
a: UPDATE test SET value = 21 WHERE id = 2
a: COMMIT
b: UPDATE test SET value = 12 WHERE id = 1
b: COMMIT

final
SELECT value FROM test ORDER BY id

anomaly
final = none`)
	if err != nil {
		t.Fatal(err)
	}
	o, err := srv.judge(t.Context(), holdfast, "SERIALIZABLE", newSerializer(srv, s))
	if err != nil {
		t.Fatal(err)
	}
	// b closes the circle, lets go of its locks, and is run again behind the others.
	const want = `Holdfast, SERIALIZABLE: prevented; a waits, b waits, c waits
  a: BEGIN -> BEGIN
  b: BEGIN -> BEGIN
  a: UPDATE test SET value = 11 WHERE id = 1 -> UPDATE 1
  b: UPDATE test SET value = 22 WHERE id = 2 -> UPDATE 1
  c: UPDATE test SET value = value + 100 WHERE id = 1 -> waits
  a: UPDATE test SET value = 21 WHERE id = 2 -> waits
  b: UPDATE test SET value = 12 WHERE id = 1 -> waits
  a: .. -> UPDATE 1
  a: COMMIT -> COMMIT
  c: .. -> UPDATE 1
  b: .. -> UPDATE 1
  c: SELECT value FROM test WHERE id = 1 -> 111
  b: COMMIT -> COMMIT
  final: 12, 22
`
	// Which of b and c is seen first to have gone on is chance.
	sorted := func(text string) []string {
		lines := strings.Split(text, "\n")
		slices.Sort(lines)
		return lines
	}
	if !slices.Equal(sorted(o.String()), sorted(want)) {
		t.Errorf("it went %s", o)
	}
}

func TestParseScript(t *testing.T) {
	const good = "title: t\ncodes: c\nabout\n\nsetup\nx\n\nsteps\na one: SELECT 1\n\nfinal\nSELECT 1\n\nanomaly\none = 1"
	if _, err := parseScript("s", good); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, want string }{
		{"codes: c\n", "", "needs a title"},
		{"about\n\n", "about\n", `is not "setup"`},
		{"about\n\nsetup\nx\n\n", "about\n", "3 parts"},
		{"steps", "stages", `is not "steps"`},
		{"a one:", "anna one:", "not a step"},
		{"one = 1", "two = 1", `no step is called "two"`},
		{"one = 1", "one", "not a condition"},
	} {
		_, err := parseScript("s", strings.Replace(good, c.old, c.new, 1))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q for %q: %v", c.new, c.old, err)
		}
	}
}
