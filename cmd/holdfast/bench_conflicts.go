package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Workloads whose transactions get in each other's way.

// inTransaction runs f between BEGIN and COMMIT, and ROLLBACK if it fails. pgx's own transactions would cost the
// same messages, and an allocation each.
func inTransaction(ctx context.Context, c *pgx.Conn, f func() error) error {
	if _, err := c.Exec(ctx, "BEGIN"); err != nil {
		return err
	}
	err := f()
	if err == nil {
		_, err = c.Exec(ctx, "COMMIT")
	}
	if err != nil && !c.IsClosed() && c.PgConn().TxStatus() != 'I' {
		if _, failed := c.Exec(ctx, "ROLLBACK"); failed != nil {
			return failed
		}
	}
	return err
}

// insertByParts inserts rows in transactions of a bounded size: %d and %d of the statement are the first and the last
// number of a part.
func insertByParts(ctx context.Context, c *pgx.Conn, rows int, statement string) error {
	const part = 50_000
	for from := 1; from <= rows; from += part {
		if err := execAll(ctx, c, fmt.Sprintf(statement, from, min(from+part-1, rows))); err != nil {
			return err
		}
	}
	return nil
}

var tpcbWorkload = workload{
	name:  "tpcb",
	about: "Transactions like those of TPC-B: an account, its teller, its branch",
	details: `A transaction is that of pgbench: BEGIN, three UPDATEs, a SELECT, an INSERT and COMMIT, with prepared statements and
a round trip for each. All clients update the few rows of branches, so that most transactions meet another. At
SERIALIZABLE, PostgreSQL refuses the later one; it is tried again as --max-tries says. At the end the balances must agree.`,
	unit:           "transactions",
	peerIsolations: []string{"read committed", "serializable"},
	setup: func(ctx context.Context, c *pgx.Conn, o benchOptions) error {
		if o.scale < 1 {
			return fmt.Errorf("--scale: at least 1")
		}
		if err := execAll(ctx, c,
			"CREATE TABLE branch (bid int PRIMARY KEY, bbalance int NOT NULL, filler char(88))",
			"CREATE TABLE teller (tid int PRIMARY KEY, bid int NOT NULL, tbalance int NOT NULL, filler char(84))",
			"CREATE TABLE account (aid int PRIMARY KEY, bid int NOT NULL, abalance int NOT NULL, filler char(84))",
			"CREATE TABLE history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22))",
			fmt.Sprintf("INSERT INTO branch SELECT g, 0, '' FROM generate_series(1, %d) g", o.scale),
			fmt.Sprintf("INSERT INTO teller SELECT g, (g - 1) / 10 + 1, 0, '' FROM generate_series(1, %d) g", 10*o.scale)); err != nil {
			return err
		}
		return insertByParts(ctx, c, o.scale*o.accountsPerBranch,
			"INSERT INTO account SELECT g, (g - 1) / "+fmt.Sprint(o.accountsPerBranch)+" + 1, 0, '' FROM generate_series(%d, %d) g")
	},
	prepare: func(ctx context.Context, c *pgx.Conn, o benchOptions, client int) (func() transaction, error) {
		rng := rand.New(rand.NewPCG(uint64(client), 3))
		return func() transaction {
			aid, bid, tid := 1+rng.IntN(o.scale*o.accountsPerBranch), 1+rng.IntN(o.scale), 1+rng.IntN(10*o.scale)
			delta := rng.IntN(10_001) - 5000
			return func() (int, error) {
				return 1, inTransaction(ctx, c, func() error {
					if _, err := c.Exec(ctx, "UPDATE account SET abalance = abalance + $1 WHERE aid = $2", delta, aid); err != nil {
						return err
					}
					var balance int
					if err := c.QueryRow(ctx, "SELECT abalance FROM account WHERE aid = $1", aid).Scan(&balance); err != nil {
						return err
					}
					if _, err := c.Exec(ctx, "UPDATE teller SET tbalance = tbalance + $1 WHERE tid = $2", delta, tid); err != nil {
						return err
					}
					if _, err := c.Exec(ctx, "UPDATE branch SET bbalance = bbalance + $1 WHERE bid = $2", delta, bid); err != nil {
						return err
					}
					_, err := c.Exec(ctx, "INSERT INTO history (tid, bid, aid, delta, mtime) VALUES ($1, $2, $3, $4, CURRENT_TIMESTAMP)", tid, bid, aid, delta)
					return err
				})
			}
		}, nil
	},
	check: func(ctx context.Context, c *pgx.Conn, o benchOptions, all []*measurement) error {
		commits := int64(0)
		for _, m := range all {
			commits += m.commits
		}
		var accounts, tellers, branches, deltas, count int64
		if err := c.QueryRow(ctx, `SELECT (SELECT sum(abalance) FROM account), (SELECT sum(tbalance) FROM teller), (SELECT sum(bbalance) FROM branch),
			(SELECT coalesce(sum(delta), 0) FROM history), (SELECT count(*) FROM history)`).Scan(&accounts, &tellers, &branches, &deltas, &count); err != nil {
			return err
		}
		if accounts != deltas || tellers != deltas || branches != deltas || count != commits {
			return fmt.Errorf("after %d transactions: sums of accounts %d, tellers %d, branches %d, and %d rows of history with %d", commits, accounts, tellers, branches, count, deltas)
		}
		return nil
	},
}

var jobsWorkload = workload{
	name:  "jobs",
	about: "Take jobs from a queue with SKIP LOCKED, and put others in their places",
	details: `A transaction takes the oldest job that nobody has (SELECT .. ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED), marks it as done
and commits; a statement of its own then puts a new job into the queue. At the end every job must have been done exactly
once that a client was told of.`,
	unit:           "jobs",
	peerIsolations: []string{"read committed"},
	setup: func(ctx context.Context, c *pgx.Conn, o benchOptions) error {
		return execAll(ctx, c,
			"CREATE TABLE job (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text NOT NULL, runs int NOT NULL DEFAULT 0)",
			"CREATE INDEX job_waits ON job (id) WHERE runs = 0",
			fmt.Sprintf("INSERT INTO job (body) SELECT 'job ' || g FROM generate_series(1, %d) g", max(o.jobs, 4*slices.Max(o.clients))))
	},
	prepare: func(ctx context.Context, c *pgx.Conn, o benchOptions, client int) (func() transaction, error) {
		body := strings.Repeat("x", 100)
		return func() transaction {
			taken := false
			return func() (int, error) {
				if !taken {
					if err := inTransaction(ctx, c, func() error {
						var id int64
						var work string
						if err := c.QueryRow(ctx, "SELECT id, body FROM job WHERE runs = 0 ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED").Scan(&id, &work); err != nil {
							return err
						}
						_, err := c.Exec(ctx, "UPDATE job SET runs = runs + 1 WHERE id = $1", id)
						return err
					}); err != nil {
						return 0, err
					}
					taken = true
				}
				_, err := c.Exec(ctx, "INSERT INTO job (body) VALUES ($1)", body)
				return 1, err
			}
		}, nil
	},
	check: func(ctx context.Context, c *pgx.Conn, o benchOptions, all []*measurement) error {
		done := int64(0)
		for _, m := range all {
			done += m.units
		}
		var once, oftener int64
		if err := c.QueryRow(ctx, "SELECT count(*) FILTER (WHERE runs = 1), count(*) FILTER (WHERE runs > 1) FROM job").Scan(&once, &oftener); err != nil {
			return err
		}
		if once != done || oftener != 0 {
			return fmt.Errorf("clients have done %d jobs: %d are marked as done once, %d more than once", done, once, oftener)
		}
		return nil
	},
}

var hotrowWorkload = workload{
	name:  "hotrow",
	about: "Update one row by all clients",
	details: `A transaction is one prepared UPDATE that counts a row up, in a statement of its own or, with --explicit, between BEGIN and
COMMIT. At the end the row must have been counted up as often as clients were told.`,
	unit:           "updates",
	peerIsolations: []string{"read committed", "serializable"},
	setup: func(ctx context.Context, c *pgx.Conn, o benchOptions) error {
		return execAll(ctx, c, "CREATE TABLE counter (id int PRIMARY KEY, n bigint NOT NULL)", "INSERT INTO counter VALUES (1, 0)")
	},
	prepare: func(ctx context.Context, c *pgx.Conn, o benchOptions, client int) (func() transaction, error) {
		update := func() error {
			_, err := c.Exec(ctx, "UPDATE counter SET n = n + 1 WHERE id = $1", 1)
			return err
		}
		run := func() (int, error) { return 1, update() }
		if o.explicit {
			run = func() (int, error) { return 1, inTransaction(ctx, c, update) }
		}
		return func() transaction { return run }, nil
	},
	check: func(ctx context.Context, c *pgx.Conn, o benchOptions, all []*measurement) error {
		want, n := int64(0), int64(0)
		for _, m := range all {
			want += m.units
		}
		if err := c.QueryRow(ctx, "SELECT n FROM counter").Scan(&n); err != nil {
			return err
		}
		if n != want {
			return fmt.Errorf("the row was counted up %d times, and %d updates were acknowledged", n, want)
		}
		return nil
	},
}

const (
	entryBalance = 1000
	// reportPart is how many rows one statement of a report reads, and reportPasses how often a report reads
	// all: enough to last.
	reportPart   = 1000
	reportPasses = 10
)

var mixedWorkload = workload{
	name:  "mixed",
	about: "Short transactions that read and write, beside a long report that never ends",
	details: `A transaction reads one of 100,000 rows by its key and moves an amount from there to another: BEGIN, SELECT, two UPDATEs,
COMMIT. Beside the clients one more connection makes reports, each a READ ONLY transaction of many statements that reads all
rows ten times in parts of 1,000, and compares each sum with what it must be. "reports" counts those that came to their
end, "wrong" those with a sum that never was: PostgreSQL makes such at READ COMMITTED.`,
	unit:           "transactions",
	peerIsolations: []string{"read committed", "serializable"},
	setup: func(ctx context.Context, c *pgx.Conn, o benchOptions) error {
		if o.entries < 2 {
			return fmt.Errorf("--entries: at least 2")
		}
		if err := execAll(ctx, c, "CREATE TABLE entry (id int PRIMARY KEY, balance bigint NOT NULL, filler text NOT NULL)"); err != nil {
			return err
		}
		return insertByParts(ctx, c, o.entries, fmt.Sprintf("INSERT INTO entry SELECT g, %d, repeat('x', 80) FROM generate_series(%%d, %%d) g", entryBalance))
	},
	prepare: func(ctx context.Context, c *pgx.Conn, o benchOptions, client int) (func() transaction, error) {
		rng := rand.New(rand.NewPCG(uint64(client), 4))
		return func() transaction {
			from := 1 + rng.IntN(o.entries)
			to := 1 + (from+rng.IntN(o.entries-1))%o.entries
			return func() (int, error) {
				return 1, inTransaction(ctx, c, func() error {
					var balance int64
					if err := c.QueryRow(ctx, "SELECT balance FROM entry WHERE id = $1", from).Scan(&balance); err != nil {
						return err
					}
					amount := balance / 10
					if _, err := c.Exec(ctx, "UPDATE entry SET balance = balance - $1 WHERE id = $2", amount, from); err != nil {
						return err
					}
					_, err := c.Exec(ctx, "UPDATE entry SET balance = balance + $1 WHERE id = $2", amount, to)
					return err
				})
			}
		}, nil
	},
	background: func(ctx context.Context, c *pgx.Conn, o benchOptions, m *measurement) error {
		want := int64(o.entries) * entryBalance
		for ctx.Err() == nil {
			wrong, err := report(ctx, c, o.entries, want)
			switch code := sqlState(err); {
			case ctx.Err() != nil: // the end came in its midst
			case code == "40001" || code == "40P01":
				m.mu.Lock()
				m.retried++
				m.mu.Unlock()
			case err != nil:
				return err
			default:
				m.mu.Lock()
				m.reports++
				if wrong {
					m.wrongReports++
				}
				m.mu.Unlock()
			}
		}
		return nil
	},
}

// report reads all entries several times in one transaction, and tells whether a sum was not what is wanted.
func report(ctx context.Context, c *pgx.Conn, entries int, want int64) (wrong bool, err error) {
	if _, err := c.Exec(ctx, "BEGIN READ ONLY"); err != nil {
		return false, err
	}
	defer func() {
		if !c.IsClosed() && c.PgConn().TxStatus() != 'I' {
			_, _ = c.Exec(context.WithoutCancel(ctx), "ROLLBACK") // the error is that of the report
		}
	}()
	for range reportPasses {
		total := int64(0)
		for from := 1; from <= entries; from += reportPart {
			if err := ctx.Err(); err != nil {
				return false, err
			}
			var sum int64
			// The end of the measurement must not break the connection in the midst of a message.
			if err := c.QueryRow(context.WithoutCancel(ctx), "SELECT sum(balance)::bigint FROM entry WHERE id >= $1 AND id < $2", from, from+reportPart).Scan(&sum); err != nil {
				return false, err
			}
			total += sum
		}
		wrong = wrong || total != want
	}
	_, err = c.Exec(ctx, "COMMIT")
	return wrong, err
}
