package catalog

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"holdfast/sql/types"
)

// The facts about PostgreSQL 15's catalogs, written by gen_system.go.
var (
	//go:embed system_relations.txt
	systemRelations string
	//go:embed system_rows.txt
	systemRows string
)

// systemObjects are the relations of pg_catalog and information_schema, the same in every snapshot.
type systemObjects struct {
	relations     map[OID]*Table
	relationNames map[qualifiedName]*Table
	rowTypes      map[OID]*Table // by OID of the row type
	all           []*Table       // in the order of schema and name
	domains       []*systemDomain
	domainTypes   map[OID]*types.Type // domains and arrays over them
	rows          map[string]string   // tab-separated values of fixed catalogs

	mu        sync.Mutex
	composite map[OID]*types.Type // made when first asked for
}

// systemDomain is one of the domains of the information schema.
type systemDomain struct {
	oid, array OID
	name       string
	t          *types.Type
	collation  OID
}

// VirtualRows makes the rows of a virtual relation: see Virtual.Rows.
type VirtualRows func(v *VirtualContext, filter VirtualFilter, emit func(row []types.Datum) bool) error

// virtualRows are the makers of rows by schema and relation. A relation of the system without one is empty.
var virtualRows = map[qualifiedName]VirtualRows{}

// extraRelations are those that RegisterRelation adds.
var extraRelations []*Table

// registerRows gives relations of pg_catalog their rows.
func registerRows(name string, rows VirtualRows) {
	RegisterRows(PgCatalogOID, name, rows)
}

// RegisterRows makes the rows of a relation of the system the business of an upper layer: settings, sessions,
// locks. It is for init functions, and the last registration counts.
func RegisterRows(schema OID, name string, rows VirtualRows) {
	virtualRows[qualifiedName{schema, name}] = rows
}

// RegisterRelation adds a relation that PostgreSQL does not have to pg_catalog. oid must be below 16384 and
// not in use, and so must oid+1, that of its row type. It is for init functions.
func RegisterRelation(oid OID, name string, columns []*Column, rows VirtualRows) {
	for i, c := range columns {
		c.Number, c.Mod = int16(i+1), types.NoTypmod
	}
	extraRelations = append(extraRelations, &Table{OID: oid, RowType: oid + 1, Schema: PgCatalogOID, Name: name, Kind: KindView,
		Owner: PostgresRoleOID, Columns: columns})
	RegisterRows(PgCatalogOID, name, rows)
}

// noRows is an empty relation.
func noRows(*VirtualContext, VirtualFilter, func([]types.Datum) bool) error { return nil }

var system = sync.OnceValue(func() *systemObjects {
	s := &systemObjects{
		relations:     map[OID]*Table{},
		relationNames: map[qualifiedName]*Table{},
		rowTypes:      map[OID]*Table{},
		domainTypes:   map[OID]*types.Type{},
		rows:          map[string]string{},
		composite:     map[OID]*types.Type{},
	}
	for _, part := range strings.Split("\n"+systemRows, "\n* ")[1:] {
		if name, rows, ok := strings.Cut(part, "\n"); ok {
			s.rows[name] = strings.TrimSuffix(rows, "\n") + "\n"
		}
	}
	for line := range strings.Lines(systemRelations) {
		s.add(parseSystemRelation(line))
	}
	for _, t := range extraRelations {
		s.add(t)
	}
	for line := range strings.Lines(s.rows["domains"]) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		d := &systemDomain{oid: parseOID(f[0]), array: parseOID(f[1]), name: f[2], collation: parseOID(f[5])}
		mod, err := strconv.Atoi(f[4])
		if err != nil {
			panic(err)
		}
		d.t = types.NewDomain(d.oid, d.name, types.ByOID(parseOID(f[3])), int32(mod))
		s.domains = append(s.domains, d)
		s.domainTypes[d.oid], s.domainTypes[d.array] = d.t, types.NewArray(d.array, "_"+d.name, d.t)
	}
	return s
})

func (s *systemObjects) add(t *Table) {
	rows := virtualRows[qualifiedName{t.Schema, t.Name}]
	if rows == nil && s.rows[t.Name] != "" && t.Schema == PgCatalogOID {
		rows = fixedRows(t, s.rows[t.Name])
	}
	if rows == nil {
		rows = noRows
	}
	t.Virtual = &Virtual{Rows: rows}
	s.all = append(s.all, t)
	s.relations[t.OID] = t
	s.rowTypes[t.RowType] = t
	s.relationNames[qualifiedName{t.Schema, t.Name}] = t
}

// parseSystemRelation reads a line of system_relations.txt: see gen_system.go.
func parseSystemRelation(line string) *Table {
	f := strings.Fields(line)
	t := &Table{Schema: PgCatalogOID, Name: f[1], OID: parseOID(f[2]), RowType: parseOID(f[3]), Kind: RelKind(f[4][0]), Owner: PostgresRoleOID}
	if f[0] == "information_schema" {
		t.Schema = InformationSchemaOID
	}
	for i, text := range f[5:] {
		c := &Column{Number: int16(i + 1), Mod: types.NoTypmod}
		text, c.NotNull = strings.CutSuffix(text, "!")
		text, collation, _ := strings.Cut(text, "~")
		c.Collation = collation // the OID, as text
		text, mod, hasMod := strings.Cut(text, "/")
		if hasMod {
			n, err := strconv.Atoi(mod)
			if err != nil {
				panic(err)
			}
			c.Mod = int32(n)
		}
		name, oid, _ := strings.Cut(text, ":")
		c.Name, c.Type = name, types.ByOID(parseOID(oid))
		if c.Type == nil {
			c.Type = types.RecordArray // pg_statistic_ext_data.stxdexpr, an array of rows of pg_statistic
		}
		if collation != "" {
			c.Collation = systemCollation(parseOID(collation))
		}
		t.Columns = append(t.Columns, c)
	}
	return t
}

// systemCollation is the name of one of the collations that the columns of the system have.
func systemCollation(oid OID) string {
	if oid == 950 {
		return "C"
	}
	return ""
}

func parseOID(s string) OID {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		panic(err)
	}
	return OID(n)
}

// typeByName is one of the domains, or a row type, nil if there is none.
func (s *systemObjects) typeByName(schema OID, name string) *types.Type {
	if schema == InformationSchemaOID {
		for _, t := range s.domainTypes {
			if t.Name == name {
				return t
			}
		}
	}
	if t := s.relationNames[qualifiedName{schema, name}]; t != nil {
		return s.typeByOID(t.RowType)
	}
	return nil
}

// typeByOID is a domain, an array over one, or the type of a relation's rows; nil if there is none.
func (s *systemObjects) typeByOID(oid OID) *types.Type {
	if t := s.domainTypes[oid]; t != nil {
		return t
	}
	rel := s.rowTypes[oid]
	if rel == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.composite[oid]
	if t == nil {
		t = types.NewComposite(oid, rel.Name, fields(rel.Columns))
		s.composite[oid] = t
	}
	return t
}

// fixedRows are the rows of a catalog that is the same in every database, parsed when first asked for.
func fixedRows(t *Table, text string) VirtualRows {
	rows := sync.OnceValues(func() ([][]types.Datum, error) { return parseRows(t, text) })
	return func(_ *VirtualContext, filter VirtualFilter, emit func([]types.Datum) bool) error {
		all, err := rows()
		for _, row := range all {
			if filter.accepts(row) && !emit(row) {
				return nil
			}
		}
		return err
	}
}

// fixedRowsOf are the parsed rows of a part of system_rows.txt that belongs to a relation which has others too.
func fixedRowsOf(name string) func() ([][]types.Datum, error) {
	return sync.OnceValues(func() ([][]types.Datum, error) {
		return parseRows(system().relationNames[qualifiedName{PgCatalogOID, name}], system().rows[name])
	})
}

// parseRows reads the text format of COPY.
func parseRows(t *Table, text string) ([][]types.Datum, error) {
	var rows [][]types.Datum
	unescape := strings.NewReplacer(`\\`, `\`, `\t`, "\t", `\n`, "\n")
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != len(t.Columns) {
			return nil, fmt.Errorf("catalog: a row of %s has %d values for %d columns", t.Name, len(f), len(t.Columns))
		}
		row := make([]types.Datum, len(f))
		for i, c := range t.Columns {
			if f[i] == `\N` {
				continue
			}
			d, err := types.ParseText(c.Type, types.NoTypmod, unescape.Replace(f[i]), types.DefaultEnv)
			if err != nil {
				return nil, fmt.Errorf("catalog: %s.%s: %w", t.Name, c.Name, err)
			}
			row[i] = d
		}
		rows = append(rows, row)
	}
	return rows, nil
}
