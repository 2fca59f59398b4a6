package isolation

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"holdfast/kv/conformance/history"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// client is one connection.
type client struct {
	*run
	rng  *rand.Rand
	conn *pgx.Conn
	mode pgx.QueryExecMode

	t   *tables // of the transaction
	ops []history.Op
	// undone are writes that were rolled back within the transaction.
	undone []history.Op
	// committing says that the end of the transaction is up to the server.
	committing bool
}

// refusals are SQLSTATEs that a transaction has to expect: conflicts, rows that have come meanwhile, and rows that
// refer to others or are referred to.
var refusals = map[string]bool{"40001": true, "40P01": true, "55P03": true, "23505": true, "23503": true}

// departures are SQLSTATEs of a server that goes away: shut down, crashed, cannot connect now, outcome unknown.
var departures = map[string]bool{"57P01": true, "57P02": true, "57P03": true, "40003": true, "08007": true}

func sqlState(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// lost reports whether an error is that the server went away, which this workload can take.
func (c *client) lost(err error) bool {
	if err == nil || !c.Breaks {
		return false
	}
	state := sqlState(err)
	return departures[state] || state == "" && (c.conn == nil || c.conn.IsClosed())
}

// connect opens the connection, again and again if the server may be away.
func (c *client) connect(ctx context.Context) error {
	if c.conn != nil {
		c.conn.Close(ctx)
	}
	for {
		conn, err := c.Connect(ctx)
		if err == nil {
			if _, err = conn.Exec(ctx, "SET default_transaction_isolation TO '"+strings.ToLower(c.Level)+"'"); err == nil {
				c.conn = conn
				return nil
			}
			conn.Close(ctx)
		}
		if !c.Breaks || ctx.Err() != nil {
			return err
		}
		select {
		case <-time.After(10 * time.Millisecond): // the pause between attempts
		case <-ctx.Done():
		}
	}
}

func (c *client) work(ctx context.Context) error {
	if err := c.connect(ctx); err != nil {
		return err
	}
	defer func() { c.conn.Close(context.WithoutCancel(ctx)) }()
	modes := []pgx.QueryExecMode{
		pgx.QueryExecModeCacheStatement, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
	}
	c.mode = modes[c.rng.IntN(len(modes))]
	for int(c.operations.Load()) < c.Operations {
		shape, body := Explicit, c.explicit
		switch c.rng.IntN(10) {
		case 0, 1:
			shape, body = Single, c.single
		case 2:
			shape, body = Several, c.several
		case 3:
			shape, body = Pipeline, c.pipeline
		case 4:
			shape, body = Polite, c.polite
		}
		if err := c.transaction(ctx, shape, body); err != nil {
			return err
		}
		if c.Progress != nil {
			c.Progress(int(c.operations.Load()))
		}
	}
	return nil
}

// errRolledBack is the end of a transaction that was given up by choice.
var errRolledBack = errors.New("rolled back")

// transaction runs a transaction of some shape and records it.
func (c *client) transaction(ctx context.Context, shape Shape, body func(context.Context) error) error {
	var err error
	if c.t, err = c.current(ctx); err != nil {
		return err
	}
	record := history.Txn{Start: c.clock.Add(1), Status: history.Committed}
	c.ops, c.undone, c.committing = nil, nil, shape != Explicit && shape != Polite
	err = body(ctx)
	record.End, record.Ops = c.clock.Add(1), c.ops
	state := ""
	switch {
	case err == nil:
	case errors.Is(err, errRolledBack):
		record.Status = history.Aborted
	case c.lost(err):
		record.Status, record.End = history.Unknown, 0
		if !c.committing {
			record.Status = history.Aborted
		}
		if err := c.connect(ctx); err != nil {
			return err
		}
	case refusals[sqlState(err)]:
		state, record.Status = sqlState(err), history.Aborted
		if c.conn.PgConn().TxStatus() != 'I' {
			if err := c.exec(ctx, "ROLLBACK"); err != nil && !c.lost(err) {
				return err
			}
		}
	default:
		return fmt.Errorf("a transaction of shape %q: %w", shape, err)
	}
	c.note(shape, record, state)
	if len(c.undone) > 0 {
		c.run.mu.Lock()
		defer c.run.mu.Unlock()
		c.result.Txns = append(c.result.Txns, history.Txn{Start: record.Start, End: record.End, Status: history.Aborted, Ops: c.undone})
	}
	return nil
}

// single runs one statement as a transaction of its own.
func (c *client) single(ctx context.Context) error {
	return c.do(ctx, c.statements(1)[0])
}

// several runs a simple query of several statements.
func (c *client) several(ctx context.Context) error {
	statements := c.statements(2 + c.rng.IntN(3))
	var text []string
	for _, s := range statements {
		text = append(text, s.literal())
	}
	c.operations.Add(int64(len(statements)))
	results := c.conn.PgConn().Exec(ctx, strings.Join(text, "; "))
	for i := 0; results.NextResult(); i++ {
		reader := results.ResultReader()
		var rows [][]string
		for reader.NextRow() {
			var row []string
			for _, value := range reader.Values() {
				row = append(row, string(value))
			}
			rows = append(rows, row)
		}
		tag, err := reader.Close()
		if err != nil {
			break // results has it too
		}
		if err := c.answered(statements[i], rows, tag.RowsAffected()); err != nil {
			return err
		}
	}
	return c.orDoubt(statements, results.Close())
}

// pipeline sends several statements at once, up to one Sync.
func (c *client) pipeline(ctx context.Context) error {
	statements := c.statements(2 + c.rng.IntN(3))
	batch := &pgx.Batch{}
	for _, s := range statements {
		batch.Queue(s.sql, s.args...)
	}
	c.operations.Add(int64(len(statements)))
	results := c.conn.SendBatch(ctx, batch)
	for _, s := range statements {
		rows, err := results.Query()
		if err != nil {
			break
		}
		text, err := texts(rows)
		if err != nil {
			break
		}
		if err := c.answered(s, text, rows.CommandTag().RowsAffected()); err != nil {
			return err
		}
	}
	return c.orDoubt(statements, results.Close())
}

// orDoubt replaces what answers have told by what statements may have done, if they failed together.
func (c *client) orDoubt(statements []statement, err error) error {
	if err != nil {
		c.ops = nil
		for _, s := range statements {
			c.ops = append(c.ops, s.maybe...)
		}
	}
	return err
}

// explicit runs a few statements in a transaction.
func (c *client) explicit(ctx context.Context) error {
	begin := "BEGIN"
	readOnly := false
	switch c.rng.IntN(8) {
	case 0:
		begin, readOnly = "BEGIN READ ONLY", true
	case 1, 2, 3:
		begin = "BEGIN ISOLATION LEVEL " + c.Level
	}
	if err := c.exec(ctx, begin); err != nil {
		return err
	}
	for range 1 + c.rng.IntN(5) {
		var err error
		if readOnly {
			err = c.do(ctx, c.reading())
		} else {
			err = c.action(ctx, 0)
		}
		if err != nil {
			return err
		}
	}
	if c.rng.IntN(14) == 0 {
		if err := c.exec(ctx, "ROLLBACK"); err != nil {
			return err
		}
		return errRolledBack
	}
	return c.commit(ctx)
}

func (c *client) commit(ctx context.Context) error {
	c.committing = true
	tag, err := c.conn.Exec(ctx, "COMMIT", c.mode)
	if err == nil && tag.String() != "COMMIT" {
		return fmt.Errorf("COMMIT is answered with %s", tag)
	}
	return err
}

// polite locks one row first, reads it and writes it. Whoever does only that may have to wait, but is never refused.
func (c *client) polite(ctx context.Context) error {
	if err := c.exec(ctx, "BEGIN"); err != nil {
		return err
	}
	id := c.rng.IntN(hotRows)
	if err := c.do(ctx, c.readHot(id, " FOR UPDATE")); err != nil {
		return err
	}
	n := c.value()
	err := c.do(ctx, statement{
		sql: "UPDATE " + c.t.name("hot") + " SET n = $2 WHERE id = $1", args: []any{id, n},
		maybe: []history.Op{{Kind: history.Write, Key: c.t.key("hot", "n", id), Value: n}},
	})
	if err != nil {
		return err
	}
	return c.commit(ctx)
}

// savepoint runs a few statements behind a savepoint, which are then kept or rolled back. An error that only says that
// something was there or not is rolled back too, and the transaction goes on.
func (c *client) savepoint(ctx context.Context, depth int) error {
	name := fmt.Sprintf("s%d", depth)
	if err := c.exec(ctx, "SAVEPOINT "+name); err != nil {
		return err
	}
	before := len(c.ops)
	var err error
	for range 1 + c.rng.IntN(3) {
		if err = c.action(ctx, depth+1); err != nil {
			break
		}
	}
	if state := sqlState(err); err != nil && state != "23505" && state != "23503" {
		return err
	}
	if err == nil && c.rng.IntN(2) == 0 {
		return c.exec(ctx, "RELEASE SAVEPOINT "+name)
	}
	c.undo(before)
	if err := c.exec(ctx, "ROLLBACK TO SAVEPOINT "+name); err != nil {
		return err
	}
	if c.rng.IntN(2) == 0 {
		return c.exec(ctx, "RELEASE SAVEPOINT "+name)
	}
	return nil
}

// undo takes back what was written since, and with it reads that may have seen it. What else was read has been seen
// all the same.
func (c *client) undo(before int) {
	var kept, written []history.Op
	for _, op := range c.ops[before:] {
		switch op.Kind {
		case history.Read, history.Range:
			own := false
			for _, w := range written {
				own = own || w.Key == op.Key || op.Kind == history.Range && op.Key <= w.Key && w.Key < op.End
			}
			if !own {
				kept = append(kept, op)
			}
		default:
			written = append(written, op)
		}
	}
	c.ops = append(c.ops[:before], kept...)
	c.undone = append(c.undone, written...)
}

func (c *client) exec(ctx context.Context, sql string) error {
	_, err := c.conn.Exec(ctx, sql, c.mode)
	return err
}

func (c *client) record(op history.Op) { c.ops = append(c.ops, op) }
