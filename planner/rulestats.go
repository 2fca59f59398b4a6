package planner

import (
	"time"

	"holdfast/sql/catalog"
	"holdfast/sql/types"
)

// ResetStats implements catalog.StatsResetter: what all sessions have counted so far is forgotten.
func (s functionSession) ResetStats() {
	e := s.engine
	e.mu.Lock()
	e.counted = time.Now()
	e.ended.reset()
	for _, other := range e.sessions {
		other.mu.Lock()
		other.counts.reset()
		other.mu.Unlock()
	}
	e.mu.Unlock()
	e.catalog.ResetRuleStats()
}

// assertionRows are the rows of pg_stat_assertions, one for each assertion.
func assertionRows(s *Session, emit func([]types.Datum) bool) {
	snapshot := s.tx.snapshot
	skips, since := s.engine.catalog.RuleSkips()
	for _, a := range snapshot.Assertions() {
		r, skipped := snapshot.RuleStats(a.OID), skips[a.OID]
		row := make([]types.Datum, 17)
		row[0], row[2], row[3] = types.NewInt(int64(a.OID)), types.NewString(a.Name), types.NewString(a.State())
		if n := snapshot.SchemaByOID(a.Schema); n != nil {
			row[1] = types.NewString(n.Name)
		}
		row[4] = types.NewInt(r.Checks.Load())
		row[5], row[6] = types.NewInt(skipped[catalog.SkippedByOperation]), types.NewInt(skipped[catalog.SkippedByColumns])
		row[7], row[8] = types.NewInt(r.ByValues.Load()), types.NewInt(r.ByRows.Load())
		row[9], row[10] = types.NewInt(r.Changed.Load()), types.NewInt(r.Read.Load())
		row[11] = types.NewFloat(float64(r.Nanoseconds.Load()) / 1e6)
		row[12] = types.NewInt(r.Violations.Load())
		row[13], row[14] = types.Null, types.Null
		if last := r.Last(); last != nil {
			row[13], row[14] = types.NewInt(microseconds(last.Time)), textDatum(last.Detail)
		}
		row[15] = types.NewInt(r.Revalidations.Load())
		row[16] = types.NewInt(microseconds(since))
		if !emit(row) {
			return
		}
	}
}

func init() {
	column := func(name string, t *types.Type) *catalog.Column { return &catalog.Column{Name: name, Type: t} }
	catalog.RegisterRelation(13984, "pg_stat_assertions", []*catalog.Column{
		column("assertionid", types.Oid), column("schemaname", types.Name), column("assertionname", types.Name), column("state", types.Text),
		column("checks", types.Int8), column("skipped_by_operation", types.Int8), column("skipped_by_columns", types.Int8),
		column("skipped_by_values", types.Int8), column("skipped_by_rows", types.Int8),
		column("rows_changed", types.Int8), column("rows_read", types.Int8), column("total_time", types.Float8),
		column("violations", types.Int8), column("last_violation", types.TimestampTZ), column("last_violation_detail", types.Text),
		column("revalidations", types.Int8), column("stats_reset", types.TimestampTZ),
	}, ofSessions(assertionRows))
}
