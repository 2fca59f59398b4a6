// Package stories plays short dramas of concurrent clients against a server over the wire: who did what, in
// which order, what each was told, and what had to hold in the end. The tests run them at every isolation
// level; the demo runs them in front of the reader.
package stories

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Story is one drama.
type Story struct {
	Name  string
	Title string
	// About says what is at stake, for the reader of the demo.
	About string
	// Play runs it in a schema of its own and returns an error if what had to hold did not.
	Play func(s *Stage) error
}

// All are the stories, in the order of the demo.
var All = []Story{raise, sumRule, seats, budget, onCall, transfers}

// Isolations are the level names a client may ask for. All of them run serializable.
var Isolations = []string{"READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"}

// Stage is where a story plays: a server, an isolation level, and an audience.
type Stage struct {
	Ctx       context.Context
	DSN       string
	Isolation string
	// Scale makes stories with much data smaller: 1 is the full size.
	Scale float64
	// Audience hears what happens; nil: nobody listens.
	Audience io.Writer

	mu     sync.Mutex
	actors []*Actor
	admin  *Actor
}

// Tell says something to the audience.
func (s *Stage) Tell(format string, args ...any) {
	if s.Audience == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.Audience, "  "+format+"\n", args...)
}

// Perform plays a story from an empty schema, and clears the stage.
func (s *Stage) Perform(story Story) (err error) {
	if s.Isolation == "" {
		s.Isolation = "SERIALIZABLE"
	}
	if s.Scale == 0 {
		s.Scale = 1
	}
	schema := "story_" + story.Name
	if s.admin, err = s.Connect("the stage"); err != nil {
		return err
	}
	defer func() {
		s.admin.must("DROP SCHEMA IF EXISTS " + schema + " CASCADE")
		for _, a := range s.actors {
			_ = a.conn.Close(context.Background())
		}
		s.actors = nil
	}()
	for _, q := range []string{"SET client_min_messages = warning", "DROP SCHEMA IF EXISTS " + schema + " CASCADE", "CREATE SCHEMA " + schema} {
		if r := s.admin.Do(q); r.Err != nil {
			return fmt.Errorf("%s: %w", q, r.Err)
		}
	}
	s.admin.must("SET search_path = " + schema)
	if err := story.Play(s); err != nil {
		return fmt.Errorf("%s at %s: %w", story.Name, s.Isolation, err)
	}
	return nil
}

// Connect brings in a client.
func (s *Stage) Connect(name string) (*Actor, error) {
	conn, err := pgx.Connect(s.Ctx, s.DSN)
	if err != nil {
		return nil, err
	}
	a := &Actor{Name: name, stage: s, conn: conn}
	s.mu.Lock()
	s.actors = append(s.actors, a)
	s.mu.Unlock()
	if s.admin != nil {
		var path string
		if err := s.admin.conn.QueryRow(s.Ctx, "SHOW search_path").Scan(&path); err != nil {
			return nil, err
		}
		if _, err := conn.Exec(s.Ctx, "SET search_path = "+path); err != nil {
			return nil, err
		}
		if _, err := conn.Exec(s.Ctx, "SET default_transaction_isolation = '"+strings.ToLower(s.Isolation)+"'"); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// Setup runs statements that prepare the stage, and tells them.
func (s *Stage) Setup(statements ...string) error {
	for _, q := range statements {
		s.Tell("%s;", q)
		if r := s.admin.Do(q); r.Err != nil {
			return fmt.Errorf("%s: %w", q, r.Err)
		}
	}
	return nil
}

// Value reads one value as text.
func (s *Stage) Value(query string, args ...any) (string, error) {
	var v *string
	err := s.admin.conn.QueryRow(s.Ctx, query, args...).Scan(&v)
	if err != nil {
		return "", fmt.Errorf("%s: %w", query, err)
	}
	if v == nil {
		return "NULL", nil
	}
	return *v, nil
}

// Actor is one client.
type Actor struct {
	Name  string
	stage *Stage
	conn  *pgx.Conn
}

// Result is what a statement was answered.
type Result struct {
	Rows int64 // changed or returned
	Tag  string
	Err  error
}

// Code is the SQLSTATE of the error, "" if there is none.
func (r Result) Code() string {
	var e *pgconn.PgError
	if errors.As(r.Err, &e) {
		return e.Code
	}
	if r.Err != nil {
		return "?"
	}
	return ""
}

func (r Result) String() string {
	var e *pgconn.PgError
	switch {
	case errors.As(r.Err, &e):
		text := fmt.Sprintf("%s: %s", e.Code, e.Message)
		if e.Detail != "" {
			text += " -- " + e.Detail
		}
		return text
	case r.Err != nil:
		return r.Err.Error()
	}
	return r.Tag
}

// Do runs a statement without telling.
func (a *Actor) Do(sql string, args ...any) Result {
	tag, err := a.conn.Exec(a.stage.Ctx, sql, args...)
	return Result{Rows: tag.RowsAffected(), Tag: tag.String(), Err: err}
}

func (a *Actor) must(sql string) { _ = a.Do(sql) }

// Say runs a statement and tells it with its answer.
func (a *Actor) Say(sql string, args ...any) Result {
	r := a.Do(sql, args...)
	a.stage.Tell("%-6s %s  ->  %s", a.Name+":", sql, r)
	return r
}

// Begin opens a transaction at the stage's isolation level.
func (a *Actor) Begin() Result { return a.Say("BEGIN ISOLATION LEVEL " + a.stage.Isolation) }

// Start runs a statement that may have to wait for others.
func (a *Actor) Start(sql string) <-chan Result {
	done := make(chan Result, 1)
	go func() { done <- a.Do(sql) }()
	return done
}

// Await waits for a started statement, for a while, and tells its answer. It reports false if it is still waiting.
func (a *Actor) Await(sql string, done <-chan Result, limit time.Duration) (Result, bool) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case r := <-done:
		a.stage.Tell("%-6s %s  ->  %s", a.Name+":", sql, r)
		return r, true
	case <-timer.C:
		a.stage.Tell("%-6s %s  ->  waits", a.Name+":", sql)
		return Result{}, false
	}
}
