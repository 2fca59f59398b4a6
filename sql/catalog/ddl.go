package catalog

import (
	"context"
	"slices"

	"holdfast/kv"
	"holdfast/sql/errs"
)

// The DDL primitives write one change to a transaction and return the schema with it. To roll back to a
// savepoint is to go back to the Snapshot of then, besides txn.RollbackTo. Each checks names (42P07, 42710,
// 42P06) and records in the transaction's footprint what it relies on: the old version of the object, and
// the absence of the name. They do not look at dependents: see Dependents.
//
// Objects passed in belong to the Snapshot afterwards and must not be changed; pass a changed Clone to replace
// one. OIDs and StorageIDs that are 0 are allocated, and Changed is set, in the object passed in.

// change is a DDL statement at work: the new snapshot and the writes so far.
type change struct {
	ctx context.Context
	txn kv.Txn
	s   *Snapshot // to be returned
	old *Snapshot
	err error
}

func (s *Snapshot) change(ctx context.Context, txn kv.Txn) *change {
	s.catalog.beginDDL(txn)
	return &change{ctx: ctx, txn: txn, s: s.clone(), old: s}
}

// done is the result of a primitive.
func (c *change) done() (*Snapshot, error) {
	if c.err == nil {
		c.err = c.txn.Set(versionKey, stampBytes(newStamp()), versionColumn)
	}
	if c.err != nil {
		return nil, c.err
	}
	return c.s, nil
}

// put writes an object.
func (c *change) put(kind byte, oid OID, stamp *uint64, object any) {
	if c.err != nil {
		return
	}
	*stamp = newStamp()
	value, err := encodeObject(*stamp, object)
	if err == nil {
		err = c.txn.Set(objectKey(kind, oid), value, kv.AllColumns)
	}
	c.err = err
}

// replacing records that the new version is made from the one the snapshot has.
func (c *change) replacing(kind byte, oid OID) { c.txn.Observe(objectKey(kind, oid), kv.AllColumns) }

func (c *change) remove(kind byte, oid OID) {
	c.replacing(kind, oid)
	if c.err == nil {
		c.err = c.txn.Delete(objectKey(kind, oid))
	}
}

// takeName reserves a name that the snapshot does not have.
func (c *change) takeName(schema OID, kind byte, name string) {
	if c.err != nil {
		return
	}
	k := nameKey(schema, kind, name)
	c.txn.Observe(k, kv.AllColumns)
	c.err = c.txn.Set(k, nil, kv.AllColumns)
}

func (c *change) freeName(schema OID, kind byte, name string) {
	if c.err == nil {
		c.err = c.txn.Delete(nameKey(schema, kind, name))
	}
}

// inSchema checks that the schema exists and records that it must go on to.
func (c *change) inSchema(oid OID) {
	if c.err == nil && c.old.schemas[oid] == nil {
		c.err = errs.New(errs.InvalidSchemaName, "schema with OID %d does not exist", oid)
	}
	c.txn.Observe(objectKey(schemaObject, oid), kv.Existence)
}

func (c *change) allocate(oid *OID, n int) {
	if *oid == 0 && c.err == nil {
		*oid, c.err = c.s.catalog.NewOIDs(c.ctx, n)
	}
}

func (c *change) allocateStorage(id *StorageID) {
	if *id == 0 && c.err == nil {
		*id, c.err = c.s.catalog.NewStorage(c.ctx)
	}
}

// PutSchema creates a schema, or replaces the one with its OID.
func (s *Snapshot) PutSchema(ctx context.Context, txn kv.Txn, schema *Schema) (*Snapshot, error) {
	c := s.change(ctx, txn)
	c.allocate(&schema.OID, 1)
	old := s.schemas[schema.OID]
	if old == nil || old.Name != schema.Name {
		if s.schemaNames[schema.Name] != nil {
			return nil, errs.New(errs.DuplicateSchema, "schema %q already exists", schema.Name)
		}
		c.takeName(0, schemaObject, schema.Name)
	}
	if old != nil {
		c.replacing(schemaObject, schema.OID)
		schema.Changed = old.Changed + 1
		if old.Name != schema.Name {
			c.freeName(0, schemaObject, old.Name)
		}
	}
	c.put(schemaObject, schema.OID, &schema.stamp, schema)
	c.s.setSchema(schema)
	return c.done()
}

// DropSchema removes a schema, which must be empty.
func (s *Snapshot) DropSchema(ctx context.Context, txn kv.Txn, oid OID) (*Snapshot, error) {
	c := s.change(ctx, txn)
	old := s.schemas[oid]
	if old == nil {
		return nil, errs.New(errs.InvalidSchemaName, "schema with OID %d does not exist", oid)
	}
	if n := len(s.Dependents(oid, 0)); n > 0 {
		return nil, errs.New(errs.DependentObjectsStillExist, "schema %q is not empty", old.Name)
	}
	txn.ObserveRange(kv.PrefixRange(nameSpacePrefix(oid)), kv.AllColumns)
	c.remove(schemaObject, oid)
	c.freeName(0, schemaObject, old.Name)
	c.s.removeSchema(oid)
	return c.done()
}

// PutTable creates a table, view or sequence with its indexes and constraints, or replaces the one with its
// OID, renaming and moving to another schema included. Changed is set. New foreign keys, and dropped ones,
// change Referencing of the tables they refer to; t.Referencing itself is taken from the old version. The index
// of a primary key or unique constraint is the one with its name: Constraint.Index and Index.Constraint are set.
func (s *Snapshot) PutTable(ctx context.Context, txn kv.Txn, t *Table) (*Snapshot, error) {
	c := s.change(ctx, txn)
	c.completeTable(t)
	if c.err != nil {
		return nil, c.err
	}
	old := s.relations[t.OID]
	c.inSchema(t.Schema)
	c.relationNames(old, t)
	if old != nil {
		c.replacing(relationObject, t.OID)
		t.Changed = old.Changed + 1
		t.Referencing = old.Referencing
	}
	c.s.setTable(t)
	c.references(old, t)
	c.linkTable(t)
	return c.done()
}

// completeTable allocates what is 0 and fills in what follows from the rest.
func (c *change) completeTable(t *Table) {
	c.allocate(&t.OID, 1)
	if t.Owner == 0 {
		t.Owner = PostgresRoleOID
	}
	switch t.Kind {
	case KindTable:
		c.allocateStorage(&t.Storage)
		c.allocate(&t.RowType, 2)
	case KindView:
		c.allocate(&t.RowType, 2)
	case KindSequence:
		c.allocateStorage(&t.Sequence.Storage)
		t.Columns = sequenceColumns()
	default:
		c.err = errs.New(errs.InternalError, "relation %q of unknown kind %q", t.Name, t.Kind)
	}
	for _, x := range t.Indexes {
		c.allocate(&x.OID, 1)
		x.Table = t.OID
		if !x.Primary {
			c.allocateStorage(&x.Storage)
		}
	}
	for _, k := range t.Constraints {
		c.allocate(&k.OID, 1)
		k.Table = t.OID
		if k.Kind == PrimaryKeyConstraint || k.Kind == UniqueConstraint {
			for _, x := range t.Indexes {
				if x.Name == k.Name {
					k.Index, x.Constraint = x.OID, k.OID
				}
			}
		}
	}
	for i, col := range t.Columns {
		col.Number = int16(i + 1)
	}
}

// relationNames checks and takes the names of t that old does not have, and frees those t no longer has.
func (c *change) relationNames(old, t *Table) {
	before, after := namesOf(old), namesOf(t)
	for i, n := range after {
		if slices.Contains(after[:i], n) {
			c.duplicate(n)
		}
		if slices.Contains(before, n) {
			continue
		}
		if c.err == nil && c.old.taken(n) {
			c.duplicate(n)
		}
		c.takeName(n.schema, n.kind, n.name)
	}
	for _, n := range before {
		if !slices.Contains(after, n) {
			c.freeName(n.schema, n.kind, n.name)
		}
	}
	for i, k := range t.Constraints {
		for _, l := range t.Constraints[:i] {
			if k.Name == l.Name && c.err == nil {
				c.err = errs.New(errs.DuplicateObject, "constraint %q for relation %q already exists", k.Name, t.Name)
			}
		}
	}
}

// takenName is a name with its name space.
type takenName struct {
	schema OID
	kind   byte
	name   string
}

func namesOf(t *Table) []takenName {
	if t == nil {
		return nil
	}
	names := make([]takenName, 0, 2+len(t.Indexes))
	names = append(names, takenName{t.Schema, relationObject, t.Name})
	for _, x := range t.Indexes {
		names = append(names, takenName{t.Schema, relationObject, x.Name})
	}
	if t.RowType != 0 {
		names = append(names, takenName{t.Schema, typeObject, t.Name})
	}
	return names
}

func (s *Snapshot) taken(n takenName) bool {
	names := s.relationNames
	if n.kind == typeObject {
		names = s.typeNames
	}
	_, ok := names[qualifiedName{n.schema, n.name}]
	return ok
}

func (c *change) duplicate(n takenName) {
	switch {
	case c.err != nil:
	case n.kind == relationObject:
		c.err = errs.New(errs.DuplicateTable, "relation %q already exists", n.name)
	default:
		c.err = errs.New(errs.DuplicateObject, "type %q already exists", n.name)
	}
}

// references brings Referencing of the tables that foreign keys refer to up to date. t is nil if it goes.
func (c *change) references(old, t *Table) {
	before, after := referenced(old), referenced(t)
	for _, oid := range append(slices.Clone(before), after...) {
		was, is := slices.Contains(before, oid), slices.Contains(after, oid)
		r := c.s.relations[oid]
		if was == is || r == nil || c.err != nil {
			continue
		}
		var self OID
		if t != nil {
			self = t.OID
		} else {
			self = old.OID
		}
		referencing := slices.DeleteFunc(slices.Clone(r.Referencing), func(o OID) bool { return o == self })
		if is {
			referencing = append(referencing, self)
		}
		if r == t {
			t.Referencing = referencing
			continue
		}
		n := *r
		n.Referencing = referencing
		c.touch(&n)
	}
}

// referenced are the tables that a table's foreign keys refer to, each once.
func referenced(t *Table) (oids []OID) {
	if t == nil {
		return nil
	}
	for _, k := range t.Constraints {
		if k.Kind == ForeignKeyConstraint && !slices.Contains(oids, k.RefTable) {
			oids = append(oids, k.RefTable)
		}
	}
	return oids
}

// touch writes a new version of a table whose columns are as they were; n is the copy to be written.
func (c *change) touch(n *Table) {
	c.replacing(relationObject, n.OID)
	n.Changed++
	c.put(relationObject, n.OID, &n.stamp, n)
	c.s.relations[n.OID] = n
}

// linkTable completes a table that is entered and writes it and all that its row type changes.
func (c *change) linkTable(t *Table) {
	if c.err != nil {
		return
	}
	others, err := c.s.link(map[OID]*Table{t.OID: t}, nil, nil)
	if err != nil {
		c.err = err
		return
	}
	for _, o := range others {
		c.touch(o)
	}
	c.put(relationObject, t.OID, &t.stamp, t)
}

// DropTable removes a table, view or sequence. Its rows stay until the caller discards them.
func (s *Snapshot) DropTable(ctx context.Context, txn kv.Txn, oid OID) (*Snapshot, error) {
	c := s.change(ctx, txn)
	old := s.relations[oid]
	if old == nil {
		return nil, errs.New(errs.UndefinedTable, "relation with OID %d does not exist", oid)
	}
	c.remove(relationObject, oid)
	for _, n := range namesOf(old) {
		c.freeName(n.schema, n.kind, n.name)
	}
	c.s.removeTable(oid)
	c.references(old, nil)
	return c.done()
}

// PutType creates an enum, domain or composite type, or replaces the one with its OID. Tables with columns of
// it count as changed.
func (s *Snapshot) PutType(ctx context.Context, txn kv.Txn, u *UserType) (*Snapshot, error) {
	c := s.change(ctx, txn)
	c.allocate(&u.OID, 1)
	c.allocate(&u.ArrayOID, 1)
	if u.Kind == 'c' {
		c.allocate(&u.Relation, 1)
	}
	for i := range u.Labels {
		c.allocate(&u.Labels[i].OID, 1)
	}
	for _, k := range u.Checks {
		c.allocate(&k.OID, 1)
	}
	old := s.userTypes[u.OID]
	c.inSchema(u.Schema)
	c.typeNames(old, u)
	if old != nil {
		c.replacing(typeObject, u.OID)
		u.Changed = old.Changed + 1
	}
	if c.err != nil {
		return nil, c.err
	}
	c.s.setType(u)
	others, err := c.s.link(nil, map[OID]*UserType{u.OID: u}, nil)
	if err != nil {
		return nil, err
	}
	for _, o := range others {
		c.touch(o)
	}
	c.put(typeObject, u.OID, &u.stamp, u)
	return c.done()
}

func (c *change) typeNames(old, u *UserType) {
	names := func(u *UserType) (names []takenName) {
		if u == nil || u.Dropped {
			return nil
		}
		names = append(names, takenName{u.Schema, typeObject, u.Name})
		if u.Relation != 0 {
			names = append(names, takenName{u.Schema, relationObject, u.Name})
		}
		return names
	}
	before, after := names(old), names(u)
	for _, n := range after {
		if slices.Contains(before, n) {
			continue
		}
		if c.old.taken(n) {
			c.duplicate(n)
		}
		c.takeName(n.schema, n.kind, n.name)
	}
	for _, n := range before {
		if !slices.Contains(after, n) {
			c.freeName(n.schema, n.kind, n.name)
		}
	}
}

// DropType removes a type. One that dropped columns still have is kept, without its name.
func (s *Snapshot) DropType(ctx context.Context, txn kv.Txn, oid OID) (*Snapshot, error) {
	old := s.UserType(oid)
	if old == nil {
		return nil, errs.New(errs.UndefinedObject, "type with OID %d does not exist", oid)
	}
	for _, t := range s.relations {
		for _, col := range t.Columns {
			if col.Dropped && (col.Type.OID == old.OID || col.Type.OID == old.ArrayOID) {
				u := *old
				u.Dropped = true
				return s.PutType(ctx, txn, &u)
			}
		}
	}
	c := s.change(ctx, txn)
	c.remove(typeObject, oid)
	c.typeNames(old, nil)
	c.s.removeType(oid)
	return c.done()
}

// PutAssertion creates an assertion, or replaces the one with its OID. The tables it reads count as changed,
// so that transactions that have written them without it conflict.
func (s *Snapshot) PutAssertion(ctx context.Context, txn kv.Txn, a *Assertion) (*Snapshot, error) {
	c := s.change(ctx, txn)
	c.allocate(&a.OID, 1)
	c.inSchema(a.Schema)
	old := s.assertions[a.OID]
	if old == nil || old.Name != a.Name || old.Schema != a.Schema {
		if s.Assertion(a.Schema, a.Name) != nil {
			return nil, errs.New(errs.DuplicateObject, "assertion %q already exists", a.Name)
		}
		c.takeName(a.Schema, assertionObject, a.Name)
	}
	if old != nil {
		c.replacing(assertionObject, a.OID)
		a.Changed = old.Changed + 1
		if old.Name != a.Name || old.Schema != a.Schema {
			c.freeName(old.Schema, assertionObject, old.Name)
		}
	}
	for i := range a.Accumulators {
		c.allocateStorage(&a.Accumulators[i].Storage)
	}
	c.put(assertionObject, a.OID, &a.stamp, a)
	c.s.setAssertion(a)
	c.ruleChanged(old, a)
	return c.done()
}

// DropAssertion removes an assertion.
func (s *Snapshot) DropAssertion(ctx context.Context, txn kv.Txn, oid OID) (*Snapshot, error) {
	c := s.change(ctx, txn)
	old := s.assertions[oid]
	if old == nil {
		return nil, errs.New(errs.UndefinedObject, "assertion with OID %d does not exist", oid)
	}
	c.remove(assertionObject, oid)
	c.freeName(old.Schema, assertionObject, old.Name)
	c.s.removeAssertion(oid)
	c.ruleChanged(old, nil)
	return c.done()
}

// ruleChanged touches the tables that an assertion reads or has read; either may be nil. Relations that the
// statement has dropped before are left out.
func (c *change) ruleChanged(old, a *Assertion) {
	var oids []OID
	for _, x := range []*Assertion{old, a} {
		if x == nil {
			continue
		}
		for oid := range x.DependsOn {
			if !slices.Contains(oids, oid) {
				oids = append(oids, oid)
			}
		}
	}
	slices.Sort(oids)
	for _, oid := range oids {
		if t := c.s.relations[oid]; t != nil {
			n := *t
			c.touch(&n)
		}
	}
}

// PutRole creates a role, or replaces the one with its OID.
func (s *Snapshot) PutRole(ctx context.Context, txn kv.Txn, r *Role) (*Snapshot, error) {
	c := s.change(ctx, txn)
	c.allocate(&r.OID, 1)
	old := s.roles[r.OID]
	if old == nil || old.Name != r.Name {
		if s.roleNames[r.Name] != nil {
			return nil, errs.New(errs.DuplicateObject, "role %q already exists", r.Name)
		}
		c.takeName(0, roleObject, r.Name)
	}
	if old != nil {
		c.replacing(roleObject, r.OID)
		r.Changed = old.Changed + 1
		if old.Name != r.Name {
			c.freeName(0, roleObject, old.Name)
		}
	}
	c.put(roleObject, r.OID, &r.stamp, r)
	c.s.setRole(r)
	return c.done()
}

// DropRole removes a role.
func (s *Snapshot) DropRole(ctx context.Context, txn kv.Txn, oid OID) (*Snapshot, error) {
	c := s.change(ctx, txn)
	old := s.roles[oid]
	if old == nil {
		return nil, errs.New(errs.UndefinedObject, "role with OID %d does not exist", oid)
	}
	c.remove(roleObject, oid)
	c.freeName(0, roleObject, old.Name)
	c.s.removeRole(oid)
	return c.done()
}

// Observe records that the transaction depends on the definition of the relations, so that concurrent DDL on
// them, and on nothing else, conflicts with it. Relations of the system are never in the way.
func (s *Snapshot) Observe(txn kv.Txn, tables ...*Table) {
	for _, t := range tables {
		if t.key != nil {
			txn.Observe(t.key, kv.AllColumns)
		}
	}
}

// ObserveAbsent records that the transaction depends on there being no relation, index or type of that name.
func (s *Snapshot) ObserveAbsent(txn kv.Txn, schema OID, name string) {
	txn.Observe(nameKey(schema, relationObject, name), kv.AllColumns)
	txn.Observe(nameKey(schema, typeObject, name), kv.AllColumns)
}
