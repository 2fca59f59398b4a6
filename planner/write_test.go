package planner_test

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"testing"

	"holdfast/planner/sessiontest"
	"holdfast/sql/errs"

	"pgregory.net/rapid"
)

// The model of a small table with every kind of unique index:
//
//	id PRIMARY KEY, u UNIQUE, UNIQUE (a, b) WHERE a > 0, UNIQUE (lower(s)), plain indexes; CHECK (a < 50)
type modelRow struct {
	id   int
	u    *int
	a, b int
	s    string
}

type model map[int]modelRow

const modelTable = `CREATE TABLE t (id int PRIMARY KEY, u int UNIQUE, a int NOT NULL, b int NOT NULL, s text, g int GENERATED ALWAYS AS (a + b) STORED, CHECK (a < 50));
	CREATE UNIQUE INDEX t_ab ON t (a, b) WHERE a > 0;
	CREATE UNIQUE INDEX t_s ON t (lower(s));
	CREATE INDEX t_b ON t (b DESC) INCLUDE (s);
	CREATE INDEX t_g ON t (g, u)`

func (r modelRow) String() string {
	u := "NULL"
	if r.u != nil {
		u = fmt.Sprint(*r.u)
	}
	return fmt.Sprintf("%d|%s|%d|%d|%s|%d", r.id, u, r.a, r.b, r.s, r.a+r.b)
}

func (m model) String() string {
	var lines []string
	for _, id := range m.ids() {
		lines = append(lines, m[id].String())
	}
	return strings.Join(lines, "\n")
}

func (m model) ids() (ids []int) {
	for id := range m {
		ids = append(ids, id)
	}
	sort.Ints(ids)
	return ids
}

// verdict is the SQLSTATE that a table of these rows fails with, "" if it is fine.
func verdict(rows []modelRow) errs.Code {
	for _, r := range rows {
		if r.a >= 50 {
			return errs.CheckViolation
		}
	}
	for i, x := range rows {
		for _, y := range rows[:i] {
			if x.id == y.id || x.u != nil && y.u != nil && *x.u == *y.u || x.a > 0 && x.a == y.a && x.b == y.b || strings.EqualFold(x.s, y.s) {
				return errs.UniqueViolation
			}
		}
	}
	return ""
}

func (m model) rows() (rows []modelRow) {
	for _, id := range m.ids() {
		rows = append(rows, m[id])
	}
	return rows
}

func modelOf(rows []modelRow) model {
	m := model{}
	for _, r := range rows {
		m[r.id] = r
	}
	return m
}

func drawRow(t *rapid.T) modelRow {
	r := modelRow{id: rapid.IntRange(0, 8).Draw(t, "id"), a: rapid.IntRange(-2, 3).Draw(t, "a"), b: rapid.IntRange(0, 2).Draw(t, "b"),
		s: rapid.SampledFrom([]string{"a", "A", "b", "c", "C", "d", "e", "f", "g", "G", "h"}).Draw(t, "s")}
	if rapid.IntRange(0, 2).Draw(t, "null") > 0 {
		u := rapid.IntRange(0, 8).Draw(t, "u")
		r.u = &u
	}
	return r
}

func (r modelRow) values() string {
	u := "NULL"
	if r.u != nil {
		u = fmt.Sprint(*r.u)
	}
	return fmt.Sprintf("(%d, %s, %d, %d, '%s')", r.id, u, r.a, r.b, r.s)
}

// condition is a WHERE clause and what it means.
type condition struct {
	text string
	test func(modelRow) bool
}

func drawCondition(t *rapid.T) condition {
	n := rapid.IntRange(0, 8).Draw(t, "n")
	m := n % 4
	return rapid.SampledFrom([]condition{
		{fmt.Sprintf("id = %d", n), func(r modelRow) bool { return r.id == n }},
		{fmt.Sprintf("u = %d", n), func(r modelRow) bool { return r.u != nil && *r.u == n }},
		{fmt.Sprintf("b >= %d", m), func(r modelRow) bool { return r.b >= m }},
		{fmt.Sprintf("a > 0 AND a = %d", m), func(r modelRow) bool { return r.a > 0 && r.a == m }},
		{fmt.Sprintf("g = %d", m), func(r modelRow) bool { return r.a+r.b == m }},
		{"lower(s) = 'c'", func(r modelRow) bool { return strings.EqualFold(r.s, "c") }},
		{fmt.Sprintf("id IN (1, 3, %d)", n), func(r modelRow) bool { return r.id == 1 || r.id == 3 || r.id == n }},
		{"true", func(modelRow) bool { return true }},
	}).Draw(t, "condition")
}

// assignment is a SET clause and what it means.
type assignment struct {
	text string
	do   func(*modelRow)
}

func drawAssignment(t *rapid.T) assignment {
	n := rapid.IntRange(0, 8).Draw(t, "to")
	return rapid.SampledFrom([]assignment{
		{fmt.Sprintf("id = %d - id", n), func(r *modelRow) { r.id = n - r.id }},
		{"id = id + 1", func(r *modelRow) { r.id++ }},
		{"u = u + 1", func(r *modelRow) {
			if r.u != nil {
				u := *r.u + 1
				r.u = &u
			}
		}},
		{"u = NULL", func(r *modelRow) { r.u = nil }},
		{"a = -a", func(r *modelRow) { r.a = -r.a }},
		{"a = b, b = a", func(r *modelRow) { r.a, r.b = r.b, r.a }},
		{"b = b + 1, u = id", func(r *modelRow) { u := r.id; r.b, r.u = r.b+1, &u }},
		{"s = upper(s)", func(r *modelRow) { r.s = strings.ToUpper(r.s) }},
		{"s = s || 'x'", func(r *modelRow) { r.s += "x" }},
		{"a = a + 49", func(r *modelRow) { r.a += 49 }},
	}).Draw(t, "assignment")
}

// TestWritesAgainstModel runs random statements and compares the table, as seen through every index, with a map.
func TestWritesAgainstModel(t *testing.T) {
	db := sessiontest.Open(t)
	tables := 0
	rapid.Check(t, func(t *rapid.T) {
		c := db.Connect()
		tables++
		schema := fmt.Sprintf("s%d", tables)
		if _, err := c.Exec(fmt.Sprintf("CREATE SCHEMA %s; SET search_path = %s; %s", schema, schema, modelTable)); err != nil {
			t.Fatal(err)
		}
		defer c.Session.Close()
		state := model{}
		for range rapid.IntRange(1, 12).Draw(t, "statements") {
			statement, next, affected := drawStatement(t, state)
			r, err := c.Exec(statement + " RETURNING id")
			want := verdict(next)
			if affected < 0 {
				want = errs.CardinalityViolation
			}
			// Where both a CHECK and a unique index are violated, either may be told.
			code := errs.CodeOf(err)
			if code != want && !(want == errs.CheckViolation && code == errs.UniqueViolation) {
				t.Fatalf("%s\nfailed with %q (%v), want %q, on\n%v", statement, code, err, want, state)
			}
			if err == nil {
				state = modelOf(next)
				if !strings.HasSuffix(r.Tag(), fmt.Sprintf(" %d", affected)) || len(r.Rows) != affected {
					t.Fatalf("%s: tag %s, %d rows, want %d", statement, r.Tag(), len(r.Rows), affected)
				}
			}
			compareModel(t, c, statement, state)
		}
	})
}

func compareModel(t *rapid.T, c *sessiontest.Client, after string, state model) {
	for _, q := range []string{
		"SELECT * FROM t ORDER BY id",
		"SELECT * FROM t WHERE b >= -100 ORDER BY b DESC, id",
		"SELECT * FROM t WHERE u IN (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12) OR u IS NULL OR u > 12 OR u < 0 ORDER BY id",
	} {
		r, err := c.Exec(q)
		if err != nil {
			t.Fatal(err)
		}
		sort.Slice(r.Rows, func(i, j int) bool {
			return len(r.Rows[i][0]) < len(r.Rows[j][0]) || len(r.Rows[i][0]) == len(r.Rows[j][0]) && r.Rows[i][0] < r.Rows[j][0]
		})
		if got := sorted(r.String()); got != sorted(state.String()) {
			t.Fatalf("after %s, %s gives\n%s\nwant\n%s", after, q, got, sorted(state.String()))
		}
	}
	for _, row := range state {
		probes := []string{fmt.Sprintf("id = %d", row.id), fmt.Sprintf("lower(s) = '%s'", strings.ToLower(row.s))}
		if row.u != nil {
			probes = append(probes, fmt.Sprintf("u = %d", *row.u))
		}
		if row.a > 0 {
			probes = append(probes, fmt.Sprintf("a > 0 AND a = %d AND b = %d", row.a, row.b))
		}
		for _, p := range probes {
			r, err := c.Exec("SELECT * FROM t WHERE " + p)
			if err != nil || r.String() != row.String() {
				t.Fatalf("after %s, WHERE %s gives %q, %v; want %q", after, p, r.String(), err, row.String())
			}
		}
	}
}

func sorted(text string) string {
	lines := strings.Split(text, "\n")
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}

// drawStatement makes a statement, the rows that the table has after it, and the number of rows it affects, -1
// where it must affect one twice.
func drawStatement(t *rapid.T, state model) (text string, next []modelRow, affected int) {
	rows := state.rows()
	switch rapid.SampledFrom([]string{"insert", "insert", "upsert", "ignore", "update", "update", "delete"}).Draw(t, "kind") {
	case "insert":
		added := rapid.SliceOfN(rapid.Custom(drawRow), 1, 4).Draw(t, "rows")
		return "INSERT INTO t (id, u, a, b, s) VALUES " + valueList(added), append(rows, added...), len(added)
	case "ignore":
		// Without a target every unique index counts.
		added := rapid.SliceOfN(rapid.Custom(drawRow), 1, 4).Draw(t, "rows")
		for _, r := range added {
			if verdict(append(slices.Clone(rows), r)) == "" {
				rows = append(rows, r)
				affected++
			}
		}
		return "INSERT INTO t (id, u, a, b, s) VALUES " + valueList(added) + " ON CONFLICT DO NOTHING", rows, affected
	case "upsert":
		added := rapid.SliceOfN(rapid.Custom(drawRow), 1, 3).Draw(t, "rows")
		text = "INSERT INTO t (id, u, a, b, s) VALUES " + valueList(added) + " ON CONFLICT (id) DO UPDATE SET a = excluded.a, b = t.b + 1, u = excluded.u WHERE t.b < 2"
		written := map[int]bool{}
		for _, r := range added {
			i := slices.IndexFunc(rows, func(x modelRow) bool { return x.id == r.id })
			switch {
			case i < 0:
				rows = append(rows, r)
				written[r.id] = true
			case written[r.id]:
				if verdict(rows) != "" {
					return text, rows, affected // it has failed by then
				}
				return text, rows, -1
			case rows[i].b < 2:
				rows[i].a, rows[i].b, rows[i].u = r.a, rows[i].b+1, r.u
				written[r.id] = true
			default:
				continue
			}
			if verdict(rows) != "" {
				return text, rows, affected // a row fails against those before it, not those after
			}
			affected++
		}
		return text, rows, affected
	case "update":
		c, set := drawCondition(t), drawAssignment(t)
		for i := range rows {
			if c.test(rows[i]) {
				set.do(&rows[i])
				affected++
			}
		}
		return fmt.Sprintf("UPDATE t SET %s WHERE %s", set.text, c.text), rows, affected
	}
	c := drawCondition(t)
	kept := slices.DeleteFunc(slices.Clone(rows), c.test)
	return "DELETE FROM t WHERE " + c.text, kept, len(rows) - len(kept)
}

func valueList(rows []modelRow) string {
	var list []string
	for _, r := range rows {
		list = append(list, r.values())
	}
	return strings.Join(list, ", ")
}
