package views

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/compat_tests/testserver"
	"holdfast/kv/pebblekv"
	"holdfast/planner"
	"holdfast/wire"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// transaction is what a client of a history does: one statement by itself, or some in a block.
type transaction struct {
	client     string
	d          *database // as it was in the beginning
	block      bool
	statements []*statement
	answers    []string // of those that were answered, up to a refusal
	refused    bool     // told to try again: as if it had not been
}

func (x *transaction) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s", x.client)
	if x.block {
		b.WriteString(", in a block")
	}
	if x.refused {
		b.WriteString(", refused")
	}
	for i, s := range x.statements {
		answer := "not sent"
		if i < len(x.answers) {
			answer = x.answers[i]
		}
		fmt.Fprintf(&b, "\n  %s -> %s", s.SQL(x.d), answer)
	}
	return b.String()
}

// told is what a statement is answered with, as clients print it.
func (o outcome) told(s *statement) string {
	text := s.tag(o.count)
	if len(o.returning) > 0 {
		text += ": " + strings.Join(o.returning, ", ")
	}
	return text
}

// forbidden are the SQLSTATEs with which statements are refused for what the view is, in any state.
func forbidden(answer string) bool {
	return slices.Contains([]string{"ERROR 0A000", "ERROR 55000", "ERROR 42601", "ERROR 42P09", "ERROR 428C9"}, answer)
}

// after carries out a transaction on a database, if it then is answered as it was.
func (x *transaction) after(d *database) (*database, bool) {
	begin := d
	for i, answer := range x.answers {
		if forbidden(answer) {
			return begin, true
		}
		o := x.statements[i].apply(d)
		if strings.HasPrefix(answer, "ERROR") {
			return begin, o.code != "" || x.statements[i].mayRefuseMore(d) // see TestWrites
		}
		if o.code != "" || o.told(x.statements[i]) != answer {
			return nil, false
		}
		d = o.after
	}
	return d, true
}

// explain finds an order of transactions, one after the other, that gives their answers and what is in the tables in the end.
func explain(d *database, list []*transaction, final string) []*transaction {
	if len(list) == 0 {
		if d.final() == final {
			return []*transaction{}
		}
		return nil
	}
	for i, x := range list {
		next, ok := x.after(d)
		if !ok {
			continue
		}
		if order := explain(next, slices.Delete(slices.Clone(list), i, i+1), final); order != nil {
			return append([]*transaction{x}, order...)
		}
	}
	return nil
}

// final is what is in all tables.
func (d *database) final() string {
	var parts []string
	for _, t := range d.tables {
		parts = append(parts, t.name+": "+strings.Join(t.contents(), ", "))
	}
	return strings.Join(parts, "; ")
}

// final is what is in all tables on the server.
func (st *stage) final(d *database) string {
	var parts []string
	for _, t := range d.tables {
		answer := st.must("SELECT * FROM " + t.name)
		_, rows, _ := strings.Cut(answer, ": ")
		parts = append(parts, t.name+": "+rows)
	}
	return strings.Join(parts, "; ")
}

// perform runs transactions at the same time: each begins while another client has locked all rows, and they go on
// when these are released. What they do to each other from then on is up to the server.
func (st *stage) perform(d *database, list []*transaction, level string) {
	gate := st.client("the gate", "SERIALIZABLE", false)
	sql := "BEGIN"
	for _, t := range d.tables {
		sql += "; SELECT FROM " + t.name + " FOR UPDATE"
	}
	if a := gate.do(sql); strings.HasPrefix(a, "ERROR") {
		st.t.Fatalf("%s: %s", sql, a)
	}
	clients := map[string]*client{}
	byName := map[string]*transaction{}
	done := make(chan bool)
	for i, x := range list {
		c := st.client(x.client, level, i%2 == 0)
		if x.block {
			c.do("BEGIN")
		}
		c.start(x.statements[0].SQL(d))
		clients[x.client], byName[x.client] = c, x
		// Whoever inserts need not wait, so that the next one begins with its statement carried out.
		st.wait(clients, func(name, answer string) { byName[name].answers = []string{answer} })
	}
	gate.do("COMMIT")
	for _, x := range list {
		go func() {
			defer func() { done <- true }()
			c := clients[x.client]
			if c.running {
				x.answers = []string{<-c.answer}
				c.running = false
			}
			for _, s := range x.statements[1:] {
				if strings.HasPrefix(x.answers[len(x.answers)-1], "ERROR") {
					break
				}
				x.answers = append(x.answers, c.do(s.SQL(d)))
			}
			x.refused = conflict(x.answers[len(x.answers)-1])
			if x.block {
				x.refused = conflict(c.do("COMMIT")) || x.refused
			}
		}()
	}
	for range list {
		<-done
	}
}

// TestHistories: what concurrent clients are told of random writes through random views, and what is left in the tables,
// is what some serial order of those that were not told to try again comes to. Statements that are transactions of
// their own are never told that.
func TestHistories(t *testing.T) {
	limit := *fuzzFor
	if testing.Short() {
		limit = min(limit, 2*time.Second)
	}
	seed := seedOf(t)
	store, err := pebblekv.Open(pebblekv.Options{Folder: "db", FS: vfs.NewMem(), CacheBytes: 32 << 20, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	server := testserver.StartOn(t, store, wire.Options{MaxConnections: 200}, planner.Config{})
	st := newStage(t, server, &story{})
	histories, effective, refusals := 0, 0, 0
	for end, round := time.Now().Add(limit), 0; time.Now().Before(end); round++ {
		g := shape{rand.New(rand.NewPCG(seed, uint64(round)))}
		w := newWorld(g, concurrent)
		st.must("DROP SCHEMA story CASCADE; CREATE SCHEMA story; " + strings.Join(w.schema(), "; "))
		names := []string{}
		for i := len(w.d.tables) - 1; i >= 0; i-- {
			names = append(names, w.d.tables[i].name)
		}
		var rows []string
		for _, t := range w.d.tables {
			for _, r := range t.rows {
				rows = append(rows, t.insert(r.values))
			}
		}
		st.story = &story{tables: names, rows: rows}
		for range 4 {
			st.reset()
			var list []*transaction
			for i := range 2 + g.IntN(3) {
				x := g.transaction(w, []string{"A", "B", "C", "D"}[i])
				list = append(list, x)
			}
			st.perform(w.d, list, levels[round%len(levels)])
			final := st.final(w.d)
			var kept []*transaction
			changed := 0
			for _, x := range list {
				if x.refused {
					refusals++
					if !x.block {
						t.Errorf("a statement by itself was refused: %s", x)
					}
					continue
				}
				kept = append(kept, x)
				if strings.Contains(strings.Join(x.answers, ""), ": ") {
					changed++
				}
			}
			if order := explain(w.d, kept, final); order == nil {
				var parts []string
				for _, x := range list {
					parts = append(parts, x.String())
				}
				t.Fatalf("seed %d, round %d: no order explains\n%s\nfinal %s\n\n%s", seed, round, strings.Join(parts, "\n"), final, w.script())
			}
			histories++
			if changed > 1 {
				effective++
			}
		}
	}
	t.Logf("%d histories, %d with several that changed something, %d transactions were told to try again", histories, effective, refusals)
}
