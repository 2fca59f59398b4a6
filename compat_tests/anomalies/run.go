package anomalies

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// server is where scripts run.
type server struct {
	dsn string
	// waiting counts the sessions with these process IDs that wait for another. It must be exact: a session
	// that has been given what it waited for is not counted, even if it has not gone on yet.
	waiting func(ctx context.Context, pids []uint32) (int, error)
	// winner is a statement for the first session and loser for the others, by which always the same one is
	// told of a deadlock; "" if the server needs none for that.
	winner, loser string
}

// patience bounds a run. It only ends runs in which something hangs.
const patience = time.Minute

// schema is where a script's tables are.
const schema = "anomaly"

// event is a step as it went.
type event struct {
	step   int
	answer string // rows or command tag
	code   string // SQLSTATE, "" if it succeeded
	detail string // of an error
	// waits tells that the step was not answered before others had gone on.
	waits bool
	// begun and ended are times in the order of everything that happened in the run.
	begun, ended int
}

// history is a run of a script.
type history struct {
	script *script
	events []*event // in the order in which they began
	final  string
}

// run runs the steps of a script one by one. A step that has to wait for another session is left waiting as soon
// as the server says that it waits, and the next step is run; further steps of a waiting session are kept back
// until it goes on. Nothing depends on how long anything takes.
func (srv *server) run(ctx context.Context, s *script, level string) (*history, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	admin, err := srv.connect(ctx, "")
	if err != nil {
		return nil, err
	}
	defer admin.Close(context.Background())
	if err := reset(ctx, admin, s); err != nil {
		return nil, err
	}
	r := &running{server: srv, script: s, admin: admin, history: &history{script: s}, clients: map[string]*client{}, answers: make(chan *client)}
	defer r.close()
	for i, name := range s.sessions() {
		c, err := r.newClient(ctx, i, level)
		if err != nil {
			return nil, err
		}
		r.clients[name] = c
	}
	for i, st := range s.steps {
		c := r.clients[st.session]
		c.next = append(c.next, i)
		if err := r.settle(ctx); err != nil {
			return nil, fmt.Errorf("step %q: %w", st.sql, err)
		}
	}
	for r.busy() > 0 { // everybody waits: a deadlock, which one of them is told of
		if err := r.receive(ctx); err != nil {
			return nil, fmt.Errorf("after the last step: %w", err)
		}
		if err := r.settle(ctx); err != nil {
			return nil, fmt.Errorf("after the last step: %w", err)
		}
	}
	r.history.final, _, err = execute(ctx, admin, s.final)
	return r.history, err
}

func (srv *server) connect(ctx context.Context, level string) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(srv.dsn)
	if err != nil {
		return nil, err
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	settings := []string{"SET search_path = " + schema, "SET client_min_messages = warning"}
	if level != "" {
		settings = append(settings, "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL "+level)
	}
	for _, sql := range settings {
		if err := must(ctx, conn, sql); err != nil {
			return nil, err
		}
	}
	return conn, nil
}

// reset makes the tables of a script anew.
func reset(ctx context.Context, conn *pgx.Conn, s *script) error {
	for _, sql := range append([]string{"DROP SCHEMA IF EXISTS " + schema + " CASCADE", "CREATE SCHEMA " + schema}, s.setup...) {
		if err := must(ctx, conn, sql); err != nil {
			return err
		}
	}
	return nil
}

// must runs a statement that has to succeed.
func must(ctx context.Context, conn *pgx.Conn, sql string) error {
	_, refused, err := execute(ctx, conn, sql)
	if err == nil && refused != nil {
		err = refused
	}
	if err != nil {
		return fmt.Errorf("%s: %w", sql, err)
	}
	return nil
}

// execute runs a statement. Its answer is the rows, in the form of conditions, or the command tag; for an error, which
// is refused, its message. err is an error of the connection.
func execute(ctx context.Context, conn *pgx.Conn, sql string) (answer string, refused *pgconn.PgError, err error) {
	results := conn.PgConn().Exec(ctx, sql)
	var r *pgconn.Result
	returnsRows := false
	for results.NextResult() {
		reader := results.ResultReader()
		returnsRows = reader.FieldDescriptions() != nil
		r = reader.Read()
	}
	err = results.Close()
	switch {
	case errors.As(err, &refused):
		return refused.Message, refused, nil
	case err != nil:
		return "", nil, err
	case r == nil: // an empty statement
		return "", nil, nil
	case !returnsRows:
		return r.CommandTag.String(), nil, nil
	case len(r.Rows) == 0:
		return "none", nil, nil
	}
	rows := make([]string, len(r.Rows))
	for i, row := range r.Rows {
		values := make([]string, len(row))
		for k, v := range row {
			if values[k] = string(v); v == nil {
				values[k] = "NULL"
			}
		}
		rows[i] = strings.Join(values, "|")
	}
	return strings.Join(rows, ", "), nil, nil
}

// running is the state of a run.
type running struct {
	*server
	script  *script
	admin   *pgx.Conn
	history *history
	clients map[string]*client
	answers chan *client // that have been answered
	clock   int
}

// client is a session of a run.
type client struct {
	conn    *pgx.Conn
	next    []int  // steps to run
	current *event // being run, nil if none is
	failed  bool   // its transaction has failed
	err     error  // of the connection
}

func (r *running) newClient(ctx context.Context, number int, level string) (*client, error) {
	conn, err := r.connect(ctx, level)
	if err != nil {
		return nil, err
	}
	sql := r.loser
	if number == 0 {
		sql = r.winner
	}
	return &client{conn: conn}, must(ctx, conn, sql)
}

// close ends the sessions, waiting or not.
func (r *running) close() {
	for _, c := range r.clients {
		if c.current != nil {
			c.conn.PgConn().Conn().Close()
			<-r.answers
		}
		c.conn.Close(context.Background())
	}
}

// busy counts the sessions whose statement is not answered.
func (r *running) busy() int {
	n := 0
	for _, c := range r.clients {
		if c.current != nil {
			n++
		}
	}
	return n
}

// settle runs the steps that are due until every session has run its own or waits.
func (r *running) settle(ctx context.Context) error {
	for {
		for _, name := range r.script.sessions() {
			if c := r.clients[name]; c.current == nil && len(c.next) > 0 {
				r.begin(ctx, c)
			}
		}
		if err := r.wait(ctx); err != nil {
			return err
		}
		due := false
		for _, c := range r.clients {
			due = due || c.current == nil && len(c.next) > 0
		}
		if !due {
			return nil
		}
	}
}

// begin sends the next step of a session. In a failed transaction there is nothing to run before its end.
func (r *running) begin(ctx context.Context, c *client) {
	for len(c.next) > 0 {
		i := c.next[0]
		c.next = c.next[1:]
		sql := r.script.steps[i].sql
		if c.failed && sql != "COMMIT" && sql != "ROLLBACK" {
			continue
		}
		r.clock++
		e := &event{step: i, begun: r.clock}
		c.current = e
		r.history.events = append(r.history.events, e)
		go func() {
			var refused *pgconn.PgError
			if e.answer, refused, c.err = execute(ctx, c.conn, sql); refused != nil {
				e.code, e.detail = refused.Code, refused.Detail
			}
			r.answers <- c
		}()
		return
	}
}

// wait waits until every session is answered or waits for another one. Whether they wait is asked twice, for the
// server's answer may be put together from more than one moment.
func (r *running) wait(ctx context.Context) error {
	for pause, agreed := time.Duration(0), 0; agreed < 2; {
		var pids []uint32
		for _, c := range r.clients {
			if c.current != nil {
				pids = append(pids, c.conn.PgConn().PID())
			}
		}
		if len(pids) == 0 {
			return nil
		}
		n, err := r.waiting(ctx, pids)
		if err != nil {
			return err
		}
		if n == len(pids) {
			agreed++
			continue
		}
		agreed = 0
		pause = min(pause+100*time.Microsecond, 5*time.Millisecond)
		timer := time.NewTimer(pause)
		select {
		case c := <-r.answers:
			err = r.answered(c)
		case <-timer.C:
		case <-ctx.Done():
			err = fmt.Errorf("%d sessions neither wait nor get an answer: %w", len(pids)-n, ctx.Err())
		}
		timer.Stop()
		if err != nil {
			return err
		}
	}
	for _, c := range r.clients {
		if c.current != nil {
			c.current.waits = true
		}
	}
	return nil
}

// receive waits for one answer.
func (r *running) receive(ctx context.Context) error {
	select {
	case c := <-r.answers:
		return r.answered(c)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// answered notes the answer of a session's statement.
func (r *running) answered(c *client) error {
	r.clock++
	e := c.current
	e.ended = r.clock
	c.current = nil
	if c.err != nil {
		return c.err
	}
	c.failed = c.conn.PgConn().TxStatus() == 'E'
	return nil
}

// unit is a transaction: a statement of its own, or all from BEGIN to its end.
type unit struct {
	session   string
	events    []*event
	committed bool
	refused   string // the SQLSTATE it failed with
}

// units are the transactions of a history, in the order in which they began.
func (h *history) units() []*unit {
	open := map[string]*unit{}
	var all []*unit
	for _, e := range h.events {
		st := h.script.steps[e.step]
		u := open[st.session]
		if u == nil {
			u = &unit{session: st.session}
			all = append(all, u)
		}
		u.events = append(u.events, e)
		if e.code != "" && u.refused == "" {
			u.refused = e.code
		}
		begins, ends := strings.HasPrefix(st.sql, "BEGIN"), st.sql == "COMMIT" || st.sql == "ROLLBACK"
		if begins || open[st.session] != nil && !ends {
			open[st.session] = u
			continue
		}
		delete(open, st.session)
		u.committed = u.refused == "" && st.sql != "ROLLBACK"
	}
	return all
}

// happened reports whether the script's anomaly did.
func (h *history) happened() bool {
	refused := map[string]bool{}
	for _, u := range h.units() {
		if u.refused != "" {
			refused[u.session] = true
		}
	}
	for _, c := range h.script.conditions {
		if c.commits != "" {
			if refused[c.commits] {
				return false
			}
			continue
		}
		answer := h.final
		if c.label != "final" {
			i := slices.IndexFunc(h.script.steps, func(s step) bool { return s.label == c.label })
			k := slices.IndexFunc(h.events, func(e *event) bool { return e.step == i })
			if k < 0 || refused[h.script.steps[i].session] {
				return false
			}
			answer = h.events[k].answer
		}
		if (answer == c.rows) != c.equal {
			return false
		}
	}
	return true
}
