package views

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestInsertRoles: like TestWrites, for INSERT through views with one table in several roles, inner and outer joins. The rows given refer
// to each other, and to rows that are there.
func TestInsertRoles(t *testing.T) {
	limit := *fuzzFor
	if testing.Short() {
		limit = min(limit, 2*time.Second)
	}
	seed := seedOf(t)
	count := tally{}
	rounds := 0
	for end := time.Now().Add(limit); time.Now().Before(end) && (limit > 5*time.Second || rounds < 100); rounds++ {
		g := shape{rand.New(rand.NewPCG(seed, uint64(rounds)))}
		w := newRoles(g)
		for len(w.steps) < 20 {
			s := g.statement(w.d, w.target())
			if s.kind != "INSERT" && g.chance(90) {
				continue
			}
			if s.kind == "INSERT" {
				g.agree(w.d, s)
			}
			w.steps = append(w.steps, s)
		}
		if wrong, at := w.play(t, count); wrong != "" {
			small, why := w.shrink(t, at)
			t.Fatalf("seed %d, round %d:\n%s\n\n%s", seed, rounds, why, small.script())
		}
	}
	t.Logf("%d rounds: %v", rounds, count)
}

// newRoles makes a world with a view in which a table has several roles.
func newRoles(g shape) *world {
	w := &world{d: g.database(options{})}
	w.d.tables = w.d.tables[:1+g.IntN(2)]
	for i, t := range w.d.tables {
		if g.chance(70) {
			t.keys = t.keys[:1]
		}
		for c := range t.notNull {
			t.notNull[c] = c == 0
		}
		for _, c := range t.keys[0] {
			t.notNull[c] = t.notNull[c] || t.primary
		}
		if len(t.keys[0]) == 1 && g.chance(30) { // to itself
			t.refs = append(t.refs, reference{column: 1, table: i, toColumn: 0})
		}
	}
	g.fill(w.d)
	for range 20 {
		v := g.view(w.d, "v", nil, options{self: true, expressions: g.chance(20), outer: g.chance(40)})
		f := flatten(w.d, v)
		if f.roles() && len(f.tables) > 1 {
			for _, usable := range f.preserved(w.d) {
				if usable && len(f.tables) <= 3 {
					w.views = []*view{v}
					return w
				}
			}
		}
	}
	return newRoles(g)
}
