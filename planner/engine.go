// Package planner turns statements into results: sessions and their transactions, planning, and the
// statements that are not queries.
//
//	text --sql/parse--> ast --bind--> algebra --optimize--> exec.Plan --exec--> batches
//
// A Session is what a connection holds. Its transactions are those of kv; what makes them the client's is in
// transaction.go: implicit transactions that are run again after a conflict, explicit ones, savepoints.
package planner

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/kv"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/parse"
)

// The only database and role there are, until there can be others.
const (
	databaseName = "postgres"
	roleName     = "postgres"
)

// Config are the properties of an Engine.
type Config struct {
	// Settings are the server's defaults of run-time parameters, such as port.
	Settings map[string]string
	// TempDir is where sorts and hashes spill to; "": the system's.
	TempDir string
	// Logger; nil: slog.Default.
	Logger *slog.Logger
	// PlanCacheEntries bounds the plans kept for statements that are not prepared. Default 4096.
	PlanCacheEntries int
	// Faults switches on defects, for tests of the tests.
	Faults Faults
}

// Faults are defects of an engine, by which tests show that they would notice them. The zero value has none.
type Faults struct {
	SkipDigestCompare bool // a transaction run again is committed whatever it answers
	SkipRechecks      bool // checks are not made again when what they have read has changed
}

// Engine is an open database: what all sessions share.
type Engine struct {
	config    Config
	store     kv.Store
	catalog   *catalog.Catalog
	sequences *catalog.Sequences
	parses    *parse.Cache
	plans     *planCache
	log       *slog.Logger
	started   time.Time

	reruns       atomic.Int64  // times a transaction was run again
	begun        atomic.Int64  // sessions
	transactions atomic.Uint32 // the latest number given out: see live
	conflicts    *recorder
	commits      commitLog

	mu       sync.Mutex
	sessions map[uint32]*Session
	nextPID  uint32
	ended    counters  // of sessions that are no more
	counted  time.Time // since when the counters of sessions count
}

// Open makes an engine over a store, which it does not close. It creates the schema on an empty store.
func Open(ctx context.Context, store kv.Store, config Config) (*Engine, error) {
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	if config.PlanCacheEntries == 0 {
		config.PlanCacheEntries = 4096
	}
	c, err := catalog.Open(ctx, store)
	if err != nil {
		return nil, err
	}
	e := &Engine{
		config: config, store: store, catalog: c, sequences: c.Sequences(), parses: parse.NewCache(32 << 20),
		plans: newPlanCache(config.PlanCacheEntries), log: config.Logger, started: time.Now(),
		sessions: map[uint32]*Session{}, conflicts: newRecorder(),
	}
	e.counted = e.started
	if err := e.dropHalfMade(ctx); err != nil {
		return nil, err
	}
	return e, nil
}

// Close writes down what is kept in memory only. All sessions must have ended.
func (e *Engine) Close(ctx context.Context) error { return e.catalog.Close(ctx) }

// Reruns is how often a transaction was run again because of a conflict.
func (e *Engine) Reruns() int64 { return e.reruns.Load() }

func (e *Engine) register(s *Session) {
	var b [4]byte
	_, _ = rand.Read(b[:])
	e.mu.Lock()
	defer e.mu.Unlock()
	for {
		e.nextPID++
		if e.nextPID == 0 || e.nextPID > 1<<30 {
			e.nextPID = 1
		}
		if _, taken := e.sessions[e.nextPID]; !taken {
			break
		}
	}
	s.pid, s.secret = e.nextPID, binary.BigEndian.Uint32(b[:])
	e.sessions[s.pid] = s
	e.begun.Add(1)
}

func (e *Engine) unregister(s *Session) {
	e.mu.Lock()
	if e.sessions[s.pid] == s {
		e.ended.add(&s.counts)
	}
	delete(e.sessions, s.pid)
	e.mu.Unlock()
}

// Cancel cancels the running statement of the session with that key. A wrong key does nothing.
func (e *Engine) Cancel(pid, secret uint32) {
	e.mu.Lock()
	s := e.sessions[pid]
	e.mu.Unlock()
	if s != nil && s.secret == secret {
		s.interrupt(errs.New(errs.QueryCanceled, "canceling statement due to user request"))
	}
}

// each calls f for every session.
func (e *Engine) each(f func(*Session)) {
	e.mu.Lock()
	list := make([]*Session, 0, len(e.sessions))
	for _, s := range e.sessions {
		list = append(list, s)
	}
	e.mu.Unlock()
	for _, s := range list {
		f(s)
	}
}
