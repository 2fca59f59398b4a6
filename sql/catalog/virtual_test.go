package catalog

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"holdfast/kv"
	"holdfast/kv/memkv"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

var record = flag.String("record", "", "connection string of a PostgreSQL 15 server to record testdata/virtual.txt from")

// fixtureQ makes through this package what testdata/fixture.sql makes in PostgreSQL.
func fixtureQ(t testing.TB, c *Catalog) {
	t.Helper()
	var schema OID
	step := func(f func(*Snapshot, kv.Txn) (*Snapshot, error)) { t.Helper(); ddl(t, c, f) }
	step(func(s *Snapshot, txn kv.Txn) (*Snapshot, error) {
		n := &Schema{Name: "q", Owner: PostgresRoleOID, Comment: "sch"}
		s, err := s.PutSchema(ctx, txn, n)
		schema = n.OID
		return s, err
	})
	putType := func(u *UserType) {
		t.Helper()
		u.Schema, u.Owner, u.BaseMod = schema, PostgresRoleOID, -1
		step(func(s *Snapshot, txn kv.Txn) (*Snapshot, error) { return s.PutType(ctx, txn, u) })
	}
	putType(&UserType{Name: "mood", Kind: 'e', Comment: "mm", Labels: []types.EnumLabel{{Name: "sad", Sort: 1}, {Name: "ok", Sort: 2}, {Name: "it's", Sort: 3}}})
	putType(&UserType{Name: "posint", Kind: 'd', Base: types.Int4, Default: "5", NotNull: true,
		Checks: []*Constraint{{Name: "pos", Kind: CheckConstraint, Expr: "(VALUE > 0)"}}})
	putType(&UserType{Name: "comp", Kind: 'c', Columns: []*Column{{Number: 1, Name: "a", Type: types.Int4, Mod: -1}, {Number: 2, Name: "b", Type: types.Text, Mod: -1}}})
	sequence := func(name string, q Sequence) *Table {
		tab := &Table{Schema: schema, Name: name, Kind: KindSequence, Sequence: &q}
		step(put(tab))
		return tab
	}
	own := func(seq, tab *Table, column int16) {
		step(func(s *Snapshot, txn kv.Txn) (*Snapshot, error) {
			n := s.RelationByOID(seq.OID).Clone()
			n.Sequence.OwnerTable, n.Sequence.OwnerColumn = tab.OID, column
			return s.PutTable(ctx, txn, n)
		})
	}
	const max4, max8 = 1<<31 - 1, 1<<63 - 1
	idSeq := sequence("t_id_seq", Sequence{Type: types.Int4, Start: 1, Increment: 1, Min: 1, Max: max4, Cache: 1})
	s := current(t, c)
	mood, posint, comp := s.TypeByName(schema, "mood"), s.TypeByName(schema, "posint"), s.TypeByName(schema, "comp")
	cols := []*Column{
		{Name: "id", Type: types.Int4, NotNull: true, Default: "nextval('q.t_id_seq'::regclass)", DependsOn: []OID{idSeq.OID}, Sequence: idSeq.OID},
		{Name: "a", Type: types.Int4, NotNull: true, Comment: "col a"},
		{Name: "B x", Type: types.Varchar, Mod: 14, Default: "'q'::character varying"},
		{Name: "g", Type: types.Int4, Generated: "(a + 1)", Uses: []int16{2}},
		{Name: "m", Type: mood},
		{Name: "ms", Type: mood.Array},
		{Name: "p", Type: posint},
		{Name: "ts", Type: types.TimestampTZ, Mod: 3, Default: "now()"},
		{Name: "n", Type: types.Numeric, Mod: 655366},
		{Name: "c", Type: types.Text, Collation: "C"},
		{Name: "gone", Type: types.Bpchar, Mod: 7, Dropped: true},
		{Name: "iv", Type: types.IntervalType, Mod: 470286338},
		{Name: "bt", Type: types.Bit, Mod: 3},
		{Name: "r", Type: comp},
	}
	for _, col := range cols {
		if col.Mod == 0 {
			col.Mod = types.NoTypmod
		}
	}
	tab := &Table{Schema: schema, Name: "t", Kind: KindTable, Comment: "tab", Columns: cols,
		Indexes: []*Index{
			{Name: "t_pkey", Unique: true, Primary: true, Keys: []IndexKey{{Column: 1}}},
			{Name: "t_B x_key", Unique: true, Keys: []IndexKey{{Column: 3}}},
			{Name: "t_expr", Unique: true, Comment: "ix", Keys: []IndexKey{{Expr: `lower(("B x")::text)`, Type: types.Text},
				{Expr: "(a + g)", Type: types.Int4, Desc: true, NullsFirst: true}, {Column: 2, NullsFirst: true}},
				Include: []int16{9}, Predicate: "((a > 5) AND (g < 3))", Uses: []int16{2, 3, 4}},
			{Name: "t_a_g_idx", Keys: []IndexKey{{Column: 2, Desc: true, NullsFirst: true}, {Column: 4, Desc: true}}},
		},
		Constraints: []*Constraint{
			{Name: "chk", Kind: CheckConstraint, Comment: "cc", Columns: []int16{2, 4, 9}, Expr: "(((a > 0) AND (g > 1)) OR (n < (5)::numeric))"},
			{Name: "t_pkey", Kind: PrimaryKeyConstraint, Columns: []int16{1}},
			{Name: "t_B x_key", Kind: UniqueConstraint, Columns: []int16{3}},
		}}
	step(put(tab))
	own(idSeq, tab, 1)
	iSeq := sequence("ident_i_seq", Sequence{Type: types.Int8, Start: 10, Increment: 5, Min: 1, Max: max8, Cache: 1})
	pkey := tab.PrimaryKey().OID
	ident := &Table{Schema: schema, Name: "ident", Kind: KindTable,
		Columns: []*Column{
			{Name: "i", Type: types.Int8, Mod: -1, NotNull: true, Identity: 'd', Sequence: iSeq.OID},
			{Name: "j", Type: types.Int4, Mod: -1},
			{Name: "t_id", Type: types.Int4, Mod: -1, NotNull: true},
		},
		Indexes: []*Index{{Name: "ident_pkey", Unique: true, Primary: true, Keys: []IndexKey{{Column: 1}}}},
		Constraints: []*Constraint{
			{Name: "ident_pkey", Kind: PrimaryKeyConstraint, Columns: []int16{1}},
			{Name: "ident_t_id_fkey", Kind: ForeignKeyConstraint, Columns: []int16{3}, RefTable: tab.OID, RefColumns: []int16{1}, Index: pkey,
				OnDelete: 'c', OnUpdate: 'n', Match: 's', Deferrable: true, InitiallyDeferred: true},
			{Name: "f2", Kind: ForeignKeyConstraint, Columns: []int16{3}, RefTable: tab.OID, RefColumns: []int16{1}, Index: pkey,
				OnDelete: 'a', OnUpdate: 'a', Match: 's', NotValid: true},
		}}
	step(put(ident))
	own(iSeq, ident, 1)
	step(put(&Table{Schema: schema, Name: "v", Kind: KindView, Comment: "vv",
		Columns: []*Column{{Name: "id", Type: types.Int4, Mod: -1}, {Name: "aa", Type: types.Int4, Mod: -1}, {Name: "m", Type: mood, Mod: -1}},
		View: &View{Query: "SELECT id, a AS aa, m FROM q.t WHERE a > 1", CheckOption: "local", DependsOn: map[OID][]int16{tab.OID: {1, 2, 5}},
			Source: " SELECT t.id,\n    t.a AS aa,\n    t.m\n   FROM q.t\n  WHERE (t.a > 1);"}}))
	sequence("s", Sequence{Type: types.Int2, Start: 5, Increment: 2, Min: 1, Max: 100, Cache: 1, Cycle: true})
}

// recordings are what is compared: columns, some shown as an oid alias type, and the condition on rows.
var recordings = []struct{ relation, columns, condition string }{
	{"pg_catalog.pg_namespace", "nspname nspowner:regrole", "nspname !~ '^pg_t'"},
	{"pg_catalog.pg_class", "relname relnamespace:regnamespace reltype:regtype relowner:regrole relam relhasindex relpersistence relkind relnatts relchecks relhasrules relhastriggers relhassubclass relispopulated relreplident relispartition reloptions", "relnamespace = 'q'::regnamespace"},
	{"pg_catalog.pg_class", "oid relname relnamespace:regnamespace reltype relowner:regrole relkind relnatts", "relnamespace in (11, 'information_schema'::regnamespace) and relkind in ('r', 'v') and reltype <> 10028"},
	{"pg_catalog.pg_attribute", "attrelid:regclass attname atttypid:regtype attlen attnum attndims atttypmod attbyval attalign attstorage attnotnull atthasdef attidentity attgenerated attisdropped attislocal attcollation", "attnum > 0 and attrelid in (select oid from pg_class where relnamespace = 'q'::regnamespace)"},
	{"pg_catalog.pg_index", "indexrelid:regclass indrelid:regclass indnatts indnkeyatts indisunique indnullsnotdistinct indisprimary indisexclusion indimmediate indisvalid indisready indkey indcollation indclass indoption", "indrelid in (select oid from pg_class where relnamespace = 'q'::regnamespace)"},
	{"pg_catalog.pg_constraint", "conname connamespace:regnamespace contype condeferrable condeferred convalidated conrelid:regclass contypid:regtype conindid:regclass confrelid:regclass confupdtype confdeltype confmatchtype conislocal connoinherit conkey confkey conpfeqop conppeqop conffeqop confdelsetcols", "connamespace = 'q'::regnamespace"},
	{"pg_catalog.pg_attrdef", "adrelid:regclass adnum", "adrelid in (select oid from pg_class where relnamespace = 'q'::regnamespace)"},
	{"pg_catalog.pg_type", "typname typnamespace:regnamespace typowner:regrole typlen typbyval typtype typcategory typispreferred typisdefined typdelim typrelid:regclass typelem:regtype typarray:regtype typinput:regproc typoutput:regproc typreceive:regproc typsend:regproc typmodin:regproc typmodout:regproc typalign typstorage typnotnull typbasetype:regtype typtypmod typndims typcollation typdefault", "typnamespace = 'q'::regnamespace"},
	{"pg_catalog.pg_type", "oid typname typlen typbyval typtype typcategory typispreferred typdelim typelem typarray typinput:regproc typoutput:regproc typreceive:regproc typsend:regproc typalign typstorage typcollation", "typnamespace = 11 and typrelid = 0 and typname !~ '^_pg_'"},
	{"pg_catalog.pg_enum", "enumtypid:regtype enumsortorder enumlabel", "true"},
	{"pg_catalog.pg_sequence", "seqrelid:regclass seqtypid:regtype seqstart seqincrement seqmax seqmin seqcache seqcycle", "seqrelid in (select oid from pg_class where relnamespace = 'q'::regnamespace)"},
	{"pg_catalog.pg_rewrite", "rulename ev_class:regclass ev_type ev_enabled is_instead", "ev_class in (select oid from pg_class where relnamespace = 'q'::regnamespace)"},
	{"pg_catalog.pg_am", "oid amname amhandler:regproc amtype", "amname in ('heap', 'btree')"},
	{"pg_catalog.pg_tables", "schemaname tablename tableowner tablespace hasindexes hasrules hastriggers rowsecurity", "schemaname = 'q'"},
	{"pg_catalog.pg_views", "schemaname viewname viewowner definition", "schemaname = 'q'"},
	{"pg_catalog.pg_indexes", "schemaname tablename indexname tablespace indexdef", "schemaname = 'q'"},
	{"pg_catalog.pg_sequences", "schemaname sequencename sequenceowner data_type start_value min_value max_value increment_by cycle cache_size last_value", "schemaname = 'q'"},
	{"information_schema.schemata", "*", "schema_name !~ '^pg_t'"},
	{"information_schema.tables", "*", "table_schema = 'q'"},
	{"information_schema.columns", "*", "table_schema = 'q'"},
	{"information_schema.views", "table_catalog table_schema table_name view_definition check_option is_trigger_updatable is_trigger_deletable is_trigger_insertable_into", "table_schema = 'q'"},
	{"information_schema.sequences", "*", "sequence_schema = 'q'"},
	{"information_schema.table_constraints", "*", "table_schema = 'q'"},
	{"information_schema.key_column_usage", "*", "table_schema = 'q'"},
	{"information_schema.constraint_column_usage", "*", "constraint_schema = 'q'"},
	{"information_schema.constraint_table_usage", "*", "constraint_schema = 'q'"},
	{"information_schema.referential_constraints", "*", "constraint_schema = 'q'"},
	{"information_schema.check_constraints", "*", "constraint_schema = 'q'"},
	{"information_schema.domains", "*", "true"},
	{"information_schema.domain_constraints", "*", "domain_schema = 'q'"},
	{"information_schema.attributes", "*", "true"},
	{"information_schema.element_types", "*", "object_schema = 'q'"},
	{"information_schema.column_domain_usage", "*", "table_schema = 'q'"},
	{"information_schema.column_udt_usage", "*", "table_schema = 'q'"},
	{"information_schema.view_table_usage", "*", "view_schema = 'q'"},
	{"information_schema.view_column_usage", "*", "view_schema = 'q'"},
	{"information_schema.table_privileges", "*", "table_schema = 'q'"},
	{"information_schema.column_privileges", "*", "table_schema = 'q'"},
	{"information_schema.user_defined_types", "*", "user_defined_type_schema = 'q'"},
	{"information_schema.character_sets", "*", "true"},
}

const goldenFile = "testdata/virtual.txt"

var notNullNames = regexp.MustCompile(`\d+_\d+_(\d+)_not_null`)

// columnsOf splits the columns of a recording into names and oid alias types.
func columnsOf(columns string, all []*Column) (names, alias []string) {
	if columns == "*" {
		for _, c := range all {
			names, alias = append(names, c.Name), append(alias, "")
		}
		return names, alias
	}
	for _, f := range strings.Fields(columns) {
		name, reg, _ := strings.Cut(f, ":")
		names, alias = append(names, name), append(alias, reg)
	}
	return names, alias
}

func goldenRows(rows []string) string {
	for i, r := range rows {
		rows[i] = notNullNames.ReplaceAllString(r, "OID_OID_${1}_not_null")
	}
	slices.Sort(rows)
	return strings.Join(rows, "\n") + "\n"
}

func recordGolden(t *testing.T) {
	conn, err := pgx.Connect(ctx, *record)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	script, err := os.ReadFile("testdata/fixture.sql")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(ctx, "BEGIN;"+string(script)+"SET search_path = ''", pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, r := range recordings {
		schema, name, _ := strings.Cut(r.relation, ".")
		rel := system().relationNames[qualifiedName{map[string]OID{"pg_catalog": PgCatalogOID}[schema] + map[string]OID{"information_schema": InformationSchemaOID}[schema], name}]
		names, alias := columnsOf(r.columns, rel.Columns)
		var exprs []string
		for i, n := range names {
			e := `"` + n + `"`
			if alias[i] != "" {
				e += "::" + alias[i]
			}
			exprs = append(exprs, "coalesce(replace("+e+"::text, current_database(), 'DATABASE'), '~')")
		}
		result, err := conn.Query(ctx, "SELECT "+strings.Join(exprs, "||'|'||")+" FROM "+r.relation+" WHERE "+
			strings.ReplaceAll(r.condition, "from pg_class", "from pg_catalog.pg_class"))
		if err != nil {
			t.Fatal(err)
		}
		rows, err := pgx.CollectRows(result, pgx.RowTo[string])
		if err != nil {
			t.Fatalf("%s: %v", r.relation, err)
		}
		fmt.Fprintf(&out, "# %s %s\n%s", r.relation, r.columns, goldenRows(rows))
	}
	if err := os.WriteFile(goldenFile, []byte(out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// testSession is a funcs.Session of the schema alone.
type testSession struct {
	funcs.Session
	s    *Snapshot
	path []string
}

func (s testSession) Catalog() any         { return s.s }
func (s testSession) SearchPath() []string { return s.path }
func (s testSession) Database() string     { return "DATABASE" }
func (s testSession) CurrentUser() string  { return "postgres" }

func testContext(s *Snapshot, path ...string) *VirtualContext {
	env := *types.DefaultEnv
	env.Names = s.Directory(path, "DATABASE")
	return &VirtualContext{Ctx: &funcs.Ctx{Context: ctx, Env: &env, Session: testSession{s: s, path: path}}, Snapshot: s}
}

// mine is what the golden file should say of a recording.
func mine(t *testing.T, v *VirtualContext, relation, columns, condition string) []string {
	s := v.Snapshot
	schema, name, _ := strings.Cut(relation, ".")
	rel := s.Relation(s.Schema(schema).OID, name)
	names, alias := columnsOf(columns, rel.Columns)
	inQ := func(oid OID) bool {
		o, ok := s.object(oid)
		return ok && s.schemaName(o.schema()) == "q"
	}
	var rows []string
	err := rel.Virtual.Rows(v, nil, func(row []datum) bool {
		if len(row) != len(rel.Columns) {
			t.Fatalf("%s: a row has %d values for %d columns", relation, len(row), len(rel.Columns))
		}
		at := func(name string) datum { return row[rel.Column(name).Number-1] }
		keep := true
		switch {
		case strings.HasSuffix(condition, "= 'q'"):
			keep = at(strings.Fields(condition)[0]).Str() == "q"
		case strings.Contains(condition, "(select oid from pg_class"):
			f := strings.Fields(condition)
			keep = inQ(OID(at(f[slices.Index(f, "in")-1]).Int()))
		case strings.HasSuffix(condition, "'q'::regnamespace"):
			keep = s.schemaName(OID(at(strings.Fields(condition)[0]).Int())) == "q"
		case strings.HasPrefix(condition, "relnamespace in"):
			keep = at("oid").Int() < int64(FirstUserOID) && at("reltype").Int() != 10028 && !strings.HasSuffix(at("relname").Str(), "assertions")
		case strings.HasPrefix(condition, "typnamespace = 11"):
			keep = at("typnamespace").Int() == 11 && at("typrelid").Int() == 0
		}
		if !keep {
			return true
		}
		var fields []string
		for i, n := range names {
			d, typ := at(n), rel.Column(n).Type
			if alias[i] != "" {
				typ = types.ByName(alias[i])
			}
			if d.IsNull() {
				fields = append(fields, "~")
				continue
			}
			if d.Rep() != typ.Rep {
				t.Errorf("%s.%s: value of a wrong kind for %s", relation, n, typ)
			}
			fields = append(fields, string(types.AppendText(nil, typ, d, v.Env)))
			if typ == types.Bool {
				fields[i] = map[string]string{"t": "true", "f": "false"}[fields[i]]
			}
		}
		rows = append(rows, strings.Join(fields, "|"))
		return true
	})
	if err != nil {
		t.Fatalf("%s: %v", relation, err)
	}
	return rows
}

// TestVirtual compares the relations of the system with what PostgreSQL 15 shows for the same schema.
func TestVirtual(t *testing.T) {
	if *record != "" {
		recordGolden(t)
	}
	golden, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	defer func(f func(*Snapshot, *Table) Updatability) { ViewUpdatability = f }(ViewUpdatability)
	ViewUpdatability = func(*Snapshot, *Table) Updatability { return Updatability{true, true, true, []int16{1, 2, 3}} }
	c := open(t, memkv.New(memkv.Options{}))
	fixtureQ(t, c)
	v := testContext(current(t, c))
	parts := strings.Split(string(golden), "# ")[1:]
	if len(parts) != len(recordings) {
		t.Fatalf("%d recordings in the file, %d in the test", len(parts), len(recordings))
	}
	for i, r := range recordings {
		_, want, _ := strings.Cut(parts[i], "\n")
		got := goldenRows(mine(t, v, r.relation, r.columns, r.condition))
		if got != want {
			t.Errorf("%s %s:\n%s", r.relation, r.columns, lineDiff(want, got))
		}
	}
}

// lineDiff shows the lines that only one of two sorted texts has.
func lineDiff(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	var b strings.Builder
	for _, l := range w {
		if !slices.Contains(g, l) {
			fmt.Fprintf(&b, "PostgreSQL: %s\n", l)
		}
	}
	for _, l := range g {
		if !slices.Contains(w, l) {
			fmt.Fprintf(&b, "here:       %s\n", l)
		}
	}
	return b.String()
}

// TestVirtualShape runs every relation of the system, also with filters, which must not lose rows that match.
func TestVirtualShape(t *testing.T) {
	c := open(t, memkv.New(memkv.Options{}))
	fixtureQ(t, c)
	v := testContext(current(t, c), "q")
	for _, rel := range system().all {
		var all [][]datum
		collect := func(f VirtualFilter) (rows [][]datum) {
			err := rel.Virtual.Rows(v, f, func(row []datum) bool {
				if len(row) != len(rel.Columns) {
					t.Fatalf("%s: a row has %d values for %d columns", rel.Name, len(row), len(rel.Columns))
				}
				for i, c := range rel.Columns {
					if d := row[i]; !d.IsNull() && d.Rep() != c.Type.Rep {
						t.Fatalf("%s.%s: value of a wrong kind for %s", rel.Name, c.Name, c.Type)
					} else if d.IsNull() && c.NotNull {
						t.Fatalf("%s.%s is NULL", rel.Name, c.Name)
					}
				}
				rows = append(rows, slices.Clone(row))
				return true
			})
			if err != nil {
				t.Fatalf("%s: %v", rel.Name, err)
			}
			return rows
		}
		all = collect(nil)
		for n, c := range rel.Columns {
			if len(all) == 0 || n > 8 || c.Type.Rep != types.RepInt && c.Type.Rep != types.RepString {
				continue
			}
			value := all[len(all)/2][n]
			if value.IsNull() {
				continue
			}
			match := func(rows [][]datum) (k int) {
				for _, r := range rows {
					if !r[n].IsNull() && types.Compare(c.Type, r[n], value) == 0 {
						k++
					}
				}
				return k
			}
			if got, want := match(collect(VirtualFilter{int16(n + 1): {value}})), match(all); got != want {
				t.Errorf("%s with a filter on %s: %d rows, want %d", rel.Name, c.Name, got, want)
			}
		}
		if len(all) > 0 { // stopping early must work
			n := 0
			rel.Virtual.Rows(v, nil, func([]datum) bool { n++; return false })
			if n != 1 {
				t.Errorf("%s goes on after emit has returned false", rel.Name)
			}
		}
	}
}
