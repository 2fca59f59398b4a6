package planner_test

import (
	"strings"
	"testing"

	"holdfast/planner/sessiontest"
)

// TestPartialIndex: a query whose conditions imply a partial index's predicate reads only what is in the index, and need not
// test the predicate again.
func TestPartialIndex(t *testing.T) {
	db := sessiontest.OpenPebble(t)
	c := db.Connect()
	c.Must(`CREATE TABLE job (id int PRIMARY KEY, runs int NOT NULL);
		INSERT INTO job SELECT g, CASE WHEN g % 100 = 0 THEN 0 ELSE 1 END FROM generate_series(1, 5000) g;
		CREATE INDEX job_waits ON job (id) WHERE runs = 0`)
	for _, q := range []struct{ text, rows string }{
		{"SELECT id FROM job WHERE runs = 0 ORDER BY id LIMIT 2", "100\n200"},
		{"SELECT id, runs FROM job WHERE runs = 0 AND id > 4800 ORDER BY id", "4900|0\n5000|0"},
		{"SELECT count(*) FROM job WHERE runs = 0", "50"},
	} {
		// In a prepared statement literals stay what they are.
		c.Must("PREPARE p AS " + q.text)
		c.Query("EXECUTE p", q.rows)
		plan := c.Must("EXPLAIN EXECUTE p").String()
		if !strings.Contains(plan, "job_waits") || strings.Contains(plan, "Filter") {
			t.Errorf("%s\n%s", q.text, plan)
		}
		c.Must("DEALLOCATE p")
		// The simple protocol lifts literals out of the text, for plans to be used again, but not here.
		before := c.Must("SELECT idx_scan FROM pg_stat_user_tables WHERE relname = 'job'").String()
		c.Query(q.text, q.rows)
		c.Query(q.text+" ", q.rows)
		if c.Must("SELECT idx_scan FROM pg_stat_user_tables WHERE relname = 'job'").String() == before {
			t.Errorf("%s does not use the index in the simple protocol", q.text)
		}
	}
	c.Fails("SELECT id FROM job WHERE runs = 'x'", `ERROR 22P02: invalid input syntax for type integer: "x"`)
	// Another transaction brings a row into the index that was read.
	d := db.Connect()
	c.Must("BEGIN; PREPARE p AS SELECT min(id) FROM job WHERE runs = 0; EXECUTE p")
	c.Must("UPDATE job SET runs = 2 WHERE id = 7")
	d.Must("UPDATE job SET runs = 0 WHERE id = 1")
	if _, err := c.Exec("COMMIT"); err == nil {
		t.Error("a phantom in a partial index goes unnoticed")
	}
}
