package views

import "slices"

// What the clients of TestHistories do: writes through a view in all forms, writes of its base tables, and SELECT .. FOR UPDATE.

// transaction makes what a client does, by itself or in a block of up to three statements.
func (g shape) transaction(w *world, client string) *transaction {
	x := &transaction{d: w.d, client: client, block: g.chance(45)}
	n := 1
	if x.block {
		n += g.IntN(3)
	}
	for range n {
		switch {
		case x.block && g.chance(25):
			x.statements = append(x.statements, g.locking(w))
		case g.chance(20): // a row of a base table, deleted more often than not
			s := g.statement(w.d, w.d.whole(g.IntN(len(w.d.tables))))
			if g.chance(60) {
				s = &statement{kind: "DELETE", view: s.view}
			}
			if s.kind != "INSERT" {
				g.seen(w.d, s)
			}
			x.statements = append(x.statements, s)
		default:
			x.statements = append(x.statements, g.concurrent(w))
		}
	}
	return x
}

// concurrent is a write through the view. COPY is left out, as clients here send text only, and so are the rows of a source from which
// a view of one table may take any.
func (g shape) concurrent(w *world) *statement {
	s := g.statement(w.d, w.target())
	if s.kind == "INSERT" {
		g.agree(w.d, s)
		if g.chance(20) {
			g.onConflict(w.d, s)
		}
		return s
	}
	g.seen(w.d, s)
	if g.chance(15) && len(flatten(w.d, s.view).tables) > 1 {
		g.fromSource(w, s)
	}
	s.wrapped = g.chance(10)
	return s
}

// locking is SELECT .. FOR UPDATE through the view, or of its query with one of the tables or views named that no outer join leaves out.
func (g shape) locking(w *world) *statement {
	s := &statement{kind: "SELECT", view: w.target(), locks: " FOR UPDATE"}
	g.seen(w.d, s)
	if s.where == nil || slices.ContainsFunc(s.view.items, func(x *item) bool { return x.left || x.view != nil }) || g.chance(30) {
		if slices.Contains(flatten(w.d, s.view).missing, true) {
			s.locks = ""
		}
		return s
	}
	s.inlined = true
	s.locks += " OF " + s.view.items[g.IntN(len(s.view.items))].alias
	return s
}
