package catalog

// Events of pg_relation_is_updatable, numbered as PostgreSQL numbers commands.
const (
	eventUpdate = 1 << 2
	eventInsert = 1 << 3
	eventDelete = 1 << 4
)

// Updatability tells which changes a view accepts.
type Updatability struct {
	Insert, Update, Delete bool
	Columns                []int16 // columns of the view that UPDATE and INSERT accept
}

// ViewUpdatability is set by the layer that writes through views, before the first use of the catalog. Without
// it, no view accepts changes.
var ViewUpdatability = func(s *Snapshot, view *Table) Updatability { return Updatability{} }

// updatableEvents are the changes that a relation accepts.
func (s *Snapshot) updatableEvents(t *Table) int {
	switch {
	case t.Kind == KindTable:
		return eventInsert | eventUpdate | eventDelete
	case t.View == nil:
		return 0
	}
	u, events := ViewUpdatability(s, t), 0
	if u.Insert {
		events |= eventInsert
	}
	if u.Update {
		events |= eventUpdate
	}
	if u.Delete {
		events |= eventDelete
	}
	return events
}

// columnUpdatable reports whether a column of a relation accepts changes.
func (s *Snapshot) columnUpdatable(t *Table, column int16) bool {
	if t.Kind == KindTable {
		return true
	}
	if t.View == nil {
		return false
	}
	for _, n := range ViewUpdatability(s, t).Columns {
		if n == column {
			return true
		}
	}
	return false
}
