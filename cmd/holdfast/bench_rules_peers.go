package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"

	"github.com/jackc/pgx/v5"
)

// The parts of the benchmark of rules that measure many clients, beside what a user of PostgreSQL can do.

// guarded is a workload with the ways in which its rule can be kept.
type guarded struct {
	workload
	goal float64 // of the rate, as a multiple of the faster way to count in PostgreSQL
	// unruled tells that Holdfast is also measured without the rule.
	unruled bool
	// The rule for PostgreSQL: what triggers do that lock the parent, that only look, and that keep a total in the parent.
	locking, looking, keeping []string
}

// way is one way to keep a rule, on one server.
type way struct {
	label, isolation string
	postgreSQL       bool
	keeps            bool // a total, which is not what the goal is measured by
	ddl              []string
}

func (g *guarded) ways(o rulesOptions) []way {
	list := []way{{"Holdfast, assertion", "serializable", false, false, []string{g.rule}}}
	if g.unruled {
		list = append(list, way{"Holdfast, no rule", "serializable", false, false, nil})
	}
	if o.peer != "" {
		list = append(list,
			way{"PostgreSQL, parent locked", "read committed", true, false, g.locking},
			way{"PostgreSQL, only counted", "serializable", true, false, g.looking},
			way{"PostgreSQL, total kept", "read committed", true, true, g.keeping})
	}
	return list
}

// run measures all ways, each on tables made anew, and prints the table.
func (g *guarded) run(ctx context.Context, out io.Writer, o rulesOptions) error {
	b := benchOptions{clients: []int{o.clients}, teams: o.teams, seconds: o.seconds, brief: o.brief, maxTries: o.maxTries}
	var all []*measurement
	ways := g.ways(o)
	for _, way := range ways {
		m, err := g.measure(ctx, out, way, o, b)
		if err != nil {
			return fmt.Errorf("%s: %w", way.label, err)
		}
		all = append(all, m)
	}
	t := newTable(out)
	fmt.Fprintf(t, "\n%s: %d clients\n\nserver\tisolation\t%s/s\tp50 ms\tp99 ms\tretried\tneedless\tfailed\trefused\t\n", g.name, o.clients, g.unit)
	best, kept := 0.0, 0.0
	for i, m := range all {
		fmt.Fprintf(t, "%s\t%s\t%.0f\t%s\t%s\t%d\t%d\t%d\t%d\t\n", m.label, m.isolation, m.rate(), ms(m.percentile(0.5)), ms(m.percentile(0.99)), m.retried, m.needless, m.failed, m.refused)
		switch {
		case ways[i].keeps:
			kept = m.rate()
		case ways[i].postgreSQL:
			best = max(best, m.rate())
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out)
	if g.unruled {
		fmt.Fprintf(out, "ratio to Holdfast without the rule: %.2f (goal: at least 0.80)\n", all[0].rate()/all[1].rate())
	}
	if best > 0 {
		fmt.Fprintf(out, "ratio to the faster of PostgreSQL that counts: %.2f (goal: at least %.0f)\n", all[0].rate()/best, g.goal)
	}
	if kept > 0 {
		fmt.Fprintf(out, "ratio to PostgreSQL that keeps a total: %.2f\n", all[0].rate()/kept)
	}
	return nil
}

func (g *guarded) measure(ctx context.Context, out io.Writer, way way, o rulesOptions, b benchOptions) (*measurement, error) {
	t := &target{dsn: o.dsn, label: way.label, postgreSQL: way.postgreSQL}
	if way.postgreSQL {
		t.dsn = o.peer
	}
	var err error
	if t.admin, err = pgx.Connect(ctx, t.dsn); err != nil {
		return nil, err
	}
	defer t.admin.Close(context.Background())
	if err := newSchema(ctx, t.admin); err != nil {
		return nil, err
	}
	if err := g.setup(ctx, t.admin, b); err != nil {
		return nil, err
	}
	if err := execAll(ctx, t.admin, append(way.ddl, "VACUUM ANALYZE")...); err != nil {
		return nil, err
	}
	m := &measurement{label: way.label, isolation: way.isolation, clients: o.clients}
	if err := m.run(ctx, out, g.workload, b, t); err != nil {
		return nil, err
	}
	return m, g.check(ctx, t.admin, b, []*measurement{m})
}

// trigger is the statements that run a body of PL/pgSQL for each row that comes into a table.
func trigger(table, when, body string) []string {
	return []string{
		"CREATE FUNCTION guard_" + when + "() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN " + body + " RETURN NULL; END $$",
		"CREATE TRIGGER guard_" + when + " AFTER " + when + " ON " + table + " FOR EACH ROW EXECUTE FUNCTION guard_" + when + "()",
	}
}

// tooMuch refuses a row of team NEW.team_id if a condition holds.
func tooMuch(cond string) string {
	return "IF " + cond + " THEN RAISE EXCEPTION 'team % is beyond its bound', NEW.team_id USING ERRCODE = 'check_violation'; END IF;"
}

// lockTeam waits for others that change rows of the team; what follows sees what they have committed. It does not keep anybody from
// referring to the team.
const lockTeam = "PERFORM FROM team WHERE id = NEW.team_id FOR NO KEY UPDATE; "

// own are the rows of one client, which it alone takes away.
type own struct {
	rows [][]int64 // ids, those together that came in one transaction
	most int
}

// gives chooses whether the next change adds a row. Clients together go about the bounds.
func (w *own) gives(rng *rand.Rand) bool {
	return len(w.rows) == 0 || len(w.rows) < w.most && rng.IntN(5) < 3
}

// take removes the rows of a random transaction from the list.
func (w *own) take(rng *rand.Rand) []int64 {
	i, last := rng.IntN(len(w.rows)), len(w.rows)-1
	ids := w.rows[i]
	w.rows[i] = w.rows[last]
	w.rows = w.rows[:last]
	return ids
}

// balance is the rows that there must be in a table: those that were added less those that were taken.
type balance struct {
	mu   sync.Mutex
	rows int64
}

func (b *balance) add(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rows += n
}

// holds compares a table's rows with what they must be, and looks for what breaks the rule.
func (b *balance) holds(ctx context.Context, c *pgx.Conn, table, broken string) error {
	var n, beyond int64
	if err := c.QueryRow(ctx, "SELECT (SELECT count(*) FROM "+table+"), (SELECT count(*) FROM ("+broken+") broken)").Scan(&n, &beyond); err != nil {
		return err
	}
	if n != b.rows {
		return fmt.Errorf("there are %d rows of %s, and clients have been told of %d", n, table, b.rows)
	}
	if beyond != 0 {
		return fmt.Errorf("%d teams are beyond their bounds", beyond)
	}
	return nil
}

const seatsBound = "CASE WHEN t.plan = 'free' THEN 5 ELSE 10 END"

func seatsPart(ctx context.Context, out io.Writer, o rulesOptions) error {
	var seats balance
	const broken = "SELECT s.team_id, count(*) FROM seat s JOIN team t ON t.id = s.team_id GROUP BY s.team_id, t.plan HAVING count(*) > " + seatsBound
	g := &guarded{
		goal:    3,
		locking: trigger("seat", "INSERT", lockTeam+tooMuch("(SELECT count(*) FROM seat WHERE team_id = NEW.team_id) > (SELECT "+seatsBound+" FROM team t WHERE id = NEW.team_id)")),
		looking: trigger("seat", "INSERT", tooMuch("(SELECT count(*) FROM seat WHERE team_id = NEW.team_id) > (SELECT "+seatsBound+" FROM team t WHERE id = NEW.team_id)")),
		keeping: append(append([]string{"ALTER TABLE team ADD seats int NOT NULL DEFAULT 0"},
			trigger("seat", "INSERT", "UPDATE team t SET seats = seats + 1 WHERE id = NEW.team_id AND seats < "+seatsBound+"; "+tooMuch("NOT FOUND"))...),
			trigger("seat", "DELETE", "UPDATE team SET seats = seats - 1 WHERE id = OLD.team_id;")...),
	}
	g.workload = workload{
		name: "seats", unit: "changes",
		rule: "CREATE ASSERTION seats_per_plan CHECK (NOT EXISTS (" + broken + "))",
		setup: func(ctx context.Context, c *pgx.Conn, o benchOptions) error {
			seats.rows = 0
			return execAll(ctx, c, "CREATE TABLE team (id int PRIMARY KEY, plan text NOT NULL)",
				"CREATE TABLE seat (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, team_id int NOT NULL)", "CREATE INDEX ON seat (team_id)",
				fmt.Sprintf("INSERT INTO team SELECT g, CASE WHEN g %% 2 = 0 THEN 'free' ELSE 'paid' END FROM generate_series(1, %d) g", o.teams))
		},
		prepare: func(ctx context.Context, c *pgx.Conn, b benchOptions, client int) (func() transaction, error) {
			rng := rand.New(rand.NewPCG(uint64(client), 6))
			mine := own{most: 1 + b.teams*8/o.clients}
			return func() transaction {
				if !mine.gives(rng) {
					id := mine.take(rng)[0]
					return func() (int, error) {
						_, err := c.Exec(ctx, "DELETE FROM seat WHERE id = $1", id)
						if err == nil {
							seats.add(-1)
						}
						return 1, err
					}
				}
				team := 1 + rng.IntN(b.teams)
				return func() (int, error) {
					var id int64
					err := c.QueryRow(ctx, "INSERT INTO seat (team_id) VALUES ($1) RETURNING id", team).Scan(&id)
					if err == nil {
						seats.add(1)
						mine.rows = append(mine.rows, []int64{id})
					}
					return 1, err
				}
			}, nil
		},
		check: func(ctx context.Context, c *pgx.Conn, _ benchOptions, _ []*measurement) error {
			return seats.holds(ctx, c, "seat", broken)
		},
	}
	return g.run(ctx, out, o)
}

const (
	budget = 5000
	// mostAmount is the largest amount of an expense; the least is 1.
	mostAmount = 100
	// Expenses that each team has from the beginning, of the largest amount: clients go about what is left.
	early = 40
)

// expenses are the tables of the workloads budget and hot.
func expenses(ctx context.Context, c *pgx.Conn, teams int, budget int64) error {
	return execAll(ctx, c, "CREATE TABLE team (id int PRIMARY KEY, budget bigint NOT NULL)",
		"CREATE TABLE expense (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, team_id int NOT NULL, amount int NOT NULL)", "CREATE INDEX ON expense (team_id)",
		fmt.Sprintf("INSERT INTO team SELECT g, %d FROM generate_series(1, %d) g", budget, teams))
}

// boundedSum are the ways to keep the sum of a team's expenses within a bound, an expression over NEW and team t.
func boundedSum(bound string) (locking, looking, keeping []string) {
	sum := tooMuch("(SELECT sum(amount) FROM expense WHERE team_id = NEW.team_id) > (SELECT " + bound + " FROM team t WHERE id = NEW.team_id)")
	keeping = append([]string{"ALTER TABLE team ADD spent bigint NOT NULL DEFAULT 0",
		"UPDATE team t SET spent = (SELECT coalesce(sum(amount), 0) FROM expense WHERE team_id = t.id)"},
		trigger("expense", "INSERT", "UPDATE team t SET spent = spent + NEW.amount WHERE id = NEW.team_id AND spent + NEW.amount <= "+bound+"; "+tooMuch("NOT FOUND"))...)
	keeping = append(keeping, trigger("expense", "DELETE", "UPDATE team SET spent = spent - OLD.amount WHERE id = OLD.team_id;")...)
	return trigger("expense", "INSERT", lockTeam+sum), trigger("expense", "INSERT", sum), keeping
}

func budgetPart(ctx context.Context, out io.Writer, o rulesOptions) error {
	var rows balance
	const broken = "SELECT t.id, t.budget FROM team t WHERE (SELECT sum(e.amount) FROM expense e WHERE e.team_id = t.id) > t.budget"
	g := &guarded{goal: 3}
	g.locking, g.looking, g.keeping = boundedSum("t.budget")
	g.workload = workload{
		name: "budget", unit: "transactions",
		rule: "CREATE ASSERTION within_budget CHECK (NOT EXISTS (" + broken + "))",
		setup: func(ctx context.Context, c *pgx.Conn, o benchOptions) error {
			rows.rows = int64(early * o.teams)
			if err := expenses(ctx, c, o.teams, budget); err != nil {
				return err
			}
			return execAll(ctx, c, fmt.Sprintf("INSERT INTO expense (team_id, amount) SELECT t, %d FROM generate_series(1, %d) t, generate_series(1, %d)", mostAmount, o.teams, early))
		},
		prepare: func(ctx context.Context, c *pgx.Conn, b benchOptions, client int) (func() transaction, error) {
			rng := rand.New(rand.NewPCG(uint64(client), 7))
			mine := own{most: 1 + b.teams*(budget-early*mostAmount)/mostAmount/o.clients} // together a little too much
			return func() transaction {
				if !mine.gives(rng) {
					ids := mine.take(rng)
					return func() (int, error) {
						err := inTransaction(ctx, c, func() error {
							for _, id := range ids {
								if _, err := c.Exec(ctx, "DELETE FROM expense WHERE id = $1", id); err != nil {
									return err
								}
							}
							return nil
						})
						if err == nil {
							rows.add(-2)
						}
						return 1, err
					}
				}
				team := 1 + rng.IntN(b.teams)
				amounts := [2]int{1 + rng.IntN(mostAmount), 1 + rng.IntN(mostAmount)}
				return func() (int, error) {
					var ids [2]int64
					err := inTransaction(ctx, c, func() error {
						for i, amount := range amounts {
							if err := c.QueryRow(ctx, "INSERT INTO expense (team_id, amount) VALUES ($1, $2) RETURNING id", team, amount).Scan(&ids[i]); err != nil {
								return err
							}
						}
						return nil
					})
					if err == nil {
						rows.add(2)
						mine.rows = append(mine.rows, ids[:])
					}
					return 1, err
				}
			}, nil
		},
		check: func(ctx context.Context, c *pgx.Conn, _ benchOptions, _ []*measurement) error {
			return rows.holds(ctx, c, "expense", broken)
		},
	}
	return g.run(ctx, out, o)
}

func hotPart(ctx context.Context, out io.Writer, o rulesOptions) error {
	for _, explicit := range []bool{false, true} {
		var rows balance
		const broken = "SELECT e.team_id FROM expense e GROUP BY e.team_id HAVING sum(e.amount) > 1000000000"
		g := &guarded{goal: 10, unruled: true}
		g.locking, g.looking, g.keeping = boundedSum("1000000000")
		g.workload = workload{
			name: "hot group, autocommit", unit: "inserts",
			rule: "CREATE ASSERTION bounded CHECK (NOT EXISTS (" + broken + "))",
			setup: func(ctx context.Context, c *pgx.Conn, o benchOptions) error {
				rows.rows = 0
				return expenses(ctx, c, 1, 0)
			},
			prepare: func(ctx context.Context, c *pgx.Conn, b benchOptions, client int) (func() transaction, error) {
				insert := func() error {
					_, err := c.Exec(ctx, "INSERT INTO expense (team_id, amount) VALUES (1, $1)", 1+client%mostAmount)
					return err
				}
				run := func() (int, error) {
					var err error
					if explicit {
						err = inTransaction(ctx, c, insert)
					} else {
						err = insert()
					}
					if err == nil {
						rows.add(1)
					}
					return 1, err
				}
				return func() transaction { return run }, nil
			},
			check: func(ctx context.Context, c *pgx.Conn, _ benchOptions, _ []*measurement) error {
				return rows.holds(ctx, c, "expense", broken)
			},
		}
		if explicit {
			g.name = "hot group, BEGIN .. COMMIT"
		}
		if err := g.run(ctx, out, o); err != nil {
			return err
		}
	}
	return nil
}
