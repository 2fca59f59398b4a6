package optimize_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"sort"
	"strings"
	"testing"

	"holdfast/planner/optimize"
	"holdfast/planner/sessiontest"
)

// Random queries give the same rows whether they are planned with everything the optimizer knows or in the
// most obvious way. HOLDFAST_PSQL may hold psql arguments of a PostgreSQL that is asked too.
func TestRandomQueries(t *testing.T) {
	queries := 3000
	if testing.Short() {
		queries = 600
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	schema := randomSchema(rng)
	optimized, reference := sessiontest.Open(t).Connect(), sessiontest.Open(t).Connect()
	for _, s := range schema {
		optimized.Must(s)
		reference.Must(s)
	}
	var texts []string
	failures := 0
	for range queries {
		g := &generator{rng: rng}
		q := g.query(2)
		got, gotErr := optimized.Exec(q)
		optimize.UseReference(true)
		want, wantErr := reference.Exec(q)
		optimize.UseReference(false)
		switch {
		case gotErr != nil && wantErr != nil:
			t.Fatalf("seed %d: %s\n%s", seed, q, sessiontest.Describe(gotErr))
		case gotErr != nil:
			t.Errorf("%s\n  optimized: %s", q, sessiontest.Describe(gotErr))
			failures++
		case wantErr != nil:
			t.Errorf("%s\n  reference: %s", q, sessiontest.Describe(wantErr))
			failures++
		default:
			if a, b := bag(got.Rows), bag(want.Rows); a != b {
				t.Errorf("%s\n  optimized:\n%s\n  reference:\n%s", q, a, b)
				failures++
			}
		}
		if failures > 5 {
			t.Fatalf("seed %d: too many failures", seed)
		}
		texts = append(texts, q)
	}
	comparePostgreSQL(t, schema, texts, optimized)
}

// bag is the rows as a text in which their order does not matter.
func bag(rows [][]string) string {
	lines := make([]string, len(rows))
	for i, r := range rows {
		lines[i] = strings.Join(r, "|")
	}
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}

func comparePostgreSQL(t *testing.T, schema, queries []string, c *sessiontest.Client) {
	args := os.Getenv("HOLDFAST_PSQL")
	if args == "" {
		return
	}
	script := "\\pset null ~\nDROP SCHEMA IF EXISTS random_queries CASCADE; CREATE SCHEMA random_queries; SET search_path = random_queries;\n" + strings.Join(schema, ";\n") + ";\n"
	for _, q := range queries {
		script += "\\echo ---\n" + q + ";\n"
	}
	cmd := exec.Command("psql", append(strings.Fields(args), "-X", "-q", "-A", "-t", "-F", "|")...)
	cmd.Stdin = strings.NewReader(script)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(out), "---\n")[1:]
	failures := 0
	for i, q := range queries {
		r, err := c.Exec(q)
		if err != nil {
			continue
		}
		for _, row := range r.Rows {
			for j := range row {
				if row[j] == "NULL" {
					row[j] = "~"
				}
			}
		}
		want := strings.Split(strings.TrimSuffix(parts[i], "\n"), "\n")
		if parts[i] == "" {
			want = nil
		}
		sort.Strings(want)
		if got := bag(r.Rows); got != strings.Join(want, "\n") {
			t.Errorf("%s\n  Holdfast:\n%s\n  PostgreSQL:\n%s", q, got, strings.Join(want, "\n"))
			if failures++; failures > 5 {
				return
			}
		}
	}
}

// randomSchema is three tables with keys, indexes and NULLs.
func randomSchema(rng *rand.Rand) []string {
	value := func(n int) string {
		if rng.IntN(6) == 0 {
			return "NULL"
		}
		return fmt.Sprint(rng.IntN(n))
	}
	out := []string{
		"CREATE TABLE t1 (id int PRIMARY KEY, a int, b int, c text)",
		"CREATE TABLE t2 (id int, a int, b int, c text, PRIMARY KEY (id, b))",
		"CREATE TABLE t3 (id int, a int, b int, c text)",
		"CREATE INDEX ON t1 (a, b)", "CREATE UNIQUE INDEX ON t1 (b, id)", "CREATE INDEX ON t2 (a DESC)", "CREATE INDEX ON t3 (c)",
		"CREATE INDEX ON t3 (b) WHERE a > 2",
	}
	for i, name := range []string{"t1", "t2", "t3"} {
		for k := range 12 + 10*i {
			id, b := fmt.Sprint(k), value(5)
			if name == "t2" {
				b = fmt.Sprint(k % 4)
			} else if name == "t3" {
				id = value(8)
			}
			c := "NULL"
			if rng.IntN(5) > 0 {
				c = "'" + string(rune('p'+rng.IntN(5))) + "'"
			}
			out = append(out, fmt.Sprintf("INSERT INTO %s VALUES (%s, %s, %s, %s)", name, id, value(7), b, c))
		}
	}
	return out
}

// generator makes queries. Every relation has columns id, a, b (integers) and c (text).
type generator struct {
	rng   *rand.Rand
	alias int
}

func (g *generator) pick(list ...string) string { return list[g.rng.IntN(len(list))] }

func (g *generator) name() string {
	g.alias++
	return fmt.Sprintf("x%d", g.alias)
}

// query is a complete query with columns of known names or not.
func (g *generator) query(depth int) string {
	switch g.rng.IntN(10) {
	case 0:
		return g.relation(depth) + g.pick(" UNION ", " UNION ALL ", " INTERSECT ", " EXCEPT ", " EXCEPT ALL ", " INTERSECT ALL ") + g.relation(depth)
	case 1, 2:
		return g.aggregate(depth)
	case 3:
		from, aliases := g.from(depth)
		x := aliases[0]
		return fmt.Sprintf("SELECT %s.id, %s.a FROM %s%s ORDER BY %s.id, %s.a, 1, 2 LIMIT %d", x, x, from, g.where(depth, aliases), x, x, g.rng.IntN(6))
	case 4:
		from, aliases := g.from(depth)
		return "SELECT DISTINCT " + g.column(aliases) + ", " + g.column(aliases) + " FROM " + from + g.where(depth, aliases)
	case 5:
		return "WITH w AS MATERIALIZED (" + g.relation(depth-1) + ") SELECT w1.id, w2.a FROM w w1 JOIN w w2 ON w1.a = w2.b"
	}
	from, aliases := g.from(depth)
	return "SELECT " + g.column(aliases) + ", " + g.column(aliases) + ", " + g.scalar(depth, aliases) + " FROM " + from + g.where(depth, aliases)
}

// relation is a query with the columns id, a, b, c.
func (g *generator) relation(depth int) string {
	if depth <= 0 {
		return "SELECT id, a, b, c FROM " + g.pick("t1", "t2", "t3")
	}
	from, aliases := g.from(depth - 1)
	x := aliases[g.rng.IntN(len(aliases))]
	return fmt.Sprintf("SELECT %s.id, %s.a, %s.b, %s.c FROM %s%s", x, x, g.pick(aliases...), x, from, g.where(depth-1, aliases))
}

func (g *generator) aggregate(depth int) string {
	from, aliases := g.from(depth)
	key := g.pick(aliases...) + "." + g.pick("a", "b", "c")
	x := g.pick(aliases...)
	q := fmt.Sprintf("SELECT %s, count(*), sum(%s.a), max(%s.c), count(DISTINCT %s.b) FROM %s%s GROUP BY %s", key, x, x, x, from, g.where(depth, aliases), key)
	if g.rng.IntN(2) == 0 {
		q += fmt.Sprintf(" HAVING count(*) %s %d", g.pick(">", "<", "="), g.rng.IntN(4))
	}
	return q
}

// from is a FROM clause and the aliases it shows: few of them, since the reference planner tries all pairs of
// rows, and few rows in each, since those of deeper levels come from fewer tables.
func (g *generator) from(depth int) (string, []string) {
	text, aliases := g.table(depth)
	for g.rng.IntN(5) > 2 && len(aliases) <= depth {
		t, more := g.table(depth)
		kind := g.pick("JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", ",", "CROSS JOIN")
		switch kind {
		case ",", "CROSS JOIN":
			text = "(" + text + " CROSS JOIN " + t + ")"
		case "FULL JOIN":
			// PostgreSQL wants conditions it can hash or merge.
			text = fmt.Sprintf("(%s FULL JOIN %s ON %s.%s = %s.%s)", text, t, g.pick(aliases...), g.pick("id", "a", "b"), g.pick(more...), g.pick("id", "a", "b"))
		default:
			cond := fmt.Sprintf("%s.%s %s %s.%s", g.pick(aliases...), g.pick("id", "a", "b"), g.pick("=", "=", "=", "=", "<"), g.pick(more...), g.pick("id", "a", "b"))
			if g.rng.IntN(3) == 0 {
				cond += " AND " + g.condition(0, append(append([]string(nil), aliases...), more...))
			}
			text = "(" + text + " " + kind + " " + t + " ON " + cond + ")"
		}
		aliases = append(aliases, more...)
	}
	return text, aliases
}

func (g *generator) table(depth int) (string, []string) {
	x := g.name()
	if depth > 0 && g.rng.IntN(4) == 0 {
		return "(" + g.relation(depth-1) + ") " + x, []string{x}
	}
	return g.pick("t1", "t2", "t3") + " " + x, []string{x}
}

func (g *generator) where(depth int, aliases []string) string {
	if g.rng.IntN(4) == 0 {
		return ""
	}
	q := " WHERE " + g.condition(depth, aliases)
	for g.rng.IntN(3) == 0 {
		q += " AND " + g.condition(depth, aliases)
	}
	return q
}

func (g *generator) column(aliases []string) string {
	return g.pick(aliases...) + "." + g.pick("id", "a", "b", "c")
}

func (g *generator) number(aliases []string) string {
	return g.pick(aliases...) + "." + g.pick("id", "a", "b")
}

// scalar is an integer expression.
func (g *generator) scalar(depth int, aliases []string) string {
	switch g.rng.IntN(7) {
	case 0:
		return fmt.Sprintf("coalesce(%s, %d)", g.number(aliases), g.rng.IntN(5))
	case 1:
		return fmt.Sprintf("CASE WHEN %s THEN %s ELSE %s END", g.condition(0, aliases), g.number(aliases), g.number(aliases))
	case 2:
		if depth > 0 {
			x := g.name()
			return fmt.Sprintf("(SELECT %s FROM %s %s WHERE %s.%s = %s)", g.pick("count(*)::int", "max("+x+".a)", "min("+x+".id)"), g.pick("t1", "t2", "t3"), x, x, g.pick("a", "b", "id"), g.number(aliases))
		}
	case 3:
		return g.number(aliases) + g.pick(" + ", " - ", " * ") + g.number(aliases)
	}
	return g.number(aliases)
}

func (g *generator) condition(depth int, aliases []string) string {
	n := g.rng.IntN(12)
	if depth > 0 && n >= 8 {
		x := g.name()
		inner := g.pick("t1", "t2", "t3")
		correlated := fmt.Sprintf("%s.%s = %s", x, g.pick("a", "b", "id"), g.number(aliases))
		if g.rng.IntN(3) == 0 {
			correlated += " AND " + g.condition(depth-1, []string{x})
		}
		not := g.pick("", "NOT ")
		switch n {
		case 8:
			return fmt.Sprintf("%sEXISTS (SELECT 1 FROM %s %s WHERE %s)", not, inner, x, correlated)
		case 9:
			return fmt.Sprintf("%s %sIN (SELECT %s.%s FROM %s %s)", g.number(aliases), not, x, g.pick("a", "b", "id"), inner, x)
		case 10:
			return fmt.Sprintf("%s %sIN (SELECT %s.%s FROM %s %s WHERE %s)", g.number(aliases), not, x, g.pick("a", "b"), inner, x, correlated)
		default:
			return fmt.Sprintf("%s %s (SELECT %s.a FROM %s %s WHERE %s.id = %d LIMIT 1)", g.number(aliases), g.pick("<", ">", "="), x, g.pick("t1"), x, x, g.rng.IntN(12))
		}
	}
	switch n % 8 {
	case 0, 1:
		return fmt.Sprintf("%s %s %d", g.number(aliases), g.pick("=", "<", ">", "<=", ">=", "<>"), g.rng.IntN(8))
	case 2:
		return fmt.Sprintf("%s %s %s", g.number(aliases), g.pick("=", "<", ">"), g.number(aliases))
	case 3:
		return g.column(aliases) + g.pick(" IS NULL", " IS NOT NULL")
	case 4:
		return fmt.Sprintf("%s IN (%d, %d, %d)", g.number(aliases), g.rng.IntN(7), g.rng.IntN(7), g.rng.IntN(7))
	case 5:
		return fmt.Sprintf("(%s OR %s)", g.condition(0, aliases), g.condition(0, aliases))
	case 6:
		return fmt.Sprintf("NOT (%s)", g.condition(0, aliases))
	default:
		return fmt.Sprintf("%s.c %s '%s'", g.pick(aliases...), g.pick("=", "<", ">=", "<>"), g.pick("p", "q", "r"))
	}
}
