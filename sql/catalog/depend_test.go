package catalog

import (
	"testing"

	"holdfast/kv"
	"holdfast/kv/memkv"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// dependencyFixture makes in schema q:
//
//	t (id serial primary key, a int, b int check (b > 0), g generated from a, unique (a, b), check (a < b)), index on ((a+b)) where b > 1
//	u (id primary key, t_id references t, ta, tb, foreign key (ta, tb) references t (a, b))
//	view v reads id and a of t, view v2 reads v
//	type mood, domain dm over mood, w (m mood, ms mood[], d dm, r t), self (id primary key, p references self)
//	assertion rule, which reads a of t
func dependencyFixture(t *testing.T) *Snapshot {
	c := open(t, memkv.New(memkv.Options{}))
	var q OID
	ddl(t, c, func(s *Snapshot, txn kv.Txn) (*Snapshot, error) {
		n := &Schema{Name: "q"}
		s, err := s.PutSchema(ctx, txn, n)
		q = n.OID
		return s, err
	})
	in := func(x *Table) *Table { x.Schema = q; return x }
	lookup := func(name string) *Table { return current(t, c).Relation(q, name) }
	seq := in(&Table{Name: "t_id_seq", Kind: KindSequence, Sequence: &Sequence{Type: types.Int4, Start: 1, Increment: 1, Min: 1, Max: 100}})
	ddl(t, c, put(seq))
	id, g := column("id", types.Int4), column("g", types.Int4)
	id.Default, id.DependsOn, id.Sequence, g.Generated, g.Uses = "nextval('t_id_seq'::regclass)", []OID{seq.OID}, seq.OID, "(a + 1)", []int16{2}
	tab := withKey(in(table("t", id, column("a", types.Int4), column("b", types.Int4), g)), 1)
	tab.Indexes = append(tab.Indexes, &Index{Name: "t_a_b_key", Unique: true, Keys: []IndexKey{{Column: 2}, {Column: 3}}},
		&Index{Name: "t_expr_idx", Keys: []IndexKey{{Expr: "(a + b)", Type: types.Int4}}, Uses: []int16{2, 3}, Predicate: "(b > 1)"})
	tab.Constraints = append(tab.Constraints, &Constraint{Name: "t_a_b_key", Kind: UniqueConstraint, Columns: []int16{2, 3}},
		&Constraint{Name: "t_b_check", Kind: CheckConstraint, Columns: []int16{3}}, &Constraint{Name: "t_check", Kind: CheckConstraint, Columns: []int16{2, 3}})
	ddl(t, c, put(tab))
	owned := seq.Clone()
	owned.Sequence.OwnerTable, owned.Sequence.OwnerColumn = tab.OID, 1
	u := withKey(in(table("u", column("id", types.Int4), column("t_id", types.Int4), column("ta", types.Int4), column("tb", types.Int4))), 1)
	u.Constraints = append(u.Constraints,
		&Constraint{Name: "u_t_id_fkey", Kind: ForeignKeyConstraint, Columns: []int16{2}, RefTable: tab.OID, RefColumns: []int16{1}, Index: tab.PrimaryKey().OID},
		&Constraint{Name: "u_ta_tb_fkey", Kind: ForeignKeyConstraint, Columns: []int16{3, 4}, RefTable: tab.OID, RefColumns: []int16{2, 3}, Index: tab.Indexes[1].OID})
	ddl(t, c, put(owned, u))
	view := func(name, of string, columns ...int16) {
		ddl(t, c, put(in(&Table{Name: name, Kind: KindView, Columns: []*Column{column("id", types.Int4)},
			View: &View{Query: "SELECT", DependsOn: map[OID][]int16{lookup(of).OID: columns}}})))
	}
	view("v", "t", 1, 2)
	view("v2", "v", 1)
	ddl(t, c, func(s *Snapshot, txn kv.Txn) (*Snapshot, error) {
		return s.PutType(ctx, txn, &UserType{Schema: q, Name: "mood", Kind: 'e', Labels: []types.EnumLabel{{Name: "x", Sort: 1}}})
	}, func(s *Snapshot, txn kv.Txn) (*Snapshot, error) {
		return s.PutType(ctx, txn, &UserType{Schema: q, Name: "dm", Kind: 'd', Base: s.TypeByName(q, "mood"), BaseMod: -1})
	}, func(s *Snapshot, txn kv.Txn) (*Snapshot, error) {
		mood := s.TypeByName(q, "mood")
		return s.PutTable(ctx, txn, in(table("w", column("m", mood), column("ms", mood.Array), column("d", s.TypeByName(q, "dm")), column("r", s.TypeByName(q, "t")))))
	}, put(withKey(in(table("self", column("id", types.Int4), column("p", types.Int4))), 1)))
	self := lookup("self").Clone()
	self.Constraints = append(self.Constraints, &Constraint{Name: "self_p_fkey", Kind: ForeignKeyConstraint, Columns: []int16{2}, RefTable: self.OID,
		RefColumns: []int16{1}, Index: self.PrimaryKey().OID})
	ddl(t, c, put(self), func(s *Snapshot, txn kv.Txn) (*Snapshot, error) {
		return s.PutAssertion(ctx, txn, &Assertion{Schema: q, Name: "rule", DependsOn: map[OID][]int16{tab.OID: {2}}})
	})
	return current(t, c)
}

// TestDependencies expects PostgreSQL 15's messages for the same objects, with the assertion added.
func TestDependencies(t *testing.T) {
	s := dependencyFixture(t)
	q := s.Schema("q").OID
	path := []string{"q"}
	rel := func(name string) OID { return s.Relation(q, name).OID }
	constraint := func(table, name string) OID { return s.Relation(q, table).Constraint(name).OID }
	const hint = "Use DROP ... CASCADE to drop the dependent objects too."
	for _, test := range []struct {
		targets                 []Target
		message, detail, notice string
	}{
		{[]Target{{OID: rel("t")}}, "cannot drop table t because other objects depend on it",
			`column r of table w depends on type t
constraint u_t_id_fkey on table u depends on table t
constraint u_ta_tb_fkey on table u depends on table t
view v depends on table t
view v2 depends on view v
assertion rule depends on table t`, "drop cascades to 6 other objects"},
		{[]Target{{OID: rel("t")}, {OID: rel("u")}}, "cannot drop desired object(s) because other objects depend on them",
			`column r of table w depends on type t
view v depends on table t
view v2 depends on view v
assertion rule depends on table t`, "drop cascades to 4 other objects"},
		{[]Target{{rel("t"), 2}}, "cannot drop column a of table t because other objects depend on it",
			`column g of table t depends on column a of table t
constraint u_ta_tb_fkey on table u depends on column a of table t
view v depends on column a of table t
view v2 depends on view v
assertion rule depends on column a of table t`, "drop cascades to 5 other objects"},
		{[]Target{{rel("t"), 1}}, "cannot drop column id of table t because other objects depend on it",
			`constraint u_t_id_fkey on table u depends on column id of table t
view v depends on column id of table t
view v2 depends on view v`, "drop cascades to 3 other objects"},
		{[]Target{{OID: constraint("t", "t_pkey")}}, "cannot drop constraint t_pkey on table t because other objects depend on it",
			`constraint u_t_id_fkey on table u depends on index t_pkey`, "drop cascades to constraint u_t_id_fkey on table u"},
		{[]Target{{OID: rel("t_id_seq")}}, "cannot drop sequence t_id_seq because other objects depend on it",
			`default value for column id of table t depends on sequence t_id_seq`, "drop cascades to default value for column id of table t"},
		{[]Target{{OID: s.TypeByName(q, "mood").OID}}, "cannot drop type mood because other objects depend on it",
			`column ms of table w depends on type mood[]
type dm depends on type mood
column d of table w depends on type dm
column m of table w depends on type mood`, "drop cascades to 4 other objects"},
		{[]Target{{OID: rel("v")}}, "cannot drop view v because other objects depend on it", "view v2 depends on view v", "drop cascades to view v2"},
		{[]Target{{OID: q}}, "cannot drop schema q because other objects depend on it",
			`table t depends on schema q
table u depends on schema q
view v depends on schema q
view v2 depends on schema q
type mood depends on schema q
type dm depends on schema q
table w depends on schema q
table self depends on schema q
assertion rule depends on schema q`, "drop cascades to 9 other objects"},
		{[]Target{{rel("self"), 1}}, "cannot drop column id of table self because other objects depend on it",
			"constraint self_p_fkey on table self depends on column id of table self", "drop cascades to constraint self_p_fkey on table self"},
		{[]Target{{OID: rel("self")}}, "", "", ""},
		{[]Target{{OID: rel("v2")}}, "", "", ""},
		{[]Target{{rel("u"), 2}}, "", "", ""},
		{[]Target{{OID: rel("v")}, {OID: rel("v2")}}, "", "", ""},
	} {
		e := s.DependencyError(path, test.targets...)
		if e == nil {
			e = &errs.Error{}
		}
		if e.Message != test.message || e.Detail != test.detail || test.message != "" && (e.Hint != hint || e.Code != errs.DependentObjectsStillExist) {
			t.Errorf("%v:\n%s\n%s\nwant\n%s\n%s", test.targets, e.Message, e.Detail, test.message, test.detail)
		}
		n := s.CascadeNotice(path, test.targets...)
		if n == nil {
			n = &errs.Error{}
		}
		if n.Message != test.notice {
			t.Errorf("%v: notice %q, want %q", test.targets, n.Message, test.notice)
		}
	}
	if got := s.Describe(rel("t"), nil); got != "table q.t" {
		t.Errorf("t is %q where it is not visible", got)
	}
	// What goes without CASCADE is in the closure too.
	auto := map[string]bool{}
	for _, d := range s.DependentClosure(Target{rel("t"), 2}) {
		if d.Auto {
			auto[s.DescribeDependent(d, path)] = true
		}
	}
	for _, want := range []string{"index t_expr_idx", "constraint t_a_b_key on table t", "constraint t_check on table t"} {
		if !auto[want] {
			t.Errorf("%s does not go with column a: %v", want, auto)
		}
	}
	if auto["constraint t_b_check on table t"] {
		t.Error("t_b_check goes with column a")
	}
}
