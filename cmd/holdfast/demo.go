package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"holdfast/compat_tests/stories"
)

// demoSchema is what the reader finds after the stories, to go on by hand.
const demoSchema = `
CREATE TABLE emp_salary (empno int PRIMARY KEY, salary numeric NOT NULL);
CREATE TABLE emp_commission (empno int PRIMARY KEY, commission numeric NOT NULL);
CREATE VIEW emp AS SELECT * FROM emp_salary JOIN emp_commission USING (empno);
INSERT INTO emp_salary VALUES (99, 1000);
INSERT INTO emp_commission VALUES (99, 100);
CREATE ASSERTION salary_plus_commission_le_1150 CHECK (NOT EXISTS (
  SELECT s.empno, s.salary + c.commission AS total FROM emp_salary s JOIN emp_commission c USING (empno)
  WHERE s.salary + c.commission > 1150));
CREATE TABLE team (id serial PRIMARY KEY, plan text NOT NULL CHECK (plan IN ('free', 'paid')));
CREATE TABLE seat (id serial PRIMARY KEY, team_id int NOT NULL REFERENCES team, who text);
CREATE INDEX ON seat (team_id);
INSERT INTO team (plan) VALUES ('free'), ('paid');
CREATE ASSERTION seats_per_plan CHECK (NOT EXISTS (
  SELECT s.team_id, count(*) AS seats FROM seat s JOIN team t ON t.id = s.team_id GROUP BY s.team_id, t.plan
  HAVING count(*) > CASE WHEN t.plan = 'free' THEN 5 ELSE 10 END));
CREATE TABLE workspace (id int PRIMARY KEY, budget numeric NOT NULL);
CREATE TABLE debit (id serial PRIMARY KEY, workspace_id int NOT NULL REFERENCES workspace, amount numeric NOT NULL);
CREATE INDEX ON debit (workspace_id);
INSERT INTO workspace VALUES (1, 500);
CREATE ASSERTION within_budget CHECK (NOT EXISTS (
  SELECT w.id, w.budget FROM workspace w WHERE (SELECT sum(d.amount) FROM debit d WHERE d.workspace_id = w.id) > w.budget));
`

// demoTries are statements worth trying by hand.
const demoTries = `
  SELECT * FROM emp;
  UPDATE emp SET commission = commission + 42, salary = salary + 1 WHERE empno = 99;  -- two tables in one statement
  UPDATE emp SET salary = 2000 WHERE empno = 99;                                      -- refused, with the violating row
  INSERT INTO seat (team_id, who) SELECT 1, 'guest' FROM generate_series(1, 6);       -- one too many
  \d seat
`

func newDemo() *cobra.Command {
	var o serverOptions
	var quick bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Play the stories of concurrent clients, then stay up for psql",
		Long: `Start a server on a fresh folder, play the stories of concurrent clients against it over the wire (who did
what, in which order, what each was told), load the examples, and stay up until SIGINT so that you can go
on with psql.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return runDemo(ctx, cmd.OutOrStdout(), o, quick)
		},
	}
	o.addFlags(cmd.Flags())
	cmd.Flags().Lookup("data").DefValue = "a new temporary folder, removed at the end"
	cmd.Flags().Lookup("data").Value.Set("") //nolint:errcheck // a string can be set
	cmd.Flags().BoolVar(&quick, "quick", false, "play the stories at a fiftieth of their size and do not stay up")
	return cmd
}

func runDemo(ctx context.Context, w io.Writer, o serverOptions, quick bool) (err error) {
	if o.data == "" {
		folder, err := os.MkdirTemp("", "holdfast-demo-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(folder)
		o.data = folder
	}
	s, err := startServer(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	host, port, _ := net.SplitHostPort(s.listener.Addr().String())
	dsn := fmt.Sprintf("postgres://postgres@%s/postgres", s.listener.Addr())
	scale := 1.0
	if quick {
		scale = 0.02
	}
	begin := time.Now()
	for i, story := range stories.All {
		fmt.Fprintf(w, "\n%d. %s\n   %s\n\n", i+1, story.Title, strings.ReplaceAll(story.About, "\n", "\n   "))
		stage := &stories.Stage{Ctx: ctx, DSN: dsn, Isolation: "READ COMMITTED", Scale: scale, Audience: w}
		if err := stage.Perform(story); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
	fmt.Fprintf(w, "\nAll %d stories held, at isolation level READ COMMITTED as most clients ask for it, in %.1f s.\n", len(stories.All), time.Since(begin).Seconds())
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, demoSchema, pgx.QueryExecModeSimpleProtocol)
	_ = conn.Close(ctx)
	if err != nil {
		return fmt.Errorf("loading the examples: %w", err)
	}
	if quick {
		return nil
	}
	fmt.Fprintf(w, "\nThe examples are loaded. Go on by hand with\n\n  psql -h %s -p %s -U postgres\n\nand try\n%s\nCtrl-C ends the server.\n", host, port, demoTries)
	select {
	case <-ctx.Done():
		return nil
	case err := <-s.failed:
		return err
	}
}
