package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
)

// The parts of the benchmark of rules that measure one client on one server.

const (
	// pipelined is how many changes of one row are sent together, as one transaction.
	pipelined = 100
	// teamSize is how many rows each group has.
	teamSize = 10
	// leastRows: of smaller tables there are several, which take turns. Otherwise the changes of a benchmark would make a
	// small table another one.
	leastRows = 10_000
	// idBits leaves room between the keys of rows.
	idBits = 36
)

// costRules are the rules under which changes are measured; %[1]s ends the names of the tables.
var costRules = []struct{ name, ddl string }{
	{"none", ""},
	{"join", "CREATE ASSERTION joined%[1]s CHECK (NOT EXISTS (SELECT e.id, e.amount, t.most FROM expense%[1]s e JOIN team%[1]s t ON t.id = e.team_id WHERE e.amount > t.most))"},
	{"sum", "CREATE ASSERTION bounded%[1]s CHECK (NOT EXISTS (SELECT t.id, t.budget FROM team%[1]s t WHERE (SELECT sum(e.amount) FROM expense%[1]s e WHERE e.team_id = t.id) > t.budget))"},
}

// makeTeams makes tables of teams and expenses with a suffix to their names.
func makeTeams(ctx context.Context, c *pgx.Conn, suffix string, teams int) error {
	if err := execAll(ctx, c, "CREATE TABLE team"+suffix+" (id int PRIMARY KEY, most int NOT NULL, budget bigint NOT NULL)",
		"CREATE TABLE expense"+suffix+" (id bigint PRIMARY KEY, team_id int NOT NULL, amount int NOT NULL, note text)",
		"CREATE INDEX ON expense"+suffix+" (team_id)"); err != nil {
		return err
	}
	return insertByParts(ctx, c, teams, "INSERT INTO team"+suffix+" SELECT g, 1000000000, 1000000000000 FROM generate_series(%d, %d) g")
}

// sizePart measures changes of one row in tables of different sizes.
func sizePart(ctx context.Context, out io.Writer, o rulesOptions) error {
	c, err := o.connectAnew(ctx)
	if err != nil {
		return err
	}
	defer c.Close(context.Background())
	copies := make([]int, len(o.rows))
	suffix := func(size, copy int) string { return fmt.Sprintf("_%d_%d", o.rows[size], copy) }
	for i, rows := range o.rows {
		fmt.Fprintf(out, "size: making tables of %d rows\n", rows)
		copies[i] = max(1, leastRows/rows)
		for k := range copies[i] {
			if err := makeTeams(ctx, c, suffix(i, k), rows/teamSize); err != nil {
				return err
			}
			if err := insertByParts(ctx, c, rows, "INSERT INTO expense"+suffix(i, k)+
				fmt.Sprintf(" SELECT g::bigint << %d, mod(g, %d) + 1, 10 FROM generate_series(%%d, %%d) g", idBits, rows/teamSize)); err != nil {
				return err
			}
		}
	}
	changes := []struct{ name, statement string }{
		{"insert", "INSERT INTO expense%[1]s VALUES ($1, $2, 10)"},
		{"update", "UPDATE expense%[1]s SET amount = amount + 1 WHERE id = $1 AND team_id = $2"},
		{"update of the team", "UPDATE team%[1]s SET most = most - 1, budget = budget - 1 WHERE id = $2 AND $1::bigint > 0"},
	}
	rng := rand.New(rand.NewPCG(1, 5))
	t := newTable(out)
	fmt.Fprint(t, "\nsize: µs of a change of one row\n\nrule\tchange\trows\tµs\tratio\t")
	if o.pid != 0 {
		fmt.Fprint(t, "CPU µs\tratio\t")
	}
	fmt.Fprintln(t)
	for _, rule := range costRules {
		fmt.Fprintf(out, "size: rule %s\n", rule.name)
		for i := range o.rows {
			for k := range copies[i] {
				if rule.ddl == "" {
					continue
				}
				if err := execAll(ctx, c, fmt.Sprintf(rule.ddl, suffix(i, k))); err != nil {
					return err
				}
			}
		}
		for _, change := range changes {
			measured := make([]costs, len(o.rows))
			for round := range o.rounds + 1 {
				for i, rows := range o.rows {
					x, err := o.costOf(func() error {
						return changeRows(ctx, c, fmt.Sprintf(change.statement, suffix(i, round%copies[i])), rows, rng, change.name == "insert")
					})
					if err != nil {
						return err
					}
					if round > 0 { // the first has the plans made
						measured[i] = append(measured[i], x)
					}
				}
			}
			smallest := measured[0]
			for i, rows := range o.rows {
				m := measured[i]
				fmt.Fprintf(t, "%s\t%s\t%d\t%.1f\t%.2f\t", rule.name, change.name, rows, micros(m.median(), pipelines*pipelined), float64(m.median())/float64(smallest.median()))
				if o.pid != 0 {
					fmt.Fprintf(t, "%.1f\t%.2f\t", micros(m.cpu(), pipelines*pipelined), float64(m.cpu())/float64(smallest.cpu()))
				}
				fmt.Fprintln(t)
			}
		}
		if rule.ddl == "" {
			continue
		}
		for i := range o.rows {
			for k := range copies[i] {
				name := map[string]string{"join": "joined", "sum": "bounded"}[rule.name]
				if err := execAll(ctx, c, "DROP ASSERTION "+name+suffix(i, k)); err != nil {
					return err
				}
			}
		}
	}
	return t.Flush()
}

// pipelines is how many transactions one measurement of a size makes.
const pipelines = 5

// changeRows changes random rows of a table, one by each statement. Inserted ones come between those that are there.
func changeRows(ctx context.Context, c *pgx.Conn, statement string, rows int, rng *rand.Rand, insert bool) error {
	used := map[int]bool{}
	for range pipelines {
		batch := &pgx.Batch{}
		for range pipelined {
			n := 1 + rng.IntN(rows)
			for used[n] {
				n = 1 + rng.IntN(rows)
			}
			used[n] = true
			id := int64(n) << idBits
			if insert {
				id += 1 + rng.Int64N(1<<idBits-1)
			}
			batch.Queue(statement, id, n%(rows/teamSize)+1)
		}
		if err := c.SendBatch(ctx, batch).Close(); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// unrelatedPart measures statements on tables with many assertions that they cannot violate.
func unrelatedPart(ctx context.Context, out io.Writer, o rulesOptions) error {
	c, err := o.connectAnew(ctx)
	if err != nil {
		return err
	}
	defer c.Close(context.Background())
	numbers := []int{0, 1, 10, 100}
	const rows = 1000
	if err := execAll(ctx, c, "CREATE TABLE cap (id int PRIMARY KEY, most int NOT NULL)", fmt.Sprintf("INSERT INTO cap SELECT g, 1000 + %d FROM generate_series(0, %d) g", rows, rows)); err != nil {
		return err
	}
	for _, n := range numbers {
		fmt.Fprintf(out, "unrelated: making %d assertions\n", n)
		for _, name := range []string{"item", "part"} {
			table := fmt.Sprintf("%s_%d", name, n)
			if err := execAll(ctx, c, "CREATE TABLE "+table+" (id int PRIMARY KEY, cap_id int NOT NULL, n int NOT NULL, note text)", "CREATE INDEX ON "+table+" (cap_id)",
				fmt.Sprintf("INSERT INTO %s SELECT g, g, 1000 FROM generate_series(0, %d) g", table, rows)); err != nil {
				return err
			}
			for i := range n {
				rule := fmt.Sprintf("CREATE ASSERTION a_%s_%d CHECK (NOT EXISTS (SELECT i.id FROM %s i JOIN cap c ON c.id = i.cap_id WHERE i.n > c.most + %d))", table, i, table, i)
				if name == "part" {
					rule = fmt.Sprintf("CREATE ASSERTION a_%s_%d CHECK (NOT EXISTS (SELECT c.id FROM cap c WHERE c.most < %d AND NOT EXISTS (SELECT FROM %s p WHERE p.cap_id = c.id)))", table, i, i, table)
				}
				if err := execAll(ctx, c, rule); err != nil {
					return err
				}
			}
		}
	}
	const count = 300
	statements := []struct {
		name, text string
		before     string // is run before each measurement, "" for rows that are there
		fresh      bool   // the rows are others in each measurement
	}{
		{"update of another column", "UPDATE item_%d SET note = 'x' WHERE id = %s", "", false},
		{"delete under a join", "DELETE FROM item_%d WHERE id = %s", fmt.Sprintf("INSERT INTO item_%%[1]d SELECT g, mod(g, 1000), 1000 FROM generate_series(%%[2]d, %%[2]d + %d) g", count-1), true},
		{"insert under at least one", "INSERT INTO part_%d VALUES (%s, 1, 1)", "", true},
		{"update in the safe direction", "UPDATE item_%d SET n = n - 1 WHERE id = %s", "", false},
	}
	t := newTable(out)
	fmt.Fprint(t, "\nunrelated: µs of a statement\n\nstatement\tprotocol\tassertions\tµs\trate ratio\t")
	if o.pid != 0 {
		fmt.Fprint(t, "CPU µs\tratio\t")
	}
	fmt.Fprintln(t)
	id := 1_000_000
	for _, s := range statements {
		for _, protocol := range []string{"prepared", "simple"} {
			measured := make([]costs, len(numbers))
			for round := range o.rounds + 1 {
				for i, n := range numbers {
					first := 0
					if s.fresh {
						first, id = id, id+count
					}
					if s.before != "" {
						if err := execAll(ctx, c, fmt.Sprintf(s.before, n, first)); err != nil {
							return err
						}
					}
					x, err := o.costOf(func() error {
						return inTransaction(ctx, c, func() error {
							for k := range count {
								at := first + k
								var err error
								if protocol == "simple" {
									_, err = c.Exec(ctx, fmt.Sprintf(s.text, n, fmt.Sprint(at)), pgx.QueryExecModeSimpleProtocol)
								} else {
									_, err = c.Exec(ctx, fmt.Sprintf(s.text, n, "$1"), at)
								}
								if err != nil {
									return err
								}
							}
							return nil
						})
					})
					if err != nil {
						return err
					}
					if round > 0 {
						measured[i] = append(measured[i], x)
					}
				}
			}
			without := measured[0]
			for i, n := range numbers {
				m := measured[i]
				fmt.Fprintf(t, "%s\t%s\t%d\t%.1f\t%.2f\t", s.name, protocol, n, micros(m.median(), count), float64(without.median())/float64(m.median()))
				if o.pid != 0 {
					fmt.Fprintf(t, "%.1f\t%.2f\t", micros(m.cpu(), count), float64(m.cpu())/float64(max(without.cpu(), 1)))
				}
				fmt.Fprintln(t)
			}
		}
	}
	return t.Flush()
}

// bulkPart measures loads of many rows with and without rules.
func bulkPart(ctx context.Context, out io.Writer, o rulesOptions) error {
	variants := []struct {
		name  string
		rules []int // of costRules
	}{{"none", nil}, {"join", []int{1}}, {"sum", []int{2}}, {"both", []int{1, 2}}}
	loads := []string{"COPY", "INSERT .. SELECT"}
	measured := map[string]costs{}
	rounds := min(o.rounds, 3)
	teams := max(1, o.bulkRows/teamSize)
	for round := range rounds {
		for _, v := range variants {
			for _, load := range loads {
				fmt.Fprintf(out, "bulk: %s, rule %s, round %d of %d\n", load, v.name, round+1, rounds)
				x, err := o.bulkLoad(ctx, load, v.rules, teams)
				if err != nil {
					return err
				}
				measured[load+v.name] = append(measured[load+v.name], x)
			}
		}
	}
	t := newTable(out)
	fmt.Fprintf(t, "\nbulk: loads of %d rows\n\nload\trule\trows/s\ttime ratio\t", o.bulkRows)
	if o.pid != 0 {
		fmt.Fprint(t, "CPU µs a row\tratio\t")
	}
	fmt.Fprintln(t)
	for _, load := range loads {
		without := measured[load+"none"]
		for _, v := range variants {
			m := measured[load+v.name]
			fmt.Fprintf(t, "%s\t%s\t%.0f\t%.2f\t", load, v.name, float64(o.bulkRows)/m.median().Seconds(), float64(m.median())/float64(without.median()))
			if o.pid != 0 {
				fmt.Fprintf(t, "%.2f\t%.2f\t", micros(m.cpu(), o.bulkRows), float64(m.cpu())/float64(max(without.cpu(), 1)))
			}
			fmt.Fprintln(t)
		}
	}
	return t.Flush()
}

// bulkLoad loads an empty table.
func (o rulesOptions) bulkLoad(ctx context.Context, load string, rules []int, teams int) (cost, error) {
	c, err := o.connectAnew(ctx)
	if err != nil {
		return cost{}, err
	}
	defer c.Close(context.Background())
	if err := makeTeams(ctx, c, "", teams); err != nil {
		return cost{}, err
	}
	for _, i := range rules {
		if err := execAll(ctx, c, fmt.Sprintf(costRules[i].ddl, "")); err != nil {
			return cost{}, err
		}
	}
	if o.brief == 0 {
		time.Sleep(time.Second) // for what the setting up has left to the background
	}
	x, err := o.costOf(func() error {
		if load != "COPY" {
			_, err := c.Exec(ctx, fmt.Sprintf("INSERT INTO expense SELECT g, mod(g, %d) + 1, 10, 'loaded' FROM generate_series(1, %d) g", teams, o.bulkRows))
			return err
		}
		g := 0
		_, err := c.CopyFrom(ctx, pgx.Identifier{"expense"}, []string{"id", "team_id", "amount", "note"}, pgx.CopyFromFunc(func() ([]any, error) {
			if g++; g > o.bulkRows {
				return nil, nil
			}
			return []any{g, g%teams + 1, 10, "loaded"}, nil
		}))
		return err
	})
	if err != nil {
		return cost{}, err
	}
	var n int
	if err := c.QueryRow(ctx, "SELECT count(*) FROM expense").Scan(&n); err != nil {
		return cost{}, err
	}
	if n != o.bulkRows {
		return cost{}, fmt.Errorf("%d of %d rows are there", n, o.bulkRows)
	}
	return x, nil
}
