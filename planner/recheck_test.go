package planner_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"holdfast/kv"
	"holdfast/kv/memkv"
	"holdfast/planner"
	"holdfast/planner/sessiontest"
	"holdfast/sql/accumulator"
	"holdfast/sql/errs"
)

const recheckSchema = `CREATE TABLE team (id int PRIMARY KEY, cap int, lead int);
	CREATE TABLE member (id int PRIMARY KEY, team int, pay int);
	CREATE INDEX ON member (team);
	CREATE TABLE badge (id int PRIMARY KEY, member int REFERENCES member, late int REFERENCES member DEFERRABLE INITIALLY DEFERRED);
	CREATE INDEX ON badge (member);
	INSERT INTO team VALUES (1, 10, NULL), (2, 10, NULL);
	INSERT INTO member VALUES (1, 1, 5), (2, 1, 5), (3, 2, 5);
	CREATE ASSERTION most CHECK (NOT EXISTS (SELECT m.id, m.pay, t.cap FROM member m JOIN team t ON t.id = m.team WHERE m.pay > t.cap));
	CREATE ASSERTION most_late CHECK (NOT EXISTS (SELECT m.id, m.pay, t.cap FROM member m JOIN team t ON t.id = m.team WHERE m.pay > t.cap + 5))
		DEFERRABLE INITIALLY DEFERRED;
	CREATE ASSERTION range CHECK (NOT EXISTS (SELECT team, max(pay) - min(pay) AS gap FROM member GROUP BY team HAVING max(pay) - min(pay) > 8))`

// rechecks are stories of two clients. Each step is "a: statement" or "b: statement", with the beginning of what it fails with after " -> ".
var rechecks = []struct {
	name   string
	steps  []string
	again  string // checks that were made again: of the assertions most, most_late and range
	reruns int64  // transactions that were run again as a whole
}{
	{"they hold", []string{"a: BEGIN", "a: UPDATE member SET pay = 8 WHERE id = 1", "b: UPDATE team SET cap = 9 WHERE id = 1", "a: COMMIT"}, "1|1|1", 0},
	{"they do not hold", []string{"a: BEGIN", "a: UPDATE member SET pay = 8 WHERE id = 1", "b: UPDATE team SET cap = 7 WHERE id = 1",
		`a: COMMIT -> 23514 Violating row: (id, pay, cap) = (1, 8, 7). checking assertion "most" at the end of UPDATE of table "member"`}, "0|0|0", 1},
	{"a group of others", []string{"a: BEGIN", "a: INSERT INTO member VALUES (4, 1, 6)", "b: INSERT INTO member VALUES (5, 1, 7)", "b: DELETE FROM member WHERE id = 2", "a: COMMIT"}, "1|1|1", 0},
	{"a group of others that does not fit", []string{"a: BEGIN", "a: INSERT INTO member VALUES (4, 1, 10)", "b: INSERT INTO member VALUES (5, 1, 1)",
		`a: COMMIT -> 23514 Violating group: (team) = (1), gap = 9, max = 10, min = 1.`}, "1|0|0", 1},
	{"at the end of its statement", []string{"a: BEGIN", "a: UPDATE member SET pay = 8 WHERE id = 1", "a: UPDATE member SET pay = 5 WHERE id = 1", "b: UPDATE team SET cap = 7 WHERE id = 1",
		`a: COMMIT -> 23514 Violating row: (id, pay, cap) = (1, 8, 7).`}, "0|0|0", 1},
	{"deferred, at the end of all", []string{"a: BEGIN", "a: INSERT INTO team VALUES (3, 10)", "a: INSERT INTO member VALUES (7, 1, 9)", "a: UPDATE member SET pay = 5 WHERE id = 7", "b: UPDATE team SET cap = 9 WHERE id = 1", "a: COMMIT"}, "2|2|2", 0}, // a lower pay was sorted out by itself
	{"what was read is another matter", []string{"a: BEGIN", "a: SELECT cap FROM team WHERE id = 1", "a: UPDATE member SET pay = 8 WHERE id = 1", "b: UPDATE team SET cap = 9 WHERE id = 1", "a: COMMIT -> 40001"}, "0|0|0", 1},
	{"a savepoint", []string{"a: BEGIN", "a: UPDATE member SET pay = 6 WHERE id = 1", "a: SAVEPOINT s", "a: UPDATE member SET pay = 8 WHERE id = 2", "a: ROLLBACK TO s", "b: UPDATE team SET cap = 9 WHERE id = 1", "a: COMMIT"}, "2|1|2", 0},
	{"a savepoint, whose statement would have failed", []string{"a: BEGIN", "a: UPDATE member SET pay = 6 WHERE id = 1", "a: SAVEPOINT s", "a: UPDATE member SET pay = 8 WHERE id = 2", "a: ROLLBACK TO s",
		"b: UPDATE team SET cap = 7 WHERE id = 1", "a: COMMIT -> 23514"}, "1|0|1", 1},
	{"a refusal rests on what was seen", []string{"a: BEGIN", "a: UPDATE member SET pay = 6 WHERE id = 3", "a: SAVEPOINT s", "a: UPDATE member SET pay = 11 WHERE id = 1 -> 23514", "a: ROLLBACK TO s",
		"b: UPDATE team SET cap = 20 WHERE id = 1", "a: COMMIT -> 40001"}, "0|0|0", 1},
	{"a refusal, and what was let through with it", []string{"a: BEGIN", "a: UPDATE member SET pay = 6 WHERE id = 3", "a: SAVEPOINT s", "a: INSERT INTO member VALUES (3, 1, 8) -> 23505", "a: ROLLBACK TO s",
		"b: UPDATE team SET cap = 9 WHERE id = 2", "a: COMMIT"}, "1|1|1", 0},
	{"before a statement that meets a newer row", []string{"a: BEGIN", "a: UPDATE member SET pay = 8 WHERE id = 1", "b: UPDATE team SET cap = 9", "a: UPDATE team SET lead = 1 WHERE id = 2", "a: COMMIT"}, "1|0|1", 0},
	{"before a statement that meets a newer row, and it does not hold", []string{"a: BEGIN", "a: UPDATE member SET pay = 8 WHERE id = 1", "b: UPDATE team SET cap = 7",
		`a: UPDATE team SET lead = 1 WHERE id = 2 -> 23514 Violating row: (id, pay, cap) = (1, 8, 7).`}, "0|0|0", 1},
	{"twice", []string{"a: BEGIN", "a: UPDATE member SET pay = 8 WHERE id = 1", "b: UPDATE team SET cap = 9", "a: UPDATE team SET lead = 1 WHERE id = 2", "b: UPDATE team SET cap = 8 WHERE id = 1", "a: COMMIT"}, "2|1|2", 0},
	{"twice, and it does not hold", []string{"a: BEGIN", "a: UPDATE member SET pay = 8 WHERE id = 1", "b: UPDATE team SET cap = 9", "a: UPDATE team SET lead = 1 WHERE id = 2", "b: UPDATE team SET cap = 7 WHERE id = 1",
		"a: COMMIT -> 23514"}, "1|0|1", 1},
	{"SET CONSTRAINTS", []string{"a: BEGIN", "a: UPDATE member SET pay = 8 WHERE id = 1", "a: SET CONSTRAINTS ALL IMMEDIATE", "b: UPDATE team SET cap = 9 WHERE id = 1", "a: COMMIT"}, "1|1|1", 0},
	{"DDL", []string{"a: BEGIN", "a: UPDATE member SET pay = 8 WHERE id = 1", "a: SET CONSTRAINTS ALL IMMEDIATE", "a: ALTER TABLE member ADD COLUMN note text", "a: CREATE TABLE made (id int)", "a: INSERT INTO made VALUES (1)", "b: UPDATE team SET cap = 9 WHERE id = 1",
		"a: UPDATE member SET pay = 7, note = 'x' WHERE id = 1", "a: COMMIT"}, "1|1|2", 0},
	{"TRUNCATE, whose checks look at everything", []string{"a: BEGIN", "a: UPDATE member SET pay = 8 WHERE id = 1", "a: SET CONSTRAINTS ALL IMMEDIATE", "a: TRUNCATE member, badge", "a: INSERT INTO member VALUES (1, 1, 9)", "b: UPDATE team SET cap = 9 WHERE id = 1", "a: COMMIT"}, "0|0|0", 1},
	{"a foreign key", []string{"a: BEGIN", "a: DELETE FROM member WHERE id = 2", "b: INSERT INTO badge VALUES (1, 1)", "a: COMMIT"}, "0|0|1", 0},
	{"a foreign key whose parent is deleted at the same time", []string{"b: BEGIN", "b: INSERT INTO badge VALUES (1, 1)", "a: BEGIN", "a: UPDATE team SET lead = 2 WHERE id = 2", "b: COMMIT", "a: DELETE FROM member WHERE id = 1", "a: COMMIT -> 23503"}, "0|0|0", 1},
	{"a deferred foreign key", []string{"a: BEGIN", "a: INSERT INTO badge VALUES (1, NULL, 9)", "b: INSERT INTO member VALUES (9, 1, 5)", "a: COMMIT"}, "0|0|0", 0},
}

// TestRechecks plays them.
func TestRechecks(t *testing.T) {
	for _, test := range rechecks {
		t.Run(test.name, func(t *testing.T) {
			for engine, open := range map[string]func(testing.TB) *sessiontest.DB{"memkv": sessiontest.Open, "pebblekv": sessiontest.OpenPebble} {
				db := open(t)
				a, b := db.Connect(), db.Connect()
				a.Must(recheckSchema)
				before := db.Engine.Reruns()
				for _, step := range test.steps {
					text, want, fails := strings.Cut(step, " -> ")
					c := a
					if text[0] == 'b' {
						c = b
						c.Must("SET lock_timeout = '10s'") // where the test is wrong
					}
					_, err := c.Exec(text[3:])
					got := ""
					if err != nil {
						e := errs.As(err)
						got = strings.TrimSpace(fmt.Sprintf("%s %s %s", e.Code, e.Detail, e.Where))
					}
					if !strings.HasPrefix(got, want) || fails != (err != nil) {
						t.Errorf("%s: %s: %q, want %q", engine, text, got, want)
					}
				}
				a.Must("ROLLBACK")
				if got := db.Engine.Reruns() - before; got != test.reruns {
					t.Errorf("%s: %d transactions were run again, want %d", engine, got, test.reruns)
				}
				a.Query("SELECT string_agg(revalidations::text, '|' ORDER BY assertionid) FROM pg_stat_assertions", test.again)
			}
		})
	}
}

// TestRechecksNotice: the stories above go wrong if checks are not made again.
func TestRechecksNotice(t *testing.T) {
	db := sessiontest.OpenWith(t, memkv.New(memkv.Options{Merge: accumulator.Merge}), planner.Config{Faults: planner.Faults{SkipRechecks: true}})
	a, b := db.Connect(), db.Connect()
	a.Must(recheckSchema)
	a.Must("BEGIN")
	a.Must("UPDATE member SET pay = 8 WHERE id = 1")
	b.Must("UPDATE team SET cap = 7 WHERE id = 1")
	if _, err := a.Exec("COMMIT"); err != nil {
		t.Errorf("the fault does not work: %v", err)
	}
}

// TestCheckedLate: who deletes a row waits for the transaction that refers to it, and then finds what that has left, at the statement.
func TestCheckedLate(t *testing.T) {
	for _, test := range []struct{ end, want string }{{"COMMIT", "23503"}, {"ROLLBACK", ""}, {"DELETE FROM badge; COMMIT", ""}} {
		db := sessiontest.OpenPebble(t)
		a, b := db.Connect(), db.Connect()
		a.Must(recheckSchema)
		b.Must("BEGIN")
		b.Must("INSERT INTO badge VALUES (1, 1)")
		a.Must("BEGIN")
		a.Must("UPDATE team SET lead = 2 WHERE id = 2")
		done := make(chan error)
		go func() {
			_, err := a.Exec("DELETE FROM member WHERE id = 1")
			done <- err
		}()
		waitFor(t, db, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'", "1")
		b.Must(test.end)
		if err := <-done; string(errs.CodeOf(err)) != test.want {
			t.Errorf("after %s: %v, want %q", test.end, err, test.want)
		} else if err == nil {
			a.Must("COMMIT")
		}
	}
}

// TestUnkeptRechecks: a transaction that is too large to be run again is moved all the same, and told of a violation as what it is.
func TestUnkeptRechecks(t *testing.T) {
	for _, test := range []struct{ cap, next, want string }{
		{"9", "COMMIT", ""}, {"7", "COMMIT", "23514 Violating row: (id, pay, cap) = (1, 8, 7)."},
		{"9", "UPDATE team SET lead = 1", ""}, {"7", "UPDATE team SET lead = 1", "23514 Violating row: (id, pay, cap) = (1, 8, 7)."},
	} {
		db := sessiontest.OpenPebble(t)
		a, b := db.Connect(), db.Connect()
		a.Must(recheckSchema)
		a.Must("CREATE TABLE filler (x text)")
		a.Must("BEGIN")
		a.CopyData = strings.Repeat("x", copyBound+1) + "\n"
		a.Must("COPY filler FROM STDIN")
		a.Must("UPDATE member SET pay = 8 WHERE id = 1")
		b.Must("UPDATE team SET cap = " + test.cap)
		_, err := a.Exec(test.next)
		got := ""
		if err != nil {
			got = string(errs.CodeOf(err)) + " " + errs.As(err).Detail
		}
		if got != test.want {
			t.Errorf("cap %s, %s: %q, want %q", test.cap, test.next, got, test.want)
		}
		a.Must("ROLLBACK")
	}
}

// interrupting is a store of whose rechecks the first is interrupted.
type interrupting struct{ kv.Store }

type interruptedTxn struct {
	kv.Txn
	before, after bool // it has been interrupted already, before or after the snapshot was moved
}

func (s interrupting) Begin(ctx context.Context, o kv.TxnOptions) (kv.Txn, error) {
	t, err := s.Store.Begin(ctx, o)
	if err != nil {
		return nil, err
	}
	return &interruptedTxn{Txn: t}, nil
}

func (t *interruptedTxn) Recheck(ctx context.Context) error {
	if !t.before {
		t.before = true
		return context.DeadlineExceeded
	}
	err := t.Txn.Recheck(ctx)
	if err == nil && !t.after {
		t.after = true
		err = context.DeadlineExceeded
	}
	return err
}

// TestInterruptedRechecks: checks that could not be made again in time are made again before anything else happens.
func TestInterruptedRechecks(t *testing.T) {
	for _, cap := range []string{"9", "7"} {
		db := sessiontest.OpenStore(t, interrupting{memkv.New(memkv.Options{Merge: accumulator.Merge})})
		a, b := db.Connect(), db.Connect()
		a.Must(recheckSchema)
		a.Must("BEGIN")
		a.Must("UPDATE member SET pay = 8 WHERE id = 1")
		a.Must("SAVEPOINT s")
		b.Must("UPDATE team SET cap = " + cap)
		const late = "UPDATE team SET lead = 1 WHERE id = 2"
		for range 2 {
			if _, err := a.Exec(late); errs.CodeOf(err) != errs.QueryCanceled {
				t.Errorf("interrupted: %v", err)
			}
			a.Must("ROLLBACK TO s")
		}
		if _, err := a.Exec("COMMIT"); (err == nil) != (cap == "9") || err != nil && errs.CodeOf(err) != errs.CheckViolation {
			t.Errorf("cap %s: %v", cap, err)
		}
		a.Query("SELECT count(*) FROM member WHERE pay = 8", map[string]string{"9": "1", "7": "0"}[cap])
	}
}

// TestManyRechecks: a transaction whose checks are disturbed again and again is run again at last, guarded: others would then wait for it.
func TestManyRechecks(t *testing.T) {
	store := &disturbing{Store: memkv.New(memkv.Options{Merge: accumulator.Merge})}
	db := sessiontest.OpenStore(t, store)
	a, b := db.Connect(), db.Connect()
	a.Must(recheckSchema)
	a.Must("BEGIN")
	a.Must("UPDATE member SET pay = 8 WHERE id = 1")
	n, before := 0, db.Engine.Reruns()
	store.before = func() {
		if db.Engine.Reruns() == before {
			n++
			b.Must(fmt.Sprintf("UPDATE team SET cap = %d", 20+n))
		}
	}
	a.Must("COMMIT")
	if n != 11 || db.Engine.Reruns() != before+1 {
		t.Errorf("disturbed %d times, run again %d times", n, db.Engine.Reruns()-before)
	}
	a.Query("SELECT count(*) FROM member WHERE pay = 8", "1")
}

// disturbing is a store that calls before ahead of the commits of the first client's transactions.
type disturbing struct {
	kv.Store
	before func()
	within bool
}

type disturbedTxn struct {
	kv.Txn
	store *disturbing
}

func (s *disturbing) Begin(ctx context.Context, o kv.TxnOptions) (kv.Txn, error) {
	t, err := s.Store.Begin(ctx, o)
	if err != nil {
		return nil, err
	}
	return &disturbedTxn{t, s}, nil
}

func (t *disturbedTxn) Commit(ctx context.Context) (kv.Version, error) {
	if s := t.store; s.before != nil && !s.within {
		s.within = true
		s.before()
		s.within = false
	}
	return t.Txn.Commit(ctx)
}
