package planner_test

import (
	"fmt"
	"strings"
	"testing"

	"holdfast/kv/pebblekv"
	"holdfast/planner/sessiontest"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestRewrittenTables: a table that gets its key and indexes after its rows is the same as one that had them before, also
// where rows and entries are sorted in many parts.
func TestRewrittenTables(t *testing.T) {
	store, err := pebblekv.Open(pebblekv.Options{
		Folder: "data", FS: vfs.NewMem(), CacheBytes: 8 << 20, MemtableBytes: 4 << 20, SpillBytes: 100 << 10,
	})
	if err != nil {
		t.Fatal(err)
	}
	c := sessiontest.OpenStore(t, store).Connect()
	const columns = "id int, gone text, n numeric, s text, u int, w text"
	const rows = `SELECT g * 7919 % 10007 AS id, CASE WHEN g % 3 = 0 THEN 'gone' END AS gone, (g % 100) / 10.0 AS n,
		CASE WHEN g % 50 > 0 THEN 's' || g END AS s, CASE WHEN g % 5 > 0 THEN g END AS u, CASE WHEN g % 500 = 0 THEN repeat('wide', 20000) END AS w FROM generate_series(1, 1500) g`
	steps := []string{
		"ALTER TABLE %s ADD COLUMN late int DEFAULT 7",
		"ALTER TABLE %s DROP COLUMN gone",
		"INSERT INTO %s (id, n, s, late) VALUES (20000, 1.50, 'after', 8)",
		"UPDATE %s SET s = 'changed' WHERE id BETWEEN 100 AND 200",
		"DELETE FROM %s WHERE id BETWEEN 300 AND 400",
	}
	indexes := []string{
		"CREATE INDEX ON %s (s, n DESC) INCLUDE (late)", "CREATE UNIQUE INDEX ON %s (u)",
		"CREATE UNIQUE INDEX ON %s ((u * 2), id) WHERE id %% 2 = 0", "CREATE INDEX ON %s (n)",
	}
	queries := []string{
		"SELECT * FROM %s ORDER BY id", "SELECT id, late FROM %s WHERE s >= 's3' ORDER BY s, n DESC", "SELECT u, id FROM %s WHERE u > 100 ORDER BY u",
		"SELECT id FROM %s WHERE u * 2 = 84 AND id %% 2 = 0", "SELECT n, count(*), sum(length(s)) FROM %s WHERE n > 3 GROUP BY n ORDER BY n",
		"SELECT * FROM %s WHERE id = 7919", "SELECT count(*), sum(late) FROM %s",
	}
	all := func(statements []string, table string) {
		t.Helper()
		for _, s := range statements {
			c.Must(fmt.Sprintf(s, table))
		}
	}
	c.Must("CREATE TABLE before (" + columns + ", PRIMARY KEY (id)); CREATE INDEX ON before (gone)")
	all(indexes[1:2], "before")
	c.Must("INSERT INTO before " + rows)
	all(steps, "before")
	all(indexes[:1], "before")
	all(indexes[2:], "before")
	c.Must("SET work_mem = '64kB'")
	for name, order := range map[string][]string{
		"the key first": append([]string{"ALTER TABLE %s ADD PRIMARY KEY (id)"}, indexes...),
		"the key last":  append(append([]string{}, indexes...), "ALTER TABLE %s ADD PRIMARY KEY (id)"),
		"a type in between": append(append([]string{"ALTER TABLE %s ALTER late TYPE bigint USING late + 1"}, indexes...), "ALTER TABLE %s ADD PRIMARY KEY (id)",
			"ALTER TABLE %s ALTER late TYPE int USING late - 1"),
	} {
		c.Must("DROP TABLE IF EXISTS after; CREATE TABLE after (" + columns + "); INSERT INTO after " + rows)
		all(steps, "after")
		all(order, "after")
		for _, q := range queries {
			want, got := c.Must(fmt.Sprintf(q, "before")).String(), c.Must(fmt.Sprintf(q, "after")).String()
			if got != want {
				t.Fatalf("%s: %s differs:\n%.1000s\nwant\n%.1000s", name, q, got, want)
			}
		}
		// The entries can be removed and written again: they are what rows say.
		c.Must("DELETE FROM after; INSERT INTO after (id, u) SELECT id, u FROM before; DELETE FROM after")
		if got := c.Must("SELECT count(*) FROM after").String(); got != c.Must("SELECT count(*) FROM after WHERE false").String() {
			t.Fatalf("%s: %s rows are left", name, got)
		}
	}
}

// TestDuplicatesOfRewrittenTables: what is there twice is named, whether it lies side by side or far apart.
func TestDuplicatesOfRewrittenTables(t *testing.T) {
	c := sessiontest.OpenPebble(t).Connect()
	c.Must("SET work_mem = '64kB'")
	for _, at := range []int{1, 2500, 4999} {
		c.Must(fmt.Sprintf(`DROP TABLE IF EXISTS d; CREATE TABLE d (id int, s text);
			INSERT INTO d SELECT g * 7919 %% 10007, repeat('x', 50) || g FROM generate_series(1, 5000) g;
			INSERT INTO d SELECT id, s FROM d WHERE s = repeat('x', 50) || '%d'`, at))
		for statement, detail := range map[string]string{
			"ALTER TABLE d ADD CONSTRAINT k PRIMARY KEY (id)": fmt.Sprintf("Key (id)=(%d) is duplicated.", at*7919%10007),
			"CREATE UNIQUE INDEX k ON d (id)":                 fmt.Sprintf("Key (id)=(%d) is duplicated.", at*7919%10007),
			"CREATE UNIQUE INDEX k ON d (s DESC)":             fmt.Sprintf("Key (s)=(%s%d) is duplicated.", strings.Repeat("x", 50), at),
			"CREATE UNIQUE INDEX k ON d ((id + 1))":           fmt.Sprintf("Key ((id + 1))=(%d) is duplicated.", at*7919%10007+1),
		} {
			_, err := c.Exec(statement)
			if err == nil || !strings.Contains(sessiontest.Describe(err), detail) || !strings.Contains(sessiontest.Describe(err), `could not create unique index "k"`) {
				t.Errorf("%s: %v, want %s", statement, err, detail)
			}
		}
		// Two rows that become one by the change of a type.
		c.Must("CREATE TABLE e AS SELECT DISTINCT id, s FROM d; DROP TABLE d; ALTER TABLE e RENAME TO d; ALTER TABLE d ADD CONSTRAINT k PRIMARY KEY (id)")
		if _, err := c.Exec("ALTER TABLE d ALTER id TYPE int USING id / 2"); err == nil || !strings.Contains(sessiontest.Describe(err), "is duplicated") {
			t.Errorf("two keys that become one: %v", err)
		}
	}
}
