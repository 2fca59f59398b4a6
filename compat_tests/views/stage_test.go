package views

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/compat_tests/testserver"
	"holdfast/kv/pebblekv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// levels are the names of the isolation levels.
var levels = []string{"READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"}

// patience bounds a performance. It only ends one in which something hangs.
const patience = time.Minute

// client is a session. Its statements run in a goroutine, so that one that waits does not hold up the others.
type client struct {
	conn     *pgx.Conn
	extended bool
	answer   chan string // of the statement that runs
	running  bool
}

func connect(t testing.TB, s *testserver.Server, level string, extended bool) *client {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.DSN)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	c := &client{conn: conn, extended: extended, answer: make(chan string, 1)}
	for _, sql := range []string{"SET search_path = story, public", "SET timezone = 'UTC'", "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL " + level} {
		if a := c.do(sql); a != "SET" {
			t.Fatalf("%s: %s", sql, a)
		}
	}
	return c
}

// do runs a statement. Its answer is the command tag and the rows, or the SQLSTATE and message of the refusal.
func (c *client) do(sql string) string {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var r *pgconn.Result
	var err error
	if c.extended {
		r = c.conn.PgConn().ExecParams(ctx, sql, nil, nil, nil, nil).Read()
		err = r.Err
	} else {
		var list []*pgconn.Result
		if list, err = c.conn.PgConn().Exec(ctx, sql).ReadAll(); len(list) > 0 {
			r = list[len(list)-1]
		}
	}
	var refused *pgconn.PgError
	switch {
	case errors.As(err, &refused):
		return "ERROR " + refused.Code
	case err != nil:
		return "LOST " + err.Error()
	case r == nil:
		return ""
	}
	answer := r.CommandTag.String()
	var rows []string
	for _, row := range r.Rows {
		var values []string
		for _, v := range row {
			if v == nil {
				v = []byte("NULL")
			}
			values = append(values, string(v))
		}
		rows = append(rows, strings.Join(values, "|"))
	}
	slices.Sort(rows)
	if rows != nil {
		answer += ": " + strings.Join(rows, ", ")
	}
	return answer
}

func (c *client) start(sql string) {
	c.running = true
	go func() { c.answer <- c.do(sql) }()
}

// conflict reports whether an answer tells a client to try again.
func conflict(answer string) bool { return answer == "ERROR 40001" || answer == "ERROR 40P01" }

// stage is a server with the tables of a story.
type stage struct {
	t      testing.TB
	server *testserver.Server
	admin  *client
	known  map[string]*client
	story  *story
	serial []performance // what the story comes to one after the other, in all orders of all choices of clients
}

// story is what some clients do at the same time. Each client has the statements of one transaction.
type story struct {
	name    string
	tables  []string // names, children before parents
	schema  []string
	rows    []string // that the tables begin with
	clients map[string][]string
	// alone are clients without a transaction block, of one statement.
	alone []string
	final string // a query of one row that shows what is left
	// ends are the final answers there may be, nil: all that some order explains.
	ends []string
	// wins is how many clients change something, of any order; -1: not demanded.
	wins int
	// gate is a statement that locks what the clients want, for autocommit.
	gate string
}

// performance is what came of a story: the answers of each client whose transaction was carried out or failed by itself.
type performance struct {
	answers map[string]string
	final   string
	refused []string // clients that were told to try again
	log     []string
}

func (p performance) String() string {
	return strings.Join(p.log, "\n") + "\nfinal: " + p.final
}

func (s *story) names() []string {
	var out []string
	for n := range s.clients {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

func newStage(t testing.TB, server *testserver.Server, s *story) *stage {
	st := &stage{t: t, server: server, story: s, admin: connect(t, server, "SERIALIZABLE", false), known: map[string]*client{}}
	st.must("DROP SCHEMA IF EXISTS story CASCADE; CREATE SCHEMA story")
	for _, sql := range s.schema {
		st.must(sql)
	}
	var orders func(done, rest []string)
	orders = func(done, rest []string) {
		st.serial = append(st.serial, st.alone(done))
		for i, n := range rest {
			orders(append(slices.Clone(done), n), slices.Delete(slices.Clone(rest), i, i+1))
		}
	}
	orders(nil, s.names())
	return st
}

// client is a client of that name, level and protocol, the same one each time.
func (st *stage) client(name, level string, extended bool) *client {
	st.t.Helper()
	key := fmt.Sprint(name, level, extended)
	if st.known[key] == nil {
		st.known[key] = connect(st.t, st.server, level, extended)
	}
	return st.known[key]
}

func (st *stage) must(sql string) string {
	st.t.Helper()
	answer := st.admin.do(sql)
	if strings.HasPrefix(answer, "ERROR") || strings.HasPrefix(answer, "LOST") {
		st.t.Fatalf("%s: %s", sql, answer)
	}
	return answer
}

func (st *stage) reset() {
	var list []string
	for _, name := range st.story.tables {
		list = append(list, "DELETE FROM "+name)
	}
	st.must(strings.Join(append(list, st.story.rows...), "; "))
}

// alone performs the story of some clients one after the other.
func (st *stage) alone(order []string) performance {
	st.reset()
	p := performance{answers: map[string]string{}}
	c := st.admin
	for _, name := range order {
		c.do("BEGIN")
		for _, sql := range st.story.clients[name] {
			p.answers[name] += c.do(sql) + "; "
		}
		c.do("COMMIT")
	}
	p.final = st.must(st.story.final)
	return p
}

// step is a client's next statement.
type step string

// play performs the story: the steps in their order, each the next statement of a client, or its BEGIN or COMMIT. A
// statement that waits for another client is left behind as soon as the server says that it waits.
func (st *stage) play(level string, extended bool, steps []step) performance {
	st.t.Helper()
	st.reset()
	p := performance{answers: map[string]string{}}
	clients := map[string]*client{}
	left := map[string][]string{}
	block := map[string]bool{}
	failed := map[string]bool{}
	for _, name := range st.story.names() {
		clients[name] = st.client(name, level, extended)
		block[name] = !slices.Contains(st.story.alone, name)
		left[name] = st.story.clients[name]
		if block[name] {
			left[name] = append(append([]string{"BEGIN"}, left[name]...), "COMMIT")
		}
	}
	due := map[string]int{}
	heard := func(name, answer string) {
		c := clients[name]
		c.running = false
		sql := left[name][0]
		left[name] = left[name][1:]
		p.log = append(p.log, fmt.Sprintf("%s: %s -> %s", name, sql, answer))
		switch {
		case strings.HasPrefix(answer, "LOST"):
			st.t.Fatalf("%s", p)
		case conflict(answer):
			p.refused = append(p.refused, name)
			failed[name] = true
		case sql == "BEGIN" || sql == "COMMIT":
		default:
			p.answers[name] += answer + "; "
			failed[name] = failed[name] || strings.HasPrefix(answer, "ERROR")
		}
	}
	settle := func() {
		for _, name := range st.story.names() {
			c := clients[name]
			for due[name] > 0 && !c.running {
				due[name]--
				if failed[name] && left[name][0] != "COMMIT" {
					left[name] = left[name][1:]
					continue
				}
				c.start(left[name][0])
			}
		}
		st.wait(clients, heard)
	}
	all := func() bool {
		for _, name := range st.story.names() {
			if due[name] > 0 && !clients[name].running {
				return false
			}
		}
		return true
	}
	for _, s := range steps {
		due[string(s)]++
		for settle(); !all(); settle() {
		}
	}
	for {
		for settle(); !all(); settle() {
		}
		busy := ""
		for name, c := range clients {
			if c.running {
				busy = name
			}
		}
		if busy == "" {
			break
		}
		select {
		case a := <-clients[busy].answer:
			heard(busy, a)
		case <-time.After(5 * time.Millisecond): // another one may be the one that goes on
		}
	}
	for name, c := range clients {
		if n := len(left[name]); n > 0 {
			st.t.Fatalf("%s has %d statements left\n%s", name, n, p)
		}
		if status := c.conn.PgConn().TxStatus(); status != 'I' {
			st.t.Fatalf("%s ends in state %c\n%s", name, status, p)
		}
	}
	p.final = st.must(st.story.final)
	return p
}

// wait waits until every client is answered or waits for another one. Whether they wait is asked twice, since the answer
// may be put together from more than one moment.
func (st *stage) wait(clients map[string]*client, heard func(name, answer string)) {
	st.t.Helper()
	end := time.Now().Add(patience)
	for agreed := 0; agreed < 2; {
		n := 0
		for name, c := range clients {
			if !c.running {
				continue
			}
			select {
			case a := <-c.answer:
				c.running = false
				heard(name, a)
			default:
				n++
			}
		}
		if n == 0 {
			return
		}
		if st.server.Store.(*pebblekv.Store).Stats().Locks.Waiting >= n {
			agreed++
			continue
		}
		agreed = 0
		if time.Now().After(end) {
			st.t.Fatalf("a client neither waits nor gets an answer: %s", st.must("SELECT pid, state, wait_event_type, wait_event, query FROM pg_stat_activity"))
		}
		time.Sleep(100 * time.Microsecond)
	}
}

// check demands that an order of the clients that were not told to try again explains the answers and what is left.
func (st *stage) check(p performance) {
	st.t.Helper()
	if len(st.story.ends) > 0 && !slices.Contains(st.story.ends, p.final) {
		st.t.Errorf("%s is none of %q:\n%s", p.final, st.story.ends, p)
	}
	wins := 0
	for name, a := range p.answers {
		if slices.Contains(p.refused, name) {
			delete(p.answers, name)
			continue
		}
		if strings.Contains(a, "UPDATE 1") || strings.Contains(a, "INSERT 0 1") || strings.Contains(a, "DELETE 1") {
			wins++
		}
	}
	if st.story.wins >= 0 && wins != st.story.wins {
		st.t.Errorf("%d clients have changed something:\n%s", wins, p)
	}
	for _, s := range st.serial {
		same := s.final == p.final && len(s.answers) == len(p.answers)
		for name, a := range p.answers {
			same = same && s.answers[name] == a
		}
		if same {
			return
		}
	}
	st.t.Errorf("no order explains this:\n%s", p)
}

// interleavings are all orders of the clients' steps: n[i] of client i.
func interleavings(names []string, n []int) [][]step {
	var out [][]step
	var extend func(done []step)
	extend = func(done []step) {
		end := true
		for i := range n {
			if n[i] > 0 {
				end = false
				n[i]--
				extend(append(slices.Clone(done), step(names[i])))
				n[i]++
			}
		}
		if end {
			out = append(out, done)
		}
	}
	extend(nil)
	return out
}
