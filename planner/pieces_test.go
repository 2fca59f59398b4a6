package planner_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"holdfast/kv/pebblekv"
	"holdfast/planner/sessiontest"
	"holdfast/sql/accumulator"
	"holdfast/sql/errs"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// piecesRows is how many rows the tables of these tests have: with the least work_mem, many more than a statement changes
// as a whole.
const piecesRows = 2500

const piecesTables = `
	CREATE TABLE p (a int PRIMARY KEY, n int);
	INSERT INTO p SELECT g, 0 FROM generate_series(0, 99) g;
	CREATE TABLE t (id int PRIMARY KEY, u int UNIQUE, v int NOT NULL, flag bool NOT NULL, a int REFERENCES p ON DELETE CASCADE, pad text CHECK (length(pad) < 60));
	CREATE UNIQUE INDEX t_v ON t (v) WHERE flag;
	CREATE INDEX t_a ON t (a, v);
	CREATE TABLE c (id int PRIMARY KEY, t int REFERENCES t (u) DEFERRABLE);
	CREATE TABLE s (id int, w int);
	CREATE ASSERTION few CHECK (NOT EXISTS (SELECT 1 FROM t JOIN p USING (a) WHERE t.v < -p.n));`

func piecesFill(rows int) string {
	return fmt.Sprintf(`INSERT INTO t SELECT g, g, g %% %d, g >= %[1]d, g %% 100, repeat('x', 40) FROM generate_series(0, %d) g;
	INSERT INTO s SELECT g, g * 3 FROM generate_series(0, %[2]d) g; INSERT INTO s SELECT id, w + 1 FROM s;`, rows/2, rows-1)
}

// pieces is two clients with the same tables, of which one has so little work_mem that it changes rows piece by piece, in a
// store that keeps few writes in memory.
type pieces struct {
	t            *testing.T
	whole, small *sessiontest.Client
}

func openPieces(t *testing.T) *pieces {
	store, err := pebblekv.Open(pebblekv.Options{
		Folder: "data", FS: vfs.NewMem(), CacheBytes: 8 << 20, MemtableBytes: 4 << 20, Merge: accumulator.Merge, SpillBytes: 100 << 10,
	})
	if err != nil {
		t.Fatal(err)
	}
	p := &pieces{t: t, whole: sessiontest.Open(t).Connect(), small: sessiontest.OpenStore(t, store).Connect()}
	p.small.Must("SET work_mem = '64kB'")
	p.both(piecesTables)
	p.both(piecesFill(piecesRows))
	return p
}

// both runs statements on both sides, and expects the same of them.
func (p *pieces) both(text string) (failed bool) {
	p.t.Helper()
	show := func(c *sessiontest.Client) (string, error) {
		r, err := c.Exec(text)
		if err != nil {
			return sessiontest.Describe(err), err
		}
		return r.String(), nil
	}
	want, err := show(p.whole)
	got, _ := show(p.small)
	if err != nil { // which of several violations is reported is not determined
		want, _, _ = strings.Cut(want, "\nDETAIL")
		got, _, _ = strings.Cut(got, "\nDETAIL")
	}
	if got != want {
		p.t.Fatalf("%s\nin pieces: %.2000s\nas a whole: %.2000s", text, got, want)
	}
	return err != nil
}

func (p *pieces) compare(what string) {
	p.t.Helper()
	for _, q := range []string{
		"SELECT * FROM t ORDER BY id", "SELECT id, u FROM t WHERE u >= 0 ORDER BY u", "SELECT v, id FROM t WHERE flag AND v BETWEEN 5 AND 900 ORDER BY v, id",
		"SELECT a, v, id FROM t WHERE a = 7 ORDER BY a, v, id", "SELECT * FROM c ORDER BY id", "SELECT count(*), sum(a) FROM p",
	} {
		want, got := p.whole.Must(q).String(), p.small.Must(q).String()
		if got != want {
			p.t.Fatalf("after %s, %s differs:\nin pieces: %.1000s\nas a whole: %.1000s", what, q, got, want)
		}
	}
}

// TestStatementsInPieces: what a statement does and what it fails with do not depend on how many rows it has in memory.
func TestStatementsInPieces(t *testing.T) {
	for _, c := range []struct {
		text  string
		fails bool
	}{
		{"UPDATE t SET pad = pad || 'y'", false},
		{"UPDATE t SET id = id + 1", false},
		{"UPDATE t SET id = -id, u = 5000 - u", false},
		{"UPDATE t SET flag = NOT flag", false}, // which of two rows with one v is in the index
		{"UPDATE t SET flag = true", true},
		{"UPDATE t SET u = u / 2", true},
		{"UPDATE t SET pad = repeat('x', 20 + id / 50)", true},
		{"UPDATE t SET a = a + 1", true},
		{"UPDATE t SET a = (a + 1) % 100 RETURNING id, a, pad", false},
		{"UPDATE t SET v = -1 - v, flag = false", true},
		{"UPDATE t SET pad = 'y' FROM s WHERE s.id = t.id AND s.w % 2 = 0", false},
		{"UPDATE t SET pad = 'y' FROM s WHERE s.id / 2 = t.id", false}, // gives each row four times
		{"UPDATE t SET pad = 'z' WHERE id IN (SELECT id FROM s)", false},
		{"UPDATE t SET pad = t.pad WHERE id % 2 = 0", false},
		{"DELETE FROM t WHERE id % 3 > 0", false},
		{"DELETE FROM t USING s WHERE s.id / 2 = t.id", false},
		{"DELETE FROM t RETURNING id", false},
		{"DELETE FROM p", false},
		{"INSERT INTO c SELECT id, u FROM t; DELETE FROM t WHERE id % 2 = 0", true},
		{"INSERT INTO c SELECT id, u FROM t; UPDATE t SET u = u + 1", true},
		{"INSERT INTO c SELECT id, u + 1 FROM t", true},
		{"BEGIN; SET CONSTRAINTS ALL DEFERRED; INSERT INTO c SELECT id, u + 1 FROM t; UPDATE t SET u = u + 1; COMMIT", false},
		{"INSERT INTO t SELECT id + 10000, u + 10000, v, false, a + 1, pad FROM t", true},
		{"INSERT INTO t SELECT id + 10000, u + 10000, v, false, a, pad FROM t", false},
		{"BEGIN; UPDATE t SET pad = 'a'; SAVEPOINT x; UPDATE t SET id = id + 7; DELETE FROM t WHERE id % 5 = 0; ROLLBACK TO x; UPDATE t SET v = v + 5000; COMMIT", false},
	} {
		t.Run(c.text, func(t *testing.T) {
			p := openPieces(t)
			if failed := p.both(c.text); failed != c.fails {
				t.Errorf("fails: %v", failed)
			}
			p.both("ROLLBACK")
			p.compare(c.text)
		})
	}
}

// TestRandomStatementsInPieces makes random lists of such statements.
func TestRandomStatementsInPieces(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	p := openPieces(t)
	inside := false
	for range 40 {
		n, m := random.IntN(piecesRows), 2+random.IntN(5)
		text := []string{
			fmt.Sprintf("UPDATE t SET id = %d - id", n),
			fmt.Sprintf("UPDATE t SET u = u + %d WHERE id %% %d > 0", n, m),
			fmt.Sprintf("UPDATE t SET flag = (v %% %d = id %% 2)", m),
			fmt.Sprintf("UPDATE t SET v = v + %d, a = (a + %d) %% 100", n, m),
			fmt.Sprintf("UPDATE t SET pad = repeat('%d', %d)", m, random.IntN(59)),
			fmt.Sprintf("UPDATE t SET pad = 'j', v = v + %d FROM s WHERE s.id / %d = t.id", m, m),
			fmt.Sprintf("DELETE FROM t WHERE id %% 17 = %d", m),
			fmt.Sprintf("INSERT INTO t SELECT id + 100000 + %d, NULL, v, false, a, pad FROM t WHERE id %% 16 = %d", n, m),
			"BEGIN", "COMMIT", "SAVEPOINT x", "ROLLBACK TO x", "ROLLBACK",
		}[random.IntN(13)]
		switch text {
		case "BEGIN":
			if inside {
				continue
			}
			inside = true
		case "COMMIT", "ROLLBACK":
			if !inside {
				continue
			}
			inside = false
		case "SAVEPOINT x", "ROLLBACK TO x":
			if !inside {
				continue
			}
		}
		if p.both(text) && inside {
			p.both("ROLLBACK")
			inside = false
		}
	}
	p.both("COMMIT")
	p.compare("all")
}

// TestTooLargeForTheDisk: a transaction for which there is no room, on the disk or in the limit, fails with what to do, is rolled back
// and leaves others alone.
func TestTooLargeForTheDisk(t *testing.T) {
	var full atomic.Bool
	disk := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if full.Load() && op.Kind == errorfs.OpFileWrite && strings.Contains(op.Path, "/spill/") {
			return syscall.ENOSPC
		}
		return nil
	}))
	store, err := pebblekv.Open(pebblekv.Options{
		Folder: "data", FS: disk, CacheBytes: 8 << 20, MemtableBytes: 4 << 20, Merge: accumulator.Merge, SpillBytes: 100 << 10, MaxTxnBytes: 1 << 20,
	})
	if err != nil {
		t.Fatal(err)
	}
	c := sessiontest.OpenStore(t, store).Connect()
	c.Must("CREATE TABLE t (id int PRIMARY KEY, pad text); INSERT INTO t VALUES (-1, 'before')")
	const insert = "INSERT INTO t SELECT g, repeat('x', 100) FROM generate_series(0, %d) g"
	full.Store(true)
	_, err = c.Exec(fmt.Sprintf(insert, 4000))
	full.Store(false)
	if got := sessiontest.Describe(err); !strings.HasPrefix(got, "ERROR 53100: ") || !strings.Contains(got, "HINT: Free some space") {
		t.Errorf("a full disk: %s", got)
	}
	c.Query("SELECT * FROM t", "-1|before")
	_, err = c.Exec(fmt.Sprintf(insert, 20000))
	if got := sessiontest.Describe(err); !strings.HasPrefix(got, "ERROR 54000: transaction is too large") || !strings.Contains(got, "--max-transaction-bytes") {
		t.Errorf("too many writes: %s", got)
	}
	c.Must("BEGIN; " + fmt.Sprintf(insert, 3000) + "; SAVEPOINT x")
	full.Store(true)
	if _, err := c.Exec("UPDATE t SET pad = 'y' || pad"); err == nil {
		t.Error("a full disk goes unnoticed")
	}
	full.Store(false)
	c.Must("ROLLBACK TO x; UPDATE t SET pad = 'y'; COMMIT")
	c.Query("SELECT count(*), min(pad), max(pad) FROM t", "3002|y|y")
}

// TestManyChanges: checks of many changed rows sort them, in files if they must, and find what one of them breaks.
func TestManyChanges(t *testing.T) {
	c := sessiontest.OpenPebble(t).Connect()
	c.Must(`CREATE TABLE team (id int PRIMARY KEY, most int NOT NULL); CREATE TABLE expense (id int PRIMARY KEY, team int, amount int NOT NULL, note text);
		CREATE INDEX ON expense (team); INSERT INTO team SELECT g, 1000 + g FROM generate_series(1, 300) g;
		CREATE ASSERTION a CHECK (NOT EXISTS (SELECT e.id, t.most FROM expense e JOIN team t ON t.id = e.team WHERE e.amount > t.most));
		CREATE ASSERTION b CHECK (NOT EXISTS (SELECT e.id FROM expense e WHERE e.note = 'checked' AND NOT EXISTS (SELECT FROM team t WHERE t.id = e.team)));
		CREATE ASSERTION c CHECK (NOT EXISTS (SELECT t.id FROM team t WHERE (SELECT sum(amount) FROM expense e WHERE e.team = t.id) > 200000));
		SET work_mem = '64kB'`)
	violates := func(rule, text string) {
		t.Helper()
		if _, err := c.Exec(text); err == nil || errs.As(err).Code != "23514" || errs.As(err).Constraint != rule {
			t.Errorf("%s: %v, want a violation of %s", text, err, rule)
		}
	}
	const rows = "SELECT g, CASE WHEN g % 10 > 0 THEN g % 299 + 1 END, g % 1000, 'note' FROM generate_series(1, 20000) g"
	c.Must("INSERT INTO expense " + rows)
	violates("a", "INSERT INTO expense SELECT 100000 + g, g % 300 + 1, CASE g WHEN 4711 THEN 1213 ELSE 1 END FROM generate_series(1, 6000) g")
	violates("a", "UPDATE expense SET team = 300, amount = CASE WHEN team % 7 = 2 THEN amount + 1000 ELSE 0 END")
	violates("b", "UPDATE expense SET note = 'checked'")
	c.Must("UPDATE expense SET note = 'checked' WHERE team IS NOT NULL; UPDATE expense SET team = team % 300 + 1 WHERE team IS NOT NULL")
	violates("b", "UPDATE expense SET team = team + 1") // of 300
	violates("c", "UPDATE expense SET team = 1 WHERE team < 100")
	violates("a", "UPDATE team SET most = most - 303 WHERE id < 400")
	c.Query("SELECT count(*), count(team), max(team) FROM expense", "20000|18000|300")
}
