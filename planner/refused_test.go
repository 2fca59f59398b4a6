package planner_test

import (
	"context"
	"strings"
	"testing"

	"holdfast/kv"
	"holdfast/kv/memkv"
	"holdfast/planner/sessiontest"
	"holdfast/sql/errs"
)

// TestRefusedByThePast: what violates a constraint on the snapshot of a transaction, but not any more, is not refused.
func TestRefusedByThePast(t *testing.T) {
	const schema = `CREATE TABLE parent (id int PRIMARY KEY, room int);
		INSERT INTO parent VALUES (1, 1), (2, 1);
		CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent, late int REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
		CREATE INDEX ON child (parent);
		INSERT INTO child VALUES (1, 1);
		CREATE ASSERTION room CHECK (NOT EXISTS (SELECT 1 FROM parent p WHERE (SELECT count(*) FROM child c WHERE c.parent = p.id) > p.room))`
	tests := []struct {
		name   string
		before string // what the transaction does
		other  string // what others do then
		after  string // and what it does next
		want   string // the SQLSTATE of that, or else of COMMIT, "" if it commits
	}{
		{"the parent has come", "SELECT * FROM parent WHERE id = 2", "INSERT INTO parent VALUES (3, 1)", "INSERT INTO child VALUES (9, 3)", ""},
		{"the parent has come, for COMMIT", "INSERT INTO child VALUES (9, NULL, 3)", "INSERT INTO parent VALUES (3, 1)", "SELECT 1", ""},
		{"the parent has not come", "SELECT * FROM parent WHERE id = 2", "INSERT INTO parent VALUES (4, 1)", "INSERT INTO child VALUES (9, 3)", "23503"},
		{"the parent has not come, for COMMIT", "INSERT INTO child VALUES (9, NULL, 3)", "INSERT INTO parent VALUES (4, 1)", "SELECT 1", "23503"},
		{"the parent has come, where nobody was seen", "SELECT * FROM parent WHERE id = 3", "INSERT INTO parent VALUES (3, 1)", "INSERT INTO child VALUES (9, 3)", "40001"},
		{"the key has gone", "SELECT * FROM parent WHERE id = 2", "DELETE FROM child", "INSERT INTO child VALUES (1, 2)", ""},
		{"the key has gone and come", "SELECT * FROM parent WHERE id = 2", "DELETE FROM child; INSERT INTO child VALUES (1, 2)", "INSERT INTO child VALUES (1, 2)", "23505"},
		{"a rule has room", "SELECT * FROM parent WHERE id = 2", "UPDATE parent SET room = 2 WHERE id = 1", "INSERT INTO child VALUES (9, 1)", ""},
		{"a rule has no room", "SELECT * FROM parent WHERE id = 2", "UPDATE parent SET room = 2 WHERE id = 1; INSERT INTO child VALUES (2, 1)", "INSERT INTO child VALUES (9, 1)", "23514"},
		{"a rule has room, and the transaction knew better", "SELECT * FROM parent", "UPDATE parent SET room = 2 WHERE id = 1", "INSERT INTO child VALUES (9, 1)", "40001"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for name, run := range map[string]func(*sessiontest.Client, string) (*sessiontest.Result, error){
				"simple":   (*sessiontest.Client).Exec,
				"extended": func(c *sessiontest.Client, text string) (*sessiontest.Result, error) { return c.Portal(text, 0) },
				"EXECUTE": func(c *sessiontest.Client, text string) (*sessiontest.Result, error) {
					c.Must("PREPARE p AS " + text)
					return c.Portal("EXECUTE p", 0)
				},
			} {
				db := sessiontest.OpenPebble(t)
				x, y := db.Connect(), db.Connect()
				x.Must(schema)
				x.Must("BEGIN")
				x.Must(test.before)
				for _, text := range strings.Split(test.other, ";") {
					y.Must(text)
				}
				_, err := run(x, test.after)
				if err == nil {
					_, err = x.Exec("COMMIT")
				}
				if got := string(errs.CodeOf(err)); err == nil && test.want != "" || err != nil && got != test.want {
					t.Errorf("%s: %v, want %q", name, err, test.want)
				}
			}
		})
	}
}

// late is a store in which others commit what a transaction has read right after it has been asked whether they have.
type late struct{ kv.Store }

func (s late) Begin(ctx context.Context, o kv.TxnOptions) (kv.Txn, error) {
	txn, err := s.Store.Begin(ctx, o)
	return &lateTxn{Txn: txn}, err
}

type lateTxn struct {
	kv.Txn
	asked bool
}

func (t *lateTxn) Outdated() bool {
	outdated := t.asked
	t.asked = true
	return outdated
}

// TestRefusedForGood: a violation is told although others commit a moment later what might have made it none.
func TestRefusedForGood(t *testing.T) {
	db := sessiontest.OpenStore(t, late{memkv.New(memkv.Options{})})
	c := db.Connect()
	c.Must("CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent)")
	for _, begin := range []string{"", "BEGIN"} {
		if begin != "" {
			c.Must(begin)
			c.Must("SELECT * FROM parent WHERE id = 2")
		}
		for name, run := range map[string]func(string) (*sessiontest.Result, error){
			"simple": c.Exec, "extended": func(text string) (*sessiontest.Result, error) { return c.Portal(text, 0) },
		} {
			if begin != "" {
				c.Must("SAVEPOINT s")
			}
			if _, err := run("INSERT INTO child VALUES (1, 2)"); errs.CodeOf(err) != errs.ForeignKeyViolation {
				t.Errorf("%s, %q: %v", name, begin, err)
			}
			if begin != "" {
				c.Must("ROLLBACK TO s")
			}
		}
	}
}
