// Package isolation runs random SQL transactions of many clients at once against a server that speaks PostgreSQL's
// protocol, and records what they saw, for the checker in kv/conformance/history.
//
// It uses no more SQL than it needs, and nothing that only one server understands, so that the same workload
// runs against PostgreSQL: at SERIALIZABLE nothing may be found there, and at the weaker levels the anomalies
// they are known for have to be.
package isolation

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"holdfast/kv/conformance/history"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Workload is what is run. Two tables hold the data.
//
// lists(id, a, b) has texts to which numbers are appended: two lists per row, since updates of different columns
// must not disturb each other, and inserts of the row when the first number comes. counters(id, a, b) has
// registers that are read before they are written, in rows that come and go.
type Workload struct {
	Connect func(ctx context.Context) (*pgx.Conn, error)
	// Begin starts a transaction, such as BEGIN ISOLATION LEVEL SERIALIZABLE.
	Begin string

	Seed           uint64
	Clients        int
	TxnsPerClient  int
	Lists, Counter int // rows of the tables
	// NoForUpdate leaves out SELECT .. FOR UPDATE, which hides anomalies of weak levels.
	NoForUpdate bool
}

// Result is what came of it.
type Result struct {
	Txns      []history.Txn
	Committed int
	// Refused counts transactions by the SQLSTATE that ended them.
	Refused map[string]int
	// RefusedAlone counts in the same way single statements outside of transactions.
	RefusedAlone map[string]int
}

const schema = `
	DROP TABLE IF EXISTS lists;
	DROP TABLE IF EXISTS counters;
	CREATE TABLE lists (id text PRIMARY KEY, a text NOT NULL, b text NOT NULL);
	CREATE TABLE counters (id text PRIMARY KEY, a bigint NOT NULL, b bigint NOT NULL)`

// CreateTables makes the tables, empty.
func CreateTables(ctx context.Context, conn *pgx.Conn) error {
	for _, statement := range strings.Split(schema, ";") {
		if _, err := conn.Exec(ctx, statement, pgx.QueryExecModeSimpleProtocol); err != nil {
			return fmt.Errorf("%s: %w", strings.TrimSpace(statement), err)
		}
	}
	return nil
}

// Run makes the tables, runs the workload, and returns its history.
func (w *Workload) Run(ctx context.Context) (*Result, error) {
	setup, err := w.Connect(ctx)
	if err != nil {
		return nil, err
	}
	defer setup.Close(ctx)
	if err := CreateTables(ctx, setup); err != nil {
		return nil, err
	}
	r := &run{Workload: w, result: &Result{Refused: map[string]int{}, RefusedAlone: map[string]int{}}}
	errs := make([]error, w.Clients)
	var wait sync.WaitGroup
	for i := range w.Clients {
		wait.Go(func() {
			c := &client{run: r, rng: rand.New(rand.NewPCG(w.Seed, uint64(i)))}
			errs[i] = c.work(ctx)
		})
	}
	wait.Wait()
	return r.result, errors.Join(errs...)
}

// run is what the clients share.
type run struct {
	*Workload
	clock  atomic.Int64
	values atomic.Int64
	mu     sync.Mutex
	result *Result
}

// client is one connection.
type client struct {
	*run
	rng  *rand.Rand
	conn *pgx.Conn
	mode pgx.QueryExecMode
	ops  []history.Op
}

// refusals are SQLSTATEs that a transaction has to expect: conflicts, and rows that have come meanwhile.
var refusals = map[string]bool{"40001": true, "40P01": true, "55P03": true, "23505": true}

func sqlState(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func (c *client) work(ctx context.Context) (err error) {
	if c.conn, err = c.Connect(ctx); err != nil {
		return err
	}
	defer c.conn.Close(ctx)
	modes := []pgx.QueryExecMode{
		pgx.QueryExecModeCacheStatement, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
	}
	c.mode = modes[c.rng.IntN(len(modes))]
	for range c.TxnsPerClient {
		var err error
		if c.rng.IntN(5) == 0 {
			err = c.alone(ctx)
		} else {
			err = c.transaction(ctx)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// alone runs a single statement as a transaction of its own.
func (c *client) alone(ctx context.Context) error {
	record := history.Txn{Start: c.clock.Add(1), Status: history.Committed}
	c.ops = nil
	var err error
	switch c.rng.IntN(3) {
	case 0:
		err = c.readList(ctx, "")
	case 1:
		err = c.readRange(ctx)
	default:
		err = c.appendBlind(ctx)
	}
	state := sqlState(err)
	if err != nil {
		if !refusals[state] {
			return fmt.Errorf("seed %d: single statement: %w", c.Seed, err)
		}
		record.Status = history.Aborted
	}
	record.End, record.Ops = c.clock.Add(1), c.ops
	c.note(record, state, c.result.RefusedAlone)
	return nil
}

func (c *client) note(record history.Txn, state string, refused map[string]int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.result.Txns = append(c.result.Txns, record)
	if state != "" {
		refused[state]++
	}
	if record.Status == history.Committed {
		c.result.Committed++
	}
}

// transaction runs a few statements in a transaction.
func (c *client) transaction(ctx context.Context) error {
	record := history.Txn{Start: c.clock.Add(1), Status: history.Aborted}
	c.ops = nil
	err := c.exec(ctx, c.Begin)
	for range 1 + c.rng.IntN(5) {
		if err == nil {
			err = c.statement(ctx)
		}
	}
	end := "COMMIT"
	if err == nil && c.rng.IntN(12) == 0 {
		end = "ROLLBACK"
	}
	if err == nil {
		var tag pgconn.CommandTag
		if tag, err = c.conn.Exec(ctx, end, c.mode); err == nil && tag.String() == "COMMIT" {
			record.Status = history.Committed
		}
	}
	record.End, record.Ops = c.clock.Add(1), c.ops
	state := sqlState(err)
	if err != nil {
		if !refusals[state] {
			return fmt.Errorf("seed %d: %w", c.Seed, err)
		}
		if status := c.conn.PgConn().TxStatus(); status != 'I' {
			if err := c.exec(ctx, "ROLLBACK"); err != nil {
				return err
			}
		}
	}
	c.note(record, state, c.result.Refused)
	return nil
}

// statement does one random thing.
func (c *client) statement(ctx context.Context) error {
	switch c.rng.IntN(10) {
	case 0, 1:
		return c.readList(ctx, "")
	case 2:
		return c.readRange(ctx)
	case 3:
		return c.readCounters(ctx)
	case 4:
		return c.appendBlind(ctx)
	case 5, 6:
		return c.appendAfterReading(ctx)
	case 7:
		return c.changeCounter(ctx)
	case 8:
		return c.insertOrDelete(ctx)
	default:
		return c.undone(ctx)
	}
}

func (c *client) exec(ctx context.Context, sql string, args ...any) error {
	_, err := c.conn.Exec(ctx, sql, append([]any{c.mode}, args...)...)
	return err
}

// query calls row for each row of a result.
func (c *client) query(ctx context.Context, row func(rows pgx.Rows) error, sql string, args ...any) error {
	rows, err := c.conn.Query(ctx, sql, append([]any{c.mode}, args...)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (c *client) column() string { return []string{"a", "b"}[c.rng.IntN(2)] }
func (c *client) list() string   { return fmt.Sprintf("l%02d", c.rng.IntN(c.Lists)) }
func (c *client) counter() string {
	return fmt.Sprintf("c%02d", c.rng.IntN(c.Counter))
}

// key names a column of a row in the history. The column comes first, so that ranges of rows are ranges there.
func key(column, id string) string { return column + "/" + id }

func (c *client) record(op history.Op) { c.ops = append(c.ops, op) }

// numbers reads a list. A row without numbers in the column is the same as no row.
func numbers(list string) ([]int64, error) {
	var out []int64
	for _, word := range strings.Fields(list) {
		n, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("the list %q: %w", list, err)
		}
		out = append(out, n)
	}
	return out, nil
}

// readList reads one column of one row of lists; suffix goes behind the statement.
func (c *client) readList(ctx context.Context, suffix string) error {
	_, _, _, err := c.readListOf(ctx, c.list(), c.column(), suffix)
	return err
}

func (c *client) readListOf(ctx context.Context, id, column, suffix string) (_, list string, there bool, err error) {
	err = c.query(ctx, func(rows pgx.Rows) error {
		there = true
		return rows.Scan(&list)
	}, "SELECT "+column+" FROM lists WHERE id = $1"+suffix, id)
	if err != nil {
		return "", "", false, err
	}
	seen, err := numbers(list)
	if err != nil {
		return "", "", false, err
	}
	c.record(history.Op{Kind: history.Read, Key: key(column, id), Seen: seen})
	return id, list, there, nil
}

// readRange reads one column of some rows of lists, from either end.
func (c *client) readRange(ctx context.Context) error {
	from, to, column := c.list(), c.list(), c.column()
	if from > to {
		from, to = to, from
	}
	limit, direction := 1+c.rng.IntN(c.Lists), c.rng.IntN(2)
	op := history.Op{Kind: history.Range}
	count, last := 0, ""
	err := c.query(ctx, func(rows pgx.Rows) error {
		var list string
		if err := rows.Scan(&last, &list); err != nil {
			return err
		}
		count++
		seen, err := numbers(list)
		if len(seen) > 0 {
			op.Rows = append(op.Rows, history.Row{Key: key(column, last), Seen: seen})
		}
		return err
	}, fmt.Sprintf("SELECT id, %s FROM lists WHERE id >= $1 AND id < $2 ORDER BY id %s LIMIT %d", column, []string{"ASC", "DESC"}[direction], limit),
		from, to)
	if err != nil {
		return err
	}
	if direction == 1 {
		slices.Reverse(op.Rows)
	}
	switch {
	case count == limit && direction == 0:
		to = last + "~"
	case count == limit:
		from = last
	}
	op.Key, op.End = key(column, from), key(column, to)
	c.record(op)
	return nil
}

// appendBlind appends in one statement, without seeing the list.
func (c *client) appendBlind(ctx context.Context) error {
	id, column, n := c.list(), c.column(), c.values.Add(1)
	values := "$1, $2, ''"
	if column == "b" {
		values = "$1, '', $2"
	}
	err := c.exec(ctx, fmt.Sprintf("INSERT INTO lists VALUES (%s) ON CONFLICT (id) DO UPDATE SET %[2]s = lists.%[2]s || EXCLUDED.%[2]s", values, column),
		id, fmt.Sprintf(" %d", n))
	c.record(history.Op{Kind: history.Append, Key: key(column, id), Value: n})
	return err
}

// appendAfterReading reads a list and writes it longer, as programs do.
func (c *client) appendAfterReading(ctx context.Context) error {
	suffix := ""
	if !c.NoForUpdate && c.rng.IntN(2) == 0 {
		suffix = " FOR UPDATE"
	}
	column := c.column()
	id, list, there, err := c.readListOf(ctx, c.list(), column, suffix)
	if err != nil {
		return err
	}
	n := c.values.Add(1)
	list += fmt.Sprintf(" %d", n)
	switch {
	case there:
		err = c.exec(ctx, "UPDATE lists SET "+column+" = $2 WHERE id = $1", id, list)
	case column == "a":
		err = c.exec(ctx, "INSERT INTO lists VALUES ($1, $2, '')", id, list)
	default:
		err = c.exec(ctx, "INSERT INTO lists (id, b, a) VALUES ($1, $2, '')", id, list)
	}
	c.record(history.Op{Kind: history.Append, Key: key(column, id), Value: n})
	return err
}

// readCounters reads both columns of some rows of counters.
func (c *client) readCounters(ctx context.Context) error {
	from, to := c.counter(), c.counter()
	if from > to {
		from, to = to, from
	}
	a := history.Op{Kind: history.Range, Key: key("a", from), End: key("a", to)}
	b := history.Op{Kind: history.Range, Key: key("b", from), End: key("b", to)}
	err := c.query(ctx, func(rows pgx.Rows) error {
		var id string
		var x, y int64
		if err := rows.Scan(&id, &x, &y); err != nil {
			return err
		}
		a.Rows = append(a.Rows, history.Row{Key: key("a", id), Seen: []int64{x}})
		b.Rows = append(b.Rows, history.Row{Key: key("b", id), Seen: []int64{y}})
		return nil
	}, "SELECT id, a, b FROM counters WHERE id >= $1 AND id < $2 ORDER BY id", from, to)
	if err == nil {
		c.record(a)
		c.record(b)
	}
	return err
}

// readCounter reads columns of one row of counters.
func (c *client) readCounter(ctx context.Context, id string, columns ...string) (there bool, err error) {
	seen := make([]int64, len(columns))
	into := make([]any, len(columns))
	for i := range seen {
		into[i] = &seen[i]
	}
	err = c.query(ctx, func(rows pgx.Rows) error {
		there = true
		return rows.Scan(into...)
	}, "SELECT "+strings.Join(columns, ", ")+" FROM counters WHERE id = $1", id)
	if err != nil {
		return false, err
	}
	for i, column := range columns {
		op := history.Op{Kind: history.Read, Key: key(column, id)}
		if there {
			op.Seen = seen[i : i+1]
		}
		c.record(op)
	}
	return there, nil
}

// changeCounter reads and then updates one column.
func (c *client) changeCounter(ctx context.Context) error {
	id, column := c.counter(), c.column()
	there, err := c.readCounter(ctx, id, column)
	if err != nil || !there {
		return err
	}
	n := c.values.Add(1)
	tag, err := c.conn.Exec(ctx, "UPDATE counters SET "+column+" = $2 WHERE id = $1", c.mode, id, n)
	if err == nil && tag.RowsAffected() == 0 {
		// Deleted since it was read: weak levels allow that.
		c.record(history.Op{Kind: history.Read, Key: key(column, id)})
		return nil
	}
	c.record(history.Op{Kind: history.Write, Key: key(column, id), Value: n})
	return err
}

// insertOrDelete makes a row that is not there, and deletes one that is.
func (c *client) insertOrDelete(ctx context.Context) error {
	id := c.counter()
	there, err := c.readCounter(ctx, id, "a", "b")
	if err != nil {
		return err
	}
	if there {
		err := c.exec(ctx, "DELETE FROM counters WHERE id = $1", id)
		c.record(history.Op{Kind: history.Delete, Key: key("a", id)})
		c.record(history.Op{Kind: history.Delete, Key: key("b", id)})
		return err
	}
	x, y := c.values.Add(1), c.values.Add(1)
	err = c.exec(ctx, "INSERT INTO counters (id, a, b) VALUES ($1, $2, $3)", id, x, y)
	c.record(history.Op{Kind: history.Write, Key: key("a", id), Value: x})
	c.record(history.Op{Kind: history.Write, Key: key("b", id), Value: y})
	return err
}

// undone reads and appends behind a savepoint and rolls that back. What was read has been seen all the same.
func (c *client) undone(ctx context.Context) error {
	if err := c.exec(ctx, "SAVEPOINT s"); err != nil {
		return err
	}
	if err := c.readList(ctx, ""); err != nil {
		return err
	}
	kept := len(c.ops)
	if err := c.appendBlind(ctx); err != nil {
		return err
	}
	c.ops = c.ops[:kept]
	return c.exec(ctx, "ROLLBACK TO SAVEPOINT s")
}
