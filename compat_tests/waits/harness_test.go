// Package waits tests what clients see of each other: waiting for locks, how a wait ends, and the views that show it.
// Everything happens on real connections of a whole server.
package waits

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"holdfast/compat_tests/testserver"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// patience is after how long something that has to come is taken to be missing.
const patience = 30 * time.Second

// session is one connection.
type session struct {
	t    testing.TB
	conn *pgx.Conn
	pid  uint32
	// notices are what the server has said on the side.
	notices []*pgconn.Notice
}

func connect(t testing.TB, s *testserver.Server) *session {
	t.Helper()
	c, err := tryConnect(t, s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// tryConnect is connect for other goroutines than the test's.
func tryConnect(t testing.TB, s *testserver.Server) (*session, error) {
	c, err := pgx.ParseConfig(s.DSN)
	if err != nil {
		return nil, err
	}
	out := &session{t: t}
	c.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	c.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { out.notices = append(out.notices, n) }
	conn, err := pgx.ConnectConfig(context.Background(), c)
	if err != nil {
		return nil, err
	}
	out.conn, out.pid = conn, conn.PgConn().PID()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = conn.Close(ctx)
	})
	return out, nil
}

func (s *session) try(sql string, args ...any) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err := s.conn.Exec(ctx, sql, args...)
	return err
}

func (s *session) exec(sql string, args ...any) {
	s.t.Helper()
	if err := s.try(sql, args...); err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
}

// affects is how many rows a statement changes or returns.
func (s *session) affects(sql string) (int64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tag, err := s.conn.Exec(ctx, sql)
	return tag.RowsAffected(), err
}

// rows are the values of a query, as text by row.
func (s *session) rows(sql string) []string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	results, err := s.conn.PgConn().Exec(ctx, sql).ReadAll()
	if err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
	var out []string
	for _, r := range results {
		for _, row := range r.Rows {
			text := ""
			for i, v := range row {
				if i > 0 {
					text += "|"
				}
				if v == nil {
					text += "NULL"
				}
				text += string(v)
			}
			out = append(out, text)
		}
	}
	return out
}

// one is the only value of a query.
func (s *session) one(sql string) string {
	s.t.Helper()
	rows := s.rows(sql)
	if len(rows) != 1 {
		s.t.Fatalf("%s: %d rows", sql, len(rows))
	}
	return rows[0]
}

// until waits until a query answers with a value.
func (s *session) until(want, sql string) {
	s.t.Helper()
	got := ""
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if got = fmt.Sprint(s.rows(sql)); got == "["+want+"]" {
			return
		}
	}
	s.t.Fatalf("%s: %s, not %s in time", sql, got, want)
}

// begin starts a statement, and returns when another session sees its wait for a lock.
func (s *session) begin(watcher *session, sql string) <-chan error {
	s.t.Helper()
	done := s.start(sql)
	watcher.until("Lock", fmt.Sprintf("SELECT wait_event_type FROM pg_stat_activity WHERE pid = %d", s.pid))
	return done
}

func (s *session) start(sql string) <-chan error {
	done := make(chan error, 1)
	go func() { done <- s.try(sql) }()
	return done
}

// ends is the outcome of a statement that was begun.
func ends(t testing.TB, done <-chan error) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		t.Fatal("a statement does not end")
		return nil
	}
}

func succeeds(t testing.TB, done <-chan error) {
	t.Helper()
	if err := ends(t, done); err != nil {
		t.Fatal(err)
	}
}

// fails is the server's error, which must have the code.
func fails(t testing.TB, err error, code string) *pgconn.PgError {
	t.Helper()
	var e *pgconn.PgError
	if !errors.As(err, &e) || e.Code != code {
		t.Fatalf("%v, not %s", err, code)
	}
	return e
}
