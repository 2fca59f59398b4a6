package planner

import (
	"container/list"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"

	"holdfast/kv"
	"holdfast/planner/bind"
	"holdfast/planner/exec"
	"holdfast/planner/optimize"
	"holdfast/sql/algebra"
	"holdfast/sql/ast"
	"holdfast/sql/catalog"
	"holdfast/sql/types"
)

// plan is a planned query, for one state of the schema and one search path. It is immutable and shared by
// sessions; what an execution needs is in exec.Run.
type plan struct {
	query   *algebra.Query
	exec    *exec.Plan
	columns []ResultColumn
	verb    string // of the command tag
	writes  bool   // changes rows: the tag counts those
	locks   bool   // takes row locks
	reads   bool   // only reads: no writes, no locks, no volatile functions
	version uint64
	path    []string
	// storages are the tables and indexes it has to do with.
	storages []catalog.StorageID
	// literal: another plan may be better that knows the literals of the text, such as one by a partial index.
	literal bool
}

// valid reports whether the plan still stands for a schema and search path.
func (p *plan) valid(snapshot *catalog.Snapshot, path []string) bool {
	return p.version == snapshot.Version && slices.Equal(p.path, path)
}

// tag is the command tag for n rows.
func (p *plan) tag(n int64) string { return p.verb + strconv.FormatInt(n, 10) }

// plan makes the plan of a prepared query, or finds it in the cache.
func (e *Engine) plan(ctx context.Context, s *Session, p *prepared, snapshot *catalog.Snapshot) (*plan, error) {
	key := s.planKey(p, snapshot.Version)
	cacheable := !p.sql
	if cacheable {
		if pl := e.plans.get(key); pl != nil {
			return pl, nil
		}
	}
	stmt := p.stmt
	if x, ok := stmt.(*ast.Explain); ok {
		stmt = x.Stmt
	}
	o := s.bindOptions(ctx, snapshot, p.text)
	o.ParamTypes, o.Lifted, o.FixedParams = p.declared, p.liftedAt, p.simple
	q, err := bind.Bind(ctx, o, stmt)
	if err != nil {
		return nil, err
	}
	pl, err := e.optimize(ctx, s, q, snapshot)
	if err != nil {
		return nil, err
	}
	pl.verb = map[bool]string{true: "SELECT "}[true]
	switch stmt.(type) {
	case *ast.Insert:
		pl.verb = "INSERT 0 "
	case *ast.Update:
		pl.verb = "UPDATE "
	case *ast.Delete:
		pl.verb = "DELETE "
	}
	_, selects := stmt.(*ast.Select)
	pl.writes = !selects
	if cacheable {
		e.plans.put(key, pl)
	}
	return pl, nil
}

// planKey is where the plan of a prepared query is in the cache.
func (s *Session) planKey(p *prepared, version uint64) planKey {
	key := planKey{template: p.template, text: p.text, version: version, path: strings.Join(s.settings.path, ","), params: typesKey(p.declared)}
	if p.template != nil {
		key.text = ""
	}
	return key
}

// knownToRead reports, before the transaction has begun, that a statement has a plan for the present schema which
// only reads.
func (s *Session) knownToRead(p *prepared) bool {
	current := s.engine.catalog.Current()
	if current == nil {
		return false
	}
	if p.plan == nil && !p.sql {
		p.plan = s.engine.plans.get(s.planKey(p, current.Version))
		if p.plan != nil && p.columns == nil {
			p.columns = p.plan.columns
		}
	}
	return p.plan != nil && p.plan.reads && p.plan.valid(current, s.settings.path)
}

// optimize plans a bound query.
func (e *Engine) optimize(ctx context.Context, s *Session, q *algebra.Query, snapshot *catalog.Snapshot) (*plan, error) {
	x, err := optimize.Plan(ctx, q, optimize.Options{Snapshot: snapshot, Catalog: e.catalog, Ctx: s.functionContext(ctx), WorkMem: s.settings.workMem})
	if err != nil {
		return nil, err
	}
	pl := &plan{query: q, exec: x, version: snapshot.Version, path: slices.Clone(s.settings.path), locks: locksRows(q)}
	for _, t := range q.Tables {
		if t.Storage != 0 {
			pl.storages = append(pl.storages, t.Storage)
		}
		for _, x := range t.Indexes {
			pl.storages = append(pl.storages, x.Storage)
			pl.literal = pl.literal || x.Predicate != ""
		}
	}
	pl.reads = !q.Writes && !q.Volatile && !pl.locks
	if q.Output != nil {
		pl.columns = make([]ResultColumn, len(q.Output))
		for i, c := range q.Output {
			d := q.Column(c.ID)
			pl.columns[i] = ResultColumn{Name: c.Name, Type: d.Typ, Mod: d.M, Table: c.Table, Number: c.Number}
			if d.Typ == types.Unknown {
				pl.columns[i].Type = types.Text
			}
		}
	}
	return pl, nil
}

// start begins an execution of a query in the session's transaction.
func (s *Session) start(ctx context.Context, p *prepared, params []types.Datum, out Output) (*plan, *exec.Run, error) {
	if s.tx.kv == nil || s.tx.blind { // else it has a footprint, if it needs one
		if err := s.open(ctx, s.knownToRead(p)); err != nil {
			return nil, nil, err
		}
	}
	pl, err := s.planned(ctx, p)
	if err != nil {
		return nil, nil, err
	}
	if pl.literal && len(p.lifted) > 0 {
		if err := s.keepLiterals(p); err != nil {
			return nil, nil, err
		}
		if pl, err = s.planned(ctx, p); err != nil {
			return nil, nil, err
		}
	}
	if s.tx.blind && !pl.reads {
		return nil, nil, &rerun{cause: errBlind}
	}
	if pl.locks {
		out.Hold() // it may begin again on a newer state
	}
	if pl.query.Writes {
		if err := s.writing(strings.TrimRight(pl.verb, " 0"), out); err != nil {
			return nil, nil, err
		}
	}
	s.noteQuery(p.text, pl.storages, pl.query.Writes || pl.locks)
	s.tx.snapshot.Observe(s.tx.kv, pl.query.Tables...)
	if len(p.lifted) > 0 {
		lifted, err := s.liftedValues(p, pl)
		if err != nil {
			return nil, nil, err
		}
		params = append(params[:len(params):len(params)], lifted...)
	}
	run, err := pl.exec.Start(s.execContext(ctx, params))
	if err != nil {
		return nil, nil, err
	}
	return pl, run, nil
}

// locksRows reports whether a query has a FOR UPDATE or the like.
func locksRows(q *algebra.Query) bool {
	found := false
	v := &algebra.Visitor{Rel: func(r algebra.Rel) bool {
		if _, ok := r.(*algebra.LockRows); ok {
			found = true
		}
		return !found
	}}
	v.VisitRel(q.Root)
	for _, c := range q.CTEs {
		v.VisitRel(c.Rel)
	}
	return found
}

// writing is called before a statement that may write.
func (s *Session) writing(what string, out Output) error {
	if s.tx.readOnly {
		return readOnlyError(what)
	}
	s.noteWriting(what)
	out.Hold() // what has not been sent need not be answered in the same way if the transaction is run again
	return nil
}

// execContext is the context of an execution in the session's transaction.
func (s *Session) execContext(ctx context.Context, params []types.Datum) *exec.Ctx {
	return &exec.Ctx{
		Ctx: *s.functionContext(ctx), Reader: s.tx.kv.View(), Txn: s.tx.kv, Params: params, Catalog: s.tx.snapshot,
		WorkMem: s.settings.workMem, TempDir: s.engine.config.TempDir, LockTimeout: s.settings.timeouts.lock, DeadlockTimeout: s.settings.timeouts.deadlock, Notice: s.notice,
		Savepoint: len(s.tx.savepoints) > 0, Repeated: s.repeating,
		Waited: &s.waited, WaitedBefore: s.waited,
		Deferred: &s.tx.deferred, Requirements: &s.tx.requirements, Repeats: &s.tx.repeats, RowNumbers: s.engine.catalog.RowNumbers, Changed: s.rowsChanged, Counts: s.tableCounts,
	}
}

func isStale(err error) bool    { return errors.Is(err, kv.ErrStale) }
func isConflict(err error) bool { return errors.Is(err, kv.ErrConflict) }
func itoa(n int) string         { return strconv.Itoa(n) }

// planCache keeps plans of statements that are not prepared by name, the least recently used go first.
type planCache struct {
	mu      sync.Mutex
	limit   int
	entries map[planKey]*list.Element
	order   *list.List
}

type planKey struct {
	template any
	text     string
	version  uint64
	path     string
	params   string
}

type planEntry struct {
	key  planKey
	plan *plan
}

func newPlanCache(limit int) *planCache {
	return &planCache{limit: limit, entries: map[planKey]*list.Element{}, order: list.New()}
}

func (c *planCache) get(k planKey) *plan {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.entries[k]; e != nil {
		c.order.MoveToFront(e)
		return e.Value.(*planEntry).plan
	}
	return nil
}

func (c *planCache) put(k planKey, p *plan) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.entries[k]; e != nil {
		e.Value.(*planEntry).plan = p
		return
	}
	c.entries[k] = c.order.PushFront(&planEntry{k, p})
	if c.order.Len() > c.limit {
		last := c.order.Back()
		delete(c.entries, last.Value.(*planEntry).key)
		c.order.Remove(last)
	}
}

// typesKey is a text that tells lists of types apart.
func typesKey(ts []*types.Type) string {
	var b strings.Builder
	for _, t := range ts {
		if t != nil {
			b.WriteString(strconv.Itoa(int(t.OID)))
		}
		b.WriteByte(',')
	}
	return b.String()
}
