package catalog

import (
	"encoding/binary"
	"maps"

	"holdfast/sql/errs"
	"holdfast/sql/types"
)

func newSnapshot(c *Catalog) *Snapshot {
	return &Snapshot{
		catalog:       c,
		schemas:       map[OID]*Schema{},
		schemaNames:   map[string]*Schema{},
		relations:     map[OID]*Table{},
		relationNames: map[qualifiedName]OID{},
		indexTables:   map[OID]OID{},
		assertions:    map[OID]*Assertion{},
		assertNames:   map[qualifiedName]*Assertion{},
		userTypes:     map[OID]*UserType{},
		typeNames:     map[qualifiedName]OID{},
		types:         map[OID]*types.Type{},
		roles:         map[OID]*Role{},
		roleNames:     map[string]*Role{},
		extensions:    map[OID]*Extension{},
	}
}

// clone is a copy that may be changed until somebody else sees it.
func (s *Snapshot) clone() *Snapshot {
	return &Snapshot{
		Version:       newStamp(),
		catalog:       s.catalog,
		schemas:       maps.Clone(s.schemas),
		schemaNames:   maps.Clone(s.schemaNames),
		relations:     maps.Clone(s.relations),
		relationNames: maps.Clone(s.relationNames),
		indexTables:   maps.Clone(s.indexTables),
		assertions:    maps.Clone(s.assertions),
		assertNames:   maps.Clone(s.assertNames),
		userTypes:     maps.Clone(s.userTypes),
		typeNames:     maps.Clone(s.typeNames),
		types:         maps.Clone(s.types),
		roles:         maps.Clone(s.roles),
		roleNames:     maps.Clone(s.roleNames),
		extensions:    maps.Clone(s.extensions),
	}
}

// The set and remove functions change a snapshot that nobody else has seen. setTable and setType only enter
// the object; link then makes the types.

func (s *Snapshot) setSchema(n *Schema) {
	s.removeSchema(n.OID)
	s.schemas[n.OID], s.schemaNames[n.Name] = n, n
}

func (s *Snapshot) removeSchema(oid OID) {
	if old := s.schemas[oid]; old != nil {
		delete(s.schemas, oid)
		delete(s.schemaNames, old.Name)
	}
}

func (s *Snapshot) setRole(r *Role) {
	s.removeRole(r.OID)
	s.roles[r.OID], s.roleNames[r.Name] = r, r
}

func (s *Snapshot) removeRole(oid OID) {
	if old := s.roles[oid]; old != nil {
		delete(s.roles, oid)
		delete(s.roleNames, old.Name)
	}
}

func (s *Snapshot) setAssertion(a *Assertion) {
	s.removeAssertion(a.OID)
	s.assertions[a.OID], s.assertNames[qualifiedName{a.Schema, a.Name}] = a, a
}

func (s *Snapshot) removeAssertion(oid OID) {
	if old := s.assertions[oid]; old != nil {
		delete(s.assertions, oid)
		delete(s.assertNames, qualifiedName{old.Schema, old.Name})
	}
}

func (s *Snapshot) setTable(t *Table) {
	s.removeTable(t.OID)
	s.relations[t.OID] = t
	s.relationNames[qualifiedName{t.Schema, t.Name}] = t.OID
	for _, x := range t.Indexes {
		s.relationNames[qualifiedName{t.Schema, x.Name}] = x.OID
		s.indexTables[x.OID] = t.OID
	}
	if t.RowType != 0 {
		s.typeNames[qualifiedName{t.Schema, t.Name}] = t.RowType
	}
}

func (s *Snapshot) removeTable(oid OID) {
	old := s.relations[oid]
	if old == nil {
		return
	}
	delete(s.relations, oid)
	delete(s.relationNames, qualifiedName{old.Schema, old.Name})
	for _, x := range old.Indexes {
		delete(s.relationNames, qualifiedName{old.Schema, x.Name})
		delete(s.indexTables, x.OID)
	}
	if old.RowType != 0 {
		delete(s.typeNames, qualifiedName{old.Schema, old.Name})
		delete(s.types, old.RowType)
		delete(s.types, old.RowType+1)
	}
}

func (s *Snapshot) setType(u *UserType) {
	s.removeType(u.OID)
	s.userTypes[u.OID] = u
	if u.Dropped {
		return
	}
	s.typeNames[qualifiedName{u.Schema, u.Name}] = u.OID
	if u.Relation != 0 {
		s.relationNames[qualifiedName{u.Schema, u.Name}] = u.Relation
	}
}

func (s *Snapshot) removeType(oid OID) {
	old := s.userTypes[oid]
	if old == nil {
		return
	}
	delete(s.userTypes, oid)
	delete(s.types, old.OID)
	delete(s.types, old.ArrayOID)
	if old.Dropped {
		return
	}
	delete(s.typeNames, qualifiedName{old.Schema, old.Name})
	if old.Relation != 0 {
		delete(s.relationNames, qualifiedName{old.Schema, old.Name})
	}
}

// loader builds a Snapshot from stored objects, taking unchanged ones from base.
type loader struct {
	base, s *Snapshot
	tables  map[OID]*Table
	types   map[OID]*UserType
}

func newLoader(c *Catalog, base *Snapshot) *loader {
	if base == nil {
		base = newSnapshot(c)
	}
	return &loader{base, newSnapshot(c), map[OID]*Table{}, map[OID]*UserType{}}
}

func (l *loader) add(key, value []byte) error {
	if len(key) != len(objectPrefix)+5 {
		return errs.New(errs.DataCorrupted, "catalog key %x of an unknown form", key)
	}
	kind, oid := key[len(objectPrefix)], OID(binary.BigEndian.Uint32(key[len(objectPrefix)+1:]))
	stamp, err := objectStamp(value)
	if err != nil {
		return err
	}
	switch kind {
	case schemaObject:
		n := l.base.schemas[oid]
		if n == nil || n.stamp != stamp {
			n = &Schema{stamp: stamp}
			err = decodeObject(value, n)
		}
		l.s.setSchema(n)
	case roleObject:
		r := l.base.roles[oid]
		if r == nil || r.stamp != stamp {
			r = &Role{stamp: stamp}
			err = decodeObject(value, r)
		}
		l.s.setRole(r)
	case assertionObject:
		a := l.base.assertions[oid]
		if a == nil || a.stamp != stamp {
			a = &Assertion{stamp: stamp}
			err = decodeObject(value, a)
		}
		l.s.setAssertion(a)
	case extensionObject:
		x := l.base.extensions[oid]
		if x == nil || x.stamp != stamp {
			x = &Extension{stamp: stamp}
			err = decodeObject(value, x)
		}
		l.s.extensions[oid] = x
	case relationObject:
		t := l.base.relations[oid]
		if t == nil || t.stamp != stamp {
			t = &Table{stamp: stamp}
			err = decodeObject(value, t)
			l.tables[oid] = t
		} else if t.RowType != 0 {
			l.s.types[t.RowType], l.s.types[t.RowType+1] = l.base.types[t.RowType], l.base.types[t.RowType+1]
		}
		l.s.setTable(t)
	case typeObject:
		u := l.base.userTypes[oid]
		if u == nil || u.stamp != stamp {
			u = &UserType{stamp: stamp}
			err = decodeObject(value, u)
			l.types[oid] = u
		} else {
			l.s.types[u.OID], l.s.types[u.ArrayOID] = l.base.types[u.OID], l.base.types[u.ArrayOID]
		}
		l.s.setType(u)
	default:
		return errs.New(errs.DataCorrupted, "catalog object of unknown kind %q", kind)
	}
	return err
}

func (l *loader) finish() (*Snapshot, error) {
	// An unchanged object may still refer to a type that is gone from, or back in, this state.
	gone := map[OID]bool{}
	for oid := range l.base.types {
		if l.s.types[oid] == nil {
			gone[oid] = true
		}
	}
	_, err := l.s.link(l.tables, l.types, gone)
	return l.s, err
}

// linker makes the types of a snapshot.
type linker struct {
	s       *Snapshot
	tables  map[OID]*Table
	types   map[OID]*UserType
	domains map[OID]*UserType // not made yet
}

// link makes the types of new tables and user types, which are already entered, completes their columns, and
// does the same for every object that refers to one of their types, directly or not, since there is one
// *Type per OID and it never changes. changed are types that have changed otherwise. It returns the other
// tables it has replaced.
func (s *Snapshot) link(tables map[OID]*Table, userTypes map[OID]*UserType, changed map[OID]bool) (others []*Table, err error) {
	l := &linker{s: s, tables: map[OID]*Table{}, types: map[OID]*UserType{}, domains: map[OID]*UserType{}}
	maps.Copy(l.tables, tables)
	maps.Copy(l.types, userTypes)
	if changed == nil {
		changed = map[OID]bool{}
	}
	for _, t := range tables {
		t.key = objectKey(relationObject, t.OID)
		if t.RowType != 0 {
			changed[t.RowType], changed[t.RowType+1] = true, true
		}
	}
	for _, u := range userTypes {
		changed[u.OID], changed[u.ArrayOID] = true, true
	}
	others = l.spread(changed)
	for _, t := range l.tables {
		if t.RowType != 0 {
			l.shell(types.NewComposite(t.RowType, t.Name, nil), t.RowType+1, t.Schema)
		}
	}
	for _, u := range l.types {
		switch u.Kind {
		case 'e':
			u.Type = l.shell(types.NewEnum(u.OID, u.Name, u.Labels), u.ArrayOID, u.Schema)
		case 'c':
			u.Type = l.shell(types.NewComposite(u.OID, u.Name, nil), u.ArrayOID, u.Schema)
		case 'd':
			delete(s.types, u.OID)
			l.domains[u.OID] = u
		default:
			return nil, errs.New(errs.DataCorrupted, "type %q of unknown kind %q", u.Name, u.Kind)
		}
	}
	for _, u := range l.types {
		if _, err := l.resolve(u.OID); err != nil {
			return nil, err
		}
		if u.Columns, err = l.columns(u.Columns); err != nil {
			return nil, err
		}
		if u.Kind == 'c' {
			u.Type.Fields = fields(u.Columns)
		}
	}
	for _, t := range l.tables {
		if err := l.table(t); err != nil {
			return nil, err
		}
	}
	return others, nil
}

// spread adds to the linker copies of all objects that refer to changed types, until there are no more.
func (l *linker) spread(changed map[OID]bool) (others []*Table) {
	refers := func(cols []*Column) bool {
		for _, c := range cols {
			if changed[c.Type.OID] {
				return true
			}
		}
		return false
	}
	for again := len(changed) > 0; again; {
		again = false
		for oid, u := range l.s.userTypes {
			if l.types[oid] != nil || !(u.Base != nil && changed[u.Base.OID] || refers(u.Columns)) {
				continue
			}
			v := *u
			l.types[oid], l.s.userTypes[oid] = &v, &v
			changed[v.OID], changed[v.ArrayOID], again = true, true, true
		}
		for oid, t := range l.s.relations {
			if l.tables[oid] != nil || !t.ofUserTypes || !refers(t.Columns) {
				continue
			}
			v := *t
			l.tables[oid], l.s.relations[oid] = &v, &v
			others = append(others, &v)
			if v.RowType != 0 {
				changed[v.RowType], changed[v.RowType+1], again = true, true, true
			}
		}
	}
	return others
}

// shell enters a type and its array.
func (l *linker) shell(t *types.Type, arrayOID, schema OID) *types.Type {
	l.s.types[t.OID] = t
	if arrayOID != 0 {
		l.s.types[arrayOID] = types.NewArray(arrayOID, l.s.arrayName(schema, t.Name), t)
	}
	return t
}

// resolve is the type of an OID, made now if it is a domain.
func (l *linker) resolve(oid OID) (*types.Type, error) {
	if u := l.domains[oid]; u != nil {
		delete(l.domains, oid)
		base, err := l.resolve(u.Base.OID)
		if err != nil {
			return nil, err
		}
		u.Base = base
		u.Type = l.shell(types.NewDomain(u.OID, u.Name, base, u.BaseMod), u.ArrayOID, u.Schema)
	}
	if t := l.s.Type(oid); t != nil {
		return t, nil
	}
	for _, u := range l.domains {
		if u.ArrayOID == oid {
			if _, err := l.resolve(u.OID); err != nil {
				return nil, err
			}
			return l.s.types[oid], nil
		}
	}
	return nil, errs.New(errs.DataCorrupted, "type with OID %d does not exist", oid)
}

// columns is cols with the types of this schema. It changes neither the slice nor the columns, which may be
// part of other snapshots.
func (l *linker) columns(cols []*Column) ([]*Column, error) {
	copied := false
	for i, c := range cols {
		t, err := l.resolve(c.Type.OID)
		if err != nil && c.Dropped {
			t, err = types.RecordType, nil // the row type of a table that is gone
		}
		if err != nil {
			return nil, err
		}
		if t == c.Type && c.missing == nil {
			continue
		}
		d := *c
		d.Type = t
		if err := d.completeMissing(); err != nil {
			return nil, err
		}
		if !copied {
			cols, copied = append([]*Column(nil), cols...), true
		}
		cols[i] = &d
	}
	return cols, nil
}

func (l *linker) table(t *Table) (err error) {
	if t.Columns, err = l.columns(t.Columns); err != nil {
		return err
	}
	t.ofUserTypes = false
	for _, c := range t.Columns {
		t.ofUserTypes = t.ofUserTypes || types.ByOID(c.Type.OID) == nil
	}
	if err := l.indexes(t); err != nil {
		return err
	}
	if t.RowType != 0 {
		l.s.types[t.RowType].Fields = fields(t.Columns)
	}
	if t.Kind == KindSequence {
		t.Virtual = sequenceRows(t)
	}
	return nil
}

// indexes gives expressions of indexes the types of this schema, changing nothing that is shared.
func (l *linker) indexes(t *Table) error {
	copied := false
	for i, x := range t.Indexes {
		for j, k := range x.Keys {
			if k.Type == nil {
				continue
			}
			u, err := l.resolve(k.Type.OID)
			if err != nil {
				return err
			}
			if u == k.Type {
				continue
			}
			if !copied {
				t.Indexes, copied = append([]*Index(nil), t.Indexes...), true
			}
			if x == t.Indexes[i] {
				y := *x
				y.Keys = append([]IndexKey(nil), x.Keys...)
				t.Indexes[i], x = &y, &y
			}
			x.Keys[j].Type = u
		}
	}
	return nil
}

func fields(cols []*Column) []types.Field {
	out := make([]types.Field, len(cols))
	for i, c := range cols {
		out[i] = types.Field{Name: c.Name, Type: c.Type, Typmod: c.Mod, Dropped: c.Dropped}
	}
	return out
}
