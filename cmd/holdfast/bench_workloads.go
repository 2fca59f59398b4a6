package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/jackc/pgx/v5"
)

func execAll(ctx context.Context, c *pgx.Conn, statements ...string) error {
	for _, q := range statements {
		if _, err := c.Exec(ctx, q); err != nil {
			return fmt.Errorf("%s: %w", q, err)
		}
	}
	return nil
}

var itemsWorkload = workload{
	name:           "items",
	about:          "Insert rows of 1 KB under a rule for each of them",
	details:        `A transaction is one INSERT of --batch rows. On Holdfast an assertion bounds each row's reserved by its stock.`,
	unit:           "rows",
	peerIsolations: []string{"read committed"},
	rule:           "CREATE ASSERTION item_has_stock CHECK (NOT EXISTS (SELECT i.id, i.reserved FROM item i WHERE i.reserved > i.stock))",
	setup: func(ctx context.Context, c *pgx.Conn, o benchOptions) error {
		return execAll(ctx, c, "CREATE TABLE item (id bigint PRIMARY KEY, stock int NOT NULL, reserved int NOT NULL, body text NOT NULL)")
	},
	prepare: func(ctx context.Context, c *pgx.Conn, o benchOptions, client int) (func() transaction, error) {
		body := strings.Repeat("holdfast", 128)
		// One parameter per column and batch: arrays keep the statement's text short.
		const sql = "INSERT INTO item SELECT id, 10, id % 10, $2 FROM unnest($1::bigint[]) AS u(id)"
		const single = "INSERT INTO item VALUES ($1, 10, $3, $2)"
		next := int64(client) << 40
		ids := make([]int64, o.batch)
		return func() transaction {
			for i := range ids {
				ids[i] = next
				next++
			}
			return func() (int, error) {
				var err error
				if o.batch == 1 {
					_, err = c.Exec(ctx, single, ids[0], body, int32(ids[0]%10))
				} else {
					_, err = c.Exec(ctx, sql, ids, body)
				}
				return len(ids), err
			}
		}, nil
	},
}

var transfersWorkload = workload{
	name:           "transfers",
	about:          "Move money between random accounts, in transactions of two updates",
	details:        `A transaction is BEGIN, an UPDATE of one account, an UPDATE of another, and COMMIT.`,
	unit:           "transfers",
	peerIsolations: []string{"serializable"},
	setup: func(ctx context.Context, c *pgx.Conn, o benchOptions) error {
		return execAll(ctx, c, "CREATE TABLE account (id int PRIMARY KEY, balance bigint NOT NULL)",
			fmt.Sprintf("INSERT INTO account SELECT g, 1000 FROM generate_series(1, %d) g", o.accounts))
	},
	prepare: func(ctx context.Context, c *pgx.Conn, o benchOptions, client int) (func() transaction, error) {
		rng := rand.New(rand.NewPCG(uint64(client), 1))
		return func() transaction {
			from := 1 + rng.IntN(o.accounts)
			to := 1 + (from+rng.IntN(o.accounts-1))%o.accounts
			return func() (int, error) {
				return 1, inTransaction(ctx, c, func() error {
					if _, err := c.Exec(ctx, "UPDATE account SET balance = balance - $1 WHERE id = $2", 1, from); err != nil {
						return err
					}
					_, err := c.Exec(ctx, "UPDATE account SET balance = balance + $1 WHERE id = $2", 1, to)
					return err
				})
			}
		}, nil
	},
}

var seatsWorkload = workload{
	name:  "seats",
	about: "Give and take seats of teams whose plan bounds their number",
	details: `A transaction is one INSERT of a seat, or one DELETE of a team's oldest. On Holdfast an assertion counts the seats of the
team; inserts that break it are counted as refused.`,
	unit:           "changes",
	peerIsolations: []string{"read committed"},
	rule: "CREATE ASSERTION seats_per_plan CHECK (NOT EXISTS (SELECT s.team_id, count(*) FROM seat s JOIN team t ON t.id = s.team_id " +
		"GROUP BY s.team_id, t.plan HAVING count(*) > CASE WHEN t.plan = 'free' THEN 5 ELSE 10 END))",
	setup: func(ctx context.Context, c *pgx.Conn, o benchOptions) error {
		return execAll(ctx, c, "CREATE TABLE team (id int PRIMARY KEY, plan text NOT NULL)",
			"CREATE TABLE seat (id bigserial PRIMARY KEY, team_id int NOT NULL REFERENCES team)",
			"CREATE INDEX ON seat (team_id)",
			fmt.Sprintf("INSERT INTO team SELECT g, CASE WHEN g %% 2 = 0 THEN 'free' ELSE 'paid' END FROM generate_series(1, %d) g", o.teams))
	},
	prepare: func(ctx context.Context, c *pgx.Conn, o benchOptions, client int) (func() transaction, error) {
		rng := rand.New(rand.NewPCG(uint64(client), 2))
		return func() transaction {
			team := 1 + rng.IntN(o.teams)
			sql := "INSERT INTO seat (team_id) VALUES ($1)"
			if rng.IntN(3) == 0 {
				sql = "DELETE FROM seat WHERE id = (SELECT min(id) FROM seat WHERE team_id = $1)"
			}
			return func() (int, error) {
				_, err := c.Exec(ctx, sql, team)
				return 1, err
			}
		}, nil
	},
}
