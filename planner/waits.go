package planner

import (
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"

	"holdfast/kv"
	"holdfast/planner/exec"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// Waiting as PostgreSQL shows it. There, whoever waits for a row waits for the transaction that holds it to end,
// and has meanwhile locked the tuple itself, so that others queue behind. Holdfast has one queue for each key. Its
// first waiter, and those beside him that do not conflict with each other, are shown as waiting for a transaction,
// those behind as waiting for the tuple, which stays true to who goes before whom. Rows have no place in a file:
// their page and tuple are a hash of the key.

// tupleModes are the modes in which PostgreSQL locks a tuple for the modes of row locks.
var tupleModes = map[kv.LockMode]string{
	kv.LockKeyShare: "AccessShareLock", kv.LockShare: "RowShareLock", kv.LockNoKeyUpdate: "ExclusiveLock", kv.LockUpdate: "AccessExclusiveLock",
}

// tupleOf is the page and tuple that a key is shown with.
func tupleOf(key []byte) (page int32, tuple int16) {
	h := fnv.New64a()
	_, _ = h.Write(key)
	sum := h.Sum64()
	return int32(sum >> 33), int16(sum&0x7fff) | 1
}

// lockQueues are the keys that somebody waits for.
func (e *Engine) lockQueues() []kv.LockQueue {
	if o, ok := e.store.(kv.Observer); ok {
		return o.LockQueues()
	}
	return nil
}

// lockError turns an error of kv about locks into the SQL error for it.
func (s *Session) lockError(err error) error {
	var e *errs.Error
	if errors.Is(err, kv.ErrDeadlock) {
		e = s.deadlock(err)
	} else {
		e = errs.Wrap(err, errs.LockNotAvailable, "canceling statement due to lock timeout")
	}
	var w *exec.LockWaitError
	if errors.As(err, &w) {
		e.Where = w.Where
	}
	return e
}

// deadlock is the error for a deadlock. The statements of the others are not the client's to read: as in PostgreSQL
// they are in the server's log.
func (s *Session) deadlock(err error) *errs.Error {
	e := errs.Wrap(err, errs.DeadlockDetected, "deadlock detected")
	e.Hint = "See server log for query details."
	var d *kv.DeadlockError
	if !errors.As(err, &d) {
		return e
	}
	schema := s.tx.snapshot
	if schema == nil {
		schema = s.namesOf // the statement had only begun to read it, as after ROLLBACK TO the transaction's beginning
	}
	var waits, queries []string
	for i, w := range d.Waits {
		pid := pidOf(w.Waiter)
		what := ""
		if w.Queued {
			page, tuple := tupleOf(w.Key)
			relation := catalog.OID(0)
			if t, x := relationKeys(schema, storageOf(w.Key)); x != nil {
				relation = x.OID
			} else if t != nil {
				relation = t.OID
			}
			what = fmt.Sprintf("%s on tuple (%d,%d) of relation %d of database %d", tupleModes[w.Mode], page, tuple, relation, catalog.PostgresDatabaseOID)
		} else {
			what = fmt.Sprintf("ShareLock on transaction %d", s.engine.transactionNumber(w.Holder))
		}
		waits = append(waits, fmt.Sprintf("Process %d waits for %s; blocked by process %d.", pid, what, pidOf(w.Holder)))
		if other := s.engine.session(pid); other != nil {
			queries = append(queries, fmt.Sprintf("Process %d: %s", pid, other.currentActivity().query))
		}
		if i == 0 {
			winner := ""
			if h := s.engine.session(pidOf(w.Holder)); h != nil {
				winner = h.statementHolding(w.Holder, storageOf(w.Key))
			}
			s.engine.conflicts.note(conflictDeadlock, kv.KeyRange{Start: w.Key}, s.statementText(), winner, 0)
		}
	}
	e.Detail = strings.Join(waits, "\n")
	s.engine.log.Warn("deadlock detected", "detail", e.Detail, "queries", strings.Join(queries, "\n"))
	return e
}

// lockRows are the rows of pg_locks. As in PostgreSQL each running transaction holds its own identity, and row locks
// are shown where somebody waits for them. Tables are not locked.
func lockRows(s *Session, emit func([]types.Datum) bool) {
	row := func(kind string, pid uint32, mode string, granted bool) []types.Datum {
		row := make([]types.Datum, 16)
		row[0], row[10], row[11] = types.NewString(kind), types.NewString(strconv.Itoa(int(pid))+"/1"), types.NewInt(int64(pid))
		row[12], row[13], row[14] = types.NewString(mode), types.NewBool(granted), types.NewBool(kind == "virtualxid")
		return row
	}
	var list []*Session
	s.engine.each(func(s *Session) { list = append(list, s) })
	sortByPID(list)
	serial := map[uint32]types.Datum{}
	for _, o := range list {
		a := o.currentActivity()
		serial[o.pid] = types.NewString(fmt.Sprintf("%d/%d", o.pid, a.serial))
		if a.transaction == 0 && a.state != "active" {
			continue
		}
		r := row("virtualxid", o.pid, "ExclusiveLock", true)
		r[5], r[10] = serial[o.pid], serial[o.pid]
		if !emit(r) {
			return
		}
		if a.wrote {
			r := row("transactionid", o.pid, "ExclusiveLock", true)
			r[6], r[10] = types.NewInt(int64(s.engine.transactionNumber(a.owner))), serial[o.pid]
			if !emit(r) {
				return
			}
		}
	}
	for _, q := range s.engine.lockQueues() {
		page, tuple := tupleOf(q.Key)
		relation := types.Null
		if t, x := relationKeys(s.tx.snapshot, storageOf(q.Key)); x != nil {
			relation = types.NewInt(int64(x.OID))
		} else if t != nil {
			relation = types.NewInt(int64(t.OID))
		}
		for i, w := range q.Waiters {
			holders, waiters := q.Blockers(i)
			pid := pidOf(w.Owner)
			r := row("tuple", pid, tupleModes[w.Mode], len(waiters) == 0)
			r[1], r[2], r[3], r[4] = types.NewInt(int64(catalog.PostgresDatabaseOID)), relation, types.NewInt(int64(page)), types.NewInt(int64(tuple))
			rows := [][]types.Datum{r}
			if len(waiters) == 0 && len(holders) > 0 {
				r = row("transactionid", pid, "ShareLock", false)
				r[6] = types.NewInt(int64(s.engine.transactionNumber(q.Holders[holders[0]].Owner)))
				rows = append(rows, r)
			}
			r[15] = types.NewInt(microseconds(w.Since))
			for _, r := range rows {
				if v, ok := serial[pid]; ok {
					r[10] = v
				}
				if !emit(r) {
					return
				}
			}
		}
	}
}

// waitEvents are the wait events of the sessions that wait for a lock, by process ID.
func (e *Engine) waitEvents() map[uint32]string {
	events := map[uint32]string{}
	for _, q := range e.lockQueues() {
		for i, w := range q.Waiters {
			event := "transactionid"
			if _, waiters := q.Blockers(i); len(waiters) > 0 {
				event = "tuple"
			}
			events[pidOf(w.Owner)] = event
		}
	}
	return events
}
