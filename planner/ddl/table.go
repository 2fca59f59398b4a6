package ddl

import (
	"context"
	"slices"
	"strings"

	"holdfast/planner/bind"
	"holdfast/sql/algebra"
	"holdfast/sql/ast"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// createTable is CREATE TABLE and CREATE TABLE AS.
func (env *Env) createTable(ctx context.Context, s *ast.CreateTable) (string, error) {
	switch {
	case s.Materialized:
		return "", errs.Unsupported("CREATE MATERIALIZED VIEW")
	case s.Temp:
		return "", errs.Unsupported("temporary tables")
	case s.Partition:
		return "", errs.Unsupported("partitioned tables")
	case len(s.Inherits) > 0:
		return "", errs.Unsupported("table inheritance")
	case s.Tablespace != "":
		return "", errs.Unsupported("tablespaces")
	case s.Unlogged:
		return "", errs.Unsupported("unlogged tables").WithHint("Every commit is durable; leave UNLOGGED out.")
	}
	schema, err := env.Snapshot.CreationSchema(env.SearchPath, s.Table.Schema, s.Table.Name)
	if err != nil {
		if errs.CodeOf(err) == errs.InvalidSchemaName {
			err = errs.As(err).At(env.at(s.Table.Pos()))
		}
		return "", err
	}
	if env.relationTaken(schema.OID, s.Table.Name) {
		if s.IfNotExists {
			env.notice(errs.DuplicateTable, `relation "%s" already exists, skipping`, s.Table.Name)
			return Verb(s), nil
		}
		return "", errs.New(errs.DuplicateTable, `relation "%s" already exists`, s.Table.Name)
	}
	oid, err := env.Catalog.NewOIDs(ctx, 1)
	if err != nil {
		return "", err
	}
	t := &catalog.Table{OID: oid, Schema: schema.OID, Name: s.Table.Name, Kind: catalog.KindTable, Owner: catalog.PostgresRoleOID}
	if s.Query != nil {
		return env.createTableAs(ctx, s, t)
	}
	d := &definition{env: env, table: t}
	for _, l := range s.Likes {
		if err := d.like(ctx, l); err != nil {
			return "", err
		}
	}
	for _, c := range s.Columns {
		if err := d.column(ctx, c); err != nil {
			return "", err
		}
	}
	for _, c := range s.Constraints {
		d.constraints = append(d.constraints, pending{constraint: c})
	}
	if err := d.finish(ctx); err != nil {
		return "", err
	}
	return Verb(s), nil
}

// definition is a table being made, or getting new columns and constraints.
type definition struct {
	env         *Env
	table       *catalog.Table
	constraints []pending
	sequences   []*catalog.Table // owned by its columns
	defaults    []pendingDefault
}

// pending is a constraint that waits until all columns are known. column is the one it was written at.
type pending struct {
	constraint *ast.Constraint
	column     string
}

type pendingDefault struct {
	column    *catalog.Column
	expr      ast.Expr
	generated bool
}

var serials = map[string]*types.Type{
	"serial": types.Int4, "serial4": types.Int4, "bigserial": types.Int8, "serial8": types.Int8, "smallserial": types.Int2, "serial2": types.Int2,
}

// column adds a column to the table. What it says of itself besides its type waits until all are there.
func (d *definition) column(ctx context.Context, c *ast.ColumnDef) error {
	t := d.table
	if t.Column(c.Name) != nil {
		return errs.New(errs.DuplicateColumn, `column "%s" specified more than once`, c.Name)
	}
	switch c.Name {
	case "tableoid", "ctid", "xmin", "xmax", "cmin", "cmax":
		return errs.New(errs.DuplicateColumn, `column name "%s" conflicts with a system column name`, c.Name)
	}
	if len(t.Columns) >= 1600 {
		return errs.New(errs.TooManyColumns, "tables can have at most 1600 columns")
	}
	col := &catalog.Column{Number: int16(len(t.Columns) + 1), Name: c.Name, Mod: types.NoTypmod}
	if c.Storage != "" || c.Compression != "" {
		return errs.Unsupported("STORAGE and COMPRESSION of columns")
	}
	serial := serialType(c.Type)
	if serial != nil {
		col.Type = serial
	} else {
		var err error
		if col.Type, col.Mod, err = bind.ResolveType(d.env.options(), c.Type); err != nil {
			return err
		}
		if col.Type.Kind == 'p' {
			return errs.New(errs.InvalidTableDefinition, `column "%s" has pseudo-type %s`, c.Name, col.Type.Name)
		}
	}
	if len(c.Collation) > 0 {
		name := c.Collation[len(c.Collation)-1]
		switch name {
		case "C", "POSIX", "default", "ucs_basic":
		default:
			return errs.Unsupported(`collation "%s"`, name).WithHint(`Text is compared bytewise, as under "C".`)
		}
		if name != "default" {
			col.Collation = name
		}
	}
	t.Columns = append(t.Columns, col)
	if serial != nil {
		if err := d.own(ctx, col, nil); err != nil {
			return err
		}
		col.NotNull = true
	}
	null := false
	for _, k := range c.Constraints {
		switch k.Kind {
		case ast.ConstrNull:
			null = true
			if col.NotNull {
				return d.contradiction(col, k)
			}
		case ast.ConstrNotNull:
			if null {
				return d.contradiction(col, k)
			}
			col.NotNull = true
		case ast.ConstrDefault:
			if col.Default != "" || d.hasDefault(col) {
				return errs.New(errs.SyntaxError, `multiple default values specified for column "%s" of table "%s"`, c.Name, t.Name)
			}
			d.defaults = append(d.defaults, pendingDefault{col, k.Expr, false})
		case ast.ConstrGenerated:
			d.defaults = append(d.defaults, pendingDefault{col, k.Expr, true})
		case ast.ConstrIdentity:
			switch col.Type {
			case types.Int2, types.Int4, types.Int8:
			default:
				return errs.New(errs.InvalidParameterValue, "identity column type must be smallint, integer, or bigint")
			}
			if err := d.own(ctx, col, k.SequenceOptions); err != nil {
				return err
			}
			col.Default = ""
			col.Identity = 'd'
			if k.Generated == "always" {
				col.Identity = 'a'
			}
			col.NotNull = true
		default:
			d.constraints = append(d.constraints, pending{k, c.Name})
		}
	}
	return nil
}

func (d *definition) hasDefault(c *catalog.Column) bool {
	for _, p := range d.defaults {
		if p.column == c {
			return true
		}
	}
	return false
}

func (d *definition) contradiction(c *catalog.Column, k *ast.Constraint) error {
	return errs.New(errs.SyntaxError, `conflicting NULL/NOT NULL declarations for column "%s" of table "%s"`, c.Name, d.table.Name).At(d.env.at(k.Pos()))
}

// serialType is the integer type behind serial and the like, nil for other types.
func serialType(n *ast.TypeName) *types.Type {
	if len(n.Names) == 1 && n.Array == 0 {
		return serials[n.Names[0]]
	}
	return nil
}

// own gives a column a sequence, and a default that draws on it.
func (d *definition) own(ctx context.Context, col *catalog.Column, options []*ast.Option) error {
	env := d.env
	name := objectName(d.table.Name, col.Name, "seq", func(n string) bool {
		for _, s := range d.sequences {
			if s.Name == n {
				return true
			}
		}
		return env.relationTaken(d.table.Schema, n)
	})
	oid, err := env.Catalog.NewOIDs(ctx, 1)
	if err != nil {
		return err
	}
	q := &catalog.Sequence{Type: col.Type, OwnerTable: d.table.OID, OwnerColumn: col.Number}
	if err := sequenceOptions(q, options, nil); err != nil {
		return err
	}
	seq := &catalog.Table{OID: oid, Schema: d.table.Schema, Name: name, Kind: catalog.KindSequence, Owner: catalog.PostgresRoleOID, Sequence: q}
	d.sequences = append(d.sequences, seq)
	col.Sequence, col.DependsOn = oid, []catalog.OID{oid}
	col.Default = env.nextval(d.table.Schema, name)
	return nil
}

// nextval is the text of a default that draws on a sequence.
func (env *Env) nextval(schema catalog.OID, name string) string {
	full := types.QuoteIdentifier(name)
	if s := env.Snapshot.SchemaByOID(schema); s != nil && s.Name != "public" {
		full = types.QuoteIdentifier(s.Name) + "." + full
	}
	return "nextval('" + strings.ReplaceAll(full, "'", "''") + "'::regclass)"
}

// finish makes the table part of the schema, and then what has to be bound against it.
func (d *definition) finish(ctx context.Context) error {
	env, t := d.env, d.table
	for _, seq := range d.sequences {
		if err := env.put(ctx, seq); err != nil {
			return err
		}
	}
	for _, p := range d.defaults {
		if err := d.bindDefault(ctx, p); err != nil {
			return err
		}
	}
	var foreign []pending
	for _, p := range d.constraints {
		if p.constraint.Kind == ast.ConstrForeignKey {
			foreign = append(foreign, p)
			continue
		}
		if err := d.addConstraint(ctx, p); err != nil {
			return err
		}
	}
	for _, p := range foreign {
		if err := d.addConstraint(ctx, p); err != nil {
			return err
		}
	}
	return env.put(ctx, t)
}

// bindDefault checks a default or generation expression and stores its text.
func (d *definition) bindDefault(ctx context.Context, p pendingDefault) error {
	kind := bind.DefaultExpr
	var over *catalog.Table
	if p.generated {
		kind, over = bind.GeneratedExpr, d.table
	}
	e, err := bind.BindExpr(ctx, d.env.printing(), over, p.expr, kind, p.column.Type, p.column.Mod, p.column.Name)
	if err != nil {
		return err
	}
	p.column.Uses, p.column.DependsOn = nil, d.env.sequencesIn(e.Expr)
	if p.generated {
		p.column.Generated, p.column.Uses = e.Text, e.Columns
	} else if c, ok := e.Expr.(*algebra.Const); ok && c.Value.IsNull() {
		p.column.Default = ""
	} else {
		p.column.Default = e.Text
	}
	return nil
}

// sequencesIn are the sequences that an expression names as constants of type regclass.
func (env *Env) sequencesIn(e algebra.Scalar) (oids []catalog.OID) {
	v := algebra.Visitor{Scalar: func(s algebra.Scalar) bool {
		c, ok := s.(*algebra.Const)
		if !ok || c.Type() != types.Regclass || c.Value.IsNull() {
			return true
		}
		oid := catalog.OID(c.Value.Int())
		if t := env.Snapshot.RelationByOID(oid); t != nil && t.Kind == catalog.KindSequence && !slices.Contains(oids, oid) {
			oids = append(oids, oid)
		}
		return true
	}}
	v.VisitScalar(e)
	return oids
}

// columnNames prints the columns of expressions bound over a table.
func columnNames(t *catalog.Table) func(algebra.ColID) string {
	return func(id algebra.ColID) string {
		if int(id) > len(t.Columns) {
			return "tableoid"
		}
		return types.QuoteIdentifier(t.Columns[id-1].Name)
	}
}

// like copies the columns of another table, with what the INCLUDING options say.
func (d *definition) like(ctx context.Context, l *ast.Like_) error {
	const (
		comments = 1 << iota
		compression
		constraints
		defaults
		generated
		identity
		indexes
	)
	src, err := d.env.table(l.Table, false)
	if err != nil {
		return err
	}
	renumber := map[int16]int16{}
	for _, c := range src.Columns {
		if c.Dropped {
			continue
		}
		if d.table.Column(c.Name) != nil {
			return errs.New(errs.DuplicateColumn, `column "%s" specified more than once`, c.Name)
		}
		x := &catalog.Column{Number: int16(len(d.table.Columns) + 1), Name: c.Name, Type: c.Type, Mod: c.Mod, NotNull: c.NotNull, Collation: c.Collation}
		if l.Options&defaults != 0 && c.Identity == 0 {
			x.Default, x.DependsOn = c.Default, nil
			if c.Sequence != 0 {
				x.DependsOn = []catalog.OID{c.Sequence}
			}
		}
		if l.Options&generated != 0 {
			x.Generated = c.Generated
		}
		if l.Options&comments != 0 {
			x.Comment = c.Comment
		}
		renumber[c.Number] = x.Number
		d.table.Columns = append(d.table.Columns, x)
		if l.Options&identity != 0 && c.Identity != 0 {
			if err := d.own(ctx, x, nil); err != nil {
				return err
			}
			q, from := d.sequences[len(d.sequences)-1].Sequence, d.env.Snapshot.RelationByOID(c.Sequence).Sequence
			q.Start, q.Increment, q.Min, q.Max, q.Cache, q.Cycle = from.Start, from.Increment, from.Min, from.Max, from.Cache, from.Cycle
			x.Identity, x.Default = c.Identity, ""
		}
	}
	for _, c := range src.Columns {
		if x := renumber[c.Number]; x != 0 && d.table.Columns[x-1].Generated != "" {
			d.table.Columns[x-1].Uses = renumbered(c.Uses, renumber)
		}
	}
	if l.Options&constraints != 0 {
		for _, k := range src.Constraints {
			if k.Kind == catalog.CheckConstraint {
				x := *k
				x.OID = 0
				x.Columns = renumbered(k.Columns, renumber)
				d.table.Constraints = append(d.table.Constraints, &x)
			}
		}
	}
	if l.Options&indexes != 0 {
		for _, x := range src.Indexes {
			c := *x
			c.OID, c.Storage, c.Constraint = 0, 0, 0
			label := "idx"
			if x.Primary {
				label = "pkey"
			} else if x.Constraint != 0 {
				label = "key"
			}
			var names []string
			c.Keys = append([]catalog.IndexKey(nil), x.Keys...)
			for i, k := range c.Keys {
				if k.Column != 0 {
					c.Keys[i].Column = renumber[k.Column]
					names = append(names, src.Columns[k.Column-1].Name)
				} else {
					names = append(names, "expr")
				}
			}
			c.Include = renumbered(x.Include, renumber)
			column := strings.Join(names, "_")
			if x.Primary {
				column = ""
			}
			c.Name = d.env.constraintName(d.table, column, label, true)
			d.table.Indexes = append(d.table.Indexes, &c)
			if x.Constraint != 0 {
				kind := catalog.UniqueConstraint
				if x.Primary {
					kind = catalog.PrimaryKeyConstraint
				}
				k := &catalog.Constraint{Name: c.Name, Kind: kind}
				for _, key := range c.Keys {
					k.Columns = append(k.Columns, key.Column)
				}
				d.table.Constraints = append(d.table.Constraints, k)
			}
		}
	}
	return nil
}

func renumbered(list []int16, to map[int16]int16) []int16 {
	var out []int16
	for _, n := range list {
		out = append(out, to[n])
	}
	return out
}

// createTableAs is CREATE TABLE AS and SELECT INTO.
func (env *Env) createTableAs(ctx context.Context, s *ast.CreateTable, t *catalog.Table) (string, error) {
	q, ok := s.Query.(*ast.Select)
	if !ok {
		return "", errs.Unsupported("CREATE TABLE AS of anything but a query")
	}
	bound, err := bind.Bind(ctx, env.options(), q)
	if err != nil {
		return "", err
	}
	if len(s.QueryColumns) > len(bound.Output) {
		return "", errs.New(errs.SyntaxError, "too many column names were specified")
	}
	for i, o := range bound.Output {
		c := bound.Column(o.ID)
		name := o.Name
		if i < len(s.QueryColumns) {
			name = s.QueryColumns[i]
		}
		if t.Column(name) != nil {
			return "", errs.New(errs.DuplicateColumn, `column "%s" specified more than once`, name)
		}
		typ := c.Typ
		if typ == types.Unknown {
			typ = types.Text
		}
		if typ.Kind == 'p' {
			return "", errs.New(errs.InvalidTableDefinition, `column "%s" has pseudo-type %s`, name, typ.Name)
		}
		t.Columns = append(t.Columns, &catalog.Column{Number: int16(i + 1), Name: name, Type: typ, Mod: c.M})
	}
	if err := env.put(ctx, t); err != nil {
		return "", err
	}
	if s.WithNoData {
		return "CREATE TABLE AS", nil
	}
	schema := env.Snapshot.SchemaByOID(t.Schema)
	insert := &ast.Insert{At: -1, Table: &ast.TableRef{At: -1, Table: &ast.TableName{At: -1, Schema: schema.Name, Name: t.Name}}, Query: q}
	n, err := env.Run(ctx, env, insert, env.Text, nil)
	if err != nil {
		return "", err
	}
	return "SELECT " + itoa(n), nil
}
