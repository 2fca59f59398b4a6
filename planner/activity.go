package planner

import (
	"net"
	"slices"
	"strconv"
	"time"

	"holdfast/kv"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// live is what others may know of the kv transaction a session is in: pg_stat_activity, pg_locks, and the messages
// of those that wait for it. Session.mu guards it; only the session's goroutine writes.
type live struct {
	owner  uint64 // of the kv transaction, 0 outside of one: see ownerOf
	serial uint32 // kv transactions of the session so far
	start  int64  // now() of the transaction
	wrote  bool   // it has begun to write or lock rows
	// notes are the statements that have written or locked, the latest last.
	notes []statementNote
	// number stands for the transaction where PostgreSQL would show its ID. It is given out when somebody asks for
	// it, so that transactions nobody looks at do not contend for a counter.
	number   uint32
	numbered uint64 // the owner that number belongs to
}

// statementNote is a statement and where it wrote, locked or read.
type statementNote struct {
	text   string // literals lifted out
	tables []catalog.StorageID
}

// ownerOf names a kv transaction: its session, and which of the session's it is.
func ownerOf(pid, serial uint32) uint64 { return uint64(serial)<<32 | uint64(pid) }

func pidOf(owner uint64) uint32 { return uint32(owner) }

// beginLive is called as a kv transaction begins, and returns its owner.
func (s *Session) beginLive(start int64) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := &s.live
	l.serial++
	l.owner, l.start, l.wrote, l.notes = ownerOf(s.pid, l.serial), start, false, nil
	return l.owner
}

// endLive is called when the session's transaction has ended.
func (s *Session) endLive() {
	s.mu.Lock()
	s.live.owner, s.live.wrote, s.live.notes = 0, false, nil
	s.mu.Unlock()
}

// noteQuery notes the statement that is about to run, by its text without literals. changes tells that it writes or
// locks rows of the tables.
func (s *Session) noteQuery(text string, tables []catalog.StorageID, changes bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.activity.statement = text
	if changes {
		s.live.note(statementNote{text, tables})
	}
}

// showStatement makes a statement the one that runs, as statementText returned it.
func (s *Session) showStatement(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.activity.statement = text
}

// noteWriting notes that the statement writes. Queries are noted with their tables by noteQuery.
func (s *Session) noteWriting(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live.wrote = true
	switch what {
	case "INSERT", "UPDATE", "DELETE", "SELECT":
	default:
		s.live.note(statementNote{text: s.activity.query})
	}
}

// notedStatements bounds the statements noted of one transaction: beyond, the oldest go.
const notedStatements = 64

func (l *live) note(n statementNote) {
	l.wrote = true
	if i := slices.IndexFunc(l.notes, func(o statementNote) bool { return o.text == n.text }); i >= 0 {
		l.notes = slices.Delete(l.notes, i, i+1)
	} else if len(l.notes) == notedStatements {
		l.notes = slices.Delete(l.notes, 0, 1)
	}
	l.notes = append(l.notes, n)
}

// statementOn is the latest of the statements that names a table or index, or the latest of all; "" without any.
func statementOn(notes []statementNote, id catalog.StorageID) string {
	for i := len(notes) - 1; i >= 0; i-- {
		if slices.Contains(notes[i].tables, id) {
			return notes[i].text
		}
	}
	if n := len(notes); n > 0 {
		return notes[n-1].text
	}
	return ""
}

// statementText is the statement being run, without its literals if they were lifted out. Only the session's own
// goroutine may ask.
func (s *Session) statementText() string {
	if s.activity.statement != "" {
		return s.activity.statement
	}
	return s.activity.query
}

// statementHolding is what a session has last done with a table, as far as is known: any goroutine may ask.
func (s *Session) statementHolding(owner uint64, id catalog.StorageID) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live.owner != owner {
		return ""
	}
	if text := statementOn(s.live.notes, id); text != "" {
		return text
	}
	if s.activity.statement != "" {
		return s.activity.statement
	}
	return s.activity.query
}

// session finds a session by its process ID, nil if there is none.
func (e *Engine) session(pid uint32) *Session {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.sessions[pid]
}

// transactionNumber is the number that stands for a transaction.
func (e *Engine) transactionNumber(owner uint64) uint32 {
	s := e.session(pidOf(owner))
	if s == nil {
		return e.transactions.Add(1) // it has ended meanwhile
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live.numbered != owner {
		s.live.numbered, s.live.number = owner, e.transactions.Add(1)
	}
	return s.live.number
}

// activityRows are the rows of pg_stat_activity, one for each session.
func activityRows(own *Session, emit func([]types.Datum) bool) {
	var sessions []*Session
	own.engine.each(func(s *Session) { sessions = append(sessions, s) })
	sortByPID(sessions)
	events := own.engine.waitEvents()
	for _, s := range sessions {
		row := make([]types.Datum, 22)
		user := types.Null
		if r := own.tx.snapshot.Role(s.options.User); r != nil {
			user = types.NewInt(int64(r.OID))
		}
		row[0], row[1] = types.NewInt(int64(catalog.PostgresDatabaseOID)), types.NewString(s.options.Database)
		row[2], row[4], row[5] = types.NewInt(int64(s.pid)), user, types.NewString(s.options.User)
		if host, port, err := net.SplitHostPort(s.options.Remote); err == nil {
			row[7] = textDatum(host)
			if n, err := strconv.Atoi(port); err == nil {
				row[9] = types.NewInt(int64(n))
			}
		} else {
			row[9] = types.NewInt(-1) // a Unix socket
		}
		row[10] = types.NewInt(microseconds(s.started))
		a := s.currentActivity()
		row[6] = types.NewString(a.application)
		if a.queryStart != 0 {
			row[12] = types.NewInt(a.queryStart)
		}
		if a.transaction != 0 {
			row[11] = types.NewInt(a.transaction)
		}
		if event := events[s.pid]; event != "" && a.state == "active" {
			row[14], row[15] = types.NewString("Lock"), types.NewString(event)
		} else if a.state != "active" {
			row[14], row[15] = types.NewString("Client"), types.NewString("ClientRead")
		}
		if a.wrote {
			row[17] = types.NewInt(int64(own.engine.transactionNumber(a.owner)))
		}
		row[13], row[16], row[20] = types.NewInt(a.since), types.NewString(a.state), types.NewString(a.query)
		row[21] = types.NewString("client backend")
		if !emit(row) {
			return
		}
	}
}

func sortByPID(sessions []*Session) {
	slices.SortFunc(sessions, func(a, b *Session) int { return int(a.pid) - int(b.pid) })
}

// txnObserver is a Session as its kv transactions see it.
type txnObserver struct{ *Session }

var _ kv.TxnObserver = txnObserver{}

// LockWaits implements kv.TxnObserver. The statement of the holder is noted now, since after the wait it has gone on
// to others.
func (o txnObserver) LockWaits(w kv.LockWait) {
	o.Session.holder = ""
	if h := o.engine.session(pidOf(w.Holder)); h != nil {
		o.Session.holder = h.statementHolding(w.Holder, storageOf(w.Key))
	}
}

// LockWaited implements kv.TxnObserver.
func (o txnObserver) LockWaited(w kv.LockWait, waited time.Duration, err error) {
	o.Session.waited++
	o.engine.conflicts.note(conflictWait, kv.KeyRange{Start: w.Key}, o.statementText(), o.Session.holder, waited)
}

// Sequenced implements kv.TxnObserver.
func (o txnObserver) Sequenced(v kv.Version) {
	if n := o.Session.committing; n != nil {
		o.engine.commits.add(v, n)
	}
}

// noteCommit is called before a commit: it is then known what was written, and nothing is added any more.
func (s *Session) noteCommit() {
	s.committing = nil
	if s.live.wrote {
		s.committing = &commitNote{pid: s.pid, notes: s.live.notes}
	}
}

// CancelBackend implements funcs.Backends.
func (s functionSession) CancelBackend(pid int32) (bool, error) {
	return s.signal(pid, errs.New(errs.QueryCanceled, "canceling statement due to user request"), (*Session).interrupt)
}

// TerminateBackend implements funcs.Backends.
func (s functionSession) TerminateBackend(pid int32) (bool, error) {
	return s.signal(pid, &errs.Error{Severity: "FATAL", Code: errs.AdminShutdown, Message: "terminating connection due to administrator command"}, (*Session).Terminate)
}

// signal sends a cause to another session, or returns it if the session is the present one.
func (s functionSession) signal(pid int32, cause *errs.Error, send func(*Session, *errs.Error)) (bool, error) {
	switch other := s.engine.session(uint32(pid)); other {
	case nil:
		return s.noSuchBackend(pid)
	case s.Session:
		return false, cause
	default:
		send(other, cause)
		return true, nil
	}
}

func (s functionSession) noSuchBackend(pid int32) (bool, error) {
	s.notice(&errs.Error{Severity: "WARNING", Code: "01000", Message: "PID " + itoa(int(pid)) + " is not a PostgreSQL backend process"})
	return false, nil
}

// BlockingPIDs implements funcs.Backends.
func (s functionSession) BlockingPIDs(pid int32) []int32 {
	var pids []int32
	for _, q := range s.engine.lockQueues() {
		for i, w := range q.Waiters {
			if pidOf(w.Owner) != uint32(pid) {
				continue
			}
			holders, waiters := q.Blockers(i)
			if len(waiters) == 0 {
				for _, h := range holders {
					pids = append(pids, int32(pidOf(q.Holders[h].Owner)))
				}
			}
			for _, w := range waiters { // it waits for its turn, as PostgreSQL's do for the lock of the tuple
				pids = append(pids, int32(pidOf(q.Waiters[w].Owner)))
			}
		}
	}
	return pids
}
