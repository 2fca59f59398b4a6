package wire

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgproto3/v2"

	wireserver "holdfast/wire"
)

// contend runs f on several connections at once, each several times.
func contend(t *testing.T, addr string, clients, rounds int, f func(c *client, k, i int)) {
	t.Helper()
	var wg sync.WaitGroup
	for k := range clients {
		c := connect(t, addr)
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range rounds {
				f(c, k, i)
			}
		}()
	}
	wg.Wait()
}

// rows are the values of the rows among answers.
func rows(answers []string) (out []string) {
	for _, a := range answers {
		if r, ok := strings.CutPrefix(a, "DataRow "); ok {
			out = append(out, r)
		}
	}
	return out
}

func failures(t *testing.T, what string, answers []string) {
	if got := code(answers); got != "" || strings.HasPrefix(answers[len(answers)-1], "(") {
		t.Errorf("%s: %q", what, answers)
	}
}

// TestReexecution: nobody who gives no BEGIN is ever told of a conflict, and only the answers of the run that
// was committed are sent.
func TestReexecution(t *testing.T) {
	if otherServer != "" {
		t.Skip("Holdfast's")
	}
	addr := address(t, wireserver.Options{})
	setup := connect(t, addr)
	setup.exec(`CREATE TABLE wire_sum (a int PRIMARY KEY, n int NOT NULL); INSERT INTO wire_sum VALUES (1, 0), (2, 0);
		CREATE TABLE wire_log (seq int PRIMARY KEY, who int); CREATE TABLE wire_copied (seq int, who int)`)
	const clients, rounds = 6, 25

	t.Run("a statement that reads what others write", func(t *testing.T) {
		var mu sync.Mutex
		var given []int
		contend(t, addr, clients, rounds, func(c *client, k, i int) {
			answers := c.query(fmt.Sprintf("INSERT INTO wire_log SELECT coalesce(max(seq), 0) + 1, %d FROM wire_log RETURNING seq", k))
			failures(t, "INSERT", answers)
			for _, r := range rows(answers) {
				n, _ := strconv.Atoi(r)
				mu.Lock()
				given = append(given, n)
				mu.Unlock()
			}
		})
		slices.Sort(given)
		for i, n := range given {
			if n != i+1 {
				t.Fatalf("numbers given: %v", given)
			}
		}
		if len(given) != clients*rounds {
			t.Errorf("%d numbers given", len(given))
		}
	})

	t.Run("several statements in one message", func(t *testing.T) {
		setup.exec("UPDATE wire_sum SET n = 0")
		contend(t, addr, clients, rounds, func(c *client, k, i int) {
			a := 1 + (k+i)%2 // in different orders
			answers := c.query(fmt.Sprintf("UPDATE wire_sum SET n = n + 1 WHERE a = %d RETURNING n; SELECT sum(n) FROM wire_sum; UPDATE wire_sum SET n = n + 1 WHERE a = %d; SELECT sum(n) FROM wire_sum", a, 3-a))
			failures(t, "message", answers)
			r := rows(answers)
			if len(r) != 3 {
				t.Errorf("answers: %q", answers)
				return
			}
			before, _ := strconv.Atoi(r[1])
			after, _ := strconv.Atoi(r[2])
			if after != before+1 || after%2 != 0 {
				t.Errorf("sums %d and %d within one transaction", before, after)
			}
		})
	})

	t.Run("a pipeline", func(t *testing.T) {
		setup.exec("UPDATE wire_sum SET n = 0")
		contend(t, addr, clients, rounds, func(c *client, k, i int) {
			one := []pgproto3.FrontendMessage{
				&pgproto3.Parse{Query: "SELECT n FROM wire_sum WHERE a = 1"}, &pgproto3.Bind{}, &pgproto3.Describe{ObjectType: 'P'}, &pgproto3.Execute{},
				&pgproto3.Parse{Query: "UPDATE wire_sum SET n = n + 1 WHERE a = 1 RETURNING n"}, &pgproto3.Bind{}, &pgproto3.Execute{},
				&pgproto3.Parse{Query: "SELECT n, g FROM wire_sum, generate_series(1, 3) g WHERE a = 1 ORDER BY g"}, &pgproto3.Bind{DestinationPortal: "p"},
				&pgproto3.Execute{Portal: "p", MaxRows: 2}, &pgproto3.Execute{Portal: "p", MaxRows: 2}, &pgproto3.Sync{},
			}
			c.send(one...)
			answers := c.until("ReadyForQuery")
			failures(t, "pipeline", answers)
			r := rows(answers)
			if len(r) != 5 {
				t.Errorf("answers: %q", answers)
				return
			}
			before, _ := strconv.Atoi(r[0])
			want := []string{strconv.Itoa(before), strconv.Itoa(before + 1)}
			for g := 1; g <= 3; g++ {
				want = append(want, fmt.Sprintf("%d|%d", before+1, g))
			}
			if !slices.Equal(r, want) {
				t.Errorf("rows %v of one transaction", r)
			}
			var kinds []string
			for _, a := range answers {
				kinds = append(kinds, strings.Fields(a)[0])
			}
			if got := strings.Join(kinds, " "); got != "ParseComplete BindComplete RowDescription DataRow CommandComplete ParseComplete BindComplete DataRow CommandComplete ParseComplete BindComplete DataRow DataRow PortalSuspended DataRow CommandComplete ReadyForQuery" {
				t.Errorf("answers: %s", got)
			}
		})
		if got := rows(setup.exec("SELECT n FROM wire_sum WHERE a = 1")); got[0] != strconv.Itoa(clients*rounds) {
			t.Errorf("updates lost: %v of %d", got, clients*rounds)
		}
	})

	// What has been sent before the conflict is found is answered again in the same way.
	t.Run("a pipeline whose first answers are sent", func(t *testing.T) {
		setup.exec("UPDATE wire_sum SET n = 0")
		contend(t, addr, clients, rounds, func(c *client, k, i int) {
			c.send(&pgproto3.Parse{Query: "SELECT repeat('x', 1000) FROM generate_series(1, 100)"}, &pgproto3.Bind{}, &pgproto3.Execute{}, &pgproto3.Flush{},
				&pgproto3.Parse{Query: "INSERT INTO wire_copied SELECT coalesce(max(seq), 0) + 1, -1 FROM wire_copied"}, &pgproto3.Bind{}, &pgproto3.Execute{}, &pgproto3.Flush{}, &pgproto3.Sync{})
			answers := c.until("ReadyForQuery")
			failures(t, "pipeline", []string{answers[len(answers)-1], answers[len(answers)-2]})
			if n := len(rows(answers)); n != 100 {
				t.Errorf("%d rows", n)
			}
		})
		if got := rows(setup.exec("SELECT count(*), count(DISTINCT seq), max(seq) FROM wire_copied")); got[0] != fmt.Sprintf("%d|%[1]d|%[1]d", clients*rounds) {
			t.Errorf("rows: %v", got)
		}
	})

	t.Run("locking many rows", func(t *testing.T) {
		setup.exec("CREATE TABLE wire_many (a int PRIMARY KEY, pad text); INSERT INTO wire_many SELECT g, repeat('x', 500) FROM generate_series(1, 300) g")
		contend(t, addr, 4, 6, func(c *client, k, i int) {
			if k%2 == 0 {
				failures(t, "UPDATE", c.query(fmt.Sprintf("UPDATE wire_many SET pad = repeat('y', 500) WHERE a = %d", 290+i)))
				return
			}
			answers := c.query("SELECT a, pad FROM wire_many ORDER BY a FOR UPDATE")
			failures(t, "FOR UPDATE", answers[len(answers)-2:])
			if n := len(rows(answers)); n != 300 {
				t.Errorf("%d rows", n)
			}
		})
	})

	t.Run("COPY", func(t *testing.T) {
		setup.exec("CREATE TABLE wire_target (a int PRIMARY KEY REFERENCES wire_many, b text)")
		contend(t, addr, 4, 8, func(c *client, k, i int) {
			if k == 0 {
				failures(t, "UPDATE", c.query("UPDATE wire_many SET pad = 'z' WHERE a BETWEEN 1 AND 100"))
				return
			}
			c.send(&pgproto3.Query{String: "COPY wire_target FROM STDIN"})
			if got := c.until("CopyInResponse"); code(got) != "" {
				t.Error(got)
				return
			}
			a := (k-1)*8 + i + 1
			c.send(&pgproto3.CopyData{Data: fmt.Appendf(nil, "%d\tx\n", a)}, &pgproto3.CopyData{Data: fmt.Appendf(nil, "%d\ty\n", 100+a)}, &pgproto3.CopyDone{})
			answers := c.until("ReadyForQuery")
			failures(t, "COPY", answers)
			if answers[0] != "CommandComplete COPY 2" {
				t.Errorf("COPY: %q", answers)
			}
		})
		if got := rows(setup.exec("SELECT count(*) FROM wire_target")); got[0] != "48" {
			t.Errorf("rows copied: %v", got)
		}
	})
}

// TestExplicitConflict: a transaction block that cannot be serialized is told so, at the latest by COMMIT, and
// its session goes on.
func TestExplicitConflict(t *testing.T) {
	if otherServer != "" {
		t.Skip("Holdfast's")
	}
	addr := address(t, wireserver.Options{})
	a, b := connect(t, addr), connect(t, addr)
	a.exec("CREATE TABLE wire_skew (a int PRIMARY KEY, n int); INSERT INTO wire_skew VALUES (1, 1), (2, 1)")
	a.exec("BEGIN; SELECT sum(n) FROM wire_skew; UPDATE wire_skew SET n = 0 WHERE a = 1")
	b.exec("BEGIN; SELECT sum(n) FROM wire_skew; UPDATE wire_skew SET n = 0 WHERE a = 2")
	a.exec("COMMIT")
	if answers := b.query("COMMIT"); code(answers) != "40001" || b.status != 'I' {
		t.Errorf("COMMIT: %q", answers)
	}
	if got := rows(b.exec("SELECT sum(n) FROM wire_skew")); got[0] != "1" {
		t.Errorf("sum: %v", got)
	}
}
