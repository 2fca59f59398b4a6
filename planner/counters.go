package planner

import (
	"sync/atomic"

	"holdfast/kv"
	"holdfast/planner/exec"
	"holdfast/sql/catalog"
	"holdfast/sql/types"
)

// counters count what a session, or the sessions that have ended, have done. Each session has its own, so that
// counting contends with nobody; who asks adds them up.
type counters struct {
	commits, rollbacks atomic.Int64
	// tables are the counters of each table. Of a session's, only the session adds tables, under its mu.
	tables map[catalog.OID]*exec.TableCounts
}

// ended counts a transaction. One that is run again is not over.
func (c *counters) ended(committed bool) {
	if committed {
		c.commits.Add(1)
	} else {
		c.rollbacks.Add(1)
	}
}

// add adds another's counts.
func (c *counters) add(o *counters) {
	c.commits.Add(o.commits.Load())
	c.rollbacks.Add(o.rollbacks.Load())
	for oid, from := range o.tables {
		to := c.tables[oid]
		if to == nil {
			if c.tables == nil {
				c.tables = map[catalog.OID]*exec.TableCounts{}
			}
			to = &exec.TableCounts{}
			c.tables[oid] = to
		}
		to.Add(from)
	}
}

// reset sets everything to 0. It is called under the mu that guards the table of tables.
func (c *counters) reset() {
	c.commits.Store(0)
	c.rollbacks.Store(0)
	for _, t := range c.tables {
		t.Reset()
	}
}

// tableCounts are the session's counters of a table.
func (s *Session) tableCounts(table catalog.OID) *exec.TableCounts {
	c := s.counts.tables[table]
	if c == nil {
		c = &exec.TableCounts{}
		s.mu.Lock()
		if s.counts.tables == nil {
			s.counts.tables = map[catalog.OID]*exec.TableCounts{}
		}
		s.counts.tables[table] = c
		s.mu.Unlock()
	}
	return c
}

// rowsChanged notes what a statement changed in a table; it counts once the transaction is durable.
func (s *Session) rowsChanged(table catalog.OID, c exec.RowCounts) {
	stats := s.engine.catalog.Stats(table)
	s.tx.afterCommit = append(s.tx.afterCommit, func() {
		if rows := c.Inserted - c.Deleted; rows != 0 || c.Bytes != 0 {
			stats.Add(rows, c.Bytes)
		}
		counts := s.tableCounts(table)
		counts.Inserted.Add(c.Inserted)
		counts.Updated.Add(c.Updated)
		counts.Deleted.Add(c.Deleted)
	})
}

// totals adds up the counters of all sessions, those that have ended included.
func (e *Engine) totals() *counters {
	out := &counters{}
	e.mu.Lock()
	defer e.mu.Unlock()
	out.add(&e.ended)
	for _, s := range e.sessions {
		s.mu.Lock()
		out.add(&s.counts)
		s.mu.Unlock()
	}
	return out
}

// figure is one of the store's figures, NULL if it has none of that name.
func (e *Engine) figure(name string) types.Datum {
	if o, ok := e.store.(kv.Observer); ok {
		for _, f := range o.Figures() {
			if f.Name == name {
				return types.NewInt(f.Value)
			}
		}
	}
	return types.Null
}

// databaseRows is the row of pg_stat_database. What is not counted is NULL. conflicts are those of a standby with its
// primary, of which there are none; those between transactions are in holdfast_stat_conflicts.
func databaseRows(s *Session, emit func([]types.Datum) bool) {
	sessions := int64(0)
	s.engine.each(func(*Session) { sessions++ })
	c := s.engine.totals()
	var sum exec.TableCounts
	for _, t := range c.tables {
		sum.Add(t)
	}
	row := make([]types.Datum, 28)
	row[0], row[1], row[2] = types.NewInt(int64(catalog.PostgresDatabaseOID)), types.NewString(s.options.Database), types.NewInt(sessions)
	row[3], row[4] = types.NewInt(c.commits.Load()), types.NewInt(c.rollbacks.Load())
	row[7], row[8] = types.NewInt(sum.SeqRows.Load()+sum.IndexEntries.Load()), types.NewInt(sum.IndexRows.Load())
	row[9], row[10], row[11] = types.NewInt(sum.Inserted.Load()), types.NewInt(sum.Updated.Load()), types.NewInt(sum.Deleted.Load())
	row[12], row[15] = types.NewInt(0), s.engine.figure("deadlocks")
	row[23] = types.NewInt(s.engine.begun.Load())
	s.engine.mu.Lock()
	row[27] = types.NewInt(microseconds(s.engine.counted))
	s.engine.mu.Unlock()
	emit(row)
}

// tableRows are the rows of pg_stat_user_tables and, with system, pg_stat_all_tables. There are no dead rows and
// no vacuum; what is not counted is NULL.
func tableRows(s *Session, emit func([]types.Datum) bool) {
	c := s.engine.totals()
	for _, t := range s.tx.snapshot.Tables() {
		if t.Virtual != nil || t.Kind != catalog.KindTable {
			continue
		}
		counts := c.tables[t.OID]
		if counts == nil {
			counts = &exec.TableCounts{}
		}
		n := func(v *atomic.Int64) types.Datum { return types.NewInt(v.Load()) }
		row := make([]types.Datum, 23)
		row[0], row[2] = types.NewInt(int64(t.OID)), types.NewString(t.Name)
		if schema := s.tx.snapshot.SchemaByOID(t.Schema); schema != nil {
			row[1] = types.NewString(schema.Name)
		}
		row[3], row[4], row[5], row[6] = n(&counts.SeqScans), n(&counts.SeqRows), n(&counts.IndexScans), n(&counts.IndexRows)
		row[7], row[8], row[9] = n(&counts.Inserted), n(&counts.Updated), n(&counts.Deleted)
		row[10], row[11], row[12] = types.NewInt(0), types.NewInt(s.engine.catalog.Stats(t.OID).Rows()), types.NewInt(0)
		row[19], row[20] = types.NewInt(0), types.NewInt(0)
		if !emit(row) {
			return
		}
	}
}

// kvRows are the rows of holdfast_stat_kv, one for each figure of the store.
func kvRows(s *Session, emit func([]types.Datum) bool) {
	o, ok := s.engine.store.(kv.Observer)
	if !ok {
		return
	}
	for _, f := range o.Figures() {
		if !emit([]types.Datum{types.NewString(f.Name), types.NewInt(f.Value), textDatum(f.Unit), types.NewBool(f.Since), types.NewString(f.Meaning)}) {
			return
		}
	}
}

// The relations of pg_catalog that PostgreSQL does not have. Their OIDs are behind those of initdb.
func init() {
	column := func(name string, t *types.Type) *catalog.Column { return &catalog.Column{Name: name, Type: t} }
	catalog.RegisterRelation(13980, "holdfast_stat_conflicts", []*catalog.Column{
		column("schemaname", types.Name), column("relname", types.Name), column("indexrelname", types.Name), column("key", types.Text), column("kind", types.Text),
		column("statement", types.Text), column("other_statement", types.Text), column("count", types.Int8), column("last_time", types.TimestampTZ),
		column("total_wait_time", types.Float8),
	}, ofSessions(conflictRows))
	catalog.RegisterRelation(13982, "holdfast_stat_kv", []*catalog.Column{
		column("name", types.Text), column("value", types.Int8), column("unit", types.Text), column("since_start", types.Bool), column("meaning", types.Text),
	}, ofSessions(kvRows))
}
