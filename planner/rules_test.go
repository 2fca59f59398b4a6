package planner_test

import (
	"testing"

	"holdfast/planner/sessiontest"
	"holdfast/sql/errs"
)

func TestForeignKeyErrors(t *testing.T) {
	c := sessiontest.Open(t).Connect()
	c.Must(`CREATE SCHEMA s;
		CREATE TABLE s.p (a int, b text, PRIMARY KEY (a, b));
		CREATE TABLE c (id int PRIMARY KEY, a int, b text, CONSTRAINT fk FOREIGN KEY (a, b) REFERENCES s.p);
		CREATE TABLE f (a bigint, b text, CONSTRAINT ff FOREIGN KEY (b, a) REFERENCES s.p (b, a) MATCH FULL);
		INSERT INTO s.p VALUES (1, 'x'), (2, 'y'), (3, 'z')`)
	c.Fails("INSERT INTO c VALUES (1, 1, 'y')", `
ERROR 23503: insert or update on table "c" violates foreign key constraint "fk"
DETAIL: Key (a, b)=(1, y) is not present in table "p".
SCHEMA: public
TABLE: c
CONSTRAINT: fk`)
	c.Must("INSERT INTO c VALUES (1, 1, NULL), (2, NULL, 'none'), (3, NULL, NULL), (4, 1, 'x')")
	c.Fails("UPDATE c SET b = 'y' WHERE id IN (1, 4)", `
ERROR 23503: insert or update on table "c" violates foreign key constraint "fk"
DETAIL: Key (a, b)=(1, y) is not present in table "p".
SCHEMA: public
TABLE: c
CONSTRAINT: fk`)
	c.Fails("DELETE FROM s.p", `
ERROR 23503: update or delete on table "p" violates foreign key constraint "fk" on table "c"
DETAIL: Key (a, b)=(1, x) is still referenced from table "c".
SCHEMA: public
TABLE: c
CONSTRAINT: fk`)
	c.Must("DELETE FROM s.p WHERE a = 3; UPDATE s.p SET b = b; UPDATE s.p SET a = 20 WHERE a = 2")
	c.Fails("UPDATE s.p SET a = 7 WHERE a = 1", `
ERROR 23503: update or delete on table "p" violates foreign key constraint "fk" on table "c"
DETAIL: Key (a, b)=(1, x) is still referenced from table "c".
SCHEMA: public
TABLE: c
CONSTRAINT: fk`)
	c.Fails("INSERT INTO f VALUES (1, NULL)", `
ERROR 23503: insert or update on table "f" violates foreign key constraint "ff"
DETAIL: MATCH FULL does not allow mixing of null and nonnull key values.
SCHEMA: public
TABLE: f
CONSTRAINT: ff`)
	c.Must("INSERT INTO f VALUES (1, 'x'), (NULL, NULL)")
	c.Fails("INSERT INTO f VALUES (5000000000, 'x')", `
ERROR 23503: insert or update on table "f" violates foreign key constraint "ff"
DETAIL: Key (b, a)=(x, 5000000000) is not present in table "p".
SCHEMA: public
TABLE: f
CONSTRAINT: ff`)
	// What a statement amounts to counts, not the order of its rows.
	c.Must("INSERT INTO s.p VALUES (2, 'x')")
	c.Must("UPDATE s.p SET a = 3 - a WHERE a IN (1, 2)")
	c.Fails("ALTER TABLE c ADD FOREIGN KEY (id) REFERENCES c (a)", `ERROR 42830: there is no unique constraint matching given keys for referenced table "c"`)
	c.Must("CREATE TABLE u (id int UNIQUE)")
	c.Fails("ALTER TABLE c ADD CONSTRAINT late FOREIGN KEY (id) REFERENCES u (id)", `
ERROR 23503: insert or update on table "c" violates foreign key constraint "late"
DETAIL: Key (id)=(1) is not present in table "u".
SCHEMA: public
TABLE: c
CONSTRAINT: late`)
	c.Must("ALTER TABLE c ADD CONSTRAINT late FOREIGN KEY (id) REFERENCES u (id) NOT VALID")
	c.Fails("INSERT INTO c VALUES (5)", `
ERROR 23503: insert or update on table "c" violates foreign key constraint "late"
DETAIL: Key (id)=(5) is not present in table "u".
SCHEMA: public
TABLE: c
CONSTRAINT: late`)
	c.Must("UPDATE c SET a = NULL; INSERT INTO u VALUES (1), (2), (3), (4)")
	c.Must("ALTER TABLE c VALIDATE CONSTRAINT late")
}

func TestForeignKeyActions(t *testing.T) {
	c := sessiontest.Open(t).Connect()
	c.Must(`CREATE TABLE p (id int PRIMARY KEY, u text UNIQUE);
		CREATE TABLE cas (id int PRIMARY KEY, p int REFERENCES p ON DELETE CASCADE ON UPDATE CASCADE, u text REFERENCES p (u) ON UPDATE CASCADE ON DELETE SET NULL);
		CREATE TABLE grand (id int PRIMARY KEY, c int REFERENCES cas ON DELETE CASCADE);
		CREATE TABLE def (id int PRIMARY KEY, p int DEFAULT 0 REFERENCES p ON DELETE SET DEFAULT ON UPDATE SET DEFAULT);
		CREATE TABLE nul (id int, a int, b int);
		INSERT INTO p VALUES (0, 'zero'), (1, 'one'), (2, 'two'), (3, 'three');
		INSERT INTO cas VALUES (1, 1, 'one'), (2, 1, 'two'), (3, 2, 'two'), (4, NULL, NULL);
		INSERT INTO grand VALUES (1, 1), (2, 2), (3, 3), (4, 4);
		INSERT INTO def VALUES (1, 1), (2, 2)`)
	c.Query("UPDATE p SET id = id + 10, u = u || '!' WHERE id > 0 RETURNING id", "11\n12\n13")
	c.Query("SELECT * FROM cas ORDER BY id", "1|11|one!\n2|11|two!\n3|12|two!\n4|NULL|NULL")
	c.Query("SELECT * FROM def ORDER BY id", "1|0\n2|0")
	// A swap of keys moves each child once.
	c.Must("UPDATE p SET id = 23 - id WHERE id IN (11, 12)")
	c.Query("SELECT id, p FROM cas ORDER BY id", "1|12\n2|12\n3|11\n4|NULL")
	c.Query("DELETE FROM p WHERE id = 12 RETURNING u", "one!")
	c.Query("SELECT * FROM cas ORDER BY id", "3|11|two!\n4|NULL|NULL")
	c.Query("SELECT * FROM grand ORDER BY id", "3|3\n4|4")
	c.Fails("DELETE FROM p WHERE id = 0", `
ERROR 23503: update or delete on table "p" violates foreign key constraint "def_p_fkey" on table "def"
DETAIL: Key (id)=(0) is still referenced from table "def".
SCHEMA: public
TABLE: def
CONSTRAINT: def_p_fkey`)
	c.Must("DELETE FROM def; DELETE FROM p")
	c.Query("SELECT * FROM cas", "4|NULL|NULL")

	c.Must(`CREATE TABLE tree (id int PRIMARY KEY, up int REFERENCES tree ON DELETE CASCADE);
		INSERT INTO tree VALUES (3, 2), (2, 1), (1, NULL), (4, 4), (5, 1), (6, 4)`)
	c.Query("DELETE FROM tree WHERE id = 1", "")
	c.Query("SELECT id FROM tree ORDER BY id", "4\n6")
	c.Must("DELETE FROM tree WHERE id = 4")
	c.Query("SELECT count(*) FROM tree", "0")
	c.Fails("INSERT INTO tree VALUES (7, 8)", `
ERROR 23503: insert or update on table "tree" violates foreign key constraint "tree_up_fkey"
DETAIL: Key (up)=(8) is not present in table "tree".
SCHEMA: public
TABLE: tree
CONSTRAINT: tree_up_fkey`)

	c.Must(`CREATE TABLE pair (a int, b int, PRIMARY KEY (a, b));
		CREATE TABLE part (a int, b int, FOREIGN KEY (a, b) REFERENCES pair ON DELETE SET NULL (b));
		INSERT INTO pair VALUES (1, 1); INSERT INTO part VALUES (1, 1); DELETE FROM pair`)
	c.Query("SELECT * FROM part", "1|NULL")
}

func TestRestrict(t *testing.T) {
	c := sessiontest.Open(t).Connect()
	c.Must(`CREATE TABLE p (id int PRIMARY KEY);
		CREATE TABLE c (p int REFERENCES p ON UPDATE RESTRICT ON DELETE RESTRICT);
		INSERT INTO p VALUES (1), (2); INSERT INTO c VALUES (1)`)
	c.Must("UPDATE p SET id = id")
	c.Fails("UPDATE p SET id = 3 - id", `
ERROR 23503: update or delete on table "p" violates foreign key constraint "c_p_fkey" on table "c"
DETAIL: Key (id)=(1) is still referenced from table "c".
SCHEMA: public
TABLE: c
CONSTRAINT: c_p_fkey`)
	c.Must("DELETE FROM p WHERE id = 2")
}

func TestWithQueriesThatChange(t *testing.T) {
	c := sessiontest.Open(t).Connect()
	c.Must(`CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (p int REFERENCES p)`)
	// The rules look at the outcome of the whole statement.
	c.Must("WITH x AS (INSERT INTO c VALUES (1)) INSERT INTO p VALUES (1)")
	c.Must("WITH x AS (DELETE FROM c RETURNING p) DELETE FROM p USING x WHERE x.p = p.id")
	c.Query("SELECT count(*) FROM p", "0")
	c.Fails("WITH x AS (INSERT INTO c VALUES (1)) SELECT 1", `
ERROR 23503: insert or update on table "c" violates foreign key constraint "c_p_fkey"
DETAIL: Key (p)=(1) is not present in table "p".
SCHEMA: public
TABLE: c
CONSTRAINT: c_p_fkey`)
	c.Query("SELECT count(*) FROM c", "0")
	// A row that an action of the same statement removes again needs no parent.
	c.Must("CREATE TABLE k (p int REFERENCES p ON DELETE CASCADE); INSERT INTO p VALUES (5)")
	c.Must("WITH x AS (INSERT INTO k VALUES (5)) DELETE FROM p WHERE id = 5")
	c.Query("SELECT count(*) FROM k", "0")
}

// TestGivenUpPortals: what a statement changes, and what is checked, does not depend on how many rows the client reads.
func TestGivenUpPortals(t *testing.T) {
	c := sessiontest.Open(t).Connect()
	c.Must(`CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (p int REFERENCES p); INSERT INTO p SELECT generate_series(1, 5); INSERT INTO c VALUES (5)`)
	if _, err := c.Portal("WITH x AS (DELETE FROM p RETURNING id) SELECT id FROM x", 1); errs.CodeOf(err) != errs.ForeignKeyViolation {
		t.Errorf("a violation: %v", err)
	}
	c.Query("SELECT count(*) FROM p", "5")
	if r, err := c.Portal("WITH x AS (DELETE FROM p WHERE id < 4 RETURNING id) SELECT id FROM x", 1); err != nil || r.String() != "1" {
		t.Errorf("%v, %v", r, err)
	}
	c.Query("SELECT id FROM p", "4\n5")
	if _, err := c.Portal("UPDATE p SET id = id + 10 RETURNING id", 1); errs.CodeOf(err) != errs.ForeignKeyViolation {
		t.Errorf("a violation: %v", err)
	}
	if _, err := c.Portal("INSERT INTO p SELECT generate_series(11, 13) RETURNING id", 1); err != nil {
		t.Error(err)
	}
	c.Query("SELECT count(*) FROM p", "5")
}

func TestDeferredForeignKeys(t *testing.T) {
	c := sessiontest.Open(t).Connect()
	c.Must(`CREATE TABLE p (id int PRIMARY KEY);
		CREATE TABLE c (id int PRIMARY KEY, p int, CONSTRAINT late FOREIGN KEY (p) REFERENCES p DEFERRABLE INITIALLY DEFERRED);
		CREATE TABLE d (p int, CONSTRAINT may FOREIGN KEY (p) REFERENCES p DEFERRABLE);
		CREATE TABLE e (p int, CONSTRAINT never FOREIGN KEY (p) REFERENCES p)`)
	missing := `
ERROR 23503: insert or update on table "c" violates foreign key constraint "late"
DETAIL: Key (p)=(1) is not present in table "p".
SCHEMA: public
TABLE: c
CONSTRAINT: late`
	c.Fails("INSERT INTO c VALUES (1, 1)", missing)
	if r, _ := c.Exec("INSERT INTO c VALUES (1, 1) RETURNING id"); r.Tag() != "" || len(r.Rows) > 0 {
		t.Errorf("a statement that failed was answered with %v", r)
	}
	c.Query("SELECT count(*) FROM c", "0")
	c.Must("BEGIN; INSERT INTO c VALUES (1, 1); INSERT INTO p VALUES (1); COMMIT")
	c.Must("BEGIN; DELETE FROM p; INSERT INTO p VALUES (1); COMMIT")
	c.Must("BEGIN; DELETE FROM p; DELETE FROM c; COMMIT")
	c.Must("BEGIN; INSERT INTO c VALUES (1, 1)")
	c.Fails("COMMIT", missing)
	c.Query("SELECT count(*) FROM c", "0")
	// A row that has gone again is none of its business, nor one that was changed.
	c.Must("BEGIN; INSERT INTO c VALUES (1, 1); UPDATE c SET p = NULL; INSERT INTO c VALUES (2, 2); DELETE FROM c WHERE id = 2; COMMIT")
	// Savepoints.
	c.Must("BEGIN; SAVEPOINT a; INSERT INTO c VALUES (3, 3); ROLLBACK TO a; COMMIT")
	c.Must("BEGIN; INSERT INTO c VALUES (9, 1); SAVEPOINT a; DELETE FROM c WHERE id = 9; ROLLBACK TO a")
	c.Fails("COMMIT", missing)
	// SET CONSTRAINTS.
	c.Must("BEGIN; INSERT INTO c VALUES (9, 1)")
	c.Fails("SET CONSTRAINTS late IMMEDIATE", missing)
	c.Must("ROLLBACK")
	c.Must("BEGIN; SET CONSTRAINTS ALL IMMEDIATE")
	c.Fails("INSERT INTO c VALUES (9, 1)", missing)
	c.Must("ROLLBACK")
	c.Must("BEGIN; SET CONSTRAINTS ALL DEFERRED; INSERT INTO d VALUES (1); INSERT INTO c VALUES (9, 1); SAVEPOINT a; INSERT INTO p VALUES (1); SET CONSTRAINTS ALL IMMEDIATE; ROLLBACK TO a")
	if _, err := c.Exec("COMMIT"); err == nil {
		t.Error("what was checked after the savepoint was not checked again")
	}
	c.Must("BEGIN; SET CONSTRAINTS may, late DEFERRED; INSERT INTO d VALUES (5); INSERT INTO p VALUES (5); SET CONSTRAINTS may IMMEDIATE; COMMIT")
	c.Must("BEGIN")
	c.Fails("SET CONSTRAINTS never DEFERRED", `ERROR 42809: constraint "never" is not deferrable`)
	c.Must("ROLLBACK; BEGIN")
	c.Fails("SET CONSTRAINTS nothing DEFERRED", `ERROR 42704: constraint "nothing" does not exist`)
	c.Must("ROLLBACK")
	if r := c.Must("SET CONSTRAINTS ALL DEFERRED"); len(r.Notices) != 1 || r.Notices[0].Code != "25P01" {
		t.Errorf("outside of a transaction: %v", r.Notices)
	}
}

func TestAssertions(t *testing.T) {
	c := sessiontest.Open(t).Connect()
	c.Must(`CREATE TABLE dept (id int PRIMARY KEY, cap numeric);
		CREATE TABLE emp (no int PRIMARY KEY, dept int, salary numeric, boss int);
		INSERT INTO dept VALUES (1, 1000), (2, 500);
		INSERT INTO emp VALUES (10, 1, 400, NULL), (11, 1, 300, 10), (20, 2, 500, NULL)`)
	c.Must(`CREATE ASSERTION payroll CHECK (NOT EXISTS (
		SELECT d.id, sum(e.salary) AS total FROM dept d JOIN emp e ON e.dept = d.id GROUP BY d.id, d.cap HAVING sum(e.salary) > d.cap))`)
	violated := func(what, row string) string {
		return `
ERROR 23514: assertion "payroll" is violated
DETAIL: Violating group: ` + row + `.
WHERE: checking assertion "payroll" at the end of ` + what + `
SCHEMA: public
CONSTRAINT: payroll`
	}
	c.Fails("INSERT INTO emp VALUES (12, 1, 300.50, 10)", violated(`INSERT of table "emp"`, "(id) = (1), total = 1000.50"))
	c.Fails("UPDATE emp SET dept = 2 WHERE no = 11", violated(`UPDATE of table "emp"`, "(id) = (2), total = 800"))
	c.Fails("UPDATE dept SET cap = 400 WHERE id = 2", violated(`UPDATE of table "dept"`, "(id) = (2), total = 500"))
	c.Must("UPDATE emp SET boss = 11 WHERE no = 20; DELETE FROM emp WHERE no = 11; UPDATE dept SET cap = NULL WHERE id = 2; INSERT INTO emp VALUES (21, 2, 5000, null)")
	c.Fails("CREATE ASSERTION poor CHECK (NOT EXISTS (SELECT 1 FROM emp WHERE salary > 1000))", `
ERROR 23514: assertion "poor" is violated
DETAIL: Violating row: (no, dept, salary, boss) = (21, 2, 5000, null).
HINT: The data there are have to fulfil it. NOT VALID enforces it for what changes alone, and violations('poor') then returns all that is wrong.
SCHEMA: public
CONSTRAINT: poor`)
	c.Fails("ALTER ASSERTION poor DISABLE", `ERROR 42704: assertion "poor" does not exist`)

	// Several conditions, and the universal form.
	c.Must("CREATE ASSERTION many CHECK (NOT EXISTS (SELECT no, boss FROM emp WHERE boss = no) AND (SELECT count(*) FROM dept) <= 3)")
	c.Fails("UPDATE emp SET boss = no WHERE no = 20", `
ERROR 23514: assertion "many" is violated
DETAIL: Violating row: (no, boss) = (20, 20).
WHERE: checking assertion "many" at the end of UPDATE of table "emp"
SCHEMA: public
CONSTRAINT: many`)
	c.Fails("INSERT INTO dept VALUES (3), (4)", `
ERROR 23514: assertion "many" is violated
DETAIL: Violating row: (count) = (4).
WHERE: checking assertion "many" at the end of INSERT of table "dept"
SCHEMA: public
CONSTRAINT: many`)
	c.Must("ALTER ASSERTION many DISABLE; INSERT INTO dept VALUES (3), (4)")
	c.Fails("ALTER ASSERTION many ENABLE", `
ERROR 23514: assertion "many" is violated
DETAIL: Violating row: (count) = (4).
HINT: SELECT * FROM violations('many') returns all that is wrong.
SCHEMA: public
CONSTRAINT: many`)
	c.Must("DROP ASSERTION many")

	c.Must("CREATE ASSERTION oneself CHECK (ALL (SELECT no, boss FROM emp) e SATISFY (e.boss <> e.no))")
	c.Fails("UPDATE emp SET boss = no WHERE no = 20", `
ERROR 23514: assertion "oneself" is violated
DETAIL: Violating row: (no, boss) = (20, 20).
WHERE: checking assertion "oneself" at the end of UPDATE of table "emp"
SCHEMA: public
CONSTRAINT: oneself`)

	// Through a view.
	c.Must("CREATE VIEW rich AS SELECT no, salary FROM emp WHERE salary > 5000; CREATE ASSERTION norich CHECK (NOT EXISTS (SELECT * FROM rich))")
	c.Fails("UPDATE emp SET salary = 6000 WHERE no = 21", `
ERROR 23514: assertion "norich" is violated
DETAIL: Violating row: (no, salary) = (21, 6000).
WHERE: checking assertion "norich" at the end of UPDATE of table "emp"
SCHEMA: public
CONSTRAINT: norich`)
}

func TestFunctionsInAssertions(t *testing.T) {
	c := sessiontest.Open(t).Connect()
	c.Must("CREATE TABLE t (id int PRIMARY KEY, at timestamptz, day date)")
	c.Must("CREATE ASSERTION unknown CHECK (NULL); CREATE ASSERTION yes CHECK (true); INSERT INTO t VALUES (1)")
	c.Fails("CREATE ASSERTION no CHECK (false)", "ERROR 23514: assertion \"no\" is violated\nDETAIL: The condition is false.\nHINT: The condition is false whatever the data are.\nSCHEMA: public\nCONSTRAINT: no")
	for _, cond := range []string{
		"NOT EXISTS (SELECT 1 FROM t WHERE at > now())",
		"NOT EXISTS (SELECT 1 FROM t WHERE NOT (day <= current_date))",
		"NOT EXISTS (SELECT 1 FROM t WHERE at > now() + interval '1 day')",
		"(SELECT max(day) FROM t) <= current_date",
	} {
		c.Must("CREATE ASSERTION a CHECK (" + cond + "); DROP ASSERTION a")
	}
	for _, cond := range []string{
		"NOT EXISTS (SELECT 1 FROM t WHERE at < now())",
		"NOT EXISTS (SELECT 1 FROM t WHERE NOT (day > current_date - 7))",
		"NOT EXISTS (SELECT 1 FROM t WHERE extract(hour FROM now()) < 7)",
		"(SELECT count(*) FROM t WHERE at > now()) > 3 OR NOT EXISTS (SELECT 1 FROM t)",
		"NOT EXISTS (SELECT 1 FROM t WHERE random() < 0.5)",
		"NOT EXISTS (SELECT 1 FROM t WHERE at < clock_timestamp())",
	} {
		if _, err := c.Exec("CREATE ASSERTION a CHECK (" + cond + ")"); errs.CodeOf(err) != errs.InvalidObjectDefinition {
			t.Errorf("%s: %v", cond, err)
		}
	}
}

func TestAssertionsOverEmptyTables(t *testing.T) {
	c := sessiontest.Open(t).Connect()
	c.Must("CREATE TABLE t (a int)")
	c.Fails("CREATE ASSERTION one CHECK ((SELECT count(*) FROM t) > 0)", `
ERROR 23514: assertion "one" is violated
DETAIL: Violating row: (count) = (0).
HINT: The data there are have to fulfil it. NOT VALID enforces it for what changes alone, and violations('one') then returns all that is wrong.
SCHEMA: public
CONSTRAINT: one`)
	c.Must("CREATE ASSERTION total CHECK ((SELECT sum(a) FROM t) > 10)")
	c.Must("CREATE ASSERTION groups CHECK (NOT EXISTS (SELECT a FROM t GROUP BY a HAVING count(*) < 2))")
	c.Must("CREATE ASSERTION witness CHECK (NOT EXISTS (SELECT FROM t) OR EXISTS (SELECT FROM t WHERE a = 20))")
	c.Must("INSERT INTO t VALUES (20), (20)")
	c.Fails("DELETE FROM t WHERE ctid IN (SELECT ctid FROM t LIMIT 1)", `
ERROR 23514: assertion "groups" is violated
DETAIL: Violating group: (a) = (20), count = 1.
WHERE: checking assertion "groups" at the end of DELETE of table "t"
SCHEMA: public
CONSTRAINT: groups`)
	c.Fails("UPDATE t SET a = 5", `
ERROR 23514: assertion "total" is violated
DETAIL: Violating row: (sum) = (10).
WHERE: checking assertion "total" at the end of UPDATE of table "t"
SCHEMA: public
CONSTRAINT: total`)
	c.Fails("UPDATE t SET a = 30", `
ERROR 23514: assertion "witness" is violated
DETAIL: Violating row: (a) = (30).
WHERE: checking assertion "witness" at the end of UPDATE of table "t"
SCHEMA: public
CONSTRAINT: witness`)
	c.Must("DELETE FROM t")
}

func TestDeferredAssertions(t *testing.T) {
	c := sessiontest.Open(t).Connect()
	c.Must(`CREATE TABLE account (id int PRIMARY KEY, amount int);
		CREATE ASSERTION balanced CHECK ((SELECT coalesce(sum(amount), 0) FROM account) = 0) DEFERRABLE INITIALLY DEFERRED`)
	violated := `
ERROR 23514: assertion "balanced" is violated
DETAIL: Violating row: (coalesce) = (5).
WHERE: checking assertion "balanced" at COMMIT
SCHEMA: public
CONSTRAINT: balanced`
	c.Fails("INSERT INTO account VALUES (1, 5)", violated)
	c.Must("BEGIN; INSERT INTO account VALUES (1, 5); INSERT INTO account VALUES (2, -5); COMMIT")
	c.Must("BEGIN; UPDATE account SET amount = 10 WHERE id = 1")
	c.Fails("COMMIT", violated)
	c.Must("BEGIN; SAVEPOINT a; UPDATE account SET amount = 10 WHERE id = 1; ROLLBACK TO a; COMMIT")
	c.Must("BEGIN; UPDATE account SET amount = 10 WHERE id = 1")
	c.Fails("SET CONSTRAINTS balanced IMMEDIATE", `
ERROR 23514: assertion "balanced" is violated
DETAIL: Violating row: (coalesce) = (5).
WHERE: checking assertion "balanced" at SET CONSTRAINTS
SCHEMA: public
CONSTRAINT: balanced`)
	c.Must("ROLLBACK")
}

func TestLenientAssertions(t *testing.T) {
	c := sessiontest.Open(t).Connect()
	c.Must(`CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, -1), (2, 2);
		CREATE ASSERTION positive CHECK (NOT EXISTS (SELECT * FROM t WHERE a < 0)) NOT VALID`)
	c.Must("INSERT INTO t VALUES (3, 3); UPDATE t SET a = 4 WHERE id = 2")
	c.Fails("INSERT INTO t VALUES (4, -4)", `
ERROR 23514: assertion "positive" is violated
DETAIL: Violating row: (id, a) = (4, -4).
WHERE: checking assertion "positive" at the end of INSERT of table "t"
SCHEMA: public
CONSTRAINT: positive`)
	c.Fails("ALTER ASSERTION positive VALIDATE", `
ERROR 23514: assertion "positive" is violated
DETAIL: Violating row: (id, a) = (1, -1).
HINT: SELECT * FROM violations('positive') returns all that is wrong.
SCHEMA: public
CONSTRAINT: positive`)
	c.Must("UPDATE t SET a = 1 WHERE id = 1; ALTER ASSERTION positive VALIDATE")
	c.Must("CREATE ASSERTION small CHECK (NOT EXISTS (SELECT id, a FROM t WHERE a > 100)) NOT ENFORCED")
	r := c.Must("UPDATE t SET a = 200 WHERE id = 1")
	want := `WARNING 23514: assertion "small" is violated
DETAIL: Violating row: (id, a) = (1, 200).
WHERE: checking assertion "small" at the end of UPDATE of table "t"
SCHEMA: public
CONSTRAINT: small`
	if len(r.Notices) != 1 || sessiontest.Describe(r.Notices[0]) != want {
		t.Errorf("notices: %v", r.Notices)
	}
	if r := c.Must("UPDATE t SET a = 3 WHERE id = 2"); len(r.Notices) != 0 {
		t.Errorf("a warning of an old violation: %s", sessiontest.Describe(r.Notices[0]))
	}
}

// TestActionsBeforeChecks has two cascades keep an assertion together that either alone breaks.
func TestActionsBeforeChecks(t *testing.T) {
	c := sessiontest.Open(t).Connect()
	c.Must(`CREATE TABLE p (id int PRIMARY KEY);
		CREATE TABLE a (p int REFERENCES p ON DELETE CASCADE);
		CREATE TABLE b (p int REFERENCES p ON DELETE CASCADE);
		CREATE ASSERTION same CHECK ((SELECT count(*) FROM a) = (SELECT count(*) FROM b)) DEFERRABLE;
		INSERT INTO p VALUES (1);
		BEGIN; SET CONSTRAINTS same DEFERRED; INSERT INTO a VALUES (1); INSERT INTO b VALUES (1); COMMIT`)
	c.Must("DELETE FROM p")
	c.Query("SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM b)", "0|0")
}

// TestChecksSeeWhatActionsLeft: an action changes rows again that the statement has changed; rules look at the rows as they
// are in the end.
func TestChecksSeeWhatActionsLeft(t *testing.T) {
	c := sessiontest.Open(t).Connect()
	c.Must(`CREATE TABLE t (id int PRIMARY KEY, parent int REFERENCES t ON UPDATE CASCADE);
		CREATE ASSERTION next CHECK (NOT EXISTS (SELECT id, parent FROM t WHERE parent <> id - 1));
		INSERT INTO t VALUES (1, NULL), (2, 1)`)
	c.Must("UPDATE t SET id = id + 10")
	c.Query("SELECT * FROM t", "11|NULL\n12|11")
	c.Fails("UPDATE t SET id = id - 1 WHERE id = 11", `
ERROR 23514: assertion "next" is violated
DETAIL: Violating row: (id, parent) = (12, 10).
WHERE: checking assertion "next" at the end of UPDATE of table "t"
SCHEMA: public
CONSTRAINT: next`)

	c.Must(`CREATE TABLE p (id int PRIMARY KEY);
		CREATE TABLE k (p int REFERENCES p ON DELETE SET NULL, q int REFERENCES p ON DELETE CASCADE);
		CREATE ASSERTION known CHECK (NOT EXISTS (SELECT p, q FROM k WHERE p IS NULL));
		INSERT INTO p VALUES (1), (2); INSERT INTO k VALUES (1, 1), (1, 2)`)
	c.Fails("DELETE FROM p WHERE id = 1", `
ERROR 23514: assertion "known" is violated
DETAIL: Violating row: (p, q) = (null, 2).
WHERE: checking assertion "known" at the end of UPDATE of table "k"
SCHEMA: public
CONSTRAINT: known`)
	c.Must("DELETE FROM k WHERE q = 2; DELETE FROM p WHERE id = 1")
	c.Query("SELECT count(*) FROM k", "0")
}

// TestDeferredRulesAndSchemaChanges changes the schema between a change of rows and its deferred check.
func TestDeferredRulesAndSchemaChanges(t *testing.T) {
	c := sessiontest.Open(t).Connect()
	c.Must(`CREATE TABLE r (id int PRIMARY KEY, a int); CREATE TABLE s (id int PRIMARY KEY, b int); INSERT INTO s VALUES (1, 1);
		CREATE ASSERTION small CHECK (NOT EXISTS (SELECT id FROM r JOIN s USING (id) WHERE a > b)) DEFERRABLE INITIALLY DEFERRED;
		CREATE TABLE p (id int PRIMARY KEY);
		CREATE TABLE k (id int PRIMARY KEY, p int REFERENCES p DEFERRABLE INITIALLY DEFERRED)`)
	// What was there and is gone again does not count.
	c.Must("BEGIN; INSERT INTO r VALUES (1, 5); INSERT INTO k VALUES (1, 5); CREATE TABLE x (); DELETE FROM r; DELETE FROM k; COMMIT")
	// Nor does a rule that is gone.
	c.Must("BEGIN; INSERT INTO k VALUES (1, 5); DROP TABLE p CASCADE; COMMIT; DELETE FROM k")
	c.Must("BEGIN; INSERT INTO r VALUES (1, 5); DROP ASSERTION small; COMMIT; DELETE FROM r")
	// A rule that is still there does.
	c.Must("CREATE ASSERTION small CHECK (NOT EXISTS (SELECT id FROM r JOIN s USING (id) WHERE a > b)) DEFERRABLE INITIALLY DEFERRED")
	c.Must("BEGIN; INSERT INTO r VALUES (1, 5); ALTER TABLE s ADD c int; DROP TABLE x")
	c.Fails("COMMIT", `
ERROR 23514: assertion "small" is violated
DETAIL: Violating row: (id) = (1).
WHERE: checking assertion "small" at COMMIT
SCHEMA: public
CONSTRAINT: small`)
	for _, s := range [][2]string{
		{"TRUNCATE r", "TRUNCATE"}, {"DROP TABLE r CASCADE", "DROP TABLE"}, {"ALTER TABLE r ADD c int", "ALTER TABLE"},
	} {
		c.Must("BEGIN; INSERT INTO r VALUES (1, 5)")
		c.Fails(s[0], `ERROR 55006: cannot `+s[1]+` "r" because it has pending trigger events`)
		c.Must("ROLLBACK")
	}
}

func TestWhatAssertionsMayRead(t *testing.T) {
	c := sessiontest.Open(t).Connect()
	c.Must(`CREATE TABLE t (a int); INSERT INTO t VALUES (50); CREATE VIEW v AS SELECT * FROM t WHERE a < 10;
		CREATE ASSERTION x CHECK (NOT EXISTS (SELECT * FROM v WHERE a > 7))`)
	if _, err := c.Exec("CREATE OR REPLACE VIEW v AS SELECT * FROM t"); errs.CodeOf(err) != errs.FeatureNotSupported {
		t.Errorf("replacing the view: %v", err)
	}
	c.Must("DROP ASSERTION x; CREATE OR REPLACE VIEW v AS SELECT * FROM t")
}

// TestDeferredRulesCheckedBetween: what changed before a deferred rule was checked in full, by TRUNCATE or ENABLE, is not set off against
// what changes after.
func TestDeferredRulesCheckedBetween(t *testing.T) {
	c := sessiontest.Open(t).Connect()
	c.Must(`CREATE TABLE w (id int PRIMARY KEY, least int); INSERT INTO w VALUES (1, 0);
		CREATE TABLE d (w int); CREATE INDEX ON d (w); INSERT INTO d VALUES (1), (1);
		CREATE ASSERTION a CHECK (NOT EXISTS (SELECT id FROM w WHERE (SELECT count(*) FROM d WHERE d.w = w.id) < least)) DEFERRABLE INITIALLY DEFERRED;
		UPDATE w SET least = 2`)
	c.Must("BEGIN; UPDATE w SET least = 0; TRUNCATE d; UPDATE w SET least = 2")
	c.Fails("COMMIT", `
ERROR 23514: assertion "a" is violated
DETAIL: Violating row: (id) = (1).
WHERE: checking assertion "a" at COMMIT
SCHEMA: public
CONSTRAINT: a`)
	c.Must("BEGIN; UPDATE w SET least = 0; ALTER ASSERTION a DISABLE; DELETE FROM d; ALTER ASSERTION a ENABLE; UPDATE w SET least = 2")
	if _, err := c.Exec("COMMIT"); err == nil {
		t.Error("COMMIT was not refused")
	}
	c.Must("BEGIN; UPDATE w SET least = 0; TRUNCATE d; UPDATE w SET least = 2; UPDATE w SET least = 0; COMMIT")
}

// TestDeferredTruncate: TRUNCATE leaves a deferred rule to COMMIT, or SET CONSTRAINTS, which check it in full.
func TestDeferredTruncate(t *testing.T) {
	const rule = "CREATE ASSERTION a CHECK (NOT EXISTS (SELECT id FROM w WHERE (SELECT count(*) FROM d WHERE d.w = w.id) < 1)) DEFERRABLE INITIALLY DEFERRED"
	for _, test := range []struct{ statements, end string }{
		{"TRUNCATE d; INSERT INTO d VALUES (1)", ""},
		{"TRUNCATE d", "23514"},
		{"TRUNCATE d; INSERT INTO w VALUES (2); INSERT INTO d VALUES (1)", "23514"},
		{"TRUNCATE d, w", ""},
		{"TRUNCATE d; TRUNCATE w", ""},
		{"SAVEPOINT s; TRUNCATE d; ROLLBACK TO s", ""},
		{"TRUNCATE d; SAVEPOINT s; INSERT INTO d VALUES (1); ROLLBACK TO s", "23514"},
		{"TRUNCATE d; SAVEPOINT s; !SET CONSTRAINTS a IMMEDIATE; ROLLBACK TO s; INSERT INTO d VALUES (1); SET CONSTRAINTS a IMMEDIATE; SET CONSTRAINTS a DEFERRED; DELETE FROM w", ""},
		{"SET CONSTRAINTS a IMMEDIATE; SAVEPOINT s; !TRUNCATE d; ROLLBACK TO s", ""},
		{"TRUNCATE d; INSERT INTO d VALUES (1); SET CONSTRAINTS ALL IMMEDIATE; SAVEPOINT s; !DELETE FROM d; ROLLBACK TO s", ""},
		{"INSERT INTO w VALUES (2); TRUNCATE d; INSERT INTO d VALUES (1), (2)", ""},
		{"INSERT INTO w VALUES (2); TRUNCATE d; INSERT INTO d VALUES (1)", "23514"},
		{"TRUNCATE d; ALTER ASSERTION a DISABLE", ""},
		{"TRUNCATE d; DROP ASSERTION a", ""},
		{"TRUNCATE d; ALTER TABLE d ADD COLUMN n int; INSERT INTO d VALUES (1, 1)", ""},
	} {
		c := sessiontest.Open(t).Connect()
		c.Must("CREATE TABLE w (id int PRIMARY KEY); INSERT INTO w VALUES (1); CREATE TABLE d (w int); CREATE INDEX ON d (w); INSERT INTO d VALUES (1), (1); " + rule)
		script(t, c, "BEGIN; "+test.statements)
		_, err := c.Exec("COMMIT")
		if code := string(errs.CodeOf(err)); err == nil && test.end != "" || err != nil && code != test.end {
			t.Errorf("%s: COMMIT: %v, want %q", test.statements, err, test.end)
		}
		if c.Session.TransactionStatus() != 'I' {
			t.Errorf("%s: the transaction is open", test.statements)
		}
	}
}
