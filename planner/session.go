package planner

import (
	"context"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"holdfast/kv"
	"holdfast/sql/ast"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// SessionOptions are what a client says when it connects.
type SessionOptions struct {
	User, Database string
	Settings       map[string]string // by any spelling of their names
	Remote         string            // the client's address
}

// Session is one client's state: its settings, prepared statements, portals and transaction. One goroutine
// uses it; Cancel and Terminate may be called by others.
type Session struct {
	engine   *Engine
	pid      uint32
	secret   uint32
	options  SessionOptions
	started  time.Time
	settings *settings

	statements    map[string]*prepared
	portals       map[string]*portal
	tx            *transaction
	replaying     bool              // the transaction is being run again
	repeating     bool              // and its present statement had come to its end before
	replayed      string            // because of this statement
	before        *outliving        // of its first statement that is run again
	reconsidered  int               // violations of constraints for which the present statement has started over
	told          int64             // rows changed, if that is all that the present statement has answered; else -1
	noticed       bool              // it has sent a notice
	copyData      **copyKeeper      // where the data of the COPY FROM being run is kept
	namesOf       *catalog.Snapshot // whose objects settings.env finds by name
	statementTime int64
	out           Output // of the running message, for notices

	pcg      rand.PCG // the state of random()
	lastSeq  catalog.OID
	sequence map[catalog.OID]int64 // currval

	mu         sync.Mutex // guards what follows
	cancel     context.CancelCauseFunc
	terminated *errs.Error
	wake       func()   // see OnTerminate
	activity   activity // written by the session's goroutine alone, as live and the tables of counts
	live       live
	counts     counters
	progress   *progress // of an assertion that is being evaluated in full, nil without one

	holder       string            // what the session waits for, as LockWaits has found it
	waited       int               // how often it has waited for a lock
	committing   *commitNote       // for the commit that is under way
	lastConflict *kv.ConflictError // that its transaction last met
}

// activity is what pg_stat_activity shows.
type activity struct {
	state      string // "active", "idle", "idle in transaction", "idle in transaction (aborted)"
	query      string
	statement  string // the statement that runs, literals lifted out; "" if it is not known apart from query
	since      int64  // state_change
	queryStart int64

	application string
	transaction int64 // xact_start, 0 outside of one

	// Of the kv transaction, when somebody asks.
	owner  uint64
	serial uint32
	wrote  bool
}

// NewSession starts a session. Its errors are what the client is told instead.
func (e *Engine) NewSession(o SessionOptions) (*Session, error) {
	if o.User != roleName {
		return nil, errs.New(errs.InvalidAuthorization, `role "%s" does not exist`, o.User).
			WithHint(`The only role is "%s": connect with -U %s.`, roleName, roleName)
	}
	if o.Database != databaseName {
		return nil, errs.New(errs.InvalidCatalogName, `database "%s" does not exist`, o.Database).
			WithHint(`The only database is "%s": connect with -d %s.`, databaseName, databaseName)
	}
	s := &Session{
		engine: e, options: o, started: time.Now(),
		settings:   newSettings(map[string]string{}),
		statements: map[string]*prepared{}, portals: map[string]*portal{},
		pcg:      *rand.NewPCG(rand.Uint64(), rand.Uint64()),
		sequence: map[catalog.OID]int64{},
	}
	for name, value := range e.config.Settings {
		s.settings.defaults[strings.ToLower(name)] = value
	}
	for name, value := range o.Settings {
		key := strings.ToLower(name)
		d := settingsByName[key]
		switch {
		case d == nil && !strings.Contains(key, "."):
			return nil, unknownSetting(name)
		case d == nil:
		case d.readOnly:
			return nil, errs.New(errs.CantChangeRuntimeParam, `parameter "%s" cannot be changed`, d.name)
		default:
			v, err := d.normalize(value)
			if err != nil {
				return nil, err
			}
			value = v
		}
		s.settings.defaults[key] = value
	}
	s.settings.derive()
	s.settings.env.Names = sessionNames{s}
	s.setActivity("idle", "", microseconds(s.started)) // nobody else knows the session yet
	e.register(s)
	return s, nil
}

// Key is the process ID and secret with which this session's statements can be canceled.
func (s *Session) Key() (pid, secret uint32) { return s.pid, s.secret }

// Env is how values are printed now.
func (s *Session) Env() *types.Env { return &s.settings.env }

// Close ends the session: its transaction is rolled back.
func (s *Session) Close() {
	defer s.engine.unregister(s)
	s.abandon()
	for name := range s.portals {
		s.closePortal(name)
	}
}

// Busy reports whether a transaction is open.
func (s *Session) Busy() bool { return s.tx != nil }

// TransactionStatus is the status of ReadyForQuery: 'I' idle, 'T' in a transaction, 'E' in a failed one.
func (s *Session) TransactionStatus() byte {
	switch {
	case s.tx == nil || !s.tx.explicit:
		return 'I'
	case s.tx.failed:
		return 'E'
	}
	return 'T'
}

// IdleTimeout is how long the session may wait for the client now, 0 without limit, and the error after it.
func (s *Session) IdleTimeout() (time.Duration, error) {
	if s.tx != nil {
		return s.settings.timeouts.idleInTransaction, idleInTransactionTimeout
	}
	return s.settings.timeouts.idle, idleTimeout
}

var (
	idleInTransactionTimeout = fatalError(errs.IdleInTransactionTimeout, "terminating connection due to idle-in-transaction timeout")
	idleTimeout              = fatalError("57P05", "terminating connection due to idle-session timeout")
)

func fatalError(code errs.Code, message string) error {
	return &errs.Error{Severity: "FATAL", Code: code, Message: message}
}

// ReportSettings sends the reported settings that have changed since the client was last told.
func (s *Session) ReportSettings(out Output) error {
	for _, c := range s.settings.changedReports() {
		if err := out.ParameterStatus(c[0], c[1]); err != nil {
			return err
		}
	}
	return nil
}

// interrupt cancels the running statement, if one is running.
func (s *Session) interrupt(cause *errs.Error) {
	s.mu.Lock()
	cancel := s.cancel
	s.mu.Unlock()
	if cancel != nil {
		cancel(cause)
	}
}

// Terminate ends the running statement, and every later one, with an error.
func (s *Session) Terminate(cause *errs.Error) {
	s.mu.Lock()
	s.terminated = cause
	wake := s.wake
	s.mu.Unlock()
	s.interrupt(cause)
	if wake != nil {
		wake()
	}
}

// Terminated is why the session has been told to end, nil if it has not.
func (s *Session) Terminated() *errs.Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.terminated
}

// OnTerminate has a function called after each Terminate, by its goroutine: to end the session if it is idle.
func (s *Session) OnTerminate(wake func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wake = wake
}

// running makes the context of a statement: it ends by Cancel, Terminate and statement_timeout. The caller
// calls done at the statement's end.
func (s *Session) running(ctx context.Context, query string) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := func() { cancel(nil) }
	if d := s.settings.timeouts.statement; d > 0 {
		timer := time.AfterFunc(d, func() { cancel(statementTimeout) })
		stop = func() { timer.Stop(); cancel(nil) }
	}
	s.statementTime = microseconds(time.Now())
	s.mu.Lock()
	s.cancel = cancel
	if s.terminated != nil {
		cancel(s.terminated)
	}
	s.setActivity("active", query, s.statementTime)
	s.mu.Unlock()
	return ctx, func() {
		state := "idle"
		switch s.TransactionStatus() {
		case 'T':
			state = "idle in transaction"
		case 'E':
			state = "idle in transaction (aborted)"
		}
		now := microseconds(time.Now())
		s.mu.Lock()
		s.cancel = nil
		s.setActivity(state, query, now)
		s.mu.Unlock()
		stop()
	}
}

var statementTimeout = errs.New(errs.QueryCanceled, "canceling statement due to statement timeout")

// canceled is the error for a context that has ended.
func canceled(ctx context.Context) error {
	if e, ok := context.Cause(ctx).(*errs.Error); ok {
		return e
	}
	return errs.New(errs.QueryCanceled, "canceling statement due to user request")
}

// setActivity notes what the session does from now on. mu is held.
func (s *Session) setActivity(state, query string, now int64) {
	s.activity = activity{state: state, query: query, since: now, queryStart: s.statementTime, application: s.settings.application}
	if s.tx != nil {
		s.activity.transaction = s.tx.time
	} else if state == "active" {
		s.activity.transaction = s.statementTime // as its transaction's, which is about to begin
	}
}

// currentActivity is what the session does; any goroutine may ask.
func (s *Session) currentActivity() activity {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.activity
	a.owner, a.serial, a.wrote = s.live.owner, s.live.serial, s.live.wrote
	if a.owner != 0 {
		a.transaction = s.live.start
	}
	return a
}

// notice sends a notice to the client if its level is one it wants.
func (s *Session) notice(n *errs.Error) {
	s.noticed = true
	if s.out == nil {
		return
	}
	level, _ := s.settings.get("client_min_messages")
	if noticeRank(n.Severity) >= noticeRank(level) {
		_ = s.out.Notice(n)
	}
}

var noticeLevels = []string{"debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error"}

func noticeRank(severity string) int {
	severity = strings.ToLower(severity)
	if severity == "" {
		severity = "notice"
	}
	if severity == "info" {
		return len(noticeLevels)
	}
	for i, l := range noticeLevels {
		if l == severity {
			return i
		}
	}
	return len(noticeLevels)
}

func (s *Session) settingBool(name string) bool {
	v, _ := s.settings.get(name)
	return v == "on"
}

// functionSession is a Session as functions see it.
type functionSession struct{ *Session }

var _ funcs.Session = functionSession{}

func (s functionSession) TransactionTime() int64 {
	if s.tx != nil {
		return s.tx.time
	}
	return s.statementTime
}
func (s functionSession) StatementTime() int64 { return s.statementTime }
func (s functionSession) CurrentUser() string  { return s.options.User }
func (s functionSession) SessionUser() string  { return s.options.User }
func (s functionSession) Database() string     { return s.options.Database }
func (s functionSession) SearchPath() []string { return s.settings.path }
func (s functionSession) BackendPID() int32    { return int32(s.pid) }
func (s functionSession) Setting(name string) (string, bool) {
	return s.settingValue(name)
}
func (s functionSession) SetSetting(name, value string, local bool) error {
	return s.changeSetting(name, &value, local)
}
func (s functionSession) Catalog() any {
	if s.tx == nil || s.tx.snapshot == nil {
		return nil
	}
	return s.tx.snapshot
}
func (s functionSession) Float() float64 { return rand.New(&s.pcg).Float64() }
func (s functionSession) Seed(x float64) {
	s.pcg.Seed(uint64(int64(x*(1<<52))), 0x9e3779b97f4a7c15)
}

func (s functionSession) Draw(make func() ([2]uint64, error)) ([2]uint64, error) {
	if s.tx == nil {
		return make()
	}
	return s.tx.draws.take(drawUUID, make)
}
func (s functionSession) Repeating() bool { return s.repeating }

func (s functionSession) NextVal(seq types.OID) (int64, error) {
	t, err := s.sequenceTable(seq)
	if err != nil {
		return 0, err
	}
	if s.tx.readOnly {
		return 0, errs.New(errs.ReadOnlySQLTransaction, "cannot execute nextval() in a read-only transaction")
	}
	drawn, err := s.tx.draws.take(drawSource{sequence: seq}, func() ([2]uint64, error) {
		v, err := s.engine.sequences.NextVal(context.Background(), t)
		return [2]uint64{uint64(v)}, err
	})
	v := int64(drawn[0])
	if err == nil {
		s.keepSequences()
		s.sequence[seq], s.Session.lastSeq = v, seq
	}
	return v, err
}

// keepSequences is called before currval() or lastval() change, which are as before if the transaction is run again.
func (s *Session) keepSequences() {
	if t := s.tx; t != nil && !t.sequencesKept {
		values, last := maps.Clone(s.sequence), s.lastSeq
		t.sequencesKept = true
		t.undoSession = append(t.undoSession, func() { s.sequence, s.lastSeq = values, last })
	}
}

func (s functionSession) CurrVal(seq types.OID) (int64, error) {
	t, err := s.sequenceTable(seq)
	if err != nil {
		return 0, err
	}
	v, ok := s.sequence[seq]
	if !ok {
		return 0, errs.New(errs.ObjectNotInPrerequisiteState, `currval of sequence "%s" is not yet defined in this session`, t.Name)
	}
	return v, nil
}

func (s functionSession) LastVal() (int64, error) {
	v, ok := s.sequence[s.lastSeq]
	if !ok {
		return 0, errs.New(errs.ObjectNotInPrerequisiteState, "lastval is not yet defined in this session")
	}
	return v, nil
}

func (s functionSession) SetVal(seq types.OID, value int64, called bool) error {
	t, err := s.sequenceTable(seq)
	if err != nil {
		return err
	}
	if s.tx.readOnly {
		return errs.New(errs.ReadOnlySQLTransaction, "cannot execute setval() in a read-only transaction")
	}
	_, err = s.tx.draws.take(drawSource{seq, true, value, called}, func() ([2]uint64, error) {
		return [2]uint64{}, s.engine.sequences.SetVal(context.Background(), t, value, called)
	})
	if err != nil {
		return err
	}
	if called {
		s.keepSequences()
		s.sequence[seq] = value
	}
	return nil
}

func (s functionSession) sequenceTable(seq types.OID) (*catalog.Table, error) {
	if s.tx == nil || s.tx.snapshot == nil {
		return nil, errs.New(errs.UndefinedTable, "no sequences outside of a transaction")
	}
	t := s.tx.snapshot.RelationByOID(seq)
	if t == nil {
		return nil, errs.New(errs.UndefinedTable, "could not open relation with OID %d", seq)
	}
	if t.Kind != catalog.KindSequence {
		return nil, errs.New(errs.WrongObjectType, `"%s" is not a sequence`, t.Name)
	}
	return t, nil
}

// functionContext is what functions run in.
func (s *Session) functionContext(ctx context.Context) *funcs.Ctx {
	s.settings.env.Now = functionSession{s}.TransactionTime()
	if s.tx != nil && s.tx.snapshot != nil && (s.namesOf != s.tx.snapshot || s.settings.env.Names == nil) {
		s.namesOf = s.tx.snapshot
		s.settings.env.Names = s.namesOf.Directory(s.settings.path, databaseName)
	}
	return &funcs.Ctx{Context: ctx, Env: &s.settings.env, Session: functionSession{s}}
}

// sessionNames finds objects for the oid alias types in the schema as the session's transaction sees it.
type sessionNames struct{ s *Session }

var _ types.Directory = sessionNames{}

func (n sessionNames) directory() (d types.Directory, done func(), err error) {
	s, done := n.s, func() {}
	if s.tx == nil {
		// The value of a parameter, read before the statement's transaction begins.
		s.begin()
		done = s.drop
	}
	if err := s.open(context.Background(), s.tx.kv == nil && !s.tx.explicit || s.tx.blind); err != nil {
		done()
		return nil, nil, err
	}
	return s.tx.snapshot.Directory(s.settings.path, s.options.Database), done, nil
}

func (n sessionNames) LookupReg(t *types.Type, name string) (types.OID, error) {
	d, done, err := n.directory()
	if err != nil {
		return 0, err
	}
	defer done()
	return d.LookupReg(t, name)
}

func (n sessionNames) RegName(t *types.Type, oid types.OID) (string, bool) {
	d, done, err := n.directory()
	if err != nil {
		return "", false
	}
	defer done()
	return d.RegName(t, oid)
}

// isQuery reports whether a statement is planned and run by the executor.
func isQuery(stmt ast.Stmt) bool {
	switch stmt.(type) {
	case *ast.Select, *ast.Insert, *ast.Update, *ast.Delete:
		return true
	}
	return false
}
