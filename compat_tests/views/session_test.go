package views

import (
	"fmt"
	"slices"
	"strings"

	"holdfast/planner/sessiontest"
	"holdfast/sql/errs"
)

// session is a session of the server and what the reference makes of it, transactions included.
type session struct {
	c     *sessiontest.Client
	d     *database
	begun *database // as it was at BEGIN, nil outside of a transaction block
	saved []savepoint
}

type savepoint struct {
	name string
	d    *database
}

// step runs a statement on both sides, and says what is different. What does not fit the state of the transaction is left out, so
// that steps before it can be left out.
func (b *session) step(s *statement, count tally) string {
	if s.view == nil {
		return b.control(s)
	}
	wrong, after, failed := compareStep(b.c, b.d, s, count)
	if after != nil {
		b.d = after
	}
	if wrong == "" && failed && b.begun != nil { // the block is as good as its last savepoint
		last := b.saved[len(b.saved)-1]
		return b.control(&statement{kind: "ROLLBACK TO", mark: last.name})
	}
	if wrong == "" {
		wrong = compareContents(b.c, b.d, s.view)
	}
	return wrong
}

// control runs a statement that is about the transaction.
func (b *session) control(s *statement) string {
	at := slices.IndexFunc(b.saved, func(p savepoint) bool { return p.name == s.mark })
	if inside := b.begun != nil; inside == (s.kind == "BEGIN") || at < 0 && (s.kind == "ROLLBACK TO" || s.kind == "RELEASE") {
		return ""
	}
	if _, err := b.c.Exec(s.SQL(b.d)); err != nil {
		return sessiontest.Describe(err)
	}
	switch s.kind {
	case "BEGIN":
		b.begun = b.d
		return b.control(&statement{kind: "SAVEPOINT", mark: "first"})
	case "SAVEPOINT":
		b.saved = append(slices.DeleteFunc(b.saved, func(p savepoint) bool { return p.name == s.mark }), savepoint{s.mark, b.d})
	case "ROLLBACK TO":
		b.d, b.saved = b.saved[at].d, b.saved[:at+1]
	case "RELEASE":
		b.saved = b.saved[:at]
		if at == 0 {
			return b.control(&statement{kind: "SAVEPOINT", mark: "first"})
		}
	case "ROLLBACK":
		b.d, b.begun, b.saved = b.begun, nil, nil
	case "COMMIT":
		b.begun, b.saved = nil, nil
	}
	return ""
}

// send runs a statement by its protocol.
func (s *statement) send(c *sessiontest.Client, d *database) (*sessiontest.Result, error) {
	w := &writer{parameters: s.protocol == prepared && !s.copied}
	text := s.text(d, w)
	if s.copied {
		c.CopyData = s.copyData(d)
	}
	switch {
	case s.protocol == simple || s.copied:
		return c.Exec(text)
	case s.protocol == extended:
		return c.Portal(text, 0)
	}
	return c.Prepared(text, w.values)
}

// note says in a script how a statement is sent.
func (s *statement) note(d *database) string {
	if s.view == nil {
		return ""
	}
	out := [...]string{"", " /* extended */", " /* prepared */"}[s.protocol]
	if s.copied {
		out += "\n" + s.copyData(d) + `\.`
	}
	return out
}

// compareStep runs a write on both sides. It returns what is different, and the database as it is then; nil if the statement was
// refused.
func compareStep(c *sessiontest.Client, d *database, s *statement, count tally) (wrong string, after *database, failed bool) {
	if s.apply(d).code == either {
		return "", nil, false
	}
	r, err := s.send(c, d)
	if err != nil {
		code := string(errs.CodeOf(err))
		count[s.kind+" "+code]++
		switch code {
		case "0A000", "55000", "42601", "42P09": // what the view allows is the matter of TestVerdicts
		case "428C9":
			// Columns that equal a generated one may be refused, or what is given is compared with it.
			if want := s.apply(d); want.code != code && !s.givesGenerated(d) && !(s.first != nil && s.first.givesGenerated(d)) {
				return fmt.Sprintf("refused:\n%s\nby the reference %s", sessiontest.Describe(err), want.code), nil, true
			}
		case "21000", "44000", "23505", "23502", "23503", "23514", "22001", "22003":
			if want := s.apply(d); want.code == "" && !s.mayRefuseMore(d) {
				return fmt.Sprintf("refused:\n%s\nby the reference %d rows: %v", sessiontest.Describe(err), want.count, want.returning), nil, true
			}
		default:
			return sessiontest.Describe(err), nil, true
		}
		return "", nil, true
	}
	for _, what := range s.features() {
		count[what]++
	}
	// What was drawn from sequences is found in the tables.
	before := d.drawnIn()
	var fresh []value
	for _, t := range d.tables {
		for _, n := range newNumbers(c, t) {
			if !before[n] && !slices.Contains(fresh, n) && len(fresh) < 5 {
				fresh = append(fresh, n)
			}
		}
	}
	for _, order := range orders(fresh) {
		want := s.apply(d, order...)
		this := s.differs(r, want)
		if this == "" {
			this = compareContents(c, want.after, s.view)
		}
		if wrong == "" || this == "" {
			wrong = this
		}
		if this == "" {
			if want.count > 0 {
				count[s.kind+" of rows"]++
				for _, what := range s.features() {
					count[what+" of rows"]++
				}
			}
			return "", want.after, false
		}
	}
	return wrong, nil, false
}

// mayRefuseMore reports whether the server may refuse what the reference accepts: where a view that is written has a table in several
// roles, or fixes a column of a key, without which it would not be known which row a new reference leads to.
func (s *statement) mayRefuseMore(d *database) bool {
	f := flatten(d, s.view)
	fixed := slices.ContainsFunc(f.equal, func(e equation) bool {
		return e.constant && slices.ContainsFunc(d.tables[f.tables[e.a.table]].keys, func(key []int) bool { return slices.Contains(key, e.a.column) })
	})
	return f.roles() || fixed && len(f.tables) > 1 || s.first != nil && s.first.mayRefuseMore(d)
}

// newNumbers are the numbers in a table that have been drawn from sequences.
func newNumbers(c *sessiontest.Client, t *table) []value {
	var out []value
	for i, k := range t.kinds {
		if k.family != "number" {
			continue
		}
		for _, r := range c.Must(fmt.Sprintf("SELECT DISTINCT %s::bigint FROM %s WHERE %s >= %d AND %s %% %d = 0", t.columns[i], t.name, t.columns[i], drawn, t.columns[i], drawnStep)).Rows {
			n := 0
			fmt.Sscan(r[0], &n)
			out = append(out, number(n))
		}
	}
	return out
}

// differs compares an answer with the outcome of the reference.
func (s *statement) differs(r *sessiontest.Result, want outcome) string {
	if want.code != "" {
		return fmt.Sprintf("%s %v\nby the reference: %s %s", r.Tag(), r.Rows, want.code, want.why)
	}
	if tag := s.tag(want.count); r.Tag() != tag {
		return fmt.Sprintf("%s, not %s", r.Tag(), tag)
	}
	if s.copied {
		return ""
	}
	var got []string
	for _, row := range r.Rows {
		got = append(got, strings.Join(row, "|"))
	}
	slices.Sort(got)
	if !slices.Equal(got, want.returning) {
		return fmt.Sprintf("returns %v\nby the reference %v", got, want.returning)
	}
	return ""
}

// compareContents compares all tables, and a view.
func compareContents(c *sessiontest.Client, d *database, v *view) string {
	for _, t := range d.tables {
		if got, want := contents(c, t.name), t.contents(); !slices.Equal(got, want) {
			return fmt.Sprintf("%s is  %v\nby the reference %v", t.name, got, want)
		}
	}
	if got, want := contents(c, v.name), viewContents(d, v); !slices.Equal(got, want) {
		return fmt.Sprintf("%s is  %v\nby the reference %v", v.name, got, want)
	}
	return ""
}

// features are what a statement has beyond the plain form, for the tally.
func (s *statement) features() []string {
	var out []string
	add := func(what string, has bool) {
		if has {
			out = append(out, what)
		}
	}
	add(s.kind+" FROM", s.from != nil && s.from.part == nil)
	add("COPY", s.copied)
	add("ON CONFLICT DO NOTHING", s.conflict != nil && !s.conflict.update)
	add("ON CONFLICT DO UPDATE", s.conflict != nil && s.conflict.update)
	add("WITH write SELECT", s.wrapped)
	add("WITH write write", s.first != nil)
	add("extended", s.protocol == extended)
	add("prepared", s.protocol == prepared)
	return out
}
