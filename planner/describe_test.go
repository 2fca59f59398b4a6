package planner_test

import (
	"testing"

	"holdfast/planner/sessiontest"
)

// TestAssertionsOfTable: what psql asks for \d shows the assertions that read a table; what pg_dump and others ask who make tables
// again does not.
func TestAssertionsOfTable(t *testing.T) {
	c := sessiontest.Open(t).Connect()
	c.Must(`CREATE TABLE t (id int PRIMARY KEY, n int CHECK (n > 0)); CREATE TABLE u (id int); CREATE TABLE v (id int); CREATE VIEW w AS SELECT * FROM u;
		CREATE ASSERTION "Both" CHECK (NOT EXISTS (SELECT FROM t JOIN w ON w.id = t.n)) DEFERRABLE;
		CREATE ASSERTION few CHECK ((SELECT count(*) FROM t) < 5) NOT VALID; ALTER ASSERTION few DISABLE`)
	ofTable := func(table, want string) {
		t.Helper()
		c.Query(`SELECT t.tgname, pg_catalog.pg_get_triggerdef(t.oid, true), t.tgenabled, CASE WHEN t.tgparentid != 0 THEN
			(SELECT u.tgrelid::pg_catalog.regclass FROM pg_catalog.pg_trigger AS u, pg_catalog.pg_partition_ancestors(t.tgrelid) WITH ORDINALITY AS a(relid, depth)
				WHERE u.tgname = t.tgname AND u.tgrelid = a.relid AND u.tgparentid = 0 ORDER BY a.depth LIMIT 1) END AS parent
			FROM pg_catalog.pg_trigger t WHERE t.tgrelid = '`+table+`'::regclass AND (NOT t.tgisinternal OR (t.tgisinternal AND t.tgenabled = 'D')) ORDER BY 1`, want)
	}
	const both = `Both|CREATE CONSTRAINT TRIGGER "Both" ASSERTION CHECK ((NOT (EXISTS ( SELECT FROM (t JOIN w ON ((w.id = t.n))))))) DEFERRABLE|O|NULL`
	const few = "few|CREATE CONSTRAINT TRIGGER few ASSERTION CHECK ((( SELECT count(*) AS count FROM t) < 5)) NOT VALID|D|NULL"
	ofTable("t", both+"\n"+few)
	ofTable("u", both)
	ofTable("v", "")
	ofTable("w", "")
	c.Query("SELECT relname, relhastriggers, relchecks FROM pg_class WHERE relname IN ('t', 'u', 'v', 'w') ORDER BY 1", "t|t|1\nu|t|0\nv|f|0\nw|f|0")
	c.Query(`SELECT count(*) FROM pg_trigger t LEFT JOIN pg_catalog.pg_trigger u ON u.oid = t.tgparentid
		WHERE (NOT t.tgisinternal AND t.tgparentid = 0) OR t.tgenabled != u.tgenabled`, "0")
	c.Query("SELECT count(*) FROM pg_constraint WHERE contype = 'c' AND conrelid <> 0", "1")
	c.Query("SELECT count(*) FROM information_schema.triggers", "0")
	c.Query("SELECT count(DISTINCT oid), count(*) FROM pg_trigger", "3|3")

	c.Must("COMMENT ON ASSERTION few IS 'not too many'")
	c.Query(`SELECT obj_description(oid, 'pg_constraint') FROM pg_constraint WHERE conname = 'few'`, "not too many")
	c.Must("DROP ASSERTION \"Both\"")
	ofTable("u", "")
}
