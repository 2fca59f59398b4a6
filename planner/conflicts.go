package planner

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/kv"
	"holdfast/planner/exec"
	"holdfast/sql/catalog"
	"holdfast/sql/types"
)

// conflictKind says what a conflict between two transactions led to.
type conflictKind string

const (
	conflictWait     conflictKind = "wait"     // for a lock
	conflictRefresh  conflictKind = "refresh"  // a statement started over on a newer state
	conflictRecheck  conflictKind = "recheck"  // checks of rules were made again on a newer state
	conflictRerun    conflictKind = "rerun"    // an implicit transaction was run again
	conflictReplay   conflictKind = "replay"   // an explicit transaction was run again
	conflictAbort    conflictKind = "abort"    // the client was told 40001
	conflictDeadlock conflictKind = "deadlock" // the client was told 40P01
)

// recorder counts conflicts by their kind, the keys they were about, and the statements of both sides. It is asked by
// the view holdfast_stat_conflicts, and told only when a conflict has happened.
//
// Memory is bounded: it keeps about conflictEntries entries. When twice as many have come together, the lesser half
// goes into one sum. What counts is the score, which is halved at each such cut, so that what is frequent now is
// not shut out by what was frequent long ago. Keeping a list in order of frequency would cost more for each
// conflict than counting it.
type recorder struct {
	mu      sync.Mutex
	entries map[conflictKey]*conflictEntry
	rest    conflictEntry
}

const conflictEntries = 500

type conflictKey struct {
	kind                      conflictKind
	start, end, loser, winner string // end is "" for a single key
}

type conflictEntry struct {
	count  int64
	score  int64
	waited time.Duration
	last   time.Time
}

func newRecorder() *recorder { return &recorder{entries: map[conflictKey]*conflictEntry{}} }

// note counts a conflict over a range, or over one key if End is nil. loser is the statement that waited or had to be
// repeated, winner the one of the other transaction, "" if unknown. waited is 0 unless somebody did.
func (r *recorder) note(kind conflictKind, over kv.KeyRange, loser, winner string, waited time.Duration) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entries[conflictKey{kind, string(over.Start), string(over.End), loser, winner}]
	if e == nil {
		if len(r.entries) == 2*conflictEntries {
			r.cut()
		}
		e = &conflictEntry{}
		r.entries[conflictKey{kind, string(over.Start), string(over.End), loser, winner}] = e
	}
	e.count++
	e.score++
	e.waited += waited
	e.last = now
}

// cut keeps the half of the entries with the highest scores. mu is held.
func (r *recorder) cut() {
	type scored struct {
		key   conflictKey
		entry *conflictEntry
	}
	all := make([]scored, 0, len(r.entries))
	for k, e := range r.entries {
		all = append(all, scored{k, e})
	}
	slices.SortFunc(all, func(a, b scored) int { return cmp.Compare(b.entry.score, a.entry.score) })
	for i, s := range all {
		if i < conflictEntries {
			s.entry.score /= 2
			continue
		}
		r.rest.count += s.entry.count
		r.rest.waited += s.entry.waited
		if s.entry.last.After(r.rest.last) {
			r.rest.last = s.entry.last
		}
		delete(r.entries, s.key)
	}
}

// conflictRecord is an entry with its key.
type conflictRecord struct {
	conflictKey
	conflictEntry
}

// records are the entries, the most frequent first, and what was summed up.
func (r *recorder) records() (list []conflictRecord, rest conflictEntry) {
	r.mu.Lock()
	for k, e := range r.entries {
		list = append(list, conflictRecord{k, *e})
	}
	rest = r.rest
	r.mu.Unlock()
	slices.SortFunc(list, func(a, b conflictRecord) int {
		return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.kind, b.kind), cmp.Compare(a.start, b.start), cmp.Compare(a.end, b.end), cmp.Compare(a.loser, b.loser))
	})
	return list, rest
}

// storageOf is the table or index a key belongs to.
func storageOf(key []byte) catalog.StorageID {
	if len(key) < 4 {
		return 0
	}
	return catalog.StorageID(binary.BigEndian.Uint32(key))
}

// metConflict keeps the conflict that an error of kv tells of, since what comes of it is decided where only
// kv.ErrConflict is known.
func (s *Session) metConflict(err error) {
	if !errors.As(err, &s.lastConflict) {
		s.lastConflict = nil
	}
}

// conflictOf is the conflict behind an error, and records what came of it. It is nil if the store named none.
func (s *Session) conflictOf(err error, kind conflictKind) *kv.ConflictError {
	c := s.lastConflict
	errors.As(err, &c)
	s.lastConflict = nil
	if c != nil {
		s.noteConflict(kind, c)
	}
	return c
}

// noteRerun records that the transaction is run again.
func (s *Session) noteRerun(explicit bool) {
	s.engine.reruns.Add(1)
	kind := conflictRerun
	if explicit {
		kind = conflictReplay
	}
	s.conflictOf(nil, kind)
}

// noteStale records that a statement starts over on a newer state.
func (s *Session) noteStale(err error) {
	var stale *kv.StaleError
	if errors.As(err, &stale) {
		s.noteConflict(conflictRefresh, &kv.ConflictError{Start: stale.Key, Version: stale.Version})
	}
}

// noteConflict records a conflict.
func (s *Session) noteConflict(kind conflictKind, c *kv.ConflictError) {
	id := storageOf(c.Start)
	if _, t := accumulatorKeys(s.snapshotForErrors(), id); t != nil {
		id = t.Storage // whoever changes an accumulator changes rows
	}
	s.engine.conflicts.note(kind, kv.KeyRange{Start: c.Start, End: c.End}, s.statementText(), s.engine.commits.statement(c.Version, id), 0)
}

// commitLog remembers what the latest commits were about, by their versions, so that whoever loses against one can
// name it. It is a ring: versions have no gaps, so each has its slot until so many others have come.
type commitLog struct {
	slots [commitLogSlots]atomic.Pointer[commitNote]
}

const commitLogSlots = 4096

// commitNote is a transaction that was committed.
type commitNote struct {
	version kv.Version
	pid     uint32
	notes   []statementNote
}

// add is called while everybody waits for the next commit: see kv.TxnObserver.
func (l *commitLog) add(v kv.Version, n *commitNote) {
	n.version = v
	l.slots[v%commitLogSlots].Store(n)
}

// statement is what the commit of a version did to a table or index, "" if that is not known.
func (l *commitLog) statement(v kv.Version, id catalog.StorageID) string {
	if n := l.slots[v%commitLogSlots].Load(); n != nil && n.version == v {
		return statementOn(n.notes, id)
	}
	return ""
}

// relationKeys finds the table, and the index if it is one, that a storage belongs to. The snapshot may be nil: nothing
// is found then.
func relationKeys(snapshot *catalog.Snapshot, id catalog.StorageID) (t *catalog.Table, x *catalog.Index) {
	if snapshot == nil {
		return nil, nil
	}
	for _, t := range snapshot.Tables() {
		if t.Storage == id {
			return t, nil
		}
		for _, x := range t.Indexes {
			if !x.Primary && x.Storage == id {
				return t, x
			}
		}
	}
	return nil, nil
}

// accumulatorKeys finds the assertion whose accumulator a storage is, and the table that it is kept of.
func accumulatorKeys(snapshot *catalog.Snapshot, id catalog.StorageID) (*catalog.Assertion, *catalog.Table) {
	if snapshot == nil {
		return nil, nil
	}
	for _, a := range snapshot.Assertions() {
		for _, k := range a.Accumulators {
			if k.Storage == id {
				return a, snapshot.RelationByOID(k.Table)
			}
		}
	}
	return nil, nil
}

// describeConflict says in a DETAIL what was read and who has changed it.
func (s *Session) describeConflict(c *kv.ConflictError) string {
	schema := s.snapshotForErrors()
	t, x := relationKeys(schema, storageOf(c.Start))
	if a, of := accumulatorKeys(schema, storageOf(c.Start)); t == nil && of != nil {
		return fmt.Sprintf(`Read the sums that assertion "%s" looks at of a group of table "%s"; a concurrent transaction has changed them.`, a.Name, of.Name)
	}
	if t == nil {
		return "Read the schema of something that a concurrent transaction has changed."
	}
	var what string
	switch {
	case c.End == nil && x == nil:
		what = "the row " + exec.DescribeKey(t, c.Start, &s.settings.env)
	case c.End == nil:
		what = "the key " + exec.DescribeKey(t, c.Start, &s.settings.env)
	default:
		what = exec.DescribeRange(t, kv.KeyRange{Start: c.Start, End: c.End}, &s.settings.env) + " rows"
		if what != "all rows" {
			what = "rows " + strings.TrimSuffix(what, " rows")
		}
	}
	if x != nil {
		what += fmt.Sprintf(` of index "%s"`, x.Name)
	}
	what += fmt.Sprintf(` of table "%s"`, t.Name)
	done := "inserted or deleted"
	if c.Columns&kv.Existence == 0 {
		var names []string
		for i, col := range t.Columns {
			if !col.Dropped && c.Columns.Meets(kv.Column(i+1)) {
				names = append(names, col.Name)
			}
		}
		done = "changed " + strings.Join(names, ", ") + " of"
	}
	which := "it"
	if c.End != nil {
		which = "one of them"
	}
	return fmt.Sprintf("Read %s; a concurrent transaction has %s %s.", what, done, which)
}

// conflictRows are the rows of holdfast_stat_conflicts: the most frequent conflicts, and all others in a row whose
// names are NULL.
func conflictRows(s *Session, emit func([]types.Datum) bool) {
	list, rest := s.engine.conflicts.records()
	row := func(e *conflictEntry) []types.Datum {
		row := make([]types.Datum, 10)
		row[7], row[8], row[9] = types.NewInt(e.count), types.NewInt(microseconds(e.last)), types.NewFloat(float64(e.waited.Microseconds())/1000)
		return row
	}
	for i := range list {
		c := &list[i]
		r := row(&c.conflictEntry)
		if t, x := relationKeys(s.tx.snapshot, storageOf([]byte(c.start))); t != nil {
			if n := s.tx.snapshot.SchemaByOID(t.Schema); n != nil {
				r[0] = types.NewString(n.Name)
			}
			r[1] = types.NewString(t.Name)
			if x != nil {
				r[2] = types.NewString(x.Name)
			}
			if c.end == "" {
				r[3] = types.NewString(exec.DescribeKey(t, []byte(c.start), &s.settings.env))
			} else {
				r[3] = types.NewString(exec.DescribeRange(t, kv.KeyRange{Start: []byte(c.start), End: []byte(c.end)}, &s.settings.env))
			}
		} else if a, t := accumulatorKeys(s.tx.snapshot, storageOf([]byte(c.start))); t != nil {
			if n := s.tx.snapshot.SchemaByOID(t.Schema); n != nil {
				r[0] = types.NewString(n.Name)
			}
			r[1], r[3] = types.NewString(t.Name), types.NewString("sums of assertion "+a.Name)
		}
		r[4], r[5], r[6] = types.NewString(string(c.kind)), textDatum(c.loser), textDatum(c.winner)
		if !emit(r) {
			return
		}
	}
	if rest.count > 0 {
		emit(row(&rest))
	}
}
