package planner_test

import (
	"testing"

	"holdfast/planner/sessiontest"
)

// TestViewRoles: an UPDATE through a view that has one table in several roles. What is set in one role is tested with the conditions
// of the others, as the rows are when the statement is through.
func TestViewRoles(t *testing.T) {
	c := sessiontest.Open(t).Connect()
	c.Must(`CREATE TABLE r (k int PRIMARY KEY, a int, b int);
		CREATE TABLE s (k int PRIMARY KEY, a int, b int);
		INSERT INTO r VALUES (0, 4, 3), (1, 5, 5);
		INSERT INTO s VALUES (1, 0, 4), (2, 1, 2);
		CREATE VIEW joined AS SELECT x.k AS xk, x.a AS xa, y.a AS ya, r.k AS rk, r.a AS ra FROM s x JOIN s y USING (k) JOIN r ON x.a = r.k;
		CREATE VIEW checked AS SELECT x.k AS xk, y.b AS yb FROM s x JOIN s y USING (k) WHERE x.b <> 3 WITH CASCADED CHECK OPTION;
		CREATE VIEW referring AS SELECT x.k AS xk, x.a, y.b AS yb FROM s x, s y WHERE x.b = y.k;
		CREATE VIEW moved AS SELECT r.k AS rk, x.a AS xa, y.a AS ya FROM r, s x JOIN s y ON x.k = y.k WHERE r.k = x.a`)
	const left = "ERROR 44000: a row would leave view "
	const another = "\nDETAIL: A condition of the view is no longer true of the row of table \"s\", which is written in another place.\nHINT: Change the table itself."
	c.Fails("UPDATE joined SET ya = 3, ra = rk WHERE xk = 1", left+`"joined"`+another)
	c.Fails("UPDATE checked SET yb = NULL WHERE xk = 1", left+`"checked"`+another)
	c.Fails("UPDATE checked SET yb = 3 WHERE xk = 1", left+`"checked"`+another)
	c.Query("UPDATE checked SET yb = 5 WHERE xk = 1 RETURNING *", "1|5")
	c.Fails("UPDATE referring SET xk = xk + 1", left+`"referring"`+another)
	c.Fails("UPDATE moved SET rk = 1 WHERE xa = 0", `ERROR 44000: the new row of view "moved" would not show what it was given
DETAIL: Column "ya" would be 1, not 0: the row of table "s" that it comes from is written in another place as well.
HINT: Set the columns of all places in which the row shows, or change the table itself.`)
	c.Query("SELECT * FROM s ORDER BY k", "1|0|5\n2|1|2")
}

// TestViewWrittenBack: the optional side of an outer join is set to what it shows, and to expressions that are inverted.
func TestViewWrittenBack(t *testing.T) {
	c := sessiontest.Open(t).Connect()
	c.Must(`CREATE TABLE r (k int PRIMARY KEY, a int, c int NOT NULL DEFAULT 4);
		CREATE TABLE s (k int PRIMARY KEY, b int);
		INSERT INTO r VALUES (1, 3, 1); INSERT INTO s VALUES (1, 4), (2, 5);
		CREATE VIEW v AS SELECT s.k, s.b, r.k AS rk, r.a, r.c + 2 AS c FROM s LEFT JOIN r USING (k)`)
	c.Query("UPDATE v SET c = c, a = a RETURNING *", "1|4|1|3|3\n2|5|NULL|NULL|NULL")
	c.Query("UPDATE v SET c = rk + 7 WHERE k = 1 RETURNING *", "1|4|1|3|8")
	c.Query("UPDATE v SET c = b + 1, b = 6 WHERE k = 2 RETURNING *", "2|6|2|NULL|6")
	c.Query("SELECT * FROM r ORDER BY k", "1|3|6\n2|NULL|4")
}

// TestViewColumnReferredTo: a column by which rows of other tables refer to a table is not updatable, and is not said to be.
func TestViewColumnReferredTo(t *testing.T) {
	c := sessiontest.Open(t).Connect()
	c.Must(`CREATE TABLE parent (k int PRIMARY KEY, most int); CREATE TABLE child (k int PRIMARY KEY, p int, n int);
		CREATE VIEW v AS SELECT c.k, c.p, c.n, p.most FROM child c JOIN parent p ON c.p = p.k AND c.n <= p.most`)
	c.Query("SELECT column_name, is_updatable FROM information_schema.columns WHERE table_name = 'v' ORDER BY ordinal_position", "k|YES\np|YES\nn|YES\nmost|NO")
	if _, err := c.Exec("UPDATE v SET most = 1 WHERE false"); err == nil {
		t.Error("the column can be set")
	}
	c.Query("INSERT INTO v VALUES (1, 1, 5, 6) RETURNING *", "1|1|5|6")
}
