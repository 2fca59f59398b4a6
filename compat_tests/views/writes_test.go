package views

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/planner/sessiontest"
)

var (
	fuzzFor  = flag.Duration("views.fuzz", 5*time.Second, "how long TestWrites and TestHistories run, and TestVerdicts half of it")
	fuzzSeed = flag.Uint64("views.seed", 1, "seed of what is random here; 0: a random one")
)

func seedOf(t *testing.T) uint64 {
	seed := *fuzzSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("seed %d", seed)
	return seed
}

// world is a database, views over it, and statements through one of them.
type world struct {
	d     *database
	views []*view
	steps []*statement
}

// newWorld makes a world with rows and views, the last of which is written.
func newWorld(g shape, o options) *world {
	w := &world{d: g.database(o)}
	if o.outer && o.self {
		o.outer = g.chance(50)
		o.self = !o.outer
	}
	g.fill(w.d)
	n := 1
	if o.nested && g.chance(40) {
		n += 1 + g.IntN(2)
	}
	for i := range n {
		v := g.view(w.d, string(rune('v'+i)), w.views, o)
		for range 5 { // views that cannot be written are soon dealt with
			if flatten(w.d, v).anchors(w.d) != nil {
				break
			}
			v = g.view(w.d, string(rune('v'+i)), w.views, o)
		}
		if f := flatten(w.d, v); !slices.ContainsFunc(f.columns, func(c flatColumn) bool { return f.targets(w.d, c, "UPDATE") != nil }) {
			v.check = "" // refused for a view that cannot be written
		}
		w.views = append(w.views, v)
	}
	return w
}

func (w *world) target() *view { return w.views[len(w.views)-1] }

// schema are the statements that make the tables with their rows and the views.
func (w *world) schema() []string {
	var out []string
	for _, t := range w.d.tables {
		out = append(out, t.create(w.d))
		out = append(out, t.restart()...)
		for _, r := range t.rows {
			out = append(out, t.insert(r.values))
		}
	}
	for _, v := range w.views {
		out = append(out, v.create(w.d))
	}
	return out
}

func (w *world) script() string {
	list := w.schema()
	for _, s := range w.steps {
		list = append(list, s.SQL(w.d)+s.note(w.d))
	}
	return strings.Join(list, ";\n") + ";"
}

// contents are the rows of a relation on the server.
func contents(c *sessiontest.Client, name string) []string {
	var out []string
	for _, r := range c.Must("SELECT * FROM " + name).Rows {
		out = append(out, strings.Join(r, "|"))
	}
	slices.Sort(out)
	return out
}

func (t *table) contents() []string {
	var out []string
	for _, r := range t.rows {
		out = append(out, rowText(r.values, t.kinds))
	}
	slices.Sort(out)
	return out
}

func viewContents(d *database, v *view) []string {
	var out []string
	kinds := v.kinds(d)
	for _, r := range evaluate(d, v, false) {
		out = append(out, rowText(r.values, kinds))
	}
	slices.Sort(out)
	return out
}

// tally counts what statements came to.
type tally map[string]int

// play runs the statements on a server and on the reference, and returns what is different, "" if nothing is, and at
// which step; -1 if the schema cannot be made.
func (w *world) play(t testing.TB, count tally) (string, int) {
	c := sessiontest.Open(t).Connect()
	defer c.Session.Close()
	c.Must("SET timezone = 'UTC'")
	for _, s := range w.schema() {
		if _, err := c.Exec(s); err != nil {
			return s + ": " + sessiontest.Describe(err), -1
		}
	}
	both := &session{c: c, d: w.d}
	for i, s := range w.steps {
		if wrong := both.step(s, count); wrong != "" {
			return s.SQL(w.d) + "\n" + wrong, i
		}
	}
	both.step(&statement{kind: "COMMIT"}, count)
	return getPut(c, both.d, w.target(), count), len(w.steps) - 1
}

// getPut sets each column that can be set to what it is, in all rows of the view: that must be accepted and change nothing.
func getPut(c *sessiontest.Client, d *database, v *view, count tally) string {
	f := flatten(d, v)
	for i, column := range f.columns {
		if f.targets(d, column, "UPDATE") == nil {
			continue
		}
		s := &statement{kind: "UPDATE", view: v, set: []assignment{{i, expression{column: i}}}}
		if s.apply(d).code == "428C9" {
			continue
		}
		r, err := c.Exec(s.SQL(d))
		if err != nil {
			return s.SQL(d) + "\n" + sessiontest.Describe(err)
		}
		rows := viewContents(d, v)
		if want := fmt.Sprintf("UPDATE %d", len(rows)); r.Tag() != want {
			return fmt.Sprintf("%s\n%s, not %s", s.SQL(d), r.Tag(), want)
		}
		for _, t := range d.tables {
			if got, want := contents(c, t.name), t.contents(); !slices.Equal(got, want) {
				return fmt.Sprintf("%s\n%s is  %v\nit was %v", s.SQL(d), t.name, got, want)
			}
		}
		if len(rows) > 0 {
			count["columns written back"]++
		}
	}
	return ""
}

// shrink leaves out what can be left out of a world in which something is wrong.
func (w *world) shrink(t testing.TB, at int) (*world, string) {
	best := *w
	best.steps = w.steps[:at+1]
	wrong, _ := best.play(t, tally{})
	try := func(change func(c *world) bool) bool {
		c := best
		c.d, c.steps, c.views = best.d.clone(), slices.Clone(best.steps), slices.Clone(best.views)
		if !change(&c) || c.d.constraints().code != "" {
			return false
		}
		x, i := c.play(t, tally{})
		if x == "" || (i < 0) != (at < 0) {
			return false
		}
		best, wrong = c, x
		return true
	}
	for again := true; again; {
		again = false
		for i := len(best.steps) - 1; i >= 0; i-- {
			again = try(func(c *world) bool { c.steps = slices.Delete(c.steps, i, i+1); return true }) || again
		}
		for k := range best.d.tables {
			for i := len(best.d.tables[k].rows) - 1; i >= 0; i-- {
				again = try(func(c *world) bool {
					x := c.d.tables[k]
					x.rows = slices.Delete(x.rows, i, i+1)
					return true
				}) || again
			}
		}
		for i := range best.steps {
			for k := 3; k >= 0; k-- {
				again = try(func(c *world) bool {
					x := *c.steps[i]
					if k >= len(x.where) {
						return false
					}
					x.where = slices.Delete(slices.Clone(x.where), k, k+1)
					c.steps[i] = &x
					return true
				}) || again
			}
		}
		for i := len(best.views) - 2; i >= 0 && at >= 0; i-- {
			again = try(func(c *world) bool { c.views = slices.Delete(c.views, i, i+1); return true }) || again
		}
	}
	return &best, wrong
}

// TestWrites: a write that is accepted does exactly what the reference does, so that the view then shows what was meant. One that is
// refused for what the rows are changes nothing and is refused by the reference too; but where a table is there in several roles,
// the server may refuse more. To write back what the view shows is accepted and changes nothing.
func TestWrites(t *testing.T) {
	limit := *fuzzFor
	if testing.Short() {
		limit = min(limit, 2*time.Second)
	}
	seed := seedOf(t)
	count := tally{}
	rounds := 0
	// Without a longer time asked for, it is the same rounds on each machine, as many as there is time for.
	for end := time.Now().Add(limit); time.Now().Before(end) && (limit > 5*time.Second || rounds < 250); rounds++ {
		g := shape{rand.New(rand.NewPCG(seed, uint64(rounds)))}
		w := newWorld(g, features)
		g.program(w, 12)
		if wrong, at := w.play(t, count); wrong != "" {
			small, why := w.shrink(t, at)
			t.Fatalf("seed %d, round %d:\n%s\n\n%s", seed, rounds, why, small.script())
		}
	}
	t.Logf("%d rounds: %v", rounds, count)
}

// concurrent are those of TestHistories, in which nobody can say who has drawn which number.
var concurrent = options{nested: true, expressions: true, outer: true, self: true, kinds: true, computed: true, chosen: true}

// features are those that views through which TestWrites writes may have.
var features = options{nested: true, expressions: true, outer: true, self: true, kinds: true, computed: true, serial: true, chosen: true}
