package wire

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgproto3/v2"

	wireserver "holdfast/wire"
)

// replaying is two connections: x has a transaction that is run again because of what y does.
type replaying struct {
	x, y *client
}

func newReplaying(t *testing.T) *replaying {
	if otherServer != "" {
		t.Skip("Holdfast's")
	}
	addr := address(t, wireserver.Options{})
	r := &replaying{connect(t, addr), connect(t, addr)}
	r.y.exec("CREATE TABLE t (id int PRIMARY KEY, a int, b int); INSERT INTO t SELECT g, g, 0 FROM generate_series(1, 5) g")
	return r
}

// conflict makes the transaction of x, which is open, one that has to be run again: it reads what y changes, and writes.
func (r *replaying) conflict() {
	r.x.t.Helper()
	r.x.exec("SELECT a > 0 FROM t WHERE id = 1; UPDATE t SET b = b + 1 WHERE id = 2")
	r.y.exec("UPDATE t SET a = a + 100 WHERE id = 1")
}

// commits is COMMIT of x, which must succeed.
func (r *replaying) commits() {
	r.x.t.Helper()
	answers := r.x.query("COMMIT")
	if !slices.Equal(answers, []string{"CommandComplete COMMIT", "ReadyForQuery I"}) {
		r.x.t.Errorf("COMMIT: %q", answers)
	}
}

// refused is COMMIT of x, which must fail for the reason, and leave the connection usable and the table as it was.
func (r *replaying) refused(reason string) {
	r.x.t.Helper()
	answers := r.x.query("COMMIT")
	if code(answers) != "40001" || !strings.Contains(answers[0], reason) || r.x.status != 'I' {
		r.x.t.Errorf("COMMIT: %q", answers)
	}
	if got := rows(r.x.query("SELECT b FROM t WHERE id = 2")); !slices.Equal(got, []string{"0"}) {
		r.x.t.Errorf("after the COMMIT that was refused: %v", got)
	}
}

// extended runs one statement without parameters by the extended protocol, and does not ask for its columns.
func (c *client) extended(sql string) []string {
	c.t.Helper()
	c.send(&pgproto3.Parse{Query: sql}, &pgproto3.Bind{}, &pgproto3.Execute{}, &pgproto3.Sync{})
	return c.until("ReadyForQuery")
}

// TestReplayOfLargeAnswer: a result that is larger than any buffer has been sent before the conflict.
func TestReplayOfLargeAnswer(t *testing.T) {
	const large = "SELECT g, repeat('x', 100), a %s FROM t, generate_series(1, 2000) g WHERE id = 1"
	ways := map[string]func(c *client, sql string) []string{"simple": (*client).query, "extended": (*client).extended}
	for way, run := range ways {
		t.Run(way, func(t *testing.T) {
			r := newReplaying(t)
			r.x.exec("BEGIN")
			if n := len(rows(run(r.x, fmt.Sprintf(large, "> 0")))); n != 2000 {
				t.Fatalf("%d rows", n)
			}
			r.conflict()
			r.commits()
			if got := rows(r.y.exec("SELECT a, b FROM t WHERE id < 3 ORDER BY id")); !slices.Equal(got, []string{"101|0", "2|1"}) {
				t.Errorf("rows %v", got)
			}

			r.y.exec("UPDATE t SET b = 0")
			r.x.exec("BEGIN; SELECT 1")
			run(r.x, fmt.Sprintf(large, ""))
			r.conflict()
			r.refused("Statement 2 of the transaction would be answered differently now: SELECT g, repeat('x', 100), a")
		})
	}
}

// TestReplayWhileSending: a statement meets the conflict when a part of its answer has been sent.
func TestReplayWhileSending(t *testing.T) {
	r := newReplaying(t)
	r.y.exec("CREATE TABLE many (id int PRIMARY KEY, pad text); INSERT INTO many SELECT g, repeat('x', 1000) FROM generate_series(1, 300) g")
	r.x.exec("BEGIN")
	r.x.send(&pgproto3.Parse{Query: "SELECT id, pad FROM many ORDER BY id FOR UPDATE"}, &pgproto3.Bind{DestinationPortal: "p"},
		&pgproto3.Execute{Portal: "p", MaxRows: 100}, &pgproto3.Flush{})
	if n := len(rows(r.x.until("PortalSuspended"))); n != 100 {
		t.Fatalf("%d rows", n)
	}
	r.y.exec("UPDATE many SET pad = 'y' WHERE id > 250; UPDATE t SET b = 7 WHERE id = 2")
	r.x.send(&pgproto3.Execute{Portal: "p", MaxRows: 100}, &pgproto3.Flush{})
	answers := r.x.until("PortalSuspended")
	r.x.send(&pgproto3.Execute{Portal: "p"}, &pgproto3.Parse{Query: "UPDATE t SET b = b + 1 WHERE id = 2 RETURNING b"}, &pgproto3.Bind{}, &pgproto3.Execute{}, &pgproto3.Sync{})
	rest := r.x.until("ReadyForQuery")
	answers = append(answers, rest...)
	got := rows(answers)
	if code(answers) != "" || len(got) != 201 || got[199] != "300|y" || got[200] != "8" {
		t.Fatalf("%d rows, %q", len(got), answers[len(answers)-4:])
	}
	for i, row := range got[:200] {
		if id, _, _ := strings.Cut(row, "|"); id != fmt.Sprint(101+i) {
			t.Fatalf("row %d is that of %s", 101+i, id)
		}
	}
	r.commits()
}

// TestReplayPortals: what messages of the protocol do to portals, cursors and prepared statements between the
// steps of a transaction.
func TestReplayPortals(t *testing.T) {
	const numbers = "SELECT g FROM generate_series(1, 9) g"
	closed := func(t *testing.T, c *client, kind byte, name string) {
		t.Helper()
		c.send(&pgproto3.Close{ObjectType: kind, Name: name}, &pgproto3.Sync{})
		failures(t, "Close", c.until("ReadyForQuery"))
	}
	fetched := func(t *testing.T, c *client, sql string, want ...string) {
		t.Helper()
		if got := rows(c.exec(sql)); !slices.Equal(got, want) {
			t.Errorf("%s: %v", sql, got)
		}
	}
	executed := func(t *testing.T, c *client, name, statement string, most uint32, want ...string) {
		t.Helper()
		c.send(&pgproto3.Bind{DestinationPortal: name, PreparedStatement: statement}, &pgproto3.Execute{Portal: name, MaxRows: most}, &pgproto3.Sync{})
		if got := rows(c.until("ReadyForQuery")); !slices.Equal(got, want) {
			t.Errorf("Execute: %v", got)
		}
	}
	parsed := func(t *testing.T, c *client, name string) {
		t.Helper()
		c.send(&pgproto3.Parse{Name: name, Query: numbers}, &pgproto3.Sync{})
		failures(t, "Parse", c.until("ReadyForQuery"))
	}
	tests := map[string]func(t *testing.T, r *replaying){
		"a portal goes on": func(t *testing.T, r *replaying) {
			executed(t, r.x, "p", "numbers", 2, "1", "2")
			r.conflict()
			r.y.exec("UPDATE t SET a = a + 100 WHERE id = 3")
			r.x.exec("UPDATE t SET b = 1 WHERE id = 3")
			r.x.send(&pgproto3.Execute{Portal: "p", MaxRows: 2}, &pgproto3.Sync{})
			if got := rows(r.x.until("ReadyForQuery")); !slices.Equal(got, []string{"3", "4"}) {
				t.Errorf("rows %v", got)
			}
		},
		"a portal is fetched from and closed": func(t *testing.T, r *replaying) {
			executed(t, r.x, "p", "numbers", 2, "1", "2")
			fetched(t, r.x, "FETCH 2 FROM p", "3", "4")
			closed(t, r.x, 'P', "p")
			r.conflict()
		},
		"a portal is fetched from and closed by CLOSE": func(t *testing.T, r *replaying) {
			executed(t, r.x, "p", "numbers", 2, "1", "2")
			fetched(t, r.x, "FETCH 2 FROM p", "3", "4")
			r.x.exec("CLOSE p")
			r.conflict()
		},
		"a portal is fetched from and goes with a savepoint": func(t *testing.T, r *replaying) {
			r.x.exec("SAVEPOINT s")
			executed(t, r.x, "p", "numbers", 2, "1", "2")
			fetched(t, r.x, "FETCH 2 FROM p", "3", "4")
			r.x.exec("ROLLBACK TO s")
			r.conflict()
		},
		"a cursor is closed by a message": func(t *testing.T, r *replaying) {
			r.x.exec("DECLARE c CURSOR FOR " + numbers)
			fetched(t, r.x, "FETCH 2 FROM c", "1", "2")
			closed(t, r.x, 'P', "c")
			r.x.exec("DECLARE c CURSOR FOR " + numbers)
			closed(t, r.x, 'P', "c")
			r.conflict()
			r.y.exec("UPDATE t SET a = a + 100 WHERE id = 3")
			r.x.exec("UPDATE t SET b = 1 WHERE id = 3")
			r.x.exec("DECLARE c CURSOR FOR " + numbers)
		},
		"statements are made after DEALLOCATE ALL": func(t *testing.T, r *replaying) {
			r.x.exec("DEALLOCATE ALL")
			parsed(t, r.x, "numbers")
			parsed(t, r.x, "gone")
			closed(t, r.x, 'S', "gone")
			executed(t, r.x, "", "numbers", 2, "1", "2")
			r.conflict()
		},
		"a prepared statement is closed by a message": func(t *testing.T, r *replaying) {
			r.x.exec("PREPARE gone AS " + numbers)
			closed(t, r.x, 'S', "gone")
			r.conflict()
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := newReplaying(t)
			parsed(t, r.x, "numbers")
			r.x.exec("BEGIN")
			test(t, r)
			r.commits()
			if got := rows(r.x.exec("SELECT name FROM pg_prepared_statements")); !slices.Equal(got, []string{"numbers"}) {
				t.Errorf("prepared statements: %v", got)
			}
			executed(t, r.x, "", "numbers", 1, "1")
		})
	}
}

// TestReplayOfFailedCopy: the data of a COPY that has failed is that which the server has read until then.
func TestReplayOfFailedCopy(t *testing.T) {
	start := func(t *testing.T) *replaying {
		r := newReplaying(t)
		r.y.exec("CREATE TABLE c (id int PRIMARY KEY); INSERT INTO c VALUES (1)")
		r.x.exec("BEGIN; SAVEPOINT s")
		return r
	}
	copied := func(r *replaying, want string, messages ...pgproto3.FrontendMessage) {
		r.x.t.Helper()
		r.x.send(&pgproto3.Query{String: "COPY c FROM STDIN"})
		r.x.until("CopyInResponse")
		r.x.send(messages...)
		if got := r.x.until("ReadyForQuery"); code(got) != want {
			r.x.t.Errorf("COPY: %q", got)
		}
		r.x.exec("ROLLBACK TO s")
	}
	t.Run("CopyFail", func(t *testing.T) {
		r := start(t)
		copied(r, "57014", &pgproto3.CopyData{Data: []byte("2\n")}, &pgproto3.CopyFail{Message: "no"})
		r.conflict()
		r.commits()
	})
	t.Run("an error that stays", func(t *testing.T) {
		r := start(t)
		copied(r, "22P02", &pgproto3.CopyData{Data: []byte("2\nx\n")}, &pgproto3.CopyData{Data: []byte("3\n")}, &pgproto3.CopyDone{})
		r.conflict()
		r.commits()
	})
	t.Run("an error that goes", func(t *testing.T) {
		r := start(t)
		copied(r, "22P02", &pgproto3.CopyData{Data: []byte("x\n")}, &pgproto3.CopyData{Data: []byte("y\n")}, &pgproto3.CopyDone{})
		r.y.exec("ALTER TABLE c ALTER COLUMN id TYPE text")
		r.conflict()
		r.refused("more of its data")
	})
	t.Run("a table that comes", func(t *testing.T) {
		r := start(t)
		if got := r.x.query("COPY later FROM STDIN"); code(got) != "42P01" {
			t.Fatalf("COPY: %q", got)
		}
		r.x.exec("ROLLBACK TO s")
		r.y.exec("CREATE TABLE later (id int)")
		r.conflict()
		r.refused("a COPY would ask for data now")
	})
}

// TestReplayOfCanceled: a statement that was canceled is not run again without the cancel.
func TestReplayOfCanceled(t *testing.T) {
	t.Run("before its answer", func(t *testing.T) {
		r := newReplaying(t)
		r.x.exec("BEGIN; SAVEPOINT s; SET LOCAL statement_timeout = '10ms'")
		if got := r.x.extended("SELECT count(*) FROM generate_series(1, 1000000000000)"); code(got) != "57014" {
			t.Fatalf("%q", got)
		}
		r.x.exec("ROLLBACK TO s")
		r.conflict()
		r.commits()
	})
	t.Run("in the middle of its answer", func(t *testing.T) {
		r := newReplaying(t)
		r.x.exec("BEGIN; SAVEPOINT s")
		r.x.send(&pgproto3.Query{String: "SELECT repeat('x', 100) FROM generate_series(1, 1000000000000)"})
		r.x.until("DataRow")
		r.x.cancel(r.x.key)
		for name := ""; name != "ReadyForQuery"; {
			if name, _ = r.x.receive(); name == "closed" || name == "timeout" {
				t.Fatal(name)
			}
		}
		r.x.exec("ROLLBACK TO s")
		r.conflict()
		r.refused("was canceled in the middle of its answer: SELECT repeat")
	})
}

// TestReplayOfLargePipeline: a large first answer of a pipeline is held back for what follows it, so that a conflict after it is none.
func TestReplayOfLargePipeline(t *testing.T) {
	const large = "SELECT a, repeat('x', 1000) FROM t, generate_series(1, 200) WHERE id = 1"
	for name, before := range map[string][]pgproto3.FrontendMessage{
		"implicit": nil,
		"explicit": {&pgproto3.Parse{Query: "BEGIN"}, &pgproto3.Bind{}, &pgproto3.Execute{}},
		"by name":  {&pgproto3.Parse{Name: "large", Query: large}, &pgproto3.Bind{DestinationPortal: "p", PreparedStatement: "large"}, &pgproto3.Execute{Portal: "p"}, &pgproto3.Close{ObjectType: 'P', Name: "p"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReplaying(t)
			r.y.exec("BEGIN; UPDATE t SET b = 5 WHERE id = 2")
			messages := append(slices.Clone(before), &pgproto3.Parse{Query: large}, &pgproto3.Bind{}, &pgproto3.Execute{},
				&pgproto3.Parse{Query: "UPDATE t SET b = b + 1 WHERE id = 2 RETURNING b"}, &pgproto3.Bind{}, &pgproto3.Execute{})
			if name == "explicit" {
				messages = append(messages, &pgproto3.Parse{Query: "COMMIT"}, &pgproto3.Bind{}, &pgproto3.Execute{})
			}
			r.x.send(append(messages, &pgproto3.Sync{})...)
			r.waits()
			r.y.exec("UPDATE t SET a = 50 WHERE id = 1; COMMIT")
			answers := r.x.until("ReadyForQuery")
			failures(t, "the pipeline", answers)
			got := rows(answers)
			if n := len(got); n != 201 && n != 401 || got[n-1] != "6" {
				t.Fatalf("%d rows", n)
			}
			for _, row := range got[:len(got)-1] {
				if !strings.HasPrefix(row, "50|") {
					t.Fatalf("a row is %.10s", row)
				}
			}
		})
	}
}

// TestReplayAfterCommitInMessage: answers of a message are held back for its second transaction as for its first.
func TestReplayAfterCommitInMessage(t *testing.T) {
	r := newReplaying(t)
	r.y.exec("BEGIN; UPDATE t SET b = 5 WHERE id = 2")
	r.x.send(&pgproto3.Query{String: "BEGIN; UPDATE t SET b = 5 WHERE id = 3; COMMIT; BEGIN; SELECT a, repeat('x', 1000) FROM t, generate_series(1, 200) WHERE id = 1; UPDATE t SET b = b + 1 WHERE id = 2; COMMIT"})
	r.waits()
	r.y.exec("UPDATE t SET a = 50 WHERE id = 1; COMMIT")
	answers := r.x.until("ReadyForQuery")
	if got := rows(answers); code(answers) != "" || len(got) != 200 || !strings.HasPrefix(got[0], "50|") {
		t.Errorf("%d rows, %q", len(got), answers[len(answers)-3:])
	}
}

// waits returns when x waits for a lock.
func (r *replaying) waits() {
	r.x.t.Helper()
	for start := time.Now(); ; time.Sleep(time.Millisecond) {
		got := rows(r.y.exec("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))
		if slices.Equal(got, []string{"1"}) {
			return
		}
		if time.Since(start) > patience {
			r.x.t.Fatalf("nobody waits for a lock: %v", got)
		}
	}
}

// TestReplayDisconnected: a client that leaves during the run that nobody sees leaves no lock behind.
func TestReplayDisconnected(t *testing.T) {
	r := newReplaying(t)
	r.x.exec("BEGIN; UPDATE t SET b = 1 WHERE a > 3 AND id > 3 OR id = 5")
	r.y.exec("BEGIN; UPDATE t SET a = 50 WHERE id = 1; UPDATE t SET b = 5 WHERE id = 2")
	r.x.exec("SELECT a > 0 FROM t WHERE id = 1")
	r.x.send(&pgproto3.Query{String: "UPDATE t SET b = 9 WHERE id = 2"})
	r.waits()
	z := connect(r.x.t, r.x.addr)
	z.exec("BEGIN; UPDATE t SET b = 5 WHERE id = 3")
	r.x.conn.Close()
	r.y.exec("COMMIT")
	z.exec("UPDATE t SET b = 6 WHERE id IN (2, 4, 5); COMMIT")
	if got := rows(z.exec("SELECT b FROM t ORDER BY id")); strings.Join(got, " ") != "0 6 5 6 6" {
		t.Errorf("rows %v", got)
	}
}
