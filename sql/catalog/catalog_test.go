package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holdfast/kv"
	"holdfast/kv/memkv"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

var ctx = context.Background()

func open(t testing.TB, store kv.Store) *Catalog {
	t.Helper()
	c, err := Open(ctx, store)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func begin(t testing.TB, c *Catalog) kv.Txn {
	t.Helper()
	txn, err := c.store.Begin(ctx, kv.TxnOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return txn
}

func snapshot(t testing.TB, c *Catalog, txn kv.Txn) *Snapshot {
	t.Helper()
	s, err := c.Snapshot(ctx, txn)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// current is the schema as a new transaction sees it.
func current(t testing.TB, c *Catalog) *Snapshot {
	t.Helper()
	txn := begin(t, c)
	defer txn.Rollback()
	return snapshot(t, c, txn)
}

// commit commits and tells the catalog.
func commit(c *Catalog, txn kv.Txn) error {
	v, err := txn.Commit(ctx)
	c.Finish(txn, v, errors.Is(err, kv.ErrCommitUnknown))
	return err
}

// ddl runs changes in one transaction.
func ddl(t testing.TB, c *Catalog, changes ...func(*Snapshot, kv.Txn) (*Snapshot, error)) *Snapshot {
	t.Helper()
	txn := begin(t, c)
	s := snapshot(t, c, txn)
	for _, f := range changes {
		var err error
		if s, err = f(s, txn); err != nil {
			t.Fatal(err)
		}
	}
	if err := commit(c, txn); err != nil {
		t.Fatal(err)
	}
	return s
}

func put(tables ...*Table) func(*Snapshot, kv.Txn) (*Snapshot, error) {
	return func(s *Snapshot, txn kv.Txn) (_ *Snapshot, err error) {
		for _, t := range tables {
			if s, err = s.PutTable(ctx, txn, t); err != nil {
				return nil, err
			}
		}
		return s, nil
	}
}

func column(name string, t *types.Type) *Column {
	return &Column{Name: name, Type: t, Mod: types.NoTypmod}
}

func table(name string, cols ...*Column) *Table {
	return &Table{Schema: PublicOID, Name: name, Kind: KindTable, Columns: cols}
}

func withKey(t *Table, columns ...int16) *Table {
	name := t.Name + "_pkey"
	x := &Index{Name: name, Unique: true, Primary: true}
	for _, n := range columns {
		x.Keys = append(x.Keys, IndexKey{Column: n})
	}
	t.Indexes = append([]*Index{x}, t.Indexes...)
	t.Constraints = append(t.Constraints, &Constraint{Name: name, Kind: PrimaryKeyConstraint, Columns: columns})
	return t
}

func wantCode(t *testing.T, err error, code errs.Code, message string) {
	t.Helper()
	if err == nil || errs.CodeOf(err) != code || err.Error() != message {
		t.Errorf("got error %v (%s), want %s (%s)", err, errs.CodeOf(err), message, code)
	}
}

// dump is a schema's stored objects as text, to compare two snapshots by content.
func dump(t *testing.T, s *Snapshot) string {
	t.Helper()
	var b strings.Builder
	enc := json.NewEncoder(&b)
	for _, x := range s.Schemas() {
		enc.Encode(x)
	}
	for _, x := range s.Roles() {
		enc.Encode(x)
	}
	for _, x := range s.UserTypes() {
		enc.Encode(x)
		fmt.Fprintln(&b, x.Type, x.Type.Array, x.Type.Labels, x.Type.Fields)
	}
	for _, x := range s.Tables() {
		if err := enc.Encode(x); err != nil {
			t.Fatal(err)
		}
		for _, c := range x.Columns {
			fmt.Fprintln(&b, c.Name, c.Type, s.Type(c.Type.OID) == c.Type, c.Missing)
		}
		if r := s.RowType(x); r != nil {
			fmt.Fprintln(&b, r.Name, r.Array.Name, len(r.Fields))
		}
	}
	for _, x := range s.Assertions() {
		enc.Encode(x)
	}
	return b.String()
}

func TestBootstrap(t *testing.T) {
	store := memkv.New(memkv.Options{})
	c := open(t, store)
	s := current(t, c)
	for _, name := range []string{"public", "pg_catalog", "information_schema"} {
		if s.Schema(name) == nil {
			t.Errorf("no schema %s", name)
		}
	}
	if r := s.Role("postgres"); r == nil || !r.Superuser || r.OID != PostgresRoleOID {
		t.Errorf("role postgres is %+v", r)
	}
	before := dump(t, s)
	if after := dump(t, current(t, open(t, store))); after != before {
		t.Errorf("opening again has changed the schema:\n%s\n%s", before, after)
	}
}

// fixture makes one object of each kind, each referring to others.
func fixture(t *testing.T, c *Catalog) {
	t.Helper()
	mood := &UserType{Schema: PublicOID, Name: "mood", Kind: 'e', Labels: []types.EnumLabel{{Name: "sad", Sort: 1}, {Name: "ok", Sort: 2}}}
	seq := &Table{Schema: PublicOID, Name: "t_id_seq", Kind: KindSequence, Sequence: &Sequence{
		Type: types.Int4, Start: 1, Increment: 1, Min: 1, Max: 1<<31 - 1, Cache: 1}}
	ddl(t, c,
		func(s *Snapshot, txn kv.Txn) (*Snapshot, error) { return s.PutType(ctx, txn, mood) },
		func(s *Snapshot, txn kv.Txn) (*Snapshot, error) {
			return s.PutType(ctx, txn, &UserType{Schema: PublicOID, Name: "calm", Kind: 'd', Base: s.Type(mood.OID), BaseMod: -1,
				Checks: []*Constraint{{Name: "calm_check", Kind: CheckConstraint, Expr: "VALUE <> 'sad'::mood"}}})
		},
		put(seq),
		func(s *Snapshot, txn kv.Txn) (*Snapshot, error) {
			added := column("added", types.Int4)
			added.Missing = types.NewInt(42)
			id := column("id", types.Int4)
			id.NotNull, id.Default, id.DependsOn, id.Sequence = true, "nextval('t_id_seq'::regclass)", []OID{seq.OID}, seq.OID
			tab := withKey(table("t", id, column("m", s.Type(mood.ArrayOID)), column("c", s.TypeByName(PublicOID, "calm")), added), 1)
			tab.Indexes = append(tab.Indexes, &Index{Name: "t_m_idx", Keys: []IndexKey{{Column: 2, Desc: true}, {Expr: "(id + 1)", Type: types.Int4}}, Uses: []int16{1}})
			s, err := s.PutTable(ctx, txn, tab)
			if err != nil {
				return nil, err
			}
			owned := seq.Clone()
			owned.Sequence.OwnerTable, owned.Sequence.OwnerColumn = tab.OID, 1
			return s.PutTable(ctx, txn, owned)
		},
		func(s *Snapshot, txn kv.Txn) (*Snapshot, error) {
			ref := s.Relation(PublicOID, "t")
			u := withKey(table("u", column("id", types.Int8), column("t_id", types.Int4), column("row", s.RowType(ref))), 1)
			u.Constraints = append(u.Constraints, &Constraint{Name: "u_t_id_fkey", Kind: ForeignKeyConstraint, Columns: []int16{2},
				RefTable: ref.OID, RefColumns: []int16{1}, Index: ref.PrimaryKey().OID, OnDelete: 'a', OnUpdate: 'a', Match: 's'})
			return s.PutTable(ctx, txn, u)
		},
		func(s *Snapshot, txn kv.Txn) (*Snapshot, error) {
			ref := s.Relation(PublicOID, "t")
			return s.PutTable(ctx, txn, &Table{Schema: PublicOID, Name: "v", Kind: KindView, Columns: []*Column{column("id", types.Int4)},
				View: &View{Query: "SELECT id FROM public.t", Source: " SELECT t.id\n   FROM t;", DependsOn: map[OID][]int16{ref.OID: {1}}}})
		},
		func(s *Snapshot, txn kv.Txn) (*Snapshot, error) {
			v := s.Relation(PublicOID, "v")
			return s.PutTable(ctx, txn, &Table{Schema: PublicOID, Name: "v2", Kind: KindView, Columns: []*Column{column("id", types.Int4)},
				View: &View{Query: "SELECT id FROM public.v", DependsOn: map[OID][]int16{v.OID: {1}}}})
		},
		func(s *Snapshot, txn kv.Txn) (*Snapshot, error) {
			ref := s.Relation(PublicOID, "t")
			return s.PutAssertion(ctx, txn, &Assertion{Schema: PublicOID, Name: "a", Condition: "(SELECT count(*) FROM public.t) < 10",
				DependsOn: map[OID][]int16{ref.OID: {1, 4}}})
		})
}

func TestReopen(t *testing.T) {
	store := memkv.New(memkv.Options{})
	c := open(t, store)
	fixture(t, c)
	s := current(t, c)
	again := current(t, open(t, store))
	if a, b := dump(t, s), dump(t, again); a != b {
		t.Errorf("before:\n%s\nafter:\n%s", a, b)
	}
	tab := again.Relation(PublicOID, "t")
	if got := tab.Column("added").Missing; got.Int() != 42 {
		t.Errorf("missing value is %v", got)
	}
	if len(tab.Referencing) != 1 || tab.Referencing[0] != again.Relation(PublicOID, "u").OID {
		t.Errorf("t is referenced by %v", tab.Referencing)
	}
	if x := tab.PrimaryKey(); x.Constraint != tab.Constraint("t_pkey").OID || tab.Constraint("t_pkey").Index != x.OID {
		t.Errorf("primary key and index are not tied: %+v", x)
	}
	if got := again.AssertionsOn(tab.OID); len(got) != 1 || got[0].Name != "a" {
		t.Errorf("assertions on t: %v", got)
	}
	if got := tab.Column("m").Type.Elem.Labels; len(got) != 2 {
		t.Errorf("enum labels are %v", got)
	}
}

// TestIncrementalLoad compares a catalog that follows each change with one that reads everything.
func TestIncrementalLoad(t *testing.T) {
	store := memkv.New(memkv.Options{})
	c := open(t, store)
	fixture(t, c)
	s := current(t, c)
	step := func(name string, change func(*Snapshot, kv.Txn) (*Snapshot, error)) {
		own := ddl(t, c, change)
		loaded := current(t, c)
		fresh := dump(t, current(t, open(t, store)))
		if got := dump(t, own); got != fresh {
			t.Errorf("%s: the transaction's own schema is\n%s\nstored is\n%s", name, got, fresh)
		}
		if got := dump(t, loaded); got != fresh {
			t.Errorf("%s: followed schema is\n%s\nstored is\n%s", name, got, fresh)
		}
	}
	step("add enum label", func(s *Snapshot, txn kv.Txn) (*Snapshot, error) {
		u := *s.UserType(s.TypeByName(PublicOID, "mood").OID)
		u.Labels = append(append([]types.EnumLabel(nil), u.Labels...), types.EnumLabel{Name: "happy", Sort: 3})
		return s.PutType(ctx, txn, &u)
	})
	if old, now := s.Relation(PublicOID, "t"), current(t, c).Relation(PublicOID, "t"); len(now.Column("m").Type.Elem.Labels) != 3 ||
		len(now.Column("c").Type.Base.Labels) != 3 || len(old.Column("m").Type.Elem.Labels) != 2 || now.Changed == old.Changed {
		t.Error("the table does not have the changed enum")
	}
	step("add column", func(s *Snapshot, txn kv.Txn) (*Snapshot, error) {
		n := s.Relation(PublicOID, "t").Clone()
		n.Columns = append(n.Columns, column("extra", types.Text))
		return s.PutTable(ctx, txn, n)
	})
	if n := len(current(t, c).Relation(PublicOID, "u").Column("row").Type.Fields); n != 5 {
		t.Errorf("the column of the row type of t has %d fields", n)
	}
	step("rename", func(s *Snapshot, txn kv.Txn) (*Snapshot, error) {
		n := s.Relation(PublicOID, "t").Clone()
		n.Name = "t2"
		return s.PutTable(ctx, txn, n)
	})
	now := current(t, c)
	if now.Relation(PublicOID, "t") != nil || now.Relation(PublicOID, "t2") == nil || now.TypeByName(PublicOID, "_t2") == nil || now.TypeByName(PublicOID, "t") != nil {
		t.Error("renaming t")
	}
	step("drop assertion", func(s *Snapshot, txn kv.Txn) (*Snapshot, error) {
		return s.DropAssertion(ctx, txn, s.Assertion(PublicOID, "a").OID)
	})
	step("drop u", func(s *Snapshot, txn kv.Txn) (*Snapshot, error) {
		return s.DropTable(ctx, txn, s.Relation(PublicOID, "u").OID)
	})
	if got := current(t, c).Relation(PublicOID, "t2").Referencing; len(got) != 0 {
		t.Errorf("t2 is still referenced by %v", got)
	}
	step("drop column and its type", func(s *Snapshot, txn kv.Txn) (*Snapshot, error) {
		n := s.Relation(PublicOID, "t2").Clone()
		n.Columns[1].Dropped, n.Columns[2].Dropped = true, true
		n.Indexes = n.Indexes[:1]
		s, err := s.PutTable(ctx, txn, n)
		if err == nil {
			s, err = s.DropType(ctx, txn, s.TypeByName(PublicOID, "calm").OID)
		}
		if err == nil {
			s, err = s.DropType(ctx, txn, s.TypeByName(PublicOID, "mood").OID)
		}
		return s, err
	})
	now = current(t, c)
	if now.TypeByName(PublicOID, "mood") != nil || len(now.UserTypes()) != 0 || now.Relation(PublicOID, "t2").Columns[2].Type.Rep != types.RepInt {
		t.Error("dropping the types of dropped columns")
	}
	step("type of the same name", func(s *Snapshot, txn kv.Txn) (*Snapshot, error) {
		return s.PutType(ctx, txn, &UserType{Schema: PublicOID, Name: "mood", Kind: 'c', Columns: []*Column{column("x", types.Int4)}})
	})
}

func TestNames(t *testing.T) {
	c := open(t, memkv.New(memkv.Options{}))
	fixture(t, c)
	txn := begin(t, c)
	defer txn.Rollback()
	s := snapshot(t, c, txn)
	_, err := s.PutTable(ctx, txn, table("t"))
	wantCode(t, err, errs.DuplicateTable, `relation "t" already exists`)
	_, err = s.PutTable(ctx, txn, table("t_pkey"))
	wantCode(t, err, errs.DuplicateTable, `relation "t_pkey" already exists`)
	_, err = s.PutTable(ctx, txn, table("mood"))
	wantCode(t, err, errs.DuplicateObject, `type "mood" already exists`)
	_, err = s.PutTable(ctx, txn, withKey(table("t_pkey"), 1))
	wantCode(t, err, errs.DuplicateTable, `relation "t_pkey" already exists`)
	_, err = s.PutSchema(ctx, txn, &Schema{Name: "public"})
	wantCode(t, err, errs.DuplicateSchema, `schema "public" already exists`)
	_, err = s.PutAssertion(ctx, txn, &Assertion{Schema: PublicOID, Name: "a"})
	wantCode(t, err, errs.DuplicateObject, `assertion "a" already exists`)
	x := withKey(table("x"), 1)
	x.Constraints = append(x.Constraints, &Constraint{Name: "x_pkey", Kind: CheckConstraint})
	_, err = s.PutTable(ctx, txn, x)
	wantCode(t, err, errs.DuplicateObject, `constraint "x_pkey" for relation "x" already exists`)

	path := []string{"nowhere", "public"}
	_, err = s.Lookup(path, "", "no")
	wantCode(t, err, errs.UndefinedTable, `relation "no" does not exist`)
	_, err = s.Lookup(path, "nowhere", "t")
	wantCode(t, err, errs.UndefinedTable, `relation "nowhere.t" does not exist`)
	_, err = s.Lookup(path, "", "t_pkey")
	wantCode(t, err, errs.WrongObjectType, `cannot open relation "t_pkey"`)
	_, err = s.LookupType(path, "nowhere", "t")
	wantCode(t, err, errs.InvalidSchemaName, `schema "nowhere" does not exist`)
	_, err = s.LookupType(path, "public", "no")
	wantCode(t, err, errs.UndefinedObject, `type "public.no" does not exist`)
	_, err = s.CreationSchema([]string{"nowhere"}, "", "x")
	wantCode(t, err, errs.InvalidSchemaName, `no schema has been selected to create in`)
	_, err = s.CreationSchema(path, "pg_catalog", "x")
	wantCode(t, err, errs.InsufficientPrivilege, `permission denied to create "pg_catalog.x"`)
	if got, err := s.Lookup(path, "", "t"); err != nil || got.Name != "t" {
		t.Errorf("t is %v, %v", got, err)
	}
	if got := s.FormatType(s.TypeByName(PublicOID, "_mood"), -1, nil); got != "public.mood[]" {
		t.Errorf("type is %s", got)
	}
	if got := s.FormatType(s.TypeByName(PublicOID, "_mood"), -1, path); got != "mood[]" {
		t.Errorf("type is %s", got)
	}
}

// TestConflicts runs pairs of concurrent transactions: which of them must and must not disturb each other.
func TestConflicts(t *testing.T) {
	use := func(name string) func(*Snapshot, kv.Txn) (*Snapshot, error) {
		return func(s *Snapshot, txn kv.Txn) (*Snapshot, error) {
			s.Observe(txn, s.Relation(PublicOID, name))
			return s, txn.Set([]byte("row of "+name), nil, kv.AllColumns)
		}
	}
	alter := func(name string) func(*Snapshot, kv.Txn) (*Snapshot, error) {
		return func(s *Snapshot, txn kv.Txn) (*Snapshot, error) {
			n := s.Relation(PublicOID, name).Clone()
			n.Columns = append(n.Columns, column("added", types.Int4))
			return s.PutTable(ctx, txn, n)
		}
	}
	create := func(name string) func(*Snapshot, kv.Txn) (*Snapshot, error) {
		return func(s *Snapshot, txn kv.Txn) (*Snapshot, error) { return s.PutTable(ctx, txn, table(name)) }
	}
	assert := func(name string) func(*Snapshot, kv.Txn) (*Snapshot, error) {
		return func(s *Snapshot, txn kv.Txn) (*Snapshot, error) {
			return s.PutAssertion(ctx, txn, &Assertion{Schema: PublicOID, Name: "on " + name, DependsOn: map[OID][]int16{s.Relation(PublicOID, name).OID: {1}}})
		}
	}
	refer := func(s *Snapshot, txn kv.Txn) (*Snapshot, error) {
		x := table("x", column("a", types.Int4))
		x.Constraints = []*Constraint{{Name: "f", Kind: ForeignKeyConstraint, Columns: []int16{1}, RefTable: s.Relation(PublicOID, "a").OID, RefColumns: []int16{1}}}
		return s.PutTable(ctx, txn, x)
	}
	drop := func(name string) func(*Snapshot, kv.Txn) (*Snapshot, error) {
		return func(s *Snapshot, txn kv.Txn) (*Snapshot, error) {
			return s.DropTable(ctx, txn, s.Relation(PublicOID, name).OID)
		}
	}
	inSchema := func(s *Snapshot, txn kv.Txn) (*Snapshot, error) {
		x := table("x")
		x.Schema = s.Schema("empty").OID
		return s.PutTable(ctx, txn, x)
	}
	dropSchema := func(s *Snapshot, txn kv.Txn) (*Snapshot, error) {
		return s.DropSchema(ctx, txn, s.Schema("empty").OID)
	}
	absent := func(name string) func(*Snapshot, kv.Txn) (*Snapshot, error) {
		return func(s *Snapshot, txn kv.Txn) (*Snapshot, error) {
			s.ObserveAbsent(txn, PublicOID, name)
			return s, txn.Set([]byte("row"), nil, kv.AllColumns)
		}
	}
	for _, test := range []struct {
		name          string
		first, second func(*Snapshot, kv.Txn) (*Snapshot, error)
		conflict      bool
	}{
		{"alter, use", alter("a"), use("a"), true},
		{"alter, use another", alter("a"), use("b"), false},
		{"alter both", alter("a"), alter("a"), true},
		{"alter two", alter("a"), alter("b"), false},
		{"create two", create("x"), create("y"), false},
		{"create one twice", create("x"), create("x"), true},
		{"create, use", create("x"), use("a"), false},
		{"create, absent", create("x"), absent("x"), true},
		{"create, another absent", create("x"), absent("y"), false},
		{"assert, use", assert("a"), use("a"), true},
		{"assert, use another", assert("a"), use("b"), false},
		{"foreign key, use of the referenced", refer, use("a"), true},
		{"foreign key, drop of the referenced", refer, drop("a"), true},
		{"drop of the referenced, foreign key", drop("a"), refer, true},
		{"drop, use", drop("a"), use("a"), true},
		{"drop schema, create in it", dropSchema, inSchema, true},
		{"create in it, drop schema", inSchema, dropSchema, true},
		{"drop schema, create elsewhere", dropSchema, create("x"), false},
	} {
		for engine, store := range map[string]kv.Store{"memkv": memkv.New(memkv.Options{}), "pebblekv": openEngine(t, vfs.NewMem())} {
			name := test.name + " on " + engine
			c := open(t, store)
			ddl(t, c, put(withKey(table("a", column("id", types.Int4)), 1), table("b", column("id", types.Int4))),
				func(s *Snapshot, txn kv.Txn) (*Snapshot, error) { return s.PutSchema(ctx, txn, &Schema{Name: "empty"}) })
			txn1, txn2 := begin(t, c), begin(t, c)
			if _, err := test.first(snapshot(t, c, txn1), txn1); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if _, err := test.second(snapshot(t, c, txn2), txn2); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if err := commit(c, txn1); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if err := commit(c, txn2); errors.Is(err, kv.ErrConflict) != test.conflict || err != nil && !test.conflict {
				t.Errorf("%s: the second commit says %v", name, err)
			}
			if c.active.Load() != 0 || len(c.writers) != 0 {
				t.Errorf("%s: transactions are left registered", name)
			}
			store.Close()
		}
	}
}

// TestCache holds the kept snapshot against what the store says, with readers and writers at work.
func TestCache(t *testing.T) {
	c := open(t, memkv.New(memkv.Options{}))
	ddl(t, c, put(table("t", column("n", types.Int4))))
	var wg sync.WaitGroup
	fail := make(chan string, 100)
	report := func(format string, args ...any) {
		select {
		case fail <- fmt.Sprintf(format, args...):
		default:
		}
	}
	const writers, readers, rounds = 3, 4, 60
	for w := range writers {
		wg.Go(func() {
			for i := 0; i < rounds; {
				txn, _ := c.store.Begin(ctx, kv.TxnOptions{})
				s, err := c.Snapshot(ctx, txn)
				if err != nil {
					report("writer: %v", err)
					return
				}
				// The comment tells the count that a plain key of the same transaction has.
				n := s.Relation(PublicOID, "t").Clone()
				var count int
				fmt.Sscan(n.Comment, &count)
				n.Comment = fmt.Sprint(count + 1)
				own, err := s.PutTable(ctx, txn, n)
				if err != nil {
					report("writer: %v", err)
					return
				}
				txn.Set([]byte("\xff"), []byte(n.Comment), kv.AllColumns)
				if again, err := c.Snapshot(ctx, txn); err != nil || again.Relation(PublicOID, "t").Comment != n.Comment || own.Relation(PublicOID, "t") != n {
					report("writer %d does not see its own change: %v", w, err)
				}
				if i%7 == 0 {
					txn.Rollback()
					c.Finish(txn, 0, false)
					i++
					continue
				}
				if err := commit(c, txn); err == nil {
					i++
				} else if !errors.Is(err, kv.ErrConflict) {
					report("writer: %v", err)
					return
				}
			}
		})
	}
	for range readers {
		wg.Go(func() {
			for range rounds * 30 {
				txn, _ := c.store.Begin(ctx, kv.TxnOptions{ReadOnly: true})
				s, err := c.Snapshot(ctx, txn)
				value, _, err2 := txn.Get(ctx, []byte("\xff"), kv.AllColumns)
				if err != nil || err2 != nil || s.Relation(PublicOID, "t").Comment != string(value) {
					report("schema says %q, store says %q (%v, %v)", s.Relation(PublicOID, "t").Comment, value, err, err2)
				}
				txn.Rollback()
			}
		})
	}
	wg.Wait()
	close(fail)
	for f := range fail {
		t.Error(f)
	}
	if c.current.Load() == nil {
		current(t, c)
		if c.current.Load() == nil {
			t.Error("nothing is kept when no DDL is going on")
		}
	}
}

func TestSavepoint(t *testing.T) {
	c := open(t, memkv.New(memkv.Options{}))
	txn := begin(t, c)
	s, err := snapshot(t, c, txn).PutTable(ctx, txn, table("a"))
	if err != nil {
		t.Fatal(err)
	}
	mark := txn.Savepoint()
	if _, err = s.PutTable(ctx, txn, table("b")); err != nil {
		t.Fatal(err)
	}
	txn.RollbackTo(mark)
	if s, err = s.PutTable(ctx, txn, table("b", column("x", types.Int4))); err != nil {
		t.Fatal(err)
	}
	if err := commit(c, txn); err != nil {
		t.Fatal(err)
	}
	if got := current(t, c); dump(t, got) != dump(t, s) || len(got.Relation(PublicOID, "b").Columns) != 1 {
		t.Errorf("stored:\n%s\nown:\n%s", dump(t, got), dump(t, s))
	}
}

func TestAllocation(t *testing.T) {
	store := memkv.New(memkv.Options{})
	seen := map[OID]bool{}
	for range 3 {
		c := open(t, store)
		for _, n := range []int{1, 2, 200, 1} {
			first, err := c.NewOIDs(ctx, n)
			if err != nil {
				t.Fatal(err)
			}
			for i := range n {
				if oid := first + OID(i); seen[oid] || oid < FirstUserOID {
					t.Fatalf("OID %d again", oid)
				} else {
					seen[oid] = true
				}
			}
		}
		store = store.Crash()
	}
}

func BenchmarkSnapshot(b *testing.B) {
	c := open(b, memkv.New(memkv.Options{}))
	txn := begin(b, c)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Snapshot(ctx, txn); err != nil {
			b.Fatal(err)
		}
	}
}
