package wire

import (
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgproto3/v2"

	wireserver "holdfast/wire"
)

// running waits until a session has a statement under way that contains the text.
func running(t *testing.T, watcher *client, text string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		got := watcher.exec("SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%" + text + "%' AND pid <> pg_backend_pid()")
		if strings.HasPrefix(got[1], "DataRow 1") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not run", text)
		}
	}
}

func TestCancel(t *testing.T) {
	addr := address(t, wireserver.Options{})
	watcher := connect(t, addr)
	watcher.exec("DROP TABLE IF EXISTS wire_cancel; CREATE TABLE wire_cancel (a int PRIMARY KEY, b int); INSERT INTO wire_cancel VALUES (1, 1)")
	defer watcher.query("DROP TABLE wire_cancel")
	c := connect(t, addr)
	c.exec("SELECT 1")

	c.cancel(c.key) // nothing runs
	c.exec("SELECT 1")

	for _, sql := range []string{
		"SELECT pg_sleep(61)",
		"SELECT count(*) FROM generate_series(1, 1000000000) a62",
		"SELECT count(*) FROM generate_series(1, 30000) a63, generate_series(1, 30000) b",
		"WITH RECURSIVE t64(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t64) SELECT count(*) FROM t64",
		"INSERT INTO wire_cancel SELECT g, pg_sleep(0.001)::text::int FROM generate_series(1000, 60065000) g",
		"COPY (SELECT pg_sleep(66)) TO STDOUT",
	} {
		c.send(&pgproto3.Query{String: sql})
		running(t, watcher, sql[max(0, len(sql)-20):])
		c.cancel(c.key + 1) // a wrong key does nothing
		c.cancel(c.key)
		answers := c.until("ReadyForQuery")
		if code(answers) != "57014" && !strings.HasPrefix(sql, "INSERT") || c.status != 'I' {
			t.Errorf("%s: %q", sql, answers)
		}
	}

	// In a transaction it fails, as any error does.
	c.exec("BEGIN")
	c.send(&pgproto3.Query{String: "SELECT pg_sleep(67)"})
	running(t, watcher, "pg_sleep(67)")
	c.cancel(c.key)
	if answers := c.until("ReadyForQuery"); code(answers) != "57014" || c.status != 'E' {
		t.Errorf("in a transaction: %q", answers)
	}
	c.exec("ROLLBACK")

	// Waiting for a lock.
	watcher.exec("BEGIN; UPDATE wire_cancel SET b = 2")
	c.send(&pgproto3.Query{String: "UPDATE wire_cancel SET b = 68"})
	other := connect(t, addr)
	running(t, other, "b = 68")
	c.cancel(c.key)
	if answers := c.until("ReadyForQuery"); code(answers) != "57014" || c.status != 'I' {
		t.Errorf("waiting for a lock: %q", answers)
	}
	for sql, want := range map[string]string{
		"SET lock_timeout = 50; UPDATE wire_cancel SET b = 3":                       "55P03",
		"SET statement_timeout = 50; UPDATE wire_cancel SET b = 3":                  "57014",
		"SELECT b FROM wire_cancel FOR UPDATE NOWAIT":                               "55P03",
		"SET statement_timeout = 50; SELECT pg_sleep(60)":                           "57014",
		"SET statement_timeout = 50; SELECT count(*) FROM generate_series(1, 1e10)": "57014",
	} {
		// The SET must have happened before its statement's timer starts.
		set, statement, ok := strings.Cut(sql, "; ")
		if ok {
			c.exec(set)
		} else {
			statement = set
		}
		if answers := c.query(statement); code(answers) != want {
			t.Errorf("%s: %q", sql, answers)
		}
		c.exec("RESET statement_timeout; RESET lock_timeout")
	}
	watcher.exec("ROLLBACK")

	// Waiting for the client's data.
	c.send(&pgproto3.Query{String: "COPY wire_cancel (a) FROM STDIN"})
	c.until("CopyInResponse")
	c.send(&pgproto3.CopyData{Data: []byte("70\n")})
	running(t, watcher, "COPY wire_cancel")
	c.cancel(c.key)
	if answers := c.until("ReadyForQuery"); code(answers) != "57014" || c.status != 'I' {
		t.Errorf("COPY: %q", answers)
	}
	c.send(&pgproto3.CopyData{Data: []byte("71\n")}, &pgproto3.CopyDone{})
	if got := c.exec("SELECT a FROM wire_cancel WHERE a BETWEEN 70 AND 71"); len(got) != 3 {
		t.Errorf("rows of a canceled COPY: %q", got)
	}
}
