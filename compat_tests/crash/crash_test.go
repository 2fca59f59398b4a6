package crash

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/compat_tests/testserver"
	"holdfast/kv/pebblekv"
	"holdfast/planner"
	"holdfast/sql/accumulator"

	"github.com/jackc/pgx/v5"
)

const clients = 6

// workload is what clients do to the server, and what it has acknowledged.
//
// Client k's transaction number n writes the pair (k, n) to two tables and to one without a primary key, with
// a number of a sequence. One more client creates and drops tables. Each client waits for an acknowledgement
// before it goes on, so that at a crash the fate of one transaction per client is unknown, which is then
// asked: all of it must be there, or nothing.
type workload struct {
	t     *testing.T
	wg    sync.WaitGroup
	total atomic.Int64
	more  chan struct{} // gets a value after each acknowledged transaction, if somebody waits

	acked   [clients]int // the last acknowledged transaction of each client
	pending [clients]int // the one begun after it, 0 if none
	mu      sync.Mutex
	numbers map[int64]bool // that the sequence has given, to committed transactions or not

	tables       map[int]bool // that exist
	tablePending int          // table whose creation or removal has not been acknowledged, 0 if none
	nextTable    int
}

func newWorkload(t *testing.T, p *testserver.Process) *workload {
	_, err := connect(t, p).Exec(context.Background(), `
		CREATE SEQUENCE numbers;
		CREATE TABLE one (client int, n int, number bigint UNIQUE, PRIMARY KEY (client, n));
		CREATE TABLE two (client int, n int, PRIMARY KEY (client, n), FOREIGN KEY (client, n) REFERENCES one);
		CREATE TABLE plain (client int, n int);
		CREATE TABLE counter (id int PRIMARY KEY, transactions bigint);
		INSERT INTO counter VALUES (1, 0);
		CREATE ASSERTION each_client CHECK (NOT EXISTS (SELECT client FROM plain GROUP BY client HAVING count(*) > 1000000 OR sum(n) < 0));
		CREATE ASSERTION everybody CHECK ((SELECT sum(n) FROM two) < 1000000000000);`)
	if err != nil {
		t.Fatal(err)
	}
	return &workload{t: t, more: make(chan struct{}, 1), numbers: map[int64]bool{}, tables: map[int]bool{}, nextTable: 1}
}

// start runs the clients until the server is gone.
func (w *workload) start(p *testserver.Process) {
	for k := range clients {
		c, err := pgx.Connect(context.Background(), p.DSN())
		if err != nil {
			w.t.Fatal(err)
		}
		w.wg.Add(1)
		go func() {
			defer w.wg.Done()
			defer c.Close(context.Background())
			for {
				w.pending[k] = w.acked[k] + 1
				if err := w.transaction(c, k, w.pending[k]); err != nil {
					return
				}
				w.acked[k], w.pending[k] = w.pending[k], 0
				w.total.Add(1)
				select {
				case w.more <- struct{}{}:
				default:
				}
			}
		}()
	}
	c, err := pgx.Connect(context.Background(), p.DSN())
	if err != nil {
		w.t.Fatal(err)
	}
	w.wg.Add(1)
	go func() {
		defer w.wg.Done()
		defer c.Close(context.Background())
		for {
			n, sql := w.nextTable, ""
			if n > 3 && w.tables[n-3] {
				n -= 3
				sql = fmt.Sprintf("DROP TABLE made_%d", n)
			} else {
				sql = fmt.Sprintf("CREATE TABLE made_%d (a serial PRIMARY KEY, b int CHECK (b > 0)); INSERT INTO made_%[1]d (b) VALUES (%[1]d); CREATE INDEX ON made_%[1]d (b)", n)
			}
			w.tablePending = n
			if _, err := c.Exec(context.Background(), sql); err != nil {
				return
			}
			if w.tables[n] {
				delete(w.tables, n)
			} else {
				w.tables[n] = true
				w.nextTable++
			}
			w.tablePending = 0
		}
	}()
}

// transaction is one of client k. The counter makes all of them meet in one row, every fourth time.
func (w *workload) transaction(c *pgx.Conn, k, n int) error {
	ctx := context.Background()
	for {
		var number int64
		err := pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
			if n%4 == 0 {
				if _, err := tx.Exec(ctx, "UPDATE counter SET transactions = transactions + 1"); err != nil {
					return err
				}
			}
			if err := tx.QueryRow(ctx, "INSERT INTO one VALUES ($1, $2, nextval('numbers')) RETURNING number", k, n).Scan(&number); err != nil {
				return err
			}
			w.mu.Lock()
			if w.numbers[number] {
				w.t.Errorf("the sequence has given %d twice", number)
			}
			w.numbers[number] = true
			w.mu.Unlock()
			if _, err := tx.Exec(ctx, "INSERT INTO two VALUES ($1, $2)", k, n); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, "INSERT INTO plain VALUES ($1, $2)", k, n)
			return err
		})
		if err != nil && !c.IsClosed() && retry(err) {
			continue
		}
		return err
	}
}

// retry reports whether an error asks for the transaction to be run again.
func retry(err error) bool {
	e, ok := err.(interface{ SQLState() string })
	return ok && e.SQLState() == "40001"
}

// await waits for so many more transactions.
func (w *workload) await(n int64) {
	w.t.Helper()
	end := w.total.Load() + n
	deadline := time.After(testserver.Patience)
	for w.total.Load() < end {
		select {
		case <-w.more:
		case <-deadline:
			w.t.Fatalf("only %d of %d transactions", w.total.Load(), end)
		}
	}
}

// join waits until all clients have noticed that the server is gone.
func (w *workload) join() { w.wg.Wait() }

// verify compares what is there with what was acknowledged, and learns the fate of what was not.
func (w *workload) verify(p *testserver.Process) {
	w.t.Helper()
	ctx := context.Background()
	c := connect(w.t, p)
	scan := func(sql string, into ...any) {
		w.t.Helper()
		if err := c.QueryRow(ctx, sql).Scan(into...); err != nil {
			w.t.Fatalf("%s: %v", sql, err)
		}
	}
	counted := 0
	for k := range clients {
		last := w.acked[k]
		for _, table := range []string{"one", "two", "plain"} {
			var count, distinct, highest int
			scan(fmt.Sprintf("SELECT count(*), count(DISTINCT n), coalesce(max(n), 0) FROM %s WHERE client = %d", table, k), &count, &distinct, &highest)
			if table == "one" && highest == w.pending[k] && highest > 0 {
				last = highest // it was committed, and the answer was lost
			}
			if count != last || distinct != last || highest != last {
				w.t.Errorf("client %d: %d rows with %d numbers up to %d in table %s, %d acknowledged, %d under way", k, count, distinct, highest, table, w.acked[k], w.pending[k])
			}
		}
		w.acked[k], w.pending[k] = last, 0
		counted += last / 4
	}
	var count int
	scan("SELECT transactions FROM counter", &count)
	if count != counted {
		w.t.Errorf("the counter says %d of %d", count, counted)
	}
	var next int64
	scan("SELECT nextval('numbers')", &next)
	if w.numbers[next] {
		w.t.Errorf("the sequence gives %d again", next)
	}
	w.numbers[next] = true
	scan("SELECT count(*) FROM one WHERE number IS NULL OR number >= "+fmt.Sprint(next), &count)
	if count != 0 {
		w.t.Errorf("%d rows with numbers that the sequence has not given", count)
	}

	// The tables that were made: the same in the catalog, with their rows, indexes and sequences.
	rows, err := c.Query(ctx, "SELECT substr(relname, 6)::int FROM pg_class WHERE relname LIKE 'made\\_%' AND relkind = 'r'")
	if err != nil {
		w.t.Fatal(err)
	}
	there, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil {
		w.t.Fatal(err)
	}
	found := map[int]bool{}
	for _, n := range there {
		found[n] = true
		if !w.tables[n] && n != w.tablePending {
			w.t.Errorf("table made_%d is there", n)
		}
		var b, indexes int
		scan(fmt.Sprintf("INSERT INTO made_%d (b) SELECT max(b) FROM made_%[1]d RETURNING b", n), &b)
		scan(fmt.Sprintf("SELECT count(*) FROM pg_indexes WHERE tablename = 'made_%d'", n), &indexes)
		if b != n || indexes != 2 {
			w.t.Errorf("table made_%d has %d in it and %d indexes", n, b, indexes)
		}
	}
	for n := range w.tables {
		if !found[n] && n != w.tablePending {
			w.t.Errorf("table made_%d is gone", n)
		}
	}
	w.tables, w.tablePending = found, 0
	for n := range found {
		w.nextTable = max(w.nextTable, n+1)
	}
	scan("SELECT count(*) FROM pg_class WHERE relname LIKE 'made\\_%\\_a\\_seq'", &count)
	if count != len(found) {
		w.t.Errorf("%d sequences of %d tables", count, len(found))
	}
}

// TestKill kills the server at random moments, also while it recovers, and looks at what is left each time.
func TestKill(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	data := filepath.Join(t.TempDir(), "data")
	p := testserver.Serve(t, data)
	w := newWorkload(t, p)
	rounds := 6
	if testing.Short() {
		rounds = 2
	}
	for round := range rounds {
		w.start(p)
		w.await(int64(20 + random.IntN(400)))
		p.Kill()
		w.join()
		for range round % 3 { // a start that is cut off too
			again := testserver.Launch(t, data, testserver.FreeAddress(t))
			select {
			case <-time.After(time.Duration(random.IntN(60)) * time.Millisecond): // the moment of the kill
			case <-again.Ready:
			}
			again.Kill()
		}
		p = testserver.Serve(t, data)
		w.verify(p)
		if t.Failed() {
			t.FailNow()
		}
	}
	w.start(p)
	w.await(50)
	p.Kill()
	w.join()
	checkAccumulators(t, data)
	t.Logf("%d transactions", w.total.Load())
}

// checkAccumulators compares what assertions keep of rows in a folder that nobody has open with the rows.
func checkAccumulators(t *testing.T, data string) {
	t.Helper()
	ctx := context.Background()
	store, err := pebblekv.Open(pebblekv.Options{Folder: data, Merge: accumulator.Merge, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	engine, err := planner.Open(ctx, store, planner.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close(ctx)
	wrong, groups, err := engine.CheckAccumulators(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(wrong) > 0 || groups < 2 {
		t.Errorf("of %d groups accumulators are wrong: %v", groups, wrong)
	}
}
