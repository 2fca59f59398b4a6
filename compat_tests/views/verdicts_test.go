package views

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/planner/sessiontest"
	"holdfast/sql/errs"
)

// refusal reports whether a statement is refused for what its view is. It must have no effect.
func refusal(t *testing.T, c *sessiontest.Client, sql string) bool {
	t.Helper()
	_, err := c.Exec(sql)
	if err == nil {
		return false
	}
	e := errs.As(err)
	if e.Code == "428C9" {
		return false // a generated column, which can only be set to its DEFAULT
	}
	if e.Code != "0A000" && e.Code != "55000" && e.Code != "42P09" || e.Detail == "" {
		t.Fatalf("%s\n%s", sql, sessiontest.Describe(err))
	}
	return true
}

// yes is a truth value of the information schema.
func yes(ok bool) string {
	if ok {
		return "YES"
	}
	return "NO"
}

// TestVerdicts: what the catalog says of a view, what the statements do, and what the reference has found of its keys agree, for
// random views. The statements change no rows, so that only the view can be the reason of a refusal.
func TestVerdicts(t *testing.T) {
	limit := *fuzzFor / 2
	if testing.Short() {
		limit = min(limit, time.Second)
	}
	seed := seedOf(t)
	c := sessiontest.Open(t).Connect()
	views, count := 0, tally{}
	for end, round := time.Now().Add(limit), 0; round < 10 || time.Now().Before(end); round++ {
		g := shape{rand.New(rand.NewPCG(seed, uint64(round)))}
		w := newWorld(g, features)
		w.views = append(w.views, &view{name: "unkeyed", items: w.views[0].items, columns: w.views[0].columns})
		w.views[len(w.views)-1].items = append(slices.Clone(w.views[0].items), &item{alias: "any_row", table: 0}) // no key is the view's
		c.Must("DROP SCHEMA public CASCADE; CREATE SCHEMA public; " + strings.Join(w.schema(), "; "))
		for _, v := range w.views {
			views++
			if wrong := verdicts(t, c, w.d, v, count); wrong != "" {
				t.Fatalf("seed %d, round %d: %s: %s\n%s", seed, round, v.name, wrong, w.script())
			}
		}
	}
	t.Logf("%d views: %v", views, count)
	for _, what := range []string{"UPDATE", "no UPDATE", "INSERT", "no INSERT", "DELETE", "no DELETE"} {
		if count[what] == 0 {
			t.Errorf("seed %d: %s of no view", seed, what)
		}
	}
}

// verdicts compares what is said and done of one view, and says what does not agree.
func verdicts(t *testing.T, c *sessiontest.Client, d *database, v *view, count tally) string {
	f := flatten(d, v)
	note := func(what string, ok bool) {
		if !ok {
			what = "no " + what
		}
		count[what]++
	}
	columns := map[string]map[string]bool{"UPDATE": {}, "INSERT": {}}
	for _, column := range f.columns {
		for kind, sql := range map[string]string{
			"UPDATE": fmt.Sprintf("UPDATE %s SET %s = %s WHERE false", v.name, column.name, column.name),
			"INSERT": fmt.Sprintf("INSERT INTO %s (%s) SELECT NULL WHERE false", v.name, column.name),
		} {
			ok := !refusal(t, c, sql)
			columns[kind][column.name] = ok
			note(kind+" of a column", ok)
			if want := f.targets(d, column, kind) != nil; ok != want {
				return fmt.Sprintf("%s: accepted: %v, by the reference: %v", sql, ok, want)
			}
		}
		ok := columns["UPDATE"][column.name]
		if got := c.Must(fmt.Sprintf("SELECT is_updatable FROM information_schema.columns WHERE table_name = '%s' AND column_name = '%s'", v.name, column.name)).String(); got != yes(ok) {
			return fmt.Sprintf("column %s: UPDATE is accepted: %v, is_updatable: %s", column.name, ok, got)
		}
		if got := c.Must(fmt.Sprintf("SELECT pg_column_is_updatable('%s'::regclass, attnum, false) FROM pg_attribute WHERE attrelid = '%s'::regclass AND attname = '%s'",
			v.name, v.name, column.name)).String(); got != fmt.Sprint(ok)[:1] {
			return fmt.Sprintf("column %s: UPDATE is accepted: %v, pg_column_is_updatable: %s", column.name, ok, got)
		}
	}
	update, insert := slices.Contains(values(columns["UPDATE"]), true), slices.Contains(values(columns["INSERT"]), true)
	remove := !refusal(t, c, "DELETE FROM "+v.name+" WHERE false")
	note("UPDATE", update)
	note("INSERT", insert)
	note("DELETE", remove)
	if want := len(f.deleted(d)) > 0; want != remove {
		return fmt.Sprintf("DELETE is accepted: %v, by the reference: %v", remove, want)
	}
	events := 0
	for event, ok := range map[int]bool{4: update, 8: insert, 16: remove} {
		if ok {
			events += event
		}
	}
	if got := c.Must(fmt.Sprintf("SELECT pg_relation_is_updatable('%s'::regclass, false)", v.name)).String(); got != fmt.Sprint(events) {
		return fmt.Sprintf("UPDATE, INSERT, DELETE are accepted: %v, %v, %v; pg_relation_is_updatable: %s", update, insert, remove, got)
	}
	want := fmt.Sprintf("%s|%s|%s", yes(update && remove), yes(insert), map[string]string{"": "NONE", "LOCAL": "LOCAL", "CASCADED": "CASCADED"}[v.check])
	if got := c.Must(fmt.Sprintf("SELECT is_updatable, is_insertable_into, check_option FROM information_schema.views WHERE table_name = '%s'", v.name)).String(); got != want {
		return fmt.Sprintf("information_schema.views: %s, not %s", got, want)
	}
	// The plan names the same base columns, and a reason where there are none.
	plan := map[string][]string{}
	for _, r := range c.Must(fmt.Sprintf("SELECT * FROM view_update_plan('%s')", v.name)).Rows {
		key := r[0] + " " + r[1]
		if (r[2] == "NULL") != (r[4] != "NULL") {
			return fmt.Sprintf("view_update_plan: %v", r)
		}
		if r[2] != "NULL" {
			name, _, _ := strings.Cut(r[2], " ")
			plan[key] = append(plan[key], name+"."+r[3])
		} else {
			plan[key] = append(plan[key], []string{}...)
		}
	}
	for _, column := range f.columns {
		for _, kind := range []string{"UPDATE", "INSERT"} {
			var want []string
			for _, a := range f.targets(d, column, kind) {
				t := d.tables[f.tables[a.table]]
				want = append(want, t.name+"."+t.columns[a.column])
			}
			got := plan[column.name+" "+kind]
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(got, want) {
				return fmt.Sprintf("view_update_plan: %s of %s writes %v, by the reference %v", kind, column.name, got, want)
			}
		}
	}
	if got := len(plan["NULL DELETE"]); got != len(f.deleted(d)) {
		return fmt.Sprintf("view_update_plan: DELETE from %v", plan["NULL DELETE"])
	}
	return ""
}

func values(m map[string]bool) []bool {
	var out []bool
	for _, v := range m {
		out = append(out, v)
	}
	return out
}
