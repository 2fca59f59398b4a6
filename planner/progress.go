package planner

import (
	"sync/atomic"

	"holdfast/planner/exec"
	"holdfast/sql/catalog"
	"holdfast/sql/types"
)

// progress is how far an evaluation in full has come, for pg_stat_progress_assertion. The session that evaluates counts what it reads
// in its counters as ever; who asks compares them with what they were at the beginning, and with the size of the tables.
type progress struct {
	command   string
	finishing atomic.Bool // all is read, and the result is being written down
	assertion *catalog.Assertion
	tables    []tableProgress
}

// tableProgress is how much of a table there is, about, and what had been read before.
type tableProgress struct {
	counts        *exec.TableCounts
	before, total int64
}

// newProgress is called as the evaluation begins.
func (s *Session) newProgress(command string, a *catalog.Assertion) *progress {
	x := &progress{command: command, assertion: a}
	for oid := range a.DependsOn {
		if t := s.tx.snapshot.RelationByOID(oid); t != nil && t.Kind == catalog.KindTable && t.Virtual == nil {
			c := s.tableCounts(oid)
			x.tables = append(x.tables, tableProgress{c, c.SeqRows.Load() + c.IndexEntries.Load(), s.tx.snapshot.Stats(oid).Rows()})
		}
	}
	return x
}

// read is how many rows of the table have been read.
func (t *tableProgress) read() int64 {
	return t.counts.SeqRows.Load() + t.counts.IndexEntries.Load() - t.before
}

// read is how many rows have been read.
func (x *progress) read() (n int64) {
	for i := range x.tables {
		n += x.tables[i].read()
	}
	return n
}

// progressRows are the rows of pg_stat_progress_assertion, one for each assertion that is being evaluated in full. A table counts as
// done when as many rows of it have been read as it has, about; one that is probed for each row of another may never be, or be read
// more than once.
func progressRows(own *Session, emit func([]types.Datum) bool) {
	var sessions []*Session
	own.engine.each(func(s *Session) { sessions = append(sessions, s) })
	sortByPID(sessions)
	for _, s := range sessions {
		s.mu.Lock()
		x := s.progress
		s.mu.Unlock()
		if x == nil {
			continue
		}
		phase := "reading tables"
		if x.finishing.Load() {
			phase = "finishing"
		}
		var total, done int64
		for i := range x.tables {
			t := &x.tables[i]
			total += t.total
			if t.read() >= t.total {
				done++
			}
		}
		row := []types.Datum{types.NewInt(int64(s.pid)), types.NewInt(int64(catalog.PostgresDatabaseOID)), types.NewString(s.options.Database),
			types.NewInt(int64(x.assertion.OID)), types.NewString(x.assertion.Name), types.NewString(x.command), types.NewString(phase),
			types.NewInt(int64(len(x.tables))), types.NewInt(done), types.NewInt(total), types.NewInt(x.read())}
		if !emit(row) {
			return
		}
	}
}

func init() {
	column := func(name string, t *types.Type) *catalog.Column { return &catalog.Column{Name: name, Type: t} }
	catalog.RegisterRelation(13986, "pg_stat_progress_assertion", []*catalog.Column{
		column("pid", types.Int4), column("datid", types.Oid), column("datname", types.Name), column("assertionid", types.Oid),
		column("assertionname", types.Name), column("command", types.Text), column("phase", types.Text), column("tables_total", types.Int8),
		column("tables_done", types.Int8), column("tuples_total", types.Int8), column("tuples_done", types.Int8),
	}, ofSessions(progressRows))
}
